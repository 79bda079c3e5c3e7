"""What `evenkeel arrears evaluate` says to people: values on one scale, effects, ranking and harm."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from evenkeel.arrears.treatments.evaluation import Evaluation, Refused
from evenkeel.arrears.treatments.logged import TreatmentLog
from evenkeel.kernel.text import Texts
from evenkeel.measures.offpolicy import Valued
from evenkeel.measures.uplift import Resampled

_WIDTH = 40  # characters of a picture of intervals

Line = tuple[str, Valued | Resampled | None]


def told(found: Evaluation, log: TreatmentLog, say: Texts) -> str:
    """The evaluation in words and pictures."""
    return "\n".join(
        [*_rows(log, say, found), "", *_value(found, log, say), "", *_effects(found, say), *_harms(found, say)]
    )


def told_refusal(found: Refused, log: TreatmentLog, say: Texts) -> str:
    """Why there is no number."""
    where = (
        say("evaluate.where", feature=found.feature, value=found.value) if found.feature else say("evaluate.everywhere")
    )
    reason = say(
        f"evaluate.refused.{found.reason}", action=found.action, where=where, wanted=f"{found.wanted:,.0f}",
        seen=f"{found.seen:,.0f}", logged=f"{found.logged:,}",
    )  # fmt: skip
    return "\n".join(
        [*_rows(log, say, None), "", say("evaluate.refused"), f"  {reason}", f"  {say('evaluate.remedy')}"]
    )


def _rows(log: TreatmentLog, say: Texts, found: Evaluation | None) -> Iterator[str]:
    yield say("evaluate.rows", rows=f"{len(log.action):,}", actions=", ".join(log.actions), nothing=log.actions[0])
    if log.unlawful:
        listed = ", ".join(f"{name} {count:,}" for name, count in log.unlawful.items())
        yield say("evaluate.unlawful", count=f"{sum(log.unlawful.values()):,}", listed=listed)
    if log.unknown:
        yield say("evaluate.unknown", listed=", ".join(f"`{name}` {count:,}" for name, count in log.unknown.items()))
    if log.barred:
        yield say("evaluate.barred", listed=", ".join(log.barred))
    if found is not None and found.moved:
        yield say("evaluate.moved", listed=", ".join(found.moved))


def _value(found: Evaluation, log: TreatmentLog, say: Texts) -> Iterator[str]:
    shares = ", ".join(f"{name} {100 * share:.1f} %" for name, share in found.shares.items() if share > 0)
    yield say("evaluate.policy", shares=shares, rows=f"{found.rows:,}", matched=f"{found.support.matched:,}",
              effective=f"{found.support.effective:,.0f}", largest=f"{found.support.largest_weight:,.1f}")  # fmt: skip
    values = found.values
    lines: list[Line] = [
        (say("evaluate.expected"), found.expected), ("IPS", values.ips), ("SNIPS", values.snips), ("DR", values.dr),
        ("SWITCH", values.switch), (say("evaluate.logged"), found.logged),
    ]  # fmt: skip
    lines += [(say("evaluate.all_get", action=name), one) for name, one in found.single.items()]
    yield from _pictures(lines, say)
    if values.cut_rows:
        yield say("evaluate.cut", rows=f"{100 * values.cut_rows:.1f}", weight=f"{100 * values.cut_weight:.1f}")
    if math.isfinite(values.switch_above):
        yield say("evaluate.switch", above=f"{values.switch_above:.3g}")
    if found.expected_inside is not None:
        yield say("evaluate.inside" if found.expected_inside else "evaluate.outside")
    if found.over_nothing is not None:
        yield say("evaluate.over_nothing", nothing=log.actions[0], figure=_figure(found.over_nothing))
    yield say("evaluate.over_log", figure=_figure(found.over_log))
    if found.cost or found.burden:
        yield say("evaluate.cost", cost=_plain(found.cost), burden=_plain(found.burden))


def _effects(found: Evaluation, say: Texts) -> Iterator[str]:
    yield say("evaluate.effects")
    yield from _pictures([(f"{name} ({rows:,})", one) for name, (rows, one) in found.effects.items()], say)
    for name, one in found.uplift.items():
        at = "  ".join(f"{100 * share:.0f} %: {_plain(figure.value)}" for share, figure in one.at)
        yield say("evaluate.qini", action=name or say("evaluate.best"), qini=_plain(one.qini.value),
                  error=_plain(one.qini.standard_error), at=at)  # fmt: skip


def _harms(found: Evaluation, say: Texts) -> Iterator[str]:
    for name, harm in found.harms.items():
        yield ""
        yield say("evaluate.harm", name=say(f"evaluate.harm.{name}") if f"evaluate.harm.{name}" in say else name)
        lines: list[Line] = [(f"{action} ({rows:,})", one) for action, (rows, one) in harm.by_action.items()]
        lines += [(say("evaluate.under_policy"), harm.policy), (say("evaluate.under_nothing"), harm.nothing),
                  (say("evaluate.logged"), harm.logged)]  # fmt: skip
        yield from _pictures(lines, say)


def _pictures(lines: Sequence[Line], say: Texts) -> Iterator[str]:
    """One line a figure: its name, the number with its interval, and where it lies on a scale that all share."""
    ends = [end for _, one in lines if one is not None for end in (one.low, one.high, one.value) if math.isfinite(end)]
    low, high = (min(ends), max(ends)) if ends else (0.0, 0.0)
    width = max((_columns(name) for name, _ in lines), default=0)
    for name, one in lines:
        label = name + " " * (width - _columns(name))
        if one is None or not math.isfinite(one.value):
            if name != say("evaluate.expected"):
                yield f"  {label}  {say('evaluate.no_support')}"
            continue
        yield f"  {label}  {_figure(one):34} {_picture(one, low, high)}"


def _columns(text: str) -> int:
    """How wide a text stands: Chinese characters take two places."""
    return sum(2 if ord(letter) > 0x2E7F else 1 for letter in text)


def _picture(one: Valued | Resampled, low: float, high: float) -> str:
    if not (high > low and math.isfinite(one.low) and math.isfinite(one.high)):
        return ""
    start, end, middle = (round((at - low) / (high - low) * (_WIDTH - 1)) for at in (one.low, one.high, one.value))
    drawn = [" "] * _WIDTH
    drawn[start : end + 1] = "─" * (end + 1 - start)
    drawn[start], drawn[end], drawn[middle] = "├", "┤", "●"
    return "".join(drawn).rstrip()


def _plain(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _figure(one: Valued | Resampled) -> str:
    if not math.isfinite(one.low):
        return _plain(one.value)
    return f"{_plain(one.value)} [{_plain(one.low)}, {_plain(one.high)}]"
