"""The close of a day for a part whose accounts are lines: facts one by one, time for all at once."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from evenkeel.accounts.close.part import Changes, Job, Part, Task
from evenkeel.accounts.close.rows import STATE, LineRows, from_lines, from_table, joined, to_table
from evenkeel.accounts.close.tables import bill_table, day_table, posting_table
from evenkeel.accounts.facts import FactKind
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import Line
from evenkeel.accounts.line.compiled import BILL_WIDTH, EVENT_WIDTH, LARGEST_BALANCE, close_lines
from evenkeel.accounts.line.fold import by_day, line_before_close
from evenkeel.accounts.line.rules import LineRules, calendar_of, line_rules
from evenkeel.accounts.products.model import Cycle, Product

IntArray = npt.NDArray[np.int64]


def close_line_part(task: Task, job: Job, product: Product) -> Part:
    """The part at the close of the task's day."""
    rules, changes = line_rules(product), Changes()
    rows = from_table(task.stood(job, STATE))
    rows.put(_changed(task, rows, rules, changes))
    if job.new:
        lines = {name: line_before_close(rules, facts, task.day) for name, facts in job.new.items()}
        for name, line in lines.items():
            _take(changes, name, line)
        rows = joined(rows, from_lines(list(lines), list(lines.values())))
    events, bills = _close(rows, rules, task, changes)
    return Part(
        to_table(rows), day_table(rows, rules, task.day), bill_table(rows, bills, changes.bills),
        posting_table(rows, events, changes.postings), changes,
    )  # fmt: skip


def _take(changes: Changes, name: str, line: Line) -> None:
    """Keep what a line has posted since it was loaded, and forget it there."""
    changes.take(name, line.postings, line.bills)
    line.postings, line.bills = [], []


def _changed(task: Task, rows: LineRows, rules: LineRules, changes: Changes) -> dict[int, Line]:
    """The lines that facts touch, with these applied."""
    changed: dict[int, Line] = {}
    for place, name in task.touched_rows(rows.account_ids):
        facts = sorted(task.touched[name], key=by_day)
        line = rows.line(place, rules)
        late = facts[0].effective_on.toordinal() <= line.v[k.CLOSED_ON]
        if late or any(fact.kind is FactKind.REVERSAL for fact in facts):
            line = _folded_again(task, name, rules, changes)
        else:
            for fact in facts:
                line.apply(fact)
            _take(changes, name, line)
        changed[place] = line
    return changed


def _folded_again(task: Task, name: str, rules: LineRules, changes: Changes) -> Line:
    """An account from all its facts; what that changes in closed days is kept as corrections."""
    known, known_before = task.booked(name)
    before = line_before_close(rules, known_before, task.last_day)
    before.close(task.last_day)
    after = line_before_close(rules, known, task.day)
    if after.v[k.CLOSED_ON] < task.last_day.toordinal():
        after.close(task.last_day)
    changes.correct(name, (before.postings, before.bills), (after.postings, after.bills), task.last_day)
    after.postings, after.bills = [], []
    return after


@lru_cache(maxsize=64)
def _calendars(cycle: Cycle, codes: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    found = [calendar_of(cycle, code) for code in codes]
    return np.array([cuts for cuts, _ in found], np.int64), np.array([dues for _, dues in found], np.int64)


def _close(rows: LineRows, rules: LineRules, task: Task, changes: Changes) -> tuple[IntArray, IntArray]:
    """Close all rows; those with amounts beyond the compiled code's range one by one, by the same kernel."""
    lines, day = rows.lines, task.day
    rows.expire(day)
    if len(lines) == 0:
        return np.empty((0, EVENT_WIDTH), np.int64), np.empty((0, BILL_WIDTH), np.int64)
    amounts = np.maximum(np.abs(lines.cells).max(axis=1), lines.v[:, k.LIMIT])
    changed = {}
    for place in np.flatnonzero(amounts > LARGEST_BALANCE).tolist():
        line = rows.line(place, rules)
        line.close(day)
        _take(changes, rows.account_ids[place].as_py(), line)
        changed[place] = line
    rows.put(changed)
    lines = rows.lines
    codes, which = np.unique(lines.v[:, k.CALENDAR], return_inverse=True)
    cuts, due_days = _calendars(rules.line.cycle, tuple(codes.tolist()))
    return close_lines(
        lines, np.array(rules.terms, np.int64), np.array(rules.rates, np.int64), cuts, due_days,
        which.astype(np.int64), day.toordinal(),
    )  # fmt: skip
