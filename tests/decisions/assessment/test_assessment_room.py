"""Racing applications: each sees what was promised before it, and together they never exceed the cap."""

from datetime import timedelta

import pytest
from assessment_samples import at
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.decisions.assessment.room import Promise, granted, room_left
from evenkeel.kernel.errors import InvalidInput

AMOUNT = st.integers(0, 10**9)


def _promise(amount: int, until: float = 5.0, name: str = "q") -> Promise:
    return Promise(name, amount, at(0), at(until))


@given(cap=AMOUNT, exposure=AMOUNT, wanted=st.lists(AMOUNT, max_size=12), step=st.sampled_from((1, 7, 10_000)))
def test_however_many_race_the_cap_holds(cap: int, exposure: int, wanted: list[int], step: int) -> None:
    promises: list[Promise] = []
    for place, amount in enumerate(wanted):
        room = room_left(cap, exposure, promises, at(0))
        given_ = granted(amount, room, 1, step)
        assert given_ <= amount
        assert given_ % step == 0
        promises.append(_promise(given_, name=f"q{place}"))
    assert sum(p.amount_minor for p in promises) <= max(cap - exposure, 0)


def test_a_promise_counts_until_it_lapses_and_not_after() -> None:
    promise = [_promise(400, until=5)]
    assert room_left(1_000, 100, promise, at(5) - timedelta(seconds=1)) == 500
    assert room_left(1_000, 100, promise, at(5)) == 900


def test_what_is_owed_beyond_the_cap_leaves_no_room_and_no_debt() -> None:
    assert room_left(100, 250, [], at(0)) == 0


@pytest.mark.parametrize(("cap", "exposure"), [(None, 0), (100, None)])
def test_an_unknown_cap_or_exposure_grants_nothing(cap: int | None, exposure: int | None) -> None:
    room = room_left(cap, exposure, [], at(0))
    assert room is None
    assert granted(100, room, 1) == 0


def test_less_than_the_least_line_is_not_granted() -> None:
    assert granted(1_000, 299, least_minor=300) == 0
    assert granted(1_000, 355, least_minor=300, step_minor=100) == 300


def test_amounts_below_zero_are_named() -> None:
    with pytest.raises(InvalidInput, match="exposure_minor is -1"):
        room_left(1, -1, [], at(0))
    with pytest.raises(InvalidInput, match="amount_minor of q9 is -5"):
        room_left(1, 1, [_promise(-5, name="q9")], at(0))
    with pytest.raises(InvalidInput, match="step_minor is 0"):
        granted(1, 1, 1, 0)
