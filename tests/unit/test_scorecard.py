"""The scorecard as data: values become codes, codes entries, entries a score; nothing is lost on the way to a file."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.calibration import Platt
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.frame import frame
from evenkeel.scoring.scorecard import (
    GRAIN,
    Feature,
    Pair,
    Scaling,
    Scorecard,
    exact,
    from_document,
    score_points,
)
from scorecards import card_of, random_card, rows_for


def small_card(**more: Any) -> Scorecard:
    """Age and a kind of job, and a table of both: old (from 40 on) and student is a cell of its own."""
    age = Feature("age", "age", np.array([25.0, 40.0]), None, (-1.0,), -1)
    job = Feature("job", "work", levels=("clerk", "student"))
    pair = Pair(
        0, 1, np.array([0, 0, 1, 0, 0], np.int32), np.array([0, 1, 0, 0], np.int32),
        np.array([[0.0, 0.125], [0.0, 0.5]]), np.ones((2, 2)),
    )  # fmt: skip
    return card_of([age, job], [[0.5, 0.0, -0.5, 0.25, 0.125], [-0.25, 1.0, 0.0, 0.75]], (pair,), **more)


ROWS = {
    "age": [24.999, 25.0, 39.0, 40.0, float("inf"), float("-inf"), -1.0, None, float("nan"), 40.0],
    "job": ["clerk", "student", "never seen", None, "", "clerk", "clerk", "clerk", "clerk", "student"],
}


def test_a_value_has_the_code_of_its_bin_its_level_or_what_it_is_instead() -> None:
    age, job = small_card().codes(frame(ROWS))
    assert age.tolist() == [0, 1, 1, 2, 2, 0, 3, 4, 4, 2]
    assert job.tolist() == [0, 1, 2, 3, 3, 0, 0, 0, 0, 1]


def test_ln_odds_are_the_intercept_and_an_entry_of_each_table() -> None:
    expected = [-2 + 0.5 - 0.25, -2 + 0 + 1 + 0.125, -2.0, -2 - 0.5 + 0.75, -2 - 0.5 + 0.75, -2 + 0.5 - 0.25,
                -2 + 0.25 - 0.25, -2 + 0.125 - 0.25, -2 + 0.125 - 0.25, -2 - 0.5 + 1 + 0.5]  # fmt: skip
    card = small_card()
    assert card.log_odds(frame(ROWS)).tolist() == expected
    np.testing.assert_array_equal(card.probability(frame(ROWS)), sigmoid(np.array(expected)))


def test_columns_are_found_by_name_in_any_order_and_others_are_ignored() -> None:
    card, columns = small_card(), frame(ROWS)
    mixed = columns.select(["job", "age"]).append_column("more", pa.array(["?"] * columns.num_rows))
    np.testing.assert_array_equal(card.log_odds(mixed), card.log_odds(columns))


def test_columns_that_are_not_there_are_named() -> None:
    with pytest.raises(InvalidInput, match=r"1 columns that are not there: `job`.*may be empty, but has to be named"):
        small_card().log_odds(frame({"age": [1.0]}))
    wide = card_of([Feature(f"x{i}", "x") for i in range(30)], [[0.0, 0.0]] * 30)
    with pytest.raises(InvalidInput, match=r"30 columns .*`x9`, \.\.\."):
        wide.log_odds(frame({"z": [1.0]}))


def test_texts_do_not_stand_for_numbers_nor_numbers_for_texts() -> None:
    with pytest.raises(InvalidInput, match=r"`age` holds texts; the model was trained on numbers. Convert"):
        small_card().log_odds(frame({"age": ["25"], "job": ["clerk"]}))
    with pytest.raises(InvalidInput, match=r"`job` holds numbers; the model was trained on texts. Convert"):
        small_card().log_odds(frame({"age": [25], "job": [1]}))


def test_a_column_without_any_known_value_may_be_of_any_kind() -> None:
    card = small_card()
    empty = frame({"age": [None, None], "job": [None, None]})
    other = frame({"age": ["", ""], "job": [float("nan")] * 2})
    np.testing.assert_array_equal(card.log_odds(empty), [-2 + 0.125 + 0.75] * 2)
    np.testing.assert_array_equal(card.log_odds(other), card.log_odds(empty))


def test_no_rows_have_no_scores() -> None:
    card, nobody = small_card(), frame({"age": [], "job": []})
    assert card.log_odds(nobody).shape == card.score(nobody).shape == (0,)
    assert card.contributions(nobody)[1].shape == (0, 2)


def test_a_higher_score_is_a_lower_risk_on_the_stated_scale() -> None:
    points = score_points(np.array([1 / 51, 1 / 101, 0.5, 0.0, 1.0]))
    assert points[:2].tolist() == [600, 620]
    assert points[3] > points[1] > points[0] > points[2] > points[4]
    scaling = Scaling(500.0, 20.0, 50.0)
    np.testing.assert_allclose(scaling.points(-np.log([20.0, 40.0, 10.0])), [500.0, 550.0, 450.0])


@pytest.mark.parametrize(
    "made", [(600.0, 0.0, 20.0), (600.0, -1.0, 20.0), (600.0, 50.0, 0.0), (float("nan"), 50.0, 20.0)]
)
def test_a_scale_that_is_none_is_refused(made: tuple[float, float, float]) -> None:
    with pytest.raises(InvalidInput, match="make no scale"):
        Scaling(*made)


@pytest.mark.parametrize("seed", range(6))
def test_the_sum_of_points_is_the_score_in_whatever_order_it_is_taken(seed: int) -> None:
    card = random_card(seed, features=9, bins=12, pairs=8)
    columns = frame(rows_for(card, 400, seed))
    codes = card.codes(columns)
    parts = [points[code] for points, code in zip(card.points, codes, strict=True)]
    for points, pair in zip(card.pair_points, card.pairs, strict=True):
        parts.append(points[pair.first_groups[codes[pair.first]], pair.second_groups[codes[pair.second]]])
    rng = np.random.default_rng(seed)
    for _ in range(5):
        total = np.zeros(400)
        for place in rng.permutation(len(parts)):
            total += parts[place]
        np.testing.assert_array_equal(card.base_points + total, card.score(columns))
    _, by_concept = card.contributions(columns)
    np.testing.assert_array_equal(card.base_points + by_concept[:, ::-1].sum(axis=1), card.score(columns))
    # Points are rounded to 2**-20: the score and the ln odds tell the same.
    np.testing.assert_allclose(card.score(columns), card.scaling.points(card.log_odds(columns)), atol=1e-4)


def test_concepts_gather_the_points_of_their_features_and_half_of_each_pair() -> None:
    card = replace(small_card(), features=tuple(replace(f, concept="one") for f in small_card().features))
    concepts, points = card.contributions(frame(ROWS))
    assert concepts == ("one",)
    np.testing.assert_array_equal(card.base_points + points[:, 0], card.score(frame(ROWS)))
    _, apart = small_card().contributions(frame({"age": [50.0], "job": ["student"]}))
    factor = small_card().scaling.factor
    np.testing.assert_allclose(apart, [[factor * (0.5 - 0.25), factor * (-1 - 0.25)]], atol=1e-5)


def test_entries_are_multiples_of_the_grain() -> None:
    card = random_card(1)
    for table in (*card.tables, *(pair.values for pair in card.pairs), np.array([card.intercept])):
        np.testing.assert_array_equal(table / GRAIN, np.round(table / GRAIN))
        np.testing.assert_array_equal(exact(table), table)


def test_recalibrating_shifts_and_stretches_ln_odds() -> None:
    card, platt = random_card(2, pairs=4), Platt(0.3, 0.8)
    columns = frame(rows_for(card, 300))
    np.testing.assert_allclose(
        card.recalibrated(platt).log_odds(columns), 0.3 + 0.8 * card.log_odds(columns), atol=1e-8
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_document_that_went_through_a_file_is_the_same_scorecard(seed: int) -> None:
    card = replace(random_card(seed, pairs=4), facts={"target": "坏", "rows": 7, "guards": [{"kind": "leak"}]})
    text = json.dumps(card.document(), allow_nan=False)
    again = from_document(json.loads(text))
    assert json.dumps(again.document(), allow_nan=False) == text
    assert again.version == card.version
    columns = frame(rows_for(card, 300, seed))
    np.testing.assert_array_equal(again.score(columns), card.score(columns))


def test_the_version_is_of_all_that_decides_a_score_and_of_the_facts() -> None:
    card = small_card()
    nudged = card.tables[0].copy()
    nudged[0] += GRAIN
    others = [
        small_card(facts={"seed": 1}), small_card(scaling=Scaling(610.0)), small_card(intercept=-2.0 + GRAIN),
        replace(card, tables=(nudged, card.tables[1])), card.recalibrated(Platt(0.0, 1.001)),
        replace(card, features=(replace(card.features[0], specials=(-2.0,)), card.features[1])),
    ]  # fmt: skip
    assert small_card().version == card.version
    assert len({card.version, *(other.version for other in others)}) == 1 + len(others)


def changed(path: str, value: object) -> dict[str, object]:
    """The document of the small card with one entry changed, or taken out where the value is None."""
    document: Any = json.loads(json.dumps(small_card().document()))
    place = document
    *steps, last = [int(step) if step.isdigit() else step for step in path.split(".")]
    for step in steps:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return dict(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("features", None), ("intercept", None), ("scaling", None), ("facts", None), ("features.0.log_odds", None),
        ("features.0.log_odds", [0.0]), ("features.0.edges", [40.0, 25.0]), ("features.0.edges", [25.0]),
        ("features.0.log_odds", [0.0, float("nan"), 0.0, 0.0, 0.0]), ("features.0.goods", [1.0]),
        ("pairs.0.first", "nobody"), ("pairs.0.first_groups", [0, 0, 1]), ("pairs.0.log_odds", [[0.0, 1.0]]),
        ("pairs.0.log_odds", [[0.0, float("inf")], [0.0, 0.0]]), ("scaling.double", 0.0), ("scaling.more", 1.0),
        ("features.0.edges", "many"), ("features", 3), ("intercept", "x"),
    ],
)  # fmt: skip
def test_a_file_that_was_changed_by_hand_is_refused_not_scored_with(path: str, value: object) -> None:
    with pytest.raises(InvalidInput):
        from_document(changed(path, value))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("intercept", float("nan")), ("intercept", float("inf")), ("pairs.0.first_groups", [0, 1, -1, 0, 0]),
        ("features.1.name", "age"), ("features.1.levels", ["clerk", "clerk"]), ("features.0.specials", [-1.0, -1.0]),
        ("features.0.edges", [25.0, float("nan")]),
    ],
)  # fmt: skip
def test_a_file_whose_numbers_are_none_is_refused_too(path: str, value: object) -> None:
    with pytest.raises(InvalidInput):
        from_document(changed(path, value))


@pytest.mark.parametrize("document", [{}, {"kind": "woe"}, [], None, "scorecard"])
def test_something_else_is_no_scorecard(document: Any) -> None:
    with pytest.raises(InvalidInput, match="not a scorecard"):
        from_document(document)
