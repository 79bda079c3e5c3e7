"""What a creditor agrees to: its policy as a case tells it, held to the law's terms and to the authority of a role."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from msgspec.structs import replace

from evenkeel.kernel.money import Rounding, round_fraction
from evenkeel.repayment.case import COMPONENTS, Case, Component, Debt, LenderType, Policy, Recovery
from evenkeel.repayment.facts.doubts import level
from evenkeel.repayment.law.rules import Law
from evenkeel.repayment.model import HORIZON, Claim, Question

# Of a creditor of whom nothing is known (judgement): any instalments up to the longest term, nothing waived, its own
# rate; it discounts at 8 % a year. What it gets without a plan is assumed by days past due.
UNKNOWN_CREDITOR = Policy()
_DAYS_UNKNOWN = 31  # past due, where nobody says: late, but not long (judgement)


@dataclass(frozen=True, slots=True)
class Terms:
    """A policy as it holds for one debt; warnings and questions as a claim carries them."""

    policy: Policy
    most_months: int
    warnings: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...]


def own_key(debt: Debt) -> str:
    """The key of the policy that a creditor has for one debt alone."""
    return f"{debt.creditor}/{debt.id}"


def told_policy(case: Case, debt: Debt) -> Policy | None:
    """What a case tells of a debt's creditor: for this debt alone, else for all; None where nothing."""
    return case.policies.get(own_key(debt)) or policy_for_all(case, debt)


def policy_for_all(case: Case, debt: Debt) -> Policy | None:
    """What a case tells of a debt's creditor for all that it holds: by its name, else its type, else `*`."""
    return next((case.policies[key] for key in (debt.creditor, debt.lender_type, "*") if key in case.policies), None)


def terms_of(case: Case, debt: Debt, lent_by: LenderType, parts: Mapping[Component, int], law: Law) -> Terms:
    """The policy of a debt's creditor: as `told_policy`, else assumed.

    most_months is the least of the policy's, the law's and HORIZON. authority keeps what the case's role may waive; a
    policy that gives authorities, and none to this role, waives nothing. Recovery is assumed where it is not told.
    """
    told = told_policy(case, debt)
    policy = told or UNKNOWN_CREDITOR
    warnings: list[tuple[str, str]] = [] if told else [("repay.warn.policy_assumed", "")]
    questions: list[Question] = []
    if policy.recovery is None:
        policy = replace(policy, recovery=recovery(debt.days_past_due))
        warnings.append(("repay.warn.recovery_assumed", ""))

    most = min(policy.most_months, HORIZON)
    for rule in law.in_force(case, "term_cap"):
        if rule.months is not None and rule.confidence != "memory" and rule.binds(lent_by) and rule.months < most:
            most = rule.months
        if rule.months is not None and rule.binds(lent_by) and policy.most_months > rule.months:
            warnings.append(("repay.warn.term_cap", rule.id))
    allowed = tuple(sorted({months for months in policy.terms if months <= most}))
    if policy.terms and not allowed:
        values = {"months": most}
        questions.append(Question(f"policies.{debt.creditor}.terms", "repay.ask.no_lawful_term", values=values))
        allowed = (most,)
    policy = replace(policy, most_months=most, terms=allowed)

    if policy.authority:
        mine = tuple(one for one in policy.authority if one.role == case.role)
        if not mine and any(policy.waivers.values()):
            weight = level(sum(_share(parts[name], share) for name, share in policy.waivers.items()), 0)
            whose = {"creditor": debt.creditor, "debt": debt.id}
            questions.append(Question("role", "repay.ask.authority", weight, values=whose))
            policy = replace(policy, waivers={})
        policy = replace(policy, authority=mine)
    return Terms(policy, most, tuple(warnings), tuple(questions))


def waivable(claim: Claim, role: str | None = None) -> dict[Component, int]:
    """The most that may be waived of each component, in whole minor units: the policy's shares, rounded down, taken in
    the order of COMPONENTS as far as the authority of a role goes (`most_waived`)."""
    amounts: dict[Component, int] = {
        "fees": claim.fees_minor,
        "penalty": claim.penalty_minor,
        "interest": claim.interest_minor,
        "principal": claim.principal_minor,
    }
    left = most_waived(claim, role)
    most: dict[Component, int] = {}
    for component in COMPONENTS:
        share = _share(amounts[component], claim.policy.waivers.get(component, 0.0))
        most[component] = min(share, left)
        left -= most[component]
    return most


def most_waived(claim: Claim, role: str | None = None) -> int:
    """What a role may waive of a claim (减免权限); without a role the least of all, without any bound all of it."""
    most = [
        min(one.most_minor, _share(claim.balance_minor, one.most_share))
        for one in claim.policy.authority
        if role is None or one.role == role
    ]
    return min(most, default=0) if claim.policy.authority else claim.balance_minor


def _share(amount_minor: int, share: float) -> int:
    return round_fraction(amount_minor * _as_written(share), Rounding.DOWN)


@lru_cache(1024)
def _as_written(share: float) -> Fraction:
    return Fraction(str(share))


def recovery(days_past_due: int | None) -> Recovery:
    """What a creditor is assumed to get without a plan."""
    days = _DAYS_UNKNOWN if days_past_due is None else days_past_due
    row = max((row for row in _assumed()["recovery"] if row["from_days"] <= days), key=lambda row: row["from_days"])
    return Recovery(share=row["share"], months=row["months"], cost_share=row["cost_share"])


@dataclass(frozen=True, slots=True)
class AssumedRate:
    """The range of a rate that is not known, a year."""

    low_micros: int
    high_micros: int
    source: str
    mark: str


def assumed_rate(lender_type: LenderType) -> AssumedRate:
    """The range of rates that this type of lender takes, where a debt's own is not known."""
    row = next(row for row in _assumed()["rate"] if lender_type in row["lenders"])
    return AssumedRate(round(row["low"] * 1_000_000), round(row["high"] * 1_000_000), row["source"], row["mark"])


@cache
def _assumed() -> Mapping[str, Any]:
    return tomllib.loads((files("evenkeel.repayment.law") / "assumed.toml").read_text(encoding="utf-8"))
