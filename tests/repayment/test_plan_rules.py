"""Every plan keeps every rule to the minor unit, by a verifier that shares nothing with the planner."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from plan_cases import Drawn, cases, judge
from plan_verifier import (
    name_faults,
    parts_faults,
    pay_by_hand,
    plan_faults,
    recovered_share,
    share_up,
    worth_with,
)

from evenkeel.repayment.choice.offer import offer
from evenkeel.repayment.model import STRATEGIES, Asked, Claim, Infeasible, Part

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)


def held_to_account(case: Drawn) -> None:
    """Plans offered, and those by hand, of one case."""
    given_plans = offer(case.claims, case.capacity, judge, case.role, case.fairness, keep=case.keep)
    if isinstance(given_plans, Infeasible):
        assert given_plans.binding
        return
    rules = (case.claims, case.months, case.survival)
    for plan in given_plans.plans:
        assert plan_faults(*rules, plan, case.role, case.fairness, case.keep) == []
        assert plan.chance == judge(plan.payments)
    assert list(given_plans.compared) == list(STRATEGIES)
    for strategy, compared in given_plans.compared.items():
        if case.keep is None:
            expected = by_hand(case, strategy)
            assert (compared is None) == (expected is None)
            if compared is not None and expected is not None:
                assert abs(compared.paid_minor - sum(part.paid_minor for part in expected)) <= len(case.claims)
        if compared is None:
            continue
        assert plan_faults(*rules, compared, case.role, case.fairness, case.keep) == []
        assert not any(part.asked.waived_minor for part in compared.parts)
    kept = [plan for plan in given_plans.compared.values() if plan is not None]
    assert list(name_faults(given_plans.plans, kept)) == []


def by_hand(case: Drawn, strategy: str) -> tuple[Part, ...] | None:
    """A strategy without concessions, written from its words, if it keeps all rules."""
    claims = case.claims
    if any(claim.policy.instalments != "any" for claim in claims):
        return None
    paid = pay_by_hand(
        [claim.balance_minor for claim in claims], [claim.rate_micros for claim in claims],
        [claim.policy.minimum_instalment_minor for claim in claims],
        [share_up(claim.balance_minor, claim.policy.upfront_share) for claim in claims], case.months, strategy,
    )  # fmt: skip
    if paid is None:
        return None
    parts = tuple(part_by_hand(claim, row, case) for claim, row in zip(claims, paid, strict=True))
    return None if parts_faults(claims, case.months, case.survival, parts, case.role, case.fairness) else parts


def part_by_hand(claim: Claim, row: list[int], case: Drawn) -> Part:
    """Payments as a part without concessions."""
    last = max((month for month, amount in enumerate(row) if amount), default=0)
    value = worth_with(claim, claim.balance_minor, claim.rate_micros, row, case.survival)
    without = int(claim.balance_minor * recovered_share(claim))
    asked = Asked({}, claim.rate_micros, last)
    return Part(claim.debt_id, claim.creditor, asked, np.array(row), round(value), without)


@settings(max_examples=20, deadline=None, suppress_health_check=SLOW)
@given(cases())
def test_every_plan_keeps_every_rule(case: Drawn):
    held_to_account(case)


@pytest.mark.prove
@settings(max_examples=3000, deadline=None, suppress_health_check=SLOW)
@given(cases())
def test_thousands_of_plans_keep_every_rule(case: Drawn):
    held_to_account(case)
