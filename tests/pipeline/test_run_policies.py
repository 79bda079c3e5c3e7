"""`evenkeel run` by DMN policies alone: shipped and own ones, applications, and what is said of facts not known."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from evenkeel.book.generator.households import draw_households
from evenkeel.book.generator.spec import GeneratorSpec
from evenkeel.cli.show import account_document, application_document, application_words, borrower_words, read_run
from evenkeel.kernel.errors import InvalidInput, NotFound
from evenkeel.policy.sources import shipped
from limit_policies import limits_dmn


def portfolio_of(out: Path) -> dict:  # type: ignore[type-arg]
    return json.loads((out / "portfolio.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def uci(runner, shared, tmp_path_factory) -> Path:
    source = pq.read_table(shared / "data" / "uci_credit_card_30000.parquet").slice(0, 6000)
    folder = tmp_path_factory.mktemp("uci-part")
    pq.write_table(source, folder / "part.parquet")
    assert runner(folder / "part.parquet", folder / "out", adapter="uci-credit-card").loop is not None
    return folder / "out"


def test_a_book_that_says_nothing_of_hardship_or_others_moves_no_limit_and_says_so(uci):
    decisions = pq.read_table(uci / "decisions.parquet")
    assert set(decisions["outcome"].to_pylist()) == {"keep", "freeze"}
    told = portfolio_of(uci)
    waiting = [entry for entry in told["decisions_waiting"] if entry["outcome"] == "lower"]
    assert [entry["unknown"] for entry in waiting] == [["other_lines", "events"]]
    assert waiting[0]["accounts"] > 300
    assert {"limits.events", "limits.other_lines"} <= {entry["part"] for entry in told["not_available"]}
    lists = decisions["missing"].to_pylist()
    assert all({"events", "other_lines", "income"} <= set(missing) for missing in lists)
    for name, count in (
        ("report.html", f"{waiting[0]['accounts']:,} limits are kept"),
        ("report.zh.html", "策略会下调"),
    ):
        assert count in (uci / name).read_text(encoding="utf-8")


def test_a_generated_book_with_events_up_to_as_of_raises_and_lowers(made_run):
    decisions = pq.read_table(made_run / "decisions.parquet")
    limits = decisions.filter(pc.equal(decisions["kind"], "limit"))
    assert {"raise", "keep", "lower", "freeze", "refer"} == set(limits["outcome"].to_pylist())
    assert portfolio_of(made_run)["decisions_waiting"] == []


@pytest.fixture(scope="module")
def silent_run(runner, made_book, tmp_path_factory) -> Path:
    """The generated book whose events end three months before as_of."""
    folder = tmp_path_factory.mktemp("silent")
    book = folder / "book"
    book.mkdir()
    for path in made_book.glob("*.parquet"):
        (book / path.name).write_bytes(path.read_bytes())
    manifest = json.loads((made_book / "manifest.json").read_text())
    manifest.pop("tables")
    (book / "manifest.json").write_text(json.dumps(manifest))
    events = pq.read_table(book / "events.parquet")
    months = pc.strftime(events["effective_at"], format="%Y-%m")
    last = sorted(set(months.to_pylist()))[-3]
    pq.write_table(events.filter(pc.less(months, last)), book / "events.parquet")
    assert runner(book, folder / "out").loop is not None
    return folder / "out"


def test_events_that_fell_silent_lower_and_raise_nobody(silent_run):
    decisions = pq.read_table(silent_run / "decisions.parquet")
    limits = decisions.filter(pc.equal(decisions["kind"], "limit"))
    assert not {"raise", "lower"} & set(limits["outcome"].to_pylist())
    waiting = portfolio_of(silent_run)["decisions_waiting"]
    assert {entry["outcome"]: entry["unknown"] for entry in waiting} == {"raise": ["events"], "lower": ["events"]}


@pytest.fixture(scope="module")
def own_run(runner, small_book, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("own")
    rows = [
        ("down", {"pd": ">= 0.3"}, "lower", "risk_high", "0.9"),
        ("rest", {}, "keep", "no_change", ""),
    ]
    (folder / "mine.dmn").write_text(limits_dmn({"pd": "number", "mood": "number"}, rows, step="10000"))
    granting = shipped("grant").text.replace('"decline"', '"refer"')
    (folder / "granting.dmn").write_text(granting, encoding="utf-8")
    ran = runner(small_book, folder / "out", policy=folder / "mine.dmn", granting=folder / "granting.dmn")
    assert ran.loop is not None
    assert ran.notes == ()
    return folder


def test_own_policies_decide_and_are_left_beside_what_they_decided(own_run):
    out = own_run / "out"
    assert (out / "limits.dmn").read_text() == (own_run / "mine.dmn").read_text()
    assert (out / "granting.dmn").read_text() == (own_run / "granting.dmn").read_text()
    decisions = pq.read_table(out / "decisions.parquet")
    limits = decisions.filter(pc.equal(decisions["kind"], "limit"))
    sources = {reason["source"] for reasons in limits["reasons"].to_pylist() for reason in reasons}
    assert sources == {"policy:down", "policy:rest", "model"}
    lowered = limits.filter(pc.equal(limits["outcome"], "lower"))
    assert lowered.num_rows and pc.min(lowered["pd_out_of_sample"]).as_py() >= 0.3
    grants = decisions.filter(pc.equal(decisions["kind"], "grant"))
    assert "decline" not in set(grants["outcome"].to_pylist())
    told = portfolio_of(out)
    assert {"part": "policy_inputs", "needs": "mood"} in told["not_available"]
    assert set(limits["policy_version"].to_pylist()) == {told["versions"]["policy"]}
    assert set(grants["policy_version"].to_pylist()) == {told["versions"]["granting"]}


def test_a_policy_in_toml_is_refused_before_the_book_is_read(runner, tmp_path):
    (tmp_path / "limits.toml").write_text('name = "limits"\n')
    for option in ("policy", "granting"):
        with pytest.raises(InvalidInput, match="no longer read"):
            runner(tmp_path / "nowhere", tmp_path / "out", **{option: tmp_path / "limits.toml"})
    assert not (tmp_path / "out").exists()


# ---- Applications --------------------------------------------------------------------------------------------------


def test_every_application_has_a_grant_row_as_the_contract_has_it(made_book, made_run):
    applications = pq.read_table(made_book / "applications.parquet")
    decisions = pq.read_table(made_run / "decisions.parquet")
    grants = pq.read_table(made_run / "grants.parquet")
    rows = decisions.filter(pc.equal(decisions["kind"], "grant"))
    assert sorted(grants["application_id"].to_pylist()) == sorted(applications["application_id"].to_pylist())
    assert rows["decision_id"].to_pylist() == grants["decision_id"].to_pylist()
    assert set(rows["outcome"].to_pylist()) <= {"approve", "refer", "decline"}
    asked = dict(
        zip(applications["application_id"].to_pylist(), applications["requested_minor"].to_pylist(), strict=True)
    )
    for row, grant in zip(rows.to_pylist(), grants.to_pylist(), strict=True):
        after, wanted = row["limit_after_minor"], asked[grant["application_id"]]
        assert 1 <= len(row["reasons"]) <= 4
        assert row["limit_before_minor"] is None
        assert {"refer": after is None, "decline": after == 0, "approve": after is not None and 0 < after <= wanted}[
            row["outcome"]
        ]
        assert (grant["outcome"] == "approve_less") == (row["outcome"] == "approve" and after < wanted)


def test_the_report_tells_of_applications_in_numbers_that_add_up(made_run):
    grants = pq.read_table(made_run / "grants.parquet")
    page = (made_run / "report.html").read_text(encoding="utf-8")
    part = re.search(r'<section id="grant".*?</section>', page, re.S)
    assert part is not None
    section = re.sub(r"<[^>]+>", " ", part[0])
    counted = grants["outcome"].value_counts().to_pylist()
    assert sum(entry["counts"] for entry in counted) == grants.num_rows
    for entry in counted:
        assert f"{entry['counts']:,} (" in section
    assert f"Each of {grants.num_rows:,} applications" in section
    suspect = pc.sum(grants["suspect"].cast(pa.int64())).as_py()
    assert f"In {suspect:,} applications" in section
    assert 'id="grant"' in (made_run / "report.zh.html").read_text(encoding="utf-8")


def test_most_planted_concealment_is_suspected_at_few_false_alarms(made_book, made_run):
    truth = draw_households(GeneratorSpec(borrowers=1_200, months=24, seed=3))
    planted = (truth.ring >= 0) | truth.conceals
    planted[-1] = False  # the story's household, which is honest
    applications = pq.read_table(made_book / "applications.parquet")
    ids = pq.read_table(made_book / "borrowers.parquet")["borrower_id"].combine_chunks()
    grants = pq.read_table(made_run / "grants.parquet")
    place = pc.index_in(
        grants["application_id"].combine_chunks(), applications["application_id"].combine_chunks()
    )  # fmt: skip
    owner = pc.index_in(applications["borrower_id"].combine_chunks().take(place), ids).to_numpy()
    suspect = grants["suspect"].to_numpy(zero_copy_only=False).astype(bool)
    assert suspect[planted[owner]].mean() >= 0.70
    assert suspect[~planted[owner]].mean() <= 0.05
    granted = np.isin(grants["outcome"].to_numpy(zero_copy_only=False), ["approve", "approve_less"])
    assert not (suspect & granted).any()


def test_a_report_of_a_book_without_applications_says_what_it_would_need(uci):
    page = (uci / "report.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="grant"') :]
    assert "Applications: what was asked for" in section[: section.index("</section>")]
    assert not (uci / "grants.parquet").exists()


def test_an_application_is_shown_by_its_id_and_with_its_borrower(made_run):
    run = read_run(made_run)
    assert run.grants is not None
    for outcome in set(run.grants["outcome"].to_pylist()):
        row = run.grants.filter(pc.equal(run.grants["outcome"], outcome)).to_pylist()[0]
        for language in ("en", "zh"):
            words = application_words(run, row["application_id"], language)
            assert row["application_id"] in words[0]
            assert words == [line for line in words if "reason." not in line and "change." not in line]
            told = borrower_words(run, row["borrower_id"], language)
            assert [line for line in words if line in told] == words
        document = application_document(run, row["application_id"])
        assert (document["outcome"], document["granted_minor"]) == (outcome, row["granted_minor"])
    with pytest.raises(NotFound):
        application_document(run, "nobody's")


def test_an_account_is_shown_with_the_decision_on_its_limit(made_run):
    run = read_run(made_run)
    decisions = pq.read_table(made_run / "decisions.parquet")
    opened = decisions.filter(pc.and_(pc.equal(decisions["kind"], "grant"), decisions["account_id"].is_valid()))
    on_book = set(run.tables["decisions"]["account_id"].to_pylist())
    names = opened["account_id"].to_pylist()
    shown = next(name for name in names if name in on_book)
    assert account_document(run, shown)["decision"]["kind"] == "limit"
    gone = next((name for name in names if name not in on_book), None)
    assert gone is not None
    with pytest.raises(NotFound):
        account_document(run, gone)
