"""One server for all tests of the hot path, and an empty database of it for each."""

import secrets
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from evenkeel.kernel.clock import fixed_clock
from evenkeel.storage import embedded, homes
from evenkeel.storage.workspace import Workspace, open_workspace

_HERE = Path(__file__).parent
sys.path.extend([str(_HERE), str(_HERE.parent.parent / "storage")])

NOW = datetime(2026, 3, 5, 9, 30, tzinfo=UTC)


@pytest.fixture(scope="session")
def server() -> Iterator[Workspace]:
    """A server that runs while the tests do."""
    from storage_helpers import remove

    place = Path(tempfile.mkdtemp(prefix="evenkeel-test-")) / "workspace"
    with open_workspace(place, database_url=None, clock=fixed_clock(NOW)) as opened:
        yield opened
    remove(place)
    place.parent.rmdir()


@pytest.fixture
def url(server: Workspace) -> Iterator[str]:
    """The URL of an empty database."""
    data = homes.home_of(server.path) / "data"
    password = (data.parent / "password").read_text()
    name = f"test_{secrets.token_hex(8)}"
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        yield f"postgresql://{embedded.USER}:{password}@/{name}?host={data}"
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def workspace(url: str, tmp_path: Path) -> Iterator[Workspace]:
    """An empty workspace in that database."""
    with open_workspace(tmp_path / "workspace", database_url=url, clock=fixed_clock(NOW)) as opened:
        yield opened
