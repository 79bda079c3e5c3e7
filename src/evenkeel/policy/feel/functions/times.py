"""Temporal functions (DMN 1.5, clause 10.3.4.8). `now` and `today` are given by who runs: see evaluator.Clock."""

from __future__ import annotations

from decimal import Decimal

from evenkeel.policy.feel.functions.registry import function
from evenkeel.policy.feel.values import Date, DateTime, Value

WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def day_of(value: Date | DateTime) -> Date:
    """The day of a date, or of a date and time."""
    return value.date if isinstance(value, DateTime) else value


def weekday(day: Date) -> int:
    """1 on Monday to 7 on Sunday."""
    return (day.ordinal - 1) % 7 + 1


@function("day of year", "date: date|date and time")
def day_of_year(value: Date | DateTime) -> Value:
    """1 on the first of January."""
    day = day_of(value)
    return Decimal(day.ordinal - Date(day.year, 1, 1).ordinal + 1)


@function("day of week", "date: date|date and time")
def day_of_week(value: Date | DateTime) -> Value:
    """Monday to Sunday."""
    return WEEKDAYS[weekday(day_of(value)) - 1]


@function("month of year", "date: date|date and time")
def month_of_year(value: Date | DateTime) -> Value:
    """January to December."""
    return MONTHS[day_of(value).month - 1]


@function("week of year", "date: date|date and time")
def week_of_year(value: Date | DateTime) -> Value:
    """The week of ISO 8601: the first has the year's first Thursday."""
    day = day_of(value)
    thursday = Date.of_ordinal(day.ordinal - weekday(day) + 4)
    return Decimal((thursday.ordinal - Date(thursday.year, 1, 1).ordinal) // 7 + 1)
