"""The strategies by hand are what their words say, month by month."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_cases import RATES, months_of
from plan_verifier import largest_remainder, left_of, pay_by_hand

from evenkeel.kernel.money import allocate
from evenkeel.repayment.choice.strategies import Owed, left_after, pay
from evenkeel.repayment.model import HORIZON

AMOUNTS = st.one_of(st.integers(0, 9), st.integers(0, 10**5), st.integers(0, 4 * 10**13))
DEBTS = st.lists(
    st.builds(Owed, AMOUNTS, st.sampled_from((*RATES, 1, 1_000_000_000)), AMOUNTS, AMOUNTS), min_size=1, max_size=8
)


def equal_to_the_plain_loop(debts: list[Owed], monthly: int, start: int) -> None:
    capacity = months_of(monthly, start)
    owed, rates = [debt.balance_minor for debt in debts], [debt.rate_micros for debt in debts]
    least, first = [debt.least_minor for debt in debts], [debt.start_minor for debt in debts]
    for strategy in ("pro_rata", "avalanche", "snowball"):
        paid = pay(debts, capacity, strategy)
        expected = pay_by_hand(owed, rates, least, first, capacity.tolist(), strategy)
        lefts = [] if expected is None else [
            left_of(one, rate, row) for one, rate, row in zip(owed, rates, expected, strict=True)
        ]  # fmt: skip
        if max(lefts, default=0) > 10**15:  # beyond all bounds: what is paid of such a debt is nobody's plan
            continue
        assert (None if paid is None else paid.tolist()) == expected
        if paid is not None:
            assert [left_after(debt, row) for debt, row in zip(debts, paid, strict=True)] == lefts


@settings(max_examples=120, deadline=None)
@given(DEBTS, AMOUNTS, AMOUNTS)
def test_each_strategy_is_the_plain_loop(debts: list[Owed], monthly: int, start: int):
    equal_to_the_plain_loop(debts, monthly, start)


@pytest.mark.prove
@settings(max_examples=10_000, deadline=None)
@given(DEBTS, AMOUNTS, AMOUNTS)
def test_each_strategy_is_the_plain_loop_in_thousands(debts: list[Owed], monthly: int, start: int):
    equal_to_the_plain_loop(debts, monthly, start)


@settings(max_examples=120, deadline=None)
@given(st.lists(AMOUNTS, min_size=1, max_size=9).filter(any), st.integers(0, 10**6))
def test_a_month_is_split_by_largest_remainder(balances: list[int], millionths: int):
    amount = sum(balances) * millionths // 10**6
    debts = [Owed(balance, 0) for balance in balances]
    paid = pay(debts, months_of(0, amount)[:1], "pro_rata")
    assert paid is not None
    assert paid[:, 0].tolist() == allocate(amount, balances) == largest_remainder(amount, balances)


def test_a_debt_beyond_all_bounds_is_no_plan():
    assert pay([Owed(10**13, 1_000_000_000)], months_of(0), "avalanche") is None


def test_a_creditor_that_takes_its_instalments_only_gets_no_more():
    debts = [Owed(600, 0, least_minor=10, more=False), Owed(100, 0)]
    paid = pay(debts, months_of(30), "snowball")
    assert paid is not None
    assert paid[0].tolist() == [0, *[10] * HORIZON]
    assert paid[1].tolist()[:7] == [0, 20, 20, 20, 20, 20, 0]
