"""What is done in a case, as it is told: one type an act, the same over HTTP, on the command line and in Python."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct

from evenkeel.arrears.contacts.model import Fact
from evenkeel.decisions.requests import Amount, Id, Instant, Token, Word

Facts = Annotated[dict[Word, Fact], Meta(max_length=40)]
Channel = Literal["app", "sms", "letter", "email", "bot_call", "call", "visit"]
Answered = Literal["upheld", "partly", "rejected", "withdrawn"]
Channels = Annotated[list[Channel], Meta(max_length=7)]


class Act(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """by: the person who did it or wrote it down. at: when it happened; without it, now. It may lie in the past."""

    by: Id
    at: Instant | None = None


class Promise(Act, frozen=True, kw_only=True):
    """The borrower promises to pay. on: the last day. account_id: on this debt; without it, on any."""

    amount_minor: Amount
    on: date
    account_id: Id | None = None


class Dispute(Act, frozen=True, kw_only=True):
    """The borrower does not accept something. account_id: of this debt; without it, of all."""

    about: Literal["debt", "amount", "identity", "credit_record", "other"]
    account_id: Id | None = None


class AnswerDispute(Act, frozen=True, kw_only=True):
    """A dispute is answered. facts: what the law asks for, as `evenkeel law explain` names it."""

    dispute: Id
    outcome: Answered
    facts: Facts = {}


class Complaint(Act, frozen=True, kw_only=True):
    """Somebody complains of how they were treated. via: 12378 is the supervisor's line in China. received_on: the day
    from which its clock runs; without it, that of the act. agency_id: whom it is about."""

    via: Literal["own", "12378", "regulator", "ombudsman", "court", "media"]
    kind: Word
    received_on: date | None = None
    agency_id: Id | None = None


class ExtendComplaint(Act, frozen=True, kw_only=True):
    """The borrower was told that the answer takes longer, where the law allows it."""

    complaint: Id


class AnswerComplaint(Act, frozen=True, kw_only=True):
    """A complaint is answered."""

    complaint: Id
    outcome: Answered


class Vulnerable(Act, frozen=True, kw_only=True):
    """The borrower needs care. need: why, only with consent or to protect a life. channels: those that suit; none: no
    contact goes out. review_on: it is looked at again by then."""

    channels: Channels
    review_on: date
    need: Literal["health", "mental_health", "disability", "bereavement", "abuse", "age", "language"] | None = None
    basis: Literal["consent", "vital_interest"] | None = None
    facts: Facts = {}


class ReviewVulnerable(Act, frozen=True, kw_only=True):
    """It was looked at again: it ends, or goes on until another review."""

    vulnerability: Id
    ends: bool
    channels: Channels | None = None
    review_on: date | None = None


class Represent(Act, frozen=True, kw_only=True):
    """The borrower has authorised somebody: contact goes through them. Who it is stands in the identity vault."""

    role: Literal["lawyer", "adviser", "family", "other"]
    authorised_on: date
    representative_token: Token | None = None


class EndRepresentation(Act, frozen=True, kw_only=True):
    """The authority has ended."""

    representation: Id


class WrongPerson(Act, frozen=True, kw_only=True):
    """Somebody else answered: the number or address is never used again for this borrower."""

    contact_point_token: Token


class Hardship(Act, frozen=True, kw_only=True):
    """The borrower tells of hardship: collection rests. until: through this day; without it, 30 days."""

    cause: Word
    until: date | None = None


class Insolvent(Act, frozen=True, kw_only=True):
    """Insolvency proceedings have begun: nobody collects."""

    kind: Word
    began_on: date


class EndInsolvency(Act, frozen=True, kw_only=True):
    """The proceedings have ended."""

    insolvency: Id
    outcome: Literal["discharged", "dismissed", "plan_confirmed"]


class Assign(Act, frozen=True, kw_only=True):
    """The case goes to an outside agency. batch: several that go together. facts: what the law asks for."""

    agency_id: Id
    batch: Id = "-"
    facts: Facts = {}


class Recall(Act, frozen=True, kw_only=True):
    """The agency gives the case back; it may no longer contact the borrower."""

    why: Word


class Legal(Act, frozen=True, kw_only=True):
    """The case goes to court. limitation_ends_on: the last day on which the claim can be enforced."""

    limitation_ends_on: date
    facts: Facts = {}


class EndLegal(Act, frozen=True, kw_only=True):
    """The way through the courts has ended, or is given up."""

    why: Word


class Sell(Act, frozen=True, kw_only=True):
    """The debts are sold. facts: what the law asks for where personal data are handed over."""

    buyer_id: Id
    price_minor: Annotated[int, Meta(ge=0, le=10**13)]
    limitation_ends_on: date
    facts: Facts = {}


class Close(Act, frozen=True, kw_only=True):
    """The case ends otherwise than by being cured, which needs nobody."""

    reason: Literal["settled", "insolvency_ended", "written_off", "opened_in_error"]


class Reverse(Act, frozen=True, kw_only=True):
    """A fact of this case was wrong: it is taken out, as if it had never been. why: in a word."""

    fact_id: Id
    why: Word


AnyAct = (
    Promise | Dispute | AnswerDispute | Complaint | ExtendComplaint | AnswerComplaint | Vulnerable | ReviewVulnerable
    | Represent | EndRepresentation | WrongPerson | Hardship | Insolvent | EndInsolvency | Assign | Recall | Legal
    | EndLegal | Sell | Close | Reverse
)  # fmt: skip


def name_of(kind: Any) -> str:
    """The name of an act: AnswerDispute is answer-dispute."""
    return "".join(f"-{one.lower()}" if one.isupper() else one for one in kind.__name__).lstrip("-")


ACTS = {name_of(kind): kind for kind in get_args(AnyAct)}
