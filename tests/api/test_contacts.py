"""Contacts over HTTP: asked before they are made, told of afterwards; nobody is the last one allowed twice."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asking import ask
from engine_samples import book, opening
from running import OTHER, Running

HOME = ZoneInfo("Asia/Shanghai")


def on(hour: int, days: int = 1) -> str:
    """A wall clock in Shanghai some days ahead."""
    day = datetime.now(HOME).date() + timedelta(days=days)
    return datetime(day.year, day.month, day.day, hour, tzinfo=HOME).isoformat()


@pytest.fixture
def debtor(service: Running) -> str:
    """A borrower of whom nothing is on record but two debts, one of them with another lender."""
    name = secrets.token_hex(6)
    yesterday = (datetime.now(HOME).date() - timedelta(days=2)).isoformat()
    book(service.workspace, opening(f"a-{name}", name, 100_000, yesterday),
         opening(f"o-{name}", name, 100_000, yesterday, lender_id=OTHER))  # fmt: skip
    return name


def call(borrower: str, hour: int = 12, **changed: Any) -> dict[str, Any]:
    said = {"borrower_id": borrower, "channel": "call", "target": "debtor", "timezone": "Asia/Shanghai",
            "actor_type": "consumer_finance", "product": "bnpl", "at": on(hour)}  # fmt: skip
    return {**said, **changed}


def put(service: Running, body: Any, key: str | None = None, attempt: str | None = None) -> tuple[int, Any]:
    header = attempt or secrets.token_hex(8)
    return ask(service.port, "POST", "/v1/contacts", key or service.key, body, Idempotency_Key=header)[:2]


def end(service: Running, contact_id: str, body: Any, key: str | None = None) -> tuple[int, Any]:
    return ask(service.port, "POST", f"/v1/contacts/{contact_id}/end", key or service.key, body)[:2]


def tell(service: Running, borrower: str, kind: str, **payload: Any) -> None:
    event = {"borrower_id": borrower, "kind": kind, "payload": payload}
    status, told, _ = ask(service.port, "POST", "/v1/events", service.key, event, Idempotency_Key=secrets.token_hex(8))
    assert status == 200, told


def answer(service: Running, body: Any, key: str | None = None) -> str:
    status, told = put(service, body, key)
    assert status == 200, told
    found: str = told["answer"]
    return found


def test_the_fourth_conversation_of_a_day_is_refused_until_midnight(service: Running, debtor: str) -> None:
    for hour in (9, 10, 11):
        status, told = put(service, call(debtor, hour))
        assert (status, told["may"], told["answer"]) == (200, True, "allow")
    status, told = put(service, call(debtor, 12))
    assert (status, told["may"], told["answer"], told["load"]) == (200, False, "block", {"own": 4, "all": 4})
    assert [(one["id"], one["value"]) for one in told["rules"]] == [("CN-GBT-FREQ", "4")]
    midnight = datetime.fromisoformat(on(0, 2))
    assert datetime.fromisoformat(told["rules"][0]["until"]) == midnight
    assert datetime.fromisoformat(told["lawful_from"]) == midnight + timedelta(hours=8)  # at midnight it is night


def test_what_was_cleared_for_later_keeps_its_place(service: Running, debtor: str) -> None:
    assert [answer(service, call(debtor, hour)) for hour in (15, 16, 17, 9)] == ["allow", "allow", "allow", "block"]


def test_a_call_without_a_conversation_gives_its_place_back(service: Running, debtor: str) -> None:
    told = [put(service, call(debtor, hour))[1] for hour in (9, 10, 11)]
    assert answer(service, call(debtor, 12)) == "block"
    status, ended = end(service, told[0]["contact_id"], {"answered": False, "conversation": False})
    assert (status, ended["ended"]["conversation"]) == (200, False)
    assert answer(service, call(debtor, 12)) == "allow"
    assert answer(service, call(debtor, 13)) == "block"
    assert end(service, told[1]["contact_id"], {"made": False})[0] == 200
    assert answer(service, call(debtor, 13)) == "allow"


def test_of_many_who_ask_at_the_same_moment_three_may(service: Running, debtor: str) -> None:
    with ThreadPoolExecutor(12) as pool:
        said = list(pool.map(lambda place: answer(service, call(debtor, 14, actor_id=f"agency-{place}")), range(12)))
    assert sorted(said) == ["allow"] * 3 + ["block"] * 9


def test_a_key_asks_once_and_its_answer_stays(service: Running, debtor: str) -> None:
    first = put(service, call(debtor), attempt="again-" + debtor)
    assert put(service, call(debtor), attempt="again-" + debtor) == first
    assert put(service, call(debtor, 13), attempt="again-" + debtor)[0] == 409
    name = first[1]["contact_id"]
    for _ in range(2):
        assert end(service, name, {"answered": True, "conversation": True})[0] == 200
    assert end(service, name, {"answered": False})[0] == 409
    status, found, _ = ask(service.port, "GET", f"/v1/contacts/{name}", service.key)
    assert (status, found["answer"], found["ended"]["conversation"]) == (200, "allow", True)


def test_what_the_record_says_stands_in_the_way_until_it_ends(service: Running, debtor: str) -> None:
    tell(service, debtor, "dispute_opened")
    assert answer(service, call(debtor)) == "block"
    tell(service, debtor, "dispute_closed")
    assert answer(service, call(debtor)) == "allow"
    promised = datetime.now(HOME).date() + timedelta(days=3)
    tell(service, debtor, "promise", promised_on=promised.isoformat())
    told = put(service, call(debtor, 13))[1]
    assert ([one["id"] for one in told["rules"]], told["may"]) == (["EK-PROMISE"], False)
    assert datetime.fromisoformat(told["lawful_from"]).astimezone(HOME).date() == promised + timedelta(days=1)
    tell(service, debtor, "stop_contact")
    told = put(service, call(debtor, 12, at=on(12, 9)))[1]
    assert (told["answer"], told["lawful_from"]) == ("block", None)
    assert answer(service, call(debtor, 12, at=on(12, 9)), service.other) == "allow"  # it was said to the first lender


def test_a_night_consent_holds_until_it_is_withdrawn(service: Running, debtor: str) -> None:
    assert answer(service, call(debtor, 23)) == "block"
    tell(service, debtor, "consent_given", purpose="contact_night")
    assert answer(service, call(debtor, 23)) == "allow"
    tell(service, debtor, "consent_withdrawn", purpose="contact_night")
    assert answer(service, call(debtor, 23)) == "block"


def test_each_lender_counts_for_itself_and_sees_the_load_of_all(service: Running, debtor: str) -> None:
    for hour in (9, 10, 11):
        assert answer(service, call(debtor, hour)) == "allow"
    status, told = put(service, call(debtor, 12), service.other)
    assert (status, told["answer"], told["load"]) == (200, "allow", {"own": 1, "all": 4})


def test_what_has_happened_is_recorded_and_judged_but_not_refused(service: Running, debtor: str) -> None:
    then = (datetime.now(HOME) - timedelta(hours=1)).isoformat()
    status, told = put(service, call(debtor, at=then, direction="in", made=True))
    assert (status, told["answer"]) == (200, "allow")
    promised = (datetime.now(HOME).date() + timedelta(days=5)).isoformat()
    assert end(service, told["contact_id"], {"conversation": True, "promised_on": promised})[0] == 200
    assert answer(service, call(debtor)) == "block"  # a promise is waited for


def test_a_contact_that_was_refused_cannot_have_ended(service: Running, debtor: str) -> None:
    told = put(service, call(debtor, 23))[1]
    assert end(service, told["contact_id"], {"answered": True})[0] == 409


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"borrower_id": "nobody"}, 404), ({"account_id": "a1"}, 404), ({"channel": "pigeon"}, 400),
        ({"at": "2199-01-01T00:00:00Z"}, 400), ({"made": True}, 400), ({"facts": {"collectors": []}}, 400),
        ({"surprise": 1}, 400), ({"timezone": "Nowhere/Land"}, 200), ({"facts": {"at": "x", "action": "visit"}}, 200),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_in_words(service: Running, debtor: str, changed: Any, status: int) -> None:
    found, told = put(service, call(debtor, **changed))
    assert found == status, told


def test_anothers_contact_is_not_there(service: Running, debtor: str) -> None:
    name = put(service, call(debtor))[1]["contact_id"]
    assert ask(service.port, "GET", f"/v1/contacts/{name}", service.other)[0] == 404
    assert end(service, name, {"answered": True}, service.other)[0] == 404
    assert ask(service.port, "GET", f"/v1/contacts/{name}", service.reader)[0] == 403
