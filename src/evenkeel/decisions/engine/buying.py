"""What a policy reads of purchases, from the columns that the model sees: one compiled pass for a handful of them."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from evenkeel.decisions.engine.position import OPEN

# What is read, and what is told of it in this order; yes-or-no as 1 and 0, NaN where not known.
READ = ("frozen", "stage", "purchases_7d", "purchase_sum_7d", "purchase_most_30d", "watched", "device_other")
TOLD = ("frozen", "closed", "amount_to_usual", "watch_list", "device_changed")
DECLINES = 2  # the effect of an entry of a watch list that declines
_OPEN, _DECLINES = OPEN, DECLINES


@numba.njit(cache=True, nogil=True)  # type: ignore[untyped-decorator]
def told_of_purchases(matrix: Any, places: Any, amounts: Any) -> Any:
    """(len(TOLD), n) float64. matrix: (n, k); places: of READ in its columns, -1 where it has none; amounts: (n,).

    amount_to_usual: the amount over the mean purchase of a week, else over the largest of a month; 1 without either.
    watch_list: 1 where an entry declines; not known where a person is to look, or where nobody could look.
    """
    found = np.empty((5, len(matrix)))
    read = np.empty(7)
    for row in range(len(matrix)):
        for place in range(7):
            read[place] = matrix[row, places[place]] if places[place] >= 0 else np.nan
        frozen, stage, count, total, most = read[0], read[1], read[2], read[3], read[4]
        found[0, row] = frozen != 0
        found[1, row] = stage != _OPEN
        usual = total / count if count > 0 else most
        found[2, row] = amounts[row] / usual if usual > 0 else 1.0
        if places[2] < 0 or places[3] < 0 or places[4] < 0:
            found[2, row] = np.nan
        watched, other = read[5], read[6]
        found[3, row] = 0.0 if watched == 0 else 1.0 if watched == _DECLINES else np.nan
        found[4, row] = other if other >= 0 else np.nan
    return found
