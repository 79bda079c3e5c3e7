"""What evenkeel writes to borrowers: templates in both languages, with typed slots, none left open.

The texts are data (`templates.toml`). A filled template is linted like any other text before it is given out.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files

from evenkeel.arrears.messages.linter import lint
from evenkeel.kernel.errors import InvalidInput, NotFound, NotPermitted
from evenkeel.kernel.money import Money

TELLS = ("sender", "machine", "stop", "help")
_KINDS: dict[str, type] = {"money": Money, "day": date, "count": int, "text": str}
_SIGNS = {"CNY": "¥", "GBP": "£", "USD": "$", "EUR": "€"}
_LONGEST = 200  # characters of a text in a slot

Value = Money | date | int | str


@dataclass(frozen=True, slots=True)
class Template:
    """A message. slots: name -> kind (money, day, count, text). text, purpose: language -> text. tells: what the text
    discloses, of TELLS.
    """

    name: str
    slots: Mapping[str, str]
    text: Mapping[str, str]
    purpose: Mapping[str, str]
    tells: tuple[str, ...]


@cache
def templates() -> Mapping[str, Template]:
    """All templates by name."""
    source = files("evenkeel.arrears.messages") / "templates.toml"
    document = tomllib.loads(source.read_text(encoding="utf-8"))
    found: dict[str, Template] = {}
    for name, entry in document["template"].items():
        text = {one: entry[one].replace("{signature}", document["signature"][one]) for one in ("en", "zh")}
        slots = {slot: document["slots"][slot] for slot in sorted(_slots(text["en"]) | _slots(text["zh"]))}
        found[name] = Template(name, slots, text, entry["purpose"], tuple(entry["tells"]))
    return found


def template(name: str) -> Template:
    """One template. Raises NotFound where there is none of that name."""
    if name not in templates():
        raise NotFound(f"there is no template {name!r}.", f"Choose from {', '.join(templates())}.")
    return templates()[name]


def render(name: str, language: str, values: Mapping[str, Value]) -> str:
    """A template filled in.

    values: slot -> Money, date, int or text, as the slot asks. Raises InvalidInput where a slot is missing, unknown or
    of another kind; NotPermitted where the text, once filled, says what may not be said.
    """
    wanted = template(name)
    if language not in wanted.text:
        raise InvalidInput(f"there is no template in {language!r}.", "Choose en or zh.")
    missing = [slot for slot in wanted.slots if slot not in values]
    if missing:
        raise InvalidInput(f"template {name} lacks {', '.join(missing)}.", "Give a value for every slot.")
    unknown = [slot for slot in values if slot not in wanted.slots]
    if unknown:
        raise InvalidInput(f"template {name} has no slot {', '.join(unknown)}.", f"It has {', '.join(wanted.slots)}.")
    filled = {slot: _shown(slot, kind, values[slot], language) for slot, kind in wanted.slots.items()}
    text = wanted.text[language].format(**filled)
    found = lint(text).findings
    if found:
        raise NotPermitted(f"template {name}, filled in, says {found[0].words!r}.", found[0].better)
    return text


def _slots(text: str) -> set[str]:
    return {slot for _, slot, _, _ in string.Formatter().parse(text) if slot}


def _shown(slot: str, kind: str, value: object, language: str) -> str:
    if not isinstance(value, _KINDS[kind]) or isinstance(value, bool):
        raise InvalidInput(f"{slot} is a {kind}, not {value!r}.", f"Give a {_KINDS[kind].__name__}.")
    if isinstance(value, Money):
        if value.minor <= 0:
            raise InvalidInput(f"{slot} is {value}; an amount in a message is above 0.", "Leave the message out.")
        return _money(value, language)
    if isinstance(value, date):
        return f"{value.month}月{value.day}日" if language == "zh" else f"{value.day} {value:%B %Y}"
    if isinstance(value, int):
        if value < 1:
            raise InvalidInput(f"{slot} is {value}; it is 1 or more.", "Check the plan.")
        return str(value)
    words = str(value).strip()
    if not words or len(words) > _LONGEST or not words.isprintable():
        raise InvalidInput(f"{slot} is empty, too long or holds signs that do not print.", "Give one line of text.")
    return words


def _money(value: Money, language: str) -> str:
    digits = str(value).rpartition(" ")[0]
    if language == "zh" and value.currency == "CNY":
        return f"{digits}元"
    sign = _SIGNS.get(value.currency)
    return f"{sign}{digits}" if sign else f"{digits} {value.currency}"
