"""How fast cases are looked at, worked on and listed, on an embedded database with fsync on.

    python benchmarks/cases.py [--borrowers N]

N borrowers with one line each that is late: all are looked at and get a case, and are looked at again with nothing
changed; then acts, pages of the worklist, the story of a case, and claims. No open system of collections with a record
of facts is known to compare with, so none stands beside it.
"""

from __future__ import annotations

import argparse
import secrets
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.service import post
from evenkeel.arrears.cases import acts
from evenkeel.arrears.cases.reading import next_of, one, worklist
from evenkeel.arrears.cases.service import Cases
from evenkeel.arrears.cases.sweeping import sweep
from evenkeel.arrears.law import load_rules
from evenkeel.decisions.review.service_level import WorkingHours
from evenkeel.kernel.clock import system_clock
from evenkeel.storage.workspace import Workspace, open_workspace

TIMES = 60


def book(workspace: Workspace, borrowers: int) -> None:
    """Lines whose one purchase is two to five months past due."""
    today = datetime.now(UTC).date()
    records: list[dict[str, object]] = []
    for number in range(borrowers):
        day = today - timedelta(days=90 + number % 90)
        account = {"account_id": f"a{number}"}
        records.append(account | {
            "borrower_id": f"b{number}", "fact_id": "o", "kind": "opened", "effective_on": day.isoformat(),
            "product": "pay_later", "limit_minor": 1_000_000, "lender_id": "l",
        })  # fmt: skip
        records.append(account | {"fact_id": "p", "kind": "purchase", "effective_on": day.isoformat(),
                                  "amount_minor": 20_000 + 100 * (number % 700)})  # fmt: skip
    for start in range(0, len(records), 1_000):
        post(workspace, records[start : start + 1_000], shipped)


def timed(what: str, act: Callable[[], object], times: int = TIMES) -> None:
    took = []
    for _ in range(times):
        since = time.perf_counter()
        act()
        took.append((time.perf_counter() - since) * 1000)
    p50, p99 = np.quantile(np.array(took), (0.5, 0.99))
    print(f"{what}: p50 {p50:.1f} ms  p99 {p99:.1f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--borrowers", type=int, default=2_000)
    count = parser.parse_args().borrowers
    with (
        tempfile.TemporaryDirectory(prefix="evenkeel-cases-") as folder,
        open_workspace(Path(folder) / "w", database_url=None, clock=system_clock) as workspace,
    ):
        book(workspace, count)
        cases = Cases(workspace.journal, "l", load_rules(), "CN", WorkingHours(ZoneInfo("Asia/Shanghai")))
        for what in ("opened", "looked at again"):
            since, cpu = time.perf_counter(), time.process_time()
            sweep(cases)
            took, spent = time.perf_counter() - since, time.process_time() - cpu
            print(f"{count:,} cases {what}: {count / took:,.0f} a second, {spent * 1000 / count:.1f} CPU ms each")
        ids = [row.case_id for row in worklist(cases, most=min(200, count)).cases]
        turn = iter(range(10**9))
        until = datetime.now(UTC).date() + timedelta(days=3)

        def promise() -> None:
            act = acts.Promise(by="x", amount_minor=100, on=until)
            cases.act(ids[next(turn) % len(ids)], act, secrets.token_hex(8))

        timed("a page of 50", lambda: worklist(cases, most=50))
        timed("a page of 50 with what is lawful and what is not", lambda: worklist(cases, most=50, full=True), 5)
        timed("the first case that is free, claimed", lambda: next_of(cases, secrets.token_hex(4)), min(TIMES, count))
        for case_id in ids:
            if (by := one(cases, case_id).row.claimed_by) is not None:
                cases.release(case_id, by)
        timed("an act", promise)
        timed("a case in full", lambda: one(cases, ids[next(turn) % len(ids)]))


if __name__ == "__main__":
    main()
