"""The kernel, compiled: the same source as `kernel.py`, run on rows of int64 arrays for many lines at once.

The kernel module is loaded a second time and its functions are compiled by Numba in that copy, so that the plain one
stays plain. Machine code is cached on disk; the first run on a machine takes some seconds longer.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec, module_from_spec
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np
import numpy.typing as npt

from evenkeel.accounts.line import kernel as k

IntArray = npt.NDArray[np.int64]

# Beyond this no amount is closed by compiled code: every product the kernel forms then fits 64 bits.
LARGEST_BALANCE = 10**9

EVENT_WIDTH = 6  # account's place, day, code, segment, component, amount
BILL_WIDTH = 10  # account's place, number, cut, due, minimum, principal, interest, fee, penalty, credit


@dataclass(slots=True)
class Lines:
    """Many lines of one product: the kernel's sequences, one row a line. Line i has plans plan_from[i]..plan_to[i]."""

    cells: IntArray  # (n, CELLS)
    v: IntArray  # (n, VALUES)
    dues: IntArray  # (n, MOST_DUES x DUE_WIDTH)
    plans: IntArray  # (p, PLAN_WIDTH)
    plan_from: IntArray  # (n,)
    plan_to: IntArray  # (n,)

    def __len__(self) -> int:
        return len(self.v)


@cache
def _compiled() -> Any:
    """The loop over lines, compiled; from the disk where it was compiled before from this very source."""
    functions, source, _ = _functions()
    loop = functions[-1]
    none = Lines(*(np.zeros((0, 1), np.int64) for _ in range(4)), *(np.zeros(0, np.int64) for _ in range(2)))
    ints, table = np.zeros(0, np.int64), np.zeros((0, 1), np.int64)
    found = loop(
        none.cells, none.v, none.dues, none.plans, none.plan_from, none.plan_to, ints, table, table, table, ints, ints,
        table, table, 0, 0,
    )  # fmt: skip
    # Numba looks at the age of one file only; code compiled from another kernel must never touch an account.
    if found[3] != source:
        for function in functions:
            function.recompile()  # and replace what lies on the disk
    return loop


@cache
def _functions() -> tuple[list[Any], int, Any]:
    """The kernel's functions and, last, the loop, ready to be compiled; a number that stands for their source; and the
    module they are in."""
    import numba  # it takes half a second, which only a close of day needs

    spec = find_spec("evenkeel.accounts.line.kernel")
    assert spec is not None and spec.loader is not None and spec.origin is not None  # noqa: S101
    texts = [Path(path).read_bytes() for path in (spec.origin, __file__)]
    source = int.from_bytes(hashlib.sha256(b"".join(texts)).digest()[:7], "big")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    jit, functions = numba.njit(cache=True, nogil=True), []
    for name, value in list(vars(module).items()):
        if isinstance(value, FunctionType) and value.__module__ == module.__name__:
            functions.append(jit(value))
            setattr(module, name, functions[-1])
    # The compiled code holds the source it was made from, and says so with every answer.
    namespace = {**globals(), "k": module, "SOURCE": source}
    functions.append(jit(FunctionType(_close_each.__code__, namespace, _close_each.__name__)))
    return functions, source, module


SOURCE = 0


def _close_each(  # type: ignore[no-untyped-def]
    cells, v, dues, plans, plan_from, plan_to, terms, rates, cuts, due_days, which, log, events, bills, start, day,
):  # fmt: skip
    """Close lines from `start` on up to `day`. Returns the first line not closed, events, bills, and SOURCE: it stops
    while there is still room for what one line can log in one step."""
    event_count = 0
    bill_count = 0
    for i in range(start, len(v)):
        row = v[i]
        while row[k.CLOSED_ON] < day:
            if event_count + k.LOG_ROWS > len(events) or bill_count + 1 > len(bills):
                return i, event_count, bill_count, SOURCE
            k.close_until(
                cells[i], row, dues[i], plans, plan_from[i], plan_to[i], terms, rates, cuts[which[i]],
                due_days[which[i]], log, day,
            )  # fmt: skip
            for j in range(row[k.LOGGED]):
                place = j * k.LOG_WIDTH
                code = log[place]
                if code == k.L_BILL:
                    out = bills[bill_count]
                    out[0] = i
                    out[1] = row[k.BILLS]
                    out[2] = row[k.CLOSED_ON]
                    out[3] = row[k.DUE_ON]
                    out[4] = k.unpaid_dues(row, dues[i], 1 << 40)
                    for component in range(4):
                        total = 0
                        for at in range(component, 32, 4):
                            total += cells[i, at]
                        out[8 - component] = total
                    out[9] = row[k.CREDIT]
                    bill_count += 1
                else:
                    out = events[event_count]
                    out[0] = i
                    out[1] = row[k.CLOSED_ON]
                    out[2] = code
                    out[3] = log[place + 1]
                    out[4] = log[place + 2]
                    out[5] = log[place + 3]
                    event_count += 1
            row[k.LOGGED] = 0
    return len(v), event_count, bill_count, SOURCE


def repay() -> Any:
    """`kernel.repay` for int64 arrays, compiled at its first call."""
    return _functions()[2].repay


def make_ready() -> None:
    """Compile, or load what was compiled before: once, before threads would each do it."""
    _compiled()


def close_lines(
    lines: Lines, terms: IntArray, rates: IntArray, cuts: IntArray, due_days: IntArray, which: IntArray, day: int
) -> tuple[IntArray, IntArray]:
    """Close every line up to `day`, in place; returns what was posted and the bills cut.

    terms, rates: of the product. cuts, due_days: (calendars, months); which: (n,) each line's calendar.
    Returns events (e, EVENT_WIDTH) and bills (b, BILL_WIDTH), in the order of lines and days.
    """
    close = _compiled()
    log = np.zeros(k.LOG_ROWS * k.LOG_WIDTH, np.int64)
    events = np.empty((4 * len(lines) + k.LOG_ROWS, EVENT_WIDTH), np.int64)
    bills = np.empty((len(lines) + 1, BILL_WIDTH), np.int64)
    kept_events, kept_bills = [], []
    start = 0
    while start < len(lines):
        start, event_count, bill_count, _ = close(
            lines.cells, lines.v, lines.dues, lines.plans, lines.plan_from, lines.plan_to, terms, rates, cuts, due_days,
            which, log, events, bills, start, day,
        )  # fmt: skip
        kept_events.append(events[:event_count].copy())
        kept_bills.append(bills[:bill_count].copy())
    empty = np.empty((0, EVENT_WIDTH), np.int64), np.empty((0, BILL_WIDTH), np.int64)
    return np.concatenate(kept_events or [empty[0]]), np.concatenate(kept_bills or [empty[1]])
