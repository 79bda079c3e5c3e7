"""The service as its users meet it: what is asked, by whom, and what is answered."""

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from asking import ask
from engine_samples import book, opening
from running import Running

from evenkeel.api.keys import issue, revoke
from evenkeel.kernel.clock import system_clock

PURCHASE = {"borrower_id": "b1", "account_id": "a1", "amount_minor": 10}


def fresh() -> str:
    return secrets.token_hex(8)


def buy(service: Running, body: object, key: str | None = None, by: str | None = None, **headers: str):
    return ask(
        service.port, "POST", "/v1/authorisations", by or service.key, body, Idempotency_Key=key or fresh(), **headers
    )


def test_a_purchase_is_answered_kept_and_shown(service: Running) -> None:
    status, told, headers = buy(service, PURCHASE, key := fresh())
    assert (status, told["outcome"], headers["x-content-type-options"]) == (200, "approve", "nosniff")
    assert headers["cache-control"] == "no-store"
    assert buy(service, PURCHASE, key)[:2] == (200, told)
    status, found, _ = ask(service.port, "GET", f"/v1/decisions/{told['decision_id']}", service.key)
    assert (status, found["decision"], found["kind"], found["borrower_id"]) == (200, told, "purchase", "b1")
    status, line, _ = ask(service.port, "GET", "/v1/limits/a1", service.key)
    assert (status, line["limit_minor"], line["stage"], line["frozen"]) == (200, 100_000, "open", False)
    assert line["available_minor"] == 100_000 - line["held_minor"] <= 99_990
    status, borrower, _ = ask(service.port, "GET", "/v1/borrowers/b1", service.key)
    assert status == 200 and [one["account_id"] for one in borrower["lines"]] == ["a1"]
    assert told["decision_id"] in [one["decision"]["decision_id"] for one in borrower["decisions"]]


def test_an_application_and_an_event_are_answered(service: Running) -> None:
    application = {"borrower_id": "b5", "product": "card", "requested_minor": 60_000}
    status, told, _ = ask(service.port, "POST", "/v1/decisions", service.key, application, Idempotency_Key=fresh())
    assert (status, told["outcome"]) == (200, "approve")
    event = {"borrower_id": "b5", "kind": "login"}
    assert ask(service.port, "POST", "/v1/events", service.key, event, Idempotency_Key=fresh())[0] == 200


def test_the_same_key_with_another_body_is_a_conflict(service: Running) -> None:
    assert buy(service, PURCHASE, key := fresh())[0] == 200
    assert buy(service, {**PURCHASE, "amount_minor": 11}, key)[0] == 409
    assert buy(service, PURCHASE | {"amount_minor": 11}, key, service.other)[0] == 404  # another lender's own key


def test_what_is_anothers_is_not_there(service: Running) -> None:
    decision_id = buy(service, PURCHASE)[1]["decision_id"]
    absent = f"{decision_id[:-4]}{'0000' if decision_id[-4:] != '0000' else '0001'}"
    for path, own, other in (
        ("decisions", decision_id, absent), ("reviews", decision_id, absent), ("limits", "a1", "zz"),
        ("borrowers", "b1", "zz"),
    ):  # fmt: skip
        assert ask(service.port, "GET", f"/v1/{path}/{own}", service.key)[0] == (404 if path == "reviews" else 200)
        status, told, headers = ask(service.port, "GET", f"/v1/{path}/{own}", service.other)
        assert (status, headers["content-type"]) == (404, "application/problem+json")
        unlike = ask(service.port, "GET", f"/v1/{path}/{other}", service.other)
        assert (unlike[0], unlike[1]["detail"].replace(other, own)) == (404, told["detail"])


def test_a_key_opens_what_its_scopes_say_and_nothing_else(service: Running) -> None:
    for key in (None, "ek-0", f"ek-{'0' * 16}-{'A' * 43}", service.key[:-1] + ("A" if service.key[-1] != "A" else "B")):
        for method, path in (("GET", "/v1/limits/a1"), ("POST", "/v1/authorisations"), ("POST", "/v1/limits/a1")):
            status, told, headers = ask(service.port, method, path, key, PURCHASE if method == "POST" else None)
            assert (status, told["status"], headers["www-authenticate"]) == (401, 401, "Bearer")
    assert ask(service.port, "GET", "/v1/limits/a1", service.reader)[0] == 200
    assert ask(service.port, "GET", "/v1/reviews", service.reader)[0] == 403
    assert buy(service, PURCHASE, by=service.reader)[0] == 403
    assert buy(service, PURCHASE, by=service.reader)[0] == 403  # by now the key is known, and the way is the short one


def test_a_revoked_key_is_refused_within_seconds(service: Running) -> None:
    import time

    key = issue(service.workspace.engine, system_clock, "lender-1", ["read"])
    assert ask(service.port, "GET", "/v1/limits/a1", key)[0] == 200
    revoke(service.workspace.engine, system_clock, key.split("-")[1])
    time.sleep(5.5)
    assert ask(service.port, "GET", "/v1/limits/a1", key)[0] == 401


def test_a_review_is_taken_and_decided(service: Running) -> None:
    left = ask(service.port, "GET", "/v1/limits/a1", service.key)[1]["available_minor"]
    ids = [buy(service, {**PURCHASE, "amount_minor": left})[1]["decision_id"] for _ in range(3)]
    status, page, _ = ask(service.port, "GET", "/v1/reviews?most=2", service.key)
    assert status == 200 and len(page["reviews"]) == 2 and page["next"] == page["reviews"][1]["place"]
    behind = ask(service.port, "GET", f"/v1/reviews?after={page['next']}&most=200", service.key)[1]
    assert behind["next"] is None
    assert set(ids) <= {one["decision_id"] for one in page["reviews"] + behind["reviews"]}
    path = f"/v1/reviews/{ids[0]}"
    assert ask(service.port, "POST", f"{path}/claim", service.key, {"by": "ana"})[1]["state"] == "claimed"
    assert ask(service.port, "POST", f"{path}/claim", service.key, {"by": "ben"})[0] == 409
    assert ask(service.port, "POST", f"{path}/claim", service.other, {"by": "ben"})[0] == 404
    assert ask(service.port, "POST", f"{path}/release", service.key, {"by": "ana"})[1]["state"] == "open"
    verdict = {"by": "ben", "outcome": "decline", "reasons": ["debt_too_high"]}
    assert ask(service.port, "POST", f"{path}/decide", service.key, verdict)[0] == 409
    assert ask(service.port, "POST", f"{path}/claim", service.key, {"by": "ben"})[0] == 200
    status, told, _ = ask(service.port, "POST", f"{path}/decide", service.key, verdict)
    assert (status, told["outcome"], told["decided_by"]) == (200, "decline", "ben")


def test_a_limit_is_moved_once_for_each_key(service: Running) -> None:
    asked = {"outcome": "raise", "factor_thousandths": 1200, "reasons": ["score_high"],
             "facts_at": datetime.now(UTC).isoformat()}  # fmt: skip
    path, key = "/v1/limits/a2", fresh()
    assert ask(service.port, "POST", path, service.key, asked)[0] == 400
    status, told, _ = ask(service.port, "POST", path, service.key, asked, Idempotency_Key=key)
    assert (status, told["outcome"], told["after_minor"]) == (200, "raise", 120_000_000)
    assert ask(service.port, "POST", path, service.key, asked, Idempotency_Key=key)[:2] == (200, told)
    other = {**asked, "factor_thousandths": 1300}
    assert ask(service.port, "POST", path, service.key, other, Idempotency_Key=key)[0] == 409
    assert ask(service.port, "POST", path, service.other, asked, Idempotency_Key=fresh())[0] == 404
    again = ask(service.port, "POST", path, service.key, asked, Idempotency_Key=fresh())[1]
    assert (again["outcome"], again["reasons"]) == ("keep", ["score_high", "moved_lately"])
    line = ask(service.port, "GET", path, service.key)[1]
    assert [one["outcome"] for one in line["moves"]] == ["keep", "raise"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404), ("GET", "/v1/nothing", 404), ("GET", "/v1/limits/", 404), ("GET", "/v1/limits/a1/", 404),
        ("GET", "/v1/limits/%ff", 404), ("DELETE", "/v1/limits/a1", 405), ("GET", "/v1/decisions", 405),
        ("PUT", "/v1/events", 405), ("GET", "/v1/reviews?most=0", 400), ("GET", "/v1/reviews?most=1&most=2", 400),
        ("GET", "/v1/reviews?page=2", 400), ("GET", "/v1/reviews?after=%ff", 400),
        ("GET", "/v1/reviews?after=99999999999999999999", 400), ("GET", "/v1/limits/a%0a1", 400),
        ("GET", "/v1/limits/%E6%9D%8E", 404), ("GET", "/v1/decisions/no-uuid", 404), ("HEAD", "/v1/limits/a1", 200),
        ("OPTIONS", "/v1/limits/a1", 204), ("HEAD", "/v1/events", 405),
    ],
)  # fmt: skip
def test_paths_and_methods_are_answered_in_kind(service: Running, method: str, path: str, status: int) -> None:
    found, told, headers = ask(service.port, method, path, service.key)
    assert found == status
    if method == "OPTIONS" or status == 405:
        assert headers["allow"]
    if status >= 400 and method != "HEAD":
        assert (told["status"], headers["content-type"]) == (status, "application/problem+json") and told["detail"]
    if method == "HEAD":
        assert told == b""


def test_a_body_that_is_no_json_by_its_own_word_is_not_read(service: Running) -> None:
    for path in ("/v1/authorisations", "/v1/limits/a1"):
        for more in ({"Content_Type": "text/plain"}, {"Content_Type": "application/json; charset=gbk"},
                     {"Content_Encoding": "gzip"}):  # fmt: skip
            sent = {"Idempotency_Key": fresh(), **more}
            assert ask(service.port, "POST", path, service.key, PURCHASE, **sent)[0] == 415
        sent = {"Idempotency_Key": fresh(), "Content_Type": "application/json; charset=utf-8"}
        assert ask(service.port, "POST", path, service.key, PURCHASE, **sent)[0] != 415
        big = b"[" + b" " * 20_000 + b"]"
        assert ask(service.port, "POST", path, service.key, big, Idempotency_Key=fresh())[0] == 413


def test_health_readiness_and_counts_need_no_key(service: Running) -> None:
    for path in ("/health", "/ready"):
        status, told, _ = ask(service.port, "GET", path)
        assert (status, told["status"]) == (200, "ok")
    buy(service, PURCHASE)
    status, text, headers = ask(service.port, "GET", "/metrics")
    assert status == 200 and headers["content-type"].startswith("text/plain")
    counted = dict(line.rsplit(" ", 1) for line in text.decode().splitlines() if not line.startswith("#"))
    assert float(counted['evenkeel_requests_total{route="authorise",status="200"}']) >= 1
    assert float(counted['evenkeel_decisions_total{outcome="approve",route="authorise"}']) >= 1
    assert float(counted['evenkeel_request_seconds_count{route="authorise"}']) >= 1
    assert float(counted["evenkeel_batch_size_sum"]) >= float(counted["evenkeel_batch_size_count"]) >= 1


def test_whoever_finds_the_line_full_is_told_when_to_come_again(start) -> None:
    with start("--queue", "1", "--workers", "2") as service, ThreadPoolExecutor(24) as pool:
        purchases = [{**PURCHASE, "amount_minor": n} for n in range(1, 200)]
        found = list(pool.map(lambda body: buy(service, body), purchases))
        refused = [headers for status, _, headers in found if status == 429]
        assert {status for status, _, _ in found} == {200, 429} and refused
        assert all(int(headers["retry-after"]) >= 1 for headers in refused)
        text = ask(service.port, "GET", "/metrics")[1].decode()
        assert f'evenkeel_requests_total{{route="authorise",status="429"}} {len(refused):.1f}' in text


def test_a_preview_is_told_in_full_and_not_on_record(service: Running) -> None:
    before = ask(service.port, "GET", "/v1/limits/a2", service.key)[1]
    body = {"borrower_id": "b2", "account_id": "a2", "amount_minor": 60_000, "preview": True}
    for used in (key := fresh(), key, fresh()):
        status, told, _ = buy(service, body, used)
        assert (status, told["outcome"], told["decision_id"]) == (200, "approve", None) and "hold_id" not in told
        assert set(told["cost"]["text"]) == {"en", "zh"} and told["cost"]["by_minimum"]["months"] == 1
    assert ask(service.port, "GET", "/v1/limits/a2", service.key)[1] == before
    status, told, _ = buy(service, {**body, "preview": False}, key)
    assert status == 200 and told["decision_id"] and set(told["cost"]) == {
        "due_on", "owed_before_minor", "owed_after_minor", "cost_minor"
    }  # fmt: skip
    assert buy(service, body, by=service.other)[0] == 404


def test_an_event_names_whom_its_lender_knows(service: Running) -> None:
    def send(by: str, **body: object) -> tuple[int, str]:
        sent = {"kind": "login", **body}
        status, told, _ = ask(service.port, "POST", "/v1/events", by, sent, Idempotency_Key=fresh())
        return status, told.get("detail", "")

    assert send(service.key, borrower_id="b1", account_id="a1")[0] == 200
    told = send(service.other, borrower_id="b1")
    assert told[0] == 404 and told[1] == "There is no borrower b1."
    for body in ({"borrower_id": "b1", "account_id": "a1"}, {"borrower_id": "b9", "account_id": "a1"}):
        absent = {name: "zz" if value in ("b1", "a1") else value for name, value in body.items()}
        told = send(service.other, **body)
        assert told[0] == 404
        assert told[1].replace("b1", "zz").replace("a1", "zz") == send(service.other, **absent)[1]
    assert send(service.key, borrower_id="b9", account_id="o1")[0] == 404
    assert send(service.other, borrower_id="b9", account_id="o1")[0] == 200


def test_a_freeze_that_is_approved_is_made_at_once(service: Running) -> None:
    book(service.workspace, opening("a7", "b7", 100_000, datetime.now(UTC).date().isoformat()))
    for kind, told in (("bureau_report", {"overdue": 0, "service_minor": 0}), ("hardship", {})):
        body = {"borrower_id": "b7", "kind": kind, "payload": told}
        assert ask(service.port, "POST", "/v1/events", service.key, body, Idempotency_Key=fresh())[0] == 200
    asked = {"borrower_id": "b7", "account_id": "a7"}
    status, told, _ = ask(service.port, "POST", "/v1/limits", service.key, asked, Idempotency_Key=fresh())
    if told["outcome"] == "keep":  # whoever follows the record came first
        page = ask(service.port, "GET", "/v1/reviews?most=200", service.key)[1]
        [told] = [one for one in page["reviews"] if one["kind"] == "limit"]
    assert (status, told["proposed"]) == (200, "freeze")
    path = f"/v1/reviews/{told['decision_id']}"
    assert ask(service.port, "POST", f"{path}/claim", service.key, {"by": "ana"})[0] == 200
    verdict = {"by": "ana", "outcome": "approve", "reasons": ["debt_too_high"]}
    status, review, _ = ask(service.port, "POST", f"{path}/decide", service.key, verdict)
    assert (status, review["outcome"], review["move"]["outcome"]) == (200, "approve", "freeze")
    assert ask(service.port, "GET", "/v1/limits/a7", service.key)[1]["frozen"]
    made = ask(service.port, "GET", f"/v1/decisions/{review['move']['decision_id']}", service.key)[1]
    assert (made["kind"], made["decision"]) == ("verdict", review["move"])
