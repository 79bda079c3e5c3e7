"""What is known of a person at the moment of a lesson: numbers alone, no names."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from evenkeel.kernel.errors import InvalidInput

Amount = Annotated[int, Meta(ge=1, le=10**13)]
Rate = Decimal


class Facts(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Amounts in minor units, rates as shares (0.0005 is 0.05 %). What is left out is not known.

    on: the day. amount_minor: of the purchase or loan in question; rate_daily, fee_rate_per_period, instalments: its
    price as it is told. bill_minor: what the next bill asks in all; product, rate_annual: of its line. missed_minor:
    what was not paid by its day; loan_rate_daily: of a new loan that would pay it. plan_monthly_minor,
    plan_balance_minor, plan_rate_annual: of a plan; left_minor: what the household has left a month after its basic
    costs. calls_today: effective conversations with collectors. agent_fee_minor: what somebody asks for `repair`;
    item_on, item_minor, repaid_on: the entry that it is about.
    """

    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}$(?!\n)")] = "CNY"
    jurisdiction: Annotated[str, Meta(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,8})*$(?!\n)")] = "CN"
    on: date | None = None
    amount_minor: Amount | None = None
    instalments: Annotated[int, Meta(ge=1, le=120)] | None = None
    rate_daily: Rate | None = None
    fee_rate_per_period: Rate | None = None
    bill_minor: Amount | None = None
    product: Annotated[str, Meta(max_length=64)] = "card"
    rate_annual: Rate | None = None
    missed_minor: Amount | None = None
    loan_rate_daily: Rate | None = None
    plan_monthly_minor: Amount | None = None
    plan_balance_minor: Amount | None = None
    plan_rate_annual: Rate | None = None
    left_minor: Amount | None = None
    calls_today: Annotated[int, Meta(ge=0, le=1000)] | None = None
    agent_fee_minor: Amount | None = None
    item_on: date | None = None
    item_minor: Amount | None = None
    repaid_on: date | None = None

    def known(self, names: tuple[str, ...]) -> bool:
        """Whether all of these are known."""
        return all(getattr(self, name) is not None for name in names)


_MOST = {"rate_daily": 1, "loan_rate_daily": 1, "fee_rate_per_period": 1, "rate_annual": 10, "plan_rate_annual": 10}


def read_facts(given: Mapping[str, Any]) -> Facts:
    """Facts, checked. Raises InvalidInput that names the field and what is allowed."""
    try:
        facts = msgspec.convert(given, Facts)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"the facts cannot be read: {error}.", "`evenkeel learn --help` names the fields.") from None
    for name, most in _MOST.items():
        rate: Decimal | None = getattr(facts, name)
        if rate is not None and not (rate.is_finite() and 0 <= rate <= most and rate * 10**8 % 1 == 0):
            raise InvalidInput(f"`{name}` is {rate}; a share from 0 to {most} is needed, with at most 8 decimals.",
                               "0.05 % is 0.0005.")  # fmt: skip
    return facts


def exact(rate: Decimal | None) -> Fraction:
    """A rate as an exact fraction; 0 where it is not known, as of a plan without interest."""
    return Fraction(rate or 0)
