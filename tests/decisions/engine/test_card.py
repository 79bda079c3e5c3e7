"""A scorecard laid out flat gives the very numbers of the scorecard."""

import numpy as np
import pyarrow as pa
import pytest

from evenkeel.decisions.engine.card import flat_card
from evenkeel.kernel.errors import InvalidInput
from evenkeel.scoring.scorecard import Feature, Pair
from scorecards import ODD, card_of


@pytest.mark.parametrize("seed", range(20))
def test_log_odds_are_equal_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features = [
        Feature(f"x{place}", "c", np.unique(rng.normal(size=rng.integers(0, 9)).round(2)), None,
                (-9.0, -8.5) if place % 2 else ())
        for place in range(8)
    ]  # fmt: skip
    tables = [rng.normal(size=feature.size) for feature in features]
    pairs = []
    for first, second in ((0, 1), (2, 7), (5, 3)):
        groups = [rng.integers(0, 3, features[place].size).astype(np.int32) for place in (first, second)]
        pairs.append(Pair(first, second, *groups, rng.normal(size=(3, 3)), np.ones((3, 3))))
    card = card_of(features, tables, tuple(pairs))
    names = [f"x{place}" for place in rng.permutation(8)]
    edges = np.concatenate([feature.edges for feature in features])
    pool = np.concatenate([edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), [-9.0, -8.5], ODD])
    matrix = rng.choice(pool, (500, 8))
    frame = pa.table({name: pa.array(matrix[:, place], from_pandas=True) for place, name in enumerate(names)})
    assert np.array_equal(flat_card(card, names).log_odds(matrix), card.log_odds(frame))


def test_a_card_that_reads_what_is_not_there_is_refused() -> None:
    card = card_of([Feature("x", "c", np.array([1.0]))], [[0.0, 1.0, 0.0]])
    with pytest.raises(InvalidInput, match="`x`"):
        flat_card(card, ["y"])
