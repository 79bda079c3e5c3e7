"""A connection that sends many statements in one go and never blocks the event loop.

psycopg's own objects are made for one statement at a time; here a batch is two round trips, so the protocol is spoken
through libpq (`psycopg.pq`): statements are prepared once, parameters are binary arrays, results are read as bytes.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import psycopg
from psycopg.pq import ConnStatus, ExecStatus
from sqlalchemy.engine import Engine

from evenkeel.kernel.errors import Unavailable

Query = tuple[bytes, Sequence[bytes | None]]  # the name of a prepared statement, its parameters in binary
Rows = list[list[bytes | None]]

INT8, TEXT, BYTEA, UUID, TIMESTAMPTZ, BOOL, INT4 = 20, 25, 17, 2950, 1184, 16, 23

_HEADER = struct.Struct(">iiiii")
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)
_SHORT = 2048
_LENGTHS = [_LENGTH.pack(length) for length in range(_SHORT)]
_DAY_ZERO = date(2000, 1, 1).toordinal()
_EPOCH_US = 946_684_800_000_000  # 2000-01-01, where PostgreSQL counts instants from, in microseconds since 1970


class StatementFailed(Exception):  # noqa: N818 - it did
    """The database refused a statement; the transaction has to be rolled back. code: the SQLSTATE."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def fixed(oid: int, values: npt.NDArray[Any]) -> bytes:
    """A binary array of numbers without nulls: int64 (also instants in microseconds since 1970) or int32."""
    wide = oid in (INT8, TIMESTAMPTZ)
    if oid == TIMESTAMPTZ:
        values = values - _EPOCH_US
    cells = np.empty(len(values), [("length", ">i4"), ("value", ">i8" if wide else ">i4")])
    cells["length"] = 8 if wide else 4
    cells["value"] = values
    return _HEADER.pack(1, 0, oid, len(values), 1) + cells.tobytes()


def texts(oid: int, values: Sequence[bytes | None]) -> bytes:
    """A binary array of values of any length (text, bytea, uuid), None for null."""
    parts: list[bytes] = [b""] * (2 * len(values))
    # Without a step of Python for each value, where there is no null and none is long.
    try:
        parts[::2] = [*map(_LENGTHS.__getitem__, map(len, values))]  # type: ignore[arg-type]
        parts[1::2] = values  # type: ignore[assignment]
    except (TypeError, IndexError):
        parts[::2] = [_NULL if value is None else _LENGTH.pack(len(value)) for value in values]
        parts[1::2] = [value or b"" for value in values]
    return _HEADER.pack(1, 1, oid, len(values), 1) + b"".join(parts)


def words(values: Iterable[str]) -> bytes:
    """A binary array of texts, none of them null."""
    return texts(TEXT, [*map(str.encode, values)])


def instant(microseconds: int) -> bytes:
    """An instant, given in microseconds since 1970, as one binary timestamptz."""
    return struct.pack(">q", microseconds - _EPOCH_US)


def day_of(day: date) -> bytes:
    """A day as one binary date."""
    return struct.pack(">i", day.toordinal() - _DAY_ZERO)


def detached(engine: Engine) -> Callable[[], psycopg.Connection[Any]]:
    """Connections of an engine's database that nobody else will use."""

    def connect() -> psycopg.Connection[Any]:
        pooled = engine.raw_connection()
        connection = pooled.driver_connection
        pooled.detach()
        assert isinstance(connection, psycopg.Connection)  # noqa: S101 - the one driver there is
        return connection

    return connect


class Wire:
    """One connection of one event loop; one `run` at a time."""

    def __init__(self, connection: psycopg.Connection[Any], statements: Iterable[tuple[bytes, str]]) -> None:
        """statements: name and text of what `run` may be asked for. Raises psycopg.Error where one is not SQL."""
        self._connection = connection
        connection.autocommit = True
        self._pg = connection.pgconn
        for name, text in statements:
            result = self._pg.prepare(name, text.encode())
            if result.status != ExecStatus.COMMAND_OK:
                raise psycopg.ProgrammingError(f"{name.decode()}: {result.error_message.decode()}")
        self._pg.nonblocking = 1
        self._pg.enter_pipeline_mode()
        self._loop = asyncio.get_running_loop()
        self._socket = self._pg.socket
        self._done: asyncio.Future[list[Rows]] | None = None
        self._results: list[Rows] = []
        self._failure: StatementFailed | None = None
        self._loop.add_reader(self._socket, self._readable)
        self._watched = True

    async def run(self, queries: Sequence[Query]) -> list[Rows]:
        """Send statements in one go; the rows of each.

        Raises StatementFailed where one is refused (those after it are skipped), Unavailable where the server is gone.
        """
        self._results, self._failure = [], None
        done: asyncio.Future[list[Rows]] = self._loop.create_future()
        self._done = done
        try:
            for name, parameters in queries:
                self._pg.send_query_prepared(name, parameters, [1] * len(parameters), 1)
            self._pg.pipeline_sync()
            self._write()
        except psycopg.Error as error:
            self._unwatch()
            raise self._lost() from error
        return await done

    def close(self) -> None:
        """End the connection; a transaction that was open on it is rolled back."""
        self._unwatch()
        self._connection.close()

    def _unwatch(self) -> None:
        """Forget the socket, once: what has failed is closed already, and its number may be somebody else's by now."""
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)

    def _write(self) -> None:
        if self._pg.flush():
            self._loop.add_writer(self._socket, self._writable)

    def _writable(self) -> None:
        try:
            if not self._pg.flush():
                self._loop.remove_writer(self._socket)
        except psycopg.Error:
            self._fail(self._lost())

    def _readable(self) -> None:
        pg = self._pg
        try:
            pg.consume_input()
            while not pg.is_busy():
                result = pg.get_result()
                if result is None:  # the end of one statement's results, or nothing is under way
                    if self._done is None or self._done.done() or pg.status != ConnStatus.OK:
                        break
                    continue
                if self._take(result):
                    break
        except psycopg.Error:
            self._fail(self._lost())
            return
        if pg.status != ConnStatus.OK:
            self._fail(self._lost())

    def _take(self, result: Any) -> bool:
        """Keep one result; whether it was the last."""
        status = result.status
        if status == ExecStatus.TUPLES_OK:
            columns, get = range(result.nfields), result.get_value
            self._results.append([[*map(get, repeat(row), columns)] for row in range(result.ntuples)])
        elif status == ExecStatus.COMMAND_OK:
            self._results.append([])
        elif status == ExecStatus.PIPELINE_SYNC:
            done, self._done = self._done, None
            if done is not None and not done.done():
                if self._failure is not None:
                    done.set_exception(self._failure)
                else:
                    done.set_result(self._results)
            return True
        elif status != ExecStatus.PIPELINE_ABORTED and self._failure is None:
            code = result.error_field(67) or b""  # PG_DIAG_SQLSTATE
            text = result.error_field(77) or result.error_message  # PG_DIAG_MESSAGE_PRIMARY
            self._failure = StatementFailed(code.decode(), text.decode(errors="replace"))
        return False

    def _lost(self) -> Unavailable:
        return Unavailable("The database does not answer.", "Send the request again with the same key.")

    def _fail(self, error: Unavailable) -> None:
        self._unwatch()
        done, self._done = self._done, None
        if done is not None and not done.done():
            done.set_exception(error)
