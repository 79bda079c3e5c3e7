"""Conversion functions, and the functions of booleans and contexts (DMN 1.5, clauses 10.3.4.1, 10.3.4.2, 10.3.4.12)."""

from __future__ import annotations

import re
from decimal import Decimal

from evenkeel.policy.feel.functions.registry import NoAnswer, function
from evenkeel.policy.feel.temporal import (
    make_date,
    make_time,
    parse_date,
    parse_date_time,
    parse_duration,
    parse_time,
)
from evenkeel.policy.feel.texts import text_of
from evenkeel.policy.feel.values import (
    MIDNIGHT_UTC,
    NANOS,
    NUMBERS,
    Date,
    DateTime,
    Duration,
    Months,
    Time,
    Value,
    kind,
)

_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?")


@function("string", "from: any")
def string(value: Value) -> Value:
    """The text of a value."""
    return None if value is None else text_of(value)


@function("number", "from: string|number")
def number(text: Value) -> Value:
    """The number that a text writes."""
    if isinstance(text, Decimal):
        return text
    if not _NUMBER.fullmatch(str(text)):
        raise NoAnswer(f"number: {text!r} is no number")
    return NUMBERS.create_decimal(Decimal(str(text)))


@function("number", "from: string", "grouping separator: string|null", "decimal separator?: string|null")
def number_grouped(text: str, grouping: str | None, point: str | None = None) -> Value:
    """The number that a text writes with separators of its own."""
    if grouping not in (None, " ", ",", ".") or point not in (None, ",", "."):
        raise NoAnswer("number: separators are a blank (of groups only), `,` or `.`")
    if grouping is not None and grouping == point:
        raise NoAnswer("number: both separators are the same")
    plain = text.replace(grouping, "") if grouping else text
    return number(plain.replace(point, ".") if point else plain)


# ---- Dates and times -----------------------------------------------------------------------------------------------


@function("date", "from: string|date|date and time")
def date(value: Value) -> Value:
    """A day from text, or the day of a date and time."""
    match value:
        case Date():
            return value
        case DateTime():
            return value.date
        case _:
            return _made(parse_date(str(value)), f"date: {value!r} is no date")


@function("date", "year: number", "month: number", "day: number")
def date_of(year: Decimal, month: Decimal, day: Decimal) -> Value:
    """A day from its parts."""
    return _made(make_date(int(year), int(month), int(day)), f"date: {year}-{month}-{day} is no day")


@function("time", "from: string|time|date and time|date")
def time(value: Value) -> Value:
    """A time of day from text, or of a date and time; of a date, midnight of UTC."""
    match value:
        case Time():
            return value
        case DateTime():
            return value.time
        case Date():
            return MIDNIGHT_UTC
        case _:
            return _made(parse_time(str(value)), f"time: {value!r} is no time")


@function("time", "hour: number", "minute: number", "second: number", "offset?: days and time duration|null")
def time_of(hour: Decimal, minute: Decimal, second: Decimal, offset: Duration | None = None) -> Value:
    """A time of day from its parts."""
    whole = int(second)
    zone = None if offset is None else int(offset.nanos / NANOS)
    made = make_time(int(hour), int(minute), whole, int((second - whole) * NANOS), zone)
    return _made(made, f"time: {hour}:{minute}:{second} is no time")


@function("date and time", "from: string|date|date and time")
def date_and_time(value: Value) -> Value:
    """A date and time from text; of a date, its midnight."""
    match value:
        case DateTime():
            return value
        case Date():
            return DateTime(value, MIDNIGHT_UTC)
        case _:
            return _made(parse_date_time(str(value)), f"date and time: {value!r} is no date and time")


@function("date and time", "date: date|date and time", "time: time")
def date_and_time_of(day: Date | DateTime, at: Time) -> Value:
    """A day with a time on it."""
    return DateTime(day.date if isinstance(day, DateTime) else day, at)


@function("duration", "from: string|days and time duration|years and months duration")
def duration(value: Value) -> Value:
    """A duration from text."""
    if isinstance(value, Months | Duration):
        return value
    return _made(parse_duration(str(value)), f"duration: {value!r} is no duration")


@function("years and months duration", "from: date|date and time", "to: date|date and time")
def years_and_months(start: Date | DateTime, end: Date | DateTime) -> Value:
    """Whole months from one day to another, negative where it lies before."""
    first = start.date if isinstance(start, DateTime) else start
    last = end.date if isinstance(end, DateTime) else end
    months = (last.year - first.year) * 12 + last.month - first.month
    if months > 0 and last.day < first.day:
        months -= 1
    if months < 0 and last.day > first.day:
        months += 1
    return Months(months)


def _made(value: Value, problem: str) -> Value:
    if value is None:
        raise NoAnswer(problem)
    return value


# ---- Booleans ------------------------------------------------------------------------------------------------------


@function("not", "negand: any")
def negate(value: Value) -> Value:
    """The other boolean; null of anything else."""
    return not value if isinstance(value, bool) else None


@function("is", "value1: any", "value2: any")
def same(left: Value, right: Value) -> Value:
    """Whether two values are the same element: of one kind, equal, and with the same zone."""
    if kind(left) != kind(right):
        return False
    return left == right


# ---- Contexts ------------------------------------------------------------------------------------------------------


@function("get value", "m: context", "key: string")
def get_value(context: dict[str, Value], key: str) -> Value:
    """The value of a key; null where there is none."""
    return context.get(key)


@function("get value", "m: context", "keys: list")
def get_value_deep(context: Value, keys: list[Value]) -> Value:
    """The value at the end of a path of keys."""
    found: Value = context
    for key in keys:
        if not isinstance(found, dict) or not isinstance(key, str):
            return None
        found = found.get(key)
    return found if keys else None


@function("get entries", "m: context")
def get_entries(context: dict[str, Value]) -> Value:
    """A list of contexts of key and value."""
    return [{"key": key, "value": value} for key, value in context.items()]


@function("context", "entries: list")
def context_of(entries: list[Value]) -> Value:
    """The context of a list of contexts of key and value; a key twice is no context."""
    made: dict[str, Value] = {}
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("key"), str) or "value" not in entry:
            raise NoAnswer("context: an entry is a context of `key`, a string, and `value`")
        if entry["key"] in made:
            raise NoAnswer(f"context: the key {entry['key']!r} is there twice")
        made[entry["key"]] = entry["value"]
    return made


@function("context put", "context: context", "key: string", "value: any")
def context_put(context: dict[str, Value], key: str, value: Value) -> Value:
    """The context with one entry set."""
    return {**context, key: value}


@function("context put", "context: context", "keys: list", "value: any")
def context_put_deep(context: dict[str, Value], keys: list[Value], value: Value) -> Value:
    """The context with the entry at the end of a path of keys set."""
    if not keys or not isinstance(keys[0], str):
        raise NoAnswer("context put: keys is a list of at least one string")
    if len(keys) == 1:
        return {**context, keys[0]: value}
    inner = context.get(keys[0], {})
    if not isinstance(inner, dict):
        raise NoAnswer(f"context put: {keys[0]!r} holds no context")
    return {**context, keys[0]: context_put_deep(inner, keys[1:], value)}


@function("context merge", "contexts: list")
def context_merge(contexts: list[Value]) -> Value:
    """One context of several; the later entry of a key wins."""
    made: dict[str, Value] = {}
    for context in contexts:
        if not isinstance(context, dict):
            raise NoAnswer(f"context merge: {kind(context)} is no context")
        made |= context
    return made
