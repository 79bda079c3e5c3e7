"""All that can be asked of the service, as one table: routing, checks and description are made from it."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
import sqlalchemy as sa
from msgspec import Meta, Struct

from evenkeel.api import casework, contacting, planning
from evenkeel.api.openapi import Call, Operation, Parameter, document
from evenkeel.arrears.law import RuleBook
from evenkeel.decisions.moving.reviewing import Reviewer
from evenkeel.decisions.moving.rules import Asked, MovingRules, Outcome
from evenkeel.decisions.moving.service import Limits
from evenkeel.decisions.requests import Application, Decision, Event, Id, Instant, Limit, Purchase, Recorded, Word
from evenkeel.decisions.review.queue import OUTCOMES, REASONS, Queue, Review, Verdict
from evenkeel.decisions.review.service_level import ReviewRules
from evenkeel.decisions.views import Borrower, DecisionOnRecord, Line, Views
from evenkeel.kernel.ids import content_id
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Journal

IdempotencyKey = Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.:\-]{1,64}$", min_length=1, max_length=64)]
_Place = Annotated[int, Meta(ge=0, le=2**63 - 1)]
_Page = Annotated[int, Meta(ge=1, le=200)]


class Move(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A limit is asked to be moved. factor_thousandths: of the limit as it is, with raise and lower; 1000 leaves it.

    reasons: the policy's codes. facts_at: the newest fact behind it; older ones than an hour move nothing.
    """

    outcome: Literal["raise", "thaw", "keep", "lower", "freeze", "refer"]
    factor_thousandths: Annotated[int, Meta(ge=0, le=10_000)] = 1000
    reasons: Annotated[list[Word], Meta(min_length=1, max_length=3)]
    facts_at: Instant


class Moved(Struct, frozen=True):
    """What became of it: what the rules allow. reasons: those given, then those of the rules that held it back.

    after_minor: null where the limit is not known. effective_on: from when on.
    """

    move_id: str
    outcome: str
    after_minor: int | None
    effective_on: str | None
    reasons: list[str]


class Taking(Struct, frozen=True, forbid_unknown_fields=True):
    """by: the person who takes the review, or gives it back."""

    by: Id


class Deciding(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A person's decision. amount_minor: with approve_less, what is granted; of a raise, the limit after it.
    note: without a number of a person. A move of a limit that is approved is made at once, as far as rules allow."""

    by: Id
    outcome: Literal[OUTCOMES]  # type: ignore[valid-type]
    reasons: Annotated[list[Literal[REASONS]], Meta(min_length=1, max_length=4)]  # type: ignore[valid-type]
    amount_minor: Annotated[int, Meta(ge=1, le=10**12)] | None = None
    note: Annotated[str, Meta(max_length=1000)] = ""


class ReviewPage(Struct, frozen=True):
    """Reviews in the order in which they were referred. next: the `after` of the page behind, null at the end."""

    reviews: list[Review]
    next: int | None


class Standing(Struct, frozen=True):
    """That the service is there."""

    status: Literal["ok"] = "ok"


class Challenging(Struct, frozen=True):
    """A policy that decides on a share of borrowers, in millionths; with it decide `deciders`."""

    deciders: str
    policy: str
    share_ppm: int


class Health(Struct, frozen=True):
    """That the service is there, and what decides in the process that answers. policies, challengers: versions, by what
    they decide."""

    deciders: str
    policies: dict[str, str]
    challengers: dict[str, Challenging]
    status: Literal["ok"] = "ok"


@dataclass(frozen=True, slots=True)
class Service:
    """What the operations work on. Each of them is one call of a room below, and runs off the event loop."""

    journal: Journal
    zone: ZoneInfo
    review_rules: ReviewRules
    moving_rules: MovingRules
    reviewer: Reviewer
    contact_rules: RuleBook
    jurisdiction: str  # where the debtors live

    def decision(self, call: Call) -> DecisionOnRecord:
        """A decision of the caller."""
        return self._views(call).decision(call.given["decision_id"])

    def limit(self, call: Call) -> Line:
        """A line of the caller."""
        return self._views(call).line(call.given["account_id"])

    def borrower(self, call: Call) -> Borrower:
        """A borrower of the caller."""
        return self._views(call).borrower(call.given["borrower_id"])

    def move(self, call: Call) -> Moved:
        """A limit is moved, once for each key.

        The move is kept by itself; should the process end before the reply is, the same key finds the move.
        """
        asked, account_id, key = call.body, call.given["account_id"], call.given["idempotency-key"]
        limits = Limits(self.journal, self.moving_rules, call.lender_id)

        def act(_: object) -> dict[str, object]:
            applied = limits.move(
                account_id, Asked(Outcome(asked.outcome), asked.factor_thousandths), asked.reasons, key=key,
                by=f"key {call.key_id}", facts_at=asked.facts_at,
            )  # fmt: skip
            told: dict[str, object] = msgspec.to_builtins(applied)
            return told

        once = content_id("limits", call.lender_id, key)
        body = {"account_id": account_id, **msgspec.to_builtins(asked)}
        return msgspec.convert(self.journal.once(once, body, act).value, Moved)

    def review_limit(self, call: Call) -> Decision:
        """A limit is reviewed, as events have it reviewed; once for each key."""
        asked = msgspec.structs.replace(
            call.body, lender_id=call.lender_id, key=call.given["idempotency-key"], because=None
        )
        return msgspec.json.decode(self.reviewer.review(asked) or b"", type=Decision)

    def reviews(self, call: Call) -> ReviewPage:
        """A page of the caller's reviews."""
        most = call.given.get("most", 50)
        found = self._queue(call).waiting(
            after=call.given.get("after", 0), most=most, closed=call.given.get("closed", False)
        )
        return ReviewPage(found, found[-1].place if len(found) == most else None)

    def review(self, call: Call) -> Review:
        """A review of the caller."""
        return self._queue(call).one(call.given["decision_id"])

    def claim(self, call: Call) -> Review:
        """A review is taken."""
        return self._queue(call).claim(call.given["decision_id"], call.body.by)

    def release(self, call: Call) -> Review:
        """A review is given back."""
        return self._queue(call).release(call.given["decision_id"], call.body.by)

    def decide(self, call: Call) -> Review:
        """A review is decided."""
        said = call.body
        verdict = Verdict(said.outcome, tuple(said.reasons), said.note, said.amount_minor)
        return self._queue(call).decide(call.given["decision_id"], said.by, verdict)

    def ready(self, _: Call) -> Standing:
        """Whether the database answers."""
        with transaction(self.journal.engine) as connection:
            connection.execute(sa.text("SELECT 1"))
        return Standing()

    def health(self, _: Call) -> Health:
        """That the process answers, and by what it decides."""
        return msgspec.convert(self.reviewer.arms().document(), Health)

    def openapi(self, _: Call) -> dict[str, Any]:
        """The description of all operations."""
        return document(OPERATIONS)

    def _views(self, call: Call) -> Views:
        return Views(self.journal, call.lender_id, self.zone)

    def _queue(self, call: Call) -> Queue:
        return Queue(self.journal, self.review_rules, call.lender_id, self.reviewer)


_KEY = Parameter("Idempotency-Key", "header", IdempotencyKey, "The same for every attempt at one request.", True)
_DECISION = Parameter("decision_id", "path", Id, "The id in the answer to the request.", True)
_ACCOUNT = Parameter("account_id", "path", Id, "The account, by the lender's own id.", True)
_BORROWER = Parameter("borrower_id", "path", Id, "The borrower, by the lender's own id.", True)
_PAGES = (
    Parameter("after", "query", _Place, "`next` of the page before."),
    Parameter("most", "query", _Page, "How many; 50 if left out."),
    Parameter("closed", "query", bool, "Decided reviews too."),
)
_MISSING = (HTTPStatus.NOT_FOUND,)
_CLASHES = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)

OPERATIONS: tuple[Operation, ...] = (
    Operation("POST", "/v1/decisions", "decide", "May this much be granted?", "decide", Application, Decision,
              parameters=(_KEY,), problems=(HTTPStatus.CONFLICT,)),
    Operation("POST", "/v1/authorisations", "authorise", "May this be bought on this line now?", "decide", Purchase,
              Decision, parameters=(_KEY,), problems=_CLASHES),
    Operation("POST", "/v1/events", "record", "Something that happened to a borrower.", "events", Event, Recorded,
              parameters=(_KEY,), problems=_CLASHES),
    Operation("GET", "/v1/decisions/{decision_id}", "get_decision", "A decision as it was answered.", "read",
              reply=DecisionOnRecord, parameters=(_DECISION,), problems=_MISSING, act=Service.decision),
    Operation("GET", "/v1/limits/{account_id}", "get_limit", "A line as it stands today.", "read", reply=Line,
              parameters=(_ACCOUNT,), problems=_MISSING, act=Service.limit),
    Operation("POST", "/v1/limits", "review_limit", "What should the limit of this line be now?", "limits", Limit,
              Decision, parameters=(_KEY,), problems=_CLASHES, act=Service.review_limit),
    Operation("POST", "/v1/limits/{account_id}", "move_limit", "Move a limit as far as the rules allow.", "limits",
              Move, Moved, parameters=(_KEY, _ACCOUNT), problems=_CLASHES, act=Service.move),
    Operation("GET", "/v1/borrowers/{borrower_id}", "get_borrower", "A borrower's lines, grants and decisions.", "read",
              reply=Borrower, parameters=(_BORROWER,), problems=_MISSING, act=Service.borrower),
    Operation("GET", "/v1/reviews", "list_reviews", "Decisions that wait for a person.", "review", reply=ReviewPage,
              parameters=_PAGES, act=Service.reviews),
    Operation("GET", "/v1/reviews/{decision_id}", "get_review", "One review.", "review", reply=Review,
              parameters=(_DECISION,), problems=_MISSING, act=Service.review),
    Operation("POST", "/v1/reviews/{decision_id}/claim", "claim_review", "Take a review for half an hour.", "review",
              Taking, Review, parameters=(_DECISION,), problems=_CLASHES, act=Service.claim),
    Operation("POST", "/v1/reviews/{decision_id}/release", "release_review", "Give a review back.", "review", Taking,
              Review, parameters=(_DECISION,), problems=_CLASHES, act=Service.release),
    Operation("POST", "/v1/reviews/{decision_id}/decide", "decide_review", "Decide a review that one has taken.",
              "review", Deciding, Review, parameters=(_DECISION,), problems=_CLASHES, act=Service.decide),
    *planning.OPERATIONS,
    *contacting.operations(_KEY),
    *casework.operations(_KEY),
    Operation("GET", "/v1/openapi.json", "get_openapi", "This description.", None, reply=dict[str, Any],
              act=Service.openapi),
    Operation("GET", "/health", "get_health", "The process answers, and what decides in it.", None, reply=Health,
              act=Service.health),
    Operation("GET", "/ready", "get_ready", "The database answers, and requests are taken.", None, reply=Standing,
              problems=(HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE), act=Service.ready),
    Operation("GET", "/metrics", "get_metrics", "Counts for Prometheus, from this machine only.", None,
              problems=_MISSING),
)  # fmt: skip
