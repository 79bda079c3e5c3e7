"""The verdict on identity for a column of applications, each as it stood at its own instant."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.decisions.identity.verification import (
    MATCH_DAYS,
    REQUIRED,
    CheckKind,
    CheckResult,
    verdict_codes,
)
from evenkeel.kernel.errors import InvalidInput

IntArray = npt.NDArray[np.int64]

_DAY = 86_400_000_000  # microseconds
_UNAVAILABLE = tuple(CheckResult).index(CheckResult.UNAVAILABLE)


def identities(
    borrower_ids: pa.Array,
    at: IntArray,
    checks: pa.Table,
    required: Collection[CheckKind] = REQUIRED,
    days: Mapping[CheckKind, int] = MATCH_DAYS,
) -> npt.NDArray[np.int8]:
    """`verdict(standing(checks of the borrower, at))` for each row: (n,) places in Identity.

    borrower_ids: (n,) texts. at: (n,) instants in microseconds since 1970, UTC; a check made later is not known yet.
    checks: the contract's `identity_checks`. Raises InvalidInput if a kind or result is not of the contract.
    """
    encoded = borrower_ids.cast(pa.large_string()).dictionary_encode()
    person = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    owner = pc.index_in(checks["borrower_id"].cast(pa.large_string()), value_set=encoded.dictionary)
    made = checks["checked_at"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
    kind, result = _places(checks, "kind", CheckKind), _places(checks, "result", CheckResult)
    instants, rank = np.unique(np.concatenate((made, at)), return_inverse=True)
    # Borrower and instant in one number, so that one search finds the newest check of that borrower up to then.
    owned = owner.fill_null(-1).to_numpy().astype(np.int64)
    check_key, key = owned * len(instants) + rank[: len(made)], person * len(instants) + rank[len(made) :]
    table = np.full((len(at), len(CheckKind)), -1, np.int8)
    for column, name in enumerate(CheckKind):
        since = at - days[name] * _DAY
        for answered in (False, True):  # an answer replaces a failure to answer, never the other way round
            rows = np.flatnonzero((owned >= 0) & (kind == column) & ((result != _UNAVAILABLE) == answered))
            rows = rows[np.argsort(check_key[rows], kind="stable")]
            if len(rows) == 0:
                continue
            place = np.searchsorted(check_key[rows], key, side="right") - 1
            newest = rows[np.maximum(place, 0)]
            found = (place >= 0) & (owned[newest] == person) & (made[newest] >= since)
            table[found, column] = result[newest[found]]
    return verdict_codes(table, required)


def _places(checks: pa.Table, name: str, words: type[CheckKind] | type[CheckResult]) -> IntArray:
    found = pc.index_in(checks[name].cast(pa.string()), value_set=pa.array([str(word) for word in words]))
    if found.null_count:
        raise InvalidInput(f"`{name}` of identity_checks is one of {', '.join(words)} in every row.")
    places: IntArray = found.to_numpy().astype(np.int64)
    return places
