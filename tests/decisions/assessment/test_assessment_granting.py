"""Grant rows: one an application, by the policy alone; what would change them is asked of the policy, never guessed."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from assessment_samples import accounts, applications, asked, day

from evenkeel.accounts.panel import build_panel
from evenkeel.book.generator.generate import generate
from evenkeel.book.generator.spec import GeneratorSpec
from evenkeel.decisions.assessment.applicants import Applicants, opened_account, score_applicants
from evenkeel.decisions.assessment.assess import MOST_REASONS, Context, assess, learn_norms
from evenkeel.decisions.assessment.duties import duties_of, load_duties
from evenkeel.decisions.assessment.granting import (
    FAVOURABLE,
    GRANTS_SCHEMA,
    STEP_MINOR,
    Granted,
    decide_grants,
    policy_inputs,
)
from evenkeel.decisions.limits import DECISIONS_SCHEMA
from evenkeel.kernel.text import LANGUAGES, texts
from evenkeel.measures.discrimination import auc
from evenkeel.policy.program import Program, load_program

ZONE = "Asia/Shanghai"


@pytest.fixture(scope="module")
def program() -> Program:
    return load_program((files("evenkeel.policy") / "shipped/granting.dmn").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return generate(GeneratorSpec(9_000, 36, 3)).book_tables


@pytest.fixture(scope="module")
def assessed(tables: dict[str, pa.Table]) -> pa.Table:
    context = Context(tables, learn_norms(tables, ZONE), ZONE, watched=frozenset())
    return assess(tables["applications"], context)


@pytest.fixture(scope="module")
def scored(tables: dict[str, pa.Table], assessed: pa.Table) -> Applicants:
    panel = build_panel(tables, (date(2024, 12, 31) - date(1970, 1, 1)).days, ZONE)
    return score_applicants(panel, tables, assessed)


def _decided(tables: dict[str, pa.Table], assessed: pa.Table, scored: Applicants, program: Program) -> Granted:
    opened = opened_account(tables["applications"], tables["accounts"])
    ids = tables["accounts"]["account_id"].combine_chunks().take(pa.array(opened, mask=opened < 0))
    return decide_grants(
        tables["applications"], assessed, scored, program,
        accounts=ids, zone=ZONE, jurisdiction="CN", features_version="features-0",
    )  # fmt: skip


@pytest.fixture(scope="module")
def granted(tables: dict[str, pa.Table], assessed: pa.Table, scored: Applicants, program: Program) -> Granted:
    return _decided(tables, assessed, scored, program)


def test_there_is_one_grant_for_each_application_in_the_contracts_columns(
    granted: Granted, tables: dict[str, pa.Table]
) -> None:
    assert granted.decisions.schema == DECISIONS_SCHEMA
    assert granted.grants.schema == GRANTS_SCHEMA
    assert granted.grants["application_id"].to_pylist() == sorted(tables["applications"]["application_id"].to_pylist())
    assert granted.grants["decision_id"].equals(granted.decisions["decision_id"])
    assert len(pc.unique(granted.decisions["decision_id"])) == granted.decisions.num_rows
    assert set(granted.decisions["kind"].to_pylist()) == {"grant"}
    assert set(granted.decisions["outcome"].to_pylist()) == {"approve", "decline", "refer"}
    assert set(granted.grants["outcome"].to_pylist()) == {"approve", "approve_less", "decline", "refer"}


def test_amounts_follow_the_outcome_exactly(granted: Granted) -> None:
    for row in granted.grants.to_pylist():
        amount, requested = row["granted_minor"], row["requested_minor"]
        match row["outcome"]:
            case "approve":
                assert amount == requested
            case "approve_less":
                assert 0 < amount < requested
                assert amount % STEP_MINOR == 0
            case "decline":
                assert amount == 0
            case _:
                assert amount is None
    assert granted.decisions["limit_after_minor"].equals(granted.grants["granted_minor"])


def test_a_part_is_the_policys_share_rounded_down_to_a_step(
    granted: Granted, assessed: pa.Table, scored: Applicants, program: Program
) -> None:
    inputs = {name: pa.array(values) for name, values in policy_inputs(assessed, scored).items()}
    place = {name: k for k, name in enumerate(assessed["application_id"].to_pylist())}
    part = [row for row in granted.grants.to_pylist() if row["outcome"] == "approve_less"][:40]
    assert part
    for row in part:
        facts = {name: values[place[row["application_id"]]].as_py() for name, values in inputs.items()}
        facts = {name: None if isinstance(value, float) and np.isnan(value) else value for name, value in facts.items()}
        result = program.one(facts)
        share = Fraction(str(result.amount("factor")))
        assert result.outcome == "approve_less"
        assert row["granted_minor"] == int(row["requested_minor"] * share) // STEP_MINOR * STEP_MINOR


def test_nothing_unknown_is_granted(granted: Granted, assessed: pa.Table) -> None:
    good = [row for row in granted.decisions.to_pylist() if row["outcome"] == "approve"]
    assert good
    assert all(row["missing"] == [] and row["pd_out_of_sample"] is not None for row in good)
    verified = dict(zip(assessed["application_id"].to_pylist(), assessed["identity"].to_pylist(), strict=True))
    granted_ids = granted.grants.filter(pc.is_in(granted.grants["outcome"], pa.array(FAVOURABLE)))["application_id"]
    assert {verified[name] for name in granted_ids.to_pylist()} == {"verified"}


def test_one_to_four_reasons_stand_on_every_row_and_are_told_in_both_languages(granted: Granted) -> None:
    reasons = granted.decisions["reasons"].to_pylist()
    assert {len(row) for row in reasons} <= set(range(1, MOST_REASONS + 1))
    told = {reason["code"] for row in reasons for reason in row}
    own = {code for code in told if code.startswith(("sign_", "applicant_"))}
    assert own
    for language in LANGUAGES:
        assert [code for code in told if f"reason.{code}" not in texts(language)] == []


def test_what_would_change_it_would(granted: Granted, assessed: pa.Table, scored: Applicants, program: Program) -> None:
    inputs = {name: pa.array(values) for name, values in policy_inputs(assessed, scored).items()}
    place = {name: k for k, name in enumerate(assessed["application_id"].to_pylist())}
    middle = assessed["income_middle_minor"].to_pylist()
    before, after = assessed["service_minor"].to_pylist(), assessed["service_after_minor"].to_pylist()
    told = [row for row in granted.grants.to_pylist() if row["would_change"]]
    assert {change["code"] for row in told for change in row["would_change"]} >= {"smaller_amount", "identity_verified"}
    for row in told[:60]:
        k = place[row["application_id"]]
        facts = {name: values[k].as_py() for name, values in inputs.items()}
        assert row["outcome"] not in FAVOURABLE
        for change in row["would_change"]:
            code, amount = change["code"], change["amount_minor"]
            match code:
                case "smaller_amount":
                    service = before[k] + (after[k] - before[k]) * amount / row["requested_minor"]
                    changed = {"requested_minor": amount, "service_to_income": service / middle[k]}
                case "identity_verified":
                    changed = {"identity": "verified"}
                case "facts_confirmed":
                    changed = {"forgery": 0.0}
                case _:
                    continue
            assert program.one(facts | changed).outcome in FAVOURABLE
    for language in LANGUAGES:
        codes = ("smaller_amount", "income_proven", "identity_verified", "facts_confirmed", "others_answered",
                 "no_new_lines")  # fmt: skip
        assert all(f"change.{code}" in texts(language) for code in codes)


def test_the_model_of_earlier_applications_ranks_later_ones(scored: Applicants) -> None:
    judged = ~np.isnan(scored.pd_out_of_sample) & (scored.bad >= 0)
    assert judged.sum() > 500
    assert auc(scored.pd_out_of_sample[judged], scored.bad[judged] == 1).low > 0.65
    assert ((scored.pd > 0) & (scored.pd < 1)).all()


def test_later_outcomes_do_not_reach_what_policy_reads(
    tables: dict[str, pa.Table], assessed: pa.Table, scored: Applicants
) -> None:
    """Turning the outcomes of the last months over changes no probability that was read before them."""
    panel = build_panel(tables, (date(2024, 12, 31) - date(1970, 1, 1)).days, ZONE)
    rng = np.random.default_rng(0)
    size = tables["applications"].num_rows
    known = scored.bad >= 0
    late = known & np.array(pc.greater(tables["applications"]["submitted_at"].cast(pa.date32()), date(2023, 6, 30)))
    flipped = tables["applications"]
    for name, column in (
        ("bad", pa.array(rng.random(size) < 0.5, mask=~late)),
        ("bad_as_of", pa.array([date(2024, 11, 30)] * size, mask=~late)),
    ):
        flipped = flipped.set_column(flipped.column_names.index(name), name, column)
    other = score_applicants(panel, tables | {"applications": flipped}, assessed)
    early = np.array(pc.less(tables["applications"]["submitted_at"].cast(pa.date32()), date(2024, 6, 1)))
    both = early & ~np.isnan(scored.pd_out_of_sample)
    assert both.any()
    assert np.array_equal(scored.pd_out_of_sample[both], other.pd_out_of_sample[both])


def test_too_few_bads_leave_no_probability_and_every_one_to_a_person(program: Program) -> None:
    small = generate(GeneratorSpec(150, 12, 1)).book_tables
    panel = build_panel(small, (date(2024, 12, 31) - date(1970, 1, 1)).days, ZONE)
    table = assess(small["applications"], Context(small, learn_norms(small, ZONE), ZONE, watched=frozenset()))
    scored = score_applicants(panel, small, table)
    assert np.isnan(scored.pd).all()
    assert "a scorecard needs" in scored.missing
    outcome = set(_decided(small, table, scored, program).grants["outcome"].to_pylist())
    assert outcome <= {"refer", "decline"}


def test_an_account_belongs_to_the_application_that_opened_it() -> None:
    asks = applications(
        asked("a", 0, lender_id="x"), asked("a", 5, lender_id="x"), asked("a", 0, lender_id="y"),
        asked("b", 0, lender_id="x"), asked("a", 100, lender_id="x"),
    )  # fmt: skip
    facts = {"borrower_id": "a", "lender_id": "x", "product": "card"}
    lines = accounts(
        {"account_id": "one", "opened_on": day("2024-03-07"), **facts},
        {"account_id": "old", "opened_on": day("2024-01-01"), **facts},
        {"account_id": "two", "opened_on": day("2024-06-10"), **facts},
        {"account_id": "loan", "opened_on": day("2024-03-07"), **facts, "product": "cash"},
    )
    assert opened_account(asks, lines).tolist() == [-1, 0, -1, -1, 2]


# --- duties -----------------------------------------------------------------------------------------------------------


def test_duties_follow_outcome_place_and_day() -> None:
    declined = {duty.id: duty for duty in duties_of("decline", "CN", date(2024, 5, 1))}
    assert set(declined) == {"CN-PIPL-24", "EK-REASONS"}
    assert "CN-PIPL-24" not in {duty.id for duty in duties_of("decline", "CN", date(2021, 10, 31))}
    notice = {duty.id: duty for duty in duties_of("decline", "US", date(2024, 5, 1))}["US-ECOA"]
    assert notice.until(date(2024, 5, 1)) == date(2024, 5, 31)
    assert notice.effect == "warn"  # known from memory
    assert duties_of("refer", "CN", date(2024, 5, 1)) == []


def test_every_duty_says_what_it_is_and_only_read_or_house_rules_require() -> None:
    for duty in load_duties():
        assert set(duty.statement) == set(duty.citation) == set(LANGUAGES)
        assert duty.effect == "warn" or duty.confidence in ("read", "house")
        assert duty.kind in ("notice", "explain", "cooling_off")
