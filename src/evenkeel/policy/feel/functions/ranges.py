"""Relations of points and ranges (DMN 1.5, clause 10.3.4.9, table 78): Allen's interval algebra, with open ends too.

An end is (value, closed). Orders that do not exist make the answer null.
"""

from __future__ import annotations

from collections.abc import Callable

from evenkeel.policy.feel.functions.registry import NoAnswer, function
from evenkeel.policy.feel.values import Range, Value, compare, kind

_POINT = "number|string|date|time|date and time|days and time duration|years and months duration"


def _order(left: Value, right: Value) -> int:
    found = compare(left, right)
    if found is None:
        raise NoAnswer(f"{kind(left)} and {kind(right)} have no order")
    return found


def _relation(name: str, *parameters: str) -> Callable[[Callable[..., bool]], Callable[..., bool]]:
    def declare(call: Callable[..., bool]) -> Callable[..., bool]:
        function(name, *parameters)(call)
        return call

    return declare


_PP = (f"point1: {_POINT}", f"point2: {_POINT}")
_PR = (f"point: {_POINT}", "range: range")
_RP = ("range: range", f"point: {_POINT}")
_RR = ("range1: range", "range2: range")


@_relation("before", *_PP)
def _before_points(a: Value, b: Value) -> bool:
    return _order(a, b) < 0


@_relation("before", *_PR)
def _before_range(a: Value, b: Range) -> bool:
    order = _order(a, b.low)
    return order < 0 or (order == 0 and not b.low_closed)


@_relation("before", *_RP)
def _range_before(a: Range, b: Value) -> bool:
    order = _order(a.high, b)
    return order < 0 or (order == 0 and not a.high_closed)


@_relation("before", *_RR)
def _before_ranges(a: Range, b: Range) -> bool:
    order = _order(a.high, b.low)
    return order < 0 or (order == 0 and not (a.high_closed and b.low_closed))


_relation("after", *_PP)(lambda a, b: _before_points(b, a))
_relation("after", *_PR)(lambda a, b: _range_before(b, a))
_relation("after", *_RP)(lambda a, b: _before_range(b, a))
_relation("after", *_RR)(lambda a, b: _before_ranges(b, a))


@_relation("meets", *_RR)
def _meets(a: Range, b: Range) -> bool:
    return a.high_closed and b.low_closed and _order(a.high, b.low) == 0


_relation("met by", *_RR)(lambda a, b: _meets(b, a))


@_relation("overlaps", *_RR)
def _overlaps(a: Range, b: Range) -> bool:
    return not _before_ranges(a, b) and not _before_ranges(b, a)


def _starts_before(a: Range, b: Range) -> bool:
    order = _order(a.low, b.low)
    return order < 0 or (order == 0 and a.low_closed and not b.low_closed)


def _ends_before(a: Range, b: Range) -> bool:
    order = _order(a.high, b.high)
    return order < 0 or (order == 0 and not a.high_closed and b.high_closed)


@_relation("overlaps before", *_RR)
def _overlaps_before(a: Range, b: Range) -> bool:
    order = _order(a.high, b.low)
    touches = order > 0 or (order == 0 and a.high_closed and b.low_closed)
    ends = _order(a.high, b.high)
    return _starts_before(a, b) and touches and (ends < 0 or (ends == 0 and (not a.high_closed or b.high_closed)))


@_relation("overlaps after", *_RR)
def _overlaps_after(a: Range, b: Range) -> bool:
    order = _order(b.high, a.low)
    touches = order > 0 or (order == 0 and b.high_closed and a.low_closed)
    starts = _order(b.low, a.low)
    later = starts < 0 or (starts == 0 and b.low_closed and not a.low_closed)
    ends = _order(b.high, a.high)
    return later and touches and (ends < 0 or (ends == 0 and (a.high_closed or not b.high_closed)))


@_relation("finishes", *_PR)
def _point_finishes(a: Value, b: Range) -> bool:
    return b.high_closed and _order(b.high, a) == 0


@_relation("finishes", *_RR)
def _finishes(a: Range, b: Range) -> bool:
    starts = _order(a.low, b.low)
    return (
        a.high_closed == b.high_closed
        and _order(a.high, b.high) == 0
        and (starts > 0 or (starts == 0 and (not a.low_closed or b.low_closed)))
    )


_relation("finished by", *_RP)(lambda a, b: _point_finishes(b, a))
_relation("finished by", *_RR)(lambda a, b: _finishes(b, a))


@_relation("includes", *_RP)
def _includes_point(a: Range, b: Value) -> bool:
    low, high = _order(a.low, b), _order(a.high, b)
    return (low < 0 or (low == 0 and a.low_closed)) and (high > 0 or (high == 0 and a.high_closed))


@_relation("includes", *_RR)
def _includes(a: Range, b: Range) -> bool:
    return not _starts_before(b, a) and not _ends_before(a, b)


_relation("during", *_PR)(lambda a, b: _includes_point(b, a))
_relation("during", *_RR)(lambda a, b: _includes(b, a))


@_relation("starts", *_PR)
def _point_starts(a: Value, b: Range) -> bool:
    return b.low_closed and _order(b.low, a) == 0


@_relation("starts", *_RR)
def _starts(a: Range, b: Range) -> bool:
    ends = _order(a.high, b.high)
    return (
        a.low_closed == b.low_closed
        and _order(a.low, b.low) == 0
        and (ends < 0 or (ends == 0 and (not a.high_closed or b.high_closed)))
    )


_relation("started by", *_RP)(lambda a, b: _point_starts(b, a))
_relation("started by", *_RR)(lambda a, b: _starts(b, a))


@_relation("coincides", *_PP)
def _same_point(a: Value, b: Value) -> bool:
    return _order(a, b) == 0


@_relation("coincides", *_RR)
def _same_range(a: Range, b: Range) -> bool:
    closed = (a.low_closed, a.high_closed) == (b.low_closed, b.high_closed)
    return closed and _order(a.low, b.low) == 0 and _order(a.high, b.high) == 0
