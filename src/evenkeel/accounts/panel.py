"""The dense month table of a book: one row for each account and month from its first to its last month on file.

From `periods` where an account has them, else from `instalments` and `payments`. A month missing inside a history is a
row whose facts are all null, so that the row before is always the month before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.dues import months_from_dues
from evenkeel.kernel.calendar import month_of

IntArray = npt.NDArray[np.int64]

STATE_UNKNOWN, STATE_INACTIVE = -1, 8
STATE_NAMES = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "X")
AMOUNTS = ("balance", "limit", "spend", "cash", "paid", "min_due", "interest", "fee")

MONTHS_SCHEMA = pa.schema(
    [
        ("account", pa.int32()),  # place in Panel.accounts
        ("month", pa.int32()),  # kernel.calendar month number
        ("state", pa.int8()),  # 0..7 as M0..M7, 8 as X, -1 where no state is known
        ("dpd", pa.int32()),  # days past due, the upper end where a class gives a range; null unknown
        *((name, pa.int64()) for name in AMOUNTS),  # minor units, null unknown
        ("source_code", pa.string()),
    ]
)


@dataclass(frozen=True, slots=True)
class Panel:
    """accounts: the book's accounts by id, with `borrower` (place in `borrowers`) and `opened` (month number).

    months: MONTHS_SCHEMA and the book's `x_` columns of periods, sorted by account and month.
    borrowers: (b,) ids, sorted. last_month: the month of as_of, or the last month on file where that is earlier.
    """

    accounts: pa.Table
    months: pa.Table
    borrowers: pa.Array
    last_month: int
    source: str  # periods, dues, or both: where the days past due come from
    zone: str = "UTC"  # the book's zone, in which an instant has its day and month

    @property
    def account(self) -> IntArray:
        """Place in `accounts` of each row of `months`."""
        return _whole(self.months["account"])

    @property
    def month(self) -> IntArray:
        """Month number of each row of `months`."""
        return _whole(self.months["month"])

    @property
    def state(self) -> IntArray:
        """State code of each row of `months`."""
        return _whole(self.months["state"])

    def rows_at(self, month: int) -> IntArray:
        """Places in `months` of the rows of one month: the accounts on book in it."""
        return np.flatnonzero(self.months["month"].to_numpy() == month)

    def rows_of(self, account: IntArray, month: IntArray) -> IntArray:
        """Places in `months` of account-months, -1 where there is none. The table is dense, so it is arithmetic."""
        size = self.accounts.num_rows
        owner, months = self.account, self.month
        start = np.searchsorted(owner, np.arange(size))
        stop = np.searchsorted(owner, np.arange(size), side="right")
        known = (account >= 0) & (account < size)
        safe = np.where(known, account, 0)
        first = months[np.minimum(start[safe], max(len(months) - 1, 0))] if len(months) else np.zeros_like(safe)
        row = start[safe] + month - first
        return np.where(known & (stop[safe] > start[safe]) & (row >= start[safe]) & (row < stop[safe]), row, -1)


def _whole(column: pa.ChunkedArray) -> IntArray:
    values: IntArray = column.to_numpy().astype(np.int64)
    return values


def month_numbers(months: pa.Array | pa.ChunkedArray) -> IntArray:
    """Month numbers of `YYYY-MM` texts without nulls."""
    codes = (months.combine_chunks() if isinstance(months, pa.ChunkedArray) else months).dictionary_encode()
    texts = codes.dictionary.to_pylist()
    numbers = np.array([int(text[:4]) * 12 + int(text[5:]) - 1 for text in texts], np.int64)
    return numbers[codes.indices.to_numpy()] if len(texts) else np.empty(0, np.int64)


def day_months(days: pa.Array | pa.ChunkedArray, zone: str | None = None) -> pa.Array:
    """Month numbers (int32) of dates, or of instants by the clocks of `zone`, else of the zone they carry themselves.

    Null stays null.
    """
    if zone is not None and pa.types.is_timestamp(days.type):
        days = pc.local_timestamp(days.cast(pa.timestamp(days.type.unit, tz=zone)))
    months = pc.add(pc.multiply(pc.year(days), 12), pc.subtract(pc.month(days), 1)).cast(pa.int32())
    return months.combine_chunks() if isinstance(months, pa.ChunkedArray) else months


def buckets(dpd: IntArray) -> npt.NDArray[np.int8]:
    """M0..M7 of days past due: 0; 1-30; 31-60; ... 151-180; over 180 (CONTRACT 2)."""
    return np.clip((dpd + 29) // 30, 0, 7).astype(np.int8)


def build_panel(tables: Mapping[str, pa.Table], last_day: int, zone: str) -> Panel:
    """The panel of a book's checked tables, up to and with the month of the day `last_day`.

    last_day: days since 1970-01-01 of the book's as_of. Facts after it are not looked at.
    """
    accounts = tables["accounts"].sort_by("account_id")
    borrowers = pc.unique(accounts["borrower_id"]).sort()
    place = pc.index_in(accounts["borrower_id"].combine_chunks(), borrowers)
    accounts = accounts.append_column("borrower", place).append_column("opened", day_months(accounts["opened_on"]))
    last_month = month_of(date(1970, 1, 1) + timedelta(days=last_day))
    ids = accounts["account_id"].combine_chunks()
    parts, sources = [MONTHS_SCHEMA.empty_table()], []
    if "periods" in tables and tables["periods"].num_rows:
        parts.append(_from_periods(tables["periods"], ids, last_month))
        sources.append("periods")
    if {"instalments", "payments"} <= tables.keys():
        covered = pc.unique(parts[-1]["account"])
        opened = accounts["opened"].combine_chunks()
        derived = months_from_dues(tables["instalments"], tables["payments"], ids, opened, last_day, zone)
        derived = derived.filter(pc.invert(pc.is_in(derived["account"], covered)))
        if derived.num_rows:
            parts.append(derived.append_column("state", pa.array(buckets(derived["dpd"].to_numpy()))))
            sources.append("dues")
    months = _dense(pa.concat_tables([_shaped(part) for part in parts], promote_options="default"))
    seen = pc.max(months["month"]).as_py()
    reached = last_month if seen is None else min(last_month, seen)
    return Panel(accounts, months, borrowers, reached, " and ".join(sources), zone)


def _shaped(part: pa.Table) -> pa.Table:
    """Every column of the schema in its type, and the `x_` columns as they are."""
    columns = {
        field.name: part[field.name].cast(field.type)
        if field.name in part.column_names
        else pa.nulls(part.num_rows, field.type)
        for field in MONTHS_SCHEMA
    }
    return pa.table(columns | {name: part[name] for name in part.column_names if name.startswith("x_")})


def _from_periods(periods: pa.Table, ids: pa.Array, last_month: int) -> pa.Table:
    """`periods` with numbers for accounts and months, on book and not after the last month."""
    month = month_numbers(periods["month"])
    keep = (month <= last_month) & pc.fill_null(periods["on_book"], True).to_numpy()
    periods = periods.filter(pa.array(keep))
    high = pc.coalesce(periods["dpd_high"], periods["dpd_low"])
    state = pc.index_in(periods["state"].combine_chunks(), pa.array(STATE_NAMES)).cast(pa.int8())
    known = periods["dpd_high"].is_valid().to_numpy()
    bucket = pa.array(buckets(pc.fill_null(high, 0).to_numpy()), mask=~known)
    columns = {
        "account": pc.index_in(periods["account_id"].combine_chunks(), ids),
        "month": pa.array(month[keep].astype(np.int32)),
        "state": pc.fill_null(pc.coalesce(state, bucket), STATE_UNKNOWN),
        "dpd": high.cast(pa.int32()),
        "source_code": periods["source_code"],
    }
    columns |= {name: periods[f"{name}_minor"] for name in AMOUNTS}
    return pa.table(columns | {name: periods[name] for name in periods.column_names if name.startswith("x_")})


def _dense(months: pa.Table) -> pa.Table:
    """Sorted by account and month, with a row of nulls for each month missing inside a history."""
    months = months.sort_by([("account", "ascending"), ("month", "ascending")])
    account, month = months["account"].to_numpy(), months["month"].to_numpy().astype(np.int64)
    if len(account) == 0:
        return months
    step = np.where(account[1:] == account[:-1], month[1:] - month[:-1], 1)
    if (step == 1).all():
        return months.combine_chunks()
    row = np.concatenate(([0], np.cumsum(step)))  # where each known row stands in the dense table
    origin = np.full(int(row[-1]) + 1, -1, np.int64)
    origin[row] = np.arange(len(row))
    filled = np.maximum.accumulate(origin)  # the last known row at or before each dense row
    rows = months.take(pa.array(origin, mask=origin < 0))
    rows = _replace(rows, "account", pa.array(account[filled]))
    gap = np.arange(len(origin)) - row[filled]
    rows = _replace(rows, "month", pa.array((month[filled] + gap).astype(np.int32)))
    return _replace(rows, "state", pc.fill_null(rows["state"], STATE_UNKNOWN)).combine_chunks()


def _replace(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)
