"""Stage 5, warn: the chance that a borrower's next line becomes overdue within three months.

Two questions share one table of borrower-months. `first`: nothing is overdue yet; will any line be? `spread`: some
lines are overdue and some are not; will another be? Earlier months, whose three months are over, train a scorecard for
each; the last of them judges it. A feature of a month uses only what was known at that month's end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel, day_months, month_numbers
from evenkeel.behaviour.features import FEATURES, Feature, Measure, feature_values
from evenkeel.kernel.calendar import month_text
from evenkeel.measures.calibration import fit_platt, wilson
from evenkeel.measures.discrimination import auc
from evenkeel.scoring.cutting import Candidate
from evenkeel.scoring.frame import frame
from evenkeel.scoring.labels import charge_off_months
from evenkeel.scoring.woe import CAUTIOUS, fit_woe

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

HORIZON = 3  # months
LEAST_CASES = 30  # fewer borrowers of either outcome train no model
TOP_SHARES = (0.01, 0.05, 0.10)
MOST_REASONS = 4
_MOST_TRAINING_ROWS = 100_000
_HISTORY = 5  # months of history a training month has where the book is long enough
_MONTH_BITS = 16  # a month number fits into these bits of a key

REASONS_TYPE = pa.list_(pa.struct([("code", pa.string()), ("points", pa.float64()), ("source", pa.string())]))
WARNINGS = pa.schema([("borrower_id", pa.string()), ("warning", pa.float64()), ("warning_reasons", REASONS_TYPE)])


@dataclass(frozen=True, slots=True)
class Warned:
    """table: WARNINGS, one row a borrower of the exposure table, in its order; warning null where nothing can be said.

    summary: portfolio.json "warning", None where no model could be judged; missing: why not, else empty.
    """

    table: pa.Table
    summary: dict[str, object] | None
    missing: str


# --- borrower-months -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BorrowerMonths:
    """What happened to each borrower in each month of the panel; all (borrowers, months).

    first: month number of the first column. lines, overdue: own lines on file and of them overdue. another: whether a
    line that is not overdue in the month is overdue within the HORIZON months after it.
    """

    first: int
    lines: IntArray
    overdue: IntArray
    another: BoolArray


def overdue_rows(panel: Panel) -> BoolArray:
    """Whether each row of panel.months is overdue: M1 or worse; X and unknown are not."""
    state = panel.state
    return (state >= 1) & (state <= 7)


def borrower_months(panel: Panel) -> BorrowerMonths:
    """The panel by borrower and month."""
    account, late = panel.account, overdue_rows(panel)
    owner = panel.accounts["borrower"].to_numpy().astype(np.int64)[account]
    first = int(panel.month.min(initial=panel.last_month))
    column = panel.month - first
    width = panel.last_month - first + 1
    cell = owner * width + column
    size = len(panel.borrowers) * width
    another = np.zeros(size, bool)
    rows = np.flatnonzero(late)
    for ahead in range(1, HORIZON + 1):
        now = np.maximum(rows - ahead, 0)
        was_late = (account[now] == account[rows]) & (rows >= ahead) & late[now]
        reached = rows[~was_late & (column[rows] >= ahead)]
        another[cell[reached] - ahead] = True
    shape = (len(panel.borrowers), width)
    return BorrowerMonths(
        first,
        np.bincount(cell, minlength=size).reshape(shape),
        np.bincount(cell[rows], minlength=size).reshape(shape),
        another.reshape(shape),
    )


class Ledger:
    """Dated amounts of borrowers, summed over any window of months. A fact stands in the month it became known."""

    def __init__(self, owner: IntArray, month: IntArray, amount: IntArray | None = None) -> None:
        known = owner >= 0
        key = (owner[known] << _MONTH_BITS) + month[known]
        order = np.argsort(key, kind="stable")
        self._keys = key[order]
        amounts = np.ones(len(order), np.int64) if amount is None else amount[known][order]
        self._sums = np.concatenate(([0], np.cumsum(amounts)))

    def total(self, borrower: IntArray, month: IntArray, window: int | IntArray) -> IntArray:
        """Sum over the `window` months that end with `month`."""
        key = (borrower << _MONTH_BITS) + month
        stop = np.searchsorted(self._keys, key, side="right")
        start = np.searchsorted(self._keys, key - window, side="right")
        result: IntArray = self._sums[stop] - self._sums[start]
        return result


def known_months(table: pa.Table, at: str) -> IntArray:
    """Month number in which each row was known: the later of `at` and booked_at where that is given; 0 if undated."""
    months = day_months(table[at])
    if "booked_at" in table.column_names:
        months = pc.max_element_wise(months, day_months(table["booked_at"]))
    result: IntArray = months.fill_null(0).to_numpy().astype(np.int64)
    return result


def places(ids: pa.ChunkedArray, among: pa.Array) -> IntArray:
    """Place of each id among others, -1 where it is not there."""
    result: IntArray = pc.index_in(ids.combine_chunks(), among).fill_null(-1).to_numpy().astype(np.int64)
    return result


def event_ledger(panel: Panel, events: pa.Table | None, *kinds: str, amounts: bool = False) -> Ledger | None:
    """Events of some kinds by borrower: counted, or their amounts added up; None where the book has no such event."""
    if events is None:
        return None
    rows = events.filter(pc.is_in(events["kind"], pa.array(kinds)))
    if amounts:
        rows = rows.filter(rows["amount_minor"].is_valid())
    if rows.num_rows == 0:
        return None
    amount = rows["amount_minor"].to_numpy().astype(np.int64) if amounts else None
    return Ledger(places(rows["borrower_id"], panel.borrowers), known_months(rows, "effective_at"), amount)


def ratio(top: FloatArray | IntArray, bottom: FloatArray | IntArray) -> FloatArray:
    """top / bottom, NaN where bottom is not above 0 or not known."""
    result: FloatArray = top / np.where(bottom > 0, bottom, np.nan)
    return result


# --- features --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Rolled:
    """An account feature rolled up over a borrower's lines: max, min or mean of the lines that have a value, or sum."""

    feature: str
    how: str
    concept: str
    trend: int = 0


_ROLLED: tuple[_Rolled, ...] = (
    _Rolled("utilisation", "max", "utilisation", 1),
    _Rolled("utilisation_trend", "max", "utilisation_trend", 1),
    _Rolled("payment_ratio_3m", "mean", "payment_ratio", -1),
    _Rolled("payment_ratio_6m", "min", "payment_ratio", -1),
    _Rolled("payment_trend", "min", "payment_trend", -1),
    _Rolled("minimum_cover_3m", "min", "minimum_cover", -1),
    _Rolled("minimum_only_6m", "sum", "minimum_only", 1),
    _Rolled("missed_6m", "sum", "missed_payment", 1),
    _Rolled("small_payments_6m", "max", "small_payment", 1),
    _Rolled("full_payments_6m", "mean", "full_payment", -1),
    _Rolled("state_now", "max", "late_now", 1),
    _Rolled("worst_12m", "max", "late_before", 1),
    _Rolled("late_count_3m", "sum", "late_count", 1),
    _Rolled("late_count_12m", "sum", "late_count", 1),
    _Rolled("months_since_late", "min", "late_before", -1),
    _Rolled("months_on_file", "min", "age", -1),
    _Rolled("balance_growth", "max", "balance_growth", 1),
    _Rolled("spend_trend", "max", "spending_trend"),
    _Rolled("cash_share_6m", "max", "cash_advance", 1),
    _Rolled("over_limit_6m", "sum", "over_limit", 1),
)


# Amounts of a line (column, months, months ago), added up over the lines before one is divided by another.
_AMOUNTS: dict[str, tuple[str, int, int]] = {
    "balance_now": ("balance", 1, 0), "balance_ago": ("balance", 1, 3), "limit_now": ("limit", 1, 0),
    "limit_ago": ("limit", 1, 6), "due_now": ("min_due", 1, 0), "paid_3m": ("paid", 3, 0),
    "owed_3m": ("owed_before", 3, 0), "cash_3m": ("cash", 3, 0),
}  # fmt: skip
_LINE_FEATURES: tuple[Feature, ...] = (
    *(feature for feature in FEATURES if feature.name in {rolled.feature for rolled in _ROLLED}),
    *(Feature(name, name, Measure(column, "sum", window, lag)) for name, (column, window, lag) in _AMOUNTS.items()),
)

# Every other feature of a borrower-month: concept, the direction in which it may raise the risk, and names.
_OTHERS: tuple[tuple[str, int, tuple[str, ...]], ...] = (
    ("utilisation", 1, ("utilisation_all",)),
    ("payment_ratio", -1, ("payment_ratio_all",)),
    ("balance_growth", 1, ("balance_growth_all",)),
    ("limit_growth", 1, ("limit_growth_all",)),
    ("cash_advance", 1, ("cash_all",)),
    ("debt_service", 1, ("service_to_income", "balance_to_income")),
    ("lines", 0, ("lines",)),
    ("late_now", 0, ("lines_overdue", "share_overdue")),
    ("new_lines", 1, ("opened_3m", "opened_6m")),
    ("charged_off", 1, ("charged_off_36m",)),
    ("applications", 1, ("applications_3m", "applications_6m")),
    ("income_break", -1, ("income_break", "income_last")),
    ("hardship", 1, ("hardship_6m",)),
    ("failed_payment", 1, ("failed_payments_3m",)),
    ("paid_after_due", 1, ("late_payments_3m", "late_payments_6m")),
    ("outside_overdue", 1, ("outside_overdue_6m",)),
    ("economy", 0, ("unemployment_change", "output_growth")),
    ("industry", 0, ("industry",)),
    ("income_source", 0, ("income_source",)),
)
CANDIDATES = (
    *(Candidate(f"{rolled.feature}_{rolled.how}", rolled.concept, rolled.trend) for rolled in _ROLLED),
    *(Candidate(name, concept, trend) for concept, trend, names in _OTHERS for name in names),
)
CONCEPTS = tuple(dict.fromkeys(entry.concept for entry in CANDIDATES))


def borrower_features(
    panel: Panel, tables: Mapping[str, pa.Table], borrower: IntArray, month: IntArray, threads: int
) -> pa.Table:
    """A row for each borrower-month, with the columns of CANDIDATES that the book's tables allow; null is not known.

    borrower: (n,) places in panel.borrowers. month: (n,) month numbers. Only what was known by the month's end is used.
    """
    columns: dict[str, object] = dict(_line_columns(panel, borrower, month, threads))
    columns |= _event_columns(panel, tables, borrower, month)
    due, balance = columns.pop("due_now"), columns.pop("balance_now")
    income = _income(panel, tables, borrower, month)
    columns["service_to_income"] = ratio(np.asarray(due), income)
    columns["balance_to_income"] = ratio(np.asarray(balance), income)
    if {"macro", "borrowers"} <= tables.keys():  # a month's figures are published after it
        unemployment = Economy(panel, tables, "unemployment")
        columns["unemployment_change"] = unemployment.at(borrower, month - 1) - unemployment.at(borrower, month - 7)
        columns["output_growth"] = Economy(panel, tables, "output_growth").at(borrower, month - 1)
    if "borrowers" in tables:
        people = tables["borrowers"]
        row = pc.index_in(panel.borrowers.take(pa.array(borrower)), people["borrower_id"].combine_chunks())
        columns |= {name: people[name].take(row) for name in ("industry", "income_source")}
    return frame(columns)


def _line_columns(panel: Panel, borrower: IntArray, month: IntArray, threads: int) -> dict[str, FloatArray]:
    """Account features rolled up over the lines on file, and ratios of sums over the lines; NaN without a line."""
    keys = (borrower << _MONTH_BITS) + month
    owner = panel.accounts["borrower"].to_numpy().astype(np.int64)[panel.account]
    held = (owner << _MONTH_BITS) + panel.month
    rows = np.flatnonzero(np.isin(held, keys))
    rows = rows[np.argsort(held[rows], kind="stable")]
    wanted = panel.months.select(["account", "month"]).take(pa.array(rows))
    values = feature_values(panel, wanted, threads, _LINE_FEATURES) if len(rows) else wanted
    cells, start = np.unique(held[rows], return_index=True)
    cell = np.searchsorted(cells, keys)
    found = np.isin(keys, cells)

    def column(name: str) -> FloatArray:
        if name not in values.column_names:
            return np.full(len(rows), np.nan)
        return np.asarray(values[name].to_numpy(), np.float64)

    def rolled(line: FloatArray, how: str) -> FloatArray:
        if len(rows) == 0:
            return np.full(len(keys), np.nan)
        known = ~np.isnan(line)
        if how in ("max", "min"):
            result = (np.fmax if how == "max" else np.fmin).reduceat(line, start)
        else:
            count = np.add.reduceat(known.astype(np.float64), start)
            total = np.add.reduceat(np.where(known, line, 0.0), start)
            result = ratio(total, count) if how == "mean" else np.where(count > 0, total, np.nan)
        return np.where(found, result[np.where(found, cell, 0)], np.nan)

    def share(top: str, bottom: str) -> FloatArray:
        """Of the lines where both are known."""
        a, b = column(top), column(bottom)
        both = ~(np.isnan(a) | np.isnan(b))
        return ratio(rolled(np.where(both, a, np.nan), "sum"), rolled(np.where(both, b, np.nan), "sum"))

    late = overdue_rows(panel)[rows].astype(np.float64)
    result = {f"{r.feature}_{r.how}": rolled(column(r.feature), r.how) for r in _ROLLED}
    return result | {
        "utilisation_all": share("balance_now", "limit_now"),
        "payment_ratio_all": share("paid_3m", "owed_3m"),
        "balance_growth_all": share("balance_now", "balance_ago"),
        "limit_growth_all": share("limit_now", "limit_ago"),
        "cash_all": share("cash_3m", "limit_now"),
        "lines": rolled(np.ones(len(rows)), "sum"),
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
    lost = np.minimum(charge_off_months(panel, events), (1 << _MONTH_BITS) - 1)  # a month that no window reaches: never
    counted: dict[str, tuple[Ledger | None, tuple[int, ...]]] = {
        "opened": (Ledger(holder, panel.accounts["opened"].fill_null(0).to_numpy().astype(np.int64)), (3, 6)),
        "applications": (_asked(panel, tables), (3, 6)),
        "hardship": (event_ledger(panel, events, "hardship"), (6,)),
        "charged_off": (Ledger(holder, lost), (36,)),
        "outside_overdue": (_outside_overdue(panel, tables.get("tradelines")), (6,)),
    }
    if "payments" in tables:
        failed, after_due = _payment_ledgers(panel, tables["payments"], holder)
        counted |= {"failed_payments": (failed, (3,)), "late_payments": (after_due, (3, 6))}
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


def _outside_overdue(panel: Panel, tradelines: pa.Table | None) -> Ledger | None:
    """Reports of lines elsewhere that show days past due."""
    if tradelines is None:
        return None
    late = tradelines.filter(pc.greater(pc.coalesce(tradelines["dpd_high"], tradelines["dpd_low"]), 0))
    months = day_months(late["as_of"]).to_numpy().astype(np.int64)
    return Ledger(places(late["borrower_id"], panel.borrowers), months)


def _payment_ledgers(panel: Panel, payments: pa.Table, holder: IntArray) -> tuple[Ledger, Ledger]:
    """(failed payments, payments made after the account's due day)."""
    account = places(payments["account_id"], panel.accounts["account_id"].combine_chunks())
    owner = np.where(account >= 0, holder[np.maximum(account, 0)], -1)
    month = known_months(payments, "paid_at")
    result = pc.fill_null(payments["result"], "ok")
    failed = pc.equal(result, "failed").to_numpy().astype(bool)
    due = panel.accounts["due_day"].fill_null(31).to_numpy().astype(np.int64)[np.maximum(account, 0)]
    day = pc.day(payments["paid_at"]).to_numpy().astype(np.int64)
    late = pc.equal(result, "ok").to_numpy().astype(bool) & (day > due)
    return Ledger(owner[failed], month[failed]), Ledger(owner[late], month[late])


def _income(panel: Panel, tables: Mapping[str, pa.Table], borrower: IntArray, month: IntArray) -> FloatArray:
    """Income a month as known then: observed over six months where it shows, else verified, else declared."""
    income = np.full(len(borrower), np.nan)
    if "borrowers" in tables:
        people = tables["borrowers"]
        row = pc.index_in(panel.borrowers.take(pa.array(borrower)), people["borrower_id"].combine_chunks())
        stated = pc.coalesce(people["income_verified_minor"], people["income_declared_minor"])
        income = np.asarray(stated.take(row).cast(pa.float64()).to_numpy(), np.float64)
    paid_in = event_ledger(panel, tables.get("events"), "income", "deposit", amounts=True)
    if paid_in is None:
        return income
    months = np.clip(month - int(panel.month.min()) + 1, 1, 6)
    seen = paid_in.total(borrower, month, 6) / months
    return np.where(seen > 0, seen, income)


class Economy:
    """A column of `macro` by borrower and month: of region and industry where that is given, else of the region."""

    def __init__(self, panel: Panel, tables: Mapping[str, pa.Table], name: str) -> None:
        people, macro = tables["borrowers"], tables["macro"]
        macro = macro.filter(macro[name].is_valid())
        row = pc.index_in(panel.borrowers, people["borrower_id"].combine_chunks())
        region, industry = people["region"].combine_chunks().take(row), people["industry"].combine_chunks().take(row)
        blocks = pc.binary_join_element_wise(macro["region"], pc.fill_null(macro["industry"], ""), "\n")
        names = pc.unique(blocks).sort()
        months = month_numbers(macro["month"])
        self._first = int(months.min()) if len(months) else 0
        width = int(months.max()) - self._first + 1 if len(months) else 1
        self._values = np.full((len(names) + 1, width), np.nan)  # the last row: not known
        where = places(blocks, names)
        self._values[where, months - self._first] = macro[name].to_numpy().astype(np.float64)
        exact = pc.index_in(pc.binary_join_element_wise(region, pc.fill_null(industry, ""), "\n"), names)
        whole = pc.index_in(pc.binary_join_element_wise(region, "", "\n"), names)
        self.block = pc.fill_null(pc.coalesce(exact, whole), len(names)).to_numpy().astype(np.int64)

    def at(self, borrower: IntArray, month: IntArray) -> FloatArray:
        """Value of each borrower's block in a month; NaN where it is not known."""
        column = month - self._first
        inside = (column >= 0) & (column < self._values.shape[1])
        found: FloatArray = self._values[self.block[borrower], np.clip(column, 0, self._values.shape[1] - 1)]
        return np.where(inside, found, np.nan)


# --- the two models --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Cases:
    """Borrower-months of one question; (n,) each. another: what happened, False while it lies ahead."""

    borrower: IntArray
    month: IntArray
    another: BoolArray

    def keep(self, mask: BoolArray) -> _Cases:
        return _Cases(self.borrower[mask], self.month[mask], self.another[mask])


@dataclass(frozen=True, slots=True)
class _Answer:
    """One question's answer for the borrowers of the last month; probability and points are empty without a model."""

    borrower: IntArray
    probability: FloatArray
    concepts: tuple[str, ...]
    points: FloatArray
    summary: dict[str, object] | None
    missing: str


def warn(panel: Panel, tables: Mapping[str, pa.Table], exposure_table: pa.Table, *, seed: int, threads: int) -> Warned:
    """Stage 5: the chance that a borrower's first line, or a further one, becomes overdue within HORIZON months.

    exposure_table: decisions.exposure.exposures; its borrowers, in its order. The book's own lines are predicted;
    lines elsewhere count as signs. Null for borrowers without an own line on file or with all of them overdue.
    """
    grid = borrower_months(panel)
    first = _answer(panel, tables, grid, (grid.lines > 0) & (grid.overdue == 0), seed, threads)
    some = (grid.overdue > 0) & (grid.overdue < grid.lines)
    spread = _answer(panel, tables, grid, some, seed, threads)
    table = _table(panel, exposure_table["borrower_id"].combine_chunks(), (first, spread))
    summary = None
    if first.summary is not None:
        scored = table.num_rows - table["warning"].null_count
        summary = {"borrowers": scored, "horizon_months": HORIZON, **first.summary, "spread": spread.summary}
    return Warned(table, summary, first.missing)


def _answer(
    panel: Panel, tables: Mapping[str, pa.Table], grid: BorrowerMonths, asked: BoolArray, seed: int, threads: int
) -> _Answer:
    """Train on the earlier months where `asked` (borrowers, months) holds, judge on the last, score the present."""
    width = asked.shape[1]
    over = max(width - HORIZON, 0)
    start = min(_HISTORY, over // 2)
    present = np.flatnonzero(asked[:, -1])
    borrower, column = np.nonzero(asked[:, start:over])
    cases = _Cases(borrower, grid.first + start + column, grid.another[borrower, start + column])
    hits = int(cases.another.sum())
    if min(hits, len(cases.month) - hits) < LEAST_CASES:
        why = (
            f"{hits} of {len(cases.month)} borrower-months whose {HORIZON} months are over were followed by an overdue "
            f"line; a model needs {LEAST_CASES} of either outcome"
        )
        return _Answer(present, np.empty(0), (), np.empty((0, 0)), None, why)
    held_month = int(cases.month.max())
    if len(cases.month) > _MOST_TRAINING_ROWS:  # months whose outcomes do not overlap say the most a row
        cases = cases.keep((held_month - cases.month) % HORIZON == 0)
    share = -(-len(cases.month) // _MOST_TRAINING_ROWS)
    drawn = np.random.default_rng(seed).permutation(len(panel.borrowers)) % share == 0
    cases = cases.keep(drawn[cases.borrower] | (cases.month == held_month))
    when = np.concatenate((cases.month, np.full(len(present), panel.last_month)))
    columns = borrower_features(panel, tables, np.concatenate((cases.borrower, present)), when, threads)
    history, now = columns.slice(0, len(cases.month)), columns.slice(len(cases.month))
    train = drawn[cases.borrower]
    scorecard = fit_woe(history.filter(pa.array(train)), cases.another[train], CANDIDATES, settings=CAUTIOUS)
    summary, log_odds, truth = _judge(panel, cases, history, held_month, train, seed)
    missing = "" if summary else "too few cases in the last months to judge the model"
    if summary:
        scorecard = scorecard.recalibrated(fit_platt(log_odds, truth))
        summary["how"] = f"{summary['how']}; borrowers sampled 1 in {share}"
    concepts, points = scorecard.contributions(now)
    return _Answer(present, scorecard.probability(now), concepts, points, summary, missing)


def _judge(
    panel: Panel, cases: _Cases, history: pa.Table, held_month: int, train: BoolArray, seed: int
) -> tuple[dict[str, object] | None, FloatArray, BoolArray]:
    """(summary, ln odds, outcomes) of the last month whose HORIZON months are over.

    The judged model saw only months that were over by then. A book too short for that is split by borrower as well:
    half of the borrowers' earlier months train it, the other half's last month judges it.
    """
    held = cases.month == held_month
    earlier = train & (cases.month + HORIZON <= held_month)
    how = "trained on {} to {}, all over by {}, the month that judges"
    if min(cases.another[earlier].sum(), (~cases.another[earlier]).sum()) < LEAST_CASES:
        half = np.random.default_rng([seed, 1]).permutation(len(panel.borrowers)) % 2 == 0
        earlier, held = train & half[cases.borrower], held & ~half[cases.borrower]
        how = "trained on {} to {} of half of the borrowers, judged on the others in {}"
    truth = cases.another[held]
    enough = min(cases.another[earlier].sum(), (~cases.another[earlier]).sum(), truth.sum(), (~truth).sum())
    if enough < LEAST_CASES // 3:
        return None, np.empty(0), truth
    model = fit_woe(history.filter(pa.array(earlier)), cases.another[earlier], CANDIDATES, settings=CAUTIOUS)
    log_odds = model.log_odds(history.filter(pa.array(held)))
    months = cases.month[earlier]
    area = auc(log_odds, truth)
    summary: dict[str, object] = {
        "base_rate": float(truth.mean()),
        "precision": precision_at_top(log_odds, truth),
        "auc": area.value, "auc_low": area.low, "auc_high": area.high,
        "judged_on": [month_text(held_month)],
        "rows_train": int(earlier.sum()),
        "rows_holdout": int(held.sum()),
        "how": how.format(month_text(int(months.min())), month_text(int(months.max())), month_text(held_month)),
    }  # fmt: skip
    return summary, log_odds, truth


def precision_at_top(score: FloatArray, truth: BoolArray) -> list[dict[str, float]]:
    """Of the highest-ranked share of borrowers, the share that became overdue, with Wilson's interval; and its lift."""
    order = np.argsort(-score, kind="stable")
    table = []
    for share in TOP_SHARES:
        count = max(int(np.ceil(share * len(order))), 1)
        hits = int(truth[order[:count]].sum())
        low, high = wilson(np.array([hits]), np.array([count]))
        table.append(
            {"top_share": share, "borrowers": count, "precision": hits / count, "low": float(low[0]),
             "high": float(high[0]), "lift": hits / count / float(truth.mean())}
        )  # fmt: skip
    return table


def _table(panel: Panel, borrowers: pa.Array, answers: tuple[_Answer, ...]) -> pa.Table:
    """WARNINGS in the order of `borrowers`."""
    order = pc.index_in(panel.borrowers, borrowers).to_numpy(zero_copy_only=False)
    probability = np.full(len(borrowers), np.nan)
    owner, code, points = [], [], []
    for answer in answers:
        if len(answer.probability) == 0:
            continue
        row = order[answer.borrower].astype(np.int64)
        probability[row] = answer.probability
        who, which = adverse(answer.points)
        owner.append(row[who])
        code.append(np.array(answer.concepts, dtype=object)[which])  # object: no concepts is no text, not no number
        points.append(np.round(answer.points[who, which], 1))
    reasons = reason_lists(
        len(borrowers),
        np.concatenate(owner) if owner else np.empty(0, np.int64),
        pa.array(np.concatenate(code) if code else [], pa.string()),
        np.concatenate(points) if points else np.empty(0),
        pa.repeat(pa.scalar("warning"), sum(map(len, owner))),
    )
    return pa.table(
        {"borrower_id": borrowers, "warning": pa.array(probability, from_pandas=True), "warning_reasons": reasons},
        schema=WARNINGS,
    )


def adverse(points: FloatArray) -> tuple[IntArray, IntArray]:
    """(row, column) of the most adverse concepts of each row: up to MOST_REASONS below 0, the worst in any case."""
    worst = np.argsort(points, axis=1, kind="stable")[:, :MOST_REASONS]
    named = np.take_along_axis(points, worst, axis=1) < -0.05  # rounds to 0.0 otherwise
    named[:, :1] = True
    row, rank = np.nonzero(named)
    return row, worst[row, rank]


def reason_lists(size: int, owner: IntArray, code: pa.Array, points: FloatArray, source: pa.Array) -> pa.Array:
    """One list of reasons (code, points, source) for each of `size` rows; empty where a row owns none.

    Reasons of one row keep their order.
    """
    order = np.argsort(owner, kind="stable")
    offsets = np.concatenate(([0], np.cumsum(np.bincount(owner, minlength=size)))).astype(np.int32)
    entries = pa.StructArray.from_arrays(
        [code.take(pa.array(order)), pa.array(points[order]), source.take(pa.array(order))],
        fields=list(REASONS_TYPE.value_type),
    )
    return pa.ListArray.from_arrays(pa.array(offsets), entries)
