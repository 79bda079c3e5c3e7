"""A journal in a database of its own, on one server for all tests of this folder."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa

from evenkeel.kernel.clock import fixed_clock
from evenkeel.storage import embedded, homes
from evenkeel.storage.journal import Journal
from evenkeel.storage.workspace import Workspace, open_workspace

NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)  # noon in China


@pytest.fixture(scope="session")
def server() -> Iterator[Workspace]:
    parent = Path(tempfile.mkdtemp(prefix="evenkeel-test-"))
    parent.chmod(0o755)
    with open_workspace(parent / "workspace", database_url=None, clock=fixed_clock(NOW)) as opened:
        yield opened
    home = homes.home_of((parent / "workspace").resolve())
    shutil.rmtree(parent)
    if home.parent == homes.SYSTEM_FOLDER:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def journal(server: Workspace, tmp_path: Path) -> Iterator[Journal]:
    """The journal of an empty database. Its clock stands at NOW; `replace` gives it another."""
    data = homes.home_of(server.path) / "data"
    password = (data.parent / "password").read_text()
    name = f"test_{secrets.token_hex(8)}"
    with server.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
        url = f"postgresql://{embedded.USER}:{password}@/{name}?host={data}"
        with open_workspace(tmp_path / "workspace", database_url=url, clock=fixed_clock(NOW)) as opened:
            yield opened.journal
        connection.execute(sa.text(f"DROP DATABASE {name} WITH (FORCE)"))
