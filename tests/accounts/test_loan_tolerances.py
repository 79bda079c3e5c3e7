"""A product's tolerances mean the same for a loan as for a line: days past due that do not count charge nothing off."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction

import pytest

from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.fold import account_state
from evenkeel.accounts.products.model import Tolerance
from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.state import AccountState
from evenkeel.accounts.words import Stage

OPENED, FIRST_DUE = date(2024, 5, 2), {"cash_loan": date(2024, 6, 2), "pay_later": date(2024, 6, 10)}


def after(name: str, days: int, tolerance: Tolerance) -> AccountState:
    """An account that pays nothing, so many days after its first due day; its product charges off at 60."""
    product = replace(shipped(name), tolerance=tolerance, charge_off_days=60)
    kind, limit = (FactKind.PURCHASE, {"limit_minor": 500_000}) if product.line else (FactKind.DISBURSEMENT, {})
    facts = [AccountFact("o", FactKind.OPENED, OPENED, 0, limit), AccountFact("m", kind, OPENED, 120_000)]
    return account_state(product, facts, FIRST_DUE[name] + timedelta(days=days))


@pytest.mark.parametrize("name", FIRST_DUE)
@pytest.mark.parametrize(
    ("tolerance", "charged_off"),
    [
        (Tolerance(), 60),
        (Tolerance(grace_days=60), 61),
        (Tolerance(material_minor=1), 60),
        (Tolerance(material_minor=10**9), None),
        (Tolerance(material_share=Fraction(1)), None),
    ],
)
def test_an_account_is_charged_off_once_its_days_past_due_count(
    name: str, tolerance: Tolerance, charged_off: int | None
) -> None:
    if charged_off is None:
        found = after(name, 90, tolerance)
        assert (found.stage, found.days_past_due, found.grade) == (Stage.OPEN, 0, "normal")
        return
    eve = after(name, charged_off - 1, tolerance)
    assert (eve.stage, eve.days_past_due) == (Stage.OPEN, 0 if tolerance.grace_days else charged_off - 1)
    assert after(name, charged_off, tolerance).stage is Stage.CHARGED_OFF


@pytest.mark.parametrize("grace_days", [0, 10])
def test_a_loan_past_the_charge_off_point_is_charged_off_once_enough_is_late(grace_days: int) -> None:
    """Twelve instalments of 11,002 at 18 %: more than 60,000 is late with the sixth, due on 2 November."""
    product = replace(
        shipped("cash_loan"), tolerance=Tolerance(grace_days=grace_days, material_minor=60_000), charge_off_days=60
    )
    facts = [AccountFact("o", FactKind.OPENED, OPENED), AccountFact("m", FactKind.DISBURSEMENT, OPENED, 120_000)]
    eve = date(2024, 11, 2) + timedelta(days=grace_days)
    before, after = (account_state(product, facts, eve + timedelta(days=days)) for days in (0, 1))
    assert (before.stage, before.days_past_due) == (Stage.OPEN, 0)
    assert after.stage is Stage.CHARGED_OFF
    # Seen at the end of every month on the way, it is the same.
    assert account_state(product, facts, eve + timedelta(days=1), history=True).postings == after.postings
