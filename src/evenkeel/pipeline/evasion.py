"""Of a book: whom a person may look at, and how that falls on groups of people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.evasion.evidence import Route, assess
from evenkeel.book.model import Book
from evenkeel.decisions.exposure import Caps, open_lines
from evenkeel.measures.discrimination import wilson
from evenkeel.pipeline.overdue import panel_of

CEILING = 0.01  # of the overdue borrowers of any group whom a person is asked to look at, set beforehand
GROUPS = ("age", "region", "occupation", "complained")
_AGES = (25, 35, 45, 60)


@dataclass(frozen=True, slots=True)
class Group:
    """One group of overdue borrowers: how many, how many of them a person may look at, with a 95 % interval."""

    by: str
    name: str
    borrowers: int
    reviews: int
    low: float
    high: float

    @property
    def over(self) -> bool:
        """Whether the share is above the ceiling beyond chance."""
        return self.low > CEILING

    def document(self) -> dict[str, object]:
        """As JSON holds it."""
        return {
            "by": self.by, "group": self.name, "borrowers": self.borrowers, "reviews": self.reviews,
            "share": self.reviews / self.borrowers, "low": self.low, "high": self.high, "over_ceiling": self.over,
        }  # fmt: skip


def evasion_of(whole: Book) -> tuple[pa.Table, list[Group]]:
    """Every overdue borrower (arrears.evasion.evidence.ASSESSED), and the shares of groups.

    What people are is not read by the models; it is held against their result here, complaining too.
    """
    panel, book = panel_of(whole)
    lines = open_lines(panel, book.tables, book.as_of, Caps())
    table = assess(panel, book.tables, lines, book.as_of)
    return table, list(_groups(table, book))


def _groups(table: pa.Table, book: Book) -> Iterator[Group]:
    review = pc.equal(table["route"], str(Route.REVIEW)).to_numpy()
    for by, names in _names(table["borrower_id"].combine_chunks(), book).items():
        values = np.array(["" if name is None else str(name) for name in names.to_pylist()])
        for name in sorted(set(values.tolist()) - {""}):
            inside = values == name
            hits, count = int(review[inside].sum()), int(inside.sum())
            low, high = wilson(np.array([hits]), np.array([count]))
            yield Group(by, name, count, hits, float(low[0]), float(high[0]))


def _names(ids: pa.Array, book: Book) -> dict[str, pa.Array]:
    """The group of each borrower by each of GROUPS that the book tells; null where it is not known."""
    found: dict[str, pa.Array] = {}
    if "borrowers" in book.tables:
        people = book.tables["borrowers"]
        row = pc.index_in(ids, people["borrower_id"].combine_chunks())
        for name in ("region", "occupation"):
            found[name] = people[name].combine_chunks().take(row)
        age = pc.subtract(book.as_of.year, pc.year(people["birth_date"])).combine_chunks().take(row)
        known = np.asarray(age.cast(pa.float64()).to_numpy(zero_copy_only=False))
        bands = [f"<{_AGES[0]}", *(f"{a}-{b - 1}" for a, b in pairwise(_AGES)), f"{_AGES[-1]}+"]
        place = np.searchsorted(np.array(_AGES), np.nan_to_num(known), side="right")
        found["age"] = pa.array(bands).take(pa.array(place, mask=np.isnan(known)))
    if "complaints" in book.tables:
        complained = pc.is_in(ids, book.tables["complaints"]["borrower_id"].combine_chunks())
        found["complained"] = pc.if_else(complained, "yes", "no")
    return found
