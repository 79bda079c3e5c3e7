"""Regression of a share between 0 and 1, both ends included: fractional logit with robust standard errors.

E[y | x] = sigmoid(a + x b) is all that is assumed (Papke & Wooldridge 1996). The Bernoulli quasi-likelihood gives a
and b whatever the distribution of y, so a heap at 0 or 1 does no harm; the sandwich gives errors that do as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]

_Z = 1.959963984540054  # the normal quantile of a 95 % interval
_TOLERANCE = 1e-12
_ITERATIONS = 100
_FLOOR = 1e-10  # ridge on everything, relative to the rows: a constant column ends at 0 instead of nowhere


@dataclass(frozen=True, slots=True)
class Fractional:
    """A fitted model: logit of the mean share = intercept + x @ coefficients.

    covariance: (p + 1, p + 1) robust, the intercept first. converged is False where Newton ran out.
    """

    intercept: float
    coefficients: FloatArray
    covariance: FloatArray
    converged: bool

    def log_odds(self, x: FloatArray) -> FloatArray:
        """Logit of the mean share. x: (n, p). Returns (n,)."""
        result: FloatArray = self.intercept + (x * self.coefficients).sum(axis=1)
        return result

    def mean(self, x: FloatArray) -> FloatArray:
        """Mean share of rows like each. x: (n, p). Returns (n,)."""
        result: FloatArray = expit(self.log_odds(x))
        return result

    def variance(self, x: FloatArray) -> FloatArray:
        """Variance of `log_odds` as an estimate. x: (n, p). Returns (n,)."""
        design = np.column_stack((np.ones(len(x)), x))
        result: FloatArray = ((design @ self.covariance) * design).sum(axis=1)
        return result

    def interval(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """95 % interval of the mean share (not of a single share), by the delta method on the logit."""
        centre, half = self.log_odds(x), _Z * np.sqrt(self.variance(x))
        return expit(centre - half), expit(centre + half)

    @property
    def standard_errors(self) -> FloatArray:
        """Robust standard errors, the intercept first."""
        result: FloatArray = np.sqrt(np.diag(self.covariance))
        return result


def fit_fractional(x: FloatArray, y: FloatArray, weight: FloatArray | None = None, ridge: float = 0.0) -> Fractional:
    """Minimise  sum_i w_i (log(1 + exp(m_i)) - y_i m_i) + ridge / 2 * |b|^2,  m = a + x b.

    x: (n, p) finite. y: (n,) in [0, 1]. weight: (n,) >= 0, ones where None; to the optimum a weight of 2 is a row given
    twice, to the covariance it is one row that counts double. The intercept carries no penalty, so the weighted mean of
    predictions is that of y.
    Covariance: H^-1 (sum_i w_i^2 r_i^2 x_i x_i') H^-1 * n / (n - p - 1), r = y - mean (White 1980; HC1).
    Raises InvalidInput where shapes differ, or a share or weight is outside its range.
    """
    w = _checked(x, y, weight)
    n, p = x.shape
    design = np.column_stack((np.ones(n), x))
    penalty = np.full(p + 1, ridge)
    penalty[0] = 0.0
    share = np.clip(np.average(y, weights=w), 1e-9, 1 - 1e-9)
    beta = np.zeros(p + 1)
    beta[0] = np.log(share / (1 - share))

    def loss(at: FloatArray) -> float:
        margin = design @ at
        return float(w @ (np.logaddexp(0.0, margin) - y * margin) + 0.5 * (penalty * at * at).sum())

    def hessian(mean: FloatArray) -> FloatArray:
        result: FloatArray = (design * (w * mean * (1 - mean))[:, None]).T @ design + np.diag(
            penalty + _FLOOR * w.sum()
        )
        return result

    value, converged = loss(beta), False
    for _ in range(_ITERATIONS):
        mean = expit(design @ beta)
        gradient = design.T @ (w * (mean - y)) + penalty * beta
        step = cho_solve(cho_factor(hessian(mean)), -gradient)
        scale = 1.0
        while not (following := loss(beta + scale * step)) <= value and scale > 1e-8:
            scale /= 2
        gain = value - following
        if following <= value:
            beta, value = beta + scale * step, following
        if not gain > _TOLERANCE * (abs(value) + 1):  # also where no step goes down: the bottom, as far as floats tell
            converged = True
            break
    mean = expit(design @ beta)
    bread = cho_solve(cho_factor(hessian(mean)), np.eye(p + 1))
    scores = design * (w * (y - mean))[:, None]
    rows = int((w > 0).sum())
    covariance = bread @ (scores.T @ scores) @ bread * (rows / max(rows - p - 1, 1))
    return Fractional(float(beta[0]), beta[1:], covariance, converged)


def _checked(x: FloatArray, y: FloatArray, weight: FloatArray | None) -> FloatArray:
    """The weights, ones where none are given."""
    if x.ndim != 2 or y.shape != x.shape[:1] or (weight is not None and weight.shape != y.shape):
        raise InvalidInput("x, shares and weights have different numbers of rows.")
    if not (np.isfinite(x).all() and (y >= 0).all() and (y <= 1).all()):
        raise InvalidInput("a share is below 0, above 1 or not known, or a covariate is not finite.")
    w = np.ones(len(y)) if weight is None else weight
    if not (len(w) and (w >= 0).all() and np.isfinite(w).all() and w.sum() > 0):
        raise InvalidInput("weights are finite, 0 or more, and not all 0.")
    return w
