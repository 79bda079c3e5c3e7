"""`evenkeel arrears warn`: the full early warning of a book."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click

from evenkeel.arrears.warning.alarm import Costs
from evenkeel.arrears.warning.full import EarlyWarning
from evenkeel.arrears.warning.question import LEAST_CASES
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.book import quality_words
from evenkeel.cli.options import as_json_option, book_options, lang_option
from evenkeel.kernel.text import Texts, texts
from evenkeel.pipeline.outputs import check_free, whole_folder, write_json, write_quality, write_table
from evenkeel.pipeline.run import read_checked
from evenkeel.pipeline.warning import early_warning_of

_WIDTH = 32  # characters of the longest bar


@click.command(
    epilog="\b\nExamples:\n  evenkeel arrears warn ./march --out ./march-warning\n"
    "  evenkeel arrears warn UCI_Credit_Card.csv --adapter uci-credit-card --json\n"
    "  evenkeel arrears warn ./march --as-of 2026-01-31 --cost-miss 20 --cost-false 1"
)
@book_options
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Folder for the tables.")
@click.option(
    "--cost-miss", type=click.FloatRange(0, min_open=True), default=10.0, show_default=True,
    help="What an overdue line that was not foreseen costs.",
)  # fmt: skip
@click.option(
    "--cost-false", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True,
    help="What an alarm for nothing costs, in the same unit.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of every random choice.")
@click.option("--threads", type=click.IntRange(1, 64), default=2, show_default=True, help="Threads; changes no byte.")
@lang_option
@as_json_option
@click.pass_obj
def warn(
    application: Application, book: Path, out: Path | None, adapter: str | None, as_of: date | None,
    max_bad_share: float, cost_miss: float, cost_false: float, seed: int, threads: int, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Whose first line, or whose next one, becomes overdue in 1, 3 and 6 months; how far it rolls; what to do.

    Chances come from additive scorecards of the book's own past, judged on months that their training did not see.
    An alarm is raised where it costs less than silence. Tables: borrowers.parquet with chance, alarm, reasons and what
    to do before the due day; lines.parquet with each line's chance, its place among the borrower's, and its chance of
    reaching M1 to M6.
    """
    costs = Costs(cost_miss, cost_false)
    if out is not None:
        check_free(out)
    with present.progress(as_json) as report:
        checked = read_checked(
            book, adapter, as_of, application.today, max_bad_share, lambda what, share: report(what, 0.1 * share)
        )
        if checked.book is None:
            present.say(quality_words(checked.quality))
            if as_json:
                present.emit(checked.quality.document())
            return present.AT_FAULT
        found = early_warning_of(
            checked.book, costs=costs, seed=seed, threads=threads,
            progress=lambda what, share: report(what, 0.1 + 0.9 * share),
        )  # fmt: skip
        day = checked.book.as_of.isoformat()
    document: dict[str, Any] = {"as_of": day, "source": checked.book.manifest.source, **found.summary}
    if out is not None:
        with whole_folder(out) as folder:
            write_quality(folder, checked.quality)
            write_table(folder / "borrowers.parquet", found.borrowers)
            write_table(folder / "lines.parquet", found.lines)
            write_json(folder / "warning.json", document)
    present.answer(document, as_json, lambda: "\n".join(_words(document, found, out, texts(lang))))
    return present.DONE


def _words(document: Mapping[str, Any], found: EarlyWarning, out: Path | None, say: Texts) -> Iterator[str]:
    alarms = document["alarms"]
    yield _say(say, "head", month=document["as_of_month"], borrowers=f"{document['borrowers']:,}",
               lines=f"{document['lines']:,}", alarms=f"{alarms['borrowers']:,}", miss=f"{alarms['cost_miss']:g}",
               threshold=f"{alarms['threshold']:.1%}", false=f"{alarms['cost_false']:g}")  # fmt: skip
    for question in ("first", "spread"):
        yield ""
        yield _say(say, f"question.{question}")
        for horizon in document["horizons_months"]:
            when = _say(say, "one_month") if horizon == 1 else _say(say, "months", months=horizon)
            part = document["judged"][f"{horizon}m"][question]
            if part is None:
                why = "no_model" if f"{question}_{horizon}m" in document["not_available"] else "too_few"
                yield _say(say, "not_judged", horizon=when, why=_say(say, why, least=LEAST_CASES))
                continue
            yield from _judged(part, when, say)
    yield ""
    yield _say(say, "what")
    yield from _bars({_say(say, f"action.{name}"): count for name, count in alarms["actions"].items()})
    furthest = document["judged"][f"{document['horizons_months'][-1]}m"]["first"]
    if furthest is not None and furthest["alarms"]["right"]:
        yield ""
        yield _say(say, "lead")
        yield from _bars(furthest["alarms"]["lead_months"]["alarms"])
    if out is not None:
        yield ""
        yield _say(say, "written", folder=out)


def _judged(part: Mapping[str, Any], when: str, say: Texts) -> Iterator[str]:
    yield _say(
        say, "judged", horizon=when, auc=f"{part['auc']:.3f}", low=f"{part['auc_low']:.3f}",
        high=f"{part['auc_high']:.3f}", rule=f"{part['days_past_due']['auc']['value']:.3f}",
        top=" / ".join(f"{entry['precision']:.0%}" for entry in part["precision"]), base=f"{part['base_rate']:.1%}",
    )  # fmt: skip
    alarms = part["alarms"]
    if alarms["alarms"]:
        precision, recall = alarms["precision"], alarms["recall"]
        yield _say(
            say, "alarm", horizon="", precision=f"{precision['value']:.0%}", plow=f"{precision['low']:.0%}",
            phigh=f"{precision['high']:.0%}", recall=f"{recall['value']:.0%}", rlow=f"{recall['low']:.0%}",
            rhigh=f"{recall['high']:.0%}", lead=alarms["lead_months"]["median"] or "-",
        )  # fmt: skip
    else:
        yield _say(say, "alarm_none", horizon="")
    lines = part["lines"]
    if lines is not None and lines["right_line_first"]["borrowers_with_a_choice"]:
        right = lines["right_line_first"]
        yield _say(
            say, "lines", horizon="", ours=f"{lines['log_loss']:.4f}", theirs=f"{lines['log_loss_independence']:.4f}",
            right=f"{right['share']:.0%}", apart=f"{right['independence']:.0%}",
            choices=right["borrowers_with_a_choice"],
        )  # fmt: skip


def _bars(counts: Mapping[str, int]) -> Iterator[str]:
    """One bar a count, the longest _WIDTH characters long."""
    most = max(counts.values(), default=0)
    for name, count in counts.items():
        yield f"  {'█' * max(round(_WIDTH * count / max(most, 1)), 1 if count else 0):<{_WIDTH}} {count:>7,}  {name}"


def _say(say: Texts, key: str, **values: object) -> str:
    return say(f"arrears.warn.{key}", **values)
