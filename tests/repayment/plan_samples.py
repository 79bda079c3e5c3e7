"""A household with a card and a pay-later line, and the record that its plans are kept on."""

import copy
from datetime import UTC, date, datetime
from typing import Any

from evenkeel.repayment.case import Case
from evenkeel.repayment.facts.reading import case_of
from evenkeel.repayment.life.plans import Plans
from evenkeel.storage.workspace import Workspace

AS_OF = date(2026, 1, 20)
NOW = datetime(2029, 6, 1, 9, tzinfo=UTC)  # all plans of these tests are over by then

# What must be spent is told for every category, so that nothing is asked.
_ESSENTIALS = ("housing", "food", "utilities", "transport", "health", "education", "communication", "other")
_HOUSE: dict[str, Any] = {
    "incomes": [{"id": "wage", "amount_minor": 700_000, "volatility": 0.1, "pay_day": 10, "evidence": "verified"}],
    "essentials": [{"category": name, "amount_minor": 50_000} for name in _ESSENTIALS],
}  # fmt: skip
_CARD: dict[str, Any] = {
    "id": "card", "creditor": "bank-a", "lender_type": "bank_card", "principal_minor": 1_000_000,
    "interest_minor": 40_000, "fees_minor": 10_000, "penalty_minor": 20_000, "rate_annual": 0.18,
    "days_past_due": 40, "opened_on": "2022-05-01",
}  # fmt: skip
_LINE: dict[str, Any] = {
    "id": "line", "creditor": "lender-1", "lender_type": "consumer_finance", "principal_minor": 400_000,
    "interest_minor": 0, "fees_minor": 0, "penalty_minor": 0, "rate_annual": 0.12, "days_past_due": 21,
    "opened_on": "2025-05-01",
}  # fmt: skip
_BANK: dict[str, Any] = {
    "instalments": "level", "terms": [6, 12, 24], "rates": [0.06], "waivers": {"fees": 1, "penalty": 1},
    "authority": [{"role": "clerk", "most_minor": 10_000}, {"role": "head", "most_minor": 30_000}],
}  # fmt: skip
_PAY: dict[str, Any] = {"instalments": "level", "terms": [3, 6, 12]}
_PLAIN: dict[str, Any] = {
    "case_id": "household-1", "borrower_id": "b1", "as_of": AS_OF.isoformat(), "household": _HOUSE,
    "debts": [_CARD, _LINE], "policies": {"bank-a": _BANK, "lender-1": _PAY}, "role": "head",
}  # fmt: skip


def plain(**changed: Any) -> dict[str, Any]:
    """The case as JSON data."""
    return {**copy.deepcopy(_PLAIN), **changed}


def poor() -> dict[str, Any]:
    """The case with an income that leaves nothing."""
    case = plain()
    case["household"]["incomes"][0]["amount_minor"] = 400_000
    return case


def asking() -> dict[str, Any]:
    """The case with a debt of which nobody says how much it is."""
    case = plain()
    del case["debts"][1]["principal_minor"]
    return case


def case(**changed: Any) -> Case:
    """The case."""
    return case_of(plain(**changed), str)


def agreed(plans: Plans, name: str = "cheapest", **changed: Any) -> str:
    """A plan that all creditors have agreed to; its id."""
    life = plans.propose(case(**changed), name, "ana")
    for debt in life.creditors:
        plans.consent(life.plan_id, debt, "li", "head", AS_OF)
    return life.plan_id


def running(plans: Plans, name: str = "cheapest", **changed: Any) -> str:
    """A plan that is signed; its id."""
    plan_id = agreed(plans, name, **changed)
    plans.sign(plan_id, "wang", AS_OF)
    return plan_id


def due(plans: Plans, plan_id: str) -> list[tuple[date, list[tuple[str, int]]]]:
    """The days of a plan with what is due to each creditor."""
    days: dict[date, list[tuple[str, int]]] = {}
    for one in plans.life(plan_id).instalments:
        days.setdefault(one.due_on, []).append((one.debt_id, one.amount_minor))
    return sorted(days.items())


def pay_days(plans: Plans, plan_id: str, count: int) -> date:
    """The first so many days of a plan are paid; the last of them."""
    last = AS_OF
    for last, rows in due(plans, plan_id)[:count]:
        for debt, amount in rows:
            plans.pay(plan_id, debt, amount, last, f"{debt}-{last}")
    return last


def kinds(workspace: Workspace, prefix: str) -> list[str]:
    """Kinds of facts on record, in the order of booking."""
    return [entry.fact.kind for entry in workspace.journal.read() if entry.fact.kind.startswith(prefix)]
