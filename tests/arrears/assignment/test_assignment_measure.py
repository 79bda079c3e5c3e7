"""One action each under shared capacities: against brute force, against HiGHS, and what must hold of every answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from assignment_cases import book, brute, by_greed, by_highs, holds
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.assigning.choice import kept
from evenkeel.measures.assigning.problem import Problem
from evenkeel.measures.assignment import Constraint, assign, parity


@st.composite
def problems(draw: Any, most: int = 6) -> tuple[Any, Any, list[Constraint]]:
    """Small problems with ties, zero capacities, weights and amounts of a case's own."""
    size, actions = draw(st.integers(1, most)), draw(st.integers(1, 4))
    whole = st.integers(-3, 9)
    values = np.array(draw(st.lists(st.lists(whole, min_size=actions, max_size=actions), min_size=size, max_size=size)))
    allowed = np.array(
        draw(st.lists(st.lists(st.booleans(), min_size=actions, max_size=actions), min_size=size, max_size=size))
    )
    allowed[:, 0] = True
    bounds = []
    for place in range(draw(st.integers(0, 3))):
        own = draw(st.booleans())
        shape = (size, actions) if own else (actions,)
        amounts = np.array(
            draw(st.lists(st.integers(0, 4), min_size=int(np.prod(shape)), max_size=int(np.prod(shape))))
        ).reshape(shape).astype(float)  # fmt: skip
        amounts[..., 0] = 0
        weight = None
        if draw(st.booleans()):
            weight = np.array(draw(st.lists(st.integers(0, 2), min_size=size, max_size=size))).astype(float)
        bounds.append(Constraint(f"c{place}", amounts, float(draw(st.integers(0, 8))), weight))
    return values.astype(float), allowed, bounds


@given(problems())
@settings(max_examples=30, deadline=None)
def test_an_answer_keeps_every_bound_and_its_proof_holds_against_every_choice_there_is(
    problem: tuple[Any, Any, list[Constraint]],
) -> None:
    values, allowed, bounds = problem
    found = assign(values, allowed, bounds)
    holds(found, values, allowed, bounds)
    best = brute(values, allowed, bounds)
    assert found.objective <= best + 1e-9
    assert found.upper >= best - 1e-9


@given(problems(12))
@settings(max_examples=25, deadline=None)
def test_it_is_never_worse_than_going_down_the_list(problem: tuple[Any, Any, list[Constraint]]) -> None:
    values, allowed, bounds = problem
    assert assign(values, allowed, bounds).objective >= by_greed(values, allowed, bounds) - 1e-9


@pytest.mark.parametrize("seed", range(3))
def test_it_is_never_worse_than_going_down_the_list_of_a_book(seed: int) -> None:
    values, allowed, bounds = book(150, 6, 4, seed=seed)
    assert assign(values, allowed, bounds).objective >= by_greed(values, allowed, bounds)


@given(problems(10), st.integers(0, 2**32 - 1))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_rows_changes_nothing(problem: tuple[Any, Any, list[Constraint]], seed: int) -> None:
    values, allowed, bounds = problem
    size = len(values)
    key = np.random.default_rng(seed).permutation(size)
    order = np.random.default_rng(seed + 1).permutation(size)
    moved = [
        Constraint(
            one.name,
            one.amounts if one.amounts.ndim == 1 else one.amounts[order],
            one.capacity,
            None if one.weight is None else one.weight[order],
        )
        for one in bounds
    ]
    first = assign(values, allowed, bounds, key=key)
    second = assign(values[order], allowed[order], moved, key=key[order])
    assert (first.choice[order] == second.choice).all()
    assert (first.objective, first.upper) == (second.objective, second.upper)
    assert first.prices.tobytes() == second.prices.tobytes()


@pytest.mark.parametrize("seed", range(1))
def test_the_bound_is_that_of_the_linear_relaxation_and_the_choice_is_near_it(seed: int) -> None:
    values, allowed, bounds = book(600, seed=seed)
    found = assign(values, allowed, bounds)
    holds(found, values, allowed, bounds)
    relaxed = by_highs(values, allowed, bounds, whole=False)
    assert found.upper == pytest.approx(relaxed, rel=5e-6)
    assert found.upper >= relaxed * (1 - 1e-9)
    assert found.gap <= 5e-3


def test_many_cases_that_are_all_alike_are_split_exactly() -> None:
    values = np.tile([0.0, 5.0, 8.0], (30_000, 1))
    bounds = [
        Constraint("call", np.array([0.0, 0.0, 1.0]), 777.0),
        Constraint("sms", np.array([0.0, 1.0, 0.0]), 5_000.0),
    ]
    found = assign(values, np.ones_like(values, bool), bounds)
    assert found.use.tolist() == [777.0, 5_000.0]
    assert found.prices.tolist() == pytest.approx([8.0, 5.0])
    assert found.gap <= 1e-9


def test_a_price_is_what_one_more_unit_brings() -> None:
    """The best value is concave in a capacity: what a step brings lies between the prices at its two ends."""
    values, allowed, bounds = book(3_000, 5, 2, seed=7)
    found = assign(values, allowed, bounds)
    for place, one in enumerate(bounds):
        more = list(bounds)
        more[place] = Constraint(one.name, one.amounts, one.capacity + 100)
        after = assign(values, allowed, more)
        brought = (after.upper - found.upper) / 100
        assert after.prices[place] * 0.99 - 1e-3 <= brought <= found.prices[place] * 1.01 + 1e-3


def test_without_any_bound_everybody_gets_the_best() -> None:
    values = np.array([[0.0, 3.0, 2.0], [1.0, 0.5, 4.0], [0.0, -1.0, -2.0]])
    found = assign(values, np.ones_like(values, bool), [])
    assert found.choice.tolist() == [1, 2, 0]
    assert (found.objective, found.gap) == (6.0, 0.0)


def test_no_case_at_all_is_an_answer() -> None:
    found = assign(np.zeros((0, 3)), np.zeros((0, 3), bool), [Constraint("c", np.array([0.0, 1, 1]), 5.0)])
    assert (len(found.choice), found.objective, found.gap) == (0, 0.0, 0.0)


def test_an_endless_capacity_costs_nothing_and_its_use_is_told() -> None:
    values = np.tile([0.0, 2.0], (10, 1))
    bounds = [Constraint("a", np.array([0.0, 3.0]), np.inf), Constraint("b", np.array([0.0, 1.0]), 4.0)]
    found = assign(values, np.ones_like(values, bool), bounds)
    assert found.use.tolist() == [12.0, 4.0]
    assert found.prices.tolist() == pytest.approx([0.0, 2.0])


@given(problems(8), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_whatever_choice_it_starts_from_the_bounds_are_kept_in_the_end(
    problem: tuple[Any, Any, list[Constraint]], seed: int
) -> None:
    values, _, bounds = problem
    size, actions = values.shape
    inside = [
        Constraint(one.name, one.amounts if one.amounts.ndim == 1 else one.amounts.T.copy(), one.capacity, one.weight)
        for one in bounds
    ]
    start = np.random.default_rng(seed).integers(0, actions, size).astype(np.int8)
    gains = np.ascontiguousarray((values - values[:, :1]).T)
    done = kept(Problem(gains, inside), start, np.zeros(len(inside)))
    assert (Problem(gains, inside).use(done) <= [one.capacity for one in inside]).all()


@given(st.integers(2, 120), st.integers(1, 4), st.floats(0, 0.4), st.integers(0, 2**32 - 1))
@settings(max_examples=8, deadline=None)
def test_no_group_is_treated_more_often_than_all_by_more_than_was_said(
    size: int, groups: int, apart: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    group = rng.integers(-1, groups, size)
    values = np.column_stack([np.zeros(size), rng.normal(2 * np.maximum(group, 0), 3, size)])
    bounds = [
        Constraint("calls", np.array([0.0, 1.0]), float(size // 3)),
        *parity("g", group, np.array([0.0, 1.0]), apart),
    ]
    found = assign(values, np.ones_like(values, bool), bounds)
    holds(found, values, np.ones_like(values, bool), bounds)
    treated = found.choice > 0
    for code in range(groups):
        if (group == code).any():
            assert treated[group == code].mean() - treated.mean() <= apart + 1e-9


def test_fairness_costs_value_and_not_more_than_it_must() -> None:
    values, allowed, bounds = book(1_500, 4, 1, seed=3)
    group = (values.max(axis=1) > np.median(values.max(axis=1))).astype(int)
    bounds += parity("g", group, np.array([0.0, 1, 1, 1]), 0.02)
    found = assign(values, allowed, bounds)
    holds(found, values, allowed, bounds)
    assert found.objective >= 0.98 * by_highs(values, allowed, bounds, whole=False)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"values": np.array([[0.0, np.nan]])}, "not a finite number"),
        ({"values": np.zeros(3)}, "shape"),
        ({"allowed": np.array([[False, True]])}, "action 0"),
        ({"allowed": np.array([[1, 1]])}, "does not fit"),
        ({"bounds": [Constraint("c", np.array([1.0, 1.0]), 1.0)]}, "doing nothing uses"),
        ({"bounds": [Constraint("c", np.array([0.0, 1.0, 2.0]), 1.0)]}, "shape"),
        ({"bounds": [Constraint("c", np.array([0.0, np.inf]), 1.0)]}, "not a finite number"),
        ({"bounds": [Constraint("c", np.array([0.0, 1.0]), -1.0)]}, "capacity"),
        ({"bounds": [Constraint("c", np.array([0.0, 1.0]), np.nan)]}, "capacity"),
        ({"bounds": [Constraint("c", np.array([0.0, 1.0]), 1.0, np.ones(5))]}, "weights"),
        ({"key": np.arange(4)}, "keys"),
    ],
)
def test_what_does_not_fit_is_named(change: dict[str, Any], told: str) -> None:
    given = {"values": np.array([[0.0, 1.0]]), "allowed": np.array([[True, True]]), "bounds": [], "key": None} | change
    with pytest.raises(InvalidInput, match=told):
        assign(given["values"], given["allowed"], given["bounds"], key=given["key"])


def test_a_value_that_is_not_known_is_no_harm_where_the_action_is_not_allowed() -> None:
    found = assign(np.array([[0.0, np.nan, 2.0]]), np.array([[True, False, True]]), [])
    assert found.choice.tolist() == [2]


@pytest.mark.prove
def test_a_million_cases_are_proven_to_one_in_ten_thousand() -> None:
    values, allowed, bounds = book(1_000_000, seed=1)
    found = assign(values, allowed, bounds)
    assert found.gap <= 1e-4
    assert all(found.use <= [one.capacity for one in bounds])


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(3))
def test_ten_thousand_cases_beside_the_mixed_integer_solver(seed: int) -> None:
    values, allowed, bounds = book(10_000, seed=seed)
    found = assign(values, allowed, bounds)
    assert found.objective >= by_highs(values, allowed, bounds, gap=1e-4, seconds=30) * (1 - 1.5e-4)


def test_parity_weighs_a_groups_mean_against_that_of_all() -> None:
    group, treated = np.array([0, 0, 1, 1, 1, -1]), np.array([1, 0, 1, 1, 0, 1])
    first, second = parity("g", group, np.array([0.0, 1.0]), 0.1)
    assert (first.name, second.name, first.capacity) == ("g:0", "g:1", 0.1)
    for one, mine in ((first, group == 0), (second, group == 1)):
        assert one.weight is not None
        assert float((one.weight * treated).sum()) == pytest.approx(treated[mine].mean() - treated.mean())
