"""Prices prove that there is no choice, and the search finds the best one: both against all choices, one by one."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from plan_brute import any_rows
from plan_cases import SURVIVAL, claim_of
from plan_pot import holds

from evenkeel.repayment.case import Policy, Recovery
from evenkeel.repayment.choice.enumerate import Equal, choose, fitting
from evenkeel.repayment.choice.options import at_once
from evenkeel.repayment.choice.relaxed import Prices, lacking
from evenkeel.repayment.model import HORIZON, IntArray, Keep

MONTHS = 6
KEEPS = st.one_of(st.none(), st.builds(Keep, st.sampled_from((0, 33, 50, 100)), st.sampled_from((0, 1, 5, 40))))


def row(amounts: list[int]) -> list[int]:
    return amounts + [0] * (HORIZON + 1 - len(amounts))


@st.composite
def choices(draw: st.DrawFn) -> tuple[list[IntArray], IntArray, Keep | None]:
    """Payments of up to four creditors, and about what months need to carry one of each."""
    amounts = st.lists(st.integers(0, 20), min_size=MONTHS, max_size=MONTHS)
    blocks = [
        np.array([row(draw(amounts)) for _ in range(draw(st.integers(1, 6)))]) for _ in range(draw(st.integers(1, 4)))
    ]
    usual = 8 * len(blocks)
    capacity = np.array(
        [draw(st.integers(usual // 2, 2 * usual)) for _ in range(MONTHS)] + [0] * (HORIZON + 1 - MONTHS)
    )
    return blocks, capacity, draw(KEEPS)


def any_prices(draw: st.DrawFn) -> Prices:
    """Prices of the months, and of what may be kept, that nobody has reckoned."""
    drawn = [draw(st.lists(st.sampled_from((0.0, 0.5, 1.0, 2.0)), min_size=MONTHS, max_size=MONTHS)) for _ in range(2)]
    months, limits = (np.array(one + [0.0] * (HORIZON + 1 - MONTHS)) for one in drawn)
    return Prices(months, limits)


def carried(blocks: list[IntArray], capacity: IntArray, keep: Keep | None) -> list[tuple[int, ...]]:
    """All choices that can be carried."""
    return [
        picks
        for picks in product(*(range(len(block)) for block in blocks))
        if holds(
            np.sum([block[pick] for block, pick in zip(blocks, picks, strict=True)], axis=0).tolist(),
            capacity.tolist(), keep,
        )
    ]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(choices(), st.data(), st.booleans())
def test_whatever_prices_refuse_cannot_be_carried(
    drawn: tuple[list[IntArray], IntArray, Keep | None], data: st.DataObject, reckoned: bool
):
    blocks, capacity, keep = drawn
    prices = lacking(blocks, capacity, keep) if reckoned else data.draw(st.composite(any_prices)())
    able = carried(blocks, capacity, keep)
    if prices.refuse(blocks, capacity, keep):
        assert not able
    found, sure = fitting(blocks, capacity, keep, prices)
    assert sure
    assert tuple(found) in able if able else not found


@settings(max_examples=150, deadline=None)
@given(choices(), st.data(), st.sampled_from((None, 1.0, 1.1, 2.0)))
def test_the_choice_is_the_cheapest_of_all_with_equal_shares_or_without(
    drawn: tuple[list[IntArray], IntArray, Keep | None], data: st.DataObject, bound: float | None
):
    blocks, capacity, keep = drawn
    costs = [
        np.array(data.draw(st.lists(st.integers(0, 50), min_size=len(one), max_size=len(one))), float) for one in blocks
    ]
    shares = [block.sum(axis=1) / 40 for block in blocks]
    equal = None if bound is None else Equal(shares, bound)

    def even(picks: tuple[int, ...]) -> bool:
        got = [share[pick] for share, pick in zip(shares, picks, strict=True)]
        return bound is None or max(got) <= bound * min(got) + 1e-12

    def cost(picks: tuple[int, ...]) -> float:
        return sum(float(one[pick]) for one, pick in zip(costs, picks, strict=True))

    able = [picks for picks in carried(blocks, capacity, keep) if even(picks)]
    prices = data.draw(st.composite(any_prices)())
    found, sure = choose(costs, blocks, capacity, keep, prices, equal)
    assert sure
    assert found == [] if not able else cost(tuple(found)) == min(map(cost, able))
    assert not found or tuple(found) in able


@settings(max_examples=100, deadline=None)
@given(choices(), st.data())
def test_exchanges_make_a_choice_cheaper_and_leave_it_carried(
    drawn: tuple[list[IntArray], IntArray, Keep | None], data: st.DataObject
):
    blocks, capacity, keep = drawn
    able = carried(blocks, capacity, keep)
    assume(able and len(blocks) > 1)
    costs = [
        np.array(data.draw(st.lists(st.integers(0, 50), min_size=len(one), max_size=len(one))), float) for one in blocks
    ]
    known = data.draw(st.sampled_from(able))
    prices = lacking(blocks, capacity, keep)
    found, sure = choose(costs, blocks, capacity, keep, prices, known=[known], most=0)
    assert not sure
    assert tuple(found) in able

    def cost(picks: tuple[int, ...]) -> float:
        return sum(float(one[pick]) for one, pick in zip(costs, picks, strict=True))

    two_apart = [one for one in able if sum(a != b for a, b in zip(one, found, strict=True)) <= 2]
    assert cost(tuple(found)) <= cost(known)
    assert cost(tuple(found)) == min(map(cost, two_apart))


@settings(max_examples=100, deadline=None)
@given(
    st.integers(1, 6), st.sampled_from((0, 360_000, 3_000_000, 10_000_000)), st.integers(1, 4), st.data(),
    st.sampled_from((0.0, 0.3)), st.sampled_from(((), (0.0,), (0.5,))),
)  # fmt: skip
def test_any_amounts_are_no_less_than_a_mixture_of_all_at_once(
    principal: int, rate: int, longest: int, data: st.DataObject, upfront: float, rates: tuple[float, ...]
):
    policy = Policy(
        most_months=longest, instalments="any", upfront_share=upfront, rates=rates, waivers={"fees": 1.0},
        recovery=Recovery(0.0),
    )  # fmt: skip
    claim = claim_of(principal, rate, policy, fees_minor=1)
    rows = any_rows(claim, SURVIVAL.tolist(), None)
    assume(rows)
    prices = np.array(data.draw(st.lists(st.integers(0, 5), min_size=5, max_size=5)) + [0] * (HORIZON - 4))
    least = (at_once(claim, None, longest) @ prices).min()
    assert all(sum(one * other for one, other in zip(paid, prices.tolist(), strict=False)) >= least for paid in rows)
