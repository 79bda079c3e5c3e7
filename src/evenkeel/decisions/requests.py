"""What may be asked, and what is answered: the shapes of the hot path, decoded and checked by msgspec."""

from __future__ import annotations

import hashlib
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from evenkeel.decisions.cost import ByInstalments, ByMinimum
from evenkeel.kernel.errors import InvalidInput

Id = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x20\x7f](?:[^\x00-\x1f\x7f]*[^\x00-\x20\x7f])?$(?!\n)")
]
Word = Annotated[str, Meta(min_length=1, max_length=64, pattern=r"^[a-z0-9_]+$(?!\n)")]
Amount = Annotated[int, Meta(ge=1, le=10**12)]
Instant = Annotated[datetime, Meta(tz=True)]
Fact = float | bool | Annotated[str, Meta(max_length=200)] | None

# A keyed hash of the vault, never a name or number itself (identity.verification.token_of).
Token = Annotated[
    str, Meta(min_length=8, max_length=128, pattern=r"^(?![A-Za-z]?[0-9]{0,20}[A-Za-z]?$)[A-Za-z0-9_.:-]{8,128}$(?!\n)")
]

_MOST_FACTS = 64
Facts = Annotated[dict[Word, Fact], Meta(max_length=_MOST_FACTS)]


class _Request(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type"):
    """What every request says. key: the sender's own, the same for every attempt at the same request; one key has one
    answer. effective_at: when it happened; left out, the moment of its arrival."""

    lender_id: Id = "-"
    key: Id = "-"
    borrower_id: Id
    effective_at: Instant | None = None


class Purchase(_Request, tag="purchase"):
    """May this be bought on this line now?

    facts: what else the policy reads; never a name that evenkeel knows itself. preview: only say what would be decided
    now, and what it would cost: nothing is held or kept, the key is not used up, and the answer, which has no id, may
    be another one next time.
    """

    account_id: Id
    amount_minor: Amount
    preview: bool = False
    category: Word | None = None
    channel: Word | None = None
    device_token: Id | None = None
    facts: Facts = {}


class Application(_Request, tag="application"):
    """May this much be granted?

    What the applicant declares is held against what is on record: income a month, tokens of employer, address,
    telephone and of the contacts named, where and as what they work, dependants, and how many lines they have
    anywhere. facts: what else the policy reads; never a name that evenkeel knows itself (engine/README).
    """

    product: Word
    requested_minor: Amount
    device_token: Id | None = None
    income_declared_minor: Amount | None = None
    employer_token: Token | None = None
    address_token: Token | None = None
    phone_token: Token | None = None
    contact_tokens: Annotated[tuple[Token, ...], Meta(max_length=10)] = ()
    region: Id | None = None
    industry: Id | None = None
    occupation: Id | None = None
    dependants: Annotated[int, Meta(ge=0, le=50)] | None = None
    lines_declared: Annotated[int, Meta(ge=0, le=1000)] | None = None
    facts: Facts = {}


class Event(_Request, tag="event"):
    """Something that happened to a borrower; it is recorded and counted, and decides nothing by itself."""

    kind: Word
    account_id: Id | None = None
    amount_minor: Annotated[int, Meta(ge=0, le=10**12)] | None = None
    payload: Facts = {}


Request = Purchase | Application | Event


class Limit(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="limit"):
    """What should the limit of this line be now? It is decided as of its arrival. because: the id, in the journal, of
    the fact that led to it, where one did."""

    lender_id: Id = "-"
    key: Id = "-"
    borrower_id: Id
    account_id: Id
    because: Id | None = None


class Approved(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="type", tag="approved"):
    """A move of a limit that people approved. because: the decision that was referred to them. limit_minor: the new
    limit, with raise and lower. by: who, the last to decide last. reasons: theirs."""

    lender_id: Id = "-"
    key: Id = "-"
    borrower_id: Id
    account_id: Id
    because: Id
    outcome: Literal["raise", "lower", "freeze", "thaw"]
    limit_minor: Annotated[int, Meta(ge=0, le=10**12)] | None = None
    by: tuple[Id, ...]
    reasons: tuple[Word, ...]


class Cost(Struct, frozen=True, omit_defaults=True):
    """What a purchase does to the month, before it is confirmed: when it falls due, and what is then owed in all if
    nothing else is bought or paid. cost_minor: what it costs beyond its price if that is paid in full on that day.

    Of a preview, also: what it costs by minimum payments, or in instalments that the product offers. income_minor: the
    caller's known income of the borrower, a month, where it is known. text: all of this in a line, by language.
    """

    due_on: date
    owed_before_minor: int
    owed_after_minor: int
    cost_minor: int
    by_minimum: ByMinimum | None = None
    by_instalments: tuple[ByInstalments, ...] = ()
    income_minor: int | None = None
    text: dict[str, str] = {}


class Decision(Struct, frozen=True, omit_defaults=True):
    """The answer to a purchase, an application or a review of a limit.

    outcome: approve, approve_less, refer or decline; of a limit: raise, thaw, keep, lower, freeze or refer. reasons: at
    most four codes. amount_minor: what may be spent or is granted, 0 where nothing. deciders: the version of all that
    decided. hold_id, hold_expires_on: what keeps the amount of an approved purchase. cost: of a purchase. effective_on:
    from when on a limit is as it was decided. proposed, limit_proposed_minor: the move that a person is asked about.
    decision_id: null of a preview, which is not on record.
    """

    decision_id: str | None
    outcome: str
    reasons: tuple[str, ...]
    amount_minor: int
    deciders: str
    limit_before_minor: int | None = None
    limit_after_minor: int | None = None
    available_minor: int | None = None
    hold_id: str | None = None
    hold_expires_on: date | None = None
    cost: Cost | None = None
    effective_on: date | None = None
    proposed: str | None = None
    limit_proposed_minor: int | None = None


class Recorded(Struct, frozen=True):
    """The answer to an event."""

    event_id: str


encode = msgspec.json.Encoder(decimal_format="string").encode
_purchase, _application, _event = (msgspec.json.Decoder(kind, strict=True) for kind in (Purchase, Application, Event))
_any: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request, strict=True)
DECODERS = {"purchase": _purchase.decode, "application": _application.decode, "event": _event.decode}


def read_request(body: bytes | str, kind: str | None = None) -> Request:
    """A request from JSON. kind: of which one; None where the field `type` says so.

    Raises InvalidInput that names the field and what is allowed.
    """
    try:
        request: Request = _any.decode(body) if kind is None else DECODERS[kind](body)  # type: ignore[assignment]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The request cannot be read: {error}.", "See /v1/openapi.json for its fields.") from None
    return request


_line: msgspec.json.Decoder[Request | Limit] = msgspec.json.Decoder(Request | Limit, strict=True)


def read_line(body: bytes | str) -> Request | Limit:
    """Any request of a file, from JSON; its field `type` says of which kind. Raises InvalidInput as `read_request`."""
    try:
        return _line.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The request cannot be read: {error}.", "See /v1/openapi.json for its fields.") from None


def read_limit(body: bytes) -> Limit | Approved:
    """A review of a limit as it is on record, or a move that people approved."""
    return _limit.decode(body)


_limit: msgspec.json.Decoder[Limit | Approved] = msgspec.json.Decoder(Limit | Approved, strict=True)


def request_id(lender_id: str, key: str) -> bytes:
    """The 16 bytes by which a request, and its decision, is known: from its sender and the sender's key."""
    return hashlib.sha256(f"{lender_id}\x1f{key}".encode()).digest()[:16]
