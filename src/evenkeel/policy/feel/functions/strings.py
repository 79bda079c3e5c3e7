"""String functions (DMN 1.5, clause 10.3.4.3). Positions count characters (code points) from 1."""

from __future__ import annotations

from decimal import Decimal

from evenkeel.policy.feel.functions.patterns import compiled, replacement
from evenkeel.policy.feel.functions.registry import NoAnswer, function, whole
from evenkeel.policy.feel.values import Value, kind


@function("substring", "string: string", "start position: number", "length?: number")
def substring(text: str, start: Decimal, length: Decimal | None = None) -> Value:
    """From a position, which may count from the end where negative, to the end or over a length."""
    first = whole(start, "substring: start position")
    if first == 0 or abs(first) > len(text):
        raise NoAnswer(f"substring: there is no position {first} in a text of {len(text)}")
    begin = first - 1 if first > 0 else len(text) + first
    if length is None:
        return text[begin:]
    count = whole(length, "substring: length")
    if count < 1:
        raise NoAnswer(f"substring: length is at least 1, not {count}")
    return text[begin : begin + count]


@function("string length", "string: string")
def string_length(text: str) -> Value:
    """The count of characters."""
    return Decimal(len(text))


@function("upper case", "string: string")
def upper_case(text: str) -> Value:
    """In capitals."""
    return text.upper()


@function("lower case", "string: string")
def lower_case(text: str) -> Value:
    """In small letters."""
    return text.lower()


@function("substring before", "string: string", "match: string")
def substring_before(text: str, match: str) -> Value:
    """What stands before the first match; "" where there is none."""
    before, found, _ = text.partition(match) if match else ("", "", "")
    return before if found else ""


@function("substring after", "string: string", "match: string")
def substring_after(text: str, match: str) -> Value:
    """What stands after the first match; "" where there is none."""
    return text.partition(match)[2] if match else text


@function("contains", "string: string", "match: string")
def contains(text: str, match: str) -> Value:
    """Whether a text has another in it."""
    return match in text


@function("starts with", "string: string", "match: string")
def starts_with(text: str, match: str) -> Value:
    """Whether a text begins with another."""
    return text.startswith(match)


@function("ends with", "string: string", "match: string")
def ends_with(text: str, match: str) -> Value:
    """Whether a text ends with another."""
    return text.endswith(match)


@function("matches", "input: string", "pattern: string", "flags?: string|null")
def matches(text: str, pattern: str, flags: str | None = None) -> Value:
    """Whether a pattern occurs in a text (XPath, fn:matches)."""
    return compiled(pattern, flags or "").search(text) is not None


@function("replace", "input: string", "pattern: string", "replacement: string", "flags?: string|null")
def replace(text: str, pattern: str, new: str, flags: str | None = None) -> Value:
    """The text with each occurrence of a pattern replaced (XPath, fn:replace); $1 is the first group."""
    found = compiled(pattern, flags or "")
    if found.search("") is not None:
        raise NoAnswer(f"replace: the pattern {pattern!r} matches the empty text")
    return found.sub(replacement(new, found.groups, "q" in (flags or "")), text)


@function("split", "string: string", "delimiter: string")
def split(text: str, delimiter: str) -> Value:
    """The parts between occurrences of a pattern."""
    found = compiled(delimiter, "")
    parts: list[Value] = []
    begin = 0
    for match in found.finditer(text):
        if match.end() > match.start():
            parts.append(text[begin : match.start()])
            begin = match.end()
    return [*parts, text[begin:]]


@function("string join", "list: list", "delimiter?: string|null", "prefix?: string|null", "suffix?: string|null")
def string_join(
    items: list[Value], delimiter: str | None = None, prefix: str | None = None, suffix: str | None = None
) -> Value:
    """The strings of a list in one, null left out."""
    texts: list[str] = []
    for item in items:
        if isinstance(item, str):
            texts.append(item)
        elif item is not None:
            raise NoAnswer(f"string join: an item is {kind(item)}, not string")
    return (prefix or "") + (delimiter or "").join(texts) + (suffix or "")
