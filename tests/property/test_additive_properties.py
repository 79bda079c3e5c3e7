"""Directions that hold between any two rows, and tables of any kind that fit, add up and come back from a file."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.measures.calibration import Platt
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.additive import centred, fit_additive
from evenkeel.scoring.cutting import candidates_of, fine_edges
from evenkeel.scoring.frame import frame, numbers
from evenkeel.scoring.scorecard import Scorecard, from_document
from evenkeel.scoring.woe import fit_woe

PAIRS = 10_000
Data = tuple[pa.Table, np.ndarray, dict[str, int]]


def crossed(rows: int = 4000) -> Data:
    """Risk rises with both features and most where both are high: a pair with two directions."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(4, rows))
    bad = rng.random(rows) < sigmoid(-2 + x[0] * (x[1] > 0) + np.maximum(x[1], 0) + 0.8 * (x[2] > 0) * (x[0] > 0))
    return frame({f"x{place}": x[place] for place in range(4)}), bad, {"x0": 1, "x1": 1}


def against(rows: int = 4000) -> Data:
    """The data say the reverse of what is asked for, in waves."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, rows)).round(1)
    bad = rng.random(rows) < sigmoid(-1 - x[0] + np.sin(4 * x[1]) + x[0] * x[2])
    return frame({f"x{place}": x[place] for place in range(3)}), bad, {"x0": 1, "x1": -1, "x2": 1}


def gapped(rows: int = 3000) -> Data:
    """Missing values and few distinct ones; a direction on a count and on a share."""
    rng = np.random.default_rng(2)
    count, share = rng.poisson(0.4, rows).astype(float), rng.beta(0.5, 0.5, rows)
    share[rng.random(rows) < 0.3] = np.nan
    place = rng.choice(["n", "s"], rows)
    bad = rng.random(rows) < sigmoid(-2 + count + np.nan_to_num(share) * (place == "n"))
    return frame({"count": count, "share": share, "place": place}), bad, {"count": 1, "share": -1}


def uci(shared: Path) -> Data:
    table = pq.read_table(shared / "data" / "uci_credit_card_30000.parquet").slice(3000, 6000)
    columns = frame(table.drop_columns(["ID", "default"]))
    return columns, table["default"].to_numpy() == 1, {"PAY_0": 1, "PAY_2": 1, "LIMIT_BAL": -1}


def gmsc(shared: Path) -> Data:
    table = pq.read_table(shared / "data" / "give_me_some_credit_150000.parquet").slice(9000, 10_000)
    directions = {"RevolvingUtilizationOfUnsecuredLines": 1, "NumberOfTimes90DaysLate": 1, "age": -1}
    return frame(table.drop_columns(["SeriousDlqin2yrs"])), table["SeriousDlqin2yrs"].to_numpy() == 1, directions


def risen(table: pa.Table, directions: dict[str, int], seed: int) -> tuple[pa.Table, pa.Table]:
    """Pairs of rows that differ in the directed features alone, each moved towards more risk or not at all."""
    rng = np.random.default_rng(seed)
    low = table.take(pa.array(rng.integers(0, table.num_rows, PAIRS)))
    columns = {}
    for name in table.column_names:
        if name not in directions:
            columns[name] = low[name]
            continue
        here, pool = numbers(low[name]), numbers(table[name])
        there = rng.choice(np.concatenate((pool[~np.isnan(pool)], [-1e308, 1e308, -np.inf, np.inf])), PAIRS)
        moved = np.maximum(here, there) if directions[name] > 0 else np.minimum(here, there)
        columns[name] = pa.array(np.where(rng.random(PAIRS) < 0.7, moved, here), from_pandas=True)
    return low, pa.table(columns)


def assert_never_falls(card: Scorecard, table: pa.Table, directions: dict[str, int]) -> None:
    low, high = risen(table, directions, 7)
    rise = card.log_odds(high) - card.log_odds(low)
    assert (rise >= 0).all(), f"{(rise < 0).sum()} of {PAIRS} pairs fall, by up to {-rise.min():.3g}"
    assert (rise > 0).mean() > 0.1


@pytest.mark.parametrize("made", [crossed, against, gapped])
def test_directions_hold_between_any_two_rows(made: object) -> None:
    table, bad, directions = made()  # type: ignore[operator]
    card = fit_additive(table, bad, candidates_of(table, directions))
    if made is not against:
        assert any(card.features[pair.first].trend or card.features[pair.second].trend for pair in card.pairs)
        assert_never_falls(card, table, directions)
    low, high = risen(table, directions, 8)
    for same in (card, from_document(json.loads(json.dumps(card.document()))), card.recalibrated(Platt(0.2, 0.7))):
        assert (same.log_odds(high) >= same.log_odds(low)).all()


@pytest.mark.parametrize("made", [uci, gmsc])
def test_directions_hold_on_real_data_also_from_a_file(made: object, shared: Path) -> None:
    table, bad, directions = made(shared)  # type: ignore[operator]
    card = fit_additive(table, bad, candidates_of(table, directions))
    assert sum(feature.trend != 0 for feature in card.features) == 3 and card.pairs
    assert_never_falls(card, table, directions)
    assert_never_falls(from_document(json.loads(json.dumps(card.document()))), table, directions)


@pytest.mark.parametrize("made", [crossed, gapped])
def test_directions_hold_in_the_classical_scorecard(made: object) -> None:
    table, bad, directions = made()  # type: ignore[operator]
    assert_never_falls(fit_woe(table, bad, candidates_of(table, directions)), table, directions)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(12))
def test_directions_hold_whatever_the_data(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, width = int(rng.integers(200, 9000)), int(rng.integers(2, 8))
    x = rng.normal(size=(rows, width)).round(int(rng.integers(0, 4)))
    bad = rng.random(rows) < sigmoid(rng.normal() + x @ rng.normal(size=width) + x[:, 0] * x[:, 1] * rng.normal())
    if len(np.unique(bad)) < 2:
        bad[0] = not bad[0]
    table = frame(x)
    directions = {f"x{place}": int(rng.choice([-1, 1])) for place in range(min(width, 3))}
    card = fit_additive(table, bad, candidates_of(table, directions), seed=seed)
    low, high = risen(table, directions, seed)
    assert (card.log_odds(high) >= card.log_odds(low)).all()


@st.composite
def samples(draw: st.DrawFn) -> tuple[pa.Table, np.ndarray]:
    """Small tables of odd columns, and outcomes of both kinds."""
    rows = draw(st.integers(2, 60))
    odd = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, -1.0, 1e308, -1e308, 5e-324]))
    texts = st.one_of(st.none(), st.text(max_size=2), st.sampled_from(["a", "b"]))
    columns = {}
    for place in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            columns[f"x{place}"] = pa.array(draw(st.lists(odd, min_size=rows, max_size=rows)), pa.float64())
        else:
            columns[f"x{place}"] = pa.array(draw(st.lists(texts, min_size=rows, max_size=rows)), pa.string())
    bad = np.array(draw(st.lists(st.booleans(), min_size=rows, max_size=rows)))
    bad[0], bad[1] = True, False
    return frame(pa.table(columns)), bad


@settings(max_examples=12, deadline=None)
@given(samples())
def test_any_table_fits_adds_up_and_comes_back(drawn: tuple[pa.Table, np.ndarray]) -> None:
    table, bad = drawn
    for fit in (fit_additive, fit_woe):
        card = fit(table, bad, candidates_of(table))
        log_odds = card.log_odds(table)
        assert np.isfinite(log_odds).all()
        _, points = card.contributions(table)
        np.testing.assert_array_equal(card.base_points + points.sum(axis=1), card.score(table))
        again = from_document(json.loads(json.dumps(card.document(), allow_nan=False)))
        assert again.version == card.version
        np.testing.assert_array_equal(again.log_odds(table), log_odds)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.one_of(st.floats(allow_nan=False), st.integers(0, 3).map(float)), min_size=1, max_size=80),
    st.integers(1, 12),
)
def test_fine_edges_cut_into_bins_that_are_not_empty(values: list[float], most: int) -> None:
    x = np.array(values)
    edges = fine_edges(x, np.ones(len(x)), most)
    assert (np.diff(edges) > 0).all() and len(edges) < most
    assert set(edges) <= set(values)
    counts = np.bincount(np.searchsorted(edges, x, side="right"), minlength=len(edges) + 1)
    assert (counts > 0).all()
    distinct = len(np.unique(x))
    if distinct <= most:
        assert len(edges) == distinct - 1


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1), st.floats(0, 1))
def test_centring_takes_nothing_away(rows: int, across: int, seed: int, empty: float) -> None:
    rng = np.random.default_rng(seed)
    values, weights = rng.normal(size=(rows, across)), rng.random((rows, across)) * (rng.random((rows, across)) > empty)
    pair, first, second = centred(values, weights)
    np.testing.assert_allclose(pair + first[:, None] + second[None, :], values, atol=1e-9)
