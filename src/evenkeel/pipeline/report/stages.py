"""The nine stages of the loop as sections of the page: a paragraph, a chart and its numbers each."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.arrears.law import load_rules
from evenkeel.pipeline.report import charts
from evenkeel.pipeline.report.blocks import Figure, Section, Table
from evenkeel.pipeline.report.charts import Bar, Name
from evenkeel.pipeline.report.view import View

MOST_AT_RISK = 10
MOST_FEATURES = 10
MOST_REASONS = 3
OUTCOMES = ("raise", "keep", "lower", "freeze", "refer")


def score(view: View) -> Section:
    """2: how well the score tells, whether its probabilities can be taken at their word, and what it rests on."""
    say, form, model = view.say, view.form, view.portfolio["model"]
    if model is None:
        return Section("score", say("score"), absent=(view.absence("model"),), number="2")
    words = say(
        "score.words",
        auc=form.share(model["auc"]),
        low=form.share(model["auc_low"]),
        high=form.share(model["auc_high"]),
        bad=form.share(model["bad_rate"]),
        train=form.count(model["rows_train"]),
        held=form.count(model["rows_holdout"]),
    )
    measures = tuple(
        (say(f"score.{name}"), f"{model[name]:.4f}", f"{model[f'{name}_low']:.4f} – {model[f'{name}_high']:.4f}",
         say(f"score.{name}.meaning"))
        for name in ("auc", "ks", "brier")
    )  # fmt: skip
    table = Table(
        say("score.measures"),
        (say("measure_head"), say("value"), say("interval"), say("meaning")),
        measures,
        frozenset({3}),
    )
    return Section(
        "score", say("score"), (words,), (_calibration(view, model), _features(view, model)), (table,), number="2"
    )


def _calibration(view: View, model: Mapping[str, Any]) -> Figure:
    say, form, groups = view.say, view.form, model["calibration"]
    title = say("score.calibration")
    dots = [charts.Dot(g["predicted"], g["observed"], g["low"], g["high"]) for g in groups]
    chart = charts.calibration(
        Name("calibration", title, say("score.calibration.desc", groups=len(groups))), dots,
        lambda value: form.share(value, 0), (say("score.predicted"), say("score.observed")),
    )  # fmt: skip
    rows = tuple(
        (str(place), form.share(g["predicted"], 2), form.share(g["observed"], 2),
         f"{form.share(g['low'], 2)} – {form.share(g['high'], 2)}", form.count(g["rows"]))
        for place, g in enumerate(groups, 1)
    )  # fmt: skip
    head = (say("group"), say("score.predicted"), say("score.observed"), say("interval"), say("rows"))
    return Figure(title, chart, say("score.calibration.note"), Table(say("numbers"), head, rows))


def _features(view: View, model: Mapping[str, Any]) -> Figure:
    say, title = view.say, view.say("score.features")
    ranked = sorted(model["features"], key=lambda f: (-f["information_value"], f["name"]))
    top = ranked[:MOST_FEATURES]
    bars = [
        Bar(view.word("reason", f["concept"]) + (f" ({f['name']})" if f["concept"] != f["name"] else ""),
            f["information_value"], f"{f['information_value']:.2f}")
        for f in top
    ]  # fmt: skip
    chart = charts.bars(Name("features", title, say("score.features.desc")), bars)
    rows = tuple((f["name"], view.word("reason", f["concept"]), f"{f['information_value']:.3f}") for f in ranked)
    table = Table(say("numbers"), (say("feature"), say("meaning"), say("score.iv")), rows, frozenset({1}))
    return Figure(title, chart, say("score.features.note"), table)


def exposure(view: View) -> Section:
    """3: who holds more than the stated caps allow, and which cap says so."""
    say, form, part = view.say, view.form, view.portfolio["over_granting"]
    caps = part["caps"]
    rule = say(
        "exposure.caps", service=form.share(caps["service_to_income"], 0), months=f"{caps['limit_to_income_months']:g}",
        lenders=caps["lenders"],
    )  # fmt: skip
    if not part["assessed"]:
        return Section("exposure", say("exposure"), (rule,), absent=(view.absence("service_to_income"),), number="3")
    share = part["over_granted"] / part["assessed"]
    words = say(
        "exposure.words", over=form.count(part["over_granted"]), share=form.share(share),
        assessed=form.count(part["assessed"]), borrowers=form.count(part["borrowers"]),
        unknown=form.count(part["borrowers"] - part["assessed"]),
    )  # fmt: skip
    title = say("exposure.why")
    ranked = sorted(part["why"].items(), key=lambda item: (-item[1], item[0]))
    if not ranked:
        return Section("exposure", say("exposure"), (rule, words), number="3")
    bars = [
        Bar(view.word("over", code), count, form.count(count), "c0" if code.endswith("unknown") else "c2")
        for code, count in ranked
    ]
    rows = tuple((view.word("over", c), form.count(n), form.share(n / part["borrowers"])) for c, n in ranked)
    figure = Figure(
        title, charts.bars(Name("caps", title, say("exposure.why.desc")), bars), say("exposure.why.note"),
        Table(say("numbers"), (say("why"), say("borrowers"), say("of_all")), rows),
    )  # fmt: skip
    figures = tuple(entry for entry in (figure, _service(view)) if entry)
    return Section("exposure", say("exposure"), (rule, words), figures, number="3")


_SERVICE_BANDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, math.inf)


def _service(view: View) -> Figure | None:
    """Borrowers by the share of income that all their lines ask for a month."""
    say, form = view.say, view.form
    ratios = [value for value in view.loop.borrowers["service_to_income"].to_pylist() if value is not None]
    if not ratios:
        return None
    counts = Counter(next(place for place, top in enumerate(_SERVICE_BANDS) if ratio <= top) for ratio in ratios)
    cap = view.portfolio["over_granting"]["caps"]["service_to_income"]
    bars, rows, low = [], [], 0.0
    for place, top in enumerate(_SERVICE_BANDS):
        name = f"> {low * 100:.0f}" if math.isinf(top) else f"≤ {top * 100:.0f}"
        tone = "c2" if low >= cap else "c1"
        bars.append(Bar(name, counts[place], form.share(counts[place] / len(ratios), 0), tone))
        rows.append((f"{name} %", form.count(counts[place]), form.share(counts[place] / len(ratios))))
        low = top
    title = say("exposure.service")
    chart = charts.columns(Name("service", title, say("exposure.service.desc")), bars, say("exposure.service.axis"))
    table = Table(say("numbers"), (say("exposure.service.axis"), say("borrowers"), say("share")), tuple(rows))
    return Figure(title, chart, say("exposure.service.note", cap=form.share(cap, 0)), table)


def decide(view: View) -> Section:
    """4: what each limit should become, and the commonest reasons."""
    say, form, counts = view.say, view.form, view.portfolio["decisions"]
    total = sum(counts.values())
    decisions = view.loop.decisions
    shown = [name for name in OUTCOMES if counts.get(name)]
    shown += [name for name in counts if name not in OUTCOMES]
    words = [say("decide.words", total=form.count(total))]
    before, after = (pc.sum(decisions[f"limit_{which}_minor"]).as_py() for which in ("before", "after"))
    if before:
        change = (after - before) / before
        words.append(
            say(
                "decide.limits",
                before=form.short(before),
                after=form.short(after),
                change=form.share(change, 1, signed=True),
            )
        )
    words += _waiting(view)
    tones = {"raise": "c3", "keep": "c0", "lower": "c5", "freeze": "c2", "refer": "c4"}
    title = say("decide.outcomes")
    bars = [
        Bar(
            view.word("outcome", name),
            counts[name],
            f"{form.count(counts[name])} ({form.share(counts[name] / total)})",
            tones.get(name, "c1"),
        )
        for name in shown
    ]
    numbers = tuple((view.word("outcome", n), form.count(counts[n]), form.share(counts[n] / total)) for n in shown)
    figure = Figure(
        title, charts.bars(Name("outcomes", title, say("decide.outcomes.desc")), bars), say("decide.outcomes.note"),
        Table(say("numbers"), (say("decision"), say("accounts"), say("share")), numbers),
    )  # fmt: skip
    reasons = reason_counts(decisions)
    rows = [
        (view.word("outcome", name), view.word("reason", code), form.count(count), form.share(count / counts[name]))
        for name in shown
        for code, count in reasons[name][:MOST_REASONS]
    ]
    table = Table(
        say("decide.reasons"),
        (say("decision"), say("reason"), say("accounts"), say("decide.of_decision")),
        tuple(rows),
        frozenset({1}),
        note=say("decide.reasons.note"),
    )
    return Section("decide", say("decide"), tuple(words), (figure,), (table,), number="4")


def _waiting(view: View) -> list[str]:
    """What would be raised or lowered if facts were known of which the book tells nothing, and which these are."""
    return [
        view.say(
            f"decide.waiting.{entry['outcome']}", accounts=view.form.count(entry["accounts"]),
            unknown=view.say("decide.and").join(view.say(f"decide.unknown.{fact}") for fact in entry["unknown"]),
        )
        for entry in view.portfolio["decisions_waiting"]
    ]  # fmt: skip


def reason_counts(decisions: pa.Table) -> dict[str, list[tuple[str, int]]]:
    """For each outcome the reasons by how many accounts carry them."""
    reasons = decisions["reasons"].combine_chunks()
    codes = pc.struct_field(pc.list_flatten(reasons), "code")
    outcome = decisions["outcome"].combine_chunks().take(pc.list_parent_indices(reasons))
    pairs = pa.table({"outcome": outcome, "code": codes})
    counted = pairs.group_by(["outcome", "code"], use_threads=False).aggregate([([], "count_all")]).to_pylist()
    found: dict[str, list[tuple[str, int]]] = {name: [] for name in pc.unique(decisions["outcome"]).to_pylist()}
    for row in sorted(counted, key=lambda row: (-row["count_all"], row["code"])):
        found[row["outcome"]].append((row["code"], row["count_all"]))
    return found


def warn(view: View) -> Section:
    """5: who is next, and how far the ranking was right where the answer is known."""
    say, form, part = view.say, view.form, view.portfolio["warning"]
    if part is None:
        return Section("warn", say("warn"), absent=(view.absence("warning"),), number="5")
    judged = view.say("comma").join(part["judged_on"])
    words = say(
        "warn.words", borrowers=form.count(part["borrowers"]), months=part["horizon_months"],
        base=form.share(part["base_rate"]), judged=judged, auc=f"{part['auc']:.3f}", low=f"{part['auc_low']:.3f}",
        high=f"{part['auc_high']:.3f}", train=form.count(part["rows_train"]), held=form.count(part["rows_holdout"]),
    )  # fmt: skip
    title = say("warn.precision")
    top = part["precision"]
    bars = [
        Bar(say("warn.top", share=form.share(p["top_share"], 0)), p["precision"],
            f"{form.share(p['precision'])} ({say('times', number=form.number(p['lift'], 1))})")
        for p in top
    ]  # fmt: skip
    bars.append(Bar(say("warn.everybody"), part["base_rate"], form.share(part["base_rate"]), "c0"))
    rows = tuple(
        (say("warn.top", share=form.share(p["top_share"], 0)), form.count(p["borrowers"]), form.share(p["precision"]),
         f"{form.share(p['low'])} – {form.share(p['high'])}", f"{p['lift']:.1f}")
        for p in top
    )  # fmt: skip
    head = (say("warn.warned"), say("borrowers"), say("warn.became"), say("interval"), say("warn.lift"))
    figure = Figure(
        title, charts.bars(Name("precision", title, say("warn.precision.desc")), bars), say("warn.precision.note"),
        Table(say("numbers"), head, rows),
    )  # fmt: skip
    return Section("warn", say("warn"), (words,), (figure,), (_most_at_risk(view),), number="5")


def _most_at_risk(view: View) -> Table:
    say, form, people = view.say, view.form, view.loop.borrowers
    waiting = people.filter(pc.and_(people["warning"].is_valid(), pc.equal(people["lines_overdue"], 0)))
    first = waiting.sort_by([("warning", "descending"), ("borrower_id", "ascending")]).slice(0, MOST_AT_RISK)
    rows = tuple(
        (row["borrower_id"], form.share(row["warning"]), form.count(row["lines"]), form.count(row["lenders"]),
         form.amount(row["balance_minor"]),
         view.listed([view.word("warning", reason["code"]) for reason in row["warning_reasons"] or []]))
        for row in first.to_pylist()
    )  # fmt: skip
    head = (
        say("borrower"),
        say("warn.chance"),
        say("lines"),
        say("lenders"),
        view.say("balance_in", unit=view.unit),
        say("reasons"),
    )
    return Table(say("warn.most"), head, rows, frozenset({5}), note=say("warn.most.note"))


def cause(view: View) -> Section:
    """6: why the overdue borrowers are overdue, as far as the evidence speaks."""
    say, form, part = view.say, view.form, view.portfolio["causes"]
    if not part or not part["overdue_borrowers"]:
        return Section("cause", say("cause"), absent=(say("absent.no_overdue"),), number="6")
    found = [entry for entry in part["causes"] if entry["borrowers"]]
    unclear = sum(entry["share"] or 0 for entry in found if entry["cause"] == "unclear")
    words = say("cause.words", borrowers=form.count(part["overdue_borrowers"]), unclear=form.share(unclear))
    title = say("cause.shares")
    found.sort(key=lambda entry: (entry["cause"] == "unclear", -entry["borrowers"], entry["cause"]))
    bars = [
        Bar(view.word("cause.name", entry["cause"]), entry["borrowers"],
            f"{form.count(entry['borrowers'])} ({form.share(entry['share'])})",
            "c0" if entry["cause"] == "unclear" else "c1")
        for entry in found
    ]  # fmt: skip
    rows = tuple(
        (
            view.word("cause.name", e["cause"]),
            form.count(e["borrowers"]),
            form.share(e["share"]),
            form.amount(e["balance_minor"]),
        )
        for e in found
    )
    head = (say("cause.cause"), say("borrowers"), say("share"), say("balance_in", unit=view.unit))
    figure = Figure(
        title, charts.bars(Name("causes", title, say("cause.shares.desc")), bars), say("cause.shares.note"),
        Table(say("numbers"), head, rows),
    )  # fmt: skip
    evidence = _evidence(view)
    return Section("cause", say("cause"), (words,), (figure,), (evidence,) if evidence.rows else (), number="6")


def _evidence(view: View) -> Table:
    """The signs that spoke most often for each cause that was named."""
    say, form = view.say, view.form
    people = view.loop.borrowers.filter(view.loop.borrowers["cause"].is_valid())
    counted: Counter[tuple[str, str]] = Counter()
    named: Counter[str] = Counter()
    for name, signs in zip(people["cause"].to_pylist(), people["cause_evidence"].to_pylist(), strict=True):
        named[name] += 1
        counted.update((name, sign["code"]) for sign in signs or [] if (sign["points"] or 0) > 0)
    rows = []
    for name, total in sorted(named.items(), key=lambda item: (-item[1], item[0])):
        if name == "unclear":
            continue
        signs_of = sorted(((n, code) for (of, code), n in counted.items() if of == name), key=lambda s: (-s[0], s[1]))
        rows += [
            (view.word("cause.name", name), view.word("cause", code), form.count(n), form.share(n / total))
            for n, code in signs_of[:MOST_REASONS]
        ]
    head = (say("cause.cause"), say("cause.sign"), say("borrowers"), say("cause.of_named"))
    return Table(say("cause.evidence"), head, tuple(rows), frozenset({1}), note=say("cause.evidence.note"))


def treat(view: View) -> Section:
    """7: what may be done now for each overdue account, and what the law holds back."""
    say, form, part = view.say, view.form, view.portfolio["treatments"]
    if not part["cases"]:
        return Section("treat", say("treat"), absent=(say("absent.no_overdue"),), number="7")
    counts = sorted(part["treatments"].items(), key=lambda item: (-item[1], item[0]))
    title = say("treat.shares")
    bars = [
        Bar(view.word("treatment", name), count, f"{form.count(count)} ({form.share(count / part['cases'])})")
        for name, count in counts
    ]
    rows = tuple((view.word("treatment", n), form.count(c), form.share(c / part["cases"])) for n, c in counts)
    figure = Figure(
        title, charts.bars(Name("treatments", title, say("treat.shares.desc")), bars), say("treat.shares.note"),
        Table(say("numbers"), (say("treat.treatment"), say("accounts"), say("share")), rows),
    )  # fmt: skip
    words = [say("treat.words", cases=form.count(part["cases"]))]
    if not part["blocked"]:
        words.append(say("treat.nothing_held"))
    tables = (_held_back(view, part["blocked"]),) if part["blocked"] else ()
    return Section("treat", say("treat"), tuple(words), (figure,), tables, number="7")


def _held_back(view: View, blocked: Sequence[Mapping[str, Any]]) -> Table:
    say, form, rules, language = view.say, view.form, load_rules().rules, view.text.language
    by_rule: dict[str, list[Mapping[str, Any]]] = {}
    for entry in sorted(blocked, key=lambda entry: (-entry["cases"], entry["rule"], entry["action"])):
        by_rule.setdefault(entry["rule"], []).append(entry)
    rows = []
    for name, entries in by_rule.items():
        rule = rules.get(name)
        held = [f"{view.word('treatment', entry['action'])} ({form.count(entry['cases'])})" for entry in entries]
        rows.append(
            (
                name,
                rule.statement[language] if rule else "",
                rule.citation[language] if rule else entries[0]["citation"],
                view.listed(held),
            )
        )
    head = (say("treat.rule"), say("treat.says"), say("treat.citation"), say("treat.held_back"))
    return Table(say("treat.held"), head, tuple(rows), frozenset({1, 2, 3}), note=view.text("law.disclaimer"))


def plan(view: View) -> Section:
    """8: what plan each overdue borrower could carry over all lines, or why none."""
    say, form, part = view.say, view.form, view.portfolio["plans"]
    if not part or not part["borrowers"]:
        return Section("plan", say("plan"), absent=(say("absent.no_overdue"),), number="8")
    status = part["status"]
    words = [say("plan.words", borrowers=form.count(part["borrowers"]))]
    if status["feasible"]:
        words.append(
            say(
                "plan.feasible",
                feasible=form.count(status["feasible"]),
                monthly=form.money(part["monthly_minor_median"]),
                cost=form.short(part["total_cost_minor"]),
                chance=form.share(part["p_complete_mean"], 0),
            )
        )
    tones = {"feasible": "c3", "infeasible": "c2", "question": "c0"}
    bars = [
        Bar(
            view.text(f"plan.status.{name}"),
            count,
            f"{form.count(count)} ({form.share(count / part['borrowers'])})",
            tones[name],
        )
        for name, count in status.items()
        if count
    ]
    title = say("plan.status")
    rows = tuple(
        (view.text(f"plan.status.{n}"), form.count(c), form.share(c / part["borrowers"])) for n, c in status.items()
    )
    figure = Figure(
        title, charts.bars(Name("plan-status", title, say("plan.status.desc")), bars), say("plan.status.note"),
        Table(say("numbers"), (say("plan.answer"), say("borrowers"), say("share")), rows),
    )  # fmt: skip
    lengths = _plan_lengths(view)
    why = tuple(
        (view.text(f"plan.binding.{n}"), form.count(c), form.share(c / part["borrowers"]))
        for n, c in part["binding"].items()
    )
    table = Table(say("plan.binding"), (say("why"), say("borrowers"), say("share")), why)
    return Section("plan", say("plan"), tuple(words), (figure, lengths) if lengths else (figure,), (table,), number="8")


_LENGTHS = (6, 12, 18, 24, 36, 48, 60)


def _plan_lengths(view: View) -> Figure | None:
    say, form = view.say, view.form
    months = [value for value in view.loop.plans["months"].to_pylist() if value is not None]
    if not months:
        return None
    counts = Counter(next((top for top in _LENGTHS if value <= top), _LENGTHS[-1]) for value in months)
    names = [f"{low + 1}–{top}" for low, top in zip((0, *_LENGTHS), _LENGTHS, strict=False)]
    title = say("plan.length")
    bars = [Bar(name, counts[top], form.count(counts[top]), "c3") for name, top in zip(names, _LENGTHS, strict=True)]
    rows = tuple((bar.label, bar.text) for bar in bars)
    return Figure(
        title, charts.columns(Name("lengths", title, say("plan.length.desc")), bars, say("months")),
        say("plan.length.note"), Table(say("numbers"), (say("months"), say("borrowers")), rows),
    )  # fmt: skip
