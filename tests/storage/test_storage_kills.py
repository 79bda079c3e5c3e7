"""A load that is killed at any moment, and then done again, leaves what an undisturbed load leaves."""

import random
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from storage_child import DIGEST, MANIFEST, book, load_book
from storage_helpers import Start, await_no_server, said, tree

from evenkeel.kernel.clock import Clock
from evenkeel.storage import doctor
from evenkeel.storage.journal import Fact
from evenkeel.storage.lake import load
from evenkeel.storage.workspace import Workspace, open_workspace

ACCOUNTS = 40_000  # a load of about a second, so that moments differ


@pytest.fixture
def clean(tmp_path: Path, given_url: str, clock: Clock) -> Iterator[Workspace]:
    """A workspace in which nothing is ever disturbed."""
    with open_workspace(tmp_path / "clean", database_url=given_url, clock=clock) as opened:
        yield opened


def kept(opened: Workspace) -> tuple[dict[str, bytes], list[Fact]]:
    """All bytes of the lake, and the journal but for its order and time of booking."""
    return tree(opened.lake.root), [entry.fact for entry in opened.journal.read()]


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "point", ["file_1", "file_7", "before_placing", "before_booking", "while_booking", "after_booking"]
)
def test_a_load_killed_at_a_known_point_is_finished_by_the_next(
    place: Path, clock: Clock, child: Start, clean: Workspace, point: str
) -> None:
    load_book(clean)
    assert child("load_until", place, point).wait() == -signal.SIGKILL
    with open_workspace(place, database_url=None, clock=clock) as opened:
        assert load_book(opened).loaded == (point != "after_booking")
        assert kept(opened) == kept(clean)
    assert all(check.ok for check in doctor.checks(place, None, clock=clock))


def kill_at_random(seed: int, place: Path, clock: Clock, child: Start, clean: Workspace) -> None:
    draw = random.Random(seed)
    started = time.monotonic()
    load(clean, DIGEST, MANIFEST, book(ACCOUNTS))
    span_s = time.monotonic() - started
    process = child("load", place, ACCOUNTS)
    if seed % 5:  # else while the database is being made or opened
        assert said(process) == "start"
    time.sleep(draw.uniform(0, span_s))
    process.kill()
    process.wait()
    assert await_no_server(place) == []
    with open_workspace(place, database_url=None, clock=clock) as opened:
        load(opened, DIGEST, MANIFEST, book(ACCOUNTS))
        assert kept(opened) == kept(clean)
    assert all(check.ok for check in doctor.checks(place, None, clock=clock))


@pytest.mark.sampled(3)
@pytest.mark.parametrize("seed", range(3))
def test_a_load_killed_at_a_random_moment_is_finished_by_the_next(
    place: Path, clock: Clock, child: Start, clean: Workspace, seed: int
) -> None:
    kill_at_random(seed, place, clock, child, clean)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(100, 120))
def test_a_load_killed_at_any_of_twenty_moments_is_finished_by_the_next(
    place: Path, clock: Clock, child: Start, clean: Workspace, seed: int
) -> None:
    kill_at_random(seed, place, clock, child, clean)
