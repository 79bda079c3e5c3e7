"""The validation report as files: one page a language, whole in itself, and the same as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evenkeel.kernel.text import texts
from evenkeel.pipeline.outputs import write_json
from evenkeel.pipeline.report.blocks import Section, Table
from evenkeel.pipeline.report.format import Format
from evenkeel.pipeline.report.sheet import Key, Sheet, render
from evenkeel.pipeline.validation import judged, model
from evenkeel.pipeline.validation.words import Words
from evenkeel.scoring.validation import Attribute, Level, Validation

FILES = {"en": "validation.html", "zh": "validation.zh.html"}
JSON = "validation.json"
_FACTS = (
    "target", "rows", "bads", "seed", "columns", "data_sha256", "code_version", "trained_on", "calibration",
)  # fmt: skip


def write_validation(folder: Path, found: Validation, languages: tuple[str, ...]) -> None:
    """Write validation.json, and validation.html (en), validation.zh.html (zh), into a folder."""
    write_json(folder / JSON, found.document())
    for language in languages:
        (folder / FILES[language]).write_text(page(found, language), encoding="utf-8", newline="\n")


def page(found: Validation, language: str) -> str:
    """The validation report in one language as HTML; the same bytes for the same figures."""
    words = Words(texts(language), Format(language, "XXX"))
    say, form = words.say, words.form
    target = str(found.facts.get("target") or say("no_target"))
    sections = (
        judged.ranking(words, found), judged.calibration(words, found), judged.months(words, found),
        model.features(words, found), model.pairs(words, found), judged.fairness(words, found),
        judged.benchmark(words, found), judged.swaps(words, found), _basis(words, found), _terms(words),
    )  # fmt: skip
    overall = found.overall
    keys = (
        Key(say("rows"), form.count(found.rows), say("key.bads", bads=form.count(found.bads))),
        Key(say("bad_rate"), form.share(found.bad_rate.value, 2)),
        *(
            Key(say(f"term.{name}"), words.number(figure.value), say("key.interval", low=words.number(figure.low),
                high=words.number(figure.high)))
            for name, figure in ((name, getattr(overall, name)) for name in judged.MEASURES)
        ),
    )  # fmt: skip
    return render(
        Sheet(
            title=say("title", target=target),
            meta=" · ".join((say("version", version=found.version), say(f"kind.{found.kind}") if f"validation.kind."
                             f"{found.kind}" in words.text else found.kind)),
            first=say("findings"), findings=findings(words, found), keys=keys, sections=sections,
            footer=say("footer"),
        ),
        words.text,
    )  # fmt: skip


def findings(words: Words, found: Validation) -> tuple[str, ...]:
    """Three facts to know first: how well it ranks, whether its probabilities hold, and what most needs a decision."""
    return _ranked(words, found), judged.held(words, found), _decision(words, found)


def _ranked(words: Words, found: Validation) -> str:
    say, area = words.say, found.overall.auc
    first = say("found.auc", auc=words.share(area))
    if not found.benchmark:
        return first
    best = max(found.benchmark, key=lambda rival: rival.overall.auc.value)
    gap = best.difference
    verdict = "ahead" if gap.low > 0 else "behind" if gap.high < 0 else "level"
    return first + say(f"found.{verdict}", name=words.rival(best.name), gap=words.figure(gap, 4))


def _decision(words: Words, found: Validation) -> str:
    """A group that is approved too rarely, else the change of models, else what the riskiest tenth holds."""
    low = [
        (level.impact.high, one, level)
        for one in found.fairness
        for level in one.levels
        if level.impact.high < judged.FOUR_FIFTHS
    ]
    if low:
        return _unequal(words, *min(low, key=lambda entry: entry[0])[1:])
    if found.swap is not None:
        return judged.swapped(words, found.swap)
    first = found.gains[0]
    return words.say("found.tenth", capture=words.share(first.capture), lift=words.figure(first.lift, 1),
                     rows=words.form.share(first.rows_share))  # fmt: skip


def _unequal(words: Words, one: Attribute, level: Level) -> str:
    return words.say(
        "found.unequal", group=one.name, level=words.label(level.label), reference=words.label(one.reference),
        impact=words.figure(level.impact, 2), ratio=words.figure(level.observed_to_expected, 2),
    )  # fmt: skip


def _basis(words: Words, found: Validation) -> Section:
    """What the model is made of, what its guards found, and who overrode them."""
    say, facts = words.say, found.facts
    rows = [(say("fact.version"), found.version), (say("fact.how"), found.how)]
    rows += [(say(f"fact.{name}"), _told(facts[name])) for name in _FACTS if _says(facts.get(name))]
    tables = []
    for name in ("guards", "overrides"):
        listed = facts.get(name)
        if isinstance(listed, (list, tuple)) and listed:
            lines = tuple((str(place), _told(entry)) for place, entry in enumerate(listed, 1))
            head = (say("number"), say("value"))
            tables.append(Table(say(f"basis.{name}"), head, lines, frozenset({1}), folded=len(lines) > 8))
    return Section("basis", say("basis"), (say("basis.words"),), points=tuple(rows), tables=tuple(tables))


def _says(value: object) -> bool:
    """Whether a fact says something: numbers do, NumPy's too, which cannot be compared with a list."""
    return value is not None and not (isinstance(value, (str, list, tuple, Mapping)) and not value)


def _told(value: object) -> str:
    """A fact as text."""
    if isinstance(value, Mapping):
        return "; ".join(f"{name}: {_told(entry)}" for name, entry in value.items() if _says(entry))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_told, value))
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _terms(words: Words) -> Section:
    names = ("pd", "score", *judged.MEASURES, "lift", "capture", "psi", "impact", "ratio", "interval")
    say = words.say
    return Section(
        "terms", say("terms"), points=tuple((say(f"term.{name}"), say(f"term.{name}.means")) for name in names)
    )
