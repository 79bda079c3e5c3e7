"""`evenkeel arrears assign`: one day's treatments for a whole book."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evenkeel.arrears.contacts.service import Contacts
from evenkeel.arrears.law import RuleBook, load_rules
from evenkeel.arrears.treatments.assumed import ASSUMED, Assumed, DayAssumptions
from evenkeel.arrears.treatments.capacity import Capacity, capacity_of
from evenkeel.arrears.treatments.day import Fairness, Request, plan_day
from evenkeel.arrears.treatments.live import Live, with_live
from evenkeel.arrears.treatments.slice import LEAST, MOST
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.arrears.picture import bar, padded
from evenkeel.cli.book import checked_book
from evenkeel.cli.options import as_json_option, book_options, lang_option
from evenkeel.cli.tables import read_table
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts, texts

if TYPE_CHECKING:
    import pyarrow as pa

    from evenkeel.pipeline.overdue import Overdue

_MOST_SHOWN = 12
_DAY_LEFT = timedelta(hours=15)  # from nine o'clock until the day is over
_EPILOG = """\b
Examples:
  evenkeel arrears assign ./march --out ./today --capacity call=200,sms=1000
  evenkeel arrears assign ./march --out ./today --capacities team.toml --fair region=0.05 --lang zh
  evenkeel arrears assign ./march --out ./today --workspace ./record
  evenkeel arrears assign ./march --out ./today --values learned.parquet --json | jq .capacities
\b
team.toml:
  [capacity.call]
  amount = 200
  [capacity.hardship-desk]           # a skill: cases of these causes draw on it
  amount = 6
  uses = { call = 0.2, plan_offer = 0.1 }
  where = { cause = ["income_shock", "macro_shock"] }
  [fair]
  region = 0.05                      # no region treated more often than all, by over 5 points
  [assumed.visit]                    # what is known better than the shipped figures
  effect = 0.2
  cost_minor = 12000
"""


@click.command(epilog=_EPILOG)
@book_options
@click.option("--out", required=True, type=click.Path(path_type=Path), help="Folder for the assignment.")
@click.option("--capacity", "limits", multiple=True, metavar="NAME=N,…", help="Of the day: call=200,sms=1000,hours=40.")
@click.option(
    "--capacities", type=click.Path(path_type=Path), metavar="FILE.toml", help="Capacities, skills, fairness."
)
@click.option("--values", type=click.Path(path_type=Path), help="Learned values: account_id and a column a treatment.")
@click.option("--fair", multiple=True, metavar="COLUMN=SHARE", help="No group treated more often than all, by more.")
@click.option("--workspace", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Record whose contacts of the day and cases count too.")  # fmt: skip
@click.option("--slice", "share", type=click.FloatRange(LEAST, MOST), default=0.05, show_default=True,
              help="Share whose treatment is drawn by lot; always on.")  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Seed of the lot.")
@click.option("--threads", type=click.IntRange(1, 64), default=2, show_default=True, help="Threads; changes no byte.")
@lang_option
@as_json_option
@click.pass_obj
def assign(
    application: Application, book: Path, out: Path, limits: tuple[str, ...], capacities: Path | None,
    values: Path | None, fair: tuple[str, ...], workspace: Path | None, share: float, seed: int, threads: int,
    adapter: str | None, as_of: date | None, max_bad_share: float, lang: str, as_json: bool,
) -> int:  # fmt: skip
    """Give each overdue account of BOOK one treatment for the morning after its day.

    The law comes first, then promises, then what a treatment is worth over doing nothing, within the day's capacities.
    Visits, legal steps and sales are given only where a capacity names them. A small share is drawn by lot, with the
    chance written down, so that tomorrow it can be known what works. Writes assignment.parquet and assignment.json.
    """
    from evenkeel.arrears.treatments.told import figures
    from evenkeel.pipeline.outputs import check_free, whole_folder, write_json, write_table
    from evenkeel.pipeline.overdue import overdue_of

    check_free(out)
    told = _told(capacities)
    asked = (*told.capacities, *(capacity_of(name, amount) for name, amount in _pairs("--capacity", limits).items()))
    fairness = [*told.fairness, *(_fairness(name, apart) for name, apart in _pairs("--fair", fair).items())]
    if len({one.name for one in asked}) < len(asked):
        raise InvalidUsage("a capacity is given twice.", "Give each once, in --capacity or in the file.")
    fitted = None if values is None else read_table(values)
    with present.progress(as_json) as report:
        report("reading", 0.05)
        checked = checked_book(book, adapter, as_of, application.today, max_bad_share)
        overdue = overdue_of(checked, threads=threads, report=report)
        report("assigning", 0.8)
        now, tables, said = _at_work(application, workspace, overdue)
        request = Request(now, overdue.jurisdiction, load_rules(), asked, fairness, told.assumptions, share, seed)
        day = plan_day(
            overdue.cases, tables.get("contacts"), tables.get("consents"), tables.get("complaints"),
            tables.get("events"), request, fitted, said,
        )  # fmt: skip
        document = {"book": str(book), "currency": checked.manifest.currency} | figures(day, request)
        with whole_folder(out) as folder:
            write_table(folder / "assignment.parquet", day.table)
            write_json(folder / "assignment.json", document)
    present.answer(document, as_json, lambda: "\n".join(_words(document, out, request.rules, texts(lang))))
    return present.DONE


def _at_work(
    application: Application, workspace: Path | None, overdue: Overdue
) -> tuple[datetime, Mapping[str, pa.Table], pa.Table | None]:
    """The instant that is planned for, what is known then, and what cases say.

    With a record it is the present one, where that lies later on the day that is planned: what was done since the
    morning counts.
    """
    if workspace is None:
        return overdue.now, overdue.record, None
    if application.database_url is None and not workspace.is_dir():
        raise InvalidUsage(f"there is no folder {workspace}.", "Name the record of the service that runs.")
    with application.workspace(workspace, present.say)() as opened:
        contacts = Contacts(opened.journal, "-", load_rules(), overdue.jurisdiction)
        live = Live(*contacts.known(set(overdue.cases["borrower_id"].to_pylist())))
        now = opened.journal.clock()
    later = overdue.now <= now < overdue.now + _DAY_LEFT
    return (now if later else overdue.now), with_live(overdue.record, live, overdue.cases), live.bars


# --------------------------------------------------------------------------------------------------------------- input


class _Told:
    """What a file of capacities says."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        unknown = sorted(set(content) - {"capacity", "fair", "assumed"})
        if unknown:
            raise InvalidInput(
                f"the file has a table `{unknown[0]}`.", "It takes [capacity.NAME], [fair], [assumed.NAME]."
            )
        tables = {name: _table(name, content.get(name, {})) for name in ("capacity", "fair", "assumed")}
        self.capacities = [_capacity(name, one) for name, one in tables["capacity"].items()]
        self.fairness = [_fairness(column, apart) for column, apart in tables["fair"].items()]
        changed = {name: _assumed(name, one) for name, one in tables["assumed"].items()}
        self.assumptions = DayAssumptions(treatments={**ASSUMED, **changed})


def _told(path: Path | None) -> _Told:
    if path is None:
        return _Told({})
    try:
        return _Told(tomllib.loads(path.read_text(encoding="utf-8-sig")))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidUsage(f"{path} cannot be read: {error}.", "Check the path.") from None
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path} is not TOML: {error}.", "See the example in --help.") from None


def _table(name: str, given: Any) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidInput(f"`{name}` is not a table.", "See the example in --help.")
    return given


def _capacity(name: str, given: Any) -> Capacity:
    one = _table(f"capacity.{name}", given)
    if unknown := sorted(set(one) - {"amount", "uses", "where"}):
        raise InvalidInput(f"capacity `{name}` has `{unknown[0]}`.", "It takes amount, uses and where.")
    return capacity_of(name, one.get("amount"), one.get("uses"), one.get("where"))


def _assumed(name: str, given: Any) -> Assumed:
    if name not in ASSUMED:
        raise InvalidInput(f"assumed: there is no treatment {name}.", f"Known: {', '.join(ASSUMED)}.")
    one, before = _table(f"assumed.{name}", given), ASSUMED[name]
    known = {"effect": before.effect, "cost_minor": before.cost_minor, "burden_minor": before.burden_minor,
             "hours": before.hours}  # fmt: skip
    for key, value in one.items():
        most = 1.0 if key == "effect" else 1e12
        number = isinstance(value, int | float) and not isinstance(value, bool)
        if key not in known or not number or not (-1.0 if key == "effect" else 0.0) <= value <= most:
            raise InvalidInput(f"assumed.{name}: `{key}` is {value!r}.", f"It takes numbers: {', '.join(known)}.")
    told = {**known, **one}
    return Assumed(
        float(told["effect"]), int(told["cost_minor"]), int(told["burden_minor"]), float(told["hours"]),
        "given by the user",
    )  # fmt: skip


def _fairness(column: str, apart: Any) -> Fairness:
    if isinstance(apart, bool) or not isinstance(apart, int | float) or not 0 <= apart <= 1:
        raise InvalidInput(f"fairness by {column} is {apart!r}.", "Give a share from 0 to 1: region=0.05.")
    return Fairness(column, float(apart))


def _pairs(option: str, given: tuple[str, ...]) -> dict[str, float]:
    """NAME=NUMBER pairs, with commas between them."""
    found: dict[str, float] = {}
    for pair in (part.strip() for text in given for part in text.split(",") if part.strip()):
        name, equals, amount = pair.partition("=")
        try:
            number = float(amount)
        except ValueError:
            number = float("nan")
        if not equals or not name.strip() or number != number or name.strip() in found:
            raise InvalidUsage(f"{option} {pair!r} is no NAME=NUMBER, or stands twice.", "As call=200,sms=1000.")
        found[name.strip()] = number
    return found


# --------------------------------------------------------------------------------------------------------------- words


def _words(document: Mapping[str, Any], out: Path, rules: RuleBook, say: Texts) -> Iterator[str]:
    def money(minor: float | None) -> str:
        return "–" if minor is None else str(Money(round(minor), document["currency"]))

    yield say("day.head", cases=document["cases"], accounts=document["accounts"], borrowers=document["borrowers"])
    most = max(document["treatments"].values(), default=1)
    for name, count in sorted(document["treatments"].items(), key=lambda item: -item[1]):
        yield f"  {padded(say(f'treatment.{name}'), 32)} {count:>9,}  {bar(count / most)}"
    expected = document["expected"]
    yield say("day.expected", recovery=money(expected["recovery_minor"]), cost=money(expected["cost_minor"]))
    yield say("day.harm", burden=money(expected["burden_minor"]), contacts=expected["contacts"],
              harsh=expected["harsh"])  # fmt: skip
    value = document["value"]
    yield say("day.proof", best=money(value["best_minor"]), gap=f"{100 * value['gap']:.4f} %")
    for one in document["capacities"]:
        full = one["used"] / one["amount"] if one["amount"] else 1.0
        yield f"  {padded(one['name'], 32)} {one['used']:>9,.6g} / {one['amount']:,.6g}  {bar(full, 12)}"
        if one["one_more_brings_minor"] > 0:
            yield "  " + say("day.one_more", name=one["name"], brings=money(one["one_more_brings_minor"]))
    lot = document["slice"]
    yield say("day.slice", cases=lot["cases"], share=f"{100 * lot['share']:g} %", cost=money(lot["cost_minor"]))
    blocked = sorted(document["blocked"], key=lambda one: (-one["cases"], one["rule"], one["treatment"]))
    if blocked:
        yield say("day.blocked")
    for one in blocked[:_MOST_SHOWN]:
        what, citation = say(f"treatment.{one['treatment']}"), rules.rules[one["rule"]].citation[say.language]
        yield f"  ✗ {padded(one['rule'], 20)} {padded(what, 32)} {one['cases']:>9,}  {citation}"
    if len(blocked) > _MOST_SHOWN:
        yield "  " + say("day.more", count=len(blocked) - _MOST_SHOWN)
    yield say("day.written", path=out / "assignment.parquet")
