"""The contract of a book as data: every table, column, type, domain, key and reference, in one place.

Readers, checks, `evenkeel book schema`, the generator and the documentation are made from `TABLES`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType

import pyarrow as pa

CONTRACT_VERSION = 1

# Bounds that keep every sum of a large book inside int64 and every input bounded.
AMOUNT_LIMIT = 10**14
TEXT_LENGTH_LIMIT = 10_000
ID_LENGTH_LIMIT = 64
COLUMN_COUNT_LIMIT = 1_000

PRODUCTS = ("bnpl", "card", "instalment", "cash", "other")
ACCOUNT_STATUSES = ("active", "frozen", "closed", "charged_off", "sold")
STATES = ("M0", "M1", "M2", "M3", "M4", "M5", "M6", "M7", "X")
ACTOR_TYPES = ("bank", "consumer_finance", "micro_loan", "platform", "agency", "debt_buyer", "guarantor")
EVENT_KINDS = (
    "purchase", "cash_advance", "refund", "repayment", "payment_failed", "payment_reversed", "fee", "interest",
    "income", "deposit", "login", "inquiry", "contact_changed", "device_changed", "account_opened", "account_closed",
    "account_reopened", "limit_changed", "due_day_changed", "rate_changed", "restructured", "charged_off", "sold",
    "recovery", "hardship", "dispute_opened", "dispute_closed", "promise", "plan_signed", "plan_broken",
    "plan_completed", "stop_contact", "treatment_assigned", "outside_line_opened", "outside_overdue",
    "outside_cleared", "consent_given", "consent_withdrawn", "bureau_report",
)  # fmt: skip


class Kind(Enum):
    """What a column holds; the value is what a person is told about the form that is wanted."""

    ID = "an id of 1 to 64 characters"
    TEXT = "a text of at most 10,000 characters"
    AMOUNT = "a whole number of minor units"
    INTEGER = "a whole number"
    NUMBER = "a finite number"
    MONTH = "a month such as 2024-05"
    DAY = "a date such as 2024-05-31"
    INSTANT = "an instant such as 2024-05-31T09:30:00+08:00"
    FLAG = "true, false, 1 or 0"
    CHOICE = "one of a closed list"
    IDS = "a list of ids, in a CSV a;b"
    JSON = "a JSON object"


ARROW_TYPES: Mapping[Kind, pa.DataType] = MappingProxyType(
    {
        Kind.ID: pa.string(),
        Kind.TEXT: pa.string(),
        Kind.AMOUNT: pa.int64(),
        Kind.INTEGER: pa.int64(),
        Kind.NUMBER: pa.float64(),
        Kind.MONTH: pa.string(),
        Kind.DAY: pa.date32(),
        Kind.INSTANT: pa.timestamp("us", tz="UTC"),
        Kind.FLAG: pa.bool_(),
        Kind.CHOICE: pa.string(),
        Kind.IDS: pa.list_(pa.string()),
        Kind.JSON: pa.string(),
    }
)


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its domain is `choices` or [low, high]; `references` names the table whose key it must be in."""

    name: str
    kind: Kind
    needed: bool = False
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None
    references: str | None = None
    past: bool = False  # may not lie after the book's as_of

    @property
    def major_name(self) -> str | None:
        """The same column in major units, where the contract allows that form."""
        return self.name.removesuffix("_minor") if self.kind is Kind.AMOUNT else None


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its columns, and the columns that identify a row."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    unlocks: str  # what a book without this table goes without
    by_name: Mapping[str, Column] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", MappingProxyType({column.name: column for column in self.columns}))

    def schema(self) -> pa.Schema:
        """The Arrow schema of the checked table; extra `x_` columns follow these."""
        return pa.schema([pa.field(column.name, ARROW_TYPES[column.kind]) for column in self.columns])


def _id(name: str, needed: bool = False, references: str | None = None) -> Column:
    return Column(name, Kind.ID, needed, references=references)


def _amount(name: str, needed: bool = False, low: float = -AMOUNT_LIMIT) -> Column:
    return Column(name, Kind.AMOUNT, needed, low=low, high=AMOUNT_LIMIT)


def _owed(name: str, needed: bool = False) -> Column:
    return _amount(name, needed, low=0)


def _integer(name: str, low: int, high: int, needed: bool = False) -> Column:
    return Column(name, Kind.INTEGER, needed, low=low, high=high)


def _number(name: str, low: float, high: float) -> Column:
    return Column(name, Kind.NUMBER, low=low, high=high)


def _choice(name: str, choices: tuple[str, ...], needed: bool = False) -> Column:
    return Column(name, Kind.CHOICE, needed, choices=choices)


def _text(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name, Kind.TEXT) for name in names)


def _day(name: str, needed: bool = False, past: bool = True) -> Column:
    return Column(name, Kind.DAY, needed, past=past)


def _instant(name: str, needed: bool = False, past: bool = True) -> Column:
    return Column(name, Kind.INSTANT, needed, past=past)


def _month(needed: bool = True, past: bool = True) -> Column:
    return Column("month", Kind.MONTH, needed, past=past)


_CURRENCY = Column("currency", Kind.TEXT)
_DPD = (_integer("dpd_low", 0, 36_600), _integer("dpd_high", 0, 36_600))

_ACCOUNTS = Table(
    "accounts",
    ("account_id",),
    (
        _id("account_id", True),
        _id("borrower_id", True, "borrowers"),
        _id("lender_id", True, "parties"),
        _choice("product", PRODUCTS, True),
        _CURRENCY,
        _day("opened_on"),
        _day("closed_on"),
        _choice("status", ACCOUNT_STATUSES),
        _owed("limit_minor"),
        _owed("principal_minor"),
        _number("rate_annual", 0, 10),
        _number("fee_rate_per_period", 0, 1),
        _integer("term_months", 1, 600),
        _integer("cycle_day", 1, 31),
        _integer("due_day", 1, 31),
        _id("platform_id", references="parties"),
        _id("funder_id", references="parties"),
        _number("funder_share", 0, 1),
        _id("guarantor_id", references="parties"),
        _id("servicer_id", references="parties"),
    ),
    "everything",
)

_PERIODS = Table(
    "periods",
    ("account_id", "month"),
    (
        _id("account_id", True, "accounts"),
        _month(),
        Column("on_book", Kind.FLAG),
        _amount("balance_minor"),
        _owed("limit_minor"),
        _amount("spend_minor"),
        _owed("cash_minor"),
        _owed("paid_minor"),
        _owed("min_due_minor"),
        _amount("interest_minor"),
        _amount("fee_minor"),
        *_DPD,
        _choice("state", STATES),
        *_text("source_code"),
    ),
    "flow rates, vintages, behaviour and scores by month",
)

_INSTALMENTS = Table(
    "instalments",
    ("account_id", "seq"),
    (
        _id("account_id", True, "accounts"),
        _integer("seq", 0, 100_000, True),
        _day("due_on", True, past=False),
        _owed("due_minor", True),
        _owed("principal_minor"),
        _owed("interest_minor"),
        _owed("fee_minor"),
    ),
    "days past due from what was due",
)

_PAYMENTS = Table(
    "payments",
    ("payment_id",),
    (
        _id("payment_id", True),
        _id("account_id", True, "accounts"),
        _instant("paid_at", True),
        _instant("booked_at"),
        _owed("amount_minor", True),
        _choice("channel", ("self", "debit_order", "transfer", "agency", "court")),
        _choice("result", ("ok", "failed", "reversed")),
    ),
    "days past due from what was paid",
)

_BORROWERS = Table(
    "borrowers",
    ("borrower_id",),
    (
        _id("borrower_id", True),
        _day("birth_date"),
        *_text("region", "industry", "occupation"),
        _id("employer_token"),
        _owed("income_declared_minor"),
        _owed("income_verified_minor"),
        *_text("income_source"),
        _integer("dependants", 0, 50),
        *_text("housing", "timezone"),
        _day("created_on"),
    ),
    "debt service to income, over-granting, affordable plans",
)

_APPLICATIONS = Table(
    "applications",
    ("application_id",),
    (
        _id("application_id", True),
        _id("borrower_id", True, "borrowers"),
        _id("lender_id", references="parties"),
        _id("platform_id", references="parties"),
        _choice("product", PRODUCTS),
        _owed("requested_minor"),
        _instant("submitted_at", True),
        _owed("income_declared_minor"),
        _id("employer_token"),
        _id("address_token"),
        _id("device_token"),
        _id("phone_token"),
        Column("contact_tokens", Kind.IDS),
        *_text("decision"),
        _owed("approved_minor"),
        _instant("decided_at"),
        Column("bad", Kind.FLAG),
        _day("bad_as_of", past=False),
    ),
    "signs of concealment in shared devices, phones and declared incomes",
)

_IDENTITY_CHECKS = Table(
    "identity_checks",
    ("check_id",),
    (
        _id("check_id", True),
        _id("borrower_id", True, "borrowers"),
        _choice("kind", ("id_number", "name_id", "four_factor", "face", "device", "address"), True),
        _choice("result", ("match", "mismatch", "unavailable", "restricted"), True),
        _instant("checked_at", True),
        *_text("provider"),
        _owed("cost_minor"),
    ),
    "identity evidence behind a cause",
)

_TRADELINES = Table(
    "tradelines",
    ("borrower_id", "lender_token", "line_token", "as_of"),
    (
        _id("borrower_id", True, "borrowers"),
        _id("lender_token", True),
        _id("line_token", True),
        _day("as_of", True),
        _choice("product", PRODUCTS),
        _day("opened_on"),
        _owed("limit_minor"),
        _amount("balance_minor"),
        *_DPD,
        *_text("source"),
        _id("consent_id"),
        _owed("cost_minor"),
    ),
    "lines at other lenders: exposure, spread and plans over all creditors",
)

_EVENTS = Table(
    "events",
    ("event_id",),
    (
        _id("event_id", True),
        _choice("kind", EVENT_KINDS, True),
        _id("borrower_id", True, "borrowers"),
        _id("account_id", references="accounts"),
        _instant("effective_at", True),
        _instant("booked_at"),
        _amount("amount_minor"),
        Column("payload", Kind.JSON),
    ),
    "income breaks, hardship and disputes behind causes and treatments",
)

_CONTACTS = Table(
    "contacts",
    ("contact_id",),
    (
        _id("contact_id", True),
        _id("borrower_id", True, "borrowers"),
        _id("account_id", references="accounts"),
        _instant("at", True),
        _choice("channel", ("app", "sms", "letter", "email", "bot_call", "call", "visit"), True),
        *_text("direction"),
        _id("actor_id"),
        _choice("target", ("debtor", "guarantor", "spouse", "other")),
        _id("contact_point_token"),
        Column("answered", Kind.FLAG),
        Column("conversation", Kind.FLAG),
        *_text("treatment"),
        _number("propensity", 0, 1),
        *_text("outcome"),
        _owed("promised_minor"),
        _day("promised_on", past=False),
    ),
    "contact caps already used and promises in force",
)

_CONSENTS = Table(
    "consents",
    ("consent_id",),
    (
        _id("consent_id", True),
        _id("borrower_id", references="borrowers"),
        *_text("purpose"),
        _instant("given_at"),
        _instant("withdrawn_at"),
    ),
    "consent to contact at night or by a third party",
)

_COMPLAINTS = Table(
    "complaints",
    ("complaint_id",),
    (
        _id("complaint_id", True),
        _id("borrower_id", references="borrowers"),
        *_text("channel", "kind"),
        _instant("at"),
        _instant("resolved_at"),
    ),
    "complaints that send a case to a person",
)

_RECOVERIES = Table(
    "recoveries",
    ("recovery_id",),
    (
        _id("recovery_id", True),
        _id("account_id", references="accounts"),
        _instant("at"),
        _owed("amount_minor"),
        *_text("via"),
    ),
    "loss given default from money recovered",
)

_OUTCOMES = Table(
    "outcomes",
    ("account_id", "as_of"),
    (
        _id("account_id", True, "accounts"),
        _day("as_of", True),
        Column("bad", Kind.FLAG, True),
        _integer("horizon_months", 1, 600),
        _day("known_on", past=False),
        *_text("definition"),
    ),
    "labels of the lender's own definition",
)

_PARTIES = Table(
    "parties",
    ("party_id",),
    (
        _id("party_id", True),
        _choice("role", ("lender", "platform", "funder", "guarantor", "servicer")),
        _choice("actor_type", ACTOR_TYPES),
        *_text("jurisdiction", "name"),
    ),
    "the law of each lender's actor type",
)

_MACRO = Table(
    "macro",
    ("region", "month", "industry"),
    (
        Column("region", Kind.TEXT, True),
        _month(),
        _number("unemployment", 0, 1),
        _number("output_growth", -1, 10),
        _number("price_growth", -1, 10),
        *_text("industry"),
    ),
    "macro and industry shocks as a cause",
)

# The identity vault's table: named here so that it is recognised, read by nothing else (CONTRACT 1).
IDENTITIES = "identities"

TABLES: Mapping[str, Table] = MappingProxyType(
    {
        table.name: table
        for table in (
            _ACCOUNTS, _PERIODS, _INSTALMENTS, _PAYMENTS, _BORROWERS, _APPLICATIONS, _IDENTITY_CHECKS, _TRADELINES,
            _EVENTS, _CONTACTS, _CONSENTS, _COMPLAINTS, _RECOVERIES, _OUTCOMES, _PARTIES, _MACRO,
        )
    }
)  # fmt: skip
