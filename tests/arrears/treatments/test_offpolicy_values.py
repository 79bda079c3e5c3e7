"""IPS, SNIPS, DR and SWITCH against the closed form of small problems, each other, and repeated experiments."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.offpolicy import Log, Values, doubly_robust_terms, evaluate_policy, mean_valued

# Two kinds of borrowers, three actions: odds of the kinds, of the logging policy, of the target; chance to pay.
KINDS = np.array([0.3, 0.7])
LOGGED = np.array([[0.6, 0.3, 0.1], [0.2, 0.2, 0.6]])
TARGET = np.array([[0.0, 0.5, 0.5], [0.9, 0.1, 0.0]])
PAYS = np.array([[0.1, 0.4, 0.9], [0.5, 0.2, 0.7]])
TRUTH = float(KINDS @ (TARGET * PAYS).sum(axis=1))
MODEL = np.array([[0.3, 0.3, 0.6], [0.2, 0.4, 0.1]])  # wrong, as models are


def single(kind: int, action: int, paid: float, model: np.ndarray = MODEL) -> tuple[Log, np.ndarray, np.ndarray]:
    log = Log(np.array([action]), LOGGED[kind, [action]], np.array([paid]), 3)
    return log, TARGET[[kind]], model[[kind]]


def drawn(rows: int, seed: int) -> tuple[Log, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    kind = rng.choice(2, rows, p=KINDS)
    action = (np.cumsum(LOGGED[kind], axis=1) <= rng.random(rows)[:, None]).sum(axis=1)
    paid = (rng.random(rows) < PAYS[kind, action]).astype(float)
    return Log(action, LOGGED[kind, action], paid, 3), TARGET[kind], MODEL[kind]


def test_ips_and_dr_are_unbiased_exactly_whatever_the_model_says() -> None:
    expected = {"ips": 0.0, "dr": 0.0}
    for kind, action, paid in product(range(2), range(3), (0.0, 1.0)):
        odds = KINDS[kind] * LOGGED[kind, action] * (PAYS[kind, action] if paid else 1 - PAYS[kind, action])
        log, target, model = single(kind, action, paid)
        expected["ips"] += odds * float(log.weights(target)[0] * paid)
        expected["dr"] += odds * float(doubly_robust_terms(log, target, model)[0])
    assert expected == pytest.approx({"ips": TRUTH, "dr": TRUTH})


def test_dr_with_the_true_model_has_the_truth_even_where_odds_are_wrong() -> None:
    rng = np.random.default_rng(1)
    log, target, _ = drawn(4000, 2)
    wrong = Log(log.action, np.clip(log.propensity * rng.uniform(0.3, 3, 4000), 0.05, 1), log.outcome, 3)
    kind = (target[:, 0] > 0).astype(int)
    values = evaluate_policy(wrong, target, PAYS[kind])
    assert values.dr.low < TRUTH < values.dr.high
    assert not values.ips.low < TRUTH < values.ips.high


def test_the_four_are_their_formulas() -> None:
    log, target, model = drawn(60, 4)
    w = np.array([target[i, a] / p for i, (a, p) in enumerate(zip(log.action, log.propensity, strict=True))])
    values = evaluate_policy(log, target, model)
    terms = [
        sum(target[i, a] * model[i, a] for a in range(3)) + w[i] * (log.outcome[i] - model[i, log.action[i]])
        for i in range(60)
    ]
    assert values.ips.value == pytest.approx(sum(w * log.outcome) / 60)
    assert values.snips.value == pytest.approx(sum(w * log.outcome) / sum(w))
    assert values.dr.value == pytest.approx(np.mean(terms))
    assert values.dr.standard_error == pytest.approx(np.std(terms, ddof=1) / np.sqrt(60))
    left = np.where(w <= values.switch_above, w, 0)
    switched = [sum(target[i] * model[i]) + left[i] * (log.outcome[i] - model[i, log.action[i]]) for i in range(60)]
    assert values.switch.value == pytest.approx(np.mean(switched))


@settings(max_examples=30)
@given(st.floats(-50, 50), st.floats(0.1, 20), st.integers(0, 99))
def test_snips_and_dr_move_with_the_outcome_as_values_do(shift: float, scale: float, seed: int) -> None:
    log, target, model = drawn(50, seed)
    before = evaluate_policy(log, target, model)
    after = evaluate_policy(log.with_outcome(shift + scale * log.outcome), target, shift + scale * model)
    for name in ("snips", "dr"):
        one, two = getattr(before, name), getattr(after, name)
        assert two.value == pytest.approx(shift + scale * one.value, abs=1e-6)
        assert two.standard_error == pytest.approx(scale * one.standard_error, abs=1e-6)


def test_the_logging_policy_itself_is_worth_the_mean_outcome() -> None:
    log, _, model = drawn(80, 6)
    same = Log(log.action, np.full(80, 1 / 3), log.outcome, 3)
    values = evaluate_policy(same, np.full((80, 3), 1 / 3), model)
    assert values.ips.value == values.snips.value == pytest.approx(log.outcome.mean())


def test_cut_weights_are_stated_and_none_is_cut_unasked() -> None:
    log, target, model = drawn(500, 7)
    weight = log.weights(target)
    plain, cut = evaluate_policy(log, target, model), evaluate_policy(log, target, model, most_weight=2.0)
    assert (plain.cut_rows, plain.cut_weight) == (0.0, 0.0)
    assert cut.cut_rows == pytest.approx((weight > 2).sum() / (weight > 0).sum())
    assert cut.cut_weight == pytest.approx((weight - np.minimum(weight, 2)).sum() / weight.sum())
    assert cut.ips.value == pytest.approx(np.mean(np.minimum(weight, 2) * log.outcome))


def test_rows_of_one_borrower_count_once() -> None:
    log, target, model = drawn(100, 8)
    five = np.repeat(np.arange(100), 5)
    copies = Log(log.action[five], log.propensity[five], log.outcome[five], 3, five)
    once, often = evaluate_policy(log, target, model), evaluate_policy(copies, target[five], model[five])
    for name in ("ips", "snips", "dr"):
        assert getattr(often, name).standard_error == pytest.approx(getattr(once, name).standard_error)
    assert np.isnan(mean_valued(np.ones(4), np.zeros(4, np.int64)).standard_error)


def test_switch_errs_less_than_dr_where_some_odds_are_tiny_and_the_model_is_fair() -> None:
    off: dict[str, list[float]] = {"dr": [], "switch": []}
    for seed in range(300):
        rng = np.random.default_rng(seed)
        odds = np.where(rng.random(200) < 0.02, 0.01, 0.8)
        action = (rng.random(200) < odds).astype(int)
        outcome = (rng.random(200) < 0.5).astype(float)
        log = Log(action, np.where(action == 1, odds, 1 - odds), outcome, 2)
        values = evaluate_policy(log, np.tile([0.0, 1.0], (200, 1)), np.full((200, 2), 0.5))
        for name, found in off.items():
            found.append((getattr(values, name).value - 0.5) ** 2)
    assert np.mean(off["switch"]) <= np.mean(off["dr"])


@pytest.mark.parametrize(
    ("part", "value"),
    [("action", [0, 3]), ("action", [-1, 0]), ("propensity", [0.0, 0.5]), ("propensity", [0.5, 1.5]),
     ("propensity", [np.nan, 0.5]), ("outcome", [np.nan, 1.0]), ("outcome", [1.0]), ("cluster", [1])],
)  # fmt: skip
def test_a_log_that_is_none_is_refused(part: str, value: list[float]) -> None:
    fine = {"action": [0, 1], "propensity": [0.5, 0.5], "outcome": [0.0, 1.0], "cluster": [0, 1]} | {part: value}
    with pytest.raises(InvalidInput):
        Log(np.array(fine["action"]), np.array(fine["propensity"]), np.array(fine["outcome"]), 3,
            np.array(fine["cluster"]))  # fmt: skip


def test_a_target_or_model_that_does_not_fit_is_refused() -> None:
    log, target, model = drawn(10, 1)
    for wrong in (target[:5], target * 2, np.tile([1.5, -0.5, 0.0], (10, 1))):
        with pytest.raises(InvalidInput):
            evaluate_policy(log, wrong, model)
    with pytest.raises(InvalidInput):
        evaluate_policy(log, target, np.full((10, 3), np.nan))


def covered(rows: int, turns: int) -> dict[str, float]:
    names = ("ips", "snips", "dr", "switch")
    found: list[Values] = [evaluate_policy(*drawn(rows, seed)) for seed in range(turns)]
    return {
        name: np.mean([getattr(one, name).low < TRUTH < getattr(one, name).high for one in found]) for name in names
    }


def test_intervals_cover_in_a_few_hundred_experiments() -> None:
    assert min(covered(300, 150).values()) > 0.89


@pytest.mark.prove
@pytest.mark.parametrize("rows", [100, 300, 2000])
def test_intervals_cover_what_they_say(rows: int) -> None:
    assert all(0.935 < share < 0.975 for share in covered(rows, 4000).values()), covered(rows, 4000)
