"""Workspaces for tests: real folders, real servers, and proof that none is left running."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from chain_samples import book_six
from storage_helpers import CHILD, Start, await_no_server, remove

from evenkeel.kernel.clock import Clock, fixed_clock
from evenkeel.storage.journal import Journal
from evenkeel.storage.vault import Keyring, Vault
from evenkeel.storage.workspace import open_workspace

NOW = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return fixed_clock(NOW)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may cross, as a home folder on a shared machine."""
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def place(open_folder: Path) -> Iterator[Path]:
    """Where a workspace may be made. Afterwards nothing of it may still run."""
    workspace = open_folder / "workspace"
    yield workspace
    left = await_no_server(workspace)
    remove(workspace)
    assert left == [], "a server was left running"


@pytest.fixture
def journal(given_url: str, tmp_path: Path, clock: Clock) -> Iterator[Journal]:
    """The journal of an empty workspace, `tmp_path / "workspace"`, in a given database."""
    with open_workspace(tmp_path / "workspace", database_url=given_url, clock=clock) as opened:
        yield opened.journal


@pytest.fixture
def vault(journal: Journal, tmp_path: Path, clock: Clock) -> Vault:
    """An empty vault in a given database, its keys in `tmp_path / "workspace"`."""
    return Vault(journal.engine, Keyring.of(tmp_path / "workspace"), clock)


@pytest.fixture
def booked(journal: Journal) -> Journal:
    """A journal with six facts: see `book_six`."""
    book_six(journal)
    return journal


@pytest.fixture
def child() -> Iterator[Start]:
    """Start `storage_child.py` with a task and its arguments; it is killed at the end of the test."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: object) -> "subprocess.Popen[str]":
        command = [sys.executable, str(CHILD), *map(str, arguments)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()
