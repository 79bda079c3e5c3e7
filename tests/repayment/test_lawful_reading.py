"""A case in JSON: what is refused and how that is told, and what is asked instead."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from lawful_samples import AS_OF, card, case, cases

from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.case import Between, Case, Household, Income, OneOff, Payment, Priority
from evenkeel.repayment.facts.doubts import doubts
from evenkeel.repayment.facts.reading import MOST_BYTES, case_schema, read_case, write_case

SOUND: dict[str, Any] = {
    "case_id": "c",
    "as_of": "2026-11-20",
    "household": {"incomes": [{"id": "wage", "amount_minor": 600_000}], "essentials": [{"category": "food"}]},
    "debts": [{"id": "k", "creditor": "bank", "balance_minor": 800_000}],
    "policies": {"bank.of [x]": {"waivers": {"fees": 1}}},
}


def told(change: Any) -> str:
    """What is told of a sound case with a change made to it."""
    draft = json.loads(json.dumps(SOUND))
    change(draft)
    with pytest.raises(InvalidInput) as refused:
        read_case(json.dumps(draft).encode(), "case.json")
    return str(refused.value)


def test_a_sound_case_is_read() -> None:
    assert read_case(json.dumps(SOUND).encode()).debts[0].balance_minor == 800_000


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d: d["household"]["essentials"][0].update(amount_minor=-500),
         ("`household.essentials[0].amount_minor` is -500", "a whole number of minor units", "null")),
        (lambda d: d["debts"][0].update(balance_minor=5.5), ("`debts[0].balance_minor` is 5.5", "minor units")),
        (lambda d: d["debts"][0].update(balance_minor=True), ("is true",)),
        (lambda d: d["debts"][0].update(balance_minor=10**13 + 1), ("10,000,000,000,000",)),
        (lambda d: d["debts"][0].update(rate_annual="24%"), ('is "24%"', "24 % is 0.24")),
        (lambda d: d["debts"][0].update(lender_type="bank"), ('is "bank"', "Allowed: bank_card, bank_loan")),
        (lambda d: d["debts"][0].update(ballance_minor=1), ("'ballance_minor'", "Is `balance_minor` meant?")),
        (lambda d: d["debts"][0].pop("creditor"), ("`debts[0]` lacks `creditor`",)),
        (lambda d: d.update(as_of="2026-02-30"), ('`as_of` is "2026-02-30"', "2026-05-31")),
        (lambda d: d.update(as_of="0026-02-03"), ("2000-01-01 to 2100-12-31",)),
        (lambda d: d["debts"][0].update(opened_on="1026-02-03"), ("`debts[0].opened_on` is 1026-02-03", "mistyped")),
        (lambda d: d["policies"]["bank.of [x]"]["waivers"].update(feez=1), ("has a name", "'feez'", "principal")),
        (lambda d: d["policies"]["bank.of [x]"]["waivers"].update(fees=2), ("`policies.bank.of [x].waivers.fees`",)),
        (lambda d: d["policies"]["bank.of [x]"].update(authority=[{"role": "a", "most_minor": 1}] * 2),
         ("gives the role 'a' two authorities",)),
        (lambda d: d["debts"].append(d["debts"][0]), ("`debts[1].id` is 'k', as is that of debts[0]",)),
        (lambda d: d["household"]["incomes"].append({"id": "wage"}), ("`household.incomes[1].id`",)),
        (lambda d: d["household"]["incomes"][0].update(from_on="2026-05-02", until_on="2026-05-01"),
         ("until_on` is 2026-05-01, before `from_on`, 2026-05-02",)),
        (lambda d: d["debts"][0].update(balance_minor={"low_minor": 3, "high_minor": 2}),
         ("between 3 and 2", '{"low_minor": 2, "high_minor": 3}')),
        (lambda d: d["household"]["incomes"][0].update(season=[1.0] * 11), ("A list of 12",)),
        (lambda d: d.update(case_id="a\n"), ("control characters",)),
        (lambda d: d.update(currency="cny"), ("such as CNY",)),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_place_value_and_remedy(change: Any, words: tuple[str, ...]) -> None:
    message = told(change)
    assert message.startswith("case.json") and [word for word in words if word not in message] == []


@pytest.mark.parametrize(
    "data",
    [b"", b"nul", b"\xff\xfe", b"[]", b"3", b'{"case_id":1e999}', b"[" * 100_000, b'{"a":' * 100_000,
     b'{"case_id":"a","case_id":"b"}', b'{"as_of":' + b"1" * 5_000 + b"}", b'{"case_id":"\\ud800"}',
     b" " * (MOST_BYTES + 1), b'{"' + b"x" * 70_000 + b'":1}'],
)  # fmt: skip
def test_what_is_no_case_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_case(data)
    assert len(str(refused.value)) < 700


def test_an_income_of_one_day_is_one() -> None:
    day = date(2026, 5, 1)
    found = case(household=Household(incomes=(Income("a", amount_minor=5, from_on=day, until_on=day),)))
    assert read_case(write_case(found)) == found


def test_a_second_value_under_one_name_is_refused() -> None:
    text = json.dumps(SOUND).replace('"as_of": "2026-11-20"', '"as_of": "2026-11-20", "as_of": "2026-11-21"')
    with pytest.raises(InvalidInput, match="two values"):
        read_case(text.encode())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases)
def test_a_case_that_is_written_is_read_back(found: Case) -> None:
    assert read_case(write_case(found)) == found


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(cases)
def test_the_schema_holds_for_every_case(found: Case) -> None:
    jsonschema_rs.validator_for(case_schema()).validate(json.loads(write_case(found)))


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    valid = jsonschema_rs.validator_for(case_schema())
    assert valid.is_valid(SOUND) and not valid.is_valid(SOUND | {"as_off": 1})


# --------------------------------------------------------------------------------------------- facts against each other


def keys(found: Case) -> set[str]:
    return {one.key.removeprefix("repay.ask.") for one in doubts(found)}


@pytest.mark.parametrize(
    ("facts", "key"),
    [
        ({"opened_on": date(2026, 11, 21)}, "day_ahead"),
        ({"opened_on": date(2026, 5, 2), "last_payment_on": date(2026, 5, 1)}, "before_opened"),
        ({"opened_on": date(2026, 11, 1), "days_past_due": 20}, "late_before_opened"),
        ({"lent_minor": 5, "received_minor": 6}, "received_more"),
        ({"payments": (Payment(AS_OF, 5),), "paid_minor": 6}, "paid_sum"),
        ({"payments": (Payment(date(2026, 11, 21), 5),)}, "payment_days"),
        ({"stage": "closed"}, "closed_but_owed"),
        ({"minimum_minor": 800_001}, "minimum_above"),
    ],
)
def test_facts_of_a_debt_that_contradict_are_asked_about(facts: dict[str, Any], key: str) -> None:
    assert key in keys(case(card(**facts))) and key not in keys(case(card()))


def test_at_the_boundary_nothing_contradicts() -> None:
    sound = card(
        opened_on=date(2026, 11, 1), days_past_due=19, last_payment_on=date(2026, 11, 1), last_demand_on=AS_OF,
        lent_minor=5, received_minor=5, payments=(Payment(AS_OF, 5),), paid_minor=5, minimum_minor=800_000,
    )  # fmt: skip
    assert keys(case(sound)) == set()


@pytest.mark.parametrize(
    ("house", "key"),
    [
        (Household(), "no_income"),
        (Household(incomes=(Income("a"),)), "income"),
        (Household(incomes=(Income("a", amount_minor=Between(1, 2)),)), "income_between"),
        (Household(incomes=(Income("a", amount_minor=600, history_minor=(100, 100)),)), "income_history"),
        (Household(incomes=(Income("a", amount_minor=6, until_on=date(2026, 1, 1)),)), "income_over"),
        (Household(members=()), "members"),
        (Household(priority=(Priority("rent"),)), "priority"),
        (Household(priority=(Priority("rent", 5, None),)), "arrears"),
        (Household(one_off=(OneOff(date(2026, 11, 19), 5),)), "one_off_past"),
    ],
)
def test_what_a_household_does_not_tell_is_asked_for(house: Household, key: str) -> None:
    assert key in keys(case(card(), household=house)) and key not in keys(case(card()))


def test_without_any_known_income_there_is_no_plan_and_with_one_there_may_be() -> None:
    unknown = Household(incomes=(Income("a"),))
    assert doubts(case(card(), household=unknown))[0].blocking
    both = Household(incomes=(Income("a"), Income("b", amount_minor=5)))
    asked = [one for one in doubts(case(card(), household=both)) if one.key == "repay.ask.income"]
    assert [one.blocking for one in asked] == [False] and asked[0].weight_minor > 800_000 // 36


def test_a_case_without_debts_asks_for_them() -> None:
    assert "no_debts" in keys(case())


def test_every_struct_refuses_fields_that_nobody_knows() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"low_minor": 1, "high_minor": 2, "mean_minor": 1}, Between)
