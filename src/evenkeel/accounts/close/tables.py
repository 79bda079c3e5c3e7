"""What a closed day tells: accounts, bills and postings as Arrow tables, from the kernel's arrays."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.close.rows import LineRows
from evenkeel.accounts.ledger import CLAIM, CLAIM_CONTRA, Posting
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import legs
from evenkeel.accounts.line.compiled import BILL_WIDTH
from evenkeel.accounts.line.rules import LineRules
from evenkeel.accounts.products.model import GRADES
from evenkeel.accounts.state import Bill
from evenkeel.accounts.words import Stage

IntArray = npt.NDArray[np.int64]

_EPOCH = date(1970, 1, 1).toordinal()
_STAGES = pa.array([str(stage) for stage in (Stage.OPEN, Stage.CLOSED, Stage.CHARGED_OFF, Stage.SOLD)])
CHARGED_OFF = 2  # the place in _STAGES, as in the kernel
_CODES = 16 * 9

DAY = pa.schema(
    [
        ("account_id", pa.string()), ("stage", pa.string()), ("limit_minor", pa.int64()), ("held_minor", pa.int64()),
        ("available_minor", pa.int64()), ("balance_minor", pa.int64()), ("credit_minor", pa.int64()),
        ("accrued_minor", pa.int64()), ("claim_minor", pa.int64()), ("past_due_minor", pa.int64()),
        ("days_past_due", pa.int32()), ("grade", pa.string()), ("restructurings", pa.int32()),
    ]
)  # fmt: skip
BILLS = pa.schema(
    [
        ("account_id", pa.string()), ("number", pa.int32()), ("cut_on", pa.date32()), ("due_on", pa.date32()),
        ("total_minor", pa.int64()), ("minimum_minor", pa.int64()), ("principal_minor", pa.int64()),
        ("interest_minor", pa.int64()), ("fee_minor", pa.int64()), ("penalty_minor", pa.int64()),
        ("credit_minor", pa.int64()),
    ]
)  # fmt: skip
POSTINGS = pa.schema(
    [
        ("account_id", pa.string()), ("on", pa.date32()), ("debit", pa.string()), ("credit", pa.string()),
        ("amount_minor", pa.int64()), ("why", pa.string()), ("fact_id", pa.string()),
    ]
)  # fmt: skip
CORRECTIONS = pa.schema(
    [("account_id", pa.string()), ("ledger_account", pa.string()), ("amount_minor", pa.int64())]
)  # fmt: skip


def day_table(rows: LineRows, rules: LineRules, day: date) -> pa.Table:
    """Every account at the close of a day, as `AccountState` would tell it."""
    v, lines, product = rows.lines.v, rows.lines, rules.product
    balance, held = lines.cells.sum(axis=1), rows.held()
    limit, stage = v[:, k.LIMIT], v[:, k.STAGE]
    share = rules.line.over_limit_share
    usable = limit if share == 0 else np.array([int(amount * (1 + share)) for amount in limit.tolist()], np.int64)
    room = np.where(stage == 0, np.maximum(0, usable - balance - held + v[:, k.CREDIT]), 0)
    dues = lines.dues.reshape(len(lines), k.MOST_DUES, k.DUE_WIDTH)
    late = (dues[:, :, 0] < day.toordinal()) & (np.arange(k.MOST_DUES) < v[:, [k.DUE_COUNT]])
    past_due = ((dues[:, :, 1] - dues[:, :, 2]) * late).sum(axis=1)
    accrued = v[:, k.ACCRUED : k.ACCRUED + 4].sum(axis=1) + v[:, k.PENALTIES : k.PENALTIES + 4].sum(axis=1)
    days = v[:, k.DAYS_PAST_DUE]
    edges = np.array([step.from_days for step in product.classes])
    grades = pa.array([step.grade for step in product.classes])
    by_days = grades.take(pa.array(np.maximum(np.searchsorted(edges, days, side="right") - 1, 0)))
    grade = pc.if_else(pa.array(stage == CHARGED_OFF), GRADES[-1], by_days)
    unlimited = limit < 0
    return pa.table(
        [
            rows.account_ids, _STAGES.take(pa.array(stage)), pa.array(limit, mask=unlimited), pa.array(held),
            pa.array(room, mask=unlimited), pa.array(balance), pa.array(v[:, k.CREDIT]), pa.array(accrued // k.UNIT),
            pa.array(v[:, k.CLAIM]), pa.array(past_due), pa.array(days.astype(np.int32)), grade,
            pa.array(v[:, k.RESTRUCTURED].astype(np.int32)),
        ],
        schema=DAY,
    )  # fmt: skip


def bill_table(rows: LineRows, bills: IntArray, by_hand: Sequence[tuple[str, Bill]]) -> pa.Table:
    """The bills cut: those of the kernel's array, and those of lines that were folded one by one."""
    bills = bills.reshape(-1, BILL_WIDTH)
    parts = bills[:, 5:9]
    table = pa.table(
        [
            rows.account_ids.take(pa.array(bills[:, 0])), pa.array(bills[:, 1].astype(np.int32)), _days(bills[:, 2]),
            _days(bills[:, 3]), pa.array(parts.sum(axis=1)), pa.array(bills[:, 4]),
            *(pa.array(parts[:, place]) for place in range(4)), pa.array(bills[:, 9]),
        ],
        schema=BILLS,
    )  # fmt: skip
    return pa.concat_tables([table, bill_rows(by_hand)])


def bill_rows(bills: Sequence[tuple[str, Bill]]) -> pa.Table:
    """Bills of single accounts."""
    rows = [{"account_id": name, **{part: getattr(bill, part) for part in BILLS.names[1:]}} for name, bill in bills]
    return pa.Table.from_pylist(rows, schema=BILLS)


def posting_table(rows: LineRows, events: IntArray, by_hand: Sequence[tuple[str, Posting]]) -> pa.Table:
    """What was posted: the kernel's events as double entry, and the postings of facts."""
    code = events[:, 2] * 16 + events[:, 3] * 4 + events[:, 4]
    named = [("", "", "")] * _CODES
    for value in np.unique(code).tolist():
        named[value] = legs(value // 16, value // 4 % 4, value % 4)
    debit, credit, why = (pa.array([names[place] for names in named]) for place in range(3))
    index = pa.array(code)
    none = pa.nulls(len(events), pa.string()).fill_null("")
    table = pa.table(
        [
            rows.account_ids.take(pa.array(events[:, 0])), _days(events[:, 1]), debit.take(index), credit.take(index),
            pa.array(events[:, 5]), why.take(index), none,
        ],
        schema=POSTINGS,
    )  # fmt: skip
    return pa.concat_tables([table, _claims(rows, events), posting_rows(by_hand)])


def posting_rows(postings: Sequence[tuple[str, Posting]]) -> pa.Table:
    """Postings of single accounts."""
    rows = [
        {"account_id": name, **{part: getattr(posting, part) for part in POSTINGS.names[1:]}}
        for name, posting in postings
    ]
    return pa.Table.from_pylist(rows, schema=POSTINGS)


def _claims(rows: LineRows, events: IntArray) -> pa.Table:
    """After a charge-off the legal claim stays, off the balance sheet: one posting an account."""
    gone = events[events[:, 2] == k.L_CHARGE_OFF]
    places, index = np.unique(gone[:, 0], return_inverse=True)
    amount, on = np.zeros(len(places), np.int64), np.zeros(len(places), np.int64)
    np.add.at(amount, index, gone[:, 5])
    on[index] = gone[:, 1]
    same = [pa.nulls(len(places), pa.string()).fill_null(text) for text in (CLAIM, CLAIM_CONTRA, "charge_off", "")]
    return pa.table(
        [rows.account_ids.take(pa.array(places)), _days(on), same[0], same[1], pa.array(amount), same[2], same[3]],
        schema=POSTINGS,
    )


def _days(ordinals: IntArray) -> pa.Array:
    return pa.array((ordinals - _EPOCH).astype(np.int32)).cast(pa.date32())
