"""One line while it is folded: time by the kernel, facts by the rules of their kinds, every movement posted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from fractions import Fraction

from evenkeel.accounts.facts import RESTRUCTURINGS, AccountFact, FactKind
from evenkeel.accounts.ledger import (
    CASH,
    CLAIM,
    CLAIM_CONTRA,
    CREDIT,
    GUARANTOR,
    LOSS,
    RECOVERED,
    SOLD,
    WAIVED,
    Posting,
    income,
    receivable,
)  # fmt: skip
from evenkeel.accounts.line import kernel as k
from evenkeel.accounts.line.rules import LINE_SEGMENTS, LineRules, bill_place, calendar_code, calendar_of, units
from evenkeel.accounts.loan.schedule import level_payment
from evenkeel.accounts.products.model import Fee
from evenkeel.accounts.state import Bill
from evenkeel.accounts.words import COMPONENTS, Segment
from evenkeel.kernel.money import Rounding, round_fraction

_OWED = [[receivable(component, segment) for component in COMPONENTS] for segment in LINE_SEGMENTS]
_INCOME = [income(component) for component in COMPONENTS]
_WHY = {
    k.L_INTEREST: "interest", k.L_PENALTY: "penalty_interest", k.L_LATE_FEE: "late_fee",
    k.L_OVER_LIMIT: "over_limit_fee", k.L_PLAN_FEE: "instalment_fee", k.L_PLAN_INTEREST: "instalment_interest",
}  # fmt: skip


def legs(code: int, segment: int, component: int) -> tuple[str, str, str]:
    """The ledger accounts of what the kernel logged (not for bills): debit, credit, and why."""
    if code == k.L_CHARGE_OFF:
        return LOSS, _OWED[segment][component], "charge_off"
    if code == k.L_CREDIT:
        return CREDIT, _OWED[segment][component], "credit_used"
    return _OWED[segment][component], _INCOME[component], _WHY[code]


_SEGMENT_PLACE: dict[Segment, int] = {segment: place for place, segment in enumerate(LINE_SEGMENTS)}
UNBILLED_PLANS = k.cell(k.ADVANCE, k.INSTALMENT, k.PRINCIPAL)


@dataclass(slots=True)
class Hold:
    """An authorisation that keeps part of the limit until it is used, released or expires."""

    amount_minor: int
    expires_on: date


class Line:
    """The state of one line at the close of a day, moved on by `close` and `apply`.

    cells, v, dues, plans: as in the kernel. postings, bills: what happened since this object was made.
    """

    def __init__(self, rules: LineRules) -> None:
        self.rules = rules
        self.cells = [0] * k.CELLS
        self.v = [0] * k.VALUES
        self.dues = [0] * (k.MOST_DUES * k.DUE_WIDTH)
        self.plans: list[list[int]] = []
        self.holds: dict[str, Hold] = {}
        self.postings: list[Posting] = []
        self.bills: list[Bill] = []
        self.calendar: tuple[tuple[int, ...], tuple[int, ...]] = ((), ())  # days on which bills are cut and fall due
        self._log = [0] * (k.LOG_ROWS * k.LOG_WIDTH)
        self.v[k.LIMIT] = -1
        self.v[k.OVERRIDE : k.OVERRIDE + 4] = [-1] * 4

    def copy(self) -> Line:
        """The same line, to be moved on by itself; what happened before is not told again."""
        other = object.__new__(Line)
        other.rules, other.calendar, other._log = self.rules, self.calendar, self._log
        other.cells, other.v, other.dues = self.cells[:], self.v[:], self.dues[:]
        other.plans = [plan[:] for plan in self.plans]
        other.holds = dict(self.holds)
        other.postings, other.bills = [], []
        return other

    def open(self, fact: AccountFact) -> None:
        """Begin at the opening: nothing is owed."""
        v, cycle = self.v, self.rules.line.cycle
        own = {name: value for name, value in fact.details.items() if value is not None}
        v[k.LIMIT] = fact.count("limit_minor") if "limit_minor" in own else -1
        if "rate_annual" in own:
            v[k.OVERRIDE : k.OVERRIDE + 3] = [units(fact.rate("rate_annual"))] * 3
        v[k.CALENDAR] = calendar_code(
            fact.count("statement_day") if "statement_day" in own else cycle.statement_day,
            fact.count("due_day") if "due_day" in own else cycle.due_day,
        )
        self.set_calendar()
        v[k.BILL] = bill_place(self.calendar[0], fact.effective_on)
        v[k.CLOSED_ON] = v[k.ACCRUED_ON] = fact.effective_on.toordinal() - 1

    def set_calendar(self) -> None:
        """Take the calendar that `v` names."""
        self.calendar = calendar_of(self.rules.line.cycle, self.v[k.CALENDAR])

    def close(self, day: date) -> None:
        """Close every day up to `day`."""
        until = day.toordinal()
        cuts, due_days = self.calendar
        v, rules = self.v, self.rules
        while v[k.CLOSED_ON] < until:
            k.close_until(
                self.cells, v, self.dues, self.plans, 0, len(self.plans), rules.terms, rules.rates, cuts, due_days,
                self._log, until,
            )  # fmt: skip
            if v[k.LOGGED]:
                self._tell(date.fromordinal(v[k.CLOSED_ON]))
        if self.holds:
            self.holds = {name: hold for name, hold in self.holds.items() if hold.expires_on > day}

    def _tell(self, on: date, fact_id: str = "") -> None:
        """Post what the kernel logged; with the fact that called for it, where it was one."""
        log = self._log
        charged_off = 0
        for place in range(0, self.v[k.LOGGED] * k.LOG_WIDTH, k.LOG_WIDTH):
            code, segment, component, amount = log[place : place + k.LOG_WIDTH]
            if code == k.L_BILL:
                self._keep_bill(on, amount)
            else:
                debit, credit, why = legs(code, segment, component)
                self._move(on, fact_id, debit, credit, amount, why)
                charged_off += amount if code == k.L_CHARGE_OFF else 0
        if charged_off:
            self._move(on, "", CLAIM, CLAIM_CONTRA, charged_off, "charge_off")
        self.v[k.LOGGED] = 0

    def _keep_bill(self, on: date, minimum: int) -> None:
        billed = [sum(self.cells[component:32:4]) for component in range(4)]
        self.bills.append(
            Bill(
                self.v[k.BILLS],
                on,
                date.fromordinal(self.v[k.DUE_ON]),
                sum(billed),
                minimum,
                billed[k.PRINCIPAL],
                billed[k.INTEREST],
                billed[k.FEE],
                billed[k.PENALTY],
                self.v[k.CREDIT],
            )
        )

    def _move(self, on: date, fact_id: str, debit: str, credit: str, amount: int, why: str) -> None:
        if amount:
            self.postings.append(Posting(on, fact_id, debit, credit, amount, why))

    def accrue(self, day: date) -> None:
        """Count interest up to a day that is not closed yet."""
        k.accrue(self.cells, self.v, self.dues, self.rules.terms, self.rules.rates, day.toordinal())

    def apply(self, fact: AccountFact) -> None:
        """Apply a fact of a day that is not closed yet: the days before it are closed, its interest is counted."""
        eve = fact.effective_on.toordinal() - 1
        while (event := k.next_event(self.v, self.dues, self.rules.terms, self.calendar[0])) <= eve:
            self.close(date.fromordinal(event))
        self.v[k.CLOSED_ON] = max(self.v[k.CLOSED_ON], eve)
        # A change of rate holds for the interest of its day: see `by_day`.
        self.accrue(date.fromordinal(eve) if fact.kind is FactKind.RATE_CHANGED else fact.effective_on)
        if fact.kind in RESTRUCTURINGS:
            self.v[k.RESTRUCTURED] += 1
        handler = _HANDLERS.get(fact.kind)
        if handler is not None:
            handler(self, fact)
        self._spend_credit(fact)

    # Money out and charges.

    def _owe(self, fact: AccountFact, segment: int, component: int, against: str, why: str) -> None:
        self.cells[k.cell(k.ADVANCE, segment, component)] += fact.amount_minor
        self._move(fact.effective_on, fact.fact_id, _OWED[segment][component], against, fact.amount_minor, why)

    def _spend_credit(self, fact: AccountFact) -> None:
        if self.v[k.CREDIT]:
            k.use_credit(self.cells, self.v, self._log)
            self._tell(fact.effective_on)

    def _charge(self, fact: AccountFact, fee: Fee | None, segment: int, amount: int, why: str) -> None:
        if fee is None:
            return
        owed = k.between(amount, units(fee.share), fee.least_minor, fee.most_minor)
        owed = k.charge(self.v, self.rules.terms, owed)
        self.cells[k.cell(k.ADVANCE, segment, k.FEE)] += owed
        self._move(fact.effective_on, fact.fact_id, _OWED[segment][k.FEE], _INCOME[k.FEE], owed, why)

    def _purchase(self, fact: AccountFact) -> None:
        self.holds.pop(str(fact.details.get("hold_id")), None)
        segment = _SEGMENT_PLACE[Segment(str(fact.details.get("segment", Segment.PURCHASE)))]
        self._owe(fact, segment, k.PRINCIPAL, CASH, "purchase")

    def _cash_advance(self, fact: AccountFact) -> None:
        self._owe(fact, k.CASH, k.PRINCIPAL, CASH, "cash_advance")
        self._charge(fact, self.rules.product.fees.get("cash"), k.CASH, fact.amount_minor, "cash_fee")

    def _credit_paid_out(self, fact: AccountFact) -> None:
        """Credit goes back to the borrower. What was paid out beyond it, by a fact that came late, is owed."""
        credit = min(fact.amount_minor, self.v[k.CREDIT])
        self.v[k.CREDIT] -= credit
        self._move(fact.effective_on, fact.fact_id, CREDIT, CASH, credit, "credit_paid_out")
        beyond = replace(fact, amount_minor=fact.amount_minor - credit)
        self._owe(beyond, k.PURCHASE, k.PRINCIPAL, CASH, "credit_paid_out")

    def _failed(self, fact: AccountFact) -> None:
        self._charge(fact, self.rules.product.fees.get("returned"), k.PURCHASE, fact.amount_minor, "returned_fee")

    def _chargeback(self, fact: AccountFact) -> None:
        self._owe(fact, k.PURCHASE, k.PRINCIPAL, CASH, "chargeback")

    def _fee(self, fact: AccountFact) -> None:
        self.v[k.CHARGED] += fact.amount_minor
        self._owe(fact, k.PURCHASE, k.FEE, _INCOME[k.FEE], str(fact.details.get("fee", "fee")))

    def _interest(self, fact: AccountFact) -> None:
        self.v[k.CHARGED] += fact.amount_minor
        self._owe(fact, k.PURCHASE, k.INTEREST, _INCOME[k.INTEREST], "interest_booked")

    def _hold(self, fact: AccountFact) -> None:
        given = fact.details.get("expires_on")
        days = self.rules.line.hold_days
        expires = given if isinstance(given, date) else date.fromordinal(fact.effective_on.toordinal() + days)
        self.holds[fact.fact_id] = Hold(fact.amount_minor, expires)

    def _released(self, fact: AccountFact) -> None:
        self.holds.pop(str(fact.details.get("hold_id")), None)

    # Money in.

    def _pay(self, fact: AccountFact, source: str, why: str) -> None:
        v = self.v
        if v[k.STAGE] >= 2:
            self._recover(fact, source)
        else:
            self._pay_owed(fact, source, why)
        if v[k.SETTLE_LEFT] > 0 and v[k.ACCRUED_ON] <= v[k.SETTLE_BY]:
            v[k.SETTLE_LEFT] = max(0, v[k.SETTLE_LEFT] - fact.amount_minor)
            if v[k.SETTLE_LEFT] == 0:
                self._settle(fact)

    def _pay_owed(self, fact: AccountFact, source: str, why: str) -> None:
        v = self.v
        left, order = fact.amount_minor, self.rules.order(why)
        if self.rules.product.excess_by_rate:
            must = min(left, k.unpaid_dues(v, self.dues, 1 << 40))
            left -= must - self._fill(fact, source, must, order, why)
            left = self._fill(fact, source, left, self._by_rate(), why)
        left = self._fill(fact, source, left, order, why)
        v[k.CREDIT] += left
        self._move(fact.effective_on, fact.fact_id, source, CREDIT, left, "overpaid")
        k.settle_dues(v, self.dues, fact.amount_minor - left, self.rules.terms)

    def _settle(self, fact: AccountFact) -> None:
        """The rest is waived: what is owed, what was counted and not posted, and the claim."""
        self._take(fact, WAIVED, sum(self.cells), range(k.CELLS), "settled")
        k.forget_interest(self.v)
        self._move(fact.effective_on, fact.fact_id, CLAIM_CONTRA, CLAIM, self.v[k.CLAIM], "settled")
        self.v[k.CLAIM] = 0

    def _fill(self, fact: AccountFact, source: str, amount: int, order: tuple[int, ...] | range, why: str) -> int:
        """Pay cells in order; returns what is left of the amount."""
        cells = self.cells
        for place in order:
            if amount == 0:
                return 0
            if cells[place]:
                part = min(amount, cells[place])
                cells[place] -= part
                amount -= part
                self._move(fact.effective_on, fact.fact_id, source, _OWED[place // 4 % 4][place % 4], part, why)
                if place == UNBILLED_PLANS:
                    self._prepay_plans(part)
        return amount

    def _by_rate(self) -> tuple[int, ...]:
        """Principal first of the segment that now has the highest rate."""
        row, own = self.rules.rates[self.v[k.RATE_ROW]], self.v[k.OVERRIDE : k.OVERRIDE + 4]
        rates = [own[segment] if own[segment] >= 0 else row[k.R_RATE + segment] for segment in range(4)]
        segments = sorted(range(4), key=lambda segment: (-rates[segment], segment))
        return tuple(k.cell(timing, segment, k.PRINCIPAL) for segment in segments for timing in range(3))

    def _prepay_plans(self, amount: int) -> None:
        """Unbilled instalments paid in advance: the last ones of the oldest plan first."""
        for plan in self.plans:
            part = min(amount, plan[k.P_LEFT])
            plan[k.P_LEFT] -= part
            amount -= part

    def _recover(self, fact: AccountFact, source: str) -> None:
        part = min(fact.amount_minor, self.v[k.CLAIM])
        self.v[k.CLAIM] -= part
        self._move(fact.effective_on, fact.fact_id, source, RECOVERED, part, "recovery")
        self._move(fact.effective_on, fact.fact_id, CLAIM_CONTRA, CLAIM, part, "recovery")
        self.v[k.CREDIT] += fact.amount_minor - part
        self._move(fact.effective_on, fact.fact_id, source, CREDIT, fact.amount_minor - part, "overpaid")

    def _payment(self, fact: AccountFact) -> None:
        self._pay(fact, CASH, "payment")

    def _refund(self, fact: AccountFact) -> None:
        self._pay(fact, CASH, f"refund_{fact.details.get('by', 'merchant')}")

    def _guarantor(self, fact: AccountFact) -> None:
        self._pay(fact, GUARANTOR, "guarantor_payment")
        self.v[k.SUBROGATED] += fact.amount_minor

    # Forgiving, writing off, selling.

    def _take(self, fact: AccountFact, to: str, amount: int, order: tuple[int, ...] | range, why: str) -> None:
        """Take up to an amount off what is owed without money; dues are asked no longer."""
        left = self._fill(fact, to, amount, order, why)
        k.settle_dues(self.v, self.dues, amount - left, self.rules.terms)
        k.trim_dues(self.v, self.dues, k.balance(self.cells))

    def _waiver(self, fact: AccountFact) -> None:
        component = [str(part) for part in COMPONENTS].index(str(fact.details["component"]))
        order = tuple(k.cell(timing, segment, component) for timing in range(3) for segment in range(4))
        self._take(fact, WAIVED, fact.amount_minor, order, "waiver")

    def _charge_off(self, fact: AccountFact) -> None:
        if self.v[k.STAGE] >= 2:
            return
        self._count_days()
        gone = k.write_off(self.cells, self.v, self.dues, self._log, k.L_CHARGE_OFF)
        self.plans.clear()
        self.v[k.CLAIM], self.v[k.STAGE] = gone, 2
        self._tell(fact.effective_on)

    def _sale(self, fact: AccountFact) -> None:
        if self.v[k.STAGE] == 3:
            return
        charged_off = self.v[k.STAGE] == 2
        price = fact.count("price_minor")
        self._move(fact.effective_on, fact.fact_id, CASH, RECOVERED if charged_off else SOLD, price, "sale")
        self._move(fact.effective_on, fact.fact_id, CLAIM_CONTRA, CLAIM, self.v[k.CLAIM], "sale")
        if not charged_off:
            self._count_days()
        self._fill(fact, SOLD, sum(self.cells), range(k.CELLS), "sale")
        k.write_off(self.cells, self.v, self.dues, self._log, k.L_CHARGE_OFF)
        self.plans.clear()
        self.v[k.CLAIM], self.v[k.STAGE] = 0, 3

    def _count_days(self) -> None:
        """Days past due before they stand still."""
        self.v[k.DAYS_PAST_DUE] = k.days_past_due(self.cells, self.v, self.dues, self.rules.terms, self.v[k.ACCRUED_ON])

    def _closed(self, fact: AccountFact) -> None:
        """What was counted is owed, credit pays it, and the line ends where nothing is left."""
        self.v[k.LIMIT] = 0
        if self.v[k.STAGE] == 0:
            k.post_interest(self.cells, self.v, self.rules.terms, self._log)
            k.use_credit(self.cells, self.v, self._log)
            self._tell(fact.effective_on, fact.fact_id)
            self.v[k.STAGE] = 0 if any(self.cells) else 1

    # Terms.

    def _rate_changed(self, fact: AccountFact) -> None:
        segment = fact.details.get("segment")
        places = range(3) if segment is None else [_SEGMENT_PLACE[Segment(str(segment))]]
        for place in places:
            self.v[k.OVERRIDE + place] = units(fact.rate("rate_annual"))

    def _limit_changed(self, fact: AccountFact) -> None:
        self.v[k.LIMIT] = fact.count("limit_minor")

    def _due_date_moved(self, fact: AccountFact) -> None:
        moved = fact.details.get("due_day") is None
        due_day = fact.day("to_due_on").day if moved else fact.count("due_day")
        self.v[k.CALENDAR] = self.v[k.CALENDAR] // 32 * 32 + due_day
        self.set_calendar()

    def _holiday(self, fact: AccountFact) -> None:
        self.v[k.HOLIDAY_UNTIL] = max(self.v[k.HOLIDAY_UNTIL], fact.day("until").toordinal())
        if fact.details.get("interest") is False:
            self.v[k.PAUSED_UNTIL] = max(self.v[k.PAUSED_UNTIL], self.v[k.HOLIDAY_UNTIL])

    def _interest_paused(self, fact: AccountFact) -> None:
        self.v[k.PAUSED_UNTIL] = max(self.v[k.PAUSED_UNTIL], fact.day("until").toordinal())

    def _arrears_paused(self, fact: AccountFact) -> None:
        self.v[k.UNCOUNTED_UNTIL] = max(self.v[k.UNCOUNTED_UNTIL], fact.day("until").toordinal())

    def _settlement(self, fact: AccountFact) -> None:
        self.v[k.SETTLE_LEFT], self.v[k.SETTLE_BY] = fact.amount_minor, fact.day("by").toordinal()
        self.v[k.PAUSED_UNTIL] = max(self.v[k.PAUSED_UNTIL], self.v[k.SETTLE_BY])

    def _instalment_plan(self, fact: AccountFact) -> None:
        """Purchases, unbilled first, become a plan. The dues ask less by the minimum's share of what leaves the bills,
        and for no more than is left in them."""
        wanted, billed = fact.amount_minor, 0
        for timing in (k.ADVANCE, k.DUE, k.PAST):
            for segment in (k.PURCHASE, k.PROMOTION):
                place = k.cell(timing, segment, k.PRINCIPAL)
                part = min(wanted, self.cells[place])
                self._into_plan(fact, place, part)
                wanted -= part
                billed += part if timing != k.ADVANCE else 0
        self._plan(fact, fact.amount_minor - wanted, fact.count("instalments"), fact.rate("fee_rate_per_period"), 0)
        share = billed * self.rules.terms[k.MIN_SHARE] // k.UNIT
        asked = max(0, k.unpaid_dues(self.v, self.dues, 1 << 40) - share)
        k.trim_dues(self.v, self.dues, min(asked, sum(self.cells[:32])))
        k.settle_dues(self.v, self.dues, 0, self.rules.terms)

    def _into_plan(self, fact: AccountFact, place: int, amount: int) -> None:
        self.cells[place] -= amount
        self.cells[UNBILLED_PLANS] += amount
        source, target = _OWED[place // 4 % 4][place % 4], _OWED[k.INSTALMENT][k.PRINCIPAL]
        if source != target:
            self._move(fact.effective_on, fact.fact_id, target, source, amount, str(fact.kind))

    def _plan(self, fact: AccountFact, principal: int, count: int, fee: Fraction, start: int) -> None:
        rate = fact.rate("rate_annual")
        if principal:
            payment = level_payment(principal, [rate / 12] * count) if rate else 0
            per_period = round_fraction(principal * fee, Rounding.HALF_UP)
            self.plans.append([count, 0, principal, per_period, units(rate), payment, principal, start])

    def _re_age(self, fact: AccountFact) -> None:
        """All principal becomes one plan; costs owed stand in the next bill; nothing is past due any more."""
        self._gather(fact, range(4))
        due_days = self.calendar[1]
        first, start = fact.day("first_due_on").toordinal(), self.v[k.BILL]
        while due_days[start] < first:
            start += 1
        self._plan(fact, self.cells[UNBILLED_PLANS], fact.count("instalments"), Fraction(0), start)
        for place in range(32):
            self.cells[32 + place % 16] += self.cells[place]
            self.cells[place] = 0
        k.trim_dues(self.v, self.dues, 0)
        self.v[k.LATE] = self.v[k.LATE_ON] = self.v[k.SHADOW_NEW] = self.v[k.SHADOW_BILLED] = 0

    def _gather(self, fact: AccountFact, segments: range) -> None:
        """Principal of segments, billed or not, as unbilled instalments without a plan yet."""
        for timing in range(3):
            for segment in segments:
                place = k.cell(timing, segment, k.PRINCIPAL)
                if place != UNBILLED_PLANS:
                    self._into_plan(fact, place, self.cells[place])
        self.plans.clear()

    def _carried(self, fact: AccountFact) -> None:
        """Costs that are billed stand in the next bill; what was to be paid by now shrinks by them."""
        self._move_costs(fact, capitalise=False)

    def _capitalised(self, fact: AccountFact) -> None:
        """Costs that are billed become principal of purchases in the next bill."""
        self._move_costs(fact, capitalise=True)

    def _move_costs(self, fact: AccountFact, *, capitalise: bool) -> None:
        named, moved = fact.details.get("component"), 0
        for component, one in enumerate(COMPONENTS[: k.PRINCIPAL]):
            for place in range(component, 2 * 16, 4):
                amount = self.cells[place] if named is None or one == named else 0
                if not amount:
                    continue
                segment = place // 4 % 4
                to = k.cell(k.ADVANCE, k.PURCHASE, k.PRINCIPAL) if capitalise else place % 16 + 32
                self.cells[place] -= amount
                self.cells[to] += amount
                moved += amount
                if capitalise:
                    debit, credit = _OWED[k.PURCHASE][k.PRINCIPAL], _OWED[segment][component]
                    self._move(fact.effective_on, fact.fact_id, debit, credit, amount, "capitalised")
        k.settle_dues(self.v, self.dues, moved, self.rules.terms)
        k.trim_dues(self.v, self.dues, sum(self.cells[:32]))

    def _spread_again(self, fact: AccountFact) -> None:
        """What is left of the plans, billed and unpaid instalments with it, over the months left or those given."""
        plans = [plan for plan in self.plans if plan[k.P_LEFT]]
        if not plans:
            return
        left = max(plan[k.P_COUNT] - plan[k.P_DONE] for plan in plans)
        months = fact.count("instalments") if fact.details.get("instalments") else left
        start = min(max(plan[k.P_START], self.v[k.BILL]) for plan in plans)
        fee, rate, payment = sum(plan[k.P_FEE] for plan in plans), plans[0][k.P_RATE], 0
        asked = sum(self.cells[k.cell(timing, k.INSTALMENT, k.PRINCIPAL)] for timing in (k.PAST, k.DUE))
        self._gather(fact, range(k.INSTALMENT, k.INSTALMENT + 1))
        principal = self.cells[UNBILLED_PLANS]
        if rate:
            payment = level_payment(principal, [Fraction(rate, 12 * k.UNIT)] * months)
        self.plans.append([months, 0, principal, fee, rate, payment, principal, start])
        k.trim_dues(self.v, self.dues, max(0, k.unpaid_dues(self.v, self.dues, 1 << 40) - asked))
        k.settle_dues(self.v, self.dues, 0, self.rules.terms)


_HANDLERS: Mapping[FactKind, Callable[[Line, AccountFact], None]] = {
    FactKind.PURCHASE: Line._purchase,
    FactKind.CASH_ADVANCE: Line._cash_advance,
    FactKind.DISBURSEMENT: Line._credit_paid_out,
    FactKind.HOLD: Line._hold,
    FactKind.HOLD_RELEASED: Line._released,
    FactKind.PAYMENT: Line._payment,
    FactKind.PAYMENT_FAILED: Line._failed,
    FactKind.GUARANTOR_PAYMENT: Line._guarantor,
    FactKind.REFUND: Line._refund,
    FactKind.CHARGEBACK: Line._chargeback,
    FactKind.FEE: Line._fee,
    FactKind.INTEREST: Line._interest,
    FactKind.WAIVER: Line._waiver,
    FactKind.CHARGE_OFF: Line._charge_off,
    FactKind.RECOVERY: Line._payment,
    FactKind.SALE: Line._sale,
    FactKind.RATE_CHANGED: Line._rate_changed,
    FactKind.LIMIT_CHANGED: Line._limit_changed,
    FactKind.INSTALMENT_PLAN: Line._instalment_plan,
    FactKind.RE_AGE: Line._re_age,
    FactKind.RE_AMORTISE: Line._spread_again,
    FactKind.TERM_EXTENDED: Line._spread_again,
    FactKind.DUE_DATE_MOVED: Line._due_date_moved,
    FactKind.PAYMENT_HOLIDAY: Line._holiday,
    FactKind.INTEREST_PAUSED: Line._interest_paused,
    FactKind.CAPITALISED: Line._capitalised,
    FactKind.CARRIED: Line._carried,
    FactKind.SETTLEMENT: Line._settlement,
    FactKind.ARREARS_PAUSED: Line._arrears_paused,
    FactKind.CLOSED: Line._closed,
}
