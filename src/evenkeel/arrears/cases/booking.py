"""From an act to its fact: what it must say beyond its form, what the law is told of it, what is booked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import msgspec

from evenkeel.arrears.cases import acts
from evenkeel.arrears.cases.model import Look, State
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted


@dataclass(frozen=True, slots=True)
class Saying:
    """What is booked of an act. law: the facts that the rules are told; None where they are not asked. name: of what
    the act speaks of; without it the fact is the beginning of something, and names it."""

    payload: Mapping[str, Any]
    account_id: str | None = None
    reversal_of: str | None = None
    law: Mapping[str, Any] | None = None
    name: str | None = None


# ---- What an act must say --------------------------------------------------------------------------------------------


def check_act(look: Look, act: acts.Act, day: date) -> None:
    """Raises InvalidInput, NotFound, Conflict or NotPermitted where an act does not fit the case. day: of the act."""
    account = getattr(act, "account_id", None)
    if account is not None and account not in {one.account_id for one in look.money.debts}:
        raise NotFound(f"There is no account {account} in this case.", "Name one of its debts.")
    checked = _CHECKS.get(type(act))
    if checked is not None:
        checked(look, act, day)


def _promise(look: Look, act: acts.Promise, day: date) -> None:
    if act.on < look.money.on:
        raise InvalidInput(f"The promised day {act.on} is over.", "Give today or a later day.")
    owed = sum(one.owed_minor for one in look.money.debts if act.account_id in (None, one.account_id))
    if act.amount_minor > owed:
        raise InvalidInput(f"{act.amount_minor} was promised, and {owed} is owed.", "Promise at most that.")


def _named(what: str, name: str, known: Mapping[str, bool]) -> None:
    """known: whether each of them is still open."""
    if name not in known:
        raise NotFound(f"There is no {what} {name[:64]} in this case.", "It has the id of the fact that it came with.")
    if not known[name]:
        raise Conflict(f"The {what} {name} has ended already.", "It stands as it was answered.")


def _answer_dispute(look: Look, act: acts.AnswerDispute, day: date) -> None:
    _named("dispute", act.dispute, {one.name: one.closed_at is None for one in look.case.disputes})


def _complaint(look: Look, act: acts.Complaint, day: date) -> None:
    if act.received_on is not None and act.received_on > look.money.on:
        raise InvalidInput(f"`received_on` lies ahead, on {act.received_on}.", "Give the day on which it came in.")
    known = {one.agency_id for one in look.case.assignments}
    if act.agency_id is not None and act.agency_id not in known:
        raise NotFound(f"The agency {act.agency_id} never had this case.", "Leave it out, or name one that had it.")


def _complaint_of(look: Look, act: acts.ExtendComplaint | acts.AnswerComplaint, day: date) -> None:
    _named("complaint", act.complaint, {one.name: one.closed_at is None for one in look.case.complaints})


def _vulnerable(look: Look, act: acts.Vulnerable, day: date) -> None:
    if act.review_on <= look.money.on:
        raise InvalidInput(f"`review_on` {act.review_on} is not ahead.", "Give the day of the next look.")
    if act.need is not None and act.basis is None:
        raise InvalidInput("A need is given without a basis.", "Give `basis`, or leave the need out.")


def _review_vulnerable(look: Look, act: acts.ReviewVulnerable, day: date) -> None:
    names = {one.name for one in look.case.vulnerabilities}
    _named("vulnerability", act.vulnerability, dict.fromkeys(names, True))
    if not act.ends and (act.review_on is None or act.review_on <= look.money.on):
        raise InvalidInput("It goes on, and no day of the next review lies ahead.", "Give `review_on`.")


def _represent(look: Look, act: acts.Represent, day: date) -> None:
    if act.authorised_on > look.money.on:
        raise InvalidInput(f"`authorised_on` lies ahead, on {act.authorised_on}.", "Give the day of the authority.")


def _end_representation(look: Look, act: acts.EndRepresentation, day: date) -> None:
    _named("representation", act.representation, dict.fromkeys(look.case.representations, True))


def _hardship(look: Look, act: acts.Hardship, day: date) -> None:
    if act.until is not None and act.until < day:
        raise InvalidInput(f"`until` {act.until} is over.", "Give a later day, or none.")


def _end_insolvency(look: Look, act: acts.EndInsolvency, day: date) -> None:
    _named("insolvency", act.insolvency, dict.fromkeys(look.case.insolvencies, True))


def _not_limited(look: Look, act: acts.Legal | acts.Sell, day: date) -> None:
    if act.limitation_ends_on < look.money.on:
        raise NotPermitted(
            f"The claim could be enforced until {act.limitation_ends_on}.", "A claim that is time-barred rests."
        )


def _assign(look: Look, act: acts.Assign, day: date) -> None:
    if look.case.stop_contact:
        raise NotPermitted("assign is refused: the borrower wants no contact.", "A person of your own answers.")


def _close(look: Look, act: acts.Close, day: date) -> None:
    reason, money = State(act.reason), look.money
    fits = {
        State.SETTLED: not money.overdue,
        State.OPENED_IN_ERROR: not money.overdue,
        State.WRITTEN_OFF: bool(money.overdue) and all(one.stage == "charged_off" for one in money.overdue),
        State.INSOLVENCY_ENDED: not look.case.insolvencies
        and look.case.insolvency_outcome in ("discharged", "plan_confirmed"),
    }[reason]
    if not fits:
        raise NotPermitted(
            f"The case does not end as {reason}.",
            "settled, opened_in_error: nothing is late. written_off: all that is late is charged off. insolvency_ended:"
            " the proceedings ended with a discharge or a plan.",
        )


_CHECKS: Mapping[type[acts.Act], Callable[[Look, Any, date], None]] = {
    acts.Promise: _promise, acts.AnswerDispute: _answer_dispute, acts.Complaint: _complaint,
    acts.ExtendComplaint: _complaint_of, acts.AnswerComplaint: _complaint_of, acts.Vulnerable: _vulnerable,
    acts.ReviewVulnerable: _review_vulnerable, acts.Represent: _represent,
    acts.EndRepresentation: _end_representation, acts.Hardship: _hardship, acts.EndInsolvency: _end_insolvency,
    acts.Assign: _assign, acts.Legal: _not_limited, acts.Sell: _not_limited, acts.Close: _close,
}  # fmt: skip

# ---- What is booked --------------------------------------------------------------------------------------------------


def booked_as(act: acts.Act, fact_id: str, look: Look) -> Saying:
    """The fact of an act."""
    make = _BOOKED.get(type(act))
    return Saying(_plain(act)) if make is None else make(act, fact_id, look)


def _plain(act: acts.Act, *without: str) -> dict[str, Any]:
    """The fields of an act that are known, but for who and when."""
    said = msgspec.to_builtins(act)
    return {name: value for name, value in said.items() if name not in ("by", "at", *without) and value is not None}


def _event(fields: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """As a lender sends an event: what reads events reads it, whoever booked it."""
    return {"fields": dict(fields), "request": "", **more}


def _of_promise(act: acts.Promise, fact_id: str, look: Look) -> Saying:
    fields = {"promised_on": act.on.isoformat()}
    return Saying(_event(fields, amount_minor=act.amount_minor), act.account_id)


def _of_dispute(act: acts.Dispute, fact_id: str, look: Look) -> Saying:
    return Saying(_event({"name": fact_id, "about": act.about}), act.account_id)


def _of_answer(act: acts.AnswerDispute, fact_id: str, look: Look) -> Saying:
    """Late or not, an answer is taken down; the law is asked whether what belongs to one was done. It is not told the
    day of the dispute: deadlines are the matter of clocks."""
    one = next(one for one in look.case.disputes if one.name == act.dispute)
    law = {"dispute_about": "credit_record" if one.about == "credit_record" else "debt", **act.facts}
    return Saying(_event({"name": act.dispute, "outcome": act.outcome}), one.account_id, law=law)


def _of_complaint(act: acts.Complaint, fact_id: str, look: Look) -> Saying:
    received = act.received_on or (act.at.date() if act.at else look.money.on)
    return Saying(_plain(act) | {"received_on": received.isoformat()})


def _of_complaint_answer(act: acts.ExtendComplaint | acts.AnswerComplaint, fact_id: str, look: Look) -> Saying:
    return Saying(_plain(act, "complaint"), name=act.complaint)


def _of_review(act: acts.ReviewVulnerable, fact_id: str, look: Look) -> Saying:
    return Saying(_plain(act, "vulnerability"), name=act.vulnerability)


def _of_end(act: acts.EndRepresentation, fact_id: str, look: Look) -> Saying:
    return Saying({}, name=act.representation)


def _of_insolvency_end(act: acts.EndInsolvency, fact_id: str, look: Look) -> Saying:
    return Saying(_plain(act, "insolvency"), name=act.insolvency)


def _of_vulnerable(act: acts.Vulnerable, fact_id: str, look: Look) -> Saying:
    """Why somebody needs care is sensitive: the law is asked, unless a life is at stake or the reason is not kept."""
    consent = {"separate_consent": True} if act.basis == "consent" else {}
    asked = act.need is not None and act.basis != "vital_interest"
    return Saying(_plain(act, "facts"), law={**act.facts, **consent} if asked else None)


def _of_hardship(act: acts.Hardship, fact_id: str, look: Look) -> Saying:
    fields = {"cause": act.cause} | ({"until": act.until.isoformat()} if act.until else {})
    return Saying(_event(fields))


def _of_assign(act: acts.Assign, fact_id: str, look: Look) -> Saying:
    return Saying(_plain(act), law=act.facts)


def _of_sale(act: acts.Sell, fact_id: str, look: Look) -> Saying:
    accounts = [one.account_id for one in look.money.debts if one.stage != "sold"]
    return Saying(_plain(act) | {"accounts": accounts}, law=act.facts)


def _of_reversal(act: acts.Reverse, fact_id: str, look: Look) -> Saying:
    return Saying(_event({"why": act.why}), reversal_of=act.fact_id)


_BOOKED: Mapping[type[acts.Act], Callable[[Any, str, Look], Saying]] = {
    acts.Promise: _of_promise, acts.Dispute: _of_dispute, acts.AnswerDispute: _of_answer,
    acts.Complaint: _of_complaint, acts.ExtendComplaint: _of_complaint_answer,
    acts.AnswerComplaint: _of_complaint_answer,
    acts.ReviewVulnerable: _of_review,
    acts.EndRepresentation: _of_end, acts.EndInsolvency: _of_insolvency_end,
    acts.Vulnerable: _of_vulnerable, acts.Hardship: _of_hardship,
    acts.Assign: _of_assign, acts.Legal: _of_assign, acts.Sell: _of_sale, acts.Reverse: _of_reversal,
}  # fmt: skip
