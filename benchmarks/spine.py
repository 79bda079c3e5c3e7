"""The loop stage by stage: wall, CPU and memory at several sizes of book, and how each stage grows.

    python benchmarks/spine.py                      # 10,000, 100,000 and 1,000,000 accounts
    python benchmarks/spine.py --accounts 2000      # a small smoke run

Each size is a generated book and a run in a process of its own. Growth is the exponent b of wall ~ accounts^b between
a size and the one before it: 1 is linear.
"""

import argparse
import json
import math
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ACCOUNTS_PER_BORROWER = 2.125  # of the generator; the true count is printed


def evenkeel(*arguments: str) -> None:
    """Run a command of the installed package; its output goes nowhere."""
    command = [str(Path(sys.executable).with_name("evenkeel")), *arguments]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def measure(accounts: int, months: int, folder: Path) -> dict[str, object]:
    """Generate a book of about `accounts` accounts, run the loop, and return run.json with counts added."""
    book, out = folder / "book", folder / "out"
    borrowers = max(200, round(accounts / ACCOUNTS_PER_BORROWER))
    started = time.perf_counter()
    evenkeel("book", "generate", "--borrowers", str(borrowers), "--months", str(months), "--out", str(book))
    generated = time.perf_counter() - started
    evenkeel("run", str(book), "--out", str(out), "--workspace", str(folder / "workspace"))
    figures = json.loads((out / "run.json").read_text())
    quality = json.loads((out / "quality.json").read_text())
    figures["accounts"] = quality["tables"]["accounts"]["accepted"]
    figures["account_months"] = quality["tables"]["periods"]["accepted"]
    figures["stages"] = {"generate": {"wall_s": generated, "cpu_s": math.nan}} | figures["stages"]
    return figures


def table(runs: list[dict]) -> str:
    """The figures as a Markdown table."""
    head = "| stage | " + " | ".join(f"{run['accounts']:,} wall / CPU s" for run in runs) + " | growth |"
    lines = [head, "|---" * (len(runs) + 2) + "|"]
    for stage in runs[-1]["stages"]:
        cells = [f"{run['stages'][stage]['wall_s']:.2f} / {run['stages'][stage]['cpu_s']:.2f}" for run in runs]
        growth = "–"
        if len(runs) > 1:
            last, before = runs[-1], runs[-2]
            top = last["stages"][stage]["wall_s"] / max(before["stages"][stage]["wall_s"], 1e-3)
            growth = f"{math.log(top) / math.log(last['accounts'] / before['accounts']):.2f}" if top > 0 else "–"
        lines.append(f"| {stage} | " + " | ".join(cells) + f" | {growth} |")
    lines.append("| account-months | " + " | ".join(f"{run['account_months']:,}" for run in runs) + " | |")
    lines.append("| whole run, wall s | " + " | ".join(f"{run['wall_s']:.1f}" for run in runs) + " | |")
    lines.append("| peak memory, MB | " + " | ".join(f"{run['peak_memory_mb']:,.0f}" for run in runs) + " | |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accounts", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--months", type=int, default=24)
    arguments = parser.parse_args()
    runs = []
    for accounts in arguments.accounts:
        with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
            Path(folder).chmod(0o755)  # so that root's database, which runs as somebody else, may stay inside
            runs.append(measure(accounts, arguments.months, Path(folder)))
        print(f"{runs[-1]['accounts']:,} accounts: {runs[-1]['wall_s']:.1f} s", file=sys.stderr)
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}\n\n{table(runs)}")


if __name__ == "__main__":
    main()
