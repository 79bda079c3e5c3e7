"""`evenkeel book`: schema, adapters, check, import, generate."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from pathlib import Path
from typing import Any

import click

from evenkeel.book.adapters.registry import ADAPTERS, description
from evenkeel.book.contract import ARROW_TYPES, CONTRACT_VERSION, TABLES, Column
from evenkeel.book.faults import Effect, Fault, Quality
from evenkeel.book.model import Book
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, book_options, workspace_option
from evenkeel.kernel.errors import InvalidInput
from evenkeel.pipeline.outputs import whole_folder, write_quality

_SHOWN = 20  # faults of a kind on screen; all of them are in faults.csv


@click.group()
def book() -> None:
    """A lender's book: what goes in, what is wrong with it, and a made one to try."""


@book.command()
@as_json_option
def schema(as_json: bool) -> int:
    """The tables and columns of a book: * = needed, (key) = identifies the row."""
    document = {
        "contract": CONTRACT_VERSION,
        "tables": {
            table.name: {
                "key": list(table.key),
                "unlocks": table.unlocks,
                "columns": [_column(column) for column in table.columns],
            }
            for table in TABLES.values()
        },
    }
    present.answer(document, as_json, _schema_words)
    return present.DONE


def _column(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": str(ARROW_TYPES[column.kind]),
        "holds": column.kind.value,
        "needed": column.needed,
        "choices": list(column.choices),
        "low": column.low,
        "high": column.high,
        "references": column.references,
        "also_as": None if column.major_name is None else f"{column.major_name} (major units)",
    }


def _schema_words() -> str:
    lines = []
    for table in TABLES.values():
        lines.append(f"{table.name}  (for {table.unlocks})")
        for column in table.columns:
            marks = ("*" if column.needed else " ") + (" (key)" if column.name in table.key else "")
            holds = ", ".join(column.choices) if column.choices else column.kind.value
            lines.append(f"  {column.name:24}{marks:8}{holds}")
        lines.append("")
    lines.append(
        "Each table is NAME.parquet, NAME.csv or NAME.xlsx in one folder. Amounts also as NAME without _minor,"
    )
    lines.append("in major units. Columns named x_... are kept as features for models.")
    return "\n".join(lines)


@book.command()
@as_json_option
def adapters(as_json: bool) -> int:
    """The public files that --adapter reads, and what each maps, drops and assumes."""
    document = {name: description(name) for name in ADAPTERS}
    present.answer(document, as_json, lambda: "\n\n".join(f"{name}\n{text}" for name, text in document.items()))
    return present.DONE


@book.command(epilog="\b\nExample:\n  evenkeel book check ./march --out ./march-faults")
@book_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder for quality.json and faults.csv.")
@as_json_option
@click.pass_obj
def check(
    application: Application, book: Path, adapter: str | None, as_of: date | None, out: Path | None,
    max_bad_share: float, as_json: bool,
) -> int:  # fmt: skip
    """List every fault in BOOK by table, row, column and value, with what to do."""
    from evenkeel.pipeline.run import read_checked  # it brings the whole loop: see `_COMMANDS` of `main`

    with present.progress(as_json) as report:
        quality = read_checked(book, adapter, as_of, application.today, max_bad_share, report).quality
    if out is not None:
        with whole_folder(out) as folder:
            write_quality(folder, quality)
    present.answer(quality.document(), as_json, lambda: quality_words(quality))
    return present.AT_FAULT if quality.refused else present.DONE


def checked_book(book: Path, adapter: str | None, as_of: date | None, latest: date, max_bad_share: float) -> Book:
    """A checked book. Raises InvalidInput where it is refused."""
    from evenkeel.pipeline.run import read_checked

    checked = read_checked(book, adapter, as_of, latest, max_bad_share, lambda what, share: None)
    if checked.book is None:
        raise InvalidInput(quality_words(checked.quality), "Mend the book; `evenkeel book check` lists every fault.")
    return checked.book


def quality_words(quality: Quality) -> str:
    """What a check found, for people: the first faults of each kind, then the count of rows."""
    kinds: dict[tuple[str, str, str], list[Fault]] = defaultdict(list)
    for fault in quality.faults:
        kinds[(fault.table, fault.column, fault.rule)].append(fault)
    lines = []
    for faults in kinds.values():
        for fault in faults[:_SHOWN]:
            mark = {Effect.REFUSED: "✗", Effect.SET_ASIDE: "–", Effect.WARNING: "!"}[fault.effect]
            lines.append(f"{mark} {fault.place()}: {fault.problem()} {fault.remedy()}")
        if len(faults) > _SHOWN:
            lines.append(f"  ... and {len(faults) - _SHOWN:,} more of this kind")
    for name, table in sorted(quality.tables.items()):
        lines.append(f"{name:16}{table.accepted:>12,} of {table.rows:,} rows accepted")
    lines.extend(f"· {note}" for note in quality.notes)
    return "\n".join(lines) or "No faults."


@book.command("import", epilog="\b\nExample:\n  evenkeel book import ./march --workspace ./record")
@book_options
@workspace_option
@as_json_option
@click.pass_obj
def import_book(
    application: Application, book: Path, adapter: str | None, as_of: date | None, workspace: Path | None,
    max_bad_share: float, as_json: bool,
) -> int:  # fmt: skip
    """Take BOOK on record: its rows into the lake, one fact into the journal. The same book twice changes nothing."""
    from evenkeel.pipeline.run import read_checked, record

    with present.progress(as_json) as report:
        checked = read_checked(
            book, adapter, as_of, application.today, max_bad_share, lambda what, share: report(what, share / 2)
        )
        if checked.book is None:
            present.answer(checked.quality.document(), as_json, lambda: quality_words(checked.quality))
            return present.AT_FAULT
        digest = checked.book.digest()
        with application.workspace(workspace, present.say)() as opened:
            new = record(opened, checked.book, digest, lambda what, share: report(what, 0.5 + share / 2))
    rows = {name: table.accepted for name, table in sorted(checked.quality.tables.items())}
    document = checked.quality.document() | {"digest": digest, "imported": new, "accepted_rows": rows}
    what = "Imported" if new else "Already on record"
    words = f"{what}: {sum(rows.values()):,} rows of {len(rows)} tables, {digest[:16]}"
    present.answer(document, as_json, lambda: words)
    return present.DONE


@book.command(
    "generate", epilog="\b\nExample:\n  evenkeel book generate --borrowers 20000 --months 24 --seed 1 --out ./book"
)
@click.option("--borrowers", type=click.IntRange(1, 5_000_000), default=20_000, show_default=True)
@click.option("--months", type=click.IntRange(1, 240), default=24, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--purchases", is_flag=True, help="Also every single purchase, as events.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new or empty folder.")
@as_json_option
def generate_book(borrowers: int, months: int, seed: int, purchases: bool, out: Path, as_json: bool) -> int:
    """Make a lender's book whose overdue rates, limits and incomes follow published figures (docs/marginals.md)."""
    from evenkeel.book.generator import GeneratorSpec, generate, write_book

    with present.progress(as_json) as report:
        made = generate(
            GeneratorSpec(borrowers=borrowers, months=months, seed=seed, purchases=purchases),
            lambda share: report("generating", 0.9 * share),
        )
        write_book(made, out)
    rows = {name: table.num_rows for name, table in sorted(made.book_tables.items())}
    document = {
        "contract": CONTRACT_VERSION,
        "as_of": made.manifest["as_of"],
        "accepted": True,
        "tables": {
            name: {"rows": count, "accepted": count, "rejected": 0, "set_aside": 0, "set_aside_with": 0}
            for name, count in rows.items()
        },
        "faults": [],
        "refused_because": [],
        "notes": [],
    }
    words = "\n".join(
        [f"{out}: a book as of {made.manifest['as_of']}", *(f"{n:16}{c:>12,} rows" for n, c in rows.items())]
    )
    present.answer(document, as_json, lambda: words)
    return present.DONE
