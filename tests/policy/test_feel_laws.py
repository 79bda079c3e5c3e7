"""Laws that FEEL must keep, against independent oracles: decimal128 of Python, its datetime, sets of points, Kleene."""

from __future__ import annotations

import datetime as py
import itertools
from decimal import ROUND_HALF_EVEN, Context, Decimal
from fractions import Fraction

import pytest
from feel_samples import holds, value
from hypothesis import assume, example, given
from hypothesis import strategies as st

from evenkeel.policy.feel.functions import NoAnswer, call_positional
from evenkeel.policy.feel.temporal import (
    duration_text,
    months_text,
    parse_duration,
    parse_temporal,
    temporal_text,
)
from evenkeel.policy.feel.values import (
    Date,
    DateTime,
    Duration,
    Months,
    Range,
    Time,
    compare,
    contains,
    equal,
    key_of,
    kind,
)

_numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6)
_dates = st.dates().map(lambda day: Date(day.year, day.month, day.day))
_times = st.times().map(lambda at: Time(at.hour, at.minute, at.second, at.microsecond * 1000))
_zoned = st.builds(
    lambda at, zone: Time(at.hour, at.minute, at.second, at.nano, zone),
    _times,
    st.integers(-14, 14).map(lambda h: h * 3600),
)
_moments = st.builds(DateTime, _dates, _times | _zoned)
_scalars = st.one_of(
    st.none(), st.booleans(), _numbers, st.text(max_size=3), _dates, _times | _zoned, _moments,
    st.integers(-30, 30).map(Months), st.integers(-(10**12), 10**12).map(Duration),
)  # fmt: skip
_values = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=2),
    max_leaves=6,
)  # fmt: skip

_EXACT = Context(prec=34, rounding=ROUND_HALF_EVEN)


@given(_numbers, _numbers)
def test_arithmetic_is_that_of_decimal128(left: Decimal, right: Decimal) -> None:
    names = {"a": left, "b": right}
    assert value("a + b", **names) == _EXACT.add(left, right)
    assert value("a - b", **names) == _EXACT.subtract(left, right)
    assert value("a * b", **names) == _EXACT.multiply(left, right)
    assert value("a / b", **names) == (_EXACT.divide(left, right) if right else None)


@given(_numbers, _numbers)
def test_modulo_is_the_rest_of_floor_division(dividend: Decimal, divisor: Decimal) -> None:
    assume(divisor != 0)
    exact = Fraction(dividend) % Fraction(divisor)
    try:
        found = call_positional("modulo", [dividend, divisor])
    except NoAnswer:
        assert abs(dividend / divisor) >= 10**30
        return
    assert isinstance(found, Decimal)
    assert abs(Fraction(found) - exact) <= abs(Fraction(divisor)) / 10**25


@given(st.lists(_numbers, max_size=6))
def test_sums_means_and_medians_are_the_exact_ones_within_34_digits(items: list[Decimal]) -> None:
    exact = sorted(map(Fraction, items))
    if not items:
        assert value("sum(xs)", xs=items) is None
        return
    total, size = sum(exact, Fraction(0)), len(exact)
    middle = (exact[(size - 1) // 2] + exact[size // 2]) / 2
    for text, wanted in (("sum(xs)", total), ("mean(xs)", total / size), ("median(xs)", middle)):
        found = value(text, xs=items)
        assert isinstance(found, Decimal)
        assert abs(Fraction(found) - wanted) <= Fraction(1, 10**10)


@given(
    st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=5), st.integers(0, 4)
)
@example(Decimal("2.5"), 0)
@example(Decimal("-0.25"), 1)
def test_roundings_are_the_nearest_on_their_side(number: Decimal, scale: int) -> None:
    step = Fraction(1, 10**scale)
    exact = Fraction(number) / step
    down, up = exact.__floor__(), exact.__ceil__()
    toward, away = (down, up) if exact >= 0 else (up, down)
    nearest_up = away if abs(exact - away) <= abs(exact - toward) else toward
    nearest_down = toward if abs(exact - toward) <= abs(exact - away) else away
    wanted = {
        "floor": down, "ceiling": up, "round down": toward, "round up": away, "decimal": round(exact),
        "round half up": nearest_up, "round half down": nearest_down,
    }  # fmt: skip
    for name, units in wanted.items():
        found = call_positional(name, [number, Decimal(scale)])
        assert isinstance(found, Decimal)
        assert Fraction(found) == units * step, name


# ---- Values ----------------------------------------------------------------------------------------------------------


@given(_values)
def test_a_value_equals_itself_and_what_has_its_key(item: object) -> None:
    assert equal(item, item) is True
    assert key_of(item) == key_of(item)


@given(_values, _values)
def test_equality_is_symmetric_and_agrees_with_keys(left: object, right: object) -> None:
    assert equal(left, right) is equal(right, left)
    assert (equal(left, right) is True) == (key_of(left) == key_of(right))
    if kind(left) != kind(right):
        assert equal(left, right) is (False if left is None or right is None else None)


@given(_scalars, _scalars, _scalars)
def test_order_is_total_within_what_can_be_compared(a: object, b: object, c: object) -> None:
    order = compare(a, b)
    assert order is None or order == -(compare(b, a) or 0)
    if (order or 0) < 0 and (compare(b, c) or 0) < 0:
        assert compare(a, c) == -1
    assert (order == 0) == (equal(a, b) is True) or order is None


@given(st.integers(0, 6), st.integers(0, 6), st.booleans(), st.booleans(), st.integers(-2, 8))
def test_a_range_holds_its_points(low: int, high: int, low_closed: bool, high_closed: bool, point: int) -> None:
    wanted = (low < point or (low_closed and low == point)) and (point < high or (high_closed and point == high))
    span = Range(Decimal(low), Decimal(high), low_closed, high_closed)
    assert contains(span, Decimal(point)) is wanted
    text = f"{'[' if low_closed else '('}{low}..{high}{']' if high_closed else ')'}"
    assert holds(text, Decimal(point)) is wanted


_POINTS = [Fraction(half, 2) for half in range(-2, 15)]
_spans = st.builds(
    lambda low, length, a, b: Range(Decimal(low), Decimal(low + length), a, b),
    st.integers(0, 4), st.integers(1, 3), st.booleans(), st.booleans(),
)  # fmt: skip


def _points(span: Range) -> set[Fraction]:
    return {point for point in _POINTS if contains(span, Decimal(point.numerator) / Decimal(point.denominator))}


@given(_spans, _spans)
def test_relations_of_ranges_are_those_of_their_points(left: Range, right: Range) -> None:
    a, b = _points(left), _points(right)
    assert call_positional("includes", [left, right]) is (b <= a)
    assert call_positional("during", [left, right]) is (a <= b)
    assert call_positional("before", [left, right]) is (max(a) < min(b))
    assert call_positional("after", [left, right]) is (min(a) > max(b))
    assert call_positional("coincides", [left, right]) is (a == b)
    assert call_positional("overlaps", [left, right]) is bool(a & b)


# ---- Dates -----------------------------------------------------------------------------------------------------------


@given(st.dates())
def test_days_are_counted_as_the_calendar_does(day: py.date) -> None:
    ours = Date(day.year, day.month, day.day)
    assert ours.ordinal == day.toordinal()
    assert Date.of_ordinal(day.toordinal()) == ours
    assert call_positional("week of year", [ours]) == day.isocalendar().week
    assert call_positional("day of year", [ours]) == day.timetuple().tm_yday
    assert value("d.weekday", d=ours) == day.isoweekday()


@given(st.integers(-(10**9), 10**9))
def test_any_day_has_a_date_and_back(ordinal: int) -> None:
    assert Date.of_ordinal(ordinal).ordinal == ordinal


@given(
    st.datetimes(timezones=st.just(py.UTC)).filter(lambda moment: 1000 <= moment.year <= 3000),
    st.timedeltas(py.timedelta(-9999), py.timedelta(9999)),
)
def test_moments_and_durations_add_as_datetime_does(moment: py.datetime, later: py.timedelta) -> None:
    def ours(at: py.datetime) -> DateTime:
        return DateTime(Date(at.year, at.month, at.day), Time(at.hour, at.minute, at.second, at.microsecond * 1000))

    nanos = (later // py.timedelta(microseconds=1)) * 1000
    assert value("a + b", a=ours(moment), b=Duration(nanos)) == ours(moment + later)
    assert value("a - b", a=ours(moment + later), b=ours(moment)) == Duration(nanos)


@given(
    st.one_of(
        _dates,
        _times | _zoned,
        _moments,
        st.integers(-(10**6), 10**6).map(Months),
        st.integers(-(10**18), 10**18).map(Duration),
    )
)
@example(Duration(0))
@example(Months(0))
def test_the_text_of_a_date_time_or_duration_is_read_as_the_same(item: object) -> None:
    assert equal(parse_temporal(str(temporal_text(item))), item) is True


@pytest.mark.parametrize(
    "text", ["P", "PT", "P1DT", "1D", "P-1D", "P1H", "PT1D", "P1Y1D", "P1.5D", "p1d", " P1D", "P1D\n", "P١D"]
)
def test_what_is_no_duration_is_none(text: str) -> None:
    assert parse_duration(text) is None


def test_durations_are_written_in_their_shortest_form() -> None:
    assert [months_text(Months(m)) for m in (0, 1, 12, 14, -14)] == ["P0M", "P1M", "P1Y", "P1Y2M", "-P1Y2M"]
    second = 10**9
    assert [duration_text(Duration(n)) for n in (0, second // 2, 86_400 * second, -3_661 * second)] == [
        "PT0S", "PT0.5S", "P1D", "-PT1H1M1S",
    ]  # fmt: skip


# ---- Logic -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("a, b, c", list(itertools.product(["true", "false", "null"], repeat=3)))
def test_three_valued_logic_keeps_its_laws(a: str, b: str, c: str) -> None:
    for left, right in (
        (f"{a} and ({b} and {c})", f"({a} and {b}) and {c}"),
        (f"{a} or ({b} or {c})", f"({a} or {b}) or {c}"),
        (f"{a} and ({b} or {c})", f"({a} and {b}) or ({a} and {c})"),
        (f"not({a} and {b})", f"not({a}) or not({b})"),
        (f"{a} and {b}", f"{b} and {a}"),
        (f"{a} or ({a} and {b})", a),
    ):
        assert value(left) is value(right)
