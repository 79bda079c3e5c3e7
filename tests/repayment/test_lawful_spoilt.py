"""Spoilt cases: whatever is done to a file, the answer is a refusal that a person can act on, or questions."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from lawful_samples import card, case, private

from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.case import Authority, Case, Essential, Household, Income, Policy, Priority, Recovery
from evenkeel.repayment.facts.doubts import doubts
from evenkeel.repayment.facts.form import read_form, write_form
from evenkeel.repayment.facts.reading import read_case, write_case
from evenkeel.repayment.law.essentials import essentials
from evenkeel.repayment.law.lawful import claims
from evenkeel.repayment.law.routes import causes_of, routes
from evenkeel.repayment.law.words import asked, warned

SOUND = case(
    card(), private(received_minor=900_000), card(id="n", creditor="buyer", original_creditor="bank", original_id="k"),
    household=Household(
        incomes=(Income("wage", amount_minor=600_000, history_minor=(600_000, 580_000), pay_day=8),),
        essentials=(Essential("food", 90_000), Essential("housing", None)), priority=(Priority("rent", 150_000),),
        savings_minor=100_000,
    ),
    policies={"*": Policy(waivers={"fees": 1.0}, authority=(Authority("head", 500),), recovery=Recovery(0.3))},
    role="head",
)  # fmt: skip

ODD: tuple[Any, ...] = (
    None, True, -1, 0, 1, 31, 32, 10**13, 10**13 + 1, 10**30, -(10**30), 0.5, -0.5, 1e300, "", "x", "2026-02-30",
    "0001-01-01", "9999-12-31", "=1+1", "\u0000", "😀", "x" * 300, [], [None], {}, {"low_minor": 2, "high_minor": 1},
    {"low_minor": None}, "bank_card", "open", "*", "CN", "1,000",
)  # fmt: skip


def answer(found: Case) -> None:
    """Everything that is made of a case before there is a plan."""
    claimed, questions = claims(found)
    questions = (*questions, *doubts(found), *essentials(found).questions)
    for language in ("en", "zh"):
        assert all(asked(one, found.currency, language) for one in questions)
        assert all(warned(one, language) for claim in claimed for one in claim.warnings)
    routes(found, causes_of(claimed, questions))


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where something stands in a case."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key)))]


def spoil(chance: random.Random, plain: Any) -> Any:
    """One to three changes: another value, a part taken out, told twice, under another name, or in another place."""
    draft = copy.deepcopy(plain)
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(places(draft)[1:])
        parent = draft
        for key in path[:-1]:
            parent = parent[key]
        match chance.randint(0, 4):
            case 0 | 1:
                parent[path[-1]] = copy.deepcopy(chance.choice(ODD))
            case 2:
                del parent[path[-1]]
            case 3 if isinstance(parent, list):
                parent.append(copy.deepcopy(parent[path[-1]]))
            case 3:
                parent[f"{path[-1]}x"] = parent.pop(path[-1])
            case _:
                value: Any = draft
                for key in chance.choice(places(draft)):
                    value = value[key]
                parent[path[-1]] = copy.deepcopy(value)
        if not places(draft)[1:]:
            break
    return draft


@pytest.mark.parametrize("seed", range(12))
def test_spoilt_json_is_refused_or_asked_about(seed: int) -> None:
    chance, plain = random.Random(seed), json.loads(write_case(SOUND))
    refused = 0
    for _ in range(50):
        try:
            answer(read_case(json.dumps(spoil(chance, plain)).encode(), "case.json"))
        except InvalidInput as fault:
            refused += 1
            assert "case.json" in str(fault) and 20 < len(str(fault)) < 1_200
    assert 10 <= refused < 50  # both kinds are there


def test_spoilt_bytes_are_refused_or_read() -> None:
    chance, data = random.Random(5), write_case(SOUND)
    for _ in range(300):
        spoilt = bytearray(data)
        for _ in range(chance.randint(1, 4)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        try:
            answer(read_case(bytes(spoilt[: chance.choice([len(spoilt), chance.randrange(len(spoilt))])])))
        except InvalidInput as fault:
            assert str(fault)


@pytest.mark.parametrize("count", [25, pytest.param(500, marks=pytest.mark.prove)])
def test_spoilt_forms_are_refused_or_asked_about(tmp_path: Path, count: int) -> None:
    chance, path = random.Random(7), tmp_path / "form.xlsx"
    for _ in range(count):
        write_form(path, SOUND, "en")
        book = openpyxl.load_workbook(path)
        for _ in range(chance.randint(1, 3)):
            page = chance.choice(book.worksheets)
            cell = page.cell(chance.randint(1, max(2, page.max_row)), chance.randint(1, page.max_column + 1))
            value = chance.choice([one for one in ODD if not isinstance(one, list | dict) and one != "\u0000"])
            cell.value = value
        book.save(path)
        try:
            answer(read_form(path))
        except InvalidInput as fault:
            assert "form.xlsx" in str(fault)


def test_a_spoilt_archive_is_refused_or_read(tmp_path: Path) -> None:
    chance, path = random.Random(9), tmp_path / "form.xlsx"
    write_form(path, SOUND, "en")
    data = path.read_bytes()
    for _ in range(60):
        spoilt = bytearray(data)
        for _ in range(chance.randint(1, 30)):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        path.write_bytes(spoilt)
        try:
            answer(read_form(path))
        except InvalidInput as fault:
            assert "form.xlsx" in str(fault)


def test_sixty_creditors_and_the_largest_amounts() -> None:
    many = case(*(card(id=f"k{number}", balance_minor=10**13, rate_annual=1000.0) for number in range(60)))
    claimed, _ = claims(many)
    assert len(claimed) == 60 and all(one.balance_minor == 10**13 for one in claimed)
