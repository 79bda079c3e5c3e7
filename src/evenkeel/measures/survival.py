"""Discrete-time competing risks: in each month a case goes on, or leaves by one of K causes.

A hazard h_k(t) is the chance to leave by cause k in month t of those that are there when it begins. The causes share
one multinomial logit per month, because that is the exact likelihood of leaving by at most one of them: hazards never
add up to more than 1, which K separate logits cannot promise (Allison 1982; Tutz & Schmid 2016, ch. 8).
Causes are numbered 1..K, 0 is "goes on"; months are numbered from 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import cho_factor, cho_solve
from scipy.sparse import csr_matrix

from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_Z = 1.959963984540054  # the normal quantile of a 95 % interval
_TOLERANCE = 1e-12
_ITERATIONS = 100
_FLOOR = 1e-8  # ridge on everything, relative to the weight of the cells: what the data cannot tell ends at 0
_SMOOTHINGS = (1e-4, 1e7)
_SMOOTHING_ROUNDS = 50


# --- from cases to person-months -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PersonMonths:
    """Months under observation, added up where group and month agree; sorted by group, then month.

    group, month: (c,) int64. counts: (c, K + 1) float64, of those there as the month began: column 0 went on, column k
    left by cause k.
    """

    group: IntArray
    month: IntArray
    counts: FloatArray

    def by_month(self) -> FloatArray:
        """counts of months 1..T over all groups: (T, K + 1)."""
        months = int(self.month.max(initial=0))
        columns = [np.bincount(self.month, column, months + 1)[1:] for column in self.counts.T]
        return np.column_stack(columns) if columns else np.empty((months, 0))


def person_months(
    duration: IntArray,
    cause: IntArray,
    causes: int,
    *,
    entry: IntArray | None = None,
    weight: FloatArray | None = None,
    group: IntArray | None = None,
) -> PersonMonths:
    """Cases as person-months; equal cases are added up before they are spread over their months.

    duration: (n,) the month of leaving, or of a case that has not left (censored) the last month seen to its end.
    cause: (n,) 1..causes, 0 where censored. entry: (n,) months that had passed unseen before observation began (left
    truncation): a case counts from month entry + 1. weight: (n,) >= 0. group: (n,) >= 0, a code of equal covariates.
    A censored case with duration <= entry was never seen and counts nothing.
    Raises InvalidInput where shapes or codes do not fit, or a case leaves before it is under observation.
    """
    zeros = np.zeros(len(duration), np.int64)
    entry = zeros if entry is None else entry
    group = zeros if group is None else group
    weight = np.ones(len(duration)) if weight is None else weight
    if not len(duration) == len(cause) == len(entry) == len(group) == len(weight):
        raise InvalidInput("durations, causes, entries, weights and groups have different lengths.")
    if ((cause < 0) | (cause > causes) | (entry < 0) | (group < 0) | (duration < 0)).any() or not (weight >= 0).all():
        raise InvalidInput("a cause is outside 0..K, or a duration, entry, group or weight is below 0.")
    if ((cause > 0) & (duration <= entry)).any():
        raise InvalidInput(
            "a case leaves before it is under observation.", "Durations of events are at least 1 and above the entry."
        )
    seen = duration > entry
    (group, entry, duration, cause), weight = _added_up(
        [column[seen] for column in (group, entry, duration, cause)], weight[seen]
    )
    length = duration - entry
    case = np.repeat(np.arange(len(length)), length)
    month = np.arange(len(case)) - np.repeat(np.cumsum(length) - length, length) + entry[case] + 1
    last = month == duration[case]
    outcome = np.where(last, cause[case], 0)
    (group, month, outcome), weight = _added_up([group[case], month, outcome], weight[case])
    new = (np.diff(group, prepend=-1) != 0) | (np.diff(month, prepend=-1) != 0)
    counts = np.zeros((int(new.sum()), causes + 1))
    counts[np.cumsum(new) - 1, outcome] = weight
    return PersonMonths(group[new], month[new], counts)


def _added_up(columns: list[IntArray], weight: FloatArray) -> tuple[list[IntArray], FloatArray]:
    """Distinct rows of the columns in order, and the sum of their weights."""
    key = np.zeros(len(weight), np.int64)
    spans = [int(column.max(initial=0)) + 1 for column in columns]
    if float(np.prod([float(span) for span in spans])) >= 2**62:
        raise InvalidInput("the durations or groups are too large to be months.", "Count months on book, not days.")
    for column, span in zip(columns, spans, strict=True):
        key = key * span + column
    distinct, place = np.unique(key, return_inverse=True)
    parts: list[IntArray] = []
    for span in reversed(spans):
        distinct, part = np.divmod(distinct, span)
        parts.append(part)
    return parts[::-1], np.bincount(place, weight, len(parts[0])).astype(np.float64)


# --- hazards to survival and incidence -------------------------------------------------------------------------------


def survival(hazards: FloatArray) -> FloatArray:
    """Chance to be there after 0..T months. hazards: (..., T, K). Returns (..., T + 1), the first entry 1.

    Given that a case was there after t months, pass the hazards of months t + 1, t + 2, ...
    """
    stay = np.cumprod(1.0 - hazards.sum(axis=-1), axis=-1)
    return np.concatenate((np.ones((*stay.shape[:-1], 1)), stay), axis=-1)


def incidence(hazards: FloatArray) -> FloatArray:
    """Chance to have left by each cause within 0..T months: F_k(t) = sum over s <= t of h_k(s) S(s - 1).

    hazards: (..., T, K). Returns (..., T + 1, K). The causes' incidences and `survival` add up to 1.
    """
    leaving = np.cumsum(hazards * survival(hazards)[..., :-1, None], axis=-2)
    return np.concatenate((np.zeros((*leaving.shape[:-2], 1, leaving.shape[-1])), leaving), axis=-2)


# --- without a model -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve after 0..T months with its 95 % interval; each (T + 1,), or (T + 1, K) for incidences."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


def kaplan_meier(counts: FloatArray) -> Curve:
    """Survival by the product-limit estimator (Kaplan & Meier 1958), Greenwood's variance, log(-log) interval.

    counts: (T, K + 1) as `PersonMonths.by_month`; all causes count as leaving. A month with nobody there ends the
    curve: NaN from there on (where nobody is there at first, pass the months from the first entry on: the curve is then
    of those that were there by then). Before anybody has left, the lower end is Wilson's for as many as were there.
    """
    there = counts.sum(axis=1)
    left = there - counts[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.concatenate(([1.0], np.cumprod(1 - left / there)))
        variance = np.concatenate(([0.0], np.cumsum(left / (there * counts[:, 0]))))  # of ln S
        error = value * np.sqrt(variance)
    return _log_log(value, error, there)


def aalen_johansen(counts: FloatArray) -> Curve:
    """Incidence of each cause without a model (Aalen & Johansen 1978), by the delta method on multinomial months.

    counts: (T, K + 1). Returns curves (T + 1, K). With one cause it is 1 - `kaplan_meier`, interval included.
    A month's hazards h(s) have the covariance (diag(h) - h h') / n(s) (Greenwood's assumption); F_k(t) moves with
    h_j(s) by S(s - 1) [j = k] - (F_k(t) - F_k(s)) / (1 - sum of h(s)).
    """
    there = counts.sum(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        hazards = counts[:, 1:] / there[:, None]
    stay, value = survival(hazards), incidence(hazards)
    months, causes = hazards.shape
    error = np.zeros_like(value)
    for cause in range(causes):
        for until in range(1, months + 1):
            h = hazards[:until]
            all_left = 1 - h.sum(axis=1)
            rest = (value[until, cause] - value[1 : until + 1, cause]) / np.where(all_left > 0, all_left, np.inf)
            moved = stay[:until, None] * (np.arange(causes) == cause) - rest[:, None]
            variance = ((moved**2 * h).sum(axis=1) - (moved * h).sum(axis=1) ** 2) / there[:until]
            error[until, cause] = np.sqrt(max(float(variance.sum()), 0.0))
    curves = [_log_log(1 - value[:, cause], error[:, cause], there) for cause in range(causes)]
    low, high = (np.column_stack([getattr(curve, end) for curve in curves]) for end in ("high", "low"))
    return Curve(value, 1 - low, 1 - high)


def _log_log(value: FloatArray, error: FloatArray, there: FloatArray) -> Curve:
    """The interval of a survival, symmetric for log(-log S), so that it stays within (0, 1)."""
    most = np.concatenate(([np.inf], np.minimum.accumulate(there)))
    with np.errstate(divide="ignore", invalid="ignore"):
        half = _Z * error / (value * np.abs(np.log(value)))
        low, high = value ** np.exp(half), value ** np.exp(-half)
        untouched = 1.0 - _Z**2 / (most + _Z**2)
    whole, gone = value == 1.0, value <= 0.0
    low = np.where(whole, untouched, np.where(gone, 0.0, low))
    high = np.where(whole, 1.0, np.where(gone, _Z**2 / (most + _Z**2), high))
    unknown = np.isnan(value)
    return Curve(value, np.where(unknown, np.nan, low), np.where(unknown, np.nan, high))


# --- a model of the hazards ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Term:
    """One additive part of the ln odds of each cause against going on: table[k][code] @ coefficients[k].

    tables: (1 or K, levels, p) float64, one for all causes or one each. code: (c,) int64, a level for each cell.
    penalty: (p, p), positive semi-definite: each cause pays smoothing / 2 * b' penalty b.
    smoothing: None: chosen for each cause from the data; else one for all causes, or (K,) one each.
    """

    tables: FloatArray
    code: IntArray
    penalty: FloatArray
    smoothing: float | FloatArray | None = 1.0

    def table(self, cause: int) -> FloatArray:
        """The table of a cause, numbered from 0 here."""
        result: FloatArray = self.tables[cause if len(self.tables) > 1 else 0]
        return result


@dataclass(frozen=True, slots=True)
class HazardFit:
    """coefficients: for each term (K, p). smoothing: (terms, K). covariance: of all of them, cause by cause, term by
    term within a cause: the inverse of the penalised Hessian. converged is False where Newton ran out."""

    coefficients: tuple[FloatArray, ...]
    smoothing: FloatArray
    covariance: FloatArray
    converged: bool


def hazards_of(log_odds: FloatArray, axis: int = -1) -> FloatArray:
    """h_k = exp(log_odds_k) / (1 + sum_j exp(log_odds_j)), without overflow; causes lie along `axis`."""
    top = np.maximum(log_odds.max(axis=axis, keepdims=True), 0.0)
    odds = np.exp(log_odds - top)
    result: FloatArray = odds / (np.exp(-top) + odds.sum(axis=axis, keepdims=True))
    return result


def second_differences(size: int) -> FloatArray:
    """The penalty sum of (b[i-1] - 2 b[i] + b[i+1])^2 as a (size, size) matrix: a straight line is free."""
    steps = np.diff(np.eye(size), 2, axis=0) if size > 2 else np.zeros((0, size))
    result: FloatArray = steps.T @ steps
    return result


def fit_hazards(counts: FloatArray, terms: list[Term]) -> HazardFit:
    """Minimise  sum over cells of (n log(1 + sum_k exp(m_k)) - sum_k y_k m_k) + penalties,  m_k = sum of the terms.

    counts: (c, K + 1) as in PersonMonths: y_k left by cause k, n were there. Exact Newton over all causes at once;
    cells never become a design matrix: sums by level do its work. A smoothing that is to be chosen maximises Laplace's
    approximation to the marginal likelihood, in which the penalty is a prior (Wood & Fasiolo 2017, the extended
    Fellner-Schall step), until the effective degrees of freedom rest.
    """
    problem = _Problem(counts, terms)
    given = [1.0 if t.smoothing is None else t.smoothing for t in terms]
    smoothing = np.array([np.broadcast_to(value, problem.causes) for value in given], np.float64)
    beta = np.zeros(problem.size)
    freedom = np.inf
    for _ in range(_SMOOTHING_ROUNDS):
        beta, covariance, converged = problem.solve(beta, smoothing)
        if all(t.smoothing is not None for t in terms):
            break
        smoothing, following = problem.smoother(beta, covariance, smoothing)
        if abs(following - freedom) < 0.01:
            break
        freedom = following
    parts = tuple(
        np.array([beta[problem.place(cause, i)] for cause in range(problem.causes)]) for i in range(len(terms))
    )
    return HazardFit(parts, smoothing, covariance, converged)


class _Problem:
    """The penalised likelihood of `fit_hazards`: its value, gradient and Hessian by sums over levels."""

    def __init__(self, counts: FloatArray, terms: list[Term]) -> None:
        self.terms, self.causes = terms, counts.shape[1] - 1
        self._there, self._left = counts.sum(axis=1), np.ascontiguousarray(counts[:, 1:].T)  # (c,), (K, c)
        self._widths = [term.tables.shape[2] for term in terms]
        self._starts = np.cumsum([0, *self._widths])
        self.size = self.causes * int(self._starts[-1])
        self._floor = _FLOOR * max(float(self._there.sum()), 1.0)
        self._order: list[IntArray] = []
        self._bounds: list[IntArray] = []
        for term in terms:
            order = np.argsort(term.code, kind="stable")
            self._order.append(order)
            levels = np.arange(term.tables.shape[1] + 1)
            self._bounds.append(np.searchsorted(term.code[order], levels).astype(np.int64))

    def place(self, cause: int, term: int) -> slice:
        """Where the coefficients of a cause's term stand among all."""
        start = cause * int(self._starts[-1]) + int(self._starts[term])
        return slice(start, start + self._widths[term])

    def _log_odds(self, beta: FloatArray) -> FloatArray:
        total = np.zeros((self.causes, len(self._there)))
        for cause in range(self.causes):
            for i, term in enumerate(self.terms):
                total[cause] += (term.table(cause) @ beta[self.place(cause, i)])[term.code]
        return total

    def _penalty(self, smoothing: FloatArray) -> FloatArray:
        result = np.eye(self.size) * self._floor
        for cause in range(self.causes):
            for i, term in enumerate(self.terms):
                at = self.place(cause, i)
                result[at, at] += smoothing[i, cause] * term.penalty
        return result

    def _loss(self, log_odds: FloatArray, beta: FloatArray, penalty: FloatArray) -> float:
        top = np.maximum(log_odds.max(axis=0, initial=0.0), 0.0)
        total = top + np.log(np.exp(-top) + np.exp(log_odds - top).sum(axis=0))
        value = (self._there * total).sum() - (self._left * log_odds).sum() + 0.5 * beta @ penalty @ beta
        return float(value)

    def _gradient(self, expected: FloatArray) -> FloatArray:
        rest = expected - self._left
        gradient = np.zeros(self.size)
        for cause in range(self.causes):
            for i, term in enumerate(self.terms):
                table = term.table(cause)
                gradient[self.place(cause, i)] = np.bincount(term.code, rest[cause], len(table)) @ table
        return gradient

    def _hessian(self, hazards: FloatArray) -> FloatArray:
        result = np.zeros((self.size, self.size))
        for k in range(self.causes):
            for m in range(k, self.causes):
                weight = self._there * hazards[k] * ((k == m) - hazards[m])
                for i in range(len(self.terms)):
                    for j in range(i if k == m else 0, len(self.terms)):
                        block = self._block(weight, (k, i), (m, j))
                        result[self.place(k, i), self.place(m, j)] = block
                        result[self.place(m, j), self.place(k, i)] = block.T
        return result

    def _block(self, weight: FloatArray, left: tuple[int, int], right: tuple[int, int]) -> FloatArray:
        """table' W table of two causes' terms, W the weights summed by the two terms' levels."""
        (k, i), (m, j) = left, right
        a, b = self.terms[i].table(k), self.terms[j].table(m)
        if i == j:
            sums = np.bincount(self.terms[i].code, weight, len(a))
            result: FloatArray = a.T @ (sums[:, None] * b)
            return result
        if len(a) < len(b):  # rows of the sparse matrix are the longer table's levels
            return self._block(weight, right, left).T
        order = self._order[i]
        sums = csr_matrix((weight[order], self.terms[j].code[order], self._bounds[i]), shape=(len(a), len(b)))
        across: FloatArray = (sums.T @ a).T @ b
        return across

    def solve(self, beta: FloatArray, smoothing: FloatArray) -> tuple[FloatArray, FloatArray, bool]:
        """Newton with step halving from beta: the optimum, the inverse Hessian there, whether it was reached."""
        penalty = self._penalty(smoothing)
        log_odds = self._log_odds(beta)
        value, converged = self._loss(log_odds, beta, penalty), False
        for _ in range(_ITERATIONS):
            hazards = hazards_of(log_odds, axis=0)
            gradient = self._gradient(self._there * hazards) + penalty @ beta
            factor = cho_factor(self._hessian(hazards) + penalty)
            step, scale = cho_solve(factor, -gradient), 1.0
            if -gradient @ step <= _TOLERANCE * (abs(value) + 1):  # twice what the step can gain: it is the last one
                beta, converged = beta + step, True
                break
            while True:
                log_odds = self._log_odds(beta + scale * step)
                following = self._loss(log_odds, beta + scale * step, penalty)
                if following <= value or scale < 1e-8:
                    break
                scale /= 2
            beta, value = beta + scale * step, following
        return beta, cho_solve(factor, np.eye(self.size)), converged

    def smoother(self, beta: FloatArray, covariance: FloatArray, smoothing: FloatArray) -> tuple[FloatArray, float]:
        """The next smoothings by the Fellner-Schall step, and the effective degrees of freedom before it."""
        result, freedom = smoothing.copy(), 0.0
        for i, term in enumerate(self.terms):
            if term.smoothing is not None:
                continue
            rank = int(np.linalg.matrix_rank(term.penalty)) if term.penalty.any() else 0
            for cause in range(self.causes):
                at = self.place(cause, i)
                used = float((covariance[at, at] * term.penalty).sum())
                freedom += self._widths[i] - smoothing[i, cause] * used
                rough = float(beta[at] @ term.penalty @ beta[at])
                room = max(rank / smoothing[i, cause] - used, 0.0)
                ratio = room / rough if rough > 0 else np.inf
                result[i, cause] = np.clip(smoothing[i, cause] * ratio, *_SMOOTHINGS)
        return result, freedom
