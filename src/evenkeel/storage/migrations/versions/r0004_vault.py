"""The identity vault: sealed values, marks to search by, and who looked.

Everything here is worthless without two things outside the database: the master key, and for each person and each
bucket of marks a shard that erasure overwrites. `vault_doomed` lists the shards whose overwriting is committed to.
"""

from alembic import op

from evenkeel.storage.migrations.append_only import append_only

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_STATEMENTS = (
    # Numbers of shards; none is ever given twice.
    "CREATE SEQUENCE vault_slot MINVALUE 0 START 0",
    """
    CREATE TABLE vault_key (
        version integer PRIMARY KEY,
        vault_id uuid NOT NULL,
        check_value bytea NOT NULL,
        made_at timestamptz NOT NULL
    )
    """,
    """
    CREATE TABLE vault_person (
        borrower_id text PRIMARY KEY,
        version integer REFERENCES vault_key,
        slot bigint UNIQUE,
        wrapped bytea,
        name bytea,
        id_number bytea,
        phone bytea,
        cards bytea,
        address bytea,
        erased_at timestamptz,
        CHECK (erased_at IS NULL AND num_nonnulls(version, slot, wrapped) = 3
            OR erased_at IS NOT NULL
                AND num_nonnulls(version, slot, wrapped, name, id_number, phone, cards, address) = 0)
    )
    """,
    """
    CREATE TABLE vault_bucket (
        version integer NOT NULL REFERENCES vault_key,
        bucket integer NOT NULL,
        slot bigint NOT NULL UNIQUE,
        PRIMARY KEY (version, bucket)
    )
    """,
    """
    CREATE TABLE vault_mark (
        version integer NOT NULL,
        bucket integer NOT NULL,
        mark bytea NOT NULL,
        whom bytea NOT NULL,
        PRIMARY KEY (version, bucket, mark, whom)
    )
    """,
    "CREATE TABLE vault_doomed (slot bigint PRIMARY KEY)",
    """
    CREATE TABLE vault_log (
        entry bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        who text NOT NULL,
        action text NOT NULL,
        reason text NOT NULL,
        fields text[] NOT NULL,
        borrower_ids text[] NOT NULL
    )
    """,
    "CREATE INDEX vault_log_borrower ON vault_log USING gin (borrower_ids)",
    *append_only("vault_log", "Who looked stays on record."),
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
