"""Days past due from what was due and what was paid, oldest due first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.kernel.calendar import month_end

IntArray = npt.NDArray[np.int64]

# A rest below one unit of the currency is a rounding, not a debt: it does not make an account late.
TOLERANCE_MINOR = 100

# An account is on file from its opening, but an opening further than this before its first due day or payment (often
# a placeholder such as 1900-01-01) says nothing of the schedule that is known.
_LONGEST_GRACE_MONTHS = 12
_NEVER = 10**9  # later than any day or month


def _days(values: pa.Array | pa.ChunkedArray) -> IntArray:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    return np.asarray(array.cast(pa.date32(), safe=False).cast(pa.int32()).to_numpy(zero_copy_only=False)).astype(
        np.int64
    )


def _month_of_days(days: IntArray) -> IntArray:
    months: IntArray = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64) + 1970 * 12
    return months


def months_from_dues(
    instalments: pa.Table, payments: pa.Table, ids: pa.Array, opened: pa.Array, last_day: int, zone: str
) -> pa.Table:
    """Month-end rows of every account that has instalments: account, month, dpd, balance, paid, min_due, interest, fee.

    ids: (a,) account ids. opened: (a,) month numbers, null where not known. last_day: days since 1970-01-01; what fell
    due or was paid later is not looked at, but a later instalment still counts into the balance. A history begins in
    the month of opening, or with the first due day or payment where that is earlier or no opening is known. DPD at a
    month's end (the last month: at last_day) is the number of days since the oldest due amount that the payments so
    far, in order of due dates, do not cover. A payment's day is its local day in `zone`. Failed and reversed payments
    pay nothing. An account leaves the table after the month in which it is paid off.
    """
    due_account, due_day, due = _dues(instalments, ids)
    paid_account, paid_day, paid = _paid(payments, ids, last_day, zone)
    last_month = int(_month_of_days(np.array([last_day]))[0])
    first = np.full(len(ids), _NEVER)
    np.minimum.at(first, due_account, _month_of_days(due_day))
    np.minimum.at(first, paid_account, _month_of_days(paid_day))
    opening = opened.fill_null(_NEVER).to_numpy().astype(np.int64)
    first = np.where(opening >= first - _LONGEST_GRACE_MONTHS, np.minimum(first, opening), first)
    has_dues = np.bincount(due_account, minlength=len(ids)) > 0
    accounts = np.flatnonzero(has_dues & (first <= last_month))
    length = last_month - first[accounts] + 1
    account = np.repeat(accounts, length)
    month = np.arange(len(account)) - np.repeat(np.cumsum(length) - length - first[accounts], length)
    end = np.minimum(_month_ends(month), last_day)

    due_sums = _Running(due_account, due_day, due["due"], len(ids))
    payment_sums = _Running(paid_account, paid_day, paid, len(ids))
    total = np.zeros(len(ids), np.int64)
    np.add.at(total, due_account, due["due"])
    paid_so_far = payment_sums.until(account, end)
    oldest = due_sums.first_above(account, paid_so_far + TOLERANCE_MINOR)
    late_day = np.where(oldest >= 0, due_sums.day[np.maximum(oldest, 0)], _NEVER)
    dpd = np.where(late_day < end, end - late_day, 0)
    balance = total[account] - paid_so_far
    start = _month_ends(month - 1)
    columns = {
        "account": account.astype(np.int32),
        "month": month.astype(np.int32),
        "dpd": dpd.astype(np.int32),
        "balance": balance,
        "paid": paid_so_far - payment_sums.until(account, start),
    }
    for name, values in (("min_due", due["due"]), ("interest", due["interest"]), ("fee", due["fee"])):
        sums = _Running(due_account, due_day, values, len(ids))
        columns[name] = sums.until(account, end) - sums.until(account, start)
    cleared = np.zeros(len(account), bool)
    cleared[1:] = (balance[:-1] <= TOLERANCE_MINOR) & (account[1:] == account[:-1])
    return pa.table(columns).filter(pa.array(~cleared))


def _month_ends(months: IntArray) -> IntArray:
    numbers, where = np.unique(months, return_inverse=True)
    ends = np.array([month_end(int(number)).toordinal() - 719_163 for number in numbers], np.int64)
    return ends[where] if len(ends) else ends


def _dues(instalments: pa.Table, ids: pa.Array) -> tuple[IntArray, IntArray, dict[str, IntArray]]:
    account = pc.index_in(instalments["account_id"].combine_chunks(), ids).to_numpy().astype(np.int64)
    amounts = {
        name: pc.fill_null(instalments[f"{name}_minor"], 0).to_numpy().astype(np.int64)
        for name in ("due", "interest", "fee")
    }
    return account, _days(instalments["due_on"]), amounts


def _paid(payments: pa.Table, ids: pa.Array, last_day: int, zone: str) -> tuple[IntArray, IntArray, IntArray]:
    day = _days(pc.local_timestamp(payments["paid_at"].cast(pa.timestamp("us", tz=zone))))
    ok = pc.fill_null(pc.equal(payments["result"], "ok"), True).to_numpy() & (day <= last_day)
    account = pc.index_in(payments["account_id"].combine_chunks(), ids).to_numpy().astype(np.int64)
    return account[ok], day[ok], payments["amount_minor"].to_numpy().astype(np.int64)[ok]


class _Running:
    """Running sums of amounts by account and day, with two look-ups: until a day, and first above a sum."""

    def __init__(self, account: IntArray, day: IntArray, amount: IntArray, size: int) -> None:
        order = np.lexsort((day, account))
        self.account, self.day = account[order], day[order]
        self.sums = np.concatenate(([0], np.cumsum(amount[order])))
        self.start = np.searchsorted(self.account, np.arange(size))
        self.stop = np.searchsorted(self.account, np.arange(size), side="right")
        self._key = self.account * (1 << 32) + self.day + (1 << 31)

    def until(self, account: IntArray, day: IntArray) -> IntArray:
        """Sum of the account's amounts up to and with the day."""
        place = np.searchsorted(self._key, account * (1 << 32) + day + (1 << 31), side="right")
        result: IntArray = self.sums[place] - self.sums[self.start[account]]
        return result

    def first_above(self, account: IntArray, level: IntArray) -> IntArray:
        """Place of the first amount of the account whose running sum is above `level`, or -1."""
        # Amounts are 0 or more, so the running sums of all accounts together never fall.
        place = np.searchsorted(self.sums[1:], self.sums[self.start[account]] + level, side="right")
        return np.where(place < self.stop[account], place, -1)
