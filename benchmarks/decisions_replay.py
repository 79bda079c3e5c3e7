"""A long record made by the hot path, then every decision of it again: the same bytes, and how fast.

    python benchmarks/decisions_replay.py [--shared FOLDER] [--borrowers N] [--lanes N] [--keep FOLDER]
                                          [--parts make,replay,batch] [--share X]

Events of the Berka data (where --shared names the folder that holds data/) and of a generated book arrive in disorder:
a fifth up to 60 days late, one in twenty twice, one in thirty undone later. Purchases and applications are decided, on
lines that are opened, paid and released meanwhile; all else is booked. Then `replay` decides all of it again from the
journal, and Ibis works out the features of a share of the borrowers. CPU seconds are of this process; the database's
stand beside.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import sqlalchemy as sa

from decisions import _TUNED, cpu_s
from decisions_server import LENDER
from decisions_server import deciders as of_the_server
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.service import post
from evenkeel.accounts.store import at_midnight, one_at_a_time
from evenkeel.behaviour.batch import event_values
from evenkeel.behaviour.definitions import Entity, read_definitions
from evenkeel.behaviour.events import SCHEMA, event_table
from evenkeel.behaviour.online import SLACK
from evenkeel.behaviour.windows import DAY
from evenkeel.book.adapters import berka
from evenkeel.book.generator.generate import generate
from evenkeel.book.generator.spec import GeneratorSpec
from evenkeel.decisions import record
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.engine.engine import Engine
from evenkeel.decisions.engine.happenings import event_of
from evenkeel.decisions.histories import histories
from evenkeel.decisions.identity import store
from evenkeel.decisions.identity.service import put_on_watch_list
from evenkeel.decisions.identity.verification import CheckKind, CheckRequest, CheckResult, Verification
from evenkeel.decisions.identity.watch import WatchEntry, WatchKind, WatchReason
from evenkeel.decisions.replay import Summary, replay, summed
from evenkeel.decisions.requests import Application, Event, Purchase, Request
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.kernel.ids import content_id
from evenkeel.storage import chain, homes
from evenkeel.storage.database import transaction
from evenkeel.storage.embedded import servers_of
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import Workspace, open_workspace

EVERYTHING = 1 << 60
_WINDOW = 4_000
_WINDOW_DAYS = 4  # a state can be asked about the last seven
_TOLD = 50  # windows from one word of progress to the next
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_REPORT_DAYS = 20
_NUMBER = "110105199003078887"  # valid in form
_PRODUCTS = ("pay_later", "card", "flexible")


class Ticking:
    """A clock that stands where it is put, and never shows one instant twice."""

    def __init__(self) -> None:
        self.now_us = 0

    def __call__(self) -> datetime:
        self.now_us += 1
        return at(self.now_us)


def at(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


@dataclass(slots=True)
class Made:
    """What a run came to. undone: facts that reverse another. refused: requests that were answered with an error."""

    events: int = 0
    decisions: int = 0
    twice: int = 0
    late: int = 0
    undone: int = 0
    posted: int = 0
    refused: int = 0


def of_berka(shared: Path) -> pa.Table:
    return event_table(berka.adapt(shared / "data", 0.0).tables)


def of_generated(borrowers: int) -> pa.Table:
    return event_table(generate(GeneratorSpec(borrowers, 12, 5, purchases=True)).book_tables)


@dataclass(frozen=True, slots=True)
class _Arrival:
    """What comes in at an instant. undo: what is undone is of an earlier arrival of the same place."""

    at_us: int
    place: int
    undo: bool = False
    again: bool = False


class Stream:
    """Events in the order in which they come in, as requests, postings and facts."""

    def __init__(self, events: pa.Table, seed: int) -> None:
        rng = np.random.default_rng(seed)
        count = events.num_rows
        self._columns = {
            name: events[name].to_pylist()
            for name in ("event_id", "kind", "borrower_id", "effective_us", "amount_minor", "payload")
        }
        effective = events["effective_us"].to_numpy()
        booked = np.maximum(events["booked_us"].to_numpy(), effective)
        self.late = rng.random(count) < 0.2
        arrives = booked + rng.integers(0, 60 * DAY, count) * self.late
        later = arrives + rng.integers(1, 30 * DAY, count)
        some = rng.permutation(count)
        twice, undone = some[: count // 20], some[count // 20 : count // 20 + count // 30]
        self.comes_back = frozenset(np.concatenate([twice, undone]).tolist())
        places = np.concatenate([np.arange(count), twice, undone])
        instants = np.concatenate([arrives, later[twice], later[undone]])
        kinds = np.repeat([0, 1, 2], [count, len(twice), len(undone)])
        order = np.lexsort((places, kinds, instants))
        self._places, self._instants, self._kinds = places[order], instants[order], kinds[order]
        self._unsure = rng.random(count)
        self.count = count

    def windows(self) -> Iterator[list[_Arrival]]:
        """What comes in within some days, at most _WINDOW at a time."""
        days = self._instants // (_WINDOW_DAYS * DAY)
        start = 0
        while start < len(days):
            end = min(start + _WINDOW, int(np.searchsorted(days, days[start], side="right")))
            part = slice(start, end)
            yield [
                _Arrival(instant, place, undo=kind == 2, again=kind == 1)
                for instant, place, kind in zip(
                    self._instants[part].tolist(), self._places[part].tolist(), self._kinds[part].tolist(), strict=True
                )
            ]
            start = end

    def borrower(self, place: int) -> str:
        return self._columns["borrower_id"][place]

    def account(self, place: int) -> str:
        return f"line-{self.borrower(place)}"

    def unsure(self, place: int) -> float:
        return float(self._unsure[place])

    def is_payment(self, place: int) -> bool:
        """Whether it is booked as a payment of the line, for a third of the borrowers."""
        return self._columns["kind"][place] == "repayment" and hash_of(self.borrower(place)) % 3 == 0

    def is_decided(self, place: int) -> bool:
        """Whether it asks for a decision: applications, and of the purchases a third, the others being elsewhere."""
        kind = self.kind(place)
        return kind in ("application", "account_opened") or (kind == "purchase" and bool(self._unsure[place] < 1 / 3))

    def lender(self, place: int) -> str:
        """Events come from the lender of the line; applications go to others too."""
        return "other-1" if self.kind(place) == "application" and self._unsure[place] >= 0.7 else LENDER

    def kind(self, place: int) -> str:
        return self._columns["kind"][place]

    def effective_us(self, place: int) -> int:
        return self._columns["effective_us"][place]

    def amount(self, place: int) -> int:
        return max(1, abs(self._columns["amount_minor"][place] or 0))

    def key(self, place: int) -> str:
        return f"{self._columns['event_id'][place]}"

    def request(self, place: int) -> Request:
        said = {
            "lender_id": self.lender(place), "key": self.key(place), "borrower_id": self.borrower(place),
            "effective_at": at(self.effective_us(place)),
        }  # fmt: skip
        kind = self.kind(place)
        if self.is_decided(place) and kind == "purchase":
            device = "device-of-another" if self._unsure[place] > 0.32 else token("device", self.borrower(place))
            return Purchase(
                **said, account_id=self.account(place), amount_minor=self.amount(place), device_token=device
            )  # fmt: skip
        if self.is_decided(place):
            asked = min(self.amount(place), 2_000_000)
            told = {f"{name}_token": token(name, self.borrower(place)) for name in ("device", "phone", "address")}
            income = (3 + hash_of(self.borrower(place)) % 20) * 100_000
            return Application(
                **said, product="pay_later", requested_minor=asked, income_declared_minor=income, **told
            )  # fmt: skip
        payload = json.loads(self._columns["payload"][place] or "{}")
        kept = {name: value for name, value in payload.items() if isinstance(value, str | bool)}
        return Event(**said, kind=kind, amount_minor=self.amount(place), payload=kept)


@cache
def hash_of(text: str) -> int:
    return int(content_id("sample", text)[-8:], 16)


def token(kind: str, borrower: str) -> str:
    return f"{kind}-of-{borrower}"


class Making:
    """The lender while the stream comes in."""

    def __init__(self, workspace: Workspace, url: str, clock: Ticking, deciders: Deciders, lanes: int) -> None:
        self._workspace = workspace
        self._clock = clock
        self._engine = lambda: Engine(lambda: psycopg.connect(url), deciders, clock, lanes, most_waiting=2 * _WINDOW)
        self._opened: set[str] = set()
        self._reported: dict[str, int] = {}  # on which day, of a bureau
        self._replies: dict[int, bytes] = {}
        self.made = Made()

    async def run(self, stream: Stream) -> None:
        engine, self._replies = self._engine(), {}
        await engine.start()
        try:
            for number, window in enumerate(stream.windows()):
                if number % _TOLD == _TOLD - 1:
                    print(f"{at(window[0].at_us):%Y-%m-%d} {self.made}", flush=True)
                self._clock.now_us = max(self._clock.now_us, window[-1].at_us)
                await asyncio.to_thread(self._open, stream, window)
                await asyncio.to_thread(self._report, stream, window)
                # What comes twice comes after the first time, and undoing after both.
                for again in (False, True):
                    await self._ask(engine, stream, [one for one in window if one.again is again and not one.undo])
                await asyncio.to_thread(self._book, stream, window)
        finally:
            await engine.stop()
        self.made.events += stream.count

    def _open(self, stream: Stream, window: Sequence[_Arrival]) -> None:
        new: dict[str, int] = {}
        for one in window:
            new.setdefault(stream.borrower(one.place), one.place)
        new = {name: place for name, place in new.items() if name not in self._opened}
        if not new:
            return
        self._opened |= new.keys()
        on = at(min(stream.effective_us(one.place) for one in window) - DAY).date()
        post(self._workspace, [
            {"account_id": stream.account(place), "fact_id": "opened", "kind": "opened", "borrower_id": name,
             "effective_on": on.isoformat(), "product": _PRODUCTS[hash_of(name) % 3], "lender_id": LENDER,
             "limit_minor": (1 + hash_of(name) % 30) * 100_000}
            for name, place in new.items()
        ], shipped)  # fmt: skip
        known = [name for name in new if hash_of(name) % 4]
        now = self._clock()
        with transaction(self._workspace.engine) as connection:
            for name in known:
                who = content_id("subject", name)
                asked = CheckRequest(
                    CheckKind.NAME_ID, content_id("order", name), name, who, {"name": name, "id_number": _NUMBER},
                    person_token=token("person", name),
                )  # fmt: skip
                store.put_question(connection, asked, "simulator", now)
                answer = Verification(CheckKind.NAME_ID, CheckResult.MATCH, now, "simulator", 10, "00")
                store.put_answer(connection, asked.order_id, answer)
        listed = [
            WatchEntry(WatchKind.PHONE, token("phone", name), WatchReason.FRAUD, "sample", on)
            for name in new
            if hash_of(name) % 25 == 1
        ]
        put_on_watch_list(self._workspace.journal, "sample", listed)
        devices = [
            Fact(f"device-{name}", "event.device_changed", at_midnight(on),
                 {"lender_id": LENDER, "fields": {"device": token("device", name)}}, name)
            for name in new
        ]  # fmt: skip
        self._append(devices)

    def _report(self, stream: Stream, window: Sequence[_Arrival]) -> None:
        """What a bureau tells, every few weeks, of whoever has something come in; it is dated before that."""
        today = at(self._clock.now_us).date()
        due: dict[str, int] = {}
        for one in window:
            name, happened = stream.borrower(one.place), stream.effective_us(one.place)
            if today.toordinal() - self._reported.get(name, 0) > _REPORT_DAYS:
                due[name] = min(due.get(name, happened), happened)
        self._reported |= dict.fromkeys(due, today.toordinal())
        self._append([
            Fact(f"report-{name}-{today}", "event.bureau_report", at(happened - 1),
                 {"lender_id": LENDER, "fields": {"as_of": today.isoformat(), "lines": 0}}, name)
            for name, happened in due.items()
        ])  # fmt: skip

    def _append(self, facts: Sequence[Fact]) -> None:
        with transaction(self._workspace.engine) as connection:
            one_at_a_time(connection, {str(fact.borrower_id) for fact in facts})
            self._workspace.journal.append_in(connection, facts)

    async def _ask(self, engine: Engine, stream: Stream, window: Sequence[_Arrival]) -> None:
        asked = [one for one in window if not stream.is_payment(one.place)]
        replies = await asyncio.gather(
            *(engine.submit(stream.request(one.place)) for one in asked), return_exceptions=True
        )
        for one, reply in zip(asked, replies, strict=True):
            if isinstance(reply, EvenkeelError):
                self.made.refused += 1
            elif isinstance(reply, BaseException):
                raise reply
            elif one.again:
                assert self._replies.pop(one.place) == reply, "the same request had two answers"
                self.made.twice += 1
            else:
                self.made.decisions += stream.is_decided(one.place)
                self.made.late += bool(stream.late[one.place])
                if one.place in stream.comes_back:
                    self._replies[one.place] = reply

    def _book(self, stream: Stream, window: Sequence[_Arrival]) -> None:
        """Payments, and what undoes something: a release of a hold, a reversal of a payment or of an event."""
        records: list[dict[str, object]] = []
        facts: list[Fact] = []
        today = at(self._clock.now_us).date()
        for one in window:
            place, account = one.place, stream.account(one.place)
            on = at(stream.effective_us(place)).date().isoformat()
            if stream.is_payment(place):
                if not one.undo and not one.again:
                    records.append({"account_id": account, "fact_id": stream.key(place), "kind": "payment",
                                    "effective_on": on, "amount_minor": stream.amount(place)})  # fmt: skip
                elif one.undo:
                    records.append({"account_id": account, "fact_id": f"undo-{stream.key(place)}", "kind": "reversal",
                                    "effective_on": today.isoformat(), "reversal_of": stream.key(place)})  # fmt: skip
                continue
            reply = self._replies.pop(place, None) if one.undo else None
            if reply is None:
                continue
            said = json.loads(reply)
            if "decision_id" in said:
                if said.get("hold_id"):
                    records.append({"account_id": account, "fact_id": f"undo-{stream.key(place)}",
                                    "kind": "hold_released", "effective_on": today.isoformat(),
                                    "hold_id": said["hold_id"]})  # fmt: skip
            elif "event_id" in said:
                facts.append(Fact(
                    f"undo-{said['event_id']}", f"event.{stream.kind(place)}", at(stream.effective_us(place)), {},
                    stream.borrower(place), reversal_of=said["event_id"],
                ))  # fmt: skip
        self._post(records)
        if facts:
            self._append(facts)
            self.made.undone += len(facts)

    def _post(self, records: list[dict[str, object]]) -> None:
        """Together where that is admitted, else one by one."""
        try:
            if records:
                post(self._workspace, records, shipped)
            self.made.posted += len(records)
        except EvenkeelError:
            if len(records) == 1:
                self.made.refused += 1
                return
            half = len(records) // 2
            self._post(records[:half])
            self._post(records[half:])


def make(workspace: Workspace, url: str, clock: Ticking, tables: Sequence[pa.Table], lanes: int) -> Made:
    """Let the tables' events come in, one table after the other."""
    making = Making(workspace, url, clock, of_the_server(), lanes)
    for seed, events in enumerate(tables):
        asyncio.run(making.run(Stream(events, seed)))
    return making.made


def by_batch(workspace: Workspace, share: float) -> tuple[int, int, int]:
    """Features of a share of the borrowers as Ibis has them against those that were decided on, to the bit.

    Returns how many decisions agree, how many do not, and how many were about an instant too long ago for a state.
    """
    deciders = of_the_server()
    definitions = read_definitions(deciders.features_text)
    agree = differ = before = 0
    for some in histories(workspace, 1, EVERYTHING):
        chosen = [one for one in some if hash_of(one.decisions[0].borrower_id) % 1000 < 1000 * share]
        if not chosen:
            continue
        rows, wanted, used = [], [], []
        for history in chosen:
            borrower = history.decisions[0].borrower_id
            counted = [event for event in map(event_of, history.facts) if event is not None]
            rows += [
                {"event_id": one.event_id, "kind": one.kind or "refund", "borrower_id": borrower,
                 "effective_us": one.effective_us, "booked_us": one.booked_us, "amount_minor": one.amount_minor,
                 "reversal_of": one.reversal_of, "payload": json.dumps(dict(one.fields)), "lender_id": one.lender_id}
                for one in counted
            ]  # fmt: skip
            booked = np.sort([event.booked_us for event in counted])
            for row in history.decisions:
                given = json.loads(row.request).get("effective_at")
                instant = (datetime.fromisoformat(given) - _EPOCH) // timedelta(microseconds=1)
                known = np.searchsorted(booked, row.decided_us)
                if known and instant < booked[known - 1] - SLACK:
                    before += 1
                    continue
                wanted.append((borrower, instant, row.decided_us - 1))
                used.append(record.unpack_used(row.used)[0][0])
        if not wanted:
            continue
        asked = pa.table([pa.array(column) for column in zip(*wanted, strict=True)], ["entity", "at", "known_at"])
        told = event_values(pa.Table.from_pylist(rows, SCHEMA), asked, definitions, Entity.BORROWER, 1, [LENDER])
        values = np.column_stack([told[name].to_numpy().astype(float) for name in deciders.features.names])
        same = ((values == np.array(used)) | (np.isnan(values) & np.isnan(np.array(used)))).all(axis=1)
        agree += int(same.sum())
        differ += int((~same).sum())
    return agree, differ, before


def again(workspace: Workspace) -> Summary:
    """Every decision on record, again."""
    return summed(replay(workspace, 1, EVERYTHING))


@contextmanager
def measured(what: str, data: Path) -> Iterator[dict[str, float]]:
    """CPU seconds of this process and of the database for a part."""
    kept = {"count": 0.0}
    own, database, wall = time.process_time(), cpu_s(servers_of(data)), time.perf_counter()
    yield kept
    own, database = time.process_time() - own, cpu_s(servers_of(data)) - database
    rate = f", {kept['count'] / own:,.0f} a CPU second" if kept["count"] else ""
    print(
        f"{what}: {own:.1f} CPU s, database {database:.1f}, wall {time.perf_counter() - wall:.0f} s{rate}", flush=True
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, help="the folder that holds data/ with the Berka files")
    parser.add_argument("--borrowers", type=int, default=9_000)
    parser.add_argument("--lanes", type=int, default=3)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--parts", default="make,replay,batch")
    parser.add_argument("--share", type=float, default=0.1, help="of the borrowers whose features Ibis works out")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="evenkeel-replay-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    clock, parts = Ticking(), arguments.parts.split(",")
    with open_workspace(folder / "workspace", database_url=None, clock=clock) as workspace:
        if "make" in parts:
            with workspace.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as alone:
                for name, value in _TUNED.items():
                    alone.execute(sa.text(f"ALTER SYSTEM SET {name} = '{value}'"))
    with open_workspace(folder / "workspace", database_url=None, clock=clock) as workspace:
        data = homes.home_of(workspace.path) / "data"
        url = f"postgresql://evenkeel:{(data.parent / 'password').read_text()}@/postgres?host={data}"
        if "make" in parts:
            tables = [of_berka(arguments.shared)] if arguments.shared else []
            with measured("made", data) as kept:
                made = make(workspace, url, clock, [*tables, of_generated(arguments.borrowers)], arguments.lanes)
                kept["count"] = made.events
            print(made)
            assert chain.verify(workspace.engine).faults == {} and record.coverage(workspace.engine).uncovered == 0
        if "replay" in parts:
            with measured("replayed", data) as kept:
                found = again(workspace)
                kept["count"] = found.replayed
            print(f"{found.replayed:,} replayed, {found.identical:,} identical; {found.causes}")
            print("outcomes", _outcomes(workspace))
        if "batch" in parts:
            with measured("batch", data):
                agree, differ, before = by_batch(workspace, arguments.share)
            print(f"features by Ibis: {agree:,} decisions agree to the bit, {differ:,} do not, {before:,} too long ago")
    if arguments.keep is None:
        shutil.rmtree(folder)


def _outcomes(workspace: Workspace) -> list[tuple[str, int]]:
    with transaction(workspace.engine) as connection:
        query = sa.text("SELECT kind || ' ' || outcome, count(*) FROM decision GROUP BY 1 ORDER BY 1")
        return [(row[0], row[1]) for row in connection.execute(query)]


if __name__ == "__main__":
    main()
