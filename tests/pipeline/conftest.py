"""One server and one small generated book for all tests of the loop."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from evenkeel.book.generator import GeneratorSpec, generate, write_book
from evenkeel.kernel.clock import fixed_clock
from evenkeel.pipeline.run import Ran, RunRequest, run
from evenkeel.storage import homes
from evenkeel.storage.workspace import Workspace, open_workspace

NOW = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


class Runner:
    """Runs books in this process against one open workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace

    def __call__(self, book: Path, out: Path, **options: object) -> Ran:
        request = RunRequest(book, out, date(2026, 3, 1), **options)  # type: ignore[arg-type]
        return run(request, self._open, lambda what, share: None)

    def _open(self) -> AbstractContextManager[Workspace]:
        return nullcontext(self.workspace)


@pytest.fixture(scope="session")
def runner() -> Iterator[Runner]:
    """Runs books; nothing of its workspace is left afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-test-"))
    folder.chmod(0o755)
    place = folder / "workspace"
    with open_workspace(place, database_url=None, clock=fixed_clock(NOW)) as opened:
        yield Runner(opened)
    home = homes.home_of(place)
    shutil.rmtree(folder)
    if home.parent == homes.SYSTEM_FOLDER:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def once(tmp_path_factory: pytest.TempPathFactory, name: str) -> Iterator[tuple[Path, bool]]:
    """A folder that all workers share, and whether it is made: the first that comes makes it, the others wait."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    with (shared / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield shared / name, (shared / name).exists()


@pytest.fixture(scope="session")
def made_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated book of 1,200 borrowers over 24 months. Nobody writes into it."""
    with once(tmp_path_factory, "made-book") as (folder, made):
        if not made:
            write_book(generate(GeneratorSpec(borrowers=1_200, months=24, seed=3)), folder)
    return folder


@pytest.fixture(scope="session")
def small_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generated book of 300 borrowers over 24 months, for what any book shows. Nobody writes into it."""
    with once(tmp_path_factory, "small-book") as (folder, made):
        if not made:
            write_book(generate(GeneratorSpec(borrowers=300, months=24, seed=3)), folder)
    return folder


@pytest.fixture(scope="session")
def made_run(runner: Runner, made_book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The outputs of a run over the generated book. Nobody writes into them."""
    with once(tmp_path_factory, "made-run") as (out, made):
        if not made:
            assert runner(made_book, out).loop is not None
    return out


@pytest.fixture
def places() -> Iterator[Path]:
    """A folder that every user may cross, so that a workspace keeps its database inside even for root."""
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-test-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
