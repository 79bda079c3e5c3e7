"""The scorecards beside their peers: accuracy, the price of leaving columns out, fit, memory, growth, scoring, hazards.

    python benchmarks/scoring.py --peers /path/to/python                 # everything; an hour, most of it the peers'
    python benchmarks/scoring.py --sections fit --rows 10000 100000      # ours alone, two sizes

The peers live in an environment of their own, whose interpreter is given:

    pip install interpret-core==0.7.8 lightgbm==4.7.0 optbinning==1.0.0 toad==0.1.7 lifelines==0.30.3 pyarrow

Every fit is a process of its own with one thread. CPU s is what the fit alone took: reading, converting to what the
library takes, and importing are outside. The peak memory is the process's, imports and data included; beside it, what
it was before the fit. Everyone has their defaults, with no tuning. The data of `fit` and `score` are drawn here, with
a seed; those of `accuracy` and `without` are public (--data: a folder of Parquet files, see EVENKEEL_SHARED).
"""

import argparse
import importlib.util
import json
import math
import os
import platform
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

OURS = ("woe", "additive")
PEERS = ("optbinning", "toad", "lightgbm", "ebm")
NAMES = {
    "woe": "WoeScorecard", "additive": "AdditiveScorecard", "optbinning": "optbinning", "toad": "toad",
    "lightgbm": "LightGBM", "ebm": "interpret EBM", "hazard": "HazardModel", "hazard_linear": "HazardModel, not binned",
    "cox": "lifelines CoxPHFitter",
}  # fmt: skip
SECTIONS = ("accuracy", "without", "fit", "score", "hazard")
# Of each public file: its target, the value of the bad, what is no feature, and what may not be used.
FILES = {
    "uci_credit_card_30000": ("default", 1, ["ID"], ["SEX", "MARRIAGE"]),
    "give_me_some_credit_150000": ("SeriousDlqin2yrs", 1, [], []),
    "german_1000": ("creditability", "bad", [], ["personal_status_and_sex"]),
}
HORIZON = 12  # months of a PD
WATCHED = 36  # months after which the hazard section's accounts are no longer seen
TEST_ROWS = 100_000
SCORED_ALONE = 5_000  # rows given one at a time
REPEATS = 5
LONG_ENOUGH = 0.1  # CPU s; some machines count them in ticks of milliseconds

# --- data that are drawn ----------------------------------------------------------------------------------------------


def applicants(rows: int, seed: int, mixed: bool = False) -> pa.Table:
    """Ten features of a lender's applicants, some missing, and `bad` from bends, edges and two interactions.

    mixed: risk levels off, so that every feature changes what the others do, and many pairs are worth their table.
    """
    rng = np.random.default_rng(seed)
    common = rng.normal(size=rows)
    z = 0.5 * common[:, None] + math.sqrt(0.75) * rng.normal(size=(rows, 6))
    use = 1 / (1 + np.exp(-1.6 * z[:, 0] + 0.5))
    age = np.clip(np.round(52 + 14 * rng.normal(size=rows) - 4 * common), 21, 95)
    income = np.exp(8.6 + 0.7 * rng.normal(size=rows) - 0.25 * common)
    debt = np.exp(-1 + 0.9 * z[:, 1])
    late = [rng.poisson(np.exp(scale + 0.9 * z[:, 2 + place])) for place, scale in enumerate((-1.6, -2.8, -2.9))]
    lines = rng.poisson(np.exp(2.0 + 0.4 * z[:, 5]))
    homes = rng.poisson(0.9, rows)
    dependants = rng.poisson(0.8, rows)
    log_odds = (
        -4.0 + 1.9 * use**2 + 0.5 * (use > 0.9) - 0.025 * (age - 52) - 0.35 * (np.log(income) - 8.6)
        + 0.3 * np.tanh(2 * debt - 1) + 0.6 * np.minimum(late[0], 4) ** 0.7 + 0.9 * (late[1] > 0) + 1.2 * (late[2] > 0)
        + 0.04 * np.abs(lines - 8) + 0.15 * (homes > 2) + 0.08 * dependants
        + 0.8 * (use - 0.4) * (age < 35) - 0.5 * np.tanh(debt) * (np.log(income) - 8.6)
    )  # fmt: skip
    if mixed:
        log_odds = 2 * np.tanh(log_odds + 3) - 2
    bad = rng.random(rows) < 1 / (1 + np.exp(-log_odds))
    columns = {
        "utilisation": use, "age": age, "income": income, "debt_ratio": debt, "late_30": late[0], "late_60": late[1],
        "late_90": late[2], "lines": lines, "homes": homes, "dependants": dependants,
    }  # fmt: skip
    arrays = {name: pa.array(values, pa.float64()) for name, values in columns.items()}
    for name, share in (("income", 0.2), ("dependants", 0.03)):
        unknown = pa.array(rng.random(rows) < share)
        arrays[name] = pc.if_else(unknown, pa.scalar(None, pa.float64()), arrays[name])
    return pa.table({**arrays, "bad": pa.array(bad)})


def accounts(rows: int, seed: int) -> pa.Table:
    """Accounts with duration and event, immature ones censored, and `pd`: the true chance of default in a year."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, 4))
    month = np.arange(1, WATCHED + 1)
    baseline = -5.2 + 0.9 * np.exp(-(((month - 9) / 6) ** 2))
    hazard = 1 / (1 + np.exp(-(baseline + (x @ np.array([0.8, -0.5, 0.3, 0.0]))[:, None])))
    left = rng.random((rows, WATCHED)) < hazard
    default = np.where(left.any(axis=1), left.argmax(axis=1) + 1, WATCHED + 1)
    seen = rng.integers(3, WATCHED + 1, rows)
    columns = {f"x{place}": x[:, place] for place in range(4)}
    pd = 1 - np.prod(1 - hazard[:, :HORIZON], axis=1)
    return pa.table(
        {**columns, "duration": np.minimum(default, seen), "event": (default <= seen).astype(int), "pd": pd}
    )


# --- the models: what a library takes, and a fit that returns how it predicts -----------------------------------------


def taken(model: str, table: pa.Table) -> object:
    """A table as the library takes it: Arrow for ours, pandas for the others."""
    if model in OURS:
        return table
    x = table.to_pandas()
    texts = x.columns[[not np.issubdtype(kind, np.number) for kind in x.dtypes]]
    return x.astype(dict.fromkeys(texts, "category" if model == "lightgbm" else object))


def fit_ours(model: str, x: object, y: np.ndarray, seed: int) -> object:
    from evenkeel.scoring.estimator import AdditiveScorecard, WoeScorecard

    return (WoeScorecard() if model == "woe" else AdditiveScorecard(random_state=seed)).fit(x, y)


def fit_optbinning(x: object, y: np.ndarray) -> object:
    from optbinning import BinningProcess, Scorecard
    from sklearn.linear_model import LogisticRegression

    texts = list(x.columns[[kind == object for kind in x.dtypes]])  # noqa: E721
    process = BinningProcess(list(x.columns), categorical_variables=texts, n_jobs=1)
    card = Scorecard(process, LogisticRegression(max_iter=1000))
    return card.fit(x, y, metric_missing="empirical", metric_special="empirical")


class Toad:
    """Chi-merged bins, weight of evidence, logistic regression: the steps of toad's tutorial."""

    def fit(self, x: object, y: np.ndarray) -> "Toad":
        from sklearn.linear_model import LogisticRegression
        from toad.transform import Combiner, WOETransformer

        self.bins, self.woe = Combiner(), WOETransformer()
        self.bins.fit(x, y, method="chi", min_samples=0.05)
        self.regression = LogisticRegression(max_iter=1000).fit(self.woe.fit_transform(self.bins.transform(x), y), y)
        return self

    def predict_proba(self, x: object) -> np.ndarray:
        return self.regression.predict_proba(self.woe.transform(self.bins.transform(x)))


def fitted(model: str, x: object, y: np.ndarray, seed: int) -> object:
    """A fitted model with predict_proba."""
    if model in OURS:
        return fit_ours(model, x, y, seed)
    if model == "optbinning":
        return fit_optbinning(x, y)
    if model == "toad":
        return Toad().fit(x, y)
    if model == "lightgbm":
        from lightgbm import LGBMClassifier

        return LGBMClassifier(n_jobs=1, verbose=-1, random_state=seed).fit(x, y)
    from interpret.glassbox import ExplainableBoostingClassifier

    return ExplainableBoostingClassifier(n_jobs=1, random_state=seed).fit(x, y)


def timed(work: Callable[[], object]) -> tuple[object, float]:
    """What work returns, and its CPU seconds, those of processes that it started and ended included."""

    def spent() -> float:
        others = resource.getrusage(resource.RUSAGE_CHILDREN)
        return time.process_time() + others.ru_utime + others.ru_stime

    started = spent()
    result = work()
    return result, spent() - started


def warm(model: str) -> None:
    """Import what a fit imports, outside its time."""
    table = applicants(400, 9)
    fitted(model, taken(model, table.drop_columns("bad")), table["bad"].to_numpy().astype(int), 0)


def peak_mb() -> float:
    """The most memory that this process has held; on Linux not from getrusage, which begins with the parent's."""
    status = Path("/proc/self/status")
    if status.exists():
        return (
            next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM")) / 2**10
        )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def auc(y: np.ndarray, p: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(y, p))


# --- jobs: each runs in a process of its own --------------------------------------------------------------------------


def job_folds(model: str, file: str, target: str, bad: object, drop: list[str], seed: int) -> dict:
    """AUC and CPU seconds of each of five folds."""
    from sklearn.model_selection import StratifiedKFold

    table = pq.read_table(file)
    y = pc.equal(table[target], pa.scalar(bad, table[target].type)).to_numpy().astype(int)
    table = table.drop_columns([target, *drop])
    warm(model)
    found: dict[str, list] = {"auc": [], "cpu_s": []}
    x = taken(model, table)
    part = x.take if model in OURS else x.iloc.__getitem__
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(np.zeros(len(y)), y):
        given = part(train)
        outcome = y[train]
        result, cpu = timed(lambda given=given, outcome=outcome: fitted(model, given, outcome, 0))
        found["auc"].append(auc(y[test], result.predict_proba(part(test))[:, 1]))
        found["cpu_s"].append(cpu)
    return found


def job_fit(model: str, file: str, test: str) -> dict:
    """CPU seconds, AUC on rows of another draw, and peak memory."""
    x, y = drawn(model, file)
    warm(model)
    before = peak_mb()
    result, cpu = timed(lambda: fitted(model, x, y, 0))
    peak = peak_mb()
    other, outcome = drawn(model, test)
    return {"cpu_s": cpu, "peak_mb": peak, "before_mb": before, "auc": auc(outcome, result.predict_proba(other)[:, 1])}


def job_score(model: str, file: str, test: str) -> dict:
    """CPU seconds to score a file at once, and microseconds of a row given alone; medians."""
    result = fitted(model, *drawn(model, file), 0)
    x, _ = drawn(model, test)
    found: dict[str, object] = {"cpu_s": median(lambda: result.predict_proba(x))}
    if model not in OURS:
        alone = [x.iloc[[row]] for row in range(200)]
        found["row_us"] = median(lambda: [result.predict_proba(row) for row in alone]) * 1e6 / len(alone)
        return found
    found["score_cpu_s"] = median(lambda: result.score_points(x))
    found["pairs"] = len(result.scorecard_.pairs)
    module = exported(result.scorecard_)
    rows = x.slice(0, SCORED_ALONE).to_pylist()
    same = np.array([module.log_odds(row) for row in rows]) == result.decision_function(x.slice(0, SCORED_ALONE))
    found["equal"] = bool(same.all())
    found["row_us"] = median(lambda: [module.score(row) for row in rows]) * 1e6 / len(rows)
    return found


def job_hazard(model: str, file: str, test: str) -> dict:
    """CPU seconds, and how far the PDs of other accounts are from the true ones."""
    table, other = pq.read_table(file).drop_columns("pd"), pq.read_table(test)
    features, truth = other.select([f"x{place}" for place in range(4)]), other["pd"].to_numpy()
    if model == "cox":
        from lifelines import CoxPHFitter

        CoxPHFitter().fit(table.slice(0, 400).to_pandas(), "duration", "event")
        x = table.to_pandas()
        result, cpu = timed(lambda: CoxPHFitter().fit(x, "duration", "event"))
        pd = 1 - result.predict_survival_function(features.to_pandas(), times=[HORIZON]).to_numpy()[0]
    else:
        from evenkeel.scoring.hazard import HazardModel

        estimator = HazardModel("duration", "event", horizon=HORIZON, binned=model == "hazard")
        result, cpu = timed(lambda: estimator.fit(table))
        pd = result.predict_proba(features)[:, 1]
    off = float(np.abs(pd - truth).mean())
    return {"cpu_s": cpu, "off": off, "mean": float(pd.mean()), "true": float(truth.mean())}


def drawn(model: str, file: str) -> tuple[object, np.ndarray]:
    table = pq.read_table(file)
    return taken(model, table.drop_columns("bad")), table["bad"].to_numpy().astype(int)


def median(work: Callable[[], object]) -> float:
    """CPU seconds of one call: the median of repeats, each of calls enough to outlast the ticks of the clock."""

    def mean(calls: int) -> float:
        return timed(lambda: [work() for _ in range(calls)])[1] / calls

    calls = 1
    while mean(calls) * calls < LONG_ENOUGH:
        calls *= 2
    return float(np.median([mean(calls) for _ in range(REPEATS)]))


def exported(card: object) -> object:
    """The scorecard's Python file, written and imported as its user does."""
    from evenkeel.scoring.export import to_python

    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder:
        path = Path(folder) / "card.py"
        path.write_text(to_python(card), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("card", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    return module


KINDS = {"folds": job_folds, "fit": job_fit, "score": job_score, "hazard": job_hazard}

# --- the run ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Job:
    """A process to run. kind: of KINDS; given: its arguments; facts: what the result is told apart by."""

    kind: str
    model: str
    given: dict
    facts: dict


def run(job: Job, peers: str | None, limit: int) -> dict:
    """A job's facts and figures, from a process with one thread; {"error": its last words} where it fails."""
    ours = job.model in OURS or job.model.startswith("hazard")
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"), "1")
    work = json.dumps({"kind": job.kind, "limit": limit, "given": {"model": job.model, **job.given}})
    done = subprocess.run(
        [sys.executable if ours else str(peers), "-W", "ignore", __file__, "--job", work],
        env=os.environ | one, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode == -signal.SIGXCPU:
        found = {"error": f"not done after {limit:,} CPU s"}
    elif done.returncode:
        found = {"error": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    else:
        found = json.loads(done.stdout.strip().splitlines()[-1])
    result = {**job.facts, "model": job.model, **found}
    print(json.dumps(result), file=sys.stderr)
    return result


def work(text: str) -> None:
    """Do one job within its limit of CPU seconds and print its figures."""
    job = json.loads(text)
    resource.setrlimit(resource.RLIMIT_CPU, (job["limit"], job["limit"] + 10))
    print(json.dumps(KINDS[job["kind"]](**job["given"])))


def public_jobs(arguments: argparse.Namespace, models: list[str]) -> Iterator[Job]:
    """The jobs of the sections on public data."""
    for data, seed in product(arguments.files, arguments.seeds):
        target, bad, no_feature, barred = FILES[data]
        given = {"file": str(arguments.data / f"{data}.parquet"), "target": target, "bad": bad, "seed": seed}
        facts = {"data": data, "seed": seed}
        if "accuracy" in arguments.sections:
            for model in models:
                yield Job("folds", model, given | {"drop": no_feature}, {"section": "accuracy", **facts})
        if "without" in arguments.sections and barred:
            for model in [model for model in models if model in OURS]:
                for variant, drop in (("with", no_feature), ("without", no_feature + barred)):
                    told = {"section": "without", "variant": variant, **facts}
                    yield Job("folds", model, given | {"drop": drop}, told)


def drawn_jobs(arguments: argparse.Namespace, models: list[str], folder: Path) -> Iterator[Job]:
    """The jobs of the sections on drawn data, the longest first; writes their data."""

    def file(name: str, table: pa.Table) -> str:
        path = folder / f"{name}.parquet"
        pq.write_table(table, path)
        return str(path)

    if "fit" in arguments.sections:
        test = file("test", applicants(TEST_ROWS, 1))
        for rows in sorted(arguments.rows, reverse=True):
            given = {"file": file(f"train_{rows}", applicants(rows, 0)), "test": test}
            for model in reversed(models):
                yield Job("fit", model, given, {"section": "fit", "rows": rows})
    if "score" in arguments.sections:
        rows = arguments.score_rows
        card, scored = applicants(min(rows, TEST_ROWS), 0, mixed=True), applicants(rows, 2, mixed=True)
        given = {"file": file("card", card), "test": file("scored", scored)}
        for model in models:
            yield Job("score", model, given, {"section": "score", "rows": rows})
    if "hazard" in arguments.sections:
        rows = arguments.hazard_rows
        given = {"file": file("watched", accounts(rows, 0)), "test": file("later", accounts(20_000, 1))}
        for model in ("hazard", "hazard_linear", *(("cox",) if arguments.peers else ())):
            yield Job("hazard", model, given, {"section": "hazard", "rows": rows})


# --- tables -----------------------------------------------------------------------------------------------------------


def markdown(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def picked(results: list[dict], **wanted: object) -> list[dict]:
    return [
        one for one in results if "error" not in one and all(one.get(key) == value for key, value in wanted.items())
    ]


def named(results: list[dict]) -> list[str]:
    """The models that have a result, in the order of NAMES."""
    return [model for model in NAMES if picked(results, model=model)]


def accuracy_table(results: list[dict]) -> str:
    """Mean AUC over folds and seeds, and CPU seconds of a fold."""
    files = [data for data in FILES if picked(results, data=data)]
    rows = []
    for model in named(results):
        cells = []
        for data in files:
            found = picked(results, model=model, data=data)
            mean = [
                np.mean([value for one in found for value in one[key]]) if found else math.nan
                for key in ("auc", "cpu_s")
            ]
            cells.append(f"{mean[0]:.4f} / {mean[1]:.2f}")
        rows.append([NAMES[model], *cells])
    return markdown(["model", *(f"{data}, AUC / CPU s a fold" for data in files)], rows)


def without_table(results: list[dict]) -> str:
    """Mean AUC with and without, and the difference of the same folds with its standard error over seeds."""
    rows = []
    for data in (data for data in FILES if picked(results, data=data)):
        for model in named(results):
            means = [
                np.array([np.mean(one["auc"]) for one in picked(results, data=data, model=model, variant=variant)])
                for variant in ("with", "without")
            ]
            if len(means[0]) == 0 or len(means[0]) != len(means[1]):
                continue
            cost = means[0] - means[1]
            spread = f" ± {cost.std(ddof=1) / math.sqrt(len(cost)):.4f}" if len(cost) > 1 else ""
            barred = ", ".join(FILES[data][3])
            rows.append([data, barred, NAMES[model], f"{means[0].mean():.4f}", f"{means[1].mean():.4f}",
                         f"{cost.mean():+.4f}{spread}"])  # fmt: skip
    return markdown(["data", "left out", "model", "AUC with", "without", "cost"], rows)


def fit_table(results: list[dict]) -> str:
    """CPU seconds, memory and AUC by rows; growth is b of CPU ~ rows^b between the last size and the one before."""
    sizes = sorted({one["rows"] for one in results})
    rows = []
    for model in named(results):
        found = {size: picked(results, model=model, rows=size) for size in sizes}
        cells = [f"{found[size][0]['cpu_s']:.2f}" if found[size] else "–" for size in sizes]
        growth = "–"
        if len(sizes) > 1 and found[sizes[-1]] and found[sizes[-2]]:
            last, before = found[sizes[-1]][0]["cpu_s"], found[sizes[-2]][0]["cpu_s"]
            growth = f"{math.log(last / before) / math.log(sizes[-1] / sizes[-2]):.2f}"
        most = max(one["rows"] for one in picked(results, model=model))
        top = picked(results, model=model, rows=most)[0]
        rows.append(
            [NAMES[model], *cells, growth, f"{top['peak_mb']:,.0f} ({top['before_mb']:,.0f})", f"{top['auc']:.4f}"]
        )
    heads = ["model", *(f"{size:,} rows, CPU s" for size in sizes), "growth", "peak memory, MB (before the fit)", "AUC"]
    return markdown(heads, rows)


def score_table(results: list[dict]) -> str:
    rows = []
    for model in named(results):
        one = picked(results, model=model)[0]
        way = (
            f"exported file, {'equal on every row' if one['equal'] else 'NOT EQUAL'}"
            if "equal" in one
            else "predict_proba"
        )
        points = f"{one['score_cpu_s']:.2f}" if "score_cpu_s" in one else "–"
        pairs = str(one["pairs"]) if "pairs" in one else "–"
        rows.append([NAMES[model], pairs, f"{one['cpu_s']:.2f}", points, f"{one['row_us']:.1f}", way])
    size = results[0]["rows"]
    heads = ["model", "pairs", f"{size:,} rows, probabilities, CPU s", "points, CPU s", "one row, µs", "one row by"]
    return markdown(heads, rows)


def hazard_table(results: list[dict]) -> str:
    rows = []
    for model in named(results):
        one = picked(results, model=model)[0]
        rows.append(
            [NAMES[model], f"{one['cpu_s']:.2f}", f"{one['off']:.5f}", f"{one['mean']:.5f}", f"{one['true']:.5f}"]
        )
    heads = [
        "model",
        f"{results[0]['rows']:,} accounts, CPU s",
        "mean error of the 12-month PD",
        "mean PD",
        "true mean",
    ]
    return markdown(heads, rows)


TABLES = dict(zip(SECTIONS, (accuracy_table, without_table, fit_table, score_table, hazard_table), strict=True))


def printed(results: list[dict], arguments: argparse.Namespace) -> str:
    """The report as Markdown."""
    parts = [f"{platform.processor() or platform.machine()}, Python {platform.python_version()}"]
    for section in arguments.sections:
        of_section = [one for one in results if one["section"] == section]
        if of_section:
            parts.append(f"### {section}\n\n{TABLES[section](of_section)}")
            parts += [f"{NAMES[one['model']]} failed: {one['error']}" for one in of_section if "error" in one]
    return "\n\n".join(parts)


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("EVENKEEL_SHARED", Path(__file__).parents[2] / "shared"))
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--peers", help="an interpreter that has the peers; without it ours run alone")
    parser.add_argument("--models", nargs="+", choices=OURS + PEERS, default=list(OURS + PEERS))
    parser.add_argument("--data", type=Path, default=shared / "data", help="folder of the public files")
    parser.add_argument("--files", nargs="+", choices=list(FILES), default=list(FILES))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="of the folds")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 500_000, 1_500_000], help="of `fit`")
    parser.add_argument("--score-rows", type=int, default=1_000_000)
    parser.add_argument("--hazard-rows", type=int, default=50_000)
    parser.add_argument("--jobs", type=int, default=1, help="processes at a time; CPU time hardly minds")
    parser.add_argument("--limit-cpu-s", type=int, default=3600, help="of one process")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--job", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    arguments = options()
    if arguments.job:
        work(arguments.job)
        return
    models = [model for model in arguments.models if model in OURS or arguments.peers]
    with tempfile.TemporaryDirectory(prefix="evenkeel-bench-") as folder, ThreadPoolExecutor(arguments.jobs) as pool:
        jobs = [*drawn_jobs(arguments, models, Path(folder)), *public_jobs(arguments, models)]
        results = list(pool.map(lambda job: run(job, arguments.peers, arguments.limit_cpu_s), jobs))
    print(json.dumps(results, indent=1) if arguments.json else printed(results, arguments))


if __name__ == "__main__":
    main()
