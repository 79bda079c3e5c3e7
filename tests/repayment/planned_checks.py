"""A second look at a planned case: its document in plain whole numbers, and the changes that it states, made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from itertools import pairwise
from typing import Any

from msgspec.structs import replace
from plan_pot import least_aside, short_months

from evenkeel.repayment.case import Between, Case, Debt, Income, OneOff, Policy
from evenkeel.repayment.model import Claim, Keep
from evenkeel.repayment.planning import Planned

MILLION = 10**6
USUAL_LENGTHS = (1, 2, 3, 6, 9, 12, 18, 24, 30, 36, 48, 60)


def faults(planned: Planned, told: dict[str, Any]) -> list[str]:
    """What of a document does not hold. A plan, an honest no, or a clear question: each as a list of sentences."""
    found = []
    match told["status"]:
        case "feasible":
            found += [] if told["plans"] else ["it is feasible without a plan"]
            found += [
                f"{plan['name']}: {fault}" for plan in told["plans"] for fault in _plan_faults(planned, told, plan)
            ]
            best = [name for plan in told["plans"] for name in plan["best_at"]]
            found += (
                [] if sorted(best) == ["balanced", "cheapest", "fewest", "safest", "soonest"] else [f"names: {best}"]
            )
            found += _name_faults(told)
        case "infeasible":
            found += [] if told["binding"] else ["nothing is named that stands against a plan"]
            found += [] if told["routes"] else ["nobody is named to turn to"]
            found += ["there are plans all the same"] if told["plans"] else []
        case _:
            blocking = [one for one in told["questions"] if one["blocking"]]
            found += [] if blocking and all(one["about"] for one in blocking) else ["it does not say what is missing"]
            found += [] if told["questions"][: len(blocking)] == blocking else ["what is missing is not asked first"]
    if min(told["budget"]["monthly_minor"]) < 0 or told["budget"]["start_minor"] < 0:
        found.append("a month can carry less than nothing")
    return found


def _name_faults(told: dict[str, Any]) -> Iterator[str]:
    """A name is earned: no other plan, and no strategy by hand without concessions, is better at it."""
    others = [*told["plans"], *(one for one in told["compared"].values() if one is not None)]
    for name, measure in (("cheapest", "paid_minor"), ("soonest", "months")):
        best = next(plan[measure] for plan in told["plans"] if name in plan["best_at"])
        if best > min(one[measure] for one in others):
            yield f"{name} is {best}, another is better"
    safest = next(plan["p_complete"] for plan in told["plans"] if "safest" in plan["best_at"])
    if safest < max(one["p_complete"] for one in told["plans"]):
        yield "another is safer than the safest"
    owed = sum(one["balance_minor"] for one in told["debts"])
    worth = {plan["name"]: owed * plan["p_complete"] - plan["paid_minor"] for plan in told["plans"]}
    balanced = next(plan["name"] for plan in told["plans"] if "balanced" in plan["best_at"])
    if worth[balanced] < max(worth.values()) - owed / MILLION:  # chances are told to a millionth
        yield "another plan brings more for what it costs than the balanced one"


def _plan_faults(planned: Planned, told: dict[str, Any], plan: dict[str, Any]) -> Iterator[str]:
    budget, debts = told["budget"], {one["id"]: one for one in told["debts"]}
    capacity = [budget["start_minor"], *budget["monthly_minor"]]
    by_month = [0] * len(capacity)
    rows: dict[str, list[int]] = {debt: [0] * len(capacity) for debt in debts}
    for one in plan["schedule"]:
        if one["amount_minor"] <= 0 or one["due_on"] != budget["due_on"][one["month"]]:
            yield f"an instalment of {one['amount_minor']} on {one['due_on']}"
        by_month[one["month"]] += one["amount_minor"]
        rows[one["id"]][one["month"]] += one["amount_minor"]
    keep = Keep(budget["keep_percent"], budget["keep_most_minor"])
    for month in short_months(by_month, capacity, keep):
        yield f"month {month} pays {by_month[month]} of {capacity[month]}, kept by {keep}"
    paid, owed = sum(by_month), sum(one["balance_minor"] for one in debts.values())
    if plan["paid_minor"] != paid or plan["total_cost_minor"] != paid - owed:
        yield "its sums are not those of its schedule"
    last = max((month for month, amount in enumerate(by_month) if amount), default=0)
    if plan["months"] != last or plan["clear_on"] != budget["due_on"][last]:
        yield f"its end is not month {last}"
    if plan["set_aside_minor"] != [least_aside(by_month, capacity, keep, month) for month in range(last + 1)]:
        yield "what must stand aside is not the least that the rest of the schedule needs"
    if plan["left_monthly_minor"] != [
        most - amount for most, amount in zip(capacity[1 : last + 1], by_month[1:], strict=False)
    ]:
        yield "what is left of a month is not what the schedule leaves"
    if not 0 <= plan["p_low"] <= plan["p_complete"] <= plan["p_high"] <= 1:
        yield f"a chance of {plan['p_low']}, {plan['p_complete']}, {plan['p_high']}"
    survival = plan["survival"]
    if survival[0] != 1 or any(b > a for a, b in pairwise(survival)):
        yield "it comes back to life"
    if {one["debt_id"] for one in plan["creditors"]} != set(debts):
        yield "it does not speak of every debt"
    claims = {claim.debt_id: claim for claim in planned.claims}
    for part in plan["creditors"]:
        yield from _part_faults(claims[part["debt_id"]], part, rows[part["debt_id"]], told["valued_by"])


def _part_faults(claim: Claim, part: dict[str, Any], payments: list[int], survival: list[float]) -> Iterator[str]:
    name, asked, policy = claim.debt_id, part["asked"], claim.policy
    if part["paid_minor"] != sum(payments):
        yield f"{name}: its sum is not that of its schedule"
    waived = asked["waived"]
    if sum(waived.values()) != asked["waived_minor"]:
        yield f"{name}: waivers do not add up"
    for component, amount in waived.items():
        if amount > getattr(claim, f"{component}_minor") * policy.waivers.get(component, 0) + 1e-6:
            yield f"{name}: {amount} of {component} is waived, which nobody agrees to"
    rate, owed = round(asked["rate_annual"] * MILLION), claim.balance_minor - asked["waived_minor"]
    left = owed - payments[0]
    recovery = policy.recovery
    assert recovery is not None
    evenly = sum((1 + policy.discount_annual) ** (-month / 12) for month in range(1, recovery.months + 1))
    kept = recovery.share * (1 - recovery.cost_share) * evenly / recovery.months
    value = float(payments[0])
    for month in range(1, len(payments)):
        if left <= 0:
            break
        left += (2 * left * rate + 12 * MILLION) // (24 * MILLION)
        discount = (1 + policy.discount_annual) ** (-month / 12)
        value += survival[month] * payments[month] * discount
        value += (survival[month - 1] - survival[month]) * left * kept * discount
        left -= payments[month]
    if left:
        yield f"{name}: {left} is left"
    if abs(value - part["value_with_minor"]) > 1:
        yield f"{name}: worth {value} with the plan, not {part['value_with_minor']}"
    if abs(claim.balance_minor * kept - part["value_without_minor"]) > 1:
        yield f"{name}: worth {claim.balance_minor * kept} without, not {part['value_without_minor']}"
    if part["value_with_minor"] < part["value_without_minor"]:
        yield f"{name}: its creditor is better off without the plan"
    last = max((month for month, amount in enumerate(payments) if amount), default=0)
    if last > min(claim.most_months, 60):
        yield f"{name}: {last} months, {claim.most_months} are allowed"
    if any(amount < policy.minimum_instalment_minor for amount in payments[1:last]):
        yield f"{name}: an instalment below the least"
    if payments[0] < owed * policy.upfront_share - 1e-6:
        yield f"{name}: too little at the start"


# ---- The changes that a case without a plan states, made in the case -------------------------------------------------


def changed(case: Case, planned: Planned, kind: str, amount: int) -> Case | None:
    """The case with a change of a kind; None where it cannot be made in the case to the minor unit."""
    house = case.household
    match kind:
        case "monthly":
            sure = Income("certain", "benefit", Between(amount, amount), volatility=0.0, loss_annual=0.0, pay_day=1)
            return replace(case, household=replace(house, incomes=(*house.incomes, sure)))
        case "start":
            return replace(case, household=replace(house, one_off=(*house.one_off, OneOff(case.as_of, amount))))
        case "months":
            policies = {claim.creditor: _longer(_policy(case, claim), amount) for claim in planned.claims}
            return replace(case, policies=case.policies | policies)
        case _:
            return _owing_less(case, planned, amount)


def _policy(case: Case, claim: Claim) -> Policy:
    told = (case.policies.get(key) for key in (claim.creditor, claim.lender_type, "*"))
    return next((one for one in told if one is not None), Policy())


def _longer(policy: Policy, months: int) -> Policy:
    """So many months, and the usual lengths below, beside what the creditor takes."""
    takes = policy.terms or (*(one for one in USUAL_LENGTHS if one <= policy.most_months), policy.most_months)
    terms = {*takes, *(one for one in USUAL_LENGTHS if one < months), months}
    return replace(policy, most_months=max(policy.most_months, months), terms=tuple(sorted(terms)))


def _owing_less(case: Case, planned: Planned, amount: int) -> Case | None:
    owed = sum(claim.balance_minor for claim in planned.claims)
    claims = {claim.debt_id: claim for claim in planned.claims}
    debts: list[Debt] = []
    for debt in case.debts:
        claim = claims.get(debt.id)
        if claim is None or claim.cuts or claim.merged or debt.lent_minor is not None:
            return None
        less = min(claim.principal_minor, amount * claim.balance_minor // owed)
        parts = (debt.principal_minor, debt.interest_minor, debt.fees_minor, debt.penalty_minor)
        if all(isinstance(part, int) for part in parts) and debt.balance_minor is None:
            debts.append(replace(debt, principal_minor=claim.principal_minor - less))
        elif isinstance(debt.balance_minor, int) and not any(parts):
            debts.append(replace(debt, balance_minor=debt.balance_minor - less))
        else:
            return None
    return replace(case, debts=tuple(debts))


DAY = date(2026, 11, 20)
