"""A book for the commands of arrears: read, checked, or refused with its faults."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from evenkeel.book.model import Book
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.book import quality_words
from evenkeel.kernel.errors import InvalidInput
from evenkeel.pipeline.run import Reporter, read_checked


def read_for(
    application: Application,
    book: Path,
    adapter: str | None,
    as_of: date | None,
    max_bad_share: float,
    report: Reporter,
) -> Book:
    """The book of a folder or a known file. Raises InvalidInput where it is refused, after its faults were said."""
    checked = read_checked(book, adapter, as_of, application.today, max_bad_share, report)
    if checked.book is None:
        present.say(quality_words(checked.quality))
        raise InvalidInput(f"The book {book} is refused.", f"See every fault: evenkeel book check {book}.")
    return checked.book
