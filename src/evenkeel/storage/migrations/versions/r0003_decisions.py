"""Decisions, append-only; the artefacts that decided; and what the hot path reads: a row a borrower, a row an account.

`borrower` and `line` are projections: both can be dropped and are made again from the journal. `seq` is the last fact
of the borrower that they hold. Their pages leave room, so that an update finds its new row a place on the same page and
touches no index.
"""

from alembic import op

from evenkeel.storage.migrations.append_only import FUNCTION, append_only

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE artefact (
        version text PRIMARY KEY,
        kind text NOT NULL,
        content text NOT NULL
    )
    """,
    """
    CREATE TABLE decision (
        place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        decision_id uuid NOT NULL UNIQUE,
        kind text NOT NULL,
        lender_id text NOT NULL,
        borrower_id text NOT NULL,
        account_id text,
        decided_at timestamptz NOT NULL,
        known_seq bigint NOT NULL,
        link bigint NOT NULL,
        deciders text NOT NULL,
        outcome text NOT NULL,
        fired integer NOT NULL,
        request bytea NOT NULL,
        used bytea NOT NULL,
        reply bytea NOT NULL
    )
    """,
    # Never worth the time of compressing: a request is short, and numbers are packed already.
    "ALTER TABLE decision ALTER request SET STORAGE EXTERNAL, ALTER used SET STORAGE EXTERNAL, "
    "ALTER reply SET STORAGE EXTERNAL",
    "CREATE INDEX decision_borrower ON decision (borrower_id, place)",
    """
    CREATE TABLE borrower (
        borrower_id text PRIMARY KEY,
        seq bigint NOT NULL,
        behaviour bytea NOT NULL,
        grants bytea NOT NULL
    ) WITH (fillfactor = 70)
    """,
    "ALTER TABLE borrower ALTER behaviour SET STORAGE EXTERNAL, ALTER grants SET STORAGE EXTERNAL",
    """
    CREATE TABLE line (
        account_id text PRIMARY KEY,
        borrower_id text NOT NULL,
        lender_id text NOT NULL,
        valid_from integer NOT NULL,
        valid_until integer NOT NULL,
        stage integer NOT NULL,
        frozen boolean NOT NULL,
        limit_minor bigint,
        owed_minor bigint NOT NULL,
        held_minor bigint NOT NULL,
        room_minor bigint,
        past_due_minor bigint NOT NULL,
        days_past_due integer NOT NULL,
        product text NOT NULL,
        hold_days integer NOT NULL,
        next_due integer NOT NULL
    ) WITH (fillfactor = 70)
    """,
    "CREATE INDEX line_borrower ON line (borrower_id)",
    FUNCTION,
    *append_only("decision", "What was decided stays; decide again."),
    *append_only("artefact", "What was decided stays; decide again."),
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
