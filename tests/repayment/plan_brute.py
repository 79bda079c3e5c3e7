"""All plans of a small case, one by one: its own rungs, its own schedules; what the planner must be as good as."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

from plan_pot import holds
from plan_verifier import (
    authority_of,
    clears,
    longest_of,
    parts_owed,
    recovered_share,
    share_down,
    share_up,
    terms_of,
    with_interest,
    worth_with,
)

from evenkeel.repayment.case import COMPONENTS
from evenkeel.repayment.model import HORIZON, Claim, Keep

MILLION = 10**6
Row = tuple[int, ...]  # payments from month 0


def bargains(claim: Claim, role: str | None) -> set[tuple[int, int]]:
    """(owed under the plan, rate) of every concession that may be asked for: each rung of the ladder in full, the last
    as far as the role may go."""
    rungs, waived, most = {0}, 0, authority_of(claim, role)
    for name, amount in zip(COMPONENTS, parts_owed(claim), strict=True):
        waived = min(most, waived + share_down(amount, claim.policy.waivers.get(name, 0.0)))
        rungs.add(waived)
    rates = {claim.rate_micros} | {round(rate * MILLION) for rate in claim.policy.rates}
    return {(sum(parts_owed(claim)) - rung, rate) for rung in rungs for rate in rates if rate <= claim.rate_micros}


def worthwhile(claim: Claim, owed: int, rate: int, row: Row, survival: Sequence[float]) -> bool:
    """Whether its creditor gains: present values rounded as they are reported, to whole minor units."""
    return round(worth_with(claim, owed, rate, row, survival)) >= int(sum(parts_owed(claim)) * recovered_share(claim))


def level_row(claim: Claim, owed: int, rate: int, term: int) -> Row | None:
    """The share at the start, then the least equal instalments; None where there is nothing left for them."""
    if term == 0:
        return (owed,)
    start = share_up(owed, claim.policy.upfront_share)
    left = owed - start
    if not left:
        return None
    few, many = 0, with_interest(left, rate)  # by bisection: fewer never clear, many always do
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if clears(left, rate, term, middle) else (middle, many)
    row = [start]
    while left:
        left = with_interest(left, rate)
        row.append(min(left, many))
        left -= row[-1]
    return tuple(row)


def level_rows(claim: Claim, survival: Sequence[float], role: str | None) -> set[Row]:
    """Every schedule of equal instalments that a creditor may be asked for."""
    rows = set()
    for (owed, rate), term in product(bargains(claim, role), terms_of(claim)):
        row = level_row(claim, owed, rate, term)
        if row is None or any(amount < claim.policy.minimum_instalment_minor for amount in row[1:-1]):
            continue
        if worthwhile(claim, owed, rate, row, survival):
            rows.add(row)
    return rows


def any_rows(claim: Claim, survival: Sequence[float], role: str | None) -> set[Row]:
    """Every schedule of whole amounts."""
    rows = set()
    for owed, rate in bargains(claim, role):
        for row in _paths(claim, owed, rate, longest_of(claim)):
            if worthwhile(claim, owed, rate, row, survival):
                rows.add(row)
    return rows


def _paths(claim: Claim, owed: int, rate: int, months: int) -> Iterator[Row]:
    start, minimum = share_up(owed, claim.policy.upfront_share), claim.policy.minimum_instalment_minor

    def from_here(left: int, month: int) -> Iterator[Row]:
        if left == 0:
            yield () if month else (0,)
        elif month <= months:
            grown = with_interest(left, rate) if month else left
            for amount in range(min(grown, minimum if month else start), grown + 1):
                for rest in from_here(grown - amount, month + 1):
                    yield (amount, *rest)

    return from_here(owed, 0)


def cheapest(rows: Sequence[set[Row]], capacity: Sequence[int], keep: Keep | None = None) -> int | None:
    """Least sum of one row of each that every month can carry; None where none can."""
    return _least(rows, capacity, keep, sum)


def fewest(rows: Sequence[set[Row]], capacity: Sequence[int], keep: Keep | None = None) -> int | None:
    """Least sum of lengths."""
    return _least(rows, capacity, keep, length)


def soonest(rows: Sequence[set[Row]], capacity: Sequence[int], keep: Keep | None = None) -> int | None:
    """Least length of the longest."""
    for months in sorted({length(row) for some in rows for row in some}):
        kept = [{row for row in some if length(row) <= months} for some in rows]
        if _least(kept, capacity, keep, sum) is not None:
            return months
    return None


def length(row: Row) -> int:
    """The month of the last payment."""
    return max((month for month, amount in enumerate(row) if amount), default=0)


def _least(
    rows: Sequence[set[Row]], capacity: Sequence[int], keep: Keep | None, cost: Callable[[Row], int]
) -> int | None:
    """Creditor by creditor: of all sums of payments so far the least cost; nothing is left out but what the months
    cannot carry, as to pay more never leaves more."""
    months = max((len(row) for some in rows for row in some), default=0)
    sums: dict[Row, int] = {(0,) * months: 0}
    for some in rows:
        priced = [(row, cost(row)) for row in some]
        found: dict[Row, int] = {}
        for paid, so_far in sums.items():
            for row, price in priced:
                total = tuple(one + other for one, other in zip(row, paid, strict=False)) + paid[len(row) :]
                if holds(total, capacity, keep):
                    found[total] = min(found.get(total, so_far + price), so_far + price)
        sums = found
    return min(sums.values(), default=None)


def more_needed(
    rows: Sequence[set[Row]], capacity: Sequence[int], start: bool = False, keep: Keep | None = None
) -> int | None:
    """The least that every month, or the start, must carry beyond its capacity; None where nothing helps."""
    least: int | None = None
    for chosen in product(*rows):
        total = [sum(row[month] if month < len(row) else 0 for row in chosen) for month in range(HORIZON + 1)]

        def carried(amount: int, total: Sequence[int] = total) -> bool:
            more = [amount * (start == (month == 0)) for month in range(HORIZON + 1)]
            return holds(total, [one + other for one, other in zip(capacity, more, strict=True)], keep)

        few, many = -1, sum(total) if least is None else least
        if not carried(many):
            continue
        while many - few > 1:
            middle = (few + many) // 2
            few, many = (few, middle) if carried(middle) else (middle, many)
        least = many
    return least
