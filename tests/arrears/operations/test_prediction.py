"""Intervals of prediction: against formulas worked by hand, and how often they hold what comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from evenkeel.measures.prediction import predicted_share, predicted_totals


def test_a_total_has_the_textbook_interval_of_one_further_value() -> None:
    seen = np.array([10.0, 12.0, 9.0, 14.0])
    low, high = predicted_totals(seen[:, None], np.array([seen.mean()]))
    half = stats.t.ppf(0.975, 3) * seen.std(ddof=1) * np.sqrt(1 + 1 / 4)
    assert (low[0], high[0]) == pytest.approx((seen.mean() - half, seen.mean() + half))


def test_columns_are_judged_by_what_was_seen_of_each() -> None:
    seen = np.array([[1.0, np.nan], [2.0, 5.0], [3.0, np.nan], [np.nan, 6.0]])
    low, high = predicted_totals(seen, np.array([2.0, 5.0]))
    alone = predicted_totals(np.array([[1.0], [2.0], [3.0]]), np.array([2.0]))
    assert (low[0], high[0]) == (alone[0][0], alone[1][0])
    assert np.isnan([low[1], high[1]]).all()


def test_nothing_falls_below_nothing() -> None:
    low, _ = predicted_totals(np.array([[0.0], [0.0], [9.0]]), np.array([3.0]))
    assert low[0] == 0.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=12), st.integers(0, 400))
@settings(max_examples=50, deadline=None)
def test_a_share_lies_in_its_interval_and_both_between_0_and_1(rows: list[tuple[int, int]], coming: int) -> None:
    hits = np.array([min(pair) for pair in rows])
    trials = np.array([max(pair) for pair in rows])
    found = predicted_share(hits, trials, coming)
    if trials.sum() == 0:
        assert np.isnan(found.value)
        return
    assert found.value == pytest.approx(hits.sum() / trials.sum())
    if (trials > 0).sum() < 3 or coming == 0:
        assert np.isnan([found.low, found.high]).all()
    else:
        assert 0 <= found.low <= found.value <= found.high <= 1


def test_more_trials_to_come_make_it_narrower_and_uneven_periods_wider() -> None:
    trials = np.full(8, 200)
    even, uneven = np.full(8, 60), np.array([20, 100, 20, 100, 20, 100, 20, 100])
    assert _width(even, trials, 1_000) < _width(even, trials, 50)
    assert _width(uneven, trials, 200) > 3 * _width(even, trials, 200)


def _width(hits: np.ndarray, trials: np.ndarray, coming: float) -> float:
    found = predicted_share(hits, trials, coming)
    return found.high - found.low


@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_it_holds_what_comes_about_nineteen_times_in_twenty(spread: float) -> None:
    rng = np.random.default_rng(4)
    inside, draws = 0, 1_500
    for _ in range(draws):
        chance = np.clip(rng.normal(0.3, spread, 13), 0.01, 0.99)
        trials = rng.integers(60, 400, 13)
        hits = rng.binomial(trials, chance)
        found = predicted_share(hits[:-1], trials[:-1], float(trials[-1]))
        inside += found.low <= hits[-1] / trials[-1] <= found.high
    assert 0.92 <= inside / draws <= 0.985
