"""The default book's marginals are the published ones, and the documentation says what they are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from evenkeel.book.generator import GeneratorSpec, generate
from evenkeel.book.generator.marginals import Marginal, marginals

DOCUMENT = Path(__file__).parents[2] / "docs" / "marginals.md"
MUST_HOLD = (1, 2, 3, 4, 5, 11, 12)


@pytest.fixture(scope="module")
def found() -> list[Marginal]:
    return marginals(generate(GeneratorSpec(borrowers=20_000, months=24, seed=1)))


def test_the_must_have_marginals_of_the_default_book_lie_within_their_tolerance(found: list[Marginal]) -> None:
    outside = [(m.row, m.name, m.value) for m in found if m.row in MUST_HOLD and not m.within]
    assert outside == []


def test_the_document_states_each_target_beside_what_the_book_gives(found: list[Marginal]) -> None:
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.read_text("utf-8").splitlines()]
    stated = {row[1]: row for row in cells if len(row) == 7 and re.fullmatch(r"\d+", row[0])}
    assert set(stated) == {m.name for m in found}
    for m in found:
        row, _, target, tolerance, source, small, _ = stated[m.name]
        assert (int(row), source) == (m.row, m.source)
        assert (float(target.replace(",", "")), float(tolerance.replace(",", ""))) == (m.target, m.tolerance)
        assert float(small.replace(",", "").rstrip("*")) == pytest.approx(m.value, rel=0.02, abs=0.0006)


@pytest.mark.prove
@pytest.mark.parametrize("seed", [1, 2])
def test_the_must_have_marginals_hold_in_a_large_book_of_any_seed(seed: int) -> None:
    spec = GeneratorSpec(borrowers=100_000, months=24, seed=seed)
    assert [(m.row, m.name, m.value) for m in marginals(generate(spec)) if m.row in MUST_HOLD and not m.within] == []
