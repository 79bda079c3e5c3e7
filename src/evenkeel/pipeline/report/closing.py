"""The end of the page: what the data were, what they could not say, by which versions this was made, and the terms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from evenkeel.book.faults import Effect, Fault, Quality
from evenkeel.pipeline.report.blocks import Section, Table
from evenkeel.pipeline.report.format import UNKNOWN
from evenkeel.pipeline.report.view import View

TERMS = (
    "states", "flow", "vintage", "entry", "npl", "pd", "score", "auc", "ks", "brier", "iv", "interval", "service",
    "over_granting", "warning", "lift", "provision", "cost_of_risk", "token",
)  # fmt: skip
_EFFECTS = {Effect.SET_ASIDE: "set_aside", Effect.REFUSED: "refused", Effect.WARNING: "warning"}


def data(view: View, quality: Quality) -> Section:
    """Rows accepted and rejected by table, and faults by kind."""
    say, form = view.say, view.form
    rows = tuple(
        (name, form.count(table.rows), form.count(table.accepted), form.count(table.rows - table.accepted))
        for name, table in sorted(quality.tables.items())
    )
    accepted = Table(
        say("data.tables"), (say("data.table"), say("rows"), say("data.accepted"), say("data.rejected")), rows
    )
    tables: tuple[Table, ...] = (accepted, _faults(view, quality)) if quality.faults else (accepted,)
    words = (say("data.faults" if quality.faults else "data.clean", faults=form.count(len(quality.faults))),)
    if quality.notes:
        notes = tuple((note,) for note in quality.notes)
        tables = (*tables, Table(say("data.notes"), (say("data.note"),), notes))
    return Section("data", say("data"), words, tables=tables)


def _faults(view: View, quality: Quality) -> Table:
    """One row a kind of fault, with its first one in words."""
    say, form, language = view.say, view.form, view.text.language
    first: dict[tuple[str, str, str], Fault] = {}
    counts: Counter[tuple[str, str, str]] = Counter()
    for fault in quality.faults:
        kind = (fault.table, fault.column, fault.rule)
        first.setdefault(kind, fault)
        counts[kind] += 1
    rows = tuple(
        (
            f"{table}.{column}" if column else table,
            say(f"data.effect.{_EFFECTS[first[kind].effect]}"),
            form.count(counts[kind]),
            first[kind].problem(language),
        )
        for kind in sorted(counts)
        for table, column, _ in (kind,)
    )
    head = (say("data.place"), say("data.effect"), say("data.count"), say("data.first"))
    return Table(say("data.kinds"), head, rows, frozenset({1, 3}))


def unknown(view: View) -> Section:
    """What this book could not say, and what it would need."""
    say, needs = view.say, view.portfolio["not_available"]
    if not needs:
        return Section("unknown", say("unknown"), (say("unknown.nothing"),))
    rows = tuple((view.word("report.part", need["part"]), view.needs(need)) for need in needs)
    table = Table(say("unknown.parts"), (say("unknown.part"), say("unknown.needs")), rows, frozenset({1}))
    return Section("unknown", say("unknown"), (say("unknown.words"),), tables=(table,))


def basis(view: View) -> Section:
    """Assumptions and versions: enough to make this page again."""
    say, portfolio = view.say, view.portfolio
    versions = [
        (say("basis.book"), portfolio["book_digest"]),
        *((say(f"basis.{name}"), version or say("basis.no_model")) for name, version in portfolio["versions"].items()),
    ]
    tables = [Table(say("basis.versions"), (say("basis.what"), say("basis.hash")), tuple(versions), frozenset({1}))]
    assumed = [
        (say(f"assumed.{group}"), name, _plain(value))
        for group in ("plans", "finance")
        for name, value in ((portfolio[group] or {}).get("assumptions") or {}).items()
    ]
    if assumed:
        head = (say("basis.part"), say("basis.name"), say("value"))
        tables.append(Table(say("basis.assumptions"), head, tuple(assumed), frozenset({1}), folded=True))
    return Section("basis", say("basis"), (say("basis.words"),), tables=tuple(tables))


def _plain(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Mapping):
        return " – ".join(_plain(entry) for entry in value.values())
    return UNKNOWN if value is None else str(value)


def terms(view: View) -> Section:
    """How to read the page."""
    points = tuple((view.say(f"term.{name}"), view.say(f"term.{name}.means")) for name in TERMS)
    return Section("terms", view.say("terms"), points=points)
