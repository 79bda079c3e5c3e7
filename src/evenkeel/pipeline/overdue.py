"""The book's own overdue accounts on a day, with what their treatment rests on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from evenkeel.accounts.panel import Panel, build_panel
from evenkeel.arrears.cause import find_causes
from evenkeel.arrears.treatments.history import History, history_of_book
from evenkeel.book.known import known_on
from evenkeel.book.model import Book
from evenkeel.decisions.exposure import INCOME_MONTHS, Caps, exposures, incomes, open_lines
from evenkeel.portfolio.flow import flow_matrix, tally_flows
from evenkeel.portfolio.rows import rows_of

_LEAST_PAY_DAYS = 3  # incomes on one day of the month before it is called a pay day


@dataclass(frozen=True, slots=True)
class Overdue:
    """A book's overdue accounts as of its day. record: its tables as known then, instants as on record."""

    cases: pa.Table
    record: Mapping[str, pa.Table]
    panel: Panel
    now: datetime
    jurisdiction: str


def overdue_of(whole: Book, *, threads: int, report: Callable[[str, float], None] = lambda what, done: None) -> Overdue:
    """The overdue accounts of a book and what is known of them: the part of the loop that treatments need.

    With the columns of `overdue`, and due_day (of the account), pay_day (the day of the month on which most incomes of
    the last six months came; null where fewer than three agree), region and industry of the borrower.
    """
    with threadpool_limits(limits=1):
        zone = whole.manifest.timezone
        known, book = as_known(whole)
        tables, as_of = book.tables, book.as_of
        report("months", 0.3)
        panel = build_panel(tables, day_number(as_of), zone)
        lines = open_lines(panel, tables, as_of, Caps())
        people = pc.unique(lines["borrower_id"]).sort()
        exposure = exposures(lines, incomes(tables, people, panel.last_month, zone), Caps())
        report("causes", 0.5)
        caused = find_causes(panel, tables, lines, exposure, threads=threads)
        place = pc.index_in(exposure["borrower_id"].combine_chunks(), caused.table["borrower_id"].combine_chunks())
        cause = caused.table["cause"].combine_chunks().take(place)
        borrowers = pa.table({"borrower_id": exposure["borrower_id"], "cause": cause})
        cases = overdue(lines, borrowers, tables, zone, flow_matrix(*tally_flows(rows_of(panel))))
        cases = _with_days(cases, tables, panel)
    return Overdue(cases, known.tables, panel, first_morning(as_of, zone), book.manifest.jurisdiction)


def history_of(whole: Book) -> tuple[History, Mapping[str, pa.Table]]:
    """What came of arrears in a book, as known on its day, and its tables as known then."""
    with threadpool_limits(limits=1):
        zone = whole.manifest.timezone
        known, book = as_known(whole)
        panel = build_panel(book.tables, day_number(book.as_of), zone)
        return history_of_book(panel, known.tables, book.as_of, zone), known.tables


def first_morning(as_of: date, zone: str) -> datetime:
    """The instant for which a day's work is planned: nine o'clock after the book's day, in its zone."""
    return datetime.combine(as_of + timedelta(days=1), time(9), ZoneInfo(zone)).astimezone(UTC)


def as_known(whole: Book) -> tuple[Book, Book]:
    """The book as it was known on its as_of, as it is on record and with instants in its own zone."""
    zone = whole.manifest.timezone
    known = known_on(whole, whole.as_of, zone) if whole.has_later_facts else whole
    return known, replace(known, tables=local(known.tables, zone))


def local(tables: Mapping[str, pa.Table], zone: str) -> dict[str, pa.Table]:
    """The tables with every instant in the book's zone: the same moments, whose days and months are then local."""
    stamp = pa.timestamp("us", tz=zone)
    return {
        name: table.cast(
            pa.schema(
                [field.with_type(stamp) if pa.types.is_timestamp(field.type) else field for field in table.schema]
            )
        )
        for name, table in tables.items()
    }


def panel_of(whole: Book) -> tuple[Panel, Book]:
    """A book as it was known on its as_of, its instants in its own zone, and its panel."""
    _, book = as_known(whole)
    return build_panel(book.tables, day_number(book.as_of), whole.manifest.timezone), book


def day_number(day: date) -> int:
    return (day - date(1970, 1, 1)).days


def overdue(
    lines: pa.Table, borrowers: pa.Table, tables: Mapping[str, pa.Table], zone: str, flow: Mapping[str, Any]
) -> pa.Table:
    """The book's own overdue accounts, with what the treatment of a case rests on."""
    late = pc.and_(lines["own"], pc.is_in(lines["state"], pa.array([f"M{n}" for n in range(1, 8)])))
    cases = lines.filter(late).rename_columns(
        ["account_id" if name == "line_id" else name for name in lines.column_names]
    )
    place = pc.index_in(cases["borrower_id"].combine_chunks(), borrowers["borrower_id"].combine_chunks())
    zones = pa.repeat(pa.scalar(zone), cases.num_rows)
    if "borrowers" in tables:
        known = tables["borrowers"]
        owner = pc.index_in(cases["borrower_id"].combine_chunks(), known["borrower_id"].combine_chunks())
        zones = pc.coalesce(known["timezone"].combine_chunks().take(owner), zones)
    # The chance that a case cures by itself within the month: the share of its bucket that flowed back to M0.
    cure = {state: row[0] for state, row in zip(flow["states"], flow["shares"], strict=True)}
    self_cure = pa.array([cure.get(state) for state in cases["state"].to_pylist()], pa.float64())
    columns = [
        "account_id", "borrower_id", "lender_id", "product", "actor_type", "dpd", "state", "balance_minor",
        "limit_minor",
    ]  # fmt: skip
    table = cases.select(columns).append_column("timezone", zones)
    return table.append_column("cause", borrowers["cause"].take(place)).append_column("p_self_cure", self_cure)


def _with_days(cases: pa.Table, tables: Mapping[str, pa.Table], panel: Panel) -> pa.Table:
    """The cases with the account's due day, the borrower's pay day, region and industry."""
    accounts = tables["accounts"]
    owner = pc.index_in(cases["account_id"].combine_chunks(), accounts["account_id"].combine_chunks())
    cases = cases.append_column("due_day", accounts["due_day"].combine_chunks().take(owner).cast(pa.int64()))
    cases = cases.append_column("pay_day", _pay_days(cases["borrower_id"], tables.get("events"), panel))
    people = tables.get("borrowers")
    for name in ("region", "industry"):
        column = pa.nulls(len(cases), pa.string())
        if people is not None:
            place = pc.index_in(cases["borrower_id"].combine_chunks(), people["borrower_id"].combine_chunks())
            column = people[name].combine_chunks().take(place)
        cases = cases.append_column(name, column)
    return cases


def _pay_days(borrowers: pa.ChunkedArray, events: pa.Table | None, panel: Panel) -> pa.Array:
    """For each borrower the day of the month on which most incomes of late came; of equal ones the first."""
    if events is None:
        return pa.nulls(len(borrowers), pa.int64())
    paid = events.filter(pc.fill_null(pc.equal(events["kind"], "income"), False))
    paid = paid.filter(pc.is_in(paid["borrower_id"], value_set=pc.unique(borrowers)))
    stamps = pc.local_timestamp(paid["effective_at"]) if paid["effective_at"].type.tz else paid["effective_at"]
    month = pc.add(pc.multiply(pc.year(stamps), 12), pc.subtract(pc.month(stamps), 1))
    recent = pc.greater(month, panel.last_month - INCOME_MONTHS)
    table = pa.table({"borrower_id": paid["borrower_id"], "day": pc.day(stamps)}).filter(pc.fill_null(recent, False))
    counted = table.group_by(["borrower_id", "day"], use_threads=False).aggregate([([], "count_all")])
    counted = counted.filter(pc.greater_equal(counted["count_all"], _LEAST_PAY_DAYS))
    counted = counted.sort_by([("borrower_id", "ascending"), ("count_all", "descending"), ("day", "ascending")])
    place = pc.index_in(borrowers.combine_chunks(), counted["borrower_id"].combine_chunks())
    return counted["day"].combine_chunks().take(place)
