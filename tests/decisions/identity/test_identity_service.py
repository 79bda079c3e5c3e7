"""Asking outside: on record before and after, once, never past what the network allows, and without a value."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from threading import Event

import pytest
import sqlalchemy as sa
from identity_samples import SECRETS, question

from evenkeel.decisions.identity import store
from evenkeel.decisions.identity.service import ANSWERED, ASKED, check
from evenkeel.decisions.identity.simulator import PRICES, Rates, SimulatedProvider
from evenkeel.decisions.identity.verification import (
    CHINA,
    MATCH_DAYS,
    CheckKind,
    CheckRequest,
    CheckResult,
    Verification,
    standing,
)
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import Conflict, InvalidInput
from evenkeel.storage import chain
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Journal

NOW = datetime(2026, 11, 27, 4, tzinfo=UTC)  # noon in China
R = CheckResult


@dataclass
class Told:
    """A provider that answers what it is told, in turn, and keeps count."""

    answers: list[CheckResult]
    name: str = "told"
    lost: bool = False
    asked: list[str] = field(default_factory=list)
    clock: Callable[[], datetime] = field(default_factory=lambda: fixed_clock(NOW))

    def check(self, request: CheckRequest) -> Verification:
        self.asked.append(request.order_id)
        result = self.answers.pop(0)
        return Verification(request.kind, result, self.clock(), self.name, 25, "1", self.lost)


def at(journal: Journal, hours: float) -> Journal:
    return replace(journal, clock=fixed_clock(NOW + timedelta(hours=hours)))


def facts(journal: Journal, kind: str) -> list[dict[str, object]]:
    return [dict(entry.fact.payload) for entry in journal.read(kind=kind)]


def test_an_answer_and_its_cost_are_on_record_and_no_value_or_token_is(journal: Journal) -> None:
    asked = question()
    found = check(journal, Told([R.MISMATCH]), asked)
    assert found.asked
    assert found.verification.result is R.MISMATCH
    assert facts(journal, ASKED) == [{"order_id": "order-000001", "kind": "four_factor", "provider": "told"}]
    assert facts(journal, ANSWERED) == [
        {"order_id": "order-000001", "kind": "four_factor", "provider": "told", "result": "mismatch", "cost_minor": 25,
         "detail_code": "1", "lost": False}
    ]  # fmt: skip
    assert {entry.fact.borrower_id for entry in journal.read()} == {"B1"}
    with transaction(journal.engine) as connection:
        text = str(connection.execute(sa.text("SELECT * FROM identity_check")).all())
        assert store.checks_of(connection, "B1", NOW) == [found.verification]
    whole = text + str(list(journal.read()))
    assert not any(secret in whole for secret in SECRETS)
    assert asked.card_token is not None
    assert asked.card_token not in str(list(journal.read()))
    assert chain.verify(journal.engine).faults == {}


def test_what_was_asked_is_on_record_before_it_is_sent_and_stays_if_the_process_dies(journal: Journal) -> None:
    class Dies(BaseException):
        pass

    class Fatal(Told):
        def check(self, request: CheckRequest) -> Verification:
            with transaction(journal.engine) as connection:
                on_record = store.asked(connection, request.order_id)
                assert on_record is not None
                assert on_record.answer is None
            raise Dies

    with pytest.raises(Dies):
        check(journal, Fatal([]), question(1))
    assert len(facts(journal, ASKED)) == 1
    assert facts(journal, ANSWERED) == []
    again = check(journal, Told([]), question(1))
    assert (again.verification.result, again.verification.detail_code, again.asked) == (R.UNAVAILABLE, "pending", False)
    # It may have been wrong: with one that was, the card has had its two.
    assert check(journal, Told([R.MISMATCH]), question(2, phone="13900139000")).asked
    held = check(journal, Told([]), question(3, phone="13700137000"))
    assert (held.verification.result, held.verification.detail_code) == (R.RESTRICTED, "attempts")


def test_a_provider_that_raises_has_been_asked_and_says_nothing_about_what_was_sent(
    journal: Journal, caplog: pytest.LogCaptureFixture
) -> None:
    class Raises(Told):
        def check(self, request: CheckRequest) -> Verification:
            raise RuntimeError(str(dict(request.values)))

    found = check(journal, Raises([]), question()).verification
    assert (found.result, found.detail_code, found.lost) == (R.UNAVAILABLE, "provider_error", True)
    assert "RuntimeError" in caplog.text
    assert not any(secret in caplog.text for secret in SECRETS)
    assert facts(journal, ANSWERED)[0]["lost"] is True


def test_a_match_is_asked_for_once_until_its_days_are_over(journal: Journal) -> None:
    days = MATCH_DAYS[CheckKind.FOUR_FACTOR]
    provider = Told([R.MATCH, R.MATCH])
    first = check(journal, provider, question(1))
    again = check(at(journal, 24 * days), provider, question(2))
    assert (again.asked, again.verification) == (False, first.verification)
    assert again.verification.checked_at == NOW, "a match keeps its day"
    assert check(at(journal, 24 * days + 1), provider, question(3)).asked
    assert len(facts(journal, ANSWERED)) == 2


def test_a_face_that_matched_yesterday_is_looked_at_again(journal: Journal) -> None:
    provider = Told([R.MATCH, R.MATCH])
    for hours, asked in ((0, True), (24, False), (25, True)):
        assert check(at(journal, hours), provider, question(hours, CheckKind.FACE)).asked is asked


def test_a_mismatch_is_not_asked_for_again_while_it_counts(journal: Journal) -> None:
    provider = Told([R.MISMATCH, R.MATCH])
    first = check(journal, provider, question(1))
    again = check(at(journal, 11.9), provider, question(2))
    assert (again.asked, again.verification) == (False, first.verification)
    later = check(at(journal, 12.1), provider, question(3))
    assert (later.asked, later.verification.result) == (True, R.MATCH)


@pytest.mark.parametrize("result", [R.UNAVAILABLE, R.RESTRICTED])
def test_what_was_no_answer_may_be_asked_for_again(journal: Journal, result: CheckResult) -> None:
    provider = Told([result, R.MATCH])
    assert check(journal, provider, question(1)).verification.result is result
    assert check(journal, provider, question(2)).verification.result is R.MATCH


def test_another_kind_or_another_value_is_another_question(journal: Journal) -> None:
    provider = Told([R.MATCH, R.MATCH, R.MATCH])
    for order, changed in enumerate(({}, {"phone": "13900139000"}, {"kind": CheckKind.NAME_ID})):
        assert check(journal, provider, question(order, **changed)).asked  # type: ignore[arg-type]


def test_one_order_is_one_question(journal: Journal) -> None:
    provider = Told([R.UNAVAILABLE, R.MATCH])
    first = check(journal, provider, question(1))
    again = check(journal, provider, question(1))
    assert (again.asked, again.verification) == (False, first.verification)
    with pytest.raises(Conflict, match="order"):
        check(journal, provider, question(1, phone="13900139000"))


def test_the_third_wrong_answer_is_never_asked_for(journal: Journal) -> None:
    provider = Told([R.MISMATCH, R.MISMATCH, R.MATCH])
    for order in (1, 2):
        assert check(journal, provider, question(order, phone=f"1390013900{order}")).asked
    held = check(journal, provider, question(3, phone="13900139003"))
    assert (held.asked, held.verification.result, held.verification.cost_minor) == (False, R.RESTRICTED, 0)
    assert held.held_until == datetime(2026, 11, 28, tzinfo=CHINA)
    assert len(provider.asked) == 2
    other_card = question(4, card="6222020200112233453")
    assert not held.asked
    assert check(at(journal, 12.1), provider, question(5, phone="13900139003")).asked
    assert other_card.card_token != question(5).card_token


def test_callers_who_come_at_once_never_ask_a_third_time(journal: Journal) -> None:
    provider = Told([R.MISMATCH] * 16)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: check(journal, provider, question(n, phone=f"139001390{n:02d}")), range(16)))
    assert sum(one.asked for one in found) == len(provider.asked) == 2
    assert [one.verification.result for one in found if not one.asked] == [R.RESTRICTED] * 14


def test_no_transaction_is_open_while_the_provider_thinks(journal: Journal) -> None:
    inside, leave = Event(), Event()

    class Slow(Told):
        def check(self, request: CheckRequest) -> Verification:
            inside.set()
            assert leave.wait(20)
            return super().check(request)

    with ThreadPoolExecutor(1) as pool:
        thinking = pool.submit(check, journal, Slow([R.MATCH]), question(1))
        assert inside.wait(20)
        with transaction(journal.engine) as connection:
            busy = connection.execute(
                sa.text("""
                SELECT count(*) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%'
            """)
            ).scalar_one()
        # Others about the same card are not kept waiting either.
        assert check(journal, Told([R.MATCH]), question(2, phone="13900139000")).asked
        leave.set()
        assert thinking.result().verification.result is R.MATCH
    assert busy == 0


def test_what_is_on_record_gives_the_standing_results(journal: Journal) -> None:
    check(journal, Told([R.MATCH]), question(1, CheckKind.NAME_ID))
    check(journal, Told([R.UNAVAILABLE]), question(2))
    with transaction(journal.engine) as connection:
        known = store.checks_of(connection, "B1", NOW)
    assert standing(known, NOW) == {CheckKind.NAME_ID: R.MATCH, CheckKind.FOUR_FACTOR: R.UNAVAILABLE}
    assert len(facts(journal, ANSWERED)) == 2, "the record stays"


# --- the simulator ----------------------------------------------------------------------------------------------------


def simulated(rates: Rates, seed: int = 1) -> SimulatedProvider:
    return SimulatedProvider(seed, fixed_clock(NOW), {CheckKind.FOUR_FACTOR: rates})


def test_the_simulator_gives_each_result_at_its_stated_rate() -> None:
    rates = Rates(mismatch=200_000, restricted=100_000, unavailable=300_000)
    provider = simulated(rates)
    found = [provider.check(question(n, name=f"person {n}")) for n in range(6000)]
    for result in R:
        share = sum(one.result is result for one in found) / len(found)
        stated = float(rates.share(result))
        # Five standard deviations: the seed is fixed, so this is passed once and for all.
        assert abs(share - stated) < 5 * (stated * (1 - stated) / len(found)) ** 0.5
    assert sum(rates.share(result) for result in R) == Fraction(1)
    assert {one.cost_minor for one in found} == {PRICES[CheckKind.FOUR_FACTOR]}


def test_the_simulator_says_the_same_of_a_person_whenever_it_answers() -> None:
    provider, other = simulated(Rates(400_000, 200_000, 300_000)), simulated(Rates(400_000, 200_000, 300_000), seed=2)
    told, differs = 0, False
    for person in range(30):
        answers = [provider.check(question(100 * person + n, name=f"person {person}")).result for n in range(20)]
        assert len(set(answers) - {R.UNAVAILABLE}) == 1
        told += R.UNAVAILABLE in answers
        differs |= other.check(question(100 * person, name=f"person {person}")).result is not answers[0]
    assert told == 30, "asking again can work, and fail"
    assert differs
    assert provider.check(question(1)) == provider.check(question(1))


@pytest.mark.parametrize("rates", [(-1, 0, 0), (0.5, 0, 0), (500_000, 500_000, 1), (True, 0, 0)])
def test_rates_that_cannot_be_are_refused(rates: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidInput, match="rates"):
        Rates(*rates)


def test_a_provider_that_is_never_there_says_nothing_else() -> None:
    provider = simulated(Rates(0, 0, 1_000_000))
    assert {provider.check(question(n)).result for n in range(20)} == {R.UNAVAILABLE}
