"""`evenkeel replay`: decisions again, from the record: the same bytes, or what differs and what it would change."""

from __future__ import annotations

import re
from dataclasses import asdict
from pathlib import Path

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, workspace_option
from evenkeel.decisions.replay import Replayed, deciders_on_record, place_of
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

    WHICH is the id of a decision, its place in the order of the record, or a range of places. Exit code 1 where one
    does not come out the same.
    """
    opened = application.workspace(workspace, present.say)
    with opened() as place:
        first, last = _places(which) or (place_of(place, which),) * 2
        now = deciders_on_record(place, against) if against else None
        found, shown = 0, []
        differing = changed = 0
        for one in replay_decisions(place, first, last, now):
            found += 1
            differing += not one.identical
            changed += bool(one.changes)
            if one.changes or not one.identical or first == last:
                shown.append(one)
    if not found:
        raise NotFound(f"There is no decision at {which}.", "Places are counted from 1 in the order of the record.")
    document = {
        "replayed": found, "identical": found - differing, "with_changes": changed,
        "decisions": [asdict(one) for one in shown],
    }  # fmt: skip
    summary = f"{found:,} replayed, {found - differing:,} identical, {changed:,} with something to say"
    present.answer(document, as_json, lambda: "\n".join([*map(_words, shown), summary]))
    return present.AT_FAULT if differing else present.DONE


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
