"""The journal, append-only by trigger, and the idempotency keys."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE journal (
        seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        event_id text NOT NULL UNIQUE,
        kind text NOT NULL,
        borrower_id text,
        account_id text,
        effective_at timestamptz NOT NULL,
        booked_at timestamptz NOT NULL,
        reversal_of text REFERENCES journal (event_id),
        payload jsonb NOT NULL
    )
    """,
    "CREATE INDEX journal_kind ON journal (kind, seq)",
    "CREATE INDEX journal_borrower ON journal (borrower_id, seq) WHERE borrower_id IS NOT NULL",
    "CREATE INDEX journal_account ON journal (account_id, seq) WHERE account_id IS NOT NULL",
    """
    CREATE FUNCTION journal_refuses_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the journal is append-only: % is refused', TG_OP
            USING ERRCODE = 'restrict_violation', HINT = 'Append a fact whose reversal_of names the wrong one.';
    END
    $$
    """,
    # For each statement: it then also refuses where no row is met, TRUNCATE, and the update half of an upsert.
    """
    CREATE TRIGGER journal_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
        FOR EACH STATEMENT EXECUTE FUNCTION journal_refuses_change()
    """,
    # Also in a session that plays the replica, where ordinary triggers sleep.
    "ALTER TABLE journal ENABLE ALWAYS TRIGGER journal_append_only",
    """
    CREATE TABLE idempotency (
        key text PRIMARY KEY,
        body_sha256 text NOT NULL,
        reply jsonb NOT NULL
    )
    """,
)


def upgrade() -> None:
    """Make both tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
