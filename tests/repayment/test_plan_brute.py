"""Small cases against all their plans, one by one."""

from __future__ import annotations

from math import prod
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from plan_brute import any_rows, cheapest, fewest, level_rows, more_needed, soonest
from plan_cases import SURVIVAL, Drawn, cases, claim_of, judge, keeps, months_of
from plan_verifier import plan_faults

from evenkeel.repayment.case import Policy, Recovery
from evenkeel.repayment.choice.offer import Offer, offer
from evenkeel.repayment.model import Claim, Infeasible, Keep

SLOW = (HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large)
LEVEL = cases(instalments=("level",), sizes=(12, 500, 10**7), most=3, longest=12, fair=False)


def as_good_as_any_choice(case: Drawn) -> None:
    rows = [level_rows(claim, case.survival, case.role) for claim in case.claims]
    found = offer(case.claims, case.capacity, judge, case.role, keep=case.keep)
    least = cheapest(rows, case.months, case.keep)
    if isinstance(found, Infeasible):
        assert least is None
        return
    assert least == min(plan.paid_minor for plan in found.plans)
    assert soonest(rows, case.months, case.keep) == min(plan.months for plan in found.plans)
    assert fewest(rows, case.months, case.keep) == min(
        sum(part.last_month for part in plan.parts) for plan in found.plans
    )


@settings(max_examples=20, deadline=None, suppress_health_check=SLOW)
@given(LEVEL)
def test_among_level_instalments_no_choice_is_better(case: Drawn):
    as_good_as_any_choice(case)


@pytest.mark.prove
@settings(max_examples=3000, deadline=None, suppress_health_check=SLOW)
@given(LEVEL)
def test_among_level_instalments_no_choice_is_better_in_thousands(case: Drawn):
    as_good_as_any_choice(case)


TIGHT = cases(instalments=("level",), sizes=(12, 500, 10**7), most=3, longest=6, fair=False)


def needs_what_it_says(case: Drawn) -> None:
    """At the least capacity there is a plan, one unit below there is none; and that much is asked for."""
    rows = [level_rows(claim, case.survival, case.role) for claim in case.claims]
    assume(all(rows) and prod(map(len, rows)) <= 400)
    for kind in ("monthly", "start"):
        needed = more_needed(rows, case.months, kind == "start", case.keep)
        found = offer(case.claims, case.capacity, judge, case.role, keep=case.keep)
        assert isinstance(found, Infeasible) == (cheapest(rows, case.months, case.keep) is None)
        if isinstance(found, Infeasible):
            assert needed != 0
            assert [one.amount for one in found.changes if one.kind == kind] == ([] if needed is None else [needed])
            assert "capacity" in found.binding
        if needed is None:
            continue
        enough = case.capacity.copy()
        changed = slice(0, 1) if kind == "start" else slice(1, None)
        enough[changed] += needed
        exact = offer(case.claims, enough, judge, case.role, keep=case.keep)
        assert isinstance(exact, Offer)
        assert cheapest(rows, enough.tolist(), case.keep) == min(plan.paid_minor for plan in exact.plans)
        for plan in exact.plans:
            assert plan_faults(case.claims, enough.tolist(), case.survival, plan, case.role, keep=case.keep) == []
        if enough[changed].min() > 0:
            enough[changed] -= 1
            short = offer(case.claims, enough, judge, case.role, keep=case.keep)
            assert isinstance(short, Infeasible) == (cheapest(rows, enough.tolist(), case.keep) is None)
            assert not needed or isinstance(short, Infeasible)


@settings(max_examples=20, deadline=None, suppress_health_check=SLOW)
@given(TIGHT)
def test_one_unit_short_of_what_level_instalments_need_is_infeasible(case: Drawn):
    needs_what_it_says(case)


@pytest.mark.prove
@settings(max_examples=3000, deadline=None, suppress_health_check=SLOW)
@given(TIGHT)
def test_one_unit_short_of_what_level_instalments_need_is_infeasible_in_thousands(case: Drawn):
    needs_what_it_says(case)


HIGH = 3_000_000  # millionths a year


@st.composite
def free(draw: st.DrawFn, least: tuple[int, ...] = (0,), rates: tuple[int, ...] = (0,)) -> tuple[Claim, ...]:
    """Two or three debts of a few units; some creditors take any amounts, some want them level. least: instalments that
    are asked for at the least. rates: of interest, so high that it is not rounded to nothing."""
    kinds = draw(st.sampled_from((("any",), ("any", "level"))))
    policies = st.builds(
        Policy, most_months=st.integers(2, 4), terms=st.just((1, 2, 3, 4)), instalments=st.sampled_from(kinds),
        upfront_share=st.sampled_from((0.0, 0.0, 0.3)), discount_annual=st.sampled_from((0.0, 0.08, 0.5)),
        recovery=st.sampled_from((0.0, 0.6, 0.9)).map(lambda share: Recovery(share, 1)),
        minimum_instalment_minor=st.sampled_from(least),
        waivers=st.sampled_from(({}, {"fees": 1.0}, {"fees": 0.5, "principal": 0.25})),
    )  # fmt: skip
    return tuple(
        claim_of(
            draw(st.integers(1, 5)),
            draw(st.sampled_from(rates)),
            draw(policies),
            f"d{place}",
            fees_minor=draw(st.integers(0, 1)),
        )
        for place in range(draw(st.integers(2, 3)))
    )


def as_good_as_any_payments(claims: tuple[Claim, ...], random: Random, flat: bool, keep: Keep | None) -> None:
    """What each month can carry is just what payments drawn from all take: nothing is left over."""
    survival = SURVIVAL.tolist()
    rows = [
        any_rows(claim, survival, None) if claim.policy.instalments == "any" else level_rows(claim, survival, None)
        for claim in claims
    ]
    capacity = months_of(0)
    for row in [random.choice(sorted(some)) for some in rows]:
        capacity[: len(row)] += np.array(row)
    if flat:
        capacity[1:] = capacity[1:].max()
    found = offer(claims, capacity, judge, keep=keep)
    assert isinstance(found, Offer)
    assert min(plan.paid_minor for plan in found.plans) == cheapest(rows, capacity.tolist(), keep)
    for plan in found.plans:
        assert plan_faults(claims, capacity.tolist(), survival, plan, keep=keep) == []


@settings(max_examples=20, deadline=None, suppress_health_check=SLOW)
@given(free((0, 0, 1, 2), (0, 0, HIGH)), st.randoms(use_true_random=False), st.booleans(), keeps(2))
def test_among_any_amounts_no_payments_are_better(
    claims: tuple[Claim, ...], random: Random, flat: bool, keep: Keep | None
):  # fmt: skip
    as_good_as_any_payments(claims, random, flat, keep)


@pytest.mark.prove
@settings(max_examples=3000, deadline=None, suppress_health_check=SLOW)
@given(free((0, 0, 1, 2), (0, 0, HIGH)), st.randoms(use_true_random=False), st.booleans(), keeps(2))
def test_among_any_amounts_no_payments_are_better_in_thousands(
    claims: tuple[Claim, ...], random: Random, flat: bool, keep: Keep | None
):  # fmt: skip
    as_good_as_any_payments(claims, random, flat, keep)


def one_of_any(
    principal: int, fees: int, months: int, discount: float, recovered: float, waivers: dict[str, float], name: str
) -> Claim:  # fmt: skip
    policy = Policy(most_months=months, instalments="any", discount_annual=discount, recovery=Recovery(recovered, 1),
                    waivers=waivers)  # type: ignore[arg-type]  # fmt: skip
    return claim_of(principal, 0, policy, name, fees_minor=fees)


def test_whom_to_pay_first_and_what_each_waives_are_found_together():
    # The third waives its fee only if it is paid early, the first must be clear by month 2: every order by hand pays
    # one of the others too soon.
    claims = (
        one_of_any(3, 1, 2, 0.0, 0.6, {}, "first"),
        one_of_any(2, 1, 4, 0.5, 0.0, {"fees": 0.5, "principal": 0.25}, "second"),
        one_of_any(5, 1, 4, 0.5, 0.9, {"fees": 1.0}, "third"),
    )
    capacity = months_of(0)
    capacity[:5] = 1, 5, 2, 3, 2
    found = offer(claims, capacity, judge)
    assert isinstance(found, Offer)
    assert min(plan.paid_minor for plan in found.plans) == 12


def test_large_amounts_are_paid_out_in_whole_units_after_what_is_found():
    claims = (
        one_of_any(3 * 10**5, 10**5, 2, 0.0, 0.6, {}, "first"),
        one_of_any(2 * 10**5, 10**5, 4, 0.5, 0.0, {}, "second"),
        one_of_any(5 * 10**5, 10**5, 4, 0.5, 0.8, {"fees": 1.0}, "third"),
    )
    capacity = months_of(0)
    capacity[:5] = 10**5, 5 * 10**5, 2 * 10**5, 3 * 10**5, 2 * 10**5
    found = offer(claims, capacity, judge)
    assert isinstance(found, Offer)
    assert min(plan.paid_minor for plan in found.plans) == 12 * 10**5
    for plan in found.plans:
        assert plan_faults(claims, capacity.tolist(), SURVIVAL.tolist(), plan) == []


def test_a_plan_that_no_order_by_hand_comes_to_is_found():
    claims = (
        one_of_any(5, 0, 4, 0.08, 0.9, {"fees": 1.0}, "first"),
        one_of_any(5, 1, 4, 0.5, 0.9, {"fees": 1.0}, "second"),
        one_of_any(4, 0, 2, 0.08, 0.9, {"fees": 0.5, "principal": 0.25}, "third"),
    )
    capacity = months_of(0)
    capacity[:5] = 3, 3, 2, 3, 2
    found = offer(claims, capacity, judge)
    assert isinstance(found, Offer)
    assert min(plan.paid_minor for plan in found.plans) == 13


@pytest.mark.parametrize("recovered", range(70, 100, 3))
def test_a_dearer_concession_that_is_lighter_on_the_months_is_not_lost(recovered: int):
    # A waiver at 60 % a year costs less in all than a rate of 0 without one, and more every month.
    policy = Policy(
        terms=(10,), instalments="level", upfront_share=0.5, rates=(0.0,), waivers={"interest": 1.0},
        recovery=Recovery(recovered / 100, 1),
    )  # fmt: skip
    claim, capacity = claim_of(800, 600_000, policy, interest_minor=200), months_of(50, 500)
    least = cheapest([level_rows(claim, SURVIVAL.tolist(), None)], capacity.tolist())
    found = offer([claim], capacity, judge)
    assert least is not None
    assert isinstance(found, Offer)
    assert min(plan.paid_minor for plan in found.plans) == least
