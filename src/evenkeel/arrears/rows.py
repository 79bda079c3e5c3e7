"""Actions as arrays: their columns, the debtor's wall clock, and counts in a window of local days.

A column that is absent is unknown in every row. Instants are microseconds since 1970 in UTC; days are days since 1970.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.kernel.errors import InvalidInput

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

_Found = TypeVar("_Found")

VOICE = ("bot_call", "call")
NEVER = np.iinfo(np.int64).max  # no instant is known
SECOND = 1_000_000
DAY = 86_400 * SECOND
EPOCH = date(1970, 1, 1)

_INBOUND = ("in", "inbound")
_FEW = 64  # so many are looked up sooner one by one
_QUARTERS = 96  # of a day
_QUARTER = 900 * SECOND  # zones of today change their offset on a quarter of an hour


def micros(column: pa.ChunkedArray, unknown: int = 0) -> IntArray:
    """Microseconds since 1970 in UTC of an Arrow timestamp or date column; nulls become `unknown`."""
    stamps = column.cast(pa.timestamp("us", tz=getattr(column.type, "tz", None))).cast(pa.int64())
    filled = pc.fill_null(stamps, unknown) if stamps.null_count else stamps
    return filled.to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def table_of(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Actions from rows of facts; an empty text says that it is not known."""
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [None if row.get(name) == "" else row.get(name) for row in rows]
        instants = isinstance(next((value for value in values if value is not None), None), datetime)
        columns[name] = pa.array(values, pa.timestamp("us", tz="UTC") if instants else None)
    return pa.table(columns)


@dataclass(frozen=True, slots=True)
class Turns:
    """Who is judged, and what each row may count, where not everything is on record before it.

    place: order among rows of one instant. asked: -1 on record, else the number of what was asked for in this call; in
    each group numbers go up with time. sees: of those asked for it counts the ones with a smaller number. also: a row
    counted for it whether planned or not, if it lies in its window; -1 for none.
    """

    place: IntArray
    asked: IntArray
    sees: IntArray
    also: IntArray


class Rows:
    """The columns of the actions judged, as arrays; what is asked twice is computed once.

    judged: which rows. planned: judged, but not counted against others. Without `turns`, a row counts all before it.
    """

    def __init__(self, table: pa.Table, candidates: Sequence[str], turns: Turns | None = None) -> None:
        for name in ("action", "at"):
            if name not in table.column_names or table[name].null_count:
                raise InvalidInput(f"an action without `{name}` cannot be judged.", f"Give `{name}` in every row.")
        self._table = table
        self._names = frozenset(table.column_names)
        self._candidates = candidates
        self._cache: dict[object, Any] = {}
        self.size = len(table)
        self.at = micros(table["at"])
        self.inbound = self.is_in("direction", _INBOUND)
        self.turns = turns
        self.judged = np.ones(self.size, bool)
        self.planned = self.true("planned")

    def with_(self, judged: BoolArray, planned: BoolArray) -> Rows:
        """The same rows, of which others are judged and counted."""
        other = copy(self)  # what was computed before is shared
        other.judged, other.planned = judged, planned
        return other

    def given(self, name: str) -> bool:
        """Whether anything may be known of a column."""
        return name in self._names

    def actions(self) -> set[str]:
        """The distinct actions that are judged."""
        codes, places = self._coded("action")
        there = np.bincount(codes[self.judged], minlength=len(places)).tolist()
        return {name for name, place in places.items() if there[place]}

    def text(self, name: str) -> pa.Array:
        """A column as texts; nulls where unknown."""
        if name not in self._names:
            return pa.nulls(self.size, pa.string())
        return self._once(self._text, name)

    def is_in(self, name: str, values: Sequence[str]) -> BoolArray:
        """Where the column holds one of `values`; unknown is not in."""
        codes, places = self._coded(name)
        wanted = np.zeros(len(places) + 1, bool)  # the last is of what is unknown
        wanted[[places[value] for value in values if value in places]] = True
        return wanted[codes]

    def known(self, name: str) -> BoolArray:
        """Where the column is known. Not to be written to."""
        return self._once(self._known, name)

    def true(self, name: str) -> BoolArray:
        """Where a fact is known as true. Not to be written to."""
        return self._once(self._true, name)

    def _text(self, name: str) -> pa.Array:
        column = _whole(self._table[name])
        return column if column.type == pa.string() else column.cast(pa.string())

    def _known(self, name: str) -> BoolArray:
        return _mask(pc.is_valid(self._table[name])) if name in self._names else np.zeros(self.size, bool)

    def _true(self, name: str) -> BoolArray:
        if name not in self._names:
            return np.zeros(self.size, bool)
        return _mask(pc.fill_null(self._table[name].cast(pa.bool_()), False))

    def _coded(self, name: str) -> tuple[IntArray, dict[str, int]]:
        """A column of texts as places among its distinct values, -1 where unknown; and the values with their places."""
        return self._once(self._encoded, name)

    def _encoded(self, name: str) -> tuple[IntArray, dict[str, int]]:
        coded = self.text(name).dictionary_encode()
        values = coded.dictionary.to_pylist()
        codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        return codes, {value: place for place, value in enumerate(values)}

    def _once(self, find: Callable[[str], _Found], name: str) -> _Found:
        key = (find.__name__, name)
        if key not in self._cache:
            self._cache[key] = find(name)
        found: _Found = self._cache[key]
        return found

    def number(self, name: str) -> FloatArray:
        """A column as float64, NaN where unknown. `failed_contacts` is counted from the rows where it is not given."""
        if name not in self._names:
            return self.failed_contacts if name == "failed_contacts" else np.full(self.size, np.nan)
        return self._table[name].cast(pa.float64()).to_numpy().astype(np.float64)  # type: ignore[no-any-return]

    def day(self, name: str) -> IntArray:
        """A date or instant as local days since 1970 (an instant in the debtor's first zone); 0 where unknown."""
        if name not in self._names:
            return np.zeros(self.size, np.int64)
        column = self._table[name]
        stamps = micros(column)
        return (
            stamps + offsets(stamps, self.zone_codes[0], self.zones) if pa.types.is_timestamp(column.type) else stamps
        ) // DAY

    @cached_property
    def zones(self) -> list[ZoneInfo]:
        """Every zone that occurs, candidates first; UTC stands in where nothing is known (see `zone_unknown`)."""
        named = pc.unique(self.text("timezone")).to_pylist()
        return [ZoneInfo(key) for key in dict.fromkeys([*self._candidates, *sorted(filter(is_zone, named)), "UTC"])]

    @cached_property
    def zone_unknown(self) -> BoolArray:
        """Where neither the row nor the jurisdiction says in which zone the debtor lives."""
        if self._candidates:
            return np.zeros(self.size, bool)
        return _mask(pc.is_null(pc.index_in(self.text("timezone"), pa.array([z.key for z in self.zones]))))

    @cached_property
    def zone_unsure(self) -> BoolArray:
        """Where the row does not say in which zone the debtor lives: every candidate counts, elsewhere the first."""
        return self._own_zones[1]

    @cached_property
    def _own_zones(self) -> tuple[IntArray, BoolArray]:
        own = pc.index_in(self.text("timezone"), pa.array([z.key for z in self.zones]))
        codes = pc.fill_null(own, 0).to_numpy(zero_copy_only=False).astype(np.int64)
        return codes, _mask(pc.is_null(own)) if own.null_count else np.zeros(self.size, bool)

    @cached_property
    def zone_codes(self) -> list[IntArray]:
        """Candidate by candidate, each row's index into `zones`: its own zone, or each zone the debtor may live in."""
        own, unsure = self._own_zones
        fallback = range(len(self._candidates)) if self._candidates else [len(self.zones) - 1]
        choices = fallback if unsure.any() else fallback[:1]
        return [np.where(unsure, code, own) for code in choices]

    @cached_property
    def local(self) -> list[IntArray]:
        """Candidate by candidate, the debtor's wall clock in microseconds."""
        found = [self.at + offsets(self.at, self.zone_codes[0], self.zones)]
        unsure = np.flatnonzero(self.zone_unsure)
        for codes in self.zone_codes[1:]:
            other = found[0].copy()
            other[unsure] = self.at[unsure] + offsets(self.at[unsure], codes[unsure], self.zones)
            found.append(other)
        return found

    @cached_property
    def local_days(self) -> list[IntArray]:
        """Candidate by candidate, the debtor's date as days since 1970."""
        return [local // DAY for local in self.local]

    @cached_property
    def days(self) -> tuple[int, int]:
        """The first and the last of the debtors' dates."""
        days = self.local_days[0]
        return (int(days.min()), int(days.max())) if self.size else (0, 0)

    def instants(self, local: IntArray, candidate: int, rows: IntArray) -> IntArray:
        """The UTC instants of wall clocks of some rows."""
        return instants_of(local, self.zone_codes[candidate][rows], self.zones)

    def groups(self, per: str) -> Groups:
        """The rows grouped by debtor, contact point or debt (each with its lender: no cap runs across creditors)."""
        if per not in self._cache:
            owner = {"debtor": "borrower_id", "contact_point": "contact_point_token", "debt": "account_id"}[per]
            key = pc.binary_join_element_wise(
                pc.fill_null(self.text("lender_id"), ""),
                pc.coalesce(self.text(owner), self.text("borrower_id"), pa.scalar("")),
                "\x1f",
            )
            codes = key.dictionary_encode().indices.to_numpy(zero_copy_only=False).astype(np.int64)
            self._cache[per] = Groups(codes, self.at, self.turns)
        groups: Groups = self._cache[per]
        return groups

    @cached_property
    def failed_contacts(self) -> FloatArray:
        """Calls to the debtor without an answer since the last answered one, before each row."""
        groups = self.groups("debtor")
        tried = self.is_in("action", VOICE) & ~self.inbound & ~self.is_in("target", ("guarantor", "spouse", "other"))
        tried &= ~self.planned
        failed = (tried & self.known("answered") & ~self.true("answered"))[groups.order]
        reached = (self.is_in("action", VOICE) & self.true("answered") & ~self.planned)[groups.order]
        before: IntArray = np.cumsum(failed) - failed
        restart = groups.first | np.append(False, reached[:-1])
        since = before - np.maximum.accumulate(np.where(restart, before, 0)) if self.size else before
        result = np.zeros(self.size)
        result[groups.order] = since
        return result


class Groups:
    """Rows sorted by group and time, so that a count in a window is a difference of two running counts."""

    def __init__(self, codes: IntArray, at: IntArray, turns: Turns | None = None) -> None:
        # Stable: rows of one instant keep their order, or have the one that is given.
        self.order = np.lexsort((at, codes) if turns is None else (turns.place, at, codes))
        self.codes = codes
        self.first = np.append(True, codes[self.order][1:] != codes[self.order][:-1])[: len(codes)]
        self._base = int(at.min()) // SECOND if len(at) else 0
        seconds = at[self.order] // SECOND - self._base
        self._span = int(seconds.max()) + 1 if len(at) else 1
        self._place = codes[self.order] * self._span + seconds
        self.position = np.empty(len(codes), np.int64)
        self.position[self.order] = np.arange(len(codes))
        self._turns = None if turns is None or (turns.asked < 0).all() else turns

    def window(self, counted: BoolArray, rows: IntArray, starts: IntArray) -> Window:
        """Counted rows of the same group from `starts` (microseconds) until just before each of `rows`."""
        at = self.position[rows]
        offset = np.clip(-(-starts // SECOND) - self._base, 0, self._span - 1)
        opens = np.searchsorted(self._place, self.codes[rows] * self._span + offset)
        flags = counted[self.order]
        running = np.append(0, np.cumsum(flags))
        if self._turns is None:
            return Window(running[at] - running[opens], self.order[flags], running[opens])
        return self._window_by_turns(flags, rows, opens, at)

    def _window_by_turns(self, flags: BoolArray, rows: IntArray, opens: IntArray, at: IntArray) -> Window:
        """The same, where a row does not count what was asked for after it: what is on record is counted apart."""
        assert self._turns is not None  # noqa: S101 - as the caller saw
        asked = self._turns.asked[self.order]
        turns = np.flatnonzero(asked >= 0)  # positions of those asked for, by group and number
        most = int(asked.max()) + 2
        numbers = self.codes[self.order][turns] * most + asked[turns]
        own = np.searchsorted(numbers, self.codes[rows] * most + np.clip(self._turns.sees[rows], 0, most - 1))
        after = np.append(turns, len(flags))[own]  # the first position whose turn had not come
        record = np.append(0, np.cumsum(flags & (asked < 0)))
        running = np.append(0, np.cumsum(flags))
        cut = np.clip(after, opens, at)  # until here all are counted, from here on those on record
        seen = running[cut] - running[opens]
        return Window(
            seen + record[at] - record[cut], self.order[flags], running[opens], seen,
            self.order[flags & (asked < 0)], record[cut],
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Window:
    """How many rows were counted, and which: for each, `all_rows` from `opens`, and after the first `seen` of them
    `record` from `cut`."""

    count: IntArray
    all_rows: IntArray
    opens: IntArray
    seen: IntArray | None = None
    record: IntArray | None = None
    cut: IntArray | None = None

    def member(self, which: IntArray, number: IntArray) -> IntArray:
        """The row that is the `number`th (from 0) that was counted for some of the windows."""
        if self.seen is None or self.record is None or self.cut is None:
            return self.all_rows[self.opens[which] + number]  # type: ignore[no-any-return]
        early = number < self.seen[which]
        row: IntArray = np.empty(len(which), np.int64)
        row[early] = self.all_rows[(self.opens[which] + number)[early]]
        row[~early] = self.record[(self.cut[which] + number - self.seen[which])[~early]]
        return row


def _mask(values: pa.Array) -> BoolArray:
    return values.to_numpy(zero_copy_only=False).astype(np.bool_) if isinstance(values, pa.Array) else values.to_numpy()  # type: ignore[no-any-return]


def is_zone(name: str | None) -> bool:
    try:
        return name is not None and bool(ZoneInfo(name))
    except (KeyError, ValueError, OSError):  # a name that no zone has counts as unknown
        return False


def _distinct(values: IntArray, codes: IntArray, size: int) -> tuple[list[tuple[int, int]], IntArray]:
    """The distinct (value, code) pairs, codes below `size`, and for each row its place among them."""
    if len(values) <= _FEW:
        keys: list[int] = (values * size + codes).tolist()
        places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
        return [divmod(key, size) for key in places], np.array([places[key] for key in keys], np.int64)
    distinct, back = np.unique(values * size + codes, return_inverse=True)
    return [divmod(key, size) for key in distinct.tolist()], back.astype(np.int64)


def offsets(stamps: IntArray, codes: IntArray, zones: Sequence[ZoneInfo]) -> IntArray:
    """Microseconds to add to UTC for the wall clock of each instant's zone.

    Looked up by the day; on a day that does not end as it begins, by the quarter of an hour. No zone changes its clocks
    and back within a day.
    """
    pairs, back = _distinct(stamps // DAY, codes, len(zones))
    begins = np.array([_offset(zones[code], day * _QUARTERS) for day, code in pairs], np.int64)
    ends = np.array([_offset(zones[code], (day + 1) * _QUARTERS) for day, code in pairs], np.int64)
    found = begins[back]
    changing = np.flatnonzero((begins != ends)[back])
    if len(changing):
        pairs, back = _distinct(stamps[changing] // _QUARTER, codes[changing], len(zones))
        found[changing] = np.array([_offset(zones[code], quarter) for quarter, code in pairs], np.int64)[back]
    return found


def _offset(zone: ZoneInfo, quarter: int) -> int:
    return _micro(datetime.fromtimestamp(quarter * 900, zone).utcoffset())


def instants_of(local: IntArray, codes: IntArray, zones: Sequence[ZoneInfo]) -> IntArray:
    """UTC microseconds of wall clocks; the earlier of two where a clock is set back."""
    pairs, back = _distinct(local, codes, len(zones))
    naive = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone until the next line
    found = [
        _micro((naive + timedelta(microseconds=wall)).replace(tzinfo=zones[code]) - datetime(1970, 1, 1, tzinfo=UTC))
        for wall, code in pairs
    ]
    return np.array(found, np.int64)[back]


def _micro(delta: timedelta | None) -> int:
    return (delta or timedelta()) // timedelta(microseconds=1)


def day_date(day: int) -> date:
    return EPOCH + timedelta(days=day)
