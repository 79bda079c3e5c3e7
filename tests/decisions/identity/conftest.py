"""A journal in a database of its own."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from evenkeel.kernel.clock import fixed_clock
from evenkeel.storage.journal import Journal
from evenkeel.storage.workspace import open_workspace

NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)  # noon in China


@pytest.fixture
def journal(given_url: str, tmp_path: Path) -> Iterator[Journal]:
    """The journal of an empty database. Its clock stands at NOW; `replace` gives it another."""
    with open_workspace(tmp_path / "workspace", database_url=given_url, clock=fixed_clock(NOW)) as opened:
        yield opened.journal
