"""A limit is reviewed: what is known of its borrower, the policy's word, what the rules allow, all in one transaction.

    used = layout (1 byte), count of features (2), of situation numbers (2), their values (float64, int64), then what
           else was known as JSON

The transaction holds the borrower's lock, as every writer of the borrower's facts does: a purchase that comes meanwhile
is decided before it or after it, on the limit as it is then.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from traceback import format_tb
from uuid import UUID

import numpy as np
import sqlalchemy as sa
from msgspec.structs import replace
from sqlalchemy.engine import Connection

from evenkeel.accounts.facts import read_fact
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.store import PREFIX, one_at_a_time, recorded_product
from evenkeel.decisions import record
from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.arms import Arms
from evenkeel.decisions.engine.deciders import Deciders, FloatArray
from evenkeel.decisions.engine.happenings import Fact, event_of
from evenkeel.decisions.moving import knowledge
from evenkeel.decisions.moving.booking import REVIEW, Subject, book, keep_held, lowered
from evenkeel.decisions.moving.knowledge import FEED, Account, Known
from evenkeel.decisions.moving.rules import Held, Lowered, Moved, Outcome
from evenkeel.decisions.moving.ruling import Said, approved, lowers, moved, reasons_of, reply_of, said
from evenkeel.decisions.requests import Approved, Limit, encode, request_id
from evenkeel.kernel.errors import Conflict, EvenkeelError, NotFound, Unavailable
from evenkeel.kernel.ids import content_id
from evenkeel.storage import journal as journals
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Journal
from evenkeel.storage.tables import journal as journal_table

_log = logging.getLogger(__name__)

KIND = "limit"  # of decisions
VERDICT = "verdict"  # of decisions: a move that people approved
KINDS = (KIND, VERDICT)
_HEAD = struct.Struct("<BHH")
_LAYOUT = 101
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_EARLIER = sa.text("SELECT request, reply FROM decision WHERE decision_id = :name")
_REVIEWED = sa.text("""
SELECT known_seq >= :seq FROM decision
WHERE borrower_id = :borrower_id AND kind = 'limit' AND account_id = :account_id ORDER BY place DESC LIMIT 1
""")
# When a report of any borrower was last heard, of the lender's own latest ones.
_HEARD = sa.text("""
SELECT max(booked_at) FROM unnest(CAST(:kinds AS text[])) AS k (kind) CROSS JOIN LATERAL (
    SELECT booked_at FROM (
        SELECT booked_at, payload FROM journal AS j WHERE j.kind = k.kind ORDER BY seq DESC LIMIT 2000
    ) AS latest WHERE payload ->> 'lender_id' = :lender_id LIMIT 1
) AS heard
""")
_KEEP = sa.text("INSERT INTO artefact (version, kind, content) VALUES (:v, :k, :c) ON CONFLICT (version) DO NOTHING")
# `link` is the last one that this session drew, in the append before.
_DECIDE = sa.text("""
INSERT INTO decision (decision_id, kind, lender_id, borrower_id, account_id, decided_at, known_seq, link, deciders,
    outcome, fired, request, used, reply)
VALUES (:decision_id, :kind, :lender_id, :borrower_id, :account_id, :decided_at, :known_seq, currval('chain_link'),
    :deciders, :outcome, :fired, :request, :used, :reply)
""")


@dataclass(frozen=True, slots=True)
class Seen:
    """All that a review reads. features: (1, k)."""

    features: FloatArray
    row: situation.Row
    known: Known

    def beside(self, found: Lowered) -> Seen:
        """It, with what was lowered just now."""
        known = replace(
            self.known, lowered_moves=found.moves, lowered_minor=found.sum_minor, breaker_open=found.is_open
        )
        return Seen(self.features, self.row, known)

    def as_found(self, other: Known) -> Seen:
        """It, with what was lowered as another review found it."""
        return self.beside(Lowered(other.lowered_moves, other.lowered_minor, other.breaker_open))

    def packed(self) -> bytes:
        """It, as it is kept with the decision."""
        head = _HEAD.pack(_LAYOUT, self.features.shape[1], len(self.row))
        values = self.features.astype("<f8").tobytes() + np.array(self.row, "<i8").tobytes()
        return head + values + knowledge.encode(self.known)


def unpacked(used: bytes) -> Seen:
    """From `packed`."""
    _, count, width = _HEAD.unpack_from(used)
    features = np.frombuffer(used, "<f8", count, _HEAD.size).reshape(1, -1).astype(np.float64)
    row = np.frombuffer(used, "<i8", width, _HEAD.size + 8 * count).tolist()
    return Seen(features, row, knowledge.decode(used[_HEAD.size + 8 * (count + width) :]))


def seen_of(
    deciders: Deciders, account_id: str, accounts: dict[str, Account], facts: Sequence[Fact], at_us: int,
    heard_us: int | None,
) -> Seen:  # fmt: skip
    """What a review reads, from the facts of the borrower in the order of booking."""
    counted = [event for event in map(event_of, facts) if event is not None]
    state = deciders.features.add(deciders.features.empty(), counted)
    features = deciders.features.values([state], np.array([at_us]))
    row = [int(value) for value in knowledge.situation_of(accounts[account_id], deciders.day(at_us))]
    return Seen(features, row, knowledge.known_of(account_id, accounts, facts, deciders.zone, at_us, heard_us))


@dataclass(frozen=True, slots=True)
class Reviewer:
    """Reviews limits. arms: what decides at the moment."""

    journal: Journal
    arms: Callable[[], Arms]
    _products: dict[str, Product] = field(default_factory=dict)
    _kept: set[str] = field(default_factory=set)

    def review(self, request: Limit, unless_known: int = 0) -> bytes | None:
        """The reply, once it is on record; the same key and body again gives the first one.

        unless_known: None is returned, and nothing decided, if a review of the line knew of the fact of this number.
        Raises NotFound for a line that is not there, or not this lender's and borrower's; Conflict if the key was used
        for another request.
        """
        name, body = request_id(request.lender_id, request.key), encode(request)
        deciders = self.arms().of(KIND, request.borrower_id)
        with transaction(self.journal.engine) as connection:
            one_at_a_time(connection, [request.borrower_id])
            if (earlier := _earlier(connection, name, body, request)) is not None:
                return earlier
            if unless_known and _reviewed(connection, request, unless_known):
                return None
            reply = self._decide(connection, deciders, request, (name, body))
        self._kept.add(deciders.version)
        return reply

    def approve(self, connection: Connection, request: Approved) -> bytes:
        """Make a move that people approved, as far as the rules allow it by now, in the caller's transaction; the reply
        says what was made of it. Raises NotFound for a line that is not there any more."""
        one_at_a_time(connection, [request.borrower_id])
        deciders = self.arms().of(KIND, request.borrower_id)
        named = request_id(request.lender_id, request.key), encode(request)
        return self._decide(connection, deciders, request, named)

    def _decide(
        self, connection: Connection, deciders: Deciders, request: Limit | Approved, named: tuple[bytes, bytes]
    ) -> bytes:
        """See what is known under the borrower's lock, decide on it, and write that."""
        facts = facts_of_borrower(connection, request.borrower_id)
        now = self.journal.clock()
        at_us = (now - _EPOCH) // _MICROSECOND
        accounts = knowledge.accounts_on(
            request.borrower_id, facts, self.product, date.fromordinal(deciders.day(at_us))
        )
        _own(accounts, request)
        seen = seen_of(deciders, request.account_id, accounts, facts, at_us, _heard(connection, request.lender_id))
        word = word_on(deciders, request, seen, at_us)
        if lowers(word):
            seen = seen.beside(lowered(connection, request.lender_id, now))
        return self._settle(connection, deciders, request, named, seen, word, facts, now)

    def product(self, digest: str) -> Product:
        """A product on record; products never change."""
        if digest not in self._products:
            self._products[digest] = recorded_product(self.journal, digest)
        return self._products[digest]

    def _settle(
        self, connection: Connection, deciders: Deciders, request: Limit | Approved, named: tuple[bytes, bytes],
        seen: Seen, word: Said, facts: Sequence[Fact], now: datetime,
    ) -> bytes:  # fmt: skip
        """Decide, and write the decision with what it changes."""
        name, body = named
        at_us = (now - _EPOCH) // _MICROSECOND
        found = moved(deciders, word, seen.row, seen.known, at_us)
        decision_id = record.name_of(name)
        reply, used = reply_of(decision_id, word, found, seen.row, deciders.version), seen.packed()
        if deciders.version not in self._kept:
            for version, kind, content in deciders.artefacts():
                connection.execute(_KEEP, {"v": version, "k": kind, "c": content})
        if found.outcome is not Outcome.KEEP or Held.BREAKER in found.held:
            self._book(connection, request, seen, (word, found), facts, decision_id, now)
        digest = record.digest([(name, body, used, reply)])
        covering = {"count": 1, "sha256": digest}
        self.journal.append_in(
            connection, [journals.Fact(content_id(record.DECISIONS, digest), record.DECISIONS, now, covering)]
        )
        connection.execute(
            _DECIDE,
            {
                "decision_id": UUID(bytes=name), "kind": VERDICT if isinstance(request, Approved) else KIND,
                "lender_id": request.lender_id, "borrower_id": request.borrower_id,
                "account_id": request.account_id, "decided_at": now, "known_seq": facts[-1].seq,
                "deciders": deciders.version, "outcome": str(found.outcome), "fired": word.fired, "request": body,
                "used": used, "reply": reply,
            },
        )  # fmt: skip
        return reply

    def _book(
        self, connection: Connection, request: Limit | Approved, seen: Seen, ruled: tuple[Said, Moved],
        facts: Sequence[Fact], decision_id: str, now: datetime,
    ) -> None:  # fmt: skip
        word, found = ruled
        own = [
            read_fact(fact.payload)
            for fact in facts
            if fact.account_id == request.account_id and fact.kind.startswith(PREFIX)
        ]
        product = self.product(str(own[0].details["product_digest"]))
        limit = seen.row[situation.PLACE["limit_minor"]]
        subject = Subject(
            request.lender_id, request.borrower_id, request.account_id, product, own,
            None if limit == situation.NULL else limit,
        )  # fmt: skip
        reasons = reasons_of(word, found)
        by = ", ".join(request.by) if isinstance(request, Approved) else REVIEW
        if found.outcome is Outcome.KEEP and not found.trips:
            keep_held(connection, subject, reasons, decision_id, by, now)
        else:
            book(self.journal, connection, subject, word.asked, found, reasons, decision_id, by, now)


def word_on(deciders: Deciders, request: Limit | Approved, seen: Seen, at_us: int) -> Said:
    """What is asked for: by the policy, or by those who approved a move."""
    if isinstance(request, Approved):
        return approved(request, seen.row)
    return said(deciders, seen.features, seen.row, seen.known, at_us)


@contextmanager
def logged(whose: str) -> Iterator[None]:
    """What fails for a reason of its own is logged, so that nobody else waits for it. Raises Unavailable."""
    try:
        yield
    except Unavailable:
        raise
    except Exception as error:
        # Where and of what kind, never what was in it: a message may hold values of a person.
        place = "" if isinstance(error, EvenkeelError) else "".join(format_tb(error.__traceback__))
        _log.error("%s could not be reviewed: %s\n%s", whose, type(error).__name__, place)


def facts_of_borrower(connection: Connection, borrower_id: str, up_to_seq: int | None = None) -> list[Fact]:
    """All facts of a borrower, in the order of booking."""
    query = sa.select(journal_table).where(journal_table.c.borrower_id == borrower_id).order_by(journal_table.c.seq)
    if up_to_seq is not None:
        query = query.where(journal_table.c.seq <= up_to_seq)
    return [
        Fact(
            row.seq, row.event_id, row.kind, row.account_id, (row.effective_at - _EPOCH) // _MICROSECOND,
            (row.booked_at - _EPOCH) // _MICROSECOND, row.reversal_of, row.payload,
        )
        for row in connection.execute(query)
    ]  # fmt: skip


def _earlier(connection: Connection, name: bytes, body: bytes, request: Limit) -> bytes | None:
    row = connection.execute(_EARLIER, {"name": UUID(bytes=name)}).one_or_none()
    if row is None:
        return None
    if bytes(row.request) != body:
        raise Conflict(
            f"The key {request.key} was used before for another request.", "Use a new key for a new request."
        )
    return bytes(row.reply)


def _reviewed(connection: Connection, request: Limit, seq: int) -> bool:
    given = {"borrower_id": request.borrower_id, "account_id": request.account_id, "seq": seq}
    return bool(connection.execute(_REVIEWED, given).scalar())


def _heard(connection: Connection, lender_id: str) -> int | None:
    found = connection.execute(_HEARD, {"kinds": list(FEED), "lender_id": lender_id}).scalar()
    return None if found is None else (found - _EPOCH) // _MICROSECOND


def _own(accounts: dict[str, Account], request: Limit | Approved) -> None:
    """Raises NotFound for a line that is not there, or is not this borrower's at this lender."""
    found = accounts.get(request.account_id)
    if found is None or (found.position.lender_id or "-") != request.lender_id:
        raise NotFound(
            f"There is no account {request.account_id} of the borrower {request.borrower_id}.",
            "Its lender opens it with a fact of kind `opened`.",
        )
