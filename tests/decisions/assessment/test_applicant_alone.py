"""One application in plain Python says what the column says of the same facts: every sign, and the income."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from other_book import other_book
from test_assessment_found import _generated

from evenkeel.decisions.assessment.alone import (
    MOST_READ,
    Peer,
    Said,
    Use,
    among_peers,
    income_interval,
    levels,
    own_signs,
    seen_income,
    service_asked,
    shared_signs,
    usual_income,
)
from evenkeel.decisions.assessment.assess import USUAL, Context, Norms, Signals, find_signals, learn_norms
from evenkeel.decisions.assessment.burden import service_of
from evenkeel.decisions.assessment.forgery import SIGNS
from evenkeel.decisions.assessment.income import GROUPS
from evenkeel.decisions.assessment.requests import read_requests

Tables = dict[str, pa.Table]


def _same_facts(tables: Tables) -> Tables:
    """What a live service knows too: no file of incomes, no lines, and applications of distinct seconds."""
    people = tables["borrowers"].drop_columns(
        [name for name in tables["borrowers"].column_names if name.startswith("income_") or name == "created_on"]
    )
    people = people.append_column("income_verified_minor", pa.nulls(people.num_rows, pa.int64()))
    return {"applications": tables["applications"], "borrowers": people, "events": tables["events"]}


def _said(row: dict[str, object], person: dict[str, object]) -> Said:
    return Said(
        int(row["submitted_at"].timestamp()), row["income_declared_minor"], row["device_token"], row["phone_token"],
        row["address_token"], row["employer_token"], tuple(row["contact_tokens"] or ()), row.get("x_dependants"),
        None, tuple(person.get(name) for name in GROUPS),
    )  # fmt: skip


def _one_by_one(tables: Tables, norms: Norms) -> Iterator[tuple[list[int | None], int | None, int | None]]:
    """(levels, low, middle) of each application in the order of time, as they arrive."""
    table = read_requests(tables["applications"]).table
    people = {row["borrower_id"]: row for row in tables["borrowers"].to_pylist()}
    paid = defaultdict(list)
    for row in tables["events"].filter(pc.is_in(tables["events"]["kind"], pa.array(["income", "deposit"]))).to_pylist():
        known = max(row["effective_at"], row.get("booked_at") or row["effective_at"])
        paid[row["borrower_id"]].append((known.year * 12 + known.month - 1, row["amount_minor"]))
    earlier, uses = defaultdict(list), defaultdict(list)
    for row in table.to_pylist():
        who = row["borrower_id"]
        said, at = _said(row, people[who]), row["submitted_at"]
        seen = seen_income(paid[who], at.year * 12 + at.month - 1)
        usual = usual_income(said.groups, norms.peers)
        read = {token: uses[token][-MOST_READ:] for token in said.tokens()}
        peer = among_peers(who, usual, read.get(("employer", said.employer), []), norms.peers)
        signs = own_signs(said, earlier[who], seen, peer, None, None, norms) | shared_signs(who, said, read, norms)
        yield levels(signs), *income_interval(said.income, seen, peer, norms.peers)
        earlier[who].append(said)
        for token in said.tokens():
            uses[token].append(Use(said.at, who, said.address, said.income, seen, usual))


def _column(tables: Tables, norms: Norms) -> Signals:
    return find_signals(read_requests(tables["applications"]), Context(tables, norms, "UTC"))


def _agree(tables: Tables) -> np.ndarray:
    """How often each sign spoke; every one as in the column."""
    tables = _same_facts(tables)
    norms = learn_norms(tables, "UTC")
    whole = _column(tables, norms)
    alone = list(_one_by_one(tables, norms))
    found = np.array([[-1 if level is None else level for level in one] for one, _, _ in alone])
    differs = found != whole.levels
    assert not differs.any(), [
        (SIGNS[place].name, int(differs[:, place].sum())) for place in np.unique(differs.nonzero()[1])
    ]
    for got, expected in ((1, whole.income.low), (2, whole.income.middle)):
        values = np.array([np.nan if one[got] is None else one[got] for one in alone], float)
        # Of an employer of hundreds the newest MOST_READ uses speak, not all there ever were.
        close = np.isclose(values, expected, rtol=1e-5, atol=1, equal_nan=True)
        assert close.mean() > 0.99 and np.allclose(values, expected, rtol=1e-2, equal_nan=True)
    return (found > 0).sum(axis=0)


def test_one_at_a_time_is_as_the_column_in_a_book_with_families_shops_and_forgers() -> None:
    spoke = dict(zip([sign.name for sign in SIGNS], _agree(other_book(2_000, 4).tables).tolist(), strict=True))
    silent = {name for name, count in spoke.items() if not count}
    # This book has neither checks nor lines; its people keep their facts, and telephones are shared at home alone.
    assert silent == {"identity_mismatch", "lines_hidden", "facts_changed", "facts_returned", "shared_phone"}


def test_one_at_a_time_is_as_the_column_in_the_generated_book() -> None:
    assert _agree(_generated(1_000, 24, 3)[0]).sum() > 100


def test_what_an_amount_asks_for_is_as_in_the_column() -> None:
    for product in ("card", "bnpl", "instalment"):
        (expected,) = service_of(pa.table({"product": [product]}), np.array([1_234_567.0]))
        assert service_asked(product, 1_234_567) == int(np.ceil(expected))


_TOKENS = st.sampled_from(["one", "two", None])
_INCOMES, _CONTACTS = st.sampled_from([None, 500_000, 900_000]), st.sets(st.sampled_from(["c1", "c2", "c3"]))
_SAID = st.builds(
    Said, st.integers(0, 400).map(lambda days: days * 86_400), _INCOMES, _TOKENS, _TOKENS, _TOKENS, _TOKENS,
    _CONTACTS.map(tuple), st.sampled_from([None, 0, 2]),
)  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.sampled_from(["p", "q", "r"]), _SAID), max_size=12))
def test_any_few_applications_are_judged_as_in_the_column(made: list[tuple[str, Said]]) -> None:
    rows = [
        {"application_id": f"q{place:02}", "borrower_id": who, "submitted_at": said.at * 1_000_000, "product": "card",
         "requested_minor": 1_000, "income_declared_minor": said.income, "device_token": said.device,
         "phone_token": said.phone, "address_token": said.address, "employer_token": said.employer,
         "contact_tokens": list(said.contacts), "x_dependants": said.dependants, "lender_id": "l"}
        for place, (who, said) in enumerate(made)
    ]  # fmt: skip
    text, whole = pa.string(), pa.int64()
    schema = pa.schema(
        {"application_id": text, "borrower_id": text, "submitted_at": pa.timestamp("us", "UTC"), "product": text,
         "requested_minor": whole, "income_declared_minor": whole, "device_token": text, "phone_token": text,
         "address_token": text, "employer_token": text, "contact_tokens": pa.list_(text), "x_dependants": whole,
         "lender_id": text}
    )  # fmt: skip
    tables = {
        "applications": pa.Table.from_pylist(rows, schema=schema),
        "borrowers": pa.table({"borrower_id": ["p", "q", "r"], "income_verified_minor": pa.nulls(3, whole)}),
        "events": pa.table({
            "kind": pa.array([], text), "borrower_id": pa.array([], text),
            "effective_at": pa.array([], pa.timestamp("us", "UTC")), "amount_minor": pa.array([], whole),
        }),
    }  # fmt: skip
    found = [[-1 if level is None else level for level in one] for one, _, _ in _one_by_one(tables, USUAL)]
    assert found == _column(tables, USUAL).levels.tolist()


def test_a_hub_says_nothing_and_thirty_days_end_a_burst() -> None:
    said = Said(100 * 86_400, 500_000, "shop")
    for count, shared, burst in ((29, 29, 29), (30, 0, 0)):
        uses = {
            ("device", "shop"): [Use(said.at - 60, f"p{place}", "there", None, None, None) for place in range(count)]
        }
        signs = shared_signs("me", said, uses, USUAL)
        assert (signs["shared_device"], signs["burst"]) == (shared, burst)
    old = {("device", "shop"): [Use(said.at - 31 * 86_400, "p", None, None, None, None)]}
    assert shared_signs("me", said, old, USUAL)["burst"] == 0


@pytest.mark.parametrize("seen", [None, 400_000])
def test_a_declared_income_alone_never_raises_what_is_seen(seen: int | None) -> None:
    low, middle = income_interval(2_000_000, seen, Peer(500_000, 0), replace(USUAL.peers, people=100, level=13.0))
    assert low is not None and middle is not None and low < middle < 1_000_000
    assert seen is None or middle == seen
