"""What the next period may bring, from periods like it: intervals of prediction for shares and for totals.

An interval of prediction is wider than one of the mean: the next period differs from the mean by its own luck, too.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import stdtrit

from evenkeel.measures.discrimination import Estimate

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

LEAST_PERIODS = 3  # with fewer no interval is given: how much periods differ cannot be told
_LEVEL = 0.975


def predicted_totals(seen: FloatArray, expected: FloatArray) -> tuple[FloatArray, FloatArray]:
    """95 % interval of the next total of each column, 0 or more.

    seen: (T, J) earlier totals, brought to the size of what is predicted; NaN where not seen. expected: (J,) centre.
    half = t(T - 1) * s * sqrt(1 + 1 / T), exact for independent normal periods (Hahn & Meeker 1991, 4.1); NaN where a
    column was seen fewer than LEAST_PERIODS times. Returns low and high, each (J,).
    """
    count = np.sum(~np.isnan(seen), axis=0)
    filled = np.where(np.isnan(seen), 0.0, seen)
    mean = filled.sum(axis=0) / np.maximum(count, 1)
    square = np.where(np.isnan(seen), 0.0, (filled - mean) ** 2).sum(axis=0)
    enough = count >= LEAST_PERIODS
    degrees = np.maximum(count - 1, 1)
    half = stdtrit(degrees, _LEVEL) * np.sqrt(square / degrees * (1 + 1 / np.maximum(count, 1)))
    half = np.where(enough, half, np.nan)
    return np.maximum(expected - half, 0.0), expected + half


def predicted_share(hits: IntArray, trials: IntArray, coming: float) -> Estimate:
    """The share among `coming` trials of the next period, with its 95 % interval of prediction.

    hits, trials: (T,) of earlier periods. The share is pooled. Periods differ by chance and beyond it: the variance
    between them is found by moments (DerSimonian & Laird 1986), 0 at least, and the next one has it too. NaN for what
    cannot be told: all without trials, the interval with fewer than LEAST_PERIODS periods with trials.
    """
    used = trials > 0
    hits, trials = hits[used].astype(np.float64), trials[used].astype(np.float64)
    periods, total = len(trials), float(trials.sum())
    if periods == 0:
        return Estimate(np.nan, np.nan, np.nan)
    share = float(hits.sum()) / total
    if periods < LEAST_PERIODS or coming <= 0:
        return Estimate(share, np.nan, np.nan)
    held = (float(hits.sum()) + 0.5) / (total + 1)  # never 0 or 1, so that a share without any misses keeps a width
    luck = held * (1 - held)
    spread = float((trials * (hits / trials - share) ** 2).sum()) / luck
    between = max(spread - (periods - 1), 0.0) * luck / (total - float((trials**2).sum()) / total)
    # The pooled share's own error, the next period's difference from the rest, and its luck.
    error = luck / total + between * float((trials**2).sum()) / total**2
    half = float(stdtrit(periods - 1, _LEVEL)) * float(np.sqrt(error + between + luck / coming))
    return Estimate(share, max(share - half, 0.0), min(share + half, 1.0))
