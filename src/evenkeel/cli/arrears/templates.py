"""`evenkeel arrears templates`: what is written to borrowers, and one template filled in."""

from __future__ import annotations

from datetime import date
from typing import Any

import click

from evenkeel.arrears.messages.templates import Template, Value, render, template
from evenkeel.arrears.messages.templates import templates as all_templates
from evenkeel.cli import present
from evenkeel.cli.options import as_json_option, lang_option
from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import InvalidUsage
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts, texts


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel arrears templates --lang zh\n"
    "  evenkeel arrears templates promise --set lender=Harbour --set day=2026-12-05 --set amount=50.00\n",
)
@click.argument("name", required=False)
@click.option(
    "--set", "given", multiple=True, metavar="SLOT=VALUE", help="A value for a slot; with all of them, filled in."
)
@click.option("--currency", default="CNY", show_default=True, metavar="CODE", help="Currency of amounts.")
@lang_option
@as_json_option
def templates(name: str | None, given: tuple[str, ...], currency: str, lang: str, as_json: bool) -> None:
    """The message templates: their purpose, their slots, their text; one filled in where values are given.

    Every template passes the linter and says who writes, that a machine does, and how to stop.
    """
    say = texts(lang)
    if name is None:
        if given:
            raise InvalidUsage("--set needs the NAME of a template.", "Without it all are shown.")
        every = list(all_templates().values())
        document: dict[str, Any] = {"templates": [_record(one, lang) for one in every]}
        present.answer(document, as_json, lambda: "\n\n".join(_told(one, lang, say) for one in every))
        return
    one = template(name)
    if not given:
        present.answer(_record(one, lang), as_json, lambda: _told(one, lang, say))
        return
    text = render(name, lang, _values(one, given, currency))
    present.answer({"name": name, "language": lang, "text": text}, as_json, lambda: text)


def _values(one: Template, given: tuple[str, ...], currency: str) -> dict[str, Value]:
    values: dict[str, Value] = {}
    for pair in given:
        slot, equals, value = pair.partition("=")
        if not equals:
            raise InvalidUsage(f"--set {pair!r} has no `=`.", "Write it as day=2026-12-05.")
        values[slot] = _value(one.slots.get(slot, "text"), value, currency)
    return values


def _value(kind: str, value: str, currency: str) -> Value:
    if kind == "money":
        return Money.parse(value, currency)
    if kind == "day":
        day: date = parse_date(value)
        return day
    return int(value) if kind == "count" and value.isdecimal() else value


def _record(one: Template, lang: str) -> dict[str, Any]:
    return {"name": one.name, "purpose": one.purpose[lang], "slots": dict(one.slots), "tells": list(one.tells),
            "text": one.text[lang]}  # fmt: skip


def _told(one: Template, lang: str, say: Texts) -> str:
    slots = ", ".join(f"{slot} ({say(f'messages.slot.{kind}')})" for slot, kind in one.slots.items())
    return f"{one.name}: {one.purpose[lang]}\n  {one.text[lang]}\n  {say('messages.slots', slots=slots)}"
