"""Applications in `evenkeel show`: what was asked for, what is decided of it, why, and what would change it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from evenkeel.decisions.assessment.duties import load_duties
from evenkeel.kernel.money import Money
from evenkeel.kernel.text import Texts

Row = Mapping[str, Any]


def read_grants(folder: Path, decisions: pa.Table) -> pa.Table | None:
    """The applications of a run, with the decision on each; None where it decided none."""
    path = folder / "grants.parquet"
    if not path.is_file():
        return None
    grants = pq.read_table(path)
    place = pc.index_in(grants["decision_id"].combine_chunks(), decisions["decision_id"].combine_chunks())
    told = decisions.take(place)
    for name in ("account_id", "borrower_id", "as_of", "pd_out_of_sample", "reasons", "missing"):
        grants = grants.append_column(name, told[name])
    return grants


def grants_where(grants: pa.Table | None, column: str, value: str) -> list[dict[str, Any]]:
    """The applications in which a column has a value, in the order of their days."""
    if grants is None:
        return []
    found = grants.filter(pc.equal(grants[column], value))
    rows: list[dict[str, Any]] = found.sort_by([("as_of", "ascending"), ("application_id", "ascending")]).to_pylist()
    return rows


def grant_documents(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The applications as JSON can hold them."""
    documents: list[dict[str, Any]] = json.loads(json.dumps(list(rows), default=str))
    return documents


def grant_words(row: Row, say: Texts, currency: str) -> list[str]:
    """One application, line by line."""

    def money(minor: int | None) -> str:
        return say("show.unknown") if minor is None else str(Money(minor, currency))

    decided = say(f"outcome.{row['outcome']}")
    if row["outcome"] == "approve_less":
        decided += f" ({say('show.granted', amount=money(row['granted_minor']))})"
    lines = [
        say(
            "show.application", application=row["application_id"], borrower=row["borrower_id"], day=row["as_of"],
            requested=money(row["requested_minor"]), lender=row["lender_id"] or say("show.unknown"),
        ),
        "  " + say("show.decision", outcome=decided),
    ]  # fmt: skip
    for reason in row["reasons"]:
        key = f"reason.{reason['code']}"
        points = "" if reason["points"] is None else f" ({reason['points']:+.1f})"
        lines.append(f"    · {say(key) if key in say else reason['code']}{points}")
    if row["forgery"] is not None:
        lines.append("  " + say("show.forgery", p=f"{row['forgery']:.1%}"))
    for change in row["would_change"] or []:
        words = say(f"change.{change['code']}")
        amount = change["amount_minor"]
        told = words if amount is None else say("show.change_to", change=words.rstrip(".。"), amount=money(amount))
        lines.append(f"    → {told}")
    statements = {duty.id: duty.statement[say.language] for duty in load_duties()}
    for duty in row["duties"] or []:
        until = f" (≤ {duty['until']})" if duty["until"] else ""
        lines.append(f"    § {statements.get(duty['id'], duty['id'])}{until}")
    return lines
