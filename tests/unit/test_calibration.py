"""Calibration: Platt against scikit-learn, Wilson against its quadratic, and the reliability table by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from evenkeel.measures.calibration import Platt, fit_platt, reliability, wilson
from evenkeel.measures.logistic import sigmoid


def test_platt_is_an_unpenalised_regression_on_the_log_odds() -> None:
    rng = np.random.default_rng(1)
    log_odds = rng.normal(-2, 1.5, 4000)
    bad = rng.random(4000) < sigmoid(0.5 + 0.6 * log_odds)
    found = fit_platt(log_odds, bad)
    theirs = LogisticRegression(C=1e9, tol=1e-12, max_iter=10_000).fit(log_odds[:, None], bad)
    assert found.slope == pytest.approx(theirs.coef_[0, 0], abs=1e-4)
    assert found.intercept == pytest.approx(theirs.intercept_[0], abs=1e-4)
    assert found.apply(log_odds).mean() == pytest.approx(bad.mean(), abs=1e-6)


def test_predictions_that_rank_backwards_are_worth_the_base_rate() -> None:
    log_odds = np.linspace(-3, 3, 200)
    bad = np.arange(200) < 50  # the lowest odds are the bads
    found = fit_platt(log_odds, bad)
    np.testing.assert_allclose(found.apply(log_odds), 0.25)


@pytest.mark.parametrize("bad", [np.arange(100) >= 50, np.zeros(100, bool), np.ones(100, bool)])
def test_separated_and_one_sided_outcomes_stay_finite(bad: np.ndarray) -> None:
    probability = fit_platt(np.linspace(-1, 1, 100), bad).apply(np.linspace(-1, 1, 100))
    assert np.isfinite(probability).all()
    assert ((probability > 0.5) == bad).mean() > 0.97


def test_identity_changes_nothing() -> None:
    odds = np.linspace(-30, 30, 7)
    np.testing.assert_array_equal(Platt(0.0, 1.0).apply(odds), sigmoid(odds))


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_solves_its_quadratic(hits: int, trials: int) -> None:
    hits = min(hits, trials)
    low, high = wilson(np.array([hits]), np.array([trials]))
    for end in (low[0], high[0]):  # |share - end| = z * sqrt(end * (1 - end) / n)
        assert (hits / trials - end) ** 2 == pytest.approx(1.959963984540054**2 * end * (1 - end) / trials, abs=1e-12)
    assert low[0] + 1e-15 >= 0 and low[0] <= hits / trials + 1e-12 and high[0] <= 1 + 1e-15


def test_wilson_of_nothing_is_not_known() -> None:
    low, high = wilson(np.array([0]), np.array([0]))
    assert np.isnan(low[0]) and np.isnan(high[0])


def test_reliability_counts_every_case_once_by_rising_probability() -> None:
    rng = np.random.default_rng(2)
    p = rng.random(1003)
    bad = rng.random(1003) < p
    table = reliability(p, bad)
    assert [entry.predicted for entry in table] == sorted(entry.predicted for entry in table)
    assert sum(entry.rows for entry in table) == 1003
    assert sum(entry.rows * entry.observed for entry in table) == pytest.approx(bad.sum())
    assert sum(entry.low <= entry.predicted <= entry.high for entry in table) >= 8
    assert reliability(p[:0], bad[:0]) == []
    assert [entry.rows for entry in reliability(p[:3], bad[:3])] == [1, 1, 1]
