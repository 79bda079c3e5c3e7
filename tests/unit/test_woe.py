"""The classical scorecard: WoE of optimal bins, a logistic regression on it, signs that hold."""

import json

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from evenkeel.measures.binning import information_value, shrunk_weight_of_evidence
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.cutting import Candidate, candidates_of
from evenkeel.scoring.frame import frame
from evenkeel.scoring.scorecard import Scorecard, from_document
from evenkeel.scoring.woe import CAUTIOUS, PRIOR, WoeSettings, fit_woe


def sample(seed: int = 0, rows: int = 6000) -> tuple[pa.Table, np.ndarray]:
    rng = np.random.default_rng(seed)
    a, b, noise = rng.normal(size=(3, rows))
    kind = rng.choice(["low", "mid", "high", "rare"], rows, p=[0.5, 0.3, 0.199, 0.001])
    effect = np.select([kind == "low", kind == "mid"], [-0.8, 0.0], 0.9)
    bad = rng.random(rows) < sigmoid(-2 + a - 0.7 * b + effect)
    gone = rng.random(rows) < 0.1
    return frame(
        {
            "a": pa.array(a, mask=gone), "a_copy": pa.array(3 * a + 1, mask=gone), "b": np.round(b, 1), "noise": noise,
            "kind": kind, "flag": b > 1, "whole": np.round(10 * a).astype(np.int64), "constant": np.ones(rows),
        }
    ), bad  # fmt: skip


CANDIDATES = (
    Candidate("a", "first", 1), Candidate("a_copy", "first", 1), Candidate("b", "second", -1),
    Candidate("noise", "noise"), Candidate("kind", "kind"), Candidate("flag", "second"),
    Candidate("constant", "constant"), Candidate("absent", "absent"),
)  # fmt: skip


@pytest.fixture(scope="module")
def fitted() -> tuple[Scorecard, pa.Table, np.ndarray]:
    table, bad = sample()
    return fit_woe(table, bad, CANDIDATES, settings=CAUTIOUS), table, bad


Fitted = tuple[Scorecard, pa.Table, np.ndarray]


def test_woe_is_the_ln_of_shares_shrunk_by_ten_average_rows() -> None:
    goods, bads = np.array([900.0, 90.0, 0.0]), np.array([50.0, 60.0, 0.0])
    rate = 110 / 1100
    expected = [
        np.log((900 + 9) / (50 + 1) * rate / (1 - rate)), np.log((90 + 9) / (60 + 1) * rate / (1 - rate)), 0.0
    ]  # fmt: skip
    np.testing.assert_allclose(shrunk_weight_of_evidence(goods, bads, PRIOR), expected)
    shares = goods / 990 - bads / 110
    assert information_value(goods, bads, expected) == pytest.approx((shares * expected).sum())


def test_the_coefficients_are_those_of_a_ridge_logistic_regression_on_woe() -> None:
    table, bad = sample(1)
    given = candidates_of(table.select(["a", "b", "kind"]))
    card = fit_woe(table, bad, given)
    woe = np.column_stack(
        [
            shrunk_weight_of_evidence(g, b, PRIOR).take(c)
            for g, b, c in zip(card.goods, card.bads, card.codes(table), strict=True)
        ]
    )
    model = LogisticRegression(C=1.0, tol=1e-10, max_iter=1000).fit(woe, bad)
    np.testing.assert_allclose(card.log_odds(table), model.decision_function(woe), atol=1e-6)


def test_tables_count_the_rows_and_are_centred(fitted: Fitted) -> None:
    card, table, bad = fitted
    for entries, goods, bads in zip(card.tables, card.goods, card.bads, strict=True):
        assert bads.sum() == bad.sum() and goods.sum() == table.num_rows - bad.sum()
        assert abs(np.average(entries, weights=goods + bads)) < 1e-8


def test_copies_noise_constants_and_absent_columns_are_left_out_by_the_cautious(fitted: Fitted) -> None:
    names = [feature.name for feature in fitted[0].features]
    assert len({"a", "a_copy"} & set(names)) == 1
    assert not {"noise", "constant", "absent"} & set(names)
    assert {"b", "kind"} <= set(names)


def test_risk_moves_only_in_the_direction_that_was_stated(fitted: Fitted) -> None:
    card = fitted[0]
    for feature, table in zip(card.features, card.tables, strict=True):
        if feature.trend:
            steps = feature.trend * np.diff(table[: feature.bins])
            assert (steps >= 0).all() and steps.sum() > 0.5


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("trend", [-1, 1])
def test_a_direction_against_the_data_holds_or_the_feature_is_left_out(seed: int, trend: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=800)
    bad = rng.random(800) < sigmoid(-1 + np.sin(3 * x))
    card = fit_woe(frame({"x": x}), bad, [Candidate("x", "x", trend)])
    for feature, table in zip(card.features, card.tables, strict=True):
        assert (trend * np.diff(table[: feature.bins]) >= 0).all()


def test_rare_levels_are_read_as_other_and_missing_and_special_values_apart() -> None:
    table, bad = sample()
    card = fit_woe(table, bad, [Candidate("kind", "kind"), Candidate("whole", "whole", specials=(0.0,))])
    whole, kind = sorted(card.features, key=lambda feature: feature.levels is not None)
    assert kind.levels == ("high", "low", "mid")
    assert kind.codes(pa.array(["rare", "never seen", None])).tolist() == [3, 3, 4]
    assert whole.codes(pa.array([0.0, None])).tolist() == [whole.bins, whole.bins + 1]


def test_weights_stand_for_repeated_rows() -> None:
    table, bad = sample(2, 2000)
    times = np.random.default_rng(3).integers(1, 4, 2000)
    rows = np.repeat(np.arange(2000), times)
    # Bins are cut at quantiles of rows, so that a repeated row may move one: levels have no such cuts.
    given = [Candidate("kind", "kind"), Candidate("flag", "flag")]
    weighted = fit_woe(table, bad, given, times.astype(float))
    repeated = fit_woe(table.take(pa.array(rows)), bad[rows], given)
    np.testing.assert_allclose(weighted.log_odds(table), repeated.log_odds(table), atol=1e-8)


def test_the_order_of_rows_and_columns_changes_nothing(fitted: Fitted) -> None:
    card, table, bad = fitted
    order = np.random.default_rng(1).permutation(len(bad))
    other = fit_woe(table.take(pa.array(order)), bad[order], CANDIDATES[::-1], settings=CAUTIOUS)
    np.testing.assert_allclose(other.log_odds(table), card.log_odds(table), atol=1e-8)
    assert fit_woe(table, bad, CANDIDATES, settings=CAUTIOUS).version == card.version


def test_the_document_is_plain_data(fitted: Fitted) -> None:
    card, table, _ = fitted
    again = from_document(json.loads(json.dumps(card.document(), allow_nan=False)))
    assert again.version == card.version
    np.testing.assert_array_equal(again.score(table), card.score(table))


def test_it_predicts_rows_that_it_has_not_seen() -> None:
    table, bad = sample(4)
    later, later_bad = sample(5)
    truth = roc_auc_score(later_bad, fit_woe(later, later_bad, candidates_of(later)).log_odds(later))
    found = roc_auc_score(later_bad, fit_woe(table, bad, candidates_of(table)).log_odds(later))
    assert found > truth - 0.02


def test_without_a_feature_that_predicts_everybody_has_the_bad_rate() -> None:
    table, _ = sample(rows=500)
    card = fit_woe(table, np.arange(500) % 4 == 0, [Candidate("constant", "constant")])
    assert card.features == ()
    np.testing.assert_allclose(card.probability(table), 0.25, atol=1e-9)
    concepts, points = card.contributions(table)
    assert concepts == () and points.shape == (500, 0)


def test_bins_and_features_are_limited() -> None:
    table, bad = sample()
    card = fit_woe(table, bad, candidates_of(table), settings=WoeSettings(max_bins=3, most_features=2))
    assert len(card.features) == 2
    assert all(feature.bins <= 3 for feature in card.features if feature.levels is None)
