"""A simulated year of contacts without one outside the rules; see `contact_year` for who asks, `year_oracle` for who
judges. Both ways: what the oracle forbids is refused, and what it allows is allowed."""

from __future__ import annotations

import sys

import pytest
from contact_year import Tally, simulate

ONLY_CHINA = {"CN-GBT-HRS", "CN-GBT-FREQ", "CN-GBT-3P", "CN-CBA-HRS", "CN-CBA-3P", "CN-CBA-VISIT", "CN-CARD-068"}
HOUSE = {"EK-HRS", "EK-PROMISE", "EK-STOP"}


def hold(found: dict[str, Tally]) -> None:
    for place, tally in found.items():
        sys.stdout.write(f"\n{place}: {tally}\n")
        assert tally.outside == []
        # Not by a closed gate: contacts are made, and each rule has something to refuse.
        assert tally.allowed > 0.3 * tally.asked
        assert tally.made > 5 * len(tally.per_person)
        assert tally.blocked > 0.2 * tally.asked
        assert tally.lawful_from > 0.3 * tally.blocked
        assert tally.searched > 0
        spoke = set(tally.rules)
        assert spoke >= HOUSE | (ONLY_CHINA if place == "CN" else {"US-REGF-CALL"})


@pytest.mark.parametrize("seed", [1])
def test_in_a_month_nothing_outside_the_rules_is_cleared_and_nothing_inside_them_refused(seed: int) -> None:
    hold(simulate(borrowers=5_000, days=30, hours=24, seed=seed, searched=20))


@pytest.mark.prove
def test_in_a_year_nothing_outside_the_rules_is_cleared_and_nothing_inside_them_refused() -> None:
    hold(simulate(borrowers=100_000, days=365, hours=8, seed=2, searched=100))
