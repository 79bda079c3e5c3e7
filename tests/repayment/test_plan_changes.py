"""What must not matter does not, and what must not hurt does not: a case changed, and its plans beside the first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_cases import Drawn, cases, claims_of, judge

from evenkeel.repayment.case import COMPONENTS, Authority, Component, Policy
from evenkeel.repayment.choice.offer import Offer, offer
from evenkeel.repayment.model import Claim, Infeasible, Plan

SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
SOME, MANY = 5, 1000


def offered(case: Drawn) -> Offer | Infeasible:
    return offer(case.claims, case.capacity, judge, case.role, case.fairness)


def told(plan: Plan | None, names: dict[str, str]) -> object:
    """A plan in words that do not depend on the order of debts, nor on which of two equal ones is which."""
    if plan is None:
        return None
    return plan.names, Counter(
        (names[part.debt_id], tuple(part.payments.tolist()), part.value_with_minor, str(part.asked))
        for part in plan.parts
    )


def alike(one: Offer | Infeasible, other: Offer | Infeasible, names: dict[str, str], others: dict[str, str]) -> None:
    """names, others: what each debt is called when only what tells it apart counts."""
    if isinstance(one, Infeasible) or isinstance(other, Infeasible):
        assert isinstance(one, Infeasible)
        assert isinstance(other, Infeasible)
        assert one.changes == other.changes
        assert sorted(kind.split(":")[0] for kind in one.binding) == sorted(
            kind.split(":")[0] for kind in other.binding
        )
        return
    assert [told(plan, names) for plan in one.plans] == [told(plan, others) for plan in other.plans]
    assert {name: told(plan, names) for name, plan in one.compared.items()} == {
        name: told(plan, others) for name, plan in other.compared.items()
    }


def nature(claim: Claim) -> str:
    """All of a claim but its names."""
    return repr(replace(claim, debt_id="", creditor=""))


def renaming_and_order_change_nothing(case: Drawn, random: Random) -> None:
    order = list(range(len(case.claims)))
    random.shuffle(order)
    claims = [replace(case.claims[place], debt_id=f"x{place * 7 % 5}{place}", creditor=f"y{place}") for place in order]
    alike(
        offered(case), offered(replace(case, claims=tuple(claims))), {one.debt_id: nature(one) for one in case.claims},
        {one.debt_id: nature(one) for one in claims},
    )  # fmt: skip


# ---- Scale ---------------------------------------------------------------------------------------------------------


def tenfold(case: Drawn) -> Drawn:
    """All amounts, those of policies too."""

    def claim_of(claim: Claim) -> Claim:
        authority = tuple(
            msgspec.structs.replace(one, most_minor=10 * one.most_minor) for one in claim.policy.authority
        )
        return replace(
            claim, fees_minor=10 * claim.fees_minor, penalty_minor=10 * claim.penalty_minor,
            interest_minor=10 * claim.interest_minor, principal_minor=10 * claim.principal_minor,
            policy=policy_of(claim, authority=authority),
        )  # fmt: skip

    return replace(case, claims=tuple(map(claim_of, case.claims)), capacity=10 * case.capacity)


def policy_of(claim: Claim, **changed: Any) -> Policy:
    return msgspec.structs.replace(claim.policy, **changed)


def without_minimum(case: Drawn) -> Drawn:
    claims = (replace(claim, policy=policy_of(claim, minimum_instalment_minor=0)) for claim in case.claims)
    return replace(case, claims=tuple(claims))


def cheapest(found: Offer | Infeasible) -> Plan | None:
    return None if isinstance(found, Infeasible) else found.plans[0]


def amounts_scale(case: Drawn) -> None:
    """With a unit of room for each instalment: what holds at one scale holds at the other."""
    case = without_minimum(case)
    large, count = tenfold(case), len(case.claims)
    pairs = [(offered(case), offered(replace(large, capacity=large.capacity + 10 * count)), 10, 1)]
    pairs += [(offered(large), offered(replace(case, capacity=case.capacity + count)), 1, 10)]
    for first, second, times, over in pairs:
        given_plan, found = cheapest(first), cheapest(second)
        if given_plan is not None:
            assert found is not None
            instalments = sum(int((part.payments > 0).sum()) for part in given_plan.parts)
            assert found.paid_minor * over <= given_plan.paid_minor * times + 10 * instalments


# ---- More and less -------------------------------------------------------------------------------------------------


def more_capacity_costs_no_more(case: Drawn, monthly: int, start: int) -> None:
    before = cheapest(offered(case))
    capacity = case.capacity + monthly
    capacity[0] = case.capacity[0] + start
    after = cheapest(offered(replace(case, capacity=capacity)))
    if before is not None:
        assert after is not None
        assert after.paid_minor <= before.paid_minor


def more_capacity_is_no_longer(case: Drawn, monthly: int, start: int) -> None:
    more_capacity_costs_no_more(case, monthly, start)
    before = cheapest(offered(case))
    capacity = case.capacity + monthly
    capacity[0] = case.capacity[0] + start
    after = cheapest(offered(replace(case, capacity=capacity)))
    assert before is None or after is None or after.months <= before.months


def an_extra_debt_is_no_cheaper(case: Drawn, extra: Claim) -> None:
    before, after = cheapest(offered(case)), cheapest(offered(replace(case, claims=(*case.claims, extra))))
    if after is not None:
        assert before is not None
        assert after.paid_minor >= before.paid_minor


def an_extra_debt_is_no_shorter(case: Drawn, extra: Claim) -> None:
    before, after = cheapest(offered(case)), cheapest(offered(replace(case, claims=(*case.claims, extra))))
    if after is not None:
        assert before is not None
        assert after.months >= before.months


def more_waiver_costs_no_more(case: Drawn, name: Component, share: float) -> None:
    case = without_minimum(case)
    claims = tuple(
        replace(claim, policy=policy_of(claim, waivers={
            **claim.policy.waivers, name: max(share, claim.policy.waivers.get(name, 0.0)),
        }))
        for claim in case.claims
    )  # fmt: skip
    before, after = cheapest(offered(case)), cheapest(offered(replace(case, claims=claims)))
    if before is not None:
        assert after is not None
        assert after.paid_minor <= before.paid_minor


def a_role_without_authority_gets_nothing(case: Drawn) -> None:
    claims = tuple(
        replace(claim, policy=policy_of(claim, authority=(Authority("clerk", 10**9),))) for claim in case.claims
    )
    strict = tuple(replace(claim, policy=policy_of(claim, waivers={})) for claim in claims)
    found = offered(replace(case, claims=claims, role="nobody"))
    expected = offered(replace(case, claims=strict, role="clerk"))
    if isinstance(found, Infeasible):
        assert found == expected
        return
    assert isinstance(expected, Offer)
    assert not any(part.asked.waived for plan in found.plans for part in plan.parts)
    assert [plan.paid_minor for plan in found.plans] == [plan.paid_minor for plan in expected.plans]


ALL = cases(sizes=(30, 2000, 10**7))
LEVEL = cases(instalments=("level",), sizes=(2000, 10**7), fair=False)
FREE = cases(instalments=("any",), sizes=(2000, 10**7), fair=False, steady=True, recovery=False)
GIVING = cases(sizes=(2000, 10**7), fair=False, recovery=False)
MONEY = (st.integers(0, 10**6), st.integers(0, 10**6))
CHECKS = [
    (renaming_and_order_change_nothing, (ALL, st.randoms(use_true_random=False))),
    (amounts_scale, (cases(("level", "any"), sizes=(10**6,), fair=False, recovery=False),)),
    (more_capacity_costs_no_more, (LEVEL, *MONEY)),
    (more_capacity_is_no_longer, (FREE, *MONEY)),
    (an_extra_debt_is_no_cheaper, (LEVEL, claims_of(9, ("level",), 10**6, 60))),
    (an_extra_debt_is_no_shorter, (FREE, claims_of(9, ("any",), 10**6, 60, recovery=False))),
    (more_waiver_costs_no_more, (GIVING, st.sampled_from(COMPONENTS), st.sampled_from((0.1, 0.6, 1.0)))),
    (a_role_without_authority_gets_nothing, (ALL,)),
]
NAMES = [check.__name__ for check, _ in CHECKS]


def hold(check: Callable[..., None], drawn: tuple[Any, ...], examples: int) -> None:
    settings(max_examples=examples, deadline=None, suppress_health_check=SLOW)(given(*drawn)(check))()


@pytest.mark.parametrize(("check", "drawn"), CHECKS, ids=NAMES)
def test_of_changed_cases(check: Callable[..., None], drawn: tuple[Any, ...]):
    hold(check, drawn, SOME)


@pytest.mark.prove
@pytest.mark.parametrize(("check", "drawn"), CHECKS, ids=NAMES)
def test_of_thousands_of_changed_cases(check: Callable[..., None], drawn: tuple[Any, ...]):
    hold(check, drawn, MANY)
