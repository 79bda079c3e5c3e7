"""From a spec to a book, and from a book to a folder."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from evenkeel.book.contract import CONTRACT_VERSION
from evenkeel.book.generator import evidence, tables
from evenkeel.book.generator.households import draw_households
from evenkeel.book.generator.lines import draw_lines
from evenkeel.book.generator.simulate import simulate
from evenkeel.book.generator.spec import GeneratorSpec
from evenkeel.book.generator.story import fix_story
from evenkeel.kernel.calendar import month_end, month_number
from evenkeel.kernel.errors import Conflict

Progress = Callable[[float], None]
TRUTH: Final = "truth"
# Ids that are new in every row gain nothing from a dictionary.
_UNIQUE: Final = frozenset({"payment_id", "event_id", "contact_id", "application_id", "check_id", "consent_id"})


@dataclass(frozen=True, slots=True)
class Generated:
    """A book in memory.

    book_tables: the contract's tables by name, sorted by key. truth: `causes` (borrower_id, cause, onset_month) and
    `incomes` (borrower_id, month, income_minor), which no product code reads. manifest: as in the contract; digests
    are added when the book is written.
    """

    book_tables: dict[str, pa.Table]
    truth: dict[str, pa.Table]
    manifest: dict[str, Any]


def generate(spec: GeneratorSpec, progress: Progress | None = None) -> Generated:
    """The book of a spec, the same for the same spec. progress hears the share done, from 0 to 1.

    The manifest's digests are filled in when the book is written.
    """
    people = draw_households(spec)
    people, lines = fix_story(people, draw_lines(spec, people))
    simulated = simulate(spec, people, lines, None if progress is None else lambda share: progress(0.7 * share))
    index = tables.make_index(spec, people, lines, simulated)
    book = {
        "accounts": tables.accounts_table(index),
        "periods": tables.periods_table(index),
        "instalments": tables.instalments_table(index),
        "payments": tables.payments_table(index),
        "borrowers": tables.borrowers_table(index),
        "applications": evidence.applications_table(index),
        "identity_checks": evidence.identity_checks_table(index),
        "events": evidence.events_table(index),
        "contacts": evidence.contacts_table(index),
        "consents": evidence.consents_table(index),
        "complaints": evidence.complaints_table(index),
        "recoveries": evidence.recoveries_table(index),
        "parties": tables.parties_table(),
        "macro": tables.macro_table(index),
    }
    if progress is not None:
        progress(1.0)
    return Generated(book, tables.truth_tables(index), _manifest(spec, book))


def _manifest(spec: GeneratorSpec, book: dict[str, pa.Table]) -> dict[str, Any]:
    return {
        "contract": CONTRACT_VERSION,
        "as_of": month_end(month_number(spec.end_month)).isoformat(),
        "timezone": tables.TIMEZONE,
        "currency": tables.CURRENCY,
        "jurisdiction": "CN",
        "lender_name": "Evenkeel demonstration lenders",
        "source": f"generated: {spec.borrowers} borrowers, {spec.months} months, seed {spec.seed}",
        "tables": {name: {"rows": table.num_rows} for name, table in sorted(book.items())},
    }


def write_book(generated: Generated, out: Path) -> None:
    """Write the book whole or not at all: tables and manifest.json into `out`, the truth into `out`/truth.

    Raises Conflict if `out` exists and is not an empty folder.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Conflict(f"{out} already holds something.", "Name a new or an empty folder.")
    out.parent.mkdir(parents=True, exist_ok=True)
    work = out.parent / f".{out.name}.{os.getpid()}.part"
    try:
        (work / TRUTH).mkdir(parents=True)
        listed = {}
        for name, table in sorted(generated.book_tables.items()):
            listed[name] = {"rows": table.num_rows, "sha256": _write_table(table, work / f"{name}.parquet")}
        for name, table in sorted(generated.truth.items()):
            _write_table(table, work / TRUTH / f"{name}.parquet")
        manifest = {**generated.manifest, "tables": listed}
        text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
        (work / "manifest.json").write_text(text, encoding="utf-8")
        if out.exists():
            out.rmdir()
        work.rename(out)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _write_table(table: pa.Table, path: Path) -> str:
    """Write one Parquet file; returns its SHA-256."""
    shared = [f.name for f in table.schema if pa.types.is_string(f.type) and f.name not in _UNIQUE]
    pq.write_table(table, path, compression="zstd", compression_level=1, use_dictionary=shared)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
