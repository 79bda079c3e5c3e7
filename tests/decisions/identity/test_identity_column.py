"""A column of applications gets the verdict that each would get alone."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.decisions.identity.column import identities
from evenkeel.decisions.identity.verification import (
    REQUIRED,
    CheckKind,
    CheckResult,
    Identity,
    Verification,
    standing,
    verdict,
)
from evenkeel.kernel.errors import InvalidInput

START = datetime(2026, 1, 1, tzinfo=UTC)
Check = tuple[str, CheckKind, CheckResult, float]  # borrower, kind, result, days after the start


def table(checks: list[Check]) -> pa.Table:
    return pa.table({
        "borrower_id": pa.array([who for who, *_ in checks], pa.string()),
        "kind": pa.array([str(kind) for _, kind, _, _ in checks], pa.string()),
        "result": pa.array([str(result) for _, _, result, _ in checks], pa.string()),
        "checked_at": pa.array([START + timedelta(days=day) for *_, day in checks], pa.timestamp("us", "UTC")),
    })  # fmt: skip


def found(applications: list[tuple[str, float]], checks: list[Check], required: frozenset[CheckKind]) -> list[Identity]:
    people = pa.array([who for who, _ in applications], pa.string())
    at = np.array([(START + timedelta(days=day)).timestamp() * 1e6 for _, day in applications], np.int64)
    return [tuple(Identity)[code] for code in identities(people, at, table(checks), required)]


people, days = st.sampled_from("ABC"), st.sampled_from([0, 1, 1.5, 2, 30, 31, 90, 91, 180, 181])
checks_of = st.tuples(people, st.sampled_from(list(CheckKind)), st.sampled_from(list(CheckResult)), days)


@settings(max_examples=300)
@given(
    st.lists(st.tuples(people | st.just("nobody"), days), max_size=8), st.lists(checks_of, max_size=25),
    st.sampled_from([REQUIRED, frozenset({CheckKind.FOUR_FACTOR}), frozenset({CheckKind.FACE, CheckKind.NAME_ID})]),
)  # fmt: skip
def test_a_column_is_what_each_application_gets_alone(
    applications: list[tuple[str, float]], checks: list[Check], required: frozenset[CheckKind]
) -> None:
    wanted = []
    for who, day in applications:
        mine = [
            Verification(kind, result, START + timedelta(days=made), "", 0, "")
            for owner, kind, result, made in checks
            if owner == who
        ]
        wanted.append(verdict(standing(mine, START + timedelta(days=day)), required).identity)
    assert found(applications, checks, required) == wanted


def test_without_any_check_nobody_is_verified() -> None:
    assert found([("A", 0), ("B", 1)], [], REQUIRED) == [Identity.UNVERIFIED] * 2
    assert found([], [("A", CheckKind.NAME_ID, CheckResult.MATCH, 0)], REQUIRED) == []


@pytest.mark.parametrize("name", ["kind", "result"])
def test_a_word_that_the_contract_does_not_know_is_refused(name: str) -> None:
    checks = table([("A", CheckKind.NAME_ID, CheckResult.MATCH, 0)])
    for word in ("probably", None):
        wrong = checks.set_column(checks.column_names.index(name), name, pa.array([word], pa.string()))
        with pytest.raises(InvalidInput, match=name):
            identities(pa.array(["A"]), np.zeros(1, np.int64), wrong)
