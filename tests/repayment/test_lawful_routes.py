"""Where to turn, by place, cause and lender; and the rules behind it."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest
from lawful_samples import card, case, private

from evenkeel.arrears.law import load_rules
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import catalogue
from evenkeel.repayment.case import Household
from evenkeel.repayment.law.lawful import claims
from evenkeel.repayment.law.routes import _data, causes_of, routes
from evenkeel.repayment.law.rules import load_law, shipped
from evenkeel.repayment.law.words import cited


def ids(place: str, *causes: str, region: str | None = None, lender: str = "bank_card") -> list[str]:
    found = case(card(lender_type=lender), jurisdiction=place, household=Household(region=region))
    return [one.id for one in routes(found, causes)]  # type: ignore[arg-type]


def test_the_lender_comes_first_and_the_court_last() -> None:
    assert ids("CN", "infeasible", region="Guangdong") == [
        "cn-lender-card", "cn-legal-aid", "cn-social", "cn-shenzhen",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("place", "region", "told"),
    [
        ("CN", "Guangdong", True),
        ("CN", "深圳", True),
        ("CN-SZ", None, True),
        ("CN", None, True),
        ("CN", "Gansu", False),
    ],
)
def test_shenzhen_s_court_is_told_only_where_residence_may_fit(place: str, region: str | None, told: bool) -> None:
    assert ("cn-shenzhen" in ids(place, "infeasible", region=region)) is told


def test_of_an_unknown_region_it_is_not_said_that_it_fits() -> None:
    (shenzhen,) = [one for one in routes(case(card()), ["infeasible"]) if one.id == "cn-shenzhen"]
    assert (shenzhen.fits, shenzhen.rule, shenzhen.mark) == (None, "CN-SZ-PB", "secondary")


def test_card_rules_are_not_told_to_who_owes_a_pay_later_line() -> None:
    assert "cn-lender-card" not in ids("CN", "infeasible", lender="micro_loan")
    assert "cn-lender" in ids("CN", "infeasible", lender="micro_loan")
    assert "cn-12378" not in ids("CN", "price", lender="micro_loan")


@pytest.mark.parametrize(
    ("place", "some"),
    [("US", "us-bankruptcy"), ("UK", "uk-breathing-space"), ("GB-SCT", "uk-das"), ("FR", "eu-advice"),
     ("EU", "eu-lender"), ("BR", "any-advice")],
)  # fmt: skip
def test_every_place_has_somewhere_to_turn(place: str, some: str) -> None:
    assert some in ids(place, "infeasible", "hardship")
    assert not any(one.startswith("cn-") for one in ids(place, "infeasible"))


def test_scotland_has_no_english_breathing_space() -> None:
    assert "uk-breathing-space" not in ids("UK-SCT", "infeasible") and "uk-das" not in ids("UK-ENG", "infeasible")


def test_causes_follow_from_what_was_found() -> None:
    found = case(private(), card(days_past_due=2_000), card(id="j", disputed="all"))
    assert set(causes_of(*claims(found))) == {"price", "limitation", "dispute"}


def test_every_route_has_its_sentence_and_its_mark() -> None:
    seen = [row["id"] for row in _data()]
    assert len(seen) == len(set(seen))
    for row in _data():
        assert all(f"repay.route.{row['id']}" in catalogue(language) for language in ("en", "zh"))
        assert row["mark"] in ("read", "secondary", "memory", "judgement")


# ---------------------------------------------------------------------------------------------------------------- rules


def test_the_rules_of_plans_and_of_actions_are_the_same_rules() -> None:
    actions = load_rules().rules
    shared = set(actions) & set(shipped().rules)
    assert shared == {id_ for id_ in shipped().rules if not re.search("-ADV-|-LIMIT-", id_)}
    for id_ in shared:
        one, other = actions[id_], shipped().rules[id_]
        for name in (
            "jurisdiction", "statement", "citation", "confidence", "effective_from", "effective_to", "verified_on",
        ):  # fmt: skip
            assert getattr(one, name) == getattr(other, name), (id_, name)


def test_no_shipped_rule_of_memory_could_take_anything_off() -> None:
    cutting = [rule for rule in shipped().rules.values() if rule.kind in ("rate_cap", "advance_interest") and rule.read]
    assert {rule.id for rule in cutting} == {"CN-ADV-670", "CN-RATE-4LPR"}


def test_a_rule_is_cited_with_how_it_is_known() -> None:
    assert cited("CN-ADV-670", "en") == "Civil Code, art. 670; text read"
    assert cited("CN-RATE-24-AUX", "zh").endswith("依据他人转述")
    assert cited("XX-1", "en") == "XX-1"


@pytest.mark.parametrize(
    ("text", "words"),
    [('kind = "rate_cap"', "fields of a rule"), ('kind = "odd"\nconfidence = "read"', "kind 'odd'")],
)
def test_a_spoilt_rule_is_refused(tmp_path: Path, text: str, words: str) -> None:
    folder = tmp_path
    rest = "" if "confidence" not in text else (
        'statement = {en = "a", zh = "b"}\ncitation = {en = "a", zh = "b"}\neffective_from = 2020-01-01\n'
        "verified_on = 2020-01-01\n"
    )  # fmt: skip
    (folder / "x.toml").write_text(f'jurisdiction = "CN"\n[[rule]]\nid = "X"\n{text}\n{rest}', encoding="utf-8")
    with pytest.raises(InvalidInput, match=words):
        load_law(folder)


def test_both_languages_have_every_text_of_this_room() -> None:
    english, chinese = ({key for key in catalogue(language) if key.startswith("repay.")} for language in ("en", "zh"))
    assert english == chinese
    room = Path(str(files("evenkeel.repayment")))
    named = "".join(file.read_text(encoding="utf-8") for file in room.rglob("*.py"))
    keys = set(re.findall(r'"(repay\.(?:ask|warn)\.[a-z_]+)"', named))
    assert keys and keys <= english
    for key in english:
        places = [set(re.findall(r"{(\w+)[:}]", catalogue(language)[key])) for language in ("en", "zh")]
        assert places[0] == places[1], key
