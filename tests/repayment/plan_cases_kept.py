"""Cases for plans that live on what is kept: months without any money, and just as much, or one unit less, as is needed
for any plan at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hypothesis import assume
from hypothesis import strategies as st
from plan_brute import Row, cheapest, level_rows
from plan_cases import SURVIVAL, Drawn, claims_of, months_of

from evenkeel.repayment.model import HORIZON, Claim, IntArray, Keep

SEASONS = ((8, 0), (8, 8, 0), (4, 8, 0, 0), (8, 4, 2, 1), (1, 8), (0, 8, 8, 8), (*[8] * 11, 0), (8, 7, 8, 6, 8))
Solver = Callable[[Sequence[set[Row]], Sequence[int], Keep | None], int | None]
PERCENTS = (50, 100, 33, 80, 1, 0)


@st.composite
def kept_level(draw: st.DrawFn, sizes: Sequence[int] = (500, 10**5, 12), most: int = 3, longest: int = 12,
    solver: Solver = cheapest, keep: Keep | None = None,
) -> Drawn:  # fmt: skip
    """Creditors that want level instalments. keep: how money is kept, drawn where it is not given."""
    size = draw(st.sampled_from(sizes))
    claims = tuple(
        draw(claims_of(place, ("level",), size, longest, recovery=draw(st.booleans())))
        for place in range(draw(st.integers(1, most)))
    )
    role = draw(st.sampled_from((None, None, "clerk", "head")))
    rows = [level_rows(claim, SURVIVAL.tolist(), role) for claim in claims]
    assume(all(rows))
    most_kept = st.sampled_from((9 * size, size, size // 20, 1, 0))
    keep = keep or Keep(draw(st.sampled_from(PERCENTS)), draw(most_kept))
    return Drawn(claims, draw(just_enough(rows, keep, solver)), role, None, keep)


@st.composite
def kept_any(draw: st.DrawFn, claims: tuple[Claim, ...], rows: Sequence[set[Row]]) -> Drawn:
    """Claims of a few units, each with all schedules that its creditor takes."""
    assume(all(rows))
    keep = Keep(draw(st.sampled_from(PERCENTS)), draw(st.sampled_from((0, 1, 2, 9))))
    return Drawn(claims, draw(just_enough(rows, keep)), None, None, keep)


@st.composite
def just_enough(draw: st.DrawFn, rows: Sequence[set[Row]], keep: Keep, solver: Solver = cheapest) -> IntArray:
    """What months of a kind must carry at the least, or one unit less in one of them."""
    most = sum(max(map(sum, some)) for some in rows)
    start = draw(st.sampled_from((0, 0, 0, 1, most // 8, most // 3)))
    season = draw(st.one_of(st.sampled_from(SEASONS), st.lists(st.sampled_from((0, 1, 2, 8)), min_size=3, max_size=12)))
    ends = draw(st.sampled_from((HORIZON, HORIZON, 3, 12)))

    def of_scale(scale: int) -> IntArray:
        capacity = months_of(0, start)
        for month in range(1, ends + 1):
            capacity[month] = scale * season[(month - 1) % len(season)] // 8
        return capacity

    scale = least(lambda one: solver(rows, of_scale(one).tolist(), keep) is not None, 10 * most)
    assume(scale is not None)
    capacity = of_scale(scale)
    if (month := draw(st.integers(-12, 6))) > 0:
        capacity[month] = max(0, capacity[month] - 1)
    return capacity


def least(enough: Callable[[int], bool], most: int) -> int | None:
    """The least amount from 0 to `most` that is enough, by bisection; None where none is."""
    few, many = -1, most
    if not enough(many):
        return None
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if enough(middle) else (middle, many)
    return many
