"""Requests in JSON as they are taken from strangers: bounded, UTF-8, no key twice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import msgspec

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.json_text import check

MOST_BYTES = 16_384
MOST_DEPTH = 16

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
    check(body, plain, MOST_DEPTH, "The body")
    return found
