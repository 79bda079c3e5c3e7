"""Scores on whole books: honest out-of-sample probabilities, or the reason why there are none."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from evenkeel.accounts.panel import Panel
from evenkeel.book.adapters import uci_credit_card
from evenkeel.book.checking import check
from evenkeel.kernel.calendar import month_text
from evenkeel.measures.calibration import fit_platt
from evenkeel.measures.discrimination import auc
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring import score as scoring
from evenkeel.scoring.score import LEAST_BADS, Scored, borrower_folds, score
from panels import JANUARY, end_of, panel_of, shuffled, table


def months_book(
    borrowers: int, months: int, seed: int = 0, lines: int = 2, strength: float = 1.0, base: float = -3.0
) -> dict[str, pa.Table]:
    """Borrowers of lasting risk with several lines; utilisation shows the risk, lateness follows from it."""
    rng = np.random.default_rng(seed)
    risk = rng.normal(size=borrowers)
    accounts, periods = [], []
    for person in range(borrowers):
        for line in range(lines):
            name = f"a{person:05d}-{line}"
            accounts.append(
                {"account_id": name, "borrower_id": f"b{person:05d}", "lender_id": "own", "product": "card"}
            )
            state = 0
            for step in range(months):
                worse = rng.random() < sigmoid(np.array(base + 1.5 * risk[person] + (1.5 if state else 0)))
                state = min(state + 1, 7) if worse else 0
                used = float(sigmoid(np.array(strength * risk[person] + rng.normal())))
                paid = int(rng.choice([0, 5_000, 60_000]))
                periods.append(
                    {
                        "account_id": name, "month": month_text(JANUARY + step), "state": f"M{state}",
                        "limit_minor": 100_000, "balance_minor": int(100_000 * used), "paid_minor": paid,
                    }
                )  # fmt: skip
    return {"accounts": table("accounts", accounts), "periods": table("periods", periods)}


def scored(book: dict[str, pa.Table], months: int, seed: int = 0, **options: Any) -> tuple[Panel, Scored]:
    panel = panel_of(book, end_of(months - 1))
    return panel, score(panel, book, seed=seed, threads=options.pop("threads", 1), **options)


@pytest.fixture(scope="module")
def history() -> tuple[dict[str, pa.Table], Panel, Scored]:
    book = months_book(800, 8, base=-2.0)
    return book, *scored(book, 8)


def test_every_account_on_book_has_a_probability_and_the_model_a_proof(
    history: tuple[dict[str, pa.Table], Panel, Scored],
) -> None:
    _, panel, found = history
    assert len(found.pd) == len(panel.rows_at(panel.last_month)) == 1600
    assert ((found.pd > 0) & (found.pd <= 1)).all()
    assert found.summary is not None and found.missing == ""
    assert 0.6 < found.summary["auc_low"] < found.summary["auc"] < found.summary["auc_high"] < 1  # type: ignore[operator]
    assert (np.diff(found.score[np.argsort(found.pd)]) <= 0).all()


def test_the_same_book_gives_the_same_scores_whatever_the_threads_and_the_order(
    history: tuple[dict[str, pa.Table], Panel, Scored],
) -> None:
    book, _, found = history
    again = scored({name: shuffled(rows, 1) for name, rows in book.items()}, 8, threads=2)[1]
    assert again.version == found.version
    assert again.pd.tobytes() == found.pd.tobytes()
    assert again.summary == found.summary


def test_what_comes_after_the_day_changes_no_score(history: tuple[dict[str, pa.Table], Panel, Scored]) -> None:
    book, _, _ = history
    cut = book | {"periods": book["periods"].filter(pc.less_equal(book["periods"]["month"], "2023-06"))}
    late, early = scored(book, 6)[1], scored(cut, 6)[1]
    assert late.version == early.version
    assert late.pd.tobytes() == early.pd.tobytes()
    assert (late.bad == -1).all()


def test_own_outcomes_are_shown_and_never_train(history: tuple[dict[str, pa.Table], Panel, Scored]) -> None:
    book, _, found = history
    own = np.arange(len(found.pd)) % 2
    told = scored(book, 8, own_bad=own)[1]
    assert told.bad.tolist() == own.tolist()
    assert told.pd.tobytes() == found.pd.tobytes()


def test_an_account_that_is_bad_already_is_certain(history: tuple[dict[str, pa.Table], Panel, Scored]) -> None:
    _, panel, found = history
    lost = panel.state[found.rows] >= 3
    assert lost.any()
    assert (found.pd[lost] == 1).all()
    assert (found.pd[~lost] < 1).all()


def test_a_model_is_not_judged_by_borrowers_whom_it_has_seen() -> None:
    """A text that is the borrower's own, and noise: whoever has seen the borrower knows the answer."""
    rng = np.random.default_rng(5)
    people, months = 60, 4
    bad = rng.random(people) < 0.5
    accounts, periods = [], []
    for person in range(people):
        for line in range(25):
            name = f"a{person:03d}-{line:02d}"
            accounts.append(
                {"account_id": name, "borrower_id": f"b{person:03d}", "lender_id": "own", "product": "card"}
            )
            for step in range(months):
                state = "M3" if step == months - 1 and bad[person] else "M0"
                row = {"account_id": name, "month": month_text(JANUARY + step), "state": state}
                periods.append(row | {"x_mark": f"mark {person}"})
    extra = pa.schema([("x_mark", pa.string())])
    # The month before last is the newest with an outcome; an outcome of the first months is set by `outcomes`.
    outcomes = [
        {"account_id": row["account_id"], "as_of": date(2023, 1 + step, 28), "bad": bool(bad[place // 25])}
        for step in (0, 1, 2)
        for place, row in enumerate(accounts)
    ]
    book = {"accounts": table("accounts", accounts), "periods": table("periods", periods, extra)}
    _, found = scored(book | {"outcomes": table("outcomes", outcomes)}, months)
    assert found.summary is not None
    assert found.summary["auc"] < 0.65  # type: ignore[operator]
    assert "other borrowers" in str(found.summary["how"])


def snapshot_book(borrowers: int, seed: int = 0, shuffle: bool = False) -> dict[str, pa.Table]:
    book = months_book(borrowers, 6, seed)
    outcomes = []
    last = book["periods"].filter(pc.equal(book["periods"]["month"], "2023-06"))
    rng = np.random.default_rng(seed + 1)
    bad = rng.random(last.num_rows) < sigmoid(-3 + 4 * last["balance_minor"].to_numpy() / 100_000)
    for name, flag in zip(last["account_id"].to_pylist(), rng.permutation(bad) if shuffle else bad, strict=True):
        outcomes.append(
            {"account_id": name, "as_of": date(2023, 6, 30), "bad": bool(flag), "known_on": date(2023, 7, 31)}
        )
    return book | {"outcomes": table("outcomes", outcomes)}


def test_folds_never_part_a_borrowers_accounts_and_are_about_equal() -> None:
    book = months_book(200, 2, lines=3)
    panel = panel_of(book, end_of(1))
    rows = panel.rows_at(panel.last_month)
    fold = borrower_folds(panel, rows, 7)
    owner = panel.accounts["borrower"].to_numpy()[panel.account[rows]]
    assert all(len(set(fold[owner == person])) == 1 for person in np.unique(owner))
    assert np.bincount(fold).tolist() == [120] * 5
    assert (borrower_folds(panel, rows, 8) != fold).any()


def test_a_snapshots_probabilities_are_of_models_that_did_not_see_the_borrower(monkeypatch: pytest.MonkeyPatch) -> None:
    book = snapshot_book(400)
    seen: list[np.ndarray] = []
    fit = scoring.fit_additive

    def watched(columns: pa.Table, bad: np.ndarray, candidates: Any, **settings: Any) -> Any:
        seen.append(columns["x_row"].to_numpy())
        return fit(columns, bad, [entry for entry in candidates if entry.name != "x_row"], **settings)

    numbered = book["periods"].append_column("x_row", pa.array(np.arange(book["periods"].num_rows, dtype=float)))
    monkeypatch.setattr(scoring, "fit_additive", watched)
    panel, found = scored(book | {"periods": numbered}, 6, seed=3)
    fold = borrower_folds(panel, found.rows, 3)
    mark = panel.months["x_row"].to_numpy()[found.rows]
    assert len(seen) == 6
    for part in range(5):
        assert set(seen[part]) == set(mark[fold != part])


def test_a_snapshots_probabilities_mean_what_they_say() -> None:
    _, found = scored(snapshot_book(2500), 6)
    assert found.summary is not None
    p, bad = found.pd_out_of_sample, found.bad == 1
    assert found.summary["auc"] == auc(p, bad).value
    groups = np.array_split(np.argsort(p), 10)
    far = [abs(p[group].mean() - bad[group].mean()) for group in groups]
    assert max(far) < 0.045  # two standard errors of a group of 500
    assert fit_platt(np.log(p / (1 - p)), bad).slope == pytest.approx(1, abs=0.1)
    assert p.mean() == pytest.approx(bad.mean(), abs=0.01)


def test_shuffled_outcomes_are_not_predicted() -> None:
    _, found = scored(snapshot_book(1500, shuffle=True), 6)
    assert found.summary is not None
    assert 0.44 < found.summary["auc"] < 0.56  # type: ignore[operator]


@pytest.mark.parametrize("months", [1, 2, 3])
def test_a_small_young_book_has_no_model_and_says_why(months: int) -> None:
    _, found = scored(months_book(200, months, base=-5.0), months)
    assert np.isnan(found.pd).all() and np.isnan(found.pd_out_of_sample).all()
    assert len(found.pd) == 400
    assert found.version is None and found.summary is None
    assert "two months" in found.missing if months == 1 else str(LEAST_BADS) in found.missing


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_a_book_of_hardly_anything_says_why(rows: int) -> None:
    book = months_book(2, 3)
    _, found = scored(book | {"periods": book["periods"].slice(0, rows)}, 3)
    assert found.summary is None
    assert found.missing


def test_few_bads_in_the_last_month_are_joined_by_those_of_the_month_before() -> None:
    month = np.repeat([1, 2, 3, 4], 100)
    target = np.tile(np.arange(100) < 20, 4)
    judged = scoring._judged(month, target)
    assert judged is not None
    assert np.unique(month[judged]).tolist() == [3, 4]
    assert scoring._judged(month, month < 2) is None  # all bads lie in the first month: nothing to judge by
    assert scoring._judged(month, month > 3) is None  # or all in the last: nothing to learn from


def test_a_sample_keeps_whole_accounts_and_enough_bads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoring, "_MOST_TRAINING_ROWS", 1000)
    panel = panel_of(months_book(400, 6), end_of(5))
    usable = np.arange(panel.months.num_rows)
    many = np.arange(len(usable)) % 2 == 0
    drawn, share = scoring._sampled(panel, usable, many, 0)
    assert share == 5 and len(drawn) == pytest.approx(960, abs=10)
    account = panel.account
    assert all(np.isin(np.flatnonzero(account == one), drawn).all() for one in np.unique(account[drawn]))
    assert scoring._sampled(panel, usable, np.arange(len(usable)) < 350, 0)[1] == 1


def uci(path: Path) -> tuple[dict[str, pa.Table], Panel]:
    source = uci_credit_card.adapt(path, 0.01)
    book = check(source.raw(), source.manifest, as_of=None, latest=date(2026, 1, 1), earlier=source.faults).book
    assert book is not None
    return dict(book.tables), panel_of(book.tables, book.as_of)


@pytest.mark.prove  # `make test` sees it in a whole run over the book
def test_uci_is_told_apart_and_its_shuffled_labels_are_not(shared: Path, tmp_path: Path) -> None:
    path = shared / "data" / "uci_credit_card_30000.parquet"
    tables, panel = uci(path)
    found = score(panel, tables, seed=0, threads=2)
    assert auc(found.pd_out_of_sample, found.bad == 1).value >= 0.775
    rows = pq.read_table(path)
    place = rows.column_names.index("default")
    shuffled_labels = np.random.default_rng(3).permutation(rows["default"].to_numpy())
    pq.write_table(rows.set_column(place, "default", pa.array(shuffled_labels)), tmp_path / "shuffled.parquet")
    tables, panel = uci(tmp_path / "shuffled.parquet")
    found = score(panel, tables, seed=0, threads=2)
    assert 0.48 < auc(found.pd_out_of_sample, found.bad == 1).value < 0.52


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(1, 8))
def test_uci_does_not_depend_on_the_seed(shared: Path, seed: int) -> None:
    tables, panel = uci(shared / "data" / "uci_credit_card_30000.parquet")
    found = score(panel, tables, seed=seed, threads=2)
    assert auc(found.pd_out_of_sample, found.bad == 1).value >= 0.775
