"""The facts that an account is made of: kinds, what each must say, and which of them stand on a given day."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from evenkeel.accounts.fields import Field, Kind, checked, shown
from evenkeel.accounts.words import Component, Segment
from evenkeel.kernel.errors import InvalidInput


class FactKind(StrEnum):
    """What happened to an account."""

    OPENED = "opened"
    PURCHASE = "purchase"
    CASH_ADVANCE = "cash_advance"
    HOLD = "hold"
    HOLD_RELEASED = "hold_released"
    DISBURSEMENT = "disbursement"
    PAYMENT = "payment"
    PAYMENT_FAILED = "payment_failed"
    GUARANTOR_PAYMENT = "guarantor_payment"
    REFUND = "refund"
    CHARGEBACK = "chargeback"
    REVERSAL = "reversal"
    FEE = "fee"
    INTEREST = "interest"
    WAIVER = "waiver"
    CHARGE_OFF = "charge_off"
    RECOVERY = "recovery"
    SALE = "sale"
    RATE_CHANGED = "rate_changed"
    LIMIT_CHANGED = "limit_changed"
    INSTALMENT_PLAN = "instalment_plan"
    RE_AGE = "re_age"
    RE_AMORTISE = "re_amortise"
    DUE_DATE_MOVED = "due_date_moved"
    PAYMENT_HOLIDAY = "payment_holiday"
    INTEREST_PAUSED = "interest_paused"
    TERM_EXTENDED = "term_extended"
    CAPITALISED = "capitalised"
    CARRIED = "carried"
    SETTLEMENT = "settlement"
    ARREARS_PAUSED = "arrears_paused"
    CLOSED = "closed"


# A change of terms to help a borrower: counted, reversible while it is the latest, never a reset of days past due.
RESTRUCTURINGS = frozenset(
    {
        FactKind.RE_AGE, FactKind.RE_AMORTISE, FactKind.DUE_DATE_MOVED, FactKind.PAYMENT_HOLIDAY,
        FactKind.INTEREST_PAUSED, FactKind.TERM_EXTENDED, FactKind.CAPITALISED, FactKind.CARRIED,
        FactKind.SETTLEMENT,
    }
)  # fmt: skip

# Without it all three.
_COSTS = Field("component", Kind.CHOICE, choices=(Component.PENALTY, Component.FEE, Component.INTEREST))
_AMOUNT = Field("amount_minor", Kind.MONEY, True, low=1)
_RATE = Field("rate_annual", Kind.RATE, True, low=0, high=10)
_FUNDER = (Field("funder_id", Kind.ID, True), Field("share", Kind.COUNT, True, low=1, high=1_000_000))
_REFUNDS = ("merchant", "goodwill", "payout")

FIELDS: Mapping[FactKind, tuple[Field, ...]] = {
    FactKind.OPENED: (
        Field("product", Kind.ID, True),
        Field("product_digest", Kind.TEXT),
        Field("limit_minor", Kind.MONEY),
        Field("principal_minor", Kind.MONEY, low=1),
        Field("rate_annual", Kind.RATE, low=0, high=10),
        Field("instalments", Kind.COUNT, low=1, high=600),
        Field("first_due_on", Kind.DAY),
        Field("statement_day", Kind.COUNT, low=1, high=31),
        Field("due_day", Kind.COUNT, low=1, high=31),
        Field("funders", Kind.RECORDS, parts=_FUNDER, most=20),
        Field("guarantor_id", Kind.ID),
        Field("lender_id", Kind.ID),
    ),
    FactKind.PURCHASE: (
        _AMOUNT,
        Field("segment", Kind.CHOICE, choices=(Segment.PURCHASE, Segment.PROMOTION), default=str(Segment.PURCHASE)),
        Field("hold_id", Kind.ID),
    ),
    FactKind.CASH_ADVANCE: (_AMOUNT,),
    FactKind.HOLD: (
        _AMOUNT,
        Field("expires_on", Kind.DAY),
        Field("category", Kind.TEXT),
        Field("channel", Kind.TEXT),
        Field("device_token", Kind.ID),
    ),
    FactKind.HOLD_RELEASED: (Field("hold_id", Kind.ID, True),),
    FactKind.DISBURSEMENT: (_AMOUNT,),
    FactKind.PAYMENT: (
        _AMOUNT,
        Field("channel", Kind.CHOICE, choices=("self", "debit_order", "transfer", "agency", "court"), default="self"),
    ),
    FactKind.PAYMENT_FAILED: (_AMOUNT,),
    FactKind.GUARANTOR_PAYMENT: (_AMOUNT, Field("guarantor_id", Kind.ID)),
    FactKind.REFUND: (_AMOUNT, Field("by", Kind.CHOICE, choices=_REFUNDS, default="merchant")),
    FactKind.CHARGEBACK: (_AMOUNT, Field("of", Kind.ID, True)),
    FactKind.REVERSAL: (),
    FactKind.FEE: (_AMOUNT, Field("fee", Kind.TEXT, default="fee"), Field("due_on", Kind.DAY)),
    FactKind.INTEREST: (_AMOUNT,),
    FactKind.WAIVER: (
        _AMOUNT,
        Field("component", Kind.CHOICE, True, choices=tuple(map(str, Component))),
    ),
    FactKind.CHARGE_OFF: (),
    FactKind.RECOVERY: (_AMOUNT, Field("via", Kind.TEXT, default="self")),
    FactKind.SALE: (Field("price_minor", Kind.MONEY, True), Field("buyer_id", Kind.ID, True)),
    FactKind.RATE_CHANGED: (
        _RATE,
        Field("segment", Kind.CHOICE, choices=tuple(map(str, Segment))),
    ),
    FactKind.LIMIT_CHANGED: (Field("limit_minor", Kind.MONEY, True),),
    FactKind.INSTALMENT_PLAN: (
        _AMOUNT,
        Field("instalments", Kind.COUNT, True, low=2, high=60),
        Field("fee_rate_per_period", Kind.RATE, low=0, high=1),
        Field("rate_annual", Kind.RATE, low=0, high=10),
    ),
    FactKind.RE_AGE: (
        Field("instalments", Kind.COUNT, True, low=1, high=600),
        Field("first_due_on", Kind.DAY, True),
        Field("every", Kind.COUNT, low=1, high=365, default=1),
        Field("unit", Kind.CHOICE, choices=("days", "weeks", "months"), default="months"),
        Field("rate_annual", Kind.RATE, low=0, high=10),
    ),
    FactKind.RE_AMORTISE: (),
    FactKind.DUE_DATE_MOVED: (
        Field("from_due_on", Kind.DAY),
        Field("to_due_on", Kind.DAY),
        Field("due_day", Kind.COUNT, low=1, high=31),
    ),
    FactKind.PAYMENT_HOLIDAY: (Field("until", Kind.DAY, True), Field("interest", Kind.FLAG, default=True)),
    FactKind.INTEREST_PAUSED: (Field("until", Kind.DAY, True),),
    FactKind.TERM_EXTENDED: (Field("instalments", Kind.COUNT, True, low=1, high=600),),
    FactKind.CAPITALISED: (_COSTS,),
    FactKind.CARRIED: (_COSTS,),
    FactKind.SETTLEMENT: (_AMOUNT, Field("by", Kind.DAY, True)),
    FactKind.ARREARS_PAUSED: (Field("until", Kind.DAY, True), Field("why", Kind.TEXT)),
    FactKind.CLOSED: (),
}

HEAD = (
    Field("fact_id", Kind.ID, True),
    Field("kind", Kind.CHOICE, True, choices=tuple(map(str, FactKind))),
    Field("effective_on", Kind.DAY, True),
    Field("reversal_of", Kind.ID),
)


@dataclass(frozen=True, slots=True)
class AccountFact:
    """Something that happened to an account on a day. details: the checked fields of its kind but `amount_minor`."""

    fact_id: str
    kind: FactKind
    effective_on: date
    amount_minor: int = 0
    details: Mapping[str, object] = field(default_factory=dict)
    reversal_of: str | None = None

    def day(self, name: str) -> date:
        """A day of the details. Raises InvalidInput if there is none."""
        value = self.details.get(name)
        if not isinstance(value, date):
            raise InvalidInput(f"{self.kind} {self.fact_id} lacks `{name}`.", "Give a date such as 2024-05-31.")
        return value

    def count(self, name: str) -> int:
        """A whole number of the details. Raises InvalidInput if there is none."""
        value = self.details.get(name)
        if not isinstance(value, int):
            raise InvalidInput(f"{self.kind} {self.fact_id} lacks `{name}`.", "Give a whole number.")
        return value

    def rate(self, name: str) -> Fraction:
        """A rate of the details, 0 where there is none."""
        value = self.details.get(name)
        return value if isinstance(value, Fraction) else Fraction(0)


def read_fact(given: object) -> AccountFact:
    """A checked fact from a record such as {"fact_id": "p1", "kind": "payment", "effective_on": "2024-05-31",
    "amount_minor": 5000}. Raises InvalidInput naming the field and what is allowed."""
    if not isinstance(given, Mapping):
        raise InvalidInput(f"a fact is a table of fields, not {shown(given)}.")
    names = {part.name for part in HEAD}
    head = checked({key: value for key, value in given.items() if key in names}, HEAD, "a fact")
    kind = FactKind(str(head["kind"]))
    where = f"{kind} {head['fact_id']}"
    details = checked({key: value for key, value in given.items() if key not in names}, FIELDS[kind], where)
    reversal_of = head["reversal_of"]
    if (reversal_of is None) == (kind is FactKind.REVERSAL):
        what = "lacks `reversal_of`" if reversal_of is None else "has `reversal_of`, which only a reversal has"
        raise InvalidInput(f"{where} {what}.", "A reversal names the fact that it undoes; any other fact names none.")
    amount = details.pop("amount_minor", 0)
    assert isinstance(amount, int) and isinstance(head["effective_on"], date)  # noqa: S101 - for the type checker
    return AccountFact(
        str(head["fact_id"]),
        kind,
        head["effective_on"],
        amount,
        details,
        None if reversal_of is None else str(reversal_of),
    )


def standing(facts: Iterable[AccountFact], as_of: date) -> list[AccountFact]:
    """The facts that count on a day, by effective day and, within one, in the order given.

    A fact is out from the day its reversal takes effect, as if it had never been; a reversal that is itself reversed
    undoes nothing. Reversals are not in the result.
    """
    known = [fact for fact in facts if fact.effective_on <= as_of]
    undone = _undone(known)
    kept = [fact for fact in known if fact.kind is not FactKind.REVERSAL and fact.fact_id not in undone]
    return sorted(kept, key=lambda fact: fact.effective_on)


def _undone(known: Sequence[AccountFact]) -> set[str]:
    """The ids of the facts that a reversal undoes which is not undone itself."""
    undone: set[str] = set()
    for fact in reversed([fact for fact in known if fact.kind is FactKind.REVERSAL]):
        if fact.fact_id not in undone and fact.reversal_of is not None:
            undone.add(fact.reversal_of)
    return undone


def check_reversal(facts: Sequence[AccountFact], reversal: AccountFact) -> None:
    """Raises InvalidInput if a reversal's target is not on record, is undone already, or lies after the reversal; or is
    a restructuring that is not the latest."""
    by_id = {fact.fact_id: fact for fact in facts}
    target = by_id.get(reversal.reversal_of or "")
    if target is None:
        raise InvalidInput(f"{reversal.fact_id} reverses {reversal.reversal_of}, which is not a fact of this account.")
    if reversal.effective_on < target.effective_on:
        raise InvalidInput(
            f"{reversal.fact_id} takes effect on {reversal.effective_on}, before {target.fact_id} on "
            f"{target.effective_on}.",
            "A reversal takes effect on the day of what it undoes, or later.",
        )
    stand = standing(facts, date.max)
    if target.fact_id in _undone(facts):
        raise InvalidInput(f"{target.fact_id} is reversed already.")
    later = [fact for fact in stand if fact.kind in RESTRUCTURINGS]
    if target.kind in RESTRUCTURINGS and later and later[-1] is not target:
        raise InvalidInput(
            f"{target.fact_id} is not the latest restructuring; {later[-1].fact_id} came after it.",
            "Reverse the latest first.",
        )


def fact_record(fact: AccountFact) -> dict[str, object]:
    """A fact as `read_fact` reads it: rates and days as text, nothing that is not known."""
    record: dict[str, object] = {
        "fact_id": fact.fact_id, "kind": str(fact.kind), "effective_on": fact.effective_on.isoformat()
    }  # fmt: skip
    if fact.amount_minor:
        record["amount_minor"] = fact.amount_minor
    if fact.reversal_of is not None:
        record["reversal_of"] = fact.reversal_of
    return record | {name: _plain(value) for name, value in fact.details.items() if value is not None}


def _plain(value: object) -> object:
    if isinstance(value, Fraction):
        whole = Decimal(value.numerator) / Decimal(value.denominator)
        return format(whole.normalize(), "f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, Mapping):
        return {name: _plain(entry) for name, entry in value.items()}
    return value
