"""The benchmark of accounts runs, on few accounts, and prints its tables."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "accounts.py"


def test_the_benchmark_prints_a_table_a_section() -> None:
    command = [sys.executable, str(PROGRAM), "--rows", "600", "--sections", "schedules", "fold", "close"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    for told in ("### schedules", "| evenkeel |", "### fold", "| card |", "### close", "| 600 | bills |"):
        assert told in done.stdout
