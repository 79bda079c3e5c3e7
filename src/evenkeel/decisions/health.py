"""What `evenkeel doctor` asks of decisions: is each the one that was made?"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy.engine import Engine

from evenkeel.decisions.record import SHOWN, coverage
from evenkeel.kernel.text import Texts
from evenkeel.storage.doctor import Check


def findings(engine: Engine, say: Texts) -> Iterator[Check]:
    """Every decision on record held to its digest in the journal."""
    found = coverage(engine)
    if not found.uncovered:
        yield Check("decisions", True, say("doctor.decisions.ok", count=found.decisions), "")
        return
    listed = ", ".join(map(str, found.links)) + (" …" if found.uncovered > SHOWN else "")
    detail = say("doctor.decisions.uncovered", count=found.uncovered, listed=listed)
    yield Check("decisions", False, detail, say("doctor.decisions.remedy"))
