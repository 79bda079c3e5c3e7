"""What may follow a dot: entries of contexts; properties of dates, times, durations and ranges (tables 61 to 65)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from evenkeel.policy.feel.functions.registry import NoAnswer
from evenkeel.policy.feel.functions.times import weekday
from evenkeel.policy.feel.values import DAY_NANOS, NANOS, Date, DateTime, Duration, Months, Range, Time, Value, kind

_DATE: Mapping[str, Callable[[Date], Value]] = {
    "year": lambda day: Decimal(day.year),
    "month": lambda day: Decimal(day.month),
    "day": lambda day: Decimal(day.day),
    "weekday": lambda day: Decimal(weekday(day)),
}
_TIME: Mapping[str, Callable[[Time], Value]] = {
    "hour": lambda time: Decimal(time.hour),
    "minute": lambda time: Decimal(time.minute),
    "second": lambda time: Decimal(time.second),
    "timezone": lambda time: time.zone if isinstance(time.zone, str) else None,
}
_RANGE: Mapping[str, Callable[[Range], Value]] = {
    "start": lambda span: span.low,
    "end": lambda span: span.high,
    "start included": lambda span: span.low_closed,
    "end included": lambda span: span.high_closed,
}


def member(value: Value, name: str) -> Value:
    """value.name; of a list, the list of each item's. null of null; raises NoAnswer where there is no such."""
    match value:
        case None:
            return None
        case dict():
            if name in value:
                return value[name]
        case list():
            return [member(item, name) for item in value]
        case Range() if name in _RANGE:
            return _RANGE[name](value)
        case Date() if name in _DATE:
            return _DATE[name](value)
        case Time() if name in _TIME or name == "time offset":
            return _time_member(value, name, Date(2000, 1, 1))
        case DateTime() if name in _DATE:
            return _DATE[name](value.date)
        case DateTime() if name in _TIME or name == "time offset":
            return _time_member(value.time, name, value.date)
        case Months() if name in ("years", "months"):
            years, months = divmod(abs(value.months), 12)
            return Decimal((years if name == "years" else months) * _sign(value.months))
        case Duration() if name in ("days", "hours", "minutes", "seconds"):
            return _duration_member(value, name)
    raise NoAnswer(f"a {kind(value)} has no {name}")


def _sign(number: int) -> int:
    return -1 if number < 0 else 1


def _time_member(time: Time, name: str, day: Date) -> Value:
    if name != "time offset":
        return _TIME[name](time)
    offset = time.offset(day)
    return None if offset is None else Duration(offset * NANOS)


def _duration_member(value: Duration, name: str) -> Value:
    days, rest = divmod(abs(value.nanos), DAY_NANOS)
    seconds = rest // NANOS
    parts = {"days": days, "hours": seconds // 3600, "minutes": seconds // 60 % 60, "seconds": seconds % 60}
    return Decimal(parts[name] * _sign(value.nanos))
