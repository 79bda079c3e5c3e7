"""List functions and sort (DMN 1.5, clauses 10.3.4.4, 10.3.4.11). Positions count from 1, or back from the end."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from decimal import Decimal
from functools import cmp_to_key, reduce

from evenkeel.policy.feel.functions.registry import NoAnswer, function, whole
from evenkeel.policy.feel.values import NUMBERS, Duration, Function, Months, Value, compare, equal, key_of, kind

_MOST_ITEMS = 1_000_000


def overloaded(name: str, *parameters: str) -> Callable[[Callable[[list[Value]], Value]], Callable[..., Value]]:
    """A function of a list, which may also be called with the items themselves."""

    def declare(call: Callable[[list[Value]], Value]) -> Callable[..., Value]:
        function(name, *(parameters or ("list: list",)))(call)
        function(name, "c...: any")(lambda *items: call(list(items)))
        return call

    return declare


def _place(position: Decimal, length: int, name: str) -> int:
    """A position as an index from 0. Raises NoAnswer outside the list."""
    found = whole(position, f"{name}: position")
    if found != position or found == 0 or abs(found) > length:
        raise NoAnswer(f"{name}: there is no position {position} in a list of {length}")
    return found - 1 if found > 0 else length + found


def numbers_of(items: list[Value], name: str) -> list[Decimal]:
    """Items as numbers. Raises NoAnswer where one is none."""
    found: list[Decimal] = []
    for item in items:
        if not isinstance(item, Decimal):
            raise NoAnswer(f"{name}: an item is {kind(item)}, not number")
        found.append(item)
    return found


@function("list contains", "list: list", "element: any")
def list_contains(items: list[Value], element: Value) -> Value:
    """Whether an item equals the element."""
    return any(equal(item, element) is True for item in items)


@function("count", "list: list")
def count(items: list[Value]) -> Value:
    """How many items there are."""
    return Decimal(len(items))


@overloaded("min")
def least(items: list[Value]) -> Value:
    """The item before all others; null of none."""
    return _extreme(items, -1, "min")


@overloaded("max")
def greatest(items: list[Value]) -> Value:
    """The item after all others; null of none."""
    return _extreme(items, 1, "max")


def _extreme(items: list[Value], sign: int, name: str) -> Value:
    if not items:
        return None
    found = items[0]
    for item in items:
        order = compare(item, found)
        if order is None:
            raise NoAnswer(f"{name}: {kind(item)} and {kind(found)} have no order")
        if order * sign > 0:
            found = item
    return found


@overloaded("sum")
def total(items: list[Value]) -> Value:
    """The sum of numbers, or of durations of one kind; null of none."""
    if not items:
        return None
    if all(isinstance(item, Duration) for item in items):
        return Duration(sum(item.nanos for item in items if isinstance(item, Duration)))
    if all(isinstance(item, Months) for item in items):
        return Months(sum(item.months for item in items if isinstance(item, Months)))
    return reduce(NUMBERS.add, numbers_of(items, "sum"))


@overloaded("mean")
def mean(items: list[Value]) -> Value:
    """The arithmetic mean; null of none."""
    numbers = numbers_of(items, "mean")
    return NUMBERS.divide(reduce(NUMBERS.add, numbers), Decimal(len(numbers))) if numbers else None


@overloaded("all")
def every(items: list[Value]) -> Value:
    """Whether all are true: false if one is false, else null if one is no boolean; true of none."""
    if any(item is False for item in items):
        return False
    return True if all(item is True for item in items) else None


@overloaded("any")
def some(items: list[Value]) -> Value:
    """Whether one is true, else null if one is no boolean; false of none."""
    if any(item is True for item in items):
        return True
    return False if all(item is False for item in items) else None


@function("sublist", "list: list", "start position: number", "length?: number")
def sublist(items: list[Value], start: Decimal, length: Decimal | None = None) -> Value:
    """From a position, to the end or over a length."""
    begin = _place(start, len(items), "sublist")
    if length is None:
        return items[begin:]
    size = whole(length, "sublist: length")
    if size < 0 or begin + size > len(items):
        raise NoAnswer(f"sublist: there are no {size} items from position {start}")
    return items[begin : begin + size]


@function("append", "list: list", "item...: any")
def append(items: list[Value], *more: Value) -> Value:
    """The list with items at its end."""
    return [*items, *more]


@function("concatenate", "list...: list")
def concatenate(*lists: list[Value]) -> Value:
    """One list of several."""
    return [item for items in lists for item in items]


@function("insert before", "list: list", "position: number", "newItem: any")
def insert_before(items: list[Value], position: Decimal, item: Value) -> Value:
    """The list with an item before a position."""
    place = _place(position, len(items), "insert before")
    return [*items[:place], item, *items[place:]]


@function("remove", "list: list", "position: number")
def remove(items: list[Value], position: Decimal) -> Value:
    """The list without the item at a position."""
    place = _place(position, len(items), "remove")
    return [*items[:place], *items[place + 1 :]]


@function("list replace", "list: list", "position: number", "newItem: any")
def list_replace(items: list[Value], position: Decimal, item: Value) -> Value:
    """The list with the item at a position replaced."""
    place = _place(position, len(items), "list replace")
    return [*items[:place], item, *items[place + 1 :]]


@function("list replace", "list: list", "match: function", "newItem: any")
def list_replace_where(items: list[Value], match: Function, new: Value) -> Value:
    """The list with each item replaced for which match(item, newItem) is true."""
    if len(match.parameters) != 2:
        raise NoAnswer("list replace: match is a function of two parameters")
    found: list[Value] = []
    for item in items:
        matched = match.call(item, new)
        if not isinstance(matched, bool):
            raise NoAnswer(f"list replace: match gives {kind(matched)}, not boolean")
        found.append(new if matched else item)
    return found


@function("reverse", "list: list")
def reverse(items: list[Value]) -> Value:
    """From the last to the first."""
    return items[::-1]


@function("index of", "list: list", "match: any")
def index_of(items: list[Value], match: Value) -> Value:
    """The positions of items that equal the match."""
    return [Decimal(place) for place, item in enumerate(items, 1) if equal(item, match) is True]


@function("union", "list...: list")
def union(*lists: list[Value]) -> Value:
    """One list of several, without doubles."""
    return distinct([item for items in lists for item in items])


@function("distinct values", "list: list")
def distinct(items: list[Value]) -> Value:
    """The list without doubles, the first of each kept."""
    found: dict[Hashable, Value] = {}
    for item in items:
        found.setdefault(key_of(item), item)
    return list(found.values())


@function("flatten", "list: list")
def flatten(items: list[Value]) -> Value:
    """The items of the list and of all lists within."""
    found: list[Value] = []
    pending = items[::-1]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending += item[::-1]
        elif len(found) >= _MOST_ITEMS:
            raise NoAnswer(f"flatten: the list has more than {_MOST_ITEMS} items within")
        else:
            found.append(item)
    return found


@overloaded("product")
def product(items: list[Value]) -> Value:
    """The product of numbers; null of none."""
    numbers = numbers_of(items, "product")
    return reduce(NUMBERS.multiply, numbers) if numbers else None


@overloaded("median")
def median(items: list[Value]) -> Value:
    """The middle number, or the mean of the two in the middle; null of none."""
    numbers = sorted(numbers_of(items, "median"))
    if not numbers:
        return None
    middle = len(numbers) // 2
    if len(numbers) % 2:
        return numbers[middle]
    return NUMBERS.divide(NUMBERS.add(numbers[middle - 1], numbers[middle]), Decimal(2))


@overloaded("stddev")
def stddev(items: list[Value]) -> Value:
    """The standard deviation of a sample; null of less than two."""
    numbers = numbers_of(items, "stddev")
    if len(numbers) < 2:
        raise NoAnswer("stddev: it is of two numbers or more")
    middle = NUMBERS.divide(reduce(NUMBERS.add, numbers), Decimal(len(numbers)))
    squares = [NUMBERS.power(NUMBERS.subtract(number, middle), 2) for number in numbers]
    return NUMBERS.sqrt(NUMBERS.divide(reduce(NUMBERS.add, squares), Decimal(len(numbers) - 1)))


@overloaded("mode")
def mode(items: list[Value]) -> Value:
    """The numbers that are there most often, ascending; an empty list of none."""
    numbers = numbers_of(items, "mode")
    times: dict[Decimal, int] = {}
    for number in numbers:
        times[number] = times.get(number, 0) + 1
    most = max(times.values(), default=0)
    return sorted(number for number, count in times.items() if count == most)


@function("sort", "list: list", "precedes?: function|null")
def sort(items: list[Value], precedes: Function | None = None) -> Value:
    """The list in order: by precedes(x, y), or by the order of its items."""

    def order(left: Value, right: Value) -> int:
        if precedes is not None:
            before = precedes.call(left, right)
            if not isinstance(before, bool):
                raise NoAnswer(f"sort: precedes gives {kind(before)}, not boolean")
            return -1 if before else int(precedes.call(right, left) is True)
        found = compare(left, right)
        if found is None:
            raise NoAnswer(f"sort: {kind(left)} and {kind(right)} have no order")
        return found

    if precedes is not None and len(precedes.parameters) != 2:
        raise NoAnswer("sort: precedes is a function of two parameters")
    return sorted(items, key=cmp_to_key(order))
