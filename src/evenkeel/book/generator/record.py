"""What the lenders see of a month: statements, payments with their days, contacts, changes of limits."""

from __future__ import annotations

import numpy as np

from evenkeel.book.generator.households import Households
from evenkeel.book.generator.lines import Lines
from evenkeel.book.generator.spec import GeneratorSpec
from evenkeel.book.generator.state import AGENCY, AGES, DEBIT_ORDER, TRANSFER, Accounts, History, Month, first_day
from evenkeel.book.generator.world import LENDERS, BoolArray, IntArray


def _pay_days(
    month: Month, people: Households, lines: Lines, rng: np.random.Generator
) -> tuple[IntArray, IntArray, BoolArray]:
    """(day of payment, channel, debit order failed) of each line; the day means nothing where nothing is paid."""
    n, rows, borrower = len(month.rows), month.rows, month.borrower
    due_day, pay_day, autopay = lines.due_day[rows], people.pay_day[borrower], lines.autopay[rows]
    day = np.where(autopay, due_day, np.maximum(due_day - rng.integers(0, 8, n), 1))
    waits = (month.behind == 0) & month.waits[borrower] & (due_day < pay_day)
    day = np.where(waits, np.minimum(pay_day + rng.integers(0, 3, n), 28), day)
    day = np.where((month.late_day > 0) & (month.late_day <= month.days), month.late_day, day)
    chased = rng.integers(1, 29, n)
    day = np.where(month.behind > 0, chased, day)
    day = np.where(month.lag > 0, month.lag, day)
    by_order = autopay & ~waits & (month.behind == 0)
    by_hand = TRANSFER * (rng.random(n) < 0.2)
    outside = (month.behind >= 4) & (rng.random(n) < 0.6)
    channel = np.where(outside, AGENCY, np.where(by_order, DEBIT_ORDER, by_hand))
    failed = autopay & (month.due > 0) & (waits | (month.paid == 0))
    return day, channel, failed


def record_month(
    month: Month, spec: GeneratorSpec, people: Households, lines: Lines, accounts: Accounts, history: History,
    fee: IntArray, age: IntArray, rng: np.random.Generator,
) -> None:  # fmt: skip
    """Add the month's statements, payments and contacts to the history. age: of the oldest unpaid bill, -1 for none."""
    rows, step = month.rows, month.step
    starts = np.array([first_day(spec.first_step_month + step - back) for back in range(AGES)])
    due_on = starts[np.maximum(age, 0)] + lines.due_day[rows] - 1
    dpd = np.where(age >= 0, starts[0] + month.days - 1 - due_on, 0)
    history.add(
        "periods", row=rows, step=np.full(len(rows), step), balance=accounts.balance[rows], limit=accounts.limit[rows],
        spend=month.spend, cash=month.cash, paid=month.paid, min_due=month.due, interest=month.interest, fee=fee,
        dpd=dpd,
    )  # fmt: skip
    day, channel, failed = _pay_days(month, people, lines, rng)
    done = month.paid > 0
    for mask, on, how, amount, ok in (
        (done, day, channel, month.paid, 1),
        (failed, lines.due_day[rows], np.full(len(rows), DEBIT_ORDER), month.due, 0),
    ):
        size = int(mask.sum())
        history.add(
            "payments", row=rows[mask], step=np.full(size, step), day=on[mask], channel=how[mask], amount=amount[mask],
            ok=np.full(size, ok),
        )  # fmt: skip
    chased = (month.behind > 0) & (month.treatment > 0)
    history.add(
        "contacts", row=rows[chased], step=np.full(int(chased.sum()), step), behind=month.behind[chased],
        treatment=month.treatment[chased], per_mille=np.rint(1000 * month.propensity[chased]), paid=month.paid[chased],
        day=day[chased], due=month.due[chased],
    )  # fmt: skip


def record_openings(opened: IntArray, step: int, lines: Lines, accounts: Accounts, history: History) -> None:
    """The first statement of a line: a loan is paid out at once, a revolving line is still unused."""
    size = len(opened)
    nothing = np.zeros(size, np.int64)
    cash = np.where(lines.term[opened] > 0, accounts.limit[opened], 0)
    history.add(
        "periods", row=opened, step=np.full(size, step), balance=cash, limit=accounts.limit[opened], spend=nothing,
        cash=cash, paid=nothing, min_due=nothing, interest=nothing, fee=nothing, dpd=nothing,
    )  # fmt: skip


def change_limits(
    month: Month,
    people: Households,
    lines: Lines,
    accounts: Accounts,
    history: History | None,
    rng: np.random.Generator,
) -> None:
    """Lenders raise the limits of some who use and pay, and cut the unused room of some who are late."""
    rows = month.rows
    before = accounts.limit[rows]
    luck = np.where(people.spared[month.borrower], 1.0, rng.random(len(rows)))
    good = ~month.loan & (month.behind == 0) & (month.opening > 0.5 * before) & (month.paid >= month.due)
    ceiling = np.array([lender.high for lender in LENDERS])[lines.lender[rows]] * 100
    after = np.where(good & (luck < 0.012), np.maximum(np.minimum(before * 6 // 5, ceiling), before), before)
    late = ~month.loan & (month.behind >= 2) & (luck < 0.25)
    after = np.where(late, np.clip(accounts.balance[rows], 0, before), after)
    accounts.limit[rows] = after
    changed = after != before
    if history is not None:
        size = int(changed.sum())
        history.add(
            "limits", row=rows[changed], step=np.full(size, month.step), before=before[changed], after=after[changed]
        )
