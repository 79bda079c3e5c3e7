"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import click

from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.kernel.text import LANGUAGES as SHIPPED


class _Day(click.ParamType[date]):
    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        try:
            return parse_date(str(value))
        except EvenkeelError as error:
            self.fail(str(error), param, ctx)


class _Languages(click.ParamType[tuple[str, ...]]):
    name = "languages"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        languages = tuple(part.strip() for part in str(value).split(",") if part.strip())
        unknown = [language for language in languages if language not in SHIPPED]
        if unknown or not languages:
            self.fail(f"{value!r}: choose from {', '.join(SHIPPED)}, with commas between them.", param, ctx)
        return tuple(dict.fromkeys(languages))


AS_OF = _Day()
LANGUAGES = _Languages()

lang_option = click.option("--lang", type=click.Choice(["en", "zh"]), default="en", show_default=True)
as_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on standard output.")
adapter_option = click.option("--adapter", metavar="NAME", help="A known public file: see `evenkeel book adapters`.")
as_of_option = click.option("--as-of", type=AS_OF, metavar="DAY", help="Read the book as it was known on this day.")
workspace_option = click.option("--workspace", type=click.Path(path_type=Path), help="Folder of the record.")
max_bad_share_option = click.option(
    "--max-bad-share", type=click.FloatRange(0, 1), default=0.01, show_default=True,
    help="Share of a table's rows that may have a bad value before the book is refused.",
)  # fmt: skip


def book_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """BOOK and how it is read: the same for every command that takes one."""
    for add in (
        max_bad_share_option,
        as_of_option,
        adapter_option,
        click.argument("book", type=click.Path(path_type=Path)),
    ):
        command = add(command)
    return command
