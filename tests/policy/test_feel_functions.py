"""The built-in functions of FEEL, by clause 10.3.4 of DMN 1.5: the standard's own examples, edges, and null."""

from __future__ import annotations

from decimal import Decimal

import pytest
from feel_samples import assert_table, messages, value

from evenkeel.policy.feel.function_names import BUILT_IN
from evenkeel.policy.feel.functions import FUNCTIONS


def test_conversion() -> None:  # 10.3.4.1
    assert_table("""
        date("2012-12-25") - date("2012-12-24") => duration("P1D")
        date(date and time("2012-12-25T11:00:00Z")) => date("2012-12-25")
        date(2012, 12, 25) => date("2012-12-25")
        date("2017-02-30") => null
        date("2017-1-1") => null
        date("-2017-01-01").year => -2017
        date("999999999-12-31").year => 999999999
        date(null) => null
        date and time("2012-12-24T23:59:00") => date and time(date("2012-12-24"), time("23:59:00"))
        date and time("2012-12-24") => @"2012-12-24T00:00:00"
        date and time("2012-12-24T24:00:00") => null
        date and time("2012-12-24T23:59:00") + duration("PT1M") => @"2012-12-25T00:00:00"
        time("23:59:00z") + duration("PT2M") => time("00:01:00Z")
        time(10, 30, 15.5, @"PT1H") => @"10:30:15.5+01:00"
        time(10, 30, 0) => @"10:30:00"
        time("10:30:00+19:00") => null
        time("10:30:00@Nowhere/Town") => null
        time("25:00:00") => null
        number("1 000,0", " ", ",") => number("1,000.0", ",", ".")
        number("1000") => 1000
        number("1,000") => null
        number("1.000,5", ".", ".") => null
        number(from: "1.000,5", grouping separator: ".", decimal separator: ",") => 1000.5
        number("Infinity") => null
        string(1.1) => "1.1"
        string(100 * 1.0) => "100"
        string(null) => null
        string(@"P1Y2M") => "P1Y2M"
        string(@"PT0S") => "PT0S"
        string([1, "a", {b: null}]) => "[1, \\"a\\", {b: null}]"
        string([1..3)) => "[1..3)"
        duration("P1Y6M") => @"P18M"
        duration("P2Y2D") => null
        years and months duration(date("2011-12-22"), date("2013-08-24")) => duration("P1Y8M")
        years and months duration(@"2013-08-24", @"2011-12-22") => duration("-P1Y8M")
        range("[18..21)") => [18..21)
    """)


def test_range_reads_literal_ends_that_ascend() -> None:  # 10.3.4.1, grammar rule 66
    assert_table("""
        range("[\\"a\\"..\\"c\\"]") => ["a".."c"]
        range(" ] -1 .. 3[ ") => (-1..3)
        range("[date(\\"2024-01-01\\")..@\\"2024-02-01\\")") => [@"2024-01-01"..@"2024-02-01")
        range("[2..)") => (>= 2)
        range("(2..)") => (> 2)
        range("(..2]") => (<= 2)
        range("(..2)") => (< 2)
        range("[2..2]") => [2..2]
    """)
    unreadable = ["nothing", "", "[..2]", "[2..]", "(..)", ">= 2", "[1..2", "[1..2] + 1"]
    not_literal = ["[1 + 1..3]", "[null..3]", "[true..false]", "[x..3]", '[date(string(\\"2024-01-01\\"))..)']
    without_order = [
        '[1..\\"b\\"]',
        "[3..1]",
        '[@\\"P2D\\"..@\\"P1D\\"]',
        '[@\\"2024-01-01\\"..@\\"2024-01-02T00:00:00\\"]',
    ]
    for text in (*unreadable, *not_literal, *without_order):
        assert value(f'range("{text}")') is None, text
    assert messages('range("[3..1]")') == ["range: [3..1] ends before it begins"]
    assert messages("range([1..3])") == ["range: it is read from a string, not range"]


def test_boolean() -> None:  # 10.3.4.2
    assert_table("""
        not(true) => false
        not(null) => null
    """)


def test_string() -> None:  # 10.3.4.3
    assert_table("""
        substring("foobar", 3) => "obar"
        substring("foobar", 3, 3) => "oba"
        substring("foobar", -2, 1) => "a"
        substring("foobar", 0) => null
        substring("foobar", 7) => null
        substring("foobar", 1, 0) => null
        substring("\\U01F40Eab", 2) => "ab"
        substring(string: "foobar", start position: 3) => "obar"
        string length("foo") => 3
        string length("\\uD83D\\uDC0Eab") => 3
        upper case("aBc4") => "ABC4"
        lower case("aBc4") => "abc4"
        substring before("foobar", "bar") => "foo"
        substring before("foobar", "xyz") => ""
        substring after("foobar", "ob") => "ar"
        substring after("foobar", "xyz") => ""
        substring after("", "a") => ""
        contains("foobar", "of") => false
        starts with("foobar", "fo") => true
        ends with("foobar", "r") => true
        matches("foobar", "^fo*b") => true
        matches("FOO", "foo", "i") => true
        matches("a\\nb", "a.b", "s") => true
        matches("foo", "(") => null
        matches("foo", "f", "z") => null
        replace("banana", "a", "o") => "bonono"
        replace("abcd", "(ab)|(a)", "[1=$1][2=$2]") => "[1=ab][2=]cd"
        replace("abc", "x*", "-") => null
        replace("a.b", ".", "-", "q") => "a-b"
        split("John Doe", "\\\\s") => ["John", "Doe"]
        split("a;b;c;;", ";") => ["a", "b", "c", "", ""]
        string join(["a", "b", "c"], "_and_") => "a_and_b_and_c"
        string join(["a", null, "c"]) => "ac"
        string join([], "X") => ""
        string join(["a", 1]) => null
        upper case(1) => null
    """)


def test_list() -> None:  # 10.3.4.4
    assert_table("""
        list contains([1, 2, 3], 2) => true
        list contains([1, null], null) => true
        list contains(null, 1) => null
        count([1, 2, 3]) => 3
        count([]) => 0
        count(null) => null
        count([1, [2, 3]]) => 2
        min([1, 2, 3]) => 1
        min(1) => 1
        min([]) => null
        max(1, 2, 3) => 3
        max("a", "c", "b") => "c"
        max([1, "a"]) => null
        max([@"2024-01-01", @"2024-05-31"]) => @"2024-05-31"
        sum(1, 2, 3) => 6
        sum([]) => null
        sum([1, null]) => null
        sum([@"PT1H", @"PT2H"]) => @"PT3H"
        mean([1, 2, 3]) => 2
        mean([]) => null
        all([false, null, true]) => false
        all([true, null]) => null
        all([]) => true
        any([false, null, true]) => true
        any([false, null]) => null
        any([]) => false
        sublist([4, 5, 6], 1, 2) => [4, 5]
        sublist([4, 5, 6], -2) => [5, 6]
        sublist([4, 5, 6], 3, 2) => null
        append([1], 2, 3) => [1, 2, 3]
        append([1]) => null
        concatenate([1, 2], [3]) => [1, 2, 3]
        insert before([1, 3], 1, 2) => [2, 1, 3]
        insert before([1], 3, 2) => null
        remove([1, 2, 3], 2) => [1, 3]
        list replace([2, 4, 7, 8], 3, 6) => [2, 4, 6, 8]
        list replace([2, 4, 7, 8], 2.5, 6) => null
        list replace([2, 4, 7, 8], function(item, newItem) item < newItem, 5) => [5, 5, 7, 8]
        reverse([1, 2, 3]) => [3, 2, 1]
        index of([1, 2, 3, 2], 2) => [2, 4]
        index of([1, null, 2, null], null) => [2, 4]
        union([1, 2], [2, 3]) => [1, 2, 3]
        distinct values([1, 2, 1.0, "1", null, null]) => [1, 2, "1", null]
        flatten([[1, 2], [[3]], 4]) => [1, 2, 3, 4]
        product([2, 3, 4]) => 24
        median(8, 2, 5, 3, 4) => 4
        median([6, 1, 2, 3]) => 2.5
        median([]) => null
        stddev(2, 4, 7, 5) => 2.081665999466132735282297706979931
        stddev([47]) => null
        mode(6, 3, 9, 6, 6) => [6]
        mode([6, 1, 9, 6, 1]) => [1, 6]
        mode([]) => []
        sort([3, 1, 2]) => [1, 2, 3]
        sort([1, 2], function(x) true) => null
        sort([1, "a"]) => null
    """)


def test_numeric() -> None:  # 10.3.4.5
    assert_table("""
        decimal(1 / 3, 2) => 0.33
        decimal(1.5, 0) => 2
        decimal(2.5, 0) => 2
        decimal(1250, -2) => 1200
        decimal(1, 7000) => null
        floor(1.5) => 1
        floor(-1.56, 1) => -1.6
        ceiling(-1.5) => -1
        ceiling(1.51, 1) => 1.6
        round up(5.5, 0) => 6
        round up(-1.126, 2) => -1.13
        round down(-5.5, 0) => -5
        round half up(-5.5, 0) => -6
        round half up(1.125, 2) => 1.13
        round half down(5.5, 0) => 5
        round half down(-1.126, 2) => -1.13
        abs(-10) => 10
        abs(@"-PT5H") => @"PT5H"
        modulo(12, 5) => 2
        modulo(-12, 5) => 3
        modulo(12, -5) => -3
        modulo(-12, -5) => -2
        modulo(10.1, 4.5) => 1.1
        modulo(-10.1, 4.5) => 3.4
        modulo(1, 0) => null
        sqrt(16) => 4
        sqrt(-1) => null
        decimal(log(10), 8) => 2.30258509
        log(0) => null
        decimal(exp(5), 8) => 148.41315910
        exp(100000) => null
        odd(5) => true
        odd(2) => false
        even(-2) => true
        even(2.5) => false
    """)


def test_date_and_time() -> None:  # 10.3.4.6, 10.3.4.8
    assert_table("""
        is(date("2012-12-25"), time("23:00:50")) => false
        is(date("2012-12-25"), date("2012-12-25")) => true
        is(time("23:00:50z"), time("23:00:50")) => false
        is(time("23:00:50z"), time("23:00:50+00:00")) => true
        day of year(date(2019, 9, 17)) => 260
        day of week(date(2019, 9, 17)) => "Tuesday"
        month of year(date(2019, 9, 17)) => "September"
        week of year(date(2019, 9, 17)) => 38
        week of year(date(2003, 12, 29)) => 1
        week of year(date(2004, 1, 4)) => 1
        week of year(date(2005, 1, 1)) => 53
        week of year(date(2005, 1, 3)) => 1
    """)


def test_ranges() -> None:  # 10.3.4.9, table 78
    assert_table("""
        before(1, 10) => true
        before(10, 1) => false
        before(1, [1..10]) => false
        before(1, (1..10]) => true
        before([1..10], 10) => false
        before([1..10), 10) => true
        before([1..10), [10..20]) => true
        before([1..10], [10..20]) => false
        after(12, [1..10]) => true
        after([11..20], 10) => true
        after((10..20], [1..10]) => true
        meets([1..5], [5..10]) => true
        meets([1..5), [5..10]) => false
        met by([5..10], [1..5]) => true
        overlaps([5..10], [1..6]) => true
        overlaps((3..7], [1..3]) => false
        overlaps([1..3], [3..7]) => true
        overlaps before([1..5], [4..10]) => true
        overlaps before([1..5), [1..5]) => false
        overlaps before([1..5), (1..5]) => true
        overlaps after([4..10], [1..5]) => true
        overlaps after((5..10], [1..5]) => false
        finishes(10, [1..10]) => true
        finishes(10, [1..10)) => false
        finishes([5..10], [1..10]) => true
        finished by([1..10], [5..10]) => true
        includes([1..10], 5) => true
        includes((1..10], 1) => false
        includes([1..10], [1..10)) => true
        includes([1..10), [1..10]) => false
        during(5, [1..10]) => true
        during((1..10), [1..10]) => true
        starts(1, [1..10]) => true
        starts([1..5], [1..10]) => true
        starts((1..5], [1..10]) => false
        started by([1..10], 1) => true
        coincides(5, 5) => true
        coincides([1..5], [1..5]) => true
        coincides([1..5), [1..5]) => false
        before("a", 1) => null
        before(point1: 1, point2: 2) => true
    """)


def test_context() -> None:  # 10.3.4.12
    assert_table("""
        get value({key1: "value1"}, "key1") => "value1"
        get value({a: {b: 1}}, ["a", "b"]) => 1
        get value({a: 1}, "b") => null
        get entries({key1: "value1"}) => [{key: "key1", value: "value1"}]
        context([{key: "a", value: 1}, {key: "b", value: 2}]) => {a: 1, b: 2}
        context([{key: "a", value: 1}, {key: "a", value: 2}]) => null
        context([{key: "a"}]) => null
        context put({x: 1}, "y", 2) => {x: 1, y: 2}
        context put({x: 1, y: {a: 0}}, ["y", "a"], 2) => {x: 1, y: {a: 2}}
        context put({x: 1}, [], 2) => null
        context merge([{x: 1}, {x: 0, y: 2}]) => {x: 0, y: 2}
    """)


@pytest.mark.parametrize("name", sorted(set(BUILT_IN) - {"now", "today", "range", "and", "or"}))
def test_every_function_of_the_standard_is_there_and_null_to_nonsense(name: str) -> None:
    assert name in FUNCTIONS
    assert value(f"{name}()") is None
    assert value(f"{name}(1, 2, 3, 4, 5, 6, 7, 8, 9)") in (None, Decimal(1), Decimal(9), Decimal(45), Decimal(362880),
        Decimal(5)) or name in ("mode", "stddev", "concatenate", "append", "union")  # fmt: skip


def test_a_wrong_argument_is_named() -> None:
    assert messages('substring(1, "a")') == ["substring: string is a string, not number"]
    assert messages("substring()") == ["substring is not called with 0 arguments"]
    assert messages("substring(nonsense: 1)") == ["substring has no parameters nonsense"]
    assert messages("sublist([1], 2)") == ["sublist: there is no position 2 in a list of 1"]
