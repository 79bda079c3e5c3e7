"""What is known of a line, and of a borrower over all the lines, at a month's end: the features of the warning.

Account features come from behaviour/ and are rolled up over a borrower's lines; amounts are added up over the lines
before one is divided by another; events, payments, applications, tradelines and macro say the rest. A table that is
missing takes its columns away and nothing else. Neither region nor age nor sex is a feature.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_INACTIVE, Panel
from evenkeel.arrears.warning.ahead import overdue_rows
from evenkeel.arrears.warning.facts import (
    MONTH_BITS,
    Economy,
    Ledger,
    event_ledger,
    known_income,
    known_months,
    places,
    ratio,
)
from evenkeel.arrears.warning.outside import outside_columns
from evenkeel.behaviour.features import FEATURES, Feature, Measure, feature_values
from evenkeel.scoring.cutting import Candidate
from evenkeel.scoring.frame import frame
from evenkeel.scoring.labels import charge_off_months

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Rolled:
    """An account feature rolled up over a borrower's lines: max, min or mean of the lines that have a value, or sum."""

    feature: str
    how: str
    concept: str


_ROLLED: tuple[_Rolled, ...] = (
    _Rolled("utilisation", "max", "utilisation"),
    _Rolled("utilisation_6m", "max", "utilisation"),
    _Rolled("utilisation_trend", "max", "utilisation_trend"),
    _Rolled("payment_ratio_3m", "mean", "payment_ratio"),
    _Rolled("payment_ratio_6m", "min", "payment_ratio"),
    _Rolled("payment_to_limit_3m", "mean", "payment_ratio"),
    _Rolled("payment_trend", "min", "payment_trend"),
    _Rolled("minimum_cover_3m", "min", "minimum_cover"),
    _Rolled("minimum_only_6m", "sum", "minimum_only"),
    _Rolled("missed_6m", "sum", "missed_payment"),
    _Rolled("small_payments_6m", "max", "small_payment"),
    _Rolled("full_payments_6m", "mean", "full_payment"),
    _Rolled("state_now", "max", "late_now"),
    _Rolled("worst_3m", "max", "late_before"),
    _Rolled("worst_12m", "max", "late_before"),
    _Rolled("late_count_3m", "sum", "late_count"),
    _Rolled("late_count_6m", "sum", "late_count"),
    _Rolled("late_count_12m", "sum", "late_count"),
    _Rolled("late_sum_6m", "sum", "late_count"),
    _Rolled("months_since_late", "min", "late_before"),
    _Rolled("months_on_file", "min", "age"),
    _Rolled("inactive_6m", "sum", "inactive"),
    _Rolled("balance_growth", "max", "balance_growth"),
    _Rolled("spend_trend", "max", "spending_trend"),
    _Rolled("cash_share_6m", "max", "cash_advance"),
    _Rolled("over_limit_6m", "sum", "over_limit"),
)

# Amounts of a line (column, months, months ago), added up over the lines before one is divided by another.
_AMOUNTS: dict[str, tuple[str, int, int]] = {
    "balance_now": ("balance", 1, 0), "balance_ago": ("balance", 1, 3), "limit_now": ("limit", 1, 0),
    "limit_ago": ("limit", 1, 6), "due_now": ("min_due", 1, 0), "paid_3m": ("paid", 3, 0),
    "owed_3m": ("owed_before", 3, 0), "cash_3m": ("cash", 3, 0),
}  # fmt: skip
_SUMMED = tuple(Feature(name, name, Measure(column, "sum", window, lag))
                for name, (column, window, lag) in _AMOUNTS.items())  # fmt: skip
# What borrowers are looked at by, and what their lines are: the second holds the first.
OF_BORROWERS: tuple[Feature, ...] = (
    *(feature for feature in FEATURES if feature.name in {rolled.feature for rolled in _ROLLED}), *_SUMMED,
)  # fmt: skip
OF_LINES: tuple[Feature, ...] = (*(f for f in FEATURES if f.name not in _AMOUNTS), *_SUMMED)

# Every other feature of a borrower-month: concept and names.
_OTHERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("utilisation", ("utilisation_all",)),
    ("payment_ratio", ("payment_ratio_all",)),
    ("balance_growth", ("balance_growth_all",)),
    ("limit_growth", ("limit_growth_all",)),
    ("cash_advance", ("cash_all",)),
    ("debt_service", ("service_to_income", "balance_to_income")),
    ("lines", ("lines", "lines_in_use")),
    ("late_now", ("lines_overdue", "share_overdue")),
    ("new_lines", ("opened_3m", "opened_6m")),
    ("charged_off", ("charged_off_36m",)),
    ("applications", ("applications_3m", "applications_6m")),
    ("income_break", ("income_break", "income_last")),
    ("hardship", ("hardship_6m",)),
    ("failed_payment", ("failed_payments_3m",)),
    ("paid_after_due", ("late_payments_1m", "late_payments_3m", "late_payments_6m")),
    ("outside_overdue", ("outside_overdue_6m", "outside_lines_overdue")),
    ("outside_exposure", ("outside_lines", "outside_to_own", "outside_growth")),
    ("new_lines", ("outside_opened_6m",)),
    ("economy", ("unemployment_change", "output_growth")),
    ("industry", ("industry",)),
    ("income_source", ("income_source",)),
)
# No direction is held: features that say one thing together share it out as the data have it, and a direction held on
# each alone costs more of the ranking (0.02 of AUC on generated books) than it explains.
CANDIDATES = (
    *(Candidate(f"{rolled.feature}_{rolled.how}", rolled.concept) for rolled in _ROLLED),
    *(Candidate(name, concept) for concept, names in _OTHERS for name in names),
)
_LINE_OTHERS = (
    ("late_now", ("source_code",)), ("product", ("product",)), ("age", ("age_months",)),
    ("paid_after_due", ("late_payments_1m", "late_payments_3m", "late_payments_6m")),
    ("failed_payment", ("failed_payments_3m",)), ("price", ("rate_annual",)), ("due_day", ("due_day",)),
)  # fmt: skip
LINE_CANDIDATES = (
    *(Candidate(feature.name, feature.concept) for feature in FEATURES),
    *(Candidate(name, concept) for concept, names in _LINE_OTHERS for name in names),
)


# --- lines -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class LineMonths:
    """The own lines on file in some borrower-months. rows: (n,) places in panel.months, by borrower, month, account.

    held: (n,) the borrower-month of each row as a key. values: (n,) account features and amounts.
    """

    rows: IntArray
    held: IntArray
    values: pa.Table

    def column(self, name: str) -> FloatArray:
        """A feature's values, NaN where it is not known."""
        if name not in self.values.column_names:
            return np.full(len(self.rows), np.nan)
        return np.asarray(self.values[name].to_numpy(), np.float64)

    def of(self, keys: IntArray) -> IntArray:
        """Places here of the lines of these borrower-months, in their order."""
        return np.flatnonzero(np.isin(self.held, keys))


def key_of(borrower: IntArray, month: IntArray) -> IntArray:
    """One number for a borrower-month."""
    return (borrower << MONTH_BITS) + month


def line_months(
    panel: Panel, borrower: IntArray, month: IntArray, threads: int, features: tuple[Feature, ...] = OF_BORROWERS
) -> LineMonths:
    """The lines on file in the wanted borrower-months, with their account features as of then."""
    owner = panel.accounts["borrower"].to_numpy().astype(np.int64)[panel.account]
    held = key_of(owner, panel.month)
    rows = np.flatnonzero(np.isin(held, key_of(borrower, month)))
    rows = rows[np.argsort(held[rows], kind="stable")]
    wanted = panel.months.select(["account", "month"]).take(pa.array(rows))
    values = feature_values(panel, wanted, threads, features) if len(rows) else wanted
    return LineMonths(rows, held[rows], values)


def line_features(panel: Panel, tables: Mapping[str, pa.Table], lines: LineMonths) -> pa.Table:
    """A row for each line of `lines` with the columns of LINE_CANDIDATES that the book allows.

    Nothing of the borrower's other lines enters: this is what a line says of itself.
    """
    names = {feature.name for feature in FEATURES} & set(lines.values.column_names)
    columns: dict[str, object] = {name: lines.values[name] for name in sorted(names)}
    account, month = panel.account[lines.rows], panel.month[lines.rows]
    facts = panel.accounts.take(pa.array(account))
    code = panel.months["source_code"].take(pa.array(lines.rows))
    if 1 < len(pc.unique(code)) <= _MOST_CODES:
        columns["source_code"] = code
    columns |= {"product": facts["product"], "rate_annual": facts["rate_annual"], "due_day": facts["due_day"]}
    opened = facts["opened"].cast(pa.float64()).to_numpy(zero_copy_only=False)
    columns["age_months"] = np.minimum(month - opened, _OLDEST)
    if "payments" in tables:
        payments = tables["payments"]
        paid = places(payments["account_id"], panel.accounts["account_id"].combine_chunks())
        failed, after_due = _payment_ledgers(panel, payments, paid)
        columns["failed_payments_3m"] = failed.total(account, month, 3).astype(np.float64)
        for window in (1, 3, 6):
            columns[f"late_payments_{window}m"] = after_due.total(account, month, window).astype(np.float64)
    return frame(columns)


_MOST_CODES = 60  # a text column with more distinct values is an id, not a feature
_OLDEST = 120.0  # months; an older line is as old


# --- borrowers -------------------------------------------------------------------------------------------------------


def borrower_features(
    panel: Panel, tables: Mapping[str, pa.Table], borrower: IntArray, month: IntArray, threads: int
) -> pa.Table:
    """A row for each borrower-month, with the columns of CANDIDATES that the book's tables allow; null is not known.

    borrower: (n,) places in panel.borrowers. month: (n,) month numbers. Only what was known by the month's end is used.
    """
    return features_over(panel, tables, line_months(panel, borrower, month, threads), borrower, month)


def features_over(
    panel: Panel, tables: Mapping[str, pa.Table], lines: LineMonths, borrower: IntArray, month: IntArray
) -> pa.Table:
    """`borrower_features` where the lines of the borrower-months are at hand already."""
    columns: dict[str, object] = dict(_over_lines(panel, lines, key_of(borrower, month)))
    columns |= _event_columns(panel, tables, borrower, month)
    due, balance = np.asarray(columns.pop("due_now")), np.asarray(columns.pop("balance_now"))
    income = known_income(panel, tables, borrower, month)
    columns["service_to_income"] = ratio(due, income)
    columns["balance_to_income"] = ratio(balance, income)
    columns |= outside_columns(panel, tables.get("tradelines"), borrower, month, balance)
    if {"macro", "borrowers"} <= tables.keys():  # a month's figures are published after it
        unemployment = Economy(panel, tables, "unemployment")
        columns["unemployment_change"] = unemployment.at(borrower, month - 1) - unemployment.at(borrower, month - 7)
        columns["output_growth"] = Economy(panel, tables, "output_growth").at(borrower, month - 1)
    if "borrowers" in tables:
        people = tables["borrowers"]
        row = pc.index_in(panel.borrowers.take(pa.array(borrower)), people["borrower_id"].combine_chunks())
        columns |= {name: people[name].take(row) for name in ("industry", "income_source")}
    return frame(columns)


class _Over:
    """Figures of lines rolled up over the lines of each wanted borrower-month; NaN without a line that has one."""

    def __init__(self, lines: LineMonths, keys: IntArray) -> None:
        self._cells, self._start = np.unique(lines.held, return_index=True)
        self._cell = np.searchsorted(self._cells, keys)
        self._found = np.isin(keys, self._cells)

    def __call__(self, line: FloatArray, how: str) -> FloatArray:
        if len(line) == 0:
            return np.full(len(self._found), np.nan)
        if how in ("max", "min"):
            result = (np.fmax if how == "max" else np.fmin).reduceat(line, self._start)
        else:
            known = ~np.isnan(line)
            count = np.add.reduceat(known.astype(np.float64), self._start)
            total = np.add.reduceat(np.where(known, line, 0.0), self._start)
            result = ratio(total, count) if how == "mean" else np.where(count > 0, total, np.nan)
        return np.where(self._found, result[np.where(self._found, self._cell, 0)], np.nan)


def _over_lines(panel: Panel, lines: LineMonths, keys: IntArray) -> dict[str, FloatArray]:
    """Account features rolled up over the lines on file, and ratios of sums over the lines; NaN without a line."""
    rolled, column = _Over(lines, keys), lines.column

    def share(top: str, bottom: str) -> FloatArray:
        """Of the lines where both are known."""
        a, b = column(top), column(bottom)
        both = ~(np.isnan(a) | np.isnan(b))
        return ratio(rolled(np.where(both, a, np.nan), "sum"), rolled(np.where(both, b, np.nan), "sum"))

    late = overdue_rows(panel)[lines.rows].astype(np.float64)
    used = (panel.state[lines.rows] != STATE_INACTIVE).astype(np.float64)
    result = {f"{r.feature}_{r.how}": rolled(column(r.feature), r.how) for r in _ROLLED}
    return result | {
        "utilisation_all": share("balance_now", "limit_now"),
        "payment_ratio_all": share("paid_3m", "owed_3m"),
        "balance_growth_all": share("balance_now", "balance_ago"),
        "limit_growth_all": share("limit_now", "limit_ago"),
        "cash_all": share("cash_3m", "limit_now"),
        "lines": rolled(np.ones(len(lines.rows)), "sum"),
        "lines_in_use": rolled(used, "sum"),
        "lines_overdue": rolled(late, "sum"),
        "share_overdue": rolled(late, "mean"),
        "due_now": rolled(column("due_now"), "sum"),
        "balance_now": rolled(column("balance_now"), "sum"),
    }


def _event_columns(
    panel: Panel, tables: Mapping[str, pa.Table], borrower: IntArray, month: IntArray
) -> dict[str, FloatArray]:
    """Counts over the last months of what a borrower did and what was done; a table that is absent gives no column."""
    events = tables.get("events")
    holder = panel.accounts["borrower"].to_numpy().astype(np.int64)
    lost = np.minimum(charge_off_months(panel, events), (1 << MONTH_BITS) - 1)  # a month that no window reaches: never
    counted: dict[str, tuple[Ledger | None, tuple[int, ...]]] = {
        "opened": (Ledger(holder, panel.accounts["opened"].fill_null(0).to_numpy().astype(np.int64)), (3, 6)),
        "applications": (_asked(panel, tables), (3, 6)),
        "hardship": (event_ledger(panel, events, "hardship"), (6,)),
        "charged_off": (Ledger(holder, lost), (36,)),
    }
    if "payments" in tables:
        payments = tables["payments"]
        account = places(payments["account_id"], panel.accounts["account_id"].combine_chunks())
        owner = np.where(account >= 0, holder[np.maximum(account, 0)], -1)
        failed, after_due = _payment_ledgers(panel, payments, owner)
        counted |= {"failed_payments": (failed, (3,)), "late_payments": (after_due, (1, 3, 6))}
    columns: dict[str, FloatArray] = {
        f"{name}_{window}m": ledger.total(borrower, month, window).astype(np.float64)
        for name, (ledger, windows) in counted.items()
        if ledger is not None
        for window in windows
    }
    income = event_ledger(panel, events, "income", "deposit", amounts=True)
    if income is not None:
        last, before = income.total(borrower, month, 3), income.total(borrower, month - 3, 3)
        columns["income_break"] = ratio(last, before)
        columns["income_last"] = ratio(3 * income.total(borrower, month, 1), before)
    return columns


def _asked(panel: Panel, tables: Mapping[str, pa.Table]) -> Ledger | None:
    """Applications and inquiries."""
    parts = []
    if "applications" in tables:
        parts.append((tables["applications"], "submitted_at"))
    if "events" in tables:
        parts.append((tables["events"].filter(pc.equal(tables["events"]["kind"], "inquiry")), "effective_at"))
    if not parts:
        return None
    owner = np.concatenate([places(rows["borrower_id"], panel.borrowers) for rows, _ in parts])
    return Ledger(owner, np.concatenate([known_months(rows, at) for rows, at in parts]))


def _payment_ledgers(panel: Panel, payments: pa.Table, owner: IntArray) -> tuple[Ledger, Ledger]:
    """(failed payments, payments made after the account's due day) of each owner, -1 for nobody's."""
    account = places(payments["account_id"], panel.accounts["account_id"].combine_chunks())
    month = known_months(payments, "paid_at")
    result = pc.fill_null(payments["result"], "ok")
    failed = pc.equal(result, "failed").to_numpy().astype(bool)
    due = panel.accounts["due_day"].fill_null(31).to_numpy().astype(np.int64)[np.maximum(account, 0)]
    day = pc.day(payments["paid_at"]).to_numpy().astype(np.int64)
    late = pc.equal(result, "ok").to_numpy().astype(bool) & (day > due)
    return Ledger(owner[failed], month[failed]), Ledger(owner[late], month[late])
