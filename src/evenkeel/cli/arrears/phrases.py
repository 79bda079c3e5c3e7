"""`evenkeel arrears phrases`: the phrases that the understanding of borrowers was learned from, and how well it
does."""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import Any

import click

from evenkeel.arrears.conversation.corpus import shipped
from evenkeel.arrears.conversation.judging import Judged, Labelled, judge
from evenkeel.arrears.conversation.points import Points, read_points, shipped_points, write_points
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import AS_OF, as_json_option, lang_option
from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import Texts, texts

_BAR = 24


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel arrears phrases\n"
    "  evenkeel arrears phrases --test sentences.tsv --json\n"
    "  evenkeel arrears phrases --train --out points.npz\n"
)
@click.option(
    "--test",
    "test",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    metavar="FILE.tsv",
    help="Judge it on labelled sentences: columns intent and text, and if you have them id, language, slots "
    "(JSON), today.",
)
@click.option("--train", is_flag=True, help="Train it again from the phrases. Takes minutes.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE.npz",
              help="Where the table goes that --train makes; or the table that is judged, with --test.")  # fmt: skip
@click.option("--today", type=AS_OF, metavar="DAY", help="Day of sentences that do not say theirs.")
@lang_option
@as_json_option
@click.pass_obj
def phrases(
    application: Application, test: Path | None, train: bool, out: Path | None, today: date | None, lang: str,
    as_json: bool,
) -> int:  # fmt: skip
    """What the local model learned from, and how well it does on phrases that were kept apart; on yours with --test."""
    say = texts(lang)
    if train:
        table = _train(out, as_json)
    else:
        table = read_points(out.read_bytes()) if out is not None and out.exists() else shipped_points()
    if test is not None:
        judged = judge(_labelled(test, today or application.today), table)
        present.answer(_judged_json(judged), as_json, lambda: "\n".join(_judged_lines(judged, say)))
        return present.DONE
    book = shipped()
    counts = Counter((one.language, one.intent) for one in book.phrases)
    document = {
        "phrases": [{"language": language, "intent": intent, "count": count}
                    for (language, intent), count in sorted(counts.items())],
        "digest": book.digest, "trained_on": table.digest, "stale": book.digest != table.digest,
        "out_of_fold": dict(table.figures), "levels": asdict(table.levels),
    }  # fmt: skip
    present.answer(document, as_json, lambda: "\n".join(_lines(document, say)))
    return present.DONE


def _train(out: Path | None, quiet: bool) -> Points:
    from evenkeel.arrears.conversation.training import train as train_points  # scikit-learn, needed here alone

    with present.progress(quiet) as report:
        table = train_points(shipped(), report=report)
    if out is not None:
        write_points(table, out)
    return table


def _labelled(file: Path, today: date) -> list[Labelled]:
    """Labelled sentences of a file with tabs. Raises InvalidInput naming the line that cannot be used."""
    with file.open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    if not rows or not {"intent", "text"} <= set(rows[0]):
        raise InvalidInput(f"{file} has no columns intent and text.", "Put their names into the first line, with tabs.")
    found = []
    for number, row in enumerate(rows, 2):
        try:
            slots = json.loads(row["slots"]) if row.get("slots") else {}
            day = parse_date(row["today"]) if row.get("today") else today
            found.append(
                Labelled(
                    row.get("id") or str(number), row["intent"], row.get("language") or "", row["text"], slots, day
                )
            )
        except (ValueError, TypeError) as error:
            raise InvalidInput(f"{file} line {number}: {error}", "Correct the line.") from None
    return found


def _judged_json(judged: Judged) -> dict[str, Any]:
    return {
        "sentences": judged.sentences, "abstained": judged.abstained, "macro_f1": judged.macro_f1,
        "macro_f1_abstained_as_missed": judged.macro_f1_missed, "intents": judged.intents, "slots": judged.slots,
        "calibration_error": judged.calibration_error, "wrong": judged.wrong,
    }  # fmt: skip


def _judged_lines(judged: Judged, say: Texts) -> list[str]:
    head = say(
        "phrases.judged", sentences=judged.sentences, f1=f"{judged.macro_f1:.3f}", abstained=f"{judged.abstained:.1%}"
    )
    lines = [head]
    for intent, one in judged.intents.items():
        bar = "█" * round((one["f1"] or 0) * _BAR)
        recall = say("phrases.recall", recall=f"{one['recall'] or 0:.3f}")
        lines.append(f"  {bar:{_BAR}} {one['f1'] or 0:.3f}  {recall}  {say(f'chat.intent.{intent}')}")
    return lines


def _lines(document: dict[str, Any], say: Texts) -> list[str]:
    most = max(one["count"] for one in document["phrases"])
    lines = []
    for one in document["phrases"]:
        bar, intent = "█" * round(one["count"] / most * _BAR), say(f"chat.intent.{one['intent']}")
        lines.append(f"  {one['language']} {bar:{_BAR}} {one['count']:4} {intent}")
    figures = document["out_of_fold"]
    lines.append(say("phrases.out_of_fold", f1=f"{figures['macro_f1']:.3f}", abstained=f"{figures['abstained']:.1%}"))
    if document["stale"]:
        lines.append(say("phrases.stale"))
    return lines
