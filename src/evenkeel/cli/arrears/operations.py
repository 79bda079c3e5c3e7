"""`evenkeel arrears operations`: the figures that an operation is run by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from evenkeel.cli.application import Application
from evenkeel.cli.arrears.past import past_options, share, tell_past
from evenkeel.cli.arrears.picture import bar, padded, spark
from evenkeel.kernel.text import Texts

if TYPE_CHECKING:
    import pyarrow as pa

    from evenkeel.arrears.treatments.history import History

_FACTS = ("entry", "recovery", "promise_kept")
_MARKS = {"above": "▲", "below": "▼", "as expected": "·", None: " "}


@click.command(
    epilog="\b\nExamples:\n  evenkeel arrears operations ./march\n"
    "  evenkeel arrears operations ./march --as-of 2024-11-30 --lang zh\n"
    "  evenkeel arrears operations ./march --json | jq '.by.agency[] | {name, recovery}'"
)
@past_options("operations.json")
@click.pass_obj
def operations(application: Application, /, **options: Any) -> int:
    """Entry rate, recovery rate and promises kept of BOOK's last month, and cash and contacts day by day.

    By bucket, product, collector, agency and cohort of entry, each with its interval and beside what its own mix of
    buckets let expect: who has the harder cases is not the worse one for it. ▲ ▼ mark what is outside of that.
    """
    return tell_past(application, options, "operations.json", _figures, _words)


def _figures(history: History, tables: Mapping[str, pa.Table]) -> dict[str, Any]:
    from evenkeel.arrears.treatments.operations import operations as figures

    return figures(history, tables.get("contacts"), tables.get("instalments"))


def _words(document: Mapping[str, Any], say: Texts) -> Iterator[str]:
    if document["month"] is None:
        yield say("operations.nothing")
        return
    yield say("operations.head", month=document["month"])
    for name in _FACTS:
        one = document["whole"][name]
        line = spark([row[name] or 0.0 for row in document["months"]])
        yield f"{padded(say(f'operations.{name}'), 20)} {share(one['rate'], 2):>8}  {line}  {_beside(one, say)}"
        yield f"    {say(f'operations.{name}.is')}"
    amount = document["whole"]["amount_recovered"]
    line = spark([row["amount_recovered"] or 0.0 for row in document["months"]])
    yield f"{padded(say('operations.amount_recovered'), 20)} {share(amount['rate'], 2):>8}  {line}"
    yield f"    {say('operations.amount_recovered.is')}"
    for dimension in ("bucket", "product", "collector", "agency", "cohort"):
        yield from _dimension(dimension, document["by"].get(dimension, []), say)
    daily = document["daily"]
    if daily:
        yield say("operations.daily", first=daily[0]["day"], last=daily[-1]["day"])
        for key in ("bills_due", "bills_missed", "recovered_minor", "promises_due", "promises_kept", "contacts"):
            yield f"  {padded(say(f'operations.{key}'), 24)} {spark([float(one[key]) for one in daily])}"


def _dimension(name: str, rows: list[dict[str, Any]], say: Texts) -> Iterator[str]:
    shown = [row for row in rows if row["recovery"]["of"] or row["promise_kept"]["of"]]
    if not shown:
        return
    yield say(f"operations.by.{name}")
    for row in shown:
        one, kept = row["recovery"], row["promise_kept"]
        label = say("operations.none") if row["name"] == "-" else row["name"]
        yield (
            f"  {padded(label, 22)} {share(one['rate'], 2):>8} {_MARKS[one['against_expected']]} "
            f"{padded(bar(one['rate'] or 0.0, 16), 16)} {_beside(one, say)}"
            + (f"; {say('operations.kept', rate=share(kept['rate'], 2), of=kept['of'])}" if kept["of"] else "")
        )


def _beside(one: Mapping[str, Any], say: Texts) -> str:
    """Of how many, the interval, and what was to be expected."""
    known = say("operations.of", of=one["of"], low=share(one["low"], 2), high=share(one["high"], 2))
    if one["expected"] is None:
        return known
    low, high = share(one["expected_low"], 2), share(one["expected_high"], 2)
    return f"{known}; {say('operations.expected', rate=share(one['expected'], 2), low=low, high=high)}"
