"""Random policies as DMN text, and random applicants for them: what the compiler and the proof are held against."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from xml.sax.saxutils import escape

OUTCOMES = {
    "grant": ("approve", "approve_less", "refer", "decline"),
    "limit": ("raise", "thaw", "keep", "refer", "freeze", "lower"),
    "authorisation": ("approve", "refer", "decline"),
}
HITS = ("UNIQUE", "ANY", "FIRST", "FIRST", "FIRST", "FIRST", "PRIORITY", "PRIORITY", "COLLECT", "OUTPUT ORDER")
_DAY = date(2024, 1, 1)


@dataclass(frozen=True)
class Fact:
    """An input: `allowed` is its domain as FEEL, `good` cells that a sound applicant passes."""

    name: str
    kind: str
    allowed: str
    required: bool


FACTS = (
    Fact("rate", "number", "[0..1]", True),
    Fact("count", "number", "[0..50]", True),
    Fact("open end", "number", "", True),
    Fact("grade", "number", "1, 2, 3, 4", True),
    Fact("flag", "boolean", "", True),
    Fact("mark", "boolean", "", False),
    Fact("channel", "string", '"app", "branch", "mail"', True),
    Fact("region", "string", "", False),
    Fact("since", "date", "", True),
    Fact("bonus", "number", "(0..100]", False),
)
_NUMBERS = {
    "rate": ("0.05", "0.1", "0.2", "0.35", "0.123456789012345678"),
    "count": ("0", "1", "3", "10", "50"),
    "open end": ("-1", "0", "2.5", "100"),
    "grade": ("1", "2", "3", "4"),
    "bonus": ("1", "10", "100"),
}
_TEXTS = {"channel": ("app", "branch", "mail"), "region": ("north", "south")}
_DAYS = ('date("2024-01-01")', 'date("2024-02-01")', 'date("2024-02-02")')


def cell(draw: random.Random, fact: Fact, others: Sequence[Fact] = ()) -> str:
    """A random test of an input."""
    if draw.random() < 0.25:
        return "-"
    if draw.random() < 0.08:
        return draw.choice(("null", "not(null)"))
    if fact.kind == "boolean":
        return draw.choice(("true", "false", "not(true)", "true, null", "? = true"))
    if fact.kind == "string":
        one, other = draw.choice(_TEXTS[fact.name]), draw.choice(_TEXTS[fact.name])
        return draw.choice(
            (f'"{one}"', f'"{one}", "{other}"', f'not("{one}")', f'? = "{one}" or ? = "{other}"', f'["{one}"]')
        )
    if fact.kind == "date":
        one = draw.choice(_DAYS)
        return draw.choice((f"< {one}", f">= {one}", f"[{_DAYS[0]}..{_DAYS[2]}]", f"not({one})", one))
    low, high = sorted(draw.sample(_NUMBERS[fact.name], 2), key=float)
    forms = [
        f"< {high}", f"<= {low}", f"> {low}", f">= {high}", low, f"[{low}..{high}]", f"({low}..{high})",
        f"]{low}..{high}[", f"{low}, {high}", f"not({low}, {high})", f"not([{low}..{high}])", f"< {low}, >= {high}",
        f"? > {low} and ? < {high}", f"? != {low}", f"not(< {low})",
    ]  # fmt: skip
    numbers = [other.name for other in others if other.kind == "number" and other is not fact]
    if numbers:
        forms += [f"< {draw.choice(numbers)}", f"? * 2 > {draw.choice(numbers)} + 1"]
    return draw.choice(forms)


def known_cell(draw: random.Random, fact: Fact) -> str:
    """A random test that holds only for what is known."""
    if fact.kind == "boolean":
        return draw.choice(("true", "false", "true, false"))
    if fact.kind == "string":
        return ", ".join(f'"{one}"' for one in draw.sample(_TEXTS[fact.name], draw.randint(1, 2)))
    if fact.kind == "date":
        return draw.choice((f">= {_DAYS[0]}", f"< {_DAYS[1]}"))
    low, high = sorted(draw.sample(_NUMBERS[fact.name], 2), key=float)
    return draw.choice((f"<= {high}", f">= {low}", f"[{low}..{high}]", f"< {low}, >= {low}"))


def outputs(kind: str, outcome: str, draw: random.Random, numbers: Sequence[Fact]) -> tuple[str, str, str]:
    """Outcome, reasons and factor of a row."""
    factor = {"raise": "1.2", "lower": "0.5", "approve_less": draw.choice(("0.5", "0.7"))}.get(outcome, "null")
    if factor != "null" and numbers and draw.random() < 0.1:
        factor = f"{factor} * {draw.choice(numbers).name}"
    return f'"{outcome}"', '"facts_unclear"', factor


def table(
    hit: str, columns: Sequence[str], outs: Sequence[str], rows: Sequence[tuple[Sequence[str], Sequence[str]]],
    values: Sequence[str] = (), aggregation: str = "", default: Sequence[str] = (),
) -> str:  # fmt: skip
    """A decision table as XML."""
    parts = [f'<decisionTable hitPolicy="{hit}"' + (f' aggregation="{aggregation}"' if aggregation else "") + ">"]
    parts += [f"<input><inputExpression><text>{escape(name)}</text></inputExpression></input>" for name in columns]
    for place, name in enumerate(outs):
        inner = f"<outputValues><text>{escape(values[place])}</text></outputValues>" if values and values[place] else ""
        if default:
            inner += f"<defaultOutputEntry><text>{escape(default[place])}</text></defaultOutputEntry>"
        parts.append(f'<output name="{name}">{inner}</output>' if len(outs) > 1 else f"<output>{inner}</output>")
    for number, (cells, given) in enumerate(rows, 1):
        entries = "".join(f"<inputEntry><text>{escape(text)}</text></inputEntry>" for text in cells)
        entries += "".join(f"<outputEntry><text>{escape(text)}</text></outputEntry>" for text in given)
        parts.append(f'<rule id="r{number}">{entries}</rule>')
    return "".join([*parts, "</decisionTable>"])


def policy(seed: int, careful: bool | None = None) -> str:
    """A random policy. careful: rows that help or lower test every fact, as an author would; None draws it."""
    draw = random.Random(seed)
    kind = draw.choice(tuple(OUTCOMES))
    facts = draw.sample(FACTS, draw.randint(2, 5))
    careful = draw.random() < 0.5 if careful is None else careful
    numbers = [fact for fact in facts if fact.kind == "number"]
    steps: list[tuple[str, str]] = []
    columns = [(fact.name, fact) for fact in facts]
    if draw.random() < 0.5 and len(numbers) > 1:
        one, other = draw.sample(numbers, 2)
        text = draw.choice(
            (f"{one.name} - {other.name}", f"{one.name} / {other.name}", f"min({one.name}, {other.name} * 0.3)")
        )
        steps.append(("made", f"<literalExpression><text>{escape(text)}</text></literalExpression>"))
        columns.append(("made", Fact("open end", "number", "", True)))
    if draw.random() < 0.5:
        steps.append(("band", _band(draw, facts, careful)))
    body = _deciding(draw, kind, facts, columns, careful, bool(steps and steps[-1][0] == "band"))
    return _document(seed, kind, facts, steps, body)


def _band(draw: random.Random, facts: Sequence[Fact], careful: bool) -> str:
    """An intermediate decision: a band by a table, a count of warnings, or a condition."""
    fact = draw.choice(facts)
    form = draw.random()
    if form < 0.3:
        rows = [([cell(draw, one) if one is other else "-" for other in facts], ['"x"']) for one in facts]
        return table("COLLECT", [one.name for one in facts], ["n"], rows, aggregation="COUNT")
    if form < 0.5 and fact.kind == "number":
        bound = draw.choice(_NUMBERS[fact.name])
        text = f"if {fact.name} > {bound} then 2 else if {fact.name} = null then 1 else 0"
        return f"<literalExpression><text>{escape(text)}</text></literalExpression>"
    rows = [([cell(draw, fact)], [str(place)]) for place in range(3)]
    default = () if careful or draw.random() < 0.6 else ("0",)
    return table(
        draw.choice(("UNIQUE", "FIRST", "ANY", "PRIORITY")), [fact.name], ["band"], rows, ["2, 1, 0"], "", default
    )


def _deciding(
    draw: random.Random,
    kind: str,
    facts: Sequence[Fact],
    columns: Sequence[tuple[str, Fact]],
    careful: bool,
    band: bool,
) -> str:
    if not careful and draw.random() < 0.15:
        fact = facts[0]
        test = cell(draw, fact).replace("?", fact.name)
        good, bad = OUTCOMES[kind][0], OUTCOMES[kind][-1]
        text = f'if {fact.name} in ({test}) then "{bad}" else "{good}"' if test != "-" else f'"{bad}"'
        return f"<literalExpression><text>{escape(text)}</text></literalExpression>"
    hit = "FIRST" if careful and draw.random() < 0.7 else draw.choice(HITS)
    rows = []
    numbers = [fact for fact in facts if fact.kind == "number"]
    for place in range(draw.randint(2, 7)):
        outcome = OUTCOMES[kind][0] if place < 2 and draw.random() < 0.5 else draw.choice(OUTCOMES[kind])
        moving = outcome in ("approve", "approve_less", "raise", "thaw", "lower")
        strict = careful and moving
        cells = [known_cell(draw, fact) if strict else cell(draw, fact, numbers) for _, fact in columns]
        if band:
            cells.append(
                draw.choice(("0", "1", "[0..1]")) if strict else draw.choice(("-", "0", "> 0", "null", "not(2)"))
            )
        rows.append((cells, outputs(kind, outcome, draw, numbers)))
    names = [name for name, _ in columns] + ["band"] * band
    if careful or draw.random() < 0.5:
        rows.append((["-"] * len(names), outputs(kind, "refer", draw, ())))
    order = ", ".join(f'"{word}"' for word in draw.sample(OUTCOMES[kind], len(OUTCOMES[kind])))
    return table(hit, names, ("outcome", "reasons", "factor"), rows, (order, "", ""))


def _document(seed: int, kind: str, facts: Sequence[Fact], steps: Sequence[tuple[str, str]], body: str) -> str:
    parts = [
        '<?xml version="1.0" encoding="UTF-8"?>'
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:evenkeel="https://evenkeel.dev/dmn/1" '
        f'id="random" name="random {seed}" namespace="https://evenkeel.dev/random">'
    ]
    for fact in facts:
        if fact.allowed:
            allowed = f"<allowedValues><text>{escape(fact.allowed)}</text></allowedValues>"
            parts.append(
                f'<itemDefinition name="{fact.name} type"><typeRef>{fact.kind}</typeRef>{allowed}</itemDefinition>'
            )
    for fact in facts:
        type_ref = f"{fact.name} type" if fact.allowed else fact.kind
        required = "" if fact.required else ' evenkeel:required="false"'
        parts.append(f'<inputData id="i {fact.name}" name="{fact.name}"{required}>')
        parts.append(f'<variable name="{fact.name}" typeRef="{type_ref}"/></inputData>')
    needs = "".join(
        f'<informationRequirement><requiredInput href="#i {fact.name}"/></informationRequirement>' for fact in facts
    )
    for name, step in steps:
        parts.append(f'<decision id="d {name}" name="{name}"><variable name="{name}"/>{needs}{step}</decision>')
    needs += "".join(
        f'<informationRequirement><requiredDecision href="#d {name}"/></informationRequirement>' for name, _ in steps
    )
    parts.append(
        f'<decision id="d" name="decide" evenkeel:decides="{kind}"><variable name="decide"/>{needs}{body}</decision>'
    )
    return "".join([*parts, "</definitions>"])


def applicant(draw: random.Random, names: Sequence[str]) -> dict[str, object]:
    """A random applicant: values at, beside and between the constants, outside of domains, or not known."""
    by_name = {fact.name: fact for fact in FACTS}
    return {name: _value(draw, by_name[name]) for name in names}


def _value(draw: random.Random, fact: Fact) -> object:
    if draw.random() < 0.15:
        return None
    if fact.kind == "boolean":
        return draw.random() < 0.5
    if fact.kind == "string":
        return draw.choice((*_TEXTS[fact.name], "elsewhere"))
    if fact.kind == "date":
        return _DAY + timedelta(days=draw.choice((-1, 0, 1, 30, 31, 32, 33)))
    value = float(draw.choice(_NUMBERS[fact.name]))
    return draw.choice(
        (value, value, value + 1e-9, value - 1e-12, value * 0.5, value * 1.1, round(value * 3, 1), -5.0, 1e6)
    )
