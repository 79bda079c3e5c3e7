"""How well a score separates bads from goods, with intervals.

Conventions: p is (n,) float64, any figure that rises with the risk (a probability where `brier` and `log_loss` say so);
bad is (n,) bool; one class alone has no figure, every field is then NaN. Equal p are never told apart by their order.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression
from scipy.special import betainc, kolmogorov, ndtri, stdtr, stdtrit

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Counts = npt.NDArray[np.number]

_Z = 1.959963984540054  # the normal quantile of a 95 % interval
_CELLS = 1000  # cells of equal p's ranks on which intervals are resampled


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with a 95 % interval."""

    value: float
    low: float
    high: float


_UNKNOWN = Estimate(np.nan, np.nan, np.nan)


def _placements(p: FloatArray, bad: BoolArray, weight: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """(share of goods below each bad, share of bads above each good), a tie counting half."""
    distinct, place = np.unique(p, return_inverse=True)
    bads, goods = (
        np.bincount(place[of], None if weight is None else weight[of], len(distinct)).astype(np.float64)
        for of in (bad, ~bad)
    )
    up_to_bads, up_to_goods = np.cumsum(bads), np.cumsum(goods)
    below = (up_to_goods - goods / 2) / up_to_goods[-1]
    above = (up_to_bads[-1] - up_to_bads + bads / 2) / up_to_bads[-1]
    return below[place[bad]], above[place[~bad]]


def _mean(values: FloatArray, weight: FloatArray | None) -> float:
    return float(values.mean() if weight is None else (weight * values).sum() / weight.sum())


def _deviation(
    bads: FloatArray, goods: FloatArray, of_bads: FloatArray | None = None, of_goods: FloatArray | None = None
) -> tuple[float, float]:
    """(standard error of the sum of two means, Welch's degrees of freedom of it), weights being importances.

    Few bads leave few degrees of freedom (Welch 1947): with Student's quantile DeLong's interval covers 95 % at 30
    bads, with the normal one 93 to 94 %.
    """
    variances, freedoms = [], []
    for values, weight in ((bads, of_bads), (goods, of_goods)):
        given = np.ones(len(values)) if weight is None else weight
        size = given.sum() ** 2 / (given**2).sum()  # Kish's effective number of cases
        if len(values) < 2 or size <= 1:
            return np.nan, np.nan
        spread = (given**2 * (values - _mean(values, weight)) ** 2).sum() / given.sum() ** 2
        variances.append(float(spread * size / (size - 1)))
        freedoms.append(size - 1)
    total = sum(variances)
    if total == 0:
        return 0.0, sum(freedoms)
    return float(np.sqrt(total)), total**2 / sum(v * v / f for v, f in zip(variances, freedoms, strict=True))


def auc(p: FloatArray, bad: BoolArray, weight: FloatArray | None = None) -> Estimate:
    """Area under the ROC curve with DeLong's interval (DeLong et al. 1988; fast form of Sun & Xu 2014).

    p: (n,). bad: (n,) bool, both classes present, else every field is NaN. weight: (n,) > 0, the importance of a case.
    The interval is taken on the logit of the area, so it stays within (0, 1). An area of 0 or 1 has no variance to
    measure; its far end is Wilson's for as many pairs, all alike, as the smaller class can form without sharing a case.
    """
    m, n = int(bad.sum()), int((~bad).sum())
    if m == 0 or n == 0:
        return _UNKNOWN
    of_bads, of_goods = (None, None) if weight is None else (weight[bad], weight[~bad])
    below, above = _placements(p, bad, weight)
    area = _mean(below, of_bads)
    if area in (0.0, 1.0):
        room = _Z**2 / (min(m, n) + _Z**2)
        return Estimate(area, max(area - room, 0.0), min(area + room, 1.0))
    deviation, freedom = _deviation(below, above, of_bads, of_goods)
    logit, half = np.log(area / (1 - area)), stdtrit(freedom, 0.975) * deviation / (area * (1 - area))
    return Estimate(area, float(1 / (1 + np.exp(-(logit - half)))), float(1 / (1 + np.exp(-(logit + half)))))


def gini(p: FloatArray, bad: BoolArray, weight: FloatArray | None = None) -> Estimate:
    """Gini coefficient, also called accuracy ratio or Somers' D: 2 AUC - 1, with the AUC's interval."""
    area = auc(p, bad, weight)
    return Estimate(2 * area.value - 1, 2 * area.low - 1, 2 * area.high - 1)


@dataclass(frozen=True, slots=True)
class Difference:
    """A first figure minus a second one, with a 95 % interval and the p-value of no difference (two-sided)."""

    value: float
    low: float
    high: float
    p_value: float


def auc_difference(p: FloatArray, q: FloatArray, bad: BoolArray) -> Difference:
    """AUC of p minus AUC of q on the same rows, whose errors are correlated (DeLong et al. 1988).

    p, q: (n,). bad: (n,) bool, at least two of each class, else every field is NaN. Scores that order all pairs alike
    differ by 0 without doubt: p-value 1.
    """
    if min(bad.sum(), (~bad).sum()) < 2:
        return Difference(np.nan, np.nan, np.nan, np.nan)
    (below, above), (below_q, above_q) = _placements(p, bad, None), _placements(q, bad, None)
    value = _mean(below - below_q, None)
    deviation, freedom = _deviation(below - below_q, above - above_q)
    if deviation == 0:
        return Difference(value, value, value, 1.0 if value == 0 else 0.0)
    half = float(stdtrit(freedom, 0.975)) * deviation
    return Difference(value, value - half, value + half, float(2 * stdtr(freedom, -abs(value) / deviation)))


def _ks(bads: Counts, goods: Counts) -> FloatArray:
    """Largest gap between the cumulated shares. bads, goods: (..., k) counts by increasing score."""
    share_bads = np.cumsum(bads, axis=-1) / bads.sum(axis=-1, keepdims=True)
    share_goods = np.cumsum(goods, axis=-1) / goods.sum(axis=-1, keepdims=True)
    result: FloatArray = np.abs(share_bads - share_goods).max(axis=-1)
    return result


def _counts(p: FloatArray, bad: BoolArray) -> tuple[IntArray, IntArray]:
    """(bads, goods) of each distinct p, by increasing p."""
    distinct, place = np.unique(p, return_inverse=True)
    return np.bincount(place[bad], minlength=len(distinct)), np.bincount(place[~bad], minlength=len(distinct))


def _smooth_cells(bads: IntArray, goods: IntArray) -> tuple[FloatArray, FloatArray]:
    """Shares of bads and of goods in at most 1,000 cells, as a smooth curve through them has it.

    The ln odds of a cell are a square polynomial in the normal quantile of its middle rank: the density ratio model
    (Qin & Zhang 1997) in the shape of a binormal ROC curve, with half a unit of ridge on standardised terms.
    """
    cells = min(_CELLS, len(bads))
    starts = np.flatnonzero(np.diff(np.arange(len(bads)) * cells // len(bads), prepend=-1))
    b, g = np.add.reduceat(bads, starts), np.add.reduceat(goods, starts)
    rows = b + g
    z = ndtri((np.cumsum(rows) - rows / 2) / rows.sum())
    terms = np.column_stack((np.ones(cells), z, z * z))
    terms[:, 1:] /= np.sqrt((terms[:, 1:] ** 2 * rows[:, None]).sum(axis=0) / rows.sum()) + 1e-12
    ridge = np.array([1e-9, 0.5, 0.5])

    def loss(at: FloatArray) -> float:
        odds = terms @ at
        return float((rows * np.logaddexp(0, odds) - b * odds).sum() + (ridge * at * at).sum() / 2)

    beta = np.array([np.log(b.sum() / g.sum()), 0.0, 0.0])
    for _ in range(30):
        share = 1 / (1 + np.exp(-(terms @ beta)))
        slope = terms.T @ (rows * share - b) + ridge * beta
        bend = (terms * (rows * share * (1 - share))[:, None]).T @ terms + np.diag(ridge)
        step = np.linalg.solve(bend, slope)
        before, scale = loss(beta), 1.0
        while not loss(beta - scale * step) <= before and scale > 1e-6:
            scale /= 2
        beta = beta - scale * step
        if np.abs(scale * step).max() < 1e-9:
            break
    share = 1 / (1 + np.exp(-(terms @ beta)))
    return rows * share / (rows * share).sum(), rows * (1 - share) / (rows * (1 - share)).sum()


def _unbiased_interval(
    measure: Callable[[Counts, Counts], FloatArray],
    value: float,
    bads: IntArray,
    goods: IntArray,
    seed: int,
    draws: int,
) -> Estimate:
    """The interval of a figure that is the best over cuts of its own sample, and so too high on average.

    A bootstrap of the sample itself repeats that optimism (its percentile interval covers 60-80 % at 30 to 300 bads).
    Drawn from a smooth curve instead, whose own figure is known, it tells bias and spread: value - bias -+ t * spread,
    t Student's quantile for the smaller class. The number of bads is drawn too.
    The value stays the plain one that others report; where it lies above the interval, the interval reaches up to it.
    """
    of_bads, of_goods = _smooth_cells(bads, goods)
    rng = np.random.default_rng(seed)
    m, n = int(bads.sum()), int(goods.sum())
    drawn_bads = np.clip(rng.binomial(m + n, m / (m + n), draws), 1, m + n - 1)
    drawn = measure(rng.multinomial(drawn_bads, of_bads), rng.multinomial(m + n - drawn_bads, of_goods))
    centre = value - float(drawn.mean() - measure(m * of_bads, n * of_goods))
    half = float(stdtrit(max(min(m, n) - 1, 1), 0.975) * drawn.std(ddof=1))
    return Estimate(value, min(max(centre - half, 0.0), value), max(min(centre + half, 1.0), value))


def ks_value(p: FloatArray, bad: BoolArray) -> float:
    """KS without its interval; NaN where a class is missing."""
    return float(_ks(*_counts(p, bad))) if bad.any() and not bad.all() else float("nan")


def kolmogorov_smirnov(p: FloatArray, bad: BoolArray, seed: int, draws: int = 400) -> Estimate:
    """KS: the largest gap between the cumulated shares of bads and goods.

    p: (n,), bad: (n,) bool. The value is exact, and optimistic; the interval is freed of that (`_unbiased_interval`),
    and begins at 0 where the test of Kolmogorov and Smirnov sees no difference (one-sided 2.5 %).
    """
    if bad.all() or not bad.any():
        return _UNKNOWN
    bads, goods = _counts(p, bad)
    value, m, n = float(_ks(bads, goods)), int(bad.sum()), int((~bad).sum())
    found = _unbiased_interval(_ks, value, bads, goods, seed, draws)
    unseen = kolmogorov(np.sqrt(m * n / (m + n)) * value) > 0.025
    return Estimate(value, 0.0, found.high) if unseen else found


def _h_of_counts(bads: Counts, goods: Counts) -> FloatArray:
    """H of counts by increasing score. bads, goods: (..., k). Returns (...).

    Best decisions at cost c follow the convex hull of the ROC curve, whose segments are the blocks of the isotonic
    regression of bad on score: a block of bad share r is called bad where c < r. Each good of it then costs c, each bad
    elsewhere 1 - c; integrated over the Beta density of c these are incomplete beta functions of r.
    """
    width = bads.shape[-1]
    result = np.empty(bads.shape[:-1])
    for place, (b, g) in enumerate(zip(bads.reshape(-1, width), goods.reshape(-1, width), strict=True)):
        seen = np.flatnonzero(b + g > 0)
        b, g = b[seen], g[seen]
        rows = (b + g).astype(np.float64)
        fitted = isotonic_regression(b / rows, weights=rows)
        first = fitted.blocks[:-1]
        b, g, share = np.add.reduceat(b, first), np.add.reduceat(g, first), np.clip(fitted.x[first], 0.0, 1.0)
        all_bads, all_goods = b.sum(keepdims=True), g.sum(keepdims=True)
        rate = all_bads / (all_bads + all_goods)
        result.reshape(-1)[place] = 1 - _cost(b, g, share, rate[0]) / _cost(all_bads, all_goods, rate, rate[0])
    return result


def _cost(bads: Counts, goods: Counts, share: FloatArray, rate: float) -> float:
    """Expected cost of blocks whose cases are called bad at costs c < share, c by Beta(rate + 1, 2 - rate)."""
    of_good = (rate + 1) / 3 * betainc(rate + 2, 2 - rate, share)
    of_bad = (2 - rate) / 3 * (1 - betainc(rate + 1, 3 - rate, share))
    return float((goods * of_good).sum() + (bads * of_bad).sum())


def h_measure(p: FloatArray, bad: BoolArray, seed: int, draws: int = 200) -> Estimate:
    """H-measure (Hand 2009): 1 - expected least cost / that of a score that tells nothing, in [0, 1].

    p: (n,), bad: (n,) bool. The cost of refusing a good, relative to both costs, follows Beta(pi_1 + 1, pi_0 + 1), pi_1
    the share of bads (Hand & Anagnostopoulos 2014). The value is exact, and optimistic; the interval is freed of that.
    """
    if bad.all() or not bad.any():
        return _UNKNOWN
    bads, goods = _counts(p, bad)
    value = max(float(_h_of_counts(bads, goods)), 0.0)
    return _unbiased_interval(_h_of_counts, value, bads, goods, seed, draws)


def mean_interval(values: FloatArray) -> Estimate:
    """Mean of independent values >= 0 with an interval that allows for their skewness (Hall 1992, cubic transform).

    values: (n,) float64. The rare large losses of a low bad rate make the plain normal interval miss above 7-9 % of the
    time at 9 bads; this one misses by at most the stated 2.5 % on that side. One value has no interval.
    """
    n = len(values)
    if n == 0:
        return _UNKNOWN
    mean = float(values.mean())
    if n == 1:
        return Estimate(mean, np.nan, np.nan)
    deviation = float(values.std(ddof=1))
    skew = float(((values - mean) ** 3).mean()) / deviation**3 if deviation > 0 else 0.0
    ends = np.array([_Z, -_Z]) / np.sqrt(n)
    if abs(skew) > 1e-6:
        ends = (np.cbrt(1 + skew * (ends - skew / (6 * n))) - 1) * 3 / skew
    low, high = mean - deviation * ends
    return Estimate(mean, max(min(float(low), mean), 0.0), max(float(high), mean))


def brier(p: FloatArray, bad: BoolArray) -> Estimate:
    """Mean squared distance between probability p and outcome (Brier 1950)."""
    return mean_interval((p - bad) ** 2)


def log_loss(p: FloatArray, bad: BoolArray) -> Estimate:
    """Mean of -ln of the probability that p gave to what happened, p held to 2e-16 from 0 and 1."""
    margin = np.finfo(np.float64).eps
    held = np.clip(p, margin, 1 - margin)
    return mean_interval(-np.where(bad, np.log(held), np.log1p(-held)))


def rank_groups(p: FloatArray, groups: int) -> IntArray:
    """Group 0.. of each row by increasing p, of about equal size; equal p share the group of their middle rank.

    p: (n,). Returns (n,) int64; heaps of equal p can leave fewer than `groups` groups, which are numbered without gaps.
    """
    distinct, place, size = np.unique(p, return_inverse=True, return_counts=True)
    middle = 2 * np.cumsum(size) - size  # twice the middle rank, whole
    numbers = np.unique(middle * groups // (2 * max(len(p), 1)), return_inverse=True)[1]
    return numbers.astype(np.int64)[place] if len(distinct) else np.zeros(0, np.int64)


@dataclass(frozen=True, slots=True)
class Gain:
    """One group of a gains table, the riskiest group first.

    p_low, p_high: the p it spans. bad_rate: of the group. lift: the group's share of all bads over its share of rows.
    capture: share of all bads in this group and the riskier ones; rows_share: of all rows, likewise.
    """

    rows: int
    bads: int
    p_low: float
    p_high: float
    bad_rate: Estimate
    lift: Estimate
    capture: Estimate
    rows_share: float


def wilson(hits: IntArray, trials: IntArray) -> tuple[FloatArray, FloatArray]:
    """Wilson's 95 % interval of a share (Wilson 1927); NaN where nothing was tried."""
    n = np.where(trials > 0, trials, np.nan)
    share = hits / n
    centre = (share + _Z * _Z / (2 * n)) / (1 + _Z * _Z / n)
    half = _Z * np.sqrt(share * (1 - share) / n + _Z * _Z / (4 * n * n)) / (1 + _Z * _Z / n)
    # At no hit, or none missed, the end is exact; rounding may leave it a hair outside.
    return np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)


def share_estimate(hits: int, trials: int, scale: float = 1.0) -> Estimate:
    """hits / trials with Wilson's interval, all times `scale`; NaN where nothing was tried."""
    if trials == 0:
        return _UNKNOWN
    share = hits / trials
    low, high = (float(end[0]) for end in wilson(np.array([hits]), np.array([trials])))
    return Estimate(scale * share, scale * max(min(low, share), 0.0), scale * min(max(high, share), 1.0))


def share_ratio(hits: int, trials: int, others: int, other_trials: int) -> Estimate:
    """A share over another one with its 95 % interval: Wilson's intervals joined (Donner & Zou 2012, MOVER-R)."""
    one, two = share_estimate(hits, trials), share_estimate(others, other_trials)
    if not two.value > 0 or trials == 0:
        return Estimate(np.nan, np.nan, np.nan)
    product = one.value * two.value

    def end(near: float, far: float, side: float) -> float:
        root = product**2 - near * far * (2 * one.value - near) * (2 * two.value - far)
        return float((product + side * np.sqrt(max(root, 0.0))) / (far * (2 * two.value - far)))

    return Estimate(one.value / two.value, max(end(one.low, two.high, -1), 0.0), end(one.high, two.low, 1))


def gains(p: FloatArray, bad: BoolArray, groups: int = 10) -> list[Gain]:
    """Bad rate, lift and capture in groups of about equal size by falling p, with Wilson's intervals.

    p: (n,), bad: (n,) bool. Lift and capture are shares of the bads, given the size of the groups.
    """
    group = rank_groups(p, groups)
    table: list[Gain] = []
    total, rows_so_far, bads_so_far = int(bad.sum()), 0, 0
    rows, bads = np.bincount(group), np.bincount(group[bad], minlength=int(group.max(initial=-1)) + 1)
    low, high = np.full(len(rows), np.inf), np.full(len(rows), -np.inf)
    np.minimum.at(low, group, p)
    np.maximum.at(high, group, p)
    for place in range(len(rows) - 1, -1, -1):
        count, hits = int(rows[place]), int(bads[place])
        rows_so_far, bads_so_far = rows_so_far + count, bads_so_far + hits
        table.append(
            Gain(
                count,
                hits,
                float(low[place]),
                float(high[place]),
                share_estimate(hits, count),
                share_estimate(hits, total, len(p) / count),
                share_estimate(bads_so_far, total),
                rows_so_far / len(p),
            )
        )
    return table
