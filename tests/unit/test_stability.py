"""What moved, and what chance does: PSI against its sum and a simulation, drift against Newcombe's own example."""

import math

import numpy as np
import pytest
from scipy.stats import chi2, fisher_exact

from evenkeel.measures.binning import weight_of_evidence
from evenkeel.measures.calibration import wilson
from evenkeel.measures.stability import breaches, false_alarm_rate, noise_level, psi, rate_drift, sign_flips


def test_psi_is_the_sum_over_bins_whichever_sample_came_first() -> None:
    then, now = np.array([100, 250, 400, 250]), np.array([30, 40, 80, 50])
    by_hand = [(b / 200 - a / 1000) * math.log(b / 200 / (a / 1000)) for a, b in zip(then, now, strict=True)]
    found = psi(then, now)
    np.testing.assert_allclose(found.parts, by_hand)
    assert found.index.value == pytest.approx(sum(by_hand))
    assert found.index.low <= found.index.value <= found.index.high
    back = psi(now, then)
    assert (back.index.value, back.p_value) == (pytest.approx(found.index.value), pytest.approx(found.p_value))
    assert found.p_value == pytest.approx(chi2.sf(found.index.value / (1 / 1000 + 1 / 200), 3))


def test_the_noise_of_a_psi_is_chi_squared_over_the_sizes() -> None:
    assert false_alarm_rate(0.1, 1000, 200, 10) == pytest.approx(chi2.sf(0.1 / 0.006, 9))
    assert noise_level(0.001, 1000, 200, 10) == pytest.approx(chi2.isf(0.001, 9) * 0.006)
    for chance in (0.05, 0.001):
        assert false_alarm_rate(noise_level(chance, 5000, 300, 8), 5000, 300, 8) == pytest.approx(chance)
    found = psi(np.full(10, 100), np.full(10, 20))
    assert found.index.value == 0 and found.p_value == 1
    assert (found.noise_95, found.noise_999) == (noise_level(0.05, 1000, 200, 10), noise_level(0.001, 1000, 200, 10))
    assert (found.alarm_010, found.alarm_025) == (
        false_alarm_rate(0.1, 1000, 200, 10),
        false_alarm_rate(0.25, 1000, 200, 10),
    )


def test_the_usual_thresholds_cry_wolf_on_small_months_and_sleep_on_large_ones() -> None:
    assert false_alarm_rate(0.1, 10_000, 100, 10) > 0.3
    assert noise_level(0.001, 1_000_000, 100_000, 10) < 0.001


def test_chance_alone_passes_the_noise_level_as_often_as_stated() -> None:
    rng, shares = np.random.default_rng(1), np.array([0.02, 0.08, 0.2, 0.4, 0.3])
    drawn = [psi(rng.multinomial(4000, shares), rng.multinomial(700, shares)) for _ in range(2000)]
    assert np.mean([found.index.value > found.noise_95 for found in drawn]) == pytest.approx(0.05, abs=0.015)
    assert np.mean([found.index.low > 0 for found in drawn]) <= 0.035


def test_bins_of_one_sample_stay_finite_and_bins_of_neither_do_not_count() -> None:
    found = psi(np.array([50, 50, 0, 0]), np.array([50, 40, 10, 0]))
    assert np.isfinite(found.index.value) and found.parts[3] == 0
    assert found.parts[2] == pytest.approx((0.1 - 0.005) * math.log(0.1 / 0.005))
    assert found.noise_95 == noise_level(0.05, 100, 100, 3)
    one = psi(np.array([7]), np.array([9]))
    assert (one.index.value, one.p_value, one.noise_95, one.alarm_010) == (0, 1, 0, 0)
    assert np.isnan(psi(np.array([0, 0]), np.array([1, 2])).index.value)


def test_drift_is_newcombes_interval() -> None:
    found = rate_drift(56, 70, 48, 80)  # Newcombe 1998, table II (a), with the sign of now minus then
    assert (found.value, found.low, found.high) == (
        pytest.approx(-0.2), pytest.approx(-0.3339, abs=5e-5), pytest.approx(-0.0524, abs=5e-5),
    )  # fmt: skip
    low, high = wilson(np.array([9, 3]), np.array([10, 10]))
    small = rate_drift(9, 10, 3, 10)
    assert small.low == pytest.approx(-0.6 - math.hypot(0.3 - low[1], high[0] - 0.9))
    assert small.p_value == pytest.approx(float(fisher_exact([[9, 1], [3, 7]])[1]), abs=0.02)
    none = rate_drift(0, 100, 0, 50)
    assert none.value == 0 and none.p_value == 1 and none.low < 0 < none.high
    assert np.isnan(rate_drift(0, 0, 1, 5).value)


def test_a_bin_flips_when_it_lies_on_the_other_side_beyond_chance() -> None:
    train_goods, train_bads = np.array([900, 800, 500]), np.array([20, 60, 120])
    goods = np.array([[450, 400, 250], [400, 400, 292], [448, 400, 250]])
    bads = np.array([[10, 30, 60], [60, 30, 8], [12, 32, 30]])
    found = sign_flips(train_goods, train_bads, goods, bads)
    np.testing.assert_allclose(found.woe[1], weight_of_evidence(goods[1], bads[1]))
    assert found.flipped.tolist() == [[False] * 3, [True, False, True], [False] * 3]
    assert (
        found.woe[2, 1] < 0 < weight_of_evidence(train_goods, train_bads)[1]
    )  # another sign, by chance as far as told
    assert found.order.tolist() == [0, 1, 2]
    assert found.reversed_order.tolist() == [[False, False], [True, True], [False, False]]


def test_noise_is_no_flip() -> None:
    """300 rows a month leave WoE signs to chance: 24 months of the same risk raise an alarm in 5 % of histories."""
    rng, alarms, signs = np.random.default_rng(2), 0, 0
    rates, goods_share = np.array([0.05, 0.055, 0.06, 0.065]), np.array([0.3, 0.3, 0.2, 0.2])
    train = rng.multinomial(100_000, goods_share)
    train_bads = (train * rates).astype(np.int64)
    for _ in range(200):
        rows = rng.multinomial(300, goods_share, 24)
        bads = rng.binomial(rows, rates)
        found = sign_flips(train - train_bads, train_bads, rows - bads, bads)
        alarms += bool(found.flipped.any() or found.reversed_order.any())
        signs += bool((np.sign(found.woe) != np.sign(weight_of_evidence(train - train_bads, train_bads))).any())
    assert alarms <= 20 and signs == 200


def test_empty_bins_and_periods_never_flip() -> None:
    found = sign_flips(np.array([50, 40, 0]), np.array([5, 20, 0]), np.zeros((2, 3), int), np.zeros((2, 3), int))
    assert not found.flipped.any() and (found.woe == 0).all() and (found.p_value == 1).all()
    assert sign_flips(np.array([5]), np.array([5]), np.zeros((0, 1), int), np.zeros((0, 1), int)).woe.shape == (0, 1)


def test_holm_steps_down_and_bonferroni_stands_alone() -> None:
    p = np.array([0.011, 0.04, np.nan, 0.013, 0.5])
    assert breaches(p).tolist() == [True, False, False, True, False]  # 0.05 / 4, then / 3, then / 2
    assert breaches(p, planned=5).tolist() == [False] * 5
    assert breaches([0.003, 0.2], planned=12).tolist() == [True, False]
    assert breaches([0.003], planned=12).tolist() == breaches([0.003, 0.2], planned=12).tolist()[:1]
    assert breaches([]).tolist() == [] and breaches([np.nan]).tolist() == [False]
    assert breaches([0.0, 0.0]).tolist() == [True, True]


def test_a_series_without_change_breaches_as_often_as_stated() -> None:
    p = np.random.default_rng(3).random((20_000, 12))
    for planned in (None, 12):
        assert np.mean([breaches(row, 0.05, planned).any() for row in p]) == pytest.approx(0.05, abs=0.006)
