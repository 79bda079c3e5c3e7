"""Applications made in another way than by the generator that ships: other rates, other kinds of forgery.

It shares no code with the product or its generator. Incomes grow, people restate them roughly and round them; families
share an address and a telephone and name each other's relatives; a factory's workers live in one dormitory; a shop
lends its device to its customers, a corner shop to a few. Forged: incomes shifted upward, half of them told the same
way every time; rings that share nothing but contacts; rings that share a device; facts from a template with jitter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

DAY = 86_400
KINDS = ("shifted", "contact_ring", "device_ring", "template")
_START = 1_600_000_000  # seconds; a day of 2020
_SPAN = 3 * 365 * DAY


@dataclass(frozen=True)
class Rates:
    """Shares of people."""

    shifted: float = 0.02
    contact_ring: float = 0.008
    device_ring: float = 0.004
    template: float = 0.01
    family: float = 0.10
    dormitory: float = 0.03
    shop: float = 0.02
    corner_shop: float = 0.01
    statements: float = 0.6  # whose account is seen


@dataclass(frozen=True)
class OtherBook:
    """tables: of the contract. kind: what each application's person is, "" for honest. benign: the honest group."""

    tables: dict[str, pa.Table]
    kind: npt.NDArray[np.str_]
    benign: npt.NDArray[np.str_]


def other_book(people: int, seed: int, rates: Rates | None = None) -> OtherBook:
    rates = rates or Rates()
    rng = np.random.default_rng(seed)
    kind = _draw(rng, people, {name: getattr(rates, name) for name in KINDS})
    benign = np.where(
        kind == "",
        _draw(rng, people, {name: getattr(rates, name) for name in ("family", "dormitory", "shop", "corner_shop")}),
        "",
    )
    industry = rng.choice(12, people, p=np.arange(12, 0, -1) / 78)
    region = rng.choice(8, people)
    income = np.exp(8.4 + 0.07 * industry + 0.03 * region + rng.normal(0, 0.38, people))
    # Employers from two workers to hundreds, each in one industry and region, at its own level of pay.
    employer = (industry * 8 + region) * 100 + np.minimum(rng.pareto(1.1, people) * 3, 99).astype(int)
    income *= np.exp(np.random.default_rng(seed + 1).normal(0, 0.15, 10_000))[employer]
    told = income * np.exp(rng.normal(0.03, 0.05, people))
    shifted = kind == "shifted"
    told = np.where(shifted, income * rng.uniform(1.6, 3.2, people), told)
    steady = rng.random(people) < 0.5
    device, phone, address = np.arange(people) * 7, np.arange(people) * 7 + 1, np.arange(people) * 7 + 2
    contacts = np.stack([np.arange(people) * 7 + 3, np.arange(people) * 7 + 4], axis=1)
    first = rng.random(people) * _SPAN
    for group, members in _groups(rng, benign, kind):
        head = members[0]
        if group == "family":
            address[members] = address[head]
            same = members[rng.random(len(members)) < 0.7]
            phone[same] = phone[head]
            contacts[same, 0] = contacts[head, 0]
        elif group == "dormitory":
            address[members], employer[members] = address[head], employer[head]
        elif group in ("shop", "corner_shop"):
            device[members] = device[head]
        elif group == "contact_ring":
            pool = 10**8 + head * 10 + np.arange(3)
            for member in members:
                contacts[member] = rng.choice(pool, 2, replace=False)
            first[members] = first[head] + rng.random(len(members)) * 60 * DAY
        elif group == "device_ring":
            device[members] = 10**8 + head * 10 + rng.integers(0, 2, len(members))
            first[members] = first[head] + rng.random(len(members)) * 120 * DAY
        elif group == "template":
            employer[members] = 10**6 + head
            told[members] = 9_150 * np.exp(rng.normal(0, 0.006, len(members)))
            first[members] = first[head] + rng.random(len(members)) * 30 * DAY
    times = np.clip(rng.poisson(1.2, people) + 1 + shifted, 1, 6)
    owner = np.repeat(np.arange(people), times)
    later = np.arange(len(owner)) - np.repeat(np.cumsum(times) - times, times)
    gap = np.where(kind[owner] == "", rng.exponential(200 * DAY, len(owner)), rng.exponential(50 * DAY, len(owner)))
    at = (_START + first[owner] + later * gap).astype(np.int64)
    years = (at - _START) / (365 * DAY)
    noise = np.where(kind[owner] == "shifted", np.where(steady[owner], 0.01, 0.15), 0.04)
    noise = np.where(kind[owner] == "template", 0.003, noise)
    said = told[owner] * 1.04**years * np.exp(rng.normal(0, 1, len(owner)) * noise)
    grid = np.where(kind[owner] == "template", 1, np.where(rng.random(len(owner)) < 0.5, 500, 100))
    said = np.maximum(np.round(said / grid), 1) * grid
    seen = rng.random(people) < np.where(shifted, rates.statements / 2, rates.statements)
    own = rng.random(len(owner)) < 0.08  # another device of one's own
    tables = {
        "applications": _applications(owner, at, said, employer, address, device + 0, phone, contacts, own, rng),
        "borrowers": _borrowers(people, industry, region),
        "events": _incomes(rng, income, seen),
    }
    return OtherBook(tables, kind[owner], benign[owner])


def _draw(rng: np.random.Generator, size: int, shares: dict[str, float]) -> npt.NDArray[np.str_]:
    names = np.array(["", *shares])
    left = 1 - sum(shares.values())
    return names[rng.choice(len(names), size, p=[left, *shares.values()])]


_SIZES = {
    "family": (2, 5), "dormitory": (150, 400), "shop": (80, 250), "corner_shop": (6, 20),
    "contact_ring": (5, 13), "device_ring": (4, 9), "template": (10, 21),
}  # fmt: skip


def _groups(rng, benign, kind):  # type: ignore[no-untyped-def]
    for name, (low, high) in _SIZES.items():
        members = np.flatnonzero((benign == name) | (kind == name))
        while len(members):
            size = int(rng.integers(low, high))
            yield name, members[:size]
            members = members[size:]


def _tokens(prefix: str, numbers: npt.NDArray[np.int64]) -> pa.Array:
    return pa.array([f"{prefix}{number}" for number in numbers.tolist()])


def _applications(owner, at, said, employer, address, device, phone, contacts, own, rng):  # type: ignore[no-untyped-def]
    count = len(owner)
    order = rng.permutation(count)
    pairs = contacts[owner]
    return pa.table(
        {
            "application_id": pa.array([f"q{place:07d}" for place in order.tolist()]),
            "borrower_id": _tokens("p", owner),
            "lender_id": _tokens("l", rng.integers(0, 9, count)),
            "product": pa.array(np.array(["bnpl", "card", "cash"])[rng.integers(0, 3, count)].tolist()),
            "requested_minor": pa.array(rng.integers(5, 400, count) * 10_000),
            "submitted_at": pa.array(at * 1_000_000, pa.timestamp("us", tz="UTC")),
            "income_declared_minor": pa.array((said * 100).astype(np.int64)),
            "employer_token": _tokens("e", employer[owner]),
            "address_token": _tokens("a", address[owner]),
            "device_token": _tokens("d", np.where(own, 10**9 + owner, device[owner])),
            "phone_token": _tokens("t", phone[owner]),
            "contact_tokens": pa.array([[f"t{a}", f"t{b}"] for a, b in pairs.tolist()]),
            "decided_at": pa.array((at + 300) * 1_000_000, pa.timestamp("us", tz="UTC")),
        }
    )


def _borrowers(people, industry, region):  # type: ignore[no-untyped-def]
    return pa.table(
        {
            "borrower_id": _tokens("p", np.arange(people)),
            "birth_date": pa.array([3650 + place * 11 % 9000 for place in range(people)], pa.int32()).cast(pa.date32()),
            "region": _tokens("r", region),
            "industry": _tokens("i", industry),
            "income_declared_minor": pa.nulls(people, pa.int64()),
            "income_verified_minor": pa.nulls(people, pa.int64()),
            "created_on": pa.nulls(people, pa.date32()),
        }
    )


def _incomes(rng, income, seen):  # type: ignore[no-untyped-def]
    who = np.flatnonzero(seen)
    months = 48
    owner = np.tile(who, months)
    at = _START - 6 * 30 * DAY + np.repeat(np.arange(months), len(who)) * 2_630_000 + rng.integers(0, DAY, len(owner))
    amount = income[owner] * 1.04 ** ((at - _START) / (365 * DAY)) * np.exp(rng.normal(0, 0.08, len(owner)))
    stamp = pa.array(at * 1_000_000, pa.timestamp("us", tz="UTC"))
    return pa.table(
        {
            "event_id": _tokens("v", np.arange(len(owner))),
            "kind": pa.repeat(pa.scalar("income"), len(owner)),
            "borrower_id": _tokens("p", owner),
            "effective_at": stamp,
            "booked_at": stamp,
            "amount_minor": pa.array((amount * 100).astype(np.int64)),
        }
    )
