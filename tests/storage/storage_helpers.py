"""What the tests of this folder share beside fixtures."""

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from evenkeel.storage import embedded, homes

CHILD = Path(__file__).with_name("storage_child.py")

Start = Callable[..., "subprocess.Popen[str]"]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, which alone may change to another user")


def servers(place: Path) -> list[int]:
    """Ids of a workspace's server processes."""
    return embedded.servers_of(homes.home_of(place) / "data") if place.exists() else []


def await_no_server(place: Path, limit_s: float = 15.0) -> list[int]:
    """Ids of the server processes that are still there after a while: an empty list is what is wanted."""
    deadline = time.monotonic() + limit_s
    while (left := servers(place)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


def remove(place: Path) -> None:
    """Remove a workspace and, where root's server lives outside it, its home."""
    if place.exists():
        home = homes.home_of(place.resolve())
        shutil.rmtree(place)
        if home.parent == homes.SYSTEM_FOLDER:
            shutil.rmtree(home, ignore_errors=True)


def said(process: "subprocess.Popen[str]") -> str:
    """The next line that a child prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }
