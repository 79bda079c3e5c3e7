"""What is not known of a household since the case that a plan was made from.

It is asked where the plan is made again without a new case. Within one month nothing is taken to have changed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date

from evenkeel.kernel.calendar import month_of
from evenkeel.repayment.case import Case, Known
from evenkeel.repayment.facts.doubts import WEIGHED_MONTHS, by_weight, high, low
from evenkeel.repayment.model import Question

_TOLERANCE = 0.30  # what was seen may be so far from what was told, as in `facts.doubts` (a judgement)


def asked_since(
    then: Case, now: Case, seen: Sequence[tuple[date, int]], hardship_on: date | None
) -> tuple[Question, ...]:
    """Questions about a case that was brought up to a later day, the heaviest first.

    then, now: the case as it was told, and as it is taken now. seen: incomes on record since, by day, in minor units.
    hardship_on: the latest day since on which a hardship was told to the lender.
    """
    if month_of(now.as_of) <= month_of(then.as_of):
        return ()
    questions, day = [_of_income(then, now.as_of, seen)], then.as_of.isoformat()
    if hardship_on is not None:
        values: dict[str, object] = {"day": hardship_on.isoformat()}
        questions.append(Question("household", "repay.ask.hardship_since", values=values))
    for number, (told, kept) in enumerate(zip(then.household.priority, now.household.priority, strict=True)):
        owed, left = high(told.arrears_minor) or 0, high(kept.arrears_minor) or 0
        if owed:
            values = {"priority": told.kind, "day": day, "paid_minor": owed - left, "left_minor": left}
            about = f"household.priority[{number}].arrears_minor"
            questions.append(Question(about, "repay.ask.arrears_since", owed // WEIGHED_MONTHS, values=values))
    return by_weight(one for one in questions if one is not None)


def _of_income(then: Case, on: date, seen: Sequence[tuple[date, int]]) -> Question | None:
    """Whether incomes are still as told; not asked where the whole months on record since say so."""
    months = month_of(on) - month_of(then.as_of) - 1
    within = [amount for day, amount in seen if month_of(then.as_of) < month_of(day) < month_of(on)]
    if not within:
        return Question("household.incomes", "repay.ask.income_since", values={"day": then.as_of.isoformat()})
    came = sum(within) // months
    told = (_month(then, low), _month(then, high))
    nearest = min(max(came, told[0]), told[1])
    if abs(nearest - came) <= _TOLERANCE * max(came, nearest):
        return None
    values = {"day": then.as_of.isoformat(), "told_minor": nearest, "seen_minor": came}
    return Question("household.incomes", "repay.ask.income_changed", abs(nearest - came), values=values)


def _month(case: Case, end: Callable[[Known], int | None]) -> int:
    """What all incomes bring in a month, at one end of what was told; of one with a history, what it brought."""
    return sum(
        sum(one.history_minor) // len(one.history_minor) if one.history_minor else end(one.amount_minor) or 0
        for one in case.household.incomes
    )
