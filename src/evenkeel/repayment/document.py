"""A plan as plain data: the words of `evenkeel plan --json` and of `/v1/plans` (CONTRACT 4).

Amounts are minor units, days ISO dates. `total_cost_minor` is what is paid beyond the lawful balance as it stands:
below 0 where more is waived than interest is paid. `valued_by` is the survival that creditors' values are reckoned
with: of a plan that uses all that can be carried, so that every plan is held to the same; `survival` is a plan's own.
`set_aside_minor`: what must stand aside at the start, and at the end of each month, for the rest of the plan to hold;
`left_monthly_minor` is what a month has beyond its instalments: below 0 where it draws on that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from enum import Enum
from typing import Any

from evenkeel.repayment.choice.offer import Offer
from evenkeel.repayment.choice.purse import set_aside
from evenkeel.repayment.law.lawful import supporting
from evenkeel.repayment.model import MILLION, NAMES, Claim, Infeasible, IntArray, Part, Plan
from evenkeel.repayment.planning import Planned

_REVIEW_MONTHS = 6  # a plan is looked at again so often, and whenever what it rests on changes (a judgement)
FAILS = ("income_falls", "essentials_rise", "creditor_refuses", "new_borrowing", "missed_twice")  # keys of sentences
REVIEWS = ("income_changes", "instalment_missed", "creditor_answers", "rule_changes")


def document(planned: Planned) -> dict[str, Any]:
    """All that was found, for people's screens and for other programs."""
    case, found = planned.case, planned.found
    told: dict[str, Any] = {
        "case_id": case.case_id, "as_of": case.as_of.isoformat(), "currency": case.currency, "status": planned.status,
        "plans": [plan_document(planned, one) for one in planned.plans],
        "compared": {}, "valued_by": [], "binding": [], "changes": [],
        "routes": [asdict(one) for one in planned.routes],
        "questions": [
            {"about": one.about, "key": one.key, "weight_minor": one.weight_minor, "blocking": one.blocking,
             "values": _plain(one.values or {})}
            for one in planned.questions
        ],
        "debts": [_claim(one) for one in planned.claims],
        "outside": [_claim(one) for one in planned.outside],
        "budget": {
            "start_minor": int(planned.budget.capacity[0]), "monthly_minor": planned.budget.capacity[1:].tolist(),
            "keep_percent": planned.budget.keep.percent, "keep_most_minor": planned.budget.keep.most_minor,
            "essentials_minor": planned.essentials.total_minor, "quantile": case.quantile,
            "due_on": [day.isoformat() for day in planned.budget.due_on],
        },
    }  # fmt: skip
    if isinstance(found, Offer):
        told["compared"] = {
            name: None if one is None else {"paid_minor": one.paid_minor, "total_cost_minor": cost(planned, one),
                                            "months": one.months, "p_complete": one.chance.p}
            for name, one in found.compared.items()
        }  # fmt: skip
        told["valued_by"] = found.survival.tolist()
    elif isinstance(found, Infeasible):
        told["binding"] = list(found.binding)
        told["changes"] = [{"kind": one.kind, "amount": one.amount} for one in found.changes]
    return told


def cost(planned: Planned, plan: Plan) -> int:
    """What a plan costs beyond what is lawfully owed."""
    return plan.paid_minor - sum(claim.balance_minor for claim in planned.claims)


def plan_document(planned: Planned, plan: Plan) -> dict[str, Any]:
    """One plan."""
    chance, due_on = plan.chance, planned.budget.due_on
    left = planned.budget.capacity - plan.payments
    return {
        "name": plan.names[0] if plan.names else "",
        "best_at": [name for name in NAMES if name in plan.names],
        "schedule": schedule(plan, due_on),
        "paid_minor": plan.paid_minor,
        "total_cost_minor": cost(planned, plan),
        "months": plan.months,
        "clear_on": due_on[plan.months].isoformat(),
        "p_complete": round(chance.p, 6), "p_low": round(chance.low, 6), "p_high": round(chance.high, 6),
        "p_question": chance.question,
        "survival": [round(float(one), 9) for one in chance.survival],
        "left_monthly_minor": left[1 : plan.months + 1].tolist(),
        "set_aside_minor": aside(planned, plan)[: plan.months + 1].tolist(),
        "creditors": [
            _part(planned, claim, part) for claim, part in zip(planned.claims, plan.parts, strict=True)
        ],
        "fails_if": list(FAILS),
        "review_when": list(REVIEWS),
        "review_on": review_on(planned, plan).isoformat(),
    }  # fmt: skip


def aside(planned: Planned, plan: Plan) -> IntArray:
    """(T + 1,): what must stand aside at the end of each month."""
    return set_aside(planned.budget.capacity, planned.budget.keep, plan.payments)


def review_on(planned: Planned, plan: Plan) -> date:
    """The day by which a plan is looked at again, whatever happens; never after its end."""
    return planned.budget.due_on[min(_REVIEW_MONTHS, plan.months)]


def schedule(plan: Plan, due_on: tuple[date, ...]) -> list[dict[str, Any]]:
    """All instalments by day; of one day in the order of debts."""
    return [
        {"id": part.debt_id, "month": month, "due_on": due_on[month].isoformat(), "amount_minor": amount}
        for month in range(plan.months + 1)
        for part in plan.parts
        if (amount := int(part.payments[month]))
    ]


def _part(planned: Planned, claim: Claim, part: Part) -> dict[str, Any]:
    asked = part.asked
    asks = [
        *(["waiver"] if asked.waived_minor else []),
        *(["rate"] if asked.rate_micros < claim.rate_micros else []),
        *(["term"] if part.last_month else []),
    ]
    rules = {rule.id: rule for ask in asks for rule in supporting(planned.case, claim, ask)}
    return {
        "id": part.creditor, "debt_id": part.debt_id, "paid_minor": part.paid_minor,
        "value_with_minor": part.value_with_minor, "value_without_minor": part.value_without_minor,
        "clear_on": planned.budget.due_on[part.last_month].isoformat(),
        "asked": {
            "waived": dict(asked.waived), "waived_minor": asked.waived_minor,
            "rate_annual": asked.rate_micros / MILLION, "rate_now_annual": claim.rate_micros / MILLION,
            "months": asked.months, "asks": asks,
            "rules": [
                {"id": rule.id, "citation": rule.citation, "confidence": rule.confidence} for rule in rules.values()
            ],
        },
    }  # fmt: skip


def _claim(claim: Claim) -> dict[str, Any]:
    return {
        "id": claim.debt_id, "creditor": claim.creditor, "lender_type": claim.lender_type,
        "balance_minor": claim.balance_minor, "fees_minor": claim.fees_minor, "penalty_minor": claim.penalty_minor,
        "interest_minor": claim.interest_minor, "principal_minor": claim.principal_minor,
        "rate_annual": claim.rate_micros / MILLION, "all_in_annual": claim.all_in_annual,
        "all_in_how": claim.all_in_how, "days_past_due": claim.days_past_due, "most_months": claim.most_months,
        "cuts": [asdict(one) for one in claim.cuts], "merged": list(claim.merged),
        "warnings": [{"key": key, "rule": rule} for key, rule in claim.warnings],
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    if isinstance(value, date):
        return value.isoformat()
    return value.value if isinstance(value, Enum) else value
