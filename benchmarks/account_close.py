"""The close of one day for a lender with many open lines, for `accounts.py`: how it is set up, and what is timed.

The accounts are copies of some that were folded from histories: nine in ten are card lines of two years with purchases,
cash, payments in full, in part and not at all, and instalment plans; one in ten is a loan of twelve months. They are
written as a closed day; then facts of the next day are booked for one
account in thirty, and that day is closed twice over: as an ordinary day, and as one on which every bill is cut.
"""

import random
import resource
import shutil
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa

from evenkeel.accounts.close import day as closing
from evenkeel.accounts.close.loans import close_loan_part
from evenkeel.accounts.close.part import Job, Task, Window
from evenkeel.accounts.close.rows import from_lines, to_table
from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.line.account import Line
from evenkeel.accounts.line.fold import line_before_close
from evenkeel.accounts.line.rules import LineRules, line_rules
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.store import at_midnight, journal_facts, record_product
from evenkeel.kernel.ids import content_id
from evenkeel.storage.closings import Closings, write_part
from evenkeel.storage.journal import Fact
from evenkeel.storage.workspace import Workspace, open_workspace

TEMPLATES = 600
ACTIVE = 30  # one account in so many has a fact on the day
LOANS = 10  # one account in so many is a loan; the others are lines


def history(draw: random.Random, opened: date, until: date) -> list[AccountFact]:
    """Two years of one line."""
    facts = [AccountFact("o", FactKind.OPENED, opened, 0, {"limit_minor": draw.choice([500_000, 2_000_000])})]
    habit = draw.choice(["full", "full", "part", "part", "never"])
    for month in range(24):
        on = opened + timedelta(days=1 + 30 * month + draw.randrange(12))
        amount = draw.randrange(5_000, 120_000)
        facts.append(AccountFact(f"p{month}", FactKind.PURCHASE, on, amount))
        if draw.random() < 0.1:
            facts.append(AccountFact(f"c{month}", FactKind.CASH_ADVANCE, on, draw.randrange(10_000, 50_000)))
        if draw.random() < 0.1:
            plan = {"instalments": draw.choice([3, 6, 12])}
            facts.append(AccountFact(f"i{month}", FactKind.INSTALMENT_PLAN, on, amount, plan))
        if habit != "never" or month < 20:
            paid = amount if habit == "full" else amount // 3
            facts.append(AccountFact(f"y{month}", FactKind.PAYMENT, on + timedelta(days=25), paid))
    return [fact for fact in facts if fact.effective_on <= until]


def templates(rules: LineRules, day: date) -> list[Line]:
    """Lines at the close of `day`."""
    draw = random.Random(11)
    lines = []
    for _ in range(TEMPLATES):
        line = line_before_close(rules, history(draw, day - timedelta(days=740), day), day)
        line.close(day)
        line.postings, line.bills = [], []
        lines.append(line)
    return lines


def loans(opened: Workspace, product: Product, day: date) -> pa.Table:
    """The state table of loans of twelve months at the close of `day`, due on every day of the month."""
    draw = random.Random(12)
    new = {}
    for number in range(TEMPLATES):
        on = day - timedelta(days=draw.randrange(5, 330))
        facts = [
            AccountFact("o", FactKind.OPENED, on, 0, {"product": product.product_id, "instalments": 12}),
            AccountFact("d", FactKind.DISBURSEMENT, on, draw.randrange(200_000, 3_000_000)),
        ]
        paid = account_state(product, facts, on).dues[0].due_minor
        for month in range(1, (day - on).days // 30 + 1):
            if draw.random() < 0.93:
                facts.append(AccountFact(f"y{month}", FactKind.PAYMENT, on + timedelta(days=30 * month), paid))
        new[f"T{number:04d}"] = [fact for fact in facts if fact.effective_on <= day]
    task = Task(Closings(opened.lake.root), opened.journal, Window(0, 0), day, date.min, {})
    return close_loan_part(task, Job("", product.digest, None, new), product).state


def write_closed_day(opened: Workspace, shares: Sequence[tuple[Product, int]], day: date) -> None:
    """A closed day with so many accounts of each product, on record as if it had been closed."""
    closings = Closings(opened.lake.root)
    plan = closings.plan(day, lambda: {"since_seq": 0, "until_seq": opened.journal.settled()})
    draw = np.random.default_rng(7)
    parts, first = [], 0
    for product, rows in shares:
        record_product(opened.journal, product, day)
        if product.line is None:
            small = loans(opened, product, day)
        else:
            small = to_table(from_lines([""] * TEMPLATES, templates(line_rules(product), day)))
        for number, start in enumerate(range(0, rows, closing.ROWS), 1):
            count = min(closing.ROWS, rows - start)
            table = small.take(pa.array(draw.integers(0, TEMPLATES, count)))
            ids = pa.array([f"A{place:08d}" for place in range(first, first + count)])
            first += count
            name = f"{product.digest[:12]}-{number:04d}"
            path = f"state/{name}.arrow"
            file = write_part(table.set_column(0, "account_id", ids), closings.draft(day) / path)
            parts.append({"name": name, "product": product.digest, "rows": count, "files": {path: file}, "totals": {}})
    later = write_part(
        pa.table({"account_id": pa.array([], pa.string()), "record": pa.array([], pa.string())}),
        closings.draft(day) / "later.parquet",
    )
    closings.place(day)
    payload = {**plan, "day": day.isoformat(), "parts": parts, "later": later, "totals": {}}
    fact = Fact(content_id("close", day.isoformat()), closing.CLOSED, at_midnight(day), payload)
    opened.journal.append([fact])


def book_day(opened: Workspace, rows: int, day: date) -> int:
    """Facts of one day for one account in ACTIVE; returns how many."""
    draw = random.Random(day.toordinal())
    facts = []
    for place in range(0, rows, ACTIVE):
        kind = draw.choice([FactKind.PURCHASE, FactKind.PURCHASE, FactKind.PAYMENT])
        if place >= rows - rows // LOANS:
            kind = FactKind.PAYMENT
        fact = AccountFact(f"d{day.toordinal()}", kind, day, draw.randrange(1_000, 60_000))
        facts += journal_facts(f"A{place:08d}", "b", [fact])
    for start in range(0, len(facts), 10_000):
        opened.journal.append(facts[start : start + 10_000])
    return len(facts)


def close_of_day(rows: int) -> dict:
    """Figures of an ordinary day and of a bill day, each a whole close from the journal to the journal."""
    card, loan = shipped("card"), shipped("cash_loan")
    assert card.line is not None
    cut = card.line.cycle.statement_day
    first = date(2024, 6, cut) - timedelta(days=2)
    folder = Path(tempfile.mkdtemp(prefix="evenkeel-close-"))
    folder.chmod(0o755)
    now = [datetime(2024, 7, 1, tzinfo=UTC)]
    try:
        with open_workspace(folder / "record", database_url=None, clock=lambda: now[0]) as opened:
            write_closed_day(opened, [(card, rows - rows // LOANS), (loan, rows // LOANS)], first)
            figures: dict[str, object] = {}
            for name, day in (("ordinary", first + timedelta(days=1)), ("bills", first + timedelta(days=2))):
                facts = book_day(opened, rows, day)
                peak = Peak()
                stages: dict[str, float] = {}
                started = last = time.perf_counter()
                cpu = time.process_time()

                def tell(what: str, share: float, stages: dict[str, float] = stages) -> None:
                    nonlocal last
                    now_s = time.perf_counter()
                    stages[what] = stages.get(what, 0.0) + now_s - last
                    last = now_s

                closed = closing.close_day(opened, day, tell)
                tell("booking", 1.0)
                figures[name] = {
                    "wall_s": time.perf_counter() - started, "cpu_s": time.process_time() - cpu, "stages": stages,
                    "facts": facts,
                    "accounts": sum(sums["accounts"] for sums in closed["totals"].values()), "peak_mb": peak.stop(),
                    "disk_mb": size_mb(opened.lake.root / "days" / day.isoformat()),
                }  # fmt: skip
            return figures
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Peak:
    """The highest resident memory of this process from now on, looked at twenty times a second."""

    def __init__(self) -> None:
        self._over = threading.Event()
        self._highest = 0
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        page = resource.getpagesize()
        while not self._over.wait(0.05):
            pages = int(Path("/proc/self/statm").read_text().split()[1])
            self._highest = max(self._highest, pages * page)

    def stop(self) -> float:
        """Megabytes."""
        self._over.set()
        self._thread.join()
        return self._highest / 2**20


def size_mb(folder: Path) -> float:
    """Megabytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20
