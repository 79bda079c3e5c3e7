"""One lesson of one screen beside a decision, from the person's own numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import texts
from evenkeel.learning.catalogue import Entry, Moment, entries, entry_of
from evenkeel.learning.facts import Facts
from evenkeel.learning.working import WORKINGS, Worked, Write


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a figure: its label, its number as it stands beside it, and the number itself."""

    label: str
    text: str
    value: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of a few bars, to be drawn on a screen as it likes."""

    title: str
    bars: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """A source in words, and how far it was checked."""

    text: str
    mark: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """A lesson as it is shown: a title, a few lines, one figure, one thing to do, and what it rests on.

    example: its numbers are those of the catalogue, as the person's are not known. evidence: what is known of the
    effect of such a lesson. moment: null where it was asked for by its id.
    """

    id: str
    version: str
    moment: Moment | None
    language: str
    title: str
    lines: tuple[str, ...]
    figure: Figure
    todo: str
    sources: tuple[Reference, ...]
    evidence: str
    example: bool


def lesson(moment: Moment, facts: Facts, language: str) -> Lesson:
    """The lesson of a moment: the first of the catalogue whose facts are known, else its last with example numbers.

    Raises InvalidInput where the catalogue has none that is true in the person's jurisdiction.
    """
    fitting = _fitting(moment, facts.jurisdiction)
    if not fitting:
        raise InvalidInput(
            f"there is no lesson for {moment} that is true in {facts.jurisdiction}.", "Lessons rest on its rules."
        )
    chosen = next((entry for entry in fitting if facts.known(entry.needs)), fitting[-1])
    return _shown(chosen, facts, language, moment)


def teaches(moment: Moment, jurisdiction: str) -> bool:
    """Whether there is a lesson of a moment that is true in a jurisdiction."""
    return bool(_fitting(moment, jurisdiction))


def _fitting(moment: Moment, jurisdiction: str) -> list[Entry]:
    here = jurisdiction.split("-")[0]
    return [entry for entry in entries() if moment in entry.moments and entry.jurisdiction in ("", here)]


def lesson_by_id(lesson_id: str, facts: Facts, language: str) -> Lesson:
    """A lesson of the catalogue, with example numbers where the person's are not known. Raises InvalidInput."""
    return _shown(entry_of(lesson_id), facts, language, None)


def worked(entry: Entry, facts: Facts, language: str) -> tuple[Worked, bool]:
    """The numbers of a lesson in words, and whether they are the example's."""
    example = not facts.known(entry.needs)
    return WORKINGS[entry.id](entry.example if example else facts, Write(language)), example


def _shown(entry: Entry, facts: Facts, language: str, moment: Moment | None) -> Lesson:
    say = texts(language)
    found, example = worked(entry, facts, language)

    def words(key: str) -> str:
        return say.gettext(f"learn.{entry.id}.{key}").format(**found.values)

    lines = tuple(words(line) for line in found.lines)
    return Lesson(
        id=entry.id,
        version=entry.version,
        moment=moment,
        language=language,
        title=words(found.title),
        lines=(say("learn.example"), *lines) if example else lines,
        figure=Figure(words("figure"), tuple(Bar(words(f"bar.{key}"), text, value) for key, text, value in found.bars)),
        todo=words(found.todo),
        sources=tuple(Reference(source.text[language], source.mark) for source in entry.sources),
        evidence=entry.evidence[language],
        example=example,
    )


def in_words(shown: Lesson, width: int = 24) -> str:
    """A lesson as text for a terminal; its figure as bars of at most `width` characters."""
    say = texts(shown.language)
    most = max((bar.value for bar in shown.figure.bars), default=0)
    rows = [(bar.label, "#" * (round(width * bar.value / most) if most else 0), bar.text) for bar in shown.figure.bars]
    parts = [shown.title, "", *(f"  {line}" for line in shown.lines), "", f"  {shown.figure.title}"]
    parts += [f"    {label}: {text}  {bar}".rstrip() for label, bar, text in rows]
    parts += ["", f"  {say('learn.todo', todo=shown.todo)}", "", f"  {say('learn.sources')}:"]
    for source in shown.sources:
        parts.append("    " + say("learn.source", text=source.text, mark=say(f"learn.mark.{source.mark}")))
    return "\n".join([*parts, f"  {say('learn.evidence')}:", f"    {shown.evidence}"])


def listed(language: str) -> list[Mapping[str, Any]]:
    """The catalogue: id, name, version, moments, needs, sources and evidence of each lesson."""
    return [
        {
            "id": entry.id,
            "name": texts(language)(f"learn.{entry.id}.name"),
            "version": entry.version,
            "moments": list(entry.moments),
            "needs": list(entry.needs),
            "sources": [{"text": source.text[language], "mark": source.mark} for source in entry.sources],
            "evidence": entry.evidence[language],
        }
        for entry in entries()
    ]
