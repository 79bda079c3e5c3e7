"""The chance to finish a plan: by its rules, one path at a time; closed forms; and what must never get worse."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st
from msgspec import structs
from outlook_samples import case, given, house

from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.case import Income, Known
from evenkeel.repayment.household.chance import chance, interval, months_missed
from evenkeel.repayment.household.income import PRIORS
from evenkeel.repayment.household.outlook import budget, outlook

# --- one path at a time ----------------------------------------------------------------------------------------------


def _alive_month_by_month(left: list[float], payments: list[int], keep: float, most: float) -> list[bool]:
    """Whether a plan is alive after months 0..T on one path, told as plainly as can be."""
    kept, missed, alive = 0.0, [], [True]
    for month, due in enumerate(payments[1:]):
        over = left[month] - due
        missed.append(due > 0 and kept + over < 0)
        kept = min(max(kept + (over * keep if over > 0 else over), 0.0), most)
        in_row = missed[-1] and len(missed) > 1 and missed[-2]
        alive.append(alive[-1] and not in_row and sum(missed[-12:]) < PRIORS.in_year)
    return alive


@drawn(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 120), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_it_equals_a_loop_over_single_paths_exactly(seed: int, keep: float, most: int, months: int) -> None:
    rng = np.random.default_rng(seed)
    left = rng.integers(-60, 160, (3, 6, months)).astype(float)
    payments = rng.integers(0, 90, months + 1) * (rng.random(months + 1) < 0.8)
    payments[-1] = 50
    found = chance(given(left, float(most), keep), payments)
    slow = [_alive_month_by_month(path, payments.tolist(), keep, most) for path in left.reshape(-1, months).tolist()]
    np.testing.assert_allclose(found.survival, np.mean(slow, axis=0), rtol=1e-12)
    assert found.p == found.survival[-1]
    assert found.low <= found.p <= found.high


def test_a_household_that_has_just_enough_every_month_finishes_for_certain() -> None:
    found = chance(given(np.full((4, 5, 24), 100.0)), np.array([0, *[100] * 24]))
    assert (found.p, found.low, found.high) == (1.0, 1.0, 1.0)
    one_more = chance(given(np.full((4, 5, 24), 100.0)), np.array([0, *[101] * 24]))
    assert one_more.survival[:4].tolist() == [1.0, 1.0, 0.0, 0.0]


def test_what_is_kept_of_good_months_helps_up_to_its_bound() -> None:
    months = np.array([200.0, 60.0, 200.0, 40.0, 20.0, 200.0])
    payments = np.array([0, *[100] * 6])
    left = np.broadcast_to(months, (2, 2, 6))

    def missed(carry: float, keep: float) -> list[bool]:
        return [bool(one[0]) for one in months_missed(given(left, carry, keep), payments)]

    assert missed(0, 0.5) == [False, True, False, True, True, False]
    assert missed(50, 0.5) == [False, False, False, True, True, False]
    assert missed(60, 1.0) == [False, False, False, False, True, False]


def test_only_months_up_to_the_last_payment_count_and_a_month_without_one_is_never_missed() -> None:
    left = np.tile([-5.0, -5.0, 10.0, -5.0, -5.0], (2, 3, 1))
    found = chance(given(left), np.array([0, 0, 0, 10, 0, 0]))
    assert found.survival.tolist() == [1.0] * 6
    assert chance(given(left), np.array([7, 0, 0, 0, 0, 0])).p == 1.0


def test_a_plan_longer_than_the_outlook_is_refused() -> None:
    with pytest.raises(InvalidInput, match="month 6, but the outlook ends with month 5"):
        chance(given(np.zeros((2, 2, 5))), np.array([0, 0, 0, 0, 0, 0, 1]))


# --- closed forms ----------------------------------------------------------------------------------------------------


def _alive_of_independent_months(miss: float, months: int) -> float:
    """The chance that no two in a row and no three within twelve are missed: every course of the last eleven months."""
    states = {(): 1.0}
    for _ in range(months):
        following: dict[tuple[int, ...], float] = {}
        for (state, weight), missed in product(states.items(), (0, 1)):
            window = (*state, missed)[-12:]
            if sum(window) >= 3 or window[-2:] == (1, 1):
                continue
            key = window[-11:]
            following[key] = following.get(key, 0.0) + weight * (miss if missed else 1 - miss)
        states = following
    return sum(states.values())


@pytest.mark.parametrize(("miss", "months"), [(0.05, 12), (0.1, 24), (0.2, 36)])
def test_independent_months_agree_with_all_their_courses(miss: float, months: int) -> None:
    rng = np.random.default_rng(3)
    left = np.where(rng.random((10, 4000, months)) < miss, 0.0, 100.0)
    expected = _alive_of_independent_months(miss, months)
    found = chance(given(left), np.array([0, *[100] * months])).p
    assert found == pytest.approx(expected, abs=4 * np.sqrt(expected * (1 - expected) / 40_000))


def test_leaving_for_other_reasons_is_a_constant_hazard() -> None:
    found = chance(given(np.full((2, 2, 36), 9.0), drop=0.01), np.array([0, *[5] * 36]))
    np.testing.assert_allclose(found.survival, 0.99 ** np.arange(37))


def test_the_interval_covers_one_more_draw_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    hits, trials = 0, 1500
    for _ in range(trials):
        truth = rng.beta(rng.uniform(1, 6), rng.uniform(1, 4), 41)  # 40 draws, and the household as it is
        low, high = interval(rng.binomial(250, truth[:40]) / 250, 250)
        hits += low <= truth[40] <= high
    assert hits / trials == pytest.approx(0.9, abs=0.025)


def test_the_noise_of_simulation_is_taken_out_of_the_interval() -> None:
    rng = np.random.default_rng(2)
    low, high = interval(rng.binomial(250, np.full(40, 0.5)) / 250, 250)
    assert high - low < 0.05  # uncorrected: 0.1


# --- what must never get worse ---------------------------------------------------------------------------------------

SMALL = {"months": 36, "draws": 8, "paths": 40}
EPSILON = 1e-12


def _incomes(seed: int) -> tuple[Income, ...]:
    """One to three incomes of any kind."""
    rng = np.random.default_rng(seed)
    incomes = []
    for place in range(int(rng.integers(1, 4))):
        history = tuple(int(500_000 * value) for value in np.exp(0.3 * rng.standard_normal(int(rng.integers(0, 14)))))
        season = tuple(float(value) for value in rng.uniform(0.7, 1.2, 12)) if rng.random() < 0.3 else None
        incomes.append(
            Income(
                id=f"i{place}",
                kind=str(rng.choice(["wage", "gig", "business"])),  # type: ignore[arg-type]
                amount_minor=int(rng.integers(200_000, 900_000)),
                history_minor=history if rng.random() < 0.5 else (),
                season=season,
            )
        )
    return tuple(incomes)


def _times(income: Income, times: int) -> Income:
    amount: Known = income.amount_minor * times  # type: ignore[operator]
    return structs.replace(
        income, amount_minor=amount, history_minor=tuple(times * month for month in income.history_minor)
    )


@drawn(st.integers(0, 10**6), st.integers(0, 2), st.sampled_from([2, 3, 10]), st.floats(0.2, 1.3))
@settings(max_examples=40, deadline=None)
def test_the_same_payments_and_more_income_never_lower_it(seed: int, place: int, times: int, share: float) -> None:
    incomes = _incomes(seed)
    place %= len(incomes)
    more = tuple(_times(income, times) if k == place else income for k, income in enumerate(incomes))
    of, richer = (case(seed=seed, household=house(incomes=one)) for one in (incomes, more))
    ahead = outlook(of, **SMALL)
    payments = (budget(of, ahead).capacity * share).astype(np.int64) + 20_000
    fewer, many = chance(ahead, payments), chance(outlook(richer, **SMALL), payments)
    assert (many.survival >= fewer.survival - EPSILON).all()


@drawn(st.integers(0, 10**6), st.floats(0.2, 1.5))
@settings(max_examples=40, deadline=None)
def test_smaller_payments_never_lower_it(seed: int, share: float) -> None:
    of = case(seed=seed, household=house(incomes=_incomes(seed)))
    ahead = outlook(of, **SMALL)
    payments = (budget(of, ahead).capacity * share).astype(np.int64) + 20_000
    rng = np.random.default_rng(seed)
    smaller = (payments * np.where(rng.random(37) < 0.3, rng.choice([0.0, 0.3, 0.9], 37), 1.0)).astype(np.int64)
    heavy, light = chance(ahead, payments), chance(ahead, smaller)
    assert (light.survival >= heavy.survival - EPSILON).all()


@drawn(st.integers(0, 10**6), st.sampled_from([2, 3, 10]), st.integers(1, 36))
@settings(max_examples=60, deadline=None)
def test_a_plan_that_uses_the_whole_budget_is_no_less_safe_after_the_income_has_grown(
    seed: int, times: int, months: int
) -> None:
    incomes = _incomes(seed)
    found = []
    for factor in (1, times):
        of = case(seed=seed, household=house(incomes=tuple(_times(income, factor) for income in incomes)))
        ahead = outlook(of, **SMALL)
        payments = budget(of, ahead).capacity[: months + 1]
        if (payments[1:] == 0).any():
            return  # a month whose budget was nil may have one now
        found.append(chance(ahead, payments).p)
    whole_units = 2 / (SMALL["draws"] * SMALL["paths"])  # the budget is rounded down to them: two paths, at most
    assert found[1] >= found[0] - whole_units


@drawn(st.integers(0, 10**6), st.integers(0, 400_000))
@settings(max_examples=30, deadline=None)
def test_a_higher_minimum_never_raises_it(seed: int, minimum: int) -> None:
    of = case(seed=seed, household=house(incomes=_incomes(seed)))
    payments = np.array([0, *[60_000] * 36])
    free, held = (chance(outlook(of, least, **SMALL), payments) for least in (0, minimum))
    assert (held.survival <= free.survival + EPSILON).all()
