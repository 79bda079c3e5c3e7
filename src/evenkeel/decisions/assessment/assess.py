"""The assessment of applications, one or a million: what the granting policy reads, and why.

Everything rests on what was known before each application: other applications submitted before it, incomes, lines and
checks of earlier days. `Norms`, what is usual among applicants, are learned apart, from applications without labels,
and are data with a version, so that one application is judged like a million.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from evenkeel.decisions.assessment.burden import Burden, find_burden
from evenkeel.decisions.assessment.contradictions import (
    LEAST_NOISE,
    Contradictions,
    find_contradictions,
    statement_noise,
)
from evenkeel.decisions.assessment.copies import CLOSE, Copies, alike_shares, find_copies
from evenkeel.decisions.assessment.forgery import (
    KINDS,
    SIGNS,
    STATED,
    Weights,
    judge,
    learn_weights,
    levels_of,
    refine,
)
from evenkeel.decisions.assessment.income import NO_PEERS, Income, Peers, assess_income, learn_peers, seen_monthly
from evenkeel.decisions.assessment.requests import FloatArray, IntArray, Requests, read_requests
from evenkeel.decisions.assessment.velocity import Velocity, find_velocity

MOST_REASONS: Final = 4
LEAST_POINTS: Final = 0.5  # of a sign that is given as a reason
MOST_FALSE: Final = 0.05  # share of honest applications that people are asked to look at
LEAST_SUSPECT: Final = 0.02  # below it nobody need look: fifty looks to find one
MOST_SUSPECT: Final = 0.5
SIGN = pa.struct([("code", pa.string()), ("points", pa.float64()), ("source", pa.string())])


@dataclass(frozen=True, slots=True)
class Norms:
    """What is usual among applicants. noise: of honest statements of income, in logs. alike: shares of workmates'
    incomes that are alike. suspect_from: the probability of forgery from which an application is for a person to look
    at. Learned by `learn_norms`, or `USUAL` where there was nothing to learn from."""

    peers: Peers
    noise: float
    alike: tuple[float, ...]
    weights: Weights
    suspect_from: float

    def document(self) -> dict[str, Any]:
        """Its content as JSON takes it."""
        return {
            "peers": self.peers.document(), "noise": self.noise, "alike": list(self.alike),
            "weights": self.weights.document(), "suspect_from": self.suspect_from,
        }  # fmt: skip

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Norms:
        """What `document` gave."""
        return cls(
            Peers.from_document(document["peers"]), float(document["noise"]), tuple(document["alike"]),
            Weights.from_document(document["weights"]),
            float(document["suspect_from"]),
        )  # fmt: skip

    @property
    def version(self) -> str:
        """`norms-` and 16 hex digits of SHA-256 over the content."""
        text = json.dumps(self.document(), sort_keys=True)
        return "norms-" + hashlib.sha256(text.encode()).hexdigest()[:16]


USUAL: Final = Norms(NO_PEERS, 2 * LEAST_NOISE, (0.0,) * len(CLOSE), STATED, 0.05)


@dataclass(frozen=True, slots=True)
class Context:
    """What is known around applications.

    tables: of the contract: borrowers, accounts, periods, instalments, tradelines, events, identity_checks, and
    `applications`, the earlier ones; for a single application those that share its person, a token or its employer are
    enough. zone: the book's. watched: borrowers on a watch list in force, None where no list is kept.
    """

    tables: Mapping[str, pa.Table]
    norms: Norms = USUAL
    zone: str = "Asia/Shanghai"
    watched: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Signals:
    """All signals of the applications of `requests`, each resting on what was known before it."""

    requests: Requests
    income: Income
    contradictions: Contradictions
    copies: Copies
    velocity: Velocity
    burden: Burden
    levels: IntArray  # of the signs of forgery


def learn_norms(tables: Mapping[str, pa.Table], zone: str, *, labelled: bool = False) -> Norms:
    """What is usual among the applications of a book, without labels.

    labelled: let the `bad` of the applications, where known, say how the signs compare. No earlier application is
    judged by a later one's facts, but the norms are those of the whole table.
    """
    requests = read_requests(tables["applications"])
    if requests.count == 0:
        return USUAL
    people = tables.get("borrowers")
    peers = learn_peers(requests, people, seen_monthly(requests, people, tables.get("events"), zone))
    norms = Norms(peers, statement_noise(requests, people), alike_shares(requests), STATED, USUAL.suspect_from)
    levels = find_signals(requests, Context(tables, norms, zone)).levels
    weights = learn_weights(levels)
    if labelled and "bad" in requests.table.column_names:
        bad = requests.table["bad"].combine_chunks()
        known = bad.is_valid().to_numpy(zero_copy_only=False)
        weights = refine(weights, levels[known], bad.drop_null().to_numpy(zero_copy_only=False).astype(bool))
    suspect_from = _suspect_from(judge(weights, levels).probability)
    return replace(norms, weights=weights, suspect_from=suspect_from)


def _suspect_from(probability: FloatArray) -> float:
    """The lowest probability at which, as far as it is right, MOST_FALSE of the honest applications are looked at."""
    falling = np.sort(probability)[::-1]
    honest = np.cumsum(1 - falling) / max(float((1 - falling).sum()), 1e-9)
    place = min(int(np.searchsorted(honest, MOST_FALSE)), len(falling) - 1)
    return float(np.clip(falling[place], LEAST_SUSPECT, MOST_SUSPECT))


def find_signals(requests: Requests, context: Context) -> Signals:
    """Every signal of every application of `requests`."""
    tables, norms = context.tables, context.norms
    people = tables.get("borrowers")
    seen = seen_monthly(requests, people, tables.get("events"), context.zone)
    income = assess_income(requests, people, seen, norms.peers)
    contradictions = find_contradictions(requests, people, tables.get("identity_checks"))
    copies = find_copies(requests, norms.peers.within_employer, norms.alike)
    velocity = find_velocity(requests)
    burden = find_burden(requests, tables, context.zone)
    own = velocity.counts["person"]
    levels = levels_of(
        {
            "declared_over_seen": income.over_seen,
            "declared_over_peers": np.where(np.isnan(income.over_seen), income.over_peers, np.nan),
            "restated": contradictions.restated / norms.noise,
            "facts_changed": contradictions.facts_changed,
            "facts_returned": contradictions.facts_returned,
            "shared_device": copies.device,
            "shared_phone": copies.phone,
            "shared_address": copies.address,
            "shared_contacts": copies.contacts,
            "same_contacts": copies.contact_set,
            "incomes_alike": copies.alike,
            "burst": copies.burst,
            "applications_1d": own["1d"].astype(np.float64),
            "applications_90d": own["90d"].astype(np.float64),
            "identity_mismatch": contradictions.mismatches,
            "lines_hidden": burden.hidden,
        }
    )
    return Signals(requests, income, contradictions, copies, velocity, burden, levels)


def assess(applications: pa.Table, context: Context) -> pa.Table:
    """One row an application, in the order given: ASSESSMENT_SCHEMA; null where not known.

    applications: rows of the contract's table; they may be among context.tables["applications"] or not.
    Raises InvalidInput where a needed column or value is missing or an id is given twice.
    """
    wanted = applications["application_id"].combine_chunks()
    signals = find_signals(read_requests(_together(applications, context.tables.get("applications"))), context)
    table = _table(signals, context)
    return table.take(pc.index_in(wanted, table["application_id"].combine_chunks())).combine_chunks()


def _together(applications: pa.Table, earlier: pa.Table | None) -> pa.Table:
    if earlier is None or earlier.num_rows == 0:
        return applications
    others = earlier.filter(pc.invert(pc.is_in(earlier["application_id"], applications["application_id"])))
    if others.num_rows == 0:
        return applications
    return pa.concat_tables([applications, others], promote_options="default")


ASSESSMENT_SCHEMA = pa.schema(
    [
        ("application_id", pa.string()),
        ("borrower_id", pa.string()),
        # What the granting policy reads.
        ("identity", pa.string()),
        ("watch_list", pa.bool_()),
        ("stale", pa.bool_()),
        ("age", pa.int64()),
        ("forgery", pa.float64()),
        ("suspect", pa.bool_()),
        ("income_low_minor", pa.int64()),
        ("service_to_income", pa.float64()),
        ("exposure_group_minor", pa.int64()),
        ("requested_minor", pa.int64()),
        ("lines", pa.int64()),
        ("new_lines_90d", pa.int64()),
        ("inquiries_30d", pa.int64()),
        ("requests_in_flight", pa.int64()),
        ("income_verified", pa.bool_()),
        ("income_verified_minor", pa.int64()),  # verified, else seen; null where neither is known
        # What stands behind it.
        ("income_middle_minor", pa.int64()),
        ("income_high_minor", pa.int64()),
        ("declared_above", pa.float64()),  # share of the declared income above the interval
        ("service_minor", pa.int64()),
        ("service_after_minor", pa.int64()),
        ("lines_overdue", pa.int64()),
        ("lines_hidden", pa.int64()),
        ("lenders_90d", pa.int64()),
        ("applications_90d", pa.int64()),
        ("in_flight_minor", pa.int64()),
        ("forgery_kind", pa.string()),  # the likeliest, null below one half
        ("signs", pa.list_(SIGN)),  # at most four, by points
    ]
)


def _table(signals: Signals, context: Context) -> pa.Table:
    requests, income, burden = signals.requests, signals.income, signals.burden
    judged = judge(context.norms.weights, signals.levels)
    in_flight = signals.velocity.in_flight_minor
    with np.errstate(divide="ignore", invalid="ignore"):
        service = burden.service_after_minor / np.where(income.middle > 0, income.middle, np.nan)
    likely = judged.probability >= 0.5
    columns = {
        "application_id": requests.table["application_id"],
        "borrower_id": requests.table["borrower_id"],
        "identity": signals.contradictions.identity,
        "watch_list": _watched(requests, context.watched),
        "stale": _stale(burden),
        "age": _ages(requests, context),
        "forgery": pa.array(judged.probability),
        "suspect": pa.array(judged.probability >= context.norms.suspect_from),
        "income_low_minor": _whole(income.low),
        "service_to_income": pa.array(service, from_pandas=True),
        "exposure_group_minor": _whole(burden.promised_minor + in_flight),
        "requested_minor": _whole(requests.amount("requested_minor")),
        "lines": _whole(burden.lines),
        "new_lines_90d": _whole(burden.new_lines),
        "inquiries_30d": _whole(burden.inquiries),
        "requests_in_flight": pa.array(signals.velocity.in_flight),
        "income_verified": pa.array(np.isfinite(income.seen)),
        "income_verified_minor": _whole(income.seen),
        "income_middle_minor": _whole(income.middle),
        "income_high_minor": _whole(income.high),
        "declared_above": pa.array(income.excess, from_pandas=True),
        "service_minor": _whole(burden.service_minor),
        "service_after_minor": _whole(burden.service_after_minor),
        "lines_overdue": _whole(burden.overdue),
        "lines_hidden": _whole(burden.hidden),
        "lenders_90d": pa.array(signals.velocity.lenders_90d),
        "applications_90d": pa.array(signals.velocity.counts["person"]["90d"]),
        "in_flight_minor": _whole(in_flight),
        "forgery_kind": pa.array(KINDS).take(pa.array(judged.kind, mask=~likely)),
        "signs": _signs(judged.points, signals.levels),
    }
    return pa.table(columns, schema=ASSESSMENT_SCHEMA)


def _whole(values: FloatArray) -> pa.Array:
    """Rounded half to even, null where not known: estimates cross into minor units and counts here."""
    known = np.isfinite(values)
    return pa.array(np.rint(np.where(known, values, 0)).astype(np.int64), mask=~known)


def _watched(requests: Requests, watched: frozenset[str] | None) -> pa.Array:
    if watched is None:
        return pa.nulls(requests.count, pa.bool_())
    return pc.is_in(requests.table["borrower_id"].combine_chunks(), pa.array(sorted(watched), pa.string()))


def _stale(burden: Burden) -> pa.Array:
    """Facts are stale where a line is known but not what it owes or asks: its newest report is too old to say."""
    unknown = np.isnan(burden.lines)
    return pa.array(np.isnan(burden.service_minor) | np.isnan(burden.promised_minor), mask=unknown)


def _ages(requests: Requests, context: Context) -> pa.Array:
    """Full years on the day of the application."""
    people = context.tables.get("borrowers")
    if people is None or "birth_date" not in people.column_names:
        return pa.nulls(requests.count, pa.int64())
    place = pc.index_in(requests.table["borrower_id"].combine_chunks(), people["borrower_id"].combine_chunks())
    born = people["birth_date"].combine_chunks().take(place)
    now = pc.local_timestamp(requests.table["submitted_at"].combine_chunks().cast(pa.timestamp("us", tz=context.zone)))
    before = pc.less(_month_day(now), _month_day(born)).cast(pa.int64())
    return pc.subtract(pc.subtract(pc.year(now), pc.year(born)), before)


def _month_day(days: pa.Array) -> pa.Array:
    return pc.add(pc.multiply(pc.month(days), 100), pc.day(days))


def _signs(points: FloatArray, levels: IntArray) -> pa.Array:
    """The signs that speak for forgery, strongest first, as (code, points, source)."""
    spoken = np.where(levels > 0, points, 0.0)
    order = np.argsort(-spoken, axis=1, kind="stable")[:, :MOST_REASONS]
    value = np.take_along_axis(spoken, order, axis=1)
    keep = value >= LEAST_POINTS
    row, rank = np.nonzero(keep)
    which = pa.array(order[row, rank])
    offsets = np.concatenate(([0], np.cumsum(keep.sum(axis=1)))).astype(np.int32)
    structs = pa.StructArray.from_arrays(
        [
            pa.array([sign.name for sign in SIGNS]).take(which),
            pa.array(np.round(value[row, rank], 2)),
            pa.array([sign.source for sign in SIGNS]).take(which),
        ],
        fields=list(SIGN),
    )
    return pa.ListArray.from_arrays(pa.array(offsets), structs)
