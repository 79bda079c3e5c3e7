"""What a check found, as a risk manager reads it: where, what is wrong, and an applicant who shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from evenkeel.kernel.text import texts
from evenkeel.policy.feel.texts import text_of
from evenkeel.policy.feel.values import Value

# How grave each kind is. An error keeps a policy from being published; a warning is for the author to judge; undecided
# is what the check cannot see into, and says so.
LEVELS: Mapping[str, str] = {
    "unreadable": "error", "no_decision": "error", "unknown_name": "error", "cell_type": "error",
    "output_type": "error", "input_type": "warning", "unused_input": "warning", "never": "error",
    "gap": "error", "overlap": "error", "unreachable": "error", "redundant": "warning",
    "outcome_unknown": "error", "no_amount": "error", "amount_wrong": "error", "no_reason": "error",
    "reason_without_text": "error", "many_reasons": "error", "undecided": "undecided",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong. kind: a key of LEVELS. rows: keys of the rows concerned. values: what the text names.

    example: facts of an applicant who shows it, empty where it needs none.
    """

    kind: str
    decision: str
    rows: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    example: Mapping[str, Value] = field(default_factory=dict)

    @property
    def level(self) -> str:
        """ "error", "warning" or "undecided"."""
        return LEVELS[self.kind]

    def text(self, language: str) -> str:
        """The finding as a sentence, with its example."""
        say = texts(language)
        rows = ", ".join(self.rows) or "-"
        sentence = say(f"policy.check.{self.kind}", decision=self.decision, rows=rows, **self.values)
        if not self.example:
            return sentence
        return f"{sentence} {say('policy.check.example', facts=facts_text(self.example))}"


def facts_text(facts: Mapping[str, Value]) -> str:
    """Facts as `name = value`, in the order given."""
    return ", ".join(f"{name} = {value_text(value)}" for name, value in facts.items())


def value_text(value: Value) -> str:
    """A value as it would be written in a cell."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f") if value == value.to_integral_value() else format(value, "f")
    return text_of(value) if not isinstance(value, str) else f'"{value}"'
