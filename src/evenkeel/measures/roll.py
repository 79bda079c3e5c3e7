"""How account-months are spread over states, and how they flow from one month to the next.

State codes: 0..7 are M0..M7, 8 is X (on file without credit in use), -1 is unknown. All results are exact integers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
Codes = npt.NDArray[Any]  # whole numbers of any width: a book of a billion rows keeps its int8 and int32

STATES = 9
OVERDUE = slice(1, 8)  # M1..M7
CLEAN = (0, 8)  # M0 and X


def tally(cells: Codes, size: int, weights: IntArray | None = None) -> IntArray:
    """Rows, or the sum of their weights, in each of `size` cells. Sums are int64, never rounded through floats."""
    if weights is None:
        return np.bincount(cells, minlength=size).astype(np.int64)
    sums = np.zeros(size, np.int64)
    np.add.at(sums, cells, weights)
    return sums


def stocks(month: Codes, state: Codes, months: int, weights: IntArray | None = None) -> IntArray:
    """(months, 10) rows, or their weights, in each month and state; the last column is the unknown state.

    month: (n,) 0..months-1. state: (n,) codes. weights: (n,) minor units, or None to count.
    """
    column = np.where(state < 0, STATES, state)
    cells = month.astype(np.int64) * (STATES + 1) + column
    return tally(cells, months * (STATES + 1), weights).reshape(months, STATES + 1)


def steps(account: Codes) -> IntArray:
    """Places of the rows that are followed by the same account's next month.

    account: (n,) of rows sorted by account and month, without a month missing inside a history.
    """
    return np.flatnonzero(account[1:] == account[:-1])


def flows(month: Codes, before: Codes, after: Codes, months: int, weights: IntArray | None = None) -> IntArray:
    """(months, 9, 9) pairs, or their weights, by month of the first state, from-state and to-state.

    month, before, after: (p,) of each pair of consecutive account-months; pairs with an unknown state do not count.
    """
    known = (before >= 0) & (after >= 0)
    cells = (month[known].astype(np.int64) * STATES + before[known]) * STATES + after[known]
    sums = tally(cells, months * STATES * STATES, None if weights is None else weights[known])
    return sums.reshape(months, STATES, STATES)


def row_shares(counts: Codes) -> FloatArray:
    """Each row divided by its sum; NaN in a row whose sum is not positive. Cohort estimator of a transition matrix.

    counts: (..., k) of counts or weights. Lando & Skodeberg 2002, eq. 1.
    """
    total = counts.sum(axis=-1, keepdims=True).astype(np.float64)
    shares: FloatArray = np.divide(counts, total, out=np.full(counts.shape, np.nan), where=total > 0)
    return shares
