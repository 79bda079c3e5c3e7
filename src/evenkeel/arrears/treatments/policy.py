"""What to do for whom by learned effects: the value of each action over doing nothing, and the best one."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.arrears.treatments.effects import Effects
from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def action_values(effect: FloatArray, balance: FloatArray, cost: FloatArray, burden: FloatArray) -> FloatArray:
    """Expected value of each action over doing nothing, in the unit of balances: effect * balance - cost - burden.

    effect: (n, K), added share of the balance that is paid (or chance that it is), the first column doing nothing.
    balance: (n,), NaN where not known. cost, burden: (K,): what an action costs the lender, and what
    it does to a person, priced; 0 for doing nothing. Returns (n, K): the first column 0; -inf where the effect or the
    balance is not known, as what is not known never leads to a contact. Raises InvalidInput where shapes do not fit.
    """
    shape = effect.shape
    if len(shape) != 2 or balance.shape != shape[:1] or not cost.shape == burden.shape == shape[1:]:
        raise InvalidInput("effects, balances, costs and burdens do not fit each other.")
    if not ((cost >= 0).all() and (burden >= 0).all()) or cost[0] != 0 or burden[0] != 0:
        raise InvalidInput("a cost or burden is below 0 or not known, or that of doing nothing is not 0.")
    values = effect * balance[:, None] - cost - burden
    values[~np.isfinite(values)] = -np.inf
    values[:, 0] = 0.0
    return values


def best(values: FloatArray, allowed: BoolArray) -> IntArray:
    """The allowed action of the greatest value in each row; doing nothing where none is above 0. (n,)."""
    if allowed.shape != values.shape:
        raise InvalidInput("values and what is allowed have different shapes.")
    open_values = np.where(allowed & (values > 0), values, -np.inf)
    open_values[:, 0] = 0.0
    chosen: IntArray = np.argmax(open_values, axis=1).astype(np.int64)
    return chosen


@dataclass(frozen=True, slots=True)
class LearntPolicy:
    """Learned effects, and what each action costs and burdens: (K,), 0 for doing nothing, in units of the value."""

    effects: Effects
    cost: tuple[float, ...]
    burden: tuple[float, ...]

    def values(self, features: pa.Table, balance: FloatArray) -> FloatArray:
        """Expected value of each action for rows of a frame, (n, K), as `action_values`."""
        return self.values_of(*self.effects.of(features), balance)

    def values_of(self, effect: FloatArray, error: FloatArray, balance: FloatArray) -> FloatArray:
        """The same of effects at hand. What was too rare to be learned has an infinite error: it is unknown."""
        known = np.where(np.isfinite(error), effect, np.nan)
        return action_values(known, balance, np.array(self.cost), np.array(self.burden))

    def document(self) -> dict[str, object]:
        """As plain data."""
        return {"cost": list(self.cost), "burden": list(self.burden), "effects": self.effects.document()}

    @property
    def version(self) -> str:
        """By content: what is learned from the same lawful rows with the same seed has the same one."""
        text = json.dumps(self.document(), sort_keys=True, allow_nan=True)
        return "treatments-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def one_hot(chosen: IntArray, actions: int) -> FloatArray:
    """Odds of a policy that always does one thing: (n, K)."""
    result: FloatArray = np.eye(actions)[chosen]
    return result


def fitted_values(account_ids: pa.ChunkedArray, actions: tuple[str, ...], values: FloatArray) -> pa.Table:
    """Values as the day's assignment takes them: account_id, and a column for each action but doing nothing; null
    where a value is not known, so that the action is not taken for it."""
    columns = {"account_id": account_ids.cast(pa.string())}
    for place, name in enumerate(actions[1:], start=1):
        column = values[:, place]
        columns[name] = pa.array(np.where(np.isfinite(column), column, np.nan), pa.float64(), from_pandas=True)
    return pa.table(columns)
