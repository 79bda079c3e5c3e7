"""One affordable plan over all of a household's lines: how much a month, for how long, at what cost.

The budget is what a low month of income leaves after protected essentials. Every month it is paid to all lines in
proportion to what is owed on them (creditor-neutral, the norm in debt management plans), so that all clear together.
A plan that cannot work is called infeasible and says what binds; where a needed fact is unknown there is a question and
no plan.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import ndtr, ndtri

from evenkeel.kernel.calendar import month_of, month_text

IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float64]

# What can bind; `binding` holds one of these. The first three make a question, the next three make it infeasible.
BINDINGS = ("income_unknown", "balance_unknown", "no_debt", "no_budget", "interest", "term", "budget", "balance")
_QUESTION, _INFEASIBLE = BINDINGS[:3], BINDINGS[3:6]

PLANS = pa.schema(
    [
        ("borrower_id", pa.string()),
        ("status", pa.string()),
        ("months", pa.int32()),
        ("monthly_minor", pa.int64()),
        ("total_cost_minor", pa.int64()),
        ("p_complete", pa.float64()),
        ("binding", pa.string()),
        (
            "schedule",
            pa.list_(pa.struct([("account_id", pa.string()), ("month", pa.string()), ("amount_minor", pa.int64())])),
        ),
    ]
)

_MILLION = 1_000_000  # rates are held in millionths, so that interest is whole-number arithmetic


@dataclass(frozen=True, slots=True)
class PlanAssumptions:
    """What a plan takes for granted, each with its source. Amounts are a month, in minor units of the book's currency.

    adult_minor, dependant_minor: protected essentials of the borrower and of each dependant. Default in yuan:
        disposable income a head of the second and of the lowest fifth of households, 22,702 and 10,150 a year (NBS
        2025). Where the book has another currency use `shares_only`.
    dependants_unknown: dependants where they are not known (a judgement: one).
    max_service_share: at most this share of low income goes to debts (half: RBI rule for micro-loans).
    haircut_verified, haircut_other: taken off an income of which only a point is known, to stand for its P20; other =
        declared, observed or of unknown source (judgements).
    low_quantile: the quantile that `income_low_minor` is.
    rate_unknown: yearly rate where a line's is not known: 0.05 % a day, the usual rate of Chinese cards.
    max_months: no plan is longer (CN-CARD-070, binding for cards, taken for all lines).
    monthly_break: chance a month that a plan breaks, where income volatility is unknown: 37.6 % of HAMP's 2010
        modifications re-defaulted (SIGTARP), read here as spread evenly over 60 months. An order of magnitude from
        another country and product; None leaves p_complete null.
    """

    adult_minor: int = 189_183
    dependant_minor: int = 84_583
    dependants_unknown: int = 1
    max_service_share: float = 0.50
    haircut_verified: float = 0.10
    haircut_other: float = 0.25
    low_quantile: float = 0.20
    rate_unknown: float = 0.1825
    max_months: int = 60
    monthly_break: float | None = 0.00783

    @classmethod
    def shares_only(cls) -> PlanAssumptions:
        """For a currency whose cost of living is not at hand: half of low income, whoever depends on it."""
        return cls(adult_minor=0, dependant_minor=0, dependants_unknown=0)


def plan(
    lines: pa.Table, borrowers: pa.Table, as_of: date, assumptions: PlanAssumptions
) -> tuple[pa.Table, dict[str, Any]]:
    """Stage 8: a plan, an infeasibility or a question for every borrower with an overdue line.

    lines: line_id, borrower_id, balance_minor (null unknown), rate_annual (null unknown), dpd (null unknown); one row
        an open line, own or outside. Lines in credit or at zero are left aside.
    borrowers: borrower_id, income_minor (a month, null unknown), income_low_minor (its low quantile, null unknown),
        income_source, dependants, lines_overdue.
    Returns the plans as PLANS, sorted by borrower_id, and a summary. monthly_minor is the level payment; the last month
    may be less. total_cost_minor is the interest until clear. An infeasible row keeps what could be paid a month.
    """
    people = _people(lines, borrowers)
    low = _low_income(people, assumptions)
    budget = _budgets(people, low, assumptions)
    owned = _lines(lines, people["borrower_id"], assumptions)
    size = len(people)
    codes = np.full(size, -1)

    total = np.bincount(owned.owner, owned.balance > 0, size)
    income_known = _valid(people["income_minor"]) | _valid(people["income_low_minor"])
    for code, where in (
        ("income_unknown", ~income_known),
        ("balance_unknown", np.bincount(owned.owner, owned.unknown, size) > 0),
        ("no_debt", total == 0),
        ("no_budget", budget <= 0),
    ):
        codes[(codes < 0) & where] = BINDINGS.index(code)

    run = _amortise(owned, budget, codes, assumptions.max_months)
    feasible = np.isin(codes, [BINDINGS.index(code) for code in ("budget", "balance")])
    question = np.isin(codes, [BINDINGS.index(code) for code in _QUESTION])
    monthly = np.minimum(budget, run.first)
    chance = _p_complete(people, low, low - budget + monthly, run.months, assumptions)
    binding = [BINDINGS[code] for code in codes.tolist()]
    plans = pa.table(
        [
            people["borrower_id"],
            pa.array(np.select([feasible, question], ["feasible", "question"], "infeasible")),
            pa.array(run.months.astype(np.int32), mask=~feasible),
            pa.array(np.where(feasible, monthly, np.maximum(budget, 0)), mask=question),
            pa.array(run.interest, mask=~feasible),
            pa.array(chance, mask=~feasible | np.isnan(chance)),
            pa.array(binding, pa.string()),
            _schedules(run, owned, feasible, month_of(as_of)),
        ],
        schema=PLANS,
    )
    return plans, _summary(plans, owned, assumptions)


@dataclass(frozen=True, slots=True)
class _Lines:
    """The lines of the planned borrowers, sorted by owner and id. owner: row of the borrower; balance: 0 if unknown."""

    ids: pa.Array
    owner: IntArray
    balance: IntArray
    unknown: BoolArray
    rate: IntArray  # millionths a year
    rate_assumed: BoolArray


@dataclass(slots=True)
class _Run:
    """What the months brought. months, interest, first (the most that the first month can take): one a borrower."""

    months: IntArray
    interest: IntArray
    first: IntArray
    payments: list[tuple[IntArray, IntArray]]  # month by month: lines paid, amounts


def _people(lines: pa.Table, borrowers: pa.Table) -> pa.Table:
    """The borrowers to plan for, sorted by id: lines overdue by their own count or by a line's days past due."""
    late = pc.unique(lines["borrower_id"].filter(pa.array(_whole(lines["dpd"]) > 0)))
    wanted = (_whole(borrowers["lines_overdue"]) > 0) | _mask(pc.is_in(borrowers["borrower_id"], late))
    return borrowers.filter(pa.array(wanted)).sort_by("borrower_id").combine_chunks()


def _low_income(people: pa.Table, assumptions: PlanAssumptions) -> IntArray:
    """A low month of income: the known quantile, else the point less its haircut; 0 where neither is known."""
    verified = _mask(pc.equal(people["income_source"].cast(pa.string()), "verified"))
    haircut = np.where(verified, _parts(assumptions.haircut_verified), _parts(assumptions.haircut_other))
    return np.where(
        _valid(people["income_low_minor"]),
        _whole(people["income_low_minor"]),
        _share(_whole(people["income_minor"]), _MILLION - haircut),
    )


def _budgets(people: pa.Table, low: IntArray, assumptions: PlanAssumptions) -> IntArray:
    """A month's payment to all debts: low income less essentials, and at most the share that may go to debts."""
    dependants = _whole(people["dependants"], assumptions.dependants_unknown)
    essentials = assumptions.adult_minor + assumptions.dependant_minor * dependants
    most = _share(low, np.full_like(low, _parts(assumptions.max_service_share)))
    budget: IntArray = np.minimum(low - essentials, most)
    return budget


def _lines(lines: pa.Table, people: pa.ChunkedArray, assumptions: PlanAssumptions) -> _Lines:
    owner = pc.index_in(lines["borrower_id"], people.combine_chunks())
    lines = lines.append_column("owner", owner).filter(pc.is_valid(owner))
    lines = lines.sort_by([("owner", "ascending"), ("line_id", "ascending")]).combine_chunks()
    rate = lines["rate_annual"].cast(pa.float64()).to_numpy().astype(np.float64)
    assumed = ~(np.isfinite(rate) & (rate >= 0))
    return _Lines(
        ids=lines["line_id"].combine_chunks(),
        owner=_whole(lines["owner"]),
        balance=np.maximum(_whole(lines["balance_minor"]), 0),
        unknown=~_valid(lines["balance_minor"]),
        rate=np.rint(np.where(assumed, assumptions.rate_unknown, rate) * _MILLION).astype(np.int64),
        rate_assumed=assumed,
    )


def _amortise(lines: _Lines, budget: IntArray, codes: IntArray, max_months: int) -> _Run:
    """Month by month: interest (half up), then the budget in proportion to what is owed. Fills in the open `codes`.

    A debt that does not shrink in a month never will: payments keep the mix of lines, interest moves it to the dearer
    ones, so the average rate only rises.
    """
    size = len(budget)
    run = _Run(np.zeros(size, np.int64), np.zeros(size, np.int64), np.zeros(size, np.int64), [])
    index = np.flatnonzero((codes[lines.owner] < 0) & (lines.balance > 0))
    balance = lines.balance[index]
    for month in range(1, max_months + 1):
        if not len(index):
            break
        owner = lines.owner[index]
        owed = _sums(owner, balance, size)
        whole, rest = _muldiv(balance, lines.rate[index], np.full_like(balance, 12 * _MILLION))
        interest = whole + (2 * rest >= 12 * _MILLION)
        balance = balance + interest
        run.interest += _sums(owner, interest, size)
        due = _sums(owner, balance, size)
        if month == 1:
            run.first = due
        paid = _share_out(np.minimum(budget, due), balance, owner, due)
        run.payments.append((index, paid))
        balance = balance - paid
        left = due - np.minimum(budget, due)
        done, stuck = (owed > 0) & (left == 0), (left > 0) & (left >= owed)
        run.months[done] = month
        codes[done] = BINDINGS.index("balance" if month == 1 else "budget")
        codes[stuck] = BINDINGS.index("interest")
        going = (codes[owner] < 0) & (balance > 0)
        index, balance = index[going], balance[going]
    codes[codes < 0] = BINDINGS.index("term")
    return run


def _share_out(amount: IntArray, balance: IntArray, owner: IntArray, due: IntArray) -> IntArray:
    """`kernel.money.allocate` for all borrowers at once: amount[owner] in proportion to balances, largest remainder.

    No part exceeds its balance, as no amount exceeds what is due. Lines are sorted by owner; ties go to the earlier.
    """
    parts, rest = _muldiv(amount[owner], balance, due[owner])
    missing = amount - _sums(owner, parts, len(amount))
    order = np.lexsort((-rest, owner))
    starts = np.searchsorted(owner, owner)
    rank = np.empty_like(owner)
    rank[order] = np.arange(len(owner)) - starts
    return parts + (rank < missing[owner])


def _muldiv(a: IntArray, b: IntArray, divisor: IntArray) -> tuple[IntArray, IntArray]:
    """floor(a * b / divisor) and its remainder, exact although a * b may leave 64 bits.

    The quotient is estimated in floating point; the remainder of the estimate is small, so it is right modulo 2**64 and
    corrects it. Holds for quotients below 2**52 or so and divisors far below 2**62.
    """
    estimate = np.floor(a.astype(np.float64) * b.astype(np.float64) / divisor).astype(np.int64)
    correction, rest = np.divmod(a * b - estimate * divisor, divisor)
    return estimate + correction, rest


def _p_complete(
    people: pa.Table, low: IntArray, need: IntArray, months: IntArray, assumptions: PlanAssumptions
) -> FloatArray:
    """The chance that the plan is paid to its end; NaN where nothing supports a number.

    With a point and a low quantile of income: lognormal through both, and the chance that the level of income for the
    plan's time covers `need`, the payment and what is protected beside it. Else the constant monthly hazard assumed.
    """
    point = _whole(people["income_minor"])
    known = _valid(people["income_minor"]) & _valid(people["income_low_minor"]) & (low > 0) & (low < point)
    spread = np.log(np.where(known, low / np.maximum(point, 1), 0.5)) / ndtri(assumptions.low_quantile)
    level: FloatArray = ndtr(np.log(np.maximum(point, 1) / np.maximum(need, 1)) / spread)
    hazard = assumptions.monthly_break
    return np.where(known, level, np.nan if hazard is None else (1 - hazard) ** months)


def _schedules(run: _Run, lines: _Lines, feasible: BoolArray, first: int) -> pa.Array:
    """One list a borrower of (line, month, amount), by month and line; empty where there is no plan."""
    kept: list[tuple[IntArray, IntArray, IntArray]] = []
    for month, (index, paid) in enumerate(run.payments, start=1):
        keep = feasible[lines.owner[index]] & (paid > 0)
        kept.append((index[keep], np.full(int(keep.sum()), month), paid[keep]))
    empty = np.zeros(0, np.int64)
    index, which, amount = (np.concatenate([empty, *(part[k] for part in kept)]) for k in range(3))
    order = np.lexsort((index, which, lines.owner[index]))
    names = pa.array([month_text(first + k) for k in range(len(run.payments) + 1)], pa.string())
    structs = pa.StructArray.from_arrays(
        [
            lines.ids.take(pa.array(index[order])).cast(pa.string()),
            names.take(pa.array(which[order])),
            pa.array(amount[order], pa.int64()),
        ],
        fields=list(PLANS.field("schedule").type.value_type),
    )
    offsets = np.searchsorted(lines.owner[index][order], np.arange(len(feasible) + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), structs, type=PLANS.field("schedule").type)


def _summary(plans: pa.Table, lines: _Lines, assumptions: PlanAssumptions) -> dict[str, Any]:
    """Counts by status and by what binds, medians of the feasible plans, and what was assumed."""
    feasible = plans.filter(pc.equal(plans["status"], "feasible"))
    status, binding = (Counter(plans[name].to_pylist()) for name in ("status", "binding"))
    return {
        "borrowers": len(plans),
        "status": {name: status[name] for name in ("feasible", "infeasible", "question")},
        "binding": {name: binding[name] for name in BINDINGS if binding[name]},
        "months_median": _median(feasible["months"]),
        "monthly_minor_median": _median(feasible["monthly_minor"]),
        "total_cost_minor": pc.sum(feasible["total_cost_minor"]).as_py() or 0,
        "p_complete_mean": pc.mean(feasible["p_complete"]).as_py(),
        "lines": len(lines.ids),
        "lines_with_assumed_rate": int(lines.rate_assumed.sum()),
        "assumptions": asdict(assumptions),
    }


def _median(column: pa.ChunkedArray) -> int | None:
    """The lower median: a value that occurs."""
    values = sorted(column.to_pylist())
    return values[(len(values) - 1) // 2] if values else None


def _sums(owner: IntArray, amounts: IntArray, size: int) -> IntArray:
    """Exact sums by owner; `owner` is sorted."""
    edges = np.searchsorted(owner, np.arange(size + 1))
    return np.diff(np.append(0, np.cumsum(amounts))[edges])


def _whole(column: pa.ChunkedArray, unknown: int = 0) -> IntArray:
    return pc.fill_null(column.cast(pa.int64()), unknown).to_numpy().astype(np.int64)  # type: ignore[no-any-return]


def _valid(column: pa.ChunkedArray) -> BoolArray:
    return pc.is_valid(column).to_numpy().astype(np.bool_)  # type: ignore[no-any-return]


def _mask(column: pa.ChunkedArray) -> BoolArray:
    return pc.fill_null(column, False).to_numpy().astype(np.bool_)  # type: ignore[no-any-return]


def _share(amounts: IntArray, parts: IntArray) -> IntArray:
    """A share, in millionths, of amounts, rounded down."""
    return _muldiv(amounts, parts, np.full_like(amounts, _MILLION))[0]


def _parts(share: float) -> int:
    return round(share * _MILLION)
