"""Weight of evidence over optimal bins.

WoE = ln(share of goods / share of bads), so a higher WoE is a lower risk (Siddiqi 2006, ch. 6).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
Counts = IntArray | FloatArray

_SMOOTHING = 0.5  # goods and bads added to each bin, so that an empty side has a finite WoE


@dataclass(frozen=True, slots=True)
class Bins:
    """Bins of one numeric feature.

    edges: (k - 1,) float64, increasing; bin i holds edges[i-1] <= x < edges[i]. The last bin, k, holds missing values.
    woe: (k + 1,) float64. goods, bads: (k + 1,) as counted in training, weighted where rows have weights.
    """

    edges: FloatArray
    woe: FloatArray
    goods: Counts
    bads: Counts

    def assign(self, values: FloatArray) -> IntArray:
        """Bin of each value: 0..k-1, or k where the value is NaN."""
        places = np.searchsorted(self.edges, values, side="right").astype(np.int64)
        return np.where(np.isnan(values), len(self.edges) + 1, places)

    @property
    def information_value(self) -> float:
        """Sum over bins of (share of goods - share of bads) * WoE."""
        return information_value(self.goods, self.bads, self.woe)


def weight_of_evidence(goods: Counts, bads: Counts) -> FloatArray:
    """WoE of each bin with half a case of each kind added; 0 where a bin is empty.

    goods, bads: (k,). Returns (k,) float64.
    """
    share_goods = (goods + _SMOOTHING) / (goods.sum() + _SMOOTHING)
    share_bads = (bads + _SMOOTHING) / (bads.sum() + _SMOOTHING)
    return np.where(goods + bads > 0, np.log(share_goods / share_bads), 0.0)


def shrunk_weight_of_evidence(goods: Counts, bads: Counts, prior: float) -> FloatArray:
    """WoE of each bin with `prior` rows at the average bad rate added, so that a rare bin says little.

    goods, bads: (k,), both above 0 in all. Returns (k,) float64, 0 where a bin is empty.
    """
    rate = float(bads.sum() / (goods.sum() + bads.sum()))
    woe: FloatArray = np.log((goods + prior * (1 - rate)) / (bads + prior * rate) * (rate / (1 - rate)))
    return woe


def information_value(goods: Counts, bads: Counts, woe: FloatArray) -> float:
    """Sum over bins of (share of goods - share of bads) * WoE (Siddiqi 2006, p. 81). goods, bads, woe: (k,)."""
    shares = goods / max(float(goods.sum()), 1e-12) - bads / max(float(bads.sum()), 1e-12)
    return float((shares * woe).sum())


def _quantile_edges(values: FloatArray, count: int) -> FloatArray:
    """At most `count` distinct inner edges that cut the values into parts of about equal size.

    Every edge is a value that occurs, so a heap of equal values (0, often) is a bin of its own.
    """
    ordered = np.sort(values)
    places = (np.arange(1, count + 1) * len(ordered)) // (count + 1)
    edges = np.unique(ordered[places]) if len(ordered) else ordered
    heaps, sizes = np.unique(ordered, return_counts=True)
    heavy = np.flatnonzero(sizes * (count + 1) >= len(ordered))
    after = heaps[np.minimum(heavy + 1, len(heaps) - 1)] if len(heaps) else heaps
    edges = np.unique(np.concatenate((edges, heaps[heavy], after)))
    return edges[edges > ordered[0]] if len(ordered) else edges


def optimal_bins(
    values: FloatArray, bad: BoolArray, *, weights: FloatArray | None = None, max_bins: int = 8,
    min_share: float = 0.03, prebins: int = 32, trend: int = 0, criterion: Literal["schwarz", "akaike"] = "schwarz",
) -> Bins:  # fmt: skip
    """Cut a feature where the information value is highest, by dynamic programming over fine quantile bins.

    values: (n,) float64, NaN where missing. bad: (n,) bool. weights: (n,) of rows. min_share: smallest share of the
    known values in a bin. trend: +1 makes the risk rise with the value (WoE falls), -1 fall, 0 leaves it free.
    Exact for the given fine bins: maximises the sum of bin information values over all ways to merge neighbours
    into at most `max_bins` bins (Navas-Palencia 2020 states the problem; here without a solver), less a price for each
    cut. Information value times G B / (G + B) is a chi-squared of the table of bins (Kullback 1959, ch. 6), so that a
    cut costs c (1 / G + 1 / B) with c = ln(n) by Schwarz's criterion (1978: cuts that chance would make are not made),
    and c = 2 by Akaike's (1974: the bins that predict best).
    """
    known = ~np.isnan(values)
    edges = _quantile_edges(values[known], prebins)
    place = np.searchsorted(edges, values[known], side="right")
    goods = _counts(place, ~bad[known], weights if weights is None else weights[known], len(edges) + 1)
    bads = _counts(place, bad[known], weights if weights is None else weights[known], len(edges) + 1)
    price = np.log(max(float(goods.sum() + bads.sum()), 1.0)) if criterion == "schwarz" else 2.0
    cuts = _best_cuts(goods, bads, max_bins, min_share, trend, price)
    bounds = np.concatenate(([0], cuts, [len(goods)]))
    one = np.zeros(len(values), np.int64)
    all_goods = np.append(np.add.reduceat(goods, bounds[:-1]), _counts(one, ~known & ~bad, weights, 1))
    all_bads = np.append(np.add.reduceat(bads, bounds[:-1]), _counts(one, ~known & bad, weights, 1))
    inner = edges[cuts - 1] if len(cuts) else edges[:0]
    return Bins(inner, weight_of_evidence(all_goods, all_bads), all_goods, all_bads)


def _counts(place: IntArray, chosen: BoolArray, weights: FloatArray | None, size: int) -> Counts:
    """Rows, or the weight, in each place."""
    if weights is None:
        return np.bincount(place[chosen], minlength=size).astype(np.int64)
    return np.bincount(place[chosen], weights[chosen], size).astype(np.float64)


def _best_cuts(
    goods: Counts, bads: Counts, max_bins: int, min_share: float, trend: int, criterion_price: float
) -> IntArray:
    """Where to cut (k - 1 inner positions) so that the summed information value is highest.

    current[j] is the highest sum for the first j + 1 fine bins in as many bins as the loop has reached.
    """
    size = len(goods)
    total = goods.sum() + bads.sum()
    cumulated_goods = np.concatenate(([0], np.cumsum(goods)))
    cumulated_bads = np.concatenate(([0], np.cumsum(bads)))
    start, stop = np.meshgrid(np.arange(size), np.arange(1, size + 1), indexing="ij")
    part_goods = np.where(stop > start, cumulated_goods[stop] - cumulated_goods[start], 0)
    part_bads = np.where(stop > start, cumulated_bads[stop] - cumulated_bads[start], 0)
    count = part_goods + part_bads
    all_goods, all_bads = max(float(goods.sum()), 1.0), max(float(bads.sum()), 1.0)
    woe = np.log(
        ((part_goods + _SMOOTHING) / (all_goods + _SMOOTHING)) / ((part_bads + _SMOOTHING) / (all_bads + _SMOOTHING))
    )
    value = np.where(
        (stop > start) & (count >= min_share * total), (part_goods / all_goods - part_bads / all_bads) * woe, -np.inf
    )
    value[0, size - 1] = max(value[0, size - 1], 0.0)  # one bin is always allowed
    price = criterion_price * (1 / all_goods + 1 / all_bads)
    if trend:
        odds = (part_goods + _SMOOTHING) / (part_bads + _SMOOTHING)  # orders bins as WoE does, with exact ties
        return _monotone_cuts(value, trend * odds, max_bins, price)
    current = value[0]  # by the last fine bin, in one bin
    choices: list[IntArray] = []
    top, top_bins = current[-1], 1
    for bins in range(2, max_bins + 1):
        # candidate[i, j]: the last bin spans fine bins i..j, the ones before end at i - 1
        candidate = np.full((size, size), -np.inf)
        candidate[1:] = current[:-1, None] + value[1:]
        choice = candidate.argmax(axis=0)
        current = candidate[choice, np.arange(size)]
        choices.append(choice.astype(np.int64))
        if (worth := current[-1] - price * (bins - 1)) > top + 1e-12:
            top, top_bins = worth, bins
    cuts: list[int] = []
    stop_at = size - 1
    for bins in range(top_bins, 1, -1):
        cut = int(choices[bins - 2][stop_at])
        cuts.append(cut)
        stop_at = cut - 1
    return np.array(cuts[::-1], np.int64)


def _monotone_cuts(value: FloatArray, odds: FloatArray, max_bins: int, price: float) -> IntArray:
    """As `_best_cuts`, with the odds falling from bin to bin: the smoothed odds, since their WoE is what scores."""
    size = len(value)
    # best[i, j]: highest sum where the last bin spans i..j; previous[b][i, j]: where the bin before it began
    best = np.full((size, size), -np.inf)
    best[0] = value[0]
    top, top_end, top_bins = best[0, -1], 0, 1
    previous: list[IntArray] = []
    for bins in range(2, max_bins + 1):
        following = np.full((size, size), -np.inf)
        came_from = np.zeros((size, size), np.int64)
        for i in range(1, size):
            allowed = odds[i][None, :] <= odds[:i, i - 1][:, None]
            candidate = np.where(allowed, best[:i, i - 1][:, None] + value[i][None, :], -np.inf)
            came_from[i] = candidate.argmax(axis=0)
            following[i] = candidate[came_from[i], np.arange(size)]
        best = following
        previous.append(came_from)
        end = int(best[:, -1].argmax())
        if (worth := best[end, -1] - price * (bins - 1)) > top + 1e-12:
            top, top_end, top_bins = worth, end, bins
    cuts: list[int] = []
    begin, stop = top_end, size - 1
    for bins in range(top_bins, 1, -1):
        cuts.append(begin)
        begin, stop = int(previous[bins - 2][begin, stop]), begin - 1
    return np.array(cuts[::-1], np.int64)
