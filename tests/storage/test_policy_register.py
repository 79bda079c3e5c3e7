"""The register of policies: two people, nothing lost, the same policy for a borrower wherever it is asked."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.kernel.clock import Clock
from evenkeel.kernel.errors import Conflict, EvenkeelError, InvalidInput, NotFound, NotPermitted
from evenkeel.policy.register import WHOLE_PPM, Event, Outcomes, Register, draw_ppm, harmed
from evenkeel.storage.journal import Journal


@pytest.fixture
def register(journal: Journal, clock: Clock) -> Register:
    return Register(journal.engine, clock)


def propose(register: Register, version: str, by: str = "ana", share_ppm: int = WHOLE_PPM) -> Event:
    """Put a sound policy forward."""
    text = f"<definitions>{version}</definitions>"
    return register.propose("grant", version, "grants", text, lambda _: (), by=by, why="better", share_ppm=share_ppm)


def publish(register: Register, version: str, share_ppm: int = WHOLE_PPM) -> None:
    """Put a policy in force."""
    propose(register, version, share_ppm=share_ppm)
    register.approve("grant", version, by="ben", why="read it")


def test_a_policy_is_in_force_once_a_second_person_approves_it(register: Register) -> None:
    propose(register, "policy-1")
    assert register.standing("grant").champion is None
    with pytest.raises(NotPermitted, match="Another person"):
        register.approve("grant", "policy-1", by="ana", why="me again")
    register.approve("grant", "policy-1", by="ben", why="read it")
    assert register.standing("grant").champion == "policy-1"
    assert register.text("policy-1") == "<definitions>policy-1</definitions>"
    assert [(event.by, str(event.action)) for event in register.history("grant")] == [
        ("ana", "proposed"), ("ben", "approved"),
    ]  # fmt: skip


def test_what_check_or_proof_find_fault_with_is_not_even_proposed(register: Register) -> None:
    with pytest.raises(InvalidInput, match="row 3 approves without"):
        register.propose("grant", "policy-x", "grants", "x", lambda _: ("row 3 approves without", "b"), by="a", why="w")
    assert register.history() == []
    with pytest.raises(NotFound):
        register.text("policy-x")


def test_a_rollback_goes_back_to_the_champion_before_and_stops_a_challenger(register: Register) -> None:
    for version in ("policy-1", "policy-2"):
        publish(register, version)
    publish(register, "policy-3", share_ppm=200_000)
    assert register.standing("grant").challenger == "policy-3"
    register.rollback("grant", by="ana", why="complaints")
    now = register.standing("grant")
    assert (now.champion, now.before, now.challenger) == ("policy-1", (), None)
    with pytest.raises(Conflict, match="no earlier"):
        register.rollback("grant", by="ana", why="again")


def test_a_challenger_decides_for_its_share_of_borrowers_and_always_for_the_same(register: Register) -> None:
    publish(register, "policy-1")
    publish(register, "policy-2", share_ppm=100_000)
    now = register.standing("grant")
    drawn = Counter(now.for_borrower(f"B{number}") for number in range(20_000))
    assert 1_850 < drawn["policy-2"] < 2_150  # 2,000 and 3.5 deviations
    assert all(now.for_borrower(f"B{number}") == now.for_borrower(f"B{number}") for number in range(50))
    register.stop_challenger("grant", by="guard", why="more bads")
    assert {register.standing("grant").for_borrower(f"B{number}") for number in range(100)} == {"policy-1"}


def test_a_proposal_can_be_rejected_and_put_forward_again(register: Register) -> None:
    propose(register, "policy-1")
    with pytest.raises(Conflict, match="waits"):
        propose(register, "policy-1", by="cleo")
    register.reject("grant", "policy-1", by="ana", why="a slip")
    with pytest.raises(NotFound, match="not waiting"):
        register.approve("grant", "policy-1", by="ben", why="late")
    publish(register, "policy-1")
    with pytest.raises(Conflict, match="in force"):
        propose(register, "policy-1")


def test_kinds_stand_apart(register: Register) -> None:
    publish(register, "policy-1")
    assert register.standing("limit").champion is None
    with pytest.raises(Conflict, match="challenge"):
        register.propose("limit", "policy-2", "n", "t", lambda _: (), by="a", why="w", share_ppm=1000)


@pytest.mark.parametrize(
    ("by", "why"), [("", "w"), (" ", "w"), ("a" * 65, "w"), ("a", ""), ("a", "w" * 501), ("a\n", "w")]
)
def test_who_and_why_are_said(register: Register, by: str, why: str) -> None:
    with pytest.raises(InvalidInput, match="Say who and why"):
        register.propose("grant", "policy-1", "n", "t", lambda _: (), by=by, why=why)


def test_of_many_who_approve_at_once_one_does(register: Register) -> None:
    propose(register, "policy-1")

    def approve(number: int) -> bool:
        try:
            register.approve("grant", "policy-1", by=f"p{number}", why="w")
        except EvenkeelError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(approve, range(8))) == 1


def test_the_register_is_append_only(register: Register) -> None:
    publish(register, "policy-1")
    for statement in ("UPDATE policy_event SET by = 'x'", "DELETE FROM policy_text", "TRUNCATE policy_event"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), register.engine.begin() as connection:
            connection.execute(sa.text(statement))


@given(st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20))
def test_a_draw_lies_in_a_million(version: str, borrower: str) -> None:
    assert 0 <= draw_ppm(version, borrower) < WHOLE_PPM


def test_harm_is_said_only_beyond_chance_and_beyond_the_margin() -> None:
    assert harmed(Outcomes(5000, 150), Outcomes(2000, 130), margin=0.01)  # 3.0 % against 6.5 %
    assert not harmed(Outcomes(5000, 150), Outcomes(40, 3), margin=0.01)  # 7.5 % of forty says nothing
    assert not harmed(Outcomes(5000, 150), Outcomes(2000, 70), margin=0.01)  # half a point is within the margin
    assert not harmed(Outcomes(0, 0), Outcomes(2000, 130), margin=0.0)
    # Newcombe 1998, table II, example (a): 56/70 - 48/80, interval .0524 to .3339 at 95 %.
    assert harmed(Outcomes(80, 48), Outcomes(70, 56), margin=0.0523, z=1.959964)
    assert not harmed(Outcomes(80, 48), Outcomes(70, 56), margin=0.0525, z=1.959964)
