"""The command line as a user meets it: exit codes, JSON on standard output, words on standard error."""

import json

import pytest

from shells import here, started


def test_help_shows_every_command_and_setting(tmp_path):
    shown = started("--help", cwd=tmp_path)
    assert shown.returncode == 0
    for word in ("run", "book", "demo", "show", "doctor", "EVENKEEL_DATABASE_URL", "EVENKEEL_WORKSPACE"):
        assert word in shown.stdout
    for command in ("run", "demo", "show", "doctor"):
        page = here(command, "--help", cwd=tmp_path)
        assert page.returncode == 0
        assert "Example" in page.stdout, command


@pytest.mark.parametrize(
    "arguments, code, said",
    [
        (["run", "nowhere", "--out", "out"], 2, "there is no folder nowhere"),
        (["run", "nowhere"], 2, "--out"),
        (["run", ".", "--out", "out", "--adapter", "nobody"], 2, "Choose from uci-credit-card"),
        (["run", ".", "--out", "out", "--as-of", "2024-02-30"], 2, "is not a date"),
        (["run", ".", "--out", "out", "--lang", "fr"], 2, "choose from en, zh"),
        (["run", ".", "--out", "out", "--policy", "none.dmn"], 2, "cannot be read"),
        (["run", ".", "--out", "out", "--granting", "none.dmn"], 2, "cannot be read"),
        (["run", ".", "--out", "out"], 1, "no table of accounts"),
        (["show", "account", "a", "--run", "."], 2, "no finished run"),
        (["book", "check", "."], 1, ""),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_leaves_nothing(tmp_path, arguments, code, said):
    inside = tmp_path / "here"
    inside.mkdir()
    done = here(*arguments, cwd=inside)
    assert done.returncode == code
    assert said in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert not (inside / "out" / "decisions.parquet").exists()


def test_json_is_one_document_on_standard_output(tmp_path):
    shown = started("book", "schema", "--json", cwd=tmp_path)
    assert json.loads(shown.stdout)["contract"] == 1
    failed = here("run", "nowhere", "--out", "out", "--json", cwd=tmp_path)
    assert json.loads(failed.stdout)["error"]["kind"] == "InvalidUsage"


def test_an_output_folder_with_somebody_s_files_is_left_alone(tmp_path):
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "accounts.csv").write_text("account_id\n")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.doc").write_text("mine")
    done = here("run", "book", "--out", "out", cwd=tmp_path)
    assert done.returncode == 2
    assert "not an earlier run's" in done.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["thesis.doc"]


def test_a_borrower_is_shown_as_one_story_in_both_languages(made_run, tmp_path):
    for language, word in (("en", "lines at"), ("zh", "借款人")):
        shown = here("show", "borrower", "story-factory-worker", "--run", made_run, "--lang", language, cwd=tmp_path)
        assert shown.returncode == 0, shown.stderr
        assert word in shown.stdout
    document = json.loads(
        here("show", "borrower", "story-factory-worker", "--run", made_run, "--json", cwd=tmp_path).stdout
    )
    account = document["lines"][0]["line_id"]
    page = started("show", "account", account, "--run", made_run, cwd=tmp_path)
    assert page.returncode == 0
    assert "Score" in page.stdout
    missing = here("show", "account", "nobody", "--run", made_run, cwd=tmp_path)
    assert missing.returncode == 1
    assert "no account 'nobody'" in missing.stderr


def test_the_demo_tells_three_findings_and_where_the_report_is(places):
    for call, borrowers in ((here, 200), (started, 220)):  # a second demo replaces the first
        shown = call("demo", "--borrowers", borrowers, "--months", "12", "--out", "演示 demo", cwd=places)
        assert shown.returncode == 0, shown.stderr
    for word in ("story-factory-worker", "1. ", "2. ", "3. ", "report.html"):
        assert word in shown.stdout
    page = (places / "演示 demo" / "report" / "report.zh.html").read_text(encoding="utf-8")
    assert "story-factory-worker" in page
    (places / "mine").mkdir()
    (places / "mine" / "thesis.doc").write_text("mine")
    refused = here("demo", "--out", "mine", cwd=places)
    assert refused.returncode == 2
    assert (places / "mine" / "thesis.doc").read_text() == "mine"
