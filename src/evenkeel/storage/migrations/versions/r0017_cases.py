"""Cases: the worklist of collectors, who works on what, and the outbox of webhooks. What happened is in the journal."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # What a case says of a borrower is looked up before each contact, too.
    "DROP INDEX journal_contact",
    """
    CREATE INDEX journal_contact ON journal (borrower_id, seq) WHERE kind IN
        ('contact.asked', 'contact.ended', 'event.promise', 'event.stop_contact', 'event.dispute_opened',
         'event.dispute_closed', 'event.plan_signed', 'event.plan_broken', 'event.plan_completed',
         'event.consent_given', 'event.consent_withdrawn', 'event.reversed', 'case.complaint_opened',
         'case.complaint_closed', 'case.represented', 'case.representation_ended', 'case.wrong_person',
         'case.vulnerable', 'case.vulnerability_reviewed', 'case.insolvent', 'case.insolvency_ended',
         'case.assigned', 'case.recalled', 'case.sold')
    """,
    # A view of the record, made again with every fact of a case; but for the claim, which is short-lived.
    """
    CREATE TABLE arrears_case (
        case_id text PRIMARY KEY,
        lender_id text NOT NULL,
        borrower_id text NOT NULL,
        opened_at timestamptz NOT NULL,
        closed_at timestamptz,
        state text NOT NULL,
        skill text NOT NULL,
        days_past_due integer NOT NULL,
        past_due_minor bigint NOT NULL,
        owed_minor bigint NOT NULL,
        agency_id text,
        due_on date,
        act_by date,
        treatment text NOT NULL,
        value_minor double precision NOT NULL,
        rank double precision NOT NULL,
        given_on date,
        given_treatment text,
        given_minor double precision,
        claimed_by text,
        lease_until timestamptz
    )
    """,
    "CREATE UNIQUE INDEX arrears_case_open ON arrears_case (lender_id, borrower_id) WHERE closed_at IS NULL",
    "CREATE INDEX arrears_case_worklist ON arrears_case (lender_id, rank, case_id) WHERE closed_at IS NULL",
    "CREATE INDEX arrears_case_agency ON arrears_case (lender_id, agency_id) WHERE agency_id IS NOT NULL",
    """
    CREATE TABLE webhook (
        webhook_id text PRIMARY KEY,
        lender_id text NOT NULL,
        url text NOT NULL,
        secret bytea NOT NULL,
        made_at timestamptz NOT NULL,
        ended_at timestamptz
    )
    """,
    """
    CREATE TABLE webhook_outbox (
        place bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        webhook_id text NOT NULL REFERENCES webhook (webhook_id),
        case_id text NOT NULL,
        number bigint NOT NULL,
        body text NOT NULL,
        made_at timestamptz NOT NULL,
        attempts integer NOT NULL DEFAULT 0,
        next_at timestamptz NOT NULL,
        delivered_at timestamptz,
        dead_at timestamptz,
        last_error text NOT NULL DEFAULT '',
        UNIQUE (webhook_id, case_id, number)
    )
    """,
    """
    CREATE INDEX webhook_outbox_waiting ON webhook_outbox (webhook_id, case_id, place)
        WHERE delivered_at IS NULL AND dead_at IS NULL
    """,
)


def upgrade() -> None:
    """Make the tables, and the index anew."""
    for statement in _STATEMENTS:
        op.execute(statement)
