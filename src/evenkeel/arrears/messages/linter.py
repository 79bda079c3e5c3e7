"""What may not be said in a message to a debtor: found in the text as it was written, with the rule and better words.

`lint` folds the text (normal.py), looks up the phrases of all concepts in one pass, and asks of each pattern
(grammar.py) whether its concepts stand near each other in one sentence and nothing takes the harm out of them. What no
pattern finds is weighed by its words (likeness.py).
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import pairwise
from math import log
from typing import Any, NamedTuple

from evenkeel.arrears.law import Rule, load_rules
from evenkeel.arrears.messages.grammar import CATEGORIES, Context, Grammar, Pattern, Phrase, Shape, load_grammar
from evenkeel.arrears.messages.likeness import Feature, Likeness, features, fit, worth_weighing
from evenkeel.arrears.messages.normal import Key, Units, read, sounds
from evenkeel.kernel.errors import InvalidInput

__all__ = ["CATEGORIES", "Finding", "Hit", "Lint", "lint"]

_ALONE = frozenset("就要会去你我他她您让把被等想再又还也都的了们在得是不叫给请和跟")
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


def lint(text: str, grammar: Grammar | None = None) -> Lint:
    """Everything in a text that may not be said to a debtor.

    grammar: of somebody's own phrases; without it, of those shipped. Raises InvalidInput where text is not a string.
    """
    if not isinstance(text, str):
        raise InvalidInput(f"a message is text, not {type(text).__name__}.", "Give its words.")
    book = load_grammar() if grammar is None else grammar
    found: list[Finding] = []
    plain, spelled = read(text, book.words)
    hits = _hits(plain, book)
    found += _findings(text, plain, hits, book)
    if spelled is not None:
        found += _findings(text, spelled, _hits(spelled, book), book)
    if grammar is None:
        found += _alike(text, plain, hits, book, [(one.start, one.end) for one in found])
    return Lint(tuple(_distinct(found)))


def _findings(text: str, units: Units, hits: Mapping[int, list[Hit]], book: Grammar) -> Iterator[Finding]:
    for concept in hits.keys() & book.by_head.keys():
        for pattern in book.by_head[concept]:
            for start, end in _occurrences(pattern, hits, units, book):
                first = min(units.starts[start:end])
                last = max(units.ends[start:end])
                yield Finding(
                    pattern.category, first, last, text[first:last], pattern.rule,
                    _citation(pattern.rule, pattern.language), pattern.better, pattern.id, pattern.language,
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


def _alike(
    text: str, units: Units, hits: Mapping[int, list[Hit]], book: Grammar, found: Sequence[tuple[int, int]]
) -> Iterator[Finding]:
    """Sentences, and pairs of neighbours, that no pattern finds but that are like those that may not be sent."""
    named = _named(hits, book)
    for start, end in _windows(units):
        if any(units.starts[start] < last and begin < units.ends[end - 1] for begin, last in found):
            continue
        some = _features(units, named, start, end)
        language = "zh" if any(isinstance(key, int) for key in units.keys[start:end]) else "en"
        model, bar = likeness(language), book.by_likeness[language]
        if model.log_odds(some) >= log(bar.least / (1 - bar.least)):
            category, begin, last = model.blamed(some)
            begin, last = units.starts[start + begin], units.ends[start + last - 1]
            rule = bar.rules[category]
            yield Finding(
                category, begin, last, text[begin:last], rule, _citation(rule, language), bar.better[category],
                f"{language}.likeness", language,
            )  # fmt: skip


def _windows(units: Units) -> Iterator[tuple[int, int]]:
    """The sentences that can be weighed, and the pairs of neighbours: what is appended later changes none of them."""
    bounds = _sentences(units)
    for size in (1, 2):
        for first in range(len(bounds) - size + 1):
            start, end = bounds[first][0], bounds[first + size - 1][1]
            if end - start <= _LONGEST and worth_weighing(units.surfaces[start:end]):
                yield start, end


def _sentences(units: Units) -> list[tuple[int, int]]:
    """The places of units where each sentence begins and ends."""
    changes = [place for place in range(1, len(units.keys)) if units.sentences[place] != units.sentences[place - 1]]
    return list(pairwise([0, *changes, len(units.keys)])) if units.keys else []


def _named(hits: Mapping[int, list[Hit]], book: Grammar) -> list[tuple[int, int, str]]:
    """Every phrase found, by its place, with the name of its concept."""
    names = {number: name for name, number in book.concepts.items()}
    return sorted((hit.start, hit.end, names[concept]) for concept, some in hits.items() for hit in some)


def _features(units: Units, named: Sequence[tuple[int, int, str]], start: int, end: int) -> list[Feature]:
    first, last = bisect_left(named, (start,)), bisect_left(named, (end,))
    inside = [(name, begin - start, stop - start) for begin, stop, name in named[first:last] if stop <= end]
    return features(units.surfaces[start:end], inside)


@cache
def likeness(language: str) -> Likeness:
    """The model of the sentences of a language shipped in `sentences/`."""
    book, folder = load_grammar(), files("evenkeel.arrears.messages") / "sentences"
    bad: list[tuple[str, list[Feature]]] = []
    good: list[list[Feature]] = []
    for name in ("bad", "good"):
        for line in (folder / f"{name}.{language}.txt").read_text(encoding="utf-8").split("\n"):
            if line and not line.startswith("#"):
                units, _ = read(line.split("\t")[-1], book.words)
                named = _named(_hits(units, book), book)
                if name == "bad":
                    bad.append((line.split("\t")[0], _features(units, named, 0, len(units.keys))))
                else:
                    good += [_features(units, named, start, end) for start, end in _windows(units)]
    return fit(bad, good)


# ----------------------------------------------------------------------------------------------------------- concepts


def _hits(units: Units, book: Grammar) -> dict[int, list[Hit]]:
    """Where the phrases of each concept stand. What lies inside a phrase that is innocent is not found."""
    found: dict[int, list[Hit]] = {}
    covers: list[Hit] = []
    keys, broken = units.keys, units.broken
    size = len(keys)
    for start in range(size):
        node: Mapping[Key | None, Any] | None = book.trie.get(keys[start])
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


def _occurrences(pattern: Pattern, hits: Mapping[int, list[Hit]], units: Units, book: Grammar) -> Iterator[Hit]:
    shape = pattern.shape
    if not all(concept in hits for concept in shape.concepts):
        return
    for head in hits[shape.concepts[shape.head]]:
        span = _spanned(shape, head, hits, units)
        if span is not None and not any(
            _harmless(book.contexts[name], head, span, hits, units) for name in pattern.contexts
        ):
            yield span


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


def _harmless(context: Context, head: Hit, span: Hit, hits: Mapping[int, list[Hit]], units: Units) -> bool:
    """Whether a context takes the harm out of a pattern whose harm is at `head`."""
    if context.concept is not None:
        return _denied(context, head, span, hits, units)
    for shape in context.shapes:
        if all(concept in hits for concept in shape.concepts):
            for one in hits[shape.concepts[shape.head]]:
                if units.sentences[one.start] == units.sentences[head.start] and _spanned(shape, one, hits, units):
                    return True
    return False


def _denied(context: Context, head: Hit, span: Hit, hits: Mapping[int, list[Hit]], units: Units) -> bool:
    """Whether the harm at `head` is denied: by the nearest denial before it that nothing voids or stops."""
    denials = hits.get(_some(context.concept), ())
    voids, stops = hits.get(_some(context.voided_by), ()), hits.get(_some(context.stops), ())
    place = bisect_left(denials, (head.start,))
    for denial in reversed(denials[max(0, place - 24) : place]):
        if head.start - denial.end > context.reach or units.sentences[denial.start] != units.sentences[head.start]:
            continue
        if denial.end <= head.start and not _inside(denial, voids):
            first = bisect_left(stops, (denial.end,))
            if first == len(stops) or stops[first].end > head.start:
                return True
            break
    if not context.inside:
        return False
    behind = denials[place : bisect_left(denials, (span.end,))]
    return any(denial.start >= head.end and not _inside(denial, voids) for denial in behind)


def _some(concept: int | None) -> int:
    return -1 if concept is None else concept


def _inside(hit: Hit, covers: Sequence[Hit]) -> bool:
    """Whether a hit lies inside one of some, none of which is longer than 24 units."""
    last = bisect_right(covers, (hit.start, 1 << 60))
    return any(cover.end >= hit.end for cover in covers[max(0, last - 24) : last])
