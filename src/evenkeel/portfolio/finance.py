"""Stage 9, finance: what arrears cost in the next twelve months, with and without the recommended changes, as ranges.

The book of today is carried forward: no new accounts, and balances move as they did in the last months. Every figure is
computed once with the months as they were and the base assumptions, and then again and again with months drawn with
replacement and assumptions drawn from their ranges; the ranges are the middle 90 % of those.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_NAMES, Panel
from evenkeel.kernel.calendar import month_text
from evenkeel.kernel.money import estimate_to_minor
from evenkeel.kernel.text import texts
from evenkeel.measures.loss import BUCKETS, LOSS, Motion, better_collected, carried, lost_within, riskier, without_draws
from evenkeel.measures.roll import FloatArray, IntArray
from evenkeel.portfolio.motion import Seen, buckets_of, chain_of, closed_end, motion_of, observe
from evenkeel.portfolio.rows import Rows, ratio, rows_of

MONTHS = 12
GROUPS = ("keep", "raise", "lower", "above_new_limit", "freeze")  # the excess of a lowered line is a group of its own
_KEEP, _RAISE, _LOWER, _EXCESS, _FREEZE = range(len(GROUPS))
FIGURES = ("balance", "collected", "drawn", "interest", "lost", "funding", "net_cash")


@dataclass(frozen=True, slots=True)
class Range:
    """A figure that is taken for granted, and how far off it may be: drawn from the triangle over low, base, high."""

    low: float
    base: float
    high: float

    def drawn(self, draws: int, rng: np.random.Generator) -> FloatArray:
        """(draws + 1,): the base, then draws."""
        if self.low == self.high:
            return np.full(draws + 1, self.base)
        return np.append(self.base, rng.triangular(self.low, self.base, self.high, draws))


@dataclass(frozen=True, slots=True)
class FinanceAssumptions:
    """What finance takes for granted beyond the book.

    loss_given_default: share of a balance that reaches M7 or is written off which never comes back. Chinese card
        bad-loan pools collected 23 to 36 % within twelve periods, cohorts 2017-2021 (China Bond Rating).
    funding_annual: cost of funds on what is lent. A judgement: wholesale funding of consumer finance in yuan.
    collection_share: cost of collection, as a share of what accounts in M2 to M6 pay. Commissions in Chinese bank
        tenders run from 13.85 % (ICBC Ningxia 2023) over 5 to 24 % (CCB 2022) up to 37 % (CITIC).
    recovery_uplift: how much more overdue accounts pay when treatment follows the case: +6 % in an online trial at Bank
        of Shanghai (TKDE 2025), +8.11 % in a field trial on micro-loans (Yang et al., ICIS 2020).
    raised_use: how much of a raise is drawn within the year, in multiples of the line's own utilisation. A judgement.
    months: steps from month to month that the flows are taken from. draws: of the bootstrap.
    """

    loss_given_default: Range = Range(0.65, 0.71, 0.77)
    funding_annual: Range = Range(0.025, 0.035, 0.05)
    collection_share: Range = Range(0.1385, 0.24, 0.37)
    recovery_uplift: Range = Range(0.0, 0.06, 0.0811)
    raised_use: Range = Range(0.5, 1.0, 1.25)
    months: int = 12
    draws: int = 500


@dataclass(frozen=True, slots=True)
class _World:
    """Draws of everything that is not known; all lead with the axis of draws, the base first.

    motion: (d, 2, 8). loss: (d, 2, 8) share lost by the chain. The others are (d,).
    """

    motion: Motion
    loss: FloatArray
    given: dict[str, FloatArray]


@dataclass(frozen=True, slots=True)
class _Book:
    """Balances at the last month, and what the decisions say of them.

    start: (5, 2, 8) by GROUPS, kind and bucket. raised: (2,) what raises add at the lines' own utilisation.
    riskiness: (5, 2) chance of going bad of a group's balance in M0 against its kind's.
    """

    start: FloatArray
    raised: FloatArray
    riskiness: FloatArray


def finance(panel: Panel, decisions: pa.Table, assumptions: FinanceAssumptions, *, seed: int) -> dict[str, Any]:
    """Part `finance` of portfolio.json; figures in minor units are {low, base, high}, null where not known.

    decisions: decisions.parquet, `limit` rows of the accounts on book. `missing` lists what the data lack as {part,
    needs}, like `not_available`.
    """
    rows = rows_of(panel)
    last = rows.at_last()
    owed = rows.owed[last]
    total = int(owed.sum())
    result: dict[str, Any] = {
        "definition": {name: texts("en")(f"portfolio.finance.{name}") for name in _DEFINED},
        "assumptions": asdict(assumptions),
        "npl_ratio": ratio(owed[np.isin(rows.state[last], (4, 5, 6, 7))].sum(), total),
        "npl_ratio_60_plus": ratio(owed[np.isin(rows.state[last], (3, 4, 5, 6, 7))].sum(), total),
        "provision_minor": None, "provision_by_bucket": None, "income_minor": None, "cost_of_risk": None,
        "profit_minor": None, "cash_flow": None, "without_changes": None, "with_changes": None, "difference": None,
        "waterfall": None, "missing": [],
    }  # fmt: skip
    seen = observe(panel, rows, assumptions.months)
    if not rows.owed_known[last].any() or seen is None:
        return result | {"missing": _missing("finance")}
    world = _world(seen, _charge_rate(panel, rows, last), assumptions, seed)
    book = _book(panel, rows, last, decisions)
    without, with_ = _year(book, world, False), _year(book, world, True)
    lacks = [
        *(["finance.collected"] if not seen.paid_of.any() else []),
        *(["finance.income_minor"] if not world.motion.charged.any() else []),
    ]
    hidden = {name for part in lacks for name in _HIDDEN[part]}
    return result | {
        "months_observed": len(seen.owed),
        "provision_minor": _range(without["provision_start"]),
        "provision_by_bucket": _by_bucket(rows, last, book, world),
        "income_minor": None if "income_minor" in hidden else _range(without["income_minor"]),
        "cost_of_risk": _range(without["cost_of_risk"], share=True),
        "profit_minor": None if "profit_minor" in hidden else _range(without["profit_minor"]),
        "cash_flow": _cash_flow(panel.last_month, without, with_, hidden),
        "without_changes": _totals(without, hidden),
        "with_changes": _totals(with_, hidden),
        "difference": _totals({name: with_[name] - without[name] for name in with_}, hidden),
        "waterfall": None if "profit_minor" in hidden else _waterfall(without, with_),
        "missing": _missing(*lacks),
    }


_DEFINED = ("npl_ratio", "provision", "projection", "changes", "cost_of_risk", "profit", "range")
_TOTALS = (
    "income_minor", "funding_minor", "expected_loss_minor", "collection_cost_minor", "profit_minor", "cost_of_risk",
    "balance_end_minor",
)  # fmt: skip


# What cannot be told where a part is missing.
_HIDDEN = {
    "finance.collected": ("collected", "drawn", "net_cash", "collection_cost_minor", "profit_minor"),
    "finance.income_minor": ("interest", "drawn", "net_cash", "income_minor", "profit_minor"),
}


def _missing(*parts: str) -> list[dict[str, str]]:
    return [{"part": part, "needs": texts("en")(f"portfolio.needs.{part}")} for part in parts]


def _charge_rate(panel: Panel, rows: Rows, last: IntArray) -> float | None:
    """A month's interest on a unit of balance by the contracts' own rates, where charges are not on file."""
    rate = panel.accounts["rate_annual"].combine_chunks().take(pa.array(rows.account[last]))
    known = rate.is_valid().to_numpy(zero_copy_only=False)
    owed = rows.owed[last][known]
    mean = ratio(float((owed * rate.fill_null(0.0).to_numpy()[known]).sum()), owed.sum())
    return None if mean is None else mean / 12


def _world(seen: Seen, charge_rate: float | None, assumptions: FinanceAssumptions, seed: int) -> _World:
    rng = np.random.default_rng(seed)
    sums = seen.drawn_again(assumptions.draws, rng)
    ranges = {f.name: getattr(assumptions, f.name) for f in fields(assumptions)}
    given = {name: one.drawn(assumptions.draws, rng) for name, one in ranges.items() if isinstance(one, Range)}
    return _World(motion_of(sums, charge_rate), chain_of(sums), given)


def _book(panel: Panel, rows: Rows, last: IntArray, decisions: pa.Table) -> _Book:
    """Balances by group: the part of a lowered line's balance above its new limit is the group `above_new_limit`."""
    ids = panel.accounts["account_id"].combine_chunks().take(pa.array(rows.account[last]))
    own = decisions.take(pc.index_in(ids, decisions["account_id"].combine_chunks()))
    owed = rows.owed[last].astype(np.float64)
    bucket = buckets_of(rows.state[last])
    kind = closed_end(panel)[rows.account[last]].astype(np.int64)
    outcome = pc.fill_null(pc.index_in(own["outcome"], pa.array(GROUPS)), _KEEP).to_numpy().astype(np.int64)
    before, after = (
        own[name].cast(pa.float64()).to_numpy(zero_copy_only=False)
        for name in ("limit_before_minor", "limit_after_minor")
    )
    excess = np.where((outcome == _LOWER) & (after < owed), owed - after, 0.0)
    start = np.zeros((len(GROUPS), 2, BUCKETS))
    np.add.at(start, (outcome, kind, bucket), owed - excess)
    np.add.at(start, (np.full_like(outcome, _EXCESS), kind, bucket), excess)
    use = np.divide(owed, before, out=np.zeros_like(owed), where=before > 0).clip(0, 1)
    more = np.where((outcome == _RAISE) & (after > before), use * (after - before), 0.0)
    pd = own["pd"].to_numpy(zero_copy_only=False).astype(np.float64)
    clean = (bucket == 0) & np.isfinite(pd)
    cell, cells = (outcome * 2 + kind)[clean], 2 * len(GROUPS)
    weight = np.bincount(cell, owed[clean], cells).reshape(-1, 2)
    bad = np.bincount(cell, (owed * pd)[clean], cells).reshape(-1, 2)
    chance = np.divide(bad, weight, out=np.full(weight.shape, np.nan), where=weight > 0)
    raised = np.bincount(kind, more, 2).astype(np.float64)
    return _Book(start, raised, _riskiness(start[..., 0], chance))


def _riskiness(owed: FloatArray, chance: FloatArray) -> FloatArray:
    """(5, 2) chance of going bad of each group against its kind's mean, so that the kind as a whole stays as it is.

    owed: (5, 2) clean balance. chance: (5, 2) mean of the group, NaN where no account in it has one: it counts as 1.
    """
    chance[_EXCESS] = chance[_LOWER]
    known = np.isfinite(chance) & (owed > 0)
    weight = np.where(known, owed, 0.0)
    mean = np.divide(
        (weight * np.where(known, chance, 0.0)).sum(axis=0),
        weight.sum(axis=0),
        out=np.zeros(2),
        where=known.any(axis=0),
    )
    times: FloatArray = np.divide(chance, mean, out=np.ones(chance.shape), where=known & (mean > 0))
    return times


def _year(book: _Book, world: _World, changed: bool) -> dict[str, FloatArray]:
    """Every figure of the next twelve months: FIGURES as (12, d), totals as (d,).

    changed: with the recommended limits and treatments. Frozen lines and balances above a new limit are not drawn on
    again; raised lines add what they draw in equal parts; overdue accounts pay more by the uplift of treatment.
    """
    given = world.given
    motion = better_collected(world.motion, given["recovery_uplift"][:, None]) if changed else world.motion
    sums: dict[str, FloatArray] = {
        name: np.zeros((MONTHS, len(given["funding_annual"])))
        for name in (*FIGURES, "collection", "started", "allowance_start", "allowance_end")
    }
    for group, (start, times) in enumerate(zip(book.start, book.riskiness, strict=True)):
        own = riskier(motion, times)
        if changed and group in (_EXCESS, _FREEZE):
            own = without_draws(own)
        added = np.zeros((len(given["raised_use"]), 2, BUCKETS))
        if changed and group == _RAISE:
            added[..., 0] = given["raised_use"][:, None] * book.raised / MONTHS
        on_chain = start.copy()
        on_chain[:, LOSS] = 0.0  # lost already: it is provided for, and moves no more
        path = carried(on_chain, own, MONTHS, added)
        begin, end = path[:-1], path[1:]
        rate = world.loss.copy()
        rate[..., 0] = np.minimum(rate[..., 0] * times, 1.0)
        sums["balance"] += end.sum(axis=(-2, -1))
        sums["started"] += begin.sum(axis=(-2, -1))
        sums["collected"] += (begin * own.paid).sum(axis=(-2, -1))
        sums["collection"] += (begin * own.paid)[..., 2:LOSS].sum(axis=(-2, -1))
        sums["drawn"] += (begin * own.drawn + added).sum(axis=(-2, -1))
        sums["interest"] += (begin * own.charged).sum(axis=(-2, -1))
        sums["lost"] += (begin * own.lost).sum(axis=(-2, -1))
        sums["allowance_start"] += (path[0] * rate).sum(axis=(-2, -1))
        sums["allowance_end"] += (path[-1] * rate).sum(axis=(-2, -1))
    return _totalled(sums, given, float(book.start[..., LOSS].sum()))


def _totalled(sums: dict[str, FloatArray], given: dict[str, FloatArray], lost_already: float) -> dict[str, FloatArray]:
    """The year's account. A year's loss = what is lost + the growth of the provision for the rest."""
    lgd = given["loss_given_default"]
    mean = (sums["balance"] + sums["started"]) / 2
    sums["funding"] = mean * given["funding_annual"] / 12
    cost = sums["collection"] * given["collection_share"]
    sums["net_cash"] = sums["collected"] - sums["drawn"] - sums["funding"] - cost
    allowance_start, allowance_end = sums["allowance_start"][0] * lgd, sums["allowance_end"][0] * lgd
    # Whole minor units before they are added up, so that the waterfall ends at the profit.
    income, funding = np.rint(sums["interest"].sum(axis=0)), np.rint(sums["funding"].sum(axis=0))
    loss = np.rint(sums["lost"].sum(axis=0) * lgd + allowance_end - allowance_start)
    collection = np.rint(cost.sum(axis=0))
    average = mean.mean(axis=0)
    return {name: sums[name] for name in FIGURES} | {
        "provision_start": allowance_start + lost_already * lgd,
        "income_minor": income,
        "funding_minor": funding,
        "expected_loss_minor": loss,
        "collection_cost_minor": collection,
        "profit_minor": income - funding - loss - collection,
        "cost_of_risk": np.divide(loss, average, out=np.zeros_like(loss), where=average > 0),
        "balance_end_minor": sums["balance"][-1],
    }


def _range(draws: FloatArray, share: bool = False) -> dict[str, Any]:
    """{low, base, high} of a figure's draws, base first: the middle 90 %, widened to hold the base."""
    low, high = np.quantile(draws, (0.05, 0.95))
    values = (min(low, draws[0]), draws[0], max(high, draws[0]))
    to_plain: Callable[[float], float] = float if share else estimate_to_minor
    return dict(zip(("low", "base", "high"), (to_plain(float(value)) for value in values), strict=True))


def _totals(year: dict[str, FloatArray], hidden: set[str]) -> dict[str, Any]:
    return {name: None if name in hidden else _range(year[name], share=name == "cost_of_risk") for name in _TOTALS}


def _cash_flow(
    last_month: int, without: dict[str, FloatArray], with_: dict[str, FloatArray], hidden: set[str]
) -> list[dict[str, Any]]:
    def told(year: dict[str, FloatArray], step: int) -> dict[str, Any]:
        return {f"{name}_minor": None if name in hidden else _range(year[name][step]) for name in FIGURES}

    return [
        {
            "month": step + 1,
            "calendar_month": month_text(last_month + 1 + step),
            "without": told(without, step),
            "with": told(with_, step),
        }
        for step in range(MONTHS)
    ]


def _by_bucket(rows: Rows, last: IntArray, book: _Book, world: _World) -> list[dict[str, Any]]:
    """Each bucket's provision by the chain, and beside it the absorbing Markov chain's loss of twelve months."""
    by_kind = book.start.sum(axis=0)
    markov = lost_within(world.motion, MONTHS)
    buckets: list[dict[str, Any]] = []
    for code, name in enumerate(STATE_NAMES[:BUCKETS]):
        balance = by_kind[:, code]
        lost = world.loss[..., code] @ balance
        shares = [ratio(float((rate[0, :, code] * balance).sum()), balance.sum()) for rate in (world.loss, markov)]
        buckets.append(
            {
                "bucket": name,
                "balance_minor": estimate_to_minor(float(balance.sum())),
                "flows_to_loss": shares[0],
                "lost_in_12_months": shares[1],
                "provision_minor": _range(lost * world.given["loss_given_default"]),
            }
        )
    return buckets


def _waterfall(without: dict[str, FloatArray], with_: dict[str, FloatArray]) -> list[dict[str, Any]]:
    """From what borrowers are charged down to profit; the parts sum to the last."""
    items = (("interest_and_fees", "income_minor", 1), ("funding", "funding_minor", -1),
             ("expected_loss", "expected_loss_minor", -1), ("collection_cost", "collection_cost_minor", -1),
             ("profit", "profit_minor", 1))  # fmt: skip
    return [
        {
            "item": item,
            "amount_minor": sign * int(without[name][0]),
            "with_changes_minor": sign * int(with_[name][0]),
        }
        for item, name, sign in items
    ]
