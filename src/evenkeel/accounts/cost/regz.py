"""The annual percentage rate of Regulation Z: 12 CFR 1026, Appendix J, actuarial method, by unit-periods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from itertools import pairwise

from evenkeel.accounts.cost.flows import Flow, from_first_advance, months_back, scheduled_day
from evenkeel.accounts.cost.solve import rates
from evenkeel.kernel.calendar import month_day, month_of
from evenkeel.kernel.money import Rounding, round_fraction

_YEAR_DAYS, _YEAR_WEEKS, _YEAR_MONTHS = 365, 52, 12
_SHORTEST_HALF, _LONGEST_HALF = 12, 18  # days between the two payments of a month


class Interval(Enum):
    """What a unit-period is counted in; the value is its length in days where all months are equal."""

    MONTH = 30
    SEMIMONTH = 15
    DAY = 1


@dataclass(frozen=True, slots=True)
class UnitPeriod:
    """So many days or months, or half a month. 7 days are a week, 12 months a year.

    per_year: unit-periods a year: 365 days, 52 weeks, 24 semimonths, 12 months.
    """

    interval: Interval
    count: int
    per_year: Fraction

    @property
    def every(self) -> str:
        """As `due_dates` writes it: 1M, 2W, 15D, 1Y, semimonth."""
        if self.interval is Interval.SEMIMONTH:
            return "semimonth"
        if self.interval is Interval.MONTH:
            return "1Y" if self.count == _YEAR_MONTHS else f"{self.count}M"
        weeks = Fraction(self.count, 7)
        return f"{weeks}W" if self.per_year * weeks == _YEAR_WEEKS else f"{self.count}D"

    def between(self, start: date, end: date, day: int) -> tuple[int, Fraction]:
        """Whole unit-periods measured back from `end` to `start`, and the remaining fraction of one: (b)(5).

        day: of the month that `end` stands for.
        """
        if self.interval is Interval.DAY:
            whole, rest = divmod((end - start).days, self.count)
            return whole, Fraction(rest, self.count)
        months, odd_days = months_back(start, end, day)
        if self.interval is Interval.MONTH and self.count == _YEAR_MONTHS:
            whole, rest = divmod(months, _YEAR_MONTHS)
            if odd_days == 0:
                return whole, Fraction(rest, _YEAR_MONTHS)
            left = month_day(month_of(end) - _YEAR_MONTHS * whole, day) - start
            return whole, Fraction(left.days, _YEAR_DAYS)
        length = self.interval.value * self.count
        whole, rest = divmod(30 * months + odd_days, length)
        return whole, Fraction(rest, length)


@dataclass(frozen=True, slots=True)
class RegzApr:
    """rate: the APR, such as 0.0969; unit_rate: that of one unit-period; rate = unit_rate * unit.per_year.

    regular: every amount falls on a whole unit-period, so that the APR is the IRR of a period times the periods a year.
    """

    rate: float
    unit_rate: float
    unit: UnitPeriod
    regular: bool

    @property
    def percent(self) -> Decimal:
        """The APR in percent, rounded half-up to two decimals: 9.69."""
        return Decimal(round_fraction(Fraction(self.rate) * 10_000, Rounding.HALF_UP)).scaleb(-2)


def regz_apr(flows: Sequence[Flow]) -> RegzApr:
    """The APR of advances (above 0) and payments (below 0), regular or not, in any order.

    The term begins with the first advance. What is paid on that day or before is a prepaid finance charge and comes off
    it (12 CFR 1026.2(a)(23)). i, the rate of a unit-period, solves (b)(8):

        sum_k A_k / ((1 + e_k i) (1 + i)**q_k)  =  sum_j P_j / ((1 + f_j i) (1 + i)**t_j)

    q and t are whole unit-periods from the beginning of the term, e and f the fractions. A single payment after whole
    months is measured in months: (b)(5)(vi) allows days too. Two payments a month, 12 to 18 days apart, are
    semimonthly.
    Raises InvalidInput where nothing is received, nothing is paid afterwards, or there is no rate.
    """
    flows = from_first_advance(flows)
    begin = flows[0].day
    advances = sorted({flow.day for flow in flows if flow.amount_minor > 0})
    payments = sorted({flow.day for flow in flows if flow.amount_minor < 0})
    meant = _meant(advances, payments), _meant(payments, advances)
    if len(advances) == len(payments) == 1:
        unit = _of_single_payment(begin, payments[0], meant[1][payments[0]])
    else:
        unit = _of_periods([*_periods(advances, meant[0]), *_periods([begin, *payments], meant[1])])
    terms = []
    for flow in flows:
        whole, part = unit.between(begin, flow.day, meant[flow.amount_minor < 0][flow.day])
        terms.append((float(flow.amount_minor), float(whole), float(part)))
    unit_rate = rates(terms)[0]
    regular = all(part in (0.0, 1.0) for _, _, part in terms)
    return RegzApr(unit_rate * float(unit.per_year), unit_rate, unit, regular)


def _meant(series: Sequence[date], others: Sequence[date]) -> dict[date, int]:
    """The day of the month that each day of a series stands for; a lone day is seen with the others."""
    context = series if len(series) > 1 else [*series, *others]
    return {day: scheduled_day(day, context) for day in series}


# -------------------------------------------------------------------------------------------------------- unit-periods


@dataclass(frozen=True, slots=True)
class _Period:
    """The time between two advances or two payments: whole months (or None), half a month or not, and days."""

    months: int | None
    half: bool
    days: int

    def intervals(self) -> Iterator[tuple[Interval, int]]:
        """Every way to see it as a number of one interval, up to a year."""
        if self.months is not None and self.months <= _YEAR_MONTHS:
            yield Interval.MONTH, self.months
        if self.half:
            yield Interval.SEMIMONTH, 1
        if self.days <= _YEAR_DAYS:
            yield Interval.DAY, self.days


def _periods(days: Sequence[date], meant: dict[date, int]) -> list[_Period]:
    """The periods between neighbouring days; the first day may be the beginning of the term."""

    def whole_months(start: date, end: date) -> int | None:
        months, odd_days = months_back(start, end, meant[end])
        return None if odd_days else months

    month_apart = [whole_months(start, end) == 1 for start, end in zip(days, days[2:], strict=False)]
    found = []
    for place, (start, end) in enumerate(pairwise(days)):
        length = (end - start).days
        half = any(month_apart[max(place - 1, 0) : place + 1]) and _SHORTEST_HALF <= length <= _LONGEST_HALF
        found.append(_Period(whole_months(start, end), half, length))
    return found


def _of_periods(periods: Sequence[_Period]) -> UnitPeriod:
    """The period that occurs most often, the smaller in a tie; where none occurs twice, the average: (b)(4)(i).

    Periods above a year are not common ones; where there are only such, the unit-period is a year.
    """
    counts = Counter(one for period in periods for one in period.intervals())
    common = [(-times, interval.value * count, interval, count) for (interval, count), times in counts.items()]
    times, _, interval, count = min(common, key=lambda one: one[:2], default=(0, 0, Interval.MONTH, _YEAR_MONTHS))
    if times < -1:
        return _unit(interval, count)
    return _unit(*_average(periods))


def _average(periods: Sequence[_Period]) -> tuple[Interval, int]:
    """The average of the periods, rounded to the nearest standard interval, the lower in a tie: (b)(4)(i)(B)."""
    months = [period.months for period in periods if period.months is not None]
    if len(months) == len(periods):
        average = Fraction(30 * sum(months), len(periods))
    else:
        average = Fraction(sum(period.days for period in periods), len(periods))
    standard = [(Interval.MONTH, count) for count in range(1, _YEAR_MONTHS + 1)]
    standard += [(Interval.SEMIMONTH, 1), (Interval.DAY, 1)]
    standard += [(Interval.DAY, 7 * weeks) for weeks in range(1, _YEAR_WEEKS + 1)]
    if average >= _YEAR_DAYS:
        return Interval.MONTH, _YEAR_MONTHS
    return min(standard, key=lambda one: (abs(one[0].value * one[1] - average), one[0].value * one[1]))


def _of_single_payment(begin: date, end: date, day: int) -> UnitPeriod:
    """The term, but not more than a year: (b)(4)(ii), (b)(5)(vi) and (vii)."""
    months, odd_days = months_back(begin, end, day)
    if months >= _YEAR_MONTHS:
        return _unit(Interval.MONTH, _YEAR_MONTHS)
    if odd_days == 0:
        return _unit(Interval.MONTH, months)
    days = (end - begin).days
    return UnitPeriod(Interval.DAY, days, Fraction(_YEAR_DAYS, days))


def _unit(interval: Interval, count: int) -> UnitPeriod:
    """A unit-period with its number a year."""
    if interval is Interval.DAY:
        per_year = Fraction(_YEAR_WEEKS * 7, count) if count % 7 == 0 else Fraction(_YEAR_DAYS, count)
    else:
        per_year = Fraction(30 * _YEAR_MONTHS, interval.value * count)
    return UnitPeriod(interval, count, per_year)
