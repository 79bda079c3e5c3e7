"""A checked book: its manifest and its tables in the contract's types."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a book says of itself (CONTRACT 2); every field has a stated default where a person gave no manifest."""

    as_of: date
    timezone: str = "Asia/Shanghai"
    currency: str = "CNY"
    jurisdiction: str = "CN"
    lender_name: str = ""
    source: str = ""
    contract: int = 1


@dataclass(frozen=True, slots=True)
class Book:
    """A book whose rows are known to be sound. `tables` holds only the tables that were given."""

    manifest: Manifest
    tables: Mapping[str, pa.Table]
    notes: tuple[str, ...] = ()  # what an adapter maps, drops and assumes; what a default stood in for

    last_known: date | None = None  # where the facts reach beyond as_of: the day up to which they do

    @property
    def as_of(self) -> date:
        """The day on which the book is read."""
        return self.manifest.as_of

    @property
    def last_day(self) -> date:
        """The day up to which the book holds facts."""
        return self.last_known or self.as_of

    @property
    def has_later_facts(self) -> bool:
        """Whether the book is read as of a day before its own end."""
        return self.last_day > self.as_of

    def digest(self) -> str:
        """SHA-256 over the manifest and every table's content: what the book says, however it was stored or read."""
        seal = hashlib.sha256(repr(replace(self.manifest, as_of=self.last_day)).encode())
        for name in sorted(self.tables):
            seal.update(f"\x1f{name}\x1f".encode())
            seal.update(table_digest(self.tables[name]))
        return seal.hexdigest()


def table_digest(table: pa.Table) -> bytes:
    """SHA-256 of a table's schema and rows, equal whatever its chunks, offsets and file format were.

    The bytes hashed are uncompressed Parquet, which holds no value for a null and nothing of Arrow's memory layout.
    """
    seal = hashlib.sha256()
    plain = table.replace_schema_metadata(None).combine_chunks()
    with pq.ParquetWriter(_Sink(seal), plain.schema, compression="none", write_statistics=False) as writer:
        writer.write_table(plain)
    return seal.digest()


class _Sink:
    """A file that only hashes what is written to it."""

    closed = False

    def __init__(self, seal: hashlib._Hash) -> None:
        self._seal = seal
        self._size = 0

    def write(self, data: bytes) -> int:
        """Hash the bytes; returns how many there were."""
        self._seal.update(data)
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        """How much was written, which Parquet's footer refers to."""
        return self._size

    def flush(self) -> None:
        """Nothing is held back."""

    def close(self) -> None:
        """Nothing is held open."""
