"""The features of an account's behaviour, as data, and how a definition becomes a value at a month's end.

A feature is a measure, or one measure over another, or the difference of two such ratios. A measure is a column of
the month table (or a flag computed from it), an aggregate, and a window of months that ends with the month looked at,
or `lag` months earlier. Nothing after that month enters: a value is what could be known then.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

import ibis
import pyarrow as pa

from evenkeel.accounts.panel import STATE_INACTIVE, Panel

Expression = Any  # an Ibis expression; Ibis ships no types for a checker to read


@dataclass(frozen=True, slots=True)
class Measure:
    """aggregate of `column` over the `window` months that end `lag` months before the month looked at.

    aggregate: sum, max, min, or since (months since the flag was last 1; null where it never was within the window).
    beside: where given, only months count in which this column is known too, so that the two parts of a ratio speak
    of the same months.
    """

    column: str
    aggregate: str = "sum"
    window: int = 1
    lag: int = 0
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Feature:
    """top / bottom where `bottom` is given, minus the same for `minus`; concept groups features that say one thing.

    trend: +1 where a higher value may only raise the risk, -1 only lower it, 0 where the data decide.
    """

    name: str
    concept: str
    top: Measure
    bottom: Measure | None = None
    minus: tuple[Measure, Measure] | None = None
    trend: int = 0


def _parts(top: str, bottom: str, window: int, lag: int = 0) -> tuple[Measure, Measure]:
    return Measure(top, "sum", window, lag, bottom), Measure(bottom, "sum", window, lag, top)


def _ratio(name: str, concept: str, top: str, bottom: str, window: int, trend: int = 0) -> Feature:
    return Feature(name, concept, *_parts(top, bottom, window), None, trend)


def _count(name: str, concept: str, flag: str, window: int, trend: int = 1) -> Feature:
    return Feature(name, concept, Measure(flag, window=window), trend=trend)


# Flags and amounts of one month from which the features are made; see `_columns`.
FEATURES: tuple[Feature, ...] = (
    _ratio("utilisation", "utilisation", "balance", "limit", 1),
    _ratio("utilisation_3m", "utilisation", "balance", "limit", 3),
    _ratio("utilisation_6m", "utilisation", "balance", "limit", 6),
    Feature(
        "utilisation_trend", "utilisation_trend", *_parts("balance", "limit", 1), _parts("balance", "limit", 1, lag=3),
    ),
    _ratio("payment_ratio", "payment_ratio", "paid", "owed_before", 1),
    _ratio("payment_ratio_3m", "payment_ratio", "paid", "owed_before", 3),
    _ratio("payment_ratio_6m", "payment_ratio", "paid", "owed_before", 6),
    _ratio("payment_to_limit_3m", "payment_size", "paid", "limit", 3),
    _ratio("payment_to_limit_6m", "payment_size", "paid", "limit", 6),
    _ratio("payment_trend", "payment_trend", "paid", "paid_before", 3),
    _ratio("minimum_cover_3m", "minimum_cover", "paid", "min_due_before", 3),
    _count("minimum_only_6m", "minimum_only", "minimum_only", 6),
    _count("missed_6m", "missed_payment", "missed", 6),
    Feature("state_now", "late_now", Measure("late_state", "max"), trend=1),
    Feature("dpd_now", "late_now", Measure("dpd", "max"), trend=1),
    Feature("worst_3m", "late_before", Measure("late_state", "max", 3), trend=1),
    Feature("worst_6m", "late_before", Measure("late_state", "max", 6), trend=1),
    Feature("worst_12m", "late_before", Measure("late_state", "max", 12), trend=1),
    _count("late_count_3m", "late_count", "late", 3),
    _count("late_count_6m", "late_count", "late", 6),
    _count("late_count_12m", "late_count", "late", 12),
    _count("two_late_6m", "late_count", "late_two", 6),
    _count("rolled_6m", "late_rising", "rolled", 6),
    Feature("months_since_late", "late_before", Measure("late", "since", 24), trend=-1),
    _count("inactive_6m", "inactive", "inactive", 6, 0),
    Feature("months_on_file", "age", Measure("on_file", "sum", 36)),
    _ratio("balance_growth", "balance_growth", "balance", "balance_before", 3),
    _ratio("spend_to_limit_3m", "spending", "spend", "limit", 3),
    _ratio("spend_trend", "spending_trend", "spend", "spend_before", 3),
    _ratio("cash_share_6m", "cash_advance", "cash", "spend_or_cash", 6, 1),
    _count("over_limit_6m", "over_limit", "over_limit", 6),
    Feature("paid_3m", "payment_size", Measure("paid", window=3)),
    Feature("paid_6m", "payment_size", Measure("paid", window=6)),
    Feature("paid_least_6m", "payment_size", Measure("paid", "min", 6)),
    Feature("paid_most_6m", "payment_size", Measure("paid", "max", 6)),
    Feature("paid_before", "payment_size", Measure("paid", lag=1)),
    _count("small_payments_6m", "small_payment", "small_payment", 6),
    _count("full_payments_6m", "full_payment", "full_payment", 6, -1),
    Feature("charges", "spending", Measure("charges")),
    _ratio("charges_to_limit_3m", "spending", "charges", "limit", 3),
    Feature("utilisation_most_6m", "utilisation", Measure("use", "max", 6)),
    Feature("utilisation_least_6m", "utilisation", Measure("use", "min", 6)),
    Feature("open_to_buy", "open_to_buy", Measure("open_to_buy")),
    _ratio("open_to_buy_6m", "open_to_buy", "open_to_buy", "on_file", 6),
    Feature("late_sum_3m", "late_count", Measure("late_state", window=3), trend=1),
    Feature("late_sum_6m", "late_count", Measure("late_state", window=6), trend=1),
    Feature("limit", "limit", Measure("limit", "max")),
    Feature("balance", "balance", Measure("balance", "max")),
    Feature("paid", "payment_size", Measure("paid", "max")),
    _ratio("fee_to_balance_6m", "fees", "fee", "balance", 6),
)  # fmt: skip


def features_version(features: Sequence[Feature] = FEATURES) -> str:
    """A hash of the definitions and of the text that makes the columns they read: no definition changes unseen."""
    text = repr(tuple(features)) + inspect.getsource(_columns)
    return "features-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def feature_values(panel: Panel, rows: pa.Table, threads: int, features: Sequence[Feature] = FEATURES) -> pa.Table:
    """Feature values of the wanted account-months.

    rows: account (int32) and month (int32), distinct. Returns those columns, in their order, and a float64 column for
    each feature that has at least one value; null where a feature cannot be told.
    """
    months = panel.months.select([name for name in panel.months.column_names if name != "source_code"])
    with TemporaryDirectory(prefix="evenkeel-") as spill:
        # What does not fit into memory goes to a folder of its own, never to wherever the process was started.
        connection = ibis.duckdb.connect(threads=threads, temp_directory=spill, memory_limit=_MEMORY)
        try:
            wanted = rows.append_column("row", pa.array(range(rows.num_rows)))
            values = _evaluate(
                connection.create_table("months", months, temp=True),
                connection.create_table("wanted", wanted, temp=True),
                features,
            )
            result = connection.to_pyarrow(values.order_by("row").drop("row"))
        finally:
            connection.disconnect()
    empty = [name for name in result.column_names if result[name].null_count == result.num_rows]
    return result.drop_columns(empty)


def _measures(feature: Feature) -> list[Measure]:
    return [part for part in (feature.top, feature.bottom, *(feature.minus or ())) if part is not None]


_MEMORY = "70%"
_DEEPEST_LAG = 3  # how many months back the columns of `_columns` look


def _columns(table: Expression) -> Expression:
    """The flags and amounts of a month that measures aggregate; each is null where a part of it is not known."""
    before = ibis.window(group_by="account", order_by="month")
    state, paid = table.state, table.paid.cast("float64")
    table = table.mutate(
        state=state.nullif(-1),
        balance_before=table.balance.lag(1).over(before),
        min_due_before=table.min_due.lag(1).over(before),
        paid_before=table.paid.lag(3).over(before),
        spend_before=table.spend.lag(3).over(before),
        state_before=state.nullif(-1).lag(1).over(before),
    )
    late_state = ibis.ifelse(table.state == STATE_INACTIVE, 0, table.state)
    before_state = ibis.ifelse(table.state_before == STATE_INACTIVE, 0, table.state_before)
    return table.mutate(
        late_state=late_state,
        late=(late_state >= 1).cast("int64"),
        late_two=(late_state >= 2).cast("int64"),
        rolled=((late_state > before_state) & (late_state >= 1)).cast("int64"),
        inactive=(table.state == STATE_INACTIVE).cast("int64"),
        on_file=ibis.literal(1),
        owed_before=ibis.ifelse(table.balance_before > 0, table.balance_before, ibis.null("int64")),
        minimum_only=ibis.ifelse(
            table.min_due_before.notnull() & (table.balance_before > 0),
            ((paid > 0) & (paid <= 1.1 * table.min_due_before) & (table.min_due_before < 0.9 * table.balance_before)),
            ibis.null("boolean"),
        ).cast("int64"),
        missed=((table.paid == 0) & (table.balance_before > 0)).cast("int64"),
        small_payment=((paid < 0.02 * table["limit"]) & (table.balance_before > 0)).cast("int64"),
        full_payment=((paid >= 0.99 * table.balance_before) & (table.balance_before > 0)).cast("int64"),
        charges=table.balance - table.balance_before + table.paid,
        use=table.balance / ibis.ifelse(table["limit"] > 0, table["limit"], ibis.null("int64")),
        open_to_buy=table["limit"] - table.balance,
        spend_or_cash=table.spend + table.cash,
        over_limit=(table.balance > table["limit"]).cast("int64"),
    )


def _aggregated(table: Expression, measure: Measure) -> Expression:
    """A measure over the rows of one account-month, each `age` months before it: an aggregate with a filter."""
    column = table[measure.column]
    within = (table.age >= measure.lag) & (table.age < measure.lag + measure.window)
    if measure.beside:
        within &= table[measure.beside].notnull()
    if measure.aggregate == "sum":
        return column.sum(where=within)
    if measure.aggregate == "max":
        return column.max(where=within)
    if measure.aggregate == "min":
        return column.min(where=within)
    return table.age.min(where=within & (column == 1)) - measure.lag


def _evaluate(months: Expression, wanted: Expression, features: Sequence[Feature]) -> Expression:
    """row, account, month and one column for each feature: one row for each of `wanted`."""
    measures = list(dict.fromkeys(measure for feature in features for measure in _measures(feature)))
    names = {measure: f"m{place}" for place, measure in enumerate(measures)}
    longest = max(measure.window + measure.lag for measure in measures)
    span = wanted.group_by("account").agg(first=wanted.month.min() - longest - _DEEPEST_LAG, last=wanted.month.max())
    seen = months.inner_join(span, "account").filter(lambda row: (row.month > row.first) & (row.month <= row.last))
    needed = dict.fromkeys(name for m in measures for name in (m.column, m.beside) if name)
    columns = _columns(seen).select("account", "month", *[name for name in needed if name not in ("account", "month")])
    looked_at = wanted.select("row", "account", now="month").inner_join(columns, "account")
    looked_at = looked_at.mutate(age=looked_at.now - looked_at.month).filter(
        lambda row: (row.age >= 0) & (row.age < longest)
    )
    values = looked_at.group_by("row", "account", month="now").agg(
        **{name: _aggregated(looked_at, measure) for measure, name in names.items()}
    )

    def ratio(top: Measure, bottom: Measure | None) -> Expression:
        value = values[names[top]].cast("float64")
        if bottom is None:
            return value
        below = values[names[bottom]].cast("float64")
        return value / ibis.ifelse(below > 0, below, ibis.null("float64"))

    return values.select(
        "row",
        "account",
        "month",
        **{
            feature.name: ratio(feature.top, feature.bottom) - ratio(*feature.minus)
            if feature.minus
            else ratio(feature.top, feature.bottom)
            for feature in features
        },
    )
