"""A policy as a program: what it declares, what it does with what is not known, and what the shipped ones decide."""

import itertools
import random
import re
from collections.abc import Mapping
from datetime import date
from importlib.resources import files

import numpy as np
import pyarrow as pa
import pytest

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import LANGUAGES, catalogue
from evenkeel.policy.check.checking import check
from evenkeel.policy.outcomes import FAVOURABLE, GOODNESS
from evenkeel.policy.program import Program, load_program

SHIPPED = ("granting", "limits", "authorisation")


def text_of(name: str) -> str:
    return (files("evenkeel.policy") / "shipped" / f"{name}.dmn").read_text(encoding="utf-8")


def shipped(name: str) -> Program:
    return load_program(text_of(name), name)


SOUND_APPLICANT: Mapping[str, object] = {
    "identity": "verified", "watch_list": False, "stale": False, "age": 35, "forgery": 0.02, "pd": 0.02, "score": 640,
    "income_low_minor": 800_000, "service_to_income": 0.2, "exposure_group_minor": 1_000_000,
    "requested_minor": 2_000_000, "lines": 2, "new_lines_90d": 0, "inquiries_30d": 1, "requests_in_flight": 0,
    "income_verified": True,
}  # fmt: skip
SOUND_ACCOUNT: Mapping[str, object] = {
    "pd": 0.01, "state": 0, "worst_12m": 0, "months_on_file": 24, "utilisation": 0.5, "limit_known": True,
    "service_to_income": 0.2, "over_granted": False, "overdue_elsewhere": 0, "hardship": False, "closed": False,
    "frozen": False, "stale": False,
}  # fmt: skip
SOUND_PURCHASE: Mapping[str, object] = {
    "amount_minor": 10_000, "available_minor": 500_000, "frozen": False, "closed": False, "days_past_due": 0,
    "purchases_1h": 0, "purchases_24h": 2, "device_changed": False, "night": False, "amount_to_usual": 1.2,
    "watch_list": False, "stale": False,
}  # fmt: skip
SOUND = {"granting": SOUND_APPLICANT, "limits": SOUND_ACCOUNT, "authorisation": SOUND_PURCHASE}


# ---- What a program is ---------------------------------------------------------------------------------------------


def test_a_program_says_what_it_reads() -> None:
    program = shipped("granting")
    assert program.name == "granting" and program.kind == "grant"
    assert program.decisions == ("exposure_to_income", "granting")
    by_name = {item.name: item for item in program.inputs}
    assert by_name["identity"].choices == ("verified", "mismatch", "unavailable", "restricted", "unverified")
    assert (by_name["pd"].low, by_name["pd"].high, by_name["pd"].type) == (0, 1, "number")
    assert not by_name["income_verified"].required and by_name["pd"].required
    assert len(program.rows) >= 30


def test_the_version_is_that_of_what_is_decided_not_of_layout_or_drawing() -> None:
    text = text_of("limits")
    version = load_program(text).version
    assert re.fullmatch("policy-[0-9a-f]{16}", version)
    undrawn = re.sub("(?s)  <dmndi:DMNDI>.*</dmndi:DMNDI>", "", text)
    spaced = text.replace("&gt;= 0.35", "  &gt;=   0.35 ")
    assert undrawn != text and load_program(undrawn).version == version
    assert load_program(spaced).one({}).outcome == load_program(text).one({}).outcome
    assert load_program(text.replace("&gt;= 0.35", "&gt;= 0.36")).version != version
    assert load_program(text.replace("risk_high", "risk_raised")).version != version


def test_a_constant_decision_is_a_value_of_the_program() -> None:
    assert shipped("limits").value("step_minor") == 10_000
    with pytest.raises(InvalidInput, match="no decision step"):
        shipped("limits").value("step")


def test_two_decisions_that_nothing_needs_are_asked_which_decides() -> None:
    with pytest.raises(InvalidInput, match="evenkeel:decides"):
        load_program(text_of("limits").replace(' evenkeel:decides="limit"', ""))


def test_an_expression_that_cannot_be_read_is_named() -> None:
    with pytest.raises(InvalidInput, match="limits"):
        load_program(text_of("limits").replace("<text>&gt;= 0.35</text>", "<text>&gt;= = 0.35</text>"))


# ---- What is not known ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "spoilt", [None, 1.5, -0.1, "high", True, [], {}, float("nan"), float("inf"), date(2024, 1, 1)]
)
def test_a_value_of_another_type_or_outside_the_domain_is_not_known(spoilt: object) -> None:
    program = shipped("granting")
    result = program.one({**SOUND_APPLICANT, "pd": spoilt})
    assert (result.outcome, result.reasons, result.missing) == ("refer", ("no_score",), ("pd",))
    column = np.array([spoilt, 0.02, None], object)[:2]
    others = {name: np.array([value, value], object) for name, value in SOUND_APPLICANT.items()}
    assert program.evaluate({**others, "pd": column}).outcomes().tolist() == ["refer", "approve"]


def test_columns_may_be_numpy_or_arrow_floats_integers_or_objects() -> None:
    program = shipped("granting")
    expected = program.one(SOUND_APPLICANT)
    rows = 3
    as_arrow = {name: pa.array([value] * rows) for name, value in SOUND_APPLICANT.items()}
    as_arrow["age"] = pa.chunked_array([[35], [35, None]])
    as_objects = {name: np.array([value] * rows, object) for name, value in SOUND_APPLICANT.items()}
    as_floats = {
        name: np.array([value] * rows, object if isinstance(value, str) else float)
        for name, value in SOUND_APPLICANT.items()
    }
    for columns, last in ((as_arrow, "refer"), (as_objects, "approve"), (as_floats, "approve")):
        found = program.evaluate(columns)
        assert found.outcomes().tolist() == ["approve", "approve", last]
        assert found.reasons.objects()[0] == expected.reasons
        assert found.amount("factor")[0] == 1
    left_out = {name: column for name, column in as_floats.items() if name != "lines"}
    assert set(program.evaluate(left_out).outcomes()) == {"refer"}


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(InvalidInput, match="one length"):
        shipped("granting").evaluate({"pd": np.array([0.1]), "age": np.array([30, 40])})


def test_a_number_at_a_boundary_is_compared_as_it_is_written() -> None:
    program = shipped("granting")
    exact = {**SOUND_APPLICANT, "income_verified": None}
    below, at, above = np.nextafter(0.03, 0), 0.03, np.nextafter(0.03, 1)
    found = program.evaluate(
        {n: np.array([below, at, above]) if n == "pd" else np.array([v] * 3, object) for n, v in exact.items()}
    )
    assert found.outcomes().tolist() == ["approve", "approve_less", "approve_less"]
    assert [program.one({**exact, "pd": value}).outcome for value in (below, at, above)] == found.outcomes().tolist()


def test_a_calculated_ratio_at_a_boundary_is_decided_exactly() -> None:
    program = shipped("granting")
    for exposure, expected in ((10_000_000 - 2_000_000, "approve"), (10_000_001 - 2_000_000, "refer")):
        facts = {**SOUND_APPLICANT, "income_low_minor": 1_000_000, "exposure_group_minor": exposure + 2_000_000}
        assert program.one(facts).outcome == expected
        columns = {name: np.array([value], object) for name, value in facts.items()}
        assert program.evaluate(columns).outcomes().tolist() == [expected]


AGED = """<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/" xmlns:evenkeel="https://evenkeel.dev/dmn/1"
 id="a" name="aged" namespace="a"><inputData id="i" name="pd" evenkeel:max-age-days="30">
<variable name="pd" typeRef="number"/></inputData><decision id="d" name="decide" evenkeel:decides="grant">
<variable name="decide"/><informationRequirement><requiredInput href="#i"/></informationRequirement>
<literalExpression><text>if pd &lt; 0.1 then "approve" else "refer"</text></literalExpression>
</decision></definitions>"""


@pytest.mark.parametrize(
    ("age", "expected"), [(0, "approve"), (30, "approve"), (31, "refer"), (-1, "refer"), (None, "refer")]
)
def test_a_fact_that_is_too_old_or_of_unknown_age_is_not_known(age: float | None, expected: str) -> None:
    program = load_program(AGED)
    ages = {} if age is None else {"pd": float(age)}
    assert program.one({"pd": 0.05}, ages).outcome == expected
    found = program.evaluate({"pd": np.array([0.05])}, {name: np.array([value]) for name, value in ages.items()})
    assert found.outcomes().tolist() == [expected]


# ---- The shipped policies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_is_wrong_with_the_shipped_policies(name: str) -> None:
    assert check(text_of(name), name) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_reason_of_the_shipped_policies_has_a_text_in_every_language(name: str) -> None:
    codes = set(re.findall(r"[a-z][a-z_]+", " ".join(re.findall(r'<outputEntry><text>"([a-z_;]+)"', text_of(name)))))
    codes -= {word for words in GOODNESS.values() for word in words}
    for language in LANGUAGES:
        assert {code for code in codes if f"reason.{code}" not in catalogue(language)} == set()


@pytest.mark.parametrize(("name", "best"), [("granting", "approve"), ("limits", "raise"), ("authorisation", "approve")])
def test_known_and_good_facts_get_the_best_outcome_and_any_one_missing_loses_it(name: str, best: str) -> None:
    program = shipped(name)
    facts = SOUND[name]
    assert program.one(facts).outcome == best
    for item in program.inputs:
        without = program.one({**facts, item.name: None})
        assert (without.outcome in FAVOURABLE) == (not item.required), item.name
        assert without.reasons


def test_nobody_unverified_is_granted_and_unavailable_goes_to_a_person() -> None:
    program = shipped("granting")
    risks, states = (0.0, 0.05, 0.3), ("mismatch", "unavailable", "restricted", "unverified", None)
    for identity, pd, watch, stale in itertools.product(states, risks, (True, False, None), (True, False, None)):
        result = program.one({**SOUND_APPLICANT, "identity": identity, "pd": pd, "watch_list": watch, "stale": stale})
        assert result.outcome in ("refer", "decline")
        if identity in ("unavailable", "restricted") and watch is not True:
            assert result.outcome == "refer"


def limit_by_hand(f: Mapping[str, float]) -> tuple[str, float | None]:
    """The policy of limits in plain Python, for accounts of which everything is known."""
    if f["closed"]:
        return "freeze", None
    if 2 <= f["state"] <= 7:
        return "freeze", None
    if f["state"] == 1 and f["overdue_elsewhere"] >= 1:
        return "freeze", None
    if f["hardship"]:
        return "refer", None
    if f["overdue_elsewhere"] >= 1:
        return "freeze", None
    if f["stale"]:
        return "keep", None
    if f["state"] == 1:
        return "freeze", None
    if f["pd"] >= 0.35 and f["limit_known"]:
        return "lower", 0.5
    if f["over_granted"] and f["pd"] >= 0.08 and f["limit_known"]:
        return "lower", 0.7
    if 0.2 <= f["pd"] < 0.35 and f["limit_known"]:
        return "lower", 0.8
    if f["over_granted"]:
        return "keep", None
    earned = f["pd"] < 0.02 and f["state"] == 0 and f["worst_12m"] == 0 and f["months_on_file"] >= 6
    usable = 0.3 <= f["utilisation"] <= 0.95 and f["service_to_income"] < 0.3 and f["limit_known"] and not f["frozen"]
    if earned and usable:
        return "raise", 1.2
    over = f["pd"] < 0.08 and f["state"] == 0 and f["limit_known"]  # and all else is known: what froze it is over
    return ("thaw", None) if over and f["frozen"] else ("keep", None)


def random_account(draw: random.Random) -> dict[str, float]:
    return {
        "pd": draw.choice((0.0, 0.0199, 0.02, 0.08, 0.2, 0.349, 0.35, 0.9)),
        "state": draw.choice((0, 0, 0, 1, 2, 7, 8)),
        "worst_12m": draw.choice((0, 0, 1)), "months_on_file": draw.choice((5, 6, 60)),
        "utilisation": draw.choice((0.29, 0.3, 0.5, 0.95, 0.96)), "limit_known": draw.random() < 0.9,
        "service_to_income": draw.choice((0.1, 0.3)), "over_granted": draw.random() < 0.2,
        "overdue_elsewhere": draw.choice((0, 0, 0, 1)), "hardship": draw.random() < 0.1, "closed": draw.random() < 0.1,
        "frozen": draw.random() < 0.1, "stale": draw.random() < 0.1,
    }  # fmt: skip


def test_limits_decide_as_written_by_hand_where_everything_is_known() -> None:
    program, draw = shipped("limits"), random.Random(1)
    accounts = [random_account(draw) for _ in range(5_000)]
    found = program.evaluate({name: np.array([float(one[name]) for one in accounts]) for name in accounts[0]})
    factors = found.amount("factor")
    assert set(found.outcomes()) == {"raise", "keep", "lower", "freeze", "refer", "thaw"}
    for place, account in enumerate(accounts):
        outcome, factor = limit_by_hand(account)
        assert found.outcomes()[place] == outcome
        assert (None if np.isnan(factors[place]) else factors[place]) == factor


def test_a_bureau_feed_that_falls_silent_lowers_nobody() -> None:
    program, draw = shipped("limits"), random.Random(2)
    for _ in range(300):
        account: dict[str, object] = dict(random_account(draw))
        account["overdue_elsewhere"] = None
        assert program.one(account).outcome not in ("lower", "raise")


def test_a_decision_that_rests_on_itself_is_refused() -> None:
    needs = '<informationRequirement><requiredDecision href="#decision_limits"/></informationRequirement>'
    text = text_of("limits").replace('<variable name="limits"/>', f'<variable name="limits"/>{needs}')
    with pytest.raises(InvalidInput, match="limits"):
        load_program(text)
