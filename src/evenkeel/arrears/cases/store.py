"""All SQL of cases but that of webhooks: the facts of a borrower, the worklist, who works on what."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from evenkeel.arrears.cases.fold import EVENTS
from evenkeel.arrears.contacts.standing import ASKED, CASE, ENDED, Told
from evenkeel.decisions.engine.happenings import EVENT

_KINDS = ", ".join(f"'{kind}'" for kind in (ASKED, ENDED, *(EVENT + kind for kind in EVENTS)))
_FACTS = sa.text(f"""
SELECT seq, event_id, kind, account_id, effective_at, booked_at, payload - 'reply' AS payload, reversal_of FROM journal
WHERE borrower_id = :borrower_id AND (kind IN ({_KINDS}) OR kind LIKE '{CASE}%')
ORDER BY seq
""")  # noqa: S608 - constants
_ONE_FACT = sa.text("SELECT kind, effective_at, payload FROM journal WHERE event_id = :event_id")
_ACCOUNTS = sa.text("""
SELECT account_id FROM journal WHERE borrower_id = :borrower_id AND kind = 'account.opened'
    AND coalesce(nullif(payload ->> 'lender_id', ''), '-') = :lender_id ORDER BY account_id
""")
_BORROWERS = sa.text("""
SELECT DISTINCT borrower_id FROM journal WHERE kind = 'account.opened' AND borrower_id > :after
    AND coalesce(nullif(payload ->> 'lender_id', ''), '-') = :lender_id ORDER BY borrower_id LIMIT :most
""")
_COLUMNS = (
    "case_id", "lender_id", "borrower_id", "opened_at", "closed_at", "state", "skill", "days_past_due",
    "past_due_minor", "owed_minor", "agency_id", "due_on", "act_by", "treatment", "value_minor", "rank", "given_on",
    "given_treatment", "given_minor",
)  # fmt: skip
_KEPT = [name for name in _COLUMNS if name not in ("case_id", "lender_id", "borrower_id")]
_WRITE = sa.text(f"""
INSERT INTO arrears_case ({", ".join(_COLUMNS)}) VALUES ({", ".join(f":{name}" for name in _COLUMNS)})
ON CONFLICT (case_id) DO UPDATE SET ({", ".join(_KEPT)}) = ROW ({", ".join(f"excluded.{name}" for name in _KEPT)})
""")  # noqa: S608 - constants
_SELECT = f"SELECT {', '.join(_COLUMNS)}, claimed_by, lease_until FROM arrears_case "  # noqa: S608 - constants
_ONE = sa.text(_SELECT + "WHERE case_id = :case_id AND lender_id = :lender_id")
_OF_BORROWER = sa.text(
    _SELECT + "WHERE lender_id = :lender_id AND borrower_id = :borrower_id ORDER BY opened_at, case_id"
)
_LISTED = sa.text(
    _SELECT
    + """WHERE lender_id = :lender_id AND (closed_at IS NULL OR :closed) AND (rank, case_id) > (:rank, :case_id)
    AND (CAST(:skills AS text[]) IS NULL OR skill = ANY (CAST(:skills AS text[])))
    AND (CAST(:agency_id AS text) IS NULL OR agency_id = :agency_id)
    AND (NOT :free OR claimed_by IS NULL OR lease_until <= :now)
ORDER BY rank, case_id LIMIT :most"""
)
_CLAIM = sa.text("UPDATE arrears_case SET claimed_by = :by, lease_until = :until WHERE case_id = :case_id")
_AGENCY_CASES = sa.text("""
SELECT payload ->> 'case_id' AS case_id, borrower_id, effective_at FROM journal
WHERE kind = 'case.assigned' AND payload ->> 'agency_id' = :agency_id AND payload ->> 'lender_id' = :lender_id
ORDER BY seq
""")
_STATES = sa.text("""
SELECT state, count(*) AS cases, sum(past_due_minor)::bigint AS past_due_minor FROM arrears_case
WHERE lender_id = :lender_id AND closed_at IS NULL GROUP BY state ORDER BY state
""")


@dataclass(frozen=True, slots=True)
class Known:
    """A fact, and when it was booked."""

    told: Told
    seq: int
    booked_at: datetime


def facts_of(connection: Connection, borrower_id: str) -> list[Known]:
    """What cases are made from, of all lenders, in the order of booking."""
    return [
        Known(
            Told(
                row.event_id, row.kind, row.account_id, row.effective_at.astimezone(UTC), row.payload, row.reversal_of
            ),
            row.seq, row.booked_at.astimezone(UTC),
        )
        for row in connection.execute(_FACTS, {"borrower_id": borrower_id})
    ]  # fmt: skip


def fact(connection: Connection, event_id: str) -> RowMapping | None:
    """A fact by its id."""
    return connection.execute(_ONE_FACT, {"event_id": event_id}).mappings().one_or_none()


def accounts_of(connection: Connection, borrower_id: str, lender_id: str) -> list[str]:
    """The accounts of a borrower with a lender."""
    given = {"borrower_id": borrower_id, "lender_id": lender_id}
    return list(connection.execute(_ACCOUNTS, given).scalars())


def borrowers_of(connection: Connection, lender_id: str, after: str, most: int) -> list[str]:
    """Borrowers of a lender in the order of their ids, from the one after `after`."""
    given = {"lender_id": lender_id, "after": after, "most": most}
    return list(connection.execute(_BORROWERS, given).scalars())


def write(connection: Connection, row: Mapping[str, Any]) -> None:
    """The row of a case as it is now. Who has claimed it stays."""
    connection.execute(_WRITE, dict(row))


def row_of(connection: Connection, case_id: str, lender_id: str) -> RowMapping | None:
    """The row of a case of a lender."""
    return connection.execute(_ONE, {"case_id": case_id, "lender_id": lender_id}).mappings().one_or_none()


def rows_of_borrower(connection: Connection, borrower_id: str, lender_id: str) -> Sequence[RowMapping]:
    """The rows of a borrower's cases with a lender, the oldest first."""
    given = {"borrower_id": borrower_id, "lender_id": lender_id}
    return connection.execute(_OF_BORROWER, given).mappings().all()


def page(
    connection: Connection, lender_id: str, *, after: tuple[float, str], most: int, skills: Sequence[str] | None,
    agency_id: str | None, closed: bool, free: bool, now: datetime,
) -> Sequence[RowMapping]:  # fmt: skip
    """Rows in the order of the worklist. free: only those that nobody has claimed."""
    given = {
        "lender_id": lender_id, "rank": after[0], "case_id": after[1], "most": most, "closed": closed, "free": free,
        "skills": None if skills is None else list(skills), "agency_id": agency_id, "now": now,
    }  # fmt: skip
    return connection.execute(_LISTED, given).mappings().all()


def claim(connection: Connection, case_id: str, by: str | None, until: datetime | None) -> None:
    """Who works on a case, and until when; nobody where both are None."""
    connection.execute(_CLAIM, {"case_id": case_id, "by": by, "until": until})


def cases_of_agency(connection: Connection, agency_id: str, lender_id: str) -> list[tuple[str, str, date]]:
    """The cases that an agency had or has: case, borrower, day; one entry an assignment."""
    given = {"agency_id": agency_id, "lender_id": lender_id}
    return [(row.case_id, row.borrower_id, row.effective_at.date()) for row in connection.execute(_AGENCY_CASES, given)]


def by_state(connection: Connection, lender_id: str) -> Sequence[RowMapping]:
    """How many open cases are in each state, and what is late in them."""
    return connection.execute(_STATES, {"lender_id": lender_id}).mappings().all()
