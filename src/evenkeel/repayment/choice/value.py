"""What a debt is worth to its creditor, with a plan and without one: `repayment-and-collections` 1.4.

    with     sum_t alive_t x pay_t x d_t  +  sum_t broken_t x left_t x recovery x d_t
    without  balance x recovery

alive_t: that the plan is alive after month t; broken_t: that it breaks in month t; left_t: what is owed under the plan
before that month's payment; d_t: the creditor's discount; recovery: present value of what is collected of a unit of
debt, less what collecting costs. All of it is reckoned as of now.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np

from evenkeel.repayment.law.creditor import recovery as usual_recovery
from evenkeel.repayment.model import HORIZON, MILLION, Claim, FloatArray, IntArray

TOO_MUCH = 10**16  # a debt that grows beyond this is not paid by any plan
_YEAR = 12 * MILLION


@dataclass(frozen=True, slots=True)
class Worth:
    """How a creditor values money. alive, broken: (HORIZON + 1,), the present worth of a unit paid in a month if the
    plan is alive, and of a unit that is left if it breaks then. without_minor: of the debt as it is."""

    alive: FloatArray
    broken: FloatArray
    without_minor: int

    def with_plan(self, owed_minor: int, rate_micros: int, payments: IntArray) -> int:
        """Present value of a schedule: what is owed under it at the start, its rate, (HORIZON + 1,) payments."""
        value: float = _with_plan(owed_minor, rate_micros, payments, self.alive, self.broken)
        return round(value)


def interest(balance_minor: int, rate_micros: int) -> int:
    """Interest of a month, rounded half up."""
    return (balance_minor * rate_micros + 6 * MILLION) // _YEAR


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def grown(owed: int, rate: int) -> int:  # pragma: no cover - compiled
    """With the interest of a month, rounded half up; exact in 64 bits up to TOO_MUCH."""
    return owed + owed // _YEAR * rate + (owed % _YEAR * rate + _YEAR // 2) // _YEAR


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _with_plan(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    owed: int, rate: int, payments, alive, broken
):
    left, value = owed - payments[0], 0.0
    for month in range(1, len(payments)):
        if left <= 0:
            break
        left = grown(left, rate)
        value += broken[month] * left  # in this order everywhere, so that sums are the same
        value += alive[month] * payments[month]
        left -= payments[month]
    return value + payments[0]


def worth_of(claim: Claim, survival: FloatArray) -> Worth:
    """survival: (HORIZON + 1,), that a plan is alive after each month; 1 at the start."""
    recovery = claim.policy.recovery or usual_recovery(claim.days_past_due)
    rate = claim.policy.discount_annual
    discount = (1 + rate) ** (-np.arange(HORIZON + 1) / 12)
    collected = (1 + rate) ** (-np.arange(1, recovery.months + 1) / 12)
    share = recovery.share * (1 - recovery.cost_share) * float(collected.mean())
    breaks = np.zeros(HORIZON + 1)
    breaks[1:] = survival[:-1] - survival[1:]
    return Worth(survival * discount, breaks * discount * share, int(claim.balance_minor * share))
