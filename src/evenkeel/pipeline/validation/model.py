"""What the tables of a model do: a chart for each feature and each pair."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from evenkeel.measures.discrimination import share_estimate
from evenkeel.pipeline.report import charts
from evenkeel.pipeline.report.blocks import Figure, Section, Table
from evenkeel.pipeline.report.charts import Interval, Name
from evenkeel.pipeline.validation.words import Words
from evenkeel.scoring.validation import Bin, FeatureBins, PairMap, Validation

_DRAWN = 10  # bins of numbers, and levels; more of them are drawn together


def features(words: Words, found: Validation) -> Section:
    """A figure a feature, the one that decides most first."""
    say = words.say
    figures = tuple(_feature(words, feature, f"feature-{place}") for place, feature in enumerate(found.features))
    trends = {1: say("trend.up"), -1: say("trend.down"), 0: say("trend.free")}
    rows = tuple(
        (feature.name, feature.concept, words.number(feature.spread, 1), str(len(feature.bins)), trends[feature.trend])
        for feature in found.features
    )
    head = (say("feature"), say("concept"), say("spread"), say("bins"), say("trend"))
    table = Table(say("features.table"), head, rows, frozenset({1, 4}))
    return Section("features", say("features"), (say("features.words"),), figures, (table,), number="4")


def _feature(words: Words, feature: FeatureBins, key: str) -> Figure:
    say, form = words.say, words.form
    used = [entry for entry in feature.bins if entry.rows]
    drawn = [
        Interval(
            words.joined([entry.label for entry in part]) if len(part) == 1 or part[0].label.kind == "bin"
            else say("bin.further", count=len(part)),
            *_rate(part), words.points(_mean_points(part)), sum(entry.share for entry in part),
        )
        for part in _parts(used)
    ]  # fmt: skip
    title = feature.name
    chart = charts.forest(
        Name(key, title, say("feature.desc", feature=feature.name, bins=len(drawn))), drawn,
        lambda value: form.share(value, 0), (say("share"), say("bad_rate"), say("points")),
    )  # fmt: skip
    rows = tuple(
        (
            words.label(entry.label), form.count(entry.rows), form.share(entry.share), form.count(entry.bads),
            words.share(entry.bad_rate), form.share(_known(entry.expected_rate)),
            form.share(_known(entry.trained_rate)),
            words.points(entry.points),
        )
        for entry in feature.bins
    )  # fmt: skip
    head = (say("bin"), say("rows"), say("share"), say("bads"), say("bad_rate"), say("expected"), say("trained"),
            say("points"))  # fmt: skip
    note = say("feature.together") if any(len(part) > 1 for part in _parts(used)) else ""
    note = say("feature.note", spread=words.number(feature.spread, 1)) + note
    return Figure(title, chart, note, Table(say("numbers"), head, rows))


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _parts(bins: Sequence[Bin]) -> list[list[Bin]]:
    """Bins to be drawn as one: neighbours of about equal rows where there are many, the rare ones of many levels."""
    kind = bins[0].label.kind if bins else ""
    many = [entry for entry in bins if entry.label.kind == kind]
    others = [[entry] for entry in bins if entry.label.kind != kind]
    if len(many) <= _DRAWN:
        return [[entry] for entry in many] + others
    if kind == "level":
        common = sorted(many, key=lambda entry: -entry.rows)[: _DRAWN - 1]
        rest = [entry for entry in many if entry not in common]
        return [[entry] for entry in many if entry in common] + [rest, *others]
    total, done = sum(entry.rows for entry in many), 0
    parts: dict[int, list[Bin]] = {}
    for entry in many:
        parts.setdefault(_DRAWN * (2 * done + entry.rows) // (2 * total + 1), []).append(entry)
        done += entry.rows
    return [*parts.values(), *others]


def _rate(part: Sequence[Bin]) -> tuple[float | None, float | None, float | None]:
    rows, bads = sum(entry.rows for entry in part), sum(entry.bads for entry in part)
    rate = part[0].bad_rate if len(part) == 1 else share_estimate(bads, rows)
    return rate.value, rate.low, rate.high


def _mean_points(part: Sequence[Bin]) -> float:
    return sum(entry.points * entry.rows for entry in part) / sum(entry.rows for entry in part)


def pairs(words: Words, found: Validation) -> Section:
    """A map of points for each pair."""
    say = words.say
    if not found.pairs:
        return Section("pairs", say("pairs"), absent=(say("pairs.none"),), number="5")
    bins = {feature.name: feature.bins for feature in found.features}
    figures = tuple(_pair(words, pair, bins, f"pair-{place}") for place, pair in enumerate(found.pairs))
    return Section("pairs", say("pairs"), (say("pairs.words"),), figures, number="5")


def _pair(words: Words, pair: PairMap, bins: Mapping[str, tuple[Bin, ...]], key: str) -> Figure:
    say = words.say
    title = say("pair", first=pair.first, second=pair.second)
    rows = [[bins[pair.first][code].label for code in group] for group in pair.rows]
    columns = [[bins[pair.second][code].label for code in group] for group in pair.columns]
    name = Name(key, title, say("pair.desc", first=pair.first, second=pair.second))
    axes = (f"{pair.first} ↓", f"{pair.second} →")
    heads = [words.short(group) for group in rows], [words.short(group) for group in columns]
    chart = charts.signed_map(name, heads, pair.points, words.points, axes)
    table_rows = tuple(
        (words.joined(row), words.joined(column), words.points(points), words.form.share(share))
        for row, line, shares in zip(rows, pair.points, pair.shares, strict=True)
        for column, points, share in zip(columns, line, shares, strict=True)
    )
    table = Table(say("numbers"), (pair.first, pair.second, say("points"), say("share")), table_rows, frozenset({1}))
    return Figure(title, chart, say("pair.note", spread=words.number(pair.spread, 1)), table)
