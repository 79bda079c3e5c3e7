"""`evenkeel train` and `evenkeel score`: what a data scientist runs on a file, and what comes out."""

import json
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from evenkeel.book.reading import read_book
from evenkeel.bootstrap import main
from evenkeel.pipeline.loop import training_rows
from evenkeel.scoring.scorecard import from_document


def loans(rows: int = 1200, seed: int = 0) -> pa.Table:
    """Loans whose risk falls with income and rises with use; months as text, a share with a % sign, a code."""
    rng = np.random.default_rng(seed)
    income, use = rng.lognormal(8, 0.5, rows), rng.uniform(0, 1, rows)
    bad = rng.random(rows) < 1 / (1 + np.exp(-(-2.2 + 3 * use - 0.9 * (np.log(income) - 8))))
    late = np.where(rng.random(rows) < 0.05, 98, rng.integers(0, 4, rows))
    month = rng.integers(1, 13, rows)
    return pa.table(
        {
            "id": [f"L{row:05d}" for row in range(rows)],
            "income": income,
            "use": [f"{100 * share:.1f}%" for share in use],
            "late": late,
            "opened": [f"2023-{m:02d}" for m in month],
            "months": np.where(bad, rng.integers(1, 12, rows), 12),
            "kind": rng.choice(["a", "b", "c"], rows),
            "outcome": np.where(bad, "bad", "good"),
        }
    )


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "loans.csv"
    pyarrow.csv.write_csv(loans(), path)
    return path


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: object
) -> tuple[int, str, str]:
    monkeypatch.setattr(sys, "argv", ["evenkeel", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        raise SystemExit(main())
    said = capsys.readouterr()
    return int(left.value.code or 0), said.out, said.err


def test_folds_are_those_of_scikit_learn_and_the_figures_are_theirs(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    where = tmp_path / "p.parquet"
    code, out, _ = run(
        capsys, monkeypatch, "train", file, "--target", "outcome", "--drop", "months,opened", "--model", "woe",
        "--cv", 4, "--seed", 3, "--predictions", where, "--json",
    )  # fmt: skip
    found = json.loads(out)
    assert code == 0
    assert [set(fold) >= {"auc", "ks", "brier", "logloss", "fit_cpu_s", "rows"} for fold in found["folds"]] == [
        True
    ] * 4
    assert "id" not in found["columns"]  # an identifier tells nothing
    written, bad = pq.read_table(where), loans()["outcome"].to_numpy(zero_copy_only=False) == "bad"
    assert written["row"].to_pylist() == list(range(1200))
    splitter = StratifiedKFold(4, shuffle=True, random_state=3)
    for place, (_, test) in enumerate(splitter.split(bad, bad)):
        assert set(written["fold"].to_numpy()[test]) == {place}
        area = roc_auc_score(bad[test], written["p"].to_numpy()[test])
        assert found["folds"][place]["auc"] == pytest.approx(area, abs=1e-12)
    assert found["mean"]["auc"] == pytest.approx(np.mean([fold["auc"] for fold in found["folds"]]))


def test_what_is_written_scores_alike_everywhere(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "model"
    code, _, err = run(
        capsys, monkeypatch, "train", file, "--target", "outcome", "--drop", "months", "--time", "opened", "--cv", 2,
        "--special", "late=98", "--monotone", "up:use", "--out", out, "--by", "Li Na",
    )  # fmt: skip
    assert code == 0, err
    names = {path.name for path in out.iterdir()}
    assert names == {
        "model.json", "model.py", "model.sql", "scorecard.xlsx", "scorecard.md",
        "validation.html", "validation.zh.html", "validation.json",
    }  # fmt: skip
    document = json.loads((out / "model.json").read_text())
    card = from_document(document)
    assert card.facts["trained_by"] == "Li Na"
    assert card.facts["readings"]["use"] == "number"
    assert "opened" not in [feature.name for feature in card.features]
    code, answer, _ = run(capsys, monkeypatch, "score", out / "model.json", file, "--keep", "id", "--json")
    rows = json.loads(answer)["rows"]
    assert code == 0
    assert len(rows) == 1200
    assert rows[7]["id"] == "L00007"
    p = np.array([row["p"] for row in rows])
    assert p.mean() == pytest.approx((loans()["outcome"].to_numpy(zero_copy_only=False) == "bad").mean(), abs=0.02)
    code, _, _ = run(capsys, monkeypatch, "score", out / "model.json", file, "--out", tmp_path / "s.csv")
    assert code == 0
    assert pyarrow.csv.read_csv(tmp_path / "s.csv")["score"].to_pylist() == pytest.approx(
        [row["score"] for row in rows]
    )


def test_a_hazard_model_needs_the_months_watched(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base = ("train", file, "--target", "outcome", "--model", "hazard", "--cv", 2, "--json", "--drop")
    assert run(capsys, monkeypatch, *base, "opened,months")[0] == 2
    code, out, _ = run(capsys, monkeypatch, *base, "opened", "--time", "months")
    assert code == 0
    assert json.loads(out)["mean"]["auc"] > 0.7


def test_a_leak_is_refused_and_named_and_can_be_left_out_or_overruled(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = loans()
    bad = table["outcome"].to_numpy(zero_copy_only=False) == "bad"
    rng = np.random.default_rng(1)
    table = table.append_column("c7", pa.array(np.where(bad & (rng.random(1200) < 0.8), rng.uniform(1, 9, 1200), 0.0)))
    path = tmp_path / "leaky.parquet"
    pq.write_table(table, path)
    base = ("train", path, "--target", "outcome", "--drop", "months", "--model", "woe", "--cv", 2)
    code, _, err = run(capsys, monkeypatch, *base)
    assert code == 1
    assert "`c7`" in err
    assert "leakage:c7" in err
    code, out, _ = run(capsys, monkeypatch, *base, "--drop-leaks", "--json")
    assert code == 0
    assert json.loads(out)["dropped"] == ["months", "c7"]
    assert run(capsys, monkeypatch, *base, "--override", "leakage:c7=known on the day")[0] == 2  # nobody stands for it
    code, out, _ = run(
        capsys, monkeypatch, *base, "--override", "leakage:c7=known on the day", "--by", "Li Na", "--json"
    )
    assert code == 0
    assert json.loads(out)["overrides"][0]["by"] == "Li Na"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--target", "absent"), 2, "there is no column `absent`"),
        (("--target", "kind"), 1, "'a', 'b', 'c'"),
        (("--target", "kind", "--bad", "a", "--good", "z"), 2, "no label 'z'"),
        (("--target", "outcome", "--monotone", "sideways:use"), 2, "up:COLUMN"),
        (("--target", "outcome", "--special", "late"), 2, "COLUMN=96,98"),
        (("--target", "outcome", "--cv", "0", "--predictions", "p"), 2, "needs folds"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...],
    code: int, words: str,
) -> None:  # fmt: skip
    got, _, err = run(capsys, monkeypatch, "train", file, *arguments)
    assert got == code
    assert words in err


def test_labels_that_are_neither_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    table = loans()
    status = table["outcome"].to_pylist()
    status[:100] = ["current"] * 100
    path = tmp_path / "s.parquet"
    pq.write_table(table.drop_columns(["outcome"]).append_column("status", pa.array(status)), path)
    code, out, _ = run(
        capsys, monkeypatch, "train", path, "--target", "status", "--bad", "BAD", "--good", "good", "--drop", "months",
        "--model", "woe", "--cv", 2, "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["rows"] == 1100


def test_a_book_trains_on_its_accounts_and_a_borrowers_rows_share_a_fold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    book, where = tmp_path / "book", tmp_path / "p.parquet"
    made = ("--borrowers", 600, "--months", 14, "--seed", 5, "--out", book, "--json")
    assert run(capsys, monkeypatch, "book", "generate", *made)[0] == 0
    code, out, err = run(
        capsys, monkeypatch, "train", book, "--target", "bad", "--model", "woe", "--cv", 3, "--predictions", where,
        "--json",
    )  # fmt: skip
    assert code == 0, err
    found = json.loads(out)
    assert found["mean"]["auc"] > 0.6
    assert not {"account_id", "borrower_id", "month"} & set(found["columns"])
    rows = training_rows(read_book(book, latest=date(2030, 1, 1)).book, seed=0, threads=1)  # type: ignore[arg-type]
    held: dict[str, set[int]] = {}
    for row, fold in zip(*(pq.read_table(where)[name].to_pylist() for name in ("row", "fold")), strict=True):
        held.setdefault(rows["borrower_id"][row].as_py(), set()).add(fold)
    assert {len(folds) for folds in held.values()} == {1}


def test_a_folder_that_is_no_book_is_refused_with_what_it_lacks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    code, _, err = run(capsys, monkeypatch, "train", tmp_path, "--target", "bad")
    assert code in (1, 2)
    assert "accounts" in err


def test_an_out_that_is_somebody_elses_is_said_before_the_work(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    code, out, err = run(capsys, monkeypatch, "train", file, "--target", "outcome", "--out", tmp_path / "mine")
    assert (code, out) == (2, "")
    assert "not an earlier run's" in err
