"""The strategies by hand with a pot: all ways to hold something back, one by one."""

from __future__ import annotations

from collections.abc import Sequence

from plan_pot import next_month
from plan_verifier import spread, with_interest

from evenkeel.repayment.model import Keep

Column = list[int]  # payments of one month, by debt


def most_spared(
    owed: Sequence[int], rates: Sequence[int], least: Sequence[int], start: Sequence[int], capacity: Sequence[int],
    strategy: str, keep: Keep,
) -> list[list[int]] | None:  # fmt: skip
    """Each month the least instalments, then as much as can be spared, by the strategy, for all later months to have
    theirs: of all ways that hold, the one that pays most at the start, of those the one that pays most in month 1, and
    so on, so that what is held back is as little and as late as can be. None where none holds. For a few units."""
    hopeless: set[tuple[object, ...]] = set()

    def from_here(month: int, owing: tuple[int, ...], pot: int, most: int) -> list[Column] | None:
        if month == len(capacity):
            return []
        if (month, owing, pot, most) in hopeless:
            return None
        left = [with_interest(one, rate) for one, rate in zip(owing, rates, strict=True)] if month else list(owing)
        first = [min(one, other) for one, other in zip(left, least if month else start, strict=True)]
        left = [one - other for one, other in zip(left, first, strict=True)]
        for spared in range(sum(left), -1, -1):
            over = capacity[month] - sum(first) - spared
            after = next_month(pot, over, most, keep) if month else 100 * over
            if after < 0:
                continue
            extra = spread(spared, left, rates, strategy)
            owing_then = tuple(one - other for one, other in zip(left, extra, strict=True))
            rest = from_here(month + 1, owing_then, after, most if month else after + 100 * keep.most_minor)
            if rest is not None:
                return [[one + other for one, other in zip(first, extra, strict=True)], *rest]
        hopeless.add((month, owing, pot, most))
        return None

    columns = from_here(0, tuple(owed), 0, 0)
    return None if columns is None else [list(row) for row in zip(*columns, strict=True)]
