"""Runs conformance cases of the DMN standard: models with the `*-test-*.xml` files that lie beside them.

A case passes where every result equals what it expects; a number with ten digits or more may differ by 1e-12 of itself,
as expected values were written from binary floating point.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.dmn.interpreter import Result, run_callable, run_model
from evenkeel.policy.dmn.model import Definitions
from evenkeel.policy.dmn.reading import read_file
from evenkeel.policy.dmn.types import number_of
from evenkeel.policy.dmn.xml import MOST_BYTES, Element, read_xml
from evenkeel.policy.feel.temporal import parse_date, parse_date_time, parse_duration, parse_time
from evenkeel.policy.feel.texts import text_of
from evenkeel.policy.feel.values import Date, DateTime, Duration, Function, Months, Range, Time, Value, equal

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_TYPE = "{http://www.w3.org/2001/XMLSchema-instance}type"
_INEXACT_DIGITS = 10
_INEXACT = Decimal("1e-12")
_NOT_RUN = "not run"  # in every message about what is not supported

_TEMPORAL: tuple[Callable[[str], Value], ...] = (parse_date, parse_time, parse_date_time, parse_duration)
_READERS: Mapping[str, Callable[[str], Value]] = {
    "decimal": number_of, "double": number_of, "float": number_of, "integer": number_of, "int": number_of,
    "long": number_of, "boolean": lambda text: text in ("true", "1"), "date": parse_date, "time": parse_time,
    "dateTime": parse_date_time, "duration": parse_duration, "dayTimeDuration": parse_duration,
    "yearMonthDuration": parse_duration,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Case:
    """A case that was run: `model` and `id` name it; `why` says what differed, empty where it passed."""

    model: str
    id: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """Cases by how they came out; unsupported are those that need what is not run, such as Java functions."""

    passed: tuple[Case, ...]
    failed: tuple[Case, ...]
    unsupported: tuple[Case, ...]


def run_cases(folder: Path) -> Report:
    """Run the cases of a folder and of those within. Raises InvalidInput where there are none."""
    files = sorted(folder.rglob("*test*.xml")) if folder.is_dir() else []
    cases = [case for file in files for case in _cases_of(file)]
    if not cases:
        raise InvalidInput(f"{folder} holds no conformance cases.", "They are *.dmn with *-test-*.xml beside them.")
    failed = [case for case in cases if case.why]
    return Report(
        tuple(case for case in cases if not case.why),
        tuple(case for case in failed if _NOT_RUN not in case.why),
        tuple(case for case in failed if _NOT_RUN in case.why),
    )


def _cases_of(file: Path) -> Iterable[Case]:
    with file.open("rb") as opened:
        root = read_xml(opened.read(MOST_BYTES + 1), file.name)
    if root.name != "testCases":
        return
    path = file.parent / Path(root.inner("modelName").strip() or "?").name
    model: Definitions | InvalidInput
    try:
        model = read_file(path)
    except InvalidInput as error:
        model = error
    for case in root.all("testCase"):
        name = f"{file.stem}/{case.get('id')}"
        yield Case(path.name, name, model.message if isinstance(model, InvalidInput) else _why(model, case))


def _why(model: Definitions, case: Element) -> str:
    """What differs from a case's expectations; "" where nothing does."""
    inputs = {node.get("name"): _value(node) for node in case.all("inputNode")}
    called = case.get("invocableName") if case.get("type") in ("decisionService", "bkm") else ""
    differences: list[str] = []
    for node in case.all("resultNode"):
        try:
            result = _result(model, node.get("name"), called, inputs)
        except InvalidInput as error:
            differences.append(f"{node.get('name')}: {error.message}")
            continue
        expected = node.first("expected", "computed")
        wanted = None if expected is None else _value(expected)
        found = result.outputs[called or node.get("name")]
        if not same(found, wanted):
            notes = f" ({'; '.join(result.messages)})" if result.messages else ""
            differences.append(f"{node.get('name')} is {_shown(found)}, not {_shown(wanted)}{notes}")
    return "; ".join(differences)


def _result(model: Definitions, name: str, called: str, inputs: dict[str, object]) -> Result:
    return run_callable(model, called, inputs) if called else run_model(model, inputs, [name])


def _shown(value: Value) -> str:
    return text_of(value, nested=True)[:200]


def _value(node: Element) -> Value:
    """The value that an element of a test states; text without a type stays text, to be typed by the model."""
    if node.get(_NIL) in ("true", "1"):
        return None
    components, listed, value = node.all("component"), node.first("list"), node.first("value")
    if components:
        return {component.get("name"): _value(component) for component in components}
    if listed is not None:
        return [_value(item) for item in listed.all("item")]
    if value is None or value.get(_NIL) in ("true", "1"):
        return None
    type_name = value.get(_TYPE).rpartition(":")[2]
    if type_name in _READERS:
        return _READERS[type_name](value.text.strip())
    return value.text if value.text or type_name == "string" else None


def same(found: Value, wanted: Value) -> bool:
    """Whether a result is what a test expects; an untyped text stands for whatever the result is."""
    match found, wanted:
        case Decimal(), Decimal():
            return _same_number(found, wanted)
        case (list(), list()):
            return len(found) == len(wanted) and all(same(a, b) for a, b in zip(found, wanted, strict=True))
        case (dict(), dict()):
            return found.keys() == wanted.keys() and all(same(found[key], wanted[key]) for key in found)
        case (str(), str()):
            return found == wanted
        case (_, str()):
            return _same_text(found, wanted.strip())
        case _:
            return equal(found, wanted) is True


def _same_number(found: Decimal, wanted: Decimal) -> bool:
    if found == wanted:
        return True
    return len(wanted.as_tuple().digits) >= _INEXACT_DIGITS and abs(found - wanted) <= abs(wanted) * _INEXACT


def _same_text(found: Value, wanted: str) -> bool:
    match found:
        case None | Function():
            return wanted == "" and found is None
        case bool():
            return wanted == ("true" if found else "false")
        case Decimal():
            number = number_of(wanted)
            return number is not None and _same_number(found, number)
        case Date() | Time() | DateTime() | Months() | Duration():
            return any(equal(found, read(wanted)) is True for read in _TEMPORAL)
        case Range():
            return text_of(found) == wanted
        case _:
            return False
