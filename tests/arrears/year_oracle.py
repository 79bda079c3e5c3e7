"""Who may be contacted, in China and in the United States, in plain Python: an oracle for a simulated year.

Written from the texts (the catalogue of regulation, sections 1 to 3, and evenkeel's house rules), contact by contact,
with the standard library alone. It knows nothing of rule files, tables or columns.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

VOICE = ("call", "bot_call")
HOMES = {
    "CN": ("Asia/Shanghai", "Asia/Urumqi"),
    "US": ("America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage",
           "Pacific/Honolulu"),
}  # fmt: skip
# What only a change of facts ends.
FACTUAL = {"stopped", "dispute", "plan", "complaint", "third", "visitors", "refused", "card third"}


@lru_cache(100_000)
def midnight(zone: str, day: date) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


@lru_cache(100_000)
def morning(zone: str, day: date) -> datetime:
    return datetime.combine(day, time(8), ZoneInfo(zone)).astimezone(UTC)


@lru_cache(100_000)
def clock(zone: str, quarter: int) -> timedelta:
    """What a zone adds to UTC in a quarter of an hour since 1970."""
    return datetime.fromtimestamp(quarter * 900, ZoneInfo(zone)).utcoffset() or timedelta()


def local(at: datetime, zone: str) -> datetime:
    return (at + clock(zone, int(at.timestamp()) // 900)).replace(tzinfo=None)


@dataclass(slots=True)
class Contact:
    """Somebody wants to contact, or has. zone: the debtor's, as the collector knows it."""

    at: datetime
    channel: str
    lender: str
    account: str | None = None
    actor: str | None = None
    product: str | None = None
    zone: str | None = None
    target: str | None = "debtor"
    inbound: bool = False
    point: str | None = None
    unreachable: bool | None = None
    refused: bool | None = None
    collectors: int | None = None
    answered: bool | None = None
    conversation: bool | None = None
    promised: date | None = None

    @property
    def placed(self) -> bool:
        return self.channel in VOICE and not self.inbound


@dataclass(slots=True)
class Said:
    """Something a borrower said or signed. lender "": to all. order: of booking."""

    what: str
    at: datetime
    order: int
    on: bool = True
    lender: str = ""
    account: str | None = None
    day: date | None = None


@dataclass(slots=True)
class Person:
    """One debtor: where they live, what was said, what happened or was cleared (by instant, then as it came)."""

    name: str
    place: str
    zone: str
    said: list[Said] = field(default_factory=list)
    contacts: list[Contact] = field(default_factory=list)

    def why_not(self, one: Contact, at: datetime) -> set[str]:
        """Why a contact may not be made at an instant; empty where it may."""
        if one.inbound:
            return set()
        zones = (one.zone,) if one.zone else HOMES[self.place]
        reasons = {what for what in ("stopped", "dispute", "plan", "complaint") if self._open(what, one, at)}
        if not self._last(("night",), at, one) and any(not 8 <= local(at, zone).hour < 22 for zone in zones):
            reasons.add("night")
        if self._promised(one, at, zones):
            reasons.add("promise")
        reasons |= self._china(one, at, zones) if self.place == "CN" else self._states(one, at, zones)
        return reasons

    def first_lawful(self, one: Contact, days: int = 14) -> datetime | None:
        """The first instant from its own on at which nothing speaks against it. Only at the morning and at midnight of
        somewhere it can become lawful."""
        zones = (one.zone,) if one.zone else HOMES[self.place]
        today = one.at.date() - timedelta(days=1)
        turns = {
            moment(zone, today + timedelta(days=ahead))
            for zone in zones for moment in (midnight, morning) for ahead in range(days + 2)
        }  # fmt: skip
        for at in sorted({one.at} | {turn for turn in turns if turn > one.at}):
            if not self.why_not(one, at):
                return at
        return None

    def _last(self, whats: tuple[str, ...], at: datetime, one: Contact, account: str | None = None) -> Said | None:
        """What was said last of something by then, if it opened it."""
        best = None
        for said in self.said:
            if (
                said.what in whats and said.at <= at and said.lender in ("", one.lender)
                and (said.account is None or said.account == account)
                and (best is None or (said.at, said.order) > (best.at, best.order))
            ):  # fmt: skip
                best = said
        return best if best is not None and best.on else None

    def _open(self, what: str, one: Contact, at: datetime) -> bool:
        if what != "dispute" or one.account is not None:
            return self._last((what,), at, one, one.account) is not None
        accounts = {said.account for said in self.said if said.what == what}
        return any(self._last((what,), at, one, account) is not None for account in {None, *accounts})

    def _promised(self, one: Contact, at: datetime, zones: tuple[str, ...]) -> bool:
        days = [c.promised for c in self.contacts if c.promised and c.lender == one.lender]
        told = self._last(("promise",), at, one)
        if told and told.day:
            days.append(told.day)
        return bool(days) and any(local(at, zone).date() <= max(days) for zone in zones)

    def _china(self, one: Contact, at: datetime, zones: tuple[str, ...]) -> set[str]:
        reasons = set()
        trade = one.actor in (None, "bank", "consumer_finance", "agency")  # whom the bankers' guide binds
        company, card = (
            one.actor in (None, "consumer_finance"),
            one.actor in (None, "bank") and one.product in (None, "card"),
        )
        if one.target in ("spouse", "other"):
            if one.unreachable is not True:
                reasons.add("third" if one.unreachable is False else "third unknown")
            if one.refused:
                reasons.add("refused")
        if (trade or company) and one.target == "other":
            reasons.add("third")
        if trade and one.target == "spouse" and self._failures(one.lender, at) < 3:
            reasons.add("third")
        if card and one.target in ("spouse", "other"):
            reasons.add("card third")
        if (trade or company or card) and one.target is None:
            reasons.add("third unknown")
        if trade and one.channel == "visit" and (one.collectors or 0) < 2:
            reasons.add("visitors" if one.collectors is not None else "visitors unknown")
        if one.placed and self._crowded(one, at, zones, days=1, most=3, counts=_may_be_talk):
            reasons.add("conversations")
        return reasons

    def _states(self, one: Contact, at: datetime, zones: tuple[str, ...]) -> set[str]:
        if not one.placed or self._agreed(one, at):
            return set()
        reasons, bound = set(), one.actor in (None, "agency", "debt_buyer")  # creditors' own calls are free, and count
        if bound and any(self._talked(one, midnight(z, local(at, z).date() - timedelta(days=6)), at) for z in zones):
            reasons.add("talked")

        def counts(c: Contact) -> bool:
            return c.placed and c.account == one.account and not self._agreed(c, c.at)

        if self._crowded(one, at, zones, days=7, most=7, counts=counts, bound=bound):
            reasons.add("calls")
        return reasons

    def _talked(self, one: Contact, since: datetime, at: datetime) -> bool:
        return any(
            since <= c.at <= at and c.conversation is True and c.channel in VOICE
            and c.account == one.account and c.lender == one.lender
            for c in self.contacts
        )  # fmt: skip

    def _crowded(self, one, at, zones, days, most, counts, bound=True) -> bool:  # type: ignore[no-untyped-def]
        """Whether a call would be one too many: itself, or a later one that was cleared before it would become so."""
        mine = [c for c in self.contacts if c.lender == one.lender and counts(c)]
        for zone in zones:
            since = midnight(zone, local(at, zone).date() - timedelta(days=days - 1))
            if bound and sum(since <= c.at <= at for c in mine) >= most:
                return True
            for place, later in enumerate(mine):
                if later.at > at and self._bound_later(later):
                    since = midnight(zone, local(later.at, zone).date() - timedelta(days=days - 1))
                    before = sum(since <= c.at and (c.at, p) < (later.at, place) for p, c in enumerate(mine))
                    if since <= at and before + 1 == most:
                        return True
        return False

    def _bound_later(self, later: Contact) -> bool:
        return self.place == "CN" or later.actor in (None, "agency", "debt_buyer")

    def _agreed(self, one: Contact, at: datetime) -> bool:
        """A consent to calls takes a call out of the count on its day and the seven after it."""
        said = self._last(("calls",), at, one)
        if said is None:
            return False
        zone = one.zone or HOMES[self.place][0]
        return 0 <= (local(at, zone).date() - local(said.at, zone).date()).days <= 7

    def _failures(self, lender: str, at: datetime) -> int:
        """Calls to the debtor without an answer, since the last that was answered."""
        count = 0
        for c in sorted((c for c in self.contacts if c.lender == lender and c.at <= at), key=lambda c: c.at):
            if c.channel in VOICE and c.answered:
                count = 0
            elif c.placed and c.answered is False and c.target in (None, "debtor"):
                count += 1
        return count


def _may_be_talk(c: Contact) -> bool:
    return c.placed and c.conversation is not False
