"""What a debt comes to as it is told: its parts, its rate and its all-in cost, before any law.

Ranges are taken at their high end (cautious for the household), and asked about. A balance without parts is principal,
up to what was lent. What is not told is never nothing: late interest and charges that may have accrued are estimated.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction

from evenkeel.accounts.cost.annual import Form, true_cost
from evenkeel.accounts.cost.flows import Flow
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Rounding, round_fraction
from evenkeel.repayment.case import COMPONENTS, Between, Case, Component, Debt
from evenkeel.repayment.facts.doubts import high, level
from evenkeel.repayment.law.creditor import assumed_rate
from evenkeel.repayment.model import MILLION, Question

YEAR_DAYS = 365
UNBILLED_DAYS = 31  # interest of up to a month is not billed yet
# Late interest is 1.3 to 1.5 times the contract's (marginals 4, memory); the higher is taken.
LATE_TIMES = Fraction(3, 2)
_HIGHEST_PRICE = 1000.0  # a year; a rate beyond it says no more


@dataclass(frozen=True, slots=True)
class Told:
    """A debt as told. parts: by component, in minor units. rate_micros: known or assumed, a year. all_in_annual: what
    it costs with fees; all_in_how: `flows` (from money that moved), `rate_and_fees`, `rate` (fees of unknown time are
    left out) or `assumed`. split: whether the parts, and not only a balance, are known."""

    parts: Mapping[Component, int]
    rate_micros: int
    rate_known: bool
    all_in_annual: float | None
    all_in_how: str
    split: bool
    warnings: tuple[tuple[str, str], ...]
    questions: tuple[Question, ...]

    @property
    def balance_minor(self) -> int:
        """All parts."""
        return sum(self.parts.values())


def told(case: Case, debt: Debt) -> Told | Question:
    """What a debt says of itself; the blocking question where it does not say how much is owed."""
    about = f"debts.{debt.id}"
    if debt.balance_minor is None and debt.principal_minor is None:
        return Question(
            f"{about}.balance_minor", "repay.ask.balance", blocking=True, values={"creditor": debt.creditor}
        )
    rate, questions = _rate(debt)
    parts, split, more = _parts(debt, rate)
    questions += more
    questions += _ranges(debt)
    balance = sum(parts.values())
    if debt.rate_annual is None:
        known = assumed_rate(debt.original_lender_type or debt.lender_type)
        weight = level(balance, known.high_micros) - level(balance, known.low_micros)
        values = {"low": known.low_micros / MILLION, "high": known.high_micros / MILLION, "source": known.source}
        questions.append(Question(f"{about}.rate_annual", "repay.ask.rate", weight, values=values))
    all_in, how = _all_in(case, debt, parts, rate)
    warnings = () if split else (("repay.warn.balance_only", ""),)
    return Told(parts, rate, debt.rate_annual is not None, all_in, how, split, warnings, tuple(questions))


def _rate(debt: Debt) -> tuple[int, list[Question]]:
    if debt.rate_annual is not None:
        return round(debt.rate_annual * MILLION), []
    return assumed_rate(debt.original_lender_type or debt.lender_type).high_micros, []


def _parts(debt: Debt, rate: int) -> tuple[dict[Component, int], bool, list[Question]]:
    """The parts of a debt, whether they are told, and what contradicts or is missing."""
    given = {
        "fees": high(debt.fees_minor),
        "penalty": high(debt.penalty_minor),
        "interest": high(debt.interest_minor),
        "principal": high(debt.principal_minor),
    }
    about, balance = f"debts.{debt.id}", high(debt.balance_minor)
    parts: dict[Component, int] = {name: given[name] or 0 for name in COMPONENTS}
    unknown = [name for name in COMPONENTS if given[name] is None]
    if balance is None:
        if not unknown:
            return parts, True, []
        return _accrued(debt, parts, unknown, rate)
    rest = balance - sum(parts.values())
    if rest < 0 or (rest and not unknown):
        values = {"balance_minor": balance, "sum_minor": balance - rest}
        parts["interest"] += max(rest, 0)
        asked = Question(f"{about}.balance_minor", "repay.ask.parts_sum", level(abs(rest), rate), values=values)
        return parts, True, [asked]
    if given["principal"] is None:
        # Principal is never more than was lent; what exceeds it was added since.
        most = rest if debt.lent_minor is None else min(rest, debt.lent_minor)
        parts["principal"] = most
        parts["interest"] += rest - most
        return parts, len(unknown) < len(COMPONENTS) or debt.lent_minor is not None, []
    if unknown:
        parts["interest" if "interest" in unknown else unknown[-1]] += rest
    return parts, True, []


def _accrued(
    debt: Debt, parts: dict[Component, int], unknown: list[Component], rate: int
) -> tuple[dict[Component, int], bool, list[Question]]:
    """Principal without what has accrued on it: between nothing and late interest for the time past due and a month."""
    late = debt.days_past_due or 0
    if "interest" in unknown:
        days, place = late * LATE_TIMES + UNBILLED_DAYS, unknown[unknown.index("interest")]
    else:
        days, place = late * (LATE_TIMES - 1), unknown[-1]
    most = round_fraction(parts["principal"] * Fraction(rate, MILLION) * days / YEAR_DAYS, Rounding.CEILING)
    if not most:
        return parts, True, []
    values = {"missing": ", ".join(unknown), "high_minor": most}
    question = Question(f"debts.{debt.id}.balance_minor", "repay.ask.accrued", level(most, rate), values=values)
    return parts | {place: parts[place] + most}, True, [question]


def _ranges(debt: Debt) -> Iterator[Question]:
    for name in ("balance_minor", *(f"{component}_minor" for component in COMPONENTS)):
        known = getattr(debt, name)
        if isinstance(known, Between) and known.low_minor < known.high_minor:
            values = {"low_minor": known.low_minor, "high_minor": known.high_minor}
            weight = level(known.high_minor - known.low_minor, 0)
            yield Question(f"debts.{debt.id}.{name}", "repay.ask.between", weight, values=values)


def paid_so_far(debt: Debt) -> int | None:
    """What was paid in all; None where nobody says."""
    if debt.paid_minor is not None:
        return debt.paid_minor
    return sum(one.amount_minor for one in debt.payments) if debt.payments else None


def received(debt: Debt) -> int | None:
    """What was really lent; None where nobody says."""
    return min((one for one in (debt.received_minor, debt.lent_minor) if one is not None), default=None)


def _all_in(case: Case, debt: Debt, parts: Mapping[Component, int], rate: int) -> tuple[float | None, str]:
    """What a debt costs a year with everything, and how that is known. Of flows: the actuarial rate of Regulation Z,
    which is the rate of a period times the periods of a year (内部收益率年化)."""
    price = _from_flows(case, debt, sum(parts.values()))
    if price is not None:
        return price, "flows"
    if debt.rate_annual is None:
        return rate / MILLION, "assumed"
    charges, lent = parts["fees"] + parts["penalty"], received(debt) or parts["principal"]
    if not charges:
        return debt.rate_annual, "rate_and_fees"
    if debt.opened_on is None or debt.opened_on >= case.as_of or not lent:
        return debt.rate_annual, "rate"
    years = max((case.as_of - debt.opened_on).days, UNBILLED_DAYS) / YEAR_DAYS
    return debt.rate_annual + charges / lent / years, "rate_and_fees"


def _from_flows(case: Case, debt: Debt, balance: int) -> float | None:
    lent, paid = received(debt), paid_so_far(debt)
    dated = sum(one.amount_minor for one in debt.payments)
    if not (lent and debt.opened_on and debt.opened_on < case.as_of and paid is not None and paid == dated):
        return None
    if any(not debt.opened_on < one.on <= case.as_of for one in debt.payments):
        return None
    flows = [Flow(debt.opened_on, lent), *(Flow(one.on, -one.amount_minor) for one in debt.payments)]
    try:
        price = true_cost([*flows, Flow(case.as_of, -balance)]).rate(Form.REGZ)
    except (InvalidInput, OverflowError, ArithmeticError):
        return None
    return price if price is not None and 0 <= price <= _HIGHEST_PRICE else None
