"""The benchmark of contacts prints its figures; they are recorded elsewhere."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "contacts.py"


def test_a_small_run_prints_every_figure() -> None:
    command = [sys.executable, str(PROGRAM), "--contacts", "2000", "--asked", "20"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "2,000 contacts at once", "one contact after 30 others of its borrower",
        "2,000 questions of a day, 2,000 contacts on record", "one contact asked for on record, 30 to 50 before it",
        "of that, in this process",
    ]  # fmt: skip
