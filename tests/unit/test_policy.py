"""The policy table: what it decides, which files are refused, and that nothing unknown can raise or lower."""

import random
import re
from importlib.resources import files

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import catalogue
from evenkeel.policy.table import OUTCOMES, Policy, load_policy

KNOWN = frozenset(key.removeprefix("reason.") for key in catalogue("en") if key.startswith("reason."))
SHIPPED_TEXT = (files("evenkeel.policy") / "limits.toml").read_text(encoding="utf-8")
SHIPPED = load_policy(SHIPPED_TEXT, KNOWN)

SMALL = """
name = "small"
step_minor = 100
required = ["pd", "income"]

[inputs]
pd = { domain = [0, 1] }
income = { domain = [0, 1000] }
late = { domain = [0, 1] }

[[rules]]
id = "down"
when = { pd = ">= 0.5" }
outcome = "lower"
factor = 0.5
reasons = ["risk_high"]

[[rules]]
id = "up"
when = { pd = "< 0.1", income = "(10..1000]" }
outcome = "raise"
factor = 1.25
reasons = ["raise_earned"]

[[rules]]
id = "rest"
outcome = "keep"
reasons = ["no_change"]
"""

# What makes the sound table above unsound, the words of the fault, and whether a row is named.
FAULTS = {
    "not toml": ("[inputs]", "[inputs", "not TOML"),
    "unknown key": ('name = "small"', "nmae = 1", "nmae"),
    "name is no text": ('name = "small"', "name = 3", "`name`"),
    "required is no list": ('required = ["pd", "income"]', "required = 5", "`required`"),
    "required holds a list": ('required = ["pd", "income"]', 'required = [["pd"]]', "`required`"),
    "required is not declared": ('["pd", "income"]', '["pd", "income", "age"]', "age"),
    "nothing is required": ('["pd", "income"]', "[]", "up raises without testing"),
    "no inputs": (SMALL[SMALL.index("[inputs]") : SMALL.index("[[rules]]")], "", "[inputs]"),
    "a domain upside down": ("[0, 1000]", "[1000, 0]", "income"),
    "a domain of texts": ("[0, 1000]", '["0", "9"]', "income"),
    "an unbounded domain": ("[0, 1000]", "[0, inf]", "income"),
    "a domain that is not a number": ("[0, 1000]", "[nan, 9]", "income"),
    "a domain beyond floats": ("[0, 1000]", "[0, 1" + "0" * 400 + "]", "income"),
    "an input with other keys": ("{ domain = [0, 1000] }", "{ domain = [0, 1000], min = 3 }", "income"),
    "an input that is no table": ("late = { domain = [0, 1] }", "late = 3", "late"),
    "no rules": (SMALL[SMALL.index("[[rules]]") :], "", "no rules"),
    "a misspelt when": ('when = { pd = ">= 0.5" }', 'wen = { pd = ">= 0.5" }', "rule down"),
    "a when that is a text": ('when = { pd = ">= 0.5" }', 'when = "always"', "rule down"),
    "an input that is not there": ('{ pd = ">= 0.5" }', '{ pdd = ">= 0.5" }', "rule down tests pdd"),
    "an unreadable condition": ('">= 0.5"', '"at least half"', "rule down"),
    "a bare number": ('">= 0.5"', "0.5", "rule down"),
    "a condition that holds a list": ('">= 0.5"', "[0.5]", "rule down"),
    "an interval upside down": ('"(10..1000]"', '"(1000..10]"', "rule up"),
    "an empty interval": ('"(10..1000]"', '"(10..10]"', "rule up"),
    "a condition outside the domain": ('">= 0.5"', '"> 1"', "rule down"),
    "an unknown outcome": ('outcome = "lower"', 'outcome = "close"', "rule down"),
    "an outcome that is a list": ('outcome = "lower"', 'outcome = ["lower"]', "rule down"),
    "no outcome": ('outcome = "lower"\n', "", "rule down"),
    "no reason": ('reasons = ["risk_high"]', "reasons = []", "rule down"),
    "reasons that are a text": ('reasons = ["risk_high"]', 'reasons = "risk_high"', "rule down"),
    "reasons that are lists": ('["risk_high"]', '[["risk_high"]]', "rule down"),
    "a reason without a text": ('["risk_high"]', '["mood"]', "rule down"),
    "four reasons": ('["risk_high"]', '["risk_high", "no_score", "over_granted", "no_change"]', "rule down"),
    "a lowering that raises": ("factor = 0.5", "factor = 1.5", "rule down"),
    "a lowering without a factor": ("factor = 0.5\n", "", "rule down"),
    "a raise that lowers": ("factor = 1.25", "factor = 0.9", "rule up"),
    "a boundless raise": ("factor = 1.25", "factor = inf", "rule up"),
    "a raise of a hundred times": ("factor = 1.25", "factor = 100", "rule up"),
    "a factor too fine to act": ("factor = 1.25", "factor = 1.0004", "rule up"),
    "a factor that is no number": ("factor = 0.5", "factor = nan", "rule down"),
    "a factor that is a flag": ("factor = 1.25", "factor = true", "rule up"),
    "a factor on a keep": ('outcome = "keep"', 'outcome = "keep"\nfactor = 2', "rule rest"),
    "an id twice": ('id = "up"', 'id = "down"', "down"),
    "an id that is no text": ('id = "up"', "id = 4", "rule 2"),
    "a raise that skips a required input": ('pd = "< 0.1", ', "", "up raises without testing pd"),
    "a raise on the missing": ('income = "(10..1000]"', 'income = "missing"', "up raises without testing income"),
    "a raise past the row above": ('">= 0.5" }', '">= 0.5", late = true }', "testing late"),
    "a lowering on nothing": ('when = { pd = ">= 0.5" }\n', "", "rule down lowers"),
    "a lowering on what is missing": ('">= 0.5" }', '">= 0.5", late = "missing" }', "rule down lowers"),
    "a catch-all too soon": ('when = { pd = ">= 0.5" }\noutcome = "lower"\nfactor = 0.5', 'outcome = "keep"', "down"),
    "no catch-all": ('id = "rest"', 'id = "rest"\nwhen = { late = true }', "last rule"),
    "a catch-all that freezes": ('outcome = "keep"', 'outcome = "freeze"', "last rule"),
    "a step of nothing": ("step_minor = 100", "step_minor = 0", "step_minor"),
    "a step that is a flag": ("step_minor = 100", "step_minor = true", "step_minor"),
    "a step beyond every limit": ("step_minor = 100", "step_minor = 10" + "0" * 40, "step_minor"),
}  # fmt: skip


def decided(policy: Policy, **inputs: float) -> str:
    """The outcome for one case; an input that is not named is not known."""
    given_inputs = {entry.name: np.array([inputs.get(entry.name, np.nan)]) for entry in policy.inputs}
    return policy.rules[policy.evaluate(given_inputs)[0][0]].outcome


def test_the_first_row_that_holds_decides() -> None:
    policy = load_policy(SMALL, KNOWN)
    assert decided(policy, pd=0.5) == "lower"
    assert decided(policy, pd=0.05, income=11) == "raise"
    assert decided(policy, pd=0.05, income=10) == "keep"
    assert decided(policy, pd=0.05, income=1000) == "raise"
    assert decided(policy, pd=0.05, income=1000.5) == "keep"
    assert decided(policy, income=500) == "keep"
    assert decided(policy, pd=-0.1, income=500) == "keep"


@pytest.mark.parametrize(("old", "new", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_an_unsound_table_is_refused_by_name(old: str, new: str, words: str) -> None:
    assert old in SMALL
    with pytest.raises(InvalidInput, match=re.escape(words)):
        load_policy(SMALL.replace(old, new, 1), KNOWN)


def test_an_input_that_nobody_gives_is_said() -> None:
    with pytest.raises(InvalidInput, match="income, late"):
        load_policy(SMALL, KNOWN).evaluate({"pd": np.array([0.1])})


def test_the_version_is_that_of_the_content_not_of_its_comments() -> None:
    assert load_policy("# a comment\n" + SMALL, KNOWN).version == load_policy(SMALL, KNOWN).version
    assert load_policy(SMALL.replace("1.25", "1.3"), KNOWN).version != load_policy(SMALL, KNOWN).version


def test_the_shipped_policy_uses_every_outcome_and_its_reasons_have_texts_in_both_languages() -> None:
    assert {rule.outcome for rule in SHIPPED.rules} == set(OUTCOMES)
    for rule in SHIPPED.rules:
        for code in rule.reasons:
            assert f"reason.{code}" in catalogue("zh")


def values(policy: Policy) -> st.SearchStrategy[dict[str, float]]:
    """Any value of each input: known, on an edge of some row, out of its domain, or not known."""
    edges: dict[str, list[float]] = {entry.name: [entry.low, entry.high, 0.0, 1.0] for entry in policy.inputs}
    for rule in policy.rules:
        for condition in rule.conditions:
            edges[condition.input] += [end for end in (condition.low, condition.high) if np.isfinite(end)]
    odd = st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 1e9])
    return st.fixed_dictionaries(
        {
            entry.name: st.one_of(st.sampled_from(edges[entry.name]), st.floats(entry.low, entry.high), odd)
            for entry in policy.inputs
        }
    )


def is_known(policy: Policy, name: str, value: float) -> bool:
    entry = next(entry for entry in policy.inputs if entry.name == name)
    return bool(entry.low <= value <= entry.high)


GOOD = {
    "pd": 0.01, "state": 0, "worst_12m": 0, "months_on_file": 24, "utilisation": 0.5, "limit_known": 1,
    "service_to_income": 0.1, "over_granted": 0, "overdue_elsewhere": 0, "hardship": 0, "closed": 0, "frozen": 0,
    "stale": 0,
}  # fmt: skip


def test_a_sound_account_is_raised() -> None:
    assert decided(SHIPPED, **GOOD) == "raise"


@pytest.mark.parametrize("name", SHIPPED.required)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -11.0, 1e9])
def test_without_one_required_fact_it_is_not(name: str, value: float) -> None:
    assert decided(SHIPPED, **GOOD | {name: value}) != "raise"


@given(values(SHIPPED))
@settings(max_examples=500, deadline=None)
def test_the_shipped_policy_never_raises_on_what_is_not_known(inputs: dict[str, float]) -> None:
    if not all(is_known(SHIPPED, name, inputs[name]) for name in SHIPPED.required):
        assert decided(SHIPPED, **inputs) != "raise"


def test_with_nothing_known_a_person_decides() -> None:
    assert decided(SHIPPED) == "refer"


def mutated(text: str, rng: random.Random) -> str:
    """One edit of the kind that a tired person makes: a line, a condition or a number lost, doubled or moved."""
    lines = text.splitlines()
    spots = [place for place, line in enumerate(lines) if line.strip()]
    place, other = rng.choice(spots), rng.choice(spots)
    edit = rng.randrange(7)
    if edit == 0:
        del lines[place]
    elif edit == 1:
        lines[place], lines[other] = lines[other], lines[place]
    elif edit == 2 and (parts := re.findall(r"\w+ = [^,{}]+,? ?", lines[place].partition("{")[2])):
        lines[place] = lines[place].replace(rng.choice(parts), "", 1).replace(", }", " }")
    elif edit == 3:
        outcome = rng.choice(OUTCOMES)
        lines[place] = re.sub(r'outcome = "\w+"', f'outcome = "{outcome}"', lines[place])
    elif edit == 4:
        numbers = re.findall(r"\d+(?:\.\d+)?", lines[place])
        if numbers:
            lines[place] = lines[place].replace(rng.choice(numbers), rng.choice(["0", "1", "2", "0.5", "99"]), 1)
    elif edit == 5:
        lines[place] = re.sub(r'"[^"]+"', '"missing"', lines[place], count=1)
    else:
        names = [entry.name for entry in SHIPPED.inputs]
        lines[place] = re.sub(rf"\b{rng.choice(names)}\b", rng.choice(names), lines[place], count=1)
    return "\n".join(lines)


def edited_policies(seed: int, draws: int) -> tuple[int, int]:
    """(edited policies that were read, that were refused); those that were read are shown to be fail-closed."""
    rng = random.Random(seed)
    read = refused = 0
    for _ in range(draws):
        text = SHIPPED_TEXT
        for _ in range(rng.randrange(1, 4)):
            text = mutated(text, rng)
        try:
            policy = load_policy(text, KNOWN)
        except InvalidInput:
            refused += 1
            continue
        read += 1
        assert_fail_closed(policy, rng)
    return read, refused


def assert_fail_closed(policy: Policy, rng: random.Random) -> None:
    """No case is raised with a required input unknown, and none is moved at all with every input unknown."""
    size = 400
    edges: dict[str, list[float]] = {entry.name: [entry.low, entry.high] for entry in policy.inputs}
    for rule in policy.rules:
        for condition in rule.conditions:
            ends = [end for end in (condition.low, condition.high) if np.isfinite(end)]
            edges[condition.input] += [*ends, *[end + 1e-6 for end in ends], *[end - 1e-6 for end in ends]]
    inputs = {name: np.array([rng.choice(ends) for _ in range(size)]) for name, ends in edges.items()}
    raising = [rule for rule in policy.rules if rule.outcome == "raise"]
    for place in range(size // 2):  # half of the cases meet a raising row but for what is then taken away
        for condition in rng.choice(raising).conditions if raising else ():
            low = condition.low if np.isfinite(condition.low) else condition.high - 1e-9
            high = condition.high if np.isfinite(condition.high) else condition.low + 1e-9
            inputs[condition.input][place] = (low + high) / 2
    for place in range(size):
        gone = rng.choice(policy.required) if policy.required else rng.choice(list(edges))
        inputs[gone][place] = rng.choice([np.nan, np.nan, np.inf, -1e12])
    outcomes = [policy.rules[rule].outcome for rule in policy.evaluate(inputs)[0]]
    assert "raise" not in outcomes
    nothing = {name: np.full(1, np.nan) for name in inputs}
    assert policy.rules[policy.evaluate(nothing)[0][0]].outcome not in ("raise", "lower")


def test_an_edited_policy_is_refused_or_still_fail_closed() -> None:
    read, refused = edited_policies(1, 300)
    assert read > 30
    assert refused > 30


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(2, 12))
def test_many_edited_policies_are_refused_or_still_fail_closed(seed: int) -> None:
    edited_policies(seed, 3000)
