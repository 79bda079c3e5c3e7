"""Day counts: what part of a year lies between two days, as an exact fraction.

A day of interest belongs to the calendar date on which it ends: the days of a stretch are those after its first day up
to and with its last. So a rate that changes on a day holds for that day, and a year is split at 31 December.
"""

from __future__ import annotations

from calendar import isleap
from datetime import date
from enum import StrEnum
from fractions import Fraction

from evenkeel.kernel.calendar import month_day, month_of
from evenkeel.kernel.errors import InvalidInput


class DayCount(StrEnum):
    """How days become parts of a year."""

    THIRTY_360 = "30/360"  # a whole month is 30 days, whatever its length
    ACT_365 = "act/365"
    ACT_364 = "act/364"  # 52 weeks
    ACT_360 = "act/360"
    ACT_ACT = "act/act"  # 365 or 366, by the year in which each day ends


_BASIS = {DayCount.ACT_365: 365, DayCount.ACT_364: 364, DayCount.ACT_360: 360}


def year_fraction(count: DayCount, start: date, end: date) -> Fraction:
    """The part of a year from `start` to `end`. 30/360 counts whole months from `start` (to the same day of the month,
    clamped to its end) as 30 days, and of the month that is left over 30 x days / its actual days.

    Raises InvalidInput if `end` is before `start`.
    """
    if end < start:
        raise InvalidInput(f"a stretch of days ends on {end}, before it begins on {start}.")
    if count is DayCount.ACT_ACT:
        return _act_act(start, end)
    if count is DayCount.THIRTY_360:
        return thirty_days(start, end) / 360
    return Fraction((end - start).days, _BASIS[count])


def months_fraction(count: DayCount, months: int, start: date, end: date) -> Fraction:
    """The part of a year of an instalment period of whole months: 30/360 gives each month 30 days even where its day
    is missing (31 January to 28 February); the other counts take the days as they are."""
    return Fraction(months, 12) if count is DayCount.THIRTY_360 else year_fraction(count, start, end)


def thirty_days(start: date, end: date) -> Fraction:
    """Days between two dates where a whole month has 30."""
    first = month_of(start)
    months = month_of(end) - first
    if months and month_day(first + months, start.day) > end:
        months -= 1
    begin = month_day(first + months, start.day)
    length = (month_day(first + months + 1, start.day) - begin).days
    return 30 * months + Fraction(30 * (end - begin).days, length)


def _act_act(start: date, end: date) -> Fraction:
    if start.year == end.year:
        return Fraction((end - start).days, _length(end.year))
    to_year_end = Fraction((date(start.year, 12, 31) - start).days, _length(start.year))
    from_year_end = Fraction((end - date(end.year - 1, 12, 31)).days, _length(end.year))
    return to_year_end + (end.year - start.year - 1) + from_year_end


def _length(year: int) -> int:
    return 366 if isleap(year) else 365
