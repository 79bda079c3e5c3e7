"""Rates, amounts and demands at their ends: a plan that keeps its promise, or an honest no; never a crash."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from plan_brute import cheapest, level_rows
from plan_cases import SURVIVAL, claim_of, judge, months_of
from plan_verifier import plan_faults

from evenkeel.repayment.case import Authority, Policy, Recovery
from evenkeel.repayment.choice.offer import Offer, offer
from evenkeel.repayment.model import HORIZON, Claim, Infeasible

LARGEST = 10**13
HUGE = 10**18  # no month ever runs out of it


def kept(claims: list[Claim], capacity: np.ndarray, role: str | None = None, fairness: float | None = None):
    """The offer, held to account; or why there is none."""
    found = offer(claims, capacity, judge, role, fairness)
    if isinstance(found, Infeasible):
        assert found.binding
        assert all(change.amount > 0 for change in found.changes)
        return found
    for plan in (*found.plans, *(one for one in found.compared.values() if one is not None)):
        assert plan_faults(claims, capacity.tolist(), SURVIVAL.tolist(), plan, role, fairness) == []
    return found


RATES = (0, 1, 240_000, 360_000, 10_000_000, 1_000_000_000)  # millionths a year: to 100,000 %
AMOUNTS = (1, 2, 7, 60, 10**6, LARGEST)
KINDS = ("level", "stepped", "any")


ENDS = [  # each rate with each amount of one kind; of the others only where all is proven
    pytest.param(*one, marks=() if (RATES.index(one[0]) + place) % 3 == KINDS.index(one[2]) else pytest.mark.prove)
    for place, amount in enumerate(AMOUNTS)
    for one in product(RATES, (amount,), KINDS)
]


@pytest.mark.parametrize(("rate", "amount", "kind"), ENDS)
def test_any_rate_and_amount_is_planned_or_refused(rate: int, amount: int, kind: str):
    policy = Policy(instalments=kind, recovery=Recovery(0.0), upfront_share=0.1)
    claims = [claim_of(amount, rate, policy, "a"), claim_of(max(1, amount // 3), 0, policy, "b")]
    for capacity in (months_of(0, 0), months_of(amount // 9, amount), months_of(0, HUGE), months_of(HUGE, HUGE)):
        found = kept(claims, capacity)
        if capacity[0] == HUGE:
            assert isinstance(found, Offer)
            assert min(plan.paid_minor for plan in found.plans) == amount + max(1, amount // 3)
        if kind == "level":
            rows = [level_rows(claim, SURVIVAL.tolist(), None) for claim in claims]
            assert (cheapest(rows, capacity.tolist()) is None) == isinstance(found, Infeasible)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("upfront", [0.333333, 0.9, 1.0])
def test_four_parts_of_the_largest_amount_are_planned(kind: str, upfront: float):
    policy = Policy(
        instalments=kind, recovery=Recovery(0.0), upfront_share=upfront, rates=(0.0,),
        waivers={"fees": 0.5, "interest": 1.0},
    )  # fmt: skip
    claim = claim_of(LARGEST, 360_000, policy, fees_minor=LARGEST, penalty_minor=LARGEST, interest_minor=LARGEST)
    found = kept([claim], months_of(0, 4 * LARGEST))
    assert isinstance(found, Offer)
    assert found.plans[0].paid_minor == 2 * LARGEST + LARGEST // 2
    if upfront < 1:
        assert isinstance(kept([claim], months_of(LARGEST // 2, 23 * LARGEST // 10)), Offer)


@pytest.mark.parametrize("kind", KINDS)
def test_without_capacity_a_plan_lacks_what_it_owes(kind: str):
    found = kept([claim_of(600, 0, Policy(instalments=kind, recovery=Recovery(0.0)))], months_of(0))
    assert isinstance(found, Infeasible)
    assert found.binding == ("capacity",)
    assert {change.kind: change.amount for change in found.changes} == {"monthly": 10, "start": 600}


def test_one_unit_is_paid_at_once():
    # Ten times a year on one unit: 0.83 a month, half up. One unit a month never clears it.
    assert kept([claim_of(1, 10_000_000)], months_of(2)).plans[0].paid_minor == 2
    assert isinstance(kept([claim_of(1, 10_000_000)], months_of(1)), Infeasible)
    assert kept([claim_of(1, 0)], months_of(1)).plans[0].paid_minor == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("fairness", [1.0, 1.1])
def test_equal_claims_are_served_alike(kind: str, fairness: float):
    policy = Policy(instalments=kind, recovery=Recovery(0.3))
    claims = [claim_of(60_000, 240_000, policy, f"d{place}") for place in range(4)]
    found = kept(claims, months_of(40_000, 10_000), fairness=fairness)
    assert isinstance(found, Offer)


@pytest.mark.parametrize("fairness", [1.0, 1.000001, 1.1, 3.0])
def test_shares_are_held_together_exactly(fairness: float):
    policy = Policy(instalments="level", recovery=Recovery(0.1), rates=(0.0, 0.03, 0.06), waivers={"interest": 0.5})
    claims = [
        claim_of(LARGEST // 7, 360_000, policy, "a", interest_minor=LARGEST // 50),
        claim_of(LARGEST // 11, 120_000, policy, "b", interest_minor=LARGEST // 90),
        claim_of(999_983, 0, policy, "c"),
    ]
    found = kept(claims, months_of(LARGEST // 150), fairness=fairness)
    assert isinstance(found, Offer) or "fairness" in found.binding


def test_nothing_owed_on_one_debt_leaves_the_others_fair():
    claims = [claim_of(0, 0, debt_id="nothing"), claim_of(600, 0, debt_id="a"), claim_of(300, 0, debt_id="b")]
    assert isinstance(kept(claims, months_of(15), fairness=1.1), Offer)


def test_an_authority_of_nothing_waives_nothing():
    policy = Policy(waivers={"fees": 1.0}, authority=(Authority("clerk", 0), Authority("head", 10**9)))
    claim = claim_of(1000, 0, policy, fees_minor=500)
    paid = {role: kept([claim], months_of(100), role).plans[0].paid_minor for role in ("clerk", "head", "nobody", None)}
    assert paid == {"clerk": 1500, "head": 1000, "nobody": 1500, None: 1500}


@pytest.mark.parametrize("kind", KINDS)
def test_where_no_term_fits_all_is_due_at_the_start(kind: str):
    claim = claim_of(1000, 0, Policy(terms=(36, 48), most_months=12, instalments=kind, recovery=Recovery(0.0)))
    found = kept([claim], months_of(999, 999))
    assert isinstance(found, Infeasible)
    assert set(found.binding) == {"terms:a", "capacity"}
    assert {one.kind: one.amount for one in found.changes if one.kind == "start"} == {"start": 1}
    assert isinstance(kept([claim], months_of(0, 1000)), Offer)


@pytest.mark.parametrize("kind", KINDS)
def test_all_at_the_start(kind: str):
    claim = claim_of(1000, 360_000, Policy(upfront_share=1.0, instalments=kind, recovery=Recovery(0.0)))
    assert kept([claim], months_of(0, 1000)).plans[0].months == 0
    short = kept([claim], months_of(10**6, 999))
    assert set(short.binding) == {"start:a", "capacity"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_minimum_above_the_debt_is_one_payment(kind: str):
    claim = claim_of(1000, 0, Policy(minimum_instalment_minor=5000, instalments=kind, recovery=Recovery(0.0)))
    assert kept([claim], months_of(1000)).plans[0].months == 1
    short = kept([claim], months_of(999))
    assert isinstance(short, Infeasible)
    assert set(short.binding) == {"minimum:a", "capacity"}


def many(count: int, kinds: tuple[str, ...] = KINDS) -> list[Claim]:
    """Creditors of all kinds."""
    return [
        claim_of(
            50_000 + 3777 * place, (0, 120_000, 180_000, 240_000, 360_000)[place % 5],
            Policy(instalments=kinds[place % len(kinds)], waivers={"fees": 1.0, "penalty": 1.0, "interest": 0.5},
                   rates=(0.0, 0.06), minimum_instalment_minor=100),
            f"d{place}", fees_minor=100 + 7 * place, penalty_minor=50 * place, interest_minor=1000 + 31 * place,
        )
        for place in range(count)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "kinds", [pytest.param(("any",), marks=pytest.mark.prove), pytest.param(("level",), marks=pytest.mark.prove), KINDS]
)
@pytest.mark.parametrize("share", [40, 80])
def test_sixty_creditors(kinds: tuple[str, ...], share: int):
    claims = many(60, kinds)
    capacity = months_of(sum(claim.balance_minor for claim in claims) // share)
    found = kept(claims, capacity)
    assert isinstance(found, Offer) == (share == 40)
    assert len(capacity) == HORIZON + 1
