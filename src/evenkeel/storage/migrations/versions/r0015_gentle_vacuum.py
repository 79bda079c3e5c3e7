"""Vacuum of the tables that only grow goes slowly.

Nothing in them is ever dead: vacuum comes to freeze what was added, and that has time. At its usual pace it writes so
many whole pages to the log that decisions wait for them: their 99th percentile under load was 20 ms, and 70 to 430 ms
while it ran. A fifth of that pace, begun four times as often, still does more than is added at thousands of decisions a
second.
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
            f"ALTER TABLE {table} SET (autovacuum_vacuum_cost_delay = 10, autovacuum_vacuum_insert_scale_factor = 0.05)"
        )
