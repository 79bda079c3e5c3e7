"""`evenkeel law`: what the rules on record say of actions; the rules themselves, and their own worked cases."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from evenkeel.arrears.contacts.table import judge_contacts
from evenkeel.arrears.law import ANSWERS, CONFIDENCES, Rule, load_rules
from evenkeel.arrears.rows import is_zone
from evenkeel.arrears.worked import Worked, work
from evenkeel.cli import present
from evenkeel.cli.law_files import read_actions, read_consents
from evenkeel.cli.options import AS_OF, as_json_option, lang_option
from evenkeel.kernel.errors import InvalidUsage
from evenkeel.kernel.text import Texts, texts

_SHOWN = 20  # actions that are told of on a screen; all of them are in the JSON
_INSTANT = "%Y-%m-%d %H:%M UTC"
_MARKS = {"allow": "✓", "warn": "!", "require": "?", "block": "✗"}

_rules_option = click.option(
    "--rules", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="DIR",
    help="Folder of rule files to use in place of those shipped.",
)  # fmt: skip


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command here."""
    for add in (as_json_option, lang_option, _rules_option):
        command = add(command)
    return command


@click.group(
    epilog="\b\nExamples:\n"
    "  evenkeel law check contacts.csv --jurisdiction CN\n"
    "  evenkeel law explain CN-GBT-FREQ --lang zh\n"
    "  evenkeel law list --jurisdiction US --confidence read\n"
    "  evenkeel law test\n"
)
def law() -> None:
    """The law as data: rules with their citation, how far each was checked, and what they say of an action.

    `allow` says that no rule on record speaks against an action; it does not prove that the action is lawful.
    """


@law.command(
    "check",
    epilog="\b\nExamples:\n"
    "  evenkeel law check contacts.csv\n"
    "  evenkeel law check contacts.parquet --consents consents.csv --jurisdiction US --json\n",
)
@click.argument("contacts", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--jurisdiction", default="CN", show_default=True, metavar="CODE", help="Whose rules: CN, US, UK, EU.")
@click.option("--consents", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Consents and their withdrawal: borrower_id, purpose, given_at, withdrawn_at.")  # fmt: skip
@click.option("--zone", default="Asia/Shanghai", show_default=True, help="Zone of instants without an offset.")
@_common
def check_command(
    contacts: Path, jurisdiction: str, consents: Path | None, zone: str, rules: Path | None, lang: str, as_json: bool
) -> int:
    """Judge every action of a file by the rules in force on its own day; the strictest answer wins.

    CONTACTS: .csv, .parquet, .xlsx, .json or .jsonl with `at`, `channel` (or `action`), and whatever is known:
    borrower_id, account_id, lender_id, contact_point_token, answered, conversation, target, actor_type, product,
    timezone, and the facts that `evenkeel law explain RULE` names. Give all contacts of a debtor, of other agencies
    too: counts go over what is given. Rows with planned = true are a plan: each is asked after what was done, and after
    what of the plan may be done before it. Exit code 1 where an action may not be done, or lacks something.
    """
    book = load_rules(rules)
    place = book.jurisdiction(jurisdiction)
    actions, ignored = read_actions(contacts, book, zone)
    given = None if consents is None else read_consents(consents, zone)
    answers = judge_contacts(actions, book, place, given, lang)
    counts = Counter(answers["answer"].to_pylist())
    zones = actions["timezone"].to_pylist() if "timezone" in actions.column_names else [None] * len(actions)
    homeless = sum(count for zone, count in Counter(zones).items() if not is_zone(zone))
    told = {
        "jurisdiction": place, "rules_version": book.version, "ignored_columns": list(ignored),
        "zone_unknown": homeless, "counts": {answer: counts[answer] for answer in ANSWERS},
    }  # fmt: skip
    if as_json:
        present.emit({**told, "answers": [_record(row) for row in answers.to_pylist()]})
    else:
        click.echo("\n".join(_told(actions, answers, counts, texts(lang))))
        if ignored:
            click.echo(texts(lang)("law.ignored", columns=", ".join(ignored)))
        if homeless:
            click.echo(texts(lang)("law.zone_unknown", count=homeless, place=place))
        click.echo(texts(lang)("law.disclaimer"))
    return present.AT_FAULT if counts["block"] or counts["require"] else present.DONE


@law.command("list", epilog="\b\nExamples:\n  evenkeel law list\n  evenkeel law list --jurisdiction CN --on 2025-03-01")
@click.option("--jurisdiction", metavar="CODE", help="Only rules of this place; without it, of all.")
@click.option("--confidence", type=click.Choice(CONFIDENCES), help="Only rules that were checked this far.")
@click.option("--on", type=AS_OF, metavar="DAY", help="Only rules in force on this day.")
@_common
def list_command(
    jurisdiction: str | None, confidence: str | None, on: date | None, rules: Path | None, lang: str, as_json: bool
) -> None:
    """The rules: what each says, its citation, its effect, and how far its text was checked."""
    book, say = load_rules(rules), texts(lang)
    place = None if jurisdiction is None else book.jurisdiction(jurisdiction)
    some = [
        rule
        for rule in book.rules.values()
        if (place is None or rule.jurisdiction == place)
        and (confidence is None or rule.confidence == confidence)
        and (on is None or rule.in_force(on))
    ]
    document = {"rules_version": book.version, "rules": [_rule(rule, lang) for rule in some]}
    present.answer(document, as_json, lambda: "\n".join(_line(rule, lang, say) for rule in some) or say("law.no_rule"))


@law.command("explain", epilog="\b\nExample:\n  evenkeel law explain CN-GBT-HRS --lang zh")
@click.argument("rule")
@_common
def explain_command(rule: str, rules: Path | None, lang: str, as_json: bool) -> None:
    """One rule in full: whom it binds, since when, what it looks at, and its worked boundary cases."""
    book, say = load_rules(rules), texts(lang)
    name = rule.upper()
    if name not in book.rules:
        like = [one for one in book.rules if name in one or one in name]
        raise InvalidUsage(f"there is no rule {rule}.", f"Known: {', '.join(like or book.rules)}.")
    alone = book.only(name)
    found, cases = book.rules[name], [one for one in work(alone) if one.rule == name]
    document = _rule(found, lang) | {
        "checks": [
            {"kind": one.kind, "actions": list(one.actions), "effect": one.effect, "parameter": one.parameter,
             "facts": dict(one.facts)}
            for one in found.checks
        ],
        "cases": [_case(one) for one in cases],
    }  # fmt: skip
    present.answer(document, as_json, lambda: "\n".join(_explained(found, cases, lang, say)))


@law.command("test", epilog="\b\nExample:\n  evenkeel law test --rules ./our-rules")
@_common
def test_command(rules: Path | None, lang: str, as_json: bool) -> int:
    """Ask every rule its own worked cases, just before a boundary and just after it. Exit code 1 if one fails."""
    say = texts(lang)
    cases = list(work(load_rules(rules)))
    failed = [one for one in cases if not one.holds]
    document = {
        "cases": len(cases),
        "rules": len({one.rule for one in cases}),
        "failed": [_case(one) | {"rule": one.rule} for one in failed],
    }
    lines = [
        f"✗ {one.rule}: {one.name}: {one.answer} ({one.value}), {say('law.wanted')} {one.expected}" for one in failed
    ]
    lines.append(say("law.tested", cases=len(cases), rules=document["rules"], failed=len(failed)))
    present.answer(document, as_json, lambda: "\n".join(lines))
    return present.AT_FAULT if failed else present.DONE


def _record(row: Mapping[str, Any]) -> dict[str, Any]:
    rules = [one | {"until": one["until"].isoformat() if one["until"] else None} for one in row["rules"]]
    return {"contact_id": row["contact_id"], "answer": row["answer"], "rules": rules}


def _told(actions: pa.Table, answers: pa.Table, counts: Counter[str], say: Texts) -> Iterator[str]:
    """The answers in words: those that are not plainly allowed, then how many there are of each."""
    done = actions["channel" if "channel" in actions.column_names else "action"]
    shown = 0
    for place, answer in enumerate(answers["answer"].to_pylist()):
        if answer == "allow" or shown == _SHOWN:
            continue
        shown += 1
        row = answers.slice(place, 1).to_pylist()[0]
        name, at = row["contact_id"] or say("law.row", row=place + 1), actions["at"][place].as_py()
        yield f"{_MARKS[answer]} {name}  {at:{_INSTANT}}  {done[place]}: {say(f'law.answer.{answer}')}"
        for one in row["rules"]:
            end = say("law.until", instant=f"{one['until']:{_INSTANT}}") if one["until"] else say("law.no_end")
            yield f"    {one['id']} ({one['effect']}): {one['value']}; {one['parameter']}; {end}. {one['citation']}"
    others = len(answers) - counts["allow"] - shown
    if others:
        yield say("law.others", count=others)
    yield "  ".join(f"{_MARKS[answer]} {answer} {counts[answer]:,}" for answer in ANSWERS)


def _rule(rule: Rule, lang: str) -> dict[str, Any]:
    return {
        "id": rule.id, "jurisdiction": rule.jurisdiction, "statement": rule.statement[lang],
        "citation": rule.citation[lang], "confidence": rule.confidence, "effect": rule.strongest,
        "actors": list(rule.actors), "excluded_actors": list(rule.excluded_actors), "products": list(rule.products),
        "scope": rule.scope, "effective_from": rule.effective_from.isoformat(),
        "effective_to": rule.effective_to.isoformat() if rule.effective_to else None,
        "verified_on": rule.verified_on.isoformat(),
    }  # fmt: skip


def _case(one: Worked) -> dict[str, Any]:
    return {"name": one.name, "expected": one.expected, "answer": one.answer, "value": one.value, "holds": one.holds}


def _line(rule: Rule, lang: str, say: Texts) -> str:
    confidence = say(f"law.confidence.{rule.confidence}")
    return f"{rule.id}  {rule.strongest}, {confidence}\n    {rule.statement[lang]}\n    {rule.citation[lang]}"


def _explained(rule: Rule, cases: list[Worked], lang: str, say: Texts) -> Iterator[str]:
    yield _line(rule, lang, say)
    days = {"start": rule.effective_from, "end": rule.effective_to, "verified": rule.verified_on}
    yield say("law.in_force" if rule.effective_to else "law.in_force_open", **days)
    for key, names in (
        ("law.binds", rule.actors),
        ("law.not_binds", rule.excluded_actors),
        ("law.products", rule.products),
    ):
        if names:
            yield say(key, names=", ".join(names))
    for one in rule.checks:
        facts = ", ".join(f"{name} ({say(f'law.holds.{holds}')})" for name, holds in one.facts.items())
        yield f"  {one.kind} ({one.effect}): {one.parameter or '–'}" + (
            f"; {say('law.facts', facts=facts)}" if facts else ""
        )
    for case in cases:
        yield f"  {_MARKS[case.answer]} {case.name}: {say(f'law.answer.{case.answer}')}"
    yield say("law.disclaimer")
