"""What each application of the book should have got: a part of the fourth stage, as a section of its own."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.decisions.assessment.granting import Granted
from evenkeel.pipeline.report import charts
from evenkeel.pipeline.report.blocks import Figure, Section, Table
from evenkeel.pipeline.report.charts import Bar, Name
from evenkeel.pipeline.report.stages import MOST_REASONS, reason_counts
from evenkeel.pipeline.report.view import View

OUTCOMES = ("approve", "approve_less", "refer", "decline")
_TONES = {"approve": "c3", "approve_less": "c1", "refer": "c4", "decline": "c2"}
_MOST_SIGNS = 8


def grant(view: View) -> Section:
    """How many would be approved, approved for less, referred and declined, why, and whose facts do not agree."""
    say, granted = view.say, view.loop.granted
    if granted is None:
        return Section("grant", say("grant"), absent=(view.absence("granting"),))
    counts = Counter(granted.grants["outcome"].to_pylist())
    shown = [name for name in OUTCOMES if counts[name]]
    tables = [_reasons(view, granted, counts, shown), _changes(view, granted), _outcomes(view, granted, shown)]
    if signs := _signs(view, granted):
        tables.append(signs)
    return Section(
        "grant", say("grant"), tuple(_words(view, granted, counts)), (_figure(view, counts, shown),),
        tuple(table for table in tables if table.rows),
    )  # fmt: skip


def _words(view: View, granted: Granted, counts: Counter[str]) -> list[str]:
    say, form, grants = view.say, view.form, granted.grants
    total = grants.num_rows
    scored = granted.decisions["pd_out_of_sample"].length() - granted.decisions["pd_out_of_sample"].null_count
    words = [
        say("grant.words", total=form.count(total)),
        say(
            "grant.amounts", asked=form.short(pc.sum(grants["requested_minor"], min_count=0).as_py()),
            granted=form.short(pc.sum(grants["granted_minor"], min_count=0).as_py()), refer=form.count(counts["refer"]),
        ),
    ]  # fmt: skip
    if scored < total:
        words.append(say("grant.scored", scored=form.count(scored), total=form.count(total)))
    suspect = pc.sum(grants["suspect"].cast(pa.int64()), min_count=0).as_py()
    expected = pc.sum(grants["forgery"], min_count=0).as_py()
    words.append(
        say(
            "grant.suspect", suspect=form.count(suspect), share=form.share(suspect / total),
            expected=form.count(round(expected)),
        )
    )  # fmt: skip
    return words


def _figure(view: View, counts: Counter[str], shown: list[str]) -> Figure:
    say, form, total = view.say, view.form, counts.total()
    title = say("grant.outcomes")
    bars = [
        Bar(view.word("outcome", name), counts[name],
            f"{form.count(counts[name])} ({form.share(counts[name] / total)})", _TONES[name])
        for name in shown
    ]  # fmt: skip
    rows = tuple((view.word("outcome", n), form.count(counts[n]), form.share(counts[n] / total)) for n in shown)
    table = Table(say("numbers"), (say("decision"), say("grant.applications"), say("share")), rows)
    chart = charts.bars(Name("grants", title, say("grant.outcomes.desc")), bars)
    return Figure(title, chart, say("grant.outcomes.note"), table)


def _reasons(view: View, granted: Granted, counts: Counter[str], shown: list[str]) -> Table:
    say, form = view.say, view.form
    told = reason_counts(pa.table({"outcome": granted.grants["outcome"], "reasons": granted.decisions["reasons"]}))
    rows = tuple(
        (view.word("outcome", name), view.word("reason", code), form.count(count), form.share(count / counts[name]))
        for name in shown
        for code, count in told[name][:MOST_REASONS]
    )
    head = (say("decision"), say("reason"), say("grant.applications"), say("decide.of_decision"))
    return Table(say("decide.reasons"), head, rows, frozenset({1}), note=say("grant.reasons.note"))


def _changes(view: View, granted: Granted) -> Table:
    """What alone would have turned a referral or a decline into a grant."""
    say, form = view.say, view.form
    adverse = granted.grants.filter(pc.is_in(granted.grants["outcome"], pa.array(["refer", "decline"])))
    codes = pc.struct_field(pc.list_flatten(adverse["would_change"]), "code").to_pylist()
    owners = pc.list_parent_indices(adverse["would_change"]).to_pylist()
    counted = Counter(code for _, code in {*zip(owners, codes, strict=True)})
    rows = tuple(
        (view.text(f"change.{code}"), form.count(count), form.share(count / adverse.num_rows))
        for code, count in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    )
    head = (say("grant.change"), say("grant.applications"), say("share"))
    return Table(say("grant.changes"), head, rows, note=say("grant.changes.note"))


def _outcomes(view: View, granted: Granted, shown: list[str]) -> Table:
    """What became of those whom the book's lenders granted, by what is decided here."""
    say, form = view.say, view.form
    known: Counter[str] = Counter()
    bad: Counter[str] = Counter()
    for name, turned in zip(
        granted.grants["outcome"].to_pylist(), granted.decisions["bad"].to_pylist(), strict=True
    ):  # fmt: skip
        known[name] += turned is not None
        bad[name] += bool(turned)
    rows = tuple(
        (view.word("outcome", name), form.count(known[name]), form.count(bad[name]),
         form.share(bad[name] / known[name]))
        for name in shown if known[name]
    )  # fmt: skip
    head = (say("decision"), say("grant.known"), say("grant.bad"), say("grant.bad_share"))
    return Table(say("grant.became"), head, rows, note=say("grant.became.note"))


def _signs(view: View, granted: Granted) -> Table | None:
    """The signs that facts do not agree, where the policy says so."""
    say, form = view.say, view.form
    codes = pc.struct_field(pc.list_flatten(granted.decisions["reasons"]), "code").to_pylist()
    counted = Counter(code for code in codes if code.startswith("sign_"))
    if not counted:
        return None
    ranked = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:_MOST_SIGNS]
    rows = tuple((view.word("reason", code), form.count(count)) for code, count in ranked)
    return Table(say("grant.signs"), (say("cause.sign"), say("grant.applications")), rows, note=say("grant.signs.note"))
