"""The journal's chain: what it costs to append with it, and how long a whole record takes to verify.

    python benchmarks/journal_proof.py                     # 1,000,000 facts
    python benchmarks/journal_proof.py --facts 110000      # a small smoke run

A workspace with its own PostgreSQL, in a temporary folder. Appending is measured beside the same rows in a table
without chain (`bare`: columns, indexes, reference and one INSERT a fact, as the journal was written before it had a
chain), in turns, so that both meet the same machine. Then the record is filled up in batches and verified.
"""

import argparse
import json
import platform
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import sqlalchemy as sa

from evenkeel.kernel.clock import system_clock
from evenkeel.storage import chain
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import Workspace, open_workspace

START = datetime(2025, 1, 1, tzinfo=UTC)

BARE = (
    "CREATE TABLE bare (LIKE journal INCLUDING IDENTITY INCLUDING INDEXES)",
    "ALTER TABLE bare DROP COLUMN link",
    "ALTER TABLE bare ADD FOREIGN KEY (reversal_of) REFERENCES bare (event_id)",
)


def facts(first: int, count: int) -> list[Fact]:
    """Purchases of 50,000 borrowers on 90,000 accounts, the same for the same numbers."""
    return [
        Fact(
            f"purchase-{number:012d}",
            "purchase",
            START + timedelta(seconds=number),
            {"amount_minor": number * 37 % 100_000, "currency": "CNY", "segment": "purchase", "shop": "面馆"},
            borrower_id=f"B{number % 50_000:06d}",
            account_id=f"A{number % 90_000:06d}",
        )
        for number in range(first, first + count)
    ]


def bare(workspace: Workspace) -> Callable[[Sequence[Fact]], None]:
    """Append as before the chain: one INSERT a fact, sent together."""
    columns = ("event_id", "kind", "borrower_id", "account_id", "effective_at", "reversal_of")
    table = sa.Table("bare", sa.MetaData(), autoload_with=workspace.engine)

    def append(given: Sequence[Fact]) -> None:
        booked_at = system_clock()
        rows = [
            {name: getattr(fact, name) for name in columns}
            | {"booked_at": booked_at, "payload": json.loads(json.dumps(fact.payload, sort_keys=True))}
            for fact in given
        ]
        with workspace.engine.begin() as connection:
            connection.execute(sa.insert(table), rows)

    return append


def seconds(append: Callable[[Sequence[Fact]], None], given: Sequence[Fact]) -> float:
    """Wall time of one transaction."""
    started = time.perf_counter()
    append(given)
    return time.perf_counter() - started


def compare(workspace: Workspace) -> int:
    """Print facts/s without and with the chain; returns how many facts the journal has then."""
    with workspace.engine.begin() as connection:
        for statement in BARE:
            connection.execute(sa.text(statement))
    ways = {"without chain": bare(workspace), "with chain": workspace.journal.append}
    booked = 0
    print(f"| append, facts/s, median (slowest - fastest tenth) | {' | '.join(ways)} |\n|---|---|---|")
    for batch, rounds in ((1, 3000), (1000, 100)):
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(rounds):
            given = facts(booked, batch)
            booked += batch
            for name, append in ways.items():
                times[name].append(seconds(append, given))
        cells = []
        for taken in times.values():
            tenths = statistics.quantiles(taken, n=10)
            cells.append(f"{batch / tenths[4]:,.0f} ({batch / tenths[8]:,.0f} - {batch / tenths[0]:,.0f})")
        print(f"| {batch:,} a transaction | {' | '.join(cells)} |", flush=True)
    return booked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, default=1_000_000, help="facts in the record that is verified")
    parser.add_argument("--batch", type=int, default=1_000, help="facts a transaction while the record is filled")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        Path(folder).chmod(0o755)  # so that root's database, which runs as somebody else, may stay inside
        with open_workspace(Path(folder) / "workspace", database_url=None, clock=system_clock) as workspace:
            print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}\n")
            booked = compare(workspace)
            started = time.perf_counter()
            for first in range(booked, arguments.facts, arguments.batch):
                workspace.journal.append(facts(first, min(arguments.batch, arguments.facts - first)))
            print(f"\nfilled to {max(booked, arguments.facts):,} facts in {time.perf_counter() - started:.1f} s")
            before_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            started = time.perf_counter()
            proof = chain.verify(workspace.engine)
            wall = time.perf_counter() - started
            after_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            print(f"verified {proof.facts:,} facts under {proof.links:,} links in {wall:.1f} s "
                  f"({proof.facts / wall:,.0f} a second); peak memory {after_mb:.0f} MB, {after_mb - before_mb:.0f} MB "
                  "of it for verifying")  # fmt: skip
            started = time.perf_counter()
            for _ in range(100):
                workspace.journal.settled()
            print(f"settled(): {(time.perf_counter() - started) * 10:.2f} ms")
            if proof.faults:
                sys.exit(f"the record does not verify: {proof.faults}")


if __name__ == "__main__":
    main()
