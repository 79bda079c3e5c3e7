"""Why there is no plan: a smallest set of facts, and the least that would help, both held to what they say."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from plan_cases import Drawn, cases, judge
from plan_verifier import terms_of

from evenkeel.repayment.case import Recovery
from evenkeel.repayment.choice.offer import offer
from evenkeel.repayment.model import HORIZON, Change, Claim, Infeasible

SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
CASES = cases(sizes=(30, 2000, 10**6), most=3, steady=True)
USUAL = (1, 2, 3, 6, 9, 12, 18, 24, 30, 36, 48, 60)


def infeasible(case: Drawn) -> bool:
    """Whether no plan is offered; not why, which takes long."""
    with patch("evenkeel.repayment.choice.offer.why_not", return_value=Infeasible((), ())):
        return isinstance(
            offer(case.claims, case.capacity, judge, case.role, case.fairness, keep=case.keep), Infeasible
        )


def without(case: Drawn, gone: Collection[str]) -> Drawn:
    """The case without some demands."""

    def freed(claim: Claim) -> Claim:
        changed: dict[str, object] = {}
        if f"terms:{claim.debt_id}" in gone:
            lengths = tuple(sorted({*terms_of(claim), *USUAL} - {0}))
            changed |= {"most_months": HORIZON, "terms": lengths, "instalments": "any"}
            claim = replace(claim, most_months=HORIZON)
        if f"minimum:{claim.debt_id}" in gone:
            changed["minimum_instalment_minor"] = 0
        if f"start:{claim.debt_id}" in gone:
            changed["upfront_share"] = 0.0
        if f"value:{claim.debt_id}" in gone:
            changed["recovery"] = Recovery(0.0)
        return replace(claim, policy=msgspec.structs.replace(claim.policy, **changed))

    capacity = case.capacity.copy()
    if "capacity" in gone:
        capacity += sum(claim.balance_minor for claim in case.claims)
    fairness = None if "fairness" in gone else case.fairness
    return replace(case, claims=tuple(map(freed, case.claims)), capacity=capacity, fairness=fairness)


def binds_and_is_smallest(case: Drawn, found: Infeasible) -> None:
    """With nothing else demanded there is no plan; with one of them less there is."""
    kinds = ("terms", "minimum", "start", "value")
    demands = {f"{kind}:{claim.debt_id}" for kind in kinds for claim in case.claims} | {"fairness", "capacity"}
    assert set(found.binding) <= demands
    others = demands - set(found.binding)
    assert infeasible(without(case, others)), "what binds does not bind"
    for one in found.binding:
        assert not infeasible(without(case, others | {one})), f"{one} need not be named"


def changed(case: Drawn, change: Change) -> Drawn:
    """The case after a change."""
    capacity, claims = case.capacity.copy(), list(case.claims)
    owed = sum(claim.balance_minor for claim in claims)
    if change.kind == "monthly":
        capacity[1:] += change.amount
    elif change.kind == "start":
        capacity[0] += change.amount
    for place, claim in enumerate(claims):
        if change.kind == "months":
            lengths = tuple({*terms_of(claim), *(one for one in USUAL if one < change.amount), change.amount} - {0})
            most = max(claim.policy.most_months, change.amount)
            policy = msgspec.structs.replace(claim.policy, most_months=most, terms=lengths)
            claims[place] = replace(claim, policy=policy, most_months=max(claim.most_months, change.amount))
        elif change.kind == "waiver":
            less = min(claim.principal_minor, change.amount * claim.balance_minor // owed)
            claims[place] = replace(claim, principal_minor=claim.principal_minor - less)
    return replace(case, capacity=capacity, claims=tuple(claims))


def helps_and_is_least(case: Drawn, change: Change) -> None:
    assert change.amount > 0
    assert not infeasible(changed(case, change)), f"{change} does not help"
    less = change.amount - told_to(case, change)
    if less > 0:
        assert infeasible(changed(case, replace(change, amount=less))), f"{change} is more than the least"


def told_to(case: Drawn, change: Change) -> int:
    """The unit; waivers to a 256th where amounts are large and some creditors take any of them."""
    free = any(claim.policy.instalments == "any" for claim in case.claims)
    large = sum(claim.balance_minor for claim in case.claims) > 1024
    return 1 + (change.amount >> 8) * 2 if change.kind == "waiver" and free and large else 1


def told_rightly(case: Drawn) -> None:
    assume(infeasible(case))
    found = offer(case.claims, case.capacity, judge, case.role, case.fairness, keep=case.keep)
    assert isinstance(found, Infeasible)
    binds_and_is_smallest(case, found)
    assert {"monthly", "start"} & {change.kind for change in found.changes}
    for change in found.changes:
        helps_and_is_least(case, change)


@settings(max_examples=8, deadline=None, suppress_health_check=SLOW)
@given(CASES)
def test_why_not_is_smallest_and_what_helps_is_least(case: Drawn):
    told_rightly(case)


@pytest.mark.prove
@settings(max_examples=1000, deadline=None, suppress_health_check=SLOW)
@given(CASES)
def test_why_not_is_smallest_and_what_helps_is_least_in_thousands(case: Drawn):
    told_rightly(case)
