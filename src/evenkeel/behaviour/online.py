"""The state of one entity as bytes: events are added, values are told at an instant, for many entities at once.

    borrowers = online(shipped(), Entity.BORROWER, own_lenders={"lender-1"})
    state = borrowers.add(borrowers.empty(), events)
    values = borrowers.values([state], [micros(now)])  # (1, len(borrowers.names)) float64, NaN where not known

The order in which events arrive does not matter, an event that comes twice counts once, a reversal takes out what it
reverses, also where it comes first. Nothing here reads a clock or a database: whoever keeps the bytes hands them in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate, chain
from types import MappingProxyType
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evenkeel.behaviour import kernel as k
from evenkeel.behaviour.compiled import kernel
from evenkeel.behaviour.definitions import (
    KINDS,
    MOST_KINDS,
    Aggregate,
    Condition,
    Definitions,
    Entity,
    FieldIs,
    Hours,
    Measure,
)
from evenkeel.behaviour.windows import DAY, EARLIEST, HOUR, LATEST, Window, Zone
from evenkeel.book.contract import AMOUNT_LIMIT, ID_LENGTH_LIMIT
from evenkeel.kernel.errors import Conflict, InvalidInput

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

# A value may be asked for up to so long before the latest booking; before that it is told by the batch alone.
SLACK = 7 * DAY
# Events of one entity that a state holds; beyond, the oldest go and values that would need them are not known.
MOST_EVENTS = 10_000

_CODES = {kind: code for code, kind in enumerate(KINDS)}


class Event(NamedTuple):
    """Something that happened, as the contract's table `events` has it.

    effective_us, booked_us: when it happened and when we knew it, microseconds since 1970 (`windows.micros`). fields:
    its payload. reversal_of: the event_id that it takes out; it then counts as nothing itself.
    """

    event_id: str
    kind: str
    effective_us: int
    booked_us: int
    amount_minor: int | None = None
    fields: Mapping[str, object] = {}  # nobody changes it
    lender_id: str | None = None
    reversal_of: str | None = None


def field_text(value: object) -> str | None:
    """A payload's value as definitions compare it: texts, whole numbers and true or false; all else is not known."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value or None
    return str(value) if isinstance(value, int) else None


def _mark(text: str) -> int:
    """48 bits that stand for a text: among 10,000 events of an entity two are alike once in five million."""
    return int.from_bytes(blake2b(text.encode(), digest_size=6).digest(), "little")


@dataclass(frozen=True)
class Online:
    """The definitions of one entity, ready to run. `names` are the columns of `values`."""

    names: tuple[str, ...]
    zone: Zone
    own_lenders: frozenset[str]
    conditions: Mapping[str, tuple[tuple[int, Condition], ...]]  # kind -> bits and what they say of its events
    told_apart: Mapping[str, str]  # kind -> the field whose values a `distinct` counts
    kept: frozenset[str]  # kinds that some value sees
    reach: IntArray  # by kind's code: how far back a value looks
    windows: IntArray  # (windows, 2): count, unit
    measures: IntArray
    uses: IntArray
    uses_from: IntArray
    derived: IntArray
    columns: IntArray  # of measures and derived values, those that are given out

    @cached_property
    def layout(self) -> int:
        """What a state's bytes mean; a change of definitions that needs nothing else kept leaves it as it is."""
        said = (
            "1", sorted((kind, _CODES[kind]) for kind in self.kept), sorted(self.conditions.items()),
            sorted(self.told_apart.items()), self.zone.name, sorted(self.own_lenders), self.reach.tolist(),
        )  # fmt: skip
        return int.from_bytes(hashlib.sha256(repr(said).encode()).digest()[:4], "little")

    def empty(self) -> bytes:
        """The state of an entity of which nothing is on record."""
        return b""

    def current(self, state: bytes) -> bool:
        """Whether the state was made under this layout; if not, it is made anew from the journal's events."""
        return not state or int.from_bytes(state[:4], "little") == self.layout

    def add(self, state: bytes, events: Sequence[Event]) -> bytes:
        """The state after some events of its entity. Raises as `add_many`."""
        return self.add_many([state], [events])[0]

    def add_many(self, states: Sequence[bytes], events: Sequence[Sequence[Event]]) -> list[bytes]:
        """Each state after its own events. Raises InvalidInput naming a wrong field, Conflict on another layout."""
        rows: list[tuple[int, ...]] = []
        until = [0]
        for some in events:
            rows += filter(None, map(self._row, some))
            until.append(len(rows))
        return self._added(states, _matrix(rows), np.array(until, np.int64))

    def rows(self, events: Sequence[Event]) -> tuple[IntArray, IntArray]:
        """Events as `add_rows` takes them, to be added to more than one state, and the place of each among those given:
        events that no value sees are left out. Raises InvalidInput naming a wrong field."""
        seen = [(place, row) for place, row in enumerate(map(self._row, events)) if row is not None]
        return _matrix([row for _, row in seen]), np.array([place for place, _ in seen], np.int64)

    def add_rows(self, states: Sequence[bytes], rows: Sequence[IntArray]) -> list[bytes]:
        """Each state after its own rows, of which the last column, BOOKED, may have been changed. Raises Conflict on
        another layout."""
        until = np.zeros(len(rows) + 1, np.int64)
        np.cumsum([len(some) for some in rows], out=until[1:])
        return self._added(states, np.concatenate([_matrix([]), *rows]), until)

    def _added(self, states: Sequence[bytes], rows: IntArray, new_from: IntArray) -> list[bytes]:
        compiled = kernel()
        new, booked = np.ascontiguousarray(rows[:, :BOOKED]), rows[:, BOOKED].copy()
        blob, starts = _joined(states)
        sizes = np.diff(starts)
        most_new = int(np.diff(new_from).max(initial=0))
        room = np.empty((int(sizes.max(initial=0)) // _LEAST_ROW_BYTES + most_new + 1, k.WIDTH), np.int64)
        # A row gets at most ten bytes longer where one is put before it.
        out = np.empty(len(blob) + (len(states) + len(new)) * (k.MOST_ROW_BYTES + k.HEAD), np.uint8)
        ends = np.empty(len(states), np.int64)
        wrong = compiled.add_each(
            blob, starts, new, new_from, booked, self.layout, self.reach, SLACK, MOST_EVENTS, room, out, ends,
        )  # fmt: skip
        if wrong >= 0:
            raise Conflict(
                f"State {wrong} was made under other definitions.", "Make it anew from the journal's events."
            )
        bounds = [0, *ends.tolist()]
        whole = out[: bounds[-1]].tobytes()
        return [whole[bounds[i] : bounds[i + 1]] for i in range(len(states))]

    def values(self, states: Sequence[bytes], at: Sequence[int] | IntArray) -> FloatArray:
        """(n, len(names)) float64: the values of each state at its instant; NaN is not known.

        All of a state's values are NaN where it is of another layout (`current`), or where the instant lies more than
        SLACK before the latest booking, since older events may be gone by then.
        """
        compiled = kernel()
        blob, starts = _joined(states)
        size = 1 << max(3, int(np.diff(starts).max(initial=0) // _LEAST_ROW_BYTES * 2).bit_length())
        tables = self._tables
        out = np.empty((len(states), len(self.measures) + len(self.derived)))
        compiled.values_each(
            blob, starts, np.asarray(at, np.int64), self.layout, SLACK, self.uses, self.uses_from, self.measures,
            self.windows, self.derived, *self._zone, np.empty((3, len(self.measures)), np.int64),
            np.empty(len(self.windows), np.int64), np.empty((tables, size), np.int64),
            np.zeros((tables, size), np.int64), out,
        )  # fmt: skip
        return out.take(self.columns, axis=1)

    @cached_property
    def _tables(self) -> int:
        return int(self.uses[:, k.U_TABLE].max(initial=0)) + 1

    @cached_property
    def _zone(self) -> tuple[IntArray, IntArray, IntArray]:
        return zone_arrays(self.zone)

    @cached_property
    def _seen(self) -> dict[str, tuple[int, tuple[tuple[int, Condition], ...], str | None]]:
        """Of each kind that some value sees: its code, its conditions, and the field whose values are counted."""
        return {kind: (_CODES[kind], self.conditions[kind], self.told_apart.get(kind)) for kind in self.kept}

    def _row(self, event: Event) -> tuple[int, ...] | None:
        """The event as the kernel keeps it, with when it was booked, or None where no value sees it."""
        if not _is_sound(event):
            raise _fault(event)
        event_id, kind, effective, booked, amount, fields, _, reverses = event
        if reverses is not None:
            return effective, _mark(event_id), k.REVERSAL, 0, k.UNKNOWN, _mark(reverses), 0, booked
        seen = self._seen.get(kind)
        if seen is None:
            return None
        code, conditions, told = seen
        met = 0
        for bit, condition in conditions:
            met |= self._meets(event, condition) << bit
        subject = field_text(fields.get(told)) if told else None
        return (
            effective, _mark(event_id), code, met, k.UNKNOWN if amount is None else amount,
            k.UNKNOWN if subject is None else _mark(subject), 0, booked,
        )  # fmt: skip

    def _meets(self, event: Event, condition: Condition) -> bool:
        if isinstance(condition, FieldIs):
            return field_text(event.fields.get(condition.field)) == condition.value
        if isinstance(condition, Hours):
            return self.zone.hour(event.effective_us) in condition
        return event.lender_id is not None and (event.lender_id in self.own_lenders) == condition.own


_LEAST_ROW_BYTES = 9
BOOKED = k.WIDTH  # the column of `rows` after those that are kept: when it was booked


def _matrix(rows: Sequence[tuple[int, ...]]) -> IntArray:
    width = BOOKED + 1
    return np.fromiter(chain.from_iterable(rows), np.int64, len(rows) * width).reshape(len(rows), width)


def _joined(states: Sequence[bytes]) -> tuple[npt.NDArray[np.uint8], IntArray]:
    """The states one after the other, and where each begins."""
    starts = np.fromiter(accumulate(map(len, states), initial=0), np.int64, len(states) + 1)
    return np.frombuffer(b"".join(states), np.uint8), starts


def zone_arrays(zone: Zone) -> tuple[IntArray, IntArray, IntArray]:
    """A zone as the kernel takes it."""
    return (
        np.array(zone.switches, np.int64), np.array(zone.local_switches, np.int64), np.array(zone.offsets, np.int64)
    )  # fmt: skip


def _is_sound(event: Event) -> bool:
    event_id, kind, effective, booked, amount, _, _, reverses = event
    return (
        type(effective) is int and EARLIEST < effective < LATEST
        and type(booked) is int and EARLIEST < booked < LATEST
        and type(event_id) is str and 0 < len(event_id) <= ID_LENGTH_LIMIT
        and (amount is None or (type(amount) is int and -AMOUNT_LIMIT <= amount <= AMOUNT_LIMIT))
        and (reverses is None or (type(reverses) is str and 0 < len(reverses) <= ID_LENGTH_LIMIT))
        and (kind in _CODES or reverses is not None)
    )  # fmt: skip


def _fault(event: Event) -> InvalidInput:
    """What is wrong with an event that is not sound: its first field at fault and what is allowed."""
    ids = f"1 to {ID_LENGTH_LIMIT} characters"
    instants = "whole microseconds since 1970, from 1900 to 2200"
    amounts = f"a whole number of minor units from {-AMOUNT_LIMIT} to {AMOUNT_LIMIT}, or None"
    allowed = {"event_id": ids, "reversal_of": ids, "kind": f"one of {', '.join(KINDS)}", "effective_us": instants,
               "booked_us": instants, "amount_minor": amounts}  # fmt: skip
    usual = Event("id", KINDS[0], 0, 0)
    name = next(name for name in allowed if not _is_sound(usual._replace(**{name: getattr(event, name)})))
    value = getattr(event, name)
    return InvalidInput(f"Event {event.event_id!r:.80}: `{name}` is {value!r:.80}.", f"Allowed: {allowed[name]}.")


# ---- Definitions made ready ----------------------------------------------------------------------------------------

_AGGREGATES = {
    Aggregate.COUNT: k.COUNT, Aggregate.SUM: k.SUM, Aggregate.MAX: k.MAX, Aggregate.MIN: k.MIN, Aggregate.MEAN: k.MEAN,
    Aggregate.LAST: k.LAST, Aggregate.DISTINCT: k.DISTINCT, Aggregate.TIME_SINCE: k.TIME_SINCE,
    Aggregate.TREND: k.TREND, Aggregate.STREAK: k.STREAK,
}  # fmt: skip


def online(definitions: Definitions, entity: Entity, own_lenders: Collection[str] = ()) -> Online:
    """The features of an entity, ready to run. own_lenders: whose view this is, for conditions on the lender."""
    assert len(KINDS) <= MOST_KINDS  # noqa: S101
    entries = [entry for entry in definitions.entries if entry.entity is entity]
    measures = list(dict.fromkeys(entry.measure for entry in entries if entry.measure))
    derived = [entry for entry in entries if entry.operation]
    slots = {entry.name: measures.index(entry.measure) for entry in entries if entry.measure}
    slots |= {entry.name: len(measures) + place for place, entry in enumerate(derived)}
    conditions = sorted({condition for measure in measures for condition in measure.conditions}, key=repr)
    spans = list(dict.fromkeys(span for measure in measures for span in (measure.window, _middle(measure))))
    spans.sort(key=lambda span: -span.longest)
    rows = _use_rows(measures, spans, conditions)
    uses = [
        sorted(([*rows[place], breaks] for place, measure in enumerate(measures)
                for breaks, kinds in ((0, measure.kinds), (1, measure.broken_by)) if kind in kinds),
               key=lambda use: (use[k.U_WINDOW], use[k.U_AGGREGATE]))
        for kind in (*KINDS, *[""] * (64 - len(KINDS)))
    ]  # fmt: skip
    reach = np.array(
        [max([0, *(measures[use[k.U_MEASURE]].window.longest for use in some)]) for some in uses], np.int64
    )
    reach[k.REVERSAL] = reach.max()
    return Online(
        names=tuple(entry.name for entry in entries if entry.concept),
        zone=definitions.zone,
        own_lenders=frozenset(own_lenders),
        conditions=MappingProxyType(
            {kind: tuple((bit, condition) for bit, condition in enumerate(conditions)
                         if any(kind in m.kinds and condition in m.conditions for m in measures)) for kind in KINDS}
        ),
        told_apart=MappingProxyType({kind: m.of for m in measures if m.of for kind in m.kinds}),
        kept=frozenset(kind for kind, some in zip(KINDS, uses, strict=False) if some),
        reach=reach,
        windows=np.array([(span.count, span.unit) for span in spans], np.int64).reshape(-1, 2),
        measures=np.array([_measure_row(measure, spans) for measure in measures], np.int64).reshape(-1, 5),
        uses=np.array([use for some in uses for use in some], np.int64).reshape(-1, 9),
        uses_from=np.cumsum([0, *map(len, uses)]),
        derived=np.array(
            [(k.RATIO if entry.operation == "ratio" else k.DIFFERENCE, *(slots[part] for part in entry.parts))
             for entry in derived], np.int64,
        ).reshape(-1, 3),
        columns=np.array([slots[entry.name] for entry in entries if entry.concept], np.int64),
    )  # fmt: skip


def _middle(measure: Measure) -> Window:
    """The later half of a trend's window; of any other measure, the window."""
    return (measure.window.half if measure.aggregate is Aggregate.TREND else None) or measure.window


def _measure_row(measure: Measure, spans: Sequence[Window]) -> list[int]:
    aggregate = _AGGREGATES[measure.aggregate]
    first = k.NEVER if measure.aggregate in (Aggregate.TIME_SINCE, Aggregate.LAST) else 0
    second = k.NEVER if measure.aggregate is Aggregate.STREAK else 0
    return [aggregate, spans.index(measure.window), HOUR if measure.unit == "hours" else DAY, first, second]


def _use_rows(measures: Sequence[Measure], spans: Sequence[Window], conditions: Sequence[Condition]) -> list[list[int]]:
    """For each measure what the kernel needs of it at an event, all but whether the kind breaks a streak."""
    rows: list[list[int]] = []
    tables = 0
    for place, measure in enumerate(measures):
        low, high = measure.amount or (k.UNKNOWN, -k.UNKNOWN)
        needs = sum(1 << conditions.index(condition) for condition in measure.conditions)
        aggregate, window, middle = _AGGREGATES[measure.aggregate], measure.window, _middle(measure)
        rows.append([place, aggregate, spans.index(window), spans.index(middle), needs, low, high, tables])
        tables += measure.aggregate is Aggregate.DISTINCT
    return rows
