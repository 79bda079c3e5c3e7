"""Who pays without being asked: the hazard of self-cure, day by day past due.

A spell in arrears is watched from the day on which it is first seen until it is cured, treated or no longer seen. A
treatment ends the watch without a cure: what comes after it is not self-cure (censoring by treatment is only harmless
given the features that decided on the treatment, so these belong among them).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.survival import Term, fit_hazards, person_months, second_differences
from evenkeel.scoring.regressors import Column, learn_column, regressors

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

_MOST_DAYS = 3_650
_RIDGE = 1.0  # on the standardised slopes
_FEWEST = 20  # cures, below which no hazard is learned


@dataclass(frozen=True, slots=True)
class SelfCure:
    """ln odds of curing on a day past due = baseline[day - 1] + regressors @ slopes; the last day stands for later."""

    baseline: FloatArray
    columns: tuple[Column, ...]
    slopes: FloatArray

    def hazards(self, features: pa.Table, day: IntArray, days: int) -> FloatArray:
        """Chance to cure by itself on each of the next days, if not before: (n, days). day: (n,) days past due now."""
        at = np.clip(day[:, None] + np.arange(days), 0, len(self.baseline) - 1)
        pull = regressors(self.columns, features) @ self.slopes
        result: FloatArray = 1 / (1 + np.exp(-(self.baseline[at] + pull[:, None])))
        return result

    def chance(self, features: pa.Table, day: IntArray, days: int) -> FloatArray:
        """Chance to cure by itself within so many days from now: (n,)."""
        result: FloatArray = 1 - np.prod(1 - self.hazards(features, day, days), axis=1)
        return result


def fit_self_cure(features: pa.Table, first: IntArray, last: IntArray, cured: BoolArray, treated: FloatArray
                  ) -> SelfCure:  # fmt: skip
    """Fit the daily hazard on spells.

    features: a frame, known on the first day. first: (n,) days past due when first seen, 0 or more, the day itself not
    yet watched. last: (n,) the day past due of cure, or the last one seen. cured: (n,). treated: (n,) day past due of
    the first treatment, NaN where none; a cure on or after it is not one by itself. Days are 1..3,650. The baseline is
    smooth by a second-difference penalty that the data choose.
    Raises InvalidInput where shapes or days do not fit, or fewer than 20 cured by themselves.
    """
    n = features.num_rows
    if not len(first) == len(last) == len(cured) == len(treated) == n:
        raise InvalidInput("features, days and cures have different numbers of rows.")
    if n == 0 or (first < 0).any() or (last < first).any() or (last > _MOST_DAYS).any():
        raise InvalidInput("a spell ends before it is first seen, or after day 3,650.")
    before = np.where(np.isnan(treated), np.inf, treated)
    if (before < first).any():
        raise InvalidInput("a spell was treated before it was first seen.", "Leave it out: its self-cure is not seen.")
    alone = cured & (last < before)
    until = np.maximum(np.where(last < before, last, np.where(np.isinf(before), last, before - 1)), first)
    seen = until > first
    if int((alone & seen).sum()) < _FEWEST:
        raise InvalidInput(f"{int((alone & seen).sum())} spells cured by themselves; {_FEWEST} are needed.")
    columns = tuple(learn_column(name, features[name], np.ones(n), bends=False) for name in features.column_names)
    x = regressors(columns, features)
    months = person_months(
        until.astype(np.int64), np.where(alone & seen, 1, 0).astype(np.int64), 1, entry=first, group=np.arange(n)
    )
    size = int(months.month.max())
    terms = [
        Term(np.eye(size)[None], months.month - 1, second_differences(size), None),
        Term(x[None], months.group, np.eye(x.shape[1]), _RIDGE),
    ]
    fit = fit_hazards(months.counts, terms if x.shape[1] else terms[:1])
    return SelfCure(fit.coefficients[0][0], columns, fit.coefficients[1][0] if x.shape[1] else np.zeros(0))
