"""What the check finds in a policy, exactly, with an applicant who shows it; and what the commands say."""

import json
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from random_policies import applicant, policy, table

from evenkeel.cli.policy_check import check_command, prove_command
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import LANGUAGES, catalogue
from evenkeel.policy.check.checking import check
from evenkeel.policy.check.findings import LEVELS, Finding
from evenkeel.policy.program import load_program

HOLES = Path(__file__).parent / "holes"

Row = tuple[Sequence[str], Sequence[str]]
APPROVE = ('"approve"', '"granted_in_full"')
DECLINE = ('"decline"', '"risk_high"')
REFER = ('"refer"', '"facts_unclear"')


def small(rows: Sequence[Row], hit: str = "FIRST", columns: Sequence[str] = ("pd", "count"), body: str = "") -> str:
    """A policy over pd in [0..1] and a count in 0 to 5, both required, in one table."""
    needs = "".join(f'<informationRequirement><requiredInput href="#{i}"/></informationRequirement>' for i in "pcr")
    made = body or table(hit, columns, ("outcome", "reasons"), rows)
    return (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" '
        'xmlns:evenkeel="https://evenkeel.dev/dmn/1" id="s" name="small" namespace="s">'
        '<itemDefinition name="share"><typeRef>number</typeRef><allowedValues><text>[0..1]</text></allowedValues>'
        "</itemDefinition><itemDefinition name=\"few\"><typeRef>number</typeRef><allowedValues><text>[0..5]</text>"
        '</allowedValues></itemDefinition><inputData id="p" name="pd"><variable name="pd" typeRef="share"/></inputData>'
        '<inputData id="c" name="count"><variable name="count" typeRef="few"/></inputData>'
        '<inputData id="r" name="region"><variable name="region" typeRef="string"/></inputData>'
        '<decision id="d" name="decide" evenkeel:decides="grant"><variable name="decide"/>'
        f"{needs}{made}</decision></definitions>"
    )  # fmt: skip


def found(text: str) -> dict[str, Finding]:
    """The first finding of each kind."""
    return {finding.kind: finding for finding in reversed(check(text, "small"))}


SOUND: list[Row] = [(("< 0.1", "<= 2"), APPROVE), ((">= 0.3", "-"), DECLINE), (("-", "-"), REFER)]


def test_nothing_is_found_in_a_sound_table() -> None:
    assert check(small(SOUND), "small") == []


# What makes the sound table unsound: rows, hit policy, the kind that is found, its rows, and words of its text.
LOW_AND_HIGH: list[Row] = [(("<= 0.1", "-"), APPROVE), ((">= 0.1", "-"), DECLINE)]
FIVE = '"no_score;risk_high;risk_raised;score_low;no_change"'
FAULTS: dict[str, tuple[list[Row], str, str, tuple[str, ...], str]] = {
    "a gap": (SOUND[:2], "FIRST", "gap", (), "pd ="),
    "a gap at one point": ([(("< 0.1", "-"), APPROVE), (("> 0.1", "-"), DECLINE)], "UNIQUE", "gap", (), "pd = 0.1"),
    "an overlap": (LOW_AND_HIGH, "UNIQUE", "overlap", ("r1", "r2"), "pd = 0.1"),
    "a contradiction": (LOW_AND_HIGH, "ANY", "overlap", ("r1", "r2"), "pd = 0.1"),
    "a row behind another": ([(("< 0.2", "-"), DECLINE), *SOUND], "FIRST", "unreachable", ("r2",), "r1"),
    "a row behind two others": (
        [(("< 0.2", "-"), DECLINE), ((">= 0.2", "-"), REFER), (("(0.1..0.3)", "> 1"), DECLINE)], "FIRST",
        "unreachable", ("r3",), "r1, r2",
    ),
    "a row of low priority": (
        [(("-", "-"), REFER), (("< 0.1", "-"), APPROVE)], "PRIORITY", "unreachable", ("r2",), "r1",
    ),
    "a row that changes nothing": (
        [*SOUND[:2], (("[0.1..0.2)", "-"), REFER), SOUND[2]], "FIRST", "redundant", ("r3",), "r4",
    ),
    "a cell outside the domain": ([(("> 1", "-"), DECLINE), *SOUND], "FIRST", "never", ("r1",), "> 1"),
    "an empty range": ([(("(0.2..0.2)", "-"), DECLINE), *SOUND], "FIRST", "never", ("r1",), "(0.2..0.2)"),
    "a text for a number": ([(('"low"', "-"), DECLINE), *SOUND], "FIRST", "cell_type", ("r1",), "string"),
    "an unknown name": ([(("< limit", "-"), DECLINE), *SOUND], "FIRST", "unknown_name", (), "limit"),
    "an unreadable cell": ([(("< = 2", "-"), DECLINE), *SOUND], "FIRST", "unreadable", (), ""),
    "an unknown outcome": (
        [*SOUND[:2], (("-", "-"), ('"maybe"', '"x"'))], "FIRST", "outcome_unknown", ("r3",), "maybe",
    ),
    "less without how much": (
        [(("< 0.1", "-"), ('"approve_less"', '"granted_in_part"')), *SOUND[1:]], "FIRST", "no_amount", ("r1",),
        "factor",
    ),
    "no reason": ([*SOUND[:2], (("-", "-"), ('"refer"', "null"))], "FIRST", "no_reason", ("r3",), "refer"),
    "a reason without text": (
        [*SOUND[:2], (("-", "-"), ('"refer"', '"mood"'))], "FIRST", "reason_without_text", (), "mood",
    ),
    "five reasons": ([*SOUND[:2], (("-", "-"), ('"refer"', FIVE))], "FIRST", "many_reasons", ("r3",), "5"),
}  # fmt: skip


@pytest.mark.parametrize(("rows", "hit", "kind", "keys", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_found_in_its_row_with_an_example(
    rows: list[Row], hit: str, kind: str, keys: tuple[str, ...], words: str
) -> None:
    fault = found(small(rows, hit)).get(kind)
    assert fault is not None
    assert fault.rows == keys
    for language in LANGUAGES:
        assert words in fault.text(language)


@pytest.mark.parametrize(("kind", "rows", "hit"), [("gap", SOUND[:2], "FIRST"), ("overlap", LOW_AND_HIGH, "UNIQUE")])
def test_for_the_example_of_a_gap_or_overlap_no_row_decides(kind: str, rows: list[Row], hit: str) -> None:
    text = small(rows, hit)
    example = found(text)[kind].example
    assert example and load_program(text).one(example).rows == ()


def test_a_row_of_an_intermediate_decision_is_judged_by_who_can_be_there() -> None:
    """A band that nobody is in makes the row that tests it dead."""
    bands = table("UNIQUE", ("pd",), ("band",), [(("< 0.1",), ('"low"',)), ((">= 0.1",), ('"high"',))])
    rows = [(('"low"',), APPROVE), (('"middle"',), DECLINE), (("-",), DECLINE)]
    text = small([], body=table("FIRST", ("band",), ("outcome", "reasons"), rows))
    needs = '<informationRequirement><requiredInput href="#p"/></informationRequirement>'
    band = f'<decision id="b" name="band"><variable name="band"/>{needs}{bands}</decision>'
    text = text.replace('<decision id="d"', f'{band}<decision id="d"')
    text = text.replace('<requiredInput href="#c"/>', '<requiredDecision href="#b"/>')
    assert found(text)["never"].rows == ("r2",)
    assert found(text)["unused_input"].values["input"] == "count"


def test_what_the_check_cannot_look_into_is_said() -> None:
    rows = [(("? ** 2 < 0.1", "-"), APPROVE), (("-", "-"), REFER)]
    assert found(small(rows))["undecided"].level == "undecided"


def test_a_lowering_that_raises_is_found() -> None:
    rows = [(("< 0.1", "-"), ('"raise"', '"raise_earned"', "0.9")), (("-", "-"), ('"keep"', '"no_change"', "null"))]
    text = small([], body=table("FIRST", ("pd", "count"), ("outcome", "reasons", "factor"), rows))
    assert found(text.replace('"grant"', '"limit"'))["amount_wrong"].rows == ("r1",)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_rows_said_to_be_dead_never_fire_and_no_gap_means_none(seed: int) -> None:
    """An oracle by drawing: random policies, random applicants."""
    text = policy(seed)
    program = load_program(text)
    findings = check(text, "random")
    assert all(finding.kind in LEVELS for finding in findings)
    dead = {(f.decision, row) for f in findings if f.kind in ("unreachable", "never") for row in f.rows}
    draw = random.Random(seed)
    names = [item.name for item in program.inputs]
    for _ in range(40):
        result = program.one(applicant(draw, names))
        assert not dead & {(decision, row) for decision, rows in result.fired.items() for row in rows}, (seed, result)
    for finding in findings:
        if finding.kind == "gap":
            assert not program.one(finding.example).fired.get(finding.decision)


def test_every_finding_has_its_text_in_every_language() -> None:
    for language in LANGUAGES:
        keys = {key.removeprefix("policy.check.") for key in catalogue(language)}
        assert set(LEVELS) <= keys


def test_what_is_no_policy_is_refused() -> None:
    with pytest.raises(InvalidInput):
        check("<html/>", "page")


# ---- Commands ------------------------------------------------------------------------------------------------------


def test_check_says_what_is_wrong_and_exits_with_1(tmp_path: Path) -> None:
    file = tmp_path / "small.dmn"
    file.write_text(small(SOUND[:2]), encoding="utf-8")
    words = CliRunner().invoke(check_command, [str(file)], standalone_mode=False)
    assert words.return_value == 1 and "no row decides" in words.output and "pd = " in words.output
    chinese = CliRunner().invoke(check_command, [str(file), "--lang", "zh"], standalone_mode=False)
    assert "没有任何行可以决定" in chinese.output
    document = json.loads(CliRunner().invoke(check_command, [str(file), "--json"], standalone_mode=False).output)
    assert document["findings"][0]["kind"] == "gap" and 0 <= document["findings"][0]["example"]["pd"] <= 1
    file.write_text(small(SOUND), encoding="utf-8")
    assert CliRunner().invoke(check_command, [str(file)], standalone_mode=False).return_value == 0


def test_prove_shows_the_applicant_and_exits_with_1() -> None:
    hole = HOLES / "23-lower.hole.dmn"
    words = CliRunner().invoke(prove_command, [str(hole)], standalone_mode=False)
    assert words.return_value == 1 and "hardship = true" in words.output and "Only known facts" in words.output
    document = json.loads(CliRunner().invoke(prove_command, [str(hole), "--json"], standalone_mode=False).output)
    violation = document["violations"][0]
    assert (violation["before"]["outcome"], violation["after"]["outcome"]) == ("refer", "lower")
    assert violation["inputs"] == {"pd": 0.35, "hardship": True} and not document["proved"]
    safe = CliRunner().invoke(prove_command, [str(HOLES / "23-lower.safe.dmn")], standalone_mode=False)
    assert safe.return_value == 0 and "Proved" in safe.output


def test_the_outcome_of_a_proof_is_the_same_every_time() -> None:
    hole = str(HOLES / "24-calculated.hole.dmn")
    runs = {CliRunner().invoke(prove_command, [hole, "--json"], standalone_mode=False).output for _ in range(2)}
    assert len(runs) == 1 and np.isfinite(json.loads(runs.pop())["violations"][0]["inputs"]["amount_minor"])
