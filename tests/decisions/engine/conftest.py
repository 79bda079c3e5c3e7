"""An empty database and workspace for each test of the hot path."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenkeel.kernel.clock import fixed_clock
from evenkeel.storage.workspace import Workspace, open_workspace

_HERE = Path(__file__).parent
sys.path.extend([str(_HERE), str(_HERE.parents[1] / "accounts")])


@pytest.fixture
def url(given_url: str) -> str:
    """The URL of an empty database."""
    return given_url


@pytest.fixture
def workspace(url: str, tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace in that database."""
    from engine_samples import NOW

    with open_workspace(tmp_path / "workspace", database_url=url, clock=fixed_clock(NOW)) as opened:
        yield opened


@pytest.fixture(scope="session")
def decided() -> Iterator[object]:
    """Decides in several processes at once: see `several.Several`."""
    from several import Several

    processes = Several()
    yield processes
    processes.end()
