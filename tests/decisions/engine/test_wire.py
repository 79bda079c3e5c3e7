"""The wire: columns arrive as they were; what has failed is left alone, since its socket's number may be another's."""

import asyncio
import os
import socket

import psycopg
import pytest

from evenkeel.decisions.engine.wire import BYTEA, Wire, texts
from evenkeel.kernel.errors import Unavailable


@pytest.mark.parametrize(
    "column",
    [
        [],
        [b"a"],
        [b"", b"bc"],
        [None],
        [b"a", None, b""],
        [b"x" * 2047, b"x" * 2048, b"x" * 70_000],
        [b"x" * 5000, None],
    ],
)
def test_the_database_reads_a_column_as_it_was(url: str, column: list[bytes | None]) -> None:
    async def read() -> list[bytes | None]:
        wire = Wire(psycopg.connect(url), [(b"back", "SELECT unnest($1::bytea[])")])
        rows = (await wire.run([(b"back", (texts(BYTEA, column),))]))[0]
        wire.close()
        return [row[0] for row in rows]

    assert asyncio.run(read()) == column


def test_closing_a_lost_wire_leaves_whoever_has_its_sockets_number_now(url: str) -> None:
    async def lost() -> bytes:
        connection = psycopg.connect(url)
        number = connection.pgconn.socket
        wire = Wire(connection, [(b"one", "SELECT 1")])
        with psycopg.connect(url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", [connection.info.backend_pid])
        with pytest.raises(Unavailable):
            while True:  # its end may take a moment to come
                await wire.run([(b"one", ())])
        mine, theirs = socket.socketpair()
        taken = mine.fileno()
        if taken != number:
            os.dup2(taken, number)
        mine.setblocking(False)
        seen: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().add_reader(number, lambda: seen.done() or seen.set_result(os.read(number, 5)))
        wire.close()
        theirs.send(b"still")
        try:
            return await asyncio.wait_for(seen, 10)
        finally:
            asyncio.get_running_loop().remove_reader(number)
            if taken != number:
                os.close(number)
            mine.close()
            theirs.close()

    assert asyncio.run(lost()) == b"still"
