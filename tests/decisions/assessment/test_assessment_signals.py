"""Contradictions, copies, velocity and burden, each against what a careful reader would count by hand."""

import numpy as np
import pyarrow as pa
import pytest
from assessment_samples import accounts, applications, asked, at, checks, day, events, people, periods

from evenkeel.decisions.assessment.burden import LOAN_MONTHS, LOAN_RATE_MONTHLY, MINIMUM_SHARE, find_burden
from evenkeel.decisions.assessment.contradictions import find_contradictions, statement_noise
from evenkeel.decisions.assessment.copies import HUB, find_copies
from evenkeel.decisions.assessment.requests import read_requests
from evenkeel.decisions.assessment.velocity import find_velocity

YEAR = 365.25


def _contradictions(*rows: dict[str, object], known: pa.Table | None = None, seen: pa.Table | None = None):  # type: ignore[no-untyped-def]
    return find_contradictions(read_requests(applications(*rows)), known, seen)


# --- contradictions ---------------------------------------------------------------------------------------------------


def test_an_income_is_held_against_every_earlier_statement_of_the_person() -> None:
    found = _contradictions(
        asked("a", 0, income_declared_minor=500_000), asked("a", 1, income_declared_minor=800_000),
        asked("b", 2, income_declared_minor=100), asked("a", 3, income_declared_minor=500_000),
    ).restated  # fmt: skip
    assert np.isnan(found[[0, 2]]).all()
    assert found[[1, 3]] == pytest.approx(np.log(1.6), abs=0.002)


def test_incomes_may_move_by_a_tenth_a_year() -> None:
    raised = _contradictions(asked("a", 0, income_declared_minor=100), asked("a", 3 * YEAR, income_declared_minor=130))
    jumped = _contradictions(asked("a", 0, income_declared_minor=100), asked("a", 1, income_declared_minor=130))
    assert raised.restated[1] == 0
    assert jumped.restated[1] > 0.2


def test_the_own_record_is_a_statement_from_its_day_on() -> None:
    rows = (asked("a", 0, income_declared_minor=200), asked("b", 0, income_declared_minor=200))
    known = people(
        {"borrower_id": "a", "income_declared_minor": 100, "created_on": day("2024-02-01")},
        {"borrower_id": "b", "income_declared_minor": 100, "created_on": day("2024-04-01")},
    )
    found = _contradictions(*rows, known=known).restated
    assert found[0] == pytest.approx(np.log(2), abs=0.01)
    assert np.isnan(found[1])


def test_noise_is_that_of_the_middle_and_forgers_do_not_raise_it() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for person in range(400):
        factors = np.exp(rng.normal(0, 0.05, 2)) if person % 10 else (1.0, 3.0)
        rows += [asked(f"p{person}", person + k / 2, income_declared_minor=int(1e6 * f)) for k, f in enumerate(factors)]
    noise = statement_noise(read_requests(applications(*rows)), None)
    assert noise == pytest.approx(0.05 * 2**0.5, rel=0.25)


def test_facts_that_change_too_fast_and_facts_that_come_back_are_counted_apart() -> None:
    found = _contradictions(*(asked("a", k * 10, employer=name, phone="t") for k, name in enumerate("xyx")))
    assert np.isnan(found.facts_changed[0])
    assert found.facts_changed[1:].tolist() == [1, 1]
    assert found.facts_returned[1:].tolist() == [0, 1]


def test_a_change_over_half_a_year_is_nobodys_business() -> None:
    found = _contradictions(asked("a", 0, employer="x"), asked("a", 200, employer="y"))
    assert np.isnan(found.facts_changed).all()


def test_dependants_are_a_fact_where_applications_tell_them() -> None:
    table = applications(asked("a", 0), asked("a", 9), x_dependants=pa.array([0, 4]))
    assert find_contradictions(read_requests(table), None, None).facts_changed[1] == 1


@pytest.mark.parametrize(
    ("results", "verdict"),
    [
        ((("name_id", "match"),), "verified"),
        ((("name_id", "match"), ("face", "mismatch")), "mismatch"),
        ((("name_id", "mismatch"), ("name_id", "match")), "verified"),  # the newest of a kind counts
        ((("name_id", "unavailable"), ("face", "match")), "unavailable"),
        ((("name_id", "restricted"), ("device", "unavailable")), "restricted"),
        ((("device", "match"), ("face", "match")), "unverified"),  # whose device it is says nothing of a name
        ((), "unverified"),
    ],
)
def test_the_verdict_on_identity_is_that_of_the_checks_up_to_the_day(
    results: tuple[tuple[str, str], ...], verdict: str
) -> None:
    seen = checks(
        *(("a", kind, result, k / 100) for k, (kind, result) in enumerate(results)), ("z", "face", "match", 0)
    )
    found = _contradictions(asked("a", 0), seen=seen)
    assert found.identity.to_pylist() == [verdict]
    wrong = sum(result == "mismatch" for _, result in results)
    assert found.mismatches[0] == wrong if results else np.isnan(found.mismatches[0])


def test_a_check_made_later_than_the_day_of_the_application_is_not_known() -> None:
    seen = checks(("a", "name_id", "match", 0.2), ("b", "name_id", "match", 1.2))
    found = _contradictions(asked("a", 0), asked("b", 0), seen=seen)
    assert found.identity.to_pylist() == ["verified", "unverified"]


# --- copies -----------------------------------------------------------------------------------------------------------


def _copies(*rows: dict[str, object]):  # type: ignore[no-untyped-def]
    return find_copies(read_requests(applications(*rows)), 0.4, (0.0, 0.0, 0.0, 0.0))


def test_others_on_a_device_are_counted_as_they_come_and_never_oneself() -> None:
    found = _copies(*(asked(p, k, device="d", address=p) for k, p in enumerate("aabca")))
    assert found.device.tolist() == [0, 0, 1, 2, 2]
    assert np.isnan(found.phone).all()


def test_a_family_at_one_address_shares_its_telephone_without_a_sign() -> None:
    found = _copies(*(asked(p, k, phone="t", address="home") for k, p in enumerate("abc")))
    assert found.phone.tolist() == [0, 0, 0]
    assert found.address.tolist() == [0, 1, 2]


def test_a_ring_that_shares_only_contacts_is_seen_beyond_the_household() -> None:
    found = _copies(*(asked(f"p{k}", k, contact_tokens=["x", "y"], address=f"a{k}") for k in range(5)))
    assert found.contacts.tolist() == [0, 1, 2, 3, 4]
    assert found.contact_set.tolist() == [0, 1, 2, 3, 4]


def test_a_single_contact_in_common_is_no_common_set() -> None:
    found = _copies(*(asked(p, k, contact_tokens=["x"], address=p) for k, p in enumerate("ab")))
    assert np.isnan(found.contact_set).all()


def test_a_token_of_very_many_is_a_place_and_says_nothing() -> None:
    rows = [asked(f"p{k}", k / 10, device="shop", address=f"a{k}") for k in range(HUB + 5)]
    found = _copies(*rows)
    assert found.device[HUB - 1] == HUB - 1
    assert found.device[HUB:].tolist() == [0] * 5
    dormitory = _copies(*(asked(f"p{k}", k / 10, address="factory") for k in range(HUB + 5)))
    assert dormitory.address[HUB:].tolist() == [0] * 5


def test_incomes_from_one_template_grow_unlikely_and_scattered_ones_do_not() -> None:
    rng = np.random.default_rng(1)
    jitter = np.exp(rng.normal(0, 0.006, 8))
    template = [asked(f"t{k}", k, employer="e", income_declared_minor=int(915_000 * j)) for k, j in enumerate(jitter)]
    scattered = np.exp(rng.normal(13.5, 0.4, 8))
    honest = [asked(f"h{k}", k, employer="f", income_declared_minor=int(s)) for k, s in enumerate(scattered)]
    alike = _copies(*template).alike
    assert alike[0] == 0
    assert (alike[4:] > 4).all()
    assert _copies(*honest).alike.max() < 2.5


def test_where_pay_scales_are_usual_equal_incomes_say_less() -> None:
    requests = read_requests(applications(*(
        asked(f"t{k}", k, employer="e", income_declared_minor=500_000) for k in range(5)
    )))  # fmt: skip
    rare, usual = (find_copies(requests, 0.4, (share,) * 4).alike[4] for share in (0.001, 0.7))
    assert rare > 4 > 1 > usual


# --- velocity ---------------------------------------------------------------------------------------------------------


def test_applications_are_counted_in_windows_from_an_hour_to_ninety_days() -> None:
    days = (0, 0.02, 0.5, 5, 20, 80, 200)
    found = find_velocity(read_requests(applications(*(asked("a", d, lender_id=f"l{d}") for d in days))))
    own = found.counts["person"]
    assert own["1h"].tolist() == [0, 1, 0, 0, 0, 0, 0]
    assert own["1d"].tolist() == [0, 1, 2, 0, 0, 0, 0]
    assert own["7d"].tolist() == [0, 1, 2, 3, 0, 0, 0]
    assert own["30d"].tolist() == [0, 1, 2, 3, 4, 0, 0]
    assert own["90d"].tolist() == [0, 1, 2, 3, 4, 5, 0]
    assert found.lenders_90d.tolist() == [1, 2, 3, 4, 5, 6, 1]


def test_a_lender_asked_again_is_one_lender() -> None:
    rows = [asked("a", k, lender_id=name) for k, name in enumerate(("x", "y", "x", "y"))]
    assert find_velocity(read_requests(applications(*rows))).lenders_90d.tolist() == [1, 2, 2, 2]


def test_requests_without_an_answer_are_in_flight_and_their_amounts_add_up() -> None:
    rows = [
        asked("a", 0, requested_minor=100, decided_at=at(0.5)), asked("a", 1, requested_minor=200, decided_at=at(9)),
        asked("a", 2, requested_minor=400), asked("a", 3, requested_minor=800), asked("a", 60, requested_minor=1),
    ]  # fmt: skip
    found = find_velocity(read_requests(applications(*rows)))
    assert found.in_flight.tolist() == [0, 0, 1, 2, 0]
    assert found.in_flight_minor.tolist() == [0, 0, 200, 600, 0]


# --- burden -----------------------------------------------------------------------------------------------------------


def _line(name: str, product: str, opened: str, **facts: object) -> dict[str, object]:
    return {"account_id": name, "borrower_id": "a", "product": product, "opened_on": day(opened), **facts}


def test_lines_open_before_the_day_are_added_up_as_the_last_statement_shows_them() -> None:
    tables = {
        "accounts": accounts(
            _line("card", "card", "2020-01-01", limit_minor=900),
            _line("closed", "card", "2020-01-01", closed_on=day("2024-02-10")),
            _line("later", "card", "2024-03-01"),  # the day of the application itself
            _line("new", "bnpl", "2024-02-20", limit_minor=500),
        ),
        "periods": periods(("card", "2024-01", 1, 2, 3, 4), ("card", "2024-02", 600, 1_000, 70, 0),
                           ("card", "2024-03", 9_999, 9_999, 9_999, 99)),
    }  # fmt: skip
    found = find_burden(read_requests(applications(asked("a", 0, requested_minor=10_000))), tables, "UTC")
    assert (found.lines[0], found.new_lines[0], found.overdue[0]) == (2, 1, 0)
    assert found.promised_minor[0] == 1_000 + 500
    assert found.owed_minor[0] == 600 + 500
    assert found.service_minor[0] == 70 + MINIMUM_SHARE * 500
    assert found.service_after_minor[0] == found.service_minor[0] + MINIMUM_SHARE * 10_000


def test_a_loan_asks_for_its_instalment_and_a_new_one_for_an_annuity() -> None:
    tables = {
        "accounts": accounts(_line("loan", "cash", "2023-10-01", principal_minor=1_200)),
        "periods": periods(("loan", "2024-02", 800, None, None, 0)),
        "instalments": pa.table(
            {"account_id": ["loan", "loan"], "due_on": [day("2024-03-10"), day("2024-04-10")], "due_minor": [110, 111]}
        ),
    }
    asks = read_requests(applications(asked("a", 0, product="cash", requested_minor=100_000)))
    found = find_burden(asks, tables, "UTC")
    assert found.service_minor[0] == 110
    worth = sum((found.service_after_minor[0] - 110) / (1 + LOAN_RATE_MONTHLY) ** k for k in range(1, LOAN_MONTHS + 1))
    assert worth == pytest.approx(100_000)  # the payments are worth what is lent


def test_a_line_written_off_asks_for_all_of_it_and_stays_overdue() -> None:
    tables = {
        "accounts": accounts(_line("lost", "card", "2020-01-01", status="charged_off")),
        "periods": periods(("lost", "2023-06", 700, 1_000, 80, 200)),
    }
    found = find_burden(read_requests(applications(asked("a", 0))), tables, "UTC")
    assert (found.lines[0], found.overdue[0], found.service_minor[0], found.promised_minor[0]) == (1, 1, 700, 700)


def test_a_line_without_a_known_balance_makes_the_sums_unknown_not_smaller() -> None:
    tables = {
        "accounts": accounts(_line("card", "card", "2020-01-01"), _line("fine", "card", "2020-01-01", limit_minor=1)),
        "periods": periods(("fine", "2024-02", 5, 10, 1, 0), ("card", "2024-02", None, None, None, None)),
    }
    found = find_burden(read_requests(applications(asked("a", 0))), tables, "UTC")
    assert found.lines[0] == 2
    assert np.isnan([found.service_minor[0], found.owed_minor[0], found.promised_minor[0]]).all()


def test_nobody_has_no_lines_where_no_lines_are_told() -> None:
    found = find_burden(read_requests(applications(asked("a", 0))), {}, "UTC")
    assert np.isnan(found.lines[0])


def test_the_newest_report_of_an_outside_line_counts_and_hides_nothing() -> None:
    rows = [("l1", "2024-01-31", 100), ("l1", "2024-02-28", 300), ("l1", "2024-03-20", 9_000), ("l2", "2024-02-28", 50)]
    lines = pa.table(
        {
            "borrower_id": ["a"] * 4, "lender_token": ["x"] * 4, "line_token": [r[0] for r in rows],
            "as_of": [day(r[1]) for r in rows], "product": ["card"] * 4, "opened_on": [day("2020-01-01")] * 4,
            "limit_minor": [1_000] * 4, "balance_minor": [r[2] for r in rows], "dpd_low": [0] * 4, "dpd_high": [0] * 4,
        }
    )  # fmt: skip
    table = applications(asked("a", 0), x_lines_declared=pa.array([0]))
    found = find_burden(read_requests(table), {"tradelines": lines}, "UTC")
    assert (found.lines[0], found.owed_minor[0], found.promised_minor[0]) == (2, 350, 2_000)
    assert found.hidden[0] == 2


def test_inquiries_and_applications_of_thirty_days_are_counted_together() -> None:
    told = events(("inquiry", "a", -5, -5, None), ("inquiry", "a", -45, -45, None), ("inquiry", "a", -5, 5, None))
    found = find_burden(read_requests(applications(asked("a", -10), asked("a", 0))), {"events": told}, "UTC")
    assert found.inquiries.tolist() == [0, 2]
