"""From a case to plans: what is lawfully owed, what can be carried, what is offered, or what must be asked first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import msgspec
import numpy as np

from evenkeel.repayment.case import Between, Case, Income, OneOff
from evenkeel.repayment.choice.offer import Offer, offer
from evenkeel.repayment.choice.search import Means
from evenkeel.repayment.facts.doubts import by_weight, doubts
from evenkeel.repayment.household.chance import chance
from evenkeel.repayment.household.outlook import Carried, Outlook, due_days, outlook
from evenkeel.repayment.law.essentials import Essentials, essentials
from evenkeel.repayment.law.lawful import claims
from evenkeel.repayment.law.routes import Cause, Route, causes_of, routes
from evenkeel.repayment.model import Budget, Claim, Infeasible, IntArray, Keep, Plan, Question, Status


@dataclass(frozen=True, slots=True)
class Planned:
    """What becomes of a case. claims: those that are planned for; outside: those whose creditors have refused, for
    which their part of the money is set aside and nothing is promised. found: None where there is a question first or
    nothing is owed. questions: the heaviest first."""

    case: Case
    status: Status
    claims: tuple[Claim, ...]
    outside: tuple[Claim, ...]
    essentials: Essentials
    outlook: Outlook
    budget: Budget
    found: Offer | Infeasible | None
    questions: tuple[Question, ...]
    routes: tuple[Route, ...]

    @property
    def plans(self) -> tuple[Plan, ...]:
        """The plans offered."""
        return self.found.plans if isinstance(self.found, Offer) else ()

    def plan(self, name: str) -> Plan | None:
        """The plan that is the best at something."""
        return next((one for one in self.plans if name in one.names), None)


def plan_of(case: Case) -> Planned:
    """Plan for a case. A fact that is missing makes a question; none is taken as zero."""
    owed, asked = claims(case)
    living = essentials(case)
    ahead = outlook(case, living.total_minor)
    money = Carried(case, ahead)
    questions = _once((*asked, *doubts(case), *living.questions, *ahead.questions))
    inside = tuple(claim for claim in owed if claim.policy.consents is not False and claim.balance_minor)
    outside = tuple(claim for claim in owed if claim.policy.consents is False and claim.balance_minor)

    def carried(monthly_minor: int = 0, start_minor: int = 0) -> IntArray:
        return _without(money.capacity(monthly_minor, start_minor), inside, outside)

    def surely(monthly_minor: int, start_minor: int) -> Means:
        """All of the household seen again with so much more for certain: what it can carry, keep, and hold out."""
        other = _with_more(case, monthly_minor, start_minor)
        seen = outlook(other, living.total_minor)
        found = Carried(other, seen)
        able = _without(found.capacity(), inside, outside)
        return able, _part_kept(found.keep, inside, outside), chance(seen, able).survival

    capacity, keep = carried(), _part_kept(money.keep, inside, outside)
    found: Offer | Infeasible | None = None
    status: Status = "question"
    if not any(one.blocking for one in questions):
        if inside:
            found = offer(inside, capacity, partial(chance, ahead), case.role, case.fairness, carried, keep, surely)
        elif outside:
            found = Infeasible(tuple(f"consent:{claim.debt_id}" for claim in outside), ())
        else:
            questions = (Question("debts", "repay.ask.nothing_owed", blocking=True), *questions)
    if found is not None:
        status = "infeasible" if isinstance(found, Infeasible) else "feasible"
    causes: list[Cause] = [*causes_of(owed, questions)]
    causes += ["infeasible", "hardship"] if status == "infeasible" else ["hardship"]
    return Planned(
        case, status, inside, outside, living, ahead, Budget(capacity, keep, due_days(case, ahead)), found, questions,
        routes(case, causes),
    )  # fmt: skip


def _with_more(case: Case, monthly_minor: int, start_minor: int) -> Case:
    """The case with an income that is certain, and money that is there at once."""
    house, taken = case.household, {income.id for income in case.household.incomes}
    name = next(name for name in (f"more-{number}" for number in range(len(taken) + 1)) if name not in taken)
    sure = Income(name, "benefit", Between(monthly_minor, monthly_minor), volatility=0.0, loss_annual=0.0, pay_day=1)
    incomes = (*house.incomes, sure) if monthly_minor else house.incomes
    once = (*house.one_off, OneOff(case.as_of, start_minor)) if start_minor else house.one_off
    return msgspec.structs.replace(case, household=msgspec.structs.replace(house, incomes=incomes, one_off=once))


def _once(questions: Iterable[Question]) -> tuple[Question, ...]:
    """Each question once, in the order in which to ask. `doubts` asks what an income brings, by its id."""
    known = {(one.about, one.key): one for one in questions if one.key != "repay.income.unknown"}
    return by_weight(known.values())


def _without(capacity: IntArray, inside: tuple[Claim, ...], outside: tuple[Claim, ...]) -> IntArray:
    """What is left of a capacity once creditors who are not in the plan are given the same share as all."""
    total = sum(claim.balance_minor for claim in (*inside, *outside))
    if not outside or not total:
        return capacity
    share = sum(claim.balance_minor for claim in inside)
    return np.array([amount * share // total for amount in capacity.tolist()], np.int64)


def _part_kept(keep: Keep, inside: tuple[Claim, ...], outside: tuple[Claim, ...]) -> Keep:
    """The same of what is kept."""
    return replace(keep, most_minor=int(_without(np.array([keep.most_minor]), inside, outside)[0]))
