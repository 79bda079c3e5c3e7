"""Simulated days of collectors who ask for everything, beside a plain oracle: nothing outside the rules is cleared."""

from __future__ import annotations

import secrets
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
import sqlalchemy as sa
from contact_oracle import Debtor, Made

from evenkeel.arrears.contacts.model import Contact, Ended
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.arrears.contacts.standing import KINDS
from evenkeel.arrears.law import load_rules
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal
from evenkeel.storage.workspace import Workspace

RULES = load_rules()
LENDERS = ("x", "y")
CHANNELS = ("call", "call", "bot_call", "sms", "app", "letter", "email")
ZONES = ("Asia/Shanghai", "Asia/Urumqi", "Europe/London", "America/New_York", "Australia/Lord_Howe")
BEGIN = datetime(2026, 3, 6, tzinfo=UTC)  # the clocks of New York and London change within the month


class World:
    """Some debtors, the record, and the oracle beside it, told of the same."""

    def __init__(self, record: Workspace, seed: int, debtors: int) -> None:
        self.rng = Random(seed)
        self.now = BEGIN
        self.journal = Journal(record.engine, lambda: self.now)
        mark = secrets.token_hex(4)
        self.debtors = {f"{mark}-{place}": Debtor(ZoneInfo(self.rng.choice(ZONES))) for place in range(debtors)}
        self.open: list[tuple[str, str, str]] = []
        self.seen: Counter[str] = Counter()
        for name in self.debtors:
            for lender in LENDERS:
                self._book(
                    "account.opened", name, BEGIN - timedelta(days=90), f"{lender}-{name}", {"lender_id": lender}
                )

    def _book(self, kind: str, who: str, at: datetime, account: str | None, payload: dict[str, Any]) -> None:
        self.journal.append([Fact(secrets.token_hex(12), kind, at, payload, who, account)])

    def step(self) -> None:
        """A while passes; then somebody asks, tells, or a borrower says something."""
        self.now += timedelta(minutes=self.rng.randint(1, 90))
        who = self.rng.choice([*self.debtors])
        draw = self.rng.random()
        if draw < 0.72:
            self._ask(who, self.rng.choice(LENDERS))
        elif draw < 0.88 and self.open:
            self._tell(*self.open.pop(self.rng.randrange(len(self.open))))
        else:
            self._say(who, self.rng.choice(LENDERS))

    def _ask(self, who: str, lender: str) -> None:
        debtor, channel = self.debtors[who], self.rng.choice(CHANNELS)
        at = self.now + timedelta(hours=self.rng.choice((0, 0, 0, 1, 5, 30)))
        voice = channel in ("call", "bot_call")
        asked = Contact(
            borrower_id=who, channel=channel, at=at, target="debtor", timezone=debtor.zone.key,
            actor_type="consumer_finance", product="bnpl", actor_id=f"agency-{self.rng.randrange(5)}",
        )  # fmt: skip
        told = Contacts(self.journal, lender, RULES, "CN").ask(asked, secrets.token_hex(8))
        why = debtor.why_not(lender, at, voice)
        assert told.may == (not why), (why, told.answer, [one.id for one in told.rules], at)
        self.seen.update(why or {"cleared"})
        if told.may:
            debtor.contacts[told.contact_id] = Made(lender, at, voice)
            self.open.append((who, lender, told.contact_id))
            return
        assert told.rules
        if told.lawful_from is not None:
            assert told.lawful_from > at
            assert not debtor.why_not(lender, told.lawful_from, voice)
        else:
            assert why & {"stopped", "dispute", "plan"}, why

    def _tell(self, who: str, lender: str, name: str) -> None:
        made = self.debtors[who].contacts[name]
        if made.at > self.now and self.rng.random() < 0.5:
            made.made = False
            Contacts(self.journal, lender, RULES, "CN").tell(name, Ended(made=False))
            return
        made.conversation = self.rng.random() < 0.6
        promised = self.now.date() + timedelta(days=2) if self.rng.random() < 0.05 else None
        made.promised = promised
        ended = Ended(answered=made.conversation, conversation=made.conversation, promised_on=promised)
        Contacts(self.journal, lender, RULES, "CN").tell(name, ended)

    def _say(self, who: str, lender: str) -> None:
        """At some instant, which may lie before what is known already."""
        debtor, at = self.debtors[who], self.now - timedelta(hours=self.rng.choice((0, 0, 3, 40)))
        kind = self.rng.choice(("night", "night", "dispute", "dispute", "dispute", "plan", "plan", "stop"))
        on = self.rng.random() < 0.4
        said: dict[str, Any] = {"lender_id": lender, "fields": {}}
        if kind == "night":
            debtor.consents.append((at, on))
            said["fields"] = {"purpose": "contact_night"}
            event = "consent_given" if on else "consent_withdrawn"
        elif kind == "dispute":
            debtor.disputes.append((at, lender, on))
            event = "dispute_opened" if on else "dispute_closed"
        elif kind == "plan":
            debtor.plans.append((at, on))
            event = "plan_signed" if on else "plan_broken"
        elif self.rng.random() < 0.15:
            debtor.stopped.append((at, lender))
            event = "stop_contact"
        else:
            return
        self._book(f"event.{event}", who, at, None, said)


def run(world: World, steps: int) -> Counter[str]:
    for _ in range(steps):
        world.step()
    return world.seen


def test_whoever_asks_for_everything_is_given_what_the_oracle_allows(record: Workspace) -> None:
    seen = run(World(record, 1, 4), 500)
    assert {"cleared", "night", "conversations", "plan", "dispute", "stopped"} <= set(seen)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(8))
def test_in_long_simulations_nothing_outside_the_rules_is_cleared(record: Workspace, seed: int) -> None:
    run(World(record, 100 + seed, 40), 4000)


def test_agencies_that_ask_at_the_same_moment_never_exceed_the_day(record: Workspace) -> None:
    world = World(record, 7, 6)
    world.now = datetime(2026, 3, 10, 6, tzinfo=UTC)
    asked = [
        Contact(borrower_id=who, channel="call", target="debtor", timezone="Asia/Shanghai",
                actor_type="consumer_finance", product="bnpl", actor_id=f"agency-{place}")
        for who in world.debtors for place in range(8)
    ]  # fmt: skip
    contacts = Contacts(world.journal, "x", RULES, "CN")
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(lambda one: contacts.ask(one, secrets.token_hex(8)), asked))
    may = Counter(one.borrower_id for one, answer in zip(asked, told, strict=True) if answer.may)
    assert may == dict.fromkeys(world.debtors, 3)


def test_what_is_looked_up_is_found_by_its_index(record: Workspace) -> None:
    world = World(record, 3, 1)
    (who,) = world.debtors
    kinds = ", ".join(f"'{kind}'" for kind in KINDS)
    query = f"EXPLAIN SELECT seq FROM journal WHERE borrower_id = '{who}' AND kind IN ({kinds})"
    with transaction(record.engine) as connection:
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        connection.execute(sa.text("SET LOCAL enable_bitmapscan = off"))
        plan = "\n".join(connection.execute(sa.text(query)).scalars())
    assert "journal_contact" in plan


def test_an_answer_is_kept_as_it_was_given(record: Workspace) -> None:
    world = World(record, 5, 1)
    (who,) = world.debtors
    contacts = Contacts(world.journal, "x", RULES, "CN")
    asked = Contact(borrower_id=who, channel="call", target="debtor", timezone="Asia/Shanghai")
    first = contacts.ask(asked, "k-" + who)
    world.now += timedelta(days=30)
    assert contacts.ask(asked, "k-" + who) == first
    assert msgspec.to_builtins(contacts.one(first.contact_id)) == msgspec.to_builtins(first)


def test_what_is_still_to_be_made_is_not_judged_as_of_the_past(record: Workspace) -> None:
    world = World(record, 9, 1)
    (who,) = world.debtors
    contacts = Contacts(world.journal, "x", RULES, "CN")
    noon = datetime(2026, 3, 10, 4, tzinfo=UTC)
    world.now = noon + timedelta(hours=11)
    asked = Contact(borrower_id=who, channel="sms", target="debtor", timezone="Asia/Shanghai", at=noon)
    assert (told := contacts.ask(asked, "n-" + who)).answer == "block"
    assert (told.at, told.lawful_from) == (world.now, noon + timedelta(hours=20))
    assert contacts.ask(msgspec.structs.replace(asked, made=True), "m-" + who).answer == "allow"
