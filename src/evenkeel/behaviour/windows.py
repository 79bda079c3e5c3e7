"""Instants, windows and hours of the day, each in one exact meaning, for the online state and the batch alike.

An instant is a whole number of microseconds since 1970-01-01 UTC. A window (start, T] ends with the instant looked at:

    3h   start = T - 3 x 3,600 s
    30d  start = T - 30 x 24 h, whatever clocks did in between
    6m   start = the instant six calendar months before T in the zone: same day of the month and time of day, on the
         month's last day where that day is missing; a time that clocks skipped or showed twice is read as Python's
         zoneinfo reads it (fold 0, PEP 495)
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from evenkeel.kernel.errors import InvalidInput

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# What an event may be dated, and what a window may be asked for.
EARLIEST = -2_208_988_800 * SECOND  # 1900-01-01
LATEST = 7_258_118_400 * SECOND  # 2200-01-01

_TEXT = re.compile(r"([1-9][0-9]{0,4})(h|d|m)")
_MOST = {"h": 24 * 731, "d": 731, "m": 24}
HOURS, DAYS, MONTHS = 0, 1, 2
_UNITS = {"h": HOURS, "d": DAYS, "m": MONTHS}


def micros(instant: datetime) -> int:
    """An instant as microseconds since 1970. Raises InvalidInput if it has no zone."""
    if instant.tzinfo is None:
        raise InvalidInput(f"{instant.isoformat()} has no zone.", "Instants are UTC.")
    return (instant - _EPOCH) // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Window:
    """`count` hours, days or calendar months up to the instant looked at, which belongs to it; its start does not."""

    count: int
    unit: int

    @property
    def longest(self) -> int:
        """Microseconds that the window never exceeds."""
        return self.count * (HOUR, DAY, 31 * DAY)[self.unit] + (DAY if self.unit == MONTHS else 0)

    @property
    def half(self) -> Window | None:
        """The later half; None where it is not a whole number of hours or months."""
        if self.count % 2 == 0:
            return Window(self.count // 2, self.unit)
        return Window(12 * self.count, HOURS) if self.unit == DAYS else None

    def __str__(self) -> str:
        return f"{self.count}{'hdm'[self.unit]}"


def window(text: str) -> Window:
    """The window of a text such as 24h, 30d, 6m. Raises InvalidInput outside 1 hour to 24 months (731 days)."""
    found = _TEXT.fullmatch(text)
    if not found or int(found[1]) > _MOST[found[2]]:
        raise InvalidInput(f"{text!r} is not a window.", "Allowed: 1h to 17544h, 1d to 731d, 1m to 24m, such as 30d.")
    return Window(int(found[1]), _UNITS[found[2]])


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone's changes of its offset from UTC, from 1970 to 2100; before and after, the nearest known offset holds.

    switches: the instants; local_switches: where local time passes from one offset to the next (fold 0);
    offsets: one more than switches. All in microseconds.
    """

    name: str
    switches: tuple[int, ...]
    local_switches: tuple[int, ...]
    offsets: tuple[int, ...]

    def hour(self, instant: int) -> int:
        """The hour of the day, 0 to 23, that clocks in the zone show."""
        return (instant + self.offsets[bisect_right(self.switches, instant)]) // HOUR % 24


@cache
def zone(name: str) -> Zone:
    """The zone of an IANA name. Raises InvalidInput on a name that is not known."""
    try:
        known = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInput(f"{name!r} is not a time zone.", "Give an IANA name such as Asia/Shanghai.") from None

    def offset(second: int) -> int:
        away = (_EPOCH + timedelta(seconds=second)).astimezone(known).utcoffset()
        return (away or timedelta()) // _MICROSECOND

    day, last = 86_400, 131 * 365 * 86_400
    switches, offsets = [], [offset(0)]
    for second in range(0, last, day):
        if offset(second + day) == offsets[-1]:
            continue
        low, high = second, second + day
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offsets[-1] else (low, middle)
        switches.append(high * SECOND)
        offsets.append(offset(high))
    local = [switch + max(offsets[i], offsets[i + 1]) for i, switch in enumerate(switches)]
    return Zone(name, tuple(switches), tuple(local), tuple(offsets))
