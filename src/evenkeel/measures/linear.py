"""Ridge regression whose penalty the rows choose themselves: as much slope as they can tell, none where few."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import svd

from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]

_STRENGTHS = np.logspace(-4, 8, 49)  # penalties that are weighed, relative to standardised columns


@dataclass(frozen=True, slots=True)
class Linear:
    """A fitted model: mean = intercept + x @ coefficients. penalty: inf where no column tells anything."""

    intercept: float
    coefficients: FloatArray
    penalty: float

    def mean(self, x: FloatArray) -> FloatArray:
        """Mean of rows like each. x: (n, p). Returns (n,)."""
        result: FloatArray = self.intercept + (x * self.coefficients).sum(axis=1)
        return result


def fit_ridge(x: FloatArray, y: FloatArray, weight: FloatArray | None = None) -> Linear:
    """Minimise  sum w (y - a - z b)^2 + penalty * |b|^2,  z the columns of x standardised, the intercept free.

    x: (n, p) finite; y: (n,) finite; weight: (n,) above 0, ones where None; only their ratios count. The penalty,
    infinity among the choices, has the least generalised cross-validation score  n |y - fit|^2 / (n - 1 - freedom)^2
    (Golub, Heath & Wahba 1979), residuals weighted.
    Raises InvalidInput where shapes differ, a value is not finite, a weight not above 0, or there is no row.
    """
    w = np.ones(len(y)) if weight is None else weight
    if x.ndim != 2 or not y.shape == w.shape == x.shape[:1] or len(y) == 0:
        raise InvalidInput("x, y and weights have different numbers of rows, or none.")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(w).all() and (w > 0).all()):
        raise InvalidInput("a covariate or an outcome is not finite, or a weight not above 0.")
    n, w = len(y), w / w.mean()
    centre, mean = w @ x / n, float(w @ y / n)
    scale = np.sqrt(w @ (x - centre) ** 2 / n)
    varies = scale > 1e-12 * np.maximum(np.abs(centre), 1e-300)
    flat = Linear(mean, np.zeros(x.shape[1]), float("inf"))
    if n < 3 or not varies.any():
        return flat
    root = np.sqrt(w)
    z, rest = root[:, None] * (x[:, varies] - centre[varies]) / scale[varies], root * (y - mean)
    left, size, right = svd(z, full_matrices=False, check_finite=False)
    along, whole = left.T @ rest, float(rest @ rest)
    kept = size**2 / (size**2 + n * _STRENGTHS[:, None])  # (strengths, p)
    loss = whole - float(along @ along) + ((1 - kept) ** 2 * along**2).sum(axis=1)
    room = n - 1 - kept.sum(axis=1)
    scores = np.where(room > 0, n * loss / np.maximum(room, 1e-9) ** 2, np.inf)
    best = int(np.argmin(scores))
    if not scores[best] < n * whole / (n - 1) ** 2:
        return flat
    slopes = np.zeros(x.shape[1])
    penalty = float(n * _STRENGTHS[best])
    slopes[varies] = right.T @ (size / (size**2 + penalty) * along) / scale[varies]
    return Linear(mean - float(centre @ slopes), slopes, penalty)
