"""A table of contacts, made and planned: what the law says of each. What was made is judged as it happened; what is
planned is put to the gate, so that what was done already counts, and what may be done before it."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.contacts.bulk import Gate
from evenkeel.arrears.contacts.standing import SAID, as_mask
from evenkeel.arrears.law import RuleBook, check, with_consents


def judge_contacts(
    actions: pa.Table, rules: RuleBook, jurisdiction: str, consents: pa.Table | None = None, language: str = "en"
) -> pa.Table:
    """One answer a row, in the order of the rows: contact_id, answer, rules (`law.FINDINGS`).

    actions: as `law.check` takes them, with `action` or `channel`. Rows with planned = true are answered in the order
    of their instants, each after what was made and what of the plan may be made before it; a call that was made later
    keeps its place. All others are judged as a log. consents: CONTRACT 2. Raises InvalidInput as `law.check`.
    """
    if "channel" in actions.column_names and "action" not in actions.column_names:
        actions = actions.rename_columns({"channel": "action"})
    size = len(actions)
    ids = actions["contact_id"] if "contact_id" in actions.column_names else pa.nulls(size, pa.string())
    actions = with_consents(actions, consents)
    planned = np.zeros(size, bool)
    if "planned" in actions.column_names:
        planned = as_mask(pc.fill_null(actions["planned"], False))
        actions = actions.drop_columns("planned")
    made = actions.filter(pa.array(~planned))
    answers = check(made, rules, jurisdiction, language)
    if planned.any():
        # Whose contact it is need not be known: those of nobody in particular are counted together, as in a log.
        gate = Gate(rules, jurisdiction, owned(made), SAID.empty_table(), language)
        asked = gate.answers(owned(actions.filter(pa.array(planned))))
        answers = pa.concat_tables([answers, asked.select(answers.column_names)])
        back = np.argsort(np.append(np.flatnonzero(~planned), np.flatnonzero(planned)))
        answers = answers.take(pa.array(back))
    return answers.add_column(0, "contact_id", ids)


def owned(table: pa.Table) -> pa.Table:
    """The table with a borrower and a lender in every row, the empty text where none is known."""
    for name in ("borrower_id", "lender_id"):
        if name in table.column_names:
            filled = pc.fill_null(table[name].cast(pa.string()), "")
            table = table.set_column(table.column_names.index(name), name, filled)
        else:
            table = table.append_column(name, pa.array([""] * len(table), pa.string()))
    return table
