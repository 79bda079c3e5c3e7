"""What treatments do and what a policy of them brings: against a randomised truth, known effects, and boosted peers.

    python benchmarks/treatments.py [--data DIR] [--splits N] [--borrowers N] [--cases N] [--books N]

Hillstrom's experiment (64,000 customers, three arms by lot, outcome: a visit) is halved N times: the value that the
learning half expects of the policy it learns, beside that of the other half's rows whose own lot agrees with it; and
the Qini coefficient of each arm's ranking beside T-, X- and DR-learners of boosted trees (LightGBM where it can be
loaded, else scikit-learn's). Then simulated books with known effects: from a log of N borrowers a policy is learned,
other cases are assigned by a linear programme under capacity, and what that truly brings is set beside the assignment
by one who knows the effects; burden beside calling everybody. Peers get the same rows and the same programme.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, eye, kron, vstack

from evenkeel.arrears.treatments.effects import learn_effects
from evenkeel.arrears.treatments.evaluation import Evaluation, Question, evaluate
from evenkeel.arrears.treatments.logged import SHARES, Columns, TreatmentLog, read_log
from evenkeel.arrears.treatments.policy import LearntPolicy, action_values
from evenkeel.arrears.treatments.simulated import BURDEN_MINOR, CAPACITY, COST_MINOR, simulate
from evenkeel.measures.uplift import judge_uplift
from evenkeel.scoring.frame import is_text, numbers

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Fit = Callable[[FloatArray, FloatArray], Callable[[FloatArray], FloatArray]]

HILLSTROM = Columns("segment", "visit", SHARES, baseline="No E-Mail", drop=("conversion", "spend"))
SIMULATED = Columns(
    "action", "paid", "propensity", harms=("complaint", "re_default"), lawful="lawful", group="borrower_id",
    balance="balance_minor",
)  # fmt: skip


def boosting() -> tuple[str, Fit]:
    """The peers' base learner: 100 trees of 8 leaves at rate 0.05."""
    try:
        from lightgbm import LGBMRegressor
    except (ImportError, OSError):
        from sklearn.ensemble import HistGradientBoostingRegressor

        def with_sklearn(x: FloatArray, y: FloatArray) -> Callable[[FloatArray], FloatArray]:
            model = HistGradientBoostingRegressor(max_iter=100, max_leaf_nodes=8, learning_rate=0.05,
                                                  min_samples_leaf=50, early_stopping=False)  # fmt: skip
            return model.fit(x, y).predict

        return "scikit-learn", with_sklearn

    def with_lightgbm(x: FloatArray, y: FloatArray) -> Callable[[FloatArray], FloatArray]:
        model = LGBMRegressor(n_estimators=100, num_leaves=8, learning_rate=0.05, min_child_samples=50, n_jobs=1,
                              verbosity=-1)  # fmt: skip
        return model.fit(x, y).predict

    return "LightGBM", with_lightgbm


def matrix(log: TreatmentLog) -> FloatArray:
    """The peers' features: numbers as they are, levels of texts as codes."""
    found = []
    for name in log.features.column_names:
        column = log.features[name].combine_chunks()
        codes = column.dictionary_encode().indices.to_numpy(zero_copy_only=False) if is_text(column) else None
        found.append(numbers(column) if codes is None else codes.astype(np.float64))
    return np.column_stack(found)


def peers(log: TreatmentLog, place: int, x: FloatArray, asked: FloatArray, fit: Fit) -> dict[str, FloatArray]:
    """T-, X- and DR-learner of one action against doing nothing."""
    done, nothing, y = log.action == place, log.action == 0, log.outcome
    treated, untreated = fit(x[done], y[done]), fit(x[nothing], y[nothing])
    share = done.sum() / (done | nothing).sum()
    of_nothing = fit(x[nothing], treated(x[nothing]) - y[nothing])
    of_done = fit(x[done], y[done] - untreated(x[done]))
    fold, psi = np.random.default_rng(0).permutation(len(y)) % 2, np.zeros(len(y))
    for out in (0, 1):
        inside, asks = fold != out, fold == out
        one, two = fit(x[inside & done], y[inside & done]), fit(x[inside & nothing], y[inside & nothing])
        first, second, odds = one(x[asks]), two(x[asks]), log.propensity[asks]
        psi[asks] = (first - second + np.where(done[asks], (y[asks] - first) / odds, 0)
                     - np.where(nothing[asks], (y[asks] - second) / odds, 0))  # fmt: skip
    some = log.allowed[:, place]
    return {
        "T": treated(asked) - untreated(asked),
        "X": share * of_nothing(asked) + (1 - share) * of_done(asked),
        "DR": fit(x[some], psi[some])(asked),
    }


def hillstrom(path: Path, splits: int, rows: int | None) -> None:
    table = pq.read_table(path)
    log = read_log(table if rows is None else table.slice(0, rows), HILLSTROM)
    name, fit = boosting()
    x, inside, gaps, within, spent = matrix(log), [], [], [], []
    for split in range(splits):
        since = time.process_time()
        found = evaluate(log, Question(seed=split))
        spent.append(time.process_time() - since)
        assert isinstance(found, Evaluation)
        assert found.expected is not None and found.expected_gap is not None
        inside.append(found.expected_inside)
        gaps.append(found.expected_gap)
        truth = found.values.snips
        print(f"Hillstrom, half {split}: expected {found.expected.value:.4f}  randomised truth {truth.value:.4f} "
              f"[{truth.low:.4f}, {truth.high:.4f}]  {'inside' if found.expected_inside else 'outside'}")  # fmt: skip
        held = np.zeros(len(log.action), np.bool_)
        held[np.random.default_rng([split, 1]).permutation(len(held))[: len(held) // 2]] = True
        train, test = log.take(~held), log.take(held)
        for place, action in enumerate(log.actions[1:], start=1):
            rivals = peers(train, place, x[~held], x[held], fit)
            both = (test.action == place) | (test.action == 0)
            judged = {
                rival: judge_uplift(score[both], test.action[both] == place, test.outcome[both], seed=1).qini
                for rival, score in rivals.items()
            }
            own, best = found.uplift[action].qini, max(judged.values(), key=lambda one: one.value)
            within.append(own.value >= best.value - best.standard_error)
            told = "  ".join(f"{rival} {one.value:.5f}" for rival, one in judged.items())
            print(f"  Qini {action}: own {own.value:.5f} (se {own.standard_error:.5f})  {name} {told}")
    consistent = np.mean([gap.low <= 0 <= gap.high for gap in gaps])
    print(f"Hillstrom: expected inside the truth's own interval in {np.mean(inside):.0%} of {splits} halves "
          f"(83 % is what two independent halves can reach), consistent within both errors in {consistent:.0%} (95 %); "
          f"mean gap {np.mean([gap.value for gap in gaps]):+.4f}; Qini within one standard error of the best "
          f"peer in {np.mean(within):.0%} of {len(within)}; {np.mean(spent):.1f} CPU s each")  # fmt: skip


def programme(values: FloatArray) -> IntArray:
    """The best action for each case under CAPACITY, by HiGHS; the few cases that it splits get their larger part."""
    n, actions = values.shape
    worth = np.where(np.isfinite(values), values, -1e12)
    rows = vstack([kron(eye(n), np.ones((1, actions)), format="csr"), csr_matrix(np.tile(np.eye(actions), (1, n)))])
    room = np.concatenate((np.ones(n), np.floor(np.array(CAPACITY) * n)))
    solved = linprog(-worth.ravel(), A_ub=rows, b_ub=room, bounds=(0, 1), method="highs").x.reshape(n, actions)
    return np.where(solved.max(axis=1) > 1e-6, solved.argmax(axis=1), 0)


def simulated(borrowers: int, cases: int, books: int, slice_share: float) -> None:
    name, fit = boosting()
    cost, burden = np.array(COST_MINOR), np.array(BURDEN_MINOR)
    for book in range(books):
        made, asked = simulate(borrowers, 2 * book + 1, slice_share, borrowers // 50), simulate(cases, 2 * book + 2)
        log, fresh = read_log(made.log, SIMULATED), read_log(asked.log, SIMULATED)
        since = time.process_time()
        learned = learn_effects(log, book)
        spent = time.process_time() - since
        truth = action_values(asked.effect, asked.balance_minor, cost, burden)

        def obtained(effect: FloatArray, fresh: TreatmentLog = fresh, truth: FloatArray = truth) -> tuple[float, float]:
            values = np.where(fresh.allowed, action_values(effect, fresh.balance, cost, burden), -np.inf)
            chosen = programme(values)
            return float(truth[np.arange(len(chosen)), chosen].mean()), float(burden[chosen].mean())

        oracle, _ = obtained(asked.seen)
        policy = LearntPolicy(learned.effects, COST_MINOR, BURDEN_MINOR)
        values = np.where(fresh.allowed, policy.values(fresh.features, fresh.balance), -np.inf)
        chosen = programme(values)
        own, weight = float(truth[np.arange(cases), chosen].mean()), float(burden[chosen].mean())
        print(f"simulated book {book}, {borrowers:,} logged, {slice_share:.0%} by lot, {cases:,} assigned: "
              f"{own / oracle:.3f} of the value of one who knows the effects of what is seen, "
              f"{own / obtained(asked.effect)[0]:.3f} of one who knows the causes too; {spent:.1f} CPU s")  # fmt: skip
        uniform = burden[1] * np.ones(cases)
        print(f"  burden {weight:,.0f} a case, calling everybody {uniform.mean():,.0f}; value {own:,.0f}, calling "
              f"everybody {truth[:, 1].mean():,.0f}")  # fmt: skip
        x, other = matrix(log), matrix(fresh)
        rivals = {rival: np.zeros(truth.shape) for rival in ("T", "X", "DR")}
        for place in range(1, len(cost)):
            for rival, effect in peers(log, place, x, other, fit).items():
                rivals[rival][:, place] = effect
        told = "  ".join(f"{rival} {obtained(effect)[0] / oracle:.3f}" for rival, effect in rivals.items())
        print(f"  {name} {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--data", type=Path, help="Folder with hillstrom_64000.parquet; without it that part is left out."
    )
    parser.add_argument("--rows", type=int, help="Of Hillstrom, the first so many; all without it.")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--borrowers", type=int, default=100_000)
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--books", type=int, default=2)
    parser.add_argument("--slice", type=float, default=0.3, dest="share")
    given = parser.parse_args()
    if given.data is not None:
        hillstrom(given.data / "hillstrom_64000.parquet", given.splits, given.rows)
    simulated(given.borrowers, given.cases, given.books, given.share)


if __name__ == "__main__":
    main()
