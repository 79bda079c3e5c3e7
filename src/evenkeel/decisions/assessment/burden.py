"""What a borrower owes and is asked for when an application arrives, and after it is granted in full.

Lines are the accounts of the book and the tradelines of others, as they were known on the day before the application.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import day_months, month_numbers
from evenkeel.decisions.assessment.requests import (
    DAY,
    BoolArray,
    FloatArray,
    IntArray,
    Requests,
    codes,
    count_before,
    instants,
    numbers,
    told_events,
    uses,
)

NEVER: Final = 10**6  # a day number after every day
NEW: Final = 90  # days
REVOLVING: Final = ("card", "bnpl")
# What a request will ask for a month, where no offer is priced yet: the smallest payment of a full revolving line (as
# decisions.exposure.Caps), and equal instalments over a year at 24 % a year. Stated, and on the careful side.
MINIMUM_SHARE: Final = 0.10
LOAN_MONTHS: Final = 12
LOAN_RATE_MONTHLY: Final = 0.02


@dataclass(frozen=True, slots=True)
class Burden:
    """(n,) each, as of the day before the application; minor units, NaN where a part of a sum is not known.

    lines, new_lines: open, and of those opened in the last 90 days; owed_minor: balances; promised_minor: limits, or
    what was lent; service_minor: what all lines ask for a month; service_after_minor: with the request granted in full.
    overdue: lines that were overdue. hidden: lines known beyond those declared (`x_lines_declared`), NaN without it.
    inquiries: of lenders in the last 30 days, applications included.
    """

    lines: FloatArray
    new_lines: FloatArray
    owed_minor: FloatArray
    promised_minor: FloatArray
    service_minor: FloatArray
    service_after_minor: FloatArray
    overdue: FloatArray
    hidden: FloatArray
    inquiries: FloatArray


def find_burden(requests: Requests, tables: Mapping[str, pa.Table], zone: str) -> Burden:
    """tables: of the contract; accounts, periods, instalments, tradelines and events are read where they are there."""
    size = requests.count
    today = _local_days(requests.table["submitted_at"], zone)
    parts = []
    if "accounts" in tables:
        parts.append(_own(requests, tables, today, zone))
    if "tradelines" in tables:
        parts.append(_outside(requests, tables["tradelines"], today))
    sums = {name: np.zeros(size) if parts else np.full(size, np.nan) for name in _SUMS}
    for part in parts:
        for name in _SUMS:
            sums[name] = sums[name] + part[name]
    after = sums["service"] + service_of(requests.table, requests.amount("requested_minor"))
    # More lines known than declared is a contradiction; fewer are a file that does not reach everywhere.
    hidden = np.maximum(sums["lines"] - requests.amount("x_lines_declared"), 0.0)
    return Burden(
        sums["lines"], sums["new"], sums["owed"], sums["promised"], sums["service"], after, sums["overdue"], hidden,
        _inquiries(requests, tables.get("events")),
    )  # fmt: skip


def service_of(applications: pa.Table, amount: FloatArray) -> FloatArray:
    """(n,) what an amount would ask for a month by the kind of product; NaN where product or amount is not known."""
    if "product" not in applications.column_names:
        return np.full(len(amount), np.nan)
    revolving = _is_in(applications["product"], REVOLVING)
    annuity = LOAN_RATE_MONTHLY / (1 - (1 + LOAN_RATE_MONTHLY) ** -LOAN_MONTHS)
    unknown = pc.is_null(applications["product"].combine_chunks()).to_numpy(zero_copy_only=False)
    return np.where(unknown, np.nan, amount * np.where(revolving, MINIMUM_SHARE, annuity))


_SUMS: Final = ("lines", "new", "owed", "promised", "service", "overdue")


def _local_days(column: pa.ChunkedArray | pa.Array, zone: str) -> IntArray:
    """Day numbers by the clocks of a zone."""
    local = pc.local_timestamp(column.cast(pa.timestamp("us", tz=zone)))
    days: IntArray = local.cast(pa.date32(), safe=False).cast(pa.int32()).to_numpy().astype(np.int64)
    return days


def _days(column: pa.ChunkedArray, missing: int) -> IntArray:
    days: IntArray = column.combine_chunks().cast(pa.int32()).fill_null(missing).to_numpy().astype(np.int64)
    return days


def _pairs(owner: IntArray, requests: Requests) -> tuple[IntArray, IntArray]:
    """(application, line) of every line that belongs to the applicant. owner: codes of persons, -1 for others."""
    order = np.argsort(owner, kind="stable")
    first = np.searchsorted(owner[order], requests.person)
    count = np.searchsorted(owner[order], requests.person, side="right") - first
    application = np.repeat(np.arange(requests.count), count)
    place = np.arange(len(application)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(first, count)
    return application, order[place]


def _persons(requests: Requests, column: pa.ChunkedArray) -> IntArray:
    found: IntArray = pc.index_in(column.combine_chunks(), requests.people).fill_null(-1).to_numpy().astype(np.int64)
    return found


def _own(requests: Requests, tables: Mapping[str, pa.Table], today: IntArray, zone: str) -> dict[str, FloatArray]:
    accounts, periods = tables["accounts"], tables.get("periods")
    application, line = _pairs(_persons(requests, accounts["borrower_id"]), requests)
    opened, closed = _days(accounts["opened_on"], -NEVER), _days(accounts["closed_on"], NEVER)
    alive = (opened[line] < today[application]) & (closed[line] >= today[application])
    month = day_months(requests.table["submitted_at"], zone).to_numpy().astype(np.int64)[application]
    at, last = _month_rows(periods, accounts, line, month - 1)
    # Without a row any more: written off or sold, its whole balance is asked for; else it has ended without a day.
    gone, lost = (at < 0) & (last >= 0), _is_in(accounts["status"], ("charged_off", "sold"))[line]
    ended = _is_in(accounts["status"], ("closed",))[line]
    alive &= ~(gone & ended)
    application, line, month = (x[alive] for x in (application, line, month))
    lost = (gone & lost)[alive]
    at = np.where(lost, last[alive], at[alive])
    balance, limit, due, late = (
        _take(numbers(periods, name) if periods is not None else np.empty(0), at)
        for name in ("balance_minor", "limit_minor", "min_due_minor", "dpd_high")
    )
    # A line opened since the last statement owes at most what it was opened with.
    opening = _first_known(numbers(accounts, "principal_minor"), numbers(accounts, "limit_minor"))[line]
    fresh = (at < 0) & (today[application] - opened[line] <= 62)
    limit = _first_known(limit, opening)
    balance = np.where(fresh, _first_known(balance, opening), balance)
    due = _first_known(_next_due(tables.get("instalments"), accounts, line, month), due)
    revolving = _is_in(accounts["product"], REVOLVING)[line]
    due = np.where(np.isnan(due) & revolving, MINIMUM_SHARE * np.maximum(balance, 0), due)
    due = np.where(np.isnan(due) & (balance <= 0), 0.0, due)
    return _summed(
        requests.count, application,
        {"new": today[application] - opened[line] <= NEW, "owed": np.maximum(balance, 0),
         "service": np.where(lost, np.maximum(balance, 0), due), "overdue": (late > 0) | lost,
         "promised": np.where(revolving & ~lost, limit, _first_known(balance, limit))},
    )  # fmt: skip


def _is_in(column: pa.ChunkedArray, values: tuple[str, ...]) -> BoolArray:
    found: BoolArray = pc.is_in(column.combine_chunks(), pa.array(values)).to_numpy(zero_copy_only=False).astype(bool)
    return found


def _first_known(*values: FloatArray) -> FloatArray:
    result = values[0]
    for value in values[1:]:
        result = np.where(np.isnan(result), value, result)
    return result


def _take(values: FloatArray, row: IntArray) -> FloatArray:
    return np.where(row >= 0, np.append(values, np.nan)[row], np.nan)


def _month_rows(
    periods: pa.Table | None, accounts: pa.Table, line: IntArray, month: IntArray
) -> tuple[IntArray, IntArray]:
    """Row in `periods` of each line's month, -1 where there is none; row of its last month, -1 unless before that."""
    if periods is None or periods.num_rows == 0:
        return np.full(len(line), -1), np.full(len(line), -1)
    width = 1 << 16
    owner = pc.index_in(periods["account_id"].combine_chunks(), accounts["account_id"].combine_chunks())
    of, months = owner.fill_null(-1).to_numpy().astype(np.int64), month_numbers(periods["month"])
    order = np.lexsort((months, of))
    order = order[of[order] >= 0]
    last = np.full(accounts.num_rows, -1)
    last[of[order]] = order  # of one account the latest month is written last
    past = (last[line] >= 0) & (np.append(months, NEVER)[last[line]] < month)
    return _found(of * width + months, line * width + month), np.where(past, last[line], -1)


def _found(key: IntArray, wanted: IntArray) -> IntArray:
    order = np.argsort(key, kind="stable")
    place = np.minimum(np.searchsorted(key[order], wanted), len(key) - 1)
    return np.where(key[order][place] == wanted, order[place], -1)


def _next_due(instalments: pa.Table | None, accounts: pa.Table, line: IntArray, month: IntArray) -> FloatArray:
    """The instalments of each line in the month of the application; NaN for a line without any."""
    if instalments is None or instalments.num_rows == 0:
        return np.full(len(line), np.nan)
    width = 1 << 16
    owner = pc.index_in(instalments["account_id"].combine_chunks(), accounts["account_id"].combine_chunks())
    owner = owner.fill_null(-1).to_numpy().astype(np.int64)
    due_month = day_months(instalments["due_on"]).to_numpy().astype(np.int64)
    keys, place = np.unique(owner * width + due_month, return_inverse=True)
    total = np.bincount(place, numbers(instalments, "due_minor"))
    at = _found(keys, line * width + month)
    planned = np.zeros(accounts.num_rows, bool)
    planned[owner[owner >= 0]] = True
    return np.where(planned[line], np.where(at >= 0, total[at], 0.0), np.nan)


def _outside(requests: Requests, tradelines: pa.Table, today: IntArray) -> dict[str, FloatArray]:
    """The newest report of each outside line before the application's day, where it still shows something."""
    application, row = _pairs(_persons(requests, tradelines["borrower_id"]), requests)
    told = _days(tradelines["as_of"], NEVER)
    known = told[row] < today[application]
    application, row = application[known], row[known]
    token = codes(tradelines, "lender_token") * (tradelines.num_rows + 1) + codes(tradelines, "line_token")
    token = np.unique(token, return_inverse=True)[1].astype(np.int64)
    order = np.lexsort((told[row], token[row], application))
    application, row = application[order], row[order]
    last = np.append((application[1:] != application[:-1]) | (token[row][1:] != token[row][:-1]), True)[: len(row)]
    application, row = application[last], row[last]
    balance, limit = numbers(tradelines, "balance_minor")[row], numbers(tradelines, "limit_minor")[row]
    late = _first_known(numbers(tradelines, "dpd_high"), numbers(tradelines, "dpd_low"))[row]
    alive = (np.nan_to_num(balance, nan=1.0) != 0) | (limit > 0) | (late > 0)
    application, row, balance, limit, late = (x[alive] for x in (application, row, balance, limit, late))
    opened = _days(tradelines["opened_on"], -NEVER)[row]
    revolving = _is_in(tradelines["product"], REVOLVING)
    due = np.where(revolving[row] | (balance <= 0), MINIMUM_SHARE * np.maximum(balance, 0), np.nan)
    return _summed(
        requests.count, application,
        {"new": today[application] - opened <= NEW, "owed": np.maximum(balance, 0), "service": due,
         "overdue": late > 0, "promised": _first_known(limit, balance)},
    )  # fmt: skip


def _summed(size: int, application: IntArray, parts: Mapping[str, FloatArray | BoolArray]) -> dict[str, FloatArray]:
    """Sums by application; NaN where a part is."""
    sums = {"lines": np.bincount(application, minlength=size).astype(np.float64)}
    return sums | {name: np.bincount(application, values, size).astype(np.float64) for name, values in parts.items()}


def _inquiries(requests: Requests, events: pa.Table | None) -> FloatArray:
    """Earlier applications and `inquiry` events of the last 30 days."""
    counted = count_before(uses(requests.person, requests.at), 30 * DAY).astype(np.float64)
    if events is None:
        return counted
    borrower, known, _ = told_events(events, ("inquiry",))
    person = pc.index_in(borrower, requests.people).fill_null(-1).to_numpy().astype(np.int64)
    moment = instants(known)
    both = np.concatenate((moment, requests.at))
    order = np.argsort(both, kind="stable")
    owner = np.concatenate((person, requests.person))[order]
    alone = np.empty(len(both))
    alone[order] = count_before(uses(owner, both[order]), 30 * DAY)
    return np.asarray(alone[len(moment) :], np.float64)
