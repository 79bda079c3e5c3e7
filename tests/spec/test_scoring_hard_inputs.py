"""Hard inputs: each has a clear result, or is refused in words that say what is wrong and what to do."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.exceptions import NotFittedError

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.estimator import AdditiveScorecard, WoeScorecard

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.parametrize("kind", [WoeScorecard, AdditiveScorecard]),
    pytest.mark.sampled(3),
]

ROWS = 400
RNG = np.random.default_rng(0)
X = RNG.normal(size=ROWS)
BAD = RNG.random(ROWS) < sigmoid(1.5 * X - 1)
NAN = float("nan")


def names(made: Any) -> list[str]:
    return [feature.name for feature in made.scorecard_.features]


def fitted(kind: Any, **columns: Any) -> Any:
    """A model of these columns, whose probabilities are probabilities."""
    made = kind().fit(columns, BAD)
    p = made.predict_proba(columns)
    assert p.shape == (ROWS, 2) and ((p >= 0) & (p <= 1)).all()
    np.testing.assert_allclose(p[:, 1].mean(), BAD.mean(), atol=0.05)
    return made


@pytest.mark.parametrize(
    "silent",
    [
        np.ones(ROWS), ["same"] * ROWS, [None] * ROWS, np.full(ROWS, NAN), [""] * ROWS, pa.nulls(ROWS), [True] * ROWS,
        [f"id{place}" for place in range(ROWS)], np.full(ROWS, np.inf), [date(2020, 1, 1)] * ROWS,
    ],
    ids=["number", "text", "nones", "nans", "empty texts", "nulls", "flag", "unique", "infinite", "day"],
)  # fmt: skip
def test_a_column_that_tells_nothing_is_left_out(kind: Any, silent: Any) -> None:
    both = fitted(kind, x=X, silent=silent)
    assert names(both) == ["x"]
    alone = fitted(kind, x=X)
    np.testing.assert_array_equal(both.predict_proba({"x": X, "silent": silent}), alone.predict_proba({"x": X}))
    nothing = fitted(kind, silent=silent)
    assert names(nothing) == []
    np.testing.assert_allclose(nothing.predict_proba({"silent": silent})[:, 1], BAD.mean(), atol=1e-9)


@pytest.mark.parametrize(
    "values",
    [
        np.where(X > 0, 1e308, -1e308) * RNG.random(ROWS), np.where(X > 1, np.inf, np.where(X < -1, -np.inf, X)),
        5e-324 * np.round(100 + 30 * X), 1e308 * np.sign(X), 1e15 + np.round(100 * X), X.astype(np.float16),
        np.where(X > 0, X, np.nan), np.where(X > 0, -999.0, X),
    ],
    ids=["1e308", "inf", "denormal", "two", "near", "half", "missing", "code"],
)  # fmt: skip
def test_numbers_however_large_or_small_are_ordered(kind: Any, values: np.ndarray) -> None:
    made = fitted(kind, x=values)
    assert names(made) == ["x"]
    p = made.predict_proba({"x": values})[:, 1]
    assert p[BAD].mean() > p[~BAD].mean() + 0.02
    ends = made.predict_proba({"x": [np.inf, -np.inf, 1e308, -1e308, NAN, None]})[:, 1]
    assert np.isfinite(ends).all()


def test_infinite_values_in_an_array_are_values_too(kind: Any) -> None:
    values = np.where(X > 1, np.inf, X)
    by_name = kind().fit({"x0": values}, BAD).predict_proba({"x0": values})
    np.testing.assert_array_equal(kind().fit(values[:, None], BAD).predict_proba(values[:, None]), by_name)


KINDS: dict[str, Any] = {
    "whole": np.round(3 * X).astype(np.int64),
    "byte": np.round(20 * X + 100).clip(0, 255).astype(np.uint8),
    "flag": X > 0,
    "flag or none": np.where(X > 0, True, None),
    "day": [date(2020, 1, 1) + timedelta(int(30 * value)) for value in X],
    "far day": [date(9999, 12, 31) if value > 0 else date(2020, 1, 1) for value in X],
    "instant": [datetime(2020, 1, 1, tzinfo=UTC) + timedelta(int(30 * value)) for value in X],
    "numpy day": np.datetime64("2020-01-01") + np.round(30 * X).astype(int),
    "decimal": [Decimal(round(4 * value)) / 4 for value in X],
    "category": pa.array(np.where(X > 0, "high", "low")).dictionary_encode(),
    "category of numbers": pa.array(np.round(X)).dictionary_encode(),
    "numpy text": np.where(X > 0, "high", "low"),
    "object text": np.where(X > 0, "high", "low").astype(object),
    "large text": pa.array(np.where(X > 0, "high", "low"), pa.large_string()),
    "text or none": np.where(X > 0, "high", None),
    "float32": X.astype(np.float32),
    "年龄 ✓": X,
    'quote " \n': X,
    "": X,
}


@pytest.mark.parametrize("name", KINDS)
def test_columns_of_every_kind_and_name_are_read(kind: Any, name: str) -> None:
    made = fitted(kind, **{name: KINDS[name]})
    assert names(made) == [name]
    p = made.predict_proba({name: KINDS[name]})[:, 1]
    assert p[BAD].mean() > p[~BAD].mean() + 0.05


@pytest.mark.parametrize(
    ("odd", "said"),
    [
        ([1, "a"] * (ROWS // 2), "`odd` cannot be read.*Make it all numbers, or all texts"),
        (np.array([1, "a"] * (ROWS // 2), object), "`odd` cannot be read"),
        ([[1, 2]] * ROWS, "`odd` holds list.*Convert it, or leave it out"),
        ([b"a"] * ROWS, "`odd` holds binary"),
        ([timedelta(1)] * ROWS, "`odd` holds duration"),
        (X + 1j, "`odd` cannot be read"),
        ([2**70] * ROWS, "`odd` cannot be read"),
        (X[:-1], "`odd` has 399 values, column `x` 400.*one value a row"),
        (np.zeros((ROWS, 2)), "`odd` cannot be read: it has 2 dimensions"),
        (3, "`odd` cannot be read: it has 0 dimensions"),
    ],
)
def test_a_column_of_another_kind_is_named(kind: Any, odd: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        kind().fit({"x": X, "odd": odd}, BAD)


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        (np.ones(ROWS, bool), "has 1 class, two are needed.*Is the target column right"),
        (np.zeros(ROWS), "has 1 class, two are needed"),
        (np.arange(ROWS) % 3, "has 3 classes, two are needed"),
        ([None, *BAD[1:].tolist()], "some outcomes are not known. Leave those rows out"),
        (pa.array([None, *BAD[1:].tolist()]), "1 outcomes are not known. Leave those rows out"),
        (np.array(["yes", None] * 200, object), "some outcomes are not known"),
        (np.where(np.arange(ROWS) == 7, NAN, BAD), "some outcomes are not known"),
        (np.where(np.arange(ROWS) == 7, np.inf, BAD), "some outcomes are not known"),
        (np.array([True, "no"] * 200, object), "y mixes bool and str. Give booleans, or 0 and 1"),
        (np.where(BAD, "bad", "good"), "would be turned round. Give y as booleans"),
        (BAD[:-1], "X has 400 rows, y 399 outcomes. Give one for each row"),
        (None, "y is None"),
        (np.column_stack((BAD, BAD)), "y has 2 dimensions"),
    ],
)
def test_outcomes_that_are_no_two_classes_are_refused(kind: Any, outcomes: Any, said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        kind().fit({"x": X}, outcomes)


def test_an_amount_is_no_outcome(kind: Any) -> None:
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        kind().fit({"x": X}, X)


@pytest.mark.parametrize(
    ("table", "outcomes", "said"),
    [
        ({"x": []}, [], "has 0 classes"),
        ({"x": [1.0]}, [1], "has 1 class"),
        ({}, BAD, "X has 0 rows, y 400 outcomes"),
        (pa.table([pa.array(X), pa.array(X)], ["a", "a"]), BAD, "`a` stands twice. Give every column its own name"),
        ({1: X, "1": X}, BAD, "`1` stands twice"),
        (X, BAD, "Expected 2D array"),
        ([[1, 2], [3]], [0, 1], "Expected 2D array"),
        (np.zeros((2, 2, 2)), [0, 1], "dim 3"),
        (None, BAD, "."),
        ("a table", BAD, "."),
    ],
)
def test_what_is_no_table_to_learn_from_is_refused(kind: Any, table: Any, outcomes: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kind().fit(table, outcomes)


@pytest.mark.parametrize(("rows", "bads"), [(2, 1), (3, 1), (10, 2), (40, 1), (40, 3), (49, 48)])
def test_few_rows_and_few_bads_give_a_careful_model(kind: Any, rows: int, bads: int) -> None:
    rng = np.random.default_rng(rows)
    table = {"x": rng.normal(size=rows), "z": rng.normal(size=rows), "k": rng.choice(["a", "b"], rows)}
    p = kind().fit(table, np.arange(rows) < bads).predict_proba(table)[:, 1]
    assert np.isfinite(p).all() and p.min() > 0 and p.max() < 1
    assert p.mean() == pytest.approx(bads / rows, abs=0.15)


def test_an_outcome_that_a_column_separates_has_finite_points(kind: Any) -> None:
    made = kind().fit({"x": np.arange(ROWS)}, np.arange(ROWS) >= 200)
    assert np.isfinite(made.score_points({"x": [0, 199, 200, 399]})).all()
    assert (made.predict({"x": [0, 150, 250, 399]}) == [False, False, True, True]).all()


@pytest.mark.parametrize("weight", [1e-2, 1e6, 1e12])
def test_weights_of_any_size_give_finite_probabilities(kind: Any, weight: float) -> None:
    made = kind().fit({"x": X, "k": np.where(X > 0, "a", "b")}, BAD, sample_weight=np.full(ROWS, weight))
    p = made.predict_proba({"x": X, "k": ["a"] * ROWS})[:, 1]
    assert np.isfinite(p).all()
    assert made.predict_proba({"x": X, "k": np.where(X > 0, "a", "b")})[:, 1].mean() == pytest.approx(
        BAD.mean(), abs=0.05
    )


def test_one_row_of_enormous_weight_does_not_break_the_others(kind: Any) -> None:
    weights = np.where(np.arange(ROWS) == 0, 1e9, 1.0)
    p = kind().fit({"x": X}, BAD, sample_weight=weights).predict_proba({"x": X})[:, 1]
    assert np.isfinite(p).all() and abs(p[0] - BAD[0]) < 0.1


def test_only_rows_with_weight_are_rows(kind: Any) -> None:
    with pytest.raises(InvalidInput, match="has 1 class, two are needed"):
        kind().fit({"x": X}, BAD, sample_weight=BAD.astype(float))
    with pytest.raises(InvalidInput, match="every weight is zero"):
        kind().fit({"x": X}, BAD, sample_weight=np.zeros(ROWS))


@pytest.fixture(scope="module")
def scorers() -> dict[type, Any]:
    columns = {"x": X, "k": np.where(X + RNG.normal(size=ROWS) > 0, "a", "b"), "d": np.round(X)}
    return {kind: kind().fit(columns, BAD) for kind in (WoeScorecard, AdditiveScorecard)}


Scored = Callable[[dict[str, Any]], np.ndarray]


@pytest.fixture
def scored(kind: Any, scorers: dict[type, Any]) -> Scored:
    made = scorers[kind]
    assert set(names(made)) == {"x", "k", "d"}

    def probabilities(table: dict[str, Any]) -> np.ndarray:
        result: np.ndarray = made.predict_proba(table)[:, 1]
        assert np.isfinite(result).all()
        return result

    return probabilities


USUAL = {"x": [0.5, -0.5], "k": ["a", "b"], "d": [1, 0]}


def test_columns_in_another_order_and_more_of_them_score_alike(kind: Any, scored: Scored) -> None:
    usual = scored(USUAL)
    np.testing.assert_array_equal(scored({name: USUAL[name] for name in ("d", "x", "k")}), usual)
    np.testing.assert_array_equal(scored({"more": [object(), 1][:0] or ["?", "?"], **USUAL}), usual)


def test_columns_that_are_not_there_are_named(kind: Any, scored: Scored) -> None:
    with pytest.raises(InvalidInput, match=r"2 columns that are not there:.*Add them") as refusal:
        scored({"x": [1.0]})
    assert "`k`" in str(refusal.value) and "`d`" in str(refusal.value)


def test_categories_that_were_never_seen_are_scored_as_other(kind: Any, scored: Scored) -> None:
    new = scored({"x": [0.5] * 3, "k": ["new", "\u0000", "A"], "d": [1] * 3})
    assert len(set(new)) == 1
    assert scored({"x": [0.5], "k": [None], "d": [1]}).shape == (1,)


def test_texts_where_numbers_were_and_the_reverse_are_refused(kind: Any, scored: Scored) -> None:
    with pytest.raises(InvalidInput, match=r"`x` holds texts; the model was trained on numbers. Convert it to numbers"):
        scored({**USUAL, "x": ["0.5", "1"]})
    with pytest.raises(InvalidInput, match=r"`k` holds numbers; the model was trained on texts. Convert it"):
        scored({**USUAL, "k": [1, 2]})


def test_values_that_are_not_known_may_have_any_type(kind: Any, scored: Scored) -> None:
    unknown = [scored({"x": [gap], "k": [None], "d": [gap]})[0] for gap in (None, NAN, "")]
    assert len(set(unknown)) == 1
    assert scored({"x": pa.nulls(1), "k": pa.nulls(1), "d": pa.nulls(1)})[0] == unknown[0]


def test_flags_decimals_and_whole_numbers_stand_for_the_same_numbers(kind: Any, scored: Scored) -> None:
    for ones in ([True], [Decimal("1")], np.array([1], np.int8), np.array([1.0], np.float32), [1]):
        assert scored({"x": ones, "k": ["a"], "d": ones})[0] == scored({"x": [1.0], "k": ["a"], "d": [1.0]})[0]


def test_no_rows_have_no_scores(kind: Any, scored: Scored, scorers: dict[type, Any]) -> None:
    assert scored({"x": [], "k": [], "d": []}).shape == (0,)
    assert scorers[kind].score_points(pa.table(USUAL).slice(0, 0)).shape == (0,)
    assert scorers[kind].predict({"x": [], "k": [], "d": []}).shape == (0,)
    array = kind().fit(X[:, None], BAD)
    assert array.predict_proba(np.empty((0, 1))).shape == (0, 2)


def test_an_array_of_another_width_is_refused(kind: Any) -> None:
    made = kind().fit(np.column_stack((X, X**2)), BAD)
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 2 features"):
        made.predict(np.zeros((2, 3)))
    with pytest.raises(NotFittedError):
        kind().predict(np.zeros((2, 3)))


def test_lists_of_rows_keep_numbers_beside_texts(kind: Any) -> None:
    rows = [[value, "high" if value > 0 else "low"] for value in X.tolist()]
    made = kind().fit(rows, BAD)
    assert [feature.levels is None for feature in made.scorecard_.features].count(True) == 1
    assert made.predict_proba(rows).shape == (ROWS, 2)


def test_many_columns_are_fitted_and_the_telling_ones_kept(kind: Any) -> None:
    wide(kind, 500)


@pytest.mark.prove
def test_ten_thousand_columns_are_fitted(kind: Any) -> None:
    wide(kind, 10_000)


def wide(kind: Any, columns: int) -> None:
    rng = np.random.default_rng(1)
    table = rng.normal(size=(2000, columns))
    bad = rng.random(2000) < sigmoid(-1 + 1.5 * table[:, 3] - 1.5 * table[:, 7])
    made = kind().fit(table, bad)
    assert {"x3", "x7"} <= set(names(made)) and len(names(made)) <= 100
    later = rng.normal(size=(2000, columns))
    truth = sigmoid(-1 + 1.5 * later[:, 3] - 1.5 * later[:, 7])
    assert np.corrcoef(made.predict_proba(later)[:, 1], truth)[0, 1] > 0.5
