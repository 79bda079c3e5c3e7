"""Dates, times and durations from and to text (DMN 1.5, clauses 10.3.2.3.3 to 10.3.2.3.8; XML Schema's forms)."""

from __future__ import annotations

import re

from evenkeel.policy.feel.values import (
    DAY_NANOS,
    MIDNIGHT_UTC,
    NANOS,
    Date,
    DateTime,
    Duration,
    Months,
    Time,
    Value,
    month_length,
    zone_named,
)

_DATE = re.compile(r"(-?)([0-9]{4}|[1-9][0-9]{4,8})-([0-9]{2})-([0-9]{2})")
_TIME = re.compile(
    r"([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]{1,9})[0-9]*)?"
    r"(?:(Z|z)|([+-][0-9]{2}):([0-9]{2})(?::([0-9]{2}))?|@([A-Za-z][A-Za-z0-9_+\-/]*))?"
)
_MONTHS = re.compile(r"(-?)P(?=[0-9])(?:([0-9]{1,12})Y)?(?:([0-9]{1,12})M)?")
_DURATION = re.compile(
    r"(-?)P(?=[0-9T])(?:([0-9]{1,12})D)?"
    r"(?:T(?=[0-9])(?:([0-9]{1,12})H)?(?:([0-9]{1,12})M)?(?:([0-9]{1,12})(?:\.([0-9]{1,9})[0-9]*)?S)?)?"
)
_MOST_YEAR = 999_999_999
_MOST_OFFSET_HOURS = 18


def make_date(year: int, month: int, day: int) -> Date | None:
    """A day, or None where there is none such."""
    if not (-_MOST_YEAR <= year <= _MOST_YEAR and 1 <= month <= 12 and 1 <= day <= month_length(year, month)):
        return None
    return Date(year, month, day)


def make_time(hour: int, minute: int, second: int, nano: int = 0, zone: int | str | None = None) -> Time | None:
    """A time of day, or None where there is none such. zone: seconds east of UTC or an IANA name."""
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60 and 0 <= nano < NANOS):
        return None
    if isinstance(zone, int) and abs(zone) > _MOST_OFFSET_HOURS * 3600:
        return None
    if isinstance(zone, str) and zone_named(zone) is None:
        return None
    return Time(hour, minute, second, nano, zone)


def parse_date(text: str) -> Date | None:
    """`2024-05-31`; None where the text is no date."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year = int(found[2]) * (-1 if found[1] else 1)
    return make_date(year, int(found[3]), int(found[4]))


def parse_time(text: str) -> Time | None:
    """`14:05:00`, with a fraction, and `Z`, `+08:00` or `@Asia/Shanghai`; None where the text is no time."""
    found = _TIME.fullmatch(text)
    if found is None:
        return None
    zone: int | str | None = None
    if found[5]:
        zone = 0
    elif found[6]:
        minutes, seconds = int(found[7]), int(found[8] or 0)
        if minutes > 59 or seconds > 59:
            return None
        zone = (abs(int(found[6])) * 60 + minutes) * 60 + seconds
        zone = -zone if found[6].startswith("-") else zone
    elif found[9]:
        zone = found[9]
    nano = int((found[4] or "").ljust(9, "0"))
    return make_time(int(found[1]), int(found[2]), int(found[3]), nano, zone)


def parse_date_time(text: str) -> DateTime | None:
    """`2024-05-31T14:05:00+08:00`; a date alone is its midnight, local. None where the text is neither."""
    day, separator, rest = text.partition("T")
    date = parse_date(day)
    time = parse_time(rest) if separator else Time(0, 0, 0)
    return DateTime(date, time) if date and time else None


def parse_duration(text: str) -> Months | Duration | None:
    """`P1Y6M` or `P1DT2H3M4.5S`, with a minus before; None where the text is no duration."""
    found = _MONTHS.fullmatch(text)
    if found:
        months = int(found[2] or 0) * 12 + int(found[3] or 0)
        return Months(-months if found[1] else months)
    found = _DURATION.fullmatch(text)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(found[part] or 0) for part in (2, 3, 4, 5))
    nanos = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * NANOS + int((found[6] or "").ljust(9, "0"))
    return Duration(-nanos if found[1] else nanos)


def parse_temporal(text: str) -> Value:
    """What `@"..."` stands for; None where the text is none of the forms."""
    found: Value = parse_date(text)
    for parse in (parse_time, parse_duration, parse_date_time):
        if found is None:
            found = parse(text)
    return found


def as_date_time(value: Date | DateTime, zoned: bool) -> DateTime:
    """A date as its midnight: of UTC beside an instant, local beside a local time."""
    if isinstance(value, DateTime):
        return value
    return DateTime(value, MIDNIGHT_UTC if zoned else Time(0, 0, 0))


# ---- To text -------------------------------------------------------------------------------------------------------


def date_text(value: Date) -> str:
    """ISO 8601, as parse_date reads it."""
    return f"{'-' if value.year < 0 else ''}{abs(value.year):04d}-{value.month:02d}-{value.day:02d}"


def time_text(value: Time) -> str:
    """ISO 8601, as parse_time reads it."""
    fraction = f".{value.nano:09d}".rstrip("0") if value.nano else ""
    return f"{value.hour:02d}:{value.minute:02d}:{value.second:02d}{fraction}{_zone_text(value.zone)}"


def _zone_text(zone: int | str | None) -> str:
    if zone is None:
        return ""
    if isinstance(zone, str):
        return f"@{zone}"
    if zone == 0:
        return "Z"
    minutes, seconds = divmod(abs(zone), 60)
    ending = f":{seconds:02d}" if seconds else ""
    return f"{'-' if zone < 0 else '+'}{minutes // 60:02d}:{minutes % 60:02d}{ending}"


def months_text(value: Months) -> str:
    """ISO 8601, such as `P1Y6M`."""
    years, months = divmod(abs(value.months), 12)
    parts = (f"{years}Y" if years else "") + (f"{months}M" if months else "")
    return f"{'-' if value.months < 0 else ''}P{parts or '0M'}"


def duration_text(value: Duration) -> str:
    """ISO 8601, such as `P1DT2H3M4.5S`."""
    days, rest = divmod(abs(value.nanos), DAY_NANOS)
    seconds, nano = divmod(rest, NANOS)
    fraction = f".{nano:09d}".rstrip("0") if nano else ""
    hours, minutes, seconds = seconds // 3600, seconds // 60 % 60, seconds % 60
    clock = (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
    clock += f"{seconds}{fraction}S" if seconds or nano else ""
    day = f"{days}D" if days else ""
    text = day + (f"T{clock}" if clock else "") or "T0S"
    return f"{'-' if value.nanos < 0 else ''}P{text}"


def temporal_text(value: Value) -> str | None:
    """The text of a date, time, date and time or duration; None of any other value."""
    match value:
        case Date():
            return date_text(value)
        case Time():
            return time_text(value)
        case DateTime():
            return f"{date_text(value.date)}T{time_text(value.time)}"
        case Months():
            return months_text(value)
        case Duration():
            return duration_text(value)
        case _:
            return None
