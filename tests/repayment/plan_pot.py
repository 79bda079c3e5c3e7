"""What is kept from month to month, in plain whole numbers: a pot, in hundredths of minor units.

What the start leaves is kept whole. Of what a month leaves `percent` % is counted on for later months, up to
`most_minor` beside what the start left; what a month lacks comes out of the pot. Without a pot each month has what it
has. Nothing of the planner is used.
"""

from __future__ import annotations

from collections.abc import Sequence

from evenkeel.repayment.model import Keep


def next_month(pot: int, over: int, most: int, keep: Keep) -> int:
    """The pot after a month that is so much over, or lacks it where below 0; most: what the pot holds at all."""
    return min(pot + keep.percent * over, most) if over >= 0 else pot + 100 * over


def pot_of(paid: Sequence[int], capacity: Sequence[int], keep: Keep) -> list[int]:
    """The pot at the end of the start and of every month: below 0 where it does not reach."""
    start = 100 * (capacity[0] - paid[0])
    pots = [start]
    for month in range(1, len(paid)):
        pots.append(next_month(pots[-1], capacity[month] - paid[month], start + 100 * keep.most_minor, keep))
    return pots


def short_months(paid: Sequence[int], capacity: Sequence[int], keep: Keep | None) -> list[int]:
    """The months that cannot carry what is paid in them."""
    if keep is None:
        return [month for month, amount in enumerate(paid) if amount > capacity[month]]
    return [month for month, pot in enumerate(pot_of(paid, capacity, keep)) if pot < 0]


def holds(paid: Sequence[int], capacity: Sequence[int], keep: Keep | None) -> bool:
    """Whether every month carries what is paid in it."""
    if keep is None:
        return all(amount <= most for amount, most in zip(paid, capacity, strict=False))
    pot = 100 * (capacity[0] - paid[0])
    most = pot + 100 * keep.most_minor
    for month in range(1, len(paid)):
        if pot < 0:
            return False
        pot = next_month(pot, capacity[month] - paid[month], most, keep)
    return pot >= 0


def least_aside(paid: Sequence[int], capacity: Sequence[int], keep: Keep, month: int) -> int:
    """The least, in whole minor units, that must stand aside at the end of a month (0: the start) for the rest of the
    payments to hold, those before it being paid as they are: by bisection. The pot that there is must be enough."""

    def enough(aside: int) -> bool:
        start = 100 * (capacity[0] - paid[0])
        pot = 100 * aside
        for later in range(month + 1, len(paid)):
            pot = next_month(pot, capacity[later] - paid[later], start + 100 * keep.most_minor, keep)
            if pot < 0:
                return False
        return True

    few, many = -1, max(0, -(-pot_of(paid, capacity, keep)[month] // 100))
    assert enough(many)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many
