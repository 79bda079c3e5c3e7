"""Regular expressions of XPath 3.1 (as FEEL has them) in terms of Python's."""

from __future__ import annotations

import re
from functools import lru_cache

from evenkeel.policy.feel.functions.registry import NoAnswer

_FLAGS = {"s": re.DOTALL, "m": re.MULTILINE, "i": re.IGNORECASE}
_LONGEST = 2_000
_REPLACEMENT = re.compile(r"\\(.?)|\$([0-9]*)", re.DOTALL)
# Python writes these otherwise or not at all; a class that cannot be said is refused, never guessed.
_NOT_PYTHON = re.compile(r"\\(?:\\|([pPiIcCX]))|(\[[^\]\\]*-\[)|(\(\?(?!:))|([*+?}]\+)", re.DOTALL)

_STEPS = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]|\(|(\))([*+]|\{[0-9]+,\})?|[*+]|\{[0-9]+,\}", re.DOTALL)


@lru_cache(maxsize=1_000)
def compiled(pattern: str, flags: str) -> re.Pattern[str]:
    """A pattern. flags: s, m, i, x, q. Raises NoAnswer where it is not one, or uses what is not supported."""
    if set(flags) - set("smixq"):
        raise NoAnswer(f"the flags {flags!r} are none of s, m, i, x, q")
    if len(pattern) > _LONGEST:
        raise NoAnswer(f"a pattern has at most {_LONGEST} characters")
    number = sum(value for flag, value in _FLAGS.items() if flag in flags)
    if "q" in flags:
        return re.compile(re.escape(pattern), number)
    if "x" in flags:
        pattern = re.sub(r"(\[[^\]]*\])|\s+", lambda match: match[1] or "", pattern)
    for match in _NOT_PYTHON.finditer(pattern):
        if any(match.groups()):
            raise NoAnswer(f"the pattern {pattern!r} uses {match[0]!r}, which is not supported")
    if _is_costly(pattern):
        raise NoAnswer(f"the pattern {pattern!r} repeats what repeats, which may take for ever; write it flat")
    try:
        return re.compile(_anchored(pattern, "m" in flags), number)
    except (re.error, OverflowError, RecursionError):
        raise NoAnswer(f"{pattern!r} is no regular expression") from None


def _is_costly(pattern: str) -> bool:
    """Whether a group that repeats without end holds a part that does, as in `(a+)+`: exponential in the text."""
    repeats = [False]
    for match in _STEPS.finditer(pattern):
        step = match[0]
        if step == "(":
            repeats.append(False)
        elif match[1] and len(repeats) > 1:
            inside = repeats.pop()
            if inside and match[2]:
                return True
            repeats[-1] = repeats[-1] or inside or bool(match[2])
        elif step in ("*", "+") or step.startswith("{"):
            repeats[-1] = True
    return False


def _anchored(pattern: str, lines: bool) -> str:
    """`$` is the end alone, not before a last line break as in Python."""
    if lines:
        return pattern
    return re.sub(
        r"\\.|\[(?:\\.|[^\]\\])*\]|\$", lambda match: r"\Z" if match[0] == "$" else match[0], pattern, flags=re.DOTALL
    )


def replacement(text: str, groups: int, literal: bool) -> str:
    """A replacement text as Python takes it. Raises NoAnswer on a lone `$` or an unknown escape."""
    if literal:
        return text.replace("\\", r"\\")

    def part(match: re.Match[str]) -> str:
        escaped, group = match[1], match[2]
        if group is not None:
            if not group:
                raise NoAnswer("replace: `$` is followed by the number of a group, or written \\$")
            while len(group) > 1 and int(group) > groups:
                group, rest = group[:-1], group[-1:]
                return f"\\g<{group}>{rest}" if int(group) <= groups else rest
            return f"\\g<{group}>" if int(group) <= groups else ""
        if escaped not in ("\\", "$"):
            raise NoAnswer("replace: a backslash is written \\\\")
        return r"\\" if escaped == "\\" else "$"

    return _REPLACEMENT.sub(part, text)
