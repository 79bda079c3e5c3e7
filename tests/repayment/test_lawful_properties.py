"""What holds of the claims of any case."""

from __future__ import annotations

import random
from dataclasses import asdict
from datetime import date
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lawful_samples import AS_OF, cases, debts
from msgspec.structs import replace

from evenkeel.kernel.text import LANGUAGES
from evenkeel.repayment.case import Between, Case, Household
from evenkeel.repayment.facts.doubts import doubts
from evenkeel.repayment.law.creditor import waivable
from evenkeel.repayment.law.duplicates import owed
from evenkeel.repayment.law.essentials import essentials
from evenkeel.repayment.law.lawful import CHARGES, claims
from evenkeel.repayment.law.routes import causes_of, routes
from evenkeel.repayment.law.rules import shipped
from evenkeel.repayment.law.told import Told, told
from evenkeel.repayment.law.words import asked, warned

many = settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@many
@given(cases)
def test_a_cut_never_raises_and_nothing_is_below_zero(found: Case) -> None:
    for claim in claims(found)[0]:
        parts = [claim.fees_minor, claim.penalty_minor, claim.interest_minor, claim.principal_minor, claim.rate_micros]
        assert min(parts) >= 0 and all(cut.amount_minor > 0 for cut in claim.cuts)
        assert claim.rate_told_micros is None or claim.rate_micros <= claim.rate_told_micros
        if claim.merged:
            continue
        said = told(found, next(debt for debt in found.debts if debt.id == claim.debt_id))
        assert isinstance(said, Told)
        cut = sum(one.amount_minor for one in claim.cuts)
        disputed = next(debt.disputed for debt in found.debts if debt.id == claim.debt_id) == "fees"
        apart = (said.parts["fees"] + said.parts["penalty"]) if disputed else 0
        assert claim.balance_minor == said.balance_minor - apart - cut


@many
@given(cases)
def test_every_cut_is_by_a_rule_that_was_read(found: Case) -> None:
    rules = shipped().rules
    for claim in claims(found)[0]:
        for cut in claim.cuts:
            assert rules[cut.rule].read and (cut.component in CHARGES or rules[cut.rule].kind == "advance_interest")
        for key, rule in claim.warnings:
            assert key != "repay.warn.rate_capped" or rules[rule].read


@many
@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_debts_does_not_matter(found: Case, chance: random.Random) -> None:
    mixed = list(found.debts)
    chance.shuffle(mixed)
    assert claims(replace(found, debts=tuple(mixed))) == claims(found)


@many
@given(cases)
def test_a_claim_is_at_least_what_is_told_less_what_is_cut(found: Case) -> None:
    for claim in claims(found)[0]:
        group = [debt for debt in found.debts if debt.id in (claim.debt_id, *claim.merged)]
        if any(debt.disputed == "fees" for debt in group):
            continue
        assert claim.balance_minor + sum(cut.amount_minor for cut in claim.cuts) >= max(owed(one) or 0 for one in group)


@many
@given(cases)
def test_waivers_stay_within_parts_policy_and_authority(found: Case) -> None:
    for claim in claims(found)[0]:
        most = waivable(claim)
        for name, amount in most.items():
            assert 0 <= amount <= getattr(claim, f"{name}_minor") * claim.policy.waivers.get(name, 0) + 1e-6 * 10**13
        for one in claim.policy.authority:
            assert one.role == found.role and sum(most.values()) <= one.most_minor


@many
@given(cases)
def test_a_plan_is_never_longer_than_policy_law_and_horizon(found: Case) -> None:
    for claim in claims(found)[0]:
        assert 1 <= claim.most_months <= 60 and claim.policy.most_months == claim.most_months
        assert all(months <= claim.most_months for months in claim.policy.terms)


def _times_ten(value: object) -> object:
    """Amounts times ten, wherever they stand."""
    if isinstance(value, Between):
        return Between(10 * value.low_minor, 10 * value.high_minor)
    if isinstance(value, msgspec.Struct):
        fields = {name: getattr(value, name) for name in value.__struct_fields__}
        return replace(value, **{
            name: 10 * one if name.endswith("_minor") and isinstance(one, int) else _times_ten(one)
            for name, one in fields.items()
        })  # fmt: skip
    return tuple(map(_times_ten, value)) if isinstance(value, tuple) else value


@many
@given(debts(0))
def test_ten_times_the_amounts_are_ten_times_the_claims(debt: object) -> None:
    one = Case(case_id="c", as_of=AS_OF, household=Household(), debts=(debt,))  # type: ignore[arg-type]
    ten = replace(one, debts=_times_ten(one.debts))
    small, large = claims(one)[0], claims(ten)[0]
    if len(small) != len(large):  # a cut below half a minor unit rounds to nothing
        assert sum(claim.balance_minor for claim in large) <= 10
        return
    for a, b in zip(small, large, strict=True):
        assert a.rate_micros == b.rate_micros and a.warnings == b.warnings
        # Exact where nothing is reckoned by days, else within the rounding of one amount.
        exact = not a.cuts and not b.cuts and debt.balance_minor is not None  # type: ignore[attr-defined]
        assert abs(10 * a.balance_minor - b.balance_minor) <= (0 if exact else 10)


@many
@given(cases)
def test_every_question_and_warning_has_its_sentence_in_every_language(found: Case) -> None:
    claimed, open_ = claims(found)
    open_ = (*open_, *essentials(found).questions, *doubts(found))
    for language in LANGUAGES:
        for one in open_:
            assert asked(one, found.currency, language)
        for claim in claimed:
            for warning in claim.warnings:
                assert warned(warning, language)
    assert all(one.weight_minor >= 0 for one in open_)
    assert routes(found, causes_of(claimed, open_)) is not None
    assert [asdict(claim) for claim in claimed] == [asdict(claim) for claim in claims(found)[0]]


@given(st.dates(date(2019, 8, 20), date(2026, 12, 31)))
def test_the_prime_rate_from_memory_only_falls(day: date) -> None:
    law = shipped()
    assert law.lpr_on(date(2019, 8, 19)) is None
    rate = law.lpr_on(day)
    assert rate is not None and 0.03 <= rate <= 0.0425


HELD = (
    test_a_cut_never_raises_and_nothing_is_below_zero, test_every_cut_is_by_a_rule_that_was_read,
    test_the_order_of_debts_does_not_matter, test_a_claim_is_at_least_what_is_told_less_what_is_cut,
    test_waivers_stay_within_parts_policy_and_authority, test_a_plan_is_never_longer_than_policy_law_and_horizon,
    test_ten_times_the_amounts_are_ten_times_the_claims,
    test_every_question_and_warning_has_its_sentence_in_every_language,
)  # fmt: skip
DRAWN = {
    test_the_order_of_debts_does_not_matter: (cases, st.randoms(use_true_random=False)),
    test_ten_times_the_amounts_are_ten_times_the_claims: (debts(0),),
}


@pytest.mark.prove
@pytest.mark.parametrize("held", HELD, ids=lambda held: held.__name__)
def test_a_thousand_more_of(held: Any) -> None:
    settings(many, max_examples=1000)(given(*DRAWN.get(held, (cases,)))(held.hypothesis.inner_test))()
