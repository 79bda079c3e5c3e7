"""Days as people say them, beside a calendar that is walked day by day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from said_oracle import days_from, end_of_month, next_day_of_month, next_weekday, weekday_of_next_week

from evenkeel.arrears.conversation.days import find_days
from evenkeel.arrears.conversation.features import folded

TODAY = date(2026, 11, 25)  # a Wednesday
ANY_DAY = st.dates(date(2024, 1, 1), date(2032, 12, 31))
EN = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def day_in(text: str, today: date = TODAY) -> date | None:
    found = [day.on for day in find_days(folded(text), today) if day.on is not None]
    return found[0] if found else None


@pytest.mark.parametrize(
    ("text", "on"),
    [
        ("下周五还", "2026-12-04"),
        ("月底", "2026-11-30"),
        ("15号", "2026-12-15"),
        ("后天", "2026-11-27"),
        ("大后天", "2026-11-28"),
        ("明儿", "2026-11-26"),
        ("听日还", "2026-11-26"),
        ("next Fri", "2026-12-04"),
        ("tmrw", "2026-11-26"),
        ("end of month", "2026-11-30"),
        ("三天后", "2026-11-28"),
        ("１５号", "2026-12-15"),
        ("十二月五号", "2026-12-05"),
        ("12月15日", "2026-12-15"),
        ("2026年12月1日", "2026-12-01"),
        ("1月5号", "2027-01-05"),
        ("下个月10号", "2026-12-10"),
        ("下月底", "2026-12-31"),
        ("半个月后", "2026-12-10"),
        ("两周后", "2026-12-09"),
        ("Dec 15", "2026-12-15"),
        ("the 3rd", "2026-12-03"),
        ("15th of december", "2026-12-15"),
        ("12/15", "2026-12-15"),
        ("25/12", "2026-12-25"),
        ("in two weeks", "2026-12-09"),
        ("in 10 days", "2026-12-05"),
        ("friday week", "2026-12-04"),
        ("a week from friday", "2026-12-04"),
        ("next week friday", "2026-12-04"),
        ("day after tomorrow", "2026-11-27"),
        ("tonight", "2026-11-25"),
        ("eom", "2026-11-30"),
        ("周末", "2026-11-29"),
        ("下下周一", "2026-12-07"),
        ("礼拜天", "2026-11-29"),
        ("元旦", "2027-01-01"),
        ("2moro", None),
        ("this friday", "2026-11-27"),
    ],
)
def test_a_day_is_found(text: str, on: str | None) -> None:
    assert day_in(text) == (date.fromisoformat(on) if on else None)


@pytest.mark.parametrize(
    "text",
    [
        "2月30号",
        "2月31日",
        "31号",
        "feb 30",
        "30/02/2027",
        "2026年13月1日",
        "昨天",
        "上周五",
        "last friday",
        "yesterday",
        "2020-01-01",
        "11月5号",
        "3 days ago",
        "发工资后",
        "payday",
        "下周",
        "next week",
        "过几天",
        "soon",
        "not friday",
        "不是周五",
        "3/4",
        "5/12",
        "13/13",
        "2199-01-01",
        "on the 32nd",
        "三十二号",
        "",
        "0号",
    ],
)
def test_what_is_over_impossible_or_not_one_day_is_no_date(text: str) -> None:
    assert day_in(text) is None


@given(ANY_DAY, st.integers(1, 7))
def test_weekdays_as_the_calendar_has_them(today: date, weekday: int) -> None:
    han, en = "一二三四五六日"[weekday - 1], EN[weekday - 1]
    assert day_in(f"周{han}还", today) == day_in(f"on {en}", today) == next_weekday(today, weekday)
    later = weekday_of_next_week(today, weekday)
    assert day_in(f"下星期{han}", today) == day_in(f"next {en[:3]}", today) == later
    assert day_in(f"下下周{han}", today) == weekday_of_next_week(today, weekday, 2)


@given(ANY_DAY, st.integers(1, 31))
def test_days_of_the_month_as_the_calendar_has_them(today: date, number: int) -> None:
    on = next_day_of_month(today, number)
    assert day_in(f"{number}号还", today) == on
    assert day_in(f"by the {number}th", today) == on


@given(ANY_DAY)
def test_ends_of_months_as_the_calendar_has_them(today: date) -> None:
    assert day_in("月底前", today) == day_in("by the end of the month", today) == end_of_month(today)
    assert day_in("下个月底", today) == day_in("end of next month", today) == end_of_month(today, 1)


@given(ANY_DAY, st.integers(0, 180))
def test_a_day_in_full_and_without_its_year_is_that_day(today: date, ahead: int) -> None:
    on = today + timedelta(days=ahead)
    for text in (
        on.isoformat(),
        f"{on.year}年{on.month}月{on.day}日",
        f"{on.month}月{on.day}号",
        f"{on.day} {MONTHS[on.month - 1]}",
        f"{MONTHS[on.month - 1][:3]} {on.day}",
    ):
        if "月" in text and "年" not in text and (on.month, on.day) == (2, 29):
            continue
        assert day_in(text, today) == on, text


@settings(max_examples=120)
@given(
    ANY_DAY,
    st.text(
        alphabet="下上这本周星期礼拜一二三四五六七八九十日天月底末初号年明后大昨今0123456789 /-.thnextlafridoums",
        max_size=24,
    ),
)
def test_a_date_is_never_past_nor_far(today: date, text: str) -> None:
    for day in find_days(folded(text), today):
        assert day.on is None or day.on in days_from(today, 401)
