"""`evenkeel demo`: a made lender's book, the whole loop, the report and one borrower's story."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from evenkeel.book.generator import STORY_BORROWER, GeneratorSpec, generate, write_book
from evenkeel.book.model import Book
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option
from evenkeel.cli.show import borrower_words, read_run
from evenkeel.kernel.errors import Conflict, InvalidUsage
from evenkeel.kernel.text import texts
from evenkeel.pipeline.report.findings import findings
from evenkeel.pipeline.run import RunRequest, run
from evenkeel.repayment.facts.of_book import case_of_borrower
from evenkeel.repayment.planning import plan_of
from evenkeel.repayment.telling import Telling

# By this file a folder is known to be an earlier demo's, and may be replaced.
_MARK = "evenkeel-demo.txt"


@click.command(epilog="\b\nExample:\n  evenkeel demo --borrowers 2000 --out small-demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@click.option("--borrowers", type=click.IntRange(200, 1_000_000), default=20_000, show_default=True)
@click.option("--months", type=click.IntRange(6, 120), default=24, show_default=True)
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@as_json_option
@click.pass_obj
def demo(application: Application, out: Path, borrowers: int, months: int, seed: int, as_json: bool) -> int:
    """Generate a book, take it round the loop, and tell the story of one borrower."""
    _prepare(out)
    book, result = out / "book", out / "report"
    with present.progress(as_json) as report:
        made = generate(
            GeneratorSpec(borrowers=borrowers, months=months, seed=seed),
            lambda share: report("generating", 0.3 * share),
        )
        write_book(made, book)
        del made
        request = RunRequest(
            book, result, application.today, seed=seed, story=STORY_BORROWER, command=f"evenkeel demo --out {out}"
        )
        ran = run(
            request, application.workspace(out / "workspace", present.say),
            lambda what, share: report(what, 0.3 + 0.7 * share),
        )  # fmt: skip
    if ran.loop is None:
        raise Conflict("the generated book was refused.", f"See {result / 'faults.csv'}.")
    portfolio, checked = dict(ran.loop.portfolio), ran.loop.book
    present.answer(portfolio, as_json, lambda: _words(portfolio, checked, result))
    return present.DONE


def _prepare(out: Path) -> None:
    """Make the demo's folder; an earlier demo is replaced, anything else is left alone."""
    if out.exists() and not (out.is_dir() and (not any(out.iterdir()) or (out / _MARK).is_file())):
        raise InvalidUsage(f"{out} holds files that are not an earlier demo's.", "Choose another --out.")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    (out / _MARK).write_text("Made by `evenkeel demo`; a new demo replaces this folder.\n", encoding="utf-8")


def _words(portfolio: dict[str, object], book: Book, result: Path) -> str:
    say = texts("en")
    story = borrower_words(read_run(result), STORY_BORROWER, "en")
    planned = plan_of(case_of_borrower(book, STORY_BORROWER))
    lines = [say("cli.story_title"), "", *story, "", say("cli.story_plan"), "", Telling(planned, "en").summary(), "",
             say("cli.findings_title")]  # fmt: skip
    lines += [f"  {number}. {finding}" for number, finding in enumerate(findings(portfolio, "en"), 1)]
    lines += [
        "",
        say("cli.report_at", path=result / "report.html"),
        say("cli.report_at_zh", path=result / "report.zh.html"),
    ]
    return "\n".join(lines)
