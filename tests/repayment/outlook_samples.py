"""Cases and outlooks that several tests use."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from evenkeel.repayment.case import Case, Essential, Household, Income, Priority
from evenkeel.repayment.household.income import PRIORS, Usual
from evenkeel.repayment.household.outlook import Outlook

AS_OF = date(2026, 3, 10)

# Nothing is uncertain: an income is what is told, is never lost, and nothing happens that nobody planned.
CERTAIN = replace(
    PRIORS,
    usual={kind: Usual(0.0, 0.0) for kind in PRIORS.usual},
    volatility_spread=0.0,
    level={"verified": 0.0, "statement": 0.0, "declared": 0.0},
    small_monthly=0.0,
    large_monthly=0.0,
    drop_monthly=0.0,
)


def house(**changes: object) -> Household:
    """Two incomes, rent and food."""
    given: dict[str, object] = {
        "incomes": (
            Income(id="wage", amount_minor=600_000, pay_day=10, evidence="statement"),
            Income(id="gig", kind="gig", amount_minor=150_000, pay_day=25),
        ),
        "essentials": (
            Essential(category="housing", amount_minor=180_000, pay_day=5),
            Essential(category="food", amount_minor=150_000),
        ),
        "priority": (Priority(kind="utilities", monthly_minor=20_000),),
    }
    return Household(**{**given, **changes})  # type: ignore[arg-type]


def case(seed: int = 0, household: Household | None = None, **changes: object) -> Case:
    """A case of that household, without debts."""
    given: dict[str, object] = {"case_id": "c", "as_of": AS_OF, "debts": (), "seed": seed}
    return Case(household=household or house(), **{**given, **changes})  # type: ignore[arg-type]


def given(left: np.ndarray, carry: float = 0.0, keep: float = 0.5, drop: float = 0.0) -> Outlook:
    """An outlook whose months are given: left (draws, paths, months)."""
    draws, _, months = left.shape
    nothing = np.zeros(months, np.int64)
    return Outlook(
        income=left,
        left=left.astype(np.float64),
        expected=np.zeros((0, months)),
        outgo=nothing,
        once=nothing,
        start_minor=0,
        arrears_minor=0,
        carry_minor=carry,
        alike=nothing,
        drop=np.full(draws, drop),
        priors=replace(PRIORS, keep_share=keep),
    )
