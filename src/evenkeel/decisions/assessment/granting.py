"""Every application of a book decided by the granting policy: `grant` rows of decisions.parquet, and what goes along.

A grant is decided as of the day of its application, on what was known then. What would change an adverse outcome is
found by asking the policy again with one fact changed, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import Panel
from evenkeel.decisions.assessment.applicants import Applicants, opened_account, score_applicants
from evenkeel.decisions.assessment.assess import MOST_REASONS, Context, assess, learn_norms
from evenkeel.decisions.assessment.duties import duties_of
from evenkeel.decisions.assessment.requests import BoolArray, FloatArray, IntArray, numbers
from evenkeel.decisions.limits import DECISIONS_SCHEMA, REASON
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.ids import content_id
from evenkeel.policy.program import Evaluated, Program

STEP_MINOR: Final = 10_000  # a part of what was asked for is granted in whole hundreds
FAVOURABLE: Final = ("approve", "approve_less")
SHARES: Final = (750, 500, 250, 100)  # thousandths of the request that are tried in its place
INPUTS: Final = (
    "identity", "watch_list", "stale", "age", "forgery", "income_low_minor", "service_to_income",
    "exposure_group_minor", "requested_minor", "lines", "new_lines_90d", "inquiries_30d", "requests_in_flight",
    "income_verified", "income_verified_minor",
)  # fmt: skip
CHANGE = pa.struct([("code", pa.string()), ("amount_minor", pa.int64())])
DUTY = pa.struct([("id", pa.string()), ("kind", pa.string()), ("effect", pa.string()), ("until", pa.date32())])
GRANTS_SCHEMA = pa.schema(
    [
        ("decision_id", pa.string()),
        ("application_id", pa.string()),
        ("lender_id", pa.string()),
        ("requested_minor", pa.int64()),
        ("outcome", pa.string()),  # approve, approve_less, refer, decline
        ("granted_minor", pa.int64()),  # 0 where declined, null where a person decides
        ("forgery", pa.float64()),
        ("suspect", pa.bool_()),
        ("would_change", pa.list_(CHANGE)),
        ("duties", pa.list_(DUTY)),
    ]
)


@dataclass(frozen=True, slots=True)
class Granted:
    """decisions: DECISIONS_SCHEMA, one `grant` row an application, sorted by application. grants: GRANTS_SCHEMA, the
    same rows. In decisions `approve_less` is `approve` with a smaller limit_after_minor, as the contract has it.
    summary: counts and versions, as JSON takes them."""

    decisions: pa.Table
    grants: pa.Table
    summary: Mapping[str, object]


def grant_book(
    tables: Mapping[str, pa.Table], panel: Panel, program: Program, *, jurisdiction: str, seed: int,
    features_version: str,
) -> Granted | None:  # fmt: skip
    """Assess, score and decide every application of a book; None where it has none.

    tables: of the contract, as they were known on as_of. The book keeps no watch list, so nobody is on one. Raises
    InvalidInput where the policy does not decide grants.
    """
    applications = tables.get("applications")
    if applications is None or applications.num_rows == 0:
        return None
    if program.kind != "grant":
        raise InvalidInput(f"the policy {program.name} decides a {program.kind}, not a grant.")
    norms = learn_norms(tables, panel.zone)
    assessed = assess(applications, Context(tables, norms, panel.zone, watched=frozenset()))
    scored = score_applicants(panel, tables, assessed, seed)
    place = opened_account(applications, tables["accounts"])
    accounts = tables["accounts"]["account_id"].combine_chunks().take(pa.array(place, mask=place < 0))
    granted = decide_grants(
        applications, assessed, scored, program,
        accounts=accounts, zone=panel.zone, jurisdiction=jurisdiction, features_version=features_version,
    )  # fmt: skip
    counted = pc.value_counts(granted.grants["outcome"]).to_pylist()
    summary = {
        "applications": applications.num_rows,
        "outcomes": {entry["values"]: entry["counts"] for entry in sorted(counted, key=lambda entry: entry["values"])},
        "requested_minor": pc.sum(granted.grants["requested_minor"], min_count=0).as_py(),
        "granted_minor": pc.sum(granted.grants["granted_minor"], min_count=0).as_py(),
        "suspect": pc.sum(granted.grants["suspect"].cast(pa.int64()), min_count=0).as_py(),
        "suspect_from": norms.suspect_from,
        "forged_expected": float(pc.sum(granted.grants["forgery"]).as_py()),
        "scored": int((~np.isnan(scored.pd_out_of_sample)).sum()),
        "model_missing": scored.missing or None,
        "versions": {"norms": norms.version, "model": scored.version, "policy": program.version},
    }
    return replace(granted, summary=summary)


def decide_grants(
    applications: pa.Table, assessed: pa.Table, scored: Applicants, program: Program, *,
    accounts: pa.Array, zone: str, jurisdiction: str, features_version: str,
) -> Granted:  # fmt: skip
    """applications: of the contract. assessed: of `assess`, scored: of score_applicants, in the same order.

    accounts: (n,) ids of the accounts that the applications opened, null for none.
    """
    order = pc.sort_indices(applications["application_id"])
    inputs = policy_inputs(assessed, scored)
    judged = program.evaluate(inputs, _ages(assessed.num_rows))
    outcome = judged.outcomes()
    granted, outcome = _amounts(judged, outcome, assessed)
    days = pc.local_timestamp(applications["submitted_at"].cast(pa.timestamp("us", tz=zone))).cast(
        pa.date32(), safe=False
    )
    versions = (features_version, scored.version or "", program.version)
    ids = pa.array(
        [content_id("decision", "grant", name, *versions) for name in assessed["application_id"].to_pylist()]
    )
    refused = pa.array(outcome == "refer")
    pd_, pd_outside = (pa.array(p, mask=np.isnan(p)) for p in (scored.pd, scored.pd_out_of_sample))
    size = applications.num_rows
    decisions = {
        "decision_id": ids,
        "kind": pa.repeat(pa.scalar("grant"), size),
        "account_id": accounts,
        "borrower_id": assessed["borrower_id"],
        "as_of": days,
        "outcome": pa.array(np.where(outcome == "approve_less", "approve", outcome)),
        "limit_before_minor": pa.nulls(size, pa.int64()),
        "limit_after_minor": pc.if_else(refused, pa.scalar(None, pa.int64()), pa.array(granted)),
        "pd": pd_,
        "pd_out_of_sample": pd_outside,
        "bad": pa.array(scored.bad == 1, mask=scored.bad < 0),
        "score": pa.array(scored.score, mask=np.isnan(scored.score)).cast(pa.int32()),
        "reasons": _reasons(judged, outcome, program, assessed, scored),
        "missing": _missing(judged),
        "features_version": pa.repeat(pa.scalar(features_version), size),
        "model_version": pa.repeat(pa.scalar(scored.version, pa.string()), size),
        "policy_version": pa.repeat(pa.scalar(program.version), size),
    }
    grants = {
        "decision_id": ids,
        "application_id": assessed["application_id"],
        "lender_id": applications["lender_id"],
        "requested_minor": assessed["requested_minor"],
        "outcome": pa.array(outcome),
        "granted_minor": decisions["limit_after_minor"],
        "forgery": assessed["forgery"],
        "suspect": assessed["suspect"],
        "would_change": _changes(program, inputs, assessed, outcome),
        "duties": _duties(outcome, days, jurisdiction),
    }
    return Granted(
        pa.table(decisions, schema=DECISIONS_SCHEMA).take(order), pa.table(grants, schema=GRANTS_SCHEMA).take(order), {}
    )


def policy_inputs(assessed: pa.Table, scored: Applicants) -> dict[str, pa.Array | FloatArray]:
    """The inputs of the granting policy, null where not known: pd is what models of earlier applications said."""
    inputs: dict[str, pa.Array | FloatArray] = {name: assessed[name].combine_chunks() for name in INPUTS}
    return inputs | {"pd": scored.pd_out_of_sample, "score": scored.score}


# Inputs that are of the instant of the application itself. Of others the age is not known, so that a policy with a
# greatest age for one of them takes it as not known.
_OF_TODAY: Final = (
    "age", "forgery", "watch_list", "stale", "requested_minor", "requests_in_flight", "inquiries_30d", "pd", "score",
)  # fmt: skip


def _ages(size: int) -> dict[str, FloatArray]:
    return dict.fromkeys(_OF_TODAY, np.zeros(size))


def _amounts(
    judged: Evaluated, outcome: npt.NDArray[np.str_], assessed: pa.Table
) -> tuple[IntArray, npt.NDArray[np.str_]]:
    """(granted in minor units, outcome): a part that is less than one step is for a person to look at."""
    requested = np.nan_to_num(numbers(assessed, "requested_minor")).astype(np.int64)
    factor, amount = judged.amount("factor"), judged.amount("amount_minor")
    per_mille = np.rint(1000 * np.nan_to_num(np.clip(factor, 0, 1))).astype(np.int64)
    part = requested * per_mille // 1000
    part = np.where(np.isnan(amount), part, np.minimum(requested, np.nan_to_num(amount).astype(np.int64)))
    part = part // STEP_MINOR * STEP_MINOR
    outcome = np.where((outcome == "approve_less") & (part <= 0), "refer", outcome)
    return np.where(outcome == "approve", requested, np.where(outcome == "approve_less", part, 0)), outcome


def _missing(judged: Evaluated) -> pa.Array:
    """Names of the required facts that were not known."""
    if not judged.missing:
        return pa.array([[]] * len(judged.outcome), pa.list_(pa.string()))
    hits = np.column_stack(list(judged.missing.values()))
    offsets = np.concatenate(([0], np.cumsum(hits.sum(axis=1)))).astype(np.int32)
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(list(judged.missing)).take(pa.array(np.nonzero(hits)[1]))
    )


# Codes of the policy that are told apart further: by the signs of forgery, or by what cost points in the score.
_BY_SIGNS: Final = frozenset(("facts_forged", "facts_doubtful"))
_BY_MODEL: Final = frozenset(("risk_high", "risk_raised", "score_low"))


def _reasons(
    judged: Evaluated, outcome: npt.NDArray[np.str_], program: Program, assessed: pa.Table, scored: Applicants
) -> pa.Array:
    """At most four a row: the policy's own, then the signs or the concepts of the score behind an adverse one."""
    codes, source = judged.reasons.objects(), [f"policy:{key}" for key in program.rows]
    row = judged.row.tolist()
    signs = assessed["signs"].to_pylist()
    worst = np.argsort(scored.points, axis=1, kind="stable")[:, :MOST_REASONS] if scored.concepts else None
    reasons = []
    for place, own in enumerate(codes):
        names = own if isinstance(own, tuple | list) else ()
        by = source[row[place]] if row[place] >= 0 else "policy"
        given: list[dict[str, object]] = [{"code": str(name), "points": None, "source": by} for name in names]
        if outcome[place] == "refer" and not given:
            given.append({"code": "facts_unclear", "points": None, "source": "policy"})
        told = {str(name) for name in names}
        if told & _BY_SIGNS:
            given += [{**sign, "code": f"sign_{sign['code']}"} for sign in signs[place]]
        if told & _BY_MODEL and worst is not None:
            given += _concepts(scored, place, worst[place])
        reasons.append(given[:MOST_REASONS])
    return pa.array(reasons, pa.list_(REASON))


def _concepts(scored: Applicants, place: int, worst: IntArray) -> list[dict[str, object]]:
    return [
        {"code": scored.concepts[k], "points": round(float(scored.points[place, k]), 1), "source": "model"}
        for k in worst.tolist()
        if scored.points[place, k] < -0.5
    ]


# One fact changed at a time: the code of what would have to change, and the inputs as they would be then.
_FACTS: Final[tuple[tuple[str, Mapping[str, object]], ...]] = (
    ("income_proven", {"income_verified": True}),
    ("identity_verified", {"identity": "verified"}),
    ("facts_confirmed", {"forgery": 0.0}),
    ("others_answered", {"requests_in_flight": 0}),
    ("no_new_lines", {"new_lines_90d": 0, "inquiries_30d": 0}),
)
# A mismatch is not cured by a better answer, nor a watch list by a smaller amount.
_FIXED: Final = ("mismatch",)


def _changes(
    program: Program, inputs: Mapping[str, pa.Array | FloatArray], assessed: pa.Table, outcome: npt.NDArray[np.str_]
) -> pa.Array:
    """For each adverse outcome the single changes with which the policy would have granted, at most four."""
    adverse = np.flatnonzero(~np.isin(outcome, FAVOURABLE))
    found: list[list[dict[str, object]]] = [[] for _ in range(len(outcome))]
    if len(adverse):
        here = pa.array(adverse)
        part = {name: values.take(here) if isinstance(values, pa.Array) else values[adverse]
                for name, values in inputs.items()}  # fmt: skip
        for code, amounts, grants in _tried(program, part, assessed.take(here)):
            for place in np.flatnonzero(grants).tolist():
                found[adverse[place]].append({"code": code, "amount_minor": amounts[place]})
    return pa.array([changes[:MOST_REASONS] for changes in found], pa.list_(CHANGE))


def _tried(
    program: Program, part: dict[str, pa.Array | FloatArray], assessed: pa.Table
) -> list[tuple[str, list[int | None], BoolArray]]:
    """(code, amount, whether the policy would grant) of every change."""
    size = assessed.num_rows
    results: list[tuple[str, list[int | None], BoolArray]] = []
    done = np.zeros(size, bool)
    for share in SHARES:
        smaller = _smaller(assessed, share)
        grants = np.isin(program.evaluate(part | smaller, _ages(size)).outcomes(), FAVOURABLE) & ~done
        done |= grants
        results.append(("smaller_amount", smaller["requested_minor"].to_pylist(), grants))
    unlike = ~pc.fill_null(pc.is_in(assessed["identity"], pa.array(_FIXED)), False).to_numpy().astype(bool)
    for code, facts in _FACTS:
        changed = {name: pa.repeat(pa.scalar(value), size) for name, value in facts.items()}
        grants = np.isin(program.evaluate(part | changed, _ages(size)).outcomes(), FAVOURABLE)
        results.append((code, [None] * size, grants & (unlike if "identity" in facts else True)))
    return results


def _smaller(assessed: pa.Table, share: int) -> dict[str, pa.Array]:
    """Amount and service of a request of so many thousandths, in whole steps."""
    requested = numbers(assessed, "requested_minor")
    less = np.floor(requested * share / 1000 / STEP_MINOR) * STEP_MINOR
    before, after = numbers(assessed, "service_minor"), numbers(assessed, "service_after_minor")
    middle = numbers(assessed, "income_middle_minor")
    with np.errstate(divide="ignore", invalid="ignore"):
        service = (before + (after - before) * less / requested) / np.where(middle > 0, middle, np.nan)
    known = np.isfinite(less) & (less > 0)
    amount = pa.array(np.where(known, less, 0).astype(np.int64), mask=~known)
    return {"requested_minor": amount, "service_to_income": pa.array(service, from_pandas=True)}


def _duties(outcome: npt.NDArray[np.str_], days: pa.ChunkedArray, jurisdiction: str) -> pa.Array:
    """The duties of each outcome on its day."""
    known: dict[tuple[str, date], list[dict[str, object]]] = {}
    rows = []
    for word, day in zip(outcome.tolist(), days.to_pylist(), strict=True):
        if (word, day) not in known:
            known[word, day] = [
                {"id": duty.id, "kind": duty.kind, "effect": duty.effect, "until": duty.until(day)}
                for duty in duties_of(word, jurisdiction, day)
            ]
        rows.append(known[word, day])
    return pa.array(rows, pa.list_(DUTY))
