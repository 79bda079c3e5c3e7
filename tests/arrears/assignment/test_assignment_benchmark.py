"""The benchmark of the assignment prints its figures; they are recorded elsewhere."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[3] / "benchmarks" / "assignment.py"


def test_a_small_run_prints_every_figure() -> None:
    command = [sys.executable, str(PROGRAM), "--cases", "500", "--beside", "30", "--day", "200", "--seconds", "1"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout
    assert [line.partition(":")[0] for line in said.splitlines() if ": " in line] == [
        "500 x 10 x 6, values with a long tail", "500 x 10 x 6, thousands of ties",
        "500 x 10 x 6, amounts of each case's own", "500 x 10 x 12, with groups 2 points apart at most",
        "most memory", "30 cases here", "30 cases, HiGHS, linear relaxation", "30 cases, HiGHS, mixed-integer program",
        "a day of 200 accounts, law to table",
    ]  # fmt: skip
