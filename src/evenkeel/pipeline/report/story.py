"""One borrower's months, and each stage's word about them: told from the loop's own tables and from nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_NAMES, day_months
from evenkeel.arrears.law import load_rules
from evenkeel.kernel.calendar import month_text
from evenkeel.kernel.money import estimate_to_minor
from evenkeel.pipeline.report import charts
from evenkeel.pipeline.report.blocks import Figure, Section, Table
from evenkeel.pipeline.report.charts import Name, Series
from evenkeel.pipeline.report.view import View

_MINIMUM = 1.05  # a payment up to this many minimum dues is a payment of the minimum
_FALL = 0.7  # an income at or below this share of the month before is a fall
_STRIP = 36  # months that a strip has room for: the last ones
_FULL = 0.9  # use of all limits together from here on is told


@dataclass(frozen=True, slots=True)
class _Line:
    """One of the borrower's own lines: its name for people and its months by number."""

    id: str
    name: str
    account: Mapping[str, Any]
    months: Mapping[int, Mapping[str, Any]]

    def state(self, month: int) -> int | None:
        """0..8 as in Panel; None where the line was not on file or its state is not known."""
        row = self.months.get(month)
        return None if row is None or row["state"] < 0 else row["state"]

    def late(self, month: int) -> bool:
        """Whether the line was overdue at the month's end."""
        return (self.state(month) or 0) in range(1, 8)

    def pays_minimum(self, month: int) -> bool:
        """Whether no more than the minimum was paid, while more was owed."""
        row, before = self.months.get(month), self.months.get(month - 1)
        if row is None or before is None or not row["min_due"] or not row["paid"]:
            return False
        return bool(row["paid"] <= _MINIMUM * row["min_due"] and (before["balance"] or 0) > 2 * row["min_due"])


@dataclass(frozen=True, slots=True)
class _Life:
    """Everything on record about one borrower. income, contacts: by month; None where the book has no such table."""

    id: str
    lines: Sequence[_Line]
    months: Sequence[int]
    person: Mapping[str, Any]
    found: Mapping[str, Any]  # the row of borrowers.parquet
    income: Mapping[int, int] | None
    contacts: Mapping[int, Sequence[str]] | None

    @property
    def first_late(self) -> int | None:
        """The first month in which a line was overdue."""
        return next((month for month in self.months if any(line.late(month) for line in self.lines)), None)

    def total(self, month: int, column: str) -> int | None:
        """A sum over the lines on file in a month; None where one of them does not know it."""
        values = [line.months[month][column] for line in self.lines if month in line.months]
        return None if not values or None in values else sum(values)


def story(view: View, borrower: str) -> Section | None:
    """The story of a borrower; None where the book does not have them."""
    life = _life(view, borrower)
    if life is None:
        return None
    say = view.say
    person = [str(life.person[name]) for name in ("occupation", "industry", "region") if life.person.get(name)]
    words = say(
        "story.words", borrower=borrower, lines=len(life.lines), lenders=life.found["lenders"],
        who=say("comma").join(person) or say("story.nobody"), as_of=view.portfolio["as_of"],
    )  # fmt: skip
    chapters = (
        _months(view, life), _granted(view, life), _scored(view, life), _warned(view, life), _caused(view, life),
        _treated(view, life), _planned(view, life), _cost(view, life),
    )  # fmt: skip
    return Section("story", say("story"), (words,), chapters=tuple(chapter for chapter in chapters if chapter))


# --- the record ---


def _life(view: View, borrower: str) -> _Life | None:
    loop = view.loop
    rows = loop.borrowers.filter(pc.equal(loop.borrowers["borrower_id"], borrower)).to_pylist()
    owned = pc.equal(loop.panel.accounts["borrower_id"], borrower).to_numpy()
    places = [int(place) for place in owned.nonzero()[0]]
    if not rows or not places:
        return None
    tables = loop.book.tables
    accounts = loop.panel.accounts.take(pa.array(places)).to_pylist()
    months = loop.panel.months.filter(pc.is_in(loop.panel.months["account"], pa.array(places, pa.int32()))).to_pylist()
    lines = [
        _Line(
            account["account_id"], _line_name(view, account), account,
            {row["month"]: row for row in months if row["account"] == place},
        )
        for place, account in zip(places, accounts, strict=True)
    ]  # fmt: skip
    numbers = sorted({row["month"] for row in months})
    people = _of(tables, "borrowers", borrower)
    return _Life(
        borrower, lines, range(numbers[0], numbers[-1] + 1), people[0] if people else {}, rows[0],
        _income(tables, borrower, numbers[-1]), _contacts(tables, borrower),
    )  # fmt: skip


def _of(tables: Mapping[str, pa.Table], name: str, borrower: str) -> list[dict[str, Any]]:
    """A borrower's rows of a table of the book."""
    if name not in tables:
        return []
    found: list[dict[str, Any]] = tables[name].filter(pc.equal(tables[name]["borrower_id"], borrower)).to_pylist()
    return found


def _line_name(view: View, account: Mapping[str, Any]) -> str:
    """Lender and product; the lender by its name where the book tells it."""
    lender = account["lender_id"]
    parties = view.loop.book.tables.get("parties")
    if parties is not None:
        named = parties.filter(pc.equal(parties["party_id"], lender))["name"].to_pylist()
        lender = (named and named[0]) or lender
    return f"{lender} · {view.word('product', account['product'])}"


def _income(tables: Mapping[str, pa.Table], borrower: str, last_month: int) -> Mapping[int, int] | None:
    """Income on record by month, from the first month that shows any; what came before is not known."""
    if "events" not in tables:
        return None
    events = tables["events"]
    own = events.filter(pc.and_(pc.equal(events["kind"], "income"), pc.equal(events["borrower_id"], borrower)))
    sums: dict[int, int] = {}
    for month, amount in zip(day_months(own["effective_at"]).to_pylist(), own["amount_minor"].to_pylist(), strict=True):
        sums[month] = sums.get(month, 0) + (amount or 0)
    return {month: sums.get(month, 0) for month in range(min(sums), last_month + 1)} if sums else None


def _contacts(tables: Mapping[str, pa.Table], borrower: str) -> Mapping[int, Sequence[str]] | None:
    if "contacts" not in tables:
        return None
    table = tables["contacts"]
    own = table.filter(pc.equal(table["borrower_id"], borrower)).sort_by("at")
    by_month: dict[int, list[str]] = {}
    for month, channel in zip(day_months(own["at"]).to_pylist(), own["channel"].to_pylist(), strict=True):
        by_month.setdefault(month, []).append(channel)
    return by_month


# --- month by month ---


def _months(view: View, life: _Life) -> Section:
    say = view.say
    names = [month_text(month) for month in life.months]
    title, recent = say("story.strips"), life.months[-_STRIP:]
    rows = [
        (line.name, [_state_name(line.state(month)) if month in line.months else None for month in recent])
        for line in life.lines
    ]
    strips = charts.strips(
        Name("story-lines", title, say("story.strips.desc")), rows, charts.spread_ticks(names[-_STRIP:], 5)
    )
    table = Table(
        say("numbers"), (say("month"), *(line.name for line in life.lines)),
        tuple(
            (name, *(_state_name(line.state(month)) if month in line.months else "" for line in life.lines))
            for name, month in zip(names, life.months, strict=True)
        ), frozenset(range(1, len(life.lines) + 1)),
    )  # fmt: skip
    figures = (Figure(title, strips, say("story.strips.note"), table), *_flows(view, life, names))
    return Section("story-months", say("story.months"), figures=figures, tables=_diary(view, life))


def _diary(view: View, life: _Life) -> tuple[Table, Table]:
    """The months in which something happened, and behind a fold every month of every line."""
    say, form = view.say, view.form
    income = life.income
    head = (
        say("month"),
        say("story.owed"),
        say("story.due"),
        say("story.paid"),
        *([say("story.income")] if income else []),
        say("measure.overdue"),
        say("story.what"),
    )
    rows: list[tuple[str, ...]] = []
    quiet: int | None = None  # the first of the months without news that the last row stands for
    for month in life.months:
        here = [line for line in life.lines if month in line.months]
        news = view.listed(list(_remarks(view, life, month)))
        quiet = None if news else month if quiet is None else quiet
        if quiet not in (None, month):
            rows.pop()
        rows.append(
            (
                month_text(month) if quiet in (None, month) else f"{month_text(quiet)} – {month_text(month)}",
                *(form.amount(life.total(month, name)) for name in ("balance", "min_due", "paid")),
                *([form.amount(income.get(month))] if income else []),
                f"{sum(line.late(month) for line in here)} / {len(here)}",
                news or say("story.quiet"),
            )
        )
    told = Table(
        say("story.diary", unit=view.unit),
        head,
        tuple(rows),
        frozenset({len(head) - 1}),
        note=say("story.diary.note"),
    )
    every = tuple(
        (
            month_text(month),
            line.name,
            *(form.amount(line.months[month][name]) for name in ("balance", "min_due", "paid")),
            _state_name(line.state(month)),
        )
        for month in life.months
        for line in life.lines
        if month in line.months
    )
    columns = (say("month"), say("line"), say("story.owed"), say("story.due"), say("story.paid"), say("state"))
    return told, Table(say("story.every_month"), columns, every, frozenset({1}), folded=True)


def _state_name(code: int | None) -> str:
    return "?" if code is None else STATE_NAMES[code]


def _flows(view: View, life: _Life, names: Sequence[str]) -> Iterator[Figure]:
    """What was asked for, what was paid and what came in, month by month."""
    say, form = view.say, view.form
    due, paid = ([life.total(month, name) for month in life.months] for name in ("min_due", "paid"))
    if all(value is None for value in due):
        return
    income = [life.income.get(month) for month in life.months] if life.income else []
    series = [Series(say("story.due"), due, "c2", dashed=True), Series(say("story.paid"), paid, "c1")]
    series += [Series(say("story.income"), income, "c3")] if income else []
    title = say("story.flows")
    chart = charts.curves(
        Name("story-flows", title, say("story.flows.desc")), series, charts.spread_ticks(names, 5),
        form.whole, form.currency_name,
    )  # fmt: skip
    rows = tuple((name, *(form.amount(one.values[place]) for one in series)) for place, name in enumerate(names))
    table = Table(say("numbers"), (say("month"), *(one.label for one in series)), rows)
    yield Figure(title, chart, say("story.flows.note" if income else "story.flows.note_no_income"), table)


def _remarks(view: View, life: _Life, month: int) -> Iterator[str]:
    """What is new in a month, in the order in which a household's trouble shows."""
    say, form = view.say, view.form
    opened = [line.name for line in life.lines if line.account["opened"] == month]
    if opened:
        yield say("story.opened", lines=say("comma").join(opened))
    if life.income:
        before, now = life.income.get(month - 1), life.income.get(month)
        if before and now is not None and now <= _FALL * before:
            yield say("story.income_fell", before=form.money(before), now=form.money(now))
    minimum, earlier = (sum(line.pays_minimum(at) for line in life.lines) for at in (month, month - 1))
    if minimum > earlier and month > life.months[0] + 1:
        yield say("story.minimum", lines=minimum, of=sum(month in line.months for line in life.lines))
    used, used_before = _used(life, month), _used(life, month - 1)
    if used is not None and used_before is not None and used >= _FULL > used_before:
        yield say("story.used", share=form.share(used, 0))
    fresh = [line for line in life.lines if line.late(month) and not line.late(month - 1)]
    if fresh:
        yield say("story.late", lines=say("comma").join(line.name for line in fresh))
        here = [line for line in life.lines if month in line.months]
        if len(here) > 1 and all(line.late(month) for line in here):
            yield say("story.late_all", lines=len(here))
    channels = (life.contacts or {}).get(month, [])
    if channels:
        kinds = [f"{view.word('report.action', kind)} × {channels.count(kind)}" for kind in dict.fromkeys(channels)]
        yield say("story.contacted", list=say("comma").join(kinds))


def _used(life: _Life, month: int) -> float | None:
    """Share of all limits in use in a month."""
    owed, limit = life.total(month, "balance"), life.total(month, "limit")
    return None if owed is None or not limit else owed / limit


# --- each stage's own word ---


def _granted(view: View, life: _Life) -> Section:
    """Exposure: the lines, and the caps that they break."""
    say, form, found = view.say, view.form, life.found
    why = [view.word("over", code) for code in found["over_granted_why"] or []]
    verdict = {True: "story.too_much", False: "story.within", None: "story.not_assessed"}[found["over_granted"]]
    words = [say(verdict, why=view.listed(why))]
    if found["service_to_income"] is not None:
        words.append(
            say(
                "story.service",
                service=form.money(found["service_minor"]),
                income=form.money(found["income_minor"]),
                source=view.word("report.income", found["income_source"]),
                share=form.share(found["service_to_income"], 0),
            )
        )
        first = life.total(life.months[0], "min_due")
        if first is not None and found["income_minor"]:
            share = form.share(first / found["income_minor"], 0)
            words.append(
                say("story.service_first", month=month_text(life.months[0]), service=form.money(first), share=share)
            )
    declared = life.person.get("income_declared_minor")
    if declared is not None and life.person.get("income_verified_minor") not in (None, declared):
        verified = life.person["income_verified_minor"]
        words.append(say("story.declared", declared=form.money(declared), verified=form.money(verified)))
    last = view.loop.panel.last_month
    rows = tuple(
        (
            line.name, line.id, str(line.account["opened_on"] or "–"),
            form.amount((line.months.get(last) or {}).get("limit") or line.account["limit_minor"]),
            form.amount((line.months.get(last) or {}).get("balance")), form.share(line.account["rate_annual"], 2),
            _state_name(line.state(last)),
        )
        for line in life.lines
    )  # fmt: skip
    head = (
        say("line"), say("account"), say("story.since"), say("limit"), say("balance"), say("story.rate"), say("state"),
    )  # fmt: skip
    table = Table(say("story.lines", unit=view.unit), head, rows, frozenset({1, 2}))
    return Section("story-granted", say("story.granted"), (say("gap").join(words),), tables=(table,))


def _scored(view: View, life: _Life) -> Section:
    say, form = view.say, view.form
    rows, points = [], []
    decisions = _by_account(view.loop.decisions, life)
    scores = _by_account(view.loop.points, life)
    for line in life.lines:
        row = decisions.get(line.id)
        if row is None:
            continue
        reasons = [
            f"{view.word('reason', reason['code'])} {view.signed(reason['points'])}".rstrip()
            for reason in row["reasons"]
        ]
        rows.append(
            (
                line.name,
                form.share(row["pd_out_of_sample"]),
                form.count(row["score"]),
                view.word("outcome", row["outcome"]),
                view.listed(reasons),
            )
        )
        own = {name: value for name, value in scores.get(line.id, {}).items() if name != "account_id"}
        worst = sorted((value, name) for name, value in own.items() if value)[:5]
        points.append(
            (line.name, view.listed([f"{view.word('reason', name)} {view.signed(value)}" for value, name in worst]))
        )
    head = (say("line"), say("story.pd"), say("story.score"), say("decision"), say("reasons"))
    tables = [Table(say("story.decisions"), head, tuple(rows), frozenset({3, 4}))]
    if any(text for _, text in points):
        tables.append(
            Table(
                say("story.points"), (say("line"), say("story.points.list")), tuple(points), frozenset({1}), folded=True
            )
        )
    return Section("story-scored", say("story.scored"), (say("story.scored.words"),), tables=tuple(tables))


def _by_account(table: pa.Table, life: _Life) -> dict[str, dict[str, Any]]:
    ids = pa.array([line.id for line in life.lines])
    return {row["account_id"]: row for row in table.filter(pc.is_in(table["account_id"], ids)).to_pylist()}


def _warned(view: View, life: _Life) -> Section:
    """Signs that stood in the record before the first line was overdue, and the warning as it stands now."""
    say, form, found, first = view.say, view.form, life.found, life.first_late
    words = []
    if found["warning"] is not None:
        reasons = [view.word("warning", reason["code"]) for reason in found["warning_reasons"] or []]
        key = "story.warning_spread" if found["lines_overdue"] else "story.warning_first"
        words.append(say(key, chance=form.share(found["warning"]), reasons=view.listed(reasons)))
    elif found["lines_overdue"] and found["lines_overdue"] == found["lines"]:
        words.append(say("story.warning_over"))
    else:
        words.append(say("story.warning_none"))
    if first is None:
        return Section("story-warned", say("story.warned"), tuple(words))
    signs = [(month, sign) for month in life.months if month <= first for sign in _signs(view, life, month)]
    words.append(say("story.first_late", month=month_text(first)))
    if not signs:
        return Section("story-warned", say("story.warned"), (*words, say("story.no_signs")))
    rows = tuple((month_text(month), sign, form.count(first - month)) for month, sign in signs)
    head = (say("month"), say("story.sign"), say("story.ahead"))
    table = Table(say("story.signs"), head, rows, frozenset({1}), note=say("story.signs.note"))
    return Section("story-warned", say("story.warned"), tuple(words), tables=(table,))


def _signs(view: View, life: _Life, month: int) -> Iterator[str]:
    """The remarks that a lender could have acted on before anything was overdue."""
    quiet = [line for line in life.lines if line.late(month)]
    for remark in _remarks(view, life, month):
        if not quiet:
            yield remark


def _caused(view: View, life: _Life) -> Section | None:
    say, form, found = view.say, view.form, life.found
    if found["cause"] is None:
        return None
    chance = "" if found["cause_probability"] is None else form.share(found["cause_probability"], 0)
    words = say("story.cause_unclear") if found["cause"] == "unclear" else say(
        "story.cause", cause=view.word("cause.name", found["cause"]), chance=chance
    )  # fmt: skip
    rows = tuple(
        (view.word("cause", sign["code"]), view.signed(sign["points"]), sign["source"])
        for sign in found["cause_evidence"] or []
    )
    head = (say("cause.sign"), say("story.weight"), say("story.source"))
    table = Table(say("story.evidence"), head, rows, frozenset({2}), note=say("story.evidence.note"))
    return Section("story-caused", say("story.caused"), (words,), tables=(table,) if rows else ())


def _treated(view: View, life: _Life) -> Section | None:
    say, rules, language = view.say, load_rules().rules, view.text.language
    zone = ZoneInfo(life.person.get("timezone") or view.loop.book.manifest.timezone)
    cases = _by_account(view.loop.cases, life)
    rows: list[tuple[str, ...]] = []
    held: dict[tuple[str, ...], list[str]] = {}
    for line in life.lines:
        case = cases.get(line.id)
        if case is None:
            continue
        reasons = view.listed([view.word("treat", reason["code"]) for reason in case["reasons"]])
        rows.append(
            (
                line.name,
                view.word("treatment", case["treatment"]),
                _instant(case["allowed_at"], zone, say("story.no_hour")),
                reasons,
            )
        )
        for block in case["blocked"] or []:
            rule = rules.get(block["rule"])
            key = (
                view.word("report.action", block["action"]),
                _instant(block["until"], zone, view.text("law.no_end")),
                block["rule"],
            )
            citation = rule.citation[language] if rule else block["citation"]
            held.setdefault((*key, rule.statement[language] if rule else "", citation), []).append(line.name)
    if not rows:
        return None
    head = (say("line"), say("treat.treatment"), say("story.from"), say("reasons"))
    tables = [Table(say("story.treatments"), head, tuple(rows), frozenset({1, 2, 3}))]
    if held:
        columns = (
            say("treat.action"),
            say("story.until"),
            say("treat.rule"),
            say("treat.says"),
            say("treat.citation"),
            say("lines"),
        )
        body = tuple((*key, str(len(lines))) for key, lines in held.items())
        tables.append(Table(say("treat.held"), columns, body, frozenset({1, 2, 3, 4})))
    return Section("story-treated", say("story.treated"), (say("story.treated.words"),), tables=tuple(tables))


def _instant(at: datetime | None, zone: ZoneInfo, unknown: str) -> str:
    return unknown if at is None else at.astimezone(zone).strftime("%Y-%m-%d %H:%M")


def _planned(view: View, life: _Life) -> Section | None:
    """The plan over all lines: what each lender is owed and gets."""
    say, form = view.say, view.form
    plans = view.loop.plans.filter(pc.equal(view.loop.plans["borrower_id"], life.id)).to_pylist()
    if not plans:
        return None
    plan = plans[0]
    words = [view.text(f"plan.binding.{plan['binding']}")]
    if plan["status"] == "infeasible" and plan["monthly_minor"]:
        words.append(say("story.plan_could", monthly=form.money(plan["monthly_minor"])))
    if plan["status"] != "feasible":
        return Section("story-planned", say("story.planned"), tuple(words))
    words.insert(
        0,
        say(
            "story.plan", monthly=form.money(plan["monthly_minor"]), months=plan["months"],
            cost=form.money(plan["total_cost_minor"]), chance=form.share(plan["p_complete"], 0),
        ),
    )  # fmt: skip
    paid: dict[str, list[int]] = {}
    for entry in plan["schedule"]:
        paid.setdefault(entry["account_id"], []).append(entry["amount_minor"])
    lines = view.loop.lines.filter(pc.equal(view.loop.lines["borrower_id"], life.id)).to_pylist()
    names = {line.id: line.name for line in life.lines}
    rows = tuple(
        (
            names.get(line["line_id"], line["line_id"]),
            form.amount(line["balance_minor"]),
            form.amount(paid[line["line_id"]][0]),
            form.amount(sum(paid[line["line_id"]])),
            form.amount(sum(paid[line["line_id"]]) - line["balance_minor"]),
        )
        for line in lines
        if line["line_id"] in paid
    )
    head = (say("line"), say("story.owed"), say("story.first_payment"), say("story.gets"), say("story.interest"))
    table = Table(say("story.plan_by_lender", unit=view.unit), head, rows, note=say("story.plan.note"))
    return Section("story-planned", say("story.planned"), tuple(words), tables=(table,))


def _cost(view: View, life: _Life) -> Section | None:
    """What the arrears have cost each lender so far: dues not paid, and interest and fees charged but not received."""
    say, form, first = view.say, view.form, life.first_late
    if first is None:
        return None
    rows, sums = [], []
    for line in life.lines:
        since = next((month for month in life.months if line.late(month)), None)
        months = [line.months[month] for month in life.months if month >= first and month in line.months]
        costs = (
            months[-1]["balance"] if months else None, _total(months, "paid"), _total(months, "interest", "fee"),
            _expected_loss(view, line),
        )  # fmt: skip
        sums.append(costs)
        rows.append((line.name, "–" if since is None else month_text(since), *map(form.amount, costs)))
    if len(rows) > 1:
        totals = (None if None in column else sum(column) for column in zip(*sums, strict=True))
        rows.append((say("story.all"), "", *map(form.amount, totals)))
    head = (
        say("line"),
        say("story.late_since"),
        say("story.owed"),
        say("story.received"),
        say("story.charged"),
        say("story.lost"),
    )
    table = Table(
        say("story.cost.table", unit=view.unit, month=month_text(first)), head, tuple(rows), frozenset({1}),
        note=say("story.cost.note"),
    )  # fmt: skip
    return Section(
        "story-cost", say("story.cost"), (say("story.cost.words", month=month_text(first)),), tables=(table,)
    )


def _expected_loss(view: View, line: _Line) -> int | None:
    """What is expected never to come back of a line, by the book's own flow rates from its bucket; None unknown."""
    part, row = view.portfolio["finance"], line.months.get(view.loop.panel.last_month)
    if not part or part["provision_by_bucket"] is None or row is None or row["balance"] is None:
        return None
    flows = {entry["bucket"]: entry["flows_to_loss"] for entry in part["provision_by_bucket"]}
    share = flows.get(_state_name(line.state(view.loop.panel.last_month)))
    given_default: float = part["assumptions"]["loss_given_default"]["base"]
    return None if share is None else estimate_to_minor(row["balance"] * share * given_default)


def _total(months: Sequence[Mapping[str, Any]], *columns: str) -> int | None:
    """The sum of columns over months; None where one is not known."""
    values = [row[column] for row in months for column in columns]
    return None if not values or None in values else sum(values)
