"""What a debt is worth to its creditor, with a plan and without one: `repayment-and-collections` 1.4.

    with     sum_t alive_t x pay_t x d_t  +  sum_t broken_t x left_t x recovery x d_t
    without  balance x recovery

alive_t: that the plan is alive after month t; broken_t: that it breaks in month t; left_t: what is owed under the plan
before that month's payment; d_t: the creditor's discount; recovery: present value of what is collected of a unit of
debt, less what collecting costs. All of it is reckoned as of now.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evenkeel.repayment.case import Recovery
from evenkeel.repayment.model import HORIZON, MILLION, Claim, FloatArray, IntArray

# What is recovered without a plan, by days past due from which it holds, where a creditor's policy does not say: share
# of the balance, over how many months, cost of collecting as a share of it. A judgement, in the order of what lenders
# report (recovery falls by stage, cost rises); give `policy.recovery` for a creditor's own.
USUAL = (
    (0, Recovery(0.85, 12, 0.05)), (31, Recovery(0.65, 18, 0.10)), (61, Recovery(0.50, 24, 0.15)),
    (91, Recovery(0.35, 24, 0.20)), (181, Recovery(0.20, 36, 0.30)), (361, Recovery(0.10, 36, 0.35)),
)  # fmt: skip
_UNKNOWN = Recovery(0.50, 24, 0.15)  # where nobody knows how late it is


@dataclass(frozen=True, slots=True)
class Worth:
    """How a creditor values money. alive, broken: (HORIZON + 1,), the present worth of a unit paid in a month if the
    plan is alive, and of a unit that is left if it breaks then. without_minor: of the debt as it is."""

    alive: FloatArray
    broken: FloatArray
    without_minor: int

    def with_plan(self, owed_minor: int, rate_micros: int, payments: IntArray) -> int:
        """Present value of a schedule: what is owed under it at the start, its rate, (HORIZON + 1,) payments."""
        left, value = owed_minor - int(payments[0]), 0.0
        for month in range(1, len(payments)):
            if left <= 0:
                break
            left += interest(left, rate_micros)
            now = int(payments[month])
            value += float(self.broken[month]) * left  # in this order everywhere, so that sums are the same
            value += float(self.alive[month]) * now
            left -= now
        return round(value + int(payments[0]))


def interest(balance_minor: int, rate_micros: int) -> int:
    """Interest of a month, rounded half up."""
    return (balance_minor * rate_micros + 6 * MILLION) // (12 * MILLION)


def recovery_of(claim: Claim) -> Recovery:
    """What is recovered without a plan: the creditor's own figure, else a usual one for the days past due."""
    if claim.policy.recovery is not None:
        return claim.policy.recovery
    if claim.days_past_due is None:
        return _UNKNOWN
    return next(one for days, one in reversed(USUAL) if claim.days_past_due >= days)


def worth_of(claim: Claim, survival: FloatArray) -> Worth:
    """survival: (HORIZON + 1,), that a plan is alive after each month; 1 at the start."""
    recovery, rate = recovery_of(claim), claim.policy.discount_annual
    discount = (1 + rate) ** (-np.arange(HORIZON + 1) / 12)
    collected = (1 + rate) ** (-np.arange(1, recovery.months + 1) / 12)
    share = recovery.share * (1 - recovery.cost_share) * float(collected.mean())
    breaks = np.zeros(HORIZON + 1)
    breaks[1:] = survival[:-1] - survival[1:]
    return Worth(survival * discount, breaks * discount * share, int(claim.balance_minor * share))
