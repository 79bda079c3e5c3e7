"""`evenkeel arrears forecast`: cash by day and promises kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from evenkeel.cli.application import Application
from evenkeel.cli.arrears.past import past_options, share, tell_past
from evenkeel.cli.arrears.picture import padded, spark
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts

if TYPE_CHECKING:
    import pyarrow as pa

    from evenkeel.arrears.treatments.history import History


@click.command(
    epilog="\b\nExamples:\n  evenkeel arrears forecast ./march\n"
    "  evenkeel arrears forecast ./march --as-of 2024-09-30 --lang zh\n"
    "  evenkeel arrears forecast ./march --json | jq .cash.arrears.total"
)
@past_options("forecast.json")
@click.pass_obj
def forecast(application: Application, /, **options: Any) -> int:
    """Cash of the next ninety days and the share of promises that will be kept, from BOOK's own history.

    With intervals, and with forecasts made at earlier month-ends beside what came. Of what the history is too short to
    tell, it says so.
    """
    return tell_past(application, options, "forecast.json", _figures, _words)


def _figures(history: History, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
    from evenkeel.arrears.treatments.forecast import document

    return document(history)


def _words(document: Mapping[str, Any], say: Texts) -> Iterator[str]:
    def money(minor: float | None) -> str:
        return "–" if minor is None else str(Money(round(minor), document["currency"]))

    yield say("forecast.head", day=document["as_of"])
    for name, part in document["cash"].items():
        if part["expected"][0] is None:
            yield f"{padded(say(f'forecast.{name}'), 24)} {say('forecast.nothing')}"
            continue
        yield f"{padded(say(f'forecast.{name}'), 24)} {spark([value or 0.0 for value in part['expected']])}"
        for days in (30, 60, 90):
            low, middle, high = (money(part[key][days - 1]) for key in ("total_low", "total", "total_high"))
            yield "  " + say("forecast.total", days=days, expected=middle, low=low, high=high)
        tested = part["backtest"]
        if tested["totals_covered"] is None:
            yield "  " + say("forecast.short", origins=part["origins"])
        else:
            yield "  " + say(
                "forecast.tested", made=len(tested["made"]), totals=f"{100 * tested['totals_covered']:.0f} %",
                days=f"{100 * tested['days_covered']:.0f} %",
            )  # fmt: skip
    told = document["promises"]
    if told["rate"] is None:
        yield say("forecast.no_promise")
        return
    yield say("forecast.promise", rate=share(told["rate"], 1), low=share(told["low"], 1), high=share(told["high"], 1),
              pending=told["pending"], promises=told["promises"])  # fmt: skip
    if told["backtest"]:
        inside = sum(one["inside"] for one in told["backtest"])
        yield "  " + say("forecast.promise_tested", inside=inside, months=len(told["backtest"]))
