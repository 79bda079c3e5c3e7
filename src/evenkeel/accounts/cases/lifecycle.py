"""Lifecycles: a product's loan, its events one after the other, and the state after each as the file writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import Any

from evenkeel.accounts.allocation import Future, Rule
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
    given,
    inputs_of,
    known,
    major,
    minor,
    one_of,
    rate,
    records_of,
    whole,
)  # fmt: skip
from evenkeel.accounts.facts import RESTRUCTURINGS, AccountFact, FactKind
from evenkeel.accounts.loan.fold import Instalment, LoanState, fold
from evenkeel.accounts.loan.running import LoanRules, Transaction
from evenkeel.accounts.loan.schedule import Role, schedule
from evenkeel.accounts.loan.terms import FeeBase, InstalmentFee, InterestMethod, Prepayment, Recalculation
from evenkeel.kernel.errors import InvalidInput

_TYPES = {
    "disbursement": "Disbursement", "down_payment": "Down Payment", "payment": "Repayment",
    "refund_goodwill": "Goodwill Credit", "refund_merchant": "Merchant Issued Refund",
    "refund_payout": "Payout Refund", "chargeback": "Chargeback", "re_age": "Re-age", "re_amortise": "Re-amortize",
}  # fmt: skip
_UNITS = {"DAYS": "days", "WEEKS": "weeks", "MONTHS": "months"}
# What the loan balance beside a change of terms is written as.
_NO_BALANCE = ("re_age", "re_amortise")
# Facts that a reschedule dates forward, to the instalment from which it holds.
_FROM_AN_INSTALMENT_ON = (FactKind.RATE_CHANGED, FactKind.TERM_EXTENDED)


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
        lists = [name for name, value in event.items() if isinstance(value, list | tuple)]
        known(event, ("transaction", "future_installment_allocation", *lists), "an allocation rule")
        kind = str(given(event, "transaction", "an allocation rule")).upper()
        future = one_of(event, "future_installment_allocation", FUTURES, "an allocation rule")
        if self.facts:
            return  # this loan keeps the rules it was made with
        if len(lists) > 1 or not self.product.advanced_allocation:
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
        elif self._follows and any(row.paid_minor for row in self._state(on).instalments):
            raise Unsupported("the instalment after a payment and another disbursement is not computed with certainty.")
        amount = minor(event, "amount", "a disbursement")
        before = sum(fact.amount_minor for fact in self.facts if fact.kind is FactKind.DISBURSEMENT)
        if before + amount > self.product.principal_minor:
            raise Unsupported("more is paid out than the loan's `principal`.")
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
        self._check_added(on)
        self._check_ahead("payment", on, amount)
        self._fact(FactKind.PAYMENT, on, amount)
        if self._follows and any(row.in_advance_minor and row.open_minor for row in self._state(on).instalments):
            raise Unsupported(
                "the numbers depend on what the file does not say: how a partial payment in advance is taken."
            )

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
        on, amount = day(event, "date", f"a {by} refund"), minor(event, "amount", f"a {by} refund")
        self._check_added(on)
        self._check_ahead(f"refund_{by}", on, amount)
        self._fact(FactKind.REFUND, on, amount, by=by)

    def charge_back(self, event: Record) -> None:
        """A payment is taken back."""
        known(event, ("amount", "of_payment_nr", "date"), "a chargeback")
        if self.rules.terms.rate_annual:
            raise Unsupported("a chargeback of a loan that bears interest is not shown by any case.")
        on = day(event, "date", "a chargeback") if event.get("date") is not None else self._today()
        amount = minor(event, "amount", "a chargeback")
        # Without interest it is principal that comes back, whichever payment it is of.
        named = event.get("of_payment_nr") is not None
        payments = [self._payment(whole(event, "of_payment_nr", "a chargeback"))] if named else self._payments()
        payment = next((one for one in payments if amount <= one.amount_minor), None)
        if payment is None:
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
        if event.get("date") is not None and day(event, "date", "an undoing") != payment.effective_on:
            raise Unsupported("the payment that is undone is not of the day that is given.")
        self._take_back(payment)

    def undo_change(self, event: Record, kind: FactKind) -> None:
        """A re-age or a re-amortisation never was."""
        known(event, ("date",), "an undoing")
        latest = next((fact for fact in reversed(self.facts) if fact.kind in RESTRUCTURINGS), None)
        if latest is None or latest.kind is not kind:
            raise Unsupported(f"the latest change of terms is no {kind}, so that there is none to undo.")
        self._take_back(latest)

    def _take_back(self, fact: AccountFact) -> None:
        on = self.done_until or fact.effective_on
        self.undone += [one for one in self._state(on).transactions if one.fact_id == fact.fact_id]
        self.facts.remove(fact)
        self._done(self.today or on)

    def re_age(self, event: Record) -> None:
        """All that is unpaid becomes new instalments."""
        known(event, ("frequencyNumber", "frequencyType", "startDate", "numberOfInstallments"), "a re-age")
        on, count = self._today(), whole(event, "numberOfInstallments", "a re-age", 1)
        state = self._state(on)
        if self.rules.terms.rate_annual or any(row.interest_minor or row.fee_minor for row in state.instalments):
            raise Unsupported("a re-age of interest or fees is not shown by any case.")
        if not state.instalments or state.instalments[-1].due_on >= on:
            raise Unsupported("a re-age before the last instalment is past is not shown by any case.")
        if "AUTO" in self.product.name.split("_") and state.principal_minor % (count * 100):
            raise Unsupported("whether re-aged instalments of this product are whole units is not shown by any case.")
        unit = one_of(event, "frequencyType", _UNITS, "a re-age")
        self._fact(
            FactKind.RE_AGE, on, instalments=count, first_due_on=day(event, "startDate", "a re-age"),
            every=whole(event, "frequencyNumber", "a re-age", 1), unit=unit,
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
        """A due day is moved, the rate changed from an instalment on, or what is left spread over more instalments."""
        where, kinds = "a reschedule", ("newInterestRate", "adjustedDueDate", "extraTerms")
        known(event, ("rescheduleFromDate", "submittedOnDate", *kinds), where)
        from_due = day(event, "rescheduleFromDate", where)
        state = self._state(self._today())
        row = next((one for one in state.instalments if one.due_on == from_due), None)
        paid = any(one.paid_minor for one in state.instalments if one.role is not Role.DOWN_PAYMENT)
        if row is None or row.due_on <= self._today() or paid:
            raise Unsupported(
                "a reschedule of an instalment that is past, or beside payments, is not shown by any case."
            )
        asked = [name for name in kinds if event.get(name) is not None]
        if len(asked) != 1:
            raise Unsupported(f"{where} asks for {' and '.join(asked) or 'nothing'}; it asks for one change.")
        if self.rules.terms.rate_annual and self.rules.terms.interest is not InterestMethod.FLAT:
            raise Unsupported("a reschedule of declining interest is not shown by any case.")
        later = row.start_on + timedelta(days=1)
        if asked == ["adjustedDueDate"]:
            to_due = day(event, "adjustedDueDate", where)
            self._fact(FactKind.DUE_DATE_MOVED, self._today(), from_due_on=from_due, to_due_on=to_due)
        elif asked == ["newInterestRate"]:
            self._fact(FactKind.RATE_CHANGED, later, rate_annual=rate(event, "newInterestRate", where))
        elif self.rules.terms.rate_annual:
            raise Unsupported("more instalments of a loan that bears interest are not shown by any case.")
        else:
            self._fact(FactKind.TERM_EXTENDED, later, instalments=whole(event, "extraTerms", where, 1))

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
        if self.today is not None and on > self.today and kind not in _FROM_AN_INSTALMENT_ON:
            raise Unsupported(f"something is done on {on}, after the business date {self.today}.")
        self.count += 1
        self.facts.append(AccountFact(f"f{self.count}", kind, on, amount, details))
        late = self.reading.charged_until_today or kind in _FROM_AN_INSTALMENT_ON
        self._done(max(on, self.today or on) if late else on)

    def _payments(self) -> list[AccountFact]:
        return [fact for fact in self.facts if fact.kind is FactKind.PAYMENT]

    def _payment(self, place: int) -> AccountFact:
        payments = self._payments()
        if not 1 <= place <= len(payments):
            raise Unsupported(f"there is no payment {place}.")
        return payments[place - 1]

    @property
    def _follows(self) -> bool:
        """Whether it is a loan of the newer engine whose interest follows what was paid."""
        terms = self.rules.terms
        return terms.recalculated and terms.rate_annual > 0 and not self.product.cumulative

    def _check_ahead(self, kind: str, on: date, amount: int) -> None:
        """Where interest follows what was paid, money in advance is understood if it pays one instalment."""
        due = sum(row.open_minor for row in self._state(on).instalments if row.due_on <= on)
        if self._follows and amount > due and self.rules.allocation.rule(kind).future is Future.RE_AMORTISE:
            raise Unsupported("money in advance for all instalments is not computed with certainty.")

    def _check_added(self, on: date) -> None:
        """Chargebacks after the last instalment are one instalment, which falls due with the latest of them."""
        added = [row for row in self._state(on).instalments if row.role is Role.ADDED]
        if added and added[-1].due_on == on and any(row.open_minor for row in added[:-1]):
            raise Unsupported("a payment on the day of a second chargeback is not shown by any case.")

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
        if terms.prepayment is Prepayment.NEXT_INSTALMENTS and amount > late + due and not due:
            raise Unsupported("a payment between due days of this kind of loan is not shown by any case.")
        if terms.recalculation is Recalculation.AS_INSTALMENTS:
            if amount > (late or due or coming.open_minor):
                raise Unsupported("a payment of this size for this kind of loan is not shown by any case.")
            return
        part = amount - late < coming.due_minor - coming.interest_minor
        first_of_all = terms.compounding and not any(row.paid_minor for row in state.instalments)
        several = _late_rows(state, on) > 1 and not first_of_all
        if late and (not part or due or coming.start_on != _last_due(state, on) or several):
            raise Unsupported("a late payment of this size for this kind of loan is not shown by any case.")
        if part and amount > late + due and coming.paid_minor:
            raise Unsupported("a second partial payment in advance of this kind of loan is not shown by any case.")

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
    for row in _one_added(state.instalments):
        balance += disbursed(row.due_on) + row.credited_minor - row.principal_minor
        rows.append(_row(row, balance, (row.due_on - before).days))
        before = row.due_on
    balance += disbursed(None)
    return rows


def _one_added(rows: Sequence[Instalment]) -> list[Instalment]:
    """The instalments, with what chargebacks after the last one ask for as one that falls due with the latest of them.

    400 paid back by 16 October; 100 charged back on 25 October and on 1 November, 100 paid between: 200 are due on 1
    November, 100 of them paid, and late (LoanChargeback.feature, C2876).
    """
    added = [row for row in rows if row.role is Role.ADDED]
    if len(added) < 2:
        return list(rows)
    first, last = added[0], added[-1]
    sums = {name: sum(getattr(row, name) for row in added) for name in _ADDABLE}
    paid_on = None if any(row.open_minor for row in added) else last.paid_on
    one = last._replace(seq=first.seq, paid_on=paid_on, **sums)
    return [row for row in rows if row.role is not Role.ADDED] + [one]


_ADDABLE = (
    "principal_minor", "principal_paid_minor", "credited_minor", "in_advance_minor", "late_minor"
)  # fmt: skip


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


def _undo_of(kind: FactKind) -> Callable[[Lifecycle, Record], None]:
    return lambda lifecycle, event: lifecycle.undo_change(event, kind)


_HANDLERS: Mapping[str, Callable[[Lifecycle, Record], None]] = {
    "business_date": Lifecycle.business_date, "cob": Lifecycle.close_of_business, "rule": Lifecycle.rule,
    "disburse": Lifecycle.disburse, "repayment": Lifecycle.repay, "payoff": Lifecycle.pay_off,
    "goodwill_credit": _refund_by("goodwill"), "merchant_issued_refund": _refund_by("merchant"),
    "payout_refund": _refund_by("payout"), "chargeback": Lifecycle.charge_back, "undo": Lifecycle.undo,
    "undo_repayment": Lifecycle.undo, "re_age": Lifecycle.re_age, "re_amortize": Lifecycle.re_amortise,
    "reschedule": Lifecycle.reschedule,
    **dict.fromkeys(("undo_re_age", "undo_re_aging", "re_age_undo"), _undo_of(FactKind.RE_AGE)),
    **dict.fromkeys(
        ("undo_re_amortize", "undo_re_amortization", "re_amortize_undo"), _undo_of(FactKind.RE_AMORTISE)
    ),
}  # fmt: skip


def lifecycle_states(case: Record) -> list[dict[str, Any]]:
    """The state after every event of a case. Raises Unsupported."""
    product = product_of(inputs_of(case), str(case.get("source", "")), case.get("unmodelled_steps", []))
    events = records_of(case, "events", "the case")
    runs: dict[bool, list[list[dict[str, Any]]]] = {False: [], True: []}
    for reading in product.readings:
        lifecycle = Lifecycle.begin(product, reading)
        states = []
        for event in events:
            lifecycle.apply(event)
            states.append(lifecycle.state())
        runs[reading.charged_until_today].append(states)
    return agreed(runs, product.open_questions)
