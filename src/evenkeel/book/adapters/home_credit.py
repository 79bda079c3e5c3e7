"""Kaggle "Home Credit Default Risk": applicants with their loans at Home Credit and their lines at other lenders.

Maps: `application` to borrowers, applications, and for the loan applied for an account with one month and its outcome
(TARGET or DEFAULTED), where the scores of other sources (EXT_SOURCE) and the days employed stand as features;
`previous_application` to accounts, where instalments show that a loan was paid out; `installments_payments` to
instalments and payments; `bureau` and `bureau_balance` to tradelines.
Drops: gender, family status and education, which may not decide a limit; lines in another currency than
"currency 1"; earlier applications without an instalment; sentinels (365243, XNA).
Assumes: every applicant's day 0, the day of the application, is 2018-04-30, the last month's end before the set was
published, so that month 0 of `bureau_balance` ends on it. Dates of two applicants are therefore not comparable.
AMT_INCOME_TOTAL is taken for a month's income: the source does not say, but AMT_CREDIT is some 22 times AMT_ANNUITY, a
month's payment therefore, and only a month's income makes that payment a fifth of it instead of twice as much.
The bureau names no lenders: each line counts as a lender of its own, and a count of lenders is an upper bound.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.book.adapters.source import Adapted, as_text, code, constant, find, number, read, source, to_minor, whole
from evenkeel.book.faults import Fault
from evenkeel.book.model import Manifest
from evenkeel.kernel.calendar import month_day, month_end, month_of

_DAY_0 = date(2018, 4, 30)
_DAY_0_NUMBER = _DAY_0.toordinal() - date(1970, 1, 1).toordinal()
_LENDER = "home-credit"
_NO_DAY = 365_243  # the source's mark for a day that is not known or lies ahead

_SCORES = ("EXT_SOURCE_1", "EXT_SOURCE_2", "EXT_SOURCE_3")

# Days and counts that Kaggle's CSV files write as 12.0 are read as numbers.
_APPLICATION = source(
    "application",
    whole("SK_ID_CURR"),
    whole("DEFAULTED", low=0, high=1),
    code("NAME_CONTRACT_TYPE"),
    number("AMT_INCOME_TOTAL", low=0),
    number("AMT_CREDIT", low=0),
    number("AMT_ANNUITY", needed=False, low=0),
    whole("DAYS_BIRTH", low=-43_000, high=0),
    number("CNT_CHILDREN", needed=False, low=0, high=50),
    code("NAME_INCOME_TYPE", needed=False),
    code("NAME_HOUSING_TYPE", needed=False),
    code("OCCUPATION_TYPE", needed=False),
    code("ORGANIZATION_TYPE", needed=False),
    number("DAYS_EMPLOYED", needed=False),
    *(number(name, needed=False, low=0, high=1) for name in _SCORES),
    aliases={"DEFAULTED": ("TARGET",)},
)
_BUREAU = source(
    "bureau",
    whole("SK_ID_CURR"),
    whole("SK_ID_BUREAU"),
    code("CREDIT_ACTIVE"),
    code("CREDIT_CURRENCY"),
    code("CREDIT_TYPE"),
    number("DAYS_CREDIT", low=-43_000, high=0),
    number("CREDIT_DAY_OVERDUE", low=0, high=36_600),
    number("DAYS_CREDIT_UPDATE", needed=False),
    number("AMT_CREDIT_SUM", needed=False, low=0),
    number("AMT_CREDIT_SUM_DEBT", needed=False),
)
_BALANCE = source(
    "bureau_balance",
    whole("SK_ID_BUREAU"),
    whole("MONTHS_BALANCE", low=-1200, high=0),
    code("STATUS", "X", "C", "0", "1", "2", "3", "4", "5"),
)
_PREVIOUS = source(
    "previous_application",
    whole("SK_ID_PREV"),
    whole("SK_ID_CURR"),
    code("NAME_CONTRACT_TYPE"),
    number("AMT_CREDIT", low=0),
    number("AMT_ANNUITY", needed=False, low=0),
    number("DAYS_DECISION", low=-43_000, high=0),
    number("CNT_PAYMENT", needed=False, low=0, high=600),
    number("DAYS_FIRST_DUE", needed=False),
    number("DAYS_TERMINATION", needed=False),
)
_INSTALMENTS = source(
    "installments_payments",
    whole("SK_ID_PREV"),
    number("NUM_INSTALMENT_VERSION", low=0),
    whole("NUM_INSTALMENT_NUMBER", low=0, high=100_000),
    number("DAYS_INSTALMENT", low=-43_000, high=0),
    number("DAYS_ENTRY_PAYMENT", needed=False, low=-43_000, high=0),
    number("AMT_INSTALMENT", low=0),
    number("AMT_PAYMENT", needed=False, low=0),
)
_SOURCES = (_APPLICATION, _BALANCE, _INSTALMENTS, _PREVIOUS, _BUREAU)

_OWN_PRODUCTS = {"Cash loans": "cash", "Consumer loans": "instalment", "Revolving loans": "card"}
_BUREAU_PRODUCTS = {
    "Credit card": "card",
    "Consumer credit": "instalment",
    "Car loan": "instalment",
    "Mortgage": "instalment",
    "Real estate loan": "instalment",
    "Mobile operator loan": "instalment",
    "Microloan": "cash",
    "Cash loan (non-earmarked)": "cash",
}
# status of a month -> lowest and highest days past due; X: not known; 5: more than 120 days, sold or written off
_STATUSES = {"X": (None, None), "C": (0, 0), "0": (0, 0), "1": (1, 30), "2": (31, 60), "3": (61, 90), "4": (91, 120),
             "5": (121, None)}  # fmt: skip


def adapt(path: Path, max_bad_share: float) -> Adapted:
    """The source as a book; only `application` is needed. Raises Unreadable or InvalidUsage."""
    faults: list[Fault] = []
    files = find(path, _SOURCES)
    given = {wanted.role: read(files[wanted.role], wanted, faults, max_bad_share) for wanted in _SOURCES
             if wanted.role in files}  # fmt: skip
    amounts, notes = _Amounts(), list(_NOTES)
    application = amounts.minor(given["application"], "AMT_CREDIT", "AMT_ANNUITY")
    accounts = _current_loans(application)
    tables = {
        "periods": _current_months(application),
        "outcomes": _outcomes(application),
        "applications": _applications(application),
    }
    if "previous_application" in given and "installments_payments" in given:
        previous = amounts.minor(given["previous_application"], "AMT_CREDIT", "AMT_ANNUITY")
        loans, rows = _loans(previous, given["installments_payments"], notes)
        accounts = pa.concat_tables([accounts, _previous_loans(loans)])
        tables["instalments"], tables["payments"] = _dues_and_payments(loans, rows, amounts, notes)
    if "bureau" in given:
        bureau = amounts.minor(given["bureau"], "AMT_CREDIT_SUM", "AMT_CREDIT_SUM_DEBT")
        tables["tradelines"] = _tradelines(bureau, given.get("bureau_balance"), notes)
    tables["accounts"] = accounts
    owners = [tables[name]["borrower_id"] for name in ("accounts", "tradelines") if name in tables]
    tables["borrowers"] = _borrowers(application, owners, notes)
    notes.append(f"rounded: {amounts.longer:,} amounts have more than two decimals; each is rounded half-up")
    notes.extend(f"missing: no file is {wanted.role}" for wanted in _SOURCES if wanted.role not in given)
    manifest = Manifest(_DAY_0, "UTC", "XXX", "XX", "Home Credit", "Kaggle Home Credit default risk")
    return Adapted(manifest, tables, tuple(notes), tuple(faults))


_NOTES = (
    "days: day 0, each applicant's application, is 2018-04-30; dates of two applicants are not comparable",
    "current loan: an account with SK_ID_CURR as its id, a month at day 0 with credit and annuity, and its outcome",
    "outcome: a payment late by more than X days in the first Y instalments; the source does not say X, Y or the day",
    "lines: the bureau names no lenders, so each line counts as a lender; lenders counted are an upper bound",
    "features: the scores of other sources (EXT_SOURCE) and the days employed stand beside the current loan",
    "bureau status: X not known, C and 0 none past due, 1 to 4 up to 30, 60, 90, 120 days, 5 more",
    "limits: a line's AMT_CREDIT_SUM; a closed line has limit and balance 0, whatever amounts its row repeats",
    "not in the source: rates, fees, contacts, payment channels, lenders' names, and balances of earlier loans",
    "dropped: gender, family status and education may not decide a limit",
)


class _Amounts:
    """Turns columns of amounts into minor units, half-up, and counts the amounts that had to be rounded."""

    def __init__(self) -> None:
        self.longer = 0

    def minor(self, table: pa.Table, *names: str) -> pa.Table:
        """The table with these columns in minor units."""
        for name in names:
            values, longer = to_minor(table[name])
            self.longer += longer
            table = table.set_column(table.column_names.index(name), name, values)
        return table


def _whole(values: pa.ChunkedArray) -> pa.Array:
    """Numbers such as 12.0 as whole numbers; a fraction of a day or a payment is cut off."""
    return pc.trunc(values.combine_chunks()).cast(pa.int64())


def _days(values: pa.ChunkedArray) -> pa.Array:
    """Days before day 0 as dates; the source's mark for no day, and days ahead, are null."""
    days = _whole(values)
    past = pc.if_else(pc.less_equal(days, 0), days, pa.scalar(None, pa.int64()))
    return pc.add(past, _DAY_0_NUMBER).cast(pa.int32()).cast(pa.date32())


def _mapped(values: pa.ChunkedArray, names: Mapping[str, str], other: str) -> pa.Array:
    place = pc.index_in(values.combine_chunks(), pa.array(list(names)))
    return pc.fill_null(pa.array(list(names.values())).take(place), other)


def _known(values: pa.ChunkedArray) -> pa.Array:
    """Text without the source's XNA."""
    array = values.combine_chunks()
    return pc.if_else(pc.equal(array, "XNA"), pa.scalar(None, pa.string()), array)


def _current_loans(application: pa.Table) -> pa.Table:
    rows = application.num_rows
    product = _mapped(application["NAME_CONTRACT_TYPE"], _OWN_PRODUCTS, "other")
    credit = application["AMT_CREDIT"].combine_chunks()
    return _accounts(
        as_text(application["SK_ID_CURR"]),
        as_text(application["SK_ID_CURR"]),
        product,
        pa.repeat(pa.scalar(_DAY_0), rows),
        pa.nulls(rows, pa.date32()),
        credit,
        pa.nulls(rows, pa.int64()),
    )


def _previous_loans(loans: pa.Table) -> pa.Table:
    term = _whole(loans["CNT_PAYMENT"])
    return _accounts(
        as_text(loans["SK_ID_PREV"]),
        as_text(loans["SK_ID_CURR"]),
        _mapped(loans["NAME_CONTRACT_TYPE"], _OWN_PRODUCTS, "other"),
        _days(loans["DAYS_DECISION"]),
        _days(loans["DAYS_TERMINATION"]),
        loans["AMT_CREDIT"].combine_chunks(),
        pc.if_else(pc.greater(term, 0), term, pa.scalar(None, pa.int64())),
    )


def _accounts(
    ids: pa.Array, owners: pa.Array, product: pa.Array, opened: pa.Array, closed: pa.Array, credit: pa.Array,
    term: pa.Array,
) -> pa.Table:  # fmt: skip
    """Accounts; the credit granted is the limit of a card and the principal of a loan."""
    card, none = pc.equal(product, "card"), pa.scalar(None, pa.int64())
    return pa.table(
        {
            "account_id": ids,
            "borrower_id": owners,
            "lender_id": constant(_LENDER, len(ids)),
            "product": product,
            "currency": constant("XXX", len(ids)),
            "opened_on": opened,
            "closed_on": closed,
            "status": pc.if_else(pc.is_valid(closed), "closed", "active"),
            "limit_minor": pc.if_else(card, credit, none),
            "principal_minor": pc.if_else(card, none, credit),
            "term_months": term,
        }
    )


def _current_months(application: pa.Table) -> pa.Table:
    """The loan applied for, on the day of its grant: nothing is past due; how far a card was used is not known."""
    rows = application.num_rows
    credit = application["AMT_CREDIT"].combine_chunks()
    card = pc.equal(application["NAME_CONTRACT_TYPE"].combine_chunks(), "Revolving loans")
    none = pa.scalar(None, pa.int64())
    employed = application["DAYS_EMPLOYED"].combine_chunks()
    zero = pa.repeat(pa.scalar(0, pa.int64()), rows)
    return pa.table(
        {
            "account_id": as_text(application["SK_ID_CURR"]),
            "month": constant(f"{_DAY_0:%Y-%m}", rows),
            "on_book": pa.repeat(pa.scalar(True), rows),
            "balance_minor": pc.if_else(card, none, credit),
            "limit_minor": pc.if_else(card, credit, none),
            "min_due_minor": application["AMT_ANNUITY"],
            "dpd_low": zero,
            "dpd_high": zero,
            "x_days_employed": pc.if_else(
                pc.less_equal(employed, 0), pc.negate(employed), pa.scalar(None, pa.float64())
            ),
            **{f"x_{name.lower()}": application[name] for name in _SCORES},
        }
    )


def _outcomes(application: pa.Table) -> pa.Table:
    rows = application.num_rows
    return pa.table(
        {
            "account_id": as_text(application["SK_ID_CURR"]),
            "as_of": pa.repeat(pa.scalar(_DAY_0), rows),
            "bad": application["DEFAULTED"].combine_chunks().cast(pa.bool_()),
            "definition": constant("payment difficulties in the first instalments of the current loan", rows),
        }
    )


def _applications(application: pa.Table) -> pa.Table:
    rows = application.num_rows
    credit = application["AMT_CREDIT"].combine_chunks()
    return pa.table(
        {
            "application_id": as_text(application["SK_ID_CURR"]),
            "borrower_id": as_text(application["SK_ID_CURR"]),
            "lender_id": constant(_LENDER, rows),
            "product": _mapped(application["NAME_CONTRACT_TYPE"], _OWN_PRODUCTS, "other"),
            "submitted_at": pa.repeat(pa.scalar(_DAY_0), rows).cast(pa.timestamp("us", tz="UTC")),
            "income_declared_minor": _monthly_income(application),
            "decision": constant("approved", rows),
            "approved_minor": credit,
            "bad": application["DEFAULTED"].combine_chunks().cast(pa.bool_()),
        }
    )


def _monthly_income(application: pa.Table) -> pa.Array:
    """AMT_INCOME_TOTAL as a month's income, as the docstring of this file says why."""
    return to_minor(application["AMT_INCOME_TOTAL"])[0]


def _borrowers(application: pa.Table, owners: list[pa.ChunkedArray], notes: list[str]) -> pa.Table:
    """Every applicant, and everybody else who owns a loan or a line and is known by the id alone."""
    applicants = as_text(application["SK_ID_CURR"])
    ids = pc.unique(pa.concat_arrays([chunk for owner in owners for chunk in owner.chunks])).sort()
    place = pc.index_in(ids, applicants)
    notes.append(f"made: {place.null_count:,} borrowers have no application and are known by their id alone")
    rows = application.take(place)
    return pa.table(
        {
            "borrower_id": ids,
            "birth_date": _days(rows["DAYS_BIRTH"].cast(pa.float64())),
            "industry": _known(rows["ORGANIZATION_TYPE"]),
            "occupation": _known(rows["OCCUPATION_TYPE"]),
            "income_declared_minor": _monthly_income(rows),
            "income_source": _known(rows["NAME_INCOME_TYPE"]),
            "dependants": _whole(rows["CNT_CHILDREN"]),
            "housing": _known(rows["NAME_HOUSING_TYPE"]),
        }
    )


def _loans(previous: pa.Table, rows: pa.Table, notes: list[str]) -> tuple[pa.Table, pa.Table]:
    """(earlier applications that became loans, the rows of `installments_payments` that belong to one)."""
    ids = previous["SK_ID_PREV"].combine_chunks()
    paid_out = pc.is_in(ids, rows["SK_ID_PREV"].combine_chunks())
    owned = rows.filter(pc.is_in(rows["SK_ID_PREV"].combine_chunks(), ids))
    loans = previous.filter(paid_out)
    notes.append(f"dropped: {previous.num_rows - loans.num_rows:,} earlier applications have no instalment")
    notes.append(f"dropped: {rows.num_rows - owned.num_rows:,} instalment rows belong to no earlier application")
    return loans, owned


_INSTALMENT = ["SK_ID_PREV", "NUM_INSTALMENT_NUMBER"]


def _dues_and_payments(
    loans: pa.Table, rows: pa.Table, amounts: _Amounts, notes: list[str]
) -> tuple[pa.Table, pa.Table]:
    """One due row for each instalment of a loan, and its payments.

    The source has a row for each version of an instalment and each payment to it. Where several versions fall on the
    newest one's day they are parts of the instalment and each repeats the payment, so parts are summed and a payment
    counts once. Sums are taken before rounding: parts of half a cent would not meet their payment again.
    """
    newest = rows.sort_by([("NUM_INSTALMENT_VERSION", "descending")]).group_by(_INSTALMENT, use_threads=False)
    days = newest.aggregate([("DAYS_INSTALMENT", "first")])
    rows = rows.join(days, _INSTALMENT, use_threads=False)
    versions = rows.filter(pc.equal(rows["DAYS_INSTALMENT"], rows["DAYS_INSTALMENT_first"]))
    parts = _distinct(versions, [*_INSTALMENT, "DAYS_INSTALMENT", "NUM_INSTALMENT_VERSION", "AMT_INSTALMENT"])
    dues = _summed(parts, [*_INSTALMENT, "DAYS_INSTALMENT"], "AMT_INSTALMENT")
    made = pc.and_(pc.greater(rows["AMT_PAYMENT"], 0), pc.is_valid(rows["DAYS_ENTRY_PAYMENT"]))
    payments = _distinct(rows.filter(pc.fill_null(made, False)), [*_INSTALMENT, "DAYS_ENTRY_PAYMENT", "AMT_PAYMENT"])
    dues, payments = _without_gaps(loans, dues, payments, notes)
    notes.append(f"merged: {rows.num_rows:,} rows are {dues.num_rows:,} instalments and {payments.num_rows:,} payments")
    ahead = _ahead(loans, dues, notes)
    dues, payments = amounts.minor(dues, "AMT_INSTALMENT_sum"), amounts.minor(payments, "AMT_PAYMENT")
    instalments = pa.table(
        {
            "account_id": as_text(dues["SK_ID_PREV"]),
            "seq": dues["NUM_INSTALMENT_NUMBER"],
            "due_on": _days(dues["DAYS_INSTALMENT"]),
            "due_minor": dues["AMT_INSTALMENT_sum"],
        }
    )
    return pa.concat_tables([instalments, ahead]), _payments(payments)


def _distinct(rows: pa.Table, names: list[str]) -> pa.Table:
    return rows.group_by(names, use_threads=False).aggregate([]).sort_by([(name, "ascending") for name in names])


def _summed(rows: pa.Table, names: list[str], amount: str) -> pa.Table:
    return rows.group_by(names, use_threads=False).aggregate([(amount, "sum")])


def _without_gaps(
    loans: pa.Table, dues: pa.Table, payments: pa.Table, notes: list[str]
) -> tuple[pa.Table, pa.Table]:  # fmt: skip
    """Leave out instalments whose rest must have been paid in rows that the file does not hold.

    A lender books payments to the oldest instalment first. So one that its payments do not cover, though a later one
    was paid in full or the loan has ended, was settled; only what settled it is not in the file. Kept, it would count
    as years of arrears; whether it was late cannot be known.
    """
    paid = _summed(payments, _INSTALMENT, "AMT_PAYMENT")
    dues = dues.join(paid, _INSTALMENT, use_threads=False)
    short = pc.less(pc.fill_null(dues["AMT_PAYMENT_sum"], 0.0), pc.subtract(dues["AMT_INSTALMENT_sum"], 0.005))
    covered = dues.filter(pc.invert(short)).group_by("SK_ID_PREV", use_threads=False)
    last = covered.aggregate([("NUM_INSTALMENT_NUMBER", "max")])
    place = pc.index_in(dues["SK_ID_PREV"].combine_chunks(), last["SK_ID_PREV"].combine_chunks())
    last_covered = pc.fill_null(last["NUM_INSTALMENT_NUMBER_max"].combine_chunks().take(place), -1)
    loan = pc.index_in(dues["SK_ID_PREV"].combine_chunks(), loans["SK_ID_PREV"].combine_chunks())
    ended = pc.is_valid(_days(loans["DAYS_TERMINATION"]).take(loan))
    settled = pc.and_(short, pc.or_(ended, pc.less(dues["NUM_INSTALMENT_NUMBER"], last_covered)))
    kept = dues.filter(pc.invert(settled)).sort_by([(name, "ascending") for name in _INSTALMENT])
    notes.append(
        f"left out: {dues.num_rows - kept.num_rows:,} instalments whose payments are only partly in the file, "
        "though a later one was paid or the loan has ended"
    )
    return kept, payments.join(kept.select(_INSTALMENT), _INSTALMENT, join_type="left semi", use_threads=False)


def _ahead(loans: pa.Table, dues: pa.Table, notes: list[str]) -> pa.Table:
    """Instalments after day 0 of loans that still run, from the count, first day and annuity in the application."""
    count, first = _whole(loans["CNT_PAYMENT"]), _days(loans["DAYS_FIRST_DUE"])
    running = pc.and_(pc.is_null(_days(loans["DAYS_TERMINATION"])), pc.greater(count, 0))
    known = pc.and_(pc.is_valid(first), pc.is_valid(loans["AMT_ANNUITY"].combine_chunks()))
    keep = pc.fill_null(pc.and_(running, known), False)
    count, first = count.filter(keep), first.filter(keep)
    ids = loans["SK_ID_PREV"].combine_chunks().filter(keep)
    annuity = loans["AMT_ANNUITY"].combine_chunks().filter(keep)
    seen = dues.group_by("SK_ID_PREV", use_threads=False).aggregate([("NUM_INSTALMENT_NUMBER", "max")])
    place = pc.index_in(ids, seen["SK_ID_PREV"].combine_chunks())
    after = pc.fill_null(seen["NUM_INSTALMENT_NUMBER_max"].combine_chunks().take(place), 0)
    owner, number, due_on = [], [], []
    for loan, (start, instalments, done) in enumerate(
        zip(first.to_pylist(), count.to_pylist(), after.to_pylist(), strict=True)
    ):
        for place_in_plan in range(done + 1, instalments + 1):
            due = month_day(month_of(start) + place_in_plan - 1, start.day)
            if due > _DAY_0:
                owner.append(loan)
                number.append(place_in_plan)
                due_on.append(due)
    notes.append(f"made: {len(owner):,} instalments after day 0, of loans that still run, from their count and annuity")
    owners = pa.array(owner, pa.int64())
    return pa.table(
        {
            "account_id": as_text(ids.take(owners)),
            "seq": pa.array(number, pa.int64()),
            "due_on": pa.array(due_on, pa.date32()),
            "due_minor": annuity.take(owners),
        }
    )


def _payments(payments: pa.Table) -> pa.Table:
    order = [*_INSTALMENT, "DAYS_ENTRY_PAYMENT", "AMT_PAYMENT"]
    payments = payments.sort_by([(name, "ascending") for name in order])
    loan, instalment = (payments[name].to_numpy() for name in _INSTALMENT)
    ids = pc.binary_join_element_wise(
        as_text(payments["SK_ID_PREV"]), as_text(payments["NUM_INSTALMENT_NUMBER"]),
        as_text(pa.array(_place_in_run(loan, instalment))), "-",
    )  # fmt: skip
    return pa.table(
        {
            "payment_id": ids,
            "account_id": as_text(payments["SK_ID_PREV"]),
            "paid_at": _days(payments["DAYS_ENTRY_PAYMENT"]).cast(pa.timestamp("us", tz="UTC")),
            "amount_minor": payments["AMT_PAYMENT"],
            "result": constant("ok", payments.num_rows),
        }
    )


def _place_in_run(*sorted_keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """1, 2, ... within each run of equal keys."""
    place = np.arange(len(sorted_keys[0]))
    starts = np.ones(len(place), bool)
    starts[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in sorted_keys])
    return place - np.maximum.accumulate(np.where(starts, place, 0)) + 1


def _tradelines(bureau: pa.Table, balance: pa.Table | None, notes: list[str]) -> pa.Table:
    """Each line as the bureau reports it on day 0, and its history by month; month 0 gives way to the report."""
    own = pc.equal(bureau["CREDIT_CURRENCY"], "currency 1")
    dropped = bureau.num_rows - (pc.sum(own).as_py() or 0)
    bureau = bureau.filter(own)
    closed = pc.equal(bureau["CREDIT_ACTIVE"].combine_chunks(), "Closed")
    debt = bureau["AMT_CREDIT_SUM_DEBT"].combine_chunks()
    overdue = _whole(bureau["CREDIT_DAY_OVERDUE"])
    old = pc.and_(pc.invert(closed), pc.fill_null(pc.less(bureau["DAYS_CREDIT_UPDATE"], -365), False))
    notes.append(f"dropped: {dropped:,} lines are not in currency 1")
    notes.append(
        f"found: {_count(pc.and_(closed, pc.not_equal(debt, 0))):,} closed lines repeat a debt; it is read as 0"
    )
    notes.append(f"found: {_count(old):,} open lines were last reported more than a year before day 0")
    report = pa.table(
        {
            "line": bureau["SK_ID_BUREAU"].combine_chunks(),
            "as_of": pa.repeat(pa.scalar(_DAY_0), bureau.num_rows),
            "limit_minor": pc.if_else(closed, 0, bureau["AMT_CREDIT_SUM"].combine_chunks()),
            "balance_minor": pc.if_else(closed, 0, debt),
            "dpd_low": overdue,
            "dpd_high": overdue,
        }
    )
    parts = [report]
    if balance is not None:
        parts.append(_history(balance, bureau["SK_ID_BUREAU"].combine_chunks(), notes))
    rows = pa.concat_tables(parts).combine_chunks()
    place = pc.index_in(rows["line"].combine_chunks(), bureau["SK_ID_BUREAU"].combine_chunks())
    owners = bureau.take(place)
    line = as_text(rows["line"])
    return pa.table(
        {
            "borrower_id": as_text(owners["SK_ID_CURR"]),
            "lender_token": pc.binary_join_element_wise(constant("lender", len(line)), line, "-"),
            "line_token": line,
            "as_of": rows["as_of"],
            "product": _mapped(owners["CREDIT_TYPE"], _BUREAU_PRODUCTS, "other"),
            "opened_on": _days(owners["DAYS_CREDIT"]),
            **{name: rows[name] for name in ("limit_minor", "balance_minor", "dpd_low", "dpd_high")},
            "source": constant("bureau", len(line)),
        }
    )


def _count(flags: pa.Array) -> int:
    return int(pc.sum(pc.fill_null(flags, False)).as_py() or 0)


def _history(balance: pa.Table, lines: pa.Array, notes: list[str]) -> pa.Table:
    known = pc.is_in(balance["SK_ID_BUREAU"].combine_chunks(), lines)
    earlier = balance.filter(pc.and_(known, pc.less(balance["MONTHS_BALANCE"].combine_chunks(), 0)))
    lost = balance.num_rows - _count(known)
    notes.append(f"dropped: {lost:,} months of bureau_balance belong to no line; month 0 gives way to the day's report")
    status = earlier["STATUS"].combine_chunks()
    place = pc.index_in(status, pa.array(list(_STATUSES)))
    low, high = (pa.array([bounds[i] for bounds in _STATUSES.values()], pa.int64()).take(place) for i in (0, 1))
    back, where = np.unique(earlier["MONTHS_BALANCE"].to_numpy(), return_inverse=True)
    ends = pa.array([month_end(month_of(_DAY_0) + int(shift)) for shift in back], pa.date32())
    settled = pc.if_else(pc.equal(status, "C"), pa.scalar(0, pa.int64()), pa.scalar(None, pa.int64()))
    return pa.table(
        {
            "line": earlier["SK_ID_BUREAU"].combine_chunks(),
            "as_of": ends.take(pa.array(where)),
            "limit_minor": settled,
            "balance_minor": settled,
            "dpd_low": low,
            "dpd_high": high,
        }
    )
