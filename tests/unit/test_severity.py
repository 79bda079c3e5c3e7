"""Loss and exposure at default: means that are right, intervals that cover, models that are data."""

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold
from sklearn.utils.estimator_checks import check_estimator

from evenkeel.kernel.errors import InvalidInput
from evenkeel.scoring.severity import ExposureAtDefault, LossGivenDefault


def losses(seed: int, rows: int = 2000, heaps: bool = True) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    """Table, losses, and the true mean of each row."""
    rng = np.random.default_rng(seed)
    ltv, kind = rng.uniform(0.2, 1.4, rows), rng.choice(["house", "flat", "land"], rows)
    z = 2 * (ltv - 0.8) + (kind == "land")
    none, whole, between = expit(-0.5 - z), expit(-2 + 0.5 * z), expit(-0.3 + 0.5 * z)
    if not heaps:
        none, whole = 0 * none, 0 * whole
    y = rng.beta(3 * between, 3 * (1 - between))
    y = np.clip(y, 0.001, 0.999)
    y[rng.random(rows) < whole] = 1.0
    y[rng.random(rows) < none] = 0.0
    table = pa.table({"ltv": pa.array(ltv, mask=rng.random(rows) < 0.02), "kind": kind})
    return table, y, (1 - none) * (whole + (1 - whole) * between)


def lines(seed: int, rows: int = 3000) -> tuple[pa.Table, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    limit = np.round(rng.lognormal(9, 0.7, rows), -2) + 100
    balance = np.round(limit * rng.beta(2, 2, rows) * 1.1, 2)
    mean = expit(-0.5 + 2 * (balance / limit - 0.5))
    room = np.maximum(limit - balance, 0)
    owed = np.round(balance + room * rng.beta(2 * mean, 2 * (1 - mean)), 2)
    return pa.table({"balance": balance, "limit": limit}), owed, balance + room * mean


class Squeezed(LossGivenDefault):
    """scikit-learn's checks train on any numbers: here they go through a logistic curve and back."""

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> "Squeezed":  # noqa: N803
        if y is not None and (y := np.asarray(y)).dtype.kind != "c":
            y = np.where(np.isfinite(y.astype(float)), expit(y.astype(float)), y)
        return super().fit(X, y, sample_weight)

    def predict(self, X: Any) -> np.ndarray:  # noqa: N803
        return logit(super().predict(X))


@pytest.mark.filterwarnings("ignore")
def test_scikit_learns_checks_pass() -> None:
    check_estimator(Squeezed(), on_skip=None)


@pytest.mark.parametrize("model", [ExposureAtDefault(factor="limit_factor", ridge=2.0), LossGivenDefault(stages=1)])
def test_parameters_clone_and_unfitted_use_is_refused(model: Any) -> None:
    assert clone(model).get_params() == model.get_params()
    for use in (model.document, lambda: model.predict(pa.table({"balance": [1.0], "limit": [2.0]}))):
        with pytest.raises(NotFittedError):
            use()


# --- loss given default ----------------------------------------------------------------------------------------------


def test_the_mean_is_found_where_losses_heap_at_nothing_and_everything() -> None:
    table, y, truth = losses(0, 20_000)
    model = LossGivenDefault().fit(table, y)
    assert model.none_ is not None and model.whole_ is not None
    assert np.abs(model.predict(table) - truth).mean() < 0.012
    assert model.predict(table).mean() == pytest.approx(y.mean(), abs=0.002)


def test_without_heaps_there_is_one_stage() -> None:
    table, y, truth = losses(1, 20_000, heaps=False)
    two, one = LossGivenDefault().fit(table, y), LossGivenDefault(stages=1).fit(table, y)
    assert two.none_ is None and two.whole_ is None
    np.testing.assert_array_equal(two.predict(table), one.predict(table))
    assert np.abs(two.predict(table) - truth).mean() < 0.012


@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_losses_that_are_all_alike_are_predicted_as_they_are(value: float) -> None:
    model = LossGivenDefault().fit(pa.table({"a": np.arange(50.0)}), np.full(50, value))
    np.testing.assert_allclose(model.predict(pa.table({"a": [3.0, None]})), value, atol=1e-3)


def test_only_nothing_or_everything_leaves_nothing_in_between() -> None:
    table, y, _ = losses(2)
    y = (y > 0.5).astype(float)
    model = LossGivenDefault().fit(table, y)
    one = LossGivenDefault(stages=1).fit(table, y)
    np.testing.assert_allclose(model.predict(table), one.predict(table), atol=0.01)


def test_intervals_of_the_mean_cover_it() -> None:
    inside = []
    for seed in range(120):
        table, y, truth = losses(seed + 100, 600)
        low, high = LossGivenDefault(ridge=0.1).fit(table, y).predict_interval(table)
        kept = slice(0, 40)
        inside.append(((low <= truth) & (truth <= high))[kept].mean())
    assert 0.92 <= np.mean(inside) <= 0.98


def test_weights_count_as_repeated_rows() -> None:
    table, y, _ = losses(3, 400)
    weight = np.random.default_rng(0).integers(0, 4, 400)
    repeated = np.repeat(np.arange(400), weight)
    ours = LossGivenDefault().fit(table, y, weight)
    theirs = LossGivenDefault().fit(table.take(pa.array(repeated)), y[repeated])
    np.testing.assert_allclose(ours.predict(table), theirs.predict(table), atol=1e-8)


def test_a_model_is_data_and_comes_back_from_it() -> None:
    table, y, _ = losses(4)
    model = LossGivenDefault(mass=0.02).fit(table, y)
    text = json.dumps(model.document(), allow_nan=False)
    other = LossGivenDefault.from_document(json.loads(text))
    np.testing.assert_array_equal(other.predict(table), model.predict(table))
    np.testing.assert_array_equal(other.predict_interval(table)[0], model.predict_interval(table)[0])
    assert json.dumps(other.document()) == text
    assert LossGivenDefault(mass=0.02).fit(table, y).document() == model.document()


def test_a_document_that_was_changed_by_hand_is_refused() -> None:
    table, y, _ = losses(5)
    good = LossGivenDefault().fit(table, y).document()
    for change in (
        {"kind": "hazard"}, {"between": None}, {"columns": good["columns"][:1]}, {"parameters": {"depth": 3}},
        {"none": {**good["none"], "coefficients": [float("nan")] * len(good["none"]["coefficients"])}},
    ):  # fmt: skip
        with pytest.raises(InvalidInput):
            LossGivenDefault.from_document({**good, **change})
    with pytest.raises(InvalidInput):
        LossGivenDefault.from_document({"kind": "loss_given_default"})


def test_odd_columns_are_read_or_refused_clearly() -> None:
    rng = np.random.default_rng(6)
    table = pa.table(
        {
            "huge": rng.choice([1e308, -1e308, 0.0], 300), "constant": np.ones(300), "unknown": pa.nulls(300),
            "names": [f"case {i}" for i in range(300)], "flag": rng.random(300) < 0.004, "a": rng.normal(size=300),
        }
    )  # fmt: skip
    y = rng.random(300)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = LossGivenDefault().fit(table, y)
        assert np.isfinite(model.predict(table)).all()
    shuffled = table.select(["a", "flag", "names", "unknown", "constant", "huge"])
    np.testing.assert_array_equal(model.predict(shuffled), model.predict(table))
    with pytest.raises(InvalidInput, match="`huge`"):
        model.predict(table.drop_columns(["huge"]))
    with pytest.raises(InvalidInput, match="`a`"):
        model.predict(table.set_column(5, "a", pa.array(["x"] * 300)))
    beyond = model.predict(table.set_column(5, "a", pa.array(np.full(300, 1e9))))
    edge = model.predict(table.set_column(5, "a", pa.array(np.full(300, table["a"].to_numpy().max()))))
    np.testing.assert_array_equal(beyond, edge)  # an effect is held where nothing was seen


def test_percent_are_refused_and_costs_beyond_the_exposure_are_counted() -> None:
    table, y, _ = losses(7)
    with pytest.raises(InvalidInput, match="percent"):
        LossGivenDefault().fit(table, 100 * y)
    y = y.copy()
    y[:20] = 1.1
    model = LossGivenDefault().fit(table, y)
    assert model.clipped_share_ == 20 / len(y)
    with pytest.raises(InvalidInput, match="stages"):
        LossGivenDefault(stages=3).fit(table, y)
    with pytest.raises(InvalidInput, match="no rows"):
        model.predict(table.slice(0, 0))


def test_real_losses_are_foretold_better_than_by_least_squares(shared: Path) -> None:
    """lgd_2545, five folds. `event` is left out: it says whether anything was lost, which is the outcome itself."""
    data = pq.read_table(shared / "data" / "lgd_2545.parquet")
    y, table = data["lgd_time"].to_numpy(), data.select(["LTV", "purpose1"])
    plain = np.column_stack([table["LTV"].to_numpy(), table["purpose1"].to_numpy()])
    found = {name: np.empty(len(y)) for name in ("two", "one", "squares", "mean")}
    for train, test in KFold(5, shuffle=True, random_state=0).split(plain):
        known, new = table.take(pa.array(train)), table.take(pa.array(test))
        found["two"][test] = LossGivenDefault().fit(known, y[train]).predict(new)
        found["one"][test] = LossGivenDefault(stages=1).fit(known, y[train]).predict(new)
        found["squares"][test] = LinearRegression().fit(plain[train], y[train]).predict(plain[test])
        found["mean"][test] = y[train].mean()
    r2 = {name: 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum() for name, p in found.items()}
    mae = {name: np.abs(y - p).mean() for name, p in found.items()}
    assert r2["two"] > 0.205 and r2["two"] >= r2["one"] - 0.001
    assert r2["two"] > r2["squares"] + 0.015 > r2["mean"]
    assert mae["two"] < mae["squares"] < mae["mean"]


# --- exposure at default ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", ["credit_conversion", "limit_factor"])
def test_exposure_is_found_and_its_total_is_the_observed_one(factor: str) -> None:
    table, owed, truth = lines(0, 20_000)
    model = ExposureAtDefault(factor=factor).fit(table, owed)
    predicted = model.predict(table)
    assert np.abs(predicted - truth).sum() / truth.sum() < (0.01 if factor == "credit_conversion" else 0.02)
    assert predicted.sum() == pytest.approx(owed.sum(), rel=1e-3)
    low, high = model.predict_interval(table)
    assert (low <= predicted + 1e-9).all() and (predicted <= high + 1e-9).all()


def test_a_large_line_counts_by_its_money() -> None:
    rng = np.random.default_rng(5)
    limit, share = np.full(400, 1000.0), rng.uniform(0.2, 0.4, 400)
    limit[:2], share[:2] = 1e6, 0.95  # too few for an effect of their own
    table = pa.table({"balance": np.zeros(400), "limit": limit})
    model = ExposureAtDefault().fit(table, share * limit)
    assert model.predict(table).sum() == pytest.approx((share * limit).sum(), rel=1e-6)


def test_money_over_the_limit_is_not_cut_off() -> None:
    table, owed, _ = lines(1)
    interest = owed * 1.08
    model = ExposureAtDefault(factor="limit_factor").fit(table, interest)
    assert model.top_ > 1
    assert model.clipped_share_ <= 0.011
    assert model.predict(table).sum() == pytest.approx(interest.sum(), rel=0.003)


def test_a_full_line_owes_its_balance_and_an_unknown_one_cannot_be_told() -> None:
    table, owed, _ = lines(2)
    model = ExposureAtDefault().fit(table, owed)
    new = pa.table({"limit": [100.0, 100.0, None, 100.0], "balance": [100.0, 130.0, 5.0, None]})
    np.testing.assert_array_equal(model.predict(new), [100.0, 130.0, np.nan, np.nan])


def test_intervals_of_the_mean_exposure_cover_it() -> None:
    inside = []
    for seed in range(120):
        table, owed, truth = lines(seed + 100, 800)
        low, high = ExposureAtDefault(ridge=0.1).fit(table, owed).predict_interval(table.slice(0, 40))
        full = low == high
        inside.append(((low <= truth[:40]) & (truth[:40] <= high))[~full].mean())
    assert 0.91 <= np.mean(inside) <= 0.98


def test_an_exposure_model_is_data_and_wrong_columns_are_named() -> None:
    table, owed, _ = lines(3)
    model = ExposureAtDefault(balance="balance").fit(table, owed)
    text = json.dumps(model.document(), allow_nan=False)
    other = ExposureAtDefault.from_document(json.loads(text))
    np.testing.assert_array_equal(other.predict(table), model.predict(table))
    assert json.dumps(other.document()) == text
    with pytest.raises(InvalidInput):
        ExposureAtDefault.from_document({**model.document(), "share": None})
    with pytest.raises(InvalidInput, match="`used`"):
        ExposureAtDefault(balance="used").fit(table, owed)
    with pytest.raises(InvalidInput, match="factor"):
        ExposureAtDefault(factor="ccf").fit(table, owed)
    with pytest.raises(InvalidInput, match="texts"):
        ExposureAtDefault().fit(table.set_column(0, "balance", pa.array(["a"] * 3000)), owed)
    with pytest.raises(InvalidInput, match="left to draw"):
        ExposureAtDefault().fit(table.set_column(1, "limit", pa.array(np.zeros(3000))), owed)


def test_an_array_works_where_its_columns_are_named_by_place() -> None:
    table, owed, _ = lines(4)
    array = np.column_stack([table["balance"].to_numpy(), table["limit"].to_numpy()])
    model = ExposureAtDefault("x0", "x1").fit(array, owed)
    named = ExposureAtDefault().fit(table, owed)
    np.testing.assert_allclose(model.predict(array), named.predict(table))
