"""How well a score separates bads from goods, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_Z = 1.959963984540054  # the normal quantile of a 95 % interval


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with a 95 % interval."""

    value: float
    low: float
    high: float


def _ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1, ties sharing their mean rank (scipy.stats.rankdata, whose package takes a second to load)."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    shared: FloatArray = (last - (count - 1) / 2)[place]
    return shared


def auc(p: FloatArray, bad: BoolArray) -> Estimate:
    """Area under the ROC curve with DeLong's interval (DeLong et al. 1988; fast form of Sun & Xu 2014).

    p: (n,) probability of the bad. bad: (n,) bool, both classes present, else every field is NaN.
    The interval is taken on the logit of the area, so it stays within (0, 1). An area of 0 or 1 has no variance to
    measure; its far end is Wilson's for as many pairs, all alike, as the smaller class can form without sharing a case.
    """
    bads, goods = p[bad], p[~bad]
    m, n = len(bads), len(goods)
    if m == 0 or n == 0:
        return Estimate(np.nan, np.nan, np.nan)
    joint = _ranks(np.concatenate((bads, goods)))
    area = float((joint[:m].sum() - m * (m + 1) / 2) / (m * n))
    above = (joint[:m] - _ranks(bads)) / n  # share of goods below each bad
    below = 1.0 - (joint[m:] - _ranks(goods)) / m  # share of bads above each good
    if area in (0.0, 1.0):
        room = _Z**2 / (min(m, n) + _Z**2)
        return Estimate(area, max(area - room, 0.0), min(area + room, 1.0))
    if min(m, n) < 2:
        return Estimate(area, np.nan, np.nan)
    variance = above.var(ddof=1) / m + below.var(ddof=1) / n
    logit, half = np.log(area / (1 - area)), _Z * np.sqrt(variance) / (area * (1 - area))
    return Estimate(area, float(1 / (1 + np.exp(-(logit - half)))), float(1 / (1 + np.exp(-(logit + half)))))


def _ks(bads: npt.NDArray[np.int64], goods: npt.NDArray[np.int64]) -> FloatArray:
    """Largest gap between the cumulated shares. bads, goods: (..., k) counts by increasing score."""
    share_bads = np.cumsum(bads, axis=-1) / bads.sum(axis=-1, keepdims=True)
    share_goods = np.cumsum(goods, axis=-1) / goods.sum(axis=-1, keepdims=True)
    result: FloatArray = np.abs(share_bads - share_goods).max(axis=-1)
    return result


def kolmogorov_smirnov(p: FloatArray, bad: BoolArray, seed: int, draws: int = 400) -> Estimate:
    """KS: the largest gap between the cumulated shares of bads and goods, with a percentile bootstrap interval.

    p: (n,), bad: (n,) bool. The value is exact; the interval resamples goods and bads over at most 1,000 cells of p. A
    resampled gap is larger than its true one on average, so the interval is widened where it would miss the value.
    """
    if bad.all() or not bad.any():
        return Estimate(np.nan, np.nan, np.nan)
    distinct, place = np.unique(p, return_inverse=True)
    exact = _ks(np.bincount(place[bad], minlength=len(distinct)), np.bincount(place[~bad], minlength=len(distinct)))
    cell = place * min(1000, len(distinct)) // len(distinct)
    cells = int(cell.max()) + 1
    rng = np.random.default_rng(seed)
    bads, goods = np.bincount(cell[bad], minlength=cells), np.bincount(cell[~bad], minlength=cells)
    drawn = _ks(
        rng.multinomial(bads.sum(), bads / bads.sum(), draws), rng.multinomial(goods.sum(), goods / goods.sum(), draws)
    )
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Estimate(float(exact), min(float(low), float(exact)), max(float(high), float(exact)))


def brier(p: FloatArray, bad: BoolArray) -> Estimate:
    """Mean squared distance between probability and outcome, with the normal interval of a mean."""
    errors = (p - bad) ** 2
    if len(errors) == 0:
        return Estimate(np.nan, np.nan, np.nan)
    half = _Z * errors.std(ddof=1) / np.sqrt(len(errors)) if len(errors) > 1 else np.nan
    return Estimate(float(errors.mean()), float(errors.mean() - half), float(errors.mean() + half))
