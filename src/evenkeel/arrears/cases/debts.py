"""The money of a case, from the facts of its accounts: what is late, what is owed, what was paid and stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date

from evenkeel.accounts.facts import FactKind, standing
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.store import Booked
from evenkeel.accounts.words import Stage
from evenkeel.arrears.cases.model import Debt, Money, Paid
from evenkeel.decisions.engine.position import STAGES, position_of

_PAYMENTS = (FactKind.PAYMENT, FactKind.GUARANTOR_PAYMENT, FactKind.RECOVERY)
Products = Callable[[str], Product]  # by digest


def lender_of(booked: Sequence[Booked]) -> str:
    """Whose account it is; `-` where its opening names nobody: then it is the one lender's."""
    return str(booked[0].fact.details.get("lender_id") or "-")


def money_of(accounts: Mapping[str, Sequence[Booked]], products: Products, day: date) -> Money:
    """The debts and payments of a borrower's accounts on a day. accounts: facts by account, as booked; those that are
    not open by then are left out."""
    debts: list[Debt] = []
    payments: list[Paid] = []
    for name, booked in sorted(accounts.items()):
        facts = [one.fact for one in booked]
        if facts and facts[0].effective_on <= day:
            debts.append(_debt(name, booked, products, day))
            payments += _paid(name, booked, day)
    return Money(day, tuple(debts), tuple(payments))


def _debt(name: str, booked: Sequence[Booked], products: Products, day: date) -> Debt:
    facts = [one.fact for one in booked]
    product = products(str(facts[0].details["product_digest"]))
    owners = {"account_id": name, "borrower_id": str(booked[0].borrower_id), "lender_id": lender_of(booked)}
    at = position_of(owners, product, facts, False, day)
    stage, owed = STAGES[at.stage], at.owed_minor
    if stage is Stage.CHARGED_OFF:
        owed = account_state(product, facts, day).claim_minor
    return Debt(name, str(stage), at.days_past_due, at.past_due_minor, owed)


def _paid(name: str, booked: Sequence[Booked], day: date) -> list[Paid]:
    """Payments that stand on a day; what was charged back of one is not in it."""
    numbers = {one.fact.fact_id: one.seq for one in booked}
    stand = standing([one.fact for one in booked], day)
    back: dict[str, int] = {}
    for fact in stand:
        if fact.kind is FactKind.CHARGEBACK:
            of = str(fact.details["of"])
            back[of] = back.get(of, 0) + fact.amount_minor
    return [
        Paid(numbers[fact.fact_id], name, left, fact.effective_on)
        for fact in stand
        if fact.kind in _PAYMENTS and (left := fact.amount_minor - back.get(fact.fact_id, 0)) > 0
    ]
