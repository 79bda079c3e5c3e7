"""A lender of three columns with a known truth, and a small scorecard for it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.frame import frame
from evenkeel.scoring.scorecard import Feature, Pair, Scorecard

REGIONS = ("north", "south", "west")


def applicants(
    rows: int, seed: int, *, shift: float = 0.0, risk: float = 0.0
) -> tuple[pa.Table, npt.NDArray[np.bool_], npt.NDArray[np.float64]]:
    """Columns, outcomes and true probabilities. shift: moves utilisation; risk: moves the ln odds of everybody."""
    rng = np.random.default_rng(seed)
    utilisation = np.clip(rng.beta(2, 3, rows) + shift, 0, 1)
    income = np.exp(rng.normal(8.5, 0.5, rows))
    region = rng.choice(REGIONS, rows, p=[0.5, 0.3, 0.2])
    late = np.where(rng.random(rows) < 0.05, 98.0, rng.poisson(0.4, rows))
    log_odds = -3.4 + 2.6 * utilisation - 0.8 * (np.log(income) - 8.5) + 0.4 * (region == "west") + risk
    log_odds = log_odds + np.where(late == 98, 1.0, 0.5 * late)
    p = sigmoid(log_odds)
    income[rng.random(rows) < 0.04] = np.nan
    columns = frame({"utilisation": utilisation, "income": income, "region": list(region), "late": late})
    return columns, rng.random(rows) < p, p


FEATURES = (
    Feature("utilisation", "utilisation", np.array([0.2, 0.35, 0.5, 0.65]), trend=1),
    Feature("income", "income", np.array([3500.0, 5000.0, 7500.0]), trend=-1),
    Feature("region", "region", levels=REGIONS),
    Feature("late", "late", np.array([1.0, 2.0]), specials=(98.0,)),
)


def card(seed: int = 1, rows: int = 20_000, *, features: tuple[Feature, ...] = FEATURES, **facts: Any) -> Scorecard:
    """A scorecard whose tables are the ln odds of each bin against the mean, all of them shrunk a little."""
    columns, bad, _ = applicants(rows, seed)
    overall = float(np.log(bad.mean() / (1 - bad.mean())))
    tables, goods, bads = [], [], []
    for feature in features:
        codes = feature.codes(columns[feature.name])
        lost = np.bincount(codes[bad], minlength=feature.size).astype(float)
        kept = np.bincount(codes[~bad], minlength=feature.size).astype(float)
        table = 0.9 * (np.log((lost + 1) / (kept + 1 / bad.mean() - 1)) - overall)
        tables.append(table - np.average(table, weights=lost + kept))
        goods.append(kept)
        bads.append(lost)
    names = [feature.name for feature in features]
    pairs: tuple[Pair, ...] = ()
    if {"utilisation", "region"} <= set(names):
        first, second = names.index("utilisation"), names.index("region")
        values = np.array([[0.05, -0.04, 0.0], [-0.06, 0.08, 0.02]])
        pairs = (Pair(first, second, np.array([0, 0, 0, 1, 1, 1], np.int32), np.array([0, 1, 2, 0, 0], np.int32),
                      values, np.ones((2, 3)) * rows / 6),)  # fmt: skip
    made = Scorecard("woe", overall, features, tuple(tables), tuple(goods), tuple(bads), pairs)
    scores = made.score(columns)
    edges = np.quantile(scores, np.arange(1, 10) / 10)
    shares = np.bincount(np.searchsorted(edges, scores, side="right"), minlength=10) / rows
    known = {
        "target": "bad", "rows": rows, "bads": int(bad.sum()), "seed": seed, "columns": names,
        "data_sha256": f"{seed:064d}", "code_version": "0.1.0", "trained_on": "2024-01-31",
        "guards": [], "overrides": [],
        "score_edges": edges.tolist(), "score_shares": shares.tolist(),
        "performance": {"auc": 0.75, "auc_low": 0.74, "auc_high": 0.76},
    }  # fmt: skip
    return Scorecard(
        "woe", overall, features, tuple(tables), tuple(goods), tuple(bads), pairs, facts={**known, **facts}
    )
