"""The fields of a product file, as data. `docs/products.md` explains each; a test holds the two together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from enum import Enum
from fractions import Fraction

from evenkeel.accounts.allocation import ATOM_NAMES, Future, Processing
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.duedates import MOST_INSTALMENTS, DueRule, MonthEnd, Roll, Unit
from evenkeel.accounts.fields import Field, Kind
from evenkeel.accounts.loan.terms import (
    FeeBase,
    InstalmentFee,
    InstalmentRate,
    InterestMethod,
    InterestPeriod,
    InterestRounding,
    LoanTerms,
    PayoffInterest,
    Prepayment,
    RecalculatedOn,
    Recalculation,
    ScheduleKind,
)
from evenkeel.accounts.products.model import GRADES, SHAPES, Grace, Tolerance
from evenkeel.accounts.words import SEGMENTS, Segment
from evenkeel.kernel.money import Rounding
from evenkeel.kernel.text import LANGUAGES

LINE_SEGMENTS = tuple(str(segment) for segment in SEGMENTS if segment is not Segment.LOAN)
# Transactions that may be used otherwise than a payment of the borrower.
BY_TYPE = ("refund_merchant", "refund_goodwill", "refund_payout", "guarantor_payment")
FEES = ("late", "returned", "cash", "over_limit")
LOAN_FEES = ("late", "returned")


def _choice(name: str, of: type[Enum], default: Enum | None = None, needed: bool = False) -> Field:
    choices = tuple(str(member.value) for member in of)
    return Field(name, Kind.CHOICE, needed, choices=choices, default=None if default is None else str(default.value))


def _share(name: str, needed: bool = False) -> Field:
    return Field(name, Kind.RATE, needed, high=1, default=None if needed else Fraction(0))


def _rate(name: str, needed: bool = False) -> Field:
    return Field(name, Kind.RATE, needed, high=10, default=None if needed else Fraction(0))


def _working_days(roll: Roll) -> tuple[Field, ...]:
    return (
        _choice("roll", Roll, roll),
        Field("weekends", Kind.FLAG, default=False),
        Field("holidays", Kind.DAYS, least=0, default=()),
    )


_RATES = (
    _choice("segment", Segment, needed=True),
    Field("from_on", Kind.DAY, default=date.min),
    _rate("rate_annual", needed=True),
)


def _order(needed: bool) -> Field:
    return Field("order", Kind.CHOICES, needed, choices=ATOM_NAMES, least=len(ATOM_NAMES))


_FUTURE = _choice("future", Future, Future.NEXT)
_ALLOCATION = (
    _order(needed=True),
    _FUTURE,
    _choice("processing", Processing, Processing.HORIZONTAL),
    Field("segments", Kind.CHOICES, choices=LINE_SEGMENTS, least=len(LINE_SEGMENTS), default=LINE_SEGMENTS),
    *(Field(kind, Kind.RECORD, parts=(_order(needed=False), _FUTURE)) for kind in BY_TYPE),
)
_TOLERANCE = (
    Field("grace_days", Kind.COUNT, high=60, default=Tolerance().grace_days),
    Field("payment_minor", Kind.MONEY, default=Tolerance().payment_minor),
    Field("material_minor", Kind.MONEY, default=Tolerance().material_minor),
    _share("material_share"),
)
_CLASSES = (Field("from_days", Kind.COUNT, True, high=3650), Field("grade", Kind.CHOICE, True, choices=GRADES))
_FEE = (
    _share("share"),
    Field("least_minor", Kind.MONEY, default=0),
    Field("most_minor", Kind.MONEY, low=1),
)

_CYCLE = (
    Field("statement_day", Kind.COUNT, True, low=1, high=31),
    Field("due_day", Kind.COUNT, low=1, high=31),
    Field("due_after_days", Kind.COUNT, low=1, high=60),
    *_working_days(Roll.NONE),
)
_MINIMUM = (_share("principal_share", needed=True), Field("floor_minor", Kind.MONEY, default=0))
_OFFER = (
    Field("instalments", Kind.COUNT, True, low=2, high=60),  # 60 months: CN-CARD-2022-13
    _share("fee_rate_per_period"),
    _rate("rate_annual"),
)
_LINE = (
    Field("cycle", Kind.RECORD, True, parts=_CYCLE),
    Field("minimum", Kind.RECORD, True, parts=_MINIMUM),
    _choice("grace", Grace, needed=True),
    _rate("penalty_rate_annual"),
    Field("compounding", Kind.FLAG, default=False),
    Field("hold_days", Kind.COUNT, low=1, high=365, default=7),
    _share("over_limit_share"),
    Field("offers", Kind.RECORDS, parts=_OFFER, least=0, most=60, default=()),
)

_USUAL, _MONTHLY, _NO_FEE = LoanTerms(), DueRule(), InstalmentFee()
_DUE = (
    Field("every", Kind.COUNT, low=1, high=365, default=_MONTHLY.every),
    _choice("unit", Unit, _MONTHLY.unit),
    Field("due_day", Kind.COUNT, low=1, high=31),
    _choice("month_end", MonthEnd, _MONTHLY.month_end),
    *_working_days(_MONTHLY.roll),
)
_INSTALMENT_FEE = (
    _share("share"),
    _choice("base", FeeBase, _NO_FEE.base),
    Field("flat_minor", Kind.MONEY, default=_NO_FEE.flat_minor),
)
_LOAN = (
    Field("instalments", Kind.COUNT, True, low=1, high=MOST_INSTALMENTS),
    Field("due", Kind.RECORD, parts=_DUE),
    _choice("kind", ScheduleKind, needed=True),
    _choice("interest", InterestMethod, _USUAL.interest),
    _choice("interest_period", InterestPeriod, _USUAL.interest_period),
    *(
        Field(name, Kind.COUNT, high=MOST_INSTALMENTS - 1, default=0)
        for name in ("grace_principal", "grace_interest", "interest_free")
    ),
    _share("balloon_share"),
    _share("down_payment_share"),
    Field("down_payment_collected", Kind.FLAG, default=_USUAL.down_payment_collected),
    Field("instalment_multiple_minor", Kind.MONEY, low=1, high=10**9, default=_USUAL.instalment_multiple_minor),
    _choice("rounding", Rounding, _USUAL.rounding),
    _choice("interest_rounding", InterestRounding, _USUAL.interest_rounding),
    Field("smoothing", Kind.FLAG, default=_USUAL.smoothing),
    _choice("instalment_rate", InstalmentRate, _USUAL.instalment_rate),
    _choice("recalculation", Recalculation, _USUAL.recalculation),
    _choice("recalculated_on", RecalculatedOn, _USUAL.recalculated_on),
    Field("compounding", Kind.FLAG, default=_USUAL.compounding),
    _choice("prepayment", Prepayment, _USUAL.prepayment),
    _choice("payoff", PayoffInterest, _USUAL.payoff),
    Field("fee", Kind.RECORD, parts=_INSTALMENT_FEE),
    _rate("penalty_rate_annual"),
)

_SOURCE = (Field("of", Kind.TEXT, True), Field("note", Kind.TEXT, True, most=500))

FIELDS: tuple[Field, ...] = (
    Field("product_id", Kind.ID, True),
    Field("name", Kind.RECORD, True, parts=tuple(Field(language, Kind.TEXT, True) for language in LANGUAGES)),
    Field("shape", Kind.CHOICE, True, choices=SHAPES),
    Field("currency", Kind.CURRENCY, True),
    _choice("day_count", DayCount, needed=True),
    Field("rates", Kind.RECORDS, True, parts=_RATES, most=200),
    Field("allocation", Kind.RECORD, True, parts=_ALLOCATION),
    Field("excess_by_rate", Kind.FLAG, default=False),
    Field("tolerance", Kind.RECORD, parts=_TOLERANCE),
    Field("classes", Kind.RECORDS, True, parts=_CLASSES, most=len(GRADES)),
    Field("fees", Kind.RECORD, parts=tuple(Field(kind, Kind.RECORD, parts=_FEE) for kind in FEES)),
    Field("charge_off_days", Kind.COUNT, low=1, high=3650),
    Field("cost_cap_annual", Kind.RATE, high=10),
    Field("line", Kind.RECORD, parts=_LINE),
    Field("loan", Kind.RECORD, parts=_LOAN),
    Field("source", Kind.RECORDS, parts=_SOURCE, least=0, most=200, default=()),
)


def paths(fields: Sequence[Field] = FIELDS, above: str = "") -> Iterator[tuple[str, Field]]:
    """Every field with its path, such as `line.minimum.floor_minor`, each before its parts."""
    for field in fields:
        yield f"{above}{field.name}", field
        yield from paths(field.parts, f"{above}{field.name}.")
