"""Logistic regression against other people's optimisers, and against the conditions that an optimum meets."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from evenkeel.measures import logistic
from evenkeel.measures.logistic import fit_logistic, fit_signed_logistic, sigmoid


def sample(seed: int, rows: int = 400, columns: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, columns)) @ rng.normal(size=(columns, columns))
    bad = rng.random(rows) < sigmoid(x @ rng.normal(size=columns) - 1)
    bad[:2] = [True, False]
    return x, bad


def loss_and_gradient(beta: np.ndarray, x: np.ndarray, bad: np.ndarray, ridge: float) -> tuple[float, np.ndarray]:
    margin = beta[0] + x @ beta[1:]
    value = np.logaddexp(0, np.where(bad, -margin, margin)).sum() + ridge / 2 * (beta[1:] ** 2).sum()
    rest = 1 / (1 + np.exp(-margin)) - bad
    return value, np.concatenate(([rest.sum()], x.T @ rest + ridge * beta[1:]))


@pytest.mark.parametrize("ridge", [1e-3, 1.0, 50.0])
@pytest.mark.parametrize("seed", range(3))
def test_is_the_optimum_of_scikit_learn(seed: int, ridge: float) -> None:
    x, bad = sample(seed)
    ours = fit_logistic(x, bad, ridge)
    theirs = LogisticRegression(C=1 / ridge, tol=1e-12, max_iter=10_000).fit(x, bad)
    assert ours.converged
    np.testing.assert_allclose(ours.coefficients, theirs.coef_[0], atol=2e-4)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], abs=2e-4)
    np.testing.assert_allclose(sigmoid(ours.log_odds(x)), theirs.predict_proba(x)[:, 1], atol=1e-4)


@pytest.mark.parametrize("seed", range(6))
def test_signed_is_the_optimum_of_a_bounded_search(seed: int) -> None:
    x, bad = sample(seed, columns=6)
    ours = fit_signed_logistic(x, bad)
    bounds = [(None, None), *[(None, 0)] * 6]
    found = minimize(
        loss_and_gradient, np.zeros(7), (x, bad, 1.0), jac=True, bounds=bounds, method="L-BFGS-B",
        options={"ftol": 1e-15, "gtol": 1e-10, "maxiter": 10_000},
    )  # fmt: skip
    mine = loss_and_gradient(np.concatenate(([ours.intercept], ours.coefficients)), x, bad, 1.0)[0]
    assert mine <= found.fun + 1e-7
    np.testing.assert_allclose(ours.coefficients, found.x[1:], atol=1e-4)
    assert (ours.coefficients <= 0).all()


@given(st.integers(0, 10_000), st.integers(1, 8), st.integers(5, 80), st.sampled_from([0.1, 1.0]))
@settings(max_examples=80, deadline=None)
def test_the_conditions_of_an_optimum_hold(seed: int, columns: int, rows: int, ridge: float) -> None:
    x, bad = sample(seed, rows, columns)
    for fit in (fit_logistic, fit_signed_logistic):
        model = fit(x, bad, ridge)
        slope = loss_and_gradient(np.concatenate(([model.intercept], model.coefficients)), x, bad, ridge)[1]
        scale = 1e-4 * (1 + np.abs(x).sum())
        assert model.converged
        free = np.concatenate(([True], model.coefficients < 0 if fit is fit_signed_logistic else [True] * columns))
        assert (np.abs(slope[free]) < scale).all()  # no way down where the coefficient may move
        assert (slope[~free] < scale).all()  # at the bound, down would be further up: forbidden


def test_perfectly_separated_data_end_finite() -> None:
    x = np.linspace(-1, 1, 100)[:, None]
    for ridge in (1e-6, 1.0):
        model = fit_logistic(x, x[:, 0] > 0, ridge)
        assert np.isfinite(model.coefficients).all()
        assert np.isfinite(model.intercept)
        assert ((sigmoid(model.log_odds(x)) > 0.5) == (x[:, 0] > 0)).all()
        signed = fit_signed_logistic(-x, x[:, 0] > 0, ridge)
        np.testing.assert_allclose(signed.coefficients, -model.coefficients, rtol=1e-3)


def test_without_features_the_probability_is_the_bad_rate() -> None:
    bad = np.arange(40) < 10
    for fit in (fit_logistic, fit_signed_logistic):
        model = fit(np.empty((40, 0)), bad)
        np.testing.assert_allclose(sigmoid(model.log_odds(np.empty((3, 0)))), 0.25, atol=1e-9)


def test_collinear_and_constant_columns_share_and_weigh_nothing() -> None:
    x, bad = sample(3, columns=2)
    wide = np.column_stack((x[:, 0], x[:, 0], np.zeros(len(x)), np.ones(len(x))))
    for fit in (fit_logistic, fit_signed_logistic):
        model = fit(wide, bad)
        assert np.isfinite(model.coefficients).all()
        assert model.coefficients[0] == pytest.approx(model.coefficients[1], abs=1e-5)
        assert model.coefficients[2] == pytest.approx(0, abs=1e-8)


def test_one_class_ends_finite_on_its_side() -> None:
    x, bad = sample(4)
    for flags in (np.zeros_like(bad), np.ones_like(bad)):
        model = fit_signed_logistic(x, flags)
        assert np.isfinite(model.log_odds(x)).all()
        assert ((sigmoid(model.log_odds(x)) > 0.5) == flags).all()


def test_running_out_of_steps_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logistic, "_ITERATIONS", 1)
    x, bad = sample(5)
    assert not fit_logistic(x, bad).converged


def test_sigmoid_does_not_overflow() -> None:
    np.testing.assert_array_equal(sigmoid(np.array([-1e308, 0.0, 1e308])), [0.0, 0.5, 1.0])
