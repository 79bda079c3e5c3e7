"""The compiled policy equals the interpreter: on random policies, at boundaries, with nulls, out of domain."""

import random
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from random_policies import applicant, policy, table

from evenkeel.policy.program import Program, load_program
from limit_policies import limits_dmn


def columns_of(program: Program, applicants: list[dict[str, object]]) -> dict[str, np.ndarray]:
    """Columns as a caller would make them: float64 for numbers, objects for the rest."""
    found = {}
    for item in program.inputs:
        values = [one[item.name] for one in applicants]
        if item.type == "number":
            found[item.name] = np.array([np.nan if value is None else value for value in values], np.float64)
        else:
            found[item.name] = np.array([*values, None], object)[:-1]
    return found


def told(program: Program, applicants: list[dict[str, object]]) -> list[tuple[object, ...]]:
    """Outcome, row, reasons and factor of each, by the compiled policy."""
    found = program.evaluate(columns_of(program, applicants))
    factors = found.amount("factor").tolist()
    return list(zip(found.outcomes().tolist(), found.row.tolist(), found.reasons.objects(), factors, strict=True))


def interpreted(program: Program, one: dict[str, object]) -> tuple[object, ...]:
    result = program.one(one)
    row = program.rows.index(result.rows[0]) if len(result.rows) == 1 and program.rows else -1
    factor = result.amount("factor")
    return result.outcome, row, result.reasons, np.nan if factor is None else float(factor)


def hold_equal(seed: int, count: int) -> Program:
    program = load_program(policy(seed))
    draw = random.Random(seed)
    applicants = [applicant(draw, [item.name for item in program.inputs]) for _ in range(count)]
    for one, vectorised in zip(applicants, told(program, applicants), strict=True):
        expected = interpreted(program, one)
        assert vectorised[:3] == expected[:3], (seed, one)
        assert np.isclose(vectorised[3], expected[3], rtol=1e-12, equal_nan=True), (seed, one)
    return program


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 10**6))
def test_the_compiled_policy_equals_the_interpreter_on_random_policies(seed: int) -> None:
    hold_equal(seed, 12)


@pytest.mark.prove
def test_the_compiled_policy_equals_the_interpreter_on_many_random_policies() -> None:
    columnar = sum(not hold_equal(seed, 60).interpreted for seed in range(1_000))
    assert columnar > 600  # most are columns all through; the others are run row by row


def sums(condition: str, amount: str) -> Program:
    """A policy that approves a part where a condition on two numbers holds, by an amount that is calculated."""
    needs = "".join(f'<informationRequirement><requiredInput href="#{i}"/></informationRequirement>' for i in "ab")
    row = ((condition,), ('"approve_less"', '"granted_in_part"', amount))
    rest = (("-",), ('"decline"', '"risk_high"', "null"))
    body = table("FIRST", ("a + b",), ("outcome", "reasons", "amount_minor"), [row, rest])
    inputs = "".join(
        f'<inputData id="{i}" name="{i}"><variable name="{i}" typeRef="number"/></inputData>' for i in "ab"
    )
    return load_program(
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" id="s" name="sums" namespace="s">'
        f'{inputs}<decision id="d" name="decide"><variable name="decide"/>{needs}{body}</decision></definitions>'
    )


def test_a_share_of_whole_amounts_is_rounded_down_exactly_and_in_columns() -> None:
    program = sums(">= 0", "floor(a * 0.3) + b")
    amounts = np.arange(1.0, 200_001)
    found = program.evaluate({"a": amounts, "b": np.full(len(amounts), 7.0)})
    assert program.interpreted == ()
    assert (found.amount("amount_minor") == amounts.astype(np.int64) * 3 // 10 + 7).all()


@pytest.mark.parametrize(
    ("a", "b", "condition", "expected"),
    [
        (0.1, 0.2, "<= 0.3", "approve_less"),  # 0.30000000000000004 in float64
        (0.1, 0.2, "> 0.3", "decline"),
        (1.1, 2.2, "3.3", "approve_less"),
        (0.7, 0.1, "0.8", "approve_less"),
        (1e15, 0.3, "> 1000000000000000.3", "decline"),
        (9007199254740991.0, 2.0, "> 9007199254740992", "approve_less"),  # float64 gives ...992
        (float("nan"), 0.2, "<= 0.3", "decline"),
        (float("inf"), 0.2, "> 0.3", "decline"),
    ],
)
def test_a_sum_that_float64_would_get_wrong_is_decided_as_decimals_are(
    a: float, b: float, condition: str, expected: str
) -> None:
    found = sums(condition, "1").evaluate({"a": np.array([a, 5.0]), "b": np.array([b, 5.0])})
    assert found.outcomes()[0] == expected


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1, max_size=20),
    st.sampled_from((1, 10, 1000, 10**6)),
    st.sampled_from(("<= a * b", "< 2 * b", "> b / 3", ">= max(a, b * 0.3)", "[a..b]", "abs(a - b) < b")),
)
def test_comparisons_of_calculated_numbers_equal_the_interpreter(
    pairs: list[tuple[int, int]], scale: int, condition: str
) -> None:
    program = sums(condition.replace("abs(a - b) < b", "? > abs(a - b)"), "ceiling(a / 7)")
    values = [{"a": a / scale, "b": b / scale} for a, b in pairs]
    found = program.evaluate({name: np.array([one[name] for one in values]) for name in "ab"})
    for place, one in enumerate(values):
        result = program.one(one)
        assert found.outcomes()[place] == result.outcome, one
        amount = result.amount("amount_minor")
        assert amount is None or found.amount("amount_minor")[place] == float(amount)


@pytest.mark.parametrize("kind", [np.int64, object])
def test_a_number_beyond_float64_is_decided_as_it_is(kind: type) -> None:
    program = sums("> 9007199254740993", "1")
    whole = np.array([2**53 + 1, 2**53 + 2, 5], kind)
    found = program.evaluate({"a": whole, "b": np.zeros(3, np.int64)})
    assert found.outcomes().tolist() == ["decline", "approve_less", "decline"]
    digits = np.array([Decimal("0.30000000000000000001"), Decimal("0.3"), None], object)
    found = sums("> 0.3", "1").evaluate({"a": digits, "b": np.zeros(3)})
    assert found.outcomes().tolist() == ["approve_less", "decline", "decline"]


@pytest.mark.parametrize("large", [2**53 - 1, 2**53 + 1, -(2**53) - 1, 2**62])
def test_whole_numbers_with_nulls_are_read_exactly_whatever_their_size(large: int) -> None:
    program = load_program(
        limits_dmn({"limit": "number"}, [("at", {"limit": str(large)}, "keep", "no_change", "")], name="exact")
    )
    numbers = [large - 1, large, large + 1, None]
    expected = [program.one({"limit": number}).outcome for number in numbers]
    assert expected == ["refer", "keep", "refer", "refer"]
    assert program.evaluate({"limit": pa.array(numbers, pa.int64())}).outcomes().tolist() == expected
