"""What every test may use: the helpers beside this file, and the folder of real data."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

# Samples draw the same examples every time, so that a red run is a change and not a draw.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

_HERE = Path(__file__).parent
sys.path.extend([str(_HERE), str(_HERE / "spec")])


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data: EVENKEEL_SHARED, else ../shared beside the checkout. Skips where there is none."""
    folder = Path(os.environ.get("EVENKEEL_SHARED", _HERE.parent.parent / "shared"))
    if not (folder / "data").is_dir():
        pytest.skip(f"the real data is not in {folder}: set EVENKEEL_SHARED to the folder that holds data/")
    return folder
