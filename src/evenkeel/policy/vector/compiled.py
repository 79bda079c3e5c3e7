"""A policy compiled for columns: how columns are read, what is run on them, and what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
import numpy.typing as npt

from evenkeel.kernel.errors import InvalidInput
from evenkeel.policy.abstract import Abstract, Finite, Open, Struct
from evenkeel.policy.dmn.model import Decision, Definitions
from evenkeel.policy.feel.values import Value
from evenkeel.policy.inputs import ProgramInput
from evenkeel.policy.outcomes import AMOUNTS, OUTCOMES, entry, reasons_of, settled
from evenkeel.policy.vector.columns import (
    Batch,
    Codes,
    Codified,
    Columns,
    Floats,
    Given,
    Listed,
    Numbers,
    Words,
    read_number,
)
from evenkeel.policy.vector.keys import Keys, keys_of
from evenkeel.policy.vector.pieces import Pieces
from evenkeel.policy.vector.reading import Beyond, Column, Readers
from evenkeel.policy.vector.steps import NO_KEY
from evenkeel.policy.walk import Walk

_BLOCK = 32_768  # rows at a time, so that what is worked on stays near the processor
_UNKNOWN = -1
_MOST_VERDICTS = 65_536


class Interpreted(Protocol):
    """What the interpreter says of one applicant."""

    @property
    def outcome(self) -> str: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...
    @property
    def rows(self) -> tuple[str, ...]: ...
    @property
    def outputs(self) -> Mapping[str, Value]: ...
    @property
    def decisions(self) -> Mapping[str, Value]: ...


@dataclass(frozen=True, slots=True)
class Coded:
    """A column of few different values: `values[codes]`."""

    codes: Codes
    values: tuple[Value, ...]

    def objects(self) -> list[Value]:
        """The values row by row."""
        return [self.values[code] for code in self.codes.tolist()]


class Verdict(NamedTuple):
    """What was decided for one row, as `Evaluated` says it of many. Amounts are NaN where there are none."""

    outcome: str
    reasons: tuple[str, ...]
    row: int
    amount_minor: float
    factor: float


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What was decided for n rows.

    outcome: (n,) places in `OUTCOMES`. row: (n,) places in the deciding table's rows, -1 where none fired or several
    may (then `outputs` says what they gave). reasons: codes of each row. outputs: by name, few values or float64 with
    NaN where null. missing: by required input, where it was not known.
    """

    outcome: npt.NDArray[np.int8]
    row: npt.NDArray[np.int32]
    reasons: Coded
    outputs: Mapping[str, Coded | Floats]
    missing: Mapping[str, npt.NDArray[np.bool_]]

    def outcomes(self) -> npt.NDArray[np.str_]:
        """The words of the outcomes."""
        return cast("npt.NDArray[np.str_]", np.array(OUTCOMES)[self.outcome])

    def amount(self, name: str) -> Floats:
        """An amount of each row, NaN where there is none."""
        column = self.outputs.get(name)
        if column is None:
            return np.full(len(self.outcome), np.nan)
        if isinstance(column, Coded):
            floats = np.array([float(v) if isinstance(v, Decimal) else np.nan for v in column.values])
            return cast("Floats", floats[column.codes])
        return column

    def verdicts(self) -> list[Verdict]:
        """Row by row."""
        amounts = [self.amount(name).tolist() for name in Verdict._fields[3:]]
        reasons = cast("list[tuple[str, ...]]", self.reasons.objects())
        return list(map(Verdict, self.outcomes().tolist(), reasons, self.row.tolist(), *amounts))


class Compiled:
    """The plans of one policy. decide: the interpreter, for what columns cannot say and rows they cannot settle."""

    def __init__(
        self, model: Definitions, inputs: Sequence[ProgramInput], deciding: Decision, outputs: Sequence[str], kind: str,
        rows: Sequence[str], decide: Callable[[Mapping[str, Value]], Interpreted],
    ) -> None:  # fmt: skip
        self._readers = Readers(inputs)
        self._kind = kind
        self._rows = {key: place for place, key in enumerate(rows)}
        self._decide = decide
        self._deciding = deciding.name
        self.interpreted: list[str] = []  # decisions that are run row by row, for those who want to know
        self._algebra = Columns()
        walk = Walk(model, self._algebra, {item.id: self._plan(item) for item in inputs})
        walk.fallback = self._row_by_row
        given = walk.decision(deciding.id)
        self._outputs = {name: self._entry(given, name) for name in outputs}
        self._fired = walk.hits.get(deciding.id)
        self._settled, self._reasons = self._settle()
        self._words = np.zeros(0, np.intp)
        self._singles = np.zeros(0, np.intp)
        self._finite_outputs = [(name, plan) for name, plan in self._outputs.items() if isinstance(plan, Codified)]
        fired = [] if self._fired is None else [self._fired]
        self._pieces = Pieces([self._settled, self._reasons, *fired, *(plan for _, plan in self._finite_outputs)])
        self._keys = self._quick_keys()
        self._verdicts: dict[int, Verdict] = {}  # by key

    # ---- Plans -----------------------------------------------------------------------------------------------------

    def _plan(self, item: ProgramInput) -> Abstract:
        if item.type == "boolean":
            return Listed(item.name, (True, False, None))
        if item.type == "string" and item.choices:
            return Listed(item.name, (*item.choices, None))
        if item.type in ("number", "date"):
            return read_number(item.name, item.type)
        if item.type == "string":
            return Words(item.name)
        return Given(lambda batch: cast("Sequence[Value]", batch.columns[item.name]))

    def _row_by_row(self, decision: Decision) -> Abstract:
        """A decision that columns cannot say: the interpreter, once a row."""
        self.interpreted.append(decision.name)
        return Given(lambda batch: [result.decisions[decision.name] for result in self._results(batch)])

    def _results(self, batch: Batch) -> list[Interpreted]:
        """What the interpreter says of every row."""
        if id(self) not in batch.done:
            batch.done[id(self)] = [self._decide(self._known(batch, row)) for row in range(batch.size)]
        return cast("list[Interpreted]", batch.done[id(self)])

    def _known(self, batch: Batch, row: int) -> dict[str, Value]:
        known = {reader.item.name: reader.value(batch.columns[reader.item.name][row]) for reader in self._readers.all}
        return known | {name: batch.beyond[name, row] for name in known if (name, row) in batch.beyond}

    def _entry(self, given: Abstract, name: str) -> Abstract:
        if isinstance(given, Struct):
            return given.entries.get(name, self._algebra.constant(None))
        if isinstance(given, Open):
            return self._algebra.constant(None)
        return self._algebra.lift(lambda value: entry(value, name), [cast("Finite", given)])

    def _finite(self, name: str) -> Finite:
        found = self._outputs[name]
        return self._algebra.constant(None) if isinstance(found, Open) else cast("Finite", found)

    def _settle(self) -> tuple[Codified, Codified]:
        """The outcome that counts and its reasons, from what was given and the amounts beside it."""
        amounts = []
        for name in AMOUNTS:
            found = self._outputs[name]
            amounts.append(self._algebra.cut(found, frozenset()) if isinstance(found, Open) else cast("Finite", found))

        def settle(outcome: Value, *given: Value) -> Value:
            return settled(self._kind, outcome, dict(zip(AMOUNTS, given, strict=True)))

        def explain(outcome: Value, reasons: Value, *given: Value) -> Value:
            return reasons_of(self._kind, outcome, reasons, dict(zip(AMOUNTS, given, strict=True)))

        word, reasons = self._finite("outcome"), self._finite("reasons")
        outcome = self._algebra.lift(settle, [word, *amounts])
        return cast("Codified", outcome), cast("Codified", self._algebra.lift(explain, [word, reasons, *amounts]))

    def _quick_keys(self) -> Keys | None:
        """How rows are keyed by all that a verdict rests on; None where that is more than pieces of plain inputs."""
        calculated = any(isinstance(self._outputs.get(name), Numbers) for name in Verdict._fields)
        if self._pieces.roots is None or calculated:
            return None
        return keys_of(self._pieces.roots, self._pieces.weights.tolist(), self._readers.all)

    # ---- Running ---------------------------------------------------------------------------------------------------

    def evaluate(self, columns: Mapping[str, object], ages: Mapping[str, npt.NDArray[np.float64]]) -> Evaluated:
        """Decide every row."""
        size = _size(columns)
        blocks = [self._block(columns, ages, start, min(size, start + _BLOCK)) for start in range(0, size, _BLOCK)]
        if len(blocks) == 1:
            return blocks[0]
        return _joined(blocks or [self._block(columns, ages, 0, 0)])

    def verdicts(self, columns: Mapping[str, object], ages: Mapping[str, npt.NDArray[np.float64]]) -> list[Verdict]:
        """The same row by row; rows whose keys were all seen before are looked up."""
        keys = self._keys.of(columns, ages, _size(columns)) if self._keys else None
        if keys is None:
            return self.evaluate(columns, ages).verdicts()
        known = self._verdicts
        try:
            return [known[key] for key in keys]
        except KeyError:
            found = self.evaluate(columns, ages).verdicts()
        if len(known) > _MOST_VERDICTS:
            self._verdicts = known = {}
        known.update((key, verdict) for key, verdict in zip(keys, found, strict=True) if key != NO_KEY)
        return found

    def _block(
        self, columns: Mapping[str, object], ages: Mapping[str, npt.NDArray[np.float64]], start: int, stop: int
    ) -> Evaluated:
        beyond: Beyond = {}
        read = self._readers.read(columns, ages, start, stop, beyond)
        batch = Batch(stop - start, read, np.zeros(stop - start, bool), beyond)
        batch.unsure[[row for _, row in beyond]] = True
        known = self._pieces.look_up(batch, self._codes)
        outcome, row, reasons, *codes = self._codes(batch) if known is None else known
        given = {name: _coded(plan, column) for (name, plan), column in zip(self._finite_outputs, codes, strict=True)}
        outputs = {
            name: plan.run(batch)[0] if isinstance(plan, Numbers) else given[name]
            for name, plan in self._outputs.items()
        }
        found = Evaluated(
            outcome.astype(np.int8), row.astype(np.int32), _coded(self._reasons, reasons), outputs, self._missing(read)
        )
        return self._exact(found, batch) if batch.unsure.any() else found

    def _codes(self, batch: Batch) -> list[Codes]:
        """Places of outcomes and rows that fired, then codes of reasons and of every finite output."""
        codes = self._settled.run(batch)
        if len(self._words) < len(self._settled.values):
            self._words = np.array([OUTCOMES.index(cast("str", word)) for word in self._settled.values], np.intp)
        given = [plan.run(batch) for _, plan in self._finite_outputs]
        return [self._words.take(codes), self._row(batch), self._reasons.run(batch), *given]

    def _missing(self, read: Mapping[str, Column]) -> Mapping[str, npt.NDArray[np.bool_]]:
        return {
            reader.item.name: reader.unknown(read[reader.item.name])
            for reader in self._readers.all
            if reader.item.required
        }

    def _row(self, batch: Batch) -> Codes:
        if self._deciding in self.interpreted:
            return self._rows_of([result.rows for result in self._results(batch)])
        if self._fired is None:
            return np.full(batch.size, _UNKNOWN, np.intp)
        hits = cast("Codified", self._fired)
        codes = hits.run(batch)
        if len(self._singles) < len(hits.values):
            places = [value[0] if isinstance(value, tuple) and len(value) == 1 else _UNKNOWN for value in hits.values]
            self._singles = np.array(places, np.intp).clip(_UNKNOWN)
        return self._singles.take(codes)

    def _rows_of(self, fired: Sequence[tuple[str, ...]]) -> Codes:
        """The places of rows that fired alone."""
        places = [self._rows.get(keys[0], _UNKNOWN) if len(keys) == 1 else _UNKNOWN for keys in fired]
        return np.array(places, np.intp)

    def _exact(self, found: Evaluated, batch: Batch) -> Evaluated:
        """The rows that float64 cannot settle, decided by the interpreter."""
        places = np.flatnonzero(batch.unsure)
        results = [self._decide(self._known(batch, int(row))) for row in places]
        outcome, row = found.outcome.copy(), found.row.copy()
        outcome[places] = [OUTCOMES.index(result.outcome) for result in results]
        row[places] = self._rows_of([result.rows for result in results])
        reasons = _patched(found.reasons, places, [result.reasons for result in results])
        outputs = {
            name: _patched(column, places, [result.outputs.get(name) for result in results])
            for name, column in found.outputs.items()
        }
        return Evaluated(outcome, row, cast("Coded", reasons), outputs, found.missing)


def _size(columns: Mapping[str, object]) -> int:
    lengths = {len(cast("Any", column)) for column in columns.values()}
    if len(lengths) != 1:
        found = ", ".join(str(length) for length in sorted(lengths)) or "none"
        raise InvalidInput(f"the columns given to the policy are of one length, not of {found}.")
    return lengths.pop()


def _coded(column: Codified, codes: Codes) -> Coded:
    if len(column.shown) < len(column.values):
        column.shown = tuple(column.values)
    return Coded(codes, column.shown)


def _patched(column: Coded | Floats, places: Codes, values: Sequence[Value]) -> Coded | Floats:
    """A column with other values at some places."""
    if not isinstance(column, Coded):
        changed = column.copy()
        changed[places] = [float(value) if isinstance(value, Decimal) else np.nan for value in values]
        return changed
    known = Codified(column.values)
    codes = column.codes.copy()
    codes[places] = [known.place(value) for value in values]
    return Coded(codes, tuple(known.values))


def _joined(blocks: Sequence[Evaluated]) -> Evaluated:
    """Blocks as one; a later block knows at least the values of an earlier one unless rows were patched."""
    outputs = {name: _joined_column([block.outputs[name] for block in blocks]) for name in blocks[0].outputs}
    return Evaluated(
        np.concatenate([block.outcome for block in blocks]),
        np.concatenate([block.row for block in blocks]),
        cast("Coded", _joined_column([block.reasons for block in blocks])),
        outputs,
        {name: np.concatenate([block.missing[name] for block in blocks]) for name in blocks[0].missing},
    )


def _joined_column(parts: Sequence[Coded | Floats]) -> Coded | Floats:
    if not isinstance(parts[0], Coded):
        return np.concatenate([cast("Floats", part) for part in parts])
    coded = [cast("Coded", part) for part in parts]
    if all(part.values is coded[0].values or part.values == coded[0].values for part in coded):
        return Coded(np.concatenate([part.codes for part in coded]), coded[0].values)
    known = Codified(())
    codes = [np.array([known.place(value) for value in part.values], np.intp).take(part.codes) for part in coded]
    return Coded(np.concatenate(codes), tuple(known.values))
