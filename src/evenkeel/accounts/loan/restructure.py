"""Changes of terms while a loan runs: what is left is agreed anew; what was paid stays as it was.

Each takes effect on the loan's day. Amounts that leave an instalment unpaid are kept with it (`moved`), so that days
past due before the change can still be read from the instalments.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction

from evenkeel.accounts.duedates import DueRule, nominal, rolled
from evenkeel.accounts.loan.running import Running
from evenkeel.accounts.loan.schedule import (
    FEE,
    INTEREST,
    PENALTY,
    PRINCIPAL,
    Period,
    Role,
    asking,
    periods_of,
    year_part,
)  # fmt: skip
from evenkeel.accounts.loan.terms import ScheduleKind
from evenkeel.kernel.calendar import month_day, month_of
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import round_fraction


def change_rate(loan: Running, first_day: int, rate: Fraction) -> None:
    """Another rate from `first_day` on, the day after `loan.day`; instalments are computed again from its period on."""
    loan.interest.change(first_day, rate)
    loan.replan()


def pause_interest(loan: Running, first_day: int, until: date) -> None:
    """No interest from `first_day`, the day after `loan.day`, to `until`. Instalments stay as agreed: what they would
    hold of interest becomes principal, so that the last ones are less."""
    loan.interest.pause(first_day, until.toordinal())
    loan.refresh()


def re_age(loan: Running, count: int, first_due: date, rule: DueRule, rate: Fraction | None = None) -> int:
    """All principal becomes `count` new instalments from `first_due` on; returns how much that is.

    Interest, fees and penalties that are owed stand in the first of them. Old instalments keep what they were paid.
    Raises InvalidInput if `first_due` is not after the loan's day, or nothing is owed.
    """
    if first_due.toordinal() <= loan.day:
        raise InvalidInput(f"`first_due_on` is {first_due}.", f"Allowed: a day after {date.fromordinal(loan.day)}.")
    if loan.principal <= 0:
        raise InvalidInput("nothing is left to be paid in new instalments.")
    running = next(iter(loan.to_come()), None)
    start = max(period.due for period in loan.periods) if running is None else running.start
    terms = replace(loan.terms, due=rule, instalments=count, grace_principal=0, grace_interest=0, interest_free=0)
    fresh = periods_of(terms, date.fromordinal(start), count, first_due)
    paid = sum(period.paid[INTEREST] for period in loan.to_come())
    of_deferred = min(paid, loan.deferred)
    loan.deferred -= of_deferred
    loan.carry -= paid - of_deferred
    carried = _take_out(loan)
    ahead = [0, 0, 0, 0]
    for period in loan.to_come():
        for place in (PENALTY, FEE, INTEREST):
            ahead[place] += period.posted[place] - period.paid[place]
            period.posted[place] = period.paid[place]
    loan.end()
    loan.terms = terms
    loan.periods += fresh
    if running is None:
        loan.mark = loan.day
    loan.touched = True
    loan.set_base(loan.principal)
    if rate is not None:
        loan.interest.change(loan.day + 1, rate)
    _carry(loan, carried)
    loan.deferred -= ahead[INTEREST]  # it is counted there already
    _carry(loan, ahead)
    loan.settle_base()
    loan.replan()
    return loan.principal


def re_amortise(loan: Running) -> int:
    """Spread what is past due over the instalments to come; returns the principal of it.

    Interest, fees and penalties of it stand in the first of them. Raises InvalidInput if none is to come.
    """
    coming = loan.to_come()
    if not coming:
        raise InvalidInput("no instalment is to come over which to spread what is past due.", "Re-age the loan.")
    bearing = any(loan.interest.factor(period)[0] for period in coming)
    if not bearing:
        loan.refresh()
    shares = [period.owed[PRINCIPAL] - period.credited for period in coming]
    carried = _take_out(loan)
    _carry(loan, carried)
    late = carried[PRINCIPAL]
    if not loan.follows:
        loan.set_base(loan.base + late)
    loan.settle_base()
    if bearing:
        loan.replan()
    else:
        multiple, rounding = loan.terms.instalment_multiple_minor, loan.terms.rounding
        part = round_fraction(Fraction(late, len(coming) * multiple), rounding) * multiple
        for period, share in zip(coming, shares, strict=True):
            period.level, period.fixed = None, share + part
        loan.refresh()
    return late


def carry(loan: Running, places: Sequence[int]) -> list[int]:
    """Costs that are due and not paid stand in the next instalment; returns them by component.

    Raises InvalidInput if no instalment is to come.
    """
    if not loan.to_come():
        raise InvalidInput("no instalment is to come into which to carry what is due.", "Re-age the loan.")
    carried = _take_out(loan, places)
    _carry(loan, carried)
    loan.settle_base()
    loan.refresh()
    return carried


def capitalise(loan: Running, places: Sequence[int]) -> list[int]:
    """Costs that are due and not paid become principal, spread over the instalments to come; returns them by component.

    Raises InvalidInput if no instalment is to come.
    """
    if not loan.to_come():
        raise InvalidInput("no instalment is to come over which to spread what is due.", "Re-age the loan.")
    costs = _take_out(loan, places)
    loan.principal += sum(costs)
    if not loan.follows:
        loan.set_base(loan.base + sum(costs))
    loan.settle_base()
    loan.replan()
    return costs


def _take_out(loan: Running, places: Sequence[int] = (PENALTY, FEE, INTEREST, PRINCIPAL)) -> list[int]:
    """Take what is unpaid out of closed periods; returns it by component. It stays owed."""
    total = [0, 0, 0, 0]
    for period in loan.periods[: loan.at]:
        moved = 0
        for place in places:
            open_ = period.owed[place] - period.paid[place]
            period.owed[place] -= open_
            period.posted[place] = min(period.posted[place], period.owed[place])
            total[place] += open_
            moved += open_
        if moved:
            period.moved[loan.day] = period.moved.get(loan.day, 0) + moved
    loan.behind -= total[PRINCIPAL]
    return total


def _carry(loan: Running, carried: Sequence[int]) -> None:
    """What was owed beside principal stands in the first instalment to come. It is in the ledger already."""
    first = asking(loan.to_come())
    for place in (PENALTY, FEE, INTEREST):
        first.posted[place] += carried[place]
    first.owed[PENALTY] += carried[PENALTY]
    first.charged += carried[FEE]
    loan.deferred += carried[INTEREST]


def move_due_day(
    loan: Running, from_due: date | None = None, to_due: date | None = None, due_day: int | None = None
) -> None:
    """Move the due day of an instalment to come, and with it the days of those after it.

    from_due: of the instalment; None for the next. to_due: its new day; or due_day: the day of the month of it and all
    later ones, the first such day on or after its old one that keeps the order. What is agreed stays; interest follows
    the days. Raises InvalidInput if there is no such instalment or the new day does not come after the one before it.
    """
    coming = loan.to_come()
    place = next((n for n, period in enumerate(coming) if from_due is None or period.due == from_due.toordinal()), None)
    if not coming:
        raise InvalidInput("no instalment is to come whose due day could move.", "Re-age the loan.")
    if place is None:
        raise InvalidInput(
            f"`from_due_on` is {from_due}; no instalment to come falls due then.",
            f"Allowed: {', '.join(str(date.fromordinal(period.due)) for period in coming)}.",
        )
    moved, later = coming[place], coming[place + 1 :]
    earliest = date.fromordinal(max(moved.start, loan.day))
    if to_due is None:
        if due_day is None:
            raise InvalidInput("a moved due day lacks both `to_due_on` and `due_day`.", "Give one of them.")
        to_due = _next_such_day(date.fromordinal(moved.due), due_day, earliest)
    if to_due <= earliest:
        raise InvalidInput(f"`to_due_on` is {to_due}.", f"Allowed: a day after {earliest}.")
    rule = replace(loan.terms.due, due_day=None)
    seed = to_due if due_day is None else month_day(month_of(to_due), due_day)
    days = [rolled(rule, to_due), *(rolled(rule, _later(rule, seed, due_day, n)) for n in range(1, len(later) + 1))]
    start = moved.start
    for n, (period, due) in enumerate(zip([moved, *later], days, strict=True)):
        period.start, period.due, period.factor = start, due.toordinal(), None
        period.whole = year_part(loan.terms, date.fromordinal(start), due, regular=n > 0)
        start = period.due
    loan.refresh()


def _later(rule: DueRule, seed: date, due_day: int | None, n: int) -> date:
    return nominal(rule if due_day is None else replace(rule, due_day=due_day), seed, n)


def _next_such_day(old: date, day: int, earliest: date) -> date:
    number = month_of(old)
    while (found := month_day(number, day)) <= earliest or found < old:
        number += 1
    return found


def extend(loan: Running, extra: int) -> None:
    """`extra` more instalments after the last; what is left is spread over all that are to come.

    Raises InvalidInput if none is to come.
    """
    if not loan.to_come():
        raise InvalidInput("the last instalment is past.", "Re-age the loan.")
    _append(loan, extra)
    loan.replan()


def _append(loan: Running, extra: int) -> None:
    """More instalments after the last one, without amounts."""
    rule, terms = loan.terms.due, loan.terms
    last = max(loan.to_come(), key=lambda period: period.due)
    begin = date.fromordinal(last.due)
    days = [rolled(rule, nominal(rule, begin, n)) for n in range(1, extra + 1)]
    fresh = []
    for start, due in zip([begin, *days], days, strict=False):
        part = year_part(terms, start, due, regular=True)
        fresh.append(Period(start.toordinal(), due.toordinal(), part, Role.INSTALMENT))
    if terms.kind in (ScheduleKind.INTEREST_FIRST, ScheduleKind.BULLET):
        for period in [last, *fresh][:-1]:
            period.grace = True
            period.deferred |= terms.kind is ScheduleKind.BULLET
    place = loan.periods.index(last) + 1
    loan.periods[place:place] = fresh


def holiday(loan: Running, until: date, *, interest: bool) -> None:
    """Instalments that fall due up to `until` ask for nothing, and as many follow after the last.

    interest: it goes on, and is due with the first instalment after; else there is none from the day after `loan.day`
    to `until`. Raises InvalidInput if no instalment is to come.
    """
    coming = loan.to_come()
    if not coming:
        raise InvalidInput("the last instalment is past; there is none to hold.", "Re-age the loan.")
    held = [period for period in coming if period.due <= until.toordinal()]
    if not interest:
        loan.interest.pause(loan.day + 1, until.toordinal())
    for period in held:
        period.grace = period.deferred = True
    if held:
        _append(loan, len(held))
    loan.replan()


def settle(loan: Running, amount: int, by: date) -> None:
    """Once `amount` is paid by a day, what is left is waived. Until then no interest is counted; if it is not paid, the
    loan goes on as it was."""
    loan.settle_left, loan.settle_by = amount, by.toordinal()
    loan.interest.pause(loan.day + 1, by.toordinal())
    loan.refresh()
