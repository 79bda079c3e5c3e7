"""What a household's incomes are likely to be: how each goes up and down, learned from what was seen, else assumed.

An income of month t is  level x season(t) x active(t) x exp(x(t)),  x(t) = persistence x(t-1) + noise, with standard
deviation `volatility` in any month: a lognormal month around a usual one, whose good and bad months cling together.
Besides, it may be lost in a month, and found again; while it is lost, another payer gives a share of it. None of this
is known: `learned` gives draws of it, from the posterior given the months seen, so that whoever uses them carries the
uncertainty along. Amounts enter as ratios alone: ten times the amounts are ten times the incomes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cache
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv, ndtri

from evenkeel.kernel.calendar import month_end, month_of
from evenkeel.repayment.case import Between, Case, Income, Known
from evenkeel.repayment.model import FloatArray

BoolArray = npt.NDArray[np.bool_]

_CELLS = 64  # of the grid of volatilities, over 4.5 standard deviations of its logarithm on both sides
_GAP = 0.05  # a month below this share of the median month is one without the income
_CLINGING = 0.6  # what the shape of a history is freed of: near the most that is assumed
_MONTHS_A_LOSS = 20  # one more loss is expected for so many months
_FEWEST_MONTHS = 8  # of a history that its shape can be judged by


@dataclass(frozen=True, slots=True)
class Usual:
    """Of a kind of income: the median volatility, the chance to lose it within a year, the share another pays then."""

    volatility: float
    loss_annual: float
    benefit: tuple[float, float] = (0.0, 0.0)


def _usual() -> Mapping[str, Usual]:
    """By kind, for want of any survey of Chinese households by month: judgements, but for the loss of a wage.

    12 % a year is what surveyed urban unemployment of 5.1 % (NBS 2025) and five months of search imply. A fifth of a
    wage from unemployment insurance, give or take as much: it pays below the minimum wage, and not everybody.
    """
    return {
        "wage": Usual(0.12, 0.12, (0.0, 0.4)),
        "business": Usual(0.35, 0.15),
        "gig": Usual(0.30, 0.20),
        "benefit": Usual(0.05, 0.05),
        "pension": Usual(0.03, 0.005),
        "rent": Usual(0.10, 0.10),
        "support": Usual(0.25, 0.15),
        "other": Usual(0.25, 0.15),
    }


@dataclass(frozen=True, slots=True)
class Priors:
    """What is taken for granted of incomes, accidents and plans before this household is looked at.

    volatility_spread, volatility_told: standard deviation of the logarithm of the volatility about the kind's median,
        or about what the case tells (judgements).
    persistence: values of it, equally likely (judgement; nothing is known of Chinese months).
    level: standard deviation of the logarithm of a usual month about the amount told, by evidence (judgements).
    loss_worth, loss_told_worth: how many losses seen the chance of one is worth, as assumed and as told (judgements).
    months_out, out_worth: mean months until it is found again, and how many findings that is worth (judgements).
    small_monthly, small_share, large_monthly, large_share: how often a month brings an expense that nobody planned, and
        its mean as a share of a month's essentials. 60 % of US households had a shock within a year, 24 % of them a cut
        in pay alone, and the dearest cost the median half a month's income (Pew 2015, read): a large one in three of
        ten years here, for incomes are lost apart. The small ones are a judgement.
    accident_spread, drop_spread: standard deviation of the logarithm of how often, and of the drop-out (judgements).
    drop_monthly: chance a month to leave a plan for reasons other than money. 37.6 % of HAMP's 2010 modifications broke
        again (SIGTARP), 0.00783 a month over 60; a fifth of it is taken for forgetting, moving, losing heart, as most
        causes told are money. An order of magnitude from another country and product.
    keep_share, carry_share: what a household keeps of a good month for the next ones, and the most it keeps, as a share
        of a usual month's income (judgements).
    volatility_times, loss_times: how many times as volatile, and as easily lost, the incomes are taken to be as they
        were learned: to see what hangs on it.
    in_row, in_year: a plan breaks at so many months missed in a row, or within twelve (judgement, near what creditors
        write into plans).
    """

    usual: Mapping[str, Usual] = field(default_factory=_usual)
    volatility_spread: float = 0.5
    volatility_told: float = 0.2
    persistence: tuple[float, ...] = (0.0, 0.15, 0.3, 0.45, 0.6, 0.75)
    level: Mapping[str, float] = field(default_factory=lambda: {"verified": 0.02, "statement": 0.05, "declared": 0.1})
    loss_worth: float = 2.0
    loss_told_worth: float = 8.0
    months_out: float = 5.0
    out_worth: float = 4.0
    small_monthly: float = 0.30
    small_share: float = 0.10
    large_monthly: float = 0.03
    large_share: float = 0.70
    accident_spread: float = 0.4
    drop_monthly: float = 0.0016
    drop_spread: float = 0.7
    keep_share: float = 0.5
    carry_share: float = 0.5
    volatility_times: float = 1.0
    loss_times: float = 1.0
    in_row: int = 2
    in_year: int = 3


PRIORS = Priors()


@dataclass(frozen=True, slots=True)
class Learned:
    """One income: draws of what it may be, each (draws,). scale: minor units, an amount that was told or seen.

    level, x: logarithms, of a usual month against `scale`, and of the latest month seen against a usual one; NaN in x
    where none was seen. months_ago: how long before month 0 that was. lost: it is not coming in now.
    odd: what about the months seen does not look like this process, as keys. known: false where nothing is told of it.
    """

    scale: float
    level: FloatArray
    volatility: FloatArray
    persistence: FloatArray
    x: FloatArray
    months_ago: int
    loss: FloatArray
    found: FloatArray
    benefit: FloatArray
    lost: bool = False
    odd: tuple[str, ...] = ()
    known: bool = True


def stream(seed: int, *names: str) -> np.random.Generator:
    """A generator that depends on the seed and the names alone."""
    key = int.from_bytes(sha256("\x1f".join(names).encode()).digest()[:16])
    return np.random.Generator(np.random.SFC64(np.random.SeedSequence([seed, key])))


def spread_out(generator: np.random.Generator, columns: int, draws: int) -> FloatArray:
    """(columns, draws) in (0, 1): each column has one value in each of `draws` equal parts (Latin hypercube)."""
    places = generator.permuted(np.tile(np.arange(draws, dtype=np.float64), (columns, 1)), axis=1)
    result: FloatArray = (places + generator.uniform(1e-9, 1 - 1e-9, (columns, draws))) / draws
    return result


def high(amount: Known) -> int:
    """The most that an amount may be; 0 where nothing is told of it."""
    return amount.high_minor if isinstance(amount, Between) else amount or 0


def low(amount: Known) -> int:
    """The least that an amount may be; 0 where nothing is told of it."""
    return amount.low_minor if isinstance(amount, Between) else amount or 0


# --- what an income may be -------------------------------------------------------------------------------------------


def learned(income: Income, case: Case, draws: int, priors: Priors = PRIORS) -> Learned:
    """Draws of what an income may be.

    From `history_minor`, months before that of the case's day: flat in level, lognormal in volatility, even in
    persistence, exact on a grid (AR(1), Box & Jenkins 1976, with months missing); losses and findings counted on beta
    priors. A history of another shape counts as a quarter of its months. Else from the amount told, or between two.
    """
    usual = priors.usual[income.kind]
    uniform = spread_out(stream(case.seed, "income", income.id), 6, draws)
    months = _seen(income, case)
    here = _there(months)
    begin = int(here.argmax()) if here.any() else len(here)
    months, here = months[begin:], here[begin:]
    loss, found = _losses(income, usual, here, months, uniform[3:5], priors)
    loss = np.minimum(loss * priors.loss_times, 1.0)
    benefit = usual.benefit[0] + (usual.benefit[1] - usual.benefit[0]) * uniform[5]
    at = np.flatnonzero(here)
    if not len(at):
        level, scale = _told(income, uniform[0], priors)
        centre, wide = _centre(income, usual, priors, seen=False)
        volatility = centre * np.exp(wide * ndtri(uniform[1])) * priors.volatility_times
        steps = np.minimum((uniform[2] * len(priors.persistence)).astype(int), len(priors.persistence) - 1)
        persistence, unseen = np.array(priors.persistence)[steps], np.full(draws, np.nan)
        known = income.amount_minor is not None
        return Learned(scale, level, volatility, persistence, unseen, 0, loss, found, benefit, known=known)
    scale = float(months[at].max())
    logs = np.log(months[at] / scale)
    odd = odd_shape(at, logs, months)
    level, volatility, persistence = _posterior(income, at, logs, uniform[:3], 0.25 if odd else 1.0, priors)
    volatility *= priors.volatility_times
    lost = bool(np.isfinite(months[-1]) and not here[-1])
    gap = len(months) - int(at[-1])
    return Learned(scale, level, volatility, persistence, logs[-1] - level, gap, loss, found, benefit, lost, odd)


def _there(months: FloatArray) -> BoolArray:
    """In which months the income came in: others are lost ones, or NaN, not seen."""
    positive = months[months > 0]
    result: BoolArray = months > _GAP * float(np.median(positive)) if len(positive) else np.zeros(len(months), np.bool_)
    return result


def _seen(income: Income, case: Case) -> FloatArray:
    """The months seen, without their season, up to the month before the case's day; NaN where the season has none."""
    months = np.array(income.history_minor, np.float64)
    first = month_of(case.as_of) - len(months)
    if income.season is not None and len(months):
        factor = np.array(income.season)[(first + np.arange(len(months))) % 12]
        months = np.divide(months, factor, out=np.full(len(months), np.nan), where=factor > 0)
    if income.from_on is not None:
        months = months[max(month_of(income.from_on) - first, 0) :]
    return months


def _told(income: Income, uniform: FloatArray, priors: Priors) -> tuple[FloatArray, float]:
    """(logarithm of a usual month against the scale, the scale), where no month was seen."""
    amount, wide = income.amount_minor, priors.level[income.evidence]
    if isinstance(amount, Between):
        top = float(max(amount.low_minor, amount.high_minor))
        ends = (amount.low_minor / top, amount.high_minor / top) if top else (1.0, 1.0)
        return np.log(np.maximum(ends[0] + (ends[1] - ends[0]) * uniform, 1e-6)), top
    return wide * ndtri(uniform), float(amount or 0)


def _centre(income: Income, usual: Usual, priors: Priors, *, seen: bool) -> tuple[float, float]:
    """(median of the volatility, standard deviation of its logarithm) before any month is looked at."""
    told = income.volatility
    if seen:
        return (told or usual.volatility or 0.01), priors.volatility_spread
    return (usual.volatility, priors.volatility_spread) if told is None else (told, priors.volatility_told)


def _posterior(
    income: Income, at: npt.NDArray[np.int64], logs: FloatArray, uniform: FloatArray, worth: float, priors: Priors
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(level, volatility, persistence), (draws,) each. at: places of the months in time. worth: of a month, to 1.

    Given persistence and volatility, level is normal about its generalised least squares; what remains is on a grid.
    """
    centre, wide = _centre(income, priors.usual[income.kind], priors, seen=True)
    cells = np.linspace(-4.5, 4.5, _CELLS) * max(wide, 1e-6)
    sizes = np.log(centre) + cells
    r = np.array(priors.persistence)[:, None] ** np.diff(at)[None, :]  # (persistences, months - 1)
    rest = 1 - r**2
    moved = logs[None, 1:] - r * logs[None, :-1]
    a = 1 + ((1 - r) ** 2 / rest).sum(1)
    b = logs[0] + ((1 - r) * moved / rest).sum(1)
    c = logs[0] ** 2 + (moved**2 / rest).sum(1)
    squares = np.maximum(c - b**2 / a, 0.0)
    seen = (
        -(len(logs) - 1) * sizes[None, :]
        - (0.5 * np.log(rest).sum(1) + 0.5 * np.log(a))[:, None]
        - squares[:, None] / (2 * np.exp(2 * sizes[None, :]))
    )
    density = worth * seen - cells[None, :] ** 2 / (2 * max(wide, 1e-6) ** 2)
    weight = np.cumsum(np.exp(density - density.max()).ravel())
    cell = np.searchsorted(weight, uniform[1] * weight[-1])
    row, column = np.divmod(np.minimum(cell, weight.size - 1), _CELLS)
    within = (uniform[2] - 0.5) * (cells[1] - cells[0])
    volatility = np.exp(sizes[column] + within)
    level = (b / a)[row] + volatility / np.sqrt(worth * a[row]) * ndtri(uniform[0])
    return level, volatility, np.array(priors.persistence)[row]


def _losses(
    income: Income,
    usual: Usual,
    here: BoolArray,
    months: FloatArray,
    uniform: FloatArray,
    priors: Priors,
) -> tuple[FloatArray, FloatArray]:
    """(chance a month to lose it, chance a month to find it again), (draws,) each."""
    told = income.loss_annual
    monthly = 1 - (1 - min(usual.loss_annual if told is None else told, 1 - 1e-9)) ** (1 / 12)
    seen = np.isfinite(months)
    both = seen[:-1] & seen[1:]
    lost, kept = (both & here[:-1] & ~here[1:]).sum(), (both & here[:-1] & here[1:]).sum()
    again, out = (both & ~here[:-1] & here[1:]).sum(), (both & ~here[:-1] & ~here[1:]).sum()
    found = betaincinv(priors.out_worth + again, priors.out_worth * (priors.months_out - 1) + out, uniform[1])
    worth = priors.loss_worth if told is None else priors.loss_told_worth
    if monthly <= 0:
        return np.zeros(len(found)), found
    return betaincinv(worth + lost, worth * (1 / monthly - 1) + kept, uniform[0]), found


# --- does it look like that? -----------------------------------------------------------------------------------------


def odd_shape(at: npt.NDArray[np.int64], logs: FloatArray, months: FloatArray) -> tuple[str, ...]:
    """What about the months seen does not look like the process, as keys of sentences; () where it may well be it.

    `gaps`: lost oftener than was to be expected. `break`: the level differs before and after some month, or for a
    spell. `trend`: it rises or falls throughout. `tails`: a month far outside of the others. Months are first freed of
    a persistence of 0.6, or slow ups and downs would pass for breaks. The bounds are such that of histories of the
    process itself each calls about one in fifty odd, all of them one in twelve or less (simulated for 12 to 48 months:
    tests/repayment/test_outlook_shape.py). With fewer than 8 months nothing is called so but gaps.
    """
    found = []
    inside = np.zeros(len(months), bool)
    inside[at] = True
    losses = int((inside[:-1] & ~inside[1:] & np.isfinite(months[1:])).sum())
    if losses >= 2 + len(months) // _MONTHS_A_LOSS:
        found.append("gaps")
    if len(logs) < _FEWEST_MONTHS:
        return tuple(found)
    r = _CLINGING ** np.diff(at)
    rest = np.sqrt(1 - r**2)
    white = np.concatenate((logs[:1], (logs[1:] - r * logs[:-1]) / rest))
    one = np.concatenate(([1.0], (1 - r) / rest))
    if np.abs(white - white.mean() * one / one.mean()).max() <= 1e-9:
        return tuple(found)
    for name, shape, bound in (("break", _spells(len(at)), 4.2), ("trend", at[None, :] - at.mean(), 3.2)):
        step = np.concatenate((shape[:, :1], (shape[:, 1:] - r * shape[:, :-1]) / rest), axis=1)
        if _steepest(white, one, step) > bound:
            found.append(name)
    away = np.sort(np.abs(white - np.median(white[1:] / one[1:]) * one))
    if away[-1] > 4.0 * max(away[int(0.75 * len(away)) - 1], 1e-9):
        found.append("tails")
    return tuple(found)


@cache
def _spells(count: int) -> FloatArray:
    """(shapes, months): 1 from some month on, or for a spell within; on either side of a change there are 3 months or
    more, and 4 in a spell."""
    month = np.arange(count)
    ends = [(begin, count) for begin in range(4, count - 3)]
    ends += [(begin, end) for begin in range(3, count - 6) for end in range(begin + 4, count - 2)]
    return np.array([(month >= begin) & (month < end) for begin, end in ends], np.float64)


def _steepest(white: FloatArray, one: FloatArray, steps: FloatArray) -> float:
    """The largest |t| of a shape beside a level, over shapes (rows of `steps`)."""
    step = steps - (steps @ one)[:, None] * one / (one @ one)
    rest = white - (white @ one) * one / (one @ one)
    square = (step**2).sum(1)
    slope = step @ rest / square
    unexplained = np.maximum((rest**2).sum() - slope**2 * square, 1e-18)
    t: FloatArray = slope * np.sqrt(square * (len(white) - 2) / unexplained)
    return float(np.abs(t).max())


# --- when it comes in ------------------------------------------------------------------------------------------------


def active(income: Income, as_of: date, months: range) -> FloatArray:
    """What the calendar alone says of an income: season, and the share of days it is there. months: from `as_of`'s."""
    numbers = month_of(as_of) + np.array(months)
    result: FloatArray = np.array(income.season or (1.0,) * 12, np.float64)[numbers % 12]
    if income.from_on is not None or income.until_on is not None:
        result *= [_days(income, int(number)) for number in numbers]
    return result


def _days(income: Income, number: int) -> float:
    """The share of a month's days on which the income is there."""
    last = month_end(number)
    start: date = last.replace(day=1)
    begin = max(income.from_on or start, start)
    end = min(income.until_on or last, last)
    return max((end - begin) / timedelta(days=1) + 1, 0.0) / last.day
