"""One application and a column of them are assessed alike, at their point in time, silent where nothing is known."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from assessment_samples import accounts, applications, asked, at, checks, day, events, people, periods
from hypothesis import given, settings
from hypothesis import strategies as st
from other_book import other_book

from evenkeel.decisions.assessment.applicants import CANDIDATES
from evenkeel.decisions.assessment.assess import (
    ASSESSMENT_SCHEMA,
    MOST_REASONS,
    USUAL,
    Context,
    Norms,
    assess,
    learn_norms,
)
from evenkeel.decisions.assessment.forgery import KINDS, SIGNS
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import LANGUAGES, texts


@pytest.fixture(scope="module")
def book() -> dict[str, pa.Table]:
    return other_book(1_500, 4).tables


@pytest.fixture(scope="module")
def norms(book: dict[str, pa.Table]) -> Norms:
    return learn_norms(book, "UTC")


def test_what_comes_later_changes_nothing_about_what_came_before(book: dict[str, pa.Table], norms: Norms) -> None:
    whole = assess(book["applications"], Context(book, norms, "UTC"))
    cut = pc.quantile(book["applications"]["submitted_at"].cast(pa.int64()), 0.5)[0].as_py()
    early = book["applications"].filter(pc.less(book["applications"]["submitted_at"].cast(pa.int64()), cut))
    known = book["events"].filter(pc.less(book["events"]["effective_at"].cast(pa.int64()), cut))
    alone = assess(early, Context(book | {"applications": early, "events": known}, norms, "UTC"))
    place = pc.index_in(
        early["application_id"].combine_chunks(), book["applications"]["application_id"].combine_chunks()
    )
    assert alone.equals(whole.take(place).combine_chunks())


def test_one_application_is_assessed_as_in_a_column_of_them(book: dict[str, pa.Table], norms: Norms) -> None:
    whole = assess(book["applications"], Context(book, norms, "UTC"))
    for place in np.random.default_rng(0).integers(0, whole.num_rows, 12).tolist():
        one = book["applications"].slice(place, 1)
        assert assess(one, Context(book, norms, "UTC")).equals(whole.slice(place, 1).combine_chunks())


def test_a_related_history_is_enough_for_one_application(book: dict[str, pa.Table], norms: Norms) -> None:
    table = book["applications"]
    whole = assess(table, Context(book, norms, "UTC"))
    contacts = table["contact_tokens"].to_pylist()
    for place in np.random.default_rng(1).integers(0, whole.num_rows, 12).tolist():
        related = pa.array([bool(set(named) & set(contacts[place])) for named in contacts])
        for name in ("borrower_id", "device_token", "phone_token", "address_token", "employer_token"):
            related = pc.or_(related, pc.equal(table[name], table[name][place]))
        few = book | {"applications": table.filter(related)}
        got, expected = (assess(table.slice(place, 1), Context(tables, norms, "UTC")).to_pylist()[0]
                         for tables in (few, book))  # fmt: skip
        assert got == expected


def test_the_order_of_rows_is_kept_and_means_nothing(book: dict[str, pa.Table], norms: Norms) -> None:
    order = pa.array(np.random.default_rng(2).permutation(book["applications"].num_rows))
    shuffled = book["applications"].take(order)
    whole = assess(book["applications"], Context(book, norms, "UTC"))
    other = assess(shuffled, Context(book | {"applications": shuffled}, norms, "UTC"))
    assert other.equals(whole.take(order).combine_chunks())
    assert learn_norms(book | {"applications": shuffled}, "UTC") == norms


def test_norms_are_data_with_a_version(norms: Norms) -> None:
    again = Norms.from_document(norms.document())
    assert again == norms
    assert again.version == norms.version != USUAL.version


def test_a_bare_application_is_assessed_and_nothing_is_invented() -> None:
    table = assess(applications(asked("a", 0, requested_minor=None, product=None)), Context({}))
    row = table.to_pylist()[0]
    assert table.schema == ASSESSMENT_SCHEMA
    assert row["identity"] == "unverified"
    unknown = ("watch_list", "stale", "age", "income_low_minor", "service_to_income", "exposure_group_minor",
               "requested_minor", "lines", "new_lines_90d", "lines_overdue", "lines_hidden")  # fmt: skip
    assert {name: row[name] for name in unknown} == dict.fromkeys(unknown)
    assert 0 < row["forgery"] < 0.05
    assert row["signs"] == []


def test_no_application_at_all_gives_an_empty_table() -> None:
    empty = applications()
    assert assess(empty, Context({"applications": empty})).num_rows == 0
    assert learn_norms({"applications": empty}, "UTC") == USUAL


def test_age_turns_on_the_birthday_of_the_zone() -> None:
    known = people({"borrower_id": "a", "birth_date": day("2000-03-02")})
    rows = applications(asked("a", 0), asked("a", 0.5))  # 21:00 UTC on 1 March is 2 March in Shanghai
    shanghai, london = (assess(rows, Context({"borrowers": known}, zone=zone))["age"].to_pylist()
                        for zone in ("Asia/Shanghai", "Europe/London"))  # fmt: skip
    assert shanghai == [23, 24]
    assert london == [23, 23]


def test_a_watch_list_is_asked_where_there_is_one() -> None:
    rows = applications(asked("a", 0), asked("b", 0))
    assert assess(rows, Context({}, watched=frozenset(["b"])))["watch_list"].to_pylist() == [False, True]
    assert assess(rows, Context({}, watched=frozenset()))["watch_list"].to_pylist() == [False, False]
    assert assess(rows, Context({}))["watch_list"].to_pylist() == [None, None]


def test_a_doubled_application_is_refused() -> None:
    rows = applications(asked("a", 0), asked("b", 0))
    with pytest.raises(InvalidInput, match="given twice"):
        assess(pa.concat_tables([rows, rows]), Context({}))


def test_signs_are_few_ordered_and_told_in_both_languages(book: dict[str, pa.Table], norms: Norms) -> None:
    table = assess(book["applications"], Context(book, norms, "UTC"))
    told = [row for row in table["signs"].to_pylist() if row]
    assert told
    for row in told:
        points = [sign["points"] for sign in row]
        assert len(row) <= MOST_REASONS
        assert points == sorted(points, reverse=True)
        assert min(points) > 0
    codes = [f"sign_{sign.name}" for sign in SIGNS] + [candidate.concept for candidate in CANDIDATES]
    for language in LANGUAGES:
        assert [code for code in codes if f"reason.{code}" not in texts(language)] == []
        assert [kind for kind in KINDS if f"forgery.kind.{kind}" not in texts(language)] == []


def test_labels_refine_the_norms_where_they_are_given() -> None:
    other = other_book(3_000, 6)
    rng = np.random.default_rng(0)
    bad = pa.array(rng.random(len(other.kind)) < np.where(other.kind == "", 0.03, 0.5))
    tables = other.tables | {"applications": other.tables["applications"].append_column("bad", bad)}
    plain, refined = (learn_norms(tables, "UTC", labelled=labelled) for labelled in (False, True))
    assert plain.weights.scale != refined.weights.scale
    forged = other.kind != ""
    p = [assess(tables["applications"], Context(tables, n, "UTC"))["forgery"].to_numpy() for n in (plain, refined)]
    found = [(q[forged] > np.quantile(q[~forged], 0.95)).mean() for q in p]
    assert found[1] >= found[0] - 0.03


_TOKEN = st.sampled_from([None, "x", "y"])
_ROW = st.fixed_dictionaries(
    {
        "borrower_id": st.sampled_from("abc"), "submitted_at": st.integers(-400, 400).map(at),
        "lender_id": _TOKEN, "product": st.sampled_from([None, "card", "cash", "bnpl", "other"]),
        "requested_minor": st.sampled_from([None, 0, 1, 10**14]),
        "income_declared_minor": st.sampled_from([None, 0, 1, 500_000, 10**14]),
        "employer_token": _TOKEN, "address_token": _TOKEN, "device_token": _TOKEN, "phone_token": _TOKEN,
        "contact_tokens": st.one_of(st.none(), st.lists(st.sampled_from("xyz"), max_size=3)),
        "decided_at": st.one_of(st.none(), st.integers(-400, 400).map(at)),
    }
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.lists(_ROW, max_size=12), st.booleans(), st.booleans())
def test_whatever_is_left_out_the_assessment_stands(rows: list[dict[str, object]], known: bool, watched: bool) -> None:
    table = applications(*rows)
    tables = {"applications": table}
    if known:
        tables |= {
            "borrowers": people({"borrower_id": "a", "income_declared_minor": 0}, {"borrower_id": "z"}),
            "events": events(("income", "a", 0, 9, 0), ("deposit", "b", 0, 0, None)),
            "identity_checks": checks(("a", "face", "match", 0), ("z", "face", "mismatch", 0)),
            "accounts": accounts({"account_id": "k", "borrower_id": "a", "product": "card"}),
            "periods": periods(("k", "2024-02", None, 0, None, None)),
        }
    norms = learn_norms(tables, "UTC")
    assert Norms.from_document(norms.document()) == norms
    got = assess(table, Context(tables, norms, "UTC", frozenset(["a"]) if watched else None))
    assert got.schema == ASSESSMENT_SCHEMA
    assert got["application_id"].to_pylist() == table["application_id"].to_pylist()
    assert all(0 < p < 1 for p in got["forgery"].to_pylist())
    for name in ("income_low_minor", "exposure_group_minor", "lines", "service_after_minor"):
        assert all(value is None or value >= 0 for value in got[name].to_pylist())
