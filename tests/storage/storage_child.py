"""What tests run in a process of its own: `python child.py TASK WORKSPACE [ARGUMENT...]`, told by lines on stdout."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from evenkeel.kernel.clock import system_clock
from evenkeel.kernel.errors import Unavailable
from evenkeel.storage.embedded import servers_of
from evenkeel.storage.journal import Fact, Journal
from evenkeel.storage.lake import LoadResult, load
from evenkeel.storage.parquet import Lake
from evenkeel.storage.workspace import Workspace, open_workspace

DIGEST = "0123456789abcdef"
MANIFEST: dict[str, object] = {"as_of": "2024-12-31", "source": "test"}


def tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def book(accounts: int, months: int = 12) -> dict[str, pa.Table]:
    """A book of `accounts` accounts, the same for the same numbers."""
    draw = np.random.default_rng(7)
    ids = np.array([f"A{number:08d}" for number in range(accounts)])
    return {
        "accounts": pa.table({"account_id": ids, "limit_minor": draw.integers(0, 10**7, accounts)}),
        "periods": pa.table(
            {
                "account_id": np.repeat(ids, months),
                "month": np.tile([f"2024-{month:02d}" for month in range(1, months + 1)], accounts),
                "balance_minor": draw.integers(0, 10**7, accounts * months),
            }
        ),
    }


def load_book(workspace: Workspace, accounts: int = 200) -> LoadResult:
    return load(workspace, DIGEST, MANIFEST, book(accounts))


def hold(place: Path) -> None:
    """Book a fact, then keep the workspace open."""
    with open_workspace(place, database_url=None, clock=system_clock) as workspace:
        workspace.journal.append([Fact("held", "login", system_clock(), {})])
        tell("open", os.getpid())
        time.sleep(120)


def attempt(place: Path) -> None:
    """Open the workspace and say how that went."""
    try:
        with open_workspace(place, database_url=None, clock=system_clock, waiting=lambda text: tell("waiting", text)):
            tell("opened")
    except Unavailable as error:
        tell("refused", error)


def run_load(place: Path, accounts: str) -> None:
    """Load a book; `start` and `done` stand around the load itself."""
    tables = book(int(accounts))
    with open_workspace(place, database_url=None, clock=system_clock) as workspace:
        tell("start")
        load(workspace, DIGEST, MANIFEST, tables)
        tell("done")
        time.sleep(120)


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def load_until(place: Path, point: str) -> None:
    """Load a book and kill the own process at a named point."""
    if point == "before_placing":
        Lake.place = die  # type: ignore[method-assign, assignment]
    if point == "before_booking":
        Journal.once = die  # type: ignore[method-assign, assignment]
    if point == "while_booking":
        append_in = Journal.append_in

        def append_and_die(*arguments: object) -> None:
            append_in(*arguments)  # type: ignore[arg-type]
            die()

        Journal.append_in = append_and_die  # type: ignore[method-assign, assignment]
    with open_workspace(place, database_url=None, clock=system_clock) as workspace:
        at = int(point.removeprefix("file_")) if point.startswith("file_") else 0
        load(workspace, DIGEST, MANIFEST, book(200), lambda _, done, __: die() if done == at else None)
        die()


def stranger(place: Path) -> None:
    """Open, load and read as a user who is not root, and say which user the server has."""
    with open_workspace(place, database_url=None, clock=system_clock) as workspace:
        loaded = load_book(workspace).loaded
        home = place / "postgres"
        users = {Path(f"/proc/{pid}").stat().st_uid for pid in servers_of(home / "data")}
        tell("loaded", loaded, sorted(workspace.lake.read_book(DIGEST)), *users, oct(home.stat().st_mode & 0o777))


def append(place: Path, name: str, url: str = "") -> None:
    """Book facts, 1 to 40 a transaction, and tell how many are booked, until killed."""
    with open_workspace(place, database_url=url or None, clock=system_clock) as workspace:
        booked = 0
        while True:
            more = booked % 40 + 1
            facts = [Fact(f"{name}-{booked + number}", "login", system_clock(), {}) for number in range(more)]
            workspace.journal.append(facts)
            booked += more
            tell(booked)


TASKS = {
    "append": append,
    "hold": hold,
    "attempt": attempt,
    "load": run_load,
    "load_until": load_until,
    "stranger": stranger,
}

if __name__ == "__main__":
    task, folder, *rest = sys.argv[1:]
    TASKS[task](Path(folder), *rest)  # type: ignore[operator]
