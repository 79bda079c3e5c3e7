"""The three facts of a run that tell most, in words.

Every fact that the results support is put in words and weighed by how far its number stands from the unremarkable, on
one scale from 0 (as if nothing were there) to 1. The three heaviest are told, in the order of the loop.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from evenkeel.kernel.text import Texts, texts
from evenkeel.pipeline.report.format import Format

COUNT = 3
Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Fact:
    weight: float
    text: str


def findings(portfolio: Part, language: str) -> list[str]:
    """Exactly three sentences about a portfolio.json, in one language."""
    text, form = texts(language), Format(language, portfolio["currency"])
    facts = [fact for teller in _TELLERS for fact in teller(portfolio, text, form)]
    heaviest = sorted(range(len(facts)), key=lambda place: (-facts[place].weight, place))[:COUNT]
    return [facts[place].text for place in sorted(heaviest)]


def _overdue(portfolio: Part, text: Texts, form: Format) -> Iterator[_Fact]:
    """Always there: what is overdue; with where the entry rate went, if it moved."""
    part = portfolio["delinquency"]
    share = part["overdue_share_accounts"]
    yield _Fact(
        0.2 + (share or 0) / 2,
        text("report.finding.overdue", share=form.share(share), accounts=form.count(part["accounts_on_book"])),
    )
    rates = [(month["month"], month["entry_rate"]) for month in part["by_month"] if month["entry_rate"] is not None]
    half = len(rates) // 2
    if half < 2:
        return
    before = sum(rate for _, rate in rates[:half]) / half
    after = sum(rate for _, rate in rates[-half:]) / half
    if before <= 0 or abs(after / before - 1) < 0.1:
        return
    yield _Fact(
        min(abs(after / before - 1), 1) * 0.8,
        text(
            f"report.finding.entry_{'up' if after > before else 'down'}",
            before=form.share(before, 2), after=form.share(after, 2), since=rates[-half][0],
        ),
    )  # fmt: skip


def _flow(portfolio: Part, text: Texts, form: Format) -> Iterator[_Fact]:
    """From where on there is no way back: the first bucket from which more go on than come back to M0."""
    flow = portfolio["flow_matrix"]
    for state in range(1, 7):
        row, seen = flow["shares"][state], flow["observed"][state]
        if seen < 30 or row[0] is None:
            continue
        worse = sum(row[state + 1 : 8])
        if worse > row[0]:
            yield _Fact(
                (worse - row[0]) * 0.8,
                text(
                    "report.finding.flow",
                    state=flow["states"][state],
                    worse=form.share(worse),
                    cured=form.share(row[0]),
                ),
            )
            return


def _spread(portfolio: Part, text: Texts, form: Format) -> Iterator[_Fact]:
    part = portfolio["cross_platform"]
    if part is None or not part["overdue_borrowers"] or part["overdue_on_2_plus_share"] is None:
        return
    share = part["overdue_on_2_plus_share"]
    words = text(
        "report.finding.spread", share=form.share(share), borrowers=form.count(part["overdue_borrowers"]),
        all=form.share(part["overdue_on_all_share"]),
    )  # fmt: skip
    gap = part.get("months_first_to_next") or {}
    if gap.get("spells_with_next"):
        same = gap["histogram"][0]["spells"] / gap["spells_with_next"]
        words = text("report.join", one=words, two=text("report.finding.spread_months", share=form.share(same)))
    yield _Fact(0.3 + share, words)


def _granted(portfolio: Part, text: Texts, form: Format) -> Iterator[_Fact]:
    part = portfolio["over_granting"]
    if part["assessed"] and part["over_granted"]:
        share = part["over_granted"] / part["assessed"]
        broken = {code: count for code, count in part["why"].items() if not code.endswith("_unknown")}
        most = max(sorted(broken), key=lambda code: broken[code])
        yield _Fact(
            0.3 + share,
            text(
                "report.finding.granted", borrowers=form.count(part["over_granted"]), share=form.share(share),
                why=text(f"over.{most}"),
            ),
        )  # fmt: skip


def _decided(portfolio: Part, text: Texts, form: Format) -> Iterator[_Fact]:
    """Always there: how many accounts are left as they are."""
    counts = portfolio["decisions"]
    total = sum(counts.values())
    moved = total - counts.get("keep", 0)
    if total:
        yield _Fact(
            0.15 + 0.3 * moved / total,
            text(
                "report.finding.decided", moved=form.count(moved), share=form.share(moved / total),
                total=form.count(total),
                list=text("report.comma").join(
                    f"{text(f'outcome.{name}')} {form.count(counts[name])}"
                    for name in ("lower", "freeze", "refer", "raise") if counts.get(name)
                ) or text("report.none"),
            ),
        )  # fmt: skip


def _warned(portfolio: Part, text: Texts, form: Format) -> Iterator[_Fact]:
    part = portfolio["warning"]
    for top in (part or {}).get("precision", []):
        if abs(top["top_share"] - 0.05) < 1e-9 and top["lift"] > 1:
            yield _Fact(
                1 - 1 / top["lift"],
                text(
                    "report.finding.warned",
                    top=form.share(top["top_share"], 0),
                    precision=form.share(top["precision"]),
                    base=form.share(part["base_rate"]),
                    lift=f"{top['lift']:.1f}",
                ),
            )


def _caused(portfolio: Part, text: Texts, form: Format) -> Iterator[_Fact]:
    part = portfolio["causes"]
    named = [entry for entry in (part or {}).get("causes", []) if entry["cause"] != "unclear" and entry["borrowers"]]
    if named:
        first = max(named, key=lambda entry: (entry["borrowers"], entry["cause"]))
        unclear = next((entry["share"] for entry in part["causes"] if entry["cause"] == "unclear"), 0.0)
        yield _Fact(
            0.3 + first["share"] * (1 - unclear),
            text(
                "report.finding.caused", cause=text(f"cause.name.{first['cause']}"), share=form.share(first["share"]),
                borrowers=form.count(part["overdue_borrowers"]), unclear=form.share(unclear),
            ),
        )  # fmt: skip


def _planned(portfolio: Part, text: Texts, form: Format) -> Iterator[_Fact]:
    part = portfolio["plans"]
    if part and part["borrowers"]:
        status = part["status"]
        share = status["feasible"] / part["borrowers"]
        if status["feasible"]:
            yield _Fact(
                0.25 + 0.6 * share,
                text(
                    "report.finding.planned",
                    share=form.share(share),
                    borrowers=form.count(part["borrowers"]),
                    monthly=form.money(part["monthly_minor_median"]),
                    not_share=form.share(status["infeasible"] / part["borrowers"]),
                ),
            )


def _unknown(portfolio: Part, text: Texts, form: Format) -> Iterator[_Fact]:
    """Always there: how much the book could not say."""
    lacking = len(portfolio["not_available"])
    yield _Fact(min(0.05 + 0.03 * lacking, 0.25), text("report.finding.unknown", parts=form.count(lacking)))


def _judged(portfolio: Part, text: Texts, form: Format) -> Iterator[_Fact]:
    model = portfolio["model"]
    if model:
        yield _Fact(
            abs(model["auc"] - 0.5) * 1.6,
            text(
                "report.finding.judged", auc=f"{model['auc']:.3f}", low=f"{model['auc_low']:.3f}",
                high=f"{model['auc_high']:.3f}", share=form.share(model["auc"], 0),
            ),
        )  # fmt: skip


_TELLERS = (_overdue, _flow, _spread, _judged, _granted, _decided, _warned, _caused, _planned, _unknown)
