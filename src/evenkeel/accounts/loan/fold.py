"""The state of a loan on a day: a fold of its facts in the order of their days.

A late fact is sorted in and everything after it computed again. Within a day a change of rate comes first, because the
day's interest follows it; then the instalment that falls due, then the other facts in the order given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import NamedTuple, cast

from evenkeel.accounts.duedates import Unit
from evenkeel.accounts.facts import RESTRUCTURINGS, AccountFact, FactKind, standing
from evenkeel.accounts.ledger import CASH, GUARANTOR, Posting
from evenkeel.accounts.loan import restructure
from evenkeel.accounts.loan.running import LoanRules, Running, Transaction
from evenkeel.accounts.loan.schedule import PRINCIPAL, Period, Role
from evenkeel.accounts.loan.terms import LoanTerms
from evenkeel.accounts.loan.timeline import OWED
from evenkeel.accounts.state import Accrual, Bill
from evenkeel.accounts.words import COMPONENTS, Component, Stage
from evenkeel.kernel.errors import InvalidInput

# What changes the interest of the very day on which it takes effect.
_FIRST = frozenset({FactKind.RATE_CHANGED, FactKind.INTEREST_PAUSED})
# What may still happen to a loan that is closed, charged off or sold.
_AFTER_THE_END = frozenset(
    {
        FactKind.PAYMENT, FactKind.GUARANTOR_PAYMENT, FactKind.REFUND, FactKind.RECOVERY, FactKind.CHARGEBACK,
        FactKind.SALE, FactKind.ARREARS_PAUSED, FactKind.PAYMENT_FAILED,
    }
)  # fmt: skip
_PENALTIES = ("late", "penalty")


class Instalment(NamedTuple):
    """What is due on a day, and what was paid of it: due = principal + interest + fee + penalty = paid + open.

    seq: 1 and on, in order of due days. credited_minor: principal in it that a chargeback added. in_advance_minor,
    late_minor: of what was paid, before and after the due day. paid_on: the day since which nothing is open, None while
    something is, or where nothing was ever asked. payments: what was paid by day. moved: what left it unpaid by day
    (waived, or moved into other instalments); before that day it was due here.
    """

    seq: int
    role: Role
    start_on: date
    due_on: date
    principal_minor: int
    interest_minor: int
    fee_minor: int
    penalty_minor: int
    principal_paid_minor: int
    interest_paid_minor: int
    fee_paid_minor: int
    penalty_paid_minor: int
    credited_minor: int
    in_advance_minor: int
    late_minor: int
    paid_on: date | None
    payments: tuple[tuple[date, int], ...]
    moved: tuple[tuple[date, int], ...]

    @property
    def due_minor(self) -> int:
        """All that is due."""
        return self.principal_minor + self.interest_minor + self.fee_minor + self.penalty_minor

    @property
    def paid_minor(self) -> int:
        """What was paid of it."""
        return self.principal_paid_minor + self.interest_paid_minor + self.fee_paid_minor + self.penalty_paid_minor

    @property
    def open_minor(self) -> int:
        """What is not paid."""
        return self.due_minor - self.paid_minor


@dataclass(frozen=True, slots=True)
class LoanState:
    """A loan at the close of `as_of`.

    principal_minor: what is owed of it, due or not. accrued_minor: interest of the running period so far, and
    penalties, that are not owed yet, rounded down. payoff_minor: what pays the loan off on `as_of`. ahead_minor:
    penalties, fees and interest that are owed already and fall due with instalments to come. days_past_due: since the
    oldest due day of which more than is tolerated is missing, without days that a pause leaves out; 0 while too little
    or too short to count. claim_minor: still legally owed after charge-off. subrogated_minor: paid by a guarantor, to
    whom it is now owed.
    """

    as_of: date
    stage: Stage
    instalments: tuple[Instalment, ...]
    transactions: tuple[Transaction, ...]
    postings: tuple[Posting, ...]
    bills: tuple[Bill, ...]
    accruals: tuple[Accrual, ...]
    principal_minor: int
    disbursed_minor: int
    credit_minor: int
    accrued_minor: int
    payoff_minor: int
    ahead_minor: Mapping[Component, int]
    claim_minor: int
    subrogated_minor: int
    days_past_due: int
    restructurings: int


def fold(
    rules: LoanRules, facts: Sequence[AccountFact], as_of: date, *, traced: bool = False, strict: bool = False
) -> LoanState:
    """The loan at the close of `as_of`.

    rules: of the product; the opening may give the account's own rate, number of instalments, due day and first due
    day.
    facts: of one account, in the order in which they were booked. traced: keep what interest is made of. strict: a fact
    that cannot do what it says on its day (re-age a loan that is paid off) is refused; else it stays without effect and
    is listed as a transaction `no_effect`, because a late fact may take the ground from one that was booked before.
    Raises InvalidInput if the account is not open by `as_of`, or a fact is of a kind that loans do not have.
    """
    return loan_state(run(rules, facts, as_of, traced=traced, strict=strict))


def run(
    rules: LoanRules,
    facts: Sequence[AccountFact],
    as_of: date,
    *,
    traced: bool = False,
    strict: bool = False,
    before: Callable[[Running, date], None] | None = None,
) -> Running:
    """The loan with every fact up to `as_of` applied, and closed up to this day.

    before: called with the loan and a day before the facts of that day are applied, and before the end: to look at the
    loan on days between. Raises InvalidInput as `fold`.
    """
    known = standing(facts, as_of)
    if not known or known[0].kind is not FactKind.OPENED:
        raise InvalidInput(f"the account is not open on {as_of}.", "Its first fact is `opened`.")
    opened = known[0]
    loan = Running(replace(rules, terms=_own_terms(rules.terms, opened)), traced=traced)
    loan.first_due = cast("date | None", opened.details.get("first_due_on"))
    loan.advance(opened.effective_on.toordinal())
    for fact in sorted(known[1:], key=lambda fact: (fact.effective_on, fact.kind not in _FIRST)):
        if before is not None:
            before(loan, fact.effective_on)
        apply(loan, fact, strict=strict)
    if before is not None:
        before(loan, as_of + timedelta(days=1))
    loan.advance(as_of.toordinal())
    return loan


def _own_terms(terms: LoanTerms, opened: AccountFact) -> LoanTerms:
    """The product's terms with what the opening says otherwise."""
    rate, count, due_day = (opened.details.get(name) for name in ("rate_annual", "instalments", "due_day"))
    if rate is not None:
        terms = replace(terms, rate_annual=cast(Fraction, rate))
    if count is not None:
        terms = replace(terms, instalments=cast(int, count))
    if due_day is not None:
        terms = replace(terms, due=replace(terms.due, due_day=cast(int, due_day)))
    return terms


def apply(loan: Running, fact: AccountFact, *, strict: bool = False) -> None:
    """Apply a fact to a loan whose facts of earlier days are applied. Raises InvalidInput naming the fact."""
    handler = _HANDLERS.get(fact.kind)
    if handler is None:
        raise InvalidInput(f"{fact.kind} {fact.fact_id}: a closed-end loan has no {fact.kind}.")
    day = fact.effective_on.toordinal()
    if loan.by_period and fact.kind is FactKind.PAYMENT:
        # On a due day it still belongs to the period that ends: RP15 of LoanRepayment.feature in apache/fineract.
        loan.advance(day - 1)
        loan.look_again()
    loan.advance(day - 1 if fact.kind in _FIRST else day)
    loan.touch()
    try:
        if loan.stage is not Stage.OPEN and fact.kind not in _AFTER_THE_END:
            raise InvalidInput(f"the loan is {loan.stage}.")
        handler(loan, fact)
        loan.restructurings += fact.kind in RESTRUCTURINGS
    except InvalidInput as error:
        if strict:
            raise InvalidInput(f"{fact.kind} {fact.fact_id}: {error.message}", error.remedy) from None
        loan.tell(fact.fact_id, "no_effect", fact.amount_minor, [0, 0, 0, 0], 0)


# ---- Facts ---------------------------------------------------------------------------------------------------------


def _disburse(loan: Running, fact: AccountFact) -> None:
    loan.disburse(fact.fact_id, fact.amount_minor)


def _payment(loan: Running, fact: AccountFact) -> None:
    loan.pay(fact.fact_id, fact.amount_minor, loan.rules.allocation.rule("payment"), CASH, "payment")


def _refund(loan: Running, fact: AccountFact) -> None:
    kind = f"refund_{fact.details.get('by', 'merchant')}"
    loan.pay(fact.fact_id, fact.amount_minor, loan.rules.allocation.rule(kind), CASH, kind)


def _guarantor(loan: Running, fact: AccountFact) -> None:
    kind = "guarantor_payment"
    loan.pay(fact.fact_id, fact.amount_minor, loan.rules.allocation.rule(kind), GUARANTOR, kind)
    loan.subrogated += fact.amount_minor


def _chargeback(loan: Running, fact: AccountFact) -> None:
    loan.charge_back(fact.fact_id, fact.amount_minor)


def _fee(loan: Running, fact: AccountFact) -> None:
    name = str(fact.details.get("fee", "fee"))
    due = cast("date | None", fact.details.get("due_on")) or fact.effective_on
    component = Component.PENALTY if name in _PENALTIES else Component.FEE
    loan.charge(fact.fact_id, fact.amount_minor, due.toordinal(), component, name)


def _interest(loan: Running, fact: AccountFact) -> None:
    loan.charge(fact.fact_id, fact.amount_minor, loan.day, Component.INTEREST, "interest_booked")


def _failed(loan: Running, fact: AccountFact) -> None:
    if (fee := loan.rules.returned_fee) is not None and loan.stage is Stage.OPEN:
        loan.charge(fact.fact_id, fee.of(fact.amount_minor), loan.day, Component.FEE, "returned_fee")


def _waiver(loan: Running, fact: AccountFact) -> None:
    loan.waive(fact.fact_id, fact.amount_minor, Component(str(fact.details["component"])))


def _charge_off(loan: Running, fact: AccountFact) -> None:
    loan.charge_off(fact.fact_id)


def _sale(loan: Running, fact: AccountFact) -> None:
    loan.sell(fact.fact_id, cast(int, fact.details["price_minor"]))


def _closed(loan: Running, fact: AccountFact) -> None:
    if loan.principal or any(period.open_minor for period in loan.periods[: loan.at]):
        raise InvalidInput("the loan is not paid off.", "Close it when nothing is owed.")
    if loan.stage is Stage.OPEN:
        loan.stage = Stage.CLOSED


def _rate_changed(loan: Running, fact: AccountFact) -> None:
    restructure.change_rate(loan, fact.effective_on.toordinal(), cast(Fraction, fact.details["rate_annual"]))


def _interest_paused(loan: Running, fact: AccountFact) -> None:
    restructure.pause_interest(loan, fact.effective_on.toordinal(), cast(date, fact.details["until"]))


def _re_age(loan: Running, fact: AccountFact) -> None:
    details = fact.details
    rule = replace(
        loan.terms.due, every=cast(int, details.get("every", 1)), unit=Unit(str(details.get("unit", "months"))),
        due_day=None,
    )  # fmt: skip
    moved = restructure.re_age(
        loan, cast(int, details["instalments"]), cast(date, details["first_due_on"]), rule,
        cast("Fraction | None", details.get("rate_annual")),
    )  # fmt: skip
    loan.tell(fact.fact_id, "re_age", moved, [0, 0, 0, moved], 0)


def _re_amortise(loan: Running, fact: AccountFact) -> None:
    moved = restructure.re_amortise(loan)
    loan.tell(fact.fact_id, "re_amortise", moved, [0, 0, 0, moved], 0)


def _due_date_moved(loan: Running, fact: AccountFact) -> None:
    days = (fact.details.get(name) for name in ("from_due_on", "to_due_on", "due_day"))
    restructure.move_due_day(loan, *days)  # type: ignore[arg-type]


def _holiday(loan: Running, fact: AccountFact) -> None:
    interest = fact.details.get("interest", True) is not False
    restructure.holiday(loan, cast(date, fact.details["until"]), interest=interest)


def _extended(loan: Running, fact: AccountFact) -> None:
    restructure.extend(loan, cast(int, fact.details["instalments"]))


def _settlement(loan: Running, fact: AccountFact) -> None:
    restructure.settle(loan, fact.amount_minor, cast(date, fact.details["by"]))


def _costs(fact: AccountFact) -> Sequence[int]:
    """The components of a fact that moves costs: the one it names, or all but principal."""
    named = fact.details.get("component")
    return [place for place, one in enumerate(COMPONENTS[:3]) if named is None or one == named]


def _carried(loan: Running, fact: AccountFact) -> None:
    moved = restructure.carry(loan, _costs(fact))
    loan.tell(fact.fact_id, "carried", sum(moved), moved, 0)


def _capitalised(loan: Running, fact: AccountFact) -> None:
    moved = restructure.capitalise(loan, _costs(fact))
    for place, amount in enumerate(moved):
        loan.move(fact.fact_id, OWED[PRINCIPAL], OWED[place], amount, "capitalised")
    loan.tell(fact.fact_id, "capitalised", sum(moved), moved, 0)


def _arrears_paused(loan: Running, fact: AccountFact) -> None:
    loan.uncounted.append((loan.day, cast(date, fact.details["until"]).toordinal()))


_HANDLERS: Mapping[FactKind, Callable[[Running, AccountFact], None]] = {
    FactKind.DISBURSEMENT: _disburse, FactKind.PAYMENT: _payment, FactKind.RECOVERY: _payment,
    FactKind.PAYMENT_FAILED: _failed, FactKind.GUARANTOR_PAYMENT: _guarantor, FactKind.REFUND: _refund,
    FactKind.CHARGEBACK: _chargeback, FactKind.FEE: _fee, FactKind.INTEREST: _interest, FactKind.WAIVER: _waiver,
    FactKind.CHARGE_OFF: _charge_off, FactKind.SALE: _sale, FactKind.CLOSED: _closed,
    FactKind.RATE_CHANGED: _rate_changed, FactKind.INTEREST_PAUSED: _interest_paused, FactKind.RE_AGE: _re_age,
    FactKind.RE_AMORTISE: _re_amortise, FactKind.DUE_DATE_MOVED: _due_date_moved,
    FactKind.PAYMENT_HOLIDAY: _holiday, FactKind.TERM_EXTENDED: _extended, FactKind.SETTLEMENT: _settlement,
    FactKind.ARREARS_PAUSED: _arrears_paused, FactKind.CAPITALISED: _capitalised, FactKind.CARRIED: _carried,
}  # fmt: skip


# ---- The state -----------------------------------------------------------------------------------------------------


def loan_state(loan: Running) -> LoanState:
    """What a loan is at the close of its day."""
    payoff = loan.payoff_minor()
    if loan.stage is Stage.OPEN:
        loan.refresh()
    # A restructuring keeps instalments that were paid in advance, whose due days are still to come.
    periods = sorted(loan.periods, key=lambda period: period.due)
    return LoanState(
        as_of=loan.on,
        stage=loan.stage,
        instalments=tuple(_instalment(seq, period) for seq, period in enumerate(periods, 1)),
        transactions=tuple(loan.transactions),
        postings=tuple(loan.postings),
        bills=tuple(loan.bills),
        accruals=tuple(loan.accruals or ()),
        principal_minor=loan.principal,
        disbursed_minor=loan.disbursed,
        credit_minor=loan.credit,
        accrued_minor=loan.accrued_minor(),
        payoff_minor=payoff,
        ahead_minor={component: loan.ahead_minor(place) for place, component in enumerate(COMPONENTS[:3])},
        claim_minor=loan.claim,
        subrogated_minor=loan.subrogated,
        days_past_due=loan.days_past_due(),
        restructurings=loan.restructurings,
    )


def _instalment(seq: int, period: Period) -> Instalment:
    penalty, fee, interest, principal = period.owed
    penalty_paid, fee_paid, interest_paid, principal_paid = period.paid
    payments, moved = _by_day(period.payments), _by_day(period.moved)
    last = [days[-1][0] for days in (payments, moved) if days]
    paid_on = max(last) if last and not period.open_minor else None
    return Instalment(
        seq, period.role, date.fromordinal(period.start), date.fromordinal(period.due), principal, interest, fee,
        penalty, principal_paid, interest_paid, fee_paid, penalty_paid, period.credited, period.in_advance,
        period.late, paid_on, payments, moved,
    )  # fmt: skip


def _by_day(amounts: Mapping[int, int]) -> tuple[tuple[date, int], ...]:
    return tuple([(date.fromordinal(day), amount) for day, amount in amounts.items()])
