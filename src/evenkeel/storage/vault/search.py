"""Finding people by a value: marks in buckets, each bucket under a key of its own.

A mark that was once in the database stays in its old copies. So whenever one goes, its whole bucket gets a new key and
the old key is destroyed: what an old copy then shows of the value is the number of its bucket, 12 bits, with no link to
the person.
"""

from collections.abc import Collection, Iterable, Mapping

import sqlalchemy as sa

from evenkeel.kernel.errors import Unavailable
from evenkeel.storage.tables import vault_bucket, vault_mark
from evenkeel.storage.vault.opened import Opened
from evenkeel.storage.vault.sealing import BUCKETS, BucketCipher, Place, Unopened, derived, place_of

Valued = tuple[str, tuple[str, str]]  # a borrower, and a field with a comparable value of theirs
Owned = tuple[Place, str]  # where such a value is looked for, and the borrower

_INSERT = sa.text("""
INSERT INTO vault_mark (version, bucket, mark, whom)
SELECT :version, bucket, mark, whom
FROM unnest(CAST(:buckets AS integer[]), CAST(:marks AS bytea[]), CAST(:whoms AS bytea[])) AS given (bucket, mark, whom)
ON CONFLICT DO NOTHING
""")


def add(opened: Opened, version: int, owned: Collection[Valued]) -> None:
    """Make marks under a version of the master key."""
    found = _placed(opened, version, owned)
    _insert(opened, version, found, _ciphers(opened, version, {place.bucket for place, _ in found}))


def change(opened: Opened, gone: Collection[Valued], new: Mapping[int, Collection[Valued]]) -> None:
    """Take marks away and make others, by version, in one transaction."""
    if gone:  # all locks at once and in order, so that two changes never wait for each other
        added = [valued for some in new.values() for valued in some]
        for version in opened.versions:
            touched = {place.bucket for place, _ in _placed(opened, version, [*gone, *added])}
            _ciphers(opened, version, touched, alone=True)
        forget(opened, gone)
    for version, some in sorted(new.items()):
        add(opened, version, some)


def find(opened: Opened, field: str, text: str) -> list[str]:
    """The borrowers who have a value, sorted."""
    found: set[str] = set()
    for version in opened.versions:
        place = place_of(_search_key(opened, version), field, text)
        cipher = _standing(_ciphers(opened, version, {place.bucket}), place.bucket)
        mark = cipher.mark(place.digest)
        query = sa.select(vault_mark.c.whom).where(
            vault_mark.c.version == version, vault_mark.c.bucket == place.bucket, vault_mark.c.mark == mark
        )
        found |= {_read(cipher, place.bucket, mark, whom)[1] for whom in opened.connection.execute(query).scalars()}
    return sorted(found)


def forget(opened: Opened, owned: Collection[Valued]) -> None:
    """Take away marks under every version, and give their buckets new keys."""
    for version in opened.versions:
        _renew(opened, version, _placed(opened, version, owned))


def forget_borrower(opened: Opened, borrower_id: str) -> None:
    """As `forget`, for a person whose values cannot be read any more: every mark is looked at."""
    for version in opened.versions:
        owned: set[Owned] = set()
        ciphers = _ciphers(opened, version, range(BUCKETS))
        query = sa.select(vault_mark.c.bucket, vault_mark.c.mark, vault_mark.c.whom)
        query = query.where(vault_mark.c.version == version, vault_mark.c.bucket.in_(ciphers))
        for bucket, mark, whom in opened.connection.execute(query):
            digest, borrower = _read(ciphers[bucket], bucket, mark, whom)
            if borrower == borrower_id:
                owned.add((Place(bucket, digest), borrower))
        _renew(opened, version, owned)


def retire(opened: Opened, version: int) -> None:
    """Take away all marks of a version, and the keys of its buckets."""
    opened.connection.execute(sa.delete(vault_mark).where(vault_mark.c.version == version))
    gone = sa.delete(vault_bucket).where(vault_bucket.c.version == version).returning(vault_bucket.c.slot)
    opened.doom(opened.connection.execute(gone).scalars().all())


def _search_key(opened: Opened, version: int) -> bytes:
    return derived(opened.keys.master[version], "search")


def _placed(opened: Opened, version: int, owned: Iterable[Valued]) -> set[Owned]:
    key = _search_key(opened, version)
    return {(place_of(key, *value), borrower) for borrower, value in owned}


def _renew(opened: Opened, version: int, gone: Collection[Owned]) -> None:
    """Take marks away and put the others of their buckets under new keys; what is destroyed stays as it is."""
    ciphers = _ciphers(opened, version, {place.bucket for place, _ in gone}, alone=True)
    buckets = sorted(ciphers)
    query = (
        sa.delete(vault_mark)
        .where(vault_mark.c.version == version, vault_mark.c.bucket.in_(buckets))
        .returning(vault_mark.c.bucket, vault_mark.c.mark, vault_mark.c.whom)
    )
    kept: list[Owned] = []
    for bucket, mark, whom in opened.connection.execute(query):
        digest, borrower = _read(ciphers[bucket], bucket, mark, whom)
        if (Place(bucket, digest), borrower) not in gone:
            kept.append((Place(bucket, digest), borrower))
    old = sa.select(vault_bucket.c.slot).where(vault_bucket.c.version == version, vault_bucket.c.bucket.in_(buckets))
    opened.doom(opened.connection.execute(old).scalars().all())
    for bucket, slot in zip(buckets, opened.draw(len(buckets)), strict=True):
        here = (vault_bucket.c.version == version) & (vault_bucket.c.bucket == bucket)
        opened.connection.execute(sa.update(vault_bucket).where(here).values(slot=slot))
    _insert(opened, version, kept, _ciphers(opened, version, buckets, alone=True))


def _ciphers(opened: Opened, version: int, buckets: Collection[int], *, alone: bool = False) -> dict[int, BucketCipher]:
    """The ciphers of buckets, but for those whose key is destroyed, to stay until the transaction ends.

    alone: nobody else reads these buckets or adds to them until then.
    """
    query = (
        sa.select(vault_bucket.c.bucket, vault_bucket.c.slot)
        .where(vault_bucket.c.version == version, vault_bucket.c.bucket.in_(buckets))
        .order_by(vault_bucket.c.bucket)
        .with_for_update(read=not alone)
    )
    slots = {row.bucket: row.slot for row in opened.connection.execute(query)}
    shards = opened.shards.read(slots.values())
    master = opened.keys.master[version]
    return {
        bucket: BucketCipher.of(master, shard) for bucket, slot in slots.items() if (shard := shards[slot]) is not None
    }


def _standing(ciphers: Mapping[int, BucketCipher], bucket: int) -> BucketCipher:
    if bucket not in ciphers:
        raise Unavailable(
            "The vault's search is older than its keys: this database is a copy from before people were erased.",
            "Run `evenkeel vault rotate`: it erases them here too and makes the search anew.",
        )
    return ciphers[bucket]


def _read(cipher: BucketCipher, bucket: int, mark: bytes, whom: bytes) -> tuple[bytes, str]:
    try:
        return cipher.read(mark, whom)
    except Unopened:
        raise Unavailable(
            f"A mark in bucket {bucket} of the vault's search does not open: it was changed, or moved there.",
            "Keep a copy of the database as it is, then restore from a backup.",
        ) from None


def _insert(opened: Opened, version: int, owned: Collection[Owned], ciphers: Mapping[int, BucketCipher]) -> None:
    if not owned:
        return
    rows = []
    for place, borrower in sorted(owned):
        cipher = _standing(ciphers, place.bucket)
        rows.append((place.bucket, cipher.mark(place.digest), cipher.whom(place.digest, borrower)))
    buckets, marks, whoms = (list(column) for column in zip(*rows, strict=True))
    parameters = {"version": version, "buckets": buckets, "marks": marks, "whoms": whoms}
    opened.connection.execute(_INSERT, parameters)
