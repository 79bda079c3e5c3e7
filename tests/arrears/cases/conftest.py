"""A world for each test, in the one database of this folder."""

import sys
from pathlib import Path

import pytest

from evenkeel.storage.workspace import Workspace

sys.path.append(str(Path(__file__).parent))


@pytest.fixture
def world(record: Workspace) -> "object":
    """Cases of a lender of its own, with a clock that the test moves."""
    from case_world import World

    return World(record)
