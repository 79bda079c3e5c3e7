"""`evenkeel cost`: what a credit really costs, beside what people are told it costs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from fractions import Fraction
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len

from evenkeel.accounts.cost.annual import YEAR_DAYS, Form, TrueCost, true_cost
from evenkeel.accounts.cost.flows import due_dates
from evenkeel.accounts.cost.offer import (
    Offer,
    annual_factors,
    daily_factors,
    fee_offer,
    parse_percent,
    payment_offer,
    rate_offer,
    read_flows,
    with_upfront_fee,
)
from evenkeel.cli import present
from evenkeel.cli.application import Application
from evenkeel.cli.options import AS_OF, LANGUAGES, as_json_option
from evenkeel.kernel.errors import EvenkeelError, InvalidInput, InvalidUsage
from evenkeel.kernel.money import Money, currency_exponent
from evenkeel.kernel.text import Texts, texts

_PRICES = ("fee_rate", "rate_annual", "rate_daily", "payment")
_MOST_BYTES = 20 << 20
_MOST_MINOR = 10**12
_CAP_RULE = "CN-RATE-4LPR"


class _Percent(click.ParamType[Fraction]):
    name = "percent"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Fraction:
        if isinstance(value, Fraction):
            return value
        try:
            return parse_percent(str(value))
        except EvenkeelError as error:
            self.fail(str(error), param, ctx)


_PERCENT = _Percent()
_Row = tuple[str] | tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Told:
    """What the lender says: the price by its option's name, the number of instalments, the fee at the start."""

    price: str
    value: Fraction | int
    instalments: int
    upfront_minor: int


@click.command(
    epilog="\b\nExamples:\n"
    "  evenkeel cost --principal 12000 --instalments 12 --fee-rate 0.6%\n"
    "  evenkeel cost --principal 5000 --instalments 1 --every 30D --rate-daily 0.05% --upfront-fee 100\n"
    "  evenkeel cost --principal 12000 --instalments 12 --payment 1072 --first 2024-02-20 --start 2024-01-05\n"
    "  evenkeel cost flows.csv --lang zh    (date,amount: what you receive above 0, what you pay below 0)"
)
@click.argument("file", type=click.Path(path_type=Path), required=False)
@click.option("--principal", metavar="AMOUNT", help="What the contract lends, in yuan or the like: 12000 or 12000.00.")
@click.option("--instalments", type=click.IntRange(1, 1200), metavar="N", help="How many payments.")
@click.option("--every", default="1M", show_default=True, help="Between payments: 1M, 2W, 30D, 1Y, `semimonth 1/16`.")
@click.option("--fee-rate", type=_PERCENT, help="Price: a fee with each instalment, in % of the whole principal.")
@click.option("--rate-annual", type=_PERCENT, help="Price: interest a year on the balance, equal instalments.")
@click.option("--rate-daily", type=_PERCENT, help="Price: interest a day on the balance, equal instalments.")
@click.option("--payment", metavar="AMOUNT", help="Price: what each payment is, whatever it is made of.")
@click.option("--upfront-fee", metavar="AMOUNT", default="0", help="Deducted or paid when the money comes.")
@click.option("--start", type=AS_OF, metavar="DAY", help="When the money comes; today by default.")
@click.option("--first", type=AS_OF, metavar="DAY", help="The first payment; one interval after the start by default.")
@click.option("--currency", default="CNY", show_default=True, help="ISO 4217.")
@click.option(
    "--lpr", type=_PERCENT, help="One-year LPR of the contract's month: compare with the cap on private loans."
)
@click.option("--lang", type=LANGUAGES, default="en", show_default=True, help="en, zh, or both with a comma.")
@as_json_option
@click.pass_obj
def cost(
    application: Application, /, file: Path | None, currency: str, lpr: Fraction | None, lang: tuple[str, ...],
    as_json: bool, **terms: Any,
) -> int:  # fmt: skip
    """What a credit really costs a year and in all: of FILE's cash flow, or of an offer in a lender's words.

    FILE is CSV (`date,amount`) or JSON ([{"date": ..., "amount": ...}]): every amount between borrower and lender, fees
    and deductions too. An offer needs --principal, --instalments and one price.
    """
    try:
        currency_exponent(currency)
    except InvalidInput as error:
        raise InvalidUsage(f"--currency: {error.message}", error.remedy) from None
    if file is not None:
        told, offer = None, _from_file(file, currency, terms)
    else:
        told, offer = _from_terms(application.today, currency, terms)
    found = true_cost(offer.flows, offer.contract)
    caps = {language: _cap(found, lpr, language) for language in lang} if lpr is not None else {}
    document = _document(found, offer, currency, told, next(iter(caps.values()), None))
    present.answer(
        document, as_json, lambda: "\n\n".join(_words(found, told, currency, caps.get(one), texts(one)) for one in lang)
    )
    return present.DONE


# --------------------------------------------------------------------------------------------------------------- input


def _from_file(file: Path, currency: str, terms: Mapping[str, Any]) -> Offer:
    given = [name for name in ("principal", "instalments", *_PRICES, "start", "first") if terms[name] is not None]
    if given or terms["upfront_fee"] != "0":
        name = (given or ["upfront_fee"])[0].replace("_", "-")
        raise InvalidUsage(f"--{name} is part of an offer, and FILE holds the whole cash flow.", "Give one of the two.")
    if not file.is_file():
        raise InvalidUsage(f"there is no file {file}.", "Check the path.")
    kind = file.suffix.lower()
    if kind not in (".csv", ".json"):
        raise InvalidUsage(f"{file} is neither .csv nor .json.", "Convert it first.")
    if file.stat().st_size > _MOST_BYTES:
        raise InvalidInput(f"{file} is larger than 20 MB.", "Give the flows of one credit.")
    try:
        data = file.read_bytes().removeprefix(b"\xef\xbb\xbf")
        text = data.decode("utf-8")
    except OSError as error:
        raise InvalidUsage(f"{file} cannot be read: {error.strerror}.", "Check its rights.") from error
    except UnicodeDecodeError:
        text = data.decode("gb18030", errors="replace")
    try:
        return Offer(tuple(read_flows(text, kind == ".json", currency)))
    except InvalidInput as error:
        raise InvalidInput(f"{file}: {error.message}", error.remedy) from None


def _from_terms(today: date, currency: str, terms: Mapping[str, Any]) -> tuple[_Told, Offer]:
    prices = [name for name in _PRICES if terms[name] is not None]
    if len(prices) > 1:
        both = " and ".join(f"--{name.replace('_', '-')}" for name in prices)
        raise InvalidUsage(f"{both} are given; an offer has one price.", "Leave out what follows from the other.")
    lacks = [f"--{name}" for name in ("principal", "instalments") if terms[name] is None]
    lacks += [] if prices else ["one of --fee-rate, --rate-annual, --rate-daily, --payment"]
    if lacks:
        raise InvalidUsage(f"the offer lacks {' and '.join(lacks)}.", "Or give FILE, with the whole cash flow.")
    principal = _amount("principal", terms["principal"], currency, 1)
    upfront = _amount("upfront-fee", terms["upfront_fee"], currency, 0)
    if upfront >= principal:
        raise InvalidUsage(f"--upfront-fee {terms['upfront_fee']} takes all of --principal {terms['principal']}.")
    start: date = terms["start"] or today
    count, every = terms["instalments"], terms["every"]
    days = _days(start, terms["first"], count, every)
    price, value = prices[0], terms[prices[0]]
    if price == "payment":
        value = _amount("payment", value, currency, 1)
        offer = payment_offer(principal, start, days, value)
    elif price == "fee_rate":
        offer = fee_offer(principal, start, days, value)
    elif price == "rate_daily":
        offer = rate_offer(principal, start, days, daily_factors(start, days, value))
    else:
        offer = rate_offer(principal, start, days, annual_factors(start, days, every, value))
    return _Told(price, value, count, upfront), with_upfront_fee(offer, upfront)


def _days(start: date, first: date | None, count: int, every: str) -> list[date]:
    """The days of payment: from the first one, or from one interval after the start."""
    if first is not None and first <= start:
        raise InvalidUsage(f"--first {first} is not after --start {start}.")
    if first is None and every.startswith("semimonth"):
        raise InvalidUsage("payments twice a month need a first day.", "Give --first, one of the two days.")
    try:
        return due_dates(first, count, every) if first is not None else due_dates(start, count + 1, every)[1:]
    except InvalidInput as error:
        raise InvalidUsage(f"--every: {error.message}", error.remedy) from None


def _amount(option: str, text: str, currency: str, least: int) -> int:
    try:
        minor = Money.parse(text, currency).minor
    except InvalidInput as error:
        raise InvalidUsage(f"--{option}: {error.message}", error.remedy) from None
    if not least <= minor <= _MOST_MINOR:
        low, high = Money(least, currency), Money(_MOST_MINOR, currency)
        raise InvalidUsage(f"--{option} is {text}; it is from {low} to {high}.")
    return minor


# ----------------------------------------------------------------------------------------------------------------- law


def _cap(found: TrueCost, lpr: Fraction, language: str) -> dict[str, Any]:
    """How the simple rate stands to the cap on private lending: in_force, rate, cap, above, and the rule's words."""
    import pyarrow as pa

    from evenkeel.arrears.law import check, load_rules  # its tables are needed for this question alone

    book = load_rules().only(_CAP_RULE)
    rule = book.rules[_CAP_RULE]
    # Finer than any rate is quoted: what rounding to the fen adds is not above a cap.
    rate = round(found.rate(Form.SIMPLE) or 0.0, 6)
    at = datetime.combine(found.begin, time(12), UTC)
    row = {"action": "charge", "at": at, "rate_annual": rate, "lpr_one_year": float(lpr)}
    answer = check(pa.Table.from_pylist([row]), book, rule.jurisdiction).to_pylist()[0]["answer"]
    scope = book.rules[rule.scope] if rule.scope else rule
    return {
        "rule": rule.id,
        "in_force": found.begin >= rule.effective_from,
        "effective_from": rule.effective_from.isoformat(),
        "rate": rate,
        "cap": float(lpr * rule.checks[0].params["max"]),
        "above": answer != "allow",
        "citation": rule.citation[language],
        "statement": rule.statement[language],
        "scope": scope.statement[language],
    }


# -------------------------------------------------------------------------------------------------------------- output


def _document(
    found: TrueCost, offer: Offer, currency: str, told: _Told | None, cap: dict[str, Any] | None
) -> dict[str, Any]:
    return {
        "currency": currency,
        "received_minor": found.received_minor,
        "paid_minor": found.paid_minor,
        "cost_minor": found.cost_minor,
        "begin": found.begin.isoformat(),
        "end": found.end.isoformat(),
        "payments": found.payments,
        "every": found.unit.every,
        "per_year": float(found.unit.per_year),
        "rates": [
            {"form": one.form.value, "rate": one.rate, "compounding": one.compounding, "basis": one.basis}
            for one in found.rates
        ],
        "other_compound": list(found.other_compound),
        "shown": {"daily": found.daily, "flat": found.flat, "flat_annual": found.flat * float(found.unit.per_year)},
        "told": None if told is None else {
            "price": told.price, "instalments": told.instalments, "upfront_fee_minor": told.upfront_minor,
            ("payment_minor" if told.price == "payment" else "rate"): (
                told.value if isinstance(told.value, int) else float(told.value)
            ),
        },
        "cap": cap,
        "flows": [{"date": flow.day.isoformat(), "amount_minor": flow.amount_minor} for flow in offer.flows],
    }  # fmt: skip


def _words(found: TrueCost, told: _Told | None, currency: str, cap: dict[str, Any] | None, say: Texts) -> str:
    """A short table: what people are told, what it really is, what is paid in all."""

    def money(minor: int) -> str:
        return str(Money(minor, currency))

    year = f"{float(found.unit.per_year):.4g}"
    rows: list[_Row] = []
    if told is not None:
        rows += [(say("cost.told"),), *_told_rows(told, found, money, say)]
    rows.append((say("cost.really"),))
    for one in found.rates:
        rows.append((say(f"cost.form.{one.form}"), _percent(one.rate), say(f"cost.why.{one.form}", periods=year)))
    rows += [
        (say("cost.shown"),),
        (say("cost.daily"), _percent(found.daily, 4), say("cost.daily_why")),
        (say("cost.flat"), _percent(found.flat, 4), say("cost.flat_why")),
        (say("cost.in_all"),),
        (say("cost.received"), money(found.received_minor), ""),
        (say("cost.paid"), money(found.paid_minor), ""),
        (say("cost.cost"), money(found.cost_minor), _share(found, say)),
    ]
    lines = [say("cost.title", begin=found.begin, end=found.end, payments=found.payments), *_aligned(rows), ""]
    if found.cost_minor < 0:
        lines.append(say("cost.gain"))
    if found.other_compound:
        lines.append(say("cost.several", others=", ".join(_percent(rate) for rate in found.other_compound)))
    return "\n".join(lines + (_cap_words(cap, say) if cap is not None else [])).rstrip()


def _told_rows(told: _Told, found: TrueCost, money: Callable[[int], str], say: Texts) -> list[_Row]:
    rows: list[_Row] = []
    label, value = say(f"cost.told.{told.price}"), told.value
    if isinstance(value, int):
        rows.append((label, money(value), say("cost.told_times", times=told.instalments)))
    else:
        times = {"fee_rate": found.unit.per_year, "rate_daily": Fraction(YEAR_DAYS), "rate_annual": Fraction(1)}
        a_year = _percent(float(value * times[told.price]))
        why = say(f"cost.told_why.{told.price}", a_year=a_year, periods=f"{float(found.unit.per_year):.4g}")
        rows.append((label, f"{float(value) * 100:.10g}%", why))
    if told.upfront_minor:
        rows.append((say("cost.told.upfront_fee"), money(told.upfront_minor), say("cost.told_why.upfront_fee")))
    return rows


def _share(found: TrueCost, say: Texts) -> str:
    return say("cost.share", share=_percent(found.cost_minor / found.received_minor))


def _cap_words(cap: Mapping[str, Any], say: Texts) -> list[str]:
    if not cap["in_force"]:
        return [say("cost.cap_not_yet", day=cap["effective_from"], citation=cap["citation"])]
    verdict = say("cost.cap_above" if cap["above"] else "cost.cap_within", rate=_percent(cap["rate"]))
    return [
        say("cost.cap", cap=_percent(cap["cap"]), verdict=verdict),
        f"  {cap['statement']} {cap['scope']} {say('cost.cap_source', citation=cap['citation'])}",
    ]


def _percent(rate: float, decimals: int = 2) -> str:
    return f"{rate:,.{decimals}%}"


def _aligned(rows: Sequence[_Row]) -> list[str]:
    """Rows of label, figure and remark under each other, however wide the signs are; a row of one is a heading."""
    full = [row for row in rows if len(row) > 1]
    label, figure = (max(cell_len(row[place]) for row in full) for place in (0, 1))
    lines = []
    for row in rows:
        if len(row) == 1:
            lines += ["", row[0]]
            continue
        padding = [label - cell_len(row[0]), figure - cell_len(row[1])]
        lines.append(f"  {row[0]}{' ' * padding[0]}  {' ' * padding[1]}{row[1]}  {row[2]}".rstrip())
    return lines
