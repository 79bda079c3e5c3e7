"""The scorecard: points that add up to the score, directions that hold, and columns of every odd kind."""

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from evenkeel.measures.calibration import Platt
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.scorecard import FACTOR, OFFSET, Candidate, Scorecard, fit_scorecard, score_points


def sample(seed: int = 0, rows: int = 6000) -> tuple[pa.Table, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b, noise = rng.normal(size=(3, rows))
    kind = rng.choice(["low", "mid", "high", "rare"], rows, p=[0.5, 0.3, 0.197, 0.003])
    effect = np.select([kind == "low", kind == "mid"], [-0.8, 0.0], 0.9)
    bad = rng.random(rows) < sigmoid(-2 + a - 0.7 * b + effect)
    gone = rng.random(rows) < 0.1
    return pa.table(
        {
            "a": pa.array(a, mask=gone),
            "a_copy": pa.array(3 * a + 1, mask=gone),
            "b": np.round(b, 1),
            "noise": noise,
            "kind": kind,
            "flag": b > 1,
            "whole": np.round(10 * a).astype(np.int64),
            "constant": np.ones(rows),
        }
    ), bad


CANDIDATES = (
    Candidate("a", "first", 1), Candidate("a_copy", "first", 1), Candidate("b", "second", -1),
    Candidate("noise", "noise"), Candidate("kind", "kind"), Candidate("flag", "second"),
    Candidate("constant", "constant"), Candidate("absent", "absent"),
)  # fmt: skip


@pytest.fixture(scope="module")
def fitted() -> tuple[Scorecard, pa.Table, np.ndarray]:
    columns, bad = sample()
    return replace(fit_scorecard(columns, bad, CANDIDATES), calibration=Platt(0.1, 0.9)), columns, bad


def test_a_higher_score_is_a_lower_risk_on_the_stated_scale() -> None:
    points = score_points(np.array([1 / 51, 1 / 101, 0.5, 0.0, 1.0]))
    assert points[0] == 600
    assert points[1] == 620
    assert points[3] > points[1] > points[0] > points[2] > points[4]


def test_points_of_the_concepts_add_up_to_the_score(fitted: tuple[Scorecard, pa.Table, np.ndarray]) -> None:
    card, columns, _ = fitted
    concepts, points = card.contributions(columns)
    neutral = card.calibration.intercept + card.calibration.slope * (
        card.intercept + sum(entry.neutral for entry in card.characteristics)
    )
    total = OFFSET - FACTOR * neutral + points.sum(axis=1)
    np.testing.assert_allclose(score_points(card.probability(columns)), total, atol=0.5 + 1e-9)
    assert len(set(concepts)) == len(concepts)
    np.testing.assert_allclose(points.mean(axis=0), 0, atol=1e-9)  # neutral is the mean of the training rows


def test_copies_noise_constants_and_absent_columns_are_left_out(fitted: tuple[Scorecard, pa.Table, np.ndarray]) -> None:
    names = [entry.name for entry in fitted[0].characteristics]
    assert len({"a", "a_copy"} & set(names)) == 1
    assert not {"noise", "constant", "absent"} & set(names)
    assert {"b", "kind"} <= set(names)
    assert all(entry.coefficient < 0 for entry in fitted[0].characteristics)


def test_risk_moves_only_in_the_direction_that_was_stated(fitted: tuple[Scorecard, pa.Table, np.ndarray]) -> None:
    grid = pa.chunked_array([pa.array(np.linspace(-5, 5, 400))])
    for entry in fitted[0].characteristics:
        steps = np.diff(entry.log_odds(grid)) if entry.levels is None else np.zeros(1)
        assert {"a": (steps >= -1e-12).all(), "a_copy": (steps >= -1e-12).all(), "b": (steps <= 1e-12).all()}.get(
            entry.name, True
        )


def test_unseen_rare_and_unknown_levels_are_one_bin(fitted: tuple[Scorecard, pa.Table, np.ndarray]) -> None:
    entry = next(entry for entry in fitted[0].characteristics if entry.name == "kind")
    assert entry.levels == ("low", "mid", "high")
    assert np.isnan(entry.numbers(pa.array(["rare", "never seen", None]))).all()
    odds = entry.log_odds(pa.array(["low", "mid", "high"]))
    assert odds[0] < odds[1] < odds[2]


def test_the_version_is_a_hash_of_a_document_that_is_plain_data(fitted: tuple[Scorecard, pa.Table, np.ndarray]) -> None:
    card, columns, bad = fitted
    text = json.dumps(card.document(), allow_nan=False)
    assert json.loads(text)["bads"] == int(bad.sum())
    assert replace(fit_scorecard(columns, bad, CANDIDATES), calibration=Platt(0.1, 0.9)).version == card.version
    assert replace(card, calibration=Platt(0.1, 0.91)).version != card.version


def test_the_order_of_rows_changes_no_probability(fitted: tuple[Scorecard, pa.Table, np.ndarray]) -> None:
    card, columns, bad = fitted
    order = np.random.default_rng(1).permutation(len(bad))
    other = replace(fit_scorecard(columns.take(pa.array(order)), bad[order], CANDIDATES), calibration=card.calibration)
    np.testing.assert_allclose(other.probability(columns), card.probability(columns), rtol=1e-6)


def test_without_a_feature_that_predicts_everybody_has_the_bad_rate() -> None:
    columns, _ = sample(rows=500)
    bad = np.arange(500) % 4 == 0
    card = fit_scorecard(columns.select(["constant"]), bad, CANDIDATES)
    assert card.characteristics == ()
    np.testing.assert_allclose(card.probability(columns), 0.25)
    concepts, points = card.contributions(columns)
    assert concepts == () and points.shape == (500, 0)


def test_flags_and_whole_numbers_are_columns_too() -> None:
    columns, bad = sample()
    card = fit_scorecard(columns, bad, [Candidate("flag", "flag"), Candidate("whole", "whole")])
    assert {entry.name for entry in card.characteristics} == {"flag", "whole"}
