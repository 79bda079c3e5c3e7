"""Durable decisions a second, server, database and load generator on this machine together.

    python benchmarks/decisions.py [--borrowers N] [--seconds S] [--warm S] [--connections 1,16,64,256] [--workers N]
                                   [--lanes N] [--peer-python PATH] [--keep FOLDER] [--soak MINUTES]

A lender of N borrowers (a line each, 20 events in each state) is made in a database of its own; then wrk asks for
authorisations of random borrowers, each with a key of its own. 60 features, an additive scorecard over all of them, a
policy table; fsync is on. Afterwards what was acknowledged is counted on record and the chain is verified. With
--peer-python, an environment with fastapi, uvicorn, sqlalchemy, psycopg, scikit-learn, the usual stack answers the same
question in the same run: one transaction a request, one `predict` a request.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import sqlalchemy as sa
from msgspec.structs import replace

from evenkeel.accounts.facts import fact_record, read_fact
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.store import at_midnight, event_id, record_product
from evenkeel.behaviour.definitions import Entity
from evenkeel.behaviour.definitions import shipped as shipped_features
from evenkeel.behaviour.online import Event, online
from evenkeel.decisions.engine.happenings import Fact
from evenkeel.decisions.engine.marks import marks_after
from evenkeel.decisions.engine.position import Position, lines_until, pack_lines, position_of
from evenkeel.decisions.record import coverage
from evenkeel.kernel.clock import system_clock
from evenkeel.storage import chain, homes
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace, open_workspace

LENDER = "lender-1"
LIMIT_MINOR = 100_000_000
EVENTS = 20
STATES = 1000  # different ones, shared by the borrowers
_CHUNK = 10_000
_HERE = Path(__file__).parent

# What a database of this size is given by whoever runs it; durability is as it was.
_TUNED = {
    "shared_buffers": "2GB", "max_wal_size": "8GB", "checkpoint_timeout": "15min",
    "wal_buffers": "64MB", "max_connections": "50",
}  # fmt: skip


def seed(workspace: Workspace, borrowers: int) -> None:
    """The lender: an opened line and a state for each borrower."""
    started = time.perf_counter()
    product = shipped("pay_later")
    today = datetime.now(UTC).date()
    opened_on = today - timedelta(days=3)
    opened = {
        "fact_id": "o", "kind": "opened", "effective_on": opened_on.isoformat(), "product": "pay_later",
        "limit_minor": LIMIT_MINOR, "lender_id": LENDER, "product_digest": product.digest,
    }  # fmt: skip
    record_product(workspace.journal, product, opened_on)
    at, payload = at_midnight(opened_on).isoformat(), fact_record(read_fact(opened))
    for start in range(0, borrowers, _CHUNK):
        facts = [
            {"event_id": event_id(f"a{n}", "o"), "kind": "account.opened", "borrower_id": f"b{n}",
             "account_id": f"a{n}", "effective_at": at, "payload": payload}
            for n in range(start, min(borrowers, start + _CHUNK))
        ]  # fmt: skip
        with transaction(workspace.engine) as connection:
            chain.append(connection, json.dumps(facts), workspace.journal.clock())
    facts = [read_fact(opened)]
    line = position_of({"account_id": "a", "borrower_id": "b", "lender_id": LENDER}, product, facts, False, today)
    with transaction(workspace.engine) as connection:
        _remember(connection, line, _states(today))
    with workspace.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
        connection.execute(sa.text("CHECKPOINT"))
    print(f"lender of {borrowers:,} borrowers made in {time.perf_counter() - started:.0f} s")


def _remember(connection: sa.Connection, line: Position, states: list[bytes]) -> None:
    """A row for each borrower: one of the states, and their line."""
    marks, until = _marks(), lines_until([line])
    opened = connection.execute(
        sa.text("SELECT seq, borrower_id, account_id FROM journal WHERE kind = 'account.opened' ORDER BY seq")
    ).all()
    columns = "borrower_id, seq, behaviour, grants, marks, lines, lines_until"
    driver = connection.connection.driver_connection
    assert driver is not None
    with driver.cursor() as cursor, cursor.copy(f"COPY borrower ({columns}) FROM STDIN") as copy:
        for seq, borrower_id, account_id in opened:
            lines = pack_lines([replace(line, account_id=account_id, borrower_id=borrower_id)])
            copy.write_row((borrower_id, seq, states[seq % STATES], b"", marks, lines, until))


def _marks() -> bytes:
    """Of a borrower who has bought on `device-1`."""
    return marks_after(b"", Fact(1, "", "account.hold", "", 0, 0, None, {"device_token": "device-1"}))


def _states(today: date) -> list[bytes]:
    """States of EVENTS events of the last 90 days."""
    rng = np.random.default_rng(1)
    borrowers = online(shipped_features(), Entity.BORROWER, {LENDER})
    now = int(datetime.now(UTC).timestamp() * 1e6)
    kinds = ["purchase", "purchase", "purchase", "repayment", "income", "login", "deposit", "cash_advance"]

    def event(n: int, place: int) -> Event:
        at = now - int(rng.integers(0, 90 * 86_400)) * 1_000_000
        return Event(f"e{n}-{place}", str(rng.choice(kinds)), at, at, int(rng.integers(100, 100_000)), {}, LENDER)

    return borrowers.add_many([b""] * STATES, [[event(n, place) for place in range(EVENTS)] for n in range(STATES)])


_SCRIPT = """
local thread_count = 0
function setup(thread) thread:set("id", thread_count); thread_count = thread_count + 1 end
function init(args)
  borrowers, run, pause = tonumber(args[1]), args[2], tonumber(args[3])
  math.randomseed(os.time() + id * 7919); count = 0
  wrk.method = "POST"; wrk.headers["Content-Type"] = "application/json"
  if pause > 0 then function delay() return pause / 1000 end end
end
function request()
  count = count + 1
  local n = math.random(0, borrowers - 1)
  wrk.headers["Idempotency-Key"] = run .. "-" .. id .. "-" .. count
  return wrk.format(nil, "/v1/authorisations", nil,
    '{"borrower_id":"b' .. n .. '","account_id":"a' .. n .. '","amount_minor":' .. math.random(100, 9999) ..
    ',"category":"food","channel":"app","device_token":"device-1"}')
end
done = function(summary, latency, requests)
  io.write(string.format('RESULT {"requests":%d,"seconds":%f,"errors":%d,"p50":%f,"p90":%f,"p99":%f,"max":%f}\\n',
    summary.requests, summary.duration / 1e6, summary.errors.status + summary.errors.connect + summary.errors.read +
    summary.errors.write + summary.errors.timeout, latency:percentile(50) / 1e3, latency:percentile(90) / 1e3,
    latency:percentile(99) / 1e3, latency.max / 1e3))
end
"""


def wrk(port: int, connections: int, seconds: int, borrowers: int, run: str, pause_us: int = 0) -> dict[str, float]:
    """One run of the load generator: requests, seconds, errors, latencies in ms."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(_SCRIPT)
        script.flush()
        threads = min(2, connections)
        command = [
            "wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script.name,
            f"http://127.0.0.1:{port}", "--", str(borrowers), run, str(pause_us),
        ]  # fmt: skip
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (.*)", said)
    assert found, said
    return json.loads(found[1])


def cpu_s(pids: list[int]) -> float:
    """CPU seconds of processes so far."""
    tick = os.sysconf("SC_CLK_TCK")
    total = 0.0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        total += (int(fields[11]) + int(fields[12])) / tick
    return total


@contextmanager
def server(url: str, workers: int, lanes: int) -> Iterator[tuple[int, list[int]]]:
    """The service of evenkeel as children: its port and their process ids."""
    command = [sys.executable, str(_HERE / "decisions_server.py"), url, str(workers), str(lanes)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    port = int(process.stdout.readline())
    wrk(port, 16, 1, 1, f"first{time.time_ns()}")  # by then all workers are there
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    try:
        yield port, [*map(int, children)] or [process.pid]
    finally:
        process.terminate()
        process.wait(30)


def recorded(workspace: Workspace) -> int:
    with transaction(workspace.engine) as connection:
        return int(connection.execute(sa.text("SELECT count(*) FROM decision")).scalar_one())


def measure(workspace: Workspace, url: str, arguments: argparse.Namespace) -> list[dict[str, float]]:
    rows = []
    data = homes.home_of(workspace.path) / "data"
    from evenkeel.storage.embedded import servers_of

    with server(url, arguments.workers, arguments.lanes) as (port, pids):
        wrk(port, 16, arguments.warm, arguments.borrowers, f"warm{time.time_ns()}")
        for connections in arguments.connections:
            before, base = recorded(workspace), (cpu_s(pids), cpu_s(servers_of(data)))
            each = {pid: cpu_s([pid]) for pid in pids}
            found = wrk(port, connections, arguments.seconds, arguments.borrowers, f"r{connections}.{time.time_ns()}")
            python, database = cpu_s(pids) - base[0], cpu_s(servers_of(data)) - base[1]
            kept = recorded(workspace) - before
            answered = found["requests"] - found["errors"]
            found |= {"connections": connections, "rate": answered / found["seconds"], "kept": kept}
            rows.append(found)
            if len(pids) > 1:
                shares = ", ".join(f"{100 * (cpu_s([pid]) - was) / python:.0f} %" for pid, was in each.items())
                print(f"     the service's CPU by process: {shares}")
            print(
                f"{connections:4d} connections: {found['rate']:8,.0f}/s  p50 {found['p50']:.2f} ms  "
                f"p99 {found['p99']:.2f} ms  max {found['max']:.0f} ms  errors {found['errors']}  "
                f"answered {answered:,} recorded {kept:,}  "
                f"CPU us a decision: service {1e6 * python / answered:.0f}, database {1e6 * database / answered:.0f}"
            )
            assert kept >= answered, "something was acknowledged that is not on record"
    return rows


def beside(workspace: Workspace, url: str, arguments: argparse.Namespace, ours: list[dict[str, float]]) -> None:
    """The usual stack in the same run, and how many times as much evenkeel answers."""
    command = [str(arguments.peer_python), str(_HERE / "usual_stack.py"), url, str(arguments.borrowers)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline())
        wrk(port, 16, 3, arguments.borrowers, f"warm{time.time_ns()}")
        for row in ours:
            connections = int(row["connections"])
            found = wrk(port, connections, arguments.seconds, arguments.borrowers, f"u{connections}.{time.time_ns()}")
            rate = (found["requests"] - found["errors"]) / found["seconds"]
            print(
                f"{connections:4d} connections: usual stack {rate:8,.0f}/s  p50 {found['p50']:.2f} ms  "
                f"p99 {found['p99']:.2f} ms  errors {found['errors']}  evenkeel {row['rate'] / rate:.1f} times"
            )
    finally:
        process.terminate()
        process.wait(30)


def soak(url: str, arguments: argparse.Namespace, rate: float, p50_ms: float) -> None:
    """Minutes at 70 % of what was reached at 64 connections: memory and p99, minute by minute."""
    connections = 64
    pause = round(1000 * max(1.0, 1000 * connections / (0.7 * rate) - 0.8 * p50_ms))
    with server(url, arguments.workers, arguments.lanes) as (port, pids):
        wrk(port, connections, 2, arguments.borrowers, f"warm{time.time_ns()}")
        for minute in range(arguments.soak):
            found = wrk(port, connections, 60, arguments.borrowers, f"s{minute}.{time.time_ns()}", pause_us=pause)
            rate_now = found["requests"] / found["seconds"]
            memory = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096 for pid in pids)
            print(
                f"minute {minute + 1}: {rate_now:,.0f}/s ({100 * rate_now / rate:.0f} % of the most)  "
                f"p99 {found['p99']:.2f} ms  errors {found['errors']}  service {memory / 1e6:.0f} MB"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--borrowers", type=int, default=1_000_000)
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--warm", type=int, default=2, help="seconds of load before anything is measured")
    parser.add_argument("--connections", type=lambda text: [int(part) for part in text.split(",")],
                        default=[1, 16, 64, 256])  # fmt: skip
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--lanes", type=int, default=1)
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--peer-python", type=Path, help="an environment with the usual stack")
    parser.add_argument("--soak", type=int, default=0, metavar="MINUTES")
    parser.add_argument("--verify", action="store_true", help="verify the whole chain afterwards")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="evenkeel-decisions-"))
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    place = folder / "workspace"
    fresh = not place.exists()
    print(f"load before: {os.getloadavg()[0]:.2f}")
    if fresh:
        with open_workspace(place, database_url=None, clock=system_clock) as workspace:
            alone = workspace.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            for name, value in _TUNED.items():
                alone.execute(sa.text(f"ALTER SYSTEM SET {name} = '{value}'"))
            alone.close()
    with open_workspace(place, database_url=None, clock=system_clock) as workspace:
        data = homes.home_of(workspace.path) / "data"
        password = (data.parent / "password").read_text()
        url = f"postgresql://evenkeel:{password}@/postgres?host={data}"
        if fresh:
            seed(workspace, arguments.borrowers)
        rows = measure(workspace, url, arguments)
        if arguments.peer_python:
            beside(workspace, url, arguments, rows)
        else:
            print("the usual stack was not asked: give --peer-python")
        if arguments.soak:
            reached = next(row for row in rows if row["connections"] == 64)
            soak(url, arguments, reached["rate"], reached["p50"])
        if arguments.verify:
            proof = chain.verify(workspace.engine)
            print(f"links whose decisions differ from their digest: {coverage(workspace.engine).uncovered or 'none'}")
            print(f"chain: {proof.facts:,} facts under {proof.links:,} links, faults: {dict(proof.faults) or 'none'}")
    if arguments.keep is None:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
