"""A service that runs takes up what is published, and moves limits as things happen."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from asking import ask
from engine_samples import FITTING, LENDER, policy
from running import Running

from evenkeel.decisions.replay import replay
from evenkeel.kernel.clock import system_clock
from evenkeel.policy.program import load_program
from evenkeel.policy.register import WHOLE_PPM, Register
from evenkeel.storage.database import transaction

CLOSED = policy("authorisation", 'if amount_minor &gt; 0 then "decline" else "decline"')
SOON_S = 30.0  # a machine may be busy; it is two seconds where it is not


@pytest.fixture(scope="module")
def published(start: Any) -> Iterator[Running]:
    """A service without policies by hand."""
    with start("--workers", "2", by_hand=False) as running:
        yield running


def put_in_force(running: Running, text: str, kind: str = "authorisation", share_ppm: int = WHOLE_PPM) -> str:
    """A policy that two people published; its version."""
    register, version = Register(running.workspace.engine, system_clock), load_program(text).version
    register.propose(kind, version, "sample", text, lambda _: (), by="ana", why="test", share_ppm=share_ppm)
    register.approve(kind, version, by="ben", why="test")
    return version


def buy(running: Running, key: str, borrower: str = "b2", account: str = "a2") -> dict[str, Any]:
    body = {"borrower_id": borrower, "account_id": account, "amount_minor": 1_000}
    status, told, _ = ask(running.port, "POST", "/v1/authorisations", running.key, body, Idempotency_Key=key)
    assert status == 200, told
    return told


def until(found: Callable[[], Any]) -> Any:
    """What is found, once something is."""
    deadline = time.monotonic() + SOON_S
    while not (told := found()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.1)
    return told


class Load:
    """Purchases one after the other, from a few clients."""

    def __init__(self, running: Running) -> None:
        self.running, self.told, self.stopping = running, list[dict[str, Any]](), False
        self.threads = [threading.Thread(target=self.run, args=(name,)) for name in ("x", "y", "z")]
        for thread in self.threads:
            thread.start()

    def run(self, name: str) -> None:
        number = 0
        while not self.stopping:
            number += 1
            self.told.append(buy(self.running, f"{name}{number}"))

    def stop(self) -> list[dict[str, Any]]:
        self.stopping = True
        for thread in self.threads:
            thread.join()
        return self.told


def test_what_is_published_and_taken_back_decides_within_seconds_under_load(published: Running) -> None:
    load = Load(published)
    try:
        open_version = put_in_force(published, FITTING)
        until(lambda: load.told and load.told[-1]["outcome"] == "approve")
        put_in_force(published, CLOSED)
        until(lambda: load.told[-1]["outcome"] == "decline")
        Register(published.workspace.engine, system_clock).rollback("authorisation", by="ana", why="complaints")
        until(lambda: load.told[-1]["outcome"] == "approve")
    finally:
        told = load.stop()
    with transaction(published.workspace.engine) as connection:
        rows = connection.execute(sa.text("SELECT version, content FROM artefact WHERE kind = 'deciders'"))
        policies = {version: json.loads(content)["authorisation"] for version, content in rows}
    outcome_of = {open_version: "approve", load_program(CLOSED).version: "decline"}
    decided = [(policies[one["deciders"]], one["outcome"]) for one in told]
    assert {version for version, _ in decided} >= outcome_of.keys()
    assert all(outcome_of[version] == outcome for version, outcome in decided if version in outcome_of)
    found = list(replay(published.workspace, 1, 1_000_000))
    assert len(found) >= len(told) and all(one.identical for one in found)


def test_health_and_counts_tell_what_decides(published: Running) -> None:
    version = put_in_force(published, policy("grant", 'if requested_minor &gt; 5 then "refer" else "refer"'), "grant")
    rival = policy("grant", 'if requested_minor &gt; 7 then "refer" else "refer"')
    put_in_force(published, rival, "grant", 300_000)
    health = until(lambda: (told := ask(published.port, "GET", "/health")[1])["challengers"] and told)
    assert health["policies"]["grant"] == version
    assert health["challengers"]["grant"]["policy"] == load_program(rival).version
    line = f'evenkeel_policy_share{{deciders="{health["challengers"]["grant"]["deciders"]}",kind="grant"'
    until(lambda: line in ask(published.port, "GET", "/metrics")[1].decode())


def test_a_challenger_decides_on_its_borrowers_and_both_replay(published: Running) -> None:
    put_in_force(published, policy("grant", 'if requested_minor &gt; 9 then "refer" else "refer"'), "grant")
    rival = put_in_force(published, policy("grant", '"decline"'), "grant", 500_000)
    until(lambda: ask(published.port, "GET", "/health")[1]["challengers"].get("grant", {}).get("policy") == rival)
    time.sleep(2.5)  # the other process looks too
    told = {}
    for number in range(40):
        body = {"borrower_id": f"n{number}", "product": "card", "requested_minor": 500}
        status, answer, _ = ask(
            published.port, "POST", "/v1/decisions", published.key, body, Idempotency_Key=f"c{number}"
        )
        assert status == 200
        told[f"n{number}"] = answer
    standing = Register(published.workspace.engine, system_clock).standing("grant")
    for borrower, answer in told.items():
        assert answer["outcome"] == ("decline" if standing.for_borrower(borrower) == rival else "refer")
    assert len({answer["deciders"] for answer in told.values()}) == 2
    assert all(one.identical for one in replay(published.workspace, 1, 1_000_000))


def test_a_policy_that_cannot_be_read_here_leaves_the_one_before(published: Running) -> None:
    before = ask(published.port, "GET", "/health")[1]["policies"]["limit"]
    register = Register(published.workspace.engine, system_clock)
    register.propose("limit", "policy-unreadable", "sample", "<no dmn", lambda _: (), by="ana", why="test")
    register.approve("limit", "policy-unreadable", by="ben", why="test")
    until(lambda: "cannot be read" in published.log.read_text())
    version = put_in_force(published, FITTING.replace("&lt;=", "&lt;"))  # others are taken up all the same
    health = lambda: ask(published.port, "GET", "/health")[1]["policies"]  # noqa: E731
    told = until(lambda: (now := health())["authorisation"] == version and now)
    assert told["limit"] == before


def test_events_freeze_a_line_and_the_review_can_be_asked_for(service: Running) -> None:
    def send(kind: str, key: str, **payload: Any) -> None:
        body = {"borrower_id": "b2", "kind": kind, "payload": payload}
        assert ask(service.port, "POST", "/v1/events", service.key, body, Idempotency_Key=key)[0] == 200

    send("bureau_report", "r1", overdue=0, service_minor=0)
    send("outside_overdue", "r2", line="x")
    until(lambda: ask(service.port, "GET", "/v1/limits/a2", service.key)[1]["frozen"])
    line = ask(service.port, "GET", "/v1/limits/a2", service.key)[1]
    assert line["moves"][0]["outcome"] == "freeze" and line["moves"][0]["reasons"] == ["overdue_elsewhere"]
    assert buy(service, "after")["reasons"] == ["line_frozen"]
    body = {"borrower_id": "b2", "account_id": "a2"}
    asked = [ask(service.port, "POST", "/v1/limits", service.key, body, Idempotency_Key="l1") for _ in range(2)]
    assert asked[0][:2] == asked[1][:2] and asked[0][1]["outcome"] == "keep"
    found = ask(service.port, "GET", f"/v1/decisions/{asked[0][1]['decision_id']}", service.key)[1]
    assert found["kind"] == "limit" and found["decision"] == asked[0][1]
    assert ask(service.port, "POST", "/v1/limits", service.other, body, Idempotency_Key="l2")[0] == 404
    assert ask(service.port, "POST", "/v1/limits", service.reader, body, Idempotency_Key="l3")[0] == 403
    assert 'evenkeel_limit_reviews_total{outcome="freeze"} 1.0' in ask(service.port, "GET", "/metrics")[1].decode()
    assert LENDER in {row[0] for row in _lenders(service)}


def _lenders(service: Running) -> list[Any]:
    with transaction(service.workspace.engine) as connection:
        return list(connection.execute(sa.text("SELECT lender_id FROM decision WHERE kind = 'limit'")))
