"""What the hot path promises of one process: exactly once, never over the line, one failure alone."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from engine_samples import GENEROUS, LENDER, NOW, answers, book, connector, deciders, lines_kept, opening, policy

from evenkeel.decisions.engine.engine import Engine, QueueFull
from evenkeel.decisions.record import coverage
from evenkeel.decisions.requests import Application, Event, Purchase, Request
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import Conflict, InvalidInput, Unavailable
from evenkeel.storage import chain
from evenkeel.storage.database import transaction
from evenkeel.storage.tables import identity_check
from evenkeel.storage.workspace import Workspace


def purchase(key: str, amount: int, account: str = "a1", borrower: str = "b1", lender: str = LENDER) -> Purchase:
    return Purchase(key=key, lender_id=lender, borrower_id=borrower, account_id=account, amount_minor=amount)


def application(key: str, amount: int, borrower: str = "b1", lender: str = LENDER) -> Application:
    return Application(key=key, lender_id=lender, borrower_id=borrower, product="pay_later", requested_minor=amount)


def outcomes(url: str, *requests: Request, policy: str | None = None, now=NOW) -> list[str]:
    having = deciders() if policy is None else deciders(policy)
    return [
        json.loads(reply)["outcome"] if isinstance(reply, bytes) else type(reply).__name__
        for reply in answers(url, now, requests, having)
    ]


def rows(workspace: Workspace, query: str) -> list[tuple]:
    with transaction(workspace.engine) as connection:
        return [tuple(row) for row in connection.execute(sa.text(query))]


# ---- Purchases -----------------------------------------------------------------------------------------------------


def test_an_approved_purchase_is_held_and_told_with_what_it_does_to_the_month(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    (reply,) = answers(url, NOW, [purchase("k1", 60_000)])
    told = json.loads(reply)
    assert (told["outcome"], told["available_minor"], told["hold_expires_on"]) == ("approve", 40_000, "2026-03-12")
    assert told["cost"] == {
        "due_on": "2026-04-10", "owed_before_minor": 0, "owed_after_minor": 60_000, "cost_minor": 0
    }  # fmt: skip
    (fact,) = list(workspace.journal.read(kind="account.hold"))
    assert fact.fact.payload["fact_id"] == told["hold_id"] and fact.fact.payload["amount_minor"] == 60_000


def test_two_purchases_of_sixty_percent_of_a_line_in_one_moment_pass_once(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    assert sorted(outcomes(url, purchase("k1", 60_000), purchase("k2", 60_000))) == ["approve", "decline"]


def test_no_policy_spends_more_than_the_line_has(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    wanted = [purchase(f"k{n}", 30_000) for n in range(8)]
    assert outcomes(url, *wanted, policy=GENEROUS).count("approve") == 3


def test_what_others_book_is_seen_by_the_next_purchase(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    assert outcomes(url, purchase("k1", 90_000), purchase("k2", 50_000)) == ["approve", "decline"]
    hold = next(iter(workspace.journal.read(kind="account.hold"))).fact.payload["fact_id"]
    fact = {"account_id": "a1", "effective_on": "2026-03-05"}
    book(workspace, {**fact, "fact_id": "r", "kind": "hold_released", "hold_id": hold})
    assert outcomes(url, purchase("k3", 50_000)) == ["approve"]
    book(workspace, {**fact, "fact_id": "l", "kind": "limit_changed", "limit_minor": 60_000})
    assert outcomes(url, purchase("k4", 20_000), purchase("k5", 10_000)) == ["decline", "approve"]


def test_a_hold_keeps_its_amount_until_it_expires(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    assert outcomes(url, purchase("k1", 90_000)) == ["approve"]
    assert outcomes(url, purchase("k2", 90_000), now=NOW + timedelta(days=7)) == ["decline"]  # its last day
    assert outcomes(url, purchase("k3", 90_000), now=NOW + timedelta(days=8)) == ["approve"]


def test_a_purchase_dated_back_finds_the_line_as_it_is_now(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    assert outcomes(url, purchase("k1", 90_000)) == ["approve"]
    early = purchase("k2", 90_000)
    early.effective_at = NOW - timedelta(days=3)
    assert outcomes(url, early) == ["decline"]


def test_an_account_of_another_borrower_or_lender_is_not_there(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000), opening("a2", "b2", 100_000))
    wanted = [purchase("k1", 5, "a2", "b1"), purchase("k2", 5, "a1", "b1", "lender-2"), purchase("k3", 5, "a9", "b3")]
    assert outcomes(url, *wanted) == ["NotFound"] * 3
    assert rows(workspace, "SELECT count(*) FROM decision") == [(0,)]


# ---- Once ----------------------------------------------------------------------------------------------------------


def test_the_same_key_and_body_is_answered_with_the_first_reply(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    asked: list[Request] = [purchase("k1", 60_000), application("k2", 1_000), event("k3")]
    first = answers(url, NOW, asked)
    assert answers(url, NOW + timedelta(days=40), [*asked, *asked]) == [*first, *first]
    assert rows(workspace, "SELECT count(*) FROM decision") == [(2,)]
    assert rows(workspace, "SELECT count(*) FROM journal WHERE kind = 'event.income'") == [(1,)]


def event(key: str, **more: object) -> Event:
    return Event(key=key, lender_id=LENDER, borrower_id="b1", kind="income", amount_minor=700_000, **more)


def test_the_same_key_and_another_body_is_a_conflict(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    answers(url, NOW, [purchase("k1", 10), application("k2", 10), event("k3")])
    others: list[Request] = [
        purchase("k1", 11),
        application("k2", 10, borrower="b2"),
        event("k3", payload={"from": "x"}),
        application("k1", 10),
    ]
    assert [type(error) for error in answers(url, NOW, others)] == [Conflict] * 4


def test_one_key_of_two_lenders_is_two_requests(workspace: Workspace, url: str) -> None:
    assert outcomes(url, application("k1", 10), application("k1", 20, lender="lender-2")) == ["approve"] * 2


# ---- Failing -------------------------------------------------------------------------------------------------------


def test_a_poisonous_request_in_a_full_batch_fails_alone(workspace: Workspace, url: str) -> None:
    book(workspace, *(opening(f"a{n}", f"b{n}", 100_000) for n in range(40)))
    wanted: list[Request] = [purchase(f"k{n}", 5, f"a{n}", f"b{n}") for n in range(40)]
    wanted[23] = application("poison", 5, borrower="b\x00")  # which no reader lets in, and no database takes
    found = answers(url, NOW, wanted)
    assert [n for n, reply in enumerate(found) if not isinstance(reply, bytes)] == [23]
    assert isinstance(found[23], InvalidInput)
    assert rows(workspace, "SELECT count(*) FROM decision") == [(39,)]


def test_what_lies_in_the_future_is_refused(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    late = purchase("k1", 5)
    late.effective_at = NOW + timedelta(hours=1)
    assert outcomes(url, late) == ["InvalidInput"]


def test_a_connection_that_is_cut_is_made_again(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))

    async def run() -> list[object]:
        engine = Engine(connector(url), deciders(), fixed_clock(NOW))
        await engine.start()
        found: list[object] = [await engine.submit(purchase("k1", 5))]
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'idle'"
        assert await asyncio.to_thread(rows, workspace, cut)
        for key in ("k2", "k3", "k4"):
            try:
                found.append(await engine.submit(purchase(key, 5)))
            except Unavailable as error:
                found.append(error)
            await asyncio.sleep(0.2)
        await engine.stop()
        return found

    first, *_, last = asyncio.run(run())
    assert isinstance(first, bytes) and isinstance(last, bytes)


def test_a_service_ends_also_while_its_database_is_away(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    away = False

    def connect() -> psycopg.Connection[Any]:
        if away:
            raise psycopg.OperationalError("away")
        return psycopg.connect(url)

    async def run() -> None:
        nonlocal away
        engine = Engine(connect, deciders(), fixed_clock(NOW), 1)
        await engine.start()
        assert await engine.submit(purchase("k1", 5))
        away = True
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'COMMIT' AND state = 'idle'"
        assert await asyncio.to_thread(rows, workspace, cut)
        with pytest.raises(Unavailable):
            await engine.submit(purchase("k2", 5))
        await asyncio.wait_for(engine.stop(), 20)

    asyncio.run(run())


def test_a_lane_that_goes_on_already_is_not_woken_in_place_of_one_that_sleeps() -> None:
    """Else a request would lie in the queue until another one comes."""

    async def run() -> None:
        engine, loop = Engine(lambda: None, deciders(), fixed_clock(NOW)), asyncio.get_running_loop()
        gone_on, asleep = loop.create_future(), loop.create_future()
        gone_on.set_result(None)
        engine._idle = [(1, gone_on), (0, asleep)]
        engine._loop = loop
        engine.submit(purchase("k1", 5))
        assert asleep.done()

    asyncio.run(run())


def test_a_full_queue_says_so_at_once(workspace: Workspace, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("evenkeel.decisions.engine.engine.MOST_WAITING", 3)

    async def run() -> int:
        engine = Engine(connector(url), deciders(), fixed_clock(NOW))
        await engine.start()
        taken = []
        with pytest.raises(QueueFull):
            for n in range(5):
                taken.append(engine.submit(application(f"k{n}", 5, borrower=f"b{n}")))
        await asyncio.gather(*taken)
        await engine.stop()
        return len(taken)

    assert asyncio.run(run()) == 3


# ---- Applications --------------------------------------------------------------------------------------------------


def test_grants_that_are_pending_count_until_an_account_is_opened_for_them(workspace: Workspace, url: str) -> None:
    having = deciders(cap_minor=100_000)

    def ask(key: str, amount: int) -> tuple[str, int]:
        told = json.loads(answers(url, NOW, [application(key, amount)], having)[0])
        return told["outcome"], told["amount_minor"]

    assert ask("k1", 70_000) == ("approve", 70_000)
    assert ask("k2", 70_000) == ("approve_less", 30_000)
    assert ask("k3", 1) == ("decline", 0)
    book(workspace, opening("a1", "b1", 40_000))  # takes up the oldest grant, with a lower limit
    assert ask("k4", 70_000) == ("approve_less", 30_000)


def test_a_grant_lapses(workspace: Workspace, url: str) -> None:
    having = deciders(cap_minor=100_000)
    later = NOW + timedelta(days=31)
    assert [json.loads(reply)["outcome"] for reply in answers(url, NOW, [application("k1", 100_000)], having)] == [
        "approve"
    ]
    assert [json.loads(reply)["outcome"] for reply in answers(url, later, [application("k2", 100_000)], having)] == [
        "approve"
    ]


# ---- The record ----------------------------------------------------------------------------------------------------


def test_the_chain_covers_facts_and_decisions(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    answers(url, NOW, [purchase("k1", 5), application("k2", 5, borrower="b2"), event("k3")])
    assert not chain.verify(workspace.engine).faults
    links = rows(workspace, "SELECT link, count(*) FROM decision GROUP BY link ORDER BY link")
    covered = rows(
        workspace, "SELECT link, (payload ->> 'count')::int FROM journal WHERE kind = 'decisions' ORDER BY link"
    )
    assert links == covered


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE decision SET reply = reply || '!' WHERE place = 2",
        "UPDATE decision SET link = link + 1 WHERE place = 3",
        "DELETE FROM decision WHERE place = 1",
    ],
)
def test_a_decision_that_was_changed_or_taken_out_is_found(workspace: Workspace, url: str, change: str) -> None:
    for run in range(3):
        answers(url, NOW, [application(f"k{run}{n}", 5, borrower=f"b{n}") for n in range(2)])
    assert coverage(workspace.engine).uncovered == 0
    with transaction(workspace.engine) as connection:
        connection.execute(sa.text("ALTER TABLE decision DISABLE TRIGGER decision_append_only"))
        connection.execute(sa.text(change))
    assert coverage(workspace.engine).uncovered


def test_decisions_are_append_only(workspace: Workspace, url: str) -> None:
    answers(url, NOW, [application("k1", 5)])
    for statement in ("UPDATE decision SET outcome = 'decline'", "DELETE FROM decision", "TRUNCATE artefact"):
        with pytest.raises(Exception, match="append-only"):
            rows(workspace, statement)


def test_state_is_made_again_from_the_journal_as_it_was(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    answers(url, NOW, [purchase("k1", 5_000), event("k2"), application("k3", 500)])
    answers(url, NOW + timedelta(minutes=5), [purchase("k4", 700)])
    kept = "SELECT borrower_id, behaviour, grants FROM borrower"
    before = rows(workspace, kept), lines_kept(workspace)
    rows(workspace, "DELETE FROM borrower RETURNING 1")
    answers(url, NOW + timedelta(minutes=6), [purchase("k5", 200_000)])  # too much: it changes nothing
    assert (rows(workspace, kept), lines_kept(workspace)) == before


# ---- Who somebody is -----------------------------------------------------------------------------------------------

ASKS_WHO = (
    policy("grant", 'if identity = "verified" then "approve" else "refer"')
    .replace('<inputData id="i_amount_minor"', '<inputData id="i_identity" name="identity">'
             '<variable name="identity" typeRef="string"/></inputData><inputData id="i_amount_minor"', 1)
    .replace("<informationRequirement>", '<informationRequirement><requiredInput href="#i_identity"/>'
             "</informationRequirement><informationRequirement>", 1)
)  # fmt: skip


def checked(workspace: Workspace, result: str, kind: str = "name_id", hours_ago: float = 1) -> None:
    """An outside check of b1 on record."""
    at = NOW - timedelta(hours=hours_ago)
    with transaction(workspace.engine) as connection:
        connection.execute(
            sa.insert(identity_check).values(
                order_id=f"{kind}-{result}-{hours_ago}", borrower_id="b1", kind=kind, subject_token="t", provider="p",  # noqa: S106
                asked_at=at, checked_at=at, result=result, cost_minor=25, detail_code="", lost=False,
            )
        )  # fmt: skip


@pytest.mark.parametrize(
    ("results", "outcome"),
    [
        ([], "refer"),
        (["match"], "approve"),
        (["unavailable"], "refer"),
        (["restricted"], "refer"),
        (["mismatch"], "refer"),
    ],
)
def test_identity_is_what_the_checks_on_record_say_and_never_what_a_request_claims(
    workspace: Workspace, url: str, results: list[str], outcome: str
) -> None:
    for result in results:
        checked(workspace, result)
    claims = application("k1", 1_000)
    claims.facts = {"identity": "verified"}
    (reply,) = answers(url, NOW, [claims], replace(deciders(), grant_text=ASKS_WHO))
    assert json.loads(reply)["outcome"] == outcome


@pytest.mark.parametrize("lanes", [1, 3])
def test_a_service_that_ends_answers_whoever_waits_on_a_busy_borrower_and_does_end(
    workspace: Workspace, url: str, lanes: int
) -> None:
    book(workspace, opening("a1", "b1", 100_000))

    async def run() -> int:
        engine = Engine(connector(url), deciders(), fixed_clock(NOW), lanes)
        await engine.start()
        asked = [engine.submit(purchase(f"k{place}", 1)) for place in range(12)]
        await asyncio.sleep(0)
        await asyncio.wait_for(engine.stop(), 20)
        return sum(isinstance(one, bytes) for one in await asyncio.gather(*asked))

    assert asyncio.run(run()) == 12
