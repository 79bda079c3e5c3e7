"""A second calculator of revolving lines, for tests: one account, one loop over days, decimals, nothing shared.

Written from the section "A line, day by day" of `accounts/README.md`, not from the engine, and to be read, not to be
fast: it walks through every day, keeps an account as one dictionary and follows the sentences in their order.
"""

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import ROUND_DOWN, Decimal, localcontext
from fractions import Fraction
from typing import Any

from line_oracle_account import (
    ADVANCE,
    COMPONENTS,
    DUE,
    FEE,
    INTEREST,
    ONE_DAY,
    PAST,
    PENALTY,
    PRINCIPAL,
    SEGMENTS,
    TIMINGS,
    TINY,
    UNBILLED_INSTALMENTS,
    Account,
    add_plan,
    ask_less,
    cells_in_order,
    charge,
    days_in_year,
    due_on_after,
    fee_of,
    fill_dues,
    half_up,
    next_cut,
    number,
    open_account,
    owe_nothing,
    pay_from_credit,
    rate_on,
    statement_day_of,
    take,
    to_tiny,
    total,
    unpaid_dues,
)

from evenkeel.accounts.facts import RESTRUCTURINGS, AccountFact, FactKind
from evenkeel.accounts.products.model import Grace, Product
from evenkeel.accounts.words import Component, Segment


def calculate(product: Product, facts: Sequence[AccountFact], as_of: date) -> Account:
    """The account at the close of `as_of`; facts in the order of booking, the first by day opens it."""
    facts = facts_that_stand(facts, as_of)
    account = open_account(product, facts[0])
    day = facts[0].effective_on
    with localcontext() as context:
        context.prec = 60
        while day <= as_of:
            today = [fact for fact in facts[1:] if fact.effective_on == day]
            for fact in today:
                if fact.kind == FactKind.RATE_CHANGED:
                    on_rate_changed(account, fact, day)
            count_interest(account, day)
            for fact in today:
                if fact.kind != FactKind.RATE_CHANGED:
                    happen(account, fact)
            close_day(account, day)
            day += ONE_DAY
    return account


def facts_that_stand(facts: Sequence[AccountFact], as_of: date) -> list[AccountFact]:
    """Facts up to the day in the order of their days, without the reversed ones; a reversed reversal undoes nothing."""
    known = [fact for fact in facts if fact.effective_on <= as_of]
    out: set[str] = set()
    for fact in known[::-1]:
        if fact.kind == FactKind.REVERSAL and fact.fact_id not in out:
            out.add(str(fact.reversal_of))
    stand = [fact for fact in known if fact.fact_id not in out and fact.kind != FactKind.REVERSAL]
    return [fact for day in sorted({fact.effective_on for fact in stand}) for fact in stand if fact.effective_on == day]


# ---- 1. Interest ---------------------------------------------------------------------------------------------------


def count_interest(account: Account, day: date) -> None:
    if account["stage"] != "open":
        return
    product, line = account["product"], account["line"]
    basis = days_in_year(product, day)

    def a_day(balance: int, rate: Fraction) -> Decimal:
        return to_tiny(balance * number(rate) / basis)

    if day <= account["no_interest_until"]:
        return
    if product.cost_cap_annual is not None:
        account["cap"] += a_day(total(account, PRINCIPAL), product.cost_cap_annual)
    for segment in SEGMENTS:
        rate = rate_on(account, segment, day)
        past, due, advance = (total(account, timing, segment, PRINCIPAL) for timing in TIMINGS)
        costs = (
            sum(total(account, t, segment, c) for t in (PAST, DUE) for c in (INTEREST, FEE)) if line.compounding else 0
        )
        if segment == Segment.INSTALMENT:
            bearing = costs
        elif segment == Segment.PURCHASE and line.grace != Grace.NONE:
            bearing = past + costs
            if line.grace != Grace.FROM_DUE:
                account["shadow_billed"] += a_day(due, rate)
                account["shadow_unbilled"] += a_day(advance, rate)
        else:
            bearing = past + due + advance + costs
        account["interest"][segment] += a_day(bearing, rate)
        if account["late"]:
            account["penalties"][segment] += a_day(past, line.penalty_rate_annual)


# ---- 2. Facts ------------------------------------------------------------------------------------------------------


def happen(account: Account, fact: AccountFact) -> None:
    account["restructurings"] += fact.kind in RESTRUCTURINGS
    HAPPENS[fact.kind](account, fact, fact.effective_on)
    pay_from_credit(account)


def owe(account: Account, segment: Segment, component: Component, amount: int) -> None:
    account["cells"][ADVANCE, segment, component] += amount


def pay(account: Account, kind: str, amount: int, day: date) -> None:
    """A payment, or what counts as one: pays what is owed, the rest is credit."""
    if account["stage"] in ("charged_off", "sold"):
        paid = min(amount, account["claim"])
        account["claim"] -= paid
        account["credit"] += amount - paid
    else:
        order, paid = cells_in_order(account, kind), 0
        if account["product"].excess_by_rate:
            paid = take(account, order, min(amount, unpaid_dues(account)))
            dearest = sorted(SEGMENTS, key=lambda segment: -rate_on(account, segment, day))
            paid += take(account, [(t, segment, PRINCIPAL) for segment in dearest for t in TIMINGS], amount - paid)
        paid += take(account, order, amount - paid)
        account["credit"] += amount - paid
        fill_dues(account, paid, day)
    settlement = account["settlement"]
    if settlement and day <= settlement["by"]:
        settlement["paid"] += amount
        if settlement["paid"] >= settlement["amount"]:
            waive_everything(account)


def on_purchase(account: Account, fact: AccountFact, day: date) -> None:
    account["holds"].pop(fact.details.get("hold_id"), None)
    owe(account, Segment(fact.details.get("segment") or Segment.PURCHASE), PRINCIPAL, fact.amount_minor)


def on_cash_advance(account: Account, fact: AccountFact, day: date) -> None:
    owe(account, Segment.CASH, PRINCIPAL, fact.amount_minor)
    charge(account, Segment.CASH, FEE, fee_of(account, "cash", fact.amount_minor))


def on_disbursement(account: Account, fact: AccountFact, day: date) -> None:
    """Credit goes back to the borrower; what was paid out beyond it is owed."""
    out = min(fact.amount_minor, account["credit"])
    account["credit"] -= out
    owe(account, Segment.PURCHASE, PRINCIPAL, fact.amount_minor - out)


def on_hold(account: Account, fact: AccountFact, day: date) -> None:
    ends = fact.details.get("expires_on") or day + timedelta(days=account["line"].hold_days)
    account["holds"][fact.fact_id] = (fact.amount_minor, ends)


def on_hold_released(account: Account, fact: AccountFact, day: date) -> None:
    account["holds"].pop(fact.details["hold_id"], None)


def on_payment(account: Account, fact: AccountFact, day: date) -> None:
    pay(account, "payment", fact.amount_minor, day)


def on_guarantor_payment(account: Account, fact: AccountFact, day: date) -> None:
    pay(account, "guarantor_payment", fact.amount_minor, day)
    account["subrogated"] += fact.amount_minor


def on_refund(account: Account, fact: AccountFact, day: date) -> None:
    pay(account, "refund_" + str(fact.details.get("by") or "merchant"), fact.amount_minor, day)


def on_chargeback(account: Account, fact: AccountFact, day: date) -> None:
    """A payment is taken back: it is owed again."""
    owe(account, Segment.PURCHASE, PRINCIPAL, fact.amount_minor)


def on_payment_failed(account: Account, fact: AccountFact, day: date) -> None:
    charge(account, Segment.PURCHASE, FEE, fee_of(account, "returned", fact.amount_minor))


def on_charge(account: Account, fact: AccountFact, day: date) -> None:
    account["charges"] += fact.amount_minor
    owe(account, Segment.PURCHASE, FEE if fact.kind == FactKind.FEE else INTEREST, fact.amount_minor)


def on_waiver(account: Account, fact: AccountFact, day: date) -> None:
    cells = [(t, s, Component(str(fact.details["component"]))) for t in TIMINGS for s in SEGMENTS]
    fill_dues(account, take(account, cells, fact.amount_minor), day)


def on_charge_off(account: Account, fact: AccountFact, day: date) -> None:
    if account["stage"] in ("open", "closed"):
        account["days"] = days_past_due(account, day)
        charge_off(account)


def on_sale(account: Account, fact: AccountFact, day: date) -> None:
    if account["stage"] == "sold":
        return
    if account["stage"] in ("open", "closed"):
        account["days"] = days_past_due(account, day)
    owe_nothing(account)
    account["stage"] = "sold"


def on_closed(account: Account, fact: AccountFact, day: date) -> None:
    """What was counted is owed, credit pays it, and the line ends where nothing is left."""
    account["limit"] = 0
    if account["stage"] == "open":
        post_interest(account)
        pay_from_credit(account)
        account["stage"] = "open" if total(account) else "closed"


def on_rate_changed(account: Account, fact: AccountFact, day: date) -> None:
    segment = fact.details.get("segment")
    account["own_rates"].append((Segment(segment) if segment else None, fact.details["rate_annual"]))


def on_limit_changed(account: Account, fact: AccountFact, day: date) -> None:
    account["limit"] = fact.details["limit_minor"]


def on_instalment_plan(account: Account, fact: AccountFact, day: date) -> None:
    """Purchases and promotions, unbilled ones first, become instalments. The dues ask less by the minimum's share of
    what was billed, and for no more than is billed and owed."""
    from_cells = [(t, s, PRINCIPAL) for t in (ADVANCE, DUE, PAST) for s in (Segment.PURCHASE, Segment.PROMOTION)]
    unbilled = take(account, from_cells[:2], fact.amount_minor)
    billed = take(account, from_cells[2:], fact.amount_minor - unbilled)
    ask_less(account, int(billed * number(account["line"].minimum.principal_share)), day)
    ask_less(account, max(0, unpaid_dues(account) - total(account, PAST) - total(account, DUE)), day)
    fee, rate = fact.details.get("fee_rate_per_period"), fact.details.get("rate_annual")
    add_plan(account, unbilled + billed, fact.details["instalments"], fee, rate, next_cut(account, day))


# ---- Restructuring -------------------------------------------------------------------------------------------------


def waive_everything(account: Account) -> None:
    bill = account["open_bill"]
    owe_nothing(account)
    account["open_bill"], account["settlement"] = bill, None


def on_re_age(account: Account, fact: AccountFact, day: date) -> None:
    principal = total(account, PRINCIPAL)
    costs = {(s, c): total(account, s, c) for s in SEGMENTS for c in COMPONENTS if c != PRINCIPAL}
    account["cells"] = dict.fromkeys(account["cells"], 0)
    for (segment, component), amount in costs.items():
        account["cells"][ADVANCE, segment, component] = amount
    account["shadow_billed"] = account["shadow_unbilled"] = Decimal(0)
    account["plans"], account["dues"], account["late"], account["open_bill"] = [], [], False, None
    cut = next_cut(account, day)
    while due_on_after(account, cut) < fact.details["first_due_on"]:
        cut = next_cut(account, cut + ONE_DAY)
    add_plan(account, principal, fact.details["instalments"], None, fact.details.get("rate_annual"), cut)


def on_spread(account: Account, fact: AccountFact, day: date) -> None:
    """The plans become one: over the longest of their months left or those given, at the rate of the oldest, with the
    fees of all; unpaid billed instalments are in it and are not asked any more."""
    plans = account["plans"]
    if not plans:
        return
    months = fact.details.get("instalments") or max(plan["months"] - plan["place"] for plan in plans)
    billed = take(account, [(t, Segment.INSTALMENT, PRINCIPAL) for t in (PAST, DUE)], 10**18)
    first_cut = min(max(plan["first_cut"], next_cut(account, day)) for plan in plans)
    fee, rate = sum(plan["fee"] for plan in plans), plans[0]["rate"]
    account["plans"] = []
    add_plan(account, billed, months, None, rate, first_cut)
    account["plans"] = [
        {"first": account["cells"][UNBILLED_INSTALMENTS], "left": account["cells"][UNBILLED_INSTALMENTS],
         "months": months, "place": 0, "fee": fee, "rate": rate, "first_cut": first_cut}
    ]  # fmt: skip
    ask_less(account, billed, day)


def on_due_date_moved(account: Account, fact: AccountFact, day: date) -> None:
    """From the next bill on."""
    to = fact.details.get("to_due_on")
    account["due_day"] = fact.details.get("due_day") or (to.day if to else account["due_day"])


def on_payment_holiday(account: Account, fact: AccountFact, day: date) -> None:
    account["no_minimum_until"] = max(account["no_minimum_until"], fact.details["until"])
    if fact.details.get("interest") is False:
        account["no_interest_until"] = max(account["no_interest_until"], fact.details["until"])


def on_interest_paused(account: Account, fact: AccountFact, day: date) -> None:
    account["no_interest_until"] = max(account["no_interest_until"], fact.details["until"])


def on_settlement(account: Account, fact: AccountFact, day: date) -> None:
    account["no_interest_until"] = max(account["no_interest_until"], fact.details["by"])
    account["settlement"] = {"amount": fact.amount_minor, "by": fact.details["by"], "paid": 0}


def on_arrears_paused(account: Account, fact: AccountFact, day: date) -> None:
    """Days past due are not counted after this day, up to and with the day given."""
    account["uncounted"] |= {day + n * ONE_DAY for n in range(1, (fact.details["until"] - day).days + 1)}


HAPPENS: dict[FactKind, Callable[[Account, AccountFact, date], None]] = {
    FactKind.PURCHASE: on_purchase,
    FactKind.CASH_ADVANCE: on_cash_advance,
    FactKind.DISBURSEMENT: on_disbursement,
    FactKind.HOLD: on_hold,
    FactKind.HOLD_RELEASED: on_hold_released,
    FactKind.PAYMENT: on_payment,
    FactKind.GUARANTOR_PAYMENT: on_guarantor_payment,
    FactKind.RECOVERY: on_payment,
    FactKind.PAYMENT_FAILED: on_payment_failed,
    FactKind.REFUND: on_refund,
    FactKind.CHARGEBACK: on_chargeback,
    FactKind.FEE: on_charge,
    FactKind.INTEREST: on_charge,
    FactKind.WAIVER: on_waiver,
    FactKind.CHARGE_OFF: on_charge_off,
    FactKind.SALE: on_sale,
    FactKind.CLOSED: on_closed,
    FactKind.LIMIT_CHANGED: on_limit_changed,
    FactKind.INSTALMENT_PLAN: on_instalment_plan,
    FactKind.RE_AGE: on_re_age,
    FactKind.RE_AMORTISE: on_spread,
    FactKind.TERM_EXTENDED: on_spread,
    FactKind.DUE_DATE_MOVED: on_due_date_moved,
    FactKind.PAYMENT_HOLIDAY: on_payment_holiday,
    FactKind.INTEREST_PAUSED: on_interest_paused,
    FactKind.SETTLEMENT: on_settlement,
    FactKind.ARREARS_PAUSED: on_arrears_paused,
}


# ---- 3. The close of a day -----------------------------------------------------------------------------------------


def close_day(account: Account, day: date) -> None:
    account["holds"] = {key: hold for key, hold in account["holds"].items() if hold[1] > day}
    cut_today = day == statement_day_of(account, day)
    if account["stage"] == "open":
        grace = timedelta(days=account["product"].tolerance.grace_days)
        bill = account["open_bill"]
        if bill and (day >= bill["due_on"] + grace or cut_today):
            judge(account, day)
    if account["stage"] in ("open", "closed"):
        account["days"] = days_past_due(account, day)
    account["days_past_due"][day] = account["days"]
    if account["stage"] == "open":
        charge_off_on = account["product"].charge_off_days
        if charge_off_on and account["days"] >= charge_off_on:
            charge_off(account)
        elif cut_today:
            cut_bill(account, day)


def judge(account: Account, day: date) -> None:
    bill, line, product = account["open_bill"], account["line"], account["product"]
    account["open_bill"] = None
    unpaid = total(account, DUE)
    if unpaid > product.tolerance.payment_minor:
        shadow = account["shadow_billed"]
        if line.grace == Grace.UNPAID_PART:
            still = total(account, DUE, Segment.PURCHASE, PRINCIPAL)
            shadow = (shadow * still / max(1, bill["purchases"])).quantize(TINY, ROUND_DOWN)
        account["interest"][Segment.PURCHASE] += shadow
    account["shadow_billed"] = Decimal(0)
    missing = unpaid_dues(account, bill["due_on"] + ONE_DAY)
    if missing > product.tolerance.payment_minor:
        account["late"] = True
        if day > account["no_minimum_until"]:
            charge(account, Segment.PURCHASE, PENALTY, fee_of(account, "late", missing))
        for segment in SEGMENTS:
            a_day = (
                total(account, DUE, segment, PRINCIPAL) * number(line.penalty_rate_annual) / days_in_year(product, day)
            )
            if day > account["no_interest_until"]:
                account["penalties"][segment] += to_tiny(a_day) * (day - bill["due_on"]).days
    for segment in SEGMENTS:
        for component in COMPONENTS:
            account["cells"][PAST, segment, component] += account["cells"][DUE, segment, component]
            account["cells"][DUE, segment, component] = 0


def post_interest(account: Account) -> None:
    for segment in SEGMENTS:
        for component, counted in ((INTEREST, account["interest"]), (PENALTY, account["penalties"])):
            charge(account, segment, component, half_up(counted[segment]))
            counted[segment] = Decimal(0)


def cut_bill(account: Account, day: date) -> None:
    cells = account["cells"]
    due_on = due_on_after(account, day)
    post_interest(account)
    costs = [bill_instalment(account, plan, day) for plan in account["plans"]]
    charge(account, Segment.INSTALMENT, FEE, sum(fee for fee, _ in costs))
    charge(account, Segment.INSTALMENT, INTEREST, sum(interest for _, interest in costs))
    account["plans"] = [plan for plan in account["plans"] if plan["left"]]
    excess = 0 if account["limit"] is None else max(0, total(account) - account["limit"])
    if excess:
        charge(account, Segment.PURCHASE, FEE, fee_of(account, "over_limit", excess))
    pay_from_credit(account)
    excess = 0 if account["limit"] is None else max(0, total(account) - account["limit"])
    for segment in SEGMENTS:
        for component in COMPONENTS:
            if (ADVANCE, segment, component) != UNBILLED_INSTALMENTS:
                cells[DUE, segment, component] += cells[ADVANCE, segment, component]
                cells[ADVANCE, segment, component] = 0
    account["shadow_billed"], account["shadow_unbilled"] = account["shadow_unbilled"], Decimal(0)
    billed = total(account, PAST) + total(account, DUE)
    minimum = minimum_of(account, billed, excess, day)
    account["open_bill"] = {"due_on": due_on, "purchases": cells[DUE, Segment.PURCHASE, PRINCIPAL]}
    new = minimum - unpaid_dues(account)
    if new > 0 and len(account["dues"]) >= 12:
        account["dues"][-1]["amount"] += new
    elif new > 0:
        account["dues"].append({"on": due_on, "amount": new, "paid": 0})
    of = {c: total(account, PAST, c) + total(account, DUE, c) for c in COMPONENTS}
    account["bills"].append(
        {"cut_on": day, "due_on": due_on, "total": billed, "minimum": unpaid_dues(account), "principal": of[PRINCIPAL],
         "interest": of[INTEREST], "fee": of[FEE], "penalty": of[PENALTY], "credit": account["credit"]}
    )  # fmt: skip


def bill_instalment(account: Account, plan: dict[str, Any], day: date) -> tuple[int, int]:
    """The plan's next instalment falls due: principal in even parts, or an annuity of months. Its fee and interest."""
    if day < plan["first_cut"]:
        return 0, 0
    first, months, place, interest = plan["first"], plan["months"], plan["place"], 0
    plan["place"] += 1
    if plan["rate"]:
        monthly = number(plan["rate"]) / 12
        discounted = sum(1 / (1 + monthly) ** k for k in range(1, months + 1))
        interest = half_up(plan["left"] * monthly)
        principal = half_up(first / discounted) - interest
    else:
        principal = first // months + (1 if place < first % months else 0)
    principal = plan["left"] if place == months - 1 else min(principal, plan["left"])
    plan["left"] -= principal
    account["cells"][UNBILLED_INSTALMENTS] -= principal
    account["cells"][DUE, Segment.INSTALMENT, PRINCIPAL] += principal
    return plan["fee"], interest


def minimum_of(account: Account, billed: int, excess: int, day: date) -> int:
    if day <= account["no_minimum_until"]:
        return 0
    rule = account["line"].minimum
    outside = {
        t: sum(total(account, t, s, PRINCIPAL) for s in SEGMENTS if s != Segment.INSTALMENT) for t in (PAST, DUE)
    }
    past_due = max(unpaid_dues(account), total(account, PAST) - outside[PAST])
    asked = half_up(sum(outside.values()) * number(rule.principal_share)) + total(account, DUE) - outside[DUE]
    asked += past_due + excess
    return min(billed, max(rule.floor_minor, asked))


def days_past_due(account: Account, day: date) -> int:
    """Of the oldest due that is late: the days since it, without those that are not counted, exceed the grace days."""
    tolerance = account["product"].tolerance

    def days_of(due: dict[str, Any]) -> int:
        since = [due["on"] + n * ONE_DAY for n in range(1, (day - due["on"]).days + 1)]
        return len(set(since) - account["uncounted"])

    late = [due for due in account["dues"] if days_of(due) > tolerance.grace_days]
    missing = sum(due["amount"] - due["paid"] for due in late)
    if missing <= max(tolerance.payment_minor, tolerance.material_minor, total(account) * tolerance.material_share):
        return 0
    return days_of(late[0])


def charge_off(account: Account) -> None:
    claim = total(account)
    owe_nothing(account)
    account["claim"], account["stage"] = claim, "charged_off"
