"""What the record says of a borrower when somebody wants to contact them: earlier contacts as rows, and what holds now.

A contact that was cleared counts from the moment it was, with an outcome that is open, until it is told that it ended
or was not made. So two agencies that ask at the same moment cannot both be the last one allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from evenkeel.arrears.contacts.model import Row
from evenkeel.decisions.engine.happenings import EVENT

ASKED, ENDED = "contact.asked", "contact.ended"
EVENTS = (
    "promise", "stop_contact", "dispute_opened", "dispute_closed", "plan_signed", "plan_broken", "plan_completed",
    "consent_given", "consent_withdrawn",
)  # fmt: skip
REVERSED = EVENT + "reversed"  # takes the fact of a case or an event that it names out, as if it had never been
CASE = "case."  # kinds of facts of cases
# What a case says of a borrower, as far as it bears on contacts.
OF_CASES = tuple(CASE + kind for kind in (
    "complaint_opened", "complaint_closed", "represented", "representation_ended", "wrong_person", "vulnerable",
    "vulnerability_reviewed", "insolvent", "insolvency_ended", "assigned", "recalled", "sold",
))  # fmt: skip
KINDS = (ASKED, ENDED, *(EVENT + kind for kind in EVENTS), REVERSED, *OF_CASES)

_COUNTED = ("allow", "warn")
_WITHOUT_POINT = ("app", "visit")


@dataclass(frozen=True, slots=True)
class Told:
    """A fact of the record about a borrower, of one of KINDS. reversal_of: the event_id of the fact it takes out."""

    event_id: str
    kind: str
    account_id: str | None
    at: datetime
    payload: Mapping[str, Any]
    reversal_of: str | None = None

    @property
    def lender_id(self) -> str:
        """Whose it is; a fact without a lender is everybody's."""
        return str(self.payload.get("lender_id", ""))

    @property
    def said(self) -> Mapping[str, Any]:
        """The fields that a lender gave with an event."""
        fields = self.payload.get("fields")
        return fields if isinstance(fields, dict) else {}


@dataclass(frozen=True, slots=True)
class Standing:
    """contacts: those that were made or may be under way, as rows of actions, in order of booking. ended: what was told
    of each. events: the others, in the order of what happened."""

    contacts: list[Row]
    ended: dict[str, Mapping[str, Any]] = field(repr=False)
    events: list[Told] = field(repr=False)

    def holds(self, lender_id: str, account_id: str | None, at: datetime) -> dict[str, Any]:
        """Facts that the law asks for, as they hold for a lender at an instant; nothing where nothing is known.

        A dispute is about its account, or about all where it names none; a plan binds every creditor; a request to
        stop and a promise are those made to this lender.
        """
        found: dict[str, Any] = {}
        disputes: set[str] = set()
        for told in self.events:
            kind = told.kind.removeprefix(EVENT)
            if told.at > at or told.kind.startswith(CASE):
                continue
            if kind in ("plan_signed", "plan_broken", "plan_completed"):
                found["plan_in_force"] = kind == "plan_signed"
            elif kind.startswith("consent"):
                _consent(found, kind, told)
            elif told.lender_id in ("", lender_id):
                _own(found, kind, told, account_id, disputes)
        promised = [row["promised_on"] for row in self.contacts if row["lender_id"] == lender_id and row["promised_on"]]
        days = [*promised, *([found["promise_until"]] if "promise_until" in found else [])]
        return found | ({"promise_until": max(days)} if days else {})

    def bars(
        self,
        lender_id: str,
        at: datetime,
        *,
        account_id: str | None,
        channel: str,
        point: str | None,
        actor: tuple[str | None, str | None],
        through: bool,
    ) -> dict[str, bool]:
        """What a case of this lender says against one contact; only what holds, nothing where nothing is known.

        point: the token of the number or address. actor: who asks, id and type. through: it goes through a
        representative. Where a debt was sold and no debt is named, it may be that one.
        """
        said = Said()
        for told in self.events:
            if told.kind.startswith(CASE) and told.at <= at and told.lender_id == lender_id:
                _hear(said, told)
        agency = actor[1] == "agency" and bool(said.agencies) and actor[0] != said.agency
        found = {
            "complaint_open": bool(said.complaints),
            "represented": bool(said.represented),
            "representative_not_authorised": through and not said.represented,
            "wrong_contact_point": point is not None and point in said.wrong,
            "channel_not_suitable": any(channel not in some for some in said.suitable.values()),
            "insolvent": bool(said.insolvent),
            "agency_not_assigned": agency,
            "debt_sold": bool(said.sold) if account_id is None else account_id in said.sold,
            # Once a number was wrong, it must be said which one is used.
            "some_point_wrong": bool(said.wrong),
            "contact_point_named": point is not None or channel in _WITHOUT_POINT,
        }
        return {name: True for name, holds in found.items() if holds}


@dataclass(slots=True)
class Said:
    """What cases say of a borrower at an instant, while it is being heard. suitable: channels, by vulnerability.
    agencies: all that ever had the case. sold: accounts."""

    represented: set[str] = field(default_factory=set)
    suitable: dict[str, tuple[str, ...]] = field(default_factory=dict)
    wrong: set[str] = field(default_factory=set)
    agency: str | None = None
    agencies: set[str] = field(default_factory=set)
    sold: set[str] = field(default_factory=set)
    insolvent: set[str] = field(default_factory=set)
    complaints: set[str] = field(default_factory=set)


def _hear(said: Said, told: Told) -> None:
    """One fact more."""
    kind, payload = told.kind.removeprefix(CASE), told.payload
    name = str(payload.get("name", ""))
    if kind == "complaint_opened":
        said.complaints.add(name)
    elif kind == "complaint_closed":
        said.complaints.discard(name)
    elif kind == "represented":
        said.represented.add(name)
    elif kind == "representation_ended":
        said.represented.discard(name)
    elif kind == "wrong_person":
        said.wrong.add(str(payload.get("contact_point_token")))
    elif kind in ("vulnerable", "vulnerability_reviewed"):
        if payload.get("ends"):
            said.suitable.pop(name, None)
        elif isinstance(channels := payload.get("channels"), list):
            said.suitable[name] = tuple(map(str, channels))
    elif kind == "insolvent":
        said.insolvent.add(name)
    elif kind == "insolvency_ended":
        said.insolvent.discard(name)
    elif kind == "assigned":
        said.agency = str(payload.get("agency_id"))
        said.agencies.add(said.agency)
    elif kind == "recalled":
        said.agency = None
    else:
        said.sold.update(map(str, payload.get("accounts", ())))


def _consent(found: dict[str, Any], kind: str, told: Told) -> None:
    purpose, given = told.said.get("purpose"), kind == "consent_given"
    if purpose == "contact_night":
        found["night_consent"] = given
    elif purpose == "contact_call":
        found["call_consent_at"] = told.at if given else None


def _own(found: dict[str, Any], kind: str, told: Told, account_id: str | None, disputes: set[str]) -> None:
    if kind == "stop_contact":
        found["stop_contact"] = True
    elif kind == "promise":
        if (day := _day(told.said.get("promised_on"))) is not None:
            found["promise_until"] = day
    elif told.account_id is None or account_id is None or told.account_id == account_id:
        hear_dispute(disputes, kind, told)
        found["dispute_open"] = bool(disputes)


def hear_dispute(disputes: set[str], kind: str, told: Told) -> None:
    """A dispute is opened or closed. One that is closed by its name leaves the others open; without a name, none."""
    name = told.said.get("name")
    if kind == "dispute_opened":
        disputes.add(str(name or told.event_id))
    elif name is None:
        disputes.clear()
    else:
        disputes.discard(str(name))


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None


def undone_by(reversals: Iterable[tuple[str, str | None]]) -> set[str]:
    """The facts that are out, by reversals (own id, what it takes out) in the order of booking; one that is taken out
    itself undoes nothing."""
    undone: set[str] = set()
    for name, target in reversed(list(reversals)):
        if name not in undone and target is not None:
            undone.add(target)
    return undone


def standing_of(facts: Iterable[Told]) -> Standing:
    """The standing of one borrower. facts: in the order of booking."""
    asked: dict[str, Told] = {}
    ended: dict[str, Mapping[str, Any]] = {}
    events: list[Told] = []
    told_all = list(facts)
    undone = undone_by((told.event_id, told.reversal_of) for told in told_all if told.kind == REVERSED)
    for told in told_all:
        if told.event_id in undone or told.kind == REVERSED:
            continue
        if told.kind == ASKED:
            asked[told.event_id] = told
        elif told.kind == ENDED:
            ended[str(told.payload["contact_id"])] = told.payload
        else:
            events.append(told)
    events.sort(key=lambda told: told.at)  # stable: those of one instant as they were booked
    rows = [
        _row(one, ended.get(name, {}))
        for name, one in asked.items()
        if (one.payload["made"] or one.payload["answer"] in _COUNTED) and ended.get(name, {}).get("made", True)
    ]
    return Standing(rows, ended, events)


def _row(told: Told, end: Mapping[str, Any]) -> Row:
    said = told.payload["contact"]
    return {
        "contact_id": told.event_id, "action": said["channel"], "at": told.at, "account_id": told.account_id,
        "lender_id": told.lender_id, "direction": said.get("direction", "out"), "target": said.get("target"),
        "contact_point_token": said.get("contact_point_token"), "answered": end.get("answered"),
        "conversation": end.get("conversation"), "promised_on": _day(end.get("promised_on")),
    }  # fmt: skip
