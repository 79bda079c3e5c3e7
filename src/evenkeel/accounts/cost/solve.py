"""The rate at which amounts at different times are worth nothing together: internal rates of return."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from itertools import pairwise

import numpy as np

from evenkeel.kernel.errors import InvalidInput

# (amount, t, f): worth amount / ((1 + f r) (1 + r)**t) at the rate r a unit of time; f is from 0 to 1.
Term = tuple[float, float, float]
# The logarithm x = ln(1 + r) and its bounds: from r = -100 % to r = 10**304.
_LEAST, _MOST = 1e-7, 700.0
_GRID = np.geomspace(_LEAST, _MOST, 700)  # neighbours differ by 3.3 %
_AT_ONCE = 1 << 20  # cells of terms by grid that are in memory together
_ITERATIONS = 200


def xirr(dates: Sequence[date], amounts: Sequence[float]) -> float:
    """The annual rate r at which  sum_k amount_k / (1 + r)**(days_k / 365)  is 0: compounding once a year, ACT/365.

    dates and amounts: one each a flow, in any order; amounts in any one unit, those received of one sign and those paid
    of the other. Excel's XIRR: its example gives 0.373362534 (0.3733625335095556 here).

    Amounts that change sign more than once may have several such rates. The lowest that is not negative is returned,
    else the negative one nearest 0; `xirr_all` returns all of them.
    Raises InvalidInput where money goes one way only, an amount is not finite, or no rate does.
    """
    return xirr_all(dates, amounts)[0]


def xirr_all(dates: Sequence[date], amounts: Sequence[float]) -> tuple[float, ...]:
    """Every rate that `xirr` could return, that which it does first. Rates within 3 % of each other may be missed."""
    if len(dates) != len(amounts):
        raise InvalidInput(f"there are {len(dates)} dates and {len(amounts)} amounts; each amount has its date.")
    start = min(dates, default=date.min)
    return rates([(amount, (day - start).days / 365, 0.0) for day, amount in zip(dates, amounts, strict=True)])


def irr(amounts: Sequence[float]) -> float:
    """The rate a period at which  sum_k amount_k / (1 + r)**k  is 0; amounts are one period apart, k = 0, 1, 2, ...

    Of several such rates it returns the same as `xirr`, and it raises as that does.
    """
    return rates([(amount, float(place), 0.0) for place, amount in enumerate(amounts)])[0]


def rates(terms: Iterable[Term]) -> tuple[float, ...]:
    """The rates r > -1 at which the terms are worth 0 together: the lowest r >= 0 first, then upwards, then below 0.

    One change of sign (in the order of t + f) has at most one rate, which is found. With more, ln(1 + r) is searched in
    steps of 3.3 %: of rates within one step of each other, an even number is missed.
    Raises InvalidInput where all terms have one sign, one is not finite, or there is no such rate.
    """
    terms = _netted(terms)
    signs = [math.copysign(1, amount) for amount, _, _ in terms]
    changes = sum(one != other for one, other in pairwise(signs))
    if not changes:
        raise InvalidInput(
            "money goes one way only, so that there is no rate.",
            "What is received has the opposite sign of what is paid, and they are on different days.",
        )
    at_nothing = _worth(terms, 0.0)[0]
    if at_nothing == 0 and changes == 1:
        return (0.0,)
    found: list[float] = []
    for sign in (1.0, -1.0):
        if changes == 1 and (sign > 0) == (at_nothing * signs[0] > 0):
            continue  # the first amounts weigh most at high rates: that is not where the sign changes
        found += _roots(terms, sign, changes == 1)
    if at_nothing == 0:
        found.insert(0, 0.0)
    if not found:
        raise InvalidInput("there is no rate above -100 % at which these amounts are worth nothing together.")
    return tuple(math.expm1(x) for x in found)


def _netted(terms: Iterable[Term]) -> list[Term]:
    """Terms of one time together, in order of time, without those that come to 0."""
    sums: dict[tuple[float, float], float] = {}
    for amount, whole, part in terms:
        if isinstance(amount, bool) or not math.isfinite(amount):
            raise InvalidInput(f"{amount!r} is no amount of money.", "Amounts are finite numbers.")
        time = (whole + 1, 0.0) if part == 1 else (whole, part)
        sums[time] = sums.get(time, 0) + amount
    ordered = sorted(sums.items(), key=lambda item: (item[0][0] + item[0][1], item[0]))
    return [(amount, whole, part) for (whole, part), amount in ordered if amount]


def _worth(terms: Sequence[Term], x: float) -> tuple[float, float]:
    """What the terms are worth at ln(1 + r) = x, and the slope; both scaled by one power, so that nothing overflows."""
    rate = math.expm1(x)
    logs = [-t * x - math.log1p(f * rate) if f else -t * x for _, t, f in terms]
    top = max(logs)
    parts = [amount * math.exp(log - top) for (amount, _, _), log in zip(terms, logs, strict=True)]
    growth = 1 + rate
    slopes = [part * (-t - f * growth / (1 + f * rate)) for part, (_, t, f) in zip(parts, terms, strict=True)]
    return math.fsum(parts), math.fsum(slopes)


def _roots(terms: Sequence[Term], sign: float, single: bool) -> list[float]:
    """The roots x of one sign, nearest 0 first; only the first where there can be no other."""
    grid = sign * _GRID
    amounts, whole, part = (np.array(column, float)[:, None] for column in zip(*terms, strict=True))
    values = []
    for some in np.array_split(grid, 1 + len(terms) * len(grid) // _AT_ONCE):
        logs = -whole * some - np.log1p(part * np.expm1(some))
        values += (amounts * np.exp(logs - logs.max(axis=0))).sum(axis=0).tolist()
    places = np.flatnonzero(np.diff(np.sign(values)))
    ends = [(float(grid[place]), float(grid[place + 1])) for place in places]
    start = _worth(terms, 0.0)[0]
    if start and np.sign(start) != np.sign(values[0]):
        ends.insert(0, (0.0, float(grid[0])))
    return [refined(lambda x: _worth(terms, x), *one) for one in (ends[:1] if single else ends)]


def refined(function: Callable[[float], tuple[float, float]], low: float, high: float) -> float:
    """A root between two arguments at which the signs differ: Newton's steps, halving where one leaves the bracket.

    function: argument -> value and slope. Stops where a step no longer changes the argument.
    """
    low_sign = function(low)[0] > 0
    x = (low + high) / 2
    for _ in range(_ITERATIONS):
        value, slope = function(x)
        if value == 0:
            return x
        if (value > 0) == low_sign:
            low = x
        else:
            high = x
        following = x - value / slope if slope else math.inf
        if not min(low, high) <= following <= max(low, high):
            following = (low + high) / 2
        if abs(following - x) <= 2e-16 * abs(x):
            return following
        x = following
    return x
