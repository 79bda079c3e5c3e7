"""People who do not exist, and an attacker who has an old copy of the database and every key there is now."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from evenkeel.storage.vault import FIELDS, Identity, Keyring, Vault, comparable
from evenkeel.storage.vault.keys import Shards
from evenkeel.storage.vault.sealing import KEY_BYTES, BucketCipher, Unopened, derived, place_of, unseal, wrapping_key

CHILD = Path(__file__).with_name("vault_child.py")

WANG = Identity(
    name="欧阳·娜娜", id_number="11010519491231002X", phone="13812345678", cards=("6222021234567890128",),
    address="上海市浦东新区世纪大道1号2-301",
)  # fmt: skip
LI = Identity(name="李雷", phone="13987654321")


def everybody() -> dict[str, Identity]:
    """Thirty people, some with a name in common."""
    return {
        f"p{number}": Identity(
            name=f"赵{'甲乙丙丁戊'[number % 5]}", id_number=f"4403011980010{number:05d}", phone=f"1351111{number:04d}",
            cards=(f"62220200000000{number:05d}", f"62284800000000{number:05d}"), address=f"深圳市福田区某路{number}号",
        )
        for number in range(30)
    }  # fmt: skip


def people(known: dict[str, Identity]) -> list[str]:
    """Every value of people, as it was given."""
    return [value for identity in known.values() for _, values in identity.each() for value in values]


@dataclass(frozen=True)
class Attack:
    """What somebody can do with an old copy of the database, the key file and all shards of now."""

    persons: list[Any]
    marks: set[bytes]
    keyring: Keyring

    @classmethod
    def on_copy(cls, vault: Vault) -> "Attack":
        with vault.engine.connect() as connection:
            persons = connection.execute(sa.text("SELECT * FROM vault_person")).all()
            marks = connection.execute(sa.text("SELECT mark FROM vault_mark")).scalars()
            return cls(list(persons), set(marks), vault.keyring)

    def shards(self) -> list[bytes]:
        content = b"".join(path.read_bytes() for path in sorted(self.keyring.folder.glob("*/0*")))
        return [content[place : place + KEY_BYTES] for place in range(0, len(content), KEY_BYTES)]

    def keys_of(self, borrower_id: str) -> list[bytes]:
        """The key of a person, by trying every shard with every master key."""
        (row,) = [row for row in self.persons if row.borrower_id == borrower_id]
        found = []
        for master in self.keyring.read().master.values():
            for shard in self.shards():
                try:
                    found.append(unseal(wrapping_key(master, shard), row.wrapped, borrower_id, "key"))
                except Unopened:
                    continue
        return found

    def confirmed(self, field: str, guesses: list[str]) -> list[str]:
        """Those of guessed values of which a mark tells that somebody has them, trying every shard."""
        found = []
        for master in self.keyring.read().master.values():
            ciphers = [BucketCipher.of(master, shard) for shard in self.shards()]
            for guess in guesses:
                place = place_of(derived(master, "search"), field, comparable(field, guess))
                if any(cipher.mark(place.digest) in self.marks for cipher in ciphers):
                    found.append(guess)
        return found


WHY = {"reason": "case 12", "by": "officer-7"}


def scalar(vault: Vault, query: str) -> object:
    with vault.engine.connect() as connection:
        return connection.execute(sa.text(query)).scalar()


def change(vault: Vault, statement: str) -> None:
    with vault.engine.begin() as connection:
        connection.execute(sa.text(statement))


def shards_in_use(vault: Vault) -> dict[int, bytes | None]:
    with vault.engine.connect() as connection:
        slots = connection.execute(sa.text("SELECT slot FROM vault_bucket UNION ALL SELECT slot FROM vault_person"))
        (folder,) = connection.execute(sa.text("SELECT DISTINCT vault_id FROM vault_key")).scalars()
        return Shards(vault.keyring.folder / str(folder)).read([slot for slot in slots.scalars() if slot is not None])


def holds_everybody(vault: Vault, expected: dict[str, Identity]) -> None:
    for borrower_id, identity in expected.items():
        assert vault.read(borrower_id, FIELDS, **WHY) == identity
        assert borrower_id in vault.find("phone", str(identity.phone), **WHY)
