"""`evenkeel limits`: the circuit breaker, which stops lowering limits until a person has looked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, lang_option, workspace_option
from evenkeel.decisions.moving.rules import MovingRules
from evenkeel.decisions.moving.service import Limits
from evenkeel.kernel.text import texts


def _shared(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command here."""
    for add in (
        as_json_option,
        lang_option,
        workspace_option,
        click.option("--lender", default="-", metavar="ID", help="Whose limits; without it the one lender's."),
    ):
        command = add(command)
    return command


@click.group(
    epilog="\b\nExamples:\n"
    "  evenkeel limits breaker --lender lender-1\n"
    "  evenkeel limits close --lender lender-1 --by ana --why 'the feed was right'\n"
)
def limits() -> None:
    """Limits that move by events: is the breaker open, and let limits be lowered again."""


@limits.command(epilog="\b\nExample:\n  evenkeel limits breaker --lender lender-1 --json")
@_shared
@click.pass_obj
def breaker(application: Application, /, workspace: Path | None, lender: str, lang: str, as_json: bool) -> None:
    """Whether the breaker is open, and what was lowered within the hour."""
    with application.workspace(workspace, present.say)() as place:
        found = Limits(place.journal, MovingRules(), lender).lowered()
    document = {"open": found.is_open, "moves": found.moves, "sum_minor": found.sum_minor}
    key = "limits.breaker.open" if found.is_open else "limits.breaker.closed"
    present.answer(document, as_json, lambda: texts(lang)(key, moves=found.moves, sum=f"{found.sum_minor / 100:,.2f}"))


@limits.command(epilog="\b\nExample:\n  evenkeel limits close --lender lender-1 --by ana --why 'the feed was right'")
@_shared
@click.option("--by", required=True, metavar="PERSON", help="Who you are.")
@click.option("--why", required=True, metavar="TEXT", help="What you found.")
@click.pass_obj
def close(
    application: Application, /, workspace: Path | None, lender: str, by: str, why: str, lang: str, as_json: bool
) -> None:
    """Close an open breaker, once you have looked at what was lowered.

    What it held is reviewed again, the oldest first, as far as the limits lowered within the hour leave room.
    """
    with application.workspace(workspace, present.say)() as place:
        Limits(place.journal, MovingRules(), lender).close_breaker(by, why)
    present.answer({"open": False}, as_json, lambda: texts(lang)("limits.breaker.done"))
