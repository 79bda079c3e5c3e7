"""The conventions of a closed-end loan, each a setting with a name.

What differs between lenders is here and nowhere else: how principal is repaid, what a period of interest is, what an
early payment does, to which day a payoff pays. Amounts are minor units, rates are exact fractions a year.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum, StrEnum
from fractions import Fraction

from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.duedates import MOST_INSTALMENTS, DueRule, Unit
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Rounding


class ScheduleKind(StrEnum):
    """How the principal comes back."""

    EQUAL_INSTALMENT = "equal_instalment"  # 等额本息
    EQUAL_PRINCIPAL = "equal_principal"  # 等额本金
    INTEREST_FIRST = "interest_first"  # 先息后本: interest every period, the principal with the last
    BULLET = "bullet"  # principal and all interest on the last due day
    BALLOON = "balloon"  # equal instalments on a part; the rest of the principal with the last


class InterestMethod(StrEnum):
    """On what interest is charged."""

    DECLINING = "declining"  # the principal that is left
    FLAT = "flat"  # the first principal, in equal parts


class InterestPeriod(StrEnum):
    """What a period of interest is worth."""

    DAILY = "daily"  # its days, by the day count
    AS_INSTALMENTS = "as_instalments"  # a month is 1/12 of a year, a week 1/52, a day 1/365, whatever the calendar says


class InstalmentRate(StrEnum):
    """The rate that the equal instalment is computed with."""

    EACH_PERIOD = "each_period"  # every period's own
    FIRST_PERIOD = "first_period"  # the loan's first period's, for all
    RUNNING_PERIOD = "running_period"  # that of the period in which it is computed, for all


class Recalculation(StrEnum):
    """When interest follows what was really paid."""

    NONE = "none"  # never: interest is that of the schedule
    DAILY = "daily"  # an early or late payment counts from its day
    AS_INSTALMENTS = "as_instalments"  # from the next due day


class RecalculatedOn(StrEnum):
    """Which periods of a recalculated loan are looked at again once principal is late."""

    EVERY_DAY = "every_day"  # all of them: late principal bears interest on every day that it is late
    FACTS = "facts"  # those in which a payment or another fact falls; the others stay as planned


class Prepayment(StrEnum):
    """What money does that is paid before it is due on a recalculated loan."""

    INSTALMENTS = "instalments"  # pays instalments in advance, by the allocation's rule for future ones
    LOWER_INSTALMENT = "lower_instalment"  # reduces principal; what is left is spread over the same due days
    SHORTER_TERM = "shorter_term"  # reduces principal; the instalment stays and the last ones fall away
    NEXT_INSTALMENTS = "next_instalments"  # reduces principal; the next instalments hold so much less of it


class PayoffInterest(StrEnum):
    """To which day interest is paid when money comes before its due day."""

    TILL_PRECLOSE = "till_preclose"  # the day of the payment
    TILL_REST = "till_rest"  # the next due day


class InterestRounding(StrEnum):
    """When interest becomes whole minor units."""

    EACH_PERIOD = "each_period"  # once an instalment
    EACH_PIECE = "each_piece"  # each stretch of an instalment with one balance and one rate


class FeeBase(StrEnum):
    """What a fee per instalment is a share of."""

    INSTALMENT = "instalment"  # its principal and interest
    DISBURSED = "disbursed"  # all that was lent: the usual handling fee of instalment plans


@dataclass(frozen=True, slots=True)
class InstalmentFee:
    """A fee with every instalment: share x base + flat_minor."""

    share: Fraction = Fraction(0)
    base: FeeBase = FeeBase.DISBURSED
    flat_minor: int = 0


@dataclass(frozen=True, slots=True)
class LoanTerms:
    """Every convention of a loan.

    rate_annual, instalments: of the product; an account's own opening may say otherwise.
    grace_principal: so many first instalments hold no principal. grace_interest: the interest of so many first
    instalments is due with the one after them. interest_free: so many first instalments bear none.
    balloon_share: the part of the principal that a balloon loan repays with its last instalment.
    down_payment_share: of each disbursement, due on its day. down_payment_collected: it is taken at once.
    instalment_multiple_minor: instalments are whole multiples of this; the last takes the rest.
    smoothing: the rounding that the last instalment would take is spread over all, where that makes it smaller.
    recalculation and what follows it concern declining interest only. compounding: interest of earlier instalments that
    is not paid bears interest too, in the periods in which a fact falls.
    fee: with every instalment. penalty_rate_annual: on principal past due, for each day late, beside the interest.
    """

    rate_annual: Fraction = Fraction(0)
    instalments: int = 12
    due: DueRule = DueRule()  # noqa: RUF009 - frozen
    kind: ScheduleKind = ScheduleKind.EQUAL_INSTALMENT
    interest: InterestMethod = InterestMethod.DECLINING
    interest_period: InterestPeriod = InterestPeriod.DAILY
    day_count: DayCount = DayCount.ACT_365
    grace_principal: int = 0
    grace_interest: int = 0
    interest_free: int = 0
    balloon_share: Fraction = Fraction(0)
    down_payment_share: Fraction = Fraction(0)
    down_payment_collected: bool = False
    instalment_multiple_minor: int = 1
    rounding: Rounding = Rounding.HALF_UP
    interest_rounding: InterestRounding = InterestRounding.EACH_PERIOD
    smoothing: bool = True
    instalment_rate: InstalmentRate = InstalmentRate.EACH_PERIOD
    recalculation: Recalculation = Recalculation.DAILY
    recalculated_on: RecalculatedOn = RecalculatedOn.EVERY_DAY
    compounding: bool = False
    prepayment: Prepayment = Prepayment.INSTALMENTS
    payoff: PayoffInterest = PayoffInterest.TILL_PRECLOSE
    fee: InstalmentFee = InstalmentFee()
    penalty_rate_annual: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        for part in fields(self):
            value = getattr(self, part.name)
            expected = type(part.default)
            if type(value) is not expected:
                raise InvalidInput(f"`{part.name}` is {value!r}.", f"Allowed: {_allowed(expected)}.")
        _within("rate_annual", self.rate_annual, 0, 10)
        _within("penalty_rate_annual", self.penalty_rate_annual, 0, 10)
        _within("instalments", self.instalments, 1, MOST_INSTALMENTS)
        for name in ("grace_principal", "grace_interest", "interest_free"):
            _within(name, getattr(self, name), 0, self.instalments - 1)
        _within("balloon_share", self.balloon_share, 0, 1)
        _within("instalment_multiple_minor", self.instalment_multiple_minor, 1, 10**9)
        if not 0 <= self.down_payment_share < 1:
            raise InvalidInput(f"`down_payment_share` is {self.down_payment_share}.", "Allowed: from 0 to below 1.")
        if (self.kind is ScheduleKind.BALLOON) != (self.balloon_share > 0):
            raise InvalidInput("`balloon_share` is of balloon loans, and they have one above 0.")
        if self.compounding and self.recalculated_on is not RecalculatedOn.FACTS:
            raise InvalidInput(
                "`compounding` is of loans that are looked at again when a fact falls.",
                "Set `recalculated_on` to facts.",
            )
        if self.interest is InterestMethod.FLAT and self.kind is not ScheduleKind.EQUAL_INSTALMENT:
            raise InvalidInput(f"flat interest goes with equal instalments, not with {self.kind}.")

    @property
    def recalculated(self) -> bool:
        """Whether interest follows what was really paid."""
        return self.recalculation is not Recalculation.NONE and self.interest is InterestMethod.DECLINING

    @property
    def has_fee(self) -> bool:
        """Whether a fee comes with every instalment."""
        return self.fee.flat_minor != 0 or self.fee.share.numerator != 0

    @property
    def periods_a_year(self) -> Fraction:
        """Instalments a year where a period is not counted in days."""
        return Fraction({Unit.MONTHS: 12, Unit.WEEKS: 52, Unit.DAYS: 365}[self.due.unit], self.due.every)


def _within(name: str, value: int | Fraction, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidInput(f"`{name}` is {value}.", f"Allowed: from {low} to {high}.")


def _allowed(kind: type) -> str:
    if issubclass(kind, Enum):
        return ", ".join(str(member.value) for member in kind)
    return {bool: "true or false", int: "a whole number", Fraction: "an exact fraction"}.get(kind, f"a {kind.__name__}")
