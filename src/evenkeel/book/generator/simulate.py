"""Month after month: income, bills, what is paid and what is let go. All households and lines at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from evenkeel.book.generator.households import Households
from evenkeel.book.generator.lines import FULL, MINIMUM, PARTIAL, TERMS, Lines
from evenkeel.book.generator.record import change_limits, record_month, record_openings
from evenkeel.book.generator.spec import MONTHS, WARM_UP, GeneratorSpec
from evenkeel.book.generator.state import (
    AGES,
    CHARGED_OFF,
    CLOSED,
    CONCEALMENT,
    DECLINED,
    INCOME_SHOCK,
    MACRO_SHOCK,
    OPEN,
    OVER_GRANTING,
    OVERSIGHT,
    TREATMENTS,
    WAITING,
    Accounts,
    History,
    Month,
    Purses,
    oldest_age,
)  # fmt: skip
from evenkeel.book.generator.world import (
    CARD,
    CASH,
    EPIDEMIC,
    INDUSTRIES,
    REGIONS,
    SHOCKS,
    BoolArray,
    FloatArray,
    IntArray,
    Shock,
    national_unemployment,
)  # fmt: skip
from evenkeel.kernel.calendar import month_end

# Chance that a household with cash comes back to a bill it let go 0, 1, 2 ... months ago. Fits row 5 of the marginals.
COME_BACK: Final = np.array([1.0, 0.85, 0.72, 0.69, 0.42, 0.18, 0.10])
# The share of that chance which each further line in arrears takes away, down to a fifth of it.
DISCOURAGED: Final = 0.4
# What each treatment does to that chance, and how often it is chosen for bills one month late, and for later ones.
TREATMENT_EFFECT: Final = np.array([0.85, 1.0, 1.1, 1.3])
TREATMENT_SHARES: Final = np.array([[0.15, 0.55, 0.20, 0.10], [0.10, 0.20, 0.40, 0.30]])
LOSS_OF_INCOME: Final = 0.0022  # a month, at the mean risk and 5.2 % unemployment
ODD_JOBS: Final = 0.05  # of the income is left to everybody
SQUEEZE: Final = 0.2  # of its needs a household goes without, to keep its bills paid
SERVICE_CAP: Final = 0.90  # of believed income, where a lender looks at the other lines
LATE_FEE: Final = 0.05
SMALLEST_DUE: Final = 5_000
MEMORY: Final = 4  # months after its end in which an income shock still explains a missed bill


@dataclass(frozen=True, slots=True)
class Simulated:
    """The lines and households as the last month left them, and what happened on the way."""

    accounts: Accounts
    purses: Purses
    history: History


def annuity(principal: IntArray, monthly_rate: FloatArray, term: IntArray) -> IntArray:
    """The level instalment in fen; the last instalment takes the rounding."""
    n = np.maximum(term, 1)
    return np.asarray(np.ceil(principal * monthly_rate / (1 - (1 + monthly_rate) ** -n)), dtype=np.int64)


def next_instalment(
    scheduled: IntArray, instalment: IntArray, left: IntArray, rate: FloatArray
) -> tuple[IntArray, IntArray]:
    """(due, interest) of a loan's next instalment, from its scheduled principal and the instalments left."""
    interest = np.rint(scheduled * rate / 12).astype(np.int64)
    whole = scheduled + interest
    due = np.where(left == 1, whole, np.minimum(instalment, whole))
    alive = (left > 0).astype(np.int64)
    return np.asarray(due * alive), np.asarray(interest * alive)


def _start_accounts(lines: Lines, people: Households) -> Accounts:
    """Lines granted before the span, as their holders' habits and schedules would have left them."""
    n = lines.count
    before = (lines.apply_step < 0) & (lines.offer > 0)
    loan = lines.term > 0
    status = np.where(before, OPEN, np.where(lines.apply_step < 0, DECLINED, WAITING)).astype(np.int64)
    spend = lines.use * people.income[lines.borrower]
    share = np.where(lines.style == PARTIAL, np.maximum(lines.pay_share, 0.05), 1.0)
    usual = np.where(lines.style == MINIMUM, 0.85 * lines.offer, np.minimum(spend / share, 0.75 * lines.offer))
    balance = np.where(before & ~loan, usual, 0).astype(np.int64)
    carried = np.where(lines.style == FULL, 0, np.maximum(balance - spend, 0)).astype(np.int64)
    instalment = annuity(lines.offer, lines.rate / 12, lines.term)
    scheduled, left = np.where(loan, lines.offer, 0), lines.term.copy()
    for paid in range(1, int(TERMS.max()) + 1):
        due, interest = next_instalment(scheduled, instalment, left, lines.rate)
        passed = before & loan & (-lines.apply_step - 1 >= paid)
        scheduled = np.where(passed, scheduled - due + interest, scheduled)
        left = np.where(passed, np.maximum(left - 1, 0), left)
    balance = np.where(before & loan, scheduled, balance)
    status = np.where(before & loan & (left == 0), CLOSED, status)
    return Accounts(
        status=status,
        closed=np.full(n, -1),
        limit=np.where(before, lines.offer, 0),
        balance=balance,
        carried=carried,
        scheduled=scheduled,
        instalment=instalment,
        left=left,
        owed=np.zeros((n, AGES), np.int64),
        lag=np.zeros(n, np.int64),
    )


def _start_purses(people: Households) -> Purses:
    n = people.count
    return Purses(
        cash=people.savings.copy(),
        shock_left=np.zeros(n, np.int64),
        shock_income=np.ones(n),
        shock_kind=np.full(n, -1),
        since_shock=np.full(n, 99),
        dues=np.zeros(n, np.int64),
        overdue=np.zeros(n, np.bool_),
        cause=np.full(n, -1),
        onset=np.full(n, -1),
    )


def _strike(shock: Shock, spec: GeneratorSpec, people: Households, purses: Purses, rng: np.random.Generator) -> None:
    """A macro shock closes whole employers of its block; the rest of the block is spared but for luck."""
    regions = np.isin(people.region, [REGIONS.index(r) for r in shock.regions])
    industries = np.isin(people.industry, [i for i, x in enumerate(INDUSTRIES) if x.name in shock.industries])
    _, employer = np.unique(people.employer, return_inverse=True)
    block = regions & industries
    # A fixed share of the block's employers closes, so that the blow is as hard in a small book as in a large one.
    inside = np.unique(employer[block])
    closing = rng.permutation(inside)[: round(shock.reach * len(inside))]
    hit = block & np.isin(employer, closing) & (rng.random(people.count) < 0.9)
    length = shock.length + rng.integers(-3, 4, people.count)
    left = np.clip(shock.income_left + rng.normal(0, 0.12, people.count), ODD_JOBS, 0.8)
    if shock is EPIDEMIC:  # the story's employer is among those that close; after four months there is work again
        hit[-1], length[-1], left[-1] = True, shock.length - 3, shock.income_left
    purses.shock_left[hit] = length[hit]
    purses.shock_income[hit] = left[hit]
    purses.shock_kind[hit] = MACRO_SHOCK


def _earn(step: int, spec: GeneratorSpec, people: Households, purses: Purses, rng: np.random.Generator) -> IntArray:
    """Income of the month in fen, after new shocks have struck and old ones have run out."""
    n = people.count
    in_shock = purses.shock_left > 0
    purses.shock_left[in_shock] -= 1
    ended = in_shock & (purses.shock_left == 0)
    purses.since_shock = np.where(ended, 0, purses.since_shock + 1)
    unemployment = national_unemployment(spec.first_step_month + step)
    hazard = LOSS_OF_INCOME * people.shock_risk * (unemployment / 0.052) ** 1.5
    struck = (rng.random(n) < hazard) & (purses.shock_left == 0)
    length = 2 + rng.geometric(1 / 6, n)
    severe = np.clip(rng.uniform(0.1, 0.6, n) - 0.15 * people.strain, ODD_JOBS, 0.75)
    purses.shock_left[struck] = length[struck]
    purses.shock_income[struck] = severe[struck]
    purses.shock_kind[struck] = INCOME_SHOCK
    for shock in SHOCKS:
        if step == spec.steps - 1 - shock.months_before_end:
            _strike(shock, spec, people, purses, rng)
    noise = np.exp(rng.normal(0, 1, n) * people.volatility - people.volatility**2 / 2)
    share = np.where(purses.shock_left > 0, purses.shock_income, 1.0)
    return np.asarray(people.income * noise * share, dtype=np.int64)


def _decide_applications(
    step: int, people: Households, lines: Lines, accounts: Accounts, purses: Purses, rng: np.random.Generator
) -> IntArray:
    """Open the lines applied for this month that their lender grants; returns the opened ones.

    A lender that looks elsewhere refuses those who are overdue, stretched, or without their usual income.
    """
    asked = np.flatnonzero((lines.apply_step == step) & (accounts.status == WAITING))
    who = lines.borrower[asked]
    burden = np.where(lines.term[asked] > 0, accounts.instalment[asked], lines.offer[asked] // 10)
    stretched = purses.dues[who] + burden > SERVICE_CAP * lines.believed[asked]
    looks = rng.random(len(asked)) < lines.watch[asked]
    seen = looks & (purses.overdue[who] | stretched | (purses.shock_left[who] > 0))
    before = np.maximum(asked - 1, 0)
    same = (lines.borrower[before] == lines.borrower[asked]) & (lines.lender[before] == lines.lender[asked])
    unpaid = same & (before != asked) & np.isin(accounts.status[before], (OPEN, CHARGED_OFF))
    granted = (lines.offer[asked] > 0) & ~seen & ~unpaid
    accounts.status[asked] = np.where(granted, OPEN, DECLINED)
    opened: IntArray = asked[granted]
    accounts.limit[opened] = lines.offer[opened]
    return opened


def pay_in_order(need: IntArray, cash: IntArray, borrower: IntArray) -> BoolArray:
    """Which bills are paid when each household pays in the order of its rows until its cash does not reach.

    need, borrower: (lines,), rows of one borrower adjacent; cash: (borrowers,). A need of 0 is never "paid".
    """
    running = np.cumsum(need)
    first = np.r_[True, borrower[1:] != borrower[:-1]]
    base = np.maximum.accumulate(np.where(first, running - need, 0))
    return np.asarray((need > 0) & (running - base <= cash[borrower]))


def _treat(behind: IntArray, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """(treatment, chance with which it was drawn) of each line; they mean nothing where nothing is late."""
    shares = TREATMENT_SHARES[np.where(behind > 1, 1, 0)]
    drawn = (rng.random(len(behind))[:, None] > np.cumsum(shares, axis=1)).sum(axis=1)
    treatment = np.minimum(drawn, len(TREATMENTS) - 1)
    return treatment, shares[np.arange(len(behind)), treatment]


def _comes_back(
    people: Households, borrower: IntArray, behind: IntArray, treatment: IntArray, rng: np.random.Generator
) -> BoolArray:
    """Whether a holder would pay a bill let go if the cash were there; the more lines are lost, the less."""
    others = np.bincount(borrower, behind > 0, people.count)[borrower] - 1
    spread = np.clip(1 - DISCOURAGED * others, 0.2, 1.0)
    chance = COME_BACK[behind] * np.where(behind > 0, TREATMENT_EFFECT[treatment] * spread, 1.0)
    luck = np.where(people.spared[borrower], 0.3, rng.random(len(borrower)))
    return np.asarray(luck < chance)


def _bill(
    step: int, spec: GeneratorSpec, people: Households, lines: Lines, accounts: Accounts, rng: np.random.Generator
) -> Month:
    """Post the month's interest and bills, and say what each holder would pay if the cash were there."""
    rows = np.flatnonzero((accounts.status == OPEN) & (lines.apply_step < step))
    n = len(rows)
    borrower, rate = lines.borrower[rows], lines.rate[rows]
    loan = lines.term[rows] > 0
    opening = accounts.balance[rows]
    owed = accounts.owed[rows]
    owed[:, 1:] = owed[:, :-1]
    arrears = owed[:, 1:].sum(axis=1)
    fresh = opening - arrears
    least = np.maximum(np.rint(fresh * lines.floor[rows]).astype(np.int64), SMALLEST_DUE)
    due, interest = next_instalment(accounts.scheduled[rows], accounts.instalment[rows], accounts.left[rows], rate)
    accounts.scheduled[rows] -= due - interest
    accounts.left[rows] -= (accounts.left[rows] > 0).astype(np.int64)
    due = np.where(loan, due, np.clip(least, 0, np.maximum(fresh, 0)))
    interest = np.where(loan, interest, np.rint(accounts.carried[rows] * rate / 12).astype(np.int64))
    owed[:, 0] = due
    accounts.owed[rows] = owed
    behind = oldest_age(np.where(np.arange(AGES) > 0, owed, 0))
    treatment, propensity = _treat(behind, rng)
    lag = accounts.lag[rows]
    comes = _comes_back(people, borrower, behind, treatment, rng)
    willing = people.willing[borrower] & (comes | ((lag > 0) & (behind <= 1)))
    forgets = (behind == 0) & (due > 0) & ~lines.autopay[rows] & (rng.random(n) < people.forgets[borrower])
    delay = 1 + rng.exponential(6.0, n).astype(np.int64)
    days = month_end(spec.first_step_month + step).day
    late_day = np.where(forgets, np.minimum(lines.due_day[rows] + delay, days + 28), 0)
    willing &= late_day <= days
    total = np.where(willing, due + arrears, 0)
    statement = np.where(lines.style[rows] == FULL, opening, np.rint(lines.pay_share[rows] * opening).astype(np.int64))
    prudent = loan | (behind > 0) | ~willing
    return Month(
        step=step,
        rows=rows,
        borrower=borrower,
        days=days,
        opening=opening,
        loan=loan,
        behind=behind,
        treatment=treatment,
        propensity=propensity,
        interest=interest,
        due=due + arrears,
        lag=lag,
        minimum=total,
        desired=np.where(prudent, total, np.maximum(total, statement)),
        late_day=late_day,
        waits=np.zeros(people.count, np.bool_),
        spend=np.zeros(n, np.int64),
        cash=np.zeros(n, np.int64),
        paid=np.zeros(n, np.int64),
    )


def _live(
    month: Month, people: Households, lines: Lines, accounts: Accounts, purses: Purses, income: IntArray,
    rng: np.random.Generator,
) -> BoolArray:  # fmt: skip
    """Spend, borrow and pay within the month's means; returns the households that could not pay all they meant to."""
    n, rows, borrower = people.count, month.rows, month.borrower
    dues = month.total(month.minimum, n)
    pending = month.total(np.where(month.late_day > month.days, month.due, 0), n)
    free = 0.25 * purses.cash + income - people.essentials - dues - pending
    slack = np.clip(free / np.maximum(people.discretionary, 1), 0.0, 1.0)
    needs = people.essentials + people.discretionary * slack
    room = np.where((month.behind == 0) & ~month.loan, np.maximum(accounts.limit[rows] - month.opening, 0), 0)
    mood = np.exp(rng.normal(0, 0.25, len(rows)) * ~people.spared[borrower])
    want = lines.use[rows] * people.income[borrower] * mood * (0.4 + 0.6 * slack[borrower])
    bust = people.conceals[borrower] & (month.step - lines.apply_step[rows] <= 2)
    spend = np.minimum(want, room)
    scale = np.minimum(1.0, needs / np.maximum(np.bincount(borrower, spend, n), 1))
    spend = np.where(bust, 0.95 * room, spend * scale[borrower])
    month.spend = spend.astype(np.int64)
    own = np.maximum(needs.astype(np.int64) - month.total(month.spend, n), 0)
    means = purses.cash + income - own
    means = means + np.minimum(np.maximum(dues - means, 0), SQUEEZE * own).astype(np.int64)
    gap = np.maximum(dues - means, 0)
    is_card = lines.product[rows] == CARD
    open_to = people.bridges[borrower] * np.where(is_card, 0.3, 0.5)
    room = ((room - month.spend) * open_to).astype(np.int64)
    drawn = np.minimum(1.0, gap / np.maximum(month.total(room, n), 1))
    draw = (room * drawn[borrower]).astype(np.int64)
    month.cash += np.where(is_card, draw, 0)
    month.spend += np.where(is_card, 0, draw)
    means = means + month.total(draw, n)
    # Rounding the draws down may leave a few fen missing; that is nobody's reason to default.
    short = means + SMALLEST_DUE // 10 < dues
    early = month.total(np.where(lines.due_day[rows] < people.pay_day[borrower], month.minimum, 0), n)
    month.waits = purses.cash < early
    purses.dues = month.total(month.due, n)
    _pay(month, accounts, purses, means, dues, short, n)
    left = np.maximum(means - month.total(month.paid, n), 0)
    purses.cash = np.minimum(left, people.savings_target + pending)
    return np.asarray(short)


def _pay(
    month: Month, accounts: Accounts, purses: Purses, means: IntArray, dues: IntArray, short: BoolArray, n: int
) -> None:
    """Everything wanted if the means reach; else the minimums and a share of the rest; else bills in order."""
    borrower = month.borrower
    in_shock = purses.shock_left[borrower] > 0
    desired = np.where(in_shock, month.minimum, month.desired)
    extra = month.total(desired, n) - dues
    share = np.clip((means - dues) / np.maximum(extra, 1), 0.0, 1.0)
    paid = month.minimum + ((desired - month.minimum) * share[borrower]).astype(np.int64)
    means = np.maximum(means, 0)
    current = np.where(month.behind == 0, month.minimum, 0)
    kept = pay_in_order(current, means, borrower)
    spent = month.total(np.where(kept, current, 0), n)
    # Old bills come after the new ones: who cannot keep every current line current does not chase the lost ones.
    means = np.where(spent == month.total(current, n), means - spent, 0)
    owed = accounts.owed[month.rows]
    oldest = owed[np.arange(len(owed)), month.behind]
    late = np.where((month.behind > 0) & (month.minimum > 0), oldest, 0)
    held = pay_in_order(late, means, borrower)
    in_order = np.where(kept, current, 0) + np.where(held, late, 0)
    payoff = month.opening + np.where(month.loan, month.interest, 0)
    month.paid = np.minimum(np.where(short[borrower], in_order, paid), payoff)


def _settle(month: Month, accounts: Accounts) -> tuple[IntArray, IntArray]:
    """Post the month; returns (fee, age of the oldest unpaid bill or -1 where nothing is unpaid)."""
    rows = month.rows
    owed, rest = accounts.owed[rows], month.paid.copy()
    for months in range(AGES - 1, -1, -1):
        taken = np.minimum(owed[:, months], rest)
        owed[:, months] -= taken
        rest -= taken
    accounts.owed[rows] = owed
    fee = np.rint(LATE_FEE * owed[:, 0] * ~month.loan).astype(np.int64)
    age = np.where((owed > 0).any(axis=1), oldest_age(owed), -1).astype(np.int64)
    accounts.balance[rows] += month.spend + month.cash + month.interest + fee - month.paid
    accounts.carried[rows] = np.where(month.loan, 0, np.maximum(month.opening - month.paid, 0))
    accounts.lag[rows] = np.where(month.late_day > month.days, month.late_day - month.days, 0)
    done = month.loan & (accounts.left[rows] == 0) & (accounts.balance[rows] == 0)
    lost = age == AGES - 1
    accounts.status[rows] = np.where(done, CLOSED, np.where(lost, CHARGED_OFF, OPEN))
    accounts.closed[rows[done | lost]] = month.step
    return fee, age


def _name_causes(month: Month, people: Households, purses: Purses, age: IntArray, short: BoolArray) -> None:
    """Begin, deepen and end episodes of arrears; the cause is what the household went through when it began."""
    n = people.count
    overdue = np.bincount(month.borrower, age >= 0, n) > 0
    begins = overdue & ~purses.overdue
    recent = (purses.shock_left > 0) | (purses.since_shock <= MEMORY)
    shock = np.where(recent & (purses.shock_kind >= 0), purses.shock_kind, OVER_GRANTING)
    why = np.where(people.conceals, CONCEALMENT, np.where(short, shock, OVERSIGHT))
    deepens = overdue & purses.overdue & (purses.cause == OVERSIGHT) & short
    named = begins | deepens
    purses.cause = np.where(named, why, purses.cause)
    purses.onset = np.where(begins, month.step, purses.onset)
    purses.overdue = overdue


def simulate(
    spec: GeneratorSpec, people: Households, lines: Lines, progress: Callable[[float], None] | None = None
) -> Simulated:
    """Run every month of the span; the history holds the book's own months only. progress hears shares from 0 to 1."""
    accounts, purses, history = _start_accounts(lines, people), _start_purses(people), History()
    for step in range(spec.steps):
        rng = spec.random(MONTHS, step)
        income = _earn(step, spec, people, purses, rng)
        opened = _decide_applications(step, people, lines, accounts, purses, rng)
        month = _bill(step, spec, people, lines, accounts, rng)
        short = _live(month, people, lines, accounts, purses, income, rng)
        fee, age = _settle(month, accounts)
        _name_causes(month, people, purses, age, short)
        _pay_out(opened, people, lines, accounts, purses)
        recorded = history if step >= WARM_UP else None
        change_limits(month, people, lines, accounts, recorded, rng)
        if recorded is not None:
            record_month(month, spec, people, lines, accounts, recorded, fee, age, rng)
            record_openings(opened, step, lines, accounts, recorded)
            recorded.add("incomes", income=income, shocked=purses.shock_left > 0)
        if progress is not None:
            progress((step + 1) / spec.steps)
    return Simulated(accounts, purses, history)


def _pay_out(opened: IntArray, people: Households, lines: Lines, accounts: Accounts, purses: Purses) -> None:
    """A new loan is drawn at once; a cash loan's money goes to the household's purse, up to what it keeps there."""
    loan = opened[lines.term[opened] > 0]
    principal = accounts.limit[loan]
    accounts.balance[loan] = principal
    accounts.scheduled[loan] = principal
    accounts.left[loan] = lines.term[loan]
    cash = np.where(lines.product[loan] == CASH, principal, 0)
    received = np.rint(np.bincount(lines.borrower[loan], cash, people.count)).astype(np.int64)
    kept = np.maximum(people.savings_target - purses.cash, 0)
    purses.cash = purses.cash + np.minimum(received, kept)
