"""A product from a file: every field held to its domain, the fields held to each other, and the terms hashed.

The digest is of the terms, not of the text: comments, layout, notes, the product's name and defaults written out do not
change it.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import date
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType
from typing import Any

from evenkeel.accounts.allocation import Allocation, Future, Processing, Rule, read_order
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.duedates import DueRule, Roll
from evenkeel.accounts.fields import AMOUNT_LIMIT, Field, checked, exact, parse_json, shown
from evenkeel.accounts.loan.terms import InstalmentFee, LoanTerms
from evenkeel.accounts.products.agreement import Record, check_agreement
from evenkeel.accounts.products.model import (
    ClassStep,
    Cycle,
    Fee,
    Grace,
    InlineOffer,
    LineTerms,
    Minimum,
    Product,
    RateStep,
    Tolerance,
)
from evenkeel.accounts.products.spec import BY_TYPE, FIELDS
from evenkeel.accounts.words import Segment
from evenkeel.kernel.errors import InvalidInput, NotFound

_LARGEST_FILE = 1_000_000
_MOST_POINTS = 100  # in a line; a name of thousands of parts would keep the TOML reader busy for minutes
_SUFFIXES = (".toml", ".json")
_NO_TERMS = ("name", "source")


# ---- From a record to a product ------------------------------------------------------------------------------------


def read_product(given: object, where: str = "the product") -> Product:
    """The product of a record, as a TOML or JSON reader gives it.

    where: what the record is called in messages. Raises InvalidInput naming the field at fault and what is allowed.
    """
    record: Record = checked(given, FIELDS, where)
    check_agreement(record, where)
    said = _said(record, FIELDS)
    terms = {name: value for name, value in said.items() if name not in _NO_TERMS}
    line, loan = record["line"], record["loan"]
    return Product(
        product_id=record["product_id"],
        digest=hashlib.sha256(_canonical(terms).encode()).hexdigest(),
        name=MappingProxyType(record["name"]),
        shape=record["shape"],
        currency=record["currency"],
        day_count=DayCount(record["day_count"]),
        rates=tuple(
            RateStep(Segment(step["segment"]), step["from_on"], step["rate_annual"]) for step in record["rates"]
        ),
        allocation=_allocation(record["allocation"]),
        excess_by_rate=record["excess_by_rate"],
        tolerance=Tolerance(**(record["tolerance"] or {})),
        classes=tuple(ClassStep(**step) for step in record["classes"]),
        fees=MappingProxyType(dict(_fees(record["fees"] or {}))),
        charge_off_days=record["charge_off_days"],
        cost_cap_annual=record["cost_cap_annual"],
        line=_line(line) if line else None,
        loan=_loan(loan, record, where) if loan else None,
        text=_canonical(said),
        source=MappingProxyType({entry["of"]: entry["note"] for entry in record["source"]}),
    )


def _allocation(record: Record) -> Allocation:
    order = read_order(record["order"], "`order`")
    by_type = {
        kind: Rule(read_order(rule["order"] or record["order"], "`order`"), Future(rule["future"]))
        for kind in BY_TYPE
        if (rule := record[kind])
    }
    return Allocation(
        Rule(order, Future(record["future"])),
        MappingProxyType(by_type),
        Processing(record["processing"]),
        tuple(Segment(name) for name in record["segments"]),
    )


def _fees(record: Record) -> Iterator[tuple[str, Fee]]:
    for kind, fee in record.items():
        if fee:
            most = AMOUNT_LIMIT if fee["most_minor"] is None else fee["most_minor"]
            yield kind, Fee(kind, fee["share"], fee["least_minor"], most)


def _line(record: Record) -> LineTerms:
    cycle = record["cycle"]
    parts = {
        "cycle": Cycle(**(cycle | {"roll": Roll(cycle["roll"]), "holidays": frozenset(cycle["holidays"])})),
        "minimum": Minimum(**record["minimum"]),
        "grace": Grace(record["grace"]),
        "offers": tuple(InlineOffer(**offer) for offer in record["offers"]),
    }
    return LineTerms(**(dict(record) | parts))


def _loan(record: Record, product: Record, where: str) -> LoanTerms:
    """A loan's terms; what it shares with lines (day count, first rate) stands beside them in the file."""
    shared = {"day_count": DayCount(product["day_count"]), "rate_annual": product["rates"][0]["rate_annual"]}
    fee, due = record["fee"] or {}, record["due"] or {}
    try:
        if due:
            due = due | {"holidays": frozenset(due["holidays"])}
        parts = {"fee": InstalmentFee(**_typed(fee, InstalmentFee)), "due": DueRule(**_typed(due, DueRule))}
        return LoanTerms(**(_typed(record, LoanTerms) | parts | shared))
    except InvalidInput as error:
        raise InvalidInput(f"{where}, `loan`: {error.message}", error.remedy) from None


def _typed(record: Record, terms: Any) -> dict[str, Any]:
    """A record's values, words as the enumerations that the fields of a dataclass have by default."""
    words = {part.name: type(part.default) for part in fields(terms) if isinstance(part.default, Enum)}
    return {name: words[name](value) if name in words else value for name, value in record.items()}


# ---- What a file says, in one form ---------------------------------------------------------------------------------


def _said(record: Record, specs: Sequence[Field]) -> dict[str, Any]:
    """What a record says beyond the defaults. A field that a later version adds leaves older digests as they are."""
    said = {spec.name: _plain(record[spec.name], spec) for spec in specs if record[spec.name] != spec.default}
    return {name: value for name, value in said.items() if value not in ({}, [])}


def _plain(value: Any, spec: Field) -> Any:
    if isinstance(value, Mapping):
        return _said(value, spec.parts)
    if isinstance(value, tuple):
        return [_plain(entry, spec) for entry in value]
    if isinstance(value, Fraction):  # of at most 8 decimals, so that the division is exact
        return format((Decimal(value.numerator) / Decimal(value.denominator)).normalize(), "f")
    return value.isoformat() if isinstance(value, date) else value


def _canonical(said: Mapping[str, Any]) -> str:
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


# ---- Files and folders ---------------------------------------------------------------------------------------------


def parse_product(text: str, where: str = "the product") -> Product:
    """The product of a TOML or JSON text; JSON begins with a brace. Raises InvalidInput as `read_product`, and where
    the text is neither."""
    if text.lstrip().startswith("{"):
        return read_product(parse_json(text, where), where)
    too_deep = InvalidInput(f"{where} is nested too deeply to be a product.")
    if any(line.count(".") > _MOST_POINTS for line in text.splitlines()):
        raise too_deep
    try:
        given = tomllib.loads(text, parse_float=exact)
    except RecursionError:
        raise too_deep from None
    except ValueError as error:  # also of a whole number of more than 4,300 digits
        raise InvalidInput(f"{where} is not TOML: {error}.") from None
    return read_product(given, where)


def load_product(file: Traversable) -> Product:
    """The product of a file. Raises InvalidInput as `parse_product`, and where the file cannot be read, is larger than
    1 MB or is not UTF-8."""
    try:
        with file.open("rb") as stream:
            raw = stream.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise InvalidInput(f"{file.name} cannot be read: {error.strerror or error}.") from None
    if len(raw) > _LARGEST_FILE:
        raise InvalidInput(f"{file.name} is larger than 1 MB.", "A product is a few kilobytes: is it another file?")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{file.name} is not UTF-8 at byte {error.start}.", "Save it as UTF-8.") from None
    return parse_product(text, file.name)


def products(folder: Path | None = None) -> Mapping[str, Product]:
    """What may be opened, by product_id: the products that are shipped, and those of a folder, which go before them.

    Raises InvalidInput as `load_product`, and where two files of the folder hold one product_id.
    """
    return MappingProxyType(dict(_shipped()) | (_products_in(folder) if folder else {}))


def product_named(name: str, known: Mapping[str, Product]) -> Product:
    """The product of a product_id among `products`. Raises NotFound with the names that there are."""
    if name not in known:
        raise NotFound(f"There is no product {shown(name)}.", f"There are {', '.join(sorted(known))}.")
    return known[name]


def shipped(name: str) -> Product:
    """A shipped product. Raises NotFound with the names that there are."""
    return product_named(name, _shipped())


@cache
def _shipped() -> Mapping[str, Product]:
    return _products_in(files("evenkeel.accounts.products") / "shipped")


def _products_in(folder: Traversable) -> dict[str, Product]:
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise InvalidInput(f"the folder {folder} cannot be read: {error.strerror or error}.") from None
    found: dict[str, Product] = {}
    names: dict[str, str] = {}
    for file in entries:
        if not file.name.endswith(_SUFFIXES):
            continue
        product = load_product(file)
        if before := names.get(product.product_id):
            raise InvalidInput(
                f"{before} and {file.name} both hold the product {product.product_id}.",
                "Give one of them another `product_id`; the record keeps older terms by itself.",
            )
        found[product.product_id], names[product.product_id] = product, file.name
    return found
