"""Organised agents, found where many borrowers' letters are alike: never a word about one borrower.

An agent writes for many: nearly the same letter from people who have nothing to do with one another, sent from the same
device or telephone, with a fee, in a burst. One of these alone means nothing: consumer organisations publish letters, a
legal-aid clinic has one telephone, a family shares one. The members of a cluster are taken as likely victims, to be
warned and offered a direct way; membership is no feature of any model of individuals.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

HashArray = npt.NDArray[np.uint64]
IntArray = npt.NDArray[np.int64]

ALIKE_FROM = 0.9  # Jaccard similarity of the shingles of two letters
LEAST_BORROWERS = 5
LEAST_SHARING = 3  # borrowers at as many addresses who use one device or telephone
BURST_DAYS = 14
HALF = 0.5  # of a cluster's letters that show a signal
MOST_TEXT = 20_000  # characters of a letter that are read
_SHINGLE = 8
_SHORTEST = 40  # characters; shorter letters are alike by chance
_HASHES = 8
_CHUNK = 5_000  # letters at once
_TRIES = 12  # letters of a bucket that another is held against

SIGNALS = ("shared_contact", "fee", "burst", "certificates")
_TELLING = frozenset({"shared_contact", "fee"})  # without one of these, alike letters are nobody's business

_NUMBER = re.compile(r"\d+")
_FEE = re.compile(
    r"(服务费|代理费|咨询费|定金|佣金)[^。；;]{0,12}\d|\d+(\.\d+)?\s*%[^。.;；]{0,12}(服务费|代理费|佣金)"
    r"|(fee|commission|deposit)\b[^.;]{0,24}\d|\d+(\.\d+)?\s*%\s+(of|on)\s+(the|my|your|what)\b",
    re.IGNORECASE,
)
_ISSUER = re.compile(r"[\u4e00-\u9fff]{2,14}?(?:医院|村民委员会|居委会|民政局)|[A-Z][\w ]{2,30}(?:Hospital|Clinic)")


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter, complaint or message as it came in. Tokens are keyed hashes; None is not known."""

    letter_id: str
    borrower_id: str
    received_on: date
    text: str
    device_token: str | None = None
    phone_token: str | None = None
    address_token: str | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Letters of many borrowers that are nearly the same.

    signals: which of SIGNALS are there, each with how many borrowers show it. agent_likely: whether somebody may write
    for a fee. public: it is a published letter.
    """

    letters: tuple[str, ...]
    borrowers: tuple[str, ...]
    first_on: date
    last_on: date
    signals: dict[str, int]
    public: bool

    @property
    def agent_likely(self) -> bool:
        """Two signals besides the likeness, one of them telling; never where the letter is a published one."""
        return not self.public and len(self.signals) >= 2 and bool(_TELLING & self.signals.keys())

    def document(self) -> dict[str, object]:
        """As JSON holds it."""
        return {
            "letters": len(self.letters), "borrowers": list(self.borrowers), "first_on": self.first_on.isoformat(),
            "last_on": self.last_on.isoformat(), "signals": self.signals, "published_letter": self.public,
            "agent_likely": self.agent_likely, "members": "likely_victims" if self.agent_likely else None,
        }  # fmt: skip


def find_clusters(letters: Sequence[Letter], published: Iterable[str] = ()) -> list[Cluster]:
    """The clusters of LEAST_BORROWERS and more, the largest first.

    published: letters that anybody may take from a consumer organisation or an authority. Likeness is found by minimal
    hashes (Broder 1997) and held against the shingles themselves.
    """
    known = [_plain(text) for text in published]
    texts = [_plain(letter.text) for letter in letters]
    groups = _alike([*texts, *known])
    found = []
    for group in groups:
        own = [letters[place] for place in group if place < len(letters)]
        if len({letter.borrower_id for letter in own}) >= LEAST_BORROWERS:
            found.append(_cluster(own, len(own) < len(group)))
    return sorted(found, key=lambda one: (-len(one.borrowers), one.letters))


def _cluster(letters: list[Letter], public: bool) -> Cluster:
    letters = sorted(letters, key=lambda letter: (letter.received_on, letter.letter_id))
    borrowers = tuple(sorted({letter.borrower_id for letter in letters}))
    counts = {
        "shared_contact": _sharing(letters),
        "fee": len({letter.borrower_id for letter in letters if _FEE.search(letter.text[:MOST_TEXT])}),
        "burst": _burst(letters),
        "certificates": _same_issuer(letters),
    }
    enough = {"shared_contact": LEAST_SHARING, **dict.fromkeys(("fee", "burst", "certificates"), HALF * len(borrowers))}
    signals = {name: count for name, count in counts.items() if count and count >= enough[name]}
    days = [letter.received_on for letter in letters]
    return Cluster(tuple(letter.letter_id for letter in letters), borrowers, min(days), max(days), signals, public)


def _sharing(letters: list[Letter]) -> int:
    """Most borrowers of different addresses behind one device or telephone; people at one address are one."""
    best = 0
    for name in ("device_token", "phone_token"):
        homes: dict[str, set[str]] = {}
        for letter in letters:
            token = getattr(letter, name)
            if token is not None:
                homes.setdefault(token, set()).add(letter.address_token or letter.borrower_id)
        best = max([best, *(len(home) for home in homes.values())])
    return best


def _burst(letters: list[Letter]) -> int:
    """Most borrowers who wrote within BURST_DAYS."""
    best, start = 0, 0
    within: Counter[str] = Counter()
    for letter in letters:
        within[letter.borrower_id] += 1
        while (letter.received_on - letters[start].received_on).days >= BURST_DAYS:
            within[letters[start].borrower_id] -= 1
            start += 1
        best = max(best, sum(count > 0 for count in within.values()))
    return best


def _same_issuer(letters: list[Letter]) -> int:
    """Most borrowers whose letters name one issuer of certificates."""
    named: dict[str, set[str]] = {}
    for letter in letters:
        for issuer in set(_ISSUER.findall(letter.text[:MOST_TEXT])):
            named.setdefault(issuer, set()).add(letter.borrower_id)
    return max((len(borrowers) for borrowers in named.values()), default=0)


# --- likeness --------------------------------------------------------------------------------------------------------


def _plain(text: str) -> str:
    """Letters only, and one sign for each number, so that amounts and days do not make letters differ."""
    folded = unicodedata.normalize("NFKC", text[:MOST_TEXT]).casefold()
    return _NUMBER.sub("0", "".join(char for char in folded if char.isalnum()))


def _alike(texts: Sequence[str]) -> list[list[int]]:
    """Groups of places of texts that are alike, each to another one of its group; single texts are left out."""
    same: dict[str, list[int]] = {}
    for place, text in enumerate(texts):
        if len(text) >= _SHORTEST:
            same.setdefault(text, []).append(place)
    different = list(same)
    parent = list(range(len(different)))

    def root(place: int) -> int:
        while parent[place] != place:
            parent[place] = parent[parent[place]]
            place = parent[place]
        return place

    shingles: dict[int, HashArray] = {}

    def of(place: int) -> HashArray:
        if place not in shingles:
            shingles[place] = np.unique(_hashes(different[place]))
        return shingles[place]

    for column in _minima(different).T:
        order = np.argsort(column, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(column[order])) + 1):
            leaders: list[int] = []
            for place in bucket.tolist():
                near = next((one for one in leaders if root(one) == root(place)), None)
                if near is None:
                    near = next((one for one in leaders[:_TRIES] if _jaccard(of(one), of(place)) >= ALIKE_FROM), None)
                if near is None:
                    leaders.append(place)
                else:
                    parent[root(place)] = root(near)
    groups: dict[int, list[int]] = {}
    for place, text in enumerate(different):
        groups.setdefault(root(place), []).extend(same[text])
    return [sorted(group) for group in groups.values() if len(group) > 1]


def _jaccard(one: HashArray, other: HashArray) -> float:
    small, large = sorted((len(one), len(other)))
    if small < ALIKE_FROM * large:
        return 0.0
    both = len(np.intersect1d(one, other, assume_unique=True))
    return both / (len(one) + len(other) - both)


_BASE = np.uint64(0x9E3779B97F4A7C15)


def _hashes(text: str) -> HashArray:
    """A hash of each run of _SHINGLE characters."""
    codes = np.frombuffer(text.encode("utf-32-le"), np.uint32).astype(np.uint64)
    size = len(codes) - _SHINGLE + 1
    value = np.zeros(size, np.uint64)
    for place in range(_SHINGLE):
        value = value * _BASE + codes[place : place + size]
    return (value ^ (value >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)


def _minima(texts: Sequence[str]) -> HashArray:
    """(n, _HASHES) the least hash of each text under each of _HASHES orders."""
    result = np.empty((len(texts), _HASHES), np.uint64)
    multipliers = np.array([2 * place + 1 for place in range(1, _HASHES + 1)], np.uint64) * _BASE | np.uint64(1)
    for start in range(0, len(texts), _CHUNK):
        some = texts[start : start + _CHUNK]
        values = [_hashes(text) for text in some]
        first = np.concatenate(([0], np.cumsum([len(value) for value in values])[:-1]))
        flat = np.concatenate(values)
        for column, multiplier in enumerate(multipliers):
            mixed = flat * multiplier
            result[start : start + len(some), column] = np.minimum.reduceat(mixed ^ (mixed >> np.uint64(31)), first)
    return result
