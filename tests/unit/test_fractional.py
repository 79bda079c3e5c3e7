"""Fractional logit: against scikit-learn on doubled rows, closed forms, and simulated errors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures import fractional
from evenkeel.measures.fractional import fit_fractional


def sample(seed: int, rows: int = 500, columns: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns))
    mean = expit(0.5 + x @ np.linspace(-1, 1, columns))
    y = rng.beta(2 * mean, 2 * (1 - mean))
    y[rng.random(rows) < 0.1] = 0.0
    y[rng.random(rows) < 0.1] = 1.0
    return x, y, rng.integers(1, 4, rows).astype(float)


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 30.0])
@pytest.mark.parametrize("seed", range(2))
def test_is_the_logistic_regression_of_rows_that_are_part_bad_part_good(seed: int, ridge: float) -> None:
    x, y, w = sample(seed)
    ours = fit_fractional(x, y, w, ridge)
    both = np.concatenate((w * y, w * (1 - y)))
    theirs = LogisticRegression(C=1 / ridge, tol=1e-12, max_iter=10_000).fit(
        np.vstack((x, x)), np.repeat([1, 0], len(y)), sample_weight=both
    )
    assert ours.converged
    np.testing.assert_allclose(ours.coefficients, theirs.coef_[0], atol=1e-4)
    np.testing.assert_allclose(ours.mean(x), theirs.predict_proba(x)[:, 1], atol=1e-5)


def test_without_covariates_it_is_the_mean_and_its_usual_standard_error() -> None:
    _, y, _ = sample(1)
    model = fit_fractional(np.empty((len(y), 0)), y)
    mean = y.mean()
    assert model.mean(np.empty((1, 0)))[0] == pytest.approx(mean, abs=1e-9)
    of_the_mean = y.std(ddof=1) / np.sqrt(len(y))  # carried to the logit by its slope
    assert model.standard_errors[0] == pytest.approx(of_the_mean / (mean * (1 - mean)), rel=1e-6)


def test_a_share_of_a_group_is_that_groups_mean() -> None:
    rng = np.random.default_rng(2)
    group = rng.integers(0, 3, 300)
    y = rng.random(300) * (group + 1) / 3
    x = (group[:, None] == [1, 2]).astype(float)
    model = fit_fractional(x, y)
    for place in range(3):
        assert model.mean(x)[group == place][0] == pytest.approx(y[group == place].mean(), abs=1e-8)


@given(st.integers(0, 10_000), st.integers(0, 5), st.integers(8, 60), st.sampled_from([0.0, 1.0]))
@settings(max_examples=60, deadline=None)
def test_predictions_average_to_the_shares_and_no_slope_is_left(
    seed: int, columns: int, rows: int, ridge: float
) -> None:
    x, y, w = sample(seed, rows, columns)
    model = fit_fractional(x, y, w, ridge)
    rest = w * (model.mean(x) - y)
    if ridge or rows > 30:  # few rows may be separated: then the optimum is at infinity
        assert rest.sum() == pytest.approx(0, abs=1e-4)
        np.testing.assert_allclose(x.T @ rest + ridge * model.coefficients, 0, atol=1e-3)


def test_weights_count_as_repeated_rows() -> None:
    x, y, w = sample(3)
    weighted = fit_fractional(x, y, w)
    repeated = fit_fractional(np.repeat(x, w.astype(int), axis=0), np.repeat(y, w.astype(int)))
    np.testing.assert_allclose(weighted.coefficients, repeated.coefficients, atol=1e-7)
    zero = fit_fractional(np.vstack((x, x[:9] + 5)), np.append(y, np.ones(9)), np.append(w, np.zeros(9)))
    np.testing.assert_allclose(zero.coefficients, weighted.coefficients, atol=1e-9)
    np.testing.assert_allclose(zero.covariance, weighted.covariance, rtol=1e-6)


def test_robust_errors_are_the_spread_over_samples() -> None:
    """Shares far less spread than a coin's: the likelihood's own errors would be three times too wide."""
    found, errors, inside = [], [], []
    at = np.array([[0.5, -0.5]])
    for seed in range(600):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(250, 2))
        mean = expit(-0.5 + x @ [0.8, -0.4])
        spread = np.where(x[:, 0] > 0, 4.0, 20.0)
        model = fit_fractional(x, rng.beta(spread * mean, spread * (1 - mean)))
        found.append(np.append(model.intercept, model.coefficients))
        errors.append(model.standard_errors)
        low, high = model.interval(at)
        inside.append(low[0] <= expit(-0.5 + 0.4 + 0.2) <= high[0])
    np.testing.assert_allclose(np.mean(errors, axis=0), np.std(found, axis=0), rtol=0.08)
    assert 0.925 <= np.mean(inside) <= 0.97


def test_wrong_input_is_named() -> None:
    x, y, w = sample(4)
    for bad in ((x[1:], y, w), (x, y + 1, w), (x, np.where(y > 0.5, np.nan, y), w), (x, y, -w), (x, y, 0 * w)):
        with pytest.raises(InvalidInput):
            fit_fractional(*bad)


def test_constant_and_copied_columns_end_finite_and_all_zero_shares_too() -> None:
    x, y, _ = sample(5)
    model = fit_fractional(np.column_stack((x, x[:, 0], np.ones(len(y)))), y, ridge=1.0)
    assert np.isfinite(model.covariance).all()
    assert model.coefficients[0] == pytest.approx(model.coefficients[3], abs=1e-6)
    assert (fit_fractional(x, 0 * y, ridge=1.0).mean(x) < 1e-3).all()


def test_running_out_of_steps_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fractional, "_ITERATIONS", 1)
    x, y, _ = sample(6)
    assert not fit_fractional(x, y).converged
