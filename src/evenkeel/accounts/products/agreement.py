"""What the fields of a product must be to each other, beyond the domain of each.

A setting that the product's kind does not have is refused: one that is silently without effect would be believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from evenkeel.accounts.allocation import Future, Processing
from evenkeel.accounts.duedates import Roll
from evenkeel.accounts.products.model import GRADES
from evenkeel.accounts.products.spec import BY_TYPE, LINE_SEGMENTS, LOAN_FEES, paths
from evenkeel.accounts.words import Segment
from evenkeel.kernel.calendar import month_day
from evenkeel.kernel.errors import InvalidInput

Record = Mapping[str, Any]  # of `checked`, whose values have the types that their fields say


def check_agreement(record: Record, where: str) -> None:
    """Raises InvalidInput where the fields of a product, each sound by itself, contradict one another."""
    if (record["line"] is None) == (record["loan"] is None):
        has = "neither `line` nor `loan`" if record["line"] is None else "both `line` and `loan`"
        raise InvalidInput(f"{where} has {has}.", "A product is a line, drawn again and again, or a loan with an end.")
    _check_rates(record, where)
    _check_classes(record["classes"], where)
    _check_fees(record["fees"] or {}, where)
    _check_source(record["source"], where)
    if record["line"] is not None:
        _check_line(record, where)
    else:
        _check_loan(record, where)


def _check_rates(record: Record, where: str) -> None:
    loan = record["loan"] is not None
    last: dict[str, date] = {}
    for place, step in enumerate(record["rates"], 1):
        at, segment, from_on = f"{where}, `rates` entry {place}", step["segment"], step["from_on"]
        if (segment == Segment.LOAN) is not loan:
            segments = (Segment.LOAN,) if loan else LINE_SEGMENTS
            kind = "loan" if loan else "line"
            raise InvalidInput(f"{at}: `segment` is {segment}.", f"Allowed in a {kind}: {', '.join(segments)}.")
        if segment in last and from_on <= last[segment]:
            raise InvalidInput(
                f"{at}: `from_on` is not later than that of the {segment} step before.",
                "The steps of a segment stand in the order of their days; only its first may leave `from_on` out.",
            )
        last[segment] = from_on


def _check_classes(steps: Sequence[Record], where: str) -> None:
    if steps[0]["from_days"] != 0:
        raise InvalidInput(f"{where}, `classes` entry 1: `from_days` is {steps[0]['from_days']}.", "It begins at 0.")
    for place, (before, step) in enumerate(pairwise(steps), 2):
        if step["from_days"] <= before["from_days"] or GRADES.index(step["grade"]) <= GRADES.index(before["grade"]):
            raise InvalidInput(
                f"{where}, `classes` entry {place}: {step['grade']} with `from_days` {step['from_days']} follows "
                f"{before['grade']} with {before['from_days']}.",
                f"Each step begins later and is worse, in the order {', '.join(GRADES)}.",
            )


def _check_fees(fees: Mapping[str, Record | None], where: str) -> None:
    for kind, fee in fees.items():
        if fee is None:
            continue
        at = f"{where}, `fees`, `{kind}`"
        if fee["share"] == 0 and fee["least_minor"] == 0:
            raise InvalidInput(f"{at} costs nothing.", "Give `share` or `least_minor`, or leave the fee out.")
        if fee["most_minor"] is not None and fee["least_minor"] > fee["most_minor"]:
            raise InvalidInput(f"{at}: `least_minor` is {fee['least_minor']}, above `most_minor`, {fee['most_minor']}.")


def _check_source(entries: Sequence[Record], where: str) -> None:
    known = {path for path, _ in paths()}
    for place, entry in enumerate(entries, 1):
        if entry["of"] not in known:
            raise InvalidInput(
                f"{where}, `source` entry {place}: `of` is {entry['of']!r}, which is no field of a product.",
                "Name it with all that it stands in, as in line.minimum.floor_minor.",
            )
    _once([entry["of"] for entry in entries], f"{where}, `source`", "of")


def _check_line(record: Record, where: str) -> None:
    line, allocation = record["line"], record["allocation"]
    cycle, at = line["cycle"], f"{where}, `line`"
    if (cycle["due_day"] is None) == (cycle["due_after_days"] is None):
        has = "neither" if cycle["due_day"] is None else "both"
        raise InvalidInput(f"{at}, `cycle` has {has} of `due_day` and `due_after_days`.", "Give exactly one.")
    _check_roll(cycle, f"{at}, `cycle`")
    grace_days = record["tolerance"]["grace_days"] if record["tolerance"] else 0
    most = most_grace_days(cycle["statement_day"], cycle["due_day"], cycle["due_after_days"])
    if grace_days > most:
        raise InvalidInput(
            f"{where}, `tolerance`: `grace_days` is {grace_days}, which goes beyond the statement that follows the due "
            "day.",
            f"Allowed with this `line.cycle`: 0 to {most}.",
        )
    rules = [allocation, *(allocation[kind] for kind in BY_TYPE if allocation[kind])]
    if allocation["processing"] != Processing.HORIZONTAL or any(rule["future"] != Future.NEXT for rule in rules):
        raise InvalidInput(
            f"{where}, `allocation` sets `future` or `processing`, which only loans have.",
            "A payment of a line goes by `order` and `segments` alone: leave them out.",
        )
    for place, offer in enumerate(line["offers"], 1):
        if offer["fee_rate_per_period"] and offer["rate_annual"]:
            raise InvalidInput(
                f"{at}, `offers` entry {place} has both `fee_rate_per_period` and `rate_annual`.",
                "Instalments cost a fee a period or a rate on what is left; give one, or neither where they are free.",
            )
    _once([offer["instalments"] for offer in line["offers"]], f"{at}, `offers`", "instalments")


def most_grace_days(statement_day: int, due_day: int | None, due_after_days: int | None) -> int:
    """Days from a due day to the next statement, in the month that has the fewest; due days as they are before they
    move off days that are no working days."""
    fewest = 31
    for month in range(2000 * 12, 2004 * 12):  # with a leap year
        cut, following = month_day(month, statement_day), month_day(month + 1, statement_day)
        if due_day is None:
            due = cut + timedelta(days=due_after_days or 0)
        else:
            due = month_day(month, due_day)
            due = due if due > cut else month_day(month + 1, due_day)
        fewest = min(fewest, (following - due).days)
    return max(0, fewest)


def _check_loan(record: Record, where: str) -> None:
    if record["loan"]["due"]:
        _check_roll(record["loan"]["due"], f"{where}, `loan`, `due`")
    if record["excess_by_rate"]:
        raise InvalidInput(f"{where} is a loan with `excess_by_rate`.", "A loan has one segment: leave it out.")
    if record["allocation"]["segments"] != LINE_SEGMENTS:
        raise InvalidInput(f"{where}, `allocation` of a loan has `segments`.", "A loan has one segment: leave it out.")
    if record["cost_cap_annual"] is not None:
        raise InvalidInput(f"{where} is a loan with `cost_cap_annual`.", "A cap on the whole cost is of lines.")
    for kind, fee in (record["fees"] or {}).items():
        if fee and kind not in LOAN_FEES:
            raise InvalidInput(f"{where}, `fees`: `{kind}` is a fee of lines.", f"Allowed: {', '.join(LOAN_FEES)}.")


def _check_roll(days: Record, at: str) -> None:
    if days["roll"] == Roll.NONE and (days["weekends"] or days["holidays"]):
        raise InvalidInput(
            f"{at} names days that are no working days, but `roll` is none.",
            "Say with `roll` where a due day on one of them moves: next or previous.",
        )


def _once(values: Iterable[object], at: str, name: str) -> None:
    seen: set[object] = set()
    for place, value in enumerate(values, 1):
        if value in seen:
            raise InvalidInput(f"{at} entry {place}: `{name}` is {value!r} for the second time.", "Keep one of them.")
        seen.add(value)
