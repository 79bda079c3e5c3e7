"""What the commands on a book's past share: BOOK and its options, the figures, where they are written and told."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import pyarrow as pa

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.book import checked_book
from evenkeel.cli.options import as_json_option, book_options, lang_option
from evenkeel.kernel.text import Texts, texts

if TYPE_CHECKING:
    from evenkeel.arrears.treatments.history import History

Figures = Callable[["History", Mapping[str, pa.Table]], dict[str, Any]]
Words = Callable[[Mapping[str, Any], Texts], Iterable[str]]


def past_options(file: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """BOOK, how it is read, and how it is told. file: what is written into --out."""

    def options(command: Callable[..., Any]) -> Callable[..., Any]:
        out = click.option("--out", type=click.Path(path_type=Path), help=f"Folder for {file}.")
        return book_options(out(lang_option(as_json_option(command))))

    return options


def tell_past(application: Application, options: Mapping[str, Any], file: str, figures: Figures, words: Words) -> int:
    """Figures of the past of BOOK, written whole and told. options: of `past_options`."""
    from evenkeel.pipeline.outputs import check_free, whole_folder, write_json
    from evenkeel.pipeline.overdue import history_of

    out: Path | None = options["out"]
    if out is not None:
        check_free(out)
    with present.progress(options["as_json"]) as report:
        report("reading", 0.1)
        checked = checked_book(
            options["book"], options["adapter"], options["as_of"], application.today, options["max_bad_share"]
        )
        report("figures", 0.7)
        history, tables = history_of(checked)
        document = {"book": str(options["book"]), "currency": checked.manifest.currency} | figures(history, tables)
    if out is not None:
        with whole_folder(out) as folder:
            write_json(folder / file, document)
    say = texts(options["lang"])
    present.answer(document, options["as_json"], lambda: "\n".join(words(document, say)))
    return present.DONE


def share(value: float | None, digits: int) -> str:
    """A share in per cent, a dash where it is not known."""
    return "–" if value is None else f"{100 * value:.{digits}f} %"
