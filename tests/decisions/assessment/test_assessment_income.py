"""Income: what is seen wins, peers stand in, and what is declared is held against both."""

import numpy as np
import pyarrow as pa
import pytest
from assessment_samples import applications, asked, events, people

from evenkeel.book.generator.generate import generate
from evenkeel.book.generator.households import draw_households
from evenkeel.book.generator.spec import GeneratorSpec
from evenkeel.decisions.assessment.income import NO_PEERS, Peers, assess_income, learn_peers, seen_monthly
from evenkeel.decisions.assessment.requests import read_requests

ZONE = "UTC"


def test_months_with_income_among_the_last_six_are_averaged_and_three_are_needed() -> None:
    # Applied on 1 March: September to February count, March and August do not.
    paid = [
        ("income", "a", -d, -d, amount) for d, amount in ((20, 300), (50, 500), (80, 700), (200, 9_000), (0, 8_000))
    ]
    table = applications(asked("a", 0.5), asked("b", 0.5))
    few = [("income", "b", -20, -20, 100), ("deposit", "b", -50, -50, 100)]
    seen = seen_monthly(read_requests(table), None, events(*paid, *few), ZONE)
    assert seen[0] == 500
    assert np.isnan(seen[1])


def test_income_booked_after_the_application_is_not_seen() -> None:
    early = [("income", "a", -d, -d, 100) for d in (20, 50)]
    table = applications(asked("a", 0.5))
    on_time = seen_monthly(read_requests(table), None, events(*early, ("income", "a", -80, -80, 100)), ZONE)
    late = seen_monthly(read_requests(table), None, events(*early, ("income", "a", -80, 30, 100)), ZONE)
    assert on_time[0] == 100
    assert np.isnan(late[0])


def test_a_verified_income_wins_over_the_events() -> None:
    paid = [("income", "a", -d, -d, 100) for d in (20, 50, 80)]
    known = people({"borrower_id": "a", "income_verified_minor": 777})
    assert seen_monthly(read_requests(applications(asked("a", 0.5))), known, events(*paid), ZONE)[0] == 777


def test_an_income_that_is_seen_bounds_the_declared_one() -> None:
    table = applications(asked("a", 0, income_declared_minor=2_000_000), asked("b", 1, income_declared_minor=500_000))
    income = assess_income(read_requests(table), None, np.array([500_000.0, 500_000.0]), NO_PEERS)
    assert income.middle == pytest.approx([500_000, 500_000])
    assert income.low[0] < 500_000 < income.high[0] < 600_000
    assert income.excess[0] == pytest.approx(1 - income.high[0] / 2_000_000)
    assert income.excess[1] == 0
    assert income.over_seen[0] == pytest.approx(np.log(4) - NO_PEERS.overstated)


def test_what_is_declared_never_raises_the_middle_above_the_peers_high_end() -> None:
    peers = Peers(np.log(500_000), {}, 0.4, 0.35, 0.0, 0.2, 1_000)
    table = applications(*(asked(f"p{k}", k, income_declared_minor=500_000 * 2**k) for k in range(6)))
    income = assess_income(read_requests(table), None, np.full(6, np.nan), peers)
    assert (np.diff(income.middle) >= 0).all()
    assert income.middle[-1] <= 500_000 * np.exp(1.2816 * 0.4) + 1
    assert income.over_peers[1] == pytest.approx(np.log(2) / 0.4)


def test_without_anything_known_nothing_is_invented() -> None:
    income = assess_income(read_requests(applications(asked("a", 0))), None, np.array([np.nan]), NO_PEERS)
    for value in (income.low, income.middle, income.high, income.excess, income.over_seen, income.over_peers):
        assert np.isnan(value).all()


def test_a_small_group_is_drawn_to_the_whole_and_one_outlier_moves_nobody() -> None:
    rng = np.random.default_rng(0)
    size = 600
    region = ["big"] * 590 + ["small"] * 10
    earned = np.exp(13 + rng.normal(0, 0.2, size))
    earned[590:] *= 2
    earned[0] = 1e12
    known = people(*(
        {"borrower_id": f"p{k}", "region": region[k], "income_verified_minor": int(earned[k])} for k in range(size)
    ))  # fmt: skip
    requests = read_requests(applications(*(asked(f"p{k}", k / 100) for k in range(size))))
    peers = learn_peers(requests, known, seen_monthly(requests, known, None, ZONE))
    assert abs(peers.effects["region"]["big"]) < 0.05
    assert 0.2 < peers.effects["region"]["small"] < np.log(2)
    assert peers.level == pytest.approx(13, abs=0.05)
    assert Peers.from_document(peers.document()) == peers


def test_workmates_seen_before_move_the_centre_and_later_ones_do_not() -> None:
    peers = Peers(np.log(500_000), {}, 0.4, 0.2, 0.0, 0.2, 1_000)
    rows = [asked(f"w{k}", k, employer="rich") for k in range(12)]
    requests = read_requests(applications(*rows))
    seen = np.full(12, 1_000_000.0)
    seen[0] = seen[11] = np.nan
    income = assess_income(requests, None, seen, peers)
    assert income.middle[0] == pytest.approx(500_000)  # the first of all has no workmate yet
    expected = np.log(500_000) + 10 * np.log(2) / (10 + 5)
    assert np.log(income.middle[11]) == pytest.approx(expected)


def test_a_person_is_not_its_own_workmate() -> None:
    peers = Peers(np.log(500_000), {}, 0.4, 0.2, 0.0, 0.2, 1_000)
    requests = read_requests(applications(*(asked("same", k, employer="own") for k in range(5))))
    seen = np.array([1_000_000.0] * 4 + [np.nan])
    assert assess_income(requests, None, seen, peers).middle[4] == pytest.approx(500_000)


def test_the_interval_holds_the_true_income_about_as_often_as_it_says() -> None:
    spec = GeneratorSpec(6_000, 24, 11)
    tables, truth = generate(spec).book_tables, draw_households(spec)
    requests = read_requests(tables["applications"])
    seen = seen_monthly(requests, tables["borrowers"], tables["events"], "Asia/Shanghai")
    peers = learn_peers(requests, tables["borrowers"], seen)
    income = assess_income(requests, tables["borrowers"], seen, peers)
    ids = pa.array(tables["borrowers"]["borrower_id"].to_pylist()[:-1])
    place = np.array(
        [int(name.split("-")[1]) if name.startswith("b11-") else -1 for name in requests.people.to_pylist()]
    )
    true = np.where(place >= 0, truth.income[np.maximum(place, 0)], np.nan)[requests.person]
    held = (income.low <= true) & (true <= income.high)
    assert len(ids) == spec.borrowers - 1
    known, guessed = np.isfinite(seen) & np.isfinite(true), np.isnan(seen) & np.isfinite(true)
    assert 0.75 <= held[known].mean() <= 1.0
    assert 0.65 <= held[guessed].mean() <= 0.95
