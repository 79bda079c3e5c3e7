"""A service ends in bounded time, whatever becomes of its processes."""

import signal
import subprocess
import sys
import time
from pathlib import Path


def test_a_worker_that_does_not_heed_is_killed_once_patience_is_over() -> None:
    command = [sys.executable, str(Path(__file__).parent / "stuck_child.py"), "2"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert {process.stdout.readline() for _ in range(2)} == {"0\n", "1\n"}
        said = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0 and time.monotonic() - said >= 2
        assert "worker 0 did not end" in told and "worker 1" not in told
    finally:
        process.kill()


def test_a_worker_that_is_still_being_born_hears_that_it_is_to_end() -> None:
    command = [sys.executable, str(Path(__file__).parent / "early_child.py"), "8"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(2)] == ["born\n", "born\n"]
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=60)
        assert process.returncode == 0 and told == ""
    finally:
        process.kill()
