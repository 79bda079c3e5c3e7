"""Money on days: the flows of a credit, the due days of a series of payments, and the whole months between them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from evenkeel.kernel.calendar import month_day, month_end, month_of
from evenkeel.kernel.errors import InvalidInput

MOST_PAYMENTS = 10_000
_EVERY = re.compile(r"([1-9][0-9]{0,3})([DWMY])")
_SEMIMONTH = re.compile(r"semimonth ([1-9][0-9]?)/([1-9][0-9]?)")


@dataclass(frozen=True, slots=True)
class Flow:
    """Money on a day, in minor units: above 0 to the borrower, below 0 from the borrower, fees included."""

    day: date
    amount_minor: int

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise InvalidInput(f"the amount on {self.day} is {self.amount_minor!r}; it is whole minor units.")


def from_first_advance(flows: Sequence[Flow]) -> list[Flow]:
    """The flows in order of days, without nothings, beginning with the first money to the borrower.

    What is paid on that day or before is taken off it, as a fee deducted in advance (砍头息) is: only the rest was ever
    in use. Raises InvalidInput where nothing is received, nothing is left, or nothing is paid afterwards.
    """
    received = [flow.day for flow in flows if flow.amount_minor > 0]
    if not received:
        raise InvalidInput("the borrower receives nothing.", "Money to the borrower has a positive amount.")
    begin = min(received)
    net = sum(flow.amount_minor for flow in flows if flow.day <= begin)
    later = sorted((flow for flow in flows if flow.day > begin and flow.amount_minor), key=lambda flow: flow.day)
    if net <= 0:
        raise InvalidInput(f"what is paid up to {begin} takes all that is received then: nothing is lent.")
    if all(flow.amount_minor > 0 for flow in later):
        raise InvalidInput(f"nothing is paid after {begin}.", "Money from the borrower has a negative amount.")
    return [Flow(begin, net), *later]


def due_dates(first: date, count: int, every: str, day: int | None = None) -> list[date]:
    """`count` days from `first` on, `every` so often.

    every: a number and a letter (`15D`, `2W`, `1M`, `1Y`: days, weeks, months, years), or `semimonth 1/16`: two days of
    every month, `first` being one of them. day: the day of the month that is meant where `first` may be its stand-in;
    `first`'s own by default. A month that lacks the day has its last day instead, and the next month the day again:
    31 January, 28 February, 31 March.
    Raises InvalidInput where `every` has another form, `count` is not from 1 to 10000, or a day is beyond year 9999.
    """
    if not 1 <= count <= MOST_PAYMENTS:
        raise InvalidInput(f"the number of payments is {count}; it is from 1 to {MOST_PAYMENTS:,}.")
    try:
        if twice := _SEMIMONTH.fullmatch(every):
            return _semimonthly(first, count, int(twice[1]), int(twice[2]))
        if not (found := _EVERY.fullmatch(every)):
            raise InvalidInput(
                f"{every!r} is no interval between payments.", "Write 1M, 2W, 15D, 1Y, or `semimonth 1/16`."
            )
        step = int(found[1])
        if found[2] in "DW":
            span = timedelta(days=step * (7 if found[2] == "W" else 1))
            return [first + span * place for place in range(count)]
        step *= 12 if found[2] == "Y" else 1
        return [month_day(month_of(first) + step * place, day or first.day) for place in range(count)]
    except (ValueError, OverflowError) as error:
        if isinstance(error, InvalidInput):
            raise
        raise InvalidInput(f"payments every {every} from {first} would end after the year 9999.") from None


def _semimonthly(first: date, count: int, early: int, late: int) -> list[date]:
    if not early < late <= 31:
        raise InvalidInput(
            f"`semimonth {early}/{late}` does not name two days of a month.", "Write the earlier first: 1/16."
        )
    month = month_of(first)
    days = [month_day(month + place // 2, (early, late)[place % 2]) for place in range(count + 2)]
    if first not in days[:2]:
        raise InvalidInput(
            f"the first payment, {first}, is on neither day of `semimonth {early}/{late}`.",
            "Give the first payment a series of its own.",
        )
    start = days.index(first)
    return days[start : start + count]


def scheduled_day(day: date, series: Collection[date]) -> int:
    """The day of the month that `day` stands for: on a month's last day it may be a later one, as the series shows.

    Of the days of the month on which the series falls, the one that explains most of it; the earliest in a tie.
    (12 CFR 1026, Appendix J (b)(3)(iv): series on the last day, or the 29th or 30th, of each month.)
    """
    if day != month_end(month_of(day)):
        return day.day
    candidates = sorted({day.day} | {other.day for other in series if other.day > day.day})
    return max(candidates, key=lambda one: sum(other == month_day(month_of(other), one) for other in series))


def months_back(start: date, end: date, day: int) -> tuple[int, int]:
    """Whole months measured back from `end`, whose day of the month is `day`, and the odd days left from `start`."""
    months = month_of(end) - month_of(start)
    reached = month_day(month_of(start), day)
    if reached < start:
        months, reached = months - 1, month_day(month_of(start) + 1, day)
    return months, (reached - start).days
