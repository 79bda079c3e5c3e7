"""An account from its facts, whatever its product: lines and loans in one shape."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from evenkeel.accounts.facts import AccountFact
from evenkeel.accounts.line.fold import fold_line
from evenkeel.accounts.line.rules import line_rules
from evenkeel.accounts.loan.fold import Instalment, LoanState, loan_state, run
from evenkeel.accounts.loan.running import LateFee, LoanRules, Running
from evenkeel.accounts.products.model import Fee, Product
from evenkeel.accounts.state import AccountState, Due, MonthEnd, Owed
from evenkeel.accounts.words import COMPONENTS, Component, Segment, Stage, Timing
from evenkeel.kernel.calendar import month_end, month_of
from evenkeel.kernel.errors import InvalidInput


def account_state(
    product: Product, facts: Sequence[AccountFact], as_of: date, *, traced: bool = False, history: bool = False
) -> AccountState:
    """The account at the close of `as_of`.

    facts: of one account, in the order in which they were booked. traced: of a loan, also keep what every amount of
    interest is made of. history: also how late it was at the end of each month. Raises InvalidInput if the account is
    not open by `as_of`.
    """
    if product.line is not None:
        return fold_line(line_rules(product), facts, as_of, history=history)
    loan, months = run_loan(product, facts, as_of, traced=traced, history=history)
    return loan_account(product, loan_state(loan), months)


def loan_rules(product: Product, opened_on: date) -> LoanRules:
    """The rules of a product that is a loan, for one opened on a day: it keeps that day's rate.

    Raises InvalidInput if it is no loan.
    """
    if product.loan is None:
        raise InvalidInput(f"the product {product.product_id} is no loan.", "Its file has `line` terms.")
    terms = replace(product.loan, rate_annual=product.rate_on(Segment.LOAN, opened_on))
    tolerance = product.tolerance
    late = _fee(product.fees.get("late"), tolerance.grace_days, tolerance.payment_minor)
    returned = _fee(product.fees.get("returned"), 0, 0)
    return LoanRules(
        terms, product.allocation, late, returned, product.charge_off_days, tolerance.payment_minor,
        tolerance.grace_days, tolerance.material_minor, tolerance.material_share,
    )  # fmt: skip


def _fee(fee: Fee | None, days: int, tolerated: int) -> LateFee | None:
    return None if fee is None else LateFee(fee.share, fee.least_minor, fee.most_minor, days, tolerated)


def run_loan(
    product: Product, facts: Sequence[AccountFact], as_of: date, *, traced: bool = False, history: bool = False
) -> tuple[Running, list[MonthEnd]]:
    """The loan closed up to `as_of`, and how late it was at the end of each month where `history`."""
    if not facts:
        raise InvalidInput(f"the account is not open on {as_of}.", "Its first fact is `opened`.")
    months: list[MonthEnd] = []
    opened_on = facts[0].effective_on

    def before(loan: Running, day: date) -> None:
        end = month_end(month_of(months[-1].on) + 1 if months else month_of(opened_on))
        while end < day:
            loan.advance(end.toordinal())
            state = loan_account(product, loan_state(loan), ())
            months.append(MonthEnd(end, state.days_past_due, state.balance_minor + state.claim_minor, state.stage))
            end = month_end(month_of(end) + 1)

    rules = loan_rules(product, opened_on)
    return run(rules, facts, as_of, traced=traced, before=before if history else None), months


def loan_account(product: Product, state: LoanState, months: Sequence[MonthEnd]) -> AccountState:
    """A loan as everything above reads accounts."""
    as_of, owing = state.as_of, state.stage is Stage.OPEN
    called = [one for one in state.instalments if one.paid_on is None and one.due_on <= as_of and one.open_minor]
    called = called if owing else []
    owed = [part for one in called for part in _parts(one, as_of)]
    billed = sum(part.amount_minor for part in owed if part.component is Component.PRINCIPAL)
    if owing and state.principal_minor > billed:
        left = state.principal_minor - billed
        owed.append(Owed(Timing.IN_ADVANCE, Segment.LOAN, Component.PRINCIPAL, left))
    owed += [
        Owed(Timing.IN_ADVANCE, Segment.LOAN, component, amount)
        for component, amount in state.ahead_minor.items()
        if amount and owing
    ]
    coming = next((one for one in state.instalments if one.due_on > as_of and one.open_minor), None) if owing else None
    dues = tuple(Due(one.due_on, one.due_minor, one.paid_minor) for one in (*called, *([coming] if coming else [])))
    balance = sum(part.amount_minor for part in owed)
    past_due = sum(one.open_minor for one in called if one.due_on < as_of)
    return AccountState(
        product_id=product.product_id, as_of=as_of, stage=state.stage, limit_minor=None, held_minor=0,
        available_minor=None, balance_minor=balance, credit_minor=state.credit_minor,
        accrued_minor=state.accrued_minor, claim_minor=state.claim_minor, subrogated_minor=state.subrogated_minor,
        owed=tuple(owed), dues=dues, past_due_minor=past_due, days_past_due=state.days_past_due,
        grade=product.grade(state.days_past_due, state.stage),
        restructurings=state.restructurings, bills=state.bills, postings=state.postings, months=tuple(months),
        accruals=state.accruals,
    )  # fmt: skip


def _parts(one: Instalment, as_of: date) -> list[Owed]:
    """What an instalment still asks for, by component."""
    timing = Timing.PAST_DUE if one.due_on < as_of else Timing.DUE
    amounts = (
        one.penalty_minor - one.penalty_paid_minor, one.fee_minor - one.fee_paid_minor,
        one.interest_minor - one.interest_paid_minor, one.principal_minor - one.principal_paid_minor,
    )  # fmt: skip
    return [
        Owed(timing, Segment.LOAN, component, amount)
        for component, amount in zip(COMPONENTS, amounts, strict=True)
        if amount
    ]
