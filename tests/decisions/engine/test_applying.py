"""Who applies is judged by what is on record: claims change nothing, and what is not known is never approved."""

import asyncio
import itertools
import json
import struct
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any
from uuid import UUID

import numpy as np
import pytest
import sqlalchemy as sa
from engine_samples import GENEROUS, LENDER, NOW, answers, book, connector, deciders, opening, policy

from evenkeel.decisions import record
from evenkeel.decisions.applicants_on_record import norms_on_record, rebuild_tokens, tables_on_record
from evenkeel.decisions.assessment.assess import USUAL, Context, find_signals, learn_norms
from evenkeel.decisions.assessment.forgery import SIGNS
from evenkeel.decisions.assessment.requests import read_requests
from evenkeel.decisions.engine import situation
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.decisions.engine.engine import Engine
from evenkeel.decisions.identity.service import check, load_watch_list
from evenkeel.decisions.identity.verification import CheckKind, CheckRequest, CheckResult, Verification
from evenkeel.decisions.identity.watch import WatchEntry, WatchKind, WatchList, WatchReason
from evenkeel.decisions.replay import replay
from evenkeel.decisions.requests import Application, Event, Purchase, Request, read_request
from evenkeel.kernel.clock import fixed_clock
from evenkeel.kernel.errors import InvalidInput
from evenkeel.scoring.scorecard import Feature
from evenkeel.storage.database import transaction
from evenkeel.storage.journal import Fact
from evenkeel.storage.tables import identity_check
from evenkeel.storage.vault import ERASED
from evenkeel.storage.workspace import Workspace
from scorecards import card_of

SHIPPED = (files("evenkeel.policy") / "shipped" / "granting.dmn").read_text(encoding="utf-8")
BUYING = (files("evenkeel.policy") / "shipped" / "authorisation.dmn").read_text(encoding="utf-8")
GOOD = card_of([Feature("owed_minor", "owed", np.array([100.0]))], [[-3.0, -3.0, -3.0]])  # a low probability for all
SHIPPED_DECIDERS = replace(
    deciders(), grant_text=SHIPPED, authorisation_text=BUYING, model=GOOD, group_cap_minor=50_000_000
)
INCOME = 1_000_000
_TURN = itertools.count()


def token(kind: str, of: object) -> str:
    return f"{kind}-token-{of}"


def apply(key: str, borrower: str = "b1", **more: Any) -> Application:
    said = {
        "device_token": token("device", borrower), "phone_token": token("phone", borrower),
        "address_token": token("address", borrower), "income_declared_minor": INCOME,
        "contact_tokens": (token("contact", f"{borrower}-1"), token("contact", f"{borrower}-2")),
    } | more  # fmt: skip
    asked = {"product": "card", "requested_minor": 500_000} | said
    return Application(lender_id=LENDER, key=key, borrower_id=borrower, **asked)


def event(key: str, kind: str, borrower: str = "b1", amount_minor: int | None = None, **payload: Any) -> Event:
    return Event(lender_id=LENDER, key=key, borrower_id=borrower, kind=kind, amount_minor=amount_minor, payload=payload)


def checked(workspace: Workspace, borrower: str = "b1", born: int | None = 1990, named: bool = True) -> None:
    """A match of name and number against a register."""
    with transaction(workspace.engine) as connection:
        connection.execute(
            sa.insert(identity_check).values(
                order_id=f"order-{borrower}", borrower_id=borrower, kind="name_id", subject_token="t", provider="p",  # noqa: S106
                asked_at=NOW - timedelta(days=1), checked_at=NOW - timedelta(days=1), result="match", cost_minor=25,
                detail_code="", lost=False, birth_year=born,
                person_token=token("person", borrower) if named else None,
            )
        )  # fmt: skip


def listed(workspace: Workspace, *entries: tuple[WatchKind, str, WatchReason], name: str = "own") -> None:
    start = (NOW - timedelta(days=30)).date()
    made = tuple(WatchEntry(kind, text, reason, "a source", start) for kind, text, reason in entries)
    journal = replace(workspace.journal, clock=fixed_clock(NOW + timedelta(milliseconds=next(_TURN))))
    load_watch_list(journal, WatchList(name, made))


def reported(borrower: str = "b1", lines: int = 0, **more: Any) -> Event:
    as_of = more.pop("as_of", (NOW - timedelta(days=3)).date().isoformat())
    return event(f"report-{borrower}-{as_of}", "bureau_report", borrower, as_of=as_of, lines=lines, **more)


def earn(url: str, borrower: str = "b1", months: Sequence[int] = range(1, 7), amount_minor: int = INCOME) -> None:
    """Incomes, each booked in its month."""
    for month in months:
        at = NOW - timedelta(days=30 * month)
        book_events(url, event(f"income-{borrower}-{month}", "income", borrower, amount_minor), at=at)


def known(workspace: Workspace, url: str, borrower: str = "b1", *, without: str = "") -> None:
    """Everything that the shipped policy asks for, but for one thing."""
    if without != "lists":
        listed(workspace)
    if without != "check":
        checked(
            workspace, borrower, None if without == "birth" else 1990 if without != "adult" else 2008, without != "name"
        )
    if without != "income":
        earn(url, borrower)
    if without != "report":
        old = (NOW - timedelta(days=60)).date().isoformat()
        lines = int(without == "line")
        report = reported(borrower, lines, as_of=old) if without == "fresh" else reported(borrower, lines)
        book_events(url, report)


def book_events(url: str, *events: Event, at: datetime = NOW) -> None:
    for one in events:
        (found,) = answers(url, at, [one])
        assert isinstance(found, bytes), found


def ask(url: str, *requests: Request, having: Deciders = SHIPPED_DECIDERS, later: float = 0) -> list[dict[str, Any]]:
    found = answers(url, NOW + timedelta(minutes=later), list(requests), having)
    assert all(isinstance(one, bytes) for one in found), found
    return [json.loads(one) for one in found]


def situations(workspace: Workspace, kind: str = "application") -> list[dict[str, int | None]]:
    """What each decision read, by name, in the order of the record."""
    with transaction(workspace.engine) as connection:
        rows = connection.execute(
            sa.text("SELECT used FROM decision WHERE kind = :kind ORDER BY place"), {"kind": kind}
        ).scalars()
        used = [record.unpack_used(bytes(row))[1][0].tolist() for row in rows]
    return [
        {name: None if value == situation.NULL else value for name, value in zip(situation.NAMES, row, strict=False)}
        for row in used
    ]


def replayed(workspace: Workspace) -> None:
    """Every decision comes out of the record to the byte."""
    found = list(replay(workspace, 1, 10**6))
    assert found and all(one.identical for one in found), [one for one in found if not one.identical]


# ---- Claims --------------------------------------------------------------------------------------------------------

CLAIMS: dict[str, Any] = {
    "forgery": 0.0, "income_low_minor": 10**9, "service_to_income": 0.0, "age": 40.0, "watch_list": False,
    "stale": False, "identity": "verified", "lines": 0.0, "new_lines_90d": 0.0, "inquiries_30d": 0.0,
    "requests_in_flight": 0.0,
    "exposure_group_minor": 0.0, "pd": 0.0, "score": 900.0, "income_verified": True,
    "income_verified_minor": 10**9,
    "sign_burst": 0.0, "watched": 0.0,
}  # fmt: skip


def test_what_a_request_claims_changes_nothing(workspace: Workspace, url: str) -> None:
    bare, claiming = ask(url, apply("k1", "b1"), apply("k2", "b2", facts=CLAIMS))
    assert bare["outcome"] == claiming["outcome"] == "refer" and bare["reasons"] == claiming["reasons"]
    known(workspace, url, "b3")
    known(workspace, url, "b4")
    honest, claiming = ask(url, apply("k3", "b3"), apply("k4", "b4", facts=dict.fromkeys(CLAIMS, 1.0)))
    assert [one["outcome"] for one in (honest, claiming)] == ["approve", "approve"]
    replayed(workspace)


def test_who_is_known_in_full_is_approved_and_each_thing_not_known_is_not(workspace: Workspace, url: str) -> None:
    known(workspace, url)
    (reply,) = ask(url, apply("k1"))
    assert (reply["outcome"], reply["amount_minor"]) == ("approve", 500_000)
    (read,) = situations(workspace)
    assert (read["age"], read["watched"], read["income_seen_minor"]) == (35, 0, INCOME)
    assert (read["lines_outside"], read["outside_minor"], read["service_after_minor"]) == (0, 0, 50_000)
    replayed(workspace)


@pytest.mark.parametrize(
    ("without", "reason"),
    [
        ("lists", "watch_list_unknown"), ("name", "watch_list_unknown"), ("check", "identity_unverified"),
        ("birth", "facts_unclear"), ("adult", "facts_unclear"), ("report", "facts_stale"), ("fresh", "facts_stale"),
        ("line", "facts_stale"),
    ],
)  # fmt: skip
def test_what_is_not_on_record_goes_to_a_person(workspace: Workspace, url: str, without: str, reason: str) -> None:
    known(workspace, url, without=without)
    (reply,) = ask(url, apply("k1", facts=CLAIMS))
    assert (reply["outcome"], reply["reasons"]) == ("refer", [reason])
    replayed(workspace)


@pytest.mark.parametrize("left_out", ["device_token", "phone_token", "address_token", "income_declared_minor"])
def test_an_applicant_who_leaves_out_what_signs_are_read_from_is_looked_at(
    workspace: Workspace, url: str, left_out: str
) -> None:
    known(workspace, url)
    (reply,) = ask(url, apply("k1", **{left_out: None}, facts=CLAIMS))
    assert (reply["outcome"], reply["reasons"]) == ("refer", ["signals_unknown"])


def test_a_child_is_declined_by_the_year_in_the_number(workspace: Workspace, url: str) -> None:
    listed(workspace)
    checked(workspace, born=2009)
    (reply,) = ask(url, apply("k1", facts=CLAIMS))
    assert (reply["outcome"], reply["reasons"]) == ("decline", ["under_age"])


def test_a_number_in_an_application_is_refused_in_place_of_a_token() -> None:
    for value in ("13800138000", "11010519491231002X", "short"):
        with pytest.raises(InvalidInput):
            said = {"product": "card", "borrower_id": "b", "requested_minor": 1, "phone_token": value}
            read_request(json.dumps(said), "application")


# ---- What others did -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
def test_a_ring_on_one_device_is_seen_as_it_arrives(workspace: Workspace, url: str, together: bool) -> None:
    """In one batch or one after the other: the first cannot be seen, the last is referred or declined."""
    ring = {"device_token": token("device", "ring"), "contact_tokens": (token("contact", "x"), token("contact", "y"))}
    names = [f"r{place}" for place in range(6)]
    for name in names:
        known(workspace, url, name)
    asked = [apply(f"k-{name}", name, **ring) for name in names]
    replies = ask(url, *asked) if together else [ask(url, one, later=n)[0] for n, one in enumerate(asked)]
    outcomes = [reply["outcome"] for reply in replies]
    assert outcomes[0] == "approve" and set(outcomes[3:]) <= {"refer", "decline"}
    assert replies[-1]["reasons"][0] in ("facts_doubtful", "facts_forged")
    seen = [row["sign_shared_device"] for row in situations(workspace)]
    assert seen == [0, 1, 2, 2, 3, 3]  # levels of 0 to 5 others
    replayed(workspace)


def test_declarations_that_contradict_each_other_are_looked_at(workspace: Workspace, url: str) -> None:
    known(workspace, url, without="income")
    first = apply("k1", employer_token=token("employer", 1), requested_minor=100_000)
    moved = {"employer_token": token("employer", 2), "address_token": token("address", "elsewhere"),
             "phone_token": token("phone", "another")}  # fmt: skip
    honest, _, wild = (
        *ask(url, first), *ask(url, apply("k2", income_declared_minor=4 * INCOME, **moved), later=1),
        *ask(url, apply("k3", employer_token=token("employer", 1), income_declared_minor=9 * INCOME), later=2),
    )  # fmt: skip
    assert honest["outcome"] == "approve"
    assert wild["outcome"] in ("refer", "decline") and wild["reasons"][0] in ("facts_doubtful", "facts_forged")
    read = situations(workspace)[-1]
    assert read["sign_facts_returned"] == 1 and read["sign_restated"] == 4
    replayed(workspace)


def test_an_income_far_above_what_is_seen_is_a_sign_and_counts_as_seen(workspace: Workspace, url: str) -> None:
    known(workspace, url)
    (reply,) = ask(url, apply("k1", income_declared_minor=5 * INCOME))
    (read,) = situations(workspace)
    assert read["income_middle_minor"] == INCOME and read["sign_declared_over_seen"] == 3
    assert reply["outcome"] == "refer"


def test_a_policy_reads_the_income_that_is_seen_and_no_claim_of_it(workspace: Workspace, url: str) -> None:
    rule = 'if income_verified_minor &gt;= 900000 then "approve" else if income_verified_minor = null then "refer" else "decline"'  # noqa: E501
    having = replace(SHIPPED_DECIDERS, grant_text=policy("grant", rule, ["income_verified_minor"]))
    earn(url, "b1")
    earn(url, "b2", amount_minor=899_999)
    earn(url, "b3", months=range(1, 3))  # two months are not enough to say
    claims = {"income_verified_minor": 10**9}
    replies = ask(url, *(apply(f"k-{name}", name, facts=claims) for name in ("b1", "b2", "b3")), having=having)
    assert [reply["outcome"] for reply in replies] == ["approve", "decline", "refer"]
    replayed(workspace)


# ---- Lines elsewhere -----------------------------------------------------------------------------------------------


def line(name: str, **more: Any) -> Event:
    told = {"lender": "other", "line": name, "product": "card", "as_of": (NOW - timedelta(days=4)).date().isoformat()}
    return event(f"line-{name}-{more.pop('key', 1)}", "tradeline", **(told | more))


def test_lines_elsewhere_are_counted_from_their_newest_report(workspace: Workspace, url: str) -> None:
    known(workspace, url, without="report")
    book_events(url, line("a", limit_minor=800_000, balance_minor=700_000, as_of="2026-01-01"))
    book_events(url, line("a", key=2, limit_minor=600_000, balance_minor=100_001))
    book_events(url, line("b", product="loan", balance_minor=300_000, payment_minor=30_000))
    book_events(url, line("gone", balance_minor=0))
    book_events(url, reported(lines=2))
    (reply,) = ask(url, apply("k1"))
    (read,) = situations(workspace)
    assert (read["lines_outside"], read["outside_minor"]) == (2, 900_000)
    assert read["service_after_minor"] == 10_001 + 30_000 + 50_000
    assert reply["outcome"] == "approve"
    book_events(url, line("c", product="loan", balance_minor=100_000))  # what it asks for a month was not told
    (reply,) = ask(url, apply("k2"), later=1)
    assert (reply["outcome"], reply["reasons"]) == ("refer", ["facts_stale"])
    replayed(workspace)


def test_what_is_owed_here_is_part_of_the_service(workspace: Workspace, url: str) -> None:
    known(workspace, url)
    book(workspace, opening("a1", "b1", 500_000, product="card"))
    book(workspace, {
        "account_id": "l1", "borrower_id": "b1", "fact_id": "o", "kind": "opened", "effective_on": "2026-03-01",
        "product": "cash_loan", "lender_id": LENDER,
    }, {
        "account_id": "l1", "fact_id": "d", "kind": "disbursement", "effective_on": "2026-03-01",
        "amount_minor": 1_200_000,
    })  # fmt: skip
    ask(url, apply("k1"))
    (read,) = situations(workspace)
    assert read["service_after_minor"] is not None and read["service_after_minor"] > 50_000 + 80_000
    replayed(workspace)


# ---- Watch lists and devices ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "reason", "outcome", "code"),
    [
        (WatchKind.PERSON, WatchReason.SANCTIONED, "decline", "watch_list"),
        (WatchKind.PERSON, WatchReason.FRAUD, "refer", "watch_list_unknown"),
        (WatchKind.DEVICE, WatchReason.SANCTIONED, "decline", "watch_list"),
        (WatchKind.PHONE, WatchReason.FRAUD, "refer", "watch_list_unknown"),
    ],
)
def test_who_stands_on_a_watch_list_is_not_approved(
    workspace: Workspace, url: str, kind: WatchKind, reason: WatchReason, outcome: str, code: str
) -> None:
    known(workspace, url)
    listed(workspace, (kind, token(kind, "b1"), reason))
    (reply,) = ask(url, apply("k1", facts=CLAIMS))
    assert (reply["outcome"], reply["reasons"]) == (outcome, [code])
    replayed(workspace)


def buy(key: str, device: str | None = token("device", "b1"), amount_minor: int = 1_000, **facts: Any) -> Purchase:
    return Purchase(
        lender_id=LENDER, key=key, borrower_id="b1", account_id="a1", amount_minor=amount_minor, device_token=device,
        facts=facts,
    )  # fmt: skip


def test_purchases_stop_when_a_list_names_the_borrower_and_go_on_when_it_does_not(
    workspace: Workspace, url: str
) -> None:
    known(workspace, url)
    book(workspace, opening("a1", "b1", 500_000))
    assert [one["outcome"] for one in ask(url, apply("k1"))] == ["approve"]
    assert ask(url, buy("p1"), later=1)[0]["outcome"] == "approve"
    listed(workspace, (WatchKind.PERSON, token("person", "b1"), WatchReason.SANCTIONED))
    (stopped,) = ask(url, buy("p2", watch_list=False), later=2)
    assert (stopped["outcome"], stopped["reasons"]) == ("decline", ["watch_list"])
    listed(workspace, (WatchKind.PHONE, token("phone", "b1"), WatchReason.FRAUD), name="another")
    listed(workspace)  # off the first, on the other: a person looks
    assert ask(url, buy("p3", watch_list=False), later=3)[0]["outcome"] == "refer"
    listed(workspace, name="another")
    assert ask(url, buy("p4"), later=4)[0]["outcome"] == "approve"
    replayed(workspace)


def test_another_device_is_told_from_the_record(workspace: Workspace, url: str) -> None:
    known(workspace, url)
    book(workspace, opening("a1", "b1", 500_000))
    ask(url, apply("k1"))
    said = {"device_changed": False, "watch_list": False}
    replies = [
        *ask(url, buy("p1", **said), later=1),
        *ask(url, buy("p2", "stolen", 30_000, **said), later=2),  # large, and from elsewhere
        *ask(url, buy("p3", None, **said), later=3),
        *ask(url, buy("p4", "new", 900, **said), later=4),
        *ask(url, buy("p5", "new", 900, **said), later=5),
    ]
    assert [one["outcome"] for one in replies] == ["approve", "refer", "refer", "approve", "approve"]
    assert [row["device_other"] for row in situations(workspace, "purchase")] == [0, 1, None, 1, 0]
    rows = "SELECT borrower_id, behaviour, grants, marks FROM borrower"
    with transaction(workspace.engine) as connection:
        before = connection.execute(sa.text(rows)).all()
        connection.execute(sa.text("DELETE FROM borrower"))
    ask(url, buy("p6", None, 10**9), later=6)  # too much: it changes nothing
    with transaction(workspace.engine) as connection:
        assert connection.execute(sa.text(rows)).all() == before
    replayed(workspace)


# ---- On record -----------------------------------------------------------------------------------------------------


def test_tokens_are_made_again_from_the_journal(workspace: Workspace, url: str) -> None:
    known(workspace, url)
    ask(url, apply("k1"), apply("k2", "b2", employer_token=token("employer", 1)), apply("k3", "b3", contact_tokens=()))
    rows = "SELECT * FROM application_token ORDER BY kind, token, at_us, application_id"
    with transaction(workspace.engine) as connection:
        before = connection.execute(sa.text(rows)).all()
        assert rebuild_tokens(connection) == len(before) == 6 + 7 + 3
        assert connection.execute(sa.text(rows)).all() == before
    workspace.journal.append([Fact("erased-b2", ERASED, NOW, {"by": "ana", "reason": "asked"}, borrower_id="b2")])
    with transaction(workspace.engine) as connection:
        assert rebuild_tokens(connection) == 6 + 3
        assert connection.execute(sa.text(rows)).all() == [row for row in before if row.borrower_id != "b2"]


TOLD = policy("grant", 'if forgery &lt; 0.5 then "approve" else "refer"').replace(
    '<inputData id="i_amount_minor"', '<inputData id="i_forgery" name="forgery">'
    '<variable name="forgery" typeRef="number"/></inputData><inputData id="i_amount_minor"', 1,
).replace("<informationRequirement>", '<informationRequirement><requiredInput href="#i_forgery"/>'
          "</informationRequirement><informationRequirement>", 1)  # fmt: skip


def test_rows_of_the_first_layout_replay_as_they_were_decided(workspace: Workspace, url: str) -> None:
    """Written before anything was held against the record: requests told what was found out."""
    book(workspace, opening("a1", "b1", 500_000))
    old = replace(deciders(GENEROUS), grant_text=TOLD, norms=None)
    assert "norms" not in json.loads(old.content)
    told = [apply("k1", facts={"forgery": 0.1}), buy("p1")], [apply("k2", facts={"forgery": 0.9})]
    outcomes = [one["outcome"] for group in told for request in group for one in ask(url, request, having=old)]
    assert outcomes == ["approve", "approve", "refer"]
    with transaction(workspace.engine) as connection:
        connection.execute(sa.text("ALTER TABLE decision DISABLE TRIGGER decision_append_only"))
        for row in connection.execute(sa.text("SELECT place, used FROM decision")).all():
            features, numbers = record.unpack_used(bytes(row.used))
            first = struct.pack("<BH", 1, features.shape[1]) + features.tobytes() + numbers[:, :17].tobytes()
            connection.execute(
                sa.text("UPDATE decision SET used = :used WHERE place = :place"), {"used": first, "place": row.place}
            )
        connection.execute(sa.text("ALTER TABLE decision ENABLE ALWAYS TRIGGER decision_append_only"))
    replayed(workspace)
    by_now = list(replay(workspace, 1, 100, now=replace(old, norms=USUAL)))
    assert {change.what for one in by_now for change in one.changes} == {"norms"}


def test_a_layout_that_nobody_knows_is_refused() -> None:
    good = record.pack_used(np.zeros((1, 2)), np.zeros((1, 19), np.int64))[0]
    assert record.unpack_used(good)[1].shape == (1, 19)
    for bad in (b"", b"\x01", b"\x03" + good[1:], good[:-1], good + b"\x00"):
        with pytest.raises(InvalidInput):
            record.unpack_used(bad)


# ---- Live and in a batch -------------------------------------------------------------------------------------------


def in_time(url: str, requests: Sequence[tuple[datetime, Request]], having: Deciders) -> None:
    """Send requests in the order of time; facts of a month between two applications together."""
    clock = [requests[0][0]]

    async def run() -> None:
        engine = Engine(connector(url), having, lambda: clock[0], 1)
        await engine.start()
        waiting: list[asyncio.Future[bytes]] = []
        month = None
        for at, request in requests:
            if isinstance(request, Application) or (at.year, at.month) != month:
                await asyncio.gather(*waiting)
                waiting = []
            month = (at.year, at.month)
            clock[0] = at
            waiting.append(engine.submit(request))
            if isinstance(request, Application):
                await waiting.pop()
        await asyncio.gather(*waiting)
        await engine.stop()

    asyncio.run(run())


def test_live_is_as_the_batch_on_the_same_facts(workspace: Workspace, url: str) -> None:
    """A generated book's applications and incomes arrive one by one; signs and incomes are those of the column."""
    from evenkeel.book.generator.generate import generate
    from evenkeel.book.generator.spec import GeneratorSpec

    tables = generate(GeneratorSpec(150, 24, 5)).book_tables
    people = {row["borrower_id"]: row for row in tables["borrowers"].to_pylist()}
    norms = learn_norms(tables, "UTC")
    having = replace(deciders(), norms=norms)
    made: list[tuple[datetime, Request]] = []
    for row in tables["applications"].to_pylist():
        who = people[row["borrower_id"]]
        told = {name: f"{name}:{row[name]}" for name in ("employer_token", "address_token", "phone_token") if row[name]}
        made.append((row["submitted_at"].astimezone(UTC), Application(
            lender_id=row["lender_id"], key=row["application_id"], borrower_id=row["borrower_id"],
            product=row["product"], requested_minor=row["requested_minor"],
            income_declared_minor=row["income_declared_minor"], device_token=row["device_token"],
            contact_tokens=tuple(f"contact:{one}" for one in row["contact_tokens"] or ()),
            region=who.get("region"), industry=who.get("industry"), occupation=who.get("occupation"), **told,
        )))  # fmt: skip
    known_at: dict[str, str] = {}  # who may tell of a borrower
    for _, request in sorted(made, key=lambda one: one[0]):
        known_at.setdefault(request.borrower_id, request.lender_id)
    for row in tables["events"].to_pylist():
        if row["kind"] in ("income", "deposit"):
            made.append((row["effective_at"].astimezone(UTC), Event(
                lender_id=known_at.get(row["borrower_id"], "-"), key=row["event_id"], borrower_id=row["borrower_id"],
                kind=row["kind"], amount_minor=row["amount_minor"],
            )))  # fmt: skip
    made.sort(key=lambda one: one[0])
    in_time(url, [(at, _at(request, at)) for at, request in made], having)
    with transaction(workspace.engine) as connection:
        names = list(connection.execute(sa.text("SELECT decision_id FROM decision ORDER BY place")).scalars())
        on_record = tables_on_record(connection)
        assert norms_on_record(connection, "UTC").version.startswith("norms-")
    live = dict(zip([str(UUID(str(name))) for name in names], situations(workspace), strict=True))
    requests = read_requests(on_record["applications"])
    column = find_signals(requests, Context(on_record, norms, "UTC"))
    differ = []
    for place, name in enumerate(requests.table["application_id"].to_pylist()):
        row = live[name]
        level = {sign.name: int(column.levels[place, at]) for at, sign in enumerate(SIGNS)}
        got = {sign.name: -1 if row[f"sign_{sign.name}"] is None else row[f"sign_{sign.name}"] for sign in SIGNS}
        differ += [(name, sign, got[sign], level[sign]) for sign in got if got[sign] != level[sign]]
        low = row["income_low_minor"]
        assert low is not None and low == pytest.approx(column.income.low[place], rel=1e-4)
    assert not differ, differ[:10]
    assert len(live) > 100 and (column.levels > 0).sum() > 50
    replayed(workspace)


def _at(request: Request, at: datetime) -> Request:
    request.effective_at = at
    return request


# ---- Checks --------------------------------------------------------------------------------------------------------


class _Register:
    """A provider that says yes."""

    name = "register"

    def check(self, request: CheckRequest) -> Verification:
        return Verification(request.kind, CheckResult.MATCH, NOW, self.name, 25, "0")


def test_a_check_keeps_the_year_of_birth_and_says_how_the_person_stands(workspace: Workspace, url: str) -> None:
    listed(workspace, (WatchKind.PERSON, token("person", "b1"), WatchReason.SANCTIONED))
    book(workspace, opening("a1", "b1", 500_000))
    assert ask(url, buy("p1"))[0]["outcome"] == "approve"  # nothing on record says who this is
    asked = CheckRequest(
        CheckKind.NAME_ID, "order-00001", "b1", token("subject", 1),
        {"name": "欧阳", "id_number": "11010519491231002X"}, None, token("person", "b1"),
    )  # fmt: skip
    assert check(workspace.journal, _Register(), asked).asked
    with transaction(workspace.engine) as connection:
        kept = connection.execute(sa.select(identity_check)).one()
        assert (kept.birth_year, kept.person_token) == (1949, token("person", "b1"))
        text = connection.execute(sa.text("SELECT string_agg(payload::text, ' ') FROM journal")).scalar()
    assert "1949" not in text and token("person", "b1") not in text
    assert ask(url, buy("p2"), later=1)[0]["reasons"] == ["watch_list"]
    assert ask(url, apply("k1"), later=2)[0]["outcome"] == "decline"
    replayed(workspace)


def test_a_list_that_is_loaded_while_people_apply_misses_nobody(workspace: Workspace, url: str) -> None:
    """Whoever is decided before the list is told when it comes; whoever comes after is held against it."""
    names = [f"w{place}" for place in range(40)]
    for name in names:
        checked(workspace, name)
        book(workspace, opening(f"a-{name}", name, 500_000))
    listed(workspace)

    async def run() -> None:
        engine = Engine(connector(url), SHIPPED_DECIDERS, fixed_clock(NOW), 2)
        await engine.start()
        waiting = [engine.submit(apply(f"k-{name}", name)) for name in names[:20]]
        people = [(WatchKind.DEVICE, token("device", name), WatchReason.SANCTIONED) for name in names]
        loading = asyncio.get_running_loop().run_in_executor(None, lambda: listed(workspace, *people))
        for name in names[20:]:
            waiting.append(engine.submit(apply(f"k-{name}", name)))
            await asyncio.sleep(0.005)
        await asyncio.gather(*waiting, loading)
        await engine.stop()

    asyncio.run(run())
    bought = ask(url, *(
        Purchase(lender_id=LENDER, key=f"p-{name}", borrower_id=name, account_id=f"a-{name}", amount_minor=500,
                 device_token=token("device", name))
        for name in names
    ), later=1)  # fmt: skip
    assert {tuple(one["reasons"]) for one in bought} == {("watch_list",)}
    replayed(workspace)


def test_the_device_of_an_application_that_was_not_granted_stays_another(workspace: Workspace, url: str) -> None:
    """Whoever applies in another's name does not make their own device known by it."""
    book(workspace, opening("a1", "b1", 500_000))
    assert ask(url, apply("k1", device_token="thief"))[0]["outcome"] == "refer"  # noqa: S106
    ask(url, buy("p1", "thief", 10**6), later=1)
    assert [row["device_other"] for row in situations(workspace, "purchase")] == [1]
