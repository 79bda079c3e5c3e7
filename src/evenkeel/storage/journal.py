"""The journal: facts enter once and stay. How they are put under its chain is in `chain`."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection, Engine, RowMapping

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Conflict, InvalidInput
from evenkeel.storage import chain
from evenkeel.storage.database import IDEMPOTENCY_LOCK, transaction
from evenkeel.storage.tables import idempotency, journal

Payload = Mapping[str, object]

_PAGE = 1000  # rows read at once
_ACCOUNTS = 500  # whose facts are read at once

# The predicate of the index by account. Holds, one for each purchase, are in the index by borrower alone.
BY_ACCOUNT = "account_id IS NOT NULL AND (kind <> 'account.hold' OR borrower_id IS NULL)"

# The facts of some accounts, in no order: those that the index by account has, and the holds of their borrowers that
# name them. An account's borrower never changes. Subqueries that stay subqueries look up by index whatever else is
# asked.
OF_ACCOUNTS = f"""
SELECT * FROM journal WHERE account_id = ANY ({{accounts}}) AND {BY_ACCOUNT}
UNION ALL
SELECT hold.* FROM (
    SELECT DISTINCT borrower_id FROM journal WHERE account_id = ANY ({{accounts}}) AND {BY_ACCOUNT}
) AS owner CROSS JOIN LATERAL (
    SELECT * FROM journal AS held
    WHERE held.borrower_id = owner.borrower_id AND held.kind = 'account.hold' AND held.account_id = ANY ({{accounts}})
    OFFSET 0
) AS hold
"""  # noqa: S608 - constants
_OF_ACCOUNTS = sa.text(OF_ACCOUNTS.format(accounts="CAST(:accounts AS text[])"))


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened. `payload` is a JSON object; `reversal_of` is the event_id of the fact it undoes."""

    event_id: str
    kind: str
    effective_at: datetime
    payload: Payload
    borrower_id: str | None = None
    account_id: str | None = None
    reversal_of: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A fact on record: its place in the order of booking, and when we knew it."""

    seq: int
    booked_at: datetime
    fact: Fact


@dataclass(frozen=True, slots=True)
class Reply:
    """What a key was answered with. `first` is False where it had been answered before."""

    value: Payload
    first: bool


@dataclass(frozen=True, slots=True)
class Journal:
    """The journal of one database. `clock` gives `booked_at`."""

    engine: Engine
    clock: Clock

    def append(self, facts: Sequence[Fact]) -> None:
        """Book facts in one transaction: all or none. Raises as `append_in` and `database.transaction`."""
        with transaction(self.engine) as connection:
            self.append_in(connection, facts)

    def append_in(self, connection: Connection, facts: Sequence[Fact]) -> None:
        """Book facts in a transaction that the caller holds (`database.transaction`), in the order given.

        Each call adds a link to the chain of the connection (one for every chain.LINK_FACTS facts of a larger call).
        Raises InvalidInput if an instant has no zone or a payload is not JSON. The transaction raises Conflict if an
        event_id is on record already or `reversal_of` names none.
        """
        booked_at = self.clock()
        rows = [_row(fact) for fact in facts]
        links = [_canonical(rows[start : start + chain.LINK_FACTS]) for start in range(0, len(rows), chain.LINK_FACTS)]
        for given in links:
            chain.append(connection, given, booked_at)

    def settled(self) -> int:
        """The highest seq at or below which nothing can still be booked; 0 before the first fact.

        Numbers are handed out before their transactions commit, so the highest on record is no safe place to stop at:
        a lower one may come later. Whoever reads `up_to_seq=settled()` and goes on from there misses nothing. It never
        waits, and makes nobody wait; a transaction left open holds it at the last number before its own first fact.
        """
        with transaction(self.engine) as connection:
            return chain.settled(connection)

    def read(
        self,
        *,
        kind: str | None = None,
        borrower_id: str | None = None,
        account_id: str | None = None,
        booked_until: datetime | None = None,
        after_seq: int = 0,
        up_to_seq: int | None = None,
    ) -> Iterator[Entry]:
        """Facts in the order of booking, those that match everything given; `booked_until`, `up_to_seq` are inclusive.

        Read page by page, so that a slow reader keeps no transaction open.
        """
        among = journal if account_id is None else _of_accounts([account_id])
        query = sa.select(among).order_by(among.c.seq).limit(_PAGE)
        for column, value in (("kind", kind), ("borrower_id", borrower_id)):
            if value is not None:
                query = query.where(among.c[column] == value)
        if booked_until is not None:
            query = query.where(among.c.booked_at <= booked_until)
        if up_to_seq is not None:
            query = query.where(among.c.seq <= up_to_seq)
        while True:
            with transaction(self.engine) as connection:
                page = connection.execute(query.where(among.c.seq > after_seq)).mappings().all()
            yield from map(_entry, page)
            if len(page) < _PAGE:
                return
            after_seq = page[-1]["seq"]

    def knows(self, borrower_id: str) -> bool:
        """Whether anything is on record of a borrower."""
        query = sa.select(sa.exists().where(journal.c.borrower_id == borrower_id))
        with transaction(self.engine) as connection:
            return bool(connection.execute(query).scalar_one())

    def of_accounts(self, account_ids: Sequence[str]) -> Iterator[Entry]:
        """The facts of many accounts, account by account (in no order of these), each in the order of booking.

        Quicker than a `read` for each of them. Accounts are read some hundreds at once.
        """
        for start in range(0, len(account_ids), _ACCOUNTS):
            among = _of_accounts(account_ids[start : start + _ACCOUNTS])
            with transaction(self.engine) as connection:
                found = connection.execute(sa.select(among).order_by(among.c.account_id, among.c.seq)).mappings().all()
            yield from map(_entry, found)

    def reply(self, key: str, body: Payload) -> Payload | None:
        """What `key` was answered with, or None. Raises Conflict if it was answered for another body."""
        with transaction(self.engine) as connection:
            return _reply(connection, key, _digest(body))

    def once(self, key: str, body: Payload, act: Callable[[Connection], Payload]) -> Reply:
        """Run `act` in a transaction unless `key` has been answered; then give the first reply again.

        The reply is booked in the same transaction as what `act` does: both stand or neither. Calls with the same key
        take turns. Raises Conflict if the key was answered for another body, and what `act` raises.
        """
        digest = _digest(body)
        with transaction(self.engine) as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(IDEMPOTENCY_LOCK, sa.func.hashtext(key))))
            earlier = _reply(connection, key, digest)
            if earlier is not None:
                return Reply(earlier, first=False)
            # What a later call will read back is what this one answers.
            value: Payload = json.loads(_canonical(act(connection)))
            connection.execute(sa.insert(idempotency).values(key=key, body_sha256=digest, reply=value))
        return Reply(value, first=True)


def _of_accounts(account_ids: Sequence[str]) -> sa.Subquery:
    """The journal as far as it is about some accounts."""
    some = sa.bindparam("accounts", list(account_ids), ARRAY(sa.Text))
    return _OF_ACCOUNTS.bindparams(some).columns(*journal.c).subquery("among")


def _reply(connection: Connection, key: str, digest: str) -> Payload | None:
    query = sa.select(idempotency.c.body_sha256, idempotency.c.reply).where(idempotency.c.key == key)
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    if row.body_sha256 != digest:
        raise Conflict(f"The key {key} was used before for another request.", "Use a new key for a new request.")
    reply: Payload = row.reply
    return reply


def _canonical(value: Payload | Sequence[Payload]) -> str:
    """JSON text that is the same for equal values. Raises InvalidInput on what JSON or UTF-8 cannot hold."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
        text.encode()
        return text
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"A payload cannot be written as JSON: {error}.") from error


def _digest(body: Payload) -> str:
    return hashlib.sha256(_canonical(body).encode()).hexdigest()


def _row(fact: Fact) -> Payload:
    if fact.effective_at.tzinfo is None:
        raise InvalidInput(f"The fact {fact.event_id} has an effective_at without a zone.", "Instants are UTC.")
    return {
        "event_id": fact.event_id,
        "kind": fact.kind,
        "borrower_id": fact.borrower_id,
        "account_id": fact.account_id,
        "effective_at": fact.effective_at.isoformat(),
        "reversal_of": fact.reversal_of,
        "payload": fact.payload,
    }


def _entry(row: RowMapping) -> Entry:
    fact = Fact(
        event_id=row["event_id"],
        kind=row["kind"],
        effective_at=row["effective_at"].astimezone(UTC),
        payload=row["payload"],
        borrower_id=row["borrower_id"],
        account_id=row["account_id"],
        reversal_of=row["reversal_of"],
    )
    return Entry(row["seq"], row["booked_at"].astimezone(UTC), fact)
