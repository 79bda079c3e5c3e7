"""The queue in front of the batches: who waits, who is decided together, and what happens when one of them fails.

While a batch is under way whatever arrives waits; then it is decided together. A request that finds an idle lane is a
batch of its own. A lane that has just answered many waits a moment for half as many: they are likely to ask again, and
a batch costs nearly as much for one as for ten. No state outlives a transaction, so any number of processes may run.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from traceback import format_tb
from typing import Any

import psycopg

from evenkeel.accounts.store import turn_of
from evenkeel.decisions.cost import Pricing
from evenkeel.decisions.engine import statements as sql
from evenkeel.decisions.engine.arms import Arms, arms_of
from evenkeel.decisions.engine.batch import Batch, Case
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.engine.wire import TEXT, StatementFailed, Wire, texts
from evenkeel.decisions.requests import Application, Request, encode, request_id
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError, InvalidInput, Unavailable

Connect = Callable[[], psycopg.Connection[Any]]

MOST_WAITING = 4096
MOST_TOGETHER = 256
MOST_APPLYING = 64  # of these applications: each holds a lock for every token, and the database has a bounded number
_COMPANY_S = 0.001  # how long a lane waits for more
_PATIENCE_S = 5.0  # how long a borrower may be busy elsewhere
_PAUSE_S = 0.001

_log = logging.getLogger(__name__)

# What says nothing about a request: try the same again, or tell everybody to come back.
_AGAIN = {"40001", "40P01", "55P03"}  # serialization, deadlock, lock not available
_TAKEN = "23505"  # a key that came through another process meanwhile
_OUTAGES = ("53", "57", "58", "08", "XX")


class QueueFull(Unavailable):
    """More requests wait than can be answered soon."""


@dataclass(slots=True, eq=False)
class Waiting:
    """A request that waits for its answer."""

    request: Request
    request_id: bytes
    body: bytes
    turn: int
    borrower: bytes
    answer: asyncio.Future[bytes]
    since: float | None = None  # when another process was first found to hold what it needs

    def case(self) -> Case:
        """It, at the beginning of a batch."""
        return Case(self.request, self.request_id, self.body, self.turn, self.borrower)


class Engine:
    """The hot path of one process: `start`, then `submit` from the same event loop, then `stop`."""

    def __init__(
        self, connect: Connect, deciders: Deciders | Arms, clock: Clock, lanes: int = 2,
        most_waiting: int | None = None,
        batched: Callable[[int, int], None] = lambda taken, waiting: None,
    ) -> None:  # fmt: skip
        """connect: a new connection to the database. lanes: transactions under way at once. batched: told of each batch
        how many it decides and how many are left waiting."""
        self._connect = connect
        self._arms = arms_of(deciders)
        self._clock = clock
        self._count = lanes
        self._most_waiting = most_waiting or MOST_WAITING
        self._batched = batched
        self._products: dict[str, Pricing] = {}
        self._waiting: deque[Waiting] = deque()
        self._under_way: set[bytes] = set()  # ids and borrowers of requests in a batch
        self._idle: list[tuple[int, asyncio.Future[None]]] = []  # lanes, and for how many each waits
        self._lanes: list[asyncio.Task[None]] = []
        self._stopping = False

    async def start(self) -> None:
        """Connect, keep what decides with the record. Raises Unavailable if the database cannot be reached."""
        self._loop = asyncio.get_running_loop()
        for deciders in self._arms.all:
            deciders.warm()
        wires = [self._open() for _ in range(self._count)]
        await _keep(wires[0], self._arms)
        self._lanes = [self._loop.create_task(self._lane(wire)) for wire in wires]

    @property
    def arms(self) -> Arms:
        """What decides on the next batch."""
        return self._arms

    async def adopt(self, arms: Arms) -> None:
        """Decide by others from the next batch on; those under way end as they began. They are warm, and kept with the
        record first. Raises Unavailable if the database cannot be reached."""
        wire = self._open()
        try:
            await _keep(wire, arms)
        finally:
            wire.close()
        self._arms = arms

    async def stop(self) -> None:
        """Answer whoever waits, take nobody else, and end."""
        self._stopping = True
        for _, idle in self._idle:
            _end(idle)
        await asyncio.gather(*self._lanes, return_exceptions=True)
        while self._waiting:
            self._refuse([self._waiting.popleft()], Unavailable("The service has ended.", "Try again."))

    @property
    def waiting(self) -> int:
        """How many requests wait."""
        return len(self._waiting)

    def submit(self, request: Request) -> asyncio.Future[bytes]:
        """Put a request in line; the future gives the reply as JSON, or raises what is wrong with it.

        Raises QueueFull, or Unavailable when the service ends.
        """
        if self._stopping:
            raise Unavailable("The service is ending.", "Try again in a moment.")
        if len(self._waiting) >= self._most_waiting:
            raise QueueFull(f"{self._most_waiting} requests wait already.", "Try again in a second.")
        answer: asyncio.Future[bytes] = self._loop.create_future()
        name, borrower = request_id(request.lender_id, request.key), request.borrower_id
        self._waiting.append(Waiting(request, name, encode(request), turn_of(borrower), borrower.encode(), answer))
        self._wake()
        return answer

    # ---- Lanes -----------------------------------------------------------------------------------------------------

    def _open(self) -> Wire:
        try:
            connection = self._connect()
            connection.autocommit = True
            for setting in sql.SETTINGS:
                connection.execute(setting)
            return Wire(connection, sql.STATEMENTS)
        except psycopg.Error as error:
            raise Unavailable("The database cannot be reached.", "Try again in a moment.") from error

    def _wake(self) -> None:
        """Let one lane go on that waits for no more than there are."""
        if not self._idle:
            return
        self._idle = [one for one in self._idle if not one[1].done()]  # who goes on already is not woken for another
        for place, (wanted, idle) in enumerate(self._idle):
            if wanted <= len(self._waiting):
                del self._idle[place]
                _end(idle)
                return

    async def _company(self, wanted: int) -> None:
        """Wait until there are so many, but not for long."""
        if len(self._waiting) >= wanted or self._stopping:
            return
        idle: asyncio.Future[None] = self._loop.create_future()
        self._idle.append((wanted, idle))
        timer = self._loop.call_later(_COMPANY_S, _end, idle)
        await idle
        timer.cancel()
        self._idle = [one for one in self._idle if one[1] is not idle]

    def _take(self) -> list[Waiting]:
        """The next batch: the longest waiting first, one of each borrower, none of a borrower who is under way."""
        taken: list[Waiting] = []
        left: list[Waiting] = []
        waiting, busy, applying = self._waiting, self._under_way, 0
        while waiting and len(taken) < MOST_TOGETHER:
            one = waiting.popleft()
            if one.answer.done():  # whoever asked is gone
                continue
            applies = isinstance(one.request, Application)
            if one.borrower in busy or one.request_id in busy or (applies and applying == MOST_APPLYING):
                left.append(one)
            else:
                applying += applies
                busy.add(one.borrower)
                busy.add(one.request_id)
                taken.append(one)
        waiting.extendleft(reversed(left))
        return taken

    async def _lane(self, wire: Wire) -> None:
        writer = uuid.uuid4().bytes
        batch: list[Waiting] = []
        while True:
            await self._company(len(batch) // 2)
            batch = self._take()
            if not batch:
                if self._stopping and not self._waiting:
                    wire.close()
                    self._wake()  # whoever waits for a borrower who was busy has nothing to wait for any more
                    return
                idle = self._loop.create_future()
                self._idle.append((0, idle))
                await idle
                continue
            self._batched(len(batch), len(self._waiting))
            try:
                await self._settle(wire, writer, batch)
            except Exception as error:
                self._refuse(batch, _in_words(error))
                wire.close()
                wire = await self._reopened()
                writer = uuid.uuid4().bytes
            finally:
                for one in batch:
                    self._under_way.discard(one.borrower)
                    self._under_way.discard(one.request_id)
            if self._waiting:
                self._wake()

    async def _reopened(self) -> Wire:
        """A new connection, as soon as there is one; whoever waits meanwhile is told to come back.

        Raises Unavailable where there is none and the end has come.
        """
        pause = 0.05
        while True:
            try:
                return self._open()
            except Unavailable as error:
                while self._waiting:
                    self._refuse([self._waiting.popleft()], error)
                if self._stopping:
                    raise
                await asyncio.sleep(pause)
                pause = min(2.0, 2 * pause)

    async def _settle(self, wire: Wire, writer: bytes, batch: Sequence[Waiting], again: bool = False) -> None:
        """Decide a batch; what makes it fail is found by halves, and fails alone. Raises Unavailable."""
        cases = [one.case() for one in batch]
        try:
            busy = await Batch(wire, writer, self._arms, self._products, self._clock(), cases).run()
        except Unavailable:
            raise
        except Exception as error:
            await wire.run([(sql.ROLLBACK, ())])
            await self._after(wire, writer, batch, error, again)
            return
        put_back = {case.request_id for case in busy}
        for one, case in zip(batch, cases, strict=True):
            if case.request_id in put_back:
                self._wait_on(one)
            elif not one.answer.done():
                if case.error is not None:
                    one.answer.set_exception(case.error)
                else:
                    assert case.reply is not None  # noqa: S101 - a batch answers all but those it gives back
                    one.answer.set_result(case.reply)
        if len(busy) == len(batch):
            await asyncio.sleep(_PAUSE_S)

    def _wait_on(self, one: Waiting) -> None:
        """Another process decides on the borrower, or on what they name: the request waits for the next batch, but not
        for ever."""
        one.since = one.since or self._loop.time()
        if self._loop.time() - one.since > _PATIENCE_S:
            who = f"The borrower {one.request.borrower_id}"
            named = ", or somebody who names the same," if isinstance(one.request, Application) else ""
            busy = Unavailable(f"{who}{named} is busy elsewhere.", "Try again in a moment.")
            self._refuse([one], busy)
        else:
            self._waiting.append(one)

    async def _after(self, wire: Wire, writer: bytes, batch: Sequence[Waiting], error: Exception, again: bool) -> None:
        code = error.code if isinstance(error, StatementFailed) else ""
        if code.startswith(_OUTAGES):
            raise Unavailable(f"The database failed: {error}.", "Try again in a moment.") from error
        if len(batch) > 1 and code not in _AGAIN:
            half = len(batch) // 2
            await self._settle(wire, writer, batch[:half])
            await self._settle(wire, writer, batch[half:])
        elif code in _AGAIN or (code == _TAKEN and not again):
            await asyncio.sleep(_PAUSE_S)
            await self._settle(wire, writer, batch, again=True)
        else:
            self._refuse(batch, _in_words(error))

    def _refuse(self, batch: Sequence[Waiting], error: Exception) -> None:
        for one in batch:
            if not one.answer.done():
                with suppress(asyncio.InvalidStateError):
                    one.answer.set_exception(error)


def _end(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _keep(wire: Wire, arms: Arms) -> None:
    """Keep all that decides with the record."""
    parts = {name: (name, kind, content) for one in arms.all for name, kind, content in one.artefacts()}
    columns = (texts(TEXT, [part.encode() for part in some]) for some in zip(*parts.values(), strict=True))
    await wire.run([(sql.KEEP, tuple(columns))])


def _in_words(error: Exception) -> Exception:
    """The answer to what went wrong; a fault of our own stays one."""
    if isinstance(error, EvenkeelError):
        return error
    if isinstance(error, StatementFailed):
        return InvalidInput(f"The database cannot hold the request: {error}.")
    # Where and of what kind, never what was in it: a message may hold values of a request.
    _log.error("a request could not be decided: %s\n%s", type(error).__name__, "".join(format_tb(error.__traceback__)))
    return error
