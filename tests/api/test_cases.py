"""Cases over HTTP: a collector's day from the worklist to the answer of a complaint; nothing of another lender."""

from __future__ import annotations

import json
import secrets
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asking import ask
from engine_samples import book, opening
from running import Running

HOME = ZoneInfo("Asia/Shanghai")


def today(days: int = 0) -> str:
    return (datetime.now(HOME).date() + timedelta(days=days)).isoformat()


@pytest.fixture
def late(service: Running) -> str:
    """A borrower whose purchase of two months ago is not paid."""
    name = secrets.token_hex(6)
    book(service.workspace, opening(f"a-{name}", name, 100_000, today(-70)),
         {"account_id": f"a-{name}", "fact_id": "p", "kind": "purchase", "effective_on": today(-69),
          "amount_minor": 40_000})  # fmt: skip
    return name


def put(service: Running, path: str, body: Any, key: str | None = None, attempt: str | None = None) -> tuple[int, Any]:
    header = attempt or secrets.token_hex(8)
    return ask(service.port, "POST", path, key or service.key, body, Idempotency_Key=header)[:2]


def get(service: Running, path: str, key: str | None = None) -> tuple[int, Any]:
    return ask(service.port, "GET", path, key or service.key)[:2]


@pytest.fixture
def case_id(service: Running, late: str) -> str:
    status, told = ask(service.port, "POST", "/v1/cases", service.key, {"borrower_id": late, "by": "ana"})[:2]
    assert (status, told["state"]) == (200, "open"), told
    found: str = told["case_id"]
    return found


def test_a_collectors_day(service: Running, late: str, case_id: str) -> None:
    status, page = get(service, "/v1/cases?most=200&full=true")
    (row,) = [one for one in page["cases"] if one["case_id"] == case_id]
    assert (status, row["past_due_minor"] >= 40_000, row["claimed_by"]) == (200, True, None)
    assert {one["channel"] for one in row["ways"]} == {"call", "sms"}
    path = f"/v1/cases/{case_id}"
    assert ask(service.port, "POST", f"{path}/claim", service.key, {"by": "ana"})[1]["claimed_by"] == "ana"
    assert ask(service.port, "POST", f"{path}/claim", service.key, {"by": "bo"})[0] == 409
    promise = {"by": "ana", "amount_minor": 10_000, "on": today(3)}
    attempt = "p-" + late
    first = put(service, f"{path}/promise", promise, attempt=attempt)
    assert first[0] == 200 and first[1]["state"] == "promised"
    assert put(service, f"{path}/promise", promise, attempt=attempt) == first
    assert put(service, f"{path}/promise", {**promise, "on": today(4)}, attempt=attempt)[0] == 409
    status, told = put(service, f"{path}/complaint", {"by": "ana", "via": "12378", "kind": "harassment"})
    assert (status, told["state"]) == (200, "complaint")
    assert put(service, f"{path}/assign", {"by": "ana", "agency_id": "ag"})[0] == 404
    answer = {"by": "ana", "complaint": told["fact_id"], "outcome": "upheld"}
    assert put(service, f"{path}/answer-complaint", answer)[1]["state"] == "promised"
    status, found = get(service, f"{path}?lang=zh")
    assert [one["kind"] for one in found["timeline"]] == [
        "opened", "claimed", "promise", "complaint_opened", "complaint_closed"
    ]  # fmt: skip
    assert found["timeline"][2]["text"] == f"债务人承诺在{today(3)}前还款100.00 CNY。"
    assert found["promises"][0]["verdict"] == "pending" and not found["complaints"]
    assert ask(service.port, "POST", f"{path}/release", service.key, {"by": "ana"})[1]["claimed_by"] is None


def test_a_contact_is_held_to_what_the_case_says(service: Running, late: str, case_id: str) -> None:
    contact = {"borrower_id": late, "channel": "letter", "target": "debtor", "timezone": "Asia/Shanghai",
               "actor_type": "consumer_finance", "product": "bnpl",
               "at": datetime.combine(datetime.now(HOME).date() + timedelta(days=1), datetime.min.time(), HOME)
               .replace(hour=12).isoformat()}  # fmt: skip
    assert put(service, "/v1/contacts", contact)[1]["answer"] == "allow"
    body = {"by": "ana", "kind": "liquidation", "began_on": today()}
    assert put(service, f"/v1/cases/{case_id}/insolvent", body)[1]["state"] == "insolvent"
    told = put(service, "/v1/contacts", contact)[1]
    assert [one["id"] for one in told["rules"] if one["effect"] == "block"] == ["EK-INSOLVENT"]


def test_an_agency_is_told_of_given_a_batch_and_judged(service: Running, case_id: str) -> None:
    name = f"ag-{secrets.token_hex(4)}"
    agency = {"agency_id": name, "evaluated_on": today(-30), "trained_on": today(-30), "contract_until": today(90),
              "processor_contract": True, "impact_assessed": True, "rate_ppm": 100_000,
              "conduct_ppm": 500_000}  # fmt: skip
    status, told = ask(service.port, "POST", "/v1/agencies", service.key, {"agency": agency, "by": "ana"})[:2]
    assert (status, told["agency_id"]) == (200, name)
    body = {"cases": [case_id, "case-0"], "batch": "w1", "by": "ana"}
    status, told = ask(service.port, "POST", f"/v1/agencies/{name}/cases", service.key, body)[:2]
    assert [one["assigned"] for one in told["cases"]] == [True, False]
    status, found = get(service, f"/v1/cases/{case_id}/hand-over")
    assert (status, found["agency_id"], found["contacts"]) == (200, name, [])
    status, judged = get(service, f"/v1/agencies/{name}/conduct?begin={today(-1)}&end={today(1)}")
    assert (status, judged["conduct"]["cases"], judged["conduct"]["score"]) == (200, 1, 1.0)
    assert put(service, f"/v1/cases/{case_id}/recall", {"by": "ana", "why": "review"})[1]["state"] == "open"


def test_pages_go_on_and_a_case_is_taken_by_one(service: Running, case_id: str) -> None:
    seen, after = [], ""
    while True:
        status, page = get(service, f"/v1/cases?most=1{after}")
        assert status == 200
        seen += [one["case_id"] for one in page["cases"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert case_id in seen and len(seen) == len(set(seen))
    assert get(service, "/v1/cases?after=1~x%20y")[0] == 400
    asked = (ask(service.port, "POST", "/v1/worklist/claim", service.key, {"by": by}) for by in ("k1", "k2"))
    taken = [told["case"] for _, told, _ in asked]
    names = [one["case_id"] for one in taken if one is not None]
    assert names and len(set(names)) == len(names)


def test_anothers_case_is_not_there_and_a_key_without_the_scope_opens_nothing(service: Running, case_id: str) -> None:
    path = f"/v1/cases/{case_id}"
    assert get(service, path, service.other)[0] == 404
    assert get(service, path, service.reader)[0] == 403
    assert put(service, f"{path}/hardship", {"by": "x", "cause": "job"}, service.other)[0] == 404
    assert case_id not in json.dumps(get(service, "/v1/cases?most=200", service.other)[1])
    status, told = put(service, f"{path}/sell", {"by": "x", "buyer_id": "b", "price_minor": 1,
                                                 "limitation_ends_on": today(400)})  # fmt: skip
    assert (status, told["status"]) == (403, 403) and "CN-PIPL-23" in json.dumps(told)
    assert put(service, f"{path}/hardship", {"by": "x", "cause": "job", "surprise": 1})[0] == 400
