"""How far the journal has been followed, by what follows it. A record that is older than this is followed from here."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "CREATE TABLE follower (name text PRIMARY KEY, seq bigint NOT NULL)",
    "INSERT INTO follower (name, seq) SELECT 'limits', coalesce(max(seq), 0) FROM journal",
)


def upgrade() -> None:
    """Make the table."""
    for statement in _STATEMENTS:
        op.execute(statement)
