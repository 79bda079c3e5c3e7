"""Connections on which nothing comes: ended after a time, unless an answer is still to be given."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from evenkeel.api.hot import READING_S, Hot, HotProtocol

KEEP_ALIVE_S = 30
BODY = b'{"borrower_id": "b1", "account_id": "a1", "amount_minor": 5}'
WHOLE = (
    b"POST /v1/authorisations HTTP/1.1\r\nHost: here\r\nIdempotency-Key: k\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
)


class Transport:
    """What was written, and whether the connection was closed."""

    def __init__(self) -> None:
        self.written, self.closed = b"", False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str) -> None:
        return None

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Later:
    """An engine that answers when it is told to."""

    def __init__(self) -> None:
        self.asked: list[asyncio.Future[bytes]] = []

    def submit(self, request: object) -> asyncio.Future[bytes]:
        self.asked.append(asyncio.get_running_loop().create_future())
        return self.asked[-1]


Act = Callable[[HotProtocol, Transport, Later], Awaitable[None]]


@pytest.fixture
def connected() -> Callable[[Act], None]:
    """Runs something with a connection."""

    def run(act: Act) -> None:
        async def main() -> None:
            async def nobody(scope: Any, receive: Any, send: Any) -> None: ...

            config = uvicorn.Config(nobody, ws="none", lifespan="off", log_config=None, timeout_keep_alive=KEEP_ALIVE_S)
            config.load()
            later, transport = Later(), Transport()
            hot = Hot(cast(Any, later), lambda headers, scope: "lender-1")
            protocol = HotProtocol(hot, config=config, server_state=ServerState(), app_state={})
            protocol.connection_made(cast(Any, transport))
            await act(protocol, transport, later)

        asyncio.run(main())

    return run


def test_whoever_asks_nothing_more_is_let_go(connected: Callable[[Act], None]) -> None:
    async def act(protocol: HotProtocol, transport: Transport, later: Later) -> None:
        for _ in range(2):
            protocol.data_received(WHOLE)
            later.asked[-1].set_result(b"{}")
            await asyncio.sleep(0)
        assert transport.written.count(b"HTTP/1.1 200") == 2
        now = asyncio.get_running_loop().time()
        protocol.look(now + KEEP_ALIVE_S - 1)
        assert not transport.closed
        protocol.look(now + KEEP_ALIVE_S + 1)
        assert transport.closed and transport.written.count(b"HTTP/1.1") == 2

    connected(act)


def test_whoever_waits_for_an_answer_gets_it(connected: Callable[[Act], None]) -> None:
    async def act(protocol: HotProtocol, transport: Transport, later: Later) -> None:
        protocol.data_received(WHOLE)
        later.asked[-1].set_result(b"{}")
        await asyncio.sleep(0)
        protocol.data_received(WHOLE[:40])
        protocol.data_received(WHOLE[40:])
        protocol.look(asyncio.get_running_loop().time() + 10 * KEEP_ALIVE_S)
        assert not transport.closed
        later.asked[-1].set_result(b"{}")
        await asyncio.sleep(0)
        assert transport.written.count(b"HTTP/1.1 200") == 2

    connected(act)


@pytest.mark.parametrize("begun", [b"", WHOLE[:40], WHOLE[:-1]])
def test_whoever_sends_slowly_is_told_so(connected: Callable[[Act], None], begun: bytes) -> None:
    async def act(protocol: HotProtocol, transport: Transport, later: Later) -> None:
        protocol.data_received(begun)
        now = asyncio.get_running_loop().time()
        protocol.look(now + READING_S - 1)
        assert not transport.closed
        protocol.look(now + READING_S + 1)
        assert transport.closed and transport.written.startswith(b"HTTP/1.1 408")

    connected(act)
