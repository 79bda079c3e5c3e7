"""One day's treatments: the law first, then promises, then value; the lot; and nothing harder for complaining."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evenkeel.arrears.law import check, load_rules
from evenkeel.arrears.treatments.actions import NAMES, PLACE, TREATMENTS
from evenkeel.arrears.treatments.assumed import ASSUMED, DayAssumptions
from evenkeel.arrears.treatments.capacity import capacity_of
from evenkeel.arrears.treatments.day import DAY_SCHEMA, Day, Fairness, Request, plan_day
from evenkeel.arrears.treatments.may import NOES
from evenkeel.arrears.treatments.slice import draw, propensities
from evenkeel.arrears.treatments.told import figures
from evenkeel.kernel.errors import InvalidInput
from evenkeel.kernel.text import texts

RULES = load_rules()
NOW = datetime(2026, 3, 2, 1, tzinfo=UTC)  # 09:00 in Shanghai
STAMP = pa.timestamp("us", tz="UTC")
CONTACTS = pa.schema(
    [
        ("borrower_id", pa.string()), ("account_id", pa.string()), ("at", STAMP), ("channel", pa.string()),
        ("direction", pa.string()), ("target", pa.string()), ("answered", pa.bool_()), ("conversation", pa.bool_()),
        ("promised_on", pa.date32()), ("treatment", pa.string()),
    ]
)  # fmt: skip
EVENTS = pa.schema(
    [
        ("kind", pa.string()), ("borrower_id", pa.string()), ("account_id", pa.string()), ("effective_at", STAMP),
        ("booked_at", STAMP), ("payload", pa.string()),
    ]
)  # fmt: skip
COMPLAINTS = pa.schema([("borrower_id", pa.string()), ("at", STAMP), ("resolved_at", STAMP)])
CONSENTS = pa.schema(
    [("borrower_id", pa.string()), ("purpose", pa.string()), ("given_at", STAMP), ("withdrawn_at", STAMP)]
)
SCHEMAS = {"contacts": CONTACTS, "consents": CONSENTS, "complaints": COMPLAINTS, "events": EVENTS}
HARSH = {one.name for one in TREATMENTS if one.harsh}
GENTLE = {one.name for one in TREATMENTS if one.gentle}


def case(account: str = "a", borrower: str = "b", **facts: Any) -> dict[str, Any]:
    return {
        "account_id": account, "borrower_id": borrower, "lender_id": "k", "product": "card", "actor_type": "bank",
        "timezone": "Asia/Shanghai", "dpd": 45, "state": "M2", "balance_minor": 1_000_000, "p_self_cure": 0.2,
        "cause": "unclear", "limit_minor": 1_000_000, "due_day": 5, "pay_day": 20, "region": "r1", **facts,
    }  # fmt: skip


def event(kind: str, days_ago: float = 1, account: str | None = "a", borrower: str = "b") -> dict[str, Any]:
    at = NOW - timedelta(days=days_ago)
    return {"kind": kind, "borrower_id": borrower, "account_id": account, "effective_at": at, "booked_at": at}


def contact(days_ago: float = 2, borrower: str = "b", account: str = "a", **facts: Any) -> dict[str, Any]:
    return {"borrower_id": borrower, "account_id": account, "at": NOW - timedelta(days=days_ago), "channel": "sms",
            "direction": "outbound", "target": "debtor", **facts}  # fmt: skip


def planned(*cases: dict[str, Any], fitted: pa.Table | None = None, **asked: Any) -> Day:
    """A day of cases; the lot is drawn for a hundredth of them."""
    logs = {name: asked.pop(name, None) for name in SCHEMAS}
    tables = {name: None if rows is None else pa.Table.from_pylist(rows, SCHEMAS[name]) for name, rows in logs.items()}
    request = Request(**({"now": NOW, "jurisdiction": "CN", "rules": RULES, "share": 0.01, "seed": 3} | asked))
    return plan_day(pa.Table.from_pylist(list(cases)), request=request, fitted=fitted, **tables)


def row(day: Day, account: str = "a") -> dict[str, Any]:
    return {one["account_id"]: one for one in day.table.to_pylist()}[account]


def whynot(day: Day, account: str = "a") -> dict[str, str]:
    return {one["treatment"]: one["why"] for one in row(day, account)["held"]}


def crowd(size: int, seed: int = 0) -> list[dict[str, Any]]:
    """Many borrowers with one or two lenders, of every stage, cause and balance, some of it not known."""
    rng = np.random.default_rng(seed)
    cases = []
    for place in range(size):
        dpd = int(rng.integers(1, 500))
        cases.append(
            case(
                f"a{place:04d}", f"b{place * 2 // 3:04d}", lender_id=f"k{place % 2}", dpd=dpd,
                state=f"M{min((dpd - 1) // 30 + 1, 7)}", balance_minor=int(rng.lognormal(12, 1)),
                p_self_cure=float(rng.uniform(0, 0.9)), region=f"r{rng.integers(0, 3)}",
                cause=str(rng.choice(["oversight", "income_shock", "concealment", "unclear"])),
                timezone=None if rng.random() < 0.1 else "Asia/Shanghai",
                pay_day=int(rng.integers(1, 29)), product=str(rng.choice(["card", "cash"])),
            )
        )  # fmt: skip
        if rng.random() < 0.1:
            cases[-1]["balance_minor"] = None
    return cases


# ------------------------------------------------------------------------------ law and promises


@pytest.mark.parametrize(
    ("course", "open_"),
    [
        ("opened:d1 opened:d2 closed:d1", True), ("opened:d1 opened:d2 closed:d2 closed:d1", False),
        ("opened opened closed", False), ("opened:d1 closed", False), ("opened closed:d9", True),
        ("opened closed opened", True), ("closed:d1", False),
    ],
)  # fmt: skip
def test_two_disputes_are_apart_and_the_answer_to_one_leaves_the_other_open(course: str, open_: bool) -> None:
    events = []
    for place, step in enumerate(course.split()):
        kind, _, name = step.partition(":")
        payload = {"payload": f'{{"name": "{name}"}}'} if name else {}
        events.append(event(f"dispute_{kind}", 20 - place) | payload)
    assert (row(planned(case(), events=events))["treatment"] == "human_review") is open_


def test_a_case_has_the_columns_of_the_schema_and_the_best_of_what_may_be() -> None:
    day = planned(case())
    assert day.table.schema == DAY_SCHEMA
    found = row(day)
    assert found["treatment"] == "call"
    assert found["value_minor"] == pytest.approx(0.8 * 0.344 * 1_000_000 - 500 - 0.2 * 2_000)
    assert found["at"] == NOW
    assert found["reasons"] == ["day.worth_most"]


@pytest.mark.parametrize(
    ("logs", "why"),
    [
        ({"events": [event("stop_contact")]}, "stop_contact"),
        ({"events": [event("dispute_opened")]}, "dispute_open"),
        ({"complaints": [{"borrower_id": "b", "at": NOW - timedelta(days=1), "resolved_at": None}]}, "complaint_open"),
    ],
)
def test_a_person_comes_first(logs: dict[str, Any], why: str) -> None:
    found = row(planned(case(), capacities=[capacity_of(name, 9) for name in sorted(HARSH)], **logs))
    assert (found["treatment"], found["reasons"], found["at"]) == ("human_review", [f"day.no.{why}"], NOW)


@pytest.mark.parametrize(
    ("logs", "facts", "why"),
    [
        ({"events": [event("plan_signed")]}, {}, "plan_in_force"),
        ({"contacts": [contact(promised_on=date(2026, 3, 4))]}, {}, "promise_pending"),
        ({}, {"dpd": 2, "state": "M1", "p_self_cure": 0.7}, "self_cure_likely"),
    ],
)
def test_who_keeps_a_promise_or_a_plan_is_left_in_peace(logs: Any, facts: Any, why: str) -> None:
    found = row(planned(case(**facts), **logs))
    assert (found["treatment"], found["at"], found["reasons"]) == ("nothing", None, [f"day.no.{why}"])


def test_at_night_the_contact_waits_for_the_morning_and_the_block_names_rule_and_end() -> None:
    night = datetime(2026, 3, 2, 15, tzinfo=UTC)  # 23:00 in Shanghai
    found = row(planned(case(), now=night))
    assert found["treatment"] == "call"
    assert found["at"] == datetime(2026, 3, 3, 0, tzinfo=UTC)
    assert {one["action"] for one in found["blocked"]} >= {"call", "reminder"}
    assert all(one["rule"] and one["citation"] for one in found["blocked"])


def test_what_is_lawful_only_after_today_is_not_assigned_today() -> None:
    """Seven calls in seven days are the most in the United States: the eighth is not today's."""
    rows = [contact(k / 2 + 0.2, channel="call", answered=False, conversation=False) for k in range(7)]
    rested = DayAssumptions(most_contacts=99)
    facts = {"timezone": "America/New_York", "actor_type": "debt_buyer"}
    noon = datetime(2026, 3, 2, 17, tzinfo=UTC)
    day = planned(case(**facts), contacts=rows, jurisdiction="US", now=noon, assumptions=rested)
    assert whynot(day)["call"] == "law"
    assert min(one["until"] for one in row(day)["blocked"] if one["action"] == "call") > noon + timedelta(days=1)
    fewer = planned(case(**facts), contacts=rows[1:], jurisdiction="US", now=noon, assumptions=rested)
    assert "call" not in whynot(fewer)


def test_what_is_planned_is_lawful_at_its_instant_whatever_the_crowd() -> None:
    """Every contact is put to the law again, one by one, at the instant for which it is planned."""
    cases = crowd(120)
    by_id = {one["account_id"]: one for one in cases}
    rows = [contact(k / 7 + 0.05, f"b{k % 40:04d}", f"a{k % 60:04d}", channel="call") for k in range(80)]
    day = planned(*cases, contacts=rows, now=datetime(2026, 3, 2, 13, 50, tzinfo=UTC))
    asks = {one.name: one.asks for one in TREATMENTS}
    made = [one for one in day.table.to_pylist() if asks.get(one["treatment"])]
    assert len(made) > 30
    past = [{**one, "action": one["channel"], "lender_id": by_id[one["account_id"]]["lender_id"]} for one in rows]
    for one in made:
        facts = by_id[one["account_id"]]
        told = {name: facts[name] for name in ("borrower_id", "account_id", "lender_id", "product", "actor_type")}
        asked = {**told, "timezone": facts["timezone"], "action": asks[one["treatment"]], "at": one["at"],
                 "target": "debtor", "planned": True}  # fmt: skip
        answers = check(pa.Table.from_pylist([*past, asked]), RULES, "CN")
        assert answers["answer"][-1].as_py() in ("allow", "warn"), one


def test_a_borrower_hears_from_one_creditor_a_day() -> None:
    day = planned(*crowd(150, 2))
    contacting = {one.name for one in TREATMENTS if one.contact}
    heard = Counter()
    for one in day.table.to_pylist():
        if one["treatment"] in contacting and one["account_id"] == one["lead_account_id"]:
            heard[one["borrower_id"]] += 1
    assert heard
    assert max(heard.values()) == 1


def test_accounts_with_one_lender_are_one_case_and_what_holds_for_one_holds_for_all() -> None:
    day = planned(case("a"), case("c", dpd=80, state="M3"), events=[event("dispute_opened", account="a")])
    assert len(day.given) == 1
    assert {one["treatment"] for one in day.table.to_pylist()} == {"human_review"}
    assert {one["lead_account_id"] for one in day.table.to_pylist()} == {"c"}


def test_seven_contacts_in_seven_days_by_all_creditors_are_enough() -> None:
    rows = [contact(k / 2 + 0.1, account="elsewhere") for k in range(7)]
    assert whynot(planned(case(), contacts=rows))["reminder"] == "load_reached"
    assert "reminder" not in whynot(planned(case(), contacts=rows[:6]))


# ------------------------------------------------------------------------------ harsh and gentle

_OFFERED = {"contacts": [contact(40, treatment="plan_offer")]}
_LATE = {"dpd": 400, "state": "M7", "balance_minor": 90_000_000}


def test_a_harsh_step_needs_capacity_time_and_a_plan_offered_before() -> None:
    room = {"capacities": [capacity_of("legal", 5), capacity_of("call", 0)]}
    assert row(planned(case(**_LATE), **room, **_OFFERED))["treatment"] == "legal"
    assert whynot(planned(case(**_LATE), **_OFFERED))["legal"] == "no_capacity"
    assert whynot(planned(case(**_LATE), **room))["legal"] == "no_plan_offered"
    others = [contact(40, treatment="reminder"), contact(40, "x", "y", treatment="plan_offer")]
    assert whynot(planned(case(**_LATE), **room, contacts=others))["legal"] == "no_plan_offered"
    assert whynot(planned(case(**_LATE | {"dpd": 90, "state": "M3"}), **room, **_OFFERED))["legal"] == "too_early"


@pytest.mark.parametrize("cause", ["income_shock", "over_granting", "macro_shock"])
def test_who_cannot_pay_gets_no_pressure(cause: str) -> None:
    room = {"capacities": [capacity_of(name, 5) for name in sorted(HARSH)]}
    found = planned(case(**_LATE, cause=cause), **room, **_OFFERED)
    assert row(found)["treatment"] in GENTLE | {"limit_change"}
    assert {whynot(found)[name] for name in ("call", "visit", "legal", "sale")} <= {"hardship", "law"}


@pytest.mark.parametrize("seed", range(2))
def test_a_complaint_never_makes_anything_harsher(seed: int) -> None:
    """Open, it holds everything; once answered, not a byte of the assignment is different."""
    cases = crowd(60, seed)
    room = {"capacities": [capacity_of("call", 10), *(capacity_of(name, 5) for name in sorted(HARSH))]}
    offers = [contact(40, one["borrower_id"], one["account_id"], treatment="plan_offer") for one in cases]
    without = planned(*cases, contacts=offers, **room)
    times = {"at": NOW - timedelta(days=9), "resolved_at": NOW - timedelta(days=2)}
    answered = [{"borrower_id": one["borrower_id"], **times} for one in cases[::2]]
    assert planned(*cases, contacts=offers, complaints=answered, **room).table.equals(without.table)
    open_ = [one | {"resolved_at": None} for one in answered]
    people = {one["borrower_id"] for one in open_}
    held = planned(*cases, contacts=offers, complaints=open_, **room)
    assert {one["treatment"] for one in held.table.to_pylist() if one["borrower_id"] in people} == {"human_review"}


@pytest.mark.parametrize("missing", ["balance_minor", "p_self_cure"])
def test_what_is_not_known_leads_to_nothing(missing: str) -> None:
    found = planned(case(**{missing: None}))
    assert row(found)["treatment"] == "nothing"
    assert whynot(found)["call"] == "value_unknown"


@pytest.mark.parametrize(
    "missing", ["dpd", "state", "cause", "limit_minor", "due_day", "pay_day", "product", "lender_id"]
)
def test_leaving_a_fact_out_never_leads_to_a_harsher_step(missing: str) -> None:
    order = [*NAMES[:6], "human_review", *NAMES[6:]]
    room = {"capacities": [capacity_of("call", 5), *(capacity_of(name, 5) for name in sorted(HARSH))]}
    for facts in ({"cause": "income_shock"}, {"dpd": 20, "state": "M1"}, _LATE):
        whole = row(planned(case(**facts), **room, **_OFFERED))["treatment"]
        part = row(planned(case(**facts | {missing: None}), **room, **_OFFERED))["treatment"]
        assert order.index(part) <= order.index(whole)


def test_a_due_day_is_moved_only_to_a_pay_day_that_is_known() -> None:
    early = {"dpd": 12, "state": "M1", "due_day": 5, "pay_day": 10}
    assert row(planned(case(**early)))["treatment"] == "due_day_move" or "due_day_move" not in whynot(
        planned(case(**early))
    )
    assert whynot(planned(case(**early | {"pay_day": None})))["due_day_move"] == "due_day_fits"
    assert whynot(planned(case(**early | {"pay_day": 28})))["due_day_move"] == "due_day_fits"
    moved = [event("due_day_changed", 30)]
    assert whynot(planned(case(**early), events=moved))["due_day_move"] == "due_day_fits"


# ------------------------------------------------------------------------------ capacities


def test_no_capacity_is_used_beyond_what_there_is_lot_and_all() -> None:
    cases = crowd(200, 5)
    rooms = [capacity_of("call", 7), capacity_of("sms", 20), capacity_of("hours", 3.5), capacity_of("budget", 9_000),
             capacity_of("desk", 2, {"call": 1, "plan_offer": 0.5}, {"region": ["r1"]})]  # fmt: skip
    day = planned(*cases, capacities=rooms, share=0.3)
    for one in figures(day, Request(NOW, "CN", RULES, rooms, share=0.3))["capacities"]:
        assert one["used"] <= one["amount"] + 1e-9
    leads = [one for one in day.table.to_pylist() if one["account_id"] == one["lead_account_id"]]
    counts = Counter(one["treatment"] for one in leads)
    assert counts["call"] <= 7
    assert counts["reminder"] + counts["plan_offer"] <= 20
    mine = {one["account_id"] for one in cases if one["region"] == "r1"}
    desk = Counter(one["treatment"] for one in leads if one["account_id"] in mine)
    assert desk["call"] + 0.5 * desk["plan_offer"] <= 2


def test_the_lot_wastes_no_capacity() -> None:
    cases = [case(f"a{k:03d}", f"b{k:03d}", balance_minor=900_000 + k) for k in range(120)]
    rooms = [capacity_of("call", 10), capacity_of("sms", 200), capacity_of("app", 200)]
    day = planned(*cases, capacities=rooms, share=0.4)
    assert day.lot.inside.sum() > 20
    assert Counter(one["treatment"] for one in day.table.to_pylist())["call"] == 10


def test_the_order_of_the_rows_changes_no_byte() -> None:
    cases = crowd(90, 7)
    rooms = {"capacities": [capacity_of("call", 4), capacity_of("sms", 9)], "fairness": [Fairness("region", 0.1)]}
    mixed = [cases[place] for place in np.random.default_rng(1).permutation(len(cases))]
    assert planned(*cases, **rooms).table.equals(planned(*mixed, **rooms).table)


def test_groups_are_not_treated_more_often_than_was_said() -> None:
    day = planned(*crowd(240, 8), capacities=[capacity_of("contacts", 30)], fairness=[Fairness("region", 0.05)])
    told = figures(day, Request(NOW, "CN", RULES))["fairness"]
    assert {one["group"] for one in told} == {"region=r0", "region=r1", "region=r2"}
    assert all(one["apart"] <= 0.05 + 1e-9 for one in told)


def test_learned_values_stand_in_for_what_is_assumed() -> None:
    fitted = pa.table({"account_id": ["a"], "call": [-5.0], "reminder": [70.0]})
    found = row(
        planned(
            case(), fitted=fitted, assumptions=DayAssumptions(treatments={n: ASSUMED[n] for n in ("call", "reminder")})
        )
    )
    assert (found["treatment"], found["value_minor"]) == ("reminder", 70.0)


@pytest.mark.parametrize(
    ("table", "told"),
    [
        ({"call": [1.0]}, "account_id"),
        ({"account_id": ["a"]}, "no treatment"),
        ({"account_id": ["a", "a"], "call": [1.0, 2.0]}, "twice"),
        ({"account_id": ["a"], "call": ["much"]}, "not numbers"),
    ],
)
def test_learned_values_that_do_not_fit_are_refused(table: dict[str, Any], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        planned(case(), fitted=pa.table(table))


def test_learned_values_that_are_not_finite_are_not_acted_on() -> None:
    fitted = pa.table({"account_id": ["a"], "call": [float("inf")], "reminder": [float("nan")]})
    found = whynot(planned(case(), fitted=fitted))
    assert (found["call"], found["reminder"]) == ("value_unknown", "value_unknown")


@pytest.mark.parametrize(
    ("name", "rest", "told"),
    [
        ("lorries", (3,), "says not what"), ("call", (-1,), "0 or more"), ("call", (float("nan"),), "0 or more"),
        ("call", (True,), "0 or more"), ("x", (1, {"dance": 1}), "no treatment"), ("x", (1, {"call": -1}), "uses"),
        ("x", (1, {"call": 1}, {"region": 3}), "list of texts"), ("x", (1, ["call"]), "are tables"),
    ],
)  # fmt: skip
def test_a_capacity_that_makes_no_sense_is_named(name: str, rest: tuple[Any, ...], told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        capacity_of(name, *rest)


def test_a_skill_of_which_nothing_is_known_is_taken_as_needed() -> None:
    rooms = [capacity_of("desk", 0, {"call": 1}, {"region": ["r9"]})]
    assert row(planned(case(region="r1"), capacities=rooms))["treatment"] == "call"
    assert row(planned(case(region=None), capacities=rooms))["treatment"] != "call"
    with pytest.raises(InvalidInput, match="no text `team`"):
        planned(case(), capacities=[capacity_of("desk", 0, {"call": 1}, {"team": ["x"]})])


# ------------------------------------------------------------------------------ the lot


@given(st.integers(1, 60), st.floats(0.01, 0.5), st.integers(0, 2**32 - 1))
@settings(max_examples=25, deadline=None)
def test_chances_add_up_to_one_and_are_never_nothing_for_what_is_given(size: int, share: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    gentle = rng.random((size, 4)) < 0.6
    gentle[:, 0] = True
    lot = draw(gentle, [f"b{k}" for k in range(size)], date(2026, 3, 2), share, seed)
    chosen = rng.integers(0, 4, size)
    chance = propensities(lot, chosen)
    assert np.allclose(chance.sum(axis=1), 1)
    given_ = np.where(lot.inside, lot.action, chosen)
    assert (chance[np.arange(size), given_] > 0).all()
    assert gentle[np.arange(size), lot.action].all()
    open_ = gentle & (gentle.sum(axis=1) > 1)[:, None]
    assert (chance[open_] >= share / 4 - 1e-12).all()


def test_the_chances_written_down_are_those_with_which_treatments_fall() -> None:
    """Over many seeds each gentle treatment falls on a case as often as its chance says."""
    gentle = np.array([[True, True, False, True], [True, False, False, False], [True, True, True, True]])
    chosen, share, draws = np.array([1, 2, 3]), 0.4, 3_000
    seen = np.zeros((3, 4))
    for seed in range(draws):
        lot = draw(gentle, ["x", "y", "z"], date(2026, 3, 2), share, seed)
        seen[np.arange(3), np.where(lot.inside, lot.action, chosen)] += 1
    chance = propensities(lot, chosen)
    error = np.sqrt(np.maximum(chance * (1 - chance), 1e-12) / draws)
    assert (np.abs(seen / draws - chance) <= 4.5 * error + 1e-9).all()


def test_the_lot_hangs_on_borrower_day_and_seed_and_on_nothing_else() -> None:
    gentle = np.ones((50, 3), bool)
    names = [f"b{k}" for k in range(50)]
    first = draw(gentle, names, date(2026, 3, 2), 0.5, 1)
    again = draw(gentle[::-1], names[::-1], date(2026, 3, 2), 0.5, 1)
    assert (first.inside == again.inside[::-1]).all()
    assert (first.action == again.action[::-1]).all()
    assert (first.inside != draw(gentle, names, date(2026, 3, 3), 0.5, 1).inside).any()
    assert (first.inside != draw(gentle, names, date(2026, 3, 2), 0.5, 2).inside).any()


@pytest.mark.parametrize("share", [0.0, 0.009, 0.6, float("nan")])
def test_the_lot_cannot_be_switched_off(share: float) -> None:
    with pytest.raises(InvalidInput, match="slice"):
        planned(case(), share=share)


def test_only_what_is_lawful_and_gentle_falls_by_lot_and_everybody_else_keeps_the_chance() -> None:
    day = planned(*crowd(300, 9), share=0.5, capacities=[capacity_of("sms", 1)])
    inside = [one for one in day.table.to_pylist() if one["in_slice"]]
    assert len(inside) > 50
    assert {one["treatment"] for one in inside} <= GENTLE - {"reminder", "plan_offer"}  # one text would not do for all
    assert all(one["treatment"] not in {held["treatment"] for held in one["held"]} for one in inside)
    every = np.arange(len(day.given))
    assert day.may.allowed[every, day.given].all()
    assert day.lot.inside.any()
    assert (propensities(day.lot, day.chosen)[every, day.given] > 0).all()


# ------------------------------------------------------------------------------ figures


def test_the_figures_are_those_of_the_table() -> None:
    rooms = [capacity_of("call", 6), capacity_of("sms", 25)]
    request = Request(NOW, "CN", RULES, rooms, share=0.2, seed=3)
    day = planned(*crowd(150, 4), capacities=rooms, share=0.2)
    told = figures(day, request)
    rows = day.table.to_pylist()
    leads = [one for one in rows if one["account_id"] == one["lead_account_id"]]
    assert told["treatments"] == dict(sorted(Counter(one["treatment"] for one in rows).items()))
    assert (told["cases"], told["accounts"]) == (len(leads), len(rows))
    assert told["value"]["given_minor"] == pytest.approx(sum(one["value_minor"] or 0.0 for one in leads))
    assert told["slice"]["cases"] == sum(one["in_slice"] for one in leads)
    blocked = Counter((held["rule"], held["action"]) for one in leads for held in one["blocked"])
    assert {(one["rule"], one["treatment"]): one["cases"] for one in told["blocked"]} == blocked
    held = Counter((no["treatment"], no["why"]) for one in leads for no in one["held"])
    assert {(name, why): count for name, whys in told["held"].items() for why, count in whys.items()} == held
    expected = told["expected"]
    parts = expected["by_treatment"].values()
    assert expected["recovery_minor"] == pytest.approx(sum(one["recovery_minor"] for one in parts))
    assert told["value"]["given_minor"] == pytest.approx(
        expected["recovery_minor"] - expected["cost_minor"] - expected["burden_minor"]
    )


def test_every_word_of_a_day_exists_in_both_languages() -> None:
    for language in ("en", "zh"):
        say = texts(language)
        assert all(f"treatment.{name}" in say for name in (*NAMES, "human_review"))
        assert all(f"day.no.{name}" in say for name in NOES)
        assert all(f"day.{name}" in say for name in ("lot", "worth_most", "nothing_worth_more"))


def test_now_needs_a_zone() -> None:
    with pytest.raises(InvalidInput, match="zone"):
        planned(case(), now=NOW.replace(tzinfo=None))


def test_a_day_without_cases_is_a_day() -> None:
    day = plan_day(pa.Table.from_pylist([case()]).slice(0, 0), None, None, None, None, Request(NOW, "CN", RULES))
    assert day.table.num_rows == 0
    assert figures(day, Request(NOW, "CN", RULES))["cases"] == 0


def test_places_and_names_agree() -> None:
    assert [PLACE[name] for name in NAMES] == list(range(len(NAMES)))
