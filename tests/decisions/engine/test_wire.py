"""The wire: what has failed is left alone, since the number of its socket may be another's by then."""

import asyncio
import os
import socket

import psycopg
import pytest

from evenkeel.decisions.engine.wire import Wire
from evenkeel.kernel.errors import Unavailable


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
