"""Contacts over HTTP: asked before they are made, told of afterwards; each operation one call of `arrears.contacts`."""

from __future__ import annotations

from http import HTTPStatus
from typing import Protocol

from evenkeel.api.openapi import Call, Operation, Parameter
from evenkeel.arrears.contacts.model import Cleared, Contact, Ended
from evenkeel.arrears.contacts.service import Contacts
from evenkeel.arrears.law import RuleBook
from evenkeel.decisions.requests import Id
from evenkeel.storage.journal import Journal


class Service(Protocol):
    """What the operations work on."""

    @property
    def journal(self) -> Journal:
        """The record."""

    @property
    def contact_rules(self) -> RuleBook:
        """The law."""

    @property
    def jurisdiction(self) -> str:
        """Where the debtors live."""


def _contacts(service: Service, call: Call) -> Contacts:
    return Contacts(service.journal, call.lender_id, service.contact_rules, service.jurisdiction)


def _ask(service: Service, call: Call) -> Cleared:
    return _contacts(service, call).ask(call.body, call.given["idempotency-key"])


def _get(service: Service, call: Call) -> Cleared:
    return _contacts(service, call).one(call.given["contact_id"])


def _tell(service: Service, call: Call) -> Cleared:
    return _contacts(service, call).tell(call.given["contact_id"], call.body)


_CONTACT = Parameter("contact_id", "path", Id, "The id in the answer to the question.", True)
_CLASHES = (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT)


def operations(key: Parameter) -> tuple[Operation, ...]:
    """The operations of `/v1/contacts`. key: of one attempt."""
    return (
        Operation("POST", "/v1/contacts", "ask_contact", "May this contact be made, by the rules on record?",
                  "contacts", Contact, Cleared, parameters=(key,), problems=_CLASHES, act=_ask),
        Operation("GET", "/v1/contacts/{contact_id}", "get_contact", "A contact, and what became of it.", "contacts",
                  reply=Cleared, parameters=(_CONTACT,), problems=(HTTPStatus.NOT_FOUND,), act=_get),
        Operation("POST", "/v1/contacts/{contact_id}/end", "end_contact", "What became of a contact.", "contacts",
                  Ended, Cleared, parameters=(_CONTACT,), problems=_CLASHES, act=_tell),
    )  # fmt: skip
