"""Accounts as documents and as words, in English and Chinese.

A document is JSON for programs, with amounts in minor units and exact numbers as decimal text. Words are lines for
people: amounts in the product's currency, columns that stay under each other however wide the signs are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date
from enum import Enum
from fractions import Fraction
from typing import Any

from rich.cells import cell_len

from evenkeel.accounts.cost.annual import TrueCost
from evenkeel.accounts.daycount import DayCount
from evenkeel.accounts.delinquency import BorrowerView, bucket, bucket_history
from evenkeel.accounts.explain import Explained, Part, Step, balance_of
from evenkeel.accounts.ledger import CLAIM, CREDIT, Posting
from evenkeel.accounts.products.model import Product
from evenkeel.accounts.quote import Quote
from evenkeel.accounts.service import Account, Correction, Posted
from evenkeel.accounts.state import Bill
from evenkeel.accounts.words import Segment
from evenkeel.kernel.errors import NotFound
from evenkeel.kernel.money import Money, Rounding, currency_exponent, round_fraction
from evenkeel.kernel.text import Texts

Document = dict[str, Any]
Row = Sequence[str] | str  # cells, or a line that stands between them as it is

_MOST_BILLS = 6  # that the answer to a posting shows of a correction
_DECIMALS = 12  # of exact numbers as text
_BASES = (360, 365, 366, 364)  # days of a year by which a part of it is told, where it is whole days of one


# ---- Forms ---------------------------------------------------------------------------------------------------------


def plain(value: Any) -> Any:
    """A value as JSON can hold it: days as text, exact fractions as decimal text rounded half-up to 12 decimals."""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Fraction):
        return _decimal(value, _DECIMALS).rstrip("0").rstrip(".")
    if isinstance(value, Posting):
        value = value._asdict()
    if isinstance(value, Mapping):
        return {str(name): plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple | frozenset):
        return [plain(entry) for entry in value]
    return value


def columns(rows: Sequence[Row], align: str, indent: str = "") -> list[str]:
    """Rows with their cells under each other. align: `l` or `r` for each column; a row that is a text is a line."""
    cells = [row for row in rows if not isinstance(row, str)]
    widths = [max((cell_len(row[place]) for row in cells), default=0) for place in range(len(align))]

    def line(row: Sequence[str]) -> str:
        parts = []
        for text, width, side in zip(row, widths, align, strict=True):
            blank = " " * (width - cell_len(text))
            parts.append(blank + text if side == "r" else text + blank)
        return (indent + "  ".join(parts)).rstrip()

    return [row if isinstance(row, str) else line(row) for row in rows]


class _Money:
    """Amounts of one currency as text: with its code, bare for columns, and with decimals beyond the minor unit."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.exponent = currency_exponent(currency)

    def __call__(self, minor: int) -> str:
        return str(Money(minor, self.currency))

    def bare(self, minor: int) -> str:
        return str(Money(minor, self.currency)).rpartition(" ")[0]

    def signed(self, minor: int) -> str:
        return f"{'+' if minor >= 0 else ''}{self.bare(minor)}"

    def finer(self, minor: Fraction) -> str:
        """With two decimals more than the currency has."""
        return _decimal(minor / 10**self.exponent, self.exponent + 2, ",")


def _decimal(value: Fraction, decimals: int, separator: str = "") -> str:
    """Rounded half-up to so many decimals, of which there is one at least."""
    scaled = round_fraction(value * 10**decimals, Rounding.HALF_UP)
    whole, rest = divmod(abs(scaled), 10**decimals)
    return f"{'-' if scaled < 0 else ''}{whole:{separator}}.{rest:0{decimals}d}"


def _percent(rate: Fraction) -> str:
    return f"{_decimal(rate * 100, 8).rstrip('0').rstrip('.')} %"


def _title(key: str, account: Account, say: Texts) -> str:
    product = account.product
    return say(
        key, account=account.account_id, product=product.name[say.language], currency=product.currency,
        day=account.state.as_of,
    )  # fmt: skip


# ---- Posting -------------------------------------------------------------------------------------------------------


def posted_document(posted: Posted) -> Document:
    """What a posting did, account by account."""
    return {
        "booked": sum(len(account.booked) for account in posted.accounts),
        "known": sum(len(account.known) for account in posted.accounts),
        "accounts": [
            {**plain(asdict(account)), "correction": _correction_document(account.correction)}
            for account in posted.accounts
        ],
    }


def _correction_document(correction: Correction | None) -> Document | None:
    if correction is None:
        return None
    bills = [{"was": _bill(was), "is": _bill(now)} for was, now in correction.bills]
    return {**plain(asdict(correction)), "bills": bills}


def _bill(bill: Bill | None) -> Document | None:
    return None if bill is None else plain(asdict(bill))


def posted_words(posted: Posted, say: Texts) -> list[str]:
    """What a posting did, and what late facts changed."""
    counts = posted_document(posted)
    lines = [say("accounts.post.done", booked=counts["booked"], known=counts["known"])]
    for account in posted.accounts:
        if account.correction is not None:
            lines += ["", *_correction_words(account.account_id, account.correction, _Money(account.currency), say)]
    return lines


def _correction_words(account_id: str, correction: Correction, money: _Money, say: Texts) -> list[str]:
    because = ", ".join(correction.because)
    rows = [(_ledger(name, say), money.signed(amount)) for name, amount in correction.ledger.items()]
    lines = [say("accounts.post.corrected", account=account_id, because=because, day=correction.on)]
    lines += columns(rows, "lr", "  ")
    for was, now in correction.bills[:_MOST_BILLS]:
        told = was or now
        assert told is not None  # noqa: S101
        before, after = (money(bill.total_minor) if bill else "–" for bill in (was, now))
        text = say("accounts.post.bill", number=told.number, day=told.cut_on, was=before, now=after)
        lines.append(f"  {text}")
    if (more := len(correction.bills) - _MOST_BILLS) > 0:
        lines.append("  " + say("accounts.post.more_bills", count=more, account=account_id))
    return lines


def _ledger(name: str, say: Texts) -> str:
    """A ledger account in words."""
    kind, _, rest = name.partition(":")
    if kind == "receivable":
        component, segment = rest.split(":")
        return _owed(component, segment, say)
    if kind == "income":
        return say("accounts.ledger.income", component=say(f"accounts.component.{rest}"))
    return say(f"accounts.ledger.{name}")


def _owed(component: str, segment: str, say: Texts) -> str:
    if segment == Segment.LOAN:
        return say(f"accounts.component.{component}")
    return say(
        "accounts.owed", component=say(f"accounts.component.{component}"), segment=say(f"accounts.segment.{segment}")
    )


# ---- State ---------------------------------------------------------------------------------------------------------


def state_document(account: Account) -> Document:
    """A state as JSON: everything but what interest is made of, which `explain` gives."""
    document: Document = plain(asdict(account.state))
    document.pop("accruals")
    return {
        "account_id": account.account_id, "borrower_id": account.borrower_id, "lender_id": account.lender_id or None,
        "currency": account.product.currency, "product_digest": account.product.digest, **document,
        "buckets": [
            {"month": month, "bucket": f"M{place}"} for month, place in bucket_history(account.state.months)
        ],
        "funders": plain(account.funder_balances),
    }  # fmt: skip


def state_words(account: Account, say: Texts) -> list[str]:
    """A state as lines of text."""
    state, money = account.state, _Money(account.product.currency)
    rows: list[tuple[str, str, str]] = [
        (say("accounts.state.balance"), money(state.balance_minor), say(f"accounts.stage.{state.stage}"))
    ]
    for part in state.owed:
        name = f"  {_owed(part.component, part.segment, say)}"
        rows.append((name, money(part.amount_minor), say(f"accounts.timing.{part.timing}")))
    more = (
        ("credit", state.credit_minor), ("accrued", state.accrued_minor), ("claim", state.claim_minor),
        ("subrogated", state.subrogated_minor),
    )  # fmt: skip
    rows += [
        (say(f"accounts.state.{name}"), money(amount), say(f"accounts.state.{name}_why"))
        for name, amount in more
        if amount
    ]
    if state.available_minor is not None and state.limit_minor is not None:
        key = "accounts.state.limit_held" if state.held_minor else "accounts.state.limit_why"
        why = say(key, available=money(state.available_minor), held=money(state.held_minor))
        rows.append((say("accounts.state.limit"), money(state.limit_minor), why))
    late = "accounts.state.late_why" if state.days_past_due else "accounts.state.on_time"
    why = say(
        late,
        days=state.days_past_due,
        bucket=f"M{bucket(state.days_past_due)}",
        grade=say(f"accounts.grade.{state.grade}"),
    )
    rows.append((say("accounts.state.late"), money(state.past_due_minor), why))
    lines = [_title("accounts.state.title", account, say), "", *columns(rows, "lrl")]
    if state.restructurings:
        lines.append(say("accounts.state.restructured", count=state.restructurings))
    return lines + _dues(account, say) + _funders(account, say) + history_words(account, say)


def _dues(account: Account, say: Texts) -> list[str]:
    money = _Money(account.product.currency)
    head = tuple(say(f"accounts.due.{name}") for name in ("day", "due", "paid", "left"))
    rows = [
        (
            due.due_on.isoformat(),
            *(money.bare(part) for part in (due.due_minor, due.paid_minor, due.due_minor - due.paid_minor)),
        )
        for due in account.state.dues
    ]
    return ["", *columns([head, *rows], "lrrr")] if rows else []


def _funders(account: Account, say: Texts) -> list[str]:
    money, rows = _Money(account.product.currency), []
    for name, ledger in account.funder_balances.items():
        owed, earned = (
            sum(amount for account_name, amount in ledger.items() if account_name.startswith(kind))
            for kind in ("receivable:", "income:")
        )
        rows.append((name, money.bare(owed), money.bare(-earned)))
    head = tuple(say(f"accounts.funder.{name}") for name in ("name", "owed", "earned"))
    return ["", *columns([head, *rows], "lrr")] if rows else []


def history_words(account: Account, say: Texts) -> list[str]:
    """How late an account was at each month's end."""
    money = _Money(account.product.currency)
    head = tuple(say(f"accounts.history.{name}") for name in ("month", "bucket", "days", "owed", "stage"))
    rows = [
        (f"{month.on:%Y-%m}", f"M{bucket(month.days_past_due)}", str(month.days_past_due),
         money.bare(month.balance_minor), say(f"accounts.stage.{month.stage}"))
        for month in account.state.months
    ]  # fmt: skip
    return ["", *columns([head, *rows], "lrrrl")] if rows else []


def borrower_document(borrower_id: str, as_of: date, accounts: Sequence[Account], view: BorrowerView) -> Document:
    """A borrower as JSON: the view over all accounts, and each of them."""
    return {
        "borrower_id": borrower_id, "as_of": as_of.isoformat(), "view": plain(asdict(view)),
        "accounts": [state_document(account) for account in accounts],
    }  # fmt: skip


def borrower_words(
    borrower_id: str, as_of: date, accounts: Sequence[Account], view: BorrowerView, say: Texts
) -> list[str]:
    """A borrower as lines of text."""
    names = ("account", "product", "lender", "stage", "owed", "past_due", "days", "grade")
    rows: list[Row] = [tuple(say(f"accounts.borrower.{name}") for name in names)]
    for account in accounts:
        state, money = account.state, _Money(account.product.currency)
        rows.append(
            (account.account_id, account.product.name[say.language], account.lender_id or say("accounts.borrower.self"),
             say(f"accounts.stage.{state.stage}"), money(state.balance_minor + state.claim_minor),
             money(state.past_due_minor), str(state.days_past_due), say(f"accounts.grade.{state.grade}"))
        )  # fmt: skip
    for total in view.totals:
        money = _Money(total.currency)
        owed = money(total.balance_minor + total.claim_minor)
        rows.append((say("accounts.borrower.all"), "", "", "", owed, money(total.past_due_minor), "", ""))
    verdict = say(
        "accounts.borrower.late" if view.late_debts else "accounts.borrower.on_time", late=view.late_lenders,
        lenders=view.lenders, days=view.worst_days_past_due, grade=say(f"accounts.grade.{view.grade}"),
    )  # fmt: skip
    lines = [
        say("accounts.borrower.title", borrower=borrower_id, day=as_of), "", *columns(rows, "llllrrrl"), "", verdict
    ]  # fmt: skip
    if view.all_platforms_late:
        lines.append(say("accounts.borrower.everywhere"))
    for account in accounts:
        if account.state.months:
            lines += ["", account.account_id, *history_words(account, say)[1:]]
    return lines


# ---- Bills ---------------------------------------------------------------------------------------------------------


def statement_document(account: Account, corrections: Sequence[Mapping[str, Any]], number: int | None) -> Document:
    """Bills as they were cut, and corrections to them. Raises NotFound where there is no bill of that number.

    A bill that nobody was told at its time, because a late fact made it, is given as it is with `was` null in its
    correction; one that a late fact unmade has `is` null.
    """
    bills: dict[int, Document] = {bill.number: plain(asdict(bill)) for bill in account.state.bills}
    told: dict[int, list[Document]] = {}
    for correction in corrections:
        for changed in correction["bills"]:
            own = changed["was"] or changed["is"]
            if own["cut_on"] > account.state.as_of.isoformat():
                continue
            if own["number"] not in told and changed["was"]:
                bills[own["number"]] = dict(changed["was"])
            entry = {"because": correction["because"], "booked_at": correction["booked_at"], **changed}
            told.setdefault(own["number"], []).append(entry)
    wanted = sorted(bills) if number is None else [number]
    if number is not None and number not in bills:
        have = f"It has {len(bills)}, the first of which is 1." if bills else "It has none yet."
        raise NotFound(f"The account {account.account_id} has no bill {number} by {account.state.as_of}.", have)
    return {
        "account_id": account.account_id,
        "currency": account.product.currency,
        "bills": [{**bills[one], "corrections": told.get(one, [])} for one in wanted],
    }


_AMOUNTS = ("principal_minor", "interest_minor", "fee_minor", "penalty_minor", "total_minor", "minimum_minor")


def statement_words(account: Account, document: Document, say: Texts) -> list[str]:
    """Bills and corrections as lines of text."""
    money = _Money(account.product.currency)

    def row(first: str, bill: Mapping[str, Any]) -> Sequence[str]:
        return (first, bill["cut_on"], bill["due_on"], *(money.bare(int(bill[name])) for name in _AMOUNTS))

    if not document["bills"]:
        return [_title("accounts.bill.title", account, say), say("accounts.bill.none")]
    head = [say(f"accounts.bill.{name}") for name in ("number", "cut_on", "due_on")]
    head += [say(f"accounts.bill.{name.removesuffix('_minor')}") for name in _AMOUNTS]
    rows: list[Row] = [head]
    notes: list[str] = []
    for bill in document["bills"]:
        rows.append(row(str(bill["number"]), bill))
        for entry in bill["corrections"]:
            notes.append(
                say(
                    "accounts.bill.corrected" if entry["is"] else "accounts.bill.undone", place=len(notes) + 1,
                    number=bill["number"], because=", ".join(entry["because"]), day=entry["booked_at"][:10],
                )
            )  # fmt: skip
            if entry["is"]:
                rows.append(row(f"{bill['number']} [{len(notes)}]", entry["is"]))
    lines = [_title("accounts.bill.title", account, say), "", *columns(rows, "lllrrrrrr")]
    return [*lines, "", *notes] if notes else lines


# ---- Explanation ---------------------------------------------------------------------------------------------------


def explained_document(account: Account, explained: Sequence[Explained]) -> Document:
    """An explanation as JSON; `explained_minor` is the sum of all steps of what is owed, and equals the balance."""
    return {
        "account_id": account.account_id, "as_of": account.state.as_of.isoformat(),
        "currency": account.product.currency, "balance_minor": account.state.balance_minor,
        "explained_minor": balance_of(explained),
        "parts": [
            {
                "account": part.account, "component": plain(part.component), "segment": plain(part.segment),
                "amount_minor": part.amount_minor, "steps": [_step_document(step) for step in part.steps],
            }
            for part in explained
        ],
    }  # fmt: skip


def _step_document(step: Step) -> Document:
    return {
        "on": step.posting.on.isoformat(), "amount_minor": step.amount_minor, "after_minor": step.after_minor,
        "why": step.posting.why, "fact_id": step.posting.fact_id or None,
        "kind": str(step.fact.kind) if step.fact else None, "counted": [plain(asdict(one)) for one in step.parts],
        "rest_minor": plain(step.rest), "rest_why": step.rest_why or None,
    }  # fmt: skip


def explained_words(account: Account, explained: Sequence[Explained], say: Texts) -> list[str]:
    """An explanation as lines of text."""
    product, state = account.product, account.state
    money = _Money(product.currency)
    title = _title("accounts.explain.title", account, say)
    if not explained:
        return [title, say("accounts.explain.nothing")]
    lines = [title, "", say("accounts.explain.balance", amount=money(state.balance_minor))]
    for part in explained:
        rows: list[Row] = []
        for step in part.steps:
            fact = f" [{step.posting.fact_id}]" if step.posting.fact_id else ""
            why = _why(step.posting.why, say) + fact
            rows.append(
                (step.posting.on.isoformat(), money.signed(step.amount_minor), money.bare(step.after_minor), why)
            )
            rows += [f"      {line}" for line in _counted_words(step, product, money, say)]
        lines += ["", f"{_part_name(part, say)}: {money(part.amount_minor)}", *columns(rows, "lrrl", "  ")]
    return lines


def _part_name(part: Explained, say: Texts) -> str:
    if part.component is None or part.segment is None:
        return say({CREDIT: "accounts.state.credit", CLAIM: "accounts.state.claim"}[part.account])
    return _owed(part.component, part.segment, say)


def _why(why: str, say: Texts) -> str:
    key = f"accounts.why.{why}"
    return say(key) if key in say else why  # a fee may have any name


def _counted_words(step: Step, product: Product, money: _Money, say: Texts) -> list[str]:
    lines = [_part_words(part, product, money, say) for part in step.parts]
    if step.rest:
        lines.append(say(f"accounts.explain.{step.rest_why}", amount=money.finer(step.rest)))
    return lines


def _part_words(part: Part, product: Product, money: _Money, say: Texts) -> str:
    amounts = {
        "balance": money.bare(part.balance_minor),
        "rate": _percent(part.rate_annual),
        "amount": money.finer(part.amount),
    }
    years = _years(part.years, product.day_count)
    if part.kind == "fee" or part.years == 1:
        return say("accounts.explain.share", **amounts)
    if part.kind == "plan":
        return say("accounts.explain.plan", years=years, **amounts)
    share = "" if part.share == 1 else f" × {_decimal(part.share, 6)}"
    key = "accounts.explain.shadow" if part.kind == "shadow" else "accounts.explain.counted"
    return say(key, since=part.since, until=part.until, years=years + share, **amounts)


def _years(years: Fraction, day_count: DayCount) -> str:
    """A part of a year: as days of the year that the product counts by where they are whole, else as a fraction."""
    own = {DayCount.ACT_364: 364, DayCount.ACT_360: 360, DayCount.THIRTY_360: 360}.get(day_count, 365)
    for basis in (own, *_BASES):
        if (years * basis).denominator == 1:
            return f"{years * basis}/{basis}"
    return f"{years}" if years.denominator < 10_000 else _decimal(years, 6)


# ---- Schedule ------------------------------------------------------------------------------------------------------


def quote_document(quote: Quote) -> Document:
    """A schedule as JSON, with the true cost in every form."""
    cost = quote.cost
    return {
        "product_id": quote.product.product_id, "product_digest": quote.product.digest,
        "currency": quote.product.currency, "start_on": quote.start_on.isoformat(),
        "principal_minor": quote.principal_minor, "instalments": [plain(asdict(row)) for row in quote.rows],
        "interest_minor": quote.interest_minor, "fee_minor": quote.fee_minor, "total_minor": quote.total_minor,
        "cost": {
            "cost_minor": cost.cost_minor, "daily": cost.daily, "flat": cost.flat,
            "rates": [
                {"form": one.form.value, "rate": one.rate, "compounding": one.compounding, "basis": one.basis}
                for one in cost.rates
            ],
        },
    }  # fmt: skip


def quote_words(quote: Quote, say: Texts) -> list[str]:
    """A schedule as a table, and what it costs a year."""
    money = _Money(quote.product.currency)
    count = max(row.number for row in quote.rows)
    title = say(
        "accounts.schedule.title", product=quote.product.name[say.language], principal=money(quote.principal_minor),
        day=quote.start_on, count=count,
    )  # fmt: skip
    names = ("number", "due_on", "principal", "interest", "fee", "total", "left")
    rows: list[Row] = [tuple(say(f"accounts.schedule.{name}") for name in names)]
    for row in quote.rows:
        amounts = (row.principal_minor, row.interest_minor, row.fee_minor, row.total_minor, row.left_minor)
        number = str(row.number) if row.number else say("accounts.schedule.down")
        rows.append((number, row.due_on.isoformat(), *map(money.bare, amounts)))
    sums = (quote.principal_minor, quote.interest_minor, quote.fee_minor, quote.total_minor)
    rows.append((say("accounts.schedule.sum"), "", *map(money.bare, sums), ""))
    return [title, "", *columns(rows, "rlrrrrr"), "", *_cost_words(quote.cost, say)]


def _cost_words(cost: TrueCost, say: Texts) -> list[str]:
    """The forms of the annual rate that people compare, and the same cost as it is advertised."""
    periods = f"{float(cost.unit.per_year):.4g}"
    rows: list[Row] = [say("cost.really")]
    rows += [
        (say(f"cost.form.{one.form}"), f"{one.rate:.2%}", say(f"cost.why.{one.form}", periods=periods))
        for one in cost.rates
    ]
    rows += [
        say("cost.shown"),
        (say("cost.daily"), f"{cost.daily:.4%}", say("cost.daily_why")),
        (say("cost.flat"), f"{cost.flat:.4%}", say("cost.flat_why")),
    ]
    return columns(rows, "lrl", "  ")


# ---- Close ---------------------------------------------------------------------------------------------------------


def closed_words(closed: Mapping[str, Any], say: Texts) -> list[str]:
    """What a closed day came to, by currency."""
    totals: Mapping[str, Mapping[str, int]] = closed["totals"]
    key = "accounts.close.done" if closed["first"] else "accounts.close.known"
    lines = [say(key, day=closed["day"])]
    names = ("currency", "accounts", "balance", "late", "past_due", "claim")
    rows: list[Row] = [tuple(say(f"accounts.close.{name}") for name in names)]
    for currency, total in totals.items():
        money = _Money(currency)
        rows.append(
            (currency, str(total["accounts"]), money.bare(total["balance_minor"]), str(total["late_accounts"]),
             money.bare(total["past_due_minor"]), money.bare(total["claim_minor"]))
        )  # fmt: skip
    return [*lines, "", *columns(rows, "lrrrrr")] if totals else lines
