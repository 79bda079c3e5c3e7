"""What applications are held against: who used which token, of what an outside check told, and marks of borrowers.

`application_token` is a projection of the journal, as `borrower` is: tokens only, each use in the order of time.
`borrower` is emptied, so that its rows are made again with their marks.
"""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE application_token (
        kind text NOT NULL,
        token text NOT NULL,
        at_us bigint NOT NULL,
        application_id uuid NOT NULL,
        borrower_id text NOT NULL,
        address text,
        income_minor bigint,
        seen_minor bigint,
        usual_minor bigint,
        PRIMARY KEY (kind, token, at_us, application_id)
    )
    """,
    "CREATE INDEX application_token_borrower ON application_token (borrower_id)",
    # What an applicant's record is made of, without purchases.
    """
    CREATE INDEX journal_applicant ON journal (borrower_id, seq) WHERE kind IN
        ('event.application', 'event.income', 'event.deposit', 'event.tradeline', 'event.bureau_report')
    """,
    # Of the identity number: its keyed hash, and the year of birth in it. Nothing else of it is kept.
    "ALTER TABLE identity_check ADD person_token text, ADD birth_year integer",
    "CREATE INDEX identity_check_person ON identity_check (person_token) WHERE person_token IS NOT NULL",
    "ALTER TABLE borrower ADD marks bytea NOT NULL DEFAULT ''",
    "DELETE FROM borrower",
)


def upgrade() -> None:
    """Make the table, the index and the columns."""
    for statement in _STATEMENTS:
        op.execute(statement)
