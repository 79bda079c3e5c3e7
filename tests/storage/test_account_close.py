"""The close of a day: every account as the fold of its facts says, once, whatever happens in between."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from account_samples import START, lender

from evenkeel.accounts.close import day as closing
from evenkeel.accounts.close.day import CLOSED, close_day
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.service import post, state_of
from evenkeel.kernel.errors import Conflict, Unavailable
from evenkeel.storage.workspace import Workspace, open_workspace

CHILD = Path(__file__).with_name("close_child.py")
DAYS = 42


class Lender:
    """A workspace whose clock the test moves."""

    def __init__(self, place: Path, url: str) -> None:
        self.place, self.url = place, url
        self.now = datetime(2024, 5, 1, 12, tzinfo=UTC)

    def open(self) -> Workspace:
        self._context = open_workspace(self.place, database_url=self.url, clock=lambda: self.now)
        return self._context.__enter__()

    def shut(self) -> None:
        self._context.__exit__(None, None, None)


@pytest.fixture
def lending(tmp_path: Path, given_url: str) -> Iterator[tuple[Lender, Workspace]]:
    keeper = Lender(tmp_path / "lender", given_url)
    yield keeper, keeper.open()
    keeper.shut()


def live(keeper: Lender, opened: Workspace, accounts: int, days: int, close_every: int = 1) -> None:
    """Book a lender's facts on the days on which they become known, closing days in between."""
    for place, (day, records) in enumerate(lender(accounts, days).items(), 1):
        keeper.now = datetime.combine(day, datetime.min.time(), UTC) + timedelta(hours=12)
        if records:
            post(opened, records, shipped)
        if place % close_every == 0:
            close_day(opened, day)


def table(opened: Workspace, day: date, name: str) -> pa.Table:
    """A table of a closed day, its parts together."""
    files = sorted((opened.lake.root / "days" / day.isoformat() / name).glob("*.parquet"))
    return pa.concat_tables([pq.read_table(file) for file in files])


def assert_closed_as_folded(opened: Workspace, day: date, known_at: datetime | None = None) -> None:
    rows = table(opened, day, "day").to_pylist()
    for row in rows:
        _, state = state_of(opened, row["account_id"], day, booked_until=known_at)
        told = {name: str(value) if name in ("stage", "grade") else value for name, value in row.items()}
        folded = {name: getattr(state, name) for name in row if name != "account_id"}
        assert told == {"account_id": row["account_id"], **folded, "stage": str(state.stage)}
    assert len(rows) == len({row["account_id"] for row in rows})


@pytest.mark.parametrize("close_every", [1, 7])
def test_a_closed_day_is_what_the_facts_of_each_account_say(
    lending: tuple[Lender, Workspace], close_every: int
) -> None:
    keeper, opened = lending
    live(keeper, opened, 60, DAYS, close_every)
    last = START + timedelta(days=DAYS // close_every * close_every - 1)
    assert_closed_as_folded(opened, last, datetime.combine(last, datetime.min.time(), UTC) + timedelta(hours=12))
    if close_every == 1:
        # What was posted day by day, and corrected, is what the facts known in the end give.
        totals: dict[tuple[str, str], int] = {}
        for entry in opened.journal.read(kind=CLOSED):
            day = date.fromisoformat(str(entry.fact.payload["day"]))
            for posting in _rows(opened, day, "postings"):
                for side, sign in (("debit", 1), ("credit", -1)):
                    key = posting["account_id"], posting[side]
                    totals[key] = totals.get(key, 0) + sign * posting["amount_minor"]
            for correction in _rows(opened, day, "corrections"):
                key = correction["account_id"], correction["ledger_account"]
                totals[key] = totals.get(key, 0) + correction["amount_minor"]
        for account in sorted({name for name, _ in totals}):
            _, state = state_of(opened, account, last)
            expected: dict[str, int] = {}
            for posting in state.postings:
                expected[posting.debit] = expected.get(posting.debit, 0) + posting.amount_minor
                expected[posting.credit] = expected.get(posting.credit, 0) - posting.amount_minor
            booked = {name: amount for (owner, name), amount in totals.items() if owner == account and amount}
            assert booked == {name: amount for name, amount in expected.items() if amount}, account


def _rows(opened: Workspace, day: date, name: str) -> list[dict[str, object]]:
    folder = opened.lake.root / "days" / day.isoformat() / name
    return table(opened, day, name).to_pylist() if folder.is_dir() else []


def test_a_day_is_closed_once_and_days_in_order(lending: tuple[Lender, Workspace]) -> None:
    keeper, opened = lending
    live(keeper, opened, 10, 5)
    last = START + timedelta(days=4)
    again = close_day(opened, last)
    assert again["first"] is False
    with pytest.raises(Conflict, match=r"2024-05-05 is closed; 2024-05-03 came before it"):
        close_day(opened, START + timedelta(days=2))
    assert sum(1 for _ in opened.journal.read(kind=CLOSED)) == 5


def test_a_late_payment_corrects_ledger_and_bill_of_closed_days(lending: tuple[Lender, Workspace]) -> None:
    keeper, opened = lending
    opening = {
        "account_id": "a", "borrower_id": "b", "fact_id": "o", "kind": "opened", "effective_on": "2024-05-01",
        "product": "pay_later", "limit_minor": 500_000,
    }  # fmt: skip
    post(opened, [opening, fact("p", "purchase", "2024-05-02", 100_000)], shipped)
    for place in range(60):
        day = START + timedelta(days=place)
        keeper.now = datetime.combine(day, datetime.min.time(), UTC)
        if place == 50:
            posted = post(opened, [fact("late", "payment", "2024-06-03", 40_000)], shipped)
            assert posted.corrections[0].ledger["cash"] == 40_000
        close_day(opened, day)
    day = START + timedelta(days=50)
    corrections = {row["ledger_account"]: row["amount_minor"] for row in _rows(opened, day, "corrections")}
    assert corrections["cash"] == 40_000 and sum(corrections.values()) == 0
    assert_closed_as_folded(opened, START + timedelta(days=59))


def fact(name: str, kind: str, on: str, amount: int, account: str = "a") -> dict[str, object]:
    return {"account_id": account, "fact_id": name, "kind": kind, "effective_on": on, "amount_minor": amount}


def test_a_part_that_was_changed_on_disk_stops_the_next_close(lending: tuple[Lender, Workspace]) -> None:
    keeper, opened = lending
    live(keeper, opened, 10, 3)
    part = next((opened.lake.root / "days" / "2024-05-03" / "state").glob("*.arrow"))
    raw = bytearray(part.read_bytes())
    raw[len(raw) // 2] ^= 1
    part.write_bytes(raw)
    with pytest.raises(Unavailable, match="is not what was recorded"):
        close_day(opened, date(2024, 5, 4))


def test_amounts_beyond_the_compiled_range_are_closed_by_the_same_rules(lending: tuple[Lender, Workspace]) -> None:
    _, opened = lending
    opening = {
        "account_id": "a", "borrower_id": "b", "fact_id": "o", "kind": "opened", "effective_on": "2024-05-01",
        "product": "card", "limit_minor": 10**12,
    }  # fmt: skip
    post(opened, [opening, fact("p", "purchase", "2024-05-02", 9 * 10**11)], shipped)
    for place in range(70):
        close_day(opened, START + timedelta(days=place))
    assert_closed_as_folded(opened, START + timedelta(days=69))


class Killed:
    """A lender of 150 accounts whose days are closed in processes that are killed on the way."""

    def __init__(self, tmp_path: Path, url: str) -> None:
        self.keeper, self.day = Lender(tmp_path / "lender", url), START + timedelta(days=19)
        opened = self.keeper.open()
        whole, closing.ROWS = closing.ROWS, 40  # several parts, as the child has
        try:
            live(self.keeper, opened, 150, 20)
        finally:
            closing.ROWS = whole
        self.keeper.shut()

    def close(self, step: int) -> int:
        """Close the day in a process that is killed at a step (-1: is not); returns how it ended."""
        command = [
            sys.executable, str(CHILD), str(self.keeper.place), self.keeper.url, self.day.isoformat(), str(step)
        ]  # fmt: skip
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode in (0, -9), ended.stderr
        return ended.returncode

    def next_day(self, *steps: int) -> None:
        """Close the next day: killed at each of the steps in turn, then in peace. Nothing is missing or there twice."""
        self.day += timedelta(days=1)
        for step in steps:
            self.close(step)
        assert self.close(-1) == 0
        opened = self.keeper.open()
        closed = [dict(entry.fact.payload) for entry in opened.journal.read(kind=CLOSED)]
        assert [payload["day"] for payload in closed].count(self.day.isoformat()) == 1
        assert_closed_as_folded(opened, self.day)
        parts: Any = closed[-1]["parts"]
        folder = opened.lake.root / "days" / self.day.isoformat()
        found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*") if path.suffix != ".json"}
        assert found == {path for part in parts for path in part["files"]} | {"later.parquet"}
        receipts = [json.loads(path.read_text()) for path in (folder / "parts").glob("*.json")]
        by_name = sorted(receipts, key=lambda part: part["name"])
        assert by_name == sorted(parts, key=lambda part: part["name"])
        assert not list((opened.lake.root / "closing").glob("*"))
        self.keeper.shut()


def test_a_close_that_is_killed_is_finished_by_the_next(tmp_path: Path, given_url: str) -> None:
    Killed(tmp_path, given_url).next_day(2, 9)


@pytest.mark.prove
def test_a_close_killed_at_any_step_is_finished_and_nothing_is_there_twice(tmp_path: Path, given_url: str) -> None:
    lender = Killed(tmp_path, given_url)
    for step in range(30):
        lender.next_day(step, max(0, 29 - step))
