"""Events, purchases and processes at once; and whatever is killed when, no review is lost or made twice."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from engine_samples import LENDER, book
from limit_samples import Live, card, deciding, decoded

from evenkeel.decisions.engine.arms import Arms, Challenger
from evenkeel.decisions.moving.rules import MovingRules
from evenkeel.decisions.requests import Limit
from evenkeel.storage import chain

CHILD = Path(__file__).with_name("limit_child.py")


def child(lender: Live, *more: str) -> "subprocess.Popen[str]":
    """A process that follows the journal until it is killed."""
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(lender.workspace.path), lender.url, lender.now.isoformat(), *more],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip


def worry(lender: Live, borrower: str) -> None:
    lender.report(borrower)
    for _ in range(4):
        lender.send("inquiry", borrower)


def test_a_freeze_and_purchases_at_once_spend_nothing_after_it(lender: Live) -> None:
    lender.report()
    lender.send("outside_overdue", payload={"line": "x"})
    with ThreadPoolExecutor(4) as pool:
        frozen = pool.submit(lender.follow)
        outcomes = list(pool.map(lambda number: lender.buy(f"k{number}", 10_000), range(6)))
        assert [one.outcome for one in frozen.result()] == ["freeze"]
    order = lender.rows("SELECT kind, outcome FROM decision ORDER BY link")
    after = order[order.index(("limit", "freeze")) + 1 :]
    assert all(outcome == "decline" for _, outcome in after) and len(order) == 1 + len(outcomes)
    assert lender.buy("last", 10_000) == "decline"
    assert all(one.identical for one in lender.replayed())


def test_a_limit_is_lowered_to_what_is_held_by_a_purchase_made_meanwhile(lender: Live) -> None:
    worry(lender, "b1")
    with ThreadPoolExecutor(2) as pool:
        bought = pool.submit(lender.buy, "k", 250_000)  # of 3,000.00 that are free; 4,500.00 are in use then
        [told] = pool.submit(lender.follow).result()
        assert bought.result() == "approve"
    first = lender.rows("SELECT kind FROM decision ORDER BY link")[0][0]
    assert told.limit_after_minor == (450_000 if first == "purchase" else 250_000)


def test_two_processes_open_one_breaker(lender: Live) -> None:
    lender.having(rules=MovingRules(breaker_moves=3))
    names = [f"c{number}" for number in range(8)]
    book(lender.workspace, *(card(name, name) for name in names))
    for name in names:
        worry(lender, name)
    lines = [
        Limit(lender_id=LENDER, key=f"r{name}", borrower_id=name, account_id=name) for name in names
    ]  # fmt: skip
    script = [json.dumps({"borrower_id": one.borrower_id, "key": one.key}) for one in lines]
    processes = [child(lender, "review", "3", *script[part::2]) for part in range(2)]
    outcomes = [
        json.loads(line)["outcome"] for process in processes for line in process.communicate()[0].splitlines()
    ]  # fmt: skip
    assert sorted(outcomes) == ["keep"] * 5 + ["lower"] * 3
    assert lender.rows("SELECT opened FROM breaker") == [(True,)]
    assert all(one.identical and not one.changes for one in lender.replayed())


def test_one_follower_works_at_a_time_and_another_takes_over(lender: Live) -> None:
    lender.send("income", amount_minor=1)
    first, second = lender.follower(), lender.follower()
    first.catch_up()
    lender.send("income", amount_minor=1)
    second.catch_up()
    assert len(lender.rows("SELECT 1 FROM decision")) == 1
    first.close()
    second.catch_up()
    second.close()
    assert len(lender.rows("SELECT 1 FROM decision")) == 2


def killed(lender: Live, rounds: int, seed: int) -> None:
    """Followers that are killed at any moment: each borrower of whom something happened is reviewed, once each time."""
    draw = random.Random(seed)
    names = [f"k{number}" for number in range(6)]
    book(lender.workspace, *(card(name, name) for name in names))
    for _ in range(rounds):
        for name in names:
            lender.send("income", name, amount_minor=draw.randrange(1, 1000))
        process = child(lender, "follow")
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(draw.uniform(0, 0.15))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    lender.follow()
    known = dict(lender.rows("SELECT borrower_id, max(known_seq) FROM decision GROUP BY borrower_id"))
    last = dict(lender.rows("SELECT borrower_id, max(seq) FROM journal WHERE kind = 'event.income' GROUP BY 1"))
    assert known == last
    doubled = "SELECT account_id, known_seq FROM decision GROUP BY account_id, known_seq HAVING count(*) > 1"
    assert lender.rows(doubled) == []
    assert not chain.verify(lender.workspace.engine).faults
    assert all(one.identical and not one.changes for one in lender.replayed())


def test_a_review_is_not_lost_when_its_follower_is_killed(lender: Live) -> None:
    killed(lender, 4, 1)


@pytest.mark.prove
def test_no_review_is_lost_over_sixty_kills(lender: Live) -> None:
    killed(lender, 60, 2)


def test_what_fails_for_a_reason_of_its_own_holds_up_nobody(lender: Live, caplog: pytest.LogCaptureFixture) -> None:
    book(lender.workspace, card("c1", "c1"))
    lender.send("income", "b1", amount_minor=1)
    lender.send("income", "c1", amount_minor=1)
    follower, secret = lender.follower(), "6222-0001"
    reviews = follower.reviewer.review

    def failing(request: Limit, unless_known: int = 0) -> bytes | None:
        if request.borrower_id == "b1":
            raise ZeroDivisionError(secret)
        return reviews(request, unless_known)

    class Failing:
        journal, product, review = follower.reviewer.journal, follower.reviewer.product, staticmethod(failing)

    follower.reviewer = Failing()  # type: ignore[assignment]
    follower.catch_up()
    follower.close()
    assert lender.rows("SELECT borrower_id FROM decision") == [("c1",)]
    assert "ZeroDivisionError" in caplog.text and secret not in caplog.text


def test_arms_of_limits_decide_on_their_own_borrowers_and_replay(lender: Live) -> None:
    from limit_samples import LIMITS

    milder = LIMITS.replace("<outputEntry><text>0.5</text>", "<outputEntry><text>0.9</text>")
    rival = deciding(policy=milder)
    assert rival.limits is not None
    lender.arms = Arms(deciding(), {"limit": Challenger(rival.limits.version, 500_000, rival)})
    names = [f"c{number}" for number in range(8)]
    book(lender.workspace, *(card(name, name) for name in names))
    for name in names:
        worry(lender, name)
    lender.follow()
    found = lender.rows("SELECT borrower_id, deciders, convert_from(reply, 'UTF8')::bytea FROM decision")
    for borrower, deciders, reply in found:
        mine = lender.arms.of("limit", borrower)
        assert deciders == mine.version
        after = decoded(bytes(reply)).limit_after_minor
        assert after == (450_000 if mine is rival else 250_000)
    assert len({deciders for _, deciders, _ in found}) == 2
    assert all(one.identical and not one.changes for one in lender.replayed())
