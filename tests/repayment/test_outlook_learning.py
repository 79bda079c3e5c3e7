"""What is learned of an income from its months: against plain numerical integration, and counts against formulas."""

import numpy as np
import pytest
from outlook_samples import case, house
from scipy import stats

from evenkeel.repayment.case import Between, Income
from evenkeel.repayment.household.income import PRIORS, learned, low, spread_out, stream

HISTORY = (210_000, 180_000, 260_000, 190_000, 240_000, 160_000, 300_000, 220_000, 205_000, 230_000, 185_000, 250_000)


def _by_integration(logs: np.ndarray, at: np.ndarray, centre: float) -> tuple[float, float, float]:
    """(mean level, its standard deviation, mean volatility), by the multivariate normal on a grid of all three."""
    levels = np.linspace(logs.mean() - 1.2, logs.mean() + 1.2, 121)
    sizes = np.exp(np.linspace(np.log(centre) - 2.2, np.log(centre) + 2.2, 121))
    weight = np.zeros((len(PRIORS.persistence), len(sizes), len(levels)))
    for i, r in enumerate(PRIORS.persistence):
        correlation = np.power(r, np.abs(at[:, None] - at[None, :])) if r else np.eye(len(at))
        for j, size in enumerate(sizes):
            prior = stats.norm.logpdf(np.log(size), np.log(centre), PRIORS.volatility_spread)
            normal = stats.multivariate_normal(np.zeros(len(at)), size**2 * correlation)
            weight[i, j] = normal.logpdf(logs[None, :] - levels[:, None]) + prior
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    level = weight.sum(axis=(0, 1))
    mean = float(level @ levels)
    return mean, float(np.sqrt(level @ (levels - mean) ** 2)), float(weight.sum(axis=(0, 2)) @ sizes)


@pytest.mark.parametrize("gap", [False, True], ids=["whole", "with months missing"])
def test_level_and_volatility_equal_numerical_integration(gap: bool) -> None:
    months = list(HISTORY)
    if gap:
        months[4] = 0
    income = Income(id="x", kind="gig", history_minor=tuple(months))
    one = learned(income, case(household=house(incomes=(income,))), 4000)
    at = np.flatnonzero(months)
    logs = np.log(np.array(months)[at] / max(months))
    mean, spread, volatility = _by_integration(logs, at, PRIORS.usual["gig"].volatility)
    assert one.scale == max(months)
    assert one.odd == ()
    assert one.level.mean() == pytest.approx(mean, abs=0.004)
    assert one.level.std() == pytest.approx(spread, rel=0.05)
    assert one.volatility.mean() == pytest.approx(volatility, rel=0.02)
    np.testing.assert_allclose(one.level + one.x, logs[-1])


def test_an_odd_history_counts_as_a_quarter_of_its_months_and_leaves_more_open() -> None:
    steady = Income(id="x", history_minor=(500_000, 510_000, 495_000, 505_000) * 4)
    broken = Income(
        id="x", history_minor=(500_000, 510_000, 495_000, 505_000) * 2 + (350_000, 357_000, 346_000, 354_000) * 2
    )
    one, other = (learned(income, case(), 400) for income in (steady, broken))
    assert one.odd == ()
    assert other.odd
    assert other.level.std() > 3 * one.level.std()


def test_losses_and_findings_are_counted_on_their_priors() -> None:
    months = (100, 100, 100, 0, 0, 100, 100, 100, 100, 100, 100, 100)
    one = learned(Income(id="x", kind="gig", history_minor=months), case(), 4000)
    monthly = 1 - (1 - PRIORS.usual["gig"].loss_annual) ** (1 / 12)
    loss = stats.beta(PRIORS.loss_worth + 1, PRIORS.loss_worth * (1 / monthly - 1) + 8)
    found = stats.beta(PRIORS.out_worth + 1, PRIORS.out_worth * (PRIORS.months_out - 1) + 1)
    assert one.loss.mean() == pytest.approx(loss.mean(), rel=0.01)
    assert one.loss.std() == pytest.approx(loss.std(), rel=0.03)
    assert one.found.mean() == pytest.approx(found.mean(), rel=0.01)
    assert not one.lost


def test_an_income_missing_in_the_latest_month_is_lost_now() -> None:
    one = learned(Income(id="x", history_minor=(100, 100, 100, 100, 0)), case(), 10)
    assert one.lost
    assert one.months_ago == 2


def test_a_season_is_taken_out_of_what_was_seen() -> None:
    # The case's month is March: the months seen are April to February.
    season = (0.5, 0.5, 1.0, 1.0, 1.0, 1.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0)
    months = tuple(round(100_000 * season[(3 + k) % 12]) for k in range(11))
    one = learned(Income(id="x", history_minor=months, season=season), case(), 200)
    assert one.scale == 100_000
    assert np.abs(one.level).max() < 0.1
    assert one.volatility.mean() < 0.06


def test_what_is_told_is_taken_with_the_spread_of_its_evidence() -> None:
    verified, declared = (
        learned(Income(id="x", amount_minor=100, evidence=evidence), case(), 2000)  # type: ignore[arg-type]
        for evidence in ("verified", "declared")
    )
    assert verified.level.std() == pytest.approx(PRIORS.level["verified"], rel=0.02)
    assert declared.level.std() == pytest.approx(PRIORS.level["declared"], rel=0.02)
    assert declared.volatility.mean() == pytest.approx(0.12 * np.exp(0.5**2 / 2), rel=0.02)


def test_nothing_seen_but_zeros_falls_back_on_what_is_told() -> None:
    one = learned(Income(id="x", amount_minor=100, history_minor=(0, 0, 0)), case(), 10)
    assert one.scale == 100
    assert low(Between(low_minor=3, high_minor=5)) == 3


def test_draws_are_spread_over_all_of_the_unit_interval() -> None:
    values = spread_out(stream(1, "x"), 3, 40)
    for column in np.sort(values, axis=1):
        assert (np.floor(column * 40) == np.arange(40)).all()
