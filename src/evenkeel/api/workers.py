"""The processes that serve one socket: started, kept, and ended together."""

from __future__ import annotations

import asyncio
import logging
import math
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from types import FrameType

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
PATIENCE_S = 25.0  # for a process that was told to end; longer than any request may take (`server.GRACE_S`)

_LOOK_S = 1.0

_log = logging.getLogger(__name__)


def keep(count: int, work: Callable[[int], None], ending: Callable[[], None]) -> int:
    """Run `work(0)` to `work(count - 1)`, each in a process of its own, until SIGTERM or SIGINT; returns the exit code.

    ending: called once they are told to end; it closes what this process holds open for them.
    One that does not end within PATIENCE_S is killed: what it has answered is on record.
    A process that is killed is started again. One that ends by itself before it is told to has a reason that would
    end the next one too: then all end, with its code. Call it from the main thread.
    """
    context = multiprocessing.get_context("fork")  # what decides was read and compiled once, and is shared
    running: dict[int, BaseProcess] = {}
    stopping = False
    until = math.inf
    code = 0

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal stopping, until
        stopping, until = True, min(until, time.monotonic() + PATIENCE_S)
        ending()
        for process in list(running.values()):
            with suppress(ProcessLookupError):
                process.terminate()

    def start(number: int) -> None:
        process = context.Process(target=_child, args=(work, number), name=f"evenkeel-{number}")
        # Signals wait until both sides know what to do with them: a process that has not yet put its own handler in the
        # place of its parent's would take the order to end for one to its parent, and go on.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            process.start()
            running[number] = process
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        if stopping:  # said while it was being started
            process.terminate()

    earlier = {one: signal.signal(one, stop) for one in _SIGNALS}
    try:
        for number in range(count):
            start(number)
        while running:
            ended = wait([process.sentinel for process in running.values()], _LOOK_S)
            if not ended and time.monotonic() > until:
                for number, process in running.items():
                    _log.error("worker %d did not end, and is killed", number)
                    process.kill()
            for number, process in list(running.items()):
                if process.sentinel not in ended:
                    continue
                process.join()
                del running[number]
                found = process.exitcode or 0
                if stopping:
                    continue
                if found < 0:
                    _log.error("worker %d was ended by signal %d; another one takes its place", number, -found)
                    start(number)
                else:
                    code = found
                    stop(0, None)
    finally:
        for one, handler in earlier.items():
            signal.signal(one, handler)
    return code


def _child(work: Callable[[int], None], number: int) -> None:
    """One process, told to end by its parent alone: Ctrl-C in a terminal is the parent's."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    work(number)


def tie_to_parent() -> None:
    """In the event loop of a worker: end as if told to, once the parent has died, whatever it died of."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # noqa: S101 - a worker has one
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(parent.sentinel)
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(parent.sentinel, gone)
