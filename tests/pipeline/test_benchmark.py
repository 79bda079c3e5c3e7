"""The benchmark is a program that runs; its figures are recorded elsewhere."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "spine.py"


def test_the_benchmark_prints_a_figure_for_every_stage():
    done = subprocess.run(
        [sys.executable, str(PROGRAM), "--accounts", "500", "--months", "12"],
        capture_output=True, text=True, check=True, timeout=300,
    )  # fmt: skip
    for stage in (
        "generate",
        "read",
        "record",
        "measure",
        "score",
        "decide",
        "warn",
        "cause",
        "treat",
        "plan",
        "finance",
    ):
        assert f"| {stage} | " in done.stdout
