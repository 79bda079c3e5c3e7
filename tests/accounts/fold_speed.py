"""How long folding an account of 60 months takes in plain Python: `python tests/accounts/fold_speed.py`."""

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from fractions import Fraction
from random import Random
from statistics import median

from histories import random_product

from evenkeel.accounts.allocation import Allocation
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.facts import AccountFact, read_fact
from evenkeel.accounts.line.fold import fold_line
from evenkeel.accounts.line.rules import line_rules
from evenkeel.accounts.products.model import Cycle, Grace, LineTerms, Minimum, Product, RateStep, Tolerance
from evenkeel.accounts.words import Segment

MONTHS = 60
LAST_DAY = date(2023, 12, 31)


def card() -> Product:
    """An ordinary card: a hundredth asked, full-amount charging."""
    return replace(
        random_product(Random(0)),
        day_count=DayCount.ACT_365,
        rates=(RateStep(Segment.PURCHASE, date(1900, 1, 1), Fraction("0.1825")),),
        allocation=Allocation(),
        excess_by_rate=False,
        tolerance=Tolerance(),
        fees={},
        charge_off_days=None,
        cost_cap_annual=None,
        line=LineTerms(Cycle(1, 20, None), Minimum(Fraction(1, 100), 0), Grace.FULL_AMOUNT),
    )


def sixty_months(*, paying: bool = True) -> list[AccountFact]:
    """One purchase and one payment a month, from January 2019 to December 2023; without payments it is late from the
    second bill on."""
    said: list[dict[str, object]] = [{"kind": "opened", "effective_on": "2019-01-02", "product": "card"}]
    said.append({"kind": "purchase", "effective_on": "2019-01-05", "amount_minor": 3_000_000})
    for month in range(MONTHS):
        day = date(2019 + month // 12, month % 12 + 1, 18)
        said.append({"kind": "payment", "effective_on": day.isoformat(), "amount_minor": 80_000 if paying else 1})
    return [read_fact({"fact_id": f"f{place}", **fields}) for place, fields in enumerate(said)]


def fold_milliseconds(facts: Sequence[AccountFact], repeats: int = 100) -> float:
    """The median of many folds."""
    rules, times = line_rules(card()), []
    for _ in range(repeats):
        begin = time.perf_counter()
        fold_line(rules, facts, LAST_DAY)
        times.append(1000 * (time.perf_counter() - begin))
    return median(times)


if __name__ == "__main__":
    for name, paying in (("paid every month", True), ("late from the start", False)):
        sys.stdout.write(f"{MONTHS} months, {name}: {fold_milliseconds(sixty_months(paying=paying)):.2f} ms\n")
