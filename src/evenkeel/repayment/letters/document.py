"""The document of a plan, as far as letters read it: what is owed to whom, what is asked, what is paid when.

It is JSON data, so that a plan kept on record or sent over HTTP can still be written to its creditors. `document_of`
makes it from a plan; other fields may stand beside those read here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from evenkeel.kernel.errors import InvalidInput
from evenkeel.repayment.case import COMPONENTS, Amount, Component, Id, LenderType, Rate
from evenkeel.repayment.model import MILLION, Asked, Claim, Part, Plan

Cause = Literal["job_lost", "income_less", "illness", "family", "disaster", "business", "other"]
_MOST_DEBTS = 200


class Pay(Struct, frozen=True):
    """One payment on its day."""

    due_on: date
    amount_minor: Amount


class Ask(Struct, frozen=True):
    """What is asked of a creditor. rate_annual: null where the debt's own rate goes on. rules: ids that support it."""

    waived: dict[Component, Amount] = {}
    rate_annual: Rate | None = None
    rules: tuple[Id, ...] = ()

    @property
    def waived_minor(self) -> int:
        """All that is waived."""
        return sum(self.waived.values())


class Taken(Struct, frozen=True):
    """What a rule takes off a component of a debt."""

    component: Component
    amount_minor: Amount
    rule: Id


class Debt(Struct, frozen=True):
    """One debt. balance_minor: what is lawfully owed, null where not known; components: what it is made of.

    claimed_minor: what the creditor says, where that differs: of one whose fees are disputed, with these. offer_minor:
    what can be paid on it a month for now, of hardship. settle_minor, settle_on: what is paid at once to settle it.
    paid_minor, cleared_on: what was paid, of a debt that is.
    """

    debt_id: Id
    creditor: Id
    lender_type: LenderType = "other"
    balance_minor: Amount | None = None
    components: dict[Component, Amount] = {}
    claimed_minor: Amount | None = None
    days_past_due: Annotated[int, Meta(ge=0, le=36_500)] | None = None
    disputed: Literal["", "amount", "identity", "fees", "all"] = ""
    cuts: tuple[Taken, ...] = ()
    asked: Ask = Ask()
    payments: Annotated[tuple[Pay, ...], Meta(max_length=200)] = ()
    offer_minor: Amount | None = None
    settle_minor: Amount | None = None
    settle_on: date | None = None
    paid_minor: Amount | None = None
    cleared_on: date | None = None

    @property
    def apart(self) -> bool:
        """Whether all of it is objected to; of one whose fees are, the rest is owed, and may be planned for."""
        return self.disputed != "" and (self.disputed != "fees" or not self.balance_minor)

    @property
    def paying_minor(self) -> int:
        """All that is paid by the plan."""
        return sum(pay.amount_minor for pay in self.payments)


class Document(Struct, frozen=True):
    """A plan over all debts, or the facts of a household without one. cause, since_on, months: of hardship: why, since
    when, and for how long help is asked."""

    debts: Annotated[tuple[Debt, ...], Meta(min_length=1, max_length=_MOST_DEBTS)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")] = "CNY"
    jurisdiction: str = "CN"
    status: Literal["feasible", "infeasible", "question"] = "feasible"
    cause: Cause = "other"
    since_on: date | None = None
    months: Annotated[int, Meta(ge=1, le=60)] | None = None


def read(document: Mapping[str, Any]) -> Document:
    """A document, checked. Raises InvalidInput that names the field and what is allowed."""
    try:
        found = msgspec.convert(document, Document)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the plan cannot be written as letters: {error}.", "See letters/README.md.") from None
    ids = [debt.debt_id for debt in found.debts]
    if len(set(ids)) < len(ids):
        raise InvalidInput("two debts of the plan have one id.", "Give every debt an id of its own.")
    for debt in found.debts:
        days = [pay.due_on for pay in debt.payments]
        if days != sorted(days):
            raise InvalidInput("the payments on a debt are not in order of days.", "Put the earlier day first.")
    return found


def document_of(
    plan: Plan, claims: Sequence[Claim], due_on: Sequence[date], currency: str, jurisdiction: str = "CN"
) -> dict[str, Any]:
    """The document of a plan. claims: of its debts; due_on: the day of each month of it, from the start (`Budget`).

    Every debt whose part is paid in full at the start is one to settle.
    """
    by_id = {claim.debt_id: claim for claim in claims}
    debts = [_debt(part, by_id[part.debt_id], due_on) for part in plan.parts]
    return {"status": "feasible", "currency": currency, "jurisdiction": jurisdiction, "debts": debts}


def _debt(part: Part, claim: Claim, due_on: Sequence[date]) -> dict[str, Any]:
    payments = [
        {"due_on": day.isoformat(), "amount_minor": amount}
        for day, amount in zip(due_on, part.payments.tolist(), strict=False)
        if amount
    ]
    owed = (claim.fees_minor, claim.penalty_minor, claim.interest_minor, claim.principal_minor)
    debt: dict[str, Any] = {
        "debt_id": part.debt_id,
        "creditor": part.creditor,
        "lender_type": claim.lender_type,
        "balance_minor": claim.balance_minor,
        "components": {name: amount for name, amount in zip(COMPONENTS, owed, strict=True) if amount},
        "days_past_due": claim.days_past_due,
        "cuts": [
            {"component": cut.component, "amount_minor": cut.amount_minor, "rule": cut.rule} for cut in claim.cuts
        ],
        "asked": _ask(part.asked, claim),
        "payments": payments,
    }
    if claim.cuts:
        debt["claimed_minor"] = claim.balance_minor + sum(cut.amount_minor for cut in claim.cuts)
    if part.last_month == 0 and payments:
        debt |= {"settle_minor": part.paid_minor, "settle_on": due_on[0].isoformat()}
    return debt


def _ask(asked: Asked, claim: Claim) -> dict[str, Any]:
    rate = None if asked.rate_micros == claim.rate_micros else asked.rate_micros / MILLION
    waived = {name: amount for name, amount in asked.waived.items() if amount}
    return {"waived": waived, "rate_annual": rate, "rules": list(asked.rules)}
