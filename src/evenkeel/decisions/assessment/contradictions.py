"""What one person says differently from one application to the next, and against checks of identity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.decisions.assessment.income import declared_on_file, robust_spread
from evenkeel.decisions.assessment.requests import (
    DAY,
    FloatArray,
    IntArray,
    Requests,
    codes,
    instants,
    pairs_before,
    uses,
)
from evenkeel.decisions.identity.column import identities
from evenkeel.decisions.identity.verification import Identity

MOST_EARLIER: Final = 8  # statements of one person that a new one is held against, the newest
DRIFT_A_YEAR: Final = 0.10  # incomes may move by as much a year, in logs, without contradicting
LEAST_NOISE: Final = 0.02  # of honest statements, in logs: nobody remembers an income more exactly
FACTS: Final = ("employer_token", "address_token", "phone_token", "x_dependants")
CHANGE_WINDOW: Final = 180 * DAY
UNDATED: Final = 10**6  # days before 1970 at which what has no day is placed
_MICROS: Final = 1_000_000  # microseconds of a second


@dataclass(frozen=True, slots=True)
class Contradictions:
    """(n,) each.

    restated: largest |ln| of the declared income over an earlier statement's, beyond drift; NaN without an earlier one.
    facts_changed: how many of employer, address, telephone and dependants differ from an application of the last 180
    days; facts_returned: how many changed and changed back; NaN without such an application. mismatches: identity
    checks that did not match, NaN without any check. identity: what the newest answer of each kind adds up to.
    """

    restated: FloatArray
    facts_changed: FloatArray
    facts_returned: FloatArray
    mismatches: FloatArray
    identity: pa.Array


def find_contradictions(requests: Requests, people: pa.Table | None, checks: pa.Table | None) -> Contradictions:
    """people: the contract's `borrowers`; checks: its `identity_checks`; None where not given."""
    changed, returned = _facts(requests)
    mismatches, identity = _identity(requests, checks)
    return Contradictions(_restated(requests, people), changed, returned, mismatches, identity)


@dataclass(frozen=True, slots=True)
class _Statements:
    """(s,) each, in order of time: who, when (seconds), the income, and the application, -1 for the own record."""

    person: IntArray
    at: IntArray
    income: FloatArray
    application: IntArray


def _statements(requests: Requests, people: pa.Table | None) -> _Statements:
    """A record of the borrower's counts from its day on; one without a day as it stands, from long ago."""
    person, told, day = declared_on_file(requests, people)
    at = np.concatenate((np.maximum(day, -UNDATED) * DAY, requests.at))
    application = np.concatenate((np.full(len(person), -1), np.arange(requests.count)))
    owner, income = np.concatenate((person, requests.person)), np.concatenate((told, requests.income))
    order = np.lexsort((application, at))
    order = order[income[order] > 0]
    return _Statements(owner[order], at[order], income[order], application[order])


def statement_noise(requests: Requests, people: pa.Table | None) -> float:
    """Standard deviation, in logs, of the middle of the differences between consecutive statements of one person."""
    told = _statements(requests, people)
    later, earlier = pairs_before(uses(told.person, told.at), most=1)
    if len(later) < 30:
        return 2 * LEAST_NOISE
    return max(robust_spread(np.log(told.income[later] / told.income[earlier])), LEAST_NOISE)


def _restated(requests: Requests, people: pa.Table | None) -> FloatArray:
    """Each application's declared income against those of the applications before it, and against the own record."""
    told = _statements(requests, people)
    later, earlier = pairs_before(uses(told.person, told.at), most=MOST_EARLIER)
    years = (told.at[later] - told.at[earlier]) / (365.25 * DAY)
    drift = DRIFT_A_YEAR * np.where(told.at[earlier] <= -UNDATED * DAY, 0, years)
    apart = np.maximum(np.abs(np.log(told.income[later] / told.income[earlier])) - drift, 0.0)
    largest = np.full(requests.count, -np.inf)
    mine = told.application[later] >= 0
    np.maximum.at(largest, told.application[later[mine]], apart[mine])
    return np.where(np.isfinite(largest), largest, np.nan)


def _facts(requests: Requests) -> tuple[FloatArray, FloatArray]:
    """(facts that differ from one of the last 180 days, facts that left a value and came back to it)."""
    later, earlier = pairs_before(uses(requests.person, requests.at), CHANGE_WINDOW, MOST_EARLIER)
    size = requests.count
    changed, returned = np.zeros(size), np.zeros(size)
    for name in FACTS:
        value = codes(requests.table, name)
        both = (value[later] >= 0) & (value[earlier] >= 0)
        differs, same = np.zeros(size, np.int64), np.zeros(size, np.int64)
        unlike = both & (value[later] != value[earlier])
        alike = both & ~unlike
        np.maximum.at(differs, later[unlike], earlier[unlike] + 1)
        np.maximum.at(same, later[alike], size - earlier[alike])
        changed += differs > 0
        # It came back: the oldest equal value is older than the newest that differs.
        returned += (differs > 0) & (same > 0) & (size - same < differs - 1)
    compared = np.bincount(later, minlength=size) > 0
    return np.where(compared, changed, np.nan), np.where(compared, returned, np.nan)


def _identity(requests: Requests, checks: pa.Table | None) -> tuple[FloatArray, pa.Array]:
    """Mismatches so far, NaN where nothing was checked, and the verdict on the checks (decisions/identity).

    A check belongs to the application of its own day: made by the end of the day (UTC) on which it was submitted.
    """
    words = pa.array([str(word) for word in Identity])
    if checks is None or checks.num_rows == 0:
        unknown = np.full(requests.count, list(Identity).index(Identity.UNVERIFIED))
        return np.full(requests.count, np.nan), words.take(pa.array(unknown))
    end = (requests.at // DAY + 1) * DAY
    moment = instants(checks["checked_at"])
    people = requests.people
    owner = pc.index_in(checks["borrower_id"].combine_chunks(), people).fill_null(-1).to_numpy().astype(np.int64)
    wrong = pc.equal(checks["result"], "mismatch").to_numpy(zero_copy_only=False)
    # Checks of one borrower lie together, in order of time: how many, and how many mismatches, before an instant.
    times, rank = np.unique(np.concatenate((moment, end)), return_inverse=True)
    check_key = owner * len(times) + rank[: len(moment)]
    order = np.argsort(check_key, kind="stable")
    sums = np.concatenate(([0], np.cumsum(wrong[order])))
    first = np.searchsorted(owner[order], requests.person, side="left")
    upto = np.searchsorted(check_key[order], requests.person * len(times) + rank[len(moment) :], side="left")
    count = sums[upto] - sums[first]
    mismatches = np.where(upto > first, count, np.nan).astype(np.float64)
    told = identities(people.take(pa.array(requests.person)), end * _MICROS - 1, checks)
    return mismatches, words.take(pa.array(told))
