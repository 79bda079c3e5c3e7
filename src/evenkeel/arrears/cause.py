"""Stage 6, cause: why a borrower is overdue, by the weight of the evidence, or `unclear`.

Each sign is something that can be looked up as of the month in which the arrears began. Each of its levels states in
how many of a hundred borrowers with a cause it is expected. The chances of the signs that can be read are multiplied
with those of the causes (naive Bayes); a sign whose table is missing is silent. Nothing here is trained: the chances
are round judgements, checked against generated books whose causes are known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_NAMES, Panel
from evenkeel.arrears.warning.ahead import grid_of, overdue_rows
from evenkeel.arrears.warning.facts import Economy, Ledger, event_ledger, places, ratio
from evenkeel.arrears.warning.features import borrower_features
from evenkeel.arrears.warning.reasons import REASONS_TYPE, reason_lists
from evenkeel.kernel.calendar import month_text

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

CAUSES = ("income_shock", "over_granting", "concealment", "macro_shock", "oversight")
UNCLEAR = "unclear"
# Of UK debt-advice clients half name lost income, lost work or illness (StepChange 2019); misuse of credit is named by
# 41 % of US bankrupts (Chatterjee et al. 2023); forgetting explains 44 % of missed card payments (WalletHub 2020), but
# most of those are paid before a month ends. Concealment is rare and a macro shock depends on the year: judgement.
PRIOR = np.array([0.35, 0.30, 0.05, 0.10, 0.20])
NAMED_FROM = 0.5  # a cause less likely than this is not named,
LEAST_FACTOR = 3.0  # nor one whose odds all the signs together raise less than this: that would be the prior speaking
MOST_EVIDENCE = 4

CAUSE_SCHEMA = pa.schema(
    [
        ("borrower_id", pa.string()),
        ("cause", pa.string()),
        ("cause_probability", pa.float64()),
        ("cause_evidence", REASONS_TYPE),
    ]
)
# Several causes may share: one row for each overdue borrower and cause.
BELIEFS_SCHEMA = pa.schema(
    [
        ("borrower_id", pa.string()),
        ("onset_month", pa.string()),
        ("cause", pa.string()),
        ("probability", pa.float64()),
        ("evidence_for", REASONS_TYPE),
        ("evidence_against", REASONS_TYPE),
    ]
)


@dataclass(frozen=True, slots=True)
class Level:
    """One outcome of a sign, and in how many of 100 borrowers with each of CAUSES it is expected."""

    code: str
    percent: tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Sign:
    """What is looked up: the table it comes from, and its levels, of which exactly one holds where it can be read.

    contradiction: its first level is a fact that contradicts another; only such a fact may name concealment.
    """

    name: str
    source: str
    levels: tuple[Level, ...]
    contradiction: bool = False


#                                              income  over-    con-       macro  over-
#                                              shock   granting cealment   shock  sight
SIGNS: tuple[Sign, ...] = (
    Sign("income", "events", (
        Level("income_fell",                   (90,    10,      10,        90,    10)),
        Level("income_held",                   (10,    90,      90,        10,    90)))),
    Sign("peers", "events", (
        Level("peers_lost_income",             (5,     5,       5,         80,    5)),
        Level("peers_kept_income",             (95,    95,      95,        20,    95)))),
    Sign("economy", "macro", (
        Level("industry_fell",                 (20,    20,      20,        80,    20)),
        Level("industry_held",                 (80,    80,      80,        20,    80)))),
    Sign("hardship", "events", (
        Level("hardship_told",                 (15,    2,       2,         15,    2)),
        Level("no_hardship_told",              (85,    98,      98,        85,    98)))),
    Sign("depth", "periods", (
        Level("overdue_30_days",               (25,    25,      25,        25,    90)),
        Level("overdue_90_days",               (25,    25,      25,        25,    8)),
        Level("overdue_longer",                (50,    50,      50,        50,    2)))),
    Sign("line_age", "accounts", (
        Level("overdue_at_once",               (20,    40,      80,        20,    10)),
        Level("overdue_in_first_year",         (30,    40,      15,        20,    10)),
        Level("overdue_on_old_line",           (50,    20,      5,         60,    80)))),
    Sign("payments", "periods", (
        Level("paid_most_before",              (5,     2,       1,         5,     35)),
        Level("paid_part_before",              (20,    18,      9,         20,    20)),
        Level("paid_minimum_before",           (75,    80,      90,        75,    45)))),
    Sign("others_paid", "periods", (
        Level("others_paid_more",              (25,    15,      15,        15,    60)),
        Level("others_at_minimum",             (75,    85,      85,        85,    40)))),
    Sign("forgetful", "periods", (
        Level("late_before_and_paid",          (25,    35,      10,        25,    70)),
        Level("punctual_before",               (75,    65,      90,        75,    30)))),
    Sign("service", "borrowers", (
        Level("service_heavy",                 (20,    30,      10,        20,    5)),
        Level("service_bearable",              (80,    70,      90,        80,    95)))),
    Sign("credit_use", "periods", (
        Level("use_rose",                      (40,    20,      30,        40,    10)),
        Level("use_steady",                    (60,    80,      70,        60,    90)))),
    Sign("cash", "periods", (
        Level("cash_drawn",                    (20,    40,      40,        10,    10)),
        Level("no_cash_drawn",                 (80,    60,      60,        90,    90)))),
    Sign("spending", "periods", (
        Level("spending_cut",                  (50,    40,      70,        50,    15)),
        Level("spending_kept",                 (50,    60,      30,        50,    85)))),
    Sign("declared", "borrowers", (
        Level("declared_far_more",             (3,     3,       90,        3,     3)),
        Level("declared_as_seen",              (97,    97,      10,        97,    97))), contradiction=True),
    Sign("statements", "applications", (
        Level("declared_differently",          (2,     2,       30,        2,     2)),
        Level("declared_alike",                (98,    98,      70,        98,    98))), contradiction=True),
    Sign("tokens", "applications", (
        Level("shared_with_others",            (1,     1,       40,        1,     1)),
        Level("shared_with_nobody",            (99,    99,      60,        99,    99))), contradiction=True),
    Sign("identity", "identity_checks", (
        Level("identity_mismatch",             (2,     2,       30,        2,     2)),
        Level("identity_matched",              (98,    98,      70,        98,    98))), contradiction=True),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Caused:
    """table: CAUSE_SCHEMA, one row a borrower of the exposure table, in its order; cause null where nothing is overdue.

    For `unclear` probability is null and evidence empty. summary: portfolio.json "causes". beliefs: BELIEFS_SCHEMA,
    every cause of each overdue borrower with its probability and what speaks for and against it, named or not.
    """

    table: pa.Table
    summary: dict[str, object]
    beliefs: pa.Table


def find_causes(
    panel: Panel, tables: Mapping[str, pa.Table], lines: pa.Table, exposure_table: pa.Table, *, threads: int
) -> Caused:
    """Stage 6: the likeliest cause of each of the book's borrowers who is overdue on some line, own or elsewhere.

    lines, exposure_table: decisions.exposure.open_lines and exposures. Whoever is known from lines elsewhere alone has
    no cause.
    """
    size = exposure_table.num_rows
    ids = exposure_table["borrower_id"].combine_chunks()
    late = exposure_table["lines_overdue"].to_numpy() > 0
    overdue = np.flatnonzero(late & (places(exposure_table["borrower_id"], panel.borrowers) >= 0))
    cases = overdue_cases(panel, lines, ids.take(pa.array(overdue)))
    levels = read_signs(panel, tables, cases, threads)
    best, belief, named = name_causes(levels)
    owner, code, points, source = _evidence(levels, best, named)
    evidence = reason_lists(size, overdue[owner], code, points, source)
    cause = np.full(size, -1)
    cause[overdue] = np.where(named, best, len(CAUSES))
    probability = np.full(size, np.nan)
    probability[overdue] = np.where(named, belief, np.nan)
    names = pa.array((*CAUSES, UNCLEAR)).take(pa.array(np.maximum(cause, 0), mask=cause < 0))
    columns = {
        "borrower_id": ids,
        "cause": names,
        "cause_probability": pa.array(probability, from_pandas=True),
        "cause_evidence": evidence,
    }
    beliefs = _beliefs(ids.take(pa.array(overdue)), cases.onset, levels)
    return Caused(
        pa.table(columns, schema=CAUSE_SCHEMA), _summary(tables, cause, exposure_table["balance_minor"]), beliefs
    )


def posterior(levels: IntArray) -> FloatArray:
    """(n, causes) probabilities from the levels read, (n, signs), -1 where a sign is silent."""
    log = np.tile(np.log(PRIOR), (len(levels), 1))
    for place, sign in enumerate(SIGNS):
        chances = np.array([level.percent for level in sign.levels]) / 100
        read = levels[:, place] >= 0
        log[read] += np.log(chances[levels[read, place]])
    odds = np.exp(log - log.max(axis=1, keepdims=True))
    result: FloatArray = odds / odds.sum(axis=1, keepdims=True)
    return result


def name_causes(levels: IntArray) -> tuple[IntArray, FloatArray, BoolArray]:
    """(likeliest cause, its probability, whether it may be named) from the levels read, (n, signs).

    Concealment is named only where a fact on record contradicts another.
    """
    chances = posterior(levels)
    best = chances.argmax(axis=1)
    belief = chances[np.arange(len(best)), best]
    # 1 - belief from the other causes, so that near-certainty does not round to a division by zero.
    others = np.maximum(chances.sum(axis=1, where=best[:, None] != np.arange(len(CAUSES))), 1e-12)
    factor = belief / others * (1 - PRIOR[best]) / PRIOR[best]
    contradicted = (levels[:, [sign.contradiction for sign in SIGNS]] == 0).any(axis=1)
    allowed = contradicted | (best != CAUSES.index("concealment"))
    return best, belief, (belief >= NAMED_FROM) & (factor >= LEAST_FACTOR) & allowed


def weights(sign: Sign) -> FloatArray:
    """(levels, causes) log10 of a level's chance under a cause over its chance under the others, by PRIOR."""
    chances = np.array([level.percent for level in sign.levels]) / 100
    others = (chances @ PRIOR)[:, None] - chances * PRIOR
    result: FloatArray = np.log10(chances * (1 - PRIOR) / others)
    return result


def _evidence(levels: IntArray, best: IntArray, named: BoolArray) -> tuple[IntArray, pa.Array, FloatArray, pa.Array]:
    """(place, code, points, source) of what spoke for each named cause, strongest first, and the strongest against."""
    points = np.where(named[:, None], _points(levels, best), 0.0)
    order = np.argsort(-points, axis=1, kind="stable")
    chosen = np.concatenate((order[:, :MOST_EVIDENCE], order[:, -1:]), axis=1)
    value = np.take_along_axis(points, chosen, axis=1)
    keep = value > 0
    keep[:, -1] = value[:, -1] < 0
    return _shown(levels, chosen, value, keep)


def _points(levels: IntArray, cause: IntArray) -> FloatArray:
    """(n, signs) points of each sign for a cause of each row; 0 where the sign is silent."""
    points = np.zeros(levels.shape)
    for place, sign in enumerate(SIGNS):
        read = levels[:, place] >= 0
        points[read, place] = weights(sign)[levels[read, place], cause[read]]
    return np.round(points, 2)


def _shown(
    levels: IntArray, chosen: IntArray, value: FloatArray, keep: BoolArray
) -> tuple[IntArray, pa.Array, FloatArray, pa.Array]:
    """(place, code, points, source) of the signs chosen for each row, where they are kept."""
    row, rank = np.nonzero(keep)
    sign_of = chosen[row, rank]
    first = np.concatenate(([0], np.cumsum([len(sign.levels) for sign in SIGNS])))[:-1]
    codes = pa.array([level.code for sign in SIGNS for level in sign.levels])
    code = codes.take(pa.array(first[sign_of] + levels[row, sign_of]))
    source = pa.array([sign.source for sign in SIGNS]).take(pa.array(sign_of))
    return row, code, value[row, rank], source


def _beliefs(ids: pa.Array, onset: IntArray, levels: IntArray) -> pa.Table:
    """BELIEFS_SCHEMA of the overdue borrowers, the likeliest cause of each first."""
    size, count = len(ids), len(CAUSES)
    chances = posterior(levels)
    order = np.argsort(-chances, axis=1, kind="stable")
    cause, owner = order.ravel(), np.repeat(np.arange(size), count)
    repeated = levels[owner]
    points = _points(repeated, cause)
    lists = []
    for sign in (-1, 1):
        chosen = np.argsort(sign * points, axis=1, kind="stable")[:, :MOST_EVIDENCE]
        value = np.take_along_axis(points, chosen, axis=1)
        lists.append(reason_lists(len(owner), *_shown(repeated, chosen, value, sign * value < 0)))
    months = {month: month_text(int(month)) for month in np.unique(onset)}
    columns = {
        "borrower_id": ids.take(pa.array(owner)),
        "onset_month": pa.array([months[month] for month in onset[owner]], pa.string()),
        "cause": pa.array(CAUSES).take(pa.array(cause)),
        "probability": pa.array(chances[owner, cause]),
        "evidence_for": lists[0],
        "evidence_against": lists[1],
    }
    return pa.table(columns, schema=BELIEFS_SCHEMA)


def _summary(tables: Mapping[str, pa.Table], cause: IntArray, balance: pa.ChunkedArray) -> dict[str, object]:
    count = int((cause >= 0).sum())
    entries = []
    for place, name in enumerate((*CAUSES, UNCLEAR)):
        own = cause == place
        owed = balance.filter(pa.array(own))
        entries.append(
            {
                "cause": name,
                "borrowers": int(own.sum()),
                "share": float(own.sum() / count) if count else None,
                "balance_minor": None if owed.null_count else int(pc.sum(owed, min_count=0).as_py()),
            }
        )
    return {
        "overdue_borrowers": count,
        "causes": entries,
        "how": (
            f"naive Bayes over {len(SIGNS)} signs with stated chances, as of the month in which the arrears began; "
            f"named from a probability of {NAMED_FROM:g} and odds raised {LEAST_FACTOR:g} times, else unclear"
        ),
        "tables_that_would_help": sorted({sign.source for sign in SIGNS} - tables.keys() - {"periods"}),
    }


# --- reading the signs -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Cases:
    """The overdue borrowers; (n,) each.

    borrower: place in panel.borrowers. onset: month number in which the spell of overdue months that lasts until now
    began, on the book's own lines. worst: worst state now over all lines, 1..7.
    """

    borrower: IntArray
    onset: IntArray
    worst: IntArray


def overdue_cases(panel: Panel, lines: pa.Table, ids: pa.Array) -> Cases:
    borrower = pc.index_in(ids, panel.borrowers).to_numpy().astype(np.int64)
    overdue = grid_of(panel, {}, 1).overdue[borrower] > 0
    spell = np.cumprod(overdue[:, ::-1], axis=1).sum(axis=1)
    worst = np.zeros(len(ids), np.int64)
    state = pc.index_in(lines["state"].combine_chunks(), pa.array(STATE_NAMES[:8])).fill_null(0).to_numpy()
    owner = places(lines["borrower_id"], ids)
    np.maximum.at(worst, owner[owner >= 0], state[owner >= 0])
    return Cases(borrower, panel.last_month + 1 - np.maximum(spell, 1), worst)


def read_signs(panel: Panel, tables: Mapping[str, pa.Table], cases: Cases, threads: int) -> IntArray:
    """(n, signs) level of each sign, -1 where it is silent."""
    before = borrower_features(panel, tables, cases.borrower, cases.onset - 1, threads)
    readings = {
        **_income_signs(panel, tables, cases),
        **_panel_signs(panel, cases),
        **_habit_signs(before, "payments" in tables, len(cases.borrower)),
        **_contradictions(panel, tables, cases),
    }
    silent = np.full(len(cases.borrower), -1)
    return np.column_stack([readings.get(sign.name, silent) for sign in SIGNS])


def _level(value: FloatArray, *bounds: float) -> IntArray:
    """0 below the first bound, 1 below the second, ...; -1 where the value is NaN."""
    return np.where(np.isnan(value), -1, np.searchsorted(np.array(bounds), value, side="right"))


def _present(value: FloatArray, least: float) -> IntArray:
    """0, the sign's first level, from `least` on, else 1; -1 where the value is NaN."""
    return np.where(np.isnan(value), -1, np.where(value >= least, 0, 1))


_FELL = 0.7  # an income below this share of the usual one is low
_BY_CHANCE = 0.1
_PEERS = 3  # fewer workmates with an income that is seen say nothing
_NEIGHBOURS = 10


def _income_signs(panel: Panel, tables: Mapping[str, pa.Table], cases: Cases) -> dict[str, IntArray]:
    """Own income, workmates' incomes, the industry's output, and hardship that was told."""
    readings: dict[str, IntArray] = {}
    income = event_ledger(panel, tables.get("events"), "income", "deposit", amounts=True)
    if income is not None:
        first = int(panel.month.min())
        readings["income"] = _present(_fallen(income, cases.borrower, cases.onset, first, panel.last_month), 1)
        if "borrowers" in tables:
            fallen = _peers_fallen(panel, tables["borrowers"], income, cases, first)
            readings["peers"] = _present(fallen, 1.0)
    told = event_ledger(panel, tables.get("events"), "hardship")
    if told is not None:
        span = panel.last_month - cases.onset + 7  # from six months before the onset until now
        counted = told.total(cases.borrower, np.full(len(span), panel.last_month), span)
        readings["hardship"] = _present(counted.astype(np.float64), 1)
    if {"macro", "borrowers"} <= tables.keys():
        output = Economy(panel, tables, "output_growth")
        past = np.stack([output.at(cases.borrower, cases.onset - back) for back in range(13)])
        readings["economy"] = _present(np.fmax.reduce(past[1:]) - np.fmin.reduce(past[:4]), 0.10)
    return readings


def _fallen(income: Ledger, borrower: IntArray, onset: IntArray, first: int, last: int) -> FloatArray:
    """1 where income fell in the three months to the onset, 0 where it held, NaN where that cannot be said.

    A low month is one below _FELL of the usual one: the median of the months with any income among up to nine before.
    In an income that moves, or whose record has gaps, a low month is nothing unusual; so a run of low months counts if
    its like is met in fewer than _BY_CHANCE of times, given how many months were low before. The month after the onset
    is looked at where that was low. A shorter run is no evidence of either.
    """
    before = np.stack([income.total(borrower, onset - back, 1) for back in range(3, 12)]).astype(np.float64)
    before[onset - np.arange(3, 12)[:, None] < first] = np.nan
    usual = _median_of_positive(before)
    low_before = (before < _FELL * usual).sum(axis=0)
    chance = (low_before + 0.5) / (np.isfinite(before).sum(axis=0) + 1)
    low = np.stack([income.total(borrower, onset - back, 1) < _FELL * usual for back in (2, 1, 0)])
    after = low[2] & (onset < last) & (income.total(borrower, onset + 1, 1) < _FELL * usual)
    run = np.where(low.all(axis=0), 3, np.where((low[1:] & low[:-1]).any(axis=0), 2, low.any(axis=0))) + after
    fell = (run > 0) & (chance**run <= _BY_CHANCE)
    said = (fell | (run == 0)) & np.isfinite(usual)
    return np.where(said, fell, np.nan)


def _median_of_positive(values: FloatArray) -> FloatArray:
    """(n,) median over the first axis of the values above zero, NaN where there is none."""
    rows = np.sort(np.where(values > 0, values, np.nan), axis=0)  # NaN come last
    count = np.isfinite(rows).sum(axis=0)
    middle = np.stack([np.maximum(count - 1, 0) // 2, count // 2])
    both = np.take_along_axis(rows, np.minimum(middle, len(rows) - 1), axis=0)
    return np.where(count > 0, both.mean(axis=0), np.nan)


def _peers_fallen(panel: Panel, people: pa.Table, income: Ledger, cases: Cases, first: int) -> FloatArray:
    """1 where the incomes of those around the borrower fell too, 0 where they held, NaN where too few are seen.

    Around: of the same employer, from 30 % on; where those are too few, of the same region and industry, from 10 % on.
    """
    row = pc.index_in(panel.borrowers, people["borrower_id"].combine_chunks())
    block = pc.binary_join_element_wise(people["region"], people["industry"], "\n").combine_chunks()
    result = np.full(len(cases.borrower), np.nan)
    for keys, least, share in (
        (block, _NEIGHBOURS, 0.1), (people["employer_token"].combine_chunks(), _PEERS, 0.3)
    ):  # fmt: skip
        group = keys.take(row).dictionary_encode().indices.fill_null(-1).to_numpy().astype(np.int64)
        for onset in np.unique(cases.onset):
            own = np.flatnonzero((cases.onset == onset) & (group[cases.borrower] >= 0))
            around = np.flatnonzero(np.isin(group, group[cases.borrower[own]]))
            fallen = _fallen(income, around, np.full(len(around), onset), first, panel.last_month)
            seen, fell = ~np.isnan(fallen), fallen == 1
            width = int(group.max(initial=0)) + 1
            count = np.bincount(group[around], seen, width)
            hits = np.bincount(group[around], fell, width)
            place = np.searchsorted(around, cases.borrower[own])
            others = count[group[cases.borrower[own]]] - seen[place]
            low = hits[group[cases.borrower[own]]] - fell[place]
            known = others >= least
            result[own[known]] = low[known] >= share * others[known]
    return result


def _panel_signs(panel: Panel, cases: Cases) -> dict[str, IntArray]:
    """How deep, on lines how old, and what happened in the onset month on the lines that were not let go."""
    size = len(cases.borrower)
    account, month, late = panel.account, panel.month, overdue_rows(panel)
    owner = panel.accounts["borrower"].to_numpy()[account]
    place, begins = np.full(len(panel.borrowers), -1), np.zeros(len(panel.borrowers), np.int64)
    place[cases.borrower], begins[cases.borrower] = np.arange(size), cases.onset
    case, onset = place[owner], begins[owner]
    at_onset = (case >= 0) & (month == onset)
    opened = panel.accounts["opened"].fill_null(-1).to_numpy().astype(np.float64)
    let_go = at_onset & late & (opened[account] >= 0)
    youngest = np.full(size, -np.inf)
    np.maximum.at(youngest, case[let_go], opened[account[let_go]])
    age = np.where(np.isfinite(youngest), cases.onset - youngest, np.nan)
    paid, least, spent = (_amounts(panel, name) for name in ("paid", "min_due", "spend"))
    rows = np.flatnonzero(at_onset)
    rows = rows[rows > 0]
    others = rows[~late[rows] & (account[rows - 1] == account[rows]) & (least[rows - 1] > 0) & ~np.isnan(paid[rows])]
    count = np.bincount(case[others], minlength=size)
    more = np.bincount(case[others], paid[others] >= 1.2 * least[others - 1], size)
    recent = (case >= 0) & (month >= onset - 6) & (month < onset) & ~np.isnan(spent)
    months = np.clip(cases.onset - int(panel.month.min(initial=panel.last_month)), 1, 6)
    usual = np.bincount(case[recent], spent[recent], size) / months
    now = at_onset & ~np.isnan(spent)
    spending = np.bincount(case[now], spent[now], size)
    return {
        "depth": _level(cases.worst.astype(np.float64), 1.5, 3.5),
        "line_age": _level(age, 3.5, 12.5),
        "others_paid": _present(np.where(count > 0, more, np.nan), 1),
        "spending": _level(ratio(spending, usual), 0.8),
    }


def _amounts(panel: Panel, name: str) -> FloatArray:
    return np.asarray(panel.months[name].cast(pa.float64()).to_numpy(), np.float64)


def _habit_signs(before: pa.Table, payments: bool, size: int) -> dict[str, IntArray]:
    """How the lines were used and paid until the month before the onset."""

    def value(name: str) -> FloatArray:
        if name not in before.column_names:
            return np.full(size, np.nan)
        return np.asarray(before[name].to_numpy(), np.float64)

    paid = value("payment_ratio_all")
    slips = value("late_count_12m_sum")
    if payments:
        slips = slips + value("late_payments_6m")
    return {
        "payments": np.where(np.isnan(paid), -1, 2 - np.searchsorted([0.2, 0.5], paid, side="right")),
        "forgetful": _present(slips, 1),
        "service": _present(value("service_to_income"), 0.5),
        "credit_use": _present(value("utilisation_trend_max"), 0.1),
        "cash": _present(value("cash_all"), 0.3),
    }


_FAR_MORE = 1.8  # declared income over the income that is verified or seen


def _contradictions(panel: Panel, tables: Mapping[str, pa.Table], cases: Cases) -> dict[str, IntArray]:
    """Facts on record that do not agree with one another."""
    ids = panel.borrowers.take(pa.array(cases.borrower))
    size = len(ids)
    readings: dict[str, IntArray] = {}
    if "borrowers" in tables:
        people = tables["borrowers"]
        row = pc.index_in(ids, people["borrower_id"].combine_chunks())
        declared, verified = (
            np.asarray(people[name].take(row).cast(pa.float64()).to_numpy(), np.float64)
            for name in ("income_declared_minor", "income_verified_minor")
        )
        income = event_ledger(panel, tables.get("events"), "income", "deposit", amounts=True)
        if income is not None:
            months = np.clip(cases.onset - 2 - int(panel.month.min()), 1, 9)
            seen = income.total(cases.borrower, cases.onset - 3, 9) / months
            verified = np.where(np.isnan(verified) & (seen > 0), seen, verified)
        readings["declared"] = _present(ratio(declared, verified), _FAR_MORE)
    if "applications" in tables:
        readings |= _application_signs(tables["applications"], ids)
    if "identity_checks" in tables:
        checks = tables["identity_checks"].filter(
            pc.is_in(tables["identity_checks"]["result"], pa.array(["match", "mismatch"]))
        )
        owner = places(checks["borrower_id"], ids)
        wrong = pc.equal(checks["result"], "mismatch").to_numpy().astype(np.float64)
        count = np.bincount(owner[owner >= 0], minlength=size)
        hits = np.bincount(owner[owner >= 0], wrong[owner >= 0], size)
        readings["identity"] = _present(np.where(count > 0, hits, np.nan), 1)
    return readings


_SHARED_BY = 3  # borrowers; two may be a couple


def _application_signs(applications: pa.Table, ids: pa.Array) -> dict[str, IntArray]:
    """Incomes declared to several lenders, and devices and telephones that several borrowers applied with."""
    size = len(ids)
    owner = places(applications["borrower_id"], ids)
    told = applications["income_declared_minor"].cast(pa.float64()).to_numpy().astype(np.float64)
    has = (owner >= 0) & (told > 0)
    most, least = np.full(size, -np.inf), np.full(size, np.inf)
    np.maximum.at(most, owner[has], told[has])
    np.minimum.at(least, owner[has], told[has])
    times = np.bincount(owner[has], minlength=size)
    spread = np.divide(most, least, out=np.full(size, np.nan), where=times > 1)
    people = applications["borrower_id"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64)
    shared = np.full(size, np.nan)
    for name in ("device_token", "phone_token"):
        token = (
            applications[name].combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy().astype(np.int64)
        )
        used = token >= 0
        pairs = np.unique(np.stack([token[used], people[used]]), axis=1)
        by = np.bincount(pairs[0], minlength=int(token.max(initial=0)) + 1)
        own = used & (owner >= 0)
        most_shared = np.full(size, -np.inf)
        np.maximum.at(most_shared, owner[own], by[token[own]].astype(np.float64))
        shared = np.fmax(shared, np.where(np.isfinite(most_shared), most_shared, np.nan))
    return {"statements": _present(spread, 1.3), "tokens": _present(shared, _SHARED_BY)}
