"""Amounts as people say them, beside a writer of numbers in words."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from said_oracle import in_han, in_words

from evenkeel.arrears.conversation.amounts import MOST, find_amounts, find_share
from evenkeel.arrears.conversation.days import find_days
from evenkeel.arrears.conversation.features import folded
from evenkeel.arrears.conversation.numerals import han_whole, word_whole


def amounts_in(text: str) -> list[int]:
    plain = folded(text)
    days = find_days(plain, date(2026, 11, 25))
    return [one.minor for one in find_amounts(plain, [(day.start, day.end) for day in days])]


@pytest.mark.parametrize(
    ("text", "minor"),
    [
        ("还500", 50000),
        ("三千五", 350000),
        ("3.5k", 350000),
        ("两万", 2000000),
        ("1,200.50", 120050),
        ("１，２００元", 120000),
        ("五百块五", 50050),
        ("一万二", 1200000),
        ("三千零五", 300500),
        ("八百五", 85000),
        ("¥800", 80000),
        ("￥1200.5", 120050),
        ("fifty quid", 5000),
        ("a grand", 100000),
        ("two hundred and fifty dollars", 25000),
        ("$75.50", 7550),
        ("2 grand", 200000),
        ("Rs. 2,500", 250000),
        ("5万", 5000000),
        ("1.5万", 1500000),
        ("俩百块", 20000),
        ("二百五十块", 25000),
        ("500蚊", 50000),
        ("15号还2000", 200000),
        ("12月5号还三百", 30000),
        ("分12期每期300块", 30000),
    ],
)
def test_an_amount_is_found(text: str, minor: int) -> None:
    assert amounts_in(text) == [minor]


@pytest.mark.parametrize(
    "text",
    [
        "-500",
        "负五百块",
        "0元",
        "$0",
        "99999999999",
        "五千万亿",
        "500-800",
        "五百到八百块",
        "1.200,50",
        "1,20",
        "尾号4471",
        "account 1234",
        "三天",
        "12个月",
        "5次",
        "20 days",
        "3pm",
        "15号",
        "50%",
        "1/2",
        "一半",
        "138 0013 8000 0000",
        "",
        "1.2345元",
        "order no. 5000",
        "20000000元",
    ],
)
def test_what_is_no_amount(text: str) -> None:
    assert amounts_in(text) == []


@pytest.mark.parametrize(
    ("text", "share"),
    [("一半", Fraction(1, 2)), ("1/2", Fraction(1, 2)), ("½", Fraction(1, 2)), ("half of it", Fraction(1, 2)),
     ("三分之一", Fraction(1, 3)), ("in full", Fraction(1)), ("全部", Fraction(1)), ("50%", Fraction(1, 2)),
     ("half now the full amount later", None), ("500", None), ("half an hour", None)],
)  # fmt: skip
def test_shares(text: str, share: Fraction | None) -> None:
    assert find_share(folded(text)) == share


@given(st.integers(1, 9_999_999))
def test_a_number_in_characters_is_that_number(number: int) -> None:
    assert han_whole(in_han(number)) == number
    assert amounts_in(f"还{in_han(number)}元") == [number * 100]


@given(st.integers(1, 999_999))
def test_a_number_in_words_is_that_number(number: int) -> None:
    assert word_whole(in_words(number)) == number
    assert amounts_in(f"I will pay {in_words(number)} dollars") == [number * 100]


@given(st.integers(1, int(MOST) * 100))
def test_digits_with_and_without_commas_are_exact(minor: int) -> None:
    plain = f"{minor // 100}.{minor % 100:02d}"
    assert amounts_in(f"¥{plain}") == amounts_in(f"¥{minor // 100:,}.{minor % 100:02d}") == [minor]


@given(st.text(alphabet="0123456789.,-+%万千百十零一二两三半k元$¥块 /号天", max_size=20))
def test_an_amount_is_always_positive_and_bounded(text: str) -> None:
    assert all(0 < minor <= MOST * 100 for minor in amounts_in(text))
