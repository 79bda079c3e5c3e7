"""What is lawfully owed, as an analyst would work it out by hand."""

from __future__ import annotations

from dataclasses import replace as with_
from datetime import date, timedelta

import pytest
from lawful_samples import AS_OF, card, case, only, private, questions
from msgspec.structs import replace

from evenkeel.repayment.case import Authority, Between, Debt, Payment, Policy
from evenkeel.repayment.law.creditor import terms_of, waivable
from evenkeel.repayment.law.lawful import claims, supporting
from evenkeel.repayment.law.rules import shipped
from evenkeel.repayment.model import HORIZON, Cut

# --------------------------------------------------------------------------------------- the cap on private lending


def test_private_interest_above_four_times_the_prime_rate_is_cut_and_the_rate_is_lowered() -> None:
    claim = only(case(private()))
    # A year at 4 x 3 % on 10,000.00 is 1,200.00; 3,600.00 is asked for.
    assert claim.cuts == (Cut("interest", 240_000, "CN-RATE-4LPR"),)
    assert (claim.interest_minor, claim.principal_minor, claim.rate_micros) == (120_000, 1_000_000, 120_000)
    assert ("repay.warn.rate_capped", "CN-RATE-4LPR") in claim.warnings
    assert claim.rate_told_micros == 360_000


def test_fees_and_penalty_go_before_interest() -> None:
    claim = only(case(private(fees_minor=50_000, penalty_minor=30_000, interest_minor=100_000)))
    assert claim.cuts == (Cut("fees", 50_000, "CN-RATE-4LPR"), Cut("penalty", 10_000, "CN-RATE-4LPR"))
    assert claim.balance_minor == 1_120_000


def test_at_the_cap_nothing_is_cut_and_one_fen_above_it_is() -> None:
    assert only(case(private(rate_annual=0.12, interest_minor=120_000))).cuts == ()
    above = only(case(private(rate_annual=0.12, interest_minor=120_001)))
    assert above.cuts == (Cut("interest", 1, "CN-RATE-4LPR"),)
    assert only(case(private(rate_annual=0.120001, interest_minor=0))).rate_micros == 120_000


@pytest.mark.parametrize(("opened_on", "cut"), [(date(2020, 8, 19), False), (date(2020, 8, 20), True)])
def test_the_cap_binds_contracts_from_20_august_2020(opened_on: date, cut: bool) -> None:
    found = case(private(opened_on=opened_on, interest_minor=4_000_000))
    assert bool(only(found).cuts) is cut
    # Of earlier contracts the lines of that time are from memory: a question.
    assert bool(questions(found, "rule_unread")) is not cut


def test_what_was_paid_counts_against_the_cap() -> None:
    paid = replace(private(), paid_minor=100_000, interest_minor=100_000)
    # At most 10,000.00 + 1,200.00 in all, of which 1,000.00 are paid: 10,200.00 are left.
    claim = only(case(paid))
    assert claim.balance_minor == 1_020_000


def test_what_was_paid_above_the_cap_is_asked_about_and_never_taken_off_the_principal() -> None:
    found = case(private(paid_minor=900_000, interest_minor=0))
    assert only(found).principal_minor == 1_000_000
    (asked,) = questions(found, "overpaid")
    assert (asked.values or {})["cut_minor"] == 780_000


def test_of_payments_that_nobody_tells_charges_are_still_held_to_the_whole_time() -> None:
    assert only(case(private(paid_minor=None, interest_minor=120_000))).cuts == ()
    claim = only(case(private(paid_minor=None, interest_minor=120_001)))
    assert claim.cuts == (Cut("interest", 1, "CN-RATE-4LPR"),)


def test_without_the_prime_rate_nothing_is_cut_and_the_question_says_what_it_would_be() -> None:
    found = case(private(lpr_annual=None))
    claim = only(found)
    assert (claim.cuts, claim.rate_micros, claim.interest_minor) == ((), 360_000, 360_000)
    (asked,) = questions(found, "rule_lpr")
    assert asked.about == "debts.p.lpr_annual"
    assert (asked.values or {})["cut_minor"] == 240_000 and asked.weight_minor > 0


def test_without_the_day_of_the_contract_nothing_is_cut() -> None:
    found = case(private(opened_on=None))
    assert only(found).cuts == () and questions(found, "rule_opened")


def test_without_what_was_lent_the_rate_is_capped_and_what_accrued_is_asked_about() -> None:
    found = case(private(lent_minor=None, paid_minor=None))
    claim = only(found)
    assert (claim.rate_micros, claim.cuts) == (120_000, ())
    assert questions(found, "rule_lent")


@pytest.mark.parametrize("lender", ["bank_card", "bank_loan", "consumer_finance", "micro_loan"])
def test_licensed_lenders_are_not_bound_by_the_cap_on_private_lending(lender: str) -> None:
    found = case(private(lender_type=lender, opened_on=date(2024, 1, 1), rate_annual=10.0))
    assert only(found).cuts == () and not questions(found, "rule_scope")


@pytest.mark.parametrize("lender", ["platform", "debt_buyer", "other"])
def test_of_lenders_who_may_be_unlicensed_it_is_asked_who_lent(lender: str) -> None:
    found = case(private(lender_type=lender, opened_on=date(2024, 1, 1)))
    assert only(found).cuts == () and questions(found, "rule_scope")


def test_an_assigned_debt_follows_the_law_of_its_first_lender() -> None:
    bought = private(lender_type="debt_buyer", original_creditor="neighbour", original_lender_type="private")
    assert only(case(bought)).cuts


def test_a_court_has_decided_and_its_figures_stand() -> None:
    claim = only(case(private(stage="judgement")))
    assert (claim.cuts, claim.rate_micros) == ((), 360_000)
    assert ("repay.warn.judgement", "") in claim.warnings


@pytest.mark.parametrize(("rate", "asked"), [(0.24, False), (0.240001, True), (0.36, True), (10.0, True)])
def test_twenty_four_percent_on_an_aided_loan_is_an_interpretation_and_asked_about(rate: float, asked: bool) -> None:
    loan = card(lender_type="platform", rate_annual=rate, opened_on=date(2025, 10, 1), original_lender_type="bank_loan")
    assert bool(questions(case(loan), "rule_unread")) is asked
    assert only(case(loan)).rate_micros == round(rate * 1_000_000)
    before = replace(loan, opened_on=date(2025, 9, 30))
    assert not questions(case(before), "rule_unread")


def test_a_card_at_a_thousand_percent_is_shown_as_it_is() -> None:
    claim = only(case(card(rate_annual=10.0)))
    assert (claim.rate_micros, claim.all_in_annual, claim.cuts) == (10_000_000, 10.0, ())


def test_a_debt_of_one_fen_is_a_claim_of_one_fen() -> None:
    assert only(case(card(balance_minor=1))).balance_minor == 1


def test_elsewhere_the_caps_of_china_say_nothing() -> None:
    for place in ("US", "UK", "FR", "BR"):
        found = case(private(), jurisdiction=place)
        assert only(found).cuts == () and not [one for one in claims(found)[1] if "rule_" in one.key]


# -------------------------------------------------------------------------------------------- interest taken in advance


@pytest.mark.parametrize("lender", ["private", "micro_loan", "bank_loan"])
def test_interest_taken_in_advance_is_not_principal(lender: str) -> None:
    debt = private(lender_type=lender, received_minor=900_000, interest_minor=0, rate_annual=0.1)
    assert only(case(debt)).cuts == (Cut("principal", 100_000, "CN-ADV-670"),)


def test_in_advance_before_the_civil_code_is_from_memory_and_asked_about() -> None:
    debt = private(received_minor=900_000, opened_on=date(2020, 12, 31), interest_minor=0, rate_annual=0.1)
    assert only(case(debt)).cuts == () and questions(case(debt), "rule_unread")
    later = replace(debt, opened_on=date(2021, 1, 1))
    assert only(case(later)).cuts == (Cut("principal", 100_000, "CN-ADV-670"),)


def test_a_balance_without_parts_may_hold_later_interest_so_that_nothing_is_cut() -> None:
    debt = Debt("m", "shop", "micro_loan", balance_minor=1_200_000, rate_annual=0.1, received_minor=900_000,
                opened_on=date(2024, 1, 1))  # fmt: skip
    found = case(debt)
    assert only(found).cuts == () and questions(found, "rule_lent")


def test_the_cap_is_reckoned_on_what_was_received() -> None:
    claim = only(case(private(received_minor=900_000)))
    assert claim.cuts == (Cut("principal", 100_000, "CN-ADV-670"), Cut("interest", 252_000, "CN-RATE-4LPR"))


# --------------------------------------------------------------------------------------------------- what is told of it


def test_a_balance_alone_is_principal_and_said_so() -> None:
    claim = only(case(card()))
    assert (claim.principal_minor, claim.interest_minor) == (800_000, 0)
    assert ("repay.warn.balance_only", "") in claim.warnings


def test_what_exceeds_the_amount_lent_is_interest() -> None:
    claim = only(case(card(lent_minor=500_000)))
    assert (claim.principal_minor, claim.interest_minor) == (500_000, 300_000)


def test_the_missing_part_is_what_the_others_leave_of_the_balance() -> None:
    claim = only(case(card(fees_minor=10_000, penalty_minor=20_000, principal_minor=700_000)))
    assert (claim.fees_minor, claim.penalty_minor, claim.interest_minor) == (10_000, 20_000, 70_000)


@pytest.mark.parametrize(("principal", "total"), [(700_000, 800_000), (900_000, 900_000)])
def test_parts_that_contradict_the_balance_are_asked_about_and_the_higher_is_taken(principal: int, total: int) -> None:
    debt = card(principal_minor=principal, interest_minor=0, fees_minor=0, penalty_minor=0)
    assert only(case(debt)).balance_minor == total
    (asked,) = questions(case(debt), "parts_sum")
    assert asked.values == {"balance_minor": 800_000, "sum_minor": principal}


def test_principal_without_what_accrued_on_it_is_not_taken_for_all() -> None:
    debt = card(balance_minor=None, principal_minor=365_000, rate_annual=0.10, days_past_due=46)
    # 46 days at one and a half times, and a month not billed yet: 100 days at 1.00 a day.
    assert only(case(debt)).interest_minor == 10_000
    assert questions(case(debt), "accrued")


def test_without_a_balance_there_is_a_blocking_question_and_no_claim() -> None:
    found, asked = claims(case(card(balance_minor=None), card(id="j")))
    assert [one.debt_id for one in found] == ["j"]
    assert (asked[0].about, asked[0].blocking) == ("debts.k.balance_minor", True)


def test_a_range_is_taken_at_its_high_end_and_asked_about() -> None:
    found = case(card(balance_minor=Between(720_000, 1_080_000)))
    assert only(found).balance_minor == 1_080_000
    assert [one.weight_minor for one in questions(found, "between")] == [10_000]  # 3,600.00 over 36 months


@pytest.mark.parametrize(("lender", "rate"), [("bank_card", 182_500), ("platform", 240_000), ("bank_loan", 182_500)])
def test_a_rate_that_is_not_known_is_never_zero(lender: str, rate: int) -> None:
    found = case(card(lender_type=lender, rate_annual=None))
    claim = only(found)
    assert (claim.rate_micros, claim.rate_told_micros, claim.all_in_how) == (rate, None, "assumed")
    assert questions(found, "rate")[0].weight_minor > 0


def test_a_rate_of_zero_is_known() -> None:
    found = case(card(rate_annual=0.0))
    assert only(found).rate_micros == 0 and not questions(found, "rate")


# ---------------------------------------------------------------------------------------------------------- all-in cost


def test_all_in_cost_from_what_moved() -> None:
    # 10,000.00 received, 1,000.00 a month paid, 25.00 owed at the end: the rate of equal periods.
    start = date(2025, 11, 20)
    payments = tuple(Payment(date(2025 + (10 + m) // 12, (10 + m) % 12 + 1, 20), 100_000) for m in range(1, 12))
    debt = card(lent_minor=1_000_000, opened_on=start, payments=payments, balance_minor=2_500, rate_annual=None)
    claim = only(case(debt))
    assert claim.all_in_how == "flows" and claim.all_in_annual is not None
    worth = 1_000_000 - sum(100_000 / (1 + claim.all_in_annual / 12) ** m for m in range(1, 12))
    assert abs(worth - 2_500 / (1 + claim.all_in_annual / 12) ** 12) < 0.01


def test_all_in_cost_from_rate_and_fees_over_the_time() -> None:
    debt = card(principal_minor=730_000, balance_minor=None, interest_minor=0, fees_minor=36_500, penalty_minor=36_500,
                rate_annual=0.18, opened_on=AS_OF - timedelta(days=730))  # fmt: skip
    claim = only(case(debt))
    assert (claim.all_in_how, claim.all_in_annual) == ("rate_and_fees", pytest.approx(0.18 + 0.1 / 2))
    assert only(case(replace(debt, opened_on=None))).all_in_how == "rate"


# ----------------------------------------------------------------------------------------------------------- limitation


@pytest.mark.parametrize(
    ("days_late", "payment", "demand", "warned"),
    [
        (1_096, None, date(2020, 1, 1), False),  # the day three years after 20 November 2023
        (1_097, None, date(2020, 1, 1), True),
        (2_000, date(2023, 11, 20), date(2020, 1, 1), False),
        (2_000, date(2023, 11, 19), date(2020, 1, 1), True),
        (2_000, date(2020, 1, 1), date(2023, 11, 20), False),
        (2_000, date(2020, 1, 1), date(2023, 11, 19), True),
        (0, date(2020, 1, 1), None, False),
    ],
)
def test_limitation_runs_three_years_from_the_last_of_what_extends_it(
    days_late: int, payment: date | None, demand: date | None, warned: bool
) -> None:
    found = case(card(days_past_due=days_late, last_payment_on=payment, last_demand_on=demand))
    claim = only(found)
    assert (("repay.warn.limitation", "CN-LIMIT-3Y") in claim.warnings) is warned
    assert bool(questions(found, "limitation")) is warned
    assert claim.balance_minor == 800_000  # it is still a debt


def test_where_nobody_says_when_it_was_demanded_the_warning_says_so() -> None:
    claim = only(case(card(days_past_due=1_200)))
    assert ("repay.warn.limitation_unless_demanded", "CN-LIMIT-3Y") in claim.warnings


def test_a_leap_day_ends_on_the_last_of_february() -> None:
    debt = card(days_past_due=2_000, last_payment_on=date(2020, 2, 29), last_demand_on=date(2019, 1, 1))
    (asked,) = questions(case(debt, as_of=date(2023, 3, 1)), "limitation")
    assert (asked.values or {})["until"] == "2023-02-28"
    assert not questions(case(debt, as_of=date(2023, 2, 28)), "limitation")


def test_in_england_a_demand_does_not_extend_it_and_scotland_has_its_own() -> None:
    debt = card(days_past_due=2_100, last_demand_on=date(2026, 1, 1))  # five years and nine months
    assert not questions(case(debt, jurisdiction="UK"), "limitation")
    (scots,) = questions(case(debt, jurisdiction="GB-SCT"), "limitation")
    assert (scots.values or {})["rule"] == "UK-LIMIT-5Y"
    (english,) = questions(case(replace(debt, days_past_due=2_200), jurisdiction="UK"), "limitation")
    assert (english.values or {})["rule"] == "UK-LIMIT-6Y"


# ------------------------------------------------------------------------------------------------- duplicates, disputes


def test_a_debt_and_its_assignment_are_one_claim_of_who_holds_it_now() -> None:
    old = card(id="77", creditor="bank", stage="sold", last_demand_on=date(2026, 1, 1))
    new = card(id="n", creditor="buyer", lender_type="debt_buyer", original_creditor="bank", original_id="77",
               balance_minor=900_000)  # fmt: skip
    claim = only(case(old, new))
    assert (claim.debt_id, claim.creditor, claim.merged, claim.balance_minor) == ("n", "buyer", ("77",), 900_000)
    assert ("repay.warn.duplicate", "") in claim.warnings
    (asked,) = questions(case(old, new), "duplicate")
    assert (asked.values or {})["difference_minor"] == 100_000


def test_the_most_that_is_claimed_is_taken_whoever_claims_it() -> None:
    old = card(id="z", balance_minor=950_000)
    new = card(id="n", creditor="buyer", original_creditor="bank", original_id="z", rate_annual=0.24)
    claim = only(case(old, new))
    assert (claim.debt_id, claim.creditor, claim.balance_minor, claim.rate_micros) == ("n", "buyer", 950_000, 240_000)
    less = replace(old, id="a")
    assert only(case(less, replace(new, original_id="a"))).balance_minor == 950_000


def test_two_who_say_they_bought_one_debt_are_one_claim() -> None:
    one = card(id="a", creditor="buyer", original_creditor="bank", original_id="77")
    two = card(id="b", creditor="other", original_creditor="bank", original_id="77", balance_minor=700_000)
    assert only(case(one, two)).merged == ("b",)
    assert len(claims(case(one, replace(two, original_id="78")))[0]) == 2


def test_of_a_debt_without_its_old_number_it_is_asked_whether_it_is_the_same() -> None:
    old, new = card(id="77"), card(id="n", creditor="buyer", original_creditor="bank")
    assert len(claims(case(old, new))[0]) == 2
    assert questions(case(old, new), "maybe_duplicate")[0].weight_minor == 800_000 // 36


@pytest.mark.parametrize("disputed", ["all", "identity", "amount"])
def test_a_disputed_debt_is_kept_apart(disputed: str) -> None:
    found, asked = claims(case(card(disputed=disputed)))
    assert found == () and [one.key for one in asked] == ["repay.ask.disputed"]


def test_of_disputed_fees_only_these_are_kept_apart() -> None:
    found = case(card(fees_minor=50_000, penalty_minor=0, interest_minor=0, disputed="fees"))
    assert only(found).balance_minor == 750_000 and questions(found, "disputed_fees")


def test_closed_and_empty_debts_make_no_claim() -> None:
    assert claims(case(card(stage="closed"), card(id="j", balance_minor=0)))[0] == ()


# -------------------------------------------------------------------------------------------- what a creditor agrees to


def test_a_policy_is_found_by_creditor_then_type_then_for_all() -> None:
    by = {"bank": Policy(most_months=6), "bank_card": Policy(most_months=7), "*": Policy(most_months=8)}
    assert only(case(card(), policies=by)).most_months == 6
    assert only(case(card(creditor="other"), policies=by)).most_months == 7
    assert only(case(card(creditor="other", lender_type="bank_loan"), policies=by)).most_months == 8
    unknown = only(case(card()))
    assert ("repay.warn.policy_assumed", "") in unknown.warnings and unknown.policy.recovery is not None


@pytest.mark.parametrize(("months", "warned"), [(60, False), (61, True)])
def test_a_card_is_paid_over_at_most_60_months(months: int, warned: bool) -> None:
    claim = only(case(card(), policies={"*": Policy(most_months=months, terms=(12, 61, 60))}))
    assert claim.most_months == 60 == HORIZON
    assert claim.policy.terms == (12, 60)
    assert (("repay.warn.term_cap", "CN-CARD-070") in claim.warnings) is warned


def test_a_menu_of_terms_that_are_all_too_long_is_asked_about() -> None:
    found = case(card(), policies={"*": Policy(most_months=120, terms=(72, 84))})
    assert only(found).policy.terms == (60,) and questions(found, "no_lawful_term")


def test_waivers_go_up_the_ladder_as_far_as_the_authority_of_the_role() -> None:
    policy = Policy(
        waivers={"fees": 1.0, "penalty": 1.0, "interest": 0.5},
        authority=(Authority("collector", 30_000), Authority("head", 200_000, 0.1)),
    )
    debt = card(fees_minor=20_000, penalty_minor=30_000, interest_minor=100_001)
    asks = {role: waivable(only(case(debt, policies={"*": policy}, role=role))) for role in ("collector", "head")}
    assert asks["collector"] == {"fees": 20_000, "penalty": 10_000, "interest": 0, "principal": 0}
    assert asks["head"] == {
        "fees": 20_000,
        "penalty": 30_000,
        "interest": 30_000,
        "principal": 0,
    }  # a tenth of 8,000.00
    nobody = case(debt, policies={"*": policy}, role="visitor")
    assert sum(waivable(only(nobody)).values()) == 0 and questions(nobody, "authority")
    free = only(case(debt, policies={"*": Policy(waivers=policy.waivers)}))
    assert waivable(free) == {"fees": 20_000, "penalty": 30_000, "interest": 50_000, "principal": 0}


def test_rules_that_support_an_ask_are_those_of_place_and_lender() -> None:
    def ids(ask: str, place: str = "CN", lender: str = "bank_card") -> list[str]:
        found = case(card(lender_type=lender), jurisdiction=place)
        return [rule.id for rule in supporting(found, only(found), ask)]

    assert ids("term") == ["CN-CARD-070", "CN-NFRA-RELIEF-2025"]
    assert ids("term", lender="micro_loan") == []  # article 70 is for credit cards only
    assert ids("waiver") == []
    assert ids("waiver", "FR") == ["EU-CCD2-35"]
    assert ids("rate", "UK") == ["UK-CONC-7.3", "UK-BS"]


# ------------------------------------------------------------------------------------------------------- the law itself


def test_only_rules_that_were_read_can_cut() -> None:
    law = shipped()
    doubted = with_(law, rules={id_: with_(rule, confidence="memory") for id_, rule in law.rules.items()})
    for debt in (private(), private(received_minor=1), card(rate_annual=10.0)):
        found, _ = claims(case(debt), doubted)
        assert found[0].cuts == () and found[0].rate_micros == round((debt.rate_annual or 0) * 1_000_000)


def test_a_rule_is_used_from_its_day_on() -> None:
    debt = card(opened_on=date(2010, 1, 1))
    before = case(debt, as_of=date(2011, 1, 12), policies={"*": Policy(most_months=61)})
    assert "CN-CARD-070" not in {rule for _, rule in only(before).warnings}
    assert "CN-CARD-070" in {rule for _, rule in only(replace(before, as_of=date(2011, 1, 13))).warnings}


def test_terms_need_no_policy() -> None:
    assert terms_of(case(card()), card(), "bank_card", {}, shipped()).most_months == 60


def test_questions_come_heaviest_first() -> None:
    _, asked = claims(case(card(rate_annual=None), card(id="z", balance_minor=None), private(lpr_annual=None)))
    weights = [(not one.blocking, -one.weight_minor) for one in asked]
    assert weights == sorted(weights) and len(asked) >= 3
