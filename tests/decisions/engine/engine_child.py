"""A process of its own that decides: `python engine_child.py URL`, requests as JSON lines in, replies out, in order."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent.parent))

from engine_samples import connector, deciders

from evenkeel.decisions.engine.engine import Engine
from evenkeel.decisions.requests import read_request


async def main(url: str) -> None:
    engine = Engine(connector(url), deciders(), lambda: datetime.now(UTC))
    await engine.start()
    print("ready", flush=True)  # noqa: T201 - it is what the test reads
    requests = [read_request(line) for line in sys.stdin if line.strip()]
    for reply in await asyncio.gather(*map(engine.submit, requests), return_exceptions=True):
        print(reply.decode() if isinstance(reply, bytes) else f"! {type(reply).__name__}: {reply}", flush=True)  # noqa: T201 - it is what the test reads
    await engine.stop()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
