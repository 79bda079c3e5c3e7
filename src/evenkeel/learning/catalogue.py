"""The catalogue of lessons as data: which moment, which facts, which evidence, which sources."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import LANGUAGES, catalogue
from evenkeel.learning.facts import Facts, read_facts

Moment = Literal[
    "at_purchase", "day_before_bill", "first_missed", "plan_offered", "called_by_collector", "offered_repair"
]
MOMENTS: tuple[Moment, ...] = get_args(Moment)
MARKS = ("law", "secondary", "memory", "arithmetic", "policy")

Said = Mapping[str, str]  # by language


@dataclass(frozen=True, slots=True)
class Source:
    """What a content rests on. mark: how far that was checked, one of MARKS."""

    mark: str
    text: Said


@dataclass(frozen=True, slots=True)
class Entry:
    """A lesson of the catalogue.

    jurisdiction: where alone it is true, "" for anywhere. needs: facts without which it has no numbers of the person's
    own. example: numbers that stand in. version: a hash of all that it says: a better sentence is another version.
    """

    id: str
    jurisdiction: str
    moments: tuple[Moment, ...]
    needs: tuple[str, ...]
    evidence: Said
    sources: tuple[Source, ...]
    example: Facts
    version: str


@cache
def entries() -> tuple[Entry, ...]:
    """All lessons, in the order in which a moment looks for one. Raises InvalidInput if the catalogue is not whole."""
    content = tomllib.loads((files("evenkeel.learning") / "lessons.toml").read_text(encoding="utf-8"))
    found = tuple(_entry(raw, content["evidence"]) for raw in content["lesson"])
    if len({entry.id for entry in found}) < len(found):
        raise InvalidInput("two lessons of the catalogue have one id.")
    return found


def entry_of(lesson_id: str) -> Entry:
    """A lesson by its id. Raises InvalidInput that lists the ids."""
    for entry in entries():
        if entry.id == lesson_id:
            return entry
    raise InvalidInput(f"there is no lesson {lesson_id!r}.", f"Choose from {', '.join(one.id for one in entries())}.")


def _entry(raw: Mapping[str, Any], evidence: Mapping[str, Said]) -> Entry:
    name = raw.get("id", "?")
    sources = tuple(
        Source(source["mark"], {language: source[language] for language in LANGUAGES}) for source in raw["sources"]
    )
    moments, needs = tuple(raw["moments"]), tuple(raw["needs"])
    wrong = (set(moments) - set(MOMENTS)) | ({source.mark for source in sources} - set(MARKS))
    wrong |= set(needs) - set(Facts.__struct_fields__)
    if wrong or not sources or not moments:
        raise InvalidInput(f"lesson {name}: {', '.join(sorted(wrong)) or 'sources or moments'} cannot be right.")
    return Entry(
        name,
        raw.get("jurisdiction", ""),
        moments,
        needs,
        evidence[raw["evidence"]],
        sources,
        read_facts(raw.get("example", {})),
        _version(raw),
    )


def _version(raw: Mapping[str, Any]) -> str:
    said = [
        f"{language}\x1f{key}\x1f{text}"
        for language in LANGUAGES
        for key, text in sorted(catalogue(language).items())
        if key.startswith(f"learn.{raw['id']}.")
    ]
    return hashlib.sha256("\x1e".join([repr(sorted(raw.items())), *said]).encode()).hexdigest()[:12]
