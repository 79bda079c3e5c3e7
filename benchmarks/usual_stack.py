"""The usual stack, asked the same question by benchmarks/decisions.py: `python usual_stack.py URL BORROWERS WORKERS`.

FastAPI and pydantic, a pool of threads, SQLAlchemy with one transaction a request, a scikit-learn model asked for one
row, the policy as code. It runs in an environment of its own (fastapi, uvicorn[standard], sqlalchemy, psycopg[binary],
scikit-learn); nothing of evenkeel is imported. Prints its port.
"""

from __future__ import annotations

import json
import socket
import sys
import uuid
from datetime import UTC, datetime, timedelta

import numpy as np
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI, Header, HTTPException
from pydantic import BaseModel, Field
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FEATURES, EVENTS = 60, 20


class Asked(BaseModel):
    borrower_id: str = Field(min_length=1, max_length=64)
    account_id: str = Field(min_length=1, max_length=64)
    amount_minor: int = Field(ge=1, le=10**12)
    category: str | None = None
    channel: str | None = None
    facts: dict[str, float | bool | str | None] = {}


def prepared(url: str, borrowers: int) -> sa.Engine:
    """The tables, made once: a line and 20 events a borrower."""
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"), pool_size=20, max_overflow=10)
    with engine.begin() as connection:
        if connection.execute(sa.text("SELECT to_regclass('usual_line')")).scalar() is None:
            for statement in (
                "CREATE TABLE usual_line (account_id text PRIMARY KEY, borrower_id text, available_minor bigint, "
                "held_minor bigint DEFAULT 0)",
                "CREATE TABLE usual_event (borrower_id text, at timestamptz, kind text, amount_minor bigint)",
                "CREATE TABLE usual_decision (id uuid PRIMARY KEY, key text UNIQUE, borrower_id text, outcome text, "
                "score double precision, features jsonb, at timestamptz)",
                f"INSERT INTO usual_line SELECT 'a' || n, 'b' || n, 100000000 "  # noqa: S608 - a number
                f"FROM generate_series(0, {borrowers}) n",
                "INSERT INTO usual_event SELECT 'b' || n, now() - interval '1 day' * (e * 4), 'purchase', e * 100 "  # noqa: S608
                f"FROM generate_series(0, {borrowers}) n, generate_series(1, {EVENTS}) e",
                "CREATE INDEX ON usual_event (borrower_id, at)",
            ):
                connection.execute(sa.text(statement))
    return engine


def model() -> object:
    rng = np.random.default_rng(1)
    rows = rng.lognormal(size=(5000, FEATURES))
    return make_pipeline(StandardScaler(), LogisticRegression(max_iter=200)).fit(rows, rng.random(5000) < 0.1)


def features(events: list[tuple[datetime, str, int]], now: datetime) -> list[float]:
    """60 windowed values, as they are usually written: a loop a window."""
    values: list[float] = []
    for days in (1, 7, 14, 30, 60, 90, 120, 180, 270, 365):
        amounts = [amount for at, _, amount in events if at > now - timedelta(days=days)]
        values += [len(amounts), sum(amounts), max(amounts, default=0), min(amounts, default=0),
                   sum(amounts) / len(amounts) if amounts else 0, len({kind for _, kind, _ in events})]  # fmt: skip
    return values


def main() -> None:
    url, borrowers = sys.argv[1], int(sys.argv[2])
    engine, scoring, app = prepared(url, borrowers), model(), FastAPI()

    @app.post("/v1/authorisations")
    def authorise(asked: Asked, idempotency_key: str = Header()) -> dict[str, object]:
        now = datetime.now(UTC)
        with engine.begin() as connection:
            known = connection.execute(
                sa.text("SELECT id, outcome FROM usual_decision WHERE key = :key"), {"key": idempotency_key}
            ).first()
            if known:
                return {"decision_id": str(known.id), "outcome": known.outcome}
            line = connection.execute(
                sa.text("SELECT available_minor FROM usual_line WHERE account_id = :id FOR UPDATE"),
                {"id": asked.account_id},
            ).first()
            if line is None:
                raise HTTPException(404)
            events = connection.execute(
                sa.text("SELECT at, kind, amount_minor FROM usual_event WHERE borrower_id = :id"),
                {"id": asked.borrower_id},
            ).all()
            values = features([tuple(event) for event in events], now)
            p = float(scoring.predict_proba(np.array([values]))[0, 1])  # type: ignore[attr-defined]
            approved = asked.amount_minor <= line.available_minor and p < 0.9
            name = uuid.uuid4()
            connection.execute(
                sa.text("INSERT INTO usual_decision VALUES (:id, :key, :who, :outcome, :score, :features, :at)"),
                {"id": name, "key": idempotency_key, "who": asked.borrower_id, "at": now, "score": p,
                 "outcome": "approve" if approved else "decline", "features": json.dumps(values)},
            )  # fmt: skip
            if approved:
                connection.execute(
                    sa.text("UPDATE usual_line SET available_minor = available_minor - :a, "
                            "held_minor = held_minor + :a WHERE account_id = :id"),
                    {"a": asked.amount_minor, "id": asked.account_id},
                )  # fmt: skip
                connection.execute(
                    sa.text("INSERT INTO usual_event VALUES (:who, :at, 'purchase', :a)"),
                    {"who": asked.borrower_id, "at": now, "a": asked.amount_minor},
                )
        return {"decision_id": str(name), "outcome": "approve" if approved else "decline", "score": p}

    sock = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(sock.getsockname()[1], flush=True)
    uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False)).run(sockets=[sock])


if __name__ == "__main__":
    main()
