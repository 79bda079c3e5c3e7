"""Ridge regression and boosted trees against normal equations and every possible split."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.boosted import Growth, Rows, cross_boosted, fit_boosted
from evenkeel.measures.linear import fit_ridge

whole = st.integers(-4, 4)


@settings(max_examples=50)
@given(st.lists(st.tuples(whole, whole, whole, st.sampled_from([1.0, 2.0, 3.0])), min_size=4, max_size=15))
def test_ridge_solves_the_weighted_normal_equations_of_its_own_penalty(
    given_rows: list[tuple[int, int, int, float]],
) -> None:
    table = np.array(given_rows, float)
    x, y, weight = table[:, :2], table[:, 2], table[:, 3]
    found = fit_ridge(x, y, weight)
    w = weight / weight.mean()
    if not np.isfinite(found.penalty):
        assert found.mean(x) == pytest.approx(np.full(len(y), np.average(y, weights=w)))
        return
    centre = np.average(x, axis=0, weights=w)
    scale = np.sqrt(np.average((x - centre) ** 2, axis=0, weights=w))
    varies = scale > 0
    z = (x[:, varies] - centre[varies]) / scale[varies]
    design = np.column_stack((np.ones(len(y)), z))
    penalty = np.diag([0.0, *[found.penalty] * int(varies.sum())])
    beta = np.linalg.solve(design.T @ (w[:, None] * design) + penalty, design.T @ (w * y))
    assert found.mean(x) == pytest.approx(design @ beta, abs=1e-6)


def test_ridge_keeps_what_rows_tell_and_drops_what_they_do_not() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4000, 5))
    true = np.array([1.0, 0.0, -2.0, 0.0, 0.5])
    assert fit_ridge(x, x @ true + rng.normal(size=4000)).coefficients == pytest.approx(true, abs=0.06)
    empty = fit_ridge(x[:30], rng.normal(size=30))
    assert np.abs(empty.coefficients).max() < 0.2


@pytest.mark.parametrize(
    ("x", "y", "weight"),
    [([[1.0]], [1.0, 2.0], None), ([[np.nan]], [1.0], None), ([[1.0]], [np.inf], None), ([[1.0]], [1.0], [0.0]),
     ([[1.0]], [1.0], [1.0, 1.0])],
)  # fmt: skip
def test_ridge_refuses_rows_that_are_none(x: list[list[float]], y: list[float], weight: list[float] | None) -> None:
    with pytest.raises(InvalidInput):
        fit_ridge(np.array(x), np.array(y), None if weight is None else np.array(weight))
    with pytest.raises(InvalidInput):
        fit_ridge(np.empty((0, 1)), np.empty(0))


small = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), whole), min_size=3, max_size=14)


@settings(max_examples=40)
@given(small)
def test_a_stump_is_the_best_of_all_splits(given_rows: list[tuple[int, int, int]]) -> None:
    table = np.array(given_rows)
    codes, y = table[:, :2].T.astype(np.uint8), table[:, 2].astype(float)
    growth = Growth(rounds=1, depth=1, rate=1.0, fewest=1, ridge=1e-12)
    trees, _ = fit_boosted(Rows(codes, y, np.ones(len(y))), growth)
    own = ((y - trees.mean(codes)) ** 2).sum()
    least = ((y - y.mean()) ** 2).sum()
    for column, cut in product(range(2), range(3)):
        left = codes[column] <= cut
        if left.any() and not left.all():
            parts = (y[left], y[~left])
            least = min(least, sum(((part - part.mean()) ** 2).sum() for part in parts))
    assert own == pytest.approx(least, abs=1e-6)


@settings(max_examples=40)
@given(small)
def test_a_weight_of_two_grows_the_trees_of_a_row_given_twice(given_rows: list[tuple[int, int, int]]) -> None:
    table = np.array(given_rows)
    codes, y = table[:, :2].T.astype(np.uint8), table[:, 2].astype(float)
    times = 1 + np.arange(len(y)) % 2
    growth = Growth(rounds=3, depth=2, rate=0.5, fewest=2, ridge=1.0)
    weighted, _ = fit_boosted(Rows(codes, y, times.astype(float)), growth)
    repeated, _ = fit_boosted(
        Rows(np.repeat(codes, times, axis=1), np.repeat(y, times), np.ones(int(times.sum()))), growth
    )
    assert weighted.mean(codes) == pytest.approx(repeated.mean(codes), abs=1e-9)


def test_trees_see_what_two_columns_do_together() -> None:
    rng = np.random.default_rng(2)
    codes = rng.integers(0, 8, (3, 4000)).astype(np.uint8)
    truth = 1.0 * ((codes[0] > 3) & (codes[1] > 3))
    trees, errors = fit_boosted(
        Rows(codes, truth + rng.normal(size=4000), np.ones(4000)), Growth(), Rows(codes, truth - 0.5, np.ones(4000))
    )
    assert np.corrcoef(trees.mean(codes), truth)[0, 1] > 0.95
    assert errors[0] == pytest.approx(((truth - 0.5) ** 2).sum())


def test_no_round_is_kept_where_there_is_nothing_to_see_and_no_row_answers_for_itself() -> None:
    rng = np.random.default_rng(3)
    codes, fold = rng.integers(0, 8, (2, 500)).astype(np.uint8), np.arange(500) % 5
    y = rng.normal(size=500)
    answer, rounds = cross_boosted(Rows(codes, y - y.mean(), np.ones(500)), fold, Growth(), np.ones(500, bool))
    assert rounds <= 3 and np.abs(answer).max() < 0.3
    moved = y.copy()
    moved[fold == 0] += 100.0 * (codes[0, fold == 0] > 3)  # what happens in a fold changes nothing of its own answers
    growth = Growth(rounds=1)
    one, _ = cross_boosted(Rows(codes, y + (codes[0] > 3), np.ones(500)), fold, growth, fold != 9)
    other, _ = cross_boosted(Rows(codes, moved + (codes[0] > 3), np.ones(500)), fold, growth, fold != 9)
    assert np.array_equal(one[fold == 0], other[fold == 0]) and not np.array_equal(one[fold == 1], other[fold == 1])


def test_no_row_and_odd_shapes_are_refused() -> None:
    with pytest.raises(InvalidInput):
        fit_boosted(Rows(np.zeros((1, 0), np.uint8), np.zeros(0), np.zeros(0)), Growth())
    with pytest.raises(InvalidInput):
        Rows(np.zeros((1, 3), np.uint8), np.zeros(2), np.zeros(3))
