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
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from evenkeel.behaviour.definitions import Definitions, Entity, read_definitions
from evenkeel.behaviour.online import Online, online
from evenkeel.decisions.assessment.assess import USUAL, Norms
from evenkeel.decisions.assessment.forgery import SIGNS, judge
from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.card import FlatCard, flat_card
from evenkeel.decisions.engine.position import OPEN
from evenkeel.decisions.requests import Application, Purchase
from evenkeel.policy.program import Program, ProgramInput, load_program
from evenkeel.scoring.scorecard import Scorecard

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Columns = dict[str, npt.NDArray[Any]]
Asked = Purchase | Application

MOST_REASONS = 4
NIGHT_ENDS = 6  # o'clock
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_QUARTER_US = 900_000_000


@lru_cache(maxsize=4096)
def _day_and_hour(zone: ZoneInfo, quarter: int) -> tuple[int, int]:
    """Day, as an ordinal, and hour in a zone, of a quarter of an hour counted from 1970: no zone changes within one."""
    local = (_EPOCH + timedelta(microseconds=quarter * _QUARTER_US)).astimezone(zone)
    return local.toordinal(), local.hour


class Ruling(NamedTuple):
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
        first, width = features.shape[1], min(situations.shape[1], len(self._read))
        matrix = np.full((len(features), first + len(self._read)), np.nan)
        matrix[:, :first] = features
        matrix[:, first : first + width] = situation.numbers(situations[:, :width])
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
        rows = situations.tolist()
        matrix = self._matrix(features, situations)
        scores, p = self._card.scores(matrix)
        known: Columns = {"score": scores, "pd": p, "stale": np.zeros(len(requests), np.bool_)}
        known |= self._of_purchases(requests, instants, matrix) if purchases else _of_applications(requests, situations)
        if self.norms is not None:
            if situations.shape[1] < situation.NARROW:  # of the first layout
                situations = situation.whole(situations)
            known |= _of_record(situations) if purchases else self._assessed(requests, situations, matrix, self.norms)
        columns: Columns = {}
        aged: list[str] = []  # what is as of now, and not of an unknown day
        for item in program.inputs:
            column = known.get(item.name)
            if column is None and item.name in self._places:
                column = matrix[:, self._places[item.name]]
            if column is not None:
                aged.append(item.name)
            columns[item.name] = _given(requests, item) if column is None else column
        found = program.evaluate(columns, dict.fromkeys(aged, np.zeros(len(requests))))
        limit = _authorised if purchases else _granted
        reasons = found.reasons
        return [
            limit(request, row, Ruling(outcome, reasons.values[code][:MOST_REASONS], 0, fired), amount, factor)
            for request, row, outcome, code, fired, amount, factor in zip(
                requests, rows, found.outcomes().tolist(), reasons.codes.tolist(), found.row.tolist(),
                found.amount("amount_minor").tolist(), found.amount("factor").tolist(), strict=True
            )
        ]  # fmt: skip

    def _of_purchases(self, requests: Sequence[Asked], instants: IntArray, matrix: FloatArray) -> Columns:
        amounts = np.array([request.amount_minor for request in requests], np.float64)  # type: ignore[union-attr]
        hours = [_day_and_hour(self.zone, at // _QUARTER_US)[1] for at in instants.tolist()]
        return {
            "amount_minor": amounts,
            "frozen": matrix[:, self._places["frozen"]] != 0,
            "closed": matrix[:, self._places["stage"]] != OPEN,
            "night": np.array(hours) < NIGHT_ENDS,
            "amount_to_usual": self._to_usual(amounts, matrix),
        }

    def _assessed(self, requests: Sequence[Asked], situations: IntArray, matrix: FloatArray, norms: Norms) -> Columns:
        """Of applications: what is known of the applicant, from the numbers of the situation alone.

        Whether facts are forged is not known of an application that leaves out its income, device, telephone or
        address: silence is no good sign.
        """

        def of(name: str) -> FloatArray:
            return matrix[:, self._places[name]]

        signs = situation.whole(situations)[:, situation.SIGN_PLACES]
        given = np.where(signs == situation.NULL, -1, signs)
        told = np.array([request.income_declared_minor is not None for request in requests])  # type: ignore[union-attr]
        heard = told & (given[:, _NEEDED] >= 0).all(axis=1)
        middle = of("income_middle_minor")
        unknown = np.isnan(of("outside_minor")) | np.isnan(of("service_after_minor"))
        stale = unknown | (of("day") - of("bureau_day") > BUREAU_DAYS)
        return {
            "watch_list": _watch_list(situations),
            "stale": _TRUTHS[np.where(np.isnan(of("bureau_day")), _UNKNOWN, stale.astype(np.int64))],
            "forgery": np.where(heard, judge(norms.weights, given).probability, np.nan),
            "service_to_income": of("service_after_minor") / np.where(middle > 0, middle, np.nan),
            "exposure_group_minor": of("exposure_group_minor") + of("outside_minor"),
            "lines": of("lines") + of("lines_outside"),
            "income_verified": ~np.isnan(of("income_seen_minor")),
        }

    def _to_usual(self, amounts: FloatArray, matrix: FloatArray) -> FloatArray:
        """The amount over the mean purchase of a week, else over the largest of a month; 1 without either."""
        names = ("purchases_7d", "purchase_sum_7d", "purchase_most_30d")
        if not all(name in self._places for name in names):
            return np.full(len(amounts), np.nan)
        count, total, most = (matrix[:, self._places[name]] for name in names)
        usual = np.where(count > 0, total / np.where(count > 0, count, 1), most)
        return np.where(usual > 0, amounts / np.where(usual > 0, usual, 1), 1.0)


def _moving_version(text: str) -> str:
    return "moving-" + hashlib.sha256(text.encode()).hexdigest()[:16]


def _of_applications(requests: Sequence[Asked], situations: IntArray) -> Columns:
    """Identity is what the checks on record say, whatever a request claims."""
    amounts = np.array([request.requested_minor for request in requests], np.float64)  # type: ignore[union-attr]
    words = np.array([str(word) for word in situation.IDENTITIES], np.object_)
    return {"requested_minor": amounts, "identity": words[situations[:, situation.PLACE["identity_place"]]]}


_TRUTHS = np.array([False, True, None], np.object_)
_UNKNOWN = 2


def _of_record(situations: IntArray) -> Columns:
    """Of purchases: whether a list names the borrower, and whether the device is another."""
    other = situations[:, situation.PLACE["device_other"]]
    return {"watch_list": _watch_list(situations), "device_changed": _TRUTHS[np.where(other < 0, _UNKNOWN, other)]}


def _watch_list(situations: IntArray) -> npt.NDArray[Any]:
    """True where an entry declines; not known where a person is to look, or where nobody could look."""
    watched = situations[:, situation.PLACE["watched"]]
    return _TRUTHS[np.where(watched == 0, 0, np.where(watched == _DECLINES, 1, _UNKNOWN))]


_DECLINES = 2
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


def _authorised(request: Asked, row: situation.Row, said: Ruling, amount: float, factor: float) -> Ruling:
    """The policy's word on a purchase, held to the line: no policy spends what is not there."""
    assert isinstance(request, Purchase)  # noqa: S101 - for the type checker
    if said.outcome != "approve":
        return said
    place = situation.PLACE
    available = row[place["available_minor"]]
    if row[place["stage"]] != OPEN or row[place["frozen"]]:
        return said._replace(outcome="decline", reasons=("line_frozen",))
    if available == situation.NULL or request.amount_minor > available:
        return said._replace(outcome="decline", reasons=("no_room",))
    return Ruling(said.outcome, said.reasons, request.amount_minor, said.row)


def _granted(request: Asked, row: situation.Row, said: Ruling, amount: float, factor: float) -> Ruling:
    """The policy's word on an application, held to the cap of all the borrower's lines and grants in the group."""
    assert isinstance(request, Application)  # noqa: S101 - for the type checker
    if said.outcome not in ("approve", "approve_less"):
        return said
    wanted = request.requested_minor
    if not math.isnan(amount):
        wanted = min(wanted, int(amount))
    if not math.isnan(factor):
        wanted = min(wanted, int(Decimal(repr(factor)) * request.requested_minor))  # rounded down
    room = row[situation.PLACE["cap_minor"]] - row[situation.PLACE["exposure_group_minor"]]
    granted, reasons = min(wanted, room), said.reasons
    if granted <= 0:
        return said._replace(outcome="decline", reasons=("over_group_cap",))
    if granted < wanted:
        reasons = ("over_group_cap", *reasons)[:MOST_REASONS]
    return Ruling("approve" if granted == request.requested_minor else "approve_less", reasons, granted, said.row)
