"""Which facts may be booked: what each says must fit what the account was on its day."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from evenkeel.accounts.facts import AccountFact, FactKind, check_reversal, standing
from evenkeel.accounts.fold import account_state, loan_rules
from evenkeel.accounts.line.fold import line_before_close, line_state
from evenkeel.accounts.line.rules import line_rules
from evenkeel.accounts.loan.fold import run
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.state import AccountState
from evenkeel.accounts.words import Component, Segment, Stage, Timing
from evenkeel.kernel.errors import InvalidInput

_LINES_ONLY = frozenset(
    {FactKind.PURCHASE, FactKind.CASH_ADVANCE, FactKind.HOLD, FactKind.HOLD_RELEASED, FactKind.INSTALMENT_PLAN,
     FactKind.LIMIT_CHANGED}
)  # fmt: skip
# What an account takes in any stage: money comes late, and what was wrong is reversed.
_ALWAYS = frozenset({FactKind.REVERSAL, FactKind.RECOVERY, FactKind.PAYMENT, FactKind.GUARANTOR_PAYMENT})
_ENDS = frozenset({FactKind.CHARGE_OFF, FactKind.SALE, FactKind.CLOSED})
# What is held against the state of the account on its day, whatever its stage.
_MEASURED = frozenset(
    {FactKind.WAIVER, FactKind.INSTALMENT_PLAN, FactKind.SETTLEMENT, FactKind.RE_AGE, FactKind.RE_AMORTISE,
     FactKind.TERM_EXTENDED, FactKind.CAPITALISED, FactKind.CARRIED, *_ENDS}
)  # fmt: skip
_BEFORE_MONEY = frozenset({FactKind.OPENED, FactKind.RATE_CHANGED, FactKind.CLOSED})  # of a loan
_NOT_BEFORE = ("until", "by", "expires_on", "first_due_on")  # days that come on or after the fact's own


def admit(product: Product, facts: Sequence[AccountFact], fact: AccountFact) -> None:
    """Raises InvalidInput if a fact cannot be booked after those of its account, which are in the order of booking.

    A ledger records what happened: a purchase above the limit is booked. Refused is what cannot have happened, and
    names what is not there.
    """
    where = f"{fact.kind} {fact.fact_id}"
    if any(other.fact_id == fact.fact_id for other in facts):
        raise InvalidInput(f"{where} has the id of another fact of this account.", "Each fact has an id of its own.")
    if not facts:
        _check_opening(product, fact, where)
        return
    _check_kind(product, fact, where)
    opened = facts[0]
    if fact.effective_on < opened.effective_on:
        raise InvalidInput(
            f"{where} took effect on {fact.effective_on}; the account was opened on {opened.effective_on}."
        )
    if fact.kind is FactKind.REVERSAL:
        if fact.reversal_of == opened.fact_id:
            raise InvalidInput(f"{where}: an opening is not reversed.", "Close the account instead.")
        check_reversal(facts, fact)
        _check_paid_out(product, [*facts, fact], where)
        return
    _check_days(fact, where)
    _check_named(facts, fact, where)
    if fact.kind is FactKind.INSTALMENT_PLAN:
        _check_price(product, fact, where)
    if product.line is not None:
        _check_line(product, facts, fact, where)
    may_have_ended = product.charge_off_days is not None or any(other.kind in _ENDS for other in facts)
    of_credit = product.line is not None and fact.kind is FactKind.DISBURSEMENT  # which outlasts the line
    if fact.kind in _MEASURED or (may_have_ended and fact.kind not in _ALWAYS and not of_credit):
        _check_state(product, facts, fact, where)
    _check_paid_out(product, [*facts, fact], where)
    if product.loan is not None:
        _check_effect(product, facts, fact, where)


def _check_opening(product: Product, fact: AccountFact, where: str) -> None:
    if fact.kind is not FactKind.OPENED:
        raise InvalidInput(f"{where} is the first fact of the account.", "Its first fact is one of kind `opened`.")
    of_other = (
        ("principal_minor", "instalments", "first_due_on")
        if product.line is not None
        else ("limit_minor", "statement_day")
    )
    for name in of_other:
        if fact.details.get(name) is not None:
            has, other = ("line", "loans") if product.line is not None else ("loan", "lines")
            raise InvalidInput(f"{where}: `{name}` is of {other}; {product.product_id} is a {has}.", "Leave it out.")
    funders = fact.details.get("funders")
    names = [part["funder_id"] for part in funders] if isinstance(funders, tuple) else []
    for name in names:
        if names.count(name) > 1:
            raise InvalidInput(f"{where}: `funders` names {name} twice.", "Give each funder one share.")
    _check_days(fact, where)
    try:
        account_state(product, [fact], fact.effective_on)
    except InvalidInput as error:
        raise InvalidInput(f"{where} does not fit {product.product_id}: {error.message}", error.remedy) from None


def _check_kind(product: Product, fact: AccountFact, where: str) -> None:
    if fact.kind is FactKind.OPENED:
        raise InvalidInput(f"{where}: the account is open already.", "An account is opened once.")
    if product.line is None and fact.kind in _LINES_ONLY:
        raise InvalidInput(f"{where}: {product.product_id} is a loan, which has no {fact.kind}.")
    if fact.kind is FactKind.DUE_DATE_MOVED and not {"to_due_on", "due_day"} & {*_given(fact)}:
        raise InvalidInput(f"{where} lacks both `to_due_on` and `due_day`.", "Give one of them.")


def _given(fact: AccountFact) -> list[str]:
    return [name for name, value in fact.details.items() if value is not None]


def _check_days(fact: AccountFact, where: str) -> None:
    for name in _NOT_BEFORE:
        day = fact.details.get(name)
        if isinstance(day, date) and day < fact.effective_on:
            raise InvalidInput(f"{where}: `{name}` is {day}, before the fact's own day, {fact.effective_on}.")


def _check_named(facts: Sequence[AccountFact], fact: AccountFact, where: str) -> None:
    """What a fact names is a fact of this account of the right kind."""
    for name, kind in (("of", FactKind.PAYMENT), ("hold_id", FactKind.HOLD)):
        wanted = fact.details.get(name)
        if wanted is None:
            continue
        stand = standing(facts, date.max)
        found = next((other for other in stand if other.fact_id == wanted), None)
        if found is None or found.kind is not kind:
            raise InvalidInput(f"{where}: `{name}` is {wanted!r}, which is no {kind} that stands in this account.")
        if fact.kind is FactKind.CHARGEBACK:
            before = sum(
                other.amount_minor
                for other in stand
                if other.kind is FactKind.CHARGEBACK and other.details["of"] == wanted
            )
            if before + fact.amount_minor > found.amount_minor:
                taken = f", of which {before} was taken back before" if before else ""
                raise InvalidInput(
                    f"{where}: `amount_minor` is {fact.amount_minor}, above the payment {wanted}, which is "
                    f"{found.amount_minor}{taken}."
                )


def _check_line(product: Product, facts: Sequence[AccountFact], fact: AccountFact, where: str) -> None:
    """What a line cannot do: give cash without a rate, bill but by the month, pay out more than its credit balance."""
    name, day = product.product_id, fact.effective_on
    if fact.kind is FactKind.CASH_ADVANCE and not any(
        step.segment is Segment.CASH and step.from_on <= day for step in product.rates
    ):
        raise InvalidInput(
            f"{where}: {name} has no rate of the segment cash on {day}, so no cash is drawn from it.",
            "Book a purchase, or open the account with a product whose `rates` name cash, 0 where it is free.",
        )
    if fact.kind is FactKind.RE_AGE:
        for field, usual in (("every", 1), ("unit", "months")):
            if fact.details.get(field, usual) != usual:
                raise InvalidInput(
                    f"{where}: `{field}` is {fact.details[field]}; {name} is a line, whose instalments fall into its "
                    "monthly bills.",
                    "Leave out `every` and `unit`.",
                )
    if fact.kind is FactKind.DISBURSEMENT and fact.amount_minor > (credit := _before(product, facts, day).credit_minor):
        raise InvalidInput(
            f"{where}: {name} is a line, which pays out no more than its credit balance: `amount_minor` is "
            f"{fact.amount_minor}, the credit balance on {day} is {credit}.",
            "Book what is drawn from the limit as a purchase or a cash_advance.",
        )


def _check_price(product: Product, fact: AccountFact, where: str) -> None:
    """A plan says what it costs: one that is silently free would be believed."""
    if not {"fee_rate_per_period", "rate_annual"} & {*_given(fact)}:
        count = fact.details["instalments"]
        offers = product.line.offers if product.line else ()
        offer = next((one for one in offers if one.instalments == count), None)
        price = "Give `fee_rate_per_period` or `rate_annual`, 0 where it is free."
        if offer is not None:
            rate, name = (
                (offer.rate_annual, "rate_annual")
                if offer.rate_annual
                else (offer.fee_rate_per_period, "fee_rate_per_period")
            )
            price = f"{product.product_id} offers {count} instalments with `{name}` {float(rate):g}."
        raise InvalidInput(f"{where} says no price.", price)
    if all(fact.rate(name) for name in ("fee_rate_per_period", "rate_annual")):
        raise InvalidInput(
            f"{where} has both `fee_rate_per_period` and `rate_annual`.", "Give the one that is charged."
        )


def _check_state(product: Product, facts: Sequence[AccountFact], fact: AccountFact, where: str) -> None:
    state = _before(product, facts, fact.effective_on)
    of_a_claim = state.stage is Stage.CHARGED_OFF and fact.kind in (FactKind.SALE, FactKind.SETTLEMENT)
    if state.stage is not Stage.OPEN and not of_a_claim:
        raise InvalidInput(f"{where}: the account is {state.stage.replace('_', ' ')} on {state.as_of}.")
    if fact.kind is FactKind.CLOSED:
        _check_closing(product, facts, state, fact, where)
    if fact.kind is FactKind.RE_AGE and not _principal(state, tuple(Segment), tuple(Timing)):
        raise InvalidInput(f"{where}: no principal is owed on {state.as_of} that could be paid in instalments.")
    to_come = _principal(state, (Segment.INSTALMENT, Segment.LOAN), (Timing.IN_ADVANCE,))
    if fact.kind in (FactKind.RE_AMORTISE, FactKind.TERM_EXTENDED) and not to_come:
        raise InvalidInput(f"{where}: no instalment is to come on {state.as_of}.", "Re-age what is owed.")
    if fact.kind in (FactKind.CAPITALISED, FactKind.CARRIED) and not _billed_costs(state, fact):
        named = fact.details.get("component") or "cost"
        raise InvalidInput(f"{where}: no {named} is billed and unpaid on {state.as_of}.")
    most, what = _most(state, fact)
    if most is not None and fact.amount_minor > most:
        raise InvalidInput(
            f"{where}: `amount_minor` is {fact.amount_minor}, above {what} on {state.as_of}, which is {most}."
        )


def _check_closing(
    product: Product, facts: Sequence[AccountFact], state: AccountState, fact: AccountFact, where: str
) -> None:
    """Nothing may be owed, counted or held: the closing of a line posts what was counted up to its day."""
    owed, counted = state.balance_minor, 0
    if product.line is not None:
        owed = sum(line_before_close(line_rules(product), [*facts, fact], fact.effective_on).cells)
        counted = owed - state.balance_minor
    if owed:
        of_it = f", {counted} of it interest counted up to {state.as_of}" if counted else ""
        raise InvalidInput(f"{where}: {owed} is still owed{of_it}.", "Close it once this much more is paid.")
    if state.held_minor:
        raise InvalidInput(
            f"{where}: {state.held_minor} is held on {state.as_of}.", "Book `hold_released`, or wait until it expires."
        )


def _most(state: AccountState, fact: AccountFact) -> tuple[int | None, str]:
    """The highest amount that a fact may have, and what that is."""
    if fact.kind is FactKind.WAIVER:
        component = Component(str(fact.details["component"]))
        return sum(part.amount_minor for part in state.owed if part.component is component), f"the {component} owed"
    if fact.kind is FactKind.INSTALMENT_PLAN:
        purchases = _principal(state, (Segment.PURCHASE, Segment.PROMOTION), tuple(Timing))
        return purchases, "what is owed for purchases"
    if fact.kind is FactKind.SETTLEMENT:
        return state.balance_minor + state.claim_minor, "what is owed"
    return None, ""


def _principal(state: AccountState, segments: Sequence[Segment], timings: Sequence[Timing]) -> int:
    return sum(
        part.amount_minor
        for part in state.owed
        if part.component is Component.PRINCIPAL and part.segment in segments and part.timing in timings
    )


def _billed_costs(state: AccountState, fact: AccountFact) -> int:
    """What capitalised and carried move: of the component that the fact names, else of all but principal."""
    named = fact.details.get("component")
    return sum(
        part.amount_minor
        for part in state.owed
        if part.timing is not Timing.IN_ADVANCE
        and part.component is not Component.PRINCIPAL
        and named in (None, part.component)
    )


def _before(product: Product, facts: Sequence[AccountFact], day: date) -> AccountState:
    """The account on a day before what its close brings: what another fact of that day finds."""
    if product.line is None:
        return account_state(product, facts, day)
    line = line_before_close(line_rules(product), facts, day)
    line.close(day - timedelta(days=1))
    return line_state(line, day, ())


def _check_paid_out(product: Product, facts: Sequence[AccountFact], where: str) -> None:
    """Money of a loan goes out before anything else happens to it, whatever is reversed."""
    if product.loan is None:
        return
    for day in (facts[-1].effective_on, date.max):
        first = next((fact for fact in standing(facts, day) if fact.kind not in _BEFORE_MONEY), None)
        if first is not None and first.kind is not FactKind.DISBURSEMENT:
            raise InvalidInput(
                f"{where}: {first.kind} {first.fact_id} on {first.effective_on} would come before any disbursement.",
                "Book the disbursement first; reverse what came after it before you reverse it.",
            )


def _check_effect(product: Product, facts: Sequence[AccountFact], fact: AccountFact, where: str) -> None:
    """A loan can do on the fact's day what it says. A fact that loses its ground later, by a late one, stays booked."""
    rules, together = loan_rules(product, facts[0].effective_on), [*facts, fact]
    try:
        run(rules, together, fact.effective_on, strict=True)
    except InvalidInput as error:
        if error.message.startswith(where):
            raise
        moved = run(rules, together, fact.effective_on).transactions
        if any(one.kind == "no_effect" and one.fact_id == fact.fact_id for one in moved):
            raise InvalidInput(
                f"{where} has no effect on {fact.effective_on}.", "See `evenkeel accounts state`."
            ) from None
