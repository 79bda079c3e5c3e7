"""A simulated book in arrears whose truth is known: who would pay anyway, and what each treatment does to whom.

Made to try learners and policies on. Causes are hidden and show in noisy signs; effects differ by cause and stage, some
are harmful; most early arrears cure themselves. Sizes are orders of magnitude from the field's experiments (a reminder
4 points, a person's call more, a plan for those short of money), not estimates of any lender's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

ACTIONS = ("nothing", "call", "plan_offer", "reminder", "visit")
COST_MINOR = (0.0, 500.0, 50.0, 10.0, 15_000.0)
BURDEN_MINOR = (0.0, 2_000.0, 100.0, 100.0, 20_000.0)
CAPACITY = (1.0, 0.10, 0.20, 0.40, 0.01)  # of the book, a day, for each action
SIGNS = ("days_past_due", "balance_minor", "income_change", "utilisation", "promises_kept", "local_unemployment")
CAUSES = ("oversight", "income_shock", "over_granting", "macro_shock", "concealment")

_CAUSE_SHARES = (0.35, 0.28, 0.15, 0.12, 0.10)
# Mean of each sign by cause, and its spread: income_change, utilisation, promises_kept, local_unemployment.
_MEANS = np.array([[0.0, 0.45, 0.8, 5.0], [-0.5, 0.65, 0.6, 5.5], [0.0, 0.95, 0.5, 5.0], [-0.2, 0.65, 0.6, 9.0],
                   [0.05, 0.85, 0.1, 5.0]])  # fmt: skip
_SPREADS = np.array([0.18, 0.15, 0.2, 1.0])
# Added chance of payment among those who would not pay anyway, by cause (rows) and action (columns), at its best stage.
_EFFECTS = np.array([[0.0, 0.20, -0.02, 0.12, -0.05], [0.0, -0.03, 0.22, 0.01, -0.05], [0.0, 0.04, 0.18, 0.02, 0.00],
                     [0.0, -0.02, 0.20, 0.01, -0.03], [0.0, 0.16, 0.00, 0.00, 0.22]])  # fmt: skip
_COMPLAINTS = np.array([0.002, 0.02, 0.004, 0.003, 0.06])


@dataclass(frozen=True, slots=True)
class Simulated:
    """A log, and the truth behind its lawful rows in their order.

    log: borrower_id, action, propensity, lawful, lawful_visit, the SIGNS, paid, complaint, re_default; rows of an
    unlawful action among them. effect: (n, K) of lawful rows, on the chance to pay, given all. seen: the same given the
    signs alone, the most that can be known. balance_minor: (n,).
    """

    log: pa.Table
    effect: FloatArray
    seen: FloatArray
    balance_minor: FloatArray


def simulate(rows: int, seed: int, slice_share: float = 0.2, unlawful: int = 0) -> Simulated:
    """A log of so many lawful decisions, one a borrower, made by a rule of stages with a randomised slice.

    slice_share: of decisions drawn evenly among what is lawful. unlawful: rows of an unlawful action that "works".
    """
    rng = np.random.default_rng(seed)
    cause = rng.choice(len(CAUSES), rows, p=_CAUSE_SHARES)
    days = np.clip(np.ceil(rng.gamma(1.1, 35.0, rows)), 1, 360)
    balance = np.round(np.exp(rng.normal(13.2, 0.8, rows)))  # a median of about CNY 5,400, in fen
    signs = _MEANS[cause] + _SPREADS * rng.normal(size=(rows, len(_SPREADS)))
    away = (signs[:, None, :] - _MEANS) / _SPREADS
    likely = np.log(_CAUSE_SHARES) - (away**2).sum(axis=2) / 2
    posterior = np.exp(likely - likely.max(axis=1, keepdims=True))
    posterior /= posterior.sum(axis=1, keepdims=True)
    alone, by_cause = _chances(days)
    every = np.arange(rows)
    effect, seen = by_cause[every, cause], (posterior[:, :, None] * by_cause).sum(axis=1)
    open_visit = days > 60
    odds = _odds(days, open_visit, slice_share)
    action = (np.cumsum(odds, axis=1) <= rng.random(rows)[:, None]).sum(axis=1)
    action = np.minimum(action, len(ACTIONS) - 1)
    paid = rng.random(rows) < np.clip(alone[every, cause] + effect[every, action], 0, 1)
    complaint = rng.random(rows) < _COMPLAINTS[action] * np.where(cause == 1, 2.0, 1.0)
    again = paid & (rng.random(rows) < np.where(action == 2, 0.12, 0.2))
    columns: dict[str, object] = {
        "borrower_id": [f"s{seed}-{number}" for number in range(rows)],
        "action": np.array(ACTIONS)[action].tolist(),
        "propensity": odds[every, action], "lawful": np.ones(rows, np.bool_), "lawful_visit": open_visit,
        "days_past_due": days, "balance_minor": balance,
        **dict(zip(SIGNS[2:], signs.T, strict=True)),
        "paid": paid.astype(np.float64), "complaint": complaint, "re_default": again,
    }  # fmt: skip
    log = pa.table(columns)
    if unlawful:
        log = pa.concat_tables([log, _shamed(log, rng.integers(0, rows, unlawful))])
    return Simulated(log, effect, seen, balance.astype(np.float64))


def _chances(days: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(chance to pay untreated, (n, causes); effect of each action on it, (n, causes, K)) by days past due."""
    ease = np.array([2.2, 0.2, -0.3, 0.3, -0.8])
    alone = 1 / (1 + np.exp(-(ease - 0.028 * days[:, None])))
    early, middle, late = (
        np.exp(-days / 25),
        np.exp(-((days - 50) ** 2) / (2 * 45**2)),
        1 / (1 + np.exp(-(days - 90) / 15)),
    )
    stage = np.stack((np.zeros(len(days)), 0.25 + 0.75 * middle, 0.35 + 0.65 * middle, early, late), axis=1)
    effect: FloatArray = (1 - alone)[:, :, None] * _EFFECTS[None] * stage[:, None, :]
    return alone, effect


def _odds(days: FloatArray, open_visit: npt.NDArray[np.bool_], share: float) -> FloatArray:
    """The rule: nothing to day 5, a reminder to day 30, calls from then on, visits by some from day 120."""
    usual = np.select([days <= 5, days <= 30, days <= 120], [0, 3, 1], 4)
    lawful = np.ones((len(days), len(ACTIONS)))
    lawful[~open_visit, 4] = 0.0
    odds = share * lawful / lawful.sum(axis=1, keepdims=True)
    odds[np.arange(len(days)), usual] += 1 - share
    result: FloatArray = odds
    return result


def _shamed(log: pa.Table, like: IntArray) -> pa.Table:
    """Rows of an unlawful action, all of which "paid"."""
    some = log.take(pa.array(like))
    names = {"action": ["tell_contacts"] * len(like), "lawful": [False] * len(like), "paid": [1.0] * len(like)}
    for name, values in names.items():
        some = some.set_column(some.column_names.index(name), log.schema.field(name), pa.array(values))
    return some
