"""Reviews: what has become of each decision that was referred to a person. The decision itself stays as it was."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE review (
        decision_id uuid PRIMARY KEY REFERENCES decision (decision_id),
        claimed_by text,
        lease_until timestamptz,
        first_by text,
        first_outcome text,
        decided_by text,
        decided_at timestamptz,
        outcome text,
        amount_minor bigint
    )
    """,
    "CREATE INDEX decision_referred ON decision (lender_id, place) WHERE outcome = 'refer'",
)


def upgrade() -> None:
    """Make the table."""
    for statement in _STATEMENTS:
        op.execute(statement)
