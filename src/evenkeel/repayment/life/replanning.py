"""The plan that changes least: of all that can be offered now, the one nearest to what was agreed before."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import partial

import msgspec
import numpy as np

from evenkeel.kernel.calendar import month_of
from evenkeel.repayment.choice.options import LENGTHS
from evenkeel.repayment.choice.search import Parts, Search
from evenkeel.repayment.household.chance import chance
from evenkeel.repayment.life.life import Life
from evenkeel.repayment.model import HORIZON, Claim, IntArray, Plan
from evenkeel.repayment.planning import Planned

CLOSEST = "closest"  # the name of such a plan
_LONGER = range(7)  # months beyond the old end that are tried, beside the usual lengths


def closest(planned: Planned, life: Life, on: date) -> Plan | None:
    """The plan with the least change of instalments, debt by debt and month by month; None where there is none."""
    if planned.status != "feasible":
        return None
    agreed = agreed_months(life, on)
    nothing, signed = np.zeros(HORIZON + 1, np.int64), life.signed_on is not None
    claims = tuple(_as_long(claim, agreed.get(claim.debt_id, nothing), signed) for claim in planned.claims)
    judge = partial(chance, planned.outlook)
    capacity = planned.budget.capacity
    search = Search(
        claims, capacity, judge(capacity).survival, planned.case.role, planned.case.fairness, keep=planned.budget.keep
    )
    wanted = [agreed.get(claim.debt_id, nothing) for claim in claims]
    drafts = [plan.parts for plan in planned.plans]
    programme = search.chosen()
    picks = None if programme is None else programme.nearest(wanted)
    if programme is not None and picks is not None:
        drafts.append(search.parts(programme, picks))

    def apart(parts: Parts) -> int:
        return sum(int(np.abs(part.payments - one).sum()) for part, one in zip(parts, wanted, strict=True))

    nearest = min(drafts, key=apart)
    total: IntArray = np.sum([part.payments for part in nearest], axis=0)
    return Plan((CLOSEST,), nearest, judge(total))


def agreed_months(life: Life, on: date) -> dict[str, IntArray]:
    """(HORIZON + 1,) by debt: what was still to be paid in each month of the new count, by the old plan."""
    found: dict[str, IntArray] = {}
    passed = month_of(on) - month_of(life.begins_on)
    for row in life.document["schedule"]:
        month = row["month"] - passed
        if row["month"] and 1 <= month <= HORIZON:
            found.setdefault(row["id"], np.zeros(HORIZON + 1, np.int64))[month] += row["amount_minor"]
    return found


def _as_long(claim: Claim, agreed: IntArray, signed: bool) -> Claim:
    """A claim that can also be paid over as many months as were left, and a few more.

    Where its creditor takes a few lengths only, what is left of one that was signed is one more.
    """
    if not agreed.any() or (claim.policy.terms and not signed):
        return claim
    left = int(np.flatnonzero(agreed)[-1])
    most = min(claim.most_months, claim.policy.most_months, HORIZON)
    usual = {*claim.policy.terms, left} if claim.policy.terms else {*LENGTHS, most, *(left + more for more in _LONGER)}
    policy = msgspec.structs.replace(claim.policy, terms=tuple(sorted(one for one in usual if one <= most)))
    return replace(claim, policy=policy)
