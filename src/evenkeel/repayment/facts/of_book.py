"""A case from the record of a borrower: the book's own accounts and the lines that others reported.

What a book does not tell stays unknown: balances have no parts, essentials and savings are asked for. A dependant is
taken as a child, and where their number is not known there is one (PlanAssumptions); so it is asked about, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import build_panel
from evenkeel.book.model import Book
from evenkeel.decisions.exposure import Caps, incomes, open_lines
from evenkeel.kernel.calendar import month_end, month_of
from evenkeel.kernel.errors import NotFound
from evenkeel.repayment.case import Case, Debt, Household, Income, LenderType, Member, Priority
from evenkeel.repayment.facts.reading import case_of
from evenkeel.repayment.plan import PlanAssumptions

HISTORY_MONTHS = 24
_EPOCH = date(1970, 1, 1)
_LENDERS: Mapping[str, LenderType] = {
    "bank": "bank_loan", "consumer_finance": "consumer_finance", "micro_loan": "micro_loan", "platform": "platform",
    "debt_buyer": "debt_buyer",
}  # fmt: skip
_EVIDENCE = {"verified": "verified", "observed": "statement", "declared": "declared"}
_DEMANDS = ("sms", "letter", "email", "bot_call", "call", "visit", "app")


def case_of_borrower(book: Book, borrower_id: str, *, role: str | None = None, seed: int = 0) -> Case:
    """The case of one borrower of a checked book, on the book's day. role: of whoever speaks for the creditors.

    Raises NotFound where no line of this borrower is on record, InvalidInput where an amount is beyond a case's bounds.
    """
    tables = _of(book.tables, borrower_id)
    if not tables["accounts"].num_rows and not _rows(tables, "tradelines"):
        raise NotFound(f"borrower {borrower_id!r} has no line in this book.", "Ids are those of the table borrowers.")
    manifest, as_of = book.manifest, book.as_of
    case = Case(
        case_id=borrower_id,
        borrower_id=borrower_id,
        as_of=as_of,
        currency=manifest.currency,
        jurisdiction=manifest.jurisdiction,
        household=_household(tables, borrower_id, as_of, manifest.timezone),
        debts=_debts(tables, as_of, manifest.timezone),
        role=role,
        seed=seed,
    )
    return case_of(msgspec.to_builtins(case), lambda path: f"borrower {borrower_id}: `{path}`")


def _of(tables: Mapping[str, pa.Table], borrower_id: str) -> dict[str, pa.Table]:
    """The rows of one borrower, and all parties."""
    own = {
        name: table.filter(pc.equal(table["borrower_id"], borrower_id))
        for name, table in tables.items()
        if "borrower_id" in table.column_names
    }
    accounts = own["accounts"]["account_id"]
    for name in ("periods", "instalments", "payments"):
        if name in tables:
            own[name] = tables[name].filter(pc.is_in(tables[name]["account_id"], accounts))
    if "parties" in tables:
        own["parties"] = tables["parties"]
    return own


def _rows(tables: Mapping[str, pa.Table], name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = tables[name].to_pylist() if name in tables else []
    return rows


# ---------------------------------------------------------------------------------------------------------------- debts


def _debts(tables: Mapping[str, pa.Table], as_of: date, zone: str) -> tuple[Debt, ...]:
    panel = build_panel(tables, (as_of - _EPOCH).days, zone)
    lines = open_lines(panel, tables, as_of, Caps()).to_pylist()
    accounts = {row["account_id"]: row for row in _rows(tables, "accounts")}
    actors = {row["party_id"]: row["actor_type"] for row in _rows(tables, "parties")}
    found: list[Debt] = []
    taken: set[str] = set()
    for line in lines:
        owed = line["balance_minor"]
        if owed is not None and owed <= 0:
            continue
        account = accounts.get(line["line_id"], {}) if line["own"] else {}
        id_ = line["line_id"] if line["line_id"] not in taken else f"{line['lender_id']}/{line['line_id']}"[:64]
        taken.add(id_)
        late = line["dpd"] or 0
        found.append(
            Debt(
                id=id_,
                creditor=line["lender_id"],
                lender_type=_lender(actors.get(line["lender_id"]), line["product"]),
                product=line["product"],
                balance_minor=owed,
                rate_annual=line["rate_annual"],
                minimum_minor=line["min_due_minor"],
                due_day=account.get("due_day"),
                days_past_due=None if line["dpd"] is None else late,
                stage=account["status"] if account.get("status") in ("charged_off", "sold") else "open",
                opened_on=account.get("opened_on"),
                last_payment_on=_last_payment(tables, line["line_id"], zone) if account else None,
                last_demand_on=_last_demand(tables, line["line_id"], late, as_of, zone) if account else None,
                guarantor=account.get("guarantor_id") is not None,
                disputed="amount" if account and _in_dispute(tables, line["line_id"]) else "",
                restructured=min(100, len(_events(tables, line["line_id"], "restructured"))) if account else 0,
            )
        )
    return tuple(sorted(found, key=lambda debt: debt.id))[:200]


def _lender(actor: str | None, product: str | None) -> LenderType:
    """A party's type by who it is; a card is a bank's where nobody says otherwise (a judgement)."""
    if product == "card" and actor in (None, "bank"):
        return "bank_card"
    return _LENDERS.get(actor or "", "other")


def _day(instant: Any, zone: str) -> date:
    day: date = instant.astimezone(ZoneInfo(zone)).date()
    return day


def _last_payment(tables: Mapping[str, pa.Table], account: str, zone: str) -> date | None:
    """Of the payments that stood; of the months where there are no payments, the end of the last with one."""
    if "payments" in tables:
        days = [
            _day(row["paid_at"], zone)
            for row in _rows(tables, "payments")
            if row["account_id"] == account and row["result"] in (None, "ok") and row["amount_minor"] > 0
        ]
        return max(days, default=None)
    months = [
        row["month"]
        for row in _rows(tables, "periods")
        if row["account_id"] == account and (row["paid_minor"] or 0) > 0
    ]
    return month_end(int(max(months)[:4]) * 12 + int(max(months)[5:]) - 1) if months else None


def _last_demand(tables: Mapping[str, pa.Table], account: str, late: int, as_of: date, zone: str) -> date | None:
    """The last contact with the debtor about this account since it is past due: a demand, as far as the record goes."""
    days = [
        _day(row["at"], zone)
        for row in _rows(tables, "contacts")
        if row["account_id"] == account and row["channel"] in _DEMANDS
        and row["target"] in (None, "debtor") and row["direction"] != "in"
    ]  # fmt: skip
    return max((day for day in days if late and (as_of - day).days <= late), default=None)


def _events(tables: Mapping[str, pa.Table], account: str, kind: str) -> list[dict[str, Any]]:
    return [row for row in _rows(tables, "events") if row["account_id"] == account and row["kind"] == kind]


def _in_dispute(tables: Mapping[str, pa.Table], account: str) -> bool:
    opened, closed = (
        max((row["effective_at"] for row in _events(tables, account, kind)), default=None)
        for kind in ("dispute_opened", "dispute_closed")
    )
    return opened is not None and (closed is None or closed < opened)


# ------------------------------------------------------------------------------------------------------------ household


def _household(tables: Mapping[str, pa.Table], borrower_id: str, as_of: date, zone: str) -> Household:
    person = next(iter(_rows(tables, "borrowers")), {})
    dependants = person.get("dependants")
    count = PlanAssumptions().dependants_unknown if dependants is None else min(dependants, 29)
    age = _age(person.get("birth_date"), as_of)
    # Whether a home is rented or paid off is told, not for how much: the payment is asked for.
    priority = {"rented": (Priority("rent"),), "mortgaged": (Priority("mortgage"),)}.get(
        person.get("housing") or "", ()
    )
    return Household(
        members=(Member("adult", age), *(Member("child") for _ in range(count))),
        incomes=_incomes(tables, borrower_id, as_of, zone),
        priority=priority,
        region=(person.get("region") or "")[:64] or None,
    )


def _age(born: date | None, as_of: date) -> int | None:
    if born is None or born > as_of:
        return None
    return min(130, as_of.year - born.year - ((as_of.month, as_of.day) < (born.month, born.day)))


def _incomes(tables: Mapping[str, pa.Table], borrower_id: str, as_of: date, zone: str) -> tuple[Income, ...]:
    """One income, as decisions know it: verified, else seen, else declared, with the months that were seen."""
    last = month_of(as_of) if month_end(month_of(as_of)) == as_of else month_of(as_of) - 1
    row = incomes(tables, pa.array([borrower_id]), last, zone).to_pylist()[0]
    paid_in = [
        (_day(one["effective_at"], zone), one["amount_minor"])
        for one in _rows(tables, "events")
        if one["kind"] == "income" and (one["amount_minor"] or 0) > 0
    ]
    months: dict[int, int] = {}
    for day, amount in paid_in:
        if month_of(day) <= last:
            months[month_of(day)] = months.get(month_of(day), 0) + amount
    first = max(min(months, default=last + 1), last - HISTORY_MONTHS + 1)
    history = tuple(months.get(month, 0) for month in range(first, last + 1))
    if row["income_minor"] is None and not history:
        return ()
    days = np.bincount([day.day for day, _ in paid_in], minlength=32)
    return (
        Income(
            id="income",
            kind=_kind(next(iter(_rows(tables, "borrowers")), {}).get("income_source")),
            amount_minor=row["income_minor"],
            history_minor=history,
            pay_day=int(days.argmax()) if paid_in else None,
            evidence=_EVIDENCE.get(row["income_source"] or "", "declared"),  # type: ignore[arg-type]
        ),
    )


def _kind(source: str | None) -> Any:
    return {"business": "business", "gig": "gig", "pension": "pension"}.get(source or "", "wage")
