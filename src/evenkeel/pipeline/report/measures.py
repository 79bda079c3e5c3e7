"""The first stage and the last as sections: what is overdue and how it moves, and what it all costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evenkeel.pipeline.report import charts
from evenkeel.pipeline.report.blocks import Figure, Section, Table
from evenkeel.pipeline.report.charts import Bar, Name, Series
from evenkeel.pipeline.report.view import View

_MOB_SHOWN = (3, 6, 9, 12, 18, 24, 36)


def measure(view: View) -> Section:
    """1: buckets, flows, vintages, entry by month, and how arrears spread over a borrower's lines."""
    say, form, part = view.say, view.form, view.portfolio["delinquency"]
    words = say(
        "measure.words", accounts=form.count(part["accounts_on_book"]), borrowers=form.count(part["borrowers_on_book"]),
        month=part["month"], overdue=form.share(part["overdue_share_accounts"]),
        m3=form.share(part["m3_plus_share_accounts"]),
    )  # fmt: skip
    figures = [_buckets(view, part)]
    absent = []
    for figure, keys in (
        (_entry(view, part), ("flow_matrix.shares",)),
        (_flow(view), ("flow_matrix.shares",)),
        (_vintages(view), ("vintage",)),
        (_overlap(view), ("cross_platform", "outside_lines")),
        (_first_to_next(view), ("cross_platform.months_first_to_next",)),
    ):
        if figure:
            figures.append(figure)
        elif any(need["part"] in keys for need in view.portfolio["not_available"]):
            absent.append(view.say("measure.absent", what=say(f"measure.what.{keys[0]}"), why=view.absence(*keys)))
    return Section("measure", say("measure"), (words,), tuple(figures), absent=" ".join(absent), number="1")


def _buckets(view: View, part: Mapping[str, Any]) -> Figure:
    say, form, states = view.say, view.form, part["states"]
    total = sum(state["accounts"] for state in states) or 1
    bars = [
        Bar(state["state"], state["accounts"], f"{form.count(state['accounts'])} ({form.share(state['accounts'] / total, 2)})",
            "c5" if state["state"] in ("M1", "M2") else "c2")
        for state in states[1:8]
    ]  # fmt: skip
    title = say("measure.buckets")
    rows = tuple(
        (state["state"], say(f"state.{state['state']}"), form.count(state["accounts"]),
         form.share(state["accounts"] / total, 2), form.amount(state["balance_minor"]))
        for state in states
    )  # fmt: skip
    head = (say("state"), say("meaning"), say("accounts"), say("share"), say("balance_in", unit=form.currency_name))
    note = say("measure.buckets.note", clean=form.count(states[0]["accounts"]), idle=form.count(states[8]["accounts"]))
    chart = charts.bars(Name("buckets", title, say("measure.buckets.desc")), bars)
    return Figure(title, chart, note, Table(say("numbers"), head, rows, frozenset({1})))


def _entry(view: View, part: Mapping[str, Any]) -> Figure | None:
    say, form, months = view.say, view.form, part["by_month"]
    if not any(month["entry_rate"] is not None for month in months):
        return None
    title = say("measure.entry")
    series = (
        Series(say("measure.overdue_share"), [month["overdue_share"] for month in months], "c2"),
        Series(say("measure.entry_rate"), [month["entry_rate"] for month in months], "c1", dashed=True),
    )
    chart = charts.curves(
        Name("entry", title, say("measure.entry.desc", first=months[0]["month"], last=months[-1]["month"])), series,
        charts.spread_ticks([month["month"] for month in months], 5), lambda value: form.share(value), "",
    )  # fmt: skip
    rows = tuple(
        (m["month"], form.count(m["accounts"]), form.count(m["overdue_accounts"]), form.share(m["overdue_share"], 2),
         form.count(m["entered"]), form.share(m["entry_rate"], 2))
        for m in months
    )  # fmt: skip
    head = (
        say("month"), say("accounts"), say("measure.overdue"), say("measure.overdue_share"), say("measure.entered"),
        say("measure.entry_rate"),
    )  # fmt: skip
    return Figure(title, chart, say("measure.entry.note"), Table(say("numbers"), head, rows))


def _flow(view: View) -> Figure | None:
    say, form, flow = view.say, view.form, view.portfolio["flow_matrix"]
    if not any(flow["observed"]):
        return None
    title = say("measure.flow")
    name = Name("flow", title, say("measure.flow.desc"))
    chart = charts.heatmap(name, flow["states"], flow["shares"], (say("measure.flow.to"), say("measure.flow.from")))
    rows = tuple(
        (state, form.count(observed), *(form.count(count) for count in counts))
        for state, observed, counts in zip(flow["states"], flow["observed"], flow["counts"], strict=True)
    )
    head = (say("measure.flow.from"), say("measure.flow.observed"), *flow["states"])
    table = Table(say("measure.flow.counts"), head, rows)
    note = say("measure.flow.note", denominator=view.text("portfolio.flow.denominator"))
    return Figure(title, chart, note, table)


def _vintages(view: View) -> Figure | None:
    """One curve a vintage, the later the stronger, so that a worsening shows as dark lines above pale ones."""
    say, form, part = view.say, view.form, view.portfolio["vintage"]
    curves = [curve for curve in (part or {}).get("curves", []) if sum(v is not None for v in curve["values"]) > 1]
    if not part or not curves:
        return None
    title = say("measure.vintage", dpd=part["definition"]["threshold_dpd"])
    series = [
        Series(curve["vintage"], curve["values"], "c1", 0.22 + 0.78 * place / max(len(curves) - 1, 1))
        for place, curve in enumerate(curves)
    ]
    length = max(len(curve["values"]) for curve in curves)
    chart = charts.curves(
        Name("vintage", title, say("measure.vintage.desc", curves=len(curves))), series,
        [(mob, str(mob)) for mob in range(0, length, max(3 * -(-length // 18), 3))], lambda value: form.share(value),
        say("measure.vintage.axis"),
    )  # fmt: skip
    mobs = [mob for mob in _MOB_SHOWN if mob < length]
    rows = tuple(
        (curve["vintage"], form.count(curve["accounts"]), *(form.share(_at(curve["values"], mob), 2) for mob in mobs))
        for curve in part["curves"]
    )
    head = (say("measure.vintage.opened"), say("accounts"), *(say("measure.vintage.mob", mob=mob) for mob in mobs))
    note = say(
        "measure.vintage.note", first=curves[0]["vintage"], last=curves[-1]["vintage"],
        denominator=view.text("portfolio.vintage.denominator"), immature=view.text("portfolio.vintage.immature"),
        left_out=view.text("portfolio.vintage.left_out"), number=form.count(part["definition"]["left_out_accounts"]),
    )  # fmt: skip
    return Figure(title, chart, note, Table(say("numbers"), head, rows))


def _at(values: Sequence[float | None], place: int) -> float | None:
    return values[place] if place < len(values) else None


def _overlap(view: View) -> Figure | None:
    say, form, part = view.say, view.form, view.portfolio["cross_platform"]
    if part is None or not part["overdue_borrowers"]:
        return None
    title = say("measure.overlap")
    bars = [
        Bar(form.count(entry["lines"]), entry["borrowers"], form.share(entry["share"], 1), "c5" if entry["lines"] == 1 else "c2")
        for entry in part["overdue_on"]
    ]
    desc = say(
        "measure.overlap.desc", borrowers=form.count(part["overdue_borrowers"]),
        two=form.share(part["overdue_on_2_plus_share"]), three=form.share(part["overdue_on_3_plus_share"]),
        all=form.share(part["overdue_on_all_share"]),
    )  # fmt: skip
    chart = charts.columns(Name("overlap", title, desc), bars, say("measure.overlap.axis"))
    rows = tuple(
        (form.count(e["lenders"]), form.count(e["borrowers"]), form.count(e["overdue_borrowers"]), form.share(e["overdue_share"]))
        for e in part["borrowers_by_lenders"]
    )
    head = (say("lenders"), say("borrowers"), say("measure.overdue"), say("measure.overdue_share"))
    return Figure(title, chart, desc, Table(say("measure.overlap.by_lenders"), head, rows))


def _first_to_next(view: View) -> Figure | None:
    say, form = view.say, view.form
    part = (view.portfolio["cross_platform"] or {}).get("months_first_to_next")
    if not part or not part["spells_with_next"]:
        return None
    title = say("measure.next")
    bars = [Bar(form.count(entry["months"]), entry["spells"], form.count(entry["spells"])) for entry in part["histogram"]]
    chart = charts.columns(Name("next", title, say("measure.next.desc")), bars, say("measure.next.axis"))
    rows = tuple((bar.label, bar.text) for bar in bars)
    note = say(
        "measure.next.note", spells=form.count(part["spells"]), followed=form.count(part["spells_with_next"]),
        share=form.share(part["spells_with_next"] / part["spells"]), median=f"{part['median']:g}",
        mean=form.number(part["mean"], 1), definition=view.text("portfolio.overlap.spell"),
    )  # fmt: skip
    return Figure(title, chart, note, Table(say("numbers"), (say("months"), say("measure.next.spells")), rows))


def finance(view: View) -> Section:
    """9: what the book earns and loses over a year, and with the recommended changes."""
    say, part = view.say, view.portfolio["finance"]
    if not part or part.get("profit_minor") is None:
        return Section("finance", say("finance"), absent=view.absence("finance"), number="9")
    return Section("finance", say("finance"), number="9")
