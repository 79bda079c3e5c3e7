"""`evenkeel norms`: what is usual among applicants, learned from a book or from the record, and kept on record."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from evenkeel.book.known import known_on
from evenkeel.book.model import Book
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import (
    adapter_option,
    as_json_option,
    as_of_option,
    max_bad_share_option,
    workspace_option,
)
from evenkeel.decisions.applicants_on_record import keep_norms, kept_norms, norms_on_record
from evenkeel.decisions.assessment.assess import USUAL, Norms, learn_norms
from evenkeel.kernel.errors import InvalidInput
from evenkeel.storage.database import transaction

_LARGEST = 64_000_000  # bytes of a file of norms


@click.command(
    epilog="\b\nExamples:\n  evenkeel norms BOOK\n  evenkeel norms --zone Asia/Shanghai\n"
    "  evenkeel serve --model model/model.json --norms norms-1f0c5f2e9d1b7a33"
)
@click.argument("book", required=False, type=click.Path(path_type=Path))
@click.option("--zone", default="Asia/Shanghai", show_default=True, help="Zone of months, where no BOOK says it.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Also write them as JSON.")
@adapter_option
@as_of_option
@max_bad_share_option
@workspace_option
@as_json_option
@click.pass_obj
def norms(
    application: Application, book: Path | None, zone: str, out: Path | None, adapter: str | None, as_of: date | None,
    max_bad_share: float, workspace: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Learn what is usual among applicants: incomes of peers, honest mistakes, how common each sign of forgery is.

    From the applications of BOOK, or without one from those on record. They are kept with the record under a version,
    and `decide` and `serve` hold applications against them with --norms.
    """
    learned = None
    if book is not None:
        from evenkeel.cli.book import checked_book  # it brings the whole loop, which `serve` needs nothing of

        learned = _of_book(checked_book(book, adapter, as_of, application.today, max_bad_share))
    with application.workspace(workspace, present.say)() as place, transaction(place.engine) as connection:
        found = norms_on_record(connection, zone) if learned is None else learned
        keep_norms(connection, found)
    if out is not None:
        out.write_text(json.dumps(found.document()), encoding="utf-8")
    count = found.weights.rows
    document = {"norms": found.version, "applications": count, "suspect_from": found.suspect_from}
    present.answer(document, as_json, lambda: f"{found.version}; applications learned from: {count:,}")
    return present.DONE


def _of_book(book: Book) -> Norms:
    if "applications" not in book.tables:
        raise InvalidInput("The book has no applications.", "Name a book with the table `applications`.")
    zone = book.manifest.timezone
    known = known_on(book, book.as_of, zone) if book.has_later_facts else book
    return learn_norms(known.tables, zone)


def chosen_norms(application: Application, workspace: Path | None, reference: str | None) -> Norms:
    """Norms on record by their version, or from a file of JSON; the usual ones where none are named.

    Raises InvalidInput, NotFound where they cannot be read.
    """
    if reference is None:
        return USUAL
    if reference.startswith("norms-") and not Path(reference).exists():
        with application.workspace(workspace, present.say)() as place, transaction(place.engine) as connection:
            return kept_norms(connection, reference)
    try:
        with Path(reference).open("rb") as file:
            return Norms.from_document(json.loads(file.read(_LARGEST)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InvalidInput(
            f"{reference} cannot be read as norms: {error}.", "Give a version on record, or what `norms --out` wrote."
        ) from None
