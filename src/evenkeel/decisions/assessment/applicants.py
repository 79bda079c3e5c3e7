"""The probability that an application, if granted, goes bad: a scorecard of the applications granted before.

An application's outcome is its `bad`, where that is given, else that of the account it opened, within the horizon of
scoring.labels. Policy reads what models of earlier applications said whose outcomes were over by then; where those are
too few there is no probability, and a person decides. Refused applications have no outcome and train nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel, day_months
from evenkeel.decisions.assessment.requests import BoolArray, FloatArray, IntArray, codes, numbers
from evenkeel.scoring.additive import AdditiveSettings, fit_additive
from evenkeel.scoring.cutting import Candidate
from evenkeel.scoring.frame import frame
from evenkeel.scoring.labels import UNKNOWN, horizon_for, labels_by_source
from evenkeel.scoring.score import LEAST_BADS
from evenkeel.scoring.scorecard import Scorecard, score_points

OPENED_WITHIN: Final = 31  # days from application to account
MOST_BLOCKS: Final = 6  # models of earlier applications; each judges the months until the next
LEAST_BLOCK: Final = 3  # months
_NEVER: Final = 10**6
_SETTINGS: Final = AdditiveSettings(bins=16, most_pairs=4, most_features=16, bags=0)

# What the model reads, the concept of its reason, and where risk may rise with it (+1) or fall (-1).
CANDIDATES: Final = (
    Candidate("service_to_income", "applicant_service", 1),
    Candidate("exposure_to_income", "applicant_exposure", 1),
    Candidate("requested_to_income", "applicant_requested", 1),
    Candidate("income_low", "applicant_income", -1),
    Candidate("declared_above", "applicant_declared", 1),
    Candidate("lines", "applicant_lines"),
    Candidate("new_lines_90d", "applicant_new_lines", 1),
    Candidate("lines_overdue", "applicant_overdue", 1),
    Candidate("inquiries_30d", "applicant_inquiries", 1),
    Candidate("lenders_90d", "applicant_inquiries", 1),
    Candidate("forgery_log_odds", "applicant_signs", 1),
    Candidate("product", "applicant_product"),
)


@dataclass(frozen=True, slots=True)
class Applicants:
    """(n,) each, in the order of the applications. pd: of the model of all known outcomes; pd_out_of_sample: of models
    of earlier ones; NaN where there is none. bad: 0, 1, or -1 while it lies ahead. points: (n, concepts) against
    neutral. missing: why there is no model."""

    pd: FloatArray
    pd_out_of_sample: FloatArray
    bad: IntArray
    concepts: tuple[str, ...]
    points: FloatArray
    scorecard: Scorecard | None
    missing: str = ""

    @property
    def version(self) -> str | None:
        """The content hash of the model."""
        return None if self.scorecard is None else self.scorecard.version

    @property
    def score(self) -> FloatArray:
        """Whole points of pd_out_of_sample, NaN without it."""
        points = score_points(np.nan_to_num(self.pd_out_of_sample, nan=0.5))
        return np.where(np.isnan(self.pd_out_of_sample), np.nan, points)


def score_applicants(
    panel: Panel, tables: Mapping[str, pa.Table], assessed: pa.Table, seed: int = 0
) -> Applicants:  # fmt: skip
    """Score the applications of a book. assessed: of `assess`, in the order of tables["applications"]."""
    applications = tables["applications"]
    account = opened_account(applications, tables["accounts"])
    bad, told = application_outcomes(panel, tables, applications, account)
    month = day_months(applications["submitted_at"], panel.zone).to_numpy().astype(np.int64)
    columns = _columns(assessed, applications)
    known = (bad != UNKNOWN) & (told <= panel.last_month)
    size = applications.num_rows
    if not _enough(bad[known] == 1):
        why = (
            f"{int((bad[known] == 1).sum())} applications that went bad; a scorecard needs {LEAST_BADS} bads and goods"
        )
        nothing = np.full(size, np.nan)
        return Applicants(nothing, nothing, bad, (), np.empty((size, 0)), None, why)
    scorecard = _fitted(columns, bad, known, seed)
    outside = np.full(size, np.nan)
    for first, after in _blocks(month, told, known):
        judged = (month >= first) & (month < after)
        before = known & (told < first)
        if judged.any() and _enough(bad[before] == 1):
            fitted = _fitted(columns, bad, before, seed)
            outside[judged] = fitted.probability(columns.filter(pa.array(judged)))
    concepts, points = scorecard.contributions(columns)
    return Applicants(scorecard.probability(columns), outside, bad, concepts, points, scorecard)


def _enough(bad: BoolArray) -> bool:
    return min(int(bad.sum()), int((~bad).sum())) >= LEAST_BADS


def _fitted(columns: pa.Table, bad: IntArray, rows: BoolArray, seed: int) -> Scorecard:
    return fit_additive(columns.filter(pa.array(rows)), bad[rows] == 1, CANDIDATES, settings=_SETTINGS, seed=seed)


def _blocks(month: IntArray, told: IntArray, known: BoolArray) -> list[tuple[int, int]]:
    """(first month, month after the last) of each block of applications that one model judges."""
    first, last = int(told[known].min()) + 1, int(month.max())
    if first > last:
        return []
    width = max(LEAST_BLOCK, -(-(last - first + 1) // MOST_BLOCKS))
    return [(start, min(start + width, last + 1)) for start in range(first, last + 1, width)]


def opened_account(applications: pa.Table, accounts: pa.Table) -> IntArray:
    """(n,) place in `accounts` of the account that each application opened, -1 for none.

    The borrower's first account of the same lender and product opened from the day before to 31 days after; of two
    applications that fit one account, the later is said to have opened it.
    """
    ids = accounts["borrower_id"].combine_chunks()
    people = pc.unique(ids)
    owner = pc.index_in(applications["borrower_id"].combine_chunks(), people).fill_null(-1).to_numpy().astype(np.int64)
    holder = pc.index_in(ids, people).to_numpy().astype(np.int64)
    opened = accounts["opened_on"].combine_chunks().cast(pa.int32()).fill_null(-_NEVER).to_numpy().astype(np.int64)
    order = np.lexsort((opened, holder))
    day = applications["submitted_at"].cast(pa.timestamp("s")).cast(pa.int64()).to_numpy() // 86_400
    key, width = holder[order] * (4 * _NEVER) + opened[order] + _NEVER, 4 * _NEVER
    start = np.searchsorted(key, owner * width + np.maximum(day - 1, 0) + _NEVER)
    stop = np.searchsorted(key, owner * width + np.maximum(day + OPENED_WITHIN, 0) + _NEVER, side="right")
    count = np.where(owner >= 0, stop - start, 0)
    application = np.repeat(np.arange(len(day)), count)
    place = order[np.arange(len(application)) - np.repeat(np.cumsum(count) - count, count) + np.repeat(start, count)]
    same = np.ones(len(application), bool)
    for name in ("lender_id", "product"):
        both = pa.table({name: pc.cast(applications[name], pa.string())}), pa.table({name: accounts[name]})
        code = codes(pa.concat_tables(both), name)
        asked, got = code[: len(day)], code[len(day) :]
        same &= (asked[application] < 0) | (asked[application] == got[place])
    application, place = application[same], place[same]
    found = np.full(len(day), -1)
    latest = np.full(accounts.num_rows, -1)
    by_day = np.lexsort((-opened[place], day[application]))
    latest[place[by_day]] = application[by_day]  # of two applications the later
    taken = np.flatnonzero(latest >= 0)[::-1]
    taken = taken[np.argsort(-opened[taken], kind="stable")]
    found[latest[taken]] = taken  # of two accounts the first
    return found


def application_outcomes(
    panel: Panel, tables: Mapping[str, pa.Table], applications: pa.Table, account: IntArray
) -> tuple[IntArray, IntArray]:
    """(1 bad, 0 good, -1 not known; the month in which it came to be known) of each application."""
    size = applications.num_rows
    bad, told = np.full(size, UNKNOWN), np.full(size, _NEVER)
    horizon = horizon_for(int(np.unique(panel.month).size))
    if horizon is not None:
        labels, _ = labels_by_source(panel, tables, horizon)
        ids = panel.accounts["account_id"].combine_chunks()
        place = pc.index_in(tables["accounts"]["account_id"].combine_chunks(), ids).fill_null(-1).to_numpy()
        opened = panel.accounts["opened"].fill_null(-1).to_numpy().astype(np.int64)
        of = np.where(account >= 0, np.append(place, -1)[account], -1).astype(np.int64)
        month = np.append(opened, -1)[of]
        row = panel.rows_of(of, month)
        found = row >= 0
        bad[found] = labels[row[found]]
        told[found] = month[found] + horizon
    if "bad" in applications.column_names:
        given = numbers(applications, "bad") if applications["bad"].null_count < size else np.full(size, np.nan)
        as_of = day_months(applications["bad_as_of"]).fill_null(_NEVER).to_numpy().astype(np.int64)
        known = ~np.isnan(given)
        bad[known], told[known] = given[known].astype(np.int64), as_of[known]
    return bad, told


def _columns(assessed: pa.Table, applications: pa.Table) -> pa.Table:
    """What the model reads, one row an application."""
    income = numbers(assessed, "income_middle_minor")
    p = np.clip(numbers(assessed, "forgery"), 1e-9, 1 - 1e-9)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = {
            "exposure_to_income": numbers(assessed, "exposure_group_minor") / income,
            "requested_to_income": numbers(assessed, "requested_minor") / income,
        }
    plain = ("service_to_income", "declared_above", "lines", "new_lines_90d", "lines_overdue", "inquiries_30d",
             "lenders_90d")  # fmt: skip
    values: dict[str, npt.NDArray[np.float64] | pa.ChunkedArray] = {name: numbers(assessed, name) for name in plain}
    values |= {name: np.where(np.isfinite(ratio), ratio, np.nan) for name, ratio in ratios.items()}
    values |= {"income_low": numbers(assessed, "income_low_minor"), "forgery_log_odds": np.log(p / (1 - p))}
    return frame(pa.table(values | {"product": applications["product"]}))
