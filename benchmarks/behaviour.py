"""Behaviour's figures: what a request costs online, and how many rows a second the batch tells.

    python benchmarks/behaviour.py [--borrowers 20000] [--rows 100000] [--least 1.0]

online: the shipped features of a borrower, states with 10, 50 and 500 events that all lie in some window; microseconds
    of CPU a request, in calls of 64 requests and of one: telling all values (`values`), adding one event to each state
    (`add`), and the size of a state.
batch: `--borrowers` with 50 events each in 24 months, `--rows` wanted: CPU seconds and rows a second, on two threads.
"""

import argparse
import platform
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pyarrow as pa

from evenkeel.behaviour.batch import event_values
from evenkeel.behaviour.definitions import Entity, shipped
from evenkeel.behaviour.events import SCHEMA
from evenkeel.behaviour.online import Event, Online, online
from evenkeel.behaviour.windows import DAY

NOW = 1_700_000_000_000_000
KINDS = ("purchase", "purchase", "purchase", "repayment", "login", "login", "income", "inquiry", "cash_advance", "fee")
BATCH = 64


def drawn(rng: np.random.Generator, name: str, days: int) -> Event:
    """An event of the last days, of a kind that several features read."""
    at = int(NOW - rng.integers(0, days * DAY))
    fields = {"merchant": f"m{rng.integers(9)}", "device": f"d{rng.integers(3)}", "lender": f"l{rng.integers(4)}"}
    return Event(name, KINDS[rng.integers(len(KINDS))], at, at, int(rng.integers(100, 10**6)), fields, "lender-1")


def each_us(work: Callable[[], object], requests: int, least_s: float) -> float:
    """CPU microseconds a request, over at least `least_s`."""
    work()
    calls, started = 0, time.process_time()
    while (spent := time.process_time() - started) < least_s:
        work()
        calls += 1
    return spent / calls / requests * 1e6


def online_figures(ready: Online, least_s: float) -> None:
    rng = np.random.default_rng(6)
    print(f"{'events':>6} {'bytes':>7} {'an event':>8} {'values/64':>10} {'values/1':>9} {'add/64':>7} {'add/1':>6}")
    for count in (10, 50, 500):
        histories = [[drawn(rng, f"{place}-{i}", 30) for i in range(count)] for place in range(BATCH)]
        states = ready.add_many([ready.empty()] * BATCH, histories)
        at = np.full(BATCH, NOW)
        new = [[drawn(rng, f"new-{place}", 1)] for place in range(BATCH)]
        size = sum(map(len, states)) / BATCH
        told, alone = (each_us(partial(ready.values, states[:n], at[:n]), n, least_s) for n in (BATCH, 1))
        added, added_alone = (each_us(partial(ready.add_many, states[:n], new[:n]), n, least_s) for n in (BATCH, 1))
        figures = f"{told:>10.2f} {alone:>9.2f} {added:>7.2f} {added_alone:>6.2f}"
        print(f"{count:>6} {size:>7.0f} {size / count:>8.1f} {figures}")


def batch_figures(borrowers: int, rows: int) -> None:
    rng = np.random.default_rng(7)
    count = 50 * borrowers
    at = NOW - rng.integers(0, 730 * DAY, count)
    ids = pa.array([f"b{i}" for i in range(borrowers)])
    columns = {
        "event_id": pa.array([f"e{i}" for i in range(count)]),
        "kind": pa.array(KINDS).take(pa.array(rng.integers(0, len(KINDS), count))),
        "borrower_id": ids.take(pa.array(rng.integers(0, borrowers, count))),
        "effective_us": pa.array(at),
        "booked_us": pa.array(at),
        "amount_minor": pa.array(rng.integers(100, 10**6, count)),
        "payload": pa.repeat('{"merchant":"m","device":"d","lender":"l"}', count),
    }
    events = pa.table({name: columns.get(name, pa.nulls(count, SCHEMA.field(name).type)) for name in SCHEMA.names})
    looked_at = pa.array(NOW - rng.integers(0, 365 * DAY, rows))
    wanted = pa.table({"entity": ids.take(pa.array(rng.integers(0, borrowers, rows))), "at": looked_at,
                       "known_at": looked_at})  # fmt: skip
    wall, cpu = time.perf_counter(), time.process_time()
    event_values(events.cast(SCHEMA), wanted, shipped(), Entity.BORROWER, 2)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(f"batch: {rows:,} rows over {count:,} events: {cpu:.1f} CPU s, {wall:.1f} s, {rows / wall:,.0f} rows/s")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--borrowers", type=int, default=20_000)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--least", type=float, default=1.0, help="CPU seconds over which an online figure is taken")
    given = parser.parse_args()
    ready = online(shipped(), Entity.BORROWER, ["lender-1"])
    print(f"{platform.machine()}, {len(ready.names)} features from {len(ready.measures)} measures; microseconds of CPU")
    online_figures(ready, given.least)
    batch_figures(given.borrowers, given.rows)
