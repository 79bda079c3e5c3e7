"""What a page is made of: sections of words, figures and tables, all plain values until the template draws them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup


@dataclass(frozen=True, slots=True)
class Table:
    """A table. The first column heads its row; `text` names further columns that hold words, the rest hold numbers."""

    caption: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    text: frozenset[int] = frozenset()
    folded: bool = False  # behind a line that unfolds it
    note: str = ""

    @property
    def narrow(self) -> bool:
        """Whether it fits into half the width of a page, beside its chart."""
        columns = list(zip(self.head, *self.rows, strict=True))[1:]  # the first may wrap
        widths = [
            max(sum(2 if ord(letter) > 0x2E7F else 1 for letter in cell) for cell in column) for column in columns
        ]
        return len(self.rows) <= 12 and sum(widths) + 2 * len(widths) <= 54

    @property
    def groups(self) -> tuple[tuple[str, tuple[tuple[str, ...], ...]], ...]:
        """Rows one under the other that share their first cell, and that cell."""
        return tuple((head, tuple(rows)) for head, rows in groupby(self.rows, key=lambda row: row[0]))


@dataclass(frozen=True, slots=True)
class Figure:
    """A chart with its title, what to know in order to read it, and its numbers."""

    title: str
    chart: Markup
    note: str
    table: Table


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page. `absent` says why parts of it, or all, are not there."""

    id: str
    title: str
    words: tuple[str, ...] = ()
    figures: tuple[Figure, ...] = ()
    tables: tuple[Table, ...] = ()
    absent: tuple[str, ...] = ()
    number: str = ""
    points: tuple[tuple[str, str], ...] = ()  # terms and what they mean
    chapters: tuple[Section, ...] = ()
