"""The page on a cut-off: profit, shares and the cost of being wrong along the score, and the cut-off chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from evenkeel.kernel.text import Texts, texts
from evenkeel.pipeline.report.blocks import Figure, Section, Table
from evenkeel.pipeline.report.charts import Name, Series, curves, spread_ticks
from evenkeel.pipeline.report.format import UNKNOWN, Format
from evenkeel.pipeline.report.sheet import Key, Sheet, render
from evenkeel.policy.cutoff import Band, Curve, FloatArray

Say = Callable[..., str]

_ROWS = 16  # of the table behind a chart


def document(found: Curve) -> dict[str, object]:
    """The curve as data: lists along the score, null where nothing is supported."""

    def band(one: Band | None) -> dict[str, list[float | None]] | None:
        if one is None:
            return None
        return {name: _known(getattr(one, name), found) for name in ("value", "low", "high")}

    best = None if found.best is None else float(found.cutoffs[found.best])
    return {
        "best": best, "best_low": found.best_low, "best_high": found.best_high,
        "cutoffs": found.cutoffs.tolist(), "supported": found.supported.tolist(), "allowed": found.allowed.tolist(),
        "approval": found.approval.tolist(), "profit_minor": band(found.profit), "loss_minor": band(found.loss),
        "bad_share": band(found.bad_share), "over_indebted_share": band(found.over_indebted_share),
        "wrong_minor": band(found.wrong),
    }  # fmt: skip


def page(found: Curve, source: str, language: str, currency: str) -> str:
    """The page in one language as HTML; the same bytes for the same curve."""
    text, form = texts(language), Format(language, currency)

    def say(key: str, **values: object) -> str:
        return text(f"cutoff.{key}", **values)

    sections = tuple(
        Section(name, say(name), (say(f"{name}.words"),), figures=(_figure(name, found, say, form),))
        for name in ("profit", "shares", "wrong")
        if name != "wrong" or found.wrong is not None
    )
    terms = tuple(
        (say(f"term.{name}"), say(f"term.{name}.means")) for name in ("cutoff", "profit", "interval", "known")
    )
    return render(
        Sheet(
            title=say("title"), meta=source, first=say("first"), findings=_findings(found, text, form),
            keys=_keys(found, text, form), sections=(*sections, Section("terms", say("terms"), points=terms)),
            footer=say("footer"),
        ),
        text,
    )  # fmt: skip


def findings(found: Curve, language: str, currency: str) -> tuple[str, ...]:
    """What to know first, in words."""
    return _findings(found, texts(language), Format(language, currency))


def _findings(found: Curve, text: Texts, form: Format) -> tuple[str, ...]:
    if found.best is None:
        reason = "unsupported" if not found.supported.any() else "no_room"
        return (text(f"cutoff.found.{reason}"),)
    at, profit = found.best, found.profit
    told = [
        text(
            "cutoff.found.best", cutoff=form.number(float(found.cutoffs[at]), 0), low=form.number(found.best_low, 0),
            high=form.number(found.best_high, 0), approval=form.share(float(found.approval[at])),
            profit=form.short(float(profit.value[at])), profit_low=form.short(float(profit.low[at])),
            profit_high=form.short(float(profit.high[at])),
        )
    ]  # fmt: skip
    told += [_cost_of(found, step, text, form) for step in (-1, 1) if _beside(found, step) is not None]
    if not found.supported.all():
        low = float(found.cutoffs[int(found.supported.argmax())])
        told.append(text("cutoff.found.blind", low=form.number(low, 0)))
    return tuple(told)


def _beside(found: Curve, step: int) -> int | None:
    """The place of a cut-off some 20 points lower or higher, or the next one; None where there is none allowed."""
    assert found.best is not None  # noqa: S101 - asked only where one was chosen
    places = [
        at for at in range(len(found.cutoffs)) if (at - found.best) * step > 0 and found.supported[at]
    ]  # fmt: skip
    best = found.cutoffs[found.best]
    return min(places, key=lambda at: abs(abs(found.cutoffs[at] - best) - 20), default=None)


def _cost_of(found: Curve, step: int, text: Texts, form: Format) -> str:
    at = _beside(found, step)
    assert at is not None and found.wrong is not None  # noqa: S101
    wrong = found.wrong
    return text(
        "cutoff.found.lower" if step < 0 else "cutoff.found.higher", cutoff=form.number(float(found.cutoffs[at]), 0),
        cost=form.short(float(wrong.value[at])), low=form.short(float(wrong.low[at])),
        high=form.short(float(wrong.high[at])),
    )  # fmt: skip


def _keys(found: Curve, text: Texts, form: Format) -> tuple[Key, ...]:
    if found.best is None:
        return (Key(text("cutoff.key.cutoff"), UNKNOWN),)
    at = found.best

    def between(one: Band) -> str:
        return text("cutoff.key.interval", low=form.share(float(one.low[at])), high=form.share(float(one.high[at])))

    return (
        Key(
            text("cutoff.key.cutoff"), form.number(float(found.cutoffs[at]), 0),
            text("cutoff.key.interval", low=form.number(found.best_low, 0), high=form.number(found.best_high, 0)),
        ),
        Key(text("cutoff.key.approval"), form.share(float(found.approval[at]))),
        Key(text("cutoff.key.bad"), form.share(float(found.bad_share.value[at])), between(found.bad_share)),
        Key(
            text("cutoff.key.over"), form.share(_number(found.over_indebted_share.value[at])),
            between(found.over_indebted_share) if _number(found.over_indebted_share.value[at]) is not None else "",
        ),
    )  # fmt: skip


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _known(values: FloatArray, found: Curve) -> list[float | None]:
    return [
        float(value) if sure and math.isfinite(value) else None
        for value, sure in zip(values, found.supported, strict=True)
    ]


def _figure(name: str, found: Curve, say: Say, form: Format) -> Figure:
    tones = {"profit": ("profit",), "shares": ("bad_share", "over_indebted_share"), "wrong": ("wrong",)}[name]
    series = []
    for tone, part in zip(("c1", "c2"), tones, strict=False):
        band = getattr(found, part)
        if any(value is not None for value in _known(band.value, found)):
            series.append(
                Series(say(f"line.{part}"), _known(band.value, found), tone, low=_known(band.low, found),
                       high=_known(band.high, found))
            )  # fmt: skip
    if name == "shares":
        series.append(Series(say("line.approval"), _known(found.approval, found), "c3", dashed=True))
    label = (lambda value: form.share(value, 0)) if name == "shares" else form.short
    ticks = spread_ticks([form.number(float(one), 0) for one in found.cutoffs])
    title = say(f"{name}.chart")
    chart = curves(Name(f"chart-{name}", title, say(f"{name}.words")), series, ticks, label, say("axis"))
    return Figure(title, chart, say(f"{name}.note"), _table(title, series, found, say, form, shares=name == "shares"))


def _table(title: str, series: Sequence[Series], found: Curve, say: Say, form: Format, *, shares: bool) -> Table:
    step = max(1, len(found.cutoffs) // _ROWS)
    places = sorted({*range(0, len(found.cutoffs), step), *(() if found.best is None else (found.best,))})

    def told(value: float | None) -> str:
        return form.share(value) if shares else form.short(value) if value is not None else UNKNOWN

    rows = tuple((form.number(float(found.cutoffs[at]), 0), *(told(one.values[at]) for one in series)) for at in places)
    return Table(title, (say("axis"), *(one.label for one in series)), rows, folded=True)
