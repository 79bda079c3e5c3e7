"""Cases as an analyst writes them, and strategies that draw many."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st

from evenkeel.repayment.case import (
    Authority,
    Between,
    Case,
    Debt,
    Essential,
    Household,
    Income,
    Member,
    OneOff,
    Payment,
    Policy,
    Priority,
    Recovery,
)
from evenkeel.repayment.law.lawful import claims
from evenkeel.repayment.model import Claim, Question

AS_OF = date(2026, 11, 20)


def case(*debts: Debt, **facts: Any) -> Case:
    """A case on AS_OF with these debts, one adult and a known wage."""
    facts = {
        "household": Household(incomes=(Income("wage", amount_minor=600_000, pay_day=8),), savings_minor=0)
    } | facts
    return Case(**({"case_id": "c", "as_of": AS_OF, "debts": debts} | facts))


def private(**facts: Any) -> Debt:
    """10,000.00 lent privately at 36 % a year before the day of the case, nothing paid, the loan prime rate known."""
    told = {
        "id": "p", "creditor": "neighbour", "lender_type": "private", "lent_minor": 1_000_000, "paid_minor": 0,
        "principal_minor": 1_000_000, "interest_minor": 360_000, "fees_minor": 0, "penalty_minor": 0,
        "rate_annual": 0.36, "opened_on": date(2025, 11, 20), "lpr_annual": 0.03,
    }  # fmt: skip
    return Debt(**(told | facts))


def card(**facts: Any) -> Debt:
    """A card with 8,000.00 owed at 18.25 %, 40 days past due."""
    told = {"id": "k", "creditor": "bank", "lender_type": "bank_card", "balance_minor": 800_000, "rate_annual": 0.1825}
    return Debt(**(told | {"days_past_due": 40} | facts))


def only(found: Case) -> Claim:
    """The one claim of a case."""
    (claim,) = claims(found)[0]
    return claim


def questions(found: Case, key: str) -> list[Question]:
    """The questions of a kind that the claims of a case raise."""
    return [one for one in claims(found)[1] if one.key == f"repay.ask.{key}"]


# ---------------------------------------------------------------------------------------------------------- drawn cases

names = st.text("abcdefgh 账户-_.=;", min_size=1, max_size=12)
amounts = st.one_of(st.integers(0, 100), st.integers(0, 10**9), st.integers(10**13 - 5, 10**13))
known = st.one_of(st.none(), amounts, st.tuples(amounts, amounts).map(lambda ends: Between(min(ends), max(ends))))
rates = st.one_of(st.sampled_from([0.0, 0.12, 0.24, 0.36, 10.0, 1000.0]), st.floats(0, 3, allow_subnormal=False))
shares = st.floats(0, 1, allow_subnormal=False)
days = st.dates(date(1990, 1, 1), AS_OF + timedelta(days=400))
lender_types = st.sampled_from(
    ["bank_card", "bank_loan", "consumer_finance", "micro_loan", "platform", "private", "debt_buyer", "other"]
)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(st.none(), strategy)


def debts(number: int) -> st.SearchStrategy[Debt]:
    """Any debt; ids differ by number."""
    return st.builds(
        Debt,
        id=st.just(f"d{number}"), creditor=st.sampled_from(["bank", "wallet", "neighbour", "buyer"]),
        lender_type=lender_types, product=optional(names), balance_minor=known, principal_minor=known,
        interest_minor=known, fees_minor=known, penalty_minor=known, rate_annual=optional(rates), minimum_minor=known,
        due_day=optional(st.integers(1, 31)), days_past_due=optional(st.integers(0, 3_000)),
        stage=st.sampled_from(["open", "charged_off", "sold", "judgement", "closed"]),
        lent_minor=optional(amounts), received_minor=optional(amounts), paid_minor=optional(amounts),
        payments=st.lists(st.builds(Payment, days, amounts), max_size=3).map(tuple), opened_on=optional(days),
        lpr_annual=optional(st.sampled_from([0.03, 0.0385])), last_payment_on=optional(days),
        last_demand_on=optional(days), secured=st.booleans(), guarantor=st.booleans(),
        disputed=st.sampled_from(["", "", "", "amount", "identity", "fees", "all"]), restructured=st.integers(0, 9),
        original_creditor=optional(st.sampled_from(["bank", "wallet"])),
        original_id=optional(st.sampled_from(["d0", "d1", "x"])), original_lender_type=optional(lender_types),
    )  # fmt: skip


policies = st.builds(
    Policy,
    most_months=st.integers(1, 120), terms=st.lists(st.integers(1, 120), max_size=4).map(tuple),
    instalments=st.sampled_from(["level", "stepped", "any"]), minimum_instalment_minor=amounts, upfront_share=shares,
    rates=st.lists(rates, max_size=3).map(tuple),
    waivers=st.dictionaries(st.sampled_from(["fees", "penalty", "interest", "principal"]), shares),
    authority=st.lists(
        st.builds(Authority, names, amounts, shares), max_size=2, unique_by=lambda one: one.role
    ).map(tuple),
    recovery=optional(st.builds(Recovery, shares, st.integers(1, 120), shares)), discount_annual=rates,
    consents=optional(st.booleans()),
)  # fmt: skip
households = st.builds(
    Household,
    members=st.lists(
        st.builds(Member, st.sampled_from(["adult", "child", "elder"]), optional(st.integers(0, 130))), max_size=4
    ).map(tuple),
    incomes=st.lists(
        st.builds(
            Income, names, st.sampled_from(["wage", "gig"]), known, st.lists(amounts, max_size=4).map(tuple),
            optional(st.floats(0, 3)), optional(st.integers(1, 31)),
            optional(st.lists(st.floats(0, 10), min_size=12, max_size=12).map(tuple)),
            st.sampled_from(["verified", "statement", "declared"]), optional(shares), st.none(), optional(days),
        ),
        max_size=3, unique_by=lambda one: one.id,
    ).map(tuple),
    essentials=st.lists(
        st.builds(Essential, st.sampled_from(["food", "housing", "other"]), known, st.integers(1, 31)), max_size=3
    ).map(tuple),
    priority=st.lists(
        st.builds(Priority, st.sampled_from(["rent", "tax", "mortgage"]), known, known, st.integers(1, 31),
                  optional(days)), max_size=2,
    ).map(tuple),
    savings_minor=known, reserve_minor=amounts,
    one_off=st.lists(st.builds(OneOff, days, amounts, st.text("ab 说明;=\n", max_size=10)), max_size=2).map(tuple),
    region=optional(st.sampled_from(["Shanghai", "广东", "nowhere"])),
)  # fmt: skip
cases = st.integers(0, 4).flatmap(
    lambda count: st.builds(
        Case,
        case_id=names, as_of=st.just(AS_OF), currency=st.sampled_from(["CNY", "JPY", "KWD"]),
        jurisdiction=st.sampled_from(["CN", "CN-SZ", "US", "UK", "GB-SCT", "FR", "BR"]), household=households,
        debts=st.tuples(*(debts(number) for number in range(count))),
        policies=st.dictionaries(st.sampled_from(["bank", "platform", "*"]), policies), role=optional(names),
        fairness=optional(st.floats(1, 100)), quantile=st.floats(0.01, 0.5), seed=st.integers(0, 2**62),
    )
)  # fmt: skip
