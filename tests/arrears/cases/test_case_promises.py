"""Promises beside payments: kept, partly, broken, replaced; and no way of giving money would keep more of it."""

from datetime import UTC, date, datetime, time, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import maximum_flow

from evenkeel.arrears.cases.model import Paid, Promise
from evenkeel.arrears.cases.promises import match

DAY = date(2026, 3, 1)


def on(day: int) -> date:
    return DAY + timedelta(days=day)


def promise(name: str, made: int, until: int, amount: int | None, account: str | None = None) -> Promise:
    at = datetime.combine(on(made), time(9), UTC)
    return Promise(name, at, on(made), on(until), amount, account)


def paid(number: int, day: int, amount: int, account: str = "a") -> Paid:
    return Paid(number, account, amount, on(day))


@pytest.mark.parametrize(
    ("payments", "today", "verdict", "minor"),
    [
        ([], 5, "pending", 0), ([], 6, "broken", 0),
        ([paid(1, 5, 100)], 6, "kept", 100), ([paid(1, 6, 100)], 6, "broken", 0),
        ([paid(1, 0, 100)], 0, "kept", 100), ([paid(1, -1, 100)], 6, "broken", 0),
        ([paid(1, 2, 60)], 5, "pending", 60), ([paid(1, 2, 60)], 6, "partly", 60),
        ([paid(1, 2, 60), paid(2, 4, 40)], 4, "kept", 100), ([paid(1, 2, 500)], 4, "kept", 100),
    ],
)  # fmt: skip
def test_money_counts_from_the_day_of_the_promise_through_its_last(
    payments: list[Paid], today: int, verdict: str, minor: int
) -> None:
    (found,) = match([promise("p", 0, 5, 100)], payments, on(today))
    assert (found.verdict, found.paid_minor) == (verdict, minor)


def test_a_promise_on_one_debt_is_kept_by_money_on_that_debt() -> None:
    promises = [promise("p", 0, 5, 100, "a"), promise("q", 0, 5, 100, "b")]
    assert [one.verdict for one in match(promises, [paid(1, 1, 100, "b")], on(6))] == ["broken", "kept"]


def test_a_promise_without_an_amount_is_kept_by_any_payment() -> None:
    assert match([promise("p", 0, 5, None)], [paid(1, 1, 1)], on(6))[0].verdict == "kept"
    assert match([promise("p", 0, 5, None)], [], on(6))[0].verdict == "broken"


def test_a_later_promise_takes_the_place_of_one_that_is_not_over() -> None:
    promises = [promise("p", 0, 5, 100), promise("q", 3, 9, 50)]
    found = match(promises, [paid(1, 3, 50)], on(10))
    assert [(one.verdict, one.paid_minor) for one in found] == [("replaced", 0), ("kept", 50)]
    assert [one.verdict for one in match(promises, [paid(1, 2, 100)], on(10))] == ["kept", "broken"]
    apart = [promise("p", 0, 5, 100), promise("q", 6, 9, 50)]
    assert [one.verdict for one in match(apart, [], on(10))] == ["broken", "broken"]


PROMISES = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 8), st.integers(1, 9), st.sampled_from([None, "a", "b"])), max_size=5
)
PAYMENTS = st.lists(st.tuples(st.integers(-1, 20), st.integers(1, 9), st.sampled_from(["a", "b"])), max_size=6)


def drawn(
    told: list[tuple[int, int, int, str | None]], money: list[tuple[int, int, str]]
) -> tuple[list[Promise], list[Paid]]:
    promises = [promise(f"p{n}", made, made + days, *more) for n, (made, days, *more) in enumerate(told)]
    return promises, [paid(n, *more) for n, more in enumerate(money)]


def most(promises: list[Promise], payments: list[Paid], ends: dict[str, date]) -> int:
    """The most money that can be given to promises, by a maximum flow: payments to promises to their amounts."""
    size = len(promises) + len(payments) + 2
    edges = np.zeros((size, size), np.int32)
    for row, one in enumerate(payments, 1):
        edges[0, row] = one.amount_minor
        for column, other in enumerate(promises, 1 + len(payments)):
            fits = other.account_id in (None, one.account_id) and other.made_on <= one.on <= ends[other.name]
            edges[row, column] = one.amount_minor if fits else 0
    for column, other in enumerate(promises, 1 + len(payments)):
        edges[column, size - 1] = other.amount_minor
    return int(maximum_flow(csr_matrix(edges), 0, size - 1).flow_value)


@given(PROMISES, PAYMENTS)
def test_no_unit_counts_twice_and_on_one_account_no_other_way_keeps_more(
    told: list[tuple[int, int, int, str | None]], money: list[tuple[int, int, str]]
) -> None:
    promises = [
        promise(f"p{n}", made, made + days, amount, account) for n, (made, days, amount, account) in enumerate(told)
    ]
    payments = [paid(n, day, amount, account) for n, (day, amount, account) in enumerate(money)]
    found = match(promises, payments, on(30))
    ends = {}
    for one in promises:
        later = [
            other.made_on - timedelta(days=1) for other in promises
            if other.account_id == one.account_id and (other.made_at, other.name) > (one.made_at, one.name)
        ]  # fmt: skip
        ends[one.name] = min([one.until, *later])
    given = sum(one.paid_minor for one in found)
    assert given <= sum(one.amount_minor for one in payments)
    assert all(0 <= one.paid_minor <= (one.promise.amount_minor or 1) for one in found)
    assert given <= most(promises, payments, ends)
    if len({one.account_id for one in promises}) <= 1:
        assert given == most(promises, payments, ends)
    for one in found:
        full = one.paid_minor == one.promise.amount_minor
        assert (one.verdict == "kept") == full
        assert full or (one.verdict == "replaced") == (ends[one.promise.name] < one.promise.until)


@given(PROMISES, PAYMENTS, st.randoms(use_true_random=False))
def test_the_order_in_which_facts_came_does_not_matter(
    told: list[tuple[int, int, int, str | None]], money: list[tuple[int, int, str]], draw: object
) -> None:
    promises = [
        promise(f"p{n}", made, made + days, amount, account) for n, (made, days, amount, account) in enumerate(told)
    ]
    payments = [paid(n, day, amount, account) for n, (day, amount, account) in enumerate(money)]
    shuffled, mixed = list(promises), list(payments)
    draw.shuffle(shuffled)  # type: ignore[attr-defined]
    draw.shuffle(mixed)  # type: ignore[attr-defined]
    one = {found.promise.name: found for found in match(promises, payments, on(9))}
    assert one == {found.promise.name: found for found in match(shuffled, mixed, on(9))}
