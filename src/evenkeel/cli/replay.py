"""`evenkeel replay`: decisions again, from the record: the same bytes, or what differs and what it would change."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, workspace_option
from evenkeel.decisions.replay import Replayed, Summary, deciders_on_record, place_of, summed
from evenkeel.decisions.replay import replay as replay_decisions
from evenkeel.kernel.errors import InvalidUsage, NotFound

_RANGE = re.compile(r"([0-9]{1,18})(?:-([0-9]{1,18}))?")


@click.command(
    epilog="\b\nExamples:\n  evenkeel replay 1a03925c-06b1-c4dc-7911-59d96b516c0a\n  evenkeel replay 1-100000 --json\n"
    "  evenkeel replay 1-500 --against deciders-9b68b679256d6ccf"
)
@click.argument("which", metavar="ID|PLACE|FIRST-LAST")
@click.option("--against", metavar="DECIDERS", help="Also say what these would have decided: a version on record.")
@workspace_option
@as_json_option
@click.pass_obj
def replay(application: Application, which: str, against: str | None, workspace: Path | None, as_json: bool) -> int:
    """Decide again what was decided, from what is on record.

    WHICH is the id of a decision, its place in the order of the record, or a range of places. What is different is told
    by its cause, with what it would have changed; of a range, those that are not identical come first and at most a
    thousand are shown. Exit code 1 where one does not come out the same.
    """
    opened = application.workspace(workspace, present.say)
    with opened() as place, present.progress(as_json) as report:
        first, last = _places(which) or (place_of(place, which),) * 2
        now = deciders_on_record(place, against) if against else None
        found = summed(
            replay_decisions(place, first, last, now, lambda share: report("replay", share)),
            all_shown=first == last,
        )  # fmt: skip
    if not found.replayed:
        raise NotFound(
            f"There is no decision at {which}.",
            "Places are counted from 1 in the order of this workspace's record; `evenkeel decide` makes decisions.",
        )
    present.answer(_document(found), as_json, lambda: _told(found))
    return present.DONE if found.identical == found.replayed else present.AT_FAULT


def _document(found: Summary) -> dict[str, object]:
    return {
        "replayed": found.replayed, "identical": found.identical, "with_changes": found.with_changes,
        "causes": {what: asdict(effect) for what, effect in sorted(found.causes.items())},
        "decisions": [asdict(one) for one in found.shown], "not_shown": found.not_shown,
    }  # fmt: skip


def _told(found: Summary) -> str:
    lines = list(map(_words, found.shown))
    if found.not_shown:
        lines.append(f"... and {found.not_shown:,} more with something to say; name fewer places to see them")
    lines.append(
        f"{found.replayed:,} replayed, {found.identical:,} identical, {found.with_changes:,} with something to say"
    )
    lines += [
        f"    {what.replace('_', ' ')}: {effect.decisions:,} decisions, {effect.other_outcome:,} of them with another "
        f"outcome; {effect.amount_minor:+,} minor units in all"
        for what, effect in sorted(found.causes.items())
    ]
    return "\n".join(lines)


def _places(which: str) -> tuple[int, int] | None:
    found = _RANGE.fullmatch(which)
    if found is None:
        return None
    first, last = int(found[1]), int(found[2] or found[1])
    if first > last:
        raise InvalidUsage(f"The range {which} ends before it begins.", "Write the lower place first.")
    return first, last


def _words(one: Replayed) -> str:
    head = f"{one.place} {one.decision_id}: {one.outcome}, {'identical' if one.identical else 'NOT identical'}"
    return "\n".join([head, *(_change(change.what, change.detail, change.outcome) for change in one.changes)])


def _change(what: str, detail: str, outcome: str | None) -> str:
    return f"    {what.replace('_', ' ')}: {detail}" + (f"; would be {outcome}" if outcome else "")
