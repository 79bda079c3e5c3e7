"""`evenkeel afford`: what a household can carry, day by day and at which odds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from evenkeel.cli import present
from evenkeel.cli.options import as_json_option, lang_option
from evenkeel.cli.plan import read
from evenkeel.kernel.errors import Unavailable
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts, texts

if TYPE_CHECKING:
    from evenkeel.repayment.case import Case
    from evenkeel.repayment.household.afford import Affordability

_MOST_SHOWN = 8


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel afford CASE.json\n"
    "  evenkeel afford BOOK --borrower b-17\n"
    "  evenkeel afford CASE.json --payment 1500 --chart days.svg --lang zh\n"
)
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--borrower", metavar="ID", help="Whose household, where CASE is a book's folder.")
@click.option("--payment", metavar="AMOUNT", help="Ask about this payment a month, in yuan or the like: 1500.")
@click.option("--chart", "chart_file", type=click.Path(path_type=Path), metavar="FILE", help="Draw the days (.svg).")
@lang_option
@as_json_option
def afford(
    case: Path, borrower: str | None, payment: str | None, chart_file: Path | None, lang: str, as_json: bool
) -> None:
    """The safe payment a month as a distribution, the day the money runs out, and what that hangs on."""
    from evenkeel.repayment.household.afford import MONTHS
    from evenkeel.repayment.household.afford import afford as found_of
    from evenkeel.repayment.household.afford_chart import chart
    from evenkeel.repayment.household.outlook import outlook
    from evenkeel.repayment.law.essentials import essentials

    told = read(case, borrower)
    least = essentials(told).total_minor
    asked = None if payment is None else Money.parse(payment, told.currency).minor
    found = found_of(told, outlook(told, least, months=max(MONTHS, 60)), least, asked)
    if chart_file is not None:
        try:
            chart_file.write_text(chart(found, lang), encoding="utf-8")
        except OSError as error:
            raise Unavailable(f"{chart_file} cannot be written: {error.strerror}.", "Choose another place.") from error
        present.say(f"written: {chart_file}")
    present.answer(found.document(), as_json, lambda: _words(found, told, texts(lang)))


def _words(found: Affordability, case: Case, say: Texts) -> str:
    from evenkeel.repayment.household.afford import MONTHS

    def money(minor: int) -> str:
        return str(Money(minor, found.currency)).rpartition(" ")[0]

    def share(value: float) -> str:
        return f"{100 * value:.0f} %"

    lines = [
        say("repay.afford.safe", amount=money(found.safe_minor), months=MONTHS, share=share(1 - case.quantile)),
        say("repay.afford.by_day", amount=money(found.by_day_minor)),
        say("repay.afford.miss", amount=money(found.payment_minor), share=share(found.miss), low=share(found.miss_low),
            high=share(found.miss_high)),
    ]  # fmt: skip
    if found.question:
        lines.append(say("repay.afford.question"))
    lines.append("")
    for one in found.scenarios:
        name = say(f"repay.afford.scenario.{one.name}")
        key = "lasts" if one.out_on is None else "runs_out"
        lines.append("- " + say(f"repay.afford.{key}", scenario=name, on="" if one.out_on is None else f"{one.out_on}"))
    lines += ["", say("repay.afford.odds")]
    for months in sorted({one.months for one in found.safe}):
        odds = ", ".join(
            f"{share(one.confidence)}: {money(one.amount_minor)}" for one in found.safe if one.months == months
        )
        lines.append("- " + say("repay.afford.odds_of", months=months, odds=odds))
    lines += ["", say("repay.afford.hangs_on")]
    for tried in found.sensitivity[:_MOST_SHOWN]:
        lines.append(f"- {_about(tried.about, case, say)}, {tried.change}: {money(tried.safe_change_minor)}")
    return "\n".join(lines)


def _about(about: str, case: Case, say: Texts) -> str:
    """An assumption by its name: of a part of the household, its id or category."""
    *_, kind, place = about.split(".") if "." in about else ("", about, "")
    if kind == "incomes":
        return say("repay.afford.about.incomes", id=case.household.incomes[int(place)].id)
    if kind == "essentials":
        category = case.household.essentials[int(place)].category
        return say("repay.afford.about.essentials", category=say(f"repay.form.category.{category}"))
    return say(f"repay.afford.about.{kind}")
