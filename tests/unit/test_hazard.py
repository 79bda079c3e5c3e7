"""The hazard model: PDs for any horizon from accounts that are young, seen late, or gone in another way."""

import json
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.special import logit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import check_estimator

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.measures.survival import aalen_johansen, hazards_of, incidence, person_months, survival
from evenkeel.scoring.hazard import HazardModel

MONTHS = 36
FIRST = 12 * 2020  # January 2020


def book(seed: int, rows: int = 6000, seen: int = 40, calendar: float = 0.0) -> tuple[pa.Table, np.ndarray]:
    """Accounts opened over three years and seen `seen` months after the first; and their true hazards (n, 36, 2)."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(3, rows))
    kind = rng.choice(["card", "loan", "line"], rows)
    start = rng.integers(0, MONTHS, rows)
    t = np.arange(1, MONTHS + 1)
    season = calendar * np.sin((start[:, None] + t) / 5)
    bad = -5 + 0.8 * np.exp(-(((t - 10) / 7) ** 2)) + 0.7 * a[:, None] + 0.6 * (kind == "card")[:, None] + season
    paid = -4.2 + 0.03 * t + 0.6 * b[:, None]
    hazards = hazards_of(np.stack([bad, paid], axis=-1))
    draw = rng.random((rows, MONTHS))
    cause = np.where(draw < hazards[..., 0], 1, np.where(draw < hazards.sum(axis=-1), 2, 0))
    left = (cause > 0).any(axis=1)
    duration = np.where(left, (cause > 0).argmax(axis=1) + 1, MONTHS)
    cause = np.where(left, cause[np.arange(rows), duration - 1], 0)
    watched = np.minimum(seen - start, MONTHS)
    cause = np.where(duration <= watched, cause, 0)
    columns = {
        "a": pa.array(a), "b": b, "noise": c, "kind": kind, "months": np.minimum(duration, watched),
        "why": np.array(["", "default", "prepaid"])[cause],
        "opened": [f"{(FIRST + s) // 12:04d}-{(FIRST + s) % 12 + 1:02d}" for s in start],
    }  # fmt: skip
    return pa.table(columns), hazards


def model(**more: Any) -> HazardModel:
    return HazardModel(duration="months", event="why", **more)


PLAIN = ["a", "b", "noise", "kind", "months", "why"]


@pytest.fixture(scope="module")
def fitted() -> tuple[HazardModel, pa.Table, np.ndarray]:
    table, hazards = book(0, 12_000)
    return model().fit(table.select(PLAIN)), table.select(PLAIN), hazards


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("binned", [True, False])
def test_scikit_learns_checks_pass(binned: bool) -> None:
    check_estimator(HazardModel(binned=binned), on_skip=None)


def test_it_can_be_cloned_and_has_the_parameters_it_was_given() -> None:
    assert clone(model(horizon=7, ridge=2.0)).get_params() == model(horizon=7, ridge=2.0).get_params()


# --- the right numbers -----------------------------------------------------------------------------------------------


def test_pd_of_any_horizon_is_found_although_most_accounts_are_young(fitted: tuple) -> None:
    hazard, table, truth = fitted
    for months in (3, 12, 24):
        pd, true = hazard.cumulative_incidence(table, months), incidence(truth)[:, months, 0]
        assert pd.mean() == pytest.approx(true.mean(), rel=0.06)
        assert np.corrcoef(logit(pd), logit(true))[0, 1] > 0.95
    paid, true = hazard.cumulative_incidence(table, 12, "prepaid"), incidence(truth)[:, 12, 1]
    assert paid.mean() == pytest.approx(true.mean(), rel=0.05)
    given = hazard.cumulative_incidence(table, 12, age=9)
    assert given.mean() == pytest.approx(incidence(truth[:, 9:])[:, 12, 0].mean(), rel=0.07)


def test_the_share_of_bads_among_all_accounts_is_wrong_where_this_is_right() -> None:
    """Averaged over seeds: censoring leaves the PD as it is, counting young accounts as good does not."""
    errors, naive = [], []
    for seed in range(12):
        table, truth = book(seed, 3000, seen=38)
        true = incidence(truth)[:, 24, 0].mean()
        errors.append(model(horizon=24).fit(table.select(PLAIN)).predict_proba(table)[:, 1].mean() / true - 1)
        bad = np.array(table["why"].to_pylist()) == "default"
        naive.append((bad & (table["months"].to_numpy() <= 24)).mean() / true - 1)
    assert abs(np.mean(errors)) < 3 * np.std(errors) / np.sqrt(12) + 0.01
    assert np.mean(naive) < -0.15


def test_the_mean_prediction_is_aalen_johansens_curve_without_covariates() -> None:
    table, _ = book(3, 8000)
    hazard = model(smoothing=1e-3).fit(table.select(["months", "why"]))
    cause = np.array([{"": 0, "default": 1, "prepaid": 2}[name] for name in table["why"].to_pylist()])
    curve = aalen_johansen(person_months(table["months"].to_numpy(), cause, 2).by_month())
    found = hazard.cumulative_incidence(table.slice(0, 1), np.arange(31))[0]
    np.testing.assert_allclose(found, curve.value[:31, 0], atol=2e-3)
    np.testing.assert_allclose(
        hazard.predict_hazard(table.slice(0, 1), 5).sum(), 1 - survival_of(hazard, table, 5), atol=0.01
    )


def survival_of(hazard: HazardModel, table: pa.Table, months: int) -> float:
    return float(survival(hazard.predict_hazard(table.slice(0, 1), months))[0, -1])


def test_a_constant_hazard_gives_a_geometric_pd() -> None:
    rng = np.random.default_rng(1)
    time = np.minimum(rng.geometric(0.03, 4000), 24)
    event = (rng.random(4000) < 0.999) & (time < 24)
    hazard = HazardModel(duration="t", smoothing=1e9).fit({"t": time}, event)
    h = hazard.predict_hazard({"t": [1]}, [12])[0, 0, 0]
    assert h == pytest.approx(event.sum() / time.sum(), rel=0.05)
    flat = 1 - (1 - hazard.predict_hazard({"t": [1]}, 12)[0, :, 0]).prod()
    assert hazard.predict_proba({"t": [1]})[0, 1] == pytest.approx(flat, abs=1e-12)


def test_incidences_and_survival_add_up_to_one(fitted: tuple) -> None:
    hazard, table, _ = fitted
    part = table.slice(0, 500)
    stay = survival(hazard.predict_hazard(part, 48))[:, -1]
    total = sum(hazard.cumulative_incidence(part, 48, cause) for cause in hazard.causes_) + stay
    np.testing.assert_allclose(total, 1, atol=1e-12)
    whole, stay = hazard.cumulative_incidence(part, [9, 21]), survival(hazard.predict_hazard(part, 9))[:, -1]
    given = (whole[:, 1] - whole[:, 0]) / stay
    np.testing.assert_allclose(hazard.cumulative_incidence(part, 12, age=9), given, rtol=1e-10)
    np.testing.assert_allclose(hazard.cumulative_incidence(part, 12, age=np.full(500, 9)), given, rtol=1e-10)
    curve = hazard.cumulative_incidence(part, np.arange(0, 61, 5))
    assert (np.diff(curve, axis=1) > 0).all() and (curve[:, 0] == 0).all()


def test_accounts_that_came_late_under_observation_bias_nothing() -> None:
    table, truth = book(4, 12_000)
    rng = np.random.default_rng(0)
    entry = rng.integers(0, 12, len(truth))
    seen = np.flatnonzero(table["months"].to_numpy() > entry)  # those gone before are never heard of
    late = table.select(PLAIN).append_column("entry", pa.array(entry)).take(pa.array(seen))
    right = model(entry="entry").fit(late)
    wrong = model().fit(late.drop_columns(["entry"]))
    true = incidence(truth)[:, 12, 0].mean()
    new = table.select(["a", "b", "noise", "kind"])
    assert right.predict_proba(new)[:, 1].mean() == pytest.approx(true, rel=0.08)
    assert wrong.predict_proba(new)[:, 1].mean() < 0.9 * true
    known = right.predict_proba(late)[:, 1]  # an account under way: the months after its entry
    np.testing.assert_allclose(known, right.cumulative_incidence(late, 12, age=entry[seen]), atol=1e-15)


def test_a_bins_risk_is_against_the_months_it_was_watched() -> None:
    """Those that came late were watched for shorter: fewer defaults, not less risk."""
    rng = np.random.default_rng(3)
    entry = np.where(rng.random(20_000) < 0.5, 18, 0)
    time = entry + rng.geometric(np.where(entry > 0, 0.02 * np.exp(0.5), 0.02))
    accounts = pa.table({"t": np.minimum(time, 24), "came": entry, "late": np.where(entry > 0, "yes", "no")})
    hazard = HazardModel(duration="t", entry="came", smoothing=1e6).fit(accounts, time <= 24)
    (feature,), (entries,) = hazard.tables_.causes[0].features, hazard.tables_.causes[0].tables
    assert entries[feature.levels.index("yes")] - entries[feature.levels.index("no")] == pytest.approx(0.5, abs=0.15)


def test_a_feature_that_would_say_the_reverse_of_its_bins_is_left_out() -> None:
    rng = np.random.default_rng(4)
    a, more = rng.normal(size=(2, 20_000))
    accounts = {"a": a, "copy": a + 0.5 * more}  # alone, a sign of risk; beside `a`, of the contrary
    bad = rng.random(20_000) < 1 / (1 + np.exp(2 - 1.2 * a + 0.6 * more))
    hazard = HazardModel().fit(accounts, bad)
    assert hazard.tables_.names == ["a"]
    assert hazard.predict_proba(accounts)[:, 1].mean() == pytest.approx(bad.mean(), abs=1e-3)


def test_a_bad_year_is_the_calendars_not_the_accounts_age() -> None:
    table, truth = book(5, 20_000, calendar=0.8)
    hazard = model(start_month="opened").fit(table)
    bad = hazard.tables_.causes[0]
    month = hazard.tables_.first_month + np.arange(len(bad.calendar)) - FIRST
    assert np.corrcoef(bad.calendar[:38], np.sin(month[:38] / 5))[0, 1] > 0.9
    assert abs(bad.calendar.mean()) < 0.3
    pd = hazard.predict_proba(table)[:, 1]
    assert np.corrcoef(logit(pd), logit(incidence(truth)[:, 12, 0]))[0, 1] > 0.93
    unseen = table.drop_columns(["opened"])
    future = table.set_column(6, "opened", pa.array(["2090-01"] * len(pd)))
    np.testing.assert_array_equal(hazard.predict_proba(unseen), hazard.predict_proba(future))


def test_months_of_opening_may_be_texts_dates_or_numbers() -> None:
    table, _ = book(6, 1500)
    opened = table["opened"].to_pylist()
    same = {
        "text": opened, "day": [f"{month}-17" for month in opened],
        "date": [date(int(m[:4]), int(m[5:]), 28) for m in opened], "number": [int(m.replace("-", "")) for m in opened],
    }  # fmt: skip
    found = [
        model(start_month="opened").fit(table.set_column(6, "opened", pa.array(values))).predict_proba(table)
        for values in same.values()
    ]
    for other in found[1:]:
        np.testing.assert_array_equal(found[0], other)


# --- forms of input --------------------------------------------------------------------------------------------------


def test_columns_of_x_fields_of_y_and_a_binary_target_say_the_same() -> None:
    table, _ = book(7, 2000)
    table = table.select(PLAIN)
    x = table.drop_columns(["months", "why"])
    why, months = np.array(table["why"].to_pylist()), table["months"].to_numpy()
    structured = np.array(list(zip(why, months, strict=True)), dtype=[("event", "U9"), ("duration", "i8")])
    expected = model().fit(table).predict_proba(x)
    for found in (
        HazardModel().fit(x, structured),
        HazardModel().fit(x, pa.table({"event": why, "duration": months})),
        HazardModel(duration="months").fit(table.drop_columns(["why"]), why),
        HazardModel(default="1").fit(x, {"event": np.char.replace(np.char.replace(why, "default", "1"), "prepaid", "2"),
                                         "duration": months}),
        HazardModel().fit(x, {"event": (why == "default") + 2 * (why == "prepaid"), "duration": months}),
    ):  # fmt: skip
        np.testing.assert_allclose(found.predict_proba(x), expected, atol=1e-12)
    binary = HazardModel(duration="months").fit(table.drop_columns(["why"]), why == "default")
    only = HazardModel(duration="months").fit(table.drop_columns(["why"]), np.where(why == "default", "default", ""))
    np.testing.assert_array_equal(binary.predict_proba(x), only.predict_proba(x))
    assert binary.classes_.tolist() == [False, True]
    assert set(binary.predict(x)) <= {False, True}


def test_without_a_duration_it_is_a_logistic_regression() -> None:
    rng = np.random.default_rng(8)
    x = rng.normal(size=(800, 3))
    bad = rng.random(800) < 1 / (1 + np.exp(1 - x[:, 0]))
    hazard = HazardModel(binned=False, ridge=1.0).fit(x, bad)
    scaled = np.column_stack(
        [column.regressors(pa.chunked_array([x[:, i]]))[0] for i, column in enumerate(hazard.tables_.columns)]
    )
    theirs = LogisticRegression(C=1.0, tol=1e-10).fit(scaled, bad)
    np.testing.assert_allclose(hazard.predict_proba(x), theirs.predict_proba(scaled), atol=1e-5)
    np.testing.assert_allclose(hazard.decision_function(x), logit(hazard.predict_proba(x)[:, 1]))


def test_features_are_found_for_the_cause_they_move_and_noise_for_none(fitted: tuple) -> None:
    bad, paid = fitted[0].tables_.causes
    assert {"a", "kind"} <= {feature.name for feature in bad.features}
    assert "b" in {feature.name for feature in paid.features}
    for cause in (bad, paid):
        spread = {f.name: np.ptp(entries[:-1]) for f, entries in zip(cause.features, cause.tables, strict=True)}
        assert spread.get("noise", 0) < 0.3 < max(spread.values())
    assert hazard_moves(fitted, "a") > 0.5 > hazard_moves(fitted, "noise")


def hazard_moves(fitted: tuple, name: str) -> float:
    hazard, _, _ = fitted
    values = np.array([-2.0, 2.0])
    probe = (
        {column: pa.array([0.0, 0.0]) for column in ("a", "b", "noise")} | {"kind": ["loan", "loan"]} | {name: values}
    )
    return float(np.abs(np.diff(hazard.decision_function(pa.table(probe))))[0])


def test_weights_count_as_repeated_rows_where_nothing_is_cut() -> None:
    table, _ = book(9, 800)
    weight = np.random.default_rng(1).integers(0, 3, 800)
    table = table.select(PLAIN)
    repeated = table.take(pa.array(np.repeat(np.arange(800), weight)))
    ours = model(binned=False, smoothing=10.0).fit(table, sample_weight=weight)
    theirs = model(binned=False, smoothing=10.0).fit(repeated)
    np.testing.assert_allclose(ours.predict_proba(table), theirs.predict_proba(table), atol=1e-7)


def test_equal_accounts_give_equal_bytes_in_any_order() -> None:
    table, _ = book(10, 1500)
    first, again = (model(start_month="opened").fit(table) for _ in range(2))
    assert json.dumps(first.document()) == json.dumps(again.document())
    order = pa.array(np.random.default_rng(0).permutation(1500))
    other = model(start_month="opened").fit(table.take(order))
    np.testing.assert_allclose(other.predict_proba(table), first.predict_proba(table), rtol=1e-6)


# --- data, not a pickle ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("binned", [True, False])
def test_a_model_is_data_and_comes_back_from_it(binned: bool) -> None:
    table, _ = book(11, 1500)
    hazard = model(binned=binned, start_month="opened").fit(table)
    text = json.dumps(hazard.document(), allow_nan=False)
    other = HazardModel.from_document(json.loads(text))
    np.testing.assert_array_equal(other.predict_proba(table), hazard.predict_proba(table))
    np.testing.assert_array_equal(other.predict(table), hazard.predict(table))
    assert json.dumps(other.document()) == text
    assert json.loads(text)["kind"] == "hazard"


def test_a_document_that_was_changed_by_hand_is_refused(fitted: tuple) -> None:
    text = json.dumps(fitted[0].document())
    for change in (
        lambda d: d.update(kind="scorecard"), lambda d: d.pop("columns"), lambda d: d.update(causes=[]),
        lambda d: d["causes"][0]["baseline"].pop(), lambda d: d["causes"][0].update(name="other"),
        lambda d: d["causes"][0]["features"][0]["log_odds"].pop(), lambda d: d["parameters"].update(depth=3),
        lambda d: d["causes"][1]["baseline"].__setitem__(0, float("nan")),
    ):  # fmt: skip
        document = json.loads(text)
        change(document)
        with pytest.raises(InvalidInput):
            HazardModel.from_document(document)


# --- what cannot be used ---------------------------------------------------------------------------------------------


def test_what_cannot_be_learned_from_is_named() -> None:
    table, _ = book(12, 300)
    table = table.select(PLAIN)
    names = ["why", "months", "entry", "default", "days", "known", "texts"]
    months, zero = table["months"].to_pylist(), pa.array(np.zeros(300))
    for found, make in zip(
        names,
        (
            lambda: HazardModel(duration="months", event="gone").fit(table.rename_columns([*PLAIN[:5], "why not"])),
            lambda: model().fit(table.drop_columns(["months"])),
            lambda: model(entry="entry").fit(table),
            lambda: model(default="bad").fit(table),
            lambda: model().fit(table.set_column(4, "months", pa.array(np.array(months) * 30.0))),
            lambda: model().fit(table.set_column(4, "months", pa.array([None, *months[1:]]))),
            lambda: model().fit(table.set_column(4, "months", pa.array([str(m) for m in months]))),
        ),
        strict=True,
    ):
        with pytest.raises(InvalidInput, match="gone" if found == "why" else found):
            make()
    with pytest.raises(InvalidInput, match="before they are under observation"):
        model().fit(table.set_column(4, "months", zero))
    with pytest.raises(InvalidInput, match="y is None"):
        HazardModel(duration="months").fit(table)
    with pytest.raises(InvalidInput, match="no month"):
        model(start_month="kind").fit(table)


def test_wrong_questions_are_refused(fitted: tuple) -> None:
    hazard, table, _ = fitted
    one = table.slice(0, 1)
    for ask in (
        lambda: hazard.cumulative_incidence(one, 12, "cure"), lambda: hazard.cumulative_incidence(one, -1),
        lambda: hazard.cumulative_incidence(one, 12, age=-1), lambda: hazard.predict_hazard(one, 0),
        lambda: hazard.predict_hazard(one, [0, 1]), lambda: model(horizon=0).fit(table),
        lambda: model(horizon=1.5).fit(table),
    ):  # fmt: skip
        with pytest.raises(InvalidUsage):
            ask()
    with pytest.raises(InvalidInput, match="`a`"):
        hazard.predict_proba(table.drop_columns(["a"]))


def test_unknown_values_unseen_levels_and_odd_columns_are_scored(fitted: tuple) -> None:
    hazard, _, _ = fitted
    odd = pa.table({"kind": ["new", None], "noise": [1e308, None], "b": [None, -1e308], "a": [0.0, None]})
    assert np.isfinite(hazard.decision_function(odd)).all()
    table, _ = book(13, 600)
    more = table.select(PLAIN).append_column("constant", pa.array(np.ones(600)))
    more = more.append_column("name", pa.array([f"n{i}" for i in range(600)])).append_column("null", pa.nulls(600))
    assert not {"constant", "name", "null"} & set(model().fit(more).tables_.names)


def test_after_the_last_month_that_was_seen_the_baseline_is_held(fitted: tuple) -> None:
    hazard, table, _ = fitted
    last = hazard.months_observed_
    assert last == table["months"].to_numpy().max()
    assert hazard.feature_names_in_.tolist() == ["a", "b", "noise", "kind"]
    late = hazard.predict_hazard(table.slice(0, 1), [last, last + 1, last + 50])[0]
    np.testing.assert_array_equal(late[0], late[1])
    np.testing.assert_array_equal(late[0], late[2])
