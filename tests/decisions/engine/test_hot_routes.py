"""The hot routes over HTTP, on a real socket."""

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from engine_samples import book, opening

from evenkeel.storage.workspace import Workspace

SERVING = Path(__file__).with_name("serving.py")


@pytest.fixture
def port(workspace: Workspace, url: str) -> Iterator[int]:
    book(workspace, opening("a1", "b1", 100_000, datetime.now(UTC).date().isoformat()))
    process = subprocess.Popen([sys.executable, str(SERVING), url, "0"], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    yield int(process.stdout.readline())
    process.terminate()
    assert process.wait(30) in (0, -15)


def send(port: int, path: str, body: bytes, key: str | None = "k1", method: str = "POST") -> tuple[int, dict]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    headers = {"Content-Type": "application/json"} | ({"Idempotency-Key": key} if key else {})
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    told = json.loads(answer.read())
    connection.close()
    return answer.status, told


def test_a_purchase_an_application_and_an_event_are_answered(port: int) -> None:
    purchase = json.dumps({"borrower_id": "b1", "account_id": "a1", "amount_minor": 60_000}).encode()
    status, told = send(port, "/v1/authorisations", purchase)
    assert (status, told["outcome"]) == (200, "approve")
    assert send(port, "/v1/authorisations", purchase) == (200, told)
    application = json.dumps({"borrower_id": "b1", "product": "card", "requested_minor": 60_000}).encode()
    assert send(port, "/v1/decisions", application, "k2")[1]["outcome"] == "approve"
    assert send(port, "/v1/events", b'{"borrower_id": "b1", "kind": "login"}', "k3")[0] == 200


def test_what_cannot_be_answered_says_why(port: int) -> None:
    good = b'{"borrower_id": "b1", "account_id": "a1", "amount_minor": 5}'
    assert send(port, "/v1/authorisations", good)[0] == 200
    for status, body, key in (
        (409, good.replace(b"5", b"6"), "k1"),
        (404, good.replace(b'"a1"', b'"a2"'), "k2"),
        (400, good.replace(b"5", b"-5"), "k3"),
        (400, good.replace(b"5", b"5.5"), "k4"),
        (400, good.replace(b"5", b"1e999"), "k5"),
        (400, good[:-1], "k6"),
        (400, b"\xff\xfe", "k7"),
        (400, good.replace(b"b1", b"b\\u0000"), "k8"),
        (400, good.replace(b"b1", b"b1\\n"), "k8n"),
        (400, good, None),
        (400, good, "ke y"),
        (400, b"[" * 10_000, "k9"),
        (413, b" " * 20_000 + good, "k10"),
    ):
        found, told = send(port, "/v1/authorisations", body, key)
        assert (found, told["status"]) == (status, status) and told["detail"], (body[:80], told)
    assert send(port, "/v1/authorisations", b"", "k", "GET")[0] == 405
