"""A server for tests, with the sample policies and no keys: `python serving.py URL-OR-WORKSPACE PORT`.

Prints its port once it can be asked.
"""

import sys
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent.parent.parent))

from engine_samples import LENDER, connector, deciders

from evenkeel.api.hot import ROUTES, Hot
from evenkeel.api.server import listening, run
from evenkeel.decisions.engine.engine import Engine
from evenkeel.kernel.clock import system_clock
from evenkeel.storage import homes
from evenkeel.storage.workspace import open_workspace


def url_of(place: Path) -> str:
    """The URL of a workspace's own server."""
    data = homes.home_of(place.resolve()) / "data"
    return f"postgresql://evenkeel:{(data.parent / 'password').read_text()}@/postgres?host={data}"


def main(where: str, port: int) -> None:
    with ExitStack() as stack:
        url = where
        if not where.startswith("postgresql"):
            stack.enter_context(open_workspace(Path(where), database_url=None, clock=system_clock))
            url = url_of(Path(where))
        sock = listening("127.0.0.1", port)

        def make() -> tuple[Engine, Hot, Any]:
            engine = Engine(connector(url), deciders(), lambda: datetime.now(UTC))
            hot = Hot(engine, lambda headers, scope: LENDER)

            async def application(scope: Any, receive: Any, send: Any) -> None:
                if scope["type"] == "http" and scope["path"] in ROUTES:
                    await hot(scope, receive, send)

            return engine, hot, application

        print(sock.getsockname()[1], flush=True)  # noqa: T201 - it is what the test reads
        run(sock, make)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
