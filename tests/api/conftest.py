"""One PostgreSQL for all tests of the service, and one service for those that leave it as it is."""

import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from evenkeel.kernel.clock import system_clock
from evenkeel.storage.workspace import open_workspace

_HERE = Path(__file__).parent
sys.path.extend([str(_HERE), str(_HERE.parent / "decisions" / "engine"), str(_HERE.parent / "storage")])


@pytest.fixture(scope="session")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., AbstractContextManager[Any]]]:
    """Starts a service with options, over a database of its own."""
    from running import started
    from storage_helpers import remove

    place = Path(tempfile.mkdtemp(prefix="evenkeel-test-")) / "workspace"
    with open_workspace(place, database_url=None, clock=system_clock) as server:
        yield lambda *options, **more: started(server, tmp_path_factory.mktemp("service"), *options, **more)
    remove(place)
    place.parent.rmdir()


@pytest.fixture(scope="session")
def service(start: Callable[..., AbstractContextManager[Any]]) -> Iterator[Any]:
    """A service that runs."""
    with start() as running:
        yield running
