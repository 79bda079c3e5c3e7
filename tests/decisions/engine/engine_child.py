"""A process of its own that decides, round by round: a URL in and `ready` out, then requests as JSON lines up to an
empty one in, replies in their order and `stopped` out."""

import asyncio
import sys
from datetime import UTC, datetime
from pathlib import Path

sys.path.append(str(Path(__file__).parent.parent.parent))

from engine_samples import connector, deciders

from evenkeel.decisions.engine.engine import Engine
from evenkeel.decisions.requests import read_request


def say(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - it is what the test reads


async def decide(url: str) -> None:
    engine = Engine(connector(url), deciders(), lambda: datetime.now(UTC))
    await engine.start()
    say("ready")
    requests = [read_request(line) for line in iter(sys.stdin.readline, "\n")]
    for reply in await asyncio.gather(*map(engine.submit, requests), return_exceptions=True):
        say(reply.decode() if isinstance(reply, bytes) else f"! {type(reply).__name__}: {reply}")
    await engine.stop()
    say("stopped")


if __name__ == "__main__":
    while url := sys.stdin.readline().strip():
        asyncio.run(decide(url))
