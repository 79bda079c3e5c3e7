"""What each kind of letter says. A letter asks and offers; it promises nothing that no law and no creditor promised.

No letter names the dishonest-debtor list, threatens, or asks for 停息挂账 as if it were a right. What a letter asks for
is a request; where a rule stands behind it, the rule is cited with what it is: a law, a recommended standard, guidance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from typing import Any

from evenkeel.repayment.letters.document import Debt, Document, read
from evenkeel.repayment.letters.model import (
    Amounts,
    Block,
    Kind,
    Language,
    Letter,
    Paragraph,
    Parties,
    Points,
    Table,
)
from evenkeel.repayment.letters.tables import components_table, debts_table, matrix, schedules
from evenkeel.repayment.letters.words import Words, total

ANSWER_DAYS = 30  # asked for, and said to be no legal period: a judgement

_CONTACT = ("CN-CARD-068", "CN-GBT-3P", "CN-GBT-HRS")
_RULES: dict[Kind, tuple[str, ...]] = {
    "proposal": ("CN-CARD-070", "CN-CARD-2022-13", "CN-NFRA-RELIEF-2025", "CN-GBT-3P"),
    "hardship": ("CN-CARD-070", "CN-NFRA-RELIEF-2025", *_CONTACT),
    "dispute": ("CN-CARD-069", "CN-CRED-25"),
    "statement": (),
    "settlement": (),
    "acceptance": ("CN-CARD-070",),
    "completion": ("CN-CRED-16", "CN-PIPL-47"),
    "overview": (),
}
_ASKING: tuple[Kind, ...] = ("proposal", "settlement", "acceptance")  # name what the plan asks, and its rules
_CUTTING: tuple[Kind, ...] = ("proposal", "settlement", "dispute")  # name what the law takes off, and its rules
_ENCLOSURES: dict[Kind, tuple[str, ...]] = {
    "proposal": ("income", "household"),
    "hardship": ("income", "household", "cause"),
}
_BEFORE: dict[Kind, tuple[str, ...]] = {
    "proposal": ("limitation", "check", "copy", "promise", "agent"),
    "hardship": ("limitation", "check", "copy", "agent"),
    "dispute": ("check", "copy"),
    "statement": ("check", "copy"),
    "settlement": ("limitation", "check", "copy", "pay"),
    "acceptance": ("limitation", "check", "copy", "promise"),
    "completion": ("check", "copy"),
    "overview": (),
}


def letters_of(
    plan_document: Mapping[str, Any], parties: Parties, language: Language, on: date, kind: Kind | None = None
) -> list[Letter]:
    """The letters of a plan, one to each creditor that its kind concerns, dated `on`.

    plan_document: as in `document`; other fields may stand beside. kind: without one, what the document gives reason
    for: a plan is proposed and settlements are offered, hardship is told where there is no plan, disputed debts are
    objected to, statements are asked for where a balance is not known, and with a plan its overview comes last.
    Raises InvalidInput where the document cannot be read. A kind that concerns no debt gives no letter.
    """
    document = read(plan_document)
    if kind == "overview":
        return _overview(document, parties, language, on)
    if kind is not None:
        return [
            _letter(kind, Words(document, parties, language, debts, creditor), on)
            for creditor, debts in _by_creditor(document, lambda debt: _concerns(kind, debt)).items()
        ]
    planned: tuple[Kind, ...] = ("proposal", "settlement") if document.status == "feasible" else ("hardship",)
    every: tuple[Kind, ...] = (*planned, "dispute", "statement", "overview")
    return [letter for each in every for letter in letters_of(plan_document, parties, language, on, each)]


def _concerns(kind: Kind, debt: Debt) -> bool:
    """Whether a letter of a kind is about a debt."""
    match kind:
        case "proposal":
            return bool(debt.payments) and debt.settle_minor is None and not debt.apart
        case "acceptance":
            return bool(debt.payments) and not debt.apart
        case "settlement":
            return debt.settle_minor is not None and not debt.apart
        case "dispute":
            return bool(debt.disputed)
        case "statement":
            return debt.balance_minor is None
        case "completion":
            return debt.cleared_on is not None
        case _:
            return not debt.apart and debt.cleared_on is None


def _by_creditor(document: Document, wanted: Callable[[Debt], bool]) -> dict[str, tuple[Debt, ...]]:
    found: dict[str, tuple[Debt, ...]] = {}
    for debt in document.debts:
        if wanted(debt):
            found[debt.creditor] = (*found.get(debt.creditor, ()), debt)
    return found


def _letter(kind: Kind, words: Words, on: date) -> Letter:
    asked = [rule for debt in words.debts for rule in debt.asked.rules] if kind in _ASKING else []
    cut = [cut.rule for debt in words.debts for cut in debt.cuts] if kind in _CUTTING else []
    rules, uncited = words.cited(*(rule for rule in _RULES[kind] if words.binds(rule)), *asked, *cut)
    both = kind == "acceptance"
    return Letter(
        kind=kind,
        language=words.language,
        on=on,
        sender=words.parties.borrower,
        receiver=words.receiver,
        title=words(f"title.{kind}"),
        greeting="" if both else words("greeting", name=words.receiver.name),
        blocks=tuple(_BODIES[kind](words, on)),
        closing=() if both else (words("closing.1"), words("closing.2")),
        signs=(words("sign_borrower"), words("sign_creditor")) if both else (words("sign"),),
        enclosures=tuple(words(f"enclosure.{name}") for name in _ENCLOSURES.get(kind, ())),
        rules=rules,
        uncited=uncited,
        before_sending=tuple(words(f"before.{name}") for name in _BEFORE[kind]),
        creditor=words.creditor,
    )


def _points(words: Words, *names: str, **values: object) -> Points:
    return Points(tuple(words(name, **values) for name in names))


# ------------------------------------------------------------------------------------------------------- a plan offered


def _proposal(words: Words, on: date) -> Iterator[Block]:
    yield Paragraph(words("proposal.open"))
    yield _asked_table(words, "waived")
    yield _totals(words, "waived")
    yield Paragraph(words("proposal.reckoned"))
    yield from _cuts(words)
    yield Paragraph(
        words(
            "proposal.whole",
            count=sum(bool(debt.payments) for debt in words.document.debts),
            day=words.day(min(debt.payments[0].due_on for debt in words.debts)),
        )
    )
    yield from schedules(words)
    yield Paragraph(words("asks"))
    yield _points(
        words, *(f"proposal.ask.{name}" for name in ("charges", "rest", "answer", "me")), day=_answer(words, on)
    )
    yield Paragraph(words("promises"))
    yield _points(words, *_promises(words))


def _asked_table(words: Words, waived: str) -> Table:
    return debts_table(
        words,
        {
            "balance": lambda debt: debt.balance_minor,
            waived: lambda debt: debt.asked.waived_minor,
            "rate": lambda debt: words.rate(debt.asked.rate_annual),
            "months": lambda debt: str(len(debt.payments)),
            "paying": lambda debt: debt.paying_minor,
        },
    )


def _totals(words: Words, waived: str) -> Amounts:
    amounts = []
    if (balance := total(debt.balance_minor for debt in words.debts)) is not None:
        amounts.append(words.amount("balance", balance))
    if less := sum(debt.asked.waived_minor for debt in words.debts):
        amounts.append(words.amount(waived, less))
    amounts.append(words.amount("paying", sum(debt.paying_minor for debt in words.debts)))
    return Amounts(tuple(amounts))


def _cuts(words: Words) -> Iterator[Block]:
    lines = [
        words(
            "cut" if words.binds(cut.rule) else "cut_open",
            debt=words.debt(debt), amount=words.money(cut.amount_minor), component=words(f"component.{cut.component}"),
        )
        for debt in words.debts
        for cut in debt.cuts
    ]  # fmt: skip
    if lines:
        yield Paragraph(words("cuts"))
        yield Points(tuple(lines))


def _promises(words: Words) -> tuple[str, ...]:
    return ("promise.pay", *(("promise.card",) if words.cards else ()), "promise.review")


def _answer(words: Words, on: date) -> str:
    return words.day(on + timedelta(days=ANSWER_DAYS))


# -------------------------------------------------------------------------------------------------- no plan, or a doubt


def _hardship(words: Words, on: date) -> Iterator[Block]:
    document = words.document
    yield Paragraph(words("hardship.open", cause=words(f"cause.{document.cause}")))
    if document.since_on:
        yield Paragraph(words("hardship.since", day=words.day(document.since_on)))
    yield debts_table(
        words,
        {
            "balance": lambda debt: debt.balance_minor,
            "late": lambda debt: words("unknown") if debt.days_past_due is None else str(debt.days_past_due),
        },
    )
    if (balance := total(debt.balance_minor for debt in words.debts)) is not None:
        yield Amounts((words.amount("balance", balance),))
    offer = sum(debt.offer_minor or 0 for debt in words.debts)
    yield Paragraph(words("hardship.offer" if offer else "hardship.nothing"))
    if offer:
        yield Amounts((words.amount("offer", offer),))
    yield Paragraph(words("asks"))
    yield _points(
        words, "hardship.ask.months" if document.months else "hardship.ask.open", "hardship.ask.charges",
        "hardship.ask.papers", "proposal.ask.answer", "proposal.ask.me", day=_answer(words, on), months=document.months,
    )  # fmt: skip


def _dispute(words: Words, on: date) -> Iterator[Block]:
    yield Paragraph(words("dispute.open"))
    if any(_claimed(debt) is not None for debt in words.debts):
        yield debts_table(
            words,
            {
                "claimed": _claimed,
                "mine": lambda debt: words("none") if debt.disputed in ("all", "identity") else _mine(words, debt),
            },
        )
        if (claimed := total(_claimed(debt) for debt in words.debts)) is not None:
            yield Amounts((words.amount("claimed", claimed),))
    yield Points(tuple(words(f"dispute.{debt.disputed}", debt=words.debt(debt)) for debt in words.debts))
    yield from _cuts(words)
    yield Paragraph(words("asks"))
    identity = any(debt.disputed == "identity" for debt in words.debts)
    names = ("mark", "papers", *(("trail",) if identity else ()), "file", "answer")
    yield _points(words, *(f"dispute.ask.{name}" for name in names))
    if any(debt.disputed in ("amount", "fees") for debt in words.debts):
        yield Paragraph(words("dispute.rest"))


def _claimed(debt: Debt) -> int | None:
    """What the creditor states."""
    return debt.balance_minor if debt.claimed_minor is None else debt.claimed_minor


def _mine(words: Words, debt: Debt) -> str:
    """What the borrower reckons: known only where the creditor's own claim is told apart from it."""
    if debt.claimed_minor is None or debt.balance_minor is None:
        return words("unknown")
    return words.cell(debt.balance_minor)


def _statement(words: Words, on: date) -> Iterator[Block]:
    yield Paragraph(words("statement.open"))
    yield debts_table(words, {})
    yield Paragraph(words("asks"))
    yield _points(words, *(f"statement.ask.{name}" for name in ("parts", "payments", "price", "contract", "holder")))
    yield Paragraph(words("statement.reserve"))


# -------------------------------------------------------------------------------------------------------------- endings


def _settlement(words: Words, on: date) -> Iterator[Block]:
    yield Paragraph(words("settlement.open"))
    settle = sum(debt.settle_minor or 0 for debt in words.debts)
    columns = {"balance": lambda debt: debt.balance_minor, "settle": lambda debt: debt.settle_minor}
    yield debts_table(words, columns)
    amounts = [words.amount("settle", settle)]
    if (balance := total(debt.balance_minor for debt in words.debts)) is not None and balance > settle:
        amounts.append(words.amount("rest", balance - settle))
    yield Amounts(tuple(amounts))
    yield from _cuts(words)
    days = [debt.settle_on for debt in words.debts if debt.settle_on]
    yield Paragraph(words("settlement.day", day=words.day(min(days)) if days else _answer(words, on)))
    yield Paragraph(words("settlement.source"))
    yield Paragraph(words("asks"))
    yield _points(words, *(f"settlement.ask.{name}" for name in ("word", "account", "paper", "file")))
    yield Paragraph(words("settlement.reserve"))


def _acceptance(words: Words, on: date) -> Iterator[Block]:
    """The agreement itself, with the contents that CN-CARD-070 prescribes for cards and that serve any lender."""
    yield Paragraph(words("acceptance.open", creditor=words.receiver.name))
    yield Paragraph(words("acceptance.owed", day=words.day(on)), heading=True)
    yield components_table(words)
    yield _totals(words, "waived_agreed")
    yield Paragraph(words("acceptance.pay"), heading=True)
    yield from schedules(words)
    yield Paragraph(words("acceptance.how"))
    yield Paragraph(words("acceptance.charges"), heading=True)
    yield Points(tuple(_charges(words, debt) for debt in words.debts))
    if waived := sum(debt.asked.waived_minor for debt in words.debts):
        yield Paragraph(words("acceptance.waived", amount=words.money(waived)))
    yield Paragraph(words("acceptance.promise"), heading=True)
    yield _points(words, *_promises(words), you=words("you.creditor"))
    yield Paragraph(words("acceptance.rights"), heading=True)
    yield _points(words, *(f"acceptance.right.{name}" for name in ("rest", "early", "breach", "change")))
    yield Paragraph(words("acceptance.other"), heading=True)
    yield _points(words, "acceptance.other.paper", "acceptance.other.copies")


def _charges(words: Words, debt: Debt) -> str:
    rate = debt.asked.rate_annual
    key = "contract" if rate is None else "rate" if rate else "free"
    return words(f"acceptance.{key}", debt=words.debt(debt), **({"rate": words.rate(rate)} if rate else {}))


def _completion(words: Words, on: date) -> Iterator[Block]:
    yield Paragraph(words("completion.open"))
    yield debts_table(
        words,
        {
            "paid": lambda debt: debt.paid_minor,
            "cleared": lambda debt: words.day(debt.cleared_on) if debt.cleared_on else words("unknown"),
        },
    )
    if paid := total(debt.paid_minor for debt in words.debts):
        yield Amounts((words.amount("paid", paid),))
    yield Paragraph(words("asks"))
    yield _points(words, *(f"completion.ask.{name}" for name in ("paper", "file", "security", "stop")))


# ------------------------------------------------------------------------------------------------------------- overview


def _overview(document: Document, parties: Parties, language: Language, on: date) -> list[Letter]:
    """The plan on paper for the one who pays it: all creditors, then month by month."""
    paying = tuple(debt for debt in document.debts if debt.payments)
    if not paying:
        return []
    words = Words(document, parties, language, paying, "")
    of: dict[str, dict[date, int]] = {}
    for debt in paying:
        months = of.setdefault(debt.creditor, {})
        for pay in debt.payments:
            months[pay.due_on] = months.get(pay.due_on, 0) + pay.amount_minor
    tables = matrix(words, of)
    blocks: list[Block] = [Paragraph(words("overview.open")), _creditors(words, of), _totals(words, "waived")]
    for part, table in enumerate(tables, 1):
        name = "overview.months" if len(tables) == 1 else "overview.months_part"
        blocks += [
            Paragraph(words(name, **({"part": part, "parts": len(tables)} if len(tables) > 1 else {})), True),
            table,
        ]
    names = ("held", "review", "never", *(("call",) if document.jurisdiction.startswith("CN") else ()))
    blocks.append(_points(words, *(f"overview.{name}" for name in names)))
    return [
        Letter(
            kind="overview", language=language, on=on, sender=parties.borrower, receiver=parties.borrower,
            title=words("title.overview"), greeting="", blocks=tuple(blocks), closing=(), signs=(),
        )
    ]  # fmt: skip


def _creditors(words: Words, of: Mapping[str, Mapping[date, int]]) -> Table:
    rows = []
    for creditor, paid in of.items():
        debts = [debt for debt in words.debts if debt.creditor == creditor]
        balance, all_paid = total(debt.balance_minor for debt in debts), sum(paid.values())
        waived = sum(debt.asked.waived_minor for debt in debts)
        rows.append(
            (
                words.party(creditor).name,
                words("unknown") if balance is None else words.cell(balance),
                words.cell(waived),
                words.cell(all_paid),
                words.day(max(paid)),
            )
        )
    heads = tuple(words(f"head.{name}") for name in ("creditor", "balance", "waived", "paying", "last"))
    return Table(heads, tuple(rows), (1, 2, 3, 4))


_BODIES: dict[Kind, Callable[[Words, date], Iterator[Block]]] = {
    "proposal": _proposal,
    "hardship": _hardship,
    "dispute": _dispute,
    "statement": _statement,
    "settlement": _settlement,
    "acceptance": _acceptance,
    "completion": _completion,
}
