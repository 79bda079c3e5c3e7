"""`evenkeel plan` and `evenkeel afford` as a person and as a program call them."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import jsonschema_rs
import pytest
from plan_samples import NOW, asking, plain, poor

from evenkeel.cli import main as program
from evenkeel.cli.afford import afford
from evenkeel.cli.application import Application
from evenkeel.cli.plan import plan
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.text import catalogue
from evenkeel.storage.workspace import open_workspace

Run = Callable[..., tuple[int, str, str]]
CONTRACT = {"status", "plans", "binding", "routes"}
OF_A_PLAN = {"name", "schedule", "total_cost_minor", "clear_on", "p_complete", "creditors"}
OF_A_CREDITOR = {"id", "value_with_minor", "value_without_minor", "asked"}
CASES: dict[str, Callable[[], dict[str, Any]]] = {"feasible": plain, "infeasible": poor, "question": asking}


@pytest.fixture
def run(tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Runs a command as `evenkeel` does; returns exit code, standard output and standard error of the process."""
    monkeypatch.setattr(program, "commands", lambda _: click.Group(commands=[plan, afford]))
    monkeypatch.chdir(tmp_path)
    for name, made in CASES.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(made()), encoding="utf-8")
    application = Application(tmp_path / "nowhere", None, fixed_clock(NOW))

    def call(*arguments: str, application: Application = application) -> tuple[int, str, str]:
        capfd.readouterr()
        code = program.main(list(arguments), application, "")
        seen = capfd.readouterr()
        return code, seen.out, seen.err

    yield call


@pytest.fixture
def kept(run: Run, given_url: str, tmp_path: Path) -> Run:
    """The same, with a record."""
    with open_workspace(tmp_path / "w", database_url=given_url, clock=lambda: NOW):
        pass
    application = Application(tmp_path / "w", given_url, fixed_clock(NOW))
    return lambda *arguments: run(*arguments, application=application)


def read(told: tuple[int, str, str]) -> dict[str, Any]:
    code, out, err = told
    assert (code, err) == (0, ""), err
    found: dict[str, Any] = json.loads(out)
    return found


# ---- A case --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", CASES)
def test_json_is_one_document_with_the_names_of_the_contract(run: Run, status: str) -> None:
    found = read(run("plan", f"{status}.json", "--json"))
    assert set(found) >= CONTRACT
    assert found["status"] == status
    assert bool(found["plans"]) == (status == "feasible")
    assert bool(found["binding"]) == (status == "infeasible")
    assert found["routes"] or status == "feasible"
    for one in found["plans"]:
        assert set(one) >= OF_A_PLAN
        assert {row["id"] for row in one["schedule"]} == {"card", "line"}
        assert one["total_cost_minor"] == sum(row["amount_minor"] for row in one["schedule"]) - 1_470_000
        assert one["clear_on"] == max(row["due_on"] for row in one["schedule"])
        assert 0 <= one["p_low"] <= one["p_complete"] <= one["p_high"] <= 1
        for creditor in one["creditors"]:
            assert set(creditor) >= OF_A_CREDITOR
            assert creditor["value_with_minor"] >= creditor["value_without_minor"]


@pytest.mark.parametrize("status", CASES)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_case_is_told_in_words_of_either_language(run: Run, status: str, lang: str) -> None:
    code, out, err = run("plan", f"{status}.json", "--lang", lang)
    assert (code, err) == (0, "")
    assert out.startswith(catalogue(lang)[f"repay.tell.status.{status}"].format(case="household-1"))
    assert ("14,700.00" in out) == (status != "question")
    assert "repay." not in out and "{" not in out


def test_show_is_the_long_form_and_options_may_come_first(run: Run) -> None:
    short = run("plan", "feasible.json")
    assert short == run("plan", "show", "feasible.json")
    assert run("plan", "--lang=zh", "feasible.json") == run("plan", "feasible.json", "--lang", "zh")


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_explain_leaves_nothing_out(run: Run, lang: str) -> None:
    code, out, _ = run("plan", "explain", "feasible.json", "--name", "cheapest", "--lang", lang)
    say = catalogue(lang)
    assert code == 0
    for key in ("debts", "fails", "routes"):
        assert say[f"repay.tell.{key}"] in out
    for amount in ("100.00", "200.00"):  # fees and penalty that are waived
        assert amount in out
    case = plain()
    case["household"]["essentials"] = []
    Path("vague.json").write_text(json.dumps(case), encoding="utf-8")
    asked = len(read(run("plan", "vague.json", "--json"))["questions"])
    assert asked > 5
    assert "`evenkeel plan explain`" in run("plan", "vague.json", "--lang", lang)[1]
    _, out, _ = run("plan", "explain", "vague.json", "--lang", lang)
    start = out.index(say["repay.tell.questions"])
    assert out[start:].split("\n\n")[0].count("\n- ") == asked
    assert "`evenkeel plan explain`" not in out


def test_explain_json_is_the_same_document(run: Run) -> None:
    told = read(run("plan", "explain", "feasible.json", "--json"))
    assert told.pop("lesson")["id"] == "plan_terms"
    assert told == read(run("plan", "feasible.json", "--json"))


def test_cases_are_compared_in_one_table(run: Run) -> None:
    code, out, _ = run("plan", "compare", "feasible.json", "infeasible.json", "question.json")
    assert code == 0
    rows = out.splitlines()
    assert rows[0].split()[:2] == ["case", "plan"]
    assert {row.split()[0] for row in rows[1:-1]} == {"feasible", "infeasible", "question"}
    told = read(run("plan", "compare", "feasible.json", "infeasible.json", "--json"))
    assert [(one["file"], one["status"]) for one in told["cases"]] == [
        ("feasible.json", "feasible"), ("infeasible.json", "infeasible"),
    ]  # fmt: skip


def test_everything_is_written_into_a_folder(run: Run) -> None:
    code, _, err = run("plan", "feasible.json", "--out", "papers")
    assert code == 0
    written = sorted(path.name for path in Path("papers").iterdir())
    assert {"plan.json", "plan.txt"} <= set(written)
    assert sum(name.endswith("-proposal.pdf") for name in written) == 2
    assert all(name in err for name in written)
    assert json.loads(Path("papers/plan.json").read_bytes()) == read(run("plan", "feasible.json", "--json"))


def test_letters_ask_for_relief_where_there_is_no_plan_and_for_a_statement_where_a_balance_is_not_told(
    run: Run,
) -> None:
    told = read(run("plan", "letters", "infeasible.json", "--out", "a", "--json"))
    assert [Path(name).stem.partition("-")[2] for name in told["written"] if name.endswith("pdf")] == ["hardship"] * 2
    told = read(run("plan", "letters", "question.json", "--out", "b", "--json"))
    assert "statement" in {Path(name).stem.partition("-")[2] for name in told["written"]}


@pytest.mark.parametrize("made", [plain, poor])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_of_a_debt_whose_fees_are_disputed_these_are_objected_to_and_the_rest_is_planned_for(
    run: Run, lang: str, made: Callable[[], dict[str, Any]]
) -> None:
    case = made()
    case["debts"][0]["disputed"] = "fees"
    Path("fees.json").write_text(json.dumps(case), encoding="utf-8")
    read(run("plan", "letters", "fees.json", "--out", "a", "--lang", lang, "--json"))
    letters = {path.stem.partition("-")[2]: path.read_text(encoding="utf-8") for path in sorted(Path("a").glob("*.txt"))
               if "bank-a" in path.read_text(encoding="utf-8")}  # fmt: skip
    assert set(letters) - {"overview"} == {"proposal" if made is plain else "hardship", "dispute"}
    say = catalogue(lang)
    assert say["repay.letter.dispute.fees"].format(debt="card") in letters["dispute"]
    assert "10,700.00" in letters["dispute"] and "10,400.00" in letters["dispute"]  # as stated, as reckoned
    assert "10,700.00" not in letters["proposal" if made is plain else "hardship"]


def test_of_a_debt_that_is_nothing_but_disputed_fees_only_these_are_written_of(run: Run) -> None:
    case = plain()
    case["debts"][0] |= {"principal_minor": 0, "interest_minor": 0, "disputed": "fees"}
    Path("fees.json").write_text(json.dumps(case), encoding="utf-8")
    read(run("plan", "letters", "fees.json", "--out", "a", "--json"))
    letters = [path.stem.partition("-")[2] for path in sorted(Path("a").glob("*.txt"))
               if "bank-a" in path.read_text(encoding="utf-8")]  # fmt: skip
    assert letters == ["dispute"]
    [dispute] = Path("a").glob("*-dispute.txt")
    assert "300.00" in dispute.read_text(encoding="utf-8")


@pytest.mark.parametrize(("lang", "said"), [("en", "Civil Code, art. 670"), ("zh", "第六百七十条")])
def test_what_is_cut_for_interest_taken_in_advance_is_told_with_its_rule(run: Run, lang: str, said: str) -> None:
    case = plain()
    case["debts"][1] |= {"lent_minor": 500_000, "received_minor": 400_000, "opened_on": "2025-05-01"}
    case["debts"][1]["principal_minor"] = 500_000
    Path("advance.json").write_text(json.dumps(case), encoding="utf-8")
    read(run("plan", "letters", "advance.json", "--out", "a", "--lang", lang, "--json"))
    [letter] = [text for path in Path("a").glob("*-proposal.txt") if "line" in (text := path.read_text("utf-8"))]
    assert said in letter and "1,000.00" in letter


def test_names_are_printed_in_the_place_of_ids(run: Run) -> None:
    parties = {"borrower": "Wang Wei", "creditors": {"bank-a": {"name": "Bank of A", "lines": ["1 Long Street"]}}}
    Path("names.json").write_text(json.dumps(parties), encoding="utf-8")
    read(run("plan", "letters", "feasible.json", "--out", "a", "--parties", "names.json", "--json"))
    letters = "".join(path.read_text(encoding="utf-8") for path in Path("a").glob("*.txt"))
    assert "Wang Wei" in letters and "Bank of A" in letters and "1 Long Street" in letters
    assert not any("Wang" in path.name for path in Path("a").iterdir())


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_form_that_is_written_from_a_case_reads_back_as_the_same(run: Run, lang: str) -> None:
    assert read(run("plan", "form", "case.xlsx", "--case", "feasible.json", "--lang", lang, "--json")) == {
        "written": "case.xlsx"
    }
    assert read(run("plan", "case.xlsx", "--json")) == read(run("plan", "feasible.json", "--json"))


def test_the_schema_is_one_that_the_samples_keep(run: Run) -> None:
    keeps = jsonschema_rs.Draft202012Validator(read(run("plan", "schema", "--json"))).is_valid
    for made in CASES.values():
        assert keeps(made())
    assert not keeps({**plain(), "quantile": 2})


# ---- What it can carry ---------------------------------------------------------------------------------------------


def test_afford_tells_the_safe_payment_the_day_the_money_ends_and_what_it_hangs_on(run: Run) -> None:
    found = read(run("afford", "feasible.json", "--json"))
    assert found["safe_minor"] > 0
    for lang in ("en", "zh"):
        code, out, err = run("afford", "feasible.json", "--lang", lang, "--chart", "days.svg")
        assert code == 0 and "days.svg" in err
        assert catalogue(lang)["repay.afford.hangs_on"] in out
        assert "repay." not in out and "{" not in out
    assert Path("days.svg").read_text(encoding="utf-8").startswith("<svg")


def test_afford_answers_about_a_payment(run: Run) -> None:
    few, many = (read(run("afford", "feasible.json", "--payment", one, "--json")) for one in ("100", "3000.50"))
    assert few["payment_minor"] == 10_000 and many["payment_minor"] == 300_050
    assert few["miss"] <= many["miss"]


def test_afford_takes_a_borrower_of_a_book_as_plan_does(run: Run, tmp_path: Path) -> None:
    """What is found is what is found for the case of that borrower, told in a file."""
    from book_samples import TODAY, sound_book, write_book
    from evenkeel.book.reading import read_book
    from evenkeel.repayment.facts.of_book import case_of_borrower
    from evenkeel.repayment.facts.reading import write_case

    write_book(sound_book(8), tmp_path / "book", "parquet")
    book = read_book(tmp_path / "book", latest=TODAY).book
    assert book is not None
    (tmp_path / "b.json").write_bytes(write_case(case_of_borrower(book, "b00004")))
    found = read(run("afford", "book", "--borrower", "b00004", "--payment", "500", "--json"))
    assert found == read(run("afford", "b.json", "--payment", "500", "--json"))
    assert found["safe_minor"] > 0
    for command in ("afford", "plan"):
        code, _, err = run(command, "book")
        assert code == 2 and "Say `--borrower ID`" in err
        code, _, err = run(command, "feasible.json", "--borrower", "b00004")
        assert code == 2 and "is no book" in err
        code, _, err = run(command, "book", "--borrower", "nobody")
        assert code == 1 and "'nobody' has no line" in err


# ---- What is wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("arguments", "code", "said"), [
    (("plan", "none.json"), 2, "There is no file none.json."),
    (("plan", "broken.json"), 1, "broken.json is not JSON in UTF-8"),
    (("plan", "odd.json"), 1, "odd.json: `debts[0].rate_annual` is -1."),
    (("plan", "typo.json"), 1, "Is `debts` meant?"),
    (("plan", "explain", "feasible.json", "--name", "best"), 2, "'best' is not one of"),
    (("plan", "letters", "feasible.json", "--out", "a", "--parties", "none.json"), 2, "none.json cannot be read"),
    (("plan", "letters", "feasible.json", "--out", "a", "--parties", "broken.json"), 1, "broken.json is not JSON"),
    (("plan", "letters", "feasible.json"), 2, "Missing option '--out'"),
    (("plan", "feasible.json", "--out", "feasible.json"), 3, "cannot be written"),
    (("plan", "propose", "feasible.json"), 2, "Missing option '--by'"),
    (("plan", "status", "plan-x", "--lender", "x" * 65), 2, "is no id: 1 to 64 characters"),
    (("afford", "none.json"), 2, "There is no file none.json."),
    (("afford", "feasible.json", "--payment", "1.234"), 1, "more than 2 decimals"),
])  # fmt: skip
def test_what_is_wrong_is_said_with_what_to_do(run: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    Path("broken.json").write_text("{", encoding="utf-8")
    odd = plain()
    odd["debts"][0]["rate_annual"] = -1
    Path("odd.json").write_text(json.dumps(odd), encoding="utf-8")
    typo = plain()
    typo["depts"] = typo.pop("debts")
    Path("typo.json").write_text(json.dumps(typo), encoding="utf-8")
    got, out, err = run(*arguments)
    assert (got, out) == (code, "")
    assert said in err
    assert "Traceback" not in err and "fault of evenkeel" not in err


def test_with_json_an_error_is_one_document_as_well(run: Run) -> None:
    code, out, err = run("plan", "none.json", "--json")
    assert code == 2
    assert json.loads(out)["error"]["message"] in err


@pytest.mark.parametrize("name", ["", *plan.commands])
def test_every_command_has_help(run: Run, name: str) -> None:
    code, out, _ = run("plan", *([name] if name else []), "--help")
    assert code == 0 and "Usage:" in out
    if not name:
        assert all(f"  {one} " in out for one in plan.commands)
        assert out.count("evenkeel plan ") >= 10  # examples


# ---- Its life ------------------------------------------------------------------------------------------------------


def test_a_plan_from_proposal_to_its_confirmation(kept: Run) -> None:
    told = read(kept("plan", "propose", "feasible.json", "--by", "ana", "--on", "2026-01-20", "--json"))
    plan_id = told["plan_id"]
    assert told["status"] == "proposed"
    plans = read(kept("plan", "feasible.json", "--json"))["plans"]
    assert told["plan"] == next(plan for plan in plans if "balanced" in plan["best_at"])
    day = ("--on", "2026-01-21", "--json")
    code, _, err = kept("plan", "accept", plan_id, "--debt", "card", "--by", "li", "--role", "clerk", *day)
    assert code == 1 and "the role `clerk` may waive 100.00 CNY" in err
    code, _, err = kept("plan", "accept", plan_id, "--by", "wang", *day)
    assert code == 1 and "not yet agreed: card, line" in err
    read(kept("plan", "accept", plan_id, "--debt", "card", "--by", "li", "--role", "head", *day))
    assert read(kept("plan", "accept", plan_id, "--debt", "line", "--by", "mei", *day))["status"] == "agreed"
    told = read(kept("plan", "accept", plan_id, "--by", "wang", *day))
    assert (told["status"], told["signed_by"], told["contact_stops"]) == ("running", "wang", True)
    letters = read(kept("plan", "letters", plan_id, "--out", "signing", "--json"))["written"]
    assert sum("acceptance.pdf" in name for name in letters) == 2
    for row in told["plan"]["schedule"]:
        amount = f"{row['amount_minor'] // 100}.{row['amount_minor'] % 100:02d}"
        reference = f"{row['id']}-{row['due_on']}"
        told = read(kept("plan", "pay", plan_id, "--debt", row["id"], "--amount", amount, "--ref", reference,
                         "--on", row["due_on"], "--json"))  # fmt: skip
    assert (told["status"], told["left_minor"]) == ("completed", 0)
    letters = read(kept("plan", "letters", plan_id, "--out", "done", "--json"))["written"]
    assert sum("completion.pdf" in name for name in letters) == 2
    last = told["plan"]["schedule"][-1]
    back = ("plan", "reverse", plan_id, "--ref", f"{last['id']}-{last['due_on']}", "--why", "bounced")
    told = read(kept(*back, "--on", last["due_on"], "--json"))
    assert (told["status"], told["left_minor"]) == ("running", last["amount_minor"])
    for lang in ("en", "zh"):
        _, out, _ = kept(*back, "--on", last["due_on"], "--lang", lang)
        assert "bounced" in out and catalogue(lang)["repay.life.status.running"] in out
    assert kept("plan", "reverse", plan_id, "--ref", "none")[0] == 1


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_a_plan_on_record_is_told_in_words(kept: Run, lang: str) -> None:
    _, out, err = kept("plan", "propose", "feasible.json", "--by", "ana", "--lang", lang)
    assert err == ""
    plan_id = out.split(":" if lang == "en" else "：")[0]
    steps = (
        ("accept", "--debt", "card", "--by", "li", "--role", "head"), ("accept", "--debt", "line", "--by", "mei"),
        ("accept", "--by", "wang"),
    )  # fmt: skip
    for name, *options in steps:
        _, out, _ = kept("plan", name, plan_id, *options, "--on", "2026-01-21", "--lang", lang)
    say = catalogue(lang)
    assert say["repay.life.status.running"] in out and "300.00" in out and say["repay.life.next.running"] in out
    _, out, _ = kept("plan", "miss", plan_id, "--on", "2026-02-20", "--lang", lang)
    assert say["repay.life.status.late"] in out and "2026-02-11" in out
    _, out, _ = kept("plan", "replan", plan_id, "--by", "ana", "--on", "2026-02-20", "--lang", lang)
    assert say["repay.life.replaces"].format(plan=plan_id) in out
    _, out, _ = kept("plan", "miss", plan_id, "--on", "2026-03-20", "--lang", lang)
    assert say["repay.life.status.broken"] in out
    code, _, err = kept("plan", "letters", plan_id, "--out", "a", "--lang", lang)
    assert code == 1 and "is broken: there is nothing to write of it" in err


def test_a_refusal_and_a_counter_offer_lead_to_another_plan(kept: Run) -> None:
    plan_id = read(kept("plan", "propose", "feasible.json", "--by", "ana", "--json"))["plan_id"]
    Path("terms.json").write_text(json.dumps({"terms": [9], "instalments": "level"}), encoding="utf-8")
    day = ("--on", "2026-01-21", "--json")
    told = read(kept("plan", "counter", plan_id, "--debt", "line", "--by", "li", "--policy", "terms.json", *day))
    assert told["consents"]["line"]["status"] == "countered"
    told = read(kept("plan", "replan", plan_id, "--by", "ana", *day))
    assert sum(row["id"] == "line" for row in told["plan"]["schedule"]) == 9
    second = told["plan_id"]
    told = read(kept("plan", "refuse", second, "--debt", "card", "--by", "li", "--why", "no", *day))
    assert told["consents"]["card"]["why"] == "no"
    told = read(kept("plan", "replan", second, "--by", "ana", *day))
    assert {one["debt_id"] for one in told["plan"]["creditors"]} == {"line"}
    assert read(kept("plan", "status", plan_id, "--json"))["replaced_by"] == second


def test_a_refusal_may_be_for_one_debt_only(kept: Run) -> None:
    case = plain()
    case["debts"][1]["creditor"] = "bank-a"
    Path("both.json").write_text(json.dumps(case), encoding="utf-8")
    plan_id = read(kept("plan", "propose", "both.json", "--by", "ana", "--json"))["plan_id"]
    for lang in ("en", "zh"):
        _, out, _ = kept("plan", "refuse", plan_id, "--debt", "line", "--only", "--by", "li", "--lang", lang)
        assert out.count(catalogue(lang)["repay.life.answer.only"]) == 1
    told = read(kept("plan", "replan", plan_id, "--by", "ana", "--on", "2026-01-21", "--json"))
    assert {one["debt_id"] for one in told["plan"]["creditors"]} == {"card"}


@pytest.mark.parametrize(("arguments", "said"), [
    (("status", "plan-none"), "There is no plan plan-none."),
    (("accept", "plan-none", "--by", "wang"), "There is no plan plan-none."),
    (("letters", "plan-none", "--out", "a"), "There is no plan plan-none."),
    (("propose", "infeasible.json", "--by", "ana"), "none keeps everybody's terms"),
    (("propose", "question.json", "--by", "ana"), "a fact is missing"),
])  # fmt: skip
def test_what_is_not_there_is_said(kept: Run, arguments: tuple[str, ...], said: str) -> None:
    code, out, err = kept("plan", *arguments)
    assert (code, out) == (1, "")
    assert said in err


def test_a_day_that_lies_ahead_and_terms_that_are_none_are_refused(kept: Run) -> None:
    plan_id = read(kept("plan", "propose", "feasible.json", "--by", "ana", "--json"))["plan_id"]
    code, _, err = kept("plan", "miss", plan_id, "--on", "2030-01-01")
    assert code == 1 and "The day 2030-01-01 lies ahead" in err
    Path("terms.json").write_text('{"term": 3}', encoding="utf-8")
    code, _, err = kept("plan", "counter", plan_id, "--debt", "line", "--by", "li", "--policy", "terms.json")
    assert code == 1 and "terms.json holds no terms" in err and "`term`" in err


def test_the_clock_of_these_tests_lies_after_their_plans() -> None:
    assert datetime(2029, 1, 1, tzinfo=UTC) < NOW
