"""Costs that are due may be carried into what is asked next, or become principal; they stay owed to the unit."""

from datetime import date, timedelta

import pytest

from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.ledger import owed
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.state import AccountState
from evenkeel.accounts.words import Component, Timing

PENALTY, FEE, INTEREST, PRINCIPAL = Component


def line(*more: AccountFact) -> list[AccountFact]:
    """A card of 1,000.00 in cash of January on which nothing is paid."""
    return [
        AccountFact("o", FactKind.OPENED, date(2024, 1, 1), 0, {"limit_minor": 500_000}),
        AccountFact("c", FactKind.CASH_ADVANCE, date(2024, 1, 2), 100_000),
        *more,
    ]


def loan(*more: AccountFact) -> list[AccountFact]:
    """A loan of 10,000.00 over twelve months on which nothing is paid."""
    return [
        AccountFact("o", FactKind.OPENED, date(2024, 1, 1), 0, {"instalments": 12}),
        AccountFact("d", FactKind.DISBURSEMENT, date(2024, 1, 1), 1_000_000),
        *more,
    ]


def by_component(state: AccountState) -> dict[Component, int]:
    found = dict.fromkeys(Component, 0)
    for part in state.owed:
        found[part.component] += part.amount_minor
    return found


@pytest.mark.parametrize(("product", "facts"), [("card", line), ("cash_loan", loan)])
@pytest.mark.parametrize("kind", [FactKind.CAPITALISED, FactKind.CARRIED])
@pytest.mark.parametrize("component", [None, "interest"])
def test_costs_moved_stay_owed_and_the_ledger_agrees(product, facts, kind, component) -> None:  # type: ignore[no-untyped-def]
    on = date(2024, 4, 15)
    moved = AccountFact("m", kind, on, 0, {"component": component})
    # Any fact posts penalty interest up to its day: this one does nothing else.
    before = account_state(shipped(product), facts(AccountFact("t", FactKind.ARREARS_PAUSED, on, 0, {"until": on})), on)
    after = account_state(shipped(product), facts(moved), on)
    was, now = by_component(before), by_component(after)
    assert sum(was.values()) == sum(now.values()) == after.balance_minor
    assert now == owed(after.postings)
    costs = {one: was[one] for one in ((INTEREST,) if component else (PENALTY, FEE, INTEREST))}
    assert sum(costs.values()) > 0
    billed = dict.fromkeys(Component, 0)
    for part in before.owed:
        if part.timing is not Timing.IN_ADVANCE and part.component in costs:
            billed[part.component] += part.amount_minor
    if kind is FactKind.CAPITALISED:
        assert now[PRINCIPAL] == was[PRINCIPAL] + sum(billed.values())
        assert all(now[one] == was[one] - billed[one] for one in costs)
    else:
        assert now == was
        left = [part for part in after.owed if part.component in costs and part.timing is not Timing.IN_ADVANCE]
        assert left == []
    assert after.restructurings == 1
    assert after.past_due_minor <= before.past_due_minor


@pytest.mark.parametrize("kind", [FactKind.CAPITALISED, FactKind.CARRIED])
def test_a_loan_with_moved_costs_is_still_paid_off_by_its_last_instalment(kind: FactKind) -> None:
    facts = loan(AccountFact("m", kind, date(2024, 4, 15)))
    for place in range(30):
        day = date(2024, 4, 16) + timedelta(days=30 * place)
        facts.append(AccountFact(f"p{place}", FactKind.PAYMENT, day, 100_000))
    state = account_state(shipped("cash_loan"), facts, date(2026, 12, 31))
    assert state.balance_minor == 0 and state.credit_minor > 0


def test_it_is_reversed_as_any_restructuring_is() -> None:
    facts = loan(AccountFact("m", FactKind.CAPITALISED, date(2024, 4, 15)))
    reversal = AccountFact("r", FactKind.REVERSAL, date(2024, 4, 20), reversal_of="m")
    undone = account_state(shipped("cash_loan"), [*facts, reversal], date(2024, 5, 20))
    assert undone == account_state(shipped("cash_loan"), loan(), date(2024, 5, 20))
