"""Products as data: which files are read, what contradicts itself, what the digest is of, and what is shipped."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from datetime import date
from fractions import Fraction
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evenkeel.accounts.allocation import ATOMS, Future
from evenkeel.accounts.duedates import DueRule
from evenkeel.accounts.fields import AMOUNT_LIMIT, Field, Kind, checked
from evenkeel.accounts.loan.terms import InstalmentFee, LoanTerms
from evenkeel.accounts.products.model import (
    ClassStep,
    Cycle,
    Fee,
    InlineOffer,
    LineTerms,
    Minimum,
    Product,
    RateStep,
    Tolerance,
)
from evenkeel.accounts.products.reading import (
    load_product,
    parse_product,
    product_named,
    products,
    read_product,
    shipped,
)
from evenkeel.accounts.products.spec import FIELDS, paths
from evenkeel.accounts.words import Segment
from evenkeel.kernel.errors import InvalidInput, NotFound

FOLDER = files("evenkeel.accounts.products") / "shipped"
TEXTS = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.iterdir() if file.name.endswith(".toml")}
DOC = Path(__file__).parents[2] / "docs" / "products.md"

HEAD = """
product_id = "small"
name = { en = "Small", zh = "小" }
shape = "card"
currency = "CNY"
day_count = "act/365"
classes = [{ from_days = 0, grade = "normal" }, { from_days = 91, grade = "substandard" }]

[allocation]
order = ["past_due_penalty", "past_due_fee", "past_due_interest", "past_due_principal", "due_penalty", "due_fee",
  "due_interest", "due_principal", "in_advance_penalty", "in_advance_fee", "in_advance_interest",
  "in_advance_principal"]
"""
LINE = f"""{HEAD}
[[rates]]
segment = "purchase"
rate_annual = 0.1825

[[rates]]
segment = "purchase"
from_on = 2025-01-01
rate_annual = 0.15

[fees.late]
share = 0.05
least_minor = 1000
most_minor = 50000

[line]
grace = "full_amount"
cycle = {{ statement_day = 5, due_after_days = 20, roll = "next", weekends = true, holidays = [2024-10-01] }}
minimum = {{ principal_share = 0.1 }}
offers = [{{ instalments = 3, fee_rate_per_period = 0.007 }}, {{ instalments = 6, rate_annual = 0.12 }}]

[[source]]
of = "fees.late.share"
note = "An example."
"""
LOAN = f"""{HEAD}
[[rates]]
segment = "loan"
rate_annual = 0.18

[fees.late]
least_minor = 1000

[loan]
kind = "equal_instalment"
instalments = 12
"""

# The text that is sound, what is replaced in it by what, and the words of the fault.
FAULTS = {
    "neither line nor loan": (LOAN, LOAN[LOAN.index("[loan]") :], "", "small.toml has neither `line` nor `loan`"),
    "both line and loan": (
        LINE,
        "[[source]]",
        '[loan]\nkind = "bullet"\ninstalments = 1\n[[source]]',
        "has both `line` and `loan`",
    ),
    "a misspelt field": (LINE, "currency =", "curency =", "unknown field 'curency'. Is `currency` meant?"),
    "a misspelt field inside": (LINE, "due_after_days", "due_after_day", "`line`, `cycle` has an unknown field"),
    "a loan's rate in a line": (LINE, '"purchase"\nrate', '"loan"\nrate', "`rates` entry 1: `segment` is loan"),
    "a line's rate in a loan": (
        LOAN,
        '"loan"\nrate',
        '"cash"\nrate',
        "`rates` entry 1: `segment` is cash. Allowed in a loan",
    ),
    "a step that is not later": (LINE, "from_on = 2025-01-01\n", "", "`rates` entry 2: `from_on` is not later"),
    "no rates": (LINE, 'day_count = "act/365"', 'day_count = "act/365"\nrates = []', "small.toml is not TOML"),
    "a ladder that begins late": (
        LINE,
        "from_days = 0",
        "from_days = 1",
        "`classes` entry 1: `from_days` is 1. It begins",
    ),
    "a ladder that goes back": (
        LINE,
        "from_days = 91",
        "from_days = 0",
        "`classes` entry 2: substandard with `from_days` 0",
    ),
    "a ladder that gets better": (LINE, '"substandard"', '"normal"', "`classes` entry 2: normal with `from_days` 91"),
    "a step of payments missing": (LINE, '"past_due_penalty", ', "", "`allocation`: `order` is"),
    "a step of payments twice": (LINE, '"due_penalty"', '"due_fee"', "`allocation`: `order` holds twice 'due_fee'"),
    "a fee turned round": (
        LINE,
        "least_minor = 1000",
        "least_minor = 60000",
        "`least_minor` is 60000, above `most_minor`",
    ),
    "a fee of nothing": (LINE, "share = 0.05\nleast_minor = 1000", "", "`fees`, `late` costs nothing"),
    "a fee without cap of nothing": (LOAN, "least_minor = 1000", "share = 0.0", "`fees`, `late` costs nothing"),
    "a loan with a fee of lines": (LOAN, "[fees.late]", "[fees.cash]", "`fees`: `cash` is a fee of lines"),
    "no due day": (LINE, "due_after_days = 20, ", "", "`line`, `cycle` has neither of `due_day` and `due_after_days`"),
    "two due days": (LINE, "due_after_days = 20", "due_after_days = 20, due_day = 1", "`cycle` has both of `due_day`"),
    "days off that move nothing": (
        LINE,
        'roll = "next"',
        'roll = "none"',
        "`line`, `cycle` names days that are no working",
    ),
    "days off of a loan": (
        LOAN,
        "instalments = 12",
        "instalments = 12\ndue = {weekends = true}",
        "`due` names days that are",
    ),
    "an offer with two prices": (
        LINE,
        "rate_annual = 0.12",
        "rate_annual = 0.12, fee_rate_per_period = 0.1",
        "`offers` entry 2",
    ),
    "an offer twice": (
        LINE,
        "instalments = 6",
        "instalments = 3",
        "`offers` entry 2: `instalments` is 3 for the second time",
    ),
    "a loan's setting in a line": (
        LINE,
        "[allocation]",
        '[allocation]\nfuture = "last"',
        "`future` or `processing`, which only",
    ),
    "a loan's setting for refunds of a line": (
        LINE,
        "[fees.late]",
        '[allocation.refund_merchant]\nfuture = "last"\n[fees.late]',
        "`future` or `processing`, which",
    ),
    "a loan with segments": (
        LOAN,
        "[allocation]",
        '[allocation]\nsegments = ["cash", "purchase", "promotion", "instalment"]',
        "of a loan has `seg",
    ),
    "a loan with excess by rate": (
        LOAN,
        "shape =",
        "excess_by_rate = true\nshape =",
        "is a loan with `excess_by_rate`",
    ),
    "a loan with a cap on cost": (
        LOAN,
        "shape =",
        "cost_cap_annual = 0.2\nshape =",
        "is a loan with `cost_cap_annual`",
    ),
    "a source of nothing": (LINE, "fees.late.share", "fees.late.sharp", "`source` entry 1: `of` is 'fees.late.sharp'"),
    "loan terms that contradict": (
        LOAN,
        '"equal_instalment"',
        '"balloon"',
        "small.toml, `loan`: `balloon_share` is of balloon",
    ),
    "more grace than instalments": (
        LOAN,
        "instalments = 12",
        "instalments = 12\ngrace_principal = 12",
        "`loan`: `grace_principal` is 12",
    ),
    "a due day of weeks": (
        LOAN,
        "instalments = 12",
        'instalments = 12\ndue = {unit = "weeks", due_day = 3}',
        "`loan`: `due_day` is 3",
    ),
    "text that is no TOML": (LINE, "shape =", "shape", "small.toml is not TOML"),
    "a field twice": (LINE, "shape =", 'currency = "USD"\nshape =', "small.toml is not TOML"),
    "no number": (LINE, "share = 0.05", "share = nan", "`fees`, `late`: `share` is NaN"),
    "an endless number": (LINE, "share = 0.05", "share = inf", "`fees`, `late`: `share` is Infinity"),
    "a number beyond any exponent": (LINE, "share = 0.05", "share = 1e999999999999999999999", "`share` is Infinity"),
    "a whole number of 5,000 digits": (
        LINE,
        "most_minor = 50000",
        "most_minor = " + "9" * 5000,
        "small.toml is not TOML",
    ),
    "a time for a day": (
        LINE,
        "from_on = 2025-01-01",
        "from_on = 2025-01-01T00:00:00",
        "`from_on` is 2025-01-01T00:00:00",
    ),
    "a name of 100,000 parts": (LINE, "[allocation]", "a." * 100_000 + "a = 1", "small.toml is nested too deeply"),
    "nested beyond reason": (LINE, "[allocation]", "x = " + "[" * 100_000, "small.toml is nested too deeply"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_file_that_contradicts_itself_is_refused_in_words(name: str) -> None:
    text, old, new, words = FAULTS[name]
    parse_product(text, "small.toml")
    assert old in text
    with pytest.raises(InvalidInput, match=re.escape(words)) as error:
        parse_product(text.replace(old, new, 1), "small.toml")
    assert error.value.message.startswith("small.toml") and len(str(error.value)) < 600


# ---- What comes out -------------------------------------------------------------------------------------------------


def test_a_line_comes_out_as_the_file_says() -> None:
    product = parse_product(LINE)
    assert product.line == LineTerms(
        cycle=Cycle(5, None, 20, product.line.cycle.roll, True, frozenset({date(2024, 10, 1)})),
        minimum=Minimum(Fraction(1, 10), 0),
        grace=product.line.grace,
        offers=(InlineOffer(3, Fraction(7, 1000), Fraction(0)), InlineOffer(6, Fraction(0), Fraction(3, 25))),
    )
    assert product.loan is None and product.tolerance == Tolerance()
    assert product.fees == {"late": Fee("late", Fraction(1, 20), 1000, 50_000)}
    assert product.rates[0] == RateStep(Segment.PURCHASE, date.min, Fraction(73, 400))
    assert product.allocation.default.order == ATOMS
    assert product.classes == (ClassStep(0, "normal"), ClassStep(91, "substandard"))
    assert product.source == {"fees.late.share": "An example."}


def test_a_loan_comes_out_as_the_file_says() -> None:
    product = parse_product(LOAN)
    assert product.line is None and product.loan == LoanTerms(rate_annual=Fraction(18, 100))
    assert product.fees == {"late": Fee("late", Fraction(0), 1000, AMOUNT_LIMIT)}


def test_a_rate_holds_from_its_day_on_and_the_first_from_ever() -> None:
    product = parse_product(LINE)
    days = (date(1980, 1, 1), date(2024, 12, 31), date(2025, 1, 1), date(2099, 12, 31))
    assert [product.rate_on(Segment.PURCHASE, day) for day in days] == [
        Fraction(73, 400), Fraction(73, 400), Fraction(15, 100), Fraction(15, 100)
    ]  # fmt: skip
    assert product.rate_on(Segment.CASH, days[0]) == 0


def test_refunds_may_be_used_otherwise_than_payments() -> None:
    product = parse_product(LOAN.replace("[fees.late]", '[allocation.refund_goodwill]\nfuture = "last"\n[fees.late]'))
    assert product.allocation.rule("refund_goodwill").future is Future.LAST
    assert product.allocation.rule("refund_goodwill").order == product.allocation.default.order
    assert product.allocation.rule("refund_merchant") == product.allocation.default
    names = [f"{atom.timing}_{atom.component}" for atom in reversed(ATOMS)]
    own = f"[allocation.guarantor_payment]\norder = {json.dumps(names)}\n[fees.late]"
    product = parse_product(LINE.replace("[fees.late]", own))
    assert product.allocation.rule("guarantor_payment").order == ATOMS[::-1]
    assert product.allocation.default.order == ATOMS


@pytest.mark.parametrize(
    ("above", "terms", "shared"),
    [
        ("line.", LineTerms, set()),
        ("line.cycle.", Cycle, set()),
        ("line.minimum.", Minimum, set()),
        ("line.offers.", InlineOffer, set()),
        ("loan.", LoanTerms, {"rate_annual", "day_count"}),
        ("loan.due.", DueRule, set()),
        ("loan.fee.", InstalmentFee, set()),
        ("tolerance.", Tolerance, set()),
        ("rates.", RateStep, set()),
        ("classes.", ClassStep, set()),
        ("fees.late.", Fee, {"kind"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_has_every_field_of_the_model_with_the_same_default(above: str, terms: Any, shared: set[str]) -> None:
    spec = {path.removeprefix(above): field for path, field in paths() if re.fullmatch(f"{above}[a-z_]+", path)}
    assert spec.keys() == {part.name for part in fields(terms)} - shared
    for part in fields(terms):
        if part.default is MISSING or part.name not in spec or spec[part.name].needed:
            continue
        given = spec[part.name].default
        if spec[part.name].kind is Kind.RECORD:
            assert part.default == type(part.default)() and given is None
        else:
            assert (frozenset(given) if part.name == "holidays" else given) == getattr(
                part.default, "value", part.default
            )


# ---- The digest -----------------------------------------------------------------------------------------------------


def test_the_digest_is_of_the_terms_and_not_of_how_they_are_written() -> None:
    digest = parse_product(LINE).digest
    assert re.fullmatch("[0-9a-f]{64}", digest)
    same = {
        "comments and blank lines": "# hello\n\n" + LINE.replace("[line]", "\n\n[line]  # the line"),
        "a number written otherwise": LINE.replace("0.1825", '"0.18250"').replace("= 50000", "= 50_000"),
        "a default written out": LINE.replace("[fees.late]", "[tolerance]\ngrace_days = 0\n[fees.late]"),
        "an empty table": LINE.replace("[fees.late]", "[tolerance]\n[fees.late]"),
        "another name": LINE.replace("Small", "Smaller"),
        "another note": LINE.replace("An example.", "Another example."),
        "windows line ends": LINE.replace("\n", "\r\n"),
    }
    for what, text in same.items():
        assert text != LINE and parse_product(text).digest == digest, what
    assert parse_product(LINE.replace("0.1825", "0.1826")).digest != digest


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_products_text_makes_the_same_product_again(name: str) -> None:
    product = parse_product(TEXTS[name], name)
    assert parse_product(product.text) == product
    assert parse_product(json.dumps(json.loads(product.text), indent=4)) == product


def _leaves(record: Mapping[str, Any], specs: tuple[Field, ...] = FIELDS) -> Iterator[tuple[list[Any], Field]]:
    """Where each value of a record stands that is no table itself."""
    for spec in specs:
        value = record.get(spec.name)
        if value is None:
            continue
        if spec.kind is Kind.RECORD:
            yield from (([spec.name, *place], field) for place, field in _leaves(value, spec.parts))
        elif spec.kind is Kind.RECORDS:
            for number, entry in enumerate(value):
                yield from (([spec.name, number, *place], field) for place, field in _leaves(entry, spec.parts))
        else:
            yield [spec.name], spec


def _other(value: Any, field: Field) -> Any:
    """Another value of a field's domain."""
    if field.kind in (Kind.MONEY, Kind.COUNT):
        return value + 1 if value < field.top else value - 1
    if field.kind is Kind.RATE:
        return f"{float(value) / 2 + 0.001:.4f}"
    if field.kind is Kind.CHOICE:
        return field.choices[field.choices.index(value) - 1]
    if field.kind is Kind.CHOICES:
        return [*value[1:], value[0]]
    return {
        Kind.FLAG: lambda: not value, Kind.DAY: lambda: "2031-05-06", Kind.DAYS: lambda: [*value, "2031-05-06"],
        Kind.TEXT: lambda: f"{value}x", Kind.ID: lambda: f"{value}x", Kind.CURRENCY: lambda: "EUR",
    }[field.kind]()  # fmt: skip


@pytest.mark.parametrize("text", [LINE, LOAN, *TEXTS.values()])
def test_every_change_of_a_term_changes_the_digest(text: str) -> None:
    product = parse_product(text)
    changed = 0
    for place, field in _leaves(json.loads(product.text)):
        record = json.loads(product.text)
        holder = record
        for step in place[:-1]:
            holder = holder[step]
        holder[place[-1]] = _other(holder[place[-1]], field)
        try:
            other = read_product(record)
        except InvalidInput:  # the change alone contradicts the rest
            continue
        changed += 1
        assert (other.digest == product.digest) is (place[0] in ("name", "source")), place
        assert other != product
    assert changed > 10


# ---- Files and folders ----------------------------------------------------------------------------------------------


def test_a_folder_of_ones_own_goes_before_what_is_shipped(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(LINE, encoding="utf-8")
    (tmp_path / "card.json").write_text(parse_product(LOAN.replace('"small"', '"card"')).text, encoding="utf-8")
    (tmp_path / "notes.txt").write_text("no product", encoding="utf-8")
    found = products(tmp_path)
    assert found.keys() == products().keys() | {"small"}
    assert found["card"].loan is not None and shipped("card").line is not None
    assert product_named("small", found) == found["small"]
    with pytest.raises(NotFound, match=r"There is no product 'small'\. There are balloon, .*, pay_later\."):
        shipped("small")


def test_two_files_with_one_product_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(LINE, encoding="utf-8")
    (tmp_path / "b.toml").write_text(LINE, encoding="utf-8")
    with pytest.raises(InvalidInput, match=r"a\.toml and b\.toml both hold the product small"):
        products(tmp_path)


def test_a_file_that_cannot_be_a_product_is_refused_by_name(tmp_path: Path) -> None:
    cases = {
        "large.toml": (b"#" * 1_000_001, r"large\.toml is larger than 1 MB"),
        "latin.toml": ("name = 'é'".encode("latin-1"), r"latin\.toml is not UTF-8 at byte 8"),
        "zip.toml": (b"PK\x03\x04\xff", r"zip\.toml is not UTF-8"),
        "empty.toml": (b"", r"empty\.toml lacks `product_id`"),
        "list.json": (b"[1]", r"list\.json has an unknown field '1'"),
        "twice.json": (b'{"shape": "card", "shape": "bnpl"}', r"twice\.json has the field 'shape' twice"),
        "null.json": (b'{"product_id": null}', r"null\.json lacks `product_id`"),
    }
    for name, (raw, words) in cases.items():
        (tmp_path / name).write_bytes(raw)
        with pytest.raises(InvalidInput, match=words):
            load_product(tmp_path / name)
    (tmp_path / "folder.toml").mkdir()
    for name in ("folder.toml", "absent.toml"):
        with pytest.raises(InvalidInput, match=f"{name} cannot be read"):
            load_product(tmp_path / name)
    with pytest.raises(InvalidInput, match=r"the folder .*nowhere cannot be read"):
        products(tmp_path / "nowhere")


def test_a_byte_order_mark_of_an_editor_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(LINE, encoding="utf-8-sig")
    assert load_product(tmp_path / "mine.toml") == parse_product(LINE)


@given(st.text(max_size=40), st.integers(0, len(LINE)))
def test_no_damage_to_a_file_does_more_than_refuse_it(damage: str, place: int) -> None:
    for text in (LINE[:place] + damage + LINE[place:], LINE[:place] + damage, damage):
        try:
            product = parse_product(text, "small.toml")
        except InvalidInput as error:
            assert str(error).startswith("small.toml")
        else:
            assert isinstance(product, Product)


# ---- What is shipped ------------------------------------------------------------------------------------------------


def test_what_the_issue_asks_for_is_shipped() -> None:
    found = products()
    assert {"pay_later", "card", "cash_loan", "flexible"} <= found.keys()
    kinds = {str(product.loan.kind) for product in found.values() if product.loan}
    assert kinds == {"equal_instalment", "equal_principal", "interest_first", "bullet", "balloon"}
    assert found["grace_period"].loan.grace_principal > 0
    assert found["card_us"].excess_by_rate
    assert found["flexible"].cost_cap_annual is not None
    assert [offer.instalments for offer in found["pay_later"].line.offers] == [3, 6, 9, 12]


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_a_shipped_file_is_named_after_its_product_and_begins_with_what_it_is(name: str) -> None:
    assert name == f"{parse_product(TEXTS[name], name).product_id}.toml"
    assert TEXTS[name].startswith("# ")


@pytest.mark.parametrize("name", sorted(TEXTS))
def test_every_figure_of_a_shipped_product_says_where_it_comes_from(name: str) -> None:
    product = parse_product(TEXTS[name], name)
    for place, field in _leaves(json.loads(product.text)):
        if field.kind in (Kind.MONEY, Kind.COUNT, Kind.RATE, Kind.DAY, Kind.DAYS):
            path = ".".join(step for step in place if isinstance(step, str))
            above = [path[:end] for end in (*(dot.start() for dot in re.finditer(r"\.", path)), len(path))]
            assert product.source.keys() & set(above), f"{name}: no source for {path}"


@pytest.mark.parametrize(
    ("name", "boundaries"),
    [
        # CN-CARD-092
        ("card", [(0, "normal"), (1, "special_mention"), (90, "special_mention"), (91, "substandard"),
                  (120, "substandard"), (121, "doubtful"), (180, "doubtful"), (181, "loss"), (9999, "loss")]),
        # CN-RISK-DPD
        ("pay_later", [(0, "normal"), (90, "special_mention"), (91, "substandard"), (270, "substandard"),
                       (271, "doubtful"), (360, "doubtful"), (361, "loss")]),
        # US-FFIEC-CLASS
        ("card_us", [(89, "normal"), (90, "substandard"), (179, "substandard"), (180, "loss")]),
    ],
)  # fmt: skip
def test_a_shipped_ladder_is_that_of_its_rule_to_the_day(name: str, boundaries: list[tuple[int, str]]) -> None:
    assert [(days, shipped(name).grade(days)) for days, _ in boundaries] == boundaries


# ---- The page for people --------------------------------------------------------------------------------------------


def _shown_default(field: Field) -> str:
    if field.needed:
        return "needed"
    if field.default in (None, (), date.min) or field.name == "segments":
        return "-"
    return {True: "true", False: "false"}[field.default] if field.kind is Kind.FLAG else str(field.default)


def test_the_page_tells_every_field_with_what_is_allowed_and_its_default() -> None:
    rows = {}
    for line in DOC.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        if line.startswith("| `") and len(cells) == 4:
            name, allowed, default, meaning = cells
            assert len(meaning) >= 10, line
            rows[name.strip("`")] = (allowed, default)
    expected: dict[str, tuple[str, str]] = {}
    for path, field in paths():
        if not re.match(
            r"fees\.(returned|cash|over_limit)\.|allocation\.(refund_(goodwill|payout)|guarantor_payment)\.", path
        ):
            expected[path] = (field.allowed, _shown_default(field))
    assert rows == expected


def test_the_page_shows_a_product_that_is_read() -> None:
    example = re.search(r"```toml\n(.*?)```", DOC.read_text(encoding="utf-8"), re.DOTALL)
    assert example and parse_product(example[1], "the page's example").product_id


def test_every_default_is_a_value_that_its_field_allows() -> None:
    for path, field in paths():
        if field.default is not None and field.default not in ((), date.min):
            assert checked({field.name: field.default}, (field,), path)[field.name] == field.default
