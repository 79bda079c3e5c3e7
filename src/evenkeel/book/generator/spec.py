"""What a generated book is asked to be, and the clock of its months."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from evenkeel.kernel.calendar import month_number
from evenkeel.kernel.errors import InvalidInput

# Months simulated before the book begins, so that its first month already has arrears of every age.
WARM_UP: Final = 9
BORROWERS_LIMIT: Final = 5_000_000
MONTHS_LIMIT: Final = 120


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """borrowers: how many, the story's household among them; months: length of the book; end_month: its last.

    The same spec gives the same bytes. purchases: also one event for each single purchase.
    """

    borrowers: int
    months: int
    seed: int
    end_month: str = "2024-12"
    purchases: bool = False

    def __post_init__(self) -> None:
        if not 1 <= self.borrowers <= BORROWERS_LIMIT:
            raise InvalidInput(f"{self.borrowers} borrowers cannot be generated.", f"Ask for 1 to {BORROWERS_LIMIT:,}.")
        if not 1 <= self.months <= MONTHS_LIMIT:
            raise InvalidInput(f"{self.months} months cannot be generated.", f"Ask for 1 to {MONTHS_LIMIT}.")
        if not 0 <= self.seed < 2**63:
            raise InvalidInput(f"The seed {self.seed} is out of range.", "Give a whole number from 0 to 2^63 - 1.")
        month_number(self.end_month)

    @property
    def steps(self) -> int:
        """Simulated months, warm-up included; step WARM_UP is the book's first month."""
        return WARM_UP + self.months

    @property
    def first_step_month(self) -> int:
        """The month number of step 0."""
        return month_number(self.end_month) - self.steps + 1

    def random(self, *stream: int) -> np.random.Generator:
        """A generator of its own for each named stream of chance."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, *stream])))


# Streams of chance, so that adding draws to one part leaves the others as they were.
PEOPLE, LINES, MONTHS, EVIDENCE, PURCHASES = range(5)
