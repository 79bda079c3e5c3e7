"""Caps on contacts against an oracle that walks the log row by row, and the promise of `until`."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.arrears.law import check, load_rules

RULES = load_rules()
START = datetime(2026, 3, 5, tzinfo=UTC)  # the clocks of New York go forward within these days
STAMP = pa.timestamp("us", tz="UTC")

logs = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 12 * 96).map(lambda quarter: START + timedelta(minutes=15 * quarter)),
            "account_id": st.sampled_from(["a", "b"]),
            "action": st.sampled_from(["call", "bot_call", "sms"]),
            "direction": st.sampled_from(["out", "out", "out", "in"]),
            "conversation": st.sampled_from([True, False, None]),
            "timezone": st.sampled_from(["America/New_York", "Asia/Shanghai", "Europe/London"]),
        }
    ),
    min_size=1,
    max_size=40,
)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    columns["at"] = pa.array(columns["at"], STAMP)
    columns["conversation"] = pa.array(columns["conversation"], pa.bool_())
    return pa.table(columns | {"borrower_id": ["b"] * len(rows), "actor_type": ["agency"] * len(rows)})


def local_day(at: datetime, row: dict[str, Any]) -> int:
    return at.astimezone(ZoneInfo(row["timezone"])).toordinal()


def earlier(rows: list[dict[str, Any]], index: int, days: int) -> list[dict[str, Any]]:
    """Rows before this one, in time and then in the log's order, within its own last `days` local days."""
    row = rows[index]
    return [
        other
        for place, other in enumerate(rows)
        if (other["at"], place) < (row["at"], index) and local_day(other["at"], row) > local_day(row["at"], row) - days
    ]


def is_call(row: dict[str, Any]) -> bool:
    return row["action"] != "sms" and row["direction"] == "out"


@settings(max_examples=150, deadline=None)
@given(logs)
def test_conversations_a_day_equal_the_walk(rows: list[dict[str, Any]]) -> None:
    answers = check(table(rows), RULES.only("CN-GBT-FREQ"), "CN")["answer"].to_pylist()
    for index, row in enumerate(rows):
        counts = [o for o in earlier(rows, index, 1) if is_call(o) and o["conversation"] is not False]
        over = is_call(row) and row["conversation"] is not False and len(counts) >= 3
        assert answers[index] == ("block" if over else "allow")


@settings(max_examples=150, deadline=None)
@given(logs)
def test_calls_on_a_debt_equal_the_walk(rows: list[dict[str, Any]]) -> None:
    answers = check(table(rows), RULES.only("US-REGF-CALL"), "US")["answer"].to_pylist()
    for index, row in enumerate(rows):
        same = [o for o in earlier(rows, index, 7) if o["account_id"] == row["account_id"]]
        talked = any(o["action"] != "sms" and o["conversation"] is True for o in same)
        over = is_call(row) and (talked or sum(map(is_call, same)) >= 7)
        assert answers[index] == ("block" if over else "allow")


@settings(max_examples=150, deadline=None)
@given(logs, st.integers(0, 12 * 96))
def test_until_is_the_first_free_instant(rows: list[dict[str, Any]], quarter: int) -> None:
    """At `until` the rule no longer holds, and a microsecond before it still does."""
    rule = RULES.only("US-REGF-CALL", "CN-GBT-FREQ", "EK-HRS")
    planned = {**rows[0], "at": START + timedelta(minutes=15 * quarter), "action": "call", "direction": "out"}
    planned |= {"conversation": None}
    past = [row for row in rows if row["at"] <= planned["at"]]

    def findings(at: datetime, jurisdiction: str) -> dict[str, list[datetime]]:
        held = check(table([*past, {**planned, "at": at}]), rule, jurisdiction)["rules"][len(past)].as_py()
        return {name: [f["until"] for f in held if f["id"] == name] for name in {f["id"] for f in held}}

    for jurisdiction in ("US", "CN"):
        for name, ends in findings(planned["at"], jurisdiction).items():
            assert name not in findings(max(ends), jurisdiction)
            assert name in findings(max(ends) - timedelta(microseconds=1), jurisdiction)
