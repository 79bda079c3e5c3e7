"""The message linter in figures: recall and false alarms on sentence files, messages a second, a hostile megabyte.

    python benchmarks/messages.py [--bad FILE ... --good FILE ...] [--repeat N] [--folds K]

Files hold one sentence a line, a category and a tab before it or not. Without files, the sentences shipped are used,
from which the linter learned: their figures say what was taught, not how it does on sentences of somebody else.

--folds: by which chances sentences are blocked or let through (`[likeness]` in the phrase files) is chosen by this:
likeness is fitted without a fold and judges it, together with the patterns, for each pair of chances.
"""

from __future__ import annotations

import argparse
import time
from importlib.resources import files
from pathlib import Path

import numpy as np

from evenkeel.arrears.messages.grammar import LANGUAGES
from evenkeel.arrears.messages.likeness import fit
from evenkeel.arrears.messages.linter import blocked, lint, taught


def sentences(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return [line.split("\t")[-1] for line in lines if line.strip() and not line.startswith("#")]


def choose(language: str, folds: int) -> None:
    """Prints recall and false alarms, in per cent, for each pair of chances."""
    some = taught(language)
    order = np.random.default_rng(7).permutation(len(some))
    weighed = [one.stretches for one in some]
    for fold in range(folds):
        apart = set(order[fold::folds].tolist())
        rest = [one for place, one in enumerate(some) if place not in apart]
        model = fit(
            [(one.category, one.whole) for one in rest if one.category],
            [part.features for one in rest if not one.category for part in one.stretches],
        )
        for place in apart:
            weighed[place] = [part._replace(odds=model.log_odds(part.features)) for part in some[place].stretches]
    bad = np.array([bool(one.category) for one in some])
    print(f"{language}: {bad.sum()} bad, {(~bad).sum()} good sentences; recall/false alarms in per cent")
    chances = (0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
    print("pardon \\ least" + "".join(f"{least:>12}" for least in chances))
    for pardon in (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3):
        row = ""
        for least in chances:
            stopped = np.array(
                [any(blocked(parts, one.found, least, pardon)) for one, parts in zip(some, weighed, strict=True)]
            )
            row += f"{100 * stopped[bad].mean():>6.1f}/{100 * stopped[~bad].mean():<5.1f}"
        print(f"{pardon:<14}{row}")


def main() -> None:
    shipped = Path(str(files("evenkeel.arrears.messages") / "sentences"))
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bad", type=Path, nargs="*", default=[shipped / "bad.en.txt", shipped / "bad.zh.txt"])
    parser.add_argument("--good", type=Path, nargs="*", default=[shipped / "good.en.txt", shipped / "good.zh.txt"])
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--folds", type=int, default=0)
    given = parser.parse_args()
    if given.folds:
        for language in LANGUAGES:
            choose(language, given.folds)
        return
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
