"""Due days: months that lack the day, agreed first days, and days on which no bank works."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.accounts.duedates import DueRule, MonthEnd, Roll, Unit, check_increasing, due_dates, rolled
from evenkeel.kernel.errors import InvalidInput


def iso(rule: DueRule, start: str, count: int, first: str | None = None) -> list[str]:
    first_due = None if first is None else date.fromisoformat(first)
    return [day.isoformat() for day in due_dates(rule, date.fromisoformat(start), count, first_due)]


def test_a_missing_day_is_clamped_and_comes_back() -> None:
    assert iso(DueRule(), "2025-01-31", 3) == ["2025-02-28", "2025-03-31", "2025-04-30"]


def test_a_missing_day_goes_to_the_first_of_the_next_month_and_comes_back() -> None:
    rule = DueRule(month_end=MonthEnd.FIRST_OF_NEXT)
    assert iso(rule, "2025-01-31", 3) == ["2025-03-01", "2025-03-31", "2025-05-01"]


def test_days_and_weeks_are_counted_from_the_start() -> None:
    assert iso(DueRule(15, Unit.DAYS), "2024-01-01", 3) == ["2024-01-16", "2024-01-31", "2024-02-15"]
    assert iso(DueRule(2, Unit.WEEKS), "2024-01-01", 3) == ["2024-01-15", "2024-01-29", "2024-02-12"]
    assert iso(DueRule(3, Unit.MONTHS), "2024-01-30", 3) == ["2024-04-30", "2024-07-30", "2024-10-30"]


def test_a_due_day_of_the_month_leaves_at_least_half_a_month() -> None:
    rule = DueRule(due_day=5)
    assert iso(rule, "2025-01-01", 2) == ["2025-02-05", "2025-03-05"]
    assert iso(rule, "2025-01-20", 2) == ["2025-02-05", "2025-03-05"]
    assert iso(rule, "2025-01-25", 2) == ["2025-03-05", "2025-04-05"]


def test_others_are_counted_from_an_agreed_first_day() -> None:
    assert iso(DueRule(), "2025-01-07", 3, "2025-01-31") == ["2025-01-31", "2025-02-28", "2025-03-31"]
    assert iso(DueRule(due_day=20), "2025-01-07", 2, "2025-02-03") == ["2025-02-03", "2025-03-20"]


def test_days_that_are_no_working_days_move_and_later_ones_return() -> None:
    holidays = frozenset({date(2024, 6, 3)})
    forward = DueRule(roll=Roll.NEXT, weekends=True, holidays=holidays)
    assert iso(forward, "2024-05-01", 2) == ["2024-06-04", "2024-07-01"]  # a Saturday, then a holiday on the Monday
    backward = DueRule(roll=Roll.PREVIOUS, weekends=True, holidays=holidays)
    assert iso(backward, "2024-05-01", 2) == ["2024-05-31", "2024-07-01"]
    assert iso(DueRule(weekends=True, holidays=holidays), "2024-05-01", 1) == ["2024-06-01"]


@given(st.dates(date(2000, 1, 1), date(2050, 1, 1)), st.integers(1, 12), st.integers(1, 60), st.sampled_from(MonthEnd))
def test_monthly_days_rise_and_keep_their_distance(start: date, every: int, count: int, month_end: MonthEnd) -> None:
    days = due_dates(DueRule(every, month_end=month_end), start, count)
    check_increasing(days, start)
    for place, day in enumerate(days, 1):
        months = (day.year - start.year) * 12 + day.month - start.month
        assert months == place * every or (day.day == 1 and months == place * every + 1)
        assert day.day == start.day or day.day == 1 or (day + timedelta(days=1)).day == 1


@given(st.dates(date(2020, 1, 1), date(2030, 1, 1)), st.sampled_from(Roll))
def test_a_working_day_stays_and_a_moved_day_is_one(day: date, roll: Roll) -> None:
    rule = DueRule(roll=roll, weekends=True)
    found = rolled(rule, day)
    assert found == day if day.weekday() < 5 or roll is Roll.NONE else found.weekday() < 5
    assert abs((found - day).days) <= 2


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DueRule(0), "`every` is 0"),
        (lambda: DueRule(366), "`every` is 366"),
        (lambda: DueRule(due_day=32), "`due_day` is 32"),
        (lambda: DueRule(15, Unit.DAYS, due_day=3), "`due_day` is 3"),
        (lambda: due_dates(DueRule(), date(2024, 1, 1), 0), "not 0"),
        (lambda: due_dates(DueRule(), date(2024, 1, 1), 601), "not 601"),
        (lambda: due_dates(DueRule(), date(2024, 1, 2), 1, date(2024, 1, 2)), "is not after the start 2024-01-02"),
        (lambda: check_increasing([date(2024, 1, 5), date(2024, 1, 5)], date(2024, 1, 1)), "do not increase"),
        (lambda: check_increasing([date(2024, 1, 1)], date(2024, 1, 1)), "do not increase"),
    ],
)
def test_what_makes_no_schedule_is_refused(make: object, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        make()  # type: ignore[operator]
