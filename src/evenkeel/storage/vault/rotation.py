"""Rotation: a new master key, every person's key wrapped anew under it and every mark made anew, the old key gone.

In batches, each a transaction; killed at any moment it is taken up where it stood. Values are not encrypted again: the
keys they are under are the persons' own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection, RowMapping

from evenkeel.storage.database import transaction
from evenkeel.storage.files import exclusive, writing
from evenkeel.storage.tables import vault_key, vault_person
from evenkeel.storage.vault import search
from evenkeel.storage.vault.opened import (
    Opened,
    open_or_make,
    open_vault,
    person_key,
    unsealed,
    wrapped,
)
from evenkeel.storage.vault.vault import Vault

Progress = Callable[[int], None]  # persons moved so far

_BATCH = 500
_LOCK_LIMIT_S = 2.0

_MOVE = sa.text("""
UPDATE vault_person SET version = :version, wrapped = given.wrapped
FROM unnest(CAST(:ids AS text[]), CAST(:wrapped AS bytea[])) AS given (borrower_id, wrapped)
WHERE vault_person.borrower_id = given.borrower_id
""")


@dataclass(frozen=True, slots=True)
class Rotated:
    """What a rotation came to: the master key's version now, and the persons moved to it. resumed: one was unfinished.

    erased: persons whose shard was destroyed already (a database older than its shards), and who are now erased here.
    """

    version: int
    moved: int
    erased: int
    resumed: bool


def rotate(vault: Vault, progress: Progress | None = None, *, batch: int = _BATCH) -> Rotated:
    """Rotate the master key, or finish a rotation that was killed.

    Others read, find, put and erase meanwhile. Raises Unavailable if another rotation runs, a key is missing, the key
    file cannot be written, or a person's row was changed; what was done until then stands.
    """
    with writing(vault.keyring.folder):
        vault.keyring.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = vault.keyring.folder / "rotate.lock"
    with exclusive(lock, "The rotation of the vault", vault.clock, _LOCK_LIMIT_S):
        vault.settle()
        version, resumed = _begin(vault)
        moved = erased = 0
        while True:
            last = ""
            while step := _step(vault, version, last, batch):
                last, moved, erased = step.last, moved + step.moved, erased + step.erased
                if progress:
                    progress(moved)
            if _retired(vault, version):
                break
        vault.settle()
        vault.keyring.keep({version})
    return Rotated(version, moved, erased, resumed)


@dataclass(frozen=True, slots=True)
class _Step:
    last: str
    moved: int
    erased: int


def _begin(vault: Vault) -> tuple[int, bool]:
    """The version to rotate to, and whether it was begun earlier."""
    with transaction(vault.engine) as connection:
        opened = open_or_make(connection, vault.keyring, vault.clock)
        newest, in_file = opened.newest, max(opened.keys.master)
        # A key file that is behind retirement is what a rotation leaves that was killed at its very end.
        if len(opened.versions) > 1 or min(opened.keys.master) < newest:
            return newest, True
        if in_file == newest:
            vault.keyring.add(newest + 1)
        again = Opened(connection, vault.keyring.read(), opened.shards, opened.versions)
        vault_id = connection.execute(sa.select(vault_key.c.vault_id).limit(1)).scalar_one()
        again.add_version(max(again.keys.master), vault_id, vault.clock)
        return max(again.keys.master), in_file != newest


def _step(vault: Vault, version: int, after: str, batch: int) -> _Step | None:
    """Move some persons in the order of their ids; None where nobody is left behind `after`."""
    query = (
        sa.select(vault_person)
        .where(vault_person.c.version < version, vault_person.c.borrower_id > after)
        .order_by(vault_person.c.borrower_id)
        .limit(batch)
        .with_for_update()
    )
    with transaction(vault.engine) as connection:
        rows = connection.execute(query).mappings().all()
        if not rows:
            return None
        opened = open_vault(connection, vault.keyring)
        assert opened is not None  # noqa: S101 - persons refer to versions
        erased = _move(vault, connection, opened, version, rows)
    return _Step(rows[-1]["borrower_id"], len(rows) - erased, erased)


def _move(vault: Vault, connection: Connection, opened: Opened, version: int, rows: Sequence[RowMapping]) -> int:
    """Wrap keys and make marks anew; returns how many persons were erased, their shards being destroyed already."""
    shards = opened.shards.read(row["slot"] for row in rows)
    ids, keys, erased = [], [], 0
    marks: list[search.Valued] = []
    for row in rows:
        borrower_id, shard = row["borrower_id"], shards[row["slot"]]
        if shard is None:
            vault.erase_in(connection, row, "The key was destroyed: this database is an older copy.", "rotation")
            erased += 1
            continue
        key = person_key(opened, row, shard)
        ids.append(borrower_id)
        keys.append(wrapped(opened, version, shard, key, borrower_id))
        marks += [(borrower_id, value) for value in unsealed(key, row).comparables()]
    connection.execute(_MOVE, {"version": version, "ids": ids, "wrapped": keys})
    search.add(opened, version, marks)
    return erased


def _retired(vault: Vault, version: int) -> bool:
    """Take older versions out of use, unless somebody was put under one meanwhile."""
    with transaction(vault.engine) as connection:
        older = sa.select(vault_key.c.version).where(vault_key.c.version < version).order_by(vault_key.c.version)
        versions = connection.execute(older.with_for_update()).scalars().all()  # whoever puts now is waited for
        left = sa.select(sa.func.count()).select_from(vault_person).where(vault_person.c.version < version)
        if connection.execute(left).scalar_one():
            return False
        opened = open_vault(connection, vault.keyring)
        assert opened is not None  # noqa: S101 - this version is in use
        for old in versions:
            search.retire(opened, old)
        connection.execute(sa.delete(vault_key).where(vault_key.c.version < version))
    return True
