"""What every test may use: the helpers beside this file, and the folder of real data."""

import os
import secrets
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings

from evenkeel.kernel.clock import fixed_clock
from evenkeel.storage import database, embedded, homes
from evenkeel.storage.workspace import Workspace, open_workspace

# Samples draw the same examples every time, so that a red run is a change and not a draw.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

_HERE = Path(__file__).parent
sys.path.extend([str(_HERE), str(_HERE / "spec"), str(_HERE / "storage")])


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a family marked `sampled(n)` every n-th case is in `make test`, and all of them are in `make prove`."""
    seen: Counter[str] = Counter()
    for item in items:
        if mark := item.get_closest_marker("sampled"):
            family = item.nodeid.partition("[")[0]
            if seen[family] % mark.args[0]:
                item.add_marker(pytest.mark.prove)
            seen[family] += 1


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data: EVENKEEL_SHARED, else ../shared beside the checkout. Skips where there is none."""
    folder = Path(os.environ.get("EVENKEEL_SHARED", _HERE.parent.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"the real data is not in {folder}: set EVENKEEL_SHARED to the folder that holds data/")
    return folder


@pytest.fixture(scope="session")
def server() -> Iterator[Workspace]:
    """One server for all tests that need a database and not its birth."""
    from storage_helpers import remove

    place = Path(tempfile.mkdtemp(prefix="evenkeel-test-")) / "workspace"
    with open_workspace(place, database_url=None, clock=fixed_clock(datetime(2026, 3, 1, tzinfo=UTC))) as opened:
        yield opened
    remove(place)
    place.parent.rmdir()


@contextmanager
def _database(server: Workspace, template: str) -> Iterator[str]:
    """The URL of a fresh database on the shared server, a copy of another."""
    data = homes.home_of(server.path) / "data"
    password = (data.parent / "password").read_text()
    name = f"test_{secrets.token_hex(8)}"
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
        yield f"postgresql://{embedded.USER}:{password}@/{name}?host={data}"
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture(scope="session")
def _newest(server: Workspace) -> Iterator[str]:
    """The name of a database at the newest revision, to be copied: migrations take longer."""
    with _database(server, "template1") as url:
        engine = database.given_engine(url)
        database.migrate(engine)
        engine.dispose()
        yield str(engine.url.database)


@pytest.fixture
def given_url(server: Workspace, _newest: str) -> Iterator[str]:
    """A given database: the URL of a fresh one at the newest revision."""
    with _database(server, _newest) as url:
        yield url


@pytest.fixture
def empty_url(server: Workspace) -> Iterator[str]:
    """A given database in which nothing has been made yet."""
    with _database(server, "template1") as url:
        yield url
