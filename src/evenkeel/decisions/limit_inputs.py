"""What a policy for limits may read of each account on book, and how old each of these facts is.

NaN where not known. What a table does not tell did not happen only where the table is there and reaches the last whole
month. A book without events says nothing about hardship; in one that carries them up to as_of, that none was told is
knowledge. A book of one lender without reports of other lenders says nothing about lines elsewhere; a book over several
lenders is such a report itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_INACTIVE, Panel
from evenkeel.kernel.calendar import month_end, month_of
from evenkeel.scoring.score import Scored

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_CLOSED_END = ("instalment", "cash")
_CLOSED = ("closed", "charged_off", "sold")
_NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True, slots=True)
class LimitInputs:
    """facts: one (n,) array an input, NaN where not known. ages: days since each was true, NaN where not known.

    untold: of facts that no table tells of up to as_of, what they would be if one did and had nothing more to tell.
    """

    facts: Mapping[str, FloatArray]
    ages: Mapping[str, FloatArray]
    untold: Mapping[str, FloatArray]


def limit_inputs(
    panel: Panel, scored: Scored, exposure: pa.Table, lines: pa.Table, tables: Mapping[str, pa.Table], as_of: date
) -> LimitInputs:
    """The inputs of the limits policy for each account on book, in the order of scored.rows.

    tables: of the contract, as they were known on as_of. An input that is never known is still there, so that a policy
    can say `null`. An account that is on file and is not said to be closed counts as open.
    """
    months = panel.months.take(pa.array(scored.rows))
    owners = panel.accounts.take(months["account"])
    place = pc.index_in(owners["borrower_id"].combine_chunks(), exposure["borrower_id"].combine_chunks())
    own = exposure.take(place)
    state = _numbers(months["state"])
    state[state < 0] = np.nan
    limit = _numbers(pc.coalesce(months["limit"], owners["limit_minor"]))
    balance = _numbers(months["balance"])
    with np.errstate(divide="ignore", invalid="ignore"):
        utilisation = np.where(limit > 0, balance / limit, np.nan)
    worst, length = _history(panel, scored.rows)
    ended = pc.less_equal(owners["closed_on"], pa.scalar(as_of))
    closed = pc.or_(pc.is_in(owners["status"], pa.array(_CLOSED)), pc.fill_null(ended, False))
    frozen = pc.fill_null(pc.equal(owners["status"], "frozen"), False)
    events = _event_feed(tables.get("events"), as_of)
    told = {
        "overdue_elsewhere": _overdue_elsewhere(own, lines, state),
        "hardship": _on_record(tables.get("events"), owners["borrower_id"]),
    }
    current = {"overdue_elsewhere": _tells_of_others(tables, as_of), "hardship": events.current}
    facts = {
        "pd": scored.pd_out_of_sample,
        "state": state,
        "worst_12m": worst,
        "months_on_file": length,
        "utilisation": utilisation,
        "limit": limit,
        "balance": balance,
        "limit_known": (~np.isnan(limit) & ~np.isnan(balance)).astype(np.float64),
        "service_to_income": _numbers(own["service_to_income"]),
        "over_granted": _numbers(own["over_granted"].cast(pa.int8())),
        # What was told stays so; that there is none is known from what tells of it up to as_of.
        **{n: v if current[n] else np.where(v == 0, np.nan, v) for n, v in told.items()},
        "closed": _numbers(closed.cast(pa.int8())),
        "frozen": _numbers(frozen.cast(pa.int8())),
        "closed_end": _numbers(pc.is_in(owners["product"], pa.array(_CLOSED_END)).cast(pa.int8())),
        "stale": np.full(months.num_rows, float(panel.last_month < _last_whole_month(as_of))),
        "income": _numbers(own["income_minor"]),
    }
    ages = _ages(facts, panel, own, lines, events, as_of)
    return LimitInputs(facts, ages, {name: values for name, values in told.items() if not current[name]})


def _ages(
    facts: Mapping[str, FloatArray], panel: Panel, own: pa.Table, lines: pa.Table, events: _Feed, as_of: date
) -> dict[str, FloatArray]:
    """What comes from several reports is as old as the oldest of them."""
    size = own.num_rows
    book = np.full(size, float((as_of - min(as_of, month_end(panel.last_month))).days))
    oldest = lines.group_by("borrower_id", use_threads=False).aggregate([("reported_on", "min")])
    place = pc.index_in(own["borrower_id"].combine_chunks(), oldest["borrower_id"].combine_chunks())
    reports = _days_since(oldest["reported_on_min"].combine_chunks().take(place), as_of)
    income = _days_since(own["income_on"], as_of)
    with_income = np.maximum(reports, np.where(np.isnan(facts["income"]), 0.0, income))
    today = np.zeros(size)
    ages = {
        "service_to_income": with_income,
        "over_granted": with_income,
        "overdue_elsewhere": reports,
        "hardship": np.full(size, events.age),
        "income": income,
        **dict.fromkeys(("closed", "frozen", "closed_end", "stale"), today),
    }
    return {name: ages.get(name, book) for name in facts}


def _days_since(days: pa.Array | pa.ChunkedArray, as_of: date) -> FloatArray:
    """Days up to as_of; NaN for null. What is dated by the end of a month that is not over is of as_of."""
    numbers = (as_of - date(1970, 1, 1)).days - _numbers(days.cast(pa.date32()).cast(pa.int32()))
    ages: FloatArray = np.maximum(numbers, 0.0)
    return ages


@dataclass(frozen=True, slots=True)
class _Feed:
    """What happens, as a table tells it. age: days since its newest row, NaN without any. current: it reaches the last
    whole month, so that what it does not tell did not happen."""

    age: float
    current: bool


def _event_feed(events: pa.Table | None, as_of: date) -> _Feed:
    newest = None if events is None else pc.max(events["effective_at"]).as_py()
    if newest is None:
        return _Feed(np.nan, False)
    day = newest.date()
    return _Feed(float(max((as_of - day).days, 0)), month_of(day) >= _last_whole_month(as_of))


def _tells_of_others(tables: Mapping[str, pa.Table], as_of: date) -> bool:
    """Whether lines with other lenders would be known: by reports up to as_of, else by the book's own lenders."""
    if "tradelines" not in tables:
        return bool(pc.count_distinct(tables["accounts"]["lender_id"]).as_py() > 1)
    days = tables["tradelines"]["as_of"]
    newest = pc.max(days.filter(pc.less_equal(days, pa.scalar(as_of)))).as_py()
    return newest is not None and month_of(newest) >= _last_whole_month(as_of)


def _last_whole_month(day: date) -> int:
    """The newest month whose end can be known on `day`."""
    return month_of(day + timedelta(days=1)) - 1


def _overdue_elsewhere(own: pa.Table, lines: pa.Table, state: FloatArray) -> FloatArray:
    """The borrower's other overdue lines; NaN where none is known to be, but the state of one is not known."""
    late_here = (state >= 1) & (state < STATE_INACTIVE)
    untold = lines.filter(lines["state"].is_null())["borrower_id"].value_counts()
    place = pc.index_in(own["borrower_id"].combine_chunks(), untold.field("values"))
    count = _numbers(pc.fill_null(untold.field("counts").take(place), 0)) - np.isnan(state)
    others = _numbers(own["lines_overdue"]) - late_here
    return np.where((others == 0) & (count > 0), np.nan, others)


def _numbers(column: pa.ChunkedArray | pa.Array) -> FloatArray:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values: FloatArray = np.array(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return values


def _history(panel: Panel, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Worst bucket of the twelve months up to each row (NaN where a month is not known), and months on file."""
    account, state = panel.account, panel.state
    late = np.where(state == STATE_INACTIVE, 0, state).astype(np.float64)
    late[late < 0] = np.nan
    worst = late[rows]
    for back in range(1, 12):
        before = rows - back
        same = (before >= 0) & (account[np.maximum(before, 0)] == account[rows])
        worst = np.where(same, np.maximum(worst, late[np.maximum(before, 0)]), worst)
    start = np.searchsorted(account, account[rows])
    return worst, (rows - start + 1).astype(np.float64)


# The newest of each pair says whether it is in force.
_PAIRS = {
    "hardship": ("hardship", ("plan_completed",)),
    "dispute": ("dispute_opened", ("dispute_closed",)),
    "plan": ("plan_signed", ("plan_broken", "plan_completed")),
}


def _on_record(events: pa.Table | None, borrowers: pa.ChunkedArray) -> FloatArray:
    """1 where a hardship, a dispute or a plan is in force, else 0."""
    if events is None:
        return np.zeros(len(borrowers))
    ids = pc.unique(borrowers)
    ids = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    in_force = np.zeros(len(ids), bool)
    for opening, closing in _PAIRS.values():
        opened, closed = _latest(events, (opening,), ids), _latest(events, closing, ids)
        in_force |= (opened > _NEVER) & (opened > closed)
    place = pc.index_in(borrowers.combine_chunks(), ids).to_numpy()
    flags: FloatArray = in_force[place].astype(np.float64)
    return flags


def _latest(events: pa.Table, kinds: tuple[str, ...], ids: pa.Array) -> IntArray:
    rows = events.filter(pc.is_in(events["kind"], pa.array(kinds)))
    latest = np.full(len(ids), _NEVER)
    place = pc.index_in(rows["borrower_id"].combine_chunks(), ids)
    known = place.is_valid().to_numpy(zero_copy_only=False)
    instants = rows["effective_at"].cast(pa.int64()).to_numpy()[known]
    np.maximum.at(latest, place.drop_null().to_numpy(), instants)
    return latest
