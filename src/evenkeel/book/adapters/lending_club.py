"""Lending Club's published loans: closed-end instalment loans of a platform in the United States, 2007 to 2018.

Maps: id to account, borrower and application; funded_amnt to the principal; installment to what is due a month;
int_rate and term to the terms; annual_inc to a month's declared income; addr_state, emp_title and home_ownership to the
borrower. Each loan has one month, the one in which it was issued: nothing is past due, the balance is what was paid
out. loan_status gives the outcome where it is final: Charged Off and Default are bad, Fully Paid is good; a loan that
still runs (Current, In Grace Period, Late) has none. A status that was cut off in the file (`Curren`) is read as the
one it begins. What was known at the application stands beside the month as `x_` columns: the request, the rate, the
income and the bureau's figures.
Drops: all that came after the grant and so tells the outcome (payments, principal outstanding, recoveries, last_*,
next_pymnt_d, hardship, settlement, payment plan); zip_code and addr_state as features, since where a person lives
stands for who the person is; free text.
Assumes: as_of is the end of the last month in which a loan was issued. The status, as it stood years later, is known to
outcomes alone: by the day of extraction most loans are over, and to be still there tells how a loan went. The source
gives months: an application stands on the first day of its month, its loan on the last. The day of extraction is the
end of the last month in which a payment was made or a bureau report was pulled.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.book.adapters.source import Adapted, as_text, code, constant, find, number, read, source, to_minor, whole
from evenkeel.book.faults import Effect, Fault
from evenkeel.book.files import Unreadable
from evenkeel.book.model import Manifest
from evenkeel.kernel.calendar import month_end, month_number, month_text

_PLATFORM = "lending-club"
_EPOCH = date(1970, 1, 1).toordinal()

# What the platform knew at the application, under its own names. Columns that a file lacks are null.
_NUMBERS = (
    "loan_amnt", "int_rate", "installment", "annual_inc", "annual_inc_joint", "dti", "dti_joint", "delinq_2yrs",
    "fico_range_low", "fico_range_high", "inq_last_6mths", "mths_since_last_delinq", "mths_since_last_record",
    "open_acc", "pub_rec", "revol_bal", "revol_bal_joint", "revol_util", "total_acc", "collections_12_mths_ex_med",
    "mths_since_last_major_derog", "acc_now_delinq", "tot_coll_amt", "tot_cur_bal", "open_acc_6m", "open_act_il",
    "open_il_12m", "open_il_24m", "mths_since_rcnt_il", "total_bal_il", "il_util", "open_rv_12m", "open_rv_24m",
    "max_bal_bc", "all_util", "total_rev_hi_lim", "inq_fi", "total_cu_tl", "inq_last_12m", "acc_open_past_24mths",
    "avg_cur_bal", "bc_open_to_buy", "bc_util", "chargeoff_within_12_mths", "delinq_amnt", "mo_sin_old_il_acct",
    "mo_sin_old_rev_tl_op", "mo_sin_rcnt_rev_tl_op", "mo_sin_rcnt_tl", "mort_acc", "mths_since_recent_bc",
    "mths_since_recent_bc_dlq", "mths_since_recent_inq", "mths_since_recent_revol_delinq", "num_accts_ever_120_pd",
    "num_actv_bc_tl", "num_actv_rev_tl", "num_bc_sats", "num_bc_tl", "num_il_tl", "num_op_rev_tl", "num_rev_accts",
    "num_rev_tl_bal_gt_0", "num_sats", "num_tl_120dpd_2m", "num_tl_30dpd", "num_tl_90g_dpd_24m", "num_tl_op_past_12m",
    "pct_tl_nvr_dlq", "percent_bc_gt_75", "pub_rec_bankruptcies", "tax_liens", "tot_hi_cred_lim", "total_bal_ex_mort",
    "total_bc_limit", "total_il_high_credit_limit", "sec_app_fico_range_low", "sec_app_fico_range_high",
    "sec_app_inq_last_6mths", "sec_app_mort_acc", "sec_app_open_acc", "sec_app_revol_util", "sec_app_open_act_il",
    "sec_app_num_rev_accts", "sec_app_chargeoff_within_12_mths", "sec_app_collections_12_mths_ex_med",
    "sec_app_mths_since_last_major_derog",
)  # fmt: skip
_TEXTS = (
    "home_ownership", "verification_status", "verification_status_joint", "purpose", "application_type",
    "initial_list_status", "grade", "sub_grade", "disbursement_method",
)  # fmt: skip
_NEEDED = ("loan_amnt", "int_rate", "installment")
_SOURCE = source(
    "loans",
    whole("id", low=0),
    number("funded_amnt", low=0),
    code("term"),
    code("issue_d"),
    code("loan_status"),
    *(number(name, needed=name in _NEEDED, low=0) for name in ("loan_amnt", "int_rate", "installment", "annual_inc")),
    *(number(name, needed=False) for name in _NUMBERS if name not in (*_NEEDED, "annual_inc")),
    *(code(name, needed=False) for name in _TEXTS),
    *(code(name, needed=False) for name in ("emp_title", "emp_length", "addr_state", "earliest_cr_line")),
    *(code(name, needed=False) for name in ("last_pymnt_d", "last_credit_pull_d")),
)

_STATUSES = {
    "Fully Paid": False,
    "Charged Off": True,
    "Default": True,
    "Current": None,
    "Issued": None,
    "In Grace Period": None,
    "Late (16-30 days)": None,
    "Late (31-120 days)": None,
}
_OLD_POLICY = "Does not meet the credit policy. Status:"
_CUT_OFF_FROM = 5  # letters that a status which was cut off must still have
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def adapt(path: Path, max_bad_share: float) -> Adapted:
    """The source as a book. Raises Unreadable or InvalidUsage."""
    faults: list[Fault] = []
    file = find(path, (_SOURCE,))["loans"]
    rows = read(file, _SOURCE, faults, max_bad_share)
    issued = _each(rows["issue_d"], _month, pa.int64())
    if issued.null_count == len(issued):
        raise Unreadable(Fault(file.stem, "empty_file", Effect.REFUSED))
    undated = issued.null_count
    rows, issued = rows.filter(issued.is_valid()), issued.drop_null()
    last = pc.max(issued).as_py()
    seen = [pc.max(_each(rows[name], _month, pa.int64())).as_py() for name in ("last_pymnt_d", "last_credit_pull_d")]
    extracted = month_end(max(last, *(month for month in seen if month is not None)))
    ids, bad = as_text(rows["id"]), _each(rows["loan_status"], _outcome, pa.bool_())
    amounts = {name: to_minor(rows[name]) for name in ("loan_amnt", "funded_amnt", "installment")}
    minor = {name: values for name, (values, _) in amounts.items()}
    tables = {
        "accounts": _accounts(rows, ids, issued, minor, last),
        "periods": _periods(rows, ids, issued, minor),
        "borrowers": _borrowers(rows, ids),
        "applications": _applications(rows, ids, issued, minor, bad, extracted),
    }
    if bad.null_count < len(bad):
        tables["outcomes"] = _outcomes(rows, ids, issued, bad, extracted)
    longer = sum(count for _, count in amounts.values())
    notes = (*_notes(rows, bad, month_text(last), extracted, undated),
             f"rounded: {longer:,} amounts have more than two decimals; each is rounded half-up")  # fmt: skip
    manifest = Manifest(month_end(last), "America/Los_Angeles", "USD", "US", "Lending Club", "Lending Club loans")
    return Adapted(manifest, tables, notes, tuple(faults))


def _each(values: pa.ChunkedArray, reading: Callable[[str], object], kind: pa.DataType) -> pa.Array:
    """What `reading` makes of each distinct text, null for null."""
    coded = values.combine_chunks().dictionary_encode()
    return pa.array([reading(text) for text in coded.dictionary.to_pylist()], kind).take(coded.indices)


def _month(text: str) -> int | None:
    """The month of `Dec-2015`, `Dec-15` or a spreadsheet's `15-Dec`; two digits lie in 1930 to 2029."""
    parts = text.strip().lower().split("-")
    words, digits = [part for part in parts if part in _MONTHS], [part for part in parts if part.isdecimal()]
    if len(parts) != 2 or len(words) != 1 or len(digits) != 1 or len(digits[0]) not in (1, 2, 4):
        return None
    year = int(digits[0])
    if len(digits[0]) < 4:
        year += 2000 if year < 30 else 1900
    return month_number(f"{year:04d}-{_MONTHS.index(words[0]) + 1:02d}")


def _status(text: str) -> str | None:
    """The status that a text names, or whose beginning it is; null where there is none such."""
    plain = text.removeprefix(_OLD_POLICY).strip()
    if plain in _STATUSES:
        return plain
    begun = [status for status in _STATUSES if status.startswith(plain)] if len(plain) >= _CUT_OFF_FROM else []
    return begun[0] if len(begun) == 1 else None


def _outcome(text: str) -> bool | None:
    status = _status(text)
    return None if status is None else _STATUSES[status]


def _first_number(text: str) -> float | None:
    found = re.search(r"\d+", text)
    return float(found.group()) if found else None


def _years_employed(text: str) -> float | None:
    """`10+ years` as 10, `< 1 year` as 0."""
    return 0.0 if text.strip().startswith("<") else _first_number(text)


def _days(months: pa.Array, first: bool = False) -> pa.Array:
    """The last day of each month, or the first one."""
    levels, place = np.unique(months.to_numpy(), return_inverse=True)
    ends = [month_end(int(month)) for month in levels]
    days = np.array([(end.replace(day=1) if first else end).toordinal() - _EPOCH for end in ends], np.int32)
    return pa.array(days[place]).cast(pa.date32())


def _instants(months: pa.Array) -> pa.Array:
    return _days(months, first=True).cast(pa.timestamp("us")).cast(pa.timestamp("us", tz="UTC"))


def _accounts(rows: pa.Table, ids: pa.Array, issued: pa.Array, minor: dict[str, pa.Array], last: int) -> pa.Table:
    """Whether a loan of an earlier month was still open at as_of is not known from the source."""
    size = len(ids)
    return pa.table(
        {
            "account_id": ids,
            "borrower_id": ids,
            "lender_id": constant(_PLATFORM, size),
            "platform_id": constant(_PLATFORM, size),
            "product": constant("instalment", size),
            "currency": constant("USD", size),
            "opened_on": _days(issued),
            "status": pc.if_else(pc.equal(issued, last), "active", pa.scalar(None, pa.string())),
            "principal_minor": minor["funded_amnt"],
            "rate_annual": pc.divide(rows["int_rate"].combine_chunks(), 100.0),
            "term_months": _each(rows["term"], _first_number, pa.float64()).cast(pa.int64()),
        }
    )


def _periods(rows: pa.Table, ids: pa.Array, issued: pa.Array, minor: dict[str, pa.Array]) -> pa.Table:
    """The month of issue, with what was known at the application; no source code, which would be the outcome."""
    zero = pa.repeat(pa.scalar(0, pa.int64()), len(ids))
    first_line = _each(rows["earliest_cr_line"], _month, pa.int64())
    return pa.table(
        {
            "account_id": ids,
            "month": pa.array([month_text(month) for month in issued.to_pylist()]),
            "on_book": pa.repeat(pa.scalar(True), len(ids)),
            "balance_minor": minor["funded_amnt"],
            "min_due_minor": minor["installment"],
            "dpd_low": zero,
            "dpd_high": zero,
            "x_term": _each(rows["term"], _first_number, pa.float64()),
            "x_emp_length": _each(rows["emp_length"], _years_employed, pa.float64()),
            "x_months_since_earliest_cr_line": pc.subtract(issued, first_line).cast(pa.float64()),
            **{f"x_{name}": rows[name] for name in (*_NUMBERS, *_TEXTS)},
        }
    )


def _outcomes(rows: pa.Table, ids: pa.Array, issued: pa.Array, bad: pa.Array, extracted: date) -> pa.Table:
    return pa.table(
        {
            "account_id": ids,
            "as_of": _days(issued),
            "bad": bad,
            "horizon_months": _each(rows["term"], _first_number, pa.float64()).cast(pa.int64()),
            "known_on": pa.repeat(pa.scalar(extracted), len(ids)),
            "definition": constant("charged off or in default, against fully paid", len(ids)),
        }
    ).filter(bad.is_valid())


def _borrowers(rows: pa.Table, ids: pa.Array) -> pa.Table:
    income, _ = to_minor(pc.divide(rows["annual_inc"].combine_chunks(), 12.0))
    return pa.table(
        {
            "borrower_id": ids,
            "region": rows["addr_state"],
            "occupation": rows["emp_title"],
            "income_declared_minor": income,
            "housing": rows["home_ownership"],
        }
    )


def _applications(
    rows: pa.Table, ids: pa.Array, issued: pa.Array, minor: dict[str, pa.Array], bad: pa.Array, extracted: date
) -> pa.Table:
    size = len(ids)
    income, _ = to_minor(pc.divide(rows["annual_inc"].combine_chunks(), 12.0))
    return pa.table(
        {
            "application_id": ids,
            "borrower_id": ids,
            "lender_id": constant(_PLATFORM, size),
            "platform_id": constant(_PLATFORM, size),
            "product": constant("instalment", size),
            "requested_minor": minor["loan_amnt"],
            "submitted_at": _instants(issued),
            "income_declared_minor": income,
            "decision": constant("approved", size),
            "approved_minor": minor["funded_amnt"],
            "bad": bad,
            "bad_as_of": pc.if_else(bad.is_valid(), pa.scalar(extracted), pa.scalar(None, pa.date32())),
        }
    )


def _notes(rows: pa.Table, bad: pa.Array, last: str, extracted: date, undated: int) -> tuple[str, ...]:
    statuses = rows["loan_status"].combine_chunks()
    read_as = _each(rows["loan_status"], _status, pa.string())
    plain = pc.replace_substring(statuses, _OLD_POLICY, "")
    cut_off = pc.sum(pc.and_(read_as.is_valid(), pc.not_equal(pc.utf8_trim_whitespace(plain), read_as))).as_py() or 0
    long_term = pc.greater(_each(rows["term"], _first_number, pa.float64()), 36)
    open_long = pc.sum(pc.and_(bad.is_null(), long_term)).as_py() or 0
    return (
        f"as_of: the end of {last}, the last month of issue; statuses were extracted by {extracted}, later than as_of",
        "months: each loan has the month in which it was issued, none past due; no later month is in the source",
        "outcome: Charged Off and Default are bad, Fully Paid is good; a loan that still runs has no outcome",
        f"not known: {bad.null_count:,} loans have no outcome yet, {open_long:,} of them longer than 36 months; what is"
        " known of the long ones is how those ended that ended early",
        f"cut off: {cut_off:,} statuses are not whole in the file and are read as the one that they begin",
        f"unclear: {read_as.null_count:,} loans have a status that is none of Lending Club's, and so no outcome",
        f"undated: {undated:,} loans have no month of issue that can be read, and are left out",
        "dropped: payments, principal outstanding, recoveries, last_*, hardship and settlement come after the grant",
        "dropped: zip_code, url, desc and title; addr_state and emp_title describe the borrower and are no features",
        "income: annual_inc is a year's; a twelfth is a month's declared income",
    )
