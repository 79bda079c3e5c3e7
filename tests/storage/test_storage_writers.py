"""Many write at once and none waits; readers know how far the record is closed; older records are taken on."""

import random
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from chain_samples import expected_links, fact, kinds, tamper
from storage_helpers import Start, await_no_server, said

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Conflict
from evenkeel.storage import database, tables
from evenkeel.storage.chain import verify
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal
from evenkeel.storage.workspace import open_workspace

# Writers


def test_a_transaction_that_is_rolled_back_leaves_the_chain_whole(booked: Journal) -> None:
    with pytest.raises(Conflict):
        booked.append([fact("g"), fact("a")])
    with pytest.raises(ZeroDivisionError), transaction(booked.engine) as connection:
        booked.append_in(connection, [fact("g")])
        raise ZeroDivisionError
    with transaction(booked.engine) as connection:
        booked.append_in(connection, [fact("g")])
        nested = connection.begin_nested()
        booked.append_in(connection, [fact("h")])
        nested.rollback()
        booked.append_in(connection, [fact("i")])
    proof = verify(booked.engine)
    assert (proof.facts, proof.links, proof.faults) == (8, 5, {})
    assert len(proof.heads) == 1


def test_an_act_that_books_several_times_is_under_the_chain_as_a_whole(journal: Journal) -> None:
    def act(connection: sa.Connection) -> dict[str, object]:
        for number in range(3):
            journal.append_in(connection, [fact(str(number))])
        journal.append_in(connection, [])
        return {}

    journal.once("key", {}, act)
    proof = verify(journal.engine)
    assert (proof.facts, proof.links, proof.faults) == (3, 3, {})


def test_a_writer_does_not_wait_for_one_whose_transaction_is_open(journal: Journal) -> None:
    with ThreadPoolExecutor(1) as pool, transaction(journal.engine) as connection:
        journal.append_in(connection, [fact("a")])
        pool.submit(journal.append, [fact("b")]).result(timeout=20)
        assert kinds(journal) == set()
    proof = verify(journal.engine)
    assert (proof.facts, len(proof.heads), proof.faults) == (2, 2, {})


def test_threads_that_book_through_one_journal_at_once_leave_sound_chains(journal: Journal) -> None:
    def book(number: int) -> None:
        journal.append([fact(f"{number}-{place}") for place in range(number % 7 + 1)])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(book, range(200)))
    proof = verify(journal.engine)
    assert (proof.links, proof.faults) == (200, {})
    assert proof.facts == sum(head.facts for head in proof.heads) == len(list(journal.read()))


def test_processes_that_book_at_once_leave_sound_chains_also_when_one_is_killed(
    booked: Journal, given_url: str, tmp_path: Path, child: Start
) -> None:
    writers = [child("append", tmp_path / str(number), f"w{number}", given_url) for number in range(3)]
    acknowledged = 0
    for _ in range(12):
        for writer in writers:
            acknowledged = int(said(writer))
    writers[0].kill()
    for _ in range(12):
        for writer in writers[1:]:
            acknowledged = int(said(writer))
        assert kinds(booked) == set()
    for writer in writers:
        writer.kill()
        writer.wait()
    proof = verify(booked.engine)
    assert proof.faults == {}
    assert len(proof.heads) == 1 + 3
    assert proof.facts >= 6 + acknowledged


def kill_while_booking(seed: int, place: Path, clock: Clock, child: Start) -> None:
    draw = random.Random(seed)
    acknowledged: list[int] = []
    for round_ in range(3):
        writer = child("append", place, f"round{round_}")
        acknowledged.append(int(said(writer)))
        until = time.monotonic() + draw.uniform(0, 0.5)
        while time.monotonic() < until:
            acknowledged[-1] = int(said(writer))
        writer.kill()
        assert writer.wait() == -signal.SIGKILL
        assert await_no_server(place) == []
    with open_workspace(place, database_url=None, clock=clock) as opened:
        proof = verify(opened.journal.engine)
        booked = {entry.fact.event_id for entry in opened.journal.read()}
    assert proof.faults == {}
    assert len(proof.heads) == 3
    assert booked >= {f"round{round_}-{number}" for round_, last in enumerate(acknowledged) for number in range(last)}


def test_a_writer_killed_while_booking_leaves_a_record_that_verifies(place: Path, clock: Clock, child: Start) -> None:
    kill_while_booking(1, place, clock, child)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 107))
def test_a_writer_killed_at_any_of_twenty_moments_leaves_a_record_that_verifies(
    place: Path, clock: Clock, child: Start, seed: int
) -> None:
    kill_while_booking(seed, place, clock, child)


# The watermark


def test_nothing_is_settled_before_the_first_fact_and_everything_when_nobody_is_booking(journal: Journal) -> None:
    assert journal.settled() == 0
    journal.append([fact("a"), fact("b")])
    assert journal.settled() == 2
    with pytest.raises(Conflict):
        journal.append([fact("a")])
    assert journal.settled() == 3


@pytest.mark.parametrize("end", ["commit", "rollback"])
def test_an_open_transaction_holds_the_watermark_before_its_first_fact(journal: Journal, end: str) -> None:
    journal.append([fact("a")])
    with journal.engine.connect() as connection:
        open_one = connection.begin()
        journal.append_in(connection, [fact("b")])
        journal.append([fact("c")])
        journal.append_in(connection, [fact("d")])
        journal.append([fact("e")])
        assert journal.settled() == 1
        assert [entry.fact.event_id for entry in journal.read(up_to_seq=1)] == ["a"]
        getattr(open_one, end)()
    assert journal.settled() == 5
    later = [entry.fact.event_id for entry in journal.read(after_seq=1, up_to_seq=5)]
    assert later == (["b", "c", "d", "e"] if end == "commit" else ["c", "e"])


def test_the_first_fact_of_all_is_waited_for_as_well(journal: Journal) -> None:
    with transaction(journal.engine) as connection:
        journal.append_in(connection, [fact("a")])
        journal.append([fact("b")])
        assert journal.settled() == 0
    assert journal.settled() == 2


def test_a_savepoint_that_is_rolled_back_frees_the_watermark_but_not_what_was_booked_before_it(
    journal: Journal,
) -> None:
    with transaction(journal.engine) as connection:
        nested = connection.begin_nested()
        journal.append_in(connection, [fact("a")])
        nested.rollback()
        journal.append([fact("b")])
        assert journal.settled() == 2
        journal.append_in(connection, [fact("c")])
        nested = connection.begin_nested()
        journal.append_in(connection, [fact("d")])
        nested.rollback()
        assert journal.settled() == 2
    assert journal.settled() == 4


def test_a_transaction_that_books_often_takes_one_lock(journal: Journal) -> None:
    with transaction(journal.engine) as connection:
        for number in range(50):
            journal.append_in(connection, [fact(str(number))])
        locks = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()")
        assert connection.execute(locks).scalar_one() == 1


def test_a_reader_who_follows_the_watermark_misses_nothing_that_commits_late(journal: Journal) -> None:
    def write(writer: int) -> None:
        draw = random.Random(writer)
        for number in range(40):
            with transaction(journal.engine) as connection:
                journal.append_in(connection, [fact(f"{writer}-{number}-first")])
                time.sleep(draw.choice([0, 0, 0.001, 0.02]))
                journal.append_in(connection, [fact(f"{writer}-{number}-second")])

    seen: list[str] = []
    top = 0
    with ThreadPoolExecutor(4) as pool:
        writing = [pool.submit(write, writer) for writer in range(4)]
        while True:
            finished = all(work.done() for work in writing)
            after, top = top, journal.settled()
            seen += [entry.fact.event_id for entry in journal.read(after_seq=after, up_to_seq=top)]
            if finished:
                break
        for work in writing:
            work.result()
    assert seen == [entry.fact.event_id for entry in journal.read()]
    assert len(seen) == 4 * 40 * 2


# Older databases


def at_revision(connection: sa.Connection, revision: str) -> None:
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", "evenkeel.storage:migrations")
    command.upgrade(config, revision)


def at_first_revision(empty_url: str, facts: int) -> None:
    """A database as it was before the chain, with facts in it."""
    engine = database.given_engine(empty_url)
    with transaction(engine) as connection:
        at_revision(connection, "0001")
        connection.execute(
            sa.text(
                "INSERT INTO journal (event_id, kind, effective_at, booked_at, payload) SELECT 'old-' || n, 'login', "
                "timestamptz '2026-03-01 12:00:00.5+00', now(), jsonb_build_object('n', n, 'shop', '面馆') "
                "FROM generate_series(1, :facts) AS n"
            ),
            {"facts": facts},
        )
    engine.dispose()


def test_facts_from_before_the_chain_are_put_under_a_chain_of_their_own(
    empty_url: str, tmp_path: Path, clock: Clock
) -> None:
    at_first_revision(empty_url, 1500)
    with open_workspace(tmp_path, database_url=empty_url, clock=clock) as opened:
        opened.journal.append([fact("new")])
        proof = verify(opened.engine)
        assert (proof.facts, proof.links, proof.faults) == (1501, 2, {})
        assert (proof.heads[0].writer, proof.heads[0].facts) == (str(uuid.UUID(int=0)), 1500)
        with transaction(opened.engine) as connection:
            links = connection.execute(sa.select(tables.chain).order_by(tables.chain.c.link)).all()
            assert [(link.link, link.previous, link.facts, link.hash) for link in links] == expected_links(connection)
            assert database.guarded(connection, "journal")
        tamper(opened.journal, "UPDATE journal SET kind = 'refund' WHERE event_id = 'old-700'")
        assert kinds(opened.journal) == {"changed"}


def test_an_older_database_without_facts_gets_no_link(empty_url: str, tmp_path: Path, clock: Clock) -> None:
    at_first_revision(empty_url, 0)
    with open_workspace(tmp_path, database_url=empty_url, clock=clock) as opened:
        assert verify(opened.engine).links == 0


def test_holds_from_before_they_left_the_index_are_found_by_their_account(
    empty_url: str, tmp_path: Path, clock: Clock
) -> None:
    engine = database.given_engine(empty_url)
    booked = [
        Fact(f"{account}-{kind}", f"account.{kind}", clock(), {}, "b", account)
        for kind in ("opened", "hold", "payment") for account in ("a1", "a2")
    ]  # fmt: skip
    with transaction(engine) as connection:
        at_revision(connection, "0013")
        Journal(engine, clock).append_in(connection, booked)
    engine.dispose()
    with open_workspace(tmp_path, database_url=empty_url, clock=clock) as opened:
        found = [entry.fact for entry in opened.journal.read(account_id="a2")]
        assert found == booked[1::2]
        assert verify(opened.engine).faults == {}
        with pytest.raises(Conflict, match="event_id"):
            opened.journal.append([booked[3]])
