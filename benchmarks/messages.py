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
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from evenkeel.arrears.messages.grammar import LANGUAGES
from evenkeel.arrears.messages.likeness import fit
from evenkeel.arrears.messages.linter import Taught, blocked, lint, taught


def sentences(path: Path) -> list[str]:
    lines = path.read_text(encoding="utf-8").split("\n")
    return [line.split("\t")[-1] for line in lines if line.strip() and not line.startswith("#")]


def folds_of(some: Sequence[Taught], folds: int) -> NDArray[np.int64]:
    """The fold of each sentence. What was written at a time under one heading stays together."""
    rng = np.random.default_rng(7)
    batches = sorted({one.batch for one in some if one.batch})
    drawn = dict(zip(batches, rng.permutation(len(batches)) % folds, strict=True))
    return np.array([drawn[one.batch] if one.batch else rng.integers(folds) for one in some])


def choose(language: str, folds: int) -> None:
    """Prints recall and false alarms, in per cent, for each pair of chances.

    Of the sentences under a heading: no pattern was written with them in sight.
    """
    some = taught(language)
    fold = folds_of(some, folds)
    weighed = [one.stretches for one in some]
    for number in range(folds):
        rest = [one for one, place in zip(some, fold, strict=True) if place != number]
        model = fit(
            [(one.category, one.whole) for one in rest if one.category],
            [part.features for one in rest if not one.category for part in one.stretches],
        )
        for place in np.flatnonzero(fold == number):
            weighed[place] = [part._replace(odds=model.log_odds(part.features)) for part in some[place].stretches]
    bad = np.array([bool(one.category) for one in some])
    headed = np.array([bool(one.batch) for one in some])
    print(f"{language}: {(bad & headed).sum()} bad, {(~bad & headed).sum()} good; recall/false alarms in per cent")
    chances = (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9)
    print("pardon \\ least" + "".join(f"{least:>12}" for least in chances))
    for pardon in (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6):
        row = ""
        for least in chances:
            stopped = np.array(
                [any(blocked(parts, one.found, least, pardon)) for one, parts in zip(some, weighed, strict=True)]
            )
            row += f"{100 * stopped[bad & headed].mean():>6.1f}/{100 * stopped[~bad & headed].mean():<5.1f}"
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
