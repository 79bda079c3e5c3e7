"""How well a score ranks people by what a treatment does to them: Qini and uplift curves of an experiment.

Nobody's own effect is ever seen, so that a ranking is judged by groups: among those ranked first, the treated are
compared with the untreated. Conventions: score is (n,) float64, higher = more is expected of the treatment; treated is
(n,) bool, drawn at random, with `weight` (n,) = 1 / propensity of the arm that was drawn where the odds differ between
rows; outcome is (n,) float64, higher = better. Rows of equal score are never told apart by their order: the curves are
straight across them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

_Z = 1.959963984540054  # the normal quantile of a 95 % interval


@dataclass(frozen=True, slots=True)
class Resampled:
    """A figure with its bootstrap standard error and the normal 95 % interval of it."""

    value: float
    low: float
    high: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class UpliftCurve:
    """Points at the ends of groups of equal score, from share 0 to share 1; each (m + 1,).

    share: of all rows that are ranked so far. gain: share * (mean of treated - mean of untreated among them), what
    treating just these brings, per row of all. qini: (sum over treated - sum over untreated * treated / untreated) /
    all treated (Radcliffe 2007), per treated row of all. 0 where one arm has nobody yet.
    """

    share: FloatArray
    gain: FloatArray
    qini: FloatArray


@dataclass(frozen=True, slots=True)
class Uplift:
    """The figures of a ranking, in units of the outcome.

    qini: area between the Qini curve and the straight line to its end: 0 of a random order. auuc: area under `gain`.
    at: for each share asked for, the difference of means among that share ranked first.
    overall: the difference of means of all.
    """

    qini: Resampled
    auuc: Resampled
    overall: Resampled
    at: tuple[tuple[float, Resampled], ...]


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Rows by falling score. ends: place after the last row of each group of equal score."""

    order: npt.NDArray[np.int64]
    ends: npt.NDArray[np.int64]
    treated: BoolArray
    outcome: FloatArray
    weight: FloatArray

    def sums(self, times: FloatArray | None) -> tuple[FloatArray, FloatArray]:
        """(shares (m + 1,), running sums (4, m + 1) of N_t, N_c, Y_t, Y_c) with row i standing times[i] times."""
        weight = self.weight if times is None else self.weight * times[self.order]
        rows = np.ones(len(self.order)) if times is None else times[self.order]
        arms = np.stack((weight * self.treated, weight * ~self.treated))
        running = np.cumsum(np.concatenate((rows[None], arms, arms * self.outcome)), axis=1)[:, self.ends - 1]
        running = np.concatenate((np.zeros((5, 1)), running), axis=1)
        return running[0] / running[0, -1], running[1:]


def _ranked(score: FloatArray, treated: BoolArray, outcome: FloatArray, weight: FloatArray | None) -> _Ranked:
    given = np.ones(len(score)) if weight is None else weight
    if not score.shape == treated.shape == outcome.shape == given.shape or score.ndim != 1:
        raise InvalidInput("scores, arms, outcomes and weights have different shapes.")
    if not (np.isfinite(score).all() and np.isfinite(outcome).all()):
        raise InvalidInput("a score or an outcome is not known.", "Leave those rows out.")
    if not (np.isfinite(given).all() and (given > 0).all()):
        raise InvalidInput("weights are finite and above 0: 1 / propensity of the arm that was drawn.")
    if not treated.any() or treated.all():
        raise InvalidInput("one arm has nobody, so that nothing can be compared.")
    order = np.argsort(-score, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(score[order])) + 1, len(order))
    return _Ranked(order, ends, treated[order], outcome[order], given[order])


def _difference(sums: FloatArray) -> FloatArray:
    """Mean of treated - mean of untreated, 0 where one arm has nobody. sums: (4, ...)."""
    there = (sums[0] > 0) & (sums[1] > 0)
    safe = np.where(there, sums[:2], 1.0)
    return np.where(there, sums[2] / safe[0] - sums[3] / safe[1], 0.0)


def _curve(share: FloatArray, sums: FloatArray) -> UpliftCurve:
    difference = _difference(sums)
    return UpliftCurve(share, share * difference, sums[0] * difference / max(sums[0, -1], 1e-300))


def uplift_curve(
    score: FloatArray, treated: BoolArray, outcome: FloatArray, weight: FloatArray | None = None
) -> UpliftCurve:
    """The uplift and Qini curves of a ranking. Raises InvalidInput on differing shapes, unknown values or one arm."""
    return _curve(*_ranked(score, treated, outcome, weight).sums(None))


def _area(share: FloatArray, height: FloatArray) -> float:
    return float(np.trapezoid(height, share))


def _figures(share: FloatArray, sums: FloatArray, at: Sequence[float]) -> FloatArray:
    curve = _curve(share, sums)
    inside = np.stack([np.interp(at, share, running) for running in sums])
    return np.concatenate(
        (
            [_area(share, curve.qini) - curve.qini[-1] / 2, _area(share, curve.gain), curve.gain[-1]],
            _difference(inside),
        )
    )


def _drawn(rows: int, seed: int, draws: int, figures: Callable[[FloatArray], FloatArray]) -> FloatArray:
    """The figures of so many bootstrap samples of the rows: (draws, f)."""
    rng = np.random.default_rng(seed)
    times = (np.bincount(rng.integers(0, rows, rows), minlength=rows).astype(np.float64) for _ in range(draws))
    return np.stack([figures(one) for one in times])


def _resampled(value: float, drawn: FloatArray) -> Resampled:
    error = float(drawn.std(ddof=1))
    return Resampled(value, value - _Z * error, value + _Z * error, error)


def judge_uplift(
    score: FloatArray, treated: BoolArray, outcome: FloatArray, weight: FloatArray | None = None, *,
    at: Sequence[float] = (0.1, 0.3, 0.5), seed: int, draws: int = 200,
) -> Uplift:  # fmt: skip
    """Qini coefficient, area under the uplift curve and uplift at shares, each with its bootstrap standard error.

    at: shares in (0, 1]. draws: bootstrap samples of rows, at least 2. Raises InvalidInput as `uplift_curve` does.
    """
    if draws < 2 or not all(0 < share <= 1 for share in at):
        raise InvalidInput("shares lie in (0, 1], and a standard error needs two draws or more.")
    ranked = _ranked(score, treated, outcome, weight)
    values = _figures(*ranked.sums(None), at)
    drawn = _drawn(len(score), seed, draws, lambda times: _figures(*ranked.sums(times), at))
    found = [_resampled(float(value), column) for value, column in zip(values, drawn.T, strict=True)]
    return Uplift(found[0], found[1], found[2], tuple(zip(at, found[3:], strict=True)))


def qini_difference(
    first: FloatArray, second: FloatArray, treated: BoolArray, outcome: FloatArray, weight: FloatArray | None = None, *,
    seed: int, draws: int = 200,
) -> Resampled:  # fmt: skip
    """Qini coefficient of one ranking minus that of another one of the same rows, on common bootstrap samples."""
    both = [_ranked(score, treated, outcome, weight) for score in (first, second)]

    def gap(times: FloatArray | None) -> FloatArray:
        one, two = (_figures(*ranked.sums(times), ())[0] for ranked in both)
        return np.array([one - two])

    return _resampled(float(gap(None)[0]), _drawn(len(first), seed, draws, gap)[:, 0])
