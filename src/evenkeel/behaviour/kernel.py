"""States of entities as bytes, and the values made of them: plain loops over numbers, compiled by `compiled.py`.

A state is a head and rows in the order of (effective_at, id):

    head   4 bytes layout, 8 bytes clock, 8 bytes since, then the number of rows
    row    time since the row before; 6 bytes id; 1 byte kind, HAS_AMOUNT, HAS_SUBJECT; conditions met and OUT;
           the amount, if known; 6 bytes subject, if known

All numbers are little-endian; a number without a width takes seven bits a byte, the lowest first, as long as the
eighth is set. Times are microseconds since DAWN. clock: the latest time at which something was booked. since: what
happened up to it may be missing. A row of the kind REVERSAL has as subject the id of what it reverses; OUT marks what a
standing reversal reverses.
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any  # of numpy, whatever its type: the compiler reads it off the arguments
int64: Any = np.int64

DAWN = -2_208_988_800_000_000  # 1900-01-01, in microseconds since 1970
HEAD = 20
NEVER = -(1 << 62)

HOUR = 3_600_000_000
DAY = 24 * HOUR

# Columns of a decoded row.
TIME, ID, KIND, MET, AMOUNT, SUBJECT, OUT = range(7)
WIDTH = 7
UNKNOWN = -(1 << 62)  # an amount or a subject that is not known
REVERSAL = 63
MOST_ROW_BYTES = 40

COUNT, SUM, MAX, MIN, MEAN, LAST, DISTINCT, TIME_SINCE, TREND, STREAK = range(10)
RATIO, DIFFERENCE = 0, 1
# Columns of a measure, of a use of a kind by a measure, and of a derived value.
M_AGGREGATE, M_WINDOW, M_UNIT, M_FIRST, M_SECOND = range(5)
U_MEASURE, U_AGGREGATE, U_WINDOW, U_MIDDLE, U_NEEDS, U_LOW, U_HIGH, U_TABLE, U_BREAKS = range(9)
D_OPERATION, D_LEFT, D_RIGHT = range(3)


SOURCE = 0  # a number that stands for the text of this file, set where it is compiled


def source() -> int:
    """Which text was compiled."""
    return SOURCE


def number_at(blob: Array, at: int) -> tuple[int, int]:
    """The number without a width at a place, and the place after it."""
    value: int = int64(blob[at] & 127)
    shift = 7
    while blob[at] & 128:
        at += 1
        value |= int64(blob[at] & 127) << shift
        shift += 7
    return value, at + 1


def put_number(blob: Array, at: int, value: int) -> int:
    """Write a number without a width; returns the place after it."""
    while value >= 128:
        blob[at] = (value & 127) | 128
        value >>= 7
        at += 1
    blob[at] = value
    return at + 1


def fixed_at(blob: Array, at: int, width: int) -> int:
    """The number of `width` bytes at a place."""
    value: int = int64(0)
    for i in range(width):
        value |= int64(blob[at + i]) << (8 * i)
    return value


def put_fixed(blob: Array, at: int, value: int, width: int) -> int:
    """Write a number of `width` bytes; returns the place after it."""
    for i in range(width):
        blob[at + i] = (value >> (8 * i)) & 255
    return at + width


def read_row(blob: Array, at: int, before: int, row: Array) -> int:
    """Read the row at a place into `row`; `before` is the time of the row before. Returns the place after it."""
    delta, at = number_at(blob, at)
    row[TIME] = before + delta
    row[ID] = fixed_at(blob, at, 6)
    sort = int64(blob[at + 6])
    row[KIND] = sort & 63
    met, at = number_at(blob, at + 7)
    row[MET], row[OUT] = met >> 1, met & 1
    row[AMOUNT] = row[SUBJECT] = UNKNOWN
    if sort & 64:
        folded, at = number_at(blob, at)
        row[AMOUNT] = (folded >> 1) ^ -(folded & 1)
    if sort & 128:
        row[SUBJECT] = fixed_at(blob, at, 6)
        at += 6
    return at


def put_row(blob: Array, at: int, before: int, row: Array) -> int:
    """Write a row; the opposite of `read_row`."""
    at = put_number(blob, at, row[TIME] - before)
    at = put_fixed(blob, at, row[ID], 6)
    blob[at] = row[KIND] | (64 if row[AMOUNT] != UNKNOWN else 0) | (128 if row[SUBJECT] != UNKNOWN else 0)
    at = put_number(blob, at + 1, row[MET] << 1 | row[OUT])
    if row[AMOUNT] != UNKNOWN:
        at = put_number(blob, at, (row[AMOUNT] << 1) ^ (row[AMOUNT] >> 63))
    if row[SUBJECT] != UNKNOWN:
        at = put_fixed(blob, at, row[SUBJECT], 6)
    return at


# ---- Adding --------------------------------------------------------------------------------------------------------


def insert(rows: Array, n: int, new: Array) -> int:
    """Put a row into its place among n rows, unless its id is there. Returns how many rows there are then."""
    for i in range(n):
        if rows[i, ID] == new[ID]:
            return n
    place = n
    while place > 0 and (
        rows[place - 1, TIME] > new[TIME] or (rows[place - 1, TIME] == new[TIME] and rows[place - 1, ID] > new[ID])
    ):
        rows[place] = rows[place - 1]
        place -= 1
    rows[place] = new
    return n + 1


def mark_reversed(rows: Array, n: int) -> None:
    """Mark what a standing reversal reverses; a reversal that is itself reversed reverses nothing."""
    for i in range(n):
        rows[i, OUT] = 0
    for second in range(2):  # first what reverses reversals, then what the standing ones reverse
        for i in range(n):
            if rows[i, KIND] == REVERSAL and rows[i, OUT] == 0:
                for j in range(n):
                    if rows[j, ID] == rows[i, SUBJECT] and (rows[j, KIND] == REVERSAL) == (second == 0):
                        rows[j, OUT] = 1


def prune(rows: Array, n: int, clock: int, since: int, reach: Array, slack: int, most: int) -> tuple[int, int]:
    """Drop what no value can see any more, and the oldest above `most` rows. Returns how many are left, and since."""
    if n > most:
        since = max(since, rows[n - most - 1, TIME])
    kept = 0
    for i in range(n):
        if rows[i, TIME] > max(clock - slack - reach[rows[i, KIND]], since):
            if kept < i:
                rows[kept] = rows[i]
            kept += 1
    return kept, since


def add_each(
    blob: Array, starts: Array, new: Array, new_from: Array, booked: Array, layout: int, reach: Array, slack: int,
    most: int, rows: Array, out: Array, ends: Array,
) -> int:  # fmt: skip
    """Add to each state its new rows, new[new_from[i]:new_from[i + 1]]; states are blob[starts[i]:starts[i + 1]].

    booked: when each new row was booked. reach: by kind, how far back a value looks. rows: room for most + the new rows
    of one state. out, ends: the new states, one after the other. Returns the first state of another layout, or -1.
    """
    at = 0
    for i in range(len(starts) - 1):
        place, n, clock, since = starts[i], 0, NEVER, DAWN
        if starts[i + 1] > place:
            if fixed_at(blob, place, 4) != layout:
                return i
            clock = fixed_at(blob, place + 4, 8) + DAWN
            since = fixed_at(blob, place + 12, 8) + DAWN
            n, place = number_at(blob, place + HEAD)
        before, reversals = DAWN, False
        for j in range(n):
            place = read_row(blob, place, before, rows[j])
            before = rows[j, TIME]
            reversals |= rows[j, KIND] == REVERSAL
        for j in range(new_from[i], new_from[i + 1]):
            clock = max(clock, booked[j])
            if new[j, TIME] > since:
                n = insert(rows, n, new[j])
                reversals |= new[j, KIND] == REVERSAL
        if reversals:
            mark_reversed(rows, n)
        n, since = prune(rows, n, clock, since, reach, slack, most)
        if clock != NEVER:
            at = put_fixed(out, at, layout, 4)
            at = put_fixed(out, at, clock - DAWN, 8)
            at = put_fixed(out, at, since - DAWN, 8)
            at = put_number(out, at, n)
            before = DAWN
            for j in range(n):
                at = put_row(out, at, before, rows[j])
                before = rows[j, TIME]
        ends[i] = at
    return -1


# ---- Windows -------------------------------------------------------------------------------------------------------


def days_of(year: int, month: int, day: int) -> int:
    """Days since 1970-01-01 of a day of the Gregorian calendar (H. Hinnant, chrono-Compatible Low-Level Date
    Algorithms, days_from_civil)."""
    year -= month <= 2
    era = year // 400
    of_era = year - era * 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719468


def months_before(local: int, months: int) -> int:
    """A local time as many calendar months earlier, on the month's last day where the day is missing."""
    day_number, time = local // DAY, local % DAY
    shifted = day_number + 719468  # civil_from_days of the same source
    era = shifted // 146097
    of_era = shifted - era * 146097
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    march = (5 * of_year + 2) // 153
    day = of_year - (153 * march + 2) // 5 + 1
    month = march + (3 if march < 10 else -9)
    total = (year_of_era + era * 400 + (month <= 2)) * 12 + month - 1 - months
    first = days_of(total // 12, total % 12 + 1, 1)
    length = days_of((total + 1) // 12, (total + 1) % 12 + 1, 1) - first
    return (first + min(day, length) - 1) * DAY + time


def window_start(at: int, count: int, unit: int, switches: Array, local_switches: Array, offsets: Array) -> int:
    """The start of a window that ends at `at`; see `windows`. unit: 0 hours, 1 days, 2 months."""
    if unit == 0:
        return at - count * HOUR
    if unit == 1:
        return at - count * DAY
    local = months_before(at + offsets[np.searchsorted(switches, at, side="right")], count)
    offset: int = offsets[np.searchsorted(local_switches, local, side="right")]
    return local - offset


def starts_each(at: Array, windows: Array, switches: Array, local_switches: Array, offsets: Array, out: Array) -> None:
    """out[i, w]: the start of window w that ends at at[i]."""
    for i in range(len(at)):
        for w in range(len(windows)):
            out[i, w] = window_start(at[i], windows[w, 0], windows[w, 1], switches, local_switches, offsets)


# ---- Values --------------------------------------------------------------------------------------------------------


def seen_before(table: Array, stamps: Array, stamp: int, subject: int) -> bool:
    """Whether a subject was put into this open-addressed table under this stamp; it is there then."""
    mask = len(table) - 1
    place = (subject * 0x9E3779B1 >> 7) & mask
    while stamps[place] == stamp:
        if table[place] == subject:
            return True
        place = (place + 1) & mask
    stamps[place] = stamp
    table[place] = subject
    return False


def taken(
    aggregate: int, time: int, amount: int, a: int, b: int, c: int, later: bool, fails: bool
) -> tuple[int, int, int]:
    """What a measure holds (a, b, c) once an event that lies in its window is taken in.

    later: the event lies in the later half; fails: it ends a streak. c counts amounts that are not known. LAST holds
    the latest time and its amount, STREAK its length and the latest break, TREND the later and the earlier half, MEAN,
    MAX and MIN how many amounts there were.
    """
    if aggregate == STREAK:
        if fails:
            return 0, time, c
        return a + (time > b), b, c
    if aggregate == TIME_SINCE:
        return time, b, c
    if aggregate == LAST:
        if time > a:
            return time, amount, int64(amount == UNKNOWN)
        return a, max(b, amount), c | (amount == UNKNOWN)
    if amount == UNKNOWN:
        return a, b, c + 1
    if aggregate == MAX:
        return (max(a, amount) if b else amount), b + 1, c
    if aggregate == MIN:
        return (min(a, amount) if b else amount), b + 1, c
    if aggregate == TREND:
        return (a + amount, b, c) if later else (a, b + amount, c)
    return a + amount, b + 1, c


def told(aggregate: int, unit: int, a: int, b: int, c: int, at: int) -> float:
    """The value of a measure from what it holds; NaN where it is not known."""
    if aggregate in (COUNT, STREAK):
        return float(a)
    if aggregate == TIME_SINCE:
        return np.nan if a == NEVER else (at - a) / unit
    if c > 0:
        return np.nan
    if aggregate in (SUM, DISTINCT):
        return float(a)
    if aggregate == LAST:
        return np.nan if a == NEVER else float(b)
    if aggregate == TREND:
        return float(a - b) / float(a + b) if a + b > 0 else np.nan
    if b == 0:
        return np.nan
    return float(a) / float(b) if aggregate == MEAN else float(a)


def take_in(
    row: Array, uses: Array, first: int, last: int, ordered: bool, limits: Array, a: Array, b: Array, c: Array,
    tables: Array, stamps: Array, stamp: int,
) -> None:  # fmt: skip
    """Let one event change what the measures hold that read its kind: uses[first:last], the longest window first.

    ordered: no later use has a longer window, so that the first one too short ends the search.
    """
    time, amount, met = row[TIME], row[AMOUNT], row[MET]
    for u in range(first, last):
        if time <= limits[uses[u, U_WINDOW]]:
            if ordered:
                return
            continue
        j, aggregate, needs = uses[u, U_MEASURE], uses[u, U_AGGREGATE], uses[u, U_NEEDS]
        passes = (met & needs) == needs and uses[u, U_LOW] <= amount <= uses[u, U_HIGH]
        if not passes and aggregate != STREAK:
            continue
        if aggregate == COUNT:
            a[j] += 1
        elif aggregate == SUM and amount != UNKNOWN:
            a[j] += amount
        elif aggregate == DISTINCT:
            place = uses[u, U_TABLE]
            if row[SUBJECT] == UNKNOWN:
                c[j] += 1
            elif not seen_before(tables[place], stamps[place], stamp, row[SUBJECT]):
                a[j] += 1
        else:
            later, fails = time > limits[uses[u, U_MIDDLE]], not passes or uses[u, U_BREAKS]
            a[j], b[j], c[j] = taken(aggregate, time, amount, a[j], b[j], c[j], later, fails)


def values_each(
    blob: Array, starts: Array, at: Array, layout: int, slack: int, uses: Array, uses_from: Array, measures: Array,
    windows: Array, derived: Array, switches: Array, local_switches: Array, offsets: Array, held: Array, limits: Array,
    tables: Array, stamps: Array, out: Array,
) -> None:  # fmt: skip
    """out[i]: the values of state i at at[i]: measures first, then what is derived from earlier ones.

    windows: the longest first. uses[uses_from[k]:uses_from[k + 1]]: the measures that read events of kind k. held
    (3, measures), limits (windows,), tables and stamps (zeros; distinct measures, a power of two above the rows of any
    state): room to work in. All values are NaN where the state is of another layout or `at` lies more than `slack`
    before its clock, a value where its window begins before `since`.
    """
    row = np.empty(WIDTH, np.int64)
    a, b, c = held[0], held[1], held[2]
    limited, ordered, begun = 0, True, False  # the instant that `limits` are of
    for i in range(len(at)):
        now, place, n, clock, since = at[i], starts[i], 0, NEVER, DAWN
        known = True
        if starts[i + 1] > place:
            known = fixed_at(blob, place, 4) == layout
            clock = fixed_at(blob, place + 4, 8) + DAWN
            since = fixed_at(blob, place + 12, 8) + DAWN
            n, place = number_at(blob, place + HEAD)
        if not known or now < clock - slack:
            out[i] = np.nan
            continue
        if now != limited or not begun:
            limited, ordered, begun = now, True, True
            for w in range(len(windows)):
                limits[w] = window_start(now, windows[w, 0], windows[w, 1], switches, local_switches, offsets)
                ordered &= w == 0 or limits[w] >= limits[w - 1]
        for j in range(len(measures)):
            a[j], b[j], c[j] = measures[j, M_FIRST], measures[j, M_SECOND], 0
        before = DAWN
        for _ in range(n):
            place = read_row(blob, place, before, row)
            before = row[TIME]
            if before > now:
                break
            if row[OUT] or row[KIND] == REVERSAL:
                continue
            first, last = uses_from[row[KIND]], uses_from[row[KIND] + 1]
            take_in(row, uses, first, last, ordered, limits, a, b, c, tables, stamps, i + 1)
        for j in range(len(measures)):
            whole = since == DAWN or limits[measures[j, M_WINDOW]] >= since
            value = told(measures[j, M_AGGREGATE], measures[j, M_UNIT], a[j], b[j], c[j], now)
            out[i, j] = value if whole else np.nan
        for j in range(len(derived)):
            left, right = out[i, derived[j, D_LEFT]], out[i, derived[j, D_RIGHT]]
            if derived[j, D_OPERATION] == DIFFERENCE:
                out[i, len(measures) + j] = left - right
            else:
                out[i, len(measures) + j] = left / right if right > 0 else np.nan
