"""FEEL text into tokens (DMN 1.5, clause 10.3.1.2, grammar rules 25 to 37)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from evenkeel.kernel.errors import InvalidInput

MOST_CHARACTERS = 100_000


class Kind(Enum):
    """What a token is."""

    NAME = "name"
    NUMBER = "number"
    TEXT = "text"
    SYMBOL = "symbol"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    """A token: `text` as written (of a string: what it stands for), from `start` to before `end`."""

    kind: Kind
    text: str
    start: int
    end: int


class Unreadable(InvalidInput):
    """FEEL text that cannot be read, with the place in it."""

    def __init__(self, text: str, at: int, problem: str) -> None:
        around = text[max(at - 15, 0) : at] + "⟂" + text[at : at + 15]
        super().__init__(f"at character {at + 1}, {problem}: {' '.join(around.split())}")
        self.at = at


_START = (
    "A-Z_a-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02ff\u0370-\u037d\u037f-\u1fff\u200c-\u200d\u2070-\u218f"
    "\u2c00-\u2fef\u3001-\ud7ff\uf900-\ufdcf\ufdf0-\ufffd\U00010000-\U000effff"
)
_SPACE = "\\s\u0085\u180e\u200b\u2060\ufeff"
_TOKEN = re.compile(
    rf"(?P<space>[{_SPACE}]+|//[^\n]*|/\*.*?\*/)"
    rf"|(?P<name>[{_START}?][{_START}?0-9\u00b7\u0300-\u036f\u203f-\u2040]*)"
    r"|(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)"
    r'|(?P<text>"(?:[^"\\]|\\.)*")'
    r"|(?P<symbol>\*\*|\.\.|<=|>=|!=|->|[-+*/=<>()\[\]{},.:@;'])",
    re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:u([0-9a-fA-F]{4})|U([0-9a-fA-F]{6})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\"}


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, the last an END. Raises Unreadable at a character that begins no token."""
    if len(text) > MOST_CHARACTERS:
        raise InvalidInput(f"the text has {len(text)} characters; at most {MOST_CHARACTERS} are read.")
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            problem = "a text is not closed" if text[place] == '"' else f"{text[place]!r} is not FEEL"
            raise Unreadable(text, place, problem)
        group = match.lastgroup
        if group == "text":
            found.append(Token(Kind.TEXT, unescaped(match[0][1:-1]), place, match.end()))
        elif group != "space":
            found.append(Token(Kind[str(group).upper()], match[0], place, match.end()))
        place = match.end()
    found.append(Token(Kind.END, "", len(text), len(text)))
    return found


def unescaped(text: str) -> str:
    """What the inside of a string literal stands for; two halves of a surrogate pair become one character."""
    if "\\" not in text:
        return text
    plain = _ESCAPE.sub(_escape, text)
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _escape(match: re.Match[str]) -> str:
    four, six, one = match.groups()
    if one is not None:
        return _ESCAPES.get(one, match[0])
    code = int(four or six, 16)
    return chr(code) if code < 0x110000 else "\ufffd"
