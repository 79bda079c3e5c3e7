"""A policy is a table of rows in a file: the first row whose conditions all hold decides.

A condition never matches a value that is missing or outside the input's domain, but for the word `missing` itself.
A table is read only if it is fail-closed: every row that raises tests each required input and each input that a row
above it tests, so that nothing unknown can raise, nor slip past a row that would have held it; every row that lowers
tests something, so only known facts lower; the last row always matches.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evenkeel.kernel.errors import InvalidInput

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

MOST_RULE_REASONS = 3  # a decision has four; one is left for what held its outcome
OUTCOMES = ("raise", "keep", "lower", "freeze", "refer")
_NUMBER = r"-?\d{1,15}(?:\.\d{1,15})?"
_COMPARISON = re.compile(rf"(<=|>=|<|>|=)\s*({_NUMBER})")
# Factors are thousandths and steps at most a million, so that no limit of the contract leaves int64.
_LARGEST_FACTOR = 10
_LARGEST_STEP = 100_000_000
_INTERVAL = re.compile(rf"([\[(])\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*([\])])")


@dataclass(frozen=True, slots=True)
class Input:
    """An input of the table and its domain; yes-or-no inputs are 0 and 1."""

    name: str
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Condition:
    """low <= value <= high, with either end open where its flag says so; `missing` matches only what is not known."""

    input: str
    low: float = -np.inf
    high: float = np.inf
    low_open: bool = False
    high_open: bool = False
    missing: bool = False

    def holds(self, values: FloatArray) -> BoolArray:
        """Where the condition holds; NaN is a value that is not known."""
        if self.missing:
            return np.isnan(values)
        above = values > self.low if self.low_open else values >= self.low
        below = values < self.high if self.high_open else values <= self.high
        return above & below


@dataclass(frozen=True, slots=True)
class Rule:
    """One row: all conditions hold -> outcome, by reasons. factor: new limit as a multiple of the limit before."""

    id: str
    conditions: tuple[Condition, ...]
    outcome: str
    factor: float
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """A checked table. required: inputs that every raising row must test. step_minor: limits are whole steps."""

    name: str
    inputs: tuple[Input, ...]
    required: tuple[str, ...]
    rules: tuple[Rule, ...]
    step_minor: int
    version: str

    def evaluate(self, inputs: Mapping[str, FloatArray]) -> tuple[npt.NDArray[np.int64], dict[str, FloatArray]]:
        """The place of the rule that decides each row, and the inputs as they were read.

        inputs: one (n,) float64 array for each input, NaN where not known. A value outside its domain is not known.
        Raises InvalidInput where an input is not given at all.
        """
        absent = [entry.name for entry in self.inputs if entry.name not in inputs]
        if absent:
            raise InvalidInput(f"the policy {self.name} needs the inputs {', '.join(absent)}.")
        read = {
            entry.name: np.where(
                (inputs[entry.name] >= entry.low) & (inputs[entry.name] <= entry.high), inputs[entry.name], np.nan
            )
            for entry in self.inputs
        }
        size = len(next(iter(read.values())))
        decided = np.full(size, len(self.rules) - 1, np.int64)
        open_rows = np.ones(size, bool)
        for place, rule in enumerate(self.rules):
            match = open_rows.copy()
            for condition in rule.conditions:
                match &= condition.holds(read[condition.input])
            decided[match] = place
            open_rows &= ~match
        return decided, read


def load_policy(text: str, known_reasons: frozenset[str]) -> Policy:
    """Read and check a policy in TOML.

    known_reasons: codes that have a text. Raises InvalidInput that names the row and what is wrong with it.
    """
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InvalidInput(f"the policy is not TOML: {error}.") from None
    _only(content, ("name", "step_minor", "required", "inputs", "rules"), "the policy")
    inputs = {name: _input(name, entry) for name, entry in _table(content, "inputs").items()}
    required = _texts(content.get("required", []), "`required`")
    if unknown := [name for name in required if name not in inputs]:
        raise InvalidInput(f"the policy requires inputs that it does not declare: {', '.join(unknown)}.")
    entries = content.get("rules")
    if not isinstance(entries, list) or not entries:
        raise InvalidInput("the policy has no rules.", "Add [[rules]] with id, when, outcome and reasons.")
    rules = tuple(_rule(entry, place, inputs, known_reasons) for place, entry in enumerate(entries, 1))
    ids = [rule.id for rule in rules]
    if doubled := sorted({name for name in ids if ids.count(name) > 1}):
        raise InvalidInput(f"two rules have the id {doubled[0]}.", "Give each rule its own: decisions cite it.")
    _fail_closed(rules, required)
    name = content.get("name", "policy")
    if not isinstance(name, str):
        raise InvalidInput("`name` is not a text.")
    step = content.get("step_minor", 1)
    if not isinstance(step, int) or isinstance(step, bool) or not 1 <= step <= _LARGEST_STEP:
        raise InvalidInput(f"`step_minor` is a whole number from 1 to {_LARGEST_STEP}.")
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, default=str)
    version = "policy-" + hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return Policy(name, tuple(inputs.values()), required, rules, step, version)


def _only(entry: Mapping[str, object], names: tuple[str, ...], where: str) -> None:
    """A misspelt key would be a condition that is silently not there."""
    if unknown := [name for name in entry if name not in names]:
        raise InvalidInput(f"{where} has the unknown key {unknown[0]}.", f"Known are {', '.join(names)}.")


def _texts(entry: object, where: str) -> tuple[str, ...]:
    if not isinstance(entry, list) or not all(isinstance(item, str) for item in entry):
        raise InvalidInput(f"{where} is not a list of texts.")
    return tuple(entry)


def _table(content: Mapping[str, object], name: str) -> Mapping[str, object]:
    entry = content.get(name)
    if not isinstance(entry, dict) or not entry:
        raise InvalidInput(f"the policy has no table [{name}].")
    return entry


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _input(name: str, entry: object) -> Input:
    domain = entry.get("domain") if isinstance(entry, dict) else None
    sound = isinstance(domain, list) and len(domain) == 2 and all(_is_number(end, -1e15, 1e15) for end in domain)
    if not isinstance(entry, dict) or not isinstance(domain, list) or not sound or domain[0] > domain[1]:
        raise InvalidInput(f"the input {name} has no domain.", "Write domain = [lowest, highest], both finite numbers.")
    _only(entry, ("domain",), f"the input {name}")
    return Input(name, float(domain[0]), float(domain[1]))


def _condition(rule: str, entry: Input, text: object) -> Condition:
    condition = _parsed(rule, entry.name, text)
    if not condition.missing and not _can_hold(condition, entry):
        raise InvalidInput(
            f"rule {rule}: the condition {entry.name} = {text!r} can never hold.",
            f"The input's domain is [{entry.low:g}, {entry.high:g}].",
        )
    return condition


def _can_hold(condition: Condition, entry: Input) -> bool:
    """Whether some value of the domain meets the condition."""
    low, high = max(condition.low, entry.low), min(condition.high, entry.high)
    ends = condition.holds(np.array([low, high]))
    return low < high or (low == high and bool(ends.all()))


def _parsed(rule: str, name: str, text: object) -> Condition:
    if text == "missing":
        return Condition(name, missing=True)
    if isinstance(text, bool):
        return Condition(name, float(text), float(text))
    found = _COMPARISON.fullmatch(str(text).strip())
    if found:
        value = float(found[2])
        return {
            "<": Condition(name, high=value, high_open=True),
            "<=": Condition(name, high=value),
            ">": Condition(name, low=value, low_open=True),
            ">=": Condition(name, low=value),
            "=": Condition(name, value, value),
        }[found[1]]
    found = _INTERVAL.fullmatch(str(text).strip())
    if found:
        return Condition(name, float(found[2]), float(found[3]), found[1] == "(", found[4] == ")")
    raise InvalidInput(
        f"rule {rule}: the condition {name} = {text!r} cannot be read.",
        "Write < 0.05, >= 2, = 1, [0.2..0.8], true, false or missing.",
    )


def _rule(entry: object, place: int, inputs: Mapping[str, Input], known_reasons: frozenset[str]) -> Rule:
    if not isinstance(entry, dict):
        raise InvalidInput(f"rule {place} is not a table.")
    name = entry.get("id", str(place))
    if not isinstance(name, str) or not name:
        raise InvalidInput(f"rule {place}: the id {name!r} is not a text.")
    _only(entry, ("id", "when", "outcome", "factor", "reasons"), f"rule {name}")
    outcome = entry.get("outcome")
    if outcome not in OUTCOMES:
        raise InvalidInput(f"rule {name}: the outcome {outcome!r} is not one of {', '.join(OUTCOMES)}.")
    when = entry.get("when", {})
    if not isinstance(when, dict):
        raise InvalidInput(f"rule {name}: `when` is not a table of conditions.")
    if unknown := [column for column in when if column not in inputs]:
        raise InvalidInput(f"rule {name} tests {', '.join(unknown)}, which the policy does not declare.")
    reasons = _texts(entry.get("reasons", []), f"rule {name}: `reasons`")
    if not 1 <= len(reasons) <= MOST_RULE_REASONS:
        raise InvalidInput(
            f"rule {name} gives {len(reasons)} reasons.",
            f"Every row has 1 to {MOST_RULE_REASONS}, so that a person is told why.",
        )
    if silent := [code for code in reasons if code not in known_reasons]:
        raise InvalidInput(f"rule {name}: the reasons {', '.join(silent)} have no text.")
    conditions = tuple(_condition(name, inputs[column], text) for column, text in when.items())
    return Rule(name, conditions, str(outcome), _factor(name, str(outcome), entry.get("factor", 1)), reasons)


def _factor(rule: str, outcome: str, factor: object) -> float:
    """The factor of a row, in whole thousandths: above 1 to raise, below 1 to lower, else 1."""
    if isinstance(factor, int | float) and _is_number(factor, 0, _LARGEST_FACTOR):
        moves = {"raise": factor > 1, "lower": factor < 1}.get(outcome, factor == 1)
        if moves and math.isclose(factor * 1000, round(factor * 1000), abs_tol=1e-9):
            return float(factor)
    raise InvalidInput(
        f"rule {rule}: the factor {factor!r} does not {outcome} a limit.",
        f"Write a number with at most three decimals: 1 to {_LARGEST_FACTOR} to raise, 0 to 1 to lower, else none.",
    )


def _fail_closed(rules: tuple[Rule, ...], required: tuple[str, ...]) -> None:
    """The proof: what is not known can neither raise nor lower, and every case is decided."""
    above: dict[str, None] = {}  # inputs that the rows so far test: unknown, they would let a case slip past those rows
    for rule in rules:
        tested = {condition.input for condition in rule.conditions if not condition.missing}
        untested = [name for name in dict.fromkeys((*required, *above)) if name not in tested]
        if rule.outcome == "raise" and (untested or not required):
            wanted = ", ".join(untested) or "any required input"
            raise InvalidInput(
                f"rule {rule.id} raises without testing {wanted}: a case in which it is not known would be raised.",
                "Add a condition on each required input, and on each input that a row above tests, to the row.",
            )
        if rule.outcome == "lower" and (not tested or any(condition.missing for condition in rule.conditions)):
            raise InvalidInput(f"rule {rule.id} lowers on something that is not known; only known facts lower a limit.")
        if not rule.conditions and rule is not rules[-1]:
            raise InvalidInput(f"rule {rule.id} has no condition: the rows below it would never be reached.")
        above |= dict.fromkeys(sorted(tested))
    if rules[-1].conditions or rules[-1].outcome not in ("keep", "refer"):
        raise InvalidInput("the last rule must have no condition and keep or refer: it decides what no other row does.")
