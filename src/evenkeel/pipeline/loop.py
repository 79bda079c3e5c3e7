"""The loop: nine stages from a checked book to what a lender reads, each a pure function of the ones before."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from evenkeel.accounts.panel import Panel, build_panel
from evenkeel.arrears.cause import find_causes
from evenkeel.arrears.law import RuleBook
from evenkeel.arrears.treatments.stages import treat
from evenkeel.arrears.warning.stage import warn
from evenkeel.behaviour.features import features_version
from evenkeel.book.model import Book
from evenkeel.decisions.assessment.granting import Granted, grant_book
from evenkeel.decisions.exposure import Caps, exposures, incomes, open_lines
from evenkeel.decisions.limit_inputs import limit_inputs
from evenkeel.decisions.limits import Decided, decide
from evenkeel.pipeline.live import application_rows
from evenkeel.pipeline.overdue import as_known, day_number, first_morning, local, overdue, panel_of
from evenkeel.policy.program import Program
from evenkeel.portfolio.finance import FinanceAssumptions, finance
from evenkeel.portfolio.measure import measure
from evenkeel.repayment.plan import PlanAssumptions, plan
from evenkeel.scoring.labels import UNKNOWN, horizon_for, labels_by_source
from evenkeel.scoring.score import Scored, score, training_table

Stage = Callable[[str], AbstractContextManager[None]]
STAGES = ("measure", "score", "exposure", "decide", "warn", "cause", "treat", "plan", "finance")


@dataclass(frozen=True, slots=True)
class Loop:
    """Everything the loop found out about a book."""

    book: Book
    panel: Panel
    scored: Scored
    lines: pa.Table
    decisions: pa.Table  # `limit` rows of decisions.parquet
    granted: Granted | None  # its `grant` rows; None without applications or without a policy for them
    borrowers: pa.Table
    cases: pa.Table
    plans: pa.Table
    points: pa.Table  # account_id and the points of each concept
    portfolio: Mapping[str, Any]  # portfolio.json


@dataclass(frozen=True, slots=True)
class Settings:
    """What steers a run apart from its book."""

    policy: Program  # of limits
    rules: RuleBook
    seed: int = 0
    threads: int = 2
    caps: Caps = field(default_factory=Caps)
    granting: Program | None = None


def run_loop(book: Book, digest: str, settings: Settings, stage: Stage = lambda name: nullcontext()) -> Loop:
    """The nine stages over a checked book, as it was known on its as_of.

    A book may hold facts after its as_of (a run as of an earlier day): they say how an account's own outcome turned
    out, and nothing else is told by them. Linear algebra runs on one thread, so that a second changes no byte.
    """
    with threadpool_limits(limits=1):
        return _run(book, digest, settings, stage)


def _run(whole: Book, digest: str, settings: Settings, stage: Stage) -> Loop:
    zone, threads, seed = whole.manifest.timezone, settings.threads, settings.seed
    known, book = as_known(whole)
    tables, as_of = book.tables, book.as_of
    with stage("measure"):
        panel = build_panel(tables, day_number(as_of), zone)
        lines = open_lines(panel, tables, as_of, settings.caps)
        measures = measure(panel, lines)
    with stage("score"):
        scored = score(panel, tables, seed=seed, threads=threads, own_bad=_own_outcomes(whole, panel, zone))
    with stage("exposure"):
        people = pc.unique(lines["borrower_id"]).sort()
        exposure = exposures(lines, incomes(tables, people, panel.last_month, zone), settings.caps)
    with stage("decide"):
        inputs = limit_inputs(panel, scored, exposure, lines, tables, as_of)
        decided = decide(panel, scored, inputs, settings.policy, as_of, features_version())
        granted = None if settings.granting is None else grant_book(
            tables, panel, settings.granting,
            jurisdiction=book.manifest.jurisdiction, seed=seed, features_version=features_version(),
        )  # fmt: skip
    with stage("warn"):
        warned = warn(panel, tables, exposure, seed=seed, threads=threads)
    with stage("cause"):
        caused = find_causes(panel, tables, lines, exposure, threads=threads)
    borrowers = _borrowers(exposure, warned.table, caused.table)
    with stage("treat"):
        now = first_morning(as_of, zone)
        record = known.tables  # the law reads instants by each debtor's own clock
        cases = treat(
            overdue(lines, borrowers, tables, zone, measures["flow_matrix"]), record.get("contacts"),
            record.get("consents"), record.get("complaints"), record.get("events"), now,
            book.manifest.jurisdiction, settings.rules,
        )  # fmt: skip
    with stage("plan"):
        assumptions = PlanAssumptions() if book.manifest.currency == "CNY" else PlanAssumptions.shares_only()
        plans, planned = plan(lines, _households(exposure, tables), as_of, assumptions)
    with stage("finance"):
        money = finance(panel, decided.table, FinanceAssumptions(), seed=seed)
    portfolio = _portfolio(
        book, digest, settings, scored, exposure, decided, cases, warned, caused, planned, measures, money, granted
    )
    return Loop(
        book, panel, scored, lines, decided.table, granted, borrowers, cases, plans, _points(panel, scored), portfolio
    )


def training_rows(whole: Book, *, seed: int, threads: int) -> pa.Table:
    """The rows on which a model of the book's accounts is trained (scoring.score.training_table)."""
    with threadpool_limits(limits=1):
        panel, book = panel_of(whole)
        return training_table(panel, book.tables, seed=seed, threads=threads)


def live_training_rows(whole: Book, *, threads: int) -> pa.Table:
    """The rows on which a model that decides live is trained (pipeline.live.application_rows)."""
    panel, book = panel_of(whole)
    return application_rows(panel, book.tables, threads)


def _own_outcomes(whole: Book, panel: Panel, zone: str) -> np.ndarray[Any, np.dtype[np.int64]] | None:
    """How the accounts on book turned out, where the book knows more than was known on as_of."""
    if not whole.has_later_facts:
        return None
    tables = local(whole.tables, zone)
    later = build_panel(tables, day_number(whole.last_day), zone)
    horizon = horizon_for(int(np.unique(panel.month).size))
    labels, _ = labels_by_source(later, tables, horizon)
    rows = panel.rows_at(panel.last_month)
    ids = panel.accounts["account_id"].take(pa.array(panel.account[rows])).combine_chunks()
    place = pc.index_in(ids, later.accounts["account_id"].combine_chunks()).to_numpy().astype(np.int64)
    found = later.rows_of(place, panel.month[rows])
    return np.where(found >= 0, labels[np.maximum(found, 0)], UNKNOWN)


def _borrowers(exposure: pa.Table, warned: pa.Table, caused: pa.Table) -> pa.Table:
    """borrowers.parquet, with the incomes it rests on at the end."""
    columns = {name: exposure[name] for name in _EXPOSURE_COLUMNS}
    for part in (warned, caused):
        place = pc.index_in(exposure["borrower_id"].combine_chunks(), part["borrower_id"].combine_chunks())
        columns |= {
            name: part[name].combine_chunks().take(place) for name in part.column_names if name != "borrower_id"
        }
    return pa.table(columns | {name: exposure[name] for name in ("service_minor", "income_minor", "income_source")})


_EXPOSURE_COLUMNS = (
    "borrower_id", "lenders", "lines", "limit_minor", "balance_minor", "service_to_income", "over_granted",
    "over_granted_why", "dpd_max", "lines_overdue",
)  # fmt: skip


def _households(exposure: pa.Table, tables: Mapping[str, pa.Table]) -> pa.Table:
    """What a plan needs to know of each borrower."""
    size = exposure.num_rows
    dependants, region = pa.nulls(size, pa.int64()), pa.nulls(size, pa.string())
    if "borrowers" in tables:
        people = tables["borrowers"]
        place = pc.index_in(exposure["borrower_id"].combine_chunks(), people["borrower_id"].combine_chunks())
        dependants = people["dependants"].combine_chunks().take(place)
        region = people["region"].combine_chunks().take(place)
    columns = exposure.select(["borrower_id", "income_minor", "income_source", "income_low_minor", "lines_overdue"])
    return columns.append_column("dependants", dependants).append_column("region", region)


def _points(panel: Panel, scored: Scored) -> pa.Table:
    """The points of each concept for each account, so that a score can be read line by line."""
    ids = panel.accounts["account_id"].take(pa.array(panel.account[scored.rows]))
    columns = {name: pa.array(np.round(scored.points[:, place], 1)) for place, name in enumerate(scored.concepts)}
    return pa.table({"account_id": ids} | columns)


def _portfolio(
    book: Book, digest: str, settings: Settings, scored: Scored, exposure: pa.Table, decided: Decided,
    cases: pa.Table,
    warned: Any, caused: Any, planned: Mapping[str, Any], measures: Mapping[str, Any], money: Mapping[str, Any],
    granted: Granted | None,
) -> dict[str, Any]:  # fmt: skip
    over = exposure["over_granted"]
    codes = pc.list_flatten(exposure["over_granted_why"])
    return {
        "contract": 1,
        "as_of": book.as_of.isoformat(),
        "book_digest": digest,
        "currency": book.manifest.currency,
        "timezone": book.manifest.timezone,
        "lender": book.manifest.lender_name,
        "source": book.manifest.source,
        "model": scored.summary,
        "decisions": _counts(decided.table["outcome"]),
        "decisions_waiting": list(decided.waiting),
        "granting": None if granted is None else granted.summary,
        **{name: part for name, part in measures.items() if name != "not_available"},
        "over_granting": {
            "borrowers": exposure.num_rows,
            "assessed": len(over) - over.null_count,
            "over_granted": pc.sum(over.cast(pa.int64())).as_py() or 0,
            "caps": {
                "service_to_income": settings.caps.service_to_income,
                "limit_to_income_months": settings.caps.limit_to_income,
                "lenders": settings.caps.lenders,
            },
            "why": _counts(codes),
        },
        "warning": warned.summary,
        "causes": caused.summary,
        "treatments": {"cases": cases.num_rows, "treatments": _counts(cases["treatment"]), "blocked": _blocked(cases)},
        "plans": planned,
        "finance": money,
        "not_available": _not_available(book, scored, decided, warned, money, measures),
        "versions": {
            "features": features_version(),
            "model": scored.version,
            "policy": settings.policy.version,
            **({"granting": settings.granting.version} if granted and settings.granting else {}),
            "rules": settings.rules.version,
        },
    }


def _counts(values: pa.ChunkedArray | pa.Array) -> dict[str, int]:
    counted = pc.value_counts(values)
    return {entry["values"]: entry["counts"] for entry in sorted(counted.to_pylist(), key=lambda e: str(e["values"]))}


def _blocked(cases: pa.Table) -> list[dict[str, Any]]:
    """How many cases each rule holds back, and its citation."""
    flat = pc.list_flatten(cases["blocked"])
    if len(flat) == 0:
        return []
    table = pa.table({"rule": pc.struct_field(flat, "rule"), "citation": pc.struct_field(flat, "citation"),
                      "action": pc.struct_field(flat, "action")})  # fmt: skip
    counted = table.group_by(["rule", "citation", "action"], use_threads=False).aggregate([([], "count_all")])
    rows = [{"rule": r["rule"], "citation": r["citation"], "action": r["action"], "cases": r["count_all"]}
            for r in counted.to_pylist()]  # fmt: skip
    return sorted(rows, key=lambda row: (row["rule"], row["action"]))


# What would make known the facts of which a book tells nothing, and for want of which limits are kept.
_WHOLE_FACTS = {"events": "events up to as_of", "other_lines": "tradelines up to as_of"}

# What each table of the contract unlocks beyond accounts and their months, by the part that goes without it.
_NEEDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("service_to_income", ("borrowers", "events")),
    ("outside_lines", ("tradelines",)),
    ("contact_history", ("contacts",)),
    ("income_breaks", ("events",)),
    ("concealment_signs", ("applications", "identity_checks")),
    ("macro_causes", ("macro",)),
    ("actor_types", ("parties",)),
    ("granting", ("applications",)),
)


def _not_available(
    book: Book, scored: Scored, decided: Decided, warned: Any, money: Mapping[str, Any], measures: Mapping[str, Any]
) -> list[dict[str, str]]:
    """Every part that the book cannot support, and what it would need."""
    missing: list[dict[str, str]] = list(measures["not_available"])
    missing += [
        {"part": part, "needs": " or ".join(needs)}
        for part, needs in _NEEDS
        if not any(name in book.tables for name in needs)
    ]
    missing += [
        {"part": part, "needs": why} for part, why in (("model", scored.missing), ("warning", warned.missing)) if why
    ]
    if decided.waiting:
        unknown = sorted({fact for entry in decided.waiting for fact in cast("list[str]", entry["unknown"])})
        missing += [{"part": f"limits.{fact}", "needs": _WHOLE_FACTS[fact]} for fact in unknown]
    if decided.unread:
        missing.append({"part": "policy_inputs", "needs": ", ".join(decided.unread)})
    return missing + list(money["missing"] or ())
