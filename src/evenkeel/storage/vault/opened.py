"""The vault as one transaction sees it: the versions in use, their keys, the shards, and the rows of persons."""

import json
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.engine import Connection, RowMapping

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import NotFound, Unavailable
from evenkeel.storage.tables import vault_doomed, vault_key, vault_person
from evenkeel.storage.vault.identity import FIELDS, Identity
from evenkeel.storage.vault.keys import Keyring, Keys, Shards
from evenkeel.storage.vault.sealing import BUCKETS, Unopened, check_value, seal, unseal, wrapping_key

_DRAW = sa.text("SELECT nextval('vault_slot') FROM generate_series(1, :count)")
_ADD_BUCKETS = sa.text("""
INSERT INTO vault_bucket (version, bucket, slot)
SELECT :version, place - 1, slot FROM unnest(CAST(:slots AS bigint[])) WITH ORDINALITY AS given (slot, place)
""")

Row = Mapping[str, Any] | RowMapping


@dataclass(frozen=True, slots=True, repr=False)
class Opened:
    """An open vault. versions: of the master key, in use, oldest first; none is retired before the transaction ends."""

    connection: Connection
    keys: Keys
    shards: Shards
    versions: tuple[int, ...]

    @property
    def newest(self) -> int:
        """The version that new persons are put under."""
        return self.versions[-1]

    def draw(self, count: int) -> dict[int, bytes]:
        """New shards by number, on the disk when it returns.

        Numbers that were destroyed are passed over: after a backup is restored the database gives them once more.
        """
        drawn: dict[int, bytes] = {}
        while len(drawn) < count:
            slots = list(self.connection.execute(_DRAW, {"count": count - len(drawn)}).scalars())
            self.shards.prepare(slots)
            drawn |= {slot: shard for slot, shard in self.shards.read(slots).items() if shard is not None}
        return drawn

    def shard(self, slot: int) -> bytes | None:
        """A shard, or None where it was destroyed."""
        return self.shards.read([slot])[slot]

    def add_version(self, version: int, vault_id: uuid.UUID, clock: Clock) -> None:
        """Take a master key of the key file into use, with shards for its buckets."""
        values = {
            "version": version, "vault_id": vault_id, "made_at": clock(),
            "check_value": check_value(self.keys.master[version], self.keys.token),
        }  # fmt: skip
        self.connection.execute(sa.insert(vault_key).values(values))
        self.connection.execute(_ADD_BUCKETS, {"version": version, "slots": list(self.draw(BUCKETS))})

    def doom(self, slots: Iterable[int]) -> None:
        """Commit to the destruction of shards: it is done after this transaction, or by whoever comes after a crash."""
        rows = [{"slot": slot} for slot in slots]
        if rows:
            self.connection.execute(insert(vault_doomed).on_conflict_do_nothing(), rows)


def open_vault(connection: Connection, keyring: Keyring) -> Opened | None:
    """The vault of a database, or None where nothing was ever put into it.

    Raises Unavailable if a key is missing or another than the vault was made with, and as `Keyring.read`.
    """
    query = sa.select(vault_key).order_by(vault_key.c.version).with_for_update(read=True)
    rows = connection.execute(query).mappings().all()
    if not rows:
        return None
    keys = keyring.read()
    for row in rows:
        version = row["version"]
        if version not in keys.master:
            raise Unavailable(
                f"{keyring.key_file} lacks version {version} of the master key, which the vault uses.",
                "Bring back the newest copy of the key file.",
            )
        if check_value(keys.master[version], keys.token) != row["check_value"]:
            raise Unavailable(
                f"{keyring.key_file} belongs to another vault: its version {version} is not the key of this one.",
                "Bring back the key file that this vault was made with.",
            )
    shards = Shards(keyring.folder / str(rows[0]["vault_id"]))
    return Opened(connection, keys, shards, tuple(row["version"] for row in rows))


def vault_id_of(connection: Connection) -> str | None:
    """The name of the folder of the shards, or None where nothing was ever put into the vault."""
    found = connection.execute(sa.select(vault_key.c.vault_id).limit(1)).scalar()
    return None if found is None else str(found)


def open_or_make(connection: Connection, keyring: Keyring, clock: Clock) -> Opened:
    """The vault of a database, made where there is none: key file, first shards, buckets. Raises as `open_vault`."""
    found = open_vault(connection, keyring)
    if found:
        return found
    connection.execute(sa.text("LOCK TABLE vault_key IN SHARE ROW EXCLUSIVE MODE"))  # makers take turns
    found = open_vault(connection, keyring)
    if found:
        return found
    keyring.make()
    keys, vault_id = keyring.read(), uuid.uuid4()
    version = max(keys.master)
    made = Opened(connection, keys, Shards(keyring.folder / str(vault_id)), (version,))
    made.add_version(version, vault_id, clock)
    return made


def locked(connection: Connection, borrower_ids: Sequence[str], *, reading: bool = False) -> dict[str, RowMapping]:
    """The rows of persons, kept from change (from erasure, where `reading`) until the transaction ends."""
    query = (
        sa.select(vault_person)
        .where(vault_person.c.borrower_id == sa.any_(sa.literal(sorted(borrower_ids), ARRAY(sa.Text))))
        .order_by(vault_person.c.borrower_id)
        .with_for_update(read=reading)
    )
    return {row["borrower_id"]: row for row in connection.execute(query).mappings()}


def person_key(opened: Opened, row: Row, shard: bytes | None) -> bytes:
    """The key of a person. Raises NotFound if the shard was destroyed, Unavailable if the wrapped key was changed."""
    if shard is None:
        raise NotFound(
            f"The key of {row['borrower_id']} is destroyed: the person was erased after this copy was made.",
            "Erase the person here too; nothing can be read again.",
        )
    try:
        key = wrapping_key(opened.keys.master[row["version"]], shard)
        return unseal(key, row["wrapped"], row["borrower_id"], "key")
    except Unopened:
        raise _changed(row["borrower_id"], "key") from None


def unsealed(key: bytes, row: Row) -> Identity:
    """Everything that is known of a person. Raises Unavailable if a value was changed or moved."""
    borrower_id = row["borrower_id"]
    values: dict[str, Any] = {}
    for field in FIELDS:
        if row[field] is None:
            continue
        try:
            text = unseal(key, row[field], borrower_id, field).decode()
        except Unopened:
            raise _changed(borrower_id, field) from None
        values[field] = tuple(json.loads(text)) if field == "cards" else text
    return Identity(**values)


def sealed(key: bytes, borrower_id: str, identity: Identity, field: str) -> bytes | None:
    """A field of a person as its row keeps it."""
    value = getattr(identity, field)
    if value is None:
        return None
    text = json.dumps(value, ensure_ascii=False) if field == "cards" else value
    return seal(key, text.encode(), borrower_id, field)


def wrapped(opened: Opened, version: int, shard: bytes, key: bytes, borrower_id: str) -> bytes:
    """A person's key as its row keeps it."""
    return seal(wrapping_key(opened.keys.master[version], shard), key, borrower_id, "key")


def _changed(borrower_id: str, what: str) -> Unavailable:
    return Unavailable(
        f"The {what} of {borrower_id} does not open: it was changed, or moved there from elsewhere.",
        "Keep a copy of the database as it is, then restore the row from a backup.",
    )
