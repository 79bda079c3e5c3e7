"""The close of a day: every account of a lender brought to the close of that day, once, however often it is killed.

A close reads the facts booked since the last one, applies them to the accounts they touch, closes all accounts, and
leaves a folder in the lake and one fact in the journal. A late fact, or a reversal, folds its account again from the
beginning; what that changes in days that were closed is posted as a correction, and changed bills as correction bills.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy.engine import Connection

from evenkeel.accounts.close.lines import close_line_part
from evenkeel.accounts.close.loans import close_loan_part
from evenkeel.accounts.close.part import Job, Task, Window
from evenkeel.accounts.facts import AccountFact, FactKind, fact_record, read_fact
from evenkeel.accounts.line.compiled import make_ready
from evenkeel.accounts.store import at_midnight, booked_facts, recorded_product
from evenkeel.kernel.errors import Conflict
from evenkeel.kernel.ids import content_id
from evenkeel.storage.closings import Closings, closing, read_part, write_part
from evenkeel.storage.files import write_new
from evenkeel.storage.journal import Fact, Journal, Payload
from evenkeel.storage.workspace import Workspace

CLOSED = "day_closed"
ROWS = 65_536  # accounts in a part

Progress = Callable[[str, float], None]


def close_day(
    workspace: Workspace, day: date, progress: Progress = lambda what, share: None, threads: int = 2
) -> Payload:
    """Close `day` for every account on record; returns the fact that was booked, with `first` false where it had been.

    Raises Conflict if a later day is closed, Unavailable if disk or database fail; then nothing has changed.
    """
    journal = workspace.journal
    with closing(workspace) as closings:
        last = _last(journal)
        if last is not None and day.isoformat() <= str(last["day"]):
            if last["day"] == day.isoformat():
                return {**last, "first": False}
            raise Conflict(f"{last['day']} is closed; {day} came before it.", "Days are closed in order.")
        plan = closings.plan(day, lambda: _window(journal, last))
        window = Window(int(str(plan["since_seq"])), int(str(plan["until_seq"])))
        touched, later = _facts(closings, journal, window, last, day)
        progress("facts", 0.05)
        make_ready()
        progress("compiling", 0.06)
        jobs = _jobs(journal, last, touched)
        last_day = date.min if last is None else date.fromisoformat(str(last["day"]))
        task = Task(closings, journal, window, day, last_day, touched)
        parts: list[dict[str, object]] = []
        with ThreadPoolExecutor(threads) as pool:
            for done in pool.map(lambda job: _part(task, job), jobs):
                parts.append(done)
                progress("accounts", 0.06 + 0.92 * len(parts) / len(jobs))
        pending = write_part(_later_table(later), closings.draft(day) / "later.parquet")
        closings.place(day)
        payload = {**plan, "day": day.isoformat(), "parts": parts, "later": pending, "totals": _totals(parts)}

        def book(connection: Connection) -> Payload:
            journal.append_in(
                connection, [Fact(content_id("close", day.isoformat()), CLOSED, at_midnight(day), payload)]
            )
            return payload

        reply = journal.once(f"close:{day}", {"day": day.isoformat()}, book)
        return {**reply.value, "first": reply.first}


def _last(journal: Journal) -> Payload | None:
    found = None
    for entry in journal.read(kind=CLOSED):
        found = entry.fact.payload
    return found


def _window(journal: Journal, last: Payload | None) -> dict[str, object]:
    return {"since_seq": 0 if last is None else last["until_seq"], "until_seq": journal.settled()}


def _facts(
    closings: Closings, journal: Journal, window: Window, last: Payload | None, day: date
) -> tuple[dict[str, list[AccountFact]], list[dict[str, object]]]:
    """The facts to apply by account, in the order of booking, and those whose day is still to come."""
    found: list[tuple[str, AccountFact]] = []
    if last is not None:
        path = closings.folder(date.fromisoformat(str(last["day"]))) / "later.parquet"
        recorded = last["later"]
        assert isinstance(recorded, Mapping)  # noqa: S101
        for row in read_part(path, str(recorded["sha256"])).to_pylist():
            found.append((row["account_id"], read_fact(json.loads(row["record"]))))
    for booked in booked_facts(journal, after_seq=window.since_seq, up_to_seq=window.until_seq):
        found.append((booked.account_id, booked.fact))
    touched: dict[str, list[AccountFact]] = defaultdict(list)
    later: list[dict[str, object]] = []
    for account_id, fact in found:
        if fact.effective_on > day:
            later.append({"account_id": account_id, "record": json.dumps(fact_record(fact), sort_keys=True)})
        else:
            touched[account_id].append(fact)
    return touched, later


def _later_table(later: Sequence[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(list(later), schema=pa.schema([("account_id", pa.string()), ("record", pa.string())]))


def _jobs(journal: Journal, last: Payload | None, touched: Mapping[str, Sequence[AccountFact]]) -> list[Job]:
    """The parts of the last close, and the new accounts: in the last part of their product while it has room."""
    new: dict[str, dict[str, Sequence[AccountFact]]] = defaultdict(dict)
    for account_id in sorted(touched):
        facts = touched[account_id]
        opening = next((fact for fact in facts if fact.kind is FactKind.OPENED), None)
        if opening is not None:
            new[str(opening.details["product_digest"])][account_id] = facts
    jobs: list[Job] = []
    parts = [] if last is None else list(last["parts"])  # type: ignore[call-overload]
    count: dict[str, int] = defaultdict(int)
    for part in parts:
        product, room = str(part["product"]), ROWS - int(part["rows"])
        waiting = new.get(product, {})
        taken = dict(list(waiting.items())[: max(0, room)]) if room else {}
        new[product] = {name: facts for name, facts in waiting.items() if name not in taken}
        count[product] += 1
        state = f"state/{part['name']}.arrow"
        jobs.append(Job(str(part["name"]), product, (state, str(part["files"][state]["sha256"])), taken))
    for product in sorted(new):
        names = list(new[product])
        for start in range(0, len(names), ROWS):
            count[product] += 1
            taken = {name: new[product][name] for name in names[start : start + ROWS]}
            jobs.append(Job(f"{product[:12]}-{count[product]:04d}", product, None, taken))
    return jobs


def _part(task: Task, job: Job) -> dict[str, object]:
    """Close one part and write it; a part that a killed close had finished is taken as it is."""
    draft = task.closings.draft(task.day)
    receipt = draft / "parts" / f"{job.name}.json"
    if receipt.is_file():
        finished: dict[str, object] = json.loads(receipt.read_text(encoding="utf-8"))
        return finished
    product = recorded_product(task.journal, job.product)
    part = (close_loan_part if product.line is None else close_line_part)(task, job, product)
    told = {"day": part.day, "bills": part.bills, "postings": part.postings, **part.changes.tables()}
    tables = {f"state/{job.name}.arrow": part.state}
    tables |= {f"{name}/{job.name}.parquet": table for name, table in told.items()}
    files = {path: write_part(table, draft / path) for path, table in tables.items() if table.num_rows}
    result = {
        "name": job.name, "product": job.product, "rows": part.state.num_rows, "files": files,
        "totals": {product.currency: _sums(part.day)},
    }  # fmt: skip
    write_receipt(receipt, result)
    return result


def write_receipt(path: Path, result: Mapping[str, object]) -> None:
    """Keep what a finished part came to, whole or not at all."""
    path.parent.mkdir(exist_ok=True)
    write_new(path, json.dumps(result, sort_keys=True), 0o644)


def _sums(day: pa.Table) -> dict[str, int]:
    summed = {name: pc.sum(day[name]).as_py() or 0 for name in ("balance_minor", "past_due_minor", "claim_minor")}
    late = pc.sum(pc.greater(day["days_past_due"], 0)).as_py() or 0
    return {"accounts": day.num_rows, "late_accounts": late, **summed}


def _totals(parts: Sequence[Mapping[str, object]]) -> dict[str, dict[str, int]]:
    """Sums over all parts, by currency."""
    total: dict[str, Counter[str]] = defaultdict(Counter)
    for part in parts:
        for currency, sums in part["totals"].items():  # type: ignore[attr-defined]
            total[currency].update(sums)
    return {currency: dict(sums) for currency, sums in sorted(total.items())}
