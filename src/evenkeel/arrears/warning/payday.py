"""The day on which a borrower's income usually comes, and due days that fall shortly before it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel, day_months
from evenkeel.arrears.warning.facts import IntArray, places

BoolArray = npt.NDArray[np.bool_]

_MONTHS = 6  # of income that are looked at
_LEAST_PAYS = 3  # incomes that make a pay day
_MOST_SPREAD = 3  # days around it within which they come
_LONGEST_WAIT = 15  # days: a due day earlier than this before the pay day is met from the pay before
_AFTER = 2  # days from the pay day to the due day that is proposed
_LAST_DAY = 28  # a day that every month has


def pay_days(panel: Panel, events: pa.Table | None) -> IntArray:
    """The usual day of each borrower's income in the last months, 0 where it is not regular or not known.

    The largest income of each month counts; the day is their median, and holds where all come within three days of it.
    """
    result = np.zeros(len(panel.borrowers), np.int64)
    if events is None:
        return result
    rows = events.filter(pc.and_(pc.equal(events["kind"], "income"), events["amount_minor"].is_valid()))
    month = day_months(rows["effective_at"]).fill_null(0).to_numpy().astype(np.int64)
    owner = places(rows["borrower_id"], panel.borrowers)
    day = pc.day(rows["effective_at"]).fill_null(0).to_numpy().astype(np.int64)
    amount = rows["amount_minor"].to_numpy().astype(np.int64)
    recent = (owner >= 0) & (month > panel.last_month - _MONTHS) & (month <= panel.last_month)
    owner, month, day, amount = owner[recent], month[recent], day[recent], amount[recent]
    order = np.lexsort((day, -amount, month, owner))
    owner, month, day = owner[order], month[order], day[order]
    largest = np.concatenate(([True], (owner[1:] != owner[:-1]) | (month[1:] != month[:-1])))[: len(owner)]
    owner, day = owner[largest], day[largest]
    order = np.lexsort((day, owner))
    owner, day = owner[order], day[order]
    who, start, count = np.unique(owner, return_index=True, return_counts=True)
    if len(who) == 0:
        return result
    middle = day[start + (count - 1) // 2]
    spread = np.maximum(middle - day[start], day[start + count - 1] - middle)
    regular = (count >= _LEAST_PAYS) & (spread <= _MOST_SPREAD)
    result[who[regular]] = middle[regular]
    return result


def better_due_days(due_day: IntArray, pay_day: IntArray) -> IntArray:
    """The due day to propose, two days after the pay day, where it falls in the two weeks before it; else 0.

    due_day, pay_day: (n,) days of the month, 0 where not known.
    """
    wait = pay_day - due_day
    known = (due_day > 0) & (pay_day > 0)
    proposed: IntArray = np.where(known & (wait > 0) & (wait <= _LONGEST_WAIT), (pay_day + _AFTER), 0)
    return np.where(proposed > _LAST_DAY, 0, proposed)
