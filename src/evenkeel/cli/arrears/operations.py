"""`evenkeel arrears operations`: the figures that an operation is run by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.arrears.picture import bar, padded, spark
from evenkeel.cli.book import checked_book
from evenkeel.cli.options import as_json_option, book_options, lang_option
from evenkeel.kernel.text import Texts, texts

_FACTS = ("entry", "recovery", "promise_kept")
_MARKS = {"above": "▲", "below": "▼", "as expected": "·", None: " "}


@click.command(
    epilog="\b\nExamples:\n  evenkeel arrears operations ./march\n"
    "  evenkeel arrears operations ./march --as-of 2024-11-30 --lang zh\n"
    "  evenkeel arrears operations ./march --json | jq '.by.agency[] | {name, recovery}'"
)
@book_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder for operations.json.")
@lang_option
@as_json_option
@click.pass_obj
def operations(
    application: Application, book: Path, out: Path | None, adapter: str | None, as_of: date | None,
    max_bad_share: float, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Entry rate, recovery rate and promises kept of BOOK's last month, and cash and contacts day by day.

    By bucket, product, collector, agency and cohort of entry, each with its interval and beside what its own mix of
    buckets let expect: who has the harder cases is not the worse one for it. ▲ ▼ mark what is outside of that.
    """
    from evenkeel.arrears.treatments.operations import operations as operations_of
    from evenkeel.pipeline.outputs import check_free, whole_folder, write_json
    from evenkeel.pipeline.overdue import history_of

    if out is not None:
        check_free(out)
    with present.progress(as_json) as report:
        report("reading", 0.1)
        checked = checked_book(book, adapter, as_of, application.today, max_bad_share)
        report("counting", 0.7)
        history, tables = history_of(checked)
        document = {"book": str(book), "currency": checked.manifest.currency}
        document |= operations_of(history, tables.get("contacts"), tables.get("instalments"))
    if out is not None:
        with whole_folder(out) as folder:
            write_json(folder / "operations.json", document)
    present.answer(document, as_json, lambda: "\n".join(_words(document, texts(lang))))
    return present.DONE


def _words(document: Mapping[str, Any], say: Texts) -> Iterator[str]:
    if document["month"] is None:
        yield say("operations.nothing")
        return
    yield say("operations.head", month=document["month"])
    for name in _FACTS:
        one = document["whole"][name]
        line = spark([row[name] or 0.0 for row in document["months"]])
        yield f"{padded(say(f'operations.{name}'), 20)} {_share(one['rate']):>8}  {line}  {_beside(one, say)}"
        yield f"    {say(f'operations.{name}.is')}"
    amount = document["whole"]["amount_recovered"]
    line = spark([row["amount_recovered"] or 0.0 for row in document["months"]])
    yield f"{padded(say('operations.amount_recovered'), 20)} {_share(amount['rate']):>8}  {line}"
    yield f"    {say('operations.amount_recovered.is')}"
    for dimension in ("bucket", "product", "collector", "agency", "cohort"):
        yield from _dimension(dimension, document["by"].get(dimension, []), say)
    daily = document["daily"]
    if daily:
        yield say("operations.daily", first=daily[0]["day"], last=daily[-1]["day"])
        for key in ("bills_due", "bills_missed", "recovered_minor", "promises_due", "promises_kept", "contacts"):
            yield f"  {padded(say(f'operations.{key}'), 24)} {spark([float(one[key]) for one in daily])}"


def _dimension(name: str, rows: list[dict[str, Any]], say: Texts) -> Iterator[str]:
    shown = [row for row in rows if row["recovery"]["of"] or row["promise_kept"]["of"]]
    if not shown:
        return
    yield say(f"operations.by.{name}")
    for row in shown:
        one, kept = row["recovery"], row["promise_kept"]
        label = say("operations.none") if row["name"] == "-" else row["name"]
        yield (
            f"  {padded(label, 22)} {_share(one['rate']):>8} {_MARKS[one['against_expected']]} "
            f"{padded(bar(one['rate'] or 0.0, 16), 16)} {_beside(one, say)}"
            + (f"; {say('operations.kept', rate=_share(kept['rate']), of=kept['of'])}" if kept["of"] else "")
        )


def _beside(one: Mapping[str, Any], say: Texts) -> str:
    """Of how many, the interval, and what was to be expected."""
    known = say("operations.of", of=one["of"], low=_share(one["low"]), high=_share(one["high"]))
    if one["expected"] is None:
        return known
    low, high = _share(one["expected_low"]), _share(one["expected_high"])
    return f"{known}; {say('operations.expected', rate=_share(one['expected']), low=low, high=high)}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.2f} %"
