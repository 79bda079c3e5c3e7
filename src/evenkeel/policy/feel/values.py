"""The values of FEEL (DMN 1.5, clause 10.3.2.3), and how two of them are compared.

| FEEL | Python |
|---|---|
| null, boolean, string | None, bool, str |
| number | decimal.Decimal, 34 digits, half-even (IEEE 754 decimal128); a float never |
| date, time, date and time | Date, Time, DateTime: any year, nanoseconds |
| years and months duration, days and time duration | Months, Duration |
| range, list, context | Range, list, dict |
| function | Function |
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from functools import cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from evenkeel.policy.feel.nodes import Type

Value = object

NUMBERS = Context(
    prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144, traps=[InvalidOperation, DivisionByZero, Overflow]
)
NANOS = 1_000_000_000
DAY_NANOS = 86_400 * NANOS
_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


# ---- Dates and times -----------------------------------------------------------------------------------------------


def month_length(year: int, month: int) -> int:
    """Days of a month in the proleptic Gregorian calendar."""
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else _MONTH_DAYS[month - 1]


@dataclass(frozen=True, slots=True, order=True)
class Date:
    """A day of the proleptic Gregorian calendar; years may be negative."""

    year: int
    month: int
    day: int

    @property
    def ordinal(self) -> int:
        """Days since 0000-12-31, as datetime.date.toordinal counts, for any year."""
        before = self.year - 1
        days = before * 365 + before // 4 - before // 100 + before // 400
        return days + sum(month_length(self.year, month) for month in range(1, self.month)) + self.day

    @classmethod
    def of_ordinal(cls, ordinal: int) -> Date:
        """The day of an ordinal."""
        cycles, rest = divmod(ordinal - 1, 146_097)  # days of 400 years
        centuries = min(rest // 36_524, 3)
        rest -= centuries * 36_524
        fours, rest = divmod(rest, 1_461)
        years = min(rest // 365, 3)
        rest -= years * 365
        year, month = cycles * 400 + centuries * 100 + fours * 4 + years + 1, 1
        while rest >= month_length(year, month):
            rest -= month_length(year, month)
            month += 1
        return cls(year, month, rest + 1)

    def plus_months(self, months: int) -> Date:
        """The same day some months later, or the month's last day where it has no such day."""
        year, month = divmod(self.year * 12 + self.month - 1 + months, 12)
        return Date(year, month + 1, min(self.day, month_length(year, month + 1)))


@dataclass(frozen=True, slots=True)
class Time:
    """A time of day. zone: None for local time, seconds east of UTC, or the name of an IANA zone."""

    hour: int
    minute: int
    second: int
    nano: int = 0
    zone: int | str | None = None

    @property
    def nanos(self) -> int:
        """Nanoseconds since midnight, in its own zone."""
        return ((self.hour * 60 + self.minute) * 60 + self.second) * NANOS + self.nano

    @classmethod
    def of_nanos(cls, nanos: int, zone: int | str | None) -> Time:
        """The time some nanoseconds after midnight, days dropped."""
        seconds, nano = divmod(nanos % DAY_NANOS, NANOS)
        return cls(seconds // 3600, seconds // 60 % 60, seconds % 60, nano, zone)

    def offset(self, day: Date) -> int | None:
        """Seconds east of UTC on a day; None in local time."""
        if not isinstance(self.zone, str):
            return self.zone
        # Beyond the years that datetime counts, the same day of the calendar's cycle of 400 years.
        year = day.year if 1 < day.year < 9999 else 2000 + day.year % 400
        local = datetime(year, day.month, day.day, self.hour, self.minute, tzinfo=zone_named(self.zone))
        found = local.utcoffset() or timedelta()
        return int(found.total_seconds())


@dataclass(frozen=True, slots=True)
class DateTime:
    """A day and a time on it."""

    date: Date
    time: Time

    @property
    def zoned(self) -> bool:
        """Whether it names an instant; without a zone it is local."""
        return self.time.zone is not None

    @property
    def nanos(self) -> int:
        """Nanoseconds since the midnight before 0001-01-01: in UTC where zoned, else local."""
        offset = self.time.offset(self.date) or 0
        return self.date.ordinal * DAY_NANOS + self.time.nanos - offset * NANOS

    def plus_nanos(self, nanos: int) -> DateTime:
        """Some nanoseconds later, in the same zone."""
        days, rest = divmod(self.time.nanos + nanos, DAY_NANOS)
        return DateTime(Date.of_ordinal(self.date.ordinal + days), Time.of_nanos(rest, self.time.zone))


MIDNIGHT_UTC = Time(0, 0, 0, 0, 0)


@cache
def zone_named(name: str) -> ZoneInfo | None:
    """An IANA zone; None where there is none of this name."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


@dataclass(frozen=True, slots=True, order=True)
class Months:
    """A years and months duration."""

    months: int


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A days and time duration."""

    nanos: int


# ---- Ranges and functions ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Range:
    """From low to high, each end in or out; an end that is None is open, and then never in."""

    low: Value
    high: Value
    low_closed: bool
    high_closed: bool


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function value. call: takes the arguments in the order of `parameters`. variadic: the last repeats.

    types: the FEEL type of each parameter, None where it takes any, as `instance of` compares them; () of unknown ones.
    """

    name: str
    parameters: tuple[str, ...]
    call: Callable[..., Value]
    least: int
    variadic: bool = False
    types: tuple[Type | None, ...] = ()


# ---- Comparing -----------------------------------------------------------------------------------------------------


def kind(value: Value) -> str:
    """The FEEL type of a value, by the words that messages use."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case Decimal():
            return "number"
        case str():
            return "string"
        case Date():
            return "date"
        case Time():
            return "time"
        case DateTime():
            return "date and time"
        case Months():
            return "years and months duration"
        case Duration():
            return "days and time duration"
        case Range():
            return "range"
        case list():
            return "list"
        case dict():
            return "context"
        case Function():
            return "function"
        case _:
            raise TypeError(f"{type(value).__name__} is no FEEL value")


def _instant(time: Time) -> int:
    """Nanoseconds of a time, in UTC where it has a zone; a named zone has no day here, so its offset of 2000-01-01."""
    return time.nanos - (time.offset(Date(2000, 1, 1)) or 0) * NANOS


def compare(left: Value, right: Value) -> int | None:
    """Below 0, 0 or above 0 as left is before, at or after right; None where they cannot be ordered.

    Ordered are numbers, strings, dates, times, date and times, and durations, each with its own kind; a local time and
    one with a zone cannot be (clause 10.3.2.14, table 54).
    """
    first: int
    second: int
    match left, right:
        case (bool(), _) | (_, bool()):
            return None
        case (Decimal(), Decimal()) | (str(), str()):
            return int(left > right) - int(left < right)  # type: ignore[operator]  # both of one kind, by the case
        case (Date(), Date()):
            first, second = left.ordinal, right.ordinal
        case (Time(), Time()):
            if (left.zone is None) != (right.zone is None):
                return None
            first, second = _instant(left), _instant(right)
        case (DateTime(), DateTime()):
            if left.zoned != right.zoned:
                return None
            first, second = left.nanos, right.nanos
        case (Months(), Months()):
            first, second = left.months, right.months
        case (Duration(), Duration()):
            first, second = left.nanos, right.nanos
        case _:
            return None
    return (first > second) - (first < second)


def equal(left: Value, right: Value) -> bool | None:
    """Whether two values are the same; None where their kinds differ (clause 10.3.2.14, table 53)."""
    if left is None or right is None:
        return left is right
    match left, right:
        case (list(), list()):
            if len(left) != len(right):
                return False
            return _all(equal(a, b) for a, b in zip(left, right, strict=True))
        case (dict(), dict()):
            if left.keys() != right.keys():
                return False
            return _all(equal(left[key], right[key]) for key in left)
        case (Range(), Range()):
            if (left.low_closed, left.high_closed) != (right.low_closed, right.high_closed):
                return False
            return _all((equal(left.low, right.low), equal(left.high, right.high)))
        case (bool(), bool()):
            return left == right
        case (Function(), Function()):
            return left is right
    if kind(left) != kind(right):
        return None
    return compare(left, right) == 0  # a local time is not one with a zone, though they have no order


def _all(parts: object) -> bool | None:
    found: bool | None = True
    for part in parts:  # type: ignore[attr-defined]
        if part is False:
            return False
        if part is None:
            found = None
    return found


def key_of(value: Value) -> Hashable:
    """A key that two values share where they are equal: to find doubles without comparing each with each."""
    match value:
        case bool() | None | str() | Decimal() | Date() | Months() | Duration() | Function():
            return kind(value), value
        case Time():
            return "time", value.zone is None, _instant(value)
        case DateTime():
            return "date and time", value.zoned, value.nanos
        case list():
            return "list", tuple(key_of(item) for item in value)
        case dict():
            return "context", frozenset((name, key_of(item)) for name, item in value.items())
        case Range():
            return "range", key_of(value.low), key_of(value.high), value.low_closed, value.high_closed
        case _:
            raise TypeError(f"{type(value).__name__} is no FEEL value")


def contains(span: Range, value: Value) -> bool | None:
    """Whether a range has a value; None where it cannot be compared with an end."""
    low, high = compare_end(span.low, value), compare_end(span.high, value)
    above = None if low is None else (low < 0 or (low == 0 and span.low_closed))
    below = None if high is None else (high > 0 or (high == 0 and span.high_closed))
    if span.low is None:
        above = None if below is None else True
    if span.high is None:
        below = None if above is None else True
    if above is False or below is False:
        return False
    return True if above and below else None


def compare_end(end: Value, value: Value) -> int | None:
    """`compare`, None for an open end."""
    return None if end is None else compare(end, value)
