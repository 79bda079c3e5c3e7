"""What a generated book's marginals are, beside the published ones that it is fitted to (docs/marginals.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.book.generator.generate import Generated
from evenkeel.book.generator.world import (
    CARD,
    CASH,
    EPIDEMIC,
    INSTALMENT,
    PRODUCT_NAMES,
    BoolArray,
    FloatArray,
    IntArray,
)
from evenkeel.kernel.calendar import month_number

# Row, name, target, tolerance, source. Rows are those of the list in docs/marginals.md.
PUBLISHED: Final = (
    (1, "day-1 rate of online amounts due", 0.050, 0.007, "Qifu 24Q1"),
    (2, "collected within 30 days", 0.86, 0.02, "Qifu 24Q1-Q2"),
    (3, "C-M2 a month", 0.0075, 0.0015, "day-1 rate x share not collected"),
    (4, "M1 share of online balance", 0.014, 0.0042, "Qfin 2024-25, X Financial 2024-25"),
    (4, "M2 share of online balance", 0.008, 0.0024, "Qfin 2024-25, consumer-loan ABS index"),
    (4, "M3 share of online balance", 0.007, 0.0021, "consumer-loan ABS index"),
    (5, "M2/M1", 0.55, 0.10, "Qfin 2024-25, freight driver loans"),
    (5, "M3/M2", 0.88, 0.08, "freight driver loans, BofA card trust"),
    (5, "M4/M3", 0.90, 0.04, "BofA card trust"),
    (5, "M5/M4", 0.94, 0.04, "BofA card trust"),
    (5, "M6/M5", 0.98, 0.04, "BofA card trust"),
    (6, "91-180 days past due, online", 0.024, 0.005, "Lexin, X Financial, FinVolution"),
    (7, "FPD7 of loans", 0.020, 0.006, "Lexin 2020"),
    (7, "FPD30 of loans", 0.009, 0.003, "Lexin 2020-21, 2025"),
    (8, "card 91-180 days past due", 0.023, 0.006, "banks' NPL ratios of cards"),
    (10, "card limit, yuan", 29_000, 2_000, "PBoC 2023"),
    (10, "card use", 0.39, 0.02, "PBoC 2022-23"),
    (10, "cards a head", 0.53, 0.03, "PBoC 2023-24"),
    (11, "borrowers with two or more lenders", 0.44, 0.10, "Beijing Internet Finance Association, about 2017"),
    (11, "of those, 2 lenders", 0.57, 0.04, "Jiguang 2018"),
    (11, "of those, 3 lenders", 0.22, 0.04, "Jiguang 2018"),
    (11, "of those, 4 lenders", 0.10, 0.04, "Jiguang 2018"),
    (11, "of those, 5+ lenders", 0.11, 0.04, "Jiguang 2018"),
    (12, "30+ at 4+ lenders against all", 4.0, 1.5, "Crisil, CRIF High Mark (India) 2024-25"),
    (13, "due over income, all", 0.42, 0.06, "Nielsen 2019"),
    (13, "due over income, interest-bearing", 0.125, 0.03, "Nielsen 2019"),
    (14, "card bad loans recovered in 12 months", 0.24, 0.03, "China Bond Rating"),
    (15, "30+ in the epidemic's block after 4 months", 1.9, 0.3, "Ant 2020"),
)


@dataclass(frozen=True, slots=True)
class Marginal:
    """One published figure and the book's own: a share, a ratio or yuan.

    row: its place in the list of published marginals. value: NaN where the book is too short or small to give it.
    """

    row: int
    name: str
    target: float
    tolerance: float
    source: str
    value: float

    @property
    def within(self) -> bool:
        return bool(abs(self.value - self.target) <= self.tolerance)


@dataclass(frozen=True, slots=True)
class _Panel:
    """The book as arrays: (accounts,) product and so on; (rows,) of periods; (accounts x months,) cells by account."""

    months: int
    first_month: int
    borrowers: int
    product: IntArray
    borrower: IntArray
    lender: IntArray
    due_day: IntArray
    account: IntArray
    step: IntArray
    balance: FloatArray
    limit: FloatArray
    min_due: FloatArray
    interest: FloatArray
    dpd: IntArray

    @property
    def cells(self) -> int:
        return len(self.product) * self.months

    @property
    def cell(self) -> IntArray:
        return self.account * self.months + self.step

    @property
    def online(self) -> BoolArray:
        return np.asarray(self.product[self.account] != CARD)


def _codes(column: pa.ChunkedArray, names: pa.Array | pa.ChunkedArray) -> IntArray:
    values = names.combine_chunks() if isinstance(names, pa.ChunkedArray) else names
    return np.asarray(pc.index_in(column, value_set=values).to_numpy(), dtype=np.int64)


def _numbers(table: pa.Table, name: str) -> FloatArray:
    return np.asarray(table[name].to_numpy(), dtype=np.float64)


def _panel(generated: Generated) -> _Panel:
    book = generated.book_tables
    accounts, periods = book["accounts"], book["periods"]
    months = sorted(pc.unique(periods["month"]).to_pylist())
    return _Panel(
        months=len(months),
        first_month=month_number(months[0]),
        borrowers=book["borrowers"].num_rows,
        product=_codes(accounts["product"], pa.array(PRODUCT_NAMES)),
        borrower=_codes(accounts["borrower_id"], book["borrowers"]["borrower_id"]),
        lender=_codes(accounts["lender_id"], book["parties"]["party_id"]),
        due_day=np.asarray(accounts["due_day"].to_numpy()),
        account=_codes(periods["account_id"], accounts["account_id"]),
        step=_codes(periods["month"], pa.array(months)),
        balance=_numbers(periods, "balance_minor"),
        limit=_numbers(periods, "limit_minor"),
        min_due=_numbers(periods, "min_due_minor"),
        interest=_numbers(periods, "interest_minor"),
        dpd=np.asarray(periods["dpd_high"].to_numpy()),
    )


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below > 0 else float("nan")


def _days_from_epoch(panel: _Panel) -> IntArray:
    """(months + 1,) day number of each month's first day."""
    first = np.datetime64("1970-01", "M") + (panel.first_month - 1970 * 12)
    return np.asarray((first + np.arange(panel.months + 1)).astype("datetime64[D]").astype(np.int64))


def _paid_after(panel: _Panel, payments: pa.Table, accounts: pa.Array, delays: tuple[int, ...]) -> FloatArray:
    """(delays, cells) paid from the month's first day until so many days after the bill's due day."""
    good = payments.filter(pc.equal(payments["result"], "ok"))
    account = _codes(good["account_id"], accounts)
    day = np.asarray(good["paid_at"].cast(pa.int64()).to_numpy()) // 86_400_000_000
    amount = _numbers(good, "amount_minor")
    starts = _days_from_epoch(panel)
    step = np.searchsorted(starts, day, side="right") - 1
    result = np.zeros((len(delays), panel.cells))
    for back in (0, 1):  # a payment counts for this month's bill and, if soon enough, for the last one's
        bill = step - back
        lag = day - (starts[np.maximum(bill, 0)] + panel.due_day[account] - 1)
        for i, delay in enumerate(delays):
            use = (bill >= 0) & (lag <= delay)
            result[i] += np.bincount((account * panel.months + bill)[use], amount[use], panel.cells)
    return result


def _early(panel: _Panel, generated: Generated) -> tuple[FloatArray, FloatArray]:
    """(day-1, 30-day unpaid share of online amounts due), (FPD7, FPD30): bills of lines that were current before."""
    book = generated.book_tables
    paid = _paid_after(panel, book["payments"], book["accounts"]["account_id"], (0, 7, 30))
    before = np.full(panel.cells, -1)
    before[panel.cell] = panel.dpd
    earlier = np.where(panel.step > 0, before[np.maximum(panel.cell - 1, 0)], -1)
    billed = panel.online & (panel.min_due > 0) & (panel.step < panel.months - 1)
    current = billed & (earlier == 0)
    unpaid = np.maximum(panel.min_due[None, :] - paid[:, panel.cell], 0)
    total = panel.min_due[current].sum()
    shares = np.array([_ratio(unpaid[i][current].sum(), total) for i in (0, 2)])
    seqs = np.full(len(panel.product), panel.months)
    np.minimum.at(seqs, panel.account, panel.step)
    first = billed & (panel.step == seqs[panel.account] + 1) & (seqs[panel.account] > 0)
    first &= np.isin(panel.product[panel.account], (INSTALMENT, CASH))
    size = float(first.sum())
    return shares, np.array([_ratio(float((unpaid[i][first] > 0).sum()), size) for i in (1, 2)])


def _stocks(panel: _Panel, chosen: BoolArray) -> FloatArray:
    """(8,) share of balance in each bucket M0 .. M7, the M7 of the month of charge-off among them, all months."""
    bucket = np.minimum((panel.dpd[chosen] + 29) // 30, 7)
    balance = np.bincount(bucket, panel.balance[chosen], 8)
    return np.asarray(balance / max(balance[:7].sum(), 1.0))


def _lenders(panel: _Panel) -> tuple[float, list[float], float]:
    """Share of borrowers with two or more lenders; of those the shares with 2, 3, 4, 5+; lift of 30+ at 4+ lenders."""
    last = panel.step == panel.months - 1
    account = panel.account[last]
    pairs = np.unique(panel.borrower[account] * 1000 + panel.lender[account])
    held = np.bincount(pairs // 1000, minlength=panel.borrowers)
    late = np.bincount(panel.borrower[account], panel.dpd[last] > 30, panel.borrowers) > 0
    some = held > 0
    several = held >= 2
    size = float(several.sum())
    shares = [_ratio(float((held == k).sum()), size) for k in (2, 3, 4)] + [_ratio(float((held >= 5).sum()), size)]
    many = held >= 4
    lift = _ratio(
        _ratio(float(late[many].sum()), float(many.sum())), _ratio(float(late[some].sum()), float(some.sum()))
    )
    return _ratio(size, float(some.sum())), shares, lift


def _service(panel: _Panel, generated: Generated) -> tuple[float, float]:
    """Monthly dues over true income: with pure payment use (statements paid in full), and interest-bearing alone."""
    income = generated.truth["incomes"]
    holder = np.zeros(panel.borrowers, np.bool_)
    holder[panel.borrower] = True
    earned = _numbers(income, "income_minor").reshape(panel.borrowers, panel.months)[holder].sum()
    current = panel.dpd == 0
    bearing = (panel.interest > 0) | np.isin(panel.product[panel.account], (INSTALMENT, CASH))
    interest_bearing = panel.min_due[current & bearing].sum()
    payment_use = panel.balance[current & ~bearing].sum()
    return _ratio(payment_use + interest_bearing, earned), _ratio(interest_bearing, earned)


def _shock(panel: _Panel, generated: Generated) -> float:
    """30+ share of online balance in the epidemic's block four months after it began over the three months before."""
    begins = panel.months - 1 - EPIDEMIC.months_before_end
    if begins < 3:
        return float("nan")
    borrowers = generated.book_tables["borrowers"]
    hit = pc.and_(
        pc.is_in(borrowers["region"], pa.array(EPIDEMIC.regions)),
        pc.is_in(borrowers["industry"], pa.array(EPIDEMIC.industries)),
    ).to_numpy()
    block = hit[panel.borrower[panel.account]] & panel.online & (panel.dpd <= 180)
    late = block & (panel.dpd > 30)
    by_month = np.bincount(panel.step[late], panel.balance[late], panel.months)
    total = np.bincount(panel.step[block], panel.balance[block], panel.months)
    share = by_month / np.maximum(total, 1)
    return _ratio(float(share[begins + 4]), float(share[begins - 3 : begins].mean()))


def _recovered(panel: _Panel, generated: Generated) -> float:
    """Share of the balance of cards charged off that came in within 12 months, of those with 12 months seen."""
    lost = (panel.dpd > 180) & (panel.product[panel.account] == CARD) & (panel.step < panel.months - 12)
    claim = dict(zip(panel.account[lost].tolist(), panel.step[lost].tolist(), strict=True))
    recoveries = generated.book_tables["recoveries"]
    account = _codes(recoveries["account_id"], generated.book_tables["accounts"]["account_id"])
    day = np.asarray(recoveries["at"].cast(pa.int64()).to_numpy()) // 86_400_000_000
    step = np.searchsorted(_days_from_epoch(panel), day, side="right") - 1
    began = np.array([claim.get(a, 10_000) for a in account.tolist()], dtype=np.int64)
    soon = (step > began) & (step <= began + 12)
    return _ratio(float(_numbers(recoveries, "amount_minor")[soon].sum()), float(panel.balance[lost].sum()))


def marginals(generated: Generated) -> list[Marginal]:
    """The book's figures beside the published ones, in the order of PUBLISHED."""
    panel = _panel(generated)
    unpaid, first = _early(panel, generated)
    stock = _stocks(panel, panel.online)
    card = panel.product[panel.account] == CARD
    last_card = card & (panel.step == panel.months - 1) & (panel.dpd <= 180)
    cards, limits = float(last_card.sum()), float(panel.limit[last_card].sum())
    multi, shares, lift = _lenders(panel)
    values = (
        float(unpaid[0]),
        1 - _ratio(float(unpaid[1]), float(unpaid[0])),
        float(unpaid[1]),
        *stock[1:4].tolist(),
        *(_ratio(float(stock[k + 1]), float(stock[k])) for k in range(1, 6)),
        float(stock[4:7].sum()),
        *first.tolist(),
        float(_stocks(panel, card)[4:7].sum()),
        _ratio(limits / 100, cards),
        _ratio(float(panel.balance[last_card].sum()), limits),
        _ratio(cards, panel.borrowers),
        multi,
        *shares,
        lift,
        *_service(panel, generated),
        _recovered(panel, generated),
        _shock(panel, generated),
    )
    return [Marginal(*published, value) for published, value in zip(PUBLISHED, values, strict=True)]
