"""What a line refuses to book, and what a line's product refuses to say: in words that name what is allowed."""

from typing import Any

import pytest

from evenkeel.accounts.admission import admit
from evenkeel.accounts.facts import AccountFact, read_fact
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.products.reading import parse_product, shipped
from evenkeel.kernel.errors import InvalidInput

Said = tuple[Any, ...]


def facts(product: Product, *said: Said) -> list[AccountFact]:
    """Facts from (kind, day, amount or None, other fields), opened on 2024-05-01; ids are kind and place."""
    records: list[dict[str, Any]] = [{"kind": "opened", "effective_on": "2024-05-01", "product": product.product_id}]
    for kind, day, amount, *rest in said:
        fields = rest[0] if rest else {}
        records.append({"kind": kind, "effective_on": day, **({"amount_minor": amount} if amount else {}), **fields})
    return [read_fact({"fact_id": f"{record['kind']}{place}", **record}) for place, record in enumerate(records)]


def book(name: str, *said: Said) -> None:
    """Admit the last fact after the others. Raises InvalidInput if it is refused."""
    product = shipped(name)
    *before, last = facts(product, *said)
    admit(product, before, last)


def refusal(name: str, *said: Said) -> str:
    """The words in which the last fact is refused."""
    with pytest.raises(InvalidInput) as refused:
        book(name, *said)
    return f"{refused.value.message} {refused.value.remedy}"


# ---- Credit --------------------------------------------------------------------------------------------------------

OVERPAID = (("purchase", "2024-05-03", 10_000), ("payment", "2024-05-04", 12_500))


def test_no_more_than_the_credit_balance_is_paid_out() -> None:
    book("card", *OVERPAID, ("disbursement", "2024-05-05", 2_500))
    assert refusal("card", *OVERPAID, ("disbursement", "2024-05-05", 2_501)) == (
        "disbursement disbursement3: card is a line, which pays out no more than its credit balance: `amount_minor` is "
        "2501, the credit balance on 2024-05-05 is 2500. Book what is drawn from the limit as a purchase or a "
        "cash_advance."
    )
    said = refusal("card", *OVERPAID, ("disbursement", "2024-05-05", 2_000), ("disbursement", "2024-05-05", 501))
    assert "the credit balance on 2024-05-05 is 500" in said


@pytest.mark.parametrize("end", [("charge_off", "2024-05-04", None), ("closed", "2024-05-04", None)])
def test_credit_is_paid_out_after_the_end_of_the_line_too(end: Said) -> None:
    said = (("payment", "2024-05-03", 700), end)
    book("card", *said, ("disbursement", "2024-06-05", 700))
    assert "is 700." in refusal("card", *said, ("disbursement", "2024-06-05", 701))


# ---- Closing -------------------------------------------------------------------------------------------------------


def test_a_line_with_interest_counted_and_not_posted_is_closed_once_that_is_paid_too() -> None:
    # 0.05 % a day: 15.00 and 1 % for the advance on 10 days of 1,000.00 from 6 to 15 May.
    cash = ("cash_advance", "2024-05-05", 100_000)
    paid = ("payment", "2024-05-15", 101_000)
    assert refusal("card", cash, paid, ("closed", "2024-05-15", None)) == (
        "closed closed3: 500 is still owed, 500 of it interest counted up to 2024-05-15. Close it once this much more "
        "is paid."
    )
    book("card", cash, paid, ("payment", "2024-05-15", 500), ("closed", "2024-05-15", None))
    assert "100500 is still owed, 500 of it interest" in refusal(
        "card", cash, ("payment", "2024-05-15", 1_000), ("closed", "2024-05-15", None)
    )


def test_a_line_with_an_open_hold_is_not_closed() -> None:
    hold = ("hold", "2024-05-02", 5_000, {"expires_on": "2024-05-09"})
    assert refusal("card", hold, ("closed", "2024-05-03", None)) == (
        "closed closed2: 5000 is held on 2024-05-03. Book `hold_released`, or wait until it expires."
    )
    released = ("hold_released", "2024-05-03", None, {"hold_id": "hold1"})
    book("card", hold, released, ("closed", "2024-05-03", None))
    book("card", hold, ("closed", "2024-05-10", None))  # it expired on the 9th


# ---- What the product does not have --------------------------------------------------------------------------------


def test_no_cash_is_drawn_from_a_line_whose_product_names_no_cash_rate() -> None:
    assert refusal("pay_later", ("cash_advance", "2024-05-03", 100)) == (
        "cash_advance cash_advance1: pay_later has no rate of the segment cash on 2024-05-03, so no cash is drawn from "
        "it. Book a purchase, or open the account with a product whose `rates` name cash, 0 where it is free."
    )
    book("flexible", ("cash_advance", "2024-05-03", 100))


def test_cash_is_drawn_from_the_first_day_of_its_rate_on() -> None:
    text = shipped("card").text.replace('{"rate_annual":"0.1825","segment":"cash"}',
                                        '{"from_on":"2024-05-10","rate_annual":"0","segment":"cash"}')  # fmt: skip
    product = parse_product(text)
    assert product.digest != shipped("card").digest
    opened, cash = facts(product, ("cash_advance", "2024-05-10", 100))
    admit(product, [opened], cash)
    _, early = facts(product, ("cash_advance", "2024-05-09", 100))
    with pytest.raises(InvalidInput, match="no rate of the segment cash on 2024-05-09"):
        admit(product, [opened], early)


@pytest.mark.parametrize("name, value", [("every", 2), ("unit", "weeks")])
def test_a_re_age_of_a_line_is_by_the_month(name: str, value: object) -> None:
    purchase = ("purchase", "2024-05-03", 10_000)
    plan = {"instalments": 3, "first_due_on": "2024-07-01"}
    book("card", purchase, ("re_age", "2024-06-10", None, plan))
    assert refusal("card", purchase, ("re_age", "2024-06-10", None, plan | {name: value})) == (
        f"re_age re_age2: `{name}` is {value}; card is a line, whose instalments fall into its monthly bills. Leave "
        "out `every` and `unit`."
    )


# ---- Grace days ----------------------------------------------------------------------------------------------------


def card(cycle: str, grace_days: int) -> Product:
    """The shipped card with another cycle and other grace days."""
    text = shipped("card").text
    for old, new in (
        ('"due_after_days":20,"statement_day":5', cycle),
        ('"grace_days":3', f'"grace_days":{grace_days}'),
    ):
        assert old in text
        text = text.replace(old, new)
    return parse_product(text)


@pytest.mark.parametrize(
    "cycle, most",
    [
        ('"due_after_days":20,"statement_day":5', 8),  # February has 28 days
        ('"due_after_days":1,"statement_day":31', 27),
        ('"due_after_days":28,"statement_day":5', 0),
        ('"due_after_days":60,"statement_day":5', 0),
        ('"due_day":10,"statement_day":1', 19),
        ('"due_day":1,"statement_day":10', 9),
        ('"due_day":10,"statement_day":10', 0),
    ],
)
def test_grace_days_beyond_the_next_statement_are_refused(cycle: str, most: int) -> None:
    assert card(cycle, most).tolerance.grace_days == most
    with pytest.raises(InvalidInput) as refused:
        card(cycle, most + 1)
    assert (
        f"`tolerance`: `grace_days` is {most + 1}, which goes beyond the statement that follows the due day"
        in refused.value.message
    )
    assert refused.value.remedy == f"Allowed with this `line.cycle`: 0 to {most}."
