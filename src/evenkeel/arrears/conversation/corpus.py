"""The phrases that the model learns from: readable files by language and intent, and the variants made of them.

`phrases/LANGUAGE/INTENT.toml` holds phrases line by line, those of hardship by cause. `phrases/LANGUAGE.toml` holds
what stands in the places `{day}`, `{amount}`, `{name}`, and what people say before and after. Variants are drawn with
a seed from the phrase itself, so that one more phrase changes no other: fillings, a beginning, an end, an aside,
slips of the fingers, characters of the same sound, traditional characters, pinyin.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from random import Random
from typing import Literal, get_args

from evenkeel.arrears.messages.normal import sounds
from evenkeel.kernel.errors import InvalidInput

Intent = Literal[
    "promise_to_pay",
    "hardship",
    "dispute",
    "wrong_person",
    "stop_contact",
    "representative",
    "vulnerable",
    "abusive",
    "wants_person",
    "other",
]
Cause = Literal["job_loss", "illness", "income_drop", "family", "disaster", "business", "other"]
INTENTS: tuple[Intent, ...] = get_args(Intent)
CAUSES: tuple[Cause, ...] = get_args(Cause)
LANGUAGES = ("en", "zh")
_PACKAGE = "evenkeel.arrears.conversation"
_PLACES = ("day", "amount", "name")
_PLACE = re.compile(r"\{(day|amount|name)\}")
_DATA = ("concepts.toml", "spelling.toml")  # what the features are read with


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase as it is written in its file. cause: of a hardship, else None."""

    text: str
    language: str
    intent: Intent
    cause: Cause | None


@dataclass(frozen=True, slots=True)
class Phrases:
    """All phrases, and by language the words for their places and what stands around them. digest: of all files."""

    phrases: tuple[Phrase, ...]
    words: Mapping[str, Mapping[str, tuple[str, ...]]]
    digest: str


@cache
def shipped() -> Phrases:
    """The phrases that the project ships."""
    return read_phrases(files(_PACKAGE))


def read_phrases(folder: Traversable) -> Phrases:
    """Phrases of a folder that holds `phrases/` and the notions. Raises InvalidInput where a file cannot be used."""
    digest = hashlib.sha256()
    for name in _DATA:
        digest.update((folder / name).read_bytes())
    found: list[Phrase] = []
    words = {}
    for language in LANGUAGES:
        around = _table(folder / "phrases" / f"{language}.toml", digest)
        words[language] = {name: _lines(around.get(name, "")) for name in (*_PLACES, "opening", "closing", "aside")}
        for intent in INTENTS:
            for heading, lines in _table(folder / "phrases" / language / f"{intent}.toml", digest).items():
                cause = _cause(heading) if intent == "hardship" else None
                found += [Phrase(line, language, intent, cause) for line in _lines(lines)]
    return Phrases(tuple(dict.fromkeys(found)), words, digest.hexdigest())


def _table(file: Traversable, digest: hashlib._Hash) -> dict[str, object]:
    content = file.read_bytes()
    digest.update(content)
    try:
        return tomllib.loads(content.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file.name} is not TOML: {error}.", "Put the phrases between ''' and '''.") from None


def _cause(heading: str) -> Cause:
    for cause in CAUSES:
        if cause == heading:
            return cause
    raise InvalidInput(f"hardship.toml: {heading} is no cause.", f"Use one of {', '.join(CAUSES)}.")


def _lines(text: object) -> tuple[str, ...]:
    return tuple(line.strip() for line in str(text).splitlines() if line.strip())


def filled(phrase: Phrase, words: Mapping[str, Sequence[str]], draw: Random) -> str:
    """The phrase with words in its places."""
    return _PLACE.sub(lambda place: draw.choice(words[place[1]]), phrase.text)


def variants(phrase: Phrase, words: Mapping[str, Sequence[str]], count: int) -> Iterator[str]:
    """So many texts made of a phrase, the first as it stands. The same phrase gives the same texts."""
    draw = Random(f"{phrase.language} {phrase.intent} {phrase.text}")  # noqa: S311 - not for secrets
    yield filled(phrase, words, draw)
    for _ in range(count - 1):
        text = filled(phrase, words, draw)
        change = _CHINESE if phrase.language == "zh" else _ENGLISH
        for _ in range(draw.choice((1, 1, 2))):
            text = draw.choice(change)(text, words, draw)
        yield text


def _around(text: str, words: Mapping[str, Sequence[str]], draw: Random) -> str:
    kind = draw.choice(("opening", "closing", "aside", "both"))
    han = _has_han(text)
    gap = "" if han else " "
    if kind in ("opening", "both"):
        text = f"{draw.choice(words['opening'])}{draw.choice(('', '，', ' ')) if han else gap}{text}"
    if kind in ("closing", "both"):
        text = f"{text}{gap}{draw.choice(words['closing'])}"
    if kind == "aside":
        text = f"{draw.choice(words['aside'])}{gap}{text}"
    return text


def _slip(text: str, words: Mapping[str, Sequence[str]], draw: Random) -> str:
    """A letter left out, doubled, or changed with its neighbour, in a word of four letters or more."""
    places = list(re.finditer(r"[A-Za-z]{4,}", text))
    if not places:
        return text
    word = draw.choice(places)
    at = draw.randrange(word.start() + 1, word.end() - 1)
    cut = draw.choice(("", text[at] * 2, text[at + 1] + text[at]))
    return text[:at] + cut + text[at + (2 if len(cut) == 2 and cut[0] != cut[1] else 1) :]


def _hurried(text: str, words: Mapping[str, Sequence[str]], draw: Random) -> str:
    """Without apostrophes and points, in one case."""
    text = re.sub(r"['.,!?]", "", text)
    return text.lower() if draw.random() < 0.8 else text.upper()


def _same_sound(text: str, words: Mapping[str, Sequence[str]], draw: Random) -> str:
    """One character as another of the same sound."""
    places = [at for at, one in enumerate(text) if one in sounds().syllable]
    if not places:
        return text
    at = draw.choice(places)
    return text[:at] + draw.choice(_sounding(sounds().syllable[text[at]])) + text[at + 1 :]


@cache
def _sounding(number: int) -> tuple[str, ...]:
    return tuple(sorted(one for one, syllable in sounds().syllable.items() if syllable == number))


def _traditional(text: str, words: Mapping[str, Sequence[str]], draw: Random) -> str:
    return text.translate(_complex())


@cache
def _complex() -> Mapping[int, str]:
    return {ord(simple): old for old, simple in sorted(sounds().simplified.items(), reverse=True)}


def _pinyin(text: str, words: Mapping[str, Sequence[str]], draw: Random) -> str:
    """The text in Latin letters, in syllables or in one, with or without a mark between."""
    names = {number: name for name, number in sounds().syllables.items()}
    gap = draw.choice((" ", " ", ""))
    parts = [names[sounds().syllable[one]] + gap if one in sounds().syllable else one for one in text]
    return "".join(parts).strip()


def _apart(text: str, words: Mapping[str, Sequence[str]], draw: Random) -> str:
    return draw.choice((" ", " ", ".", "。")).join(text)


def _has_han(text: str) -> bool:
    return any("\u3400" <= one <= "\u9fff" for one in text)


_ENGLISH = (_around, _around, _around, _slip, _slip, _hurried)
_CHINESE = (_around, _around, _around, _same_sound, _same_sound, _traditional, _pinyin, _apart)
