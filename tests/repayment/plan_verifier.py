"""A second opinion on plans, in plain whole numbers: what breaks a rule, as sentences; nothing of the planner is used.

Every rule is written again from what the words say (`case.py`, `model.py`, the formulas of `value.py`). A plan that
keeps all of them has no faults: an empty list.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction

from plan_pot import short_months

from evenkeel.repayment.case import COMPONENTS
from evenkeel.repayment.model import HORIZON, NAMES, Claim, Keep, Part, Plan

MILLION = 10**6
USUAL_LENGTHS = {1, 2, 3, 6, 9, 12, 18, 24, 30, 36, 48, 60}
# (days past due from which, share recovered, months it takes, cost), the latest first; then where nobody knows.
USUAL_RECOVERY = ((181, 0.20, 24, 0.30), (91, 0.32, 24, 0.20), (31, 0.50, 36, 0.10), (0, 0.75, 36, 0.03))
UNKNOWN_RECOVERY = (0.50, 36, 0.10)


# ---- Arithmetic ----------------------------------------------------------------------------------------------------


def with_interest(owed: int, rate_micros: int) -> int:
    """One month later: interest half up."""
    return owed + (2 * owed * rate_micros + 12 * MILLION) // (24 * MILLION)


def share_down(amount: int, share: float) -> int:
    return math.floor(Fraction(round(share * MILLION), MILLION) * amount)


def share_up(amount: int, share: float) -> int:
    return math.ceil(Fraction(round(share * MILLION), MILLION) * amount)


def left_of(owed: int, rate_micros: int, payments: Sequence[int]) -> int:
    """What a schedule leaves, below 0 where it pays too much; nothing is added to a debt that is gone."""
    left = owed - payments[0]
    for amount in payments[1:]:
        left = (with_interest(left, rate_micros) if left > 0 else left) - amount
    return left


def clears(owed: int, rate_micros: int, months: int, amount: int) -> bool:
    """Whether so many equal instalments are enough."""
    for _ in range(months):
        owed = with_interest(owed, rate_micros) - amount
        if owed <= 0:
            return True
    return False


def longest_of(claim: Claim) -> int:
    """The most months that law, policy, horizon and the list of terms leave."""
    most = min(claim.most_months, claim.policy.most_months, HORIZON)
    if claim.policy.terms:
        return max((term for term in claim.policy.terms if term <= most), default=0)
    return most


def terms_of(claim: Claim) -> set[int]:
    """Lengths of level instalments that may be asked for; to pay all at the start always may."""
    most = min(claim.most_months, claim.policy.most_months, HORIZON)
    return {0} | {term for term in set(claim.policy.terms) or USUAL_LENGTHS | {most} if term <= most}


def parts_owed(claim: Claim) -> tuple[int, ...]:
    """By component, in the order of the ladder."""
    return (claim.fees_minor, claim.penalty_minor, claim.interest_minor, claim.principal_minor)


def authority_of(claim: Claim, role: str | None) -> int:
    """The most that the role may waive of the claim: without a role, what the least of all may."""
    if not claim.policy.authority:
        return sum(parts_owed(claim))
    amounts = [
        min(one.most_minor, share_down(sum(parts_owed(claim)), one.most_share))
        for one in claim.policy.authority
        if role in (None, one.role)
    ]
    return min(amounts) if amounts else 0


# ---- Worth ---------------------------------------------------------------------------------------------------------


def recovered_share(claim: Claim) -> float:
    """Present value, to the creditor, of what is collected of one unit of debt without a plan, less its cost."""
    own = claim.policy.recovery
    if own is not None:
        share, months, cost = own.share, own.months, own.cost_share
    elif claim.days_past_due is None:
        share, months, cost = UNKNOWN_RECOVERY
    else:
        late = claim.days_past_due
        share, months, cost = next(tuple(row[1:]) for row in USUAL_RECOVERY if late >= row[0])
    evenly = math.fsum((1 + claim.policy.discount_annual) ** (-month / 12) for month in range(1, months + 1)) / months
    return share * (1 - cost) * evenly


def worth_with(claim: Claim, owed: int, rate_micros: int, payments: Sequence[int], survival: Sequence[float]) -> float:
    """sum alive x pay x d + sum broken x left x recovery x d, left as of before the month's payment."""
    recovered, terms, left = recovered_share(claim), [float(payments[0])], owed - payments[0]
    for month in range(1, len(payments)):
        if left <= 0:
            break
        left = with_interest(left, rate_micros)
        discount = (1 + claim.policy.discount_annual) ** (-month / 12)
        terms.append(survival[month] * payments[month] * discount)
        terms.append((survival[month - 1] - survival[month]) * left * recovered * discount)
        left -= payments[month]
    return math.fsum(terms)


# ---- One part ------------------------------------------------------------------------------------------------------


def part_faults(claim: Claim, part: Part, survival: Sequence[float], role: str | None) -> Iterator[str]:
    """Rules between one creditor and the plan."""
    payments = [int(amount) for amount in part.payments]
    if (part.debt_id, part.creditor) != (claim.debt_id, claim.creditor):
        yield "it is another debt's part"
    if len(payments) != HORIZON + 1 or min(payments) < 0:
        yield "payments are not one amount of 0 or more a month"
    yield from _concession_faults(claim, part, role)
    owed = sum(parts_owed(claim)) - sum(part.asked.waived.values())
    rate = part.asked.rate_micros
    if (left := left_of(owed, rate, payments)) != 0:
        yield f"it leaves {left}"
    last = max((month for month, amount in enumerate(payments) if amount), default=0)
    if last > longest_of(claim):
        yield f"it takes {last} months, {longest_of(claim)} are allowed"
    if part.asked.months != last or part.last_month != last or part.paid_minor != sum(payments):
        yield "its length or sum is not that of its payments"
    least = claim.policy.minimum_instalment_minor
    if any(amount < least for amount in payments[1:last]):
        yield f"an instalment before the last is below {least}"
    if payments[0] < share_up(owed, claim.policy.upfront_share):
        yield "too little is paid at the start"
    if claim.policy.instalments != "any":
        yield from _shape_faults(claim, owed, rate, payments, last)
    with_plan, without = worth_with(claim, owed, rate, payments, survival), sum(parts_owed(claim))
    without_plan = without * recovered_share(claim)
    if abs(with_plan - part.value_with_minor) > 0.5 + 1e-9 * with_plan:
        yield f"worth {with_plan} with the plan, not {part.value_with_minor}"
    if not -1e-6 <= without_plan - part.value_without_minor <= 1 + 1e-6 + 1e-12 * without_plan:
        yield f"worth {without_plan} without the plan, not {part.value_without_minor}"
    if part.value_with_minor < part.value_without_minor:
        yield "its creditor is better off without"


def _concession_faults(claim: Claim, part: Part, role: str | None) -> Iterator[str]:
    waived = [part.asked.waived.get(name, 0) for name in COMPONENTS]
    allowed = [
        share_down(owed, claim.policy.waivers.get(name, 0.0))
        for name, owed in zip(COMPONENTS, parts_owed(claim), strict=True)
    ]
    if any(not 0 <= amount <= most for amount, most in zip(waived, allowed, strict=True)):
        yield f"waives {waived} where the policy allows {allowed}"
    for place in range(1, 4):
        if waived[place] and waived[:place] != allowed[:place]:
            yield f"waives {COMPONENTS[place]} before those ahead of it are waived as far as they may be"
    if sum(waived) > authority_of(claim, role):
        yield f"waives {sum(waived)} where the role may waive {authority_of(claim, role)}"
    rates = {claim.rate_micros} | {round(rate * MILLION) for rate in claim.policy.rates}
    if part.asked.rate_micros not in rates or part.asked.rate_micros > claim.rate_micros:
        yield f"bears {part.asked.rate_micros} where {sorted(rates)} are allowed"


def _shape_faults(claim: Claim, owed: int, rate: int, payments: Sequence[int], last: int) -> Iterator[str]:
    """Level: all at the start, or the share at the start and then the least equal instalments that clear the debt in
    an allowed term. Stepped: the same after some equal lower ones."""
    start, instalments = payments[0], payments[1 : last + 1]
    if not instalments:
        return
    if start != share_up(owed, claim.policy.upfront_share):
        yield "the payment at the start is not what the policy asks for"
    rises = range(last) if claim.policy.instalments == "stepped" else (0,)
    shaped = [rise for rise in rises if _level_but_for_the_last(instalments, rise)]
    if not shaped:
        yield f"instalments are not {claim.policy.instalments}"
    elif not any(_least_for_a_term(claim, owed - start, rate, instalments, rise) for rise in shaped):
        yield f"instalments of {max(instalments)} are the least for no allowed term of {last} months or more"


def _level_but_for_the_last(instalments: Sequence[int], rise: int) -> bool:
    low, level = instalments[:rise], instalments[rise]
    equal = len(set(low)) <= 1 and all(amount == level for amount in instalments[rise:-1])
    return equal and max(low, default=0) <= level >= instalments[-1]


def _least_for_a_term(claim: Claim, left: int, rate: int, instalments: Sequence[int], rise: int) -> bool:
    level = instalments[rise]
    for amount in instalments[:rise]:
        left = with_interest(left, rate) - amount
    lengths = [term - rise for term in terms_of(claim) if term >= len(instalments)]
    return any(
        clears(left, rate, length, level) and (level == 1 or not clears(left, rate, length, level - 1))
        for length in lengths
    )


# ---- Plans ---------------------------------------------------------------------------------------------------------


def parts_faults(
    claims: Sequence[Claim], capacity: Sequence[int], survival: Sequence[float], parts: Sequence[Part],
    role: str | None = None, fairness: float | None = None, keep: Keep | None = None,
) -> list[str]:  # fmt: skip
    """All that is wrong with the parts of a plan, in the order of the claims."""
    if len(parts) != len(claims):
        return ["it has not one part for each claim"]
    found = [
        f"{claim.debt_id}: {fault}"
        for claim, part in zip(claims, parts, strict=True)
        for fault in part_faults(claim, part, survival, role)
    ]
    paid = [sum(int(part.payments[month]) for part in parts) for month in range(HORIZON + 1)]
    for month in short_months(paid, [int(most) for most in capacity], keep):
        found.append(f"month {month} pays {paid[month]} of {capacity[month]}, kept by {keep}")
    if fairness is not None:
        bound = Fraction(fairness).limit_denominator(MILLION)
        owing = [(part, claim) for part, claim in zip(parts, claims, strict=True) if sum(parts_owed(claim))]
        shares = [Fraction(sum(map(int, part.payments)), sum(parts_owed(claim))) for part, claim in owing]
        if shares and max(shares) > bound * min(shares):
            found.append(f"shares lie {float(max(shares))} to {float(min(shares))} apart, {fairness} is the bound")
    return found


def plan_faults(
    claims: Sequence[Claim], capacity: Sequence[int], survival: Sequence[float], plan: Plan,
    role: str | None = None, fairness: float | None = None, keep: Keep | None = None,
) -> list[str]:  # fmt: skip
    """All that is wrong with a plan."""
    found = parts_faults(claims, capacity, survival, plan.parts, role, fairness, keep)
    if plan.paid_minor != sum(sum(map(int, part.payments)) for part in plan.parts):
        found.append("its sum is not that of its parts")
    if plan.months != max(part.last_month for part in plan.parts):
        found.append("its length is not that of its longest part")
    return found


def name_faults(plans: Sequence[Plan], others: Sequence[Plan]) -> Iterator[str]:
    """What the names of plans claim, held against all plans offered and others that keep the rules."""
    names = [name for plan in plans for name in plan.names]
    if sorted(names) != sorted(NAMES) or not all(plan.names for plan in plans):
        yield f"names are {names}"
    measures: dict[str, Callable[[Plan], float]] = {
        "cheapest": lambda plan: plan.paid_minor,
        "soonest": lambda plan: plan.months,
        "safest": lambda plan: -plan.chance.p,
        "fewest": lambda plan: sum(part.last_month for part in plan.parts),
    }
    for name, measure in measures.items():
        named = next(plan for plan in plans if name in plan.names)
        least = min(measure(plan) for plan in (*plans, *others))
        if measure(named) > least:
            yield f"{name} is {measure(named)}, another is {least}"


# ---- By hand -------------------------------------------------------------------------------------------------------


def pay_by_hand(
    owed: Sequence[int], rates: Sequence[int], least: Sequence[int], start: Sequence[int], capacity: Sequence[int],
    strategy: str,
) -> list[list[int]] | None:  # fmt: skip
    """Month by month: interest, the least instalment to each, then what is left of the month by the strategy. None
    where a month cannot carry the least."""
    left, paid = list(owed), [[0] * len(capacity) for _ in owed]
    for month, money in enumerate(capacity):
        for debt in range(len(left)):
            if month:
                left[debt] = with_interest(left[debt], rates[debt])
            first = min(left[debt], least[debt] if month else start[debt])
            paid[debt][month] += first
            left[debt] -= first
            money -= first
        if money < 0:
            return None
        extra = spread(money, left, rates, strategy)
        for debt, amount in enumerate(extra):
            paid[debt][month] += amount
            left[debt] -= amount
    return paid


def spread(money: int, left: Sequence[int], rates: Sequence[int], strategy: str) -> list[int]:
    """What is spared, by a strategy."""
    if strategy == "pro_rata":
        return largest_remainder(min(money, sum(left)), left)
    extra = [0] * len(left)
    order = sorted(
        range(len(left)),
        key=lambda debt: (-rates[debt], left[debt]) if strategy == "avalanche" else (left[debt], -rates[debt]),
    )
    for debt in order:
        extra[debt] = min(left[debt], money - sum(extra))
    return extra


def largest_remainder(amount: int, weights: Sequence[int]) -> list[int]:
    """Parts of an amount in proportion to weights; what is over goes to the largest fractions, the earlier first."""
    total = sum(weights)
    if not total:
        return [0] * len(weights)
    exact = [Fraction(amount * weight, total) for weight in weights]
    parts = [math.floor(one) for one in exact]
    order = sorted(range(len(weights)), key=lambda place: parts[place] - exact[place])
    for place in order[: amount - sum(parts)]:
        parts[place] += 1
    return parts
