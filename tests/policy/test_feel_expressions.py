"""What FEEL expressions mean, by clause of DMN 1.5: comparison, logic, arithmetic, ranges, lists, functions, cells."""

from __future__ import annotations

import itertools

import pytest
from feel_samples import assert_table, holds, messages, number, value

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.feel.evaluator import Evaluator, Exhausted
from evenkeel.policy.feel.parser import parse_expression
from evenkeel.policy.feel.values import Date, DateTime, Time


def test_equality_is_null_between_kinds_and_false_with_null() -> None:  # 10.3.2.14, table 53
    assert_table("""
        null = null => true
        null != null => false
        100 = null => false
        false = 0 => null
        100 = "100" => null
        0 = 0.00 => true
        -0 = 0 => true
        "foo" = "Foo" => false
        [1, 2, 3] = [3, 2, 1] => false
        [1] = [1, 2] => false
        [1, "a"] = [1, 2] => null
        {a: 1, b: 2} = {b: 2, a: 1} => true
        {a: 1} = {a: 1, b: null} => false
        [1..2] = [1..2) => false
        [1..2] = [1..2.0] => true
        @"2024-01-01" = date(2024, 1, 1) => true
        @"10:00:00+01:00" = @"09:00:00Z" => true
        @"10:00:00" = @"10:00:00Z" => false
        @"2018-12-08T00:00:00" = @"2018-12-08T00:00:00@Asia/Dhaka" => false
        @"P1Y" = @"P12M" => true
        @"PT24H" = @"P1D" => true
        @"P1Y" = @"P365D" => null
    """)


def test_order_is_null_between_kinds() -> None:  # table 54
    assert_table("""
        1 < 2 => true
        "a" < "b" => true
        "a" < 1 => null
        null < 1 => null
        true < false => null
        @"2024-01-31" < @"2024-02-01" => true
        @"10:00:00" < @"11:00:00Z" => null
        @"2024-01-01T00:00:00+08:00" < @"2024-01-01T00:00:00Z" => true
        [1] < [2] => null
        1 between 1 and 2 => true
        3 between 1 and 2 => false
        null between 1 and 2 => null
        3 between null and 2 => false
    """)


_THREE = {"true": True, "false": False, "null": None}


@pytest.mark.parametrize("left, right", list(itertools.product(_THREE, repeat=2)))
def test_and_or_are_the_three_valued_logic_of_kleene(left: str, right: str) -> None:  # table 49
    order = {"false": 0, "null": 1, "true": 2}
    assert value(f"{left} and {right}") is _THREE[min(left, right, key=order.__getitem__)]
    assert value(f"{left} or {right}") is _THREE[max(left, right, key=order.__getitem__)]


def test_what_is_no_boolean_is_unknown_to_logic() -> None:
    assert_table("""
        true and "x" => null
        false and "x" => false
        true or 1 => true
        false or 1 => null
        not(true) => false
        not(null) => null
        not("x") => null
        if "true" then 1 else 2 => 2
        if null then 1 else 2 => 2
    """)


def test_arithmetic_on_numbers_has_34_digits_and_no_exceptions() -> None:  # table 50
    assert_table("""
        10 + 20 / -5 - 3 => 3
        1 / 3 => 0.3333333333333333333333333333333333
        0.1 + 0.2 => 0.3
        10 ** -5 => 0.00001
        (10 + 20) / 0 => null
        10 + null => null
        "a" + "b" => "ab"
        "a" + 1 => null
        "a" - "b" => null
        -"a" => null
        10 ** 9999 => null
        true + 1 => null
        1.20 * 1 => 1.20
    """)
    assert value("0.1 * 3") == number("0.3")


def test_why_something_is_null_is_kept() -> None:
    assert messages('1 + "a"') == ["`+` is not defined for number and string"]
    assert messages("nobody") == ["there is no variable nobody"]
    assert messages('date("2024-02-30")') == ["date: '2024-02-30' is no date"]
    assert messages("1 < date(2024, 1, 1)") == ["number and date have no order"]
    assert messages("{a: 1}.b") == ["a context has no b"]


def test_dates_times_and_durations_calculate() -> None:  # tables 51, 52
    assert_table("""
        @"2024-01-31" + @"P1M" => @"2024-02-29"
        @"2024-02-29" - @"P1Y" => @"2023-02-28"
        @"2024-01-01" + @"PT36H" => @"2024-01-02"
        @"2024-01-01T10:00:00Z" - @"PT11H" => @"2023-12-31T23:00:00Z"
        @"P1D" + @"2024-12-31" => @"2025-01-01"
        @"2024-03-01" - @"2024-02-01" => @"P29D"
        @"2024-01-02T00:00:00Z" - @"2024-01-01" => @"P1D"
        @"2024-01-02T00:00:00" - @"2024-01-01T00:00:00Z" => null
        @"23:30:00" + @"PT1H" => @"00:30:00"
        @"10:00:00" - @"09:30:00" => @"PT30M"
        @"P1Y" + @"P2M" => @"P14M"
        @"P1Y" + @"P1D" => null
        @"PT1H" * 1.5 => @"PT90M"
        3 * @"P1M" => @"P3M"
        @"P1D" / @"PT6H" => 4
        @"P1Y" / @"P5M" => 2.4
        @"P1Y" / 0 => null
        @"P1D" / @"PT0S" => null
        -@"P1D" => @"-P1D"
        @"P1Y" * @"P1Y" => null
        @"-0001-01-01" + @"P2Y" => @"0001-01-01"
    """)


def test_properties_of_dates_times_durations_and_ranges() -> None:  # tables 61 to 65
    assert_table("""
        @"2024-05-31".year => 2024
        @"2024-05-31".weekday => 5
        @"2024-05-31T10:20:30+08:00".hour => 10
        @"2024-05-31T10:20:30+08:00".time offset => @"PT8H"
        @"10:20:30".time offset => null
        @"2019-03-31T10:00:00@Europe/Paris".time offset => @"PT2H"
        @"2019-01-31T10:00:00@Europe/Paris".timezone => "Europe/Paris"
        @"P14M".years => 1
        @"-P14M".months => -2
        @"P1DT2H3M4S".minutes => 3
        [1..3).start => 1
        [1..3).end included => false
        (< 3).end => 3
        null.year => null
        [{a: 1}, {a: 2}].a => [1, 2]
    """)


def test_membership() -> None:  # table 55
    assert_table("""
        1 in [2, 3, 1] => true
        1 in [[2..4], [1..3]] => true
        5 in [[2..4], [1..3]] => false
        11 in <= 10 => false
        10 in (1, < 5, >= 10) => true
        3 in (2..4] => true
        2 in ]2..4[ => false
        [1, 2, 3] in ([1, 2, 3, 4], [1, 2, 3]) => true
        "b" in ["a".."c"] => true
        null in [1..2] => null
        1 in "a" => null
    """)


def test_a_range_with_one_end_is_a_value_after_equals() -> None:  # grammar rule 7
    assert_table("""
        (>= 2) = >= 2 => true
        (>= 2) = > 2 => false
        (< 2) != <= 2 => true
        [1..2] = >= 1 or true => true
    """)


def test_a_null_end_makes_no_open_range() -> None:
    assert value("5 in [null..10]") is None
    assert value("5 in [limit..10]", limit=None) is None
    assert value("null in [limit..10]", limit=None) is None


def test_lists_filters_and_paths() -> None:  # 10.3.2.5
    assert_table("""
        [1, 2, 3][1] => 1
        [1, 2, 3][-1] => 3
        [1, 2, 3][0] => null
        [1, 2, 3][4] => null
        [1, 2, 3][item >= 2] => [2, 3]
        [{a: 1, b: 2}, {a: 3, b: 4}][a > 1].b => [4]
        [{item: 1}, {item: 5}][item > 1] => [{item: 5}]
        [][item > 1] => []
        [][1] => null
        100[1] => 100
        100[item > 200] => []
        [1, 2, null, 4][item > 1] => [2, 4]
        {a b: 1, c: a b + 1}.c => 2
    """)


def test_loops() -> None:
    assert_table("""
        for i in 1..3 return i * 2 => [2, 4, 6]
        for i in 3..1 return i => [3, 2, 1]
        for i in [1..3] return i => [1, 2, 3]
        for i in (1..3) return i => [2]
        for x in [1, 2], y in [x, 10] return x + y => [2, 11, 4, 12]
        for i in 0..4 return if i = 0 then 1 else i * partial[-1] => [1, 1, 2, 6, 24]
        for d in @"2024-02-28"..@"2024-03-01" return d.day => [28, 29, 1]
        for x in null return x => null
        for x in 1..1.5 return x => null
        some x in [1, 2] satisfies x > 1 => true
        some x in [1, null] satisfies x > 1 => null
        some x in [] satisfies x > 1 => false
        every x in [2, null] satisfies x > 1 => null
        every x in [] satisfies x > 1 => true
        every x in [1, null] satisfies x > 1 => false
    """)


def test_functions_are_values_with_the_names_around_them() -> None:
    assert_table("""
        (function(a, b) a - b)(5, 3) => 2
        {f: function(x, y) x - y, z: f(y: 1, x: 3)}.z => 2
        {f: function(x) function(y) x * y, z: f(2)(5)}.z => 10
        (function(a: number) a)("x") => null
        (function(a: number) a = null)("x") => true
        (function(a: number) a)([7]) => 7
        (function(a) a)(1, 2) => null
        {f: function(n) if n = 0 then 1 else n * f(n - 1), z: f(10)}.z => 3628800
        {f: function(x) f(x), z: f(1)}.z => null
        (function(x) external {java: {class: "a"}})(1) => null
        {a: 1, b: a(2)}.b => null
        sort([3, 1, 2], function(x, y) x > y) => [3, 2, 1]
    """)


def test_instance_of() -> None:  # 10.3.2.9
    assert_table("""
        1 instance of number => true
        null instance of Any => false
        null instance of Null => true
        1 instance of Any => true
        [1, null] instance of list<number> => true
        [1, "a"] instance of list<number> => false
        {a: 1, b: 2} instance of context<a: number> => true
        {a: "x"} instance of context<a: number> => false
        {} instance of context<a: number> => false
        (1..3] instance of range<number> => true
        @"P1D" instance of days and time duration => true
        @"P1D" instance of years and months duration => false
        (function(a) a) instance of function<Any>->Any => true
        (function(a) a) instance of function<Any, Any>->Any => false
        (function(a) a) instance of function<number>->Any => true
        (function(a: number) a) instance of function<number>->Any => true
        (function(a: number) a) instance of function<Any>->Any => false
        (function(a: number) a) instance of function<string>->Any => false
        (function(a: dayTimeDuration) a) instance of function<days and time duration>->Any => true
        (function(a: list) a) instance of function<list<number>>->Any => true
        (function(a: list<number>) a) instance of function<list>->Any => false
        (function(a: context<x: number>) a) instance of function<context<y: string, x: number>>->Any => true
        (function(a: context<x: number, y: string>) a) instance of function<context<x: number>>->Any => false
        (function(a: context<x: number>) a) instance of function<context<x: string>>->Any => false
        (function(a: range<number>) a) instance of function<range<date>>->Any => false
        (function(a: function<number>->Any) a) instance of function<function<Any>->number>->Any => true
        (function(a: function<Any>->Any) a) instance of function<function<number>->Any>->Any => false
        (function(a: function<>->number) a) instance of function<function<>->Any>->Any => false
        (function(a: function) a) instance of function<function<number>->Any>->Any => true
        (function(a: number) a) instance of function<tOther>->Any => true
        1 instance of nobody => null
    """)


# ---- Cells -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "given", "expected"),
    [
        ("-", None, True),
        ("< 5", number("4"), True),
        ("< 5", None, None),
        ("= 5", number("5"), True),
        ("!= 5", number("4"), True),
        ("[1..5]", None, None),
        ('"a", "b"', "b", True),
        ('"a", "b"', None, False),
        ('not("a", "b")', "c", True),
        ('not("a", "b")', None, True),
        ("not(< 5)", None, None),
        ("null", None, True),
        ("not(null)", None, False),
        ("true", False, False),
        ("? > 3 and ? < 5", number("4"), True),
        ("? > 3", None, None),
        ("? = null", None, True),
        ("1 + 1", number("2"), True),
        ("1, null", None, True),
        ('contains(?, "x")', "axb", True),
        ("[1, 2]", number("2"), True),
        ("[1, 2]", [number("1"), number("2")], True),
        ("list contains(?, 1)", [number("1")], True),
        ("5", "5", None),
        ('@"2024-05-31"', Date(2024, 5, 31), True),
    ],
)  # fmt: skip
def test_when_a_cell_holds(cell: str, given: object, expected: bool | None) -> None:
    assert holds(cell, given) is expected


def test_a_cell_may_compare_with_other_names() -> None:
    assert holds("> income * 0.5", number("60"), income=number("100")) is True
    assert holds("> income * 0.5", number("60"), income=None) is None
    assert holds("income > 50", number("60"), income=number("100")) is True
    assert holds("income > 50", None, income=number("100")) is False


# ---- Bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "for i in 1..1000000000 return i",
        "for i in 1..900000, j in 1..900000 return i",
        "for i in 1..100000 return count(partial)",
        "for i in 1..100 return if i = 1 then [1] else concatenate(partial[-1], partial[-1])",
        'for i in 1..100 return if i = 1 then "aaaaaaaaaa" else partial[-1] + partial[-1]',
    ],
)
def test_work_without_end_is_stopped(text: str) -> None:
    with pytest.raises(Exhausted):
        Evaluator().evaluate(parse_expression(text))


def test_a_pattern_that_may_take_for_ever_is_not_run() -> None:
    assert messages(f'matches("{"a" * 60}!", "(a+)+$")')[0].startswith("the pattern '(a+)+$' repeats what repeats")


def test_the_clock_is_only_what_is_given() -> None:
    assert value("now()") is None
    now = DateTime(Date(2024, 5, 31), Time(10, 0, 0, 0, 0))
    assert Evaluator(now).evaluate(parse_expression("today()")) == Date(2024, 5, 31)
    assert Evaluator(now).evaluate(parse_expression("now()")) == now


def test_an_error_of_reading_is_one_that_commands_present() -> None:
    assert issubclass(Exhausted, InvalidInput)
