"""Tables that only grow, for the migrations that make them: one function in the database, one trigger a table."""

FUNCTION = """
    CREATE FUNCTION table_refuses_change() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION 'the table % is append-only: % is refused', TG_TABLE_NAME, TG_OP
            USING ERRCODE = 'restrict_violation', HINT = TG_ARGV[0];
    END
    $$
"""


def append_only(table: str, hint: str) -> tuple[str, str]:
    """The statements that make a table refuse edits and deletions. hint: what to do instead, a sentence of ours."""
    return (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        f" FOR EACH STATEMENT EXECUTE FUNCTION table_refuses_change('{hint}')",
        f"ALTER TABLE {table} ENABLE ALWAYS TRIGGER {table}_append_only",
    )
