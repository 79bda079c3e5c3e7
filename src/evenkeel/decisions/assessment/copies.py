"""Facts that different people share: a device, a telephone, an address, the same contacts, the same income to the unit.

A token that very many people share is a place, not a person: a shop's device, a factory's dormitory, a public address.
From HUB persons on it says nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.special import bdtrc

from evenkeel.decisions.assessment.requests import (
    DAY,
    FloatArray,
    IntArray,
    Requests,
    at_most,
    count_before,
    others_before,
    pairs_before,
    uses,
)

HUB: Final = 30  # persons; households and rings are smaller (judgement)
MOST_USES: Final = 2 * HUB  # of one token, the newest, that a use is compared with
TEMPLATE_WINDOW: Final = 90 * DAY
MOST_WORKMATES: Final = 50  # of one employer, the newest, that a declared income is compared with
CLOSE: Final = (0.0, 0.005, 0.02, 0.05)  # in logs: incomes equal to the unit, or alike as from a template with jitter
LEAST_CLOSE: Final = 0.001  # incomes are told in round numbers
BURST: Final = 30 * DAY


@dataclass(frozen=True, slots=True)
class Copies:
    """(n,) each: distinct other persons who named the same before, 0 at a hub; NaN where nothing was given.

    device, phone, contacts, contact_set: those at another address, since a family shares a telephone. contacts: the
    most of any one contact; contact_set: of all contacts together, where two or more were named.
    alike: -log10 of the chance that as many workmates of the last 90 days declare an income alike.
    burst: applications of others in 30 days on the same device, telephone or contact.
    """

    device: FloatArray
    phone: FloatArray
    address: FloatArray
    contacts: FloatArray
    contact_set: FloatArray
    alike: FloatArray
    burst: FloatArray


def find_copies(requests: Requests, within_employer: float, usual: Sequence[float]) -> Copies:
    """within_employer: spread of log incomes among workmates (income.Peers). usual: of alike_shares, 0 unknown."""
    each = np.arange(requests.count)
    named = np.bincount(requests.contact_row, minlength=requests.count)
    together = np.where(named >= 2, requests.contact_set, -1)
    address = others_before(requests.token["address"], requests.person)
    return Copies(
        device=_outside(requests, requests.token["device"], each),
        phone=_outside(requests, requests.token["phone"], each),
        address=np.where(requests.token["address"] >= 0, np.where(address >= HUB, 0, address), np.nan),
        contacts=_outside(requests, requests.contact, requests.contact_row),
        contact_set=_outside(requests, together, each),
        alike=_alike(requests, within_employer, usual),
        burst=_burst(requests),
    )


def _outside(requests: Requests, key: IntArray, row: IntArray) -> FloatArray:
    """(n,) the most distinct others beyond the household who used one of the keys before; NaN where none was given.

    key: (m,) codes, -1 for none. row: (m,) application of each, never falling. A hub counts nobody.
    """
    person, address = requests.person[row], requests.token["address"][row]
    hub = others_before(key, person) >= HUB
    later, earlier = pairs_before(uses(np.where(hub, -1, key), requests.at[row]), most=MOST_USES)
    apart = (person[later] != person[earlier]) & ((address[later] != address[earlier]) | (address[later] < 0))
    later, earlier = later[apart], earlier[apart]
    distinct = np.unique(later * (len(requests.people) + 1) + person[earlier]) // (len(requests.people) + 1)
    count = np.bincount(distinct, minlength=len(key))
    given = np.bincount(row[key >= 0], minlength=requests.count) > 0
    return np.where(given, at_most(row, count, requests.count), np.nan)


def _compared(requests: Requests) -> tuple[IntArray, IntArray, FloatArray]:
    """(later, earlier, distance in logs) of two incomes declared by different persons for one employer."""
    employer = np.where(requests.income > 0, requests.token["employer"], -1)
    later, earlier = pairs_before(uses(employer, requests.at), TEMPLATE_WINDOW, MOST_WORKMATES)
    other = requests.person[later] != requests.person[earlier]
    later, earlier = later[other], earlier[other]
    return later, earlier, np.abs(np.log(requests.income[later] / requests.income[earlier]))


def alike_shares(requests: Requests) -> tuple[float, ...]:
    """Share of workmates' incomes within each of CLOSE of one another: round numbers and pay scales included."""
    _, _, apart = _compared(requests)
    return tuple(float((apart <= close).mean()) if len(apart) >= 100 else 0.0 for close in CLOSE)


def _alike(requests: Requests, within_employer: float, usual: Sequence[float]) -> FloatArray:
    """-log10 of the binomial tail of the workmates with an income alike, at the closeness that says most."""
    later, _, apart = _compared(requests)
    size = requests.count
    compared = np.bincount(later, minlength=size)
    most = np.zeros(size)
    for close, share in zip(CLOSE, usual, strict=True):
        alike = np.bincount(later[apart <= close], minlength=size)
        density = 2 * max(close, LEAST_CLOSE) / (within_employer * np.sqrt(2 * np.pi))
        chance = min(max(density, share), 0.999)
        tail = bdtrc(np.maximum(alike - 1, 0).astype(np.float64), np.maximum(compared, 1), chance)
        # As many closenesses are as many tries.
        most = np.maximum(most, np.where(alike > 0, -np.log10(np.clip(len(CLOSE) * tail, 1e-12, 1.0)), 0.0))
    return np.where(requests.income > 0, most, np.nan)


def _burst(requests: Requests) -> FloatArray:
    """The most applications of others within 30 days on one token; a token that is a hub does not count."""
    most, known = np.zeros(requests.count, np.int64), np.zeros(requests.count, bool)
    for name in ("device", "phone"):
        key = requests.token[name]
        most = np.maximum(most, _by_others(key, requests.person, requests.at))
        known |= key >= 0
    row = requests.contact_row
    by_contact = _by_others(requests.contact, requests.person[row], requests.at[row])
    most = np.maximum(most, at_most(row, by_contact, requests.count))
    known |= np.bincount(row, minlength=requests.count) > 0
    return np.where(known, most, np.nan).astype(np.float64)


def _by_others(key: IntArray, person: IntArray, at: IntArray) -> IntArray:
    own = np.where(key >= 0, key * (int(person.max(initial=0)) + 1) + person, -1)
    own = np.where(own >= 0, np.unique(own, return_inverse=True)[1], -1)
    count = count_before(uses(key, at), BURST) - count_before(uses(own, at), BURST)
    return np.where(others_before(key, person) >= HUB, 0, count)
