"""Stage 4, decide: raise, keep, lower, freeze or refer each account, from a policy that is data, with reasons."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.accounts.panel import STATE_INACTIVE, Panel
from evenkeel.kernel.calendar import month_of
from evenkeel.kernel.ids import content_id
from evenkeel.policy.table import MOST_RULE_REASONS, Policy
from evenkeel.scoring.score import Scored

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

MOST_REASONS = MOST_RULE_REASONS + 1
_CLOSED_END = ("instalment", "cash")
_CLOSED = ("closed", "charged_off", "sold")

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


def policy_inputs(
    panel: Panel, scored: Scored, exposure: pa.Table, lines: pa.Table, events: pa.Table | None, as_of: date
) -> dict[str, FloatArray]:
    """The inputs of the limits policy for each account on book, NaN where not known.

    An input that is never known is still there, so that a policy can say `missing`. An account that is on file and is
    not said to be closed counts as open.
    """
    months = panel.months.take(pa.array(scored.rows))
    owners = panel.accounts.take(months["account"])
    place = pc.index_in(owners["borrower_id"].combine_chunks(), exposure["borrower_id"].combine_chunks())
    own = exposure.take(place)
    state = _numbers(months["state"])
    state[state < 0] = np.nan
    limit = _numbers(pc.coalesce(months["limit"], owners["limit_minor"]))
    balance = _numbers(months["balance"])
    with np.errstate(divide="ignore", invalid="ignore"):
        utilisation = np.where(limit > 0, balance / limit, np.nan)
    worst, length = _history(panel, scored.rows)
    ended = pc.less_equal(owners["closed_on"], pa.scalar(as_of))
    closed = pc.or_(pc.is_in(owners["status"], pa.array(_CLOSED)), pc.fill_null(ended, False))
    frozen = pc.fill_null(pc.equal(owners["status"], "frozen"), False)
    return {
        "pd": scored.pd_out_of_sample,
        "state": state,
        "worst_12m": worst,
        "months_on_file": length,
        "utilisation": utilisation,
        "limit": limit,
        "balance": balance,
        "limit_known": (~np.isnan(limit) & ~np.isnan(balance)).astype(np.float64),
        "service_to_income": _numbers(own["service_to_income"]),
        "over_granted": _numbers(own["over_granted"].cast(pa.int8())),
        "overdue_elsewhere": _overdue_elsewhere(own, lines, state),
        "hardship": _on_record(events, owners["borrower_id"], months.num_rows),
        "closed": _numbers(closed.cast(pa.int8())),
        "frozen": _numbers(frozen.cast(pa.int8())),
        "closed_end": _numbers(pc.is_in(owners["product"], pa.array(_CLOSED_END)).cast(pa.int8())),
        "stale": np.full(months.num_rows, float(panel.last_month < _last_whole_month(as_of))),
        "income": _numbers(own["income_minor"]),
    }


def _last_whole_month(day: date) -> int:
    """The newest month whose end can be known on `day`."""
    return month_of(day + timedelta(days=1)) - 1


def _overdue_elsewhere(own: pa.Table, lines: pa.Table, state: FloatArray) -> FloatArray:
    """The borrower's other overdue lines; where none is known to be, but one's state is not known, NaN."""
    late_here = (state >= 1) & (state < STATE_INACTIVE)
    untold = lines.filter(lines["state"].is_null())["borrower_id"].value_counts()
    place = pc.index_in(own["borrower_id"].combine_chunks(), untold.field("values"))
    count = _numbers(pc.fill_null(untold.field("counts").take(place), 0)) - np.isnan(state)
    others = _numbers(own["lines_overdue"]) - late_here
    return np.where((others == 0) & (count > 0), np.nan, others)


def _numbers(column: pa.ChunkedArray | pa.Array) -> FloatArray:
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    values: FloatArray = np.array(array.cast(pa.float64()).to_numpy(zero_copy_only=False))
    return values


def _history(panel: Panel, rows: IntArray) -> tuple[FloatArray, FloatArray]:
    """Worst bucket of the twelve months up to each row (NaN where a month is not known), and months on file."""
    account, state = panel.account, panel.state
    late = np.where(state == STATE_INACTIVE, 0, state).astype(np.float64)
    late[late < 0] = np.nan
    worst = late[rows]
    for back in range(1, 12):
        before = rows - back
        same = (before >= 0) & (account[np.maximum(before, 0)] == account[rows])
        worst = np.where(same, np.maximum(worst, late[np.maximum(before, 0)]), worst)
    start = np.searchsorted(account, account[rows])
    return worst, (rows - start + 1).astype(np.float64)


# The newest of each pair says whether it is in force.
_PAIRS = {
    "hardship": ("hardship", ("plan_completed",)),
    "dispute": ("dispute_opened", ("dispute_closed",)),
    "plan": ("plan_signed", ("plan_broken", "plan_completed")),
}


def _on_record(events: pa.Table | None, borrowers: pa.ChunkedArray, size: int) -> FloatArray:
    """1 where a hardship, a dispute or a plan is in force; 0 where the events show none; NaN without any events."""
    if events is None:
        return np.full(size, np.nan)
    ids = pc.unique(borrowers)
    ids = ids.combine_chunks() if isinstance(ids, pa.ChunkedArray) else ids
    in_force = np.zeros(len(ids), bool)
    for opening, closing in _PAIRS.values():
        opened, closed = _latest(events, (opening,), ids), _latest(events, closing, ids)
        in_force |= (opened > np.iinfo(np.int64).min) & (opened > closed)
    place = pc.index_in(borrowers.combine_chunks(), ids).to_numpy()
    flags: FloatArray = in_force[place].astype(np.float64)
    return flags


def _latest(events: pa.Table, kinds: tuple[str, ...], ids: pa.Array) -> IntArray:
    rows = events.filter(pc.is_in(events["kind"], pa.array(kinds)))
    latest = np.full(len(ids), np.iinfo(np.int64).min)
    place = pc.index_in(rows["borrower_id"].combine_chunks(), ids)
    known = place.is_valid().to_numpy(zero_copy_only=False)
    instants = rows["effective_at"].cast(pa.int64()).to_numpy()[known]
    np.maximum.at(latest, place.drop_null().to_numpy(), instants)
    return latest


def decide(
    panel: Panel,
    scored: Scored,
    inputs: Mapping[str, FloatArray],
    policy: Policy,
    as_of: date,
    features_version: str,
) -> pa.Table:
    """One `limit` decision for each account on book (CONTRACT 3, decisions.parquet), sorted by account."""
    months = panel.months.take(pa.array(scored.rows))
    owners = panel.accounts.take(months["account"])
    fired, read = policy.evaluate(inputs)
    outcome = np.array([rule.outcome for rule in policy.rules])[fired]
    before, after, outcome, held = _limits(inputs, policy, fired, outcome)
    reasons = _reasons(scored, policy, fired, outcome, held)
    account_ids = owners["account_id"].combine_chunks()
    versions = (features_version, scored.version or "", policy.version)
    ids = [
        content_id("decision", "limit", account, as_of.isoformat(), *versions) for account in account_ids.to_pylist()
    ]
    size = len(ids)
    bad = pa.array(scored.bad == 1, mask=scored.bad < 0)
    return pa.table(
        {
            "decision_id": pa.array(ids),
            "kind": pa.repeat(pa.scalar("limit"), size),
            "account_id": account_ids,
            "borrower_id": owners["borrower_id"],
            "as_of": pa.repeat(pa.scalar(as_of), size),
            "outcome": pa.array(outcome),
            "limit_before_minor": before,
            "limit_after_minor": after,
            "pd": _nullable(scored.pd),
            "pd_out_of_sample": _nullable(scored.pd_out_of_sample),
            "bad": bad,
            "score": pa.array(scored.score, mask=np.isnan(scored.pd)),
            "reasons": reasons,
            "missing": _missing(policy, read, inputs),
            "features_version": pa.repeat(pa.scalar(features_version), size),
            "model_version": pa.repeat(pa.scalar(scored.version, pa.string()), size),
            "policy_version": pa.repeat(pa.scalar(policy.version), size),
        },
        schema=DECISIONS_SCHEMA,
    )


def _nullable(values: FloatArray) -> pa.Array:
    return pa.array(values, mask=np.isnan(values))


def _limits(
    inputs: Mapping[str, FloatArray], policy: Policy, fired: IntArray, outcome: npt.NDArray[np.str_]
) -> tuple[pa.Array, pa.Array, npt.NDArray[np.str_], npt.NDArray[np.object_]]:
    """Limits before and after, outcomes held to what is known, and the reason where one was held ("" elsewhere).

    A lowered limit never falls below the balance; where that leaves nothing to lower, the limit is frozen instead. An
    account whose limit or balance is not known, and a loan without a limit, can only be kept, frozen or referred.
    """
    limit, balance = inputs["limit"], inputs["balance"]
    no_limit = np.isnan(limit) | np.isnan(balance) | (inputs["closed_end"] == 1)
    whole = np.where(no_limit, 0, limit).astype(np.int64)
    owed = np.maximum(np.where(no_limit, 0, balance), 0).astype(np.int64)
    factor = np.array([round(rule.factor * 1000) for rule in policy.rules])[fired]
    step = policy.step_minor
    scaled = whole * factor // 1000 // step * step
    covered = -(-owed // step) * step  # the smallest whole step that covers what is owed
    lowered = np.minimum(np.maximum(scaled, covered), whole)
    held = np.full(len(fired), "", dtype=object)
    for of, instead, where, code in (
        ("raise", "keep", no_limit, "no_limit_to_move"),
        ("lower", "freeze", no_limit, "no_limit_to_move"),
        ("lower", "freeze", lowered >= whole, "limit_in_use"),
        ("raise", "keep", scaled <= whole, "raise_below_step"),
    ):
        moved = (outcome == of) & where
        outcome = np.where(moved, instead, outcome)
        held[moved] = code
    after = np.where(outcome == "raise", scaled, np.where(outcome == "lower", lowered, whole))
    return pa.array(whole, mask=no_limit), pa.array(after, mask=no_limit), outcome, held


def _reasons(
    scored: Scored, policy: Policy, fired: IntArray, outcome: npt.NDArray[np.str_], held: npt.NDArray[np.object_]
) -> pa.Array:
    """At most four reasons a row: the rule's own, then for adverse outcomes what cost the most points."""
    size, concepts = len(fired), scored.concepts
    rule_codes = [rule.reasons for rule in policy.rules]
    width = max(len(codes) for codes in rule_codes) + 1
    own = np.array([[*codes, *[""] * (width - len(codes))] for codes in rule_codes], dtype=object)[fired]
    own[:, -1] = held
    sources = np.array([f"policy:{rule.id}" for rule in policy.rules], dtype=object)[fired]
    room = MOST_REASONS - (own != "").sum(axis=1)
    adverse = np.isin(outcome, _ADVERSE) & ~np.isnan(scored.pd)
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


def _missing(policy: Policy, read: Mapping[str, FloatArray], inputs: Mapping[str, FloatArray]) -> pa.Array:
    """The facts that were not known: score, state, limit, balance, income, and what else the policy requires."""
    flags = {
        _FACTS.get(name, name): np.isnan(read.get(name, inputs[name]))
        for name in dict.fromkeys(("pd", "state", *policy.required))
        if name not in _DERIVED
    }
    flags["limit"] = np.isnan(inputs["limit"]) & (inputs["closed_end"] == 0)
    flags["balance"] = np.isnan(inputs["balance"])
    if "service_to_income" in policy.required:
        flags["income"] = np.isnan(inputs["income"])
        flags["service"] = np.isnan(inputs["service_to_income"]) & (inputs["income"] > 0)
    hits = np.column_stack(list(flags.values()))
    offsets = np.concatenate(([0], np.cumsum(hits.sum(axis=1)))).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(list(flags)).take(pa.array(np.nonzero(hits)[1])))
