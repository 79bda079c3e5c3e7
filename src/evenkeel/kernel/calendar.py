"""Months and days. A month is text `YYYY-MM` for people and a number, 12 * year + month - 1, for arithmetic."""

import re
from calendar import monthrange
from datetime import date

from evenkeel.kernel.errors import InvalidInput

# Digits are those of ASCII: Python's \d takes full-width and Arabic ones too.
_MONTH = re.compile(r"(?!0000)([0-9]{4})-(0[1-9]|1[0-2])")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def month_number(month: str) -> int:
    """12 * year + month - 1. Raises InvalidInput if `month` is not `YYYY-MM`."""
    found = _MONTH.fullmatch(month)
    if not found:
        raise InvalidInput(f"{month!r} is not a month.", "Write it as 2024-05.")
    return int(found[1]) * 12 + int(found[2]) - 1


def month_text(number: int) -> str:
    """`YYYY-MM` of a month number."""
    return f"{number // 12:04d}-{number % 12 + 1:02d}"


def month_of(day: date) -> int:
    """The month number of a day."""
    return day.year * 12 + day.month - 1


def month_end(number: int) -> date:
    """The last day of a month number."""
    year, month = number // 12, number % 12 + 1
    return date(year, month, monthrange(year, month)[1])


def month_day(number: int, day: int) -> date:
    """Day `day` of a month, clamped to the month's last day."""
    last = month_end(number)
    return last.replace(day=min(day, last.day))


def parse_date(text: str) -> date:
    """An ISO date. Raises InvalidInput with the form that is wanted."""
    try:
        if not _DAY.fullmatch(text):
            raise ValueError
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput(f"{text!r} is not a date.", "Write it as 2024-05-31.") from None
