"""Clusters are what a plain search over earlier applications finds, in a batch and one by one."""
# ruff: noqa: S106 - tokens here are no passwords

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from evenkeel.decisions.identity import store
from evenkeel.decisions.identity.clusters import CAPS, COLUMNS, GROWTH_DAYS, LinkKind, clusters
from evenkeel.kernel.errors import InvalidInput
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Journal
from evenkeel.storage.vault import Identity, Keyring, Vault

START = datetime(2026, 1, 1, tzinfo=UTC)
SMALL = {LinkKind.DEVICE: 2, LinkKind.ADDRESS: 3, LinkKind.PHONE: 2}


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.table({
        "borrower_id": pa.array([row["borrower_id"] for row in rows], pa.string()),
        "submitted_at": pa.array([row["submitted_at"] for row in rows], pa.timestamp("us", "UTC")),
        **{name: pa.array([row.get(name) for row in rows], pa.string())
           for name in ("device_token", "address_token", "phone_token")},
        "contact_tokens": pa.array([row.get("contact_tokens") for row in rows], pa.list_(pa.string())),
    })  # fmt: skip


def application(borrower: str, minute: float, **named: Any) -> dict[str, Any]:
    return {"borrower_id": borrower, "submitted_at": START + timedelta(minutes=minute), **named}


def named_in(row: dict[str, Any]) -> list[tuple[LinkKind, str]]:
    found = []
    for name, kind in COLUMNS.items():
        value = row.get(name)
        found += [(kind, token) for token in (value if isinstance(value, list) else [value]) if token is not None]
    return found


def searched(rows: list[dict[str, Any]], place: int, caps: Mapping[LinkKind, int]) -> tuple[set[str], int, int]:
    """The cluster, newcomers and hubs of one application: everything before it is gone through again."""
    me = rows[place]
    order = (me["submitted_at"], me["borrower_id"], place)
    earlier = [row for at, row in enumerate(rows) if (row["submitted_at"], row["borrower_id"], at) <= order]
    first: dict[tuple[LinkKind, str], dict[str, datetime]] = {}
    for row in sorted(earlier, key=lambda row: (row["submitted_at"], row["borrower_id"])):
        for attribute in named_in(row):
            first.setdefault(attribute, {}).setdefault(row["borrower_id"], row["submitted_at"])
    members = {attribute: set(list(who)[: caps[attribute[0]]]) for attribute, who in first.items()}
    found, grew = {me["borrower_id"]}, True
    while grew:
        grew = False
        for who in members.values():
            if who & found and not who <= found:
                found |= who
                grew = True
    since = me["submitted_at"] - timedelta(days=GROWTH_DAYS)
    began = {who: min((at for people in first.values() for other, at in people.items() if other == who),
                      default=me["submitted_at"]) for who in found}  # fmt: skip
    hubs = sum(me["borrower_id"] not in members[attribute] for attribute in named_in(me))
    return found, sum(at > since for at in began.values()), hubs


few = st.sampled_from
row_of = st.builds(
    application,
    few("ABCDEFGH"),
    st.integers(0, 60 * 24 * 60),
    device_token=st.none() | few(["d1", "d2", "d3"]),
    address_token=st.none() | few(["a1", "a2"]),
    phone_token=st.none() | few(["p1", "p2", "p3", "p4"]),
    contact_tokens=st.none() | st.lists(few(["p1", "p2", "p5", "p6"]), max_size=2),
)
# One borrower files at most one application at an instant.
histories = st.lists(row_of, max_size=14, unique_by=lambda row: (row["borrower_id"], row["submitted_at"]))


@settings(max_examples=200, deadline=None)
@given(histories)
def test_every_application_sees_the_cluster_that_a_search_over_earlier_ones_finds(rows: list[dict[str, Any]]) -> None:
    found = clusters(table(rows), SMALL)
    wanted = [searched(rows, place, SMALL) for place in range(len(rows))]
    assert found.size.tolist() == [len(who) for who, _, _ in wanted]
    assert found.newcomers.tolist() == [fresh for _, fresh, _ in wanted]
    assert found.hubs.tolist() == [hubs for _, _, hubs in wanted]


def test_what_comes_later_changes_nothing_that_was_said() -> None:
    rows = [application(f"B{n % 7}", n, phone_token=f"p{n % 5}", device_token=f"d{n % 3}") for n in range(30)]
    whole = clusters(table(rows), SMALL)
    for cut in range(1, 30):
        part = clusters(table(rows[:cut]), SMALL)
        assert part.size.tolist() == whole.size[:cut].tolist()
        assert part.newcomers.tolist() == whole.newcomers[:cut].tolist()


def random_table(count: int, seed: int) -> pa.Table:
    """Applications in no order, with hubs: a tenth name one of three addresses."""
    rng = np.random.default_rng(seed)
    borrower = rng.integers(0, count, count)

    def tokens(head: str, share: float, few: int) -> pa.Array:
        number = np.where(rng.random(count) < share, rng.integers(0, few, count), 10**6 + borrower)
        return pa.array([f"{head}{n}" for n in number])

    return pa.table({
        "borrower_id": pa.array([f"B{n}" for n in borrower]),
        "submitted_at": pa.array(rng.integers(0, 10**13, count), pa.timestamp("us", "UTC")),
        "device_token": tokens("d", 0.1, count // 10), "address_token": tokens("a", 0.1, 3),
        "phone_token": tokens("t", 0.05, count // 10),
    })  # fmt: skip


def test_a_sparse_graph_of_what_joins_has_the_same_components() -> None:
    given = random_table(20_000, 4)
    found = clusters(given)
    people = len(found.borrowers)
    graph = coo_array(
        (np.ones(len(found.link_borrower)), (found.link_borrower, people + found.link_attribute)),
        shape=(people + 10**5,) * 2,
    )
    _, label = connected_components(graph, directed=False)
    row_of_borrower = {who: place for place, who in enumerate(found.borrowers.to_pylist())}
    mine = np.array([row_of_borrower[who] for who in given["borrower_id"].to_pylist()])
    pairs = set(zip(label[mine].tolist(), found.label.tolist(), strict=True))
    assert len(pairs) == len({a for a, _ in pairs}) == len({b for _, b in pairs}) > 1000
    size_of = np.bincount(label[:people])
    last = {}
    for row in np.argsort(given["submitted_at"].to_numpy(), kind="stable"):
        last[found.label[row]] = row
    for row in last.values():  # the last application of a cluster has seen all of it
        assert found.size[row] == size_of[label[mine[row]]]


def test_a_shops_telephone_joins_its_first_few_customers_and_no_town() -> None:
    rows = [application(f"B{n:04d}", n, phone_token="shop", device_token=f"d{n}") for n in range(1000)]
    found = clusters(table(rows))
    cap = CAPS[LinkKind.PHONE]
    assert found.size.tolist() == [*range(1, cap + 1), *[1] * (1000 - cap)]
    assert found.hubs.tolist() == [0] * cap + [1] * (1000 - cap)


def test_what_joins_a_cluster_is_named_with_those_who_share_it() -> None:
    rows = [
        application("A", 0, device_token="d1", phone_token="p1"),
        application("B", 1, device_token="d1", contact_tokens=["p2", "p1"]),
        application("C", 2, phone_token="p2", address_token="a1"),
        application("D", 3, address_token="a2"),
    ]
    found = clusters(table(rows))
    assert found.label.tolist() == [0, 0, 0, 1]
    assert found.edges(0) == [
        (LinkKind.DEVICE, "d1", ["A", "B"]), (LinkKind.PHONE, "p1", ["A", "B"]), (LinkKind.PHONE, "p2", ["B", "C"]),
    ]  # fmt: skip
    assert found.edges(1) == []


def test_a_table_without_attributes_or_rows_joins_nobody() -> None:
    bare = table([application("A", 0), application("A", 1), application("B", 2)]).select(
        ["borrower_id", "submitted_at"]
    )
    assert clusters(bare).size.tolist() == [1, 1, 1]
    assert clusters(table([])).size.tolist() == []
    null = pa.table({"borrower_id": pa.array([None], pa.string()), "submitted_at": bare["submitted_at"][:1]})
    for wrong, name in ((null, "borrower_id"), (bare.select(["borrower_id"]), "submitted_at"),
                        (bare.set_column(1, "submitted_at", pa.array([1, 2, 3])), "submitted_at")):  # fmt: skip
        with pytest.raises(InvalidInput, match=name):
            clusters(wrong)


def test_a_cluster_too_large_to_be_one_ring_counts_no_newcomers() -> None:
    chain = [application(f"B{n:05d}", n, phone_token=f"p{n}", contact_tokens=[f"p{n + 1}"]) for n in range(202)]
    found = clusters(table(chain))
    assert found.size.tolist() == list(range(1, 203))
    assert found.newcomers[199] == 200
    assert found.newcomers[200:].tolist() == [-1, -1]


# --- one by one, in the database --------------------------------------------------------------------------------------


def put(journal: Journal, rows: list[dict[str, Any]]) -> None:
    with transaction(journal.engine) as connection:
        namings = [
            (row["borrower_id"], kind, token, row["submitted_at"]) for row in rows for kind, token in named_in(row)
        ]
        store.put_links(connection, namings)


def seen(journal: Journal, row: dict[str, Any], caps: Mapping[LinkKind, int]) -> store.Neighbourhood:
    with transaction(journal.engine) as connection:
        return store.neighbourhood(connection, row["borrower_id"], row["submitted_at"], caps)


def test_one_application_sees_in_the_database_what_the_batch_says(journal: Journal) -> None:
    rng = np.random.default_rng(8)
    rows = []
    for n in range(160):
        named: dict[str, Any] = {"device_token": f"d{rng.integers(50)}", "contact_tokens": [f"p{rng.integers(80)}"]}
        if rng.random() < 0.5:
            named |= {"address_token": f"a{rng.integers(9)}", "phone_token": f"p{rng.integers(80)}"}
        rows.append(application(f"B{rng.integers(90)}", n // 2 * 1440 + (n % 2) / 1e7, **named))
    put(journal, rows[80:])  # late ones first: the order of booking does not matter
    put(journal, rows[:80])
    put(journal, rows[::3])
    found = clusters(table(rows), SMALL)
    sizes = set()
    for place, row in enumerate(rows):
        near = seen(journal, row, SMALL)
        assert (near.size, near.whole) == (found.size[place], True)
        assert near.newcomers == found.newcomers[place]
        members, _, _ = searched(rows, place, SMALL)
        assert {who for _, _, some in near.edges for who in some} == (members if len(members) > 1 else set())
        sizes.add(near.size)
    assert len(sizes) > 5


def test_at_one_instant_ids_decide_in_the_order_of_their_bytes_in_the_batch_and_in_the_database(
    journal: Journal,
) -> None:
    rows = [application(who, 5, phone_token="p") for who in ("b", "阿", "A", "é", "a", "B")]
    put(journal, rows)
    wanted = [sorted(row["borrower_id"] for row in rows).index(row["borrower_id"]) + 1 for row in rows]
    assert clusters(table(rows)).size.tolist() == wanted
    assert [seen(journal, row, CAPS).size for row in rows] == wanted


def test_hubs_are_told_and_the_edges_that_join(journal: Journal) -> None:
    put(journal, [application(f"B{n}", n, phone_token="shop", device_token=f"d{n % 4}") for n in range(9)])
    near = seen(journal, application("B8", 8), CAPS)
    assert (near.size, near.hubs) == (8 + 1, 1)
    assert near.edges[0] == (LinkKind.DEVICE, "d0", ("B0", "B4", "B8"))
    assert [token for kind, token, _ in near.edges if kind is LinkKind.PHONE] == ["shop"]
    assert seen(journal, application("nobody", 9), CAPS) == store.Neighbourhood(1, True, 1, 0, ())


def test_a_large_cluster_is_not_read_whole(journal: Journal) -> None:
    put(journal, [application(f"B{n:05d}", n, phone_token=f"p{n}", contact_tokens=[f"p{n + 1}"]) for n in range(300)])
    near = seen(journal, application("B00299", 299), CAPS)
    assert (near.size, near.whole, near.newcomers) == (200, False, None)


def test_what_was_kept_of_a_borrower_goes_with_the_identity(journal: Journal, tmp_path: Path) -> None:
    vault = Vault(journal.engine, Keyring.of(tmp_path / "workspace"), journal.clock)
    vault.put("A", Identity(name="刘一"))
    put(journal, [application("A", 0, phone_token="p"), application("B", 1, phone_token="p")])
    assert seen(journal, application("B", 1), CAPS).size == 2
    vault.erase("A", reason="request 7", by="officer")
    assert seen(journal, application("B", 1), CAPS).size == 1
