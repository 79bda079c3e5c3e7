"""Why a book's borrowers are overdue, and why its overdue rate changed."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from evenkeel.arrears.cause import Caused, find_causes
from evenkeel.arrears.decomposition import RateChange, decompose
from evenkeel.book.model import Book
from evenkeel.decisions.exposure import Caps, exposures, incomes, open_lines
from evenkeel.kernel.errors import InvalidInput
from evenkeel.pipeline.overdue import panel_of

_YEAR = 12


@dataclass(frozen=True, slots=True)
class BookCauses:
    """change: None where the book has one month only."""

    caused: Caused
    change: RateChange | None


def causes_of(
    whole: Book, *, before: int | None = None, after: int | None = None, seed: int = 0, threads: int = 2
) -> BookCauses:
    """The causes of a book's arrears as known on its as_of, and the split of the change of its overdue rate.

    before, after: month numbers; by default the last month, and the one a year before it or the first on file.
    Raises InvalidInput where a month is not in the book.
    """
    with threadpool_limits(limits=1):
        panel, book = panel_of(whole)
        lines = open_lines(panel, book.tables, book.as_of, Caps())
        people = pc.unique(lines["borrower_id"]).sort()
        seen = incomes(book.tables, people, panel.last_month, whole.manifest.timezone)
        caused = find_causes(panel, book.tables, lines, exposures(lines, seen, Caps()), threads=threads)
        first = int(panel.month.min(initial=panel.last_month))
        last = panel.last_month if after is None else after
        start = max(first, last - _YEAR) if before is None else before
        if first == panel.last_month and before is None and after is None:
            return BookCauses(caused, None)
        if not first <= start < last <= panel.last_month:
            raise InvalidInput(
                "The months do not lie in the book, the earlier one first.", "See --from and --to, and `book check`."
            )
        return BookCauses(caused, decompose(panel, book.tables, start, last, seed=seed))
