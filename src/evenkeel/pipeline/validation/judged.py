"""How well a model ranks, whether its probabilities hold, by month, by group, and beside other models."""

from __future__ import annotations

import math

from markupsafe import Markup

from evenkeel.measures.discrimination import Estimate
from evenkeel.pipeline.report import charts
from evenkeel.pipeline.report.blocks import Figure, Section, Table
from evenkeel.pipeline.report.charts import Interval, Name, Path, Series
from evenkeel.pipeline.validation.words import Words
from evenkeel.scoring.validation import Attribute, Overall, Swap, SwapSet, Validation

FOUR_FIFTHS = 0.8  # 29 CFR 1607.4 D
MEASURES = ("auc", "gini", "ks", "h_measure", "brier", "log_loss")


def ranking(words: Words, found: Validation) -> Section:
    """1: ROC, KS and gains, the measures, and the tenths."""
    say, form, curve = words.say, words.form, found.curve
    label = _percent(words)
    roc = charts.plane(
        Name("roc", say("roc"), say("roc.desc")), [Path("", curve.goods, curve.bads)], label,
        (say("axis.goods"), say("axis.bads")), diagonal=True,
    )  # fmt: skip
    ks = charts.plane(
        Name("ks", say("ks"), say("ks.desc")),
        [Path(say("bads"), curve.rows, curve.bads, "c2"), Path(say("goods"), curve.rows, curve.goods, "c3", True)],
        label, (say("axis.rows"), say("axis.cumulated")),
    )  # fmt: skip
    gain = charts.plane(
        Name("gains", say("gains"), say("gains.desc")), [Path("", curve.rows, curve.bads)], label,
        (say("axis.rows"), say("axis.bads")), diagonal=True,
    )  # fmt: skip
    step = max(len(curve.rows) // 20, 1)
    points = tuple(
        (form.share(r), form.share(b), form.share(g), form.share(abs(b - g)))
        for r, b, g in list(zip(curve.rows, curve.bads, curve.goods, strict=True))[::step]
    )
    table = Table(say("numbers"), (say("axis.rows"), say("axis.bads"), say("axis.goods"), say("gap")), points)
    measures = tuple(
        (say(f"term.{name}"), words.figure(getattr(found.overall, name), 4), say(f"term.{name}.means"))
        for name in MEASURES
    )
    tenths = tuple(
        (
            str(place), form.count(gain.rows), f"{form.share(gain.p_low)} – {form.share(gain.p_high)}",
            words.share(gain.bad_rate), words.figure(gain.lift, 2), words.share(gain.capture),
        )
        for place, gain in enumerate(found.gains, 1)
    )  # fmt: skip
    head = (say("tenth"), say("rows"), say("term.pd"), say("bad_rate"), say("term.lift"), say("term.capture"))
    return Section(
        "ranking", say("ranking"), (say("ranking.words", how=found.how),),
        (
            Figure(say("roc"), roc, say("roc.note"), table), Figure(say("ks"), ks, say("ks.note"), table),
            Figure(say("gains"), gain, say("gains.note"), table),
            Figure(say("tenth.rates"), _tenths(words, found), say("tenth.rates.note"),
                   Table(say("tenths"), head, tenths)),
        ),
        (Table(say("measures"), (say("measure"), say("value"), say("meaning")), measures, frozenset({2})),),
        number="1",
    )  # fmt: skip


def _tenths(words: Words, found: Validation) -> Markup:
    say = words.say
    rows = [
        Interval(str(place), gain.bad_rate.value, gain.bad_rate.low, gain.bad_rate.high,
                 words.form.share(gain.bad_rate.value))
        for place, gain in enumerate(found.gains, 1)
    ]  # fmt: skip
    name = Name("tenths", say("tenth.rates"), say("tenth.rates.desc"))
    return charts.forest(name, rows, _percent(words), ("", say("bad_rate"), ""), line=found.bad_rate.value)


def _percent(words: Words) -> charts.Label:
    return lambda value: words.form.share(value, 0)


def calibration(words: Words, found: Validation) -> Section:
    """2: reliability, level and slope."""
    say, form, part = words.say, words.form, found.calibration
    dots = [charts.Dot(g.predicted, g.observed, g.low, g.high) for g in part.groups]
    axes = (say("axis.predicted"), say("axis.observed"))
    name = Name("reliability", say("reliability"), say("reliability.desc", groups=len(dots)))
    chart = charts.calibration(name, dots, _percent(words), axes)
    rows = tuple(
        (str(place), form.count(g.rows), form.share(g.predicted, 2),
         words.share(Estimate(g.observed, g.low, g.high), 2))
        for place, g in enumerate(part.groups, 1)
    )  # fmt: skip
    table = Table(say("numbers"), (say("group"), say("rows"), say("axis.predicted"), say("axis.observed")), rows)
    tests = tuple(
        (say(f"term.{name}"), value, say(f"term.{name}.means"))
        for name, value in (
            ("in_the_large", words.figure(part.test.in_the_large)),
            ("slope", words.figure(part.test.slope)),
            ("expected_error", words.share(part.expected_error, 2)),
            ("cox", f"p {words.p_value(part.test.p_value)}"),
            ("spiegelhalter", f"p {words.p_value(part.spiegelhalter_p)}"),
        )
    )
    return Section(
        "calibration", say("calibration"), (held(words, found),),
        (Figure(say("reliability"), chart, say("reliability.note"), table),),
        (Table(say("calibration.tests"), (say("measure"), say("value"), say("meaning")), tests, frozenset({2})),),
        number="2",
    )  # fmt: skip


def held(words: Words, found: Validation) -> str:
    """Whether the probabilities hold, in a sentence."""
    test = found.calibration.test
    verdict = (
        "low" if test.in_the_large.low > 0 else "high" if test.in_the_large.high < 0
        else "extreme" if test.slope.high < 1 else "timid" if test.slope.low > 1 else "right"
    )  # fmt: skip
    expected = sum(g.predicted * g.rows for g in found.calibration.groups) / found.rows
    return words.say(
        f"held.{verdict}", expected=words.form.share(expected, 2), observed=words.share(found.bad_rate, 2),
        slope=words.figure(test.slope, 2),
    )  # fmt: skip


def months(words: Words, found: Validation) -> Section:
    """3: bad rate, AUC and the drift of the score by month."""
    say, form, part = words.say, words.form, found.months
    if not part:
        return Section("months", say("months"), absent=(say("months.none"),), number="3")
    ticks = charts.spread_ticks([month.month for month in part], 5)
    rates = charts.curves(
        Name("month-rate", say("month.rate"), say("month.rate.desc")),
        [_banded(say("month.observed"), [m.bad_rate for m in part], "c2"),
         Series(say("expected"), [m.expected_rate for m in part], "c1", dashed=True)],
        ticks, lambda value: form.share(value), "",
    )  # fmt: skip
    areas = charts.curves(
        Name("month-auc", say("month.auc"), say("month.auc.desc")),
        [_banded(say("term.auc"), [m.auc for m in part], "c1")], ticks, lambda value: f"{value:.2f}", "", 0.5,
    )  # fmt: skip
    drift = charts.curves(
        Name("month-psi", say("month.psi"), say("month.psi.desc")),
        [_banded(say("term.psi"), [m.psi or _NOTHING for m in part], "c1"),
         Series(say("month.noise"), [m.psi_noise for m in part], "c5", dashed=True)],
        ticks, lambda value: f"{value:.2f}", "",
    )  # fmt: skip
    tables = {
        "rate": Table(
            say("numbers"), (say("month"), say("rows"), say("bads"), say("bad_rate"), say("expected")),
            tuple((m.month, form.count(m.rows), form.count(m.bads), words.share(m.bad_rate),
                   form.share(m.expected_rate)) for m in part),
        ),
        "auc": Table(
            say("numbers"), (say("month"), say("term.auc")), tuple((m.month, words.figure(m.auc)) for m in part)
        ),
        "psi": Table(
            say("numbers"), (say("month"), say("term.psi"), say("month.noise")),
            tuple((m.month, words.figure(m.psi or _NOTHING), words.number(m.psi_noise)) for m in part),
        ),
    }  # fmt: skip
    figures = tuple(
        Figure(say(f"month.{key}"), chart, say(f"month.{key}.note"), tables[key])
        for key, chart in (("rate", rates), ("auc", areas), ("psi", drift))
        if key != "psi" or len(part) > 1
    )
    return Section("months", say("months"), (say("months.words"),), figures, number="3")


_NOTHING = Estimate(math.nan, math.nan, math.nan)


def _banded(label: str, figures: list[Estimate], tone: str) -> Series:
    def known(name: str) -> list[float | None]:
        return [value if math.isfinite(value := getattr(figure, name)) else None for figure in figures]

    return Series(label, known("value"), tone, low=known("low"), high=known("high"))


# --- fairness, challengers, swaps -------------------------------------------------------------------------------------


def fairness(words: Words, found: Validation) -> Section:
    """6: who is approved, and whether probabilities hold, by group."""
    say, form = words.say, words.form
    if not found.fairness:
        return Section("fairness", say("fairness"), absent=(say("fairness.none"),), number="6")
    text = say("fairness.words", share=form.share(found.approved_share), cut_off=form.share(found.cut_off, 2))
    figures = tuple(_attribute(words, one, f"group-{place}") for place, one in enumerate(found.fairness))
    tables = tuple(_attribute_table(words, one) for one in found.fairness)
    return Section("fairness", say("fairness"), (text,), figures, tables, number="6")


def _attribute(words: Words, one: Attribute, key: str) -> Figure:
    say, form = words.say, words.form
    rows = [
        Interval(
            words.label(level.label), level.impact.value, level.impact.low, level.impact.high,
            words.number(level.impact.value, 2), level.rows / sum(other.rows for other in one.levels),
            "c0" if level.label == one.reference else "c2" if level.impact.high < FOUR_FIFTHS else "c1",
        )
        for level in one.levels
    ]  # fmt: skip
    title = say("impact", group=one.name)
    name = Name(key, title, say("impact.desc", reference=words.label(one.reference)))
    heads = (say("share"), say("term.impact"), "")
    chart = charts.forest(name, rows, lambda value: f"{value:.1f}", heads, 1.0, FOUR_FIFTHS)
    table = Table(
        say("numbers"), (one.name, say("rows"), say("approval"), say("term.impact")),
        tuple((words.label(level.label), form.count(level.rows), words.share(level.approval_rate),
               words.figure(level.impact, 2)) for level in one.levels),
    )  # fmt: skip
    return Figure(title, chart, say("impact.note", reference=words.label(one.reference)), table)


def _attribute_table(words: Words, one: Attribute) -> Table:
    say, form = words.say, words.form
    rows = tuple(
        (
            words.label(level.label), form.count(level.rows), form.count(level.bads),
            words.share(level.approval_rate), words.share(level.bad_rate), form.share(level.expected_rate),
            words.figure(level.observed_to_expected, 2), words.figure(level.auc),
        )
        for level in one.levels
    )  # fmt: skip
    head = (one.name, say("rows"), say("bads"), say("approval"), say("bad_rate"), say("expected"),
            say("term.ratio"), say("term.auc"))  # fmt: skip
    return Table(say("fairness.table", group=one.name), head, rows, note=say("fairness.note"))


def benchmark(words: Words, found: Validation) -> Section:
    """7: other models on the same rows."""
    say = words.say
    if not found.benchmark:
        return Section("benchmark", say("benchmark"), absent=(say("benchmark.none"),), number="7")
    every: list[tuple[str, Overall]] = [(say("this_model"), found.overall)]
    every += [(words.rival(rival.name), rival.overall) for rival in found.benchmark]
    drawn = [
        Interval(name, one.auc.value, one.auc.low, one.auc.high, words.number(one.auc.value, 4),
                 tone="c1" if place == 0 else "c0")
        for place, (name, one) in enumerate(every)
    ]  # fmt: skip
    least = min(row.low for row in drawn if row.low is not None)
    chart = charts.forest(
        Name("benchmark-auc", say("benchmark.auc"), say("benchmark.auc.desc")), drawn, lambda value: f"{value:.3g}",
        ("", say("term.auc"), ""), least,
    )  # fmt: skip
    gaps = {words.rival(r.name): (words.figure(r.difference, 4), words.p_value(r.difference.p_value))
            for r in found.benchmark}  # fmt: skip
    areas = tuple((name, words.figure(one.auc, 4), *gaps.get(name, ("", ""))) for name, one in every)
    head = (say("model"), say("term.auc"), say("benchmark.difference"), "p")
    figure = Figure(
        say("benchmark.auc"), chart, say("benchmark.note"), Table(say("numbers"), head, areas)
    )  # fmt: skip
    others = [measure for measure in MEASURES if measure not in ("auc", "gini")]
    rows = tuple((name, *(words.figure(getattr(one, measure), 4) for measure in others)) for name, one in every)
    table = Table(say("benchmark.table"), (say("model"), *(say(f"term.{measure}") for measure in others)), rows)
    return Section("benchmark", say("benchmark"), (say("benchmark.words"),), (figure,), (table,), number="7")


def swaps(words: Words, found: Validation) -> Section:
    """8: who changes places when this model follows the former one."""
    say, form, part = words.say, words.form, found.swap
    if part is None:
        return Section("swaps", say("swaps"), absent=(say("swaps.none"),), number="8")
    cells = (("both", part.both), ("in", part.swapped_in), ("out", part.swapped_out), ("neither", part.neither))
    drawn = [
        Interval(say(f"swap.{key}"), *_ends(cell), form.share(_finite(cell.bad_rate.value)), cell.rows / found.rows,
                 {"in": "c1", "out": "c2"}.get(key, "c0"))
        for key, cell in cells
    ]  # fmt: skip
    chart = charts.forest(
        Name("swap-set", say("swaps.rates"), say("swaps.desc")), drawn, _percent(words),
        (say("share"), say("bad_rate"), ""),
    )  # fmt: skip
    rows = tuple(
        (say(f"swap.{key}"), form.count(cell.rows), form.count(cell.bads), words.share(cell.bad_rate))
        for key, cell in cells
    )
    table = Table(say("numbers"), (say("swap.case"), say("rows"), say("bads"), say("bad_rate")), rows)
    figure = Figure(say("swaps.rates"), chart, say("swaps.note"), table)
    return Section("swaps", say("swaps"), (swapped(words, part),), (figure,), number="8")


def swapped(words: Words, part: SwapSet) -> str:
    """What the change of models does, in a sentence."""
    return words.say(
        "swaps.words", share=words.form.share(part.approved_share, 0), moved=words.form.count(part.swapped_in.rows),
        into=words.share(part.swapped_in.bad_rate), out=words.share(part.swapped_out.bad_rate),
        saved=words.share(part.saved), p=words.p_value(part.saved.p_value),
        before=words.form.share(part.bad_rate_before.value, 2), after=words.form.share(part.bad_rate_after.value, 2),
    )  # fmt: skip


def _ends(cell: Swap) -> tuple[float | None, float | None, float | None]:
    return _finite(cell.bad_rate.value), _finite(cell.bad_rate.low), _finite(cell.bad_rate.high)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
