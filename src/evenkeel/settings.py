"""Settings from the environment: each with its name, its default and what it is for. Read by `bootstrap` alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# name, default, help: `evenkeel --help` and the documentation are made from this list.
VARIABLES: tuple[tuple[str, str, str], ...] = (
    ("EVENKEEL_WORKSPACE", ".evenkeel", "Folder of the database and the lake."),
    ("EVENKEEL_DATABASE_URL", "", "A PostgreSQL to use instead of our own: postgresql://user:password@host/name."),
    ("EVENKEEL_VAULT_KEY_FILE", "", "Key file of the identity vault, instead of vault/keys.json in the workspace."),
    ("EVENKEEL_CHAT_KEY", "", "Key of an outside language model, for `evenkeel arrears chat --outside`."),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment says."""

    workspace: Path
    database_url: str | None
    vault_key_file: Path | None
    chat_key: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Settings from environment variables."""
        values = {name: environment.get(name) or default for name, default, _ in VARIABLES}
        workspace, url, key_file, chat_key = (values[name] for name, _, _ in VARIABLES)
        return cls(Path(workspace), url or None, Path(key_file) if key_file else None, chat_key or None)
