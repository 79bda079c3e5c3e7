"""`evenkeel arrears worklist`: what to work on, in order; and the look at every borrower that keeps it so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.arrears.desk import clock, opened, shared
from evenkeel.kernel.text import Texts, texts

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from evenkeel.arrears.cases.sweeping import Swept
    from evenkeel.arrears.cases.views import CasePage, CaseRow, Way

_SKILLS = ("early", "late", "care", "answers", "agencies", "court")


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel arrears worklist\n"
    "  evenkeel arrears worklist --look --assignment out/assignment.parquet\n"
    "  evenkeel arrears worklist --skill care --full --lang zh\n"
)
@click.option("--look", is_flag=True, help="First look at every borrower: open cases, close those that were cured.")
@click.option("--assignment", type=click.Path(path_type=Path), metavar="FILE",
              help="Treatments and values of the day, from `evenkeel arrears assign`. Implies --look.")  # fmt: skip
@click.option("--skill", "skills", multiple=True, type=click.Choice(_SKILLS), help="Only what needs it. Repeatable.")
@click.option("--agency", metavar="ID", help="Only what this agency has.")
@click.option("--free", is_flag=True, help="Only what nobody has claimed.")
@click.option("--all", "closed", is_flag=True, help="Closed cases too.")
@click.option("--full", is_flag=True, help="With the next lawful contact, and what cannot be done now.")
@click.option("--after", metavar="PLACE", help="The page after this place.")
@click.option("--most", type=click.IntRange(1, 200), default=50, show_default=True, help="How many.")
@shared
@click.pass_obj
def worklist(
    application: Application, /, look: bool, assignment: Path | None, skills: tuple[str, ...], agency: str | None,
    free: bool, closed: bool, full: bool, after: str | None, most: int, **options: Any,
) -> None:  # fmt: skip
    """Cases in the order of what a minute of a person is worth in each; answers that are due come first."""
    from evenkeel.arrears.cases.reading import worklist as page_of
    from evenkeel.arrears.cases.sweeping import sweep
    from evenkeel.arrears.cases.today import assigned_of
    from evenkeel.cli.tables import read_table

    say = texts(options["lang"])
    told = None if assignment is None else assigned_of(read_table(assignment))
    swept = None
    with opened(application, options) as cases:
        if look or told is not None:
            with present.progress(options["as_json"]) as tell:
                swept = sweep(cases, told, lambda done: tell(say("case.sweeping"), 1 - 1 / (1 + done / 1000)))
        page = page_of(
            cases, after=after, most=most, skills=skills or None, agency_id=agency, closed=closed, free=free, full=full
        )
        zone = cases.working.zone
    document = document_of(page, swept)
    present.answer(document, options["as_json"], lambda: _words(page, swept, zone, say))


def document_of(page: CasePage, swept: Swept | None) -> dict[str, Any]:
    """A page as data."""
    from dataclasses import asdict

    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(page)
    return told | ({} if swept is None else {"looked": asdict(swept)})


def _words(page: CasePage, swept: Swept | None, zone: ZoneInfo, say: Texts) -> str:
    lines = [] if swept is None else list(_swept(swept, say))
    if not page.cases:
        return "\n".join([*lines, say("case.none")])
    return "\n".join([*lines, _table(page, zone, say)])


def _swept(swept: Swept, say: Texts) -> list[str]:
    lines = [
        say("case.swept", borrowers=f"{swept.borrowers:,}", opened=swept.opened, reopened=swept.reopened,
            given=swept.given)
    ]  # fmt: skip
    lines += [
        say("case.swept.moved", count=count, state=say(f"case.word.{state}")) for state, count in swept.moved.items()
    ]
    return lines


def _table(page: CasePage, zone: ZoneInfo, say: Texts) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.table import Table

    most = max(one.days_past_due for one in page.cases) or 1
    heads = ["case", "borrower", "state", "days", "late", "do", "value", "by"]
    full = any(one.ways is not None for one in page.cases)
    table = Table(
        *(say(f"case.list.{name}") for name in [*heads, *(["ways"] if full else [])]), box=None, pad_edge=False
    )
    for one in page.cases:
        bar = "█" * max(1, round(10 * one.days_past_due / most)) if one.days_past_due else ""
        cells = [
            one.case_id, one.borrower_id, say(f"case.word.{one.state}"), f"{one.days_past_due:>4} {bar}",
            f"{one.past_due_minor / 100:,.2f}", _word(one.treatment, say), f"{one.value_minor / 100:,.2f}",
            _until(one, zone, say),
        ]  # fmt: skip
        table.add_row(*cells, *([", ".join(way(each, zone, say) for each in one.ways or ())] if full else []))
    stream = StringIO()
    console = Console(file=stream, width=200, color_system=None)
    console.print(say("case.list.head", cases=len(page.cases)))
    console.print(table)
    if page.next is not None:
        console.print(say("case.list.more", next=page.next))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def _word(code: str, say: Texts) -> str:
    key = f"case.word.{code}"
    return say(key) if key in say else code


def _until(one: CaseRow, zone: ZoneInfo, say: Texts) -> str:
    told = []
    if one.act_by is not None:
        told.append(say("case.due", day=one.act_by))
    if one.claimed_by is not None:
        told.append(say("case.taken", by=one.claimed_by, at=clock(one.lease_until, zone)))
    return "; ".join(told)


def way(one: Way, zone: ZoneInfo, say: Texts) -> str:
    """From when on a way of contact is lawful."""
    if one.may:
        return say("case.way.now")
    return say("case.way.never") if one.lawful_from is None else say("case.way.from", at=clock(one.lawful_from, zone))
