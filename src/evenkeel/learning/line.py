"""The line of a moment on a line of credit: at a purchase and on the day before a bill, by the same sentences."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

from evenkeel.accounts.products.model import Product
from evenkeel.decisions.preview import in_words, ways_in_words
from evenkeel.decisions.requests import Cost
from evenkeel.kernel.text import texts
from evenkeel.learning.figures import by_minimum


def purchase_line(cost: Cost, currency: str, language: str) -> str:
    """What a purchase costs in every way to pay it and what it does to the month, in one line. cost: of a preview."""
    return in_words(cost, currency, texts(language))


def bill_line(
    product: Product, bill_minor: int, on: date, language: str, rate_annual: Fraction | None = None
) -> str:  # fmt: skip
    """What the next bill after `on` costs in every way to pay it, in one line. rate_annual: the line's own.

    By minimums it is what `figures.by_minimum` says: at least that.
    """
    bill = by_minimum(product, bill_minor, on, rate_annual)
    cost = Cost(bill.due_on, 0, bill_minor, bill.full_minor, bill.least)
    return texts(language)("purchase.gap").join(ways_in_words(cost, product.currency, texts(language)))
