"""Money that is kept from month to month: every plan against all plans, and against another solver."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_brute import any_rows, cheapest, length, level_rows
from plan_cases import SURVIVAL, Drawn, cases, claim_of, judge, months_of
from plan_cases_kept import kept_any, kept_level
from plan_exact import exact_least
from plan_pot import least_aside, pot_of, short_months
from plan_verifier import plan_faults
from test_plan_brute import HIGH, SLOW, as_good_as_any_choice, free, needs_what_it_says

from evenkeel.repayment.case import Policy, Recovery
from evenkeel.repayment.choice.offer import Offer, offer
from evenkeel.repayment.choice.purse import carries
from evenkeel.repayment.model import HORIZON, Claim, Infeasible, Keep

HALF = Keep(percent=50, most_minor=30)


def test_the_pot_month_by_month():
    # 10 of the start, whole; half of 20; half of 100, but no more than 30 beside the 10; a month of nothing.
    assert pot_of([5, 0, 0, 40, 0], [15, 20, 100, 0, 1], HALF) == [1000, 2000, 4000, 0, 50]
    assert short_months([5, 0, 0, 41, 0], [15, 20, 100, 0, 1], HALF) == [3, 4]
    assert least_aside([5, 0, 0, 40, 0], [15, 20, 100, 0, 1], HALF, 2) == 40
    assert least_aside([5, 0, 0, 25, 0], [15, 20, 20, 0, 1], HALF, 1) == 15
    assert short_months([5, 0, 0, 1, 0], [5, 20, 100, 0, 1], None) == [3]


def test_half_a_unit_is_kept():
    level = Policy(terms=(2,), instalments="level", recovery=Recovery(0.0))
    claim, capacity = claim_of(8, 0, level), months_of(0)  # 4 and 4
    for first, feasible in ((7, False), (8, True)):
        capacity[1:3] = first, 2  # half of 3 is 1.5, half of 4 is 2
        assert isinstance(offer([claim], capacity, judge, keep=HALF), Offer) == feasible
    halves = claim_of(12, 0, Policy(terms=(3,), instalments="level", recovery=Recovery(0.0)))
    for first, feasible in ((4, False), (5, True)):
        capacity[1:4] = first, 5, 3  # half of 1 and half of 1 are 1
        assert isinstance(offer([halves], capacity, judge, keep=HALF), Offer) == feasible


def test_what_the_start_leaves_is_kept_whole_beside_the_most_of_months():
    level = Policy(terms=(4,), instalments="level", recovery=Recovery(0.0))
    claim = claim_of(40, 0, level)  # 10 a month
    for start, feasible in ((9, False), (10, True)):
        capacity = months_of(0, start)
        capacity[1:5] = 1000, 20, 0, 0  # 5 of 1000 a month, 20 in all, are too little without what the start leaves
        assert isinstance(offer([claim], capacity, judge, keep=Keep(1, 10)), Offer) == feasible


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW)
@given(kept_level())
def test_among_level_instalments_no_choice_is_better_with_a_pot(case: Drawn):
    as_good_as_any_choice(case)


@pytest.mark.prove
@settings(max_examples=3000, deadline=None, suppress_health_check=SLOW)
@given(kept_level())
def test_among_level_instalments_no_choice_is_better_with_a_pot_in_thousands(case: Drawn):
    as_good_as_any_choice(case)


@settings(max_examples=10, deadline=None, suppress_health_check=SLOW)
@given(kept_level(longest=6))
def test_one_unit_short_of_what_a_pot_needs_is_infeasible(case: Drawn):
    needs_what_it_says(case)


@pytest.mark.prove
@settings(max_examples=2000, deadline=None, suppress_health_check=SLOW)
@given(kept_level(longest=6))
def test_one_unit_short_of_what_a_pot_needs_is_infeasible_in_thousands(case: Drawn):
    needs_what_it_says(case)


@st.composite
def few_units(draw: st.DrawFn) -> tuple[Drawn, list[set[tuple[int, ...]]]]:
    """Creditors that take any amounts, some beside others that want them level, and all their schedules."""
    claims: tuple[Claim, ...] = draw(free((0, 0, 1, 2), (0, 0, HIGH)))
    survival = SURVIVAL.tolist()
    rows = [
        any_rows(claim, survival, None) if claim.policy.instalments == "any" else level_rows(claim, survival, None)
        for claim in claims
    ]
    return draw(kept_any(claims, rows)), rows


def as_good_as_any_payments_kept(case: Drawn, rows: list[set[tuple[int, ...]]]) -> None:
    """Feasible exactly when some whole payments are, and as cheap."""
    found, least = offer(case.claims, case.capacity, judge, keep=case.keep), cheapest(rows, case.months, case.keep)
    if isinstance(found, Infeasible):
        assert least is None
        return
    assert min(plan.paid_minor for plan in found.plans) == least
    for plan in found.plans:
        assert plan_faults(case.claims, case.months, case.survival, plan, keep=case.keep) == []


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW)
@given(few_units())
def test_among_any_amounts_no_payments_are_better_with_a_pot(drawn: tuple[Drawn, list[set[tuple[int, ...]]]]):
    as_good_as_any_payments_kept(*drawn)


@pytest.mark.prove
@settings(max_examples=3000, deadline=None, suppress_health_check=SLOW)
@given(few_units())
def test_among_any_amounts_no_payments_are_better_with_a_pot_in_thousands(
    drawn: tuple[Drawn, list[set[tuple[int, ...]]]],
):
    as_good_as_any_payments_kept(*drawn)


# ---- Whole cases ---------------------------------------------------------------------------------------------------

WHOLE = st.one_of(
    kept_level(sizes=(10**5, 2 * 10**6), most=6, longest=60, solver=exact_least),
    cases(instalments=("level",), sizes=(10**5, 2 * 10**6), most=6, fair=False),
)


def as_good_as_the_other_solver(case: Drawn) -> None:
    rows = [level_rows(claim, case.survival, case.role) for claim in case.claims]
    least = exact_least(rows, case.months, case.keep)
    found = offer(case.claims, case.capacity, judge, case.role, keep=case.keep)
    assert isinstance(found, Infeasible) == (least is None)
    if isinstance(found, Offer):
        assert min(plan.paid_minor for plan in found.plans) == least
        fewest = exact_least(rows, case.months, case.keep, length)
        assert min(sum(part.last_month for part in plan.parts) for plan in found.plans) == fewest


@settings(max_examples=15, deadline=None, suppress_health_check=SLOW)
@given(WHOLE)
def test_whole_cases_end_as_another_solver_says(case: Drawn):
    as_good_as_the_other_solver(case)


@pytest.mark.prove
@settings(max_examples=2000, deadline=None, suppress_health_check=SLOW)
@given(WHOLE)
def test_whole_cases_end_as_another_solver_says_in_thousands(case: Drawn):
    as_good_as_the_other_solver(case)


# ---- The same, otherwise -------------------------------------------------------------------------------------------


@st.composite
def eased(draw: st.DrawFn) -> tuple[Drawn, Drawn]:
    """A case, and the same with more in one place."""
    case = draw(st.one_of(kept_level(), cases(sizes=(30, 2000, 10**6), most=3, fair=False)))
    capacity, keep = case.capacity.copy(), case.keep or Keep(0, 0)
    more = draw(st.sampled_from((1, 2, 10, max(1, sum(claim.balance_minor for claim in case.claims) // 10))))
    match draw(st.sampled_from(("percent", "most", "start", "month"))):
        case "percent":
            keep = Keep(draw(st.integers(keep.percent, 100)), keep.most_minor)
        case "most":
            keep = Keep(keep.percent, keep.most_minor + more)
        case "start":
            capacity[0] += more
        case _:
            capacity[draw(st.integers(1, HORIZON))] += more
    return case, Drawn(case.claims, capacity, case.role, None, keep)


def no_worse_for_more(case: Drawn, more: Drawn) -> None:
    before, after = (offer(one.claims, one.capacity, judge, one.role, keep=one.keep) for one in (case, more))
    if isinstance(before, Offer):
        assert isinstance(after, Offer)
        assert min(plan.paid_minor for plan in after.plans) <= min(plan.paid_minor for plan in before.plans)


@settings(max_examples=12, deadline=None, suppress_health_check=SLOW)
@given(eased())
def test_to_keep_more_or_to_have_more_is_never_dearer(drawn: tuple[Drawn, Drawn]):
    no_worse_for_more(*drawn)


@pytest.mark.prove
@settings(max_examples=3000, deadline=None, suppress_health_check=SLOW)
@given(eased())
def test_to_keep_more_or_to_have_more_is_never_dearer_in_thousands(drawn: tuple[Drawn, Drawn]):
    no_worse_for_more(*drawn)


def same_without_a_pot(case: Drawn, keep: Keep) -> None:
    kept, plain = (offer(case.claims, case.capacity, judge, case.role, case.fairness, keep=one) for one in (keep, None))
    if isinstance(plain, Infeasible):
        assert isinstance(kept, Infeasible)
        return
    assert isinstance(kept, Offer)
    for one, other in zip(kept.plans, plain.plans, strict=True):
        assert one.names == other.names
        assert [part.payments.tolist() for part in one.parts] == [part.payments.tolist() for part in other.parts]


RISING = cases(instalments=("level",), sizes=(12, 500, 10**7), most=4, kept=False)
LARGE = st.builds(Keep, st.sampled_from((1, 50, 100)), st.sampled_from((1, 10**7)))
ANY = st.one_of(cases(kept=False), kept_level(keep=Keep(0, 0)))
NOTHING = st.sampled_from((Keep(0, 0), Keep(0, 100), Keep(100, 0)))


@settings(max_examples=10, deadline=None, suppress_health_check=SLOW)
@given(RISING, LARGE)
def test_where_no_month_is_lower_than_one_before_a_pot_changes_nothing(case: Drawn, keep: Keep):
    same_without_a_pot(replace(case, capacity=np.array([0, *sorted(case.months[1:])])), keep)


@settings(max_examples=10, deadline=None, suppress_health_check=SLOW)
@given(ANY, NOTHING)
def test_where_nothing_can_be_kept_a_pot_changes_nothing(case: Drawn, keep: Keep):
    same_without_a_pot(replace(case, capacity=np.array([0, *case.months[1:]])), keep)


@pytest.mark.prove
@settings(max_examples=1000, deadline=None, suppress_health_check=SLOW)
@given(RISING, LARGE, ANY, NOTHING)
def test_a_pot_that_nothing_is_drawn_from_changes_nothing_in_a_thousand(
    rising: Drawn, large: Keep, case: Drawn, nothing: Keep
):  # fmt: skip
    same_without_a_pot(replace(rising, capacity=np.array([0, *sorted(rising.months[1:])])), large)
    same_without_a_pot(replace(case, capacity=np.array([0, *case.months[1:]])), nothing)


# ---- One household by hand -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keep", "start", "enough"),
    [
        (None, 0, False),  # every second month has nothing
        (Keep(100, 2), 0, True),  # and lacks 2, which the month before it leaves
        (Keep(100, 1), 0, False),
        (Keep(99, 9), 0, False),
        (Keep(0, 9), 0, False),
        (Keep(50, 9), 6, True),  # 1 of the 2 that a good month leaves counts; the start has the other, six times
        (Keep(50, 9), 5, False),
        (Keep(0, 0), 12, True),  # what the start leaves is kept whole
        (Keep(0, 0), 11, False),
        (None, 12, False),
    ],
)
def test_two_a_month_from_four_and_nothing_in_turn(keep: Keep | None, start: int, enough: bool):
    policy = Policy(most_months=12, terms=(12,), instalments="level", recovery=Recovery(0.0))
    claim = Claim("d", "c", "bank_card", 0, 0, 0, 24, 0, policy, 12)
    capacity = np.array([start, *[4, 0] * (HORIZON // 2)])
    payments = np.array([0, *[2] * 12, *[0] * (HORIZON - 12)])
    assert carries(capacity, keep, payments) is enough
    assert isinstance(offer((claim,), capacity, judge, keep=keep), Offer) is enough
