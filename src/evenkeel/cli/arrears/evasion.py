"""`evenkeel arrears evasion`: whom a person may look at, with due process, and agents behind letters that are alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from evenkeel.arrears.evasion.clusters import Cluster, Letter, find_clusters
from evenkeel.arrears.evasion.evidence import Route
from evenkeel.arrears.evasion.process import Step
from evenkeel.arrears.evasion.service import Processes
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.book import checked_book
from evenkeel.cli.options import as_json_option, book_options, lang_option, workspace_option
from evenkeel.cli.tables import read_table, write_rows
from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.kernel.text import Texts, texts
from evenkeel.pipeline.evasion import CEILING, Group, evasion_of

_WIDTH = 32
_SHOWN = 10


@click.group(
    epilog="\b\nExamples:\n"
    "  evenkeel arrears evasion assess ./march\n"
    "  evenkeel arrears evasion letters complaints.csv --published templates.csv\n"
    "  evenkeel arrears evasion take b-17 propose --by officer-7 --words 'see evidence' --evidence income,payments\n"
    "  evenkeel arrears evasion process b-17\n"
)
def evasion() -> None:
    """Those who could pay and do not: models only propose, people decide, the borrower is heard.

    Being hard to reach, complaining, quoting the law and having a lawyer or adviser are never evidence.
    """


@evasion.command("assess", epilog="\b\nExample:\n  evenkeel arrears evasion assess ./march --out ./evasion --json")
@book_options
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder for evasion.parquet.")
@lang_option
@as_json_option
@click.pass_obj
def assess_command(
    application: Application, book: Path, adapter: str | None, as_of: date | None, max_bad_share: float,
    out: Path | None, lang: str, as_json: bool,
) -> None:  # fmt: skip
    """Ability and willingness of every overdue borrower, each with its interval; the normal result is to abstain."""
    with present.progress(as_json) as report:
        read = checked_book(book, adapter, as_of, application.today, max_bad_share)
        report("weighing the evidence", 0.5)
        table, groups = evasion_of(read)
    if out is not None:
        write_rows(table, out / "evasion.parquet")
        present.say(f"written: {out / 'evasion.parquet'}")
    document = {
        "as_of": read.as_of.isoformat(), "overdue_borrowers": table.num_rows,
        "routes": {route: table["route"].to_pylist().count(route) for route in Route},
        "ceiling": CEILING, "groups": [group.document() for group in groups], "borrowers": table.to_pylist(),
    }  # fmt: skip
    present.answer(document, as_json, lambda: "\n".join(_assessed(table, groups, texts(lang))))


def _assessed(table: pa.Table, groups: list[Group], say: Texts) -> Iterator[str]:
    counts = Counter(table["route"].to_pylist())
    widest = max(counts.values(), default=1)
    yield say("evasion.overdue", count=f"{table.num_rows:,}")
    for route in Route:
        bar = "█" * round(_WIDTH * counts[route] / widest)
        yield f"  {bar:<{_WIDTH}} {counts[route]:>7,}  {say(f'evasion.route.{route}')}"
    shown = [row for row in table.to_pylist() if row["route"] == Route.REVIEW][:_SHOWN]
    for row in shown:
        yield ""
        yield say(
            "evasion.may_look", borrower=row["borrower_id"],
            ability=f"{row['ability_low']:.0%}-{row['ability_high']:.0%}",
            willingness=f"{row['willingness_low']:.0%}-{row['willingness_high']:.0%}",
        )  # fmt: skip
        for one in row["evidence"]:
            yield f"    · {say('evasion.' + one['code'])} ({one['points']:+.2f}, {one['source']})"
    over = [group for group in groups if group.over]
    yield ""
    yield say("evasion.ceiling", ceiling=f"{CEILING:.0%}", groups=len(groups), over=len(over))
    for group in over:
        yield f"  ! {say('evasion.by.' + group.by)} {group.name}: {group.reviews}/{group.borrowers}"
    yield say("evasion.note")


@evasion.command("letters", epilog="\b\nExample:\n  evenkeel arrears evasion letters complaints.csv --json")
@click.argument("letters", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--published", type=click.Path(path_type=Path, dir_okay=False),
    help="Letters that anybody may take from a consumer organisation or an authority: a column `text`.",
)  # fmt: skip
@lang_option
@as_json_option
def letters_command(letters: Path, published: Path | None, lang: str, as_json: bool) -> None:
    """Letters of many borrowers that are alike, and whether somebody may write them for a fee.

    LETTERS: letter_id, borrower_id, received_on, text, and where known device_token, phone_token, address_token. The
    members of a cluster are likely victims: to be warned and offered a direct way, never scored by it.
    """
    known = [] if published is None else [str(text) for text in _column(read_table(published), "text", published)]
    found = find_clusters(_letters(read_table(letters), letters), known)
    document = {"clusters": [cluster.document() | {"letter_ids": list(cluster.letters)} for cluster in found]}
    present.answer(document, as_json, lambda: "\n".join(_clustered(found, texts(lang))))


def _column(table: pa.Table, name: str, file: Path) -> list[Any]:
    if name not in table.column_names:
        raise InvalidInput(f"{file} has no column `{name}`.", f"It has {', '.join(table.column_names)}.")
    values: list[Any] = table[name].to_pylist()
    return values


def _letters(table: pa.Table, file: Path) -> list[Letter]:
    for name in ("letter_id", "borrower_id", "received_on", "text"):
        _column(table, name, file)
    found = []
    for number, row in enumerate(table.to_pylist(), start=2):
        missing = [name for name in ("letter_id", "borrower_id", "received_on", "text") if row[name] is None]
        if missing:
            raise InvalidInput(f"{file.name} row {number}: `{missing[0]}` is empty.", "Every letter needs it.")
        day = row["received_on"]
        on = day.date() if isinstance(day, datetime) else day if isinstance(day, date) else parse_date(str(day)[:10])
        tokens = {name: _token(row, name) for name in ("device_token", "phone_token", "address_token")}
        found.append(Letter(str(row["letter_id"]), str(row["borrower_id"]), on, str(row["text"]), **tokens))
    return found


def _token(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return None if value is None else str(value)


def _clustered(found: list[Cluster], say: Texts) -> Iterator[str]:
    if not found:
        yield say("evasion.no_cluster")
    for cluster in found:
        kind = "published" if cluster.public else "agent" if cluster.agent_likely else "alike"
        yield say(
            f"evasion.cluster.{kind}", letters=len(cluster.letters), borrowers=len(cluster.borrowers),
            first=cluster.first_on, last=cluster.last_on,
        )  # fmt: skip
        for name, count in cluster.signals.items():
            yield f"    · {say(f'evasion.signal.{name}', count=count)}"


@evasion.command("process", epilog="\b\nExample:\n  evenkeel arrears evasion process b-17")
@click.argument("borrower")
@click.option("--lender", default="lender-1", show_default=True, help="Whose process.")
@workspace_option
@lang_option
@as_json_option
@click.pass_obj
def process_command(
    application: Application, borrower: str, lender: str, workspace: Path | None, lang: str, as_json: bool
) -> None:
    """Where the process of a borrower stands, and who has to act until when."""
    with application.workspace(workspace, present.say)() as opened:
        found = Processes(opened.journal, lender).one(borrower)
    if found is None:
        raise NotFound(f"there is no process about {borrower}.", "It begins with `take BORROWER propose`.")
    present.answer(found.document(), as_json, lambda: "\n".join(_process(found.document(), texts(lang))))


@evasion.command(
    "take",
    epilog="\b\nExamples:\n"
    "  evenkeel arrears evasion take b-17 notify --by o-7 --second o-9 --words '...' --evidence income,plan\n"
    "  evenkeel arrears evasion take b-17 answer --by b-17 --words 'I lost my job in March.'\n",
)
@click.argument("borrower")
@click.argument("step", type=click.Choice([str(step) for step in Step]))
@click.option("--by", required=True, help="Who takes the step: a person's token.")
@click.option("--second", help="Who agrees, where two are needed.")
@click.option("--words", required=True, help="The reasons, or what was answered.")
@click.option("--evidence", default="", help="Kinds of evidence, with commas between them.")
@click.option("--lender", default="lender-1", show_default=True, help="Whose process.")
@workspace_option
@lang_option
@as_json_option
@click.pass_obj
def take_command(
    application: Application, borrower: str, step: str, by: str, second: str | None, words: str, evidence: str,
    lender: str, workspace: Path | None, lang: str, as_json: bool,
) -> None:  # fmt: skip
    """Take a step: propose, dismiss, notify, answer, uphold, withdraw, appeal, confirm, reverse."""
    kinds = tuple(part.strip() for part in evidence.split(",") if part.strip())
    with application.workspace(workspace, present.say)() as opened:
        processes = Processes(opened.journal, lender)
        found = processes.take(borrower, Step(step), by=by, words=words, second=second, evidence=kinds)
    present.answer(found.document(), as_json, lambda: "\n".join(_process(found.document(), texts(lang))))


def _process(told: dict[str, Any], say: Texts) -> Iterator[str]:
    for one in told["steps"]:
        second = f" + {one['second']}" if one["second"] else ""
        yield f"  {one['on']}  {say('evasion.step.' + one['step'])}  ({one['by']}{second}): {one['words']}"
    yield say("evasion.stands", stage=say("evasion.stage." + told["stage"]))
    if told["until"]:
        yield say("evasion.until", day=told["until"], stage=say("evasion.stage." + told["lapses_to"]))
    yield say("evasion.shareable" if told["shareable"] else "evasion.not_shareable")
