"""The chain: a link over the facts of every append, and each fact names its link.

Facts from before are put under one link, number 0, of a writer of their own (the nil UUID). Its hash holds them as they
stood at this moment; what happened to them earlier nobody can say.
"""

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_STATEMENTS = (
    """
    CREATE TABLE chain (
        link bigint PRIMARY KEY,
        writer uuid NOT NULL,
        number bigint NOT NULL,
        previous bytea NOT NULL,
        facts bigint NOT NULL,
        hash bytea NOT NULL,
        UNIQUE (writer, number)
    )
    """,
    "CREATE SEQUENCE chain_link OWNED BY chain.link",
    # The default reaches the facts that are there without an UPDATE; then it goes, so that later ones must name a link.
    "ALTER TABLE journal ADD COLUMN link bigint NOT NULL DEFAULT 0",
    "ALTER TABLE journal ALTER COLUMN link DROP DEFAULT",
    "CREATE INDEX journal_link ON journal (link)",
    """
    INSERT INTO chain (link, writer, number, previous, facts, hash)
    SELECT link, writer, number, previous, facts,
        sha256(previous || uuid_send(writer) || int8send(link) || int8send(number) || int8send(facts) || digests)
    FROM (
        SELECT 0::bigint AS link, '00000000-0000-0000-0000-000000000000'::uuid AS writer, 1::bigint AS number,
            decode(repeat('00', 32), 'hex') AS previous, count(*) AS facts,
            string_agg(sha256(convert_to(json_build_array(
                seq, event_id, kind, borrower_id, account_id, extract(epoch FROM effective_at),
                extract(epoch FROM booked_at), reversal_of, payload
            )::text, 'UTF8')), ''::bytea ORDER BY seq) AS digests
        FROM journal
    ) AS earlier
    WHERE facts > 0
    """,
    """
    CREATE FUNCTION chain_refuses_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the chain is append-only: % is refused', TG_OP
            USING ERRCODE = 'restrict_violation', HINT = 'Links come with facts: append one.';
    END
    $$
    """,
    """
    CREATE TRIGGER chain_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON chain
        FOR EACH STATEMENT EXECUTE FUNCTION chain_refuses_change()
    """,
    "ALTER TABLE chain ENABLE ALWAYS TRIGGER chain_append_only",
)


def upgrade() -> None:
    """Make the chain, and put the facts that are there under its first link."""
    for statement in _STATEMENTS:
        op.execute(statement)
