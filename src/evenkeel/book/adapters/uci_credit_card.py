"""UCI "Default of credit card clients" (Yeh & Lien 2009): 30,000 card accounts of a bank in Taiwan, 2005.

Maps: ID to account and borrower; LIMIT_BAL to the limit; PAY_0, BILL_AMT1, PAY_AMT1 to the month 2005-09 and so back to
2005-04; `default` (the payment of October) to outcomes. Status -2 to X, -1 and 0 to M0, n to M(min(n, 7)).
Drops: SEX, MARRIAGE, AGE and EDUCATION, which may not decide a limit; the model does without them.
Assumes: the limit was the same in all six months; amounts are New Taiwan dollars.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa

from evenkeel.book.adapters.source import Adapted, as_text, constant, find, number, read, source, to_minor, whole
from evenkeel.book.faults import Fault
from evenkeel.book.model import Manifest

_AS_OF = date(2005, 9, 30)
_PAY = ("PAY_0", "PAY_2", "PAY_3", "PAY_4", "PAY_5", "PAY_6")
_SOURCE = source(
    "clients",
    whole("ID"),
    number("LIMIT_BAL", low=0),
    *(whole(name, low=-2, high=12) for name in _PAY),
    *(number(f"BILL_AMT{i}") for i in range(1, 7)),
    *(number(f"PAY_AMT{i}", low=0) for i in range(1, 7)),
    whole("default", needed=False, low=0, high=1),
    aliases={"default": ("default.payment.next.month", "default payment next month"), "PAY_0": ("PAY_1",)},
)


def adapt(path: Path, max_bad_share: float) -> Adapted:
    """The source as a book. Raises Unreadable or InvalidUsage."""
    faults: list[Fault] = []
    rows = read(find(path, (_SOURCE,))["clients"], _SOURCE, faults, max_bad_share)
    ids = as_text(rows["ID"])
    limit, _ = to_minor(rows["LIMIT_BAL"])
    accounts = pa.table(
        {
            "account_id": ids,
            "borrower_id": ids,
            "lender_id": constant("uci-card-issuer", len(ids)),
            "product": constant("card", len(ids)),
            "currency": constant("TWD", len(ids)),
            "status": constant("active", len(ids)),
            "limit_minor": limit,
        }
    )
    periods = pa.concat_tables([_month(rows, ids, limit, place) for place in range(6)])
    labelled = rows["default"].combine_chunks()
    outcomes = pa.table(
        {
            "account_id": ids,
            "as_of": pa.repeat(pa.scalar(_AS_OF), len(ids)),
            "bad": labelled.cast(pa.bool_()),
            "horizon_months": pa.repeat(pa.scalar(1, pa.int64()), len(ids)),
            "known_on": pa.repeat(pa.scalar(date(2005, 10, 31)), len(ids)),
            "definition": constant("no minimum payment in the next month", len(ids)),
        }
    ).filter(labelled.is_valid())
    manifest = Manifest(_AS_OF, "Asia/Taipei", "TWD", "TW", "UCI card issuer", "UCI default of credit card clients")
    tables = {"accounts": accounts, "periods": periods}
    if outcomes.num_rows:
        tables["outcomes"] = outcomes
    return Adapted(manifest, tables, _notes(rows), tuple(faults))


def _month(rows: pa.Table, ids: pa.Array, limit: pa.Array, place: int) -> pa.Table:
    status = rows[_PAY[place]].to_numpy()
    late = np.maximum(status, 0)
    states = np.array(["M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7"])[np.minimum(late, 7)]
    balance, _ = to_minor(rows[f"BILL_AMT{place + 1}"])
    paid, _ = to_minor(rows[f"PAY_AMT{place + 1}"])
    return pa.table(
        {
            "account_id": ids,
            "month": constant(f"2005-{9 - place:02d}", len(ids)),
            "on_book": pa.repeat(pa.scalar(True), len(ids)),
            "balance_minor": balance,
            "limit_minor": limit,
            "paid_minor": paid,
            "dpd_low": pa.array(np.where(late > 0, 30 * (late - 1) + 1, 0), pa.int64()),
            "dpd_high": pa.array(30 * late, pa.int64()),
            "state": pa.array(np.where(status == -2, "X", states), pa.string()),
            "source_code": as_text(rows[_PAY[place]]),
        }
    )


def _notes(rows: pa.Table) -> tuple[str, ...]:
    names = [name for name in rows.column_names if name != "ID"]
    distinct = rows.group_by(names, use_threads=False).aggregate([]).num_rows
    return (
        "months: PAY_0, BILL_AMT1 and PAY_AMT1 are 2005-09, PAY_6 and its amounts 2005-04",
        "states: -2 to X, -1 and 0 to M0, n months late to M(min(n, 7))",
        "dropped: SEX, MARRIAGE, AGE and EDUCATION may not decide a limit",
        "assumed: the limit was the same in all six months",
        f"found: {rows.num_rows - distinct} rows repeat another row apart from ID and what was dropped; all are kept",
    )
