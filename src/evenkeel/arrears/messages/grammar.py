"""The phrases in `phrases/*.toml` as a grammar: concepts, patterns over them, and what takes the harm out of a pattern.

A concept is a name for phrases that mean the same. A pattern names concepts that, near each other in one sentence, say
something that may not be said. A stance is what a sentence does with such words other than to say them: it denies them,
forbids them, warns of them, repeats what somebody said, teaches. `README.md` tells how the files are written.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from itertools import product
from pathlib import Path
from typing import Any

from evenkeel.arrears.messages.normal import Key, Sounds, Words, sounds, words_of
from evenkeel.kernel.errors import InvalidInput

CATEGORIES = (
    "threat", "shame", "impersonation", "third_party", "false_legal", "hidden_fee", "pressure_to_borrow", "harassment",
)  # fmt: skip
LANGUAGES = ("en", "zh")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase of a concept. text: its Chinese characters. exact: whether characters that sound alike do not count."""

    concept: int
    text: str
    exact: bool


@dataclass(frozen=True, slots=True)
class Shape:
    """Concepts near each other. ordered: whether each stands after the one before it in the file.

    head: place in `concepts` of the one that does the harm; a denial must stand before it.
    """

    concepts: tuple[int, ...]
    ordered: bool
    within: int
    head: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """Something that may not be said: its shapes, its rule, and what to say in its place."""

    id: str
    category: str
    rule: str
    better: str
    language: str
    shape: Shape
    stances: tuple[str, ...]
    certain: bool


@dataclass(frozen=True, slots=True)
class Stance:
    """What a sentence does with harmful words that takes the harm out of them. One of three kinds:

    before: `concept` stands at most `reach` units before the harm, not inside a phrase of `voided_by` and with none of
    `stops` between; `inside`: or within the words of the pattern, behind the harm.
    clause, sentence: `concept` stands anywhere in the clause or sentence of the harm, on the `side` asked for
    ("before", "after" or ""), at most `reach` units away, with none of `stops` between; and nothing there, outside of
    quotation marks, is one of `voided_by`.
    shape: in the same way, concepts near each other anywhere in the sentence.

    quoted: only words in quotation marks are meant. categories: it holds for all patterns of these, named or not.
    """

    name: str
    language: str
    kind: str
    concept: int | None
    reach: int
    stops: int | None
    voided_by: int | None
    inside: bool
    side: str
    quoted: bool
    categories: tuple[str, ...]
    shapes: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class ByLikeness:
    """What holds in a language for a sentence's likeness.

    least: the chance of being bad from which a sentence is found by likeness alone. pardon: the chance below which the
    words of a pattern are let through. rules, better: by category.
    """

    least: float
    pardon: float
    rules: Mapping[str, str]
    better: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Grammar:
    """Everything that a text is held against.

    trie: keys of units -> node; under None, the phrases that end there. by_head: concept -> patterns whose harm it is.
    stances: language.name -> stance. innocent: concepts whose phrases cover whatever else is found inside them.
    by_likeness: language -> what holds for a sentence's likeness. outright: language -> the concept that tells that
    harm is said outright, to the reader; then no stance counts that another clause takes.
    """

    trie: Mapping[Key | None, Any]
    words: Words
    by_head: Mapping[int, tuple[Pattern, ...]]
    stances: Mapping[str, Stance]
    innocent: frozenset[int]
    concepts: Mapping[str, int]
    by_likeness: Mapping[str, ByLikeness]
    outright: Mapping[str, int]


def load_grammar(folder: Path | None = None) -> Grammar:
    """The grammar of a folder with `en.toml` and `zh.toml`; without one, of the files shipped.

    Raises InvalidInput that names the file and the entry at fault.
    """
    return _shipped() if folder is None else _load(folder)


@cache
def _shipped() -> Grammar:
    return _load(files("evenkeel.arrears.messages") / "phrases")


def _load(folder: Traversable | Path) -> Grammar:
    build = _Build(sounds())
    for language in LANGUAGES:
        source = folder / f"{language}.toml"
        try:
            document = tomllib.loads(source.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise InvalidInput(f"{source} cannot be read: {str(error).splitlines()[0]}.", "Is it TOML?") from None
        build.add(language, document)
    return build.grammar()


class _Build:
    """Reads the files one after the other."""

    def __init__(self, tables: Sounds) -> None:
        self._tables = tables
        self._trie: dict[Key | None, Any] = {}
        self._concepts: dict[str, int] = {}
        self._patterns: list[Pattern] = []
        self._stances: dict[str, Stance] = {}
        self._innocent: set[int] = set()
        self._exact: set[int] = set()  # what takes harm away is taken as it is written
        self._likeness: dict[str, ByLikeness] = {}
        self._outright: dict[str, int] = {}
        self._known: set[str] = set()
        self._masked: list[str] = []
        self._phrases: list[tuple[int, str]] = []

    def add(self, language: str, document: Mapping[str, Any]) -> None:
        concepts: Mapping[str, str] = document.get("concepts", {})
        for name in concepts:
            self._concepts[f"{language}.{name}"] = len(self._concepts)
        for name in concepts:
            for phrase in self._spelled(language, name, concepts, ()):
                self._phrases.append((self._concepts[f"{language}.{name}"], phrase))
        self._innocent |= {self._concepts[f"{language}.{name}"] for name in document.get("innocent", ())}
        self._known |= set(document.get("known_words", "").split())
        self._masked += document.get("masked_words", "").split()
        if "outright" in document:
            name = f"{language}.{document['outright']}"
            if name not in self._concepts:
                raise InvalidInput(f"phrases/{language}.toml: outright names no concept.", "Name one of the file.")
            self._outright[language] = self._concepts[name]
        for name, entry in document.get("stances", {}).items():
            self._stances[f"{language}.{name}"] = self._stance(language, name, entry)
        better = document.get("better", {})
        like = document.get("likeness", {})
        self._likeness[language] = ByLikeness(
            float(like.get("least", 1.0)), float(like.get("pardon", 0.0)), like.get("rules", {}), better
        )
        for entry in document.get("pattern", ()):
            self._add_pattern(language, entry, better)

    def _spelled(self, language: str, name: str, concepts: Mapping[str, str], seen: tuple[str, ...]) -> Iterator[str]:
        """The phrases of a concept, those of concepts that it names (`@other`) included."""
        if name in seen or name not in concepts:
            raise InvalidInput(
                f"phrases/{language}.toml: there is no concept {name!r} to take in.", "Name one of the file."
            )
        parts = concepts[name].split("," if language == "en" else None)
        for part in (one.strip() for one in parts):
            if part.startswith("@"):
                yield from self._spelled(language, part[1:], concepts, (*seen, name))
            elif part:
                yield from _alternatives(" ".join(part.split()))

    def _add_pattern(self, language: str, entry: Mapping[str, Any], better: Mapping[str, str]) -> None:
        name, category = entry.get("id"), entry.get("category")
        where = f"phrases/{language}.toml, pattern {name!r}"
        if category not in CATEGORIES:
            raise InvalidInput(f"{where}: category is {category!r}.", f"Choose from {', '.join(CATEGORIES)}.")
        named = [f"{language}.{one}" for one in entry.get("unless", ())]
        for unknown in set(named) - set(self._stances):
            raise InvalidInput(f"{where}: there is no stance {unknown!r}.", "Define it under [stances].")
        named += [
            key for key, one in self._stances.items()
            if one.language == language and category in one.categories and key not in named
        ]  # fmt: skip
        for line in entry["match"]:
            shape = self._shape(language, line, int(entry.get("within", 12 if language == "zh" else 8)), where)
            self._patterns.append(
                Pattern(
                    f"{language}.{name}",
                    category,
                    entry["rule"],
                    entry.get("better") or better[category],
                    language,
                    shape,
                    tuple(named),
                    bool(entry.get("certain", False)),
                )
            )

    def _shape(self, language: str, line: str, within: int, where: str) -> Shape:
        """`a + b` in any order, `a > b` in that order; `*` marks the harm, otherwise the first; `/9` bounds the gap."""
        line, _, gap = line.partition("/")
        ordered = ">" in line
        names = [one.strip() for one in line.replace(">", "+").split("+")]
        head = next((place for place, one in enumerate(names) if one.endswith("*")), 0)
        for unknown in [one for one in names if f"{language}.{one.rstrip('*')}" not in self._concepts]:
            raise InvalidInput(f"{where}: there is no concept {unknown!r}.", "Define it under [concepts].")
        concepts = tuple(self._concepts[f"{language}.{one.rstrip('*')}"] for one in names)
        return Shape(concepts, ordered, int(gap) if gap else within, head)

    def _stance(self, language: str, name: str, entry: Mapping[str, Any]) -> Stance:
        where = f"phrases/{language}.toml, stance {name!r}"

        def named(key: str) -> int | None:
            if key in entry and f"{language}.{entry[key]}" not in self._concepts:
                raise InvalidInput(f"{where}: there is no concept {entry[key]!r}.", "Define it under [concepts].")
            return self._concepts[f"{language}.{entry[key]}"] if key in entry else None

        kind = entry.get("scope", "before" if "concept" in entry else "shape")
        if kind not in ("before", "clause", "sentence", "shape"):
            raise InvalidInput(f"{where}: scope is {kind!r}.", "Choose from clause, sentence, or leave it out.")
        categories = CATEGORIES if entry.get("holds_for") == "all" else tuple(entry.get("holds_for", ()))
        if unknown := set(categories) - set(CATEGORIES):
            raise InvalidInput(f"{where}: holds_for names {sorted(unknown)}.", f"Choose from {', '.join(CATEGORIES)}.")
        return Stance(
            name=f"{language}.{name}",
            language=language,
            kind=kind,
            concept=named("concept"),
            reach=int(entry.get("reach", 0 if kind == "before" else 400)),
            stops=named("stops"),
            voided_by=named("voided_by"),
            inside=bool(entry.get("inside", False)),
            side=entry.get("side", ""),
            quoted=bool(entry.get("quoted", False)),
            categories=categories,
            shapes=tuple(
                self._shape(language, line, int(entry.get("within", 30)), where) for line in entry.get("match", ())
            ),
        )

    def grammar(self) -> Grammar:
        for stance in self._stances.values():
            named = {one for one in (stance.concept, stance.stops, stance.voided_by) if one is not None}
            self._exact |= named | {one for shape in stance.shapes for one in shape.concepts}
        self._exact |= self._innocent | set(self._outright.values())
        spelled = [(concept, text, self._keys(text)) for concept, text in self._phrases]
        words = Words.of(
            (key for _, _, keys in spelled for key in keys if isinstance(key, str)), self._known, self._masked
        )
        for concept, text, keys in spelled:
            self._plant(concept, text, [words.forms.get(key, key) if isinstance(key, str) else key for key in keys])
        by_head: dict[int, list[Pattern]] = {}
        for pattern in self._patterns:
            by_head.setdefault(pattern.shape.concepts[pattern.shape.head], []).append(pattern)
        return Grammar(
            self._trie, words, {head: tuple(some) for head, some in by_head.items()}, self._stances,
            frozenset(self._innocent), self._concepts, self._likeness, self._outright,
        )  # fmt: skip

    def _keys(self, text: str) -> list[Key]:
        keys: list[Key] = []
        run = ""
        for character in text + " ":
            if character == " " or _is_han(character):
                keys += words_of(run)
                run = ""
                if character != " ":
                    keys.append(self._tables.key(character))
            else:
                run += character
        return keys

    def _plant(self, concept: int, text: str, keys: Sequence[Key]) -> None:
        if keys:
            node = self._trie
            for key in keys:
                node = node.setdefault(key, {})
            han = "".join(one for one in text if _is_han(one))
            node.setdefault(None, []).append(Phrase(concept, han, concept in self._exact))


def _is_han(character: str) -> bool:
    return "\u3400" <= character <= "\u9fff"


def _alternatives(phrase: str) -> Iterator[str]:
    """`take/took you to court/jail` -> four phrases."""
    choices = [word.split("/") for word in phrase.split(" ")]
    for some in product(*choices):
        yield " ".join(word for word in some if word)
