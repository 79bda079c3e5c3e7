"""Calibration against scikit-learn and other ways to reckon it; how often intervals cover is in test_intervals.py."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.calibration import (
    Isotonic,
    Platt,
    Shift,
    calibration_test,
    expected_calibration_error,
    fit_isotonic,
    fit_platt,
    fit_shift,
    reliability,
    spiegelhalter,
    wilson,
)
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


def test_reliability_does_not_depend_on_the_order_of_equal_probabilities() -> None:
    p, bad = np.repeat([0.1, 0.3, 0.3, 0.6], 25), np.arange(100) % 3 == 0
    assert reliability(p, bad, 4) == reliability(p[::-1], bad[::-1], 4)


def _sample(seed: int, n: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    log_odds = np.round(rng.normal(-1.5, 1.2, n), 2)
    return log_odds, rng.random(n) < sigmoid(log_odds)


def test_isotonic_is_scikit_learns_with_weights_and_ties() -> None:
    log_odds, bad = _sample(3)
    weight = np.random.default_rng(4).uniform(0.1, 3, len(bad))
    for weights in (None, weight):
        found = fit_isotonic(log_odds, bad, weights)
        theirs = IsotonicRegression(out_of_bounds="clip").fit(log_odds, bad, weights)
        at = np.linspace(-8, 6, 999)
        np.testing.assert_allclose(found.apply(at), theirs.predict(at), atol=1e-12)
        assert (np.diff(found.p) >= 0).all() and (np.diff(found.log_odds) > 0).all()
        mean = np.average(found.apply(log_odds), weights=weights)
        assert mean == pytest.approx(np.average(bad, weights=weights), abs=1e-12)
    with pytest.raises(InvalidInput):
        fit_isotonic(log_odds[:0], bad[:0])


def test_isotonic_of_one_level_is_the_share_of_bads() -> None:
    found = fit_isotonic(np.zeros(4), np.array([True, False, False, False]))
    assert (found.log_odds, found.p) == ((0.0,), (0.25,))
    np.testing.assert_array_equal(found.apply(np.array([-5.0, 0, 5])), 0.25)


@given(st.floats(1e-6, 1 - 1e-6), st.lists(st.floats(-30, 30), min_size=1, max_size=30))
def test_a_shift_meets_its_target(target: float, odds: list[float]) -> None:
    log_odds = np.array(odds)
    assert fit_shift(log_odds, target).apply(log_odds).mean() == pytest.approx(target, rel=1e-12)
    weight = np.arange(1.0, len(odds) + 1)
    shifted = fit_shift(log_odds, target, weight).apply(log_odds)
    assert np.average(shifted, weights=weight) == pytest.approx(target, rel=1e-12)


def test_a_shift_keeps_odds_ratios_and_names_what_it_cannot_do() -> None:
    log_odds = np.array([-800.0, -2.0, 1.0, 700.0])
    moved = fit_shift(log_odds, 0.4)
    assert moved.apply(log_odds).mean() == pytest.approx(0.4, rel=1e-12)
    assert fit_shift(np.array([-2.0, 1.0]), float(sigmoid(np.array([-2.0, 1.0])).mean())).amount == pytest.approx(0)
    for target in (0.0, 1.0, -0.1, np.nan):
        with pytest.raises(InvalidInput):
            fit_shift(log_odds, target)
    for wrong in (log_odds[:0], np.array([0.0, np.nan])):
        with pytest.raises(InvalidInput):
            fit_shift(wrong, 0.1)


def test_a_calibration_survives_its_document() -> None:
    log_odds, bad = _sample(5, 200)
    made: dict[str, Platt | Shift | Isotonic] = {
        "platt": Platt(-0.1, 0.7), "shift": Shift(1 / 3), "isotonic": fit_isotonic(log_odds, bad),
    }  # fmt: skip
    for kind, calibration in made.items():
        document = json.loads(json.dumps(calibration.document()))
        assert document["kind"] == kind
        assert type(calibration).from_document(document) == calibration


def test_level_and_slope_are_two_unpenalised_regressions() -> None:
    true, bad = _sample(6, 4000)
    said = 1.6 * true + 0.5
    found = calibration_test(said, bad)
    line = LogisticRegression(C=1e9, tol=1e-12, max_iter=10_000).fit(said[:, None], bad)
    assert found.slope.value == pytest.approx(line.coef_[0, 0], abs=1e-4)
    p = line.predict_proba(said[:, None])[:, 1]
    design = np.column_stack((np.ones(4000), said))
    deviation = np.sqrt(np.linalg.inv((design * (p * (1 - p))[:, None]).T @ design)[1, 1])
    assert found.slope.high - found.slope.value == pytest.approx(1.95996 * deviation, rel=1e-3)
    assert sigmoid(said + found.in_the_large.value).mean() == pytest.approx(bad.mean(), rel=1e-12)
    assert found.p_value < 1e-6 < calibration_test(true, bad).p_value
    assert found.slope.high < 1 and found.in_the_large.low < found.in_the_large.value < found.in_the_large.high


def test_calibration_of_one_class_or_one_prediction_is_not_known() -> None:
    alone = calibration_test(np.linspace(-1, 1, 9), np.ones(9, bool))
    assert np.isnan(alone.in_the_large.value) and np.isnan(alone.slope.value) and np.isnan(alone.p_value)
    flat = calibration_test(np.zeros(8), np.arange(8) < 2)
    assert flat.in_the_large.value == pytest.approx(np.log(2 / 6)) and np.isnan(flat.slope.value)


def test_spiegelhalters_z_is_the_brier_score_in_its_own_deviations() -> None:
    log_odds, bad = _sample(7, 300)
    p = sigmoid(log_odds)
    rng = np.random.default_rng(8)
    drawn = ((p - (rng.random((40_000, 300)) < p)) ** 2).mean(axis=1)
    z = (((p - bad) ** 2).mean() - (p * (1 - p)).mean()) / drawn.std()
    found = spiegelhalter(p, bad)
    assert found.z == pytest.approx(z, rel=0.02)
    assert found.p_value > 0.01 > spiegelhalter(np.clip(p + 0.15, 0, 1), bad).p_value
    assert np.isnan(spiegelhalter(np.array([0.0, 1.0]), np.array([False, True])).z)


def test_expected_calibration_error_is_the_mean_gap_and_doubts_a_small_one() -> None:
    log_odds, bad = _sample(9, 1000)
    p = sigmoid(log_odds + np.random.default_rng(1).normal(0, 1e-9, 1000))
    parts = np.array_split(np.argsort(p), 10)
    found = expected_calibration_error(p, bad)
    assert found.value == pytest.approx(sum(len(i) / 1000 * abs(p[i].mean() - bad[i].mean()) for i in parts))
    assert found.low == 0 < found.value <= found.high
    wrong = expected_calibration_error(sigmoid(log_odds + 1), bad)
    assert 0 < wrong.low < wrong.value <= wrong.high
    assert np.isnan(expected_calibration_error(p[:0], bad[:0]).value)
    sure = expected_calibration_error(np.array([0.0, 0, 1, 1]), np.array([False, False, True, True]))
    assert (sure.value, sure.low) == (0, 0)
