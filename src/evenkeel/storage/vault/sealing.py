"""The cryptography of the vault, as pure functions: nothing here reads a file or a table.

    person's key     32 random bytes
    wrapped key      AES-256-GCM of the person's key under HKDF-SHA-256(master key, salt = shard), bound to the borrower
    sealed field     AES-256-GCM of the value under the person's key, bound to field and borrower
    mark             AES-SIV (RFC 5297) of the HMAC-SHA-256 of field and comparable value, under the key of its bucket

A sealed text is a random nonce of 12 bytes, then what AES-GCM gives. Binding is by associated data: a value moved to
another row or column does not open.
"""

import hmac
import secrets
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_BYTES = 32
BUCKETS = 4096

_NONCE_BYTES = 12
_DIGEST_BYTES = 16
_SEPARATOR = b"\x1f"


class Unopened(Exception):  # noqa: N818 - said in words by whoever knows the row
    """What was sealed does not open under this key, for this borrower, in this place."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a value is looked for: a bucket, which the database sees, and a digest, which it never does."""

    bucket: int
    digest: bytes


def new_key() -> bytes:
    """32 random bytes."""
    return secrets.token_bytes(KEY_BYTES)


def derived(master: bytes, purpose: str, salt: bytes | None = None, length: int = KEY_BYTES) -> bytes:
    """A key of its own for a purpose (HKDF, RFC 5869)."""
    return HKDF(SHA256(), length, salt, f"evenkeel vault {purpose}".encode()).derive(master)


def check_value(master: bytes, token_key: bytes) -> bytes:
    """What tells these two keys from others without telling anything of them."""
    return derived(master, "check", token_key, 16)


def _about(borrower_id: str, what: str) -> bytes:
    return what.encode() + _SEPARATOR + borrower_id.encode()


def seal(key: bytes, value: bytes, borrower_id: str, what: str) -> bytes:
    """Encrypt a value for one borrower and one place."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, value, _about(borrower_id, what))


def unseal(key: bytes, sealed: bytes, borrower_id: str, what: str) -> bytes:
    """What `seal` was given. Raises Unopened if key, borrower, place or a bit is another."""
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], _about(borrower_id, what))
    except (InvalidTag, ValueError):
        raise Unopened from None


def wrapping_key(master: bytes, shard: bytes) -> bytes:
    """The key that a person's key is wrapped in: nobody has it who lacks the master key or the shard."""
    return derived(master, "wrap", shard)


def place_of(search_key: bytes, field: str, text: str) -> Place:
    """Where a comparable value is looked for. search_key: derived(master, "search")."""
    digest = hmac.digest(search_key, field.encode() + _SEPARATOR + text.encode(), "sha256")
    return Place(int.from_bytes(digest[_DIGEST_BYTES:][:4]) % BUCKETS, digest[:_DIGEST_BYTES])


def token_of(token_key: bytes, kind: str, text: str) -> str:
    """A token of 32 hex digits for a comparable value, the same for everybody who has it."""
    return hmac.digest(token_key, kind.encode() + _SEPARATOR + text.encode(), "sha256").hex()[:32]


@dataclass(frozen=True, slots=True)
class BucketCipher:
    """What the marks of one bucket are made and read with. The same mark is made each time: that is how it is found."""

    cipher: AESSIV

    @classmethod
    def of(cls, master: bytes, shard: bytes) -> "BucketCipher":
        """The cipher of a bucket, from the master key and the bucket's shard."""
        return cls(AESSIV(derived(master, "bucket", shard, 2 * KEY_BYTES)))

    def mark(self, digest: bytes) -> bytes:
        """The mark of a value."""
        return self.cipher.encrypt(digest, None)

    def whom(self, digest: bytes, borrower_id: str) -> bytes:
        """Whose value it is."""
        return self.cipher.encrypt(borrower_id.encode(), [digest])

    def read(self, mark: bytes, whom: bytes) -> tuple[bytes, str]:
        """Digest and borrower of a mark. Raises Unopened if either was changed."""
        try:
            digest = self.cipher.decrypt(mark, None)
            return digest, self.cipher.decrypt(whom, [digest]).decode()
        except (InvalidTag, ValueError):
            raise Unopened from None
