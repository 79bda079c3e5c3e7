"""The chains prove the record: what was booked is what stands there, and no more than that is claimed."""

import uuid
from datetime import UTC, datetime, timedelta, timezone

import pytest
import sqlalchemy as sa
from chain_samples import CUT, NOON, expected_links, fact, forge, kinds, now, tamper

from evenkeel.kernel.errors import Conflict, NotPermitted
from evenkeel.storage import chain, tables
from evenkeel.storage.chain import Checkpoint, Head, verify
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal

# What a sound record is


def test_every_append_adds_one_link_to_the_chain_of_its_connection(booked: Journal) -> None:
    proof = verify(booked.engine)
    assert (proof.facts, proof.links, proof.faults, proof.against) == (6, 3, {}, {})
    assert [(head.number, head.facts) for head in proof.heads] == [(3, 6)]


def test_links_are_what_the_written_definition_says(booked: Journal) -> None:
    with transaction(booked.engine) as connection:
        links = connection.execute(sa.select(tables.chain).order_by(tables.chain.c.link)).all()
        assert [(link.link, link.previous, link.facts, link.hash) for link in links] == expected_links(connection)


def test_an_empty_record_is_sound(journal: Journal) -> None:
    assert verify(journal.engine) == chain.Proof(0, 0, (), {}, {})


@pytest.mark.parametrize(
    "payload",
    [
        {"x": 1.0, "y": -0.0, "z": 1e300, "u": 5e-324, "v": 1e16, "w": 0.1},
        {"x": 10**40, "y": -(2**63)},
        {"x": None, "y": [], "z": {"b": True, "a": [{"": ""}]}},
        {"x": '\\"\n\u2028\x7f', "面馆": "𠮷", "é": "é"},
    ],
)
@pytest.mark.parametrize(
    "instant",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(2026, 3, 1, 20, tzinfo=timezone(timedelta(hours=8))),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    ],
)
def test_no_payload_or_instant_raises_a_false_alarm(
    journal: Journal, payload: dict[str, object], instant: datetime
) -> None:
    journal.append([Fact("a", "login", instant, payload)])
    assert kinds(journal) == set()


def test_a_reader_with_other_settings_finds_the_same_hashes(booked: Journal, given_url: str) -> None:
    options = "-c timezone=Asia/Shanghai -c datestyle=German -c intervalstyle=sql_standard -c extra_float_digits=-5"
    engine = sa.create_engine(booked.engine.url, connect_args={"options": options})
    assert verify(engine).faults == {}
    engine.dispose()


def test_a_call_with_more_facts_than_a_link_holds_adds_several(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "LINK_FACTS", 3)
    ids = [f"{number:02d}" for number in range(7, 0, -1)]
    journal.append([fact(event_id) for event_id in ids])
    assert [entry.fact.event_id for entry in journal.read()] == ids
    proof = verify(journal.engine)
    assert (proof.facts, proof.links, proof.faults) == (7, 3, {})


def test_progress_grows_to_the_end(booked: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_PAGE", 2)
    shares: list[float] = []
    verify(booked.engine, None, shares.append)
    assert shares == [2 / 6, 5 / 6]


@pytest.mark.parametrize(
    "statement", ["UPDATE chain SET number = 1", "DELETE FROM chain WHERE false", "TRUNCATE chain"]
)
def test_the_database_itself_refuses_to_change_the_chain(booked: Journal, statement: str) -> None:
    with pytest.raises(NotPermitted, match="append-only"), transaction(booked.engine) as connection:
        connection.execute(sa.text(statement))


# What the chains show by themselves

CHANGED_FACT = {
    "seq": ("seq = 1000", "d", {"changed"}),
    "event_id": ("event_id = 'x'", "d", {"changed"}),
    "kind": ("kind = 'refund'", "d", {"changed"}),
    "borrower_id": ("borrower_id = NULL", "a", {"changed"}),
    "account_id": ("account_id = 'A3'", "c", {"changed"}),
    "effective_at": ("effective_at = effective_at + '1 us'::interval", "f", {"changed"}),
    "booked_at": ("booked_at = 'infinity'", "d", {"changed"}),
    "reversal_of": ("reversal_of = NULL", "b", {"changed"}),
    "payload": ("""payload = '{"amount_minor": 1251, "shop": "面馆"}'""", "d", {"changed"}),
    "link": ("link = 3", "d", {"gone", "changed"}),
}

CHANGED_LINK = {
    "link": ("link = 7", 3, {"gone", "unlinked"}),
    "writer": ("writer = gen_random_uuid()", 2, {"changed", "broken"}),
    "number": ("number = 9", 3, {"changed", "broken"}),
    "previous": ("previous = hash", 2, {"changed", "broken"}),
    "facts": ("facts = 2", 2, {"changed"}),
    "hash": ("hash = previous", 3, {"changed"}),
}


def test_every_column_has_its_case() -> None:
    assert set(CHANGED_FACT) == {column.name for column in tables.journal.columns}
    assert set(CHANGED_LINK) == {column.name for column in tables.chain.columns}


@pytest.mark.parametrize(("change", "event_id", "shown"), CHANGED_FACT.values())
def test_a_changed_value_of_a_fact_is_found(booked: Journal, change: str, event_id: str, shown: set[str]) -> None:
    tamper(booked, f"UPDATE journal SET {change} WHERE event_id = '{event_id}'")
    assert kinds(booked) == shown


@pytest.mark.parametrize(("change", "link", "shown"), CHANGED_LINK.values())
def test_a_changed_value_of_a_link_is_found(booked: Journal, change: str, link: int, shown: set[str]) -> None:
    tamper(booked, f"UPDATE chain SET {change} WHERE link = {link}")
    assert kinds(booked) == shown


def inserted(link: object) -> str:
    """A copy of the fact `f` put into the journal under a link."""
    columns = "kind, effective_at, booked_at, payload"
    return f"INSERT INTO journal (event_id, {columns}, link) SELECT 'x', {columns}, {link} FROM journal WHERE seq = 6"


@pytest.mark.parametrize(
    ("statements", "shown"),
    [
        (["DELETE FROM journal WHERE event_id = 'd'"], {"gone"}),
        (["DELETE FROM journal WHERE event_id IN ('c', 'd', 'e')"], {"gone"}),
        (["TRUNCATE journal"], {"gone"}),
        ([inserted(99)], {"unlinked"}),
        ([inserted("link")], {"changed"}),
        (["ALTER TABLE journal ALTER link DROP NOT NULL", inserted("NULL")], {"unlinked"}),
        (["DELETE FROM chain WHERE link = 2"], {"unlinked", "broken"}),
        (["DELETE FROM chain"], {"unlinked"}),
        (["DELETE FROM chain WHERE link = 2", "DELETE FROM journal WHERE link = 2"], {"broken"}),
        (["DELETE FROM chain WHERE link = 1", "DELETE FROM journal WHERE link = 1"], {"broken"}),
        (["UPDATE chain SET link = 8 WHERE link = 2", "UPDATE chain SET link = 2 WHERE link = 3",
          "UPDATE chain SET link = 3 WHERE link = 8"], {"broken", "changed", "gone"}),
        (["ALTER TABLE chain ALTER previous DROP NOT NULL", "UPDATE chain SET previous = NULL WHERE link = 3"],
         {"changed"}),
    ],
)  # fmt: skip
def test_what_was_taken_out_put_in_or_put_in_another_order_is_found(
    booked: Journal, statements: list[str], shown: set[str]
) -> None:
    tamper(booked, *statements)
    assert kinds(booked) == shown


def test_a_fault_says_where_to_look_and_counts_what_it_does_not_name(journal: Journal) -> None:
    for number in range(8):
        journal.append([fact(str(number))])
    tamper(journal, "UPDATE journal SET kind = 'refund' WHERE seq > 1")
    found = verify(journal.engine).faults["changed"]
    assert (found.count, len(found.places)) == (7, chain.SHOWN)
    assert found.places[0] == "link 2 (seq 2 - 2)"


# What they do not show, and a checkpoint kept elsewhere does

EMPTIED = ["DELETE FROM chain", "DELETE FROM journal"]
REWRITTEN = ["UPDATE journal SET kind = 'refund' WHERE event_id = 'd'"]


@pytest.mark.parametrize(
    ("statements", "shown"), [(CUT, {"cut"}), (EMPTIED, {"cut"}), (REWRITTEN, {"rewritten"}), ([], set())]
)
def test_only_a_checkpoint_shows_a_cut_off_tail_or_a_chain_made_anew(
    booked: Journal, statements: list[str], shown: set[str]
) -> None:
    kept = now(booked)
    forge(booked, *statements)
    assert kinds(booked) == set()
    assert set(verify(booked.engine, kept).against) == shown


def test_a_record_that_has_grown_holds_against_an_older_checkpoint(booked: Journal) -> None:
    kept = now(booked)
    booked.append([fact("g"), fact("h", reversal_of="g")])
    proof = verify(booked.engine, kept)
    assert (proof.facts, proof.faults, proof.against) == (8, {}, {})


def test_a_tail_that_came_after_the_checkpoint_is_beyond_it(booked: Journal) -> None:
    kept = now(booked)
    booked.append([fact("g")])
    tamper(booked, "DELETE FROM chain WHERE link = 4", "DELETE FROM journal WHERE link = 4")
    assert set(verify(booked.engine, kept).against) == set()
    assert set(verify(booked.engine, Checkpoint(NOON, 0, (Head(str(uuid.uuid4()), 1, "", 0),))).against) == {"cut"}


def test_a_fact_slipped_into_a_closed_place_with_a_good_link_of_its_own_is_found(journal: Journal) -> None:
    journal.append([fact("a")])
    with pytest.raises(Conflict):
        journal.append([fact("a")])  # a number that was handed out and never used
    journal.append([fact("c")])
    kept = now(journal)
    journal.append([fact("b")])
    forge(journal, "UPDATE journal SET seq = 2 WHERE event_id = 'b'")
    assert [entry.fact.event_id for entry in journal.read()] == ["a", "b", "c"]
    assert kinds(journal) == set()
    found = verify(journal.engine, kept).against
    assert {kind: faults.places for kind, faults in found.items()} == {"late": ["seq 2"]}
