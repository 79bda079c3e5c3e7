"""AUC, KS and Brier against scikit-learn and scipy; the intervals against simulation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp, norm
from sklearn.metrics import brier_score_loss, roc_auc_score

from evenkeel.measures.discrimination import auc, brier, kolmogorov_smirnov

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
    variance = kernel.mean(axis=1).var(ddof=1) / 20 + kernel.mean(axis=0).var(ddof=1) / 40
    half = norm.ppf(0.975) * np.sqrt(variance) / (area * (1 - area))
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


def test_brier_is_scikit_learns() -> None:
    rng = np.random.default_rng(3)
    p, bad = rng.random(500), rng.random(500) < 0.3
    found = brier(p, bad)
    assert found.value == pytest.approx(brier_score_loss(bad, p))
    assert found.high - found.value == pytest.approx(1.95996 * ((p - bad) ** 2).std(ddof=1) / np.sqrt(500), rel=1e-5)
    assert np.isnan(brier(p[:0], bad[:0]).value)


def _coverage(draws: int, bads: int, goods: int, shift: float) -> float:
    rng = np.random.default_rng(11)
    truth = norm.cdf(shift / np.sqrt(2))
    bad = np.arange(bads + goods) < bads
    hits = 0
    for _ in range(draws):
        found = auc(rng.normal(size=len(bad)) + shift * bad, bad)
        hits += found.low <= truth <= found.high
    return hits / draws


def test_delong_covers_the_truth_about_as_often_as_it_says() -> None:
    assert 0.90 <= _coverage(300, 40, 160, 1.0) <= 0.99


@pytest.mark.prove
@pytest.mark.parametrize(("bads", "goods", "shift"), [(30, 300, 0.5), (50, 500, 1.2), (200, 200, 2.0)])
def test_delong_coverage_at_length(bads: int, goods: int, shift: float) -> None:
    assert 0.935 <= _coverage(4000, bads, goods, shift) <= 0.967
