"""Settings from the environment: each with its name, its default and what it is for. Read by `bootstrap` alone."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# name, default, help: `evenkeel --help` and the documentation are made from this list.
VARIABLES: tuple[tuple[str, str, str], ...] = (
    ("EVENKEEL_WORKSPACE", ".evenkeel", "Folder of the database and the lake."),
    ("EVENKEEL_DATABASE_URL", "", "A PostgreSQL to use instead of our own: postgresql://user:password@host/name."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says."""

    workspace: Path
    database_url: str | None

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Settings from environment variables."""
        values = {name: environment.get(name) or default for name, default, _ in VARIABLES}
        return cls(Path(values["EVENKEEL_WORKSPACE"]), values["EVENKEEL_DATABASE_URL"] or None)
