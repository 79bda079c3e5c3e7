"""Bytes that no friend would send: refused in words, in bounded time and memory, and nobody else notices."""

import json
import os
import secrets
import signal
import socket
import time
from pathlib import Path

import pytest
from asking import answer, ask, raw
from running import Running

PURCHASE = b'{"borrower_id":"b1","account_id":"a1","amount_minor":10}'


def head(service: Running, *more: str, path: str = "/v1/authorisations", key: str | None = None) -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: x", f"Authorization: Bearer {service.key}",
             f"Idempotency-Key: {key or secrets.token_hex(8)}", "Content-Type: application/json", *more]  # fmt: skip
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def status(found: bytes) -> int:
    return int(found.split(b" ", 2)[1]) if found.startswith(b"HTTP/1.1 ") else 0


def whole(service: Running, body: bytes = PURCHASE, **named: str) -> bytes:
    return head(service, f"Content-Length: {len(body)}", **named) + body


@pytest.fixture(autouse=True)
def nobody_else_notices(service: Running):
    ask(service.port, "GET", "/v1/limits/a1", service.key)  # the key is known: the short way is open
    yield
    assert status(raw(service.port, whole(service))) == 200
    assert ask(service.port, "GET", "/health")[0] == 200


@pytest.mark.parametrize("path", ["/v1/authorisations", "/v1/limits/a1"])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"[" * 16_000, b"[" * 8_000 + b"]" * 8_000, b'{"a":' * 2_500 + b"1" + b"}" * 2_500, b'"' * 16_000,
        b"\xff\xfe" + "{}".encode("utf-16-le"), b"\xef\xbb\xbf" + PURCHASE, PURCHASE.replace(b"b1", b"\xc3\x28"),
        PURCHASE.replace(b"10}", b"9" * 16_000 + b"}"), PURCHASE.replace(b"10}", b"1e999}"),
        PURCHASE.replace(b"10}", b"NaN}"), PURCHASE[:-1] + b',"amount_minor":20}', PURCHASE + PURCHASE,
        PURCHASE[:-1] + b',"amount_m\\u0069nor":20}', PURCHASE.replace(b"b1", b"b\\u0000"),
        PURCHASE[:-1] + b',"facts":{' + b",".join(b'"f%d":1' % n for n in range(65)) + b"}}",
        PURCHASE[:-1] + b',"facts":{"x":{"y":1}}}', PURCHASE[:-1] + b',"facts":{"x":"' + b"y" * 201 + b'"}}',
    ],
)  # fmt: skip
def test_a_body_that_two_readers_could_read_differently_is_refused(service: Running, path: str, body: bytes) -> None:
    begun = time.process_time()
    for more in (f"Content-Length: {len(body)}", "Transfer-Encoding: chunked"):  # the short way, and the long one
        framed = b"%x\r\n%s\r\n" % (len(body), body) if body else b""
        content = body if "Length" in more else framed + b"0\r\n\r\n"
        found = raw(service.port, head(service, more, path=path) + content)
        problem = json.loads(found.partition(b"\r\n\r\n")[2])
        assert (status(found), problem["status"]) == (400, 400) and problem["detail"]
    assert time.process_time() - begun < 5


def test_a_request_is_read_alike_in_pieces_and_in_a_row(service: Running) -> None:
    chunked = b"".join(b"1\r\n%c\r\n" % byte for byte in PURCHASE) + b"0\r\n\r\n"
    assert status(raw(service.port, head(service, "Transfer-Encoding: chunked") + chunked)) == 200
    both = whole(service) + whole(service, PURCHASE.replace(b"a1", b"zz")) + whole(service)
    with socket.create_connection(("127.0.0.1", service.port), 15) as connection:
        connection.sendall(both)
        found = b""
        while found.count(b"HTTP/1.1 ") < 3 or not found.rstrip().endswith(b"}"):
            more = connection.recv(65_536)
            assert more
            found += more
    assert [status(b"HTTP/1.1 " + part) for part in found.split(b"HTTP/1.1 ")[1:]] == [200, 404, 200]
    with socket.create_connection(("127.0.0.1", service.port), 15) as connection:
        connection.sendall(head(service, f"Content-Length: {len(PURCHASE)}", "Expect: 100-continue"))
        assert connection.recv(65_536).startswith(b"HTTP/1.1 100")
        connection.sendall(PURCHASE)
        assert status(answer(connection)) == 200


def test_frames_that_two_servers_could_cut_differently_are_refused(service: Running) -> None:
    chunked = "Transfer-Encoding: chunked"
    for content in (
        head(service, chunked) + b"zz\r\n{}\r\n0\r\n\r\n",
        head(service, chunked) + b"fffffffffffffffff\r\n{}",
        head(service, chunked) + b"-1\r\n{}\r\n0\r\n\r\n",
        head(service, chunked, "Content-Length: 5") + b"0\r\n\r\n",
        head(service, "Content-Length: 56", "Content-Length: 2") + PURCHASE,
        head(service, "Content-Length: -5") + PURCHASE,
        head(service, "Content-Length: five") + PURCHASE,
        head(service, "X-\x01: 1", "Content-Length: 2") + b"{}",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + secrets.token_bytes(400),
        b"GET \xff HTTP/1.1\r\nHost: x\r\n\r\n",
    ):
        found = raw(service.port, content)
        assert status(found) == 400, content[:200]
        assert json.loads(found.partition(b"\r\n\r\n")[2])["status"] == 400


def test_what_has_no_end_is_cut_off(service: Running) -> None:
    piece = b"X-Filler: " + b"y" * 1000 + b"\r\n"
    for content in (
        head(service)[:-2] + piece * 2_000,
        b"POST /" + b"x" * 2_000_000,
        head(service)[:-2] + b"y" * 2_000_000,
    ):
        with socket.create_connection(("127.0.0.1", service.port), 15) as connection:
            try:
                connection.sendall(content)
                assert status(answer(connection)) in (0, 400)
            except (BrokenPipeError, ConnectionResetError):
                pass  # it hung up while we were still sending
    for path in ("/v1/authorisations", "/v1/limits/a1"):
        assert status(raw(service.port, head(service, "Content-Length: 99999999999", path=path) + b" " * 50_000)) == 413
        chunks = head(service, "Transfer-Encoding: chunked", path=path) + b"1000\r\n" + b" " * 4096 + b"\r\n"
        assert status(raw(service.port, chunks + (b"1000\r\n" + b" " * 4096 + b"\r\n") * 10)) == 413


def test_whoever_sends_slowly_is_told_so_and_holds_up_nobody(service: Running) -> None:
    beginnings = [
        b"", b"POST /v1/auth", head(service)[:-2], head(service, "Content-Length: 56") + b"{",
        head(service, "Content-Length: 56", path="/v1/limits/a1") + b"{",
        head(service, "Transfer-Encoding: chunked") + b"5\r\n{", whole(service) + b"POST /v1/auth",
    ]  # fmt: skip
    sockets = [socket.create_connection(("127.0.0.1", service.port), 15) for _ in beginnings * 20]
    begun = time.monotonic()
    for connection, content in zip(sockets, beginnings * 20, strict=True):
        connection.sendall(content)
    assert status(raw(service.port, whole(service))) == 200
    for connection, content in zip(sockets, beginnings * 20, strict=True):
        found = answer(connection)
        assert status(found) == (200 if content.endswith(b"}POST /v1/auth") else 408)
        if status(found) == 200:
            assert status(answer(connection)) in (0, 408)
        connection.close()
    assert time.monotonic() - begun < 60  # hangs are the fault looked for, not speed


def test_half_a_request_decides_nothing(service: Running) -> None:
    key = secrets.token_hex(8)
    for more, content in (
        (f"Content-Length: {len(PURCHASE) + 1}", PURCHASE),
        ("Transfer-Encoding: chunked", b"%x\r\n%s\r\n" % (len(PURCHASE), PURCHASE)),
    ):  # fmt: skip
        with socket.create_connection(("127.0.0.1", service.port), 15) as connection:
            connection.sendall(head(service, more, key=key) + content)
            connection.shutdown(socket.SHUT_WR)
    time.sleep(0.5)
    other = PURCHASE.replace(b"10", b"11")  # with the same key: it is free still
    assert status(raw(service.port, whole(service, other, key=key))) == 200


def test_the_log_names_nobody_and_tells_no_key(service: Running) -> None:
    raw(service.port, b"garbage\r\n\r\n")
    log = service.log.read_text()
    assert not any(secret in log for secret in (service.key, service.key[-20:], "b1", '"a1"'))


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_what_was_taken_is_answered_before_the_service_ends(start, ending: signal.Signals) -> None:
    with start("--workers", "2") as service:
        assert ask(service.port, "GET", "/ready")[0] == 200
        with socket.create_connection(("127.0.0.1", service.port), 15) as connection:
            connection.sendall(whole(service)[:-5])
            time.sleep(0.5)
            service.process.send_signal(ending)
            time.sleep(0.5)
            with pytest.raises(ConnectionRefusedError):
                ask(service.port, "GET", "/health")
            connection.sendall(PURCHASE[-5:])
            assert status(answer(connection)) == 200
        assert service.process.wait(30) == 0


def test_a_worker_that_is_killed_is_replaced(start) -> None:
    with start() as service:
        children = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children")
        if not children.exists():
            pytest.skip("the system does not list children")
        assert ask(service.port, "GET", "/ready")[0] == 200
        before = children.read_text().split()
        assert len(before) == 3  # one answers, one reviews limits, one delivers webhooks
        for worker in before:
            os.kill(int(worker), signal.SIGKILL)
        time.sleep(0.2)
        assert status(raw(service.port, whole(service), 30)) == 200
        assert not {*before} & {*children.read_text().split()}
