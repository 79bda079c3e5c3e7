"""What a household has left: exact where nothing is uncertain, path by path against a plain loop elsewhere."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs
from outlook_samples import CERTAIN, case, house

from evenkeel.repayment.case import Between, Debt, Income, OneOff, Policy, Priority
from evenkeel.repayment.household.income import PRIORS, active, learned, stream
from evenkeel.repayment.household.outlook import outlook

SEASON = (0.7, *[1.0] * 11)
SMALL = {"months": 30, "draws": 8, "paths": 25}


# --- closed forms ----------------------------------------------------------------------------------------------------


def test_without_uncertainty_every_path_is_income_less_outgo_exactly() -> None:
    ahead = outlook(case(), priors=CERTAIN, **SMALL)
    assert (ahead.left == 600_000 + 150_000 - 180_000 - 150_000 - 20_000).all()
    assert (ahead.income == 750_000).all()
    assert ahead.questions == ()


def test_essentials_are_never_taken_below_the_protected_minimum() -> None:
    ahead = outlook(case(), 400_000, priors=CERTAIN, **SMALL)
    assert (ahead.left == 750_000 - 400_000 - 20_000).all()


def test_season_begin_and_end_follow_the_calendar() -> None:
    season = (0.5, 0.0, *[1.0] * 10)
    incomes = (
        Income(id="a", amount_minor=120_000, season=season),
        Income(id="b", amount_minor=300_000, from_on=date(2026, 5, 16), until_on=date(2026, 7, 31)),
    )
    ahead = outlook(case(household=house(incomes=incomes, essentials=(), priority=())), priors=CERTAIN, **SMALL)
    april, may, june, july, august = ahead.left[0, 0, :5]
    assert (april, june, july, august) == (120_000, 420_000, 420_000, 120_000)
    assert may == pytest.approx(120_000 + 300_000 * 16 / 31)
    january, february = ahead.left[0, 0, 9], ahead.left[0, 0, 10]
    assert (january, february) == (60_000, 0)


def test_arrears_of_priority_debts_take_the_start_and_then_whatever_months_leave() -> None:
    priority = (Priority(kind="rent", monthly_minor=0, arrears_minor=1_000_000, until_on=date(2026, 6, 30)),)
    ahead = outlook(case(household=house(priority=priority, savings_minor=150_000)), priors=CERTAIN, **SMALL)
    spare = 750_000 - 330_000
    assert (ahead.start_minor, ahead.arrears_minor) == (0, 850_000)
    assert ahead.left[0, 0, :4].tolist() == [0, 0, 3 * spare - 850_000, spare]


def test_money_that_comes_once_is_at_the_start_or_in_its_month() -> None:
    money = (OneOff(on=date(2026, 3, 24), amount_minor=1), OneOff(on=date(2026, 3, 25), amount_minor=20),
             OneOff(on=date(2026, 6, 1), amount_minor=300), OneOff(on=date(2040, 1, 1), amount_minor=9))  # fmt: skip
    ahead = outlook(case(household=house(one_off=money, savings_minor=70, reserve_minor=50)), priors=CERTAIN, **SMALL)
    assert ahead.start_minor == 21
    assert ahead.once[:4].tolist() == [20, 0, 300, 0]
    assert (ahead.left[0, 0] - 400_000).tolist() == ahead.once.tolist()


def test_what_is_only_known_between_two_amounts_costs_its_high_end() -> None:
    rent = Priority(kind="rent", monthly_minor=Between(low_minor=10, high_minor=50))
    ahead = outlook(case(household=house(priority=(rent,))), priors=CERTAIN, **SMALL)
    assert (ahead.left == 750_000 - 330_000 - 50).all()


def test_an_income_nobody_knows_brings_nothing_and_is_asked_for() -> None:
    ahead = outlook(case(household=house(incomes=(Income(id="x"),))), **SMALL)
    assert (ahead.income == 0).all()
    assert [(one.about, one.key, one.blocking) for one in ahead.questions] == [
        ("household.incomes.0.amount_minor", "repay.income.unknown", True)
    ]


def test_an_income_between_two_amounts_lies_between_them_in_every_draw() -> None:
    amount = Between(low_minor=100_000, high_minor=300_000)
    income = Income(id="x", amount_minor=amount, volatility=0.0, loss_annual=0.0)
    ahead = outlook(case(household=house(incomes=(income,))), **SMALL)
    assert 100_000 <= ahead.income.min() < 125_000
    assert 275_000 < ahead.income.max() <= 300_000


# --- a plain loop ----------------------------------------------------------------------------------------------------


def _path_by_path(of, income: Income, months: int, draws: int, paths: int) -> np.ndarray:
    """(draws, paths, months) of one income, one number at a time, from the same random numbers."""
    one = learned(income, of, draws)
    noise, chance = (stream(of.seed, "income", income.id, name) for name in ("months", "lost"))
    half = (paths + 1) // 2
    z = [noise.standard_normal((draws, half), np.float32) for _ in range(months + 1)]
    u = [chance.random((draws, paths), np.float32) for _ in range(months + 1)]
    calendar = active(income, of.as_of, range(1, months + 1))
    result = np.zeros((draws, paths, months))
    for d in range(draws):
        for p in range(paths):
            sign, place = (1, p) if p < half else (-1, p - half)
            here, x = not one.lost, 0.0
            for month in range(months + 1):
                step = sign * float(z[month][d, place]) * one.volatility[d]
                if month:
                    x = one.persistence[d] * x + step * (1 - one.persistence[d] ** 2) ** 0.5
                elif np.isnan(one.x[d]):
                    x = step
                else:
                    r = one.persistence[d] ** one.months_ago
                    x = r * one.x[d] + step * (1 - r * r) ** 0.5
                draw = float(u[month][d, p])
                here = draw < float(np.float32(1 - one.loss[d])) if here else draw < float(np.float32(one.found[d]))
                if month:
                    ratio = np.exp(x) if here else one.benefit[d]
                    result[d, p, month - 1] = one.scale * np.exp(one.level[d]) * ratio * calendar[month - 1]
    return result


@pytest.mark.parametrize(
    "income",
    [
        Income(id="wage", amount_minor=500_000, loss_annual=0.6),
        Income(id="shop", kind="business", history_minor=(90, 120, 100, 80, 0, 0, 130, 100, 95), season=SEASON),
        Income(id="lost", kind="gig", history_minor=(90_000, 120_000, 100_000, 80_000, 0, 0)),
    ],
    ids=lambda income: income.id,
)  # fmt: skip
def test_simulated_incomes_equal_a_loop_over_single_numbers(income: Income) -> None:
    of = case(seed=7, household=house(incomes=(income,), essentials=(), priority=()))
    ahead = outlook(of, months=15, draws=4, paths=7)
    slow = _path_by_path(of, income, 15, 4, 7)
    np.testing.assert_allclose(ahead.income, slow, rtol=2e-5)
    np.testing.assert_allclose(ahead.left, slow, rtol=2e-5)
    np.testing.assert_allclose(ahead.expected[0], slow.mean(axis=(0, 1)), rtol=2e-5)


def test_accidents_come_as_often_and_cost_as_much_as_stated() -> None:
    priors = replace(CERTAIN, small_monthly=0.3, large_monthly=0.05, accident_spread=0.0)
    ahead = outlook(case(), priors=priors, months=60, draws=20, paths=400)
    cost = 400_000 - ahead.left  # of 330,000 of essentials
    assert (cost > 0).mean() == pytest.approx(0.3, abs=0.003)
    assert cost.mean() == pytest.approx(330_000 * (0.3 * 0.1 + 0.05 * 0.7), rel=0.02)
    beyond = np.log(0.3 / 0.05) * 0.1 * 330_000
    assert (cost > beyond * (1 + 1e-6)).mean() == pytest.approx(0.05, abs=0.002)


def test_months_have_the_spread_and_persistence_that_was_learned() -> None:
    priors = replace(CERTAIN, persistence=(0.6,))
    income = Income(id="x", amount_minor=100_000, volatility=0.3)
    priors = replace(priors, volatility_told=0.0)
    ahead = outlook(case(household=house(incomes=(income,))), priors=priors, months=40, draws=10, paths=800)
    logs = np.log(ahead.income / 100_000)
    assert logs.std() == pytest.approx(0.3, abs=0.005)
    assert abs(logs.mean()) < 0.005
    assert np.corrcoef(logs[:, :, 4].ravel(), logs[:, :, 5].ravel())[0, 1] == pytest.approx(0.6, abs=0.03)


def test_a_lost_income_is_found_again_as_stated_and_pays_its_benefit_meanwhile() -> None:
    income = Income(id="x", amount_minor=100_000, volatility=0.0, loss_annual=1 - 0.97**12)
    priors = replace(PRIORS, level={"declared": 0.0}, loss_told_worth=1e6, out_worth=1e6, volatility_told=0.0)
    ahead = outlook(case(household=house(incomes=(income,))), priors=priors, months=60, draws=10, paths=1000)
    lost = ahead.income < 99_999
    assert lost[:, :, 40:].mean() == pytest.approx(0.03 / (0.03 + 0.2), abs=0.01)
    assert lost[:, :, 0].mean() == pytest.approx(1 - (0.97**2 + 0.03 * 0.2), abs=0.01)
    assert ahead.income.min() >= 0
    assert ahead.income[lost].max() <= 40_001


# --- common random numbers -------------------------------------------------------------------------------------------


def test_the_same_case_gives_the_same_bytes_and_another_seed_others() -> None:
    first, again, other = (outlook(case(seed=seed), **SMALL).left.tobytes() for seed in (3, 3, 4))
    assert first == again != other


def test_debts_creditors_and_policies_change_no_draw() -> None:
    debts = (Debt(id="d", creditor="someone", balance_minor=5_000_00),)
    bare, owing = case(), case(debts=debts, policies={"someone": Policy(most_months=12)}, role="clerk")
    assert outlook(bare, **SMALL).left.tobytes() == outlook(owing, **SMALL).left.tobytes()


def test_an_income_more_leaves_the_others_as_they_were() -> None:
    more = house(incomes=(Income(id="new", amount_minor=1_000), *house().incomes))
    few, many = outlook(case(), **SMALL), outlook(case(household=more), **SMALL)
    np.testing.assert_array_equal(few.expected, many.expected[1:])


def test_a_shorter_outlook_is_the_beginning_of_a_longer_one() -> None:
    shorter, longer = outlook(case(), months=12, draws=8, paths=25), outlook(case(), **SMALL)
    np.testing.assert_array_equal(shorter.left, longer.left[:, :, :12])


@given(st.integers(1, 10**7), st.lists(st.integers(0, 10**6), max_size=14), st.integers(0, 10**6), st.integers(0, 99))
@settings(max_examples=25, deadline=None)
def test_ten_times_the_amounts_leave_ten_times_as_much(amount: int, months: list[int], rent: int, seed: int) -> None:
    def of(times: int):
        incomes = (
            Income(id="a", amount_minor=times * amount),
            Income(id="b", kind="gig", amount_minor=times * 5, history_minor=tuple(times * m for m in months)),
        )
        priority = (Priority(kind="rent", monthly_minor=times * rent, arrears_minor=times * rent),)
        return case(seed=seed, household=house(incomes=incomes, essentials=(), priority=priority))

    once, ten = (outlook(of(times), 1_000 * times, months=6, draws=3, paths=4) for times in (1, 10))
    np.testing.assert_allclose(10 * once.left, ten.left, rtol=1e-9, atol=1e-4)


def test_odd_numbers_of_paths_and_an_empty_household_are_fine() -> None:
    empty = structs.replace(house(), incomes=(), essentials=(), priority=())
    ahead = outlook(case(household=empty), months=3, draws=2, paths=5)
    assert ahead.left.shape == (2, 5, 3)
    assert (ahead.left == 0).all()
