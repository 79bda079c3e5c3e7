"""Applications as arrays in the order of time, and the look-back that every signal is made of.

Whatever is said of an application rests on the applications before it alone: rows are sorted by the instant of
submission, and of one instant by id, and every function here looks at earlier rows only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.kernel.errors import InvalidInput

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

HOUR: Final = 3600
DAY: Final = 24 * HOUR
TOKENS: Final = ("device", "phone", "address", "employer")
_NEEDED: Final = ("application_id", "borrower_id", "submitted_at")


@dataclass(frozen=True, slots=True)
class Requests:
    """(n,) each, sorted by (submitted_at, application_id); codes are small whole numbers, -1 where nothing was given.

    table: the rows as they are sorted, columns of the contract's `applications`. at: whole seconds since 1970 UTC.
    token: codes of device, phone, address, employer. contact_row, contact: (m,) one entry a contact named; row of the
    application and code. contact_set: code of the contacts named together. income: declared, minor units, NaN unknown.
    """

    table: pa.Table
    at: IntArray
    person: IntArray
    people: pa.Array
    lender: IntArray
    token: dict[str, IntArray]
    contact_row: IntArray
    contact: IntArray
    contact_set: IntArray
    income: FloatArray

    @property
    def count(self) -> int:
        """How many applications there are."""
        return len(self.at)

    def amount(self, name: str) -> FloatArray:
        """A column of numbers, NaN where it is null or not in the table."""
        return numbers(self.table, name)


def read_requests(applications: pa.Table) -> Requests:
    """Applications of the contract's table, in any order. Raises InvalidInput where a needed column or value is not."""
    for name in _NEEDED:
        if name not in applications.column_names:
            raise InvalidInput(f"applications have no column `{name}`.", f"Needed are {', '.join(_NEEDED)}.")
        if applications[name].null_count:
            raise InvalidInput(f"`{name}` of an application is null.", "Give every application its own.")
    ids = applications["application_id"]
    if len(pc.unique(ids)) < len(ids):
        twice = next(entry for entry in pc.value_counts(ids).to_pylist() if entry["counts"] > 1)
        raise InvalidInput(f"the application {twice['values']} is given twice.", "Give every application its own id.")
    table = applications.sort_by([("submitted_at", "ascending"), ("application_id", "ascending")]).combine_chunks()
    person = table["borrower_id"].combine_chunks().dictionary_encode()
    row, contact, together = _contacts(table)
    return Requests(
        table=table,
        at=instants(table["submitted_at"]),
        person=person.indices.to_numpy().astype(np.int64),
        people=person.dictionary,
        lender=codes(table, "lender_id"),
        token={name: codes(table, f"{name}_token") for name in TOKENS},
        contact_row=row,
        contact=contact,
        contact_set=together,
        income=numbers(table, "income_declared_minor"),
    )


def codes(table: pa.Table, name: str) -> IntArray:
    """Whole numbers in place of a column's values, -1 for null and where the column is not there."""
    if name not in table.column_names:
        return np.full(table.num_rows, -1)
    encoded = _one(table[name]).dictionary_encode().indices
    places: IntArray = encoded.fill_null(-1).to_numpy().astype(np.int64)
    return places


def numbers(table: pa.Table, name: str) -> FloatArray:
    """A column as float64, NaN for null and where the column is not there."""
    if name not in table.column_names:
        return np.full(table.num_rows, np.nan)
    values: FloatArray = np.array(_one(table[name]).cast(pa.float64()).to_numpy(zero_copy_only=False))
    return values


def instants(column: pa.ChunkedArray | pa.Array) -> IntArray:
    """Whole seconds since 1970 UTC of instants, the smallest number for null."""
    seconds = _one(column).cast(pa.timestamp("us", tz="UTC")).cast(pa.int64())
    known = seconds.fill_null(np.iinfo(np.int64).min).to_numpy()
    return np.where(known == np.iinfo(np.int64).min, np.iinfo(np.int64).min, known // 1_000_000)


def told_events(events: pa.Table, kinds: tuple[str, ...]) -> tuple[pa.Array, pa.Array, FloatArray]:
    """(borrower, when it came to be known, amount) of the events of some kinds.

    An event is known when it was booked, where that was after it happened.
    """
    kept = [
        name for name in ("borrower_id", "effective_at", "booked_at", "amount_minor") if name in events.column_names
    ]
    rows = events.select(kept).filter(pc.is_in(events["kind"], pa.array(kinds)))
    known = _one(rows["effective_at"])
    if "booked_at" in kept:
        booked = _one(rows["booked_at"])
        known = pc.if_else(pc.fill_null(pc.greater(booked, known), False), booked, known)
    return _one(rows["borrower_id"]), known, numbers(rows, "amount_minor")


def _one(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _contacts(table: pa.Table) -> tuple[IntArray, IntArray, IntArray]:
    """(row, code) of every contact named, each once an application; the code of the set named, -1 for none."""
    size = table.num_rows
    nothing = np.empty(0, np.int64)
    if "contact_tokens" not in table.column_names:
        return nothing, nothing, np.full(size, -1)
    lists = _one(table["contact_tokens"])
    row = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
    code = pc.list_flatten(lists).dictionary_encode().indices.fill_null(-1).to_numpy().astype(np.int64)
    pairs = np.unique(np.stack([row[code >= 0], code[code >= 0]]), axis=1)
    row, code = pairs[0], pairs[1]
    # Two sets are one where count, sum and sum of mixed codes agree: 2^-64 apart from that by chance.
    mixed = (code.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed ^= mixed >> np.uint64(29)
    mixed *= np.uint64(0xBF58476D1CE4E5B9)
    seal = np.zeros(size, np.uint64)
    np.add.at(seal, row, mixed)
    together = np.unique(seal, return_inverse=True)[1].astype(np.int64)
    together[np.bincount(row, minlength=size) == 0] = -1
    return row, code, together


@dataclass(frozen=True, slots=True)
class Uses:
    """Uses of keys in order of time, such as a telephone by an application; ready to be looked back on.

    order: places of the known uses sorted by (key, place); start: (m,) first rank of each sorted use's key.
    """

    order: IntArray
    start: IntArray
    moment: IntArray  # (m,) key and second of each sorted use in one rising number
    rank: IntArray  # (n,) where each use stands in `order`, -1 where its key is not known
    span: int


def uses(key: IntArray, at: IntArray) -> Uses:
    """key: (n,) codes, -1 for not known. at: (n,) seconds, never falling."""
    order = np.argsort(key, kind="stable")
    order = order[np.searchsorted(key[order], 0) :]
    sorted_key = key[order]
    fresh = np.append(True, sorted_key[1:] != sorted_key[:-1])[: len(order)]
    start = np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))
    first = int(at.min(initial=0))
    span = int(at.max(initial=0)) - first + 2
    rank = np.full(len(key), -1)
    rank[order] = np.arange(len(order))
    return Uses(order, start, sorted_key * span + (at[order] - first), rank, span)


def count_before(used: Uses, window: int | None = None) -> IntArray:
    """(n,) earlier uses of the same key, in the last `window` seconds or at all; 0 where the key is not known."""
    counted = np.zeros(len(used.rank), np.int64)
    counted[used.order] = np.arange(len(used.order)) - _since(used, window)
    return counted


def _since(used: Uses, window: int | None) -> IntArray:
    """(m,) rank of the oldest use of the same key within the window."""
    if window is None:
        return used.start
    return np.maximum(np.searchsorted(used.moment, used.moment - min(window, used.span)), used.start)


def pairs_before(used: Uses, window: int | None = None, most: int | None = None) -> tuple[IntArray, IntArray]:
    """(later, earlier) places of every two uses of one key within the window, only the newest `most` earlier ones."""
    ranks = np.arange(len(used.order))
    since = _since(used, window)
    if most is not None:
        since = np.maximum(since, ranks - most)
    count = ranks - since
    later = np.repeat(ranks, count)
    earlier = np.arange(len(later)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(since, count)
    return used.order[later], used.order[earlier]


def others_before(key: IntArray, person: IntArray) -> IntArray:
    """(n,) distinct other persons who used the same key in earlier places; 0 where the key is not known.

    key: (n,) codes in order of time, -1 for not known. person: (n,) codes.
    """
    result = np.zeros(len(key), np.int64)
    order = np.argsort(key, kind="stable")
    order = order[np.searchsorted(key[order], 0) :]
    if len(order) == 0:
        return result
    own = key[order] * (int(person.max()) + 1) + person[order]
    first = np.zeros(len(order), np.int64)
    first[np.unique(own, return_index=True)[1]] = 1
    seen = np.cumsum(first) - first
    fresh = np.append(True, key[order][1:] != key[order][:-1])
    base = np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))
    result[order] = seen - seen[base] - (1 - first)
    return result


def at_most(row: IntArray, values: IntArray, size: int) -> IntArray:
    """(size,) largest of the entries' values in each row, 0 where it has none."""
    largest = np.zeros(size, np.int64)
    np.maximum.at(largest, row, values)
    return largest
