"""Labels: was an account bad within h months of the month in which it was looked at?

Bad = M3 or worse, or charged off, within the horizon; a row in `outcomes` wins (CONTRACT 2, Labels).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_UNKNOWN, Panel, day_months

IntArray = npt.NDArray[np.int64]

GOOD, BAD, UNKNOWN = 0, 1, -1
BAD_STATE = 3  # M3
HORIZONS = (12, 6, 3, 1)
_NEVER = 10**6


def horizon_for(months: int) -> int | None:
    """The longest horizon that leaves half of `months` observed months for training, or None."""
    return next((horizon for horizon in HORIZONS if months - horizon >= months / 2), None)


def charge_off_months(panel: Panel, events: pa.Table | None) -> IntArray:
    """Month number in which each account was charged off, by its event or else its day of closing; 10**6 if never."""
    accounts = panel.accounts
    closed = day_months(accounts["closed_on"]).fill_null(_NEVER).to_numpy()
    charged = pc.fill_null(pc.equal(accounts["status"], "charged_off"), False).to_numpy()
    months = np.where(charged, closed, _NEVER).astype(np.int64)
    if events is not None:
        rows = events.filter(pc.equal(events["kind"], "charged_off"))
        place = pc.index_in(rows["account_id"].combine_chunks(), accounts["account_id"].combine_chunks())
        known = place.is_valid().to_numpy(zero_copy_only=False)
        when = day_months(rows["effective_at"], panel.zone).to_numpy()[known].astype(np.int64)
        np.minimum.at(months, place.drop_null().to_numpy(), when)
    return months


def outcome_labels(panel: Panel, outcomes: pa.Table | None) -> IntArray:
    """The label that `outcomes` gives each row of panel.months, -1 where it gives none."""
    labels = np.full(panel.months.num_rows, UNKNOWN, np.int64)
    if outcomes is None:
        return labels
    outcomes = outcomes.sort_by("as_of")  # of two in one month the later wins
    place = pc.index_in(outcomes["account_id"].combine_chunks(), panel.accounts["account_id"].combine_chunks())
    row = panel.rows_of(place.fill_null(-1).to_numpy().astype(np.int64), day_months(outcomes["as_of"]).to_numpy())
    found = row >= 0
    labels[row[found]] = outcomes["bad"].combine_chunks().to_numpy(zero_copy_only=False)[found].astype(np.int64)
    return labels


def observed_labels(panel: Panel, charged_off: IntArray, horizon: int) -> IntArray:
    """0 or 1 for each row of panel.months whose `horizon` months are over by panel.last_month, else -1.

    An account that leaves the file within the horizon without having been bad is good; one with a month in it whose
    state is not known, and none that was bad, cannot be told.
    """
    account, month, state = panel.account, panel.month, panel.state
    is_bad = (state >= BAD_STATE) & (state <= 7)
    bad, untold = np.zeros(len(account), bool), np.zeros(len(account), bool)
    for ahead in range(1, horizon + 1):
        same = account[ahead:] == account[:-ahead]
        bad[:-ahead] |= same & is_bad[ahead:]
        untold[:-ahead] |= same & (state[ahead:] == STATE_UNKNOWN)
    written_off = charged_off[account]
    bad |= (written_off > month) & (written_off <= month + horizon)
    told = (month + horizon <= panel.last_month) & (bad | ~untold)
    return np.where(told, bad.astype(np.int64), UNKNOWN)


def already_bad(panel: Panel, rows: IntArray, charged_off: IntArray) -> npt.NDArray[np.bool_]:
    """Whether the account of each row was bad when it was looked at: nothing is left to predict."""
    state, month = panel.state[rows], panel.month[rows]
    return ((state >= BAD_STATE) & (state <= 7)) | (charged_off[panel.account[rows]] <= month)


def labels_by_source(
    panel: Panel, tables: Mapping[str, pa.Table], horizon: int | None
) -> tuple[IntArray, npt.NDArray[np.bool_]]:
    """(label of each row of panel.months or -1, whether it comes from `outcomes`)."""
    given = outcome_labels(panel, tables.get("outcomes"))
    if horizon is None:
        return given, given != UNKNOWN
    seen = observed_labels(panel, charge_off_months(panel, tables.get("events")), horizon)
    return np.where(given != UNKNOWN, given, seen), given != UNKNOWN
