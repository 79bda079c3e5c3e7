"""Bins: the best of all ways to cut, held against every way to cut."""

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.measures.binning import Bins, optimal_bins, weight_of_evidence


def information(groups: list[tuple[int, int]]) -> float:
    """Sum of (share of goods - share of bads) * WoE over (goods, bads) groups, with half a case added to each WoE."""
    goods, bads = sum(g for g, _ in groups), sum(b for _, b in groups)
    total = 0.0
    for good, bad in groups:
        woe = np.log(((good + 0.5) / (goods + 0.5)) / ((bad + 0.5) / (bads + 0.5)))
        total += (good / max(goods, 1) - bad / max(bads, 1)) * woe
    return total


def worth(groups: list[tuple[int, int]]) -> float:
    """Information value less Schwarz's price of each cut."""
    goods, bads = sum(g for g, _ in groups), sum(b for _, b in groups)
    price = np.log(goods + bads) * (1 / max(goods, 1) + 1 / max(bads, 1))
    return information(groups) - price * (len(groups) - 1)


def best_by_hand(values: np.ndarray, bad: np.ndarray, max_bins: int, min_share: float, trend: int) -> float:
    """The highest information value, less the price of the cuts, over every subset of cuts between distinct values."""
    levels = np.unique(values)
    best = 0.0
    for size in range(max_bins):
        for cuts in combinations(range(1, len(levels)), size):
            bounds = [0, *cuts, len(levels)]
            masks = [(values >= levels[i]) & (values <= levels[j - 1]) for i, j in pairwise(bounds)]
            groups = [(int((mask & ~bad).sum()), int((mask & bad).sum())) for mask in masks]
            if any(sum(group) < min_share * len(values) for group in groups):
                continue
            evidence = [(g + 0.5) / (b + 0.5) for g, b in groups]
            if trend and any(trend * (later - earlier) > 0 for earlier, later in pairwise(evidence)):
                continue
            best = max(best, worth(groups))
    return best


def known_part(bins: Bins) -> list[tuple[int, int]]:
    return list(zip(bins.goods[:-1].tolist(), bins.bads[:-1].tolist(), strict=True))


# Cases come in dozens, so that some cuts are worth their price.
samples = st.lists(st.tuples(st.integers(0, 7), st.booleans()), min_size=1, max_size=40).flatmap(
    lambda cases: st.integers(1, 12).map(lambda times: cases * times)
)


@given(samples, st.integers(1, 5), st.sampled_from([0.0, 0.1, 0.3]), st.sampled_from([-1, 0, 1]))
@settings(max_examples=300, deadline=None)
def test_the_cuts_are_the_best_of_all(
    cases: list[tuple[int, bool]], max_bins: int, min_share: float, trend: int
) -> None:
    values = np.array([value for value, _ in cases], float)
    bad = np.array([flag for _, flag in cases])
    bins = optimal_bins(values, bad, max_bins=max_bins, min_share=min_share, trend=trend)
    groups = known_part(bins)
    assert len(groups) <= max_bins
    assert worth(groups) == pytest.approx(best_by_hand(values, bad, max_bins, min_share, trend), abs=1e-9)
    if len(groups) > 1:
        assert min(sum(group) for group in groups) >= min_share * len(values)


@given(samples, st.sampled_from([-1, 1]))
@settings(max_examples=200, deadline=None)
def test_with_a_trend_the_weights_that_score_run_one_way(cases: list[tuple[int, bool]], trend: int) -> None:
    values = np.array([value for value, _ in cases], float)
    bins = optimal_bins(values, np.array([flag for _, flag in cases]), min_share=0.0, trend=trend)
    assert (trend * np.diff(bins.woe[:-1]) <= 1e-12).all()


def test_every_case_is_counted_in_the_bin_that_it_is_assigned_to() -> None:
    rng = np.random.default_rng(1)
    values = np.where(rng.random(5000) < 0.2, np.nan, np.round(rng.normal(size=5000), 2))
    bad = rng.random(5000) < 0.2
    bins = optimal_bins(values, bad)
    place = bins.assign(values)
    np.testing.assert_array_equal(np.bincount(place[bad], minlength=len(bins.woe)), bins.bads)
    np.testing.assert_array_equal(np.bincount(place[~bad], minlength=len(bins.woe)), bins.goods)
    assert bins.bads[-1] == (np.isnan(values) & bad).sum()
    np.testing.assert_allclose(bins.woe, weight_of_evidence(bins.goods, bins.bads))


def test_a_heap_of_equal_values_is_a_bin_of_its_own() -> None:
    rng = np.random.default_rng(2)
    values = np.where(rng.random(20_000) < 0.5, 0.0, rng.uniform(-1, 1, 20_000))
    bad = rng.random(20_000) < np.where(values == 0, 0.6, 0.1)
    bins = optimal_bins(values, bad)
    heap = bins.assign(np.array([0.0, -1e-9, 1e-3]))
    assert heap[0] != heap[1]
    assert heap[0] != heap[2]


@pytest.mark.parametrize(
    "values",
    [
        np.full(50, 3.0),
        np.full(50, np.nan),
        np.repeat([-np.inf, np.inf, 0.0, 1e308, -1e308], 10),
        np.repeat([5e-324, 0.0], 25),
        np.empty(0),
        np.array([1.0]),
    ],
    ids=["constant", "all unknown", "extremes", "smallest", "nothing", "one"],
)
@pytest.mark.parametrize("bad_share", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("trend", [-1, 0, 1])
def test_odd_columns_give_finite_bins(values: np.ndarray, bad_share: float, trend: int) -> None:
    bad = np.arange(len(values)) % 5 < 5 * bad_share
    bins = optimal_bins(values, bad, trend=trend)
    assert np.isfinite(bins.woe).all()
    assert np.isfinite(bins.information_value)
    assert (np.diff(bins.edges) > 0).all()
    assert bins.goods.sum() + bins.bads.sum() == len(values)
    assert (bins.assign(values) < len(bins.woe)).all()


def test_chance_seldom_makes_a_cut() -> None:
    rng = np.random.default_rng(4)
    cut = sum(len(optimal_bins(rng.normal(size=4000), rng.random(4000) < 0.1).edges) > 0 for _ in range(100))
    assert cut <= 20  # the best of 32 places is looked for; without a price every draw is cut


def test_an_empty_bin_weighs_nothing() -> None:
    weights = weight_of_evidence(np.array([10, 0, 5]), np.array([1, 0, 5]))
    assert weights[1] == 0
    assert weights[0] > weights[2]
