"""The life of a plan: proposed, agreed by each creditor, signed, paid, missed and caught up, finished or broken.

A plan is the fold of its facts, which are numbered: each has the id of the plan and its number, so that two people who
write the next one at once cannot both succeed. What changes in the borrower's life with it (a plan is signed, broken,
completed) is told as an event as well, so that raises stop and warnings know.

    proposed -> agreed -> running <-> late -> completed | broken
       |  creditors consent, refuse, counter       |
       +---------- replaced by another plan <------+

A plan that is completed runs again where a payment of it did not hold, so that something is left to pay.

A plan that is signed binds until it is completed or another, made in its place, is signed: a borrower loses nothing by
asking. One that is not signed yet is replaced at once. A broken plan still takes what comes in, so that the next one
knows of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Any

import msgspec

from evenkeel.kernel.errors import Conflict, InvalidInput, NotFound, NotPermitted
from evenkeel.kernel.money import Money
from evenkeel.repayment.model import Question

PREFIX = "plan."
GRACE_DAYS = 3  # after its day an instalment may still come; a judgement, in line with the grace of Chinese cards
BREAKS_AT = 2  # months of one creditor missed at the same time end a plan: a judgement, as in `chance`
PAYING = ("running", "late")


@dataclass(frozen=True, slots=True)
class Instalment:
    """What is to be paid to one creditor, and when."""

    debt_id: str
    creditor: str
    due_on: date
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Consent:
    """What a creditor said last: waiting, consented, refused, countered. by: who, in which role. approved_minor: the
    waiver that the role approved. policy: of a counter-offer, the terms that it would take. only: a refusal or a
    counter-offer is for this debt alone, not for all that the creditor holds."""

    status: str = "waiting"
    by: str = ""
    role: str | None = None
    on: date | None = None
    approved_minor: int = 0
    why: str = ""
    policy: Mapping[str, Any] | None = None
    only: bool = False


@dataclass(frozen=True, slots=True)
class Payment:
    """Money that a creditor got."""

    debt_id: str
    amount_minor: int
    on: date


@dataclass(frozen=True, slots=True)
class Reversal:
    """That a payment told from outside did not hold. on: the day on which it was taken back. why: as it was told."""

    debt_id: str
    amount_minor: int
    on: date
    why: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """A plan as it stands. facts: how many it has. document: as proposed. instalments: what fell due before the
    signature is due with it. payments: by what told them, so that none counts twice. reversals: of payments
    that did not hold, by what told these; such an id is spent. missed: instalments whose day and
    grace have passed without the money. seen_on: the latest day that a fact is of. replaces: the plan in whose place it
    was made. questions: what was not known of the household when it was made again."""

    plan_id: str
    lender_id: str
    borrower_id: str | None
    case: Mapping[str, Any]
    document: Mapping[str, Any]
    instalments: tuple[Instalment, ...]
    asked_minor: Mapping[str, int]  # waived, by debt
    creditors: Mapping[str, str]  # by debt
    consents: Mapping[str, Consent]
    status: str = "proposed"
    facts: int = 1
    signed_by: str = ""
    signed_on: date | None = None
    signature: str = ""
    payments: Mapping[str, Payment] = field(default_factory=dict)
    reversals: Mapping[str, Reversal] = field(default_factory=dict)
    missed: tuple[Instalment, ...] = ()
    seen_on: date = date.min
    replaces: str | None = None
    replaced_by: str | None = None
    questions: tuple[Question, ...] = ()

    @property
    def begins_on(self) -> date:
        """The day of its case."""
        return date.fromisoformat(self.case["as_of"])

    @property
    def paid_minor(self) -> dict[str, int]:
        """What came in since it was signed, by debt."""
        paid: dict[str, int] = {}
        for one in self.payments.values():
            paid[one.debt_id] = paid.get(one.debt_id, 0) + one.amount_minor
        return paid

    @property
    def left_minor(self) -> int:
        """What is still to be paid: too much for one creditor pays nothing to another."""
        left = dict.fromkeys(self.creditors, 0)
        for one in self.instalments:
            left[one.debt_id] += one.amount_minor
        return sum(max(0, amount - self.paid_minor.get(debt, 0)) for debt, amount in left.items())

    def money(self, minor: int) -> str:
        """An amount, with its currency."""
        return str(Money(minor, str(self.case.get("currency", "CNY"))))


Told = tuple[str, dict[str, Any]]  # the kind of a fact, without PREFIX, and its payload


def fold(plan_id: str, facts: Iterable[tuple[str, Mapping[str, Any]]]) -> Life:
    """The plan after its facts, in order. Raises NotFound where there is none."""
    life: Life | None = None
    for kind, payload in facts:
        if life is None:
            life = _begun(plan_id, payload)
            continue
        life = after(life, kind, payload)
    if life is None:
        raise NotFound(f"There is no plan {plan_id}.", "`evenkeel plan propose CASE` makes one and says its id.")
    return life


def after(life: Life, kind: str, payload: Mapping[str, Any]) -> Life:
    """The plan after one more fact."""
    seen_on = max(life.seen_on, date.fromisoformat(payload["on"]))
    then: Life = _AFTER[kind](replace(life, facts=life.facts + 1, seen_on=seen_on), payload)
    return then


# ---- What people do ------------------------------------------------------------------------------------------------


def consent(life: Life, debt_id: str, by: str, role: str | None, on: date, most_minor: int | None) -> Told:
    """A creditor agrees. most_minor: what its role may waive, None where nothing limits it.

    Raises Conflict out of turn, NotPermitted where the waiver is beyond the role's authority.
    """
    _waits(life, debt_id)
    waived = life.asked_minor.get(debt_id, 0)
    if most_minor is not None and waived > most_minor:
        raise NotPermitted(
            f"{life.creditors[debt_id]} is asked to waive {life.money(waived)}, and "
            f"{f'the role `{role}`' if role else 'somebody without a role'} may waive {life.money(most_minor)}.",
            "Let somebody with more authority agree (`role`), or make a plan that asks for less.",
        )
    return "consented", {"debt_id": debt_id, "by": by, "role": role, "on": on.isoformat(), "approved_minor": waived}


def refuse(life: Life, debt_id: str, by: str, why: str, on: date, only: bool = False) -> Told:
    """A creditor does not agree: the plan promises nothing for it any more, and has to be made again. only: for this
    debt alone; without it for all that the creditor holds."""
    _waits(life, debt_id)
    return "refused", {"debt_id": debt_id, "by": by, "why": why, "on": on.isoformat(), "only": only}


def counter(life: Life, debt_id: str, by: str, policy: Mapping[str, Any], on: date, only: bool = False) -> Told:
    """A creditor agrees to something else: the terms that it would take, for all that it holds or this debt `only`."""
    _waits(life, debt_id)
    return "countered", {"debt_id": debt_id, "by": by, "policy": dict(policy), "on": on.isoformat(), "only": only}


def sign(life: Life, by: str, on: date) -> Told:
    """The borrower signs what all creditors agreed to. The hash is of the plan as proposed.

    Raises Conflict out of turn, or too late: nobody can be asked for two instalments at once.
    """
    if life.status != "agreed":
        waiting = sorted(debt for debt, one in life.consents.items() if one.status != "consented")
        raise Conflict(
            f"The plan {life.plan_id} is {life.status}; "
            + (f"not yet agreed: {', '.join(waiting)}." if waiting else "it is signed once."),
            "A plan is signed once every creditor in it has consented.",
        )
    if on < life.begins_on:
        raise InvalidInput(
            f"The signature is of {on}, and the plan of {life.begins_on}.", "A plan is signed after it is made."
        )
    days = [date.fromisoformat(row["due_on"]) for row in life.document["schedule"] if row["month"]]
    if days and on > min(days) + timedelta(days=GRACE_DAYS):
        raise Conflict(
            f"The first instalment of the plan {life.plan_id} was due on {min(days)}.",
            "Make it again (`replan`): the new one has days that lie ahead.",
        )
    return "signed", {"by": by, "on": on.isoformat(), "sha256": digest(life.document)}


def pay(life: Life, debt_id: str, amount_minor: int, on: date, told_by: str) -> Told | None:
    """Money came in for a debt; None where it was told before. told_by: an id of the payment.

    Raises Conflict where the plan takes none, or the id was told of another payment; NotFound, InvalidInput.
    """
    if debt_id not in life.creditors:
        raise NotFound(f"The debt {debt_id} is not in the plan.", f"In it are: {', '.join(sorted(life.creditors))}.")
    told = life.payments.get(told_by)
    if told is not None:
        if told != Payment(debt_id, amount_minor, on):
            raise Conflict(
                f"The payment {told_by} was told before: {life.money(told.amount_minor)} for {told.debt_id} on "
                f"{told.on}.",
                "Another payment has another id.",
            )
        return None
    if told_by in life.reversals:
        raise Conflict(
            f"The payment {told_by} was told before, and taken back on {life.reversals[told_by].on}.",
            "Another payment has another id.",
        )
    if life.signed_on is None or life.status not in (*PAYING, "broken"):
        raise Conflict(
            f"The plan {life.plan_id} is {life.status}: it takes no payments.",
            "It takes them once it is signed, until it is completed or replaced.",
        )
    if amount_minor < 1:
        raise InvalidInput(f"A payment of {life.money(amount_minor)} is none.", "Give what was paid.")
    if on < life.signed_on:
        raise InvalidInput(
            f"The payment is of {on}, and the plan was signed on {life.signed_on}.",
            "What was paid before is part of the case that the plan was made from.",
        )
    return "paid", {"debt_id": debt_id, "amount_minor": amount_minor, "on": on.isoformat(), "told_by": told_by}


def reverse(life: Life, told_by: str, why: str, on: date) -> Told | None:
    """A payment that was told from outside did not hold: it bounced, or was charged back. None where that was told.

    Raises NotFound where there is no such payment, Conflict where another plan has taken the place of this one,
    InvalidInput where it is said to have been taken back before it came in.
    """
    if told_by in life.reversals:
        return None
    paid = life.payments.get(told_by)
    if paid is None:
        raise NotFound(
            f"There is no payment {told_by} in the plan {life.plan_id}.", "Give the id that it was told with."
        )
    if life.status == "replaced":
        raise Conflict(
            f"The plan {life.plan_id} is replaced by {life.replaced_by}: nothing of it changes any more.",
            "Make that one again with the household as it is now (`replan --case`): more is owed than it says.",
        )
    if on < paid.on:
        raise InvalidInput(
            f"The payment {told_by} came in on {paid.on}, and is said to be taken back on {on}.",
            "It is taken back on that day or later.",
        )
    return "reversed", {"told_by": told_by, "why": why, "on": on.isoformat()}


def take_back(life: Life, told_by: str, on: date) -> Told | None:
    """A payment on an account does not stand as it was told; None where it is not, or no longer, counted."""
    if told_by not in life.payments or life.status not in (*PAYING, "broken", "completed"):
        return None
    return "taken_back", {"told_by": told_by, "on": on.isoformat()}


def look(life: Life, on: date) -> Told | None:
    """What has become of the plan by a day: missed, caught up, completed or broken; None where nothing is new.

    A day before one that it was looked at is taken as that one: what was seen since is not forgotten.
    """
    if life.status not in PAYING:
        return None
    on = max(on, life.seen_on)
    if not life.left_minor:
        return "completed", {"on": on.isoformat()}
    late = late_on(life, on)
    told = {"on": on.isoformat(), "missed": [_plain(one) for one in late]}
    if any(_months(late, creditor) >= BREAKS_AT for creditor in set(life.creditors.values())):
        return "broken", told
    if late != life.missed:
        return ("missed" if late else "caught_up"), told
    return None


def replaced(by_plan: str, on: date) -> Told:
    """Another plan takes the place of this one."""
    return "replaced", {"by_plan": by_plan, "on": on.isoformat()}


def late_on(life: Life, on: date) -> tuple[Instalment, ...]:
    """Instalments that are not covered by what was paid, the oldest first, after their day and the grace; of each what
    is missing."""
    covered = dict(life.paid_minor)
    late = []
    for one in sorted(life.instalments, key=lambda one: (one.due_on, one.debt_id)):
        rest = covered.get(one.debt_id, 0) - one.amount_minor
        covered[one.debt_id] = max(0, rest)
        if rest < 0 and one.due_on + timedelta(days=GRACE_DAYS) < on:
            late.append(replace(one, amount_minor=-rest))
    return tuple(late)


def contact_stops(life: Life) -> bool:
    """Whether collection from the borrower on the debts of the plan stops: once it is signed, as long as it is kept.

    CN-CARD-070 for cards; for the others the plan itself says so.
    """
    return life.status == "running"


def record(life: Life) -> dict[str, Any]:
    """A plan and how it stands, as plain data: what `evenkeel plan status --json` and `/v1/plans` tell."""
    told: dict[str, Any] = msgspec.to_builtins(
        {
            "plan_id": life.plan_id, "status": life.status, "kept_by": life.lender_id,
            "borrower_id": life.borrower_id, "consents": dict(life.consents), "signed_by": life.signed_by,
            "signed_on": life.signed_on, "signature": life.signature, "paid_minor": life.paid_minor,
            "payments": dict(life.payments), "reversals": dict(life.reversals), "left_minor": life.left_minor,
            "missed": list(life.missed), "replaces": life.replaces,
            "replaced_by": life.replaced_by, "questions": list(life.questions),
            "contact_stops": contact_stops(life), "plan": dict(life.document),
        }
    )  # fmt: skip
    return told


def digest(document: Mapping[str, Any]) -> str:
    """The hash of a plan as proposed."""
    return hashlib.sha256(msgspec.json.encode(document, order="sorted")).hexdigest()


def _waits(life: Life, debt_id: str) -> None:
    if debt_id not in life.consents:
        raise NotFound(f"The debt {debt_id} is not in the plan.", f"In it are: {', '.join(sorted(life.consents))}.")
    said = life.consents[debt_id]
    if life.status != "proposed":
        raise Conflict(
            f"The plan {life.plan_id} is {life.status}: it waits for no answers.",
            "Make it again (`replan`) to ask its creditors for something else.",
        )
    if said.status == "consented":
        raise Conflict(
            f"{life.creditors[debt_id]} has agreed to its part for {debt_id}, through {said.by} on {said.on}.",
            "What was agreed stays; make the plan again (`replan`) to change it.",
        )


def _months(late: Sequence[Instalment], creditor: str) -> int:
    """How many instalments of a creditor are missed; those of one day, for several debts, are one."""
    return len({one.due_on for one in late if one.creditor == creditor})


def _plain(one: Instalment) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(one)
    return plain


# ---- What facts do -------------------------------------------------------------------------------------------------


def _begun(plan_id: str, payload: Mapping[str, Any]) -> Life:
    plan = payload["plan"]
    creditors = {one["debt_id"]: one["id"] for one in plan["creditors"]}
    instalments = tuple(
        Instalment(row["id"], creditors[row["id"]], date.fromisoformat(row["due_on"]), int(row["amount_minor"]))
        for row in plan["schedule"]
    )
    return Life(
        plan_id, payload["lender_id"], payload.get("borrower_id"), payload["case"], plan, instalments,
        {one["debt_id"]: int(one["asked"]["waived_minor"]) for one in plan["creditors"]}, creditors,
        dict.fromkeys(creditors, Consent()), seen_on=date.fromisoformat(payload["case"]["as_of"]),
        replaces=payload.get("replaces"), questions=tuple(Question(**one) for one in payload.get("questions", ())),
    )  # fmt: skip


def _consented(life: Life, payload: Mapping[str, Any]) -> Life:
    given = Consent(
        "consented", payload["by"], payload.get("role"), date.fromisoformat(payload["on"]), payload["approved_minor"]
    )
    consents = {**life.consents, payload["debt_id"]: given}
    agreed = all(one.status == "consented" for one in consents.values())
    return replace(life, consents=consents, status="agreed" if agreed else life.status)


def _answered(status: str) -> Any:
    def after(life: Life, payload: Mapping[str, Any]) -> Life:
        said = Consent(
            status, payload["by"], None, date.fromisoformat(payload["on"]), why=str(payload.get("why", "")),
            policy=payload.get("policy"), only=bool(payload.get("only")),
        )  # fmt: skip
        return replace(life, consents={**life.consents, payload["debt_id"]: said})

    return after


def _signed(life: Life, payload: Mapping[str, Any]) -> Life:
    on = date.fromisoformat(payload["on"])
    instalments = tuple(replace(one, due_on=max(one.due_on, on)) for one in life.instalments)
    return replace(
        life, status="running", signed_by=payload["by"], signed_on=on, signature=payload["sha256"],
        instalments=instalments,
    )  # fmt: skip


def _paid(life: Life, payload: Mapping[str, Any]) -> Life:
    paid = Payment(payload["debt_id"], int(payload["amount_minor"]), date.fromisoformat(payload["on"]))
    return replace(life, payments={**life.payments, payload["told_by"]: paid})


def _taken_back(life: Life, payload: Mapping[str, Any]) -> Life:
    counted = {told_by: one for told_by, one in life.payments.items() if told_by != payload["told_by"]}
    life = replace(life, payments=counted)
    return replace(life, status="running") if life.status == "completed" and life.left_minor else life


def _reversed(life: Life, payload: Mapping[str, Any]) -> Life:
    told_by, paid = payload["told_by"], life.payments[payload["told_by"]]
    reversal = Reversal(paid.debt_id, paid.amount_minor, date.fromisoformat(payload["on"]), str(payload["why"]))
    return _taken_back(replace(life, reversals={**life.reversals, told_by: reversal}), payload)


def _missed(life: Life, payload: Mapping[str, Any]) -> Life:
    missed = tuple(
        Instalment(one["debt_id"], one["creditor"], date.fromisoformat(one["due_on"]), one["amount_minor"])
        for one in payload["missed"]
    )
    return replace(life, missed=missed, status="late" if missed else "running")


_AFTER: Mapping[str, Any] = {
    "consented": _consented,
    "refused": _answered("refused"),
    "countered": _answered("countered"),
    "signed": _signed,
    "paid": _paid,
    "taken_back": _taken_back,
    "reversed": _reversed,
    "missed": _missed,
    "caught_up": _missed,
    "broken": lambda life, payload: replace(_missed(life, payload), status="broken"),
    "completed": lambda life, payload: replace(life, status="completed", missed=()),
    "replaced": lambda life, payload: replace(life, status="replaced", replaced_by=payload["by_plan"]),
}


def numbered(plan_id: str, number: int) -> str:
    """The id of a plan's fact."""
    return f"{plan_id}:{number}"


def happened(on: date, number: int, moment: datetime) -> datetime:
    """When what happened on a day is taken to have happened, which is not known: now if that is the day, else at its
    noon, and what a plan tells of it later a little later, as the newest of two events says what is in force."""
    if moment.date() <= on:
        return moment
    noon = moment.replace(year=on.year, month=on.month, day=on.day, hour=12, minute=0, second=0, microsecond=0)
    return noon + timedelta(milliseconds=number)
