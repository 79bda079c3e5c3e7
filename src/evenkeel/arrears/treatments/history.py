"""What came of arrears before: states by month, payments by day and promises, as arrays from a book's own tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_INACTIVE, Panel
from evenkeel.arrears.rows import DAY, EPOCH, BoolArray, IntArray, micros, offsets
from evenkeel.arrears.treatments.record import ints_of, mask_of, promise_events
from evenkeel.kernel.calendar import month_end, month_of

BUCKETS = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7")
_UNSEEN = -1
_AHEAD = 4_000_000_000_000_000 * 8  # microseconds: the year 2984


@dataclass(frozen=True, slots=True)
class Payments:
    """Money that came: place in `accounts`, local day since 1970, day it was booked, amount in minor units."""

    account: IntArray
    day: IntArray
    booked: IntArray
    amount: IntArray


@dataclass(frozen=True, slots=True)
class Promises:
    """Promises: account, local day made, day promised, amount (-1 unknown), who took it (place in `actors`, -1)."""

    account: IntArray
    made: IntArray
    promised: IntArray
    amount: IntArray
    actor: IntArray
    actors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class History:
    """accounts: the panel's, by id. state, owed: (accounts, months) bucket 0..7, -1 where in none or not known;
    unused: on book without credit in use (X), which is not overdue and in no bucket;
    balance in minor units, -1 where not known. first_month: month number of the first column. last_day: as_of, zone:
    whose days count."""

    accounts: pa.Table
    state: npt.NDArray[np.int8]
    unused: BoolArray
    owed: IntArray
    first_month: int
    last_day: int
    zone: ZoneInfo
    payments: Payments
    promises: Promises
    tells_payments: bool = True  # without a table of payments nothing that came is known, which is not nothing

    @property
    def months(self) -> int:
        return int(self.state.shape[1])

    def days(self, instants: pa.ChunkedArray) -> IntArray:
        """Local days since 1970 of instants; those that are not known lie far ahead."""
        return _local_days(micros(instants, _AHEAD), self.zone)

    def places(self, account_ids: pa.ChunkedArray) -> IntArray:
        """Places in `accounts`, -1 where it is not there."""
        place = pc.index_in(account_ids, self.accounts["account_id"].combine_chunks())
        return ints_of(pc.fill_null(place, -1))

    def known_at(self, months: int, last_day: int) -> History:
        """What was known earlier: the first months, and what was booked or promised by a day."""
        paid, told = self.payments, self.promises
        seen = (paid.day <= last_day) & (paid.booked <= last_day)
        made = told.made <= last_day
        return replace(
            self,
            state=self.state[:, :months],
            unused=self.unused[:, :months],
            owed=self.owed[:, :months],
            last_day=last_day,
            payments=Payments(paid.account[seen], paid.day[seen], paid.booked[seen], paid.amount[seen]),
            promises=replace(
                told, account=told.account[made], made=told.made[made], promised=told.promised[made],
                amount=told.amount[made], actor=told.actor[made],
            ),
        )  # fmt: skip


def history_of_book(panel: Panel, tables: Mapping[str, pa.Table], as_of: date, zone: str) -> History:
    """The history of a book's own accounts. tables: CONTRACT 2, as known on `as_of`. zone: whose days count."""
    months = panel.months["month"].to_numpy().astype(np.int64)
    first = int(months.min()) if len(months) else panel.last_month
    shape = (len(panel.accounts), panel.last_month - first + 1)
    place = panel.months["account"].to_numpy().astype(np.int64)
    code = panel.months["state"].to_numpy()
    state = np.full(shape, _UNSEEN, np.int8)
    state[place, months - first] = np.where(code == STATE_INACTIVE, _UNSEEN, code)
    unused = np.zeros(shape, bool)
    unused[place, months - first] = code == STATE_INACTIVE
    owed = np.full(shape, _UNSEEN, np.int64)
    balance = ints_of(pc.fill_null(panel.months["balance"], _UNSEEN))
    owed[place, months - first] = np.where(np.asarray(panel.months["balance"].is_valid()), np.maximum(balance, 0), -1)
    last_day = (as_of - EPOCH).days
    clock = ZoneInfo(zone)
    return History(
        panel.accounts, state, unused, owed, first, last_day, clock,
        _payments(panel.accounts, tables.get("payments"), clock), _promises(panel.accounts, tables, clock),
        tables.get("payments") is not None,
    )  # fmt: skip


def _local_days(stamps: IntArray, zone: ZoneInfo) -> IntArray:
    codes = np.zeros(len(stamps), np.int64)
    return (stamps + offsets(stamps, codes, [zone])) // DAY


def _payments(accounts: pa.Table, table: pa.Table | None, zone: ZoneInfo) -> Payments:
    none = np.zeros(0, np.int64)
    if table is None:
        return Payments(none, none, none, none)
    place = pc.index_in(table["account_id"], accounts["account_id"].combine_chunks())
    came = mask_of(place.is_valid()) & mask_of(pc.fill_null(pc.equal(table["result"], "ok"), True))
    table = table.filter(pa.array(came))
    paid = micros(table["paid_at"], _AHEAD)
    booked = np.maximum(micros(table["booked_at"], 0), paid) if "booked_at" in table.column_names else paid
    return Payments(
        ints_of(place.filter(pa.array(came))),
        _local_days(paid, zone),
        _local_days(booked, zone),
        ints_of(table["amount_minor"]),
    )


def _promises(accounts: pa.Table, tables: Mapping[str, pa.Table], zone: ZoneInfo) -> Promises:
    """Promises in contacts and events, one of each account, day made and day promised; those with an amount first."""
    names = ["account_id", "at", "promised_on", "promised_minor", "actor_id"]
    kinds = [pa.string(), pa.timestamp("us", tz="UTC"), pa.date32(), pa.int64(), pa.string()]
    parts = []
    for part in (tables.get("contacts"), promise_events(tables.get("events"))):
        if part is not None and "promised_on" in part.column_names:
            kept = part.filter(pc.and_(pc.is_valid(part["promised_on"]), pc.is_valid(part["account_id"])))
            columns = [
                kept[name].cast(kind) if name in kept.column_names else pa.nulls(len(kept), kind)
                for name, kind in zip(names, kinds, strict=True)
            ]
            parts.append(pa.table(columns, names=names))
    table = pa.concat_tables(parts) if parts else pa.table([pa.nulls(0, kind) for kind in kinds], names=names)
    place = ints_of(pc.fill_null(pc.index_in(table["account_id"], accounts["account_id"].combine_chunks()), -1))
    made = _local_days(micros(table["at"], _AHEAD), zone)
    promised = micros(table["promised_on"]) // DAY
    amount = ints_of(pc.fill_null(table["promised_minor"], -1))
    coded = table["actor_id"].combine_chunks().dictionary_encode()
    actor = ints_of(pc.fill_null(coded.indices, -1))
    keep = (place >= 0) & (promised >= made)
    order = np.lexsort((-amount, promised, made, place))
    order = order[keep[order]]
    key = np.stack([place, made, promised])[:, order]
    first = np.append(True, (key[:, 1:] != key[:, :-1]).any(axis=0))[: len(order)]
    order = order[first]
    return Promises(
        place[order], made[order], promised[order], amount[order], actor[order], tuple(coded.dictionary.to_pylist())
    )


def kept(promises: Promises, payments: Payments, last_day: int) -> tuple[BoolArray, BoolArray]:
    """(due, kept): whether a promise's day is over by `last_day`, and whether what was promised came by then.

    A promise is kept where payments of its account, from the day it was made to the day promised, both included, add up
    to the amount promised; where no amount was named, where anything came.
    """
    order = np.lexsort((payments.day, payments.account))
    span = int(max(promises.promised.max(initial=0), payments.day.max(initial=0), last_day)) + 2
    key = payments.account[order] * span + payments.day[order]
    running = np.append(0, np.cumsum(payments.amount[order]))
    start = np.searchsorted(key, promises.account * span + promises.made, side="left")
    end = np.searchsorted(key, promises.account * span + promises.promised, side="right")
    came = running[end] - running[start]
    wanted = np.where(promises.amount > 0, promises.amount, 1)
    return promises.promised <= last_day, came >= wanted


def month_ends(history: History) -> IntArray:
    """(months,) the last day of each month on file, as days since 1970."""
    return np.array([(month_end(history.first_month + m) - EPOCH).days for m in range(history.months)], np.int64)


def month_places(days: IntArray, first_month: int) -> tuple[IntArray, IntArray]:
    """(month counted from the first one on file, day of the month) of days since 1970."""
    distinct, back = np.unique(days, return_inverse=True)
    dates = [date.fromordinal(EPOCH.toordinal() + day) for day in distinct.tolist()]
    month = np.array([month_of(one) - first_month for one in dates], np.int64)
    of_month = np.array([one.day for one in dates], np.int64)
    return month[back], of_month[back]
