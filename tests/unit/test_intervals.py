"""95 % intervals cover the truth in 93 to 97 of 100 samples: every estimate of measures/, by simulation.

The population: ln odds are normal, outcomes follow them; what a figure would be in it comes from quadrature on a grid.
"""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.special import ndtr, ndtri
from scipy.stats import beta, binom

from evenkeel.measures.calibration import calibration_test, expected_calibration_error, spiegelhalter
from evenkeel.measures.discrimination import (
    auc,
    auc_difference,
    brier,
    gini,
    h_measure,
    kolmogorov_smirnov,
    log_loss,
    wilson,
)
from evenkeel.measures.logistic import sigmoid
from evenkeel.measures.stability import psi, rate_drift

Draw = Callable[[np.random.Generator], tuple[float, float, float]]  # low, high, truth

GRID = ndtri((np.arange(40_000) + 0.5) / 40_000)


class Population:
    """Cases whose true ln odds are normal with this spread, and whose bad rate is `rate`."""

    def __init__(self, rate: float, spread: float) -> None:
        self.centre = brentq(lambda at: sigmoid(at + spread * GRID).mean() - rate, -30, 30)
        self.rate, self.spread = rate, spread
        self.p = sigmoid(self.centre + spread * GRID)

    def sample(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
        """(true ln odds, bad); drawn again in the rare case that a class has fewer than two."""
        while True:
            log_odds = self.centre + self.spread * rng.normal(size=n)
            bad = rng.random(n) < sigmoid(log_odds)
            if 2 <= bad.sum() <= n - 2:
                return log_odds, bad

    def truth(self, name: str) -> float:
        """A figure of the whole population."""
        p = self.p
        bads, goods = np.cumsum(p) / p.sum(), np.cumsum(1 - p) / (1 - p).sum()
        if name == "auc":
            return float((np.diff(bads, prepend=0) * (goods - np.diff(goods, prepend=0) / 2)).sum())
        if name == "ks":
            return float((goods - bads).max())
        if name == "brier":
            return float((p * (1 - p)).mean())
        if name == "log_loss":
            return float(-(p * np.log(p) + (1 - p) * np.log1p(-p)).mean())
        return self._h()

    def _h(self) -> float:
        """1 - E least cost / E least cost without a score, integrated numerically over the cost of a good."""
        density = beta(1 + self.rate, 2 - self.rate).pdf
        p, rising = self.p, np.concatenate(([0], np.cumsum(self.p))) / len(self.p)

        def cost(c: float) -> float:  # cases of p > c are called bad: ln odds rise along the grid
            called = int(np.searchsorted(p, c, side="right"))
            goods_called = (len(p) - called) / len(p) - (rising[-1] - rising[called])
            return (c * goods_called + (1 - c) * rising[called]) * density(c)

        def blind(c: float) -> float:
            return min(c * (1 - self.rate), (1 - c) * self.rate) * density(c)

        points = [self.rate]
        return 1 - quad(cost, 0, 1, points=points, limit=500)[0] / quad(blind, 0, 1, points=points)[0]


def of_score(name: str, rate: float, spread: float, n: int, quick: bool) -> Draw:
    population = Population(rate, spread)
    truth = population.truth("auc" if name in ("weighted_auc", "gini") else name)
    truth = 2 * truth - 1 if name == "gini" else truth

    def draw(rng: np.random.Generator) -> tuple[float, float, float]:
        log_odds, bad = population.sample(rng, n)
        p = sigmoid(log_odds)
        found = {
            "auc": lambda: auc(p, bad),
            "gini": lambda: gini(p, bad),
            "weighted_auc": lambda: auc(p, bad, rng.uniform(0.2, 3, n)),
            "ks": lambda: kolmogorov_smirnov(p, bad, seed=1, draws=80 if quick else 200),
            "h": lambda: h_measure(p, bad, seed=1, draws=40 if quick else 100),
            "brier": lambda: brier(p, bad),
            "log_loss": lambda: log_loss(p, bad),
        }[name]()
        return found.low, found.high, truth

    return draw


def of_auc_difference(bads: int, goods: int, correlation: float) -> Draw:
    truth = ndtr(1.2 / np.sqrt(2)) - ndtr(0.8 / np.sqrt(2))
    bad = np.arange(bads + goods) < bads

    def draw(rng: np.random.Generator) -> tuple[float, float, float]:
        first = rng.normal(size=len(bad))
        second = correlation * first + np.sqrt(1 - correlation**2) * rng.normal(size=len(bad))
        found = auc_difference(first + 1.2 * bad, second + 0.8 * bad, bad)
        return found.low, found.high, truth

    return draw


def of_calibration(name: str, rate: float, n: int, shift: float, stretch: float) -> Draw:
    """Predictions whose ln odds are the true ones stretched about their centre and shifted."""
    population = Population(rate, 1.0)
    said = population.centre + shift + stretch * population.spread * GRID
    level = brentq(lambda at: sigmoid(said + at).mean() - population.p.mean(), -10, 10)

    def draw(rng: np.random.Generator) -> tuple[float, float, float]:
        log_odds, bad = population.sample(rng, n)
        predicted = population.centre + shift + stretch * (log_odds - population.centre)
        if name == "ece":
            order = np.argsort(predicted)
            gaps = sigmoid(predicted) - sigmoid(log_odds)
            truth = sum(abs(gaps[part].sum()) for part in np.array_split(order, 10)) / n
            ece = expected_calibration_error(sigmoid(predicted), bad)
            return ece.low, ece.high, float(truth)
        found = calibration_test(predicted, bad)
        estimate, truth = (found.slope, 1 / stretch) if name == "slope" else (found.in_the_large, level)
        return estimate.low, estimate.high, truth

    return draw


def of_psi(expected: int, actual: int, tilt: float) -> Draw:
    then = np.full(10, 0.1)
    now = then * np.exp(tilt * np.linspace(-1.5, 1.5, 10))
    now /= now.sum()
    truth = float(((now - then) * np.log(now / then)).sum())

    def draw(rng: np.random.Generator) -> tuple[float, float, float]:
        found = psi(rng.multinomial(expected, then), rng.multinomial(actual, now)).index
        return found.low, found.high, truth

    return draw


def of_drift(then: float, now: float, rows_then: int, rows_now: int) -> Draw:
    def draw(rng: np.random.Generator) -> tuple[float, float, float]:
        found = rate_drift(rng.binomial(rows_then, then), rows_then, rng.binomial(rows_now, now), rows_now)
        return found.low, found.high, now - then

    return draw


def cases(quick: bool) -> Iterator[tuple[str, Draw]]:
    for rate, spread, n in ((0.03, 1.0, 1000), (0.03, 2.0, 2000), (0.1, 1.0, 500), (0.3, 1.0, 300)):
        for name in ("auc", "gini", "weighted_auc", "ks", "h", "brier", "log_loss"):
            yield f"{name}-{rate}-{spread}-{n}", of_score(name, rate, spread, n, quick)
    yield "auc_difference-30-970", of_auc_difference(30, 970, 0.6)
    yield "auc_difference-100-200", of_auc_difference(100, 200, 0.9)
    for rate, n in ((0.03, 1000), (0.1, 1000), (0.3, 500)):
        yield f"slope-{rate}-{n}", of_calibration("slope", rate, n, 0.3, 1.4)
        yield f"level-{rate}-{n}", of_calibration("level", rate, n, 0.3, 1.4)
        yield f"ece-{rate}-{n}", of_calibration("ece", rate, n, 0.7, 1.2)
    yield "ece-stretched-0.2-2000", of_calibration("ece", 0.2, 2000, 0.0, 2.0)
    yield "ece-0.1-10000", of_calibration("ece", 0.1, 10_000, 0.3, 1.3)
    for expected, actual, tilt in ((5000, 300, 0.1), (20_000, 2000, 0.1), (1000, 1000, 0.2), (5000, 500, 0.5)):
        yield f"psi-{expected}-{actual}-{tilt}", of_psi(expected, actual, tilt)
    yield "drift-0.03-0.03", of_drift(0.03, 0.03, 2000, 500)
    yield "drift-0.03-0.06", of_drift(0.03, 0.06, 1000, 1000)
    yield "drift-0.3-0.25", of_drift(0.3, 0.25, 200, 150)


QUICK, LONG = dict(cases(True)), dict(cases(False))


def coverage(draw: Draw, draws: int) -> float:
    rng = np.random.default_rng(20_240)
    hits = sum(low <= truth <= high for low, high, truth in (draw(rng) for _ in range(draws)))
    return hits / draws


@pytest.mark.parametrize("name", QUICK)
def test_an_interval_covers_the_truth_about_as_often_as_it_says(name: str) -> None:
    """The short form: 120 samples in which an interval that covers 93 % would do worse once in 1,000 times."""
    assert coverage(QUICK[name], 120) >= binom.ppf(0.001, 120, 0.93) / 120


@pytest.mark.prove
@pytest.mark.parametrize("name", LONG)
def test_an_interval_covers_the_truth_in_93_to_97_of_100_samples(name: str) -> None:
    assert 0.93 <= coverage(LONG[name], 2000) <= 0.97


@pytest.mark.parametrize(("rate", "trials"), [(0.03, 300), (0.03, 1000), (0.03, 10_000), (0.1, 200), (0.3, 100)])
def test_wilsons_coverage_summed_exactly(rate: float, trials: int) -> None:
    hits = np.arange(trials + 1)
    low, high = wilson(hits, np.full(trials + 1, trials))
    covered = binom.pmf(hits, trials, rate)[(low <= rate) & (rate <= high)].sum()
    assert 0.93 <= covered <= 0.97


# --- at the edge of what can be, an interval may only be more careful, and a test rejects as often as it says


@pytest.mark.prove
def test_figures_of_nothing_have_0_in_their_interval() -> None:
    """A score that tells nothing, a population that did not move, probabilities that are right."""
    rng = np.random.default_rng(5)
    misses = np.zeros(4)
    right = of_calibration("ece", 0.1, 1000, 0.0, 1.0)
    for _ in range(2000):
        bad = rng.random(600) < 0.1
        p = rng.random(600)
        misses += (
            kolmogorov_smirnov(p, bad, seed=1, draws=100).low > 0,
            h_measure(p, bad, seed=1, draws=40).low > 0,
            of_psi(5000, 500, 0.0)(rng)[0] > 0,
            right(rng)[0] > 0,
        )
    assert (misses / 2000 <= 0.04).all()


@pytest.mark.prove
@pytest.mark.parametrize(("rate", "n"), [(0.03, 1000), (0.3, 300)])
def test_tests_of_right_probabilities_reject_as_often_as_they_say(rate: float, n: int) -> None:
    population, rng = Population(rate, 1.0), np.random.default_rng(6)
    rejected = np.zeros(2)
    for _ in range(3000):
        log_odds, bad = population.sample(rng, n)
        rejected += (
            spiegelhalter(sigmoid(log_odds), bad).p_value < 0.05,
            calibration_test(log_odds, bad).p_value < 0.05,
        )
    assert (abs(rejected / 3000 - 0.05) < 0.015).all()


@pytest.mark.prove
@pytest.mark.parametrize(("expected", "actual", "bins"), [(5000, 300, 10), (1000, 1000, 20), (20_000, 2000, 5)])
def test_a_psi_of_one_population_passes_its_noise_levels_as_often_as_they_say(
    expected: int, actual: int, bins: int
) -> None:
    rng, shares = np.random.default_rng(7), np.full(bins, 1 / bins)
    drawn = [psi(rng.multinomial(expected, shares), rng.multinomial(actual, shares)) for _ in range(10_000)]
    assert np.mean([found.index.value > found.noise_95 for found in drawn]) == pytest.approx(0.05, abs=0.01)
    assert np.mean([found.index.value > found.noise_999 for found in drawn]) <= 0.003
    over = np.mean([found.index.value > 0.1 for found in drawn])
    assert over == pytest.approx(drawn[0].alarm_010, abs=0.01)
