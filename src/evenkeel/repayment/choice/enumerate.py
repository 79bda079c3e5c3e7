"""Exact choice among what a relaxation leaves open: depth first, in the order of reduced costs.

With prices of the months from the relaxed programme, an option costs  cost + prices . payments;  whatever is chosen
costs at least the sum of these less what all capacity fetches (`relaxed.Prices`). An option whose reduced cost lies
above what separates this bound from a choice that is known is in no better one; and where none is known, choices are
looked for near the bound first, then further off. Once some options are taken that are heavier on the months than the
relaxation would have them, the rest has to be lighter, at a higher price: so the bound is held at several.

Source: Nauss, An efficient algorithm for the 0-1 knapsack problem (1976); the same reasoning for multiple choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np

from evenkeel.repayment.choice.purse import NOTHING, WHOLE, after, borne, share_and_most
from evenkeel.repayment.choice.relaxed import HAIR, Prices
from evenkeel.repayment.model import FloatArray, IntArray, Keep

MOST_NODES = 500_000  # then the best found so far is taken: a count, not a time, so that it is the same everywhere
_NONE = -1
_SCALES = (1.0, 0.5, 0.7, 0.85, 1.15, 1.4, 2.0, 4.0)  # of prices; the first are those of the relaxation
_HAIR = 1e-6  # of a minor unit
_EVEN = 1e-12  # of a share


@dataclass(frozen=True, slots=True)
class Equal:
    """shares: of each block what its options pay of what is owed, not a number where nothing is; none of those picked
    may be above `bound` times another."""

    shares: Sequence[FloatArray]
    bound: float


def choose(
    costs: Sequence[FloatArray], payments: Sequence[IntArray], capacity: IntArray, keep: Keep | None, prices: Prices,
    equal: Equal | None = None, known: Sequence[Sequence[int]] = (), most: int = MOST_NODES,
) -> tuple[list[int], bool]:  # fmt: skip
    """The option of each block with the least sum of costs whose payments can be carried; an empty list where there is
    none. And whether that is sure: else it is what was found in so many nodes, or one of those known made better.

    payments: (options, months) of each block; capacity: (months,), the start first. equal: what else must hold.
    """
    ranked = _Ranked.of(costs, payments, [prices.scaled(scale) for scale in _SCALES], capacity, keep, equal)
    bound, left = ranked.bound, most
    apart = abs(bound) / 4096 + _HAIR
    while True:
        found, nodes, cut = ranked.search(capacity, keep, bound + apart, left, any_one=False)
        left -= nodes
        if left < 0:
            if not found and known:
                better = [list(one) if equal else ranked.exchanged(one, capacity, keep) for one in known]
                found = min(better, key=lambda picks: _sum(costs, picks))
            return found, False
        if found or not cut:
            return found, True
        apart *= 2


def fitting(
    payments: Sequence[IntArray], capacity: IntArray, keep: Keep | None, prices: Prices, equal: Equal | None = None,
    most: int = MOST_NODES,
) -> tuple[list[int], bool]:  # fmt: skip
    """An option of each block whose payments can be carried, whatever it costs; see `choose`."""
    ranked = _Ranked.of([np.zeros(len(rows)) for rows in payments], payments, [prices], capacity, keep, equal)
    limit = 2 * _HAIR + HAIR * abs(float(ranked.fetched[0]))
    found, nodes, _ = ranked.search(capacity, keep, limit, most, any_one=True)
    return found, bool(found) or nodes <= most


def _sum(costs: Sequence[FloatArray], picks: Sequence[int]) -> float:
    return sum(float(cost[pick]) for cost, pick in zip(costs, picks, strict=True))


@dataclass(frozen=True, slots=True)
class _Ranked:
    """Blocks with the most telling first, options by reduced cost, one after the other from `starts`. order, ranks: the
    places that they had. reduced: (prices, options); fetched: (prices,), by the capacity."""

    order: list[int]
    ranks: list[IntArray]
    starts: IntArray
    costs: FloatArray
    payments: IntArray
    reduced: FloatArray
    fetched: FloatArray
    shares: FloatArray
    unequal: float  # how far apart shares may be

    @classmethod
    def of(
        cls, costs: Sequence[FloatArray], payments: Sequence[IntArray], prices: Sequence[Prices], capacity: IntArray,
        keep: Keep | None, equal: Equal | None,
    ) -> _Ranked:  # fmt: skip
        months = np.stack([one.months for one in prices], axis=1)
        reduced = [cost[:, None] + rows @ months for cost, rows in zip(costs, payments, strict=True)]
        spread = [float(np.ptp(one[:, 0])) for one in reduced]
        order = sorted(range(len(costs)), key=lambda block: -spread[block])
        ranks = [np.argsort(reduced[block][:, 0], kind="stable") for block in order]

        def flat(columns: Sequence[Any]) -> Any:
            return np.concatenate([columns[block][rank] for block, rank in zip(order, ranks, strict=True)])

        starts = np.cumsum([0, *(len(rank) for rank in ranks)])
        fetched = np.array([one.fetched(capacity, keep) for one in prices])
        return cls(
            order, ranks, starts, flat(costs), np.ascontiguousarray(flat(payments)),
            np.ascontiguousarray(flat(reduced).T), fetched, flat(equal.shares if equal else costs),
            equal.bound if equal else np.inf,
        )  # fmt: skip

    @property
    def bound(self) -> float:
        """What any choice costs at the least."""
        return float(self.reduced[0, self.starts[:-1]].sum() - self.fetched[0])

    def search(
        self, capacity: IntArray, keep: Keep | None, limit: float, most: int, any_one: bool
    ) -> tuple[list[int], int, bool]:
        """The best pick of each block that costs less than the limit, or any one, empty where there is none; the nodes
        it took, more than `most` where it was given up; whether the limit has cut anything off."""
        picks, nodes, cut = _search(
            self.costs, self.reduced, self.payments, self.starts, capacity, *share_and_most(keep), self.fetched,
            self.shares, self.unequal, limit, any_one, most,
        )  # fmt: skip
        return self._found(picks), nodes, cut

    def exchanged(self, picks: Sequence[int], capacity: IntArray, keep: Keep | None) -> list[int]:
        """A pick of each block that can be carried, made cheaper by changing two at a time as long as that is so."""
        at = np.array(
            [np.flatnonzero(rank == picks[block])[0] for block, rank in zip(self.order, self.ranks, strict=True)]
        )
        return self._found(_exchanged(at, self.costs, self.payments, self.starts, capacity, *share_and_most(keep)))

    def _found(self, picks: IntArray) -> list[int]:
        if picks[0] == _NONE:
            return []
        found = [0] * len(self.order)
        for block, rank, pick in zip(self.order, self.ranks, picks.tolist(), strict=True):
            found[block] = int(rank[pick])
        return found


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _rests(reduced: Any, payments: Any, starts: Any, fetched: Any) -> Any:  # pragma: no cover - compiled
    """(prices, blocks + 1): the least reduced cost of the blocks from each on, less what is fetched; and (blocks + 1,
    months) the least that they pay in each month."""
    prices, blocks, months = len(fetched), len(starts) - 1, payments.shape[1]
    rest, least = np.zeros((prices, blocks + 1)), np.zeros((blocks + 1, months), np.int64)
    rest[:, blocks] = -fetched
    for block in range(blocks - 1, -1, -1):
        first, last = starts[block], starts[block + 1]
        for price in range(prices):
            rest[price, block] = rest[price, block + 1] + reduced[price, first:last].min()
        for month in range(months):
            least[block, month] = least[block + 1, month] + payments[first:last, month].min()
    return rest, least


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _exchanged(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    at: Any, costs, payments, starts, capacity, share, most_kept
):
    """The picks of `_Ranked.exchanged`."""
    blocks, better = len(at), True
    paid = payments[starts[:-1] + at].sum(axis=0)
    while better:
        better = False
        for one in range(blocks):
            for other in range(one + 1, blocks):
                was, too = starts[one] + at[one], starts[other] + at[other]
                left = paid - payments[was] - payments[too]
                least = costs[was] + costs[too] - _HAIR
                for first in range(starts[one], starts[one + 1]):
                    for second in range(starts[other], starts[other + 1]):
                        cost = costs[first] + costs[second]
                        if cost < least and borne(
                            left + payments[first] + payments[second], capacity, share, most_kept
                        ):
                            least, better = cost - _HAIR, True
                            at[one], at[other] = first - starts[one], second - starts[other]
                paid = left + payments[starts[one] + at[one]] + payments[starts[other] + at[other]]
    return at


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _search(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    costs: Any, reduced, payments, starts, capacity, share, most_kept, fetched, shares, unequal, limit, any_one, most
):
    """The picks of `_Ranked.search`, _NONE where there are none, the nodes, and whether anything was cut off."""
    prices, blocks, months = len(fetched), len(starts) - 1, payments.shape[1]
    rest, least = _rests(reduced, payments, starts, fetched)
    best, best_cost = np.full(blocks, _NONE, np.int64), limit
    at = np.full(blocks, -1, np.int64)
    paid = np.zeros((blocks + 1, months), np.int64)
    bound, cost = np.zeros((prices, blocks + 1)), np.zeros(blocks + 1)
    low, high = np.full(blocks + 1, np.inf), np.zeros(blocks + 1)  # of the shares so far
    block, nodes, cut = 0, 0, False
    while block >= 0 and nodes <= most:
        at[block] += 1
        option = starts[block] + at[block]
        nodes += 1
        last = option >= starts[block + 1]
        dear = last
        for price in range(prices):
            if not dear and bound[price, block] + reduced[price, option] + rest[price, block + 1] >= best_cost - _HAIR:
                dear = cut = True
                last = price == 0  # the others of the block cost more still
        if last:
            at[block] = -1
            block -= 1
        if dear:
            continue
        low[block + 1], high[block + 1] = low[block], high[block]
        if shares[option] >= 0:
            low[block + 1], high[block + 1] = min(low[block], shares[option]), max(high[block], shares[option])
            if high[block + 1] > unequal * low[block + 1] + _EVEN:
                continue
        kept = top = 0
        for month in range(months):  # as in `borne`, of what is paid at the least
            paid[block + 1, month] = paid[block, month] + payments[option, month]
            over = capacity[month] - paid[block + 1, month] - least[block + 1, month]
            if month:
                kept = after(kept, over, share, top)
            else:
                kept = min(over, 0) if share == NOTHING else WHOLE * over
                top = kept + most_kept
            if kept < 0:
                break
        if kept < 0:
            continue
        bound[:, block + 1] = bound[:, block] + reduced[:, option]
        cost[block + 1] = cost[block] + costs[option]
        if block + 1 < blocks:
            block += 1
        elif cost[blocks] >= best_cost - _HAIR:
            cut = True
        else:
            best_cost = cost[blocks]
            best[:] = at
            if any_one:
                break
    return best, nodes, cut
