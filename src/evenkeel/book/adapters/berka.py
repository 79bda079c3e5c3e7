"""PKDD'99 "Berka": the loans and account movements of a Czech bank, 1993 to 1998, as published for a data challenge.

Maps: `loan` to accounts and account_opened events; each loan's status on 1998-12-31 to outcomes (B, finished and not
paid, and D, running in debt, are bad; A, finished, and C, running without debt, are good) and, where it is not A, to a
month at as_of; the month of the grant, in which nothing is past due, to another. The owner of the loan's current
account (`disp`) to the borrower, `client` and `district` to birth date and region. `transactions`, the movements of
current accounts, to events of their owner:

    PRIJEM (in)   VKLAD                              deposit, channel cash
                  PREVOD Z UCTU, DUCHOD              income, channel transfer, category pension
                  PREVOD Z UCTU, any other           deposit, channel transfer
                  UROK                               interest, below 0: the bank pays it
    VYDAJ, VYBER  VYBER, no symbol                   cash_advance, channel cash
    (out)         VYBER KARTOU                       cash_advance, channel card
                  SLUZBY                             fee, category statement
                  SANKC. UROK                        interest, category penalty
                  UVER                               repayment of the loan of that account
                  SIPO, POJISTNE, LEASING            purchase, category household, insurance, leasing
                  PREVOD NA UCET, any other          purchase, channel transfer, category transfer

A withdrawal of own money is no advance of a lender's; cash_advance is the nearest kind, and what is counted of it is
the habit of taking cash. The payload names the current account (`account`), the bank of the other side (`bank`) and
whether the movement left the account overdrawn (`overdrawn`).
Drops: cards and standing orders; balances; the sex that a birth number tells, which may not decide a limit; other
persons than owners; owners without a loan and without a movement.
Assumes: the source gives days, and each event stands at noon in Prague and was booked then. A loan's amount is its
payments added up: the source tells no rate. How far B and D are past due is not said (at least a day), nor when an A
ended. Outcomes of running loans (C, D) are as of 1998-12-31: a C may still go bad.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.book.adapters.source import Adapted, as_text, code, constant, find, number, read, source, to_minor, whole
from evenkeel.book.faults import Effect, Fault
from evenkeel.book.files import Unreadable
from evenkeel.book.model import Manifest
from evenkeel.kernel.calendar import month_end, month_of, month_text

_AS_OF = date(1998, 12, 31)
_ZONE = ZoneInfo("Europe/Prague")
_LENDER = "berka-bank"
_BAD = {"A": False, "B": True, "C": False, "D": True}

_LOAN = source(
    "loan",
    whole("loan_id", low=0),
    whole("account_id", low=0),
    whole("date", low=10_101, high=991_231),
    number("amount", low=0),
    whole("duration", low=1, high=600),
    number("payments", low=0),
    code("status", *_BAD),
)
_DISP = source("disp", whole("disp_id"), whole("client_id", low=0), whole("account_id", low=0), code("type"))
_CLIENT = source("client", whole("client_id", low=0), whole("birth_number", low=0, high=999_999), whole("district_id"))
_DISTRICT = source("district", whole("A1"), code("A2"), code("A3"))
_TRANSACTIONS = source(
    "transactions",
    whole("trans_id", low=0),
    whole("account_id", low=0),
    whole("date", low=10_101, high=991_231),
    code("type", "PRIJEM", "VYDAJ", "VYBER"),
    code("operation", needed=False),
    number("amount", low=0),
    number("balance", needed=False),
    code("k_symbol", needed=False),
    code("bank", needed=False),
)
_SOURCES = (_LOAN, _DISP, _CLIENT, _DISTRICT, _TRANSACTIONS)

# (into the account, operation, symbol) -> kind, channel, category; None stands for any other.
_KINDS: Mapping[tuple[bool, str | None, str | None], tuple[str, str, str]] = {
    (True, "VKLAD", None): ("deposit", "cash", ""),
    (True, "PREVOD Z UCTU", "DUCHOD"): ("income", "transfer", "pension"),
    (True, "PREVOD Z UCTU", None): ("deposit", "transfer", ""),
    (True, None, "UROK"): ("interest", "", ""),
    (False, "VYBER", None): ("cash_advance", "cash", ""),
    (False, "VYBER KARTOU", None): ("cash_advance", "card", ""),
    (False, None, "SLUZBY"): ("fee", "", "statement"),
    (False, None, "SANKC. UROK"): ("interest", "", "penalty"),
    (False, None, "UVER"): ("repayment", "transfer", ""),
    (False, None, "SIPO"): ("purchase", "", "household"),
    (False, None, "POJISTNE"): ("purchase", "", "insurance"),
    (False, None, "LEASING"): ("purchase", "", "leasing"),
    (False, "PREVOD NA UCET", None): ("purchase", "transfer", "transfer"),
}


def adapt(path: Path, max_bad_share: float) -> Adapted:
    """The source as a book; only `loan` is needed. Raises Unreadable or InvalidUsage."""
    faults: list[Fault] = []
    files = find(path, _SOURCES)
    given = {wanted.role: read(files[wanted.role], wanted, faults, max_bad_share) for wanted in _SOURCES
             if wanted.role in files}  # fmt: skip
    notes = list(_NOTES)
    owners = _owners(given.get("disp"))
    loans = _dated(given["loan"].sort_by("loan_id"), "loan", max_bad_share, notes)
    tables = {"accounts": _accounts(loans, owners), "periods": _periods(loans), "outcomes": _outcomes(loans)}
    events = [_grants(tables["accounts"])]
    if "transactions" in given:
        movements = _dated(given["transactions"].sort_by("trans_id"), "transactions", max_bad_share, notes)
        events.append(_movements(movements, loans, owners, notes))
    tables["events"] = pa.concat_tables(events)
    tables["borrowers"] = _borrowers(tables, given.get("client"), given.get("district"), notes)
    notes.extend(f"missing: no file is {wanted.role}" for wanted in _SOURCES if wanted.role not in given)
    manifest = Manifest(_AS_OF, str(_ZONE), "CZK", "CZ", "Berka", "PKDD'99 financial data set")
    return Adapted(manifest, tables, tuple(notes), tuple(faults))


_NOTES = (
    "loans: a month at the grant with nothing past due, one at as_of for all but A; those between are not told",
    "outcomes: B and D are bad, A and C good, as of 1998-12-31; a running loan (C) may still go bad",
    "current accounts: their movements are events of the owner, not of an account; the payload names the account",
    "withdrawals: cash_advance is the nearest kind; it is the owner's own money unless the payload says overdrawn",
    "interest: above 0 the owner pays it, below 0 the bank does",
    "instants: the source gives days; each event stands at noon in Prague",
    "dropped: cards, standing orders, balances, the sex in a birth number",
)


def _dated(rows: pa.Table, role: str, max_bad_share: float, notes: list[str]) -> pa.Table:
    """The rows whose `date` is a day, which becomes one; the others are counted. Raises Unreadable on too many."""
    days = pa.array([_day(number) for number in rows["date"].to_pylist()], pa.date32())
    if days.null_count > max_bad_share * rows.num_rows:
        share, limit = f"{days.null_count / rows.num_rows:.1%}", f"{max_bad_share:.1%}"
        detail = {"bad": f"{days.null_count:,}", "rows": f"{rows.num_rows:,}", "share": share, "limit": limit}
        raise Unreadable(Fault(role, "too_many_bad", Effect.REFUSED, detail=detail))
    notes.append(f"dropped: {days.null_count:,} rows of {role} have a date that is no day")
    return rows.set_column(rows.column_names.index("date"), "date", days).filter(days.is_valid())


def _day(number: int) -> date | None:
    """A day written YYMMDD in the 1900s; None where there is no such day."""
    try:
        return date(1900 + number // 10_000, number // 100 % 100, number % 100)
    except ValueError:
        return None


def _owners(disp: pa.Table | None) -> dict[int, str]:
    """The client who owns each current account."""
    if disp is None:
        return {}
    owning = disp.filter(pc.equal(disp["type"], "OWNER"))
    return dict(zip(owning["account_id"].to_pylist(), map(str, owning["client_id"].to_pylist()), strict=True))


def _owner_ids(accounts: pa.ChunkedArray, owners: Mapping[int, str]) -> pa.Array:
    """The owner of each current account; where none is told, a person known by the account alone."""
    return pa.array([owners.get(one) or f"account-{one}" for one in accounts.to_pylist()], pa.string())


def _accounts(loans: pa.Table, owners: Mapping[int, str]) -> pa.Table:
    rows = loans.num_rows
    return pa.table(
        {
            "account_id": as_text(loans["loan_id"]),
            "borrower_id": _owner_ids(loans["account_id"], owners),
            "lender_id": constant(_LENDER, rows),
            "product": constant("instalment", rows),
            "currency": constant("CZK", rows),
            "opened_on": loans["date"],
            "status": pc.if_else(pc.equal(loans["status"].combine_chunks(), "A"), "closed", "active"),
            "principal_minor": to_minor(loans["amount"])[0],
            "term_months": loans["duration"],
        }
    )


def _periods(loans: pa.Table) -> pa.Table:
    """The month of each grant, and as_of for the loans that are not paid back by then."""
    status = loans["status"].combine_chunks()
    due, principal = to_minor(loans["payments"])[0], to_minor(loans["amount"])[0]
    months = pa.array([month_text(month_of(day)) for day in loans["date"].to_pylist()], pa.string())
    at_grant = _months(as_text(loans["loan_id"]), months, principal, due, constant("", loans.num_rows), 0, 0)
    last = month_text(month_of(_AS_OF))
    keep = pc.and_(pc.not_equal(status, "A"), pc.not_equal(months, last))
    rest = loans.filter(keep)
    ids, code_, later = as_text(rest["loan_id"]), status.filter(keep), constant(last, rest.num_rows)
    unpaid = pc.not_equal(code_, "C")
    unknown = pa.nulls(rest.num_rows, pa.int64())
    low = pc.if_else(unpaid, pa.scalar(1, pa.int64()), pa.scalar(0, pa.int64()))
    high = pc.if_else(unpaid, pa.scalar(None, pa.int64()), pa.scalar(0, pa.int64()))
    at_end = _months(ids, later, unknown, due.filter(keep), code_, low, high)
    return pa.concat_tables([at_grant, at_end])


def _months(
    ids: pa.Array, months: pa.Array, balance: pa.Array, due: pa.Array, code_: pa.Array, low: object, high: object
) -> pa.Table:
    count = len(ids)

    def filled(value: object) -> object:
        return pa.repeat(pa.scalar(value, pa.int64()), count) if isinstance(value, int) else value

    return pa.table(
        {
            "account_id": ids,
            "month": months,
            "on_book": pa.repeat(pa.scalar(True), count),
            "balance_minor": balance,
            "min_due_minor": due,
            "dpd_low": filled(low),
            "dpd_high": filled(high),
            "source_code": pc.if_else(pc.equal(code_, ""), pa.scalar(None, pa.string()), code_),
        }
    )


def _outcomes(loans: pa.Table) -> pa.Table:
    rows = loans.num_rows
    return pa.table(
        {
            "account_id": as_text(loans["loan_id"]),
            "as_of": pa.array([month_end(month_of(day)) for day in loans["date"].to_pylist()], pa.date32()),
            "bad": pa.array([_BAD[one] for one in loans["status"].to_pylist()], pa.bool_()),
            "known_on": pa.repeat(pa.scalar(_AS_OF), rows),
            "definition": constant("finished and not paid, or running in debt, on 1998-12-31", rows),
        }
    )


def _noon(days: pa.ChunkedArray) -> pa.Array:
    """Noon in Prague of days."""
    coded = days.combine_chunks().dictionary_encode()
    noons = [datetime.combine(day, time(12), _ZONE).astimezone(UTC) for day in coded.dictionary.to_pylist()]
    return pa.array(noons, pa.timestamp("us", tz="UTC")).take(coded.indices)


def _event_rows(columns: Mapping[str, pa.Array | pa.ChunkedArray]) -> pa.Table:
    names = ("event_id", "kind", "borrower_id", "account_id", "effective_at", "booked_at", "amount_minor", "payload")
    return pa.table({name: columns[name] for name in names})


def _grants(accounts: pa.Table) -> pa.Table:
    noon = _noon(accounts["opened_on"])
    return _event_rows(
        {
            "event_id": pc.binary_join_element_wise("loan", accounts["account_id"].combine_chunks(), "-"),
            "kind": constant("account_opened", accounts.num_rows),
            "borrower_id": accounts["borrower_id"],
            "account_id": accounts["account_id"],
            "effective_at": noon,
            "booked_at": noon,
            "amount_minor": accounts["principal_minor"],
            "payload": pa.nulls(accounts.num_rows, pa.string()),
        }
    )


def _movements(rows: pa.Table, loans: pa.Table, owners: Mapping[int, str], notes: list[str]) -> pa.Table:
    """The movements of current accounts as events; what no line of the mapping fits is left out and counted."""
    loan_of = dict(zip(loans["account_id"].to_pylist(), map(str, loans["loan_id"].to_pylist()), strict=True))
    names = ("account_id", "type", "operation", "k_symbol", "bank", "balance")
    kinds: list[str | None] = []
    payloads, accounts, signs = [], [], []
    for account, sort, operation, symbol, bank, balance in zip(*(rows[n].to_pylist() for n in names), strict=True):
        kind, channel, category = _kind(sort == "PRIJEM", operation, (symbol or "").strip() or None)
        overdrawn = balance is not None and balance < 0
        said = {"account": str(account), "channel": channel, "category": category, "bank": bank, "overdrawn": overdrawn}
        kinds.append(kind or None)
        payloads.append(json.dumps({name: value for name, value in said.items() if value}))
        accounts.append(loan_of.get(account) if kind == "repayment" else None)
        signs.append(-1 if kind == "interest" and sort == "PRIJEM" else 1)
    amounts, longer = to_minor(rows["amount"])
    noon = _noon(rows["date"])
    events = _event_rows(
        {
            "event_id": as_text(rows["trans_id"]),
            "kind": pa.array(kinds, pa.string()),
            "borrower_id": _owner_ids(rows["account_id"], owners),
            "account_id": pa.array(accounts, pa.string()),
            "effective_at": noon,
            "booked_at": noon,
            "amount_minor": pc.multiply(amounts, pa.array(signs, pa.int64())),
            "payload": pa.array(payloads, pa.string()),
        }
    )
    silent = len(set(loan_of) - set(rows["account_id"].to_pylist()))
    notes.append(f"found: {silent:,} of {len(loan_of):,} loans have no movement of their current account in the file")
    notes.append(f"dropped: {kinds.count(None):,} movements fit no line of the mapping")
    notes.append(f"rounded: {longer:,} amounts have more than two decimals; each is rounded half-up")
    return events.filter(pc.is_valid(events["kind"]))


def _kind(into: bool, operation: str | None, symbol: str | None) -> tuple[str, str, str]:
    """Kind, channel and category of a movement: the operation with its symbol, else the symbol, else the operation."""
    for key in ((into, operation, symbol), (into, None, symbol), (into, operation, None)):
        if key[1:] != (None, None) and key in _KINDS:
            return _KINDS[key]
    return "", "", ""


def _borrowers(
    tables: Mapping[str, pa.Table], client: pa.Table | None, district: pa.Table | None, notes: list[str]
) -> pa.Table:
    """Everybody who owes a loan or had a movement; who is in no `client` is known by the id alone."""
    owned = [tables[name]["borrower_id"] for name in ("accounts", "events")]
    ids = pc.unique(pa.concat_arrays([chunk for owner in owned for chunk in owner.chunks])).sort()
    born: dict[str, date | None] = {}
    lives: dict[str, int] = {}
    if client is not None:
        columns = (client[name].to_pylist() for name in ("client_id", "birth_number", "district_id"))
        for one, birth, place in zip(*columns, strict=True):
            born[str(one)] = _day(birth - 5_000 if birth // 100 % 100 > 50 else birth)
            lives[str(one)] = place
    regions = dict(zip(*(district[name].to_pylist() for name in ("A1", "A3")), strict=True)) if district else {}
    names = ids.to_pylist()
    notes.append(f"made: {sum(name not in born for name in names):,} borrowers are known by their id alone")
    return pa.table(
        {
            "borrower_id": ids,
            "birth_date": pa.array([born.get(name) for name in names], pa.date32()),
            "region": pa.array([regions.get(lives.get(name)) for name in names], pa.string()),
            "timezone": constant(str(_ZONE), len(ids)),
        }
    )
