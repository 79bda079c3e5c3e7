"""What holds for every set of hazards and of cases."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.measures.survival import (
    Term,
    aalen_johansen,
    fit_hazards,
    hazards_of,
    incidence,
    kaplan_meier,
    person_months,
    second_differences,
    survival,
)  # fmt: skip

sizes = st.tuples(st.integers(0, 10**6), st.integers(1, 60), st.integers(1, 4), st.sampled_from([0.1, 1.0, 8.0]))


@given(sizes)
@settings(max_examples=100, deadline=None)
def test_incidences_and_survival_add_up_to_one_and_move_one_way(size: tuple[int, int, int, float]) -> None:
    seed, months, causes, spread = size
    hazards = hazards_of(np.random.default_rng(seed).normal(-3, spread, size=(3, months, causes)))
    stay, left = survival(hazards), incidence(hazards)
    assert np.abs(stay + left.sum(axis=-1) - 1).max() < 1e-12
    assert (np.diff(left, axis=1) >= 0).all()
    assert (np.diff(stay, axis=1) <= 0).all()
    assert (left >= 0).all() and (left <= 1 + 1e-12).all()


@given(sizes, st.integers(0, 59))
@settings(max_examples=60, deadline=None)
def test_what_is_left_after_a_month_continues_the_curve(size: tuple[int, int, int, float], age: int) -> None:
    seed, months, causes, spread = size
    age = min(age, months)
    hazards = hazards_of(np.random.default_rng(seed).normal(-3, spread, size=(months, causes)))
    chained = incidence(hazards)[age] + survival(hazards)[age] * incidence(hazards[age:])[-1]
    np.testing.assert_allclose(chained, incidence(hazards)[-1], atol=1e-12)


cases = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 8), st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=40
)


@given(cases)
@settings(max_examples=100, deadline=None)
def test_person_months_keep_every_case_and_every_event(drawn: list[tuple[int, int, int, int]]) -> None:
    entry, more, cause, group = (np.array(column, np.int64) for column in zip(*drawn, strict=True))
    cause = np.where(more > 0, cause, 0)
    cells = person_months(entry + more, cause, 2, entry=entry, group=group)
    assert cells.counts.sum() == more.sum()
    np.testing.assert_array_equal(cells.counts[:, 1:].sum(axis=0), [(cause == 1).sum(), (cause == 2).sum()])
    order = np.random.default_rng(0).permutation(len(entry))
    other = person_months((entry + more)[order], cause[order], 2, entry=entry[order], group=group[order])
    np.testing.assert_array_equal(cells.counts, other.counts)


@given(cases)
@settings(max_examples=100, deadline=None)
def test_curves_without_a_model_stay_within_their_intervals(drawn: list[tuple[int, int, int, int]]) -> None:
    _, more, cause, _ = (np.array(column, np.int64) for column in zip(*drawn, strict=True))
    counts = person_months(more, np.where(more > 0, cause, 0), 2).by_month()
    stay, left = kaplan_meier(counts), aalen_johansen(counts)
    np.testing.assert_allclose(stay.value + left.value.sum(axis=1), 1, atol=1e-12)
    for curve in (stay, left):
        known = ~np.isnan(curve.value)
        assert (curve.low[known] <= curve.value[known] + 1e-12).all()
        assert (curve.value[known] <= curve.high[known] + 1e-12).all()
        assert (curve.low[known] >= 0).all() and (curve.high[known] <= 1).all()


@given(cases)
@settings(max_examples=40, deadline=None)
def test_a_fit_expects_as_many_events_as_there_were(drawn: list[tuple[int, int, int, int]]) -> None:
    """The level of the baseline is free, so the expected events of each cause are the observed ones."""
    entry, more, cause, group = (np.array(column, np.int64) for column in zip(*drawn, strict=True))
    cause = np.where(more > 0, cause, 0)
    cells = person_months(entry + more, cause, 2, entry=entry, group=group)
    if not (cells.counts.sum(axis=0) > 0).all():
        return
    months = int(cells.month.max())
    terms = [
        Term(np.eye(months)[None], cells.month - 1, second_differences(months), 10.0),
        Term(np.arange(4.0).reshape(1, 4, 1), cells.group, np.eye(1), 1.0),
    ]
    fit = fit_hazards(cells.counts, terms)
    log_odds = fit.coefficients[0].T[cells.month - 1] + cells.group[:, None] * fit.coefficients[1][:, 0]
    expected = cells.counts.sum(axis=1) @ hazards_of(log_odds)
    np.testing.assert_allclose(expected, cells.counts[:, 1:].sum(axis=0), atol=1e-3)
