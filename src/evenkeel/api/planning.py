"""Plans over HTTP: the operations of `/v1/plans`, each one call of repayment."""

from __future__ import annotations

from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Literal, Protocol

import msgspec
from msgspec import Meta, Struct

from evenkeel.api.openapi import Call, Operation, Parameter
from evenkeel.decisions.requests import Id
from evenkeel.kernel.errors import InvalidInput
from evenkeel.learning.lesson import Lesson
from evenkeel.repayment.case import Case, Policy
from evenkeel.repayment.document import document, plan_document
from evenkeel.repayment.facts.reading import case_of
from evenkeel.repayment.lesson import shown_lesson
from evenkeel.repayment.life.life import Life, record
from evenkeel.repayment.life.plans import Plans
from evenkeel.repayment.planning import plan_of
from evenkeel.storage.journal import Journal

MOST_BYTES = 262_144  # a case of many debts and payments
_MOST_DEBTS = 60
Name = Literal["cheapest", "soonest", "safest", "fewest", "balanced"]


class Planning(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A case to plan for. propose: put the plan of this name on record, on behalf of `by`. language: of the lesson."""

    case: Case
    propose: Name | None = None
    by: Id | None = None
    language: Literal["en", "zh"] = "en"


class PlanOnRecord(Struct, frozen=True):
    """A plan and how it stands. plan: as it was proposed. kept_by: the lender that put it on record. consents: by debt.
    payments: that count, by their ids; reversals: of those that did not hold, by the same. replaces, replaced_by: the
    plan in whose place it was made, and that which took its own. questions: what was not known of the household when it
    was made again. contact_stops: whether nobody may collect from the borrower on its debts."""

    plan_id: str
    status: str
    kept_by: str
    borrower_id: str | None
    consents: dict[str, dict[str, Any]]
    signed_by: str
    signed_on: date | None
    signature: str
    paid_minor: dict[str, int]
    payments: dict[str, dict[str, Any]]
    reversals: dict[str, dict[str, Any]]
    left_minor: int
    missed: list[dict[str, Any]]
    replaces: str | None
    replaced_by: str | None
    questions: list[dict[str, Any]]
    contact_stops: bool
    plan: dict[str, Any]


class PlansFound(Struct, frozen=True):
    """What became of a case: the document of `evenkeel plan --json`, and the plan that was put on record. lesson:
    beside that plan, else the balanced one; null without a plan, or where a borrower on record is shown none."""

    planned: dict[str, Any]
    proposed: PlanOnRecord | None
    lesson: Lesson | None


class Answer(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What a creditor says to a plan. role: in which it agrees, as only some may waive. policy: with counter, the terms
    that it would take. only: a refusal or counter-offer for this debt alone, not for all that the creditor holds."""

    debt_id: Id
    answer: Literal["consent", "refuse", "counter"]
    by: Id
    on: date
    role: Id | None = None
    why: Annotated[str, Meta(max_length=1000)] = ""
    policy: Policy | None = None
    only: bool = False


class Signature(Struct, frozen=True, forbid_unknown_fields=True):
    """The borrower signs a plan that all creditors agreed to."""

    by: Id
    on: date


class Paid(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Money that a creditor got. reference: the payment's own id, so that none counts twice."""

    debt_id: Id
    amount_minor: Annotated[int, Meta(ge=1, le=10**13)]
    on: date
    reference: Id


class Reversed(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """Money that a creditor got did not hold: it bounced, or was charged back. reference: the id of the payment."""

    reference: Id
    on: date
    why: Annotated[str, Meta(max_length=1000)] = ""


class Looking(Struct, frozen=True, forbid_unknown_fields=True):
    """The day on which a plan is looked at: what was missed, caught up, broken or completed by then."""

    on: date


class Replanning(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A plan is made again. case: the household as it is now. name: which plan; without it that which changes least."""

    by: Id
    on: date
    case: Case | None = None
    name: Name | None = None


class Service(Protocol):
    """What the operations work on."""

    @property
    def journal(self) -> Journal:
        """The record."""


def _plans(service: Service, call: Call) -> Plans:
    return Plans(service.journal, call.lender_id)


def _record(life: Life) -> PlanOnRecord:
    return msgspec.convert(record(life), PlanOnRecord)


def _checked(case: Case) -> Case:
    """A case whose facts are held against each other, as one from a file is."""
    if len(case.debts) > _MOST_DEBTS:
        raise InvalidInput(f"The case has {len(case.debts)} debts.", f"Over HTTP a case has at most {_MOST_DEBTS}.")
    return case_of(msgspec.to_builtins(case), lambda path: f"`{path}`" if path else "The case")


def _make(service: Service, call: Call) -> PlansFound:
    asked: Planning = call.body
    case = _checked(asked.case)
    planned = plan_of(case)
    proposed = None
    if asked.propose is not None:
        if asked.by is None:
            raise InvalidInput("A plan is proposed by somebody.", "Say who in `by`.")
        proposed = _record(_plans(service, call).propose(case, asked.propose, asked.by, planned))
    plan = planned.plan(asked.propose or "balanced")
    known = case.borrower_id is not None and service.journal.knows(case.borrower_id)
    told = None if plan is None else plan_document(planned, plan)
    lesson = shown_lesson(service.journal if known else None, case, told, asked.language)
    return PlansFound(document(planned), proposed, lesson)


def _get(service: Service, call: Call) -> PlanOnRecord:
    return _record(_plans(service, call).life(call.given["plan_id"]))


def _answer(service: Service, call: Call) -> PlanOnRecord:
    plans, plan_id, said = _plans(service, call), call.given["plan_id"], call.body
    if said.answer == "consent":
        return _record(plans.consent(plan_id, said.debt_id, said.by, said.role, said.on))
    if said.answer == "refuse":
        return _record(plans.refuse(plan_id, said.debt_id, said.by, said.why, said.on, said.only))
    if said.policy is None:
        raise InvalidInput("A counter-offer names its terms.", "Give them in `policy`.")
    return _record(plans.counter(plan_id, said.debt_id, said.by, said.policy, said.on, said.only))


def _sign(service: Service, call: Call) -> PlanOnRecord:
    return _record(_plans(service, call).sign(call.given["plan_id"], call.body.by, call.body.on))


def _pay(service: Service, call: Call) -> PlanOnRecord:
    paid: Paid = call.body
    plans = _plans(service, call)
    return _record(plans.pay(call.given["plan_id"], paid.debt_id, paid.amount_minor, paid.on, paid.reference))


def _reverse(service: Service, call: Call) -> PlanOnRecord:
    told: Reversed = call.body
    return _record(_plans(service, call).reverse(call.given["plan_id"], told.reference, told.why, told.on))


def _look(service: Service, call: Call) -> PlanOnRecord:
    return _record(_plans(service, call).look(call.given["plan_id"], call.body.on))


def _replan(service: Service, call: Call) -> PlanOnRecord:
    asked: Replanning = call.body
    case = None if asked.case is None else _checked(asked.case)
    return _record(_plans(service, call).replan(call.given["plan_id"], asked.on, asked.by, case, asked.name))


_PLAN = Parameter("plan_id", "path", Id, "The id that a proposal gives.", True)
_CLASHES = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

OPERATIONS: tuple[Operation, ...] = (
    Operation("POST", "/v1/plans", "make_plans", "Plans over all debts of a household, or why there is none.", "plans",
              Planning, PlansFound, problems=(HTTPStatus.CONFLICT,), act=_make, most_bytes=MOST_BYTES),
    Operation("GET", "/v1/plans/{plan_id}", "get_plan", "A plan on record, and how it stands.", "plans",
              reply=PlanOnRecord, parameters=(_PLAN,), problems=(HTTPStatus.NOT_FOUND,), act=_get),
    Operation("POST", "/v1/plans/{plan_id}/answers", "answer_plan", "What a creditor says to a plan.", "plans", Answer,
              PlanOnRecord, parameters=(_PLAN,), problems=_CLASHES, act=_answer),
    Operation("POST", "/v1/plans/{plan_id}/signature", "sign_plan", "The borrower signs.", "plans", Signature,
              PlanOnRecord, parameters=(_PLAN,), problems=_CLASHES, act=_sign),
    Operation("POST", "/v1/plans/{plan_id}/payments", "pay_plan", "A creditor got money.", "plans", Paid, PlanOnRecord,
              parameters=(_PLAN,), problems=_CLASHES, act=_pay),
    Operation("POST", "/v1/plans/{plan_id}/reversals", "reverse_payment", "A payment did not hold.", "plans", Reversed,
              PlanOnRecord, parameters=(_PLAN,), problems=_CLASHES, act=_reverse),
    Operation("POST", "/v1/plans/{plan_id}/look", "look_at_plan", "What has become of a plan by a day.", "plans",
              Looking, PlanOnRecord, parameters=(_PLAN,), problems=_CLASHES, act=_look),
    Operation("POST", "/v1/plans/{plan_id}/replan", "replan", "Make a plan again with the least change.", "plans",
              Replanning, PlanOnRecord, parameters=(_PLAN,), problems=_CLASHES, act=_replan, most_bytes=MOST_BYTES),
)  # fmt: skip
