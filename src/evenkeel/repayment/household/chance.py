"""The chance that a household pays a plan to its end: a survival model of plans over what the household has left.

A path (one possible life) has the money left of each month and what it kept of good ones. Where that does not cover
the month's instalment, the month is missed: all there is goes to the instalment, and nothing is kept. The plan breaks
at the second month missed in a row, or the third within twelve (`Priors`); besides, some leave it for reasons other
than money. Where past plans are known, a hazard fitted to them (`fit`) stands in for both rules.

Three things hold by construction, path by path. Smaller instalments never lower the chance; neither does more income.
And a plan that uses the whole budget of every month is no less safe after the income and, with it, the plan has grown:
whatever is fixed in amount only takes from a path, and what is kept is measured by the income. (Whole minor units, a
month whose budget was nil, and arrears of priority debts that end sooner, may move a path in ten thousand.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.special import ndtri

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.survival import Term, fit_hazards, hazards_of, second_differences
from evenkeel.repayment.household.income import spread_out, stream
from evenkeel.repayment.household.outlook import Outlook
from evenkeel.repayment.model import Chance, FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]

INTERVAL = 0.90
YEAR = 12
MOST_MISSED = 3  # a hazard knows 0, 1, 2, and 3 or more months missed within the last twelve
_BANDS = (1, 4, 7, 13, 25)  # first months of what a fitted hazard tells apart
_FEWEST_BREAKS = 20  # that a hazard is fitted to


@dataclass(frozen=True, slots=True)
class Fitted:
    """A discrete-time hazard of plan break: ln odds = band of the month + burden + months missed of late.

    coefficients: (bands + 2,); covariance: of them. Those of burden and of months missed are never below 0: a plan is
    not made safer by asking more. plans, breaks: months of plans, and breaks, that it was learned from.
    """

    coefficients: FloatArray
    covariance: FloatArray
    plan_months: int
    breaks: int


def chance(
    outlook: Outlook, payments: IntArray, *, fitted: Fitted | None = None, capacity: IntArray | None = None
) -> Chance:
    """The chance to complete a plan, with a 90 % interval over what is not known of the household.

    payments: (T + 1,), of the whole plan; what is paid at 0 is there. fitted, capacity: a hazard learned from past
    plans, and the budget, (T + 1,), whose share the plan's instalments are. Raises InvalidInput where the plan is
    longer than the outlook, or a fitted hazard is given without the budget.
    """
    last = int(np.flatnonzero(payments)[-1]) if payments.any() else 0
    if last > outlook.months:
        raise InvalidInput(
            f"the plan has a payment in month {last}, but the outlook ends with month {outlook.months}.",
            "Make the outlook as long as the plan.",
        )
    if fitted is None:
        alive = [by_draw(outlook, paths) for paths in months_alive(outlook, payments[: last + 1])]
        stayed = (1 - outlook.drop[None, :]) ** np.arange(last + 1)[:, None]
        draws = np.array([np.ones(len(outlook.drop)), *alive]) * stayed
    elif capacity is None:
        raise InvalidInput("a fitted hazard needs the budget, to know how heavy the plan is.", "Pass `capacity`.")
    else:
        draws = _alive_by_hazard(outlook, payments[: last + 1], capacity, fitted)
    survival = np.empty(len(payments))
    survival[: last + 1] = draws.mean(axis=1)
    survival[last:] = survival[last]
    ends = interval(draws[last], outlook.left.shape[1])
    return Chance(float(survival[last]), *ends, survival, outlook.question)


def months_missed(outlook: Outlook, payments: Sequence[int | FloatArray] | IntArray) -> Iterator[BoolArray]:
    """Of each month 1..T: (draws * paths,), whether its instalment is missed. The array is used again.

    payments: (T + 1,), each one amount for all paths, or (draws * paths,) amounts.
    """
    left = np.moveaxis(outlook.left, 2, 0).reshape(outlook.months, -1)
    over, part = (np.zeros(left.shape[1]) for _ in range(2))
    kept = np.maximum(outlook.start_minor - payments[0], 0) + over
    keep, most = outlook.priors.keep_share, outlook.carry_minor + kept
    missed = np.zeros(left.shape[1], np.bool_)
    for month in range(1, len(payments)):
        np.subtract(left[month - 1], payments[month], out=over)
        np.add(kept, over, out=part)
        np.less(part, 0, out=missed)
        missed &= np.greater(payments[month], 0)
        np.multiply(over, keep, out=part)
        np.minimum(over, part, out=part)
        kept += part
        np.clip(kept, 0, most, out=kept)
        yield missed


def months_alive(outlook: Outlook, payments: Sequence[int | FloatArray] | IntArray) -> Iterator[BoolArray]:
    """Of each month 1..T: (draws * paths,), whether the plan has not broken by what was missed. The array is used
    again. payments: as in `months_missed`."""
    size, priors = outlook.left.shape[0] * outlook.left.shape[1], outlook.priors
    alive = np.ones(size, np.bool_)
    row, year = np.zeros(size, np.int8), np.zeros(size, np.int8)
    window = np.zeros((YEAR, size), np.bool_)
    for month, missed in enumerate(months_missed(outlook, payments)):
        slot = window[month % YEAR]
        year -= slot
        year += missed
        slot[:] = missed
        row += missed
        row *= missed
        alive &= (row < priors.in_row) & (year < priors.in_year)
        yield alive


def by_draw(outlook: Outlook, paths: BoolArray) -> FloatArray:
    """(draws,): the share of a draw's paths. paths: (draws * paths,)."""
    shares: FloatArray = paths.reshape(outlook.left.shape[:2]).mean(axis=1)
    return shares


def interval(shares: FloatArray, paths: int) -> tuple[float, float]:
    """The ends of a 90 % interval over draws, each less the part of its distance that simulation alone makes.

    shares: (draws,), of so many paths each. The k-th smallest of n draws has a chance of k / (n + 1) to be above one
    more draw, the truth; the ends lie between the draws where that is 5 % and 95 %.
    """
    count, mean = len(shares), float(shares.mean())
    spread = float(shares.var(ddof=1)) if count > 1 else 0.0
    if spread <= 0:
        return mean, mean
    noise = float((shares * (1 - shares)).mean()) / paths
    moved = mean + np.sqrt(max(1 - noise / spread, 0.0)) * (np.sort(shares) - mean)
    at = np.arange(1, count + 1) / (count + 1)
    ends = np.interp([(1 - INTERVAL) / 2, (1 + INTERVAL) / 2], at, moved)
    return float(min(ends[0], mean)), float(max(ends[1], mean))


# --- learned from past plans -----------------------------------------------------------------------------------------


def fit(histories: pa.Table) -> Fitted:
    """Learn the hazard of plan break from past plans, month by month.

    histories: a row for each month of each plan: month (since the start, 1 first), burden (the instalment as a share of
    what the budget could carry that month), missed (months missed within twelve, this one too), outcome (`going`,
    `broke`, `completed`, `censored`): a month that ends in completion or out of sight is one that was survived.
    Raises InvalidInput where there are fewer than 20 breaks: that says nothing of hazards by month.
    """
    month, burden, missed = (histories[name].to_numpy().astype(np.float64) for name in ("month", "burden", "missed"))
    broke = np.array(histories["outcome"].to_pylist()) == "broke"
    if broke.sum() < _FEWEST_BREAKS:
        raise InvalidInput(
            f"the past plans have {int(broke.sum())} breaks; a hazard by month needs {_FEWEST_BREAKS} or more.",
            "Leave the past plans out: the stated priors are used then.",
        )
    if not (np.isfinite(burden).all() and (burden >= 0).all() and (month >= 1).all() and (missed >= 0).all()):
        raise InvalidInput("a month is below 1, or a burden or a number of months missed is below 0 or not known.")
    band = np.searchsorted(_BANDS, month, side="right") - 1
    heavy = np.minimum(np.round(burden * 20), 40).astype(np.int64)
    late = np.minimum(missed, MOST_MISSED).astype(np.int64)
    cell, place = np.unique(np.column_stack((band, heavy, late)), axis=0, return_inverse=True)
    counts = np.column_stack([np.bincount(place.ravel(), which, len(cell)) for which in (~broke, broke)])
    signed = [True, True]
    while True:
        terms = _terms(cell, signed)
        found = fit_hazards(counts.astype(np.float64), terms)
        below = [bool(part[0, 0] < 0) and there for part, there in zip(found.coefficients[1:], signed, strict=True)]
        if not any(below):
            break
        signed = [there and not under for there, under in zip(signed, below, strict=True)]
    free = np.array([True] * len(_BANDS) + signed)
    beta = np.concatenate([part[0] for part in found.coefficients]) * free
    return Fitted(beta, found.covariance * np.outer(free, free), len(month), int(broke.sum()))


def _terms(cell: IntArray, signed: list[bool]) -> list[Term]:
    """Months in bands, smooth; burden and months missed as straight lines, flat where `signed` says no."""
    bands = len(_BANDS)
    lines = (np.arange(41) / 20.0, np.arange(MOST_MISSED + 1.0))
    return [
        Term(np.eye(bands)[None], cell[:, 0], second_differences(bands), 1.0),
        *(
            Term((line * there)[None, :, None], cell[:, 1 + k], np.eye(1), 1e-6)
            for k, (line, there) in enumerate(zip(lines, signed, strict=True))
        ),
    ]


def _alive_by_hazard(outlook: Outlook, payments: IntArray, capacity: IntArray, fitted: Fitted) -> FloatArray:
    """(T + 1, draws): how much of each draw is alive, by a fitted hazard whose coefficients are drawn as well."""
    draws, paths = outlook.left.shape[:2]
    beta = _coefficients(fitted, outlook, draws)
    bands = len(_BANDS)
    alive = np.ones((draws, paths))
    result = np.ones((len(payments), draws))
    year = np.zeros(draws * paths, np.int64)
    window = np.zeros((YEAR, draws * paths), np.bool_)
    for month, missed in enumerate(months_missed(outlook, payments), start=1):
        band = int(np.searchsorted(_BANDS, month, side="right")) - 1
        burden = min(payments[month] / max(capacity[month], 1), 2.0)
        year -= window[month % YEAR]
        year += missed
        window[month % YEAR] = missed
        late = np.arange(MOST_MISSED + 1)
        odds = (beta[:, band] + beta[:, bands] * burden)[:, None] + beta[:, bands + 1, None] * late
        hazard = hazards_of(odds[:, :, None])[:, :, 0]
        level = np.minimum(year, MOST_MISSED).reshape(draws, paths)
        alive *= 1 - np.take_along_axis(hazard, level, axis=1)
        result[month] = alive.mean(axis=1)
    return result


def _coefficients(fitted: Fitted, outlook: Outlook, draws: int) -> FloatArray:
    """(draws, coefficients), normal about the estimate; those of burden and months missed never below 0."""
    normal = ndtri(spread_out(stream(outlook.seed, "fitted"), len(fitted.coefficients), draws))
    values, vectors = np.linalg.eigh(fitted.covariance)
    root = vectors * np.sqrt(np.maximum(values, 0))
    beta: FloatArray = fitted.coefficients[None, :] + normal.T @ root.T
    beta[:, len(_BANDS) :] = np.maximum(beta[:, len(_BANDS) :], 0)
    return beta
