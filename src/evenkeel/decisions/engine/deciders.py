"""All that decides, as one version: features, model and policies; and what they say of a batch of requests.

A pure function of requests, feature values and situations: the hot path, the batch twin and replay call the same.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cached_property, lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import numpy.typing as npt

from evenkeel.behaviour.definitions import Definitions, Entity, read_definitions
from evenkeel.behaviour.online import Online, online
from evenkeel.decisions.assessment.assess import USUAL, Norms
from evenkeel.decisions.assessment.forgery import SIGNS, judge
from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.buying import DECLINES, READ, TOLD, told_of_purchases
from evenkeel.decisions.engine.card import FlatCard, flat_card, side_by_side
from evenkeel.decisions.engine.position import OPEN
from evenkeel.decisions.requests import Application, Purchase
from evenkeel.policy.program import Program, ProgramInput, Verdict, load_program
from evenkeel.scoring.scorecard import Scorecard

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[Any]]
Asked = Purchase | Application

MOST_REASONS = 4
NIGHT_ENDS = 6  # o'clock
_STAGE, _FROZEN, _AVAILABLE, _CAP, _EXPOSURE, _WATCHED = (
    situation.PLACE[name]
    for name in (
        "stage", "frozen", "available_minor", "cap_minor", "exposure_group_minor", "watched",
    )
)  # fmt: skip
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER_US = 900_000_000


@lru_cache(maxsize=4096)
def _day_and_hour(zone: ZoneInfo, quarter: int) -> tuple[int, int]:
    """Day, as an ordinal, and hour in a zone, of a quarter of an hour counted from 1970: no zone changes within one."""
    local = (_EPOCH + timedelta(microseconds=quarter * _QUARTER_US)).astimezone(zone)
    return local.toordinal(), local.hour


class Ruling(msgspec.Struct, frozen=True, gc=False):
    """What is decided of one request. amount_minor: 0 unless it is favourable. row: the place of the deciding table's
    row that fired, -1 where none did or several may have."""

    outcome: str
    reasons: tuple[str, ...]
    amount_minor: int
    row: int


@dataclass(frozen=True)
class Deciders:
    """What decides, as texts and numbers; nothing else is needed to decide the same again.

    features_text: definitions of features. own_lenders: the group whose view this is. authorisation_text, grant_text:
    policies, DMN. zone: of business days and nights. group_cap_minor: what all lines and grants of one borrower may
    come to. limit_text: the policy of limits, DMN, and moving_text: the rules that its moves are held to, JSON; None
    where limits are not reviewed. norms: what applications are held against; None for what decided before they were
    held against anything, when requests told what was found out.
    """

    features_text: str
    own_lenders: frozenset[str]
    model: Scorecard
    authorisation_text: str
    grant_text: str
    zone: ZoneInfo
    group_cap_minor: int
    limit_text: str | None = None
    moving_text: str | None = None
    norms: Norms | None = USUAL

    @cached_property
    def version(self) -> str:
        """The hash of the versions of all parts."""
        return "deciders-" + hashlib.sha256(self.content.encode()).hexdigest()[:16]

    @cached_property
    def content(self) -> str:
        """The versions of all parts, as canonical JSON."""
        parts = {
            "authorisation": self._authorisation.version, "features": self._definitions.version,
            "grant": self._grant.version, "group_cap_minor": self.group_cap_minor, "model": self.model.version,
            "own_lenders": sorted(self.own_lenders), "zone": self.zone.key,
        }  # fmt: skip
        if self.norms is not None:
            parts["norms"] = self.norms.version
        if self.limits is not None and self.moving_text is not None:
            parts |= {"limit": self.limits.version, "moving": _moving_version(self.moving_text)}
        return json.dumps(parts, sort_keys=True, separators=(",", ":"))

    def artefacts(self) -> list[tuple[str, str, str]]:
        """Version, kind and content of everything, to be kept with the record; the whole comes last."""
        model = json.dumps(self.model.document(), sort_keys=True, ensure_ascii=False)
        norms = [] if self.norms is None else [(self.norms.version, "norms", json.dumps(self.norms.document()))]
        return [
            *norms,
            (self._definitions.version, "features", self.features_text),
            (self.model.version, "model", model),
            (self._authorisation.version, "policy", self.authorisation_text),
            (self._grant.version, "policy", self.grant_text),
            *self._of_limits(),
            (self.version, "deciders", self.content),
        ]

    @cached_property
    def _definitions(self) -> Definitions:
        return read_definitions(self.features_text)

    @cached_property
    def features(self) -> Online:
        """The features of a borrower."""
        return online(self._definitions, Entity.BORROWER, self.own_lenders)

    @cached_property
    def _authorisation(self) -> Program:
        return load_program(self.authorisation_text)

    @cached_property
    def _grant(self) -> Program:
        return load_program(self.grant_text)

    @cached_property
    def limits(self) -> Program | None:
        """The policy of limits."""
        return None if self.limit_text is None else load_program(self.limit_text)

    def _of_limits(self) -> list[tuple[str, str, str]]:
        if self.limits is None or self.limit_text is None or self.moving_text is None:
            return []
        return [
            (self.limits.version, "policy", self.limit_text),
            (_moving_version(self.moving_text), "moving", self.moving_text),
        ]

    @property
    def policies(self) -> dict[str, str]:
        """The versions of the policies, by what they decide."""
        found = {"authorisation": self._authorisation.version, "grant": self._grant.version}
        return found if self.limits is None else {**found, "limit": self.limits.version}

    @cached_property
    def _places(self) -> dict[str, int]:
        """The columns of what the model sees: features, then the situation."""
        return {name: place for place, name in enumerate((*self.features.names, *self._read))}

    @property
    def _read(self) -> tuple[str, ...]:
        """The numbers of the situation that are read."""
        return situation.NAMES if self.norms is not None else situation.NAMES[: situation.FIRST]

    @cached_property
    def _bought(self) -> IntArray:
        """The columns that purchases are told from."""
        return np.array([self._places.get(name, -1) for name in READ])

    @cached_property
    def _card(self) -> FlatCard:
        return flat_card(self.model, tuple(self._places))

    def warm(self) -> None:
        """Compile what is compiled at first use, so that no request waits for it with a borrower locked."""
        features = self.features.values([self.features.add(self.features.empty(), [])], np.zeros(1, np.int64))
        row = np.zeros((1, situation.WIDTH), np.int64)
        purchase = Purchase(borrower_id="-", account_id="-", amount_minor=1)
        application = Application(borrower_id="-", product="-", requested_minor=1)
        for request in (purchase, application):
            self.rule([request], np.zeros(1, np.int64), features, row)
        if self.limits is not None:
            self.limits.compile()

    def scored(self, features: FloatArray, situations: IntArray) -> tuple[FloatArray, FloatArray, Columns]:
        """Scores and probabilities of the bad of n rows, (n,) each, and by name the columns that the model sees.

        situations: (n, m), the first m of situation.NAMES.
        """
        matrix = self._matrix(features, situations)
        scores, p = self._card.scores(matrix)
        return scores, p, {name: matrix[:, place] for name, place in self._places.items()}

    def _matrix(self, features: FloatArray, situations: IntArray) -> FloatArray:
        """What the model sees, (n, k); NaN where a row of a situation is too narrow to tell."""
        matrix: FloatArray = side_by_side(features, situations, len(self._read), situation.NULL)
        return matrix

    def day(self, instant_us: int) -> int:
        """The business day of an instant, as an ordinal."""
        return _day_and_hour(self.zone, instant_us // _QUARTER_US)[0]

    def rule(
        self, requests: Sequence[Asked], instants: IntArray, features: FloatArray, situations: IntArray
    ) -> list[Ruling]:
        """The rulings on requests of one kind: n requests, instants (n,), features (n, k), situations (n, m), which may
        be the first m of situation.NAMES."""
        purchases = isinstance(requests[0], Purchase)
        program = self._authorisation if purchases else self._grant
        matrix = self._matrix(features, situations)
        scores, p = self._card.scores(matrix)
        known: Columns = {"score": scores, "pd": p, "stale": np.zeros(len(requests), np.bool_)}
        known |= self._of_purchases(requests, instants, matrix) if purchases else _of_applications(requests, situations)
        if self.norms is not None and not purchases:
            situations = situation.whole(situations)
            known |= self._assessed(requests, situations, matrix, self.norms)
        columns: Columns = {}
        aged: list[str] = []  # what is as of now, and not of an unknown day
        for item in program.inputs:
            name = item.name
            column = known.get(name)
            if column is None and name in self._places:
                column = matrix[:, self._places[name]]
            if column is None:
                columns[name] = _given(requests, item)
                continue
            aged.append(name)
            columns[name] = _objects(column) if name in _TRUTHS and item.type != "boolean" else column
        verdicts = program.verdicts(columns, dict.fromkeys(aged, np.zeros(len(requests))))
        limit = _authorised if purchases else _granted
        return list(map(limit, requests, situations.tolist(), verdicts))

    def _of_purchases(self, requests: Sequence[Asked], instants: IntArray, matrix: FloatArray) -> Columns:
        amounts = np.array([request.amount_minor for request in requests], np.float64)  # type: ignore[union-attr]
        quarters = (instants // _QUARTER_US).tolist()
        hours = {quarter: _day_and_hour(self.zone, quarter)[1] for quarter in set(quarters)}
        told = told_of_purchases(matrix, self._bought, amounts)
        known = dict(zip(TOLD if self.norms is not None else TOLD[:3], told, strict=False))
        night = np.array([hours[quarter] < NIGHT_ENDS for quarter in quarters])
        return known | {"amount_minor": amounts, "night": night}

    def _assessed(self, requests: Sequence[Asked], situations: IntArray, matrix: FloatArray, norms: Norms) -> Columns:
        """Of applications: what is known of the applicant, from the numbers of the situation alone.

        Whether facts are forged is not known of an application that leaves out its income, device, telephone or
        address: silence is no good sign.
        """

        def of(name: str) -> FloatArray:
            return matrix[:, self._places[name]]

        signs = situations[:, situation.SIGN_PLACES]
        given = np.where(signs == situation.NULL, -1, signs)
        told = np.array([request.income_declared_minor is not None for request in requests])  # type: ignore[union-attr]
        heard = told & (given[:, _NEEDED] >= 0).all(axis=1)
        middle = of("income_middle_minor")
        unknown = np.isnan(of("outside_minor")) | np.isnan(of("service_after_minor"))
        stale = unknown | (of("day") - of("bureau_day") > BUREAU_DAYS)
        return {
            "watch_list": _watch_list(situations),
            "stale": np.where(np.isnan(of("bureau_day")), np.nan, stale),
            "forgery": np.where(heard, judge(norms.weights, given).probability, np.nan),
            "service_to_income": of("service_after_minor") / np.where(middle > 0, middle, np.nan),
            "exposure_group_minor": of("exposure_group_minor") + of("outside_minor"),
            "lines": of("lines") + of("lines_outside"),
            "income_verified": ~np.isnan(of("income_seen_minor")),
            "income_verified_minor": of("income_seen_minor"),
        }


def _moving_version(text: str) -> str:
    return "moving-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _of_applications(requests: Sequence[Asked], situations: IntArray) -> Columns:
    """Identity is what the checks on record say, whatever a request claims."""
    amounts = np.array([request.requested_minor for request in requests], np.float64)  # type: ignore[union-attr]
    words = np.array([str(word) for word in situation.IDENTITIES], np.object_)
    return {"requested_minor": amounts, "identity": words[situations[:, situation.PLACE["identity_place"]]]}


# Yes-or-no as 1 and 0, NaN where not known; only a policy that takes one for something else is given objects.
_TRUTHS = frozenset(("frozen", "closed", "watch_list", "device_changed", "stale"))


def _objects(truths: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.array([None if truth != truth else bool(truth) for truth in truths.tolist()], np.object_)


def _watch_list(situations: IntArray) -> FloatArray:
    """1 where an entry declines; NaN, not known, where a person is to look, or where nobody could look."""
    watched = situations[:, _WATCHED]
    return np.where(watched == 0, 0.0, np.where(watched == DECLINES, 1.0, np.nan))


BUREAU_DAYS = 31  # a bureau's report that is older is stale
_NEEDED = tuple(
    place for place, sign in enumerate(SIGNS) if sign.name in ("shared_device", "shared_phone", "shared_address")
)


def _given(requests: Sequence[Asked], item: ProgramInput) -> npt.NDArray[Any]:
    """What requests bring of themselves: numbers with NaN, or objects with None, where not known or of another type."""
    values = [request.facts.get(item.name) for request in requests]
    if item.type == "number":
        numbers = [
            value if isinstance(value, float | int) and not isinstance(value, bool) else None for value in values
        ]
        return np.array(numbers, np.float64)
    return np.array(values, np.object_)


def _authorised(request: Asked, row: situation.Row, said: Verdict) -> Ruling:
    """The policy's word on a purchase, held to the line: no policy spends what is not there."""
    assert isinstance(request, Purchase)  # noqa: S101 - for the type checker
    outcome, reasons, amount = said.outcome, said.reasons[:MOST_REASONS], 0
    if outcome == "approve":
        available = row[_AVAILABLE]
        if row[_STAGE] != OPEN or row[_FROZEN]:
            outcome, reasons = "decline", ("line_frozen",)
        elif available == situation.NULL or request.amount_minor > available:
            outcome, reasons = "decline", ("no_room",)
        else:
            amount = request.amount_minor
    return Ruling(outcome, reasons, amount, said.row)


def _granted(request: Asked, row: situation.Row, said: Verdict) -> Ruling:
    """The policy's word on an application, held to the cap of all the borrower's lines and grants in the group."""
    assert isinstance(request, Application)  # noqa: S101 - for the type checker
    reasons = said.reasons[:MOST_REASONS]
    if said.outcome not in ("approve", "approve_less"):
        return Ruling(said.outcome, reasons, 0, said.row)
    wanted = request.requested_minor
    if not math.isnan(said.amount_minor):
        wanted = min(wanted, int(said.amount_minor))
    if not math.isnan(said.factor):
        wanted = min(wanted, int(Decimal(repr(said.factor)) * request.requested_minor))  # rounded down
    granted = min(wanted, row[_CAP] - row[_EXPOSURE])
    if granted <= 0:
        return Ruling("decline", ("over_group_cap",), 0, said.row)
    if granted < wanted:
        reasons = ("over_group_cap", *reasons)[:MOST_REASONS]
    return Ruling("approve" if granted == request.requested_minor else "approve_less", reasons, granted, said.row)
