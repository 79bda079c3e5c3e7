"""A log of treatments: who got what, with which odds, what was known before and what came of it.

The law comes first: a logged action that was not lawful is taken out before anything is learned, counted or typed, so
that no number of such rows, whatever stands in them, changes a byte of what is learned. What is not known to be lawful
where the log says which were, counts as unlawful.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.scoring.frame import frame, is_text, numbers
from evenkeel.scoring.guards.names import plain, protection, timing

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

SHARES = "shares"  # propensities of an experiment whose arms were drawn with equal odds for everybody
LEARN = "learn"  # propensities learned from the features: holds only if nothing else decided
HARMS = ("complaint", "rule_broken", "re_default", "hardship")
_BASELINES = ("nothing", "none", "no_action", "control", "no_contact", "no_e_mail", "no_treatment", "0",
              "不处理", "不打扰", "无", "对照", "对照组")  # fmt: skip
_KEYS = ("propensity", "borrower_id", "account_id", "contact_id", "decision_id", "day", "at")
# Using a right never steers a treatment: what tells of it is read by no model here.
_RIGHTS = ("complain", "lawyer", "attorney", "legal_aid", "representative", "adviser", "advisor", "quoted_law",
           "quotes_law", "regulator", "ombudsman", "dispute", "12378", "投诉", "律师", "代理人", "举报", "争议",
           "异议")  # fmt: skip
_LARGEST = 1e15


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column says what.

    propensity: a column, a number, SHARES or LEARN. baseline: the action that is doing nothing; found by its usual
    names where None. features: known before the action; None: every column that is not used otherwise. harms: columns
    of what must not happen. lawful: a column that says of the logged action whether it was lawful; columns
    `lawful_ACTION` say what was open at that moment. illegal: actions that are never lawful. policy: a column with the
    action that another policy would have taken. group: rows that belong to one borrower. balance: what is at stake in
    each row, by which outcomes are multiplied to be values (a share paid times what is owed); 1 where None.
    """

    action: str
    outcome: str
    propensity: str | float
    baseline: str | None = None
    features: tuple[str, ...] | None = None
    harms: tuple[str, ...] = ()
    lawful: str | None = None
    illegal: tuple[str, ...] = ()
    policy: str | None = None
    group: str | None = None
    drop: tuple[str, ...] = ()
    balance: str | None = None


@dataclass(frozen=True, slots=True)
class TreatmentLog:
    """Lawful decisions only. n rows, K actions, the first of them doing nothing, the others by name.

    propensity: (n,) of the logged action; NaN where it is to be learned. balance: (n,), ones where none is named.
    allowed: (n, K), what the law left open.
    features: a frame. harms: (n,) each, NaN where not known. borrower: (n,) text of whom, or None. policy: (n,) codes
    of another policy's actions, or None. unlawful, unknown: rows taken out, by action and by column. barred: columns
    that are no features, and why.
    """

    actions: tuple[str, ...]
    action: IntArray
    propensity: FloatArray
    outcome: FloatArray
    balance: FloatArray
    allowed: BoolArray
    features: pa.Table
    harms: Mapping[str, FloatArray] = field(default_factory=lambda: MappingProxyType({}))
    borrower: npt.NDArray[np.object_] | None = None
    policy: IntArray | None = None
    unlawful: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    unknown: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    barred: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def cluster(self) -> IntArray | None:
        """Codes of borrowers, or None where rows stand alone."""
        return None if self.borrower is None else np.unique(self.borrower, return_inverse=True)[1].astype(np.int64)

    def take(self, rows: BoolArray | IntArray) -> TreatmentLog:
        """Some of the rows."""
        places = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        return TreatmentLog(
            self.actions, self.action[places], self.propensity[places], self.outcome[places], self.balance[places],
            self.allowed[places],
            self.features.take(pa.array(places)), {name: harm[places] for name, harm in self.harms.items()},
            None if self.borrower is None else self.borrower[places],
            None if self.policy is None else self.policy[places], self.unlawful, self.unknown, self.barred,
        )  # fmt: skip


def read_log(table: pa.Table, columns: Columns) -> TreatmentLog:
    """A log from a table: unlawful rows out, then rows whose action, outcome or odds are not known, then typed.

    Raises InvalidUsage where a named column is not there or no action can be told to be doing nothing, InvalidInput
    where a value is at fault or nothing lawful is left.
    """
    _check_there(table, columns)
    done = _texts(table[columns.action])
    lawful = _lawful(table, columns, done)
    unlawful = Counter(name for name, good in zip(done, lawful, strict=True) if name is not None and not good)
    unlawful_rows = int((~lawful & np.array([name is not None for name in done])).sum())
    known = lawful & np.array([name is not None for name in done])
    kept = table.filter(pa.array(known))
    if kept.num_rows == 0:
        raise InvalidInput(
            "no row with a lawful action is left.",
            f"{unlawful_rows} rows were not lawful, or not known to be: see the `lawful` columns.",
        )
    kept = pa.table([_retyped(column) for column in kept.columns], kept.column_names)
    outcome = _numbers(kept, columns.outcome)
    propensity, unknown = _propensities(kept, columns, outcome)
    unknown[columns.action] = sum(name is None for name in done)
    sure = np.isfinite(outcome) & ~np.isnan(propensity) if columns.propensity != LEARN else np.isfinite(outcome)
    balance = np.ones(kept.num_rows) if columns.balance is None else _numbers(kept, columns.balance)
    if columns.balance is not None:
        unknown[columns.balance] = int(np.isnan(balance).sum())
        sure &= np.isfinite(balance)
    named = [name for name, good in zip(done, known, strict=True) if good]
    if columns.policy is not None:
        wanted = _texts(kept[columns.policy])
        unknown[columns.policy] = sum(name is None for name in wanted)
        sure &= np.array([name is not None for name in wanted])
    kept = kept.filter(pa.array(sure))
    if kept.num_rows == 0:
        raise InvalidInput("no row is left whose action, outcome and odds are known.")
    named = [name for name, good in zip(named, sure, strict=True) if good]
    figures = outcome[sure], propensity[sure], balance[sure]
    return _log(kept, columns, named, figures, unlawful, unknown)


def _log(
    kept: pa.Table, columns: Columns, named: list[str | None], figures: tuple[FloatArray, FloatArray, FloatArray],
    unlawful: Mapping[str, int], unknown: Mapping[str, int],
) -> TreatmentLog:  # fmt: skip
    """The log of rows that are known. figures: outcomes, propensities and balances."""
    outcome, propensity, balance = figures
    done = [str(name) for name in named]
    policy = None if columns.policy is None else [str(name) for name in _texts(kept[columns.policy])]
    actions = _actions(columns, {*done, *(policy or ())}, set(done))
    code = {name: place for place, name in enumerate(actions)}
    features, barred = _features(kept, columns)
    allowed = np.column_stack([_open(kept, name) & (name not in columns.illegal) for name in actions])
    allowed[:, 0] = True
    if columns.propensity == SHARES:
        shares = Counter(done)
        propensity = np.array([shares[name] / len(done) for name in done])
    return TreatmentLog(
        actions, np.array([code[name] for name in done]), propensity, outcome, balance, allowed, features,
        {name: _numbers(kept, name) for name in columns.harms},
        None if columns.group is None else np.array([str(one) for one in _texts(kept[columns.group])], object),
        None if policy is None else np.array([code[name] for name in policy]),
        dict(sorted(unlawful.items())), {name: count for name, count in unknown.items() if count}, barred,
    )  # fmt: skip


def _check_there(table: pa.Table, columns: Columns) -> None:
    wanted = [columns.action, columns.outcome, *(columns.features or ()), *columns.harms, *columns.drop]
    wanted += [name for name in (columns.lawful, columns.policy, columns.group, columns.balance) if name is not None]
    if isinstance(columns.propensity, str) and columns.propensity not in (SHARES, LEARN):
        wanted.append(columns.propensity)
    absent = [name for name in wanted if name not in table.column_names]
    if absent:
        known = ", ".join(table.column_names[:12])
        raise InvalidUsage(f"there is no column {', '.join(f'`{name}`' for name in absent)}.", f"There are: {known}.")
    if len(set(table.column_names)) != len(table.column_names):
        raise InvalidInput("a column stands twice in the log.", "Give every column its own name.")
    if columns.features is not None:
        for name in columns.features:
            if why := _bar(name):
                raise InvalidInput(
                    f"`{name}` cannot be a feature of a treatment: {why}.", "Leave it out of --features."
                )


# --- the law ---------------------------------------------------------------------------------------------------------


def _lawful(table: pa.Table, columns: Columns, done: list[str | None]) -> BoolArray:
    """Of each row, whether its logged action was lawful, as far as the log knows."""
    lawful = np.array([name not in columns.illegal for name in done], np.bool_)
    if columns.lawful is not None:
        lawful &= _yes(table[columns.lawful])
    for name in sorted({name for name in done if name is not None}):
        if f"lawful_{name}" in table.column_names:
            lawful &= _yes(table[f"lawful_{name}"]) | np.array([one != name for one in done])
    return lawful


def _open(table: pa.Table, action: str) -> BoolArray:
    """Where the law left an action open, as far as the log says; everywhere where it says nothing."""
    name = f"lawful_{action}"
    return _yes(table[name]) if name in table.column_names else np.ones(table.num_rows, np.bool_)


def _yes(column: pa.ChunkedArray) -> BoolArray:
    """True or 1 in any case or type; everything else, the unknown too, is no."""
    return np.array([value is not None and value.lower() in ("true", "1") for value in _texts(column)], np.bool_)


# --- values ----------------------------------------------------------------------------------------------------------


def _texts(column: pa.ChunkedArray) -> list[str | None]:
    """Values as trimmed texts: whole floats without their point, the empty text as not known."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    found: list[str | None] = []
    for value in column.to_pylist():
        whole = isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST
        text = None if value is None or value != value else str(int(value) if whole else value).strip()
        found.append(text or None)
    return found


def _retyped(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Texts that are all numbers, flags or instants as such: a type never hangs on rows that were taken out."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    trimmed = pc.utf8_trim_whitespace(column.cast(pa.string()))
    texts = pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, pa.string()), trimmed)
    for kind in (pa.float64(), pa.bool_(), pa.timestamp("us")):
        try:
            return texts.cast(kind)
        except pa.ArrowInvalid:
            continue
    return texts


def _numbers(table: pa.Table, name: str) -> FloatArray:
    """A column as float64, NaN where not known. Raises InvalidInput on texts and on numbers beyond 1e15."""
    column = frame(table.select([name]))[name]
    if is_text(column) and column.null_count < len(column):
        first = next(value for value in column.to_pylist() if value is not None)
        raise InvalidInput(
            f"`{name}` holds the text {first!r}; a number, or true and false, is wanted.", "Is it another column?"
        )
    values = numbers(column.cast(pa.float64()))
    if (np.abs(values[~np.isnan(values)]) > _LARGEST).any():
        raise InvalidInput(f"`{name}` holds a number beyond 1e15.", "Is it a code for something that is not known?")
    return values


def _propensities(kept: pa.Table, columns: Columns, outcome: FloatArray) -> tuple[FloatArray, dict[str, int]]:
    """(odds of each row's action, rows that are not known by column)."""
    given, unknown = columns.propensity, {columns.outcome: int(np.isnan(outcome).sum())}
    if isinstance(given, float | int):
        if not 0 < given <= 1:
            raise InvalidUsage(f"a propensity of {given} is outside (0, 1].", "Give the odds of the logged action.")
        return np.full(kept.num_rows, float(given)), unknown
    if given in (SHARES, LEARN):
        return np.full(kept.num_rows, np.nan if given == LEARN else 1.0), unknown
    values = _numbers(kept, given)
    wrong = np.flatnonzero(~np.isnan(values) & ~((values > 0) & (values <= 1)))
    if len(wrong):
        raise InvalidInput(
            f"`{given}` is {values[wrong[0]]:g} in {len(wrong)} rows; a propensity lies in (0, 1].",
            "It is the odds with which the logged action was drawn: above 0, as it was done. Percent?",
        )
    unknown[given] = int(np.isnan(values).sum())
    return values, unknown


def _actions(columns: Columns, names: set[str], done: set[str]) -> tuple[str, ...]:
    """Doing nothing first, then the others by name."""
    if columns.baseline is not None:
        if columns.baseline not in done:
            raise InvalidUsage(f"nobody in the log got {columns.baseline!r}.", f"Actions: {', '.join(sorted(done))}.")
        nothing = columns.baseline
    else:
        usual = [name for name in sorted(done) if plain(name) in _BASELINES]
        if len(usual) != 1:
            raise InvalidUsage(
                "which action is doing nothing cannot be told.",
                f"Say --baseline and one of: {', '.join(sorted(done))}.",
            )
        nothing = usual[0]
    if len(names) < 2:
        raise InvalidInput(f"everybody in the log got {nothing!r}: nothing can be compared.")
    return (nothing, *sorted(names - {nothing}))


# --- features --------------------------------------------------------------------------------------------------------


def _bar(name: str) -> str:
    """Why a column can be no feature, by its name; empty where it can."""
    written = plain(name)
    if any(word in written for word in _RIGHTS):
        return "using a right must not change how one is treated"
    return "it is protected" if protection(name) == "protected" else ""


def _features(kept: pa.Table, columns: Columns) -> tuple[pa.Table, dict[str, str]]:
    """(the features as a frame, why others are none)."""
    if columns.features is not None:
        return frame(kept.select(list(columns.features))), {}
    used = {columns.action, columns.outcome, *columns.harms, *columns.drop, *_KEYS, *HARMS}
    used |= {str(name) for name in (columns.lawful, columns.policy, columns.group, columns.propensity)}
    offered, barred = [], {}
    for name in kept.column_names:
        if name in used or name == "lawful" or name.startswith("lawful_"):
            continue
        why = _bar(name) or ("its name says age" if protection(name) == "age" else "") or (
            "its name says that it is known only afterwards" if timing(name) == "after" else "")  # fmt: skip
        if why:
            barred[name] = why
        elif _modelled(kept[name].type):
            offered.append(name)
        else:
            barred[name] = f"a model does not read {kept[name].type}"
    return frame(kept.select(offered)), barred


def _modelled(kind: Any) -> bool:
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_decimal, pa.types.is_boolean, pa.types.is_string,
             pa.types.is_large_string, pa.types.is_date, pa.types.is_timestamp, pa.types.is_null)  # fmt: skip
    return any(test(kind) for test in tests)
