"""The register of policies: every version's text, and who proposed, approved and took back what, when and why."""

from alembic import op

from evenkeel.storage.migrations.append_only import append_only

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "CREATE TABLE policy_text (version text PRIMARY KEY, name text NOT NULL, content text NOT NULL)",
    """
    CREATE TABLE policy_event (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        kind text NOT NULL,
        action text NOT NULL,
        version text NOT NULL REFERENCES policy_text (version),
        by text NOT NULL,
        why text NOT NULL,
        share_ppm integer NOT NULL
    )
    """,
    *append_only("policy_text", "Publish another version, or roll back."),
    *append_only("policy_event", "Publish another version, or roll back."),
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
