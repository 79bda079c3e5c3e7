"""What a command needs from outside, handed to it at start-up."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from evenkeel.kernel.clock import Clock

if TYPE_CHECKING:
    from evenkeel.storage.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Application:
    """The configured workspace and database, the clock, where the key of the identity vault lies, and the key of an
    outside language model."""

    workspace_path: Path
    database_url: str | None
    clock: Clock
    vault_key_file: Path | None = None
    chat_key: str | None = field(default=None, repr=False)

    @property
    def today(self) -> date:
        """The present day in UTC."""
        return self.clock().date()

    @property
    def yesterday(self) -> date:
        """The last day that is over, in UTC."""
        return self.today - timedelta(days=1)

    def workspace(
        self, named: Path | None, waiting: Callable[[str], None]
    ) -> Callable[[], AbstractContextManager[Workspace]]:
        """A function that opens the workspace that a command names, or the configured one."""
        from evenkeel.storage.workspace import open_workspace  # most commands need no database

        path = named or self.workspace_path
        return lambda: open_workspace(path, database_url=self.database_url, clock=self.clock, waiting=waiting)
