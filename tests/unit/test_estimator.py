"""The scorecards as scikit-learn estimators: its own checks, its tools, and tables of named columns."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.estimator import AdditiveScorecard, WoeScorecard
from evenkeel.scoring.frame import frame
from evenkeel.scoring.scorecard import STANDARD, Scaling

BOTH = pytest.mark.parametrize("kind", [WoeScorecard, AdditiveScorecard])
# The one check that does not pass, and why; the class docstring says it too.
EXPECTED = {
    "AdditiveScorecard": {
        "check_sample_weight_equivalence_on_dense_data": "the boosted half draws rows and counts them in its leaves: a "
        "weight of 2 and a row given twice are alike, not equal",
    }
}


@pytest.mark.sampled(4)
@parametrize_with_checks(
    [WoeScorecard(), AdditiveScorecard()], expected_failed_checks=lambda made: EXPECTED.get(type(made).__name__, {})
)
def test_scikit_learn_finds_no_fault(estimator: Any, check: Any) -> None:
    check(estimator)


def sample(seed: int = 0, rows: int = 1500) -> tuple[dict[str, np.ndarray], np.ndarray]:
    rng = np.random.default_rng(seed)
    income, debt = rng.normal(size=(2, rows))
    job = rng.choice(["clerk", "farmer", "student"], rows)
    bad = rng.random(rows) < sigmoid(-1 - income + debt + (job == "student"))
    return {"income": income, "debt": debt, "job": job}, bad


@BOTH
def test_a_table_of_any_kind_gives_the_same_model(kind: Any) -> None:
    columns, bad = sample()
    made = kind().fit(columns, bad)
    table = pa.table(columns)
    for given in (table, table.to_batches()[0], {name: list(values) for name, values in columns.items()}):
        again = kind().fit(given, bad)
        assert again.scorecard_.version == made.scorecard_.version
        np.testing.assert_array_equal(made.predict_proba(given), made.predict_proba(columns))
    assert made.feature_names_in_.tolist() == ["income", "debt", "job"]
    assert made.n_features_in_ == 3


def test_labels_of_every_kind_give_the_same_model() -> None:
    columns, bad = sample()
    made = WoeScorecard().fit(columns, bad)
    labels = [
        bad.astype(int), bad.astype(float), pa.array(bad), pa.chunked_array([pa.array(bad)]), bad.tolist(),
        np.where(bad, "yes", "no"), np.where(bad, "yes", "no").astype(object), pa.array(np.where(bad, "坏", "1好")),
        np.where(bad, 2, 1), np.where(bad, 1, -1), bad.astype(object), bad[:, None],
    ]  # fmt: skip
    for given in labels:
        again = WoeScorecard().fit(columns, given)
        assert again.scorecard_.version == made.scorecard_.version
        flat = (
            np.array(pa.array(given).to_pylist()) if isinstance(given, pa.ChunkedArray | pa.Array) else np.ravel(given)
        )
        assert set(again.predict(columns)) <= set(flat.tolist())
        assert (again.predict(columns) == flat).mean() > 0.65


@pytest.mark.parametrize("labels", [("bad", "good"), ("Default", "paid"), ("default", "fully paid")])
def test_labels_that_would_turn_the_model_round_are_refused(labels: tuple[str, str]) -> None:
    columns, bad = sample()
    with pytest.raises(InvalidInput, match=rf"would be turned round. Give y as booleans: y == '{labels[0]}'"):
        WoeScorecard().fit(columns, np.where(bad, *labels))


@BOTH
def test_probabilities_ln_odds_labels_and_points_agree(kind: Any) -> None:
    columns, bad = sample()
    made = kind(scaling=Scaling(500.0, 20.0, 40.0)).fit(columns, bad)
    log_odds, p = made.decision_function(columns), made.predict_proba(columns)
    np.testing.assert_allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(p[:, 1], sigmoid(log_odds))
    np.testing.assert_array_equal(made.predict(columns), log_odds > 0)
    np.testing.assert_allclose(made.score_points(columns), 500 - 40 / np.log(2) * (log_odds + np.log(20)), atol=1e-3)
    np.testing.assert_array_equal(made.score_points(columns), made.scorecard_.score(frame(columns)))
    assert np.corrcoef(p[:, 1], bad)[0, 1] > 0.3
    assert kind().fit(columns, bad).scorecard_.scaling == STANDARD


@BOTH
def test_before_it_is_fitted_it_says_so(kind: Any) -> None:
    columns, _ = sample(rows=20)
    for method in ("predict", "predict_proba", "decision_function", "score_points"):
        with pytest.raises(NotFittedError):
            getattr(kind(), method)(columns)


@BOTH
def test_a_clone_has_the_settings_and_not_the_model(kind: Any) -> None:
    columns, bad = sample()
    made = kind(monotone={"income": -1}, specials={"debt": [0.0]}, concepts={"job": "work"}).fit(columns, bad)
    again = clone(made)
    assert again.get_params() == made.get_params() and not hasattr(again, "scorecard_")
    assert again.fit(columns, bad).scorecard_.version == made.scorecard_.version
    features = {feature.name: feature for feature in made.scorecard_.features}
    assert (features["income"].trend, features["debt"].specials, features["job"].concept) == (-1, (0.0,), "work")


@BOTH
def test_fitting_again_forgets_the_first_fit(kind: Any) -> None:
    columns, bad = sample()
    made = kind().fit(columns, bad)
    again = made.fit(np.column_stack((columns["income"], columns["debt"])), bad)
    assert again is made and made.n_features_in_ == 2 and not hasattr(made, "feature_names_in_")


class Table:
    """A table of named columns without pandas, as far as scikit-learn looks at one: rows by place, a shape."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self.columns, self.shape = table.column_names, table.shape

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self.table.__arrow_c_stream__(requested_schema)

    def take(self, rows: Any, axis: int = 0) -> "Table":
        return Table(self.table.take(pa.array(rows)))

    def __getitem__(self, rows: Any) -> "Table":
        return self.take(np.arange(len(self))[rows])


@BOTH
def test_cross_validation_and_pipelines_work_on_named_columns(kind: Any) -> None:
    columns, bad = sample(rows=900)
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    table = pa.table(columns)
    by_hand = []
    for train, test in folds.split(bad, bad):
        made = kind().fit(table.take(pa.array(train)), bad[train])
        by_hand.append(roc_auc_score(bad[test], made.decision_function(table.take(pa.array(test)))))
    assert min(by_hand) > 0.7
    for given in (table, Table(table)):
        np.testing.assert_allclose(cross_val_score(kind(), given, bad, cv=folds, scoring="roc_auc"), by_hand)
    piped = Pipeline([("keep", FunctionTransformer(lambda part: part.select(["income", "debt"]))), ("card", kind())])
    piped.fit(table, bad)
    assert piped["card"].feature_names_in_.tolist() == ["income", "debt"]
    assert piped.predict_proba(table).shape == (900, 2)


def test_settings_can_be_searched() -> None:
    columns, bad = sample()
    found = GridSearchCV(WoeScorecard(), {"max_bins": [1, 6]}, cv=3, scoring="neg_log_loss").fit(pa.table(columns), bad)
    assert found.best_params_ == {"max_bins": 6}


@BOTH
def test_rows_without_weight_are_no_rows(kind: Any) -> None:
    columns, bad = sample()
    keep = np.arange(1500) % 3 > 0
    weighted = kind().fit(columns, bad, sample_weight=keep.astype(float))
    alone = kind().fit({name: values[keep] for name, values in columns.items()}, bad[keep])
    assert weighted.scorecard_.version == alone.scorecard_.version


@BOTH
def test_weights_move_the_bad_rate(kind: Any) -> None:
    columns, bad = sample()
    plain, heavy = kind().fit(columns, bad), kind().fit(columns, bad, sample_weight=np.where(bad, 4.0, 1.0))
    rise = heavy.decision_function(columns).mean() - plain.decision_function(columns).mean()
    assert rise == pytest.approx(np.log(4), abs=0.25)


@BOTH
@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (np.zeros(1500), "every weight is zero"), (-np.ones(1500), "below 0"), (np.full(1500, np.nan), "not finite"),
        (np.full(1500, np.inf), "not finite"), (np.ones(3), "Give one weight a row"), 
        (np.full(1500, 1e300), "by their mean"),
        (np.full(1500, 1e-6), "by their mean"),
    ],
)  # fmt: skip
def test_weights_that_are_none_are_refused(kind: Any, weights: np.ndarray, said: str) -> None:
    columns, bad = sample()
    with pytest.raises(InvalidInput, match=said):
        kind().fit(columns, bad, sample_weight=weights)


@BOTH
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"monotone": {"wage": 1}}, "monotone names `wage`, which is no column"),
        ({"monotone": {"job": 1}}, "`job` holds texts"),
        ({"monotone": {"income": 2}}, "direction of `income` is 2"),
        ({"specials": {"wage": [1]}}, "specials names `wage`"),
        ({"concepts": {"wage": "pay"}}, "concepts names `wage`"),
        ({"specials": {"income": [float("nan")]}}, "special value of `income` is not finite"),
    ],
)
def test_settings_that_do_not_fit_the_table_are_refused(kind: Any, settings: dict[str, Any], said: str) -> None:
    columns, bad = sample(rows=100)
    with pytest.raises(InvalidInput, match=said):
        kind(**settings).fit(columns, bad)


def test_the_random_state_is_a_seed_or_what_is_drawn_from() -> None:
    columns, bad = sample(rows=500)
    states = (1, np.random.RandomState(1), 2)
    one, drawn, two = (AdditiveScorecard(random_state=state).fit(columns, bad).scorecard_.version for state in states)
    assert one == drawn != two
