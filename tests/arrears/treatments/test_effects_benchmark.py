"""The benchmark of treatments prints its figures; they are recorded elsewhere."""

import subprocess
import sys
from pathlib import Path

PROGRAM = Path(__file__).parents[3] / "benchmarks" / "treatments.py"


def test_a_small_run_prints_the_figures_of_a_simulated_book_beside_peers() -> None:
    command = [sys.executable, str(PROGRAM), "--borrowers", "1500", "--cases", "200", "--books", "1", "--slice", "0.8"]
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300).stdout.splitlines()
    assert said[0].startswith("simulated book 0, 1,500 logged, 80% by lot, 200 assigned:")
    assert "calling everybody" in said[1] and all(f"{rival} " in said[2] for rival in ("T", "X", "DR"))
