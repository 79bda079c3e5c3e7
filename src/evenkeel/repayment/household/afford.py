"""What a household can carry, told in full: its money day by day, the amounts that are safe, and what they hang on.

Months say whether there is enough; days say whether it is there when it is due. `afford` follows the balance over the
next two years under five named scenarios, gives the level payment that is safe as a distribution over possible lives,
and tries each assumption, one at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from msgspec import structs

from evenkeel.kernel.calendar import month_day, month_end, month_of
from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.case import Between, Case, Income, Known
from evenkeel.repayment.household.chance import BoolArray, by_draw, interval, months_alive, months_missed
from evenkeel.repayment.household.income import Priors, active, high, low
from evenkeel.repayment.household.outlook import (
    PAY_DAY,
    Outlook,
    arrears_months,
    due_days,
    low_months,
    outlook,
    spare_months,
)
from evenkeel.repayment.model import FloatArray, IntArray

MONTHS = 24  # that are followed day by day
SAFE_MONTHS = (12, 24, 60)
SAFE_QUANTILES = (0.05, 0.1, 0.2, 0.5, 0.8)
SCENARIOS = ("expected", "low", "job_loss", "seasonal_low", "recovery")
_DAILY = ("food", "transport", "other")  # essentials that are spent a little every day; others on their day
_LOW_SEASON = (0, 1, 2)  # January to March, around the Spring Festival, where no season is told (judgement)
_PAY_AGAIN = 0.9  # of a wage found again; displaced workers lose 10 to 25 % (Jacobson et al. 1993, memory)
_STEPS = 22  # of the search for a safe amount: to a four-millionth of the most that a month leaves
_TRIED = {"months": MONTHS, "draws": 20, "paths": 100}  # of an outlook that tries an assumption
_CHANGE = 10  # per cent


@dataclass(frozen=True, slots=True)
class Scenario:
    """One named course of two years. balances: at the end of each day, the case's day first. out_on: the first day on
    which there is less than nothing; reserve_on: on which the reserve is touched."""

    name: str
    balances: tuple[int, ...]
    out_on: date | None
    reserve_on: date | None
    lowest_on: date
    lowest_minor: int


@dataclass(frozen=True, slots=True)
class Safe:
    """The level payment that a share `confidence` of possible lives carries for so many months without a break."""

    months: int
    confidence: float
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What becomes of the safe amounts when one assumption changes. about: where in the case, or of the model."""

    about: str
    change: str
    safe_minor: int
    by_day_minor: int
    safe_change_minor: int
    by_day_change_minor: int


@dataclass(frozen=True, slots=True)
class Affordability:
    """What a household can carry.

    safe_minor: the level payment carried for two years by all but the case's `quantile` of lives. by_day_minor: the
    most that a low month's balance carries on every due day. payment_minor: what was asked about, or `safe_minor`;
    miss: the chance to miss it at least once within twelve months, with its 90 % interval.
    """

    case_id: str
    as_of: date
    currency: str
    payment_minor: int
    safe_minor: int
    by_day_minor: int
    miss: float
    miss_low: float
    miss_high: float
    question: bool
    pay_days: tuple[tuple[str, date], ...]
    due_days: tuple[date, ...]
    scenarios: tuple[Scenario, ...]
    safe: tuple[Safe, ...]
    sensitivity: tuple[Sensitivity, ...]

    def document(self) -> dict[str, Any]:
        """The same as plain data for JSON; days as ISO dates."""
        return {name: _plain(value) for name, value in asdict(self).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(part) for part in value]
    return value.isoformat() if isinstance(value, date) else value


def afford(case: Case, ahead: Outlook, minimum_minor: int = 0, payment_minor: int | None = None) -> Affordability:
    """What the household can carry. ahead: its outlook, of 24 months or more. minimum_minor: as in `outlook`.

    payment_minor: a level payment to all debts to ask about; the safe amount where it is left out.
    Raises InvalidInput where the outlook is shorter, or the payment below 0.
    """
    if ahead.months < MONTHS:
        raise InvalidInput(f"the outlook has {ahead.months} months.", f"Make it {MONTHS} months long or longer.")
    if payment_minor is not None and payment_minor < 0:
        raise InvalidInput(f"the payment asked about is {payment_minor}; it is 0 or more, in minor units.")
    months = [length for length in SAFE_MONTHS if length <= ahead.months]
    carried = {length: largest_carried(ahead, length) for length in months}
    safe = [Safe(length, round(1 - q, 2), _quantile(carried[length], q)) for length in months for q in SAFE_QUANTILES]
    amount = _quantile(carried[MONTHS], case.quantile)
    payment = amount if payment_minor is None else payment_minor
    ever = np.zeros(ahead.left.shape[0] * ahead.left.shape[1], np.bool_)
    for missed in months_missed(ahead, [0, *[payment] * 12]):
        ever |= missed
    shares = by_draw(ahead, ever)
    days = _Days(case, ahead, minimum_minor)
    due = due_days(case, ahead)[: MONTHS + 1]
    return Affordability(
        case_id=case.case_id,
        as_of=case.as_of,
        currency=case.currency,
        payment_minor=payment,
        safe_minor=amount,
        by_day_minor=days.most_by_day(),
        miss=float(shares.mean()),
        **dict(zip(("miss_low", "miss_high"), interval(shares, ahead.left.shape[1]), strict=True)),
        question=ahead.question,
        pay_days=tuple(days.pay_days()),
        due_days=due,
        scenarios=tuple(days.scenario(name, payment) for name in SCENARIOS),
        safe=tuple(safe),
        sensitivity=_sensitivity(case, minimum_minor, ahead.priors),
    )


# --- safe amounts ----------------------------------------------------------------------------------------------------


def largest_carried(ahead: Outlook, months: int) -> FloatArray:
    """(draws * paths,): the largest whole level payment in months 1..months that does not break on a path, savings
    above the reserve used for it.

    Found by halving, for all paths at once: a smaller payment never breaks sooner.
    """
    left = np.moveaxis(ahead.left, 2, 0)[:months].reshape(months, -1)
    least: FloatArray = np.zeros(left.shape[1])
    most = np.floor(np.maximum(left.max(axis=0), 0) + ahead.carry_minor + ahead.start_minor) + 1
    for _ in range(_STEPS):
        middle = np.ceil((least + most) / 2)
        *_, alive = months_alive(ahead, [0, *[middle] * months])
        least = np.where(alive, middle, least)
        most = np.where(alive, most, middle)
    return least


def _quantile(amounts: FloatArray, quantile: float) -> int:
    """The value that all but a share `quantile` reach: one of them."""
    rank = max(int(np.ceil(quantile * len(amounts))) - 1, 0)
    return int(np.partition(amounts, rank)[rank])


# --- day by day ------------------------------------------------------------------------------------------------------


class _Days:
    """A household's money by day: what comes and goes on which day, by scenario. Month 0 is what is left of the case's
    own; incomes of it are taken as those of month 1. late_days: how long after its day all pay comes."""

    def __init__(self, case: Case, ahead: Outlook, minimum_minor: int, late_days: int = 0) -> None:
        self.case, self.ahead, self.late_days = case, ahead, late_days
        self.first = month_of(case.as_of)
        self.last_on = month_day(self.first + MONTHS, case.as_of.day)
        self.size = (self.last_on - case.as_of).days + 1
        self.due_on = [day for day in due_days(case, ahead)[1:] if day <= self.last_on]
        self.expected = self._expected()
        self.fixed = self._fixed(minimum_minor)
        low_whole = low_months(ahead, case.quantile)[:MONTHS]
        whole = np.maximum(self.expected.sum(axis=0), 1e-9)
        self.low_ratio = np.minimum(np.concatenate((low_whole[:1], low_whole)) / whole, 1.0)

    def _expected(self) -> FloatArray:
        """(incomes, MONTHS + 1), month 0 first."""
        incomes = self.case.household.incomes
        result = np.zeros((len(incomes), MONTHS + 1))
        result[:, 1:] = self.ahead.expected[:, :MONTHS]
        for row, income in zip(result, incomes, strict=True):
            calendar = active(income, self.case.as_of, range(MONTHS + 1))
            there = np.flatnonzero(calendar[1:] > 0)
            row[0] = calendar[0] * row[1 + there[0]] / calendar[1 + there[0]] if len(there) else 0.0
        return result

    def _put(self, flow: IntArray, on: date, amount: int) -> None:
        """Book an amount on a day, where the day is after the case's and within the two years."""
        place = (on - self.case.as_of).days
        if 0 < place < self.size:
            flow[place] += amount

    def _spread(self, flow: IntArray, amount: int) -> None:
        """Take a monthly amount off in equal daily parts, whole minor units, exact over each month."""
        for number in range(self.first, self.first + MONTHS + 1):
            length = month_end(number).day
            parts = np.diff(np.arange(length + 1) * amount // length)
            begin = (month_day(number, 1) - self.case.as_of).days
            inside = slice(max(1 - begin, 0), max(min(self.size - begin, length), 0))
            flow[begin + inside.start : begin + inside.stop] -= parts[inside]

    def _fixed(self, minimum_minor: int) -> IntArray:
        """(days,): on the case's day savings, and beside them what is left of the last pay: enough to live on until the
        next one (a judgement); then essentials, priority payments, arrears, accidents at their mean, and money that
        comes once."""
        house, priors = self.case.household, self.ahead.priors
        flow = np.zeros(self.size, np.int64)
        flow[0] = low(house.savings_minor)
        total = sum(high(essential.amount_minor) for essential in house.essentials)
        daily = max(minimum_minor - total, 0)
        months = range(self.first, self.first + MONTHS + 1)
        for essential in house.essentials:
            if essential.category in _DAILY:
                daily += high(essential.amount_minor)
                continue
            for number in months:
                self._put(flow, month_day(number, essential.pay_day), -high(essential.amount_minor))
        accidents = priors.small_monthly * priors.small_share + priors.large_monthly * priors.large_share
        self._spread(flow, daily + round(accidents * max(total, minimum_minor)))
        for priority in house.priority:
            for number in months:
                on = month_day(number, priority.pay_day)
                if priority.until_on is None or month_of(on) <= month_of(priority.until_on):
                    self._put(flow, on, -high(priority.monthly_minor))
        until = min((on for _, on in self.pay_days()), default=self.case.as_of)
        flow[0] -= int(flow[1 : (until - self.case.as_of).days].sum())  # what the last pay still has to cover
        for money in house.one_off:
            if money.on <= self.case.as_of:
                flow[0] += money.amount_minor
            self._put(flow, money.on, money.amount_minor)
        due = due_days(self.case, self.ahead)
        arrears = sum(high(priority.arrears_minor) for priority in house.priority)
        self._put(flow, due[0], self.ahead.arrears_minor - arrears)
        later = arrears_months(spare_months(self.case, self.ahead), self.ahead.arrears_minor)
        for on, paid in zip(due[1:], later, strict=True):
            self._put(flow, on, -int(paid))
        return flow

    def _incomes(self, name: str) -> FloatArray:
        """(incomes, MONTHS + 1): what comes in each month under a scenario."""
        usual: FloatArray = self.expected
        if not len(usual):
            return usual
        if name == "expected":
            return usual
        if name in ("low", "seasonal_low"):
            season = np.isin((self.first + np.arange(MONTHS + 1)) % 12, self._season())
            less: FloatArray = usual * np.where(season | (name == "low"), self.low_ratio, 1.0)
            return less
        main = int(usual.sum(axis=1).argmax())
        share = float(np.mean(self.ahead.priors.usual[self.case.household.incomes[main].kind].benefit))
        changed = usual.copy()
        changed[main, 1:] *= share
        if name == "recovery":
            again = 1 + round(self.ahead.priors.months_out)
            changed[main, again:] = usual[main, again:] * _PAY_AGAIN
        return changed

    def _season(self) -> tuple[int, ...]:
        """The three months of the year in a row that bring the least, January as 0."""
        if all(income.season is None for income in self.case.household.incomes):
            return _LOW_SEASON
        year = np.zeros(12)
        year[(self.first + 1 + np.arange(12)) % 12] = self.expected[:, 1:13].sum(axis=0)
        begin = int(np.argmin([year[np.arange(k, k + 3) % 12].sum() for k in range(12)]))
        return tuple(int(month) for month in np.arange(begin, begin + 3) % 12)

    def pay_days(self) -> Iterator[tuple[str, date]]:
        """(income, day) of all that comes in regularly, within the two years."""
        for month in range(MONTHS + 1):
            for place, income in enumerate(self.case.household.incomes):
                on = month_day(self.first + month, income.pay_day or PAY_DAY)
                if self.case.as_of < on <= self.last_on and self.expected[place, month] > 0:
                    yield income.id, on

    def balances(self, name: str, payment: int) -> IntArray:
        """(days,): the balance at the end of each day, with a level payment on each due day."""
        flow = self.fixed.copy()
        amounts = np.rint(self._incomes(name)).astype(np.int64)
        for income, row in zip(self.case.household.incomes, amounts, strict=True):
            for month, amount in enumerate(row.tolist()):
                on = month_day(self.first + month, income.pay_day or PAY_DAY)
                if on > self.case.as_of:
                    self._put(flow, on + timedelta(days=self.late_days), amount)
        for on in self.due_on:
            self._put(flow, on, -payment)
        total: IntArray = np.cumsum(flow)
        return total

    def scenario(self, name: str, payment: int) -> Scenario:
        """A scenario with a payment, and its telling days."""
        balances = self.balances(name, payment)
        lowest = int(balances.argmin())
        return Scenario(
            name,
            tuple(balances.tolist()),
            self._first(balances < 0),
            self._first(balances < self.case.household.reserve_minor),
            self.case.as_of + timedelta(days=lowest),
            int(balances[lowest]),
        )

    def _first(self, where: BoolArray) -> date | None:
        return self.case.as_of + timedelta(days=int(where.argmax())) if where.any() else None

    def most_by_day(self) -> int:
        """The largest level payment with which the balance of low months is never below 0 once payments have begun."""
        balances = self.balances("low", 0)
        paid = np.zeros(self.size, np.int64)
        for on in self.due_on:
            self._put(paid, on, 1)
        so_far = np.cumsum(paid)
        begun = so_far > 0
        return max(int((balances[begun] // so_far[begun]).min()), 0) if begun.any() else 0


# --- what it hangs on ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Try:
    """An assumption changed: where, how, and all that an outlook is made of."""

    about: str
    change: str
    case: Case
    priors: Priors
    minimum_minor: int
    late_days: int = 0

    def amounts(self) -> tuple[int, int]:
        """(safe amount over two years, the most that every due day carries)."""
        ahead = outlook(self.case, self.minimum_minor, priors=self.priors, **_TRIED)
        days = _Days(self.case, ahead, self.minimum_minor, self.late_days)
        return _quantile(largest_carried(ahead, MONTHS), self.case.quantile), days.most_by_day()


def _sensitivity(case: Case, minimum_minor: int, priors: Priors) -> tuple[Sensitivity, ...]:
    """Each assumption changed alone, in smaller outlooks that share their random numbers; the weightiest first."""
    base = _Try("", "", case, priors, minimum_minor)
    usual = base.amounts()
    found = []
    for one in (*_of_household(base), *_of_model(base)):
        safe, day = one.amounts()
        found.append(Sensitivity(one.about, one.change, safe, day, safe - usual[0], day - usual[1]))
    return tuple(sorted(found, key=lambda one: (-abs(one.safe_change_minor), -abs(one.by_day_change_minor), one.about)))


def _of_household(base: _Try) -> Iterator[_Try]:
    """Each income and each outgo a tenth less and more; pay a week late."""
    house = base.case.household
    for percent in (100 - _CHANGE, 100 + _CHANGE):
        change = f"{percent - 100:+d}%"
        for place, income in enumerate(house.incomes):
            case = _with(base.case, "incomes", place, _scaled(income, percent))
            yield replace(base, about=f"household.incomes.{place}", change=change, case=case)
        for place, essential in enumerate(house.essentials):
            part = structs.replace(essential, amount_minor=_times(essential.amount_minor, percent))
            case = _with(base.case, "essentials", place, part)
            yield replace(base, about=f"household.essentials.{place}", change=change, case=case)
        if base.minimum_minor:
            yield replace(base, about="minimum", change=change, minimum_minor=base.minimum_minor * percent // 100)
    yield replace(base, about="pay_days", change="+7d", late_days=7)


def _of_model(base: _Try) -> Iterator[_Try]:
    """How volatile incomes are, how easily lost, and what accidents cost."""
    priors = base.priors
    for about, change, changed in (
        ("volatility", "x0.5", replace(priors, volatility_times=0.5)),
        ("volatility", "x1.5", replace(priors, volatility_times=1.5)),
        ("job_loss", "x0", replace(priors, loss_times=0.0)),
        ("job_loss", "x2", replace(priors, loss_times=2.0)),
        ("accidents", "x0", replace(priors, small_share=0.0, large_share=0.0)),
        ("accidents", "x2", replace(priors, small_share=2 * priors.small_share, large_share=2 * priors.large_share)),
    ):
        yield replace(base, about=about, change=change, priors=changed)


def _with(case: Case, field: str, place: int, value: Any) -> Case:
    """The case with one part of its household replaced."""
    parts = list(getattr(case.household, field))
    parts[place] = value
    return structs.replace(case, household=structs.replace(case.household, **{field: tuple(parts)}))


def _times(amount: Known, percent: int) -> Known:
    if isinstance(amount, Between):
        return Between(amount.low_minor * percent // 100, amount.high_minor * percent // 100)
    return None if amount is None else amount * percent // 100


def _scaled(income: Income, percent: int) -> Income:
    history = tuple(amount * percent // 100 for amount in income.history_minor)
    return structs.replace(income, amount_minor=_times(income.amount_minor, percent), history_minor=history)
