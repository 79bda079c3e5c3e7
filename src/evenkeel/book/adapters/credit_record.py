"""Kaggle "Credit card approval": a panel of account-months with a status, and the applications beside it.

Maps: ID to account and borrower; MONTHS_BALANCE 0 to 2020-03, -1 to 2020-02 and so back; STATUS by the order of its
classes: X to X, C to M0, 0 to M1 (1-29 days), 1 to M2 (30-59), ... 5 to M6 (150 and more). From the applications, where
they are given: yearly income to a month's declared income, occupation, housing and the day of birth.
Drops: CODE_GENDER, family status and education, which may not decide a limit; applications without an account.
Assumes: the extraction was made in March 2020, the month in which the set was published.
The source has no amounts and no limits.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.book.adapters.source import Adapted, as_text, code, constant, find, number, read, source, to_minor, whole
from evenkeel.book.faults import Fault
from evenkeel.book.model import Manifest
from evenkeel.kernel.calendar import month_of, month_text

_AS_OF = date(2020, 3, 31)
_PANEL = source(
    "panel",
    whole("ID"),
    whole("MONTHS_BALANCE", low=-1200, high=0),
    code("STATUS", "X", "C", "0", "1", "2", "3", "4", "5"),
)
_APPLICATIONS = source(
    "applications",
    whole("ID"),
    number("AMT_INCOME_TOTAL", low=0),
    whole("DAYS_BIRTH", low=-43_000, high=0),
    code("OCCUPATION_TYPE", needed=False),
    code("NAME_INCOME_TYPE", needed=False),
    code("NAME_HOUSING_TYPE", needed=False),
    whole("CNT_CHILDREN", needed=False, low=0, high=50),
)

# status -> state, lowest and highest days past due (None: no upper end)
_CLASSES: dict[str, tuple[str, int, int | None]] = {
    "X": ("X", 0, 0),
    "C": ("M0", 0, 0),
    "0": ("M1", 1, 29),
    "1": ("M2", 30, 59),
    "2": ("M3", 60, 89),
    "3": ("M4", 90, 119),
    "4": ("M5", 120, 149),
    "5": ("M6", 150, None),
}


def adapt(path: Path, max_bad_share: float) -> Adapted:
    """The source as a book. Raises Unreadable or InvalidUsage."""
    faults: list[Fault] = []
    files = find(path, (_PANEL, _APPLICATIONS))
    panel = read(files["panel"], _PANEL, faults, max_bad_share)
    ids = pc.unique(panel["ID"]).sort()
    accounts = pa.table(
        {
            "account_id": as_text(ids),
            "borrower_id": as_text(ids),
            "lender_id": constant("credit-record-issuer", len(ids)),
            "product": constant("card", len(ids)),
            "currency": constant("XXX", len(ids)),
        }
    )
    tables = {"accounts": accounts, "periods": _periods(panel)}
    notes = list(_NOTES)
    if "applications" in files:
        applications = read(files["applications"], _APPLICATIONS, faults, max_bad_share)
        tables["borrowers"] = _borrowers(applications, ids, notes)
    manifest = Manifest(_AS_OF, "UTC", "XXX", "XX", "credit-record issuer", "Kaggle credit card approval prediction")
    return Adapted(manifest, tables, tuple(notes), tuple(faults))


_NOTES = (
    "months: MONTHS_BALANCE 0 is 2020-03, the month in which the set was published",
    "states: X to X, C to M0, 0 to M1 (1-29 days), 1 to M2, 2 to M3, 3 to M4, 4 to M5, 5 to M6 (150 days and more)",
    "not in the source: amounts, limits, payments, the day of opening",
    "dropped: gender, family status and education may not decide a limit",
)


def _periods(panel: pa.Table) -> pa.Table:
    status = panel["STATUS"].combine_chunks().dictionary_encode()
    classes = [_CLASSES[str(name)] for name in status.dictionary.to_pylist()]
    place = status.indices
    back, where = np.unique(panel["MONTHS_BALANCE"].to_numpy(), return_inverse=True)
    months = pa.array([month_text(month_of(_AS_OF) + int(shift)) for shift in back])
    return pa.table(
        {
            "account_id": as_text(panel["ID"]),
            "month": months.take(pa.array(where)),
            "on_book": pa.repeat(pa.scalar(True), panel.num_rows),
            "dpd_low": pa.array([entry[1] for entry in classes], pa.int64()).take(place),
            "dpd_high": pa.array([entry[2] for entry in classes], pa.int64()).take(place),
            "state": pa.array([entry[0] for entry in classes]).take(place),
            "source_code": panel["STATUS"].combine_chunks(),
        }
    )


def _borrowers(applications: pa.Table, ids: pa.Array, notes: list[str]) -> pa.Table:
    """One row for each account's ID; the first of a doubled application is kept, a missing one is made."""
    known = applications["ID"].to_numpy()
    first = np.sort(np.unique(known, return_index=True)[1])
    applications = applications.take(pa.array(first))
    place = pc.index_in(ids, applications["ID"].combine_chunks())
    notes.append(f"doubled: {len(known) - len(first)} applications repeat an ID; the first is kept")
    notes.append(f"made: {place.null_count} borrowers have no application and are known by their ID alone")
    notes.append(f"dropped: {len(first) - len(ids) + place.null_count} applications have no account in the panel")
    rows = applications.take(place)
    income, _ = to_minor(pc.divide(rows["AMT_INCOME_TOTAL"], 12.0))
    born = [None if days is None else _AS_OF + timedelta(days=days) for days in rows["DAYS_BIRTH"].to_pylist()]
    return pa.table(
        {
            "borrower_id": as_text(ids),
            "birth_date": pa.array(born, pa.date32()),
            "occupation": rows["OCCUPATION_TYPE"].combine_chunks(),
            "income_declared_minor": income,
            "income_source": rows["NAME_INCOME_TYPE"].combine_chunks(),
            "dependants": rows["CNT_CHILDREN"].combine_chunks(),
            "housing": rows["NAME_HOUSING_TYPE"].combine_chunks(),
        }
    )
