"""What a household earns: an interval from what is seen and from peers, and how far the declared income lies above it.

Peers: log income = level + region + industry + occupation + employer, each a mean of clipped residuals shrunk by the
size of its group (n / (n + 5); Efron & Morris 1975), so that a group of two says little. The first four are learned
from people once and are data (`Peers`); the employer's part rests on workmates whose income is seen and who applied
before.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import day_months
from evenkeel.decisions.assessment.requests import FloatArray, IntArray, Requests, numbers, told_events

GROUPS: Final = ("region", "industry", "occupation")
SHRINK: Final = 5.0
CLIP: Final = 2.5  # robust standard deviations beyond which a residual counts no further
LEAST_SPREAD: Final = 0.10  # of log incomes among peers: nothing is known more closely than by a tenth
SEEN_SPREAD: Final = 0.12  # of an income seen: months differ, and so does what reaches the account
MONTHS: Final = 6
LEAST_MONTHS: Final = 3
LOW_Z: Final = 1.2815515655446004  # the normal quantile of 90 %: the interval holds 80 %


@dataclass(frozen=True, slots=True)
class Peers:
    """log income of people by group, in natural logs of minor units a month.

    effects: of each value of GROUPS, shrunk. spread: robust standard deviation of what is left, within_employer: among
    workmates. overstated: median of declared over seen, in logs; declared_spread: its robust standard deviation.
    people: how many it was learned from; none leaves everything unknown.
    """

    level: float
    effects: Mapping[str, Mapping[str, float]]
    spread: float
    within_employer: float
    overstated: float
    declared_spread: float
    people: int

    def document(self) -> dict[str, Any]:
        """Its content as JSON takes it."""
        return {
            "level": self.level, "effects": {name: dict(part) for name, part in self.effects.items()},
            "spread": self.spread, "within_employer": self.within_employer, "overstated": self.overstated,
            "declared_spread": self.declared_spread, "people": self.people,
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Peers:
        """What `document` gave."""
        return cls(**document)


# Without people to learn from: a spread as among Chinese wage earners, declared a little too high (judgement).
NO_PEERS: Final = Peers(float("nan"), {}, 0.45, 0.40, 0.05, 0.20, 0)


def robust_spread(values: FloatArray) -> float:
    """1.4826 x the median distance from the median: the standard deviation of the middle, untouched by outliers."""
    known = values[np.isfinite(values)]
    return float(1.4826 * np.median(np.abs(known - np.median(known)))) if len(known) else float("nan")


def seen_monthly(requests: Requests, people: pa.Table | None, events: pa.Table | None, zone: str) -> FloatArray:
    """(n,) income a month, in minor units, that is verified, else seen on accounts; NaN where neither is.

    Seen: `income` and `deposit` events by the month in which they were known (booked, if that was later), over the six
    months before the application's month, in at least three of which there was one; months from the first on count.
    """
    verified = _of_person(requests, people, "income_verified_minor")
    observed = _observed(requests, events, zone)
    return np.where(verified > 0, verified, observed)


def _of_person(requests: Requests, people: pa.Table | None, name: str) -> FloatArray:
    if people is None:
        return np.full(requests.count, np.nan)
    place = pc.index_in(requests.people, people["borrower_id"].combine_chunks())
    return numbers(pa.table({name: people[name].combine_chunks().take(place)}), name)[requests.person]


def _observed(requests: Requests, events: pa.Table | None, zone: str) -> FloatArray:
    """Mean of the months with income among the last six; three at least."""
    if events is None:
        return np.full(requests.count, np.nan)
    borrower, known, amount = told_events(events, ("income", "deposit"))
    owner = pc.index_in(borrower, requests.people).fill_null(-1).to_numpy().astype(np.int64)
    owner[~(amount > 0)] = -1
    month = day_months(known, zone).to_numpy().astype(np.int16)
    now = day_months(requests.table["submitted_at"], zone).to_numpy().astype(np.int16)
    paid_in, asked_in = (np.argsort(months, kind="stable") for months in (month, now))  # int16: counted, not compared
    paid_in = paid_in[owner[paid_in] >= 0]
    size = len(requests.people)
    window: deque[FloatArray] = deque(maxlen=MONTHS)
    mean = np.full(requests.count, np.nan)
    if requests.count == 0 or len(paid_in) == 0:
        return mean
    owner, amount = owner[paid_in], amount[paid_in]
    span = np.arange(int(now.min()) - MONTHS, int(now.max()) + 2, dtype=np.int16)
    paid_from, asked_from = np.searchsorted(month[paid_in], span), np.searchsorted(now[asked_in], span)
    # One pass over the months, the last six sums of every person at hand.
    for place in range(len(span) - 1):
        asked = asked_in[asked_from[place] : asked_from[place + 1]]
        if len(asked) and len(window):
            sums = np.stack(window)[:, requests.person[asked]]
            months = (sums > 0).sum(axis=0)
            mean[asked] = np.where(months >= LEAST_MONTHS, sums.sum(axis=0) / np.maximum(months, 1), np.nan)
        rows = slice(paid_from[place], paid_from[place + 1])
        window.append(np.bincount(owner[rows], amount[rows], size).astype(np.float64))
    return mean


def learn_peers(requests: Requests, people: pa.Table | None, seen: FloatArray) -> Peers:
    """Peers from each person's newest application: the income seen, else the declared one less the usual overstating.

    seen: (n,) of seen_monthly. Three rounds of backfitting on clipped residuals.
    """
    newest = np.zeros(len(requests.people), np.int64)
    np.maximum.at(newest, requests.person, np.arange(requests.count))
    declared, known = requests.income[newest], seen[newest]
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.log(np.where(declared > 0, declared, np.nan))
        proved = np.log(np.where(known > 0, known, np.nan))
    gap = told - proved
    enough = int(np.isfinite(gap).sum()) >= 30
    overstated = float(np.nanmedian(gap)) if enough else NO_PEERS.overstated
    declared_spread = max(robust_spread(gap), LEAST_SPREAD) if enough else NO_PEERS.declared_spread
    value = np.where(np.isfinite(proved), proved, told - overstated)
    given = np.isfinite(value)
    if given.sum() < 30:
        return NO_PEERS
    groups = {name: _group(requests, people, name, newest[given]) for name in GROUPS}
    value = value[given]
    level = float(np.median(value))
    left = value - level
    effects: dict[str, FloatArray] = {name: np.zeros(len(names)) for name, (_, names) in groups.items()}
    for _ in range(3):
        for name, (code, _) in groups.items():
            left = left + _at(effects[name], code)
            effects[name] = _shrunk(left, code, len(effects[name]))
            left = left - _at(effects[name], code)
    employer = requests.token["employer"][newest[given]]
    own = left - _at(_shrunk(left, employer, int(employer.max(initial=-1)) + 1), employer)
    return Peers(
        level,
        {name: dict(zip(names, effects[name].tolist(), strict=True)) for name, (_, names) in groups.items()},
        max(robust_spread(left), LEAST_SPREAD), max(robust_spread(own), LEAST_SPREAD), overstated, declared_spread,
        int(given.sum()),
    )  # fmt: skip


def _group(requests: Requests, people: pa.Table | None, name: str, rows: IntArray) -> tuple[IntArray, list[str]]:
    """(code of each row, -1 for unknown; the values) of a column of people."""
    if people is None or name not in people.column_names:
        return np.full(len(rows), -1), []
    values = people[name].combine_chunks().dictionary_encode()
    place = pc.index_in(requests.people, people["borrower_id"].combine_chunks())
    code = values.indices.take(place).fill_null(-1).to_numpy().astype(np.int64)
    return code[requests.person[rows]], values.dictionary.to_pylist()


def _at(effects: FloatArray, code: IntArray) -> FloatArray:
    return np.where(code >= 0, np.append(effects, 0.0)[code], 0.0)


def _shrunk(left: FloatArray, code: IntArray, size: int) -> FloatArray:
    """Mean of the clipped residuals of each group, shrunk to 0 by its size."""
    bound = CLIP * max(robust_spread(left), LEAST_SPREAD)
    held, known = np.clip(left, -bound, bound), code >= 0
    total = np.bincount(code[known], held[known], size)
    result: FloatArray = total / (np.bincount(code[known], minlength=size) + SHRINK)
    return result


@dataclass(frozen=True, slots=True)
class Income:
    """(n,) each, minor units a month, NaN where not known.

    low, middle, high: 10 %, 50 %, 90 % of what the household earns by what is seen, else by peers and the declared
    income weighed by how closely each is known; what is declared never raises the middle above the peers' high end.
    excess: share of the declared income that lies above high. seen: as given. over_seen, over_peers: ln of declared
    over seen, less the usual overstating, and over peers in standard deviations.
    """

    low: FloatArray
    middle: FloatArray
    high: FloatArray
    excess: FloatArray
    seen: FloatArray
    over_seen: FloatArray
    over_peers: FloatArray


def assess_income(requests: Requests, people: pa.Table | None, seen: FloatArray, peers: Peers) -> Income:
    """The interval of each application's income. people: the contract's `borrowers`, or None."""
    with np.errstate(divide="ignore", invalid="ignore"):
        told = np.log(np.where(requests.income > 0, requests.income, np.nan)) - peers.overstated
        proved = np.log(np.where(seen > 0, seen, np.nan))
    centre, spread = _peer_income(requests, people, proved, peers)
    weight_told = np.where(np.isfinite(told), 1 / (2 * peers.declared_spread) ** 2, 0.0)
    weight_peers = np.where(np.isfinite(centre), 1 / spread**2, 0.0)
    # What is declared stands alone only where nothing else is known, and then with a wide interval.
    held = np.minimum(np.nan_to_num(told), np.where(np.isfinite(centre), centre + LOW_Z * spread, np.inf))
    weight = weight_told + weight_peers
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = (held * weight_told + np.nan_to_num(centre) * weight_peers) / weight
        width = np.where(weight > 0, 1 / np.sqrt(weight), np.nan)
    middle = np.where(np.isfinite(proved), proved, middle)
    width = np.where(np.isfinite(proved), SEEN_SPREAD, width)
    low, high = np.exp(middle - LOW_Z * width), np.exp(middle + LOW_Z * width)
    with np.errstate(divide="ignore", invalid="ignore"):
        excess = np.maximum(1 - high / np.where(requests.income > 0, requests.income, np.nan), 0.0)
    return Income(low, np.exp(middle), high, excess, seen, told - proved, (told - centre) / spread)


def _peer_income(
    requests: Requests, people: pa.Table | None, proved: FloatArray, peers: Peers
) -> tuple[FloatArray, FloatArray]:
    """(log income by peers, its standard deviation) of each application; NaN where there are no peers."""
    size = requests.count
    if peers.people == 0:
        return np.full(size, np.nan), np.full(size, peers.spread)
    centre = np.full(size, peers.level)
    rows = np.arange(size)
    for name in GROUPS:
        code, names = _group(requests, people, name, rows)
        part = peers.effects.get(name, {})
        centre += _at(np.array([part.get(value, 0.0) for value in names]), code)
    total, count = _workmates(requests, proved - centre, CLIP * peers.spread)
    closeness = count / (count + SHRINK)
    spread = np.sqrt(closeness * peers.within_employer**2 + (1 - closeness) * peers.spread**2)
    return centre + total / (count + SHRINK), spread


def _workmates(requests: Requests, left: FloatArray, bound: float) -> tuple[FloatArray, FloatArray]:
    """Sum and count of the clipped residuals of other persons who named the employer before, each by the first seen."""
    employer = requests.token["employer"]
    total, count = np.zeros(requests.count), np.zeros(requests.count)
    usable = np.flatnonzero((employer >= 0) & np.isfinite(left))
    pair = employer * (len(requests.people) + 1) + requests.person
    _, first = np.unique(pair[usable], return_index=True)
    entry = np.zeros(requests.count, bool)
    entry[usable[first]] = True
    order = np.argsort(employer, kind="stable")
    order = order[np.searchsorted(employer[order], 0) :]
    if len(order) == 0:
        return total, count
    fresh = np.append(True, employer[order][1:] != employer[order][:-1])
    base = np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))
    held = np.where(entry, np.clip(np.nan_to_num(left), -bound, bound), 0.0)
    for into, values in ((total, held), (count, entry.astype(np.float64))):
        before = np.cumsum(values[order]) - values[order]
        own = _own_before(pair[order], values[order])
        into[order] = before - before[base] - own
    return total, count


def _own_before(pair: IntArray, values: FloatArray) -> FloatArray:
    """Sum of the same pair's earlier values, in the order given."""
    order = np.argsort(pair, kind="stable")
    fresh = np.append(True, pair[order][1:] != pair[order][:-1])
    base = np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))
    before = np.cumsum(values[order]) - values[order]
    result = np.zeros(len(pair))
    result[order] = before - before[base]
    return result


def declared_on_file(requests: Requests, people: pa.Table | None) -> tuple[IntArray, FloatArray, IntArray]:
    """(person, declared income, day number) of what the borrowers' own records say and when they were made."""
    if people is None or "income_declared_minor" not in people.column_names:
        return np.empty(0, np.int64), np.empty(0), np.empty(0, np.int64)
    place = pc.index_in(people["borrower_id"].combine_chunks(), requests.people).fill_null(-1)
    person, told = place.to_numpy().astype(np.int64), numbers(people, "income_declared_minor")
    created = people["created_on"].combine_chunks().cast(pa.int32()).fill_null(np.iinfo(np.int32).min)
    known = (person >= 0) & (told > 0)
    return person[known], told[known], created.to_numpy().astype(np.int64)[known]
