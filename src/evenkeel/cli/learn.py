"""`evenkeel learn`: one lesson beside a decision from somebody's own numbers, the catalogue, and stories to read."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import LANGUAGES, as_json_option, workspace_option
from evenkeel.kernel.errors import InvalidInput, InvalidUsage, NotFound
from evenkeel.kernel.text import texts
from evenkeel.learning.catalogue import MOMENTS
from evenkeel.learning.facts import Facts, read_facts
from evenkeel.learning.lesson import Lesson, in_words, lesson, lesson_by_id, listed
from evenkeel.learning.stories import Story, story, story_ids

if TYPE_CHECKING:
    from evenkeel.storage.workspace import Workspace

_MOST_BYTES = 1 << 20


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel learn                              the catalogue\n"
    "  evenkeel learn fee_rate --lang zh           one lesson, with example numbers\n"
    "  evenkeel learn day_before_bill --facts FILE the lesson of a moment, from somebody's own numbers\n"
    "  evenkeel learn plan_offered --borrower b-17 the same for a borrower on record, where it is written\n"
    "  evenkeel learn cases                        the stories\n"
    "  evenkeel learn cases phone --lang zh\n\n"
    "\b\n"
    + "FILE is a JSON object; amounts in minor units, rates as shares: "
    + '{"bill_minor": 1000000, "on": "2026-03-24"}\n'
    + "Fields: " + ", ".join(Facts.__struct_fields__)
)  # fmt: skip
@click.argument("what", metavar="[LESSON | MOMENT | cases]", required=False)
@click.argument("which", metavar="[CASE]", required=False)
@click.option(
    "--facts", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="What is known, as JSON."
)
@click.option("--lang", type=LANGUAGES, default="en", show_default=True, help="en, zh, or both with a comma.")
@click.option("--borrower", metavar="ID", help="Who is shown the lesson: a borrower on record, where it is written.")
@workspace_option
@as_json_option
@click.pass_obj
def learn(
    application: Application, /, what: str | None, which: str | None, facts: Path | None, lang: tuple[str, ...],
    borrower: str | None, workspace: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """A lesson of one screen, computed from the numbers in --facts; without LESSON, the catalogue."""
    known = Facts() if facts is None else _read(facts)
    if borrower is not None and (what in (None, "cases") or len(lang) > 1):
        raise InvalidUsage("--borrower goes with one lesson, or moment, in one language.")
    if what is None:
        return _catalogue(lang, as_json)
    if what == "cases":
        return _cases(which, lang, as_json)
    if which is not None:
        raise InvalidUsage(f"{which!r} is too many: only `cases` takes a second word.")
    if what in MOMENTS:
        found = [lesson(what, known, language) for language in lang]
    else:
        found = [lesson_by_id(what, known, language) for language in lang]
    if borrower is not None:
        return _shown(found[0], borrower, application.workspace(workspace, present.say), as_json)
    document: Mapping[str, Any] = {"lessons": [asdict(one) for one in found]}
    present.answer(document, as_json, lambda: "\n\n".join(map(in_words, found)))
    return present.DONE


def _shown(
    lesson: Lesson, borrower: str, record: Callable[[], AbstractContextManager[Workspace]], as_json: bool
) -> int:
    """A lesson to a borrower on record, unless the trial withholds it; that its moment came is booked either way."""
    from evenkeel.learning.shown import show  # the catalogue needs no database
    from evenkeel.learning.trial import LEARNING_1, arm_of

    with record() as place:
        if not place.journal.knows(borrower):
            raise NotFound(f"There is no borrower {borrower} on record.", "Leave out --borrower to see the lesson.")
        seen = show(place.journal, lesson, borrower)
    arm = arm_of(borrower, LEARNING_1)
    document = {
        "lessons": [asdict(lesson)] if seen else [], "trial": {"id": LEARNING_1.id, "arm": arm, "shown": seen}
    }  # fmt: skip
    present.answer(
        document, as_json,
        lambda: in_words(lesson) if seen else texts(lesson.language)("learn.withheld", trial=LEARNING_1.id),
    )  # fmt: skip
    return present.DONE


def _read(file: Path) -> Facts:
    try:
        if file.stat().st_size > _MOST_BYTES:
            raise InvalidInput(f"{file} is larger than 1 MB.", "Give one person's facts.")
        given = json.loads(file.read_text(encoding="utf-8"), parse_float=str)
    except OSError as error:
        raise InvalidUsage(f"{file} cannot be read: {error.strerror}.", "Check the path.") from None
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{file} is not JSON: {error}.", 'Write {"bill_minor": 1000000}.') from None
    if not isinstance(given, dict):
        raise InvalidInput(f"{file} holds no JSON object.", 'Write {"bill_minor": 1000000}.')
    return read_facts(given)


def _catalogue(lang: tuple[str, ...], as_json: bool) -> int:
    def words(language: str) -> str:
        say = texts(language)
        lines = [say("learn.list.head"), ""]
        for moment in MOMENTS:
            lines.append(f"{moment}: {say(f'learn.moment.{moment}')}")
            for one in listed(language):
                if moment in one["moments"]:
                    lines.append(f"  {one['id']:16} {one['name']}")
        return "\n".join(lines)

    document = {"lessons": {language: listed(language) for language in lang}, "cases": list(story_ids())}
    present.answer(document, as_json, lambda: "\n\n".join(map(words, lang)))
    return present.DONE


def _cases(which: str | None, lang: tuple[str, ...], as_json: bool) -> int:
    chosen = story_ids() if which is None else (which,)
    found = [(language, story(one, language)) for language in lang for one in chosen]
    document = {"cases": [{"language": language, **asdict(one)} for language, one in found]}

    def titles(language: str) -> str:
        named = [f"  {one.id:8} {one.title}" for of, one in found if of == language]
        return "\n".join([texts(language)("learn.cases.head"), "", *named])

    def words() -> str:
        return "\n\n".join(map(titles, lang) if which is None else (_told(one) for _, one in found))

    present.answer(document, as_json, words)
    return present.DONE


def _told(told: Story) -> str:
    return "\n\n".join([told.title, *told.paragraphs, in_words(told.lesson)])
