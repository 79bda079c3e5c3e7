"""A purchase before it is confirmed: what would be decided now, what it costs in every way to pay it, and the month."""

from __future__ import annotations

from datetime import date

import msgspec

from evenkeel.decisions import record
from evenkeel.decisions.cost import Pricing
from evenkeel.decisions.engine import situation
from evenkeel.decisions.exposure import INCOME_MONTHS
from evenkeel.decisions.requests import Cost, Decision
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import LANGUAGES, Texts, texts


def previewed(decision: Decision, row: situation.Row, pricing: Pricing, income_minor: int | None) -> Decision:
    """What a decision tells as a preview: not on record, nothing held. income_minor: a month's, None if not known."""
    cost = decision.cost
    if cost is not None:
        line, amount = record.line_of(row), decision.amount_minor
        minimum, instalments = pricing.by_minimum(line, amount), pricing.offers(line, amount)
        cost = msgspec.structs.replace(
            cost, by_minimum=minimum, by_instalments=instalments, income_minor=income_minor
        )  # fmt: skip
        currency = pricing.product.currency
        cost = msgspec.structs.replace(cost, text={name: in_words(cost, currency, texts(name)) for name in LANGUAGES})
    return msgspec.structs.replace(decision, decision_id=None, hold_id=None, hold_expires_on=None, cost=cost)


def in_words(cost: Cost, currency: str, say: Texts) -> str:
    """A cost and what it does to the month, in one line."""

    def money(minor: int) -> str:
        return str(Money(minor, currency))

    parts = ways_in_words(cost, currency, say)
    owed = {
        "before": money(cost.owed_before_minor), "after": money(cost.owed_after_minor), "due": cost.due_on.isoformat()
    }  # fmt: skip
    if cost.income_minor:
        share = f"{100 * cost.owed_after_minor / cost.income_minor:.0f}"
        parts.append(say("purchase.month_of_income", share=share, **owed))
    else:
        parts.append(say("purchase.month", **owed))
    return say("purchase.gap").join(parts)


def ways_in_words(cost: Cost, currency: str, say: Texts) -> list[str]:
    """What each way to pay costs, a sentence each: in full, by minimums, in instalments."""

    def money(minor: int) -> str:
        return str(Money(minor, currency))

    due, amount = cost.due_on.isoformat(), money(cost.owed_after_minor - cost.owed_before_minor)
    full = "purchase.full" if cost.cost_minor else "purchase.free"
    parts = [say(full, amount=amount, due=due, cost=money(cost.cost_minor))]
    least = cost.by_minimum
    if least is not None and least.months is None:
        parts.append(say("purchase.minimum_never", first=money(least.first_minor), cost=money(least.cost_minor)))
    elif least is not None and least.months is not None and least.months > 1:
        parts.append(
            say("purchase.minimum", first=money(least.first_minor), months=least.months, cost=money(least.cost_minor))
        )
    if cost.by_instalments:
        listed = say("purchase.and").join(
            say("purchase.offer", count=one.instalments, monthly=money(one.monthly_minor), cost=money(one.cost_minor))
            for one in cost.by_instalments
        )
        parts.append(say("purchase.instalments", listed=listed))
    return parts


def income_window(day: int) -> tuple[date, date]:
    """The whole months in which income is looked for, before the month of a day (ordinal): the first day, and the first
    day after them."""
    until = date.fromordinal(day).replace(day=1)
    first = until.year * 12 + until.month - 1 - INCOME_MONTHS
    return date(first // 12, first % 12 + 1, 1), until
