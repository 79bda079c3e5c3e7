"""The words of contacts: what is asked, what is answered, what became of it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from evenkeel.book.contract import ACTOR_TYPES
from evenkeel.decisions.requests import Id, Instant, Token, Word

Fact = bool | int | float | Annotated[str, Meta(max_length=200)]
Answer = Literal["allow", "warn", "require", "block"]


class Contact(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Somebody wants to contact a borrower, or has. at: when; without it, now.

    account_id: the debt that it is about. target: who is spoken to. contact_point_token: the vault's hash of a number
    or address. facts: what the rules ask for, by the names that `evenkeel law explain` gives. made: it has happened, as
    with a call that came in: it is recorded whatever the law says of it, and never refused.
    """

    borrower_id: Id
    channel: Literal["app", "sms", "letter", "email", "bot_call", "call", "visit"]
    at: Instant | None = None
    account_id: Id | None = None
    direction: Literal["out", "in"] = "out"
    target: Literal["debtor", "guarantor", "spouse", "other"] | None = None
    contact_point_token: Token | None = None
    actor_id: Id | None = None
    actor_type: Literal[ACTOR_TYPES] | None = None  # type: ignore[valid-type]
    product: Word | None = None
    timezone: Annotated[str, Meta(max_length=64)] | None = None
    facts: Annotated[dict[Word, Fact], Meta(max_length=40)] = {}
    made: bool = False


class Ended(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What became of a contact. made: false where it was not made after all. promised_on: the day on which the borrower
    promised to pay."""

    made: bool = True
    answered: bool | None = None
    conversation: bool | None = None
    outcome: Word | None = None
    promised_minor: Annotated[int, Meta(ge=1, le=10**12)] | None = None
    promised_on: date | None = None


class Spoken(Struct, frozen=True):
    """A rule that spoke, and until when, where that is known."""

    id: str
    effect: Answer
    citation: str
    confidence: str
    parameter: str
    value: str
    until: datetime | None


class Load(Struct, frozen=True):
    """Contacts with the borrower in the seven days up to this one, it included: by this lender, and by all on record.
    No instrument caps the load across creditors; how much is too much is a lender's own policy."""

    own: int
    all: int


class Cleared(Struct, kw_only=True, frozen=True):
    """The answer. contact_id: what is told later of the contact is told of this. may: whether it may be made now.

    lawful_from: the first instant at which every rule that blocks is silent; null where none blocks, or where a fact
    would have to change. rules_version: of the rules that were asked. allow says that no rule on record speaks against
    it; it does not say that it is lawful.
    """

    contact_id: str
    at: datetime
    may: bool
    answer: Answer
    lawful_from: datetime | None
    rules: list[Spoken]
    load: Load
    rules_version: str
    ended: Ended | None = None


Row = dict[str, Any]
