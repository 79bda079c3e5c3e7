"""The description and the service are one: whatever may be asked is answered as described."""

from urllib.parse import parse_qsl, urlsplit

import pytest
import schemathesis
from asking import ask
from hypothesis import HealthCheck, Phase, given, settings
from running import Running
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from evenkeel.arrears.cases.acts import ACTS

LONG = 150


def test_every_operation_says_how_it_is_asked_and_how_it_answers(service: Running) -> None:
    status, found, headers = ask(service.port, "GET", "/v1/openapi.json")
    assert status == 200 and found["openapi"].startswith("3.1") and headers["cache-control"] == "no-store"
    operations = {(path, method): one for path, some in found["paths"].items() for method, one in some.items()}
    assert {path for path, _ in operations} == {
        "/v1/decisions", "/v1/authorisations", "/v1/events", "/v1/decisions/{decision_id}", "/v1/limits/{account_id}",
        "/v1/limits", "/v1/borrowers/{borrower_id}", "/v1/reviews", "/v1/reviews/{decision_id}",
        "/v1/reviews/{decision_id}/claim",
        "/v1/reviews/{decision_id}/release", "/v1/reviews/{decision_id}/decide", "/v1/openapi.json", "/health",
        "/ready", "/metrics", "/v1/plans", "/v1/plans/{plan_id}", "/v1/plans/{plan_id}/answers",
        "/v1/plans/{plan_id}/signature", "/v1/plans/{plan_id}/payments",
        "/v1/plans/{plan_id}/reversals", "/v1/plans/{plan_id}/look", "/v1/plans/{plan_id}/replan",
        "/v1/contacts", "/v1/contacts/{contact_id}", "/v1/contacts/{contact_id}/end",
        "/v1/cases", "/v1/worklist/claim", "/v1/cases/{case_id}", "/v1/cases/{case_id}/claim",
        "/v1/cases/{case_id}/release", "/v1/cases/{case_id}/hand-over", "/v1/agencies",
        "/v1/agencies/{agency_id}/cases", "/v1/agencies/{agency_id}/conduct",
        *(f"/v1/cases/{{case_id}}/{act}" for act in ACTS),
    }  # fmt: skip
    for (path, _), one in operations.items():
        keyed = path.startswith("/v1/") and path != "/v1/openapi.json"
        assert ("security" in one) == keyed and ("401" in one["responses"]) == keyed
        assert "500" in one["responses"] and one["summary"]
    purchase = found["components"]["schemas"]["Purchase"]
    assert set(purchase["required"]) == {"borrower_id", "account_id", "amount_minor"}
    assert "lender_id" not in purchase["properties"]
    assert purchase["additionalProperties"] is False


def checks(service: Running, mode: GenerationMode, most: int) -> None:
    """Ask each operation `most` times.

    What a schema calls valid may be refused all the same: an amount of 5.0, a moment that is still to come.
    """
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{service.port}/v1/openapi.json")
    schema.config.generation.update(modes=[mode])
    headers = {"Authorization": f"Bearer {service.key}"}
    for found in schema.get_all_operations():
        operation = found.ok()
        described = operation.definition.raw
        if mode is GenerationMode.NEGATIVE and not ("parameters" in described or "requestBody" in described):
            continue  # nothing can be wrong with it

        # Acts are many, and all of one making.
        asked = most // 4 if operation.path.startswith("/v1/cases/{case_id}/") else most

        @settings(
            max_examples=asked, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(operation.as_strategy(generation_mode=mode))
        def ask_one(case: schemathesis.Case) -> None:
            response = case.call(headers=headers)
            excluded = [positive_data_acceptance]
            if set(case.query or ()) - {name for name, _ in parse_qsl(urlsplit(response.request.url).query, True)}:
                excluded.append(negative_data_rejection)  # what is wrong has no form in a query, and was not sent
            case.validate_response(response, excluded_checks=excluded, headers=headers)

        ask_one()


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_is_asked_is_answered_as_described(service: Running, mode: GenerationMode) -> None:
    checks(service, mode, 8)


@pytest.mark.prove
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_whatever_is_asked_at_length_is_answered_as_described(service: Running, mode: GenerationMode) -> None:
    checks(service, mode, LONG)
