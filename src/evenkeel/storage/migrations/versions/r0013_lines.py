"""What the hot path reads of a borrower in one row: the lines are in it, where each had a row of its own.

Both are projections, so nothing is moved: rows are made again from the journal. Two indexes go that cost every fact an
entry and answered nobody: by link, which only a reading of the whole record asks for, and by kind for holds, of which
there are millions and nobody asks by kind.
"""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "DROP TABLE line",
    "TRUNCATE borrower",
    """
    ALTER TABLE borrower ADD COLUMN lines bytea NOT NULL DEFAULT '', ADD COLUMN lines_until integer NOT NULL DEFAULT 0,
        ALTER lines SET STORAGE EXTERNAL
    """,
    "DROP INDEX journal_link",
    "DROP INDEX journal_kind",
    "CREATE INDEX journal_kind ON journal (kind, seq) WHERE kind <> 'account.hold'",
)


def upgrade() -> None:
    """Change the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
