"""What a payment pays: any order, used up exactly, stable within an atom."""

from __future__ import annotations

from itertools import islice, permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.accounts.allocation import (
    ATOM_NAMES,
    ATOMS,
    Allocation,
    Future,
    Open,
    Processing,
    Rule,
    allocate_by_rate,
    allocate_payment,
    read_order,
)
from evenkeel.accounts.words import Component, Segment, Timing
from evenkeel.kernel.errors import InvalidInput

PAST, DUE, AHEAD = Timing
PENALTY, FEE, INTEREST, PRINCIPAL = Component

items = st.lists(
    st.builds(Open, st.sampled_from(Timing), st.sampled_from(Component), st.integers(1, 5_000), st.integers(0, 5)),
    max_size=12,
)
orders = st.permutations(ATOMS).map(tuple)


@given(items, st.integers(0, 60_000), orders, st.sampled_from(Future), st.sampled_from(Processing))
def test_every_order_uses_a_payment_up_exactly(
    open_: list[Open], amount: int, order: tuple[object, ...], future: Future, processing: Processing
) -> None:
    paid, left = allocate_payment(open_, amount, Rule(order, future), processing)  # type: ignore[arg-type]
    assert sum(paid) + left == amount
    assert all(0 <= part <= item.amount_minor for part, item in zip(paid, open_, strict=True))
    assert left == 0 or paid == [item.amount_minor for item in open_]


@given(items, st.integers(0, 60_000), orders)
def test_vertical_finishes_an_atom_before_the_next(open_: list[Open], amount: int, order: tuple[object, ...]) -> None:
    paid, _ = allocate_payment(open_, amount, Rule(order), Processing.VERTICAL)  # type: ignore[arg-type]
    rank = {atom: place for place, atom in enumerate(order)}
    unpaid = [
        rank[item.timing, item.component] for part, item in zip(paid, open_, strict=True) if part < item.amount_minor
    ]
    touched = [rank[item.timing, item.component] for part, item in zip(paid, open_, strict=True) if part]
    assert not unpaid or not touched or max(touched) <= min(unpaid)


def test_horizontal_finishes_an_instalment_and_vertical_a_component() -> None:
    open_ = [
        Open(PAST, INTEREST, 10, 0),
        Open(PAST, PRINCIPAL, 90, 0),
        Open(PAST, INTEREST, 9, 1),
        Open(PAST, PRINCIPAL, 91, 1),
    ]
    assert allocate_payment(open_, 105, Rule()) == ([10, 90, 5, 0], 0)
    assert allocate_payment(open_, 105, Rule(), Processing.VERTICAL) == ([10, 86, 9, 0], 0)


@pytest.mark.parametrize(
    ("future", "expected"),
    [(Future.NEXT, [100, 60, 0]), (Future.LAST, [0, 60, 100]), (Future.RE_AMORTISE, [53, 53, 54])],
)
def test_money_ahead_goes_where_the_rule_says(future: Future, expected: list[int]) -> None:
    open_ = [Open(AHEAD, PRINCIPAL, 100, group) for group in range(3)]
    assert allocate_payment(open_, 160, Rule(future=future)) == (expected, 0)


def test_equal_parts_are_shared_again_where_an_instalment_is_full() -> None:
    open_ = [Open(AHEAD, PRINCIPAL, amount, group) for group, amount in enumerate((10, 5, 100))]
    assert allocate_payment(open_, 63, Rule(future=Future.RE_AMORTISE)) == ([10, 5, 48], 0)


def test_what_is_past_due_and_due_comes_before_the_rule_for_the_future() -> None:
    open_ = [
        Open(PAST, FEE, 20, 0),
        Open(DUE, PRINCIPAL, 100, 1),
        Open(AHEAD, PRINCIPAL, 100, 2),
        Open(AHEAD, PRINCIPAL, 100, 3),
    ]
    assert allocate_payment(open_, 160, Rule(future=Future.LAST)) == ([20, 100, 0, 40], 0)


def test_segments_keep_their_order_within_an_atom() -> None:
    open_ = [Open(DUE, PRINCIPAL, 50, 0, Segment.CASH), Open(DUE, PRINCIPAL, 50, 0, Segment.PURCHASE)]
    assert allocate_payment(open_, 60, Rule()) == ([50, 10], 0)


def test_the_excess_goes_to_the_highest_rate_whatever_its_timing() -> None:
    open_ = [
        Open(DUE, PRINCIPAL, 50, 0, Segment.PURCHASE), Open(DUE, PRINCIPAL, 50, 0, Segment.CASH),
        Open(AHEAD, PRINCIPAL, 100, 1, Segment.PURCHASE), Open(AHEAD, PRINCIPAL, 100, 1, Segment.CASH),
    ]  # fmt: skip
    rates = {Segment.PURCHASE: 18, Segment.CASH: 24}
    first, left = allocate_payment(open_, 20, Rule())
    assert (first, left) == ([20, 0, 0, 0], 0)
    assert allocate_by_rate(open_, 170, rates, first) == ([40, 50, 0, 100], 0)
    assert allocate_by_rate(open_, 1_000, rates) == ([50, 50, 100, 100], 700)


def test_nothing_and_too_much() -> None:
    assert allocate_payment([], 7, Rule()) == ([], 7)
    assert allocate_payment([Open(DUE, FEE, 5)], 0, Rule()) == ([0], 0)
    with pytest.raises(InvalidInput, match="not -1"):
        allocate_payment([], -1, Rule())


@pytest.mark.parametrize("order", list(islice(permutations(ATOM_NAMES), 0, 400_000, 39_916)))
def test_any_order_is_read(order: tuple[str, ...]) -> None:
    assert [f"{atom.timing}_{atom.component}" for atom in read_order(order, "payment")] == list(order)


@pytest.mark.parametrize("place", range(12))
def test_a_missing_or_doubled_atom_is_refused(place: int) -> None:
    missing = [name for number, name in enumerate(ATOM_NAMES) if number != place]
    with pytest.raises(InvalidInput, match=f"payment lacks {ATOM_NAMES[place]}"):
        read_order(missing, "payment")
    with pytest.raises(InvalidInput, match="stands twice"):
        read_order([*missing, missing[0]], "payment")
    with pytest.raises(InvalidInput, match="`due_tip` is no step"):
        read_order([*missing, "due_tip"], "payment")
    with pytest.raises(InvalidInput, match="lacks"):
        Rule(ATOMS[:place] + ATOMS[place + 1 :])


def test_a_type_of_transaction_has_its_own_rule_or_the_default() -> None:
    goodwill = Rule(future=Future.LAST)
    rules = Allocation(by_type={"refund_goodwill": goodwill})
    assert rules.rule("refund_goodwill") is goodwill
    assert rules.rule("payment") is rules.default
