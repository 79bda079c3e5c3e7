"""Plain schedules: the calculator alone, schedules with a few events, and annual percentage rates."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from typing import Any

from evenkeel.accounts.cases.conventions import DAY_COUNTS, every_way, rounding_choices
from evenkeel.accounts.cases.document import (
    Record,
    Unsupported,
    agreed,
    day,
    events_of,
    given,
    inputs_of,
    known,
    major,
    minor,
    number,
    whole,
)
from evenkeel.accounts.daycount import DayCount, thirty_days
from evenkeel.accounts.duedates import DueRule, MonthEnd, Unit
from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.loan.fold import LoanState, fold
from evenkeel.accounts.loan.restructure import change_rate
from evenkeel.accounts.loan.running import LoanRules, Running
from evenkeel.accounts.loan.schedule import INTEREST, PRINCIPAL, Period, year_part
from evenkeel.accounts.loan.terms import InterestRounding, LoanTerms, Recalculation
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Rounding, round_fraction

_MONTH_ENDS = {"FIRST_DAY_OF_NEXT_MONTH": MonthEnd.FIRST_OF_NEXT, "LAST_DAY_OF_MONTH": MonthEnd.CLAMP}
_UNITS = {"DAYS": Unit.DAYS, "WEEKS": Unit.WEEKS, "MONTHS": Unit.MONTHS}
_DOWN_PAYMENTS = ("down_payment_pct", "down_payment_percent", "down_payment_percentage")
_NAMED_AMOUNT = re.compile(r"[dD]isbursedAmt([0-9]+)")


# ---- The calculator alone ------------------------------------------------------------------------------------------


def unit_states(case: Record) -> list[dict[str, Any]]:
    """The rows after every event of a case of the calculator alone. Raises Unsupported."""
    inputs, events = inputs_of(case), events_of(case)
    source = str(case.get("source", ""))
    terms, days = _unit_terms(inputs)
    _check_amounts(source, events)
    choices = rounding_choices(source, with_interest=True)
    runs = [
        [{"rows": _unit_rows(replace(terms, **settings), days, events[:n])} for n in range(1, len(events) + 1)]
        for settings in every_way(choices)
    ]
    return agreed({False: runs, True: []}, [question for question, _ in choices])


def _unit_terms(inputs: Record) -> tuple[LoanTerms, list[tuple[date, date]]]:
    names = ("annual_rate_pct", "day_count", "repay_every", "frequency", "installment_multiple_of", "business_date",
             "periods")  # fmt: skip
    known(inputs, names, "the inputs")
    multiple = 1
    if inputs.get("installment_multiple_of") is not None:
        multiple = minor(inputs, "installment_multiple_of", "the inputs")
    days = [
        (day({"start": start}, "start", "a period"), day({"due": due}, "due", "a period"))
        for start, due in given(inputs, "periods", "the inputs")
    ]
    unit = _UNITS.get(str(inputs.get("frequency")))
    if unit is None or any(one[1] != other[0] for one, other in pairwise(days)):
        raise Unsupported("the periods or their frequency are not understood.")
    terms = LoanTerms(
        rate_annual=number(inputs, "annual_rate_pct", "the inputs") / 100, instalments=len(days),
        due=DueRule(whole(inputs, "repay_every", "the inputs"), unit), day_count=_day_count(inputs),
        instalment_multiple_minor=multiple, rounding=Rounding.HALF_EVEN,
        interest_rounding=InterestRounding.EACH_PIECE, recalculation=Recalculation.NONE,
    )  # fmt: skip
    return terms, days


def _day_count(inputs: Record) -> DayCount:
    text = str(given(inputs, "day_count", "the inputs")).upper().replace("DAYS_", "")
    month, _, year = text.partition("/")
    found = DAY_COUNTS.get((month, year))
    if found is None:
        raise Unsupported(f"the day count {inputs['day_count']} is not understood.")
    return found


def _check_amounts(source: str, events: list[Record]) -> None:
    """Raises Unsupported where the amount in the name of the case's own source is not what its events pay out: then one
    of them was not taken over as it was."""
    named = _NAMED_AMOUNT.search(source)
    total = sum(number(event, "amount", "a disbursement") for event in events if event.get("type") == "disburse")
    if named and total != int(named[1]):
        raise Unsupported(f"its source is named after {named[1]} paid out, but its events pay out {total}.")


def _unit_rows(terms: LoanTerms, days: list[tuple[date, date]], events: list[Record]) -> list[dict[str, Any]]:
    loan = Running(LoanRules(terms))
    loan.periods = [
        Period(start.toordinal(), due.toordinal(), year_part(terms, start, due, regular=True)) for start, due in days
    ]
    loan.mark = loan.day = loan.periods[0].start
    paid_out: list[tuple[int, int]] = []
    breaks: set[int] = set()
    for event in sorted(events, key=_event_day):
        on = _event_day(event).toordinal()
        if not loan.periods[0].start <= on < loan.periods[-1].due:
            raise Unsupported("an event lies outside the periods.")
        if event.get("type") == "disburse":
            known(event, ("type", "date", "amount"), "a disbursement")
            amount = minor(event, "amount", "a disbursement")
            loan.advance(on)
            loan.touch()
            loan.disburse("", amount)
            paid_out.append((on, amount))
            breaks.add(on)
        elif event.get("type") == "change_rate":
            known(event, ("type", "date", "annual_rate_pct"), "a change of rate")
            loan.advance(on - 1)
            change_rate(loan, on, number(event, "annual_rate_pct", "a change of rate") / 100)
            breaks.add(on - 1)
        else:
            raise Unsupported(f"events of type {event.get('type')} are not understood here.")
    rows, balance = [], 0
    for place, period in enumerate(loan.periods, 1):
        balance += sum(amount for on, amount in paid_out if on <= period.due)
        paid_out = [(on, amount) for on, amount in paid_out if on > period.due]
        balance -= period.owed[PRINCIPAL]
        rows.append(
            {
                "period": place, "emi": major(period.owed[INTEREST] + period.owed[PRINCIPAL]),
                "rate_factor": _last_factor(loan, period, breaks), "interest": major(period.owed[INTEREST]),
                "principal": major(period.owed[PRINCIPAL]), "balance": major(balance),
            }
        )  # fmt: skip
    return rows


def _event_day(event: Record) -> date:
    return day(event, "date", "an event")


def _last_factor(loan: Running, period: Period, breaks: set[int]) -> float:
    """The interest of a unit of principal over the last stretch of a period, to twelve decimals."""
    since = max([period.start, *(on for on in breaks if period.start < on < period.due)])
    part = Fraction(*loan.interest.part(period, since, period.due)) * loan.interest.rate_after(since)
    return round_fraction(part * 10**12, Rounding.HALF_EVEN) / 10**12


# ---- Schedules with a few events -----------------------------------------------------------------------------------


def schedule_states(case: Record) -> list[dict[str, Any]]:
    """The schedule after every event of a case. Raises Unsupported."""
    inputs, events = inputs_of(case), events_of(case)
    terms = _schedule_terms(inputs)
    choices = rounding_choices(str(case.get("source", "")), with_interest=True)
    runs: dict[bool, list[list[dict[str, Any]]]] = {False: [], True: []}
    for settings in every_way(choices):
        for until_today, run in runs.items():
            facts = _Facts(replace(terms, **settings), inputs, until_today)
            run.append([facts.state_after(event) for event in events])
    return agreed(runs, [question for question, _ in choices])


def _schedule_terms(inputs: Record) -> LoanTerms:
    names = ("principal", "annual_rate_pct", "day_count", "disbursed", "repay_every", "n_repayments", "month_end",
             "grace_principal", "interest_recalculation", "outstanding", *_DOWN_PAYMENTS)  # fmt: skip
    known(inputs, names, "the inputs")
    every, _, unit = str(given(inputs, "repay_every", "the inputs")).partition(" ")
    recalculation = {None: Recalculation.NONE, "daily": Recalculation.DAILY}.get(inputs.get("interest_recalculation"))
    month_end = MonthEnd.CLAMP if inputs.get("month_end") is None else _MONTH_ENDS.get(str(inputs["month_end"]))
    if recalculation is None or month_end is None or not every.isdigit():
        raise Unsupported("the distance of instalments, month end or recalculation is not understood.")
    grace = whole(inputs, "grace_principal", "the inputs") if inputs.get("grace_principal") is not None else 0
    down = [name for name in _DOWN_PAYMENTS if inputs.get(name) is not None]
    share = number(inputs, down[0], "the inputs") / 100 if down else Fraction(0)
    try:
        return LoanTerms(
            rate_annual=number(inputs, "annual_rate_pct", "the inputs") / 100,
            instalments=whole(inputs, "n_repayments", "the inputs"),
            due=DueRule(int(every), Unit(unit.rstrip("s") + "s"), month_end=month_end),
            day_count=_day_count(inputs), grace_principal=grace, rounding=Rounding.HALF_EVEN,
            recalculation=recalculation, down_payment_share=share,
        )  # fmt: skip
    except ValueError as error:  # InvalidInput, or a unit that is not known
        raise Unsupported(str(error)) from None


class _Facts:
    """A schedule under one way of reading it, moved on event by event."""

    def __init__(self, terms: LoanTerms, inputs: Record, until_today: bool) -> None:
        self.rules, self.inputs, self.until_today = LoanRules(terms), inputs, until_today
        self.facts: list[AccountFact] = []
        self.today: date | None = None
        self.done_until: date | None = None

    def state_after(self, event: Record) -> dict[str, Any]:
        """The schedule once an event is added."""
        kind = given(event, "type", "an event")
        if kind == "business_date":
            self.today = day(event, "date", "a business date")
        elif kind == "disburse":
            self._disburse(event)
        elif not self.facts:
            raise Unsupported("something is done before the loan is paid out.")
        elif kind == "repayment":
            known(event, ("type", "date", "amount"), "a repayment")
            self._add(FactKind.PAYMENT, day(event, "date", "a repayment"), minor(event, "amount", "a repayment"))
        elif kind == "change_rate":
            known(event, ("type", "date", "effective", "annual_rate_pct"), "a change of rate")
            on = day(event, "effective" if event.get("effective") else "date", "a change of rate")
            self._add(FactKind.RATE_CHANGED, on, rate_annual=number(event, "annual_rate_pct", "a change of rate") / 100)
        elif kind == "reschedule":
            self._reschedule(event)
        else:
            raise Unsupported(f"events of type {kind} are not understood here.")
        return self._state()

    def _add(self, kind: FactKind, on: date, amount: int = 0, **details: object) -> None:
        self.facts.append(AccountFact(f"f{len(self.facts)}", kind, on, amount, details))
        until = max(on, self.today or on) if self.until_today else on
        self.done_until = max(self.done_until or until, until)

    def _disburse(self, event: Record) -> None:
        known(event, ("type", "date", "amount"), "a disbursement")
        on = day(event, "date", "a disbursement")
        if not self.facts:
            self.facts.append(AccountFact("opened", FactKind.OPENED, on))
        elif any(row.due_on == on for row in self._fold().instalments):
            raise Unsupported("a second disbursement on a due day is not shown by any case.")
        self._add(FactKind.DISBURSEMENT, on, minor(event, "amount", "a disbursement"))

    def _reschedule(self, event: Record) -> None:
        known(event, ("type", "submitted", "from_due", "to_due"), "a reschedule")
        submitted, from_due, to_due = (day(event, name, "a reschedule") for name in ("submitted", "from_due", "to_due"))
        terms = self.rules.terms
        if terms.recalculated or any(fact.kind is FactKind.PAYMENT for fact in self.facts):
            raise Unsupported("a reschedule beside payments or recalculation is not shown by any case.")
        row = next((one for one in self._fold().instalments if one.due_on == from_due), None)
        if row is None:
            raise Unsupported(f"no instalment falls due on {from_due}.")
        if terms.day_count is DayCount.THIRTY_360 and terms.due.unit is Unit.MONTHS:
            _check_stub(row.start_on, to_due)
        self._add(
            FactKind.DUE_DATE_MOVED,
            min(submitted, from_due - timedelta(days=1)),
            from_due_on=from_due,
            to_due_on=to_due,
        )

    def _fold(self) -> LoanState:
        try:
            first = self.facts[0].effective_on
            return fold(self.rules, self.facts, max(self.done_until or first, first), strict=True)
        except InvalidInput as error:
            raise Unsupported(str(error)) from None

    def _state(self) -> dict[str, Any]:
        if not self.facts:
            return {"schedule": [], "total_interest": 0.0}
        state, terms = self._fold(), self.rules.terms
        starts = [row.start_on.day for row in state.instalments[:1]]
        rolled = any(row.due_on.day not in starts for row in state.instalments)
        if rolled and terms.day_count is DayCount.THIRTY_360 and terms.due.month_end is MonthEnd.FIRST_OF_NEXT:
            raise Unsupported(
                "30/360 up to a due day that moved to the first of the next month is not shown by any case."
            )
        paid_out = [(one.on, one.amount_minor) for one in state.transactions if one.kind == "disbursement"]
        rows: list[dict[str, Any]] = []
        balance = 0
        for row in state.instalments:
            while paid_out and (paid_out[0][0] < row.due_on or not rows):
                balance += paid_out.pop(0)[1]
            balance -= row.principal_minor
            rows.append(
                {"due": row.due_on.isoformat(), "balance": major(balance), "principal": major(row.principal_minor),
                 "interest": major(row.interest_minor), "total_due": major(row.due_minor)}
            )  # fmt: skip
        interest = sum(row.interest_minor for row in state.instalments)
        open_ = sum(row.open_minor for row in state.instalments)
        return {"schedule": rows, "total_interest": major(interest), "outstanding": major(open_)}


def _check_stub(start: date, due: date) -> None:
    """Raises Unsupported where the month that is left over has two lengths: from its first day, or the calendar's."""
    days = thirty_days(start, due)
    if days.denominator != 1 and start.day != 1:
        raise Unsupported("30/360 with a part of a month that does not begin on the first is not shown by any case.")


# ---- Annual percentage rates ---------------------------------------------------------------------------------------


def apr(case: Record) -> float:
    """The annual percentage rate of an advance and its payments, in percent, to two decimals. Raises Unsupported."""
    from evenkeel.accounts.cost.flows import Flow, due_dates
    from evenkeel.accounts.cost.regz import regz_apr

    known(case, ("id", "source", "summary", "advance", "advance_date", "payments", "apr"), "the case")
    flows = [Flow(day(case, "advance_date", "the case"), minor(case, "advance", "the case"))]
    for series in given(case, "payments", "the case"):
        known(series, ("n", "amount", "first", "every"), "a series of payments")
        count, amount = whole(series, "n", "a series"), minor(series, "amount", "a series")
        first, every = day(series, "first", "a series"), str(series.get("every") or "1M")
        try:
            flows += [Flow(on, -amount) for on in due_dates(first, count, every)]
        except InvalidInput as error:
            raise Unsupported(str(error)) from None
    try:
        return float(regz_apr(flows).percent)
    except InvalidInput as error:
        raise Unsupported(str(error)) from None
