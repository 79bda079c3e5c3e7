"""The fail-closed proof: seeded holes are found and shown, their safe twins accepted, and what is accepted holds."""

import random
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from random_policies import applicant, policy, table

from evenkeel.policy.check.proof import broken, ending_of, prove
from evenkeel.policy.dmn.model import DecisionTable
from evenkeel.policy.outcomes import FAVOURABLE
from evenkeel.policy.program import Program, Result, load_program

HOLES = sorted((Path(__file__).parent / "holes").glob("*.hole.dmn"))
SHIPPED = ("granting", "limits", "authorisation")


def shipped(name: str) -> Program:
    return load_program((files("evenkeel.policy") / "shipped" / f"{name}.dmn").read_text(encoding="utf-8"), name)


def rule_broken(program: Program, required: bool, before: Result, after: Result, removed: str) -> str:
    return broken(program.kind, required, ending_of(after), ending_of(before), removed)


def test_there_are_twenty_holes_and_more_and_each_has_its_safe_twin() -> None:
    assert len(HOLES) >= 20
    assert all(hole.with_name(hole.name.replace(".hole.", ".safe.")).exists() for hole in HOLES)


@pytest.mark.parametrize("hole", HOLES, ids=lambda hole: hole.name.split(".")[0])
def test_a_hole_is_shown_as_an_applicant_and_its_safe_twin_is_proved(hole: Path) -> None:
    program = load_program(hole.read_text(encoding="utf-8"), hole.name)
    proof = prove(program)
    assert proof.violations and not proof.proved
    for found in proof.violations:
        # The applicant is real: decided again, from plain facts, with and without the one fact.
        without = {name: value for name, value in found.facts.items() if name != found.removed}
        before, after = program.one(found.facts), program.one(without)
        assert found.facts[found.removed] is not None
        assert (before.outcome, after.outcome) == (found.before.outcome, found.after.outcome)
        assert after.outcome in FAVOURABLE or after.outcome == "lower"
        required = next(item.required for item in program.inputs if item.name == found.removed)
        assert rule_broken(program, required, before, after, found.removed) == found.rule
    safe = hole.with_name(hole.name.replace(".hole.", ".safe."))
    assert prove(load_program(safe.read_text(encoding="utf-8"), safe.name)).proved


@pytest.mark.parametrize("name", SHIPPED)
def test_the_shipped_policies_are_proved(name: str) -> None:
    proof = prove(shipped(name))
    assert proof.proved, proof


@pytest.mark.parametrize(("name", "row"), [("granting", "fair"), ("limits", "raise"), ("limits", "risk-high"),
                                           ("authorisation", "usual")])  # fmt: skip
def test_a_test_taken_from_a_row_is_a_hole_where_no_other_row_stops_what_is_not_known(name: str, row: str) -> None:
    lines = (files("evenkeel.policy") / "shipped" / f"{name}.dmn").read_text(encoding="utf-8").splitlines()
    table = shipped(name).deciding.expression
    assert isinstance(table, DecisionTable)
    rule = next(rule for rule in table.rules if rule.id == row)
    start = next(place for place, line in enumerate(lines) if f'<rule id="{row}">' in line)
    for place, cell in enumerate(rule.cells):
        stopped = any("null" in other.cells[place].text for other in table.rules)
        stopped |= row == "risk-high" and table.inputs[place].expression.text == "limit_known"  # lowered either way
        if cell.text != "-":
            changed = [*lines]
            changed[start + 1 + place] = "<inputEntry><text>-</text></inputEntry>"
            assert prove(load_program("\n".join(changed), name)).proved <= stopped, table.inputs[place].expression.text


def test_a_calculated_number_is_null_where_what_it_is_made_of_is_null() -> None:
    """Without b, nothing is left; so the row that declines for want of b takes nothing from the row that approves."""
    name = "24-calculated.safe.dmn"
    text = (HOLES[0].parent / name).read_text(encoding="utf-8")
    start, stop = text.index("<literalExpression><text>if left"), text.rindex("</literalExpression>")
    rows = [
        (("null", "true", "-"), ('"decline"', '"line_frozen"')),
        (("-", "-", ">= 0"), ('"approve"', '"within_line"')),
        (("-", "-", "-"), ('"refer"', '"facts_unclear"')),
    ]
    body = table("FIRST", ("available_minor", "night", "left"), ("outcome", "reasons"), rows)
    needs = "".join(f'<informationRequirement><requiredInput href="#{key}"/></informationRequirement>'
                    for key in ("i_available_minor", "n"))  # fmt: skip
    text = text[:start] + needs + body + text[stop + len("</literalExpression>") :]
    night = '<inputData id="n" name="night" evenkeel:required="false"><variable name="night" typeRef="boolean"/>'
    text = text.replace('<decision id="d_left"', f'{night}</inputData><decision id="d_left"')
    assert prove(load_program(text, name)).proved


def attacked(program: Program, draw: random.Random, count: int) -> None:
    """Random facts taken away or spoilt, one or several, of random applicants: no rule may break."""
    names = [item.name for item in program.inputs]
    required = {item.name: item.required for item in program.inputs}
    for _ in range(count):
        facts = applicant(draw, names)
        removed = draw.sample(names, draw.randint(1, len(names)))
        before = program.one(facts)
        after = program.one({**facts, **{name: draw.choice((None, [], {})) for name in removed}})
        if any(required[name] for name in removed):
            assert after.outcome not in FAVOURABLE, (facts, removed)
        assert not rule_broken(program, False, before, after, ""), (facts, removed, before.outcome, after.outcome)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_what_is_accepted_never_improves_when_facts_are_taken_away(seed: int) -> None:
    program = load_program(policy(seed, careful=True))
    assume(prove(program).proved)
    attacked(program, random.Random(seed), 10)


@pytest.mark.prove
@pytest.mark.parametrize("start", range(0, 1_000, 250))
def test_of_a_thousand_random_policies_what_is_accepted_withstands_every_attack(start: int) -> None:
    accepted = refuted = 0
    for seed in range(start, start + 250):
        program = load_program(policy(seed))
        proof = prove(program)
        accepted += proof.proved
        refuted += bool(proof.violations)
        if proof.proved:
            attacked(program, random.Random(seed), 25)
    assert accepted > 50 and refuted > 25
