"""The register of policies: every version's text, and who proposed, approved and took back what, when and why."""

from alembic import op

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
    """
    CREATE FUNCTION policy_refuses_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the register of policies is append-only: % is refused', TG_OP
            USING ERRCODE = 'restrict_violation', HINT = 'Publish another version, or roll back.';
    END
    $$
    """,
    """
    CREATE TRIGGER policy_text_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policy_text
        FOR EACH STATEMENT EXECUTE FUNCTION policy_refuses_change()
    """,
    "ALTER TABLE policy_text ENABLE ALWAYS TRIGGER policy_text_append_only",
    """
    CREATE TRIGGER policy_event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON policy_event
        FOR EACH STATEMENT EXECUTE FUNCTION policy_refuses_change()
    """,
    "ALTER TABLE policy_event ENABLE ALWAYS TRIGGER policy_event_append_only",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _STATEMENTS:
        op.execute(statement)
