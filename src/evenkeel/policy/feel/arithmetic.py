"""The arithmetic of FEEL (DMN 1.5, clause 10.3.2.13, tables 50 to 52): numbers, strings, dates, times and durations."""

from __future__ import annotations

from decimal import Decimal, DecimalException
from fractions import Fraction

from evenkeel.kernel.money import Rounding, round_fraction
from evenkeel.policy.feel.functions.registry import NoAnswer
from evenkeel.policy.feel.temporal import as_date_time
from evenkeel.policy.feel.values import DAY_NANOS, NUMBERS, Date, DateTime, Duration, Months, Time, Value, kind

_MOST_YEAR = 999_999_999
_NUMERIC = {
    "+": NUMBERS.add, "-": NUMBERS.subtract, "*": NUMBERS.multiply, "/": NUMBERS.divide, "**": NUMBERS.power,
}  # fmt: skip


def calculate(operator: str, left: Value, right: Value) -> Value:
    """left operator right. null where one is null; raises NoAnswer where it is not defined for what they are."""
    if left is None or right is None:
        return None
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        try:
            return _NUMERIC[operator](left, right)
        except DecimalException:
            raise NoAnswer(f"{left} {operator} {right} is no number") from None
    found: Value = None
    if operator == "+":
        found = _sum(left, right) or _sum(right, left) if not isinstance(left, str) else _joined(left, right)
    elif operator == "-":
        found = _difference(left, right)
    elif operator == "*":
        found = _scaled(left, right) or _scaled(right, left)
    elif operator == "/":
        found = _quotient(left, right)
    if found is None:
        raise NoAnswer(f"`{operator}` is not defined for {kind(left)} and {kind(right)}")
    return found


def negative(value: Value) -> Value:
    """-value of a number or duration. null of null; raises NoAnswer of anything else."""
    match value:
        case None:
            return None
        case Decimal():
            return NUMBERS.minus(value)
        case Duration():
            return Duration(-value.nanos)
        case Months():
            return Months(-value.months)
        case _:
            raise NoAnswer(f"`-` is not defined for {kind(value)}")


def _joined(left: str, right: Value) -> Value:
    return left + right if isinstance(right, str) else None


def _sum(left: Value, right: Value) -> Value:
    """left + right where the right one is a duration."""
    match left, right:
        case (Duration(), Duration()):
            return Duration(left.nanos + right.nanos)
        case (Months(), Months()):
            return Months(left.months + right.months)
        case (Date(), Duration()):
            return _day(left.ordinal + right.nanos // DAY_NANOS)
        case (DateTime(), Duration()):
            _day(left.date.ordinal + right.nanos // DAY_NANOS)
            return left.plus_nanos(right.nanos)
        case (Time(), Duration()):
            return Time.of_nanos(left.nanos + right.nanos, left.zone)
        case (Date(), Months()):
            return _months_later(left, right.months)
        case (DateTime(), Months()):
            return DateTime(_months_later(left.date, right.months), left.time)
        case _:
            return None


def _day(ordinal: int) -> Date:
    if abs(ordinal) > _MOST_YEAR * 366:
        raise NoAnswer("the day lies beyond the years that are counted")
    return Date.of_ordinal(ordinal)


def _months_later(day: Date, months: int) -> Date:
    found = day.plus_months(months)
    if abs(found.year) > _MOST_YEAR:
        raise NoAnswer("the day lies beyond the years that are counted")
    return found


def _difference(left: Value, right: Value) -> Value:
    match left, right:
        case (Time(), Time()):
            if (left.zone is None) != (right.zone is None):
                return None
            day = Date(2000, 1, 1)
            return Duration(DateTime(day, left).nanos - DateTime(day, right).nanos)
        case (Date() | DateTime(), Date() | DateTime()):
            zoned = any(isinstance(value, DateTime) and value.zoned for value in (left, right))
            first, second = as_date_time(left, zoned), as_date_time(right, zoned)
            return Duration(first.nanos - second.nanos) if first.zoned == second.zoned else None
        case (_, Duration() | Months()):
            return _sum(left, negative(right))
        case _:
            return None


def _scaled(value: Value, times: Value) -> Value:
    if not isinstance(times, Decimal):
        return None
    match value:
        case Duration():
            return Duration(round_fraction(value.nanos * Fraction(times), Rounding.HALF_EVEN))
        case Months():
            return Months(round_fraction(value.months * Fraction(times), Rounding.DOWN))
        case _:
            return None


def _quotient(left: Value, right: Value) -> Value:
    try:
        match left, right:
            case (Duration(), Duration()):
                return NUMBERS.divide(Decimal(left.nanos), Decimal(right.nanos))
            case (Months(), Months()):
                return NUMBERS.divide(Decimal(left.months), Decimal(right.months))
            case (Duration(), Decimal()):
                return Duration(round_fraction(left.nanos / Fraction(right), Rounding.HALF_EVEN))
            case (Months(), Decimal()):
                return Months(round_fraction(left.months / Fraction(right), Rounding.DOWN))
            case _:
                return None
    except (ZeroDivisionError, DecimalException):
        raise NoAnswer("a duration cannot be divided by nothing") from None
