"""Shapley's split: against all orders one by one, and what it promises; the mixtures of two periods it is used on."""

from itertools import permutations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.shapley import nested_rates, shapley

FloatArray = npt.NDArray[np.float64]
WORTHS = st.integers(0, 5).flatmap(lambda n: arrays(np.float64, 2**n, elements=st.floats(-1e3, 1e3)))


def by_orders(worth: FloatArray) -> FloatArray:
    """What each factor adds when its turn comes, over every order."""
    factors = len(worth).bit_length() - 1
    added = np.zeros(factors)
    orders = list(permutations(range(factors)))
    for order in orders:
        place = 0
        for factor in order:
            added[factor] += worth[place | 1 << factor] - worth[place]
            place |= 1 << factor
    return added / len(orders)


@given(WORTHS)
def test_it_is_the_mean_over_all_orders_and_adds_up(worth: FloatArray) -> None:
    parts = shapley(worth)
    assert parts == pytest.approx(by_orders(worth), abs=1e-9)
    assert parts.sum() == pytest.approx(worth[-1] - worth[0], abs=1e-9)


@given(arrays(np.float64, 8, elements=st.floats(-1e3, 1e3)))
def test_a_factor_that_changes_nothing_gets_exactly_nothing(worth: FloatArray) -> None:
    idle = np.concatenate([worth, worth])  # the fourth bit makes no difference
    assert shapley(idle)[3] == 0.0


@given(arrays(np.float64, (2, 16), elements=st.floats(-1e3, 1e3)))
def test_parts_of_a_sum_are_sums_of_parts(worths: FloatArray) -> None:
    assert shapley(worths.T) == pytest.approx(np.stack([shapley(each) for each in worths]).T, abs=1e-9)
    assert shapley(worths.sum(axis=0)) == pytest.approx(shapley(worths.T).sum(axis=1), abs=1e-9)


def test_a_glove_game_has_its_known_answer() -> None:
    """One left glove and two right ones: a pair is worth 1 (4/6 and 1/6 each)."""
    worth = np.array([float(place & 1 and place & 6 != 0) for place in range(8)])
    assert shapley(worth) == pytest.approx([4 / 6, 1 / 6, 1 / 6])


def test_coalitions_that_are_no_power_of_two_are_refused() -> None:
    with pytest.raises(InvalidInput, match="2\\^n"):
        shapley(np.zeros(6))


COUNTS = arrays(np.int64, (2, 1, 2, 2, 3), elements=st.integers(0, 9))


@given(COUNTS, st.data())
def test_nothing_changed_and_everything_changed_are_what_was_seen(
    counts: npt.NDArray[np.int64], data: st.DataObject
) -> None:
    if not counts.sum(axis=(1, 2, 3, 4)).all():
        counts = counts + 1
    drawn = data.draw(arrays(np.float64, counts.shape, elements=st.floats(0, 1)))
    events = np.floor(counts * drawn)
    shift = data.draw(arrays(np.float64, counts.shape, elements=st.floats(-0.1, 0.1)))
    rates = nested_rates(counts.astype(float), events, shift)
    assert rates.shape == (32, 1, 2)
    for place, period in ((0, 0), (31, 1)):
        assert rates[place].sum() == pytest.approx(events[period].sum() / counts[period].sum(), abs=1e-12)


def plain(counts: FloatArray, events: FloatArray, shift: FloatArray, changed: tuple[bool, ...]) -> float:
    """The mixture of two periods cell by cell, with a look at each share where it is needed."""
    first, second, quality, outside = (int(flag) for flag in changed)
    total = 0.0
    for a in range(counts.shape[1]):
        for b in range(counts.shape[2]):
            one = counts[first, a].sum() / counts[first].sum()
            group = second if counts[second, a].sum() else 1 - second
            two = counts[group, a, b] / counts[group, a].sum() if counts[group, a].sum() else 0.0
            q = quality if counts[quality, a, b] else 1 - quality
            o = outside if counts[outside, a, b] else 1 - outside
            if one * two:
                total += one * two * (events[q, a, b] / counts[q, a, b] - shift[q, a, b] + shift[o, a, b])
    return total


@given(arrays(np.int64, (2, 2, 3), elements=st.integers(0, 5)), st.integers(0, 2**32 - 1))
def test_every_mixture_is_the_plain_sum_over_cells(counts: npt.NDArray[np.int64], seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts[:, 0, 0] += 1
    whole = counts.astype(float)
    events, shift = np.floor(whole * rng.random(whole.shape)), rng.normal(0, 0.05, whole.shape)
    rates = nested_rates(whole[:, None], events[:, None], shift[:, None])
    for place in range(16):
        changed = tuple(bool(place >> k & 1) for k in range(4))
        assert rates[place].sum() == pytest.approx(plain(whole, events, shift, changed), abs=1e-12)  # type: ignore[arg-type]
