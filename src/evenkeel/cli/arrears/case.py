"""`evenkeel arrears case`: one case and its story, what is done in it, and the agencies that have some."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import UTC, date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from evenkeel.arrears.cases.acts import ACTS
from evenkeel.arrears.cases.agencies import Agency
from evenkeel.arrears.cases.outsourcing import Outsourcing
from evenkeel.arrears.cases.ranking import SKILLS
from evenkeel.arrears.cases.reading import next_of
from evenkeel.arrears.cases.reading import one as view_of
from evenkeel.arrears.cases.service import Cases
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.arrears.desk import bars, by_option, clock, opened, shared, split
from evenkeel.cli.arrears.worklist import way
from evenkeel.cli.options import AS_OF
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import Texts, texts

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from evenkeel.arrears.cases.views import CaseRow, CaseView, Done

_CONTACTS = ("contact", "contact_in")


@click.group(
    epilog="\b\nExamples:\n"
    "  evenkeel arrears case open b-17 --by ana\n"
    "  evenkeel arrears case show case-5f0c…\n"
    "  evenkeel arrears case promise case-5f0c… --by ana --amount-minor 50000 --on 2026-12-01\n"
    "  evenkeel arrears case complaint case-5f0c… --by ana --via 12378 --kind harassment\n"
    "  evenkeel arrears case batch agency-1 case-5f0c… case-77ab… --by ana --name week-48\n"
)
def case() -> None:
    """One case: its story; claim it, take down promises, disputes and complaints, assign it to an agency, close it."""


@case.command("show", epilog="\b\nExample:\n  evenkeel arrears case show case-5f0c… --lang zh")
@click.argument("case_id")
@shared
@click.pass_obj
def show(application: Application, /, case_id: str, **options: Any) -> None:
    """One case in full: what is late, what is due, what cannot be done now, and all that happened."""
    with opened(application, options) as cases:
        found, zone = view_of(cases, case_id), cases.working.zone
    document = msgspec.to_builtins(found)
    present.answer(document, options["as_json"], lambda: _told(found, zone, texts(options["lang"])))


def _taking(name: str, of: str, summary: str, example: str, take: Callable[[Cases, str, str], CaseRow]) -> None:
    """A command on one borrower or case by one person, which answers with the case as it is now."""

    def run(application: Application, /, by: str, **options: Any) -> None:
        with opened(application, options) as cases:
            row = take(cases, options[of], by)
        _row(row, options)

    command = click.argument(of)(by_option(shared(click.pass_obj(run))))
    case.command(name, help=summary, epilog=f"\b\nExample:\n  evenkeel arrears case {name} {example} --by ana")(command)


_taking("open", "borrower_id", "The open case of a borrower; opened now if something is late.", "b-17", Cases.open)
_taking("claim", "case_id", "Take a case for half an hour, or for another half hour.", "case-5f0c…", Cases.claim)
_taking("release", "case_id", "Give back a case that you took.", "case-5f0c…", Cases.release)


@case.command("next", epilog="\b\nExample:\n  evenkeel arrears case next --by ana --skill late")
@click.option("--skill", "skills", multiple=True, type=click.Choice(SKILLS), help="What you can do. Repeatable.")
@by_option
@shared
@click.pass_obj
def next_command(application: Application, /, skills: tuple[str, ...], by: str, **options: Any) -> None:
    """Take the first case that nobody works on and where there is something to do."""
    with opened(application, options) as cases:
        row = next_of(cases, by, skills or None)
    if row is not None:
        _row(row, options)
    else:
        present.answer({"case": None}, options["as_json"], lambda: texts(options["lang"])("case.none"))


def _row(row: CaseRow, options: dict[str, Any]) -> None:
    say = texts(options["lang"])
    document = {"case": msgspec.to_builtins(row)}
    present.answer(document, options["as_json"], lambda: "\n".join(_head(row, say)))


# ---- Acts ------------------------------------------------------------------------------------------------------------


def _act_command(name: str, kind: Any) -> click.Command:
    """The command of an act: an option for each of its fields."""
    summary, _, more = " ".join((kind.__doc__ or "").split()).partition(". ")

    def run(application: Application, /, case_id: str, key: str | None, **given: Any) -> None:
        options = split(given)
        act = _act_of(kind, given)
        with opened(application, options) as cases:
            outsourcing, attempt = Outsourcing(cases), key or secrets.token_hex(12)
            done = outsourcing.assign(case_id, act, attempt) if name == "assign" else cases.act(case_id, act, attempt)
        present.answer(msgspec.to_builtins(done), options["as_json"], lambda: _done(done, texts(options["lang"])))

    command = click.pass_obj(run)
    for field in reversed(msgspec.structs.fields(kind)):
        command = _option(field)(command)
    for add in (
        shared,
        click.option("--key", metavar="KEY", help="The same for every attempt at one act; without it, a new one."),
        click.argument("case_id"),
    ):
        command = add(command)
    return click.command(name, help=f"{summary}. {more}".strip(), short_help=f"{summary.rstrip('.')}.")(command)


def _option(field: msgspec.structs.FieldInfo) -> Any:
    """A field as an option: flags and lists by their names, all else as text that is read as JSON would be."""
    name = f"--{field.name.replace('_', '-')}"
    if field.name == "facts":
        return click.option(
            "--fact", "facts", multiple=True, metavar="NAME=VALUE", help="true, false, a day, a number."
        )
    if field.type is bool:
        return click.option(f"{name}/--goes-on", field.name, default=True, help="Whether it is over.")
    if field.name == "channels":
        return click.option("--channel", "channels", multiple=True, help="May be repeated; none: no contact goes out.")
    choices = [one for one in _literals(field.type) if isinstance(one, str)]
    kind = click.Choice(choices) if choices else None
    return click.option(name, field.name, type=kind, required=field.required, metavar=None if kind else "VALUE")


def _literals(kind: Any) -> tuple[Any, ...]:
    parts = get_args(kind)
    if parts and all(isinstance(one, str) for one in parts):
        return parts
    return next((found for one in parts if (found := _literals(one))), ())


def _act_of(kind: Any, given: dict[str, Any]) -> Any:
    """An act from options. Raises InvalidUsage where one cannot be read."""
    told = {name: value for name, value in given.items() if value is not None}
    if "facts" in told:
        told["facts"] = dict(map(_fact, told["facts"]))
    if "channels" in told:
        told["channels"] = list(told["channels"])
        if not told["channels"] and kind is ACTS["review-vulnerable"]:
            del told["channels"]  # as they were
    try:
        return msgspec.convert(told, kind, strict=False)
    except (msgspec.ValidationError, ValueError) as error:
        raise InvalidUsage(f"{_by_option(str(error))}.", "`--help` says what each option takes.") from None


def _by_option(error: str) -> str:
    """An error that names a field of an act, naming the option instead."""
    what, _, field = error.partition(" - at `$.")
    return error if not field else f"--{field.rstrip('`').replace('_', '-')}: {what[:1].lower()}{what[1:]}"


def _fact(text: str) -> tuple[str, Any]:
    name, sign, value = text.partition("=")
    if not sign or not name:
        raise InvalidUsage(f"{text!r} is no fact.", "Write it as item_marked=true.")
    try:
        found = json.loads(value)
    except ValueError:
        found = value
    return name, found if isinstance(found, bool | int | float | str) else value


def _done(done: Done, say: Texts) -> str:
    lines = [say("case.done", act=done.act, state=say(f"case.word.{done.state}"), fact=done.fact_id)]
    lines += [say("case.warned", rule=one.id, value=one.value) for one in done.warnings]
    return "\n".join(lines)


for _name, _kind in ACTS.items():
    case.add_command(_act_command(_name, _kind))


# ---- Agencies --------------------------------------------------------------------------------------------------------


@case.command(
    epilog="\b\nExample:\n  evenkeel arrears case agency agency-1 --by ana --evaluated-on 2026-02-01"
    " --trained-on 2026-02-01 --contract-until 2026-12-31 --processor-contract --impact-assessed --rate 12 --conduct 50"
)
@click.argument("agency_id", required=False)
@click.option("--by", metavar="PERSON", help="Who says so; needed to tell of an agency.")
@click.option("--evaluated-on", type=AS_OF, metavar="DAY", help="When it was evaluated last.")
@click.option("--trained-on", type=AS_OF, metavar="DAY", help="When its staff were trained last.")
@click.option("--contract-until", type=AS_OF, metavar="DAY", help="The last day of its contract.")
@click.option("--processor-contract/--no-processor-contract", default=None, help="Terms of data processing are agreed.")
@click.option("--impact-assessed/--no-impact-assessed", default=None, help="The impact on people was assessed.")
@click.option(
    "--rate", "rate_percent", type=click.FloatRange(0, 50), default=0.0, help="Commission, % of what came in."
)
@click.option("--conduct", "conduct_percent", type=click.FloatRange(0, 100), default=100.0, show_default=True,
              help="How much of the commission hangs on conduct, %.")  # fmt: skip
@shared
@click.pass_obj
def agency(
    application: Application, /, agency_id: str | None, by: str | None, rate_percent: float, conduct_percent: float,
    **given: Any,
) -> None:  # fmt: skip
    """What is known of agencies; with an id, tell of one."""
    options = split(given)
    say = texts(options["lang"])
    if agency_id is not None and by is None:
        raise InvalidUsage("nobody says so.", "Give --by.")
    with opened(application, options) as cases:
        outsourcing = Outsourcing(cases)
        if agency_id is not None and by is not None:
            ppm = {"rate_ppm": round(rate_percent * 10_000), "conduct_ppm": round(conduct_percent * 10_000)}
            outsourcing.tell(msgspec.convert({"agency_id": agency_id, **given, **ppm}, Agency), by)
        found = list(outsourcing.known().values())
    document = {"agencies": msgspec.to_builtins(found)}
    present.answer(document, options["as_json"], lambda: "\n".join(_agencies(found, say)) or say("case.agency.none"))


def _agencies(found: Sequence[Agency], say: Texts) -> list[str]:
    return [
        say("case.agency.paid_by", agency=one.agency_id, basis=say(f"case.word.{one.pay_basis}"),
            evaluated=one.evaluated_on or "–", trained=one.trained_on or "–", until=one.contract_until or "–")
        for one in found
    ]  # fmt: skip


@case.command(epilog="\b\nExample:\n  evenkeel arrears case batch agency-1 --from cases.txt --by ana --name week-48")
@click.argument("agency_id")
@click.argument("case_ids", nargs=-1)
@click.option("--from", "file", type=click.Path(path_type=Path), metavar="FILE", help="A file with a case a line.")
@click.option("--name", "batch", required=True, metavar="NAME", help="Of the batch: the same goes on where it ended.")
@by_option
@shared
@click.pass_obj
def batch(
    application: Application, /, agency_id: str, case_ids: tuple[str, ...], file: Path | None, batch: str, by: str,
    **options: Any,
) -> int:  # fmt: skip
    """Assign many cases to an agency. Exit code 1 where one of them was not assigned."""
    names = [*case_ids, *([] if file is None else _lines(file))]
    if not names:
        raise InvalidUsage("no case is named.", "Name some, or a file of them with --from.")
    with opened(application, options) as cases:
        found = Outsourcing(cases).batch(names, agency_id, by, batch)
    say = texts(options["lang"])
    refused = [one for one in found if not one.assigned]
    lines = [say("case.batch", assigned=len(found) - len(refused), cases=len(found))]
    lines += [f"✗ {one.case_id}: {one.error}" for one in refused]
    document = {"cases": msgspec.to_builtins(found)}
    present.answer(document, options["as_json"], lambda: "\n".join(lines))
    return present.AT_FAULT if refused else present.DONE


def _lines(file: Path) -> list[str]:
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read: {type(error).__name__}.", "Give a text file.") from None
    return [line.strip() for line in text.splitlines() if line.strip()]


@case.command("hand-over", epilog="\b\nExample:\n  evenkeel arrears case hand-over case-5f0c… --json")
@click.argument("case_id")
@shared
@click.pass_obj
def hand_over(application: Application, /, case_id: str, **options: Any) -> None:
    """What goes with a case to the agency that has it: earlier contacts, so that caps run on, and what to heed."""
    with opened(application, options) as cases:
        found, zone = Outsourcing(cases).hand_over(case_id), cases.working.zone
    say = texts(options["lang"])
    words = say(
        "case.handed", case=found.case_id, agency=found.agency_id, at=clock(found.at, zone),
        contacts=len(found.contacts), late=f"{found.past_due_minor / 100:,.2f}", days=found.days_past_due,
    )  # fmt: skip
    present.answer(msgspec.to_builtins(found), options["as_json"], lambda: words)


@case.command(epilog="\b\nExample:\n  evenkeel arrears case conduct agency-1 --begin 2026-01-01 --end 2026-03-31")
@click.argument("agency_id")
@click.option("--begin", type=AS_OF, required=True, metavar="DAY", help="The first day.")
@click.option("--end", type=AS_OF, required=True, metavar="DAY", help="The last day.")
@shared
@click.pass_obj
def conduct(application: Application, /, agency_id: str, begin: date, end: date, **options: Any) -> None:
    """How an agency behaved, with an interval, and what it is paid for it."""
    with opened(application, options) as cases:
        paid = Outsourcing(cases).judged(agency_id, begin, end)
    say, found = texts(options["lang"]), paid.conduct
    share, low, high = ("–" if one is None else f"{one:.1%}" for one in (found.score, found.low, found.high))
    lines = [
        say("case.conduct", agency=agency_id, clean=found.cases - found.unclean, cases=found.cases, share=share,
            low=low, high=high),
        say("case.conduct.why", asked=found.asked, blocked=found.blocked, broken=found.broken,
            complaints=found.complaints),
    ]  # fmt: skip
    if paid.commission is None:
        lines.append(paid.refused)
    else:
        pay = paid.commission
        amounts = (f"{minor / 100:,.2f}" for minor in (paid.collected_minor, pay.amount_minor, pay.base_minor))
        lines.append(say("case.conduct.pay", **dict(zip(("collected", "amount", "base"), amounts, strict=True))))
    present.answer(asdict(paid), options["as_json"], lambda: "\n".join(lines))


# ---- In words --------------------------------------------------------------------------------------------------------


def _head(row: CaseRow, say: Texts) -> list[str]:
    late, owed = (f"{minor / 100:,.2f}" for minor in (row.past_due_minor, row.owed_minor))
    return [
        say("case.head", case=row.case_id, state=say(f"case.word.{row.state}")),
        f"  {say('case.money', days=row.days_past_due, late=late, owed=owed)}",
    ]


def _told(found: CaseView, zone: ZoneInfo, say: Texts) -> str:
    """A case in words and bars."""
    lines = _head(found.row, say)
    if found.late:
        days = [late for _, late in found.late]
        lines.append(f"  {say('case.late', bars=bars(days), last=days[-1])}")
        touched = _weekly(found)
        lines.append(f"  {say('case.contacts', bars=bars(touched), last=sum(touched))}")
    for one in found.clocks:
        if one.answered_on is None:
            key = "case.clock.late" if one.late else "case.clock"
            about = say(f"case.about.{one.about}")
            lines.append(f"  {say(key, about=about, act_by=one.act_by, due_on=one.due_on, rule=one.rule)}")
    if found.channels is not None:
        channels = ", ".join(say(f"case.word.{one}") for one in found.channels) or say("case.word.no_channel")
        lines.append(f"  {say('case.channels', channels=channels)}")
    for each in found.row.ways or ():
        lines.append(f"  {say(f'case.word.{each.channel}')}: {way(each, zone, say)} {' '.join(each.rules)}".rstrip())
    for stopped in found.row.forbidden or ():
        why = "; ".join(say(f"case.guard.{name}") for name in stopped.because)
        lines.append(f"  {say('case.forbidden', act=say(f'case.act.{stopped.act}'), why=why)}")
    lines.append("")
    lines += [f"{clock(entry.at, zone)}  {_mark(entry.kind)} {entry.text}" for entry in found.timeline]
    return "\n".join(lines)


def _weekly(found: CaseView) -> list[int]:
    """Contacts in the week up to each day of the bars above."""
    at = Counter[date]()
    for entry in found.timeline:
        if entry.kind in _CONTACTS:
            day = entry.at.astimezone(UTC).date()
            week = next((end for end, _ in found.late if end - timedelta(days=7) < day <= end), None)
            if week is not None:
                at[week] += 1
    return [at[day] for day, _ in found.late]


def _mark(kind: str) -> str:
    marks = {
        "payment": "+", "promise_kept": "✓", "promise_broken": "✗", "promise_partly": "~", "contact": "☎",
        "contact_in": "☎", "contact_refused": "⊘", "dispute_opened": "!", "complaint_opened": "!",
    }  # fmt: skip
    return marks.get(kind, "·")
