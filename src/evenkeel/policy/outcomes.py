"""What a policy of evenkeel may decide, how good that is for the borrower, and what a bare answer is held to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from evenkeel.policy.feel.values import Value

# Each kind of decision: its outcomes, by how good they are for the borrower.
GOODNESS: Mapping[str, Mapping[str, int]] = {
    "grant": {"approve": 2, "approve_less": 1, "refer": 0, "decline": 0},
    "limit": {"raise": 2, "thaw": 1, "keep": 0, "refer": -1, "freeze": -1, "lower": -2},
    "authorisation": {"approve": 2, "refer": 0, "decline": 0},
}
FAVOURABLE = frozenset(("approve", "approve_less", "raise", "thaw"))
ADVERSE = frozenset(("decline", "refer", "freeze", "lower", "approve_less"))
OUTCOMES = ("approve", "approve_less", "raise", "thaw", "keep", "refer", "decline", "freeze", "lower")

AMOUNTS = ("factor", "amount_minor", "limit_minor")
_MOVES = frozenset(("approve_less", "raise", "lower"))  # outcomes that say nothing without an amount
UNDECIDED = "refer"  # a person decides what no row does
NO_ROW = ("no_row_decides",)  # the reason for that

MOST_REASONS = 4


def settled(kind: str, outcome: Value, amounts: Mapping[str, Value]) -> str:
    """The outcome that counts: a word that is not one, or a move by no known amount, is for a person."""
    if not isinstance(outcome, str) or outcome not in GOODNESS[kind]:
        return UNDECIDED
    if outcome in _MOVES and not any(isinstance(amounts.get(name), Decimal) for name in AMOUNTS):
        return UNDECIDED
    return outcome


def reasons_of(kind: str, outcome: Value, reasons: Value, amounts: Mapping[str, Value]) -> tuple[str, ...]:
    """The reasons of the outcome that counts: the policy's own, or that no row decides."""
    return codes_of(reasons) if settled(kind, outcome, amounts) == outcome else NO_ROW


def entry(value: Value, name: str) -> Value:
    """An output of the deciding decision; one that gives a text alone gives the outcome."""
    if isinstance(value, dict):
        return value.get(name)
    return value if name == "outcome" and isinstance(value, str) else None


def codes_of(reasons: Value) -> tuple[str, ...]:
    """Codes of reasons, from a list of texts or one text with `;` between them."""
    parts: Sequence[Value] = (
        reasons.split(";") if isinstance(reasons, str) else reasons if isinstance(reasons, list) else ()
    )
    return tuple(part.strip() for part in parts if isinstance(part, str) and part.strip())
