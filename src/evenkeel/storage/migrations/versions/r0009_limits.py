"""Moves of limits, append-only, and the circuit breaker of each lender: when it opened, and who closed it again."""

from alembic import op

from evenkeel.storage.migrations.append_only import append_only

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE limit_move (
        move_id text PRIMARY KEY,
        lender_id text NOT NULL,
        account_id text NOT NULL,
        borrower_id text NOT NULL,
        at timestamptz NOT NULL,
        outcome text NOT NULL,
        before_minor bigint,
        after_minor bigint,
        effective_on date,
        reasons text[] NOT NULL,
        by text NOT NULL
    )
    """,
    "CREATE INDEX limit_move_account ON limit_move (account_id, at)",
    "CREATE INDEX limit_move_down ON limit_move (lender_id, at) WHERE outcome IN ('lower', 'freeze')",
    """
    CREATE TABLE breaker (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        lender_id text NOT NULL,
        at timestamptz NOT NULL,
        opened boolean NOT NULL,
        by text NOT NULL,
        why text NOT NULL
    )
    """,
    *append_only("limit_move", "Move the limit again."),
    *append_only("breaker", "Move the limit again."),
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
