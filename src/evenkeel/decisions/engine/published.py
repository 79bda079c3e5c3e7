"""The policies that are published in a register, as what decides; and a watch on it, for a service that runs on.

A policy is taken as it stands in the register, where nothing gets that check or proof find at fault. One that cannot be
read here all the same (another evenkeel wrote it) is not taken: what decides stays as it is, and the log says so.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace

import sqlalchemy as sa

from evenkeel.decisions.engine.arms import Arms, Challenger
from evenkeel.decisions.engine.deciders import Deciders
from evenkeel.kernel.errors import EvenkeelError
from evenkeel.policy.program import load_program
from evenkeel.policy.register import Register
from evenkeel.storage.database import transaction

KINDS = ("authorisation", "grant", "limit")

_LAST = sa.text("SELECT coalesce(max(number), 0) FROM policy_event")
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class Published:
    """What decides by a register. base: all else that decides, and the policies where the register has none. fixed:
    kinds whose policy in `base` was chosen by hand and stays.

    Kinds of which nothing is in force are decided by `base`."""

    register: Register
    base: Deciders
    fixed: Collection[str] = ()
    number: int = -1  # the last event of the register that was taken in
    arms: Arms | None = None

    def current(self) -> Arms:
        """What decides by what is in force now, compiled. Raises InvalidInput where a policy cannot be read here."""
        self.changed()
        return self.latest()

    def latest(self) -> Arms:
        """What decides by what was in force at the last look."""
        return self.arms if self.arms is not None else self.current()

    def changed(self) -> Arms | None:
        """What decides by now if that is another, else None. Raises Unavailable if the database cannot be reached."""
        with transaction(self.register.engine) as connection:
            number = int(connection.execute(_LAST).scalar_one())
        if number == self.number:
            return None
        before, self.arms = self.arms, self._read()
        self.number = number
        return None if before is not None and before.document() == self.arms.document() else self.arms

    def _read(self) -> Arms:
        champion, rivals = self.base, dict[str, tuple[str, int, str]]()
        for kind in KINDS:
            if kind in self.fixed:
                continue
            standing = self.register.standing(kind)
            if standing.champion is not None:
                champion = _with(champion, kind, self._text(kind, standing.champion))
            if standing.challenger is not None:
                text = self._text(kind, standing.challenger)
                rivals[kind] = (standing.challenger, standing.challenger_ppm, text)
        challengers = {
            kind: Challenger(version, share_ppm, _with(champion, kind, text))
            for kind, (version, share_ppm, text) in rivals.items()
        }
        arms = Arms(champion, challengers)
        for deciders in arms.all:
            deciders.warm()
        return arms

    def _text(self, kind: str, version: str) -> str:
        """The text of a version; of the one before it, in a service that runs on, where this one cannot be read."""
        text = self.register.text(version)
        try:
            load_program(text)
        except EvenkeelError as error:
            if self.arms is None:
                raise
            _log.error("the %s policy %s cannot be read, the one before stays: %s", kind, version, error.message)
            return _text_of(self.arms.champion, kind)
        return text


def _text_of(deciders: Deciders, kind: str) -> str:
    """The policy of a kind."""
    if kind == "authorisation":
        return deciders.authorisation_text
    return deciders.grant_text if kind == "grant" else deciders.limit_text or ""


def _with(deciders: Deciders, kind: str, text: str) -> Deciders:
    """The same with another policy of a kind."""
    if kind == "authorisation":
        return replace(deciders, authorisation_text=text)
    return replace(deciders, grant_text=text) if kind == "grant" else replace(deciders, limit_text=text)
