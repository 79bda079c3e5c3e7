"""Webhooks: what happens in a case is told to a lender's own address, at least once, in order, signed.

What is to be told is written in the transaction of the fact (`put`), so that neither is there without the other. It is
delivered afterwards by `deliver`: for each address and case the oldest first, the next only once that one was taken or
given up. A body names the case, what was done and the state; never the borrower, an amount or a number of a person.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import ipaddress
import json
import secrets
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.storage.database import transaction

SIGNATURE = "Evenkeel-Signature"
TOLERANCE_S = 300  # a signature older than that is refused by `genuine`
MOST_ATTEMPTS = 12
_FIRST, _LONGEST = timedelta(seconds=10), timedelta(hours=6)  # waits: 10 s, doubled each time, six hours at the most
_TIMEOUT_S = 10.0
_MOST_URL = 500
_MOST_WEBHOOKS = 20  # of a lender

_ADD = sa.text("""
INSERT INTO webhook (webhook_id, lender_id, url, secret, made_at) VALUES (:webhook_id, :lender_id, :url, :secret, :at)
""")
_LIST = sa.text("""
SELECT w.webhook_id, w.lender_id, w.url, w.made_at, w.ended_at,
    count(o.place) FILTER (WHERE o.delivered_at IS NULL AND o.dead_at IS NULL) AS waiting,
    count(o.place) FILTER (WHERE o.delivered_at IS NOT NULL) AS delivered,
    count(o.place) FILTER (WHERE o.dead_at IS NOT NULL) AS dead
FROM webhook AS w LEFT JOIN webhook_outbox AS o USING (webhook_id)
WHERE CAST(:lender_id AS text) IS NULL OR w.lender_id = :lender_id
GROUP BY w.webhook_id ORDER BY w.made_at, w.webhook_id
""")
_ACTIVE = sa.text(
    "SELECT webhook_id FROM webhook WHERE lender_id = :lender_id AND ended_at IS NULL ORDER BY webhook_id"
)
_END = sa.text("UPDATE webhook SET ended_at = :at WHERE webhook_id = :webhook_id AND ended_at IS NULL")
_PUT = sa.text("""
INSERT INTO webhook_outbox (webhook_id, case_id, number, body, made_at, next_at)
SELECT CAST(:webhook_id AS text), CAST(:case_id AS text), coalesce(max(number), 0) + 1, '', :at, :at
FROM webhook_outbox WHERE webhook_id = :webhook_id AND case_id = :case_id
RETURNING place, number
""")
_BODY = sa.text("UPDATE webhook_outbox SET body = :body WHERE place = :place")
# The oldest of each address and case, where its time has come. Whoever has the row has its case: nobody else finds an
# older one of it, and the younger ones are not the oldest.
_DUE = sa.text("""
SELECT o.place, o.webhook_id, o.case_id, o.body, o.attempts, w.url, w.secret
FROM webhook_outbox AS o JOIN webhook AS w USING (webhook_id)
WHERE o.delivered_at IS NULL AND o.dead_at IS NULL AND o.next_at <= :now AND w.ended_at IS NULL
    AND NOT EXISTS (
        SELECT FROM webhook_outbox AS older
        WHERE older.webhook_id = o.webhook_id AND older.case_id = o.case_id AND older.place < o.place
            AND older.delivered_at IS NULL AND older.dead_at IS NULL
    )
ORDER BY o.next_at, o.place LIMIT 1 FOR UPDATE OF o SKIP LOCKED
""")
_DONE = sa.text("""
UPDATE webhook_outbox SET attempts = attempts + 1, delivered_at = :delivered_at, dead_at = :dead_at, next_at = :next_at,
    last_error = :error WHERE place = :place
""")
# An address that is not there is not tried again at once for each case.
_REST = sa.text("""
UPDATE webhook_outbox SET next_at = greatest(next_at, :until) WHERE place IN (
    SELECT place FROM webhook_outbox WHERE webhook_id = :webhook_id AND delivered_at IS NULL AND dead_at IS NULL
    ORDER BY place FOR UPDATE SKIP LOCKED
)
""")
_DEAD = sa.text("""
SELECT o.place, o.webhook_id, o.case_id, o.number, o.made_at, o.dead_at, o.attempts, o.last_error
FROM webhook_outbox AS o JOIN webhook AS w USING (webhook_id)
WHERE o.dead_at IS NOT NULL AND (CAST(:lender_id AS text) IS NULL OR w.lender_id = :lender_id)
ORDER BY o.place DESC LIMIT :most
""")
_AGAIN = sa.text("""
UPDATE webhook_outbox SET dead_at = NULL, attempts = 0, next_at = :now WHERE place = :place AND dead_at IS NOT NULL
""")


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address on record, and how many tellings wait, were delivered, or were given up."""

    webhook_id: str
    lender_id: str
    url: str
    made_at: datetime
    ended_at: datetime | None
    waiting: int
    delivered: int
    dead: int


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A telling that was given up after MOST_ATTEMPTS."""

    place: int
    webhook_id: str
    case_id: str
    number: int
    made_at: datetime
    dead_at: datetime
    attempts: int
    last_error: str


# ---- Signatures ------------------------------------------------------------------------------------------------------


def sign(secret: bytes, body: bytes, at: datetime) -> str:
    """The value of the header SIGNATURE: `t=SECONDS,v1=HEX`, HMAC-SHA256 over the seconds, a point, and the body."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_mac(secret, seconds, body)}"


def genuine(secret: bytes, header: str, body: bytes, now: datetime) -> bool:
    """For who receives: whether a body was signed with the secret, and not longer ago than TOLERANCE_S."""
    parts = dict(part.partition("=")[::2] for part in header.split(","))
    seconds = parts.get("t", "")
    if not (seconds.isascii() and seconds.isdigit() and len(seconds) <= 12):
        return False
    fresh = abs(now.timestamp() - int(seconds)) <= TOLERANCE_S
    return hmac.compare_digest(_mac(secret, int(seconds), body), parts.get("v1", "")) and fresh


def _mac(secret: bytes, seconds: int, body: bytes) -> str:
    return hmac.new(secret, f"{seconds}.".encode() + body, hashlib.sha256).hexdigest()


# ---- Addresses -------------------------------------------------------------------------------------------------------


def check_url(url: str) -> str:
    """The address. Raises InvalidInput unless it is https, or http on this machine's loopback, without a password."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        parts, host = urlsplit(""), None
    remedy = "Give one such as https://hooks.example.com/evenkeel."
    if not host or len(url) > _MOST_URL or not url.isascii() or not url.isprintable() or " " in url:
        raise InvalidInput("The address of the webhook cannot be used.", remedy)
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise InvalidInput("The address of the webhook holds a name, a password or a fragment.", remedy)
    if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(host)):
        raise InvalidInput("A webhook goes to https, or to http on this machine alone.", remedy)
    return url


def _loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def add(engine: Engine, clock: Clock, lender_id: str, url: str) -> tuple[str, str]:
    """A new webhook: its id, and the secret that its tellings are signed with, told once. Raises InvalidInput."""
    check_url(url)
    webhook_id, secret = f"wh-{secrets.token_hex(8)}", f"whsec-{secrets.token_urlsafe(32)}"
    with transaction(engine) as connection:
        if len(connection.execute(_ACTIVE, {"lender_id": lender_id}).all()) >= _MOST_WEBHOOKS:
            raise InvalidInput(f"{lender_id} has {_MOST_WEBHOOKS} webhooks.", "End one that is not used.")
        given = {"webhook_id": webhook_id, "lender_id": lender_id, "url": url, "at": clock()}
        connection.execute(_ADD, given | {"secret": secret.encode()})
    return webhook_id, secret


def listed(engine: Engine, lender_id: str | None = None) -> list[Webhook]:
    """All webhooks, or those of a lender, the oldest first; of none the secret."""
    with transaction(engine) as connection:
        rows = connection.execute(_LIST, {"lender_id": lender_id}).mappings().all()
    return [Webhook(**row) for row in rows]


def end(engine: Engine, clock: Clock, webhook_id: str) -> None:
    """Tell an address nothing more. Raises NotFound."""
    with transaction(engine) as connection:
        if connection.execute(_END, {"webhook_id": webhook_id, "at": clock()}).rowcount == 0:
            raise NotFound(f"There is no webhook {webhook_id[:64]}.", "`evenkeel serve webhooks list` shows them.")


def dead_letters(engine: Engine, lender_id: str | None = None, most: int = 100) -> list[DeadLetter]:
    """What was given up, the latest first."""
    with transaction(engine) as connection:
        rows = connection.execute(_DEAD, {"lender_id": lender_id, "most": most}).mappings().all()
    return [DeadLetter(**row) for row in rows]


def again(engine: Engine, clock: Clock, place: int) -> None:
    """Try once more what was given up. Raises NotFound."""
    with transaction(engine) as connection:
        if connection.execute(_AGAIN, {"place": place, "now": clock()}).rowcount == 0:
            raise NotFound(f"There is no dead letter {place}.", "`evenkeel serve webhooks list` shows them.")


# ---- The outbox ------------------------------------------------------------------------------------------------------


def put(connection: Connection, lender_id: str, case_id: str, kind: str, state: str, at: datetime) -> None:
    """Have it told, in the caller's transaction, which holds the lock of the borrower: numbers have no gaps."""
    for webhook_id in connection.execute(_ACTIVE, {"lender_id": lender_id}).scalars().all():
        given = {"webhook_id": webhook_id, "case_id": case_id, "at": at}
        place, number = connection.execute(_PUT, given).one()
        body = _body(f"{webhook_id}-{place}", kind, case_id, number, at, state)
        connection.execute(_BODY, {"place": place, "body": body})


def _body(name: str, kind: str, case_id: str, number: int, at: datetime, state: str) -> str:
    told = {"id": name, "type": kind, "case_id": case_id, "number": number, "at": at.isoformat(), "state": state}
    return json.dumps(told, separators=(",", ":"))


Post = Callable[[str, bytes, dict[str, str]], str]
"""Posts a body to an address with headers; returns what went wrong, or nothing."""


def post(url: str, body: bytes, headers: dict[str, str]) -> str:
    """Over HTTP, within ten seconds a step; redirects are not followed, and of the answer only the status counts."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    if parts.scheme == "https":
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=_TIMEOUT_S, context=ssl.create_default_context()
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=_TIMEOUT_S)
    try:
        connection.request("POST", f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}", body, headers)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()
    return "" if status in range(200, 300) else f"status {status}"


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of one attempt."""

    webhook_id: str
    case_id: str
    error: str


@dataclass(frozen=True, slots=True)
class Outbox:
    """Delivers what waits. Any number may do so at once. post: how a body is sent."""

    engine: Engine
    clock: Clock
    post: Post = field(default=post)

    def step(self) -> Delivery | None:
        """One attempt at what is due first; None where nothing is. Whoever dies in between tells it again."""
        with transaction(self.engine) as connection:
            row = connection.execute(_DUE, {"now": self.clock()}).mappings().first()
            if row is None:
                return None
            body = row["body"].encode()
            error = self.post(row["url"], body, self._headers(bytes(row["secret"]), body))
            now, attempts = self.clock(), row["attempts"] + 1
            connection.execute(
                _DONE,
                {
                    "place": row["place"], "error": error, "delivered_at": None if error else now,
                    "dead_at": now if error and attempts >= MOST_ATTEMPTS else None, "next_at": now + wait(attempts),
                },
            )  # fmt: skip
            if error and not error.startswith("status"):
                connection.execute(_REST, {"webhook_id": row["webhook_id"], "until": now + _FIRST})
        return Delivery(row["webhook_id"], row["case_id"], error)

    def test(self, webhook_id: str) -> str:
        """Send an address a telling of the kind `test`, now and once; what went wrong, or nothing. Raises NotFound."""
        query = sa.text("SELECT url, secret FROM webhook WHERE webhook_id = :webhook_id AND ended_at IS NULL")
        with transaction(self.engine) as connection:
            row = connection.execute(query, {"webhook_id": webhook_id}).one_or_none()
        if row is None:
            raise NotFound(f"There is no webhook {webhook_id[:64]}.", "`evenkeel serve webhooks list` shows them.")
        body = _body(f"{webhook_id}-test", "test", "", 0, self.clock(), "").encode()
        return self.post(row.url, body, self._headers(bytes(row.secret), body))

    def _headers(self, secret: bytes, body: bytes) -> dict[str, str]:
        return {
            "Content-Type": "application/json",
            "User-Agent": "evenkeel",
            SIGNATURE: sign(secret, body, self.clock()),
        }


def wait(attempts: int) -> timedelta:
    """How long until the next attempt, after so many."""
    return min(_FIRST * (1 << min(attempts - 1, 20)), _LONGEST)
