"""One PostgreSQL for all tests of this folder that need one."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenkeel.kernel.clock import system_clock
from evenkeel.storage.workspace import Workspace, open_workspace

sys.path.extend(
    [
        str(Path(__file__).parent),
        str(Path(__file__).parent.parent / "decisions" / "engine"),
        str(Path(__file__).parent.parent / "storage"),
        str(Path(__file__).parent.parent / "decisions" / "identity"),
        str(Path(__file__).parent / "conversation"),
    ]
)


@pytest.fixture(scope="session")
def record() -> Iterator[Workspace]:
    """An open workspace with an embedded database."""
    from storage_helpers import remove

    place = Path(tempfile.mkdtemp(prefix="evenkeel-test-")) / "workspace"
    with open_workspace(place, database_url=None, clock=system_clock) as workspace:
        yield workspace
    remove(place)
    place.parent.rmdir()
