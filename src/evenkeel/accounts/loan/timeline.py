"""A loan in time: its periods, the interest and penalties that run, and what is to come.

Days are ordinals. A period is closed when its due day has come; what it owes is then settled. Periods to come hold what
is agreed; what they will owe is projected when it is asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from fractions import Fraction
from typing import NamedTuple

from evenkeel.accounts.allocation import Allocation
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.ledger import Posting, income, receivable
from evenkeel.accounts.loan.schedule import (
    INTEREST,
    PENALTY,
    PRINCIPAL,
    Flow,
    Interest,
    Period,
    Role,
    added,
    agree,
    ask,
    project,
    rounded,
    smooth,
    takes_rest,
)
from evenkeel.accounts.loan.terms import (
    InstalmentRate,
    InterestMethod,
    LoanTerms,
    RecalculatedOn,
    Recalculation,
)
from evenkeel.accounts.state import Accrual, Bill
from evenkeel.accounts.words import COMPONENTS, Segment, Stage
from evenkeel.kernel.money import Rounding, round_fraction

OWED = [receivable(component, Segment.LOAN) for component in COMPONENTS]
INCOME = [income(component) for component in COMPONENTS]
WHY = ("penalty", "instalment_fee", "interest")
_PENALTY_BASIS = {DayCount.ACT_365: 365, DayCount.ACT_364: 364, DayCount.ACT_ACT: 365}  # of the others 360


@dataclass(frozen=True, slots=True)
class LateFee:
    """A penalty for an instalment that is not paid `after_days` days after its due day.

    share of what is missing, at least least_minor, at most most_minor; none where no more than tolerated_minor is
    missing.
    """

    share: Fraction
    least_minor: int
    most_minor: int
    after_days: int = 0
    tolerated_minor: int = 0

    def of(self, missing_minor: int) -> int:
        """The fee for a missing amount."""
        if missing_minor <= self.tolerated_minor:
            return 0
        fee = round_fraction(missing_minor * self.share, Rounding.HALF_UP)
        return min(max(fee, self.least_minor), self.most_minor)


@dataclass(frozen=True, slots=True)
class LoanRules:
    """A loan's terms with what its product says beside them.

    charge_off_days: days past due at which it is charged off, None for never by itself. tolerated_minor: an instalment
    of which no more is missing is not late. grace_days: one is late from more than so many days after its due day, and
    then all count. material_minor, material_share: days past due count only while more than the money, and more than
    this share of the balance, is late.
    """

    terms: LoanTerms
    allocation: Allocation = field(default_factory=Allocation)
    late_fee: LateFee | None = None
    returned_fee: LateFee | None = None
    charge_off_days: int | None = None
    tolerated_minor: int = 0
    grace_days: int = 0
    material_minor: int = 0
    material_share: Fraction = Fraction(0)


class Transaction(NamedTuple):
    """A movement of money, or of what is owed. over_minor: what became credit. balance_minor: principal after it."""

    on: date
    fact_id: str
    kind: str
    amount_minor: int
    principal_minor: int
    interest_minor: int
    fee_minor: int
    penalty_minor: int
    over_minor: int
    balance_minor: int


class Timeline:
    """The loan up to the close of `day`, which is the date `on`.

    periods: those closed come before `at`, the running one is at `at`. principal: what is owed of it; behind: the part
    that closed periods ask for; base: what bears interest now. accrued: the running period's interest up to the close
    of `mark`, as a ratio. penalties: penalty interest that is not owed yet, `penalty_unit` of which are one minor unit;
    a minor unit that is late costs `penalty_rate` of them a day. carry, deferred, prepaid: what closed periods leave to
    later ones (see `Flow`).
    """

    def __init__(self, rules: LoanRules, *, traced: bool = False) -> None:
        self.rules, self.terms = rules, rules.terms
        self.interest = Interest(rules.terms)
        self.periods: list[Period] = []
        self.at = self.oldest = self.judged = 0
        self.day, self.on = 0, date.min
        self.mark = self.penalty_mark = 0
        self.principal = self.behind = self.base = self.carry = self.deferred = 0
        self.disbursed = self.lent = self.credit = self.claim = self.subrogated = 0
        self.accrued: tuple[int, int] = (0, 1)
        rate, basis = self.terms.penalty_rate_annual, _PENALTY_BASIS.get(self.terms.day_count, 360)
        self.penalties, self.penalty_rate, self.penalty_unit = 0, rate.numerator, rate.denominator * basis
        self.touched = self.stale = False
        self.stage = Stage.OPEN
        self.restructurings = 0
        self.settle_left = self.settle_by = 0
        self.prepaid = 0
        self.first_due: date | None = None
        self.uncounted: list[tuple[int, int]] = []  # days on which days past due do not count: after, up to
        self.transactions: list[Transaction] = []
        self.postings: list[Posting] = []
        self.bills: list[Bill] = []
        self.accruals: list[Accrual] | None = [] if traced else None
        self.follows = self.terms.recalculated
        self._on_facts = self.terms.recalculated_on is RecalculatedOn.FACTS
        self.by_period = self.terms.recalculation is Recalculation.AS_INSTALMENTS

    # ---- Time -------------------------------------------------------------------------------------------------------

    def reach(self, day: int) -> None:
        """The loan is at the close of a day."""
        self.day, self.on = day, date.fromordinal(day)

    def close_until(self, to: int) -> None:
        periods = self.periods
        while self.at < len(periods) and periods[self.at].due <= to and self.stage is Stage.OPEN:
            self.close(periods[self.at])
        if to > self.day:
            self.reach(to)

    def close(self, period: Period) -> None:
        """The due day of the running period has come."""
        self._accrue_penalties(period.due)
        self.reach(period.due)
        if not period.final and not self._as_projected(period):
            self.stale = True
            flow = self.flow()
            own = period.flat
            if self.terms.interest is InterestMethod.DECLINING:
                self._accrue(period.due)
                own = rounded(*self.accrued, self.terms.rounding)
            rest, end = self._is_last(period)
            ask(self.terms, period, own, flow, self.disbursed, rest=rest, end=end)
            self.carry, self.deferred, self.prepaid = flow.carry, flow.deferred, flow.prepaid
        self.behind += period.owed[PRINCIPAL] - period.paid[PRINCIPAL]
        self._post_due(period)
        self.mark, self.accrued, self.touched = period.due, (0, 1), False
        if not self.follows:
            self.base -= period.owed[PRINCIPAL]
        elif self._on_facts:
            self.base = self.principal - self.behind
        else:
            self.base = self.principal
        self.at += 1

    def _as_projected(self, period: Period) -> bool:
        """Whether the running period owes what was projected: nothing has happened that could change it."""
        asked = self.carry or self.deferred or self.prepaid or period.passes_on or self.accruals is not None
        return not (self.stale or asked or (self.follows and (self.behind or self.touched)))

    def ahead_minor(self, place: int) -> int:
        """Interest, fees or penalties in the ledger that are not paid and fall due with periods to come."""
        return sum(period.posted[place] - period.paid[place] for period in self.periods[self.at :])

    def to_come(self) -> list[Period]:
        """The running and later periods whose amounts follow from what is agreed."""
        return [period for period in self.periods[self.at :] if not period.final]

    def _is_last(self, period: Period) -> tuple[bool, bool]:
        """Whether a period takes all principal that is left, and whether it is the last to come."""
        last = self.periods[-1]
        if not last.final and not (self.follows and last.payments):
            return period is last, period is last
        coming = self.to_come()
        return coming[takes_rest(coming, self.follows)] is period, coming[-1] is period

    def _post_due(self, period: Period) -> None:
        for place, why in enumerate(WHY):
            more = period.owed[place] - period.posted[place]
            if more > 0:
                self.recognise(period, place, period.owed[place], why)
            elif more < 0:
                # What was paid in advance on a higher rate covers what was booked since.
                self.move("", INCOME[place], OWED[place], -more, why)
                period.posted[place] = period.owed[place]
        penalty, fee, interest, principal = period.open_parts()
        total = penalty + fee + interest + principal
        self.bills.append(
            Bill(self.at + 1, self.on, self.on, total, total, principal, interest, fee, penalty, self.credit)
        )

    def recognise(self, period: Period, place: int, upto: int, why: str, fact_id: str = "") -> None:
        """Post what of a period's interest, fees or penalties is not in the ledger yet."""
        if upto > period.posted[place]:
            self.move(fact_id, OWED[place], INCOME[place], upto - period.posted[place], why)
            period.posted[place] = upto

    def flow(self) -> Flow:
        """Where a projection of the running period begins."""
        left, ahead = self.principal - self.behind, 0
        if not self.follows:
            left, ahead = self.base, sum(period.paid[PRINCIPAL] for period in self.to_come())
        return Flow(left, self.mark, self.accrued, self.carry, self.deferred, self.follows, ahead, self.prepaid)

    def _accrue(self, to: int) -> None:
        """Count the interest of the running period up to the close of a day."""
        if to <= self.mark or self.at >= len(self.periods):
            return
        period = self.periods[self.at]
        self.accrued = added(self.accrued, self.interest.on(self.base, period, self.mark, to))
        if self.accruals is not None:
            self._trace(period, to)
        self.mark = to

    def _trace(self, period: Period, to: int) -> None:
        if self.accruals is None or self.base <= 0 or period.free:
            return
        for after, until, over, under in self.interest.pieces(period, self.mark, to):
            on, up_to = date.fromordinal(after), date.fromordinal(until)
            rate, amount = self.interest.rate_after(after), Fraction(self.base * over, under)
            # The days of a year that make `days x rate / basis` the amount; whole for counts by the day.
            basis = round((until - after) * rate * self.base / amount) if amount else 365
            self.accruals.append(Accrual("interest", Segment.LOAN, on, up_to, self.base, rate, basis, amount))

    def touch(self) -> None:
        """A fact falls on `day`: penalties are owed, and the running period is looked at again."""
        self.post_penalties()
        self.look_again()

    def look_again(self) -> None:
        """Where only facts make a period follow what was paid: let the running one do so."""
        if not (self.follows and self._on_facts and self.at < len(self.periods)):
            return
        if self.day > self.periods[self.at].start:
            if not self.touched:
                self.mark, self.accrued = self.periods[self.at].start, (0, 1)
                self.base = self._bearing()
                if self.accruals is not None:
                    start = date.fromordinal(self.mark)
                    self.accruals = [part for part in self.accruals if part.kind != "interest" or part.until <= start]
            elif not self.by_period:
                self.base = self._bearing()
            self.touched = self.stale = True

    def _bearing(self) -> int:
        """All principal, and the interest that is late where it bears interest itself."""
        late = self.periods[self.oldest : self.at] if self.terms.compounding else ()
        return self.principal + sum(period.owed[INTEREST] - period.paid[INTEREST] for period in late)

    def settle_base(self) -> None:
        """After a fact: set the principal that bears interest from now on."""
        if not self.follows or self.at >= len(self.periods):
            return
        starts_now = self.day <= self.periods[self.at].start
        if self._on_facts and not (self.by_period and self.touched):
            self.set_base(self.principal - self.behind)
        elif not self._on_facts and (not self.by_period or starts_now):
            self.set_base(self.principal)

    def set_base(self, base: int) -> None:
        """Another principal bears interest from the close of `day` on."""
        if base != self.base:
            self._accrue(self.day)
            self.base = base
            if self.at < len(self.periods) and self.day > self.periods[self.at].start:
                self.stale = True

    # ---- Late -------------------------------------------------------------------------------------------------------

    def _accrue_penalties(self, to: int) -> None:
        """Count penalty interest up to the close of a day."""
        if to <= self.penalty_mark:
            return
        more = self.behind * (to - self.penalty_mark) * self.penalty_rate
        if more and self.accruals is not None:
            rate, basis = self.terms.penalty_rate_annual, _PENALTY_BASIS.get(self.terms.day_count, 360)
            days, amount = (
                (date.fromordinal(self.penalty_mark), date.fromordinal(to)),
                Fraction(more, self.penalty_unit),
            )
            self.accruals.append(Accrual("penalty", Segment.LOAN, *days, self.behind, rate, basis, amount))
        self.penalties += more
        self.penalty_mark = to

    def penalties_minor(self) -> int:
        """The whole units of penalty interest that are not owed yet."""
        if self.stage is not Stage.OPEN:
            return 0
        since = self.behind * max(self.day - self.penalty_mark, 0) * self.penalty_rate
        return (self.penalties + since) // self.penalty_unit

    def post_penalties(self) -> None:
        """Whole units of penalty interest become owed with the oldest open period."""
        self._accrue_penalties(self.day)
        whole, rest = divmod(self.penalties, self.penalty_unit)
        if whole > 0 and self.stage is Stage.OPEN:
            self.penalties = rest
            self.pass_paid()
            self.add_penalty(self.periods[self.oldest], whole, "penalty_interest", "")

    def add_penalty(self, period: Period, amount: int, why: str, fact_id: str) -> None:
        """A penalty is owed with a period that is closed."""
        period.owed[PENALTY] += amount
        self.recognise(period, PENALTY, period.owed[PENALTY], why, fact_id)

    def pass_paid(self) -> None:
        """Move `oldest` past closed periods that are paid, up to the last one."""
        while self.oldest < self.at - 1 and self.periods[self.oldest].open_minor == 0:
            self.oldest += 1

    def accrued_minor(self) -> int:
        """Interest and penalties up to the close of `day` that are not owed yet, rounded down."""
        if self.stage is not Stage.OPEN:
            return 0
        interest = 0
        if self.at < len(self.periods) and self.terms.interest is InterestMethod.DECLINING:
            period = self.periods[self.at]
            ratio = added(self.accrued, self.interest.on(self.base, period, self.mark, self.day))
            interest = max(ratio[0] // ratio[1] - period.paid[INTEREST], 0)
        return interest + self.penalties_minor()

    # ---- What is to come -----------------------------------------------------------------------------------

    def replan(self) -> None:
        """Agree anew what the running and later periods repay, and project them."""
        periods = self.to_come()
        if periods:
            self.prepaid = 0
            flow = self.start_of_projection()
            total = flow.left + (periods[0].paid[PRINCIPAL] if flow.follow else 0)
            agree(self.terms, self.interest, periods, total, self.like(), self.lent)
            smooth(self.terms, self.interest, periods, flow, self.disbursed)
        self.stale = False

    def like(self) -> Period:
        """The period whose rate all equal instalments are computed with, where the terms have one for all."""
        instalments = [period for period in self.periods if period.role is Role.INSTALMENT]
        if self.terms.instalment_rate is not InstalmentRate.RUNNING_PERIOD:
            return instalments[0]
        running = [period for period in instalments if period.due >= self.day]
        return running[0] if running else instalments[-1]

    def start_of_projection(self) -> Flow:
        """The flow at the close of `day`: what is late is taken to be paid then."""
        flow = self.flow()
        if not self.follows or self.at >= len(self.periods):
            return flow
        period = self.periods[self.at]
        if self.by_period and self.day > period.start:
            flow.accrued = added(flow.accrued, self.interest.on(self.base, period, flow.mark, period.due))
            flow.mark = period.due
        elif self.base != flow.left and self.day > flow.mark:
            flow.accrued = added(flow.accrued, self.interest.on(self.base, period, flow.mark, self.day))
            flow.mark = self.day
        return flow

    def project_running(self) -> int:
        """Project the running period alone; returns the principal that it holds."""
        period, flow = self.periods[self.at], self.start_of_projection()
        own = added(flow.accrued, self.interest.on(flow.left, period, flow.mark, period.due))
        rest, end = self._is_last(period)
        ask(self.terms, period, rounded(*own, self.terms.rounding), flow, self.disbursed, rest=rest, end=end)
        self.stale = True
        return period.owed[PRINCIPAL]

    def refresh(self) -> None:
        """Project the running and later periods from the close of `day`."""
        periods = self.to_come()
        if periods:
            project(self.terms, self.interest, periods, self.start_of_projection(), self.disbursed)
        self.stale = False

    # ---- The record ------------------------------------------------------------------------------------------------

    def move(self, fact_id: str, debit: str, credit: str, amount: int, why: str) -> None:
        """Post an amount on `day`."""
        if amount > 0:
            self.postings.append(Posting(self.on, fact_id, debit, credit, amount, why))

    def tell(self, fact_id: str, kind: str, amount: int, split: Sequence[int], over: int) -> None:
        """Add a transaction. split: what it paid, by component."""
        penalty, fee, interest, principal = split
        self.transactions.append(
            Transaction(self.on, fact_id, kind, amount, principal, interest, fee, penalty, over, self.principal)
        )
