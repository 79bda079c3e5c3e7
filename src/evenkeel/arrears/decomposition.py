"""Why a book's overdue rate changed between two months: an exact split of the change over six factors.

Each account on book in a month has a place by what it is (product and age: the mix), by what was granted (limit against
income), by how it was used three months before (behaviour) and by what was done about its arrears since (treatment).
A rate is the sum over places of their share times their own rate, and a place's rate is what unemployment and output
explain (macro) and the rest (the quality of the vintages). Each factor's part is what its change does to the rate,
averaged over all orders in which the six may have changed. It is arithmetic on what was seen and no proof of a cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.optimize import nnls

from evenkeel.accounts.panel import Panel
from evenkeel.arrears.warning.ahead import overdue_rows
from evenkeel.arrears.warning.facts import Economy, Ledger, event_ledger, known_months, places, ratio
from evenkeel.kernel.calendar import month_text
from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.shapley import nested_rates, shapley

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

FACTORS = ("mix", "granting", "behaviour", "treatment", "vintage_quality", "macro")
BEFORE = 3  # months before the month in question at which its use is looked at
_AGES = (3.5, 12.5, 36.5)  # months on book
_LOADS = (1.0, 3.0, 6.0)  # limit in months of income
_HIGH_USE = 0.8
_LEAST_MONTHS = 6  # with fewer months of macro figures no slope is fitted
_CONFIDENCE = 0.9
_DRAWS_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class Part:
    """One factor's part of the change, as a share of accounts, with its 90 % interval over draws of borrowers.

    needs: the table or column for want of which the factor cannot be told apart; then the numbers are None, and what it
    did stands in `vintage_quality`.
    """

    factor: str
    change: float | None
    low: float | None
    high: float | None
    needs: str = ""


@dataclass(frozen=True, slots=True)
class RateChange:
    """The overdue rate (M1 or worse, of accounts on book) in two months, and the parts of its change.

    products: the parts of each product; over products and factors they add up to the change.
    """

    before: str
    after: str
    rate_before: float
    rate_after: float
    accounts_before: int
    accounts_after: int
    parts: tuple[Part, ...]
    products: Mapping[str, tuple[float, ...]]

    def document(self) -> dict[str, object]:
        """As JSON holds it."""
        return {
            "definition": "accounts 1 day or more past due at month's end, of all accounts on book",
            "before": {"month": self.before, "accounts": self.accounts_before, "rate": self.rate_before},
            "after": {"month": self.after, "accounts": self.accounts_after, "rate": self.rate_after},
            "change": self.rate_after - self.rate_before,
            "parts": [
                {"factor": part.factor, "change": part.change, "low": part.low, "high": part.high,
                 "needs": part.needs or None}
                for part in self.parts
            ],
            "products": {
                product: dict(zip(FACTORS, values, strict=True)) for product, values in self.products.items()
            },
            "confidence": _CONFIDENCE,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Attribute:
    """A place along one axis for each row, and what is wanting where there is only one."""

    code: IntArray
    size: int
    needs: str = ""


def decompose(
    panel: Panel, tables: Mapping[str, pa.Table], before: int, after: int, *, seed: int = 0, draws: int = 200
) -> RateChange:
    """The change of the overdue rate from month `before` to month `after`, split exactly.

    before, after: month numbers. draws: bootstrap draws of borrowers for the intervals.
    Raises InvalidInput where nobody is on book in one of the months, or `after` is not later.
    """
    if before >= after:
        raise InvalidInput(f"{month_text(after)} is not after {month_text(before)}.", "Give the earlier month first.")
    rows = [_on_book(panel, month) for month in (before, after)]
    for month, there in zip((before, after), rows, strict=True):
        if not len(there):
            raise InvalidInput(f"No account is on book in {month_text(month)}.", "Choose a month that the book holds.")
    row = np.concatenate(rows)
    products = panel.accounts["product"].combine_chunks().dictionary_encode()
    attributes = _attributes(panel, tables, row, products.indices.to_numpy().astype(np.int64), len(products.dictionary))
    shape = tuple(attribute.size for attribute in attributes)
    cell = np.ravel_multi_index(tuple(attribute.code for attribute in attributes), shape)
    late = overdue_rows(panel)[row]
    period = np.repeat([0, 1], [len(rows[0]), len(rows[1])])
    macro = _Macro.of(panel, tables)
    owner = panel.accounts["borrower"].to_numpy().astype(np.int64)[panel.account]
    rng = np.random.default_rng(seed)
    found: list[FloatArray] = []
    for start in range(0, draws + 1, _DRAWS_AT_ONCE):
        many = min(_DRAWS_AT_ONCE, draws + 1 - start)
        weight = rng.poisson(1.0, (many, len(panel.borrowers))).astype(np.float64)
        if start == 0:
            weight[0] = 1.0  # the book itself
        found.append(_worth(weight, owner, row, period, cell, late, shape, macro))
    worth = np.concatenate(found, axis=1)
    return _told(worth, rows, panel, attributes, macro, products.dictionary.to_pylist(), (before, after))


def _worth(
    weight: FloatArray, owner: IntArray, row: IntArray, period: IntArray, cell: IntArray, late: BoolArray,
    shape: tuple[int, ...], macro: _Macro,
) -> FloatArray:  # fmt: skip
    """(64, draws, first axis) rates of all coalitions; weight: (draws, borrowers)."""
    cells = int(np.prod(shape))
    place = period * cells + cell
    own = owner[row]

    def summed(values: FloatArray) -> FloatArray:
        totals = np.array([np.bincount(place, one, 2 * cells) for one in values], np.float64)
        return totals.reshape(len(weight), 2, *shape).swapaxes(0, 1)

    each = weight[:, own]
    counts, events = summed(each), summed(each * late)
    slopes = macro.slopes(weight, owner)
    pushed = np.zeros_like(each) if slopes is None else slopes @ macro.drivers[:, row]
    shift = np.divide(summed(each * pushed), counts, out=np.zeros_like(counts), where=counts > 0)
    total = counts.sum(axis=tuple(range(2, counts.ndim)), keepdims=True)
    return nested_rates(counts / np.maximum(total, 1e-300), events / np.maximum(total, 1e-300), shift)


def _told(
    worth: FloatArray, rows: list[IntArray], panel: Panel, attributes: tuple[_Attribute, ...], macro: _Macro,
    products: list[str | None], months: tuple[int, int],
) -> RateChange:  # fmt: skip
    split = shapley(worth)  # (6, draws, mix)
    whole = split.sum(axis=2)
    tail = (1 - _CONFIDENCE) / 2
    low, high = np.quantile(whole[:, 1:], [tail, 1 - tail], axis=1) if whole.shape[1] > 1 else (whole[:, 0],) * 2
    wanting = [*(attribute.needs for attribute in attributes), "", macro.needs]
    parts = tuple(
        Part(factor, None, None, None, needs) if needs
        else Part(factor, float(whole[k, 0]), float(low[k]), float(high[k]))
        for k, (factor, needs) in enumerate(zip(FACTORS, wanting, strict=True))
    )  # fmt: skip
    ages = len(_AGES) + 2
    by_product = split[:, 0].reshape(len(FACTORS), -1, ages).sum(axis=2)
    late = overdue_rows(panel)
    return RateChange(
        month_text(months[0]), month_text(months[1]), float(late[rows[0]].mean()), float(late[rows[1]].mean()),
        len(rows[0]), len(rows[1]), parts,
        {str(name): tuple(by_product[:, k].tolist()) for k, name in enumerate(products)},
    )  # fmt: skip


def _on_book(panel: Panel, month: int) -> IntArray:
    """Rows of the accounts whose state is known in a month."""
    rows = panel.rows_at(month)
    return rows[panel.state[rows] >= 0]


# --- what an account is ----------------------------------------------------------------------------------------------


def _attributes(
    panel: Panel, tables: Mapping[str, pa.Table], row: IntArray, product: IntArray, products: int
) -> tuple[_Attribute, ...]:
    account, month = panel.account[row], panel.month[row]
    opened = panel.accounts["opened"].cast(pa.float64()).to_numpy(zero_copy_only=False)
    age = _band(month - opened[account], _AGES)
    mix = _Attribute(product[account] * (len(_AGES) + 2) + age, products * (len(_AGES) + 2))
    return mix, _granted(panel, tables, row), _used(panel, row), _treated(panel, tables, row)


def _band(values: FloatArray, bounds: tuple[float, ...]) -> IntArray:
    """0 up to len(bounds) by bounds, one more where the value is not known."""
    return np.where(np.isnan(values), len(bounds) + 1, np.searchsorted(np.array(bounds), values, side="right"))


def _amounts(panel: Panel, name: str, row: IntArray) -> FloatArray:
    column = panel.months[name].cast(pa.float64()).to_numpy()
    return np.where(row >= 0, column[np.maximum(row, 0)], np.nan)


def _granted(panel: Panel, tables: Mapping[str, pa.Table], row: IntArray) -> _Attribute:
    """The limit in months of income, verified where that is known, else declared."""
    limit = _amounts(panel, "limit", row)
    if "borrowers" not in tables or np.isnan(limit).all():
        missing = "borrowers" if "borrowers" not in tables else "periods.limit_minor"
        return _Attribute(np.zeros(len(row), np.int64), 1, missing)
    people = tables["borrowers"]
    where = pc.index_in(panel.borrowers, people["borrower_id"].combine_chunks())
    told = pc.coalesce(people["income_verified_minor"], people["income_declared_minor"]).combine_chunks()
    income = told.take(where).cast(pa.float64()).to_numpy(zero_copy_only=False)
    if np.isnan(income).all():
        return _Attribute(np.zeros(len(row), np.int64), 1, "borrowers.income_declared_minor")
    own = panel.accounts["borrower"].to_numpy().astype(np.int64)[panel.account[row]]
    return _Attribute(_band(ratio(limit, income[own]), _LOADS), len(_LOADS) + 2)


def _used(panel: Panel, row: IntArray) -> _Attribute:
    """How the line was used BEFORE months earlier: not yet, overdue, high use, the minimum paid, otherwise."""
    then = panel.rows_of(panel.account[row], panel.month[row] - BEFORE)
    there = then >= 0
    late = there & overdue_rows(panel)[np.maximum(then, 0)]
    balance, limit, paid, least = (_amounts(panel, name, then) for name in ("balance", "limit", "paid", "min_due"))
    high = ratio(balance, limit) >= _HIGH_USE
    minimum = (paid <= 1.2 * least) & (least > 0) & (balance > 0)
    code = np.select([~there, late, high & minimum, high, minimum], [0, 1, 2, 3, 4], 5)
    return _Attribute(code.astype(np.int64), 6)


def _treated(panel: Panel, tables: Mapping[str, pa.Table], row: IntArray) -> _Attribute:
    """What was done about arrears of the BEFORE months before: none there, nothing, written, spoken to, a plan."""
    if "contacts" not in tables:
        return _Attribute(np.zeros(len(row), np.int64), 1, "contacts")
    account, month = panel.account[row], panel.month[row]
    late = overdue_rows(panel)
    was = np.zeros(len(row), bool)
    for back in range(1, BEFORE + 1):
        then = panel.rows_of(account, month - back)
        was |= (then >= 0) & late[np.maximum(then, 0)]
    own = panel.accounts["borrower"].to_numpy().astype(np.int64)[account]
    contacts = tables["contacts"]
    if "direction" in contacts.column_names:
        contacts = contacts.filter(pc.not_equal(pc.fill_null(contacts["direction"], "out"), "in"))
    spoken = pc.is_in(contacts["channel"], pa.array(["call", "bot_call", "visit"]))
    made = [_ledger(panel, contacts.filter(mask)) for mask in (pc.invert(spoken), spoken)]
    signed = event_ledger(panel, tables.get("events"), "plan_signed", "restructured")
    done = [ledger.total(own, month, BEFORE) > 0 for ledger in made]
    plan = np.zeros(len(row), bool) if signed is None else signed.total(own, month, BEFORE) > 0
    code = np.select([~was, plan, done[1], done[0]], [0, 4, 3, 2], 1)
    return _Attribute(code.astype(np.int64), 5)


def _ledger(panel: Panel, contacts: pa.Table) -> Ledger:
    return Ledger(places(contacts["borrower_id"], panel.borrowers), known_months(contacts, "at"))


# --- what the economy explains ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Macro:
    """drivers: (2, rows of the panel) how far unemployment and the fall of output, as three-month means, have risen
    since the block's first month; 0 where not known. row, group, late: the rows that the slopes are fitted to, in which
    block and month; block: of each group. needs: what is wanting.
    """

    drivers: FloatArray
    row: IntArray
    group: IntArray
    block: IntArray
    late: BoolArray
    needs: str = ""

    @staticmethod
    def of(panel: Panel, tables: Mapping[str, pa.Table]) -> _Macro:
        """From a book's tables."""
        nothing = np.empty(0, np.int64)
        absent = _Macro(np.zeros((2, len(panel.month))), nothing, nothing, nothing, nothing.astype(bool), "macro")
        if not {"macro", "borrowers"} <= tables.keys():
            return absent
        own = panel.accounts["borrower"].to_numpy().astype(np.int64)[panel.account]
        drivers = []
        for name, sign in (("unemployment", 1), ("output_growth", -1)):
            column = Economy(panel, tables, name)
            past = np.stack([column.at(own, panel.month - back) for back in range(3)])
            drivers.append(sign * past.mean(axis=0))
        block = column.block[own]
        known = np.isfinite(drivers).all(axis=0) & (panel.state >= 0)
        if len(np.unique(panel.month[known])) < _LEAST_MONTHS:
            return absent
        row = np.flatnonzero(known)
        order = row[np.argsort(panel.month[row], kind="stable")]
        blocks, earliest = np.unique(block[order], return_index=True)
        base = np.zeros((2, int(block.max()) + 1))
        base[:, blocks] = np.stack(drivers)[:, order[earliest]]
        since = np.where(known, np.stack(drivers) - base[:, block], 0.0)
        keys, group = np.unique(block[row] << 16 | panel.month[row], return_inverse=True)
        return _Macro(since, row, group, keys >> 16, overdue_rows(panel)[row])

    def slopes(self, weight: FloatArray, owner: IntArray) -> FloatArray | None:
        """(draws, 2) how many points of rate a point of each driver brings, never below 0; None where not known.

        Least squares on the rates of blocks by month, within blocks: what makes blocks differ at all times is no macro.
        """
        if self.needs:
            return None
        size = int(self.group.max()) + 1
        first = np.zeros(size, np.int64)
        first[self.group] = self.row
        x = self.drivers[:, first]
        result = np.empty((len(weight), 2))
        for draw, each in enumerate(weight):
            counted = each[owner[self.row]]
            count = np.bincount(self.group, counted, size).astype(np.float64)
            late = np.bincount(self.group, counted * self.late, size)
            rate = np.divide(late, count, where=count > 0, out=np.zeros(size))
            within = np.stack([_within(values, count, self.block) for values in (*x, rate)])
            root = np.sqrt(count)
            result[draw] = nnls((within[:2] * root).T, within[2] * root)[0]
        return result


def _within(values: FloatArray, count: FloatArray, block: IntArray) -> FloatArray:
    """Values less their mean in the block, weighted by count."""
    total = np.bincount(block, count)
    mean = np.bincount(block, count * values) / np.maximum(total, 1e-300)
    return values - mean[block]
