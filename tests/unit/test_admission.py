"""Which facts may be booked: what cannot have happened is refused, in words that say why."""

from __future__ import annotations

import pytest

from evenkeel.accounts.admission import admit
from evenkeel.accounts.facts import AccountFact, read_fact
from evenkeel.accounts.products.reading import shipped
from evenkeel.kernel.errors import InvalidInput

Record = dict[str, object]
BANK: Record = {"funder_id": "bank", "share": 70}


def opened(product: str = "pay_later", on: str = "2024-05-01", **more: object) -> Record:
    return {"fact_id": "o", "kind": "opened", "effective_on": on, "product": product, **more}


def fact(name: str, kind: str, on: str, amount: int | None = None, **more: object) -> Record:
    money = {} if amount is None else {"amount_minor": amount}
    return {"fact_id": name, "kind": kind, "effective_on": on, **money, **more}


def facts(*records: Record) -> list[AccountFact]:
    return [read_fact(record) for record in records]


def line_history() -> list[AccountFact]:
    """A card with a purchase, a hold, a payment, and one taken back in part."""
    return facts(
        opened(product="card"), fact("p", "purchase", "2024-05-03", 100_000), fact("h", "hold", "2024-05-04", 5_000),
        fact("x", "payment", "2024-06-03", 30_000), fact("cb", "chargeback", "2024-06-10", 10_000, of="x"),
    )  # fmt: skip


def loan_history() -> list[AccountFact]:
    return facts(opened(product="cash_loan"), fact("d", "disbursement", "2024-05-02", 1_200_000))


REFUSED_OF_LINES = [
    (fact("p", "payment", "2024-06-20", 1), "payment p has the id of another fact of this account"),
    (opened() | {"fact_id": "o2"}, "opened o2: the account is open already"),
    (fact("n", "purchase", "2024-04-30", 1), "took effect on 2024-04-30; the account was opened on 2024-05-01"),
    (fact("n", "disbursement", "2024-06-20", 1), "disbursement n: card is a line"),
    (fact("n", "due_date_moved", "2024-06-20"), "due_date_moved n lacks both `to_due_on` and `due_day`"),
    (fact("n", "reversal", "2024-06-20", reversal_of="no"), "n reverses no, which is not a fact of this account"),
    (fact("n", "reversal", "2024-06-02", reversal_of="x"), "n takes effect on 2024-06-02, before x on 2024-06-03"),
    (fact("n", "reversal", "2024-06-20", reversal_of="o"), "an opening is not reversed"),
    (fact("n", "payment_holiday", "2024-06-20", until="2024-06-19"), "`until` is 2024-06-19, before the"),
    (fact("n", "interest_paused", "2024-06-20", until="2024-06-19"), "`until` is 2024-06-19"),
    (fact("n", "settlement", "2024-06-20", 1, by="2024-06-19"), "`by` is 2024-06-19"),
    (fact("n", "hold", "2024-06-20", 1, expires_on="2024-06-19"), "`expires_on` is 2024-06-19"),
    (fact("n", "re_age", "2024-06-20", instalments=3, first_due_on="2024-06-19"), "`first_due_on` is 2024-06-19"),
    (fact("n", "hold_released", "2024-06-20", hold_id="p"), "`hold_id` is 'p', which is no hold that stands"),
    (fact("n", "purchase", "2024-06-20", 1, hold_id="h9"), "`hold_id` is 'h9', which is no hold"),
    (fact("n", "chargeback", "2024-06-20", 1, of="h"), "`of` is 'h', which is no payment that stands in this account"),
    (fact("n", "chargeback", "2024-06-20", 20_001, of="x"), "x, which is 30000, of which 10000 was taken"),
    (fact("n", "instalment_plan", "2024-06-20", 1_000, instalments=6), "instalment_plan n says no price"),
    (fact("n", "instalment_plan", "2024-06-20", 1_000, instalments=6, rate_annual="0.1", fee_rate_per_period="0.01"),
     "has both `fee_rate_per_period` and `rate_annual`"),
    (fact("n", "instalment_plan", "2024-05-20", 100_001, instalments=6, rate_annual="0"),
     "`amount_minor` is 100001, above what is owed for purchases on 2024-05-20, which is 100000"),
    (fact("n", "waiver", "2024-05-20", 1, component="fee"), "above the fee owed on 2024-05-20, which is 0"),
    (fact("n", "settlement", "2024-05-20", 100_001, by="2024-06-30"), "above what is owed on 2024-05-20"),
    (fact("n", "closed", "2024-05-20"), "closed n: 100000 is still owed"),
    (fact("n", "capitalised", "2024-05-20"), "capitalised n: no cost is billed and unpaid on 2024-05-20"),
    (fact("n", "carried", "2024-06-20", component="fee"), "carried n: no fee is billed and unpaid on 2024-06-20"),
    (fact("n", "re_amortise", "2024-06-20"), "re_amortise n: no instalment is to come on 2024-06-20"),
    (fact("n", "term_extended", "2024-06-20", instalments=2), "term_extended n: no instalment is to come"),
    (fact("n", "re_age", "2024-05-02", instalments=2, first_due_on="2024-06-20"), "re_age n: no principal is owed"),
]  # fmt: skip


@pytest.mark.parametrize("record, said", REFUSED_OF_LINES)
def test_what_cannot_have_happened_to_a_line_is_refused(record: Record, said: str) -> None:
    [new] = facts(record)
    with pytest.raises(InvalidInput) as refused:
        admit(shipped("card"), line_history(), new)
    assert said in refused.value.message


REFUSED_OF_LOANS = [
    (fact("n", "purchase", "2024-06-20", 1), "cash_loan is a loan, which has no purchase"),
    (fact("n", "instalment_plan", "2024-06-20", 1, instalments=3, rate_annual="0"), "which has no instalment_plan"),
    (fact("n", "limit_changed", "2024-06-20", limit_minor=1), "which has no limit_changed"),
    (fact("n", "payment", "2024-05-01", 1), "payment n on 2024-05-01 would come before any disbursement"),
    (fact("n", "waiver", "2024-06-20", 18_001, component="interest"), "interest owed on 2024-06-20, which is 18000"),
    (fact("n", "closed", "2024-06-20"), "is still owed"),
    (fact("n", "payment_holiday", "2025-09-20", until="2025-10-20"), "payment_holiday n: "),
]  # fmt: skip


@pytest.mark.parametrize("record, said", REFUSED_OF_LOANS)
def test_what_cannot_have_happened_to_a_loan_is_refused(record: Record, said: str) -> None:
    [new] = facts(record)
    with pytest.raises(InvalidInput) as refused:
        admit(shipped("cash_loan"), loan_history(), new)
    assert said in refused.value.message


@pytest.mark.parametrize(
    "record, product, said",
    [
        (opened(product="cash_loan", limit_minor=1), "cash_loan", "`limit_minor` is of lines; cash_loan is a loan"),
        (opened(product="cash_loan", statement_day=3), "cash_loan", "`statement_day` is of lines"),
        (opened(principal_minor=1), "pay_later", "`principal_minor` is of loans; pay_later is a line"),
        (opened(instalments=3), "pay_later", "`instalments` is of loans"),
        (opened(first_due_on="2024-06-01"), "pay_later", "`first_due_on` is of loans"),
        (opened(product="cash_loan", first_due_on="2024-04-01"), "cash_loan", "`first_due_on` is 2024-04-01, before"),
        (opened(funders=[BANK, BANK]), "pay_later", "`funders` names bank twice"),
        (opened(product="grace_period", instalments=3), "grace_period", "does not fit grace_period: `grace_"),
        (fact("p", "payment", "2024-05-01", 1), "pay_later", "payment p is the first fact of the account"),
    ],
)  # fmt: skip
def test_an_opening_that_its_product_cannot_have_is_refused(record: Record, product: str, said: str) -> None:
    [new] = facts(record)
    with pytest.raises(InvalidInput) as refused:
        admit(shipped(product), [], new)
    assert said in refused.value.message


@pytest.mark.parametrize(
    "ended, kinds",
    [
        (fact("e", "charge_off", "2024-07-01"), ("purchase", "fee", "charge_off", "rate_changed", "waiver")),
        (fact("e", "sale", "2024-07-01", price_minor=1, buyer_id="B"), ("purchase", "sale", "settlement", "closed")),
    ],
)
def test_after_its_end_an_account_takes_money_and_nothing_else(ended: Record, kinds: tuple[str, ...]) -> None:
    card, history = shipped("card"), line_history() + facts(ended)
    more = {"waiver": {"component": "fee"}, "rate_changed": {"rate_annual": "0"}, "settlement": {"by": "2024-09-01"},
            "sale": {"price_minor": 1, "buyer_id": "C"}}  # fmt: skip
    for kind in kinds:
        amount = None if kind in ("charge_off", "rate_changed", "sale", "closed") else 1
        [new] = facts(fact("n", kind, "2024-08-01", amount, **more.get(kind, {})))
        with pytest.raises(InvalidInput, match=r"the account is (charged off|sold) on 2024-08-01"):
            admit(card, history, new)
    for kind in ("payment", "recovery", "guarantor_payment"):
        [new] = facts(fact("n", kind, "2024-08-01", 1))
        admit(card, history, new)


def test_a_ledger_records_what_happened_even_where_a_limit_was_passed() -> None:
    history = facts(opened(limit_minor=1_000))
    admit(shipped("pay_later"), history, facts(fact("p", "purchase", "2024-05-02", 999_999))[0])
