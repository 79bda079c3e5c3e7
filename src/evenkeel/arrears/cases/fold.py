"""From the facts about a borrower to a case. Whatever the order in which they were booked, what happened counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from evenkeel.arrears.cases.model import (
    Assignment,
    Case,
    Closed,
    Complaint,
    Dispute,
    Promise,
    State,
    Vulnerability,
)
from evenkeel.arrears.contacts.standing import ASKED, CASE, ENDED, REVERSED, Told, undone_by
from evenkeel.decisions.engine.happenings import EVENT

OPENED, REOPENED, CLOSED, MOVED, CLAIMED = (
    CASE + kind for kind in ("opened", "reopened", "closed", "moved", "claimed")
)
HARDSHIP_DAYS = 30  # so long collection rests after a hardship was told, where no day was named; a house judgement

# Events that stand in a story; most of them bear on the case.
EVENTS = (
    "promise", "dispute_opened", "dispute_closed", "hardship", "stop_contact", "plan_signed", "plan_broken",
    "plan_completed", "consent_given", "consent_withdrawn", "reversed",
)  # fmt: skip
_PLANS = {"plan_signed": True, "plan_broken": False, "plan_completed": False}


@dataclass(slots=True)
class _Draft:
    """A case while its facts are heard. Dicts keep the order in which their entries came."""

    promises: dict[str, Promise] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    complaints: dict[str, Complaint] = field(default_factory=dict)
    vulnerabilities: dict[str, Vulnerability] = field(default_factory=dict)
    representations: dict[str, None] = field(default_factory=dict)
    wrong_points: dict[str, None] = field(default_factory=dict)
    insolvencies: dict[str, None] = field(default_factory=dict)
    insolvency_outcome: str | None = None
    assignments: list[Assignment] = field(default_factory=list)
    plans: dict[str, None] = field(default_factory=dict)
    hardship_until: date | None = None
    stop_contact: bool = False
    contacted_at: datetime | None = None
    legal_since: datetime | None = None
    closed: Closed | None = None


def standing_facts(facts: Iterable[Told], lender_id: str, at: datetime) -> list[Told]:
    """The facts that count for a lender at an instant, in the order of what happened: those of its own and those that
    are everybody's, without what was taken back. facts: in the order of booking."""
    known = list(facts)
    undone = undone_by((told.event_id, told.reversal_of) for told in known if told.kind == REVERSED)
    kept = [
        told
        for told in known
        if told.event_id not in undone
        and told.kind != REVERSED
        and told.at <= at
        and (told.lender_id in ("", lender_id) or told.kind.removeprefix(EVENT) in _PLANS)
    ]
    return sorted(kept, key=lambda told: told.at)  # stable: those of one instant as they were booked


def fold(case_id: str, facts: Sequence[Told], zone: ZoneInfo) -> Case | None:
    """A case from `standing_facts`; None where its opening does not stand. zone: in which an instant has its day.

    Promises, conversations, assignments and the way through the courts are of the case, from its opening on; what
    protects a borrower holds whenever it was told.
    """
    opening = next((told for told in facts if told.kind == OPENED and told.payload.get("case_id") == case_id), None)
    if opening is None:
        return None
    draft = _Draft()
    ended = {str(told.payload.get("contact_id")): told for told in facts if told.kind == ENDED}
    for told in facts:
        if told.kind == ASKED:
            _hear_contact(draft, told, ended.get(told.event_id), opening.at, zone)
        elif told.kind.startswith(EVENT):
            _hear_event(draft, told, opening.at, zone)
        elif told.kind.startswith(CASE) and (hear := _OF_CASES.get(told.kind.removeprefix(CASE))) is not None:
            own = told.payload.get("case_id") == case_id
            if own or told.kind not in _ONLY_OWN:
                hear(draft, told, told.payload)
    return Case(
        case_id=case_id, lender_id=opening.lender_id, borrower_id=str(opening.payload["borrower_id"]),
        opened_at=opening.at, closed=draft.closed, contacted_at=draft.contacted_at,
        promises=tuple(draft.promises.values()), disputes=tuple(draft.disputes.values()),
        complaints=tuple(draft.complaints.values()), vulnerabilities=tuple(draft.vulnerabilities.values()),
        hardship_until=draft.hardship_until, representations=tuple(draft.representations),
        wrong_points=tuple(draft.wrong_points), plan_in_force=bool(draft.plans), stop_contact=draft.stop_contact,
        assignments=tuple(draft.assignments), legal_since=draft.legal_since, insolvencies=tuple(draft.insolvencies),
        insolvency_outcome=draft.insolvency_outcome, facts=len(facts),
    )  # fmt: skip


# ---- Contacts and events ---------------------------------------------------------------------------------------------


def _hear_contact(draft: _Draft, asked: Told, ended: Told | None, since: datetime, zone: ZoneInfo) -> None:
    if ended is None or asked.at < since or not ended.payload.get("made", True):
        return
    if ended.payload.get("conversation") is True:
        draft.contacted_at = asked.at
    until = _day(ended.payload.get("promised_on"))
    if until is not None:
        amount = ended.payload.get("promised_minor")
        draft.promises[ended.event_id] = Promise(
            ended.event_id, asked.at, asked.at.astimezone(zone).date(), until,
            amount if isinstance(amount, int) else None, asked.account_id,
        )  # fmt: skip


def _hear_event(draft: _Draft, told: Told, since: datetime, zone: ZoneInfo) -> None:
    kind, said = told.kind.removeprefix(EVENT), told.said
    if kind in _PLANS:
        plan = str(said.get("plan_id", ""))
        if _PLANS[kind]:
            draft.plans[plan] = None
        else:
            draft.plans.pop(plan, None)
    elif kind == "promise" and told.at >= since and (until := _day(said.get("promised_on"))) is not None:
        amount = told.payload.get("amount_minor")
        draft.promises[told.event_id] = Promise(
            told.event_id, told.at, told.at.astimezone(zone).date(), until,
            amount if isinstance(amount, int) and amount > 0 else None, told.account_id,
        )  # fmt: skip
    elif kind == "dispute_opened":
        name = str(said.get("name") or told.event_id)
        draft.disputes[name] = Dispute(name, told.at, str(said.get("about", "other")), told.account_id)
    elif kind == "dispute_closed":
        _close_disputes(draft, told, said.get("name"))
    elif kind == "hardship":
        last = _day(said.get("until")) or told.at.astimezone(zone).date() + timedelta(days=HARDSHIP_DAYS)
        draft.hardship_until = max(last, draft.hardship_until or last)
    elif kind == "stop_contact":
        draft.stop_contact = True


def _close_disputes(draft: _Draft, told: Told, name: object) -> None:
    """The one that is named; without a name all of the account, or all."""
    for one in list(draft.disputes.values()):
        same = one.name == name if name is not None else told.account_id in (None, one.account_id)
        if same and one.closed_at is None:
            outcome = str(told.said.get("outcome", "answered"))
            draft.disputes[one.name] = replace(one, closed_at=told.at, outcome=outcome)


# ---- Facts of cases --------------------------------------------------------------------------------------------------

Said = Mapping[str, Any]


def _complaint_opened(draft: _Draft, told: Told, said: Said) -> None:
    received = _day(said.get("received_on")) or told.at.date()
    name = str(said["name"])
    draft.complaints[name] = Complaint(name, received, told.at, said["via"], said["kind"], said.get("agency_id"))


def _complaint_extended(draft: _Draft, told: Told, said: Said) -> None:
    if (one := draft.complaints.get(str(said["name"]))) is not None:
        draft.complaints[one.name] = replace(one, extended=True)


def _complaint_closed(draft: _Draft, told: Told, said: Said) -> None:
    if (one := draft.complaints.get(str(said["name"]))) is not None and one.closed_at is None:
        draft.complaints[one.name] = replace(one, closed_at=told.at, outcome=str(said["outcome"]))


def _vulnerable(draft: _Draft, told: Told, said: Said) -> None:
    name = str(said["name"])
    review = date.fromisoformat(said["review_on"])
    draft.vulnerabilities[name] = Vulnerability(name, told.at, said.get("need"), tuple(said["channels"]), review)


def _vulnerability_reviewed(draft: _Draft, told: Told, said: Said) -> None:
    one = draft.vulnerabilities.get(str(said["name"]))
    if one is None:
        return
    if said.get("ends"):
        del draft.vulnerabilities[one.name]
        return
    channels = said.get("channels")
    draft.vulnerabilities[one.name] = replace(
        one, channels=one.channels if channels is None else tuple(channels),
        review_on=_day(said.get("review_on")) or one.review_on,
    )  # fmt: skip


def _represented(draft: _Draft, told: Told, said: Said) -> None:
    draft.representations[str(said["name"])] = None


def _representation_ended(draft: _Draft, told: Told, said: Said) -> None:
    draft.representations.pop(str(said["name"]), None)


def _wrong_person(draft: _Draft, told: Told, said: Said) -> None:
    if said.get("contact_point_token") is not None:  # where nobody knows which it was, contacts heed the channel
        draft.wrong_points[str(said["contact_point_token"])] = None


def _insolvent(draft: _Draft, told: Told, said: Said) -> None:
    draft.insolvencies[str(said["name"])] = None


def _insolvency_ended(draft: _Draft, told: Told, said: Said) -> None:
    if str(said["name"]) in draft.insolvencies:
        del draft.insolvencies[str(said["name"])]
        draft.insolvency_outcome = str(said["outcome"])


def _assigned(draft: _Draft, told: Told, said: Said) -> None:
    _recalled(draft, told, {"why": "assigned_anew"})  # one agency at a time, whatever came late
    draft.assignments.append(Assignment(str(said["agency_id"]), str(said.get("batch", "-")), told.at))


def _recalled(draft: _Draft, told: Told, said: Said) -> None:
    if draft.assignments and draft.assignments[-1].until is None:
        draft.assignments[-1] = replace(draft.assignments[-1], until=told.at, why=str(said.get("why")))


def _legal(draft: _Draft, told: Told, said: Said) -> None:
    draft.legal_since = draft.legal_since or told.at


def _legal_ended(draft: _Draft, told: Told, said: Said) -> None:
    draft.legal_since = None


def _sold(draft: _Draft, told: Told, said: Said) -> None:
    _end(draft, told, State.SOLD)


def _closed(draft: _Draft, told: Told, said: Said) -> None:
    _end(draft, told, State(str(said["reason"])))


def _end(draft: _Draft, told: Told, reason: State) -> None:
    """The first end is the end; an agency has nothing to collect any more."""
    if draft.closed is None:
        draft.closed = Closed(reason, told.at)
        _recalled(draft, told, {"why": "case_closed"})


def _reopened(draft: _Draft, told: Told, said: Said) -> None:
    draft.closed = None


_OF_CASES: dict[str, Callable[[_Draft, Told, Said], None]] = {
    "complaint_opened": _complaint_opened, "complaint_extended": _complaint_extended,
    "complaint_closed": _complaint_closed, "vulnerable": _vulnerable,
    "vulnerability_reviewed": _vulnerability_reviewed, "represented": _represented,
    "representation_ended": _representation_ended, "wrong_person": _wrong_person, "insolvent": _insolvent,
    "insolvency_ended": _insolvency_ended, "assigned": _assigned, "recalled": _recalled, "legal": _legal,
    "legal_ended": _legal_ended, "sold": _sold, "closed": _closed, "reopened": _reopened,
}  # fmt: skip
_ONLY_OWN = {CASE + kind for kind in ("assigned", "recalled", "legal", "legal_ended", "sold", "closed", "reopened")}


def _day(text: object) -> date | None:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        return None
