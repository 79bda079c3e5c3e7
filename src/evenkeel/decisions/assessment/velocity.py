"""How many applications came lately, by the person and on its device, telephone and address: 1 hour to 90 days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from evenkeel.decisions.assessment.requests import (
    DAY,
    HOUR,
    FloatArray,
    IntArray,
    Requests,
    count_before,
    instants,
    pairs_before,
    uses,
)

WINDOWS: Final = {"1h": HOUR, "1d": DAY, "7d": 7 * DAY, "30d": 30 * DAY, "90d": 90 * DAY}
IN_FLIGHT: Final = 30 * DAY  # an application without an answer is no longer in flight after as long
MOST_EARLIER: Final = 500
KEYS: Final = ("person", "device", "phone", "address")


@dataclass(frozen=True, slots=True)
class Velocity:
    """counts: earlier applications by key and window, (n,) each, as counts["person"]["1h"].

    lenders_90d: distinct lenders asked in 90 days, this one included. in_flight: own applications without an answer
    yet; in_flight_minor: what they ask for, NaN where one does not say.
    """

    counts: dict[str, dict[str, IntArray]]
    lenders_90d: IntArray
    in_flight: IntArray
    in_flight_minor: FloatArray


def find_velocity(requests: Requests) -> Velocity:
    """Every count rests on applications submitted before."""
    keys = {"person": requests.person} | {name: requests.token[name] for name in KEYS[1:]}
    counts = {}
    for name, key in keys.items():
        used = uses(key, requests.at)
        counts[name] = {window: count_before(used, seconds) for window, seconds in WINDOWS.items()}
    in_flight, asked = _in_flight(requests)
    return Velocity(counts, _lenders(requests), in_flight, asked)


def _lenders(requests: Requests) -> IntArray:
    """A lender asked before counts where no later application before this one asked it again."""
    later, earlier = pairs_before(uses(requests.person, requests.at), WINDOWS["90d"], MOST_EARLIER)
    named = (requests.lender[later] >= 0) & (requests.lender[earlier] >= 0)
    later, earlier = later[named], earlier[named]
    width = int(requests.lender.max(initial=0)) + 1
    other = requests.lender[later] != requests.lender[earlier]
    distinct = np.unique(later[other] * width + requests.lender[earlier[other]]) // width
    return np.asarray(np.bincount(distinct, minlength=requests.count) + 1, np.int64)


def _in_flight(requests: Requests) -> tuple[IntArray, FloatArray]:
    later, earlier = pairs_before(uses(requests.person, requests.at), WINDOWS["90d"], MOST_EARLIER)
    if "decided_at" in requests.table.column_names:
        decided = instants(requests.table["decided_at"])
    else:
        decided = np.full(requests.count, np.iinfo(np.int64).min)
    answered = decided > np.iinfo(np.int64).min
    fresh = requests.at[later] - requests.at[earlier] <= IN_FLIGHT
    open_yet = np.where(answered[earlier], decided[earlier] > requests.at[later], fresh)
    later, earlier = later[open_yet], earlier[open_yet]
    asked = requests.amount("requested_minor")
    return (
        np.bincount(later, minlength=requests.count).astype(np.int64),
        np.bincount(later, asked[earlier], requests.count) + np.zeros(requests.count),
    )
