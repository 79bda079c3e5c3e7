"""One application, assessed when it arrives: the signals of `assess.find_signals` for a single row, in plain Python.

The column and this say the same of the same facts; tests hold one to the other. What other people did with the same
tokens comes as `Use`s, so that nothing here looks anything up.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from scipy.special import bdtrc

from evenkeel.decisions.assessment.assess import Norms
from evenkeel.decisions.assessment.burden import LOAN_MONTHS, LOAN_RATE_MONTHLY, MINIMUM_SHARE, REVOLVING
from evenkeel.decisions.assessment.contradictions import CHANGE_WINDOW, DRIFT_A_YEAR, MOST_EARLIER
from evenkeel.decisions.assessment.copies import (
    BURST,
    CLOSE,
    HUB,
    LEAST_CLOSE,
    MOST_USES,
    MOST_WORKMATES,
    TEMPLATE_WINDOW,
)
from evenkeel.decisions.assessment.forgery import SIGNS
from evenkeel.decisions.assessment.income import CLIP, GROUPS, LEAST_MONTHS, LOW_Z, MONTHS, SEEN_SPREAD, SHRINK, Peers
from evenkeel.decisions.assessment.requests import DAY

MOST_READ: Final = 2 * MOST_USES  # uses of one token, the newest, that are read; a hub shows itself in fewer
CONTACTS: Final = "contacts"  # the kind of token that stands for all contacts of an application together
_FACTS: Final = ("employer", "address", "phone", "dependants")

Token = tuple[str, str]  # kind (device, phone, address, employer, contact, contacts) and the keyed hash


class Said(NamedTuple):
    """What an application said. at: seconds since 1970. income: minor units a month. groups: by income.GROUPS."""

    at: int
    income: int | None = None
    device: str | None = None
    phone: str | None = None
    address: str | None = None
    employer: str | None = None
    contacts: tuple[str, ...] = ()
    dependants: int | None = None
    lines: int | None = None
    groups: tuple[str | None, ...] = (None,) * len(GROUPS)

    def tokens(self) -> list[Token]:
        """Everything that others may have named too."""
        named = [(kind, getattr(self, kind)) for kind in ("device", "phone", "address", "employer")]
        contacts = sorted(set(self.contacts))
        together = [(CONTACTS, " ".join(contacts))] if len(contacts) > 1 else []
        return [(kind, token) for kind, token in named if token] + [("contact", one) for one in contacts] + together


class Use(NamedTuple):
    """A token in an application. seen: the income seen then; usual: what is usual among peers, without workmates."""

    at: int
    borrower: str
    address: str | None
    income: int | None
    seen: int | None
    usual: int | None


Uses = Mapping[Token, Sequence[Use]]  # of each token, in the order of time


@dataclass(frozen=True, slots=True)
class Peer:
    """What is usual among peers: minor units a month, and how many workmates whose income was seen speak for it."""

    usual: int | None
    workmates: int = 0


# ---- Income --------------------------------------------------------------------------------------------------------


def seen_income(paid: Iterable[tuple[int, int]], month: int) -> int | None:
    """Income a month that is seen: the mean of the months with income among the last six, three at least.

    paid: (number of the month in which it was known, amount) of incomes and deposits. month: the application's.
    """
    sums: dict[int, int] = {}
    for known, amount in paid:
        if month - MONTHS <= known < month and amount > 0:
            sums[known] = sums.get(known, 0) + amount
    return round(sum(sums.values()) / len(sums)) if len(sums) >= LEAST_MONTHS else None


def usual_income(groups: Sequence[str | None], peers: Peers) -> int | None:
    """What is usual by region, industry and occupation; None without peers."""
    if peers.people == 0:
        return None
    parts = (peers.effects.get(name, {}).get(value, 0.0) for name, value in zip(GROUPS, groups, strict=True) if value)
    return round(math.exp(peers.level + sum(parts)))


def among_peers(borrower: str, usual: int | None, workmates: Sequence[Use], peers: Peers) -> Peer:
    """The same, moved by workmates whose income was seen: each by the first application that shows it."""
    if usual is None:
        return Peer(None)
    bound, total, counted = CLIP * peers.spread, 0.0, set()
    for use in workmates:
        if use.borrower not in counted and use.borrower != borrower and use.seen and use.usual:
            counted.add(use.borrower)
            total += min(max(math.log(use.seen / use.usual), -bound), bound)
    return Peer(round(usual * math.exp(total / (len(counted) + SHRINK))), len(counted))


def peer_spread(peer: Peer, peers: Peers) -> float:
    """Standard deviation of log incomes among these peers."""
    closeness = peer.workmates / (peer.workmates + SHRINK)
    return math.sqrt(closeness * peers.within_employer**2 + (1 - closeness) * peers.spread**2)


def income_interval(declared: int | None, seen: int | None, peer: Peer, peers: Peers) -> tuple[int | None, int | None]:
    """(low, middle) of `income.assess_income`, in whole minor units; None where nothing is known."""
    told = math.log(declared) - peers.overstated if declared else None
    if seen:
        middle, width = math.log(seen), SEEN_SPREAD
    else:
        centre = math.log(peer.usual) if peer.usual else None
        weights = (1 / (2 * peers.declared_spread) ** 2 if told is not None else 0.0,
                   1 / peer_spread(peer, peers) ** 2 if centre is not None else 0.0)  # fmt: skip
        if not sum(weights):
            return None, None
        held = told or 0.0
        if centre is not None:
            held = min(held, centre + LOW_Z * peer_spread(peer, peers))
        middle = (held * weights[0] + (centre or 0.0) * weights[1]) / sum(weights)
        width = 1 / math.sqrt(sum(weights))
    return round(math.exp(middle - LOW_Z * width)), round(math.exp(middle))


def service_asked(product: str, amount_minor: int) -> int:
    """What an amount will ask for a month, before an offer is priced (burden.service_of), rounded up."""
    annuity = LOAN_RATE_MONTHLY / (1 - (1 + LOAN_RATE_MONTHLY) ** -LOAN_MONTHS)
    return math.ceil(amount_minor * (MINIMUM_SHARE if product in REVOLVING else annuity))


# ---- Signs ---------------------------------------------------------------------------------------------------------

Values = dict[str, float | None]  # by the names of forgery.SIGNS; None is silent


def own_signs(
    said: Said, earlier: Sequence[Said], seen: int | None, peer: Peer, mismatches: int | None, lines: int | None,
    norms: Norms,
) -> Values:  # fmt: skip
    """What one person's own record says. earlier: applications of the same person, in the order of time.

    mismatches: checks of identity that did not match, None where nothing was checked. lines: known to be open.
    """
    peers = norms.peers
    told = math.log(said.income) - peers.overstated if said.income else None
    over_seen = told - math.log(seen) if told is not None and seen else None
    over_peers = None
    if told is not None and over_seen is None and peer.usual:
        over_peers = (told - math.log(peer.usual)) / peer_spread(peer, peers)
    restated = _restated(said, earlier)
    changed, returned = _changed(said, earlier)
    return {
        "declared_over_seen": over_seen,
        "declared_over_peers": over_peers,
        "restated": None if restated is None else restated / norms.noise,
        "facts_changed": changed,
        "facts_returned": returned,
        "applications_1d": _count(earlier, said.at - DAY),
        "applications_90d": _count(earlier, said.at - 90 * DAY),
        "identity_mismatch": mismatches,
        "lines_hidden": None if lines is None or said.lines is None else max(lines - said.lines, 0),
    }


def shared_signs(borrower: str, said: Said, uses: Uses, norms: Norms) -> Values:
    """What others did before with what this application names."""
    contacts = [("contact", one) for one in set(said.contacts)]
    together = [token for token in said.tokens() if token[0] == CONTACTS]
    address = None
    if said.address:
        address = len({use.borrower for use in uses.get(("address", said.address), ())} - {borrower})
        address = 0 if address >= HUB else address
    bursting = [*_named(said, "device"), *_named(said, "phone"), *contacts]
    return {
        "shared_device": _outside(borrower, said, _named(said, "device"), uses),
        "shared_phone": _outside(borrower, said, _named(said, "phone"), uses),
        "shared_address": address,
        "shared_contacts": _outside(borrower, said, contacts, uses),
        "same_contacts": _outside(borrower, said, together, uses),
        "incomes_alike": _alike(borrower, said, uses, norms),
        "burst": max((_burst(borrower, said, uses.get(token, ())) for token in bursting), default=None),
    }


def levels(values: Values) -> list[int | None]:
    """The level of each of SIGNS, None where it is silent."""
    given = [values.get(sign.name) for sign in SIGNS]
    return [
        None if value is None else bisect_right(sign.bounds, value) for sign, value in zip(SIGNS, given, strict=True)
    ]


def _named(said: Said, kind: str) -> list[Token]:
    token = getattr(said, kind)
    return [(kind, token)] if token else []


def _count(earlier: Sequence[Said], since: int) -> int:
    return sum(one.at >= since for one in earlier)


def _restated(said: Said, earlier: Sequence[Said]) -> float | None:
    if not said.income:
        return None
    apart = [
        max(abs(math.log(said.income / one.income)) - DRIFT_A_YEAR * (said.at - one.at) / (365.25 * DAY), 0.0)
        for one in [one for one in earlier if one.income][-MOST_EARLIER:]
        if one.income
    ]
    return max(apart, default=None)


def _changed(said: Said, earlier: Sequence[Said]) -> tuple[int | None, int | None]:
    """(facts that differ from an earlier statement, facts that left a value and came back to it)."""
    compared = [one for one in earlier if one.at >= said.at - CHANGE_WINDOW][-MOST_EARLIER:]
    if not compared:
        return None, None
    changed = returned = 0
    for name in _FACTS:
        now = getattr(said, name)
        if now is None:
            continue
        alike = [getattr(one, name) == now for one in compared if getattr(one, name) is not None]
        changed += not all(alike)
        returned += any(same and not all(alike[place:]) for place, same in enumerate(alike))
    return changed, returned


def _hub(borrower: str, uses: Sequence[Use]) -> bool:
    return len({use.borrower for use in uses} - {borrower}) >= HUB


def _outside(borrower: str, said: Said, tokens: Sequence[Token], uses: Uses) -> int | None:
    """The most distinct others beyond the household who used one of the tokens before; a hub counts nobody."""
    if not tokens:
        return None
    most = 0
    for token in tokens:
        used = uses.get(token, ())
        if not _hub(borrower, used):
            others = {one.borrower for one in used[-MOST_USES:] if said.address is None or one.address != said.address}
            most = max(most, len(others - {borrower}))
    return most


def _burst(borrower: str, said: Said, used: Sequence[Use]) -> int:
    if _hub(borrower, used):
        return 0
    return sum(one.borrower != borrower and one.at >= said.at - BURST for one in used)


def _alike(borrower: str, said: Said, uses: Uses, norms: Norms) -> float | None:
    """-log10 of the chance that as many workmates of 90 days declare an income alike (copies._alike)."""
    if not said.income:
        return None
    declared = [one for one in uses.get(("employer", said.employer or ""), ()) if one.income][-MOST_WORKMATES:]
    apart = [
        abs(math.log(said.income / one.income))
        for one in declared
        if one.income and one.borrower != borrower and one.at >= said.at - TEMPLATE_WINDOW
    ]
    most = 0.0
    for close, share in zip(CLOSE, norms.alike, strict=True):
        alike = sum(distance <= close for distance in apart)
        if alike:
            density = 2 * max(close, LEAST_CLOSE) / (norms.peers.within_employer * math.sqrt(2 * math.pi))
            tail = float(bdtrc(float(alike - 1), len(apart), min(max(density, share), 0.999)))
            most = max(most, -math.log10(min(max(len(CLOSE) * tail, 1e-12), 1.0)))
    return most
