"""What a decoder of JSON does not say: how deep a text is nested, numbers without end, one key with two values.

A second value under one key is the oldest way to have two readers see two requests; the decoder keeps the last and
says nothing. What it decoded is held against the text: as many keys as there are colons outside of strings.
"""

from __future__ import annotations

import re

from evenkeel.kernel.errors import InvalidInput

_STRINGS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL)
_LONG_NUMBER = re.compile(rb"[0-9.eE+-]{40}")


def check(text: bytes, decoded: object, most_depth: int, name: str) -> None:
    """Hold a text that is known to be JSON against what was decoded from it. name: of the text, for messages.

    Raises InvalidInput saying what is wrong; in time linear in the text.
    """
    # Without strings. Linear, as the text is JSON by now: every string in it ends.
    bare = _STRINGS.sub(b"", text) if b"\\" in text else b"".join(text.split(b'"')[::2])
    if _depth(bare, most_depth) > most_depth:
        raise InvalidInput(f"{name} is nested more than {most_depth} deep.", "The schema needs no such depth.")
    if _LONG_NUMBER.search(bare):
        raise InvalidInput(f"{name} has a number of 40 or more characters.", "Amounts are whole minor units.")
    if bare.count(b":") != _keys(decoded):
        raise InvalidInput(f"{name} gives one name two values.", "Send each name once.")


def _depth(bare: bytes, most: int) -> int:
    """The deepest nesting of a text without its strings."""
    if bare.count(b"[") + bare.count(b"{") <= most:
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
