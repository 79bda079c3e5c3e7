"""Kinds of words: what a word is about, so that a sentence of new words is known by the company they keep.

`kinds/en.txt` and `kinds/zh.txt` give each kind and its words. English words are compared by their stems; of Chinese
words the longest that begins at a character counts. "#" is a number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files

_ENDINGS = ("ingly", "edly", "ing", "ed", "es", "ly", "s")
_LEAST_STEM = 3


@dataclass(frozen=True, slots=True)
class Kinds:
    """names: of the kinds, sorted. words: a stem or a Chinese word -> places of its kinds in `names`. longest: of the
    Chinese words that begin with a character, their most characters.
    """

    names: tuple[str, ...]
    words: Mapping[str, tuple[int, ...]]
    longest: Mapping[str, int]


@lru_cache(maxsize=1 << 16)
def stem(word: str) -> str:
    """A word without the commonest endings of English."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _LEAST_STEM:
            return word[: -len(ending)]
    return word


@cache
def kinds(language: str) -> Kinds:
    """The kinds of a language shipped in `kinds/`."""
    text = (files("evenkeel.arrears.messages") / "kinds" / f"{language}.txt").read_text(encoding="utf-8")
    found: dict[str, dict[str, None]] = {}
    names = []
    for line in text.split("\n"):
        if line and not line.startswith("#"):
            name, _, words = line.partition(": ")
            names.append(name)
            for word in words.split():
                found.setdefault(stem(word) if language == "en" else word, {})[name] = None
    places = {name: place for place, name in enumerate(sorted(set(names)))}
    longest: dict[str, int] = {}
    for word in found:
        longest[word[0]] = max(longest.get(word[0], 0), len(word))
    return Kinds(tuple(places), {word: tuple(places[one] for one in some) for word, some in found.items()}, longest)


def kinds_in(surfaces: Sequence[str], language: str) -> list[tuple[int, int, int]]:
    """The kinds of words in a sentence, in its order: place of the kind, and the units it spans.

    surfaces: the units of the sentence (normal.Units).
    """
    book = kinds(language)
    words = ["#" if one.isdigit() else one for one in surfaces]
    if language == "en":
        return [(kind, place, place + 1) for place, word in enumerate(words) for kind in book.words.get(stem(word), ())]
    line = "".join(word if len(word) == 1 else " " for word in words)
    found: list[tuple[int, int, int]] = []
    for place, character in enumerate(line):
        for size in range(min(book.longest.get(character, 0), len(line) - place), 0, -1):
            some = book.words.get(line[place : place + size])
            if some is not None:
                found += ((kind, place, place + size) for kind in some)
                break
    return found
