"""What a payment pays: an order over timing x component, twelve atoms, for any mix of open amounts.

Pure functions over open items; loans and lines both use them. An item is one amount that is owed: its timing, its
component, its segment, and the instalment or bill (`group`) to which it belongs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from evenkeel.accounts.words import COMPONENTS, SEGMENTS, TIMINGS, Component, Segment, Timing
from evenkeel.kernel.errors import InvalidInput


class Future(StrEnum):
    """Which instalments a payment in advance goes to."""

    NEXT = "next"  # the earliest first
    LAST = "last"  # the latest first
    RE_AMORTISE = "re_amortise"  # all that are open in equal parts; the last takes the rounding


class Processing(StrEnum):
    """What is finished before the next is begun."""

    HORIZONTAL = "horizontal"  # an instalment: all its components, then the next instalment of that timing
    VERTICAL = "vertical"  # an atom: one component of every instalment of that timing, then the next atom


class Atom(NamedTuple):
    """One step of an allocation order."""

    timing: Timing
    component: Component


ATOMS = tuple(Atom(timing, component) for timing in TIMINGS for component in COMPONENTS)
_NAMES = {f"{atom.timing}_{atom.component}": atom for atom in ATOMS}
ATOM_NAMES = tuple(_NAMES)


class Open(NamedTuple):
    """An open amount above 0. group: its instalment or bill, numbered in order of due days."""

    timing: Timing
    component: Component
    amount_minor: int
    group: int = 0
    segment: Segment = Segment.LOAN


def read_order(names: Sequence[str], where: str) -> tuple[Atom, ...]:
    """An order from names such as `past_due_penalty`: all twelve, each once.

    where: whose order it is, for messages. Raises InvalidInput naming what is unknown, doubled or missing.
    """
    for name in names:
        if name not in _NAMES:
            raise InvalidInput(f"{where}: `{name}` is no step of an allocation.", f"Allowed: {', '.join(ATOM_NAMES)}.")
        if names.count(name) > 1:
            raise InvalidInput(f"{where}: `{name}` stands twice.", "Each of the twelve steps stands once.")
    missing = [name for name in ATOM_NAMES if name not in names]
    if missing:
        raise InvalidInput(f"{where} lacks {', '.join(missing)}.", "Each of the twelve steps stands once.")
    return tuple(_NAMES[name] for name in names)


@dataclass(frozen=True)
class Rule:
    """How one type of transaction is used. Raises InvalidInput if an atom of `order` is missing or doubled."""

    order: tuple[Atom, ...] = ATOMS
    future: Future = Future.NEXT

    def __post_init__(self) -> None:
        read_order([f"{atom.timing}_{atom.component}" for atom in self.order], "an allocation order")

    @cached_property
    def advance_last(self) -> bool:
        """Whether everything due comes before anything in advance."""
        timings = [atom.timing for atom in self.order]
        return Timing.IN_ADVANCE not in timings[:-4]

    @cached_property
    def ranks(self) -> tuple[tuple[Timing, Mapping[Component, int]], ...]:
        """The place of each component by timing, timings in order of their first atom."""
        timings = dict.fromkeys(atom.timing for atom in self.order)
        return tuple(
            (timing, {atom.component: place for place, atom in enumerate(self.order) if atom.timing is timing})
            for timing in timings
        )


@dataclass(frozen=True)
class Allocation:
    """The rules of a product. by_type: for types of transaction that differ from the payments of the borrower, such as
    `refund_merchant`. segments: within an atom, the order of an account's segments."""

    default: Rule = field(default_factory=Rule)
    by_type: Mapping[str, Rule] = field(default_factory=dict)
    processing: Processing = Processing.HORIZONTAL
    segments: tuple[Segment, ...] = SEGMENTS

    def rule(self, kind: str) -> Rule:
        """The rule for a type of transaction."""
        return self.by_type.get(kind, self.default)


def allocate_payment(
    items: Sequence[Open], amount_minor: int, rule: Rule, processing: Processing = Processing.HORIZONTAL
) -> tuple[list[int], int]:
    """What each item is paid of `amount_minor`, and what is left over.

    Nothing is left over while an item is open, and no item is paid more than its amount. Within an atom the order of
    items is kept; a segment comes before another where its items do.
    Raises InvalidInput if the amount is negative.
    """
    if amount_minor < 0:
        raise InvalidInput(f"a payment is 0 or more, not {amount_minor}.")
    owed = [item.amount_minor for item in items]
    if amount_minor >= (total := sum(owed)):
        return owed, amount_minor - total  # all are paid, in whatever order
    paid = [0] * len(items)
    if processing is Processing.VERTICAL:
        left = _vertically(items, paid, amount_minor, rule)
    else:
        left = _horizontally(items, paid, amount_minor, rule)
    return paid, left


def allocate_by_rate(
    items: Sequence[Open], amount_minor: int, rates: Mapping[Segment, int], paid: Sequence[int] | None = None
) -> tuple[list[int], int]:
    """The excess over a minimum: the segment with the highest rate first, whatever its timing (12 CFR 1026.53).

    rates: comparable numbers by segment. paid: what the items had been paid before. Within a segment the order of items
    is kept. Returns what each item is paid in all, and what is left over.
    """
    total = list(paid) if paid is not None else [0] * len(items)
    places = sorted(range(len(items)), key=lambda place: -rates.get(items[place].segment, 0))
    return total, _pay(items, total, amount_minor, places)


def _pay(items: Sequence[Open], paid: list[int], left: int, places: Iterable[int]) -> int:
    """Pay items in the order of `places` as far as `left` goes; returns the rest."""
    for place in places:
        if left <= 0:
            break
        part = min(left, items[place].amount_minor - paid[place])
        paid[place] += part
        left -= part
    return left


def _vertically(items: Sequence[Open], paid: list[int], left: int, rule: Rule) -> int:
    by_atom: dict[tuple[Timing, Component], list[int]] = {}
    for place, item in enumerate(items):
        by_atom.setdefault((item.timing, item.component), []).append(place)
    for atom in rule.order:
        groups = [[place] for place in by_atom.get((atom.timing, atom.component), ())]
        left = _in_advance(items, paid, left, groups, rule, atom.timing)
    return left


def _horizontally(items: Sequence[Open], paid: list[int], left: int, rule: Rule) -> int:
    for timing, rank in rule.ranks:
        chosen = sorted(
            (item.group, rank[item.component], place) for place, item in enumerate(items) if item.timing is timing
        )
        if not chosen:
            continue
        if timing is Timing.IN_ADVANCE and rule.future is not Future.NEXT:
            by_group: dict[int, list[int]] = {}
            for group, _, place in chosen:
                by_group.setdefault(group, []).append(place)
            left = _in_advance(items, paid, left, list(by_group.values()), rule, timing)
        else:
            left = _pay(items, paid, left, (place for _, _, place in chosen))
        if left <= 0:
            break
    return left


def _in_advance(
    items: Sequence[Open], paid: list[int], left: int, groups: list[list[int]], rule: Rule, timing: Timing
) -> int:
    """Pay groups one after the other; those in advance by the rule for future instalments."""
    if timing is Timing.IN_ADVANCE and rule.future is Future.LAST:
        groups = groups[::-1]
    if timing is Timing.IN_ADVANCE and rule.future is Future.RE_AMORTISE:
        return _in_equal_parts(items, paid, left, groups)
    return _pay(items, paid, left, (place for places in groups for place in places))


def _in_equal_parts(items: Sequence[Open], paid: list[int], left: int, groups: list[list[int]]) -> int:
    """Pay all open groups the same; what one cannot take is shared by the others."""
    while left > 0:
        open_ = [places for places in groups if any(items[p].amount_minor > paid[p] for p in places)]
        if not open_:
            break
        # Half-even; the last takes the rounding.
        share, rest = divmod(left, len(open_))
        share += 2 * rest > len(open_) or (2 * rest == len(open_) and share % 2 == 1)
        last = left - share * (len(open_) - 1)
        for place, places in enumerate(open_, 1):
            part = min(left, share if place < len(open_) else max(last, 0))
            left -= part - _pay(items, paid, part, places)
    return left
