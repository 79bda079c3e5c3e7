"""A lender, borrowers with one pay-later line each, and a clock that a test moves."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from evenkeel.accounts.products.reading import shipped
from evenkeel.accounts.service import post
from evenkeel.arrears.cases.service import Cases
from evenkeel.arrears.law import load_rules
from evenkeel.decisions.review.service_level import WorkingHours
from evenkeel.storage.journal import Fact, Journal
from evenkeel.storage.workspace import Workspace

RULES = load_rules()
HOME = ZoneInfo("Asia/Shanghai")
BEGIN = datetime(2026, 3, 10, 2, tzinfo=UTC)  # ten in the morning in Shanghai
DUE = 50_000
MARKED = {"item_marked": True, "account_marked": True, "debt_checked": True}
TOLD_AGENCY = {
    "evaluated_on": date(2026, 1, 5), "trained_on": date(2026, 1, 5), "contract_until": date(2027, 12, 31),
    "processor_contract": True, "impact_assessed": True, "rate_ppm": 100_000, "conduct_ppm": 500_000,
}  # fmt: skip


@dataclass
class World:
    """Everything of one test. lender: of its own, so that a shared database shows it nothing else."""

    record: Workspace
    now: datetime = BEGIN
    lender: str = field(default_factory=lambda: f"l{secrets.token_hex(5)}")
    jurisdiction: str = "CN"

    def __post_init__(self) -> None:
        self.journal = Journal(self.record.engine, lambda: self.now)
        self.place: Any = SimpleNamespace(journal=self.journal, engine=self.record.engine)
        self.cases = self.cases_of(self.lender)

    def cases_of(self, lender: str, **more: Any) -> Cases:
        return Cases(self.journal, lender, RULES, self.jurisdiction, WorkingHours(HOME), **more)

    def borrower(self, bought: int = DUE, since_days: int = 120, **more: Any) -> str:
        """A borrower with one line, of which a purchase is long past due."""
        name = f"b{secrets.token_hex(5)}"
        self.account(name, f"a-{name}", bought, since_days, **more)
        return name

    def account(self, borrower: str, account: str, bought: int, since_days: int = 120, **more: Any) -> None:
        day = (self.now - timedelta(days=since_days)).date()
        opening = {
            "account_id": account, "borrower_id": borrower, "fact_id": "o", "kind": "opened",
            "effective_on": day.isoformat(), "product": "pay_later", "limit_minor": 1_000_000,
            "lender_id": self.lender, **more,
        }  # fmt: skip
        self.post(opening)
        self.post({"account_id": account, "fact_id": "p", "kind": "purchase",
                   "effective_on": (day + timedelta(days=1)).isoformat(), "amount_minor": bought})  # fmt: skip

    def post(self, *records: dict[str, Any]) -> None:
        post(self.place, records, shipped)

    def pay(self, borrower: str, amount: int, name: str | None = None, account: str | None = None) -> str:
        name = name or secrets.token_hex(6)
        self.post({"account_id": account or f"a-{borrower}", "fact_id": name, "kind": "payment",
                   "effective_on": self.today.isoformat(), "amount_minor": amount})  # fmt: skip
        return name

    def take_back(self, borrower: str, payment: str) -> None:
        self.post({"account_id": f"a-{borrower}", "fact_id": f"r-{payment}", "kind": "reversal",
                   "effective_on": self.today.isoformat(), "reversal_of": payment})  # fmt: skip

    def event(self, borrower: str, kind: str, at: datetime | None = None, **fields: Any) -> str:
        name = secrets.token_hex(10)
        payload = {"lender_id": self.lender, "fields": fields, "request": ""}
        self.journal.append([Fact(name, f"event.{kind}", at or self.now, payload, borrower)])
        return name

    @property
    def today(self) -> date:
        return self.now.astimezone(HOME).date()

    def later(self, **span: float) -> None:
        self.now += timedelta(**span)
