"""The process that serves: one event loop, one engine, uvicorn on a socket that is bound already.

Several processes may serve one socket; the database orders what they do.
"""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import uvicorn

from evenkeel.api.hot import READING_S, Hot, HotProtocol
from evenkeel.decisions.engine.engine import Engine

Application = Callable[..., Awaitable[None]]

GRACE_S = 20  # for requests that are under way when the service is told to end
_BACKLOG = 2048


def listening(host: str, port: int) -> socket.socket:
    """A bound socket; port 0 takes a free one. Raises OSError where the port is taken."""
    bound = socket.create_server((host, port), backlog=_BACKLOG, reuse_port=False)
    bound.set_inheritable(True)
    return bound


async def serve(sock: socket.socket, engine: Engine, hot: Hot, application: Application) -> None:
    """Serve until a signal (SIGTERM, SIGINT) says to end; then answer who is there, and take nobody else.

    application: for every path; those of `hot` reach it only where they come in an unusual way.
    """
    await engine.start()
    # What was loaded until now stays: the collector need not walk through it again under load.
    gc.collect()
    gc.freeze()
    protocol: Any = partial(HotProtocol, hot)
    config = uvicorn.Config(
        application, loop="uvloop", http=protocol, ws="none", lifespan="off", log_config=None, access_log=False,
        server_header=False, date_header=False, proxy_headers=False, timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=30, backlog=_BACKLOG,
    )  # fmt: skip
    server = uvicorn.Server(config)
    sweeping = asyncio.get_running_loop().create_task(_sweep(server))
    try:
        await server.serve(sockets=[sock])
    finally:
        sweeping.cancel()
        await engine.stop()


async def _sweep(server: uvicorn.Server) -> None:
    """Hang up on whoever takes too long to send a request: a look at all of them costs less than a timer for each."""
    while True:
        await asyncio.sleep(1)
        late = asyncio.get_running_loop().time() - READING_S
        for protocol in list(server.server_state.connections):
            assert isinstance(protocol, HotProtocol)  # noqa: S101 - the one that is configured
            if protocol.reading_since is not None and protocol.reading_since < late:
                protocol.too_slow()


def run(sock: socket.socket, make: Callable[[], tuple[Engine, Hot, Application]]) -> None:
    """`serve` in an event loop of its own. make: builds engine, hot routes and application inside the loop."""

    async def main() -> None:
        await serve(sock, *make())

    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(main())


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop  # it is not there on every platform that the rest runs on

    return uvloop.new_event_loop()
