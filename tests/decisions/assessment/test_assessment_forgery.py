"""The mixture: what it learns without labels, what it says, and that no sign can turn round."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.decisions.assessment.forgery import (
    KINDS,
    MOST_RATIO,
    PRIOR,
    SIGNS,
    STATED,
    Weights,
    judge,
    learn_weights,
    levels_of,
    refine,
)

NAMES = [sign.name for sign in SIGNS]


def _drawn(rng: np.random.Generator, size: int, kind: int | None) -> np.ndarray:
    """Levels drawn from the stated chances of a kind, None for the honest."""
    columns = []
    for sign in SIGNS:
        chance = np.array(sign.honest if kind is None or sign.forged[kind] is None else sign.forged[kind], float)
        columns.append(rng.choice(len(chance), size, p=chance / chance.sum()))
    return np.column_stack(columns)


def _book(seed: int, honest: int, forged: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    parts = [_drawn(rng, honest, None), *(_drawn(rng, size, kind) for kind, size in enumerate(forged))]
    return np.concatenate(parts), np.repeat([-1, 0, 1, 2], [honest, *forged])


# Among whose honest the second level of every sign is rare and the top one as common as may be.
_PERVERSE = Weights(
    STATED.kinds,
    tuple((1 - 1e-6 * (len(p) - 2) - p[-1], *(1e-6,) * (len(p) - 2), p[-1]) for p in STATED.honest),
    STATED.scale, 0.0, 1,
)  # fmt: skip


def test_levels_are_cut_at_the_bounds_and_silence_is_minus_one() -> None:
    levels = levels_of({"restated": np.array([0.0, 1.99, 2.0, 100.0, np.nan])})
    assert levels[:, NAMES.index("restated")].tolist() == [0, 0, 1, 4, -1]
    assert (np.delete(levels, NAMES.index("restated"), axis=1) == -1).all()


def test_every_sign_states_as_many_chances_as_it_has_levels() -> None:
    for sign in SIGNS:
        width = len(sign.bounds) + 1
        assert len(sign.honest) == width
        assert len(sign.forged) == len(KINDS)
        assert all(chances is None or len(chances) == width for chances in sign.forged)
        assert list(sign.bounds) == sorted(sign.bounds)


def test_an_application_of_which_nothing_is_known_has_the_prior() -> None:
    judged = judge(STATED, np.full((1, len(SIGNS)), -1))
    assert judged.probability[0] == pytest.approx(PRIOR.sum())
    assert (judged.points == 0).all()


@given(st.lists(st.integers(0, 4), min_size=len(SIGNS), max_size=len(SIGNS)), st.sampled_from(range(len(SIGNS))))
def test_a_higher_level_never_lowers_the_probability(raw: list[int], place: int) -> None:
    top = np.array([len(sign.bounds) for sign in SIGNS])
    levels = np.minimum(np.array(raw), top)
    ladder = np.tile(levels, (top[place] + 1, 1))
    ladder[:, place] = np.arange(top[place] + 1)
    for weights in (STATED, _PERVERSE):
        assert (np.diff(judge(weights, ladder).probability) >= -1e-12).all()


def test_points_of_one_kind_add_up_to_its_odds_by_hand() -> None:
    levels = np.full((1, len(SIGNS)), -1)
    levels[0, NAMES.index("restated")] = 3
    expected = []
    for kind in range(3):
        honest, forged = (np.array(c, float) for c in (SIGNS[2].honest, SIGNS[2].forged[kind]))
        ratio = np.maximum.accumulate(np.minimum(forged / forged.sum() / (honest / honest.sum()), MOST_RATIO))
        expected.append(PRIOR[kind] * ratio[3])
    total = sum(expected)
    assert judge(STATED, levels).probability[0] == pytest.approx(total / (total + 1 - PRIOR.sum()))


@pytest.mark.parametrize("forged", [(600, 300, 300), (100, 50, 0), (3_000, 0, 1_000)])
def test_the_share_of_each_kind_is_found_without_labels(forged: tuple[int, int, int]) -> None:
    levels, kind = _book(1, 30_000, forged)
    learned = learn_weights(levels)
    for place, size in enumerate(forged):
        assert learned.kinds[place] == pytest.approx(size / len(levels), rel=0.35, abs=0.003)
    p = judge(learned, levels).probability
    assert p.mean() == pytest.approx((kind >= 0).mean(), rel=0.3)
    for low, high in ((0.05, 0.3), (0.3, 0.7), (0.7, 0.95), (0.95, 1.01)):
        group = (p >= low) & (p < high)
        assert (kind[group] >= 0).mean() == pytest.approx(p[group].mean(), abs=0.12)


def test_a_custom_of_the_place_says_less_than_a_rarity() -> None:
    levels, _ = _book(2, 20_000, (0, 0, 0))
    place = NAMES.index("shared_address")
    rng = np.random.default_rng(0)
    common = levels.copy()
    common[:, place] = rng.choice(4, len(levels), p=[0.85, 0.04, 0.1, 0.01])
    rare = levels.copy()
    rare[:, place] = 0
    one = np.zeros((1, len(SIGNS)), np.int64)
    one[0, place] = 2
    assert judge(learn_weights(common), one).probability < judge(learn_weights(rare), one).probability


def test_a_sign_that_only_forgers_show_is_not_learned_as_honest() -> None:
    levels, _ = _book(3, 10_000, (0, 0, 0))
    place = NAMES.index("declared_over_seen")
    levels[:, place] = 0
    levels[:500, place] = 3  # one in twenty declares twice what is seen, and shows nothing else
    learned = learn_weights(levels)
    shown, others = (judge(learned, part).probability.mean() for part in (levels[:500], levels[500:]))
    assert shown > 2 * PRIOR.sum() > 10 * others


def test_labels_silence_a_sign_that_never_meets_a_bad() -> None:
    levels, kind = _book(4, 20_000, (800, 300, 200))
    learned = learn_weights(levels)
    rng = np.random.default_rng(0)
    place = NAMES.index("restated")
    told = np.where(levels[:, place] >= 2, 0.02, np.where(kind >= 0, 0.6, 0.02))
    better = refine(learned, levels, rng.random(len(told)) < told)
    assert better.scale[place] < min(better.scale[NAMES.index("shared_contacts")], learned.scale[place])
    before, after = judge(learned, levels).probability, judge(better, levels).probability
    assert after.mean() == pytest.approx(before.mean(), rel=0.02)


def test_too_few_labels_change_nothing() -> None:
    levels, kind = _book(5, 1_000, (100, 0, 0))
    learned = learn_weights(levels)
    few = np.zeros(len(levels), bool)
    few[:49] = True
    assert refine(learned, levels, few) is learned
    assert learn_weights(levels[:0]) is STATED
    assert len(kind) == len(levels)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10**6))
def test_weights_are_data_and_the_order_of_rows_is_none_of_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    levels = rng.integers(-1, 2, (200, len(SIGNS)))
    learned = learn_weights(levels)
    assert Weights.from_document(learned.document()) == learned
    assert learn_weights(levels[rng.permutation(200)]) == learned
    p = judge(learned, levels).probability
    assert ((p > 0) & (p < 1)).all()
