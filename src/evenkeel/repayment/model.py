"""What a plan is made of and what comes out: claims, what a household can carry, plans, and why there is none.

Amounts are minor units. Months are counted from 0: at 0 is what is paid at the start, from money that is there; month t
(1 to T) is the t-th calendar month after that of the case's day. Rates are millionths a year, so that interest is
whole-number arithmetic: interest of a month = balance x rate / 12,000,000, rounded half up.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import numpy.typing as npt

from evenkeel.repayment.case import Component, LenderType, Policy

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

HORIZON = 60  # months: the longest plan (CN-CARD-070, binding for cards, taken for all)
MILLION = 1_000_000

Status = Literal["feasible", "infeasible", "question"]
NAMES = ("cheapest", "soonest", "safest", "fewest", "balanced")  # of the plans offered
STRATEGIES = ("pro_rata", "avalanche", "snowball")  # what they are compared with


@dataclass(frozen=True, slots=True)
class Cut:
    """What the law takes off a component of a debt, by a rule whose text was read."""

    component: Component
    amount_minor: int
    rule: str


@dataclass(frozen=True, slots=True)
class Question:
    """What is not known, or contradicts. about: where in the case (`debts.card.rate_annual`). key: of the sentence that
    asks. weight: how much the answer may change the month's payment, in minor units. blocking: no plan without it."""

    about: str
    key: str
    weight_minor: int = 0
    blocking: bool = False
    values: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Claim:
    """What is lawfully owed on one debt, and what is known of it. policy: what its creditor agrees to, resolved.

    rate_micros: what it bears now; rate_told_micros: what it bore before the law, where that is known. all_in_how: how
    all_in_annual was found (`flows`, `rate_and_fees`, `rate`, `assumed`). cuts: what was taken off. warnings: keys of
    sentences (limitation, a rule that was not read at its source, a duplicate), each with the rule's id or "".
    most_months: the creditor's or the law's.
    """

    debt_id: str
    creditor: str
    lender_type: LenderType
    fees_minor: int
    penalty_minor: int
    interest_minor: int
    principal_minor: int
    rate_micros: int
    policy: Policy
    most_months: int = HORIZON
    days_past_due: int | None = None
    rate_told_micros: int | None = None
    all_in_annual: float | None = None
    all_in_how: str = ""
    cuts: tuple[Cut, ...] = ()
    warnings: tuple[tuple[str, str], ...] = ()
    merged: tuple[str, ...] = ()  # ids of debts that were the same

    @property
    def balance_minor(self) -> int:
        """All that is lawfully owed."""
        return self.fees_minor + self.penalty_minor + self.interest_minor + self.principal_minor


@dataclass(frozen=True, slots=True)
class Chance:
    """Of completing a plan. low, high: the ends of a 90 % interval. survival: (T + 1,), that the plan is alive after
    each month; question: the income is of a kind that the model does not know well."""

    p: float
    low: float
    high: float
    survival: FloatArray
    question: bool = False


@dataclass(frozen=True, slots=True)
class Asked:
    """What a plan asks of a creditor: waivers by component, a rate, a term; and by which right or evidence."""

    waived: Mapping[Component, int]
    rate_micros: int
    months: int
    rules: tuple[str, ...] = ()

    @property
    def waived_minor(self) -> int:
        """All that is waived."""
        return sum(self.waived.values())


@dataclass(frozen=True, slots=True)
class Part:
    """One creditor's part of a plan. payments: (T + 1,). value_with_minor, value_without_minor: present values to the
    creditor, with the plan and as things are."""

    debt_id: str
    creditor: str
    asked: Asked
    payments: IntArray
    value_with_minor: int
    value_without_minor: int

    @property
    def paid_minor(self) -> int:
        """All that the creditor gets."""
        return int(self.payments.sum())

    @property
    def last_month(self) -> int:
        """The month of the last payment."""
        return int(np.flatnonzero(self.payments)[-1]) if self.payments.any() else 0


@dataclass(frozen=True, slots=True)
class Plan:
    """One plan over all creditors. names: what it is the best at."""

    names: tuple[str, ...]
    parts: tuple[Part, ...]
    chance: Chance

    @property
    def payments(self) -> IntArray:
        """(T + 1,): of all parts together."""
        total: IntArray = np.sum([part.payments for part in self.parts], axis=0)
        return total

    @property
    def paid_minor(self) -> int:
        """All that is paid."""
        return sum(part.paid_minor for part in self.parts)

    @property
    def months(self) -> int:
        """The month in which the last debt is cleared."""
        return max(part.last_month for part in self.parts)


@dataclass(frozen=True, slots=True)
class Keep:
    """How money is kept from month to month: what the start leaves is kept whole; of what a month leaves, `percent` %
    counts for later ones, up to `most_minor` beside what the start left."""

    percent: int
    most_minor: int


@dataclass(frozen=True, slots=True)
class Budget:
    """What a household can carry. capacity: (T + 1,), at 0 what is there at the start, then what each month has for
    debts. keep: how a month may draw on those before it.

    due_on: (T + 1) days, the start and the day of each month on which instalments are due: the day after pay day.
    """

    capacity: IntArray
    keep: Keep
    due_on: tuple[date, ...]

    def __post_init__(self) -> None:
        assert len(self.capacity) == len(self.due_on)  # noqa: S101 - both are made by one hand


@dataclass(frozen=True, slots=True)
class Change:
    """The smallest change of one kind that makes a plan possible. kind: `monthly` (so much more a month), `start` (so
    much more at the start), `months` (so many months for all), `waiver` (so much less owed in all)."""

    kind: Literal["monthly", "start", "months", "waiver"]
    amount: int


@dataclass(frozen=True, slots=True)
class Infeasible:
    """Why there is no plan: a smallest set of facts that cannot hold together (`binding`), and what would help."""

    binding: tuple[str, ...]
    changes: tuple[Change, ...]
