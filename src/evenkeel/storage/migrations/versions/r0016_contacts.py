"""An index for what is looked up before each contact: earlier ones, and what stands in the way."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Few facts of a borrower are of these kinds."""
    op.execute("""
    CREATE INDEX journal_contact ON journal (borrower_id, seq) WHERE kind IN
        ('contact.asked', 'contact.ended', 'event.promise', 'event.stop_contact', 'event.dispute_opened',
         'event.dispute_closed', 'event.plan_signed', 'event.plan_broken', 'event.plan_completed',
         'event.consent_given', 'event.consent_withdrawn')
    """)
