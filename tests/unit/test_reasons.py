"""Reasons are the points that were lost, and changes are the fewest moves: both held against exhaustive search."""

from itertools import product
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.frame import frame
from evenkeel.scoring.reasons import Changes, change_texts, changes, reasons, sentence
from evenkeel.scoring.scorecard import Feature, Pair, Scorecard
from scorecards import card_of, random_card, rows_for


@pytest.mark.parametrize("most", [1, 3, 4, 50])
def test_reasons_are_the_concepts_that_cost_most(most: int) -> None:
    card = random_card(3, features=12, pairs=6)
    table = rows_for(card, 500)
    concepts, points = card.contributions(frame(table))
    found = reasons(card, table, most)
    for row in range(table.num_rows):
        lost = sorted((points[row, place], concept) for place, concept in enumerate(concepts) if points[row, place] < 0)
        assert found.of(row) == [(concept, cost) for cost, concept in lost[:most]]


def test_a_block_of_rows_ends_nowhere_in_particular(monkeypatch: pytest.MonkeyPatch) -> None:
    card = random_card(5, features=9)
    table = rows_for(card, 1000)
    whole = reasons(card, table)
    monkeypatch.setattr("evenkeel.scoring.reasons._BLOCK", 7)
    parts = reasons(card, table)
    np.testing.assert_array_equal(whole.place, parts.place)
    np.testing.assert_array_equal(whole.points, parts.points)


def test_reasons_follow_their_row_and_know_no_other_column() -> None:
    card = random_card(7, features=9, pairs=4)
    table = rows_for(card, 300)
    order = np.random.default_rng(0).permutation(300)
    found = reasons(card, table)
    moved = reasons(card, table.take(pa.array(order)))
    wider = reasons(
        card, table.append_column("constant", pa.array(np.ones(300))).select(["constant", *table.column_names])
    )
    for row, place in enumerate(order):
        assert moved.of(row) == found.of(place)
    assert [wider.of(row) for row in range(300)] == [found.of(row) for row in range(300)]


def test_a_constant_feature_and_another_order_of_features_change_no_reason() -> None:
    names, tables = ["b", "a", "c"], [[-0.5, 0.5, 0], [-0.5, 0.5, 0], [-0.25, 0.75, 0]]
    features = [Feature(name, name, np.array([0.0])) for name in names]
    card = card_of(features, tables)
    longer = card_of([Feature("same", "same"), *features[::-1]], [[0, 0], *tables[::-1]])
    row = {"a": [1], "b": [1], "c": [1], "same": [1]}
    assert [concept for concept, _ in reasons(card, row).of(0)] == ["c", "a", "b"]  # equal points: by name
    assert reasons(longer, row).of(0) == reasons(card, row).of(0)


def test_columns_of_one_concept_are_one_reason_and_nothing_that_helps_is_one() -> None:
    features = [Feature("x", "late", np.array([0.0])), Feature("y", "late", np.array([0.0])), Feature("z", "z")]
    card = card_of(features, [[0, 1, 0], [0, 0.5, 0], [-1, 0]])
    found = reasons(card, {"x": [1, -1], "y": [1, -1], "z": [1, 1]})
    assert found.of(0) == [("late", card.points[0][1] + card.points[1][1])]
    assert found.of(1) == []
    listed = found.column().to_pylist()
    assert listed == [[{"concept": "late", "points": found.points[0, 0]}], []]


def test_no_rows_no_features_and_no_reasons_asked() -> None:
    card = random_card(1)
    assert reasons(card, rows_for(card, 0)).column().to_pylist() == []
    assert reasons(card_of([], []), {"x": [1, 2]}).of(1) == []
    with pytest.raises(InvalidUsage):
        reasons(card, rows_for(card, 1), 0)


def test_a_concept_has_its_sentence_and_a_mere_column_is_named() -> None:
    known = [Feature("months_on_file", "age"), Feature("pay_0", "late_before"), Feature("utilisation", "utilisation")]
    assert sentence("age", known, "en") == "A short history."
    assert sentence("late_before", known, "zh") == "过去几个月有逾期。"
    assert sentence("utilisation", known, "en") == "How much of the limit is used."
    # An applicant's age is not the age of an account.
    mere = [Feature("age", "age"), Feature("{x}", "shape"), Feature("y", "shape")]
    assert sentence("age", mere, "en") == "The value of age."
    assert sentence("shape", mere, "en") == "The value of {x} and y."
    assert sentence("shape", mere, "zh") == "{x}、y 的取值。"


# --- what would change the outcome ------------------------------------------------------------------------------------


def dense_card(seed: int, pairs: int) -> Scorecard:
    rng = np.random.default_rng(seed)
    features = [Feature(f"n{place}", f"n{place}", np.arange(1.0, 4.0), None, (-1.0,)) for place in range(3)]
    features += [Feature("kind", "kind", levels=("a", "b", "c")), Feature("last", "last", np.array([0.0]))]
    joined = []
    for _ in range(pairs):
        first, second = sorted(rng.permutation(5)[:2].tolist())
        shape = (features[first].size, features[second].size)
        joined.append(
            Pair(first, second, np.arange(shape[0]), np.arange(shape[1]), rng.normal(size=shape), np.ones(shape))
        )
    return card_of(features, [rng.normal(size=feature.size) for feature in features], tuple(joined))


def exhaustive(
    card: Scorecard, row: dict[str, Any], reaches: Any, fixed: set[str], directions: dict[str, int]
) -> tuple[int, int, float] | None:
    """(features, steps, -score) of the best way among all combinations of codes."""
    now = [int(code[0]) for code in card.codes(frame({name: [value] for name, value in row.items()}))]
    choices = []
    for feature, code in zip(card.features, now, strict=True):
        free = [] if feature.name in fixed else list(range(feature.bins))
        if feature.levels is None and code < feature.bins and (way := directions.get(feature.name)):
            free = [place for place in free if (place - code) * way > 0]
        choices.append(sorted({code, *free}))
    best = None
    for codes in product(*choices):
        if list(codes) == now:
            continue
        steps = 0
        for feature, before, after in zip(card.features, now, codes, strict=True):
            ordered = feature.levels is None and before < feature.bins
            steps += abs(after - before) if ordered else int(after != before)
        arrays = [np.array([code], np.int32) for code in codes]
        log_odds = card.log_odds_of(arrays, 1)[0]
        score = card.base_points + sum(points[code] for points, code in zip(card.points, codes, strict=True))
        for pair, points in zip(card.pairs, card.pair_points, strict=True):
            score += points[pair.first_groups[codes[pair.first]], pair.second_groups[codes[pair.second]]]
        rank = (sum(a != b for a, b in zip(now, codes, strict=True)), steps, -score)
        if reaches(score, log_odds) and (best is None or rank < best):
            best = rank
    return best


ROWS: list[dict[str, Any]] = [
    {"n0": 0, "n1": 2.5, "n2": 9, "kind": "b", "last": 1},
    {"n0": None, "n1": -1, "n2": 1, "kind": None, "last": -1},
    {"n0": 3, "n1": 1, "n2": None, "kind": "never seen", "last": None},
]


@pytest.mark.parametrize("seed", range(12))
def test_the_fewest_features_and_nearest_bins_are_found(seed: int) -> None:
    card = dense_card(seed, pairs=seed % 5)
    fixed, directions = ({"n1"}, {"n0": 1, "n2": -1}) if seed % 2 else (set(), {"n1": 1})
    for row in ROWS:
        score = changes(card, row, to_score=-1e4).score
        for gain in (1.0, 15.0, 40.0, 70.0, 110.0, 400.0):
            found = changes(card, row, to_score=score + gain, fixed=fixed, directions=directions, most=5)
            wanted = exhaustive(card, row, lambda points, _, least=score + gain: points >= least, fixed, directions)
            assert_best(found, wanted)
            target = float(sigmoid(np.array([np.log(1 / 50) - (score + gain - 600) / card.scaling.factor]))[0])
            limit = np.log(target / (1 - target))
            found = changes(card, row, to_probability=target, fixed=fixed, directions=directions, most=5)
            wanted = exhaustive(card, row, lambda _, odds, most=limit: odds <= most, fixed, directions)
            assert_best(found, wanted)


def assert_best(found: Changes, wanted: tuple[int, int, float] | None) -> None:
    assert not found.reached
    if wanted is None:
        assert found.ways == () and found.possible is False
        return
    best = found.ways[0]
    assert (len(best.moves), best.steps) == wanted[:2]
    assert best.score == pytest.approx(-wanted[2], abs=1e-4)
    assert [(way.steps, -way.score) for way in found.ways] == sorted((way.steps, -way.score) for way in found.ways)
    assert len({tuple(move.feature for move in way.moves) for way in found.ways}) == len(found.ways)


def test_a_way_leads_where_it_says() -> None:
    card = dense_card(2, pairs=4)
    for way in changes(card, ROWS[0], to_score=580, most=5).ways:
        after = dict(ROWS[0])
        for move in way.moves:
            feature = next(one for one in card.features if one.name == move.feature)
            after[move.feature] = feature.levels[move.after] if feature.levels else move.after + 0.5
            if move.feature == "last":
                after["last"] = [-1, 1][move.after]
        columns = frame({name: [value] for name, value in after.items()})
        assert card.score(columns)[0] == way.score >= 580
        assert card.probability(columns)[0] == way.probability


def test_a_cut_off_that_is_reached_asks_for_nothing_and_one_too_far_is_said() -> None:
    card = card_of([Feature("x", "x", np.array([0.0])), Feature("y", "y", np.array([0.0]))], [[1, -1, 0]] * 2)
    row = {"x": -1, "y": -1}
    reached = changes(card, row, to_score=changes(card, row, to_score=0).score)
    assert reached.reached and "reaches the cut-off already" in change_texts(card, reached, "en")[0]
    both = changes(card, row, to_probability=0.1)
    assert [len(way.moves) for way in both.ways] == [2]
    few = changes(card, row, to_probability=0.1, most=1)
    assert few.ways == () and few.possible is None
    assert change_texts(card, few, "en") == ["No change of at most 1 of these features reaches the cut-off."]
    never = changes(card, row, to_probability=1e-6)
    assert never.possible is False
    assert change_texts(card, never, "zh") == ["所有可改变的指标即使同时改变，也达不到要求。"]
    nobody = changes(card, row, to_score=700, fixed=["x", "y"])
    assert nobody.ways == () and nobody.possible is False


def test_a_way_in_words() -> None:
    card = card_of([Feature("PAY_0", "late", np.array([1.0])), Feature("kind", "kind", levels=("a", "乙"))],
                   [[-1, 1, 0], [0, -2, 0, 0]])  # fmt: skip
    found = changes(card, {"PAY_0": 2, "kind": "a"}, to_probability=0.01, most=2)
    assert change_texts(card, found, "en") == [
        "With `PAY_0` at < 1 instead of >= 1; `kind` at 乙 instead of a, the score would be 631.4 and the probability "
        "of going bad 0.67%."
    ]
    assert change_texts(card, found, "zh")[0].startswith("若“PAY_0”由 [1, inf) 变为 (-inf, 1)；“kind”由 a 变为 乙")


def test_questions_that_make_no_sense_are_refused() -> None:
    card, row = dense_card(0, 0), ROWS[0]
    for target in ({}, {"to_score": 600, "to_probability": 0.1}, {"to_probability": 1.0}, {"to_score": float("nan")}):
        with pytest.raises(InvalidUsage, match="not clear"):
            changes(card, row, **target)
    with pytest.raises(InvalidUsage, match="`income` is no feature"):
        changes(card, row, to_score=600, fixed=["income"])
    for directions in ({"n0": 2}, {"kind": 1}):
        with pytest.raises(InvalidUsage, match="a direction is"):
            changes(card, row, to_score=600, directions=directions)
    with pytest.raises(InvalidInput, match="not there"):
        changes(card, {"n0": 1}, to_score=600)


def test_many_features_of_many_bins_are_searched_in_no_time() -> None:
    rng = np.random.default_rng(0)
    features = [Feature(f"x{place}", f"x{place}", np.sort(rng.normal(size=63))) for place in range(60)]
    card = card_of(features, [rng.normal(size=65) / 8 for _ in features])
    row = dict.fromkeys((feature.name for feature in features), 0.3)
    gains = [
        float((points[:64] - points[feature.codes(pa.array([0.3]))[0]]).max())
        for feature, points in zip(features, card.points, strict=True)
    ]
    least = sum(sorted(gains)[-2:]) + 1  # a point more than any two can give
    found = changes(card, row, to_score=changes(card, row, to_score=0).score + least)
    assert [len(way.moves) for way in found.ways] == [3] * 5
    assert sum(sorted(gains)[-3:]) >= least
