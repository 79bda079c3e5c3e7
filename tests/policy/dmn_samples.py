"""DMN files as short text, for tests."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from html import escape

from evenkeel.policy.dmn.interpreter import Result, run_model
from evenkeel.policy.dmn.model import Definitions
from evenkeel.policy.dmn.reading import read_definitions

VERSIONS = {
    "1.1": "http://www.omg.org/spec/DMN/20151101/dmn.xsd",
    "1.2": "http://www.omg.org/spec/DMN/20180521/MODEL/",
    "1.3": "https://www.omg.org/spec/DMN/20191111/MODEL/",
    "1.4": "https://www.omg.org/spec/DMN/20211108/MODEL/",
    "1.5": "https://www.omg.org/spec/DMN/20230324/MODEL/",
}


def definitions(*elements: str, version: str = "1.5", namespace: str = "n") -> str:
    """A whole file of elements."""
    return (
        f'<definitions xmlns="{VERSIONS[version]}" xmlns:evenkeel="https://evenkeel.dev/dmn/1" '
        f'name="sample" namespace="{namespace}">{"".join(elements)}</definitions>'
    )


def model(*elements: str, version: str = "1.5") -> Definitions:
    """A model of elements."""
    return read_definitions(definitions(*elements, version=version), "sample.dmn")


def run(elements: Sequence[str], **inputs: object) -> Result:
    """All decisions of a model; names of inputs with `_` for a blank."""
    return run_model(model(*elements), {name.replace("_", " "): given for name, given in inputs.items()})


def given(name: str, type_ref: str = "number", attributes: str = "") -> str:
    """An input."""
    variable = f'<variable name="{name}" typeRef="{type_ref}"/>'
    return f'<inputData id="i_{name}" name="{name}" {attributes}>{variable}</inputData>'


def feel(text: str, type_ref: str = "") -> str:
    """A literal expression."""
    return f"<literalExpression{_type(type_ref)}><text>{escape(text, quote=False)}</text></literalExpression>"


def _type(type_ref: str) -> str:
    return f' typeRef="{type_ref}"' if type_ref else ""


def decision(name: str, logic: str, needs: Sequence[str] = (), type_ref: str = "", attributes: str = "") -> str:
    """A decision. needs: ids; those of inputs begin with i_, of knowledge with k_, others are decisions."""
    variable = f'<variable name="{name}"{_type(type_ref)}/>'
    return f'<decision id="d_{name}" name="{name}" {attributes}>{variable}{requirements(needs)}{logic}</decision>'


def requirements(needs: Sequence[str]) -> str:
    """Requirements by id."""
    found = []
    for need in needs:
        bare = need.rpartition("#")[2]
        href = need if "#" in need else f"#{need}"
        if bare.startswith("k_"):
            found.append(f'<knowledgeRequirement><requiredKnowledge href="{href}"/></knowledgeRequirement>')
        else:
            kind = "requiredInput" if bare.startswith("i_") else "requiredDecision"
            found.append(f'<informationRequirement><{kind} href="{href}"/></informationRequirement>')
    return "".join(found)


def knowledge(name: str, parameters: str, logic: str, needs: Sequence[str] = (), type_ref: str = "") -> str:
    """A business knowledge model. parameters: `name: type` with commas between."""
    formal = "".join(
        f'<formalParameter name="{part.partition(":")[0].strip()}"{_type(part.partition(":")[2].strip())}/>'
        for part in parameters.split(",")
        if part.strip()
    )
    return (
        f'<businessKnowledgeModel id="k_{name}" name="{name}"><variable name="{name}"{_type(type_ref)}/>'
        f"<encapsulatedLogic>{formal}{logic}</encapsulatedLogic>{requirements(needs)}</businessKnowledgeModel>"
    )


def table(
    inputs: Sequence[str], outputs: Sequence[str], rules: Sequence[Sequence[str]], policy: str = "UNIQUE",
    aggregation: str = "", ids: bool = True,
) -> str:  # fmt: skip
    """A decision table. inputs: `expression` or `expression | allowed`; outputs: `name | allowed | default`."""
    columns = []
    for text in inputs:
        expression, _, allowed = text.partition(" | ")
        values = f"<inputValues><text>{escape(allowed, quote=False)}</text></inputValues>" if allowed else ""
        columns.append(
            f"<input><inputExpression><text>{escape(expression, quote=False)}</text></inputExpression>{values}</input>"
        )
    for text in outputs:
        name, allowed, default = (text + " |  | ").split(" | ")[:3]
        values = f"<outputValues><text>{escape(allowed, quote=False)}</text></outputValues>" if allowed.strip() else ""
        otherwise = (
            f"<defaultOutputEntry><text>{escape(default, quote=False)}</text></defaultOutputEntry>"
            if default.strip()
            else ""
        )
        columns.append(f'<output name="{name}">{values}{otherwise}</output>')
    rows = []
    for number, cells in enumerate(rules, 1):
        entries = "".join(
            f"<{'inputEntry' if place < len(inputs) else 'outputEntry'}><text>{escape(cell, quote=False)}</text>"
            f"</{'inputEntry' if place < len(inputs) else 'outputEntry'}>"
            for place, cell in enumerate(cells)
        )
        name = f' id="r{number}"' if ids else ""
        rows.append(f"<rule{name}>{entries}</rule>")
    how = f' aggregation="{aggregation}"' if aggregation else ""
    return f'<decisionTable hitPolicy="{policy}"{how}>{"".join(columns)}{"".join(rows)}</decisionTable>'


def number(digits: str) -> Decimal:
    """A number."""
    return Decimal(digits)
