"""The additive scorecard: the mean of two estimates and nothing besides, the same bytes each time, directions exact."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring import additive
from evenkeel.scoring.additive import AdditiveSettings, bins_for, centred, fit_additive
from evenkeel.scoring.cutting import Candidate, candidates_of
from evenkeel.scoring.export import to_python, to_sql
from evenkeel.scoring.frame import frame
from evenkeel.scoring.reasons import reasons
from evenkeel.scoring.scorecard import Scorecard, from_document


def sample(seed: int = 0, rows: int = 4000) -> tuple[pa.Table, np.ndarray]:
    """Columns of every kind; risk rises with `a`, falls with `b`, steps at a code and at some pairs of `b` and kind."""
    rng = np.random.default_rng(seed)
    a, b, noise = rng.normal(size=(3, rows))
    kind = rng.choice(["low", "mid", "high", "rare"], rows, p=[0.5, 0.3, 0.198, 0.002])
    whole = rng.integers(0, 12, rows).astype(float)
    whole[rng.random(rows) < 0.1] = -99.0
    effect = np.select([kind == "low", kind == "mid"], [-0.8, 0.0], 0.9)
    log_odds = -2 + a - 0.7 * b + effect + 1.5 * (whole == -99) + 1.2 * (b > 0) * (kind == "mid")
    table = frame(
        {
            "a": pa.array(a, mask=rng.random(rows) < 0.1),
            "b": np.round(b, 1),
            "kind": kind,
            "whole": whole,
            "noise": noise,
            "flag": b > 1,
        }
    )
    return table, rng.random(rows) < sigmoid(log_odds)


def offered(table: pa.Table) -> list[Candidate]:
    return candidates_of(table, {"a": 1, "b": -1}, {"whole": [-99]})


@pytest.fixture(scope="module")
def fitted() -> tuple[Scorecard, pa.Table, np.ndarray]:
    table, bad = sample()
    return fit_additive(table, bad, offered(table)), table, bad


Fitted = tuple[Scorecard, pa.Table, np.ndarray]


def test_the_tables_are_the_mean_of_the_two_estimates_and_nothing_besides(monkeypatch: pytest.MonkeyPatch) -> None:
    halves: dict[str, Any] = {"trees": []}
    smooth = additive._smooth

    class Watched(HistGradientBoostingClassifier):  # type: ignore[misc]
        def fit(self, X: Any, y: Any, **more: Any) -> Any:  # noqa: N803
            super().fit(X, y, **more)
            halves["trees"].append(self.decision_function(X))
            return self

    def watched(columns: Any, *more: Any) -> Any:
        found, links = smooth(columns, *more)
        codes = [column.codes for column in columns] + [link.cells(columns) for link in links]
        halves["smooth"] = found.log_odds(codes[: len(found.tables)])
        return found, links

    monkeypatch.setattr("sklearn.ensemble.HistGradientBoostingClassifier", Watched)
    monkeypatch.setattr(additive, "_smooth", watched)
    table, bad = sample(3)
    card = fit_additive(table, bad, offered(table))
    assert len(card.pairs) >= 2 and any(card.features[pair.first].trend for pair in card.pairs)
    expected = (halves["smooth"] + np.mean(halves["trees"], axis=0)) / 2
    np.testing.assert_allclose(card.log_odds(table), expected, atol=1e-6)
    assert np.std(halves["smooth"] - expected) > 0.01  # the halves do differ


def test_tables_and_pairs_are_centred_on_the_training_rows(fitted: Fitted) -> None:
    card, table, _ = fitted
    for entries, goods, bads in zip(card.tables, card.goods, card.bads, strict=True):
        assert abs(np.average(entries, weights=goods + bads)) < 1e-8
    for pair in card.pairs:
        mass = pair.weights.sum()
        assert mass == pytest.approx(table.num_rows)
        for axis in (0, 1):
            assert np.abs((pair.values * pair.weights).sum(axis)).max() / mass < 1e-6
    assert abs(card.log_odds(table).mean() - card.intercept) < 1e-6


def test_a_pair_is_as_small_as_what_it_says(fitted: Fitted) -> None:
    for pair in fitted[0].pairs:
        assert (np.abs(np.diff(pair.values, axis=0)).max(axis=1) > 0).all()
        assert (np.abs(np.diff(pair.values, axis=1)).max(axis=0) > 0).all()


def test_centring_takes_nothing_away() -> None:
    rng = np.random.default_rng(0)
    values, weights = rng.normal(size=(6, 4)), rng.integers(0, 5, (6, 4)).astype(float)
    weights[2] = 0
    pair, rows, across = centred(values, weights)
    np.testing.assert_allclose(pair + rows[:, None] + across[None, :], values, atol=1e-12)
    assert np.abs((pair * weights).sum(0)).max() < 1e-4 and np.abs((pair * weights).sum(1)).max() < 1e-4


def test_the_points_of_the_tables_add_up_to_the_score(fitted: Fitted) -> None:
    card, table, _ = fitted
    codes = card.codes(table)
    parts = [points.take(code) for points, code in zip(card.points, codes, strict=True)]
    for points, pair in zip(card.pair_points, card.pairs, strict=True):
        parts.append(points[pair.first_groups[codes[pair.first]], pair.second_groups[codes[pair.second]]])
    rng = np.random.default_rng(1)
    for _ in range(4):
        total = np.full(table.num_rows, 0.0)
        for place in rng.permutation(len(parts)):
            total += parts[place]
        np.testing.assert_array_equal(total + card.base_points, card.score(table))
    _, points = card.contributions(table)
    np.testing.assert_array_equal(card.base_points + points.sum(axis=1), card.score(table))


def test_a_document_that_went_through_a_file_is_equal_in_every_byte(fitted: Fitted) -> None:
    card, table, _ = fitted
    text = json.dumps(card.document(), sort_keys=True, allow_nan=False)
    again = from_document(json.loads(text))
    assert json.dumps(again.document(), sort_keys=True, allow_nan=False) == text
    assert again.version == card.version
    np.testing.assert_array_equal(again.log_odds(table), card.log_odds(table))


def test_one_thread_and_two_give_the_same_bytes(fitted: Fitted) -> None:
    card, table, bad = fitted
    for threads in (1, 2):
        with threadpool_limits(threads):
            assert fit_additive(table, bad, offered(table)).version == card.version


def test_another_seed_is_another_model_and_the_same_seed_is_not(fitted: Fitted) -> None:
    card, table, bad = fitted
    other = fit_additive(table, bad, offered(table), seed=1)
    assert other.version != card.version
    assert fit_additive(table, bad, offered(table), seed=1).version == other.version
    assert np.corrcoef(other.log_odds(table), card.log_odds(table))[0, 1] > 0.98


def test_a_constant_column_changes_no_byte_of_what_is_said(fitted: Fitted) -> None:
    card, table, bad = fitted
    more = table.append_column("constant", pa.array(np.full(len(bad), 7.0)))
    more = more.add_column(0, "empty", pa.nulls(len(bad), pa.float64()))
    wider = fit_additive(more, bad, offered(more))
    assert wider.version == card.version
    said, before = reasons(wider, more), reasons(card, table)
    assert [said.of(row) for row in range(200)] == [before.of(row) for row in range(200)]


def test_reasons_do_not_depend_on_the_order_of_the_rows(fitted: Fitted) -> None:
    card, table, _ = fitted
    order = np.random.default_rng(2).permutation(300)
    part = table.slice(0, 300)
    said, before = reasons(card, part.take(pa.array(order))), reasons(card, part)
    assert [said.of(row) for row in range(300)] == [before.of(row) for row in order]


def test_directions_hold_in_every_table_and_special_codes_have_none(fitted: Fitted) -> None:
    card, table, _ = fitted
    base = {name: table[name].take(pa.array([5] * 400)) for name in table.column_names}
    for name, trend in (("a", 1), ("b", -1)):
        rise = np.diff(card.log_odds(pa.table({**base, name: np.linspace(-4, 4, 400)})))
        assert (trend * rise >= 0).all() and trend * rise.sum() > 0.5
    whole = next(place for place, feature in enumerate(card.features) if feature.name == "whole")
    special = card.features[whole].bins
    assert card.tables[whole][special] > card.tables[whole][:special].max()


def exclusive(seed: int, rows: int) -> tuple[pa.Table, np.ndarray]:
    """Of five features, the second and the fourth matter, together alone."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(5, rows))
    bad = rng.random(rows) < np.where((x[1] > 0) ^ (x[3] > 0), 0.3, 0.1)
    return frame({f"x{place}": x[place] for place in range(5)}), bad


def spread(card: Scorecard) -> list[float]:
    """How far each pair moves ln odds (standard deviation)."""
    return [float(np.sqrt((pair.values**2 * pair.weights).sum() / pair.weights.sum())) for pair in card.pairs]


@pytest.mark.parametrize("seed", [0, 1])
def test_a_planted_pair_is_found_first_and_says_what_was_planted(seed: int) -> None:
    table, bad = exclusive(seed, 4000)
    card = fit_additive(table, bad, candidates_of(table))
    assert (card.pairs[0].first, card.pairs[0].second) == (1, 3)
    found = spread(card)
    assert found[0] > 0.4 and max(found[1:], default=0) < 0.12
    corners = frame({f"x{place}": [0.0] * 4 if place not in (1, 3) else None for place in (0, 2, 4)}
                    | {"x1": [-1.0, -1.0, 1.0, 1.0], "x3": [-1.0, 1.0, -1.0, 1.0]})  # fmt: skip
    p = card.probability(corners)
    assert max(p[0], p[3]) < 0.17 < 0.22 < min(p[1], p[2])


def test_of_pure_noise_few_pairs_are_taken_and_they_say_next_to_nothing() -> None:
    taken, said = 0, []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        table = frame(rng.normal(size=(8000, 8)))
        card = fit_additive(table, rng.random(8000) < 0.2, candidates_of(table))
        taken += len(card.pairs)
        said += spread(card)
        assert card.log_odds(table).std() < 0.2
    assert taken / (2 * 28) < 0.3
    assert max(said, default=0.0) < 0.1


def test_pairs_can_be_left_out_and_columns_limited() -> None:
    table, bad = sample(5, 2000)
    card = fit_additive(table, bad, offered(table), settings=AdditiveSettings(most_pairs=0, most_features=3))
    assert card.pairs == ()
    names = [feature.name for feature in card.features]
    assert len(names) == 3 and "noise" not in names and names == [n for n in table.column_names if n in names]


def test_weights_of_one_change_nothing_and_a_row_of_weight_three_counts_thrice(fitted: Fitted) -> None:
    card, table, bad = fitted
    assert fit_additive(table, bad, offered(table), np.ones(len(bad))).version == card.version
    unit = np.where(bad, 3.0, 1.0)
    heavy = fit_additive(table, bad, offered(table), unit)
    np.testing.assert_allclose(heavy.log_odds(table).mean() - card.log_odds(table).mean(), np.log(3), atol=0.1)
    assert sum(part.sum() for part in (heavy.bads[0],)) == 3 * bad.sum()


def test_without_a_column_that_varies_everybody_has_the_bad_rate() -> None:
    table = frame({"one": np.ones(200), "none": [None] * 200, "id": [f"id{place}" for place in range(200)]})
    card = fit_additive(table, np.arange(200) % 4 == 0, candidates_of(table))
    assert card.features == card.pairs == ()
    np.testing.assert_allclose(card.probability(table), 0.25, atol=1e-9)
    assert reasons(card, table).of(0) == []


def test_bins_grow_with_the_rows_to_a_limit() -> None:
    counts = [bins_for(rows) for rows in (2, 1000, 10_000, 10**6, 10**9)]
    assert counts == sorted(counts) and counts[0] >= 8 and counts[-1] <= 128


# --- real data -------------------------------------------------------------------------------------------------------


REAL = {"german_1000": ("creditability", "bad"), "uci_credit_card_30000": ("default", 1)}


@pytest.fixture(scope="module", params=REAL)
def real(request: pytest.FixtureRequest, shared: Path) -> tuple[Scorecard, pa.Table]:
    """A scorecard fitted on the first rows of a data set, and all of its rows."""
    target, label = REAL[request.param]
    table = pq.read_table(shared / "data" / f"{request.param}.parquet")
    features = table.drop_columns([target, *({"ID"} & set(table.column_names))])
    columns, bad = frame(features).slice(0, 8000), table[target].to_numpy()[:8000] == label
    return fit_additive(columns, bad, candidates_of(columns)), features


def test_sql_and_python_agree_on_every_row_of_real_data(real: tuple[Scorecard, pa.Table]) -> None:
    card, table = real
    columns = frame(table)
    log_odds, score = card.log_odds(columns), card.score(columns)
    with duckdb.connect() as connection:
        connection.register("given", table.append_column("row number", pa.array(range(table.num_rows))))
        connection.execute("CREATE TABLE applications AS SELECT * FROM given")
        found = connection.sql(to_sql(card, keep=["row number"])).order('"row number"').fetchnumpy()
    np.testing.assert_allclose(found["log_odds"], log_odds, rtol=0, atol=1e-9)
    np.testing.assert_array_equal(found["score"], score)
    names: dict[str, Any] = {"__name__": "exported"}
    exec(compile(to_python(card), "exported.py", "exec"), names)  # noqa: S102
    rows = table.to_pylist()
    np.testing.assert_allclose([names["log_odds"](row) for row in rows], log_odds, rtol=0, atol=1e-9)
    np.testing.assert_array_equal([names["score"](row) for row in rows], score)


def test_a_changed_grouping_would_be_seen(fitted: Fitted) -> None:
    card, table, _ = fitted
    pair = card.pairs[0]
    turned = replace(card, pairs=(replace(pair, values=pair.values[::-1]), *card.pairs[1:]))
    assert turned.version != card.version
    assert np.abs(turned.log_odds(table) - card.log_odds(table)).max() > 0.01
