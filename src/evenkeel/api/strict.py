"""JSON as it is taken from strangers: bounded, UTF-8, no key twice.

A second value under one key is the oldest way to have two readers see two requests; the decoder keeps the last and
says nothing. What it decoded is held against the text: as many keys as there are colons outside of strings.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

import msgspec

from evenkeel.kernel.errors import InvalidInput

MOST_BYTES = 16_384
MOST_DEPTH = 16

_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_LONG_NUMBER = re.compile(rb"[0-9.eE+-]{40}")

T = TypeVar("T")


def read(body: bytes, decode: Callable[[bytes], T]) -> T:
    """The request in a body. decode: a msgspec decoder of the type wanted.

    Raises InvalidInput saying what is wrong and where; in time and memory bounded by MOST_BYTES.
    """
    try:
        found = decode(body)
        plain = msgspec.json.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{error}.", "The schema is at /v1/openapi.json.") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The body is not JSON in UTF-8: {error}.") from None
    bare = _STRINGS.sub(b"", body)  # linear, as the body is JSON by now: every string in it ends
    if _depth(bare) > MOST_DEPTH:
        raise InvalidInput(f"The body is nested more than {MOST_DEPTH} deep.", "The schema needs no such depth.")
    if _LONG_NUMBER.search(bare):
        raise InvalidInput("The body has a number of 40 or more characters.", "Amounts are whole minor units.")
    if bare.count(b":") != _keys(plain):
        raise InvalidInput("The body gives one name two values.", "Send each name once.")
    return found


def _depth(bare: bytes) -> int:
    """The deepest nesting of a text without its strings."""
    if bare.count(b"[") + bare.count(b"{") <= MOST_DEPTH:
        return 0
    depth = deepest = 0
    for byte in bare:
        if byte in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif byte in b"]}":
            depth -= 1
    return deepest


def _keys(value: object) -> int:
    """The names in a decoded value, nested ones included."""
    if isinstance(value, dict):
        return len(value) + sum(_keys(one) for one in value.values() if type(one) in (dict, list))
    if isinstance(value, list):
        return sum(_keys(one) for one in value if type(one) in (dict, list))
    return 0
