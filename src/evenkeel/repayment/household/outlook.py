"""What a household will have left, month by month and in many possible lives, and what it can carry of that.

`outlook` simulates: some draws of what is not known of the household (`income.learned`, accidents), and for each some
paths of what may happen. The random numbers depend on the case's seed and the incomes' ids alone: the same case gives
the same bytes; a debt, a creditor or the scale of amounts changes no draw, so that two cases differ by their facts.
`budget` is what a low month leaves. Whatever is owed is not in here.

Money that is fixed in amount is never credited to a path beyond what the budget counts on: what is not known of an
outgo is taken at its high end in both, the reserve is left out, and what a household keeps of good months is measured
by its income. So a budget that grows with the income is never less safe than before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
from scipy.special import ndtri

from evenkeel.kernel.calendar import month_day, month_of
from evenkeel.repayment.case import Case, Income
from evenkeel.repayment.household.income import PRIORS, Learned, Priors, active, high, learned, low, spread_out, stream
from evenkeel.repayment.model import HORIZON, Budget, FloatArray, IntArray, Keep, Question

Float32Array = npt.NDArray[np.float32]

START_DAYS = 14  # from the case's day until the first payments: a proposal and an answer (judgement)
PAY_DAY = 15  # where it is not told (judgement)
_FINE = 100  # hundredths of a minor unit
_APART_MONTHS = 12  # after an income was lost, months are not alike for so long
_MOST_OFTEN = 0.95  # no expense comes in more than so many of the months


@dataclass(frozen=True, slots=True)
class Outlook:
    """A household's months 1, 2, ... in many possible lives. Amounts are minor units, estimates in float64.

    income, left: (draws, paths, months), what comes in, and what is left of it after essentials, priority payments and
        their arrears, and accidents: before debts. Money that comes once is in the `left` of its month.
    expected: (incomes, months), the mean of each income.
    outgo, once: (months,), essentials and priority payments; money that comes once.
    start_minor, arrears_minor: there at the start, and what arrears of priority debts it leaves to the months.
    carry_minor: the most that is kept of good months, beside what the start left.
    alike: (months,), the same number for months that differ by chance alone.
    drop: (draws,), chance a month to leave a plan for reasons other than money. priors: what all of this rests on.
    seed: the case's.
    """

    income: FloatArray
    left: FloatArray
    expected: FloatArray
    outgo: IntArray
    once: IntArray
    start_minor: int
    arrears_minor: int
    carry_minor: float
    alike: IntArray
    drop: FloatArray
    priors: Priors
    seed: int = 0
    questions: tuple[Question, ...] = ()

    @property
    def months(self) -> int:
        """How many months it looks ahead."""
        return int(self.left.shape[2])

    @property
    def question(self) -> bool:
        """Whether the incomes are of a kind that the model does not know well, or one of them is not known."""
        return bool(self.questions)


def outlook(
    case: Case,
    minimum_minor: int = 0,
    *,
    months: int = HORIZON,
    draws: int = 40,
    paths: int = 250,
    priors: Priors = PRIORS,
) -> Outlook:
    """Simulate a household. minimum_minor: the protected minimum of a month; essentials are never taken as less."""
    house = case.household
    known = [learned(income, case, draws, priors) for income in house.incomes]
    calendar = [active(income, case.as_of, range(1, months + 1)) for income in house.incomes]
    essentials, outgo = _outgo(case, minimum_minor, months)
    start, once, arrears = _once(case, months)
    total, left = np.zeros((months, draws, paths)), np.empty((months, draws, paths))
    expected = np.zeros((len(known), months))
    lives = [_lives(one, case, income, months, paths) for one, income in zip(known, house.incomes, strict=True)]
    levels = [one.scale * np.exp(one.level)[:, None] for one in known]
    accidents = _accidents(case, left.shape, priors)
    came, owed = np.empty((draws, paths)), np.full((draws, paths), float(arrears))
    for month in range(months):  # month by month, so that what is worked on stays in the processor's cache
        for place, (life, level) in enumerate(zip(lives, levels, strict=True)):
            np.multiply(next(life), level * calendar[place][month], out=came)
            expected[place, month] = came.mean()
            total[month] += came
        np.subtract(total[month], outgo[month] - once[month], out=left[month])
        np.multiply(next(accidents), np.float64(essentials), out=came)
        left[month] -= came
        if arrears:  # of priority debts: whatever a month leaves goes to them first
            first = np.clip(left[month], 0, owed)
            left[month] -= first
            owed -= first
    drop = priors.drop_monthly * np.exp(priors.drop_spread * ndtri(spread_out(stream(case.seed, "plan"), 1, draws)[0]))
    return Outlook(
        income=np.moveaxis(total, 0, 2),
        left=np.moveaxis(left, 0, 2),
        expected=expected,
        outgo=outgo,
        once=once,
        start_minor=start,
        arrears_minor=arrears,
        carry_minor=priors.carry_share * float(expected.sum()) / months,
        alike=_alike(known, calendar, months),
        drop=np.minimum(drop, 1.0),
        priors=priors,
        seed=case.seed,
        questions=_questions(house.incomes, known),
    )


def _lives(one: Learned, case: Case, income: Income, months: int, paths: int) -> Iterator[Float32Array]:
    """Of each month 1, 2, ...: (draws, paths), an income against a usual month of its own, without its calendar.

    Month 0, that of the case's day, is lived through and not given. Every second path mirrors the noise of another
    (antithetic variates, Hammersley & Morton 1956): half the numbers, and a steadier mean.
    """
    noise = stream(case.seed, "income", income.id, "months")
    persistence, volatility = (part[:, None].astype(np.float32) for part in (one.persistence, one.volatility))
    began = persistence**one.months_ago
    seen = np.isfinite(one.x)[:, None]
    x = np.zeros((len(persistence), paths), np.float32)
    x += np.where(seen, began * one.x[:, None].astype(np.float32), np.float32(0))
    ratio = np.empty_like(x)
    half = np.empty((len(persistence), (paths + 1) // 2), np.float32)
    first = volatility * np.where(seen, np.sqrt(1 - began**2), np.float32(1))
    step = volatility * np.sqrt(1 - persistence**2)
    lost = _lost(one, stream(case.seed, "income", income.id, "lost"), paths)
    benefit = np.repeat(one.benefit.astype(np.float32), paths)
    for month in range(months + 1):
        if month:
            x *= persistence
        noise.standard_normal(dtype=np.float32, out=half)
        np.multiply(half, step if month else first, out=half)
        x[:, : half.shape[1]] += half
        x[:, half.shape[1] :] -= half[:, : paths - half.shape[1]]
        without = next(lost)
        if month:
            np.exp(x, out=ratio)
            ratio.reshape(-1)[without] = benefit[without]
            yield ratio


def _lost(one: Learned, chance: np.random.Generator, paths: int) -> Iterator[IntArray]:
    """Of each month 0, 1, ...: the places, in draws x paths, where the income does not come in. Few: so only where it
    is lost or found is anything done."""
    stay, found = (np.repeat(part.astype(np.float32), paths) for part in (1 - one.loss, one.found))
    here = np.full(len(stay), not one.lost)
    bound = found.copy() if one.lost else stay.copy()  # it is there where a uniform number is below
    drawn, now = np.empty_like(bound), np.empty_like(here)
    steady = not one.lost and not one.loss.any()
    while True:
        if not steady:
            chance.random(dtype=np.float32, out=drawn)
            np.less(drawn, bound, out=now)
            turned = np.flatnonzero(now != here)
            bound[turned] = np.where(now[turned], stay[turned], found[turned])
            here, now = now, here
        yield np.flatnonzero(~here)


def _outgo(case: Case, minimum_minor: int, months: int) -> tuple[int, IntArray]:
    """(essentials of a month, (months,) essentials and priority payments): what is not known at its high end."""
    house = case.household
    essentials = max(sum(high(essential.amount_minor) for essential in house.essentials), minimum_minor)
    result = np.full(months, essentials, np.int64)
    for priority in house.priority:
        until = months if priority.until_on is None else month_of(priority.until_on) - month_of(case.as_of)
        result[: max(until, 0)] += high(priority.monthly_minor)
    return essentials, result


def _once(case: Case, months: int) -> tuple[int, IntArray, int]:
    """(what is there at the start, (months,) what comes once, arrears of priority debts that the start leaves)."""
    house = case.household
    start_on = case.as_of + timedelta(days=START_DAYS)
    start = max(low(house.savings_minor) - house.reserve_minor, 0)
    once = np.zeros(months, np.int64)
    for money in house.one_off:
        month = max(month_of(money.on) - month_of(case.as_of), 1)
        if money.on <= start_on:
            start += money.amount_minor
        elif month <= months:
            once[month - 1] += money.amount_minor
    arrears = sum(high(priority.arrears_minor) for priority in house.priority)
    paid = min(arrears, start)
    return start - paid, once, arrears - paid


def _accidents(case: Case, shape: tuple[int, ...], priors: Priors) -> Iterator[Float32Array]:
    """Of each month: (draws, paths), what nobody planned, in months of essentials. shape: (months, draws, paths).

    One exponential number a month: beyond one bound it is a small expense, beyond another a large one as well. What is
    beyond a bound is exponential again, so that each comes as often as it should.
    """
    months, draws, paths = shape
    often = np.exp(priors.accident_spread * ndtri(spread_out(stream(case.seed, "accidents"), 2, draws)))
    sizes = stream(case.seed, "accidents", "months")
    kinds = [
        (-np.log(np.minimum(monthly * factor, _MOST_OFTEN)).astype(np.float32)[:, None], np.float32(share))
        for factor, monthly, share in (
            (often[0], priors.small_monthly, priors.small_share),
            (often[1], priors.large_monthly, priors.large_share),
        )
        if monthly * share > 0
    ]
    drawn, beyond, cost = (np.empty((draws, paths), np.float32) for _ in range(3))
    for _ in range(months):
        cost[:] = 0
        if kinds:
            sizes.standard_exponential(dtype=np.float32, out=drawn)
        for bound, share in kinds:
            np.subtract(drawn, bound, out=beyond)
            np.maximum(beyond, np.float32(0), out=beyond)
            beyond *= share
            cost += beyond
        yield cost


def _alike(known: list[Learned], calendar: list[FloatArray], months: int) -> IntArray:
    """(months,): the same number where every income has the same calendar; months after a loss stand apart."""
    rows = [np.round(one, 9) for one in calendar]
    if any(one.lost for one in known):
        rows.append(np.minimum(np.arange(months, dtype=np.float64), _APART_MONTHS))
    if not rows:
        return np.zeros(months, np.int64)
    alike: IntArray = np.unique(np.array(rows), axis=1, return_inverse=True)[1].reshape(months).astype(np.int64)
    return alike


def _questions(incomes: tuple[Income, ...], known: list[Learned]) -> tuple[Question, ...]:
    """What to ask of incomes that are not known, or whose months are of another shape."""
    found = []
    for place, (income, one) in enumerate(zip(incomes, known, strict=True)):
        about = f"household.incomes.{place}"
        values: Mapping[str, object] = {"income": income.id}
        if not one.known:
            found.append(Question(f"{about}.amount_minor", "repay.income.unknown", blocking=len(known) == 1))
        found += [
            Question(f"{about}.history_minor", f"repay.income.{odd}", round(one.scale * 0.1), values=values)
            for odd in one.odd
        ]
    return tuple(found)


# --- what it can carry -----------------------------------------------------------------------------------------------


def low_months(outlook: Outlook, quantile: float) -> FloatArray:
    """(months,): income of a low month, by calendar. A value that was simulated: a share `quantile` of months is below.

    Months that are alike share one figure, over all draws and paths: what is not known of the incomes lowers it.
    """
    income = np.moveaxis(outlook.income, 2, 0)
    result = np.empty(outlook.months)
    for number in np.unique(outlook.alike):
        where = outlook.alike == number
        values = income[where].ravel()
        rank = max(int(np.ceil(quantile * values.size)) - 1, 0)
        result[where] = np.partition(values, rank)[rank]
    return result


def budget(case: Case, outlook: Outlook) -> Budget:
    """What the household can carry: of each month a low income less essentials, priority payments and arrears.

    Whole minor units, never below 0. At 0 stands what is there at the start; money that comes once, in its month.
    due_on: the start, `START_DAYS` after the case's day, and the days after the main income's pay days.
    """
    money = Carried(case, outlook)
    return Budget(money.capacity(), money.keep, due_days(case, outlook))


class Carried:
    """What a household can carry, and what it could with more money: not all of that reaches its debts, where a low
    month is short of essentials or arrears of priority debts come first.

    What a low month lacks is held back from the months before it, the latest first, as far as a household keeps money
    (`keep`), and from the start, which keeps what the first month lacks besides: savings are kept wholly. Were that
    bound by a share of the income as well, more income would leave less to debts. It is reckoned in hundredths of minor
    units: what many low months lack is rounded once, not month by month and then doubled.
    """

    def __init__(self, case: Case, outlook: Outlook) -> None:
        self._over = _over(case, outlook)
        self._start, self._arrears = outlook.start_minor, outlook.arrears_minor
        keep = Keep(round(100 * outlook.priors.keep_share), int(outlook.carry_minor))
        self._percent, self._most = keep.percent, keep.most_minor * _FINE
        peak = -(-int(self._held(0, 0)[1][1:].max()) // _FINE)
        self.keep = replace(keep, most_minor=keep.most_minor - peak)  # for debts: what essentials leave

    def capacity(self, monthly_minor: int = 0, start_minor: int = 0) -> IntArray:
        """(months + 1,): with so much more every month, for certain, and at the start."""
        later, needed = self._held(monthly_minor, start_minor)
        start = self._start + start_minor - min(start_minor, self._arrears)
        held = -(-int(needed[0]) // _FINE)
        return np.concatenate(([start - min(start, held)], later // _FINE)).astype(np.int64)

    def _held(self, monthly_minor: int, start_minor: int) -> tuple[IntArray, IntArray]:
        """((months,) what each month has beyond what it holds back for those after it that are short of essentials,
        (months + 1,) what is to stand aside for these, at the start and at each month's end), in hundredths."""
        over, percent = self._over + monthly_minor * _FINE, self._percent
        spare = np.maximum(over, 0)
        spare -= arrears_months(spare // _FINE, self._arrears - min(start_minor, self._arrears)) * _FINE
        needed = np.zeros(len(over) + 1, np.int64)
        for month in range(len(over) - 1, -1, -1):
            here = int(needed[month + 1])
            if over[month] < 0:
                here -= int(over[month])
            elif here and percent:
                held = min(int(spare[month]), -(-100 * here // percent))
                spare[month] -= held
                here = max(0, here - held * percent // 100)
            needed[month] = min(here, self._most) if month else here
        return spare, needed


def spare_months(case: Case, outlook: Outlook) -> IntArray:
    """(months,): what a low month leaves for arrears of priority debts and all other debts, never below 0."""
    spare: IntArray = np.maximum(_over(case, outlook), 0) // _FINE
    return spare


def _over(case: Case, outlook: Outlook) -> IntArray:
    """(months,): what a low month has over after essentials and priority payments, in hundredths of minor units; below
    0 what it lacks."""
    income = np.floor(low_months(outlook, case.quantile) * _FINE).astype(np.int64)
    over: IntArray = income + (outlook.once - outlook.outgo) * _FINE
    return over


def arrears_months(spare: IntArray, arrears: int) -> IntArray:
    """(months,): what of it goes to arrears of priority debts: all, until they are paid."""
    paid: IntArray = np.diff(np.minimum(np.cumsum(spare), arrears), prepend=0)
    return paid


def due_days(case: Case, outlook: Outlook) -> tuple[date, ...]:
    """The start, and for each month the day after the main income's pay day, clamped to the month's end."""
    incomes = case.household.incomes
    main = int(outlook.expected.sum(axis=1).argmax()) if incomes else 0
    day = (incomes[main].pay_day if incomes else None) or PAY_DAY
    first = month_of(case.as_of) + 1
    later = tuple(month_day(first + month, day) + timedelta(days=1) for month in range(outlook.months))
    start = case.as_of + timedelta(days=START_DAYS)
    return (min(start, later[0] - timedelta(days=1)) if later else start, *later)
