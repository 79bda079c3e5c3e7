"""By when a person should have decided: a number of working hours, counted on the clock of the place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from evenkeel.kernel.errors import InvalidInput

_LONGEST = timedelta(hours=1000)
_WEEK = frozenset(range(5))  # Monday to Friday


@dataclass(frozen=True, slots=True)
class WorkingHours:
    """When people work: from `begins` to `ends` on `weekdays` (Monday is 0) but for `holidays`, by the clock of `zone`.

    extra: days worked although they are not such days, as the days that make up for a long holiday in China.
    """

    zone: ZoneInfo
    begins: time = time(9)
    ends: time = time(18)
    weekdays: frozenset[int] = _WEEK
    holidays: frozenset[date] = frozenset()
    extra: frozenset[date] = frozenset()

    def __post_init__(self) -> None:
        if self.begins >= self.ends or not self.weekdays:
            raise InvalidInput(
                f"working hours from {self.begins} to {self.ends} on {len(self.weekdays)} days are none.",
                "A working day begins before it ends, on one weekday or more.",
            )

    def works(self, day: date) -> bool:
        """Whether people work on a day."""
        return day in self.extra or (day.weekday() in self.weekdays and day not in self.holidays)

    def after(self, start: datetime, spent: timedelta) -> datetime:
        """When `spent` of working time has passed since `start`. Raises InvalidInput above 1,000 hours."""
        if not timedelta(0) <= spent <= _LONGEST or start.tzinfo is None:
            raise InvalidInput(
                f"{spent} of working time after {start} cannot be counted.", "Allowed: 0 to 1,000 hours."
            )
        day = start.astimezone(self.zone).date()
        while True:
            if self.works(day):
                opens, closes = self._instants(day)
                begun = max(opens, start.astimezone(UTC))
                if begun < closes and spent <= closes - begun:
                    return begun + spent
                spent -= max(closes - begun, timedelta(0))
            day += timedelta(days=1)

    def between(self, start: datetime, end: datetime) -> timedelta:
        """The working time from `start` to `end`; none where `end` comes first."""
        total, day = timedelta(0), start.astimezone(self.zone).date()
        last = end.astimezone(self.zone).date()
        while day <= last:
            if self.works(day):
                opens, closes = self._instants(day)
                total += max(min(closes, end.astimezone(UTC)) - max(opens, start.astimezone(UTC)), timedelta(0))
            day += timedelta(days=1)
        return total

    def _instants(self, day: date) -> tuple[datetime, datetime]:
        """Opening and closing in UTC: a day on which the clocks change has as many hours as it has."""
        opens, closes = (datetime.combine(day, at, self.zone).astimezone(UTC) for at in (self.begins, self.ends))
        return opens, closes


@dataclass(frozen=True, slots=True)
class ReviewRules:
    """How reviews are run. hours: working hours until a decision is due, by kind of request, `hours_else` for others.

    second_above_minor: an approval of more needs a second person. lease: how long a claim keeps others away.
    """

    working: WorkingHours
    hours: Mapping[str, float] = field(default_factory=lambda: {"purchase": 0.5, "application": 8.0})
    hours_else: float = 8.0
    second_above_minor: int = 2_000_000
    lease: timedelta = timedelta(minutes=30)

    def due_at(self, kind: str, opened_at: datetime) -> datetime:
        """By when a request that was referred at `opened_at` should be decided."""
        return self.working.after(opened_at, timedelta(hours=self.hours.get(kind, self.hours_else)))

    def needs_second(self, outcome: str, amount_minor: int) -> bool:
        """Whether an outcome for an amount takes two people."""
        return outcome == "approve" and amount_minor > self.second_above_minor
