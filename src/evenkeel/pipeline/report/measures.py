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
        (_overlap(view), ("cross_platform",)),
        (_first_to_next(view), ("cross_platform.months_first_to_next",)),
    ):
        if figure:
            figures.append(figure)
        elif any(need["part"] in keys for need in view.portfolio["not_available"]):
            absent.append(view.say("measure.absent", what=say(f"measure.what.{keys[0]}"), why=view.absence(*keys)))
    return Section("measure", say("measure"), (words,), tuple(figures), absent=tuple(absent), number="1")


def _buckets(view: View, part: Mapping[str, Any]) -> Figure:
    say, form, states = view.say, view.form, part["states"]
    total = sum(state["accounts"] for state in states) or 1
    bars = [
        Bar(
            state["state"],
            state["accounts"],
            f"{form.count(state['accounts'])} ({form.share(state['accounts'] / total, 2)})",
            "c5" if state["state"] in ("M1", "M2") else "c2",
        )
        for state in states[1:8]
    ]
    title = say("measure.buckets")
    rows = tuple(
        (state["state"], say(f"state.{state['state']}"), form.count(state["accounts"]),
         form.share(state["accounts"] / total, 2), form.amount(state["balance_minor"]))
        for state in states
    )  # fmt: skip
    head = (say("state"), say("meaning"), say("accounts"), say("share"), say("balance_in", unit=view.unit))
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
        Bar(
            form.count(entry["lines"]),
            entry["borrowers"],
            form.share(entry["share"], 1),
            "c5" if entry["lines"] == 1 else "c2",
        )
        for entry in part["overdue_on"]
    ]
    desc = say(
        "measure.overlap.desc", borrowers=form.count(part["overdue_borrowers"]),
        two=form.share(part["overdue_on_2_plus_share"]), three=form.share(part["overdue_on_3_plus_share"]),
        all=form.share(part["overdue_on_all_share"]),
    )  # fmt: skip
    chart = charts.columns(Name("overlap", title, desc), bars, say("measure.overlap.axis"))
    rows = tuple(
        (
            form.count(e["lenders"]),
            form.count(e["borrowers"]),
            form.count(e["overdue_borrowers"]),
            form.share(e["overdue_share"]),
        )
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
    bars = [
        Bar(form.count(entry["months"]), entry["spells"], form.count(entry["spells"])) for entry in part["histogram"]
    ]
    chart = charts.columns(Name("next", title, say("measure.next.desc")), bars, say("measure.next.axis"))
    rows = tuple((bar.label, bar.text) for bar in bars)
    note = say(
        "measure.next.note",
        spells=form.count(part["spells"]),
        followed=form.count(part["spells_with_next"]),
        share=form.share(part["spells_with_next"] / part["spells"]),
        same=form.share(part["histogram"][0]["spells"] / part["spells_with_next"]),
        mean=form.number(part["mean"], 1),
        definition=view.text("portfolio.overlap.spell"),
    )
    return Figure(title, chart, note, Table(say("numbers"), (say("months"), say("measure.next.spells")), rows))


def finance(view: View) -> Section:
    """9: what the book earns and loses over a year, and what the recommended changes would alter."""
    say, form, part = view.say, view.form, view.portfolio["finance"]
    if not part or part["provision_minor"] is None:
        return Section("finance", say("finance"), absent=(view.absence("finance"),), number="9")
    words = [
        say(
            "finance.words", npl=form.share(part["npl_ratio"], 2), npl60=form.share(part["npl_ratio_60_plus"], 2),
            provision=form.range(part["provision_minor"]), risk=form.share_range(part["cost_of_risk"]),
        )
    ]  # fmt: skip
    difference = part["difference"]
    if difference["profit_minor"]:
        words.append(
            say(
                "finance.difference", profit=form.range(difference["profit_minor"], signed=True),
                loss=form.range(difference["expected_loss_minor"], signed=True),
            )
        )  # fmt: skip
    return Section(
        "finance", say("finance"), tuple(words),
        tuple(figure for figure in (_waterfall(view, part), _cash_flow(view, part)) if figure),
        (_year(view, part), _provision(view, part)), tuple(view.needs(entry) for entry in part["missing"]), "9",
    )  # fmt: skip


def _waterfall(view: View, part: Mapping[str, Any]) -> Figure | None:
    say, form, steps = view.say, view.form, part["waterfall"]
    if not steps:
        return None
    title = say("finance.waterfall")
    tones = {"interest_and_fees": "c1", "profit": "c3"}
    bars = [
        Bar(
            say(f"finance.{step['item']}"),
            step["amount_minor"],
            form.short(step["amount_minor"]),
            tones.get(step["item"], "c2"),
        )
        for step in steps
    ]
    chart = charts.waterfall(
        Name("waterfall", title, say("finance.waterfall.desc")), bars, frozenset({0, len(bars) - 1})
    )
    rows = tuple(
        (bar.label, form.amount(step["amount_minor"]), form.amount(step["with_changes_minor"]))
        for bar, step in zip(bars, steps, strict=True)
    )
    head = (say("in", unit=view.unit), say("finance.without"), say("finance.with"))
    return Figure(title, chart, view.text("portfolio.finance.profit"), Table(say("numbers"), head, rows))


def _cash_flow(view: View, part: Mapping[str, Any]) -> Figure:
    """Net cash of each month with and without the changes; where that is not known, what is lost."""
    say, form, months = view.say, view.form, part["cash_flow"]
    name = "net_cash_minor" if months[0]["without"]["net_cash_minor"] else "lost_minor"
    title = say(f"finance.{name}")
    series = []
    for world, tone in (("without", "c0"), ("with", "c1")):
        low, base, high = ([month[world][name][end] for month in months] for end in ("low", "base", "high"))
        series.append(Series(say(f"finance.{world}"), base, tone, dashed=world == "without", low=low, high=high))
    names = [month["calendar_month"] for month in months]
    size, unit = form.scale(max(abs(value) for one in series for value in (*one.low, *one.high) if value is not None))
    chart = charts.curves(
        Name("cash", title, say("finance.cash.desc")), series, charts.spread_ticks(names, 4),
        lambda value: form.number(value / size, 1), unit,
    )  # fmt: skip
    rows = tuple(
        (month["calendar_month"], *(_ends(view, month[world][name]) for world in ("without", "with")))
        for month in months
    )
    head = (say("month"), say("finance.without"), say("finance.with"))
    return Figure(title, chart, say("finance.cash.note"), Table(say("finance.cash.table", unit=view.unit), head, rows))


def _ends(view: View, part: Mapping[str, Any]) -> str:
    return " / ".join(view.form.whole(part[end]) for end in ("low", "base", "high"))


_TOTALS = ("income", "funding", "expected_loss", "collection_cost", "profit", "balance_end")


def _year(view: View, part: Mapping[str, Any]) -> Table:
    """The year as ranges, without the changes, with them, and the difference."""
    say, form = view.say, view.form
    worlds = [(part[name], name == "difference") for name in ("without_changes", "with_changes", "difference")]
    rows = [
        (say(f"finance.{name}"), *(form.range(world[f"{name}_minor"], signed) for world, signed in worlds))
        for name in _TOTALS
    ]
    rows.append(
        (say("term.cost_of_risk"), *(form.share_range(world["cost_of_risk"], signed) for world, signed in worlds))
    )
    head = (say("finance.item"), say("finance.without"), say("finance.with"), say("finance.change"))
    note = f"{view.text('portfolio.finance.range')} {view.text('portfolio.finance.changes')}"
    return Table(say("finance.year"), head, tuple(rows), frozenset({1, 2, 3}), note=note)


def _provision(view: View, part: Mapping[str, Any]) -> Table:
    say, form = view.say, view.form
    rows = tuple(
        (entry["bucket"], form.amount(entry["balance_minor"]), form.share(entry["flows_to_loss"], 2),
         form.share(entry["lost_in_12_months"], 2), form.range(entry["provision_minor"]))
        for entry in part["provision_by_bucket"]
    )  # fmt: skip
    head = (
        say("state"), say("balance_in", unit=view.unit), say("finance.flows"), say("finance.lost12"),
        say("term.provision"),
    )  # fmt: skip
    return Table(
        say("finance.provision"), head, rows, frozenset({4}), folded=True, note=view.text("portfolio.finance.provision")
    )
