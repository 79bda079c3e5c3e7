"""The full early warning of a book."""

from __future__ import annotations

from collections.abc import Callable

from threadpoolctl import threadpool_limits

from evenkeel.arrears.warning.alarm import Costs
from evenkeel.arrears.warning.full import EarlyWarning, early_warning
from evenkeel.book.model import Book
from evenkeel.pipeline.overdue import panel_of


def early_warning_of(
    whole: Book, *, costs: Costs, seed: int, threads: int, progress: Callable[[str, float], None]
) -> EarlyWarning:
    """The early warning of a checked book, as it was known on its as_of."""
    with threadpool_limits(limits=1):
        panel, book = panel_of(whole)
        return early_warning(panel, book.tables, costs=costs, seed=seed, threads=threads, progress=progress)
