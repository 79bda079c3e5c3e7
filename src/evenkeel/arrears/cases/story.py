"""The story of a case: contacts, payments, promises, plans, disputes, complaints and agencies in the order of what
happened, each in one sentence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from evenkeel.accounts.facts import FactKind
from evenkeel.accounts.store import Booked, at_midnight
from evenkeel.arrears.cases.fold import EVENTS
from evenkeel.arrears.cases.model import Look
from evenkeel.arrears.cases.store import Known
from evenkeel.arrears.cases.views import Entry
from evenkeel.arrears.contacts.standing import ASKED, CASE, ENDED, REVERSED, Told, undone_by
from evenkeel.decisions.engine.happenings import EVENT
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts

_ACCOUNT = {
    FactKind.PAYMENT: "payment", FactKind.GUARANTOR_PAYMENT: "payment", FactKind.RECOVERY: "payment",
    FactKind.PAYMENT_FAILED: "payment_failed", FactKind.REVERSAL: "account_reversal",
    FactKind.CHARGEBACK: "chargeback", FactKind.CHARGE_OFF: "charge_off", FactKind.SALE: "account_sold",
    FactKind.SETTLEMENT: "settlement",
}  # fmt: skip
_LATE = timedelta(days=1)  # what was booked so much later than it happened is said to be
_DASH = "–"


def story(
    look: Look, facts: Sequence[Known], accounts: Mapping[str, Sequence[Booked]], zone: ZoneInfo, currency: str,
    say: Texts,
) -> list[Entry]:  # fmt: skip
    """All that happened, the oldest first; what was taken back is told and marked. facts: in the order of booking, of
    this lender and of everybody. zone: in which a day is over."""
    undone = undone_by(
        (one.told.event_id, one.told.reversal_of) for one in facts if one.told.kind == REVERSED
    )  # fmt: skip
    ended = {str(one.told.payload.get("contact_id")): one.told for one in facts if one.told.kind == ENDED}
    found: list[tuple[datetime, int, Entry]] = []
    for one in facts:
        kind, values = _of(one.told, ended, currency, say)
        if kind is None:
            continue
        text = say(f"case.story.{kind}", **values)
        if one.told.event_id in undone:
            text = say("case.story.taken_back", text=text)
        late = one.booked_at if one.booked_at - one.told.at > _LATE else None
        entry = Entry(
            at=one.told.at, kind=kind, text=text, account_id=one.told.account_id, fact_id=one.told.event_id,
            booked_at=late,
        )  # fmt: skip
        found.append((one.told.at, one.seq, entry))
    found += [(entry.at, 0, entry) for entry in _of_accounts(accounts, currency, say)]
    found += [(entry.at, 0, entry) for entry in _verdicts(look, zone, currency, say)]
    return [entry for _, _, entry in sorted(found, key=lambda one: (one[0], one[1]))]


def _of(told: Told, ended: Mapping[str, Told], currency: str, say: Texts) -> tuple[str | None, dict[str, str]]:
    """What a fact is in the story, and what fills its sentence; None where it is no part of it."""
    if told.kind == ASKED:
        return _contact(told, ended.get(told.event_id), say)
    kind = told.kind.removeprefix(CASE) if told.kind.startswith(CASE) else told.kind.removeprefix(EVENT)
    known = told.kind.startswith(CASE) or (told.kind.startswith(EVENT) and kind in EVENTS)
    if not known or f"case.story.{kind}" not in say:
        return None, {}
    return kind, _values({**told.payload, **told.said}, currency, say)


def _contact(told: Told, end: Told | None, say: Texts) -> tuple[str, dict[str, str]]:
    said = told.payload["contact"]
    values = {"channel": _word(said["channel"], say), "by": str(said.get("actor_id") or _DASH)}
    if not told.payload["made"] and told.payload["answer"] not in ("allow", "warn"):
        return "contact_refused", values | {"answer": _word(told.payload["answer"], say)}
    if said.get("direction") == "in":
        return "contact_in", values
    what = end.payload if end is not None else {}
    if end is None:
        outcome = "open"
    elif not what.get("made", True):
        outcome = "not_made"
    else:
        outcome = "conversation" if what.get("conversation") else "no_conversation"
    return "contact", values | {"outcome": say(f"case.outcome.{outcome}")}


def _values(said: Mapping[str, Any], currency: str, say: Texts) -> dict[str, str]:
    """All that a sentence may name; a dash where it was not said."""
    names = ("by", "about", "outcome", "via", "kind", "role", "cause", "why", "reason", "from", "to", "agency_id",
             "buyer_id", "promised_on", "until", "review_on", "received_on", "began_on", "purpose", "need", "batch",
             "days_past_due", "lease_until", "plan_id")  # fmt: skip
    told = {name: _word(said.get(name), say) for name in names}
    told["channels"] = ", ".join(_word(one, say) for one in said.get("channels") or ()) or say("case.word.no_channel")
    for name in ("amount_minor", "past_due_minor", "price_minor"):
        amount = said.get(name)
        told[name.removesuffix("_minor")] = str(Money(amount, currency)) if isinstance(amount, int) else _DASH
    told["state"] = told["to"]
    return told


def _word(code: object, say: Texts) -> str:
    """A code in words; itself where there are none."""
    if code is None or code == "":
        return _DASH
    key = f"case.word.{code}"
    return say(key) if key in say else str(code)


def _of_accounts(accounts: Mapping[str, Sequence[Booked]], currency: str, say: Texts) -> list[Entry]:
    found = []
    for name, booked in accounts.items():
        for one in booked:
            kind = _ACCOUNT.get(one.fact.kind)
            if kind is None:
                continue
            at = at_midnight(one.fact.effective_on)
            amount = str(Money(one.fact.amount_minor, currency)) if one.fact.amount_minor else _DASH
            late = one.booked_at if one.booked_at - at > 2 * _LATE else None
            text = say(f"case.story.{kind}", account=name, amount=amount)
            found.append(
                Entry(at=at, kind=kind, text=text, account_id=name, fact_id=one.event_id, booked_at=late)
            )  # fmt: skip
    return found


def _verdicts(look: Look, zone: ZoneInfo, currency: str, say: Texts) -> list[Entry]:
    """What became of promises, at the end of their days."""
    found = []
    for one in look.promises:
        if one.verdict not in ("kept", "partly", "broken") or one.promise.until > look.money.on:
            continue
        at = datetime.combine(one.promise.until, time.max, zone).astimezone(UTC)
        amount, paid = (
            _DASH if minor is None else str(Money(minor, currency))
            for minor in (one.promise.amount_minor, one.paid_minor)
        )
        text = say(f"case.story.promise_{one.verdict}", amount=amount, paid=paid, day=one.promise.until)
        kind = f"promise_{one.verdict}"
        found.append(Entry(at=at, kind=kind, text=text, account_id=one.promise.account_id, fact_id=one.promise.name))
    return found
