"""A provider over HTTP, against a real server that hangs, breaks, floods and lies."""

import gzip
import logging
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from identity_samples import NUMBER, SECRETS, question
from unruly_server import Act, Server, answer, code, drip, flood, hang_up, raw, reset, serving, silence

from evenkeel.decisions.identity.providers import Breaker, HttpProvider, HttpSettings, http_provider
from evenkeel.decisions.identity.verification import DETAILED, SIMPLE, CheckKind, CheckResult, Convention, Verification
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import InvalidInput

NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)
KEY = "APPCODE s3cret-of-the-lender"
R = CheckResult

NAMES = {"order_id": "orderNo", "kind": "product", "name": "name", "id_number": "idcard", "card": "bankcard",
         "phone": "mobile"}  # fmt: skip


def settings(url: str, **changed: Any) -> HttpSettings:
    given: dict[str, Any] = {
        "name": "register", "url": url, "names": NAMES, "headers": {"Authorization": KEY}, "convention": SIMPLE,
        "code_path": ("data", "res"), "prices": {CheckKind.FOUR_FACTOR: 25}, "timeout_s": 0.3, "deadline_s": 1.5,
        "pause_s": 0.01,
    }  # fmt: skip
    return HttpSettings(**given | changed)


@contextmanager
def asking(*acts: Act, **changed: Any) -> Iterator[tuple[HttpProvider, Server]]:
    with serving(*acts) as server, http_provider(settings(server.url, **changed), fixed_clock(NOW)) as provider:
        yield provider, server


def outcome(*acts: Act, **changed: Any) -> tuple[CheckResult, str, int, bool]:
    """Result, code, questions paid for, and whether an answer was lost; the server must have seen those questions."""
    with asking(*acts, **changed) as (provider, server):
        found = provider.check(question())
        assert found.cost_minor == 25 * len(server.asked)
        return found.result, found.detail_code, len(server.asked), found.lost


def test_an_answer_is_read_by_the_convention() -> None:
    with asking(code(1), code("2")) as (provider, server):
        right, wrong = provider.check(question(1)), provider.check(question(2))
    assert right == Verification(CheckKind.FOUR_FACTOR, R.MATCH, NOW, "register", 25, "1")
    assert (wrong.result, wrong.detail_code, wrong.lost) == (R.MISMATCH, "2", False)
    assert server.asked[0] == {"orderNo": "order-000001", "product": "four_factor", "name": SECRETS[0],
                               "idcard": NUMBER, "bankcard": SECRETS[2], "mobile": SECRETS[3]}  # fmt: skip
    assert f"Authorization: {KEY}".lower() in server.heads[0].lower()
    assert NUMBER not in server.heads[0]


@pytest.mark.parametrize(
    ("value", "result"),
    [(0, R.MATCH), ("1", R.MISMATCH), (2, R.RESTRICTED), (3, R.RESTRICTED), (5, R.RESTRICTED)],
)
def test_the_detailed_codes_are_answers_that_are_not_asked_again(value: object, result: CheckResult) -> None:
    assert outcome(code(value), code(0), convention=DETAILED) == (result, str(value), 1, False)


@pytest.mark.parametrize("convention", [SIMPLE, DETAILED])
def test_a_mismatch_is_never_asked_again(convention: Convention) -> None:
    wrong = next(value for value, result in convention.results.items() if result is R.MISMATCH)
    result, _, asked, _ = outcome(code(wrong), code(wrong), code(wrong), convention=convention)
    assert (result, asked) == (R.MISMATCH, 1)


@pytest.mark.parametrize(
    "trouble",
    [silence, reset, hang_up, raw(b"\x00\x01garbage"), raw(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"),
     answer("", 500), answer("busy", 503), answer("slow down", 429), answer("<html>", content_type="text/html"),
     answer("{}"), answer("[1]"), answer("1"), answer("null"), answer(b"\xff\xfe\x00"), answer("[" * 50_000),
     answer('{"data": {"res": 2, "res": 1}}'), answer('{"data": {"res": 1}, "data": {"res": 1}}'),
     answer("1" * 5000), flood, answer(b"x" * 100_000)],
)  # fmt: skip
def test_whatever_goes_wrong_is_unavailable_and_the_next_answer_counts(trouble: Act) -> None:
    result, _, asked, lost = outcome(trouble, code(1))
    assert (result, asked, lost) == (R.MATCH, 2, False)


@pytest.mark.parametrize(
    ("trouble", "word", "lost"),
    [(silence, "timeout", True), (reset, "broken", True), (hang_up, "broken", True),
     (raw(b"\x00garbage\r\n\r\n"), "broken", True), (answer("", 502), "http_502", True),
     (answer("", 429), "http_429", False), (flood, "too_large", True), (answer("<html>"), "not_json", True),
     (answer("{}"), "no_code", True), (answer('{"data": {"res": null}}'), "no_code", True)],
)  # fmt: skip
def test_trouble_that_stays_is_unavailable_at_its_price(trouble: Act, word: str, lost: bool) -> None:
    assert outcome(trouble, trouble, trouble, trouble) == (R.UNAVAILABLE, word, 3, lost)


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 418])
def test_a_refusal_is_not_asked_again(status: int) -> None:
    refused = answer('{"data": {"res": 1}}', status, Location="http://127.0.0.1:9/elsewhere")
    assert outcome(refused, code(1)) == (R.UNAVAILABLE, f"http_{status}", 1, False)


@pytest.mark.parametrize("value", [7, "ok", True, 1.0, [1], {"res": 1}, NUMBER])
def test_a_code_that_nobody_knows_says_nothing_and_is_not_kept(value: object) -> None:
    assert outcome(code(value), code(1)) == (R.UNAVAILABLE, "unknown", 1, True)


def test_a_provider_that_says_it_failed_is_asked_again() -> None:
    assert outcome(code(9), code(9), code(0), convention=DETAILED) == (R.MATCH, "0", 3, False)
    assert outcome(code(9), code(9), code(9), convention=DETAILED) == (R.UNAVAILABLE, "9", 3, False)


def test_json_counts_whatever_its_content_type_says() -> None:
    assert outcome(answer('{"data": {"res": 1}}', content_type="text/html; charset=utf-8"))[0] is R.MATCH


def test_nothing_is_unpacked() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    acts = [answer(bomb, Content_Encoding="gzip")] * 3
    assert outcome(*acts)[:2] == (R.UNAVAILABLE, "not_json")


def test_a_question_that_is_asked_again_is_the_same_order() -> None:
    with asking(answer("", 500), silence, code(1)) as (provider, server):
        provider.check(question())
    assert [asked["orderNo"] for asked in server.asked] == ["order-000001"] * 3


@pytest.mark.parametrize(
    "slow",
    [drip(b"", b"HTTP/1.1 200 OK\r\nX-Pad: " + b"a" * 1000),
     drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n", b" " * 1000)],
)  # fmt: skip
def test_a_deadline_ends_what_every_single_step_would_allow(slow: Act) -> None:
    started = time.monotonic()
    with asking(slow, slow, slow, deadline_s=0.6) as (provider, server):
        found = provider.check(question())
    assert (found.result, found.detail_code, found.lost) == (R.UNAVAILABLE, "timeout", True)
    assert len(server.asked) == 1, "a drop within each step's time-out is never late by itself"
    assert time.monotonic() - started < 10, "a thousand drops would take fifty seconds"


def test_nobody_there_costs_nothing_and_nothing_was_lost() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with http_provider(settings(f"http://127.0.0.1:{port}/"), fixed_clock(NOW)) as provider:
        found = provider.check(question())
    assert (found.result, found.detail_code, found.cost_minor, found.lost) == (R.UNAVAILABLE, "connect", 0, False)


def test_a_lost_answer_stays_lost_when_the_next_try_does_not_connect() -> None:
    with serving(silence) as server:
        gone = threading.Event()

        def leave(connection: socket.socket) -> None:
            gone.set()
            silence(connection)

        server.acts[:] = [leave]
        with http_provider(settings(server.url, tries=2, pause_s=0.5, deadline_s=5), fixed_clock(NOW)) as provider:
            found: list[Verification] = []
            thread = threading.Thread(target=lambda: found.append(provider.check(question())))
            thread.start()
            assert gone.wait(5)
            server.stop()
            thread.join(10)
    assert (found[0].detail_code, found[0].lost, found[0].cost_minor) == ("connect", True, 25)


def self_signed(folder: Path) -> ssl.SSLContext:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key()).serial_number(1)
        .not_valid_before(today - timedelta(days=1)).not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "key").write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                                   serialization.NoEncryption()))  # fmt: skip
    (folder / "certificate").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate", folder / "key")
    return context


def test_a_certificate_that_nobody_vouches_for_is_told_nothing(tmp_path: Path) -> None:
    with serving(code(1), tls=self_signed(tmp_path)) as server:
        url = f"https://localhost:{server.port}/check"
        with http_provider(settings(url, timeout_s=2, deadline_s=8), fixed_clock(NOW)) as provider:
            found = provider.check(question())
    assert (found.result, found.detail_code, found.cost_minor) == (R.UNAVAILABLE, "connect", 0)
    assert server.asked == []


def test_a_value_without_a_name_there_is_not_sent() -> None:
    names = {name: theirs for name, theirs in NAMES.items() if name != "phone"}
    with asking(code(1), names=names) as (provider, server):
        found = provider.check(question())
    assert (found.result, found.detail_code, found.cost_minor, found.lost) == (
        R.UNAVAILABLE, "unnamed_value", 0, False,
    )  # fmt: skip
    assert server.asked == []


def test_a_value_that_no_encoding_holds_is_sent_escaped() -> None:
    with asking(code(2)) as (provider, server):
        assert provider.check(question(name="\ud800")).result is R.MISMATCH
    assert server.asked[0]["name"] == "\ud800"


def test_neither_secret_nor_value_is_logged_or_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    acts = [code(1), reset, answer(f'"{NUMBER}"'), answer("", 500), silence, raw(NUMBER.encode()), answer("", 401)]
    shown = ""
    with asking(*acts) as (provider, server):
        for order in range(3):
            shown += repr(provider.check(question(order)))
        shown += repr(provider) + repr(provider.settings)
    assert len(server.asked) == 7
    for secret in (*SECRETS, "s3cret"):
        assert secret not in caplog.text
        assert secret not in shown


def test_many_threads_ask_at_once() -> None:
    with asking(*[code(1)] * 24) as (provider, server):
        found: list[CheckResult] = []
        threads = [
            threading.Thread(target=lambda order=order: found.append(provider.check(question(order)).result))
            for order in range(24)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
    assert found == [R.MATCH] * 24
    assert sorted(asked["orderNo"] for asked in server.asked) == [f"order-{order:06d}" for order in range(24)]


# --- the breaker ------------------------------------------------------------------------------------------------------


def test_after_failures_in_a_row_nobody_is_asked_for_a_while() -> None:
    busy = answer("", 503)
    with asking(busy, busy, code(1), tries=1, breaker_failures=2, breaker_open_s=3600) as (provider, server):
        words = [provider.check(question(order)).detail_code for order in range(4)]
        assert words == ["http_503", "http_503", "breaker", "breaker"]
        assert len(server.asked) == 2
        assert provider.check(question(9)).cost_minor == 0


def test_a_breaker_lets_one_through_after_a_while_and_closes_when_it_works() -> None:
    now = [0.0]
    breaker = Breaker(2, 30, lambda: now[0])
    breaker.failed()
    assert breaker.lets_through()
    breaker.worked()
    breaker.failed()
    assert breaker.lets_through(), "failures count in a row"
    breaker.failed()
    assert not breaker.lets_through()
    now[0] = 29.9
    assert not breaker.lets_through()
    now[0] = 30
    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]
    now[0] = 60
    assert breaker.lets_through(), "the one that was let through may have died"
    breaker.failed()
    now[0] = 89
    assert not breaker.lets_through()
    now[0] = 90
    assert breaker.lets_through()
    breaker.worked()
    assert [breaker.lets_through() for _ in range(3)] == [True] * 3


# --- settings ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url", ["http://register.example/check", "ftp://localhost/", "https://", "", "register", "https://me:pw@x.example/",
            "http://localhost.evil.example/", "https://[::1", 5]
)  # fmt: skip
def test_a_url_that_is_not_safe_is_refused(url: Any) -> None:
    with pytest.raises(InvalidInput, match="url") as refusal:
        settings(url)
    assert "pw" not in str(refusal.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [("timeout_s", 0), ("timeout_s", float("nan")), ("timeout_s", 61), ("deadline_s", -1), ("tries", 0), ("tries", 11),
     ("pause_s", 0), ("most_bytes", 10**9), ("breaker_failures", 0), ("breaker_open_s", float("inf")),
     ("names", {"kind": "x"}), ("code_path", ()), ("prices", {CheckKind.FACE: -1}), ("prices", {CheckKind.FACE: 0.5})],
)  # fmt: skip
def test_a_setting_out_of_range_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(InvalidInput, match=field):
        settings("https://register.example/check", **{field: value})
