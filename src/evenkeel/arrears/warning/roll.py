"""How far a line rolls: the chance that it reaches each bucket, M1 to M6, within the horizon.

The next bucket is a scorecard: of lines not overdue that they become so (lines.py), of overdue ones that they get worse
within the horizon. From there a bucket after the other: P(reach Mk | reached Mk-1), a logistic regression on how likely
the first step was and how many buckets lie between (a continuation-ratio model, Agresti 2010, ch. 4), so that a worse
bucket is never likelier than a better one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.accounts.panel import STATE_INACTIVE, Panel
from evenkeel.arrears.warning.ahead import WORST, Ahead
from evenkeel.arrears.warning.facts import IntArray
from evenkeel.arrears.warning.features import CANDIDATES, LINE_CANDIDATES, LineMonths, key_of
from evenkeel.arrears.warning.question import Sample, draw, history
from evenkeel.measures.logistic import fit_logistic, sigmoid

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

BUCKETS = (1, 2, 3, 4, 5, 6)
_LEAST_STEPS = 10  # of either outcome, for a step's own regression; fewer give one rate
_OF_THE_BORROWER = (
    "lines", "lines_overdue", "share_overdue", "service_to_income", "balance_to_income", "income_break", "income_last",
    "hardship_6m", "late_count_12m_sum", "payment_ratio_all", "unemployment_change", "output_growth",
    "outside_lines_overdue",
)  # fmt: skip
ROLL_CANDIDATES = (*LINE_CANDIDATES, *(entry for entry in CANDIDATES if entry.name in _OF_THE_BORROWER))


@dataclass(frozen=True, slots=True)
class Rolls:
    """Line-months that are overdue and can get worse; (n,) each. row: in panel.months. worst: as far as it went."""

    row: IntArray
    borrower: IntArray
    month: IntArray
    state: IntArray
    worst: IntArray
    sample: Sample
    missing: str

    @property
    def hit(self) -> BoolArray:
        """The line got worse within the horizon."""
        return self.worst > self.state


def rolls(panel: Panel, ahead: Ahead, seed: int) -> Rolls:
    """The cases of the roll: overdue lines from M1 to M6 whose horizon is told."""
    state, month = panel.state, panel.month
    first = int(month.min(initial=panel.last_month))
    start, over = history(panel.last_month - first + 1, ahead.horizon)
    can = (state >= 1) & (state < WORST) & (month >= first + start) & (month < first + over)
    row = np.flatnonzero(can & ahead.told(ahead.worst > state))
    borrower = panel.accounts["borrower"].to_numpy().astype(np.int64)[panel.account[row]]
    sample, missing = draw(
        borrower, month[row], ahead.worst[row] > state[row], ahead.horizon, len(panel.borrowers), seed
    )
    kept = sample.weight > 0
    row = row[kept]
    return Rolls(row, borrower[kept], month[row], state[row], ahead.worst[row], sample.keep(kept), missing)


def roll_columns(
    lines: LineMonths, of_lines: pa.Table, keys: IntArray, of_borrowers: pa.Table, row: IntArray
) -> pa.Table:
    """Features of overdue lines: their own, and a few of the borrower's.

    of_lines: of every line of `lines`; of_borrowers: of every borrower-month of `keys`, rising. row: in panel.months.
    """
    order = np.argsort(lines.rows, kind="stable")
    place = order[np.searchsorted(lines.rows[order], row)]
    columns = of_lines.take(pa.array(place))
    beside = of_borrowers.take(pa.array(np.searchsorted(keys, lines.held[place])))
    for name in _OF_THE_BORROWER:
        if name in beside.column_names:
            columns = columns.append_column(name, beside[name])
    return columns


def keys_of_rolls(cases: Rolls) -> IntArray:
    """The borrower-months of the cases."""
    return key_of(cases.borrower, cases.month)


@dataclass(frozen=True, slots=True)
class Steps:
    """What follows the first step: for each bucket from M2 on, ln odds of reaching it from the one before.

    coefficients: bucket -> (intercept, of the first step's ln odds, of the buckets since then).
    """

    coefficients: Mapping[int, tuple[float, float, float]]

    def reach(self, state: IntArray, first_step: FloatArray) -> FloatArray:
        """(n, 6) chance of reaching each of BUCKETS or worse; 1 where the line is there.

        state: (n,) 0..7 now, X and unknown as 0. first_step: (n,) chance of the next worse bucket.
        """
        result = np.ones((len(state), len(BUCKETS)))
        log_odds = _logit(first_step)
        for place, bucket in enumerate(BUCKETS):
            before = result[:, place - 1] if place else np.ones(len(state))
            intercept, slope, far = self.coefficients.get(bucket, (0.0, 0.0, 0.0))
            gap = np.maximum(bucket - 1 - state, 0)
            further = sigmoid(intercept + slope * log_odds + far * gap)
            step = np.where(state >= bucket, 1.0, np.where(state == bucket - 1, first_step, further))
            result[:, place] = before * step
        return result


def _logit(p: FloatArray) -> FloatArray:
    held = np.clip(p, 1e-9, 1 - 1e-9)
    result: FloatArray = np.log(held / (1 - held))
    return result


def fit_steps(state: IntArray, worst: IntArray, first_step: FloatArray, weight: FloatArray) -> Steps:
    """The steps after the first, of lines at any state. All (n,)."""
    log_odds = _logit(first_step)
    coefficients = {}
    for bucket in BUCKETS[1:]:
        at_risk = (state < bucket - 1) & (worst >= bucket - 1)
        hit, unit = worst[at_risk] >= bucket, weight[at_risk]
        if min(hit.sum(), (~hit).sum()) < _LEAST_STEPS:
            rate = (unit[hit].sum() + 0.5) / (unit.sum() + 1.0)
            coefficients[bucket] = (float(_logit(np.array(rate))), 0.0, 0.0)
            continue
        inputs = np.column_stack((log_odds[at_risk], (bucket - 1 - state[at_risk]).astype(np.float64)))
        fitted = fit_logistic(inputs, hit, ridge=1.0, weights=unit)
        coefficients[bucket] = (fitted.intercept, float(fitted.coefficients[0]), float(fitted.coefficients[1]))
    return Steps(coefficients)


def state_of(panel: Panel, row: IntArray) -> IntArray:
    """0..7 of rows of panel.months, X and unknown as 0."""
    state = panel.state[row]
    return np.where((state < 0) | (state == STATE_INACTIVE), 0, state)
