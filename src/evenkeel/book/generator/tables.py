"""The simulated months as tables of the contract: who, which lines, statements, instalments and payments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from evenkeel.book.generator.columns import chosen, contract_table, days, instants, known, numbered
from evenkeel.book.generator.households import (
    GIG_WORKER,
    HOUSING,
    INCOME_SOURCES,
    OCCUPATIONS,
    SELF_EMPLOYED,
    Households,
)
from evenkeel.book.generator.lines import Lines
from evenkeel.book.generator.simulate import Simulated, annuity, next_instalment
from evenkeel.book.generator.spec import EVIDENCE, WARM_UP, GeneratorSpec
from evenkeel.book.generator.state import CAUSES, CHANNELS, CHARGED_OFF, CLOSED, first_day
from evenkeel.book.generator.story import STORY_BORROWER
from evenkeel.book.generator.world import (
    INDUSTRIES,
    LENDERS,
    PARTIES,
    PRODUCT_NAMES,
    REGIONS,
    SHOCKS,
    IntArray,
    national_unemployment,
)
from evenkeel.kernel.calendar import month_text

CURRENCY: Final = "CNY"
TIMEZONE: Final = "Asia/Shanghai"
STATES: Final = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7")
SERVICERS: Final = ("agency-dongsheng", "agency-xinlian")


@dataclass(frozen=True, slots=True)
class Index:
    """Names and places that every table shares.

    account: (lines,) number of each line among the accounts of the book, -1 where it is none. rows: the lines of the
    accounts in order. month_starts: day number of each step's first day, steps from -120 on; see `day`.
    """

    spec: GeneratorSpec
    people: Households
    lines: Lines
    simulated: Simulated
    account: IntArray
    rows: IntArray
    account_ids: pa.Array
    borrower_ids: pa.Array
    month_starts: IntArray

    def day(self, step: IntArray, day: IntArray) -> IntArray:
        """Days since 1970-01-01 of a day of a step's month, clamped to that month."""
        start = self.month_starts[np.asarray(step) + 120]
        length = self.month_starts[np.asarray(step) + 121] - start
        return np.asarray(start + np.minimum(day, length) - 1)

    def prefix(self, kind: str) -> str:
        """How this book's ids of one kind begin: books of two seeds can be loaded together."""
        return f"{kind}{self.spec.seed}-"

    @property
    def as_of(self) -> int:
        """The last day of the book."""
        return int(self.month_starts[self.spec.steps + 120]) - 1

    def months(self, step: IntArray) -> pa.Array:
        """`YYYY-MM` of each step."""
        first = self.spec.first_step_month
        return chosen([month_text(first + s) for s in range(self.spec.steps)], step)

    def history(self, table: str, name: str) -> IntArray:
        return self.simulated.history.column(table, name)


def make_index(spec: GeneratorSpec, people: Households, lines: Lines, simulated: Simulated) -> Index:
    """Number the accounts: lines that were on book in at least one of the book's months."""
    on_book = np.zeros(lines.count, np.bool_)
    on_book[simulated.history.column("periods", "row")] = True
    rows = np.flatnonzero(on_book)
    account = np.full(lines.count, -1)
    account[rows] = np.arange(len(rows))
    names = numbered(f"b{spec.seed}-", np.arange(people.count - 1), 7)
    return Index(
        spec=spec,
        people=people,
        lines=lines,
        simulated=simulated,
        account=account,
        rows=rows,
        account_ids=numbered(f"a{spec.seed}-", np.arange(len(rows)), 8),
        borrower_ids=pa.concat_arrays([names, pa.array([STORY_BORROWER])]),
        month_starts=np.array([first_day(spec.first_step_month + s) for s in range(-120, spec.steps + 40)]),
    )


def opened_on(index: Index, rows: IntArray) -> IntArray:
    """Lines open in the first days of a month, before any bill of it: the day is fixed by the line's place."""
    return index.day(index.lines.apply_step[rows], 1 + rows * 7 % 27)


def accounts_table(index: Index) -> pa.Table:
    rows, lines, state = index.rows, index.lines, index.simulated.accounts
    lender = lines.lender[rows]
    loan = lines.term[rows] > 0
    closed, lost = state.status[rows] == CLOSED, state.status[rows] == CHARGED_OFF
    frozen = ~lost & ~closed & (state.owed[rows][:, 2:] > 0).any(axis=1)
    parties = {
        name: [getattr(x, name) for x in LENDERS] for name in ("party_id", "platform_id", "funder_id", "guarantor_id")
    }
    funded = np.array([x.funder_id is not None for x in LENDERS])[lender]
    late = (state.owed[rows][:, 3:] > 0).any(axis=1)
    status = np.select((lost, closed, frozen), (3, 2, 1), 0)
    return contract_table(
        "accounts",
        len(rows),
        {
            "account_id": index.account_ids,
            "borrower_id": index.borrower_ids.take(pa.array(lines.borrower[rows])),
            "lender_id": chosen(parties["party_id"], lender),
            "product": chosen(PRODUCT_NAMES, lines.product[rows]),
            "currency": chosen([CURRENCY], np.zeros(len(rows), np.int64)),
            "opened_on": days(opened_on(index, rows)),
            "closed_on": days(index.day(np.maximum(state.closed[rows], 0), np.full(len(rows), 31)), closed),
            "status": chosen(("active", "frozen", "closed", "charged_off"), status),
            "limit_minor": pa.array(state.limit[rows]),
            "principal_minor": known(lines.offer[rows], loan),
            "rate_annual": pa.array(lines.rate[rows]),
            "term_months": known(lines.term[rows], loan),
            "cycle_day": pa.array(np.ones(len(rows), np.int64)),
            "due_day": pa.array(lines.due_day[rows]),
            "platform_id": chosen(parties["platform_id"], lender),
            "funder_id": chosen(parties["funder_id"], lender),
            "funder_share": pa.array(np.where(lender % 2 == 0, 0.7, 0.9), mask=~funded),
            "guarantor_id": chosen(parties["guarantor_id"], lender),
            "servicer_id": chosen(SERVICERS, np.where(late, rows % 2, -1)),
        },
    )


def _sorted(index: Index, table: str) -> tuple[IntArray, IntArray]:
    """(order, account number) of a history table sorted by account; the months stay in order."""
    account = index.account[index.history(table, "row")]
    order = np.argsort(account, kind="stable")
    return order, account[order]


def periods_table(index: Index) -> pa.Table:
    order, account = _sorted(index, "periods")
    take = {name: index.history("periods", name)[order] for name in ("step", "dpd")}
    amounts = ("balance", "limit", "spend", "cash", "paid", "min_due", "interest", "fee")
    bucket = np.minimum((take["dpd"] + 29) // 30, 7)
    dpd = pa.array(take["dpd"].astype(np.int64))
    return contract_table(
        "periods",
        len(order),
        {
            "account_id": index.account_ids.take(pa.array(account)),
            "month": index.months(take["step"]),
            "on_book": pa.array(np.ones(len(order), np.bool_)),
            **{f"{name}_minor": pa.array(index.history("periods", name)[order].astype(np.int64)) for name in amounts},
            "dpd_low": dpd,
            "dpd_high": dpd,
            "state": chosen(STATES, bucket),
        },
    )


def instalments_table(index: Index) -> pa.Table:
    """The whole schedule of every loan on book, including what fell due before the book's first month."""
    lines = index.lines
    rows = index.rows[lines.term[index.rows] > 0]
    scheduled, left = lines.offer[rows].copy(), lines.term[rows].copy()
    level = annuity(scheduled, lines.rate[rows] / 12, left)
    parts = []
    for seq in range(1, int(lines.term.max(initial=0)) + 1):
        due, interest = next_instalment(scheduled, level, left, lines.rate[rows])
        alive = left > 0
        step = np.minimum(index.lines.apply_step[rows] + seq, index.spec.steps + 30)
        due_on = index.day(step, lines.due_day[rows])
        parts.append(
            np.stack([index.account[rows], np.full(len(rows), seq), due_on, due, due - interest, interest])[:, alive]
        )
        scheduled = scheduled - due + interest
        left = np.maximum(left - 1, 0)
    stacked = np.concatenate(parts, axis=1) if parts else np.zeros((6, 0), np.int64)
    account, seq_, due_on, due, principal, interest = stacked[:, np.lexsort((stacked[1], stacked[0]))]
    return contract_table(
        "instalments",
        len(account),
        {
            "account_id": index.account_ids.take(pa.array(account)),
            "seq": pa.array(seq_),
            "due_on": days(due_on),
            "due_minor": pa.array(due),
            "principal_minor": pa.array(principal),
            "interest_minor": pa.array(interest),
            "fee_minor": pa.array(np.zeros(len(account), np.int64)),
        },
    )


def payments_table(index: Index) -> pa.Table:
    account = index.account[index.history("payments", "row")]
    ok = index.history("payments", "ok")
    step, day = index.history("payments", "step"), index.history("payments", "day")
    order = np.lexsort((ok, day, step, account))
    account, ok, day = account[order], ok[order] == 1, index.day(step[order], day[order])
    count = len(order)
    second = index.spec.random(EVIDENCE, 1).integers(0, 14 * 3600, count)
    return contract_table(
        "payments",
        count,
        {
            "payment_id": numbered(index.prefix("p"), np.arange(count)),
            "account_id": index.account_ids.take(pa.array(account)),
            "paid_at": instants(day, second),
            "booked_at": instants(day, second + 600),
            "amount_minor": pa.array(index.history("payments", "amount")[order].astype(np.int64)),
            "channel": chosen(CHANNELS, index.history("payments", "channel")[order].astype(np.int64)),
            "result": chosen(("failed", "ok"), ok.astype(np.int64)),
        },
    )


def borrowers_table(index: Index) -> pa.Table:
    people, count = index.people, index.people.count
    number = np.arange(count)
    born = (people.birth_year - 1970) * 365 + (people.birth_year - 1969) // 4 + number * 37 % 360
    source = np.select((people.occupation == SELF_EMPLOYED, people.occupation == GIG_WORKER), (1, 2), 0)
    return contract_table(
        "borrowers",
        count,
        {
            "borrower_id": index.borrower_ids,
            "birth_date": days(born),
            "region": chosen(REGIONS, people.region),
            "industry": chosen([x.name for x in INDUSTRIES], people.industry),
            "occupation": chosen(OCCUPATIONS, people.occupation),
            "employer_token": numbered("emp-", people.employer + 10_000_000, 9),
            "income_declared_minor": pa.array(people.declared),
            "income_verified_minor": known(people.verified, people.verified >= 0),
            "income_source": chosen(INCOME_SOURCES, source),
            "dependants": pa.array(people.dependants),
            "housing": chosen(HOUSING, people.housing),
            "timezone": chosen([TIMEZONE], np.zeros(count, np.int64)),
            "created_on": days(created_on(index)),
        },
    )


def created_on(index: Index) -> IntArray:
    """The day of a borrower's first line, or of the first month for those who never got one."""
    created = np.full(index.people.count, index.day(np.array(WARM_UP), np.array(1)))
    np.minimum.at(created, index.lines.borrower[index.rows], opened_on(index, index.rows))
    return created


def parties_table() -> pa.Table:
    columns = {
        name: pa.array([getattr(p, name) for p in PARTIES]) for name in ("party_id", "role", "actor_type", "name")
    }
    return contract_table("parties", len(PARTIES), {**columns, "jurisdiction": pa.array(["CN"] * len(PARTIES))})


def macro_table(index: Index) -> pa.Table:
    """Region x month x industry: the published unemployment path, moved by region, and output where a shock falls."""
    spec = index.spec
    rng = spec.random(EVIDENCE, 2)
    shape = (len(REGIONS), spec.months, len(INDUSTRIES))
    region, month, industry = (grid.ravel() for grid in np.indices(shape))
    national = np.array([national_unemployment(spec.first_step_month + WARM_UP + m) for m in range(spec.months)])
    unemployment = np.broadcast_to(national[None, :, None] + rng.normal(0, 0.004, (len(REGIONS), 1, 1)), shape).copy()
    output = 0.05 + rng.normal(0, 0.012, shape)
    for shock in SHOCKS:
        begins = spec.months - 1 - shock.months_before_end
        for r in (REGIONS.index(name) for name in shock.regions):
            span = slice(max(begins, 0), max(begins + shock.length, 0))
            unemployment[r, span, :] += 0.02
            for i in (i for i, x in enumerate(INDUSTRIES) if x.name in shock.industries):
                output[r, span, i] -= shock.output_fall
    price = np.broadcast_to(0.004 + rng.normal(0, 0.003, (1, spec.months, 1)), shape)
    order = np.lexsort((np.argsort(np.argsort([x.name for x in INDUSTRIES]))[industry], month, region))
    return contract_table(
        "macro",
        len(order),
        {
            "region": chosen(REGIONS, region[order]),
            "month": index.months(month[order] + WARM_UP),
            "unemployment": pa.array(np.round(unemployment.ravel()[order], 4)),
            "output_growth": pa.array(np.round(output.ravel()[order], 4)),
            "price_growth": pa.array(np.round(price.ravel()[order], 4)),
            "industry": chosen([x.name for x in INDUSTRIES], industry[order]),
        },
    )


def truth_tables(index: Index) -> dict[str, pa.Table]:
    """The true cause of each borrower's latest episode of arrears, and the true income of every month."""
    purses, spec, count = index.simulated.purses, index.spec, index.people.count
    # An episode that began before the book counts only while it lasts.
    who = np.flatnonzero((purses.onset >= WARM_UP) | purses.overdue)
    causes = pa.table(
        {
            "borrower_id": index.borrower_ids.take(pa.array(who)),
            "cause": chosen(CAUSES, purses.cause[who]),
            "onset_month": index.months(purses.onset[who]),
        }
    )
    incomes = index.history("incomes", "income").reshape(spec.months, count).T.ravel().astype(np.int64)
    table = pa.table(
        {
            "borrower_id": index.borrower_ids.take(pa.array(np.repeat(np.arange(count), spec.months))),
            "month": index.months(np.tile(np.arange(WARM_UP, spec.steps), count)),
            "income_minor": pa.array(incomes),
        }
    )
    return {"causes": causes, "incomes": table}
