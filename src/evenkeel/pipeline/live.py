"""The rows on which a model that decides live is trained: what the live service would have read at each application."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel
from evenkeel.behaviour.batch import event_values
from evenkeel.behaviour.definitions import Entity, shipped
from evenkeel.behaviour.events import event_table
from evenkeel.decisions.assessment.applicants import application_outcomes, opened_account
from evenkeel.kernel.errors import InvalidInput
from evenkeel.scoring.labels import UNKNOWN


def application_rows(panel: Panel, tables: Mapping[str, pa.Table], threads: int) -> pa.Table:
    """One row an application whose outcome is known: borrower_id, submitted_at, bad, and the shipped event features.

    Values are those of the instant before the application, from what was booked by then: the service decides before it
    counts the application itself. Raises InvalidInput where no application has an outcome.
    """
    if "applications" not in tables:
        raise InvalidInput("the book has no applications.", "A model that decides live learns from `applications`.")
    applications = tables["applications"]
    opened = opened_account(applications, tables["accounts"])
    bad, told = application_outcomes(panel, tables, applications, opened)
    over = (bad != UNKNOWN) & (told <= panel.last_month)
    known = applications.filter(pa.array(over))
    if not known.num_rows:
        raise InvalidInput("no application of the book has an outcome yet.", "Give a book that goes on for longer.")
    before = pc.subtract(known["submitted_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()), 1)
    wanted = pa.table({"entity": known["borrower_id"], "at": before, "known_at": before})
    lenders = set(pc.unique(tables["accounts"]["lender_id"]).to_pylist())
    values = event_values(event_table(tables), wanted, shipped(), Entity.BORROWER, threads, lenders)
    head = {"borrower_id": known["borrower_id"], "submitted_at": known["submitted_at"], "bad": pa.array(bad[over])}
    columns = {name: values[name] for name in values.column_names if name not in wanted.column_names}
    return pa.table(head | {name: column for name, column in columns.items() if column.null_count < known.num_rows})
