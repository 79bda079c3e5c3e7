"""Money that is kept from month to month, in hundredths of minor units, so that a share of what is left stays exact.

    at the start   kept_0 = capacity_0 - paid_0
    a good month   kept_t = min(kept_t-1 + share x what it leaves, kept_0 + most)
    a poor month   kept_t = kept_t-1 - what it lacks

Payments can be carried if what is kept never falls below nothing. Paying less is never harder to carry.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from evenkeel.repayment.model import IntArray, Keep

WHOLE = 100  # hundredths of a minor unit
NOTHING = -1  # the share where every month is for itself


def share_and_most(keep: Keep | None) -> tuple[int, int]:
    """What compiled code takes: a share in percent, NOTHING where no money is kept, and the most in hundredths."""
    return (NOTHING, 0) if keep is None else (keep.percent, keep.most_minor * WHOLE)


def carries(capacity: IntArray, keep: Keep | None, payments: IntArray) -> bool:
    """Whether payments, (T + 1,) or those of many, (n, T + 1), all can be carried. capacity: (T + 1,)."""
    return bool(carried(capacity, keep, np.atleast_2d(payments)).all())


def carried(capacity: IntArray, keep: Keep | None, payments: IntArray) -> Any:
    """(n,): whether each of (n, T + 1) payments can be carried."""
    return _carried(payments, capacity, *share_and_most(keep))


def set_aside(capacity: IntArray, keep: Keep, payments: IntArray) -> IntArray:
    """(T + 1,): the least that must stand aside at the end of each month for the rest of the payments, rounded up to
    whole minor units. Payments are such that can be carried."""
    needed = np.zeros(len(capacity), np.int64)
    for month in range(len(capacity) - 1, 0, -1):
        over = int(capacity[month] - payments[month])
        here = int(needed[month])
        needed[month - 1] = max(0, here - keep.percent * over) if over >= 0 else here - WHOLE * over
    rounded: IntArray = -(-needed // WHOLE)
    return rounded


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def after(kept: int, over: int, share: int, limit: int) -> int:  # pragma: no cover - compiled
    """What is kept after a month that leaves so many minor units, or lacks them; below 0 where it cannot be borne."""
    if over < 0:
        return kept + WHOLE * over
    return kept if share == NOTHING else min(kept + share * over, limit)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _carried(payments: Any, capacity: Any, share: int, most: int) -> Any:  # pragma: no cover - compiled
    result = np.ones(len(payments), np.bool_)
    for row in range(len(payments)):
        result[row] = borne(payments[row], capacity, share, most)
    return result


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def borne(payments: Any, capacity: Any, share: int, most: int) -> bool:  # pragma: no cover - compiled
    """Whether payments of the first months can be carried."""
    over = capacity[0] - payments[0]
    if over < 0:
        return False
    kept = 0 if share == NOTHING else WHOLE * over
    limit = kept + most
    for month in range(1, len(payments)):
        kept = after(kept, capacity[month] - payments[month], share, limit)
        if kept < 0:
            return False
    return True
