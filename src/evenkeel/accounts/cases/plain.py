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
    given,
    inputs_of,
    known,
    major,
    minor,
    number,
    one_of,
    rate,
    records_of,
    whole,
)
from evenkeel.accounts.daycount import DayCount, thirty_days
from evenkeel.accounts.duedates import DueRule, MonthEnd, Unit, nominal
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
_DOWN_PAYMENTS = (
    "down_payment_pct", "down_payment_percent", "down_payment_percentage", "downpayment_pct", "downpayment_percent"
)  # fmt: skip
_NAMED_AMOUNT = re.compile(r"[dD]isbursedAmt([0-9]+)")


# ---- The calculator alone ------------------------------------------------------------------------------------------


def unit_states(case: Record) -> list[dict[str, Any]]:
    """The rows after every event of a case of the calculator alone. Raises Unsupported."""
    inputs, events = inputs_of(case), records_of(case, "events", "the case")
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
    days = _periods(inputs)
    unit = one_of(inputs, "frequency", _UNITS, "the inputs")
    terms = LoanTerms(
        rate_annual=rate(inputs, "annual_rate_pct", "the inputs"), instalments=len(days),
        due=DueRule(whole(inputs, "repay_every", "the inputs"), unit), day_count=_day_count(inputs),
        instalment_multiple_minor=multiple, rounding=Rounding.HALF_EVEN,
        interest_rounding=InterestRounding.EACH_PIECE, recalculation=Recalculation.NONE,
    )  # fmt: skip
    if terms.day_count is DayCount.THIRTY_360 and unit is Unit.MONTHS:
        for start, due in days:
            if due != nominal(terms.due, start, 1) and due != nominal(
                terms.due, days[0][0], days.index((start, due)) + 1
            ):
                raise Unsupported(f"the period from {start} to {due} is not of {terms.due.every} months.")
    return terms, days


def _periods(inputs: Record) -> list[tuple[date, date]]:
    """Pairs of a first day and a due day, each beginning where the one before ends."""
    pairs = given(inputs, "periods", "the inputs")
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs) or not pairs:
        raise Unsupported("the inputs: `periods` is no list of pairs of days.")
    days = [(day({"start": start}, "start", "a period"), day({"due": due}, "due", "a period")) for start, due in pairs]
    if any(start >= due for start, due in days) or any(one[1] != other[0] for one, other in pairwise(days)):
        raise Unsupported("the inputs: `periods` do not follow each other.")
    return days


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
    total = sum(minor(event, "amount", "a disbursement") for event in events if event.get("type") == "disburse")
    if named and total != int(named[1]) * 100:
        raise Unsupported(f"its source is named after {named[1]} paid out, but its events pay out {major(total):g}.")


def _unit_rows(terms: LoanTerms, days: list[tuple[date, date]], events: list[Record]) -> list[dict[str, Any]]:
    loan = Running(LoanRules(terms))
    loan.periods = [
        Period(start.toordinal(), due.toordinal(), year_part(terms, start, due, regular=True)) for start, due in days
    ]
    loan.mark = loan.periods[0].start
    loan.reach(loan.mark)
    paid_out: list[tuple[int, int]] = []
    breaks: set[int] = set()
    for event in sorted(events, key=_event_day):
        on = _event_day(event).toordinal()
        if not loan.periods[0].start <= on < loan.periods[-1].due:
            raise Unsupported("an event lies outside the periods.")
        kind = given(event, "type", "an event")
        if kind == "disburse":
            known(event, ("type", "date", "amount"), "a disbursement")
            amount = minor(event, "amount", "a disbursement")
            loan.advance(on)
            loan.touch()
            loan.disburse("", amount)
            paid_out.append((on, amount))
            breaks.add(on)
        elif kind == "change_rate":
            known(event, ("type", "date", "annual_rate_pct"), "a change of rate")
            loan.advance(on - 1)
            change_rate(loan, on, rate(event, "annual_rate_pct", "a change of rate"))
            breaks.add(on - 1)
        else:
            raise Unsupported(f"events of type {kind} are not understood here.")
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
    inputs, events = inputs_of(case), records_of(case, "events", "the case")
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
    recalculation, month_end = Recalculation.NONE, MonthEnd.CLAMP
    if inputs.get("interest_recalculation") is not None:
        recalculation = one_of(inputs, "interest_recalculation", {"daily": Recalculation.DAILY}, "the inputs")
    if inputs.get("month_end") is not None:
        month_end = one_of(inputs, "month_end", _MONTH_ENDS, "the inputs")
    if not re.fullmatch("[0-9]{1,4}", every):
        raise Unsupported(f"the inputs: `repay_every` is {inputs['repay_every']!r}; it is such as `2 weeks`.")
    grace = whole(inputs, "grace_principal", "the inputs") if inputs.get("grace_principal") is not None else 0
    down = [name for name in _DOWN_PAYMENTS if inputs.get(name) is not None]
    share = number(inputs, down[0], "the inputs") / 100 if down else Fraction(0)
    try:
        return LoanTerms(
            rate_annual=rate(inputs, "annual_rate_pct", "the inputs"),
            instalments=whole(inputs, "n_repayments", "the inputs", 1),
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
            known(event, ("type", "date"), "a business date")
            self.today = day(event, "date", "a business date")
        elif kind == "disburse":
            self._disburse(event)
        elif not self.facts:
            raise Unsupported("something is done before the loan is paid out.")
        elif kind == "repayment":
            known(event, ("type", "date", "amount"), "a repayment")
            self._check_rate_change()
            self._add(FactKind.PAYMENT, day(event, "date", "a repayment"), minor(event, "amount", "a repayment"))
        elif kind == "change_rate":
            known(event, ("type", "date", "effective", "annual_rate_pct"), "a change of rate")
            name = "date" if event.get("date") is not None and event.get("effective") is None else "effective"
            on = day(event, name, "a change of rate")
            self._add(FactKind.RATE_CHANGED, on, rate_annual=rate(event, "annual_rate_pct", "a change of rate"))
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
        amount = minor(event, "amount", "a disbursement")
        before = sum(fact.amount_minor for fact in self.facts if fact.kind is FactKind.DISBURSEMENT)
        if before + amount > minor(self.inputs, "principal", "the inputs"):
            raise Unsupported("more is paid out than the inputs' `principal`.")
        if not self.facts:
            if on != day(self.inputs, "disbursed", "the inputs"):
                raise Unsupported(f"the first amount is paid out on {on}, and the inputs' `disbursed` is another day.")
            self.facts.append(AccountFact("opened", FactKind.OPENED, on))
        elif any(row.due_on == on for row in self._fold().instalments):
            raise Unsupported("a second disbursement on a due day is not shown by any case.")
        elif self.rules.terms.recalculated and self._has(FactKind.PAYMENT):
            raise Unsupported("the instalment after a payment and another disbursement is not computed with certainty.")
        self._add(FactKind.DISBURSEMENT, on, amount)

    def _has(self, kind: FactKind) -> bool:
        return any(fact.kind is kind for fact in self.facts)

    def _check_rate_change(self) -> None:
        """A change of rate may leave money paid in advance; what the next payment pays then no case shows."""
        if self._has(FactKind.RATE_CHANGED) and any(row.in_advance_minor for row in self._fold().instalments):
            raise Unsupported("a payment after a change of rate that left money in advance is not shown by any case.")

    def _reschedule(self, event: Record) -> None:
        known(event, ("type", "submitted", "from_due", "to_due"), "a reschedule")
        submitted, from_due, to_due = (day(event, name, "a reschedule") for name in ("submitted", "from_due", "to_due"))
        terms = self.rules.terms
        if terms.recalculated or self._has(FactKind.PAYMENT):
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
        state = self._fold()
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
    for series in records_of(case, "payments", "the case"):
        known(series, ("n", "amount", "first", "every"), "a series of payments")
        count, amount = whole(series, "n", "a series", 1), minor(series, "amount", "a series")
        first = day(series, "first", "a series")
        # One payment needs no interval.
        every = "1M" if count == 1 and series.get("every") is None else str(given(series, "every", "a series"))
        try:
            flows += [Flow(on, -amount) for on in due_dates(first, count, every)]
        except InvalidInput as error:
            raise Unsupported(str(error)) from None
    try:
        return float(regz_apr(flows).percent)
    except InvalidInput as error:
        raise Unsupported(str(error)) from None
