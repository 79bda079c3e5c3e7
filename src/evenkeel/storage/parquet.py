"""The Parquet lake: where a book's tables lie, how they are written the same twice, and how they are read back.

lake/books/DIGEST/accounts.parquet
lake/books/DIGEST/periods/month=2024-05/part.parquet      one file a month; an empty table is periods/part.parquet
lake/draft/DIGEST/...                                     a load on its way; whatever lies here is no part of a book
"""

import hashlib
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.storage.files import sync, writing

PARTITIONED = "periods"  # the one table that is split by month
Progress = Callable[[str, int, int], None]

_DIGEST = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{7,127}")
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,62}")
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_ROW_GROUP = 262_144


@dataclass(frozen=True, slots=True)
class Lake:
    """The lake in one folder. A book here is whole: its folder appears by a rename after every byte is on the disk."""

    root: Path

    @property
    def books(self) -> Path:
        return self.root / "books"

    @property
    def drafts(self) -> Path:
        return self.root / "draft"

    def book(self, digest: str) -> Path:
        """The folder of a book, there or not. Raises InvalidInput if `digest` could be no folder's name."""
        if not _DIGEST.fullmatch(digest):
            raise InvalidInput(f"{digest[:80]!r} is not the digest of a book.")
        return self.books / digest

    def files(self, digest: str, table: str) -> list[Path]:
        """The Parquet files of one table, in order: what an engine such as DuckDB is pointed at.

        Raises NotFound if the lake has no such book or the book no such table.
        """
        book = self.book(digest)
        if not book.is_dir():
            raise NotFound(f"The lake has no book {digest}.", "Import it, or run `evenkeel doctor`.")
        if not _TABLE.fullmatch(table):
            raise InvalidInput(f"{table[:80]!r} is not the name of a table.")
        found = [book / f"{table}.parquet"] if table != PARTITIONED else sorted((book / table).rglob("*.parquet"))
        if not found or not found[0].exists():
            raise NotFound(f"The book {digest} has no table {table}.")
        return found

    def read_book(self, digest: str) -> dict[str, pa.Table]:
        """All tables of a book by name, rows as they were loaded; `periods` month by month.

        Raises NotFound if the lake has no such book.
        """
        book = self.book(digest)
        if not book.is_dir():
            raise NotFound(f"The lake has no book {digest}.", "Import it, or run `evenkeel doctor`.")
        names = sorted({path.relative_to(book).parts[0].removesuffix(".parquet") for path in book.rglob("*.parquet")})
        return {name: pa.concat_tables([_read(path) for path in self.files(digest, name)]) for name in names}

    def write_draft(self, digest: str, tables: Mapping[str, pa.Table], progress: Progress | None) -> Path:
        """Write tables into a draft folder, on the disk to the last byte; `place` makes a book of it.

        The bytes depend on names, types, values and order of rows and columns alone. progress: table, files written,
        files in all. Raises InvalidInput on a name or month that cannot be a file's, Unavailable on a disk's refusal
        (nothing is left then).
        """
        draft = self.drafts / self.book(digest).name
        with writing(self.root):
            self.clear_drafts()
            draft.mkdir(parents=True)
            try:
                parts = {name: _partition(name, table) for name, table in sorted(tables.items())}
                total, done = sum(len(paths) for paths, _ in parts.values()), 0
                for name, (_, written) in parts.items():
                    for relative, part in written:
                        _write(part, draft / relative)
                        done += 1
                        if progress:
                            progress(name, done, total)
                for folder in [path for path in draft.rglob("*") if path.is_dir()] + [draft, self.drafts]:
                    sync(folder)
            except BaseException:
                shutil.rmtree(self.drafts, ignore_errors=True)
                raise
        return draft

    def place(self, draft: Path) -> Path:
        """Make a written draft the book of its name, in one step that a crash cannot halve."""
        book = self.book(draft.name)
        with writing(book):
            self.books.mkdir(exist_ok=True)
            draft.rename(book)
            sync(self.books)
            self.clear_drafts()
            sync(self.root)
        return book

    def discard(self, digest: str) -> None:
        """Remove a book's folder, in one step as seen from outside. Only for a book that is on no record."""
        book = self.book(digest)
        if book.exists():
            with writing(book):
                self.clear_drafts()
                self.drafts.mkdir(parents=True, exist_ok=True)
                book.rename(self.drafts / digest)
                sync(self.books)
                self.clear_drafts()

    def clear_drafts(self) -> None:
        """Remove what killed loads left. The caller holds the lake's lock."""
        if self.drafts.exists():
            shutil.rmtree(self.drafts)


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by path relative to it with forward slashes."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            with path.open("rb") as file:
                found[path.relative_to(folder).as_posix()] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


def _partition(name: str, table: pa.Table) -> tuple[list[str], Iterator[tuple[str, pa.Table]]]:
    """The files of one table: their paths, and an iterator that makes each part when it is wanted."""
    if not _TABLE.fullmatch(name):
        raise InvalidInput(f"{name[:80]!r} is not the name of a table.")
    if name != PARTITIONED:
        return [f"{name}.parquet"], iter([(f"{name}.parquet", table)])
    if table.num_rows == 0:
        return [f"{name}/part.parquet"], iter([(f"{name}/part.parquet", table)])
    # As plain text first: a column that is a dictionary already may list months that no row has.
    encoded = pc.dictionary_encode(table.column("month").cast(pa.string()).combine_chunks())
    months = [str(month) for month in encoded.dictionary.to_pylist()]
    wrong = [month for month in months if not _MONTH.fullmatch(month)]
    if wrong or encoded.null_count:
        raise InvalidInput(
            f"{wrong[0]!r} is not a month." if wrong else "A period has no month.", "Write it as 2024-05."
        )
    paths = sorted(f"{name}/month={month}/part.parquet" for month in months)
    return paths, _months(name, table, months, encoded.indices.to_numpy())


def _months(name: str, table: pa.Table, months: list[str], codes: np.ndarray) -> Iterator[tuple[str, pa.Table]]:
    # A stable sort of the codes keeps the given order within a month; only one month's rows are copied at a time.
    rank = np.argsort(np.argsort(months))
    order = np.argsort(rank[codes].astype(np.int16), kind="stable")
    ends = np.cumsum(np.bincount(rank[codes], minlength=len(months)))
    whole = table.combine_chunks()
    for month, start, end in zip(sorted(months), [0, *ends[:-1]], ends, strict=True):
        yield f"{name}/month={month}/part.parquet", whole.take(pa.array(order[start:end]))


def _write(table: pa.Table, path: Path) -> None:
    """One file, on the disk. Chunks and foreign metadata are dropped: they would make equal tables differ in bytes."""
    plain = pa.schema([pa.field(field.name, field.type, field.nullable) for field in table.schema])
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(
        table.combine_chunks().cast(plain), path, compression="zstd", row_group_size=_ROW_GROUP, store_schema=True
    )
    sync(path)


def _read(path: Path) -> pa.Table:
    # ParquetFile reads the file as it is; read_table would take `month=` in the path for another column.
    with pq.ParquetFile(path) as file:
        return file.read()
