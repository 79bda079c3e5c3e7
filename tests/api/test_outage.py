"""What is said while something outside, or the service itself, cannot answer: 503, and when to come again."""

import asyncio
import secrets
import time

import sqlalchemy as sa
from asking import ask
from engine_samples import LENDER, deciders

from evenkeel.api.hot import Hot
from evenkeel.decisions.engine.engine import Engine
from evenkeel.kernel.clock import system_clock

PURCHASE = {"borrower_id": "b1", "account_id": "a1", "amount_minor": 10}


def test_an_outage_of_the_database_is_told_and_over_when_it_is_over(start) -> None:
    with start() as service:

        def buy() -> tuple[int, dict[str, str]]:
            status, _, headers = ask(service.port, "POST", "/v1/authorisations", service.key, PURCHASE,
                                     Idempotency_Key=secrets.token_hex(8))  # fmt: skip
            return status, headers

        assert buy()[0] == 200
        own = service.workspace.engine.url
        outside = sa.create_engine(own.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with outside.connect() as connection:
            connection.execute(sa.text(f"ALTER DATABASE {own.database} ALLOW_CONNECTIONS false"))
            ending = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name")
            connection.execute(ending, {"name": own.database})
            assert ask(service.port, "GET", "/health")[0] == 200
            until = time.monotonic() + 30
            while buy()[0] == 200:  # its connection is still being ended
                assert time.monotonic() < until
            for status, headers in (buy(), buy(), ask(service.port, "GET", "/ready")[::2]):
                assert (status, headers["retry-after"]) == (503, "1")
            assert ask(service.port, "GET", "/v1/limits/a1", service.key)[0] == 503
            connection.execute(sa.text(f"ALTER DATABASE {own.database} ALLOW_CONNECTIONS true"))
        outside.dispose()
        until = time.monotonic() + 30
        while buy()[0] != 200:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert ask(service.port, "GET", "/ready")[0] == 200


def test_a_service_that_ends_takes_nothing_more() -> None:
    async def asked() -> list[dict]:
        engine = Engine(lambda: None, deciders(), system_clock)
        await engine.stop()
        sent: list[dict] = []

        async def receive() -> dict:
            return {"type": "http.request", "body": b'{"borrower_id":"b1","kind":"login"}'}

        async def send(message: dict) -> None:
            sent.append(message)

        scope = {"method": "POST", "path": "/v1/events", "headers": [(b"idempotency-key", b"k1")]}
        await Hot(engine, lambda headers, needed: LENDER)(scope, receive, send)
        return sent

    started, _ = asyncio.run(asked())
    assert started["status"] == 503 and dict(started["headers"])[b"retry-after"] == b"1"
