"""API keys: the hash of each, whose it is, what it allows."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE api_key (
        key_id text PRIMARY KEY,
        lender_id text NOT NULL,
        scopes text[] NOT NULL,
        note text NOT NULL,
        secret_sha256 bytea NOT NULL,
        made_at timestamptz NOT NULL,
        revoked_at timestamptz
    )
    """,
)


def upgrade() -> None:
    """Make the table."""
    for statement in _STATEMENTS:
        op.execute(statement)
