"""The cut-off: against brute force, a closed form, and books of which the best cut-off is known."""

import numpy as np
import pytest

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.cutoff import Curve, Limits, Past, curve


def book(seed: int, n: int = 20_000, *, declined_below: float | None = None) -> Past:
    """Applicants whose chance of being bad is logistic in the score; a good brings 8, a bad costs 40."""
    rng = np.random.default_rng(seed)
    score = rng.normal(600, 60, n)
    odds = np.exp((560 - score) / 35)
    bad = (rng.random(n) < odds / (1 + odds)).astype(float)
    if declined_below is not None:
        bad[score < declined_below] = np.nan
    over = (rng.random(n) < np.clip((800 - score) / 900, 0, 1)).astype(float)
    return Past(score, bad, np.full(n, 800.0), np.full(n, 4000.0), over)


BEST = 560 - 35 * np.log(800 / 4000)  # where 800 (1 - p) = 4000 p


def test_every_point_is_the_plain_sum_over_those_at_or_above() -> None:
    past = book(1, 3000)
    found = curve(past, Limits(), seed=0, bins=20)
    for at, cutoff in enumerate(found.cutoffs):
        above = past.score >= cutoff
        goods, bads = (past.bad[above] == 0).sum(), (past.bad[above] == 1).sum()
        assert found.profit.value[at] == pytest.approx(800 * goods - 4000 * bads)
        assert found.loss.value[at] == pytest.approx(4000 * bads)
        assert found.bad_share.value[at] == pytest.approx(bads / above.sum())
        assert found.over_indebted_share.value[at] == pytest.approx(past.over_indebted[above].mean())
        assert found.approval[at] == pytest.approx(above.mean())


def test_the_chosen_cutoff_lies_where_a_good_and_a_bad_weigh_the_same() -> None:
    found = curve(book(2, 60_000), Limits(), seed=0)
    assert found.best is not None and found.best_low is not None and found.best_high is not None
    assert found.best_low <= BEST <= found.best_high
    assert abs(found.cutoffs[found.best] - BEST) < 15


def test_the_interval_of_the_best_cutoff_covers_the_true_one_and_narrows_with_more_applicants() -> None:
    def bounds(n: int, seed: int) -> tuple[float, float]:
        found = curve(book(seed, n), Limits(), seed=seed)
        assert found.best_low is not None and found.best_high is not None
        return found.best_low, found.best_high

    few, many = [bounds(4_000, seed) for seed in range(20)], [bounds(40_000, seed) for seed in range(4)]
    assert sum(low <= BEST <= high for low, high in few) >= 16
    assert np.mean([high - low for low, high in many]) < np.mean([high - low for low, high in few])


def test_profits_interval_has_the_width_that_the_sum_of_squares_says() -> None:
    past = book(3, 10_000)
    found = curve(past, Limits(), seed=0, bins=10)
    each = np.where(past.bad == 1, -4000.0, 800.0)
    for at, cutoff in enumerate(found.cutoffs):
        deviation = np.sqrt((each[past.score >= cutoff] ** 2).sum())  # of a Poisson resample
        width = found.profit.high[at] - found.profit.low[at]
        assert width == pytest.approx(2 * 1.96 * deviation, rel=0.2)


def test_below_the_old_cutoff_nothing_is_known_and_nothing_is_chosen() -> None:
    found = curve(book(4, 40_000, declined_below=640), Limits(), seed=0)
    assert not found.supported[found.cutoffs < 635].any()
    assert found.best is not None and found.cutoffs[found.best] >= 635


def test_a_limit_on_bads_or_on_the_over_indebted_moves_the_cutoff_up() -> None:
    free, strict, light = (
        curve(book(5), limits, seed=0)
        for limits in (Limits(), Limits(bad_share=0.03), Limits(over_indebted_share=0.08))
    )

    def at(found: Curve) -> float:
        assert found.best is not None
        return float(found.cutoffs[found.best])

    assert at(strict) > at(free)
    assert strict.bad_share.value[strict.best or 0] <= 0.03
    assert light.over_indebted_share.value[light.best or 0] <= 0.08
    assert at(light) > at(free)


def test_a_limit_that_nothing_keeps_leaves_no_cutoff() -> None:
    found = curve(book(6), Limits(over_indebted_share=0.0001), seed=0)
    assert found.best is None and found.wrong is None


def test_being_wrong_costs_nothing_at_the_best_and_something_elsewhere() -> None:
    found = curve(book(7, 60_000), Limits(), seed=0)
    assert found.best is not None and found.wrong is not None
    assert found.wrong.value[found.best] == found.wrong.low[found.best] == 0
    assert (np.delete(found.wrong.value, found.best) >= 0).all()
    far = [0, len(found.cutoffs) - 1]
    assert (found.wrong.low[far] > 0).all()


def test_the_same_seed_gives_the_same_curve() -> None:
    one, other = (curve(book(8), Limits(), seed=3) for _ in range(2))
    assert np.array_equal(one.profit.low, other.profit.low) and one.best_low == other.best_low


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"bad": np.full(200, np.nan)}, "too few"),
        ({"bad": np.full(200, 2.0)}, "beside 0, 1"),
        ({"score": np.full(200, np.nan)}, "`score`"),
        ({"gain_minor": np.full(200, np.inf)}, "`gain_minor`"),
        ({"loss_minor": np.ones(3)}, "length"),
    ],
)
def test_what_cannot_be_judged_on_is_refused(change: dict[str, np.ndarray], why: str) -> None:
    plain = book(9, 200)
    columns = {name: getattr(plain, name) for name in Past.__slots__} | change
    with pytest.raises(InvalidInput, match=why):
        curve(Past(**columns), Limits(), seed=0)
