"""By when a dispute and a complaint are answered: the deadlines of the rules on record, and the working day before."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from evenkeel.arrears.cases.model import Case
from evenkeel.arrears.kinds import last_day
from evenkeel.arrears.law import RuleBook

_ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Clock:
    """A deadline that runs, or ran. about: dispute or complaint. due_on: the last day, whatever day it is. act_by: the
    last working day that is not after it, so that no holiday makes an answer late. answered_on: None while it runs."""

    about: str
    name: str
    rule: str
    citation: str
    confidence: str
    began_on: date
    due_on: date
    act_by: date
    answered_on: date | None = None

    def late(self, today: date) -> bool:
        """Answered after the last day, or not answered and it is over."""
        return (self.answered_on or today) > self.due_on


def working_day_before(day: date, works: Callable[[date], bool]) -> date:
    """A day, or the last working day before it. Raises ValueError where no day of a year before it is one."""
    for back in range(367):
        if works(day - back * _ONE_DAY):
            return day - back * _ONE_DAY
    raise ValueError(f"nobody works in the year before {day}")


def clocks(
    case: Case, rules: RuleBook, jurisdiction: str, works: Callable[[date], bool], zone: ZoneInfo, language: str = "en"
) -> tuple[Clock, ...]:
    """The clocks of a case, the first due first. works: whether people work on a day. zone: in which a clock has days.

    Rules of other actors than a case names are counted in: a deadline too many is met, one too few is missed.
    """
    found: list[Clock] = []
    for one in case.disputes:
        days = one.opened_at.astimezone(zone).date(), None if one.closed_at is None else _day(one.closed_at, zone)
        found += _of("dispute", one.name, days, frozenset(), rules, jurisdiction, works, language)
    for told in case.complaints:
        days = told.received_on, None if told.closed_at is None else _day(told.closed_at, zone)
        known = frozenset({"extension_told"} if told.extended else ())
        found += _of("complaint", told.name, days, known, rules, jurisdiction, works, language)
    return tuple(sorted(found, key=lambda clock: (clock.due_on, clock.rule, clock.name)))


def _day(at: datetime, zone: ZoneInfo) -> date:
    return at.astimezone(zone).date()


def _of(
    about: str, name: str, days: tuple[date, date | None], known: frozenset[str], rules: RuleBook, jurisdiction: str,
    works: Callable[[date], bool], language: str,
) -> list[Clock]:  # fmt: skip
    action, start = f"answer_{about}", {"dispute": "disputed_on", "complaint": "complained_on"}[about]
    began, answered = days
    places = rules.places(jurisdiction)
    found = []
    for rule in rules.rules.values():
        if rule.jurisdiction not in places or not rule.in_force(began):
            continue
        for one in rule.checks:
            if one.kind != "deadline" or action not in one.actions or one.params["start"] != start:
                continue
            if known.intersection(one.unless) or not known.issuperset(one.only_if):
                continue
            due = last_day(began, one.params)
            found.append(
                Clock(about, name, rule.id, rule.citation[language], rule.confidence, began, due,
                      max(began, working_day_before(due, works)), answered)
            )  # fmt: skip
    return found


def first_due(found: tuple[Clock, ...]) -> Clock | None:
    """The clock that runs out first among those that run."""
    return min(
        (one for one in found if one.answered_on is None), key=lambda one: (one.act_by, one.due_on), default=None
    )
