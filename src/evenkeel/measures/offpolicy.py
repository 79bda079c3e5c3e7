"""What another policy would have brought, from a log of what was done, with which odds, and what came of it.

Conventions: n decisions, K actions. action: (n,) int64, 0..K-1, what was done. propensity: (n,) in (0, 1], the odds
with which just that was done, given what was known. outcome: (n,), higher = better. target: (n, K), the odds of each
action under the policy that is judged; rows sum to 1. weight = target of what was done / propensity.
cluster: (n,) codes of decisions that belong together (one borrower's), whose errors are correlated.

Nothing can be said of what was never done: `check_support` comes first, and its answer is a refusal, not a number.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_SURE = 4.5  # standard errors at which a lack of support is certain; about 3 in a million by chance
FEWEST_MATCHED = 20.0  # effective decisions in agreement with the target, below which no interval can be trusted

Reason = Literal["never_done", "not_done_there", "odds_too_small", "too_few"]


@dataclass(frozen=True, slots=True)
class Log:
    """What was done. Checked when it is made; raises InvalidInput where shapes or ranges do not fit."""

    action: IntArray
    propensity: FloatArray
    outcome: FloatArray
    actions: int
    cluster: IntArray | None = None

    def __post_init__(self) -> None:
        shape = self.action.shape
        same = self.propensity.shape == shape and self.outcome.shape == shape
        if len(shape) != 1 or not same or (self.cluster is not None and self.cluster.shape != shape) or shape[0] == 0:
            raise InvalidInput("actions, propensities and outcomes have different lengths, or no row.")
        if ((self.action < 0) | (self.action >= self.actions)).any():
            raise InvalidInput("an action is outside 0..K-1.")
        if not ((self.propensity > 0) & (self.propensity <= 1)).all():
            raise InvalidInput("a propensity is outside (0, 1].", "What was done had a chance above 0.")
        if not np.isfinite(self.outcome).all():
            raise InvalidInput("an outcome is not known.", "Leave those rows out.")

    def weights(self, target: FloatArray) -> FloatArray:
        """Importance weights: odds of what was done under the target, over those under which it was done. (n,)."""
        if target.shape != (len(self.action), self.actions):
            raise InvalidInput("the target needs odds for each row and action.")
        if not ((target >= -1e-12).all() and np.allclose(target.sum(axis=1), 1.0, atol=1e-9)):
            raise InvalidInput("the target's odds are below 0 or do not add up to 1 in a row.")
        return target[np.arange(len(self.action)), self.action] / self.propensity

    def with_outcome(self, outcome: FloatArray) -> Log:
        """The same decisions, with something else that came of them."""
        return Log(self.action, self.propensity, outcome, self.actions, self.cluster)


# --- support ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Support:
    """The log can answer for the target. matched: decisions with weight; effective: as many equal ones would tell as
    much (Kish); largest_weight; mean_weight: near 1; share: of the target's odds on each action (K,)."""

    matched: int
    effective: float
    largest_weight: float
    mean_weight: float
    share: FloatArray


@dataclass(frozen=True, slots=True)
class NoSupport:
    """The refusal. reason: `never_done`: the target wants what the log never did; `not_done_there`: nor did it in one
    part of the rows; `odds_too_small`: it was done oftener than its propensities allow, so that they are wrong;
    `too_few`: too few decisions agree.

    action: which one, -1 for all. cell: (column, code) of the cells where, None for everywhere. wanted: rows' worth of
    target there. seen: rows' worth that the log stands for there. logged: rows with that action there.
    """

    reason: Reason
    action: int
    cell: tuple[int, int] | None
    wanted: float
    seen: float
    logged: int


def check_support(log: Log, target: FloatArray, cells: IntArray | None = None, *, known_odds: FloatArray | None = None
                  ) -> Support | NoSupport:  # fmt: skip
    """Whether the log did what the target wants, everywhere where it wants it.

    cells: (n, c) codes of parts of the rows (a level, a quarter of a feature), each looked at by itself.
    known_odds: (n, K) odds of every action, where they are on record: then wanting what had none is refused exactly.
    Without them: with support, the weighted rows with an action add up on average to the target's odds on it, in every
    part; a lack of 4.5 standard errors is none. A lack that is smaller than that is not seen: rows in which an action
    could not happen and that are too few for their absence to be noticed leave a bias of at most their share.
    """
    weight, n = log.weights(target), len(log.action)
    counts = np.bincount(log.action, minlength=log.actions)
    wanted = target.sum(axis=0)
    for action in np.flatnonzero((wanted > 0) & (counts == 0)).tolist():
        return NoSupport("never_done", action, None, float(wanted[action]), 0.0, 0)
    if known_odds is not None:
        if known_odds.shape != target.shape:
            raise InvalidInput("the known odds need one column an action.")
        lacking = ((target > 0) & ~(known_odds > 0)).sum(axis=0)
        for action in np.flatnonzero(lacking).tolist():
            return NoSupport("not_done_there", action, None, float(lacking[action]), 0.0, int(counts[action]))
    places = np.zeros((n, 1), np.int64) if cells is None else np.column_stack((np.zeros(n, np.int64), cells))
    lacks = [one for action in np.flatnonzero(counts).tolist() for one in _lacks(log, target, weight, places, action)]
    if lacks:  # of those that are certain, a lack before wrong odds, and the one that is furthest off
        return max(
            lacks,
            key=lambda one: (one.reason == "not_done_there", abs(one.seen - one.wanted) / max(one.seen, one.wanted)),
        )
    squares = float((weight**2).sum())
    effective = float(weight.sum()) ** 2 / squares if squares > 0 else 0.0
    matched = int((weight > 0).sum())
    if effective < FEWEST_MATCHED:
        return NoSupport("too_few", -1, None, float(n), effective, matched)
    return Support(matched, effective, float(weight.max()), float(weight.mean()), wanted / n)


def _lacks(log: Log, target: FloatArray, weight: FloatArray, places: IntArray, action: int) -> list[NoSupport]:
    """Where what was wanted of an action and what stands for it differ by more than chance."""
    done = log.action == action
    inverse = np.where(done, 1 / log.propensity, 0.0)
    usual = max(float((inverse**2).sum() / inverse.sum()), 1.0)  # mean of 1 / odds over the rows of this action's log
    found = []
    for column, code in enumerate(places.T):
        size = int(code.max()) + 1
        logged = np.bincount(code, done, size)
        rows = np.bincount(code, minlength=size).astype(np.float64)
        stood = np.bincount(code, inverse, size).astype(np.float64)
        many = (stood - rows) / np.sqrt(rows * (usual - 1) + usual**2)
        wanted = np.bincount(code, target[:, action], size).astype(np.float64)
        seen = np.bincount(code, np.where(done, weight, 0.0), size).astype(np.float64)
        spread = np.bincount(code, target[:, action] ** 2, size) * (usual - 1) + usual**2
        few = (wanted - seen) / np.sqrt(spread)
        pairs: tuple[tuple[Reason, FloatArray, FloatArray, FloatArray], ...] = (
            ("odds_too_small", many, rows, stood), ("not_done_there", few, wanted, seen))  # fmt: skip
        for reason, gap, want, have in pairs:
            for at in np.flatnonzero(gap > _SURE).tolist():
                cell = None if column == 0 else (column - 1, at)
                found.append(NoSupport(reason, action, cell, float(want[at]), float(have[at]), int(logged[at])))
    return found


# --- estimates -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Valued:
    """A mean outcome with its standard error and 95 % interval."""

    value: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class Values:
    """What the target brings, per decision, by four estimators.

    switch_above: weights above it are left to the model in `switch`; inf: none. cut_rows, cut_weight: share of matched
    rows whose weight was cut, and of the weight that was cut away; 0 where nothing is cut.
    """

    ips: Valued
    snips: Valued
    dr: Valued
    switch: Valued
    switch_above: float
    cut_rows: float
    cut_weight: float


def mean_valued(terms: FloatArray, cluster: IntArray | None = None, effective: float | None = None) -> Valued:
    """Mean of a term a row, with Student's interval; terms of one cluster are added up first.

    effective: rows that really speak (Kish), which bound the degrees of freedom. One cluster has no interval.
    """
    return _valued(float(terms.mean()), terms - terms.mean(), cluster, effective)


def _valued(value: float, influence: FloatArray, cluster: IntArray | None, effective: float | None) -> Valued:
    n = len(influence)
    parts = influence if cluster is None else np.bincount(np.unique(cluster, return_inverse=True)[1], influence)
    groups = len(parts)
    if groups < 2:
        return Valued(value, float("nan"), float("nan"), float("nan"))
    error = float(np.sqrt((parts**2).sum() * groups / (groups - 1))) / n
    freedom = max(min(groups, groups if effective is None else effective) - 1, 1.0)
    half = float(stdtrit(freedom, 0.975)) * error
    return Valued(value, value - half, value + half, error)


def doubly_robust_terms(log: Log, target: FloatArray, model: FloatArray, weight: FloatArray | None = None
                        ) -> FloatArray:  # fmt: skip
    """One term a row, whose mean is the doubly robust value (Dudik, Langford & Li 2011): (n,).

        sum over a of target_a model_a + weight (outcome - model of what was done)

    model: (n, K) the outcome expected of each action, learned without the row. Means of differences of two policies'
    terms are values of one over the other, with the error of the difference.
    """
    given = log.weights(target) if weight is None else weight
    expected = np.where(target > 0, target * model, 0.0).sum(axis=1)
    result: FloatArray = expected + given * (log.outcome - model[np.arange(len(log.action)), log.action])
    return result


def evaluate_policy(log: Log, target: FloatArray, model: FloatArray, most_weight: float | None = None) -> Values:
    """IPS, SNIPS, DR and SWITCH-DR of a target that has support.

    model: (n, K), as in `doubly_robust_terms`. most_weight: weights above it are cut down to it, which lowers the
    variance and biases towards 0 (IPS) or the model (DR); what was cut is stated. IPS: Horvitz & Thompson 1952; SNIPS:
    Hajek's ratio (Swaminathan & Joachims 2015), delta method; SWITCH: Wang, Agarwal & Dudik 2017 with their threshold,
    the least of estimated variance + squared bound of the bias.
    Raises InvalidInput where no decision agrees with the target, or shapes do not fit.
    """
    if model.shape != target.shape or not np.isfinite(model).all():
        raise InvalidInput("the model needs a finite outcome for each row and action.")
    whole = log.weights(target)
    if not whole.sum() > 0:
        raise InvalidInput("no decision agrees with the target.", "See check_support.")
    weight = whole if most_weight is None else np.minimum(whole, most_weight)
    cut = whole > weight
    effective = float(weight.sum()) ** 2 / float((weight**2).sum())
    ips = mean_valued(weight * log.outcome, log.cluster, effective)
    ratio = float((weight * log.outcome).sum() / weight.sum())
    snips = _valued(ratio, weight * (log.outcome - ratio) / weight.mean(), log.cluster, effective)
    dr = mean_valued(doubly_robust_terms(log, target, model, weight), log.cluster, effective)
    above, kept = _switch(log, target, model, weight)
    switch = mean_valued(doubly_robust_terms(log, target, model, kept), log.cluster, effective)
    return Values(
        ips, snips, dr, switch, above, float(cut.sum() / (whole > 0).sum()),
        float((whole - weight).sum() / whole.sum()),
    )  # fmt: skip


def _switch(log: Log, target: FloatArray, model: FloatArray, weight: FloatArray) -> tuple[float, FloatArray]:
    """The threshold of SWITCH and the weights that are left with it."""
    reach = float(np.ptp(log.outcome))
    matched = weight[weight > 0]
    best, chosen, least = float("inf"), weight, float("inf")
    for above in [float("inf"), *np.unique(np.quantile(matched, np.linspace(1, 0.05, 20)))[::-1].tolist()]:
        kept = np.where(weight <= above, weight, 0.0)
        error = mean_valued(doubly_robust_terms(log, target, model, kept), log.cluster).standard_error
        bias = reach * float((weight - kept).mean())
        if error**2 + bias**2 < least:
            best, chosen, least = above, kept, error**2 + bias**2
    return best, chosen
