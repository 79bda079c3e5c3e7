"""Accounts as they were watched: how long, since when, and why each left; what a hazard model is fitted on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import column_or_1d

from evenkeel.kernel.errors import InvalidInput
from evenkeel.scoring.frame import frame, is_text, numbers
from evenkeel.scoring.months import months_of

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_MOST_MONTHS = 600
_CENSORED = ("", "censored")


@dataclass(frozen=True)
class Watched:
    """Accounts with something observed. causes: names, the default first. cause: (n,) 1..K, 0 where censored."""

    table: pa.Table
    duration: IntArray
    cause: IntArray
    causes: tuple[str, ...]
    entry: IntArray
    start: IntArray | None
    weight: FloatArray
    classes: npt.NDArray[Any]
    one_interval: bool


def watched_accounts(
    table: pa.Table, y: Any, weight: FloatArray, roles: Mapping[str, str | None], default: str
) -> Watched:  # fmt: skip
    """X and y as accounts. roles: the columns of duration, event, entry and start_month, None where there is none.

    Raises InvalidInput where what is needed is not there or cannot be."""
    rows = table.num_rows
    fields = {name: table[name] for name in table.column_names}
    roles = dict(roles)
    classes: npt.NDArray[Any] = np.array([0, 1])
    outcome = _outcome_table(y)
    if outcome is not None:
        fields |= {name: outcome[name] for name in outcome.column_names}
        for role in roles:
            if roles[role] is None and role in outcome.column_names:
                roles[role] = role
    for role, name in roles.items():
        if name is not None and name not in fields and not (role == "event" and y is not None and outcome is None):
            raise InvalidInput(f"column `{name}`, named by `{role}`, is not there.")
    if outcome is None and y is not None:
        names, classes = _labels(y, default)
    elif roles["event"] is None:
        raise InvalidInput("requires y to be passed, but the target y is None.", "Or name the column by `event`.")
    else:
        names = _event_names(fields[roles["event"]], default)
    if len(names) != rows or any(len(column) != rows for column in fields.values()):
        raise InvalidInput(f"the target has {len(names)} rows, the table {rows}.")
    causes = (default, *sorted(set(names) - {default, ""}))
    cause = np.array([{"": 0, **{name: k + 1 for k, name in enumerate(causes)}}[name] for name in names], np.int64)
    duration, entry = np.ones(rows, np.int64), np.zeros(rows, np.int64)
    if (name := roles["duration"]) is not None:
        duration = whole_months(name, fields[name], up=cause > 0)
    if (name := roles["entry"]) is not None:
        entry = whole_months(name, fields[name])
    start = None if roles["start_month"] is None else month_numbers(roles["start_month"], fields[roles["start_month"]])
    if start is not None and (start < 0).any():
        raise InvalidInput(f"column `{roles['start_month']}` has {int((start < 0).sum())} months that are not known.")
    if ((cause > 0) & (duration <= entry)).any():
        raise InvalidInput(
            f"{int(((cause > 0) & (duration <= entry)).sum())} accounts leave before they are under observation.",
            "Month 1 is the first month on book, and an event's month is later than its entry.",
        )
    kept = (weight > 0) & (duration > entry)
    if not (cause[kept] == 1).any() or not (kept & (cause != 1)).any():
        raise InvalidInput(
            f"the observed accounts are of one class: {int((cause[kept] == 1).sum())} of {int(kept.sum())} defaulted.",
            f"A default is an event named {default!r}; `default` names it otherwise.",
        )
    covariates = table.drop_columns([name for name in roles.values() if name in table.column_names])
    return Watched(
        covariates.filter(pa.array(kept)), duration[kept], cause[kept], causes, entry[kept],
        None if start is None else start[kept], weight[kept], classes, roles["duration"] is None,
    )  # fmt: skip


def _outcome_table(y: Any) -> pa.Table | None:
    """A y that has named fields as a frame, else None."""
    if y is None:
        return None
    if isinstance(y, np.ndarray) and y.dtype.names:
        return frame({name: y[name].tolist() if y[name].dtype.kind == "O" else y[name] for name in y.dtype.names})
    if isinstance(y, pa.Table | Mapping) or (hasattr(y, "columns") and np.ndim(y) == 2 and np.shape(y)[1] > 1):
        return frame(y)
    return None


def _labels(y: Any, default: str) -> tuple[list[str], npt.NDArray[Any]]:
    """Event names and classes of a one-dimensional y: causes where it names the default, else two classes."""
    values = column_or_1d(y.to_pylist() if isinstance(y, pa.Array | pa.ChunkedArray) else y, warn=True)
    if values.dtype.kind in "OU" and any(value == default for value in values):
        return _event_names(pa.chunked_array([pa.array(values.tolist(), pa.string())]), default), np.array([0, 1])
    check_classification_targets(values)
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise InvalidInput("the target y holds NaN or infinity.", "Leave out the rows whose outcome is not known.")
    classes = np.unique(values)
    if len(classes) > 2:
        raise InvalidInput(
            f"Only binary classification is supported. The type of the target is multiclass: {len(classes)} values.",
            f"Causes are texts, of which one is {default!r}.",
        )
    if len(classes) < 2:
        raise InvalidInput(f"the target has one class, {classes[0]!r}.", "A model needs both.")
    return [default if value == classes[1] else "" for value in values], classes


def _event_names(column: pa.ChunkedArray, default: str) -> list[str]:
    """The cause of each row, "" where censored."""
    if is_text(column):
        return ["" if value is None or value in _CENSORED else value for value in column.to_pylist()]
    values = np.nan_to_num(numbers(column))
    names = {value: "" if value == 0 else default if value == 1 else f"{value:g}" for value in np.unique(values)}
    return [names[value] for value in values]


def whole_months(name: str, column: pa.ChunkedArray, up: bool | npt.NDArray[np.bool_] = False) -> IntArray:
    """Whole months, fractions taken up or down. Raises InvalidInput where they are not known or no months at all."""
    if is_text(column):
        raise InvalidInput(f"column `{name}` holds texts; it counts months.")
    values = numbers(column)
    if wrong := int((~(values >= 0)).sum()):
        raise InvalidInput(f"column `{name}` has {wrong} values that are not known or below 0; it counts months.")
    if (longest := float(values.max(initial=0.0))) > _MOST_MONTHS:
        raise InvalidInput(f"column `{name}` reaches {longest:g} months.", "Count months, not days.")
    months: IntArray = np.where(up, np.ceil(values), np.floor(values)).astype(np.int64)
    return months


def month_numbers(name: str, column: pa.ChunkedArray) -> IntArray:
    """Month numbers of a column of dates, in any form that `months_of` reads; -1 where not known."""
    months = months_of(column)
    if months is None and not is_text(column):
        months = months_of(column, days=True)
    given = column.is_valid().to_numpy().astype(bool)
    if months is None or (given & ~np.isfinite(months)).any():
        odd = column.filter(pa.array(given if months is None else given & ~np.isfinite(months)))[0].as_py()
        raise InvalidInput(f"column `{name}` holds {odd!r}, which is no month.", "Write it as 2024-05 or 202405.")
    return np.where(np.isfinite(months), months, -1).astype(np.int64)
