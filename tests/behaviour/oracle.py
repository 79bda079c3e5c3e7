"""A second reading of the definitions, in plain Python with dates of the standard library: no code is shared.

It reads the definitions' file itself, and goes through all events of an entity for every value.
"""

from __future__ import annotations

import calendar
import json
import math
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def instant(us: int) -> datetime:
    return EPOCH + timedelta(microseconds=us)


@dataclass(frozen=True)
class Happened:
    """An event as the oracle takes it."""

    event_id: str
    kind: str
    at: datetime
    booked: datetime
    amount: int | None
    payload: dict[str, object]
    lender: str | None
    reversal_of: str | None


def entries(text: str) -> tuple[ZoneInfo, list[dict]]:
    """The zone and every definition, one for each window, parts first."""
    given = tomllib.loads(text)
    found = []
    for sort in ("part", "feature"):
        for record in given.get(sort, []):
            windows = record.get("window", [None])
            for window in windows if isinstance(windows, list) else [windows]:
                filled = json.loads(json.dumps(record).replace("{window}", str(window)))
                found.append({**filled, "window": window})
    return ZoneInfo(given["zone"]), found


def begins(window: str, at: datetime, zone: ZoneInfo) -> datetime:
    count, unit = int(window[:-1]), window[-1]
    if unit == "h":
        return at - timedelta(hours=count)
    if unit == "d":
        return at - timedelta(hours=24 * count)
    local = at.astimezone(zone)
    year, month = local.year, local.month
    for _ in range(count):
        year, month = (year - 1, 12) if month == 1 else (year, month - 1)
    day = min(local.day, calendar.monthrange(year, month)[1])
    return local.replace(year=year, month=month, day=day, fold=0).astimezone(UTC)


def middle(window: str, at: datetime, zone: ZoneInfo) -> datetime:
    count, unit = int(window[:-1]), window[-1]
    if unit == "m":
        return begins(f"{count // 2}m", at, zone)
    return at - timedelta(hours=count * (24 if unit == "d" else 1)) / 2


def standing(events: Iterable[Happened], known: datetime) -> list[Happened]:
    seen: dict[str, Happened] = {}
    for event in sorted(events, key=lambda event: event.booked):
        if event.booked <= known:
            seen.setdefault(event.event_id, event)
    undone = {event.reversal_of for event in seen.values() if event.reversal_of}
    undoing = [event for event in seen.values() if event.reversal_of and event.event_id not in undone]
    out = {event.reversal_of for event in undoing}
    return [event for event in seen.values() if not event.reversal_of and event.event_id not in out]


def text(value: object) -> str | None:
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, int | str) and value != "":
        return str(value)
    return None


def passes(event: Happened, entry: dict, zone: ZoneInfo, own: Sequence[str]) -> bool:
    if event.kind not in entry["kinds"]:
        return False
    if any(text(event.payload.get(name)) != wanted for name, wanted in entry.get("where", {}).items()):
        return False
    if "from_hour" in entry:
        hour, first, end = event.at.astimezone(zone).hour, entry["from_hour"], entry["to_hour"]
        if hour not in ([*range(first, end)] if first < end else [*range(first, 24), *range(end)]):
            return False
    if "lender" in entry and (event.lender is None or (event.lender in own) != (entry["lender"] == "own")):
        return False
    if "least_minor" in entry or "most_minor" in entry:
        if event.amount is None:
            return False
        return entry.get("least_minor", -math.inf) <= event.amount <= entry.get("most_minor", math.inf)
    return True


def measured(entry: dict, events: list[Happened], at: datetime, zone: ZoneInfo, own: Sequence[str]) -> float | None:
    start = begins(entry["window"], at, zone)
    inside = [event for event in events if start < event.at <= at]
    chosen = [event for event in inside if passes(event, entry, zone, own)]
    amounts = [event.amount for event in chosen]
    aggregate = entry["aggregate"]
    if aggregate == "count":
        return len(chosen)
    if aggregate == "time_since":
        if not chosen:
            return None
        unit = timedelta(hours=1) if entry.get("unit") == "hours" else timedelta(days=1)
        return float(Fraction((at - max(event.at for event in chosen)) // timedelta(microseconds=1),
                              unit // timedelta(microseconds=1)))  # fmt: skip
    if aggregate == "streak":
        kinds = (*entry["kinds"], *entry.get("broken_by", ()))
        breaks = [event.at for event in inside if event.kind in kinds and event not in chosen]
        return sum(1 for event in chosen if not breaks or event.at > max(breaks))
    if aggregate == "distinct":
        told = [text(event.payload.get(entry["of"])) for event in chosen]
        return None if None in told else len(set(told))
    if aggregate == "last":
        latest = [event.amount for event in chosen if event.at == max(other.at for other in chosen)]
        return None if not latest or None in latest else max(latest)
    if None in amounts:
        return None
    if aggregate == "sum":
        return sum(amounts)
    if aggregate == "trend":
        half = middle(entry["window"], at, zone)
        later = sum(event.amount for event in chosen if event.at > half)
        total = sum(amounts)
        return float(Fraction(later - (total - later), total)) if total > 0 else None
    if not amounts:
        return None
    return {"max": max, "min": min, "mean": lambda a: float(Fraction(sum(a), len(a)))}[aggregate](amounts)


def values(
    definitions: tuple[ZoneInfo, list[dict]], entity: str, events: Iterable[Happened], at: datetime, known: datetime,
    own: Sequence[str] = (),
) -> dict[str, float | None]:  # fmt: skip
    """The features of an entity by name; None where not known."""
    zone, every = definitions
    stand = standing(events, known)
    told: dict[str, float | None] = {}
    for entry in every:
        if entry["entity"] != entity:
            continue
        if "ratio" in entry or "difference" in entry:
            left, right = (told[name] for name in entry.get("ratio") or entry["difference"])
            if left is None or right is None:
                told[entry["name"]] = None
            elif "difference" in entry:
                told[entry["name"]] = left - right
            else:
                told[entry["name"]] = left / right if right > 0 else None
        else:
            told[entry["name"]] = measured(entry, stand, at, zone, own)
    return {entry["name"]: told[entry["name"]] for entry in every if entry["entity"] == entity and "concept" in entry}
