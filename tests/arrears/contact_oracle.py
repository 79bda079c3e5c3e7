"""What may be done in China to a debtor of a consumer-finance company, in plain Python: an oracle for the rule engine.

It knows four things: quiet hours unless consented, three conversations a day for each lender (one whose outcome is
open may be one), what a borrower has said or signed, and promises. It is written from the texts, not from the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

OPENS, CLOSES = time(8), time(22)


@dataclass
class Made:
    """A contact that was cleared. conversation: None while it is open."""

    lender: str
    at: datetime
    voice: bool
    conversation: bool | None = None
    made: bool = True
    promised: date | None = None


@dataclass
class Debtor:
    """All that is known of one debtor."""

    zone: ZoneInfo
    contacts: dict[str, Made] = field(default_factory=dict)
    consents: list[tuple[datetime, bool]] = field(default_factory=list)
    stopped: list[tuple[datetime, str]] = field(default_factory=list)
    disputes: list[tuple[datetime, str, bool]] = field(default_factory=list)
    plans: list[tuple[datetime, bool]] = field(default_factory=list)

    def why_not(self, lender: str, at: datetime, voice: bool) -> set[str]:
        """Why a contact may not be made; empty where it may."""
        clock = at.astimezone(self.zone)
        promised = [one.promised for one in self.contacts.values() if one.promised and one.lender == lender]
        reasons = {
            "night": not OPENS <= clock.time() < CLOSES and not _last(self.consents, at),
            "stopped": any(when <= at and who == lender for when, who in self.stopped),
            "dispute": _last([(when, opened) for when, who, opened in self.disputes if who == lender], at),
            "plan": _last(self.plans, at),
            "promise": bool(promised) and clock.date() <= max(promised),
            "conversations": voice and self._conversations(lender, clock.date()) >= 3,
        }
        return {reason for reason, holds in reasons.items() if holds}

    def _conversations(self, lender: str, day: date) -> int:
        return sum(
            one.made and one.voice and one.conversation is not False
            and one.lender == lender and one.at.astimezone(self.zone).date() == day
            for one in self.contacts.values()
        )  # fmt: skip


def _last(said: list[tuple[datetime, bool]], at: datetime) -> bool:
    """The last that holds at an instant: of what happened by then the latest, of equals the last that was told."""
    known = [one for one in said if one[0] <= at]
    return max(enumerate(known), key=lambda one: (one[1][0], one[0]))[1][1] if known else False
