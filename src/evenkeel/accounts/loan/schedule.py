"""Schedules: what is due when, from conventions, a principal and a day.

Days are ordinals (`date.toordinal`) and amounts minor units in here; parts of a year and rates are whole numerators and
denominators, so that the loops are integer arithmetic. A day of interest belongs to the date on which it ends.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum
from fractions import Fraction

from evenkeel.accounts.daycount import DayCount, months_fraction, year_fraction
from evenkeel.accounts.duedates import Unit, check_increasing, due_dates
from evenkeel.accounts.loan.terms import (
    FeeBase,
    InstalmentRate,
    InterestMethod,
    InterestPeriod,
    InterestRounding,
    LoanTerms,
    Prepayment,
    ScheduleKind,
)  # fmt: skip
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Rounding, round_fraction

PENALTY, FEE, INTEREST, PRINCIPAL = range(4)  # places in the amounts of a period, in the order of words.COMPONENTS

_SCALE = 10**40  # discount factors are kept to so many decimals
_BASIS = {DayCount.ACT_365: 365, DayCount.ACT_364: 364, DayCount.ACT_360: 360}
_MOST_TRIALS = 20


Steps = list[tuple[int, int, int]]  # after the close of which day a rate holds, and its numerator and denominator


class Role(StrEnum):
    """Why an amount is due."""

    INSTALMENT = "instalment"
    DOWN_PAYMENT = "down_payment"  # on the day of a disbursement
    ADDED = "added"  # on the day of a chargeback or fee after the last instalment


@dataclass(slots=True)
class Period:
    """One due day and the period of interest before it.

    whole: the part of a year that it is. factor: see `Interest.factor`. level: what is agreed as principal and interest
    together, None where `fixed` principal is agreed. grace: holds no principal. free: bears no interest. deferred: its
    interest is due later. flat: its interest where interest is flat.
    owed, paid: by component. credited: principal that a chargeback added. charged: fees that facts brought.
    posted: interest, fees and penalties that are in the ledger.
    payments, moved: what was paid, and what left it unpaid (waived, or moved by a restructuring), by day.
    settled: a payment in advance paid all that it then asked for. passes_on: what later periods ask for depends on this
    or earlier ones. final: what it owes no longer follows from its agreement.
    """

    start: int
    due: int
    whole: tuple[int, int]
    role: Role = Role.INSTALMENT
    level: int | None = None
    fixed: int = 0
    grace: bool = False
    free: bool = False
    deferred: bool = False
    flat: int = 0
    credited: int = 0
    charged: int = 0
    posted: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    owed: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    paid: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    in_advance: int = 0
    late: int = 0
    payments: dict[int, int] = field(default_factory=dict)
    moved: dict[int, int] = field(default_factory=dict)
    settled: bool = False
    passes_on: bool = False
    final: bool = False
    factor: tuple[Steps, tuple[int, int]] | None = None

    @property
    def open_minor(self) -> int:
        """What is not paid yet."""
        return sum(self.owed) - sum(self.paid)

    def open_parts(self) -> tuple[int, int, int, int]:
        """What is not paid yet, by component."""
        (penalty, fee, interest, principal), paid = self.owed, self.paid
        return penalty - paid[0], fee - paid[1], interest - paid[2], principal - paid[3]


@dataclass(frozen=True, slots=True)
class Planned:
    """One row of a schedule. balance_minor: the principal that is left after it."""

    start_on: date
    due_on: date
    role: Role
    principal_minor: int
    interest_minor: int
    fee_minor: int
    balance_minor: int

    @property
    def due_minor(self) -> int:
        """All that is due."""
        return self.principal_minor + self.interest_minor + self.fee_minor


def rounded(numerator: int, denominator: int, rounding: Rounding) -> int:
    """numerator / denominator (0 or more, over above 0) as a whole number."""
    if rounding is Rounding.HALF_UP:
        return (2 * numerator + denominator) // (2 * denominator)
    if rounding is Rounding.HALF_EVEN:
        whole, rest = divmod(numerator, denominator)
        return whole + (2 * rest > denominator or (2 * rest == denominator and whole & 1))
    return round_fraction(Fraction(numerator, denominator), rounding)


class Interest:
    """What principal costs between two days: the rate by day, and the day count of a loan's terms."""

    __slots__ = ("_basis", "_each_piece", "_pauses", "_rates", "_rounding", "_steps", "proportional")

    def __init__(self, terms: LoanTerms) -> None:
        self._rates = {0: terms.rate_annual}  # by the day after whose close a rate holds
        self._pauses: list[tuple[int, int]] = []
        self._steps: Steps = []
        self._basis = _BASIS.get(terms.day_count, 0)
        # Where a period's length is agreed and not counted in days, parts of it are taken by their days.
        self.proportional = (
            terms.interest_period is InterestPeriod.AS_INSTALMENTS or terms.day_count is DayCount.THIRTY_360
        )
        self._rounding = terms.rounding
        self._each_piece = terms.interest_rounding is InterestRounding.EACH_PIECE
        self._set_steps()

    def change(self, first_day: int, rate: Fraction) -> None:
        """A new rate, from `first_day` on."""
        self._rates = {day: rate for day, rate in self._rates.items() if day < first_day - 1} | {first_day - 1: rate}
        self._set_steps()

    def pause(self, first_day: int, last_day: int) -> None:
        """No interest on the days from `first_day` to `last_day`, both counted."""
        self._pauses.append((first_day - 1, last_day))
        self._set_steps()

    def _set_steps(self) -> None:
        """The days after which what counts changes: the day, and the rate's numerator and denominator."""
        self._steps, rate = [], Fraction(0)
        for day in sorted({*self._rates, *(day for pause in self._pauses for day in pause)}):
            rate = self._rates.get(day, rate)
            paused = any(since <= day < until for since, until in self._pauses)
            self._steps.append((day, *(Fraction(0) if paused else rate).as_integer_ratio()))

    def rate_after(self, day: int) -> Fraction:
        """The rate of the day of interest that follows `day`."""
        step = next(step for step in reversed(self._steps) if step[0] <= day)
        return Fraction(step[1], step[2])

    def part(self, period: Period, after: int, to: int) -> tuple[int, int]:
        """The part of a year from the close of `after` to the close of `to`, both within the period."""
        numerator, denominator = period.whole
        if after == period.start and to == period.due:
            return numerator, denominator
        if self.proportional:
            return numerator * (to - after), denominator * (period.due - period.start)
        if self._basis:
            return to - after, self._basis
        return year_fraction(DayCount.ACT_ACT, date.fromordinal(after), date.fromordinal(to)).as_integer_ratio()

    def factor(self, period: Period) -> tuple[int, int]:
        """What a unit of principal costs over the whole period; kept with it until a rate changes."""
        if period.free:
            return 0, 1
        if period.factor is None or period.factor[0] is not self._steps:
            period.factor = self._steps, self._sum(period, period.start, period.due)
        return period.factor[1]

    def on(self, balance: int, period: Period, after: int, to: int) -> tuple[int, int]:
        """Interest as numerator and denominator; whole where each piece is rounded."""
        if balance <= 0 or to <= after or period.free:
            return 0, 1
        if self._each_piece:
            pieces = self.pieces(period, after, to)
            return sum(rounded(balance * over, under, self._rounding) for _, _, over, under in pieces), 1
        if after == period.start and to == period.due:
            numerator, denominator = self.factor(period)
        else:
            numerator, denominator = self._sum(period, after, to)
        return balance * numerator, denominator

    def pieces(self, period: Period, after: int, to: int) -> list[tuple[int, int, int, int]]:
        """The stretches of one rate: after, to, and what a unit of principal costs as numerator and denominator."""
        steps, found = self._steps, []
        place = bisect(steps, (after + 1,))  # of the first that begins later
        while after < to:
            _, rate, under = steps[place - 1]
            last = min(to, steps[place][0]) if place < len(steps) else to
            numerator, denominator = self.part(period, after, last)
            found.append((after, last, numerator * rate, denominator * under))
            after, place = last, place + 1
        return found

    def _sum(self, period: Period, after: int, to: int) -> tuple[int, int]:
        begins, rate, under = self._steps[-1]
        if begins <= after:
            numerator, denominator = self.part(period, after, to)
            return numerator * rate, denominator * under
        total = (0, 1)
        for _, _, over, under in self.pieces(period, after, to):
            total = added(total, (over, under))
        return total


def added(one: tuple[int, int], other: tuple[int, int]) -> tuple[int, int]:
    """The sum of two ratios."""
    if one[0] == 0:
        return other
    if other[0] == 0:
        return one
    if one[1] == other[1]:
        return one[0] + other[0], one[1]
    return one[0] * other[1] + other[0] * one[1], one[1] * other[1]


def periods_of(terms: LoanTerms, start: date, count: int, first_due: date | None = None) -> list[Period]:
    """The instalment periods of a loan that begins on `start`, without amounts.

    Raises InvalidInput where due days do not increase.
    """
    days = due_dates(terms.due, start, count, first_due)
    check_increasing(days, start)
    regular_first = first_due is None and terms.due.due_day is None
    periods = []
    for place, (begin, due) in enumerate(zip([start, *days], days, strict=False)):
        part = year_part(terms, begin, due, regular=place > 0 or regular_first)
        period = Period(begin.toordinal(), due.toordinal(), part)
        period.grace, period.free = place < terms.grace_principal, place < terms.interest_free
        period.deferred = place < terms.grace_interest
        periods.append(period)
    if terms.kind in (ScheduleKind.INTEREST_FIRST, ScheduleKind.BULLET):
        for period in periods[:-1]:
            period.grace = True
            period.deferred |= terms.kind is ScheduleKind.BULLET
    return periods


def year_part(terms: LoanTerms, start: date, due: date, *, regular: bool) -> tuple[int, int]:
    """The part of a year of a period. regular: it is the agreed distance between instalments, not a first period of
    another length or one whose due day was moved."""
    months = terms.due.every if terms.due.unit is Unit.MONTHS and regular else 0
    if terms.interest_period is InterestPeriod.AS_INSTALMENTS:
        if regular:
            return (1 / terms.periods_a_year).as_integer_ratio()
        return year_fraction(DayCount.THIRTY_360, start, due).as_integer_ratio()
    if terms.day_count is DayCount.THIRTY_360 and terms.due.unit is not Unit.MONTHS:
        return (due - start).days, 360
    if months:
        return months_fraction(terms.day_count, months, start, due).as_integer_ratio()
    return year_fraction(terms.day_count, start, due).as_integer_ratio()


# ---- The instalment ------------------------------------------------------------------------------------------------


def level_payment(principal_minor: int, factors: Sequence[Fraction], rounding: Rounding = Rounding.HALF_UP) -> int:
    """The equal instalment P / sum_k prod_{j<=k} 1 / (1 + f_j), f_j the interest of a unit over period j; P / n where
    no period bears any."""
    return rounded(*_annuity(principal_minor, [factor.as_integer_ratio() for factor in factors], 0), rounding)


def _annuity(principal: int, factors: Sequence[tuple[int, int]], left: int) -> tuple[int, int]:
    """The instalment as a ratio; `left` is still owed after the last one."""
    if not any(numerator for numerator, _ in factors):
        return principal - left, len(factors)
    discount, total = _SCALE, 0
    for numerator, denominator in factors:
        discount = discount * denominator // (denominator + numerator)
        total += discount
    value = principal * _SCALE - left * discount, total
    twice = 2 * value[0] % total
    if min(twice, total - twice) * 10**20 > total:
        return value
    # So near a half or a whole that the decimals of the discount factors could decide the rounding.
    exact, sum_ = Fraction(1), Fraction(0)
    for numerator, denominator in factors:
        exact *= Fraction(denominator, denominator + numerator)
        sum_ += exact
    return ((principal - left * exact) / sum_).as_integer_ratio()


def agree(
    terms: LoanTerms, interest: Interest, periods: Sequence[Period], principal: int, like: Period, lent: int
) -> None:
    """Set what is agreed for `periods`, which repay `principal`: the level instalment, or the principal of each.

    like: the period whose rate all have, where the terms compute the instalment with one. lent: all principal that was
    paid out, on which flat interest is charged. The last period takes what is left, so its agreement is only what
    smoothing compares with.
    """
    paying = [period for period in periods if not period.grace] or list(periods[-1:])
    for period in periods:
        period.level, period.fixed, period.settled = None, 0, False
    count, multiple, rounding = len(paying), terms.instalment_multiple_minor, terms.rounding
    if terms.interest is InterestMethod.FLAT:
        _agree_flat(terms, interest, periods, paying, principal, lent)
    elif terms.kind is ScheduleKind.EQUAL_PRINCIPAL:
        share = rounded(principal, count * multiple, rounding) * multiple
        for period in paying:
            period.fixed = share
    elif terms.kind in (ScheduleKind.EQUAL_INSTALMENT, ScheduleKind.BALLOON):
        if terms.instalment_rate is InstalmentRate.EACH_PERIOD:
            factors = [interest.factor(period) for period in paying]
        else:
            factors = [interest.factor(like)] * count
        numerator, denominator = _annuity(principal, factors, balloon(terms, principal))
        level = rounded(numerator, denominator * multiple, rounding) * multiple
        for period in paying:
            period.level = level


def balloon(terms: LoanTerms, principal: int) -> int:
    """The principal that a balloon loan leaves for its last instalment beside the level one."""
    share = terms.balloon_share
    return rounded(principal * share.numerator, share.denominator, terms.rounding)


def _agree_flat(
    terms: LoanTerms,
    interest: Interest,
    periods: Sequence[Period],
    paying: Sequence[Period],
    principal: int,
    lent: int,
) -> None:
    """Interest on what was lent for the whole time, in equal parts; the last takes the rounding."""
    total = Fraction(0)
    for period in periods:
        total += Fraction(*interest.factor(period)) * lent
    bearing = [period for period in periods if not period.free]
    part, left = (rounded(*(total / len(bearing)).as_integer_ratio(), terms.rounding) if bearing else 0), total
    for period in bearing:
        period.flat = part
        left -= part
    if bearing:
        bearing[-1].flat += round_fraction(left, terms.rounding)
    multiple = terms.instalment_multiple_minor
    for period in paying:
        exact = Fraction(principal, len(paying)) + period.flat
        period.level = round_fraction(exact / multiple, terms.rounding) * multiple


@dataclass(slots=True)
class Flow:
    """What goes from one period to the next.

    left: principal that the periods to come have to repay. mark, accrued: interest of the running period is counted up
    to the close of that day. carry: interest that an instalment was too small for, or that an early payment left; the
    next instalment holds it; below 0, what was paid of it before it was agreed anew. deferred: interest that is due on
    top of the next instalment that asks for interest. follow: amounts follow what was really paid; else they are those
    of the schedule whatever was paid, and ahead is what was paid of principal in the periods to come, which they hold
    at least. prepaid: principal that was paid before any instalment asked for it, and which the next ones hold less.
    """

    left: int
    mark: int
    accrued: tuple[int, int] = (0, 1)
    carry: int = 0
    deferred: int = 0
    follow: bool = False
    ahead: int = 0
    prepaid: int = 0


def project(terms: LoanTerms, interest: Interest, periods: Sequence[Period], flow: Flow, disbursed: int) -> None:
    """Set what each of `periods` owes, given what is agreed and paid; the last that is open takes the rest.

    disbursed: all that was lent, of which a fee may be a share.
    """
    last = takes_rest(periods, flow.follow)
    flow.ahead = 0 if flow.follow else sum(period.paid[PRINCIPAL] for period in periods)
    flat, rounding, mark, end = terms.interest is InterestMethod.FLAT, terms.rounding, flow.mark, len(periods) - 1
    for place, period in enumerate(periods):
        if flat:
            own = period.flat
        elif place > last:
            own = 0
        else:
            ratio = interest.on(flow.left, period, mark, period.due)
            own = rounded(*(ratio if place else added(flow.accrued, ratio)), rounding)
        ask(terms, period, own, flow, disbursed, rest=place == last, end=place == end)
        mark = period.due


def takes_rest(periods: Sequence[Period], follow: bool) -> int:
    """The place of the last of `periods` that was not paid in advance."""
    last = len(periods) - 1
    while follow and last > 0 and periods[last].settled:
        last -= 1
    return last


def asking(periods: Sequence[Period]) -> Period:
    """The first of the periods to come that asks for interest; the last does in any case."""
    return next((period for period in periods if not period.deferred), periods[-1])


def ask(terms: LoanTerms, period: Period, own: int, flow: Flow, disbursed: int, *, rest: bool, end: bool) -> None:
    """Set what a period owes and take it off the flow.

    own: its interest. rest: it takes all principal that is left. end: none comes after it that could take interest.
    """
    level, owed = period.level, period.owed
    changed = period.payments or period.credited or period.charged or period.deferred or terms.has_fee
    plain = not (rest or changed or flow.carry or flow.deferred or flow.prepaid)
    if plain and level is not None and 0 <= level - own <= flow.left - flow.ahead:
        owed[FEE:] = 0, own, level - own
        flow.left -= level - own
        period.passes_on = False
        return
    _, paid_fee, paid_interest, paid_principal = period.paid
    if flow.follow:
        most = flow.left + paid_principal
    else:
        flow.ahead -= paid_principal
        most = flow.left - flow.ahead
    on_top = 0
    if period.deferred and not end:
        flow.deferred += own
        due = 0
    else:
        on_top, flow.deferred = flow.deferred, 0
        due, flow.carry = own + flow.carry, 0
        if due < 0:
            due, on_top = 0, max(on_top + due, 0)
    if rest:
        principal = most
    elif level is None:
        principal = period.fixed + period.credited
    else:
        room, own_paid = level + period.credited, max(paid_interest - on_top, 0)
        ahead = paid_principal and flow.follow and paid_principal > max(room - due, 0)
        if ahead and terms.prepayment is Prepayment.INSTALMENTS:
            flow.carry, due = max(due - own_paid, 0), own_paid
        elif due > (most_interest := max(level, own_paid)):
            flow.carry, due = due - most_interest, most_interest
        principal = room - due
    due += on_top
    owed[INTEREST] = due = due if due > paid_interest else paid_interest
    if principal > most:
        principal = most
    if terms.prepayment is Prepayment.NEXT_INSTALMENTS and flow.follow and not rest:
        # Less than nothing is what was paid of it beyond this instalment.
        less = min(flow.prepaid, max(principal, 0) - paid_principal)
        flow.prepaid -= less
        principal -= less
    owed[PRINCIPAL] = principal = principal if principal > paid_principal else paid_principal
    flow.left -= principal - paid_principal if flow.follow else principal
    period.passes_on = bool(flow.carry or flow.deferred or flow.prepaid)
    fee = period.charged
    if terms.has_fee and (due or principal or flow.left > 0):
        fee += fee_on(terms, due + principal, disbursed)
    owed[FEE] = fee if fee > paid_fee else paid_fee


def fee_on(terms: LoanTerms, instalment: int, disbursed: int) -> int:
    """The fee that comes with an instalment of so much interest and principal."""
    fee = terms.fee
    base = disbursed if fee.base is FeeBase.DISBURSED else instalment
    return fee.flat_minor + round_fraction(base * fee.share, terms.rounding)


def smooth(terms: LoanTerms, interest: Interest, periods: Sequence[Period], start: Flow, disbursed: int) -> None:
    """Project `periods`, and spread over all level instalments what the last one differs by, while that makes it less.

    With d the last instalment less the level one and n their number: where |d| in minor units is n / 2 or more and
    d / n rounds to other than 0, the level plus d / n is tried, and kept if |d| becomes strictly smaller; then again.
    """
    project(terms, interest, periods, replace(start), disbursed)
    level_ones = [period for period in periods if period.level is not None]
    if not terms.smoothing or terms.interest is InterestMethod.FLAT or len(level_ones) < 2:
        return
    if start.follow and any(period.payments for period in periods):
        return  # what was paid in advance would be taken for a difference
    extra = balloon(terms, start.left)
    last, count = periods[-1], len(level_ones)
    step = terms.instalment_multiple_minor
    for _ in range(_MOST_TRIALS):
        level = last.level or 0
        off = last.owed[INTEREST] + last.owed[PRINCIPAL] - level - extra
        if 2 * abs(off) < count or not (change := round_fraction(Fraction(off, count * step), terms.rounding) * step):
            return
        for period in level_ones:
            period.level = level + change
        project(terms, interest, periods, replace(start), disbursed)
        if abs(last.owed[INTEREST] + last.owed[PRINCIPAL] - level - change - extra) >= abs(off):
            for period in level_ones:
                period.level = level
            project(terms, interest, periods, replace(start), disbursed)
            return


def schedule(terms: LoanTerms, principal_minor: int, start: date, first_due: date | None = None) -> tuple[Planned, ...]:
    """The schedule of a loan that is paid out in full on `start`: a down payment, where the terms ask for one, and the
    instalments.

    first_due: the first due day where one is agreed. Raises InvalidInput if the principal is not above 0 or the days do
    not fit the terms.
    """
    if principal_minor <= 0:
        raise InvalidInput(f"`principal_minor` is {principal_minor}.", "Allowed: a whole number above 0.")
    interest, periods = Interest(terms), periods_of(terms, start, terms.instalments, first_due)
    down = down_payment(terms, principal_minor)
    left = principal_minor - down
    agree(terms, interest, periods, left, periods[0], left)
    smooth(terms, interest, periods, Flow(left, start.toordinal()), principal_minor)
    rows = [Planned(start, start, Role.DOWN_PAYMENT, down, 0, 0, left)] if down else []
    for period in periods:
        _, fee, cost, part = period.owed
        left -= part
        days = date.fromordinal(period.start), date.fromordinal(period.due)
        rows.append(Planned(*days, period.role, part, cost, fee, left))
    return tuple(rows)


def down_payment(terms: LoanTerms, amount_minor: int) -> int:
    """What of a disbursement is due on its day."""
    multiple = terms.instalment_multiple_minor
    return round_fraction(amount_minor * terms.down_payment_share / multiple, terms.rounding) * multiple
