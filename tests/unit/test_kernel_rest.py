"""Months, ids, errors and texts."""

from __future__ import annotations

import string
import uuid
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.kernel.calendar import month_day, month_end, month_number, month_of, month_text, parse_date
from evenkeel.kernel.clock import fixed_clock, system_clock
from evenkeel.kernel.errors import EvenkeelError, InvalidInput, InvalidUsage
from evenkeel.kernel.ids import content_id, uuid7
from evenkeel.kernel.text import LANGUAGES, catalogue, texts

DAYS = st.dates(date(1, 1, 1), date(9999, 12, 31))


@given(DAYS)
def test_a_months_number_and_text_come_back(day: date) -> None:
    number = month_of(day)
    assert month_number(month_text(number)) == number
    assert month_text(number) == f"{day.year:04d}-{day.month:02d}"


@given(st.dates(date(1, 1, 1), date(9999, 11, 30)))
def test_a_month_ends_on_the_day_before_the_next(day: date) -> None:
    end = month_end(month_of(day))
    assert (end.year, end.month) == (day.year, day.month)
    assert (end + timedelta(days=1)).day == 1


@given(DAYS, st.integers(1, 31))
def test_a_day_of_a_month_is_clamped_to_its_end(day: date, wanted: int) -> None:
    found = month_day(month_of(day), wanted)
    assert month_of(found) == month_of(day)
    assert found.day == min(wanted, month_end(month_of(day)).day)


@pytest.mark.parametrize(
    "text", ["2024-13", "2024-00", "2024-1", "24-01", "2024/01", "2024-01-01", "２０２４-01", "2024-01\n", "0000-01"]
)
def test_what_is_not_a_month_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        month_number(text)


@pytest.mark.parametrize(
    "text", ["2024-02-30", "2023-02-29", "20240101", "2024-W01-1", "2024-1-1", "0000-01-01", "٢٠٢٤-01-01"]
)
def test_what_is_not_a_date_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_date(text)


@given(DAYS)
def test_dates_come_back(day: date) -> None:
    assert parse_date(day.isoformat()) == day


PARTS = st.lists(st.text(string.printable, max_size=5), min_size=1, max_size=4)


@given(PARTS, PARTS)
def test_ids_from_content_differ_where_the_parts_differ(one: list[str], other: list[str]) -> None:
    assert (content_id("d", *one) == content_id("d", *other)) == (one == other)


def test_ids_from_content_never_change() -> None:
    assert content_id("decision", "a", "b") == content_id("decision", "a", "b")
    assert content_id("x", "ab", "c") != content_id("x", "a", "bc")
    assert content_id("decision", "a").startswith("decision-")


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_ids_of_facts_carry_their_time_and_sort_by_it(moment: datetime) -> None:
    first, later = uuid7(moment), uuid7(moment + timedelta(milliseconds=2))
    assert (uuid.UUID(first).version, uuid.UUID(first).variant) == (7, uuid.RFC_4122)
    assert first < later
    assert abs((uuid.UUID(first).int >> 80) - moment.timestamp() * 1000) <= 1


def test_clocks_show_utc() -> None:
    moment = datetime(2024, 2, 29, tzinfo=UTC)
    assert fixed_clock(moment)() == moment
    assert system_clock().utcoffset() == timedelta(0)


def test_an_error_says_what_is_wrong_and_what_to_do() -> None:
    error = InvalidUsage("There is no book.", "Give a folder.")
    assert (error.message, error.remedy, str(error)) == (
        "There is no book.",
        "Give a folder.",
        "There is no book. Give a folder.",
    )
    assert isinstance(error, InvalidInput)
    assert str(EvenkeelError("Only this.")) == "Only this."


def places(text: str) -> set[str]:
    """The names of the places that a text leaves open."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_every_text_exists_in_both_languages_with_the_same_places() -> None:
    english, chinese = (catalogue(language) for language in LANGUAGES)
    assert english.keys() == chinese.keys()
    for key, text in english.items():
        if key.startswith("fault."):
            assert text.strip() and chinese[key].strip(), key
        assert places(text) == places(chinese[key]), key


def test_chinese_texts_of_faults_are_chinese_and_english_ones_are_not() -> None:
    faults = {language: {key: text for key, text in catalogue(language).items() if key.startswith("fault.")}
              for language in LANGUAGES}  # fmt: skip
    han = [key for key, text in faults["en"].items() if any("一" <= letter <= "鿿" for letter in text)]
    latin = [key for key, text in faults["zh"].items() if not any("一" <= letter <= "鿿" for letter in text)]
    assert (han, latin) == ([], [])


def test_a_missing_text_or_language_is_an_error() -> None:
    with pytest.raises(KeyError):
        texts("en")("no.such.key")
    with pytest.raises(InvalidInput):
        texts("fr")
    assert "fault.range" in texts("zh")
