"""What each action does beyond doing nothing, for whom: doubly robust, cross-fitted, shrunk where data are few.

For each action a the doubly robust pseudo-outcome of row i (Kennedy 2023)

    psi_i = q_a(x) - q_0(x) + [A = a] (y - q_a(x)) / odds_a - [A = 0] (y - q_0(x)) / odds_0

has the action's effect as its mean at x if either the odds or the outcome models q are right. Three learners answer for
each row without having seen it: a ridge regression of psi, trees boosted on what that leaves, and q_a - q_0 (the
T-learner). They are joined by the non-negative weights with which they explain psi out of fold, held by a prior, then
pulled towards the mean effect, and this towards none, as far as their own errors ask for. Nothing is tuned on rows that
a figure is of.
(An X-learner as a fourth takes weight that it does not earn: its targets lean on the rows that it is judged by.)
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.optimize import nnls
from threadpoolctl import threadpool_limits

from evenkeel.arrears.treatments.logged import TreatmentLog
from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.boosted import Boosted, CodeArray, Growth, Rows, cross_boosted, fit_boosted
from evenkeel.measures.linear import Linear, fit_ridge
from evenkeel.policy.register import draw_ppm
from evenkeel.scoring.frame import is_text, numbers
from evenkeel.scoring.regressors import Column, columns_document, learn_column, regressors

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

FOLDS = 5
_BINS = 24  # of a number, by its quantiles, beside "not known"
_FEWEST = 40  # rows of an action, and of doing nothing, below which its effect is not learned
_LEAST_ODDS = 0.01  # odds that were learned are held to it
_WEIGHT, _WEIGHT_SPREAD = 0.25, 0.25  # prior of a learner's weight
_SLOPE, _SLOPE_SPREAD, _LEAST_SLOPE = 0.5, 0.5, 0.02  # prior of the slope of effects on the joined score
_OF_ODDS = Growth(rounds=24, rate=0.3, patience=4)
_OF_OUTCOME = Growth(rounds=60, rate=0.1)
_OF_CHANGE = Growth(rounds=80, depth=2, rate=0.08, fewest=20, ridge=40.0)
_OF_EFFECT = Growth(rounds=80, depth=2, rate=0.05, fewest=50, ridge=200.0)

Report = Callable[[str, float], None]


# --- what is read ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reading:
    """How features are read: as regressors, and as small codes for trees. edges: of numbers; () for texts, whose levels
    become a code of two each."""

    columns: tuple[Column, ...]
    edges: tuple[tuple[float, ...], ...]

    def matrix(self, features: pa.Table) -> FloatArray:
        """Regressors, (n, p)."""
        return regressors(self.columns, features)

    def codes(self, features: pa.Table) -> CodeArray:
        """Codes, (columns and levels, n)."""
        rows: list[npt.NDArray[Any]] = []
        for column, edges in zip(self.columns, self.edges, strict=True):
            if column.levels is not None:
                rows += column.regressors(features[column.name])
                continue
            values = numbers(features[column.name].cast(pa.float64()))
            rows.append(np.where(np.isnan(values), 0, np.searchsorted(edges, values, side="left") + 1))
        return np.array(rows, np.uint8) if rows else np.zeros((1, features.num_rows), np.uint8)


def _learn_reading(features: pa.Table) -> Reading:
    """From the features alone; no outcome is looked at."""
    unit = np.ones(features.num_rows)
    columns = tuple(learn_column(name, features[name], unit) for name in features.column_names)
    edges: list[tuple[float, ...]] = []
    for column in columns:
        if column.levels is not None:
            edges.append(())
            continue
        values = numbers(features[column.name])
        known = values[np.isfinite(values)]
        if len(np.unique(known)) <= _BINS:
            cuts = np.unique(known)[:-1]
        else:
            cuts = np.unique(np.quantile(known, np.arange(1, _BINS) / _BINS, method="lower"))
        edges.append(tuple(cuts.tolist()))
    return Reading(columns, tuple(edges))


@dataclass(frozen=True, slots=True)
class Curved:
    """A ridge regression and the trees on what it leaves."""

    linear: Linear
    trees: Boosted

    def mean(self, x: FloatArray, codes: CodeArray) -> FloatArray:
        """(n,)."""
        return self.linear.mean(x) + self.trees.mean(codes)

    def document(self) -> dict[str, object]:
        """As plain data."""
        return {
            "intercept": self.linear.intercept, "coefficients": self.linear.coefficients.tolist(),
            "column": self.trees.column.tolist(), "cut": self.trees.cut.tolist(), "leaf": self.trees.leaf.tolist(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Crossed:
    """A curved model's answers to rows it had not seen, its linear part apart, and the model of all rows."""

    linear: FloatArray
    whole: FloatArray
    model: Curved


@dataclass(frozen=True, slots=True)
class _Seen:
    """The rows of a log as models read them."""

    x: FloatArray
    codes: CodeArray
    fold: IntArray

    def cross(
        self, y: FloatArray, growth: Growth, learn: BoolArray | None = None, weight: FloatArray | None = None
    ) -> Crossed:
        """Cross-fit a curved model of y on the rows of `learn`, answering for all."""
        some = np.ones(len(self.fold), np.bool_) if learn is None else learn
        unit = np.ones(len(self.fold)) if weight is None else weight / weight[some].mean()
        linear = np.zeros(len(self.fold))
        for out in range(FOLDS):
            inside = some & (self.fold != out)
            linear[self.fold == out] = fit_ridge(self.x[inside], y[inside], unit[inside]).mean(self.x[self.fold == out])
        bent, rounds = cross_boosted(Rows(self.codes, y - linear, unit), self.fold, growth, some)
        base = fit_ridge(self.x[some], y[some], unit[some])
        rest = Rows(self.codes[:, some], y[some] - base.mean(self.x[some]), unit[some])
        trees, _ = fit_boosted(rest, replace(growth, rounds=rounds))
        return Crossed(linear, linear + bent, Curved(base, trees))


# --- the effect of one action ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Effect:
    """How an action's effect on a row is put together.

        effect = mean + slope (score - centre),  score = weights @ (linear, curved, T-learner)

    variance of it: (1, score - centre) covariance (1, score - centre)'. average: the mean effect of all with its
    standard error, before it is shrunk. rows: how many got the action. Without enough of them everything is 0 and the
    variance infinite.
    """

    rows: int
    average: float
    average_error: float
    mean: float
    slope: float
    centre: float
    weights: tuple[float, float, float]
    covariance: tuple[tuple[float, float], tuple[float, float]]
    of_effect: Curved | None
    of_change: Curved | None

    def of(self, score: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(effect, standard error) of the mean effect among rows with such a score, each (n,)."""
        away = score - self.centre
        (one, both), (_, two) = self.covariance
        return self.mean + self.slope * away, np.sqrt(np.maximum(one + 2 * both * away + two * away**2, 0.0))


@dataclass(frozen=True, slots=True)
class Effects:
    """Effects of every action over doing nothing. actions: doing nothing first. usual: the outcome whatever is done.
    without: how that of doing nothing differs from it. each: one an action, the first None."""

    actions: tuple[str, ...]
    reading: Reading
    usual: Curved
    without: Curved
    each: tuple[Effect | None, ...]

    def of(self, features: pa.Table) -> tuple[FloatArray, FloatArray]:
        """(effects, their standard errors) of a frame's rows, each (n, K); the first column is 0."""
        with threadpool_limits(1):
            x, codes = self.reading.matrix(features), self.reading.codes(features)
            effect, error = (np.zeros((features.num_rows, len(self.actions))) for _ in range(2))
            without = self.without.mean(x, codes)
            for place, one in enumerate(self.each):
                if one is None:
                    continue
                score = np.full(len(effect), one.centre)
                if one.of_effect is not None and one.of_change is not None:
                    parts = (one.of_effect.linear.mean(x), one.of_effect.mean(x, codes),
                             one.of_change.mean(x, codes) - without)  # fmt: skip
                    score = _joined(one.weights, parts)
                effect[:, place], error[:, place] = one.of(score)
        return effect, error

    def outcomes(self, features: pa.Table) -> FloatArray:
        """The outcome expected of each action, (n, K): of doing nothing, plus the effect."""
        with threadpool_limits(1):
            x, codes = self.reading.matrix(features), self.reading.codes(features)
            without = self.usual.mean(x, codes) + self.without.mean(x, codes)
        result: FloatArray = without[:, None] + self.of(features)[0]
        return result

    def document(self) -> dict[str, object]:
        """The learned effects as plain data; the same log and seed give the same bytes."""

        def told(effect: Effect) -> dict[str, object]:
            models = {"of_effect": effect.of_effect, "of_change": effect.of_change}
            plain: dict[str, object] = {
                name: getattr(effect, name) for name in ("rows", "average", "average_error", "mean", "slope", "centre")
            }
            plain |= {"weights": list(effect.weights), "covariance": [list(row) for row in effect.covariance]}
            return plain | {name: model and model.document() for name, model in models.items()}

        return {
            "actions": list(self.actions), "columns": columns_document(self.reading.columns),
            "edges": [list(edges) for edges in self.reading.edges],
            "usual": self.usual.document(), "without": self.without.document(),
            "effects": [None if effect is None else told(effect) for effect in self.each],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Learned:
    """Effects, and what they said of each row of the log without having seen it.

    effect, error, outcome: (n, K). propensity: (n,), as logged or learned. fold: (n,).
    """

    effects: Effects
    effect: FloatArray
    error: FloatArray
    outcome: FloatArray
    propensity: FloatArray
    fold: IntArray


def learn_effects(log: TreatmentLog, seed: int, report: Report = lambda what, share: None) -> Learned:
    """Learn the effect of every action of a log.

    seed: of the folds; a borrower's rows share one. Raises InvalidInput where fewer than 40 rows did nothing.
    """
    counts = np.bincount(log.action, minlength=len(log.actions))
    if counts[0] < _FEWEST:
        raise InvalidInput(
            f"{counts[0]} rows of the log did nothing ({log.actions[0]!r}); effects over it cannot be learned.",
            f"At least {_FEWEST} are needed: keep a randomised slice on.",
        )
    with threadpool_limits(1):
        reading = _learn_reading(log.features)
        seen = _Seen(reading.matrix(log.features), reading.codes(log.features), _folds(log, seed))
        steps, n = len(log.actions), len(log.action)
        report(log.actions[0], 0.0)
        odds = _odds_of_all(seen, log)
        propensity = log.propensity
        if np.isnan(propensity).any():
            propensity = odds[np.arange(n), log.action]
        usual = seen.cross(log.outcome, _OF_OUTCOME)
        without = seen.cross(log.outcome - usual.whole, _OF_CHANGE, log.action == 0)
        task = _Task(log, seen, propensity, odds, usual, without)
        each: list[Effect | None] = [None]
        effect, error = np.zeros((n, steps)), np.zeros((n, steps))
        outcome = np.repeat((usual.whole + without.whole)[:, None], steps, axis=1)
        for place in range(1, steps):
            report(log.actions[place], place / steps)
            found, score, change = _learn_effect(task, place)
            each.append(found)
            effect[:, place], error[:, place] = found.of(score)
            outcome[:, place] = usual.whole + change
    effects = Effects(log.actions, reading, usual.model, without.model, tuple(each))
    return Learned(effects, effect, error, outcome, propensity, seen.fold)


@dataclass(frozen=True, slots=True)
class _Task:
    """What the effects of all actions are learned from. odds: (n, K) as learned. usual: the outcome whatever is done;
    without: how that of doing nothing differs from it."""

    log: TreatmentLog
    seen: _Seen
    propensity: FloatArray
    odds: FloatArray
    usual: Crossed
    without: Crossed


def _learn_effect(task: _Task, place: int) -> tuple[Effect, FloatArray, FloatArray]:
    """(an action's effect, scores of the rows out of fold, how its outcome differs from the usual one out of fold)."""
    log, fold = task.log, task.seen.fold
    done, nothing, inf = log.action == place, log.action == 0, float("inf")
    if done.sum() < _FEWEST or any((done & (fold != out)).sum() < _FEWEST / 2 for out in range(FOLDS)):
        unknown = Effect(
            int(done.sum()), 0.0, inf, 0.0, 0.0, 0.0, (0.0, 0.0, 0.0), ((inf, 0.0), (0.0, 0.0)), None, None
        )
        return unknown, np.zeros(len(fold)), task.without.whole
    within = task.seen.cross(log.outcome - task.usual.whole, _OF_CHANGE, done)
    rest = log.outcome - task.usual.whole
    psi = within.whole - task.without.whole
    psi = psi + np.where(done, (rest - within.whole) / task.propensity, 0.0)
    psi = psi - np.where(nothing, (rest - task.without.whole) / task.propensity, 0.0)
    some = log.allowed[:, place]
    weight = 1 / (1 / task.odds[:, 0] + 1 / np.maximum(task.odds[:, place], _LEAST_ODDS))
    direct = task.seen.cross(psi, _OF_EFFECT, some, weight)
    parts = (direct.linear, direct.whole, within.whole - task.without.whole)
    effect, score = _joined_effect(psi, parts, some, weight, log.cluster)
    whole = replace(effect, rows=int(done.sum()), of_effect=direct.model, of_change=within.model)
    return whole, score, within.whole


def _joined_effect(
    psi: FloatArray, parts: tuple[FloatArray, ...], some: BoolArray, weight: FloatArray, cluster: IntArray | None
) -> tuple[Effect, FloatArray]:
    """Weights of the learners by how they explain psi out of fold, then the shrunken line of psi on their score.

    weight: of rows, near the inverse of psi's variance: rows in which an action is rare say little of it.
    """
    y, w = psi[some], weight[some] / weight[some].mean()
    root = np.sqrt(w)
    away = np.column_stack([part[some] - w @ part[some] / len(w) for part in parts])
    rest = root * (y - w @ y / len(w))
    hold = np.sqrt(float(rest @ rest) / len(w)) / _WEIGHT_SPREAD  # what the prior weighs, in units of a row
    weights = nnls(
        np.concatenate((root[:, None] * away, hold * np.eye(len(parts)))),
        np.concatenate((rest, np.full(len(parts), hold * _WEIGHT))),
    )[0]
    score = _joined(tuple(weights), parts)
    centre = float(w @ score[some] / len(w))
    own = None if cluster is None else cluster[some]
    design = np.column_stack((np.ones(len(y)), score[some] - centre))
    used = 1 if not float(design[:, 1].std()) > 1e-12 else 2
    beta, covariance = _line(design[:, :used], y, w, own)
    (average,), spread = _line(design[:, :1], y, np.ones(len(y)), own)
    slope = float(beta[1]) if used == 2 else 0.0
    whole = np.zeros((2, 2))
    whole[:used, :used] = covariance
    # The mean by empirical Bayes with the one estimate at hand as the prior's variance: half of what is one standard
    # error large. The slope from its prior: never 0, so that a ranking stays one.
    mean = float(beta[0]) ** 3 / (float(beta[0]) ** 2 + whole[0, 0]) if beta[0] != 0 else 0.0
    trust = _SLOPE_SPREAD**2 / (_SLOPE_SPREAD**2 + whole[1, 1]) if used == 2 else 0.0
    slope = max(trust * slope + (1 - trust) * _SLOPE, _LEAST_SLOPE) if used == 2 else 0.0
    (a, b), (c, d) = whole.tolist()
    first, second, third = weights.tolist()
    return Effect(
        0, float(average), float(np.sqrt(spread[0, 0])), mean, slope, centre,
        (first, second, third), ((a, b), (c, d)), None, None,
    ), score  # fmt: skip


def _line(x: FloatArray, y: FloatArray, w: FloatArray, cluster: IntArray | None) -> tuple[FloatArray, FloatArray]:
    """Weighted least squares with its sandwich covariance, rows of one cluster added up."""
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    beta = bread @ (x.T @ (w * y))
    scores = x * (w * (y - x @ beta))[:, None]
    if cluster is not None:
        code = np.unique(cluster, return_inverse=True)[1]
        scores = np.column_stack([np.bincount(code, column) for column in scores.T])
    groups = len(scores)
    return beta, bread @ (scores.T @ scores) @ bread * (groups / max(groups - 1, 1))


def _joined(weights: tuple[float, ...], parts: tuple[FloatArray, ...]) -> FloatArray:
    total = np.zeros(len(parts[0]))
    for weight, part in zip(weights, parts, strict=True):
        total += weight * part
    return total


# --- folds and odds --------------------------------------------------------------------------------------------------


def _folds(log: TreatmentLog, seed: int) -> IntArray:
    """A fold for each row: by a hash of seed and borrower where one is named, else drawn."""
    n = len(log.action)
    if log.borrower is None:
        return np.random.default_rng(seed).permutation(n) % FOLDS
    who, place = np.unique(log.borrower, return_inverse=True)
    drawn = np.array([draw_ppm(f"folds-{seed}", str(one)) * FOLDS // 1_000_000 for one in who.tolist()])
    result: IntArray = drawn[place]
    return result


def _odds_of_all(seen: _Seen, log: TreatmentLog) -> FloatArray:
    """Odds of every action, learned from the features out of fold: (n, K); 0.01 at least where it was lawful."""
    raw = [seen.cross((log.action == place).astype(np.float64), _OF_ODDS).whole for place in range(len(log.actions))]
    odds = np.where(log.allowed, np.clip(np.column_stack(raw), _LEAST_ODDS, 1.0), 0.0)
    odds[np.arange(len(odds)), log.action] = np.maximum(odds[np.arange(len(odds)), log.action], _LEAST_ODDS)
    result: FloatArray = odds / odds.sum(axis=1, keepdims=True)
    return result


def learned_odds(log: TreatmentLog, seed: int) -> FloatArray:
    """Odds of what was done in a log, (n,), learned from its features out of fold: right if nothing else decided."""
    with threadpool_limits(1):
        reading = _learn_reading(log.features)
        seen = _Seen(reading.matrix(log.features), reading.codes(log.features), _folds(log, seed))
        odds = _odds_of_all(seen, log)
    result: FloatArray = odds[np.arange(len(odds)), log.action]
    return result


def moved(log: TreatmentLog) -> tuple[str, ...]:
    """Features that differ between actions by more than chance, once odds are allowed for: they are known only after
    the action, or the odds are wrong. 4.5 standard errors on a regressor, or on being above the median; nothing is
    said of learned odds."""
    if np.isnan(log.propensity).any():
        return ()
    found = []
    weight = 1 / log.propensity
    for name in log.features.column_names:
        x = regressors((learn_column(name, log.features[name], np.ones(len(weight)), bends=False),), log.features)
        if not is_text(log.features[name]):
            values = numbers(log.features[name])
            middle = np.nanmedian(values) if np.isfinite(values).any() else 0.0
            x = np.column_stack((x, values > middle))
        x = x[:, x.std(axis=0) > 0]
        x = (x - x.mean(axis=0)) / x.std(axis=0)
        for place in range(len(log.actions)):
            done = log.action == place
            if done.sum() >= _FEWEST and x.shape[1]:
                own = weight[done, None] * x[done]
                error = np.sqrt((own**2).sum(axis=0))
                if (np.abs(own.sum(axis=0)) > 4.5 * error).any():
                    found.append(name)
                    break
    return tuple(found)
