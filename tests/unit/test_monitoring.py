"""Monitoring: alarms at the stated rate where nothing changed, found where something did; outcomes as they mature."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from scipy.stats import binom, chi2

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import catalogue
from evenkeel.measures.discrimination import auc
from evenkeel.measures.stability import psi, small_sample
from evenkeel.scoring.monitoring import (
    Alarms,
    Monitoring,
    ScoredMonth,
    State,
    _level,
    _together,
    monitor,
)
from evenkeel.scoring.scorecard import Scorecard
from model_samples import applicants, card

CARD = card(rows=60_000)
ANY_SIZE = Alarms(drift=(0.0, 0.25), ranking=(0.0, 0.05), level=(1.0, 1.3))


def approved(model: Scorecard = CARD) -> Scorecard:
    """The model with the AUC that it has where its probabilities are right."""
    columns, _, _ = applicants(60_000, 77)
    p = model.probability(columns)
    found = auc(p, np.random.default_rng(78).random(len(p)) < p)
    performance = {"auc": found.value, "auc_low": found.low, "auc_high": found.high}
    return replace(model, facts={**model.facts, "performance": performance})


APPROVED = approved()


def outcomes(p: npt.NDArray[np.float64], seed: int, odds: float = 1.0) -> npt.NDArray[np.float64]:
    """Months to the bad where the probability within 12 months is p, its odds multiplied; NaN where there is none."""
    rng = np.random.default_rng(seed)
    true = odds * p / (1 - p + odds * p)
    return np.where(rng.random(len(p)) < true, rng.integers(1, 13, len(p)), np.nan)


def scored(
    months: int, rows: int, seed: int, *, shift: float = 0.0, odds: float = 1.0, scrambled: bool = False
) -> list[ScoredMonth]:
    """Months from 2023-01; the last one is shifted, riskier by `odds`, or its outcomes owe nothing to the score."""
    made = []
    for number in range(months):
        last = number == months - 1
        columns, _, _ = applicants(rows, 1000 * seed + number, shift=shift if last else 0.0)
        p = APPROVED.probability(columns)
        if scrambled and last:
            p = np.full(rows, p.mean())
        after = outcomes(p, 1000 * seed + 500 + number, odds if last else 1.0)
        made.append(ScoredMonth(f"2023-{number + 1:02d}", columns, after))
    return made


def alarms(found: Monitoring, family: str) -> bool:
    return any(check.state is not State.GREEN for check in found.checks if check.family == family)


def within(hits: int, trials: int, rate: float) -> bool:
    """Whether a count is one that a rate gives in 999 of 1,000 cases."""
    low, high = binom.ppf((0.0005, 0.9995), trials, rate)
    return bool(low <= hits <= high)


@pytest.fixture(scope="module")
def unchanged() -> list[Monitoring]:
    return [monitor(APPROVED, scored(4, 1500, seed), as_of="2024-12", alarms=ANY_SIZE) for seed in range(150)]


@pytest.mark.parametrize("family", ["drift", "ranking", "level"])
def test_where_nothing_changed_a_family_alarms_no_more_often_than_stated(
    unchanged: list[Monitoring], family: str
) -> None:
    hits = sum(alarms(found, family) for found in unchanged)
    assert hits <= binom.ppf(0.9995, len(unchanged), 0.05)
    if family == "level":  # independent months: the rate is the stated one, not only below it
        assert within(hits, len(unchanged), 0.05)


@pytest.mark.parametrize("family", ["drift", "ranking", "level"])
def test_where_nothing_changed_single_p_values_are_as_often_below_a_level_as_it_says(
    unchanged: list[Monitoring], family: str
) -> None:
    values = np.array([c.p_value for found in unchanged for c in found.checks if c.family == family])
    for level in (0.05, 0.2, 0.5):
        assert np.mean(values <= level) == pytest.approx(
            level, abs=4 * np.sqrt(level * (1 - level) / len(values)) + 0.015
        )


def test_small_months_alarm_hardly_more_often_than_stated() -> None:
    found = [monitor(APPROVED, scored(4, 150, seed), as_of="2024-12", alarms=ANY_SIZE) for seed in range(150)]
    values = np.array([check.p_value for one in found for check in one.checks if check.family == "drift"])
    assert np.mean(values <= 0.05) == pytest.approx(0.05, abs=0.02)
    assert np.mean(values <= 0.5) == pytest.approx(0.5, abs=0.04)
    assert sum(alarms(one, "drift") for one in found) <= binom.ppf(0.9995, len(found), 0.065)


@pytest.mark.parametrize("shares", [[0.1] * 10, [0.5, 0.25, 0.15, 0.1]])
def test_the_index_of_a_small_unmoved_month_is_on_average_as_much_wider_as_said(shares: list[float]) -> None:
    then = np.round(np.array(shares) * 10**9).astype(np.int64)
    rows, bins = 150, len(shares)
    drawn = np.random.default_rng(5).multinomial(rows, shares, 20_000)
    mean = np.mean([psi(then, now).index.value for now in drawn])
    assert mean * rows / (bins - 1) == pytest.approx(small_sample(then, rows), abs=0.016)


@pytest.mark.prove
def test_the_rates_hold_over_a_thousand_lenders() -> None:
    found = [
        monitor(APPROVED, scored(4, 1500, 10_000 + seed), as_of="2024-12", alarms=ANY_SIZE) for seed in range(1000)
    ]
    for family in ("drift", "ranking", "level"):
        hits = sum(alarms(one, family) for one in found)
        assert binom.ppf(0.0005, 1000, 0.035) <= hits <= binom.ppf(0.9995, 1000, 0.05), family


def test_alarms_that_have_to_matter_are_rarer_still(unchanged: list[Monitoring]) -> None:
    usual = [monitor(APPROVED, scored(4, 1500, seed), as_of="2024-12") for seed in range(20)]
    assert sum(alarms(found, "drift") for found in usual) == 0


@pytest.mark.parametrize("seed", range(8))
def test_a_shift_of_utilisation_by_a_tenth_is_found_in_its_month_and_its_column(seed: int) -> None:
    found = monitor(APPROVED, scored(4, 1500, seed, shift=0.1), as_of="2024-12")
    moved = {(c.month, c.column) for c in found.checks if c.family == "drift" and c.state is not State.GREEN}
    assert ("2023-04", "utilisation") in moved
    assert {month for month, _ in moved} == {"2023-04"}
    assert not {"income", "region", "late"} & {column for _, column in moved}


@pytest.mark.parametrize("seed", range(8))
def test_odds_that_double_are_found_as_a_level_and_a_score_that_says_nothing_as_a_ranking(seed: int) -> None:
    found = monitor(APPROVED, scored(4, 1500, seed, odds=2.0), as_of="2024-12")
    assert alarms(found, "level") and not alarms(found, "drift")
    lost = monitor(APPROVED, scored(4, 1500, seed, scrambled=True), as_of="2024-12")
    assert lost.state is State.RED
    (check,) = [c for c in lost.checks if c.family == "ranking" and c.state is State.RED]
    assert check.month == "2023-04"


def test_a_large_month_that_moved_a_little_is_said_to_have_moved_a_little() -> None:
    columns, _, _ = applicants(200_000, 5, shift=0.02)
    found = monitor(APPROVED, [ScoredMonth("2023-05", columns)], as_of="2023-05")
    (check,) = [c for c in found.checks if c.column == "utilisation"]
    assert check.beyond_chance and check.state is State.GREEN and check.figure.value < 0.1
    assert "Real, but too small to matter." in check.text("en")


def test_only_mature_months_are_held_against_the_approved_model() -> None:
    found = monitor(APPROVED, scored(4, 1500, 3), as_of="2024-02")
    judged = {c.month for c in found.checks if c.family in ("ranking", "level")}
    assert judged == {"2023-01", "2023-02"}
    ages = {v.month: [m.months_on_book for m in v.matured] for v in found.vintages}
    assert ages == {"2023-01": [3, 6, 9, 12], "2023-02": [3, 6, 9, 12], "2023-03": [3, 6, 9, 11],
                    "2023-04": [3, 6, 9, 10]}  # fmt: skip


def test_a_vintage_shows_what_was_known_at_each_age() -> None:
    (month,) = scored(1, 1500, 4)
    found = monitor(APPROVED, [month], as_of="2023-11")
    assert month.bad_after is not None
    p = APPROVED.probability(month.columns)
    for entry in found.vintages[0].matured:
        bad = month.bad_after <= entry.months_on_book
        assert entry.bads == bad.sum() and entry.auc == auc(p, bad)


def test_the_order_of_months_and_of_rows_changes_nothing() -> None:
    months = scored(3, 600, 6)
    order = np.random.default_rng(1).permutation(600)
    turned = [
        ScoredMonth(m.month, m.columns.take(order), None if m.bad_after is None else m.bad_after[order])
        for m in reversed(months)
    ]
    found = monitor(APPROVED, months, as_of="2024-12")
    assert monitor(APPROVED, months[::-1], as_of="2024-12").document() == found.document()
    again = monitor(APPROVED, turned, as_of="2024-12")
    assert [c.p_value for c in again.checks] == pytest.approx([c.p_value for c in found.checks], rel=1e-9)
    assert [c.state for c in again.checks] == [c.state for c in found.checks]


def test_outcomes_that_are_final_need_no_waiting() -> None:
    (month,) = scored(1, 1500, 4)
    assert month.bad_after is not None
    final = ScoredMonth(month.month, month.columns, np.where(month.bad_after > 0, 0.0, np.nan))
    found = monitor(APPROVED, [final], as_of="2023-01", horizon=0)
    assert {c.family for c in found.checks} == {"drift", "ranking", "level"}


def test_what_could_not_be_checked_is_named() -> None:
    columns, _, _ = applicants(500, 1)
    bare = replace(CARD, facts={}, goods=tuple(0 * g for g in CARD.goods), bads=tuple(0 * b for b in CARD.bads))
    found = monitor(bare, [ScoredMonth("2023-01", columns)], as_of="2023-01")
    assert found.checks == ()
    assert found.not_checked == ("monitor.needs.score", "monitor.needs.counts", "monitor.needs.outcomes")
    young = monitor(CARD, [ScoredMonth("2023-01", columns, np.full(500, np.nan))], as_of="2023-02")
    assert young.not_checked == ("monitor.needs.maturity",)
    assert all(key in catalogue("en") for key in found.not_checked + young.not_checked)


def test_months_twice_late_or_empty_are_refused() -> None:
    (month,) = scored(1, 50, 4)
    for months, as_of in (([month, month], "2024-12"), ([month], "2022-12")):
        with pytest.raises(InvalidInput, match="twice, or lies after"):
            monitor(APPROVED, months, as_of=as_of)
    with pytest.raises(InvalidInput, match="no rows"):
        monitor(APPROVED, [ScoredMonth("2023-01", month.columns.slice(0, 0))], as_of="2024-12")
    with pytest.raises(InvalidInput, match="outcomes for"):
        monitor(APPROVED, [ScoredMonth("2023-01", month.columns, np.zeros(3))], as_of="2024-12")


def test_the_limits_of_a_check_are_where_it_begins_to_alarm_alone() -> None:
    (month,) = scored(1, 1500, 4)
    found = monitor(APPROVED, [month], as_of="2024-12", alarms=ANY_SIZE)
    drift = [c for c in found.checks if c.family == "drift"]
    for check in drift:
        assert check.high is not None and check.false_alarm == pytest.approx(0.05 / len(drift))
    (level,) = [c for c in found.checks if c.family == "level"]
    assert level.low is not None and level.high is not None and level.low < 1 < level.high
    assert level.false_alarm <= 0.05


@pytest.mark.parametrize(("rows", "p"), [(400, 0.02), (2000, 0.1), (50, 0.5)])
def test_where_every_probability_is_one_the_level_is_tested_by_the_exact_binomial(rows: int, p: float) -> None:
    for bads in (0, 1, round(rows * p), round(rows * p * 1.6)):
        exact = min(2 * min(binom.cdf(bads, rows, p), binom.sf(bads - 1, rows, p)), 1.0)
        assert _level("2023-01", np.full(rows, p), bads).check.p_value == pytest.approx(exact, rel=1e-9)


def test_rare_bins_are_put_together_by_what_training_says_and_new_ones_stay_apart() -> None:
    expected = np.array([5000, 4900, 60, 30, 10, 0])
    then, now = _together(expected, np.array([500, 480, 4, 6, 3, 7]))
    assert then.tolist() == [5000, 4900, 0, 100] and now.tolist() == [500, 480, 7, 13]
    then, now = _together(expected, np.array([50, 48, 0, 0, 1, 1]))
    assert then.tolist() == [5000, 0, 5000] and now.tolist() == [50, 1, 49]
    assert chi2.sf(0, 1) == 1.0


def test_the_document_is_json_and_says_the_rates() -> None:
    found = monitor(APPROVED, scored(2, 400, 1), as_of="2024-12")
    document: Any = json.loads(json.dumps(found.document(), allow_nan=False))
    assert document["false_alarm_rate"] == {"drift": 0.05, "ranking": 0.05, "level": 0.05}
    assert [m["month"] for m in document["months"]] == ["2023-01", "2023-02"]
    assert document["checks"][0]["column"] is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_check_is_a_sentence(language: str) -> None:
    for odds in (1.0, 3.0):
        for check in monitor(APPROVED, scored(2, 800, 1, odds=odds, shift=0.2), as_of="2024-12").checks:
            text = check.text(language)
            assert check.month in text and "{" not in text
            assert check.column in text
