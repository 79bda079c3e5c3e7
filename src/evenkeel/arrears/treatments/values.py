"""What each treatment is worth over doing nothing, in minor units: (n, K), NaN where it is not known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.rows import FloatArray
from evenkeel.arrears.treatments.actions import NAMES, PLACE
from evenkeel.arrears.treatments.assumed import DayAssumptions
from evenkeel.arrears.treatments.groups import Groups
from evenkeel.arrears.treatments.record import floats_of
from evenkeel.kernel.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Worth:
    """value: (n, K). recovery, burden: the parts of it, expected, where assumed; recovery NaN where values were given.

    at_stake: (n,) what would not be paid without any treatment.
    """

    value: FloatArray
    recovery: FloatArray
    cost: FloatArray
    burden: FloatArray
    at_stake: FloatArray


def worth_of(groups: Groups, given: DayAssumptions, fitted: pa.Table | None) -> Worth:
    """value = (1 - p_self_cure) * effect * balance - cost - p_self_cure * burden, summed over a group's accounts.

    fitted: account_id and one column a treatment with its value over doing nothing in minor units, as learned from a
    record (`evenkeel arrears evaluate`); for the accounts and treatments in it, it stands in for what is assumed.
    A self-cure chance or balance that is not known makes every value unknown, and what is unknown is never done.
    """
    size, count = len(groups.lead), len(NAMES)
    p_cure = floats_of(groups.accounts["p_self_cure"])
    balance = np.maximum(floats_of(groups.accounts["balance_minor"].cast(pa.float64())), 0.0)
    at_stake = groups.sum((1 - p_cure) * balance)
    limit = floats_of(groups.accounts["limit_minor"].cast(pa.float64()))
    undrawn = (1 - p_cure) * np.maximum(limit - balance, 0.0) * given.draw_saved
    cured = p_cure[groups.lead]
    recovery, cost, burden = (np.full((size, count), np.nan) for _ in range(3))
    recovery[:, 0] = cost[:, 0] = burden[:, 0] = 0.0
    for name, one in given.treatments.items():
        place = PLACE[name]
        recovery[:, place] = groups.sum(undrawn) if name == "limit_change" else one.effect * at_stake
        cost[:, place] = one.cost_minor
        burden[:, place] = cured * one.burden_minor
    value = recovery - cost - burden
    if fitted is not None:
        _stand_in(value, recovery, groups, fitted)
    return Worth(value, recovery, cost, burden, at_stake)


def _stand_in(value: FloatArray, recovery: FloatArray, groups: Groups, fitted: pa.Table) -> None:
    """Write fitted values over assumed ones. Raises InvalidInput where the table does not fit."""
    if "account_id" not in fitted.column_names:
        raise InvalidInput("fitted values lack `account_id`.", "Give one row an account, one column a treatment.")
    named = [name for name in NAMES[1:] if name in fitted.column_names]
    if not named:
        raise InvalidInput("fitted values name no treatment.", f"Name columns as {', '.join(NAMES[1:])}.")
    ids = fitted["account_id"].combine_chunks().cast(pa.string())
    if ids.null_count or pc.count_distinct(ids).as_py() != len(ids):
        raise InvalidInput("an account stands twice, or nowhere, in the fitted values.", "Give one row an account.")
    place = pc.index_in(groups.cases["account_id"].combine_chunks(), ids)
    found = np.flatnonzero(np.asarray(place.is_valid()))
    for name in named:
        try:
            column = floats_of(fitted[name].cast(pa.float64()).take(place))
        except pa.ArrowInvalid:
            raise InvalidInput(f"fitted values of {name} are not numbers.", "Give minor units.") from None
        value[found, PLACE[name]] = column[found]
        recovery[found, PLACE[name]] = np.nan
