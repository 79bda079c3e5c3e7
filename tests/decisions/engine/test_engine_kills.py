"""Server and database are killed under load: what was acknowledged is on record, once, and no line is overspent."""

import http.client
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_samples import book, lines_kept, opening
from storage_helpers import await_no_server, remove

from evenkeel.kernel.clock import system_clock
from evenkeel.storage import chain, homes
from evenkeel.storage.database import transaction
from evenkeel.storage.embedded import servers_of
from evenkeel.storage.workspace import open_workspace

SERVING = Path(__file__).with_name("serving.py")
ACCOUNTS, LIMIT = 12, 1_000_000
OPENED = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()


@pytest.fixture
def place() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-test-"))
    folder.chmod(0o755)
    yield folder / "workspace"
    left = await_no_server(folder / "workspace")
    remove(folder / "workspace")
    folder.rmdir()
    assert left == [], "a server was left running"


class Served:
    """The service over its own workspace, in a process of its own."""

    def __init__(self, place: Path) -> None:
        command = [sys.executable, str(SERVING), str(place), "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


def ask(connection: http.client.HTTPConnection, key: str, body: bytes) -> bytes | None:
    """The reply, or None where there was none."""
    connection.request("POST", "/v1/authorisations", body, {"Idempotency-Key": key, "Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    return said if answer.status == 200 else None


class Load:
    """Clients that ask without pause and write down what they were told."""

    def __init__(self, port: int, run: str, seed: int, clients: int = 8) -> None:
        self.sent: dict[str, bytes] = {}
        self.told: dict[str, bytes] = {}
        self._stop = False
        self._threads = [
            threading.Thread(target=self._ask, args=(port, f"{run}-{n}", seed + n)) for n in range(clients)
        ]
        for thread in self._threads:
            thread.start()

    def _ask(self, port: int, name: str, seed: int) -> None:
        draw = random.Random(seed)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        number = 0
        while not self._stop:
            number += 1
            key, account = f"{name}-{number}", draw.randrange(ACCOUNTS)
            body = json.dumps(
                {
                    "borrower_id": f"b{account // 2}",
                    "account_id": f"a{account}",
                    "amount_minor": draw.randrange(1, 20_000),
                }
            ).encode()
            self.sent[key] = body
            try:
                reply = ask(connection, key, body)
            except (OSError, http.client.HTTPException):
                return
            if reply is not None:
                self.told[key] = reply

    def await_first(self, limit_s: float = 60.0) -> None:
        deadline = time.monotonic() + limit_s
        while not self.told:
            assert time.monotonic() < deadline, "nobody was answered"
            time.sleep(0.01)

    def stop(self) -> None:
        self._stop = True
        for thread in self._threads:
            thread.join()


def kill_under_load(place: Path, rounds: int, seed: int) -> None:
    draw = random.Random(seed)
    with open_workspace(place, database_url=None, clock=system_clock) as workspace:
        book(workspace, *(opening(f"a{n}", f"b{n // 2}", LIMIT, OPENED) for n in range(ACCOUNTS)))
    sent: dict[str, bytes] = {}
    told: dict[str, bytes] = {}
    for number in range(rounds):
        served = Served(place)
        load = Load(served.port, f"r{number}", draw.randrange(1 << 30))
        load.await_first()
        time.sleep(draw.uniform(0, 0.5))
        if number % 2:  # the database first; the service answers nobody from then on
            for pid in servers_of(homes.home_of(place) / "data"):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        served.kill()
        load.stop()
        sent |= load.sent
        told |= load.told
    served = Served(place)
    connection = http.client.HTTPConnection("127.0.0.1", served.port)
    again = {key: ask(connection, key, body) for key, body in sent.items()}
    served.process.terminate()
    served.process.wait()
    assert {key: again[key] for key in told} == told, "an acknowledged decision was lost or changed"
    assert len(told) >= rounds and None not in again.values()
    audit(place, sent)


def audit(place: Path, sent: dict[str, bytes]) -> None:
    """What is on record: each request once, holds as approved, no line overspent, the chain whole."""
    with open_workspace(place, database_url=None, clock=system_clock) as workspace:
        with transaction(workspace.engine) as connection:
            decided = connection.execute(
                sa.text("SELECT convert_from(request, 'UTF8'), convert_from(reply, 'UTF8') FROM decision")
            )
            keys: Counter[str] = Counter()
            approved: dict[str, int] = defaultdict(int)
            for request, reply in decided:
                one, answer = json.loads(request), json.loads(reply)
                keys[one["key"]] += 1
                approved[one["account_id"]] += answer["amount_minor"]
        assert keys == Counter(sent.keys())
        holds: dict[str, int] = defaultdict(int)
        for entry in workspace.journal.read(kind="account.hold"):
            holds[str(entry.fact.account_id)] += int(str(entry.fact.payload["amount_minor"]))
        assert holds == {account: amount for account, amount in approved.items() if amount}
        for account, line in lines_kept(workspace).items():
            assert line.room_minor is not None
            assert line.held_minor == holds[account] == LIMIT - line.room_minor <= LIMIT
        assert not chain.verify(workspace.engine).faults


def test_nothing_acknowledged_is_lost_doubled_or_spent_twice(place: Path) -> None:
    kill_under_load(place, rounds=3, seed=1)


@pytest.mark.prove
def test_nothing_is_lost_doubled_or_spent_twice_over_a_hundred_kills(place: Path) -> None:
    kill_under_load(place, rounds=100, seed=2)
