"""Plans over HTTP: from a case to its completion, what each party may do, and what is refused how."""

import secrets
from typing import Any

import pytest
from asking import ask
from running import OTHER, Running

_NAMES = ("housing", "food", "utilities", "transport", "health", "education", "communication", "other")
AS_OF = "2024-01-20"


def case(**changed: Any) -> dict[str, Any]:
    """A household with a card and a debt at the other lender; long ago, so that its plan is over."""
    return {
        "case_id": f"c-{secrets.token_hex(6)}", "borrower_id": "b1", "as_of": AS_OF, "role": "head",
        "household": {
            "incomes": [{"id": "wage", "amount_minor": 700_000, "volatility": 0.1, "pay_day": 10}],
            "essentials": [{"category": name, "amount_minor": 50_000} for name in _NAMES],
        },
        "debts": [
            {"id": "card", "creditor": "bank-a", "lender_type": "bank_card", "principal_minor": 300_000,
             "interest_minor": 0, "fees_minor": 5_000, "penalty_minor": 0, "rate_annual": 0.18,
             "days_past_due": 40, "opened_on": "2022-05-01"},
            {"id": "line", "creditor": OTHER, "lender_type": "consumer_finance", "balance_minor": 100_000,
             "rate_annual": 0.12, "days_past_due": 21, "opened_on": "2023-05-01"},
        ],
        "policies": {
            "bank-a": {"waivers": {"fees": 1}, "authority": [{"role": "head", "most_minor": 5_000}],
                       "terms": [3], "instalments": "level"},
            OTHER: {"terms": [2], "instalments": "level"},
        },
        **changed,
    }  # fmt: skip


def make(service: Running, body: Any, key: str | None = None) -> tuple[int, Any]:
    return ask(service.port, "POST", "/v1/plans", key or service.key, body)[:2]


def step(service: Running, plan_id: str, what: str, body: Any, key: str | None = None) -> tuple[int, Any]:
    return ask(service.port, "POST", f"/v1/plans/{plan_id}/{what}", key or service.key, body)[:2]


def proposed(service: Running, **changed: Any) -> dict[str, Any]:
    status, told = make(service, {"case": case(**changed), "propose": "cheapest", "by": "ana"})
    assert status == 200, told
    found: dict[str, Any] = told["proposed"]
    return found


def consent(debt: str, role: str | None = "head") -> dict[str, Any]:
    return {"debt_id": debt, "answer": "consent", "by": "li", "role": role, "on": AS_OF}


def test_a_plan_from_a_case_to_its_completion(service: Running) -> None:
    plan = proposed(service)
    plan_id = plan["plan_id"]
    assert (plan["status"], plan["contact_stops"], plan["signed_on"]) == ("proposed", False, None)
    assert step(service, plan_id, "signature", {"by": "wang", "on": AS_OF})[0] == 409
    assert step(service, plan_id, "answers", consent("card", "clerk"))[0] == 403
    for debt in ("card", "line"):
        status, told = step(service, plan_id, "answers", consent(debt))
        assert (status, told["consents"][debt]["status"]) == (200, "consented")
    status, told = step(service, plan_id, "signature", {"by": "wang", "on": AS_OF})
    assert (status, told["status"], told["contact_stops"]) == (200, "running", True)
    for row in told["plan"]["schedule"]:
        paid = {"debt_id": row["id"], "amount_minor": row["amount_minor"], "on": row["due_on"],
                "reference": f"{row['id']}-{row['due_on']}"}  # fmt: skip
        for _ in range(2):  # told twice, counted once
            status, told = step(service, plan_id, "payments", paid)
            assert status == 200
    assert (told["status"], told["left_minor"]) == ("completed", 0)
    assert ask(service.port, "GET", f"/v1/plans/{plan_id}", service.key)[:2] == (200, told)
    back = {"reference": paid["reference"], "on": paid["on"], "why": "bounced"}
    for _ in range(2):  # taken back twice, missing once
        status, again = step(service, plan_id, "reversals", back)
        assert (status, again["status"], again["left_minor"]) == (200, "running", paid["amount_minor"])
    assert again["reversals"][paid["reference"]]["why"] == "bounced"
    assert step(service, plan_id, "reversals", {**back, "reference": "none"})[0] == 404
    assert step(service, plan_id, "payments", paid)[0] == 409  # another payment has another id
    assert step(service, plan_id, "payments", {**paid, "reference": "again"})[1]["status"] == "completed"
    assert step(service, plan_id, "replan", {"by": "ana", "on": AS_OF})[0] == 409


def test_a_case_is_planned_for_without_being_kept(service: Running) -> None:
    status, told = make(service, {"case": case()})
    assert (status, told["proposed"], told["planned"]["status"]) == (200, None, "feasible")
    assert {"status", "plans", "binding", "routes"} <= set(told["planned"])


def test_a_lesson_is_beside_a_plan_and_of_a_borrower_on_record_as_the_trial_says(service: Running) -> None:
    told = make(service, {"case": case(borrower_id=None), "language": "zh"})[1]
    assert (told["lesson"]["id"], told["lesson"]["language"]) == ("plan_terms", "zh")
    stranger = f"b-{secrets.token_hex(6)}"
    assert make(service, {"case": case(borrower_id=stranger)})[1]["lesson"] is not None  # not on record: a mere case
    body = {"case": case(borrower_id="b1"), "propose": "cheapest", "by": "ana"}
    assert make(service, body)[1]["lesson"] is None  # in the arm that is shown none


def test_a_plan_that_is_missed_is_made_again(service: Running) -> None:
    plan_id = proposed(service)["plan_id"]
    for debt in ("card", "line"):
        step(service, plan_id, "answers", consent(debt))
    step(service, plan_id, "signature", {"by": "wang", "on": AS_OF})
    status, told = step(service, plan_id, "look", {"on": "2024-02-20"})
    assert (status, told["status"]) == (200, "late")
    assert {one["due_on"] for one in told["missed"]} == {"2024-02-11"}
    status, fresh = step(service, plan_id, "replan", {"by": "ana", "on": "2024-02-20", "name": "soonest"})
    assert (status, fresh["status"], fresh["replaces"]) == (200, "proposed", plan_id)
    assert step(service, plan_id, "look", {"on": "2024-02-20"})[1]["status"] == "late"  # it binds until then


def test_a_plan_is_there_for_its_keeper_and_its_creditors_alone(service: Running) -> None:
    mine = proposed(service)["plan_id"]
    assert ask(service.port, "GET", f"/v1/plans/{mine}", service.other)[0] == 200  # a creditor in it
    debts = case()["debts"]
    debts[1]["creditor"] = "pay-b"
    apart = proposed(service, debts=debts, policies={})["plan_id"]
    for path, what in (("", None), ("/answers", consent("card")), ("/look", {"on": AS_OF})):
        method = "GET" if what is None else "POST"
        status, told, _ = ask(service.port, method, f"/v1/plans/{apart}{path}", service.other, what)
        assert status == 404
        absent = ask(service.port, method, f"/v1/plans/plan-none{path}", service.other, what)[1]
        assert told["detail"].replace(apart, "plan-none") == absent["detail"]  # as if it were not


def test_a_creditor_answers_for_its_own_debts_alone(service: Running) -> None:
    plan_id = proposed(service)["plan_id"]
    assert step(service, plan_id, "answers", consent("card"), service.other)[0] == 403
    assert step(service, plan_id, "answers", consent("line"), service.other)[0] == 200
    step(service, plan_id, "answers", consent("card"))
    assert step(service, plan_id, "signature", {"by": "wang", "on": AS_OF}, service.other)[0] == 403
    assert step(service, plan_id, "signature", {"by": "wang", "on": AS_OF})[0] == 200


def test_a_refusal_and_a_counter_offer_lead_to_another_plan(service: Running) -> None:
    plan_id = proposed(service)["plan_id"]
    counter = {"debt_id": "line", "answer": "counter", "by": "li", "on": AS_OF}
    status, told = step(service, plan_id, "answers", counter)
    assert status == 400 and "policy" in told["remedy"]
    policy = {"terms": [4], "instalments": "level"}
    assert step(service, plan_id, "answers", {**counter, "policy": policy})[0] == 200
    status, fresh = step(service, plan_id, "replan", {"by": "ana", "on": AS_OF})
    assert status == 200
    assert sum(row["id"] == "line" for row in fresh["plan"]["schedule"]) == 4
    refusal = {"debt_id": "line", "answer": "refuse", "by": "li", "on": AS_OF, "why": "we sue"}
    assert step(service, fresh["plan_id"], "answers", refusal)[0] == 200
    status, third = step(service, fresh["plan_id"], "replan", {"by": "ana", "on": AS_OF})
    assert status == 200, third
    assert {one["debt_id"] for one in third["plan"]["creditors"]} == {"card"}


def test_a_refusal_may_be_for_one_debt_only(service: Running) -> None:
    debts = case()["debts"]
    debts[1]["creditor"] = "bank-a"
    plan_id = proposed(service, debts=debts)["plan_id"]
    refusal = {"debt_id": "line", "answer": "refuse", "by": "li", "on": AS_OF, "only": True}
    assert step(service, plan_id, "answers", refusal)[1]["consents"]["line"]["only"] is True
    status, fresh = step(service, plan_id, "replan", {"by": "ana", "on": AS_OF})
    assert (status, {one["debt_id"] for one in fresh["plan"]["creditors"]}) == (200, {"card"})


@pytest.mark.parametrize(("changed", "path"), [
    ({"as_of": "tomorrow"}, "$.case.as_of"),
    ({"quantile": 2}, "$.case.quantile"),
    ({"debts": [{"id": "a", "creditor": "b", "rate_annual": -1}]}, "$.case.debts[0].rate_annual"),
    ({"debts": [{"id": "a", "creditor": "b"}, {"id": "a", "creditor": "c"}]}, "debts[1].id"),
    ({"household": {"incomes": [{"id": "w", "amount_minor": {"low_minor": 2, "high_minor": 1}}]}},
     "household.incomes[0].amount_minor"),
    ({"unknown": 1}, "unknown"),
])  # fmt: skip
def test_a_wrong_case_is_refused_with_the_path_of_the_field(
    service: Running, changed: dict[str, Any], path: str
) -> None:
    status, told = make(service, {"case": case(**changed)})
    assert status == 400
    assert path in told["detail"]


def test_a_household_owes_at_most_sixty_debts_here(service: Running) -> None:
    many = [{"id": f"d{number}", "creditor": "b", "balance_minor": 100} for number in range(61)]
    status, told = make(service, {"case": case(debts=many)})
    assert status == 400 and "61 debts" in told["detail"] and "60" in told["remedy"]


def test_a_body_beyond_its_limit_is_not_read(service: Running) -> None:
    status, told = make(service, b'{"case": "' + b"x" * 262_144 + b'"}')
    assert (status, told["type"].rpartition("/")[2]) == (413, "too-large")
    within = case(debts=[{**case()["debts"][0], "payments": [{"on": "2023-01-05", "amount_minor": 1}] * 600}])
    assert make(service, {"case": within})[0] == 200  # larger than other requests may be
    assert step(service, "plan-none", "look", b'{"on": "' + b"x" * 262_144 + b'"}')[0] == 413


@pytest.mark.parametrize(("what", "body"), [
    ("payments", {"debt_id": "card", "amount_minor": 1, "on": "2999-01-01", "reference": "p"}),
    ("reversals", {"reference": "p", "on": "2999-01-01"}), ("look", {"on": "2999-01-01"}),
    ("replan", {"by": "ana", "on": "2999-01-01"}),
    ("signature", {"by": "wang", "on": "2999-01-01"}), ("answers", {**consent("line"), "on": "2999-01-01"}),
])  # fmt: skip
def test_a_day_that_lies_ahead_is_refused(service: Running, what: str, body: dict[str, Any]) -> None:
    status, told = step(service, proposed(service)["plan_id"], what, body)
    assert status == 400 and "2999-01-01 lies ahead" in told["detail"]


def test_a_key_without_the_scope_may_not_plan(service: Running) -> None:
    assert make(service, {"case": case()}, service.reader)[0] == 403
    assert make(service, {"case": case()}, "ek-none")[0] == 401


def test_a_proposal_says_on_whose_behalf(service: Running) -> None:
    status, told = make(service, {"case": case(), "propose": "cheapest"})
    assert status == 400 and "`by`" in told["remedy"]
    status, told = make(service, {"case": case(debts=[]), "propose": "cheapest", "by": "ana"})
    assert status == 400 and "has no plan `cheapest`" in told["detail"]
