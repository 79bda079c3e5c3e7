"""Has the population, a feature or the risk moved since training, beyond what chance does?

Conventions: counts are int64 by bin, the same bins in both samples; training (expected) comes first. p-values are of
"no change". A false-alarm rate is the chance of at least one alarm where nothing has changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import chdtrc, chdtri, ndtr

from evenkeel.measures.binning import weight_of_evidence
from evenkeel.measures.discrimination import Difference, Estimate, wilson

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_Z = 1.959963984540054  # the normal quantile of a 95 % interval


@dataclass(frozen=True, slots=True)
class Psi:
    """A stability index, and what chance alone does to one.

    index: value with its 95 % interval. parts: (k,) what each bin adds; they sum to the value. p_value: chance of as
    high a value where nothing has moved. noise_95, noise_999: a value that chance alone passes in 5 % and in 0.1 % of
    cases. alarm_010, alarm_025: chance that unmoved samples of these sizes pass the usual thresholds 0.1 and 0.25.
    """

    index: Estimate
    parts: FloatArray
    p_value: float
    noise_95: float
    noise_999: float
    alarm_010: float
    alarm_025: float


def false_alarm_rate(threshold: float, expected_rows: int, actual_rows: int, bins: int) -> float:
    """Chance that the PSI of two samples of one population passes a threshold: (1/n + 1/m) chi-squared of bins - 1.

    (Yurdakul & Naranjo 2020.) 0 for one bin, which cannot move.
    """
    if bins < 2:
        return 0.0
    return float(chdtrc(bins - 1, threshold / (1 / expected_rows + 1 / actual_rows)))


def noise_level(chance: float, expected_rows: int, actual_rows: int, bins: int) -> float:
    """The PSI that two samples of one population pass with probability `chance`: the inverse of `false_alarm_rate`."""
    if bins < 2:
        return 0.0
    return float(chdtri(bins - 1, chance)) * (1 / expected_rows + 1 / actual_rows)


def psi(expected: IntArray, actual: IntArray) -> Psi:
    """Population stability index: sum over bins of (share now - share then) * ln(share now / share then).

    expected, actual: (k,) int64, each with rows, else every figure is NaN. With a score's bins it is the PSI, with a
    feature's the CSI. Half a case stands in a bin that only one sample has; bins that neither has do not count.
    The plain value is (bins - 1)(1/n + 1/m) too high on average. Its interval is of the index of the two populations:
    those whose estimate has mean and variance (delta method, with the variance of no change added) within 1.96
    deviations of the value; it begins at 0 where the test sees no change, and reaches up to the value at least.
    """
    n, m = int(expected.sum()), int(actual.sum())
    if n == 0 or m == 0:
        nothing = np.full(len(expected), np.nan)
        return Psi(Estimate(np.nan, np.nan, np.nan), nothing, np.nan, np.nan, np.nan, np.nan, np.nan)
    used = expected + actual > 0
    bins = int(used.sum())
    then, now = (np.where(used, np.maximum(counts, 0.5), 1.0) / total for counts, total in ((expected, n), (actual, m)))
    then, now = np.where(used, then, 1.0), np.where(used, now, 1.0)  # a bin of neither adds nothing
    log_ratio = np.log(now / then)
    parts = (now - then) * log_ratio
    value, unit = float(parts.sum()), 1 / n + 1 / m
    p_value = false_alarm_rate(value, n, m, bins) if bins > 1 else 1.0
    slopes = ((then, -log_ratio + 1 - now / then, n), (now, log_ratio + 1 - then / now, m))
    variance = sum(_variance(share[used], slope[used]) / rows for share, slope, rows in slopes)
    moved = variance / value / 2 if value > 0 else 2 * unit  # half the variance per unit of the index
    excess = value - (bins - 1) * unit
    centre = excess + _Z**2 * moved
    half = np.sqrt(max(centre**2 - excess**2 + 2 * _Z**2 * (bins - 1) * unit**2, 0.0))
    low = 0.0 if p_value > 0.025 else min(max(centre - half, 0.0), value)
    index = Estimate(value, low, max(centre + half, value))
    levels = noise_level(0.05, n, m, bins), noise_level(0.001, n, m, bins)
    return Psi(index, parts, p_value, *levels, false_alarm_rate(0.1, n, m, bins), false_alarm_rate(0.25, n, m, bins))


def small_sample(then: IntArray, rows: int) -> float:
    """How much wider than its chi-squared the index of an unmoved month is, to the next order in 1 / rows.

    With e the error of a bin's share s, the index is the sum of e^2 / s - e^3 / (2 s^2) + e^4 / (3 s^3); the binomial's
    moments give the mean (k - 1) / rows + sum of ((1 - s)^2 - (1 - s)(1 - 2 s) / 2) / s / rows^2 (as Bartlett 1937).
    """
    share = then[then > 0] / then.sum()
    if len(share) < 2:
        return 1.0
    extra = (((1 - share) ** 2 - (1 - share) * (1 - 2 * share) / 2) / share).sum()
    return float(1 + extra / (rows * (len(share) - 1)))


def _variance(share: FloatArray, values: FloatArray) -> float:
    """Variance of values that occur with these shares."""
    share = share / share.sum()
    mean = float((share * values).sum())
    return float((share * (values - mean) ** 2).sum())


def rate_drift(bads_then: int, rows_then: int, bads_now: int, rows_now: int) -> Difference:
    """Bad rate now minus then: Newcombe's hybrid score interval (1998, method 10), p-value of the pooled z test.

    NaN where a sample has no rows.
    """
    if rows_then == 0 or rows_now == 0:
        return Difference(np.nan, np.nan, np.nan, np.nan)
    bads, rows = np.array([bads_then, bads_now]), np.array([rows_then, rows_now])
    (then, now), (low, high) = bads / rows, wilson(bads, rows)
    down = np.sqrt((now - low[1]) ** 2 + (high[0] - then) ** 2)
    up = np.sqrt((high[1] - now) ** 2 + (then - low[0]) ** 2)
    z = float(_rate_z(bads[:1], rows[:1], bads[1:], rows[1:])[0])
    gap = float(now - then)
    return Difference(gap, max(gap - float(down), -1.0), min(gap + float(up), 1.0), float(2 * ndtr(-abs(z))))


def _rate_z(bads_a: IntArray, rows_a: IntArray, bads_b: IntArray, rows_b: IntArray) -> FloatArray:
    """z of rate b minus rate a under one pooled rate; 0 where a side has no rows or the pooled rate is 0 or 1."""
    rows = np.maximum(rows_a + rows_b, 1)
    pooled = (bads_a + bads_b) / rows
    safe_a, safe_b = np.maximum(rows_a, 1), np.maximum(rows_b, 1)
    variance = pooled * (1 - pooled) * (1 / safe_a + 1 / safe_b)
    there = (rows_a > 0) & (rows_b > 0) & (variance > 0)
    gap = bads_b / safe_b - bads_a / safe_a
    return np.where(there, gap / np.sqrt(np.where(there, variance, 1.0)), 0.0)


@dataclass(frozen=True, slots=True)
class Flips:
    """The bins of one feature by period, against training.

    woe: (t, k) weight of evidence in each period. p_value: (t, k) chance of a bin lying as far on the wrong side of the
    rest of its period where its true rate is that of the rest. flipped: (t, k) bool, wrong beyond chance.
    order_p_value, reversed_order: (t, k - 1), the same of each two bins that are neighbours in training's order of risk
    (`order`, (k,) from the safest bin), a pair being wrong where the one that was riskier is the safer.
    """

    woe: FloatArray
    p_value: FloatArray
    flipped: BoolArray
    order: IntArray
    order_p_value: FloatArray
    reversed_order: BoolArray


def sign_flips(
    train_goods: IntArray, train_bads: IntArray, goods: IntArray, bads: IntArray, false_alarm: float = 0.05
) -> Flips:
    """Which bins changed the side of the average they lie on, and which neighbours changed places, beyond chance.

    train_goods, train_bads: (k,) int64. goods, bads: (t, k) int64, one row a period. Each of the two families of tests
    (pooled z, one-sided, Holm 1979 over periods and bins) raises any false alarm with probability `false_alarm` at
    most, as far as the normal approximation holds. Empty bins have WoE 0 and never flip.
    """
    then = weight_of_evidence(train_goods, train_bads)
    woe = np.array([weight_of_evidence(*period) for period in zip(goods, bads, strict=True)]).reshape(goods.shape)
    rows = goods + bads
    rest_bads, rest_rows = bads.sum(axis=1, keepdims=True) - bads, rows.sum(axis=1, keepdims=True) - rows
    above = _rate_z(rest_bads, rest_rows, bads, rows)  # > 0: riskier than the rest
    wrong = np.sign(then) * above  # WoE > 0 says safer, so > 0 here is the wrong side
    p_value = np.where(wrong > 0, ndtr(-wrong), 1.0)
    order = np.argsort(-then, kind="stable")
    safer, riskier = order[:-1], order[1:]
    fall = -_rate_z(bads[:, safer], rows[:, safer], bads[:, riskier], rows[:, riskier])
    order_p_value = np.where((fall > 0) & (then[safer] > then[riskier]), ndtr(-fall), 1.0)
    flipped, turned = (
        breaches(values.ravel(), false_alarm).reshape(values.shape) for values in (p_value, order_p_value)
    )
    return Flips(woe, p_value, flipped, order.astype(np.int64), order_p_value, turned)


def breaches(
    p_values: FloatArray | Sequence[float], false_alarm: float = 0.05, planned: int | None = None
) -> BoolArray:
    """Which of a series of tests (months, often) breach, with any false alarm at most `false_alarm` likely.

    p_values: (t,), NaN where a test could not be made, which never breaches. Without `planned` all tests are judged
    together, by Holm's steps (1979): a verdict can change as months are added. With `planned`, the number of tests to
    be made in all, each is judged alone at false_alarm / planned (Bonferroni): verdicts stand as months arrive.
    """
    values = np.asarray(p_values, np.float64)
    if planned is not None:
        return values <= false_alarm / max(planned, len(values), 1)
    made = np.flatnonzero(~np.isnan(values))
    order = made[np.argsort(values[made], kind="stable")]
    passed = values[order] <= false_alarm / (len(order) - np.arange(len(order)))
    result = np.zeros(len(values), bool)
    result[order[: len(order) if passed.all() else int(np.argmin(passed))]] = True
    return result
