"""Stage 4, decide: raise, keep, lower, freeze or refer each account, by a policy in DMN, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from evenkeel.accounts.panel import Panel
from evenkeel.decisions.limit_inputs import LimitInputs
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.ids import content_id
from evenkeel.policy.outcomes import MOST_REASONS
from evenkeel.policy.program import Evaluated, Program
from evenkeel.scoring.score import Scored

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
TextArray = npt.NDArray[np.str_]

# Factors are thousandths up to ten and steps at most a million, so that no limit of the contract leaves int64.
_MOST_PER_MILLE = 10_000
_LARGEST_STEP = 100_000_000

REASON = pa.struct([("code", pa.string()), ("points", pa.float64()), ("source", pa.string())])
DECISIONS_SCHEMA = pa.schema(
    [
        ("decision_id", pa.string()),
        ("kind", pa.string()),
        ("account_id", pa.string()),
        ("borrower_id", pa.string()),
        ("as_of", pa.date32()),
        ("outcome", pa.string()),
        ("limit_before_minor", pa.int64()),
        ("limit_after_minor", pa.int64()),
        ("pd", pa.float64()),
        ("pd_out_of_sample", pa.float64()),
        ("bad", pa.bool_()),
        ("score", pa.int32()),
        ("reasons", pa.list_(REASON)),
        ("missing", pa.list_(pa.string())),
        ("features_version", pa.string()),
        ("model_version", pa.string()),
        ("policy_version", pa.string()),
    ]
)

# The outcomes against which a person may ask: they are explained by the score's own reasons too.
_ADVERSE = ("lower", "freeze", "refer")

# Which facts of the book stand behind an input, as they are named in `missing`.
_FACTS = {"pd": "score", "worst_12m": "history", "overdue_elsewhere": "other_lines", "hardship": "events"}

# Inputs that are unknown only where another named fact is.
_DERIVED = ("limit_known", "utilisation", "service_to_income", "over_granted", "months_on_file", "stale")

_SILENT = "policy_silent"  # the reason where a policy gives none


@dataclass(frozen=True, slots=True)
class Decided:
    """table: one `limit` decision an account. waiting: what would be moved if facts were known of which the book tells
    nothing: `unknown` (as in `missing`), `outcome`, `accounts`. unread: inputs of the policy that a run never gives."""

    table: pa.Table
    waiting: tuple[Mapping[str, object], ...]
    unread: tuple[str, ...]


def decide(
    panel: Panel, scored: Scored, inputs: LimitInputs, policy: Program, as_of: date, features_version: str
) -> Decided:
    """One `limit` decision for each account on book (CONTRACT 3, decisions.parquet), sorted by account.

    Raises InvalidInput where the policy does not decide limits, or its step is none.
    """
    if policy.kind != "limit":
        raise InvalidInput(f"the policy {policy.name} decides a {policy.kind}, not a limit.")
    facts = inputs.facts
    months = panel.months.take(pa.array(scored.rows))
    owners = panel.accounts.take(months["account"])
    judged = policy.evaluate(facts, inputs.ages)
    step = step_minor(policy)
    moved = _moved(facts, judged, step)
    account_ids = owners["account_id"].combine_chunks()
    versions = (features_version, scored.version or "", policy.version)
    ids = [
        content_id("decision", "limit", account, as_of.isoformat(), *versions) for account in account_ids.to_pylist()
    ]
    size = len(ids)
    table = pa.table(
        {
            "decision_id": pa.array(ids),
            "kind": pa.repeat(pa.scalar("limit"), size),
            "account_id": account_ids,
            "borrower_id": owners["borrower_id"],
            "as_of": pa.repeat(pa.scalar(as_of), size),
            "outcome": pa.array(moved.outcome),
            "limit_before_minor": moved.before,
            "limit_after_minor": moved.after,
            "pd": _nullable(scored.pd),
            "pd_out_of_sample": _nullable(scored.pd_out_of_sample),
            "bad": pa.array(scored.bad == 1, mask=scored.bad < 0),
            "score": pa.array(scored.score, mask=np.isnan(scored.pd)),
            "reasons": _reasons(scored, policy, judged, moved),
            "missing": _missing(judged, facts),
            "features_version": pa.repeat(pa.scalar(features_version), size),
            "model_version": pa.repeat(pa.scalar(scored.version, pa.string()), size),
            "policy_version": pa.repeat(pa.scalar(policy.version), size),
        },
        schema=DECISIONS_SCHEMA,
    )
    unread = tuple(item.name for item in policy.inputs if item.name not in facts)
    return Decided(table, _waiting(policy, inputs, moved, step), unread)


def step_minor(policy: Program) -> int:
    """Limits move to whole multiples of this: the policy's decision `step_minor`, else 1. Raises InvalidInput."""
    if "step_minor" not in policy.decisions:
        return 1
    step = policy.value("step_minor")
    if not isinstance(step, Decimal) or step != int(step) or not 1 <= step <= _LARGEST_STEP:
        raise InvalidInput(
            f"`step_minor` of the policy {policy.name} is {step}.", f"Give a whole number from 1 to {_LARGEST_STEP}."
        )
    return int(step)


def _nullable(values: FloatArray) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


@dataclass(frozen=True, slots=True)
class _Moved:
    """before, after: limits in minor units. outcome: held to what is known. held: why it was, "" where it was not."""

    before: pa.Array
    after: pa.Array
    outcome: TextArray
    held: npt.NDArray[np.object_]


def _moved(facts: Mapping[str, FloatArray], judged: Evaluated, step: int) -> _Moved:
    """What the policy asks for, held to what a limit allows.

    A lowered limit never falls below the balance; where that leaves nothing to lower, the limit is frozen instead. An
    account whose limit or balance is not known, and a loan without a limit, can only be kept, frozen or referred. What
    is called a raise and is none, or a lowering and is none, is for a person, as is a thaw: a report thaws nothing.
    """
    limit, balance = facts["limit"], facts["balance"]
    no_limit = np.isnan(limit) | np.isnan(balance) | (facts["closed_end"] == 1)
    whole = np.where(no_limit, 0, limit).astype(np.int64)
    owed = np.maximum(np.where(no_limit, 0, balance), 0).astype(np.int64)
    outcome = judged.outcomes()
    wanted = _wanted(whole, judged, outcome)
    scaled = wanted // step * step
    covered = -(-owed // step) * step  # the smallest whole step that covers what is owed
    lowered = np.minimum(np.maximum(scaled, covered), whole)
    held = np.full(len(outcome), "", dtype=object)
    for of, instead, where, code in (
        ("raise", "keep", no_limit, "no_limit_to_move"),
        ("lower", "freeze", no_limit, "no_limit_to_move"),
        ("raise", "refer", (wanted < whole), "no_row_decides"),
        ("lower", "refer", (wanted >= whole) & (whole > 0), "no_row_decides"),
        ("lower", "freeze", lowered >= whole, "limit_in_use"),
        ("raise", "keep", scaled <= whole, "raise_below_step"),
        ("thaw", "keep", facts["frozen"] != 1, "not_frozen"),
        ("thaw", "refer", facts["frozen"] == 1, ""),
    ):
        change = (outcome == of) & where
        outcome = np.where(change, instead, outcome)
        held[change] = code
    after = np.where(outcome == "raise", scaled, np.where(outcome == "lower", lowered, whole))
    return _Moved(pa.array(whole, mask=no_limit), pa.array(after, mask=no_limit), outcome, held)


def _wanted(whole: IntArray, judged: Evaluated, outcome: TextArray) -> IntArray:
    """The limit that the policy asks for: `limit_minor`, or `amount_minor`, or `factor` of the limit before.

    A factor counts in thousandths, rounded towards the limit as it is.
    """
    factor = 1000 * np.nan_to_num(np.clip(judged.amount("factor"), 0, _MOST_PER_MILLE // 1000), nan=1.0)
    near = np.abs(factor - np.rint(factor)) < 1e-6
    towards = np.where(outcome == "lower", np.ceil(factor), np.floor(factor))
    wanted = whole * np.where(near, np.rint(factor), towards).astype(np.int64) // 1000
    most = whole * (_MOST_PER_MILLE // 1000)
    for name in ("amount_minor", "limit_minor"):
        amount = judged.amount(name)
        given = ~np.isnan(amount)
        asked = np.floor(np.clip(np.where(given, amount, 0), 0, most.astype(np.float64))).astype(np.int64)
        wanted = np.where(given, np.minimum(asked, most), wanted)
    return wanted


def _waiting(policy: Program, inputs: LimitInputs, moved: _Moved, step: int) -> tuple[Mapping[str, object], ...]:
    """How many limits the policy would raise or lower if the facts were known of which the book tells nothing.

    Found by asking the policy again with those facts as if there were nothing more to tell; only for counting.
    """
    facts = inputs.facts
    read = [item.name for item in policy.inputs if item.name in inputs.untold]
    unknown = {name: np.isnan(facts[name]) & ~np.isnan(inputs.untold[name]) for name in read}
    still = np.isin(moved.outcome, ("keep", "refer"))
    rows = np.flatnonzero(still & np.logical_or.reduce([np.zeros(len(still), bool), *unknown.values()]))
    if not len(rows):
        return ()
    told = {name: inputs.untold.get(name, values)[rows] for name, values in facts.items()}
    ages = {name: np.where(unknown.get(name, False), 0.0, values)[rows] for name, values in inputs.ages.items()}
    then = _moved(told, policy.evaluate(told, ages), step).outcome
    names = [_FACTS.get(name, name) for name in read]
    found: list[Mapping[str, object]] = []
    for outcome in ("raise", "lower"):
        sets = np.column_stack([unknown[name][rows][then == outcome] for name in read])
        kinds, counts = np.unique(sets, axis=0, return_counts=True)
        for kind, count in zip(kinds.tolist(), counts.tolist(), strict=True):
            lacking = [name for name, hit in zip(names, kind, strict=True) if hit]
            found.append({"unknown": lacking, "outcome": outcome, "accounts": count})
    return tuple(found)


def _reasons(scored: Scored, policy: Program, judged: Evaluated, moved: _Moved) -> pa.Array:
    """At most four reasons a row: the policy's own, then for adverse outcomes what cost the most points."""
    size, concepts = len(judged.row), scored.concepts
    own = _own_reasons(judged, moved)
    width = own.shape[1]
    sources = np.array([*(f"policy:{key}" for key in policy.rows), "policy"], dtype=object)[judged.row]
    room = MOST_REASONS - (own != "").sum(axis=1)
    adverse = np.isin(moved.outcome, _ADVERSE) & ~np.isnan(scored.pd)
    best = np.argsort(scored.points, axis=1, kind="stable")[:, :MOST_REASONS]
    points = np.take_along_axis(scored.points, best, axis=1)
    rank = np.arange(best.shape[1])[None, :]
    shown = adverse[:, None] & (points < -0.5) & (rank < room[:, None])
    codes = np.concatenate((own, np.array([*concepts, ""], dtype=object)[np.where(shown, best, len(concepts))]), axis=1)
    values = np.concatenate((np.full((size, width), np.nan), np.where(shown, np.round(points, 1), np.nan)), axis=1)
    model = np.full((size, best.shape[1]), "model", dtype=object)
    origin = np.concatenate((np.repeat(sources[:, None], width, axis=1), model), axis=1)
    keep = codes != ""
    offsets = np.concatenate(([0], np.cumsum(keep.sum(axis=1)))).astype(np.int32)
    flat = values[keep]
    structs = pa.StructArray.from_arrays(
        [pa.array(codes[keep], pa.string()), _nullable(flat), pa.array(origin[keep], pa.string())], fields=list(REASON)
    )
    return pa.ListArray.from_arrays(pa.array(offsets), structs)


def _own_reasons(judged: Evaluated, moved: _Moved) -> npt.NDArray[np.object_]:
    """(n, 5) codes: up to four of the policy, and what held its outcome; "" where there is none."""
    lists = []
    for given in judged.reasons.values:
        codes = [str(code) for code in dict.fromkeys(given)] if isinstance(given, tuple | list) else []
        codes = (codes or [_SILENT])[:MOST_REASONS]
        lists.append([*codes, *[""] * (MOST_REASONS - len(codes))])
    own = np.array(lists, dtype=object).reshape(-1, MOST_REASONS)[judged.reasons.codes]
    held = np.where((own == moved.held[:, None]).any(axis=1), "", moved.held)  # not told twice
    own[(held != "") & (own[:, -1] != ""), -1] = ""
    return np.concatenate((own, held[:, None]), axis=1)


def _missing(judged: Evaluated, facts: Mapping[str, FloatArray]) -> pa.Array:
    """The facts that were not known: score, state, limit, balance, income, and what else the policy requires."""
    required = judged.missing
    flags = {
        _FACTS.get(name, name): required[name] if name in required else np.isnan(facts[name])
        for name in dict.fromkeys(("pd", "state", *required))
        if name not in _DERIVED
    }
    flags["limit"] = np.isnan(facts["limit"]) & (facts["closed_end"] == 0)
    flags["balance"] = np.isnan(facts["balance"])
    if "service_to_income" in required:
        flags["income"] = np.isnan(facts["income"])
        flags["service"] = np.isnan(facts["service_to_income"]) & (facts["income"] > 0)
    hits = np.column_stack(list(flags.values()))
    offsets = np.concatenate(([0], np.cumsum(hits.sum(axis=1)))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(list(flags)).take(pa.array(np.nonzero(hits)[1])))
