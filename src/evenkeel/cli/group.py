"""A group of commands, each in a module of its own name that is loaded when the command is called: help and schema need
no database and no solver."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click


class Commands(click.Group):
    """summaries: name -> what it does, in the order of the help. package: where their modules are."""

    def __init__(self, *arguments: Any, package: str, summaries: Mapping[str, str], **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._package, self._summaries = package, summaries

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._summaries:
            return None
        command: click.Command = getattr(import_module(f"{self._package}.{cmd_name}"), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._summaries.items()))
