"""What the commands on cases share: whose cases, opened, and how they are told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click

from evenkeel.arrears.cases.service import Cases
from evenkeel.arrears.law import load_rules
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, lang_option, workspace_option
from evenkeel.decisions.review.service_level import WorkingHours
from evenkeel.kernel.errors import InvalidUsage

_BARS = "▁▂▃▄▅▆▇█"
_SHARED = ("workspace", "jurisdiction", "zone", "lender", "lang", "as_json")
by_option = click.option("--by", required=True, metavar="PERSON", help="Who you are: an id of 1 to 64 characters.")


def shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command on cases."""
    for add in (
        as_json_option,
        lang_option,
        workspace_option,
        click.option("--jurisdiction", default="CN", show_default=True, metavar="CODE", help="Where the debtors live."),
        click.option("--zone", default="Asia/Shanghai", show_default=True, help="Whose working days count."),
        click.option("--lender", default="-", metavar="ID", help="Whose cases; without it the one lender's."),
    ):
        command = add(command)
    return command


def split(given: dict[str, Any]) -> dict[str, Any]:
    """The options of every command on cases, taken out of all that were given."""
    return {name: given.pop(name) for name in _SHARED}


@contextmanager
def opened(application: Application, options: dict[str, Any]) -> Iterator[Cases]:
    """The cases that the options name."""
    try:
        zone = ZoneInfo(options["zone"])
    except (ZoneInfoNotFoundError, ValueError):
        raise InvalidUsage(f"{options['zone']!r} is no time zone.", "Write one such as Asia/Shanghai.") from None
    rules = load_rules()
    place: Path | None = options["workspace"]
    jurisdiction = rules.jurisdiction(options["jurisdiction"])
    with application.workspace(place, present.say)() as workspace:
        yield Cases(
            workspace.journal, options["lender"], rules, jurisdiction, WorkingHours(zone), language=options["lang"]
        )


def bars(numbers: Sequence[int]) -> str:
    """Numbers as a line of bars, a point where there is none."""
    most = max(numbers, default=0)
    return "".join("·" if one <= 0 else _BARS[(one * len(_BARS) - 1) // most] for one in numbers)


def clock(at: datetime | None, zone: ZoneInfo) -> str:
    """An instant on the clock of a place."""
    return "–" if at is None else f"{at.astimezone(zone):%Y-%m-%d %H:%M}"
