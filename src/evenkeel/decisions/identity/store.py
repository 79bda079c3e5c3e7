"""Identity on record: all SQL of this folder. Every function works in the transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from evenkeel.decisions.identity.clusters import CAPS, GROWTH_DAYS, MOST_COUNTED, LinkKind
from evenkeel.decisions.identity.numbers import birth_year
from evenkeel.decisions.identity.verification import Attempt, CheckKind, CheckRequest, CheckResult, Verification
from evenkeel.decisions.identity.watch import Hit, WatchEntry, WatchKind, WatchList, WatchReason, strictest_first
from evenkeel.storage.database import IDENTITY_LOCK
from evenkeel.storage.tables import identity_check, watch_entry

# --- outside checks ---------------------------------------------------------------------------------------------------


def one_at_a_time(connection: Connection, request: CheckRequest) -> None:
    """Wait for others about to ask with the same order, subject or card; they wait to the end of the transaction."""
    tokens = {request.order_id, request.subject_token, request.card_token or request.subject_token}
    numbers = sa.select(sa.func.hashtext(sa.func.unnest(sa.cast(sorted(tokens), sa.ARRAY(sa.Text)))))
    for number in sorted(connection.execute(numbers).scalars()):
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(IDENTITY_LOCK, number)))


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on record. answer: None while it is under way, and for ever if its process died."""

    subject_token: str
    kind: CheckKind
    asked_at: datetime
    answer: Verification | None


def asked(connection: Connection, order_id: str) -> Asked | None:
    """The question with an order id, or None."""
    row = connection.execute(sa.select(identity_check).where(identity_check.c.order_id == order_id)).one_or_none()
    return None if row is None else _asked(row)


def asked_of(connection: Connection, request: CheckRequest, since: datetime) -> list[Asked]:
    """Earlier questions of the same kind with the same values, the newest first."""
    columns = identity_check.c
    query = sa.select(identity_check).where(
        columns.subject_token == request.subject_token, columns.kind == request.kind, columns.asked_at >= since
    )
    return [_asked(row) for row in connection.execute(query.order_by(columns.asked_at.desc(), columns.order_id))]


def checks_of(connection: Connection, borrower_id: str, at: datetime) -> list[Verification]:
    """What was answered about a borrower up to an instant."""
    query = sa.select(identity_check).where(
        identity_check.c.borrower_id == borrower_id, identity_check.c.checked_at <= at
    )
    rows = connection.execute(query.order_by(identity_check.c.checked_at, identity_check.c.order_id))
    return [answer for row in rows if (answer := _asked(row).answer) is not None]


def attempts(connection: Connection, card_token: str, since: datetime) -> list[Attempt]:
    """Questions about a card."""
    query = sa.select(identity_check).where(
        identity_check.c.card_token == card_token, identity_check.c.asked_at >= since
    )
    return [
        Attempt(row.asked_at, None if row.result is None or row.lost else CheckResult(row.result))
        for row in connection.execute(query)
    ]


def put_question(connection: Connection, request: CheckRequest, provider: str, at: datetime) -> None:
    """Keep a question before it is sent. Raises Conflict (in `transaction`) if its order id is on record."""
    connection.execute(
        sa.insert(identity_check).values(
            order_id=request.order_id, borrower_id=request.borrower_id, kind=request.kind, provider=provider,
            subject_token=request.subject_token, card_token=request.card_token, asked_at=at,
            person_token=request.person_token, birth_year=birth_year(request.values.get("id_number"), at),
        )
    )  # fmt: skip


def put_answer(connection: Connection, order_id: str, answer: Verification) -> None:
    """Fill in the answer to a question."""
    connection.execute(
        sa.update(identity_check)
        .where(identity_check.c.order_id == order_id)
        .values(
            result=answer.result, checked_at=answer.checked_at, cost_minor=answer.cost_minor,
            detail_code=answer.detail_code, lost=answer.lost,
        )
    )  # fmt: skip


def _asked(row: sa.Row[tuple[object, ...]]) -> Asked:
    kind = CheckKind(row.kind)
    answer = None
    if row.result is not None:
        answer = Verification(
            kind, CheckResult(row.result), row.checked_at, row.provider, row.cost_minor, row.detail_code, row.lost
        )
    return Asked(row.subject_token, kind, row.asked_at, answer)


# --- what people share ------------------------------------------------------------------------------------------------

Naming = tuple[str, LinkKind, str, datetime]  # borrower id, kind, token, when


# In one order, so that two writers never wait for each other.
_PUT_LINKS = sa.text("""
INSERT INTO identity_link (kind, token, borrower_id, first_at)
SELECT kind, token, borrower_id, min(at)
FROM unnest(CAST(:kinds AS text[]), CAST(:tokens AS text[]), CAST(:borrowers AS text[]), CAST(:ats AS timestamptz[]))
    AS named (kind, token, borrower_id, at)
GROUP BY kind, token, borrower_id
ORDER BY kind, token, borrower_id
ON CONFLICT (kind, token, borrower_id) DO UPDATE SET first_at = excluded.first_at
    WHERE excluded.first_at < identity_link.first_at
""")


def put_links(connection: Connection, namings: Sequence[Naming]) -> None:
    """Keep who named what; of an attribute named again, or late, the first instant counts."""
    columns = [list(column) for column in zip(*namings, strict=True)] or [[], [], [], []]
    connection.execute(_PUT_LINKS, dict(zip(("borrowers", "kinds", "tokens", "ats"), columns, strict=True)))


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The cluster of one borrower at an instant, by the rule of `clusters`.

    size: borrowers, this one included; at most 200 are read, and `whole` says whether that was all. newcomers: of
    them, who first named something within 30 days; None where not whole. hubs: attributes of this borrower that are
    hubs to it. edges: what joins them: kind, token, and the borrowers who share it.
    """

    size: int
    whole: bool
    newcomers: int | None
    hubs: int
    edges: tuple[tuple[LinkKind, str, tuple[str, ...]], ...]


# Members of an attribute: the first of those who named it, up to its cap. `place` orders links as the batch does.
_MEMBERS = """
    SELECT other.borrower_id FROM identity_link AS other
    WHERE other.kind = own.kind AND other.token = own.token
        AND (other.first_at, other.borrower_id) <= (:at, :borrower COLLATE "C")
    ORDER BY other.first_at, other.borrower_id
    LIMIT (CAST(:caps AS jsonb) ->> own.kind)::bigint
"""

# OFFSET keeps the links of one borrower a question of their own, answered by index even where the planner knows nothing
# of the table yet.
_REACHED = sa.text(f"""
WITH RECURSIVE reached (borrower_id) AS (
    SELECT CAST(:borrower AS text) COLLATE "C"
    UNION
    SELECT unnest(joined.members)
    FROM reached
    CROSS JOIN LATERAL (
        SELECT * FROM identity_link
        WHERE borrower_id = reached.borrower_id AND (first_at, borrower_id) <= (:at, :borrower COLLATE "C")
        OFFSET 0
    ) AS own
    CROSS JOIN LATERAL (SELECT ARRAY({_MEMBERS}) AS members) AS joined
    WHERE own.borrower_id = ANY (joined.members)
)
SELECT borrower_id FROM reached LIMIT :most
""").bindparams(sa.bindparam("caps", type_=sa.JSON))  # noqa: S608 - constants of this file

_SHARED = sa.text(f"""
SELECT own.kind, own.token, own.borrower_id, own.first_at, own.borrower_id = ANY (ARRAY({_MEMBERS})) AS joined
FROM identity_link AS own
WHERE own.borrower_id = ANY (:some) AND (own.first_at, own.borrower_id) <= (:at, :borrower COLLATE "C")
ORDER BY own.kind, own.token, own.first_at, own.borrower_id
""").bindparams(sa.bindparam("caps", type_=sa.JSON))  # noqa: S608 - constants of this file


def neighbourhood(
    connection: Connection, borrower_id: str, at: datetime, caps: Mapping[LinkKind, int] = CAPS
) -> Neighbourhood:
    """The cluster of a borrower at the instant of an application whose links were put before.

    It is what `clusters` gives for that application, read by index from this borrower outwards.
    """
    limits = {str(kind): cap for kind, cap in caps.items()}
    given = {"borrower": borrower_id, "at": at, "caps": limits}
    reached = connection.execute(_REACHED, given | {"most": MOST_COUNTED + 1}).scalars().all()
    whole = len(reached) <= MOST_COUNTED
    rows = connection.execute(_SHARED, given | {"some": list(reached[:MOST_COUNTED])}).all()
    first: dict[str, datetime] = {}
    sharing: dict[tuple[LinkKind, str], list[str]] = {}
    hubs = 0
    for row in rows:
        first[row.borrower_id] = min(row.first_at, first.get(row.borrower_id, row.first_at))
        if row.joined:
            sharing.setdefault((LinkKind(row.kind), row.token), []).append(row.borrower_id)
        else:
            hubs += row.borrower_id == borrower_id
    since = at - timedelta(days=GROWTH_DAYS)
    newcomers = sum(first.get(who, at) > since for who in reached)
    edges = tuple((kind, token, tuple(who)) for (kind, token), who in sharing.items() if len(who) > 1)
    return Neighbourhood(min(len(reached), MOST_COUNTED), whole, newcomers if whole else None, hubs, edges)


# --- watch lists ------------------------------------------------------------------------------------------------------

# Whether there ever was a list, an empty one too.
LISTS = "SELECT EXISTS (SELECT FROM journal WHERE kind IN ('watch_list_loaded', 'watch_list_changed'))"


def load_list(connection: Connection, given: WatchList, at: datetime) -> tuple[int, int]:
    """Make a list say what is given from an instant on: (entries added, entries withdrawn). Earlier states stay."""
    columns = watch_entry.c
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(IDENTITY_LOCK, sa.func.hashtext(given.name))))
    standing = sa.select(watch_entry).where(columns.list_name == given.name, columns.withdrawn_at.is_(None))
    before = {_entry(row): row.number for row in connection.execute(standing)}
    wanted = set(given.entries)
    gone = [number for entry, number in before.items() if entry not in wanted]
    fresh = [entry for entry in given.entries if entry not in before]
    if gone:
        ended = sa.update(watch_entry).where(columns.number == sa.any_(sa.cast(gone, sa.ARRAY(sa.BigInteger))))
        connection.execute(ended.values(withdrawn_at=at))
    if fresh:
        connection.execute(sa.insert(watch_entry), [_row(given.name, one, at) for one in fresh])
    return len(fresh), len(gone)


def lists_kept(connection: Connection) -> bool:
    """Whether there ever was a list: without lists nobody knows who stands on one."""
    return bool(connection.execute(sa.text(LISTS)).scalar())


def add_entries(connection: Connection, list_name: str, entries: Sequence[WatchEntry], at: datetime) -> int:
    """Put entries on a list, which is made by its first; those that stand on it already are left. Returns how many."""
    columns = watch_entry.c
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(IDENTITY_LOCK, sa.func.hashtext(list_name))))
    tokens = sa.cast(sorted({one.token for one in entries}), sa.ARRAY(sa.Text))
    query = sa.select(watch_entry).where(
        columns.token == sa.any_(tokens), columns.list_name == list_name, columns.withdrawn_at.is_(None)
    )
    known = {_entry(row) for row in connection.execute(query)}
    fresh = [one for one in dict.fromkeys(entries) if one not in known]
    if fresh:
        connection.execute(sa.insert(watch_entry), [_row(list_name, one, at) for one in fresh])
    return len(fresh)


def withdraw_entries(
    connection: Connection, list_name: str, kind: WatchKind, token: str, reason: WatchReason | None, at: datetime
) -> int:
    """Take a token off a list, for one reason or for all, from an instant on. Returns how many entries ended."""
    columns = watch_entry.c
    ended = sa.update(watch_entry).where(
        columns.list_name == list_name, columns.kind == kind, columns.token == token, columns.withdrawn_at.is_(None)
    )
    if reason is not None:
        ended = ended.where(columns.reason == reason)
    return connection.execute(ended.values(withdrawn_at=at)).rowcount


def lists_of(connection: Connection) -> list[tuple[str, int]]:
    """The lists that have entries, by name, and how many."""
    columns = watch_entry.c
    query = sa.select(columns.list_name, sa.func.count()).where(columns.withdrawn_at.is_(None))
    return [
        (name, count) for name, count in connection.execute(query.group_by(columns.list_name).order_by("list_name"))
    ]


def entries_of(connection: Connection, list_name: str, most: int) -> list[WatchEntry]:
    """What stands on a list, the newest first, at most so many."""
    columns = watch_entry.c
    query = sa.select(watch_entry).where(columns.list_name == list_name, columns.withdrawn_at.is_(None))
    return [_entry(row) for row in connection.execute(query.order_by(columns.number.desc()).limit(most))]


def watch_hits(
    connection: Connection, tokens: Mapping[WatchKind, Sequence[str]], on: date, known_at: datetime
) -> tuple[Hit, ...]:
    """What stands on any list for these tokens on a day, as it was known at an instant; ordered as `watch.hits`."""
    columns = watch_entry.c
    pairs = [(str(kind), token) for kind, some in tokens.items() for token in some]
    if not pairs:
        return ()
    query = sa.select(watch_entry).where(
        sa.tuple_(columns.kind, columns.token).in_(pairs),
        columns.booked_at <= known_at,
        sa.or_(columns.withdrawn_at.is_(None), columns.withdrawn_at > known_at),
    )
    found = (Hit(row.list_name, _entry(row)) for row in connection.execute(query))
    return tuple(sorted((hit for hit in found if hit.entry.in_force(on)), key=strictest_first))


def _row(list_name: str, one: WatchEntry, at: datetime) -> dict[str, object]:
    return {
        "list_name": list_name, "kind": one.kind, "token": one.token, "reason": one.reason, "source": one.source,
        "effective_from": one.effective_from, "effective_until": one.effective_until, "booked_at": at,
    }  # fmt: skip


def _entry(row: sa.Row[tuple[object, ...]]) -> WatchEntry:
    return WatchEntry(
        WatchKind(row.kind), row.token, WatchReason(row.reason), row.source, row.effective_from, row.effective_until
    )
