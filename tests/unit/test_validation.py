"""The validation's numbers: each one against a count or a formula of its own."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from evenkeel.kernel.errors import InvalidInput
from evenkeel.measures.discrimination import share_ratio
from evenkeel.scoring.validation import FORMER, Judged, Validation, validate
from model_samples import REGIONS, applicants, card

ROWS = 6000
CARD = card()
COLUMNS, BAD, TRUE = applicants(ROWS, 5)
P = CARD.probability(COLUMNS)
RNG = np.random.default_rng(0)
MONTH = np.array([f"2024-{number:02d}" for number in RNG.integers(1, 5, ROWS)])
SEX = np.where(RNG.random(ROWS) < 0.4, "F", "M")
AGE = RNG.integers(20, 70, ROWS)
NOISY = np.clip(P * RNG.lognormal(0, 0.5, ROWS), 0, 1)


def judged(**changes: Any) -> Judged:
    return replace(Judged(COLUMNS, P, BAD, MONTH, {"sex": SEX, "age": AGE}, {"truth": TRUE}, NOISY), **changes)


@pytest.fixture(scope="module")
def found() -> Validation:
    return validate(CARD, judged(), how="A later sample.")


def test_the_measures_are_those_of_scikit_learn(found: Validation) -> None:
    area = roc_auc_score(BAD, P)
    assert found.overall.auc.value == pytest.approx(area, abs=1e-12)
    assert found.overall.gini.value == pytest.approx(2 * area - 1, abs=1e-12)
    assert found.overall.brier.value == pytest.approx(brier_score_loss(BAD, P), abs=1e-12)
    assert found.overall.log_loss.value == pytest.approx(log_loss(BAD, P), abs=1e-12)


def test_the_curve_holds_roc_ks_and_gains(found: Validation) -> None:
    curve = found.curve
    assert len(curve.rows) <= 200
    for shares in (curve.rows, curve.bads, curve.goods):
        assert shares[0] == 0 and shares[-1] == 1 and all(np.diff(shares) >= 0)
    assert np.trapezoid(curve.bads, curve.goods) == pytest.approx(found.overall.auc.value, abs=0.002)
    gap = max(b - g for b, g in zip(curve.bads, curve.goods, strict=True))
    assert gap == pytest.approx(found.overall.ks.value, abs=0.005) and gap <= found.overall.ks.value + 1e-12
    place = len(curve.rows) // 3
    riskiest = np.sort(P)[::-1][: round(curve.rows[place] * ROWS)].min()
    assert curve.bads[place] == pytest.approx(BAD[riskiest <= P].sum() / BAD.sum())


def test_the_tenths_hold_every_row_and_end_with_every_bad(found: Validation) -> None:
    assert sum(gain.rows for gain in found.gains) == ROWS
    assert found.gains[-1].capture.value == 1


def test_the_bins_of_a_feature_are_counted_from_the_rows(found: Validation) -> None:
    by_name = {feature.name: feature for feature in found.features}
    assert [f.spread for f in found.features] == sorted((f.spread for f in found.features), reverse=True)
    region = by_name["region"]
    values = np.array(COLUMNS["region"].to_pylist())
    for level, entry in zip(REGIONS, region.bins, strict=False):
        of = values == level
        assert (entry.label.text, entry.rows, entry.bads) == (level, of.sum(), BAD[of].sum())
        assert entry.expected_rate == pytest.approx(P[of].mean())
        assert entry.bad_rate.low < BAD[of].mean() < entry.bad_rate.high
    assert [entry.label.kind for entry in region.bins] == ["level", "level", "level", "other", "missing"]
    late = by_name["late"]
    assert [entry.label.kind for entry in late.bins] == ["bin", "bin", "bin", "code", "missing"]
    assert late.bins[3].points == CARD.points[3][3]
    for feature in found.features:
        assert sum(entry.share for entry in feature.bins) == pytest.approx(1)
    lost, kept = CARD.bads[2], CARD.goods[2]
    assert [e.trained_rate for e in region.bins[:3]] == pytest.approx(list(lost[:3] / (lost + kept)[:3]))


def test_the_spread_of_a_feature_is_that_of_its_points_over_the_rows(found: Validation) -> None:
    codes = CARD.codes(COLUMNS)
    for feature in found.features:
        place = [f.name for f in CARD.features].index(feature.name)
        assert feature.spread == pytest.approx(CARD.points[place].take(codes[place]).std())


def test_a_pairs_map_is_its_points_and_the_share_of_rows_in_each_cell(found: Validation) -> None:
    (pair,) = found.pairs
    assert (pair.first, pair.second) == ("utilisation", "region")
    assert pair.rows == ((0, 1, 2), (3, 4, 5)) and pair.columns == ((0, 3, 4), (1,), (2,))
    assert np.array_equal(pair.points, CARD.pair_points[0])
    high = COLUMNS["utilisation"].to_numpy() >= 0.5
    south = np.array(COLUMNS["region"].to_pylist()) == "south"
    assert pair.shares[1][1] == pytest.approx((high & south).mean())
    assert np.sum(pair.shares) == pytest.approx(1)


def test_months_are_counted_and_held_against_the_first(found: Validation) -> None:
    assert [m.month for m in found.months] == ["2024-01", "2024-02", "2024-03", "2024-04"]
    assert sum(m.rows for m in found.months) == ROWS and sum(m.bads for m in found.months) == BAD.sum()
    assert found.months[0].psi is None
    later = found.months[2]
    assert later.auc.value == pytest.approx(roc_auc_score(BAD[later.month == MONTH], P[later.month == MONTH]))
    assert later.psi is not None and later.psi_noise is not None and 0 <= later.psi.value < 2 * later.psi_noise


def test_a_month_with_other_applicants_passes_what_chance_does() -> None:
    columns, bad, _ = applicants(3000, 6)
    moved, bad_moved, _ = applicants(3000, 7, shift=0.15)
    import pyarrow as pa

    both, outcome = pa.concat_tables([columns, moved]), np.concatenate((bad, bad_moved))
    month = np.repeat(["2024-01", "2024-02"], 3000)
    result = validate(CARD, Judged(both, CARD.probability(both), outcome, month), how="x")
    last = result.months[1]
    assert last.psi is not None and last.psi_noise is not None and last.psi.low > last.psi_noise


def test_approval_impact_and_level_by_group(found: Validation) -> None:
    approved = found.cut_off >= P
    assert found.approved_share == approved.mean() >= 0.8
    sex = found.fairness[0]
    rates = {level: approved[level == SEX].mean() for level in ("F", "M")}
    assert sex.reference.text == max(rates, key=lambda name: rates[name])
    for level in sex.levels:
        of = level.label.text == SEX
        assert level.rows == of.sum() and level.bads == BAD[of].sum()
        assert level.approval_rate.value == pytest.approx(rates[level.label.text])
        assert level.impact.value == pytest.approx(rates[level.label.text] / rates[sex.reference.text])
        assert level.observed_to_expected.value == pytest.approx(BAD[of].sum() / P[of].sum())
    assert [level.impact.low for level in sex.levels if level.label == sex.reference] == [1.0]


def test_a_number_of_many_values_is_judged_in_quarters_and_what_is_not_known_apart(found: Validation) -> None:
    age = found.fairness[1]
    assert len(age.levels) == 4 and sum(level.rows for level in age.levels) == ROWS
    values = np.where(RNG.random(ROWS) < 0.1, np.nan, AGE)
    part = validate(CARD, judged(groups={"age": values, "flag": AGE > 40}), how="x").fairness
    assert part[0].levels[-1].label.kind == "missing" and part[0].levels[-1].rows == np.isnan(values).sum()
    assert [level.label.text for level in part[1].levels] == ["0", "1"]


def test_the_reference_has_two_percent_of_the_rows() -> None:
    group = np.where(np.arange(ROWS) < 30, "few", SEX)
    p = np.where(group == "few", 0.0001, P)
    attribute = validate(CARD, judged(p=p, groups={"g": group}), how="x").fairness[0]
    few = next(level for level in attribute.levels if level.label.text == "few")
    assert few.approval_rate.value == 1 and attribute.reference.text != "few" and few.impact.value > 1


@pytest.mark.parametrize(("n", "m", "one", "two"), [(400, 600, 0.7, 0.8), (60, 900, 0.4, 0.85), (200, 200, 0.97, 0.95)])
def test_the_interval_of_a_ratio_covers_it_in_95_of_100_samples(n: int, m: int, one: float, two: float) -> None:
    rng = np.random.default_rng(11)
    draws = 2000
    inside = 0
    for a, b in zip(rng.binomial(n, one, draws), rng.binomial(m, two, draws), strict=True):
        ratio = share_ratio(int(a), n, int(b), m)
        inside += ratio.low <= one / two <= ratio.high
    assert 0.93 <= inside / draws <= 0.975


def test_a_ratio_at_the_edge_of_what_is_possible_has_an_interval() -> None:
    none, every = share_ratio(0, 50, 40, 50), share_ratio(50, 50, 50, 50)
    assert none.value == none.low == 0 < none.high < 0.2
    assert every.low < 1 < every.high
    assert np.isnan(share_ratio(3, 10, 0, 10).value)


def test_challengers_are_judged_on_the_same_rows_the_former_champion_last(found: Validation) -> None:
    assert [rival.name for rival in found.benchmark] == ["truth", FORMER]
    truth = found.benchmark[0]
    assert truth.difference.value == pytest.approx(roc_auc_score(BAD, P) - roc_auc_score(BAD, TRUE))
    assert truth.difference.high < 0  # nothing beats the truth


def test_as_many_are_swapped_in_as_out_and_the_cells_hold_every_row(found: Validation) -> None:
    swap = found.swap
    assert swap is not None
    assert swap.swapped_in.rows == swap.swapped_out.rows > 0
    cells = (swap.both, swap.swapped_in, swap.swapped_out, swap.neither)
    assert sum(c.rows for c in cells) == ROWS and sum(c.bads for c in cells) == BAD.sum()
    assert swap.both.rows + swap.swapped_in.rows == round(0.8 * ROWS)
    assert swap.saved.value == pytest.approx(swap.swapped_out.bad_rate.value - swap.swapped_in.bad_rate.value)
    assert swap.bad_rate_after.value == pytest.approx((swap.both.bads + swap.swapped_in.bads) / round(0.8 * ROWS))


def test_a_model_swaps_nobody_with_itself() -> None:
    swap = validate(CARD, judged(former=P), how="x").swap
    assert swap is not None and swap.swapped_in.rows == 0 and np.isnan(swap.saved.value)


def test_the_order_of_rows_changes_nothing_where_no_p_is_equal_at_the_cut_off(found: Validation) -> None:
    order = np.random.default_rng(3).permutation(ROWS)
    turned = Judged(COLUMNS.take(order), P[order], BAD[order], MONTH[order], {"sex": SEX[order], "age": AGE[order]},
                    {"truth": TRUE[order]}, NOISY[order])  # fmt: skip
    again = validate(CARD, turned, how="A later sample.")
    assert _close(again.document(), found.document())


def _close(a: Any, b: Any) -> bool:
    """Equal but for the last digits of sums, and for who is drawn at a tie."""
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_close(a[key], b[key]) for key in a if key not in ("swap",))
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_close, a, b))
    return bool(a == pytest.approx(b, rel=1e-6, abs=1e-9)) if isinstance(a, float) else bool(a == b)


def test_without_months_groups_or_others_those_parts_are_empty() -> None:
    bare = validate(CARD, Judged(COLUMNS, P, BAD), how="x")
    assert (bare.months, bare.fairness, bare.benchmark, bare.swap) == ((), (), (), None)


def test_the_document_is_json_without_what_is_not_known(found: Validation) -> None:
    document = json.loads(json.dumps(found.document(), allow_nan=False))
    assert document["overall"]["auc"] == {name: getattr(found.overall.auc, name) for name in ("value", "low", "high")}
    assert document["facts"]["target"] == "bad" and "score_edges" not in document["facts"]
    empty = next(b for f in document["features"] for b in f["bins"] if b["rows"] == 0)
    assert empty["expected_rate"] is None and empty["bad_rate"]["value"] is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"p": P[:5]}, "`p` has 5 entries"),
        ({"p": P * 3}, "no probability"),
        ({"challengers": {"x": np.full(ROWS, np.nan)}}, "`x` is no probability"),
        ({"bad": np.zeros(ROWS, bool)}, "same outcome"),
        ({"former": P[:9]}, FORMER),
        ({"month": MONTH[:3]}, "`month` has 3"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        judged(**changes)


def test_a_group_of_other_length_and_an_approval_of_all_are_refused() -> None:
    with pytest.raises(InvalidInput, match="`sex` has 4"):
        validate(CARD, judged(groups={"sex": SEX[:4]}), how="x")
    with pytest.raises(InvalidInput, match="approved share"):
        validate(CARD, judged(), how="x", approve=1.0)
