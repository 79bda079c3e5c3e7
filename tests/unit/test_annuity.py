"""Equal instalments, exact to the minor unit: published schedules, and one schedule at a time in fractions."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from math import floor, lcm
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures import annuity
from evenkeel.measures.annuity import MOST, Instalments, equal_instalments, ipmt, pmt, ppmt

Row = tuple[int, int, int, int]

# --- the oracle: one schedule, one loop, fractions --------------------------------------------------------------------


def half_up(value: Fraction) -> int:
    return -half_up(-value) if value < 0 else floor(value + Fraction(1, 2))


def rows_of(principal: int, level: int, factors: Sequence[Fraction]) -> list[Row]:
    rows, balance = [], principal
    for place, factor in enumerate(factors, 1):
        interest = half_up(balance * factor)
        owed = balance + interest
        payment = owed if place == len(factors) else min(level, owed)
        balance = owed - payment
        rows.append((payment, interest, payment - interest, balance))
    return rows


def schedule_of(principal: int, factors: Sequence[Fraction]) -> list[Row]:
    discount, annuity_factor = Fraction(1), Fraction(0)
    for factor in factors:
        discount /= 1 + factor
        annuity_factor += discount
    level = half_up(principal / annuity_factor)
    rows = rows_of(principal, level, factors)
    while step := half_up(Fraction(rows[-1][0] - level, len(factors))):
        tried = rows_of(principal, level + step, factors)
        if not abs(tried[-1][0] - level - step) < abs(rows[-1][0] - level):
            break
        level, rows = level + step, tried
    return rows


def rows_in(found: Instalments, place: int) -> list[Row]:
    tables = (found.payment, found.interest, found.principal, found.balance)
    return list(zip(*(table[place].tolist() for table in tables), strict=True))


def agree(principals: list[int], numerators: Any, denominator: int) -> None:
    found = equal_instalments(principals, numerators, denominator)
    steps = np.broadcast_to(np.asarray(numerators), found.payment.shape)
    for place, principal in enumerate(principals):
        factors = [Fraction(int(numerator), denominator) for numerator in steps[place]]
        assert rows_in(found, place) == schedule_of(principal, factors), (principal, factors)


# --- published schedules ----------------------------------------------------------------------------------------------


def share_of_year(start: date, end: date, count: str, unit: str) -> Fraction:
    days = (end - start).days
    if count == "30/360" and "month" in unit:
        return Fraction(1, 12)
    if count == "ACTUAL/ACTUAL":  # a day of interest belongs to the date on which it ends
        ends = [start + timedelta(days=day + 1) for day in range(days)]
        return sum((Fraction(1, 366 if day.year % 4 == 0 else 365) for day in ends), Fraction(0))
    return Fraction(days, int(count.split("/")[1].removeprefix("DAYS_")))


def due(start: date, unit: str, place: int) -> date:
    number, name = unit.split()
    if name.startswith("month"):
        months = start.month - 1 + int(number) * place
        return start.replace(year=start.year + months // 12, month=months % 12 + 1)
    return start + timedelta(days=int(number) * place * (7 if name.startswith("week") else 1))


PLAIN = ("EMI-E2E-01", "EMI-E2E-03", "EMI-E2E-05", "EMI-E2E-09", "EMI-E2E-11", "EMI-E2E-13")


@pytest.mark.parametrize("case_id", PLAIN)
def test_a_published_schedule_is_met_to_the_cent(shared: Path, case_id: str) -> None:
    cases = json.loads((shared / "cases" / "loan_schedules.json").read_text(), parse_float=Fraction, parse_int=Fraction)
    case = next(case for case in cases["emi_e2e"] if case["id"] == case_id)
    terms, unit = case["inputs"], case["inputs"]["repay_every"]
    start = date.fromisoformat(terms["disbursed"])
    days = [due(start, unit, place) for place in range(int(terms["n_repayments"]) + 1)]
    rate = terms["annual_rate_pct"] / 100
    factors = [rate * share_of_year(one, two, terms["day_count"], unit) for one, two in pairwise(days)]
    denominator = lcm(*(factor.denominator for factor in factors))
    found = equal_instalments([int(terms["principal"] * 100)], [int(f * denominator) for f in factors], denominator)
    wanted = case["expected"][0]["schedule"]
    assert [row["due"] for row in wanted] == [day.isoformat() for day in days[1:]]
    assert rows_in(found, 0) == [
        tuple(int(row[name] * 100) for name in ("total_due", "interest", "principal", "balance")) for row in wanted
    ]


def test_a_changed_instalment_that_is_no_better_is_refused() -> None:
    found = equal_instalments([100_00], [15678 * days for days in (31, 29, 31, 30, 31, 30)], 100_000 * 365)
    assert found.payment.tolist() == [[1743] * 5 + [1747]]
    assert found.interest.tolist() == [[133, 105, 90, 66, 46, 22]]


def test_without_interest_the_principal_is_divided() -> None:
    found = equal_instalments([100_00, 12], [0, 0, 0], 1)
    assert found.payment.tolist() == [[3333, 3333, 3334], [4, 4, 4]]
    assert not found.interest.any()


# --- against the oracle -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("periods", [1, 2, 3, 6, 12, 24, 60])
def test_random_schedules_of_one_product(periods: int) -> None:
    rng = random.Random(periods)
    for _ in range(12):
        denominator = rng.choice([12, 1200, 120_000, 36_500, 36_600, 365_000_000])
        numerators = [rng.randint(0, max(1, denominator // rng.choice([3, 20, 100]))) for _ in range(periods)]
        principals = [rng.randint(0, rng.choice([50, 5000, 10**6, 10**9])) for _ in range(8)]
        agree(principals, numerators, denominator)


def test_random_schedules_that_each_have_their_rate() -> None:
    rng = random.Random(7)
    principals = [rng.randint(1, 10**7) for _ in range(1500)]
    rates = [rng.choice([0, rng.randint(1, 360_000)]) for _ in principals]
    agree(principals, [[rate * days for days in (31, 28, 31, 30, 31, 30)] for rate in rates], 365 * 10**6)


def test_small_amounts_where_every_rounding_shows() -> None:
    for periods in (1, 2, 3, 5, 12):
        for numerator in (0, 1, 2, 5, 10, 25):
            agree(list(range(80)), [numerator] * periods, 20)


def test_interest_of_exactly_a_half_is_rounded_up() -> None:
    # 1.5 % of 100 * odd is ...5 tenths: 1.5, 4.5, 7.5
    found = equal_instalments([100, 300, 500], [15], 1000)
    assert found.interest.ravel().tolist() == [2, 5, 8]


def test_an_instalment_of_exactly_a_half_is_rounded_up_before_it_is_smoothed() -> None:
    # P / (1/2 + 1/4) = 4 P / 3 has no halves; P / (2/3 + 4/9) = 0.9 P has them at P = 5, 15, 25 ...
    agree(list(range(5, 2000, 10)), [1, 1], 2)
    assert annuity._level(np.array([5, 15]), np.array([[1], [1]]), 2).tolist() == [5, 14]


def test_halves_are_decided_in_integers_where_floats_cannot_tell(monkeypatch: pytest.MonkeyPatch) -> None:
    """Instalments that float64 puts on the wrong side of a half, next to 10**15: found by search, then held exactly."""
    rng = random.Random(11)
    principals, numerators, denominator = [], [17, 19, 23], 1000
    over, under = annuity._annuity(numerators, denominator)
    for _ in range(4000):
        half = rng.randint(10**13, 10**14)
        principals.append((2 * half + 1) * over // (2 * under) + rng.randint(-1, 1))
    exact = [half_up(Fraction(principal * under, over)) for principal in principals]
    steps = np.array(numerators)[:, None]
    assert annuity._level(np.array(principals), steps, denominator).tolist() == exact
    monkeypatch.setattr(annuity, "_UNIT", 0.0)  # without the check the floats alone are wrong somewhere
    assert annuity._level(np.array(principals), steps, denominator).tolist() != exact


def test_amounts_beyond_int64_products_are_still_exact() -> None:
    agree([10**15, 10**15 - 1, 123_456_789_012_345], [31 * 1567, 29 * 1567, 31 * 1567], 365 * 10**6)
    assert annuity._kind(np.array([10**15]), np.array([[31 * 156_789]]), 365 * 10**6) is object


def test_blocks_do_not_show() -> None:
    rows = annuity._ROWS
    principals = np.arange(2 * rows + 3) * 7919 % 1_000_003
    steps = (np.arange(2 * rows + 3) * 104_729 % 30_000)[:, None] * np.array([31, 28, 31])
    whole = equal_instalments(principals, steps, 36_500_000)
    for place in (0, rows - 1, rows, 2 * rows - 1, 2 * rows, 2 * rows + 2):
        alone = equal_instalments(principals[place : place + 1], steps[place : place + 1], 36_500_000)
        assert rows_in(whole, place) == rows_in(alone, 0)


def test_nothing_gives_nothing() -> None:
    assert equal_instalments([], [1, 2], 100).payment.shape == (0, 2)
    assert not equal_instalments([0], [1, 2], 100).payment.any()


@pytest.mark.prove
def test_many_random_schedules() -> None:
    rng = random.Random(3)
    for _ in range(400):
        periods, denominator = rng.randint(1, 40), rng.choice([1200, 36_500_000, 365 * 366 * 1000])
        numerators = [rng.randint(0, denominator // 25) for _ in range(periods)]
        agree([rng.randint(0, 10 ** rng.randint(1, 9)) for _ in range(100)], numerators, denominator)


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("principals", "numerators", "denominator", "word"),
    [
        ([-1], [1], 100, "principal_minor"),
        ([100.0], [1], 100, "principal_minor"),
        ([True], [1], 100, "principal_minor"),
        ([None], [1], 100, "principal_minor"),
        ([Fraction(1, 2)], [1], 100, "principal_minor"),
        ([float("nan")], [1], 100, "principal_minor"),
        ([10**15 + 1], [1], 100, "principal_minor"),
        ([10**30], [1], 100, "principal_minor"),
        ([[100]], [1], 100, "principal_minor"),
        ([100], [-1], 100, "numerators"),
        ([100], [0.01], 100, "numerators"),
        ([100], [], 100, "at least one period"),
        ([100, 200], [[1, 2]], 100, "numerators"),
        ([100], [1], 0, "denominator"),
        ([100], [1], 100.0, "denominator"),
        ([100], [1], 10**16, "denominator"),
        ([MOST], [MOST] * 3, 1, "2**62"),
    ],
)
def test_what_cannot_be_is_refused_by_name(principals: Any, numerators: Any, denominator: Any, word: str) -> None:
    with pytest.raises(InvalidInput, match=word.replace("*", r"\*")):
        equal_instalments(principals, numerators, denominator)


# --- the usual formulas -----------------------------------------------------------------------------------------------


def by_field(name: str, rate: float, periods: int, present: float) -> float:
    if name == "pmt":
        return float(pmt(rate, periods, present))
    if name == "sum ipmt":
        return float(ipmt(rate, np.arange(1, periods + 1), periods, present).sum())
    return float({"ipmt(1)": ipmt, "ppmt(1)": ppmt}[name](rate, 1, periods, present))


def test_the_annuity_formulas_agree_with_numpy_financial_to_the_last_digit(shared: Path) -> None:
    vectors = json.loads((shared / "cases" / "loan_schedules.json").read_text())["other_vectors"]["numpy_financial"]
    assert len(vectors) == 6
    for one in vectors:
        assert by_field(one["fn"], one["rate"], one["nper"], one["pv"]) == one["value"], one


def test_a_payment_without_interest_is_a_share() -> None:
    assert float(pmt(0, 12, 1200)) == -100
    assert ipmt(0, [1, 12], 12, 1200).tolist() == [0, 0]
    assert ppmt(0, [1, 12], 12, 1200).tolist() == [-100, -100]


def test_interest_and_principal_make_the_payment_and_repay_the_loan() -> None:
    period = np.arange(1, 61)
    interest, principal = ipmt(0.015, period, 60, 50_000), ppmt(0.015, period, 60, 50_000)
    np.testing.assert_allclose(interest + principal, pmt(0.015, 60, 50_000), rtol=1e-13)
    assert principal.sum() == pytest.approx(-50_000, rel=1e-12)


@pytest.mark.parametrize("period", [0, 13])
def test_a_period_that_does_not_exist_is_refused(period: int) -> None:
    with pytest.raises(InvalidInput, match="period"):
        ipmt(0.01, period, 12, 1000)


def test_rates_may_be_arrays() -> None:
    assert pmt([0, 0.01], 6, -100).tolist() == [100 / 6, 17.254836671088107]
