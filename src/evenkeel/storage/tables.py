"""The tables as the programs see them; the migrations make them. Nothing here touches a database."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Identity,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    Uuid,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

metadata = MetaData()

journal = Table(
    "journal",
    metadata,
    Column("seq", BigInteger, Identity(always=True), primary_key=True),
    Column("event_id", Text, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("borrower_id", Text),
    Column("account_id", Text),
    Column("effective_at", DateTime(timezone=True), nullable=False),
    Column("booked_at", DateTime(timezone=True), nullable=False),
    Column("reversal_of", Text),
    Column("payload", JSONB, nullable=False),
    Column("link", BigInteger, nullable=False),
)

chain = Table(
    "chain",
    metadata,
    Column("link", BigInteger, primary_key=True),
    Column("writer", Uuid, nullable=False),
    Column("number", BigInteger, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("facts", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("key", Text, primary_key=True),
    Column("body_sha256", Text, nullable=False),
    Column("reply", JSONB, nullable=False),
)

# Identity at granting: tokens only. `identity_check` is written when a question is sent and filled in by its answer.

identity_check = Table(
    "identity_check",
    metadata,
    Column("order_id", Text, primary_key=True),
    Column("borrower_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject_token", Text, nullable=False),
    Column("card_token", Text),
    Column("provider", Text, nullable=False),
    Column("asked_at", DateTime(timezone=True), nullable=False),
    Column("result", Text),
    Column("checked_at", DateTime(timezone=True)),
    Column("cost_minor", BigInteger),
    Column("detail_code", Text),
    Column("lost", Boolean),
    Column("person_token", Text),
    Column("birth_year", Integer),
)

identity_link = Table(
    "identity_link",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("token", Text, primary_key=True),
    Column("borrower_id", Text(collation="C"), primary_key=True),
    Column("first_at", DateTime(timezone=True), nullable=False),
)

watch_entry = Table(
    "watch_entry",
    metadata,
    Column("number", BigInteger, Identity(always=True), primary_key=True),
    Column("list_name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("effective_from", Date, nullable=False),
    Column("effective_until", Date),
    Column("booked_at", DateTime(timezone=True), nullable=False),
    Column("withdrawn_at", DateTime(timezone=True)),
)

api_key = Table(
    "api_key",
    metadata,
    Column("key_id", Text, primary_key=True),
    Column("lender_id", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("note", Text, nullable=False),
    Column("secret_sha256", LargeBinary, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
    Column("revoked_at", DateTime(timezone=True)),
)

# The identity vault: sealed values, marks to search by, who looked, and the shards that are to be destroyed.

vault_key = Table(
    "vault_key",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("vault_id", Uuid, nullable=False),
    Column("check_value", LargeBinary, nullable=False),
    Column("made_at", DateTime(timezone=True), nullable=False),
)

vault_person = Table(
    "vault_person",
    metadata,
    Column("borrower_id", Text, primary_key=True),
    Column("version", Integer),
    Column("slot", BigInteger),
    Column("wrapped", LargeBinary),
    Column("name", LargeBinary),
    Column("id_number", LargeBinary),
    Column("phone", LargeBinary),
    Column("cards", LargeBinary),
    Column("address", LargeBinary),
    Column("erased_at", DateTime(timezone=True)),
)

vault_bucket = Table(
    "vault_bucket",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("bucket", Integer, primary_key=True),
    Column("slot", BigInteger, nullable=False),
)

vault_mark = Table(
    "vault_mark",
    metadata,
    Column("version", Integer, primary_key=True),
    Column("bucket", Integer, primary_key=True),
    Column("mark", LargeBinary, primary_key=True),
    Column("whom", LargeBinary, primary_key=True),
)

vault_doomed = Table("vault_doomed", metadata, Column("slot", BigInteger, primary_key=True))

vault_log = Table(
    "vault_log",
    metadata,
    Column("entry", BigInteger, Identity(always=True), primary_key=True),
    Column("at", DateTime(timezone=True), nullable=False),
    Column("who", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("fields", ARRAY(Text), nullable=False),
    Column("borrower_ids", ARRAY(Text), nullable=False),
)

# Decisions, what decided, and what the hot path reads in one look.

artefact = Table(
    "artefact",
    metadata,
    Column("version", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("content", Text, nullable=False),
)

decision = Table(
    "decision",
    metadata,
    Column("place", BigInteger, Identity(always=True), primary_key=True),
    Column("decision_id", Uuid, nullable=False, unique=True),
    Column("kind", Text, nullable=False),
    Column("lender_id", Text, nullable=False),
    Column("borrower_id", Text, nullable=False),
    Column("account_id", Text),
    Column("decided_at", DateTime(timezone=True), nullable=False),
    Column("known_seq", BigInteger, nullable=False),
    Column("link", BigInteger, nullable=False),
    Column("deciders", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("fired", Integer, nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("used", LargeBinary, nullable=False),
    Column("reply", LargeBinary, nullable=False),
)

borrower = Table(
    "borrower",
    metadata,
    Column("borrower_id", Text, primary_key=True),
    Column("seq", BigInteger, nullable=False),
    Column("behaviour", LargeBinary, nullable=False),
    Column("grants", LargeBinary, nullable=False),
    Column("marks", LargeBinary, nullable=False, server_default=""),
    Column("lines", LargeBinary, nullable=False, server_default=""),
    Column("lines_until", Integer, nullable=False, server_default="0"),
)

application_token = Table(
    "application_token",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("token", Text, primary_key=True),
    Column("at_us", BigInteger, primary_key=True),
    Column("application_id", Uuid, primary_key=True),
    Column("borrower_id", Text, nullable=False),
    Column("address", Text),
    Column("income_minor", BigInteger),
    Column("seen_minor", BigInteger),
    Column("usual_minor", BigInteger),
)
