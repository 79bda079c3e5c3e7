"""Vacuum of the tables that only grow is not begun by what is added, and goes slowly where it must.

Nothing in them is ever dead: vacuum would come to freeze what was added, again and again, and that has time. While it
ran, it wrote so many whole pages to the log that decisions waited for them: their 99th percentile under load was 20 ms,
and 70 to 430 ms meanwhile, 57 to 67 ms at a fifth of its pace. What is left is the freezing that the database asks for
itself, long before transaction numbers run out (`autovacuum_freeze_max_age`), at a tenth of the usual pace. Whoever has
quiet hours runs `VACUUM journal, decision` in them, and it never comes to that.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Say so for each of them; the tables of their long values follow."""
    for table in ("journal", "decision"):
        op.execute(
            f"ALTER TABLE {table} SET (autovacuum_vacuum_insert_threshold = -1, autovacuum_vacuum_cost_delay = 20)"
        )
