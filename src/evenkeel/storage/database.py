"""The way into PostgreSQL, embedded or given: engine, errors in words, migrations, and what doctor asks of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError

from evenkeel.kernel.errors import Conflict, InvalidInput, NotPermitted, Unavailable
from evenkeel.storage.embedded import DATABASE, PORT, USER, Address

HEAD = "0017"  # the newest revision; a test holds it to the migrations

# Two-part advisory lock keys: the first says what is locked. APPEND_LOCK is the top of a one-part key (`chain`).
MIGRATION_LOCK, IDEMPOTENCY_LOCK, APPEND_LOCK, POSTING_LOCK, POSTINGS_LOCK = 1, 2, 3, 4, 5
POLICY_LOCK, LIMITS_LOCK, IDENTITY_LOCK, FOLLOW_LOCK, TOKEN_LOCK = 6, 7, 8, 9, 10

_CHECK_URL = "Check EVENKEEL_DATABASE_URL (postgresql://USER:PASSWORD@HOST:PORT/DATABASE) and that the server is up."


def embedded_engine(address: Address) -> Engine:
    """An engine for the server of our own. The password is in no URL and no representation."""
    arguments = {
        "host": address.host,
        "port": PORT,
        "user": USER,
        "password": address.password,
        "dbname": DATABASE,
        "options": "-c timezone=UTC",
    }
    return sa.create_engine("postgresql+psycopg://", connect_args=arguments, pool_pre_ping=True, hide_parameters=True)


def given_engine(database_url: str) -> Engine:
    """An engine for a server that somebody else runs.

    Raises Unavailable if the URL cannot be read or nothing answers there; the message never shows the password.
    """
    try:
        url = make_url(database_url)
        if url.get_backend_name() not in ("postgresql", "postgres"):
            raise ArgumentError
        url = url.set(drivername="postgresql+psycopg")
        if "connect_timeout" not in url.query:
            url = url.update_query_dict({"connect_timeout": "10"})
    except (ArgumentError, ValueError):
        raise Unavailable("The database URL is not the URL of a PostgreSQL database.", _CHECK_URL) from None
    place = f"{url.host or 'the local socket'}:{url.port or 5432}/{url.database or ''} as {url.username or 'you'}"
    engine = sa.create_engine(url, pool_pre_ping=True, hide_parameters=True)
    try:
        with engine.connect():
            pass
    except DBAPIError as error:
        engine.dispose()
        reason = _first_line(error).replace(url.password or "\n", "…")
        raise Unavailable(f"The database at {place} cannot be reached: {reason}.", _CHECK_URL) from None
    except psycopg.Error:  # an option in the URL that the driver does not know
        engine.dispose()
        raise Unavailable(f"The database URL for {place} has an option that is not known.", _CHECK_URL) from None
    return engine


def apart(engine: Engine, name: str, connections: int, most_ms: int) -> Engine:
    """A few connections of their own to an engine's database, so that what uses them can exhaust nothing else.

    name: what the server calls them. most_ms: no statement on them may take longer.
    """

    def connect() -> psycopg.Connection[Any]:
        pooled = engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        assert isinstance(connection, psycopg.Connection)  # noqa: S101 - the one driver there is
        for setting, value in (("application_name", name), ("statement_timeout", str(most_ms))):
            connection.execute("SELECT set_config(%s, %s, false)", (setting, value))
        connection.commit()
        return connection

    return sa.create_engine(
        "postgresql+psycopg://", creator=connect, pool_size=connections, max_overflow=0, pool_timeout=most_ms / 1000,
        pool_pre_ping=True, hide_parameters=True,
    )  # fmt: skip


def _first_line(error: DBAPIError) -> str:
    """The server's own words, without the statement and its parameters."""
    lines = str(error.orig).strip().splitlines()
    return lines[0].strip().rstrip(".") if lines else type(error.orig).__name__


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction; what the database refuses becomes an error of the kernel.

    Raises Conflict (a key or reference is violated), InvalidInput (a value that PostgreSQL cannot hold),
    NotPermitted (append-only, missing rights), Unavailable (no answer, full disk).
    """
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise in_words(error) from error


def in_words(error: DBAPIError) -> Exception:
    """The kernel's error for one of the database's."""
    reason = _first_line(error)
    if isinstance(error.orig, psycopg.errors.RestrictViolation | psycopg.errors.InsufficientPrivilege):
        return NotPermitted(f"The database refuses: {reason}.", getattr(error.orig.diag, "message_hint", None) or "")
    if isinstance(error, IntegrityError):
        return Conflict(f"The record refuses: {reason}.", "Look at what is on record; a correction is a new fact.")
    if isinstance(error.orig, psycopg.DataError):
        return InvalidInput(f"The database cannot hold a value: {reason}.")
    return Unavailable(
        f"The database failed: {reason}.", "Check disk and server with `evenkeel doctor`, then try again."
    )


def revision(connection: Connection) -> str | None:
    """The revision that the database is at, or None where nothing has been made yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def migrate(engine: Engine) -> None:
    """Bring the database to HEAD in one transaction; processes that start together take turns.

    Raises Unavailable if a newer evenkeel wrote it, NotPermitted if tables may not be made there.
    """
    with transaction(engine) as connection:
        if revision(connection) == HEAD:
            return
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(MIGRATION_LOCK, 0)))
        # Imported late: it takes a third of a second, and most starts find nothing to do.
        from alembic import command
        from alembic.config import Config
        from alembic.util import CommandError

        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", "evenkeel.storage:migrations")
        try:
            command.upgrade(config, HEAD)
        except CommandError as error:
            raise Unavailable(
                f"The database is at revision {revision(connection)}, which this evenkeel does not know.",
                "A newer evenkeel wrote it: upgrade, or give this one a database of its own.",
            ) from error


def guarded(connection: Connection, table: str) -> bool:
    """Whether the trigger that keeps a table (journal, chain) append-only is there and always on."""
    query = sa.text(
        "SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass(:table) AND tgname = :name AND tgenabled = 'A'"
    )
    return bool(connection.execute(query, {"table": table, "name": f"{table}_append_only"}).scalar_one())


def server_version(connection: Connection) -> str:
    """The server's version, such as 18.4."""
    return str(connection.execute(sa.text("SHOW server_version")).scalar_one())
