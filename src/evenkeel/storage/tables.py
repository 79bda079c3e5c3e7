"""The tables as the programs see them; the migrations make them. Nothing here touches a database."""

from sqlalchemy import BigInteger, Column, DateTime, Identity, LargeBinary, MetaData, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

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
