"""Days that a text names, as dates: 下周五, 月底, 15号, 大后天, next Fri, tmrw, end of month, in two weeks.

Conventions. A weekday by itself is the next one after today; "next" (下周) is of the next week, "this" (这周) of this
one, weeks beginning on Monday. A day of the month by itself is the next one, today included. A month and a day
without a year are this year's, or the next one's where that is at most half a year away. The weekend is its Sunday.
What is over, what no calendar has (2月30号) and what is not one day (next week, 发工资后) is no date, and never
guessed.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from evenkeel.arrears.conversation.numerals import HAN_NUMBER, WORD_NUMBER, day_number, word_whole
from evenkeel.kernel.calendar import month_day, month_end, month_of

_FAR = timedelta(days=400)  # a day beyond is no promise that anybody waits for
_HALF_YEAR = 183


@dataclass(frozen=True, slots=True)
class Day:
    """A day named in a text: its place, and its date; None where it is over, impossible or not one day."""

    start: int
    end: int
    on: date | None


_Found = re.Match[str]
_Rule = Callable[[_Found, date], date | None]
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_MONTH_NAMES = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    "nov(?:ember)?|dec(?:ember)?"
)
_WEEKDAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_WEEKDAY_NAMES = "mon(?:day)?|tue(?:s|sday)?|wed(?:s|nesday)?|thu(?:r|rs|rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?"
_HAN_WEEKDAYS = {
    "一": 0,
    "二": 1,
    "三": 2,
    "四": 3,
    "五": 4,
    "六": 5,
    "日": 6,
    "天": 6,
    "末": 6,
    "1": 0,
    "2": 1,
    "3": 2,
    "4": 3,
    "5": 4,
    "6": 5,
    "7": 6,
}
_TWO = rf"(?:[0-9]{{1,2}}|{HAN_NUMBER})"
_COUNT = rf"(?:[0-9]{{1,3}}|{HAN_NUMBER})"
_ORDINAL = r"(?:st|nd|rd|th)"


def _made(year: int, month: int, day: int) -> date | None:
    """A date, or None where no calendar has it."""
    if not (1 <= month <= 12 and 2000 <= year <= 2200 and 1 <= day <= monthrange(year, month)[1]):
        return None
    return date(year, month, day)


def _in_year(month: int | None, day: int | None, today: date) -> date | None:
    """A month and a day without a year."""
    if month is None or day is None:
        return None
    on = _made(today.year, month, day)
    if on is not None and on >= today:
        return on
    later = _made(today.year + 1, month, day)
    return later if later is not None and (later - today).days <= _HALF_YEAR else None


def _of_month(day: int | None, today: date, months: int | None) -> date | None:
    """A day of the month `months` ahead; without it, the next one, today included."""
    if day is None or not 1 <= day <= 31:
        return None
    if months is None:
        months = 0 if day >= today.day else 1
    number = month_of(today) + months
    return _made(number // 12, number % 12 + 1, day)


def _of_week(weekday: int, today: date, weeks: int | None) -> date:
    """A weekday of the week `weeks` ahead; without it, the next one after today."""
    if weeks is None:
        return today + timedelta(days=(weekday - today.weekday() - 1) % 7 + 1)
    return today - timedelta(days=today.weekday()) + timedelta(days=7 * weeks + weekday)


def _ahead(count: int | None, unit: str, today: date) -> date | None:
    if count is None or not 0 <= count <= 400:
        return None
    if unit in ("month", "月", "个月"):
        return month_day(month_of(today) + count, today.day)
    return today + timedelta(days=count * {"week": 7, "fortnight": 14, "周": 7, "星期": 7, "礼拜": 7}.get(unit, 1))


def _weeks(text: str | None) -> int | None:
    """这, 本 -> 0, 下 -> 1, 下下 -> 2, 上 -> -1; None where nothing is said."""
    if not text:
        return None
    if text.startswith("下下"):
        return 2
    return {"下": 1, "上": -1}.get(text[0], 0)


def _en_weeks(text: str | None) -> int | None:
    return None if not text else {"next": 1, "last": -1, "past": -1, "this": 0}.get(text.strip())


def _name(text: str, names: list[str]) -> int:
    return names.index(text[:3])


def _en_count(text: str) -> int | None:
    if text in ("a", "an", "one"):
        return 1
    return int(text) if text.isdecimal() else word_whole(text)


def _part(text: str, number: int) -> date | None:
    """初, 中, 底 of a month by its number."""
    if text in ("底", "末", "尾", "end"):
        return month_end(number)
    return month_day(number, 1 if text in ("初", "头", "start") else 15)


def _slashes(found: _Found, today: date) -> date | None:
    """12/15 or 15/12; where both could be, 3/4 means nothing, except in Chinese, where the month is first."""
    one, two = int(found["one"]), int(found["two"])
    chinese = re.search(r"[\u3400-\u9fff]", found.string) is not None
    if one != two and one <= 12 and two <= 12 and not chinese:
        return None
    month, day = (one, two) if one <= 12 else (two, one)
    if not (year := found["year"]):
        return _in_year(month, day, today)
    return _made(int(year) + (2000 if len(year) == 2 else 0), month, day)


def _weekday_en(found: _Found, today: date) -> date | None:
    weekday = _name(found["name"], _WEEKDAYS)
    if found["week"] or found["week_before"]:
        return _of_week(weekday, today, 1)
    if found["later"] or found["week_after"]:
        return _of_week(weekday, today, None) + timedelta(days=7)
    return _of_week(weekday, today, _en_weeks(found["which"]))


def _ordinal_en(found: _Found, today: date) -> date | None:
    months = {"next": 1, "this": 0, "last": -1}.get(found["which"] or "")
    return _of_month(int(found["day"]), today, months)


def _dated(found: _Found, today: date) -> date | None:
    """A month by name, a day, perhaps a year."""
    month, day = _name(found["month"], _MONTHS) + 1, int(found["day"])
    return _made(int(found["year"]), month, day) if found["year"] else _in_year(month, day, today)


def _nothing(found: _Found, today: date) -> date | None:
    return None


def _after(days: int) -> _Rule:
    return lambda found, today: today + timedelta(days=days)


# In this order: what is said at more length comes first.
_RULES: tuple[tuple[str, _Rule], ...] = (
    (
        r"(?P<year>[0-9]{4})[-/.年](?P<month>[0-9]{1,2})[-/.月](?P<day>[0-9]{1,2})[日号]?(?![0-9])",
        lambda f, t: _made(int(f["year"]), int(f["month"]), int(f["day"])),
    ),
    (
        rf"(?P<year>明|今)年(?P<month>{_TWO})月(?P<day>{_TWO})[日号]?",
        lambda f, t: _made(t.year + (f["year"] == "明"), day_number(f["month"]) or 0, day_number(f["day"]) or 0),
    ),
    (
        rf"(?<![0-9])(?P<month>{_TWO})月(?P<day>{_TWO})[日号]?",
        lambda f, t: _in_year(day_number(f["month"]), day_number(f["day"]), t),
    ),
    (
        rf"(?<![0-9个])(?P<month>{_TWO})月份?(?P<part>[底末初中])",
        lambda f, t: _month_part(day_number(f["month"]), f["part"], t),
    ),
    (
        rf"(?P<which>下下个?|下个?|这个?|本|上个?)月份?的?(?P<day>{_TWO})[日号]",
        lambda f, t: _of_month(day_number(f["day"]), t, _weeks(f["which"])),
    ),
    (
        r"(?P<which>下下个?|下个?|这个?|本|上个?|今个?)?月(?P<part>[底末初中尾头])",
        lambda f, t: _part(f["part"], month_of(t) + (_weeks(f["which"]) or 0)),
    ),
    (r"(?:下下个?|下个?|这个?|本|上个?)月", _nothing),
    (
        r"(?P<which>下下个?|下个?|这个?|本|上个?)?(?:周|星期|礼拜)(?P<day>[一二三四五六日天末1-7])(?![0-9个]|天后|天内)",
        lambda f, t: _of_week(_HAN_WEEKDAYS[f["day"]], t, _weekend(f["day"], f["which"])),
    ),
    (
        rf"(?:再?过|等)?(?P<count>{_COUNT})个?(?P<unit>天|日|周|星期|礼拜|月)(?:之?以?内|之?以?后|过后|左右)",
        lambda f, t: _ahead(day_number(f["count"]), f["unit"], t),
    ),
    (
        rf"(?:再?过|等)(?P<count>{_COUNT})个?(?P<unit>天|日|周|星期|礼拜|月)",
        lambda f, t: _ahead(day_number(f["count"]), f["unit"], t),
    ),
    (r"半个?月(?:之?以?内|之?以?后|过后)", _after(15)),
    (rf"(?<![0-9.])(?P<day>{_TWO})(?:号|日)(?!\s*[楼线])", lambda f, t: _of_month(day_number(f["day"]), t, None)),
    (r"(?:下下个?|下个?|上个?)(?:周|星期|礼拜)", _nothing),
    (r"大后[天儿日]", _after(3)),
    (r"(?<!以)(?<!之)后[天日儿]", _after(2)),
    (r"明[天儿日晚早]|听日|聽日|明个", _after(1)),
    (r"今[天儿日晚早]|今个", _after(0)),
    (r"昨[天晚日]|前[天晚](?!\s*还)|上次|去年|上个?年", _nothing),
    (r"年底|年末", lambda f, t: date(t.year, 12, 31)),
    (r"元旦", lambda f, t: _in_year(1, 1, t)),
    (r"(?<![0-9/])(?P<one>[0-9]{1,2})/(?P<two>[0-9]{1,2})(?:/(?P<year>[0-9]{4}|[0-9]{2}))?(?![0-9/])", _slashes),
    (
        rf"\b(?P<day>[0-9]{{1,2}})(?:{_ORDINAL})?(?: of)? (?P<month>{_MONTH_NAMES})\b\.?(?:,? (?P<year>20[0-9]{{2}}))?",
        _dated,
    ),
    (
        rf"\b(?P<month>{_MONTH_NAMES})\b\.? (?:the "
        rf")?(?P<day>[0-9]{{1,2}})(?:{_ORDINAL})?\b(?:,? (?P<year>20[0-9]{{2}}))?",
        _dated,
    ),
    (rf"\b(?P<day>[0-9]{{1,2}}){_ORDINAL}\b(?: of)?(?: (?P<which>next|this|last) month)?", _ordinal_en),
    (r"\b(?:a |one )?week (?:from|on) (?:today|now)\b", _after(7)),
    (r"\b(?:a |one )?week (?:from|after) tomorrow\b", _after(8)),
    (
        rf"\b(?P<later>a week (?:from|on) )?(?:on )?(?P<which>next |this |last "
        rf"|past |coming )?(?P<week_before>week )?(?P<name>{_WEEKDAY_NAMES})\b"
        r"(?:(?P<week>(?: of)? next week)|(?P<week_after> week))?\b",
        _weekday_en,
    ),
    (r"\bthis weekend\b|\b(?:the |at the |over the )?weekend\b", lambda f, t: _of_week(6, t, 0)),
    (r"\bday after tomorrow\b|\bovermorrow\b", _after(2)),
    (r"\btomorrow\b|\btmrw\b", _after(1)),
    (
        r"\byesterday\b|\blast (?:week|month|year|night)\b|\b(?:[0-9]+|"
        r"a|two|three|few) (?:days?|weeks?|months?|years?) ago\b",
        _nothing,
    ),
    (
        r"\bend of (?:the |this )?(?P<next>next )?month\b|\bmonth'?s? end\b|\beom\b|\blast day of the month\b",
        lambda f, t: month_end(month_of(t) + bool(f["next"])),
    ),
    (r"\bend of (?:the |this )?(?P<next>next )?week\b|\beow\b", lambda f, t: _of_week(6, t, int(bool(f["next"])))),
    (r"\bend of (?:the |this )?year\b", lambda f, t: date(t.year, 12, 31)),
    (
        r"\b(?:beginning|start|first) of (?:the )?next month\b|\bearly next month\b",
        lambda f, t: _part("start", month_of(t) + 1),
    ),
    (r"\bmid(?:dle of)?(?: the)?[ -](?P<next>next )?month\b", lambda f, t: _part("mid", month_of(t) + bool(f["next"]))),
    (
        rf"\b(?:in|within) (?P<count>[0-9]{{1,3}}|an?|{WORD_NUMBER}) "
        rf"(?P<unit>day|week|fortnight|month)s?(?:'? time)?\b",
        lambda f, t: _ahead(_en_count(f["count"]), f["unit"], t),
    ),
    (
        rf"\b(?P<count>[0-9]{{1,3}}|an?|{WORD_NUMBER}) (?P<unit>day|"
        rf"week|fortnight|month)s? (?:from now|from today|later)\b",
        lambda f, t: _ahead(_en_count(f["count"]), f["unit"], t),
    ),
    (r"\bnext (?:week|month|year|pay ?day)\b", _nothing),
    (
        r"\btoday\b|\btonight\b|\bthis (?:morning|afternoon|evening|arvo)\b|"
        r"\bend of (?:the )?(?:day|play)\b|\beod\b|\bclose of business\b|\bcob\b",
        _after(0),
    ),
)
_NOW = (r"\b(?:right |paying (?:it )?|pay (?:it )?)now\b|现在就?还|这就|立刻|即刻|马上就?还|现在转", _after(0))
_COMPILED = [(re.compile(pattern), rule) for pattern, rule in _RULES]
_COMPILED_NOW = (re.compile(_NOW[0]), _NOW[1])
_DENIED = re.compile(r"(?:\bnot (?:on |by |before |until )?|\bnever |n't (?:on |by )?|不是|并非|别在|不在)$")


def _weekend(day: str, which: str | None) -> int | None:
    weeks = _weeks(which)
    return 0 if weeks is None and day == "末" else weeks


def _month_part(month: int | None, part: str, today: date) -> date | None:
    """The end, beginning or middle of a month of the year."""
    if month is None or not 1 <= month <= 12:
        return None
    last = monthrange(today.year + (month < today.month), month)[1]
    return _in_year(month, {"初": 1, "中": 15}.get(part, last), today)


def find_days(plain: str, today: date) -> list[Day]:
    """The days named in a folded text, in its order; those that it denies ("not Friday") are left out with no date."""
    days = sorted(_matches(plain, today), key=lambda day: day.start)
    if not any(day.on for day in days):
        pattern, rule = _COMPILED_NOW
        days += [Day(*found.span(), rule(found, today)) for found in pattern.finditer(plain)]
    return days


def _matches(plain: str, today: date) -> Iterator[Day]:
    left = plain
    for pattern, rule in _COMPILED:
        for found in pattern.finditer(left):
            on = rule(found, today)
            if on is not None and not today <= on <= today + _FAR:
                on = None
            if _DENIED.search(plain[: found.start()]):
                on = None
            yield Day(*found.span(), on)
        left = pattern.sub(lambda found: "\x00" * len(found[0]), left)
