"""The chain over the journal: writing links, reading the watermark, and verifying. All SQL on links is in this file.

Every append adds one link to the chain of its writer. A writer is one connection of one process: a connection holds one
transaction at a time, so its chain needs no lock, and no writer waits for another. A link that is rolled back was never
there, and a writer that is killed has a chain that ends.

    digest of a fact = SHA-256 of the UTF-8 text that PostgreSQL gives of
                       [seq, event_id, kind, borrower_id, account_id, effective_at, booked_at, reversal_of, payload]
                       as a JSON array, instants in seconds since 1970
    hash of a link   = SHA-256 of previous (32 bytes, zeros in a first link), writer (16), link, number, facts
                       (8 each, big-endian), then the digests of its facts in the order of seq
"""

import hashlib
import re
import struct
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from evenkeel.storage.database import APPEND_LOCK, transaction

Progress = Callable[[float], None]  # the share done, 0 to 1

LINK_FACTS = 10_000  # at most under one link

_PAGE = 10_000  # rows fetched at once
SHOWN = 5  # places of one kind of fault that are kept; the rest are counted
_NUMBERS = struct.Struct(">3q")  # link, number, facts

# Every column but `link`, which the link's own hash holds. In terms of functions whose text no setting changes.
_DIGEST = """sha256(convert_to(json_build_array(
    seq, event_id, kind, borrower_id, account_id, extract(epoch FROM effective_at),
    extract(epoch FROM booked_at), reversal_of, payload)::text, 'UTF8'))"""

# Numbers handed out up to now. Sequences are outside of transactions: this is what is true at this moment.
_HANDED_OUT = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM journal_seq_seq"

# A transaction announces, by a lock that nobody ever waits for, the last number handed out before its own first one.
# The setting keeps that number to the end of the transaction, so that many appends in one take one lock.
# `since` has to be there before a row can be inserted, so the lock is held when the first number is drawn.
_BOOKING = f"""
WITH since AS MATERIALIZED (
    SELECT seq, set_config('evenkeel.since', seq::text, true),
        pg_advisory_xact_lock_shared({APPEND_LOCK}::bigint << 48 | seq)
    FROM (
        SELECT coalesce(nullif(current_setting('evenkeel.since', true), '')::bigint, ({_HANDED_OUT})) AS seq
    ) AS earlier
), place AS MATERIALIZED (
    SELECT nextval('chain_link') AS link, CAST(:writer AS uuid) AS writer,
        coalesce(last.number, 0) + 1 AS number, coalesce(last.hash, CAST(:start AS bytea)) AS previous
    FROM (VALUES (1)) AS one
    LEFT JOIN (
        SELECT number, hash FROM chain WHERE writer = CAST(:writer AS uuid) ORDER BY number DESC LIMIT 1
    ) AS last ON true
), booked AS (
    INSERT INTO journal
        (event_id, kind, borrower_id, account_id, effective_at, booked_at, reversal_of, payload, link)
    SELECT event_id, kind, borrower_id, account_id, effective_at, CAST(:booked_at AS timestamptz), reversal_of,
        CAST(payload AS jsonb), link
    FROM since, place, {{given}} WITH ORDINALITY
        AS given (event_id, kind, borrower_id, account_id, effective_at, reversal_of, payload, position)
    ORDER BY position
    RETURNING seq, {_DIGEST} AS digest
)
INSERT INTO chain (link, writer, number, previous, facts, hash)
SELECT link, writer, number, previous, facts,
    sha256(previous || uuid_send(writer) || int8send(link) || int8send(number) || int8send(facts) || digests)
FROM place, (SELECT count(*) AS facts, string_agg(digest, ''::bytea ORDER BY seq) AS digests FROM booked) AS booking
"""  # noqa: S608 - constants of this file
_AS_JSON = """ROWS FROM (
        json_to_recordset(CAST(:facts AS json)) AS (
            event_id text, kind text, borrower_id text, account_id text, effective_at timestamptz, reversal_of text,
            payload jsonb
        )
    )"""
_APPEND = sa.text(_BOOKING.format(given=_AS_JSON))
# The same for a driver that numbers parameters, an array a column: half of what it takes to read JSON.
_AS_ARRAYS = "unnest($4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[], $9::text[], $10::text[])"
_PARAMETERS = ("writer", "start", "booked_at")
APPEND = re.sub(r"(?<!:):(\w+)", lambda name: f"${_PARAMETERS.index(name[1]) + 1}", _BOOKING.format(given=_AS_ARRAYS))
START = bytes(32)  # the previous hash of a first link

_ANNOUNCED = sa.text(f"""
SELECT min((classid::bigint << 32 | objid::bigint) & (1::bigint << 48) - 1) FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1 AND classid::bigint >> 16 = {APPEND_LOCK}
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
""")  # noqa: S608 - constants of this file

_LINKS = sa.text("SELECT link, uuid_send(writer), number, previous, facts, hash FROM chain ORDER BY link")
_FACTS = sa.text(f"SELECT link, seq, {_DIGEST} AS digest FROM journal ORDER BY link, seq")  # noqa: S608


@dataclass(frozen=True, slots=True)
class Head:
    """The last link of a chain: its number (the first is 1), its hash in hex, and all facts of the chain up to it."""

    writer: str
    number: int
    hash: str
    facts: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The heads of all chains at an instant. Every fact with a seq of at most `settled_seq` lies under one of them."""

    made_at: datetime
    settled_seq: int
    heads: tuple[Head, ...]

    @property
    def facts(self) -> int:
        """Facts under all heads together."""
        return sum(head.facts for head in self.heads)


def append(connection: Connection, facts: str, booked_at: datetime) -> None:
    """Book facts in the order given, and one link over them, in the transaction that the caller holds.

    facts: a JSON array of 1 to LINK_FACTS objects with the journal's columns but seq, booked_at and link.
    """
    writer = connection.info.setdefault("writer", uuid.uuid4())  # lives as long as the connection to the server
    connection.execute(_APPEND, {"facts": facts, "booked_at": booked_at, "writer": writer, "start": START})


def settled(connection: Connection) -> int:
    """The highest seq at or below which nothing can still be booked: see `Journal.settled`."""
    # In this order: a transaction that had not announced itself at the second look draws its numbers after the first.
    handed_out: int = connection.execute(sa.text(_HANDED_OUT)).scalar_one()
    announced: int | None = connection.execute(_ANNOUNCED).scalar_one()
    return handed_out if announced is None else min(handed_out, announced)


@dataclass(slots=True)
class Faults:
    """How many places have one kind of fault, and the first few."""

    count: int = 0
    places: list[str] = field(default_factory=list)

    def add(self, place: str) -> None:
        self.count += 1
        if self.count <= SHOWN:
            self.places.append(place)


@dataclass(frozen=True, slots=True)
class Proof:
    """What verifying found: facts and links read, the head of every chain, and faults by kind (empty: none).

    faults, what the chains alone show: `changed` (facts or a link are not what the link's hash was made of), `gone`
    (facts that a link counts), `unlinked` (facts whose link is not there), `broken` (a link does not follow the one
    before it). against, what only the checkpoint shows: `cut` (a chain ends before its head, or is not there),
    `rewritten` (another link stands where the head was), `late` (a fact at or below the settled seq came afterwards).
    """

    facts: int
    links: int
    heads: tuple[Head, ...]
    faults: Mapping[str, Faults]
    against: Mapping[str, Faults]


def verify(engine: Engine, against: Checkpoint | None = None, progress: Progress | None = None) -> Proof:
    """Read the whole record once, in one snapshot, and hold it to its chains and to a checkpoint.

    Memory holds a page of facts and a head of every chain, however long the record is.
    """
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    streaming = {"yield_per": _PAGE}
    with transaction(snapshot) as connection:
        last_seq = connection.execute(sa.text("SELECT coalesce(max(seq), 0) FROM journal")).scalar_one()
        links = connection.execute(_LINKS, execution_options=streaming)
        facts = connection.execute(_FACTS, execution_options=streaming)
        walk = _Walk(against)
        shown = 0
        for link, its_facts in _merged(links, facts):
            walk.take(link, its_facts)
            if progress and walk.facts - shown >= _PAGE:
                shown = walk.facts
                progress(min(1.0, shown / max(1, last_seq)))
    return walk.proof()


def _merged(links: Iterable[Any], facts: Iterable[Any]) -> Iterator[tuple[Any | None, Iterable[Any]]]:
    """Each link with its facts, and None with facts whose link is not there: both come sorted by link, null last."""
    groups = groupby(facts, key=itemgetter(0))
    named, group = next(groups, (None, ()))
    for link in links:
        while named is not None and named < link[0]:
            yield None, group
            named, group = next(groups, (None, ()))
        if named == link[0]:
            yield link, group
            named, group = next(groups, (None, ()))
        else:
            yield link, ()
    yield None, group
    for _, group in groups:
        yield None, group


def _add(faults: dict[str, Faults], kind: str, place: str) -> None:
    faults.setdefault(kind, Faults()).add(place)


class _Walk:
    """The state of one reading: the last link of each chain, and what was found. Writers are 16 bytes here."""

    def __init__(self, against: Checkpoint | None) -> None:
        self.facts = self._links = 0
        self._last: dict[bytes, tuple[int, bytes, int]] = {}  # number, hash, facts up to it
        self._faults: dict[str, Faults] = {}
        self._against: dict[str, Faults] = {}
        self._sealed = {uuid.UUID(head.writer).bytes: head for head in against.heads} if against else {}
        self._settled_seq = against.settled_seq if against else 0

    def take(self, link: Any | None, facts: Iterable[Any]) -> None:
        """One link with the facts that name it, or facts whose link is not there."""
        if link is None:
            for _, seq, _ in facts:
                self.facts += 1
                _add(self._faults, "unlinked", f"seq {seq}")
            return
        self._links += 1
        place, writer, number, previous, counted, own = link
        if None in link:  # only where somebody has lifted the tables' rules
            _add(self._faults, "changed", f"link {place}")
            return
        open_from = self._settled_seq if self._follow(link) else 0
        parts = [previous, writer, _NUMBERS.pack(place, number, counted)]
        first, last = 0, 0
        for _, seq, digest in facts:
            parts.append(digest)
            first, last = first or seq, seq
            if seq <= open_from:
                _add(self._against, "late", f"seq {seq}")
        count = len(parts) - 3
        self.facts += count
        if count < counted:
            _add(self._faults, "gone", f"link {place} ({count} of {counted})")
        elif hashlib.sha256(b"".join(parts)).digest() != own:
            _add(self._faults, "changed", f"link {place} (seq {first} - {last})")

    def _follow(self, link: Any) -> bool:
        """Hold a link to the one before it and to the checkpoint; whether it came after the checkpoint."""
        place, writer, number, previous, counted, own = link
        last_number, last_hash, facts = self._last.get(writer, (0, START, 0))
        if number != last_number + 1 or previous != last_hash:
            _add(self._faults, "broken", f"link {place}")
        self._last[writer] = number, own, facts + counted
        sealed = self._sealed.get(writer)
        if sealed is None or number > sealed.number:
            return True
        if number == sealed.number and _head(writer, self._last[writer]) != sealed:
            _add(self._against, "rewritten", f"link {place}")
        return False

    def proof(self) -> Proof:
        """What was found, once everything was taken."""
        for writer, sealed in self._sealed.items():
            reached, _, _ = self._last.get(writer, (0, START, 0))
            if reached < sealed.number:
                _add(self._against, "cut", f"{sealed.writer} ({reached} of {sealed.number})")
        heads = tuple(_head(writer, self._last[writer]) for writer in sorted(self._last))
        return Proof(self.facts, self._links, heads, self._faults, self._against)


def _head(writer: bytes, last: tuple[int, bytes, int]) -> Head:
    number, own, facts = last
    return Head(str(uuid.UUID(bytes=writer)), number, own.hex(), facts)
