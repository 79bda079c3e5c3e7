"""A purchase is told what it would come to before it is confirmed, and an old decision is replayed as it was made."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from engine_samples import LENDER, NOW, answers, book, deciders, opening

from evenkeel.accounts.products.reading import parse_product, shipped
from evenkeel.accounts.service import post
from evenkeel.decisions import record
from evenkeel.decisions.engine import situation
from evenkeel.decisions.preview import in_words
from evenkeel.decisions.replay import replay
from evenkeel.decisions.requests import Application, Cost, Event, Purchase, Request
from evenkeel.kernel.text import LANGUAGES, texts
from evenkeel.storage.database import transaction
from evenkeel.storage.workspace import Workspace


def asked(key: str, amount: int, preview: bool = True, account: str = "a1") -> Purchase:
    return Purchase(
        key=key, lender_id=LENDER, borrower_id="b1", account_id=account, amount_minor=amount, preview=preview
    )


def told(url: str, *requests: Request, now: datetime = NOW) -> list[dict]:
    return [json.loads(reply) for reply in answers(url, now, requests)]


def everything(workspace: Workspace) -> list[tuple[object, ...]]:
    """All rows of the tables that a purchase is written to."""

    def rows() -> Iterator[tuple[object, ...]]:
        with transaction(workspace.engine) as connection:
            for table in ("journal", "chain", "decision", "borrower"):
                yield from map(tuple, connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1")))

    return list(rows())


def test_a_preview_decides_the_same_and_leaves_no_trace(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000), opening("a2", "b1", 10, product="card"))
    before = everything(workspace)
    first, again, much = (told(url, asked(*one))[0] for one in (("k1", 60_000), ("k1", 60_000), ("k1", 600_000)))
    assert everything(workspace) == before
    assert first == again and (first["outcome"], first["decision_id"]) == ("approve", None)
    assert "hold_id" not in first and "hold_expires_on" not in first
    assert (much["outcome"], much.get("cost")) == ("decline", None)
    # The key is not used up, and what is decided then is the same, but on record.
    (bought,) = told(url, asked("k1", 60_000, preview=False))
    assert bought["outcome"] == "approve" and bought["decision_id"]
    assert {name: bought["cost"][name] for name in bought["cost"]} == {
        name: first["cost"][name] for name in bought["cost"]
    }
    assert bought["available_minor"] == first["available_minor"] == 40_000
    # Nor does a key that was used decide what is previewed with it.
    (left,) = told(url, asked("k1", 40_000))
    assert (left["outcome"], left["available_minor"], left["cost"]["owed_before_minor"]) == ("approve", 0, 60_000)
    assert told(url, asked("k1", 60_000, preview=False)) == [bought]


def test_a_preview_tells_every_way_to_pay(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000, product="card"))
    (found,) = told(url, asked("k1", 60_000))
    cost = found["cost"]
    assert (cost["cost_minor"], cost["due_on"]) == (0, "2026-03-25")
    assert cost["by_minimum"]["first_minor"] == 10_000 and cost["by_minimum"]["months"] == 8
    assert [one["instalments"] for one in cost["by_instalments"]] == [3, 6, 12, 24]
    assert cost["by_instalments"][0] == {"instalments": 3, "monthly_minor": 20_360, "cost_minor": 1_080}
    assert (
        cost["text"]["en"].startswith("600.00 CNY due 2026-03-25: nothing on top")
        and "income" not in cost["text"]["en"]
    )
    assert cost["text"]["zh"].startswith("600.00 CNY，2026-03-25 到期") and "\n" not in cost["text"]["zh"]


@pytest.mark.parametrize(("months", "known"), [(0, None), (2, None), (3, 250_000), (6, 500_000), (9, 500_000)])
def test_the_month_is_set_against_income_where_enough_of_it_was_seen(
    workspace: Workspace, url: str, months: int, known: int | None
) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    at = datetime(2026, 2, 20, tzinfo=UTC)
    events = [
        Event(key=f"e{n}", lender_id=LENDER, borrower_id="b1", kind="income", amount_minor=500_000,
              effective_at=at - timedelta(days=30 * n))
        for n in range(months)
    ]  # fmt: skip
    told(url, *events, Event(key="now", lender_id=LENDER, borrower_id="b1", kind="income", amount_minor=9_999_999))
    cost = told(url, asked("k1", 60_000))[0]["cost"]
    assert cost.get("income_minor") == known
    share = None if known is None else f"{100 * 60_000 / known:.0f} %"
    assert share is None or share in cost["text"]["en"]


def test_anothers_word_on_income_is_not_told(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000), opening("o1", "b1", 100_000, lender_id="lender-2"))
    at = datetime(2026, 2, 20, tzinfo=UTC)
    told(url, *(Event(key=f"e{n}", lender_id="lender-2", borrower_id="b1", kind="income", amount_minor=500_000,
                      effective_at=at - timedelta(days=30 * n)) for n in range(6)))  # fmt: skip
    assert "income_minor" not in told(url, asked("k1", 60_000))[0]["cost"]


def test_the_rules_of_every_cost_have_words_in_both_languages() -> None:
    from evenkeel.decisions.cost import ByInstalments, ByMinimum

    for least in (None, ByMinimum(5, None, 9), ByMinimum(5, 1, 0), ByMinimum(5, 3, 7)):
        for known, more in ((None, 0), (500, 3)):
            cost = Cost(NOW.date(), 0, 100, more, least, (ByInstalments(3, 35, 5),), known)
            for language in LANGUAGES:
                line = in_words(cost, "CNY", texts(language))
                assert "1.00 CNY" in line and "{" not in line and "\n" not in line


# ---- Replay ----------------------------------------------------------------------------------------------------------


def test_what_bears_interest_at_once_is_told_and_replayed(workspace: Workspace, url: str) -> None:
    product = shipped("flexible")
    text = {**json.loads(product.text), "cost_cap_annual": None}
    text["product_id"], text["rates"] = "bearing", [*text["rates"], {"segment": "purchase", "rate_annual": "0.365"}]
    made = parse_product(json.dumps(text))
    for account, terms in (("a1", {}), ("a2", {"rate_annual": "0.1825"})):
        post(workspace, [opening(account, "b1", 1_000_000, product="bearing", **terms)], lambda name: made)
    costs = [told(url, asked(f"k{account}", 100_000, False, account))[0]["cost"] for account in ("a1", "a2")]
    days = (datetime.fromisoformat(costs[0]["due_on"]).date() - NOW.date()).days
    assert [cost["cost_minor"] for cost in costs] == [100 * days, 50 * days]
    found = list(replay(workspace, 1, 100))
    assert len(found) == 2 and all(one.identical and not one.changes for one in found)
    told(url, asked("again", 1_000, False, "a1"), now=NOW + timedelta(minutes=1))  # from the row that was kept
    assert all(one.identical and not one.changes for one in replay(workspace, 1, 100))


def test_a_decision_from_before_costs_were_told_is_replayed_as_it_was(workspace: Workspace, url: str) -> None:
    book(workspace, opening("a1", "b1", 100_000))
    told(url, asked("k1", 60_000, preview=False), Application(
        key="k2", lender_id=LENDER, borrower_id="b2", product="card", requested_minor=5))  # fmt: skip
    with transaction(workspace.engine) as connection:
        connection.execute(sa.text("ALTER TABLE decision DISABLE TRIGGER decision_append_only"))
        for place, used in connection.execute(sa.text("SELECT place, used FROM decision")).all():
            features, row = record.unpack_used(bytes(used))
            narrow = record.pack_used(features, row[:, : situation.PLACE["calendar"]])[0]
            connection.execute(sa.text("UPDATE decision SET used = :used WHERE place = :place"),
                               {"used": narrow, "place": place})  # fmt: skip
    found = list(replay(workspace, 1, 100, now=deciders()))
    assert len(found) == 2 and all(one.identical and not one.changes for one in found)
