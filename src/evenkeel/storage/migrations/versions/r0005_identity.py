"""Identity at granting: outside checks and their attempts, what people share, and watch lists. Tokens only."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # One row a question. It is written before the question is sent: what is lost on the way has still been asked.
    """
    CREATE TABLE identity_check (
        order_id text PRIMARY KEY,
        borrower_id text NOT NULL,
        kind text NOT NULL,
        subject_token text NOT NULL,
        card_token text,
        provider text NOT NULL,
        asked_at timestamptz NOT NULL,
        result text,
        checked_at timestamptz,
        cost_minor bigint,
        detail_code text,
        lost boolean
    )
    """,
    "CREATE INDEX identity_check_subject ON identity_check (subject_token, kind, asked_at)",
    "CREATE INDEX identity_check_card ON identity_check (card_token, asked_at) WHERE card_token IS NOT NULL",
    "CREATE INDEX identity_check_borrower ON identity_check (borrower_id)",
    # Ids in the order of their bytes, in which the programs compare them too.
    """
    CREATE TABLE identity_link (
        kind text NOT NULL,
        token text NOT NULL,
        borrower_id text COLLATE "C" NOT NULL,
        first_at timestamptz NOT NULL,
        PRIMARY KEY (kind, token, borrower_id)
    )
    """,
    "CREATE INDEX identity_link_order ON identity_link (kind, token, first_at, borrower_id)",
    "CREATE INDEX identity_link_borrower ON identity_link (borrower_id)",
    """
    CREATE TABLE watch_entry (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        list_name text NOT NULL,
        kind text NOT NULL,
        token text NOT NULL,
        reason text NOT NULL,
        source text NOT NULL,
        effective_from date NOT NULL,
        effective_until date,
        booked_at timestamptz NOT NULL,
        withdrawn_at timestamptz
    )
    """,
    "CREATE INDEX watch_entry_token ON watch_entry (kind, token)",
    "CREATE INDEX watch_entry_list ON watch_entry (list_name) WHERE withdrawn_at IS NULL",
)


def upgrade() -> None:
    """Make the three tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
