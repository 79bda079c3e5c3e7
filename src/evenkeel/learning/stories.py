"""Stories to read: short, true to life, about people who are made up, with every number computed by a lesson."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import texts
from evenkeel.learning.catalogue import entry_of
from evenkeel.learning.facts import Facts, read_facts
from evenkeel.learning.lesson import Lesson, lesson_by_id, worked


@dataclass(frozen=True, slots=True)
class Story:
    """A story in one language. paragraphs: with its numbers. lesson: what it is a case of, with the same numbers."""

    id: str
    title: str
    paragraphs: tuple[str, ...]
    lesson: Lesson


@cache
def story_ids() -> tuple[str, ...]:
    """The ids of all stories, in the order of the catalogue."""
    return tuple(_cases())


def story(story_id: str, language: str) -> Story:
    """A story. Raises InvalidInput that lists the ids."""
    if story_id not in _cases():
        raise InvalidInput(f"there is no story {story_id!r}.", f"Choose from {', '.join(story_ids())}.")
    lesson_id, facts = _cases()[story_id]
    found, _ = worked(entry_of(lesson_id), facts, language)
    say = texts(language)
    told = say.gettext(f"learn.case.{story_id}.story").format(**found.values)
    return Story(
        story_id, say(f"learn.case.{story_id}.title"), tuple(told.split("\n")), lesson_by_id(lesson_id, facts, language)
    )


@cache
def _cases() -> dict[str, tuple[str, Facts]]:
    content = tomllib.loads((files("evenkeel.learning") / "cases.toml").read_text(encoding="utf-8"))
    return {case["id"]: (case["lesson"], read_facts(case["facts"])) for case in content["case"]}
