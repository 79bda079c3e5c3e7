"""The lesson beside a plan that is offered, from the plan's own numbers; on record where the borrower is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evenkeel.learning.facts import Facts
from evenkeel.learning.lesson import Lesson, lesson, teaches
from evenkeel.learning.shown import show
from evenkeel.repayment.case import Case
from evenkeel.storage.journal import Journal


def plan_lesson(case: Case, plan: Mapping[str, Any], language: str) -> Lesson | None:
    """The lesson of a plan (`document.plan_document`): of its heaviest month, and what the household has left in it
    after its basic costs. None where no lesson is true in the case's jurisdiction."""
    if not teaches("plan_offered", case.jurisdiction):
        return None
    paid: dict[int, int] = {}
    for row in plan["schedule"]:
        if row["month"]:
            paid[row["month"]] = paid.get(row["month"], 0) + row["amount_minor"]
    rest: list[int] = plan["left_monthly_minor"]
    monthly, rest_of_it = max(((amount, -rest[month - 1]) for month, amount in paid.items()), default=(0, 0))
    left = monthly - rest_of_it
    facts = Facts(
        currency=case.currency, jurisdiction=case.jurisdiction, on=case.as_of, plan_monthly_minor=monthly or None,
        left_minor=left if left > 0 else None,
    )  # fmt: skip
    return lesson("plan_offered", facts, language)


def shown_lesson(
    journal: Journal | None, case: Case, plan: Mapping[str, Any] | None, language: str
) -> Lesson | None:  # fmt: skip
    """The lesson of a plan, to be shown now. With a record, and a borrower, that its moment came is booked, and None
    where the trial withholds it. plan: None where none is offered."""
    found = None if plan is None else plan_lesson(case, plan, language)
    if found is None or journal is None or case.borrower_id is None:
        return found
    return found if show(journal, found, case.borrower_id) else None
