"""Assessment of applications: CPU seconds by stage, and what is found at how many false alarms, in unlike books.

    python benchmarks/assessment.py [--applications 1000000] [--seeds 3]

Books: the shipped generator's, and the other one of the tests, which shares nothing with it. Truth is known here alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.book.generator.generate import generate
from evenkeel.book.generator.households import draw_households
from evenkeel.book.generator.spec import GeneratorSpec
from evenkeel.decisions.assessment.assess import Context, Norms, assess, find_signals, learn_norms
from evenkeel.decisions.assessment.forgery import SIGNS
from evenkeel.decisions.assessment.requests import read_requests

sys.path.append(str(Path(__file__).parent.parent / "tests" / "decisions" / "assessment"))
from other_book import other_book

FALSE_ALARMS = 0.05


def generated(borrowers: int, months: int, seed: int) -> tuple[dict[str, pa.Table], np.ndarray]:
    """(tables, what each application's person is: ring, concealing or "")."""
    spec = GeneratorSpec(borrowers, months, seed)
    tables, truth = generate(spec).book_tables, draw_households(spec)
    kind = np.where(truth.ring >= 0, "ring", np.where(truth.conceals, "concealing", ""))
    kind[-1] = ""  # the story's household
    ids = tables["borrowers"]["borrower_id"].combine_chunks()
    return tables, kind[pc.index_in(tables["applications"]["borrower_id"].combine_chunks(), ids).to_numpy()]


def found(tables: dict[str, pa.Table], kind: np.ndarray, norms: Norms, zone: str) -> dict[str, Any]:
    """Found and false at the norms' own threshold, and at 5 % of false alarms beside the best single sign."""
    table = assess(tables["applications"], Context(tables, norms, zone))
    p, suspect = table["forgery"].to_numpy(), table["suspect"].to_numpy(zero_copy_only=False).astype(bool)
    forged = kind != ""
    level = np.quantile(p[~forged], 1 - FALSE_ALARMS)
    person = tables["applications"]["borrower_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    most = np.zeros(int(person.max()) + 1, bool)
    np.logical_or.at(most, person, suspect)
    first = forged[np.unique(person, return_index=True)[1]]
    best, by = best_single(tables, forged, norms, zone)
    shares = {str(name): round(float(suspect[kind == name].mean()), 3) for name in np.unique(kind[forged])}
    return {
        "applications": len(p), "forged": int(forged.sum()), "suspect_from": round(norms.suspect_from, 4),
        "false_alarms": round(float(suspect[~forged].mean()), 4), "found": round(float(suspect[forged].mean()), 3),
        "found_by_kind": shares,
        "people_false": round(float(most[~first].mean()), 4), "people_found": round(float(most[first].mean()), 3),
        "found_at_5_percent": round(float((p[forged] > level).mean()), 3),
        "best_single_sign": f"{by} {best:.3f}",
    }  # fmt: skip


def best_single(tables: dict[str, pa.Table], forged: np.ndarray, norms: Norms, zone: str) -> tuple[float, str]:
    """The most that one sign alone finds at as many false alarms."""
    requests = read_requests(tables["applications"])
    levels = find_signals(requests, Context(tables, norms, zone)).levels
    ids = tables["applications"]["application_id"].combine_chunks()
    guilty = forged[pc.index_in(requests.table["application_id"].combine_chunks(), ids).to_numpy()]
    best = (0.0, "")
    for place, sign in enumerate(SIGNS):
        for level in range(1, len(sign.bounds) + 1):
            hit = levels[:, place] >= level
            if hit[~guilty].mean() <= FALSE_ALARMS:
                best = max(best, (float(hit[guilty].mean()), sign.name))
    return best


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--applications", type=int, default=1_000_000)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    results: dict[str, Any] = {"found": {}}
    for seed in range(1, given.seeds + 1):
        tables, kind = generated(10_000 * seed, 24, seed)
        norms = learn_norms(tables, "Asia/Shanghai")
        results["found"][f"generated, seed {seed}"] = found(tables, kind, norms, "Asia/Shanghai")
        book = other_book(8_000 * seed, seed)
        results["found"][f"other, seed {seed}"] = found(book.tables, book.kind, learn_norms(book.tables, "UTC"), "UTC")
    book = other_book(int(given.applications / 2.2), 9)
    results["applications"] = book.tables["applications"].num_rows
    started = process_time()
    norms = learn_norms(book.tables, "UTC")
    results["learn_cpu_s"] = round(process_time() - started, 2)
    started = process_time()
    requests = read_requests(book.tables["applications"])
    signals = find_signals(requests, Context(book.tables, norms, "UTC"))
    results["signals_cpu_s"] = round(process_time() - started, 2)
    started = process_time()
    assess(book.tables["applications"], Context(book.tables, norms, "UTC"))
    results["assess_cpu_s"] = round(process_time() - started, 2)
    results["signs"] = int((signals.levels > 0).sum())
    results["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps(results, indent=2))


if __name__ == "__main__":
    main()
