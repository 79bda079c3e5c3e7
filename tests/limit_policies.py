"""Policies for limits as DMN text, for tests: a row is (id, cells by input, outcome, reasons, amount)."""

from collections.abc import Mapping, Sequence
from html import escape

Row = tuple[str, Mapping[str, str], str, str, str]

HEAD = (
    '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:evenkeel="https://evenkeel.dev/dmn/1"'
    ' id="d" name="{name}" namespace="urn:test">'
)


def limits_dmn(
    inputs: Mapping[str, str],
    rows: Sequence[Row],
    *,
    step: str = "",
    amount: str = "factor",
    decides: str = "limit",
    name: str = "own",
) -> str:
    """inputs: name to type, with ` max-age N` or ` optional` after it. amount: the output that moves a limit."""
    text = [HEAD.format(name=name)]
    for place, (key, kind) in enumerate(inputs.items()):
        of, _, more = kind.partition(" ")
        extra = ' evenkeel:required="false"' if "optional" in more else ""
        if "max-age" in more:
            extra += f' evenkeel:max-age-days="{more.split()[-1]}"'
        text.append(f'<inputData id="i{place}" name="{key}"{extra}><variable name="{key}" typeRef="{of}"/></inputData>')
    if step:
        text.append(
            f'<decision id="s" name="step_minor"><variable name="step_minor" typeRef="number"/>'
            f"<literalExpression><text>{step}</text></literalExpression></decision>"
        )
    text.append(f'<decision id="x" name="{name}" evenkeel:decides="{decides}"><variable name="{name}"/>')
    text += [
        f'<informationRequirement><requiredInput href="#i{place}"/></informationRequirement>'
        for place in range(len(inputs))
    ]
    text.append('<decisionTable hitPolicy="FIRST">')
    for key, kind in inputs.items():
        text.append(f'<input><inputExpression typeRef="{kind.split()[0]}"><text>{key}</text></inputExpression></input>')
    text.append('<output name="outcome" typeRef="string"/><output name="reasons" typeRef="string"/>')
    text.append(f'<output name="{amount}" typeRef="number"/>')
    for key, cells, outcome, reasons, moves in rows:
        entries = "".join(
            f"<inputEntry><text>{escape(cells.get(one, '-'), quote=False)}</text></inputEntry>" for one in inputs
        )
        given = "".join(
            f"<outputEntry><text>{cell}</text></outputEntry>"
            for cell in (f'"{outcome}"', f'"{reasons}"' if reasons else "", moves)
        )
        text.append(f'<rule id="{key}">{entries}{given}</rule>')
    text.append("</decisionTable></decision></definitions>")
    return "".join(text)


TWO_WAYS = limits_dmn(
    {"pd": "number"},
    [
        ("down", {"pd": ">= 0.5"}, "lower", "risk_high", "0.7"),
        ("up", {"pd": "< 0.5"}, "raise", "raise_earned", "1.3"),
        ("rest", {}, "refer", "no_score", ""),
    ],
    step="1000",
)
