"""API keys: who asks, for which lender, and what the key allows. Only the hash of a key is kept."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from evenkeel.api.problems import too_many
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import InvalidInput, NotFound, Unavailable
from evenkeel.storage.database import apart, transaction
from evenkeel.storage.tables import api_key

SCOPES = ("decide", "events", "read", "limits", "review", "plans", "contacts", "cases")
_FORM = re.compile(r"ek-([0-9a-f]{16})-([A-Za-z0-9_-]{43})")
_LONGEST_HEADER = 128
_KNOWN_S = 5.0  # a key that was revoked is refused at the latest so many seconds later
_MOST_KNOWN = 4096
_WRONG_S = 1.0  # a key that was wrong is looked up again at the earliest so many seconds later
_MOST_WRONG = 4096
_CONNECTIONS = 2
_LOOK_MS = 2000
_WAIT_S = 3.0
_MOST_LOOKING = 8  # strangers at once, and as many of those who were known

T = TypeVar("T")


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
    """Knows keys by the header they come in, in one event loop. `now_s` counts seconds and never goes back.

    Whoever comes with a key that is not known costs a look into the database: on connections of its own, few at once,
    each for a bounded time. Those who were known a moment ago wait in a line of their own, so that strangers, however
    many, do not keep them out.
    """

    def __init__(self, engine: Engine, now_s: Callable[[], float]) -> None:
        self._engine, self._now_s = apart(engine, "evenkeel keys", _CONNECTIONS, _LOOK_MS), now_s
        self._threads = ThreadPoolExecutor(_CONNECTIONS, "keys")
        self._known: dict[bytes, tuple[float, Caller]] = {}
        self._wrong: dict[bytes, float] = {}  # hash of a header, until when it is taken to be wrong still
        self._looking: dict[bytes, asyncio.Future[Caller | None]] = {}
        self._strangers = 0  # of those that are being looked up

    def known(self, header: bytes, late_s: float = 0.0) -> Caller | None:
        """The caller of an Authorization header that was looked up a moment ago; else None.

        late_s: seconds by which that may be longer ago, for a request that was let in and took its time to come.
        """
        found = self._known.get(header)
        return found[1] if found and found[0] + late_s > self._now_s() else None

    async def caller(self, header: bytes) -> Caller | None:
        """The caller of a header; None where the key is unknown, wrong or revoked.

        Raises Refusal where too many are being looked up, Unavailable where the database does not answer in time.
        """
        found = self.known(header)
        if found is not None:
            return found
        form = _form(header)
        if form is None or self._wrong.get(_hash_of(header), 0.0) > self._now_s():
            return None
        looking = self._looking.get(header)  # one look for all who come with a key while it is being looked up
        if looking is None:
            looking = self._begin(header, form)
        try:
            async with asyncio.timeout(_WAIT_S):
                return await asyncio.shield(looking)
        except TimeoutError:
            raise Unavailable("Keys cannot be looked up at the moment.", "Try again in a moment.") from None

    def close(self) -> None:
        """End its connections."""
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._engine.dispose()

    def _begin(self, header: bytes, form: re.Match[str]) -> asyncio.Future[Caller | None]:
        stranger = header not in self._known
        if (self._strangers if stranger else len(self._looking) - self._strangers) >= _MOST_LOOKING:
            raise too_many()
        looking = asyncio.get_running_loop().run_in_executor(self._threads, self._look_up, form[1], _hash(form[2]))
        self._looking[header] = looking
        self._strangers += stranger
        looking.add_done_callback(lambda done: self._found(header, stranger, done))
        return looking

    def _look_up(self, key_id: str, hashed: bytes) -> Caller | None:
        with transaction(self._engine) as connection:
            return _caller(connection, key_id, hashed)

    def _found(self, header: bytes, stranger: bool, done: asyncio.Future[Caller | None]) -> None:
        """Remember for a moment what was found; of either kind no more than so many."""
        self._looking.pop(header, None)
        self._strangers -= stranger
        if done.cancelled() or done.exception() is not None:
            return
        caller = done.result()
        self._known.pop(header, None)
        if caller is not None:
            _keep(self._known, header, (self._now_s() + _KNOWN_S, caller), _MOST_KNOWN)
        else:
            _keep(self._wrong, _hash_of(header), self._now_s() + _WRONG_S, _MOST_WRONG)


def _keep(kept: dict[bytes, T], name: bytes, value: T, most: int) -> None:
    """Keep a value, in the place of the oldest where there is none left."""
    kept.pop(name, None)
    while len(kept) >= most:
        del kept[next(iter(kept))]
    kept[name] = value


def _form(header: bytes) -> re.Match[str] | None:
    if len(header) > _LONGEST_HEADER:
        return None
    scheme, _, given = header.decode("latin-1").partition(" ")
    return _FORM.fullmatch(given.strip()) if scheme.lower() == "bearer" else None


def _hash_of(header: bytes) -> bytes:
    return hashlib.sha256(header).digest()


def _caller(connection: Connection, key_id: str, hashed: bytes) -> Caller | None:
    query = sa.select(api_key).where(api_key.c.key_id == key_id, api_key.c.revoked_at.is_(None))
    row = connection.execute(query).mappings().one_or_none()
    if row is None or not hmac.compare_digest(bytes(row["secret_sha256"]), hashed):
        return None
    return Caller(key_id, row["lender_id"], frozenset(row["scopes"]))
