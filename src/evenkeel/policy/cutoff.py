"""Where along the score to stop granting: profit, loss, approval and over-indebtedness at every cut-off of a past book.

For an applicant with a known outcome the money is known: a good brings its margin, a bad costs what was not recovered.
    profit(c) = sum over score >= c of (good: gain, bad: -loss)          the applicants whose outcome is known
    scaled by applicants / known in each bin of the score                  to speak of all applicants
Intervals are percentiles of a Poisson bootstrap over applicants (Hanley and MacGibbon 2006), the same draws at every
cut-off, so that the interval of the best cut-off and the regret of another come from the same resamples.

Outcomes of the declined are not known. Where a bin of the score has too few known ones nothing is said about it, and no
cut-off is chosen there: a book that never granted below 600 cannot tell what 580 would have brought.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

DRAWS = 400
_LEVEL = 0.95
_LEAST_KNOWN = 50  # outcomes in a bin, and bads and goods in all
_LEAST_SHARE = 0.2  # of a bin's applicants whose outcome is known
_CHUNK = 262_144


@dataclass(frozen=True, slots=True)
class Past:
    """Applicants of the past, an entry each (n,).

    score: higher is safer. bad: 1, 0, or NaN where not known. gain_minor: what each brings if good; loss_minor: what
    each costs if bad. over_indebted: 1, 0, NaN: whether the grant broke a cap on what is owed everywhere.
    """

    score: FloatArray
    bad: FloatArray
    gain_minor: FloatArray
    loss_minor: FloatArray
    over_indebted: FloatArray


@dataclass(frozen=True, slots=True)
class Limits:
    """What a lender does not go beyond, as shares of those who are granted. None: no limit."""

    bad_share: float | None = None
    over_indebted_share: float | None = None


@dataclass(frozen=True, slots=True)
class Band:
    """An estimate at every cut-off with its interval, (k,) each."""

    value: FloatArray
    low: FloatArray
    high: FloatArray


@dataclass(frozen=True, slots=True)
class Curve:
    """Everything along the score. cutoffs: (k,) rising. supported: where enough outcomes are known, from the top down.

    approval: share of applicants at or above. profit, loss: minor units of all applicants. best: place of the chosen
    cut-off, None where none is supported or none keeps the limits; best_low, best_high: the cut-offs between which the
    best one lies in 95 of 100 resamples. wrong: what each cut-off earns less than the best, with its interval.
    """

    cutoffs: FloatArray
    supported: BoolArray
    allowed: BoolArray
    approval: FloatArray
    profit: Band
    loss: Band
    bad_share: Band
    over_indebted_share: Band
    best: int | None
    best_low: float | None
    best_high: float | None
    wrong: Band | None


def curve(past: Past, limits: Limits, *, seed: int, bins: int = 60) -> Curve:
    """The curve of a past book, at `bins` quantiles of the score.

    Raises InvalidInput if there are fewer than 50 known goods or bads, or numbers that are not finite.
    """
    _checked(past, bins)
    edges = np.unique(np.quantile(past.score, np.linspace(0, 1, bins + 1)[:-1]))
    place = np.searchsorted(edges, past.score, side="right") - 1
    known = ~np.isnan(past.bad)
    many, seen = (np.bincount(place, minlength=len(edges), weights=part) for part in (np.ones(len(place)), known))
    enough = (seen >= _LEAST_KNOWN) & (seen >= _LEAST_SHARE * many)
    supported = np.flip(np.logical_and.accumulate(np.flip(enough)))  # from the safest down to the first gap
    sums = _resampled(past, place, len(edges), seed)
    profit, loss, bad, over = _from_the_top(sums)
    bands = [_band(one) for one in (profit, loss, bad, over)]
    allowed = (
        supported & _within(bands[2].value, limits.bad_share) & _within(bands[3].value, limits.over_indebted_share)
    )
    best, low, high, wrong = _best(profit, allowed, edges)
    approval = np.flip(np.cumsum(np.flip(many))) / len(place)
    return Curve(edges, supported, allowed, approval, bands[0], bands[1], bands[2], bands[3], best, low, high, wrong)


def _checked(past: Past, bins: int) -> None:
    columns = {name: getattr(past, name) for name in Past.__slots__}
    if len({len(column) for column in columns.values()}) != 1:
        raise InvalidInput("the columns of the past differ in length.", "One entry an applicant in each.")
    for name in ("score", "gain_minor", "loss_minor"):
        if not np.isfinite(columns[name]).all():
            raise InvalidInput(f"`{name}` is not known for every applicant.", "Leave out those for whom it is not.")
    for name in ("bad", "over_indebted"):
        column = columns[name]
        if not np.isin(column[~np.isnan(column)], (0.0, 1.0)).all():
            raise InvalidInput(f"`{name}` has values beside 0, 1 and not known.")
    goods, bads = int((past.bad == 0).sum()), int((past.bad == 1).sum())
    if min(goods, bads) < _LEAST_KNOWN:
        raise InvalidInput(
            f"{goods} goods and {bads} bads are known: too few to choose a cut-off on.",
            f"At least {_LEAST_KNOWN} of each are needed; older applications have had time to turn out.",
        )
    if not 2 <= bins <= 1000:
        raise InvalidInput(f"`bins` is {bins}.", "Allowed: 2 to 1,000.")


def _resampled(past: Past, place: npt.NDArray[np.int64], bins: int, seed: int) -> FloatArray:
    """Sums by bin of each resample, the first being the book itself: (1 + DRAWS, 7, bins).

    Of applicants; of known outcomes; of profit, loss and bads among the known; of known burdens; of over-indebted.
    """
    known = ~np.isnan(past.bad)
    bad, burden = np.nan_to_num(past.bad), ~np.isnan(past.over_indebted)
    parts = np.stack(
        [
            np.ones(len(place)), known, known * np.where(bad == 1, -past.loss_minor, past.gain_minor),
            known * bad * past.loss_minor, known * bad, burden, np.nan_to_num(past.over_indebted),
        ]
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    sums = np.zeros((1 + DRAWS, len(parts), bins))
    order = np.argsort(place, kind="stable")
    for start in range(0, len(order), _CHUNK):
        rows = order[start : start + _CHUNK]
        first = np.flatnonzero(np.diff(place[rows], prepend=-1))
        at = place[rows[first]]
        values = parts[:, rows]
        for draw in range(1 + DRAWS):
            weighted = values if draw == 0 else values * rng.poisson(1.0, len(rows))
            sums[draw][:, at] += np.add.reduceat(weighted, first, axis=1)
    return sums


def _from_the_top(sums: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Profit, loss, share of bads and of over-indebted at or above each bin, (1 + DRAWS, bins) each."""
    many, seen, profit, loss, bad, burden, over = np.moveaxis(sums, 1, 0)

    def above(part: FloatArray) -> FloatArray:
        return np.flip(np.cumsum(np.flip(part, 1), 1), 1)

    with np.errstate(divide="ignore", invalid="ignore"):
        scale = np.where(seen > 0, many / seen, 0.0)
        wide = np.where(burden > 0, many / burden, 0.0)
        granted = above(many)
        return (
            above(profit * scale), above(loss * scale), above(bad * scale) / granted, above(over * wide) / granted,
        )  # fmt: skip


def _band(draws: FloatArray) -> Band:
    low, high = np.nanquantile(draws[1:], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], axis=0)
    return Band(draws[0], low, high)


def _within(share: FloatArray, most: float | None) -> BoolArray:
    return np.ones(len(share), bool) if most is None else np.asarray(share <= most)


def _best(
    profit: FloatArray, allowed: BoolArray, edges: FloatArray
) -> tuple[int | None, float | None, float | None, Band | None]:
    """The allowed cut-off that earns most, where it lies in resamples, and what each other one earns less."""
    if not allowed.any():
        return None, None, None, None
    earned = np.where(allowed, profit, -np.inf)
    best = int(np.argmax(earned[0]))
    low, high = np.quantile(edges[np.argmax(earned[1:], axis=1)], [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return best, float(low), float(high), _band(profit[:, [best]] - profit)
