"""What time does to a line: interest by the day, bills, lateness, charge-off. One definition, run in two ways.

Plain Python runs it on lists for one account; compiled by Numba (`compiled.py`) it runs on rows of int64 arrays for all
accounts of a lender at a close of day. Hence only whole numbers, indexing and loops in this file.

A line is four sequences of whole numbers:

- `cells`: what is owed, by timing x segment x component (`cell`);
- `v`: the account's other values, at the places named below;
- `dues`: MOST_DUES rows of due day, due, paid, days not counted: what had to be paid and when;
- `plans`: rows of the instalment plans within the line.

Interest is kept in units of 10^-8 of the minor unit: a day's interest on a balance is rounded half-up to that, so that
a month day by day and a month at once are the same number. Days are ordinals (`date.toordinal`). A day of interest
belongs to the date on which it ends.
"""

from __future__ import annotations

from collections.abc import MutableSequence, Sequence

Ints = Sequence[int]
Row = MutableSequence[int]

UNIT = 10**8

PAST, DUE, ADVANCE = 0, 1, 2
PURCHASE, CASH, PROMOTION, INSTALMENT = 0, 1, 2, 3
PENALTY, FEE, INTEREST, PRINCIPAL = 0, 1, 2, 3
CELLS = 48

# Places in `v`.
CLOSED_ON = 0  # every day up to this one is closed
ACCRUED_ON = 1  # interest is counted up to this day
STAGE = 2  # 0 open, 1 closed, 2 charged off, 3 sold
RATE_ROW = 3  # the row of `rates` in force
BILL = 4  # the place in the calendar of the next bill
LATE_ON = 5  # the day at whose close the open bill is judged; 0 where none is open
DUE_ON = 6  # of the open bill
BILLED = 7  # purchases in the open bill, for the share that was not paid
SHADOW_NEW = 8  # interest that unbilled purchases will cost if their bill is not paid in full
SHADOW_BILLED = 9  # the same of the open bill
CREDIT = 10  # what the lender owes the borrower
LIMIT = 11  # -1 where there is none
ACCRUED = 12  # ..15 interest not posted yet, by segment
PENALTIES = 16  # ..19 penalty interest not posted yet, by segment
OVERRIDE = 20  # ..23 the account's own rate by segment, -1 for the product's
CAP = 24  # what may be charged in all since opening, in UNIT
CHARGED = 25  # what was
PAUSED_UNTIL = 26  # no interest up to this day
HOLIDAY_UNTIL = 27  # bills up to this day ask for nothing, and no late fee is charged
UNCOUNTED_UNTIL = 28  # days past due are not counted up to this day
LATE = 29  # 1 from the judgement of a bill that was not paid until its dues are
DUE_COUNT = 30  # rows of `dues` in use
BILLS = 31  # bills so far
LOGGED = 32  # rows in `log`
DAYS_PAST_DUE = 33  # at CLOSED_ON
CLAIM = 34  # still legally owed after charge-off
SETTLE_LEFT = 35  # still to be paid under a settlement, 0 where there is none
SETTLE_BY = 36
RESTRUCTURED = 37  # how often terms were changed to help
CALENDAR = 38  # which calendar of bills: statement day x 32 + due day
SUBROGATED = 39  # paid by a guarantor, to whom it is now owed
VALUES = 40

MOST_DUES = 12  # unpaid bills kept apart; later ones join the last
DUE_WIDTH = 4  # day, due, paid, days not counted
# A plan: instalments, those billed, principal, fee or rate, the level payment where it has a rate, principal not
# billed, the first bill it falls into. The cell of unbilled instalment principal is the sum of what is not billed.
P_COUNT, P_DONE, P_PRINCIPAL, P_FEE, P_RATE, P_PAYMENT, P_LEFT, P_START = range(8)
PLAN_WIDTH = 8

# Places in a product's `terms`.
GRACE = 0  # 0 none, 1 full amount, 2 unpaid part, 3 from the due day
MIN_SHARE = 1
MIN_FLOOR = 2
GRACE_DAYS = 3
PAYMENT_TOLERANCE = 4
MATERIAL = 5
MATERIAL_SHARE = 6
CHARGE_OFF_DAYS = 7  # 0 for never
CAP_RATE = 8  # -1 for none
COMPOUNDING = 9
LATE_SHARE, LATE_LEAST, LATE_MOST = 10, 11, 12
OVER_SHARE, OVER_LEAST, OVER_MOST = 13, 14, 15
TERMS = 16

# A row of `rates`: from a day on, the basis of the year, the rate of each segment, the penalty rate. Last row: a day
# that never comes.
R_FROM, R_BASIS, R_RATE, R_PENALTY = 0, 1, 2, 6

# What `log` tells, a row each: code, segment, component, amount.
L_INTEREST, L_PENALTY, L_LATE_FEE, L_OVER_LIMIT, L_PLAN_FEE, L_PLAN_INTEREST, L_CHARGE_OFF, L_BILL, L_CREDIT = range(9)
LOG_WIDTH = 4
LOG_ROWS = 64


def cell(timing: int, segment: int, component: int) -> int:
    """The place of an amount in `cells`."""
    return (timing * 4 + segment) * 4 + component


def half_up(amount: int, part: int, whole: int) -> int:
    """amount x part / whole for amounts of 0 or more, rounded half-up."""
    return (2 * amount * part + whole) // (2 * whole)


def note(v: Row, log: Row, code: int, segment: int, component: int, amount: int) -> None:
    """Add a row to `log`."""
    place = v[LOGGED] * LOG_WIDTH
    log[place] = code
    log[place + 1] = segment
    log[place + 2] = component
    log[place + 3] = amount
    v[LOGGED] += 1


def balance(cells: Ints) -> int:
    """All that is owed."""
    total = 0
    for amount in cells:
        total += amount
    return total


def unpaid_dues(v: Ints, dues: Ints, before: int) -> int:
    """What is missing of the dues whose day lies before `before`."""
    missing = 0
    for i in range(v[DUE_COUNT]):
        if dues[i * DUE_WIDTH] < before:
            missing += dues[i * DUE_WIDTH + 1] - dues[i * DUE_WIDTH + 2]
    return missing


def days_past_due(cells: Ints, v: Ints, dues: Ints, terms: Ints, day: int) -> int:
    """Days since the oldest due that is not paid, at the close of `day`; 0 while too little or too short to count."""
    oldest = day - dues[0] - dues[3] if v[DUE_COUNT] > 0 else 0
    if oldest <= terms[GRACE_DAYS]:
        return 0
    missing = 0
    for place in range(0, v[DUE_COUNT] * DUE_WIDTH, DUE_WIDTH):
        if day - dues[place] - dues[place + 3] > terms[GRACE_DAYS]:
            missing += dues[place + 1] - dues[place + 2]
    if missing <= terms[PAYMENT_TOLERANCE] or missing <= terms[MATERIAL]:
        return 0
    if terms[MATERIAL_SHARE] > 0 and missing * UNIT <= terms[MATERIAL_SHARE] * balance(cells):
        return 0
    return oldest


def settle_dues(v: Row, dues: Row, amount: int, terms: Ints) -> None:
    """A payment fills the oldest dues first; dues paid in full leave."""
    count = v[DUE_COUNT]
    kept = 0
    for i in range(count):
        place = i * DUE_WIDTH
        used = min(amount, dues[place + 1] - dues[place + 2])
        amount -= used
        dues[place + 2] += used
        if dues[place + 2] < dues[place + 1]:
            if kept < i:
                for j in range(DUE_WIDTH):
                    dues[kept * DUE_WIDTH + j] = dues[place + j]
            kept += 1
    for place in range(kept * DUE_WIDTH, count * DUE_WIDTH):
        dues[place] = 0
    v[DUE_COUNT] = kept
    if v[LATE] == 1 and unpaid_dues(v, dues, v[ACCRUED_ON]) <= terms[PAYMENT_TOLERANCE]:
        v[LATE] = 0


def trim_dues(v: Row, dues: Row, most: int) -> None:
    """Dues never ask for more than is owed: what is too much is taken from the newest."""
    excess = unpaid_dues(v, dues, 1 << 40) - most
    i = v[DUE_COUNT] - 1
    while excess > 0 and i >= 0:
        place = i * DUE_WIDTH
        cut = min(excess, dues[place + 1] - dues[place + 2])
        dues[place + 1] -= cut
        excess -= cut
        if dues[place + 1] == dues[place + 2]:
            for j in range(DUE_WIDTH):
                dues[place + j] = 0
            v[DUE_COUNT] -= 1
        i -= 1


def _accrue_days(cells: Ints, v: Row, terms: Ints, rate_row: Ints, days: int) -> None:
    """Interest of so many days on balances and rates that do not change in them."""
    # Most of a fold's time is spent here: `half_up` and places in `cells` are written out.
    basis = rate_row[R_BASIS]
    twice = 2 * basis
    compounding, grace = terms[COMPOUNDING], terms[GRACE]
    principal_sum = 0
    for segment in range(4):
        at = segment * 4
        past = cells[at + 3]
        base = past + cells[at + 19] + cells[at + 35]
        extra = 0
        if compounding == 1:
            extra = cells[at + 1] + cells[at + 2] + cells[at + 17] + cells[at + 18]
        if base + extra == 0:
            continue
        principal_sum += base
        own = v[OVERRIDE + segment]
        rate = own if own >= 0 else rate_row[R_RATE + segment]
        if segment == INSTALMENT:
            base = 0
        elif segment == PURCHASE and grace != 0:
            base = past
            if grace != 3 and rate > 0:
                v[SHADOW_BILLED] += days * ((2 * cells[at + 19] * rate + basis) // twice)
                v[SHADOW_NEW] += days * ((2 * cells[at + 35] * rate + basis) // twice)
        if base + extra > 0:
            v[ACCRUED + segment] += days * ((2 * (base + extra) * rate + basis) // twice)
        if past > 0 and v[LATE] == 1:
            v[PENALTIES + segment] += days * half_up(past, rate_row[R_PENALTY], basis)
    if terms[CAP_RATE] >= 0:
        v[CAP] += days * half_up(principal_sum, terms[CAP_RATE], basis)


def accrue(cells: Ints, v: Row, dues: Row, terms: Ints, rates: Sequence[Ints], day: int) -> None:
    """Count interest up to `day`, through changes of rate, of the year's basis, and pauses; and pauses of lateness."""
    while v[ACCRUED_ON] < day:
        since = v[ACCRUED_ON]
        until = day
        while rates[v[RATE_ROW] + 1][R_FROM] <= since + 1:
            v[RATE_ROW] += 1
        changes = rates[v[RATE_ROW] + 1][R_FROM] - 1
        if changes < until:
            until = changes
        paused = v[PAUSED_UNTIL] > since
        if paused:
            until = min(until, v[PAUSED_UNTIL])
        uncounted = v[UNCOUNTED_UNTIL] > since
        if uncounted:
            until = min(until, v[UNCOUNTED_UNTIL])
        if v[STAGE] == 0 and not paused:
            _accrue_days(cells, v, terms, rates[v[RATE_ROW]], until - since)
        if uncounted:
            for i in range(v[DUE_COUNT]):
                place = i * DUE_WIDTH
                if dues[place] < until:
                    dues[place + 3] += until - max(since, dues[place])
        v[ACCRUED_ON] = until


def charge(v: Row, terms: Ints, amount: int) -> int:
    """What of a charge may be made: the whole, or what the cap on all costs has left."""
    if terms[CAP_RATE] >= 0:
        amount = max(0, min(amount, v[CAP] // UNIT - v[CHARGED]))
    v[CHARGED] += amount
    return amount


def post(
    cells: Row, v: Row, terms: Ints, log: Row, code: int, timing: int, segment: int, component: int, amount: int
) -> None:
    """Charge an amount to a cell, as far as the cap allows, and tell it."""
    amount = charge(v, terms, amount)
    if amount > 0:
        cells[cell(timing, segment, component)] += amount
        note(v, log, code, segment, component, amount)


def between(amount: int, share: int, least: int, most: int) -> int:
    """A fee: a share (in UNIT) of an amount, at least and at most; nothing of nothing."""
    if amount <= 0 or most == 0:
        return 0
    return min(most, max(least, half_up(amount, share, UNIT)))


def use_credit(cells: Row, v: Row, log: Row) -> None:
    """What the lender owes the borrower pays what the borrower owes, oldest first; unbilled instalments stay."""
    for i in range(CELLS):
        if v[CREDIT] == 0:
            return
        if cells[i] > 0 and i != 47:
            part = min(v[CREDIT], cells[i])
            cells[i] -= part
            v[CREDIT] -= part
            note(v, log, L_CREDIT, (i // 4) % 4, i % 4, part)


def post_interest(cells: Row, v: Row, terms: Ints, log: Row) -> None:
    """What was counted since the last bill is owed, each sum rounded half-up to the unit."""
    for segment in range(4):
        if v[ACCRUED + segment] > 0:
            owed = half_up(v[ACCRUED + segment], 1, UNIT)
            v[ACCRUED + segment] = 0
            post(cells, v, terms, log, L_INTEREST, ADVANCE, segment, INTEREST, owed)
        if v[PENALTIES + segment] > 0:
            owed = half_up(v[PENALTIES + segment], 1, UNIT)
            v[PENALTIES + segment] = 0
            post(cells, v, terms, log, L_PENALTY, ADVANCE, segment, PENALTY, owed)


def _bill_plans(cells: Row, v: Row, terms: Ints, log: Row, plans: Sequence[Row], first: int, stop: int) -> None:
    """Each plan's next instalment falls into the bill: principal from unbilled to due, its fee or interest with it."""
    fees, interests = 0, 0
    for i in range(first, stop):
        plan = plans[i]
        count, done = plan[P_COUNT], plan[P_DONE]
        if plan[P_LEFT] == 0 or plan[P_START] > v[BILL]:
            continue
        interest = half_up(plan[P_LEFT], plan[P_RATE], 12 * UNIT)
        if plan[P_RATE] > 0:
            part = plan[P_LEFT] if done == count - 1 else min(plan[P_LEFT], plan[P_PAYMENT] - interest)
        else:
            part = plan[P_PRINCIPAL] // count + (1 if done < plan[P_PRINCIPAL] % count else 0)
        part = min(part, plan[P_LEFT])
        plan[P_DONE] = done + 1
        plan[P_LEFT] -= part
        cells[cell(ADVANCE, INSTALMENT, PRINCIPAL)] -= part
        cells[cell(DUE, INSTALMENT, PRINCIPAL)] += part
        fees += plan[P_FEE]
        interests += interest
    # In one sum each, so that `log` is long enough for any number of plans.
    post(cells, v, terms, log, L_PLAN_FEE, ADVANCE, INSTALMENT, FEE, fees)
    post(cells, v, terms, log, L_PLAN_INTEREST, ADVANCE, INSTALMENT, INTEREST, interests)


def _minimum(cells: Ints, v: Ints, terms: Ints, unpaid: int) -> int:
    """max(floor, share x billed principal + this bill's costs and instalments + past due + over limit), at most what is
    billed. Past due are the unpaid dues; costs and instalments of older bills are in these, and are not asked twice."""
    older, newest = 0, 0
    for i in range(16):
        older += cells[i]
        newest += cells[16 + i]
    billed = older + newest
    # But that of instalments.
    old_principal, new_principal = cells[3] + cells[7] + cells[11], cells[19] + cells[23] + cells[27]
    # Nothing else is unbilled at this point.
    over = max(0, billed + cells[cell(ADVANCE, INSTALMENT, PRINCIPAL)] - v[LIMIT]) if v[LIMIT] >= 0 else 0
    asked = half_up(old_principal + new_principal, terms[MIN_SHARE], UNIT) + newest - new_principal + over
    asked += max(unpaid, older - old_principal)
    return min(max(asked, terms[MIN_FLOOR]), billed)


def bill(
    cells: Row, v: Row, dues: Row, terms: Ints, log: Row, plans: Sequence[Row], first: int, stop: int, due_on: int
) -> None:
    """Cut a bill at the close of v[ACCRUED_ON]: post interest and plans, make unbilled amounts due, ask the minimum."""
    post_interest(cells, v, terms, log)
    _bill_plans(cells, v, terms, log, plans, first, stop)
    if v[LIMIT] >= 0 and terms[OVER_MOST] > 0:
        over = between(balance(cells) - v[LIMIT], terms[OVER_SHARE], terms[OVER_LEAST], terms[OVER_MOST])
        post(cells, v, terms, log, L_OVER_LIMIT, ADVANCE, PURCHASE, FEE, over)
    use_credit(cells, v, log)
    keep = cell(ADVANCE, INSTALMENT, PRINCIPAL)
    for i in range(32, CELLS):
        if cells[i] > 0 and i != keep:
            cells[i - 16] += cells[i]
            cells[i] = 0
    v[BILLED] = cells[cell(DUE, PURCHASE, PRINCIPAL)]
    v[SHADOW_BILLED] += v[SHADOW_NEW]
    v[SHADOW_NEW] = 0
    v[BILLS] += 1
    unpaid = unpaid_dues(v, dues, 1 << 40)
    asked = 0
    if v[HOLIDAY_UNTIL] < v[ACCRUED_ON]:
        asked = max(0, _minimum(cells, v, terms, unpaid) - unpaid)
    if asked > 0:
        if v[DUE_COUNT] < MOST_DUES:
            place = v[DUE_COUNT] * DUE_WIDTH
            dues[place] = due_on
            dues[place + 1] = asked
            dues[place + 2] = 0
            dues[place + 3] = 0
            v[DUE_COUNT] += 1
        else:
            dues[(MOST_DUES - 1) * DUE_WIDTH + 1] += asked
    v[DUE_ON] = due_on
    v[LATE_ON] = due_on + terms[GRACE_DAYS]
    note(v, log, L_BILL, 0, 0, unpaid + asked)


def judge(cells: Row, v: Row, dues: Row, terms: Ints, log: Row, rate_row: Ints) -> None:
    """At the close of the last day on which the open bill could be paid: interest-free or not, late or not."""
    left = 0
    for i in range(16, 32):
        left += cells[i]
    if left > terms[PAYMENT_TOLERANCE] and terms[GRACE] in (1, 2) and v[SHADOW_BILLED] > 0:
        owed = v[SHADOW_BILLED]
        if terms[GRACE] == 2:
            # Two steps keep the product inside 64 bits.
            billed = max(1, v[BILLED])
            unpaid = min(v[BILLED], cells[cell(DUE, PURCHASE, PRINCIPAL)])
            owed = owed // billed * unpaid + owed % billed * unpaid // billed
        v[ACCRUED + PURCHASE] += owed
    v[SHADOW_BILLED] = 0
    missing = unpaid_dues(v, dues, v[DUE_ON] + 1)
    late = missing > terms[PAYMENT_TOLERANCE]
    if late:
        if v[HOLIDAY_UNTIL] < v[ACCRUED_ON]:  # who is granted a pause is not fined in it
            fee = between(missing, terms[LATE_SHARE], terms[LATE_LEAST], terms[LATE_MOST])
            post(cells, v, terms, log, L_LATE_FEE, ADVANCE, PURCHASE, PENALTY, fee)
        v[LATE] = 1
        if v[PAUSED_UNTIL] < v[ACCRUED_ON]:
            days = v[ACCRUED_ON] - v[DUE_ON]
            for segment in range(4):
                past = cells[cell(DUE, segment, PRINCIPAL)]
                v[PENALTIES + segment] += days * half_up(past, rate_row[R_PENALTY], rate_row[R_BASIS])
    for i in range(16):
        if cells[16 + i] > 0:
            cells[i] += cells[16 + i]
            cells[16 + i] = 0
    v[LATE_ON] = 0


def forget_interest(v: Row) -> None:
    """Drop interest that was counted and not posted yet."""
    for segment in range(4):
        v[ACCRUED + segment] = 0
        v[PENALTIES + segment] = 0
    v[SHADOW_NEW] = 0
    v[SHADOW_BILLED] = 0


def write_off(cells: Row, v: Row, dues: Row, log: Row, code: int) -> int:
    """Take all that is owed off the books; returns how much. Interest that was not posted yet is dropped."""
    gone = 0
    for segment in range(4):
        for component in range(4):
            amount = 0
            for timing in range(3):
                place = cell(timing, segment, component)
                amount += cells[place]
                cells[place] = 0
            if amount > 0:
                note(v, log, code, segment, component, amount)
                gone += amount
    forget_interest(v)
    v[LATE_ON] = 0
    v[LATE] = 0
    for place in range(v[DUE_COUNT] * DUE_WIDTH):
        dues[place] = 0
    v[DUE_COUNT] = 0
    return gone


def next_event(v: Ints, dues: Ints, terms: Ints, cuts: Ints) -> int:
    """The next day at whose close a bill, a judgement or a charge-off may come."""
    if v[STAGE] != 0:
        return 1 << 40
    day = cuts[v[BILL]]
    if v[LATE_ON] > 0:
        day = min(day, max(v[LATE_ON], v[CLOSED_ON] + 1))
    if terms[CHARGE_OFF_DAYS] > 0 and v[DUE_COUNT] > 0:
        day = min(day, max(v[CLOSED_ON] + 1, dues[0] + dues[3] + terms[CHARGE_OFF_DAYS]))
    return day


def close_until(
    cells: Row, v: Row, dues: Row, plans: Sequence[Row], first: int, stop: int, terms: Ints, rates: Sequence[Ints],
    cuts: Ints, due_days: Ints, log: Row, day: int,
) -> None:  # fmt: skip
    """Close the days after v[CLOSED_ON] up to `day`, or up to the first on which something is logged; v[LOGGED] says
    whether. Facts of a day come before its close.

    plans: the account's rows are first..stop-1. cuts, due_days: the calendar of bills, read at v[BILL].
    """
    v[LOGGED] = 0
    while v[CLOSED_ON] < day and v[LOGGED] == 0:
        until = min(day, next_event(v, dues, terms, cuts))
        accrue(cells, v, dues, terms, rates, until)
        v[CLOSED_ON] = until
        if v[STAGE] != 0:
            if v[STAGE] == 1:
                v[DAYS_PAST_DUE] = 0  # a closed line owes nothing; after charge-off and sale they stand still
            continue
        if v[LATE_ON] > 0 and until >= v[LATE_ON]:
            judge(cells, v, dues, terms, log, rates[v[RATE_ROW]])
        v[DAYS_PAST_DUE] = days_past_due(cells, v, dues, terms, until)
        if 0 < terms[CHARGE_OFF_DAYS] <= v[DAYS_PAST_DUE]:
            v[CLAIM] = write_off(cells, v, dues, log, L_CHARGE_OFF)
            v[STAGE] = 2
            for i in range(first, stop):
                plans[i][P_LEFT] = 0
        elif until == cuts[v[BILL]]:
            bill(cells, v, dues, terms, log, plans, first, stop, due_days[v[BILL]])
            v[BILL] += 1
            # A bill is judged before the next is cut, however many grace days there are.
            v[LATE_ON] = min(v[LATE_ON], cuts[v[BILL]])


def repay(
    cells: Row, v: Row, dues: Row, plans: Sequence[Row], count: int, terms: Ints, rates: Sequence[Ints], cuts: Ints,
    due_days: Ints, log: Row, order: Ints, whole: int, most: int,
) -> tuple[int, int, int]:  # fmt: skip
    """Pay every bill on its due day, the whole of it or (whole 0) the least that it asks for, until nothing is owed.

    plans: the first `count` rows. order: of a payment. most: bills; who pays so long pays longer. Returns the payments
    made, the first of them, and what is still owed after the last; v[CHARGED] tells what was charged.
    """
    payments, first = 0, 0
    for _ in range(most):
        bill_now = v[BILL]
        if bill_now + 1 >= len(cuts):
            break
        while v[BILL] == bill_now and v[STAGE] == 0:
            close_until(cells, v, dues, plans, 0, count, terms, rates, cuts, due_days, log, cuts[bill_now])
        while v[CLOSED_ON] < v[DUE_ON] - 1:
            close_until(cells, v, dues, plans, 0, count, terms, rates, cuts, due_days, log, v[DUE_ON] - 1)
        accrue(cells, v, dues, terms, rates, v[DUE_ON])
        amount = balance(cells[:32]) if whole == 1 else unpaid_dues(v, dues, 1 << 40)
        left = amount
        for place in order:
            part = min(left, cells[place])
            cells[place] -= part
            left -= part
            if place == 47 and part > 0:
                plans[0][P_LEFT] -= part
        settle_dues(v, dues, amount - left, terms)
        if amount > 0:
            payments += 1
            if payments == 1:
                first = amount
        counted = 0
        for segment in range(4):
            counted += v[ACCRUED + segment] + v[PENALTIES + segment]
        if v[STAGE] != 0 or counted + balance(cells) == 0:
            break
    return payments, first, balance(cells)
