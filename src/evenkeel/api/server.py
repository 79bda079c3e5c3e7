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

from evenkeel.api.hot import Hot, HotProtocol
from evenkeel.decisions.engine.engine import Engine

Application = Callable[..., Awaitable[None]]

GRACE_S = 20  # for requests that are under way when the service is told to end
_BACKLOG = 2048
_YOUNG = 20_000  # objects made and not gone yet before the collector looks for rings among them


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
    # What was loaded until now stays: the collector need not walk through it again under load. What a request makes is
    # no ring and goes by itself, so looking for rings among it several times a batch finds nothing.
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)
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
    """Hang up on whoever takes too long: a look at all of them costs less than a timer for each."""
    while True:
        await asyncio.sleep(1)
        now = asyncio.get_running_loop().time()
        for protocol in list(server.server_state.connections):
            assert isinstance(protocol, HotProtocol)  # noqa: S101 - the one that is configured
            protocol.look(now)


def run(sock: socket.socket, make: Callable[[], tuple[Engine, Hot, Application]]) -> None:
    """`serve` in an event loop of its own. make: builds engine, hot routes and application inside the loop."""

    async def main() -> None:
        await serve(sock, *make())

    with asyncio.Runner(loop_factory=_loop) as runner:
        runner.run(main())


def _loop() -> asyncio.AbstractEventLoop:
    import uvloop  # it is not there on every platform that the rest runs on

    return uvloop.new_event_loop()
