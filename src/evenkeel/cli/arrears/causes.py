"""`evenkeel arrears causes`: why each borrower is overdue, and why the book's overdue rate changed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.cause import CAUSES
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.book import checked_book
from evenkeel.cli.options import as_json_option, book_options, lang_option
from evenkeel.cli.tables import write_rows
from evenkeel.kernel.calendar import month_number
from evenkeel.kernel.text import Texts, texts
from evenkeel.pipeline.causes import BookCauses, causes_of

_WIDTH = 32  # of a bar


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel arrears causes ./march\n"
    "  evenkeel arrears causes ./march --from 2024-03 --to 2024-12 --lang zh\n"
    "  evenkeel arrears causes ./march --out ./causes --json | jq .change.parts"
)
@book_options
@click.option("--from", "before", metavar="MONTH", help="Earlier month of the change, 2024-03; else a year before.")
@click.option("--to", "after", metavar="MONTH", help="Later month of the change; else the last of the book.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the intervals.")
@click.option("--threads", type=click.IntRange(1, 64), default=2, show_default=True, help="Threads; changes no byte.")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False),
    help="Folder for causes.parquet: every cause of every overdue borrower, what speaks for it and against it.",
)  # fmt: skip
@lang_option
@as_json_option
@click.pass_obj
def causes(
    application: Application, book: Path, adapter: str | None, as_of: date | None, max_bad_share: float,
    before: str | None, after: str | None, seed: int, threads: int, out: Path | None, lang: str, as_json: bool,
) -> None:  # fmt: skip
    """Why the borrowers of BOOK are overdue, each with the evidence; and why its overdue rate changed, split exactly.

    A cause is named where the evidence makes it likelier than not, else it is `unclear`. The change falls to six
    factors: mix, granting, behaviour, treatment, the quality of vintages, and macro; their parts add up to it.
    """
    months = [None if text is None else month_number(text) for text in (before, after)]
    with present.progress(as_json) as report:
        read = checked_book(book, adapter, as_of, application.today, max_bad_share)
        report("weighing the evidence", 0.5)
        found = causes_of(read, before=months[0], after=months[1], seed=seed, threads=threads)
    if out is not None:
        write_rows(found.caused.beliefs, out / "causes.parquet")
        present.say(f"written: {out / 'causes.parquet'}")
    document = {
        "as_of": read.as_of.isoformat(),
        "causes": found.caused.summary,
        "borrowers": _borrowers(found.caused.beliefs, found.caused.table),
        "change": None if found.change is None else found.change.document(),
    }
    present.answer(document, as_json, lambda: "\n".join(_words(found, texts(lang))))


def _borrowers(beliefs: pa.Table, named: pa.Table) -> list[dict[str, Any]]:
    """One entry for each overdue borrower: the cause named or `unclear`, and all causes with their evidence."""
    said = dict(zip(named["borrower_id"].to_pylist(), named["cause"].to_pylist(), strict=True))
    entries: dict[str, dict[str, Any]] = {}
    for row in beliefs.to_pylist():
        name = row.pop("borrower_id")
        onset = row.pop("onset_month")
        entry = entries.setdefault(
            name, {"borrower_id": name, "onset_month": onset, "cause": said[name], "causes": []}
        )  # fmt: skip
        entry["causes"].append(row)
    return list(entries.values())


def _words(found: BookCauses, say: Texts) -> Iterator[str]:
    summary = json.loads(json.dumps(found.caused.summary))
    yield say("causes.overdue", count=f"{summary['overdue_borrowers']:,}")
    widest = max((entry["borrowers"] for entry in summary["causes"]), default=0) or 1
    for entry in summary["causes"]:
        bar = "█" * round(_WIDTH * entry["borrowers"] / widest)
        share = "" if entry["share"] is None else f"{entry['share']:6.1%}"
        yield f"  {bar:<{_WIDTH}} {entry['borrowers']:>7,} {share}  {say('cause.name.' + entry['cause'])}"
    yield from _strongest(found.caused.beliefs, say)
    if summary["tables_that_would_help"]:
        yield say("causes.would_help", tables=", ".join(summary["tables_that_would_help"]))
    yield ""
    if found.change is None:
        yield say("causes.one_month")
    else:
        yield from _waterfall(found.change.document(), say)


def _strongest(beliefs: pa.Table, say: Texts) -> Iterator[str]:
    """What speaks most for each cause, over all borrowers of whom it is the likeliest."""
    first = beliefs.take(pa.array(range(0, beliefs.num_rows, len(CAUSES)), pa.int64()))  # each borrower's likeliest
    flat = pc.list_flatten(first["evidence_for"])
    owners = pc.list_parent_indices(first["evidence_for"])
    parts = {name: pc.struct_field(flat, name) for name in ("code", "points")}
    table = pa.table({"cause": first["cause"].take(owners), **parts})
    summed = table.group_by(["cause", "code"], use_threads=False).aggregate([("points", "sum")])
    rows = sorted(summed.to_pylist(), key=lambda row: (row["cause"], -row["points_sum"], row["code"]))
    if rows:
        yield ""
        yield say("causes.evidence")
    for cause in dict.fromkeys(row["cause"] for row in rows):
        codes = [row["code"] for row in rows if row["cause"] == cause][:3]
        yield f"  {say('cause.name.' + cause)}: " + "; ".join(say("cause." + code) for code in codes)


def _waterfall(change: Mapping[str, Any], say: Texts) -> Iterator[str]:
    """The change as a staircase of bars, one for each factor."""
    before, after = change["before"], change["after"]
    steps = [(part["change"] or 0.0) for part in change["parts"]]
    at = [before["rate"]]
    for step in steps:
        at.append(at[-1] + step)
    low, high = min(*at, after["rate"]), max(*at, after["rate"])
    scale = (_WIDTH - 1) / ((high - low) or 1.0)

    def bar(start: float, stop: float, mark: str) -> str:
        left, right = sorted((round((start - low) * scale), round((stop - low) * scale)))
        return f"{' ' * left + mark * max(right - left, 1):<{_WIDTH}}"

    yield say("causes.change", before=before["month"], after=after["month"])
    yield f"  {bar(low, before['rate'], '░')} {before['rate']:8.2%}  {before['month']}"
    for part, start, step in zip(change["parts"], at, steps, strict=False):
        name = say(f"causes.factor.{part['factor']}")
        if part["change"] is None:
            yield f"  {'':<{_WIDTH}} {'-':>8}  {name}: {say('causes.needs', needs=part['needs'])}"
            continue
        told = say("causes.between", low=f"{100 * part['low']:+.2f}", high=f"{100 * part['high']:+.2f}")
        mark = "█" if step > 0 else "▒"
        yield f"  {bar(start, start + step, mark)} {100 * step:+8.2f}  {name} {told}"
    yield f"  {bar(low, after['rate'], '░')} {after['rate']:8.2%}  {after['month']}"
    yield say("causes.note")
