"""What the log never did is refused, wherever it is wanted; what it did is not."""

from __future__ import annotations

import numpy as np
import pytest

from evenkeel.measures.offpolicy import Log, NoSupport, Support, check_support


def tried(rows: int, seed: int, never: str = "") -> tuple[Log, np.ndarray, np.ndarray]:
    """A log of three actions with odds 0.5, 0.3, 0.2; (log, cells, odds). never: `high`: action 2 is not done where the
    cell is 3; `wide`: nor anywhere."""
    rng = np.random.default_rng(seed)
    cells = rng.integers(0, 4, (rows, 2))
    odds = np.tile([0.5, 0.3, 0.2], (rows, 1))
    barred = (cells[:, 0] == 3) if never == "high" else np.full(rows, never == "wide")
    odds[barred] = [0.6, 0.4, 0.0]
    action = (np.cumsum(odds, axis=1) <= rng.random(rows)[:, None]).sum(axis=1)
    return Log(action, odds[np.arange(rows), action], rng.random(rows), 3), cells, odds


def always(action: int, rows: int) -> np.ndarray:
    return np.eye(3)[np.full(rows, action)]


def test_what_was_done_everywhere_has_support_and_its_size_is_told() -> None:
    log, cells, odds = tried(4000, 1)
    found = check_support(log, always(1, 4000), cells, known_odds=odds)
    assert isinstance(found, Support)
    assert found.matched == (log.action == 1).sum() and found.effective == pytest.approx(found.matched)
    assert found.largest_weight == pytest.approx(1 / 0.3) and found.mean_weight == pytest.approx(1, abs=0.1)
    assert found.share == pytest.approx([0, 1, 0])


def test_an_action_that_was_never_done_is_refused_however_little_it_is_wanted() -> None:
    log, cells, _ = tried(500, 2, "wide")
    target = np.tile([0.5, 0.499, 0.001], (500, 1))
    found = check_support(log, target, cells)
    assert isinstance(found, NoSupport)
    assert (found.reason, found.action, found.cell, found.logged) == ("never_done", 2, None, 0)


def test_an_action_never_done_in_one_part_is_refused_with_the_part() -> None:
    log, cells, odds = tried(2000, 3, "high")
    target = np.where((cells[:, 0] == 3)[:, None], always(2, 2000), always(0, 2000))
    found = check_support(log, target, cells)
    assert isinstance(found, NoSupport)
    assert (found.reason, found.action, found.seen) == ("not_done_there", 2, 0)
    wide = check_support(log, always(2, 2000), cells)
    assert isinstance(wide, NoSupport) and wide.cell == (0, 3) and wide.seen == 0 and wide.logged == 0
    elsewhere = np.where((cells[:, 0] == 3)[:, None], always(0, 2000), always(2, 2000))
    assert isinstance(check_support(log, elsewhere, cells), Support)
    exact = check_support(log, always(2, 2000), known_odds=odds)
    assert isinstance(exact, NoSupport) and exact.wanted == (cells[:, 0] == 3).sum()


def test_odds_that_are_too_small_for_what_was_done_are_refused() -> None:
    log, cells, _ = tried(3000, 4)
    wrong = Log(log.action, np.where(log.action == 1, 0.1, log.propensity), log.outcome, 3)
    found = check_support(wrong, always(1, 3000), cells)
    assert isinstance(found, NoSupport) and (found.reason, found.action) == ("odds_too_small", 1)


def test_too_few_that_agree_are_refused() -> None:
    log, _, _ = tried(60, 5)
    found = check_support(log, always(2, 60))
    assert isinstance(found, NoSupport) and found.reason == "too_few" and found.action == -1


def test_a_log_with_support_is_hardly_ever_refused() -> None:
    refused = 0
    for seed in range(80):
        log, cells, _ = tried(400, 100 + seed)
        target = np.random.default_rng(seed).dirichlet([1, 1, 1], 400)
        refused += isinstance(check_support(log, target, cells), NoSupport)
    assert refused == 0
