"""Logistic regression by Newton's method, with signs held where asked: small, exact, the same bytes on every run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import nnls

FloatArray = npt.NDArray[np.float64]

_TOLERANCE = 1e-11
_ITERATIONS = 100


@dataclass(frozen=True, slots=True)
class Logistic:
    """A fitted model: ln odds of the bad = intercept + x @ coefficients. converged is False where Newton ran out."""

    intercept: float
    coefficients: FloatArray
    converged: bool

    def log_odds(self, x: FloatArray) -> FloatArray:
        """ln odds of the bad. x: (n, p). Returns (n,)."""
        result: FloatArray = self.intercept + (x * self.coefficients).sum(axis=1)
        return result


def sigmoid(log_odds: FloatArray) -> FloatArray:
    """1 / (1 + exp(-log_odds)) without overflow."""
    positive = log_odds >= 0
    small = np.exp(-np.abs(log_odds))
    result: FloatArray = np.where(positive, 1.0, small) / (1.0 + small)
    return result


def fit_logistic(
    x: FloatArray, bad: npt.NDArray[np.bool_], ridge: float = 1.0, weights: FloatArray | None = None
) -> Logistic:
    """Minimise  sum_i w_i log(1 + exp(-s_i * (a + x_i b))) + ridge / 2 * |b|^2,  s_i = +1 for bad, -1 for good.

    x: (n, p) float64. bad: (n,) bool. weights: (n,), ones if None. The intercept carries no penalty. Newton with step
    halving (Hastie, Tibshirani & Friedman 2009, section 4.4.1).
    """
    return _newton(x, bad, ridge, weights, lambda hessian, gradient, beta: beta - np.linalg.solve(hessian, gradient))


def fit_signed_logistic(
    x: FloatArray, bad: npt.NDArray[np.bool_], ridge: float = 1.0, weights: FloatArray | None = None,
    signed: npt.NDArray[np.bool_] | None = None,
) -> Logistic:  # fmt: skip
    """As `fit_logistic`, with coefficients held to 0 or less: the optimum of the bounded problem.

    signed: (p,) which coefficients are held, all if None. Each Newton step minimises the quadratic model under the
    bounds (Lee, Saunders & Sun 2006, proximal Newton).
    """
    free = np.flatnonzero(~signed) if signed is not None else np.empty(0, np.int64)
    return _newton(x, bad, ridge, weights, lambda hessian, gradient, beta: _bounded_step(hessian, gradient, beta, free))


def _bounded_step(
    hessian: FloatArray, gradient: FloatArray, beta: FloatArray, free: npt.NDArray[np.int64]
) -> FloatArray:
    """argmin of the quadratic model around `beta` with every entry but the first and the free ones held to 0 or less.

    The free intercept is eliminated (Schur complement); what is left is a least-squares problem with u = -b >= 0. A
    free entry is the difference of two such u.
    """
    linear = hessian @ beta - gradient  # the model is b' H b / 2 - linear' b
    corner, edge = hessian[0, 0], hessian[1:, 0]
    reduced = hessian[1:, 1:] - np.outer(edge, edge) / corner
    target = linear[1:] - edge * linear[0] / corner
    if len(edge) == 0:
        return np.array([linear[0] / corner])
    upper = cholesky(reduced + 1e-10 * np.trace(reduced) / len(edge) * np.eye(len(edge)))
    parts = nnls(np.column_stack((upper, -upper[:, free])), -solve_triangular(upper, target, trans="T"))[0]
    coefficients = -parts[: len(edge)]
    coefficients[free] += parts[len(edge) :]
    return np.concatenate(([(linear[0] - edge @ coefficients) / corner], coefficients))


def _newton(
    x: FloatArray,
    bad: npt.NDArray[np.bool_],
    ridge: float,
    weights: FloatArray | None,
    solve: Callable[[FloatArray, FloatArray, FloatArray], FloatArray],
) -> Logistic:
    n, p = x.shape
    design = np.column_stack((np.ones(n), x))
    penalty = np.full(p + 1, ridge)
    penalty[0] = 0.0
    target = bad.astype(np.float64)
    unit = np.ones(n) if weights is None else weights
    rate = np.clip(np.average(target, weights=unit), 1e-9, 1 - 1e-9)
    beta = np.zeros(p + 1)
    beta[0] = np.log(rate / (1 - rate))

    def loss(at: FloatArray) -> float:
        margin = design @ at
        return float(unit @ (np.logaddexp(0.0, margin) - margin * target) + 0.5 * (penalty * at * at).sum())

    value = loss(beta)
    for _ in range(_ITERATIONS):
        probability = sigmoid(design @ beta)
        gradient = design.T @ (unit * (probability - target)) + penalty * beta
        weight = unit * probability * (1 - probability)
        hessian = (design * weight[:, None]).T @ design + np.diag(penalty + 1e-12)
        step = solve(hessian, gradient, beta) - beta
        scale = 1.0
        while not (following := loss(beta + scale * step)) <= value and scale > 1e-8:
            scale /= 2
        if not following <= value:  # no step goes down any more: this is the bottom as far as floats can tell
            return Logistic(float(beta[0]), beta[1:], True)
        beta = beta + scale * step
        if value - following <= _TOLERANCE * (abs(value) + 1):
            return Logistic(float(beta[0]), beta[1:], True)
        value = following
    return Logistic(float(beta[0]), beta[1:], False)
