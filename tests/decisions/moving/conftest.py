"""An empty database, and a workspace in it whose clock a test moves."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
sys.path.extend([str(_HERE), str(_HERE.parent / "engine")])


@pytest.fixture
def lender(given_url: str, tmp_path: Path) -> Iterator[object]:
    """A lender with a service that reviews limits: see `limit_samples.Live`."""
    from limit_samples import live

    with live(given_url, tmp_path / "workspace") as opened:
        yield opened
