"""What must hold of every score and outcome: the order of rows and the scale of a score change nothing."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.measures.calibration import (
    expected_calibration_error,
    fit_isotonic,
    fit_shift,
    reliability,
    spiegelhalter,
)
from evenkeel.measures.discrimination import (
    Estimate,
    auc,
    auc_difference,
    brier,
    gains,
    h_measure,
    kolmogorov_smirnov,
    log_loss,
)
from evenkeel.measures.stability import breaches, psi, rate_drift, sign_flips

samples = st.lists(st.tuples(st.integers(1, 19), st.booleans()), min_size=6, max_size=60).filter(
    lambda entries: 2 <= sum(flag for _, flag in entries) <= len(entries) - 2
)
counts = st.lists(st.integers(0, 40), min_size=4, max_size=4).map(np.array)


def _arrays(entries: list[tuple[int, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([value / 20 for value, _ in entries]), np.array([flag for _, flag in entries])


def _estimates(p: np.ndarray, bad: np.ndarray) -> list[Estimate]:
    return [
        auc(p, bad), kolmogorov_smirnov(p, bad, 1, 20), h_measure(p, bad, 1, 10), brier(p, bad), log_loss(p, bad),
        expected_calibration_error(p, bad),
    ]  # fmt: skip


def _close(first: object, second: object) -> bool:
    """Equal but for the order in which floats were summed."""

    def flat(of: object) -> list[float]:
        if isinstance(of, (int, float, bool)):
            return [float(of)]
        if isinstance(of, (list, tuple)):
            return [x for entry in of for x in flat(entry)]
        return [x for name in of.__slots__ for x in flat(getattr(of, name))]  # type: ignore[attr-defined]

    return bool(np.allclose(flat(first), flat(second), rtol=1e-9, atol=1e-9, equal_nan=True))


@given(samples)
@settings(max_examples=60, deadline=None)
def test_an_estimate_lies_in_its_interval(entries: list[tuple[int, bool]]) -> None:
    for found in _estimates(*_arrays(entries)):
        assert found.low <= found.value <= found.high
        assert found.low >= 0


@given(samples, st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_the_order_of_rows_changes_nothing(entries: list[tuple[int, bool]], random: object) -> None:
    shuffled = list(entries)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    first, second = _arrays(entries), _arrays(shuffled)
    assert _close(_estimates(*first), _estimates(*second))
    assert _close(gains(*first), gains(*second))
    assert _close(reliability(*first), reliability(*second))
    assert _close(spiegelhalter(*first), spiegelhalter(*second))
    isotonic = [fit_isotonic(p, bad) for p, bad in (first, second)]
    assert isotonic[0].log_odds == isotonic[1].log_odds and _close(isotonic[0].p, isotonic[1].p)


@given(samples)
@settings(max_examples=60, deadline=None)
def test_figures_of_order_do_not_see_the_scale(entries: list[tuple[int, bool]]) -> None:
    p, bad = _arrays(entries)
    scaled = np.exp(7 * p) - 3
    assert auc(p, bad) == auc(scaled, bad)
    assert kolmogorov_smirnov(p, bad, 1, 20) == kolmogorov_smirnov(scaled, bad, 1, 20)
    assert h_measure(p, bad, 1, 10) == h_measure(scaled, bad, 1, 10)
    assert auc_difference(p, scaled, bad).p_value == 1
    backwards = auc(-p, bad)
    assert _close([backwards.low, backwards.value], [1 - auc(p, bad).high, 1 - auc(p, bad).value])


@given(samples)
@settings(max_examples=60, deadline=None)
def test_isotonic_never_fits_worse_and_repeats_itself(entries: list[tuple[int, bool]]) -> None:
    p, bad = _arrays(entries)
    log_odds = np.log(p / (1 - p))
    fitted = fit_isotonic(log_odds, bad).apply(log_odds)
    assert brier(fitted, bad).value <= brier(p, bad).value + 1e-12
    assert (np.diff(fitted[np.argsort(log_odds)]) >= 0).all()
    np.testing.assert_allclose(fit_isotonic(fitted, bad).apply(fitted), fitted, atol=1e-12)
    moved = fit_shift(log_odds, 0.3)
    assert abs(fit_shift(log_odds + moved.amount, 0.3).amount) < 1e-9


@given(counts, counts)
@settings(max_examples=100, deadline=None)
def test_psi_is_symmetric_never_negative_and_a_sum_of_its_parts(then: np.ndarray, now: np.ndarray) -> None:
    found = psi(then, now)
    if then.sum() == 0 or now.sum() == 0:
        assert np.isnan(found.index.value)
        return
    assert (found.parts >= 0).all() and 0 <= found.index.low <= found.index.value <= found.index.high
    assert np.isclose(psi(now, then).index.value, found.index.value)
    turned = psi(then[::-1], now[::-1])
    assert np.isclose(turned.index.high, found.index.high) and np.isclose(turned.p_value, found.p_value)
    assert 0 <= found.p_value <= 1 and found.noise_95 <= found.noise_999 and found.alarm_025 <= found.alarm_010


@given(counts, counts)
@settings(max_examples=60, deadline=None)
def test_a_period_like_training_never_flips(goods: np.ndarray, bads: np.ndarray) -> None:
    found = sign_flips(goods, bads, np.tile(goods, (3, 1)), np.tile(bads, (3, 1)))
    assert not found.flipped.any() and not found.reversed_order.any()


@given(st.integers(0, 30), st.integers(1, 30), st.integers(0, 30), st.integers(1, 30))
def test_drift_holds_its_value_and_turns_with_the_samples(a: int, m: int, b: int, n: int) -> None:
    there, back = rate_drift(min(a, m), m, min(b, n), n), rate_drift(min(b, n), n, min(a, m), m)
    assert -1 <= there.low <= there.value <= there.high <= 1
    assert _close([there.value, there.low, there.p_value], [-back.value, -back.high, back.p_value])


@given(st.lists(st.floats(0, 1), max_size=20), st.floats(0.001, 0.2))
def test_holm_finds_all_that_bonferroni_finds(p_values: list[float], alarm: float) -> None:
    holm, alone = breaches(p_values, alarm), breaches(p_values, alarm, planned=len(p_values))
    assert (holm | ~alone).all()
    if p_values and holm.any():
        assert max(np.array(p_values)[holm]) <= min([*np.array(p_values)[~holm], 1.0])
