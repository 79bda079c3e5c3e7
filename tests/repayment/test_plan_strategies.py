"""The strategies by hand are what their words say, month by month."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan_cases import RATES, months_of
from plan_pot import holds
from plan_spared import most_spared
from plan_verifier import largest_remainder, left_of, pay_by_hand, spread, with_interest

from evenkeel.kernel.money import allocate
from evenkeel.repayment.choice.strategies import Owed, left_after, pay
from evenkeel.repayment.model import HORIZON, Keep

AMOUNTS = st.one_of(st.integers(0, 9), st.integers(0, 10**5), st.integers(0, 4 * 10**13))
DEBTS = st.lists(
    st.builds(Owed, AMOUNTS, st.sampled_from((*RATES, 1, 1_000_000_000)), AMOUNTS, AMOUNTS), min_size=1, max_size=8
)


STRATEGIES = ("pro_rata", "avalanche", "snowball")


def equal_to_the_plain_loop(debts: list[Owed], monthly: int, start: int) -> None:
    capacity = months_of(monthly, start)
    owed, rates = [debt.balance_minor for debt in debts], [debt.rate_micros for debt in debts]
    least, first = [debt.least_minor for debt in debts], [debt.start_minor for debt in debts]
    for strategy in STRATEGIES:
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


def drawn_with_a_pot(random: Random) -> tuple[list[Owed], list[int], Keep]:
    """A few debts of a few units, months low and high, and how they are kept."""
    most = random.choice((8, 20))
    debts = [
        Owed(random.randint(1, most), random.choice((0, 0, 240_000, 1_000_000)), random.choice((0, 1, 2, most // 4)),
             random.choice((0, 0, 0, 0, 1)))
        for _ in range(random.randint(1, 3))
    ]  # fmt: skip
    months = [random.choice((0, 1, 2, 4, most // 2)) for _ in range(random.randint(2, 7))]
    keep = Keep(random.choice((0, 1, 50, 80, 100, 100)), random.choice((0, 1, 3, most, 9 * most)))
    return debts, [random.choice((0, 0, 1, 3, most)), *months], keep


def as_much_as_can_be_spared(seed: int, count: int) -> None:
    """Every way of a strategy holds, and is the one that holds back least and latest; but for a few, where what is held
    back would have cleared the very debt that it is held for."""
    random, same, pots = Random(seed), 0, 0
    for _ in range(count):
        debts, capacity, keep = drawn_with_a_pot(random)
        columns = ([getattr(debt, name) for debt in debts] for name in ("balance_minor", "rate_micros", "least_minor"))
        owed, rates, least = columns
        first = [debt.start_minor for debt in debts]
        for strategy in STRATEGIES:
            paid = pay(debts, np.array(capacity), strategy, keep)
            expected = most_spared(owed, rates, least, first, capacity, strategy, keep)
            same += (None if paid is None else paid.tolist()) == expected
            pots += expected is not None and expected != pay_by_hand(owed, rates, least, first, capacity, strategy)
            if paid is not None:
                assert expected is not None
                by_month = paid.sum(axis=0).tolist()
                assert holds(by_month, capacity, keep)
                assert by_month <= np.sum(expected, axis=0).tolist()  # none pays more earlier
                assert spread_as_told(debts, paid.tolist(), strategy)
    assert same >= 0.99 * 3 * count
    assert pots >= 0.1 * 3 * count  # the pot matters


def spread_as_told(debts: list[Owed], paid: list[list[int]], strategy: str) -> bool:
    """Whether each month gives the least to each, and what is beyond by the strategy."""
    left, rates = [debt.balance_minor for debt in debts], [debt.rate_micros for debt in debts]
    for month in range(len(paid[0])):
        if month:
            left = [with_interest(one, rate) for one, rate in zip(left, rates, strict=True)]
        asked = [debt.least_minor if month else debt.start_minor for debt in debts]
        first = [min(one, other) for one, other in zip(left, asked, strict=True)]
        beyond = sum(row[month] for row in paid) - sum(first)
        extra = spread(beyond, [one - other for one, other in zip(left, first, strict=True)], rates, strategy)
        if [row[month] for row in paid] != [one + other for one, other in zip(first, extra, strict=True)]:
            return False
        left = [one - row[month] for one, row in zip(left, paid, strict=True)]
    return True


def test_with_a_pot_as_much_is_spared_as_can_be():
    as_much_as_can_be_spared(seed=1, count=1500)


@pytest.mark.prove
def test_with_a_pot_as_much_is_spared_as_can_be_in_thousands():
    as_much_as_can_be_spared(seed=2, count=5000)


@settings(max_examples=60, deadline=None)
@given(DEBTS, st.lists(AMOUNTS, min_size=2, max_size=12), st.sampled_from(((0, 100), (1, 100), (100, 0), (60, 9**9))))
def test_with_a_pot_large_amounts_hold_and_without_one_they_are_the_plain_loop(
    debts: list[Owed], season: list[int], kept: tuple[int, int]
):
    keep, nothing = Keep(*kept), Keep(0, 10**9)
    capacity = np.resize(np.array(season, np.int64), HORIZON + 1)
    capacity[0] = 0
    for strategy in STRATEGIES:
        paid = pay(debts, capacity, strategy, keep)
        if paid is not None and max(left_after(debt, row) for debt, row in zip(debts, paid, strict=True)) <= 10**15:
            assert holds(paid.sum(axis=0).tolist(), capacity.tolist(), keep)
            assert spread_as_told(debts, paid.tolist(), strategy)
        unstarted = [replace(debt, start_minor=0) for debt in debts]
        bare, plain = pay(unstarted, capacity, strategy, nothing), pay(unstarted, capacity, strategy)
        assert (None if bare is None else bare.tolist()) == (None if plain is None else plain.tolist())


def test_a_debt_beyond_all_bounds_is_no_plan():
    assert pay([Owed(10**13, 1_000_000_000)], months_of(0), "avalanche") is None


def test_a_creditor_that_takes_its_instalments_only_gets_no_more():
    debts = [Owed(600, 0, least_minor=10, more=False), Owed(100, 0)]
    paid = pay(debts, months_of(30), "snowball")
    assert paid is not None
    assert paid[0].tolist() == [0, *[10] * HORIZON]
    assert paid[1].tolist()[:7] == [0, 20, 20, 20, 20, 20, 0]


def test_as_wanted_pays_first_what_is_left_beyond_that_then_the_dearest():
    debts = [Owed(100, 0, deadline=3), Owed(100, 240_000, deadline=9)]
    wanted = np.full((2, HORIZON + 1), 200)
    wanted[0, 1:] = 75, 40, *[0] * (HORIZON - 2)
    paid = pay(debts, months_of(30), "as_wanted", wanted=wanted)
    assert paid is not None
    assert paid[:, 1:5].tolist() == [[25, 30, 30, 15], [5, 0, 0, 15]]


def test_what_is_held_elsewhere_is_saved_for_though_all_debts_here_are_clear():
    capacity = months_of(0, 30)
    capacity[1:6] = 10, -12, -12, 0, 0
    for owed in (11, 12):  # 19 and half of 10 are kept of what is there
        paid = pay([Owed(owed, 0)], capacity, "avalanche", Keep(50, 100))
        assert paid is not None
        assert paid[0].tolist() == [11, *[0] * HORIZON]


def test_savings_carry_level_instalments_for_years():
    """A household whose income ends after a month: what it has must last for all that is level, and no longer."""
    capacity = months_of(0, 2_205_643)
    capacity[1] = 669_323
    debts = [Owed(304_120, 120_000, 6_766, more=False), Owed(1_847_137, 120_000)]
    for strategy in ("pro_rata", "avalanche", "snowball"):
        paid = pay(debts, capacity, strategy, Keep(50, 0))
        assert paid is not None and [left_after(debt, row) for debt, row in zip(debts, paid, strict=True)] == [0, 0]
        assert paid[0, 1:45].tolist() == [6_766] * 44
        assert paid[0, 1:].sum() <= capacity[0] - paid[:, 0].sum() + capacity[1]
