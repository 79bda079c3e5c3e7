"""Accounts on the record: facts into the journal and out of it, and the products they were opened with."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection

from evenkeel.accounts.facts import AccountFact, FactKind, fact_record, read_fact
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.products.reading import parse_product
from evenkeel.kernel.errors import NotFound
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import POSTING_LOCK, POSTINGS_LOCK
from evenkeel.storage.journal import BY_ACCOUNT, Entry, Fact, Journal, Payload
from evenkeel.storage.tables import journal as journal_table

PREFIX = "account."  # kinds of facts of accounts in the journal
PRODUCT = "account_product"
CORRECTED = "account_corrected"  # what a late fact changed in what had been told

_MOST_TURNS = 2000  # locks that one posting takes
# Most postings take one turn: both locks in one statement, the one of all first. No turn is no lock.
_FIRST_TURN = sa.text(f"""
SELECT pg_advisory_xact_lock_shared({POSTINGS_LOCK}, 0), pg_advisory_xact_lock({POSTING_LOCK}, CAST(:turn AS integer))
""")


@dataclass(frozen=True, slots=True)
class Booked:
    """A fact of an account on record. seq: its place in the order of booking. event_id: the journal's id of it."""

    account_id: str
    borrower_id: str | None
    fact: AccountFact
    seq: int
    booked_at: datetime
    event_id: str


def at_midnight(day: date) -> datetime:
    """The instant at which a day begins, in UTC: the journal keeps instants, an account's facts have days."""
    return datetime.combine(day, datetime.min.time(), UTC)


def journal_facts(
    account_id: str, borrower_id: str | None, facts: Sequence[AccountFact], booked: Iterable[Booked] = ()
) -> list[Fact]:
    """Facts of an account as the journal books them. booked: what is on record of it, which they may reverse."""
    names = {one.fact.fact_id: one.event_id for one in booked}
    return [
        Fact(
            event_id=event_id(account_id, fact.fact_id), kind=PREFIX + fact.kind,
            effective_at=at_midnight(fact.effective_on), payload=fact_record(fact), borrower_id=borrower_id,
            account_id=account_id,
            reversal_of=None
            if fact.reversal_of is None
            else names.get(fact.reversal_of) or event_id(account_id, fact.reversal_of),
        )
        for fact in facts
    ]  # fmt: skip


def event_id(account_id: str, fact_id: str) -> str:
    """The journal's id of an account's fact: one fact id may be used in two accounts. A hold that a decision makes has
    another (`held_event_id`)."""
    return content_id("fact", account_id, fact_id)


def held_event_id(decision_id: bytes, at_us: int) -> str:
    """The journal's id of a hold that a decision makes. at_us: when it is decided.

    Ids in the order of time stand side by side in the journal's index, on a page that is at hand; among hashes each
    would be on a page of its own.
    """
    return f"hold-{at_us:013x}-{decision_id[:8].hex()}"


def booked_facts(
    journal: Journal,
    account_id: str | None = None,
    *,
    borrower_id: str | None = None,
    booked_until: datetime | None = None,
    after_seq: int = 0,
    up_to_seq: int | None = None,
) -> Iterator[Booked]:
    """Facts of one account, of one borrower or of all, in the order of booking."""
    for entry in journal.read(
        account_id=account_id, borrower_id=borrower_id, booked_until=booked_until, after_seq=after_seq,
        up_to_seq=up_to_seq,
    ):  # fmt: skip
        if entry.fact.kind.startswith(PREFIX):
            yield _booked(entry)


def facts_of_many(journal: Journal, account_ids: Sequence[str]) -> dict[str, list[Booked]]:
    """The facts of each of many accounts, in the order of booking; an account that is not on record has none."""
    found: dict[str, list[Booked]] = {name: [] for name in account_ids}
    for entry in journal.of_accounts(account_ids):
        if entry.fact.kind.startswith(PREFIX):
            booked = _booked(entry)
            found[booked.account_id].append(booked)
    return found


def _booked(entry: Entry) -> Booked:
    fact = entry.fact
    own = read_fact(fact.payload)
    return Booked(fact.account_id or "", fact.borrower_id, own, entry.seq, entry.booked_at, fact.event_id)


def facts_of(journal: Journal, account_id: str, booked_until: datetime | None = None) -> list[Booked]:
    """The facts of an account. Raises NotFound if there is none."""
    found = list(booked_facts(journal, account_id, booked_until=booked_until))
    if not found:
        when = "" if booked_until is None else f" that was known by {booked_until.isoformat()}"
        raise NotFound(f"There is no account {account_id}{when}.", "Open it with a fact of kind `opened`.")
    return found


def turn_of(name: str) -> int:
    """The second part of the lock under which facts of an account or of a borrower are booked: 32 bits, signed."""
    return zlib.crc32(name.encode()) - (1 << 31)


def one_at_a_time(connection: Connection, names: Iterable[str]) -> None:
    """Wait for postings to these accounts and borrowers that are under way, and make later ones wait, to the end of the
    transaction.

    What is read after this call, on any connection, is what the facts to come will be booked on. Locks are taken in one
    order, so that no two postings wait for each other. One of very many names holds all there are instead: the
    database keeps a bounded number of locks.
    """
    turns = sorted({turn_of(name) for name in names})
    if len(turns) > _MOST_TURNS:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(POSTINGS_LOCK, 0)))
        return
    connection.execute(_FIRST_TURN, {"turn": turns[0]} if turns else {"turn": None})
    for turn in turns[1:]:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(POSTING_LOCK, turn)))


def owners_of(connection: Connection, account_ids: Sequence[str]) -> dict[str, str]:
    """The borrower of each account that is on record."""
    columns = journal_table.c
    query = sa.select(columns.account_id, columns.borrower_id).where(
        columns.account_id == sa.any_(sa.bindparam("some", list(account_ids), ARRAY(sa.Text))),
        columns.kind == PREFIX + FactKind.OPENED,
        sa.text(BY_ACCOUNT),
    )
    return {row.account_id: row.borrower_id for row in connection.execute(query)}


def product_of(journal: Journal, facts: Sequence[Booked]) -> Product:
    """The product with which an account was opened, as it was then."""
    opened = next(booked.fact for booked in facts if booked.fact.kind is FactKind.OPENED)
    return recorded_product(journal, str(opened.details["product_digest"]))


def recorded_product(journal: Journal, digest: str) -> Product:
    """A product on record. Raises NotFound if there is none of that digest."""
    for entry in journal.read(kind=PRODUCT):
        if entry.fact.payload["digest"] == digest:
            return parse_product(str(entry.fact.payload["text"]))
    raise NotFound(f"No product with the digest {digest[:12]} is on record.")


def record_product(journal: Journal, product: Product, on: date) -> None:
    """Keep a product with the record, once: what was agreed stays readable when its file changes."""
    payload: Payload = {"digest": product.digest, "product_id": product.product_id, "text": product.text}

    def book(connection: Connection) -> Payload:
        journal.append_in(connection, [Fact(content_id("product", product.digest), PRODUCT, at_midnight(on), payload)])
        return {}

    journal.once(f"product:{product.digest}", {"digest": product.digest}, book)
