"""Conversations on record: a text comes in, what it makes true is booked, and the reply is given.

    text -> the contact on record -> borrower's lock -> memory of the conversation -> dialogue -> facts and memory, at
    once

Turns are once for each key: the same text again gives the first reply, and books nothing. What a borrower wrote is not
kept, only its digest; the memory holds a state, counts, a day and an amount.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from evenkeel.accounts.store import one_at_a_time
from evenkeel.arrears.contacts.model import Contact
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.arrears.contacts.standing import CASE
from evenkeel.arrears.conversation.dialogue import answer, as_record, of_record, open_talk
from evenkeel.arrears.conversation.model import Noted, Offer, Reply, Situation, Talk
from evenkeel.arrears.conversation.understanding import Understood
from evenkeel.arrears.law import RuleBook, check
from evenkeel.arrears.rows import table_of
from evenkeel.kernel.errors import Conflict, NotPermitted
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact

Understand = Callable[[str, date, str | None], Understood]
TURN = "conversation.turn"
_EVENTS = ("promise", "dispute_opened", "hardship", "stop_contact")  # kinds of the contract; the others are our own
_LAST = sa.text("""
SELECT payload FROM journal
WHERE borrower_id = :borrower_id AND kind = 'conversation.turn' AND payload ->> 'conversation_id' = :conversation_id
ORDER BY seq DESC LIMIT 1
""")
_ONE = sa.text("SELECT payload FROM journal WHERE event_id = :event_id")
# What the law is asked of an offer; an offer without one is not spoken of by any rule on record.
_ACTIONS = {"plan": "plan"}


@dataclass(frozen=True, slots=True)
class Message:
    """A text of a borrower. key: of the message, given by the channel; the same message comes with the same key.

    account_id: the debt that the conversation is about, where it is about one.
    """

    conversation_id: str
    borrower_id: str
    key: str
    text: str
    channel: Literal["app", "sms", "email"] = "app"
    account_id: str | None = None
    contact_point_token: str | None = None

    @property
    def name(self) -> str:
        """Of the message, among all of the lender."""
        return content_id("message", self.borrower_id, self.conversation_id, self.key)


@dataclass(frozen=True, slots=True)
class Conversations:
    """The conversations of one lender. understand: local, or with an outside model. contacts: its lender and rules."""

    contacts: Contacts
    understand: Understand

    def begin(self, message: Message, situation: Situation, language: str) -> Reply:
        """The lender speaks first. message: its text is not looked at.

        Raises NotPermitted, with rule and first lawful instant, where the contact may not be made.
        """
        wanted = Contact(
            borrower_id=message.borrower_id, channel=message.channel, account_id=message.account_id, target="debtor",
            contact_point_token=message.contact_point_token,
        )  # fmt: skip
        cleared = self.contacts.ask(wanted, message.name)
        if not cleared.may:
            rules = ", ".join(one.id for one in cleared.rules)
            when = f" Lawful from {cleared.lawful_from.isoformat()}." if cleared.lawful_from else ""
            raise NotPermitted(f"The conversation may not be begun: {rules}.{when}", "Wait for the borrower to write.")
        return self._turn(message, lambda talk: open_talk(situation, language))

    def take(self, message: Message, situation: Situation) -> Reply:
        """A text that came in: what it makes true is on record when this returns. Raises as `Contacts.ask`."""
        came = Contact(
            borrower_id=message.borrower_id, channel=message.channel, account_id=message.account_id, direction="in",
            contact_point_token=message.contact_point_token, made=True,
        )  # fmt: skip
        self.contacts.ask(came, message.name)
        now = self.contacts.journal.clock()
        offers = lawful_offers(situation.offers, self.contacts.rules, self.contacts.jurisdiction, now)
        lawful = replace(situation, offers=offers)
        understood = self.understand(message.text, situation.today, situation.currency)
        return self._turn(message, lambda talk: answer(talk, message.text, lawful, understood))

    def _turn(self, message: Message, act: Callable[[Talk], Reply]) -> Reply:
        lender = self.contacts.lender_id
        name = content_id("conversation turn", lender, message.name)
        digest = hashlib.sha256(message.text.encode("utf-8", "surrogatepass")).hexdigest()
        with transaction(self.contacts.journal.engine) as connection:
            one_at_a_time(connection, [message.borrower_id])
            before = connection.execute(_ONE, {"event_id": name}).mappings().first()
            if before is not None:
                return _again(before, digest)
            reply = act(self._memory(connection, message))
            self._book(connection, message, name, digest, reply)
        return reply

    def _memory(self, connection: Connection, message: Message) -> Talk:
        given = {"borrower_id": message.borrower_id, "conversation_id": message.conversation_id}
        last = connection.execute(_LAST, given).mappings().first()
        return Talk() if last is None else of_record(last["payload"]["talk"])

    def _book(self, connection: Connection, message: Message, name: str, digest: str, reply: Reply) -> None:
        at = self.contacts.journal.clock()
        payload = {
            "lender_id": self.contacts.lender_id, "conversation_id": message.conversation_id, "text_sha256": digest,
            "talk": as_record(reply.talk), "reply": reply.text, "keys": list(reply.keys),
            "facts": [{"kind": one.kind, "fields": dict(one.fields)} for one in reply.facts],
        }  # fmt: skip
        facts = [Fact(name, TURN, at, payload, message.borrower_id, message.account_id)]
        facts += [self._fact(one, message, name, place, at) for place, one in enumerate(reply.facts)]
        self.contacts.journal.append_in(connection, facts)

    def _fact(self, noted: Noted, message: Message, turn: str, place: int, at: datetime) -> Fact:
        if noted.kind == "wrong_person":
            return self._wrong_person(message, turn, place, at)
        fields = dict(noted.fields) | {"conversation_id": message.conversation_id}
        payload: dict[str, Any] = {"lender_id": self.contacts.lender_id}
        if (amount := fields.pop("amount_minor", None)) is not None:
            payload["amount_minor"] = amount
        payload["fields"] = fields
        return Fact(
            content_id("conversation fact", turn, str(place)), kind_of(noted.kind), at, payload, message.borrower_id,
            message.account_id,
        )  # fmt: skip

    def _wrong_person(self, message: Message, turn: str, place: int, at: datetime) -> Fact:
        """The same fact as where a collector is told: the point is never used again, until that is taken back."""
        payload = {
            "lender_id": self.contacts.lender_id, "contact_point_token": message.contact_point_token,
            "channel": message.channel, "conversation_id": message.conversation_id,
        }  # fmt: skip
        name = content_id("conversation fact", turn, str(place))
        return Fact(name, kind_of("wrong_person"), at, payload, message.borrower_id, message.account_id)


def kind_of(kind: str) -> str:
    """The kind in the journal: an event of the contract, a fact of cases, or one of the conversation's own."""
    if kind == "wrong_person":
        return CASE + kind
    return f"event.{kind}" if kind in _EVENTS else f"conversation.{kind}"


def _again(before: RowMapping, digest: str) -> Reply:
    """The first reply to the same text. Raises Conflict where the key came with another."""
    payload: Mapping[str, Any] = before["payload"]
    if payload["text_sha256"] != digest:
        raise Conflict("The key came with another text before.", "Use a key of its own for each message.")
    facts = tuple(Noted(one["kind"], one["fields"]) for one in payload["facts"])
    return Reply(payload["reply"], facts, of_record(payload["talk"]), tuple(payload["keys"]))


def lawful_offers(offers: Sequence[Offer], rules: RuleBook, jurisdiction: str, at: datetime) -> tuple[Offer, ...]:
    """The offers of which no rule says that they may not be made, or need something that is not known."""
    asked = [one for one in offers if one.kind in _ACTIONS]
    if not asked:
        return tuple(offers)
    rows = [
        {**(one.facts or {}), "action": _ACTIONS[one.kind], "at": at, "term_months": one.months}
        for one in asked
    ]  # fmt: skip
    answers = check(table_of(rows), rules, jurisdiction)["answer"].to_pylist()
    refused = {one.offer_id for one, said in zip(asked, answers, strict=True) if said not in ("allow", "warn")}
    return tuple(one for one in offers if one.offer_id not in refused)
