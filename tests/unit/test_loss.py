"""Chains of flow rates against the absorbing Markov chain, and the three ways in which a motion is changed."""

import numpy as np
import pytest

from evenkeel.measures.loss import (
    BUCKETS,
    LOSS,
    Motion,
    better_collected,
    carried,
    chained_loss_rates,
    lost_within,
    net_flow_rates,
    riskier,
    without_draws,
)


def motion(seed: int = 0) -> Motion:
    """A random book month: most of each bucket goes somewhere, a part is lost, paid, charged and drawn."""
    rng = np.random.default_rng(seed)
    flows = rng.dirichlet(np.ones(BUCKETS + 1), BUCKETS)
    move, lost = flows[:, :BUCKETS].copy(), flows[:, LOSS].copy()
    move[:, LOSS] = 0.0
    move[LOSS], lost[LOSS] = 0.0, 0.0
    return Motion(move, *(rng.uniform(0, 0.3, BUCKETS) for _ in range(3)), lost=lost)


def forward_only(rates: list[float]) -> Motion:
    """What does not move one bucket on is gone."""
    move, lost = np.zeros((BUCKETS, BUCKETS)), np.zeros(BUCKETS)
    for bucket, rate in enumerate(rates[:-1]):
        move[bucket, bucket + 1] = rate
    lost[LOSS - 1] = rates[-1]
    nothing = np.zeros(BUCKETS)
    return Motion(move, nothing, nothing, nothing, lost)


def test_net_flow_rate_is_a_bucket_over_the_bucket_before_it_a_month_earlier() -> None:
    before = np.array([1000, 100, 40, 30, 20, 10, 10, 500.0])
    after = np.array([990, 120, 50, 30, 30, 10, 5, 8.0])
    assert net_flow_rates(before, after).tolist() == [0.12, 0.5, 0.75, 1.0, 0.5, 0.5, 0.8]


def test_a_rate_is_at_most_one_and_an_empty_bucket_speaks_for_no_cure() -> None:
    before = np.array([100, 10, 0, 0, 0, 0, 0, 0.0])
    after = np.array([0, 0, 90, 5, 0, 0, 0, 0.0])
    assert net_flow_rates(before, after).tolist() == [0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0]


def test_loss_rate_is_the_product_along_the_chain() -> None:
    assert chained_loss_rates(np.array([0.1, 0.5, 0.8])) == pytest.approx([0.04, 0.4, 0.8, 1.0])


def test_the_chain_is_the_markov_chain_where_balances_only_move_one_bucket_a_month() -> None:
    rates = [0.02, 0.5, 0.8, 0.85, 0.9, 0.95, 0.97]
    chain = chained_loss_rates(np.array(rates))
    for bucket in range(BUCKETS):
        assert lost_within(forward_only(rates), LOSS - bucket or 1)[bucket] == pytest.approx(chain[bucket])


@pytest.mark.parametrize("months", [1, 3, 12])
def test_lost_within_equals_a_power_of_the_whole_transition_matrix(months: int) -> None:
    """Oracle: one matrix with an absorbing loss and an absorbing way out, raised to a power."""
    given = motion(months)
    whole = np.zeros((BUCKETS + 1, BUCKETS + 1))
    whole[:LOSS, :LOSS] = given.move[:LOSS, :LOSS]
    whole[:LOSS, LOSS] = given.lost[:LOSS]
    whole[:LOSS, BUCKETS] = 1 - whole[:LOSS].sum(axis=1)
    whole[LOSS, LOSS] = whole[BUCKETS, BUCKETS] = 1
    assert lost_within(given, months) == pytest.approx(np.linalg.matrix_power(whole, months)[:BUCKETS, LOSS])


def test_added_balance_is_carried_on_from_the_next_month() -> None:
    stand = Motion(np.eye(BUCKETS), *(np.zeros(BUCKETS) for _ in range(4)))
    added = np.zeros(BUCKETS)
    added[0] = 5.0
    assert carried(np.zeros(BUCKETS), stand, 3, added)[:, 0].tolist() == [0, 5, 10, 15]


def test_riskier_scales_what_falls_behind_and_keeps_the_whole() -> None:
    given = motion()
    half = riskier(given, np.array(0.5))
    assert half.move[0, 1:LOSS] == pytest.approx(0.5 * given.move[0, 1:LOSS])
    assert half.lost[0] == pytest.approx(0.5 * given.lost[0])
    assert half.move[0].sum() + half.lost[0] == pytest.approx(given.move[0].sum() + given.lost[0])
    assert (half.move[1:] == given.move[1:]).all()
    most = riskier(given, np.array(1e9))
    assert most.move[0, 0] == pytest.approx(0, abs=1e-12)
    assert most.move[0].sum() + most.lost[0] == pytest.approx(given.move[0].sum() + given.lost[0])


def test_without_draws_the_next_balance_is_smaller_by_what_was_drawn() -> None:
    given = motion()
    total = given.move.sum(axis=1) + given.lost
    frozen = without_draws(given)
    assert frozen.move.sum(axis=1) + frozen.lost == pytest.approx(np.maximum(total - given.drawn, 0))
    assert not frozen.drawn.any()


def test_better_collected_takes_the_extra_payments_off_what_stays_overdue_or_is_lost() -> None:
    given = motion()
    better = better_collected(given, np.array(0.1))
    extra = better.paid - given.paid
    assert extra[1:LOSS] == pytest.approx(0.1 * given.paid[1:LOSS])
    assert extra[0] == 0
    for bucket in range(1, LOSS):
        fewer = given.move[bucket, 1:].sum() + given.lost[bucket] - better.move[bucket, 1:].sum() - better.lost[bucket]
        assert fewer == pytest.approx(extra[bucket])
    assert (better.move[:, 0] == given.move[:, 0]).all()


def test_draws_lead_and_each_is_its_own_chain() -> None:
    given = [motion(seed) for seed in range(3)]
    names = ("move", "paid", "charged", "drawn", "lost")
    stacked = Motion(*(np.stack([getattr(one, name) for one in given]) for name in names))
    uplift = np.array([0.0, 0.1, 0.2])
    for place, one in enumerate(given):
        assert lost_within(stacked, 5)[place] == pytest.approx(lost_within(one, 5))
        assert better_collected(stacked, uplift).lost[place] == pytest.approx(better_collected(one, uplift[place]).lost)
        assert riskier(stacked, uplift).move[place] == pytest.approx(riskier(one, uplift[place]).move)
