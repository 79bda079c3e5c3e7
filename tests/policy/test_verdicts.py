"""Verdicts that are looked up by keys equal what is decided column by column: on random policies, for odd numbers."""

import random
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_policies import applicant, policy
from test_vector import columns_of, sums

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.program import Program, load_program
from evenkeel.policy.vector.columns import Batch
from evenkeel.policy.vector.steps import NO_KEY


def evaluated(program: Program, columns: dict[str, np.ndarray]) -> str:
    """What a program that has seen nothing yet decides, as text, since NaN is not itself."""
    return repr(Program(program.model).evaluate(columns).verdicts())


def hold_equal(seed: int, count: int) -> bool:
    """Whether the policy has keys; what it decides on applicants that it has seen equals what it decided at first."""
    program = load_program(policy(seed))
    draw = random.Random(seed)
    columns = columns_of(program, [applicant(draw, [item.name for item in program.inputs]) for _ in range(count)])
    expected = evaluated(program, columns)
    assert repr(program.verdicts(columns)) == expected, seed
    ones = [{name: column[row : row + 1] for name, column in columns.items()} for row in range(count)]
    assert repr([program.verdicts(one)[0] for one in ones]) == expected, seed
    return program._compiled._keys is not None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_what_was_seen_before_is_decided_as_at_first(seed: int) -> None:
    hold_equal(seed, 20)


@pytest.mark.prove
def test_many_random_policies_decide_what_was_seen_before_as_at_first() -> None:
    assert sum(hold_equal(seed, 60) for seed in range(1_000)) > 400


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 10**6))
def test_a_key_is_made_of_the_codes_of_the_columns(seed: int) -> None:
    compiled = load_program(policy(seed))._compiled
    keys, pieces = compiled._keys, compiled._pieces
    if keys is None or pieces.roots is None:
        return
    program, draw = load_program(policy(seed)), random.Random(seed)
    columns = columns_of(program, [applicant(draw, [item.name for item in program.inputs]) for _ in range(30)])
    batch = Batch(30, compiled._readers.read(columns, {}, 0, 30, {}), np.zeros(30, bool))
    told = pieces.weights.dot(np.array([root.run(batch) for root in pieces.roots])) if pieces.roots else np.zeros(30)
    found = np.array(keys.of(columns, {}, 30))
    keyed = found != NO_KEY
    assert (found[keyed] == told[keyed]).all()


ODD = (0.0, -0.0, 1.0, 0.1, 0.2, 0.3, 1e15, 2.0**53 - 1, 2.0**53, -(2.0**53), 1e300, 5e-324, np.inf, -np.inf, np.nan)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(ODD), st.sampled_from(ODD)), min_size=1, max_size=8),
    st.sampled_from(("<= 0.3", "> 9007199254740992", "<= a * b", "< 2 * b", "[a..b]", "> max(a, b) - min(a, b)",
                     "> -a", "> abs(a)", "> b / 3", "null")),
)  # fmt: skip
def test_odd_numbers_are_decided_the_same(pairs: list[tuple[float, float]], condition: str) -> None:
    program = sums(condition, "1")
    columns = {"a": np.array([a for a, _ in pairs]), "b": np.array([b for _, b in pairs])}
    expected = evaluated(program, columns)
    assert [repr(program.verdicts(columns)) for _ in range(2)] == [expected, expected]


def test_a_sum_that_float64_would_get_wrong_has_no_key() -> None:
    program = sums("<= 0.3", "1")
    for a, b, expected in ((0.1, 0.2, "approve_less"), (0.0, 1.0, "decline"), (0.1, 0.2, "approve_less")):
        found = program.verdicts({"a": np.array([a]), "b": np.array([b])})
        assert found[0].outcome == expected
    keys = program._compiled._keys
    assert keys is not None
    a, b = np.array([0.1, 2.0**53, 2.0**53 - 1, 0.5, 1.0]), np.array([0.2, 1.0, 1.0, 0.5, 2.0])
    assert [key == NO_KEY for key in keys.of({"a": a, "b": b}, {}, 5) or ()] == [True, True, True, True, False]


def test_a_number_beyond_float64_is_decided_as_it_is() -> None:
    program = sums("> 9007199254740993", "1")
    for _ in range(2):
        found = program.verdicts({"a": np.array([2**53 + 1, 2**53 + 2]), "b": np.zeros(2, np.int64)})
        assert [one.outcome for one in found] == ["decline", "approve_less"]
    digits = np.array([Decimal("0.30000000000000000001"), Decimal("0.3")], object)
    assert sums("> 0.3", "1").verdicts({"a": digits, "b": np.zeros(2)})[0].outcome == "approve_less"


def test_an_amount_that_is_calculated_is_each_row_s_own() -> None:
    program = sums(">= 0", "a + b")
    found = program.verdicts({"a": np.array([1.0, 2.0]), "b": np.array([5.0, 5.0])})
    assert [one.amount_minor for one in found] == [6.0, 7.0]


@pytest.mark.parametrize("kind", [np.bool_, np.float64, object])
def test_yes_or_no_may_come_as_any_type(kind: type) -> None:
    program = next(
        found
        for found in (load_program(policy(seed)) for seed in range(200))
        if "flag" in {item.name for item in found.inputs} and found._compiled._keys is not None
    )
    draw = random.Random(1)
    columns = columns_of(program, [applicant(draw, [item.name for item in program.inputs]) for _ in range(40)])
    flags = np.array([bool(flag) for flag in columns["flag"].tolist()])
    expected = evaluated(program, columns | {"flag": flags.astype(object)})
    assert [repr(program.verdicts(columns | {"flag": flags.astype(kind)})) for _ in range(2)] == [expected] * 2


def test_columns_of_two_lengths_are_refused() -> None:
    with pytest.raises(InvalidInput, match="one length, not of 1, 2"):
        sums("> 0", "1").verdicts({"a": np.zeros(2), "b": np.zeros(1)})
