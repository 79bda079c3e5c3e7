"""Default, prepayment and cure as competing risks, month by month: a PD for any horizon, immature accounts included.

ln odds of leaving by a cause in a month, against staying = baseline of the month on book + effect of the calendar month
+ one entry of each feature's table. An account that is still there counts for the months it was watched, no longer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.validation import check_is_fitted
from threadpoolctl import threadpool_limits

from evenkeel.kernel.calendar import month_number, month_text
from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.measures.binning import optimal_bins
from evenkeel.measures.survival import Term, fit_hazards, hazards_of, incidence, person_months, second_differences
from evenkeel.scoring.bintext import bin_texts
from evenkeel.scoring.frame import is_text, numbers
from evenkeel.scoring.inputs import TablesIn, note_names, row_weights, table_of
from evenkeel.scoring.regressors import Column, columns_document, columns_from, learn_column, regressors
from evenkeel.scoring.scorecard import Feature
from evenkeel.scoring.watched import Watched, month_numbers, watched_accounts, whole_months

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_RAREST_LEVEL = 50  # a level of a text column with fewer rows is read as any other
_PRIOR = 3.0  # events of average risk that every bin is given: a bin of few cases says little
_BLOCK = 50_000  # rows whose months are worked out at a time


# --- the artefact ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CauseTables:
    """What decides one cause's ln odds. baseline: by month on book. calendar: by calendar month. tables: one a feature.

    slopes: of the columns that are used as they are. events: how many were seen, weighted.
    """

    name: str
    events: float
    baseline: FloatArray
    calendar: FloatArray
    features: tuple[Feature, ...]
    tables: tuple[FloatArray, ...]
    slopes: FloatArray


@dataclass(frozen=True)
class HazardTables:
    """A fitted hazard model as data. first_month: month number of the calendar's first entry, None where none is."""

    causes: tuple[CauseTables, ...]
    columns: tuple[Column, ...]
    first_month: int | None

    @property
    def names(self) -> list[str]:
        """The covariates that are read."""
        binned = (feature.name for cause in self.causes for feature in cause.features)
        return list(dict.fromkeys((*binned, *(column.name for column in self.columns))))

    def covariates(self, table: pa.Table) -> FloatArray:
        """The covariates' share of the ln odds: (n, K). Raises InvalidInput that names columns which are not there."""
        absent = [f"`{name}`" for name in self.names if name not in table.column_names]
        if absent:
            raise InvalidInput(f"the model reads columns that are not there: {', '.join(absent[:10])}.", "Add them.")
        plain = regressors(self.columns, table)
        total = np.zeros((table.num_rows, len(self.causes)))
        for place, cause in enumerate(self.causes):
            total[:, place] = (plain * cause.slopes).sum(axis=1)
            for feature, entries in zip(cause.features, cause.tables, strict=True):
                total[:, place] += entries.take(feature.codes(table[feature.name]))
        return total

    def hazards(self, covariates: FloatArray, months: IntArray, start: IntArray | None) -> FloatArray:
        """Hazards (n, m, K) in the months on book `months` (n, m), after the last month seen as in that month.

        covariates: (n, K). start: (n,) month number of opening, -1 where not known; a calendar month that was not
        seen has the average effect, which is 0.
        """
        last = len(self.causes[0].baseline)
        at = np.minimum(months, last) - 1
        log_odds = np.stack([cause.baseline[at] for cause in self.causes], axis=-1) + covariates[:, None, :]
        if start is not None and self.first_month is not None:
            effects = np.stack([np.append(cause.calendar, 0.0) for cause in self.causes], axis=-1)
            place = start[:, None] + months - self.first_month
            seen = (start[:, None] >= 0) & (place >= 0) & (place < len(effects) - 1)
            log_odds += effects[np.where(seen, place, len(effects) - 1)]
        return hazards_of(log_odds)


# --- the estimator ---------------------------------------------------------------------------------------------------


class HazardModel(TablesIn, ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Discrete-time competing risks: month on book x calendar month x covariates.

    One row is one account. duration: name of the column with the month on book in which it left, or the last month seen
    of one that did not; fractions are months under way. event: name of the column with the cause, "" or "censored" or 0
    or null for none (1 is the default, other numbers causes of that name). entry: name of the column with the months
    that had passed before it came under observation. start_month: name of the column with the month of opening (a date,
    2024-05, or 202405), for calendar effects: month t on book is t months after it. They may be columns of X, or fields
    of a structured y or of a table given as y (there `duration` and `event` are the names where none are given). With a
    one-dimensional y, y is the event: causes, or two classes of which the second is the default. Without any duration
    the horizon is one interval, and the model is a logistic regression on the bins.

    default: the cause that `predict_proba` is about. horizon: months ahead of it. binned: features as tables over
    optimal bins against each cause (log of observed over expected events per bin, times a fitted weight; weights below
    0 are left out), else numbers as they are, standardised, and texts as levels. ridge: penalty of the weights.
    smoothing: penalty of the baseline's bends, None for the most likely one; chosen without covariates, as is that of
    the calendar.

    The baseline is smooth (second differences); the calendar's effects are drawn to 0, their average, which is what an
    unseen month has. After `months_observed_`, the last month on book that was seen, the baseline is held: a PD of a
    longer horizon rests on that assumption.

    scikit-learn's `check_estimator` passes. Weights count as repeated rows, except that the fine bins which cuts are
    chosen from hold equal numbers of rows, and that a level's rarity is counted in rows.
    """

    def __init__(
        self,
        duration: str | None = None,
        event: str | None = None,
        entry: str | None = None,
        start_month: str | None = None,
        default: str = "default",
        horizon: int = 12,
        binned: bool = True,
        max_bins: int = 8,
        ridge: float = 1.0,
        smoothing: float | None = None,
    ) -> None:
        self.duration = duration
        self.event = event
        self.entry = entry
        self.start_month = start_month
        self.default = default
        self.horizon = horizon
        self.binned = binned
        self.max_bins = max_bins
        self.ridge = ridge
        self.smoothing = smoothing

    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:  # noqa: N803
        """Learn from accounts, those that have not left included. Raises InvalidInput where that cannot be done."""
        if not (isinstance(self.horizon, int | np.integer) and self.horizon >= 1):
            raise InvalidUsage(f"horizon is {self.horizon!r}.", "Give a whole number of months, 1 or more.")
        table = table_of(self, X, fitting=True)
        weight = row_weights(sample_weight, table.num_rows)
        roles = {"duration": self.duration, "event": self.event, "entry": self.entry, "start_month": self.start_month}
        cases = watched_accounts(table, y, weight, roles, self.default)
        self.classes_, self.one_interval_ = cases.classes, cases.one_interval
        with threadpool_limits(1):
            self.tables_, self.smoothing_ = _fitted(self, cases)
        if hasattr(self, "feature_names_in_"):
            note_names(self, cases.table.column_names)
        self.rows_ = len(cases.duration)
        self.person_months_ = float((cases.weight * (cases.duration - cases.entry)).sum())
        return self

    def predict_hazard(self, X: Any, months: Any) -> FloatArray:  # noqa: N803
        """Chance to leave by each cause in a month, of those there as it begins: (n, m, K), causes as in `causes_`.

        months: months on book, 1 or more; or one number M for months 1..M. Without a duration the only month is the
        horizon.
        """
        table = self._table(X)
        wanted = np.arange(1, int(months) + 1) if np.ndim(months) == 0 else np.asarray(months, np.int64)
        if wanted.ndim != 1 or len(wanted) == 0 or (wanted < 1).any():
            raise InvalidUsage("months are whole numbers of 1 or more.")
        grid = np.broadcast_to(wanted, (table.num_rows, len(wanted)))
        return self.tables_.hazards(self.tables_.covariates(table), grid, self._start(table))

    def cumulative_incidence(
        self,
        X: Any,  # noqa: N803
        horizon: Any,
        cause: str | None = None,
        age: Any = None,
    ) -> FloatArray:
        """Chance to leave by `cause` (the default where None) within the `horizon` months after age, if there by then.

        horizon: whole months, 0 or more: (n,) is returned; or several: (n, m). age: months on book that have passed,
        one number or (n,); None for the entry column where X has it, else 0.
        """
        table = self._table(X)
        if (name := self.default if cause is None else cause) not in self.causes_:
            raise InvalidUsage(f"cause {name!r} was not seen.", f"Choose from {', '.join(self.causes_)}.")
        ahead = np.asarray(horizon, np.int64)
        passed = self._ages(table) if age is None else np.broadcast_to(np.asarray(age, np.int64), table.num_rows)
        if (ahead < 0).any() or (passed < 0).any():
            raise InvalidUsage("horizon and age are months, 0 or more.")
        covariates, start = self.tables_.covariates(table), self._start(table)
        result = np.empty((table.num_rows, ahead.size))
        steps = np.arange(1, int(ahead.max(initial=0)) + 1)
        for begin in range(0, table.num_rows, _BLOCK):
            rows = slice(begin, begin + _BLOCK)
            hazards = self.tables_.hazards(
                covariates[rows], passed[rows, None] + steps, None if start is None else start[rows]
            )
            result[rows] = incidence(hazards)[:, np.atleast_1d(ahead), self.causes_.index(name)]
        return result[:, 0] if ahead.ndim == 0 else result

    def predict_proba(self, X: Any) -> FloatArray:  # noqa: N803
        """(n, 2): no default, a default within `horizon` months of the entry; of opening where X has no entry."""
        check_is_fitted(self, "tables_")
        pd = self.cumulative_incidence(X, 1 if self.one_interval_ else self.horizon)
        return np.column_stack((1 - pd, pd))

    def decision_function(self, X: Any) -> FloatArray:  # noqa: N803
        """ln odds of the default within the horizon."""
        result: FloatArray = logit(self.predict_proba(X)[:, 1])
        return result

    def predict(self, X: Any) -> Any:  # noqa: N803
        """The likelier of the two classes."""
        check_is_fitted(self, "tables_")
        return self.classes_[(self.predict_proba(X)[:, 1] > 0.5).astype(np.int64)]

    @property
    def causes_(self) -> list[str]:
        """Names of the causes, the default first."""
        return [cause.name for cause in self.tables_.causes]

    @property
    def months_observed_(self) -> int:
        """Months on book for which the baseline was learned."""
        return len(self.tables_.causes[0].baseline)

    def _table(self, data: Any) -> pa.Table:
        check_is_fitted(self, "tables_")
        return table_of(self, data, fitting=False)

    def _start(self, table: pa.Table) -> IntArray | None:
        if self.start_month is None or self.start_month not in table.column_names:
            return None
        return month_numbers(self.start_month, table[self.start_month])

    def _ages(self, table: pa.Table) -> IntArray:
        if self.entry is None or self.entry not in table.column_names:
            return np.zeros(table.num_rows, np.int64)
        return whole_months(self.entry, table[self.entry])

    def document(self) -> dict[str, object]:
        """The fitted model as plain data."""
        check_is_fitted(self, "tables_")
        first = self.tables_.first_month
        return {
            "kind": "hazard", "parameters": self.get_params(), "classes": self.classes_.tolist(),
            "one_interval": self.one_interval_, "rows": self.rows_, "person_months": self.person_months_,
            "months_observed": self.months_observed_,
            "smoothing": self.smoothing_, "first_month": None if first is None else month_text(first),
            "columns": columns_document(self.tables_.columns),
            "causes": [
                {
                    "name": cause.name, "events": cause.events, "baseline": cause.baseline.tolist(),
                    "calendar": cause.calendar.tolist(), "slopes": cause.slopes.tolist(),
                    "features": [
                        {
                            "name": feature.name, "edges": feature.edges.tolist(),
                            "levels": None if feature.levels is None else list(feature.levels),
                            "bins": bin_texts(feature), "log_odds": entries.tolist(),
                        }
                        for feature, entries in zip(cause.features, cause.tables, strict=True)
                    ],
                }
                for cause in self.tables_.causes
            ],
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """The fitted model that a document holds. Raises InvalidInput where it holds none."""
        try:
            if document.get("kind") != "hazard":
                raise InvalidInput(f"this document is of the kind {document.get('kind')!r}, not 'hazard'.")
            model = cls(**document["parameters"])
            first, columns = document["first_month"], columns_from(document["columns"])
            causes = tuple(_cause_from(entry) for entry in document["causes"])
            model.tables_ = HazardTables(causes, columns, None if first is None else month_number(first))
            _check(model.tables_, model.default)
            model.classes_ = np.array(document["classes"])
            model.one_interval_ = bool(document["one_interval"])
            model.smoothing_ = document["smoothing"]
            model.rows_, model.person_months_ = int(document["rows"]), float(document["person_months"])
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            if isinstance(error, InvalidInput):
                raise
            raise InvalidInput(
                f"this is not a hazard model of evenkeel: {type(error).__name__}: {error}.",
                "Was the file changed by hand?",
            ) from error
        note_names(model, model.tables_.names)
        return model


def _cause_from(entry: Any) -> CauseTables:
    features = tuple(
        Feature(
            feature["name"], feature["name"], np.array(feature["edges"], np.float64),
            None if feature["levels"] is None else tuple(feature["levels"]),
        )
        for feature in entry["features"]
    )  # fmt: skip
    baseline, calendar, slopes = (np.array(entry[name], np.float64) for name in ("baseline", "calendar", "slopes"))
    tables = tuple(np.array(feature["log_odds"], np.float64) for feature in entry["features"])
    return CauseTables(entry["name"], float(entry["events"]), baseline, calendar, features, tables, slopes)


def _check(tables: HazardTables, default: str) -> None:
    """Every table fits and every number is finite: a file changed by hand is refused, not scored with."""
    size = sum(len(column.names) for column in tables.columns)
    if default not in [cause.name for cause in tables.causes]:
        raise InvalidInput(f"the cause {default!r} is not there.")
    lengths = {(len(cause.baseline), len(cause.calendar), len(cause.slopes)) for cause in tables.causes}
    if len(lengths) != 1 or next(iter(lengths))[0] < 1 or next(iter(lengths))[2] != size:
        raise InvalidInput("the causes' baselines, calendars or slopes do not fit each other.")
    for cause in tables.causes:
        for entries in (cause.baseline, cause.calendar, cause.slopes, *cause.tables):
            if not np.isfinite(entries).all():
                raise InvalidInput(f"a table of the cause {cause.name!r} has entries that are not finite.")
        for feature, entries in zip(cause.features, cause.tables, strict=True):
            if len(entries) != feature.size or not (np.diff(feature.edges) > 0).all():
                raise InvalidInput(f"the table of `{feature.name}` does not fit its bins.")


# --- fitting ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Clock:
    """The months that a model spans: on book 1..months; by calendar `width` from month number `first`, 0 for none."""

    months: int
    first: int
    width: int

    def terms(self, cells: _Cells, smoothing: list[float | FloatArray | None]) -> list[Term]:
        """Baseline and calendar of the cells; smoothing: of each."""
        baseline = Term(np.eye(self.months)[None], cells.month - 1, second_differences(self.months), smoothing[0])
        if self.width == 0:
            return [baseline]
        calendar = Term(np.eye(self.width)[None], cells.calendar, np.eye(self.width), smoothing[1])
        return [baseline, calendar]


@dataclass(frozen=True)
class _Cells:
    """Person-months: counts (c, K + 1), month on book, place in the calendar, row of the covariates."""

    counts: FloatArray
    month: IntArray
    calendar: IntArray
    row: IntArray


def _cells(cases: Watched, row: IntArray, clock: _Clock) -> _Cells:
    starts, start = np.unique(np.zeros_like(row) if cases.start is None else cases.start, return_inverse=True)
    found = person_months(
        cases.duration, cases.cause, len(cases.causes),
        entry=cases.entry, weight=cases.weight, group=row * len(starts) + start,
    )  # fmt: skip
    of_row, of_start = np.divmod(found.group, len(starts))
    calendar = starts[of_start] + found.month - clock.first if clock.width else np.zeros_like(of_row)
    return _Cells(found.counts, found.month, calendar, of_row)


def _fitted(model: HazardModel, cases: Watched) -> tuple[HazardTables, dict[str, list[float]]]:
    """The tables, and the smoothings of baseline and calendar by cause."""
    first = 0 if cases.start is None else int((cases.start + cases.entry).min()) + 1
    width = 0 if cases.start is None else int((cases.start + cases.duration).max()) - first + 1
    clock, causes = _Clock(int(cases.duration.max()), first, width), len(cases.causes)
    alone = _cells(cases, np.zeros_like(cases.duration), clock)
    plain = fit_hazards(alone.counts, clock.terms(alone, [model.smoothing, None]))
    columns: tuple[Column, ...] = ()
    features: list[list[tuple[Feature, FloatArray]]] = [[] for _ in range(causes)]
    if model.binned:
        expected = _expected(cases, plain.coefficients, clock)
        features = [_features(cases, k + 1, expected[:, k], model.max_bins) for k in range(causes)]
        x = _binned(cases.table, features)
    else:
        columns = tuple(learn_column(n, cases.table[n], cases.weight, bends=False) for n in cases.table.column_names)
        x = regressors(columns, cases.table)[None]
    row, distinct = _alike(x)
    cells = _cells(cases, row, clock)
    time = clock.terms(cells, list(plain.smoothing))
    parts = _weighed(cells, time, x[:, distinct], model)
    tables = []
    for k, name in enumerate(cases.causes):
        weights = parts[-1][k]
        kept = [(f, w * raw) for (f, raw), w in zip(features[k], weights, strict=False) if w > 0]
        tables.append(
            CauseTables(
                name, float(cells.counts[:, k + 1].sum()), parts[0][k], parts[1][k] if width else np.empty(0),
                tuple(f for f, _ in kept), tuple(entries for _, entries in kept),
                np.empty(0) if model.binned else weights,
            )
        )  # fmt: skip
    smoothing = {name: plain.smoothing[:, k].tolist() for k, name in enumerate(cases.causes)}
    return HazardTables(tuple(tables), columns, first if width else None), smoothing


def _weighed(cells: _Cells, time: list[Term], x: FloatArray, model: HazardModel) -> tuple[FloatArray, ...]:
    """Coefficients of time and of the covariates, (K, p) each. Of binned ones none below 0 is kept: such a feature
    would say the reverse of its own bins, to make up for another."""
    x = np.array(np.broadcast_to(x, (cells.counts.shape[1] - 1, *x.shape[1:]))) if model.binned else x
    while True:
        covariates = Term(x, cells.row, np.eye(x.shape[2]), model.ridge)
        parts = fit_hazards(cells.counts, [*time, covariates]).coefficients
        if not model.binned or not (reverse := parts[-1] < 0).any():
            return parts
        x = np.where(reverse[:, None, :], 0.0, x)  # a column of zeros has the weight 0


def _expected(cases: Watched, time: tuple[FloatArray, ...], clock: _Clock) -> FloatArray:
    """Events of each cause that each case's months would bring at average risk: (n, K)."""
    starts, place = np.unique(
        np.zeros_like(cases.duration) if cases.start is None else cases.start, return_inverse=True
    )
    log_odds = np.repeat(time[0].T[None], len(starts), axis=0)  # (starts, months, K)
    if clock.width:
        at = starts[:, None] + np.arange(1, clock.months + 1) - clock.first
        log_odds += time[1].T[np.clip(at, 0, clock.width - 1)]
    upto = np.cumsum(hazards_of(log_odds), axis=1)
    upto = np.concatenate((np.zeros_like(upto[:, :1]), upto), axis=1)
    result: FloatArray = upto[place, cases.duration] - upto[place, cases.entry]
    return result


def _features(cases: Watched, cause: int, expected: FloatArray, max_bins: int) -> list[tuple[Feature, FloatArray]]:
    """Each column's bins against a cause, and for each code ln of observed over expected events, drawn to 0.

    A column whose rows all have one code tells nothing and is left out.
    """
    left = cases.cause == cause
    found = []
    for name in cases.table.column_names:
        column = cases.table[name]
        if is_text(column):
            counted = pc.value_counts(column.combine_chunks().drop_null()).to_pylist()
            levels = sorted(entry["values"] for entry in counted if entry["counts"] >= _RAREST_LEVEL)
            feature = Feature(name, name, levels=tuple(levels))
        else:
            feature = Feature(
                name, name, optimal_bins(numbers(column), left, weights=cases.weight, max_bins=max_bins).edges
            )
        codes = feature.codes(column)
        observed = np.bincount(codes, cases.weight * left, feature.size)
        due = np.bincount(codes, cases.weight * expected, feature.size)
        if (np.bincount(codes, minlength=feature.size) > 0).sum() > 1:
            found.append((feature, np.log((observed + _PRIOR) / (due + _PRIOR))))
    return found


def _binned(table: pa.Table, features: list[list[tuple[Feature, FloatArray]]]) -> FloatArray:
    """(K, n, p): each cause's features, one beside the other; columns of zeros where a cause has fewer."""
    x = np.zeros((len(features), table.num_rows, max(len(entries) for entries in features)))
    for k, entries in enumerate(features):
        for place, (feature, raw) in enumerate(entries):
            x[k, :, place] = raw.take(feature.codes(table[feature.name]))
    return x


def _alike(x: FloatArray) -> tuple[IntArray, IntArray]:
    """A code for each of the n rows of (K or 1, n, p), the same for equal rows, and a row of each code."""
    code = np.zeros(x.shape[1], np.int64)
    for column in x.transpose(0, 2, 1).reshape(-1, x.shape[1]):
        values, place = np.unique(column, return_inverse=True)
        if len(values) > 1:
            code = np.unique(code * len(values) + place, return_inverse=True)[1]
    return code, np.unique(code, return_index=True)[1]
