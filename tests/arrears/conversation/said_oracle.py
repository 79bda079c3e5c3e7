"""Days and amounts by other means: a calendar that is walked day by day, and a writer of numbers in words."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

HAN = "零一二三四五六七八九"


def days_from(today: date, count: int = 800) -> list[date]:
    """Today and the days after it."""
    return [today + timedelta(days=ahead) for ahead in range(count)]


def next_weekday(today: date, weekday: int) -> date:
    """The first day after today that is this day of the week (1 = Monday)."""
    return next(day for day in days_from(today)[1:] if day.isoweekday() == weekday)


def weekday_of_next_week(today: date, weekday: int, weeks: int = 1) -> date:
    """The day of the week in the week of that ISO number."""
    later = today
    for _ in range(weeks):
        later = next(day for day in days_from(later) if day.isocalendar()[:2] != later.isocalendar()[:2])
    return next(
        day for day in days_from(later - timedelta(days=7), 20)
        if day.isocalendar()[:2] == later.isocalendar()[:2] and day.isoweekday() == weekday
    )  # fmt: skip


def next_day_of_month(today: date, number: int) -> date | None:
    """The day of this number, this month if it is not over, else next month; None where that month lacks it."""
    months = []
    for day in days_from(today, 70):
        if (day.year, day.month) not in months:
            months.append((day.year, day.month))
    year, month = months[0] if number >= today.day else months[1]
    try:
        return date(year, month, number)
    except ValueError:
        return None


def end_of_month(today: date, months: int = 0) -> date:
    """The last day before the month changes so many times and once more."""
    day = today
    while True:
        after = day + timedelta(days=1)
        if after.day == 1:
            if months == 0:
                return day
            months -= 1
        day = after


def in_han(number: int) -> str:
    """A number below 100,000,000 in Chinese characters, written from the left, digit by digit."""
    if number >= 10_000:
        high, low = divmod(number, 10_000)
        gap = "零" if 0 < low < 1000 else ""
        return in_han(high) + "万" + gap + (in_han(low) if low else "")
    said, zero = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit:
            said += ("零" if zero and said else "") + HAN[digit] + name
            zero = False
        else:
            zero = bool(said)
    return said or "零"


def in_words(number: int) -> str:
    """A number below 1,000,000 in English words."""
    small = [
        "zero",
        "one",
        "two",
        "three",
        "four",
        "five",
        "six",
        "seven",
        "eight",
        "nine",
        "ten",
        "eleven",
        "twelve",
        "thirteen",
        "fourteen",
        "fifteen",
        "sixteen",
        "seventeen",
        "eighteen",
        "nineteen",
    ]
    tens = ["_", "_", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    if number < 20:
        return small[number]
    if number < 100:
        return tens[number // 10] + (f" {small[number % 10]}" if number % 10 else "")
    if number < 1000:
        rest = number % 100
        return f"{small[number // 100]} hundred" + (f" and {in_words(rest)}" if rest else "")
    high, rest = divmod(number, 1000)
    return f"{in_words(high)} thousand" + (f" {in_words(rest)}" if rest else "")


def promises_not_made(dialogue: Any) -> list[Any]:
    """Promises on record that the persona did not say yes to, right after they were read back with day and amount."""
    wrong = []
    before = None
    for turn in dialogue.turns:
        for fact in turn.reply.facts:
            if fact.kind != "promise":
                continue
            on, minor = date.fromisoformat(fact.fields["promised_on"]), fact.fields["amount_minor"]
            shown = before is not None and shows(before.reply.text, on, minor)
            if (on, minor) not in dialogue.meant or not shown:
                wrong.append(turn)
        before = turn
    return wrong


def shows(text: str, on: date, minor: int) -> bool:
    """Whether a text names a day and an amount."""
    day = f"{on:%Y-%m-%d}" in text or f"{on.year}年{on.month}月{on.day}日" in text
    return day and f"{minor // 100:,}.{minor % 100:02d}" in text
