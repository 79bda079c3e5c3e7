"""A record for plans, and helpers of other folders."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from evenkeel.storage.workspace import Workspace, open_workspace

_HERE = Path(__file__).parent
_DECISIONS = _HERE.parent / "decisions"
sys.path.extend([str(_HERE), str(_DECISIONS / "engine"), str(_DECISIONS / "moving"), str(_HERE.parent / "storage")])


@pytest.fixture
def record(given_url: str, tmp_path: Path) -> Iterator[Workspace]:
    """An empty record, a good while after the cases of these tests."""
    from plan_samples import NOW

    with open_workspace(tmp_path / "workspace", database_url=given_url, clock=lambda: NOW) as opened:
        yield opened
