"""Webhooks, to a receiver that really listens: signed, in order for each case, again until taken, never with a name."""

from __future__ import annotations

import json
import logging
import secrets
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import sqlalchemy as sa
from case_world import World

from evenkeel.arrears.cases import acts, webhooks
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace


class Receiver:
    """What came in: headers and body of each. refuse: the statuses of the next answers, 200 after them."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.refuse: list[int] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = receiver.refuse.pop(0) if receiver.refuse else 200
                receiver.got.append((dict(self.headers), body))
                self.send_response(status)
                self.send_header("Location", "http://127.0.0.1:1/elsewhere")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?for=cases"

    def told(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.got]


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, args=(0.01,))
    thread.start()
    yield receiver
    receiver.server.shutdown()
    receiver.server.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _nobody_else(record: Workspace) -> None:
    """Addresses of earlier tests are told nothing."""
    with transaction(record.engine) as connection:
        connection.execute(sa.text("UPDATE webhook SET ended_at = made_at WHERE ended_at IS NULL"))


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def outbox(world: World) -> webhooks.Outbox:
    return webhooks.Outbox(world.record.engine, lambda: world.now)


def drain(world: World) -> int:
    box, steps = outbox(world), 0
    while box.step() is not None:
        steps += 1
    return steps


def story(world: World) -> tuple[str, str]:
    who = world.borrower()
    case_id = world.cases.open(who, "ana").case_id
    promise = acts.Promise(by="ana", amount_minor=12_345, on=world.today)
    world.cases.act(case_id, promise, secrets.token_hex(8))
    world.cases.act(case_id, acts.Dispute(by="ana", about="debt"), secrets.token_hex(8))
    return who, case_id


def test_each_fact_is_told_once_in_order_signed_and_without_a_name(world: World, receiver: Receiver) -> None:
    webhook, secret = webhooks.add(world.record.engine, lambda: world.now, world.lender, receiver.url)
    who, _ = story(world)
    assert drain(world) == 3 and drain(world) == 0
    told = receiver.told()
    assert [(one["type"], one["number"], one["state"]) for one in told] == [
        ("case.opened", 1, "open"), ("case.promise", 2, "promised"), ("case.dispute", 3, "disputed"),
    ]  # fmt: skip
    for headers, body in receiver.got:
        header = headers[webhooks.SIGNATURE]
        assert webhooks.genuine(secret.encode(), header, body, world.now)
        assert not webhooks.genuine(b"another", header, body, world.now)
        assert not webhooks.genuine(secret.encode(), header, body + b" ", world.now)
        assert not webhooks.genuine(secret.encode(), header, body, world.now + timedelta(seconds=301))
        assert set(json.loads(body)) == {"id", "type", "case_id", "number", "at", "state"}
        assert who.encode() not in body and b"12345" not in body and b"ana" not in body
    (one,) = webhooks.listed(world.record.engine, world.lender)
    assert (one.webhook_id, one.waiting, one.delivered, one.dead) == (webhook, 0, 3, 0)
    assert secret not in repr(one)


def test_what_is_not_taken_is_told_again_and_holds_up_its_own_case_alone(world: World, receiver: Receiver) -> None:
    webhooks.add(world.record.engine, lambda: world.now, world.lender, receiver.url)
    _, first = story(world)
    _, second = story(world)
    receiver.refuse = [500]
    assert drain(world) == 4  # of one case only the first, refused
    assert [one["case_id"] for one in receiver.told()][1:] == [second] * 3
    world.later(seconds=9)
    assert drain(world) == 0
    world.later(seconds=2)
    assert drain(world) == 3
    assert [one["number"] for one in receiver.told() if one["case_id"] == first] == [1, 1, 2, 3]


def test_a_redirection_is_not_followed(world: World, receiver: Receiver) -> None:
    webhooks.add(world.record.engine, lambda: world.now, world.lender, receiver.url)
    world.cases.open(world.borrower(), "x")
    receiver.refuse = [302]
    found = outbox(world).step()
    assert found is not None and found.error == "status 302"


def test_after_twelve_attempts_it_is_given_up_listed_and_can_be_tried_again(world: World, receiver: Receiver) -> None:
    webhooks.add(world.record.engine, lambda: world.now, world.lender, receiver.url)
    world.cases.open(world.borrower(), "x")
    receiver.refuse = [503] * webhooks.MOST_ATTEMPTS
    for attempt in range(1, webhooks.MOST_ATTEMPTS + 1):
        assert drain(world) == 1
        world.now += webhooks.wait(attempt)
    (dead,) = webhooks.dead_letters(world.record.engine, world.lender)
    assert (dead.attempts, dead.last_error) == (webhooks.MOST_ATTEMPTS, "status 503")
    webhooks.again(world.record.engine, lambda: world.now, dead.place)
    assert drain(world) == 1 and webhooks.dead_letters(world.record.engine, world.lender) == []
    with pytest.raises(NotFound):
        webhooks.again(world.record.engine, lambda: world.now, dead.place)


def test_waits_double_from_ten_seconds_to_six_hours() -> None:
    waits = [webhooks.wait(attempts).total_seconds() for attempts in range(1, 13)]
    assert waits[:4] == [10, 20, 40, 80] and waits[-1] == 20_480 and webhooks.wait(90) == timedelta(hours=6)


def test_an_address_that_is_not_there_is_not_asked_once_for_each_case(world: World) -> None:
    webhooks.add(world.record.engine, lambda: world.now, world.lender, "http://127.0.0.1:9/")
    for _ in range(3):
        world.cases.open(world.borrower(), "x")
    assert drain(world) == 1
    (one,) = webhooks.listed(world.record.engine, world.lender)
    assert one.waiting == 3


def test_a_fact_that_was_refused_is_not_told(world: World, receiver: Receiver) -> None:
    webhooks.add(world.record.engine, lambda: world.now, world.lender, receiver.url)
    case_id = world.cases.open(world.borrower(), "x").case_id
    act, name = acts.Dispute(by="x", about="debt"), secrets.token_hex(8)
    world.cases.act(case_id, act, name)
    world.cases.act(case_id, act, name)
    with pytest.raises(Conflict):
        world.cases.act(case_id, acts.Hardship(by="x", cause="job"), name)
    assert drain(world) == 2


def test_several_who_deliver_at_once_keep_the_order_of_each_case(world: World, receiver: Receiver) -> None:
    webhooks.add(world.record.engine, lambda: world.now, world.lender, receiver.url)
    names = [story(world)[1] for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: [drain(world) for _ in range(4)], range(4)))
    for name in names:
        assert [one["number"] for one in receiver.told() if one["case_id"] == name] == [1, 2, 3]


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://127.0.0.1/", "https://", "https://user:pass@example.com/", "javascript:alert(1)",
        "http://127.0.0.1.example.com/", "https://example.com/ x", "https://example.com:99999/", "", "https://[::1",
        "https://example.com/#part", "http://0.0.0.0/", "https://example.com/" + "a" * 500, "https://exämple.com/",
        "https://example.com/\r\nX-Injected: 1",
    ],
)  # fmt: skip
def test_an_address_that_is_neither_https_nor_this_machine_is_refused(world: World, url: str) -> None:
    with pytest.raises(InvalidInput, match=r"webhook"):
        webhooks.add(world.record.engine, lambda: world.now, world.lender, url)


def test_an_address_that_was_ended_is_told_nothing(world: World, receiver: Receiver) -> None:
    webhook, _ = webhooks.add(world.record.engine, lambda: world.now, world.lender, receiver.url)
    assert outbox(world).test(webhook) == ""
    assert receiver.told()[0]["type"] == "test"
    story(world)
    webhooks.end(world.record.engine, lambda: world.now, webhook)
    assert drain(world) == 0
    with pytest.raises(NotFound):
        webhooks.end(world.record.engine, lambda: world.now, webhook)
    with pytest.raises(NotFound):
        outbox(world).test(webhook)


@pytest.mark.parametrize("header", ["", "t=1", "v1=aa", "t=x,v1=y", "t=²,v1=y", "t=99999999999999,v1=y", "t=-1,v1=y"])
def test_a_signature_that_has_no_form_is_not_genuine(world: World, header: str) -> None:
    assert not webhooks.genuine(b"secret", header, b"body", world.now)


def test_no_secret_is_logged(world: World, receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        _, secret = webhooks.add(world.record.engine, lambda: world.now, world.lender, receiver.url)
        receiver.refuse = [500]
        story(world)
        drain(world)
    assert secret not in caplog.text
