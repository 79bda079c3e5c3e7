"""Cases of a day: the overdue accounts of one borrower with one lender, spoken of in one contact and treated as one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.rows import BoolArray, FloatArray, IntArray
from evenkeel.arrears.treatments.record import complete, days_past_due, floats_of

_EXTRA = {"limit_minor": pa.int64(), "due_day": pa.int64(), "pay_day": pa.int64()}
_UNIT = "\x1f"


@dataclass(frozen=True, slots=True)
class Groups:
    """accounts: the overdue accounts by id, every input column there. of: (accounts,) the group of each.

    lead: (n,) the account that stands for each group, its worst; groups stand in the order of their leads' ids.
    borrower: (n,) a code of each group's borrower.
    """

    accounts: pa.Table
    of: IntArray
    lead: IntArray
    borrower: IntArray

    @property
    def cases(self) -> pa.Table:
        """The leads' rows, one a group."""
        return self.accounts.take(pa.array(self.lead)).combine_chunks()

    def any(self, facts: BoolArray) -> BoolArray:
        """(n,) where a fact holds for any account of the group."""
        return np.bincount(self.of, facts, len(self.lead)) > 0

    def greatest(self, values: IntArray) -> IntArray:
        """(n,) the greatest value, 0 or more, among the group's accounts."""
        found = np.zeros(len(self.lead), np.int64)
        np.maximum.at(found, self.of, values)
        return found

    def sum(self, values: FloatArray) -> FloatArray:
        """(n,) the sum; NaN where any part is not known."""
        found: FloatArray = np.bincount(self.of, values, len(self.lead)).astype(np.float64)
        return found


def groups_of(given: pa.Table) -> Groups:
    """The groups of overdue accounts (see `stages.treat` for the columns; also limit_minor, due_day, pay_day, x)."""
    accounts = complete(given)
    place = pc.index_in(accounts["account_id"].combine_chunks(), given["account_id"].combine_chunks())
    for name in (*_EXTRA, *given.column_names):
        if name not in accounts.column_names:
            known = name in given.column_names
            column: Any = given[name].take(place) if known else pa.nulls(len(accounts), _EXTRA[name])
            kind = _EXTRA.get(name, pa.string() if pa.types.is_null(column.type) else column.type)
            accounts = accounts.append_column(name, column.cast(kind))
    accounts = accounts.combine_chunks()
    lender = pc.fill_null(accounts["lender_id"], "")
    key = pc.binary_join_element_wise(pc.fill_null(accounts["borrower_id"], ""), lender, _UNIT)
    code = _codes(key)
    balance = np.nan_to_num(floats_of(accounts["balance_minor"].cast(pa.float64())))
    worst = np.lexsort((np.arange(len(code)), -balance, -days_past_due(accounts), code))
    first = np.append(True, code[worst][1:] != code[worst][:-1])[: len(code)]
    leads = worst[first]
    order = np.argsort(leads, kind="stable")
    rank = np.empty(len(leads), np.int64)
    rank[order] = np.arange(len(leads))
    lead = leads[order]
    return Groups(accounts, rank[code], lead, _codes(accounts["borrower_id"])[lead])


def _codes(column: Any) -> IntArray:
    """A code of each value, by rising value."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    _, codes = np.unique(values.dictionary_encode().indices.to_numpy(zero_copy_only=False), return_inverse=True)
    return codes.astype(np.int64)
