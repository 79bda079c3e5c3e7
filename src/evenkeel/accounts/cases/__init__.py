"""Files of loan cases: every case computed, or the reason why not. What a file expects is never read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from evenkeel.accounts.cases.document import Record, Unsupported, known
from evenkeel.accounts.cases.lifecycle import lifecycle_states
from evenkeel.accounts.cases.plain import apr, schedule_states, unit_states
from evenkeel.kernel.errors import InvalidInput

__all__ = ["run_cases"]

_STATES: Mapping[str, Callable[[Record], list[dict[str, Any]]]] = {
    "unit": unit_states, "emi_e2e": schedule_states, "e2e": lifecycle_states
}  # fmt: skip


def run_cases(document: object) -> dict[str, Any]:
    """`{"cases": [{id, status, why, states, apr}]}` of a document shaped like the shared `loan_schedules.json`.

    status: `computed`, or `unsupported` where an event, a product or a number is not understood with certainty; `why`
    then says what. states: one after every event, with the names that the document itself uses. apr: of cost cases.
    Raises InvalidInput if the document has no section of cases.
    """
    if not isinstance(document, Mapping):
        raise InvalidInput("a file of cases is a table of sections, such as `unit`, `emi_e2e`, `e2e`.")
    sections = list(_sections(document))
    if not sections:
        raise InvalidInput("the file has no section of cases.", "Sections are `unit`, `emi_e2e`, `e2e`, `apr_...`.")
    return {"cases": [_run(kind, case) for kind, cases in sections for case in cases]}


def _sections(document: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """The kind and the cases of each section; of a list that is no such section the kind is its name."""
    for name, section in document.items():
        if isinstance(section, list):
            yield name, section
        elif isinstance(section, Mapping) and isinstance(section.get("cases"), list):
            yield ("apr" if name.startswith("apr") else name), section["cases"]


def _run(kind: str, case: object) -> dict[str, Any]:
    result: dict[str, Any] = {"id": None, "status": "computed", "why": None, "states": [], "apr": None}
    try:
        if not isinstance(case, Mapping):
            raise Unsupported("it is no table of fields.")
        result["id"] = _id(case.get("id"))
        if kind not in (*_STATES, "apr"):
            raise Unsupported(f"cases of the section `{kind}` are not understood.")
        if kind == "apr":
            result["apr"] = apr({name: value for name, value in case.items() if name != "apr"})
        else:
            _check_fields(kind, case)
            result["states"] = _STATES[kind]({name: value for name, value in case.items() if name != "expected"})
    except (Unsupported, InvalidInput, OverflowError) as why:  # days beyond the calendar overflow
        result |= {"status": "unsupported", "why": str(why), "states": []}
    return result


def _check_fields(kind: str, case: Mapping[str, Any]) -> None:
    """Raises Unsupported where a case holds more than remarks beside what is read of it."""
    read = ["id", "inputs", "events", "disabled_upstream", "expected"] + ["unmodelled_steps"] * (kind == "e2e")
    known({name: value for name, value in case.items() if not isinstance(value, str)}, read, "the case")


def _id(value: object) -> object:
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise Unsupported(f"its `id` is {value!r}, which is neither text nor a whole number.")
    return value
