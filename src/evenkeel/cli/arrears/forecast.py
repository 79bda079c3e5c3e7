"""`evenkeel arrears forecast`: cash by day and promises kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.arrears.picture import padded, spark
from evenkeel.cli.book import checked_book
from evenkeel.cli.options import as_json_option, book_options, lang_option
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts, texts


@click.command(
    epilog="\b\nExamples:\n  evenkeel arrears forecast ./march\n"
    "  evenkeel arrears forecast ./march --as-of 2024-09-30 --lang zh\n"
    "  evenkeel arrears forecast ./march --json | jq .cash.arrears.total"
)
@book_options
@click.option("--out", type=click.Path(path_type=Path), help="Folder for forecast.json.")
@lang_option
@as_json_option
@click.pass_obj
def forecast(
    application: Application, book: Path, out: Path | None, adapter: str | None, as_of: date | None,
    max_bad_share: float, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Cash of the next ninety days and the share of promises that will be kept, from BOOK's own history.

    With intervals, and with forecasts made at earlier month-ends beside what came. Of what the history is too short to
    tell, it says so.
    """
    from evenkeel.arrears.treatments.forecast import document as document_of
    from evenkeel.pipeline.outputs import check_free, whole_folder, write_json
    from evenkeel.pipeline.overdue import history_of

    if out is not None:
        check_free(out)
    with present.progress(as_json) as report:
        report("reading", 0.1)
        checked = checked_book(book, adapter, as_of, application.today, max_bad_share)
        report("forecasting", 0.7)
        history, _ = history_of(checked)
        document = {"book": str(book), "currency": checked.manifest.currency} | document_of(history)
    if out is not None:
        with whole_folder(out) as folder:
            write_json(folder / "forecast.json", document)
    present.answer(document, as_json, lambda: "\n".join(_words(document, texts(lang))))
    return present.DONE


def _words(document: Mapping[str, Any], say: Texts) -> Iterator[str]:
    def money(minor: float | None) -> str:
        return "–" if minor is None else str(Money(round(minor), document["currency"]))

    yield say("forecast.head", day=document["as_of"])
    for name, part in document["cash"].items():
        if part["expected"][0] is None:
            yield f"{padded(say(f'forecast.{name}'), 24)} {say('forecast.nothing')}"
            continue
        yield f"{padded(say(f'forecast.{name}'), 24)} {spark([value or 0.0 for value in part['expected']])}"
        for days in (30, 60, 90):
            low, middle, high = (money(part[key][days - 1]) for key in ("total_low", "total", "total_high"))
            yield "  " + say("forecast.total", days=days, expected=middle, low=low, high=high)
        tested = part["backtest"]
        if tested["totals_covered"] is None:
            yield "  " + say("forecast.short", origins=part["origins"])
        else:
            yield "  " + say(
                "forecast.tested", made=len(tested["made"]), totals=f"{100 * tested['totals_covered']:.0f} %",
                days=f"{100 * tested['days_covered']:.0f} %",
            )  # fmt: skip
    told = document["promises"]
    if told["rate"] is None:
        yield say("forecast.no_promise")
        return
    yield say("forecast.promise", rate=_share(told["rate"]), low=_share(told["low"]), high=_share(told["high"]),
              pending=told["pending"], promises=told["promises"])  # fmt: skip
    if told["backtest"]:
        inside = sum(one["inside"] for one in told["backtest"])
        yield "  " + say("forecast.promise_tested", inside=inside, months=len(told["backtest"]))


def _share(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"
