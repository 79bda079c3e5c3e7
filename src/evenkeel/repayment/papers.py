"""What a person takes away: the plan as data and in words, and the letters to send, written into a folder.

Of a plan on record: the proposal while creditors are asked, the agreement to be signed by both sides, and, once all is
paid, the confirmation to ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, Literal

import msgspec

from evenkeel.kernel.errors import InvalidInput, Unavailable
from evenkeel.kernel.money import allocate
from evenkeel.learning.lesson import Lesson, in_words
from evenkeel.repayment.case import COMPONENTS, Case
from evenkeel.repayment.document import document
from evenkeel.repayment.facts.reading import case_of
from evenkeel.repayment.law.lawful import claims
from evenkeel.repayment.letters import Kind, Letter, Parties, Party, document_of, letters_of, pdf, text
from evenkeel.repayment.life.life import Life
from evenkeel.repayment.model import Claim
from evenkeel.repayment.planning import Planned
from evenkeel.repayment.telling import Telling

Language = Literal["en", "zh"]

_KINDS: Mapping[str, Kind] = {
    "proposed": "proposal", "agreed": "acceptance", "running": "acceptance", "late": "acceptance",
    "completed": "completion",
}  # fmt: skip


def write_papers(planned: Planned, folder: Path, language: Language) -> list[Path]:
    """plan.json, plan.txt, and the letters of the balanced plan or of hardship; the files, in order.

    Raises Unavailable where the folder cannot be written.
    """
    told = msgspec.json.format(msgspec.json.encode(document(planned)), indent=2)
    words = Telling(planned, language).explained()
    files = [_written(folder / "plan.json", told), _written(folder / "plan.txt", words.encode() + b"\n")]
    return files + write_letters(planned, folder, language)


def write_letters(
    planned: Planned, folder: Path, language: Language, name: str = "balanced", named: Mapping[str, Any] | None = None
) -> list[Path]:
    """The letters of a plan as PDF and as plain text, numbered; named after kinds, never after people.

    named: names in the place of ids, `{"borrower": …, "creditors": {ID: …}, "references": {ID: …}}`; each a text, or
    an object with `name` and `lines`. Raises InvalidInput where the case has nothing to write about.
    """
    parties = _parties(named or {}, planned.case.borrower_id or planned.case.case_id)
    return _pages(letters_of(_of(planned, name), parties, language, planned.case.as_of), folder)


def write_record_letters(
    life: Life, folder: Path, language: Language, on: date, named: Mapping[str, Any] | None = None
) -> list[Path]:
    """The letters that a plan on record gives reason for: of the day of its case, the confirmation of `on`; named as
    in `write_letters`.

    Raises InvalidInput where it gives none: it broke, or another took its place.
    """
    kind = _KINDS.get(life.status)
    if kind is None:
        raise InvalidInput(
            f"The plan {life.plan_id} is {life.status}: there is nothing to write of it.",
            "Make it again (`evenkeel plan replan`), and write of the new one.",
        )
    parties = _parties(named or {}, life.borrower_id or str(life.case["case_id"]))
    day = on if kind == "completion" else life.begins_on  # what is owed is told of that day
    return _pages(letters_of(_of_record(life), parties, language, day, kind), folder)


def write_lesson(lesson: Lesson | None, folder: Path) -> list[Path]:
    """lesson.txt, for the household itself, where there is a lesson to show."""
    return [] if lesson is None else [_written(folder / "lesson.txt", in_words(lesson).encode() + b"\n")]


def _pages(letters: Sequence[Letter], folder: Path) -> list[Path]:
    files = []
    for number, letter in enumerate(letters, start=1):
        stem = folder / f"{number:02d}-{letter.kind}"
        files.append(_written(stem.with_suffix(".pdf"), pdf(letter)))
        files.append(_written(stem.with_suffix(".txt"), text(letter).encode()))
    return files


def _of(planned: Planned, name: str) -> dict[str, Any]:
    """What the letters are about: a plan, or debts for which there is none."""
    plan = planned.plan(name) or (planned.plans[0] if planned.plans else None)
    case = planned.case
    if plan is not None:
        found = document_of(plan, planned.claims, planned.budget.due_on, case.currency, case.jurisdiction)
        return {**found, "debts": [*_with_fees_disputed(planned, found["debts"]), *_apart(case)]}
    owed = (*planned.claims, *planned.outside)
    apart = [*_with_fees_disputed(planned, ()), *_apart(case)]
    if not owed and not apart:
        raise InvalidInput(f"The case {case.case_id} has no debt to write about.", "See `evenkeel plan CASE`.")
    low = int(planned.budget.capacity[1:].min())
    offers = allocate(low, [claim.balance_minor for claim in owed]) if low and owed else [0] * len(owed)
    debts = [{**_debt(claim), "offer_minor": offer} for claim, offer in zip(owed, offers, strict=True)]
    debts = [*_with_fees_disputed(planned, debts), *_apart(case)]
    return {"status": "infeasible", "currency": case.currency, "jurisdiction": case.jurisdiction, "debts": debts}


def _with_fees_disputed(planned: Planned, debts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Debts with what is objected to of those whose fees alone are disputed: the rest of them is planned for. One of
    which nothing else is owed comes last."""
    apart = {
        one.about.removeprefix("debts.").removesuffix(".disputed"): int(str((one.values or {})["balance_minor"]))
        for one in planned.questions
        if one.key == "repay.ask.disputed_fees"
    }
    told = []
    for debt in debts:
        if (fees := apart.pop(debt["debt_id"], None)) is not None:
            stated = debt.get("claimed_minor", debt["balance_minor"])
            debt = {**debt, "disputed": "fees", "claimed_minor": stated + fees}
        told.append(debt)
    alone = [debt for debt in planned.case.debts if debt.id in apart]
    return told + [
        {"debt_id": debt.id, "creditor": debt.creditor, "lender_type": debt.lender_type, "disputed": "fees",
         "balance_minor": 0, "claimed_minor": apart[debt.id], "days_past_due": debt.days_past_due}
        for debt in alone
    ]  # fmt: skip


def _apart(case: Case) -> list[dict[str, Any]]:
    """Debts that no plan holds: those disputed, to be objected to, and those of unknown balance, to be asked about."""
    return [
        {
            "debt_id": debt.id, "creditor": debt.creditor, "lender_type": debt.lender_type,
            "days_past_due": debt.days_past_due, "disputed": debt.disputed,
            "balance_minor": debt.balance_minor if isinstance(debt.balance_minor, int) else None,
        }
        for debt in case.debts
        if debt.stage != "closed"
        and (debt.disputed in ("all", "identity", "amount") or debt.balance_minor is debt.principal_minor is None)
    ]  # fmt: skip


def _of_record(life: Life) -> dict[str, Any]:
    """What the letters of a plan on record are about."""
    case = case_of(life.case, str)
    owed = {claim.debt_id: claim for claim in claims(case)[0]}
    debts = []
    for one in life.document["creditors"]:
        claim, asked = owed[one["debt_id"]], one["asked"]
        own = [
            {"due_on": row.due_on.isoformat(), "amount_minor": row.amount_minor}
            for row in life.instalments
            if row.debt_id == claim.debt_id
        ]
        debt = {
            **_debt(claim), "payments": own,
            "cuts": [
                {"component": cut.component, "amount_minor": cut.amount_minor, "rule": cut.rule} for cut in claim.cuts
            ],
            "asked": {
                "waived": asked["waived"], "rules": [rule["id"] for rule in asked["rules"]],
                "rate_annual": asked["rate_annual"] if asked["rate_annual"] < asked["rate_now_annual"] else None,
            },
        }  # fmt: skip
        if life.status == "completed":
            days = [paid.on for paid in life.payments.values() if paid.debt_id == claim.debt_id]
            debt |= {"paid_minor": life.paid_minor[claim.debt_id], "cleared_on": max(days).isoformat()}
        debts.append(debt)
    return {"status": "feasible", "currency": case.currency, "jurisdiction": case.jurisdiction, "debts": debts}


def _debt(claim: Claim) -> dict[str, Any]:
    return {
        "debt_id": claim.debt_id, "creditor": claim.creditor, "lender_type": claim.lender_type,
        "balance_minor": claim.balance_minor, "days_past_due": claim.days_past_due,
        "components": {part: amount for part in COMPONENTS if (amount := getattr(claim, f"{part}_minor"))},
    }  # fmt: skip


def _parties(named: Mapping[str, Any], borrower: str) -> Parties:
    creditors = named.get("creditors") or {}
    references = named.get("references") or {}
    if not isinstance(creditors, Mapping) or not isinstance(references, Mapping):
        raise InvalidInput("`creditors` and `references` are objects, by id.", 'Write {"creditors": {"bank-a": "…"}}.')
    return Parties(
        _party(named.get("borrower", borrower)), {str(name): _party(one) for name, one in creditors.items()},
        {str(debt): str(told) for debt, told in references.items()},
    )  # fmt: skip


def _party(told: Any) -> Party:
    if isinstance(told, str):
        return Party(told)
    if isinstance(told, Mapping) and isinstance(told.get("name"), str) and isinstance(told.get("lines", []), list):
        return Party(told["name"], tuple(map(str, told.get("lines", []))))
    raise InvalidInput("A party is a name, or an object with `name` and `lines`.")


def _written(path: Path, data: bytes) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    except OSError as error:
        raise Unavailable(f"{path} cannot be written: {error.strerror}.", "Choose another folder.") from error
    return path
