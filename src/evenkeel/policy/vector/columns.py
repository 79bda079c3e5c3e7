"""The algebra of columns: a finite value is a column of codes, an open one a column of float64 with what it is off by.

A plan is made once for a policy and run on batches. Codes point into the plan's `values`; what an expression gives for
each of them is asked of the interpreter once and kept. Numbers that are read are compared exactly, by their shortest
decimal writing; numbers that are calculated carry a bound of their error, and a row where that bound leaves a
comparison open is marked `unsure`, to be decided by the interpreter.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import inf, isinf, nextafter, prod
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from evenkeel.policy.abstract import Abstract, Condition, Finite, Open
from evenkeel.policy.atoms import atoms
from evenkeel.policy.dmn.model import HitPolicy
from evenkeel.policy.feel.values import Date, Value
from evenkeel.policy.meaning import SEVERAL, compared, frozen

Codes = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]
Bits = npt.NDArray[np.uint64]

_EXACT = 2.0**53  # whole numbers up to here are exact
_SLACK = 0.51  # of the last place: half of it for the rounding of float64, the rest for that of decimals
_DENSE = 65_536  # combinations that a look-up table may have
_WORD = 63  # rules in one word of bits


@dataclass(slots=True)
class Batch:
    """Columns of `size` rows by input: float64 with NaN, codes, or objects. `unsure` rows are decided exactly."""

    size: int
    columns: Mapping[str, npt.NDArray[Any]]
    unsure: npt.NDArray[np.bool_]
    beyond: Mapping[tuple[str, int], Value] = field(default_factory=dict)  # numbers that do not fit, by input and row
    done: dict[int, Any] = field(default_factory=dict)


class Codified(Finite):
    """A finite value as a column of codes."""

    def __init__(self, values: Sequence[Value]) -> None:
        self.values = list(values)
        self.shown: tuple[Value, ...] = ()  # the values as results have them
        self._places = {frozen(value): place for place, value in enumerate(values)}

    def place(self, value: Value) -> int:
        """The code of a value, which is added where it is new."""
        key = frozen(value)
        if key not in self._places:
            self._places[key] = len(self.values)
            cast("list[Value]", self.values).append(value)
        return self._places[key]

    def run(self, batch: Batch) -> Codes:
        """The codes of a batch's rows."""
        found: Codes | None = batch.done.get(id(self))
        if found is None:
            found = batch.done[id(self)] = self._run(batch)
        return found

    def _run(self, batch: Batch) -> Codes:
        return np.zeros(batch.size, np.intp)


class Listed(Codified):
    """An input whose values are listed; the batch holds its codes."""

    def __init__(self, key: str, values: Sequence[Value]) -> None:
        super().__init__(values)
        self.key = key

    def _run(self, batch: Batch) -> Codes:
        return batch.columns[self.key]


class Given(Codified):
    """A value that a function gives row by row, where nothing better is known."""

    def __init__(self, give: Callable[[Batch], Sequence[Value]]) -> None:
        super().__init__([None])
        self._give = give

    def _run(self, batch: Batch) -> Codes:
        return np.array([self.place(value) for value in self._give(batch)], np.intp)


class Numbers(Open):
    """A number, or a date as its day's number. exact: it was read, and is compared by its shortest decimal writing."""

    def __init__(self, kind: str, calculate: Callable[[Batch], tuple[Floats, Floats | float]], exact: bool) -> None:
        self.kind = kind
        self.exact = exact
        self.key = ""
        self.constant: Decimal | None = None  # where it is the same for all
        self.operator = ""  # what it is calculated by, from what
        self.operands: Sequence[Numbers] = ()
        self._calculate = calculate

    def run(self, batch: Batch) -> tuple[Floats, Floats | float]:
        """The numbers, NaN where not known, and what each is off by at most."""
        found: tuple[Floats, Floats | float] | None = batch.done.get(id(self))
        if found is None:
            found = batch.done[id(self)] = self._calculate(batch)
        return found


class Words(Open):
    """A text that is read and not listed; the batch holds it as objects, None where not known."""

    kind = "string"

    def __init__(self, key: str) -> None:
        self.key = key

    def run(self, batch: Batch) -> npt.NDArray[np.object_]:
        """The texts."""
        return batch.columns[self.key]


def read_number(key: str, kind: str) -> Numbers:
    """An input column of numbers or days, as the batch holds it."""

    def calculate(batch: Batch) -> tuple[Floats, Floats | float]:
        return batch.columns[key], 0.0

    made = Numbers(kind, calculate, exact=True)
    made.key = key
    return made


def decimal_of(value: float) -> Decimal:
    """The number that a float64 stands for: its shortest decimal writing."""
    return Decimal(repr(float(value)))


class Cut(Codified):
    """The pieces of an open value."""

    def __init__(self, value: Numbers | Words, constants: frozenset[Value]) -> None:
        self.atoms = atoms(value.kind, constants)
        super().__init__(())
        self.values = list(self.atoms.values)
        self.value = value
        if value.kind == "string":
            self._texts = {text: place for place, text in enumerate(self.atoms.constants)}
        else:
            self.steps = np.array([*(step for one in self.atoms.constants for step in steps(one)), np.nan])

    def _run(self, batch: Batch) -> Codes:
        if isinstance(self.value, Words):
            other, null = len(self._texts), self.atoms.null
            known = self._texts
            words = self.value.run(batch)
            return np.array([null if word is None else known.get(cast("str", word), other) for word in words], np.intp)
        numbers, off = self.value.run(batch)
        codes = self.codes(numbers)
        if not self.value.exact and len(self.steps) > 1 and not (isinstance(off, float) and off == 0):
            # A bound between floats: where the number is not whole, its writing may be half a place away.
            near = off + np.where(numbers == np.rint(numbers), 0.0, np.spacing(np.abs(numbers)))
            batch.unsure |= self.codes(numbers - near) != self.codes(numbers + near)
        return codes

    def codes(self, numbers: Floats) -> Codes:
        """The piece of each number."""
        return self.steps.searchsorted(numbers, "right")  # NaN is the last step, and at or above it


def steps(constant: Value) -> tuple[float, float]:
    """The least float that is written at or above a constant, and the least that is written above it."""
    if isinstance(constant, Date):
        return float(constant.ordinal), nextafter(float(constant.ordinal), inf)
    assert isinstance(constant, Decimal)  # noqa: S101 - by the kind of the atoms
    nearest = float(constant)
    if isinf(nearest):
        return (inf, inf) if nearest > 0 else (-inf, -inf)
    written = decimal_of(nearest)
    if written == constant:
        return nearest, nextafter(nearest, inf)
    return (nearest, nearest) if written > constant else (nextafter(nearest, inf), nextafter(nearest, inf))


class Lifted(Codified):
    """A function of finite values: each combination is asked once."""

    def __init__(self, call: Callable[..., Value], operands: Sequence[Codified]) -> None:
        super().__init__(())
        self.call = call
        self.operands = operands
        self._known: dict[tuple[int, ...], int] = {}
        self._table = np.zeros(0, np.intp)
        self._sizes: tuple[int, ...] = ()

    def _at(self, codes: tuple[int, ...]) -> int:
        if codes not in self._known:
            values = [operand.values[code] for operand, code in zip(self.operands, codes, strict=True)]
            self._known[codes] = self.place(self.call(*values))
        return self._known[codes]

    def fill(self) -> bool:
        """Make the whole table; False where it would be too large."""
        sizes = tuple(len(operand.values) for operand in self.operands)
        if sizes != self._sizes:
            if prod(sizes) > _DENSE:
                return False
            self._table = np.array([self._at(codes) for codes in np.ndindex(sizes)], np.intp)
            self._sizes = sizes
        return True

    def _run(self, batch: Batch) -> Codes:
        columns = [operand.run(batch) for operand in self.operands]
        if self.fill():
            joined = columns[0]
            for column, size in zip(columns[1:], self._sizes[1:], strict=True):
                joined = joined * size + column
            return self._table.take(joined)
        stacked = np.stack(columns)
        distinct, inverse = np.unique(stacked, axis=1, return_inverse=True)
        found = np.array([self._at(tuple(int(code) for code in column)) for column in distinct.T], np.intp)
        return found.take(inverse.reshape(-1))


def _rooted(column: Codified) -> tuple[Codified | None, Callable[[Value], Value]]:
    """A column as a function of another one's values; of none where it is the same everywhere."""
    if type(column) is Codified and len(column.values) == 1:
        value = column.values[0]
        return None, lambda _value: value
    if isinstance(column, Lifted) and len(column.operands) == 1:
        return column.operands[0], column.call
    return column, lambda value: value


class Chosen(Codified):
    """Of finite options the one that a finite value picks."""

    def __init__(self, which: Codified, pick: Callable[[Value], int], options: Sequence[Codified]) -> None:
        super().__init__(())
        self._which = which
        self._pick = pick
        self._options = options

    @property
    def parts(self) -> list[Codified]:
        """The columns that it rests on."""
        return [self._which, *self._options]

    def _run(self, batch: Batch) -> Codes:
        option = picked(self._which, self._pick, batch)
        found = np.zeros(batch.size, np.intp)
        for place, plan in enumerate(self._options):
            here = option == place
            if here.any():
                codes = plan.run(batch)
                table = np.array([self.place(value) for value in plan.values], np.intp)
                found = np.where(here, table.take(codes), found)
        return found


def picked(which: Codified, pick: Callable[[Value], int], batch: Batch) -> Codes:
    """The option of each row."""
    codes = which.run(batch)
    return np.array([pick(value) for value in which.values], np.intp).take(codes)


class Hits(Codified):
    """The rules of a table that decide: a column's code gives the rules that it lets stand, as bits."""

    def __init__(self, rules: Sequence[Sequence[Condition]], policy: HitPolicy, rank: Sequence[object]) -> None:
        super().__init__([(place,) for place in range(len(rules))])
        self.values = [*self.values, (), SEVERAL]
        self._count = len(rules)
        self._policy = policy
        self._single = policy in (HitPolicy.UNIQUE, HitPolicy.FIRST, HitPolicy.ANY, HitPolicy.PRIORITY)
        if not self._single:
            self._places = {frozen(value): place for place, value in enumerate(self.values)}
        self._order = sorted(range(self._count), key=lambda place: (cast("int", rank[place]), place))
        if policy is not HitPolicy.PRIORITY:
            self._order = list(range(self._count))
        self._words = -(-self._count // _WORD)
        bit = {place: position for position, place in enumerate(self._order)}
        self._columns: list[tuple[Codified, list[tuple[int, Condition]]]] = []
        grouped: dict[int, list[tuple[int, Condition]]] = {}
        columns: dict[int, Codified] = {}
        for place, conditions in enumerate(rules):
            for condition in conditions:
                columns[id(condition.column)] = cast("Codified", condition.column)
                grouped.setdefault(id(condition.column), []).append((bit[place], condition))
        self._columns = [(columns[key], grouped[key]) for key in columns]
        self._tables: list[Bits] = [np.zeros((self._words, 0), np.uint64) for _ in self._columns]
        self._full = self._all()
        self._same = self._equal_rules(rank)
        self._order_codes = np.array([*self._order, self._count, self._count + 1], np.intp)

    @property
    def parts(self) -> list[Codified]:
        """The columns that it rests on."""
        return [column for column, _ in self._columns]

    def _equal_rules(self, rank: Sequence[object]) -> Bits:
        """For each bit, the bits of the rules that give the same, for ANY."""
        same = np.zeros((self._words, self._count + 1), np.uint64)
        for one in range(self._count):
            for other in range(self._count):
                if rank[one] == rank[other]:
                    same[other // _WORD, one] |= np.uint64(1 << other % _WORD)
        return same

    def _all(self) -> Bits:
        full = [min(_WORD, self._count - word * _WORD) for word in range(self._words)]
        return np.array([(1 << bits) - 1 for bits in full], np.uint64)

    def masks(self, place: int) -> Bits:
        """(words, values) bits: which rules each value of a column lets stand."""
        column, conditions = self._columns[place]
        known = self._tables[place]
        start = known.shape[1]
        if start < len(column.values):
            fresh = np.repeat(self._all()[:, None], len(column.values), axis=1)
            fresh[:, :start] = known
            for code, value in enumerate(column.values[start:], start):
                for bit, condition in conditions:
                    if not condition.holds(value):
                        fresh[bit // _WORD, code] &= ~np.uint64(1 << bit % _WORD)
            self._tables[place] = known = fresh
        return known

    def _run(self, batch: Batch) -> Codes:
        alive = [np.full(batch.size, full, np.uint64) for full in self._full]
        for place, (column, _) in enumerate(self._columns):
            codes = column.run(batch)
            masks = self._tables[place]
            if masks.shape[1] < len(column.values):
                masks = self.masks(place)
            for word, left in enumerate(alive):
                left &= masks[word].take(codes)
        return self._decided(alive) if self._single else self._listed(alive)

    def _decided(self, alive: list[Bits]) -> Codes:
        first = _lowest(alive[0])
        for word in range(1, self._words):
            later = _lowest(alive[word])
            first = np.where((first < 0) & (later >= 0), later + word * _WORD, first)
        codes = self._order_codes.take(np.where(first < 0, self._count, first))
        if self._policy is HitPolicy.UNIQUE:
            one = np.uint64(1)
            many = np.zeros(len(codes), bool)
            seen = np.zeros(len(codes), np.intp)
            for bits in alive:
                many |= (bits & (bits - one)) != 0
                seen += bits != 0
            codes[many | (seen > 1)] = self._count + 1
        if self._policy is HitPolicy.ANY:
            for word in range(self._words):
                codes[(alive[word] & ~self._same[word].take(codes.clip(max=self._count))) != 0] = self._count + 1
        return codes

    def _listed(self, alive: list[Bits]) -> Codes:
        stacked = np.stack(alive)
        if self._words == 1:
            distinct, inverse = np.unique(alive[0], return_inverse=True)
            distinct = distinct[None, :]
        else:
            distinct, inverse = np.unique(stacked, axis=1, return_inverse=True)
        found = []
        for column in distinct.T:
            bits = [
                word * _WORD + bit for word, part in enumerate(column) for bit in range(_WORD) if int(part) >> bit & 1
            ]
            found.append(self.place(tuple(bits)))
        return np.array(found, np.intp).take(inverse.reshape(-1))


def _lowest(word: Bits) -> Codes:
    """The place of the lowest bit that is set; -1 where none is."""
    return np.frexp((word & (~word + np.uint64(1))).astype(np.float64))[1].astype(np.intp) - 1


class Columns:
    """The algebra; `cut_by` keeps with which constants each input is compared, for whoever asks afterwards."""

    def constant(self, value: Value) -> Finite:
        """One value everywhere."""
        return Codified([value])

    def cut(self, value: Open, constants: frozenset[Value]) -> Finite:
        """The pieces of a column."""
        return Cut(cast("Numbers | Words", value), constants)

    def lift(self, call: Callable[..., Value], operands: Sequence[Finite]) -> Finite:
        """A function of columns of codes."""
        columns = [cast("Codified", operand) for operand in operands]
        if all(type(column) is Codified and len(column.values) == 1 for column in columns):
            return Codified([call(*(column.values[0] for column in columns))])
        roots = {id(found[0]): found[0] for column in columns if (found := _rooted(column))[0] is not None}
        if len(roots) != 1:
            return Lifted(call, columns)
        parts = [_rooted(column)[1] for column in columns]  # all of one column: one look-up for all of them
        return Lifted(lambda value: call(*(part(value) for part in parts)), list(cast("Any", roots.values())))

    def number(self, value: Finite) -> Open:
        """Codes as numbers."""
        column = cast("Codified", value)
        made = Numbers("number", lambda batch: _numbers(column, batch), exact=False)
        if type(column) is Codified and isinstance(column.values[0], Decimal):
            made.constant = column.values[0]
        return made

    def arithmetic(self, operator: str, operands: Sequence[Open]) -> Open:
        """Numbers with bounds of their errors."""
        numbers = [cast("Numbers", operand) for operand in operands]
        if operator == "*":
            share = next((number for number in numbers if number.constant is not None and number.constant % 1), None)
            if share is not None and (parts := _fraction(cast("Decimal", share.constant))) is not None:
                other = numbers[1 - numbers.index(share)]
                whole, ten = (self.number(self.constant(Decimal(part))) for part in parts)
                return self.arithmetic("/", [self.arithmetic("*", [other, whole]), ten])
        made = Numbers("number", lambda batch: _arithmetic(operator, numbers, batch), exact=False)
        made.operator, made.operands = operator, numbers
        return made

    def compare(self, operator: str, left: Open, right: Open) -> Finite:
        """A comparison of two columns of numbers."""
        return Compared(operator, cast("Numbers", left), cast("Numbers", right))

    def choose(self, which: Finite, pick: Callable[[Value], int], options: Sequence[Abstract]) -> Abstract:
        """Of columns the one that a column of codes picks."""
        column = cast("Codified", which)
        if all(isinstance(option, Codified) for option in options):
            return Chosen(column, pick, [cast("Codified", option) for option in options])
        numbers = [cast("Numbers", option) for option in options]
        return Numbers("number", lambda batch: _choose(column, pick, numbers, batch), exact=False)

    def hits(self, rules: Sequence[Sequence[Condition]], policy: HitPolicy, rank: Sequence[object]) -> Finite:
        """The rules that decide."""
        return Hits(rules, policy, rank)


# ---- Numbers -------------------------------------------------------------------------------------------------------


def _off(number: Numbers, batch: Batch) -> tuple[Floats, Floats | float]:
    """A number and how far it may be from the decimal that it stands for; 0.0 alone where all are whole and exact."""
    values, off = number.run(batch)
    if number.exact:
        whole = (values == np.rint(values)) & (np.abs(values) < _EXACT) | np.isnan(values)
        off = 0.0 if whole.all() else np.where(whole, 0.0, np.spacing(np.abs(values)) * _SLACK)
    return values, off


def _fraction(value: Decimal) -> tuple[int, int] | None:
    """A decimal as a whole number over a power of ten: times 0.3 is exact as times 3 over 10. None beyond float64."""
    digits = -cast("int", value.as_tuple().exponent)
    top, bottom = int(value.scaleb(digits)), 10**digits
    return (top, bottom) if abs(top) < _EXACT and bottom < _EXACT else None


def _numbers(column: Codified, batch: Batch) -> tuple[Floats, Floats | float]:
    codes = column.run(batch)
    decimals = [value if isinstance(value, Decimal) else None for value in column.values]
    floats = np.array([np.nan if value is None else float(value) for value in decimals])
    if all(value is None or (value % 1 == 0 and abs(value) < _EXACT) for value in decimals):
        return floats.take(codes), 0.0
    exact = [value is None or Decimal(nearest) == value for value, nearest in zip(decimals, floats, strict=True)]
    off = np.where(exact, 0.0, np.spacing(np.abs(floats)) * _SLACK)
    return floats.take(codes), off.take(codes)


def _arithmetic(operator: str, numbers: Sequence[Numbers], batch: Batch) -> tuple[Floats, Floats | float]:
    with np.errstate(all="ignore"):
        parts = [_off(number, batch) for number in numbers]
        if operator in ("min", "max"):
            values, off = parts[0]
            for other, other_off in parts[1:]:
                values = np.minimum(values, other) if operator == "min" else np.maximum(values, other)
                off = np.maximum(off, other_off)
        elif len(parts) == 1:
            values, off = _one(operator, *parts[0], batch)
        else:
            values, off = _two(operator, *parts[0], *parts[1])
        batch.unsure |= np.isinf(values)
    return values, off


def _one(operator: str, value: Floats, off: Floats | float, batch: Batch) -> tuple[Floats, Floats | float]:
    if operator == "neg":
        return -value, off
    if operator == "abs":
        return np.abs(value), off
    rounded = np.floor if operator == "floor" else np.ceil
    batch.unsure |= (rounded(value - off) != rounded(value + off)) & ~np.isnan(value)
    return rounded(value), 0.0


def _two(
    operator: str, left: Floats, left_off: Floats | float, right: Floats, right_off: Floats | float
) -> tuple[Floats, Floats | float]:
    if operator in ("+", "-"):
        addend = right if operator == "+" else -right
        total = left + addend
        if _whole(left_off, right_off, total):
            return total, 0.0
        back = total - left
        lost = (left - (total - back)) + (addend - back)  # what float64 rounded away (Knuth's two-sum)
        return total, left_off + right_off + np.abs(lost) * 1.0001
    if operator == "*":
        product = left * right
        if _whole(left_off, right_off, product):
            return product, 0.0
        whole = (left == np.rint(left)) & (right == np.rint(right)) & (np.abs(product) < _EXACT)
        passed = np.abs(left) * right_off + np.abs(right) * left_off + left_off * np.asarray(right_off)
        return product, passed * 1.0001 + np.where(whole, 0.0, np.spacing(np.abs(product)) * _SLACK)
    return _quotient(left, left_off, right, right_off)


def _quotient(
    left: Floats, left_off: Floats | float, right: Floats, right_off: Floats | float
) -> tuple[Floats, Floats | float]:
    """A quotient, null where the divisor is 0; exact where whole numbers divide without rest."""
    quotient = left / np.where(right == 0, np.nan, right)
    exact = (quotient == np.rint(quotient)) & (quotient * right == left)
    rounded = np.spacing(np.abs(quotient)) * _SLACK
    if isinstance(left_off, float) and isinstance(right_off, float):
        return quotient, np.where(exact, 0.0, rounded)
    exact &= (np.abs(left) < _EXACT) & (left == np.rint(left)) & (right == np.rint(right))
    room = np.abs(right) - right_off
    passed = (np.abs(left) * right_off + np.abs(right) * left_off) / (np.abs(right) * np.where(room > 0, room, 0.0))
    passed = np.where((np.asarray(left_off) == 0) & (np.asarray(right_off) == 0), 0.0, passed)
    off = passed * 1.0001 + np.where(exact, 0.0, rounded)
    return quotient, np.where(np.isnan(off), inf, off)


def _whole(left_off: Floats | float, right_off: Floats | float, result: Floats) -> bool:
    """Whether a sum or product of numbers that are all whole and exact is so too."""
    if not (isinstance(left_off, float) and isinstance(right_off, float)):
        return False
    return bool((np.abs(result[~np.isnan(result)]) < _EXACT).all())


def _choose(
    which: Codified, pick: Callable[[Value], int], options: Sequence[Numbers], batch: Batch
) -> tuple[Floats, Floats | float]:
    option = picked(which, pick, batch)
    values = np.full(batch.size, np.nan)
    off = np.zeros(batch.size)
    for place, number in enumerate(options):
        here = option == place
        if here.any():
            part, part_off = _off(number, batch)
            values = np.where(here, part, values)
            off = np.where(here, part_off, off)
    return values, off


class Compared(Codified):
    """A comparison of two numbers: the codes of true, false and null."""

    def __init__(self, operator: str, left: Numbers, right: Numbers) -> None:
        super().__init__([True, False, None])
        self._operator = operator
        self.left, self.right = left, right
        self.table = np.zeros(6, np.intp)
        # -1, 0, 1 as the left is below, at or above the right; then one not known, and both.
        samples = [(0, 1), (0, 0), (1, 0), (0, None), (None, None)]
        decimals = [tuple(None if part is None else Decimal(part) for part in pair) for pair in samples]
        self.table = np.array([self.place(compared(operator, *pair)) for pair in decimals], np.intp)

    def _run(self, batch: Batch) -> Codes:
        if self.left.exact and self.right.exact:
            (left, _), (right, _) = self.left.run(batch), self.right.run(batch)
            off: Floats | float = 0.0
        else:
            (left, left_off), (right, right_off) = _off(self.left, batch), _off(self.right, batch)
            off = left_off + right_off
        with np.errstate(invalid="ignore"):
            difference = left - right
            batch.unsure |= (np.abs(difference) <= off) & (off > 0)
            order = np.sign(difference)
        unknown = np.isnan(left).astype(np.intp) + np.isnan(right)
        return self.table.take(np.where(unknown > 0, 2 + unknown, np.nan_to_num(order).astype(np.intp) + 1))
