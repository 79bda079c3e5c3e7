"""The words of a conversation: what may be offered, the situation, the state, the reply and the facts in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any, Literal

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import currency_exponent

OfferKind = Literal["plan", "due_day", "part_payment", "interest_pause"]
Jurisdiction = Literal["CN", "US", "UK", "EU"]
FactKind = Literal[
    "promise", "dispute_opened", "hardship", "stop_contact", "wrong_person", "offer_accepted", "handed_over"
]
_MOST_OFFERS = 9


class State(StrEnum):
    """Where a conversation stands."""

    NEW = "new"  # nothing said yet, not even that this is a machine
    LISTENING = "listening"
    ASKING = "asking"  # asked for the day or the amount of a promise
    CONFIRMING = "confirming"  # read a promise back
    CHOOSING = "choosing"  # showed offers
    AGREEING = "agreeing"  # read an offer back
    HANDED_OVER = "handed_over"  # a person answers from here on
    CLOSED = "closed"  # stopped, or the wrong person: nothing more is sent


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that this borrower may be offered, computed and allowed by whoever calls: never by the conversation.

    plan: `months` payments of `amount_minor`, the first on `on`. due_day: `on` is the new day of what is due.
    part_payment: `amount_minor` by `on`, the rest later. interest_pause: no interest for `months`, from `on`.
    facts: what the law asks to know of it (`evenkeel law explain`).
    """

    offer_id: str
    kind: OfferKind
    on: date
    amount_minor: int | None = None
    months: int | None = None
    facts: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        needed = {"plan": (True, True), "due_day": (False, False), "part_payment": (True, False),
                  "interest_pause": (False, True)}  # fmt: skip
        if self.kind not in needed:
            raise InvalidInput(f"offer {self.offer_id}: {self.kind} is no kind.", f"Use one of {', '.join(needed)}.")
        amount, months = needed[self.kind]
        if amount != (self.amount_minor is not None) or months != (self.months is not None):
            raise InvalidInput(f"offer {self.offer_id}: a {self.kind} has other fields.", "See `Offer`.")
        if (amount and not _whole(self.amount_minor)) or (months and not _whole(self.months)):
            raise InvalidInput(f"offer {self.offer_id}: amounts and months are whole numbers of 1 or more.")


def _whole(value: object) -> bool:
    return type(value) is int and value >= 1


@dataclass(frozen=True, slots=True)
class Situation:
    """What a conversation goes by. today: where the borrower is. due_minor: what is due; null where not known.

    identified: it is known that the borrower writes; without it, nothing of a debt is said and nothing offered.
    promise_days: so far ahead a promise may lie. offers: see `Offer`; at most nine.
    """

    lender: str
    currency: str
    today: date
    identified: bool
    jurisdiction: Jurisdiction
    due_minor: int | None = None
    offers: tuple[Offer, ...] = ()
    promise_days: int = 31

    def __post_init__(self) -> None:
        currency_exponent(self.currency)
        if len(self.offers) > _MOST_OFFERS or len({one.offer_id for one in self.offers}) < len(self.offers):
            raise InvalidInput(f"A conversation has at most {_MOST_OFFERS} offers, each with an id of its own.")
        if self.due_minor is not None and not (type(self.due_minor) is int and self.due_minor >= 0):
            raise InvalidInput("`due_minor` is a whole number of 0 or more, or null where not known.")


@dataclass(frozen=True, slots=True)
class Talk:
    """The memory of a conversation: small, without a word of what was written. Counts are since the start, but
    `unclear`, which is in a row. on, minor: of a promise that is being asked for."""

    state: State = State.NEW
    language: str = "en"
    unclear: int = 0
    abused: int = 0
    refused: int = 0
    on: date | None = None
    minor: int | None = None
    offer_id: str | None = None


@dataclass(frozen=True, slots=True)
class Noted:
    """A fact that a conversation adds to the record."""

    kind: FactKind
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What is sent ("" = nothing), what is recorded, the memory after it, and which sentences it is made of."""

    text: str
    facts: tuple[Noted, ...]
    talk: Talk
    keys: tuple[str, ...]
