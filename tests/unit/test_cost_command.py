"""`evenkeel cost` as a person and as a program calls it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest

from evenkeel.accounts.cost.annual import Form
from evenkeel.cli import main as program
from evenkeel.cli.application import Application
from evenkeel.cli.cost import cost
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.text import catalogue

Run = Callable[..., tuple[int, str, str]]
OFFER = ("--principal", "12000", "--instalments", "12", "--start", "2024-01-01")


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the command as `evenkeel` does, on 2024-06-30; returns exit code, standard output, standard error."""
    application = Application(tmp_path / "record", None, fixed_clock(datetime(2024, 6, 30, tzinfo=UTC)))

    def commands(variables: str) -> click.Group:
        return click.Group(commands=[cost])

    monkeypatch.setattr(program, "commands", commands)

    def call(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        code = program.main(["cost", *map(str, arguments)], application, "")
        seen = capsys.readouterr()
        return code, seen.out, seen.err

    return call


def said(run: Run, *arguments: object) -> Any:
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def rates(document: Any) -> dict[str, float]:
    return {one["form"]: one["rate"] for one in document["rates"]}


# --- offers in a lender's words ---------------------------------------------------------------------------------------


def test_a_fee_an_instalment_is_told_beside_what_it_really_is(run: Run) -> None:
    code, out, _ = run(*OFFER, "--fee-rate", "0.6%")
    assert code == 0
    lines = {" ".join(line.split()) for line in out.splitlines()}
    told = "Fee with each instalment 0.6% of the whole principal, to the last instalment; x 12 a year = 7.20%"
    assert told in lines
    assert "Simple rate, by periods 13.03% rate of one period x 12 a year" in lines
    assert "Compound rate (IRR) 13.83% with interest on interest, once a year (XIRR)" in lines
    assert "It costs you 864.00 CNY 7.20% of what you receive" in lines


def test_the_same_as_json(run: Run) -> None:
    found = said(run, *OFFER, "--fee-rate", "0.6%", "--upfront-fee", "200")
    assert (found["received_minor"], found["paid_minor"], found["cost_minor"]) == (1180000, 1286400, 106400)
    assert (found["begin"], found["end"], found["payments"]) == ("2024-01-01", "2025-01-01", 12)
    assert (found["every"], found["per_year"], found["currency"]) == ("1M", 12.0, "CNY")
    assert found["told"] == {"price": "fee_rate", "rate": 0.006, "instalments": 12, "upfront_fee_minor": 20000}
    assert rates(found)["nominal"] == pytest.approx(0.1624631, abs=1e-7)
    assert found["shown"]["flat"] == pytest.approx(1064 / 11800 / 12, rel=1e-12)
    assert found["flows"][:3] == [
        {"date": "2024-01-01", "amount_minor": 1200000},
        {"date": "2024-01-01", "amount_minor": -20000},
        {"date": "2024-02-01", "amount_minor": -107200},
    ]
    assert found["cap"] is None
    assert found["other_compound"] == []


def test_an_annual_rate_without_fees_is_what_it_says(run: Run) -> None:
    found = said(run, *OFFER, "--rate-annual", "18%")
    assert rates(found)["nominal"] == pytest.approx(0.18, abs=1e-5)
    assert found["flows"][1]["amount_minor"] == -110016  # 12000 at 1.5 % a month
    assert {form.value for form in Form} == set(rates(found))


def test_a_daily_rate_for_thirty_days(run: Run) -> None:
    found = said(run, "--principal", "5000", "--instalments", "1", "--every", "30D", "--rate-daily", "0.05%")
    assert (found["begin"], found["end"]) == ("2024-06-30", "2024-07-30")  # today, where no start is given
    assert rates(found)["simple"] == pytest.approx(0.1825, rel=1e-12)
    assert found["shown"]["daily"] == pytest.approx(0.0005, rel=1e-12)


def test_a_payment_of_which_nobody_says_what_it_is(run: Run) -> None:
    found = said(run, *OFFER, "--payment", "1072", "--first", "2024-02-20")
    assert [one["date"] for one in found["flows"][1:3]] == ["2024-02-20", "2024-03-20"]
    assert set(rates(found)) == {"compound", "simple", "regz"}  # no contract's principal; an odd first period
    assert found["told"] == {"price": "payment", "payment_minor": 107200, "instalments": 12, "upfront_fee_minor": 0}


def test_payments_twice_a_month(run: Run) -> None:
    found = said(run, *OFFER, "--rate-annual", "12%", "--every", "semimonth 1/16", "--first", "2024-01-16")
    assert (found["every"], found["per_year"]) == ("semimonth", 24.0)


def test_the_last_day_of_the_month_comes_back(run: Run) -> None:
    found = said(run, "--principal", 900, "--instalments", 3, "--fee-rate", "1%", "--start", "2024-01-31")
    assert [one["date"] for one in found["flows"][1:]] == ["2024-02-29", "2024-03-31", "2024-04-30"]
    assert rates(found)["nominal"] == rates(found)["regz"]


def test_both_languages_after_each_other_with_columns_under_each_other(run: Run) -> None:
    code, out, _ = run(*OFFER, "--fee-rate", "0.6%", "--upfront-fee", "200", "--lang", "en,zh")
    assert code == 0
    assert "What you are told" in out
    assert "对外宣传的价格" in out
    line = next(line for line in out.splitlines() if "单利年化（按期）" in line)
    assert line.split()[1] == "16.25%"


def test_a_gain_is_questioned(run: Run) -> None:
    assert "Is a payment missing?" in run(*OFFER, "--payment", "900")[1]


def test_every_text_is_there_in_both_languages() -> None:
    english, chinese = (
        {key: text for key, text in catalogue(language).items() if key.startswith("cost.")} for language in ("en", "zh")
    )
    assert set(english) == set(chinese)
    for form in Form:
        assert {f"cost.form.{form}", f"cost.why.{form}"} <= set(english)
    assert all(text.isascii() for text in english.values())
    assert not any(text.isascii() for text in chinese.values())


# --- the cap on private lending ---------------------------------------------------------------------------------------


def test_a_cap_is_named_with_its_source_and_scope(run: Run) -> None:
    arguments = (*OFFER, "--fee-rate", "0.6%")
    cap = said(run, *arguments, "--lpr", "3.45%")["cap"]
    assert (cap["rule"], cap["cap"], cap["in_force"]) == ("CN-RATE-4LPR", pytest.approx(0.138), True)
    assert (cap["above"], cap["rate"]) == (False, pytest.approx(0.130268, abs=1e-6))
    assert said(run, *arguments, "--lpr", "3.25%")["cap"]["above"]
    out = run(*arguments, "--lpr", "3.25%", "--lang", "en,zh")[1]
    assert "13.03%, is above it." in out
    assert "does not bind licensed lenders" in out
    assert "高于上限" in out


def test_exactly_the_cap_is_not_above_it(run: Run) -> None:
    arguments = ("--principal", "1000000", "--instalments", "1", "--every", "73D", "--rate-annual")
    assert not said(run, *arguments, "13.8%", "--lpr", "3.45%")["cap"]["above"]
    assert said(run, *arguments, "13.801%", "--lpr", "3.45%")["cap"]["above"]


def test_an_older_contract_is_not_held_to_the_cap(run: Run) -> None:
    arguments = ("--principal", "900", "--instalments", "3", "--payment", "500", "--start", "2020-08-19")
    cap = said(run, *arguments, "--lpr", "3.85%")["cap"]
    assert (cap["in_force"], cap["above"]) == (False, False)
    assert "from 2020-08-20 on" in run(*arguments, "--lpr", "3.85%")[1]


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("flows.csv", b"date,amount\n2024-01-01,11800\n2024-07-01,-6500\n2025-01-01,-6500\n"),
        ("flows.csv", "\ufeffdate,amount,说明\n2024-01-01,11800,放款\n2024-07-01,-6500,\n2025-01-01,-6500,\n".encode()),
        ("flows.csv", "date,amount,说明\n2024-01-01,11800,放\n2024-07-01,-6500,\n2025-01-01,-6500,".encode("gb18030")),
        ("flows.json", json.dumps([{"date": "2024-01-01", "amount": "11800"}, {"date": "2024-07-01", "amount": -6500},
                                   {"date": "2025-01-01", "amount_minor": -650000}]).encode()),
    ],
)  # fmt: skip
def test_a_file_of_flows(run: Run, tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    found = said(run, tmp_path / name)
    assert (found["cost_minor"], found["told"]) == (120000, None)
    assert set(rates(found)) == {"compound", "nominal", "simple", "regz"}
    assert "What you are told" not in run(tmp_path / name)[1]


def test_flows_with_several_rates_say_so(run: Run, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text(
        "date,amount\n2021-01-01,1000\n2022-01-01,-2300\n2023-01-01,1320\n2023-01-02,-0.01\n"
    )
    assert "more than one compound rate fits: also 20.0" in run(tmp_path / "f.csv")[1]


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), ["--principal", "--instalments", "--fee-rate", "FILE"]),
        (("--principal", "12000"), ["lacks --instalments and one of"]),
        (OFFER, ["lacks one of --fee-rate"]),
        ((*OFFER, "--fee-rate", "1%", "--payment", "5"), ["--fee-rate and --payment", "one price"]),
        ((*OFFER, "--fee-rate", "0.6"), ["--fee-rate", "percent sign", "0.6%"]),
        ((*OFFER, "--rate-annual", "-1%"), ["--rate-annual", "percent sign"]),
        ((*OFFER, "--payment", "1,072"), ["--payment", "1,072", "without separators"]),
        ((*OFFER, "--payment", "1.005"), ["--payment", "2 decimals"]),
        ((*OFFER, "--payment", "0"), ["--payment is 0", "from 0.01 CNY"]),
        ((*OFFER, "--payment", "nan"), ["--payment", "nan"]),
        ((*OFFER, "--fee-rate", "1%", "--upfront-fee", "12000"), ["--upfront-fee", "takes all"]),
        ((*OFFER, "--fee-rate", "1%", "--upfront-fee", "-1"), ["--upfront-fee", "-1"]),
        ((*OFFER, "--fee-rate", "1%", "--every", "monthly"), ["monthly", "1M"]),
        ((*OFFER, "--fee-rate", "1%", "--every", "semimonth 1/16"), ["--first"]),
        ((*OFFER, "--fee-rate", "1%", "--first", "2024-01-01"), ["--first 2024-01-01", "--start"]),
        ((*OFFER, "--fee-rate", "1%", "--first", "2024-13-01"), ["--first", "2024-13-01"]),
        ((*OFFER, "--fee-rate", "1%", "--currency", "rmb"), ["--currency", "rmb", "CNY"]),
        ((*OFFER, "--fee-rate", "1%", "--lang", "fr"), ["--lang", "fr"]),
        (("--principal", "10000000000.01", "--instalments", "2", "--payment", "5"), ["--principal", "10,000,000,000"]),
        (("--principal", "-5", "--instalments", "2", "--payment", "5"), ["--principal is -5"]),
        (("--principal", "5", "--instalments", "0", "--payment", "5"), ["--instalments", "0"]),
        (("--principal", "5", "--instalments", "1201", "--payment", "5"), ["--instalments", "1201"]),
        (("nowhere.csv",), ["nowhere.csv"]),
        (("nowhere.csv", "--principal", "5"), ["--principal", "FILE"]),
        (("nowhere.csv", "--upfront-fee", "5"), ["--upfront-fee", "FILE"]),
        ((__file__,), [".csv nor .json"]),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_answered_is_refused_in_words(
    run: Run, arguments: tuple[str, ...], words: list[str]
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert all(word in err for word in words), err


def test_a_fault_in_a_file_is_named_with_its_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("date,amount\n2024-01-01,100\n2024-02-30,-50\n")
    code, out, err = run(tmp_path / "f.csv", "--json")
    assert code == 1
    assert all(word in err for word in ("f.csv", "line 3", "`date`", "2024-02-30"))
    assert json.loads(out)["error"]["kind"] == "InvalidInput"


def test_money_that_goes_one_way_only_is_no_credit(run: Run, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("date,amount\n2024-01-01,100\n2024-02-01,50\n")
    code, _, err = run(tmp_path / "f.csv")
    assert code == 1
    assert "nothing is paid after 2024-01-01" in err
    assert "negative amount" in err
