"""How a borrower stands on watch lists, as a fact: all entries that name a token on record of theirs.

A list that changes, a check that is answered and an application each bring it up to date. So a purchase reads it from
its borrower's own record and looks nothing up.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from evenkeel.decisions.identity.watch import EFFECTS, STRICTNESS, WatchReason
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import POSTINGS_LOCK
from evenkeel.storage.journal import Fact, Journal

STANDING = "watch_standing"
MOST_ENTRIES = 100  # of one borrower, the strictest; as many in force at once say the same
_NEVER = date.max.toordinal()

# Tokens of borrowers on record, with the kind under which lists have them. A contact is somebody else.
TOKENS = """
    SELECT borrower_id, kind, token FROM application_token
    WHERE borrower_id = ANY ({some}) AND kind IN ('device', 'phone', 'address', 'employer')
    UNION SELECT borrower_id, 'person', person_token FROM identity_check
    WHERE borrower_id = ANY ({some}) AND person_token IS NOT NULL
    UNION SELECT borrower_id, 'card', card_token FROM identity_check
    WHERE borrower_id = ANY ({some}) AND card_token IS NOT NULL"""


class Entry(NamedTuple):
    """effect: a place in watch.STRICTNESS. since, until: ordinals of days, inclusive."""

    effect: int
    since: int
    until: int


def entry(reason: str, since: date, until: date | None) -> Entry:
    """An entry of a list as it counts."""
    effect = STRICTNESS.index(EFFECTS[WatchReason(reason)])
    return Entry(effect, since.toordinal(), _NEVER if until is None else until.toordinal())


def standing(found: Iterable[Entry]) -> list[Entry]:
    """Entries in one order, each once, the strictest first."""
    return sorted(set(found), key=lambda one: (-one.effect, one.since, one.until))[:MOST_ENTRIES]


def payload_of(entries: Sequence[Entry]) -> dict[str, object]:
    """The fact's content; it names no list and no token."""
    return {
        "entries": [
            {"effect": STRICTNESS[effect], "from": date.fromordinal(since).isoformat(),
             "until": None if until == _NEVER else date.fromordinal(until).isoformat()}
            for effect, since, until in entries
        ]
    }  # fmt: skip


def entries_of(payload: Mapping[str, Any]) -> list[Entry]:
    """What `payload_of` was given."""
    return [
        Entry(
            STRICTNESS.index(one["effect"]), date.fromisoformat(one["from"]).toordinal(),
            _NEVER if one["until"] is None else date.fromisoformat(one["until"]).toordinal(),
        )
        for one in payload["entries"]
    ]  # fmt: skip


_CONCERNED = sa.text("""
WITH changed AS (SELECT DISTINCT kind, token FROM watch_entry
                 WHERE list_name = :list AND (booked_at = :at OR withdrawn_at = :at))
SELECT borrower_id FROM changed JOIN application_token USING (kind, token)
UNION SELECT borrower_id FROM changed JOIN identity_check AS c ON changed.kind = 'person' AND token = c.person_token
UNION SELECT borrower_id FROM changed JOIN identity_check AS c ON changed.kind = 'card' AND token = c.card_token
ORDER BY 1
""")

_NOW = sa.text(f"""
SELECT borrower_id, reason, effective_from, effective_until FROM ({TOKENS.format(some=":some")}) AS known
JOIN watch_entry USING (kind, token) WHERE withdrawn_at IS NULL
""")  # noqa: S608 - constants

_BEFORE = sa.text("""
SELECT DISTINCT ON (borrower_id) borrower_id, event_id, payload FROM journal
WHERE borrower_id = ANY (:some) AND kind = 'watch_standing' ORDER BY borrower_id, seq DESC
""")


def concerned(connection: Connection, list_name: str, at: datetime) -> list[str]:
    """The borrowers of whom a token was put on a list, or taken off, at an instant.

    From here to the end of the transaction nothing is decided: an application under way is seen, a later one sees the
    list.
    """
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(POSTINGS_LOCK, 0)))
    return list(connection.execute(_CONCERNED, {"list": list_name, "at": at}).scalars())


def refresh(connection: Connection, journal: Journal, borrowers: Sequence[str]) -> int:
    """Book how borrowers stand now, where it is not what their last fact says; how many.

    The caller holds their locks.
    """
    before = {row.borrower_id: row for row in connection.execute(_BEFORE, {"some": list(borrowers)})}
    found: dict[str, list[Entry]] = {}
    for row in connection.execute(_NOW, {"some": list(borrowers)}):
        found.setdefault(row.borrower_id, []).append(entry(row.reason, row.effective_from, row.effective_until))
    now, facts = journal.clock(), []
    for name in borrowers:
        last, said = before.get(name), payload_of(standing(found.get(name, [])))
        if said != (payload_of([]) if last is None else last.payload):
            after = "" if last is None else str(last.event_id)
            facts.append(Fact(content_id(STANDING, name, after), STANDING, now, said, borrower_id=name))
    if facts:
        journal.append_in(connection, facts)
    return len(facts)
