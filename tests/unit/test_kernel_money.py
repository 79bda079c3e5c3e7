"""Exact money: no float enters, every rounding has a name, parts sum."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_UP, Context, Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Money, Rounding, allocate, currency_exponent, estimate_to_minor, round_fraction

AMOUNTS = st.integers(-(10**15), 10**15)
DECIMALS = {
    Rounding.HALF_UP: ROUND_HALF_UP,
    Rounding.HALF_EVEN: ROUND_HALF_EVEN,
    Rounding.DOWN: ROUND_DOWN,
    Rounding.UP: ROUND_UP,
    Rounding.FLOOR: ROUND_FLOOR,
    Rounding.CEILING: ROUND_CEILING,
}


@given(AMOUNTS, st.sampled_from(list(Rounding)))
def test_rounding_agrees_with_the_decimal_standard(thousandths: int, rounding: Rounding) -> None:
    wanted = Decimal(thousandths).scaleb(-3).quantize(Decimal(1), DECIMALS[rounding], Context(prec=40))
    assert round_fraction(Fraction(thousandths, 1000), rounding) == int(wanted)


@given(AMOUNTS, st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_parts_sum_to_the_whole_and_are_within_one_of_their_share(amount: int, weights: list[int]) -> None:
    parts = allocate(amount, weights)
    assert sum(parts) == amount
    total = sum(weights) or len(weights)
    for part, weight in zip(parts, weights if sum(weights) else [1] * len(weights), strict=True):
        assert abs(part - Fraction(amount * weight, total)) < 1


@given(AMOUNTS, st.lists(st.integers(0, 100), min_size=1, max_size=8))
def test_a_part_without_weight_gets_nothing_and_signs_mirror(amount: int, weights: list[int]) -> None:
    assert allocate(-amount, weights) == [-part for part in allocate(amount, weights)]
    if sum(weights):
        assert all(part == 0 for part, weight in zip(allocate(amount, weights), weights, strict=True) if weight == 0)


@pytest.mark.parametrize("weights", [[], [1, -1]])
def test_an_amount_is_not_split_over_nothing_or_less(weights: list[int]) -> None:
    with pytest.raises(InvalidInput):
        allocate(100, weights)


@given(AMOUNTS, AMOUNTS, st.integers(-1000, 1000))
def test_the_algebra_of_money(a: int, b: int, n: int) -> None:
    x, y = Money(a, "CNY"), Money(b, "CNY")
    assert (x + y).minor == a + b
    assert (x - y) + y == x
    assert (x * n).minor == a * n
    assert (x < y) == (a < b)
    assert (x <= y) == (a <= b)
    assert (-x).minor == -a
    if b:
        assert x / y == Fraction(a, b)


@pytest.mark.parametrize("minor", [1.0, True, "1", None, Decimal(1)])
def test_money_is_a_whole_number_and_nothing_that_looks_like_one(minor: object) -> None:
    with pytest.raises(InvalidInput):
        Money(minor, "CNY")  # type: ignore[arg-type]


def test_money_of_two_currencies_is_not_added_or_compared_and_not_multiplied_by_floats() -> None:
    yuan, dollar = Money(1, "CNY"), Money(1, "USD")
    with pytest.raises(InvalidInput):
        yuan + dollar
    with pytest.raises(InvalidInput):
        yuan < dollar  # noqa: B015
    with pytest.raises(InvalidInput):
        yuan * 1.5  # type: ignore[operator]
    with pytest.raises(InvalidInput):
        yuan / Money(0, "CNY")


@given(st.integers(-(10**14), 10**14), st.sampled_from(["CNY", "JPY", "KWD"]))
def test_money_is_parsed_exactly(minor: int, currency: str) -> None:
    text = format(Decimal(minor).scaleb(-currency_exponent(currency)), "f")
    assert Money.parse(text, currency) == Money(minor, currency)


@pytest.mark.parametrize("text", ["1,234.00", "1e5", "+5", " 5", "１２", ".5", "5.", "", "1.234", "NaN", "5\n"])
def test_what_is_not_an_amount_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        Money.parse(text, "CNY")


def test_money_reads_well() -> None:
    shown = [str(Money(*given)) for given in ((123456789, "CNY"), (-5, "CNY"), (1200, "JPY"), (5, "KWD"))]
    assert shown == ["1,234,567.89 CNY", "-0.05 CNY", "1,200 JPY", "0.005 KWD"]


@pytest.mark.parametrize("currency", ["cny", "CN", "CNYY", "人民币", "", "CN1", "CNY\n"])
def test_a_currency_is_three_capitals(currency: str) -> None:
    with pytest.raises(InvalidInput):
        currency_exponent(currency)


@given(st.floats(-1e15, 1e15))
def test_an_estimate_becomes_the_nearest_whole_unit(value: float) -> None:
    assert abs(Fraction(value) - estimate_to_minor(value)) <= Fraction(1, 2)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_an_estimate_that_is_not_finite_is_no_money(value: float) -> None:
    with pytest.raises(InvalidInput):
        estimate_to_minor(value)
