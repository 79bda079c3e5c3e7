"""What an outside check is, what may be asked again, and what the answers together say of a person's identity.

Match, mismatch, unavailable and restricted are four things. Only a mismatch is known against a person; only a match is
known for one; what could not be asked goes to a person who decides.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Protocol
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt

from evenkeel.decisions.identity.numbers import NumberVerdict
from evenkeel.kernel.errors import InvalidInput


class CheckKind(StrEnum):
    """What is checked: the form of the number, name and number, these with card and mobile, and the rest."""

    ID_NUMBER = "id_number"
    NAME_ID = "name_id"
    FOUR_FACTOR = "four_factor"
    FACE = "face"
    DEVICE = "device"
    ADDRESS = "address"


class CheckResult(StrEnum):
    """What came back. RESTRICTED: whoever was asked may not say, or the card may not be asked about."""

    MATCH = "match"
    MISMATCH = "mismatch"
    UNAVAILABLE = "unavailable"
    RESTRICTED = "restricted"


class Identity(StrEnum):
    """The verdict that policy reads."""

    VERIFIED = "verified"
    MISMATCH = "mismatch"
    UNAVAILABLE = "unavailable"
    RESTRICTED = "restricted"
    UNVERIFIED = "unverified"


# Who holds what against the register of the police, the bank or the operator: without one of these nobody is verified.
REGISTER_CHECKS = frozenset({CheckKind.NAME_ID, CheckKind.FOUR_FACTOR, CheckKind.FACE})

# What a lender asks for unless it says more.
REQUIRED = frozenset({CheckKind.ID_NUMBER, CheckKind.NAME_ID})

# A match of the one holds what the others would: it stands for them unless they did not match.
COVERS: Mapping[CheckKind, tuple[CheckKind, ...]] = {
    CheckKind.FOUR_FACTOR: (CheckKind.NAME_ID, CheckKind.ID_NUMBER), CheckKind.NAME_ID: (CheckKind.ID_NUMBER,),
}  # fmt: skip

# Days for which a match answers the same question again; a policy may ask for fresher ones.
MATCH_DAYS: Mapping[CheckKind, int] = {
    CheckKind.ID_NUMBER: 365, CheckKind.NAME_ID: 180, CheckKind.FOUR_FACTOR: 90, CheckKind.FACE: 1,
    CheckKind.DEVICE: 30, CheckKind.ADDRESS: 90,
}  # fmt: skip

VALUES = frozenset({"name", "id_number", "card", "phone", "face_image", "device", "address"})

_TOKEN = re.compile(r"[A-Za-z0-9_.:-]{8,128}")
_NUMBER = re.compile(r"[A-Za-z]?[0-9]{0,20}[A-Za-z]?")  # of a person, card, phone or permit
_ORDER = re.compile(r"[A-Za-z0-9-]{8,64}")
_LONGEST_VALUE = 4_000_000  # characters; a picture in base64


def token_of(field_name: str, token: str) -> str:
    """A keyed hash as it was given. Raises InvalidInput on what may be a name or a number itself; it shows nothing."""
    if not isinstance(token, str) or not _TOKEN.fullmatch(token) or _NUMBER.fullmatch(token):
        raise InvalidInput(
            f"`{field_name}` is not a token: 8 to 128 ASCII letters, digits and -_.: that could be no number.",
            "Give the keyed hash that the vault makes, never the name or number itself.",
        )
    return token


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """One question to a provider.

    order_id: sent along, so that a question sent twice is one attempt. subject_token: keyed hash over all `values`;
    card_token: of the card, where there is one. person_token: of the identity number alone, by which watch lists know a
    person; without it nobody can be told from those on a list. values: what the provider is told, by VALUES; never
    shown.
    """

    kind: CheckKind
    order_id: str
    borrower_id: str
    subject_token: str
    values: Mapping[str, str] = field(repr=False)
    card_token: str | None = None
    person_token: str | None = None

    def __post_init__(self) -> None:
        if not _ORDER.fullmatch(self.order_id):
            raise InvalidInput("`order_id` is 8 to 64 ASCII letters, digits and hyphens.", "Use kernel.ids.uuid7.")
        token_of("subject_token", self.subject_token)
        if self.card_token is not None:
            token_of("card_token", self.card_token)
        if self.person_token is not None:
            token_of("person_token", self.person_token)
        if (self.card_token is None) == ("card" in self.values):
            raise InvalidInput("`card_token` stands exactly where a card is among the values.")
        if not self.values or not set(self.values) <= VALUES:
            raise InvalidInput(f"`values` of a check are some of {', '.join(sorted(VALUES))}.")
        if any(not isinstance(value, str) or not 0 < len(value) <= _LONGEST_VALUE for value in self.values.values()):
            raise InvalidInput(f"Each of the `values` is a text of 1 to {_LONGEST_VALUE} characters.")


@dataclass(frozen=True, slots=True)
class Verification:
    """What one check came to.

    cost_minor: what asking cost, whatever came back. detail_code: the provider's code where its convention knows it,
    else a word of ours. lost: a question was sent and no readable answer came, so that it may have counted on the card.
    """

    kind: CheckKind
    result: CheckResult
    checked_at: datetime
    provider: str
    cost_minor: int
    detail_code: str
    lost: bool = False


class Provider(Protocol):
    """Who is asked. `check` answers for every request and never raises: what fails is UNAVAILABLE."""

    @property
    def name(self) -> str: ...

    def check(self, request: CheckRequest) -> Verification: ...


@dataclass(frozen=True, slots=True)
class Convention:
    """How a provider's codes are read. A code that is not listed, or of another type, says nothing: UNAVAILABLE."""

    name: str
    results: Mapping[str, CheckResult]

    def read(self, code: object) -> tuple[CheckResult, str]:
        """The result and the code to keep; an unknown code is not kept, as it may hold anything."""
        text = str(code) if isinstance(code, str | int) else ""
        return (self.results[text], text) if text in self.results else (CheckResult.UNAVAILABLE, "unknown")


SIMPLE = Convention("simple", {"1": CheckResult.MATCH, "2": CheckResult.MISMATCH})

# 2 no such card, 3 the card's state, 5 restricted: nothing was compared, so nothing speaks against the person.
DETAILED = Convention(
    "detailed",
    {
        "0": CheckResult.MATCH, "1": CheckResult.MISMATCH, "2": CheckResult.RESTRICTED, "3": CheckResult.RESTRICTED,
        "5": CheckResult.RESTRICTED, "9": CheckResult.UNAVAILABLE,
    },
)  # fmt: skip

CONVENTIONS = {convention.name: convention for convention in (SIMPLE, DETAILED)}


# --- attempts on a card -----------------------------------------------------------------------------------------------

MOST_WRONG = 2  # in a row: the network locks a card at the third
MOST_A_DAY = 10
CHINA = ZoneInfo("Asia/Shanghai")

_FORGOTTEN_AFTER = timedelta(hours=12)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A question about a card. result: None while under way or where the answer was lost; it may have been wrong."""

    at: datetime
    result: CheckResult | None


def forgotten_at(at: datetime) -> datetime:
    """When an attempt no longer counts: some issuers forget after 12 hours, some at midnight, so after both."""
    midnight = datetime.combine(at.astimezone(CHINA).date() + timedelta(days=1), time(), CHINA)
    return max(at + _FORGOTTEN_AFTER, midnight)


@dataclass(frozen=True, slots=True)
class AttemptCaps:
    """How often a card may be asked about while attempts count: at most what the networks allow."""

    wrong_in_a_row: int = MOST_WRONG
    a_day: int = MOST_A_DAY

    def __post_init__(self) -> None:
        for name, most in (("wrong_in_a_row", MOST_WRONG), ("a_day", MOST_A_DAY)):
            value = getattr(self, name)
            if type(value) is not int or not 1 <= value <= most:
                raise InvalidInput(f"`{name}` of the caps is a whole number from 1 to {most}.")


_CAPS = AttemptCaps()


def held_until(attempts: Iterable[Attempt], now: datetime, caps: AttemptCaps = _CAPS) -> datetime | None:
    """Until when a card may not be asked about; None where it may be.

    It is held after two wrong answers in a row (a match ends the row; unavailable and restricted neither count nor end
    it; an answer that was lost counts) and after ten questions, or sooner where the caps say so.
    """
    live = sorted((one for one in attempts if forgotten_at(one.at) > now), key=lambda one: one.at)
    row = takewhile(lambda one: one.result is not CheckResult.MATCH, reversed(live))
    wrong = [one for one in row if one.result in (None, CheckResult.MISMATCH)]
    until = [forgotten_at(run[most - 1].at) for run, most in ((wrong, caps.wrong_in_a_row), (live[::-1], caps.a_day))
             if len(run) >= most]  # fmt: skip
    return max(until, default=None)


# --- the verdict ------------------------------------------------------------------------------------------------------

_KINDS = tuple(CheckKind)
_RESULTS = tuple(CheckResult)
_VERDICTS = tuple(Identity)

# The best outcome of a grant that each verdict leaves open.
CEILING: Mapping[Identity, str] = {
    Identity.VERIFIED: "approve", Identity.MISMATCH: "decline", Identity.UNAVAILABLE: "refer",
    Identity.RESTRICTED: "refer", Identity.UNVERIFIED: "refer",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known of an identity, and the checks that it rests on: those at fault, or all required ones."""

    identity: Identity
    because: tuple[CheckKind, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Codes with a text `reason.CODE`; none where verified."""
        return () if self.identity is Identity.VERIFIED else (f"identity_{self.identity}",)


def number_result(verdict: NumberVerdict) -> CheckResult | None:
    """A number's own verdict as a check of kind `id_number`: None where there is no number.

    The old form matches nobody and speaks against nobody: no register answers for it.
    """
    if verdict is NumberVerdict.MISSING:
        return None
    return {NumberVerdict.VALID: CheckResult.MATCH, NumberVerdict.OLD_FORM: CheckResult.UNAVAILABLE}.get(
        verdict, CheckResult.MISMATCH
    )


def standing(
    checks: Iterable[Verification], at: datetime, days: Mapping[CheckKind, int] = MATCH_DAYS
) -> dict[CheckKind, CheckResult]:
    """What stands at an instant: of each kind the newest answer of the last `days`, else that it was unavailable.

    A failed question says nothing of the person, so it takes the place of no answer.
    """
    fresh = [check for check in checks if at - timedelta(days=days[check.kind]) <= check.checked_at <= at]
    fresh.sort(key=lambda check: (check.result is not CheckResult.UNAVAILABLE, check.checked_at))
    return {check.kind: check.result for check in fresh}


def verdict(standing: Mapping[CheckKind, CheckResult], required: Collection[CheckKind] = REQUIRED) -> Verdict:
    """What the standing results say together; a kind that is not there was not checked, unless another COVERS it.

    Any mismatch is a mismatch, asked for or not. Else what is required decides: restricted, unavailable, not checked,
    in this order. Verified only if every required check matches. Raises InvalidInput if no register check is required.
    """
    _hold_required(required)
    standing = covered(standing)
    faults = (
        (Identity.MISMATCH, _KINDS, CheckResult.MISMATCH),
        (Identity.RESTRICTED, required, CheckResult.RESTRICTED),
        (Identity.UNAVAILABLE, required, CheckResult.UNAVAILABLE),
        (Identity.UNVERIFIED, required, None),
    )
    for identity, kinds, result in faults:
        because = tuple(kind for kind in _KINDS if kind in kinds and standing.get(kind) == result)
        if because:
            return Verdict(identity, because)
    return Verdict(Identity.VERIFIED, tuple(kind for kind in _KINDS if kind in required))


def covered(standing: Mapping[CheckKind, CheckResult]) -> dict[CheckKind, CheckResult]:
    """The results with what a match COVERS filled in, where nothing speaks against it."""
    found = dict(standing)
    for kind, others in COVERS.items():
        if standing.get(kind) is CheckResult.MATCH:
            found |= {other: CheckResult.MATCH for other in others if standing.get(other) is not CheckResult.MISMATCH}
    return found


def verdict_codes(results: npt.NDArray[np.int8], required: Collection[CheckKind] = REQUIRED) -> npt.NDArray[np.int8]:
    """`verdict` for many: (n,) places in Identity.

    results: (n, 6) places in CheckResult, columns as CheckKind, -1 where not checked.
    """
    _hold_required(required)
    results = results.copy()
    for kind, others in COVERS.items():
        match = results[:, _KINDS.index(kind)] == _RESULTS.index(CheckResult.MATCH)
        for column in map(_KINDS.index, others):
            silent = results[:, column] != _RESULTS.index(CheckResult.MISMATCH)
            results[match & silent, column] = _RESULTS.index(CheckResult.MATCH)
    asked = results[:, [_KINDS.index(kind) for kind in _KINDS if kind in required]]
    faults = (
        (Identity.MISMATCH, results == _RESULTS.index(CheckResult.MISMATCH)),
        (Identity.RESTRICTED, asked == _RESULTS.index(CheckResult.RESTRICTED)),
        (Identity.UNAVAILABLE, asked == _RESULTS.index(CheckResult.UNAVAILABLE)),
        (Identity.UNVERIFIED, asked != _RESULTS.index(CheckResult.MATCH)),
    )
    found = np.select([fault.any(axis=1) for _, fault in faults], [_VERDICTS.index(identity) for identity, _ in faults],
                      _VERDICTS.index(Identity.VERIFIED))  # fmt: skip
    return found.astype(np.int8)


def _hold_required(required: Collection[CheckKind]) -> None:
    if not REGISTER_CHECKS & set(required):
        names = ", ".join(sorted(REGISTER_CHECKS))
        raise InvalidInput(
            f"The required checks ({', '.join(sorted(required)) or 'none'}) hold nobody against a register.",
            f"Require one of {names}.",
        )
