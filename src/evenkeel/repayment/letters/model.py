"""What a letter is: one content for the page and for plain text.

Names, addresses and account numbers are the caller's: a letter holds them, no representation shows them, no message
names them.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from evenkeel.kernel.capitals import capitals
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Money

Language = Literal["en", "zh"]
Kind = Literal[
    "proposal", "hardship", "dispute", "statement", "settlement", "acceptance", "completion", "overview"
]  # fmt: skip
KINDS: tuple[Kind, ...] = (
    "proposal", "hardship", "dispute", "statement", "settlement", "acceptance", "completion", "overview"
)  # fmt: skip

MOST_NAME = 120  # characters of a name or of a line under it


@dataclass(frozen=True, slots=True)
class Party:
    """Who writes or is written to. lines: address, telephone and the like, each as it shall stand on the paper."""

    name: str = field(repr=False)
    lines: tuple[str, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if not self.name.strip() or len(self.lines) > 6:
            raise InvalidInput("a party of a letter has a name and at most 6 lines under it.")
        for line in (self.name, *self.lines):
            if len(line) > MOST_NAME or any(unicodedata.category(letter) in ("Cc", "Zl", "Zp") for letter in line):
                raise InvalidInput(
                    f"a name or a line of a party is at most {MOST_NAME} characters, without line breaks.",
                    "Give an address as several lines.",
                )


@dataclass(frozen=True, slots=True)
class Parties:
    """Who a plan is between. creditors: by their id in the plan; one that is not named here is called by its id.
    references: what a creditor calls a debt (an account or contract number), by the debt's id."""

    borrower: Party
    creditors: Mapping[str, Party] = field(default_factory=dict, repr=False)
    references: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount that the letter states, in figures and in capitals."""

    label: str
    minor: int
    currency: str

    @property
    def figures(self) -> str:
        """1,200.00 CNY."""
        return str(Money(self.minor, self.currency))

    @property
    def capitals(self) -> str:
        """人民币壹仟贰佰元整."""
        return capitals(self.minor, self.currency)


@dataclass(frozen=True, slots=True)
class Cited:
    """A rule that the letter leans on: its id, and a sentence with citation, what it says and what it is."""

    rule: str
    sentence: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text. heading: stands above what follows."""

    text: str
    heading: bool = False


@dataclass(frozen=True, slots=True)
class Points:
    """Numbered points."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Amounts:
    """Amounts, each on a line."""

    amounts: tuple[Amount, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A table. numbers: columns that are set to the right. total: a last row, set off. even: the heads of numbers are
    names, and their columns share the width."""

    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: tuple[int, ...]
    total: tuple[str, ...] = ()
    even: bool = False


Block = Paragraph | Points | Amounts | Table


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter or paper. closing: the words before the signature. signs: under whose name a signature goes.

    rules: those cited. uncited: rules of the plan that are not, as no letter has words for them or they do not bind
    this lender. before_sending: what the sender should know first; not part of the letter.
    """

    kind: Kind
    language: Language
    on: date
    sender: Party
    receiver: Party
    title: str
    greeting: str = field(repr=False)
    blocks: tuple[Block, ...] = field(repr=False)
    closing: tuple[str, ...]
    signs: tuple[str, ...]
    enclosures: tuple[str, ...] = ()
    rules: tuple[Cited, ...] = ()
    uncited: tuple[str, ...] = ()
    before_sending: tuple[str, ...] = ()
    creditor: str = ""

    @property
    def amounts(self) -> tuple[Amount, ...]:
        """Every amount that is stated in capitals too."""
        return tuple(amount for block in self.blocks if isinstance(block, Amounts) for amount in block.amounts)

    @property
    def between_two(self) -> bool:
        """Whether it is for another than its sender: then both stand at its head."""
        return self.receiver != self.sender

    @property
    def rows(self) -> tuple[tuple[str, ...], ...]:
        """The rows of all tables."""
        return tuple(row for block in self.blocks if isinstance(block, Table) for row in block.rows)

    def strings(self) -> Iterator[str]:
        """Every text that stands on the paper."""
        yield from (self.title, self.greeting, *self.closing, *self.signs, *self.enclosures)
        for party in (self.sender, self.receiver):
            yield from (party.name, *party.lines)
        for block in self.blocks:
            match block:
                case Paragraph():
                    yield block.text
                case Points():
                    yield from block.items
                case Amounts():
                    for amount in block.amounts:
                        yield from (amount.label, amount.figures, amount.capitals)
                case Table():
                    for row in (block.heads, *block.rows, block.total):
                        yield from row
