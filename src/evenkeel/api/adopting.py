"""What a service that runs does beside answering: it takes up policies as they are published, and reviews limits."""

from __future__ import annotations

import asyncio
import logging
import math
import multiprocessing
import signal
import sys
import time
from collections.abc import Callable, Iterator
from multiprocessing.connection import wait
from traceback import format_tb
from types import FrameType

from evenkeel.decisions.engine.arms import Arms
from evenkeel.decisions.engine.engine import Engine
from evenkeel.decisions.engine.guarding import guard
from evenkeel.decisions.engine.published import KINDS, Published
from evenkeel.decisions.moving.following import Follower
from evenkeel.decisions.moving.reviewing import Reviewer
from evenkeel.decisions.moving.sweeping import Sweep
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.storage.journal import Journal

_LOOK_S = 1.0  # between two looks at the register
_REST_S = 0.2  # between two looks at the journal where there was nothing to do
_GUARD_S = 3600.0  # between two looks at what challengers do
_END = object()

_log = logging.getLogger(__name__)


async def watch(engine: Engine, published: Published) -> None:
    """Let the engine decide by what is in force, for ever; it is read and compiled off the event loop."""
    waiting: Arms | None = None
    while True:
        await asyncio.sleep(_LOOK_S)
        try:
            waiting = await asyncio.to_thread(published.changed) or waiting
            if waiting is not None:
                await engine.adopt(waiting)
                _log.info("deciding by %s", waiting.champion.version)
                waiting = None
        except EvenkeelError as error:
            _log.warning("the policies in force could not be looked up: %s", error.message)


def follow(journal: Journal, published: Published, reviewed: Callable[[bytes], None]) -> None:
    """Review limits as things happen, in a process of its own, until its parent is gone. reviewed: told each reply."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - a worker has one
    looked = -math.inf
    ending = False

    def end(number: int, frame: FrameType | None) -> None:
        """At once; and where that is raised in a place that swallows it, before the next step."""
        nonlocal ending
        ending = True
        sys.exit(0)

    def arms() -> Arms:
        """By what is decided now: also in the midst of a long step."""
        nonlocal looked
        if time.monotonic() - looked > _LOOK_S:
            published.changed()
            looked = time.monotonic()
        return published.latest()

    signal.signal(signal.SIGTERM, end)
    reviewer = Reviewer(journal, arms)
    follower, sweep = Follower(reviewer, reviewed), Sweep(reviewer, reviewed)
    sweeping: Iterator[None] | None = None
    guarded = -math.inf
    while not ending:
        busy = False
        try:
            busy = follower.step()
            if follower.is_mine and not busy:
                if sweeping is None and (day := sweep.due()) is not None:
                    sweeping = sweep.steps(day)
                if sweeping is not None:
                    busy = next(sweeping, _END) is not _END
                    sweeping = sweeping if busy else None
                if time.monotonic() - guarded > _GUARD_S:
                    guarded = time.monotonic()
                    _guard(published)
        except EvenkeelError as error:
            _log.warning("limits could not be reviewed, and will be: %s", error.message)
            follower.close()
            sweeping = None
        except Exception as error:  # a fault of ours: it must not end the service that answers
            place = "".join(format_tb(error.__traceback__))
            _log.error("limits could not be reviewed: %s\n%s", type(error).__name__, place)
            follower.close()
            sweeping = None
        if not busy and wait([parent.sentinel], _REST_S):
            return


def _guard(published: Published) -> None:
    """Stop challengers that harm."""
    for kind in KINDS:
        found = guard(published.register, kind)
        if found is not None and found.stopped:
            _log.warning("the challenger of %s was stopped: %s", kind, found.challenger)
