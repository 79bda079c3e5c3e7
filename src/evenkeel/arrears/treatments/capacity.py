"""What there is to work with in a day: capacities by channel and skill, budgets, and what treatments use of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.rows import FloatArray
from evenkeel.arrears.treatments.actions import NAMES, TREATMENTS
from evenkeel.arrears.treatments.assumed import DayAssumptions
from evenkeel.arrears.treatments.record import mask_of
from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.assignment import Constraint

_CHANNELS = ("sms", "app")
KNOWN = (*_CHANNELS, *(one for one in NAMES if one != "nothing"), "contacts", "hours", "budget")


@dataclass(frozen=True, slots=True)
class Capacity:
    """So much of something in a day. uses: of it by treatment; empty: what the name says (see KNOWN): messages of a
    channel, cases of a treatment, contacts, hours of staff, or a budget in minor units. where: only these cases draw on
    it, column -> values, as a skill that not everybody asks for."""

    name: str
    amount: float
    uses: Mapping[str, float]
    where: Mapping[str, tuple[str, ...]]


def capacity_of(name: str, amount: Any, uses: Any = None, where: Any = None) -> Capacity:
    """A checked capacity. Raises InvalidInput that says what is wrong."""
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < 1e15:
        raise InvalidInput(f"capacity `{name}` is {amount!r}.", "Give a number, 0 or more: call=200.")
    uses, where = uses or {}, where or {}
    if not isinstance(uses, Mapping) or not isinstance(where, Mapping):
        raise InvalidInput(f"`uses` and `where` of capacity `{name}` are tables.", "As uses = { call = 0.2 }.")
    if not uses and name not in KNOWN:
        raise InvalidInput(
            f"capacity `{name}` says not what it is used for.", f"Give `uses`, or one of {', '.join(KNOWN)}."
        )
    for treatment, used in uses.items():
        if treatment not in NAMES[1:]:
            raise InvalidInput(f"capacity `{name}`: there is no treatment {treatment}.", f"Known: {', '.join(NAMES)}.")
        if isinstance(used, bool) or not isinstance(used, int | float) or not 0 <= used < 1e12:
            raise InvalidInput(f"capacity `{name}`: {treatment} uses {used!r}.", "Give a number, 0 or more.")
    checked = {}
    for column, values in where.items():
        values = [values] if isinstance(values, str) else values
        if not isinstance(values, list | tuple) or not all(isinstance(value, str) for value in values):
            raise InvalidInput(f"capacity `{name}`: `where.{column}` is {values!r}.", "Give a list of texts.")
        checked[column] = tuple(values)
    return Capacity(name, float(amount), {key: float(used) for key, used in uses.items()}, checked)


def amounts_of(one: Capacity, given: DayAssumptions) -> FloatArray:
    """(K,): what each treatment uses of a capacity."""
    if one.uses:
        return np.array([one.uses.get(name, 0.0) for name in NAMES])
    if one.name in _CHANNELS:
        return np.array([float(treatment.asks == one.name) for treatment in TREATMENTS])
    if one.name == "contacts":
        return np.array([float(treatment.contact) for treatment in TREATMENTS])
    if one.name in ("hours", "budget"):
        found = [given.treatments.get(name) for name in NAMES]
        return np.array(
            [0.0 if a is None else (a.hours if one.name == "hours" else float(a.cost_minor)) for a in found]
        )
    return np.array([float(name == one.name) for name in NAMES])


def constraint_of(one: Capacity, cases: pa.Table, given: DayAssumptions) -> Constraint:
    """A capacity as a bound of the assignment. Raises InvalidInput where `where` names a column that no case has."""
    weight = np.ones(len(cases))
    for column, values in one.where.items():
        if column not in cases.column_names or not pa.types.is_string(cases[column].type):
            texts = [field.name for field in cases.schema if pa.types.is_string(field.type)]
            raise InvalidInput(f"capacity `{one.name}`: cases have no text `{column}`.", f"Known: {', '.join(texts)}.")
        # A case of which it is not known whether it needs the skill draws on it.
        wanted = mask_of(pc.is_in(cases[column], pa.array(values))) | mask_of(pc.is_null(cases[column]))
        weight = weight * wanted
    return Constraint(one.name, amounts_of(one, given), one.amount, weight if one.where else None)
