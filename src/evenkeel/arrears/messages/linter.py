"""What may not be said in a message to a debtor: found in the text as it was written, with the rule and better words.

`lint` folds the text (normal.py), looks up the phrases of all concepts in one pass, and asks of each pattern
(grammar.py) whether its concepts stand near each other in one sentence and nothing takes the harm out of them. What no
pattern finds is weighed by its words (likeness.py).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import inf, log
from typing import Any, NamedTuple

from evenkeel.arrears.law import Rule, load_rules
from evenkeel.arrears.messages.grammar import CATEGORIES, Grammar, Pattern, Phrase, Shape, Stance, load_grammar
from evenkeel.arrears.messages.likeness import Features, Likeness, features, fit, worth_weighing
from evenkeel.arrears.messages.normal import Key, Units, read, sounds
from evenkeel.kernel.errors import InvalidInput

__all__ = ["CATEGORIES", "Finding", "Hit", "Lint", "lint"]

_ALONE = frozenset("就要会去你我他她您让把被等想再又还也都的了们在得是不叫给请和跟")
_SPOKEN_FOR = 2.0  # log-odds that likeness must have on top where a stance takes the harm out of the words found
_LONGEST = 400  # units of a sentence that is weighed by its words


@dataclass(frozen=True, slots=True)
class Finding:
    """Words that may not be sent. start, end: their place in the text as given, so that text[start:end] == words.

    rule: id of a rule on record (`evenkeel law explain`). citation, better: in the language of the words.
    """

    category: str
    start: int
    end: int
    words: str
    rule: str
    citation: str
    better: str
    pattern: str
    language: str


@dataclass(frozen=True, slots=True)
class Lint:
    """What was found in a text, in the order of its words."""

    findings: tuple[Finding, ...]

    @property
    def ok(self) -> bool:
        """Whether nothing speaks against sending it."""
        return not self.findings


class Hit(NamedTuple):
    """A phrase of a concept, by places of units: [start, end)."""

    start: int
    end: int


class Occurrence(NamedTuple):
    """A pattern found at a span of units. stance: the name of what takes the harm out of it, "" where nothing does.

    outright: whether it is said to the reader in so many words.
    """

    pattern: Pattern
    span: Hit
    stance: str
    outright: bool


def lint(text: str, grammar: Grammar | None = None) -> Lint:
    """Everything in a text that may not be said to a debtor.

    grammar: of somebody's own phrases; without it, of those shipped. Raises InvalidInput where text is not a string.
    """
    if not isinstance(text, str):
        raise InvalidInput(f"a message is text, not {type(text).__name__}.", "Give its words.")
    book = load_grammar() if grammar is None else grammar
    found: list[Finding] = []
    likely: list[Weighed] = []
    plain, spelled = read(text, book.words)
    for units in (plain,) if spelled is None else (plain, spelled):
        hits = _hits(units, book)
        occurrences = _all_occurrences(hits, units, book)
        weighed = _weigh(units, hits, occurrences, book) if grammar is None else []
        for language, bar in book.by_likeness.items():
            kept, alike = blocked(
                [one for one in weighed if one.language == language],
                [one for one in occurrences if one.pattern.language == language], bar.least, bar.pardon,
            )  # fmt: skip
            found += (_finding(text, units, one) for one in kept)
            if units is plain:
                likely += alike
    found += _alike(text, plain, likely, book, [(one.start, one.end) for one in found])
    return Lint(tuple(_distinct(found)))


def _all_occurrences(hits: Mapping[int, list[Hit]], units: Units, book: Grammar) -> list[Occurrence]:
    return [
        one
        for concept in hits.keys() & book.by_head.keys()
        for pattern in book.by_head[concept]
        for one in _occurrences(pattern, hits, units, book)
    ]


def _finding(text: str, units: Units, one: Occurrence) -> Finding:
    pattern, (start, end) = one.pattern, one.span
    first, last = min(units.starts[start:end]), max(units.ends[start:end])
    return Finding(
        pattern.category, first, last, text[first:last], pattern.rule, _citation(pattern.rule, pattern.language),
        pattern.better, pattern.id, pattern.language,
    )  # fmt: skip


def _citation(rule: str, language: str) -> str:
    return _rules()[rule].citation[language]


@cache
def _rules() -> Mapping[str, Rule]:
    return load_rules(None).rules


def _distinct(found: Sequence[Finding]) -> Iterator[Finding]:
    """One finding of a category where several share words: the one that begins first, and of those the longest."""
    covered: dict[str, int] = {}
    for one in sorted(found, key=lambda one: (one.start, -one.end, one.category, one.pattern)):
        if one.start >= covered.get(one.category, -1):
            covered[one.category] = one.end
            yield one


# ----------------------------------------------------------------------------------------------------------- likeness


class Weighed(NamedTuple):
    """A stretch of units, its features and the log-odds that it may not be sent.

    alone: whether it is one sentence. governed: whether a stance takes the harm out of words in it.
    """

    start: int
    end: int
    language: str
    alone: bool
    governed: bool
    features: Features
    odds: float


def _weigh(
    units: Units, hits: Mapping[int, list[Hit]], occurrences: Sequence[Occurrence], book: Grammar
) -> list[Weighed]:
    """The sentences of a text that can be weighed, and the pairs of neighbours."""
    stretches = _stretches(units, hits, occurrences, book)
    return [one._replace(odds=likeness(one.language).log_odds(one.features)) for one in stretches]


def _stretches(
    units: Units, hits: Mapping[int, list[Hit]], occurrences: Sequence[Occurrence], book: Grammar
) -> list[Weighed]:
    named, stretches = _named(hits, occurrences, book), []
    for start, end, alone in _windows(units):
        language = _language(units, start, end)
        governed = any(one.stance and start <= one.span.start and one.span.end <= end for one in occurrences)
        stretches.append(
            Weighed(start, end, language, alone, governed, _features(units, named, start, end, language), 0.0)
        )
    return stretches


def _language(units: Units, start: int, end: int) -> str:
    return "zh" if any(isinstance(key, int) for key in units.keys[start:end]) else "en"


def blocked(
    weighed: Sequence[Weighed], occurrences: Sequence[Occurrence], least: float, pardon: float
) -> tuple[list[Occurrence], list[Weighed]]:
    """What of a text may not be sent: of what patterns found, and of its stretches, by two chances (see ByLikeness)."""
    kept = [one for one in occurrences if not one.stance and not _pardoned(one, weighed, pardon)]
    return kept, [one for one in weighed if one.odds >= _log_odds(least) + (_SPOKEN_FOR if one.governed else 0.0)]


def _log_odds(chance: float) -> float:
    return log(chance / (1 - chance)) if 0 < chance < 1 else (inf if chance >= 1 else -inf)


def _pardoned(one: Occurrence, weighed: Sequence[Weighed], pardon: float) -> bool:
    """Whether the sentence that a pattern was found in is so much like good ones that it is let through."""
    if one.pattern.certain or one.outright:
        return False
    return any(
        some.alone and some.start <= one.span.start and one.span.end <= some.end and some.odds < _log_odds(pardon)
        for some in weighed
    )


def _alike(
    text: str, units: Units, alike: Sequence[Weighed], book: Grammar, found: Sequence[tuple[int, int]]
) -> Iterator[Finding]:
    """Sentences, and pairs of neighbours, that no pattern finds but that are like those that may not be sent."""
    for one in alike:
        if any(units.starts[one.start] < last and begin < units.ends[one.end - 1] for begin, last in found):
            continue
        category, begin, last = likeness(one.language).blamed(one.features)
        begin, last = units.starts[one.start + begin], units.ends[one.start + last - 1]
        bar = book.by_likeness[one.language]
        rule = bar.rules[category]
        yield Finding(
            category, begin, last, text[begin:last], rule, _citation(rule, one.language), bar.better[category],
            f"{one.language}.likeness", one.language,
        )  # fmt: skip


def _windows(units: Units) -> Iterator[tuple[int, int, bool]]:
    """The sentences that can be weighed, and the pairs of neighbours: what is appended later changes none of them."""
    bounds = _sentences(units)
    for size in (1, 2):
        for first in range(len(bounds) - size + 1):
            start, end = bounds[first][0], bounds[first + size - 1][1]
            if end - start <= _LONGEST and worth_weighing(units.surfaces[start:end]):
                yield start, end, size == 1


def _sentences(units: Units) -> list[tuple[int, int]]:
    """The places of units where each sentence begins and ends."""
    changes = [place for place in range(1, len(units.keys)) if units.sentences[place] != units.sentences[place - 1]]
    return list(pairwise([0, *changes, len(units.keys)])) if units.keys else []


def _named(
    hits: Mapping[int, list[Hit]], occurrences: Sequence[Occurrence], book: Grammar
) -> list[tuple[int, int, str]]:
    """Every phrase found, by its place, with the name of its concept; and the stances taken, with whose harm."""
    names = tuple(book.concepts)  # their numbers are their places
    named = {(hit.start, hit.end, names[concept]) for concept, some in hits.items() for hit in some}
    named |= {(*one.span, f"{one.stance} {one.pattern.category}") for one in occurrences if one.stance}
    named |= {(*one.span, f"{one.stance}=") for one in occurrences if one.stance}
    return sorted(named)


def _features(units: Units, named: Sequence[tuple[int, int, str]], start: int, end: int, language: str) -> Features:
    first, last = bisect_left(named, (start,)), bisect_left(named, (end,))
    inside = [(name, begin - start, stop - start) for begin, stop, name in named[first:last] if stop <= end]
    return features(units.surfaces[start:end], inside, language)


@cache
def likeness(language: str) -> Likeness:
    """The model of the sentences of a language shipped in `sentences/`."""
    sentences = taught(language)
    return fit(
        [(one.category, one.whole) for one in sentences if one.category],
        [some.features for one in sentences if not one.category for some in one.stretches],
    )


class Taught(NamedTuple):
    """A sentence of `sentences/`. category: "" of a good one. stretches: what of it is weighed (odds are not yet told).

    batch: what was written at a time, by the heading above it. found: what its patterns find.
    """

    text: str
    category: str
    batch: str
    whole: Features
    stretches: list[Weighed]
    found: list[Occurrence]


def taught(language: str) -> list[Taught]:
    """The sentences of a language from which likeness is learned."""
    book, folder = load_grammar(), files("evenkeel.arrears.messages") / "sentences"
    sentences = []
    for kind in ("bad", "good"):
        batch = ""
        for line in (folder / f"{kind}.{language}.txt").read_text(encoding="utf-8").split("\n"):
            batch = line.removeprefix("#").strip() if line.startswith("#") else batch
            if line and not line.startswith("#"):
                category, _, text = line.rpartition("\t")
                units, _ = read(text, book.words)
                hits = _hits(units, book)
                found = _all_occurrences(hits, units, book)
                size = len(units.keys)
                whole = _features(units, _named(hits, found, book), 0, size, language)
                sentences.append(Taught(text, category, batch, whole, _stretches(units, hits, found, book), found))
    return sentences


# ----------------------------------------------------------------------------------------------------------- concepts


def _hits(units: Units, book: Grammar) -> dict[int, list[Hit]]:
    """Where the phrases of each concept stand. What lies inside a phrase that is innocent is not found."""
    found: dict[int, list[Hit]] = {}
    covers: list[Hit] = []
    keys, broken, trie = units.keys, units.broken, book.trie
    size = len(keys)
    for start, key in enumerate(keys):
        if key not in trie:
            continue
        node: Mapping[Key | None, Any] | None = trie[key]
        end = start + 1
        while node is not None:
            phrases: Sequence[Phrase] = node.get(None, ())
            for phrase in phrases:
                if phrase.text and not _sounds_meant(phrase, units, start, end):
                    continue
                if phrase.concept in book.innocent:
                    covers.append(Hit(start, end))
                else:
                    found.setdefault(phrase.concept, []).append(Hit(start, end))
            if end >= size or broken[end]:
                break
            node = node.get(keys[end])
            end += 1
    return _uncovered(found, covers) if covers else found


def _sounds_meant(phrase: Phrase, units: Units, start: int, end: int) -> bool:
    """Whether units that sound like a phrase are taken for it.

    They are where every character is the same or was written as pinyin. Others must have the same tone, or be one of
    four; and none may belong to a word of its own, as 计 does in 统计 beside 通缉.
    """
    surfaces = units.surfaces[start:end]
    if phrase.text == "".join(surfaces):
        return True
    tables, other, tones, meant = sounds(), 0, 0, iter(phrase.text)
    for place in range(start, end):
        key = units.keys[place]
        if isinstance(key, str) and key not in phrase.text:
            continue
        wanted, given = next(meant, ""), units.surfaces[place]
        if given in (wanted, ""):
            continue
        if phrase.exact or len(phrase.text) == 1 or _own_word(units, place, tables.pairs):
            return False
        other += 1
        tones += tables.toned.get(given) == tables.toned.get(wanted)
    return tones == other or 4 * other <= len(phrase.text)


def _own_word(units: Units, place: int, pairs: frozenset[str]) -> bool:
    """Whether a character makes a common word with the one before it or after it.

    One before it that is mostly a word by itself, as 就 is, does not tell.
    """
    surfaces = units.surfaces
    before = place > 0 and surfaces[place - 1] not in _ALONE and surfaces[place - 1] + surfaces[place] in pairs
    return before or (place + 1 < len(surfaces) and surfaces[place] + surfaces[place + 1] in pairs)


def _uncovered(found: Mapping[int, list[Hit]], covers: Sequence[Hit]) -> dict[int, list[Hit]]:
    starts = [cover.start for cover in covers]
    reach: list[int] = []
    for cover in covers:
        reach.append(max(cover.end, reach[-1] if reach else 0))

    def inside(hit: Hit) -> bool:
        place = bisect_right(starts, hit.start) - 1
        return place >= 0 and reach[place] >= hit.end

    kept = {concept: [hit for hit in hits if not inside(hit)] for concept, hits in found.items()}
    return {concept: hits for concept, hits in kept.items() if hits}


# ----------------------------------------------------------------------------------------------------------- patterns


def _occurrences(pattern: Pattern, hits: Mapping[int, list[Hit]], units: Units, book: Grammar) -> Iterator[Occurrence]:
    """Every place where a pattern is found, with the stance that takes the harm out of it."""
    shape = pattern.shape
    if not all(concept in hits for concept in shape.concepts):
        return
    for head in hits[shape.concepts[shape.head]]:
        span = _spanned(shape, head, hits, units)
        if span is not None:
            clause = _scope(head, units, clause=True)
            told = _between(hits.get(book.outright.get(pattern.language, -1), ()), *clause)
            within = clause if any(not units.quoted[one.start] for one in told) else None
            scopes = clause, _scope(head, units, clause=False)
            stances = (book.stances[name] for name in pattern.stances)
            taken = next((one.name for one in stances if _governs(one, head, span, within, scopes, hits, units)), "")
            yield Occurrence(pattern, span, taken, within is not None)


def _spanned(shape: Shape, head: Hit, hits: Mapping[int, list[Hit]], units: Units) -> Hit | None:
    """The span of a shape around its head, or None: each other concept at its nearest, in the same sentence."""
    span = head
    before = after = head
    order = [*range(shape.head - 1, -1, -1), *range(shape.head + 1, len(shape.concepts))]
    for place in order:
        sides = (-1 if place < shape.head else 1,) if shape.ordered else (-1, 1)
        anchor = (before if place < shape.head else after) if shape.ordered else span
        near = _nearest(hits[shape.concepts[place]], anchor, shape.within, sides, units)
        if near is None:
            return None
        if place < shape.head:
            before = near
        else:
            after = near
        span = Hit(min(span.start, near.start), max(span.end, near.end))
    return span


def _nearest(some: Sequence[Hit], anchor: Hit, within: int, sides: tuple[int, ...], units: Units) -> Hit | None:
    """The hit nearest to an anchor, on one of its sides, in the same sentence and at most `within` units away."""
    best: tuple[int, Hit] | None = None
    first = bisect_left(some, (anchor.start - within - 24, 0))
    for hit in some[first:]:
        if hit.start - anchor.end > within:
            break
        if hit.end <= anchor.start:
            gap, side = anchor.start - hit.end, -1
        elif hit.start >= anchor.end:
            gap, side = hit.start - anchor.end, 1
        else:
            continue
        if (
            side in sides
            and gap <= within
            and units.sentences[hit.start] == units.sentences[anchor.start]
            and (best is None or gap < best[0])
        ):
            best = gap, hit
    return None if best is None else best[1]


# ------------------------------------------------------------------------------------------------------------ stances


def _governs(
    stance: Stance, head: Hit, span: Hit, within: Hit | None, scopes: tuple[Hit, Hit],
    hits: Mapping[int, list[Hit]], units: Units,
) -> bool:  # fmt: skip
    """Whether a stance takes the harm out of a pattern whose harm is at `head`.

    within: where alone its cue counts. scopes: the clause and the sentence of the harm.
    """
    if stance.kind != "shape" and stance.concept not in hits:
        return False
    if stance.quoted and not all(units.quoted[head.start : head.end]):
        return False
    if stance.kind == "before":
        return _denied(stance, head, span, within, hits, units)
    first, last = scopes[stance.kind != "clause"]
    if any(not units.quoted[hit.start] for hit in _between(hits.get(_some(stance.voided_by), ()), first, last)):
        return False
    cues: Iterable[Hit] = _between(hits.get(_some(stance.concept), ()), first, last)
    if stance.kind == "shape":
        cues = _shapes(stance, Hit(first, last), hits, units)
    return any(
        (within is None or (cue.start < within.end and cue.end > within.start))
        and _reaches(stance, cue, head, hits.get(_some(stance.stops), ()))
        for cue in cues
    )


def _shapes(stance: Stance, scope: Hit, hits: Mapping[int, list[Hit]], units: Units) -> Iterator[Hit]:
    """Where the shapes of a stance stand in the sentence of the harm."""
    for shape in stance.shapes:
        if all(concept in hits for concept in shape.concepts):
            for one in _between(hits[shape.concepts[shape.head]], *scope):
                span = _spanned(shape, one, hits, units)
                if span is not None:
                    yield span


def _reaches(stance: Stance, cue: Hit, head: Hit, stops: Sequence[Hit]) -> bool:
    """Whether a cue stands on the side asked for, near enough, with nothing between that stops it."""
    if cue.end <= head.start:
        gap, side = Hit(cue.end, head.start), "before"
    elif cue.start >= head.end:
        gap, side = Hit(head.end, cue.start), "after"
    else:
        return True
    return stance.side in ("", side) and gap.end - gap.start <= stance.reach and not _between(stops, *gap)


def _scope(head: Hit, units: Units, clause: bool) -> Hit:
    """The clause or the sentence of a harm, at most 200 units to either side."""
    first, last, sentence = head.start, head.end, units.sentences[head.start]
    low, high = max(0, first - 200), min(len(units.keys), last + 200)
    while first > low and units.sentences[first - 1] == sentence and not (clause and units.broken[first]):
        first -= 1
    while last < high and units.sentences[last] == sentence and not (clause and units.broken[last]):
        last += 1
    return Hit(first, last)


def _between(some: Sequence[Hit], first: int, last: int) -> Sequence[Hit]:
    """The hits that lie in [first, last)."""
    return [hit for hit in some[bisect_left(some, (first, 0)) : bisect_left(some, (last, 0))] if hit.end <= last]


def _denied(
    stance: Stance, head: Hit, span: Hit, within: Hit | None, hits: Mapping[int, list[Hit]], units: Units
) -> bool:
    """Whether the harm at `head` is denied: by the nearest denial before it that nothing voids or stops."""
    denials = hits.get(_some(stance.concept), ())
    voids, stops = hits.get(_some(stance.voided_by), ()), hits.get(_some(stance.stops), ())
    place = bisect_left(denials, (head.start,))
    for denial in reversed(denials[max(0, place - 24) : place]):
        if head.start - denial.end > stance.reach or units.sentences[denial.start] != units.sentences[head.start]:
            continue
        if within is not None and denial.start < within.start:
            break
        if denial.end <= head.start and not _inside(denial, voids):
            first = bisect_left(stops, (denial.end,))
            if first == len(stops) or stops[first].end > head.start:
                return True
            break
    if not stance.inside:
        return False
    behind = denials[place : bisect_left(denials, (span.end,))]
    return any(denial.start >= head.end and not _inside(denial, voids) for denial in behind)


def _some(concept: int | None) -> int:
    return -1 if concept is None else concept


def _inside(hit: Hit, covers: Sequence[Hit]) -> bool:
    """Whether a hit lies inside one of some, none of which is longer than 24 units."""
    last = bisect_right(covers, (hit.start, 1 << 60))
    return any(cover.end >= hit.end for cover in covers[max(0, last - 24) : last])
