"""The look-back: what is counted about an application lies before it, and is counted exactly."""

import numpy as np
import pyarrow as pa
import pytest
from assessment_samples import applications, asked
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.decisions.assessment.requests import (
    count_before,
    others_before,
    pairs_before,
    read_requests,
    uses,
)
from evenkeel.kernel.errors import InvalidInput

USES = st.lists(st.tuples(st.integers(-1, 3), st.integers(0, 3), st.integers(0, 30)), max_size=25)


def _columns(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    key, person, gaps = np.array(rows, np.int64).reshape(-1, 3).T
    return key, person, np.cumsum(gaps) + 1_700_000_000


@given(USES, st.one_of(st.none(), st.integers(0, 100)))
def test_uses_of_a_key_are_counted_within_the_window(rows: list[tuple[int, int, int]], window: int | None) -> None:
    key, _, at = _columns(rows)
    expected = [
        sum(key[j] == key[i] and (window is None or at[i] - at[j] <= window) for j in range(i)) if key[i] >= 0 else 0
        for i in range(len(key))
    ]
    assert count_before(uses(key, at), window).tolist() == expected


@given(USES, st.one_of(st.none(), st.integers(0, 100)), st.one_of(st.none(), st.integers(0, 4)))
def test_pairs_are_all_earlier_uses_or_the_newest(
    rows: list[tuple[int, int, int]], window: int | None, most: int | None
) -> None:
    key, _, at = _columns(rows)
    expected = set()
    for i in range(len(key)):
        earlier = [j for j in range(i) if key[j] == key[i] >= 0 and (window is None or at[i] - at[j] <= window)]
        expected |= {(i, j) for j in (earlier if most is None else earlier[max(len(earlier) - most, 0) :])}
    later, before = pairs_before(uses(key, at), window, most)
    assert sorted(zip(later.tolist(), before.tolist(), strict=True)) == sorted(expected)


@given(USES)
def test_others_are_distinct_persons_before(rows: list[tuple[int, int, int]]) -> None:
    key, person, _ = _columns(rows)
    expected = [
        len({person[j] for j in range(i) if key[j] == key[i]} - {person[i]}) if key[i] >= 0 else 0
        for i in range(len(key))
    ]
    assert others_before(key, person).tolist() == expected


def test_applications_are_read_in_the_order_of_time_and_nulls_stay_unknown() -> None:
    table = applications(asked("b", 2, income_declared_minor=5), asked("a", 1, device="d"), asked("a", 3))
    requests = read_requests(table)
    assert requests.table["application_id"].to_pylist() == ["q1", "q0", "q2"]
    assert requests.token["device"].tolist() == [0, -1, -1]
    assert np.isnan(requests.income).tolist() == [True, False, True]


def test_contacts_named_in_another_order_are_the_same_set() -> None:
    table = applications(
        asked("a", 0, contact_tokens=["x", "y"]), asked("b", 1, contact_tokens=["y", "x", "x"]),
        asked("c", 2, contact_tokens=["x", "z"]), asked("d", 3, contact_tokens=[]), asked("e", 4),
    )  # fmt: skip
    together = read_requests(table).contact_set
    assert together[0] == together[1] != together[2]
    assert together[3:].tolist() == [-1, -1]


def test_an_id_given_twice_and_a_missing_column_are_refused_by_name() -> None:
    table = applications(asked("a", 0), asked("b", 1))
    doubled = table.set_column(0, "application_id", pa.array(["q7", "q7"]))
    with pytest.raises(InvalidInput, match="q7 is given twice"):
        read_requests(doubled)
    with pytest.raises(InvalidInput, match="`submitted_at`"):
        read_requests(table.drop_columns(["submitted_at"]))
    with pytest.raises(InvalidInput, match="`borrower_id` of an application is null"):
        read_requests(applications(asked("a", 0), {"submitted_at": None, "borrower_id": None}))
