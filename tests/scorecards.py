"""Scorecards made by hand or by chance, and rows of every odd kind for them."""

from typing import Any

import numpy as np
import pyarrow as pa

from evenkeel.scoring.scorecard import STANDARD, Feature, Pair, Scaling, Scorecard

ODD = (float("nan"), float("inf"), float("-inf"), 1e308, -1e308, 0.0, -0.0, 5e-324, 2.0**53)


def card_of(features: list[Feature], tables: list[Any], pairs: tuple[Pair, ...] = (), **more: Any) -> Scorecard:
    """A scorecard of ln odds; 10 goods and 2 bads in every code."""
    arrays = tuple(np.array(table, np.float64) for table in tables)
    goods = tuple(np.full(len(table), 10.0) for table in arrays)
    bads = tuple(np.full(len(table), 2.0) for table in arrays)
    return Scorecard("test", more.pop("intercept", -2.0), tuple(features), arrays, goods, bads, pairs, **more)


def random_card(
    seed: int,
    features: int = 6,
    bins: int = 5,
    pairs: int = 3,
    names: list[str] | None = None,
    levels: list[str] | None = None,
    scaling: Scaling = STANDARD,
) -> Scorecard:
    """Every third feature is of texts, every fourth has special values."""
    rng = np.random.default_rng(seed)
    names = names or [f"x{place}" for place in range(features)]
    levels = levels or [f"level {place}" for place in range(bins)]
    made = []
    for place, name in enumerate(names):
        if place % 3 == 2:
            made.append(Feature(name, f"concept {place % 5}", levels=tuple(levels)))
        else:
            edges = np.unique(rng.normal(size=bins - 1).round(rng.integers(1, 17)))
            made.append(Feature(name, f"concept {place % 5}", edges, None, (-9.0, -8.5) if place % 4 == 1 else ()))
    tables = [rng.normal(size=feature.size) for feature in made]
    couples = [(int(a), int(b)) for a, b in (rng.permutation(len(made))[:2] for _ in range(pairs))]
    joined = tuple(_pair(rng, made, a, b) for a, b in dict.fromkeys(map(tuple, map(sorted, couples))))
    return card_of(made, tables, joined, scaling=scaling)


def _pair(rng: np.random.Generator, features: list[Feature], first: int, second: int) -> Pair:
    groups = [_groups(rng, features[place].size) for place in (first, second)]
    shape = tuple(int(group.max()) + 1 for group in groups)
    return Pair(first, second, groups[0], groups[1], rng.normal(size=shape), np.ones(shape))


def _groups(rng: np.random.Generator, size: int) -> np.ndarray:
    drawn = rng.integers(0, min(size, 12), size)
    return np.unique(drawn, return_inverse=True)[1].astype(np.int32)


def rows_for(card: Scorecard, rows: int, seed: int = 0) -> pa.Table:
    """Values of a scorecard's columns: usual, on every edge and beside it, special, odd, unseen and missing ones."""
    rng = np.random.default_rng(seed)
    columns = {}
    for feature in card.features:
        if feature.levels is not None:
            pool = [*feature.levels, "never seen", "", "'", None]
            columns[feature.name] = pa.array([pool[place] for place in rng.integers(0, len(pool), rows)], pa.string())
            continue
        beside = [np.nextafter(feature.edges, towards) for towards in (-np.inf, np.inf)]
        pool = np.concatenate([feature.edges, *beside, feature.specials, ODD])
        values = np.where(rng.random(rows) < 0.5, rng.normal(size=rows), rng.choice(pool, rows))
        columns[feature.name] = pa.array(values, mask=rng.random(rows) < 0.05)
    return pa.table(columns)
