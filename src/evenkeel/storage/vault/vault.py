"""The vault's use cases: put, read, find, erase, and who looked. One transaction each."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine, RowMapping

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, Unavailable
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact, Journal
from evenkeel.storage.tables import (
    application_token,
    identity_check,
    identity_link,
    vault_doomed,
    vault_log,
    vault_person,
)
from evenkeel.storage.vault import search
from evenkeel.storage.vault.identity import FIELDS, Identity, comparable, told_in
from evenkeel.storage.vault.keys import Keyring, Shards
from evenkeel.storage.vault.opened import (
    Opened,
    locked,
    open_or_make,
    open_vault,
    person_key,
    sealed,
    unsealed,
    vault_id_of,
    wrapped,
)
from evenkeel.storage.vault.sealing import new_key, token_of

ERASED = "identity_erased"  # the kind of fact that erasure books

FOUND_LIMIT = 1000  # borrowers with one value
_BATCH = 500  # persons put in one transaction
_REASON_LIMIT = 300
_WHO_LIMIT = 100
_ID_LIMIT = 200

_BEGIN = sa.text("""
INSERT INTO vault_person (borrower_id, version, slot, wrapped)
SELECT borrower_id, :version, slot, wrapped
FROM unnest(CAST(:ids AS text[]), CAST(:slots AS bigint[]), CAST(:wrapped AS bytea[])) AS given
    (borrower_id, slot, wrapped)
ORDER BY borrower_id
ON CONFLICT DO NOTHING
""")
_CHANGE = sa.text("""
UPDATE vault_person SET name = given.name, id_number = given.id_number, phone = given.phone, cards = given.cards,
    address = given.address
FROM unnest(CAST(:ids AS text[]), CAST(:name AS bytea[]), CAST(:id_number AS bytea[]), CAST(:phone AS bytea[]),
    CAST(:cards AS bytea[]), CAST(:address AS bytea[])) AS given (borrower_id, name, id_number, phone, cards, address)
WHERE vault_person.borrower_id = given.borrower_id
""")


@dataclass(frozen=True, slots=True)
class Erasure:
    """What erasing came to. first: it was this call that erased."""

    borrower_id: str
    erased_at: datetime
    first: bool


@dataclass(frozen=True, slots=True)
class Looked:
    """An entry of the log: who read, searched or erased, when and why, which fields, and whose. Never a value."""

    at: datetime
    who: str
    action: str
    reason: str
    fields: tuple[str, ...]
    borrower_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vault:
    """The identity vault of one database."""

    engine: Engine
    keyring: Keyring
    clock: Clock

    def put(self, borrower_id: str, identity: Identity) -> bool:
        """Keep what is known of a person, beside or in place of what was; whether anything was new.

        Fields that are None stay as they are. Raises as `put_many`.
        """
        return self.put_many({borrower_id: identity}) == 1

    def put_many(self, people: Mapping[str, Identity]) -> int:
        """Keep the identities of many, some hundreds a transaction; returns for how many anything was new.

        Raises Conflict if a person was erased: whoever comes back is a new borrower. InvalidInput if a borrower id is
        empty, too long, or gives away who it is. Unavailable if keys are missing, or not those of this vault.
        """
        ids = sorted(people)
        for borrower_id in ids:
            _check_text("borrower_id", borrower_id, 1, _ID_LIMIT)
        changed = 0
        for start in range(0, len(ids), _BATCH):
            with transaction(self.engine) as connection:
                changed += self._put(connection, {one: people[one] for one in ids[start : start + _BATCH]})
        if changed:
            self.settle()
        return changed

    def read(self, borrower_id: str, fields: Sequence[str], *, reason: str, by: str) -> Identity:
        """Some fields of a person; None where one is not known. On the log before it is told.

        Raises InvalidInput without fields, reason or reader, or if the reason names the person. NotFound if nobody is
        there, or the person was erased. Unavailable if a key is missing or a value was changed.
        """
        asked = _check_fields(fields)
        _check_reason(reason, by)
        with transaction(self.engine) as connection:
            row = _standing(locked(connection, [borrower_id], reading=True), borrower_id)
            opened = self._opened(connection)
            known = unsealed(person_key(opened, row, opened.shard(row["slot"])), row)
            _refuse_telling(f"{reason} {by}", known.comparables())
            self._log(connection, "read", reason, by, asked, [borrower_id])
        return Identity(**{field: getattr(known, field) for field in asked})

    def find(self, field: str, value: str, *, reason: str, by: str) -> list[str]:
        """The borrowers who have a value, in any way of writing it; `cards` takes one number. On the log, without it.

        Raises InvalidInput as `read`, and if it is more than FOUND_LIMIT; Unavailable if a key is missing.
        """
        (asked,) = _check_fields([field])
        text = comparable(asked, value)
        _check_reason(reason, by)
        _refuse_telling(f"{reason} {by}", frozenset({(asked, text)}))
        with transaction(self.engine) as connection:
            opened = open_vault(connection, self.keyring)
            found = search.find(opened, asked, text) if opened else []
            if len(found) > FOUND_LIMIT:
                raise InvalidInput(f"More than {FOUND_LIMIT} borrowers have this {asked}.", "Search another field.")
            for known in self._readable(connection, found):
                _refuse_telling(f"{reason} {by}", known.comparables())
            self._log(connection, "find", reason, by, (asked,), found)
        return found

    def erase(self, borrower_id: str, *, reason: str, by: str) -> Erasure:
        """Erase a person: afterwards nothing here, and no copy of the database, tells who it was.

        The fact `identity_erased` is booked in the same transaction; then the person's shard and those of the buckets
        are destroyed. Where that fails after the commit, Unavailable is raised, and the next call of anything that
        settles does it. Erasing again changes nothing and gives the first instant.
        Raises InvalidInput and NotFound as `read`, but for the erased.
        """
        _check_reason(reason, by)
        with transaction(self.engine) as connection:
            row = locked(connection, [borrower_id]).get(borrower_id)
            if row is None:
                raise _nobody(borrower_id)
            first = row["erased_at"] is None
            erased_at = self.erase_in(connection, row, reason, by) if first else row["erased_at"]
        self.settle()
        return Erasure(borrower_id, erased_at.astimezone(UTC), first)

    def erase_in(self, connection: Connection, row: RowMapping, reason: str, by: str) -> datetime:
        """Erase the person of a locked row in a transaction that the caller holds, and then calls `settle`."""
        opened, borrower_id, now = self._opened(connection), row["borrower_id"], self.clock()
        try:
            known = unsealed(person_key(opened, row, opened.shard(row["slot"])), row).comparables()
        except (NotFound, Unavailable):  # spoilt, or destroyed: that must not keep a person from being erased
            search.forget_borrower(opened, borrower_id)
        else:
            _refuse_telling(f"{reason} {by}", known)
            search.forget(opened, [(borrower_id, value) for value in sorted(known)])
        opened.doom([row["slot"]])
        nothing = dict.fromkeys(("version", "slot", "wrapped", *FIELDS))
        here = vault_person.c.borrower_id == borrower_id
        connection.execute(sa.update(vault_person).where(here).values(**nothing, erased_at=now))
        for shared in (identity_check, identity_link, application_token):  # tokens of what the person had
            connection.execute(sa.delete(shared).where(shared.c.borrower_id == borrower_id))
        payload = {"by": by, "reason": reason}
        fact = Fact(content_id("erasure", borrower_id), ERASED, now, payload, borrower_id=borrower_id)
        Journal(self.engine, self.clock).append_in(connection, [fact])
        self._log(connection, "erase", reason, by, FIELDS, [borrower_id])
        return now

    def settle(self) -> int:
        """Destroy the shards that committed transactions have doomed; returns how many.

        Called by everything that dooms; a killed process leaves it to the next. Raises Unavailable if the disk refuses.
        """
        with transaction(self.engine) as connection:
            query = sa.select(vault_doomed.c.slot).order_by(vault_doomed.c.slot).with_for_update()
            slots = connection.execute(query).scalars().all()
            vault_id = vault_id_of(connection) if slots else None
            if vault_id is None:
                return 0
            Shards(self.keyring.folder / vault_id).destroy(slots)
            connection.execute(sa.delete(vault_doomed).where(vault_doomed.c.slot.in_(slots)))
        return len(slots)

    def tokens(self, kind: str, values: Sequence[str | None]) -> list[str | None]:
        """Tokens that are equal where values are, however they are written; None for None. They never change.

        kind: a field, `device` or `employer`. Whoever holds the key file can try out guesses at a value, and erasing a
        person does not change tokens in other people's records: a token is a pseudonym. Raises InvalidInput.
        """
        texts = [None if value is None else comparable(kind, value) for value in values]
        with transaction(self.engine) as connection:
            key = open_or_make(connection, self.keyring, self.clock).keys.token
        return [None if text is None else token_of(key, kind, text) for text in texts]

    def log(self, *, borrower_id: str | None = None, by: str | None = None, limit: int = 1000) -> list[Looked]:
        """The newest entries of the log, newest first: all, or those of a person, or of who looked."""
        query = sa.select(vault_log).order_by(vault_log.c.entry.desc()).limit(limit)
        if borrower_id is not None:
            query = query.where(vault_log.c.borrower_ids.contains([borrower_id]))
        if by is not None:
            query = query.where(vault_log.c.who == by)
        with transaction(self.engine) as connection:
            rows = connection.execute(query).all()
        return [
            Looked(row.at.astimezone(UTC), row.who, row.action, row.reason, tuple(row.fields), tuple(row.borrower_ids))
            for row in rows
        ]

    def _readable(self, connection: Connection, borrower_ids: Sequence[str]) -> Iterator[Identity]:
        """Who was found, without those whose row is spoilt. Their marks are held, so nobody erases them meanwhile."""
        query = sa.select(vault_person).where(vault_person.c.borrower_id.in_(borrower_ids))
        rows = connection.execute(query).mappings().all() if borrower_ids else []
        opened = self._opened(connection) if rows else None  # after the rows: a rotation may have begun before them
        for row in rows:
            if opened and row["slot"] is not None:
                with suppress(NotFound, Unavailable):
                    yield unsealed(person_key(opened, row, opened.shard(row["slot"])), row)

    def _opened(self, connection: Connection) -> Opened:
        opened = open_vault(connection, self.keyring)
        if opened is None:
            raise Unavailable("The vault has persons and no key.", "Restore the database from a backup.")
        return opened

    def _log(
        self, connection: Connection, action: str, reason: str, by: str, fields: Iterable[str], found: Sequence[str]
    ) -> None:
        values = {
            "at": self.clock(), "who": by, "action": action, "reason": reason, "fields": list(fields),
            "borrower_ids": list(found),
        }  # fmt: skip
        connection.execute(sa.insert(vault_log).values(values))

    def _put(self, connection: Connection, people: Mapping[str, Identity]) -> int:
        opened = open_or_make(connection, self.keyring, self.clock)
        _begin(opened, people)
        rows = locked(connection, list(people))
        if any(row["version"] not in opened.versions for row in rows.values() if row["version"]):
            opened = self._opened(connection)  # a rotation has begun since
        shards = opened.shards.read(row["slot"] for row in rows.values() if row["slot"] is not None)
        changes = [_Change.of(opened, row, shards, people[borrower_id]) for borrower_id, row in rows.items()]
        changes = [change for change in changes if change.after != change.before]
        columns = {field: [change.column(field) for change in changes] for field in FIELDS}
        connection.execute(_CHANGE, {"ids": [change.borrower_id for change in changes], **columns})
        new: dict[int, list[search.Valued]] = {}
        for change in changes:
            new.setdefault(change.row["version"], []).extend(change.new)
        search.change(opened, [valued for change in changes for valued in change.gone], new)
        return len(changes)


@dataclass(frozen=True, slots=True, repr=False)
class _Change:
    """One person's row and key, what is known before and after, and the values that searches lose and gain by it."""

    row: RowMapping
    key: bytes
    before: Identity
    after: Identity
    gone: list[search.Valued]
    new: list[search.Valued]

    @classmethod
    def of(cls, opened: Opened, row: RowMapping, shards: Mapping[int, bytes | None], given: Identity) -> "_Change":
        borrower_id = row["borrower_id"]
        if row["erased_at"] is not None:
            raise Conflict(
                f"{borrower_id} was erased on {row['erased_at']:%Y-%m-%d}, and an id is not used again.",
                "Whoever comes back is a new borrower with a new id.",
            )
        key = person_key(opened, row, shards[row["slot"]])
        before = unsealed(key, row)
        after = replace(before, **{field: getattr(given, field) for field, _ in given.each()})
        had, has = before.comparables(), after.comparables()
        told = told_in(borrower_id, has)
        if told:
            raise InvalidInput(f"A borrower id repeats the {told} of its person.", "Ids are tokens: they say nothing.")
        return cls(row, key, before, after, _owned(borrower_id, had - has), _owned(borrower_id, has - had))

    @property
    def borrower_id(self) -> str:
        return str(self.row["borrower_id"])

    def column(self, field: str) -> bytes | None:
        if getattr(self.before, field) == getattr(self.after, field):
            kept: bytes | None = self.row[field]
            return kept
        return sealed(self.key, self.borrower_id, self.after, field)


def _owned(borrower_id: str, values: Iterable[tuple[str, str]]) -> list[search.Valued]:
    return [(borrower_id, value) for value in values]


def _begin(opened: Opened, people: Mapping[str, Identity]) -> None:
    """Give persons who are new a row with a key, and nothing known yet. Whoever else does so at once waits here."""
    known = sa.select(vault_person.c.borrower_id).where(vault_person.c.borrower_id.in_(people))
    new = sorted(people.keys() - set(opened.connection.execute(known).scalars()))
    drawn = opened.draw(len(new)) if new else {}
    keys = [
        wrapped(opened, opened.newest, shard, new_key(), borrower_id)
        for borrower_id, shard in zip(new, drawn.values(), strict=True)
    ]
    if new:
        parameters = {"version": opened.newest, "ids": new, "slots": list(drawn), "wrapped": keys}
        opened.connection.execute(_BEGIN, parameters)


def _nobody(borrower_id: str) -> NotFound:
    return NotFound(f"The vault knows nobody by the id {borrower_id!r:.100}.", "Check the id; `find` looks by a value.")


def _standing(rows: Mapping[str, RowMapping], borrower_id: str) -> RowMapping:
    row = rows.get(borrower_id)
    if row is None:
        raise _nobody(borrower_id)
    if row["erased_at"] is not None:
        raise NotFound(
            f"{borrower_id} was erased from the vault on {row['erased_at']:%Y-%m-%d}.", "What was erased stays erased."
        )
    return row


def _check_fields(fields: Sequence[str]) -> tuple[str, ...]:
    unknown = sorted({*fields} - {*FIELDS})
    if unknown or not fields:
        what = f"{unknown[0]!r:.50} is no field of the vault." if unknown else "No field is named."
        raise InvalidInput(what, f"Name some of {', '.join(FIELDS)}.")
    return tuple(field for field in FIELDS if field in fields)


def _check_text(what: str, text: object, low: int, high: int) -> None:
    """Raises InvalidInput without the text: what is mistyped into a field may be anything."""
    if not isinstance(text, str) or not low <= len(text.strip()) or len(text) > high or not text.isprintable():
        raise InvalidInput(f"`{what}` is missing or no text of {low} to {high} printable characters.")


def _check_reason(reason: str, by: str) -> None:
    _check_text("reason", reason, 3, _REASON_LIMIT)
    _check_text("by", by, 1, _WHO_LIMIT)


def _refuse_telling(text: str, known: frozenset[tuple[str, str]]) -> None:
    """A reason is kept for ever, so it must not say who is meant."""
    told = told_in(text, known)
    if told:
        raise InvalidInput(
            f"The reason gives away the {told} of the person.",
            "Name the case or the request: reasons are never erased.",
        )
