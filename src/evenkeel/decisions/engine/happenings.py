"""Facts of the journal as events that features count, and as grants that are not taken up yet.

A hold counts as the purchase it is for, its release takes it out again, and the purchase that uses it adds nothing.
A hold is to features what its own id says, as releases and reversals name it: the journal's id of it says when it was
made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from evenkeel.accounts.facts import RESTRUCTURINGS, FactKind
from evenkeel.accounts.store import PREFIX, event_id
from evenkeel.behaviour.online import Event

EVENT = "event."  # kinds of facts that are events of a borrower, sent in by a lender
APPLICATION = EVENT + "application"
TRADELINE, BUREAU_REPORT = EVENT + "tradeline", EVENT + "bureau_report"  # what a register tells: nothing that happened

_KINDS = {
    FactKind.OPENED: "account_opened", FactKind.PURCHASE: "purchase",
    FactKind.CASH_ADVANCE: "cash_advance", FactKind.PAYMENT: "repayment", FactKind.GUARANTOR_PAYMENT: "repayment",
    FactKind.PAYMENT_FAILED: "payment_failed", FactKind.CHARGEBACK: "payment_reversed", FactKind.REFUND: "refund",
    FactKind.FEE: "fee", FactKind.INTEREST: "interest", FactKind.CHARGE_OFF: "charged_off",
    FactKind.RECOVERY: "recovery", FactKind.SALE: "sold", FactKind.RATE_CHANGED: "rate_changed",
    FactKind.LIMIT_CHANGED: "limit_changed", FactKind.CLOSED: "account_closed",
    FactKind.DUE_DATE_MOVED: "due_day_changed",
    **dict.fromkeys(RESTRUCTURINGS - {FactKind.DUE_DATE_MOVED}, "restructured"),
}  # fmt: skip
# Facts of an account that are events as they are.
_PLAIN = {
    PREFIX + kind: name for kind, name in _KINDS.items() if kind not in (FactKind.PURCHASE, FactKind.LIMIT_CHANGED)
}
_FACTS = {PREFIX + kind: kind for kind in FactKind}
_HOLD = PREFIX + FactKind.HOLD


class Fact(msgspec.Struct, frozen=True):
    """A row of the journal. Instants in microseconds since 1970."""

    seq: int
    event_id: str
    kind: str
    account_id: str | None
    effective_us: int
    booked_us: int
    reversal_of: str | None
    payload: Mapping[str, object]


class Grant(NamedTuple):
    """A grant that counts as exposure until an account is opened for it, or until it lapses."""

    decision_id: str
    lender_id: str
    amount_minor: int
    until_us: int


_grants = msgspec.json.Decoder(list[Grant])


def pack_grants(grants: list[Grant]) -> bytes:
    """Grants as bytes; none as none."""
    return msgspec.json.encode(grants) if grants else b""


def unpack_grants(packed: bytes) -> list[Grant]:
    """Grants from `pack_grants`."""
    return _grants.decode(packed) if packed else []


def event_of(fact: Fact) -> Event | None:
    """The event that a fact is to features, or None."""
    payload, amount = fact.payload, fact.payload.get("amount_minor")
    plain = _PLAIN.get(fact.kind)
    if plain is not None:
        return _happened(fact, plain, amount)
    account = fact.account_id or ""
    if fact.kind == _HOLD:
        return _happened(fact, "purchase", amount, event_id(account, str(payload["fact_id"])))
    if fact.kind in (TRADELINE, BUREAU_REPORT):
        return None
    if fact.kind.startswith(EVENT):
        fields = payload.get("fields")
        return Event(
            fact.event_id, fact.kind[len(EVENT) :], fact.effective_us, fact.booked_us,
            amount if isinstance(amount, int) else None, fields if isinstance(fields, dict) else {},
            _text(payload.get("lender_id")), fact.reversal_of,
        )  # fmt: skip
    kind = _FACTS.get(fact.kind)
    if kind is None:
        return None
    if kind is FactKind.REVERSAL and fact.reversal_of:
        undone = event_id(account, str(payload["reversal_of"]))
        return Event(fact.event_id, "", fact.effective_us, fact.booked_us, reversal_of=undone)
    if kind is FactKind.HOLD_RELEASED:
        hold = event_id(account, str(payload["hold_id"]))
        return Event(fact.event_id, "", fact.effective_us, fact.booked_us, reversal_of=hold)
    if kind not in _KINDS or (kind is FactKind.PURCHASE and payload.get("hold_id")):
        return None
    return _happened(fact, _KINDS[kind], payload.get("limit_minor") if kind is FactKind.LIMIT_CHANGED else amount)


def _happened(fact: Fact, kind: str, amount: object, name: str | None = None) -> Event:
    """A fact of an account as an event of its borrower. name: where it is not the journal's."""
    fields = {name: value for name, value in fact.payload.items() if type(value) is str}
    return Event(
        name or fact.event_id, kind, fact.effective_us, fact.booked_us, amount if isinstance(amount, int) else None,
        fields, _text(fact.payload.get("lender_id")),
    )  # fmt: skip


def grants_after(grants: list[Grant], fact: Fact) -> list[Grant]:
    """The grants that are open after a fact: an application adds one, an opening takes up the oldest of its lender that
    has not lapsed. What has lapsed by then is dropped by both."""
    payload = fact.payload
    if fact.kind == APPLICATION:
        granted = payload.get("granted_minor")
        grants = [one for one in grants if one.until_us >= fact.effective_us]
        if not isinstance(granted, int) or not granted:
            return grants
        until = payload["until_us"]
        assert isinstance(until, int)  # noqa: S101 - written by the hot path itself
        return [*grants, Grant(str(payload["decision_id"]), str(payload["lender_id"]), granted, until)]
    if fact.kind == PREFIX + FactKind.OPENED:
        lender = _text(payload.get("lender_id")) or "-"  # as everywhere: without a lender it is the one lender's
        grants = [one for one in grants if one.until_us >= fact.effective_us]
        taken = next((one for one in grants if one.lender_id == lender), None)
        return [one for one in grants if one is not taken]
    return grants


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
