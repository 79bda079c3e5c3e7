"""`evenkeel run`: the whole loop over a book."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import click

from evenkeel.book.faults import Quality
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.book import quality_words
from evenkeel.cli.options import LANGUAGES, as_json_option, book_options, workspace_option
from evenkeel.kernel.text import texts
from evenkeel.pipeline.report.findings import findings
from evenkeel.pipeline.run import RunRequest
from evenkeel.pipeline.run import run as run_book


@click.command(
    epilog="\b\nExamples:\n  evenkeel run ./march --out ./march-report\n"
    "  evenkeel run UCI_Credit_Card.csv --adapter uci-credit-card --out ./uci\n"
    "  evenkeel run ./march --out ./report --json | jq .finance"
)
@book_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the report and the tables.")
@click.option(
    "--policy", type=click.Path(path_type=Path), metavar="DMN", help="Policy of limits, else the shipped one."
)
@click.option(
    "--granting", type=click.Path(path_type=Path), metavar="DMN", help="Policy of applications, else the shipped one."
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of every random choice.")
@click.option("--lang", type=LANGUAGES, default="en,zh", show_default=True, help="Languages of the report.")
@click.option("--threads", type=click.IntRange(1, 64), default=2, show_default=True, help="Threads; changes no byte.")
@workspace_option
@as_json_option
@click.pass_obj
def run(
    application: Application, book: Path, out: Path, adapter: str | None, as_of: date | None, policy: Path | None,
    granting: Path | None, seed: int, lang: tuple[str, ...], threads: int, workspace: Path | None,
    max_bad_share: float, as_json: bool,
) -> int:  # fmt: skip
    """Take BOOK round the whole loop: measure, score, exposure, decide, warn, cause, treat, plan, finance.

    BOOK is a folder of tables (`evenkeel book schema`), or a known public file with --adapter. A policy of your own is
    a DMN file: begin with a copy of limits.dmn or granting.dmn, which every run leaves in its folder.
    """
    request = RunRequest(
        book, out, application.today, adapter, as_of, policy, granting, seed, threads, max_bad_share, lang,
        command=f"evenkeel run {book} --out {out} --seed {seed}",
    )  # fmt: skip
    with present.progress(as_json) as report:
        ran = run_book(request, application.workspace(workspace, present.say), report)
    for note in ran.notes:
        present.say(f"evenkeel: {note}")
    if ran.loop is None:
        return _refused(ran.quality, out, as_json)
    portfolio = dict(ran.loop.portfolio)
    present.answer(portfolio, as_json, lambda: _run_words(portfolio, out, lang[0]))
    return present.DONE


def _refused(quality: Quality, out: Path, as_json: bool) -> int:
    """Say why a book was refused."""
    present.say(quality_words(quality))
    present.say(f"The book is refused; every fault is in {out / 'faults.csv'}.")
    if as_json:
        present.emit(quality.document())
    return present.AT_FAULT


def _run_words(portfolio: dict[str, Any], out: Path, language: str) -> str:
    say = texts(language)
    lines = [say("cli.report_at", path=out / ("report.html" if language == "en" else "report.zh.html")), ""]
    return "\n".join([*lines, *(f"• {finding}" for finding in findings(portfolio, language))])
