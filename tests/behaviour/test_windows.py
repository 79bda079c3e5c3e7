"""Windows and hours of the day, held against the standard library over zones whose clocks change."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import oracle
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from evenkeel.behaviour.compiled import kernel
from evenkeel.behaviour.online import zone_arrays
from evenkeel.behaviour.windows import DAY, HOUR, SECOND, micros, window, zone
from evenkeel.kernel.errors import InvalidInput

ZONES = ("Asia/Shanghai", "Europe/Prague", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
FROM, TO = 3 * 365 * DAY, 130 * 365 * DAY
COUNTS = {"h": 17_544, "d": 731, "m": 24}


def start(text: str, at: int, name: str) -> int:
    span = window(text)
    out = np.empty((1, 1), np.int64)
    spans = np.array([[span.count, span.unit]], np.int64)
    kernel().starts_each(np.array([at], np.int64), spans, *zone_arrays(zone(name)), out)
    return int(out[0, 0])


def at(text: str) -> int:
    return micros(datetime.fromisoformat(text))


@given(
    instant=st.integers(FROM, TO), unit=st.sampled_from("hdm"), count=st.integers(1, 24), name=st.sampled_from(ZONES)
)
@example(instant=at("2024-03-31T10:00:00+02:00"), unit="m", count=1, name="Europe/Prague")  # 29 February
@example(instant=at("2024-04-30T02:30:00+02:00"), unit="m", count=1, name="Europe/Prague")
@example(instant=at("2024-04-30T02:30:00-04:00"), unit="m", count=1, name="America/New_York")
@example(instant=at("2024-05-31T02:30:00+02:00"), unit="m", count=2, name="Europe/Prague")  # a time that was skipped
@example(instant=at("2024-11-27T02:30:00+01:00"), unit="m", count=1, name="Europe/Prague")  # shown twice
@settings(max_examples=400, deadline=None)
def test_a_window_begins_where_the_calendar_says(instant: int, unit: str, count: int, name: str) -> None:
    wanted = micros(oracle.begins(f"{count}{unit}", oracle.instant(instant), ZoneInfo(name)))
    assert start(f"{count}{unit}", instant, name) == wanted
    assert instant - window(f"{count}{unit}").longest <= wanted < instant


@pytest.mark.parametrize("name", ZONES)
def test_a_month_window_agrees_around_every_change_of_clocks(name: str) -> None:
    for switch in zone(name).switches[-300::7]:
        for shift in range(-3 * HOUR, 3 * HOUR, HOUR // 2):
            instant = switch + shift + 61 * DAY
            for count in (1, 2):
                wanted = micros(oracle.begins(f"{count}m", oracle.instant(instant), ZoneInfo(name)))
                assert start(f"{count}m", instant, name) == wanted


@given(instant=st.integers(FROM, TO), name=st.sampled_from(ZONES))
@settings(max_examples=300, deadline=None)
def test_the_hour_is_what_clocks_show(instant: int, name: str) -> None:
    assert zone(name).hour(instant) == oracle.instant(instant).astimezone(ZoneInfo(name)).hour


def test_halves_of_a_window() -> None:
    for text, half in (("30d", "15d"), ("7d", "84h"), ("2h", "1h"), ("6m", "3m")):
        assert window(text).half == window(half)
    assert window("3m").half is None and window("1h").half is None


def test_an_instant_is_counted_exactly_and_needs_a_zone() -> None:
    assert at("1970-01-01T00:00:00.000001+00:00") == 1
    assert at("1969-12-31T23:59:59.999999+00:00") == -1
    assert at("9999-12-31T23:59:59.999999+00:00") == 253402300799 * SECOND + 999_999
    with pytest.raises(InvalidInput, match="no zone"):
        micros(datetime(2024, 1, 1) + timedelta(0))  # noqa: DTZ001


@pytest.mark.parametrize("text", ["0h", "1", "h", "-1d", "1.5d", "732d", "25m", "17545h", "1y", " 1d", "١d", "1d "])
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="is not a window"):
        window(text)


@pytest.mark.parametrize(("unit", "most"), COUNTS.items())
def test_the_longest_windows_are_allowed(unit: str, most: int) -> None:
    assert window(f"{most}{unit}").count == most
