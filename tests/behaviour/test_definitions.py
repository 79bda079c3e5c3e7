"""Definitions are data: what is shipped is whole and has texts; what is wrong is refused in plain words."""

from __future__ import annotations

import pytest

from evenkeel.behaviour.definitions import KINDS, MOST_KINDS, Entity, read_definitions, shipped
from evenkeel.behaviour.online import online
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import LANGUAGES, catalogue

HEAD = 'zone = "Asia/Shanghai"\n'
SUM = (
    '[[feature]]\nname = "a"\nconcept = "c"\nentity = "borrower"\nkinds = ["purchase"]\naggregate = "sum"\n'
    'window = "30d"\n'
)
PARTS = (
    '[[part]]\nname = "p"\nentity = "borrower"\nkinds = ["fee"]\naggregate = "sum"\nwindow = "1h"\n'
    '[[part]]\nname = "n"\nentity = "borrower"\nkinds = ["fee"]\naggregate = "count"\nwindow = "1h"\n'
    '[[part]]\nname = "other"\nentity = "device"\nkinds = ["fee"]\naggregate = "sum"\nwindow = "1h"\n'
)
RATIO = '[[feature]]\nname = "r"\nconcept = "c"\nentity = "borrower"\n'


def test_what_is_shipped_is_about_sixty_features_of_every_entity() -> None:
    counts = {entity: len(shipped().of(entity)) for entity in Entity}
    assert counts[Entity.BORROWER] >= 60
    assert all(counts.values())
    names = [entry.name for entry in shipped().entries]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_concept_that_is_shipped_has_a_text(language: str) -> None:
    told = catalogue(language)
    missing = {entry.concept for entry in shipped().entries if entry.concept and f"reason.{entry.concept}" not in told}
    assert missing == set()


def test_units_follow_from_what_is_measured() -> None:
    units = {entry.name: entry.unit for entry in shipped().entries}
    for name, unit in (("purchases_1h", "count"), ("net_use_90d", "minor"), ("cash_share_30d", "ratio"),
                       ("hours_since_device_change", "hours"), ("days_since_income", "days"),
                       ("net_new_lines_12m", "count"), ("use_trend_90d", "ratio")):  # fmt: skip
        assert units[name] == unit, name


def test_every_kind_of_event_has_a_code_that_states_can_hold() -> None:
    assert len(KINDS) <= MOST_KINDS
    assert KINDS[:3] == ("purchase", "cash_advance", "refund")  # codes in stored states: kinds are only ever added


def test_the_version_depends_on_what_is_said_and_not_on_how() -> None:
    version = read_definitions(HEAD + SUM).version
    turned = (
        '[[feature]]\nwindow="30d"\naggregate="sum" # as above\nkinds=["purchase"]\nentity="borrower"\nconcept="c"\n'
    )
    assert read_definitions(HEAD + turned + 'name="a"\n').version == version
    for old, new in (("30d", "31d"), ("sum", "max"), ("purchase", "fee"), ("borrower", "account"), ('"a"', '"b"')):
        assert read_definitions(HEAD + SUM.replace(old, new)).version != version
    assert read_definitions(HEAD.replace("Shanghai", "Tokyo") + SUM).version != version


def test_an_entry_with_several_windows_stands_for_one_of_each() -> None:
    text = SUM.replace('"a"', '"a_{window}"').replace('"30d"', '["1h", "2m"]')
    both = text + RATIO.replace('"r"', '"r_{window}"') + 'ratio = ["a_{window}", "a_2m"]\nwindow = ["1h", "2m"]\n'
    found = read_definitions(HEAD + both).entries
    assert [entry.name for entry in found] == ["a_1h", "a_2m", "r_1h", "r_2m"]
    assert found[2].parts == ("a_1h", "a_2m")


def test_a_layout_changes_only_with_what_a_state_must_keep() -> None:
    base = online(read_definitions(HEAD + SUM), Entity.BORROWER)
    for more in (SUM.replace('"a"', '"b"').replace("sum", "max"), SUM.replace('"a"', '"b"').replace("30d", "3d")):
        assert online(read_definitions(HEAD + SUM + more), Entity.BORROWER).layout == base.layout
    for more in ("60d", "2m"):
        assert online(read_definitions(HEAD + SUM.replace("30d", more)), Entity.BORROWER).layout != base.layout
    assert online(read_definitions(HEAD + SUM + 'lender = "own"\n'), Entity.BORROWER).layout != base.layout


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("zone = ", ["not TOML"]),
        (SUM, ["lacks `zone`"]),
        ('zone = "Mars/Olympus"\n', ["Mars/Olympus", "IANA"]),
        (HEAD + "unknown = 1\n", ["unknown"]),
        (HEAD + "feature = 1\n", ["[[feature]]"]),
        (HEAD + SUM.replace("30d", "25m"), ["(a)", "25m", "1m to 24m"]),
        (HEAD + SUM.replace("30d", "0d"), ["0d"]),
        (HEAD + SUM.replace("30d", "30"), ["'30'"]),
        (HEAD + SUM.replace('"30d"', "[]"), ["window"]),
        (HEAD + SUM.replace('"30d"', '["1h"]'), ["{window}"]),
        (HEAD + SUM.replace('"a"', '"a_{window}"'), ["{window}"]),
        (HEAD + SUM.replace("purchase", "sale"), ["feature 1", "'sale'", "purchase, cash_advance"]),
        (HEAD + SUM.replace("sum", "total"), ["'total'", "count, sum"]),
        (HEAD + SUM.replace("borrower", "person"), ["'person'", "account, borrower, lender, device"]),
        (HEAD + SUM.replace('concept = "c"\n', ""), ["lacks `concept`"]),
        (HEAD + SUM.replace('aggregate = "sum"\n', ""), ["lacks `kinds`, `aggregate` or `window`"]),
        (HEAD + SUM + SUM, ["feature a", "taken"]),
        (HEAD + SUM + "trend = 2\n", ["`trend`", "-1 to 1"]),
        (HEAD + SUM + "trend = true\n", ["`trend`"]),
        (HEAD + SUM + "from_hour = 3\n", ["from 3 to None"]),
        (HEAD + SUM + "from_hour = 0\nto_hour = 24\n", ["no part of a day"]),
        (HEAD + SUM + "from_hour = 24\nto_hour = 3\n", ["`from_hour` is 24", "0 to 23"]),
        (HEAD + SUM + "least_minor = 5\nmost_minor = 4\n", ["5 is above"]),
        (HEAD + SUM + "least_minor = 0.5\n", ["`least_minor` is 0.5"]),
        (HEAD + SUM + "where = { channel = 1 }\n", ["`where`", "channel"]),
        (HEAD + SUM + 'of = "merchant"\n', ["`of`", "distinct"]),
        (HEAD + SUM + 'broken_by = ["fee"]\n', ["`broken_by`", "streak"]),
        (HEAD + SUM + 'unit = "hours"\n', ["`unit`", "time_since"]),
        (HEAD + SUM.replace("sum", "distinct"), ["lacks `of`"]),
        (HEAD + SUM.replace("sum", "streak") + 'broken_by = ["purchase"]\n', ["make and break"]),
        (HEAD + SUM.replace("sum", "trend").replace("30d", "3m"), ["halves", "even number"]),
        (HEAD + PARTS + RATIO + 'ratio = ["p", "n"]\n', ["p is in minor, n in count"]),
        (HEAD + PARTS + RATIO + 'ratio = ["p", "other"]\n', ["of a borrower", "of a device"]),
        (HEAD + PARTS + RATIO + 'ratio = ["p", "later"]\n', ["no entry 'later' before it"]),
        (HEAD + PARTS + RATIO + 'ratio = ["p"]\n', ["two entries"]),
        (HEAD + PARTS + RATIO + 'ratio = ["p", "p"]\ndifference = ["p", "p"]\n', ["two of these"]),
        (HEAD + PARTS + RATIO + 'ratio = ["p", "p"]\nkinds = ["fee"]\n', ["a measure and a ratio"]),
        (HEAD + PARTS + RATIO + 'ratio = ["p", "p"]\nfrom_hour = 0\n', ["a measure and a ratio"]),
        (HEAD + PARTS + RATIO + 'ratio = ["p", "p"]\nwindow = "1h"\n', ["a measure and a ratio"]),
        (
            HEAD
            + SUM.replace("sum", "distinct") + 'of = "merchant"\n'
            + SUM.replace("sum", "distinct").replace('"a"', '"b"') + 'of = "channel"\n',
            ["both merchant and channel"],
        ),
        (
            HEAD
            + "".join(SUM.replace('"a"', f'"a{i}"') + f'where = {{ channel = "{i}" }}\n' for i in range(31)),
            ["more than 30 different conditions"],
        ),
    ],
)  # fmt: skip
def test_a_wrong_definition_is_refused_by_a_message_that_names_it(text: str, words: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_definitions(text)
    for word in words:
        assert word in str(refused.value)
