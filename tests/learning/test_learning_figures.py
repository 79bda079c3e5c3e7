"""The figures of lessons against plain loops and closed forms."""

from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import Line as Account
from evenkeel.accounts.line.rules import line_rules
from evenkeel.accounts.products.reading import shipped
from evenkeel.kernel.errors import InvalidInput
from evenkeel.learning import figures

ON = date(2026, 3, 2)


def irr_monthly(payments: list[int], amount: int) -> float:
    """The monthly rate at which payments are worth an amount, by halving."""
    low, high = -0.5, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        worth = sum(paid / (1 + middle) ** month for month, paid in enumerate(payments, 1))
        low, high = (middle, high) if worth > amount else (low, middle)
    return low


@given(st.fractions(0, Fraction(1, 100), max_denominator=10**6))
def test_a_daily_rate_a_year_is_a_product_and_a_power(rate: Fraction) -> None:
    found, product = figures.yearly(rate), Fraction(1)
    for _ in range(365):
        product = (product * (1 + rate)).limit_denominator(10**30)
    assert found.simple == 365 * rate
    assert found.compound == pytest.approx(float(product) - 1, abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.integers(10_000, 10**9), st.integers(2, 36), st.integers(0, 200))
def test_a_fee_on_instalments_is_their_internal_rate(amount: int, count: int, basis_points: int) -> None:
    fee = Fraction(basis_points, 10_000)
    found = figures.by_fee(amount, count, fee, ON)
    each = [amount // count + (place < amount % count) + int(amount * fee + Fraction(1, 2)) for place in range(count)]
    assert found.first_minor == each[0]
    assert found.cost_minor == sum(each) - amount
    assert found.told == 12 * fee
    assert float(found.yearly.simple) == pytest.approx(12 * irr_monthly(each, amount), abs=1e-6)


def test_the_usual_fee_of_a_card_is_thirteen_per_cent() -> None:
    found = figures.by_fee(600_000, 12, Fraction(6, 1000), ON)
    assert round(float(found.yearly.simple), 4) == 0.1303  # against 7.2 % as it sounds


def test_a_loan_by_the_day_costs_what_its_instalments_come_to() -> None:
    found = figures.by_day_rate(480_000, 12, Fraction(9, 10_000), ON)
    days = [date(2026 + (month + 2) // 12, (month + 2) % 12 + 1, 2) for month in range(1, 13)]
    left, before, cost = Fraction(480_000), ON, Fraction(0)
    for day in days[:-1]:
        interest = Fraction(int(left * Fraction(9, 10_000) * (day - before).days + Fraction(1, 2)))
        left, cost, before = left + interest - found.first_minor, cost + interest, day
    cost += int(left * Fraction(9, 10_000) * (days[-1] - before).days + Fraction(1, 2))
    assert found.cost_minor == cost
    assert found.told == Fraction(9, 10_000) * 365


@pytest.mark.parametrize("amount", [1, 9_999, 1_000_000, 3_200_000])
@pytest.mark.parametrize("name", ["card", "pay_later"])
def test_a_bill_by_minimums_is_the_accounts_own_fold(name: str, amount: int) -> None:
    product = shipped(name)
    found = figures.by_minimum(product, amount, ON)
    account = Account(line_rules(product))
    opened = {"limit_minor": 10**12, "product": name}
    account.open(AccountFact("o", FactKind.OPENED, date(2026, 1, 2), details=opened))
    cut = next(
        date.fromordinal(bill) for bill, due in zip(*account.calendar, strict=True) if due == found.due_on.toordinal()
    )
    account.close(cut - timedelta(days=1))
    account.apply(AccountFact("p", FactKind.PURCHASE, cut, amount, {}))
    paid, number = [], 0
    while (sum(account.cells) or sum(account.v[k.ACCRUED : k.ACCRUED + 4]) or not paid) and number < 700:
        due = date.fromordinal(account.calendar[1][account.v[k.BILL]])
        account.close(due - timedelta(days=1))
        asked = account.bills[-1].minimum_minor
        if asked:
            account.apply(AccountFact(f"r{number}", FactKind.PAYMENT, due, asked, {}))
            paid.append(asked)
        number += 1
    assert found.due_on > ON
    assert found.least.first_minor == paid[0]
    assert found.least.months == len(paid)
    assert found.least.cost_minor == sum(paid) - amount
    assert found.full_minor == 0


def test_a_product_without_bills_has_no_minimum() -> None:
    with pytest.raises(InvalidInput):
        figures.by_minimum(shipped("cash_loan"), 1_000, ON)
    with pytest.raises(InvalidInput):
        figures.by_minimum(shipped("card"), 1_000, date.max)


@settings(deadline=None)
@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 10_000))
def test_one_amount_every_month_clears_or_never_does(balance: int, monthly: int, basis_points: int) -> None:
    found = figures.by_fixed(balance, monthly, Fraction(basis_points, 10_000))
    left, months, cost = balance, 0, 0
    while left and months < 600:
        interest = (2 * left * basis_points + 120_000) // 240_000
        months, cost, left = months + 1, cost + interest, max(0, left + interest - monthly)
    assert found.months == (None if left else months)
    if found.months:
        assert found.cost_minor == cost


@pytest.mark.parametrize(("missing", "fee"), [(0, 0), (1, 1_000), (62_000, 3_100), (10**9, 50_000)])
def test_the_late_fee_has_a_floor_and_a_cap(missing: int, fee: int) -> None:
    assert figures.late_fee(shipped("card"), missing) == fee
    assert figures.late_fee(shipped("pay_later"), missing) == 0
