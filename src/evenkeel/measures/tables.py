"""Additive tables by penalised likelihood: ln odds = intercept + an entry of each table, as smooth as the data ask for.

Every table has penalties that draw neighbouring entries together; how strongly is estimated from the data by marginal
likelihood (Wood & Fasiolo 2017, the generalised Fellner-Schall update), so there is nothing to tune. Convex for given
penalties; deterministic; an entry without data is the one that its penalty asks for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack

from evenkeel.measures.logistic import sigmoid

FloatArray = npt.NDArray[np.float64]
CodeArray = npt.NDArray[np.int32]

_RIDGE = 1e-3  # holds the mean of each table, which the intercept already has
_LEAST, _MOST = 1e-3, 1e7  # bounds of a penalty's strength
_HESSIAN_ROWS = 60_000  # rows, evenly spaced, that give the curvature; the gradient is always of all rows


@dataclass(frozen=True, slots=True)
class Term:
    """A table to be fitted. codes: (n,) entries of the rows, 0..size-1. penalties: (size, size) semi-definite each."""

    codes: CodeArray
    size: int
    penalties: tuple[FloatArray, ...]


@dataclass(frozen=True, slots=True)
class Fitted:
    """intercept, tables: one array a term. strengths: one array a term, a number for each of its penalties."""

    intercept: float
    tables: tuple[FloatArray, ...]
    strengths: tuple[FloatArray, ...]

    def log_odds(self, codes: Sequence[CodeArray]) -> FloatArray:
        """ln odds of rows by their codes."""
        total = np.full(len(codes[0]) if codes else 0, self.intercept)
        for table, code in zip(self.tables, codes, strict=True):
            total += table.take(code)
        return total


def difference_penalty(size: int, order: int) -> FloatArray:
    """D'D of the differences of this order between neighbours; of a lower order where there are too few entries."""
    order = min(order, size - 1)
    if order < 1:
        return np.zeros((size, size))
    difference = np.diff(np.eye(size), n=order, axis=0)
    penalty: FloatArray = difference.T @ difference
    return penalty


def fit_tables(
    terms: Sequence[Term], bad: npt.NDArray[np.bool_], weights: FloatArray | None = None, *,
    start: Fitted | None = None, rounds: int = 12, strength: float = 10.0,
) -> Fitted:  # fmt: skip
    """Minimise  -log likelihood + sum of strength * t' P t / 2  over the tables t, strengths by marginal likelihood.

    terms: K tables. bad: (n,) bool. weights: (n,) of rows. start: an earlier fit of the first terms, to go on from.
    rounds: of strengths; each is one Newton step and one Fellner-Schall update. `strength` is where a penalty begins.
    """
    target = bad.astype(np.float64)
    unit = np.ones(len(bad)) if weights is None else weights
    system = _System(terms, unit)
    beta, strengths = _beginning(system, terms, target, unit, start, strength)
    value = np.inf
    for turn in range(rounds):
        log_odds = system.log_odds(beta)
        p = sigmoid(log_odds)
        penalty = system.penalty(strengths)
        gradient = system.gradient(unit * (target - p)) - penalty @ beta
        if turn == 0 or turn % 4 == 0 or len(terms) < 2:
            curvature = system.hessian(unit * np.maximum(p * (1 - p), 1e-9))
        factor, _ = lapack.dpotrf(curvature + penalty, lower=1)
        step, _ = lapack.dpotrs(factor, gradient, lower=1)
        beta, following = system.descend(beta, step, penalty, target, unit)
        inverse, _ = lapack.dpotri(factor, lower=1)
        previous = strengths
        strengths = system.strengths(strengths, beta, inverse)
        moved = max((float(np.abs(np.log(a / b)).max(initial=0.0)) for a, b in zip(strengths, previous, strict=True)),
                    default=0.0)  # fmt: skip
        if abs(value - following) <= 1e-7 * abs(following) and moved < 0.05:
            break
        value = following
    return system.fitted(beta, strengths)


def _beginning(
    system: _System, terms: Sequence[Term], target: FloatArray, unit: FloatArray, start: Fitted | None, strength: float
) -> tuple[FloatArray, list[FloatArray]]:
    rate = float(np.clip(np.average(target, weights=unit), 1e-9, 1 - 1e-9))
    beta = np.zeros(system.size)
    beta[-1] = np.log(rate / (1 - rate))
    strengths = [np.full(len(term.penalties), strength) for term in terms]
    if start is not None:
        beta[-1] = start.intercept
        for place, (table, known) in enumerate(zip(start.tables, start.strengths, strict=True)):
            beta[system.block(place)] = table
            strengths[place] = known
    return beta, strengths


class _System:
    """The normal equations of the tables, one block a table, the intercept last."""

    def __init__(self, terms: Sequence[Term], unit: FloatArray) -> None:
        self.terms = terms
        self.offsets = np.concatenate(([0], np.cumsum([term.size for term in terms]))).astype(int)
        self.size = int(self.offsets[-1]) + 1
        self.rows = len(unit)
        stride = max(1, len(unit) // _HESSIAN_ROWS)
        self.sample = slice(None, None, stride)
        self.scale = unit.sum() / unit[self.sample].sum()
        self.sampled = [term.codes[self.sample].astype(np.int64) for term in terms]

    def block(self, place: int) -> slice:
        return slice(self.offsets[place], self.offsets[place + 1])

    def log_odds(self, beta: FloatArray) -> FloatArray:
        total = np.full(self.rows, beta[-1])
        for place, term in enumerate(self.terms):
            total += beta[self.block(place)].take(term.codes)
        return total

    def gradient(self, residual: FloatArray) -> FloatArray:
        result = np.empty(self.size)
        for place, term in enumerate(self.terms):
            result[self.block(place)] = np.bincount(term.codes, residual, term.size)
        result[-1] = residual.sum()
        return result

    def hessian(self, weight: FloatArray) -> FloatArray:
        """X'WX in Fortran order, of the sampled rows, scaled to all."""
        weight = weight[self.sample] * self.scale
        result = np.zeros((self.size, self.size), order="F")
        for i, first in enumerate(self.terms):
            rows = self.block(i)
            own = np.bincount(self.sampled[i], weight, first.size)
            result[rows, rows] = np.diag(own)
            result[-1, rows] = result[rows, -1] = own
            shifted = self.sampled[i]
            for j in range(i):
                second = self.terms[j]
                joint = np.bincount(shifted * second.size + self.sampled[j], weight, first.size * second.size)
                joint = joint.reshape(first.size, second.size)
                result[rows, self.block(j)] = joint
                result[self.block(j), rows] = joint.T
        result[-1, -1] = weight.sum()
        return result

    def penalty(self, strengths: Sequence[FloatArray]) -> FloatArray:
        result = np.zeros((self.size, self.size), order="F")
        for place, (term, strength) in enumerate(zip(self.terms, strengths, strict=True)):
            rows = self.block(place)
            for matrix, factor in zip(term.penalties, strength, strict=True):
                result[rows, rows] += factor * matrix
            result[rows, rows] += _RIDGE * np.eye(term.size)
        result[-1, -1] = 1e-9
        return result

    def descend(
        self, beta: FloatArray, step: FloatArray, penalty: FloatArray, target: FloatArray, unit: FloatArray
    ) -> tuple[FloatArray, float]:
        """A Newton step, halved until the penalised likelihood no longer falls."""

        def loss(at: FloatArray) -> float:
            log_odds = self.log_odds(at)
            return float(unit @ (np.logaddexp(0.0, log_odds) - target * log_odds) + 0.5 * at @ penalty @ at)

        before, scale = loss(beta), 1.0
        while not (after := loss(beta + scale * step)) <= before + 1e-9 * abs(before):
            scale /= 2
            if scale < 1e-6:
                return beta, before
        return beta + scale * step, after

    def strengths(self, strengths: Sequence[FloatArray], beta: FloatArray, inverse: FloatArray) -> list[FloatArray]:
        """strength * (tr(S^- P) - tr(V P)) / (t' P t), V the inverse of the penalised curvature (lower half)."""
        result = []
        for place, (term, strength) in enumerate(zip(self.terms, strengths, strict=True)):
            rows = self.block(place)
            lower = np.tril(inverse[rows, rows])
            covariance = lower + lower.T - np.diag(np.diag(lower))
            table = beta[rows]
            total = sum(factor * matrix for matrix, factor in zip(term.penalties, strength, strict=True))
            pseudo = np.linalg.pinv(total, rcond=1e-10, hermitian=True) if term.penalties else total
            updated = [
                factor * max(float((pseudo * matrix).sum() - (covariance * matrix).sum()), 1e-9)
                / max(float(table @ matrix @ table), 1e-12)
                for matrix, factor in zip(term.penalties, strength, strict=True)
            ]  # fmt: skip
            result.append(np.clip(updated, np.maximum(_LEAST, strength / 100), np.minimum(_MOST, strength * 100)))
        return result

    def fitted(self, beta: FloatArray, strengths: Sequence[FloatArray]) -> Fitted:
        tables = [beta[self.block(place)] for place in range(len(self.terms))]
        return Fitted(float(beta[-1]), tuple(tables), tuple(strengths))
