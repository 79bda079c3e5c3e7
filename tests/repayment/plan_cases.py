"""Cases for plans, drawn: from a few minor units to real debts, with every kind of creditor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st

from evenkeel.repayment.case import Authority, Policy, Recovery
from evenkeel.repayment.model import HORIZON, Chance, Claim, IntArray, Keep

RATES = (0, 36_000, 120_000, 240_000, 360_000, 1_000_000, 10_000_000)
SURVIVAL = 0.985 ** np.arange(HORIZON + 1)


def judge(payments: IntArray) -> Chance:
    """A chance that only depends on length: each month one plan in 67 breaks."""
    months = int(np.flatnonzero(payments)[-1]) if payments.any() else 0
    p = float(SURVIVAL[months])
    return Chance(p, p - 0.05, min(1.0, p + 0.05), SURVIVAL)


def months_of(monthly: int, start: int = 0) -> IntArray:
    """The same capacity every month."""
    capacity = np.full(HORIZON + 1, monthly, np.int64)
    capacity[0] = start
    return capacity


def claim_of(
    principal: int, rate: int = 0, policy: Policy | None = None, debt_id: str = "a", **others: object
) -> Claim:  # fmt: skip
    """A claim in few words: whatever is not said is nothing, and without a plan nothing is recovered."""
    parts = {"fees_minor": 0, "penalty_minor": 0, "interest_minor": 0, **others}
    return Claim(
        debt_id, f"of-{debt_id}", "bank_card", principal_minor=principal, rate_micros=rate,
        policy=policy or Policy(recovery=Recovery(0.0)), **parts,  # type: ignore[arg-type]
    )  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """A case for `offer`."""

    claims: tuple[Claim, ...]
    capacity: IntArray
    role: str | None
    fairness: float | None
    keep: Keep | None = None

    @property
    def survival(self) -> Sequence[float]:
        return SURVIVAL.tolist()

    @property
    def months(self) -> list[int]:
        return self.capacity.tolist()


@st.composite
def policies(
    draw: st.DrawFn, instalments: Sequence[str], size: int, longest: int, recovery: bool = True, upfront: bool = True
) -> Policy:
    """size: of a large debt. longest: the most months."""
    shares = st.sampled_from((0.0, 0.25, 0.5, 1.0))
    return Policy(
        most_months=draw(st.integers(1, longest)),
        terms=tuple(draw(st.lists(st.integers(1, longest + 2), max_size=4))),
        instalments=draw(st.sampled_from(instalments)),
        minimum_instalment_minor=draw(st.sampled_from((0, 0, 1, size // 20, size // 4))),
        upfront_share=draw(st.sampled_from((0.0, 0.0, 0.1, 0.333333, 1.0))) if upfront else 0.0,
        rates=tuple(draw(st.lists(st.sampled_from((0.0, 0.06, 0.12, 0.5)), max_size=2))),
        waivers={
            name: draw(shares)
            for name in ("fees", "penalty", "interest", "principal")
            if name != "principal" or draw(st.integers(0, 3)) == 0
        },
        authority=tuple(
            Authority(role, draw(st.sampled_from((0, size // 10, size))), draw(st.sampled_from((0.05, 0.3, 1.0))))
            for role in draw(st.sampled_from(((), (), ("clerk",), ("clerk", "head"))))
        ),
        recovery=draw(
            st.sampled_from((Recovery(0.0), Recovery(0.3), Recovery(0.9, 12, 0.1), None)) if recovery
            else st.just(Recovery(0.0))
        ),
        discount_annual=draw(st.sampled_from((0.0, 0.08, 0.5))),
    )  # fmt: skip


@st.composite
def claims_of(
    draw: st.DrawFn, place: int, instalments: Sequence[str], size: int, longest: int, rates: Sequence[int] = RATES,
    recovery: bool = True, upfront: bool = True,
) -> Claim:  # fmt: skip
    small = st.integers(0, max(1, size // 10))
    return Claim(
        f"d{place}", f"c{place}", draw(st.sampled_from(("bank_card", "platform"))), draw(small), draw(small),
        draw(small), draw(st.integers(1, size)), draw(st.sampled_from(rates)),
        draw(policies(instalments, size, longest, recovery, upfront)), most_months=draw(st.integers(1, HORIZON)),
        days_past_due=draw(st.sampled_from((None, 0, 20, 45, 100, 400))),
    )  # fmt: skip


def keeps(monthly: int) -> st.SearchStrategy[Keep | None]:
    """Nothing, a part or all of what months leave is kept: no more, or up to some months of it."""
    kept = st.builds(Keep, st.sampled_from((0, 1, 33, 50, 80, 100)), st.sampled_from((0, 1, monthly // 2, 6 * monthly)))
    return st.one_of(st.none(), kept)


@st.composite
def cases(
    draw: st.DrawFn, instalments: Sequence[str] = ("level", "stepped", "any"), sizes: Sequence[int] = (30, 2000, 10**7),
    most: int = 4, longest: int = 60, rates: Sequence[int] = RATES, steady: bool = False, fair: bool = True,
    recovery: bool = True, upfront: bool = True, kept: bool = True,
) -> Drawn:  # fmt: skip
    """steady: the same capacity every month. kept: of some, what months leave is counted on later."""
    size = draw(st.sampled_from(sizes))
    count = draw(st.integers(1, most))
    kinds = draw(st.sampled_from([(one,) for one in instalments] + [tuple(instalments)]))
    claims = tuple(draw(claims_of(place, kinds, size, longest, rates, recovery, upfront)) for place in range(count))
    owed = sum(claim.balance_minor for claim in claims)
    monthly = owed * draw(st.integers(0, 40)) // draw(st.sampled_from((20, 60, 300))) + draw(st.integers(0, 3))
    capacity = months_of(monthly, draw(st.sampled_from((0, 0, owed // 4, owed))))
    if not steady and draw(st.booleans()):
        season = draw(st.lists(st.integers(0, 8), min_size=12, max_size=12))
        capacity[1:] = [monthly * season[month % 12] // 4 for month in range(HORIZON)]
    return Drawn(
        claims, capacity, draw(st.sampled_from((None, None, "clerk", "head", "nobody"))),
        draw(st.sampled_from((None, None, 1.0, 1.1, 2.0))) if fair else None,
        draw(keeps(monthly)) if kept else None,
    )  # fmt: skip
