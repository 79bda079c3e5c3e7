"""The journal takes facts and keeps them; a key is answered once."""

import re
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Conflict, InvalidInput, NotPermitted, Unavailable
from evenkeel.storage import database
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import OF_ACCOUNTS, Entry, Fact, Journal
from evenkeel.storage.workspace import open_workspace

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def fact(event_id: str, **more: Any) -> Fact:
    return Fact(event_id, "purchase", NOON, {"amount_minor": 2**53 + 1, "shop": "面馆"}, **more)


def test_facts_come_back_as_they_went_in_in_the_order_of_booking(journal: Journal, clock: Clock) -> None:
    facts = [fact("b", borrower_id="B1"), fact("a", account_id="A1"), fact("c", reversal_of="b")]
    journal.append(facts[:2])
    journal.append(facts[2:])
    assert list(journal.read()) == [Entry(seq, clock(), given) for seq, given in enumerate(facts, 1)]


def test_reading_narrows_to_what_is_asked(journal: Journal, clock: Clock) -> None:
    journal.append([fact("a", borrower_id="B1"), fact("b", borrower_id="B2", account_id="A2")])
    journal.append([Fact("c", "login", NOON, {}, borrower_id="B2")])

    def read(**narrow: Any) -> list[str]:
        return [entry.fact.event_id for entry in journal.read(**narrow)]

    assert read(borrower_id="B2") == ["b", "c"]
    assert read(borrower_id="B2", kind="purchase") == ["b"]
    assert read(account_id="A2") == ["b"]
    assert read(after_seq=1) == ["b", "c"]
    assert read(booked_until=clock()) == ["a", "b", "c"]
    assert read(booked_until=clock() - timedelta(microseconds=1)) == []
    assert read(borrower_id="B2'; DROP TABLE journal; --") == []


def test_a_journal_longer_than_one_page_is_read_to_its_end(journal: Journal) -> None:
    ids = [f"{number:05d}" for number in range(2000)]
    journal.append([fact(event_id) for event_id in ids])
    assert [entry.fact.event_id for entry in journal.read()] == ids


def test_facts_of_one_call_are_booked_all_or_none(journal: Journal) -> None:
    journal.append([fact("a")])
    with pytest.raises(Conflict, match="event_id"):
        journal.append([fact("b"), fact("a")])
    assert [entry.fact.event_id for entry in journal.read()] == ["a"]


def test_a_reversal_names_a_fact_on_record(journal: Journal) -> None:
    with pytest.raises(Conflict, match="reversal_of"):
        journal.append([fact("a", reversal_of="never")])


@pytest.mark.parametrize("payload", [{"x": float("nan")}, {"x": object()}, {"x": "a\x00b"}, {"x": "\ud800"}])
def test_a_payload_that_is_not_json_is_refused(journal: Journal, payload: dict[str, object]) -> None:
    with pytest.raises(InvalidInput):
        journal.append([Fact("a", "login", NOON, payload)])


@pytest.mark.parametrize("event_id", ["a\x00b", "\ud800"])
def test_a_text_that_the_database_cannot_hold_is_refused(journal: Journal, event_id: str) -> None:
    with pytest.raises(InvalidInput):
        journal.append([fact(event_id)])


def test_an_instant_without_a_zone_is_refused(journal: Journal) -> None:
    with pytest.raises(InvalidInput, match="zone"):
        journal.append([Fact("a", "login", NOON.replace(tzinfo=None), {})])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE journal SET payload = '{}'",
        "UPDATE journal SET payload = '{}' WHERE false",
        "DELETE FROM journal",
        "TRUNCATE journal",
        "TRUNCATE journal CASCADE",
        """INSERT INTO journal (event_id, kind, effective_at, booked_at, payload)
           SELECT event_id, kind, effective_at, booked_at, payload FROM journal
           ON CONFLICT (event_id) DO UPDATE SET payload = '{}'""",
        "MERGE INTO journal USING (VALUES (1)) AS one ON true WHEN MATCHED THEN DELETE",
        "SET session_replication_role = replica; DELETE FROM journal",
    ],
)
def test_the_database_itself_refuses_to_change_the_journal(journal: Journal, statement: str) -> None:
    journal.append([fact("a")])
    before = list(journal.read())
    with pytest.raises(NotPermitted, match="append-only") as refusal, transaction(journal.engine) as connection:
        connection.execute(sa.text(statement))
    assert "reversal_of" in refusal.value.remedy
    assert list(journal.read()) == before


def test_the_facts_of_an_account_are_in_the_order_of_booking_whatever_index_has_them(journal: Journal) -> None:
    kinds = [("opened", "b"), ("hold", "b"), ("payment", "b"), ("hold", None), ("corrected", None), ("hold", "b")]
    journal.append([
        Fact(f"{account}-{place}", f"account.{kind}", NOON, {}, borrower and f"{borrower}-{account}", account)
        for place, (kind, borrower) in enumerate(kinds) for account in ("a", "z")
    ])  # fmt: skip
    journal.append([Fact("other", "account.hold", NOON, {}, "b-a", "y"), Fact("of-none", "login", NOON, {}, "b-a")])
    assert [entry.fact.event_id for entry in journal.read(account_id="a")] == [f"a-{n}" for n in range(6)]
    assert [entry.fact.event_id for entry in journal.read(account_id="a", kind="account.hold", borrower_id="b-a")] == [
        "a-1", "a-5"
    ]  # fmt: skip
    some = [entry.fact.event_id for entry in journal.of_accounts(["z", "a", "never"])]
    assert some == [f"{account}-{n}" for account in ("a", "z") for n in range(6)]
    assert list(journal.read(account_id="never")) == []


def test_an_account_is_read_by_the_index_of_accounts_and_that_of_borrowers(journal: Journal) -> None:
    query = OF_ACCOUNTS.format(accounts="ARRAY['a']")
    with transaction(journal.engine) as connection:
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        plan = " ".join(row[0] for row in connection.execute(sa.text(f"EXPLAIN {query}")))
    scans = re.findall(r"Scan using (\w+)|Scan on (journal_\w+)|(Seq Scan)", plan)
    assert sorted(next(filter(None, scan)) for scan in scans) == [
        "journal_account",
        "journal_account",
        "journal_borrower",
    ]


def test_a_key_with_the_same_body_gets_the_first_reply_and_nothing_is_done_again(journal: Journal) -> None:
    def act(connection: sa.Connection) -> dict[str, object]:
        journal.append_in(connection, [fact("a")])
        return {"booked": "a"}

    first = journal.once("key", {"x": 1, "y": 2}, act)
    again = journal.once("key", {"y": 2, "x": 1}, act)
    assert (first.first, again.first) == (True, False)
    assert first.value == again.value == {"booked": "a"} == journal.reply("key", {"x": 1, "y": 2})


def test_a_key_with_another_body_is_a_conflict(journal: Journal) -> None:
    journal.once("key", {"x": 1}, lambda _: {})
    with pytest.raises(Conflict, match="key"):
        journal.once("key", {"x": 2}, lambda _: {})
    with pytest.raises(Conflict, match="key"):
        journal.reply("key", {"x": 2})


def test_a_key_whose_work_failed_is_free_again(journal: Journal) -> None:
    def fail(connection: sa.Connection) -> dict[str, object]:
        journal.append_in(connection, [fact("a")])
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        journal.once("key", {}, fail)
    assert list(journal.read()) == []
    assert journal.once("key", {}, lambda _: {"done": True}).first


def test_callers_who_come_with_one_key_at_once_cause_one_fact(journal: Journal) -> None:
    def act(connection: sa.Connection) -> dict[str, object]:
        journal.append_in(connection, [fact("a")])
        return {}

    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda _: journal.once("key", {}, act), range(16)))
    assert sum(reply.first for reply in replies) == 1
    assert len(list(journal.read())) == 1


def test_the_newest_revision_is_the_one_that_the_programs_expect() -> None:
    config = Config()
    config.set_main_option("script_location", "evenkeel.storage:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [database.HEAD]


def test_processes_that_open_a_new_database_together_make_its_tables_once(
    empty_url: str, tmp_path: Path, clock: Clock
) -> None:
    def opened(number: int) -> None:
        with open_workspace(tmp_path / str(number), database_url=empty_url, clock=clock) as workspace:
            workspace.journal.append([fact(f"fact-{number}")])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(opened, range(4)))
    with open_workspace(tmp_path / "0", database_url=empty_url, clock=clock) as workspace:
        assert len(list(workspace.journal.read())) == 4


def test_one_given_database_serves_several_at_once(given_url: str, tmp_path: Path, clock: Clock) -> None:
    with ExitStack() as stack:
        first, second = (
            stack.enter_context(open_workspace(tmp_path, database_url=given_url, clock=clock)) for _ in range(2)
        )
        first.journal.append([fact("a")])
        assert [entry.fact.event_id for entry in second.journal.read()] == ["a"]


def test_a_database_of_a_newer_evenkeel_is_left_alone(given_url: str, tmp_path: Path, clock: Clock) -> None:
    with open_workspace(tmp_path, database_url=given_url, clock=clock) as opened, opened.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with (
        pytest.raises(Unavailable, match="9999") as refusal,
        open_workspace(tmp_path, database_url=given_url, clock=clock),
    ):
        pass
    assert "upgrade" in refusal.value.remedy


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me:s3cret@127.0.0.1:1/db",
        "postgresql://me:s3cret@nowhere.invalid/db",
        "postgresql://me:s3cret@localhost:port/db",
        "mysql://me:s3cret@localhost/db",
        "postgresql://me:s3cret@127.0.0.1:1/db?s3cret=1",
        "s3cret",
    ],
)
def test_a_url_that_leads_nowhere_is_refused_without_showing_the_password(
    url: str, tmp_path: Path, clock: Clock
) -> None:
    with pytest.raises(Unavailable) as refusal, open_workspace(tmp_path, database_url=url, clock=clock):
        pass
    shown = f"{refusal.value} {refusal.value.__cause__!r}"
    assert "s3cret" not in shown
    assert "EVENKEEL_DATABASE_URL" in refusal.value.remedy


def test_a_wrong_password_is_refused_without_showing_it(given_url: str, tmp_path: Path, clock: Clock) -> None:
    head, _, tail = given_url.partition("@")
    wrong = f"{head.rsplit(':', 1)[0]}:s3cret@{tail}"
    with (
        pytest.raises(Unavailable, match="password authentication failed") as refusal,
        open_workspace(tmp_path, database_url=wrong, clock=clock),
    ):
        pass
    assert "s3cret" not in str(refusal.value)
