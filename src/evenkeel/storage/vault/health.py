"""How the vault stands: for `evenkeel vault status`, and what doctor asks."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from evenkeel.kernel.errors import EvenkeelError
from evenkeel.kernel.text import Texts
from evenkeel.storage.database import guarded, transaction
from evenkeel.storage.tables import vault_bucket, vault_doomed, vault_key, vault_log, vault_person
from evenkeel.storage.vault.keys import Shards
from evenkeel.storage.vault.opened import open_vault, vault_id_of
from evenkeel.storage.vault.vault import Vault

Finding = tuple[str, bool, str, str]  # name, whether it is well, what was seen, what to do


@dataclass(frozen=True, slots=True)
class Status:
    """Counts, and where the keys are. versions: persons under each version of the master key in use, oldest first.

    doomed: shards that an erasure has yet to overwrite, because its process was killed.
    """

    key_file: Path
    persons: int
    erased: int
    versions: dict[int, int]
    doomed: int
    log_entries: int

    @property
    def rotating(self) -> bool:
        """Whether a rotation is under way, or was killed."""
        return len(self.versions) > 1


def status(vault: Vault) -> Status:
    """How the vault stands; needs no key."""
    persons = sa.func.count(vault_person.c.borrower_id).label("persons")
    by_version = (
        sa.select(vault_key.c.version, persons)
        .select_from(vault_key.outerjoin(vault_person, vault_person.c.version == vault_key.c.version))
        .group_by(vault_key.c.version)
        .order_by(vault_key.c.version)
    )
    with transaction(vault.engine) as connection:
        versions = {row.version: row.persons for row in connection.execute(by_version)}
        gone = sa.select(persons).where(vault_person.c.erased_at.is_not(None))
        erased, doomed, entries = (
            connection.execute(query).scalar_one()
            for query in (
                gone,
                sa.select(sa.func.count()).select_from(vault_doomed),
                sa.select(sa.func.count()).select_from(vault_log),
            )
        )
    return Status(vault.keyring.key_file, sum(versions.values()), erased, versions, doomed, entries)


def findings(vault: Vault, say: Texts) -> Iterator[Finding]:
    """What doctor says of the vault: its keys, its shards, its log, and what was left unfinished. Changes nothing."""
    found = status(vault)
    with transaction(vault.engine) as connection:
        log_guarded = guarded(connection, "vault_log")
    if not found.versions:
        yield "vault", True, say("vault.doctor.empty"), ""
    else:
        yield _keys(vault, say, found)
    if not log_guarded:
        yield "vault_log", False, say("vault.doctor.unguarded"), say("vault.doctor.unguarded.remedy")
    if found.doomed:
        yield "vault_erasures", False, say("vault.doctor.doomed", count=found.doomed), say("vault.doctor.doomed.remedy")
    if found.rotating:
        detail = say("vault.doctor.rotating", versions=", ".join(map(str, found.versions)))
        yield "vault_rotation", False, detail, say("vault.doctor.rotating.remedy")


def _keys(vault: Vault, say: Texts, found: Status) -> Finding:
    """Whether every key and every shard in use is there, private, and the right one."""
    try:
        with transaction(vault.engine) as connection:
            open_vault(connection, vault.keyring)
            shards = Shards(vault.keyring.folder / str(vault_id_of(connection)))
            for column in (vault_bucket.c.slot, vault_person.c.slot):
                places = sa.select(sa.func.min(column)).group_by(column // Shards.IN_FILE).where(column.is_not(None))
                shards.read(connection.execute(places).scalars().all())  # one of each file in use
    except EvenkeelError as error:
        return "vault", False, error.message, error.remedy
    versions = ", ".join(map(str, found.versions))
    detail = say("vault.doctor.ok", persons=found.persons, erased=found.erased, versions=versions, path=found.key_file)
    return "vault", True, detail, ""
