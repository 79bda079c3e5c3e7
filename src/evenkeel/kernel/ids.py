"""Ids: from content where the same input must give the same id, UUIDv7 for facts that enter from outside."""

import hashlib
import secrets
import uuid
from datetime import datetime

_SEPARATOR = "\x1f"


def content_id(prefix: str, *parts: str) -> str:
    """An id of 26 characters at least: `prefix-` and 20 hex digits of SHA-256 over the parts, order kept.

    The parts are joined by a unit separator, so ("ab", "c") and ("a", "bc") differ.
    """
    digest = hashlib.sha256(_SEPARATOR.join(parts).encode()).hexdigest()
    return f"{prefix}-{digest[:20]}"


def uuid7(now: datetime) -> str:
    """A time-ordered id (RFC 9562, version 7) for a fact that enters at `now`."""
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds & (2**48 - 1)) << 80 | 7 << 76 | secrets.randbits(12) << 64 | 2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))
