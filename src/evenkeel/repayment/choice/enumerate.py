"""Exact choice among what a relaxation leaves open: depth first, in the order of reduced costs.

With prices of the months from the relaxed programme, an option costs  cost + prices . payments;  whatever is chosen
costs at least the sum of these less what all capacity fetches: each month's at its own price, or kept for a later one
at that one's. Once a choice is known, an option whose reduced cost lies above what separates the two bounds is in no
better one. Mostly a handful are left of each creditor.

Source: Nauss, An efficient algorithm for the 0-1 knapsack problem (1976); the same reasoning for multiple choice.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numba
import numpy as np

from evenkeel.repayment.choice.purse import NOTHING, WHOLE, borne, share_and_most
from evenkeel.repayment.model import FloatArray, IntArray, Keep

MOST_NODES = 3_000_000  # then the best found so far is taken: a count, not a time, so that it is the same everywhere
_NONE, _GAVE_UP = -1, -2
_HAIR = 1e-6  # of a minor unit


def choose(
    costs: Sequence[FloatArray], payments: Sequence[IntArray], capacity: IntArray, keep: Keep | None, prices: FloatArray
) -> list[int] | None:
    """The option of each block with the least sum of costs whose payments can be carried; an empty list where none can,
    None where none was found in MOST_NODES.

    payments: (options, months) of each block; capacity, prices (0 or more): (months,), the start first.
    """
    reduced = [cost + rows @ prices for cost, rows in zip(costs, payments, strict=True)]
    spread = [float(one.max() - one.min()) for one in reduced]
    order = sorted(range(len(costs)), key=lambda block: -spread[block])  # the most telling first
    ranks = [np.argsort(reduced[block], kind="stable") for block in order]
    starts = np.cumsum([0, *(len(one) for one in ranks)])
    flat = np.concatenate([payments[block][rank] for block, rank in zip(order, ranks, strict=True)])
    picks = _search(
        np.concatenate([costs[block][rank] for block, rank in zip(order, ranks, strict=True)]),
        np.concatenate([reduced[block][rank] for block, rank in zip(order, ranks, strict=True)]),
        np.ascontiguousarray(flat), starts, capacity, *share_and_most(keep), fetched(prices, capacity, keep),
        MOST_NODES,
    )  # fmt: skip
    if picks[0] < 0:
        return None if picks[0] == _GAVE_UP else []
    found = [0] * len(costs)
    for block, rank, pick in zip(order, ranks, picks.tolist(), strict=True):
        found[block] = int(rank[pick])
    return found


def fetched(prices: FloatArray, capacity: IntArray, keep: Keep | None) -> float:
    """The most that capacity can fetch at prices, whatever is kept for later; the bound on what is kept left out."""
    if keep is not None:
        later = np.maximum.accumulate(prices[::-1])[::-1]
        kept = np.append(later[1:], 0.0) * keep.percent / WHOLE
        prices = np.maximum(prices, np.append(later[:1], kept[1:]))
    return float(prices @ capacity)


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _search(  # type: ignore[no-untyped-def]  # pragma: no cover - compiled
    costs: Any, reduced, payments, starts, capacity, share, most_kept, priced, most
):
    """The best pick of each block; _NONE where there is none, _GAVE_UP where none was found in time. Options of a block
    are sorted by reduced cost."""
    blocks, months = len(starts) - 1, payments.shape[1]
    rest = np.zeros(blocks + 1)  # least reduced cost of the blocks from here on
    least = np.zeros((blocks + 1, months), np.int64)  # and the least they pay in each month
    for block in range(blocks - 1, -1, -1):
        first, last = starts[block], starts[block + 1]
        rest[block] = rest[block + 1] + reduced[first]
        for month in range(months):
            least[block, month] = least[block + 1, month] + payments[first:last, month].min()
    best, best_cost = np.full(blocks, _NONE, np.int64), np.inf
    at = np.full(blocks, -1, np.int64)
    paid, light = np.zeros((blocks + 1, months), np.int64), np.zeros(months, np.int64)
    bound, cost = np.zeros(blocks + 1), np.zeros(blocks + 1)
    block, nodes = 0, 0
    while block >= 0:
        at[block] += 1
        option = starts[block] + at[block]
        nodes += 1
        if (
            nodes > most
            or option >= starts[block + 1]
            or bound[block] + reduced[option] + rest[block + 1] - priced >= best_cost - _HAIR
        ):  # the others of the block cost more still
            at[block] = -1
            block -= 1
            continue
        fits = True
        for month in range(months):
            now = paid[block, month] + payments[option, month]
            paid[block + 1, month] = now
            light[month] = now + least[block + 1, month]
            if light[month] > capacity[month]:
                fits = False
                if share == NOTHING:
                    break
        if not (fits or (share != NOTHING and borne(light, capacity, share, most_kept))):
            continue
        bound[block + 1] = bound[block] + reduced[option]
        cost[block + 1] = cost[block] + costs[option]
        if block + 1 < blocks:
            block += 1
        elif cost[blocks] < best_cost - _HAIR:
            best_cost = cost[blocks]
            best[:] = at
    if nodes > most and best[0] == _NONE:
        best[0] = _GAVE_UP
    return best
