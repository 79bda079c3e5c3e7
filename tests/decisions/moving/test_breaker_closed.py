"""Once a person has closed the breaker, what it held is looked at again: the oldest first, each once, none lost."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from engine_samples import LENDER, book
from limit_samples import Live, card

from evenkeel.decisions.moving.resuming import fits
from evenkeel.decisions.moving.rules import Lowered, MovingRules
from evenkeel.decisions.moving.service import Limits
from evenkeel.storage import chain

CHILD = Path(__file__).with_name("limit_child.py")


def worried(lender: Live, names: list[str]) -> None:
    """Lines of borrowers of whom bad news comes, one after the other."""
    book(lender.workspace, *(card(name, name) for name in names))
    for name in names:
        lender.report(name)
        for _ in range(4):
            lender.send("inquiry", name)


def close(lender: Live) -> None:
    Limits(lender.workspace.journal, MovingRules(), LENDER).close_breaker("ana", "the reports are right")


def outcomes(lender: Live) -> list[tuple[str, str]]:
    """Line and outcome of each review since, in the order of the record."""
    before = len(lender.rows("SELECT 1 FROM decision WHERE kind = 'limit'"))
    lender.follow()
    return lender.rows("SELECT account_id, outcome FROM decision WHERE kind = 'limit' ORDER BY place")[before:]  # type: ignore[return-value]


def heard(lender: Live) -> None:
    """The feed goes on, with news of somebody else."""
    lender.report("b1")


def test_what_was_held_is_lowered_after_the_closing_the_oldest_first(lender: Live) -> None:
    lender.having(rules=MovingRules(breaker_moves=2))
    names = [f"c{number}" for number in (5, 3, 1, 4, 2)]
    worried(lender, names)
    assert outcomes(lender) == [(name, "lower") for name in names[:2]] + [(name, "keep") for name in names[2:]]
    lender.wait(minutes=61)
    heard(lender)
    assert outcomes(lender) == [("a1", "keep")]  # nobody has closed it: nothing is taken up
    close(lender)
    assert outcomes(lender) == [(name, "lower") for name in names[2:4]]  # as many as the hour allows
    assert outcomes(lender) == []
    assert lender.rows("SELECT opened FROM breaker ORDER BY number") == [(True,), (False,)]  # it did not open again
    lender.wait(minutes=61)
    heard(lender)
    assert [one for one in outcomes(lender) if one[0] != "a1"] == [(names[4], "lower")]
    lender.wait(minutes=61)
    heard(lender)
    assert [one for one in outcomes(lender) if one[0] != "a1"] == []
    assert all(one.identical and not one.changes for one in lender.replayed())


def test_within_the_hour_a_closed_breaker_lets_nothing_more_through(lender: Live) -> None:
    lender.having(rules=MovingRules(breaker_moves=1))
    worried(lender, ["c1", "c2"])
    assert outcomes(lender) == [("c1", "lower"), ("c2", "keep")]
    close(lender)
    assert outcomes(lender) == []
    lender.wait(minutes=59)
    heard(lender)
    assert outcomes(lender) == [("a1", "keep")]
    lender.wait(minutes=2)
    assert outcomes(lender) == [("c2", "lower")]  # the hour has passed


def test_a_follower_that_goes_on_takes_them_up_without_being_started_again(lender: Live) -> None:
    lender.having(rules=MovingRules(breaker_moves=1))
    worried(lender, ["c1", "c2"])
    follower = lender.follower()
    follower.catch_up()
    close(lender)
    follower.catch_up()
    lender.wait(minutes=61)
    heard(lender)
    lender.replies = []
    follower.catch_up()
    follower.close()
    assert sorted(one.outcome for one in lender.replies) == ["keep", "lower"]


def test_what_was_reviewed_since_for_another_reason_is_not_taken_up(lender: Live) -> None:
    lender.having(rules=MovingRules(breaker_moves=1))
    worried(lender, ["c1", "c2", "c3"])
    lender.follow()
    close(lender)
    lender.wait(minutes=61)
    lender.report("c2", overdue=1)  # a new fact: it is frozen for it
    lender.send("income", "c3", amount_minor=1)
    assert outcomes(lender) == [("c2", "freeze"), ("c3", "keep")]  # and that opens it again
    assert lender.rows("SELECT opened FROM breaker ORDER BY number") == [(True,), (False,), (True,)]
    close(lender)
    lender.wait(minutes=61)
    heard(lender)
    assert [one for one in outcomes(lender) if one[0] != "a1"] == [("c3", "lower")]


def test_by_what_is_known_by_then_it_may_stay_as_it_is(lender: Live) -> None:
    lender.having(rules=MovingRules(breaker_moves=1))
    worried(lender, ["c1", "c2"])
    lender.follow()
    close(lender)
    lender.wait(minutes=61)  # and the feed fell silent
    assert outcomes(lender) == [("c2", "keep")]
    [(reply,)] = lender.rows("SELECT convert_from(reply, 'UTF8') FROM decision ORDER BY place DESC LIMIT 1")
    assert '"reasons":["facts_stale"]' in reply
    close_again = Limits(lender.workspace.journal, MovingRules(), LENDER)
    assert not close_again.breaker_is_open() and outcomes(lender) == []


@pytest.mark.parametrize(
    ("moves", "total", "is_open", "fall", "expected"),
    [
        (0, 0, False, 10**12, True), (1, 100, False, 100, True), (1, 100, False, 101, False), (2, 0, False, 1, False),
        (0, 0, True, 1, False),
    ],
)  # fmt: skip
def test_one_more_is_lowered_only_where_the_hour_has_room(
    moves: int, total: int, is_open: bool, fall: int, expected: bool
) -> None:
    rules = MovingRules(breaker_moves=2, breaker_minor=200)
    assert fits(Lowered(moves, total, is_open), fall, rules) is expected


def reviewed(lender: Live) -> int:
    """How many reviews are on record."""
    return int(lender.rows("SELECT count(*) FROM decision WHERE kind = 'limit'")[0][0])


def killed(lender: Live, lines: int, rounds: int, seed: int) -> None:
    """Followers that are killed while they take up what was held, each once it has taken up some."""
    draw = random.Random(seed)
    lender.having(rules=MovingRules(breaker_moves=1))
    names = [f"c{number:02}" for number in range(lines)]
    worried(lender, names)
    assert outcomes(lender) == [(names[0], "lower")] + [(name, "keep") for name in names[1:]]
    close(lender)
    lender.wait(minutes=61)
    heard(lender)
    reached = []
    for _ in range(rounds):  # the child's own rules leave room for all
        wanted = reviewed(lender) + draw.randrange(1, 4)
        process = subprocess.Popen(
            [sys.executable, str(CHILD), str(lender.workspace.path), lender.url, lender.now.isoformat(), "follow"],
            stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        deadline = time.monotonic() + 60
        while reviewed(lender) < wanted and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(draw.uniform(0, 0.02))
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        reached.append(reviewed(lender))
    every = lines + lines  # as they were held, then again but for the first; and a1, of whom was heard
    assert any(lines + 1 < one < every for one in reached), f"no kill fell in the middle: {reached} of {every}"
    lender.having()
    follower = lender.follower()
    while not follower.is_mine:  # the server may not have noticed yet that the last one is gone
        follower.step()
        time.sleep(0.01)
    follower.catch_up()
    follower.close()
    found = lender.rows("SELECT account_id, outcome FROM decision WHERE kind = 'limit' ORDER BY place")[lines:]
    assert [one for one in found if one[0] != "a1"] == [(name, "lower") for name in names[1:]]
    assert not chain.verify(lender.workspace.engine).faults
    assert all(one.identical and not one.changes for one in lender.replayed())


def test_followers_that_are_killed_take_each_up_once(lender: Live) -> None:
    killed(lender, 12, 2, 1)


@pytest.mark.prove
def test_over_twenty_kills_each_is_taken_up_once(lender: Live) -> None:
    killed(lender, 90, 20, 2)
