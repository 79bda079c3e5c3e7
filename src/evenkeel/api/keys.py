"""API keys: who asks, for which lender, and what the key allows. Only the hash of a key is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.storage.database import transaction
from evenkeel.storage.tables import api_key

SCOPES = ("decide", "events", "read", "limits", "review")
_FORM = re.compile(r"ek-([0-9a-f]{16})-([A-Za-z0-9_-]{43})")
_KNOWN_S = 5.0  # a key that was revoked is refused at the latest so many seconds later
_MOST_KNOWN = 1024


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a key speaks for."""

    key_id: str
    lender_id: str
    scopes: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """A key on record."""

    key_id: str
    lender_id: str
    scopes: tuple[str, ...]
    note: str
    made_at: datetime
    revoked_at: datetime | None


def issue(engine: Engine, clock: Clock, lender_id: str, scopes: Sequence[str], note: str = "") -> str:
    """A new key, told once: the database keeps its hash. Raises InvalidInput on a scope that does not exist."""
    if not scopes or any(scope not in SCOPES for scope in scopes):
        raise InvalidInput(f"The scopes {', '.join(scopes) or '(none)'} cannot be given.", f"Choose from {_all()}.")
    if not 1 <= len(lender_id) <= 64 or len(note) > 200:
        raise InvalidInput("A key has a lender of 1 to 64 characters and a note of at most 200.")
    key_id, secret = secrets.token_hex(8), secrets.token_urlsafe(32)
    with transaction(engine) as connection:
        connection.execute(
            sa.insert(api_key).values(
                key_id=key_id, lender_id=lender_id, scopes=sorted(set(scopes)), note=note,
                secret_sha256=_hash(secret), made_at=clock(),
            )
        )  # fmt: skip
    return f"ek-{key_id}-{secret}"


def _all() -> str:
    return ", ".join(SCOPES)


def _hash(secret: str) -> bytes:
    # The secret has 256 random bits, so that a plain hash cannot be searched through.
    return hashlib.sha256(secret.encode()).digest()


def revoke(engine: Engine, clock: Clock, key_id: str) -> None:
    """Let a key open nothing any more. Raises NotFound."""
    with transaction(engine) as connection:
        query = sa.update(api_key).where(api_key.c.key_id == key_id, api_key.c.revoked_at.is_(None))
        if connection.execute(query.values(revoked_at=clock())).rowcount == 0:
            raise NotFound(f"There is no key {key_id} in use.", "`evenkeel serve keys list` shows them.")


def listed(engine: Engine) -> list[KeyEntry]:
    """All keys, the newest first; of none the secret."""
    columns = [api_key.c[name] for name in ("key_id", "lender_id", "scopes", "note", "made_at", "revoked_at")]
    with transaction(engine) as connection:
        rows = connection.execute(sa.select(*columns).order_by(api_key.c.made_at.desc())).all()
    return [KeyEntry(row[0], row[1], tuple(row[2]), row[3], row[4], row[5]) for row in rows]


class Doorkeeper:
    """Knows keys by the header they come in. `now_s` counts seconds and never goes back."""

    def __init__(self, engine: Engine, now_s: Callable[[], float]) -> None:
        self._engine, self._now_s = engine, now_s
        self._known: dict[bytes, tuple[float, Caller]] = {}

    def known(self, header: bytes, late_s: float = 0.0) -> Caller | None:
        """The caller of an Authorization header that was looked up a moment ago; else None.

        late_s: seconds by which that may be longer ago, for a request that was let in and took its time to come.
        """
        found = self._known.get(header)
        return found[1] if found and found[0] + late_s > self._now_s() else None

    def look_up(self, header: bytes) -> Caller | None:
        """The caller of a header, from the database; None where the key is unknown, wrong or revoked."""
        scheme, _, given = header.decode("latin-1").partition(" ")
        form = _FORM.fullmatch(given.strip())
        if scheme.lower() != "bearer" or form is None:
            return None
        with transaction(self._engine) as connection:
            caller = _caller(connection, form[1], _hash(form[2]))
        if caller is not None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[header] = (self._now_s() + _KNOWN_S, caller)
        return caller


def _caller(connection: Connection, key_id: str, hashed: bytes) -> Caller | None:
    query = sa.select(api_key).where(api_key.c.key_id == key_id, api_key.c.revoked_at.is_(None))
    row = connection.execute(query).mappings().one_or_none()
    if row is None or not hmac.compare_digest(bytes(row["secret_sha256"]), hashed):
        return None
    return Caller(key_id, row["lender_id"], frozenset(row["scopes"]))
