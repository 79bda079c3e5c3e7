"""Bulk loads: the tables of a book enter the lake, and one fact about them enters the journal."""

import importlib.metadata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from sqlalchemy.engine import Connection

from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import Conflict, InvalidInput
from evenkeel.kernel.ids import content_id
from evenkeel.storage.files import exclusive
from evenkeel.storage.journal import Fact, Payload
from evenkeel.storage.parquet import Progress, hashes
from evenkeel.storage.workspace import Workspace

KIND = "book_loaded"

_LIMIT_S = 600.0  # another process may be loading a large book


@dataclass(frozen=True, slots=True)
class LoadResult:
    """`loaded` is False where the book was on record already; `path` is its folder in the lake."""

    loaded: bool
    path: Path


def load(
    workspace: Workspace,
    digest: str,
    manifest: Mapping[str, object],
    tables: Mapping[str, pa.Table],
    progress: Progress | None = None,
) -> LoadResult:
    """Load a book: its tables become Parquet in the lake, then one transaction books the fact `book_loaded`.

    digest: of the book's content, the idempotency key. manifest: a JSON object with the book's `as_of`.
    tables: by name, rows in the order they shall keep. progress: table, files written, files in all.
    The same book again changes nothing; a load after one that was killed gives what an undisturbed one gives. A book
    on record whose folder is gone is written again and held to the recorded hashes.
    Raises Conflict if the digest is on record for another manifest or other row counts, InvalidInput on names that
    cannot be files', Unavailable if disk or database fail (then nothing has changed).
    """
    lake, journal = workspace.lake, workspace.journal
    body = {"manifest": dict(manifest), "rows": {name: table.num_rows for name, table in sorted(tables.items())}}
    key, book, effective_at = f"book:{digest}", lake.book(digest), _as_of(manifest)
    lock = workspace.path / "lake.lock"  # beside the lake, whose bytes depend on its books alone
    with exclusive(lock, f"The lake {lake.root}", journal.clock, _LIMIT_S):
        lake.clear_drafts()
        recorded = journal.reply(key, body)
        if recorded is not None and book.exists():
            return LoadResult(False, book)
        if recorded is None:
            lake.discard(digest)  # a load was killed after its folder was placed and before its fact was booked
        draft = lake.write_draft(digest, tables, progress)
        files = hashes(draft)
        if recorded is not None:
            if recorded["files"] != files:
                lake.clear_drafts()
                raise Conflict(
                    f"The book {digest} was written by {recorded['written_by']} and comes out in other bytes now.",
                    f"Restore {book} from a copy, or load the book with that version.",
                )
            return LoadResult(False, lake.place(draft))
        lake.place(draft)
        reply = {**body, "files": files, "written_by": f"pyarrow {importlib.metadata.version('pyarrow')}"}

        def book_it(connection: Connection) -> Payload:
            journal.append_in(
                connection, [Fact(content_id("book", digest), KIND, effective_at, {"digest": digest, **reply})]
            )
            return reply

        return LoadResult(journal.once(key, body, book_it).first, book)


def _as_of(manifest: Mapping[str, object]) -> datetime:
    """The day of the manifest's `as_of`, as the instant at which it begins in UTC."""
    day = manifest.get("as_of")
    if not isinstance(day, str):
        raise InvalidInput("The manifest of the book has no `as_of`.", "Give the day that the book describes.")
    return datetime.combine(parse_date(day), datetime.min.time(), UTC)
