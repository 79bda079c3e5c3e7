"""Who shares what with whom: borrowers joined by devices, addresses, phones and contacts, as of each application.

A borrower's own phone and the contacts that others name are one kind: a contact who applies is the same person.

**Hubs.** A shop's telephone, a dormitory or a clinic's address would join half a town. So an attribute joins the first
`CAPS[kind]` borrowers who name it, in the order of (instant, borrower id), and nobody after them; those who come later
are told that they touch a hub. At every instant this is decided by earlier applications alone, and what is joined stays
joined, so one pass over the applications gives the cluster at each of them (union-find), and the same rule in SQL gives
it for one new application (`store.neighbourhood`). The price: the first few customers of a shop remain joined.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.kernel.errors import InvalidInput

IntArray = npt.NDArray[np.int64]
CodeArray = npt.NDArray[np.int32]


class LinkKind(StrEnum):
    """What people can share."""

    DEVICE = "device"
    ADDRESS = "address"
    PHONE = "phone"


# The most borrowers that one attribute joins: a family's device and phone, a house with its lodgers.
CAPS: Mapping[LinkKind, int] = {LinkKind.DEVICE: 8, LinkKind.ADDRESS: 20, LinkKind.PHONE: 8}

GROWTH_DAYS = 30  # within which a member is new
_DAY = 86_400_000_000  # microseconds

MOST_COUNTED = 200  # members; new members of a larger cluster are not counted, and it is not read whole

COLUMNS: Mapping[str, LinkKind] = {
    "device_token": LinkKind.DEVICE, "address_token": LinkKind.ADDRESS, "phone_token": LinkKind.PHONE,
    "contact_tokens": LinkKind.PHONE,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Clusters:
    """Clusters of borrowers over n applications, row for row as the table was.

    size: (n,) int32, borrowers in the cluster at this application, the applicant included. newcomers: (n,) int32, of
    them those who first named an attribute less than 30 days before; -1 where size is over 200. hubs: (n,) int16,
    attributes of this application that are hubs to it. label: (n,) int32, the cluster after all applications, from 0.
    link_borrower, link_attribute: (l,) int32, what joins: places in `borrowers`, and in the attributes of `attribute`.
    """

    size: CodeArray
    newcomers: CodeArray
    hubs: npt.NDArray[np.int16]
    label: CodeArray
    borrowers: pa.Array
    link_borrower: CodeArray
    link_attribute: CodeArray
    _attributes: tuple[tuple[LinkKind, pa.Array], ...]
    _label_of: CodeArray

    def attribute(self, place: int) -> tuple[LinkKind, str]:
        """The kind and token of an attribute."""
        for kind, tokens in self._attributes:
            if place < len(tokens):
                return kind, tokens[place].as_py()
            place -= len(tokens)
        raise InvalidInput(f"there is no attribute {place} more.")

    def edges(self, label: int) -> list[tuple[LinkKind, str, list[str]]]:
        """What joins one cluster: each attribute that two of its borrowers or more share, with these borrowers."""
        links = np.flatnonzero(self._label_of[self.link_borrower] == label)
        shared: dict[int, list[str]] = {}
        for link in links.tolist():
            shared.setdefault(int(self.link_attribute[link]), []).append(
                self.borrowers[int(self.link_borrower[link])].as_py()
            )
        return [(*self.attribute(place), who) for place, who in sorted(shared.items()) if len(who) > 1]


def clusters(applications: pa.Table, caps: Mapping[LinkKind, int] = CAPS) -> Clusters:
    """Clusters at every application, from this and earlier ones alone.

    applications: `borrower_id`, `submitted_at` and any of device_token, address_token, phone_token, contact_tokens, as
    in the contract; a null token joins nobody. Raises InvalidInput if the first two are missing or hold nulls.
    """
    for name in ("borrower_id", "submitted_at"):
        if name not in applications.column_names or applications[name].null_count:
            raise InvalidInput(f"`{name}` of applications is needed in every row.")
    borrower, borrowers = _codes(_flat(applications["borrower_id"]))
    instant = _microseconds(applications["submitted_at"])
    order = _order(instant, applications["borrower_id"])
    first, attribute, cap, attributes = _named(applications, caps, order)
    instant = instant[order]
    recent = np.searchsorted(instant, instant - GROWTH_DAYS * _DAY, side="right").astype(np.int32)
    sizes, newcomers, hubs, label_of, links = _joined()(
        borrower[order], recent, first, attribute, cap, len(borrowers), MOST_COUNTED
    )
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    return Clusters(sizes[back], newcomers[back], hubs[back], label_of[borrower], borrowers, links[:, 0], links[:, 1],
                    attributes, label_of)  # fmt: skip


def _named(
    applications: pa.Table, caps: Mapping[LinkKind, int], order: IntArray
) -> tuple[CodeArray, CodeArray, CodeArray, tuple[tuple[LinkKind, pa.Array], ...]]:
    """Every naming of an attribute, application after application in the order given.

    Returns (n + 1,) where the namings of each application begin, their attributes, the cap of each attribute, and the
    attributes by kind.
    """
    columns: list[tuple[CodeArray, CodeArray]] = []
    limits, attributes, before = [], [], 0
    for kind in LinkKind:
        named = [_tokens(applications[name]) for name, its in COLUMNS.items()
                 if its is kind and name in applications.column_names]  # fmt: skip
        if named:
            code, distinct = _codes(pa.concat_arrays([tokens for _, tokens in named]))
            ends = np.cumsum([len(tokens) for _, tokens in named])
            columns += zip((counts for counts, _ in named), np.split(code + np.int32(before), ends[:-1]), strict=True)
            limits.append(np.full(len(distinct), caps[kind], np.int32))
            attributes.append((kind, distinct))
            before += len(distinct)
    total = sum((counts for counts, _ in columns), np.zeros(len(order), np.int32))
    first = np.zeros(len(order) + 1, np.int32)
    np.cumsum(total[order], out=first[1:])
    place, attribute = np.empty(len(order), np.int32), np.empty(first[-1], np.int32)
    place[order] = first[:-1]
    for counts, code in columns:
        start = np.cumsum(counts, dtype=np.int32) - counts
        attribute[np.repeat(place - start, counts) + np.arange(len(code), dtype=np.int32)] = code
        place += counts
    return first, attribute, np.concatenate(limits or [np.zeros(0, np.int32)]), tuple(attributes)


def _tokens(column: pa.ChunkedArray) -> tuple[CodeArray, pa.Array]:
    """(n,) how many tokens stand in each row of a column of texts or of lists, and these tokens."""
    array = column.combine_chunks()
    count, row = len(array), None
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        row, array = pc.list_parent_indices(array).to_numpy(), pc.list_flatten(array)
    there = array.is_valid().to_numpy(zero_copy_only=False)
    counts = there if row is None else np.bincount(row[there], minlength=count)
    return counts.astype(np.int32), _flat(array.drop_null())


def _flat(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    return array.cast(pa.large_string())


def _codes(texts: pa.Array) -> tuple[CodeArray, pa.Array]:
    """(n,) int32 places in the distinct texts, and these."""
    encoded = texts.dictionary_encode()
    return encoded.indices.to_numpy(zero_copy_only=False), encoded.dictionary


def _microseconds(instants: pa.ChunkedArray) -> IntArray:
    if not pa.types.is_timestamp(instants.type):
        raise InvalidInput(f"`submitted_at` holds {instants.type}, not instants.")
    values: IntArray = instants.cast(pa.timestamp("us", instants.type.tz)).cast(pa.int64()).combine_chunks().to_numpy()
    return values


def _order(instant: IntArray, borrower_ids: pa.ChunkedArray) -> IntArray:
    """Rows by (instant, borrower id in the order of its bytes); the ids are compared only where instants are equal."""
    order = np.argsort(instant, kind="stable")
    same = np.diff(instant[order]) == 0
    tied = np.flatnonzero(np.append(same, False) | np.insert(same, 0, False))
    if len(tied):
        rows = order[tied]
        rank = pc.rank(borrower_ids.take(pa.array(rows)).combine_chunks().cast(pa.large_binary()), tiebreaker="dense")
        order[tied] = rows[np.lexsort((rank.to_numpy(), instant[rows]))]
    return order


@cache
def _joined() -> Any:
    """`_join` as machine code, kept on the disk after its first use on a machine."""
    import numba  # it takes half a second, which only clusters over many applications need

    return numba.njit(cache=True, nogil=True)(_join)


def _join(  # type: ignore[no-untyped-def]
    borrower, recent, first, attribute, cap, borrowers, most
):
    """One pass over applications in order: union-find over borrowers, with the members of a cluster in a ring.

    recent: (n,) the first application whose borrower is new at this one. first: (n + 1,) where an application's
    attributes begin. An attribute's members are a list of at most its cap. What is read together lies together: a
    million clusters are a million cache misses.
    """
    count = len(borrower)
    people = np.empty((borrowers, 4), np.int32)  # parent, next in the ring, size of the cluster, first application
    for who in range(borrowers):
        people[who, 0], people[who, 1], people[who, 2], people[who, 3] = who, who, 1, count
    heads = np.empty((len(cap), 2), np.int32)  # last link, how many
    heads[:, 0], heads[:, 1] = -1, 0
    links = np.empty((len(attribute), 3), np.int32)  # borrower, attribute, the link before
    made = 0
    sizes, newcomers, hubs = np.empty(count, np.int32), np.full(count, -1, np.int32), np.zeros(count, np.int16)
    for i in range(count):
        who = borrower[i]
        if first[i] < first[i + 1]:
            people[who, 3] = min(people[who, 3], i)
        for at in range(first[i], first[i + 1]):
            what = attribute[at]
            last = link = heads[what, 0]
            while link >= 0 and links[link, 0] != who:
                link = links[link, 2]
            if link >= 0:
                continue
            if heads[what, 1] >= cap[what]:
                hubs[i] += 1
                continue
            links[made, 0], links[made, 1], links[made, 2] = who, what, last
            heads[what, 0] = made
            heads[what, 1] += 1
            made += 1
            a, b = who, who if last < 0 else links[last, 0]
            while people[a, 0] != a:
                people[a, 0] = people[people[a, 0], 0]
                a = people[a, 0]
            while people[b, 0] != b:
                people[b, 0] = people[people[b, 0], 0]
                b = people[b, 0]
            if a != b:
                if people[a, 2] < people[b, 2]:
                    a, b = b, a
                people[b, 0] = a
                people[a, 2] += people[b, 2]
                people[a, 1], people[b, 1] = people[b, 1], people[a, 1]
        root = who
        while people[root, 0] != root:
            root = people[root, 0]
        sizes[i] = people[root, 2]
        if people[root, 2] <= most:
            fresh, member = 0, who
            for _ in range(people[root, 2]):
                fresh += people[member, 3] >= recent[i]
                member = people[member, 1]
            newcomers[i] = fresh
    label, labels = np.empty(borrowers, np.int32), 0
    for who in range(borrowers):
        if people[who, 0] == who:
            label[who] = labels
            labels += 1
    for who in range(borrowers):
        root = who
        while people[root, 0] != root:
            root = people[root, 0]
        label[who] = label[root]
    return sizes, newcomers, hubs, label, links[:made]
