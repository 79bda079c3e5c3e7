"""The report as files: one page a language, whole in itself."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pyarrow.compute as pc

from evenkeel.book.faults import Quality
from evenkeel.kernel.text import texts
from evenkeel.pipeline.loop import Loop
from evenkeel.pipeline.report import closing, grants, measures, stages
from evenkeel.pipeline.report.blocks import Section
from evenkeel.pipeline.report.findings import findings
from evenkeel.pipeline.report.format import Format
from evenkeel.pipeline.report.sheet import Key, Sheet, render
from evenkeel.pipeline.report.story import story as story_section
from evenkeel.pipeline.report.view import View

FILES = {"en": "report.html", "zh": "report.zh.html"}


def write_reports(folder: Path, loop: Loop, quality: Quality, languages: tuple[str, ...], story: str | None) -> None:
    """Write report.html (en) and report.zh.html (zh) into a folder.

    story: the borrower whose months are told; one who is not in the book is not told of. Raises InvalidInput on a
    language that is not shipped.
    """
    for language in languages:
        html = page(loop, quality, language, story)
        (folder / FILES[language]).write_text(html, encoding="utf-8", newline="\n")


def page(loop: Loop, quality: Quality, language: str, story: str | None = None) -> str:
    """The report in one language as HTML: no script, no request to any host, the same bytes for the same loop."""
    view = View(loop, texts(language), Format(language, loop.portfolio["currency"]))
    portfolio = loop.portfolio
    meta = [
        view.say("as_of", day=portfolio["as_of"]),
        *([view.say("source", source=portfolio["source"])] if portfolio["source"] else []),
    ]
    lender = portfolio["lender"] or view.say("a_book")
    return render(
        Sheet(
            title=view.say("title", lender=lender),
            meta=" · ".join(meta),
            first=view.say("findings"),
            findings=tuple(findings(portfolio, language)),
            keys=tuple(_keys(view)),
            sections=tuple(_sections(view, quality, story)),
            footer=view.say("footer"),
        ),
        view.text,
    )


def _sections(view: View, quality: Quality, story: str | None) -> list[Section]:
    told = story_section(view, story) if story else None
    return [
        measures.measure(view), stages.score(view), stages.exposure(view), stages.decide(view), grants.grant(view),
        stages.warn(view), stages.cause(view), stages.treat(view), stages.plan(view), measures.finance(view),
        *([told] if told else []),
        closing.data(view, quality), closing.unknown(view), closing.basis(view), closing.terms(view),
    ]  # fmt: skip


def _keys(view: View) -> Iterator[Key]:
    """The key figures; one that the book cannot support is left to its section to explain."""
    say, form, portfolio = view.say, view.form, view.portfolio
    overdue, over, plans = portfolio["delinquency"], portfolio["over_granting"], portfolio["plans"]
    yield Key(say("accounts"), form.count(overdue["accounts_on_book"]), say("key.accounts"))
    yield Key(say("borrowers"), form.count(over["borrowers"]), say("key.borrowers"))
    if overdue["balance_minor"] is not None:
        yield Key(say("key.balance"), form.short(overdue["balance_minor"]))
    yield Key(say("measure.overdue_share"), form.share(overdue["overdue_share_accounts"]), say("key.overdue"))
    npl = (portfolio["finance"] or {}).get("npl_ratio")
    if npl is not None:
        yield Key(say("term.npl"), form.share(npl), say("key.npl"))
    if over["assessed"]:
        share = over["over_granted"] / over["assessed"]
        yield Key(say("term.over_granting"), form.share(share), say("key.over", assessed=form.count(over["assessed"])))
    if portfolio["warning"]:
        people = view.loop.borrowers
        waiting = pc.sum(pc.and_(people["warning"].is_valid(), pc.equal(people["lines_overdue"], 0))).as_py() or 0
        for entry in portfolio["warning"]["precision"]:
            if entry["top_share"] == 0.05:
                note = say("key.warned.note", precision=form.share(entry["precision"]))
                yield Key(say("key.warned"), form.count(math.ceil(entry["top_share"] * waiting)), note)
    if plans and plans["status"]["question"] < plans["borrowers"]:
        feasible = plans["status"]["feasible"]
        yield Key(
            say("key.plans"), form.count(feasible), say("key.plans.note", borrowers=form.count(plans["borrowers"]))
        )
