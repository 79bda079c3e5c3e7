"""Processes that work on cases are killed at any moment: no contact twice, no promise lost, no case half assigned."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import pytest
import sqlalchemy as sa
from case_child import do
from case_world import BEGIN, HOME, TOLD_AGENCY, World

from evenkeel.arrears.cases import store, webhooks
from evenkeel.arrears.cases.agencies import Agency
from evenkeel.arrears.cases.outsourcing import Outsourcing
from evenkeel.kernel.ids import content_id
from evenkeel.storage import chain
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import open_workspace

CHILD = Path(__file__).with_name("case_child.py")
CASES = 4


class Killed:
    """A child, and what it said before it died."""

    def __init__(self, *arguments: object) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(CHILD), *map(str, arguments)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().strip() == "ready"

    def kill(self) -> list[list[str]]:
        self.process.kill()
        said, _ = self.process.communicate()
        return [line.split() for line in said.splitlines() if line.endswith(tuple("0123456789abcdef"))]


def kill_under_load(url: str, place: Path, kills: int, seed: int) -> None:
    draw = random.Random(seed)
    now = [BEGIN]
    tried: dict[str, list[str]] = {}
    done: dict[str, list[str]] = {}
    with open_workspace(place / "w", database_url=url, clock=lambda: now[0]) as workspace:
        world = World(workspace, lender="l")
        Outsourcing(world.cases).tell(Agency(agency_id="ag", **TOLD_AGENCY), "x")
        webhooks.add(workspace.engine, lambda: world.now, "l", "http://127.0.0.1:9/")
        people = {world.cases.open(who, "x").case_id: who for who in (world.borrower() for _ in range(CASES))}
        named = [f"{case_id}/{who}" for case_id, who in people.items()]
        for number in range(0, kills, 2):  # two at a time, on the same cases
            pair = [Killed(url, place / "w", "l", seed * 1000 + number + one, *named) for one in range(2)]
            time.sleep(draw.uniform(0.02, 0.6))
            for child in pair:
                for word, kind, key, case_id in (line for line in child.kill() if len(line) == 4):
                    (tried if word == "try" else done)[key] = [kind, case_id]
        assert done, "nobody came to do anything"
        for key, (kind, case_id) in tried.items():  # whoever was not answered asks again
            do(world, kind, key, case_id, people[case_id])
        assert not chain.verify(workspace.engine).faults
        for case_id, who in people.items():
            check(world, case_id, who, {key: kind for key, (kind, of) in done.items() if of == case_id})


def check(world: World, case_id: str, who: str, done: dict[str, str]) -> None:
    """One case, by its facts."""
    with transaction(world.record.engine) as connection:
        facts = [one.told for one in store.facts_of(connection, who)]
        row = store.row_of(connection, case_id, "l")
        seen = world.cases.seen(connection, case_id)
        bodies = connection.execute(
            sa.text("SELECT number FROM webhook_outbox WHERE case_id = :c ORDER BY place"), {"c": case_id}
        ).scalars().all()  # fmt: skip
    names = Counter(one.event_id for one in facts)
    for key, kind in done.items():  # what was answered is there, once
        assert names[content_id("contact" if kind == "contact" else "act", "l", key)] == 1, (kind, key)
    assert set(names.values()) == {1}
    # Every contact that was cleared is one of a day's three: none was counted twice, and none is missing.
    spoke: dict[object, int] = defaultdict(int)
    for one in facts:
        if one.kind == "contact.asked" and one.payload["answer"] in ("allow", "warn"):
            spoke[one.at.astimezone(HOME).date()] += 1
    assert all(count <= 3 for count in spoke.values())
    assigned = [one for one in facts if one.kind in ("case.assigned", "case.recalled")]
    kinds = [one.kind for one in sorted(assigned, key=lambda one: one.at)]
    assert all(first != second for first, second in pairwise(kinds)), "assigned twice"
    assert sum(one.payload.get("batch") == "night" for one in assigned) <= 1
    assert row is not None
    assert (row["state"], row["agency_id"]) == (
        str(seen.look.state), seen.look.case.agency.agency_id if seen.look.case.agency else None
    )  # fmt: skip
    acted = [one for one in facts if "told" in one.payload or one.kind == "case.opened"]
    assert list(bodies) == list(range(1, len(acted) + 1)), "what is told is what was done"


def test_children_killed_at_random_lose_and_double_nothing(given_url: str, tmp_path: Path) -> None:
    kill_under_load(given_url, tmp_path, 2, 1)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(4))
def test_forty_kills_lose_and_double_nothing(given_url: str, tmp_path: Path, seed: int) -> None:
    kill_under_load(given_url, tmp_path, 10, 100 + seed)
