"""`evenkeel show`: one account or borrower as one story, from what a run left."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evenkeel.cli import present
from evenkeel.cli.options import as_json_option, lang_option
from evenkeel.cli.show_grants import grant_documents, grant_words, grants_where, read_grants
from evenkeel.kernel.errors import InvalidUsage, NotFound
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts, texts

_TABLES = ("decisions", "borrowers", "cases", "plans", "points", "lines")


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The tables that a run left, and its portfolio.json. In `decisions` those on limits; grants: on applications."""

    tables: Mapping[str, pa.Table]
    portfolio: Mapping[str, Any]
    grants: pa.Table | None

    def rows(self, table: str, column: str, value: str) -> list[dict[str, Any]]:
        """The rows of a table in which a column has a value."""
        found = self.tables[table]
        rows: list[dict[str, Any]] = found.filter(pc.equal(found[column], value)).to_pylist()
        return rows


def read_run(folder: Path) -> RunFolder:
    """Open a run's folder. Raises InvalidUsage where it is none."""
    if not (folder / "portfolio.json").is_file():
        raise InvalidUsage(f"{folder} holds no finished run.", "Name the folder that `evenkeel run --out` wrote.")
    tables = {name: pq.read_table(folder / f"{name}.parquet") for name in _TABLES}
    grants = read_grants(folder, tables["decisions"])
    tables["decisions"] = tables["decisions"].filter(pc.equal(tables["decisions"]["kind"], "limit"))
    return RunFolder(tables, json.loads((folder / "portfolio.json").read_text(encoding="utf-8")), grants)


@click.command(
    epilog="\b\nExamples:\n  evenkeel show borrower story-factory-worker --run demo/report\n"
    "  evenkeel show account 10001 --run ./uci --lang zh\n"
    "  evenkeel show application ap-17 --run ./march-report"
)
@click.argument("kind", type=click.Choice(["account", "borrower", "application"]))
@click.argument("id")
@click.option("--run", "folder", type=click.Path(path_type=Path), default=Path("demo/report"), show_default=True)
@lang_option
@as_json_option
def show(kind: str, id: str, folder: Path, lang: str, as_json: bool) -> int:
    """Tell one story: what was known, the score with its points, the decision, reasons, treatment, plan."""
    run = read_run(folder)
    if kind == "account":
        document = account_document(run, id)
        present.answer(document, as_json, lambda: "\n".join(account_words(run, id, lang)))
    elif kind == "application":
        document = application_document(run, id)
        present.answer(document, as_json, lambda: "\n".join(application_words(run, id, lang)))
    else:
        document = borrower_document(run, id)
        present.answer(document, as_json, lambda: "\n".join(borrower_words(run, id, lang)))
    return present.DONE


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as JSON can hold them."""
    result: list[dict[str, Any]] = json.loads(json.dumps(rows, default=str))
    return result


def account_document(run: RunFolder, account: str) -> dict[str, Any]:
    """Everything the run says of one account. Raises NotFound."""
    decisions = run.rows("decisions", "account_id", account)
    if not decisions:
        raise NotFound(f"the run has no account {account!r} on book.", "Ids are as in the book's accounts table.")
    return {
        "decision": _plain(decisions)[0],
        "points": {k: v for k, v in run.rows("points", "account_id", account)[0].items() if k != "account_id"},
        "line": _plain(run.rows("lines", "line_id", account))[0],
        "case": next(iter(_plain(run.rows("cases", "account_id", account))), None),
        "borrower": borrower_document(run, decisions[0]["borrower_id"]),
    }


def application_document(run: RunFolder, application: str) -> dict[str, Any]:
    """Everything the run says of one application. Raises NotFound."""
    return grant_documents([_application(run, application)])[0]


def application_words(run: RunFolder, application: str, language: str) -> list[str]:
    """One application's story, line by line. Raises NotFound."""
    return grant_words(_application(run, application), texts(language), run.portfolio["currency"])


def _application(run: RunFolder, application: str) -> dict[str, Any]:
    for row in grants_where(run.grants, "application_id", application):
        return row
    raise NotFound(f"the run has no application {application!r}.", "Ids are as in the book's applications table.")


def borrower_document(run: RunFolder, borrower: str) -> dict[str, Any]:
    """Everything the run says of one borrower. Raises NotFound."""
    people = run.rows("borrowers", "borrower_id", borrower)
    if not people:
        raise NotFound(f"the run has no borrower {borrower!r}.", "Ids are as in the book's accounts table.")
    return {
        "borrower": _plain(people)[0],
        "lines": _plain(run.rows("lines", "borrower_id", borrower)),
        "decisions": _plain(run.rows("decisions", "borrower_id", borrower)),
        "cases": _plain(run.rows("cases", "borrower_id", borrower)),
        "plan": next(iter(_plain(run.rows("plans", "borrower_id", borrower))), None),
        "applications": grant_documents(grants_where(run.grants, "borrower_id", borrower)),
    }


def account_words(run: RunFolder, account: str, language: str) -> list[str]:
    """One account's story, line by line."""
    say, currency = texts(language), run.portfolio["currency"]
    decision = run.rows("decisions", "account_id", account)
    if not decision:
        raise NotFound(f"the run has no account {account!r} on book.", "Ids are as in the book's accounts table.")
    row = decision[0]
    line = run.rows("lines", "line_id", account)[0]
    lines = [
        say("show.account", account=account, borrower=row["borrower_id"], as_of=row["as_of"]),
        _line_words(line, say, currency),
    ]
    if row["pd"] is not None:
        lines.append(say("show.score", score=row["score"], pd=f"{row['pd']:.2%}", out=f"{row['pd_out_of_sample']:.2%}"))
        points = run.rows("points", "account_id", account)[0]
        ranked = sorted(((v, k) for k, v in points.items() if k != "account_id"), key=lambda item: (item[0], item[1]))
        lines += [f"    {value:+7.1f}  {_reason(code, say)}" for value, code in ranked]
    else:
        lines.append(say("show.no_score"))
    lines += _decision_words(row, say, currency)
    lines += _case_words(run, account, say)
    return lines


def borrower_words(run: RunFolder, borrower: str, language: str) -> list[str]:
    """One borrower's story over all lines, line by line."""
    say, currency = texts(language), run.portfolio["currency"]
    people = run.rows("borrowers", "borrower_id", borrower)
    if not people:
        raise NotFound(f"the run has no borrower {borrower!r}.", "Ids are as in the book's accounts table.")
    row = people[0]
    lines = [
        say(
            "show.borrower", borrower=borrower, lines=row["lines"], lenders=row["lenders"], as_of=run.portfolio["as_of"]
        )
    ]
    lines += [_line_words(line, say, currency) for line in run.rows("lines", "borrower_id", borrower)]
    if row["service_to_income"] is not None:
        lines.append(say("show.service", share=f"{row['service_to_income']:.0%}"))
    if row["over_granted"]:
        lines.append(say("show.over_granted", why=", ".join(say(f"over.{code}") for code in row["over_granted_why"])))
    if row["warning"] is not None:
        why = ", ".join(_text(f"warning.{entry['code']}", entry["code"], say) for entry in row["warning_reasons"] or [])
        lines.append(say("show.warning", p=f"{row['warning']:.1%}", why=why))
    if row["cause"]:
        evidence = ", ".join(
            _text(f"cause.{entry['code']}", entry["code"], say) for entry in row["cause_evidence"] or []
        )
        name = _text(f"cause.name.{row['cause']}", row["cause"], say)
        lines.append(say("show.cause", cause=name, p=f"{row['cause_probability'] or 0:.0%}", evidence=evidence or "–"))
    for decision in run.rows("decisions", "borrower_id", borrower):
        lines += [f"{decision['account_id']}:", *_decision_words(decision, say, currency)]
        lines += _case_words(run, decision["account_id"], say)
    for grant in grants_where(run.grants, "borrower_id", borrower):
        lines += grant_words(grant, say, currency)
    return lines + _plan_words(run.rows("plans", "borrower_id", borrower), say, currency)


def _text(key: str, otherwise: str, say: Texts) -> str:
    return say(key) if key in say else otherwise


def _reason(code: str, say: Texts) -> str:
    return _text(f"reason.{code}", code, say)


def _money(minor: int | None, currency: str, say: Texts) -> str:
    return say("show.unknown") if minor is None else str(Money(minor, currency))


def _line_words(line: Mapping[str, Any], say: Texts, currency: str) -> str:
    return "  " + say(
        "show.line",
        line=line["line_id"],
        lender=line["lender_id"],
        product=say(f"product.{line['product'] or 'other'}"),
        state=line["state"] or say("show.unknown"),
        dpd="–" if line["dpd"] is None else line["dpd"],
        balance=_money(line["balance_minor"], currency, say),
        limit=_money(line["limit_minor"], currency, say),
    )


def _decision_words(row: Mapping[str, Any], say: Texts, currency: str) -> list[str]:
    outcome = say(f"outcome.{row['outcome']}")
    before, after = row["limit_before_minor"], row["limit_after_minor"]
    change = (
        ""
        if before is None or before == after
        else f" ({_money(before, currency, say)} → {_money(after, currency, say)})"
    )
    lines = ["  " + say("show.decision", outcome=outcome) + change]
    for reason in row["reasons"]:
        points = "" if reason["points"] is None else f" ({reason['points']:+.1f})"
        lines.append(f"    · {_reason(reason['code'], say)}{points}")
    return lines


def _case_words(run: RunFolder, account: str, say: Texts) -> list[str]:
    zone = ZoneInfo(run.portfolio["timezone"])
    lines = []
    for case in run.rows("cases", "account_id", account):
        treatment = _text(f"treatment.{case['treatment']}", case["treatment"], say)
        when = (
            "–" if case["allowed_at"] is None else f"{case['allowed_at'].astimezone(zone):%Y-%m-%d %H:%M} ({zone.key})"
        )
        lines.append("  " + say("show.treatment", treatment=treatment, when=when))
        for reason in case["reasons"]:
            lines.append(f"    · {_text(reason['code'], reason['code'], say)}")
        for held in case["blocked"]:
            lines.append(f"    × {held['action']}: {held['citation']} ({held['rule']})")
    return lines


def _plan_words(plans: list[dict[str, Any]], say: Texts, currency: str) -> list[str]:
    if not plans:
        return []
    plan = plans[0]
    if plan["status"] == "feasible":
        chance = "–" if plan["p_complete"] is None else f"{plan['p_complete']:.0%}"
        return [
            say("show.plan", monthly=_money(plan["monthly_minor"], currency, say), months=plan["months"],
                cost=_money(plan["total_cost_minor"], currency, say), p=chance)
        ]  # fmt: skip
    why = _text(f"plan.binding.{plan['binding']}", plan["binding"] or "–", say)
    return [say(f"show.plan_{plan['status']}", why=why)]
