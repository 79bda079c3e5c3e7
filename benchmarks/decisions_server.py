"""The service that benchmarks/decisions.py asks: URL WORKERS LANES. Prints its port."""

from __future__ import annotations

import re
import sys
from datetime import UTC, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

import numpy as np
import psycopg

from evenkeel.api.hot import ROUTES, Hot
from evenkeel.api.server import listening, run
from evenkeel.api.workers import keep
from evenkeel.behaviour.definitions import Entity, shipped
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.engine.engine import Engine
from evenkeel.scoring.scorecard import Feature, Pair, Scorecard

LENDER = "lender-1"
BINS = 16


def scorecard() -> Scorecard:
    """Every shipped feature of a borrower, 16 bins each, and ten pairs."""
    rng = np.random.default_rng(3)
    names = [entry.name for entry in shipped().of(Entity.BORROWER)]
    features = tuple(Feature(name, name, np.sort(rng.lognormal(3, 3, BINS - 1))) for name in names)
    tables = tuple(rng.normal(0, 0.1, feature.size) for feature in features)
    counts = tuple(np.full(feature.size, 10.0) for feature in features)
    pairs = []
    for place in range(10):
        first, second = (np.minimum(np.arange(BINS + 1) // 3, 5).astype(np.int32) for _ in range(2))
        pairs.append(Pair(place, place + 1, first, second, rng.normal(0, 0.05, (6, 6)), np.ones((6, 6))))
    return Scorecard("additive", -3.0, features, tables, counts, counts, tuple(pairs))


def thirty_rows(text: str) -> str:
    """The shipped policy of purchases with further rows of its kind, thirty in all."""
    found = re.search(r'<rule id="device-busy".*?</rule>', text, re.DOTALL)
    assert found is not None
    more = "".join(
        found[0].replace("device-busy", f"device-busy-{n}").replace("&gt;= 3", f"&gt;= {n}")
        for n in range(4, 34 - text.count("<rule "))
    )
    longer = text.replace(found[0], found[0] + re.sub(r'(id=")(?!device-busy)', r"\1more-", more))
    assert longer.count("<rule ") == 30
    return longer


def deciders() -> Deciders:
    """60 features and more, all in the scorecard, and the shipped policies."""

    def shipped_text(room: str, name: str) -> str:
        return (files(room) / "shipped" / name).read_text(encoding="utf-8")

    return Deciders(
        shipped_text("evenkeel.behaviour", "features.toml"), frozenset({LENDER}), scorecard(),
        thirty_rows(shipped_text("evenkeel.policy", "authorisation.dmn")),
        shipped_text("evenkeel.policy", "granting.dmn"),
        ZoneInfo("UTC"), 10**9,
    )  # fmt: skip


def main() -> None:
    url, workers, lanes = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    sock = listening("127.0.0.1", 0)
    having = deciders()
    having.warm()
    print(sock.getsockname()[1], flush=True)

    def make():
        engine = Engine(lambda: psycopg.connect(url), having, lambda: datetime.now(UTC), lanes)
        hot = Hot(engine, lambda headers, scope: LENDER)

        async def application(scope, receive, send):
            if scope["type"] == "http" and scope["path"] in ROUTES:
                await hot(scope, receive, send)

        return engine, hot, application

    if workers == 1:
        run(sock, make)
    else:
        keep(workers, lambda number: run(sock, make), sock.close)


if __name__ == "__main__":
    main()
