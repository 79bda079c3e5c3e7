"""From a file's table to a model with its proof: outcome read, guards heard, folds judged, all rows fitted."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.measures.calibration import fit_platt
from evenkeel.measures.discrimination import auc, brier, kolmogorov_smirnov, ks_value, log_loss
from evenkeel.measures.logistic import sigmoid
from evenkeel.scoring.additive import fit_additive
from evenkeel.scoring.boosting import Boosted, fit_lightgbm
from evenkeel.scoring.cutting import Candidate, candidates_of
from evenkeel.scoring.estimator import BAD_WORDS
from evenkeel.scoring.frame import frame, is_text, numbers
from evenkeel.scoring.guards import Examined, Finding, Override, apply, examine, too_good
from evenkeel.scoring.hazard import HazardModel
from evenkeel.scoring.months import months_of
from evenkeel.scoring.reading import NUMBER, read_as, readings_of
from evenkeel.scoring.scorecard import Scorecard
from evenkeel.scoring.woe import fit_woe

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
Kind = Literal["additive", "woe", "lightgbm", "hazard"]
KINDS: tuple[Kind, ...] = ("additive", "woe", "lightgbm", "hazard")

_LEFT_OUT = ("constant", "missing", "identifier")  # guards whose columns tell nothing and are not offered to the model
_GROUPS = 10  # of the training score, kept to see whether later applicants are alike


@dataclass(frozen=True, slots=True)
class Request:
    """What to train. time: a column of months (dates) or, for a hazard model, months observed; never a feature.

    bad, good: labels; with both, rows of any other label are left out as not known; without, the usual words for the
    bad are recognised. drop: columns left out. folds: of the proof, 0 for none. drop_leaks: leave out what is refused
    as a leak, instead of ending. group: a column whose rows of one value share a fold, such as a borrower's key;
    never a feature.
    """

    target: str
    bad: tuple[str, ...] = ()
    good: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()
    time: str | None = None
    model: Kind = "additive"
    monotone: Mapping[str, int] = field(default_factory=dict)
    specials: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    protected: tuple[str, ...] = ()
    folds: int = 5
    seed: int = 0
    overrides: tuple[Override, ...] = ()
    drop_leaks: bool = False
    group: str | None = None


@dataclass(frozen=True, slots=True)
class Prepared:
    """Rows whose outcome is known. rows: their places in the file. readings: how text columns were read."""

    columns: pa.Table
    bad: BoolArray
    rows: IntArray
    labels: tuple[str, str]  # of the good, of the bad
    readings: Mapping[str, str]
    findings: tuple[Finding, ...]
    overruled: tuple[dict[str, str], ...]
    offered: tuple[Candidate, ...]
    months: IntArray | None
    time: FloatArray | None
    dropped: tuple[str, ...]
    groups: IntArray | None


@dataclass(frozen=True, slots=True)
class Folds:
    """Out-of-fold probabilities of the bad. fold: (n,) in which fold a row was judged. figures: of each fold."""

    p: FloatArray
    fold: IntArray
    figures: tuple[dict[str, float], ...]

    @property
    def mean(self) -> dict[str, float]:
        """The mean of every figure over the folds."""
        return {name: float(np.mean([fold[name] for fold in self.figures])) for name in self.figures[0]}


def prepare(table: pa.Table, request: Request, language: str = "en") -> Prepared:
    """Read the outcome, drop what is to be dropped, and hear the guards.

    Raises InvalidInput where the outcome has not two labels or a guard refuses, InvalidUsage where a column is not
    there.
    """
    prepared = _prepared(table, request)
    while request.drop_leaks and (leaks := _leaks(prepared, request)):
        request = replace(request, drop=(*request.drop, *leaks))
        prepared = _prepared(table, request)
    return replace(prepared, overruled=apply(prepared.findings, request.overrides, language))


def _leaks(prepared: Prepared, request: Request) -> list[str]:
    """Columns refused as leaks and not overruled."""
    kept = {override.guard for override in request.overrides}
    return sorted(
        {
            name
            for finding in prepared.findings
            if finding.severity == "refuse" and finding.override.startswith("leakage")
            for name in finding.columns
            if f"leakage:{name}" not in kept
        }
    )


def _prepared(table: pa.Table, request: Request) -> Prepared:
    names = table.column_names
    for name in (request.target, *request.drop, *filter(None, (request.time, request.group)), *request.specials,
                 *request.monotone, *request.protected):  # fmt: skip
        if name not in names:
            near = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
            raise InvalidUsage(f"there is no column `{name}`.", f"The columns are {near}.")
    known, bad, labels = _outcome(table[request.target], request)
    rows = np.flatnonzero(known)
    kept = [name for name in names if name not in {request.target, request.time, request.group, *request.drop}]
    if not kept:
        raise InvalidUsage("no column is left to learn from.", "Drop fewer.")
    given = table.select(kept).filter(pa.array(known))
    dates = tuple(name for name in kept if pa.types.is_temporal(given[name].type))
    plain = frame(given)
    readings = readings_of(plain)
    columns = read_as(plain, readings)
    when = frame(table.select([request.time])).column(0).filter(pa.array(known)) if request.time else None
    months, at = _times(when, request, table)
    groups = None
    if request.group is not None:
        of = table[request.group].filter(pa.array(known)).combine_chunks().dictionary_encode().indices
        groups = of.fill_null(-1).to_numpy().astype(np.int64)
    examined = Examined(
        _examined(plain, columns, readings), bad[known], time=months, dates=dates, protected=request.protected,
        specials=request.specials, seed=request.seed,
    )  # fmt: skip
    findings = examine(examined)
    empty = {name for finding in findings if finding.guard in _LEFT_OUT for name in finding.columns}
    offered = candidates_of(columns, dict(request.monotone), dict(request.specials))
    used = tuple(candidate for candidate in offered if candidate.name not in empty)
    if not used:
        raise InvalidInput("every column is constant, empty or an identifier.", "A model needs something that varies.")
    return Prepared(columns, bad[known], rows, labels, readings, findings, (), used, months, at, request.drop, groups)


def _examined(plain: pa.Table, columns: pa.Table, readings: Mapping[str, str]) -> pa.Table:
    """What the guards look at: numbers that were texts as numbers, dates as they are written."""
    for name, kind in readings.items():
        if kind == NUMBER:
            plain = plain.set_column(plain.column_names.index(name), name, columns[name])
    return plain


def _times(
    when: pa.ChunkedArray | None, request: Request, table: pa.Table
) -> tuple[IntArray | None, FloatArray | None]:  # fmt: skip
    """(month numbers where the time column holds dates without gaps, its numbers where it holds numbers)."""
    if when is None or request.time is None:
        return None, None
    stamped = pa.types.is_temporal(table[request.time].type)
    months = months_of(when, days=stamped)
    if months is not None and np.isfinite(months).all():
        return months.astype(np.int64), None
    if is_text(when):
        raise InvalidUsage(f"`{request.time}` holds no dates that can be read.", "Write them as 2024-05 or 2024-05-31.")
    return None, numbers(when)


def _outcome(column: pa.ChunkedArray, request: Request) -> tuple[BoolArray, BoolArray, tuple[str, str]]:
    """(known, bad, labels of good and bad)."""
    texts = frame({request.target: column})[request.target]
    if not is_text(texts):
        values = texts.to_pylist()
        texts = pa.chunked_array([pa.array([None if v is None else f"{v:.10g}" for v in values], pa.string())])
    labels = sorted(pc.unique(texts).drop_null().to_pylist())
    bads, goods = _named(labels, request.bad, request), _named(labels, request.good, request)
    if not goods:
        goods = tuple(label for label in labels if label not in bads) if bads else ()
    if not bads and len(labels) == 2:
        bads = tuple(label for label in labels if label not in goods) if goods else (_usual(labels),)
        goods = tuple(label for label in labels if label not in bads)
    if not bads or not goods or (len(labels) > 2 and not (request.bad and request.good)):
        shown = ", ".join(repr(label) for label in labels[:8]) + (", ..." if len(labels) > 8 else "")
        count = f"{len(labels)} label" + ("s" if len(labels) != 1 else "")
        raise InvalidInput(
            f"the target `{request.target}` has {count} ({shown}); two are needed, of the good and of the bad.",
            "Name them by --bad and --good; rows of any other label are then left out, as outcomes not known.",
        )
    known = pc.is_in(texts, pa.array([*bads, *goods])).to_numpy().astype(bool)
    is_bad = pc.is_in(texts, pa.array(bads)).to_numpy().astype(bool)
    return known, is_bad, (", ".join(goods), ", ".join(bads))


def _named(labels: Sequence[str], wanted: Sequence[str], request: Request) -> tuple[str, ...]:
    """The labels that the request names, in whatever case. Raises InvalidUsage that lists the labels."""
    found = []
    for name in wanted:
        fits = [label for label in labels if label == name] or [
            label for label in labels if label.strip().lower() == name.strip().lower()
        ]
        if not fits:
            shown = ", ".join(repr(label) for label in labels[:8])
            raise InvalidUsage(f"`{request.target}` has no label {name!r}.", f"Its labels are {shown}.")
        found.append(fits[0])
    return tuple(found)


def _usual(labels: Sequence[str]) -> str:
    usual = [label for label in labels if label.strip().lower() in BAD_WORDS]
    if len(usual) == 1 and (usual[0] != "1" or "0" in labels):  # of 1 and 2, either may be the bad
        return usual[0]
    raise InvalidUsage(
        f"which of {labels[0]!r} and {labels[1]!r} is the bad is not clear.",
        f"Say so: --bad {labels[0]!r}, for example.",
    )


# --- folds and the model ----------------------------------------------------------------------------------------------

Fitted = Scorecard | Boosted | HazardModel


def fit(prepared: Prepared, request: Request, rows: IntArray | None = None) -> Fitted:
    """The model of the wanted kind, on the given places among the prepared rows, or on all."""
    columns, bad, at = prepared.columns, prepared.bad, prepared.time
    if rows is not None:
        columns, bad, at = columns.take(pa.array(rows)), bad[rows], None if at is None else at[rows]
    if request.model == "woe":
        return fit_woe(columns, bad, prepared.offered)
    if request.model == "lightgbm":
        return fit_lightgbm(columns, bad, prepared.offered, None, request.seed)
    if request.model == "hazard":
        if at is None or request.time is None:
            raise InvalidUsage(
                "a hazard model needs --time: a column of the months for which each account was watched.",
                "For the bads, that is the month on book in which they went bad.",
            )
        observed = columns.select([c.name for c in prepared.offered]).append_column(request.time, pa.array(at))
        return HazardModel(duration=request.time).fit(observed, bad)
    return fit_additive(columns, bad, prepared.offered, seed=request.seed)


def log_odds(model: Fitted, prepared: Prepared, request: Request, rows: IntArray) -> FloatArray:
    """ln odds of the bad of some prepared rows."""
    columns = prepared.columns.take(pa.array(rows))
    if isinstance(model, HazardModel):
        result: FloatArray = model.decision_function(columns)
        return result
    return model.log_odds(columns)


def cross_validate(
    prepared: Prepared, request: Request, progress: Callable[[str, float], None] = lambda what, share: None
) -> Folds:
    """Judge every row by a model that did not see it: StratifiedKFold(folds, shuffle, seed) in the file's order.

    With groups StratifiedGroupKFold: by a model that saw none of its group.
    """
    bad = prepared.bad
    if min(bad.sum(), (~bad).sum()) < request.folds:
        raise InvalidInput(
            f"{int(min(bad.sum(), (~bad).sum()))} rows of the rarer outcome do not fill {request.folds} folds.",
            "Use fewer folds (--cv), or more data.",
        )
    p, fold = np.empty(len(bad)), np.empty(len(bad), np.int64)
    figures = []
    kind = StratifiedKFold if prepared.groups is None else StratifiedGroupKFold
    splitter = kind(request.folds, shuffle=True, random_state=request.seed)
    for place, (train, test) in enumerate(splitter.split(bad, bad, prepared.groups)):
        progress(f"fold {place + 1} of {request.folds}", place / (request.folds + 1))
        started = clock.process_time()
        model = fit(prepared, request, train)
        spent = clock.process_time() - started
        p[test] = sigmoid(log_odds(model, prepared, request, test))
        fold[test] = place
        figures.append(_figures(p[test], bad[test], len(train), spent))
    return Folds(p, fold, tuple(figures))


def _figures(p: FloatArray, bad: BoolArray, rows: int, spent: float) -> dict[str, float]:
    return {
        "auc": auc(p, bad).value,
        "ks": ks_value(p, bad),
        "brier": brier(p, bad).value,
        "logloss": log_loss(p, bad).value,
        "fit_cpu_s": spent,
        "rows": float(rows),
    }


def described(
    card: Scorecard, prepared: Prepared, request: Request, judged: Folds | None, given: Mapping[str, Any]
) -> Scorecard:
    """The scorecard with its facts: what it was trained on, what the guards said, how well it was seen to do.

    Its probabilities are set by the rows' out-of-fold ones (Platt), so that none rests on its own outcome.
    given: facts from outside, such as the file's digest and who trains.
    """
    facts: dict[str, Any] = {
        "target": request.target, "labels": list(prepared.labels), "rows": len(prepared.bad),
        "bads": int(prepared.bad.sum()), "seed": request.seed, "readings": dict(prepared.readings),
        "columns": [candidate.name for candidate in prepared.offered], "dropped": list(prepared.dropped),
        "guards": [finding.document() for finding in prepared.findings], "overrides": list(prepared.overruled),
        **given,
    }  # fmt: skip
    if judged is not None:
        p = np.clip(judged.p, 1e-12, 1 - 1e-12)
        card = card.recalibrated(fit_platt(np.log(p / (1 - p)), prepared.bad))
        area, gap, error = (
            auc(p, prepared.bad),
            kolmogorov_smirnov(p, prepared.bad, request.seed),
            brier(p, prepared.bad),
        )
        facts["performance"] = {
            "how": f"{request.folds} folds, seed {request.seed}",
            **{name: {"value": e.value, "low": e.low, "high": e.high}
               for name, e in (("auc", area), ("ks", gap), ("brier", error))},
        }  # fmt: skip
        facts["guards"] += [finding.document() for finding in too_good(area)]
    score = card.score(prepared.columns)
    edges = np.unique(np.quantile(score, np.arange(1, _GROUPS) / _GROUPS))
    counts = np.bincount(np.searchsorted(edges, score, side="right"), minlength=len(edges) + 1)
    facts |= {"score_edges": edges.tolist(), "score_shares": (counts / len(score)).tolist()}
    return replace(card, facts=facts)
