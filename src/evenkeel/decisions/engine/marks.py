"""What a purchase is held against beside its account: devices that its borrower used, and lists that name them.

Both are folds of the borrower's facts, kept in a few bytes beside the features: an entry for each list (effect, first
and last day), then a hash of 64 bits for each device, the newest last.
"""

from __future__ import annotations

import hashlib
import struct
from functools import lru_cache
from typing import Any

from evenkeel.accounts.facts import FactKind
from evenkeel.accounts.store import PREFIX
from evenkeel.decisions.engine.happenings import APPLICATION, EVENT, Fact
from evenkeel.decisions.engine.situation import NULL
from evenkeel.decisions.identity.standing import STANDING, Entry, entries_of

MOST_DEVICES = 8
_HASH = 8  # bytes
_ENTRY = struct.Struct(">bii")
_HOLD, _DEVICE_CHANGED = PREFIX + FactKind.HOLD, EVENT + "device_changed"


def marks_after(marks: bytes, fact: Fact) -> bytes:
    """The marks after a fact: a purchase held, a grant, a device that the lender says was changed to; or a list."""
    payload: Any = fact.payload
    if fact.kind == _HOLD:
        device = payload.get("device_token")
    elif fact.kind == APPLICATION:
        device = payload["fields"].get("device_token") if payload.get("granted_minor") else None
    elif fact.kind == _DEVICE_CHANGED:
        device = payload["fields"].get("device")
    elif fact.kind == STANDING:
        entries = entries_of(payload)
        return bytes([len(entries)]) + b"".join(_ENTRY.pack(*entry) for entry in entries) + marks[_devices(marks) :]
    else:
        return marks
    if not isinstance(device, str) or not device or device_other(marks, device) == 0:
        return marks
    marks = marks or b"\x00"
    start = _devices(marks)
    return marks[:start] + (marks[start:] + _hashed(device))[-MOST_DEVICES * _HASH :]


def device_other(marks: bytes, device: str | None) -> int:
    """1 where a device is none of those on record, 0 where it is; NULL where none is named."""
    if device is None:
        return NULL
    wanted, start = _hashed(device), _devices(marks)
    at = marks.find(wanted, start)
    while at >= 0 and (at - start) % _HASH:  # across the bounds of two hashes
        at = marks.find(wanted, at + 1)
    return int(at < 0)


def watched(marks: bytes, day: int) -> int:
    """The strictest effect of the entries in force on a day: 0 none, 1 a person looks, 2 it declines."""
    if not marks or not marks[0]:
        return 0
    return max((effect for effect, since, until in entries(marks) if since <= day <= until), default=0)


def entries(marks: bytes) -> list[Entry]:
    """What stands on lists."""
    return [Entry(*entry) for entry in _ENTRY.iter_unpack(marks[1 : _devices(marks)])] if marks else []


def _devices(marks: bytes) -> int:
    return 1 + marks[0] * _ENTRY.size if marks else 0


@lru_cache(maxsize=4096)  # a purchase asks for its device, and marks it
def _hashed(device: str) -> bytes:
    return hashlib.blake2b(device.encode(), digest_size=_HASH).digest()
