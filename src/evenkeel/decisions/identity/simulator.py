"""A provider that answers from stated rates: for trying things out, for tests, and where no contract is signed yet.

What it says of a subject depends on the seed, the kind and the subject's token alone, whoever asks, when and how often;
whether it is available depends on the order, so that asking again later can work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from evenkeel.decisions.identity.verification import CheckKind, CheckRequest, CheckResult, Verification
from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import InvalidInput

_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Rates:
    """Of a million answers, so many are each of these; the rest match."""

    mismatch: int = 20_000
    restricted: int = 5_000
    unavailable: int = 15_000

    def __post_init__(self) -> None:
        parts = (self.mismatch, self.restricted, self.unavailable)
        if any(type(part) is not int or part < 0 for part in parts) or sum(parts) > _MILLION:
            raise InvalidInput(
                "the rates of a simulated provider are whole numbers of 0 or more that sum to 1,000,000 or less."
            )

    def share(self, result: CheckResult) -> Fraction:
        """The chance of a result on a first question."""
        known = {CheckResult.MISMATCH: self.mismatch, CheckResult.RESTRICTED: self.restricted,
                 CheckResult.UNAVAILABLE: self.unavailable}  # fmt: skip
        return Fraction(known.get(result, _MILLION - sum(known.values())), _MILLION)


# Stated, not measured: what lenders report of such services in general terms, and list prices in fen.
PRICES: Mapping[CheckKind, int] = {
    CheckKind.ID_NUMBER: 0, CheckKind.NAME_ID: 15, CheckKind.FOUR_FACTOR: 25, CheckKind.FACE: 60,
    CheckKind.DEVICE: 20, CheckKind.ADDRESS: 30,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class SimulatedProvider:
    """A provider made of a seed. rates: of each kind, the default where a kind is not named; prices in minor units."""

    seed: int
    clock: Clock
    rates: Mapping[CheckKind, Rates] = field(default_factory=dict)
    prices: Mapping[CheckKind, int] = field(default_factory=lambda: PRICES)
    name: str = "simulated"

    def check(self, request: CheckRequest) -> Verification:
        """The answer that the rates give; asking costs the price whatever it is."""
        rates = self.rates.get(request.kind, Rates())
        # Whether it is there is drawn first, so that the others are drawn among the rest, in proportion.
        answering = _MILLION - rates.unavailable
        about = _drawn(answering, self.seed, request.kind, request.subject_token) if answering else 0
        if _drawn(_MILLION, self.seed, request.kind, request.order_id) < rates.unavailable:
            result = CheckResult.UNAVAILABLE
        elif about < rates.mismatch:
            result = CheckResult.MISMATCH
        elif about < rates.mismatch + rates.restricted:
            result = CheckResult.RESTRICTED
        else:
            result = CheckResult.MATCH
        cost = self.prices.get(request.kind, 0)
        return Verification(request.kind, result, self.clock(), self.name, cost, f"simulated_{result}")


def _drawn(below: int, *parts: object) -> int:
    """A number from 0 up to `below` that the parts alone decide."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:16], "big") % below
