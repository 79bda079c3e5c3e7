"""What few rows come to, by the pieces that their inputs fall into: looked up where they were decided before.

A policy cuts each input at its constants, and decides on the pieces alone. A handful of applicants, as they come live,
mostly fall into pieces that earlier ones fell into; then all that is left is to tell the pieces and to look them up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import prod

import numpy as np
import numpy.typing as npt

from evenkeel.policy.abstract import Abstract
from evenkeel.policy.vector.columns import Batch, Chosen, Codes, Codified, Compared, Cut, Given, Hits, Lifted, Listed

MOST_ROWS = 1024  # beyond, columns are quicker
_MOST_KNOWN = 65_536
_MOST_KEYS = 2**62


class Pieces:
    """The roots of some plans, and what rows of the same pieces came to.

    roots: the columns of codes that all rests on, None where rows are decided by more; weights: of each in a row's key.
    """

    def __init__(self, plans: Iterable[Abstract]) -> None:
        roots = _roots(plans)
        sizes = [len(root.values) for root in roots or ()]
        self.roots = roots if prod(sizes) <= _MOST_KEYS else None
        self.weights = np.array([prod(sizes[:place]) for place in range(len(sizes))], np.int64)
        self._known: dict[int, int] = {}
        self._found: Codes = np.zeros((0, 0), np.intp)

    def look_up(self, batch: Batch, decide: Callable[[Batch], Sequence[Codes]]) -> npt.NDArray[np.intp] | None:
        """(k, n): the k columns that `decide` gives for a batch, for each of its rows. None where rows are decided by
        more than pieces; decide the batch itself then."""
        if self.roots is None or batch.size > MOST_ROWS:
            return None
        codes = [root.run(batch) for root in self.roots]
        keys = self.weights.dot(np.array(codes)).tolist() if codes else [0] * batch.size
        places = [self._known.get(key, -1) for key in keys]
        if -1 in places:
            self._decide(batch, keys, decide)
            places = [self._known[key] for key in keys]
        return self._found.take(places, axis=1)

    def _decide(self, batch: Batch, keys: Sequence[int], decide: Callable[[Batch], Sequence[Codes]]) -> None:
        """Decide one row of each piece that is new."""
        if len(self._known) > _MOST_KNOWN:
            self._known, self._found = {}, self._found[:, :0]
        new = {key: row for row, key in enumerate(keys) if key not in self._known}
        rows = np.array(list(new.values()))
        part = Batch(
            len(rows), {name: column[rows] for name, column in batch.columns.items()}, np.zeros(len(rows), bool)
        )
        found = np.array(decide(part), np.intp)
        start = self._found.shape[1]
        self._known |= {key: start + place for place, key in enumerate(new)}
        self._found = np.concatenate([self._found, found], axis=1) if start else found


def _roots(plans: Iterable[Abstract]) -> list[Codified] | None:
    """The columns of codes that plans rest on in the end; None where one is not of few values."""
    roots: dict[int, Codified] = {}
    waiting = list(plans)
    seen: set[int] = set()
    while waiting:
        plan = waiting.pop()
        if id(plan) in seen:
            continue
        seen.add(id(plan))
        if isinstance(plan, Cut | Listed | Compared):
            roots[id(plan)] = plan
        elif isinstance(plan, Lifted):
            waiting += plan.operands
        elif isinstance(plan, Chosen | Hits):
            waiting += plan.parts
        elif isinstance(plan, Given) or not isinstance(plan, Codified):
            return None
    return list(roots.values())
