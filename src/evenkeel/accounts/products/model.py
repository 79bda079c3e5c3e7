"""What a credit product is: rates by date, days, fees, what is paid first, when a debt is late and what it is then.

Rates are exact fractions a year; amounts are minor units of the product's currency. `reading.py` makes these from a
file and holds every field to its domain; nothing here checks again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from fractions import Fraction

from evenkeel.accounts.allocation import Allocation
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.duedates import Roll as Roll
from evenkeel.accounts.loan.terms import LoanTerms
from evenkeel.accounts.words import Segment, Stage

SHAPES = ("bnpl", "card", "instalment", "cash", "other")  # the contract's words
# Five-grade classes, best first; the last three are non-performing (CN-RISK-006).
GRADES = ("normal", "special_mention", "substandard", "doubtful", "loss")


class Grace(StrEnum):
    """From when purchases bear interest once a bill is not paid in full by its due day."""

    NONE = "none"  # every balance bears interest from its day
    FULL_AMOUNT = "full_amount"  # 全额计息: the whole billed amount, from the day of each purchase
    UNPAID_PART = "unpaid_part"  # the same interest, in the share of the bill that was not paid
    FROM_DUE = "from_due"  # none before the due day: pay-later lines


@dataclass(frozen=True, slots=True)
class RateStep:
    """The rate of a segment from a day on, until its next step; a first step may hold from the earliest day."""

    segment: Segment
    from_on: date
    rate_annual: Fraction


@dataclass(frozen=True, slots=True)
class Cycle:
    """A bill is cut at the close of `statement_day` (clamped to the month's end) and falls due on `due_day`.

    due_day: of the month, the first such day after the statement; or, where `due_after_days` is given, that many days
    after it. A due day that is no working day (weekend where `weekends`, or a holiday) moves by `roll`.
    """

    statement_day: int
    due_day: int | None
    due_after_days: int | None
    roll: Roll = Roll.NONE
    weekends: bool = False
    holidays: frozenset[date] = frozenset()


@dataclass(frozen=True, slots=True)
class Minimum:
    """max(floor, principal_share x billed principal + fees + interest + instalments + past due + over limit), at most
    the balance. A pay-later bill that must be paid in full has principal_share 1."""

    principal_share: Fraction
    floor_minor: int


@dataclass(frozen=True, slots=True)
class Fee:
    """What an event costs: share x its amount, at least `least_minor`, at most `most_minor` (AMOUNT_LIMIT: no cap).

    kind: late (share of the unpaid minimum, the day after the due day), cash (of an advance), returned (of a failed
    debit order), over_limit (of the excess, at the bill).
    """

    kind: str
    share: Fraction
    least_minor: int
    most_minor: int


@dataclass(frozen=True, slots=True)
class Tolerance:
    """When a small or short lateness is none.

    grace_days: an amount is late only from more than so many days after its due day, and then counts all days.
    payment_minor: a bill of which no more than this is missing counts as paid, for interest and lateness.
    material_minor, material_share: days past due count only while the past-due amount is above the money, and above
    this share of the balance.
    """

    grace_days: int = 0
    payment_minor: int = 0
    material_minor: int = 0
    material_share: Fraction = Fraction(0)


@dataclass(frozen=True, slots=True)
class ClassStep:
    """From `from_days` days past due an account is in `grade` (five-grade classes)."""

    from_days: int
    grade: str


@dataclass(frozen=True, slots=True)
class InlineOffer:
    """Paying in instalments within a line: a number of months, and a fee a period on the first principal or a rate.

    Both 0: instalments without cost. Never both above 0.
    """

    instalments: int
    fee_rate_per_period: Fraction
    rate_annual: Fraction


@dataclass(frozen=True, slots=True)
class LineTerms:
    """A line that is drawn and repaid again and again.

    penalty_rate_annual: on past-due principal, from the due day, beside the segment's own rate. compounding: billed
    interest and fees bear interest too. hold_days: an authorisation expires after so many days.
    over_limit_share: what may be used above the limit.
    """

    cycle: Cycle
    minimum: Minimum
    grace: Grace
    penalty_rate_annual: Fraction = Fraction(0)
    compounding: bool = False
    hold_days: int = 7
    over_limit_share: Fraction = Fraction(0)
    offers: tuple[InlineOffer, ...] = ()


@dataclass(frozen=True, slots=True)
class Product:
    """A checked product. digest: SHA-256 of its terms: the version by which every record names it. text: the product as
    JSON, from which `parse_product` makes it again, so that the record can keep it.

    cost_cap_annual: all interest, fees and penalties together stay at or below this share of the balance a year, since
    opening; None where there is no such promise. excess_by_rate: what a payment leaves over the amounts due goes to the
    segment of the highest rate first (12 CFR 1026.53). charge_off_days: days past due at which a debt is charged off,
    None for never by itself.
    """

    product_id: str
    digest: str
    name: Mapping[str, str]  # by language
    shape: str  # of SHAPES
    currency: str
    day_count: DayCount
    rates: tuple[RateStep, ...]
    allocation: Allocation
    excess_by_rate: bool
    tolerance: Tolerance
    classes: tuple[ClassStep, ...]
    fees: Mapping[str, Fee]
    charge_off_days: int | None
    cost_cap_annual: Fraction | None
    line: LineTerms | None = None
    loan: LoanTerms | None = None
    text: str = ""
    source: Mapping[str, str] = field(default_factory=dict)  # where the figure at a path comes from

    def rate_on(self, segment: Segment, day: date) -> Fraction:
        """The segment's rate on a day; 0 before its first step or where it has none."""
        found = Fraction(0)
        for step in self.rates:
            if step.segment is segment and step.from_on <= day:
                found = step.rate_annual
        return found

    def grade(self, days_past_due: int, stage: Stage = Stage.OPEN) -> str:
        """The five-grade class of so many days past due; what is charged off is a loss, whatever its days."""
        if stage is Stage.CHARGED_OFF:
            return GRADES[-1]
        found = self.classes[0].grade
        for step in self.classes:
            if days_past_due >= step.from_days:
                found = step.grade
        return found
