"""What lay ahead of each line and borrower at each month's end: the outcomes that the warning is trained and judged on.

A line is overdue from M1 on; X and a state that is not known are not. A charge-off stands for the worst state. An
outcome is told once all its months are over, and what is not told trains nothing: early hits would look like a rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.accounts.panel import STATE_UNKNOWN, Panel
from evenkeel.scoring.labels import charge_off_months

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

WORST = 7  # M7; a line that is charged off is as bad


def overdue_rows(panel: Panel) -> BoolArray:
    """Whether each row of panel.months is overdue: M1 or worse; X and unknown are not."""
    state = panel.state
    return (state >= 1) & (state <= WORST)


@dataclass(frozen=True, slots=True)
class Ahead:
    """The months after each row of panel.months; (n,) each.

    worst: the worst state within the horizon, 0..7, as far as it has been seen. until: months to the first overdue
    one, 0 where none was seen within the horizon. over: the horizon has ended. gap: a state in it is not known.
    """

    horizon: int
    worst: IntArray
    until: IntArray
    over: BoolArray
    gap: BoolArray

    def told(self, happened: BoolArray) -> BoolArray:
        """Whether the outcome of each row is known: its months are over, and it happened or could not have unseen."""
        return self.over & (happened | ~self.gap)


def ahead_of(panel: Panel, events: pa.Table | None, horizon: int) -> Ahead:
    """What follows each account-month within `horizon` months, up to panel.last_month.

    An account that leaves the file is seen no more: it has not become overdue.
    """
    account, month, state = panel.account, panel.month, panel.state
    late = np.where(overdue_rows(panel), state, 0)
    worst, until = np.zeros(len(account), np.int64), np.zeros(len(account), np.int64)
    unknown = np.zeros(len(account), bool)
    for ahead in range(min(horizon, len(account) - 1), 0, -1):  # from the farthest, so that the first one stays
        same = (account[ahead:] == account[:-ahead]) & (month[ahead:] <= panel.last_month)
        then = np.where(same, late[ahead:], 0)
        np.maximum(worst[:-ahead], then, out=worst[:-ahead])
        until[:-ahead] = np.where(then > 0, ahead, until[:-ahead])
        unknown[:-ahead] |= same & (state[ahead:] == STATE_UNKNOWN)
    distance = charge_off_months(panel, events)[account] - month
    lost = (distance > 0) & (distance <= horizon)
    worst[lost] = WORST
    until[lost] = np.where(until[lost] > 0, np.minimum(until[lost], distance[lost]), distance[lost])
    return Ahead(horizon, worst, until, month + horizon <= panel.last_month, unknown)


@dataclass(frozen=True, slots=True)
class BorrowerMonths:
    """What happened to each borrower in each month of the panel; all (borrowers, months).

    first: month number of the first column. lines, overdue: own lines on file and of them overdue. another: whether a
    line that is not overdue in the month, opened or not, is overdue within the horizon after it; until: in how many
    months, 0 if not.
    told: whether that is known.
    """

    first: int
    lines: IntArray
    overdue: IntArray
    another: BoolArray
    until: IntArray
    told: BoolArray

    @property
    def clear(self) -> BoolArray:
        """Nothing is overdue yet: the question is the first line."""
        result: BoolArray = (self.lines > 0) & (self.overdue == 0)
        return result

    @property
    def partly(self) -> BoolArray:
        """Some lines are overdue and some are not: the question is the spread."""
        result: BoolArray = (self.overdue > 0) & (self.overdue < self.lines)
        return result


def cells(panel: Panel) -> tuple[IntArray, int, int]:
    """(place of each row of panel.months in a borrowers-by-months table, its first month, its width)."""
    owner = panel.accounts["borrower"].to_numpy().astype(np.int64)[panel.account]
    first = int(panel.month.min(initial=panel.last_month))
    width = panel.last_month - first + 1
    return owner * width + panel.month - first, first, width


def borrower_months(panel: Panel, ahead: Ahead) -> BorrowerMonths:
    """The panel by borrower and month."""
    late = overdue_rows(panel)
    cell, first, width = cells(panel)
    size = len(panel.borrowers) * width
    shape = (len(panel.borrowers), width)
    never = ahead.horizon + 1
    until = np.full(size, never, np.int64)
    reached = ~late & (ahead.until > 0)
    np.minimum.at(until, cell[reached], ahead.until[reached])
    account, rows = panel.account, np.flatnonzero(late)
    for distance in range(1, ahead.horizon + 1):  # a line that is opened and overdue within the horizon counts too
        before = np.maximum(rows - distance, 0)
        held = (account[before] == account[rows]) & (rows >= distance)
        fresh = rows[~held & (panel.month[rows] - first >= distance)]
        np.minimum.at(until, cell[fresh] - distance, distance)
    unknown = np.bincount(cell[~late & ahead.gap], minlength=size) > 0
    another = until < never
    over = np.arange(width) + ahead.horizon <= width - 1
    return BorrowerMonths(
        first,
        np.bincount(cell, minlength=size).reshape(shape),
        np.bincount(cell[late], minlength=size).reshape(shape),
        another.reshape(shape),
        np.where(another, until, 0).reshape(shape),
        (another | ~unknown).reshape(shape) & over,
    )


def grid_of(panel: Panel, tables: Mapping[str, pa.Table], horizon: int) -> BorrowerMonths:
    """The borrower-months of a book, looking `horizon` months ahead."""
    return borrower_months(panel, ahead_of(panel, tables.get("events"), horizon))
