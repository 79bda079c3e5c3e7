"""A policy over a column of applicants is the policy on each of them; and two policies differ by whom they grant."""

from importlib.resources import files

import numpy as np
import pyarrow as pa
import pytest

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.backtest import backtest, compared, swapped
from evenkeel.policy.program import Program, load_program

TEXT = (files("evenkeel.policy") / "shipped" / "granting.dmn").read_text(encoding="utf-8")
SPREAD = {
    "age": (18, 70), "forgery": (0, 0.3), "pd": (0, 0.1), "score": (560, 720), "income_low_minor": (3e5, 2e6),
    "service_to_income": (0, 0.6), "exposure_group_minor": (0, 1e7), "requested_minor": (1e5, 2e6), "lines": (0, 4),
    "new_lines_90d": (0, 2), "inquiries_30d": (0, 5), "requests_in_flight": (0, 2),
}  # fmt: skip


@pytest.fixture(scope="module")
def program() -> Program:
    return load_program(TEXT)


def applicants(program: Program, count: int, seed: int = 1) -> pa.Table:
    """Applicants of whom most are good, a few of whose facts are not known."""
    rng = np.random.default_rng(seed)
    columns = {}
    for item in program.inputs:
        unknown = rng.random(count) < 0.01
        if item.type == "boolean":
            columns[item.name] = pa.array(rng.random(count) < 0.03, mask=unknown)
        elif item.choices:
            words = [str(word) for word in item.choices]
            drawn = [words[0] if sure else words[at] for sure, at in
                     zip(rng.random(count) < 0.95, rng.integers(0, len(words), count), strict=True)]  # fmt: skip
            columns[item.name] = pa.array(drawn, mask=unknown)
        else:
            low, high = SPREAD[item.name]
            values = low + (high - low) * rng.random(count)
            whole = np.floor(values) if item.name not in ("forgery", "pd", "service_to_income") else values
            columns[item.name] = pa.array(whole, mask=unknown)
    return pa.table(columns)


def test_every_row_is_decided_as_the_policy_decides_it_alone(program: Program) -> None:
    table = applicants(program, 400)
    found = backtest(program, table).table
    for given, decided in zip(table.to_pylist(), found.to_pylist(), strict=True):
        alone = program.one(given)
        assert (decided["outcome"], tuple(decided["reasons"])) == (alone.outcome, alone.reasons[:4])
        assert decided["row"] in (*alone.rows, None)
        for name in ("amount_minor", "factor"):
            amount = alone.amount(name)
            assert decided.get(name) == (None if amount is None else pytest.approx(float(amount)))


def test_the_summary_counts_every_row_once(program: Program) -> None:
    run = backtest(program, applicants(program, 3_000))
    told = run.summary()
    outcomes = told["outcomes"]
    assert isinstance(outcomes, dict) and sum(outcomes.values()) == 3_000 == told["rows"]
    assert run.granted.sum() == outcomes.get("approve", 0) + outcomes.get("approve_less", 0)


def test_a_column_that_is_not_there_is_not_known_and_grants_nobody(program: Program) -> None:
    table = applicants(program, 500).drop_columns(["pd"])
    run = backtest(program, table)
    assert run.absent == ("pd",)
    assert not run.granted.any()


def test_a_file_without_any_input_of_the_policy_is_refused(program: Program) -> None:
    with pytest.raises(InvalidInput, match="no column that granting reads"):
        backtest(program, pa.table({"x": [1]}))


def test_rows_added_removed_changed_and_moved_are_named() -> None:
    def table(rules: str) -> Program:
        return load_program(
            '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" name="p" namespace="n" id="d">'
            '<inputData id="i" name="pd"><variable name="pd" typeRef="number"/></inputData>'
            '<decision id="x" name="x"><variable name="x"/><informationRequirement><requiredInput href="#i"/>'
            '</informationRequirement><decisionTable hitPolicy="FIRST"><input><inputExpression typeRef="number">'
            f'<text>pd</text></inputExpression></input><output name="outcome" typeRef="string"/>{rules}'
            "</decisionTable></decision></definitions>"
        )

    def rule(name: str, cell: str, outcome: str) -> str:
        return (
            f'<rule id="{name}"><inputEntry><text>{cell}</text></inputEntry>'
            f'<outputEntry><text>"{outcome}"</text></outputEntry></rule>'
        )

    old = table(rule("a", "&lt; 0.1", "approve") + rule("b", "&lt; 0.2", "refer") + rule("c", "-", "decline"))
    new = table(rule("b", "&lt; 0.2", "refer") + rule("a", "&lt; 0.05", "approve") + rule("d", "-", "decline"))
    found = compared(old, new)
    assert (found.added, found.removed, found.moved) == (("d",), ("c",), ("a",))
    assert found.changed == (("a", (("pd", "< 0.1", "< 0.05"),)),)
    assert compared(old, old).changed == ()


def test_the_swap_set_is_who_is_granted_by_one_policy_only(program: Program) -> None:
    stricter = load_program(TEXT.replace('"approve"', '"refer"'))
    table = applicants(program, 5_000)
    old, new = backtest(program, table), backtest(stricter, table)
    bad = (np.arange(5_000) % 7 == 0).astype(float)
    bad[::3] = np.nan
    found = swapped(old, new, bad=bad)
    assert sum(found.people.values()) == 5_000 and found.people["in"] == 0 and found.people["out"] > 0
    out = old.granted & ~new.granted
    assert found.people["out"] == out.sum()
    assert found.known["out"] == (out & ~np.isnan(bad)).sum() and found.bad["out"] == np.nansum(bad[out])
    assert found.changes == {("approve", "refer"): int(out.sum())}
