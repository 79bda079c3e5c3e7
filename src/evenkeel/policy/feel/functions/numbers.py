"""Numeric functions (DMN 1.5, clause 10.3.4.5)."""

from __future__ import annotations

from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
)

from evenkeel.policy.feel.functions.registry import NoAnswer, function
from evenkeel.policy.feel.values import NUMBERS, Duration, Months, Value

_MOST_SCALE = 6_176
_ROOMY = NUMBERS.copy()
_ROOMY.prec = 6_200 * 2  # a scale may ask for more digits than a number has; the result is brought back to 34


def _rounded(value: Decimal, scale: Decimal, how: str, name: str) -> Decimal:
    if not -6_111 <= scale <= _MOST_SCALE:
        raise NoAnswer(f"{name}: scale is from -6111 to {_MOST_SCALE}")
    step = Decimal((0, (1,), -int(scale)))
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent >= -int(scale):
        return value
    return NUMBERS.plus(_ROOMY.quantize(value, step) if how == ROUND_HALF_EVEN else value.quantize(step, how, _ROOMY))


@function("decimal", "n: number", "scale: number")
def decimal(value: Decimal, scale: Decimal) -> Value:
    """Rounded to a count of decimals, half to even."""
    return _rounded(value, scale, ROUND_HALF_EVEN, "decimal")


@function("floor", "n: number", "scale?: number")
def floor(value: Decimal, scale: Decimal = Decimal(0)) -> Value:
    """The greatest number of the scale at or below."""
    return _rounded(value, scale, ROUND_FLOOR, "floor")


@function("ceiling", "n: number", "scale?: number")
def ceiling(value: Decimal, scale: Decimal = Decimal(0)) -> Value:
    """The least number of the scale at or above."""
    return _rounded(value, scale, ROUND_CEILING, "ceiling")


@function("round up", "n: number", "scale: number")
def round_up(value: Decimal, scale: Decimal) -> Value:
    """Away from zero."""
    return _rounded(value, scale, ROUND_UP, "round up")


@function("round down", "n: number", "scale: number")
def round_down(value: Decimal, scale: Decimal) -> Value:
    """Towards zero."""
    return _rounded(value, scale, ROUND_DOWN, "round down")


@function("round half up", "n: number", "scale: number")
def round_half_up(value: Decimal, scale: Decimal) -> Value:
    """To the nearest, half away from zero."""
    return _rounded(value, scale, ROUND_HALF_UP, "round half up")


@function("round half down", "n: number", "scale: number")
def round_half_down(value: Decimal, scale: Decimal) -> Value:
    """To the nearest, half towards zero."""
    return _rounded(value, scale, ROUND_HALF_DOWN, "round half down")


@function("abs", "n: number|days and time duration|years and months duration")
def absolute(value: Decimal | Duration | Months) -> Value:
    """Without its sign."""
    if isinstance(value, Duration):
        return Duration(abs(value.nanos))
    return Months(abs(value.months)) if isinstance(value, Months) else NUMBERS.abs(value)


@function("modulo", "dividend: number", "divisor: number")
def modulo(dividend: Decimal, divisor: Decimal) -> Value:
    """dividend - divisor * floor(dividend / divisor): it has the sign of the divisor."""
    rest = NUMBERS.remainder(dividend, divisor)
    return NUMBERS.add(rest, divisor) if rest and (rest < 0) != (divisor < 0) else NUMBERS.abs(rest).copy_sign(divisor)


@function("sqrt", "number: number")
def sqrt(value: Decimal) -> Value:
    """The square root."""
    return NUMBERS.sqrt(value)


@function("log", "number: number")
def log(value: Decimal) -> Value:
    """The natural logarithm."""
    if value <= 0:
        raise NoAnswer("log: it is of numbers above 0")
    return NUMBERS.ln(value)


@function("exp", "number: number")
def exp(value: Decimal) -> Value:
    """e to a power."""
    return NUMBERS.exp(value)


@function("odd", "number: number")
def odd(value: Decimal) -> Value:
    """Whether a whole number is odd."""
    return abs(value) % 2 == 1


@function("even", "number: number")
def even(value: Decimal) -> Value:
    """Whether a whole number is even."""
    return value % 2 == 0
