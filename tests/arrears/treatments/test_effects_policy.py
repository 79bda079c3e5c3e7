"""Logs, learned effects and policies: the law first, nothing learned from what is not lawful, known effects found."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.arrears.treatments.effects import learn_effects
from evenkeel.arrears.treatments.evaluation import Evaluation, Question, Refused, evaluate
from evenkeel.arrears.treatments.logged import LEARN, SHARES, Columns, read_log
from evenkeel.arrears.treatments.policy import LearntPolicy, action_values, best, fitted_values
from evenkeel.arrears.treatments.selfcure import fit_self_cure
from evenkeel.arrears.treatments.simulated import BURDEN_MINOR, COST_MINOR, simulate
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.scoring.frame import frame

COLUMNS = Columns("action", "paid", "propensity", harms=("complaint",), lawful="lawful", group="borrower_id")


def made(rows: int, seed: int) -> pa.Table:
    """An experiment: `call` adds 0.4 where x > 0 and nothing elsewhere, `letter` takes 0.1 from everybody."""
    rng = np.random.default_rng(seed)
    x, z = rng.uniform(-1, 1, rows), rng.choice(["a", "b"], rows)
    action = rng.choice(["call", "letter", "nothing"], rows, p=[0.4, 0.2, 0.4])
    odds = np.select([action == "letter"], [0.2], 0.4)
    chance = 0.3 + 0.4 * ((action == "call") & (x > 0)) - 0.1 * (action == "letter")
    return pa.table(
        {"borrower_id": [f"b{i}" for i in range(rows)], "action": action, "propensity": odds, "x": x, "z": z,
         "lawful": [True] * rows, "paid": (rng.random(rows) < chance).astype(float),
         "complaint": (rng.random(rows) < 0.02 + 0.1 * (action == "call")).astype(float)}
    )  # fmt: skip


@pytest.fixture(scope="module")
def log() -> pa.Table:
    return made(2400, 1)


def learned_policy(table: pa.Table, columns: Columns = COLUMNS) -> LearntPolicy:
    read = read_log(table, columns)
    zero = (0.0,) * len(read.actions)
    return LearntPolicy(learn_effects(read, 5).effects, zero, zero)


# --- the law ---------------------------------------------------------------------------------------------------------


wild = st.fixed_dictionaries(
    {
        "action": st.sampled_from(["tell_contacts", "call", "nothing", "Ω", "shame, in public"]),
        "paid": st.sampled_from(["1e300", "never", "-7", "", "NaN", "9999"]),
        "propensity": st.sampled_from(["0", "-1", "2", "", "certain"]),
        "x": st.sampled_from(["", "far", "1e308", "2020-01-01"]), "z": st.sampled_from(["a", "c", "17", ""]),
        "lawful": st.sampled_from(["false", "0", "", "perhaps", "no"]),
        "complaint": st.sampled_from(["many", "1", ""]), "borrower_id": st.sampled_from(["b1", "b7", "ghost", ""]),
    }
)  # fmt: skip


def as_texts(table: pa.Table) -> pa.Table:
    return pa.table({name: [str(value) for value in table[name].to_pylist()] for name in table.column_names})


@pytest.fixture(scope="module")
def small() -> tuple[pa.Table, LearntPolicy]:
    table = made(300, 3)
    return table, learned_policy(table)


@settings(max_examples=3, deadline=None)
@given(rows=st.lists(wild, min_size=1, max_size=40), place=st.integers(0, 300))
def test_unlawful_rows_change_no_byte_of_what_is_learned(
    small: tuple[pa.Table, LearntPolicy], rows: list[dict[str, str]], place: int
) -> None:
    table, clean = small
    texts = as_texts(table)
    columns = {name: [row[name] for row in rows] for name in texts.column_names}
    spoilt = pa.concat_tables([texts.slice(0, place), pa.table(columns, texts.schema), texts.slice(place)])
    dirty = learned_policy(spoilt)
    assert json.dumps(clean.document()) == json.dumps(dirty.document()) and clean.version == dirty.version
    assert read_log(spoilt, COLUMNS).unlawful == {
        name: count for name in sorted({row["action"] for row in rows})
        if (count := sum(row["action"] == name for row in rows))
    }  # fmt: skip


def test_an_action_named_illegal_is_taken_out_and_never_wanted(log: pa.Table) -> None:
    read = read_log(log, replace(COLUMNS, illegal=("letter",)))
    assert read.actions == ("nothing", "call") and set(read.unlawful) == {"letter"}
    wanted = log.append_column("plan", pa.array(["letter"] * len(log)))
    found = evaluate(read_log(wanted, replace(COLUMNS, illegal=("letter",), policy="plan")), Question())
    assert isinstance(found, Refused) and (found.reason, found.action) == ("unlawful", "letter")


def test_what_the_law_left_open_bounds_the_policy(log: pa.Table) -> None:
    open_call = pa.array([(None if i % 3 else True) if one == "call" else i % 2 == 0
                          for i, one in enumerate(log["action"].to_pylist())])  # fmt: skip
    read = read_log(log.append_column("lawful_call", open_call), COLUMNS)
    assert "call" in read.unlawful  # calls whose lawfulness is not known do not count as lawful
    policy = learned_policy(log.append_column("lawful_call", open_call))
    chosen = best(policy.values(read.features, read.balance), read.allowed)
    assert not (chosen == 1)[~read.allowed[:, 1]].any() and (chosen == 1).any()


def test_using_a_right_changes_no_treatment(small: tuple[pa.Table, LearntPolicy]) -> None:
    log, policy = small
    told = ["complaint_count", "has_lawyer", "quoted_law", "disputes", "投诉次数"]
    more = log
    for name in told:
        more = more.append_column(name, pa.array(np.arange(len(log)) % 2))
    assert read_log(more, COLUMNS).features.column_names == ["x", "z"]
    assert learned_policy(more).version == policy.version
    with pytest.raises(InvalidInput, match="right"):
        read_log(more, replace(COLUMNS, features=("x", "has_lawyer")))
    with pytest.raises(InvalidInput, match="protected"):
        read_log(log.append_column("gender", log["z"]), replace(COLUMNS, features=("gender",)))


# --- reading ---------------------------------------------------------------------------------------------------------


def test_rows_that_are_not_known_are_left_out_and_counted(log: pa.Table) -> None:
    some = log.slice(0, 200)
    for name, places in (("paid", [0, 1]), ("propensity", [2]), ("action", [3])):
        values = some[name].to_pylist()
        values = [None if place in places else value for place, value in enumerate(values)]
        some = some.set_column(some.column_names.index(name), name, pa.array(values))
    read = read_log(some, COLUMNS)
    assert len(read.action) == 196 and read.unknown == {"paid": 2, "propensity": 1, "action": 1}


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"action": "deed"}, InvalidUsage), ({"propensity": 1.5}, InvalidUsage), ({"baseline": "sleep"}, InvalidUsage),
        ({"outcome": "z"}, InvalidInput), ({"propensity": "x"}, InvalidInput), ({"lawful": "z"}, InvalidInput),
    ],
)  # fmt: skip
def test_a_column_that_cannot_be_is_said(log: pa.Table, changed: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        read_log(log, replace(COLUMNS, **changed))  # type: ignore[arg-type]


def test_shares_are_odds_of_an_experiment_and_features_that_the_action_moves_are_left_out(log: pa.Table) -> None:
    after = np.where(np.array(log["action"].to_pylist()) == "call", 1.0, 0.0) + np.arange(len(log)) % 3
    read = read_log(log.append_column("minutes", pa.array(after)), replace(COLUMNS, propensity=SHARES))
    assert read.propensity[read.action == 2] == pytest.approx((read.action == 2).mean())
    found = evaluate(read, Question(seed=1, experiment=True))
    assert isinstance(found, Evaluation) and found.moved == ("minutes",)


# --- what is learned -------------------------------------------------------------------------------------------------


def test_known_effects_are_found_and_their_intervals_hold_them(log: pa.Table) -> None:
    learned = learn_effects(read_log(log, COLUMNS), 1)
    fresh = read_log(made(2000, 2), COLUMNS)
    effect, error = learned.effects.of(fresh.features)
    x = np.array(fresh.features["x"])
    assert effect[x > 0.1, 1].mean() == pytest.approx(0.4, abs=0.08)
    assert effect[x < -0.1, 1].mean() == pytest.approx(0.0, abs=0.08)
    assert effect[:, 2].mean() == pytest.approx(-0.1, abs=0.08)
    for place, truth in ((1, 0.2), (2, -0.1)):
        one = learned.effects.each[place]
        assert one is not None and abs(one.average - truth) < 3 * one.average_error < 0.15
    assert (error[:, 0] == 0).all() and (error[:, 1:] > 0).all()


def test_few_rows_are_shrunk_and_an_action_too_rare_is_never_chosen() -> None:
    empty = made(200, 4)
    shuffled = empty.set_column(6, "paid", pa.array(np.arange(200.0) % 2))
    effect, _ = learn_effects(read_log(shuffled, COLUMNS), 1).effects.of(frame(shuffled.select(["x", "z"])))
    assert np.abs(effect).max() < 0.15
    rare = pa.concat_tables([made(300, 5), made(200, 6).filter(pa.array(np.arange(200) < 5)).set_column(
        1, "action", pa.array(["visit"] * 5)).set_column(6, "paid", pa.array([1.0] * 5))])  # fmt: skip
    policy = learned_policy(rare)
    values = policy.values(frame(rare.select(["x", "z"])), np.ones(rare.num_rows))
    assert np.isneginf(values[:, policy.effects.actions.index("visit")]).all()


def test_doing_nothing_too_rarely_teaches_nothing(log: pa.Table) -> None:
    acted = log.filter(pa.array((np.arange(2400) < 60) | (np.array(log["action"].to_pylist()) != "nothing")))
    with pytest.raises(InvalidInput, match="did nothing"):
        learn_effects(read_log(acted, COLUMNS), 1)


def test_learned_odds_undo_a_choice_that_features_explain() -> None:
    rng = np.random.default_rng(8)
    x = rng.uniform(-1, 1, 4000)
    called = rng.random(4000) < np.where(x > 0, 0.8, 0.2)
    paid = (rng.random(4000) < 0.3 + 0.3 * (x > 0) + 0.1 * called).astype(float)
    table = pa.table({"action": np.where(called, "call", "nothing"), "x": x, "paid": paid})
    learned = learn_effects(read_log(table, Columns("action", "paid", LEARN)), 1)
    one = learned.effects.each[1]
    naive = paid[called].mean() - paid[~called].mean()
    assert one is not None and naive > 0.2 and one.average == pytest.approx(0.1, abs=0.045)


# --- policies --------------------------------------------------------------------------------------------------------


def test_values_are_effect_times_balance_less_cost_and_burden_and_nothing_is_known_of_the_unknown() -> None:
    effect = np.array([[0.0, 0.1, -0.2], [0.0, np.nan, 0.5], [0.0, 0.1, 0.1]])
    values = action_values(effect, np.array([1000.0, 200.0, np.nan]), np.array([0, 10, 5.0]), np.array([0, 20, 0.0]))
    assert values.tolist() == [[0, 70, -205], [0, -np.inf, 95], [0, -np.inf, -np.inf]]
    assert best(values, np.ones((3, 3), bool)).tolist() == [1, 2, 0]
    assert best(values, np.array([[False] * 3] * 3)).tolist() == [0, 0, 0]
    table = fitted_values(pa.chunked_array([["a", "b", "c"]]), ("nothing", "call", "visit"), values)
    assert table.to_pylist()[1] == {"account_id": "b", "call": None, "visit": 95.0}
    for cost in ([1, 0, 0.0], [0, -1, 0.0], [0, np.nan, 0.0], [0, 0.0]):
        with pytest.raises(InvalidInput):
            action_values(effect, np.ones(3), np.array(cost), np.zeros(3))


def test_a_learnt_policy_is_worth_what_the_experiment_says_and_harm_stands_beside_it(log: pa.Table) -> None:
    found = evaluate(read_log(log, COLUMNS), Question(seed=2, costs={"call": 0.2}))
    assert isinstance(found, Evaluation) and found.expected is not None
    assert abs(found.values.dr.value - 0.5) < 3 * found.values.dr.standard_error  # call half of them
    assert found.shares["call"] == pytest.approx(0.5, abs=0.12)
    assert found.cost == pytest.approx(0.2 * found.shares["call"])
    assert found.over_nothing is not None and found.over_nothing.low > 0.1
    harm = found.harms["complaint"]
    assert harm.by_action["call"][1].value > 0.08 > harm.by_action["nothing"][1].value
    assert harm.nothing is not None and harm.policy.value > harm.nothing.value
    assert found.uplift["call"].qini.value > 3 * found.uplift["call"].qini.standard_error


def test_a_policy_in_a_column_is_judged_and_refused_where_it_was_never_tried(log: pa.Table) -> None:
    x = np.array(log["x"])
    plan = log.append_column("plan", pa.array(np.where(x > 0, "call", "nothing")))
    found = evaluate(read_log(plan, replace(COLUMNS, policy="plan")), Question())
    assert isinstance(found, Evaluation) and abs(found.values.snips.value - 0.5) < 0.05
    never = plan.filter(pa.array(~((x > 0.5) & (np.array(log["action"].to_pylist()) == "call"))))
    refused = evaluate(read_log(never, replace(COLUMNS, policy="plan")), Question())
    assert isinstance(refused, Refused) and (refused.reason, refused.action) == ("not_done_there", "call")
    assert refused.feature == "x" and refused.seen == 0


def test_simulated_truth_is_what_the_simulated_log_shows() -> None:
    book = simulate(20_000, 3, slice_share=1.0, unlawful=50)
    read = read_log(book.log, Columns("action", "paid", "propensity", lawful="lawful", balance="balance_minor"))
    assert len(read.action) == 20_000 and read.unlawful == {"tell_contacts": 50}
    done, nothing, y, p = read.action == 1, read.action == 0, read.outcome, read.propensity
    seen = (y * done / p).mean() - (y * nothing / p).mean()
    assert seen == pytest.approx(book.effect[:, 1].mean(), abs=0.05)
    assert book.seen.mean(axis=0) == pytest.approx(book.effect.mean(axis=0), abs=0.005)
    assert len(COST_MINOR) == len(BURDEN_MINOR) == len(read.actions)


# --- self-cure -------------------------------------------------------------------------------------------------------


def test_the_hazard_of_self_cure_is_that_of_the_untreated_days() -> None:
    rng = np.random.default_rng(1)
    n, good = 4000, np.arange(4000) % 2 == 0
    until = np.ceil(np.log(rng.random(n)) / np.log(1 - np.where(good, 0.15, 0.03)))  # geometric days to cure
    treated = np.where(rng.random(n) < 0.3, rng.integers(1, 20, n), np.nan)
    seen = np.minimum(until, 30).astype(np.int64)
    model = fit_self_cure(frame({"good": good.astype(float)}), np.zeros(n, np.int64), seen, until <= 30, treated)
    asked = frame({"good": [1.0, 0.0]})
    hazards = model.hazards(asked, np.zeros(2, np.int64), 20)
    assert hazards[0].mean() == pytest.approx(0.15, abs=0.015) and hazards[1].mean() == pytest.approx(0.03, abs=0.008)
    chance = model.chance(asked, np.array([5, 5]), 10)
    assert chance == pytest.approx([1 - 0.85**10, 1 - 0.97**10], abs=0.05)
    with pytest.raises(InvalidInput):
        fit_self_cure(frame({"good": [1.0]}), np.array([5]), np.array([3]), np.array([True]), np.array([np.nan]))
