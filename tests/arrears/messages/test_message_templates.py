"""Templates say who writes, that a machine does, how to stop and where help is; no slot is left open."""

from __future__ import annotations

import json
from datetime import date

import pytest
from click.testing import CliRunner

from evenkeel.arrears.messages.linter import lint
from evenkeel.arrears.messages.templates import TELLS, Value, render, template, templates
from evenkeel.cli.arrears.templates import templates as command
from evenkeel.kernel.errors import InvalidInput, NotFound, NotPermitted
from evenkeel.kernel.money import Money

VALUES: dict[str, Value] = {
    "lender": "Harbour Bank", "amount": Money(12_050, "CNY"), "day": date(2026, 12, 5), "new_day": date(2026, 12, 20),
    "first_day": date(2027, 1, 1), "count": 6, "phone": "95500", "helpline": "12378", "reference": "A-771",
    "person": "Li Min",
}  # fmt: skip
SAID = {
    "en": {"sender": "Harbour Bank", "machine": "automated", "stop": "STOP", "help": "12378"},
    "zh": {"sender": "Harbour Bank", "machine": "自动发送", "stop": "停止", "help": "12378"},
}
EVERY = [(name, language) for name in templates() for language in ("en", "zh")]


def filled(name: str, language: str, **other: Value) -> str:
    return render(name, language, {slot: (VALUES | other)[slot] for slot in template(name).slots})


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_a_template_passes_the_linter_and_discloses_what_it_must(name: str, language: str) -> None:
    text = filled(name, language)
    assert lint(text).ok
    assert "{" not in text
    for what in template(name).tells:
        assert SAID[language][what] in text
    assert {"sender", "machine", "stop"} <= set(template(name).tells) <= set(TELLS)


@pytest.mark.parametrize(("name", "language"), EVERY)
def test_a_missing_slot_is_refused(name: str, language: str) -> None:
    slots = template(name).slots
    for slot in slots:
        with pytest.raises(InvalidInput, match=slot):
            render(name, language, {other: VALUES[other] for other in slots if other != slot})


@pytest.mark.parametrize(
    ("slot", "value"),
    [
        ("amount", 120),
        ("amount", Money(0, "CNY")),
        ("amount", True),
        ("day", "2026-12-05"),
        ("lender", ""),
        ("lender", "a\nb"),
        ("lender", None),
    ],
)
def test_a_slot_of_another_kind_is_refused(slot: str, value: object) -> None:
    with pytest.raises(InvalidInput, match=slot):
        filled("promise", "en", **{slot: value})  # type: ignore[arg-type]


def test_what_is_put_into_a_slot_is_linted_too() -> None:
    with pytest.raises(NotPermitted):
        filled("promise", "en", lender="the police, who will arrest you")


def test_unknown_names_are_told() -> None:
    with pytest.raises(NotFound):
        template("threat")
    with pytest.raises(InvalidInput):
        render("goodbye", "fr", VALUES)
    with pytest.raises(InvalidInput, match="phone"):
        render("goodbye", "en", {"lender": "x", "amount": Money(1, "CNY"), "day": date(2026, 1, 1), "phone": "1"})


def test_amounts_and_days_are_written_as_readers_expect() -> None:
    assert "120.50元" in filled("reminder", "zh")
    assert "12月5日" in filled("reminder", "zh")
    assert "£120.50" in filled("reminder", "en", amount=Money(12_050, "GBP"))
    assert "5 December 2026" in filled("reminder", "en")


def test_the_commands_show_and_fill_a_template() -> None:
    told = CliRunner().invoke(command, ["--lang", "zh"], standalone_mode=False)
    assert all(name in told.stdout for name in templates())
    given = ["goodbye", "--set", "lender=Harbour", "--set", "day=2026-12-05", "--set", "amount=50.00", "--json"]
    filled = json.loads(CliRunner().invoke(command, given, standalone_mode=False).stdout)
    assert "50.00 arrived on 5 December 2026" in filled["text"]
    missing = CliRunner().invoke(command, ["goodbye", "--set", "lender=Harbour"], standalone_mode=False)
    assert isinstance(missing.exception, InvalidInput)
