"""Due days: every so many days, weeks or months, on a day of the month, moved off days on which no bank works."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from evenkeel.kernel.calendar import month_day, month_end, month_of
from evenkeel.kernel.errors import InvalidInput

MOST_INSTALMENTS = 600


class Unit(StrEnum):
    """What due days are counted in."""

    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"


class MonthEnd(StrEnum):
    """Where a due day goes in a month that does not have it; later months return to the day itself."""

    CLAMP = "clamp"  # the month's last day
    FIRST_OF_NEXT = "first_of_next"


class Roll(StrEnum):
    """Where a day that is no working day moves."""

    NONE = "none"
    NEXT = "next"
    PREVIOUS = "previous"


@dataclass(frozen=True, slots=True)
class DueRule:
    """Due days every `every` units.

    due_day: the day of the month of monthly due days; None for that of the day they are counted from.
    weekends: Saturdays and Sundays are no working days. holidays: other days that are none. roll: where those move.
    """

    every: int = 1
    unit: Unit = Unit.MONTHS
    due_day: int | None = None
    month_end: MonthEnd = MonthEnd.CLAMP
    roll: Roll = Roll.NONE
    weekends: bool = False
    holidays: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if not 1 <= self.every <= 365:
            raise InvalidInput(f"`every` is {self.every}; instalments are 1 to 365 {self.unit} apart.")
        if self.due_day is not None and not (self.unit is Unit.MONTHS and 1 <= self.due_day <= 31):
            raise InvalidInput(
                f"`due_day` is {self.due_day}; it is a day of the month, 1 to 31, of monthly instalments."
            )


def due_dates(rule: DueRule, start: date, count: int, first_due: date | None = None) -> list[date]:
    """The first `count` due days of what begins on `start`.

    first_due: the first of them, where it is agreed; the others are counted from it. Where the rule has a due day, the
    first is the first such day that is at least half a period after `start` (16 days for monthly instalments), so that
    no instalment falls due at once.
    Raises InvalidInput if `count` is not 1 to 600, or `first_due` is not after `start`.
    """
    if not 1 <= count <= MOST_INSTALMENTS:
        raise InvalidInput(f"a schedule has 1 to {MOST_INSTALMENTS} instalments, not {count}.")
    if first_due is None and rule.due_day is not None:
        first_due = _first_on(rule, start)
    if first_due is None:
        return [rolled(rule, nominal(rule, start, n)) for n in range(1, count + 1)]
    if first_due <= start:
        raise InvalidInput(f"the first due day {first_due} is not after the start {start}.")
    days = [first_due, *(nominal(rule, first_due, n) for n in range(1, count))]
    return [rolled(rule, day) for day in days]


def _first_on(rule: DueRule, start: date) -> date:
    month = month_of(start)
    half = timedelta(days=rule.every * 30 // 2 + 1)
    for number in range(month, month + rule.every + 2):
        day = _in_month(rule, number, rule.due_day or 1)
        if day >= start + half:
            return day
    raise AssertionError("a month within the period has the day")


def nominal(rule: DueRule, start: date, n: int) -> date:
    """The due day `n` periods after `start`, before it is moved off a day that is no working day."""
    if rule.unit is Unit.MONTHS:
        return _in_month(rule, month_of(start) + n * rule.every, rule.due_day or start.day)
    return start + timedelta(days=n * rule.every * (7 if rule.unit is Unit.WEEKS else 1))


def _in_month(rule: DueRule, month: int, day: int) -> date:
    found = month_day(month, day)
    if found.day < day and rule.month_end is MonthEnd.FIRST_OF_NEXT:
        return month_end(month) + timedelta(days=1)
    return found


def rolled(rule: DueRule, day: date) -> date:
    """`day`, or the working day that it moves to."""
    if rule.roll is Roll.NONE:
        return day
    step = timedelta(days=1 if rule.roll is Roll.NEXT else -1)
    while day in rule.holidays or (rule.weekends and day.weekday() >= 5):
        day += step
    return day


def check_increasing(days: Sequence[date], start: date) -> None:
    """Raises InvalidInput where rolling has made two due days one, or put the first on the start or before."""
    for before, after in zip([start, *days], days, strict=False):
        if after <= before:
            raise InvalidInput(
                f"the due days {before} and {after} do not increase.",
                "Instalments that are this close cannot be moved off so many days that are no working days.",
            )
