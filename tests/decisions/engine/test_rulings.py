"""Rulings are the same one by one and together, at first and again, and whatever type a policy gives yes-or-no."""

from dataclasses import replace

import numpy as np
import pytest
from engine_samples import FEATURES, policy
from hypothesis import given, settings
from hypothesis import strategies as st
from test_applying import BUYING, SHIPPED_DECIDERS

from evenkeel.behaviour.definitions import Entity, read_definitions
from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.buying import READ, told_of_purchases
from evenkeel.decisions.engine.card import side_by_side
from evenkeel.decisions.engine.deciders import Deciders, Ruling
from evenkeel.decisions.engine.position import OPEN
from evenkeel.decisions.requests import Purchase

UNTYPED = replace(
    SHIPPED_DECIDERS,
    authorisation_text=BUYING.replace('name="watch_list" typeRef="boolean"', 'name="watch_list" typeRef="Any"').replace(
        'name="device_changed" typeRef="boolean"', 'name="device_changed" typeRef="Any"'
    ),
)
NAMES = [entry.name for entry in read_definitions(FEATURES).of(Entity.BORROWER)]

Told = tuple[int, int, int, int, float, int]


def ruled(deciders: Deciders, told: list[Told]) -> list[Ruling]:
    """Rulings on purchases: amount, room, watched, device, purchases of an hour and the instant of each."""
    rows = np.zeros((len(told), situation.NARROW), np.int64)
    features = np.zeros((len(told), len(NAMES)))
    for place, (_, room, watched, device, purchases, _) in enumerate(told):
        rows[place, situation.PLACE["available_minor"]] = room
        rows[place, situation.PLACE["watched"]] = watched
        rows[place, situation.PLACE["device_other"]] = device
        features[place, NAMES.index("purchases_1h")] = purchases
    requests = [Purchase(borrower_id="b", account_id="a", amount_minor=one[0]) for one in told]
    return deciders.rule(requests, np.array([one[5] for one in told]), features, rows)


TOLD = st.tuples(
    st.sampled_from((1, 500, 10**6)), st.sampled_from((situation.NULL, -5, 0, 500, 10**7)),
    st.sampled_from((situation.NULL, 0, 1, 2)), st.sampled_from((situation.NULL, 0, 1)),
    st.sampled_from((np.nan, 0.0, 2.0, 3.0, 50.0)), st.sampled_from((0, 5 * 3_600_000_000, 6 * 3_600_000_000)),
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(TOLD, min_size=1, max_size=12))
def test_purchases_are_ruled_together_as_each_alone(told: list[Told]) -> None:
    alone = [ruled(replace(SHIPPED_DECIDERS), [one])[0] for one in told[:2]]
    together = ruled(SHIPPED_DECIDERS, told)
    assert together[:2] == alone
    assert together == [ruled(SHIPPED_DECIDERS, [one])[0] for one in told]


@settings(max_examples=60, deadline=None)
@given(st.lists(TOLD, min_size=1, max_size=12))
def test_yes_or_no_is_read_the_same_by_a_policy_that_gives_it_no_type(told: list[Told]) -> None:
    assert ruled(UNTYPED, told) == ruled(SHIPPED_DECIDERS, told)


@pytest.mark.parametrize(("watched", "outcome"), [(0, "approve"), (1, "refer"), (2, "decline")])
def test_who_is_on_a_list_is_declined_or_looked_at(watched: int, outcome: str) -> None:
    for deciders in (SHIPPED_DECIDERS, UNTYPED):
        assert ruled(deciders, [(500, 10**7, watched, 0, 0.0, 43_200_000_000)])[0].outcome == outcome


def test_what_a_situation_does_not_tell_is_not_known_to_the_model() -> None:
    features, rows = np.array([[0.5, np.nan]]), np.array([[7, situation.NULL]])
    found = side_by_side(features, rows, 3, situation.NULL)
    assert np.array_equal(found, [[0.5, np.nan, 7.0, np.nan, np.nan]], equal_nan=True)
    assert np.array_equal(side_by_side(features, rows, 1, situation.NULL), [[0.5, np.nan, 7.0]], equal_nan=True)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, ("approve", 100)),
        ({"available_minor": 99}, ("decline", "no_room")),
        ({"available_minor": situation.NULL}, ("decline", "no_room")),
        ({"stage": 1}, ("decline", "line_frozen")),
        ({"frozen": 1}, ("decline", "line_frozen")),
    ],
)
def test_no_policy_spends_what_is_not_there(changed: dict[str, int], expected: tuple[str, object]) -> None:
    generous = replace(SHIPPED_DECIDERS, authorisation_text=policy("authorisation", '"approve"'))
    row = {"available_minor": 100} | changed
    rows = np.array([[row.get(name, 0) for name in situation.NAMES[: situation.NARROW]]])
    request = Purchase(borrower_id="b", account_id="a", amount_minor=100)
    for _ in range(2):
        found = generous.rule([request], np.zeros(1, np.int64), np.zeros((1, len(NAMES))), rows)[0]
        assert found.outcome == expected[0]
        assert expected[1] in (found.amount_minor, *found.reasons)
        assert found.amount_minor == (100 if found.outcome == "approve" else 0)


_ODD = st.sampled_from((np.nan, -1.0, 0.0, 1.0, 2.0, 3.0, 700.0))


@given(st.lists(st.tuples(*[_ODD] * len(READ)), min_size=1, max_size=5), st.sets(st.integers(0, len(READ) - 1)))
def test_what_is_told_of_purchases(read: list[tuple[float, ...]], missing: set[int]) -> None:
    places = np.array([-1 if place in missing else place for place in range(len(READ))])
    found = told_of_purchases(np.array(read), places, np.full(len(read), 500.0))
    for row, told in zip(read, found.T, strict=True):
        one = [np.nan if place in missing else value for place, value in enumerate(row)]
        frozen, stage, count, total, most, watched, other = one
        usual = total / count if count > 0 else most
        to_usual = np.nan if missing & {2, 3, 4} else 500.0 / usual if usual > 0 else 1.0
        changed = other if other >= 0 else np.nan
        expected = [frozen != 0, stage != OPEN, to_usual, {0.0: 0.0, 2.0: 1.0}.get(watched, np.nan), changed]
        assert np.array_equal(told, expected, equal_nan=True)
