"""What an account's line has of its own: its calendar, its rate of purchases, and until when no interest runs."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "DELETE FROM line",  # rows are made again from the journal, with these in them
    """
    ALTER TABLE line ADD COLUMN calendar integer NOT NULL, ADD COLUMN own_rate bigint NOT NULL,
        ADD COLUMN paused_until integer NOT NULL
    """,
)


def upgrade() -> None:
    """Add the columns."""
    for statement in _STATEMENTS:
        op.execute(statement)
