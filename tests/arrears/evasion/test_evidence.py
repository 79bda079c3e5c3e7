"""Ability and willingness: Bayes' rule, when a person may look, and what never counts, whoever it is."""

from collections.abc import Mapping
from datetime import UTC, date, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.accounts.panel import build_panel
from evenkeel.arrears.evasion import evidence
from evenkeel.arrears.evasion.evidence import (
    ABILITY,
    ASSESSED,
    KINDS_NEEDED,
    PRIOR_ABLE,
    PRIOR_WILLING,
    WILLINGNESS,
    Route,
    Sign,
    assess,
    believe,
    routes,
)
from evenkeel.book.generator import GeneratorSpec, generate
from evenkeel.decisions.exposure import Caps, open_lines
from evenkeel.kernel.text import LANGUAGES, texts
from evenkeel.measures.discrimination import wilson

IntArray = npt.NDArray[np.int64]
AS_OF = date(2024, 12, 31)
PLAIN = dict.fromkeys(("hardship", "first_payment", "short"), False)


def seen_of(signs: tuple[Sign, ...], **values: int) -> IntArray:
    return np.array([[values.get(sign.code, -1) for sign in signs]])


def route(able: IntArray, willing: IntArray, **facts: bool) -> Route:
    flags = {name: np.array([value]) for name, value in (PLAIN | facts).items()}
    return routes(believe(ABILITY, able, PRIOR_ABLE), believe(WILLINGNESS, willing, PRIOR_WILLING), flags)[0]


ABLE = seen_of(
    ABILITY, income_kept=1, dues_small_to_income=1, deposits_after=1, spent_after=1, others_paid_in_full=1
)  # fmt: skip
UNWILLING = seen_of(WILLINGNESS, part_paid=0, promises_not_broken=0, plan_not_declined=0)


def test_a_belief_is_bayes_rule() -> None:
    belief = believe(ABILITY, seen_of(ABILITY, income_kept=1, dues_small_to_income=0), 0.25)
    odds = Fraction(1, 3) * Fraction(85, 20) * Fraction(25, 70)
    assert belief.p[0] == pytest.approx(float(odds / (1 + odds)))
    assert belief.low[0] < belief.p[0] < belief.high[0]


@pytest.mark.parametrize(("signs", "prior"), [(ABILITY, PRIOR_ABLE), (WILLINGNESS, PRIOR_WILLING)])
def test_without_a_sign_the_prior_stands_and_each_sign_widens_the_interval(
    signs: tuple[Sign, ...], prior: float
) -> None:
    nothing = believe(signs, seen_of(signs), prior)
    assert nothing.p[0] == pytest.approx(prior) and not nothing.points.any()
    some = believe(signs, np.array([[1] * len(signs)]), prior)
    width = [np.log(b.high / (1 - b.high)) - np.log(b.low / (1 - b.low)) for b in (nothing, some)]
    assert width[1][0] > width[0][0]


def test_somebody_who_could_pay_declines_a_plan_and_breaks_promises_may_be_looked_at() -> None:
    assert route(ABLE, UNWILLING) is Route.REVIEW


@pytest.mark.parametrize(
    ("fact", "expected"),
    [("hardship", Route.HARDSHIP), ("first_payment", Route.FRAUD_REVIEW), ("short", Route.ABSTAIN)],
)
def test_hardship_that_was_told_new_lines_and_short_arrears_come_first(fact: str, expected: Route) -> None:
    assert route(ABLE, UNWILLING, **{fact: True}) is expected


@given(st.lists(st.integers(-1, 1), min_size=11, max_size=11))
def test_a_review_needs_two_kinds_of_evidence_on_both_sides(drawn: list[int]) -> None:
    able, willing = np.array([drawn[:5]]), np.array([drawn[5:]])
    if route(able, willing) is Route.REVIEW:
        spoke = {sign.kind for sign, value in zip(ABILITY, able[0], strict=True) if value == 1}
        against = {
            sign.kind for sign, value in zip(WILLINGNESS, willing[0], strict=True) if value == 0 and not sign.one_sided
        }
        assert len(spoke) >= KINDS_NEEDED and len(against) >= KINDS_NEEDED


@given(st.lists(st.integers(-1, 1), min_size=11, max_size=11), st.integers(0, 10))
def test_taking_evidence_away_never_makes_a_review_where_there_was_none(drawn: list[int], place: int) -> None:
    """But for what speaks for the borrower: then less is known of their good side, and the interval decides."""
    sign = (*ABILITY, *WILLINGNESS)[place]
    against = (place < 5 and drawn[place] == 1) or (place >= 5 and drawn[place] == 0)
    less = [value if at != place else -1 for at, value in enumerate(drawn)]
    if against and not (drawn[place] == 0 and sign.one_sided):
        before = route(np.array([drawn[:5]]), np.array([drawn[5:]]))
        after = route(np.array([less[:5]]), np.array([less[5:]]))
        assert before is Route.REVIEW or after is not Route.REVIEW


def test_every_code_has_its_words_in_both_languages() -> None:
    for language in LANGUAGES:
        say = texts(language)
        for sign in (*ABILITY, *WILLINGNESS):
            assert f"evasion.{sign.code}" in say
            assert sign.one_sided or f"evasion.no_{sign.code}" in say
        assert all(f"evasion.route.{one}" in say for one in Route)


# --- false alarms, in worlds that are not the stated one -------------------------------------------------------------


def world(seed: int, size: int) -> tuple[dict[str, npt.NDArray[np.bool_]], IntArray, IntArray]:
    """Borrowers of a world with other chances: truth and groups, and what is seen of each.

    Every percentage is off by up to ten points, a third of all signs is not known, and people who complain, who have a
    lawyer, who are young or live far away are as able and as willing as the others.
    """
    rng = np.random.default_rng(seed)
    able, willing = rng.random(size) < 0.3, rng.random(size) < 0.8
    groups = {name: rng.random(size) < share for name, share in
              (("complained", 0.1), ("lawyer", 0.05), ("young", 0.3), ("far", 0.2))}  # fmt: skip
    seen = []
    for signs, trait in ((ABILITY, able), (WILLINGNESS, willing)):
        columns = []
        for sign in signs:
            chance = np.where(trait, *sign.percent) / 100 + rng.uniform(-0.1, 0.1)
            value = (rng.random(size) < np.clip(chance, 0.01, 0.99)).astype(np.int64)
            columns.append(np.where(rng.random(size) < 1 / 3, -1, value))
        seen.append(np.column_stack(columns))
    return groups | {"evades": able & ~willing}, seen[0], seen[1]


@pytest.mark.parametrize("seed", range(4))
def test_the_ceiling_holds_in_every_group_of_a_world_that_is_not_the_stated_one(seed: int) -> None:
    """Of those who do not evade at most 1 % are looked at in every group, by the upper end of the interval."""
    facts, able, willing = world(seed, 40_000)
    flags = {name: np.zeros(len(able), bool) for name in PLAIN}
    found = np.array(
        [one is Route.REVIEW for one in
         routes(believe(ABILITY, able, PRIOR_ABLE), believe(WILLINGNESS, willing, PRIOR_WILLING), flags)]
    )  # fmt: skip
    innocent = ~facts["evades"]
    for name in ("complained", "lawyer", "young", "far"):
        for inside in (facts[name], ~facts[name]):
            some = innocent & inside
            _, high = wilson(np.array([found[some].sum()]), np.array([some.sum()]))
            assert high[0] <= 0.01, (name, high)
    assert found[facts["evades"]].mean() > 3 * found[innocent].mean()  # and it does find some


# --- on a book -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def book() -> dict[str, pa.Table]:
    return generate(GeneratorSpec(borrowers=3_000, months=18, seed=5)).book_tables


def assessed(tables: Mapping[str, pa.Table]) -> pa.Table:
    panel = build_panel(tables, (AS_OF - date(1970, 1, 1)).days, "Asia/Shanghai")
    return assess(panel, tables, open_lines(panel, tables, AS_OF, Caps()), AS_OF)


@pytest.fixture(scope="module")
def plain(book: dict[str, pa.Table]) -> pa.Table:
    return assessed(book)


def more(table: pa.Table, rows: list[dict[str, object]]) -> pa.Table:
    given = {field.name: [row.get(field.name) for row in rows] for field in table.schema}
    return pa.concat_tables([table, pa.table(given, schema=table.schema)])


def test_every_overdue_borrower_is_told_of_once(book: dict[str, pa.Table], plain: pa.Table) -> None:
    assert plain.schema.equals(ASSESSED)
    ids = plain["borrower_id"].to_pylist()
    assert ids == sorted(set(ids)) and ids
    assert set(plain["route"].to_pylist()) <= {str(one) for one in Route}


COMPLAINING = st.sampled_from(["complaints", "dispute_opened", "stop_contact", "unanswered", "letter", "inquiry"])


@settings(max_examples=8, deadline=None)
@given(kinds=st.lists(COMPLAINING, min_size=1, max_size=3, unique=True), seed=st.integers(0, 10**6))
def test_complaining_having_a_lawyer_and_not_answering_change_nothing(
    book: dict[str, pa.Table], plain: pa.Table, kinds: list[str], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    ids = plain["borrower_id"].to_pylist()
    some = [ids[place] for place in rng.choice(len(ids), min(30, len(ids)), replace=False)]
    at = datetime(2024, 12, 1, 3, tzinfo=UTC)
    tables = dict(book)
    for kind in kinds:
        if kind == "complaints":
            rows = [{"complaint_id": f"q{who}", "borrower_id": who, "channel": "12378", "kind": "collection", "at": at}
                    for who in some]  # fmt: skip
            tables[kind] = more(tables[kind], rows)
        elif kind in ("unanswered", "letter"):
            channel, way, outcome = {
                "unanswered": ("call", "out", "no_answer"), "letter": ("letter", "in", "represented_by_lawyer")
            }[kind]  # fmt: skip
            rows = [
                {"contact_id": f"q{kind}{who}", "borrower_id": who, "at": at, "channel": channel, "direction": way,
                 "target": "debtor", "answered": False, "outcome": outcome}
                for who in some
            ]  # fmt: skip
            tables["contacts"] = more(tables["contacts"], rows)
        else:
            rows = [{"event_id": f"q{kind}{who}", "kind": kind, "borrower_id": who, "effective_at": at} for who in some]
            tables["events"] = more(tables["events"], rows)
    assert assessed(tables).equals(plain)


def test_the_models_of_individuals_do_not_read_complaints_or_clusters() -> None:
    text = Path(evidence.__file__).read_text(encoding="utf-8")
    for name in ('"complaints"', "dispute_", "stop_contact", "clusters", "lawyer_", '"answered"', "representative"):
        assert name not in text, name


def test_without_its_tables_nothing_is_known_and_nobody_is_looked_at(book: dict[str, pa.Table]) -> None:
    bare = assessed({name: book[name] for name in ("accounts", "periods")})
    assert str(Route.REVIEW) not in bare["route"].to_pylist()
