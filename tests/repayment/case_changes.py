"""The same household, otherwise: richer, ten times as large, under other names, with one debt more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec.structs import replace

from evenkeel.repayment.case import Between, Case, Debt, Essential, Income, Known


def richer(case: Case, times: float) -> Case:
    """All incomes so many times as large, what was seen of them too."""

    def more(amount: Known) -> Known:
        if isinstance(amount, Between):
            return Between(round(amount.low_minor * times), round(amount.high_minor * times))
        return None if amount is None else round(amount * times)

    def risen(one: Income) -> Income:
        seen = tuple(round(month * times) for month in one.history_minor)
        return replace(one, amount_minor=more(one.amount_minor), history_minor=seen)

    house = case.household
    return replace(case, household=replace(house, incomes=tuple(risen(one) for one in house.incomes)))


def of_any_amounts(case: Case) -> Case:
    """The same without anything that creditors ask for: any instalments over up to 60 months."""
    return replace(case, policies={}, fairness=None, role=None)


def owing_more(case: Case, amount: int) -> Case:
    """One debt more."""
    more = Debt(
        "one-more", "another", "consumer_finance", principal_minor=amount, interest_minor=0, fees_minor=0,
        penalty_minor=0,
        rate_annual=0.12, days_past_due=5,
    )  # fmt: skip
    return replace(case, debts=(*case.debts, more))


def living_told(case: Case, essentials_minor: int) -> Case:
    """The same with its essentials told as one amount, so that no minimum in yuan is in them."""
    return replace(case, household=replace(case.household, essentials=(Essential("other", essentials_minor),)))


def ten_times(case: Case) -> Case:
    """All amounts ten times as large, those of policies and histories too."""
    return msgspec.convert(_amounts(msgspec.to_builtins(case), lambda amount: 10 * amount), Case)


def _amounts(value: Any, change: Callable[[int], int], named: bool = False) -> Any:
    if isinstance(value, dict):
        return {name: _amounts(one, change, name.endswith("_minor")) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_amounts(one, change, named) for one in value]
    return change(value) if named and isinstance(value, int) and not isinstance(value, bool) else value


def renamed(case: Case) -> Case:
    """Other names for creditors and debts, and the debts in another order."""

    def other(name: str | None) -> str | None:
        return None if name is None else f"n-{name[::-1]}"

    kinds = {debt.lender_type for debt in case.debts} | {"*"}
    debts = [
        replace(debt, id=other(debt.id), creditor=other(debt.creditor), original_id=other(debt.original_id),
                original_creditor=other(debt.original_creditor))
        for debt in reversed(case.debts)
    ]  # fmt: skip
    policies = {key if key in kinds else other(key): one for key, one in case.policies.items()}
    return replace(case, debts=tuple(debts), policies=policies)
