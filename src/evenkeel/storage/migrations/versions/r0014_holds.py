"""Holds leave the index of accounts: there are millions, one for each purchase, and each cost a page at random.

The facts of an account are then those in this index, and the holds of its borrower that name the account
(`journal.OF_ACCOUNTS`). A hold that names no borrower stays in.
"""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_STATEMENTS = (
    "DROP INDEX journal_account",
    """
    CREATE INDEX journal_account ON journal (account_id, seq)
        WHERE account_id IS NOT NULL AND (kind <> 'account.hold' OR borrower_id IS NULL)
    """,
)


def upgrade() -> None:
    """Make the index anew."""
    for statement in _STATEMENTS:
        op.execute(statement)
