"""Do probabilities mean what they say: corrections of the ln odds, tests of them, and the reliability table.

Conventions: log_odds and p are (n,) float64 of the bad; bad is (n,) bool. A calibration is a small frozen value with
`apply(log_odds) -> p` and `document()`, its content as JSON takes it, from which `from_document` makes it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression
from scipy.special import chdtrc, ndtr

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.discrimination import Estimate, rank_groups
from evenkeel.measures.discrimination import wilson as wilson
from evenkeel.measures.logistic import fit_logistic, sigmoid

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_Z = 1.959963984540054  # the normal quantile of a 95 % interval
_UNKNOWN = Estimate(np.nan, np.nan, np.nan)


@dataclass(frozen=True, slots=True)
class Platt:
    """ln odds -> intercept + slope * ln odds (Platt 1999)."""

    intercept: float
    slope: float

    def apply(self, log_odds: FloatArray) -> FloatArray:
        """Calibrated probability of the bad."""
        return sigmoid(self.intercept + self.slope * log_odds)

    def document(self) -> dict[str, Any]:
        """Kind, intercept and slope."""
        return {"kind": "platt", "intercept": self.intercept, "slope": self.slope}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Platt:
        """What `document` gave."""
        return cls(float(document["intercept"]), float(document["slope"]))


@dataclass(frozen=True, slots=True)
class Shift:
    """ln odds -> ln odds + amount: the order and the odds ratios stay, the level moves."""

    amount: float

    def apply(self, log_odds: FloatArray) -> FloatArray:
        """Calibrated probability of the bad."""
        return sigmoid(self.amount + log_odds)

    def document(self) -> dict[str, Any]:
        """Kind and amount."""
        return {"kind": "shift", "amount": self.amount}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Shift:
        """What `document` gave."""
        return cls(float(document["amount"]))


@dataclass(frozen=True, slots=True)
class Isotonic:
    """A rising step function with linear joints: p at the knots, straight lines between, level beyond them.

    log_odds: (k,) rising. p: (k,) never falling, in [0, 1]; both ends of each step of equal p are knots.
    """

    log_odds: tuple[float, ...]
    p: tuple[float, ...]

    def apply(self, log_odds: FloatArray) -> FloatArray:
        """Calibrated probability of the bad; it may be 0 or 1, where a step held no bad or no good."""
        result: FloatArray = np.interp(log_odds, self.log_odds, self.p)
        return result

    def document(self) -> dict[str, Any]:
        """Kind and knots."""
        return {"kind": "isotonic", "log_odds": list(self.log_odds), "p": list(self.p)}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Isotonic:
        """What `document` gave."""
        return cls(tuple(map(float, document["log_odds"])), tuple(map(float, document["p"])))


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


def fit_isotonic(log_odds: FloatArray, bad: BoolArray, weight: FloatArray | None = None) -> Isotonic:
    """Weighted least squares under a rising order: pool adjacent violators (Ayer et al. 1955), exact.

    log_odds: (n,), n > 0. bad: (n,) bool. weight: (n,) > 0, ones where None. Rows of equal ln odds are pooled first.
    """
    if len(log_odds) == 0:
        raise InvalidInput("there is no row to calibrate on.", "Give predictions with known outcomes.")
    given = np.ones(len(bad)) if weight is None else weight
    levels, place = np.unique(log_odds, return_inverse=True)
    mass = np.bincount(place, given)
    fitted = isotonic_regression(np.bincount(place, given * bad) / mass, weights=mass)
    ends = np.unique(np.concatenate((fitted.blocks[:-1], fitted.blocks[1:] - 1)))
    return Isotonic(tuple(levels[ends].tolist()), tuple(np.clip(fitted.x[ends], 0.0, 1.0).tolist()))


def fit_shift(log_odds: FloatArray, target: float, weight: FloatArray | None = None) -> Shift:
    """The amount that brings the (weighted) mean probability to `target`, to 1e-12 of it.

    log_odds: (n,) finite, n > 0. target: a bad rate in (0, 1), else InvalidInput. weight: (n,) > 0, ones where None.
    Newton on the mean probability, which rises with the amount, kept inside a bracket.
    """
    if not 0 < target < 1:
        raise InvalidInput(f"a target bad rate of {target} cannot be reached.", "Give a rate between 0 and 1.")
    if len(log_odds) == 0 or not np.isfinite(log_odds).all():
        raise InvalidInput("ln odds to shift must be given, and finite.", "Leave out rows without a score.")
    given = np.full(len(log_odds), 1 / len(log_odds)) if weight is None else weight / weight.sum()
    wanted = float(np.log(target / (1 - target)))
    low, high = wanted - float(log_odds.max()), wanted - float(log_odds.min())
    amount = min(max(wanted - float((given * log_odds).sum()), low), high)
    for _ in range(200):
        p = sigmoid(log_odds + amount)
        gap = float((given * p).sum()) - target
        if abs(gap) <= 1e-15 * max(target, 1e-300) or high - low <= np.spacing(max(abs(low), abs(high))):
            break
        low, high = (amount, high) if gap < 0 else (low, amount)
        slope = float((given * p * (1 - p)).sum())
        following = amount - gap / slope if slope > 0 else np.inf
        following = following if low < following < high else (low + high) / 2
        if following == amount:
            break
        amount = following
    return Shift(amount)


@dataclass(frozen=True, slots=True)
class CalibrationTest:
    """Whether ln odds hold on other cases (Cox 1958): logit of the bad = intercept + slope * log_odds.

    in_the_large: the intercept where the slope is held to 1; 0 where the level is right, > 0 where there are more bads
    than said. slope: 1 where the spread is right, below it where the predictions are too extreme (overfitted).
    p_value: of intercept 0 and slope 1 together (likelihood ratio, chi-squared with 2 degrees of freedom).
    """

    in_the_large: Estimate
    slope: Estimate
    p_value: float


def _log_loss_sum(log_odds: FloatArray, bad: BoolArray) -> float:
    return float((np.logaddexp(0.0, log_odds) - np.where(bad, log_odds, 0.0)).sum())


def calibration_test(log_odds: FloatArray, bad: BoolArray) -> CalibrationTest:
    """Level and slope with Wald's intervals; NaN where one class is missing, the slope also where all ln odds agree.

    The level's error is the robust one (White 1982), since it is asked for where the slope may be wrong.
    """
    if bad.all() or not bad.any():
        return CalibrationTest(_UNKNOWN, _UNKNOWN, np.nan)
    amount = fit_shift(log_odds, float(bad.mean())).amount
    p = sigmoid(log_odds + amount)
    half = _Z * float(np.sqrt(((bad - p) ** 2).sum()) / (p * (1 - p)).sum())
    level = Estimate(amount, amount - half, amount + half)
    if log_odds.max() == log_odds.min():
        return CalibrationTest(level, _UNKNOWN, np.nan)
    centre = float(log_odds.mean())
    line = fit_logistic((log_odds - centre)[:, None], bad, ridge=1e-9)
    fitted = line.log_odds((log_odds - centre)[:, None])
    p = sigmoid(fitted)
    weight = p * (1 - p)
    middle = float((weight * log_odds).sum() / weight.sum())
    slope, half = float(line.coefficients[0]), _Z / np.sqrt(float((weight * (log_odds - middle) ** 2).sum()))
    gain = max(2 * (_log_loss_sum(log_odds, bad) - _log_loss_sum(fitted, bad)), 0.0)
    return CalibrationTest(level, Estimate(slope, slope - half, slope + half), float(chdtrc(2, gain)))


@dataclass(frozen=True, slots=True)
class Spiegelhalter:
    """z: standard normal where every p is right; p_value: two-sided."""

    z: float
    p_value: float


def spiegelhalter(p: FloatArray, bad: BoolArray) -> Spiegelhalter:
    """Whether the Brier score is as high as right probabilities would make it (Spiegelhalter 1986), without groups.

    Sum of (bad - p)(1 - 2 p) over the root of the sum of (1 - 2 p)^2 p (1 - p). NaN where that is 0.
    """
    room = float(((1 - 2 * p) ** 2 * p * (1 - p)).sum())
    if room <= 0:
        return Spiegelhalter(np.nan, np.nan)
    z = float(((bad - p) * (1 - 2 * p)).sum() / np.sqrt(room))
    return Spiegelhalter(z, float(2 * ndtr(-abs(z))))


def expected_calibration_error(p: FloatArray, bad: BoolArray, groups: int = 10) -> Estimate:
    """Mean over groups of equal size of |mean p - share of bads|, weighted by rows (Naeini et al. 2015).

    The plain figure is above 0 even where every p is right, so it says little alone. Its interval is of the true error
    in these groups: the errors s * pattern, s >= 0, under which a figure as high or as low has a chance of 2.5 %, its
    mean and variance being those of folded normals; the pattern is the errors seen, drawn to their mean as far as they
    differ by chance (James & Stein 1961). It begins at 0 where right p's would give as high a figure. Where the figure
    lies above the interval, the interval reaches up to it.
    """
    if len(p) == 0:
        return _UNKNOWN
    group = rank_groups(p, groups)
    rows, bads = np.bincount(group).astype(np.float64), np.bincount(group, bad)
    share, gap = rows / len(p), (bads - np.bincount(group, p)) / rows
    held = (bads + 0.5) / (rows + 1)
    error = np.sqrt(held * (1 - held) / rows)
    pattern = np.abs(_drawn_together(gap, error))
    value, size = float((share * np.abs(gap)).sum()), float((share * pattern).sum())

    def excess(scale: float, side: float) -> float:
        """How far the mean figure at this scale, moved by `side` deviations, lies above the one seen."""
        true = scale * pattern
        ratio = true / error
        mean = 2 * error * np.exp(-ratio * ratio / 2) / np.sqrt(2 * np.pi) + true * (1 - 2 * ndtr(-ratio))
        variance = (share**2 * (true**2 + error**2 - mean**2)).sum()
        return float((share * mean).sum() + side * np.sqrt(variance) - value)

    def end(side: float) -> float:
        if size == 0 or excess(0.0, side) >= 0:
            return 0.0
        low, high = 0.0, 1.0
        while excess(high, side) < 0:
            high *= 2
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if excess(middle, side) < 0 else (low, middle)
        return high * size

    return Estimate(value, min(end(_Z), value), max(end(-_Z), value))


def _drawn_together(values: FloatArray, error: FloatArray) -> FloatArray:
    """Values with known standard errors, drawn to their common mean as far as they differ by chance."""
    centre = float((values / error**2).sum() / (1 / error**2).sum())
    spread = float((((values - centre) / error) ** 2).sum())
    kept = max(1 - max(len(values) - 3, 0) / spread, 0.0) if spread > 0 else 0.0
    return centre + kept * (values - centre)


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
    group = rank_groups(p, groups)
    rows, bads = np.bincount(group), np.bincount(group, bad).astype(np.int64)
    low, high = wilson(bads, rows)
    predicted, observed = np.bincount(group, p) / rows, bads / rows
    return [
        Reliability(float(predicted[i]), float(observed[i]), float(low[i]), float(high[i]), int(rows[i]))
        for i in range(len(rows))
    ]
