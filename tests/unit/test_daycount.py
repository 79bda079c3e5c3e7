"""Day counts against calendars walked day by day, and the published conventions."""

from __future__ import annotations

from calendar import isleap
from datetime import date, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.accounts.daycount import DayCount, months_fraction, thirty_days, year_fraction
from evenkeel.kernel.errors import InvalidInput

days = st.dates(date(1990, 1, 1), date(2060, 12, 31))
spans = st.tuples(days, st.integers(0, 2000)).map(lambda pair: (pair[0], pair[0] + timedelta(days=pair[1])))


def walked(start: date, end: date) -> Fraction:
    """ACT/ACT day by day: a day counts in the year of the date on which it ends."""
    total = Fraction(0)
    while start < end:
        start += timedelta(days=1)
        total += Fraction(1, 366 if isleap(start.year) else 365)
    return total


@given(spans)
def test_act_act_gives_each_day_to_the_year_in_which_it_ends(span: tuple[date, date]) -> None:
    assert year_fraction(DayCount.ACT_ACT, *span) == walked(*span)


def test_a_year_is_split_at_31_december() -> None:
    found = year_fraction(DayCount.ACT_ACT, date(2023, 12, 12), date(2024, 1, 12))
    assert found == Fraction(19, 365) + Fraction(12, 366)
    assert found != Fraction(20, 365) + Fraction(11, 366)  # a split at 1 January


@pytest.mark.parametrize(
    ("count", "basis"), [(DayCount.ACT_365, 365), (DayCount.ACT_364, 364), (DayCount.ACT_360, 360)]
)
@given(span=spans)
def test_actual_days_over_a_fixed_basis(count: DayCount, basis: int, span: tuple[date, date]) -> None:
    assert year_fraction(count, *span) * basis == (span[1] - span[0]).days


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2024-01-01", "2024-02-01", Fraction(30)),
        ("2024-01-01", "2025-01-01", Fraction(360)),
        ("2024-01-01", "2024-02-18", 30 + Fraction(30 * 17, 29)),  # 17 days of a February of 29
        ("2025-01-31", "2025-02-28", Fraction(30)),  # the day is clamped to the month's end
        ("2024-02-29", "2024-03-01", Fraction(30, 29)),
        ("2024-05-10", "2024-05-10", Fraction(0)),
    ],
)
def test_thirty_days_a_month_and_the_rest_by_its_own_month(start: str, end: str, expected: Fraction) -> None:
    assert thirty_days(date.fromisoformat(start), date.fromisoformat(end)) == expected
    assert year_fraction(DayCount.THIRTY_360, date.fromisoformat(start), date.fromisoformat(end)) == expected / 360


@given(days, st.integers(1, 24))
def test_whole_months_are_thirty_days_each(start: date, months: int) -> None:
    number = start.year * 12 + start.month - 1 + months
    if start.day <= 28:
        end = date(number // 12, number % 12 + 1, start.day)
        assert year_fraction(DayCount.THIRTY_360, start, end) == Fraction(months, 12)
        assert months_fraction(DayCount.THIRTY_360, months, start, end) == Fraction(months, 12)
        assert months_fraction(DayCount.ACT_365, months, start, end) == Fraction((end - start).days, 365)


@given(spans)
def test_thirty_360_never_falls_as_days_pass(span: tuple[date, date]) -> None:
    start, end = span
    assert thirty_days(start, end) <= thirty_days(start, end + timedelta(days=1))


def test_a_stretch_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(InvalidInput, match="ends on 2024-01-01, before it begins on 2024-01-02"):
        year_fraction(DayCount.ACT_365, date(2024, 1, 2), date(2024, 1, 1))
