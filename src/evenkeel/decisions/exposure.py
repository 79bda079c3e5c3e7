"""Stage 3, exposure: all lines of a borrower across lenders, what they cost a month, and where too much was granted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_NAMES, Panel, buckets, day_months
from evenkeel.kernel.calendar import month_end

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

LINES_SCHEMA = pa.schema(
    [
        ("line_id", pa.string()),
        ("own", pa.bool_()),  # False for a line known from a tradeline only: never decided, always counted
        ("borrower_id", pa.string()),
        ("lender_id", pa.string()),
        ("actor_type", pa.string()),
        ("product", pa.string()),
        ("state", pa.string()),
        ("dpd", pa.int32()),
        ("limit_minor", pa.int64()),
        ("balance_minor", pa.int64()),
        ("min_due_minor", pa.int64()),
        ("rate_annual", pa.float64()),
        ("service_minor", pa.int64()),  # what the line asks for a month
        ("reported_on", pa.date32()),  # the day that its facts are of
    ]
)


@dataclass(frozen=True, slots=True)
class Caps:
    """Caps against which an existing book is audited, and the stated assumption behind a missing minimum payment.

    service_to_income: repayments above half of household income are over-indebtedness (RBI rule for micro-loans).
    limit_to_income: all unsecured limits in months of income; a lender's own line, here twelve.
    lenders: as many or more are too many; delinquency rises several-fold from four on (CRIF High Mark, Crisil 2024-25),
    and the fifth is what a lender is asked about.
    minimum_share: smallest payment of a card or pay-later statement, 10 % of the balance, where none is given.
    """

    service_to_income: float = 0.5
    limit_to_income: float = 12.0
    lenders: int = 5
    minimum_share: float = 0.10


def open_lines(panel: Panel, tables: Mapping[str, pa.Table], as_of: date, caps: Caps) -> pa.Table:
    """Every line that is on a file at as_of: the book's own accounts, then the newest of each tradeline."""
    own = _own_lines(panel, tables, as_of)
    parts = [own]
    if "tradelines" in tables:
        parts.append(_outside_lines(tables["tradelines"], as_of))
    lines = pa.concat_tables(parts)
    asked = pc.multiply(
        pc.max_element_wise(lines["balance_minor"], 0, skip_nulls=False).cast(pa.float64()), caps.minimum_share
    )
    # A statement asks for its minimum payment. A loan asks for its instalment, which nobody can tell from the balance.
    revolving = pc.fill_null(pc.is_in(lines["product"], pa.array(["card", "bnpl"])), False)
    settled = pc.less_equal(lines["balance_minor"], 0)
    minimum = pc.if_else(
        pc.or_kleene(revolving, settled), pc.round(asked).cast(pa.int64()), pa.scalar(None, pa.int64())
    )
    service = pc.coalesce(lines["service_minor"], lines["min_due_minor"], minimum)
    place = lines.column_names.index("service_minor")
    return lines.set_column(place, "service_minor", service).combine_chunks()


def _own_lines(panel: Panel, tables: Mapping[str, pa.Table], as_of: date) -> pa.Table:
    months = panel.months.take(pa.array(panel.rows_at(panel.last_month)))
    owners = panel.accounts.take(months["account"])
    state = months["state"].to_numpy()
    names = pa.array(STATE_NAMES).take(pa.array(np.maximum(state, 0), mask=state < 0))
    return pa.table(
        {
            "line_id": owners["account_id"],
            "own": pa.repeat(pa.scalar(True), months.num_rows),
            "borrower_id": owners["borrower_id"],
            "lender_id": owners["lender_id"],
            "actor_type": _actor_types(owners["lender_id"], tables.get("parties")),
            "product": owners["product"],
            "state": names,
            "dpd": months["dpd"],
            "limit_minor": pc.coalesce(months["limit"], owners["limit_minor"]),
            "balance_minor": months["balance"],
            "min_due_minor": months["min_due"],
            "rate_annual": owners["rate_annual"],
            "service_minor": _next_dues(panel, owners, tables.get("instalments")),
            "reported_on": pa.repeat(pa.scalar(min(as_of, month_end(panel.last_month))), months.num_rows),
        },
        schema=LINES_SCHEMA,
    )


def _actor_types(lenders: pa.ChunkedArray, parties: pa.Table | None) -> pa.Array:
    if parties is None:
        return pa.nulls(len(lenders), pa.string())
    place = pc.index_in(lenders.combine_chunks(), parties["party_id"].combine_chunks())
    return parties["actor_type"].combine_chunks().take(place)


def _next_dues(panel: Panel, owners: pa.Table, instalments: pa.Table | None) -> pa.Array:
    """What falls due on each account in the month after the last one; null without instalments."""
    if instalments is None:
        return pa.nulls(owners.num_rows, pa.int64())
    ids = panel.accounts["account_id"].combine_chunks()
    owner = pc.index_in(instalments["account_id"].combine_chunks(), ids).to_numpy()
    ahead = day_months(instalments["due_on"]).to_numpy() == panel.last_month + 1
    due = np.zeros(len(ids), np.int64)
    np.add.at(due, owner[ahead], instalments["due_minor"].to_numpy()[ahead])
    has_plan = np.bincount(owner, minlength=len(ids)) > 0
    place = pc.index_in(owners["account_id"].combine_chunks(), ids).to_numpy()
    return pa.array(due[place], mask=~has_plan[place])


def _outside_lines(tradelines: pa.Table, as_of: date) -> pa.Table:
    """The newest report of each outside line that still shows a balance, a limit or days past due."""
    known = tradelines.filter(pc.less_equal(tradelines["as_of"], pa.scalar(as_of)))
    keys = ["borrower_id", "lender_token", "line_token"]
    known = known.sort_by([(key, "ascending") for key in [*keys, "as_of"]])
    if known.num_rows == 0:
        return LINES_SCHEMA.empty_table()
    same = [known[key].combine_chunks().dictionary_encode().indices.to_numpy() for key in keys]
    last = np.append(np.logical_or.reduce([code[1:] != code[:-1] for code in same]), True)
    newest = known.filter(pa.array(last))
    late = pc.coalesce(newest["dpd_high"], newest["dpd_low"])
    alive = pc.or_kleene(
        pc.or_kleene(pc.not_equal(pc.fill_null(newest["balance_minor"], 1), 0), pc.greater(newest["limit_minor"], 0)),
        pc.greater(late, 0),
    )
    newest = newest.filter(pc.fill_null(alive, False))
    late = pc.coalesce(newest["dpd_high"], newest["dpd_low"]).cast(pa.int32()).combine_chunks()
    bucket = buckets(late.fill_null(0).to_numpy().astype(np.int64)).astype(np.int64)
    states = pa.array(STATE_NAMES).take(pa.array(bucket, mask=late.is_null().to_numpy(zero_copy_only=False)))
    rows = newest.num_rows
    return pa.table(
        {
            "line_id": newest["line_token"],
            "own": pa.repeat(pa.scalar(False), rows),
            "borrower_id": newest["borrower_id"],
            "lender_id": newest["lender_token"],
            "actor_type": pa.nulls(rows, pa.string()),
            "product": newest["product"],
            "state": states,
            "dpd": late,
            "limit_minor": newest["limit_minor"],
            "balance_minor": newest["balance_minor"],
            "min_due_minor": pa.nulls(rows, pa.int64()),
            "rate_annual": pa.nulls(rows, pa.float64()),
            "service_minor": pa.nulls(rows, pa.int64()),
            "reported_on": newest["as_of"],
        },
        schema=LINES_SCHEMA,
    )


INCOME_MONTHS = 6  # whole months in which income is looked for
_MONTHS_SEEN = 3  # that have to show some
_RECENT_MONTHS = 3


def known_income(months_seen: int, total_minor: int) -> int | None:
    """A month's income from what was seen in INCOME_MONTHS; None where too few of them show any."""
    return total_minor // INCOME_MONTHS if months_seen >= _MONTHS_SEEN else None


def incomes(tables: Mapping[str, pa.Table], borrowers: pa.Array, last_month: int, zone: str = "UTC") -> pa.Table:
    """A month's income of each borrower: verified, else observed, else declared; null where nothing is known.

    Observed = the mean monthly sum of `income` events over the six months to the last one, where at least three of
    them show any; a month is the month of `zone`. income_low_minor = the lowest of the last three of those months: what
    the household can count on, soon after a job is lost and soon after there is one again. income_on: the day that the
    income is of; of a verified or declared one nothing but `created_on` is known, which it is no older than.
    """
    size = len(borrowers)
    nothing = pa.nulls(size, pa.int64())
    verified = declared = nothing
    created = pa.nulls(size, pa.date32())
    if "borrowers" in tables:
        people = tables["borrowers"]
        place = pc.index_in(borrowers, people["borrower_id"].combine_chunks())
        verified = people["income_verified_minor"].combine_chunks().take(place)
        declared = people["income_declared_minor"].combine_chunks().take(place)
        created = people["created_on"].combine_chunks().take(place)
    observed, low = _observed_income(tables.get("events"), borrowers, last_month, zone)
    income = pc.coalesce(verified, observed, declared)
    source = pc.if_else(
        verified.is_valid(),
        "verified",
        pc.if_else(
            observed.is_valid(), "observed", pc.if_else(declared.is_valid(), "declared", pa.scalar(None, pa.string()))
        ),
    )
    seen_on = pa.scalar(month_end(last_month), pa.date32())
    income_on = pc.if_else(
        pc.fill_null(pc.equal(source, "observed"), False), seen_on,
        pc.if_else(income.is_valid(), created, pa.scalar(None, pa.date32())),
    )  # fmt: skip
    return pa.table(
        {"borrower_id": borrowers, "income_minor": income, "income_source": source, "income_low_minor": low,
         "income_observed_minor": observed, "income_declared_minor": declared, "income_on": income_on}
    )  # fmt: skip


def _observed_income(
    events: pa.Table | None, borrowers: pa.Array, last_month: int, zone: str
) -> tuple[pa.Array, pa.Array]:
    size = len(borrowers)
    if events is None:
        return pa.nulls(size, pa.int64()), pa.nulls(size, pa.int64())
    paid_in = events.filter(pc.and_(pc.equal(events["kind"], "income"), events["amount_minor"].is_valid()))
    age = last_month - day_months(paid_in["effective_at"], zone).to_numpy().astype(np.int64)
    place = pc.index_in(paid_in["borrower_id"].combine_chunks(), borrowers)
    owner = place.fill_null(-1).to_numpy().astype(np.int64)
    keep = (age >= 0) & (age < INCOME_MONTHS) & (owner >= 0)
    sums = np.zeros((size, INCOME_MONTHS), np.int64)
    np.add.at(sums, (owner[keep], age[keep]), paid_in["amount_minor"].to_numpy()[keep])
    unknown = (sums > 0).sum(axis=1) < _MONTHS_SEEN
    mean = sums.sum(axis=1) // INCOME_MONTHS
    return pa.array(mean, mask=unknown), pa.array(sums[:, :_RECENT_MONTHS].min(axis=1), mask=unknown)


def exposures(lines: pa.Table, income: pa.Table, caps: Caps) -> pa.Table:
    """One row for each borrower with a line: the first columns of borrowers.parquet, and income and service.

    Sums are null where a part of them is not known: a borrower is never made to look lighter by a missing balance.
    dpd_max is the worst that is known, and 0 only where every line is known to be on time.
    """
    borrowers = pc.unique(lines["borrower_id"]).sort()
    owner = pc.index_in(lines["borrower_id"].combine_chunks(), borrowers).to_numpy().astype(np.int64)
    size = len(borrowers)
    place = pc.index_in(borrowers, income["borrower_id"].combine_chunks())
    earned = income.take(place)
    dpd = lines["dpd"].fill_null(0).to_numpy().astype(np.int64)
    late = pc.fill_null(pc.is_in(lines["state"], pa.array(STATE_NAMES[1:8])), False).to_numpy().astype(bool)
    worst = np.zeros(size, np.int64)
    np.maximum.at(worst, owner, dpd)
    untold = np.bincount(owner[lines["dpd"].is_null().to_numpy()], minlength=size) > 0
    lender = lines["lender_id"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    pairs = np.unique(owner * (int(lender.max(initial=0)) + 1) + lender)
    lenders = np.bincount(pairs // (int(lender.max(initial=0)) + 1), minlength=size)
    # Loans have no limit: what was lent counts in their place.
    granted = pc.coalesce(lines["limit_minor"], lines["balance_minor"])
    service = _sum(owner, lines["service_minor"], size)
    ratio = _ratio(service, earned["income_minor"].combine_chunks())
    table = {
        "borrower_id": borrowers,
        "lenders": pa.array(lenders.astype(np.int32)),
        "lines": pa.array(np.bincount(owner, minlength=size).astype(np.int32)),
        "limit_minor": _sum(owner, granted, size),
        "balance_minor": _sum(owner, lines["balance_minor"], size),
        "service_to_income": ratio,
        "dpd_max": pa.array(worst.astype(np.int32), mask=untold & (worst == 0)),
        "lines_overdue": pa.array(np.bincount(owner[late], minlength=size).astype(np.int32)),
        "service_minor": service,
    }
    table |= {name: earned[name].combine_chunks() for name in earned.column_names if name != "borrower_id"}
    at_least = {name: _sum(owner, amounts, size, partial=True) for name, amounts in (
        ("service_minor", lines["service_minor"]), ("limit_minor", granted)
    )}  # fmt: skip
    over, why = _over_granted(table, at_least, caps)
    return pa.table(table | {"over_granted": over, "over_granted_why": why})


def _sum(owner: IntArray, amounts: pa.ChunkedArray, size: int, partial: bool = False) -> pa.Array:
    """Sum by owner: null where a part is not known, or with `partial` the sum of the parts that are."""
    array = amounts.combine_chunks() if isinstance(amounts, pa.ChunkedArray) else amounts
    known = array.is_valid().to_numpy(zero_copy_only=False)
    total = np.zeros(size, np.int64)
    np.add.at(total, owner[known], array.fill_null(0).to_numpy()[known])
    unknown = np.bincount(owner[~known], minlength=size) > 0
    return pa.array(total) if partial else pa.array(total, mask=unknown)


def _ratio(top: pa.Array, bottom: pa.Array) -> pa.Array:
    below = pc.if_else(pc.greater(bottom, 0), bottom, pa.scalar(None, bottom.type))
    return pc.divide(top.cast(pa.float64()), below.cast(pa.float64()))


def _over_granted(
    table: Mapping[str, pa.Array], at_least: Mapping[str, pa.Array], caps: Caps
) -> tuple[pa.Array, pa.Array]:
    """(True, False, or null where a cap cannot be tested and no other is broken; the caps broken or not testable).

    table: sums that are null where a part is not known. at_least: the sums of what is known, which may break a cap by
    themselves. Caps are tested as products, so that a known income of 0 breaks them as soon as anything is owed.
    """
    income = table["income_minor"].cast(pa.float64())

    def exceeds(name: str, cap: float) -> pa.Array:
        most = pc.multiply(income, cap)
        broken = pc.greater(at_least[name], most)
        return pc.if_else(pc.fill_null(broken, False), True, pc.greater(table[name], most))

    tests = {
        "service_to_income": exceeds("service_minor", caps.service_to_income),
        "limit_to_income": exceeds("limit_minor", caps.limit_to_income),
        "lenders": pc.greater_equal(table["lenders"], caps.lenders),
    }
    over = None
    for broken in tests.values():
        over = broken if over is None else pc.or_kleene(over, broken)
    settled = pc.is_valid(over).to_numpy(zero_copy_only=False)
    flags = {name: pc.fill_null(broken, False).to_numpy(zero_copy_only=False) for name, broken in tests.items()}
    lacking = np.zeros(len(settled), bool)
    for name in ("income", "balance", "service"):
        unknown = table[f"{name}_minor"].is_null().to_numpy(zero_copy_only=False)
        flags[f"{name}_unknown"] = unknown & ~settled & ~lacking
        lacking |= unknown
    hits = np.column_stack(list(flags.values()))
    offsets = np.concatenate(([0], np.cumsum(hits.sum(axis=1)))).astype(np.int32)
    codes = pa.array(list(flags)).take(pa.array(np.nonzero(hits)[1]))
    return over, pa.ListArray.from_arrays(pa.array(offsets), codes)
