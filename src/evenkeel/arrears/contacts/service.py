"""Contacts of one lender on record: asked before they are made, told of afterwards.

Asking and booking is one transaction under the borrower's lock: whoever asks at the same moment sees the contact that
was cleared before. Once for each key; what was told of a contact is told once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pyarrow as pa
import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from evenkeel.accounts.store import one_at_a_time
from evenkeel.arrears.contacts.bulk import RECORD, Gate
from evenkeel.arrears.contacts.model import Cleared, Contact, Ended, Load, Row, Spoken
from evenkeel.arrears.contacts.standing import ASKED, ENDED, KINDS, SAID, Standing, Told, standing_of
from evenkeel.arrears.law import RuleBook
from evenkeel.arrears.rows import VOICE, table_of
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal

_AHEAD = timedelta(days=62)  # so far ahead a contact may be asked for
_WEEK = timedelta(days=7)
_MANY = 2_000  # borrowers that are read at a time
_READ = frozenset(KINDS)
_LIST = ", ".join(f"'{kind}'" for kind in KINDS)
# In the words of the index `journal_contact`.
_FACTS = f"""
SELECT seq, event_id, kind, borrower_id, account_id, effective_at, payload - 'reply' AS payload, reversal_of
FROM journal WHERE kind IN ({_LIST}) AND borrower_id = """  # noqa: S608 - constants
_STANDING = sa.text(f"{_FACTS} ANY(:borrowers) ORDER BY seq")
# All that a question needs, at one go: what was answered to its key before, the lender's accounts, and what happened.
_ASKED = sa.text(f"""
SELECT 'before' AS what, seq, event_id, kind, borrower_id, account_id, effective_at, payload, reversal_of FROM journal
WHERE event_id = :contact_id
UNION ALL
SELECT 'account', seq, event_id, kind, borrower_id, account_id, effective_at, NULL, NULL FROM journal
WHERE borrower_id = :borrower_id AND kind = 'account.opened'
    AND coalesce(nullif(payload ->> 'lender_id', ''), '-') = :lender_id
UNION ALL
SELECT 'fact', facts.* FROM ({_FACTS} :borrower_id) AS facts
ORDER BY seq
""")  # noqa: S608 - constants
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

        One that is still to be made and lies in the past is judged as of now.

        Raises NotFound where the borrower or the account is not this lender's, InvalidInput where it lies too far
        ahead or is said to be made and lies ahead, Conflict where the key came with another question before.
        """
        now = self.journal.clock()
        at = contact.at or now
        if not contact.made:
            at = max(at, now)  # what is still to be made is not made in the past, whatever was lawful then
        if at > now + _AHEAD or (contact.made and at > now):
            raise InvalidInput(
                f"The contact lies ahead, at {at.isoformat()}.", f"At most {_AHEAD.days} days, if not made."
            )
        name = content_id("contact", self.lender_id, key)
        with transaction(self.journal.engine) as connection:
            one_at_a_time(connection, [contact.borrower_id])
            given = {"contact_id": name, "borrower_id": contact.borrower_id, "lender_id": self.lender_id}
            known = connection.execute(_ASKED, given).all()
            for row in known:
                if row.what == "before":
                    return self._again(row.payload, contact)
            _own(contact, {row.account_id for row in known if row.what == "account"})
            standing = _standing(contact.borrower_id, known)
            (cleared,) = self._judged([contact], at, {contact.borrower_id: standing}, name)
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
            before = self._told(connection, asked["borrower_id"]).ended.get(contact_id)
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
            said = self._told(connection, asked["borrower_id"]).ended.get(contact_id)
        cleared = msgspec.convert(asked["payload"]["reply"], Cleared)
        known = {name: said[name] for name in Ended.__struct_fields__ if name in said} if said else None
        return msgspec.structs.replace(cleared, ended=msgspec.convert(known, Ended) if known else None)

    def look(self, connection: Connection, asked: Sequence[Contact], at: datetime) -> list[Cleared]:
        """What `ask` would answer to each by itself at an instant, and nothing booked: for a worklist, and never in
        place of asking."""
        return self._judged(asked, at, _standings(connection, {one.borrower_id for one in asked}), "")

    def known(self, borrowers: Set[str]) -> tuple[pa.Table, pa.Table]:
        """What is on record of borrowers, for whoever plans a day: their contacts (`bulk.RECORD`, with contact_id), and
        what was said (`standing.SAID`)."""
        contacts: list[Row] = []
        said: list[Row] = []
        names = sorted(borrowers)
        for begin in range(0, len(names), _MANY):
            with transaction(self.journal.engine) as connection:
                for one in _standings(connection, set(names[begin : begin + _MANY])).values():
                    contacts += one.contacts
                    said += one.said
        schema = RECORD.append(pa.field("contact_id", pa.string()))
        return pa.Table.from_pylist(contacts, schema), pa.Table.from_pylist(said, SAID)

    def _again(self, before: Mapping[str, Any], contact: Contact) -> Cleared:
        """The first answer to the same question."""
        if before.get("contact") != msgspec.to_builtins(contact):
            raise Conflict("The key came with another question before.", "Use a key of its own for each contact.")
        return msgspec.convert(before["reply"], Cleared)

    def _found(self, connection: Connection, contact_id: str) -> RowMapping:
        row = connection.execute(_ONE, {"contact_id": contact_id}).mappings().first()
        if row is None or row["kind"] != ASKED or row["payload"]["lender_id"] != self.lender_id:
            raise NotFound(f"There is no contact {contact_id}.", "Use the id in the answer to the question.")
        return row

    def _told(self, connection: Connection, borrower_id: str) -> Standing:
        return _standings(connection, {borrower_id})[borrower_id]

    def _judged(
        self, asked: Sequence[Contact], at: datetime, standings: Mapping[str, Standing], name: str
    ) -> list[Cleared]:
        """Each contact by itself, with what the record says of its borrower. name: of the answers."""
        if not asked:
            return []
        looked_at = [
            row for one in standings.values() for row in one.contacts if row["action"] in VOICE or row["promised_on"]
        ]
        said = pa.Table.from_pylist([row for one in standings.values() for row in one.said], SAID)
        gate = Gate(self.rules, self.jurisdiction, pa.Table.from_pylist(looked_at, RECORD), said, self.language)
        return [
            Cleared(
                contact_id=name, at=at, may=found["may"], answer=found["answer"], lawful_from=found["lawful_from"],
                rules=msgspec.convert(found["rules"], list[Spoken]),
                load=_load(standings[one.borrower_id], self.lender_id, at), rules_version=self.rules.version,
            )
            for one, found in zip(
                asked, gate.each(table_of([self._row(one, at) for one in asked])).to_pylist(), strict=True
            )
        ]  # fmt: skip

    def _row(self, contact: Contact, at: datetime) -> Row:
        """A contact as a row of what is asked."""
        return contact.facts | {
            "action": contact.channel, "at": at, "account_id": contact.account_id, "borrower_id": contact.borrower_id,
            "lender_id": self.lender_id, "direction": contact.direction, "target": contact.target,
            "contact_point_token": contact.contact_point_token, "actor_id": contact.actor_id,
            "actor_type": contact.actor_type, "product": contact.product, "timezone": contact.timezone,
        }  # fmt: skip


def _own(contact: Contact, accounts: Set[str]) -> None:
    """Raises NotFound unless the lender has such an account of the borrower's."""
    if not accounts:
        raise NotFound(f"There is no borrower {contact.borrower_id}.", "Open an account of theirs first.")
    if contact.account_id is not None and contact.account_id not in accounts:
        raise NotFound(f"There is no account {contact.account_id}.", "Name one that this borrower has with you.")


def _standings(connection: Connection, borrowers: Set[str]) -> dict[str, Standing]:
    """The standing of each borrower."""
    known: dict[str, list[sa.Row[Any]]] = {who: [] for who in sorted(borrowers)}
    for row in connection.execute(_STANDING, {"borrowers": [*known]}):
        known[row.borrower_id].append(row)
    return {who: _standing(who, rows) for who, rows in known.items()}


def _standing(borrower_id: str, rows: Sequence[sa.Row[Any]]) -> Standing:
    told = (
        Told(row.event_id, row.kind, row.account_id, row.effective_at, row.payload, row.reversal_of)
        for row in rows
        if row.kind in _READ and row.payload is not None
    )
    return standing_of(borrower_id, told)


def _load(standing: Standing, lender_id: str, at: datetime) -> Load:
    """Contacts that went out in the seven days up to an instant, and this one."""
    recent = [
        row["lender_id"] for row in standing.contacts if row["direction"] == "out" and at - _WEEK < row["at"] <= at
    ]
    return Load(recent.count(lender_id) + 1, len(recent) + 1)
