"""Conversations on record, on a real PostgreSQL: facts and memory in one transaction, once for each message."""

from __future__ import annotations

import multiprocessing
import os
import secrets
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from evenkeel.arrears.contacts.model import Contact
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.arrears.conversation.model import Offer, Situation, State
from evenkeel.arrears.conversation.service import Conversations, Message, lawful_offers
from evenkeel.arrears.conversation.simulated import understand_local
from evenkeel.arrears.law import load_rules
from evenkeel.kernel.errors import Conflict, NotFound, NotPermitted
from evenkeel.storage.database import given_engine
from evenkeel.storage.journal import Entry, Fact, Journal
from evenkeel.storage.workspace import Workspace

RULES = load_rules()
NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)  # ten in the morning in Shanghai, a Wednesday
HERE = Situation("晴禾消费金融", "CNY", date(2026, 11, 25), identified=True, jurisdiction="CN", due_minor=240000)


class Desk:
    """One borrower with an account, and the conversations of the lender."""

    def __init__(self, record: Workspace) -> None:
        self.now = NOW
        self.journal = Journal(record.engine, lambda: self.now)
        self.who = f"b-{secrets.token_hex(6)}"
        opened = Fact(
            secrets.token_hex(12),
            "account.opened",
            NOW - timedelta(days=99),
            {"lender_id": "x"},
            self.who,
            f"a-{self.who}",
        )
        self.journal.append([opened])
        self.contacts = Contacts(self.journal, "x", RULES, "CN")
        self.talks = Conversations(self.contacts, understand_local)

    def message(self, key: str, text: str, talk: str = "t1") -> Message:
        return Message(talk, self.who, key, text, account_id=f"a-{self.who}")

    def say(self, *texts: str, situation: Situation = HERE, talk: str = "t1") -> list[Any]:
        return [
            self.talks.take(self.message(f"{talk}-{place}", text, talk), situation) for place, text in enumerate(texts)
        ]

    def facts(self, kind: str | None = None) -> list[Entry]:
        return list(self.journal.read(borrower_id=self.who, kind=kind))


@pytest.fixture
def desk(record: Workspace) -> Desk:
    return Desk(record)


def test_a_promise_is_on_record_and_the_contact_law_waits_for_it(desk: Desk) -> None:
    replies = desk.say("我下周五还", "两千", "是的")
    assert replies[-1].facts[0].kind == "promise"
    (fact,) = (entry.fact for entry in desk.facts("event.promise"))
    assert fact.payload["amount_minor"] == 200000 and fact.payload["lender_id"] == "x"
    assert fact.payload["fields"] == {"promised_on": "2026-12-04", "currency": "CNY", "conversation_id": "t1"}  # type: ignore[comparison-overlap]
    asked = desk.contacts.ask(
        Contact(borrower_id=desk.who, channel="sms", target="debtor", timezone="Asia/Shanghai"), "k"
    )
    assert not asked.may or any("promise" in one.parameter for one in asked.rules)


def test_a_request_to_stop_is_on_record_and_blocks_the_next_contact(desk: Desk) -> None:
    desk.say("别再打了")
    assert len(desk.facts("event.stop_contact")) == 1
    with pytest.raises(NotPermitted, match="may not be begun"):
        desk.talks.begin(desk.message("out", "", "t2"), HERE, "zh")


def _asked(desk: Desk, channel: str, point: str | None) -> tuple[bool, set[str]]:
    desk.now += timedelta(minutes=1)
    contact = Contact(
        borrower_id=desk.who, channel=channel, target="debtor", timezone="Asia/Shanghai", contact_point_token=point,  # type: ignore[arg-type]
        actor_type="consumer_finance", product="bnpl",
    )  # fmt: skip
    answer = desk.contacts.ask(contact, secrets.token_hex(6))
    return answer.may, {one.id for one in answer.rules if one.effect in ("block", "require")}


def test_a_wrong_person_who_writes_is_never_contacted_there_again_until_that_is_taken_back(desk: Desk) -> None:
    point, other = "hash-of-a-number-1", "hash-of-a-number-2"
    assert _asked(desk, "sms", point) == (True, set())
    message = replace(desk.message("m", "打错了，我不是李娜"), channel="sms", contact_point_token=point)
    desk.talks.take(message, HERE)
    for channel in ("sms", "call"):
        assert _asked(desk, channel, point) == (False, {"EK-WRONG-PERSON"})
        assert _asked(desk, channel, other) == (True, set())
    assert _asked(desk, "sms", None) == (False, {"EK-WRONG-PERSON"}), "which number it is must be said now"
    with pytest.raises(NotPermitted, match="EK-WRONG-PERSON"):
        desk.talks.begin(replace(message, key="again", conversation_id="t2"), HERE, "zh")
    (told,) = desk.facts("case.wrong_person")
    desk.journal.append(
        [Fact("back", "event.reversed", desk.now, {"lender_id": "x"}, desk.who, reversal_of=told.fact.event_id)]
    )
    assert _asked(desk, "sms", point) == (True, set())


@pytest.mark.parametrize(
    ("channel", "closed", "open_"),
    [("sms", ("sms", "call"), ("app", "email")), ("app", ("app",), ("sms",)), ("email", ("email",), ("sms", "app"))],
)
def test_a_wrong_person_at_an_unknown_point_closes_all_that_the_channel_may_reach(
    desk: Desk, channel: Any, closed: tuple[str, ...], open_: tuple[str, ...]
) -> None:
    desk.talks.take(replace(desk.message("m", "打错了，我不是李娜"), channel=channel), HERE)
    for one in closed:
        for point in (None, "hash-of-a-number-1"):
            assert _asked(desk, one, point) == (False, {"EK-WRONG-PERSON"})
    for one in open_:
        assert _asked(desk, one, None if one == "app" else "hash-of-a-number-1") == (True, set())


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("我早就还清了", ["event.dispute_opened", "conversation.handed_over"]),
        ("失业了，还不起", ["event.hardship", "conversation.handed_over"]),
        ("打错了，我不是李娜", ["case.wrong_person"]),
        ("我不想活了", ["conversation.handed_over"]),
    ],
)
def test_what_was_said_is_on_record_as_facts_and_not_as_words(desk: Desk, text: str, kinds: list[str]) -> None:
    desk.say(text)
    entries = [entry.fact for entry in desk.facts() if not entry.fact.kind.startswith(("account.", "contact."))]
    assert [fact.kind for fact in entries] == ["conversation.turn", *kinds]
    assert text not in str([fact.payload for fact in entries])
    assert all(fact.payload["lender_id"] == "x" for fact in entries)


def test_the_contact_that_came_in_is_on_record(desk: Desk) -> None:
    desk.say("你好")
    (asked,) = (entry.fact for entry in desk.facts("contact.asked"))
    contact: Any = asked.payload["contact"]
    assert contact["direction"] == "in" and asked.payload["made"] is True


def test_the_same_message_again_gives_the_first_reply_and_books_nothing(desk: Desk) -> None:
    first = desk.say("明天还500", "是的")
    before = len(desk.facts())
    assert desk.say("明天还500", "是的") == first
    assert len(desk.facts()) == before
    with pytest.raises(Conflict):
        desk.talks.take(desk.message("t1-0", "something else"), HERE)


def test_a_conversation_goes_on_in_another_process_and_beside_others(desk: Desk, record: Workspace) -> None:
    desk.say("明天还500", talk="one")
    desk.say("后天还800", talk="two")
    other = Conversations(Contacts(Journal(record.engine, lambda: NOW), "x", RULES, "CN"), understand_local)
    for talk, minor in (("one", 50000), ("two", 80000)):
        reply = other.take(desk.message(f"{talk}-yes", "对的", talk), HERE)
        assert reply.facts[0].fields["amount_minor"] == minor


def test_somebody_elses_borrower_has_no_conversation_here(desk: Desk) -> None:
    with pytest.raises(NotFound):
        desk.talks.take(replace(desk.message("k", "你好"), borrower_id="nobody"), HERE)


def test_the_lender_may_begin_by_day_and_not_at_night(desk: Desk) -> None:
    begun = desk.talks.begin(desk.message("out", ""), HERE, "zh")
    assert begun.keys[0] == "machine" and begun.talk.state is State.LISTENING
    desk.now = NOW + timedelta(hours=13)  # eleven at night
    with pytest.raises(NotPermitted, match="Lawful from"):
        desk.talks.begin(desk.message("out-2", "", "t9"), HERE, "zh")


def test_yes_from_two_sides_at_once_is_one_promise(desk: Desk) -> None:
    desk.say("明天还500")
    with ThreadPoolExecutor(6) as pool:
        messages = [desk.message(f"yes-{place % 3}", "是的") for place in range(6)]
        list(pool.map(lambda message: desk.talks.take(message, HERE), messages))
    assert len(desk.facts("event.promise")) == 1


def test_offers_that_the_law_does_not_allow_are_not_made(desk: Desk) -> None:
    known = {"product": "card", "actor_type": "bank"}
    offers = (
        Offer("short", "plan", date(2026, 12, 10), 40000, 6, known),
        Offer("endless", "plan", date(2026, 12, 10), 3000, 90, known),
        Offer("due", "due_day", date(2026, 12, 15)),
    )
    lawful = lawful_offers(offers, RULES, "CN", NOW)
    assert "endless" not in {one.offer_id for one in lawful} and "due" in {one.offer_id for one in lawful}
    reply = desk.say("失业了，还不起", situation=replace(HERE, offers=offers))[0]
    assert "30.00元" not in reply.text


def _talk_until_killed(url: str, who: str, account: str, told: Any) -> None:
    engine = given_engine(url)
    talks = Conversations(Contacts(Journal(engine, lambda: NOW), "x", RULES, "CN"), understand_local)
    number = 0
    while True:
        talk = f"t{number}"
        talks.take(Message(talk, who, f"{talk}-a", "明天还500", account_id=account), HERE)
        talks.take(Message(talk, who, f"{talk}-b", "是的", account_id=account), HERE)
        told.send(talk)
        number += 1


def _killed(given_url: str, kills: int) -> None:
    journal = Journal(given_engine(given_url), lambda: NOW)
    journal.append([Fact("opened", "account.opened", NOW, {"lender_id": "x"}, "b", "a")])
    acknowledged: set[str] = set()
    context = multiprocessing.get_context("spawn")
    for place in range(kills):
        near, far = context.Pipe(duplex=False)
        child = context.Process(target=_talk_until_killed, args=(given_url, "b", "a", far))
        child.start()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and len(acknowledged) < 3 * (place + 1):
            if near.poll(0.05):
                acknowledged.add(near.recv())
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        while near.poll(0):
            try:
                acknowledged.add(near.recv())
            except EOFError:
                break
    promises = [entry.fact.payload["fields"]["conversation_id"] for entry in journal.read(kind="event.promise")]  # type: ignore[index]
    assert len(promises) == len(set(promises)) and acknowledged <= set(promises)
    for entry in journal.read(kind="conversation.turn"):
        noted: Any = entry.fact.payload["facts"]
        if noted:
            assert entry.fact.payload["conversation_id"] in promises
    journal.engine.dispose()


@pytest.mark.prove
def test_killed_at_any_moment_no_promise_is_lost_and_none_is_there_twice(given_url: str) -> None:
    _killed(given_url, 6)


def test_killed_once_no_promise_is_lost(given_url: str) -> None:
    _killed(given_url, 1)
