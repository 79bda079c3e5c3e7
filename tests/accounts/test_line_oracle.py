"""The engine of revolving lines against the plain calculator in `line_oracle`: the same in everything that is read."""

from datetime import date
from typing import Any

import pytest
from histories import Case, cases, seeded
from hypothesis import given, settings
from line_oracle import calculate
from line_oracle_account import ONE_DAY, Account, total, unpaid_dues

from evenkeel.accounts.facts import standing
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.account import Line
from evenkeel.accounts.line.fold import by_day, fold_line
from evenkeel.accounts.line.rules import line_rules
from evenkeel.accounts.state import AccountState


def read_engine(state: AccountState) -> dict[str, Any]:
    """What is compared, of a state."""
    return {
        "stage": str(state.stage),
        "cells": {(part.timing, part.segment, part.component): part.amount_minor for part in state.owed},
        "balance": state.balance_minor,
        "credit": state.credit_minor,
        "accrued": state.accrued_minor,
        "claim": state.claim_minor,
        "subrogated": state.subrogated_minor,
        "restructurings": state.restructurings,
        "dues": [(due.due_on, due.due_minor, due.paid_minor) for due in state.dues],
        "past_due": state.past_due_minor,
        "bills": [
            (bill.cut_on, bill.due_on, bill.total_minor, bill.minimum_minor, bill.principal_minor, bill.interest_minor,
             bill.fee_minor, bill.penalty_minor, bill.credit_minor)
            for bill in state.bills
        ],
        "limit": state.limit_minor,
        "held": state.held_minor,
        "available": state.available_minor,
        "days_past_due": state.days_past_due,
        "month_ends": {end.on: end.days_past_due for end in state.months},
    }  # fmt: skip


def read_oracle(account: Account, case: Case) -> dict[str, Any]:
    """The same of the calculator's account."""
    limit, line = account["limit"], account["line"]
    held = sum(amount for amount, _ in account["holds"].values())
    counted = sum(account["interest"].values()) + sum(account["penalties"].values())
    days = account["days_past_due"]
    available = None
    if limit is not None:
        room = int(limit * (1 + line.over_limit_share)) - total(account) - held + account["credit"]
        available = max(0, room) if account["stage"] == "open" else 0
    return {
        "stage": account["stage"],
        "cells": {cell: amount for cell, amount in account["cells"].items() if amount},
        "balance": total(account),
        "credit": account["credit"],
        "accrued": int(counted),
        "claim": account["claim"],
        "subrogated": account["subrogated"],
        "restructurings": account["restructurings"],
        "dues": [(due["on"], due["amount"], due["paid"]) for due in account["dues"]],
        "past_due": unpaid_dues(account, case.as_of),
        "bills": [tuple(bill.values()) for bill in account["bills"]],
        "limit": limit,
        "held": held,
        "available": available,
        "days_past_due": days[case.as_of],
        "month_ends": {day: count for day, count in days.items() if (day + ONE_DAY).day == 1},
    }


def differences(account: Account, state: AccountState, case: Case) -> list[str]:
    """What the two do not agree on."""
    found, expected = read_engine(state), read_oracle(account, case)
    return [f"{name}: {found[name]} instead of {expected[name]}" for name in expected if found[name] != expected[name]]


def compared(case: Case) -> list[str]:
    """The case by both, compared."""
    state = fold_line(line_rules(case.product), case.facts, case.as_of, history=True)
    return differences(calculate(case.product, case.facts, case.as_of), state, case)


@settings(max_examples=40, deadline=None)
@given(cases())
def test_the_engine_is_the_plain_calculator(case: Case) -> None:
    assert compared(case) == []


@pytest.mark.prove
@pytest.mark.parametrize("block", range(10))
def test_the_engine_is_the_plain_calculator_on_a_thousand_histories(block: int) -> None:
    for seed in range(100 * block, 100 * block + 100):
        assert compared(seeded(seed)) == [], f"seed {seed}"


def lateness_day_by_day(case: Case) -> dict[date, int]:
    """The engine's days past due at the close of every day."""
    facts = sorted(standing(case.facts, case.as_of), key=by_day)
    line, day, found = Line(line_rules(case.product)), facts[0].effective_on, {}
    line.open(facts.pop(0))
    while day <= case.as_of:
        while facts and facts[0].effective_on == day:
            line.apply(facts.pop(0))
        line.close(day)
        found[day] = line.v[k.DAYS_PAST_DUE]
        day += ONE_DAY
    return found


@settings(max_examples=20, deadline=None)
@given(cases())
def test_days_past_due_of_every_day_are_those_of_the_plain_calculator(case: Case) -> None:
    assert lateness_day_by_day(case) == calculate(case.product, case.facts, case.as_of)["days_past_due"]


@pytest.mark.prove
@pytest.mark.parametrize("block", range(4))
def test_days_past_due_of_every_day_on_four_hundred_histories(block: int) -> None:
    for seed in range(1000 + 100 * block, 1100 + 100 * block):
        case = seeded(seed)
        expected = calculate(case.product, case.facts, case.as_of)["days_past_due"]
        assert lateness_day_by_day(case) == expected, f"seed {seed}"
