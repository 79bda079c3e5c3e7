"""Wrong keys, however many: they cost the service a bounded share of memory and database, and keep nobody else out."""

import asyncio
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
import sqlalchemy as sa
from asking import ask
from running import Running

from evenkeel.api import keys
from evenkeel.api.keys import Doorkeeper, issue, revoke
from evenkeel.api.problems import Refusal
from evenkeel.kernel.clock import system_clock
from evenkeel.kernel.errors import Unavailable
from evenkeel.storage.database import transaction

WRONG = [f"Bearer ek-{n:016x}-{'A' * 43}".encode() for n in range(60)]


class Hours:
    """A clock that is set by hand."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def doors(service: Running) -> Iterator[Callable[..., object]]:
    """Runs something with a doorkeeper of the service's database; gives its clock too."""
    made: list[Doorkeeper] = []

    def run(act: Callable[[Doorkeeper, Hours], Awaitable[object]]) -> object:
        hours = Hours()
        made.append(Doorkeeper(service.workspace.engine, hours))
        return asyncio.run(act(made[-1], hours))  # type: ignore[arg-type]

    yield run
    for one in made:
        one.close()


def counted(doorkeeper: Doorkeeper, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The looks into the database from here on."""
    looks: list[str] = []
    before = doorkeeper._look_up

    def look_up(key_id: str, hashed: bytes) -> object:
        looks.append(key_id)
        return before(key_id, hashed)

    monkeypatch.setattr(doorkeeper, "_look_up", look_up)
    return looks


def test_a_key_is_looked_up_once_for_all_who_come_with_it(service, doors, monkeypatch) -> None:
    header = f"Bearer {service.key}".encode()

    async def act(doorkeeper: Doorkeeper, hours: Hours) -> None:
        looks = counted(doorkeeper, monkeypatch)
        found = await asyncio.gather(*(doorkeeper.caller(header) for _ in range(50)))
        assert {one.lender_id for one in found} == {"lender-1"} and len(looks) == 1
        assert doorkeeper.known(header) == found[0]
        hours.now_s = 6.0
        assert doorkeeper.known(header) is None and doorkeeper.known(header, 15.0) == found[0]
        assert await doorkeeper.caller(header) == found[0] and len(looks) == 2

    doors(act)


def test_a_wrong_key_is_remembered_for_a_moment_and_then_looked_up_again(doors, monkeypatch) -> None:
    async def act(doorkeeper: Doorkeeper, hours: Hours) -> None:
        looks = counted(doorkeeper, monkeypatch)
        for _ in range(3):
            assert await doorkeeper.caller(WRONG[0]) is None
        assert len(looks) == 1
        hours.now_s = 1.5
        assert await doorkeeper.caller(WRONG[0]) is None and len(looks) == 2
        for shape in (b"Bearer ek-1", b"Basic " + WRONG[1], b"Bearer " + b" " * 500 + WRONG[1][7:], b"", b"\xff"):
            assert await doorkeeper.caller(shape) is None
        assert len(looks) == 2  # what has no form of a key needs no look

    doors(act)


def test_what_is_remembered_is_bounded(doors, monkeypatch) -> None:
    monkeypatch.setattr(keys, "_MOST_WRONG", 10)

    async def act(doorkeeper: Doorkeeper, hours: Hours) -> None:
        for header in WRONG:
            assert await doorkeeper.caller(header) is None
            assert len(doorkeeper._wrong) <= 10
        assert not doorkeeper._looking and doorkeeper._strangers == 0

    doors(act)


def test_a_revoked_key_is_wrong_after_its_moment(service, doors) -> None:
    key = issue(service.workspace.engine, system_clock, "lender-1", ["read"])
    header = f"Bearer {key}".encode()

    async def act(doorkeeper: Doorkeeper, hours: Hours) -> None:
        assert await doorkeeper.caller(header)
        revoke(service.workspace.engine, system_clock, key.split("-")[1])
        hours.now_s = 6.0
        assert await doorkeeper.caller(header) is None and doorkeeper.known(header, 100.0) is None

    doors(act)


def test_strangers_do_not_keep_out_who_was_known(service, doors, monkeypatch) -> None:
    header, gate = f"Bearer {service.key}".encode(), threading.Event()

    async def act(doorkeeper: Doorkeeper, hours: Hours) -> None:
        assert await doorkeeper.caller(header)
        before = doorkeeper._look_up

        def slow(key_id: str, hashed: bytes) -> object:
            gate.wait(10)
            return before(key_id, hashed)

        monkeypatch.setattr(doorkeeper, "_look_up", slow)
        hours.now_s = 6.0
        asked = [asyncio.create_task(doorkeeper.caller(one)) for one in WRONG]
        await asyncio.sleep(0.1)
        told = [one.exception() for one in asked if one.done()]
        assert len(told) == len(WRONG) - 8 and all(isinstance(one, Refusal) for one in told)
        again = asyncio.create_task(doorkeeper.caller(header))
        await asyncio.sleep(0)
        gate.set()
        assert (await again).lender_id == "lender-1"
        await asyncio.gather(*asked, return_exceptions=True)

    doors(act)


def test_a_database_that_does_not_answer_is_told_in_time(doors, monkeypatch) -> None:
    gate = threading.Event()
    monkeypatch.setattr(keys, "_WAIT_S", 0.2)

    async def act(doorkeeper: Doorkeeper, hours: Hours) -> None:
        monkeypatch.setattr(doorkeeper, "_look_up", lambda key_id, hashed: gate.wait(20) and None)
        with pytest.raises(Unavailable):
            await doorkeeper.caller(WRONG[0])
        gate.set()

    doors(act)


def test_a_statement_on_the_connections_of_keys_ends_in_time(service, doors) -> None:
    from sqlalchemy.exc import DBAPIError

    async def act(doorkeeper: Doorkeeper, hours: Hours) -> None:
        with pytest.raises(DBAPIError, match="timeout"), doorkeeper._engine.connect() as connection:
            connection.execute(sa.text("SET statement_timeout = 50"))
            connection.execute(sa.text("SELECT pg_sleep(5)"))
        with doorkeeper._engine.connect() as connection:
            assert connection.execute(sa.text("SHOW statement_timeout")).scalar() == "2s"

    doors(act)


def children(parent: int) -> list[Path]:
    """The folders in /proc of a process's children."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with suppress(OSError):  # it has ended meanwhile
            if f"PPid:\t{parent}\n" in status.read_text():
                found.append(status.parent)
    return found


def test_a_flood_of_wrong_keys_leaves_the_service_as_it_was(start) -> None:
    """The service's connections stay as many, its memory as large, and who has a key is answered."""
    with start() as service:

        def memory(worker: Path) -> int:
            """What the process that serves has in memory, in kB."""
            lines = (worker / "status").read_text().splitlines()
            return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

        def of_keys() -> int:
            query = sa.text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'evenkeel keys' "
                            "AND datname = current_database()")  # fmt: skip
            with transaction(service.workspace.engine) as connection:
                return int(connection.execute(query).scalar_one())

        def wrong(_: int) -> int:
            key = f"ek-{secrets.token_hex(8)}-{secrets.token_urlsafe(32)}"
            return ask(service.port, "GET", "/v1/limits/a1", key)[0]

        found, ending = [], threading.Event()

        def right() -> None:
            while not ending.is_set():
                found.append(ask(service.port, "GET", "/v1/limits/a1", service.key)[0])
                time.sleep(0.05)

        with ThreadPoolExecutor(24) as pool:
            list(pool.map(wrong, range(200)))
            worker = min(children(service.process.pid), key=lambda one: int(one.name))  # the follower started later
            before = memory(worker)
            honest = threading.Thread(target=right)
            honest.start()
            statuses = list(pool.map(wrong, range(3000)))
            ending.set()
            honest.join()
        assert set(statuses) <= {401, 429} and statuses.count(401) > 100
        assert len(found) > 3 and set(found) == {200}
        assert 1 <= of_keys() <= 2
        assert memory(worker) - before < 30_000
