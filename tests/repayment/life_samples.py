"""Small plans in plain data: two creditors, three debts, three months; and one with money at the start."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from typing import Any

from evenkeel.repayment.life import life as lives
from evenkeel.repayment.life.life import Life, Told

DAYS = (date(2026, 2, 11), date(2026, 3, 11), date(2026, 4, 11))
AS_OF = date(2026, 1, 20)
SIGNED_ON = date(2026, 1, 25)
# By debt: creditor, what is waived, instalments of months 1 to 3.
DEBTS: Mapping[str, tuple[str, int, tuple[int, int, int]]] = {
    "card": ("bank-a", 3_000, (10_000, 10_000, 10_000)),
    "loan": ("bank-a", 0, (5_000, 5_000, 5_000)),
    "line": ("pay-b", 0, (20_000, 20_000, 0)),
}


def proposed(start: Mapping[str, int] | None = None) -> tuple[str, dict[str, Any]]:
    """The first fact of a plan."""
    schedule = [
        {"id": debt, "month": 0, "due_on": "2026-01-27", "amount_minor": amount}
        for debt, amount in (start or {}).items()
    ] + [
        {"id": debt, "month": month, "due_on": day.isoformat(), "amount_minor": rows[month - 1]}
        for month, day in enumerate(DAYS, start=1)
        for debt, (_, _, rows) in DEBTS.items()
        if rows[month - 1]
    ]
    creditors = [
        {
            "id": creditor,
            "debt_id": debt,
            "asked": {"waived_minor": waived, "waived": {"fees": waived} if waived else {}},
        }
        for debt, (creditor, waived, _) in DEBTS.items()
    ]
    case = {"case_id": "c", "as_of": AS_OF.isoformat(), "currency": "CNY"}
    plan = {"name": "cheapest", "schedule": schedule, "creditors": creditors}
    return "proposed", {"lender_id": "lender-1", "borrower_id": "b1", "case": case, "plan": plan, "by": "ana"}


class Story:
    """A plan as the list of its facts; each step is told of what stands, and added."""

    def __init__(self, start: Mapping[str, int] | None = None) -> None:
        self.facts: list[tuple[str, Mapping[str, Any]]] = [proposed(start)]

    @property
    def life(self) -> Life:
        return lives.fold("plan-1", self.facts)

    def do(self, step: Callable[[Life], Told | None]) -> str | None:
        """Tell a step; the kind of the fact that it is, None where it is none."""
        told = step(self.life)
        if told is None:
            return None
        self.facts.append(told)
        return told[0]

    def agree(self, debts: Sequence[str] = tuple(DEBTS)) -> "Story":
        for debt in debts:
            self.do(lambda life, debt=debt: lives.consent(life, debt, "li", None, AS_OF, None))
        return self

    def sign(self, on: date = SIGNED_ON) -> "Story":
        self.agree()
        self.do(lambda life: lives.sign(life, "wang", on))
        return self

    def pay(self, debt: str, amount: int, on: date, told_by: str) -> str | None:
        return self.do(lambda life: lives.pay(life, debt, amount, on, told_by))

    def pay_month(self, month: int, debts: Sequence[str] = tuple(DEBTS)) -> "Story":
        """The instalments of a month, 1 to 3, on their day."""
        for debt in debts:
            if amount := DEBTS[debt][2][month - 1]:
                self.pay(debt, amount, DAYS[month - 1], f"{debt}-{month}")
        return self

    def look(self, on: date) -> str | None:
        return self.do(lambda life: lives.look(life, on))
