"""What is lawfully owed: every debt once, as told, less what the law in force takes off.

Only a rule whose text was read takes anything off, and only where every fact that it hangs on is known: the day of the
contract, who lent, what was lent, the loan prime rate. Else it is a question, with what it would take off. A rule never
adds. This does not say that what is left is owed: a court may see more, or less.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction

from evenkeel.kernel.calendar import month_day, month_of
from evenkeel.kernel.money import Rounding, round_fraction
from evenkeel.repayment.case import Case, Component, Debt, LenderType
from evenkeel.repayment.facts.doubts import by_weight, level
from evenkeel.repayment.law.creditor import terms_of
from evenkeel.repayment.law.duplicates import One, without_duplicates
from evenkeel.repayment.law.rules import Law, Rule, shipped
from evenkeel.repayment.law.told import YEAR_DAYS, Told, paid_so_far, received, told
from evenkeel.repayment.model import MILLION, Claim, Cut, Question

CHARGES: tuple[Component, ...] = ("fees", "penalty", "interest")  # in the order in which they are cut
# Lenders of whom it is not known whether they are licensed, so that the cap on private lending may bind them.
_OPEN_LENDERS = ("platform", "debt_buyer", "other")
# Why a rule takes nothing off, and the field of the debt that would settle it.
_ASKED = {
    "unread": "rate_annual", "opened": "opened_on", "scope": "original_lender_type", "lpr": "lpr_annual",
    "lent": "lent_minor",
}  # fmt: skip


def claims(case: Case, law: Law | None = None) -> tuple[tuple[Claim, ...], tuple[Question, ...]]:
    """What is lawfully owed on each debt, by id, and what is asked, the heaviest first.

    Of a debt whose balance nobody tells there is a blocking question and no claim. A disputed debt is kept apart: a
    question and no claim until the borrower says otherwise (of one whose fees are disputed, only these are). A closed
    debt and one of nothing make no claim, unless the law took all of it.
    """
    law = law or shipped()
    found: list[Claim] = []
    asked: list[Question] = []
    for one in without_duplicates(case.debts):
        asked += one.questions
        if one.debt.stage == "closed":
            continue
        claim, questions = _claim(case, one, law)
        asked += questions
        if claim is not None and (claim.balance_minor or claim.cuts):
            found.append(claim)
    return tuple(found), by_weight(asked)


def lent_by(debt: Debt) -> LenderType:
    """Who lent, as far as it is known: the law of a debt follows its first lender, whoever holds it now."""
    return debt.original_lender_type or debt.lender_type


def supporting(case: Case, claim: Claim, ask: str, law: Law | None = None) -> tuple[Rule, ...]:
    """The rules in force that support asking a creditor for something: `term`, `rate` or `waiver`."""
    law = law or shipped()
    debt = next(one for one in case.debts if one.id == claim.debt_id)
    rules = (*law.in_force(case, "term_cap"), *law.in_force(case, "supports"))
    return tuple(rule for rule in rules if ask in rule.asks and rule.binds(lent_by(debt)))


@dataclass(slots=True)
class _Work:
    """A debt on its way to a claim."""

    case: Case
    debt: Debt
    told: Told
    parts: dict[Component, int]
    rate: int
    cuts: list[Cut] = field(default_factory=list)
    warnings: list[tuple[str, str]] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    @property
    def about(self) -> str:
        return f"debts.{self.debt.id}"

    @property
    def balance(self) -> int:
        return sum(self.parts.values())

    @property
    def monthly(self) -> int:
        """The measure of questions: its level payment."""
        return level(self.balance, self.rate)

    def ask(self, field: str, key: str, weight: int, **values: object) -> None:
        self.questions.append(Question(f"{self.about}.{field}", key, max(weight, 0), values=values))

    def cut(self, component: Component, amount: int, rule: Rule) -> None:
        amount = min(amount, self.parts[component])
        if amount > 0:
            self.parts[component] -= amount
            self.cuts.append(Cut(component, amount, rule.id))


def _claim(case: Case, one: One, law: Law) -> tuple[Claim | None, list[Question]]:
    debt = one.debt
    said = told(case, debt)
    if isinstance(said, Question):
        return None, [said]
    work = _Work(case, debt, said, dict(said.parts), said.rate_micros, warnings=list(said.warnings))
    work.questions += said.questions
    if debt.disputed in ("all", "identity", "amount"):
        work.ask("disputed", "repay.ask.disputed", work.monthly, disputed=debt.disputed, balance_minor=work.balance)
        return None, work.questions
    if debt.disputed == "fees":
        apart = work.parts["fees"] + work.parts["penalty"]
        work.parts |= {"fees": 0, "penalty": 0}
        work.ask("disputed", "repay.ask.disputed_fees", level(apart, work.rate), balance_minor=apart)
    if debt.stage == "judgement":
        work.warnings.append(("repay.warn.judgement", ""))  # a court has decided: its figures stand
    else:
        _advance(work, law)
        _caps(work, law)
        _limitation(work, law)
    _mentions(work, one)
    terms = terms_of(case, debt, lent_by(debt), work.parts, law)
    claim = Claim(
        debt_id=debt.id,
        creditor=debt.creditor,
        lender_type=debt.lender_type,
        **{f"{name}_minor": amount for name, amount in work.parts.items()},
        rate_micros=work.rate,
        policy=terms.policy,
        most_months=terms.most_months,
        days_past_due=debt.days_past_due,
        rate_told_micros=said.rate_micros if said.rate_known else None,
        all_in_annual=said.all_in_annual,
        all_in_how=said.all_in_how,
        cuts=tuple(work.cuts),
        warnings=(*work.warnings, *terms.warnings),
        merged=one.merged,
    )
    return claim, [*work.questions, *terms.questions]


def _mentions(work: _Work, one: One) -> None:
    """What a plan should be read with."""
    debt = one.debt
    for key, said in (
        ("repay.warn.duplicate", bool(one.merged)),
        ("repay.warn.sold", debt.stage == "sold"),
        ("repay.warn.secured", debt.secured),
        ("repay.warn.guarantor", debt.guarantor),
    ):
        if said:
            work.warnings.append((key, ""))


# ------------------------------------------------------------------------------------------ interest taken in advance


def _advance(work: _Work, law: Law) -> None:
    """What was never paid out is not principal."""
    debt = work.debt
    if debt.received_minor is None:
        return
    named = debt.lent_minor if debt.lent_minor is not None else work.parts["principal"]
    deducted = min(max(named - debt.received_minor, 0), work.parts["principal"])
    rules = [rule for rule in law.in_force(work.case, "advance_interest") if rule.made(debt.opened_on)]
    if not deducted or not rules:
        return
    rule = next((one for one in rules if one.read), rules[0])
    doubt = (
        "unread" if not rule.read
        else "opened" if debt.opened_on is None
        else "lent" if debt.lent_minor is None and debt.principal_minor is None  # the balance may hold later interest
        else ""
    )  # fmt: skip
    if not doubt:
        work.cut("principal", deducted, rule)
        return
    weight = work.monthly - level(work.balance - deducted, work.rate)
    work.ask(_ASKED[doubt], f"repay.ask.rule_{doubt}", weight, rule=rule.id, cut_minor=deducted)


# -------------------------------------------------------------------------------------------------------- caps on price


@dataclass(frozen=True, slots=True)
class _Capped:
    """What a cap would do: to the rate, to what has accrued (None where that cannot be told), and to principal that was
    paid already by what was paid above the cap."""

    rate: int
    charges: int | None
    overpaid: int = 0


def _caps(work: _Work, law: Law) -> None:
    """Hold the price of a debt to every cap in force on the day of its contract; the strictest is applied last."""
    debt = work.debt
    rules = [rule for rule in law.in_force(work.case, "rate_cap") if rule.made(debt.opened_on)]
    certain: list[tuple[int, Rule]] = []
    for rule in rules:
        binds = rule.binds(lent_by(debt))
        if not binds and not (rule.scope and lent_by(debt) in _OPEN_LENDERS):
            continue
        cap, known = _cap(work, rule, law)
        if cap is None:
            continue
        doubt = (
            "unread" if not rule.read
            else "opened" if debt.opened_on is None
            else "scope" if not binds
            else "" if known
            else "lpr"
        )  # fmt: skip
        if doubt:
            _ask_cap(work, rule, cap, doubt)
        else:
            certain.append((cap, rule))
    for cap, rule in sorted(certain, key=lambda one: -one[0]):
        _apply_cap(work, rule, cap)


def _cap(work: _Work, rule: Rule, law: Law) -> tuple[int | None, bool]:
    """A cap in millionths a year, and whether it is known or rests on a loan prime rate from memory."""
    if rule.cap is not None:
        return round(rule.cap * MILLION), True
    told_lpr = work.debt.lpr_annual
    lpr = told_lpr if told_lpr is not None else law.lpr_on(work.debt.opened_on or work.case.as_of)
    if lpr is None or rule.times_lpr is None:
        return None, False
    return rule.times_lpr * round(lpr * MILLION), told_lpr is not None


def _capped(work: _Work, rule: Rule, cap: int) -> _Capped:
    debt, price = work.debt, work.rate
    if not rule.charges:
        # The cap is on the all-in price: what exceeds it comes off the rate.
        all_in = round((work.told.all_in_annual or 0) * MILLION)
        return _Capped(max(0, min(price, price - (all_in - cap))), 0)
    if debt.opened_on is None:
        return _Capped(min(price, cap), None)
    paid, charges = paid_so_far(debt), sum(work.parts[name] for name in CHARGES)
    base = received(debt)
    if base is None and paid == 0:
        base = work.parts["principal"]
    if base is None or not work.told.split:
        return _Capped(min(price, cap), None)
    days = max((work.case.as_of - debt.opened_on).days, 0)
    most = round_fraction(base * Fraction(cap, MILLION) * days / YEAR_DAYS, Rounding.HALF_UP)
    over = max(charges - most, 0)
    if paid is not None:
        over = max(over, work.balance + paid - base - most)
    return _Capped(min(price, cap), min(over, charges), max(over - charges, 0))


def _apply_cap(work: _Work, rule: Rule, cap: int) -> None:
    capped = _capped(work, rule, cap)
    if capped.rate < work.rate:
        work.rate = capped.rate
        work.warnings.append(("repay.warn.rate_capped", rule.id))
    if capped.charges is None:
        _ask_base(work, rule, cap)
        return
    left = capped.charges
    for component in CHARGES:
        amount = min(left, work.parts[component])
        work.cut(component, amount, rule)
        left -= amount
    if capped.overpaid:
        overpaid = min(capped.overpaid, work.parts["principal"])
        weight = work.monthly - level(work.balance - overpaid, work.rate)
        work.ask("paid_minor", "repay.ask.overpaid", weight, rule=rule.id, cut_minor=overpaid)


def _ask_base(work: _Work, rule: Rule, cap: int) -> None:
    """What has accrued cannot be held to a cap without what was lent; asked where it may be too much."""
    above = work.told.rate_micros - cap
    charges = sum(work.parts[name] for name in CHARGES)
    if work.debt.opened_on is None or (above <= 0 and not charges):
        return
    years = Fraction(max((work.case.as_of - work.debt.opened_on).days, 0), YEAR_DAYS)
    within = Fraction(max(above, 0), MILLION) * years
    share = within / (1 + Fraction(work.told.rate_micros, MILLION) * years)
    most = round_fraction(work.balance * share, Rounding.HALF_UP) if not work.told.split else charges
    if most:
        weight = work.monthly - level(work.balance - most, work.rate)
        work.ask("lent_minor", "repay.ask.rule_lent", weight, rule=rule.id, cut_minor=most)


def _ask_cap(work: _Work, rule: Rule, cap: int, doubt: str) -> None:
    """A cap that may bind, with what it would take off; nothing where the price is within it."""
    capped = _capped(work, rule, cap)
    charges = capped.charges or 0
    if capped.rate >= work.rate and not charges:
        return
    weight = work.monthly - level(work.balance - charges, capped.rate)
    work.ask(
        _ASKED[doubt], f"repay.ask.rule_{doubt}", weight,
        rule=rule.id, cap=cap / MILLION, rate=work.rate / MILLION, cut_minor=charges,
    )  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- limitation


def _limitation(work: _Work, law: Law) -> None:
    """Warn where a claim may be too old for a court: it is still a debt, and only a lawyer can say what holds."""
    debt, case = work.debt, work.case
    late = debt.days_past_due
    due = case.as_of - timedelta(days=late) if late else None
    if late == 0 or not work.balance:
        return
    for rule in law.in_force(case, "limitation"):
        starts = [due, debt.last_payment_on, debt.last_demand_on if "demand" in rule.restarts else None]
        known = [day for day in starts if day is not None and day <= case.as_of]
        if not known or rule.years is None:
            continue
        since = max(known)
        until = _years_after(since, rule.years)
        if case.as_of <= until:
            continue
        open_ = "demand" in rule.restarts and debt.last_demand_on is None
        key = "repay.warn.limitation_unless_demanded" if open_ else "repay.warn.limitation"
        work.warnings.append((key, rule.id))
        work.ask(
            "last_demand_on" if open_ else "last_payment_on", "repay.ask.limitation", work.monthly,
            rule=rule.id, since=since.isoformat(), until=until.isoformat(),
        )  # fmt: skip


def _years_after(day: date, years: int) -> date:
    """The same day so many years later, 28 February for the 29th."""
    return month_day(month_of(day) + 12 * years, day.day)
