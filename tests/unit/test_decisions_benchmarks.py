"""The benchmarks of decisions run, on few rows, and print their figures."""

import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("policy", ["--rows", "500"], "evenkeel"),
        ("identity", ["--sections", "numbers", "clusters", "--rows", "500"], "numbers"),
        ("behaviour", ["--borrowers", "20", "--rows", "20", "--least", "0.01"], "values"),
        ("decisions_replay", ["--borrowers", "6", "--share", "1"], "agree to the bit, 0 do not"),
        ("decisions", ["--borrowers", "50", "--seconds", "1", "--warm", "1", "--connections", "2"], "errors 0"),
    ],
)
def test_a_benchmark_prints_its_figures(name: str, arguments: list[str], told: str) -> None:
    command = [sys.executable, str(FOLDER / f"{name}.py"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "wrk" in done.stderr and name == "decisions":
        pytest.skip("wrk, the load generator, is not installed")
    assert done.returncode == 0, done.stderr[-2000:]
    assert told in done.stdout
