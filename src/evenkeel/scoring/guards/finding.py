"""What a guard is given, what it says, and how a person may overrule it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.kernel.errors import InvalidInput, InvalidUsage
from evenkeel.kernel.text import texts

BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

Severity = Literal["refuse", "warn", "note"]
SEVERITIES: tuple[Severity, ...] = ("refuse", "warn", "note")

_NAMED = 8  # columns that a note names before it only counts them


@dataclass(frozen=True, slots=True, eq=False)
class Examined:
    """The rows that a model is about to learn from, and what is known about them.

    table: (n,) rows as scoring.frame.frame makes them, without the target. bad: (n,) bool.
    time: (n,) month number (kernel.calendar) in which each row's features were looked at; as_of: the month up to which
    outcomes are known, one for all or (n,); horizon: months after `time` in which a bad counts.
    known_at: for a column, the month in which its value became known, one for all or (n,); negative = not known when.
    dates: columns that hold days since 1970-01-01. test: (n,) bool, the rows kept for judging.
    key: column whose value stands for one borrower. protected: columns that the law protects, beyond those named so.
    specials: codes already declared, by column.
    """

    table: pa.Table
    bad: BoolArray
    time: IntArray | None = None
    as_of: int | IntArray | None = None
    horizon: int | None = None
    known_at: Mapping[str, int | IntArray] = field(default_factory=dict)
    dates: tuple[str, ...] = ()
    test: BoolArray | None = None
    key: str | None = None
    protected: tuple[str, ...] = ()
    specials: Mapping[str, Sequence[float]] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        rows = self.table.num_rows
        shapes = {"bad": self.bad, "time": self.time, "as_of": self.as_of, "test": self.test} | dict(self.known_at)
        for name, values in shapes.items():
            if isinstance(values, np.ndarray) and values.shape != (rows,):
                raise InvalidInput(
                    f"`{name}` has shape {values.shape}; the table has {rows} rows.", "Give one value for each row."
                )
        named = {self.key} if self.key else set()
        unknown = sorted((named | set(self.dates) | set(self.protected) | set(self.known_at)) - set(self.names))
        if unknown:
            raise InvalidInput(f"column `{unknown[0]}` is not in the table.", "Check how it is written.")

    @property
    def names(self) -> list[str]:
        """Columns of the table, in their order."""
        names: list[str] = self.table.column_names
        return names


@dataclass(frozen=True, slots=True)
class Finding:
    """What one guard says about one or several columns.

    guard: code, whose sentences are `guard.CODE` and `guard.CODE.remedy`. figures: what it rests on, plain numbers and
    texts. override: the key by which a person may overrule a refusal; empty where nobody can.
    """

    guard: str
    severity: Severity
    columns: tuple[str, ...] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    override: str = ""

    def message(self, language: str) -> str:
        """What was found, in plain words."""
        return texts(language)(f"guard.{self.guard}", columns=self._columns(language), **self.figures)

    def remedy(self, language: str) -> str:
        """What to do about it."""
        return texts(language)(f"guard.{self.guard}.remedy", columns=self._columns(language), **self.figures)

    def text(self, language: str) -> str:
        """Message and remedy."""
        gap = " " if language == "en" else ""
        return f"{self.message(language)}{gap}{self.remedy(language)}"

    def document(self) -> dict[str, Any]:
        """The finding as data."""
        return {
            "guard": self.guard,
            "severity": self.severity,
            "columns": list(self.columns),
            "figures": dict(self.figures),
            "override": self.override,
        }

    def _columns(self, language: str) -> str:
        text = texts(language)
        # Every column of a refusal is named: each needs its own decision.
        limit = _NAMED if self.severity == "note" else max(len(self.columns), 1)
        shown = text("guard.and").join(f"`{name}`" for name in self.columns[:limit])
        more = len(self.columns) - limit
        return shown + text("guard.more", count=more) if more > 0 else shown


@dataclass(frozen=True, slots=True)
class Override:
    """A person's decision to train in spite of a refusal. guard: the finding's `override` key."""

    guard: str
    reason: str
    by: str

    def __post_init__(self) -> None:
        if not self.reason.strip() or not self.by.strip():
            raise InvalidUsage(
                f"the override of `{self.guard}` lacks its reason or its author.",
                "Say why the refusal does not apply, and who says so: both are kept in the model.",
            )


def apply(
    findings: Iterable[Finding], overrides: Iterable[Override] = (), language: str = "en"
) -> tuple[dict[str, str], ...]:
    """What to record in the model: guard, column, reason and author of every refusal that a person overruled.

    Raises InvalidInput that lists every refusal left, with the key that overrules it. An override that meets no
    refusal is left out, so that one command serves month after month.
    """
    by_key = {override.guard: override for override in overrides}
    refusals = [finding for finding in findings if finding.severity == "refuse"]
    left = [finding for finding in refusals if finding.override not in by_key or not finding.override]
    if left:
        text = texts(language)
        lines = [f"- {finding.text(language)}{_how(finding, language)}" for finding in _joined(left)]
        raise InvalidInput("\n".join([text("guard.refused", count=len(left)), *lines]), text("guard.refused.remedy"))
    return tuple(
        {"guard": finding.guard, "column": column, "reason": given.reason, "by": given.by}
        for finding in refusals
        for given in (by_key[finding.override],)
        for column in finding.columns or ("",)
    )


def _joined(findings: list[Finding]) -> Iterator[Finding]:
    """Leaks by name, which differ in nothing but their column and its key, said in one sentence."""
    same: dict[str, list[Finding]] = {}
    for place, finding in enumerate(findings):
        same.setdefault(f"{place}" if finding.figures else finding.guard, []).append(finding)
    for group in same.values():
        columns = tuple(column for finding in group for column in finding.columns)
        yield replace(group[0], columns=columns, override=group[0].override if len(group) == 1 else "leakage:COLUMN")


def _how(finding: Finding, language: str) -> str:
    if not finding.override:
        return ""
    return texts(language)("guard.override", code=finding.override)
