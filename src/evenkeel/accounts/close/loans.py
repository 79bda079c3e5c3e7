"""The close of a day for a part whose accounts are loans.

A loan is folded when a fact touches it and on the days on which it does something by itself: an instalment falls due or
becomes late, a fee or a charge-off comes. Between these days only its days past due and the interest counted so far
move; they are computed when it is folded, for every day up to the next such day, and read from there.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa

from evenkeel.accounts.close.part import Changes, Job, Part, Task
from evenkeel.accounts.close.tables import DAY, bill_rows, posting_rows
from evenkeel.accounts.facts import AccountFact, FactKind, fact_record, read_fact
from evenkeel.accounts.fold import loan_account, run_loan
from evenkeel.accounts.loan.fold import loan_state
from evenkeel.accounts.loan.running import Running
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.state import AccountState
from evenkeel.accounts.words import Stage

MOST_DAYS = 40  # for which a loan is looked ahead

STATE = pa.schema(
    [
        *DAY,
        ("facts", pa.string()),  # JSON, in the order of booking
        ("since", pa.int32()),  # the day on which it was folded, an ordinal
        ("days_ahead", pa.list_(pa.int32())),  # days past due on the days after `since`
        ("accrued_ahead", pa.list_(pa.int64())),
    ]
)


def close_loan_part(task: Task, job: Job, product: Product) -> Part:
    """The part at the close of the task's day."""
    changes = Changes()
    stood = task.stood(job, STATE).combine_chunks()
    ends = stood["since"].to_numpy() + _lengths(stood["days_ahead"])
    due = {int(place) for place in np.flatnonzero(ends < task.day.toordinal())}
    touched = dict(task.touched_rows(_array(stood["account_id"])))
    folded: dict[int, dict[str, object]] = {}
    for place in sorted(due | touched.keys()):
        row = stood.slice(place, 1).to_pylist()[0]
        name = str(row["account_id"])
        before = [read_fact(record) for record in json.loads(row["facts"])]
        folded[place] = _folded(task, product, name, before, list(task.touched.get(name, ())), changes)
    new = [_folded(task, product, name, [], list(facts), changes) for name, facts in job.new.items()]
    state = _replaced(stood, folded, new)
    return Part(state, _day_table(state, task.day), bill_rows(changes.bills), posting_rows(changes.postings), changes)


def _folded(
    task: Task, product: Product, name: str, before: Sequence[AccountFact], new: Sequence[AccountFact], changes: Changes
) -> dict[str, object]:
    """A loan's row of the state table; what it posted since the last close is kept."""
    facts = [*before, *new]
    loan, _ = run_loan(product, facts, task.day)
    state = loan_account(product, loan_state(loan), ())
    late = any(fact.effective_on <= task.last_day or fact.kind is FactKind.REVERSAL for fact in new)
    if before and late:
        # What the last close told was folded from the facts that it knew.
        was, _ = run_loan(product, before, task.last_day)
        told = loan_account(product, loan_state(was), ())
        changes.correct(name, (told.postings, told.bills), (state.postings, state.bills), task.last_day)
    else:
        fresh = [posting for posting in state.postings if not before or posting.on > task.last_day]
        changes.take(name, fresh, [bill for bill in state.bills if not before or bill.cut_on > task.last_day])
    days, accrued = _ahead(product, loan, state)
    return {
        **{part: _plain(getattr(state, part)) for part in DAY.names if part != "account_id"}, "account_id": name,
        "facts": json.dumps([fact_record(fact) for fact in facts]), "since": task.day.toordinal(),
        "days_ahead": days, "accrued_ahead": accrued,
    }  # fmt: skip


def _plain(value: object) -> object:
    return str(value) if isinstance(value, Stage) else value


def _ahead(product: Product, loan: Running, state: AccountState) -> tuple[list[int], list[int]]:
    """Days past due and interest counted on the days to come, up to the eve of the next on which something happens."""
    days: list[int] = []
    accrued: list[int] = []
    stands = _marks(loan)
    for day in range(state.as_of.toordinal() + 1, state.as_of.toordinal() + MOST_DAYS):
        loan.advance(day)
        late = loan.days_past_due()
        # Its grade is told with the row, so a day on which it may change is one on which the loan is folded.
        if _marks(loan) != stands or product.grade(late, loan.stage) != state.grade or _becomes_late(loan, day):
            break
        days.append(late)
        accrued.append(loan.accrued_minor())
    return days, accrued


def _marks(loan: Running) -> tuple[int, int, Stage]:
    return len(loan.postings), len(loan.bills), loan.stage


def _becomes_late(loan: Running, day: int) -> bool:
    """Whether an instalment that was due on the eve and is not paid is past due from `day` on."""
    return any(period.due == day - 1 and period.open_minor for period in loan.periods[: loan.at])


def _lengths(column: pa.ChunkedArray) -> np.ndarray:
    return np.diff(_array(column).offsets.to_numpy()) if len(column) else np.zeros(0, np.int64)


def _array(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):
        return whole.chunk(0) if whole.num_chunks else pa.array([], column.type)
    return whole


def _replaced(stood: pa.Table, folded: dict[int, dict[str, object]], new: Sequence[dict[str, object]]) -> pa.Table:
    """The rows with some put in place of others, and new ones at the end."""
    fresh = pa.Table.from_pylist([*folded.values(), *new], schema=STATE)
    index = np.arange(stood.num_rows + len(new))
    index[list(folded)] = stood.num_rows + np.arange(len(folded))
    index[stood.num_rows :] = stood.num_rows + len(folded) + np.arange(len(new))
    return pa.concat_tables([stood, fresh]).take(pa.array(index)).combine_chunks()


def _day_table(state: pa.Table, day: date) -> pa.Table:
    """Every loan at the close of a day: as it was folded, but for what moves from day to day."""
    table = state.select(DAY.names)
    ahead = day.toordinal() - state["since"].to_numpy()
    later = np.flatnonzero(ahead > 0)
    for name, moving in (("days_past_due", "days_ahead"), ("accrued_minor", "accrued_ahead")):
        lists = _array(state[moving])
        values = np.array(table[name].to_numpy())
        if len(later):
            offsets = lists.offsets.to_numpy()[later]
            values[later] = lists.values.to_numpy()[offsets + ahead[later] - 1]
        place = table.schema.get_field_index(name)
        table = table.set_column(place, DAY.field(name), pa.array(values, DAY.field(name).type))
    return table
