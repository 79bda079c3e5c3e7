"""The randomised slice: a small share of cases draws its treatment by lot among what is lawful and gentle.

Without it nothing can be learned of what treatments do: the record would only hold what the rule of the day would have
done anyway. The lot is a hash of seed, borrower and day, so that it can be drawn again and nobody can choose it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from evenkeel.arrears.rows import BoolArray, FloatArray, IntArray
from evenkeel.kernel.errors import InvalidInput

LEAST, MOST = 0.01, 0.5  # always on, and never most of the book


@dataclass(frozen=True, slots=True)
class Lot:
    """inside: (n,) who is in the slice. action: (n,) what was drawn, for all. chance: (n, K) of each in the slice."""

    share: float
    inside: BoolArray
    action: IntArray
    chance: FloatArray


def draw(gentle: BoolArray, borrowers: Sequence[str], day: date, share: float, seed: int) -> Lot:
    """Draw among the treatments that each case may have by lot, all with the same chance.

    gentle: (n, K) bool; column 0, to do nothing, is True. A case with nothing else to draw is not in the slice: there
    is nothing to learn from it. Raises InvalidInput where the share is not between 0.01 and 0.5.
    """
    if not LEAST <= share <= MOST:
        raise InvalidInput(f"a randomised slice of {share} cannot be.", f"Give a share from {LEAST} to {MOST}.")
    if not gentle[:, 0].all():
        raise InvalidInput("doing nothing must be open to everybody.")
    first, second = lots(borrowers, day, seed)
    count = gentle.sum(axis=1)
    nth = np.minimum((second * count).astype(np.int64), count - 1)
    running = np.cumsum(gentle, axis=1)
    action = np.argmax(running == (nth + 1)[:, None], axis=1)
    chance = gentle / count[:, None]
    return Lot(share, (first < share) & (count > 1), action, chance)


def lots(borrowers: Sequence[str], day: date, seed: int) -> tuple[FloatArray, FloatArray]:
    """Two numbers in [0, 1) for each borrower on a day, as if independent and uniform."""
    stem = f"{seed}\x1f{day.isoformat()}\x1f".encode()
    digests = b"".join(hashlib.blake2b(stem + one.encode(), digest_size=16).digest() for one in borrowers)
    words = np.frombuffer(digests, "<u8").reshape(-1, 2) >> np.uint64(11)
    found = words.astype(np.float64) / 2.0**53
    return found[:, 0], found[:, 1]


def propensities(lot: Lot, chosen: IntArray) -> FloatArray:
    """(n, K) chance with which each treatment was to be given, `chosen` being what the assignment says without the lot.

    share * chance, and 1 - share more for the treatment chosen; of those who cannot be in the slice all on the latter.
    """
    open_ = (lot.chance > 0).sum(axis=1) > 1
    share = np.where(open_, lot.share, 0.0)
    found: FloatArray = share[:, None] * lot.chance
    found[np.arange(len(chosen)), chosen] += 1 - share
    return found
