"""Cases over HTTP: the worklist, one case and its story, acts, agencies; each operation one call of `arrears.cases`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Literal, Protocol

from msgspec import Meta, Struct

from evenkeel.api.openapi import Call, Operation, Parameter
from evenkeel.arrears.cases.acts import ACTS
from evenkeel.arrears.cases.agencies import Agency, HandOver
from evenkeel.arrears.cases.outsourcing import Batched, Outsourcing, Paid
from evenkeel.arrears.cases.ranking import SKILLS
from evenkeel.arrears.cases.reading import next_of, one, worklist
from evenkeel.arrears.cases.service import Cases
from evenkeel.arrears.cases.views import CasePage, CaseRow, CaseView, Done
from evenkeel.arrears.law import RuleBook
from evenkeel.decisions.requests import Id
from evenkeel.decisions.review.service_level import ReviewRules
from evenkeel.storage.journal import Journal

SCOPE = "cases"
_Skill = Literal[SKILLS]  # type: ignore[valid-type]
_Page = Annotated[int, Meta(ge=1, le=200)]
_Place = Annotated[str, Meta(max_length=120, pattern=r"^-?(?:inf|[0-9.e+-]{1,40})~[A-Za-z0-9-]{1,64}$(?!\n)")]
_Language = Literal["en", "zh"]


class Service(Protocol):
    """What the operations work on."""

    @property
    def journal(self) -> Journal:
        """The record."""

    @property
    def contact_rules(self) -> RuleBook:
        """The law."""

    @property
    def jurisdiction(self) -> str:
        """Where the debtors live."""

    @property
    def review_rules(self) -> ReviewRules:
        """When people work."""


class Opening(Struct, frozen=True, forbid_unknown_fields=True):
    """by: who has the case opened."""

    borrower_id: Id
    by: Id


class Holding(Struct, frozen=True, forbid_unknown_fields=True):
    """by: the person who takes the case, or gives it back."""

    by: Id


class Taken(Struct, frozen=True, forbid_unknown_fields=True):
    """by: who asks for work. skills: what they can do; all, where it is left out."""

    by: Id
    skills: Annotated[list[_Skill], Meta(min_length=1, max_length=6)] | None = None


class Next(Struct, frozen=True):
    """The case that was taken; null where nothing waits."""

    case: CaseRow | None


class AgencyTold(Struct, frozen=True, forbid_unknown_fields=True):
    """What is known of an agency from now on. by: who says so."""

    agency: Agency
    by: Id


class AgencyList(Struct, frozen=True):
    """The agencies of the lender."""

    agencies: list[Agency]


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """Cases that go to an agency together. batch: its name; the same again goes on where it ended."""

    cases: Annotated[list[Id], Meta(min_length=1, max_length=200)]
    batch: Id
    by: Id


class BatchDone(Struct, frozen=True):
    """What became of each."""

    cases: list[Batched]


def _cases(service: Service, call: Call) -> Cases:
    return Cases(
        service.journal, call.lender_id, service.contact_rules, service.jurisdiction, service.review_rules.working,
        language=call.given.get("lang", "en"),
    )  # fmt: skip


def _list(service: Service, call: Call) -> CasePage:
    given = call.given
    skill = given.get("skill")
    return worklist(
        _cases(service, call), after=given.get("after"), most=given.get("most", 50),
        skills=None if skill is None else [skill], agency_id=given.get("agency_id"),
        closed=given.get("closed", False), free=given.get("free", False), full=given.get("full", False),
    )  # fmt: skip


def _open(service: Service, call: Call) -> CaseRow:
    return _cases(service, call).open(call.body.borrower_id, call.body.by)


def _get(service: Service, call: Call) -> CaseView:
    return one(_cases(service, call), call.given["case_id"])


def _claim(service: Service, call: Call) -> CaseRow:
    return _cases(service, call).claim(call.given["case_id"], call.body.by)


def _release(service: Service, call: Call) -> CaseRow:
    return _cases(service, call).release(call.given["case_id"], call.body.by)


def _next(service: Service, call: Call) -> Next:
    return Next(next_of(_cases(service, call), call.body.by, call.body.skills))


def _act(name: str) -> Callable[[Service, Call], Done]:
    def act(service: Service, call: Call) -> Done:
        cases, key = _cases(service, call), call.given["idempotency-key"]
        if name == "assign":
            return Outsourcing(cases).assign(call.given["case_id"], call.body, key)
        return cases.act(call.given["case_id"], call.body, key)

    return act


def _hand_over(service: Service, call: Call) -> HandOver:
    return Outsourcing(_cases(service, call)).hand_over(call.given["case_id"])


def _agencies(service: Service, call: Call) -> AgencyList:
    return AgencyList(list(Outsourcing(_cases(service, call)).known().values()))


def _tell_agency(service: Service, call: Call) -> Agency:
    outsourcing = Outsourcing(_cases(service, call))
    outsourcing.tell(call.body.agency, call.body.by)
    return outsourcing.one(call.body.agency.agency_id)


def _batch(service: Service, call: Call) -> BatchDone:
    body = call.body
    found = Outsourcing(_cases(service, call)).batch(body.cases, call.given["agency_id"], body.by, body.batch)
    return BatchDone(found)


def _conduct(service: Service, call: Call) -> Paid:
    given = call.given
    return Outsourcing(_cases(service, call)).judged(given["agency_id"], given["begin"], given["end"])


_CASE = Parameter("case_id", "path", Id, "The id of the case.", True)
_AGENCY = Parameter("agency_id", "path", Id, "The agency, by the lender's own id.", True)
_LANG = Parameter("lang", "query", _Language, "Of sentences; en if left out.")
_PAGES = (
    Parameter("after", "query", _Place, "`next` of the page before."),
    Parameter("most", "query", _Page, "How many; 50 if left out."),
    Parameter("skill", "query", _Skill, "Only cases that need it."),
    Parameter("agency_id", "query", Id, "Only cases that this agency has."),
    Parameter("closed", "query", bool, "Closed cases too."),
    Parameter("free", "query", bool, "Only cases that nobody has claimed."),
    Parameter("full", "query", bool, "With the next lawful contact, and what cannot be done now."),
)
_DAYS = (
    Parameter("begin", "query", date, "The first day.", True),
    Parameter("end", "query", date, "The last day.", True),
)
_MISSING = (HTTPStatus.NOT_FOUND,)
_CLASHES = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


def operations(key: Parameter) -> tuple[Operation, ...]:
    """The operations of `/v1/cases`, `/v1/worklist` and `/v1/agencies`. key: of one attempt."""
    found: list[Operation] = [
        Operation("GET", "/v1/cases", "list_cases", "Open cases, what is worth most a minute first.", SCOPE,
                  reply=CasePage, parameters=_PAGES, act=_list),
        Operation("POST", "/v1/cases", "open_case", "The open case of a borrower; opened now if something is late.",
                  SCOPE, Opening, CaseRow, problems=_CLASHES, act=_open),
        Operation("POST", "/v1/worklist/claim", "claim_next", "Take the first case that nobody works on.", SCOPE,
                  Taken, Next, act=_next),
        Operation("GET", "/v1/cases/{case_id}", "get_case", "A case in full, with its story.", SCOPE, reply=CaseView,
                  parameters=(_CASE, _LANG), problems=_MISSING, act=_get),
        Operation("POST", "/v1/cases/{case_id}/claim", "claim_case", "Take a case for half an hour.", SCOPE, Holding,
                  CaseRow, parameters=(_CASE,), problems=_CLASHES, act=_claim),
        Operation("POST", "/v1/cases/{case_id}/release", "release_case", "Give a case back.", SCOPE, Holding, CaseRow,
                  parameters=(_CASE,), problems=_CLASHES, act=_release),
        Operation("GET", "/v1/cases/{case_id}/hand-over", "get_hand_over", "What goes with a case to its agency.",
                  SCOPE, reply=HandOver, parameters=(_CASE,), problems=_CLASHES, act=_hand_over),
        Operation("GET", "/v1/agencies", "list_agencies", "The agencies that are known.", SCOPE, reply=AgencyList,
                  act=_agencies),
        Operation("POST", "/v1/agencies", "tell_agency", "What is known of an agency from now on.", SCOPE, AgencyTold,
                  Agency, act=_tell_agency),
        Operation("POST", "/v1/agencies/{agency_id}/cases", "assign_batch", "Give an agency many cases.", SCOPE, Batch,
                  BatchDone, parameters=(_AGENCY,), problems=_CLASHES, act=_batch),
        Operation("GET", "/v1/agencies/{agency_id}/conduct", "judge_agency", "How an agency behaved, and its pay.",
                  SCOPE, reply=Paid, parameters=(_AGENCY, *_DAYS), problems=_MISSING, act=_conduct),
    ]  # fmt: skip
    for name, kind in ACTS.items():
        found.append(_of_act(name, kind, key))
    return tuple(found)


def _of_act(name: str, kind: Any, key: Parameter) -> Operation:
    summary = f"{kind.__doc__.split('.')[0]}."
    return Operation(
        "POST", f"/v1/cases/{{case_id}}/{name}", f"case_{name.replace('-', '_')}", summary, SCOPE, kind, Done,
        parameters=(key, _CASE), problems=_CLASHES, act=_act(name),
    )  # fmt: skip
