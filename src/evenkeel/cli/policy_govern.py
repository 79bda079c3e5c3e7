"""`evenkeel policy test|diff|backtest|cutoff|publish|approve|reject|rollback|history`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import as_json_option, lang_option, workspace_option
from evenkeel.cli.policy_check import file_argument
from evenkeel.cli.tables import read_table
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import Texts, texts
from evenkeel.pipeline.cutoff import page as cutoff_page
from evenkeel.policy.backtest import SETS, Run, Swap, backtest, compared, swapped
from evenkeel.policy.check.checking import check
from evenkeel.policy.check.proof import prove
from evenkeel.policy.cutoff import Limits, Past, curve
from evenkeel.policy.program import Program, load_program
from evenkeel.policy.register import WHOLE_PPM, Event, Register

_MOST_BYTES = 64 << 20
_SHOWN = 20
_OUT = click.Path(path_type=Path)


def _program(file: Path) -> Program:
    return load_program(_text(file), file.name)


def _text(file: Path) -> str:
    if not file.is_file():
        raise InvalidUsage(f"there is no file {file}.", "Check the path.")
    if file.stat().st_size > _MOST_BYTES:
        raise InvalidInput(f"{file} is larger than 64 MB.", "A policy is some hundred kilobytes.")
    return file.read_bytes().decode("utf-8", "replace")


def _column(table: pa.Table, name: str | None) -> npt.NDArray[np.float64] | None:
    """A column as numbers, NaN where not known; None where no column is named."""
    if name is None:
        return None
    if name not in table.column_names:
        raise InvalidUsage(f"the file has no column {name}.", f"It has {', '.join(table.column_names[:_SHOWN])}.")
    try:
        return np.asarray(pc.cast(table[name], pa.float64()).to_numpy(), np.float64)
    except pa.ArrowInvalid as error:
        raise InvalidInput(f"the column {name} is no column of numbers: {error}.") from None


def _present(table: pa.Table, name: str) -> npt.NDArray[np.float64] | None:
    return _column(table, name) if name in table.column_names else None


# ---- Test ----------------------------------------------------------------------------------------------------------


@click.command(
    "test",
    short_help="Run an analyst's cases against a policy.",
    epilog="\b\nExample:\n  evenkeel policy test granting.dmn cases.json\n\n"
    '\b\ncases.json:\n  [{"name": "no income", "inputs": {"pd": 0.01},\n'
    '    "expect": {"outcome": "refer", "reasons": ["income_unknown"]}}]',
)
@file_argument
@click.argument("cases", type=click.Path(path_type=Path))
@lang_option
@as_json_option
def test_command(file: Path, cases: Path, lang: str, as_json: bool) -> int:
    """Each of CASES gives inputs and what is expected: outcome, reasons, rows, an amount. Exit code 1 if any fails."""
    program, results = _program(file), list[dict[str, Any]]()
    for place, case in enumerate(_cases(cases), 1):
        found = program.one(case.get("inputs", {}), case.get("ages", {}))
        told: dict[str, Any] = {"outcome": found.outcome, "reasons": list(found.reasons), "rows": list(found.rows)}
        told |= {name: float(value) for name in ("factor", "amount_minor", "limit_minor")
                 if (value := found.amount(name)) is not None}  # fmt: skip
        expected = case["expect"]
        wrong = {name: told.get(name) for name, value in expected.items() if told.get(name) != value}
        results.append({"name": case.get("name", str(place)), "passed": not wrong, "expected": expected, "found": told})
    failed = [one for one in results if not one["passed"]]

    def words() -> str:
        say = texts(lang)
        lines = [say("policy.test.failed", name=one["name"], expected=json.dumps(one["expected"], ensure_ascii=False),
                     found=json.dumps(one["found"], ensure_ascii=False)) for one in failed]  # fmt: skip
        return "\n".join([*lines, say("policy.test.passed", passed=len(results) - len(failed), cases=len(results))])

    present.answer({"passed": len(results) - len(failed), "failed": len(failed), "cases": results}, as_json, words)
    return present.AT_FAULT if failed else present.DONE


def _cases(file: Path) -> list[dict[str, Any]]:
    try:
        given = json.loads(_text(file))
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidInput(f"{file.name} is not JSON: {error}.") from None
    if not isinstance(given, list) or not given:
        raise InvalidInput(f"{file.name} is no list of cases.", "See `evenkeel policy test --help` for one.")
    for place, case in enumerate(given, 1):
        if not isinstance(case, dict) or not isinstance(case.get("expect"), dict) or not case["expect"]:
            raise InvalidInput(f"case {place} says nothing to `expect`.", 'Write {"outcome": "refer"}, for example.')
        if not isinstance(case.get("inputs", {}), dict):
            raise InvalidInput(f"case {place}: `inputs` is no table of values.")
    return given


# ---- Backtest and diff ---------------------------------------------------------------------------------------------


@click.command(
    "backtest",
    short_help="A policy over past applicants.",
    epilog="\b\nExamples:\n  evenkeel policy backtest granting.dmn --inputs applications.parquet\n"
    "  evenkeel policy backtest granting.dmn --inputs applications.parquet --out decided.parquet --json",
)
@file_argument
@click.option("--inputs", "inputs", required=True, type=click.Path(path_type=Path), metavar="FILE",
              help="Applicants, a row each, columns named as inputs: .parquet, .csv or .xlsx.")  # fmt: skip
@click.option("--out", type=_OUT, metavar="FILE", help="Write every decision: .parquet.")
@lang_option
@as_json_option
def backtest_command(file: Path, inputs: Path, out: Path | None, lang: str, as_json: bool) -> None:
    """Decide every row of FILE's applicants: outcomes, reasons and the rows that fired."""
    found = backtest(_program(file), read_table(inputs))
    if out is not None:
        pq.write_table(found.table, out)
    present.answer(found.summary(), as_json, lambda: _backtest_words(found, texts(lang)))


def _backtest_words(found: Run, say: Texts) -> str:
    told: Any = found.summary()
    rows = told["rows"]
    lines = [say("policy.backtest.rows", rows=f"{rows:,}")]
    if found.absent:
        lines.append(say("policy.backtest.absent", names=", ".join(found.absent)))
    for outcome, count in told["outcomes"].items():
        lines.append(say("policy.backtest.outcome", outcome=outcome, count=f"{count:,}", share=f"{count / rows:.1%}"))
    most = [f"{reason} {count:,}" for reason, count in list(told["reasons"].items())[:8]]
    return "\n".join([*lines, say("policy.backtest.reasons", reasons=", ".join(most))])


@click.command(
    "diff",
    short_help="Two policies: rows, people and money.",
    epilog="\b\nExamples:\n  evenkeel policy diff old.dmn new.dmn\n"
    "  evenkeel policy diff old.dmn new.dmn --inputs applications.parquet",
)
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option("--inputs", "inputs", type=click.Path(path_type=Path), metavar="FILE",
              help="Past applicants; columns `bad`, `pd` and `requested_minor` count if there.")  # fmt: skip
@lang_option
@as_json_option
def diff_command(old: Path, new: Path, inputs: Path | None, lang: str, as_json: bool) -> None:
    """How NEW differs from OLD: as rules, and with --inputs as people and money (the swap set)."""
    was, now = _program(old), _program(new)
    rules = compared(was, now)
    document: dict[str, Any] = {
        "old": was.version, "new": now.version,
        "rules": {
            "added": list(rules.added), "removed": list(rules.removed), "moved": list(rules.moved),
            "changed": [{"row": row, "cells": [list(cell) for cell in cells]} for row, cells in rules.changed],
        },
    }  # fmt: skip
    swap = None
    if inputs is not None:
        table = read_table(inputs)
        swap = swapped(
            backtest(was, table), backtest(now, table), bad=_present(table, "bad"), pd=_present(table, "pd"),
            asked_minor=_present(table, "requested_minor"),
        )  # fmt: skip
        document["swap"] = {
            name: {
                "people": swap.people[name], "known": swap.known[name], "bad": swap.bad[name],
                "expected_bad": swap.expected_bad[name], "asked_minor": swap.money_minor[name],
            }
            for name in SETS
        }  # fmt: skip
        document["changes"] = [{"was": a, "now": b, "people": count} for (a, b), count in swap.changes.items()]
    present.answer(document, as_json, lambda: _diff_words(document["rules"], swap, texts(lang)))


def _diff_words(rules: Mapping[str, Any], swap: Swap | None, say: Texts) -> str:
    lines = [
        say(f"policy.diff.{name}", rows=", ".join(rules[name])) for name in ("added", "removed", "moved") if rules[name]
    ]
    lines += [
        say("policy.diff.cell", row=one["row"], column=column, was=was or "-", now=now or "-")
        for one in rules["changed"]
        for column, was, now in one["cells"]
    ]
    lines = lines or [say("policy.diff.same")]
    if swap is not None:
        lines += [
            say(
                "policy.diff.people", set=say(f"policy.diff.set.{name}"), people=f"{swap.people[name]:,}",
                money=f"{swap.money_minor[name] / 100:,.2f}", bad=f"{swap.bad[name]:,}", known=f"{swap.known[name]:,}",
                expected=f"{swap.expected_bad[name]:,.1f}",
            )
            for name in SETS
        ]  # fmt: skip
        lines += [
            say("policy.diff.change", was=was, now=now, people=f"{count:,}")
            for (was, now), count in sorted(swap.changes.items(), key=lambda one: -one[1])[:_SHOWN]
        ]
    return "\n".join(lines)


# ---- Cut-off -------------------------------------------------------------------------------------------------------


@click.command(
    "cutoff",
    short_help="Profit, loss and shares along the score, and the cut-off they choose.",
    epilog="\b\nExamples:\n  evenkeel policy cutoff applications.parquet --out cutoff.html\n"
    "  evenkeel policy cutoff applications.parquet --margin 0.12 --lgd 0.65 --most-bad 0.05 --json",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--score", default="score", show_default=True, metavar="COL", help="Higher is safer.")
@click.option("--bad", default="bad", show_default=True, metavar="COL", help="1, 0, or empty where not known.")
@click.option("--amount", default="approved_minor", show_default=True, metavar="COL", help="What was or would be lent.")
@click.option("--over", metavar="COL", help="1 where the grant broke a cap on what is owed everywhere.")
@click.option("--margin", type=click.FloatRange(0, 10), default=0.12, show_default=True,
              help="What a good brings, as a share of the amount.")  # fmt: skip
@click.option("--lgd", type=click.FloatRange(0, 1), default=0.65, show_default=True,
              help="What a bad costs, as a share of the amount.")  # fmt: skip
@click.option("--most-bad", type=click.FloatRange(0, 1), help="The largest share of bads among the approved.")
@click.option("--most-over", type=click.FloatRange(0, 1), help="The largest share of over-indebted among the approved.")
@click.option("--currency", default="CNY", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option("--out", type=_OUT, metavar="FILE", help="Write the page with its charts: .html.")
@lang_option
@as_json_option
def cutoff_command(
    file: Path, score: str, bad: str, amount: str, over: str | None, margin: float, lgd: float,
    most_bad: float | None, most_over: float | None, currency: str, seed: int, out: Path | None, lang: str,
    as_json: bool,
) -> None:  # fmt: skip
    """How the chance of being repaid sets the granting policy: every cut-off of a past book, and the best of them.

    Applicants without a score or an amount are left out. Where too few outcomes are known nothing is said.
    """
    table = read_table(file)
    scores, outcomes, amounts, burden = (_column(table, name) for name in (score, bad, amount, over))
    assert scores is not None and outcomes is not None and amounts is not None  # noqa: S101 - they have names
    keep = np.isfinite(scores) & np.isfinite(amounts)
    burden = np.full(len(scores), np.nan) if burden is None else burden
    past = Past(scores[keep], outcomes[keep], amounts[keep] * margin, amounts[keep] * lgd, burden[keep])
    found = curve(past, Limits(most_bad, most_over), seed=seed)
    if out is not None:
        out.write_text(cutoff_page.page(found, file.name, lang, currency), encoding="utf-8", newline="\n")
    told = cutoff_page.document(found) | {"applicants": int(keep.sum()), "left_out": int((~keep).sum())}
    present.answer(told, as_json, lambda: "\n".join(cutoff_page.findings(found, lang, currency)))


# ---- Register ------------------------------------------------------------------------------------------------------

_kind_option = click.option(
    "--kind", type=click.Choice(["grant", "limit", "authorisation"]), required=True, help="What the policy decides."
)
_by_option = click.option("--by", required=True, metavar="PERSON", help="Who you are.")
_why_option = click.option("--why", required=True, metavar="TEXT", help="Why, for whoever reads the history.")


@click.command(
    "publish",
    short_help="Put a checked and proved policy forward for a second person.",
    epilog="\b\nExamples:\n  evenkeel policy publish granting.dmn --by ana --why 'lower cut-off for students'\n"
    "  evenkeel policy publish granting.dmn --by ana --why trial --challenger 10",
)
@file_argument
@_by_option
@_why_option
@click.option("--challenger", type=click.FloatRange(0.1, 50), metavar="PERCENT",
              help="Only for this share of borrowers, beside the policy in force.")  # fmt: skip
@workspace_option
@lang_option
@as_json_option
@click.pass_obj
def publish_command(
    application: Application, file: Path, by: str, why: str, challenger: float | None, workspace: Path | None,
    lang: str, as_json: bool,
) -> None:  # fmt: skip
    """Check and prove FILE, and put it forward; nothing at fault can be published. Another person approves it."""
    text = _text(file)
    program = load_program(text, file.name)
    share = WHOLE_PPM if challenger is None else round(challenger * 10_000)

    def act(register: Register) -> Event:
        return register.propose(
            program.kind, program.version, program.name, text, lambda given: _judged(given, file.name, lang), by=by,
            why=why, share_ppm=share,
        )  # fmt: skip

    _registered(application, workspace, lang, as_json, program.kind, act)


def _judged(text: str, name: str, lang: str) -> list[str]:
    """What is at fault with a policy: what check finds, and what is not proved."""
    found = [one.text(lang) for one in check(text, name) if one.level != "warning"]
    proof = prove(load_program(text, name))
    found += [f"{one.removed}: {one.before.outcome} -> {one.after.outcome}" for one in proof.violations]
    return found + list(proof.undecided)


def _registered(
    application: Application, workspace: Path | None, lang: str, as_json: bool, kind: str, act: Any
) -> None:
    """Do something with the register, and tell what stands now."""
    say = texts(lang)
    with application.workspace(workspace, present.say)() as opened:
        register = Register(opened.engine, opened.journal.clock)
        act(register)
        events, now = register.history(kind), register.standing(kind)
    document = {
        "kind": kind, "champion": now.champion, "challenger": now.challenger, "challenger_ppm": now.challenger_ppm,
        "waiting": [event.version for event in now.waiting], "events": [_event(event) for event in events],
    }  # fmt: skip

    def words() -> str:
        if not events:
            return say("policy.register.none", kind=kind)
        lines = [_event_words(event, say) for event in events]
        lines += [say("policy.register.champion", version=now.champion)] if now.champion else []
        if now.challenger:
            share = f"{now.challenger_ppm / 10_000:g} %"
            lines.append(say("policy.register.challenger", version=now.challenger, share=share))
        lines += [say("policy.register.waiting", version=event.version, by=event.by) for event in now.waiting]
        return "\n".join(lines)

    present.answer(document, as_json, words)


def _event(event: Event) -> dict[str, Any]:
    return {
        "number": event.number, "at": event.at.isoformat(), "action": str(event.action), "version": event.version,
        "by": event.by, "why": event.why, "share_ppm": event.share_ppm,
    }  # fmt: skip


def _event_words(event: Event, say: Texts) -> str:
    share = "" if event.share_ppm == WHOLE_PPM else f"{event.share_ppm / 10_000:g} %"
    at = event.at.strftime("%Y-%m-%d %H:%M")
    return say("policy.register.event", at=at, action=say(f"policy.action.{event.action}"), version=event.version,
               share=share, by=event.by, why=event.why)  # fmt: skip


def _act_on_version(name: str, summary: str, method: str) -> click.Command:
    """`approve` and `reject`: a version that waits, by somebody, for a reason."""

    @click.command(name, short_help=summary)
    @click.argument("version")
    @_kind_option
    @_by_option
    @_why_option
    @workspace_option
    @lang_option
    @as_json_option
    @click.pass_obj
    def command(
        application: Application, version: str, kind: str, by: str, why: str, workspace: Path | None, lang: str,
        as_json: bool,
    ) -> None:  # fmt: skip
        _registered(
            application, workspace, lang, as_json, kind,
            lambda register: getattr(register, method)(kind, version, by=by, why=why),
        )  # fmt: skip

    command.help = summary
    return command


approve_command = _act_on_version("approve", "Put a policy in force that somebody else proposed.", "approve")
reject_command = _act_on_version("reject", "Let a proposed policy fall.", "reject")


def _act_on_kind(name: str, summary: str, method: str) -> click.Command:
    """`rollback` and `stop`: what is in force, at once."""

    @click.command(name, short_help=summary)
    @_kind_option
    @_by_option
    @_why_option
    @workspace_option
    @lang_option
    @as_json_option
    @click.pass_obj
    def command(
        application: Application, kind: str, by: str, why: str, workspace: Path | None, lang: str, as_json: bool
    ) -> None:
        _registered(
            application,
            workspace,
            lang,
            as_json,
            kind,
            lambda register: getattr(register, method)(kind, by=by, why=why),
        )

    command.help = summary
    return command


rollback_command = _act_on_kind("rollback", "Go back to the policy before, at once.", "rollback")
stop_command = _act_on_kind("stop", "Stop the challenger, at once.", "stop_challenger")


@click.command("history", short_help="What was published, by whom and why; what is in force.")
@_kind_option
@workspace_option
@lang_option
@as_json_option
@click.pass_obj
def history_command(application: Application, kind: str, workspace: Path | None, lang: str, as_json: bool) -> None:
    """Every event of a kind of policy, and what is in force now."""
    _registered(application, workspace, lang, as_json, kind, lambda register: None)


COMMANDS: Sequence[click.Command] = (
    test_command, diff_command, backtest_command, cutoff_command, publish_command, approve_command, reject_command,
    rollback_command, stop_command, history_command,
)  # fmt: skip
