"""`evenkeel arrears lint`: messages from a file, standard input or the command line, held against the rules."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text

from evenkeel.arrears.messages.linter import CATEGORIES, Finding, Lint
from evenkeel.arrears.messages.linter import lint as lint_text
from evenkeel.cli import present
from evenkeel.cli.law_files import read_objects
from evenkeel.cli.options import as_json_option, lang_option
from evenkeel.cli.tables import read_table
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import Texts, texts

_SHOWN = 50  # messages that are shown on a screen; all of them are in the JSON
_MOST_BYTES = 1 << 28


@click.command(
    epilog="\b\nExamples:\n"
    '  evenkeel arrears lint --text "Pay today or we call your boss"\n'
    "  evenkeel arrears lint drafts.txt --lang zh\n"
    "  evenkeel arrears lint drafts.xlsx --json\n"
    "  cat draft.txt | evenkeel arrears lint -\n",
)
@click.argument("file", required=False, metavar="FILE|-")
@click.option("--text", metavar="WORDS", help="One message, in place of a file.")
@lang_option
@as_json_option
def lint(file: str | None, text: str | None, lang: str, as_json: bool) -> int:
    """What may not be said in messages to borrowers: the words, the rule they break, and better words.

    FILE: one message a line (.txt, or - for standard input); or .csv, .xlsx, .parquet, .json, .jsonl with a column
    `text`. Threats, shaming, posing as the state, telling others, false law, hidden fees, urging to borrow and
    harassment are found in Chinese and English, disguised spellings included. Exit code 1 where something is blocked.
    That nothing is found does not prove that a message is lawful.
    """
    if (file is None) == (text is None):
        raise InvalidUsage("give a FILE, - or --text, one of them.", "See `evenkeel arrears lint --help`.")
    messages = [(1, text)] if text is not None else _messages(str(file))
    with present.progress(as_json) as report:
        judged = []
        for place, (line, words) in enumerate(messages):
            if place % 500 == 0:
                report("", place / len(messages))
            judged.append((line, words, lint_text(words)))
    blocked = [one for one in judged if not one[2].ok]
    if as_json:
        counts = {
            name: sum(found.category == name for _, _, one in judged for found in one.findings) for name in CATEGORIES
        }
        present.emit({"messages": len(judged), "blocked": len(blocked), "findings": counts,
                      "results": [_record(*one) for one in judged]})  # fmt: skip
    else:
        _show(judged, blocked, texts(lang))
    return present.AT_FAULT if blocked else present.DONE


def _messages(file: str) -> list[tuple[int, str]]:
    """Messages with the line or row in which each stands; empty ones are passed over."""
    path = Path(file)
    kind = path.suffix.lower()
    if file != "-" and kind in (".csv", ".xlsx", ".parquet", ".json", ".jsonl"):
        table = read_objects(path) if kind in (".json", ".jsonl") else read_table(path)
        if "text" not in table.column_names:
            raise InvalidInput(f"{path} has no column `text`.", f"It has {', '.join(table.column_names)}.")
        cells = table["text"].to_pylist()
        rows = [(place + 1, "" if cell is None else str(cell)) for place, cell in enumerate(cells)]
    else:
        rows = list(enumerate(_lines(file, path), start=1))
    rows = [(line, words) for line, words in rows if words.strip()]
    if not rows:
        raise InvalidInput(f"{file} holds no messages.", "Write one a line, or in a column `text`.")
    return rows


def _lines(file: str, path: Path) -> list[str]:
    if file == "-":
        data = sys.stdin.buffer.read(_MOST_BYTES + 1)
    elif not path.is_file():
        raise InvalidUsage(f"there is no file {path}.", "Check the path, or give the words by --text.")
    else:
        with path.open("rb") as source:
            data = source.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise InvalidInput(f"{file} is larger than 256 MB.", "Give it in parts.")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding).split("\n")
        except UnicodeDecodeError:
            continue
    raise InvalidInput(f"{file} is neither UTF-8 nor GB18030 text.", "Save it as UTF-8.")


def _record(line: int, words: str, found: Lint) -> dict[str, Any]:
    return {
        "line": line, "text": words, "ok": found.ok,
        "findings": [
            {"category": one.category, "start": one.start, "end": one.end, "words": one.words, "rule": one.rule,
             "citation": one.citation, "better": one.better}
            for one in found.findings
        ],
    }  # fmt: skip


def _show(judged: Sequence[tuple[int, str, Lint]], blocked: Sequence[tuple[int, str, Lint]], say: Texts) -> None:
    console = Console(highlight=False, soft_wrap=True)
    for line, words, found in blocked[:_SHOWN]:
        console.print(Text(f"✗ {line}  ", style="bold red") + _marked(words, found.findings))
        for text in _told(found.findings, say):
            console.print(Text(f"    {text}"))
    if len(blocked) > _SHOWN:
        console.print(Text(say("messages.others", count=len(blocked) - _SHOWN)))
    for name in CATEGORIES:
        count = sum(any(one.category == name for one in found.findings) for _, _, found in blocked)
        if count:
            bar = "█" * max(1, round(30 * count / len(blocked)))
            console.print(
                Text(f"  {say(f'messages.category.{name}')}  ") + Text(bar, style="red") + Text(f" {count:,}")
            )
    console.print(Text(say("messages.counted", messages=len(judged), blocked=len(blocked))))
    console.print(Text(say("messages.disclaimer")))


def _marked(words: str, findings: Sequence[Finding]) -> Text:
    """The message, with the words at fault between marks, so that they show without colour too."""
    shown, place = Text(), 0
    spans: list[tuple[int, int]] = []
    for one in findings:
        if spans and one.start < spans[-1][1]:
            spans[-1] = spans[-1][0], max(spans[-1][1], one.end)
        else:
            spans.append((one.start, one.end))
    for start, end in spans:
        shown += Text(words[place:start]) + Text(f"⟦{words[start:end]}⟧", style="bold red")
        place = end
    return shown + Text(words[place:])


def _told(findings: Sequence[Finding], say: Texts) -> Iterator[str]:
    for one in findings:
        yield f"{say(f'messages.category.{one.category}')}: {one.rule}, {one.citation}"
    for better in dict.fromkeys(one.better for one in findings):
        yield f"→ {better}"
