"""Watch lists: tokens that stand on a list, why, by whose word, and from when to when.

A list is data with its source. It holds keyed hashes, never names or numbers. A hit is a known fact with a provenance
and not a verdict: what it leads to is policy's, and `effect` is the least that it asks for.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from evenkeel.decisions.identity.verification import token_of
from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.ids import content_id

MOST_ENTRIES = 5_000_000  # of one list

_COLUMNS = ("kind", "token", "reason", "source", "from", "until")
_LONGEST_SOURCE = 200


class WatchKind(StrEnum):
    """What a token stands for."""

    PERSON = "person"  # the identity number
    PHONE = "phone"
    CARD = "card"
    DEVICE = "device"
    ADDRESS = "address"
    EMPLOYER = "employer"


class WatchReason(StrEnum):
    """Why a token is on a list."""

    SANCTIONED = "sanctioned"
    DECEASED = "deceased"
    SELF_EXCLUDED = "self_excluded"  # the person asked not to be lent to
    FRAUD = "fraud"
    LOST_DOCUMENT = "lost_document"  # whoever shows it may be another
    VICTIM = "victim"  # of a stolen identity: careful, not suspected
    OTHER = "other"


# What a hit asks for at least: a decline, or a person who looks. Only what needs no weighing declines.
EFFECTS: Mapping[WatchReason, str] = {
    WatchReason.SANCTIONED: "decline", WatchReason.DECEASED: "decline", WatchReason.SELF_EXCLUDED: "decline",
    WatchReason.FRAUD: "refer", WatchReason.LOST_DOCUMENT: "refer", WatchReason.VICTIM: "refer",
    WatchReason.OTHER: "refer",
}  # fmt: skip

STRICTNESS = ("none", "refer", "decline")


@dataclass(frozen=True, slots=True)
class WatchEntry:
    """One line of a list. effective_from and effective_until are inclusive; None has no end."""

    kind: WatchKind
    token: str
    reason: WatchReason
    source: str
    effective_from: date
    effective_until: date | None = None

    def __post_init__(self) -> None:
        token_of("token", self.token)
        if not 0 < len(self.source) <= _LONGEST_SOURCE or not self.source.isprintable():
            raise InvalidInput(f"`source` is a text of 1 to {_LONGEST_SOURCE} characters that names who says so.")
        if self.effective_until is not None and self.effective_until < self.effective_from:
            raise InvalidInput(f"`until` ({self.effective_until}) is before `from` ({self.effective_from}).")

    def in_force(self, on: date) -> bool:
        """Whether it holds on a day."""
        return self.effective_from <= on and (self.effective_until is None or on <= self.effective_until)

    @property
    def effect(self) -> str:
        """The least that a hit asks for: refer or decline."""
        return EFFECTS[self.reason]


@dataclass(frozen=True, slots=True)
class WatchList:
    """A list: its name, and its entries."""

    name: str
    entries: tuple[WatchEntry, ...]

    def __post_init__(self) -> None:
        if not 0 < len(self.name) <= 64 or not self.name.isprintable():
            raise InvalidInput("the name of a watch list is a text of 1 to 64 characters.")

    @property
    def digest(self) -> str:
        """An id of the content, whatever the order of the entries."""
        lines = ("\t".join((one.kind, one.token, one.reason, one.source, one.effective_from.isoformat(),
                            str(one.effective_until))) for one in self.entries)  # fmt: skip
        return content_id("watch", self.name, *sorted(lines))


def read_watch_list(name: str, text: str) -> WatchList:
    """A list from CSV with the header kind,token,reason,source,from,until; an empty `until` has no end.

    Raises InvalidInput with the line and column at fault; a list is taken whole or not at all.
    """
    WatchList(name, ())
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    entries: dict[WatchEntry, None] = {}
    try:
        header = next(rows, [])
        if tuple(header) != _COLUMNS:
            raise InvalidInput(f"watch list {name}: the first line is {','.join(_COLUMNS)}.")
        for row in rows:
            if row:
                entries[_entry(row)] = None
            if len(entries) > MOST_ENTRIES:
                raise InvalidInput(f"a list holds at most {MOST_ENTRIES:,} entries.")
    except (InvalidInput, csv.Error) as error:
        reason, remedy = (error.message, error.remedy) if isinstance(error, InvalidInput) else (f"{error}.", "")
        raise InvalidInput(f"watch list {name}, line {rows.line_num}: {reason}", remedy) from None
    return WatchList(name, tuple(entries))


def _entry(row: Sequence[str]) -> WatchEntry:
    if len(row) != len(_COLUMNS):
        raise InvalidInput(f"there are {len(row)} columns; {len(_COLUMNS)} are wanted.")
    kind, token, reason, source, start, end = row
    # The value itself is not shown: what stands in the wrong column may be a name.
    if kind not in set(WatchKind):
        raise InvalidInput(f"`kind` is one of {', '.join(WatchKind)}.")
    if reason not in set(WatchReason):
        raise InvalidInput(f"`reason` is one of {', '.join(WatchReason)}.")
    until = parse_date(end) if end else None
    return WatchEntry(WatchKind(kind), token, WatchReason(reason), source, parse_date(start), until)


@dataclass(frozen=True, slots=True)
class Hit:
    """A token of an application that stands on a list."""

    list_name: str
    entry: WatchEntry

    @property
    def code(self) -> str:
        """The reason's code, with a text `reason.CODE`."""
        return f"watch_{self.entry.reason}"


def hits(lists: Iterable[WatchList], tokens: Mapping[WatchKind, Iterable[str]], on: date) -> tuple[Hit, ...]:
    """What stands on the lists on a day, the strictest first, then by list, reason and token."""
    wanted = {(kind, token) for kind, some in tokens.items() for token in some}
    found = (Hit(one.name, entry) for one in lists for entry in one.entries
             if (entry.kind, entry.token) in wanted and entry.in_force(on))  # fmt: skip
    return tuple(sorted(found, key=strictest_first))


def strictest_first(hit: Hit) -> tuple[int, str, str, str, str]:
    """The order in which hits are shown."""
    entry = hit.entry
    return -STRICTNESS.index(entry.effect), hit.list_name, entry.reason, entry.kind, entry.token


def effect(found: Iterable[Hit]) -> str:
    """The strictest effect among hits: none, refer or decline."""
    return max((hit.entry.effect for hit in found), key=STRICTNESS.index, default="none")


def listed(found: Iterable[Hit]) -> bool | None:
    """What policy reads as `watch_list`: True where a hit declines, null where a person has to look, else False."""
    return {"none": False, "refer": None, "decline": True}[effect(found)]


def effects(
    lists: Iterable[WatchList], kind: WatchKind, tokens: Sequence[str | None], on: npt.NDArray[np.datetime64]
) -> npt.NDArray[np.int8]:
    """`effect` for a column of tokens of one kind: (n,) places in STRICTNESS, and 0 for a null.

    on: (n,) datetime64[D], the day of each.
    """
    by_token: dict[str, list[WatchEntry]] = {}
    for one in lists:
        for entry in one.entries:
            if entry.kind is kind:
                by_token.setdefault(entry.token, []).append(entry)
    worst = np.zeros(len(tokens), np.int8)
    for row, token in enumerate(tokens):
        for entry in by_token.get(token, ()) if token is not None else ():
            if entry.in_force(on[row].astype("datetime64[D]").item()):
                worst[row] = max(worst[row], STRICTNESS.index(entry.effect))
    return worst
