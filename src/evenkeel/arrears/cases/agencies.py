"""Outside agencies (委外): what is known of one, how it behaves, what it is paid, and what it is handed with a case."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any

import numpy as np
from msgspec import Meta, Struct

from evenkeel.arrears.cases.model import Complaint
from evenkeel.arrears.contacts.model import Row
from evenkeel.decisions.requests import Id
from evenkeel.kernel.errors import InvalidInput, NotPermitted
from evenkeel.measures.discrimination import wilson

MILLION = 1_000_000
LEAST_CONDUCT_PPM = 300_000  # so much of a commission hangs on conduct at the least: a house judgement
OWN_FACTS = ("agency_evaluated_on", "staff_trained_on", "processor_contract", "impact_assessed", "pay_basis")
_BLOCKED_MANY, _BLOCKED_SHARE = 3, 0.1


class Agency(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """An outside agency as a lender knows it. evaluated_on, trained_on: the last time. contract_until: the last day.

    processor_contract, impact_assessed: what the law on personal data asks for. rate_ppm: of what is collected;
    conduct_ppm: the part of the commission that hangs on conduct, in millionths each.
    """

    agency_id: Id
    evaluated_on: date | None = None
    trained_on: date | None = None
    contract_until: date | None = None
    processor_contract: bool | None = None
    impact_assessed: bool | None = None
    rate_ppm: Annotated[int, Meta(ge=0, le=500_000)] = 0
    conduct_ppm: Annotated[int, Meta(ge=0, le=MILLION)] = MILLION

    @property
    def pay_basis(self) -> str:
        """What it is paid by, in the words of the rule."""
        if self.rate_ppm == 0:
            return "fixed"
        if self.conduct_ppm == 0:
            return "amount_alone"
        return "conduct" if self.conduct_ppm == MILLION else "amount_and_conduct"

    def facts(self) -> dict[str, Any]:
        """What the rules ask for; nothing where nothing is known."""
        known = (self.evaluated_on, self.trained_on, self.processor_contract, self.impact_assessed, self.pay_basis)
        return {name: value for name, value in zip(OWN_FACTS, known, strict=True) if value is not None}


@dataclass(frozen=True, slots=True)
class Conduct:
    """How an agency behaved in some cases. score: share of the cases it had that are clean, with Wilson's 95 %
    interval; None where it had none. asked, blocked, broken: contacts that it asked for, that were refused, and that
    it made against the rules. complaints: about it, unless rejected or withdrawn."""

    agency_id: str
    cases: int
    unclean: int
    asked: int
    blocked: int
    broken: int
    complaints: int
    score: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Tried:
    """A contact that an agency asked for: in which case, whether it was allowed, and whether it was made."""

    case_id: str
    may: bool
    made: bool


def conduct(agency_id: str, case_ids: Iterable[str], tried: Sequence[Tried], about: Mapping[str, int]) -> Conduct:
    """The conduct of an agency in the cases that it had.

    A case is unclean with a contact that was made against the rules, with a complaint about the agency that was neither
    rejected nor withdrawn, or where it kept asking for what is refused: three times at least, and a tenth of the time.
    about: complaints that count, by case.
    """
    cases = sorted(set(case_ids))
    asked = Counter(one.case_id for one in tried)
    blocked = Counter(one.case_id for one in tried if not one.may)
    broken = Counter(one.case_id for one in tried if one.made and not one.may)
    unclean = [
        name
        for name in cases
        if broken[name]
        or about.get(name)
        or (blocked[name] >= _BLOCKED_MANY and blocked[name] >= _BLOCKED_SHARE * asked[name])
    ]
    clean, size = len(cases) - len(unclean), len(cases)
    if size == 0:
        return Conduct(agency_id, 0, 0, 0, 0, 0, 0, None, None, None)
    low, high = wilson(np.array([clean]), np.array([size]))
    return Conduct(
        agency_id, size, len(unclean), sum(asked[name] for name in cases), sum(blocked[name] for name in cases),
        sum(broken[name] for name in cases), sum(about.get(name, 0) for name in cases), clean / size, float(low[0]),
        float(high[0]),
    )  # fmt: skip


def counts_against(complaint: Complaint, agency_id: str) -> bool:
    """Whether a complaint speaks against an agency: it is about it, and was not found to be groundless."""
    return complaint.agency_id == agency_id and complaint.outcome not in ("rejected", "withdrawn")


@dataclass(frozen=True, slots=True)
class Commission:
    """amount_minor: what is paid. base_minor: what the rate alone would give. fixed_minor: the part that does not hang
    on conduct. score_ppm: the share that is paid of the other."""

    amount_minor: int
    base_minor: int
    fixed_minor: int
    score_ppm: int


def commission(agency: Agency, collected_minor: int, found: Conduct) -> Commission:
    """What an agency is paid for what came in while it had the cases.

    The base is collected * rate; of it 1 - conduct share is fixed, and the rest is paid by the lower end of the conduct
    score: an agency of whose conduct little is known is paid little of it. All is rounded down. A contact made against
    the rules costs all of the part that hangs on conduct.
    Raises NotPermitted where pay hangs on the amount by more than 70 % (CN-CARD-066 forbids the amount alone), and
    InvalidInput on an amount below 0.
    """
    if collected_minor < 0:
        raise InvalidInput(f"{collected_minor} cannot have been collected.", "Give an amount of 0 or more.")
    if agency.rate_ppm and agency.conduct_ppm < LEAST_CONDUCT_PPM:
        raise NotPermitted(
            f"The commission of {agency.agency_id} hangs on the amount alone, or nearly (CN-CARD-066).",
            f"At least {LEAST_CONDUCT_PPM / 10_000:.0f} % of it must hang on conduct.",
        )
    base = collected_minor * agency.rate_ppm // MILLION
    fixed = base * (MILLION - agency.conduct_ppm) // MILLION
    score = 0 if found.broken or found.low is None else int(found.low * MILLION)
    return Commission(fixed + (base - fixed) * score // MILLION, base, fixed, score)


@dataclass(frozen=True, slots=True)
class Contacted:
    """One earlier contact, as far as caps go by it."""

    at: datetime
    channel: str
    target: str | None
    answered: bool | None
    conversation: bool | None


@dataclass(frozen=True, slots=True)
class HandOver:
    """What goes with a case, so that caps run on and nothing is asked twice. contacts: of this lender in the last 31
    days, whoever made them, the oldest first. represented, wrong_points, channels: what every contact must heed."""

    case_id: str
    agency_id: str
    at: datetime
    contacts: tuple[Contacted, ...]
    represented: bool
    wrong_points: tuple[str, ...]
    channels: tuple[str, ...] | None
    past_due_minor: int
    days_past_due: int


def handed(rows: Iterable[Row], since: datetime) -> tuple[Contacted, ...]:
    """Contacts that went out, of a borrower's standing, from an instant on."""
    kept = [row for row in rows if row["at"] >= since and row["direction"] == "out"]
    return tuple(
        Contacted(row["at"], row["action"], row["target"], row["answered"], row["conversation"])
        for row in sorted(kept, key=lambda row: row["at"])
    )
