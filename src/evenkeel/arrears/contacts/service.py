"""Contacts of one lender on record: asked before they are made, told of afterwards.

Asking and booking is one transaction under the borrower's lock: whoever asks at the same moment sees the contact that
was cleared before. Once for each key; what was told of a contact is told once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from evenkeel.accounts.store import one_at_a_time
from evenkeel.arrears.contacts.model import Answer, Cleared, Contact, Ended, Load, Row, Spoken
from evenkeel.arrears.contacts.standing import ASKED, ENDED, KINDS, Standing, Told, standing_of
from evenkeel.arrears.law import ANSWERS, RuleBook, check
from evenkeel.arrears.rows import table_of
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal

_AHEAD = timedelta(days=62)  # so far ahead a contact may be asked for
_WEEK = timedelta(days=7)
_TRIES = 10  # instants that are looked at for a lawful one
_LIST = ", ".join(f"'{kind}'" for kind in KINDS)
# In the words of the index `journal_contact`.
_FACTS = sa.text(f"""
SELECT event_id, kind, account_id, effective_at, payload - 'reply' AS payload, reversal_of FROM journal
WHERE borrower_id = :borrower_id AND kind IN ({_LIST}) ORDER BY seq
""")  # noqa: S608 - constants
_OWN = sa.text("""
SELECT account_id FROM journal
WHERE borrower_id = :borrower_id AND kind = 'account.opened'
    AND coalesce(nullif(payload ->> 'lender_id', ''), '-') = :lender_id
""")
_ONE = sa.text("SELECT borrower_id, kind, account_id, effective_at, payload FROM journal WHERE event_id = :contact_id")


@dataclass(frozen=True, slots=True)
class Contacts:
    """The contacts of one lender, and of those who collect for it. jurisdiction: where the debtors live."""

    journal: Journal
    lender_id: str
    rules: RuleBook
    jurisdiction: str
    language: str = "en"

    def ask(self, contact: Contact, key: str) -> Cleared:
        """May this contact be made? What may be counts from now on, until it is told that it was not made.

        Raises NotFound where the borrower or the account is not this lender's, InvalidInput where it lies too far
        ahead or is said to be made and lies ahead, Conflict where the key came with another question before.
        """
        now = self.journal.clock()
        at = contact.at or now
        if at > now + _AHEAD or (contact.made and at > now):
            raise InvalidInput(
                f"The contact lies ahead, at {at.isoformat()}.", f"At most {_AHEAD.days} days, if not made."
            )
        name = content_id("contact", self.lender_id, key)
        with transaction(self.journal.engine) as connection:
            one_at_a_time(connection, [contact.borrower_id])
            if (before := connection.execute(_ONE, {"contact_id": name}).mappings().first()) is not None:
                return self._again(before, contact)
            self._own(connection, contact)
            (cleared,) = self._judged([(contact, at, name, self._standing(connection, contact.borrower_id))])
            payload = {
                "lender_id": self.lender_id, "contact": msgspec.to_builtins(contact), "made": contact.made,
                "answer": cleared.answer, "reply": msgspec.to_builtins(cleared),
            }  # fmt: skip
            fact = Fact(name, ASKED, at, payload, contact.borrower_id, contact.account_id)
            self.journal.append_in(connection, [fact])
        return cleared

    def tell(self, contact_id: str, ended: Ended) -> Cleared:
        """What became of a contact; the same again changes nothing.

        Raises NotFound where it is not this lender's, Conflict where it was refused, or something else was told before.
        """
        with transaction(self.journal.engine) as connection:
            asked = self._found(connection, contact_id)
            one_at_a_time(connection, [asked["borrower_id"]])
            cleared = msgspec.convert(asked["payload"]["reply"], Cleared)
            if not cleared.may and not asked["payload"]["made"]:
                raise Conflict(
                    f"The contact {contact_id} was not allowed: {cleared.answer}.",
                    "If it was made all the same, record it as a contact with `made`.",
                )
            said = {"contact_id": contact_id, **msgspec.to_builtins(ended)}
            before = self._standing(connection, asked["borrower_id"]).ended.get(contact_id)
            if before is None:
                at = max(self.journal.clock(), asked["effective_at"])
                name = content_id("contact ended", contact_id)
                fact = Fact(
                    name, ENDED, at, said | {"lender_id": self.lender_id}, asked["borrower_id"], asked["account_id"]
                )
                self.journal.append_in(connection, [fact])
            elif {name: before.get(name) for name in said} != said:
                raise Conflict(
                    f"Something else was told of the contact {contact_id} before.", "It stands as it was told."
                )
        return msgspec.structs.replace(cleared, ended=ended)

    def one(self, contact_id: str) -> Cleared:
        """A contact as it was answered, and what became of it. Raises NotFound."""
        with transaction(self.journal.engine) as connection:
            asked = self._found(connection, contact_id)
            said = self._standing(connection, asked["borrower_id"]).ended.get(contact_id)
        cleared = msgspec.convert(asked["payload"]["reply"], Cleared)
        known = {name: said[name] for name in Ended.__struct_fields__ if name in said} if said else None
        return msgspec.structs.replace(cleared, ended=msgspec.convert(known, Ended) if known else None)

    def look(self, connection: Connection, asked: Sequence[Contact], at: datetime) -> list[Cleared]:
        """What `ask` would answer to each by itself at an instant, and nothing booked: for a worklist, and never in
        place of asking."""
        standings = {one.borrower_id: self._standing(connection, one.borrower_id) for one in asked}
        return self._judged([(contact, at, "", standings[contact.borrower_id]) for contact in asked])

    def _again(self, before: RowMapping, contact: Contact) -> Cleared:
        """The first answer to the same question."""
        if before["payload"].get("contact") != msgspec.to_builtins(contact):
            raise Conflict("The key came with another question before.", "Use a key of its own for each contact.")
        return msgspec.convert(before["payload"]["reply"], Cleared)

    def _found(self, connection: Connection, contact_id: str) -> RowMapping:
        row = connection.execute(_ONE, {"contact_id": contact_id}).mappings().first()
        if row is None or row["kind"] != ASKED or row["payload"]["lender_id"] != self.lender_id:
            raise NotFound(f"There is no contact {contact_id}.", "Use the id in the answer to the question.")
        return row

    def _own(self, connection: Connection, contact: Contact) -> None:
        given = {"borrower_id": contact.borrower_id, "lender_id": self.lender_id}
        accounts = {row.account_id for row in connection.execute(_OWN, given)}
        if not accounts:
            raise NotFound(f"There is no borrower {contact.borrower_id}.", "Open an account of theirs first.")
        if contact.account_id is not None and contact.account_id not in accounts:
            raise NotFound(f"There is no account {contact.account_id}.", "Name one that this borrower has with you.")

    def _standing(self, connection: Connection, borrower_id: str) -> Standing:
        rows = connection.execute(_FACTS, {"borrower_id": borrower_id})
        return standing_of(
            Told(row.event_id, row.kind, row.account_id, row.effective_at, row.payload, row.reversal_of) for row in rows
        )

    def _judged(self, asked: Sequence[tuple[Contact, datetime, str, Standing]]) -> list[Cleared]:
        """Each contact, its instant, its id and what the record says of its borrower: each judged by itself."""
        rows = [self._rows(*one) for one in asked]
        spoken = self._spoken(rows)
        lawful = self._lawful_from(rows, spoken)
        return [
            Cleared(
                contact_id=name, at=at, may=_strictest(told) in ("allow", "warn"), answer=_strictest(told),
                lawful_from=first, rules=told, load=_load(standing, self.lender_id, at),
                rules_version=self.rules.version,
            )
            for (_, at, name, standing), told, first in zip(asked, spoken, lawful, strict=True)
        ]  # fmt: skip

    def _rows(self, contact: Contact, at: datetime, name: str, standing: Standing) -> tuple[list[Row], Row]:
        """The earlier contacts of a borrower, and the one that is asked for."""
        own: Row = {
            "contact_id": name, "action": contact.channel, "at": at, "account_id": contact.account_id,
            "borrower_id": contact.borrower_id, "lender_id": self.lender_id, "direction": contact.direction,
            "target": contact.target, "contact_point_token": contact.contact_point_token,
        }  # fmt: skip
        about = {"actor_type": contact.actor_type, "product": contact.product, "timezone": contact.timezone}
        shared = about | {"borrower_id": contact.borrower_id}
        row = contact.facts | own | about | standing.holds(self.lender_id, contact.account_id, at)
        row |= standing.bars(
            self.lender_id, at, account_id=contact.account_id, channel=contact.channel,
            point=contact.contact_point_token, actor=(contact.actor_id, contact.actor_type),
            through=contact.facts.get("through_representative") is True,
        )  # fmt: skip
        return [shared | one for one in standing.contacts], row

    def _spoken(self, asked: Sequence[tuple[Sequence[Row], Row]]) -> list[list[Spoken]]:
        """The rules that speak of each row after others, or would then speak of one that was cleared for later."""
        with_it = self._said_apart([[*rows, row] for rows, row in asked])
        later = [[place for place, one in enumerate(rows) if one["at"] > row["at"]] for rows, row in asked]
        behind = [number for number, places in enumerate(later) if places]
        without = dict(zip(behind, self._said_apart([asked[number][0] for number in behind]), strict=True))
        found = []
        for number, told in enumerate(with_it):
            known = {place: {one.id for one in without[number][place]} for place in later[number]}
            found.append(told[-1] + [one for place, ids in known.items() for one in told[place] if one.id not in ids])
        return found

    def _lawful_from(
        self, asked: Sequence[tuple[Sequence[Row], Row]], spoken: Sequence[list[Spoken]]
    ) -> list[datetime | None]:
        """The first instant at which no rule blocks, for each that is blocked now; None where none is known."""
        found: list[datetime | None] = [None] * len(asked)
        waiting = {number: (asked[number], told) for number, told in enumerate(spoken)}
        for _ in range(_TRIES):
            moved: dict[int, tuple[Sequence[Row], Row]] = {}
            for number, ((rows, row), told) in waiting.items():
                ends = [one.until for one in told if one.effect == "block"]
                if ends and all(ends):
                    moved[number] = (rows, row | {"at": max(end for end in ends if end)})
            again = self._spoken(list(moved.values()))
            waiting = {}
            for (number, one), told in zip(moved.items(), again, strict=True):
                if _strictest(told) == "block":
                    waiting[number] = (one, told)
                else:
                    found[number] = one[1]["at"]
        return found

    def _said_apart(self, groups: Sequence[Sequence[Row]]) -> list[list[list[Spoken]]]:
        """What the rules say of groups of rows, none of which counts for another."""
        if not groups:
            return []
        alone = len(groups) == 1
        said = iter(
            self._said([row if alone else _apart(row, n) for n, rows in enumerate(groups) for row in rows])
        )  # fmt: skip
        return [[next(said) for _ in rows] for rows in groups]

    def _said(self, rows: Sequence[Row]) -> list[list[Spoken]]:
        answers = check(table_of(rows), self.rules, self.jurisdiction, self.language)
        return msgspec.convert(answers["rules"].to_pylist(), list[list[Spoken]])


def _apart(row: Row, number: int) -> Row:
    """A row whose debtor, debt and number are those of one group alone."""
    named = ("borrower_id", "account_id", "contact_point_token")
    return row | {name: f"{row[name]}\x1f{number}" for name in named if row.get(name) is not None}


def _strictest(spoken: Sequence[Spoken]) -> Answer:
    return max((one.effect for one in spoken), key=ANSWERS.index, default="allow")


def _load(standing: Standing, lender_id: str, at: datetime) -> Load:
    """Contacts that went out in the seven days up to an instant, and this one."""
    recent = [
        row["lender_id"] for row in standing.contacts if row["direction"] == "out" and at - _WEEK < row["at"] <= at
    ]
    return Load(recent.count(lender_id) + 1, len(recent) + 1)
