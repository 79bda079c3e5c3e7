"""Working hours: counted by the clock of the place, over nights, weekends, holidays and changes of the clocks."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.decisions.review.service_level import ReviewRules, WorkingHours
from evenkeel.kernel.errors import InvalidInput

SHANGHAI = ZoneInfo("Asia/Shanghai")
HOURS = WorkingHours(SHANGHAI)


def shanghai(text: str) -> datetime:
    """An instant by the clock of Shanghai."""
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-03-02 10:00", 4, "2026-03-02 14:00"),
        ("2026-03-02 17:00", 2, "2026-03-03 10:00"),  # over night
        ("2026-03-06 17:30", 1, "2026-03-09 09:30"),  # over a weekend
        ("2026-03-07 12:00", 9, "2026-03-09 18:00"),  # asked on a Saturday
        ("2026-03-02 03:00", 1, "2026-03-02 10:00"),
        ("2026-03-02 19:00", 0, "2026-03-03 09:00"),
        ("2026-03-02 09:00", 9, "2026-03-02 18:00"),
        ("2026-03-02 09:00", 18, "2026-03-03 18:00"),
    ],
)
def test_the_time_due_is_so_many_working_hours_later(start: str, hours: float, due: str) -> None:
    assert HOURS.after(shanghai(start), timedelta(hours=hours)) == shanghai(due)


def test_a_holiday_is_not_worked_and_a_day_that_makes_up_for_it_is() -> None:
    # Spring Festival 2026: 15 to 23 February off, Saturday 14 and Saturday 28 worked.
    off = frozenset(date(2026, 2, day) for day in range(15, 24))
    hours = WorkingHours(SHANGHAI, holidays=off, extra=frozenset({date(2026, 2, 14), date(2026, 2, 28)}))
    assert hours.after(shanghai("2026-02-13 17:00"), timedelta(hours=2)) == shanghai("2026-02-14 10:00")
    assert hours.after(shanghai("2026-02-14 17:00"), timedelta(hours=2)) == shanghai("2026-02-24 10:00")


def test_a_day_on_which_the_clocks_change_has_the_hours_it_has() -> None:
    nights = WorkingHours(ZoneInfo("Europe/Berlin"), time(0), time(6), frozenset(range(7)))
    before = datetime(2026, 3, 28, 23, tzinfo=UTC)  # midnight in Berlin; at two the clocks go to three
    assert nights.after(before, timedelta(hours=5)) == before + timedelta(hours=5)
    assert nights.after(before, timedelta(hours=6)) == datetime(2026, 3, 29, 23, tzinfo=UTC)


INSTANTS = st.integers(0, 730 * 24 * 60).map(
    lambda minutes: datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)


@given(INSTANTS, st.integers(0, 60 * 60))
def test_the_working_time_up_to_the_time_due_is_the_time_given(start: datetime, minutes: int) -> None:
    spent = timedelta(minutes=minutes)
    due = HOURS.after(start, spent)
    assert due >= start
    assert HOURS.between(start, due) == spent


def test_hours_without_end_or_a_day_that_ends_before_it_begins_are_refused() -> None:
    with pytest.raises(InvalidInput, match="0 to 1,000"):
        HOURS.after(shanghai("2026-03-02 10:00"), timedelta(hours=1001))
    with pytest.raises(InvalidInput, match="begins before it ends"):
        WorkingHours(SHANGHAI, time(18), time(9))


def test_a_purchase_is_due_sooner_than_an_application_and_much_money_takes_two() -> None:
    rules = ReviewRules(HOURS, second_above_minor=1_000)
    asked = shanghai("2026-03-02 10:00")
    assert rules.due_at("purchase", asked) == shanghai("2026-03-02 10:30")
    assert rules.due_at("application", asked) == shanghai("2026-03-02 18:00")
    assert [rules.needs_second("approve", amount) for amount in (1_000, 1_001)] == [False, True]
    assert not rules.needs_second("decline", 10**9)
