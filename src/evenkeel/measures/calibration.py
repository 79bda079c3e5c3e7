"""Do probabilities mean what they say: Platt's correction and the reliability table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evenkeel.measures.logistic import fit_logistic, sigmoid

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Platt:
    """ln odds -> intercept + slope * ln odds (Platt 1999)."""

    intercept: float
    slope: float

    def apply(self, log_odds: FloatArray) -> FloatArray:
        """Calibrated probability of the bad."""
        return sigmoid(self.intercept + self.slope * log_odds)


def fit_platt(log_odds: FloatArray, bad: BoolArray) -> Platt:
    """Fit on predictions that were made without their own outcome, with the slope held to 0 or more.

    log_odds: (n,), bad: (n,) bool. Predictions that rank backwards are worth no more than the
    base rate, which is then what every case is given (slope 0).
    """
    fitted = fit_logistic(log_odds[:, None], bad, ridge=1e-6)
    slope = float(fitted.coefficients[0])
    if slope > 0:
        return Platt(fitted.intercept, slope)
    rate = min(max(float(bad.mean()), 1e-9), 1 - 1e-9)
    return Platt(float(np.log(rate / (1 - rate))), 0.0)


def wilson(hits: npt.NDArray[np.int64], trials: npt.NDArray[np.int64]) -> tuple[FloatArray, FloatArray]:
    """Wilson's 95 % interval of a share (Wilson 1927); NaN where nothing was tried."""
    z = 1.959963984540054
    n = np.where(trials > 0, trials, np.nan)
    share = hits / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return centre - half, centre + half


@dataclass(frozen=True, slots=True)
class Reliability:
    """One group of a reliability table: mean probability, observed share with its interval, rows."""

    predicted: float
    observed: float
    low: float
    high: float
    rows: int


def reliability(p: FloatArray, bad: BoolArray, groups: int = 10) -> list[Reliability]:
    """Observed share of bads against mean probability in `groups` groups of about equal size, by increasing p."""
    if len(p) == 0:
        return []
    order = np.argsort(p, kind="stable")
    table = []
    for part in np.array_split(order, min(groups, len(p))):
        low, high = wilson(np.array([bad[part].sum()]), np.array([len(part)]))
        table.append(
            Reliability(float(p[part].mean()), float(bad[part].mean()), float(low[0]), float(high[0]), len(part))
        )
    return table
