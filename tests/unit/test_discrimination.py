"""AUC, KS, H-measure, Brier score, log loss and gains against other ways to reckon them.

How often the intervals cover is held in test_intervals.py.
"""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, ks_2samp, t
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.metrics import log_loss as sklearn_log_loss

from evenkeel.measures.discrimination import (
    auc,
    auc_difference,
    brier,
    gains,
    gini,
    h_measure,
    kolmogorov_smirnov,
    log_loss,
    mean_interval,
    rank_groups,
    share_estimate,
)

cases = st.lists(st.tuples(st.integers(0, 12), st.booleans()), min_size=4, max_size=80).filter(
    lambda entries: 1 < sum(flag for _, flag in entries) < len(entries) - 1
)


@given(cases)
@settings(max_examples=150, deadline=None)
def test_auc_is_scikit_learns_with_ties(entries: list[tuple[int, bool]]) -> None:
    p = np.array([value for value, _ in entries]) / 12
    bad = np.array([flag for _, flag in entries])
    found = auc(p, bad)
    assert found.value == pytest.approx(roc_auc_score(bad, p), abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_delong_variance_is_the_textbook_double_sum() -> None:
    rng = np.random.default_rng(1)
    bad = np.arange(60) < 20
    p = np.round(rng.normal(size=60) + bad, 1)
    kernel = (p[bad][:, None] > p[~bad][None, :]) + 0.5 * (p[bad][:, None] == p[~bad][None, :])
    area = kernel.mean()
    of_bads, of_goods = kernel.mean(axis=1).var(ddof=1) / 20, kernel.mean(axis=0).var(ddof=1) / 40
    variance = of_bads + of_goods
    freedom = variance**2 / (of_bads**2 / 19 + of_goods**2 / 39)  # Welch
    half = t.ppf(0.975, freedom) * np.sqrt(variance) / (area * (1 - area))
    expected = 1 / (1 + np.exp(-(np.log(area / (1 - area)) + np.array([-half, half]))))
    found = auc(p, bad)
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-10)


def test_a_perfect_order_still_has_an_interval() -> None:
    few, many = (auc(np.arange(2.0 * n), np.arange(2 * n) >= n) for n in (5, 500))
    assert few.value == many.value == few.high == 1
    assert few.low < 0.6 < 0.98 < many.low < 1
    backwards = auc(np.arange(10.0)[::-1], np.arange(10) >= 5)
    assert (backwards.value, backwards.low) == (0, 0)
    assert backwards.high == pytest.approx(1 - few.low)


@pytest.mark.parametrize("bad", [np.zeros(5, bool), np.ones(5, bool), np.zeros(0, bool)], ids=["good", "bad", "none"])
def test_one_class_has_no_figure(bad: np.ndarray) -> None:
    p = np.linspace(0, 1, len(bad))
    assert np.isnan(auc(p, bad).value)
    assert np.isnan(kolmogorov_smirnov(p, bad, 0).value)


@given(cases)
@settings(max_examples=60, deadline=None)
def test_ks_is_scipys_and_lies_in_its_interval(entries: list[tuple[int, bool]]) -> None:
    p = np.array([value for value, _ in entries]) / 12
    bad = np.array([flag for _, flag in entries])
    found = kolmogorov_smirnov(p, bad, seed=0, draws=50)
    assert found.value == pytest.approx(ks_2samp(p[bad], p[~bad]).statistic, abs=1e-12)
    assert 0 <= found.low <= found.value <= found.high <= 1
    assert found == kolmogorov_smirnov(p, bad, seed=0, draws=50)


def test_gini_is_the_areas() -> None:
    p, bad = np.array([0.1, 0.4, 0.35, 0.8, 0.2]), np.array([False, False, True, True, False])
    area, found = auc(p, bad), gini(p, bad)
    assert (found.value, found.low, found.high) == (2 * area.value - 1, 2 * area.low - 1, 2 * area.high - 1)


def test_a_weight_counts_as_so_many_cases_in_the_value_and_not_in_the_certainty() -> None:
    rng = np.random.default_rng(4)
    bad = np.arange(90) < 30
    p, weight = np.round(rng.normal(size=90) + bad, 1), rng.integers(1, 5, 90)
    found = auc(p, bad, weight.astype(float))
    repeated = auc(np.repeat(p, weight), np.repeat(bad, weight))
    assert found.value == pytest.approx(repeated.value, abs=1e-12)
    assert found.value == pytest.approx(roc_auc_score(bad, p, sample_weight=weight), abs=1e-12)
    assert found.high - found.low > 1.3 * (repeated.high - repeated.low)
    plain, even = auc(p, bad), auc(p, bad, np.full(90, 7.0))
    np.testing.assert_allclose([even.value, even.low, even.high], [plain.value, plain.low, plain.high], rtol=1e-12)


def test_two_scores_on_the_same_rows_differ_as_delongs_covariance_says() -> None:
    rng = np.random.default_rng(5)
    bad = np.arange(120) < 40
    p = rng.normal(size=120) + bad
    q = p + rng.normal(size=120) * 0.7
    kernels = [(s[bad][:, None] > s[~bad][None, :]) + 0.5 * (s[bad][:, None] == s[~bad][None, :]) for s in (p, q)]
    of_bads, of_goods = (np.cov(*(kernel.mean(axis=axis) for kernel in kernels)) for axis in (1, 0))
    covariance = of_bads / 40 + of_goods / 80
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    found = auc_difference(p, q, bad)
    assert found.value == pytest.approx(kernels[0].mean() - kernels[1].mean(), abs=1e-12)
    parts = [(c[0, 0] + c[1, 1] - 2 * c[0, 1]) / size for c, size in ((of_bads, 40), (of_goods, 80))]
    freedom = variance**2 / (parts[0] ** 2 / 39 + parts[1] ** 2 / 79)
    half = t.ppf(0.975, freedom) * np.sqrt(variance)
    np.testing.assert_allclose([found.low, found.high], [found.value - half, found.value + half], rtol=1e-9)
    assert found.p_value == pytest.approx(2 * t.sf(abs(found.value) / np.sqrt(variance), freedom), rel=1e-9)
    assert auc_difference(q, p, bad).value == -found.value
    same = auc_difference(p, 3 * p + 1, bad)
    assert (same.value, same.low, same.high, same.p_value) == (0, 0, 0, 1)
    assert np.isnan(auc_difference(p, q, np.arange(120) < 1).p_value)


def _h_by_hand(p: np.ndarray, bad: np.ndarray) -> float:
    """Hand 2009, eq. 10, over every threshold, the cost integrated numerically between the places where it bends."""
    rate = bad.mean()
    density = beta(1 + rate, 2 - rate).pdf
    cuts = [p >= level for level in [*np.unique(p), np.inf]]
    lines = [((called & ~bad).mean(), (~called & bad).mean()) for called in cuts]  # goods called bad, bads missed

    def least(c: float) -> float:
        return min(c * goods + (1 - c) * bads for goods, bads in lines) * density(c)

    def blind(c: float) -> float:
        return min(c * (1 - rate), (1 - c) * rate) * density(c)

    bends = sorted(
        {
            (b2 - b1) / ((g1 - g2) + (b2 - b1))
            for (g1, b1), (g2, b2) in itertools.combinations(lines, 2)
            if (g1 - g2) + (b2 - b1) != 0 and 0 < (b2 - b1) / ((g1 - g2) + (b2 - b1)) < 1
        }
        | {0.0, rate, 1.0}
    )
    total = [sum(quad(f, a, b, epsabs=1e-13)[0] for a, b in itertools.pairwise(bends)) for f in (least, blind)]
    return float(1 - total[0] / total[1])


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=4, max_size=14).filter(
    lambda entries: 0 < sum(flag for _, flag in entries) < len(entries)
))  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_h_measure_is_hands_integral(entries: list[tuple[int, bool]]) -> None:
    p = np.array([float(value) for value, _ in entries])
    bad = np.array([flag for _, flag in entries])
    found = h_measure(p, bad, seed=0, draws=10)
    assert found.value == pytest.approx(_h_by_hand(p, bad), abs=1e-8)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_h_measure_of_a_perfect_and_of_a_useless_order() -> None:
    bad = np.arange(40) >= 30
    assert h_measure(np.arange(40.0), bad, seed=0).value == pytest.approx(1)
    assert h_measure(-np.arange(40.0), bad, seed=0).value == pytest.approx(0, abs=1e-12)
    assert h_measure(np.zeros(40), bad, seed=0).value == pytest.approx(0, abs=1e-12)
    assert h_measure(np.arange(40.0), bad, seed=3) == h_measure(np.arange(40.0), bad, seed=3)
    assert np.isnan(h_measure(np.arange(3.0), np.ones(3, bool), seed=0).value)


def test_an_interval_of_a_best_cut_lies_lower_than_the_figure_suggests() -> None:
    """30 bads that the score cannot tell from goods: the figures are above 0, their intervals begin there."""
    rng = np.random.default_rng(6)
    bad = np.arange(1000) < 30
    for figure in (kolmogorov_smirnov, h_measure):
        found = [figure(rng.random(1000), bad, seed=0, draws=60) for _ in range(20)]
        assert min(entry.value for entry in found) > 0
        assert sum(entry.low == 0 for entry in found) >= 18


def test_brier_and_log_loss_are_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    p, bad = rng.random(500), rng.random(500) < 0.3
    assert brier(p, bad).value == pytest.approx(brier_score_loss(bad, p))
    assert log_loss(p, bad).value == pytest.approx(sklearn_log_loss(bad, p))
    sure = np.array([0.0, 1.0, 1.0])
    outcome = np.array([False, True, False])
    assert log_loss(sure, outcome).value == pytest.approx(sklearn_log_loss(outcome, sure))
    assert np.isnan(brier(p[:0], bad[:0]).value) and np.isnan(log_loss(p[:0], bad[:0]).value)
    alone = brier(p[:1], bad[:1])
    assert alone.value == (p[0] - bad[0]) ** 2 and np.isnan(alone.low)


def test_a_means_interval_is_the_normal_one_but_for_skewness() -> None:
    even = np.array([1.0, 2.0, 3.0, 4.0] * 50)  # without skewness
    half = 1.959963984540054 * even.std(ddof=1) / np.sqrt(200)
    found = mean_interval(even)
    np.testing.assert_allclose([found.low, found.high], [2.5 - half, 2.5 + half], rtol=1e-9)
    rare = mean_interval(np.where(np.arange(300) < 9, 1.0, 0.01))
    assert rare.high - rare.value > 1.3 * (rare.value - rare.low) > 0
    assert mean_interval(np.full(5, 2.0)).low == mean_interval(np.full(5, 2.0)).high == 2


def test_a_means_ends_solve_halls_cubic() -> None:
    values = np.random.default_rng(9).exponential(size=40)
    found, deviation = mean_interval(values), values.std(ddof=1)
    skew = ((values - values.mean()) ** 3).mean() / deviation**3
    for end, quantile in ((found.low, 1.959963984540054), (found.high, -1.959963984540054)):
        u = (values.mean() - end) / deviation
        cubic = u + skew * u**2 / 3 + skew**2 * u**3 / 27 + skew / (6 * 40)
        assert np.sqrt(40) * cubic == pytest.approx(quantile, abs=1e-9)


@given(st.lists(st.integers(0, 9), max_size=60), st.integers(1, 12))
def test_groups_never_part_equal_figures_and_are_about_equal(values: list[int], groups: int) -> None:
    p = np.array(values, float)
    found = rank_groups(p, groups)
    assert (np.diff(found[np.argsort(p)]) >= 0).all()
    assert set(found.tolist()) == set(range(len(set(found.tolist()))))
    assert all(len(set(found[p == value].tolist())) == 1 for value in p)
    distinct = rank_groups(np.argsort(np.argsort(p, kind="stable")).astype(float), groups)
    if len(p) >= groups:
        sizes = np.bincount(distinct)
        assert len(sizes) == groups and sizes.max() - sizes.min() <= 1


def test_gains_count_every_case_once_from_the_riskiest_group_down() -> None:
    rng = np.random.default_rng(7)
    p = rng.random(1000)
    bad = rng.random(1000) < p**2
    table = gains(p, bad)
    assert [entry.rows for entry in table] == [100] * 10
    assert sum(entry.bads for entry in table) == bad.sum()
    order = np.argsort(-p)
    for place, entry in enumerate(table):
        part, so_far = order[100 * place : 100 * place + 100], order[: 100 * place + 100]
        assert (entry.p_low, entry.p_high) == (p[part].min(), p[part].max())
        assert entry.bad_rate.value == bad[part].mean()
        assert entry.lift.value == pytest.approx(bad[part].mean() / bad.mean())
        assert entry.capture.value == pytest.approx(bad[so_far].sum() / bad.sum())
        assert entry.rows_share == pytest.approx((place + 1) / 10)
        for estimate in (entry.bad_rate, entry.lift, entry.capture):
            assert estimate.low <= estimate.value <= estimate.high
    assert table[-1].capture == share_estimate(int(bad.sum()), int(bad.sum()))
    assert gains(p[:0], bad[:0]) == []
    assert np.isnan(gains(p, np.zeros(1000, bool))[0].lift.value)
