"""What a policy of treatments would bring, judged on a log of what was done: recovery and harm, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.arrears.treatments.effects import Learned, Report, learn_effects, learned_odds, moved
from evenkeel.arrears.treatments.logged import TreatmentLog
from evenkeel.arrears.treatments.policy import LearntPolicy, best, one_hot
from evenkeel.kernel.errors import InvalidUsage
from evenkeel.measures.offpolicy import (
    Log,
    NoSupport,
    Support,
    Valued,
    Values,
    check_support,
    doubly_robust_terms,
    evaluate_policy,
    mean_valued,
)
from evenkeel.measures.uplift import Uplift, judge_uplift
from evenkeel.policy.register import draw_ppm
from evenkeel.scoring.frame import is_text, numbers

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_Z = 1.959963984540054  # the normal quantile of a 95 % interval
_MOST_LEVELS = 12  # of a text, each of which is looked at for support by itself


@dataclass(frozen=True, slots=True)
class Question:
    """holdout: share of borrowers on whom a learnt policy is judged and from whom it learns nothing; 0: it is judged
    out of fold on all. costs, burdens: of actions, in units of the value.
    most_weight: to which importance weights are cut.
    keep_features: features that differ between actions, though known to, stay: whoever named them answers for it.
    experiment: the same odds for everybody, so that no action was closed to any part of the rows."""

    seed: int = 0
    holdout: float = 0.5
    costs: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    burdens: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    most_weight: float | None = None
    keep_features: bool = False
    experiment: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """Why nothing can be said. feature, value: in which part of the rows, where it is a part of them."""

    reason: str
    action: str
    feature: str
    value: str
    wanted: float
    seen: float
    logged: int


@dataclass(frozen=True, slots=True)
class Harm:
    """One harm: share of decisions by action as logged, and per decision under the policy, doing nothing, and the log
    (the first two as SNIPS). unknown: rows where it is not known, left out."""

    by_action: Mapping[str, tuple[int, Valued]]
    policy: Valued
    nothing: Valued | None
    logged: Valued
    unknown: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """rows: judged. shares: of the policy's decisions by action. expected: the value that the learning rows promised
    before the holdout was looked at. single: value of one action for everybody (None where that has no support).
    over_nothing, over_log: differences by the doubly robust terms. uplift: of each action's ranking and, under "",
    that of the best action. cost, burden: of the policy, a decision."""

    policy: LearntPolicy | None
    chosen: IntArray
    rows: int
    learned_rows: int
    shares: Mapping[str, float]
    support: Support
    values: Values
    expected: Valued | None
    logged: Valued
    single: Mapping[str, Valued | None]
    over_nothing: Valued | None
    over_log: Valued
    cost: float
    burden: float
    effects: Mapping[str, tuple[int, Valued]]
    uplift: Mapping[str, Uplift]
    harms: Mapping[str, Harm]
    moved: tuple[str, ...]

    @property
    def expected_inside(self) -> bool | None:
        """Whether the value that was expected lies in the interval of those whose own draw agreed (SNIPS)."""
        if self.expected is None:
            return None
        return self.values.snips.low <= self.expected.value <= self.values.snips.high

    @property
    def expected_gap(self) -> Valued | None:
        """What was expected - what the holdout says (SNIPS), other people: their errors add up."""
        if self.expected is None:
            return None
        value, error = (
            self.expected.value - self.values.snips.value,
            float(np.hypot(self.expected.standard_error, self.values.snips.standard_error)),
        )
        return Valued(value, value - _Z * error, value + _Z * error, error)


@dataclass(frozen=True, slots=True)
class _Judged:
    """The rows that a policy is judged on, what it does there, and models of them that did not see them.

    aside: features that were left out because they differ between actions.
    """

    log: TreatmentLog
    ope: Log
    target: FloatArray
    model: FloatArray
    effect: FloatArray | None
    aside: pa.Table


def evaluate(log: TreatmentLog, question: Question, report: Report = lambda what, share: None
             ) -> Evaluation | Refused:  # fmt: skip
    """Learn a policy and judge it, or judge the one in `log.policy`; a refusal where the log cannot answer.

    Raises InvalidUsage on a cost of an unknown action, InvalidInput where too few rows did nothing.
    """
    cost, burden = _prices(log, question.costs), _prices(log, question.burdens)
    left_out = moved(log)
    aside = log.features.select(list(left_out))
    if left_out and not question.keep_features:
        log = replace(log, features=log.features.drop_columns(list(left_out)))
    if log.policy is not None:
        forbidden = ~log.allowed[np.arange(len(log.policy)), log.policy]
        if forbidden.any():
            name = log.actions[int(log.policy[forbidden][0])]
            return Refused("unlawful", name, "", "", float(forbidden.sum()), 0.0, 0)
        if not np.isnan(log.propensity).any():  # nothing need be learned to refuse
            ope = Log(log.action, log.propensity, log.outcome, len(log.actions), log.cluster)
            early = _support(log, ope, one_hot(log.policy, len(log.actions)), aside, question)
            if isinstance(early, Refused):
                return early
        learned = learn_effects(log, question.seed, report)
        judged = _judged(log, learned.propensity, log.policy, learned.outcome, None, aside)
        return _judge(judged, None, None, learned, (cost, burden), question, left_out, log)
    mask = _held(log, question)
    train = log.take(~mask)
    learned = learn_effects(train, question.seed, report)
    policy = LearntPolicy(learned.effects, cost, burden)
    own = _own(train, learned, policy, aside.filter(pa.array(~mask)))
    if not mask.any():
        return _judge(own, policy, None, learned, (cost, burden), question, left_out, log)
    held = log.take(mask)
    effect, error = learned.effects.of(held.features)
    chosen = best(policy.values_of(effect, error, held.balance), held.allowed)
    odds = held.propensity if not np.isnan(held.propensity).any() else learned_odds(held, question.seed)
    expected = learned.effects.outcomes(held.features)
    judged = _judged(held, odds, chosen, expected, effect, aside.filter(pa.array(mask)))
    promised = mean_valued(doubly_robust_terms(own.ope, own.target, own.model), own.ope.cluster)
    return _judge(judged, policy, promised, learned, (cost, burden), question, left_out, log)


def _own(train: TreatmentLog, learned: Learned, policy: LearntPolicy, aside: pa.Table) -> _Judged:
    """The policy on the rows it is learned from, each row decided and answered for by models that did not see it."""
    chosen = best(policy.values_of(learned.effect, learned.error, train.balance), train.allowed)
    return _judged(train, learned.propensity, chosen, learned.outcome, learned.effect, aside)


def _judged(
    log: TreatmentLog, propensity: FloatArray, chosen: IntArray, outcome: FloatArray, effect: FloatArray | None,
    aside: pa.Table,
) -> _Judged:  # fmt: skip
    """Outcomes and models of them times balances are values."""
    ope = Log(log.action, propensity, log.outcome * log.balance, len(log.actions), log.cluster)
    return _Judged(log, ope, one_hot(chosen, len(log.actions)), outcome * log.balance[:, None], effect, aside)


def _prices(log: TreatmentLog, given: Mapping[str, float]) -> tuple[float, ...]:
    unknown = sorted(set(given) - set(log.actions))
    if unknown:
        raise InvalidUsage(f"there is no action {unknown[0]!r} in the log.", f"Actions: {', '.join(log.actions)}.")
    if given.get(log.actions[0]):
        raise InvalidUsage("doing nothing costs nothing.", "Give costs and burdens beyond those of doing nothing.")
    return tuple(float(given.get(name, 0.0)) for name in log.actions)


def _held(log: TreatmentLog, question: Question) -> BoolArray:
    """Who is held out, (n,): whole borrowers by a hash of seed and borrower, else rows drawn."""
    n = len(log.action)
    if not 0 <= question.holdout < 1:
        raise InvalidUsage(f"a holdout of {question.holdout} is outside [0, 1).", "0.5 is usual.")
    held = np.zeros(n, np.bool_)
    if question.holdout == 0:
        return held
    if log.borrower is None:
        held[np.random.default_rng([question.seed, 1]).permutation(n)[: round(n * question.holdout)]] = True
    else:
        who, place = np.unique(log.borrower, return_inverse=True)
        ppm = round(question.holdout * 1_000_000)
        held = np.array([draw_ppm(f"holdout-{question.seed}", str(one)) < ppm for one in who.tolist()])[place]
    if held.all() or not held.any():
        raise InvalidUsage("the holdout leaves nobody on one side.", "Give a log of more borrowers, or --holdout 0.")
    return held


def _judge(
    judged: _Judged, policy: LearntPolicy | None, promised: Valued | None, learned: Learned,
    prices: tuple[tuple[float, ...], tuple[float, ...]], question: Question, left_out: tuple[str, ...],
    log: TreatmentLog,
) -> Evaluation | Refused:  # fmt: skip
    names, ope, target = log.actions, judged.ope, judged.target
    cost, burden = (float(target.mean(axis=0) @ np.array(price)) for price in prices)
    support = _support(judged.log, ope, target, judged.aside, question)
    if isinstance(support, Refused):
        return support
    cells, _ = _cells(judged.log.features)
    nothing = one_hot(np.zeros(len(target), np.int64), len(names))
    terms = doubly_robust_terms(ope, target, judged.model)
    bare = isinstance(check_support(ope, nothing, cells), NoSupport)
    without = None if bare else doubly_robust_terms(ope, nothing, judged.model)
    single: dict[str, Valued | None] = {}
    for place, name in enumerate(names):
        always = one_hot(np.full(len(target), place), len(names))
        lacks = isinstance(check_support(ope, always, cells), NoSupport) or not judged.log.allowed[:, place].all()
        single[name] = None if lacks else evaluate_policy(ope, always, judged.model).dr
    effects = {
        name: (one.rows, Valued(one.average, one.average - _Z * one.average_error,
                                one.average + _Z * one.average_error, one.average_error))
        for name, one in zip(names, learned.effects.each, strict=True) if one is not None
    }  # fmt: skip
    return Evaluation(
        policy, np.argmax(target, axis=1), len(target), len(learned.fold) if policy is not None else 0,
        {name: float(share) for name, share in zip(names, support.share, strict=True)}, support,
        evaluate_policy(ope, target, judged.model, question.most_weight), promised,
        mean_valued(ope.outcome, ope.cluster), single,
        None if without is None else mean_valued(terms - without, ope.cluster),
        mean_valued(terms - ope.outcome, ope.cluster), cost, burden, effects,
        _uplifts(judged, question.seed),
        {name: _harm(judged, values, log, whole) for name, values, whole in _harms(judged, log)}, left_out,
    )  # fmt: skip


def _support(log: TreatmentLog, ope: Log, target: FloatArray, aside: pa.Table, question: Question) -> Support | Refused:
    """Whether the log can answer for a policy, everywhere and in every part."""
    names = log.actions
    # A feature that differs between actions is known only afterwards, or marks where an action was never done: the
    # second shows in a part without any.
    apart, names_apart = _cells(aside, 12)
    never = check_support(ope, target, apart)
    shut = isinstance(never, NoSupport) and never.cell is not None and never.logged == 0
    if isinstance(never, NoSupport) and shut and not question.experiment:
        return _refused(never, names, names_apart)
    cells, labels = _cells(log.features)
    support = check_support(ope, target, cells)
    if isinstance(support, NoSupport):
        return _refused(support, names, labels)
    return support


def _refused(found: NoSupport, names: tuple[str, ...], labels: list[tuple[str, list[str]]]) -> Refused:
    feature, value = "", ""
    if found.cell is not None:
        feature, levels = labels[found.cell[0]]
        value = levels[found.cell[1]]
    action = "" if found.action < 0 else names[found.action]
    return Refused(found.reason, action, feature, value, found.wanted, found.seen, found.logged)


def _cells(features: pa.Table, parts: int = 4) -> tuple[IntArray, list[tuple[str, list[str]]]]:
    """Parts of the rows in which support is looked at: levels of texts, parts of numbers, and "not known"."""
    codes, labels = [], []
    for name in features.column_names:
        column = features[name].combine_chunks()
        if is_text(column):
            encoded = column.dictionary_encode()
            place = np.asarray(encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False), np.int64)
            levels = [str(one) for one in encoded.dictionary.to_pylist()]
            if len(levels) > _MOST_LEVELS:
                continue
            codes.append(np.where(place < 0, len(levels), place))
            labels.append((name, [*levels, "?"]))
            continue
        values = numbers(column)
        known = values[np.isfinite(values)]
        if len(known) == 0:
            continue
        edges = np.unique(np.quantile(known, np.arange(1, parts) / parts, method="lower"))
        place = np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="left"))
        ends = [f"{edge:.6g}" for edge in edges]
        spans = [f"<= {ends[0]}", *(f"{low} – {high}" for low, high in pairwise(ends))]
        codes.append(place.astype(np.int64))
        labels.append((name, [*spans, f"> {ends[-1]}", "?"]))
    return np.column_stack(codes) if codes else np.zeros((features.num_rows, 0), np.int64), labels


def _uplifts(judged: _Judged, seed: int) -> dict[str, Uplift]:
    """How well the rows are ranked for each action, and ("") for the best action of each, against doing nothing."""
    log, effect, found = judged.log, judged.effect, {}
    if effect is None:
        return {}
    top = 1 + np.argmax(effect[:, 1:], axis=1)
    wanted = {name: np.full(len(top), place) for place, name in enumerate(log.actions) if place} | {"": top}
    for name, action in wanted.items():
        rows = (log.action == action) | (log.action == 0)
        treated = log.action[rows] != 0
        if 2 <= treated.sum() < len(treated) - 1:
            score = effect[np.arange(len(top)), action][rows]
            found[name] = judge_uplift(score, treated, log.outcome[rows], 1 / judged.ope.propensity[rows], seed=seed)
    return found


def _harms(judged: _Judged, log: TreatmentLog) -> list[tuple[str, FloatArray, FloatArray]]:
    return [(name, judged.log.harms[name], log.harms[name]) for name in log.harms]


def _harm(judged: _Judged, values: FloatArray, log: TreatmentLog, whole: FloatArray) -> Harm:
    """By action over the whole log; under policies on the rows judged."""
    cluster, by_action = log.cluster, {}
    for place, name in enumerate(log.actions):
        rows = (log.action == place) & np.isfinite(whole)
        if rows.any():
            some = None if cluster is None else cluster[rows]
            by_action[name] = (int(rows.sum()), mean_valued(whole[rows], some))
    known = np.isfinite(values)
    ope, target = judged.ope, judged.target[known]
    part = Log(ope.action[known], ope.propensity[known], values[known], ope.actions,
               None if ope.cluster is None else ope.cluster[known])  # fmt: skip
    nothing = one_hot(np.zeros(len(target), np.int64), ope.actions)
    zero = np.zeros(target.shape)
    return Harm(
        by_action, evaluate_policy(part, target, zero).snips,
        evaluate_policy(part, nothing, zero).snips if (part.action == 0).any() else None,
        mean_valued(part.outcome, part.cluster), int((~np.isfinite(whole)).sum()),
    )  # fmt: skip
