"""A small lender: accounts of two products with purchases, payments, holds, plans, and some facts that come late."""

import random
from datetime import date, timedelta

Record = dict[str, object]
START = date(2024, 5, 1)


def lender(accounts: int, days: int, seed: int = 3) -> dict[date, list[Record]]:
    """The facts that are booked on each day; the last days' facts of some accounts reach back."""
    draw = random.Random(seed)
    booked: dict[date, list[Record]] = {START + timedelta(days=place): [] for place in range(days)}
    last = START + timedelta(days=days - 1)
    for number in range(accounts):
        account = f"a{number:04d}"
        opened = START + timedelta(days=draw.randrange(max(1, days // 2)))
        product = draw.choice(["pay_later", "card", "cash_loan"])
        opening: Record = {
            "account_id": account, "borrower_id": f"b{number // 3}", "fact_id": "o", "kind": "opened",
            "effective_on": opened.isoformat(), "product": product, "lender_id": f"l{number % 2}",
        }  # fmt: skip
        kinds = ["purchase", "purchase", "payment", "hold", "cash_advance" if product == "card" else "purchase"]
        if product == "cash_loan":
            kinds = ["payment", "payment", "fee"]
            booked[opened] += [
                {**opening, "instalments": draw.choice([3, 12])},
                {"account_id": account, "fact_id": "d", "kind": "disbursement", "effective_on": opened.isoformat(),
                 "amount_minor": draw.randrange(100_000, 900_000)},
            ]  # fmt: skip
        else:
            booked[opened].append({**opening, "limit_minor": draw.choice([300_000, 1_000_000])})
        for place in range(draw.randrange(2, 6)):
            on = opened + timedelta(days=draw.randrange((last - opened).days + 1))
            known = min(last, on + timedelta(days=draw.choice([0, 0, 0, 9])))
            record: Record = {"account_id": account, "fact_id": f"f{place}", "effective_on": on.isoformat()}
            kind = draw.choice(kinds)
            if draw.random() < 0.15 and kind != "hold":
                record["effective_on"] = (on + timedelta(days=3)).isoformat()  # known before its day
            booked[known].append({**record, "kind": kind, "amount_minor": draw.randrange(1_000, 200_000)})
    return booked
