"""How commands speak: JSON or words on standard output, messages and progress on standard error, stable exit codes."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from evenkeel.kernel.errors import EvenkeelError, InvalidUsage, Unavailable
from evenkeel.pipeline.outputs import json_text

DONE, AT_FAULT, USAGE, UNAVAILABLE, INTERRUPTED = 0, 1, 2, 3, 130


def exit_code(error: EvenkeelError) -> int:
    """The exit code of an error: the one place where errors become codes."""
    if isinstance(error, InvalidUsage):
        return USAGE
    return UNAVAILABLE if isinstance(error, Unavailable) else AT_FAULT


def emit(document: Mapping[str, Any]) -> None:
    """One JSON document on standard output."""
    click.echo(json_text(document))


def say(message: str) -> None:
    """A message for people, on standard error."""
    click.echo(message, err=True)


def answer(document: Mapping[str, Any], as_json: bool, words: Callable[[], str]) -> None:
    """The answer of a command on standard output: one JSON document, or words."""
    click.echo(json_text(document) if as_json else words())


def fail(error: EvenkeelError, as_json: bool) -> int:
    """Say what went wrong and what to do; returns the exit code."""
    say(f"evenkeel: {error.message}")
    if error.remedy:
        say(f"  {error.remedy}")
    if as_json:
        kind = type(error).__name__
        click.echo(json_text({"error": {"kind": kind, "message": error.message, "remedy": error.remedy}}))
    return exit_code(error)


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """A progress bar on a terminal, silence in a pipe. The reporter takes what is being done and the share done."""
    if quiet or not sys.stderr.isatty():
        yield lambda what, share: None
        return
    bar = Progress(
        TextColumn("{task.description:24}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn(),
        console=Console(stderr=True), transient=True,
    )  # fmt: skip
    with bar:
        task = bar.add_task("", total=1.0)
        yield lambda what, share: bar.update(task, description=what, completed=share)
