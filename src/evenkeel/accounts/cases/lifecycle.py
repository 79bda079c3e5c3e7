"""Lifecycles: a product's loan, its events one after the other, and the state after each as the file writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from evenkeel.accounts.allocation import Rule
from evenkeel.accounts.cases.conventions import (
    FUTURES,
    REFUNDS,
    Product,
    Reading,
    order_of,
    product_of,
    refund_rules,
)  # fmt: skip
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
)  # fmt: skip
from evenkeel.accounts.facts import AccountFact, FactKind
from evenkeel.accounts.loan.fold import Instalment, LoanState, fold
from evenkeel.accounts.loan.running import LoanRules, Transaction
from evenkeel.accounts.loan.schedule import Role, schedule
from evenkeel.accounts.loan.terms import FeeBase, InstalmentFee, InterestMethod, Recalculation
from evenkeel.kernel.errors import InvalidInput

_TYPES = {
    "disbursement": "Disbursement", "down_payment": "Down Payment", "payment": "Repayment",
    "refund_goodwill": "Goodwill Credit", "refund_merchant": "Merchant Issued Refund",
    "refund_payout": "Payout Refund", "chargeback": "Chargeback", "re_age": "Re-age", "re_amortise": "Re-amortize",
}  # fmt: skip
_UNITS = {"DAYS": "days", "WEEKS": "weeks", "MONTHS": "months"}
# What the loan balance beside a change of terms is written as.
_NO_BALANCE = ("re_age", "re_amortise")


@dataclass(slots=True)
class Lifecycle:
    """A case under one reading, moved on event by event."""

    product: Product
    reading: Reading
    rules: LoanRules
    facts: list[AccountFact] = field(default_factory=list)
    undone: list[Transaction] = field(default_factory=list)
    today: date | None = None  # the business date
    done_until: date | None = None  # the last day up to which something was done
    count: int = 0  # of facts so far

    @classmethod
    def begin(cls, product: Product, reading: Reading) -> Lifecycle:
        """The loan before its first event."""
        terms = reading.terms
        if product.fee_share:
            terms = replace(terms, fee=InstalmentFee(product.fee_share, FeeBase.INSTALMENT))
        return cls(product, reading, LoanRules(terms, reading.allocation))

    # ---- Events ----------------------------------------------------------------------------------------------------

    def apply(self, event: Record) -> None:
        """One event. Raises Unsupported where it, or what it does to this loan, is not understood."""
        kind = str(given(event, "type", "an event")).strip().lower().replace(" ", "_").replace("-", "_")
        handler = _HANDLERS.get(kind)
        if handler is None:
            raise Unsupported(f"events of type {kind} are not understood.")
        handler(self, {name: value for name, value in event.items() if name != "type"})

    def business_date(self, event: Record) -> None:
        """The day on which what follows is done."""
        known(event, ("date",), "a business date")
        self.today = day(event, "date", "a business date")

    def close_of_business(self, event: Record) -> None:
        """Late principal is charged up to the business date."""
        known(event, (), "a close of business")
        self._done(self._today())

    def rule(self, event: Record) -> None:
        """Another allocation rule of the product, for loans made from then on."""
        if self.facts:
            return  # this loan keeps the rules it was made with; what follows is checked in `_fact`
        lists = [name for name, value in event.items() if isinstance(value, list | tuple)]
        known(event, ("transaction", "future_installment_allocation", *lists), "an allocation rule")
        kind = str(given(event, "transaction", "an allocation rule")).upper()
        future = FUTURES.get(str(event.get("future_installment_allocation", "NEXT_INSTALLMENT")))
        if future is None or len(lists) > 1 or not self.product.advanced_allocation:
            raise Unsupported(f"the allocation rule {dict(event)} is not understood.")
        allocation = self.rules.allocation
        order = order_of(event[lists[0]], "an allocation rule") if lists else allocation.default.order
        if kind == "DEFAULT":
            by_type = refund_rules(order) if lists else allocation.by_type
            allocation = replace(allocation, default=Rule(order, future), by_type=by_type)
        elif kind in REFUNDS:
            allocation = replace(allocation, by_type={**allocation.by_type, REFUNDS[kind]: Rule(order, future)})
        else:
            raise Unsupported(f"the allocation rule is for {kind}, which is not understood.")
        self.rules = replace(self.rules, allocation=allocation)

    def disburse(self, event: Record) -> None:
        """Principal is paid out."""
        known(event, ("date", "amount"), "a disbursement")
        on = day(event, "date", "a disbursement")
        if not self.facts:
            self.facts.append(AccountFact("opened", FactKind.OPENED, on))
        elif self.product.cumulative:
            raise Unsupported("a second disbursement of this kind of loan is not shown by any case.")
        elif any(row.due_on == on for row in self._state(on).instalments):
            raise Unsupported("how a disbursement on a due day is listed is not shown by any case.")
        amount = minor(event, "amount", "a disbursement")
        self._check_whole_units(amount)
        self._fact(FactKind.DISBURSEMENT, on, amount)

    def _check_whole_units(self, amount: int) -> None:
        """Of products without interest but one, no case shows whether their first instalments are whole units."""
        terms = self.rules.terms
        if self.product.cumulative or terms.rate_annual or terms.instalment_multiple_minor > 1:
            return
        down = amount * terms.down_payment_share
        if (down / 100).denominator != 1 or ((amount - down) / (100 * terms.instalments)).denominator != 1:
            raise Unsupported("whether instalments of this product are whole units is not shown by any case.")

    def repay(self, event: Record) -> None:
        """A payment of the borrower."""
        known(event, ("date", "amount"), "a repayment")
        on, amount = day(event, "date", "a repayment"), minor(event, "amount", "a repayment")
        self._check_cumulative(on, amount)
        self._fact(FactKind.PAYMENT, on, amount)

    def pay_off(self, event: Record) -> None:
        """A payment of all that is owed."""
        known(event, ("date",), "a payoff")
        if self.product.cumulative and self.rules.terms.recalculated:
            raise Unsupported("a payoff of this kind of loan is not shown by any case.")
        on = day(event, "date", "a payoff")
        self._fact(FactKind.PAYMENT, on, self._state(on).payoff_minor)

    def refund(self, event: Record, by: str) -> None:
        """A refund by a merchant, out of goodwill, or paid out."""
        known(event, ("date", "amount"), f"a {by} refund")
        if not self.product.advanced_allocation:
            raise Unsupported("refunds under this allocation are not shown by any case.")
        on = day(event, "date", f"a {by} refund")
        self._fact(FactKind.REFUND, on, minor(event, "amount", f"a {by} refund"), by=by)

    def charge_back(self, event: Record) -> None:
        """A payment is taken back."""
        known(event, ("amount", "of_payment_nr", "date"), "a chargeback")
        if self.rules.terms.rate_annual:
            raise Unsupported("a chargeback of a loan that bears interest is not shown by any case.")
        on = day(event, "date", "a chargeback") if event.get("date") else self._today()
        if any(row.role is Role.ADDED and row.due_on != on for row in self._state(on).instalments[-1:]):
            raise Unsupported("a second chargeback after the last instalment is not shown by any case.")
        payment = self._payment(whole(event, "of_payment_nr", "a chargeback"))
        amount = minor(event, "amount", "a chargeback")
        if amount > payment.amount_minor:
            raise Unsupported("a chargeback of more than the payment is not understood.")
        self._fact(FactKind.CHARGEBACK, on, amount, of=payment.fact_id)

    def undo(self, event: Record) -> None:
        """A payment never was."""
        known(event, ("date", "of_payment_nr", "payment_nr", "nr"), "an undoing")
        if self.rules.terms.recalculated:
            raise Unsupported("undoing a payment of a recalculated loan is not shown by any case.")
        numbers = [name for name in ("of_payment_nr", "payment_nr", "nr") if event.get(name) is not None]
        if len(numbers) != 1:
            raise Unsupported("which payment is undone is not said.")
        payment = self._payment(whole(event, numbers[0], "an undoing"))
        if event.get("date") and day(event, "date", "an undoing") != payment.effective_on:
            raise Unsupported("the payment that is undone is not of the day that is given.")
        on = self.done_until or payment.effective_on
        self.undone += [one for one in self._state(on).transactions if one.fact_id == payment.fact_id]
        self.facts.remove(payment)
        self._done(self.today or on)

    def re_age(self, event: Record) -> None:
        """All that is unpaid becomes new instalments."""
        known(event, ("frequencyNumber", "frequencyType", "startDate", "numberOfInstallments"), "a re-age")
        on, count = self._today(), whole(event, "numberOfInstallments", "a re-age")
        state = self._state(on)
        if self.rules.terms.rate_annual or any(row.interest_minor or row.fee_minor for row in state.instalments):
            raise Unsupported("a re-age of interest or fees is not shown by any case.")
        if not state.instalments or state.instalments[-1].due_on >= on:
            raise Unsupported("a re-age before the last instalment is past is not shown by any case.")
        if "AUTO" in self.product.name.split("_") and state.principal_minor % (count * 100):
            raise Unsupported("whether re-aged instalments of this product are whole units is not shown by any case.")
        unit = _UNITS.get(str(event.get("frequencyType")))
        if unit is None:
            raise Unsupported(f"a re-age in {event.get('frequencyType')!r} is not understood.")
        self._fact(
            FactKind.RE_AGE, on, instalments=count, first_due_on=day(event, "startDate", "a re-age"),
            every=whole(event, "frequencyNumber", "a re-age"), unit=unit,
        )  # fmt: skip

    def re_amortise(self, event: Record) -> None:
        """What is past due is spread over what is to come."""
        known(event, (), "a re-amortisation")
        on = self._today()
        state = self._state(on)
        if self.rules.terms.rate_annual or any(row.interest_minor or row.fee_minor for row in state.instalments):
            raise Unsupported("a re-amortisation of interest or fees is not shown by any case.")
        if any(row.due_on == on and row.open_minor for row in state.instalments):
            raise Unsupported(
                "whether what falls due on the day of a re-amortisation is moved is not shown by any case."
            )
        self._fact(FactKind.RE_AMORTISE, on)

    def reschedule(self, event: Record) -> None:
        """A due day is moved, or the rate changed from an instalment on."""
        where = "a reschedule"
        known(event, ("rescheduleFromDate", "submittedOnDate", "newInterestRate", "adjustedDueDate"), where)
        from_due = day(event, "rescheduleFromDate", where)
        state = self._state(self._today())
        row = next((one for one in state.instalments if one.due_on == from_due), None)
        if row is None or row.due_on <= self._today() or any(one.paid_minor for one in state.instalments):
            raise Unsupported(
                "a reschedule of an instalment that is past, or beside payments, is not shown by any case."
            )
        if (event.get("newInterestRate") is None) == (event.get("adjustedDueDate") is None):
            raise Unsupported("a reschedule of this kind is not shown by any case.")
        if self.rules.terms.rate_annual and self.rules.terms.interest is not InterestMethod.FLAT:
            raise Unsupported("a reschedule of declining interest is not shown by any case.")
        if event.get("newInterestRate") is None:
            self._fact(
                FactKind.DUE_DATE_MOVED, self._today(), from_due_on=from_due,
                to_due_on=day(event, "adjustedDueDate", where),
            )  # fmt: skip
        else:
            rate = number(event, "newInterestRate", where) / 100
            self._fact(FactKind.RATE_CHANGED, row.start_on + timedelta(days=1), rate_annual=rate)

    # ---- What events need ------------------------------------------------------------------------------------------

    def _today(self) -> date:
        if self.today is None:
            raise Unsupported("no business date is set.")
        return self.today

    def _done(self, on: date) -> None:
        self.done_until = max(self.done_until or on, on)

    def _fact(self, kind: FactKind, on: date, amount: int = 0, **details: object) -> None:
        if not self.facts:
            raise Unsupported("something is done before the loan is paid out.")
        if self.today is not None and on > self.today and kind is not FactKind.RATE_CHANGED:
            raise Unsupported(f"something is done on {on}, after the business date {self.today}.")
        self.count += 1
        self.facts.append(AccountFact(f"f{self.count}", kind, on, amount, details))
        late = self.reading.charged_until_today or kind is FactKind.RATE_CHANGED
        self._done(max(on, self.today or on) if late else on)

    def _payment(self, place: int) -> AccountFact:
        payments = [fact for fact in self.facts if fact.kind is FactKind.PAYMENT]
        if not 1 <= place <= len(payments):
            raise Unsupported(f"there is no payment {place}.")
        return payments[place - 1]

    def _check_cumulative(self, on: date, amount: int) -> None:
        """Only payments of kinds that cases show are understood for the recalculated loans of the older engine."""
        terms = self.rules.terms
        if not (self.product.cumulative and terms.recalculated):
            return
        state = self._state(on)
        late = sum(row.open_minor for row in state.instalments if row.due_on < on)
        due = sum(row.open_minor for row in state.instalments if row.due_on == on)
        coming = next((row for row in state.instalments if row.due_on > on), None)
        if self.done_until is not None and on < self.done_until:
            raise Unsupported("a payment dated before another of this kind of loan is not shown by any case.")
        if coming is None:
            raise Unsupported("a payment after the last instalment of this kind of loan is not shown by any case.")
        if terms.recalculation is Recalculation.AS_INSTALMENTS:
            if due or amount > (late or coming.open_minor):
                raise Unsupported("a payment of this size for this kind of loan is not shown by any case.")
        elif late and (amount > late or due or coming.start_on != _last_due(state, on) or _late_rows(state, on) > 1):
            raise Unsupported("a late payment of this size for this kind of loan is not shown by any case.")
        elif not late and not due and amount < coming.due_minor - coming.interest_minor:
            raise Unsupported("a partial payment in advance of this kind of loan is not shown by any case.")

    def _state(self, on: date) -> LoanState:
        try:
            return fold(self.rules, self.facts, max(on, self.done_until or on), strict=True)
        except InvalidInput as error:
            raise Unsupported(str(error)) from None

    # ---- States ----------------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """What is shown after the events so far."""
        if not self.facts:
            return self._planned()
        state = self._state(self.facts[0].effective_on)
        rows = _rows(state)
        return {
            "schedule": rows,
            "total": _total(rows),
            "transactions": self._transactions(state),
            "outstanding_amount": major(sum(row.open_minor for row in state.instalments)),
        }

    def _planned(self) -> dict[str, Any]:
        """The schedule of a loan that is agreed and not paid out."""
        terms, principal = self.rules.terms, self.product.principal_minor
        rows: list[dict[str, Any]] = [
            {"Date": self.product.submitted.isoformat(), "Balance of loan": major(principal), "Fees": 0.0, "Due": 0.0,
             "Outstanding": 0.0}
        ]  # fmt: skip
        for place, row in enumerate(schedule(terms, principal, self.product.submitted), 1):
            due = row.due_minor
            rows.append(
                {"Nr": float(place), "Days": float((row.due_on - row.start_on).days), "Date": row.due_on.isoformat(),
                 "Balance of loan": major(row.balance_minor), "Principal due": major(row.principal_minor),
                 "Interest": major(row.interest_minor), "Fees": major(row.fee_minor), "Penalties": 0.0,
                 "Due": major(due), "Paid": 0.0, "In advance": 0.0, "Late": 0.0, "Outstanding": major(due)}
            )  # fmt: skip
        return {"schedule": rows, "total": _total(rows), "transactions": [], "outstanding_amount": 0.0}

    def _transactions(self, state: LoanState) -> list[dict[str, Any]]:
        shown = [(one, "false") for one in state.transactions if one.kind in _TYPES]
        shown += [(one, "true") for one in self.undone]
        shown.sort(key=lambda entry: (entry[0].on, int(entry[0].fact_id[1:])))
        return [
            {
                "Transaction date": one.on.isoformat(), "Transaction Type": _TYPES[one.kind],
                "Amount": major(one.amount_minor), "Principal": major(one.principal_minor),
                "Interest": major(one.interest_minor), "Fees": major(one.fee_minor),
                "Penalties": major(one.penalty_minor),
                "Loan Balance": 0.0 if one.kind in _NO_BALANCE else major(one.balance_minor), "Reverted": reverted,
            }
            for one, reverted in shown
        ]  # fmt: skip


def _last_due(state: LoanState, on: date) -> date | None:
    return max((row.due_on for row in state.instalments if row.due_on <= on), default=None)


def _late_rows(state: LoanState, on: date) -> int:
    return sum(row.open_minor > 0 for row in state.instalments if row.due_on < on)


def _rows(state: LoanState) -> list[dict[str, Any]]:
    """Disbursements and instalments in order of days, as the file writes them."""
    paid_out = [one for one in state.transactions if one.kind == "disbursement"]
    rows: list[dict[str, Any]] = []
    balance = 0

    def disbursed(until: date | None) -> int:
        total = 0
        while paid_out and (until is None or paid_out[0].on < until or (paid_out[0].on == until and not rows)):
            one = paid_out.pop(0)
            total += one.amount_minor
            rows.append(
                {"Date": one.on.isoformat(), "Balance of loan": major(one.amount_minor), "Fees": 0.0, "Due": 0.0,
                 "Paid": 0.0}
            )  # fmt: skip
        return total

    before = state.instalments[0].start_on
    for row in state.instalments:
        balance += disbursed(row.due_on) + row.credited_minor - row.principal_minor
        rows.append(_row(row, balance, (row.due_on - before).days))
        before = row.due_on
    balance += disbursed(None)
    return rows


def _row(row: Instalment, balance: int, days: int) -> dict[str, Any]:
    shown: dict[str, Any] = {"Nr": float(row.seq), "Days": float(days), "Date": row.due_on.isoformat()}
    if row.paid_on is not None:
        shown["Paid date"] = row.paid_on.isoformat()
    return shown | {
        "Balance of loan": major(balance), "Principal due": major(row.principal_minor),
        "Interest": major(row.interest_minor), "Fees": major(row.fee_minor), "Penalties": major(row.penalty_minor),
        "Due": major(row.due_minor), "Paid": major(row.paid_minor), "In advance": major(row.in_advance_minor),
        "Late": major(row.late_minor), "Outstanding": major(row.open_minor),
    }  # fmt: skip


_SUMMED = (
    "Principal due", "Interest", "Fees", "Penalties", "Due", "Paid", "In advance", "Late", "Outstanding"
)  # fmt: skip


def _total(rows: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    instalments = [row for row in rows if "Nr" in row]
    return {name: major(sum(round(row[name] * 100) for row in instalments)) for name in _SUMMED}


def _refund_by(by: str) -> Callable[[Lifecycle, Record], None]:
    return lambda lifecycle, event: lifecycle.refund(event, by)


_HANDLERS: Mapping[str, Callable[[Lifecycle, Record], None]] = {
    "business_date": Lifecycle.business_date, "cob": Lifecycle.close_of_business, "rule": Lifecycle.rule,
    "disburse": Lifecycle.disburse, "repayment": Lifecycle.repay, "payoff": Lifecycle.pay_off,
    "goodwill_credit": _refund_by("goodwill"), "merchant_issued_refund": _refund_by("merchant"),
    "payout_refund": _refund_by("payout"), "chargeback": Lifecycle.charge_back, "undo": Lifecycle.undo,
    "undo_repayment": Lifecycle.undo, "re_age": Lifecycle.re_age, "re_amortize": Lifecycle.re_amortise,
    "reschedule": Lifecycle.reschedule,
}  # fmt: skip


def lifecycle_states(case: Record) -> list[dict[str, Any]]:
    """The state after every event of a case. Raises Unsupported."""
    product = product_of(inputs_of(case), str(case.get("source", "")), case.get("unmodelled_steps") or [])
    events = events_of(case)
    runs: dict[bool, list[list[dict[str, Any]]]] = {False: [], True: []}
    for reading in product.readings:
        lifecycle = Lifecycle.begin(product, reading)
        states = []
        for event in events:
            lifecycle.apply(event)
            states.append(lifecycle.state())
        runs[reading.charged_until_today].append(states)
    return agreed(runs, product.open_questions)
