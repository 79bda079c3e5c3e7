"""A policy ready to decide: read from a DMN file, compiled for columns, and interpreted for one applicant.

    program = load_program(text)
    program.one({"pd": 0.02, ...}).outcome
    program.evaluate({"pd": array, ...}).outcomes()

An input outside its type or domain, or older than its `evenkeel:max-age-days`, is null before anything reads it. What
no row decides, and a move by no known amount, is referred to a person.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.dmn.model import Decision, DecisionTable, Definitions
from evenkeel.policy.dmn.reading import read_definitions
from evenkeel.policy.feel.nodes import Literal
from evenkeel.policy.feel.values import Value
from evenkeel.policy.inputs import ProgramInput, program_input
from evenkeel.policy.meaning import Interpreter
from evenkeel.policy.outcomes import AMOUNTS, entry, reasons_of, settled
from evenkeel.policy.vector.compiled import Compiled, Evaluated, Verdict


@dataclass(frozen=True, slots=True)
class Result:
    """What was decided for one applicant, and by what.

    rows: keys of the deciding table's rows that fired; fired: those of every decision. outputs: what the deciding
    decision gives, by name. decisions: what every decision gives. missing: required inputs that were not known.
    messages: why something was null.
    """

    outcome: str
    reasons: tuple[str, ...]
    rows: tuple[str, ...]
    outputs: Mapping[str, Value]
    decisions: Mapping[str, Value]
    missing: tuple[str, ...]
    messages: tuple[str, ...]
    fired: Mapping[str, tuple[str, ...]]

    def amount(self, name: str) -> Decimal | None:
        """An amount of the outcome, None where it gives none."""
        value = self.outputs.get(name)
        return value if isinstance(value, Decimal) else None


class Program:
    """One policy. version: of its content. kind: grant, limit or authorisation. rows: keys of the deciding table."""

    def __init__(self, model: Definitions) -> None:
        self.model = model
        self.name = model.name
        self.version = "policy-" + hashlib.sha256(_canonical(model).encode("utf-8", "surrogatepass")).hexdigest()[:16]
        _refuse_cycles(model)
        self.deciding = _deciding(model)
        self.inputs = tuple(program_input(entry, model) for entry in model.inputs)
        self.decisions = tuple(decision.name for decision in model.decisions)
        self.outputs = _outputs(self.deciding)
        self.kind = self.deciding.decides or _kind(self.deciding)
        table = self.deciding.expression
        self.rows = tuple(rule.key for rule in table.rules) if isinstance(table, DecisionTable) else ()
        self._interpreter = Interpreter(model)

    @cached_property
    def _compiled(self) -> Compiled:
        return Compiled(self.model, self.inputs, self.deciding, self.outputs, self.kind, self.rows, self.decide)

    @property
    def interpreted(self) -> tuple[str, ...]:
        """Decisions that columns cannot say; the interpreter runs them row by row."""
        return tuple(self._compiled.interpreted)

    def compile(self) -> None:
        """Compile it now, and not at its first use."""
        _ = self._compiled

    def evaluate(
        self, columns: Mapping[str, object], ages: Mapping[str, npt.NDArray[np.float64]] | None = None
    ) -> Evaluated:
        """Decide every row of columns.

        columns: NumPy or Arrow arrays by input name; NaN, None or a null is not known. Numbers are float64 or integers;
        yes-or-no may be 1 and 0; an input that is not given is not known. ages: days since a fact was true, for inputs
        with a `max_age_days`; where the age is not given, it is too old.
        """
        return self._compiled.evaluate(columns, ages or {})

    def verdicts(
        self, columns: Mapping[str, object], ages: Mapping[str, npt.NDArray[np.float64]] | None = None
    ) -> list[Verdict]:
        """The same for a handful of rows, as they come live: one verdict a row."""
        return self._compiled.verdicts(columns, ages or {})

    def one(self, inputs: Mapping[str, object], ages: Mapping[str, float] | None = None) -> Result:
        """Decide one applicant by the interpreter. inputs: Python values; what is left out is not known."""
        return self.decide({item.name: self._read(item, inputs, ages or {}) for item in self.inputs})

    def _read(self, item: ProgramInput, inputs: Mapping[str, object], ages: Mapping[str, float]) -> Value:
        if item.max_age_days is not None and not 0 <= ages.get(item.name, -1) <= item.max_age_days:
            return None
        return item.read(inputs.get(item.name))

    def decide(self, known: Mapping[str, Value]) -> Result:
        """Decide on inputs that are read already: FEEL values within their domains, or null."""
        decisions, rows, messages = self._interpreter.decide(known)
        given = decisions[self.deciding.name]
        outputs = {name: entry(given, name) for name in self.outputs}
        word, amounts = outputs.get("outcome"), {name: outputs.get(name) for name in AMOUNTS}
        outcome = settled(self.kind, word, amounts)
        reasons = reasons_of(self.kind, word, outputs.get("reasons"), amounts)
        missing = tuple(item.name for item in self.inputs if item.required and known.get(item.name) is None)
        fired = rows.get(self.deciding.name, ())
        return Result(outcome, reasons, fired, outputs, decisions, missing, messages, rows)

    def value(self, decision: str) -> Value:
        """What a decision gives that needs no input, such as a limit's step. Raises InvalidInput if it is not there."""
        if decision not in self.decisions:
            raise InvalidInput(
                f"the policy {self.name} has no decision {decision}.", f"It has {', '.join(self.decisions)}."
            )
        return self._interpreter.decide({})[0][decision]


def load_program(text: str | bytes, source: str = "the policy") -> Program:
    """A policy from the text of a DMN file.

    Raises InvalidInput where the text is no DMN, an expression cannot be read, or no decision is the deciding one.
    """
    model = read_definitions(text, source)
    if model.faults:
        first = model.faults[0]
        more = f" ({len(model.faults) - 1} more)" if len(model.faults) > 1 else ""
        raise InvalidInput(f"{first.element}: {first.message}{more}", "`evenkeel policy check` lists all of them.")
    return Program(model)


# ---- Reading the model ---------------------------------------------------------------------------------------------


def _deciding(model: Definitions) -> Decision:
    named = [decision for decision in model.decisions if decision.decides]
    if not named:
        needed = {item.id for decision in model.decisions for item in decision.requires if item.kind == "decision"}
        named = [decision for decision in model.decisions if decision.id not in needed]
    if len(named) != 1:
        names = ", ".join(decision.name for decision in named) or "none"
        raise InvalidInput(
            f"the policy {model.name} has no one decision that decides: {names}.",
            'Mark it with evenkeel:decides="grant", "limit" or "authorisation".',
        )
    return named[0]


def _refuse_cycles(model: Definitions) -> None:
    """Raise InvalidInput where a decision or knowledge model requires itself."""
    needs = {decision.id: (decision.name, [item.id for item in decision.requires]) for decision in model.decisions}
    needs |= {known.id: (known.name, [item.id for item in known.requires]) for known in model.knowledge}
    done: set[str] = set()

    def follow(key: str, way: tuple[str, ...]) -> None:
        if key in way:
            raise InvalidInput(
                f"{needs[key][0]} requires itself.", "A decision rests on inputs, not on its own result."
            )
        if key in needs and key not in done:
            for other in needs[key][1]:
                follow(other, (*way, key))
            done.add(key)

    for key in needs:
        follow(key, ())


def _outputs(decision: Decision) -> tuple[str, ...]:
    names = ["outcome", "reasons", *AMOUNTS]
    if isinstance(decision.expression, DecisionTable):
        names += [clause.name for clause in decision.expression.outputs if clause.name]
    return tuple(dict.fromkeys(names))


def _kind(decision: Decision) -> str:
    """The kind of a decision that does not say it: of limits where a row gives a word of limits."""
    table = decision.expression
    words: set[Value] = set()
    if isinstance(table, DecisionTable):
        words = {o.node.value for rule in table.rules for o in rule.outputs if _is_text(o.node)}  # type: ignore[attr-defined]
    return "limit" if words & {"raise", "keep", "lower", "freeze", "thaw"} else "grant"


def _is_text(node: object) -> bool:
    return isinstance(node, Literal) and isinstance(node.value, str)


def _canonical(value: object) -> str:
    """A model as text that says what it decides: not where it stands in the file, nor how it is drawn."""
    return json.dumps(_plain(value), sort_keys=True, ensure_ascii=False)


def _plain(value: object) -> object:
    if is_dataclass(value):
        kept = {field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.name != "at"}
        return {"is": type(value).__name__, **kept}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return {"is": "number", "value": str(value.normalize())}
    return value


__all__ = ["Evaluated", "Program", "ProgramInput", "Result", "Verdict", "load_program"]
