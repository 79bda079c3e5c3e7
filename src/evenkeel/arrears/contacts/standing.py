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
KINDS = (ASKED, ENDED, *(EVENT + kind for kind in EVENTS))

_OPENS = {"dispute_opened": "dispute_open", "plan_signed": "plan_in_force"}
_CLOSES = {"dispute_closed": "dispute_open", "plan_broken": "plan_in_force", "plan_completed": "plan_in_force"}
_COUNTED = ("allow", "warn")


@dataclass(frozen=True, slots=True)
class Told:
    """A fact of the record about a borrower, of one of KINDS."""

    event_id: str
    kind: str
    account_id: str | None
    at: datetime
    payload: Mapping[str, Any]

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
        for told in self.events:
            kind = told.kind.removeprefix(EVENT)
            if told.at > at:
                continue
            if kind in ("plan_signed", "plan_broken", "plan_completed"):
                found["plan_in_force"] = kind == "plan_signed"
            elif kind.startswith("consent"):
                _consent(found, kind, told)
            elif told.lender_id in ("", lender_id):
                _own(found, kind, told, account_id)
        promised = [row["promised_on"] for row in self.contacts if row["lender_id"] == lender_id and row["promised_on"]]
        days = [*promised, *([found["promise_until"]] if "promise_until" in found else [])]
        return found | ({"promise_until": max(days)} if days else {})


def _consent(found: dict[str, Any], kind: str, told: Told) -> None:
    purpose, given = told.said.get("purpose"), kind == "consent_given"
    if purpose == "contact_night":
        found["night_consent"] = given
    elif purpose == "contact_call":
        found["call_consent_at"] = told.at if given else None


def _own(found: dict[str, Any], kind: str, told: Told, account_id: str | None) -> None:
    if kind == "stop_contact":
        found["stop_contact"] = True
    elif kind == "promise":
        if (day := _day(told.said.get("promised_on"))) is not None:
            found["promise_until"] = day
    elif told.account_id is None or account_id is None or told.account_id == account_id:
        found[_OPENS.get(kind) or _CLOSES[kind]] = kind in _OPENS


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None


def standing_of(facts: Iterable[Told]) -> Standing:
    """The standing of one borrower. facts: in the order of booking."""
    asked: dict[str, Told] = {}
    ended: dict[str, Mapping[str, Any]] = {}
    events: list[Told] = []
    for told in facts:
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
