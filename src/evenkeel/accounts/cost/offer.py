"""An offer as a lender words it, and a file of flows as a person keeps it, turned into the flows of `true_cost`."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from fractions import Fraction
from io import StringIO
from itertools import pairwise
from typing import TypeVar

from evenkeel.accounts.cost.flows import Flow, months_back, scheduled_day
from evenkeel.kernel.calendar import parse_date
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.money import Money, Rounding, allocate, round_fraction
from evenkeel.measures.annuity import MOST, equal_instalments

_T = TypeVar("_T")

_PERCENT = re.compile(r"([0-9]{1,6}(\.[0-9]{1,8})?)\s*[%％]")
_MINOR = re.compile(r"-?[0-9]{1,15}")
_MOST_FLOWS = 100_000


@dataclass(frozen=True, slots=True)
class Offer:
    """What an offer comes to. flows: all money; contract: the principal by the contract, if it says."""

    flows: tuple[Flow, ...]
    contract: tuple[Flow, ...] = ()


def parse_percent(text: str) -> Fraction:
    """A rate from text with a percent sign, exactly: `0.6%` is 6/1000. Raises InvalidInput without the sign."""
    found = _PERCENT.fullmatch(text.strip())
    if not found:
        raise InvalidInput(f"{text!r} is no rate.", "Write it with a percent sign and at most 8 decimals: 0.6%.")
    return Fraction(Decimal(found[1])) / 100


def fee_offer(principal_minor: int, start: date, days: Sequence[date], fee_rate: Fraction) -> Offer:
    """Equal parts of the principal, and with each a fee of `fee_rate` of the whole principal (分期手续费).

    The fee is rounded half-up; parts that cannot be equal differ by one minor unit, the larger ones first.
    """
    fee = round_fraction(principal_minor * fee_rate, Rounding.HALF_UP)
    parts = allocate(principal_minor, [1] * len(days))
    return Offer(
        (Flow(start, principal_minor), *(Flow(day, -part - fee) for day, part in zip(days, parts, strict=True))),
        (Flow(start, principal_minor), *(Flow(day, -part) for day, part in zip(days, parts, strict=True))),
    )


def rate_offer(principal_minor: int, start: date, days: Sequence[date], factors: Sequence[Fraction]) -> Offer:
    """Equal instalments (等额本息) with interest on the balance: `factors` of it in each period, exactly.

    Raises InvalidInput where the factors need a common denominator above 10**15.
    """
    denominator = math.lcm(*(factor.denominator for factor in factors))
    if denominator > MOST:
        raise InvalidInput("the rate has too many decimals for exact instalments.", "Give it with fewer.")
    numerators = [int(factor * denominator) for factor in factors]
    made = equal_instalments([principal_minor], numerators, denominator)
    payments, parts = made.payment[0].tolist(), made.principal[0].tolist()
    return Offer(
        (Flow(start, principal_minor), *(Flow(day, -paid) for day, paid in zip(days, payments, strict=True))),
        (Flow(start, principal_minor), *(Flow(day, -part) for day, part in zip(days, parts, strict=True))),
    )


def payment_offer(principal_minor: int, start: date, days: Sequence[date], payment_minor: int) -> Offer:
    """The same payment on each day, whatever it is made of."""
    return Offer((Flow(start, principal_minor), *(Flow(day, -payment_minor) for day in days)))


def with_upfront_fee(offer: Offer, fee_minor: int) -> Offer:
    """The offer with a fee deducted or paid when the money comes (砍头息). Raises InvalidInput where it takes all."""
    begin = offer.flows[0]
    if not 0 <= fee_minor < begin.amount_minor:
        raise InvalidInput("the fee at the start takes all of the principal or is below 0.")
    return Offer((begin, Flow(begin.day, -fee_minor), *offer.flows[1:]), offer.contract) if fee_minor else offer


def daily_factors(start: date, days: Sequence[date], rate_daily: Fraction) -> list[Fraction]:
    """Interest of each period a unit of balance: the daily rate for each of its days."""
    return [rate_daily * (after - before).days for before, after in _periods(start, days)]


def annual_factors(start: date, days: Sequence[date], every: str, rate_annual: Fraction) -> list[Fraction]:
    """Interest of each period a unit of balance at an annual rate.

    Where payments come by months, a period of whole months has so many twelfths (half a month a 24th); any other
    period, such as an odd first one, has its days / 365.
    """
    shares = []
    for place, (before, after) in enumerate(_periods(start, days)):
        months, odd_days = months_back(before, after, scheduled_day(after, days))
        if every.startswith("semimonth") and place:
            shares.append(Fraction(1, 24))
        elif every.endswith(("M", "Y")) and odd_days == 0:
            shares.append(Fraction(months, 12))
        else:
            shares.append(Fraction((after - before).days, 365))
    return [rate_annual * share for share in shares]


def _periods(start: date, days: Sequence[date]) -> Iterator[tuple[date, date]]:
    return pairwise((start, *days))


# ------------------------------------------------------------------------------------------------------ files of flows


def read_flows(text: str, as_json: bool, currency: str) -> list[Flow]:
    """The flows of a CSV or JSON text: one `date` each, and `amount` in major units or `amount_minor` in minor ones.

    CSV has a header; JSON is a list of objects, or an object with the list in `flows`. Other columns are left alone.
    Raises InvalidInput naming the line (header = 1; in JSON the first entry = 1), the field and what is allowed.
    """
    rows = _json_rows(text) if as_json else _csv_rows(text)
    flows: list[Flow] = []
    for place, row in rows:
        if len(flows) == _MOST_FLOWS:
            raise InvalidInput(f"there are more than {_MOST_FLOWS:,} flows.", "Give those of one credit.")
        flows.append(Flow(_field(row, "date", place, parse_date), _amount(row, place, currency)))
    if not flows:
        raise InvalidInput("there are no flows.", "Give one line for each amount received or paid.")
    return flows


def _csv_rows(text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    reader = csv.DictReader(StringIO(text), skipinitialspace=True)
    try:
        names = [name.strip() for name in reader.fieldnames or ()]
        reader.fieldnames = names
        if "date" not in names or not {"amount", "amount_minor"} & set(names):
            raise InvalidInput(
                f"the header is {','.join(names) or 'missing'}; columns `date` and `amount` are needed.",
                "Begin with a line `date,amount`.",
            )
        for row in reader:
            if None in row:
                raise InvalidInput(
                    f"line {reader.line_num} has more cells than the header.", "Write 12000.00, not 12,000.00."
                )
            yield f"line {reader.line_num}", row
    except csv.Error as error:
        raise InvalidInput(f"the CSV cannot be read: {error}.") from None


def _json_rows(text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    try:
        # Numbers stay text, so that an amount is read as it is written and never through a float.
        found = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
    except (json.JSONDecodeError, RecursionError) as error:
        raise InvalidInput(f"the JSON cannot be read: {error}.") from None
    rows = found.get("flows") if isinstance(found, dict) else found
    if not isinstance(rows, list):
        raise InvalidInput("the JSON is no list of flows.", 'Write [{"date": "2024-01-31", "amount": "-500.00"}, ...].')
    for place, row in enumerate(rows, 1):
        if not isinstance(row, dict):
            raise InvalidInput(f"flow {place} is {row!r}; it is an object with `date` and `amount`.")
        yield f"flow {place}", row


def _amount(row: Mapping[str, object], place: str, currency: str) -> int:
    if row.get("amount") not in (None, "") and row.get("amount_minor") not in (None, ""):
        raise InvalidInput(f"{place} has both `amount` and `amount_minor`.", "Give one of them.")
    if row.get("amount_minor") not in (None, ""):
        return _field(row, "amount_minor", place, _minor)
    return _field(row, "amount", place, lambda text: Money.parse(text, currency).minor)


def _minor(text: str) -> int:
    if not _MINOR.fullmatch(text):
        raise InvalidInput(f"{text!r} is not a whole number of minor units.", "Write 120000 for 1200.00.")
    return int(text)


def _field(row: Mapping[str, object], name: str, place: str, read: Callable[[str], _T]) -> _T:
    value = row.get(name)
    if value is None or value == "":
        raise InvalidInput(f"{place} has no `{name}`.", "Every flow has its day and its amount.")
    try:
        if not isinstance(value, str):
            raise InvalidInput(f"{value!r} is no text or number.")
        return read(value.strip())
    except InvalidInput as error:
        raise InvalidInput(f"{place}, `{name}`: {error.message}", error.remedy) from None
