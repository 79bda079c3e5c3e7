"""A text as features: letters, words, sounds and notions.

Four blocks, so that a slip in one leaves the others: `c` pieces of 1 to 5 letters or characters; `w` words, pairs and
triples of words; `p` syllables of pinyin, from characters and from pinyin alike, so that a character of the same
sound and a text in Latin letters look like the word that was meant; `n` notions (`concepts.toml`) and which comes
before which.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from evenkeel.arrears.conversation.amounts import find_amounts
from evenkeel.arrears.conversation.days import find_days
from evenkeel.arrears.messages.normal import sounds

BLOCKS = ("c", "w", "p", "n")
MOST_LETTERS = 2000  # of a text that are read
_SOME_DAY = date(2026, 6, 10)  # whether a text names a day hardly depends on today
_PACKAGE = "evenkeel.arrears.conversation"
_HAN = re.compile(r"[\u3400-\u9fff]")
_BETWEEN_HAN = re.compile(r"(?<=[\u3400-\u9fff])[\s.·*。,，!！~_\-/|]+(?=[\u3400-\u9fff])")
_SPREAD = re.compile(r"\b(?:[a-z][\s.\-_*]){2,}[a-z]\b")
_REPEATED = re.compile(r"([^\W\d_])\1{2,}")
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)*|[0-9]+|[\u3400-\u9fff]|[^\sa-z0-9\u3400-\u9fff]")
_RUN = re.compile(r"[\u3400-\u9fff]+")
_LATIN = re.compile(r"[a-z]+(?:'[a-z]+)*")
_DIGITS = re.compile(r"[0-9]+(?:[.,][0-9]+)*")


@dataclass(frozen=True, slots=True)
class Notions:
    """The notions of `concepts.toml`, and the spellings of `spelling.toml`."""

    patterns: Mapping[str, re.Pattern[str]]
    spellings: Mapping[str, str]


@cache
def notions() -> Notions:
    """The shipped notions and spellings."""
    folder = files(_PACKAGE)
    said = tomllib.loads((folder / "concepts.toml").read_text(encoding="utf-8"))
    patterns = {name: re.compile(f"(?:{both['en']}|{both['zh']})") for name, both in said.items()}
    spelled = tomllib.loads((folder / "spelling.toml").read_text(encoding="utf-8"))
    return Notions(patterns, spelled["words"])


def folded(text: str) -> str:
    """A text in small letters, simplified characters and plain digits, without what only hides words.

    Spaces and points between characters go, letters spread over a line are put together, a letter repeated three times
    or more stands twice. At most MOST_LETTERS of it.
    """
    plain = text[:MOST_LETTERS].translate(sounds().fold).replace("\x00", "")
    plain = _SPREAD.sub(lambda found: re.sub(r"[^a-z]", "", found[0]), plain)
    return _REPEATED.sub(r"\1\1", re.sub(r"\s+", " ", plain)).strip()


def is_chinese(text: str) -> bool:
    """Whether a text is in Chinese: more than a stray character, or pinyin from end to end."""
    plain = folded(text)
    han = len(_HAN.findall(plain))
    return (han > 0 and 3 * han >= len(_LATIN.findall(plain))) or _is_pinyin(plain)


def _is_pinyin(plain: str) -> bool:
    tokens = _LATIN.findall(plain)
    spelled = [token for token in tokens if syllables_of(token)]
    count = sum(len(syllables_of(token)) for token in spelled)
    return count >= 2 and len(spelled) >= 0.7 * len(tokens) and not set(tokens) <= _ENGLISH_TOO


# Syllables that are English words as well; a text of these alone is English.
_WORDS_TOO = """ a an he me no we so can man men sang song long ran fan pan pen ten ban dan hang gang bang bin pin sin
tan wan den fen hen ken ding ping ring sing wing fu hi ha lie pie die tie you ma pa mi yi ai nun run gun sun fun shun
chi she woman into bye ye yo to do go ok k lang ling ting b c d e i o u y n m s t """
_ENGLISH_TOO = frozenset(_WORDS_TOO.split())


@cache
def _syllable_lengths() -> frozenset[str]:
    return frozenset(name for name in sounds().syllables if name.isalpha())


def syllables_of(token: str) -> list[str]:
    """The fewest syllables of pinyin that make up a token of Latin letters; none where it is not pinyin."""
    if not 1 <= len(token) <= 40:
        return []
    known = _syllable_lengths()
    best: list[list[str] | None] = [[], *([None] * len(token))]
    for end in range(1, len(token) + 1):
        for start in range(max(0, end - 6), end):
            before, piece = best[start], token[start:end]
            if before is not None and piece in known and (best[end] is None or len(before) + 1 < len(best[end] or [])):
                best[end] = [*before, piece]
    return best[-1] or []


def features(text: str) -> dict[str, list[str]]:
    """The features of a text by block, each once, in an order that depends on the text alone."""
    plain = folded(text)
    close = _BETWEEN_HAN.sub("", plain)
    pinyin = _is_pinyin(plain)
    spelled = close if pinyin else _spelled(close)
    masked = _DIGITS.sub("0", spelled)
    words = _WORD.findall(masked)
    found = {
        "c": _pieces(masked), "w": _word_groups(words), "p": _sounds(close, pinyin), "n": _notions(spelled),
    }  # fmt: skip
    return {block: list(dict.fromkeys(found[block])) for block in BLOCKS}


def _spelled(plain: str) -> str:
    spellings = notions().spellings
    return re.sub(r"[a-z0-9']+", lambda found: spellings.get(found[0], found[0]), plain)


def _pieces(masked: str) -> list[str]:
    found = []
    for word in _LATIN.findall(masked):
        edged = f"<{word}>"
        found += [edged[at : at + size] for size in (3, 4, 5) for at in range(len(edged) - size + 1)]
    for run in _RUN.findall(masked):
        edged = f"<{run}>"
        found += [edged[at : at + size] for size in (1, 2, 3, 4) for at in range(len(edged) - size + 1)]
    return found


def _word_groups(words: list[str]) -> list[str]:
    kept = [word for word in words if not _HAN.fullmatch(word)]
    found = list(kept)
    found += [f"{one} {two}" for one, two in zip(["<", *kept], [*kept, ">"], strict=True)]
    found += [" ".join(kept[at : at + 3]) for at in range(len(kept) - 2)]
    found += [f"{one} _ {two}" for one, two in zip(kept, kept[2:], strict=False)]
    found.append(f"#{min(len(words), 24).bit_length()}")
    return found


def _sounds(close: str, pinyin: bool) -> list[str]:
    tables = sounds()
    names = _names()
    runs: list[list[str]] = [[]]
    for token in re.findall(r"[\u3400-\u9fff]|[a-z]+|[^\u3400-\u9fffa-z\s]", close):
        if _HAN.fullmatch(token):
            number = tables.syllable.get(token)
            runs[-1].append(token if number is None else names[number])
        elif token.isalpha() and pinyin:
            runs[-1] += syllables_of(token) or ["?"]
        else:
            runs.append([])
    found = []
    for run in runs:
        found += [" ".join(run[at : at + size]) for size in (1, 2, 3) for at in range(len(run) - size + 1)]
    return found


@cache
def _names() -> Mapping[int, str]:
    return {number: name for name, number in sounds().syllables.items()}


def _notions(spelled: str) -> list[str]:
    places = []
    for name, pattern in notions().patterns.items():
        if (match := pattern.search(spelled)) is not None:
            places.append((match.start(), name))
    days = find_days(spelled, _SOME_DAY)
    amounts = find_amounts(spelled, [(day.start, day.end) for day in days])
    places += [(day.start, "a day") for day in days[:1]] + [(one.start, "an amount") for one in amounts[:1]]
    order = [name for _, name in sorted(places)]
    found = list(order)
    found += [f"{one}>{two}" for at, one in enumerate(order) for two in order[at + 1 :]]
    return found or ["-"]
