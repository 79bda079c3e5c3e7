"""The message linter in figures: recall and false alarms on sentence files, messages a second, a hostile megabyte.

    python benchmarks/messages.py [--bad FILE ... --good FILE ...] [--repeat N]

Files hold one sentence a line, a category and a tab before it or not. Without files, the sentences shipped are used,
from which the linter learned: their figures say what was taught, not how it does on sentences of somebody else.
"""

from __future__ import annotations

import argparse
import time
from importlib.resources import files
from pathlib import Path

from evenkeel.arrears.messages.linter import lint


def sentences(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return [line.split("\t")[-1] for line in lines if line.strip() and not line.startswith("#")]


def main() -> None:
    shipped = Path(str(files("evenkeel.arrears.messages") / "sentences"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bad", type=Path, nargs="*", default=[shipped / "bad.en.txt", shipped / "bad.zh.txt"])
    parser.add_argument("--good", type=Path, nargs="*", default=[shipped / "good.en.txt", shipped / "good.zh.txt"])
    parser.add_argument("--repeat", type=int, default=5)
    given = parser.parse_args()
    start = time.perf_counter()
    lint("坐牢 you will pay")
    lint("a first sentence to be weighed. 第一句话用来称量词语。")
    print(f"ready after {time.perf_counter() - start:.2f} s")
    texts: list[str] = []
    for kind, paths in (("bad", given.bad), ("good", given.good)):
        for path in paths:
            some = sentences(path)
            texts += some
            blocked = sum(not lint(text).ok for text in some)
            print(f"{kind}  {path.name}: {blocked} of {len(some)} blocked ({blocked / len(some):.1%})")
    start = time.process_time()
    for _ in range(given.repeat):
        for text in texts:
            lint(text)
    spent = time.process_time() - start
    print(f"{given.repeat * len(texts) / spent:,.0f} messages a second of one core ({len(texts)} texts)")
    for name, text in (
        ("坐", "坐" * 300_000),
        ("you will not", "you will not " * 80_000),
        ("j.a.i.l", "j.a.i.l" * 140_000),
    ):
        start = time.process_time()
        lint(text)
        print(f"1 MB of {name!r}: {time.process_time() - start:.1f} s")


if __name__ == "__main__":
    main()
