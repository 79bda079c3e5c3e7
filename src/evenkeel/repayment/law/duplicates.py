"""One debt told twice: by who lent it and by who bought it, or by two who say they did. They are one claim.

A debt is known by its creditor and its id there. An assigned one names both (`original_creditor`, `original_id`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from evenkeel.repayment.case import Debt
from evenkeel.repayment.facts.doubts import high, level
from evenkeel.repayment.model import Question


@dataclass(frozen=True, slots=True)
class One:
    """A debt, the ids of the others that are the same one, and what to ask about it."""

    debt: Debt
    merged: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()


def without_duplicates(debts: Sequence[Debt]) -> tuple[One, ...]:
    """Each debt once, by id. Of several records of one, whoever holds it now is the creditor, and the most that is
    claimed is taken (cautious); a difference between them is a question."""
    groups: list[list[Debt]] = []
    for debt in sorted(debts, key=lambda one: one.id):
        same = [group for group in groups if any(_keys(debt) & _keys(other) for other in group)]
        groups = [group for group in groups if group not in same]
        groups.append([one for group in same for one in group] + [debt])
    ones = [_merged(group) if len(group) > 1 else One(group[0]) for group in groups]
    ones = [One(one.debt, one.merged, (*one.questions, *_maybe(one.debt, debts))) for one in ones]
    return tuple(sorted(ones, key=lambda one: one.debt.id))


def owed(debt: Debt) -> int | None:
    """The most that a record says is owed; None where it does not say."""
    parts = [high(part) for part in (debt.fees_minor, debt.penalty_minor, debt.interest_minor, debt.principal_minor)]
    balance = high(debt.balance_minor)
    if balance is None and parts[3] is None:
        return None
    return max(balance or 0, sum(part or 0 for part in parts))


def _keys(debt: Debt) -> set[tuple[str, str]]:
    keys = {(debt.creditor, debt.id)}
    if debt.original_id is not None:
        keys.add((debt.original_creditor or debt.creditor, debt.original_id))
    return keys


def _assigned(debt: Debt) -> bool:
    return debt.original_creditor not in (None, debt.creditor)


def _merged(group: Sequence[Debt]) -> One:
    """One debt of several records of it, whatever their order."""
    holder = max(group, key=lambda one: (one.stage not in ("sold", "closed"), _assigned(one), owed(one) or 0, one.id))
    most = max(group, key=lambda one: (owed(one) is not None, owed(one) or 0, one.id))
    first = next((one for one in sorted(group, key=lambda one: one.id) if not _assigned(one)), None)
    amounts = [amount for amount in map(owed, group) if amount is not None]
    debt = replace(
        most,
        id=holder.id,
        creditor=holder.creditor,
        lender_type=holder.lender_type,
        product=holder.product or most.product,
        stage="judgement" if any(one.stage == "judgement" for one in group) else holder.stage,
        original_creditor=holder.original_creditor,
        original_id=holder.original_id,
        original_lender_type=holder.original_lender_type or (first.lender_type if first else None),
        rate_annual=max((one.rate_annual for one in group if one.rate_annual is not None), default=None),
        days_past_due=max((one.days_past_due for one in group if one.days_past_due is not None), default=None),
        opened_on=min((one.opened_on for one in group if one.opened_on), default=None),
        last_payment_on=max((one.last_payment_on for one in group if one.last_payment_on), default=None),
        last_demand_on=max((one.last_demand_on for one in group if one.last_demand_on), default=None),
        lpr_annual=max((one.lpr_annual for one in group if one.lpr_annual is not None), default=None),
        disputed=max((one.disputed for one in group), key=_gravity),
        secured=any(one.secured for one in group),
        guarantor=any(one.guarantor for one in group),
        restructured=max(one.restructured for one in group),
    )
    others = tuple(sorted(one.id for one in group if one.id != holder.id))
    apart = max(amounts, default=0) - min(amounts, default=0)
    values = {"ids": ", ".join(sorted(one.id for one in group)), "difference_minor": apart}
    asked = Question(f"debts.{holder.id}", "repay.ask.duplicate", level(apart, 0), values=values)
    return One(debt, others, (asked,))


def _gravity(disputed: str) -> int:
    return ("", "fees", "amount", "identity", "all").index(disputed)


def _maybe(debt: Debt, debts: Iterable[Debt]) -> list[Question]:
    """An assigned debt without its old id may be one that is told by its old creditor as well."""
    if not _assigned(debt) or debt.original_id is not None:
        return []
    return [
        Question(
            f"debts.{debt.id}.original_id",
            "repay.ask.maybe_duplicate",
            level(min(owed(debt) or 0, owed(other) or 0), 0),
            values={"other": other.id},
        )
        for other in sorted(debts, key=lambda one: one.id)
        if other.creditor == debt.original_creditor
    ]
