"""kill -9 at random moments of an import, then again: as if nothing had happened."""

import os
import random
import signal
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from test_loop import digests

from evenkeel.kernel.clock import fixed_clock
from evenkeel.storage import embedded, homes
from evenkeel.storage.workspace import open_workspace
from shells import EVENKEEL, here


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def facts(workspace: Path) -> list[tuple[object, ...]]:
    """The journal but for the order numbers and instants of booking."""
    with open_workspace(workspace, database_url=None, clock=fixed_clock(datetime(2026, 3, 1, tzinfo=UTC))) as opened:
        return [
            (e.fact.event_id, e.fact.kind, e.fact.effective_at, repr(e.fact.payload)) for e in opened.journal.read()
        ]


def import_book(book: Path, workspace: Path) -> "subprocess.Popen[bytes]":
    command = [EVENKEEL, "book", "import", str(book), "--workspace", str(workspace)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True)


def killed_imports(book: Path, folder: Path, kills: int) -> None:
    clean = folder / "workspace-clean"
    started = time.monotonic()
    assert import_book(book, clean).wait(120) == 0
    length = time.monotonic() - started
    wanted, journal = tree(clean / "lake"), facts(clean)
    chance = random.Random(20)
    for number in range(kills):
        workspace = folder / f"workspace-{number}"
        process = import_book(book, workspace)
        time.sleep(chance.uniform(0.2, 1.0) * length)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        again = here("book", "import", book, "--workspace", workspace, cwd=folder)
        assert again.returncode == 0, again.stderr
        assert tree(workspace / "lake") == wanted
        assert facts(workspace) == journal
        assert here("doctor", "--workspace", workspace, cwd=folder).returncode == 0
        deadline = time.monotonic() + 10
        while embedded.servers_of(homes.home_of(workspace) / "data") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert embedded.servers_of(homes.home_of(workspace) / "data") == []


def test_an_import_killed_and_repeated_equals_a_clean_one(made_book, places):
    killed_imports(made_book, places, 1)


@pytest.mark.prove
def test_twenty_killed_imports_equal_a_clean_one(made_book, places):
    killed_imports(made_book, places, 20)


def test_a_run_killed_and_repeated_leaves_the_bytes_of_a_clean_one(made_book, made_run, places):
    out = places / "out"
    command = ["run", str(made_book), "--out", str(out), "--workspace", str(places / "workspace-run")]
    process = subprocess.Popen(
        [EVENKEEL, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    time.sleep(3.0)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not out.exists() or pq.read_table(out / "decisions.parquet").num_rows > 0
    again = here(*command, cwd=places)
    assert again.returncode == 0, again.stderr
    assert digests(out) == digests(made_run)
    assert [path.name for path in places.iterdir() if path.name.endswith(".draft")] == []
